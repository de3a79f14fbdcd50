"""Opening rounds, and moving their days."""

import datetime as dt
from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from accounts import access, audit, clock, scopes
from accounts.models import Unit, User
from accounts.roles import Permission
from students.models import Term

from . import deadline_plans, deadlines, programmes
from .models import Programme, Round
from .states import Work


def open_round(
    *,
    programme: Programme,
    term: Term,
    unit: Unit,
    opens_on: dt.date,
    closes_on: dt.date,
    by: User,
    due: Mapping[Work, dt.date] | None = None,
) -> Round:
    """Open a programme for a term over a county or a school; teachers file from `opens_on` to `closes_on`.

    `due` are the last days of the work after filing; without them those the county's rules give. Raises
    ValidationError when the same programme and term is already open over this unit, above or below it, when the
    programme is switched off, when no standard or no procedure covers the term, when the days are the wrong way
    round, or as `deadlines.check`.
    """
    access.require(by, Permission.OPEN_ROUND, unit)
    check_opening(programme, term, unit, opens_on=opens_on, closes_on=closes_on)
    if due is None:
        due = deadlines.propose(programme, term, opens_on=opens_on, closes_on=closes_on).due
    plan = {**due, Work.FILING: closes_on}
    deadlines.check(programme, term, plan, opens_on=opens_on)
    try:
        with transaction.atomic():
            Programme.objects.select_for_update().get(pk=programme.pk)  # county and school may open at one moment
            _refuse_second(programme, term, unit)
            opened = Round.objects.create(
                programme=programme,
                term=term,
                unit=unit,
                opens_on=opens_on,
                closes_on=closes_on,
                opened_at=clock.now(),
                opened_by=by,
            )
            deadlines.write(opened, plan)
            audit.record("round.open", opened, by=by, unit=unit, opens_on=opens_on, due=deadline_plans.told(plan))
    except IntegrityError:
        raise ValidationError(f"“{programme}”{term}的批次刚刚已被开启，请刷新页面。") from None
    return opened


def check_opening(
    programme: Programme, term: Term, unit: Unit, *, opens_on: dt.date, closes_on: dt.date | None = None
) -> None:
    """Raises ValidationError as `open_round` would, the later deadlines apart."""
    if unit.level == Unit.Level.CLASS:
        raise ValidationError({"unit": "批次按县或学校开启，不能只对一个班开启。"})
    if unit.level == Unit.Level.SCHOOL and not set(unit.school.stages) & set(programme.stages):
        raise ValidationError({"programme": f"{unit}没有“{programme}”面向的学段，请核对项目。"})
    if not programme.is_active:
        raise ValidationError(f"“{programme}”已停用，不能开启批次；请先在“项目与标准”中启用。")
    if closes_on and closes_on < opens_on:
        raise ValidationError({"closes_on": "截止日期不能早于开始日期。"})
    if closes_on and closes_on < clock.today():
        raise ValidationError({"closes_on": "截止日期已过，请填写今天或以后的日期。"})
    programmes.process_rule(programme, term)
    if not _has_standard(programme, term):
        raise ValidationError(f"“{programme}”在{term}没有可用的标准，请先在“项目与标准”中维护。")
    _refuse_second(programme, term, unit)


def change_window(
    round_: Round,
    *,
    opens_on: dt.date,
    closes_on: dt.date,
    reason: str,
    by: User,
    due: Mapping[Work, dt.date] | None = None,
) -> None:
    """Move the days in which teachers may file, and the last days of the work after it (left as they are without
    `due`). Applications already filed are not touched. Raises ValidationError as `deadlines.check`."""
    access.require(by, Permission.OPEN_ROUND, round_.unit)
    if closes_on < opens_on:
        raise ValidationError({"closes_on": "截止日期不能早于开始日期。"})
    if not reason.strip():
        raise ValidationError({"reason": "请写明更改期限的原因。"})
    with transaction.atomic():
        held = (
            Round.objects.select_for_update(of=("self",)).select_related("programme", "term", "unit").get(pk=round_.pk)
        )
        before = deadlines.of(held)
        plan = {**(before if due is None else due), Work.FILING: closes_on}
        deadlines.check(held.programme, held.term, plan, opens_on=opens_on)
        was = held.opens_on
        held.opens_on, held.closes_on = opens_on, closes_on
        held.save(update_fields=["opens_on", "closes_on"])
        deadlines.write(held, plan)
        audit.record(
            "round.change_window",
            held,
            by=by,
            unit=held.unit,
            before=f"开始 {was}；{deadline_plans.told(before)}",
            after=f"开始 {opens_on}；{deadline_plans.told(plan)}",
            note=reason.strip(),
        )


def withdraw(round_: Round, *, by: User) -> None:
    """Take back a round that was opened by mistake, as long as nobody has filed in it."""
    access.require(by, Permission.OPEN_ROUND, round_.unit)
    with transaction.atomic():
        held = Round.objects.select_for_update().get(pk=round_.pk)
        if held.applications.exists():
            raise ValidationError("这个批次里已有申请（包括草稿和已终止的），不能再撤销；可以更改期限。")
        if held.receipts.exists():
            raise ValidationError("这个批次已经登记了家长回执，不能再撤销；可以更改期限。")
        audit.record("round.withdraw", held, by=by, unit=held.unit, programme=str(held.programme), term=held.term.key)
        held.delete()


def visible_to(user: User, *permissions: Permission) -> QuerySet[Round]:
    """Rounds that touch the person's units: opened over them, above them or below them."""
    condition = Q(pk__in=[])
    for path in scopes.reach(user, *permissions):
        condition |= Q(unit__path__startswith=path) | Q(unit__in=_keys(path))
    return Round.objects.filter(condition).select_related("programme", "term", "unit")


def _keys(path: str) -> list[int]:
    return [int(key) for key in path.rstrip("/").split("/")]


def _has_standard(programme: Programme, term: Term) -> bool:
    return programme.standards.in_force(term.key).exists()


def _refuse_second(programme: Programme, term: Term, unit: Unit) -> None:
    rows = Round.objects.filter(programme=programme, term=term).select_related("unit")
    for other in rows:
        if other.unit.contains(unit) or unit.contains(other.unit):
            raise ValidationError(f"“{programme}”{term}已在{other.unit}开启，不用重复开启。")
