"""上报前检查: what the county's rules stop, who goes on, what is mended and what goes its road again."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditRow
from students.models import BankAccount, Pupil
from subsidies import applications, checks, reviews, workflow
from subsidies.check_forms import ReturnForm
from subsidies.completeness import Check
from subsidies.models import Application, CheckRule, Programme
from subsidies.states import State, Step
from subsidies.workflow import StepRefused
from tests.cast import Cast, agree, enrol, minutes, refreshed, submitted, walk

from .shortcuts import walk_on
from .test_pages import open_as, text_of

STOPS, OFF = CheckRule.Effect.STOPS, CheckRule.Effect.OFF


def rule(cast: Cast, check: Check, effect: str, **how: object) -> CheckRule:
    row = CheckRule(check_code=check, first_term=cast.term.key, effect=effect, source="云教〔2026〕9号", **how)
    return checks.set_rule(row, county=cast.county, by=cast.clerk)


def codes(rows: list[Application]) -> list[set[str]]:
    found = checks.of(refreshed(rows))
    return [{str(each.finding.check) for each in found[row.pk]} for row in rows]


@pytest.fixture
def cleared(cast, round_) -> list[Application]:
    pupils = [enrol(cast, cast.class_a1, name=name) for name in ("张一", "张二", "张三")]
    return walk_on(cast, submitted(cast, round_, *pupils), State.CLEARED)


def test_what_a_new_county_checks_stops_no_ordinary_list(cast, cleared) -> None:
    assert not checks.stopping(cleared)
    # No picture of the meetings, no form, no opinion: said, and nobody is held up.
    assert {Check.MINUTES, Check.FORM, Check.CLASS_OPINION} <= codes(cleared)[0]
    assert workflow.advance_all(cleared, Step.REPORT, by=cast.officer_a) == 3


def test_a_finding_that_stops_holds_back_its_pupil_alone(cast, cleared) -> None:
    rule(cast, Check.ACCOUNT, STOPS)
    BankAccount.objects.filter(pupil=cleared[0].pupil).update(ends_on=cast.term.ends_on)
    with pytest.raises(StepRefused, match="1 份申请的材料还不能上报，例如：没有登记收款账户"):
        workflow.advance_all(cleared, Step.REPORT, by=cast.officer_a)
    assert {row.state for row in refreshed(cleared)} == {State.CLEARED}

    officer = open_as(cast.officer_a)
    address = reverse("school_report", args=[cleared[0].round.pk, cast.school_a.pk])
    page = officer.get(address)
    assert "1 名学生的材料还不能上报" in text_of(page)
    officer.post(address, {"seen": page.context["seen"]})
    assert [row.state for row in refreshed(cleared)] == [State.CLEARED, State.REPORTED, State.REPORTED]


def test_what_is_mended_is_reported(cast, cleared) -> None:
    rule(cast, Check.ACCOUNT, STOPS)
    BankAccount.objects.filter(pupil=cleared[0].pupil).update(ends_on=cast.term.ends_on)
    BankAccount.objects.filter(pupil=cleared[0].pupil).update(ends_on=None)
    assert workflow.advance_all(cleared, Step.REPORT, by=cast.officer_a) == 3


def test_a_programmes_own_rule_goes_before_the_one_for_all(cast, cleared) -> None:
    rule(cast, Check.CLASS_OPINION, STOPS)
    assert len(checks.stopping(cleared)) == 3
    rule(cast, Check.CLASS_OPINION, OFF, programme=Programme.objects.get(code="living-aid"))
    assert not checks.stopping(cleared)


def test_a_rule_of_a_later_term_does_not_count_yet(cast, cleared) -> None:
    row = CheckRule(check_code=Check.CLASS_OPINION, first_term="2026-2027-2", effect=STOPS, source="云教〔2027〕1号")
    checks.set_rule(row, county=cast.county, by=cast.clerk)
    assert not checks.stopping(cleared)


def test_only_the_county_sets_the_rules(cast, db) -> None:
    row = CheckRule(check_code=Check.FORM, first_term=cast.term.key, effect=STOPS, source="自定")
    with pytest.raises(PermissionDenied):
        checks.set_rule(row, county=cast.county, by=cast.officer_a)
    with pytest.raises(ValidationError):
        rule(cast, Check.FORM, "perhaps")


def test_a_name_that_changed_since_is_found(cast, cleared) -> None:
    Pupil.objects.filter(pk=cleared[1].pupil_id).update(name="张弎")
    first, second, _ = codes(cleared)
    assert "name" in second - first


def test_what_no_paper_can_mend_goes_its_road_again_and_the_rest_goes_on(cast, cleared) -> None:
    rule(cast, Check.CLASS_OPINION, STOPS)
    first = refreshed(cleared)[0]
    workflow.advance(first, Step.RETURN_FOR_PAPERS, by=cast.officer_a, note="班级评议没有意见")
    assert first.state == State.RETURNED
    # Handed in and heard again, with an opinion this time.
    applications.submit([first], by=cast.teacher_a1)
    agree_with_opinion(cast, first, "class", cast.class_a1, by=cast.grade_head_a)
    assert "class_opinion" not in codes([first])[0]


def agree_with_opinion(cast, row, level, unit, *, by) -> None:
    verdict = reviews.Verdict(refreshed([row])[0], "agree", votes_for=10, votes_against=0, opinion="情况属实")
    reviews.hold(round_=row.round, unit=unit, level=level, minutes=minutes(), verdicts=[verdict], by=by)


def test_days_of_an_older_round_of_the_road_are_not_out_of_order(cast, cleared) -> None:
    """The county sends one back to the school, whose meeting is later than the first notice."""
    workflow.advance_all(cleared, Step.REPORT, by=cast.officer_a)
    workflow.advance(cleared[0], Step.RETURN_TO_SCHOOL, by=cast.clerk, note="请重新评审")
    agree(refreshed(cleared[:1]), "school", cast.school_a, by=cast.officer_a)
    workflow.advance_all(cleared[:1], Step.CONFIRM, by=cast.principal_a)
    row = refreshed(cleared)[0]
    assert "dates" not in codes([row])[0]
    with pytest.raises(StepRefused, match="没有查到不能上报的问题"):
        workflow.advance(row, Step.RETURN_FOR_PAPERS, by=cast.officer_a, note="想退回")


def test_what_the_officer_typed_stands_whole_after_many_findings() -> None:
    case = Application(pupil=Pupil(name="张一"))
    form = ReturnForm({"case": [str(case.pk)], "note": "请补写意见"}, cases=[case])
    assert form.is_valid()
    assert form.notes({case.pk: ["缺材料。" * 40, "日期倒置。" * 40]})[case.pk].endswith("请补写意见")


def test_nobody_goes_back_without_a_finding_that_stops(cast, cleared, whole) -> None:
    before = whole()
    with pytest.raises(StepRefused, match="没有查到不能上报的问题"):
        workflow.advance_all(cleared, Step.RETURN_FOR_PAPERS, by=cast.officer_a, note="想退回")
    assert whole() == before


def test_the_page_says_what_for_whom_and_where_and_returns_the_chosen(cast, cleared) -> None:
    rule(cast, Check.CLASS_OPINION, STOPS)
    address = reverse("school_check", args=[cleared[0].round.pk, cast.school_a.pk])
    officer = open_as(cast.officer_a)
    page = text_of(officer.get(address))
    assert "其中 3 名现在不能上报" in page
    assert "班级评议没有写对这名学生的意见" in page
    assert reverse("meeting", args=[cleared[0].decisions.get(meeting__level="class").meeting_id]) in page

    refused = officer.post(address, {"note": ""})
    assert "请至少选择一名学生" in text_of(refused)
    officer.post(address, {"case": [str(cleared[0].pk)], "note": "请补写意见"})
    first, *rest = refreshed(cleared)
    assert first.state == State.RETURNED
    assert first.steps.last().note.endswith("请补写意见")
    assert "班级评议没有写对这名学生的意见" in first.steps.last().note
    assert {row.state for row in rest} == {State.CLEARED}


def test_the_principal_reads_the_page_and_returns_nobody(cast, cleared) -> None:
    address = reverse("school_check", args=[cleared[0].round.pk, cast.school_a.pk])
    principal = open_as(cast.principal_a)
    assert 'name="case"' not in text_of(principal.get(address))
    assert principal.post(address, {"case": [str(cleared[0].pk)]}).status_code == 403


def test_the_page_asks_the_same_of_one_and_of_three(cast, round_) -> None:
    officer, counts = open_as(cast.officer_a), []
    address = reverse("school_check", args=[round_.pk, cast.school_a.pk])
    for names in (("张一",), ("张二", "张三")):
        pupils = [enrol(cast, cast.class_a1, name=each) for each in names]
        walk(cast, submitted(cast, round_, *pupils), State.CONFIRMED)
        officer.get(address)
        with CaptureQueriesContext(connection) as asked:
            officer.get(address)
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_rules_are_recorded_on_their_page_and_in_the_trail(cast, db) -> None:
    clerk, address = open_as(cast.clerk), reverse("check_rules")
    typed = {"check_code": "minutes", "first_term": cast.term.pk, "effect": "stops", "source": "云教〔2026〕9号"}
    assert clerk.post(address, typed).status_code == 302
    assert CheckRule.objects.get(check_code="minutes", first_term=cast.term.key).effect == STOPS
    assert AuditRow.objects.filter(action="check_rule.set").count() == 1
    assert "查到就不能上报" in text_of(clerk.get(address))
