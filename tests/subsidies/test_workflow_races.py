"""Two people at one application at the same moment, on two real connections: one is first, the other is told."""

import threading

import pytest
from django.db import connection

from accounts import clock
from accounts.audit import verify_chain
from subsidies import payments, recognition_rechecks, workflow
from subsidies.models import Application, DutyHolder, Recognition, StepTaken
from subsidies.recognition_rechecks import Recheck
from subsidies.states import State, Step
from subsidies.workflow import StaleState, advance
from tests import cast as casting
from tests.cast import agree, enrol, refreshed, submitted, walk
from tests.together import at_once
from tests.waiting import SECONDS

pytestmark = pytest.mark.django_db(transaction=True)


def second_teacher(cast: casting.Cast):
    return casting.person("teacher_a1b", "代班老师", "class_teacher", cast.class_a1)


def test_two_people_take_the_same_step_and_one_is_first(cast, round_) -> None:
    (row,) = submitted(cast, round_, enrol(cast, cast.class_a1))
    people = [cast.teacher_a1, second_teacher(cast)]
    results = at_once(*[lambda p=p: advance(refreshed([row])[0], Step.WITHDRAW, by=p, note="撤回") for p in people])
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "StaleState"]
    assert row.steps.filter(step=Step.WITHDRAW).count() == 1
    assert DutyHolder.objects.filter(application=row).count() == 1 + (results[1] is None)
    assert verify_chain().broken_at is None


def test_withdrawing_and_deciding_at_once_ends_in_one_of_them(cast, round_) -> None:
    (row,) = submitted(cast, round_, enrol(cast, cast.class_a1))
    results = at_once(
        lambda: advance(refreshed([row])[0], Step.WITHDRAW, by=cast.teacher_a1, note="家长不再申请"),
        lambda: agree(refreshed([row]), "class", cast.class_a1, by=cast.grade_head_a),
    )
    refused = [result for result in results if isinstance(result, Exception)]
    assert [type(result) for result in refused] == [StaleState]
    reached = State.CLASS_REVIEWED if results[0] is refused[0] else State.WITHDRAWN
    assert refreshed([row])[0].state == reached
    # The meeting that came too late is not on record either.
    assert row.decisions.count() == (reached == State.CLASS_REVIEWED)


def test_two_lists_that_overlap_do_not_wait_in_a_ring(cast, round_) -> None:
    rows = submitted(cast, round_, *[enrol(cast, cast.class_a1, name=f"学生{n}") for n in range(6)])
    other = second_teacher(cast)
    forth, back = rows[:4], list(reversed(rows[2:]))
    results = at_once(
        lambda: workflow.advance_all(forth, Step.WITHDRAW, by=cast.teacher_a1, note="撤回"),
        lambda: workflow.advance_all(back, Step.WITHDRAW, by=other, note="撤回"),
    )
    assert {type(result) for result in results} == {int, StaleState}
    assert Application.objects.filter(state=State.WITHDRAWN).count() == 4


def test_the_update_itself_notices_a_colleague_when_nothing_was_locked(cast, round_, monkeypatch) -> None:
    # The second net: both have read before either writes. (SQLite lets only one into a writing transaction.)
    (row,) = submitted(cast, round_, enrol(cast, cast.class_a1))
    people, both_have_read = [cast.teacher_a1, second_teacher(cast)], threading.Barrier(2)

    def read_only(keys) -> list[Application]:
        rows = list(Application.objects.filter(pk__in=keys).select_related("school", "school_class", "round"))
        try:
            both_have_read.wait(1 if connection.vendor == "sqlite" else SECONDS)
        except threading.BrokenBarrierError:
            assert connection.vendor == "sqlite"
        return rows

    monkeypatch.setattr(workflow, "lock", read_only)
    results = at_once(*[lambda p=p: advance(row, Step.WITHDRAW, by=p, note="撤回") for p in people])
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "StaleState"]
    assert StepTaken.objects.filter(application=row, step=Step.WITHDRAW).count() == 1


def test_the_race_is_real_without_any_net_both_would_win(cast, round_) -> None:
    (row,) = submitted(cast, round_, enrol(cast, cast.class_a1))
    both_have_read = threading.Barrier(2)

    def careless() -> bool:
        found = Application.objects.get(pk=row.pk)
        may = found.state == State.SUBMITTED
        both_have_read.wait(SECONDS)
        if may:
            Application.objects.filter(pk=row.pk).update(state=State.WITHDRAWN, changed_at=clock.now())
        return may

    assert at_once(careless, careless) == [True, True]


@pytest.mark.parametrize("before", [State.REPORTED, State.VERIFIED, State.APPROVED])
def test_a_recognition_that_ends_while_the_county_decides_pays_nothing(cast, round_, before) -> None:
    """Whoever is first: the case is not on its way to payment with a recognition that is no more, or it is listed."""
    place = enrol(cast, cast.class_a1)
    (row,) = walk(cast, submitted(cast, round_, place), before)
    ended = Recheck(Recognition.Kind.ENDED, seen=1, reason="收入好转", evidence="家访记录")
    onward = {
        State.REPORTED: lambda: advance(refreshed([row])[0], Step.VERIFY, by=cast.clerk),
        State.VERIFIED: lambda: advance(refreshed([row])[0], Step.APPROVE, by=cast.head),
        State.APPROVED: lambda: payments.make_batch(round_, expected=1, expected_total=row.amount, by=cast.clerk),
    }
    results = at_once(
        lambda: recognition_rechecks.recheck(place, ended, by=cast.officer_a),
        onward[before],
    )
    assert isinstance(results[0], Recognition), results
    reached = refreshed([row])[0].state
    assert reached in ((State.REPORTED, State.IN_BATCH) if before == State.APPROVED else (State.REPORTED,)), results
    assert row.lines.exists() == (reached == State.IN_BATCH)
    assert verify_chain().broken_at is None
