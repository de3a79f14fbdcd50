"""What a change in a pupil's schooling does to a case in every state: shown first, then exactly that is done."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse

from accounts import clock
from accounts.audit import verify_chain
from accounts.models import AuditRow
from publicity import notices, objections
from publicity.models import Objection
from students import changes as register
from students.changes import Request
from students.models import Enrolment, StatusChange
from subsidies import applications, changes, workflow
from subsidies.models import Application, ChangeEffect, ChangeRule, FollowUp, PaymentLine, ProcessRule, Programme
from subsidies.states import ENDED_WITHOUT_AID, State, Step
from tests.cast import (
    Cast,
    _class,
    _school,
    agree,
    batch,
    close,
    enrol,
    pay,
    person,
    publish,
    refreshed,
    submitted,
    teacher_of,
    walk,
)
from tests.subsidies.shortcuts import walk_on

Kind = StatusChange.Kind
S = State

# Every state a case can be in when a change finds it, but MOVING, which only follows from one.
STATES = [state for state in State if state not in (*ENDED_WITHOUT_AID, S.MOVING)]
CLASS_NOTICE = [S.CLASS_PASSED, S.ON_CLASS_NOTICE, S.CLASS_HELD]
WITH_CLASS = [S.SUBMITTED, *CLASS_NOTICE, S.CLASS_REVIEWED]
IN_SCHOOL = [*WITH_CLASS, S.SCHOOL_REVIEWED, S.CONFIRMED, S.ON_NOTICE, S.HELD, S.CLEARED]
WITH_COUNTY = [S.REPORTED, S.VERIFIED, S.APPROVED]


def case_in(cast: Cast, round_, state: State, place: Enrolment) -> Application:
    """The pupil's case in the state, by the real verbs."""
    if state == S.DRAFT:
        wish = applications.Wish(place, reason="家庭收入低")
        (row,) = applications.save_drafts(round_, place.school_class, [wish], by=teacher_of(cast, place.school_class))
        return refreshed([row])[0]
    (row,) = submitted(cast, round_, place)
    if state == S.SUBMITTED:
        return row
    if state == S.RETURNED:
        (row,) = walk_on(cast, [row], S.REPORTED)
        workflow.advance(row, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="材料不全")
    elif state in CLASS_NOTICE:
        on_class_notice(cast, row, state)
    elif state in (S.ON_NOTICE, S.HELD):
        walk(cast, [row], S.CONFIRMED)
        notice = publish(cast, refreshed([row]))
        if state == S.HELD:
            objections.receive(
                notice.lines.get(), received_on=clock.today(), channel="来电", content="反映不符", by=cast.officer_a
            )
    elif state in (S.CLEARED, *WITH_COUNTY):
        walk_on(cast, [row], state)
    elif state in (S.IN_BATCH, S.PAID):
        (row,) = walk_on(cast, [row], S.APPROVED)
        batch(cast, round_)
        if state == S.PAID:
            pay(cast, refreshed([row]))
    else:
        walk(cast, [row], state)
    (row,) = refreshed([row])
    assert row.state == state
    return row


def on_class_notice(cast: Cast, row: Application, state: State) -> None:
    """Through the class's meeting, and as far as its own notice has come, in a county that wants one."""
    ProcessRule.objects.update(class_notice_days=2)
    agree(refreshed([row]), "class", row.school_class, by=cast.grade_head_a)
    if state == S.CLASS_PASSED:
        return
    draft = notices.propose(row.round, row.school_class)
    notice = notices.publish(row.round, row.school_class, draft, by=teacher_of(cast, row.school_class))
    if state == S.CLASS_HELD:
        objections.receive(
            notice.lines.get(), received_on=clock.today(), channel="来电", content="反映不符", by=cast.officer_a
        )


def wanted(place: Enrolment, kind: Kind, **what: object) -> Request:
    reason = "家庭原因" if kind in register.NEEDS_REASON else ""
    return Request(**{"kind": kind, "pupil": place.pupil, "on": clock.today(), "reason": reason, **what})  # type: ignore[arg-type]


