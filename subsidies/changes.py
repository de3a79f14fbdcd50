"""异动: what a change in a pupil's schooling does to applications and payments, shown first and then recorded.

`plan` reads and writes nothing; `record` locks, plans again, refuses when the answer differs from what was shown,
and writes register, effects and steps in one transaction. Every state moves through `workflow.advance`.

What is law and what is ours. That nothing is paid to somebody who has left, and that a locked list is not edited
but followed by an opposite or additional payment, is the rule everywhere. That a case not yet reported is judged
anew by the class and school that will answer for it, that a reported one stays as decided for the term, and that
the boarding status counts as frozen on the day of submitting, is design; so is ending as the default when a
pupil leaves (`ChangeRule`, dated per programme, lets a county pay the term in full or let a case wait).
"""

import datetime as dt
import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import access, audit, clock, scopes
from accounts.models import Unit, User
from accounts.redaction import refuse_numbers
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from students import changes as register
from students import terms
from students.changes import Request
from students.models import Boarding, Enrolment, Schooling, StatusChange, Term

from . import attendance, programmes, workflow
from .applications import facts_for_rules
from .attendance import Attended
from .entitlement import Entitlement, entitlement
from .models import Application, ChangeEffect, ChangeRule, FollowUp, PaymentLine, Programme, Reckoning
from .policy_words import PERIODS
from .states import ENDED_WITHOUT_AID, State, Step, transition

Kind = StatusChange.Kind
Outcome = ChangeEffect.Outcome
S = State

UNSUBMITTED = (S.DRAFT, S.RETURNED)
WITH_CLASS = (S.SUBMITTED, S.CLASS_PASSED, S.ON_CLASS_NOTICE, S.CLASS_HELD, S.CLASS_REVIEWED)
WITH_SCHOOL = (*WITH_CLASS, S.SCHOOL_REVIEWED, S.CONFIRMED, S.ON_NOTICE, S.HELD, S.CLEARED)
WITH_COUNTY = (S.REPORTED, S.VERIFIED, S.APPROVED)
LISTED = (S.IN_BATCH, S.PAID)
DECIDED = (*WITH_COUNTY, *LISTED)  # the school has decided for the term

# What the payment desk may answer; and after which answers the difference was made, or is sure to be.
DESK_RESULTS = tuple(result for result in FollowUp.Result if result != FollowUp.Result.REPLACED)
_MADE = (
    FollowUp.Result.NOT_PAID,
    FollowUp.Result.RECOVERED,
    FollowUp.Result.PAID_DIFFERENCE,
    FollowUp.Result.NEXT_TERM,
)

_NOTHING = Decimal("0.00")
COMES_BACK = "；退回班主任核对后重新提交。"
_GOES_ON = "转出学校已上报县中心，本学期由县中心继续办理，不用再填报。"

_STEPS = {
    Outcome.WAITS: Step.MOVE_OUT,
    Outcome.RETURNS: Step.RETURN_FOR_CHANGE,
    Outcome.ENDS: Step.LEAVE,
}


class EffectsChanged(ValidationError):
    """What would happen is no longer what the page showed."""


@dataclass(frozen=True)
class Effect:
    """What one change does to one application. `difference` in 元: to pay (+) or to take back (−) by the desk.

    It is against all that was made before; `replaces` are earlier differences still open, which it takes in.
    """

    application: Application
    outcome: Outcome
    sentence: str
    difference: Decimal | None = None
    replaces: tuple[FollowUp, ...] = ()

    @property
    def for_desk(self) -> bool:
        return self.outcome == Outcome.DESK


@dataclass(frozen=True)
class Plan:
    """A change and all it would do, as it stands now. `digest` is over everything that was shown."""

    request: Request
    place: Enrolment | None
    effects: list[Effect]
    digest: str


