"""A school that uses more places than it has reports nobody more who uses one, until its meeting has settled that."""

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditRow, Unit
from students.models import Category
from subsidies import places, quotas, reviews, workflow
from subsidies.models import Application, Decision, Quota
from subsidies.quotas import BelowUse
from subsidies.states import Place, State, Step
from subsidies.workflow import StepRefused
from tests.cast import Cast, agree, enrol, minutes, refreshed, submitted, walk
from tests.subsidies.quota_hands import DOCUMENT, allot, give, held, pass_on, receive, seats
from tests.subsidies.shortcuts import walk_on
from tests.subsidies.test_pages import open_as, text_of

REASON = "县里调减名额，重新评审排序"


def cleared(cast: Cast, round_, *classes: Unit, kinds=("dibao_rural",), name: str = "学生") -> list[Application]:
    pupils = [enrol(cast, unit, name=f"{name}{n}", kinds=kinds) for n, unit in enumerate(classes)]
    return walk_on(cast, submitted(cast, round_, *pupils), State.CLEARED)


def cut(quota: Quota, number: int, by) -> None:
    """Reduce below what is used, having looked at the list."""
    try:
        quotas.reduce(quota, number, document=DOCUMENT, by=by)
    except BelowUse as below:
        quotas.reduce(quota, number, document=DOCUMENT, by=by, seen=below.seen)


def report(rows, by) -> int:
    return workflow.advance_all(refreshed(rows), Step.REPORT, by=by)


def send_back(rows, by) -> int:
    return workflow.advance_all(refreshed(rows), Step.RETURN_FOR_QUOTA, by=by, note=REASON)


def overs(round_, school: Unit) -> list[tuple[int, int, bool]]:
    found = places.overs_in(round_.programme, round_.term, [school]).get(school.pk, [])
    return [(over.places, over.taken, over.shared) for over in found]


# --- the door ----------------------------------------------------------------------------------------------


def test_reporting_stops_while_the_school_is_over_and_goes_on_once_it_is_settled(cast, round_) -> None:
    give(cast, round_, 3)
    rows = cleared(cast, round_, *[cast.class_a1] * 3)
    cut(held(round_, cast.school_a), 1, cast.clerk)
    assert overs(round_, cast.school_a) == [(1, 3, False)]
    with pytest.raises(StepRefused) as refused:
        report(rows[:1], cast.officer_a)
    assert "".join(refused.value.messages) == (
        "云岭县第一初级中学的名额超出 2 人（本校名额 1 个，已用 3 个），处理以前不能再上报占用名额的申请。"
        "请到“名额”把超出的申请退回学校评审，或请县资助中心增加名额；应助尽助的学生不占名额，可以先上报。"
    )
    assert {row.state for row in refreshed(rows)} == {State.CLEARED}
    send_back(rows[1:], cast.officer_a)
    assert [(row.state, row.place) for row in refreshed(rows)] == [
        (State.CLEARED, Place.TAKEN), (State.CLASS_REVIEWED, ""), (State.CLASS_REVIEWED, ""),
    ]  # fmt: skip
    assert overs(round_, cast.school_a) == []
    assert report(rows[:1], cast.officer_a) == 1
    with pytest.raises(StepRefused, match="名额已用完"):
        agree(refreshed(rows[1:2]), "school", cast.school_a, by=cast.officer_a)
    no = Decision.Verdict.REJECT
    verdicts = [reviews.Verdict(row, no, opinion="名额不足，已向家长说明") for row in refreshed(rows[1:])]
    reviews.hold(
        round_=round_, unit=cast.school_a, level="school", minutes=minutes(), verdicts=verdicts, by=cast.officer_a
    )
    assert {row.state for row in refreshed(rows[1:])} == {State.REJECTED}
    note = rows[1].steps.get(step=Step.RETURN_FOR_QUOTA).note
    assert (note, AuditRow.objects.filter(action="application.return_for_quota").count()) == (REASON, 2)


def test_more_places_settle_it_as_well(cast, round_) -> None:
    give(cast, round_, 2)
    rows = cleared(cast, round_, cast.class_a1, cast.class_a1)
    cut(held(round_, cast.school_a), 1, cast.clerk)
    allot(cast, round_, {cast.school_a: 2})
    assert report(rows, cast.officer_a) == 2


