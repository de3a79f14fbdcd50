"""Everything that waits for a person: how old, how late, a page at a time."""

import datetime as dt

import pytest

from accounts import clock
from accounts.models import User
from aidadmin import home
from aidadmin.waiting import waiting_for
from students.models import Enrolment, Term
from subsidies import applications, concerns, deadlines, recognition_rechecks, rollovers
from subsidies.models import Recognition, Round
from subsidies.states import State, Work
from tests.cast import TODAY, Cast, enrol, open_round, submitted, walk


@pytest.fixture
def round_(cast: Cast) -> Round:
    round_ = open_round(cast)
    submitted(cast, round_, enrol(cast, cast.class_a1))
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_a2)), State.CLASS_REVIEWED)
    return round_


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def test_age_and_last_day_stand_beside_the_work(cast: Cast, round_: Round) -> None:
    (work,) = [each for each in waiting_for(fresh(cast.officer_a)) if each.title == "待学校评审"]
    assert (work.age, work.since) == ("今天到的", TODAY)
    clock.set_demo_day(TODAY + dt.timedelta(days=6))
    (work,) = [each for each in waiting_for(fresh(cast.officer_a)) if each.title == "待学校评审"]
    assert work.age == "等了 6 天"
    assert work.due_on == deadlines.of(round_)[Work.SCHOOL_REVIEW]


def test_what_is_late_longest_comes_first(cast: Cast, round_: Round) -> None:
    clock.set_demo_day(deadlines.of(round_)[Work.SCHOOL_REVIEW] + dt.timedelta(days=2))
    first, second = waiting_for(fresh(cast.officer_a))[:2]
    assert (first.title, second.title) == ("待班级评议", "待学校评审")
    assert second.countdown == "逾期 2 天"


def test_the_list_is_paged_and_shows_what_is_late_alone(
    cast: Cast, round_: Round, as_user, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "_PER_PAGE", 1)
    monkeypatch.setattr(home, "MOST_WAITING", 1)
    clock.set_demo_day(deadlines.of(round_)[Work.CLASS_REVIEW] + dt.timedelta(days=1))
    client = as_user(cast.officer_a)
    assert "1 件已逾期" in client.get("/").content.decode()
    assert "待学校评审" not in client.get("/").content.decode()
    page = client.get("/waiting/").content.decode()
    assert "待班级评议" in page
    assert "下一页" in page
    late = client.get("/waiting/", {"late": 1}).content.decode()
    assert "待班级评议" in late
    assert "下一页" not in late
    assert "没有逾期的事" in as_user(cast.inspector).get("/waiting/", {"late": 1}).content.decode()


def test_nobody_is_pressed_for_drafts_of_a_term_that_is_over(cast: Cast) -> None:
    """They can be handed in no more, and the county's list of what is late has them no longer either."""
    round_ = open_round(cast)
    applications.save_drafts(round_, cast.class_a1, [applications.Wish(enrol(cast, cast.class_a1))], by=cast.teacher_a1)
    title = "草稿还没有提交"
    assert title in [each.title for each in waiting_for(fresh(cast.teacher_a1))]
    clock.set_demo_day(round_.term.ends_on + dt.timedelta(days=1))
    assert title not in [each.title for each in waiting_for(fresh(cast.teacher_a1))]


def test_in_spring_the_officer_sees_how_many_are_still_to_be_rechecked(cast: Cast) -> None:
    round_ = open_round(cast)
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1), enrol(cast, cast.class_a1)), State.CONFIRMED)
    title, officer = "困难认定待春季复核", cast.officer_a
    assert title not in [each.title for each in waiting_for(fresh(officer))]
    clock.set_demo_day(dt.date(2027, 3, 1))
    spring = Term.objects.get(key="2026-2027-2")
    rollovers.run(cast.school_a, spring, {}, by=officer)
    (line,) = [each for each in waiting_for(fresh(officer)) if each.title == title]
    assert (line.count, line.since) == (2, spring.starts_on)
    assert f"/{cast.school_a.pk}/" in line.url
    assert title not in [each.title for each in waiting_for(fresh(cast.teacher_a1))]

    places = Enrolment.objects.select_related("pupil", "term", "school", "school_class").filter(term=spring)
    due = [row.place.pk for row in recognition_rechecks.due(cast.school_a, spring) if not row.is_done]
    for place, left in zip(places.filter(pk__in=due), (1, 0), strict=True):
        recognition_rechecks.recheck(place, recognition_rechecks.Recheck(Recognition.Kind.KEPT, seen=1), by=officer)
        assert sum(each.count for each in waiting_for(fresh(officer)) if each.title == title) == left


def test_a_class_that_let_the_days_of_filing_go_by_is_not_forgotten(cast: Cast) -> None:
    round_ = open_round(cast)
    enrol(cast, cast.class_a1)
    concerns.run(concerns.find(cast.county, cast.term, by=None).pk)
    clock.set_demo_day(round_.closes_on)
    title = "填报截止，班级没有填报"
    people = (cast.teacher_a1, cast.officer_a, cast.clerk, cast.teacher_a2, cast.officer_b, cast.principal_a)

    def told() -> list[list[str]]:
        return [[each.detail for each in waiting_for(fresh(user)) if each.title == title] for user in people]

    assert told() == [[]] * 6
    clock.set_demo_day(round_.closes_on + dt.timedelta(days=1))
    teacher, officer, clerk, *others = told()
    assert others == [[], [], []]
    assert "云岭县第一初级中学 七年级1班" in officer[0]
    assert "可以申请 1 人" in officer[0]
    assert officer == teacher
    assert "请联系开启批次的人员延长" in teacher[0]
    assert "请在批次页延长" in clerk[0]
