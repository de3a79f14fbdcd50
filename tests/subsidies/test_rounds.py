"""Opening a round: once for a programme and term, over a county or a school, with a window that makes sense."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from accounts import clock
from accounts.models import AuditRow
from students.models import Term
from subsidies import applications, rounds
from subsidies.models import Programme, Round
from subsidies.workflow import StepRefused
from tests.cast import TODAY, enrol, open_round

TOMORROW = TODAY + dt.timedelta(days=1)


def opening(cast, unit=None, by=None, code: str = "living-aid", opens_on=TODAY, closes_on=TOMORROW, term=None) -> Round:
    programme = Programme.objects.get(code=code)
    return rounds.open_round(
        programme=programme,
        term=term or cast.term,
        unit=unit or cast.county,
        opens_on=opens_on,
        closes_on=closes_on,
        by=by or cast.clerk,
    )


def refusal(cast, **what) -> str:
    before = Round.objects.count()
    with pytest.raises(ValidationError) as refused:
        opening(cast, **what)
    assert Round.objects.count() == before
    return "".join(refused.value.messages)


def test_a_clerk_opens_a_round_for_the_county(cast) -> None:
    opened = opening(cast)
    assert (opened.unit, opened.opened_by, opened.opens_on, opened.closes_on) == (
        cast.county, cast.clerk, TODAY, TOMORROW,
    )  # fmt: skip
    assert AuditRow.objects.filter(action="round.open", subject=f"subsidies.round:{opened.pk}").count() == 1


def test_an_officer_opens_a_round_for_the_own_school(cast) -> None:
    opened = opening(cast, unit=cast.school_a, by=cast.officer_a)
    for who in ("officer_a", "teacher_a1", "clerk", "inspector"):
        assert list(rounds.visible_to(cast.people[who])) == [opened], who
    for who in ("officer_b", "teacher_b1"):
        assert list(rounds.visible_to(cast.people[who])) == [], who


@pytest.mark.parametrize("who", ["teacher_a1", "principal_a", "head", "inspector", "admin", "officer_b"])
def test_others_do_not(cast, who) -> None:
    with pytest.raises(PermissionDenied):
        opening(cast, unit=cast.school_a, by=cast.people[who])
    assert not Round.objects.exists()


def test_a_round_is_not_for_one_class(cast) -> None:
    assert refusal(cast, unit=cast.class_a1, by=cast.officer_a) == "批次按县或学校开启，不能只对一个班开启。"


def test_the_window_must_not_end_before_it_begins(cast) -> None:
    assert refusal(cast, opens_on=TOMORROW, closes_on=TODAY) == "截止日期不能早于开始日期。"


def test_the_window_must_not_be_over(cast) -> None:
    yesterday = TODAY - dt.timedelta(days=1)
    assert refusal(cast, opens_on=yesterday, closes_on=yesterday) == "截止日期已过，请填写今天或以后的日期。"


def test_the_county_opened_it_already(cast) -> None:
    opening(cast)
    said = "“义务教育家庭经济困难学生生活补助”2026—2027学年秋季学期已在云岭县开启，不用重复开启。"
    assert refusal(cast) == said
    assert refusal(cast, unit=cast.school_a, by=cast.officer_a) == said


def test_a_school_opened_it_already(cast) -> None:
    opening(cast, unit=cast.school_a, by=cast.officer_a)
    assert "已在云岭县第一初级中学开启" in refusal(cast)
    opening(cast, unit=cast.school_b, by=cast.officer_b)  # another school is free to


def test_another_programme_and_another_term_are_other_rounds(cast) -> None:
    opening(cast)
    opening(cast, code="preschool-aid")
    spring = Term.objects.get(key="2026-2027-2")
    opening(cast, term=spring)
    assert Round.objects.count() == 3


def test_a_programme_that_is_switched_off(cast) -> None:
    Programme.objects.filter(code="living-aid").update(is_active=False)
    assert "已停用" in refusal(cast)


def test_a_term_without_rules_of_procedure(cast) -> None:
    Programme.objects.get(code="living-aid").process_rules.update(first_term="2027-2028-1")
    assert "没有评审和公示规则" in refusal(cast)


def test_a_term_without_a_standard(cast) -> None:
    programme = Programme.objects.get(code="living-aid")
    programme.standards.filter(last_term="").update(last_term="2025-2026-2")
    assert refusal(cast) == (
        "“义务教育家庭经济困难学生生活补助”在2026—2027学年秋季学期没有可用的标准，请先在“项目与标准”中维护。"
    )


def test_the_database_refuses_the_same_round_and_a_window_that_runs_backwards(cast) -> None:
    same = opening(cast)
    facts = {"programme": same.programme, "term": same.term, "opened_at": clock.now(), "opened_by": cast.clerk}
    for unit, closes_on in ((cast.county, TOMORROW), (cast.school_a, TODAY - dt.timedelta(days=1))):
        with pytest.raises(IntegrityError), transaction.atomic():
            Round.objects.create(unit=unit, opens_on=TODAY, closes_on=closes_on, **facts)


# --- the window ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "may"), [(-1, False), (0, True), (30, True), (31, False)])
def test_teachers_submit_from_the_first_to_the_last_day(cast, days, may) -> None:
    round_ = open_round(cast)
    wish = applications.Wish(enrol(cast, cast.class_a1))
    drafts = applications.save_drafts(round_, cast.class_a1, [wish], by=cast.teacher_a1)
    clock.set_demo_day(TODAY + dt.timedelta(days=days))
    if may:
        assert applications.submit(drafts, by=cast.teacher_a1) == 1
        return
    with pytest.raises(StepRefused) as refused:
        applications.submit(drafts, by=cast.teacher_a1)
    assert refused.value.messages == [
        "“2026—2027学年秋季学期 义务教育家庭经济困难学生生活补助”的填报时间是 2026-10-12 至 2026-11-11，今天不能提交。"
        "需要延长请联系开启批次的人员。"
    ]


def test_a_longer_window_lets_teachers_submit_again(cast) -> None:
    round_ = open_round(cast)
    wish = applications.Wish(enrol(cast, cast.class_a1))
    drafts = applications.save_drafts(round_, cast.class_a1, [wish], by=cast.teacher_a1)
    clock.set_demo_day(TODAY + dt.timedelta(days=40))
    longer = {"opens_on": TODAY, "closes_on": TODAY + dt.timedelta(days=45), "due": {}}
    rounds.change_window(round_, **longer, reason="停电三天", by=cast.clerk)
    assert applications.submit(drafts, by=cast.teacher_a1) == 1
    row = AuditRow.objects.get(action="round.change_window")
    assert row.detail["after"] == "开始 2026-10-12；填报 2026-11-26"
    assert row.detail["before"].startswith("开始 2026-10-12；填报 2026-11-11；班级评议 2026-11-18；")
    assert row.detail["note"] == "停电三天"


def test_the_window_is_moved_by_those_who_open_rounds_and_never_backwards(cast) -> None:
    round_ = open_round(cast)
    with pytest.raises(PermissionDenied):
        rounds.change_window(round_, opens_on=TODAY, closes_on=TOMORROW, reason="改期", by=cast.officer_a)
    with pytest.raises(ValidationError, match="截止日期不能早于开始日期"):
        rounds.change_window(round_, opens_on=TOMORROW, closes_on=TODAY, reason="改期", by=cast.clerk)