def test_who_stands_outside_the_quota_is_reported_all_the_same(cast, round_) -> None:
    quotas.add_outside(
        round_.programme, Category.objects.get(code="tekun"), first_term=cast.term.key, source=DOCUMENT,
        county=cast.county, by=cast.clerk,
    )  # fmt: skip
    give(cast, round_, 1)
    takers, outsiders = [enrol(cast, cast.class_a1, name=name, kinds=kinds) for name, kinds in
                         (("甲", ("dibao_rural",)), ("乙", ("tekun",)))]  # fmt: skip
    rows = walk_on(cast, submitted(cast, round_, takers, outsiders), State.CLEARED)
    cut(held(round_, cast.school_a), 0, cast.clerk)
    assert overs(round_, cast.school_a) == [(0, 1, False)]
    with pytest.raises(StepRefused):
        report(rows, cast.officer_a)
    with pytest.raises(StepRefused, match="1 份申请不占用名额"):
        send_back([rows[1]], cast.officer_a)
    assert report([rows[1]], cast.officer_a) == 1


def test_a_class_over_its_own_places_stops_its_school_not_another(cast, round_) -> None:
    receive(cast, round_, 6)
    allot(cast, round_, {cast.school_a: 4, cast.school_b: 2})
    pass_on(cast, round_, {cast.class_a1: 2, cast.class_a2: 2})
    rows = cleared(cast, round_, cast.class_a1, cast.class_a1, cast.class_a2)
    others = cleared(cast, round_, cast.class_b1, name="李")
    cut(held(round_, cast.class_a1), 1, cast.officer_a)
    assert overs(round_, cast.school_a) == [(1, 2, False)]
    with pytest.raises(StepRefused, match="七年级1班名额 1 个，已用 2 个"):
        report(rows[2:], cast.officer_a)
    with pytest.raises(StepRefused, match="所在班级、学校没有超出名额"):
        send_back(rows[2:], cast.officer_a)
    assert report(others, cast.officer_b) == 1
    send_back(rows[:1], cast.officer_a)
    assert report(rows[1:], cast.officer_a) == 2


def test_schools_that_share_what_the_county_kept_are_stopped_together(cast, round_) -> None:
    receive(cast, round_, 2)
    ours, theirs = cleared(cast, round_, cast.class_a1), cleared(cast, round_, cast.class_b1, name="李")
    cut(held(round_, cast.county), 1, cast.clerk)
    for school in (cast.school_a, cast.school_b):
        assert overs(round_, school) == [(1, 2, True)]
    for rows, officer in ((ours, cast.officer_a), (theirs, cast.officer_b)):
        with pytest.raises(StepRefused, match="县里没有分到学校的名额 1 个，已用 2 个"):
            report(rows, officer)
    send_back(theirs, cast.officer_b)
    assert report(ours, cast.officer_a) == 1


def test_a_rule_that_ends_puts_a_school_over(cast, round_) -> None:
    """Cases agreed to as outside the quota need a place once their kind is no longer named: nobody reduced anything."""
    tekun = Category.objects.get(code="tekun")
    rule = quotas.add_outside(
        round_.programme, tekun, first_term="2025-2026-2", source=DOCUMENT, county=cast.county, by=cast.clerk
    )
    give(cast, round_, 0)
    rows = cleared(cast, round_, cast.class_a1, kinds=("tekun",))
    assert overs(round_, cast.school_a) == []
    quotas.end_outside(rule, last_term="2025-2026-2", document="县文件", county=cast.county, by=cast.clerk)
    assert overs(round_, cast.school_a) == [(0, 1, False)]
    with pytest.raises(StepRefused, match="超出 1 人"):
        report(rows, cast.officer_a)


@pytest.mark.parametrize("who", ["principal_a", "teacher_a1", "officer_b", "clerk", "head", "inspector"])
def test_only_the_schools_officer_sends_back(cast, round_, who) -> None:
    give(cast, round_, 1)
    rows = cleared(cast, round_, cast.class_a1)
    cut(held(round_, cast.school_a), 0, cast.clerk)
    with pytest.raises(PermissionDenied):
        send_back(rows, cast.people[who])
    with pytest.raises(StepRefused, match="请写明原因"):
        workflow.advance_all(rows, Step.RETURN_FOR_QUOTA, by=cast.officer_a)


def test_nobody_is_sent_back_without_need(cast, round_) -> None:
    give(cast, round_, 1)
    rows = cleared(cast, round_, cast.class_a1)
    with pytest.raises(StepRefused, match="没有超出名额"):
        send_back(rows, cast.officer_a)


# --- the pages ---------------------------------------------------------------------------------------------


