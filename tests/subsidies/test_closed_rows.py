"""A list says of each row, before anything is pressed, that the person who looks cannot decide on it, and why."""

import datetime as dt
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import appointments, clock
from accounts.models import User
from subsidies.models import Application, DutyHolder, Round
from subsidies.states import Duty, State
from tests import cast as casting
from tests.cast import Cast, enrol, member_fields, refreshed, submitted, walk

MINUTES = {"held_on": "2026-10-12", "place": "会议室", "chair": "周校长", "text": "逐一评议。", "rest": "agree"}
# page, level of its unit, who looks, where the cases wait, an earlier duty, what is sent, where those that go come to
PAGES = [
    ("class_review", "class", "grade_head_a", State.SUBMITTED, Duty.FILING, MINUTES, State.CLASS_REVIEWED),
    ("class_evidence", "class", "officer_a", State.CLASS_REVIEWED, Duty.CLASS_REVIEW, {"rest": "on"}, None),
    ("school_review", "school", "officer_a", State.CLASS_REVIEWED, Duty.CLASS_REVIEW, MINUTES, State.SCHOOL_REVIEWED),
    ("school_confirm", "school", "principal_a", State.SCHOOL_REVIEWED, Duty.FILING, {"rest": "agree"}, State.CONFIRMED),
]


def waiting(cast: Cast, round_: Round, state: State, *names: str) -> list[Application]:
    rows = submitted(cast, round_, *(enrol(cast, cast.class_a1, name=name) for name in names))
    return rows if state == State.SUBMITTED else walk(cast, rows, state)


def address(cast: Cast, round_: Round, page: str, level: str) -> str:
    return reverse(page, args=[round_.pk, (cast.class_a1 if level == "class" else cast.school_a).pk])


def filled(answer, said: dict) -> dict:
    """What a browser sends of the page, with what is said."""
    form = answer.context["form"]
    shown = {name: form[name].value() or "" for name in form.fields if name not in ("rest", "photos")}
    return shown | dict(said) | (dict(member_fields()) if "held_on" in said else {})


@pytest.mark.parametrize(("page", "level", "who", "state", "held", "said", "reached"), PAGES)
def test_a_row_somebody_took_an_earlier_step_of_is_closed_and_the_rest_goes_on(
    as_user, cast, round_, page, level, who, state, held, said, reached
):
    mine, other = waiting(cast, round_, state, "张一", "李二")
    person = as_user(cast.people[who])
    DutyHolder.objects.create(application=mine, by=cast.people[who], duty=held)
    url = address(cast, round_, page, level)
    answer = person.get(url)
    text = answer.content.decode()
    assert text.count(f"您已办理过这份申请的{held.label}环节") == 1
    assert "请由没有经手这份申请的人办理" in text
    assert not [name for name in answer.context["form"].fields if str(mine.pk) in name]
    assert [name for name in answer.context["form"].fields if str(other.pk) in name]
    assert person.post(url, filled(answer, said)).status_code == 302
    assert [row.state for row in refreshed([mine, other])] == [state, reached or state]


@pytest.mark.parametrize(("page", "level", "who", "state", "held", "said", "reached"), PAGES)
def test_where_nothing_is_open_the_page_says_why(as_user, cast, round_, page, level, who, state, held, said, reached):
    rows = waiting(cast, round_, state, "张一", "李二")
    for row in rows:
        DutyHolder.objects.create(application=row, by=cast.people[who], duty=held)
    text = as_user(cast.people[who]).get(address(cast, round_, page, level)).content.decode()
    assert f"您已办理过这份申请的{held.label}环节" in text
    assert "张一、李二" in re.sub(r"<[^>]+>", "", text)


def test_the_deputy_reads_whose_hand_it_was(as_user, cast: Cast, round_: Round) -> None:
    """The officer held the class review: neither the officer's deputy nor, after it, the officer decides above."""
    free = casting.person("ma", "马腾", "grade_head", cast.school_a)
    for row, hand in zip(waiting(cast, round_, State.CLASS_REVIEWED, "张一", "李二"), (None, free), strict=True):
        DutyHolder.objects.create(application=row, by=cast.officer_a, duty=Duty.CLASS_REVIEW, deputy=hand)
    today = clock.today()
    appointments.act_for(
        cast.officer_a.appointments.get(),
        free,
        starts_on=today,
        ends_on=today + dt.timedelta(days=3),
        reason="外出培训",
        by=cast.admin,
    )
    url = address(cast, round_, "school_review", "school")
    text = as_user(User.objects.get(pk=free.pk)).get(url).content.decode()
    assert "您代理的陈专干已办理过这份申请的班级评议环节" in text
    assert "马腾代您已办理过这份申请的班级评议环节" in as_user(cast.officer_a).get(url).content.decode()


def test_the_head_teacher_reads_that_it_is_the_own_class(as_user, cast: Cast, round_: Round) -> None:
    waiting(cast, round_, State.SCHOOL_REVIEWED, "张一")
    casting.appoint(cast.principal_a, "class_teacher", cast.class_a1)
    url = address(cast, round_, "school_confirm", "school")
    text = as_user(User.objects.get(pk=cast.principal_a.pk)).get(url).content.decode()
    assert "您是这个班的班主任，本班学生的校长确认请由他人办理" in text


@pytest.mark.parametrize(("page", "level", "who", "state", "held", "said", "reached"), PAGES)
def test_closed_rows_cost_no_queries_of_their_own(as_user, cast, round_, page, level, who, state, held, said, reached):
    person, url = as_user(cast.people[who]), address(cast, round_, page, level)

    def close(*names: str) -> None:
        rows = waiting(cast, round_, state, *names)
        DutyHolder.objects.bulk_create([DutyHolder(application=row, by=cast.people[who], duty=held) for row in rows])

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert person.get(url).status_code == 200
        return len(asked)

    waiting(cast, round_, state, "王开")
    close("张一")
    queries()
    few = queries()
    close("李二", "赵三", "钱四")
    assert queries() == few
