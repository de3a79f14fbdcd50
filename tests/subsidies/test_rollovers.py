"""Roll-over and applications: last term's list is offered, the class teacher files it, undoing takes drafts along."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, connection, transaction

from accounts import clock
from accounts.audit import verify_chain
from accounts.models import Appointment, AuditRow, Unit, User
from students.changes import Kind
from students.models import Category, Circumstance, Enrolment, RollOver, SchoolClass, Term
from students.rollovers import RollOverRefused
from subsidies import applications, reviews, rollovers, rounds, workflow
from subsidies.models import Application, Decision, DutyHolder, Meeting, Programme, Round
from subsidies.rollovers import OutcomeChanged
from subsidies.states import Duty, State, Step
from tests import cast as casting
from tests.cast import Cast, enrol, submitted, walk
from tests.subsidies.test_changes import record, wanted

FIRST_DAY = dt.date(2027, 2, 22)


@pytest.fixture
def spring(cast: Cast) -> Term:
    return Term.objects.get(key="2026-2027-2")


def accepted(cast: Cast, round_: Round, *places: Enrolment) -> list[Application]:
    return walk(cast, submitted(cast, round_, *places), State.REPORTED)


def roll(cast: Cast, term: Term, **choices: str) -> RollOver:
    by_key = {int(key.removeprefix("c")): code for key, code in choices.items()}
    return rollovers.run(cast.school_a, term, by_key, by=cast.officer_a).rollover


def open_spring(cast: Cast, spring: Term) -> Round:
    clock.set_demo_day(FIRST_DAY)
    return rounds.open_round(
        programme=Programme.objects.get(code="living-aid"),
        term=spring,
        unit=cast.county,
        opens_on=FIRST_DAY,
        closes_on=FIRST_DAY + dt.timedelta(days=30),
        by=cast.clerk,
    )


def the_list(round_: Round, unit: Unit) -> rollovers.LastList:
    return rollovers.last_list(round_, unit, applications.candidates(round_, unit))


# --- taking the list over ---------------------------------------------------------------------------


def test_the_class_teacher_takes_the_list_over_and_is_who_filed(cast: Cast, round_: Round, spring: Term) -> None:
    accepted(cast, round_, enrol(cast, cast.class_a1, name="甲"), enrol(cast, cast.class_a1, name="乙"))
    roll(cast, spring)
    new = open_spring(cast, spring)
    assert not Application.objects.filter(round=new).exists()  # nothing filed by the roll-over itself
    found = the_list(new, cast.class_a1)
    assert {c.facts["name"] for c in found.offered} == {"甲", "乙"}
    assert found.marked == 0
    drafts = rollovers.take_over(new, cast.class_a1, by=cast.teacher_a1)
    assert {draft.state for draft in drafts} == {State.DRAFT}
    assert {draft.reason for draft in drafts} == {"家庭收入低"}
    held = DutyHolder.objects.filter(application__in=drafts).values_list("by", "duty")
    assert set(held) == {(cast.teacher_a1.pk, Duty.FILING)}
    with pytest.raises(ValidationError, match="已经沿用过"):
        rollovers.take_over(new, cast.class_a1, by=cast.teacher_a1)
    # The officer who rolled the school over may hold the class review, the head the school review, and so on.
    applications.submit(drafts, by=cast.teacher_a1)
    walk(cast, casting.refreshed(drafts), State.SCHOOL_REVIEWED)
    assert verify_chain().broken_at is None


def test_whose_case_goes_on_elsewhere_is_not_offered_and_stops_no_other(
    cast: Cast, round_: Round, spring: Term
) -> None:
    gone, stays = enrol(cast, cast.class_a1, name="甲"), enrol(cast, cast.class_a2, name="乙")
    accepted(cast, round_, gone, stays)
    roll(cast, spring)
    new = open_spring(cast, spring)
    place = Enrolment.objects.select_related("pupil", "school_class").get(pupil=gone.pupil, term=spring)
    walk(cast, submitted(cast, new, place), State.SCHOOL_REVIEWED)
    record(wanted(place, Kind.CHANGE_CLASS, school_class=cast.class_a2.school_class), by=cast.officer_a)
    taken = rollovers.take_over(new, cast.class_a2, by=cast.teacher_a2)
    assert [row.pupil for row in taken] == [stays.pupil]


def test_only_the_class_teacher_takes_it_over(cast: Cast, round_: Round, spring: Term) -> None:
    accepted(cast, round_, enrol(cast, cast.class_a1))
    roll(cast, spring)
    new = open_spring(cast, spring)
    for person in (cast.officer_a, cast.teacher_a2, cast.clerk):
        with pytest.raises(PermissionDenied):
            rollovers.take_over(new, cast.class_a1, by=person)


def test_only_what_the_school_accepted_and_reported_is_on_the_list(cast: Cast, round_: Round, spring: Term) -> None:
    rows = submitted(cast, round_, enrol(cast, cast.class_a1, name="甲"), enrol(cast, cast.class_a1, name="乙"))
    workflow.advance(rows[1], "withdraw", by=cast.teacher_a1, note="家长不再申请")
    walk(cast, rows[:1], State.CLEARED)
    roll(cast, spring)
    assert the_list(open_spring(cast, spring), cast.class_a1).total == 0


def marks(round_: Round, unit: Unit, row: Application) -> dict[str, str]:
    return {mark.kind: mark.text for mark in the_list(round_, unit).by_pupil[row.pupil_id].marks}


def test_differences_are_marked(cast: Cast, round_: Round, spring: Term) -> None:
    (row,) = accepted(cast, round_, enrol(cast, cast.class_a1))
    roll(cast, spring)
    new = open_spring(cast, spring)
    there = Enrolment.objects.get(term=spring, pupil=row.pupil)
    assert marks(new, cast.class_a1, row) == {}
    Enrolment.objects.filter(pk=there.pk).update(boarding="day")
    row.pupil.accounts.update(ends_on=clock.today())
    Circumstance.objects.create(
        pupil=row.pupil, category=Category.objects.get(code="tekun"), source="matched", valid_from=dt.date(2027, 1, 1),
        recorded_by=cast.officer_a,
    )  # fmt: skip
    said = marks(new, cast.class_a1, row)
    assert said["boarding"] == "就读方式：寄宿 → 走读"
    assert said["category"] == "困难类别：农村低保 → 特困供养学生、农村低保"
    assert said["amount"].startswith("金额：")
    assert "走读学生" in said["amount"]  # the sentence that explains it
    assert said["account"] == "没有登记收款账户"


def test_who_is_no_longer_entitled_gets_no_draft(cast: Cast, round_: Round, spring: Term) -> None:
    rows = accepted(cast, round_, enrol(cast, cast.class_a1, name="甲"), enrol(cast, cast.class_a1, name="乙"))
    row = rows[0]
    Circumstance.objects.filter(pupil=row.pupil).update(valid_to=dt.date(2027, 1, 31))
    done = roll(cast, spring)
    (kept,) = done.report["lists"]
    assert (kept["listed"], kept["offered"], kept["not_entitled"]) == (2, 1, 1)
    (line,) = kept["rows"]
    assert line["name"] == row.pupil.name
    assert any("失效" in mark or "没有登记有效" in mark for mark in line["marks"])
    new = open_spring(cast, spring)
    assert not the_list(new, cast.class_a1).by_pupil[row.pupil_id].is_entitled
    (draft,) = rollovers.take_over(new, cast.class_a1, by=cast.teacher_a1)
    assert draft.pupil_id == rows[1].pupil_id


def test_a_one_time_aid_is_not_reckoned_a_second_time(cast: Cast, round_: Round, spring: Term) -> None:
    accepted(cast, round_, enrol(cast, cast.class_a1))
    roll(cast, spring)

    def told() -> tuple:
        (one,) = rollovers.last_lists(cast.school_a, source=cast.term, target=spring)
        return one["offered"], one["not_entitled"], one["after"]

    assert told() == (1, 0, "750.00")
    Programme.objects.filter(pk=round_.programme_id).update(unit="once")
    assert told() == (0, 1, "0")


def test_a_merged_class_brings_its_list_along(cast: Cast, round_: Round, spring: Term) -> None:
    (row,) = accepted(cast, round_, enrol(cast, cast.class_a2))
    enrol(cast, cast.class_a1)
    rollovers.run(cast.school_a, spring, {cast.class_a2.pk: f"merge:{cast.class_a1.pk}"}, by=cast.officer_a)
    new = open_spring(cast, spring)
    assert marks(new, cast.class_a1, row) == {"class": "班级：七年级2班 → 七年级1班"}


def test_who_has_left_is_named_and_not_offered(cast: Cast, round_: Round, spring: Term) -> None:
    (row,) = accepted(cast, round_, enrol(cast, cast.class_a1, name="甲"))
    enrol(cast, cast.class_a1, name="乙")
    roll(cast, spring)
    Enrolment.objects.filter(term=spring, pupil=row.pupil).update(standing="transferred", ends_on=FIRST_DAY)
    found = the_list(open_spring(cast, spring), cast.class_a1)
    assert [a.pupil.name for a in found.gone] == ["甲"]
    assert not found.offered


def test_the_list_is_read_in_the_same_few_questions_for_many(
    cast: Cast, round_: Round, spring: Term, django_assert_num_queries
) -> None:
    accepted(cast, round_, *(enrol(cast, cast.class_a1) for _ in range(3)))
    roll(cast, spring)
    new = open_spring(cast, spring)
    known = applications.candidates(new, cast.class_a1)
    with django_assert_num_queries(2):
        rollovers.last_list(new, cast.class_a1, known)


# --- trying out, running, taking back ---------------------------------------------------------------


def dump() -> dict:
    tables = (Unit, SchoolClass, Enrolment, Appointment, Application, DutyHolder, RollOver, AuditRow)
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in tables}


def test_a_trial_says_what_the_run_does_and_leaves_nothing(cast: Cast, round_: Round, spring: Term) -> None:
    accepted(cast, round_, enrol(cast, cast.class_a1))
    before = dump()
    trial = rollovers.run(cast.school_a, spring, {}, by=cast.officer_a, dry_run=True)
    assert dump() == before
    done = rollovers.run(cast.school_a, spring, {}, by=cast.officer_a, seen=rollovers.fingerprint(trial))
    assert (done.counts, done.report) == (trial.counts, trial.report)


def test_what_changed_since_the_trial_is_not_done_unseen(cast: Cast, round_: Round, spring: Term) -> None:
    enrol(cast, cast.class_a1)
    seen = rollovers.fingerprint(rollovers.run(cast.school_a, spring, {}, by=cast.officer_a, dry_run=True))
    enrol(cast, cast.class_a1)
    with pytest.raises(OutcomeChanged, match="核对新的预览"):
        rollovers.run(cast.school_a, spring, {}, by=cast.officer_a, seen=seen)
    assert not RollOver.objects.exists()


def test_undoing_throws_the_drafts_of_the_new_term_away(cast: Cast, round_: Round, spring: Term) -> None:
    old = accepted(cast, round_, enrol(cast, cast.class_a1))
    before = [list(model.objects.order_by("pk").values()) for model in (Unit, Enrolment, Application, DutyHolder)]
    done = roll(cast, spring)
    rollovers.take_over(open_spring(cast, spring), cast.class_a1, by=cast.teacher_a1)
    assert rollovers.drafts_since(done) == 1
    rollovers.undo(done, by=cast.officer_a)
    assert [list(m.objects.order_by("pk").values()) for m in (Unit, Enrolment, Application, DutyHolder)] == before
    assert Application.objects.get().pk == old[0].pk
    assert verify_chain().broken_at is None
    assert AuditRow.objects.filter(action="application.discard_draft").count() == 1


@pytest.mark.parametrize("step", ["", "withdraw"])
def test_not_once_something_was_submitted(cast: Cast, round_: Round, spring: Term, step: str) -> None:
    accepted(cast, round_, enrol(cast, cast.class_a1))
    done = roll(cast, spring)
    drafts = rollovers.take_over(open_spring(cast, spring), cast.class_a1, by=cast.teacher_a1)
    applications.submit(drafts, by=cast.teacher_a1)
    if step:
        workflow.advance(casting.refreshed(drafts)[0], step, by=cast.teacher_a1, note="填错了")
    before = dump()
    with pytest.raises(RollOverRefused, match="已有 1 份申请提交或撤回过"):
        rollovers.undo(done, by=cast.officer_a)
    assert dump() == before


def test_only_officer_and_clerk_undo(cast: Cast, spring: Term) -> None:
    enrol(cast, cast.class_a1)
    done = roll(cast, spring)
    for person in (cast.teacher_a1, cast.principal_a, cast.officer_b, cast.head, cast.admin):
        with pytest.raises(PermissionDenied):
            rollovers.undo(done, by=person)


@pytest.mark.django_db(transaction=True)
def test_the_database_lets_go_of_a_drafts_duty_and_of_no_other(cast: Cast, round_: Round, spring: Term) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1))
    duties = DutyHolder.objects.all()
    with pytest.raises(DatabaseError, match="written once"), transaction.atomic():
        duties._raw_delete(duties.db)
    assert duties.count() == 1
    wish = applications.Wish(enrol(cast, cast.class_a1, name="乙"))
    (draft,) = applications.save_drafts(round_, cast.class_a1, [wish], by=cast.teacher_a1)
    with pytest.raises(TypeError):
        draft.duty_holders.all().delete()
    rows = DutyHolder.objects.filter(application=draft)
    rows._raw_delete(rows.db)
    assert duties.count() == 1
    with pytest.raises(DatabaseError, match="written once"), connection.cursor() as cursor:
        cursor.execute("UPDATE subsidies_dutyholder SET duty = 'approval'")


def test_a_class_with_cases_under_way_stays_open_when_it_graduates(cast: Cast, round_: Round, spring: Term) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1))
    assert rollovers._lingering(cast.school_a) == {cast.class_a1.pk}
    assert rollovers._busy(cast.school_a, cast.term) == {cast.class_a1.pk: 1}


def dissolved(cast: Cast, spring: Term) -> None:
    """七年级2班 goes into 七年级1班 when the spring begins."""
    clock.set_demo_day(FIRST_DAY)
    roll(cast, spring, **{f"c{cast.class_a2.pk}": f"merge:{cast.class_a1.pk}"})
    cast.class_a2.refresh_from_db()


def test_a_dissolved_class_with_cases_under_way_keeps_its_teacher(cast: Cast, round_: Round, spring: Term) -> None:
    """What came back to it is nobody else's to hand in again or to withdraw."""
    enrol(cast, cast.class_a1, name="乙")
    rows = submitted(cast, round_, enrol(cast, cast.class_a2))
    verdict = reviews.Verdict(rows[0], Decision.Verdict.RETURN, opinion="请补材料")
    reviews.hold(
        round_=round_, unit=cast.class_a2, level="class", minutes=casting.minutes(), verdicts=[verdict],
        by=cast.grade_head_a,
    )  # fmt: skip
    dissolved(cast, spring)
    assert cast.class_a2.is_active
    assert any("七年级2班还有没办完的申请" in note for note in RollOver.objects.get().report["notes"])
    applications.submit(rows, by=User.objects.get(pk=cast.teacher_a2.pk))
    assert casting.refreshed(rows)[0].state == State.SUBMITTED


