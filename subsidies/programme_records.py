"""资助项目: creating one, changing what holds for the whole of it, switching it off and on.

What a programme is as a whole has no terms: a change reaches back to the first. So nothing may be changed by which
money given or asked for would be judged otherwise; for that there are rows with terms, or another programme.
"""

import hashlib
import json
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, Q, Sum

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from students import names, terms
from students.models import Stage

from . import changes, rule_checks, what_if
from .dated_terms import OPEN
from .entitlement import ProgrammeRules
from .models import Application, ChangeRule, Programme, Round
from .policy_words import CHANNELS, UNITS
from .programmes import category_names, frame_of, rules_of
from .states import ENDED_WITHOUT_AID, State
from .what_if import Effect

# What a person may say of a programme, in the order in which pages show it. The code is said once and for all:
# addresses and the trail hold it.
FIELDS = (
    *("name", "stages", "basis", "recipients", "unit", "pro_rata", "highest_wins", "tiers"),
    *("applied", "paid", "form", "funding", "channels"),
)
# Words that addresses of this desk begin with (programmes/packs/ …); no programme may be called by them.
RESERVED = frozenset({"add", "ages", "attendance", "exclusions", "forms", "outside", "packs", "percentages", "shares"})
_CODE = re.compile(r"[a-z][a-z0-9-]{0,29}")
_UNPAID = (State.APPROVED, State.IN_BATCH)
_ENDED = (State.PAID, *ENDED_WITHOUT_AID)
_NOTHING = Decimal("0.00")


# --- saying what is wrong --------------------------------------------------------------------------


def check(programme: Programme) -> None:
    """Raises ValidationError, by field, for what is wrong with a programme by itself or beside the others."""
    programme.name, programme.basis = programme.name.strip(), programme.basis.strip()
    programme.clean_fields(exclude=["code", "recorded_by"])
    wrong: dict[str, list[str]] = defaultdict(list)
    others = Programme.objects.exclude(pk=programme.pk)
    if not _CODE.fullmatch(programme.code) or programme.code in RESERVED:
        wrong["code"].append(
            f"代码“{programme.code}”不能用：只能用小写字母、数字和连字符，以字母开头，也不能是{'、'.join(sorted(RESERVED))}。"
        )
    elif others.filter(code=programme.code).exists():
        wrong["code"].append(f"代码“{programme.code}”已经用于另一个项目，请换一个。")
    if same := others.filter(name=programme.name).first():
        wrong["name"].append(f"已有名称为“{same}”的项目（代码 {same.code}），两个项目不能同名。")
    for fault in rule_checks.programme_faults(frame_of(programme)):
        wrong[fault.where].append(fault.words)
    try:
        programme.clean()
    except ValidationError as refusal:
        for field, sentences in refusal.message_dict.items():
            wrong[field] += sentences
    if len(set(programme.tiers)) < len(programme.tiers):
        wrong["tiers"].append("困难等级里有写了两次的，请核对。")
    elif len(programme.tiers) == 1:
        wrong["tiers"].append("只有一个等级就是不分等级，请不要填写。")
    elif any(len(tier) > 20 for tier in programme.tiers):
        wrong["tiers"].append("困难等级的名称最多 20 个字。")
    if wrong:
        raise ValidationError(dict(wrong))


def propose_code(name: str) -> str:
    """A code nobody has yet, from the initials of the name: 义务教育生活补助 → ywjyshbz."""
    initials = names.initials(name).lower()[:24] or "xm"
    taken = set(Programme.objects.filter(code__startswith=initials).values_list("code", flat=True)) | RESERVED
    return next(
        code for n in range(1, len(taken) + 2) if (code := initials if n == 1 else f"{initials}-{n}") not in taken
    )


def state_of(programme: Programme) -> str:
    """SHA-256 over what holds for the whole programme: whether it is still what a person began to change."""
    said = [getattr(programme, field) for field in FIELDS]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def told_of(programme: Programme, field: str) -> str:
    """A field in words: 受助对象：全体学生."""
    label = getattr(Programme._meta.get_field(field), "verbose_name", field)
    value = getattr(programme, field)
    if field == "stages":
        said = "、".join(Stage(stage).label for stage in value)
    elif field == "channels":
        said = "、".join(CHANNELS[each] for each in value)
    elif field == "tiers":
        said = "、".join(value) or "不分等级"
    elif isinstance(value, bool):
        said = "是" if value else "否"
    else:
        shown = getattr(programme, f"get_{field}_display", None)
        said = shown() if shown else value
    return f"{label}：{said}"