def record(request: Request, *, by) -> list[StatusChange]:
    """Look, then record what was seen."""
    return changes.record(request, by=by, seen=changes.plan(request, by=by).digest)


def outcome(row: Application) -> str:
    return ChangeEffect.objects.filter(application=row).latest("at").outcome


@pytest.fixture
def place(cast: Cast) -> Enrolment:
    return enrol(cast, cast.class_a1)


# --- every kind in every state ---------------------------------------------------------------------------

_STAYS, _ENDS, _DESK, _MOVES, _WAITS, _RETURNS = "stays", "ends", "desk", "moves", "waits", "returns"
UNSENT = [S.DRAFT, S.RETURNED]


def _table(**by_state: str) -> dict[State, str]:
    groups = {"unsent": UNSENT, "klass": WITH_CLASS, "school": IN_SCHOOL[len(WITH_CLASS) :], "county": WITH_COUNTY}
    found: dict[State, str] = {}
    for name, what in by_state.items():
        found |= dict.fromkeys(groups.get(name, [S(name)] if name in State.values else []), what)
    return found


EXPECTED: dict[str, dict[State, str]] = {
    "withdraw": _table(unsent=_ENDS, klass=_ENDS, school=_ENDS, county=_ENDS, in_batch=_DESK, paid=_DESK),
    "decease": _table(unsent=_ENDS, klass=_ENDS, school=_ENDS, county=_ENDS, in_batch=_DESK, paid=_DESK),
    "elsewhere": _table(unsent=_ENDS, klass=_ENDS, school=_ENDS, county=_ENDS, in_batch=_DESK, paid=_DESK),
    "graduate": _table(unsent=_ENDS, klass=_ENDS, school=_ENDS, county=_STAYS, in_batch=_STAYS, paid=_STAYS),
    "suspend": _table(unsent=_ENDS, klass=_ENDS, school=_ENDS, county=_ENDS, in_batch=_DESK, paid=_DESK),
    "change_class": _table(unsent=_MOVES, klass=_MOVES, school=_STAYS, county=_STAYS, in_batch=_STAYS, paid=_STAYS),
    "boarding": _table(unsent=_STAYS, klass=_RETURNS, school=_RETURNS, county=_RETURNS, in_batch=_DESK, paid=_DESK),
    "to_school": _table(unsent=_WAITS, klass=_WAITS, school=_WAITS, county=_STAYS, in_batch=_DESK, paid=_STAYS),
}
REACHED = {
    _ENDS: S.WITHDRAWN,
    _MOVES: S.RETURNED,
    _WAITS: S.MOVING,
    _RETURNS: S.RETURNED,
}


def second_junior(cast: Cast):
    """Another school that teaches the same stage, so that a case can go on there."""
    school = _school(cast.county, "云岭县第二初级中学", "5353990003", ["junior"])
    unit = _class(school, "七年级5班", "junior", "七年级")
    cast.people["officer_c"] = person("officer_c", "钱专干", "aid_officer", school)
    cast.people["teacher_c"] = person("teacher_c", "孙老师", "class_teacher", unit)
    return school, unit


def request_for(cast: Cast, place: Enrolment, name: str) -> Request:
    match name:
        case "elsewhere":
            return wanted(place, Kind.TRANSFER_OUT, to_place="外省务工地学校")
        case "to_school":
            return wanted(place, Kind.TRANSFER_OUT, to_school=second_junior(cast)[0])
        case "change_class":
            return wanted(place, Kind.CHANGE_CLASS, school_class=cast.class_a2.school_class)
        case "graduate":
            Enrolment.objects.filter(pk=place.pk).update(grade="九年级", class_name="九年级1班")
        case "boarding":
            return wanted(place, Kind.BOARDING, boarding="day")
    return wanted(place, Kind(name))


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", EXPECTED)
def test_each_kind_in_each_state(cast, round_, place, name: str, state: State) -> None:
    row = case_in(cast, round_, state, place)
    request = request_for(cast, place, name)
    before = PaymentLine.objects.count()

    shown = changes.plan(request, by=cast.officer_a)
    assert [(effect.application.pk, effect.outcome) for effect in shown.effects] == [(row.pk, EXPECTED[name][state])]
    assert Application.objects.get(pk=row.pk).state == state, "looking changes nothing"

    changes.record(request, by=cast.officer_a, seen=shown.digest)
    (after,) = refreshed([row])
    assert after.state == REACHED.get(EXPECTED[name][state], state)
    assert outcome(row) == EXPECTED[name][state]
    assert FollowUp.objects.filter(effect__application=row).exists() == (EXPECTED[name][state] == _DESK)
    assert PaymentLine.objects.count() == before, "a locked list is never edited"
    fresh = Enrolment.objects.get(pk=place.pk)
    assert fresh.standing == register.ENDING.get(request.kind, fresh.standing)
    assert (fresh.ends_on is None) == (request.kind not in register.ENDING)
    assert verify_chain().broken_at is None