@pytest.fixture
def stopped(cast, round_) -> list[Application]:
    """Three cleared cases of a class that has one place left of three."""
    give(cast, round_, 3)
    rows = cleared(cast, round_, *[cast.class_a1] * 3)
    cut(held(round_, cast.school_a), 1, cast.clerk)
    return rows


def test_the_officer_is_led_from_the_first_page_to_the_settlement(cast, round_, stopped) -> None:
    officer = open_as(cast.officer_a)
    settle = reverse("quota_over", args=[round_.pk, cast.school_a.pk])
    home = text_of(officer.get(reverse("home")))
    assert "超出名额，待处理" in home
    assert "本校名额 1 个，已用 3 个；处理以前不能上报" in home
    assert settle in home
    assert "超出名额，待处理" not in text_of(open_as(cast.officer_b).get(reverse("home")))
    desk = text_of(officer.get(reverse("round", args=[round_.pk])))
    assert "处理超出的名额（2 人）" in desk
    page = text_of(officer.get(reverse("school_report", args=[round_.pk, cast.school_a.pk])))
    assert "3 名占用名额的学生暂不能上报" in page
    assert settle in page
    assert "上报这" not in page
    shown = text_of(officer.get(settle))
    assert "超出 2 人" in shown
    answer = officer.post(settle, {"cases": [str(row.pk) for row in stopped[:2]], "reason": REASON}, follow=True)
    assert "已退回 2 份申请" in text_of(answer)
    assert reverse("school_review", args=[round_.pk, cast.school_a.pk]) in text_of(answer)
    assert "超出名额，待处理" not in text_of(officer.get(reverse("home")))
    assert "上报这 1 名学生" in text_of(officer.get(reverse("school_report", args=[round_.pk, cast.school_a.pk])))


def test_what_is_wrong_is_said_on_the_settlement(cast, round_, stopped) -> None:
    officer, settle = open_as(cast.officer_a), reverse("quota_over", args=[round_.pk, cast.school_a.pk])
    assert "请勾选要退回学校评审的申请" in text_of(officer.post(settle, {"reason": REASON}))
    assert "请填写" in text_of(officer.post(settle, {"cases": [str(stopped[0].pk)], "reason": ""}))
    allot(cast, round_, {cast.school_a: 3})
    page = text_of(officer.post(settle, {"cases": [str(stopped[0].pk)], "reason": REASON}))
    assert "没有超出名额" in page
    assert refreshed(stopped[:1])[0].state == State.CLEARED


def test_the_county_sees_which_school_is_over(cast, round_, stopped) -> None:
    clerk = open_as(cast.clerk)
    page = text_of(clerk.get(reverse("round", args=[round_.pk])))
    assert "名额超出 2 人" in page
    assert "超出名额 2 人" in page
    assert "处理超出的名额" not in page
    table = text_of(clerk.get(reverse("quotas", args=[round_.pk, cast.county.pk])))
    assert "用的比名额多，共 2 人" in table
    assert "超出 2 人" in table


def test_what_the_county_has_already_is_told(cast, round_) -> None:
    give(cast, round_, 2)
    rows = cleared(cast, round_, cast.class_a1, cast.class_a1)
    report(rows, cast.officer_a)
    cut(held(round_, cast.school_a), 1, cast.clerk)
    page = text_of(open_as(cast.officer_a).get(reverse("quota_over", args=[round_.pk, cast.school_a.pk])))
    assert "都不在学校手里，请与县资助中心联系" in page
    assert "另有 2 份占用名额的申请已上报" in page


def test_looking_for_schools_over_their_places_asks_the_same_for_any_number(cast, round_) -> None:
    receive(cast, round_, 9)
    allot(cast, round_, {cast.school_a: 3})

    def asked(*schools: Unit) -> int:
        with CaptureQueriesContext(connection) as queries:
            places.overs_in(round_.programme, round_.term, schools)
        return len(queries)

    assert asked(cast.school_a) <= asked(cast.school_a, cast.school_b) <= 4


def test_a_quota_of_nought_is_a_limit(cast, round_) -> None:
    give(cast, round_, 0)
    (row,) = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.CLASS_REVIEWED)
    with pytest.raises(StepRefused, match="名额 0 个，以前已用 0 个，这次同意的有 1 人要占名额，多出 1 人"):
        agree(refreshed([row]), "school", cast.school_a, by=cast.officer_a)
    assert seats(round_, cast.school_a) == places.Seats(0, 0, 0)