# --- creating --------------------------------------------------------------------------------------


def add(programme: Programme, *, county: Unit, by: User) -> Programme:
    """Put a programme on record; without a code it gets one from its name. Raises ValidationError as `check`."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    programme.recorded_by = by
    try:
        with transaction.atomic():
            _lock()
            programme.code = programme.code.strip() or propose_code(programme.name)
            check(programme)
            programme.save(force_insert=True)
            audit.record(
                "programme.create",
                programme,
                by=by,
                unit=county,
                programme=programme.code,
                new="；".join(told_of(programme, field) for field in FIELDS),
                basis=programme.basis,
            )
    except IntegrityError:
        raise ValidationError("刚刚有人登记了同名或同代码的项目，请刷新页面。") from None
    return programme


def _lock() -> None:
    """One at a time, also beside a policy pack that is being taken over."""
    list(Unit.objects.select_for_update().filter(level=Unit.Level.COUNTY).order_by("pk"))


# --- changing --------------------------------------------------------------------------------------


def changed_fields(held: Programme, new: Programme) -> list[str]:
    """The fields in which the two differ."""
    return [field for field in FIELDS if getattr(held, field) != getattr(new, field)]


def decides(held: Programme, new: Programme) -> bool:
    """Whether the change could make an amount another."""
    return replace(frame_of(new), name="") != replace(frame_of(held), name="")


def check_change(held: Programme, new: Programme, county: Unit) -> ProgrammeRules:
    """The rules as they would be. Raises ValidationError, by field, with what stands against it and what to do."""
    check(new)
    changed = changed_fields(held, new)
    if not changed:
        raise ValidationError("没有改动任何内容，不用保存。")
    wrong: dict[str, list[str]] = defaultdict(list)
    if "unit" in changed and (words := _why_not_unit(held)):
        wrong["unit"].append(words)
    if "pro_rata" in changed and (words := _why_not_by_time(held, new)):
        wrong["pro_rata"].append(words)
    if gone := [stage for stage in held.stages if stage not in new.stages]:
        wrong["stages"] += _why_not_without(held, gone)
    if gone := [tier for tier in held.tiers if tier not in new.tiers]:
        wrong["tiers"] += _why_not_without_tiers(held, gone)
    paying = [field for field in ("form", "funding", "channels", "paid") if field in changed]
    if paying and (words := _why_not_paid_otherwise(held)):
        wrong[paying[0]].append(words)
    before = rules_of(held)
    after = replace(frame_of(new), standards=before.standards, grounds=before.grounds)
    for field in ("recipients", "highest_wins"):
        if field in changed and (words := _why_clashing(after)):
            wrong[field].append(words)
            break
    wrong = {field: words for field, words in wrong.items() if words}
    if wrong:
        raise ValidationError(wrong)
    if decides(held, new) and (kept := what_if.rewritten(held, after, county)):
        raise ValidationError(_rewriting_words(kept))
    return after


def _why_not_unit(held: Programme) -> str:
    count = held.standards.count()
    if not count:
        return ""
    return (
        f"已有 {count} 条标准按{UNITS[held.unit]}计算，改了计算单位，这些金额的意思就变了。"
        "请新增一个项目登记新的标准，再停用这个项目。"
    )


def _why_not_by_time(held: Programme, new: Programme) -> str:
    """Why the programme may not begin, or cease, to pay for time in school."""
    if new.pro_rata:
        filed = Application.objects.filter(programme=held, state__in=what_if.SUBMITTED).count()
        if not filed:
            return ""
        return (
            f"已有 {filed} 份申请是按全学期计算的，没有记下实际在校时间，不能改为按实际在校时间计算。"
            "请新增一个项目登记新的标准，再停用这个项目。"
        )
    now = terms.current()
    running = changes.rule_of(held, now) if now else None
    rules = held.change_rules.filter(first_term__gte=running.first_term if running and running.pk else "")
    by_time = ChangeRule.OnLeaving.PRO_RATA
    if rules.filter(Q(on_leaving=by_time) | Q(on_suspension=by_time)).exists():
        return (
            "已登记离校或休学的学生按实际在校时间计算，停止按实际在校时间计算以后，这样的规定没法执行。"
            "请先在“异动规定”中登记新的规定。"
        )
    return ""


def _why_not_without(held: Programme, gone: list[str]) -> list[str]:
    """Why these stages may not be taken away."""
    named = "、".join(Stage(stage).label for stage in gone)
    said = []
    naming = [row for row in held.standards.all() if set(row.conditions.get("stage", ())) & set(gone)]
    if naming:
        said.append(
            f"有 {len(naming)} 条标准写明给{named}学生（包括已截止的）。不再资助{named}学生的，"
            "请给这些标准登记截止学期，学段不用取消。"
        )
    filed = Application.objects.filter(programme=held, enrolment__stage__in=gone).exclude(state__in=ENDED_WITHOUT_AID)
    if count := filed.count():
        said.append(
            f"已有 {count} 份{named}学生的申请。不再资助{named}学生的，请给标准登记截止学期，以前的申请仍然有效。"
        )
    for round_ in held.rounds.filter(closes_on__gte=clock.today()).select_related("term", "unit"):
        said.append(
            f"{round_.term}（{round_.unit}）的批次填报到{cn_date(round_.closes_on)}截止，"
            "请等填报截止，或先撤销批次，再取消学段。"
        )
    return said


def _why_not_without_tiers(held: Programme, gone: list[str]) -> list[str]:
    """Why these tiers may not be taken away or renamed."""
    said = []
    filed = Application.objects.filter(programme=held, tier__in=gone).exclude(state__in=ENDED_WITHOUT_AID)
    used = dict(filed.order_by().values_list("tier").annotate(n=Count("*")))
    rows = list(held.standards.all())
    for tier in gone:
        count = sum(tier in row.conditions.get("tier", ()) for row in rows)
        if count or used.get(tier):
            on_it = [f"{count} 条标准" if count else "", f"{used[tier]} 份申请" if used.get(tier) else ""]
            said.append(
                f"等级“{tier}”已用于{'、'.join(filter(None, on_it))}，不能删去或改名；可以增加等级、调整先后。"
                "要停用这一等级，请给它的标准登记截止学期。"
            )
    return said


def _why_not_paid_otherwise(held: Programme) -> str:
    waiting = Application.objects.filter(programme=held, state__in=_UNPAID).count()
    if not waiting:
        return ""
    return f"有 {waiting} 份申请已经审批、还没有发放完，资助形式、资金来源、渠道和发放方式不能改。请发放完再改。"


def _why_clashing(after: ProgrammeRules) -> str:
    for one, other, child in rule_checks.clashes(after):
        return (
            f"这样改以后，“{one.document}”的标准（{one.amount:.2f} 元）和“{other.document}”的标准"
            f"（{other.amount:.2f} 元）会同时适用于同一名学生，例如{rule_checks.words_of(child, category_names())}。"
            "请先把两条标准的条件分开，或先登记其中一条的截止学期。"
        )
    return ""


def _rewriting_words(kept: list[what_if.Kept]) -> str:
    counted = "、".join(f"{each.term} {each.count} 份（差额 {each.signed} 元）" for each in kept[:3])
    more = f"等 {len(kept)} 个学期" if len(kept) > 3 else ""
    return (
        f"项目规定没有执行学期，这样改会连以前一起改变：已提交的申请有{counted}{more}会与规定不符。"
        "请用有执行学期的标准和资助范围来改；规定本身变了的，请新增一个项目，把这个项目的标准登记截止。"
    )


def effect_of(held: Programme, new: Programme, county: Unit) -> Effect:
    """What the change would do from the running term on. Raises ValidationError as `check_change`."""
    after = check_change(held, new, county)
    now = terms.current()
    return what_if.effect(held, after, county, first=now.key if now else OPEN, last=OPEN)


def change(new: Programme, *, began_from: str, document: str, county: Unit, by: User) -> Programme:
    """Keep the programme as it is said to be now; `began_from` is `state_of` what the person began to change.

    Raises ValidationError as `check_change`, without a document, and when somebody else changed it meanwhile.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    if not document.strip():
        raise ValidationError({"document": "没有写明依据，请填写文件名称和文号。"})
    try:
        with transaction.atomic():
            _lock()
            held = Programme.objects.select_for_update().get(pk=new.pk)
            if state_of(held) != began_from:
                raise ValidationError("这个项目刚刚被别人修改过，没有保存。请重新打开页面，核对以后再改。")
            check_change(held, new, county)
            changed = changed_fields(held, new)
            was = "；".join(told_of(held, field) for field in changed)
            for field in changed:
                setattr(held, field, getattr(new, field))
            held.full_clean(exclude=["recorded_by"])  # nobody, of a programme that was shipped
            held.save(update_fields=changed)
            audit.record(
                "programme.change",
                held,
                by=by,
                unit=county,
                programme=held.code,
                was=was,
                new="；".join(told_of(held, field) for field in changed),
                basis=document.strip(),
            )
    except IntegrityError:
        raise ValidationError({"name": "刚刚有人登记了同名的项目，请刷新页面。"}) from None
    return held