def test_the_county_returns_nothing_to_a_class_that_is_no_more(cast: Cast, round_: Round, spring: Term) -> None:
    enrol(cast, cast.class_a1, name="乙")
    (row,) = accepted(cast, round_, enrol(cast, cast.class_a2))
    dissolved(cast, spring)
    assert not cast.class_a2.is_active
    with pytest.raises(ValidationError, match="原来的班级已经撤并"):
        workflow.advance(row, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="请补材料")
    workflow.advance(row, Step.VERIFY, by=cast.clerk)


@pytest.mark.parametrize("level", ["class", "school"])
def test_of_who_has_graduated_a_meeting_returns_nothing(cast: Cast, round_: Round, spring: Term, level: str) -> None:
    """Nobody could hand it in again: the meeting says yes or no."""
    place = enrol(cast, cast.class_a1)
    rows = submitted(cast, round_, place)
    if level == "school":
        rows = walk(cast, rows, State.CLASS_REVIEWED)
    # As the roll-over leaves whoever graduates.
    Enrolment.objects.filter(pk=place.pk).update(standing="graduated", ends_on=clock.today())
    unit, by = (cast.class_a1, cast.officer_a) if level == "class" else (cast.school_a, cast.officer_a)

    def hold(verdict: str) -> Meeting:
        verdicts = [reviews.Verdict(row, verdict, opinion="请补材料") for row in casting.refreshed(rows)]
        how = {"round_": round_, "unit": unit, "level": level, "minutes": casting.minutes(), "by": by}
        return reviews.hold(verdicts=verdicts, **how)

    with pytest.raises(workflow.StepRefused, match="退回后没有班级能重新提交"):
        hold(Decision.Verdict.RETURN)
    assert not Meeting.objects.filter(level=level).exists()
    hold(Decision.Verdict.REJECT)
    assert casting.refreshed(rows)[0].state == State.REJECTED