# --- each of them once more, in words ---------------------------------------------------------------------


def test_what_is_shown_names_programme_state_and_amount(cast, round_, place) -> None:
    case_in(cast, round_, S.IN_BATCH, place)
    (effect,) = changes.plan(request_for(cast, place, "withdraw"), by=cast.officer_a).effects
    assert effect.difference == Decimal("-750.00")
    assert "已列入发放批次 FF-2026-2027-1-001（750.00 元）" in effect.sentence


def test_boarding_to_day_shows_the_exact_difference_of_a_paid_list(cast, round_, place) -> None:
    case_in(cast, round_, S.PAID, place)
    (effect,) = changes.plan(request_for(cast, place, "boarding"), by=cast.officer_a).effects
    assert effect.difference == Decimal("-375.00")
    assert "差额 375.00 元，请发放环节扣减" in effect.sentence


def test_boarding_that_leaves_no_ground_is_a_difference_of_the_whole_amount(cast, round_) -> None:
    place = enrol(cast, cast.class_a1, kinds=("martyr",))  # opens aid for boarders, not for day pupils
    case_in(cast, round_, S.IN_BATCH, place)
    (effect,) = changes.plan(request_for(cast, place, "boarding"), by=cast.officer_a).effects
    assert effect.difference == Decimal("-750.00")


def test_day_to_boarding_pays_in_addition(cast, round_) -> None:
    place = enrol(cast, cast.class_a1, boarding="day")
    case_in(cast, round_, S.IN_BATCH, place)
    (effect,) = changes.plan(wanted(place, Kind.BOARDING, boarding="boarding"), by=cast.officer_a).effects
    assert effect.difference == Decimal("375.00")


_NOT_PAID, _BACK, _ADDED = FollowUp.Result.NOT_PAID, FollowUp.Result.RECOVERED, FollowUp.Result.PAID_DIFFERENCE


@pytest.mark.parametrize("state", [S.IN_BATCH, S.PAID])
@pytest.mark.parametrize(
    ("steps", "asked"),
    [
        (["day", "withdraw"], "-750.00"),
        (["day", _BACK, "withdraw"], "-375.00"),
        (["day", "boarding"], None),
        (["day", _BACK, "boarding"], "375.00"),
        (["day", FollowUp.Result.PAID_AS_LISTED, "withdraw"], "-750.00"),
        (["suspend", "return"], None),
        (["suspend", "return", "withdraw"], "-750.00"),
        (["suspend", _NOT_PAID, "return"], "750.00"),
        (["suspend", _NOT_PAID, "return", "withdraw"], None),
        (["suspend", _NOT_PAID, "return", _ADDED, "withdraw"], "-750.00"),
        (["suspend", "withdraw"], "-750.00"),
        (["suspend", _NOT_PAID, "withdraw"], None),
        (["day", "suspend", "return"], "-375.00"),
        (["day", _BACK, "suspend", _BACK, "return"], "375.00"),
    ],
)
def test_the_desk_is_asked_once_for_what_is_left(cast, round_, place, state: State, steps: list, asked) -> None:
    case_in(cast, round_, state, place)
    for step in steps:
        if step in FollowUp.Result.values:
            changes.settle(FollowUp.objects.get(settled_at=None), result=step, note="", by=cast.clerk2)
            continue
        place = Enrolment.objects.select_related("pupil", "school_class", "school").get(pk=place.pk)
        what = {
            "day": wanted(place, Kind.BOARDING, boarding="day"),
            "boarding": wanted(place, Kind.BOARDING, boarding="boarding"),
            "return": wanted(place, Kind.RETURN, school_class=cast.class_a1.school_class),
        }
        record(what.get(step) or wanted(place, Kind(step)), by=cast.officer_a)
    left = FollowUp.objects.filter(settled_at=None).values_list("effect__difference", flat=True)
    assert list(left) == ([Decimal(asked)] if asked else [])