# --- switching off and on --------------------------------------------------------------------------


@dataclass(frozen=True)
class Unfinished:
    """A round of a programme that is not at its end."""

    round: Round
    filing: bool  # teachers may still file
    open_cases: int
    unpaid: int
    unpaid_total: Decimal

    @property
    def sentence(self) -> str:
        """2026年秋季学期（云岭县）：填报到11月11日截止；还有 5 份申请没有办完，其中 2 份待发放，共 1,500.00 元."""
        said = [f"填报到{cn_date(self.round.closes_on)}截止"] if self.filing else []
        if self.open_cases:
            waiting = f"，其中 {self.unpaid} 份待发放，共 {self.unpaid_total:,.2f} 元" if self.unpaid else ""
            said.append(f"还有 {self.open_cases} 份申请没有办完{waiting}")
        return f"{self.round.term}（{self.round.unit}）：{'；'.join(said)}。"


def unfinished(programme: Programme) -> list[Unfinished]:
    """The programme's rounds in which somebody may still file, or has something to do."""
    is_open = ~Q(applications__state__in=_ENDED) & Q(applications__isnull=False)
    is_unpaid = Q(applications__state__in=_UNPAID)
    rows = programme.rounds.select_related("term", "unit").annotate(
        open_cases=Count("applications", filter=is_open),
        unpaid=Count("applications", filter=is_unpaid),
        unpaid_total=Sum("applications__amount", filter=is_unpaid),
    )
    today = clock.today()
    return [
        Unfinished(row, row.closes_on >= today, row.open_cases, row.unpaid, row.unpaid_total or _NOTHING)
        for row in rows.order_by("term__key", "unit__path")
        if row.closes_on >= today or row.open_cases
    ]


