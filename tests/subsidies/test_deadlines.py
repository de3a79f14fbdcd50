"""The county's rules for deadlines, and the deadlines of a round: proposed, checked, changed on the record."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from accounts import clock
from accounts.models import AuditRow
from students import working_calendar
from subsidies import deadlines, rounds
from subsidies.models import DeadlineRule, Programme, RoundDeadline
from subsidies.states import State, Work
from tests.cast import TODAY, enrol, open_round, refreshed, submitted, walk

D = dt.date


def rule(work: Work = Work.REPORT, **how: object) -> DeadlineRule:
    usual = {"first_term": "2026-2027-1", "kind": "after", "count": 12, "source": "云岭教发〔2026〕5号"}
    return DeadlineRule(work=work, recorded_at=clock.now(), **usual | how)


def living() -> Programme:
    return Programme.objects.get(code="living-aid")


# --- rules ----------------------------------------------------------------------------------------


def test_a_new_county_has_a_rule_for_every_work_with_its_source(cast) -> None:
    assert set(deadlines.rules_in_force(living(), cast.term)) == set(Work)
    assert deadlines.load() == 0
    assert not DeadlineRule.objects.filter(source="").exists()


def test_a_rule_holds_from_its_term_on_and_a_programmes_own_goes_first(cast) -> None:
    before = deadlines.rules_of(living(), cast.term)[Work.REPORT].count
    deadlines.set_rule(rule(first_term="2026-2027-2"), county=cast.county, by=cast.clerk)
    assert deadlines.rules_of(living(), cast.term)[Work.REPORT].count == before
    deadlines.set_rule(rule(), county=cast.county, by=cast.clerk)
    deadlines.set_rule(rule(programme=living(), count=9), county=cast.county, by=cast.clerk)
    assert deadlines.rules_of(living(), cast.term)[Work.REPORT].count == 9
    other = Programme.objects.get(code="senior-grant")
    assert deadlines.rules_of(other, cast.term)[Work.REPORT].count == 12
    names = [str(row.programme or "") for row in deadlines.all_in_force(cast.term)[Work.REPORT]]
    assert names == ["", living().name]


def test_no_deadline_is_a_rule_too(cast) -> None:
    row = rule(Work.DISBURSEMENT, kind="none", count=0, programme=living())
    deadlines.set_rule(row, county=cast.county, by=cast.clerk)
    assert Work.DISBURSEMENT not in deadlines.rules_of(living(), cast.term)
    assert Work.DISBURSEMENT not in deadlines.of(open_round(cast))


def test_the_same_term_again_corrects_and_the_trail_keeps_both(cast) -> None:
    deadlines.set_rule(rule(), county=cast.county, by=cast.clerk)
    deadlines.set_rule(
        rule(kind="fixed", count=0, autumn_on="11-20", spring_on="05-20", is_binding=True),
        county=cast.county,
        by=cast.clerk,
    )
    assert DeadlineRule.objects.filter(work=Work.REPORT, first_term="2026-2027-1").count() == 1
    told = AuditRow.objects.filter(action="deadline.rule").latest("pk").detail
    assert told["before"] == "发布公示截止后 12 个工作日"
    assert told["after"] == "秋季学期 11月20日、春季学期 5月20日，文件规定的最晚日期"
    assert (told["task"], told["basis"]) == ("上报县中心", "云岭教发〔2026〕5号")


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"kind": "fixed", "count": 0, "autumn_on": "02-29", "spring_on": "04-30"}, "没有 02-29 这一天"),
        ({"kind": "fixed", "count": 0, "autumn_on": "十月", "spring_on": "04-30"}, "没有 十月 这一天"),
        ({"kind": "fixed", "count": 0, "autumn_on": "W05-1", "spring_on": "04-30"}, "没有 W05-1 这一天"),
        ({"work": Work.FILING, "kind": "none", "count": 0}, "填报必须有截止日期"),
        ({"source": ""}, "该字段不能为空|此字段不能为空|不能为空|必填"),
        ({"first_term": "2026"}, "学期代码形如"),
    ],
)
def test_a_rule_that_says_nothing_sensible_is_refused(cast, how, sentence) -> None:
    with pytest.raises(ValidationError, match=sentence):
        deadlines.set_rule(rule(**how), county=cast.county, by=cast.clerk)


@pytest.mark.parametrize("who", ["officer_a", "head", "principal_a", "inspector", "admin"])
def test_only_the_county_clerk_records_rules(cast, who) -> None:
    with pytest.raises(PermissionDenied):
        deadlines.set_rule(rule(), county=cast.county, by=cast.people[who])


def test_the_database_refuses_a_rule_without_a_day(cast) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        rule(kind="after", count=0).save()
    with pytest.raises(IntegrityError), transaction.atomic():
        rule(kind="fixed", count=0, autumn_on="10-31").save()


# --- the plan of a round --------------------------------------------------------------------------


def test_a_round_gets_the_days_its_rules_give(cast) -> None:
    round_ = open_round(cast)
    assert deadlines.of(round_) == {
        Work.FILING: D(2026, 11, 11),
        Work.CLASS_REVIEW: D(2026, 11, 18),
        Work.SCHOOL_REVIEW: D(2026, 11, 25),
        Work.CONFIRMATION: D(2026, 11, 26),
        Work.NOTICE: D(2026, 11, 27),
        Work.REPORT: D(2026, 12, 8),
        Work.VERIFICATION: D(2026, 12, 22),
        Work.APPROVAL: D(2026, 12, 29),
        Work.DISBURSEMENT: D(2026, 12, 31),
    }
    assert "上报县中心 2026-12-08" in AuditRow.objects.get(action="round.open").detail["due"]


def test_of_several_rounds_one_question(cast, django_assert_num_queries) -> None:
    held = [open_round(cast), open_round(cast, "senior-grant"), open_round(cast, "preschool-aid")]
    with django_assert_num_queries(1):
        found = deadlines.of_rounds(held)
    assert {len(plan) for plan in found.values()} == {len(Work)}


def opening(cast, **due: D) -> None:
    rounds.open_round(
        programme=living(),
        term=cast.term,
        unit=cast.county,
        opens_on=TODAY,
        closes_on=D(2026, 10, 20),
        due={Work(name): day for name, day in due.items()},
        by=cast.clerk,
    )


@pytest.mark.parametrize(
    ("due", "field", "sentence"),
    [
        ({"class_review": D(2026, 10, 19)}, "due_class_review", "却早于填报的2026年10月20日"),
        ({"notice": D(2026, 10, 21), "report": D(2026, 10, 23)}, "due_report", "满5 个工作日要到2026年10月28日"),
        ({"disbursement": D(2028, 1, 3)}, "due_disbursement", "超过一年"),
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused_at_its_day(cast, due, field, sentence) -> None:
    with pytest.raises(ValidationError, match=sentence) as refused:
        opening(cast, **due)
    assert list(refused.value.message_dict) == [field]
    assert not RoundDeadline.objects.exists()


def test_a_binding_rule_binds_the_round_until_a_new_one_is_recorded(cast) -> None:
    binding = rule(Work.APPROVAL, kind="fixed", count=0, autumn_on="11-30", spring_on="05-30", is_binding=True)
    deadlines.set_rule(binding, county=cast.county, by=cast.clerk)
    with pytest.raises(ValidationError, match="县级审批的期限2026年12月4日晚于规定的2026年11月30日，依据：云岭教发"):
        opening(cast, approval=D(2026, 12, 4))
    opening(cast, approval=D(2026, 11, 30))


def test_days_are_changed_with_a_reason_and_old_and_new_stand_in_the_trail(cast) -> None:
    round_ = open_round(cast)
    with pytest.raises(ValidationError, match="请写明更改期限的原因"):
        rounds.change_window(round_, opens_on=TODAY, closes_on=D(2026, 11, 11), reason=" ", by=cast.clerk)
    due = deadlines.of(round_) | {Work.REPORT: D(2026, 12, 10)}
    del due[Work.DISBURSEMENT]
    rounds.change_window(
        round_, opens_on=TODAY, closes_on=D(2026, 11, 12), due=due, reason="两所学校停电", by=cast.clerk
    )
    round_.refresh_from_db()
    assert deadlines.of(round_) == due | {Work.FILING: D(2026, 11, 12)}
    told = AuditRow.objects.get(action="round.change_window").detail
    assert "上报县中心 2026-12-08" in told["before"]
    assert "上报县中心 2026-12-10" in told["after"]
    assert "发放" not in told["after"]
    assert told["note"] == "两所学校停电"


def test_a_longer_filing_that_runs_into_the_class_review_is_named(cast) -> None:
    round_ = open_round(cast)
    with pytest.raises(ValidationError, match="班级评议在填报之后办理") as refused:
        rounds.change_window(round_, opens_on=TODAY, closes_on=D(2026, 11, 19), reason="延长", by=cast.clerk)
    assert list(refused.value.message_dict) == ["due_class_review"]


def test_a_round_of_a_year_nobody_knows_opens_with_the_days_that_can_be_reckoned(cast) -> None:
    clock.set_demo_day(D(2026, 12, 21))
    round_ = open_round(cast)  # filing until 20 January 2027
    assert deadlines.of(round_) == {Work.FILING: D(2027, 1, 20)}
    (said,) = [words for words in deadlines.remarks(deadlines.of(round_)) if "2027" in words]
    assert "还没有录入" in said
    known = {D(2027, 1, 1): "元旦"}
    working_calendar.record_year(2027, document="通知", rest=known, work={}, county=cast.county, by=cast.clerk)
    found = deadlines.propose(living(), cast.term, opens_on=TODAY, closes_on=round_.closes_on)
    assert found.due[Work.CLASS_REVIEW] == D(2027, 1, 27)


def test_work_after_its_last_day_goes_on(cast) -> None:
    """A deadline refuses nobody but the teacher who files too late."""
    rows = submitted(cast, open_round(cast), enrol(cast, cast.class_a1))
    clock.set_demo_day(D(2026, 12, 28))
    walk(cast, rows, State.SCHOOL_REVIEWED)
    assert refreshed(rows)[0].state == State.SCHOOL_REVIEWED


def test_a_round_taken_back_takes_its_deadlines_along(cast) -> None:
    round_ = open_round(cast)
    rounds.withdraw(round_, by=cast.clerk)
    assert not RoundDeadline.objects.exists()
