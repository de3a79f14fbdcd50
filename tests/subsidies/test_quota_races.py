"""Two meetings and one place, on two real connections: exactly one gets it. And places that are reduced meanwhile."""

import pytest

from accounts.audit import verify_chain
from accounts.models import AuditRow, Unit
from students.models import SchoolClass
from subsidies import places, quota_words, quotas, workflow
from subsidies.models import Application
from subsidies.quotas import BelowUse
from subsidies.states import State, Step
from subsidies.workflow import StepRefused
from tests import cast as casting
from tests.cast import Cast, agree, enrol, refreshed, submitted, walk
from tests.subsidies.quota_hands import DOCUMENT, allot, give, held, pass_on, receive, seats
from tests.subsidies.shortcuts import walk_on
from tests.together import at_once

REDUCED_OR_REPORTED = ("application.report", "quota.reduce")

pytestmark = pytest.mark.django_db(transaction=True)


def waiting(cast: Cast, round_, *classes: Unit) -> list[Application]:
    pupils = [enrol(cast, unit, name=f"学生{n}") for n, unit in enumerate(classes)]
    return walk(cast, submitted(cast, round_, *pupils), State.CLASS_REVIEWED)


def meeting(cast: Cast, row: Application, by=None):
    return lambda: agree(refreshed([row]), "school", row.school, by=by or cast.officer_a)


def names_of(results: list) -> list[str]:
    return sorted(type(result).__name__ for result in results)


def test_the_last_place_has_one_winner(cast, round_) -> None:
    give(cast, round_, 3)
    rows = waiting(cast, round_, *[cast.class_a1] * 2, *[cast.class_a2] * 2)
    agree(refreshed(rows[:2]), "school", cast.school_a, by=cast.officer_a)
    second = casting.person("officer_a2", "副专干", "aid_officer", cast.school_a)
    results = at_once(meeting(cast, rows[2]), meeting(cast, rows[3], by=second))
    assert names_of(results) == ["Meeting", "StepRefused"]
    assert "名额已用完" in "".join(next(r for r in results if isinstance(r, StepRefused)).messages)
    assert seats(round_, cast.school_a) == places.Seats(3, 3, 0)
    states = sorted(row.state for row in refreshed(rows[2:]))
    assert states == [State.CLASS_REVIEWED, State.SCHOOL_REVIEWED]
    assert verify_chain().broken_at is None


def test_two_schools_and_the_last_place_of_the_county(cast, round_) -> None:
    receive(cast, round_, 1)
    ours, theirs = waiting(cast, round_, cast.class_a1) + walk(
        cast, submitted(cast, round_, enrol(cast, cast.class_b1, name="李二")), State.CLASS_REVIEWED
    )
    results = at_once(meeting(cast, ours), meeting(cast, theirs, by=cast.officer_b))
    assert names_of(results) == ["Meeting", "StepRefused"]
    assert seats(round_, cast.county).taken == 1


def test_many_meetings_at_once_never_take_more_than_there_is(cast, round_) -> None:
    give(cast, round_, 3)
    pass_on(cast, round_, {cast.class_a1: 2})
    rows = waiting(cast, round_, *[cast.class_a1] * 3, *[cast.class_a2] * 2)
    chairs = [casting.person(f"chair{n}", f"主持{n}", "aid_officer", cast.school_a) for n in range(len(rows))]
    results = at_once(*[meeting(cast, row, by=chair) for row, chair in zip(rows, chairs, strict=True)])
    assert names_of(results) == ["Meeting"] * 3 + ["StepRefused"] * 2
    assert (seats(round_, cast.class_a1).taken, seats(round_, cast.school_a).taken) == (2, 3)


def test_reducing_and_taking_at_once_ends_in_one_of_them(cast, round_) -> None:
    give(cast, round_, 1)
    (row,) = waiting(cast, round_, cast.class_a1)
    quota = held(round_, cast.school_a)
    results = at_once(meeting(cast, row), lambda: quotas.reduce(quota, 0, document=DOCUMENT, by=cast.clerk))
    taken = seats(round_, cast.school_a)
    if isinstance(results[1], BelowUse):
        assert taken == places.Seats(1, 1, 0)
    else:
        assert isinstance(results[0], StepRefused), results
        assert taken == places.Seats(0, 0, 0)


def test_two_clerks_hand_out_the_same_places(cast, round_) -> None:
    receive(cast, round_, 10)
    results = at_once(
        lambda: allot(cast, round_, {cast.school_a: 7}), lambda: allot(cast, round_, {cast.school_b: 7}, by=cast.clerk2)
    )
    assert names_of(results) == ["ValidationError", "int"]
    assert sum(seats(round_, unit).places or 0 for unit in (cast.school_a, cast.school_b)) == 7