def test_what_replaced_an_open_item_says_so(cast, round_, place) -> None:
    case_in(cast, round_, S.IN_BATCH, place)
    record(request_for(cast, place, "boarding"), by=cast.officer_a)
    record(request_for(cast, place, "withdraw"), by=cast.officer_a)
    first, second = FollowUp.objects.order_by("effect__at")
    assert first.get_result_display() == "由后来的异动代替"
    assert second.effect.sentence.endswith("前面异动的差额 -375.00 元还没有处理，由这一项代替。")
    with pytest.raises(ValidationError, match="请选择处理结果"):
        changes.settle(second, result="replaced", note="", by=cast.clerk2)


def test_after_boarding_changed_the_case_is_submitted_again_with_the_new_amount(cast, round_, place) -> None:
    row = case_in(cast, round_, S.CLASS_REVIEWED, place)
    record(request_for(cast, place, "boarding"), by=cast.officer_a)
    (row,) = submitted(cast, round_, Enrolment.objects.select_related("pupil").get(pk=place.pk))
    assert (row.state, row.amount) == (S.SUBMITTED, Decimal("375.00"))


def test_money_that_came_before_the_pupil_left_is_theirs(cast, round_, place) -> None:
    row = case_in(cast, round_, S.PAID, place)
    clock.set_demo_day(clock.today() + dt.timedelta(days=3))
    record(request_for(cast, place, "withdraw"), by=cast.officer_a)
    assert outcome(row) == _STAYS


def test_the_county_may_pay_the_term_in_full(cast, round_, place) -> None:
    rule = ChangeRule(
        programme=Programme.objects.get(code="living-aid"), first_term="2026-2027-1",
        on_leaving="pay_in_full", on_suspension="wait", source="县办法",
    )  # fmt: skip
    changes.set_rule(rule, county=cast.county, by=cast.clerk)
    row = case_in(cast, round_, S.APPROVED, place)
    record(request_for(cast, place, "withdraw"), by=cast.officer_a)
    assert (refreshed([row])[0].state, outcome(row)) == (S.APPROVED, _STAYS)


def test_a_suspended_pupil_waits_where_the_rule_says_so_and_goes_on_after_coming_back(cast, round_, place) -> None:
    rule = ChangeRule(
        programme=Programme.objects.get(code="living-aid"), first_term="2026-2027-1",
        on_leaving="end", on_suspension="wait", source="县办法",
    )  # fmt: skip
    changes.set_rule(rule, county=cast.county, by=cast.clerk)
    row = case_in(cast, round_, S.REPORTED, place)
    record(request_for(cast, place, "suspend"), by=cast.officer_a)
    assert refreshed([row])[0].state == S.RETURNED
    with pytest.raises(ValidationError, match="正在休学"):
        applications.submit([row], by=cast.teacher_a1)
    (candidate,) = applications.candidates(round_, cast.class_a1)
    assert not candidate.may_file
    assert "正在休学" in candidate.entitlement.sentence

    record(wanted(place, Kind.RETURN, school_class=cast.class_a1.school_class), by=cast.officer_a)
    applications.submit([row], by=cast.teacher_a1)
    assert refreshed([row])[0].state == S.SUBMITTED


def test_who_has_left_is_not_on_the_filing_page(cast, round_, place) -> None:
    record(request_for(cast, place, "withdraw"), by=cast.officer_a)
    assert applications.candidates(round_, cast.class_a1) == []
    with pytest.raises(ValidationError, match="已退学"):
        applications.save_drafts(round_, cast.class_a1, [applications.Wish(place)], by=cast.teacher_a1)