def seen_of(rows: list[Unfinished]) -> str:
    """SHA-256 over what is not finished, "" where all is: what a person was shown is what is decided on."""
    return hashlib.sha256("\n".join(each.sentence for each in rows).encode()).hexdigest() if rows else ""


def switch_off(programme: Programme, *, reason: str, seen: str, county: Unit, by: User) -> Programme:
    """No new rounds; those that were opened go on to their end.

    `seen` is `seen_of` what the person was shown. Raises ValidationError without a reason, when it is off already,
    and when more is unfinished than was seen.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        held = _to_switch(programme, reason, is_active=False)
        if seen_of(unfinished(held)) != seen:
            raise ValidationError("没有办完的批次刚刚有变化，没有停用。请核对下面的情况，再停用。")
        held.is_active = False
        held.save(update_fields=["is_active"])
        audit.record(
            "programme.switch_off",
            held,
            by=by,
            unit=county,
            programme=held.code,
            note=reason.strip(),
            under_way=len(unfinished(held)),
        )
    return held


def switch_on(programme: Programme, *, reason: str, county: Unit, by: User) -> Programme:
    """Rounds may be opened again. Raises ValidationError without a reason, and when it is on already."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        held = _to_switch(programme, reason, is_active=True)
        held.is_active = True
        held.save(update_fields=["is_active"])
        audit.record("programme.switch_on", held, by=by, unit=county, programme=held.code, note=reason.strip())
    return held


def _to_switch(programme: Programme, reason: str, *, is_active: bool) -> Programme:
    if not reason.strip():
        raise ValidationError({"reason": "请写明原因和依据。"})
    held = Programme.objects.select_for_update().get(pk=programme.pk)
    if held.is_active == is_active:
        raise ValidationError(f"“{held}”已经{'启用' if is_active else '停用'}，请刷新页面。")
    return held
