"""Review meetings: enough people, a possible day, an opinion where it says no, nobody over the own case."""

import dataclasses
import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction

from accounts.models import Appointment, AuditRow
from subsidies import reviews
from subsidies.models import Decision, Meeting, Programme
from subsidies.reviews import Member, Verdict
from subsidies.states import State
from tests.cast import TODAY, agree, enrol, minutes, open_round, refreshed, submitted, walk

V = Decision.Verdict
DAY = dt.timedelta(days=1)


@pytest.fixture
def rows(cast, round_):
    return submitted(cast, round_, *[enrol(cast, cast.class_a1, name=name) for name in ("张一", "张二", "张三")])


def meet(cast, rows, verdicts=None, *, level="class", unit=None, by=None, **changed) -> Meeting:
    held = dataclasses.replace(minutes(), **changed)
    verdicts = verdicts or [Verdict(row, V.AGREE) for row in rows]
    return reviews.hold(
        round_=rows[0].round, unit=unit or cast.class_a1, level=level, minutes=held, verdicts=verdicts,
        by=by or cast.officer_a,
    )  # fmt: skip


def refusal(cast, rows, *args, **changed) -> str:
    before = (Meeting.objects.count(), Decision.objects.count(), AuditRow.objects.count())
    with pytest.raises(ValidationError) as refused:
        meet(cast, rows, *args, **changed)
    assert (Meeting.objects.count(), Decision.objects.count(), AuditRow.objects.count()) == before
    assert {row.state for row in refreshed(rows)} == {State.SUBMITTED}
    return "".join(refused.value.messages)


def test_a_meeting_decides_each_of_its_list(cast, rows) -> None:
    one, two, three = rows
    meeting = meet(
        cast,
        rows,
        [
            Verdict(one, V.AGREE, votes_for=9, votes_against=1),
            Verdict(two, V.RETURN, opinion="缺低保证复印件"),
            Verdict(three, V.REJECT, opinion="经评议不属困难家庭"),
        ],
    )
    assert [row.state for row in refreshed(rows)] == [State.CLASS_REVIEWED, State.RETURNED, State.REJECTED]
    assert two.steps.last().note == "缺低保证复印件"
    assert list(meeting.decisions.values_list("verdict", "votes_for", "opinion")) == [
        ("agree", 9, ""),
        ("return", None, "缺低保证复印件"),
        ("reject", None, "经评议不属困难家庭"),
    ]
    assert meeting.members.count() == 10
    assert AuditRow.objects.get(action="meeting.hold").detail == {"level": "class", "decisions": 3}


def test_the_list_is_what_awaits_the_meeting_in_class_order(cast, round_) -> None:
    second = submitted(cast, round_, enrol(cast, cast.class_a2, name="甲"))
    first = submitted(cast, round_, enrol(cast, cast.class_a1, name="乙"))
    elsewhere = submitted(cast, round_, enrol(cast, cast.class_b1, name="丙"))
    assert reviews.awaiting(round_, cast.school_a, "class") == first + second
    assert reviews.awaiting(round_, cast.county, "class") == first + second + elsewhere
    assert reviews.awaiting(round_, cast.school_a, "school") == []


# --- the minutes -----------------------------------------------------------------------------------


def test_too_few_members_for_the_rule(cast, rows) -> None:
    members = [Member(f"成员{n}", "任课教师") for n in range(4)]
    assert (
        refusal(cast, rows, members=members)
        == "规定评审小组不少于 5 人，现在填写了 4 人。请补齐成员，到会人数够了再开会评议。"
    )


def test_the_school_review_needs_more_members_than_the_class_review(cast, rows) -> None:
    walk(cast, rows, State.CLASS_REVIEWED)
    members = [Member(f"成员{n}", "教师代表") for n in range(9)]
    with pytest.raises(ValidationError, match="不少于 10 人，现在填写了 9 人"):
        meet(cast, refreshed(rows), level="school", unit=cast.school_a, by=cast.officer_a, members=members)


def test_the_smallest_number_is_the_rule_of_the_programme(cast, rows) -> None:
    Programme.objects.get(code="living-aid").process_rules.update(class_review_members=4)
    meet(cast, rows, members=[Member(f"成员{n}", "任课教师") for n in range(4)])


def test_a_member_written_twice(cast, rows) -> None:
    members = [*minutes().members, Member(" 成员3 ", "学生代表")]
    told = "“成员3”在成员名单中出现了两次；同名的人请在姓名后用括号加以区分，例如“成员3（语文教师）”。"
    assert refusal(cast, rows, members=members) == told


def test_a_member_without_a_name_does_not_count(cast, rows) -> None:
    members = [*minutes(members=4).members, Member(" ", "任课教师")]
    assert refusal(cast, rows, members=members) == "有成员没有填写姓名，请补全或删去这一行。"


def test_a_meeting_of_tomorrow(cast, rows) -> None:
    assert refusal(cast, rows, held_on=TODAY + DAY) == "会议日期不能晚于今天，请改为开会的那一天。"


def test_a_meeting_before_the_round_opened(cast, rows) -> None:
    assert refusal(cast, rows, held_on=TODAY - DAY) == "会议日期不能早于批次开始填报的日期（2026-10-12），请核对。"


# --- the list --------------------------------------------------------------------------------------