@dataclass(frozen=True)
class Case:
    """One application with what the rules ask about it."""

    application: Application
    line: PaymentLine | None  # how it is paid, once it is in a batch
    attended: Attended | None  # how much of the term counts once the change is recorded; None: not paid pro rata
    differences: tuple[FollowUp, ...]  # what earlier changes made of the listed amount: made, or still open
    on_leaving: str
    on_suspension: str

    @property
    def state(self) -> str:
        return self.application.state

    @property
    def made(self) -> Decimal:
        """元 paid or to be paid, the differences the desk has dealt with counted in."""
        listed = self.line.amount if self.line else self.application.amount_due
        return listed + sum((each.effect.difference or 0 for each in self.differences if each.settled_at), Decimal())

    @property
    def open(self) -> tuple[FollowUp, ...]:
        return tuple(each for each in self.differences if not each.settled_at)

    @property
    def paid_before(self) -> dt.date | None:
        return self.line.sheet.paid_on if self.line else None


# --- showing -------------------------------------------------------------------------------------------


def plan(request: Request, *, by: User) -> Plan:
    """What recording this would do now. Raises as `record` where it cannot be recorded at all."""
    place = None if request.kind == Kind.TRANSFER_IN else register.place_of(request.pupil)
    register.check(request, place, by=by)
    return _plan(request, place, _standing(request).all(), by=by)


def _standing(request: Request) -> QuerySet[Application]:
    """The pupil's applications of the term that have not ended without aid, wherever they were filed.

    For who is taken in also what has been on its way since an earlier term.
    """
    which = Q(term=terms.current())
    if request.kind == Kind.TRANSFER_IN:
        which |= Q(state=S.MOVING)
    rows = Application.objects.filter(which, pupil=request.pupil).exclude(state__in=ENDED_WITHOUT_AID)
    related = ("round__programme", "round__term", "round__unit", "school", "school_class", "standard", "enrolment")
    return rows.select_related(*related).order_by("pk")


def pupils_with_cases(term: Term, pupils: Collection[UUID]) -> set[UUID]:
    """Those of the pupils for whom a change in the term has an effect to be looked at first; see students.cases.

    Also those whose case has been waiting since an earlier term for the school that takes them in.
    """
    rows = Application.objects.filter(Q(term=term) | Q(state=S.MOVING), pupil__in=pupils)
    return set(rows.exclude(state__in=ENDED_WITHOUT_AID).order_by().values_list("pupil_id", flat=True))


def _plan(request: Request, place: Enrolment | None, rows: Iterable[Application], *, by: User) -> Plan:
    effects = [_effect(request, place, case) for case in cases_of(rows, upon=request)]
    effects.sort(key=lambda effect: (effect.application.programme_id, str(effect.application.pk)))
    _refuse_beyond_class(effects, request, place, by)
    return Plan(request, place, effects, _digest(request, place, effects))


def _refuse_beyond_class(effects: list[Effect], request: Request, place: Enrolment | None, by: User) -> None:
    # The class teacher may take back what is still with the class, not what the school or the county decided.
    for effect in effects:
        row = transition(_STEPS[effect.outcome], effect.application.state) if effect.outcome in _STEPS else None
        if place is not None and row and not scopes.allows(by, row.permission, place.school_class):
            raise PermissionDenied(
                f"{effect.application.programme}的申请已到“{effect.application.get_state_display()}”，"
                f"{request.kind.label}会把它退回，请由资助专干登记。"
            )


