"""困难类别: the kinds of hardship the county knows, each from a day to a day, and what took the place of one.

Programmes, standards and lists speak of a kind by its code. A kind that is only called otherwise keeps its code: its
new row takes the place of the old one, and nothing that speaks of it has to change.
"""

import datetime as dt
import re

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, F, Q

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date

from . import names
from .models import Category, Circumstance

_CODE = re.compile(r"[a-z][a-z0-9_]{0,29}")
_RANK_STEP = 10


def holders(on: dt.date) -> dict[int, int]:
    """How many pupils hold each kind on the day, by its key; kinds nobody holds are left out."""
    held = Circumstance.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gte=on), valid_from__lte=on)
    counted = held.order_by().values("category").annotate(n=Count("pupil", distinct=True))
    return dict(counted.values_list("category", "n"))


def propose_code(name: str) -> str:
    """A code nobody has yet, from the initials of the name: 一户多残家庭 → yhdcjt."""
    initials = names.initials(name).lower()[:24] or "lb"
    taken = set(Category.objects.filter(code__startswith=initials).values_list("code", flat=True))
    return next(
        code for n in range(1, len(taken) + 2) if (code := initials if n == 1 else f"{initials}_{n}") not in taken
    )


def add(
    category: Category,
    *,
    after: Category | None,
    replaces: Category | None = None,
    is_renamed: bool = False,
    county: Unit,
    by: User,
) -> Category:
    """Put a kind on record. It counts behind `after`, or first of all.

    `replaces` is the kind whose place it takes: that one is over the day before, and whoever holds it holds the new
    one then. With `is_renamed` it is the same kind under another name, and keeps the code. Raises ValidationError
    for a name or code in use, and for a first day that leaves the replaced kind no day.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    for name in ("name", "source", "code", "proof"):
        setattr(category, name, getattr(category, name).strip())
    category.recorded_by = by
    try:
        with transaction.atomic():
            # One at a time: ranks and codes are read before they are written.
            rows = list(Category.objects.select_for_update().order_by("pk"))
            if replaces is not None:
                replaces = next(row for row in rows if row.pk == replaces.pk)
            if is_renamed and replaces is None:
                raise ValidationError({"replaces": "改名称的，请选择原来的困难类别。"})
            category.code = replaces.code if replaces and is_renamed else category.code or propose_code(category.name)
            _check(category, rows, replaces, is_renamed=is_renamed)
            category.rank = _free_rank(rows, after)
            category.full_clean()
            category.save(force_insert=True)
            audit.record(
                "category.add",
                category,
                by=by,
                unit=county,
                code=category.code,
                label=category.name,
                on=category.valid_from,
                replaces=replaces.name if replaces else "",
                basis=category.source,
            )
            if replaces is not None:
                _close(replaces, category.valid_from - dt.timedelta(days=1), category, category.source, county, by)
    except IntegrityError:
        raise ValidationError("刚刚有人登记了同样代码的困难类别，请刷新页面。") from None
    return category


def _check(category: Category, rows: list[Category], replaces: Category | None, *, is_renamed: bool) -> None:
    if not _CODE.fullmatch(category.code):
        words = f"代码“{category.code}”不能用：只能用小写字母、数字和下划线，以字母开头，最多 30 个字符。"
        raise ValidationError({"code": words})
    if not is_renamed and any(row.code == category.code for row in rows):
        raise ValidationError({"code": f"代码“{category.code}”已经用于另一个困难类别，请换一个。"})
    running = [row for row in rows if row.valid_to is None or row.valid_to >= category.valid_from]
    if any(row.name == category.name for row in running if row != replaces):
        raise ValidationError({"name": f"“{category.name}”已经是困难类别，不用重复登记。"})
    if replaces is None:
        return
    if is_renamed and replaces.name == category.name:
        raise ValidationError({"name": "名称没有改动。"})
    if replaces.valid_to is not None:
        raise ValidationError({"replaces": f"“{replaces}”已于{cn_date(replaces.valid_to)}失效，不能再由别的类别接替。"})
    if category.valid_from <= replaces.valid_from:
        words = f"“{replaces}”自{cn_date(replaces.valid_from)}起有效，接替它的类别要晚于这一天。"
        raise ValidationError({"valid_from": words})
    if not is_renamed and category.valid_from <= clock.today():
        # Programmes do not speak of the new code yet; whoever holds the kind today must not lose it backwards.
        raise ValidationError(
            {"valid_from": "接替别的类别要从今天以后的日子开始，已经过去的日子里学生是按原来的类别资助的。"}
        )


def _free_rank(rows: list[Category], after: Category | None) -> int:
    """A rank right behind `after` (first of all without); the ranks behind it move up where there is no room."""
    behind = after.rank if after else 0
    following = min((row.rank for row in rows if row.rank > behind), default=behind + 2 * _RANK_STEP)
    if following - behind < 2:
        Category.objects.filter(rank__gt=behind).update(rank=F("rank") + _RANK_STEP)
        following += _RANK_STEP
    return (behind + following) // 2


def end(
    category: Category, *, on: dt.date, maps_to: Category | None = None, document: str, county: Unit, by: User
) -> Category:
    """The kind exists for the last time on the day; from the next on, who holds it holds `maps_to`, or nothing.

    Raises ValidationError when it is over already, when the day lies before its first or before today, or when the
    kind in its place is not there then.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    if not document.strip():
        raise ValidationError({"document": "没有写明文件名称和文号，请填写依据。"})
    with transaction.atomic():
        held = Category.objects.select_for_update().get(pk=category.pk)
        if held.valid_to is not None:
            raise ValidationError(f"“{held}”已于{cn_date(held.valid_to)}失效。")
        if on < held.valid_from:
            raise ValidationError({"on": f"最后一天不能早于生效日期（{cn_date(held.valid_from)}）。"})
        if on < clock.today():
            raise ValidationError({"on": "最后一天不能早于今天：已经过去的日子里，学生是按这个类别资助的。"})
        _check_successor(held, maps_to, on + dt.timedelta(days=1))
        _close(held, on, maps_to, document.strip(), county, by)
    return held


def _check_successor(held: Category, maps_to: Category | None, first_day: dt.date) -> None:
    if maps_to is None:
        return
    if maps_to.pk == held.pk:
        raise ValidationError({"maps_to": "请选择另一个困难类别；没有接替的，请不要选择。"})
    if maps_to.valid_from > first_day or maps_to.valid_to is not None:
        words = f"“{maps_to}”在{cn_date(first_day)}不是长期有效的困难类别，不能接替。请先登记接替的类别。"
        raise ValidationError({"maps_to": words})


def _close(held: Category, on: dt.date, maps_to: Category | None, document: str, county: Unit, by: User) -> None:
    held.valid_to, held.maps_to = on, maps_to
    held.save(update_fields=["valid_to", "maps_to"])
    audit.record(
        "category.end",
        held,
        by=by,
        unit=county,
        code=held.code,
        label=held.name,
        on=on,
        maps_to=maps_to.name if maps_to else "",
        basis=document,
    )
