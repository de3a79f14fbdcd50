"""Plans of deadlines: proposed in order and with time for the notice, faults named, lateness in words. No database."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from students import working_calendar
from students.working_days import CalendarMissing, WorkingDays
from subsidies.deadline_plans import (
    NoticeLength,
    Plan,
    Rule,
    faults,
    latest,
    pressing,
    propose,
    remarks,
    standings,
    told,
)
from subsidies.states import State, Work

D = dt.date
AUTUMN, SPRING = "2026-2027-1", "2025-2026-2"
OPENING = D(2026, 9, 7)
FIVE = NoticeLength(5, working=True)


def days_of(*years: int) -> WorkingDays:
    """The years as announced, without a database."""
    special, names = {}, {}
    for year in years:
        found = working_calendar.announced(year)
        special |= dict.fromkeys(found.rest, "rest") | dict.fromkeys(found.work, "work")
        names |= found.rest | found.work
    return WorkingDays(frozenset(years), special, names)


DAYS = days_of(2025, 2026)


def rule(work: Work, count: int = 0, *, working: bool = True, **how: object) -> Rule:
    return Rule(work, "县里的文件", count, working, **how)


USUAL = {
    Work.FILING: rule(Work.FILING, 10),
    Work.CLASS_REVIEW: rule(Work.CLASS_REVIEW, 5),
    Work.SCHOOL_REVIEW: rule(Work.SCHOOL_REVIEW, 5),
    Work.NOTICE: rule(Work.NOTICE, 2),
    Work.REPORT: rule(Work.REPORT, 7),
    Work.VERIFICATION: rule(Work.VERIFICATION, 10),
    Work.APPROVAL: rule(Work.APPROVAL, 5),
    Work.DISBURSEMENT: rule(Work.DISBURSEMENT, autumn="12-31", spring="06-30"),
}


def proposed(rules: dict[Work, Rule] = USUAL, **how: object) -> Plan:
    usual = {"term": AUTUMN, "opens_on": OPENING, "closes_on": None, "notice": FIVE, "days": DAYS}
    return propose(rules, **usual | how).due


def wrong(due: Plan, rules: dict[Work, Rule] | None = None, **how) -> dict[Work, str]:
    usual = {"term": AUTUMN, "opens_on": OPENING, "notice": FIVE, "days": DAYS}
    return faults(due, rules or {}, **usual | how)


# --- proposing ------------------------------------------------------------------------------------


def test_the_usual_rules_count_every_holiday_between() -> None:
    assert proposed() == {
        # From Monday 7 September: 8–11, 14–18 and the worked Sunday 20.
        Work.FILING: D(2026, 9, 20),
        # 21–24, then 中秋 25–27, Monday 28.
        Work.CLASS_REVIEW: D(2026, 9, 28),
        # 29, 30, 国庆 1–7, then 8, 9 and the worked Saturday 10.
        Work.SCHOOL_REVIEW: D(2026, 10, 10),
        Work.NOTICE: D(2026, 10, 13),
        Work.REPORT: D(2026, 10, 22),
        Work.VERIFICATION: D(2026, 11, 5),
        Work.APPROVAL: D(2026, 11, 12),
        Work.DISBURSEMENT: D(2026, 12, 31),
    }


def test_a_last_day_of_filing_that_is_given_goes_before_its_rule() -> None:
    due = proposed(closes_on=D(2026, 10, 30))
    assert (due[Work.FILING], due[Work.CLASS_REVIEW]) == (D(2026, 10, 30), D(2026, 11, 6))


@pytest.mark.parametrize(
    ("term", "text", "day"),
    [
        (AUTUMN, "10-31", D(2026, 10, 31)),
        (AUTUMN, "01-10", D(2027, 1, 10)),  # the autumn term runs into the next year
        (SPRING, "04-30", D(2026, 4, 30)),
    ],
)
def test_a_fixed_day_lies_in_the_year_of_its_term(term: str, text: str, day: D) -> None:
    assert rule(Work.REPORT, autumn=text, spring=text).fixed(term) == day


def test_a_fixed_day_before_the_work_before_it_is_moved_and_said() -> None:
    rules = USUAL | {Work.VERIFICATION: rule(Work.VERIFICATION, autumn="10-10", spring="04-10", is_binding=True)}
    found = propose(rules, term=AUTUMN, opens_on=D(2026, 9, 7), closes_on=None, notice=FIVE, days=DAYS)
    assert found.due[Work.VERIFICATION] == found.due[Work.REPORT]
    assert found.notes == [
        "县级审核按规定是2026年10月10日，前面的环节来不及，改为2026年10月22日。请核对，或提前前面的期限。"
    ]


def test_a_report_is_never_proposed_before_the_notice_is_over() -> None:
    rules = USUAL | {Work.REPORT: rule(Work.REPORT, 3)}
    # Published by 13 October; 14, 15, 16, 19, 20 are the notice; reported from the 21st.
    assert proposed(rules)[Work.REPORT] == D(2026, 10, 21)


def test_a_year_nobody_recorded_gives_no_date_and_a_sentence() -> None:
    found = propose(USUAL, term=AUTUMN, opens_on=D(2026, 12, 1), closes_on=None, notice=FIVE, days=DAYS)
    # Published by 31 December, the list hangs in a year whose holidays nobody knows: nothing after it has a day, the
    # fixed 31 December of paying neither.
    assert list(found.due) == [Work.FILING, Work.CLASS_REVIEW, Work.SCHOOL_REVIEW, Work.NOTICE]
    assert found.notes == [
        "2027 年的放假调休安排还没有录入，无法计算工作日。请县资助中心先在“工作日历”中录入。"
        "上报县中心、县级审核、县级审批、发放的期限没有推算，也可以自行填写。"
    ]


def test_work_without_a_rule_gets_no_deadline() -> None:
    rules = {work: each for work, each in USUAL.items() if work != Work.DISBURSEMENT}
    assert Work.DISBURSEMENT not in proposed(rules)


_counts = st.integers(1, 12)
_fixed = st.dates(D(2001, 1, 1), D(2001, 12, 31)).map(lambda day: f"{day:%m-%d}")


@st.composite
def _rules(draw: st.DrawFn) -> dict[Work, Rule]:
    found = {}
    for work in Work:
        if draw(st.booleans()) or work == Work.FILING:
            if draw(st.booleans()):
                found[work] = rule(work, draw(_counts), working=draw(st.booleans()))
            else:
                found[work] = rule(work, autumn=draw(_fixed), spring=draw(_fixed))
    return found


@given(
    rules=_rules(),
    opens_on=st.dates(D(2025, 1, 1), D(2026, 8, 1)),
    count=st.integers(1, 10),
    working=st.booleans(),
    term=st.sampled_from(["2025-2026-1", "2025-2026-2"]),
)
def test_what_is_proposed_is_in_order_after_the_opening_and_without_fault(
    rules, opens_on, count, working, term
) -> None:
    notice = NoticeLength(count, working=working)
    found = propose(rules, term=term, opens_on=opens_on, closes_on=None, notice=notice, days=DAYS)
    days = [found.due[work] for work in Work if work in found.due]
    assert days == sorted(days)
    assert all(day >= opens_on for day in days)
    assert set(found.due) <= set(rules)
    assert len(found.due) == len(rules) or found.notes
    bad = wrong(found.due, rules, term=term, opens_on=opens_on, notice=notice)
    assert all("超过一年" in words for words in bad.values())


@given(opens_on=st.dates(D(2025, 1, 1), D(2026, 8, 1)), count=st.integers(1, 20))
def test_working_days_are_counted_one_by_one(opens_on: D, count: int) -> None:
    (due,) = proposed({Work.FILING: rule(Work.FILING, count)}, opens_on=opens_on).values()
    between = [opens_on + dt.timedelta(days=n) for n in range(1, (due - opens_on).days + 1)]
    assert sum(DAYS.is_working(day) for day in between) == count
    assert DAYS.is_working(due)


# --- what is wrong ---------------------------------------------------------------------------------


def test_the_usual_plan_has_no_fault() -> None:
    assert wrong(proposed(), USUAL) == {}


def test_work_before_the_work_before_it_is_named() -> None:
    due = proposed() | {Work.SCHOOL_REVIEW: D(2026, 9, 21)}
    assert wrong(due) == {
        Work.SCHOOL_REVIEW: "学校评审在班级评议之后办理，期限2026年9月21日却早于班级评议的2026年9月28日。"
        "请改晚，或提前班级评议。"
    }


def test_work_without_a_day_is_stepped_over() -> None:
    due = {Work.FILING: D(2026, 9, 30), Work.APPROVAL: D(2026, 9, 29)}
    assert list(wrong(due)) == [Work.APPROVAL]


def test_days_before_the_opening_and_years_too_late_are_named() -> None:
    assert "早于填报开始的2026年9月7日" in wrong({Work.FILING: D(2026, 9, 1)})[Work.FILING]
    late = {Work.FILING: D(2026, 9, 30), Work.APPROVAL: D(2028, 1, 1)}
    assert "离填报开始超过一年，请核对年份" in wrong(late)[Work.APPROVAL]


@pytest.mark.parametrize(("report", "is_wrong"), [(D(2026, 10, 20), True), (D(2026, 10, 21), False)])
def test_a_notice_that_cannot_end_before_the_report_is_named(report: D, is_wrong: bool) -> None:
    due = {Work.FILING: D(2026, 9, 20), Work.NOTICE: D(2026, 10, 13), Work.REPORT: report}
    assert wrong(due) == (
        {
            Work.REPORT: "公示最晚在2026年10月13日发布，满5 个工作日要到2026年10月20日，次日起才能上报；"
            "上报期限2026年10月20日来不及。请改晚上报，或提前前面的期限。"
        }
        if is_wrong
        else {}
    )


def test_without_a_day_for_the_notice_it_begins_with_the_work_before() -> None:
    due = {Work.FILING: D(2026, 9, 20), Work.SCHOOL_REVIEW: D(2026, 10, 13), Work.REPORT: D(2026, 10, 15)}
    assert "公示学校评审后最早在2026年10月13日发布" in wrong(due)[Work.REPORT]


def test_a_document_that_binds_is_named_with_its_day() -> None:
    binding = {Work.DISBURSEMENT: rule(Work.DISBURSEMENT, autumn="12-31", spring="06-30", is_binding=True)}
    due = {Work.FILING: D(2026, 9, 20), Work.DISBURSEMENT: D(2027, 1, 8)}
    assert wrong(due, binding)[Work.DISBURSEMENT] == (
        "发放的期限2027年1月8日晚于规定的2026年12月31日，依据：县里的文件。请改早，或先在“办理期限规定”中登记新的规定。"
    )
    after = {Work.DISBURSEMENT: rule(Work.DISBURSEMENT, 15, is_binding=True)}
    held = {Work.APPROVAL: D(2026, 11, 12), Work.DISBURSEMENT: D(2026, 12, 31)}
    assert "晚于规定的2026年12月3日（县级审批截止后 15 个工作日）" in wrong(held, after)[Work.DISBURSEMENT]
    assert wrong({Work.FILING: D(2026, 9, 20), Work.DISBURSEMENT: D(2026, 12, 31)}, after) == {}


# --- what to look at -------------------------------------------------------------------------------


def test_days_nobody_works_are_named_with_a_better_one() -> None:
    due = {Work.FILING: D(2026, 10, 31), Work.CLASS_REVIEW: D(2026, 10, 10), Work.NOTICE: D(2026, 10, 5)}
    assert remarks(due, today=D(2026, 9, 1), days=DAYS) == [
        "2026年10月31日是星期六，不是工作日（填报的期限）。可以改为之后的工作日2026年11月2日。",
        # The worked Saturday 10 October is none.
        "2026年10月5日是国庆节放假，不是工作日（发布公示的期限）。可以改为之后的工作日2026年10月8日。",
    ]


def test_a_year_not_covered_is_said_and_days_gone_by_too() -> None:
    due = {Work.FILING: D(2026, 9, 1), Work.APPROVAL: D(2027, 1, 9), Work.DISBURSEMENT: D(2027, 1, 20)}
    said = remarks(due, today=D(2026, 9, 7), days=DAYS)
    assert said[0].startswith("2027 年的放假调休安排还没有录入，没有核对县级审批、发放的期限是不是工作日")
    assert said[1:] == ["填报的期限2026年9月1日已经过去。"]


def test_the_end_of_a_year_needs_no_next_one_to_be_remarked() -> None:
    (said,) = remarks({Work.FILING: D(2025, 12, 28)}, today=D(2025, 9, 7), days=days_of(2025))
    assert "是星期日，不是工作日" in said


def test_a_missing_year_is_never_counted_by_weekdays() -> None:
    with pytest.raises(CalendarMissing, match="2027 年"):
        DAYS.after(D(2026, 12, 28), 5, working=True)


# --- where the work stands -------------------------------------------------------------------------

DUE = {Work.FILING: D(2026, 10, 9), Work.CLASS_REVIEW: D(2026, 10, 12), Work.SCHOOL_REVIEW: D(2026, 10, 14)}


def test_each_work_says_how_many_are_past_it_and_how_long_is_left() -> None:
    counts = {State.DRAFT: 1, State.SUBMITTED: 2, State.CLASS_REVIEWED: 3, State.PAID: 4, State.REJECTED: 9}
    found = {each.work: each for each in standings(counts, DUE, D(2026, 10, 12))}
    assert [(each.done, each.total, each.words) for each in list(found.values())[:4]] == [
        (9, 10, "逾期 3 天"),
        (7, 9, "今天到期"),  # the draft goes nowhere any more
        (4, 9, "还有 2 天"),
        (4, 9, "没有期限"),
    ]
    assert [found[work].tone for work in DUE] == ["stop", "wait", "wait"]
    assert latest(found.values()) == found[Work.FILING]


def test_nothing_filed_is_neither_late_nor_done() -> None:
    found = standings({}, DUE, D(2026, 12, 1))
    assert {each.words for each in found} == {"没有申请"}
    assert latest(found) is None


def test_what_is_done_is_never_late() -> None:
    found = standings({State.PAID: 3}, DUE, D(2026, 12, 1))
    assert {(each.words, each.tone, each.late_by) for each in found} == {("已完成", "done", 0)}


def test_while_filing_is_open_nothing_is_done_for_good() -> None:
    found = {each.work: each for each in standings({State.PAID: 3}, DUE, D(2026, 10, 8))}
    assert found[Work.FILING].words == "还有 1 天"
    assert found[Work.CLASS_REVIEW].words == "还有 4 天"
    assert found[Work.NOTICE].words == "没有期限"
    assert found[Work.FILING].tone == "wait"


def test_what_presses_is_late_work_and_the_next_that_is_due() -> None:
    found = standings({State.SUBMITTED: 2}, DUE, D(2026, 10, 13))
    assert [each.work for each in pressing(found)] == [Work.CLASS_REVIEW, Work.SCHOOL_REVIEW]
    assert pressing(standings({State.PAID: 2}, DUE, D(2026, 10, 13))) == []


@given(
    counts=st.dictionaries(st.sampled_from(list(State)), st.integers(0, 50)),
    today=st.dates(D(2026, 9, 1), D(2026, 12, 31)),
)
def test_fewer_are_past_later_work_and_late_work_is_undone_work(counts, today) -> None:
    found = standings(counts, DUE, today)
    done = [each.done for each in found]
    assert done == sorted(done, reverse=True)
    assert all(0 <= each.done <= each.total for each in found)
    assert all(each.late_by == 0 or (each.left > 0 and today > each.due_on) for each in found)


def test_a_plan_is_told_in_its_order() -> None:
    due = {Work.REPORT: D(2026, 10, 22), Work.FILING: D(2026, 9, 20)}
    assert told(due) == "填报 2026-09-20；上报县中心 2026-10-22"


# --- two notices -----------------------------------------------------------------------------------

TWO = NoticeLength(2, working=True)


def test_the_notice_in_the_class_has_its_days_before_the_school_sits() -> None:
    rules = USUAL | {Work.SCHOOL_REVIEW: rule(Work.SCHOOL_REVIEW, 1)}
    plain = propose(rules, term=AUTUMN, opens_on=OPENING, closes_on=None, notice=FIVE, days=DAYS)
    shown = propose(rules, term=AUTUMN, opens_on=OPENING, closes_on=None, notice=FIVE, days=DAYS, in_class=TWO)
    assert plain.due[Work.CLASS_REVIEW] == shown.due[Work.CLASS_REVIEW]
    hung = DAYS.after(shown.due[Work.CLASS_REVIEW], 2, working=True)[-1]
    assert plain.due[Work.SCHOOL_REVIEW] <= hung < shown.due[Work.SCHOOL_REVIEW]
    how = {"rules": rules, "term": AUTUMN, "opens_on": OPENING, "notice": FIVE, "days": DAYS, "in_class": TWO}
    assert Work.SCHOOL_REVIEW not in faults(shown.due, **how)
    assert "满2 个工作日要到" in faults(plain.due, **how)[Work.SCHOOL_REVIEW].replace("满 ", "满")