def cases_of(rows: Iterable[Application], *, upon: Request | None = None) -> list[Case]:
    """The applications with what the rules of a change ask about them; `upon`: the change about to be recorded."""
    rows = list(rows)
    lines = {
        line.application_id: line
        for line in PaymentLine.objects.filter(application__in=rows, reverses__isnull=True).select_related(
            "sheet__batch"
        )
    }
    differences: dict[UUID, list[FollowUp]] = defaultdict(list)
    asked = FollowUp.objects.filter(effect__application__in=rows, effect__difference__isnull=False)
    asked = asked.filter(Q(settled_at__isnull=True) | Q(result__in=_MADE)).select_related("effect__change")
    reckoned = dict(Reckoning.objects.filter(application__in=rows).order_by("pk").values_list("application_id", "at"))
    for each in asked.order_by("effect__at", "pk"):
        key = each.effect.application_id
        # What went before the amount was reckoned anew is part of that amount.
        if key not in reckoned or each.effect.at >= reckoned[key]:
            differences[key].append(each)
    rules = {row.programme_id: rule_of(row.round.programme, row.round.term) for row in rows}
    counted = _attended(rows, upon)
    return [
        Case(
            row,
            lines.get(row.pk),
            counted.get(row.pk),
            tuple(differences[row.pk]),
            rules[row.programme_id].on_leaving,
            rules[row.programme_id].on_suspension,
        )
        for row in rows
    ]


def _attended(rows: list[Application], upon: Request | None) -> dict[UUID, Attended]:
    by_programme: dict[tuple[int, int], list[Application]] = defaultdict(list)
    for row in rows:
        by_programme[row.programme_id, row.term_id].append(row)
    found: dict[UUID, Attended] = {}
    for some in by_programme.values():
        round_ = some[0].round
        counted = attendance.attended(round_.programme, round_.term, [row.pupil_id for row in some], upon=upon)
        found |= {row.pk: counted[row.pupil_id] for row in some if row.pupil_id in counted}
    return found


