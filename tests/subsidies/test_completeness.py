"""What is missing from the papers of one case: pure rules, each asked alone, and any papers at all."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidies.completeness import Check, Papers, Sitting, Where, look

D = dt.date
WHOLE = Papers(
    name_then="张小明",
    name_now="张小明",
    reason="家庭收入低",
    needs_form=True,
    has_form=True,
    has_form_scan=True,
    form_signed_on=D(2026, 10, 9),
    has_receipt=True,
    has_account=True,
    submitted_on=D(2026, 10, 12),
    class_review=Sitting(D(2026, 10, 13), "情况属实", True),
    school_review=Sitting(D(2026, 10, 15), "同意", True),
    confirmed_on=D(2026, 10, 16),
    published_on=D(2026, 10, 16),
    cleared_on=D(2026, 10, 26),
    is_recognised=True,
)


def found(**how: object) -> list[Check]:
    return [each.check for each in look(replace(WHOLE, **how))]


def test_whole_papers_have_no_finding() -> None:
    assert look(WHOLE) == []


@pytest.mark.parametrize(
    ("how", "check"),
    [
        ({"name_now": "张晓明"}, Check.NAME),
        ({"has_form": False}, Check.FORM),
        ({"has_form_scan": False}, Check.FORM_SCAN),
        ({"form_signed_on": D(2026, 10, 14)}, Check.FORM_DATE),
        ({"has_receipt": False}, Check.RECEIPT),
        ({"reason": "  "}, Check.REASON),
        ({"unproven": ("残疾学生",)}, Check.PROOF),
        ({"unscanned": ("残疾学生",)}, Check.PROOF_SCAN),
        ({"class_review": Sitting(D(2026, 10, 13), "", True)}, Check.CLASS_OPINION),
        ({"school_review": Sitting(D(2026, 10, 15), "", True)}, Check.SCHOOL_OPINION),
        ({"school_review": Sitting(D(2026, 10, 15), "同意", False)}, Check.MINUTES),
        ({"is_recognised": False}, Check.RECOGNITION),
        ({"recognition_ended": True}, Check.RECOGNITION),
        ({"is_rechecked": False}, Check.RECHECK),
        ({"has_account": False}, Check.ACCOUNT),
        ({"class_review": Sitting(D(2026, 10, 16), "属实", True)}, Check.DATES),
        ({"confirmed_on": D(2026, 10, 14)}, Check.DATES),
        ({"published_on": D(2026, 10, 15)}, Check.DATES),
        ({"cleared_on": D(2026, 10, 15)}, Check.DATES),
        ({"school_review": None}, Check.DATES),
    ],
)
def test_each_gap_is_its_own_finding(how: dict, check: Check) -> None:
    assert found(**how) == [check]


def test_a_programme_without_a_form_asks_for_none() -> None:
    assert found(needs_form=False, has_form=False, has_form_scan=False, form_signed_on=None) == []


def test_nobody_need_be_recognised_before_the_principal_confirmed() -> None:
    assert found(is_recognised=False, confirmed_on=None, published_on=None, cleared_on=None) == []


def test_a_recheck_is_asked_for_in_spring_only() -> None:
    assert found(is_rechecked=None) == found(is_rechecked=True) == []


def test_dates_on_one_day_are_in_order() -> None:
    day = D(2026, 10, 12)
    sitting = Sitting(day, "属实", True)
    days = {"submitted_on": day, "confirmed_on": day, "published_on": day, "cleared_on": day}
    assert found(class_review=sitting, school_review=sitting, **days) == []


def test_the_sentence_names_both_days_and_what_to_do() -> None:
    (finding,) = look(replace(WHOLE, cleared_on=D(2026, 10, 1)))
    assert "公示结束日期（2026-10-01）早于发布公示日期（2026-10-16）" in finding.words
    assert "退回重新办理" in finding.words
    assert finding.where == Where.APPLICATION


_days = st.none() | st.dates(D(2026, 9, 1), D(2026, 12, 31))
_sittings = st.none() | st.builds(Sitting, st.dates(D(2026, 9, 1), D(2026, 12, 31)), st.text(max_size=3), st.booleans())


@given(st.builds(Papers, st.just("甲"), st.just("甲"), submitted_on=_days, class_review=_sittings, cleared_on=_days))
def test_any_papers_are_looked_at_in_the_order_of_the_checks(papers: Papers) -> None:
    findings = look(papers)
    order = [list(Check).index(each.check) for each in findings]
    assert order == sorted(order)
    assert all(each.words.endswith("。") and each.where in Where for each in findings)