def test_a_pupil_with_an_ended_case_may_be_filed_for_after_coming_back(cast, round_, place) -> None:
    case_in(cast, round_, S.SUBMITTED, place)
    record(request_for(cast, place, "suspend"), by=cast.officer_a)
    record(wanted(place, Kind.RETURN, school_class=cast.class_a2.school_class), by=cast.officer_a)
    back = Enrolment.objects.select_related("pupil", "school_class").get(pk=place.pk)
    (row,) = submitted(cast, round_, back)
    assert row.school_class == cast.class_a2


# --- transfers --------------------------------------------------------------------------------------------


def test_the_case_moves_to_the_school_that_takes_the_pupil_in(cast, round_, place) -> None:
    row = case_in(cast, round_, S.ON_NOTICE, place)
    school, unit = second_junior(cast)
    record(wanted(place, Kind.TRANSFER_OUT, to_school=school), by=cast.officer_a)
    record(wanted(place, Kind.TRANSFER_IN, school_class=unit.school_class, boarding="boarding"), by=cast.officer_c)
    (row,) = refreshed([row])
    assert (row.state, row.school, row.school_class) == (S.RETURNED, school, unit)
    assert row.enrolment.school == school
    steps = list(row.steps.order_by("pk").values_list("step", flat=True))
    assert steps[0] == Step.SUBMIT, "its history stays"
    assert steps[-2:] == [Step.MOVE_OUT, Step.MOVE_IN]
    (row,) = submitted(cast, round_, Enrolment.objects.select_related("pupil").get(pk=row.enrolment_id))
    assert row.state == S.SUBMITTED
    assert row.facts["school"] == school.name