def _digest(request: Request, place: Enrolment | None, effects: list[Effect]) -> str:
    here = [place.pk, place.standing, place.boarding, place.schooling, place.school_class_id] if place else []
    asked = [
        request.kind, request.on, request.reason, request.boarding, request.to_place,
        request.schooling, request.registration, request.region,
        request.school_class.pk if request.school_class else "", request.to_school.pk if request.to_school else "",
    ]  # fmt: skip
    told = [[e.application.pk, e.application.state, e.outcome, e.sentence, e.difference] for e in effects]
    text = json.dumps([request.pupil.pk, here, asked, told], default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


# --- the rules: one function a kind, each in the order of the road ----------------------------------------


def _effect(request: Request, place: Enrolment | None, case: Case) -> Effect:
    match request.kind:
        case Kind.TRANSFER_IN:
            return _arrives(request, case)
        case Kind.TRANSFER_OUT if request.to_school is not None:
            return _goes_to_school(request, case)
        case Kind.TRANSFER_OUT | Kind.WITHDRAW | Kind.DECEASE:
            return _leaves(request, case)
        case Kind.GRADUATE:
            return _graduates(case)
        case Kind.SUSPEND:
            return _suspended(request, case)
        case Kind.CHANGE_CLASS:
            return _changes_class(request, case)
        case Kind.BOARDING:
            told, facts = Boarding(request.boarding).label, {"boarding": request.boarding, "boarding_since": None}
            return with_facts(case, told, **facts)
        case Kind.SCHOOLING:
            return with_facts(case, Schooling(request.schooling).label, schooling=request.schooling)
        case Kind.HOUSEHOLD:
            return with_facts(case, "新的户口信息", registration=request.registration, region=request.region)
    assert request.kind == Kind.RETURN
    assert place is not None
    return _comes_back(request, place, case)


def _comes_back(request: Request, place: Enrolment, case: Case) -> Effect:
    application, target = case.application, request.school_class
    if application.state in UNSUBMITTED and target and target.unit.pk != application.school_class_id:
        return Effect(application, Outcome.MOVES, f"转到{target.unit}，由班主任核对后提交。")
    if application.state in UNSUBMITTED:
        return Effect(application, Outcome.STAYS, "复学后由班主任核对后提交。")
    was_stopped = any(each.effect.change.kind == Kind.SUSPEND for each in case.differences)
    by_attendance = case.on_suspension == ChangeRule.OnSuspension.PRO_RATA and application.state in DECIDED
    if by_attendance or (application.state in LISTED and was_stopped):
        due = _entitled_with(case, boarding=place.boarding, boarding_since=None).amount or _NOTHING
        why = f"复学后按{_actually(case)}" if by_attendance else "复学后"
        return _makes_due(case, due, why, stays="照常办理。")
    return Effect(application, Outcome.STAYS, "照常办理。")


def _fits(application: Application, school: Unit, stages: Iterable[str]) -> bool:
    """Whether the case can go on at the school: its round reaches there, its programme pays for a stage there."""
    return application.round.unit.contains(school) and bool(set(stages) & set(application.round.programme.stages))


def _goes_to_school(request: Request, case: Case) -> Effect:
    application, there = case.application, request.to_school
    assert there is not None
    stages = [request.school_class.stage] if request.school_class else there.school.stages
    if application.state in (*UNSUBMITTED, *WITH_SCHOOL):
        if not _fits(application, there, stages):
            return Effect(application, Outcome.ENDS, f"{there}不办理这个批次，申请终止；符合条件的由新学校另行填报。")
        if request.school_class:
            sentence = f"随学生转到{there}{request.school_class.unit}，退回补正，由新班级、新学校重新评议、评审、公示。"
            return Effect(application, Outcome.MOVES, sentence)
        return Effect(application, Outcome.WAITS, f"从本校名单中取下，等{there}接收学生后在新班级重新评议。")
    if application.state in WITH_COUNTY:
        sentence = f"{application.school}已上报，本学期按原学校办理，款发到登记的收款账户。"
        return Effect(application, Outcome.STAYS, sentence)
    if application.state == S.IN_BATCH:
        sentence = f"{_in_batch(case)}，不变；请通知家长到{application.school}签字领款。"
        return Effect(application, Outcome.DESK, sentence)
    return Effect(application, Outcome.STAYS, "本学期已发放，不变。")


def _arrives(request: Request, case: Case) -> Effect:
    # The new school reads these before it takes the pupil in: nothing in them tells where the pupil came from. A case
    # that came along does, afterwards: its history cannot be told without those who decided on it.
    application, target = case.application, request.school_class
    assert target is not None
    assert target.unit.parent is not None
    if application.state in DECIDED and case.on_leaving == ChangeRule.OnLeaving.PRO_RATA:
        due = _entitled_with(case).amount or _NOTHING
        return _makes_due(case, due, f"按{_actually(case)}", stays=_GOES_ON)
    if application.state not in (*UNSUBMITTED, S.MOVING):
        return Effect(application, Outcome.STAYS, _GOES_ON)
    term = terms.current()
    if term is None or application.term_id != term.pk:
        return Effect(application, Outcome.ENDS, "上学期随转的申请没有学校接收，终止；本学期符合条件的另行填报。")
    if not _fits(application, target.unit.parent, [target.stage]):
        return Effect(application, Outcome.ENDS, "本校不办理这个批次，随转的申请终止；符合条件的另行填报。")
    return Effect(application, Outcome.MOVES, f"转到{target.unit}，退回补正，由班主任核对后提交本班评议。")


def _leaves(request: Request, case: Case) -> Effect:
    application, in_full = case.application, case.on_leaving == ChangeRule.OnLeaving.PAY_IN_FULL
    if application.state in (*UNSUBMITTED, *WITH_SCHOOL):
        return Effect(application, Outcome.ENDS, f"学生{_gone(request)}，申请终止。")
    if in_full:
        return Effect(application, Outcome.STAYS, "按县的规定，已上报县中心的照发全学期。")
    if case.on_leaving == ChangeRule.OnLeaving.PRO_RATA:
        return _for_time_there(case, f"学生{_gone(request)}，本学期没有实际在校，申请终止。")
    if application.state in WITH_COUNTY:
        return Effect(application, Outcome.ENDS, f"学生{_gone(request)}，还没有列入发放批次，申请终止，不再发放。")
    return _already_listed(request, case)


def _gone(request: Request) -> str:
    return {Kind.TRANSFER_OUT: "转出本县", Kind.DECEASE: "去世"}.get(request.kind, request.kind.label)


def _graduates(case: Case) -> Effect:
    application = case.application
    if application.state in (*UNSUBMITTED, *WITH_SCHOOL):
        return Effect(application, Outcome.ENDS, "学生毕业，还没有上报县中心，申请终止。")
    return Effect(application, Outcome.STAYS, "已上报县中心，毕业生照发本学期。")


def _suspended(request: Request, case: Case) -> Effect:
    application, waits = case.application, case.on_suspension != ChangeRule.OnSuspension.END
    if case.on_suspension == ChangeRule.OnSuspension.PRO_RATA and application.state in DECIDED:
        return _for_time_there(case, "学生休学，本学期没有实际在校，申请终止。")
    if application.state in (*UNSUBMITTED, *WITH_SCHOOL, *WITH_COUNTY):
        if not waits:
            return Effect(application, Outcome.ENDS, "学生休学，申请终止；复学后可以重新填报。")
        if application.state in UNSUBMITTED:
            return Effect(application, Outcome.STAYS, "休学期间不能提交，复学后可以继续办理。")
        return Effect(application, Outcome.RETURNS, "学生休学，退回班主任；复学后可以重新提交。")
    return _already_listed(request, case)


def _already_listed(request: Request, case: Case) -> Effect:
    """In a batch or paid: the list is never edited. Money that reached a pupil who was still here is theirs."""
    application, paid_on = case.application, case.paid_before
    if application.state == S.PAID and paid_on is not None and paid_on < request.on:
        return Effect(application, Outcome.STAYS, f"{cn_date(paid_on)}已到账，在{_gone(request)}之前，不变。")
    if application.state == S.PAID:
        asked = f"{cn_date(paid_on)}已发放 {case.made:.2f} 元，在{_gone(request)}之后，请发放环节核实收回。"
    else:
        asked = f"{_in_batch(case)}，名单不能改动，请发放环节停发或收回。"
    return _for_desk(case, -case.made, asked, stays="款项已经停发或收回，不变。")


def _changes_class(request: Request, case: Case) -> Effect:
    application, target = case.application, request.school_class
    assert target is not None
    if application.state in (*UNSUBMITTED, *WITH_CLASS):
        if target.stage not in application.round.programme.stages:
            return Effect(application, Outcome.ENDS, f"{target.unit}的学段不在这个项目范围内，申请终止。")
        if application.state in UNSUBMITTED:
            return Effect(application, Outcome.MOVES, f"转到{target.unit}，由新班主任核对后提交。")
        return Effect(application, Outcome.MOVES, f"转到{target.unit}，退回补正，由新班级重新评议。")
    if application.state in WITH_SCHOOL:
        return Effect(application, Outcome.STAYS, "已经过学校评审，按评审时的班级继续办理。")
    return Effect(application, Outcome.STAYS, "已上报县中心，按上报时的班级办理。")


def with_facts(case: Case, told: str, **facts: object) -> Effect:
    """What other facts than those frozen with the case do to it. `told`: what the case is then reckoned by."""
    application = case.application
    if application.state in UNSUBMITTED:
        return Effect(application, Outcome.STAYS, f"还没有提交；提交时按{told}计算金额。")
    if application.state == S.MOVING:
        return Effect(application, Outcome.STAYS, "正在等新学校接收，由新班级按那时的情况重新提交。")
    found = _entitled_with(case, **facts)
    new, old = found.amount or _NOTHING, application.amount_due
    if application.state in LISTED:
        return _makes_due(case, new, f"按{told}", stays=f"金额不变，仍为 {new:.2f} 元。")
    if new == old:
        return Effect(application, Outcome.STAYS, f"金额不变，仍为 {old:.2f} 元。")
    amount = f"金额将由 {old:.2f} 元变为 {new:.2f} 元" if new else f"按{told}不再符合条件：{found.sentence}"
    return Effect(application, Outcome.RETURNS, f"{amount[:220]}{COMES_BACK}")


def _for_time_there(case: Case, sentence: str) -> Effect:
    """Reported or listed, of a programme that pays for time in school: what was there is paid, the rest is not."""
    due = _entitled_with(case).amount or _NOTHING
    if not due and case.state in WITH_COUNTY:
        return Effect(case.application, Outcome.ENDS, sentence)
    return _makes_due(case, due, f"按{_actually(case)}", stays=f"按{_actually(case)}，金额不变，仍为 {due:.2f} 元。")


def _actually(case: Case) -> str:
    """实际在校4个月."""
    if case.attended is None or case.attended.count is None:
        return "全学期在校"
    unit = PERIODS[case.application.round.programme.unit]
    return f"实际在校{case.attended.count.normalize():f}{unit}"


def _makes_due(case: Case, due: Decimal, why: str, *, stays: str) -> Effect:
    """Another amount is due than was listed."""
    difference = due - case.made
    word = "补发" if difference > 0 else "扣减"
    if case.state in WITH_COUNTY:
        listed = f"已上报县中心，上报 {case.application.amount_due:.2f} 元"
    else:
        listed = _in_batch(case) if case.state == S.IN_BATCH else f"已发放 {case.made:.2f} 元"
    asked = f"{listed}，名单不改；{why}应为 {due:.2f} 元，差额 {abs(difference):.2f} 元，请发放环节{word}。"
    return _for_desk(case, difference, asked, stays=stays)


def _for_desk(case: Case, difference: Decimal, asked: str, *, stays: str) -> Effect:
    """One open difference a listed case: what an earlier change left open is part of the new one, or falls away."""
    earlier = sum((each.effect.difference or 0 for each in case.open), Decimal())
    before = f"前面异动的差额 {earlier:+.2f} 元还没有处理，" if case.open else ""
    if difference:
        sentence = asked + (f"{before}由这一项代替。" if before else "")
        return Effect(case.application, Outcome.DESK, sentence, difference, case.open)
    sentence = stays + (f"{before}不用再办。" if before else "")
    return Effect(case.application, Outcome.STAYS, sentence, replaces=case.open)


def _entitled_with(case: Case, **other: Any) -> Entitlement:
    """What the facts frozen at submitting would give with these others in their place, in the case's term.

    Where time in school is paid for, with the time there is after the change.
    """
    application = case.application
    facts = replace(facts_for_rules(application.facts, application.tier), **other)
    if case.attended is not None:
        facts = replace(facts, attended=case.attended.count, presence=case.attended.words)
    term, day = application.round.term, dt.date.fromisoformat(application.facts["on"])
    rules = programmes.rules_of(application.round.programme)
    return entitlement(facts, rules, term=term.key, term_name=term.name, on=day)


def _in_batch(case: Case) -> str:
    assert case.line is not None
    since = f"，处理差额后为 {case.made:.2f} 元" if case.made != case.line.amount else ""
    return f"已列入发放批次 {case.line.sheet.batch.number}（{case.line.amount:.2f} 元{since}）"


# --- recording -----------------------------------------------------------------------------------------


def record(request: Request, *, by: User, seen: str) -> list[StatusChange]:
    """Record the change and do to the applications what was shown. `seen` is the digest of the plan shown.

    Returns the changes written: one, or out and in when the county does both. Raises EffectsChanged when somebody
    acted meanwhile, ValidationError or PermissionDenied when it cannot be recorded.
    """
    with transaction.atomic():
        place = register.lock(request)
        register.check(request, place, by=by)
        workflow.lock(_standing(request).values_list("pk", flat=True))
        # What the desk may be settling just now; like all rows before the trail, which the register writes first.
        waiting = FollowUp.objects.filter(
            effect__application__in=_standing(request).values("pk"), settled_at__isnull=True
        )
        list(waiting.select_for_update(of=("self",)).order_by("pk"))
        found = _plan(request, place, _standing(request), by=by)
        if found.digest != seen:
            raise EffectsChanged("学生的在读情况或申请刚刚有变化，没有登记。请核对下面新的影响，再点登记。")
        written = register.write(request, place, by=by)
        _apply(found, written, by=by)
    return written


def _apply(found: Plan, written: list[StatusChange], *, by: User) -> None:
    out_and_in = len(written) == 2
    for effect in found.effects:
        application, outcome = effect.application, effect.outcome
        if outcome == Outcome.MOVES and out_and_in:
            _bring_along(application, written[0].enrolment)
            note_effect(written[0], replace(effect, outcome=Outcome.WAITS, sentence="随学生转出。"), by=by)
            workflow.advance(application, Step.MOVE_OUT, by=by, note=remark(written[0], "随学生转出"))
        change = written[-1] if outcome == Outcome.MOVES else written[0]
        note_effect(change, effect, by=by)
        step = _move(change) if outcome == Outcome.MOVES else _STEPS.get(outcome)
        if step is not None:
            _bring_along(application, change.enrolment)
            workflow.advance(application, step, by=by, note=remark(change, effect.sentence))


def _move(change: StatusChange) -> Step:
    return Step.MOVE_IN if change.kind == Kind.TRANSFER_IN else Step.MOVE_CLASS


def remark(change: StatusChange, sentence: str) -> str:
    """What stands beside the step the application takes."""
    return f"{change.on:%Y-%m-%d} {change.get_kind_display()}：{sentence}"


def note_effect(change: StatusChange, effect: Effect, *, by: User) -> ChangeEffect:
    """Write down what the change does to the application; with a difference, leave it to the payment desk."""
    written = ChangeEffect.objects.create(
        change=change,
        application=effect.application,
        state=effect.application.state,
        outcome=effect.outcome,
        sentence=effect.sentence,
        difference=effect.difference,
        at=clock.now(),
        by=by,
    )
    for each in effect.replaces:
        _close(each, FollowUp.Result.REPLACED, "", by=by)
    if effect.for_desk:
        FollowUp.objects.create(effect=written)
    return written


def _bring_along(application: Application, place: Enrolment) -> None:
    """The case is where the pupil is, also one that stayed with a school the pupil has left."""
    if application.school_class_id == place.school_class_id and application.enrolment_id == place.pk:
        return
    application.enrolment, application.school, application.school_class = place, place.school, place.school_class
    application.notice_ends_on = None  # what it stood on was the other school's notice
    application.save(update_fields=["enrolment", "school", "school_class", "notice_ends_on"])


def end_waiting(change: StatusChange, *, by: User) -> int:
    """End the cases that wait for a school to take the pupil in, when none will. Returns how many ended."""
    access.require(by, Permission.RECORD_CHANGES, _county(change))
    with transaction.atomic():
        list(Enrolment.objects.select_for_update(of=("self",)).filter(pk=change.enrolment_id))
        waiting = waiting_with(change)
        rows = [row for row in workflow.lock(waiting.values_list("pk", flat=True)) if row.state == S.MOVING]
        if not rows:
            raise ValidationError("没有等待接收的申请，可能学生已被接收或已由他人办理，请刷新页面。")
        sentence = "没有学校接收，随转的申请终止。"
        for row in rows:
            note_effect(change, Effect(row, Outcome.ENDS, sentence), by=by)
            workflow.advance(row, Step.LEAVE, by=by, note=remark(change, sentence))
    return len(rows)


def waiting_with(change: StatusChange) -> QuerySet[Application]:
    """The cases on their way to another school since this transfer."""
    return Application.objects.filter(enrolment=change.enrolment, state=S.MOVING).select_related("programme")


def _county(change: StatusChange) -> Unit:
    county = change.enrolment.school.parent
    assert county is not None  # a school lies in a county
    return county


# --- what is left for the payment desk -------------------------------------------------------------------


def follow_ups(user: User) -> QuerySet[FollowUp]:
    """What changes left for the payment desk, of the schools whose batches the person may look at."""
    related = ("effect__change__pupil", "effect__application__programme", "effect__application__school", "settled_by")
    rows = FollowUp.objects.select_related(*related)
    return scopes.within(rows, user, Permission.VIEW_BATCHES, unit="effect__application__school")


def settled_and_open(application: Application) -> QuerySet[FollowUp]:
    """What changes made of what is listed of one case, in their order: the list itself is never edited, so whoever
    reads what was paid reads this beside it."""
    rows = FollowUp.objects.filter(effect__application=application).exclude(result=FollowUp.Result.REPLACED)
    return rows.select_related("effect__change", "settled_by").order_by("effect__at", "pk")


def settle(follow_up: FollowUp, *, result: str, note: str, by: User) -> None:
    """Say what the payment desk did about it. Nothing in a list is changed by this.

    Raises ValidationError when it was settled already, or the result is not one of the list.
    """
    access.require(by, Permission.RECORD_PAYMENT, follow_up.effect.application.school)
    refuse_numbers(note)
    if result not in DESK_RESULTS:
        raise ValidationError({"result": "请选择处理结果。"})
    if result == FollowUp.Result.OTHER and not note.strip():
        raise ValidationError({"note": "选择“其他”时要写明怎样处理。"})
    with transaction.atomic():
        _close(follow_up, FollowUp.Result(result), note.strip(), by=by)


def _close(follow_up: FollowUp, result: FollowUp.Result, note: str, *, by: User) -> None:
    settled = FollowUp.objects.filter(pk=follow_up.pk, settled_at__isnull=True).update(
        result=result, note=note, settled_at=clock.now(), settled_by=by
    )
    if not settled:
        raise ValidationError("这一条已由他人处理，请刷新页面。")
    school = follow_up.effect.application.school
    audit.record("change.settle_payment", follow_up, by=by, unit=school, result=result.label)


# --- the county's rules ---------------------------------------------------------------------------------

# Until the county records its own: nothing more is paid for somebody who is not there, and where time in school is paid
# for, what was there is paid.
_NO_RULE = ChangeRule(on_leaving=ChangeRule.OnLeaving.END, on_suspension=ChangeRule.OnSuspension.END)
_NO_RULE_PRO_RATA = ChangeRule(on_leaving=ChangeRule.OnLeaving.PRO_RATA, on_suspension=ChangeRule.OnSuspension.PRO_RATA)


def rule_of(programme: Programme, term: Term) -> ChangeRule:
    """The programme's rule in force in the term; an unsaved one that ends cases where none is recorded."""
    held = programme.change_rules.filter(first_term__lte=term.key).order_by("-first_term").first()
    return held or (_NO_RULE_PRO_RATA if programme.pro_rata else _NO_RULE)


def _refuse_pro_rata(rule: ChangeRule) -> None:
    for name in ("on_leaving", "on_suspension"):
        if getattr(rule, name) == ChangeRule.OnLeaving.PRO_RATA:
            raise ValidationError({name: f"{rule.programme}不按实际在校时间计算，请选另一项。"})


def set_rule(rule: ChangeRule, *, county: Unit, by: User) -> ChangeRule:
    """Record a programme's rule from a term on; a row of the same term is corrected. Past changes stay as done."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        Programme.objects.select_for_update().get(pk=rule.programme_id)
        rule.recorded_at, rule.recorded_by = clock.now(), by
        held = ChangeRule.objects.filter(programme=rule.programme, first_term=rule.first_term).first()
        if held is not None:
            held.on_leaving, held.on_suspension, held.source = rule.on_leaving, rule.on_suspension, rule.source
            rule, held.recorded_at, held.recorded_by = held, rule.recorded_at, by
        rule.full_clean()
        if not rule.programme.pro_rata:
            _refuse_pro_rata(rule)
        rule.save()
        audit.record(
            "change.rule", rule, by=by, unit=county, programme=rule.programme.code, first_term=rule.first_term,
            on_leaving=rule.get_on_leaving_display(), on_suspension=rule.get_on_suspension_display(),
        )  # fmt: skip
    return rule
