"""Who is late: work past its last day, by school and class, with the people who are to do it."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import appointments, clock
from accounts.models import User
from subsidies import applications, concerns, lateness, receipts
from subsidies.models import Round
from subsidies.states import State, Work
from tests.cast import TODAY, Cast, enrol, open_round, scan, submitted, walk

URL = "/late/"


@pytest.fixture
def round_(cast: Cast) -> Round:
    return open_round(cast)


def past(work: Work, round_: Round, *, days: int = 3) -> None:
    """It is so many days after the last day of the work."""
    from subsidies import deadlines

    clock.set_demo_day(deadlines.of(round_)[work] + dt.timedelta(days=days))


def of(user: User) -> list[tuple[Work, int, int]]:
    """Of what is late for the person: the work, the unit, and how many."""
    return [(late.work, late.unit_id, late.count) for late in lateness.late_for(User.objects.get(pk=user.pk))]


def test_nothing_is_late_in_time(cast: Cast, round_: Round) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1))
    past(Work.CLASS_REVIEW, round_, days=0)
    assert of(cast.clerk) == []


def test_work_of_the_class_is_told_by_class_and_the_schools_by_school(cast: Cast, round_: Round) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1), enrol(cast, cast.class_a2), enrol(cast, cast.class_a2))
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_b1)), State.SCHOOL_REVIEWED)
    past(Work.CONFIRMATION, round_)
    expected = [
        (Work.CLASS_REVIEW, cast.class_a1.pk, 1),
        (Work.CLASS_REVIEW, cast.class_a2.pk, 2),
        (Work.CONFIRMATION, cast.school_b.pk, 1),
    ]
    assert of(cast.clerk) == expected
    assert of(cast.officer_a) == expected[:2]
    assert of(cast.teacher_a2) == expected[1:2]
    assert of(cast.principal_b) == expected[2:]


def test_who_is_to_do_it_stands_beside(cast: Cast, round_: Round) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1))
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_b1)), State.SCHOOL_REVIEWED)
    past(Work.CONFIRMATION, round_)
    post = cast.principal_b.appointments.get()
    day = clock.today()
    appointments.act_for(post, cast.officer_b, starts_on=day, ends_on=day, reason="病假", by=cast.admin)
    told = lateness.named(lateness.late_for(cast.clerk))
    assert [late.people for late in told] == [("曹组长",), ("赵校长", "杨专干（代赵校长）")]
    assert [late.unit.name for late in told] == ["七年级1班", "云岭县城关小学"]
    assert told[1].days == 3
    assert told[1].age == (clock.today() - TODAY).days


def test_drafts_are_pressed_for_while_the_term_lasts(cast: Cast, round_: Round) -> None:
    place = enrol(cast, cast.class_a1)
    applications.save_drafts(round_, cast.class_a1, [applications.Wish(place, reason="低")], by=cast.teacher_a1)
    past(Work.FILING, round_)
    assert of(cast.clerk) == [(Work.FILING, cast.class_a1.pk, 1)]
    clock.set_demo_day(cast.term.ends_on + dt.timedelta(days=1))
    assert of(cast.clerk) == []


def test_a_class_nobody_teaches_has_nobody_to_ask(cast: Cast, round_: Round) -> None:
    place = enrol(cast, cast.class_a1)
    applications.save_drafts(round_, cast.class_a1, [applications.Wish(place, reason="低")], by=cast.teacher_a1)
    appointments.end(cast.teacher_a1.appointments.get(), on=TODAY, by=cast.admin)
    past(Work.FILING, round_)
    assert lateness.named(lateness.late_for(cast.clerk))[0].people == ()


def screened(cast: Cast) -> None:
    row = concerns.find(cast.county, cast.term, by=None)
    concerns.run(row.pk)


def test_a_class_that_filed_nothing_is_late_where_somebody_may_apply(cast: Cast, round_: Round) -> None:
    enrol(cast, cast.class_a1)
    enrol(cast, cast.class_a2, kinds=())  # nobody in need
    submitted(cast, round_, enrol(cast, cast.class_b1))
    enrol(cast, cast.class_b1)  # one was missed, but the class has filed
    screened(cast)
    past(Work.FILING, round_, days=0)
    assert of(cast.clerk) == []
    past(Work.FILING, round_)
    assert of(cast.clerk) == [(Work.FILING, cast.class_a1.pk, 0)]
    [late] = lateness.named(lateness.late_for(cast.teacher_a1))
    assert (late.missed, late.people, late.days) == (1, ("李老师",), 3)
    assert [of(user) for user in (cast.teacher_a2, cast.officer_b)] == [[], []]
    clock.set_demo_day(cast.term.ends_on + dt.timedelta(days=1))
    assert Work.FILING not in [work for work, _, _ in of(cast.clerk)]


def test_a_class_whose_families_declined_is_not_late(cast: Cast, round_: Round) -> None:
    place = enrol(cast, cast.class_a1)
    screened(cast)
    receipts.record(
        round_, cast.class_a1, place, answer="declines", signed_on=TODAY, scan=scan("回执.pdf"), by=cast.teacher_a1
    )
    past(Work.FILING, round_)
    assert of(cast.clerk) == []


# --- the page -------------------------------------------------------------------------------------


def test_the_county_sees_schools_and_goes_to_one(cast: Cast, round_: Round, as_user) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1))
    submitted(cast, round_, enrol(cast, cast.class_b1))
    past(Work.CLASS_REVIEW, round_)
    client = as_user(cast.clerk)
    page = client.get(URL).content.decode()
    assert "2 所学校、2 份申请过了期限还没有办" in page
    page = client.get(URL, {"school": cast.school_a.pk}).content.decode()
    assert "七年级1班" in page
    assert "曹组长" in page
    assert "逾期 3 天" in page
    assert "三年级1班" not in page
    assert "没有逾期" in client.get(URL, {"work": "approval"}).content.decode()
    assert client.get(URL, {"work": "x", "school": "y"}).status_code == 200


def test_a_school_sees_its_own_classes_at_once(cast: Cast, round_: Round, as_user) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1))
    past(Work.CLASS_REVIEW, round_)
    page = as_user(cast.principal_a).get(URL).content.decode()
    assert "七年级1班" in page
    assert "没有逾期" in as_user(cast.officer_b).get(URL).content.decode()


def test_the_pages_name_the_classes_that_filed_nothing(cast: Cast, round_: Round, as_user) -> None:
    enrol(cast, cast.class_a1)
    screened(cast)
    past(Work.FILING, round_)
    client = as_user(cast.clerk)
    page = client.get(URL).content.decode()
    assert "1 项、0 份申请过了期限还没有办，1 个班没有填报" in page
    assert "可以申请 1 人" in page
    progress = reverse("round_progress", args=[round_.pk])
    assert "1 个班没有填报" in client.get(progress, {"late": 1}).content.decode()
    page = client.get(progress, {"school": cast.school_a.pk, "late": 1}).content.decode()
    assert "没有填报" in page
    assert "七年级1班" in page


def test_no_pupil_is_named(cast: Cast, round_: Round, as_user) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1, name="张小溪"))
    past(Work.CLASS_REVIEW, round_)
    assert "张小溪" not in as_user(cast.clerk).get(URL, {"school": cast.school_a.pk}).content.decode()


def test_as_many_questions_for_one_class_as_for_three(cast: Cast, round_: Round, as_user) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1))
    later = [enrol(cast, unit) for unit in (cast.class_a2, cast.class_b1)]
    client, counts = as_user(cast.clerk), []
    for rows in ((), later):
        clock.set_demo_day(TODAY)
        if rows:
            submitted(cast, round_, *rows)
        past(Work.CLASS_REVIEW, round_)
        with CaptureQueriesContext(connection) as asked:
            client.get(reverse("late_work"), {"school": cast.school_a.pk})
        counts.append(len(asked))
    assert counts[0] == counts[1]
