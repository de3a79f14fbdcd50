"""Of a list that is sent, who cannot go stops no other: the page that follows names them, and keeps what was typed."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import refusals
from accounts.models import AuditRow
from students.models import Enrolment, Standing
from subsidies import officer_checks, reviews, school_lists, workflow
from subsidies.models import Decision, DutyHolder, Meeting, OfficerCheck
from subsidies.states import Duty, State, Step
from tests import cast as casting
from tests.cast import enrol, refreshed, submitted, walk

from .test_closed_rows import MINUTES, PAGES, address, filled, waiting

V = Decision.Verdict


@pytest.mark.parametrize(("page", "level", "who", "state", "held", "said", "reached"), PAGES)
def test_who_was_closed_meanwhile_is_named_and_what_was_typed_stays(
    as_user, cast, round_, page, level, who, state, held, said, reached
):
    mine, other = waiting(cast, round_, state, "张一", "李二")
    person, url = as_user(cast.people[who]), address(cast, round_, page, level)
    typed = filled(person.get(url), said)
    word = "finding" if page == "class_evidence" else "verdict"
    typed |= {f"{word}_{mine.pk}": "in_order" if page == "class_evidence" else "agree"}
    DutyHolder.objects.create(application=mine, by=cast.people[who], duty=held)
    answer = person.post(url, typed, follow=True)
    assert answer.redirect_chain[0][0] == url
    text = answer.content.decode()
    assert "1 名学生没有办理" in text
    assert [each["name"] for each in answer.context["result"]["rest"]] == ["张一"]
    assert f"您已办理过这份申请的{held.label}环节" in answer.context["result"]["rest"][0]["sentence"]
    assert [row.state for row in refreshed([mine, other])] == [state, reached or state]
    assert "1 名学生没有办理" not in person.get(url).content.decode()  # told once


@pytest.mark.parametrize(("page", "level", "who", "state", "held", "said", "reached"), PAGES)
def test_what_changed_since_is_set_aside_with_what_was_typed(
    as_user, cast, round_, page, level, who, state, held, said, reached
):
    changed, other = waiting(cast, round_, state, "张一", "李二")
    person, url = as_user(cast.people[who]), address(cast, round_, page, level)
    typed = filled(person.get(url), said)
    remark = ("note" if page == "class_evidence" else "opinion") + f"_{changed.pk}"
    typed |= {remark: "家里有两个孩子上学"}
    type(changed).objects.filter(pk=changed.pk).update(changed_at=casting.clock.now())
    answer = person.post(url, typed, follow=True)
    assert "打开页面以后，这份申请又有变化" in answer.content.decode()
    assert answer.context["form"][remark].value() == "家里有两个孩子上学"
    assert [row.state for row in refreshed([changed, other])] == [state, reached or state]


@pytest.mark.parametrize(("page", "level", "who", "state", "held", "said", "reached"), PAGES)
def test_a_form_sent_twice_does_nothing_twice(as_user, cast, round_, page, level, who, state, held, said, reached):
    rows = waiting(cast, round_, state, "张一", "李二")
    person, url = as_user(cast.people[who]), address(cast, round_, page, level)
    typed = filled(person.get(url), said)
    person.post(url, typed)
    counted = Meeting.objects.count(), Decision.objects.count(), OfficerCheck.objects.count()
    states = [row.state for row in refreshed(rows)]
    answer = person.post(url, typed, follow=True)
    assert answer.redirect_chain
    assert "没有重复" in answer.content.decode()
    assert (Meeting.objects.count(), Decision.objects.count(), OfficerCheck.objects.count()) == counted
    assert [row.state for row in refreshed(rows)] == states


def test_a_meeting_that_is_refused_as_a_whole_keeps_its_words_and_names_who_was_set_aside(as_user, cast, round_):
    changed, _ = waiting(cast, round_, State.SUBMITTED, "张一", "李二")
    person, url = as_user(cast.grade_head_a), address(cast, round_, "class_review", "class")
    typed = filled(person.get(url), MINUTES) | {"name_1": "", "kind_1": "", "capacity_1": ""}
    type(changed).objects.filter(pk=changed.pk).update(changed_at=casting.clock.now())
    answer = person.post(url, {name: "" if name.startswith("name_") else value for name, value in typed.items()})
    assert answer.status_code == 200
    assert not Meeting.objects.exists()
    assert [each["name"] for each in answer.context["result"]["rest"]] == ["张一"]


def leave_school(rows) -> None:
    Enrolment.objects.filter(pupil__in=[row.pupil_id for row in rows]).update(
        standing=Standing.WITHDRAWN, ends_on=casting.TODAY
    )


@pytest.mark.parametrize("why", ["left", "held", "moved", "silent"])
def test_sixty_refused_for_one_reason_cost_what_two_do(cast, round_, why):
    """Nobody is looked for half by half: the whole list is asked about at once."""
    desk = school_lists.CONFIRMATION

    def costs(count: int, start: int) -> int:
        names = ["张" + chr(0x4E00 + start + number) for number in range(count)]
        rows = waiting(cast, round_, State.SCHOOL_REVIEWED, *names)
        if why == "left":
            leave_school(rows)
        elif why == "held":
            DutyHolder.objects.bulk_create(
                [DutyHolder(application=row, by=cast.principal_a, duty=Duty.FILING) for row in rows]
            )
        elif why == "moved":
            workflow.advance_all(rows, Step.CONFIRM, by=cast.principal_a)
        opinion = "" if why == "silent" else "缺材料"
        said = [reviews.Verdict(row, V.RETURN, opinion=opinion) for row in rows]
        with CaptureQueriesContext(connection) as asked:
            done, refused = school_lists.decide_what_goes(desk, round_, cast.school_a, said, by=cast.principal_a)
        assert (done, len(refused)) == (0, count)
        assert len(set(refused.values())) == 1
        return len(asked)

    costs(1, 0)
    assert costs(2, 10) == costs(60, 100) < 12


def test_a_second_duty_sent_with_a_list_is_in_the_trail(cast, round_):
    mine, other = waiting(cast, round_, State.SCHOOL_REVIEWED, "张一", "李二")
    DutyHolder.objects.create(application=mine, by=cast.principal_a, duty=Duty.FILING)
    said = [reviews.Verdict(row, V.AGREE, opinion="") for row in (mine, other)]
    with refusals.kept():
        done, refused = school_lists.decide_what_goes(
            school_lists.CONFIRMATION, round_, cast.school_a, said, by=cast.principal_a
        )
    assert (done, list(refused)) == (1, [mine.pk])
    (tried,) = AuditRow.objects.filter(action="application.refuse_second_duty")
    assert (tried.username, tried.detail["count"], tried.detail["held_duty"]) == ("principal_a", 1, "filing")


def test_one_of_sixty_is_named_and_the_others_go_at_the_price_of_the_list(cast, round_):
    rows = waiting(cast, round_, State.SCHOOL_REVIEWED, *("李" + chr(0x4E00 + number) for number in range(60)))
    leave_school(rows[:1])
    said = [reviews.Verdict(row, V.RETURN, opinion="缺材料") for row in rows]
    with CaptureQueriesContext(connection) as asked:
        done, refused = school_lists.decide_what_goes(
            school_lists.CONFIRMATION, round_, cast.school_a, said, by=cast.principal_a
        )
    assert (done, list(refused)) == (59, [rows[0].pk])
    assert "学生已离校" in refused[rows[0].pk]
    assert len(asked) < 60


def test_what_is_asked_before_says_what_the_door_says(cast, round_):
    """The group check and the door agree on who can go."""
    rows = walk(cast, submitted(cast, round_, *(enrol(cast, cast.class_a1) for _ in range(3))), State.SCHOOL_REVIEWED)
    leave_school(rows[:1])
    DutyHolder.objects.create(application=rows[1], by=cast.principal_a, duty=Duty.FILING)
    wanted = dict.fromkeys((row.pk for row in rows), Step.RETURN_BY_PRINCIPAL)
    notes = dict.fromkeys(wanted, "缺材料")
    told = workflow.obstacles(wanted, by=cast.principal_a, notes=notes)
    assert set(told) == {rows[0].pk, rows[1].pk}
    for row in rows:
        try:
            workflow.advance(row, Step.RETURN_BY_PRINCIPAL, by=cast.principal_a, note="缺材料")
        except (workflow.StepRefused, workflow.SamePerson):
            assert row.pk in told
        else:
            assert row.pk not in told


def test_somebody_elses_school_is_told_who_may(cast, round_):
    rows = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.CLASS_REVIEWED)
    done, refused = 0, workflow.obstacles({rows[0].pk: Step.PASS_SCHOOL}, by=cast.officer_b)
    assert (done, list(refused)) == (0, [rows[0].pk])
    assert officer_checks.newest(rows) == {}