def test_minutes_of_the_school_before_are_named_and_not_linked(cast, round_, place, client) -> None:
    row = case_in(cast, round_, S.CLASS_REVIEWED, place)
    school, unit = second_junior(cast)
    minutes = reverse("meeting", args=[row.decisions.get().meeting_id])
    client.force_login(cast.officer_a, backend="django.contrib.auth.backends.ModelBackend")
    assert minutes in client.get(reverse("application", args=[row.pk])).content.decode()
    record(wanted(place, Kind.TRANSFER_OUT, to_school=school), by=cast.officer_a)
    record(wanted(place, Kind.TRANSFER_IN, school_class=unit.school_class, boarding="boarding"), by=cast.officer_c)
    client.force_login(cast.officer_c, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(reverse("application", args=[row.pk])).content.decode()
    assert "七年级1班 班级评议" in page
    assert minutes not in page


def test_the_county_does_both_in_one_step(cast, round_, place) -> None:
    row = case_in(cast, round_, S.CLEARED, place)
    school, unit = second_junior(cast)
    request = wanted(place, Kind.TRANSFER_OUT, to_school=school, school_class=unit.school_class, boarding="day")
    with pytest.raises(PermissionDenied):
        changes.plan(request, by=cast.officer_a)
    out, came = record(request, by=cast.clerk)
    assert (out.kind, came.kind) == (Kind.TRANSFER_OUT, Kind.TRANSFER_IN)
    (row,) = refreshed([row])
    assert (row.state, row.school_class) == (S.RETURNED, unit)
    old, new = Enrolment.objects.filter(pupil=place.pupil).order_by("starts_on")
    assert (old.standing, old.ends_on, new.standing, new.boarding) == ("transferred", clock.today(), "present", "day")


@pytest.mark.parametrize("by_county", [False, True])
def test_special_education_goes_along_to_the_next_school(cast, place, by_county) -> None:
    Enrolment.objects.filter(pk=place.pk).update(schooling="special")
    school, unit = second_junior(cast)
    there = {"school_class": unit.school_class, "boarding": "day"}
    if by_county:
        record(wanted(place, Kind.TRANSFER_OUT, to_school=school, **there), by=cast.clerk)
    else:
        record(wanted(place, Kind.TRANSFER_OUT, to_school=school), by=cast.officer_a)
        record(wanted(place, Kind.TRANSFER_IN, **there), by=cast.officer_c)
    assert Enrolment.objects.get(pupil=place.pupil, school=school).schooling == "special"


def test_a_stage_the_programme_does_not_pay_for_ends_the_case(cast, round_, place) -> None:
    row = case_in(cast, round_, S.SUBMITTED, place)
    there = _school(cast.county, "云岭县第一中学", "5353990004", ["senior"])
    record(wanted(place, Kind.TRANSFER_OUT, to_school=there), by=cast.officer_a)
    assert (refreshed([row])[0].state, outcome(row)) == (S.WITHDRAWN, _ENDS)


def test_what_waits_for_a_school_that_never_comes_is_ended_by_the_county(cast, round_, place) -> None:
    row = case_in(cast, round_, S.SUBMITTED, place)
    (out,) = record(wanted(place, Kind.TRANSFER_OUT, to_school=second_junior(cast)[0]), by=cast.officer_a)
    with pytest.raises(PermissionDenied):
        changes.end_waiting(out, by=cast.officer_a)
    assert changes.end_waiting(out, by=cast.clerk) == 1
    assert refreshed([row])[0].state == S.WITHDRAWN
    with pytest.raises(ValidationError, match="没有等待接收的申请"):
        changes.end_waiting(out, by=cast.clerk)


def test_a_reported_case_returned_after_the_pupil_moved_is_taken_over_there(cast, round_, place) -> None:
    row = case_in(cast, round_, S.REPORTED, place)
    school, unit = second_junior(cast)
    request = wanted(place, Kind.TRANSFER_OUT, to_school=school, school_class=unit.school_class, boarding="day")
    record(request, by=cast.clerk)
    assert refreshed([row])[0].school == cast.school_a, "the school that reported it answers for it"
    workflow.advance(row, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="就读情况有变")
    (candidate,) = applications.candidates(round_, unit)
    assert candidate.application == row
    (again,) = submitted(cast, round_, candidate.enrolment)
    assert (again.pk, again.state, again.school) == (row.pk, S.SUBMITTED, school)
    assert AuditRow.objects.filter(action="application.take_over").count() == 1


def test_a_transfer_over_the_end_of_a_term_is_still_waited_for_and_leaves_no_case_behind(cast, round_, place) -> None:
    row = case_in(cast, round_, S.CLASS_REVIEWED, place)
    school, unit = second_junior(cast)
    record(wanted(place, Kind.TRANSFER_OUT, to_school=school), by=cast.officer_a)
    clock.set_demo_day(dt.date(2027, 2, 22))
    assert register.awaiting_arrival(cast.clerk).count() == 1
    assert register.arriving(cast.officer_c).count() == 1
    record(wanted(place, Kind.TRANSFER_IN, school_class=unit.school_class, boarding="boarding"), by=cast.officer_c)
    assert refreshed([row])[0].state == S.WITHDRAWN
    assert "上学期随转的申请没有学校接收" in ChangeEffect.objects.latest("at").sentence
    assert register.awaiting_arrival(cast.clerk).count() == 0
    clock.set_demo_day(clock.today() + dt.timedelta(days=1))
    record(wanted(place, Kind.WITHDRAW), by=cast.officer_c)
    assert register.awaiting_arrival(cast.clerk).count() == 0, "taken in is taken in"


@pytest.mark.parametrize("name", ["graduate", "withdraw"])
def test_a_reported_case_of_somebody_who_left_is_decided_and_not_returned(cast, round_, place, name: str) -> None:
    rule = ChangeRule(
        programme=Programme.objects.get(code="living-aid"), first_term="2026-2027-1",
        on_leaving="pay_in_full", on_suspension="end", source="县办法",
    )  # fmt: skip
    changes.set_rule(rule, county=cast.county, by=cast.clerk)
    row = case_in(cast, round_, S.REPORTED, place)
    record(request_for(cast, place, name), by=cast.officer_a)
    with pytest.raises(workflow.StepRefused, match="退回后没有班级能重新提交"):
        workflow.advance(row, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="补一份材料")
    workflow.advance(row, Step.VERIFY, by=cast.clerk)


def test_a_case_still_with_the_first_school_ends_when_the_pupil_leaves_the_second(cast, round_, place) -> None:
    row = case_in(cast, round_, S.APPROVED, place)
    school, unit = second_junior(cast)
    record(
        wanted(place, Kind.TRANSFER_OUT, to_school=school, school_class=unit.school_class, boarding="day"),
        by=cast.clerk,
    )
    record(wanted(place, Kind.WITHDRAW), by=cast.officer_c)
    assert refreshed([row])[0].state == S.WITHDRAWN


def test_an_objection_can_be_settled_after_the_case_left(cast, round_, place) -> None:
    row = case_in(cast, round_, S.HELD, place)
    record(request_for(cast, place, "to_school"), by=cast.officer_a)
    objections.settle(Objection.objects.get(), upheld=False, finding="情况属实", by=cast.officer_a)
    assert refreshed([row])[0].state == S.MOVING


def test_only_that_line_is_taken_off_the_notice(cast, round_) -> None:
    one, other = enrol(cast, cast.class_a1, name="张一"), enrol(cast, cast.class_a1, name="张二")
    rows = submitted(cast, round_, one, other)
    walk(cast, rows, S.ON_NOTICE)
    record(wanted(one, Kind.WITHDRAW), by=cast.officer_a)
    notice = refreshed(rows)[1].notice_lines.get().notice
    assert notice.lines.count() == 2, "a notice is frozen"
    assert notices.digest_now(notice) == notice.digest
    close(cast, [rows[1]])
    assert {row.state for row in refreshed(rows)} == {S.WITHDRAWN, S.CLEARED}


# --- what cannot be -----------------------------------------------------------------------------------------


def test_a_pupil_goes_to_a_school_with_their_stage_or_the_next(cast) -> None:
    place = enrol(cast, cast.class_a1, account=False)
    second, _ = second_junior(cast)
    senior = _school(cast.county, "云岭县第一中学", "5353990004", ["senior"])
    whole = _school(cast.county, "云岭县实验学校", "5353990005", ["primary", "junior"])
    small = _class(whole, "三年级1班", "primary", "三年级")
    kindergarten = _school(cast.county, "云岭县第一幼儿园", "5353990006", ["preschool"])
    assert list(register.schools_for(place)) == [second, senior, whole]
    for there in (cast.school_b, kindergarten):
        with pytest.raises(ValidationError, match=f"{there}没有七年级1班学生能读的学段.*初中"):
            changes.plan(wanted(place, Kind.TRANSFER_OUT, to_school=there), by=cast.officer_a)
    below = wanted(place, Kind.TRANSFER_OUT, to_school=whole, school_class=small.school_class, boarding="day")
    with pytest.raises(ValidationError, match="不能转到这个学段的班级"):
        changes.plan(below, by=cast.clerk)
    record(wanted(place, Kind.TRANSFER_OUT, to_place="外省"), by=cast.officer_a)
    back = wanted(place, Kind.TRANSFER_IN, school_class=cast.class_b1.school_class, boarding="day")
    with pytest.raises(ValidationError, match="已读过更高的学段") as refusal:
        changes.plan(back, by=cast.officer_b)
    assert cast.school_a.name not in str(refusal.value)


def test_a_transfer_by_mistake_is_put_right_by_going_back(cast) -> None:
    place = enrol(cast, cast.class_b1, account=False)
    to = wanted(place, Kind.TRANSFER_OUT, to_school=cast.school_a)
    record(replace(to, school_class=cast.class_a1.school_class, boarding="day"), by=cast.clerk)
    again = replace(to, to_school=cast.school_b, school_class=cast.class_b1.school_class, boarding="day")
    record(again, by=cast.clerk)
    assert register.place_of(place.pupil).school == cast.school_b


@pytest.mark.parametrize(
    ("grade", "stage", "ends"),
    [
        ("七年级", "junior", False),
        ("九年级", "junior", True),
        ("四年级", "primary", False),
        ("五年级", "primary", False),
        ("六年级", "primary", True),
        ("六年级", "junior", False),
        ("大班", "preschool", True),
        ("高二", "senior", False),
        ("高三", "senior", True),
    ],
)
def test_who_graduates_is_in_the_last_grade_of_a_stage(cast, grade: str, stage: str, ends: bool) -> None:
    _class(cast.school_a, "六年级1班", "primary", "六年级")
    place = enrol(cast, cast.class_a1, account=False)
    place.grade, place.stage = grade, stage
    assert (Kind.GRADUATE in register.kinds_for(place, by=cast.officer_a)) == ends
    assert bool(register.why_not(Kind.GRADUATE, place)) != ends


def test_the_fifth_grade_is_the_last_where_there_is_no_sixth(cast) -> None:
    place = enrol(cast, cast.class_b1, account=False)
    place.grade = "五年级"
    assert register.why_not(Kind.GRADUATE, place) == ""


# --- what was shown is what is done ------------------------------------------------------------------------


def test_a_case_that_moved_on_meanwhile_is_not_touched(cast, round_, place) -> None:
    row = case_in(cast, round_, S.SUBMITTED, place)
    request = request_for(cast, place, "withdraw")
    shown = changes.plan(request, by=cast.officer_a)
    agree([row], "class", cast.class_a1, by=cast.grade_head_a)
    with pytest.raises(changes.EffectsChanged):
        changes.record(request, by=cast.officer_a, seen=shown.digest)
    assert refreshed([row])[0].state == S.CLASS_REVIEWED
    assert not StatusChange.objects.exists()


def test_another_request_than_the_one_shown_is_not_recorded(cast, place) -> None:
    shown = changes.plan(wanted(place, Kind.SUSPEND), by=cast.officer_a)
    with pytest.raises(changes.EffectsChanged):
        changes.record(wanted(place, Kind.WITHDRAW), by=cast.officer_a, seen=shown.digest)


def test_no_step_of_a_change_is_taken_without_the_change(cast, round_, place) -> None:
    row = case_in(cast, round_, S.SUBMITTED, place)
    for step in (Step.LEAVE, Step.MOVE_OUT, Step.MOVE_CLASS, Step.RETURN_FOR_CHANGE):
        with pytest.raises(workflow.StepRefused, match="没有相应的异动"):
            workflow.advance(row, step, by=cast.officer_a, note="试试")


# --- who ----------------------------------------------------------------------------------------------------


def test_the_class_teacher_records_boarding_while_the_case_is_with_the_class(cast, round_, place) -> None:
    case_in(cast, round_, S.SUBMITTED, place)
    record(request_for(cast, place, "boarding"), by=cast.teacher_a1)
    assert Enrolment.objects.get(pk=place.pk).boarding == "day"


def test_the_class_teacher_does_not_undo_what_the_school_decided(cast, round_, place) -> None:
    case_in(cast, round_, S.APPROVED, place)
    with pytest.raises(PermissionDenied, match="请由资助专干登记"):
        changes.plan(request_for(cast, place, "boarding"), by=cast.teacher_a1)


@pytest.mark.parametrize("who", ["teacher_a1", "principal_a", "officer_b", "head", "inspector", "admin"])
def test_others_record_nothing(cast, place, who: str) -> None:
    with pytest.raises(PermissionDenied):
        changes.plan(request_for(cast, place, "withdraw"), by=getattr(cast, who))


# --- the payment desk ----------------------------------------------------------------------------------------


def test_a_follow_up_is_settled_once_by_the_payment_desk(cast, round_, place) -> None:
    case_in(cast, round_, S.IN_BATCH, place)
    record(request_for(cast, place, "withdraw"), by=cast.officer_a)
    found = changes.follow_ups(cast.clerk).get()
    assert changes.follow_ups(cast.officer_a).get() == found
    assert not changes.follow_ups(cast.officer_b).exists()
    with pytest.raises(PermissionDenied):
        changes.settle(found, result="not_paid", note="", by=cast.officer_a)
    with pytest.raises(ValidationError, match="写明怎样处理"):
        changes.settle(found, result="other", note=" ", by=cast.clerk)
    changes.settle(found, result="not_paid", note="", by=cast.clerk)
    with pytest.raises(ValidationError, match="已由他人处理"):
        changes.settle(found, result="recovered", note="", by=cast.head)