def test_a_meeting_that_decides_nothing(cast, rows) -> None:
    with pytest.raises(ValidationError, match="会议没有对任何申请作出结论，请至少选择一份。"):
        reviews.hold(
            round_=rows[0].round,
            unit=cast.class_a1,
            level="class",
            minutes=minutes(),
            verdicts=[],
            by=cast.grade_head_a,
        )


@pytest.mark.parametrize("verdict", [V.RETURN, V.REJECT])
def test_saying_no_without_an_opinion(cast, rows, verdict) -> None:
    silent = [Verdict(rows[0], V.AGREE), Verdict(rows[1], verdict, opinion="  "), Verdict(rows[2], verdict)]
    assert refusal(cast, rows, silent) == "退回或不同意的要写明意见：还有 2 份没有写（张二、张三），请补写后再提交。"


def test_more_votes_than_people(cast, rows) -> None:
    many = [Verdict(rows[0], V.AGREE, votes_for=10, votes_against=1)]
    assert refusal(cast, rows, many) == "1 份申请（张一）的票数之和多于到会的 10 人，请核对票数。"


def test_the_same_application_twice_in_the_list(cast, rows) -> None:
    twice = [Verdict(rows[0], V.AGREE), Verdict(rows[0], V.AGREE)]
    assert "出现了两次" in refusal(cast, rows, twice)


def test_an_application_of_another_round(cast, rows) -> None:
    other = open_round(cast, "preschool-aid")
    with pytest.raises(ValidationError, match="名单中有其他批次的申请"):
        reviews.hold(
            round_=other, unit=cast.class_a1, level="class", minutes=minutes(),
            verdicts=[Verdict(rows[0], V.AGREE)], by=cast.officer_a,
        )  # fmt: skip


def test_an_application_of_another_class(cast, rows) -> None:
    with pytest.raises(PermissionDenied, match="名单中有不属于七年级2班的申请，没有记录会议。请从批次页"):
        meet(cast, rows, unit=cast.class_a2)
    assert not Meeting.objects.exists()


def test_one_that_has_moved_meanwhile_stops_the_meeting(cast, rows) -> None:
    agree(rows[:1], "class", cast.class_a1, by=cast.grade_head_a)
    with pytest.raises(ValidationError, match="1 份申请不能“班级评议通过”：它们现在是待学校评审 1 份"):
        meet(cast, rows)
    assert Meeting.objects.count() == 1
    assert [row.state for row in refreshed(rows)] == [State.CLASS_REVIEWED, State.SUBMITTED, State.SUBMITTED]


# --- the people ------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["principal_a", "clerk", "head", "inspector", "admin", "officer_b", "teacher_a2"])
def test_who_may_not_hold_the_class_review(cast, rows, who) -> None:
    with pytest.raises(PermissionDenied):
        meet(cast, rows, by=cast.people[who])
    assert not Meeting.objects.exists()


@pytest.mark.parametrize("who", ["teacher_a1", "grade_head_a", "principal_a", "clerk", "head", "officer_b"])
def test_who_may_not_hold_the_school_review(cast, rows, who) -> None:
    walk(cast, rows, State.CLASS_REVIEWED)
    with pytest.raises(PermissionDenied):
        meet(cast, refreshed(rows), level="school", unit=cast.school_a, by=cast.people[who])


def test_another_teacher_of_the_class_may_hold_the_class_review(cast, rows) -> None:
    Appointment.objects.create(user=cast.teacher_a2, role="class_teacher", unit=cast.class_a1, starts_on="2026-09-01")
    meet(cast, rows, by=cast.teacher_a2)
    assert {row.state for row in refreshed(rows)} == {State.CLASS_REVIEWED}


def test_the_page_knows_beforehand_which_rows_are_barred(cast, rows) -> None:
    assert set(reviews.barred(rows, "class", by=cast.teacher_a1)) == {row.pk for row in rows}
    assert set(reviews.barred(rows, "class", by=cast.grade_head_a)) == set()
    agree(rows[:2], "class", cast.class_a1, by=cast.grade_head_a)
    assert set(reviews.barred(rows, "school", by=cast.grade_head_a)) == {row.pk for row in rows[:2]}
    assert set(reviews.barred(rows, "school", by=cast.officer_a)) == set()


def test_at_the_school_review_a_teacher_is_barred_from_the_own_class(cast, rows) -> None:
    stranger = cast.officer_b
    for role, unit in (("class_teacher", cast.class_a1), ("aid_officer", cast.school_a)):
        Appointment.objects.create(user=stranger, role=role, unit=unit, starts_on="2026-09-01")
    assert set(reviews.barred(rows, "school", by=stranger)) == {row.pk for row in rows}
    assert set(reviews.barred(rows, "class", by=stranger)) == set()


# --- the record ------------------------------------------------------------------------------------


def test_what_a_meeting_decided_is_written_once(cast, rows) -> None:
    agree(rows, "class", cast.class_a1, by=cast.grade_head_a)
    with pytest.raises(TypeError):
        Decision.objects.update(verdict="reject")
    for table in ("subsidies_decision", "subsidies_meetingmember"):
        with pytest.raises(Exception, match="written once"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608


def test_the_database_wants_a_reason_for_a_no(cast, rows) -> None:
    meeting = agree(rows[:1], "class", cast.class_a1, by=cast.grade_head_a)
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.create(meeting=meeting, application=rows[1], verdict="reject", opinion="")
