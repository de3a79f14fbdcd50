"""The one door: each step by the right person, and every way of being refused at it."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction

from accounts.audit import verify_chain
from accounts.models import Appointment, AuditHead, AuditRow
from publicity import objections
from subsidies import applications, four_eyes, reviews
from subsidies.models import Application, Decision, DutyHolder, StepTaken
from subsidies.states import Duty, State, Step
from subsidies.workflow import SamePerson, StaleState, StepRefused, advance, advance_all
from tests import cast as casting
from tests.cast import agree, appoint, enrol, refreshed, submitted, teacher_of, walk
from tests.subsidies.shortcuts import walk_on

V = Decision.Verdict


def file(cast, round_, *names: str, school_class=None) -> list[Application]:
    rows = [enrol(cast, school_class or cast.class_a1, name=name) for name in names or ("张小明",)]
    return submitted(cast, round_, *rows)


def decide(rows, level: str, unit, verdict: str, *, by, opinion: str = "材料不全，请补收入证明。"):
    verdicts = [reviews.Verdict(row, verdict, opinion=opinion) for row in rows]
    return reviews.hold(
        round_=rows[0].round, unit=unit, level=level, minutes=casting.minutes(), verdicts=verdicts, by=by
    )


def holders(row: Application) -> dict[str, str]:
    return {held.duty: held.by.username for held in row.duty_holders.select_related("by")}


# --- the road --------------------------------------------------------------------------------------


def test_the_whole_road_from_draft_to_paid(cast, round_) -> None:
    (row,) = walk(cast, file(cast, round_), State.PAID)
    assert row.state == State.PAID
    assert list(row.steps.values_list("step", "by__username", "role")) == [
        ("submit", "teacher_a1", "七年级1班班主任"),
        ("pass_class", "grade_head_a", "云岭县第一初级中学年级组长"),
        ("pass_school", "officer_a", "云岭县第一初级中学资助专干"),
        ("confirm", "principal_a", "云岭县第一初级中学校长"),
        ("publish", "officer_a", "云岭县第一初级中学资助专干"),
        ("clear", "officer_a", "云岭县第一初级中学资助专干"),
        ("report", "officer_a", "云岭县第一初级中学资助专干"),
        ("verify", "clerk", "云岭县资助中心经办"),
        ("approve", "head", "云岭县资助中心负责人"),
        ("put_in_batch", "clerk", "云岭县资助中心经办"),
        ("pay", "clerk2", "云岭县资助中心经办"),
    ]
    assert holders(row) == {
        "filing": "teacher_a1",
        "class_review": "grade_head_a",
        "school_review": "officer_a",
        "confirmation": "principal_a",
        "verification": "clerk",
        "approval": "head",
    }
    assert verify_chain().broken_at is None


def test_each_step_leaves_one_row_in_the_history_and_one_in_the_trail(cast, round_) -> None:
    (row,) = walk_on(cast, file(cast, round_), State.APPROVED)
    steps = [f"application.{step}" for step in row.steps.values_list("step", flat=True)]
    trail = AuditRow.objects.filter(subject=f"subsidies.application:{row.pk}").order_by("number")
    assert list(trail.values_list("action", flat=True)) == ["application.draft", *steps]
    assert trail.last().detail == {"from": "verified", "to": "approved"}
    assert trail.last().unit_path == row.school_class.path


def test_the_trail_of_a_step_holds_no_name(cast, round_) -> None:
    walk(cast, file(cast, round_, "欧阳小草"), State.CLASS_REVIEWED)
    assert "欧阳" not in " ".join(f"{row.subject} {row.detail}" for row in AuditRow.objects.all())


def test_a_list_moves_together(cast, round_) -> None:
    rows = file(cast, round_, "张一", "张二", "张三")
    walk(cast, rows, State.SCHOOL_REVIEWED)
    assert {row.state for row in refreshed(rows)} == {State.SCHOOL_REVIEWED}


# --- wrong state -----------------------------------------------------------------------------------


def test_a_step_from_the_wrong_state_is_refused_with_the_state_it_is_in(cast, round_, whole) -> None:
    (row,) = file(cast, round_)
    before = whole()
    with pytest.raises(StaleState) as refused:
        advance(row, Step.VERIFY, by=cast.clerk)
    assert refused.value.messages == [
        "1 份申请不能“县级审核通过”：它们现在是待班级评议 1 份。可能已有人先办理，请刷新页面后再看。"
    ]
    assert whole() == before


def test_the_sentence_counts_the_states_of_a_mixed_list(cast, round_) -> None:
    one, two, three = file(cast, round_, "张一", "张二", "张三")
    walk(cast, [three], State.CLASS_REVIEWED)
    with pytest.raises(StaleState) as refused:
        advance_all([one, two, three], Step.APPROVE, by=cast.head)
    assert refused.value.messages == [
        "3 份申请不能“县级审批通过”：它们现在是待班级评议 2 份、待学校评审 1 份。可能已有人先办理，请刷新页面后再看。"
    ] or refused.value.messages == [
        "3 份申请不能“县级审批通过”：它们现在是待学校评审 1 份、待班级评议 2 份。可能已有人先办理，请刷新页面后再看。"
    ]


def test_one_of_a_list_in_the_wrong_state_stops_all(cast, round_, whole) -> None:
    rows = file(cast, round_, "张一", "张二", "张三")
    advance(rows[1], Step.WITHDRAW, by=cast.teacher_a1, note="家长不再申请")
    before = whole()
    with pytest.raises(StaleState, match="1 份申请不能“撤回”：它们现在是已终止 1 份"):
        advance_all(rows, Step.WITHDRAW, by=cast.teacher_a1, note="全部撤回")
    assert whole() == before


def test_a_step_taken_twice_is_taken_once(cast, round_) -> None:
    (row,) = walk_on(cast, file(cast, round_), State.CLEARED)
    stale = refreshed([row])
    advance(row, Step.REPORT, by=cast.officer_a)
    with pytest.raises(StaleState):
        advance_all(stale, Step.REPORT, by=cast.officer_a)
    assert row.steps.filter(step=Step.REPORT).count() == 1


def test_an_application_that_is_gone_is_told(cast, round_) -> None:
    (row,) = file(cast, round_)
    ghost = Application()
    with pytest.raises(StaleState, match="1 份申请已不存在"):
        advance_all([row, ghost], Step.WITHDRAW, by=cast.teacher_a1, note="撤回")


# --- wrong person ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "who", "roles"),
    [
        (Step.PASS_CLASS, "principal_a", "班主任、年级组长、资助专干"),
        (Step.PASS_CLASS, "clerk", "班主任、年级组长、资助专干"),
        (Step.PASS_CLASS, "inspector", "班主任、年级组长、资助专干"),
        (Step.PASS_CLASS, "admin", "班主任、年级组长、资助专干"),
        (Step.WITHDRAW, "officer_a", "班主任"),
    ],
)
def test_the_wrong_role_is_told_whose_step_it_is(cast, round_, whole, step, who, roles) -> None:
    (row,) = file(cast, round_)
    before = whole()
    with pytest.raises(PermissionDenied) as refused:
        advance(row, step, by=cast.people[who], note="原因")
    assert str(refused.value) == f"这一步由{roles}办理，您目前的任职不含此权限。"
    assert whole() == before


@pytest.mark.parametrize("who", ["teacher_a2", "teacher_b1"])
def test_the_right_role_over_another_class_is_refused(cast, round_, whole, who) -> None:
    (row,) = file(cast, round_)
    before = whole()
    with pytest.raises(PermissionDenied):
        advance(row, Step.WITHDRAW, by=cast.people[who], note="撤回")
    assert whole() == before


def test_an_officer_of_another_school_cannot_report(cast, round_) -> None:
    (row,) = walk_on(cast, file(cast, round_), State.CLEARED)
    with pytest.raises(PermissionDenied):
        advance(row, Step.REPORT, by=cast.officer_b)


def test_an_ended_appointment_opens_nothing(cast, round_) -> None:
    (row,) = file(cast, round_)
    Appointment.objects.filter(user=cast.teacher_a1).update(ends_on="2026-10-01")
    cast.teacher_a1.__dict__.pop("appointments_in_force", None)
    with pytest.raises(PermissionDenied):
        advance(row, Step.WITHDRAW, by=cast.teacher_a1, note="撤回")


# --- one person, one duty --------------------------------------------------------------------------


def test_who_filed_does_not_hold_the_class_review(cast, round_, whole) -> None:
    rows = file(cast, round_)
    before = whole()
    with pytest.raises(SamePerson) as refused:
        agree(rows, "class", cast.class_a1, by=cast.teacher_a1)
    assert str(refused.value) == (
        "您已经办理过其中 1 份申请的填报，同一份申请的两个环节不能由同一人办理。请由没有经手这些申请的人办理。"
    )
    assert whole() == before


def test_who_filled_in_the_draft_has_filed_even_if_a_colleague_submits(cast, round_) -> None:
    appoint(cast.teacher_a2, "class_teacher", cast.class_a1)
    wish = applications.Wish(enrol(cast, cast.class_a1))
    drafts = applications.save_drafts(round_, cast.class_a1, [wish], by=cast.teacher_a1)
    applications.submit(drafts, by=cast.teacher_a2)
    for filer in (cast.teacher_a1, cast.teacher_a2):
        with pytest.raises(SamePerson):
            agree(refreshed(drafts), "class", cast.class_a1, by=filer)


def test_who_held_the_class_review_does_not_hold_the_school_review(cast, round_, whole) -> None:
    rows = file(cast, round_)
    agree(rows, "class", cast.class_a1, by=cast.officer_a)
    before = whole()
    with pytest.raises(SamePerson, match="1 份申请的班级评议"):
        agree(refreshed(rows), "school", cast.school_a, by=cast.officer_a)
    assert whole() == before


def test_who_verified_does_not_approve_even_with_both_roles(cast, round_, whole) -> None:
    (row,) = walk_on(cast, file(cast, round_), State.VERIFIED)
    appoint(cast.clerk, "county_head", cast.county)
    before = whole()
    with pytest.raises(SamePerson, match="1 份申请的县级审核"):
        advance(row, Step.APPROVE, by=cast.clerk)
    assert whole() == before
    advance(row, Step.APPROVE, by=cast.head)


def test_a_class_teacher_in_the_school_review_does_not_decide_on_the_own_class(cast, round_, whole) -> None:
    appoint(cast.teacher_a2, "aid_officer", cast.school_a)
    own = walk(cast, file(cast, round_, school_class=cast.class_a2), State.CLASS_REVIEWED)
    other = walk(cast, file(cast, round_, school_class=cast.class_a1), State.CLASS_REVIEWED)
    # Somebody else filed for the class: the duty alone would not stop the teacher.
    stranger = casting.person("teacher_a2b", "代班老师", "class_teacher", cast.class_a2)
    appoint(stranger, "aid_officer", cast.school_a)
    before = whole()
    with pytest.raises(SamePerson) as refused:
        agree(own, "school", cast.school_a, by=stranger)
    assert str(refused.value) == "您是这个班的班主任，本班学生的上一级评审要由他人办理。请交给本校另一位评审人。"
    assert whole() == before
    agree(other, "school", cast.school_a, by=cast.teacher_a2)


def test_one_of_a_list_that_is_the_own_case_stops_the_meeting(cast, round_, whole) -> None:
    rows = file(cast, round_, "张一", "张二")
    first, second = rows
    agree([first], "class", cast.class_a1, by=cast.grade_head_a)
    agree([second], "class", cast.class_a1, by=cast.officer_a)
    before = whole()
    with pytest.raises(SamePerson):
        agree(refreshed(rows), "school", cast.school_a, by=cast.officer_a)
    assert whole() == before


def test_the_database_itself_refuses_a_second_duty(cast, round_) -> None:
    (row,) = file(cast, round_)
    with (
        pytest.raises(IntegrityError, match=r"duty_one_per_person_and_application|application_id"),
        transaction.atomic(),
    ):
        DutyHolder.objects.create(application=row, by=cast.teacher_a1, duty=Duty.APPROVAL)
    assert holders(row) == {"filing": "teacher_a1"}


@pytest.mark.parametrize("table", ["dutyholder", "steptaken"])
@pytest.mark.parametrize("sql", ["DELETE FROM subsidies_{}", "UPDATE subsidies_{} SET by_id = by_id"])
def test_what_was_done_cannot_be_undone_by_sql(cast, round_, table, sql) -> None:
    file(cast, round_)
    with pytest.raises(Exception, match="written once"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql.format(table))


# --- returning -------------------------------------------------------------------------------------


def test_a_returned_application_is_filed_again_and_goes_on_with_the_same_people(cast, round_) -> None:
    (row,) = file(cast, round_)
    decide([row], "class", cast.class_a1, V.RETURN, by=cast.grade_head_a)
    assert refreshed([row])[0].state == State.RETURNED
    (row,) = submitted(cast, round_, row.enrolment)
    (row,) = walk(cast, [row], State.SCHOOL_REVIEWED)
    assert holders(row) == {"filing": "teacher_a1", "class_review": "grade_head_a", "school_review": "officer_a"}
    assert list(row.steps.values_list("step", flat=True)) == [
        "submit", "return_from_class", "submit", "pass_class", "pass_school",
    ]  # fmt: skip


def test_a_return_from_the_county_walks_the_whole_road_again(cast, round_) -> None:
    (row,) = walk_on(cast, file(cast, round_), State.REPORTED)
    advance(row, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="缺监护人账户证明")
    assert row.state == State.RETURNED
    assert row.steps.last().note == "缺监护人账户证明"
    (row,) = submitted(cast, round_, row.enrolment)
    (row,) = walk(cast, [row], State.CONFIRMED)
    with pytest.raises(StepRefused, match="还没有列入公示"):
        advance(row, Step.PUBLISH, by=cast.officer_a)  # the earlier notice is over and does not count


def test_a_decision_of_an_earlier_meeting_does_not_count_after_a_return(cast, round_) -> None:
    (row,) = walk(cast, file(cast, round_), State.CLASS_REVIEWED)
    decide([row], "school", cast.school_a, V.RETURN, by=cast.officer_a)
    (row,) = submitted(cast, round_, row.enrolment)
    with pytest.raises(StepRefused) as refused:
        advance(row, Step.PASS_CLASS, by=cast.grade_head_a)
    assert refused.value.messages == ["1 份申请在会议记录中没有相应的结论，请先记录班级评议会议。"]


def test_the_head_sends_back_to_the_clerk_and_approves_later(cast, round_) -> None:
    (row,) = walk_on(cast, file(cast, round_), State.VERIFIED)
    advance(row, Step.RETURN_TO_CLERK, by=cast.head, note="请核对双学籍")
    advance(row, Step.VERIFY, by=cast.clerk)
    advance(row, Step.APPROVE, by=cast.head)
    assert row.state == State.APPROVED


def test_a_rejected_pupil_may_be_filed_again_as_a_new_case(cast, round_) -> None:
    (row,) = file(cast, round_)
    decide([row], "class", cast.class_a1, V.REJECT, by=cast.grade_head_a, opinion="经核实不属困难家庭。")
    (again,) = submitted(cast, round_, row.enrolment)
    assert again.pk != row.pk
    assert refreshed([row])[0].state == State.REJECTED


def test_steps_that_need_a_reason_are_refused_without(cast, round_, whole) -> None:
    one, two = file(cast, round_, "张一", "张二")
    before = whole()
    with pytest.raises(StepRefused) as refused:
        advance_all([one, two], Step.WITHDRAW, by=cast.teacher_a1, notes={one.pk: "转学", two.pk: " "})
    assert refused.value.messages == ["请写明原因：1 份申请没有填写。"]
    assert whole() == before


def test_each_application_keeps_its_own_remark(cast, round_) -> None:
    one, two = file(cast, round_, "张一", "张二")
    advance_all([one, two], Step.WITHDRAW, by=cast.teacher_a1, note="家长申请", notes={two.pk: "已转学"})
    assert one.steps.last().note == "家长申请"
    assert two.steps.last().note == "已转学"


# --- guards ----------------------------------------------------------------------------------------


def test_passing_without_a_meeting_is_refused(cast, round_, whole) -> None:
    (row,) = file(cast, round_)
    before = whole()
    with pytest.raises(StepRefused, match="1 份申请在会议记录中没有相应的结论"):
        advance(row, Step.PASS_CLASS, by=cast.officer_a)
    assert whole() == before


def test_the_verdict_of_the_meeting_is_the_only_step_it_allows(cast, round_) -> None:
    (row,) = walk(cast, file(cast, round_), State.CLASS_REVIEWED)
    with pytest.raises(StepRefused, match="先记录学校评审会议"):
        advance(row, Step.REJECT_AT_SCHOOL, by=cast.officer_a, note="不同意")


def test_publishing_without_a_notice_is_refused(cast, round_) -> None:
    (row,) = walk(cast, file(cast, round_), State.CONFIRMED)
    with pytest.raises(StepRefused) as refused:
        advance(row, Step.PUBLISH, by=cast.officer_a)
    assert refused.value.messages == ["1 份申请还没有列入公示，请从“公示”页发布。"]


def test_clearing_before_the_last_day_is_refused(cast, round_) -> None:
    (row,) = walk(cast, file(cast, round_), State.ON_NOTICE)
    with pytest.raises(StepRefused) as refused:
        advance(row, Step.CLEAR, by=cast.officer_a)
    # Published on Monday the 12th: five working days are over on Monday the 19th.
    assert refused.value.messages == ["1 份申请公示期未满，2026-10-19 之后才能结束，请届时再办。"]


def test_reporting_before_the_notice_is_over_is_impossible(cast, round_) -> None:
    (row,) = walk(cast, file(cast, round_), State.ON_NOTICE)
    with pytest.raises(StaleState, match="公示中 1 份"):
        advance(row, Step.REPORT, by=cast.officer_a)


def test_an_objection_holds_its_line_alone(cast, round_) -> None:
    one, two = walk(cast, file(cast, round_, "张一", "张二"), State.ON_NOTICE)
    objection = objections.receive(
        one.notice_lines.get(),
        received_on=casting.TODAY,
        channel="phone",
        content="反映家庭情况不实",
        by=cast.officer_a,
    )
    assert [row.state for row in refreshed([one, two])] == [State.HELD, State.ON_NOTICE]
    objections.settle(objection, upheld=False, finding="走访核实，情况属实。", by=cast.officer_a)
    assert refreshed([one])[0].state == State.ON_NOTICE


def test_a_held_line_stays_when_the_notice_closes_and_is_cleared_by_the_check(cast, round_) -> None:
    one, two = walk(cast, file(cast, round_, "张一", "张二"), State.ON_NOTICE)
    objection = objections.receive(
        one.notice_lines.get(),
        received_on=casting.TODAY,
        channel="phone",
        content="反映家庭情况不实",
        by=cast.officer_a,
    )
    casting.close(cast, [two])
    assert [row.state for row in refreshed([one, two])] == [State.HELD, State.CLEARED]
    with pytest.raises(StepRefused, match="公示期已满"):
        advance(one, Step.RESUME_NOTICE, by=cast.officer_a, note="属实")
    objections.settle(objection, upheld=False, finding="走访核实，情况属实。", by=cast.officer_a)
    assert refreshed([one])[0].state == State.CLEARED


# --- all in one transaction ------------------------------------------------------------------------


def test_if_the_trail_cannot_be_written_nothing_happens(cast, round_, whole) -> None:
    rows = walk_on(cast, file(cast, round_, "张一", "张二"), State.CLEARED)
    before = whole()
    AuditHead.objects.update(number=0)  # the next row gets a number that is taken: the insert fails
    with pytest.raises(IntegrityError):
        advance_all(rows, Step.REPORT, by=cast.officer_a)
    assert whole() == before


def test_a_meeting_locks_its_list_before_anything_else(cast, round_, django_assert_max_num_queries) -> None:
    # Whoever took the end of the trail first and applications second would wait in a ring with a colleague.
    rows = file(cast, round_, "张一", "张二")
    with django_assert_max_num_queries(60) as seen:
        agree(rows, "class", cast.class_a1, by=cast.grade_head_a)
    texts = [query["sql"] for query in seen.captured_queries]
    applications_first = next(n for n, sql in enumerate(texts) if 'FROM "subsidies_application"' in sql)
    trail_first = next(n for n, sql in enumerate(texts) if "accounts_audithead" in sql)
    assert applications_first < trail_first


# --- the house -------------------------------------------------------------------------------------


def test_the_state_is_written_in_one_place() -> None:
    writing = re.compile(r"\.state\s*=[^=]|\bstate=[\w.]*(target|State\.)|update\([^)]*\bstate=|\"state\"\s*\]\s*=")
    hits = {}
    for path in sorted(Path(settings.BASE_DIR).glob("*/**/*.py")):
        # A benchmark may make its county up; nobody is paid from it.
        if path.parts[-2] in ("migrations", "models") or {"tests", "benchmarks", ".venv"} & set(path.parts):
            continue
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if writing.search(line)]
        if found := [line for line in lines if "Application" in line]:
            hits[path.name] = found
    written = {
        name: [line for line in lines if "update(" in line or ".state =" in line] for name, lines in hits.items()
    }
    assert {name: lines for name, lines in written.items() if lines} == {
        "workflow.py": [
            "moved = Application.objects.filter(pk__in=chunk, state=row.source).update(state=row.target, changed_at=at)"
        ]
    }


def test_refusals_of_a_step_can_be_shown_on_a_form() -> None:
    assert issubclass(StaleState, StepRefused)
    assert issubclass(StepRefused, ValidationError)
    assert issubclass(SamePerson, PermissionDenied)
    assert not issubclass(SamePerson, ValidationError)


def test_an_empty_list_moves_nothing(cast, round_, whole) -> None:
    before = whole()
    assert advance_all([], Step.VERIFY, by=cast.clerk) == 0
    assert whole() == before


def test_history_reads_in_the_words_of_the_table(cast, round_) -> None:
    (row,) = file(cast, round_)
    assert str(StepTaken.objects.get(application=row)) == "提交 李老师"
    assert four_eyes.own_class_paths(teacher_of(cast, cast.class_a1)) == {cast.class_a1.path}