def test_two_clerks_record_the_same_school_for_the_first_time(cast, round_) -> None:
    receive(cast, round_, 10)
    results = at_once(
        lambda: allot(cast, round_, {cast.school_a: 7}), lambda: allot(cast, round_, {cast.school_a: 6}, by=cast.clerk2)
    )
    assert names_of(results) == ["int", "int"]  # one after the other: the second is a change
    assert held(round_, cast.school_a).versions.count() == 2


def test_a_class_is_opened_while_places_are_handed_out(cast, round_) -> None:
    # A unit nobody had on the page is simply not among those handed to: it shares what is left.
    give(cast, round_, 4)
    pass_on(cast, round_, {cast.class_a1: 2, cast.class_a2: 1})
    unit = Unit.objects.create(level="class", name="七年级3班", parent=cast.school_a)
    SchoolClass.objects.create(unit=unit, stage="junior", grade="七年级")
    assert places.shared_of(held(round_, cast.school_a)) == places.Shared(1, 0)


def over_now(round_, school: Unit) -> int:
    return quota_words.over_count(places.overs_in(round_.programme, round_.term, [school]).get(school.pk, []))


def test_reducing_and_reporting_at_once_reports_nobody_after_the_reduction(cast, round_) -> None:
    give(cast, round_, 2)
    pupils = [enrol(cast, cast.class_a1, name=f"学生{n}") for n in range(2)]
    rows = walk_on(cast, submitted(cast, round_, *pupils), State.CLEARED)
    quota = held(round_, cast.school_a)
    seen = quotas.seen_of(quota, 1)
    results = at_once(
        lambda: workflow.advance_all(refreshed(rows), Step.REPORT, by=cast.officer_a),
        lambda: quotas.reduce(quota, 1, document=DOCUMENT, by=cast.clerk, seen=seen),
    )
    assert type(results[1]).__name__ == "QuotaVersion"
    assert over_now(round_, cast.school_a) == 1
    order = [row.action for row in AuditRow.objects.order_by("number") if row.action in REDUCED_OR_REPORTED]
    if isinstance(results[0], StepRefused):
        assert order == ["quota.reduce"]
        assert {row.state for row in refreshed(rows)} == {State.CLEARED}
    else:
        assert order == ["application.report", "application.report", "quota.reduce"]


def test_a_clerk_reduces_while_another_allots(cast, round_) -> None:
    """Whichever comes first: what is handed down never is more than what the county holds then."""
    receive(cast, round_, 10)
    quota = held(round_, cast.county)
    results = at_once(
        lambda: allot(cast, round_, {cast.school_a: 8}),
        lambda: quotas.reduce(quota, 5, document=DOCUMENT, by=cast.clerk2),
    )
    assert names_of(results) in (["ValidationError", "int"], ["QuotaVersion", "ValidationError"])
    handed, whole = seats(round_, cast.school_a).places or 0, seats(round_, cast.county).places
    assert (handed, whole) in ((8, 10), (0, 5))


def test_two_officers_send_the_same_case_back(cast, round_) -> None:
    give(cast, round_, 2)
    pupils = [enrol(cast, cast.class_a1, name=f"学生{n}") for n in range(2)]
    rows = walk_on(cast, submitted(cast, round_, *pupils), State.CLEARED)
    quota = held(round_, cast.school_a)
    quotas.reduce(quota, 1, document=DOCUMENT, by=cast.clerk, seen=quotas.seen_of(quota, 1))
    second = casting.person("officer_a2", "副专干", "aid_officer", cast.school_a)

    def back(row, by):
        return lambda: workflow.advance_all(refreshed([row]), Step.RETURN_FOR_QUOTA, by=by, note="重新评审")

    results = at_once(back(rows[0], cast.officer_a), back(rows[1], second))
    assert names_of(results) == ["StepRefused", "int"], "one is enough: the school is over no longer"
    assert over_now(round_, cast.school_a) == 0


@pytest.mark.parametrize("turn", range(4))
def test_a_meeting_and_a_reduction_never_wait_for_each_other(cast, round_, turn) -> None:
    """Both write to the audit trail and both lock quotas: in one order, or the database would end one of them."""
    give(cast, round_, 3)
    rows = waiting(cast, round_, cast.class_a1, cast.class_a2)
    quota = held(round_, cast.school_a)
    results = at_once(
        meeting(cast, rows[0]),
        lambda: quotas.reduce(quota, 2, document=DOCUMENT, by=cast.clerk),
        meeting(cast, rows[1], by=casting.person(f"officer{turn}", "副专干", "aid_officer", cast.school_a)),
    )
    assert names_of(results) == ["Meeting", "Meeting", "QuotaVersion"], results
