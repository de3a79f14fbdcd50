"""Two windows at one row of a class's list at the same moment, on two real connections."""

import pytest

from accounts import clock
from subsidies import receipts
from subsidies.filing import Overwritten, Typed, Verdict, hand_over, keep, mark
from subsidies.models import Application, Receipt
from subsidies.states import State, Step
from tests.cast import enrol
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_windows_type_at_once_and_one_is_told(cast, round_) -> None:
    row = enrol(cast, cast.class_a1)
    rows = [Typed(row, True, reason=reason, seen=mark(None)) for reason in ("甲", "乙")]
    results = at_once(*[lambda r=r: keep(round_, cast.class_a1, r, by=cast.teacher_a1) for r in rows])
    refused = [result for result in results if isinstance(result, Exception)]
    assert [type(each) for each in refused] == [Overwritten], results
    (kept,) = [result for result in results if isinstance(result, Application)]
    assert Application.objects.get().reason == kept.reason


def test_a_list_handed_in_twice_at_once_goes_once(cast, round_) -> None:
    rows = [Typed(enrol(cast, cast.class_a1, name=name), True, seen=mark(None)) for name in ("张一", "钱二", "孙三")]
    results = at_once(*[lambda: hand_over(round_, cast.class_a1, rows, by=cast.teacher_a1)] * 2)
    verdicts = [{outcome.verdict for outcome in told} for told in results]
    assert {Verdict.ALREADY} in verdicts, results
    assert {Verdict.SENT} in verdicts, results
    assert Application.objects.filter(state=State.SUBMITTED).count() == 3
    assert all(case.steps.filter(step=Step.SUBMIT).count() == 1 for case in Application.objects.all())


def test_a_refusal_and_a_row_at_once_leave_no_draft_of_who_declined(cast, round_) -> None:
    row = enrol(cast, cast.class_a1)
    at_once(
        lambda: receipts.record(
            round_, cast.class_a1, row, answer="declines", signed_on=clock.today(), by=cast.teacher_a1
        ),
        lambda: keep(round_, cast.class_a1, Typed(row, True, seen=mark(None)), by=cast.teacher_a1),
    )
    assert Receipt.objects.get().answer == "declines"
    assert not Application.objects.exists()
