"""Filing: candidates with what they would get, drafts, and the facts that freeze at submitting."""

import datetime as dt
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from accounts import clock
from accounts.models import AuditRow
from students import circumstances, privacy
from students.changes import Kind
from students.models import BankAccount, Category, Enrolment
from subsidies import applications, rounds
from subsidies.applications import Wish, candidates, save_drafts, submit
from subsidies.models import Application, Programme, Round
from subsidies.states import State, Step
from subsidies.workflow import SamePerson, StaleState, StepRefused, advance
from tests.cast import TODAY, change_boarding, enrol, open_round, refreshed, submitted, walk
from tests.subsidies.shortcuts import walk_on
from tests.subsidies.test_changes import record, wanted


def draft(cast, round_, row, **wish) -> Application:
    (saved,) = save_drafts(round_, row.school_class, [Wish(row, **wish)], by=cast.teacher_a1)
    return saved


# --- the filing page -------------------------------------------------------------------------------


def test_candidates_come_with_amount_and_sentence_the_entitled_first(cast, round_) -> None:
    enrol(cast, cast.class_a1, name="甲没有", kinds=())
    enrol(cast, cast.class_a1, name="乙走读", boarding="day")
    enrol(cast, cast.class_a1, name="丙寄宿")
    found = candidates(round_, cast.class_a1)
    assert [(c.enrolment.pupil.name, c.entitlement.amount, c.may_file) for c in found] == [
        ("丙寄宿", Decimal("750.00"), True),
        ("乙走读", Decimal("375.00"), True),
        ("甲没有", None, False),
    ]
    assert found[2].entitlement.sentence == "没有登记有效的困难类别；请先在学生页登记困难类别和证明。"


def test_candidates_who_have_an_application_come_first_and_may_not_be_filed_twice(cast, round_) -> None:
    row = enrol(cast, cast.class_a1, name="张一")
    enrol(cast, cast.class_a1, name="丁二")
    (filed,) = submitted(cast, round_, row)
    first, second = candidates(round_, cast.class_a1)
    assert (first.application, first.may_file) == (filed, False)
    assert (second.application, second.may_file) == (None, True)


def test_candidates_are_the_class_of_the_term_only(cast, round_) -> None:
    enrol(cast, cast.class_a2)
    enrol(cast, cast.class_b1)
    assert candidates(round_, cast.class_a1) == []


def test_a_tiered_programme_shows_what_each_grade_would_give(cast) -> None:
    cast.class_a1.school_class.__class__.objects.filter(unit=cast.class_a1).update(stage="senior", grade="高一")
    cast.class_a1.school_class.refresh_from_db()
    round_ = open_round(cast, "senior-grant")
    row = enrol(cast, cast.class_a1)
    (found,) = candidates(round_, cast.class_a1)
    assert {tier: e.amount for tier, e in found.entitlements.items()} == {
        "特别困难": Decimal("1650.00"),
        "困难": Decimal("1150.00"),
        "一般困难": Decimal("650.00"),
    }
    draft(cast, round_, row, tier="困难")
    (found,) = candidates(round_, cast.class_a1)
    assert found.entitlement.amount == Decimal("1150.00")


# --- drafts ----------------------------------------------------------------------------------------


def test_a_draft_can_be_changed_and_saving_it_unchanged_leaves_no_trace(cast, round_) -> None:
    row = enrol(cast, cast.class_a1)
    first = draft(cast, round_, row, reason="父亲患病")
    again = draft(cast, round_, row, reason="父亲患病，母亲务农")
    same = draft(cast, round_, row, reason="父亲患病，母亲务农")
    assert first.pk == again.pk == same.pk
    assert refreshed([first])[0].reason == "父亲患病，母亲务农"
    actions = AuditRow.objects.filter(subject=f"subsidies.application:{first.pk}").order_by("number")
    assert list(actions.values_list("action", flat=True)) == ["application.draft", "application.change_draft"]


def test_a_submitted_application_is_no_draft_any_more(cast, round_) -> None:
    row = enrol(cast, cast.class_a1, name="张一")
    submitted(cast, round_, row)
    with pytest.raises(ValidationError) as refused:
        draft(cast, round_, row, reason="改一下")
    assert refused.value.messages == ["张一 的申请已经提交（待班级评议），不能再改；如有错误请联系评议人退回。"]


def test_a_pupil_of_another_class_is_not_filed_here(cast, round_) -> None:
    row = enrol(cast, cast.class_a2, name="张二")
    with pytest.raises(ValidationError) as refused:
        save_drafts(round_, cast.class_a1, [Wish(row)], by=cast.teacher_a1)
    assert refused.value.messages == ["张二 不在七年级1班本学期的名册中，请刷新页面。"]


def test_one_wish_that_cannot_be_saves_none(cast, round_) -> None:
    good, wrong = enrol(cast, cast.class_a1), enrol(cast, cast.class_a2)
    with pytest.raises(ValidationError):
        save_drafts(round_, cast.class_a1, [Wish(good), Wish(wrong)], by=cast.teacher_a1)
    assert not Application.objects.exists()


@pytest.mark.parametrize("who", ["teacher_a2", "officer_a", "principal_a", "clerk", "inspector"])
def test_only_the_class_teacher_files(cast, round_, who) -> None:
    row = enrol(cast, cast.class_a1)
    with pytest.raises(PermissionDenied):
        save_drafts(round_, cast.class_a1, [Wish(row)], by=cast.people[who])
    assert not Application.objects.exists()


def test_a_round_of_another_school_is_not_for_this_class(cast) -> None:
    theirs = rounds.open_round(
        programme=Programme.objects.get(code="living-aid"), term=cast.term, unit=cast.school_b,
        opens_on=TODAY, closes_on=TODAY, by=cast.officer_b,
    )  # fmt: skip
    row = enrol(cast, cast.class_a1)
    with pytest.raises(ValidationError, match="由云岭县城关小学开启，不包括七年级1班"):
        draft(cast, theirs, row)


def test_a_grade_the_programme_does_not_have(cast, round_) -> None:
    with pytest.raises(ValidationError) as refused:
        draft(cast, round_, enrol(cast, cast.class_a1), tier="特别困难")
    assert refused.value.messages == [
        "“特别困难”不是义务教育家庭经济困难学生生活补助的困难等级，请从列出的等级中选择。"
    ]


def test_who_reviewed_a_returned_case_does_not_fill_it_in_anew(cast, round_) -> None:
    row = enrol(cast, cast.class_a1)
    (filed,) = walk_on(cast, submitted(cast, round_, row), State.REPORTED)
    advance(filed, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="缺证明")
    cast.officer_a.appointments.create(role="class_teacher", unit=cast.class_a1, starts_on="2026-09-01")
    cast.officer_a.__dict__.pop("appointments_in_force", None)
    with pytest.raises(SamePerson):
        save_drafts(round_, cast.class_a1, [Wish(row, reason="补了")], by=cast.officer_a)
    assert refreshed([filed])[0].reason == "家庭收入低"


# --- the same pupil twice --------------------------------------------------------------------------


def moved_to_b(cast, row: Enrolment) -> Enrolment:
    """The pupil is on another school's roster as well: two rolls (双学籍) or a change of school in the term."""
    Enrolment.objects.filter(pk=row.pk).update(school=cast.school_b, school_class=cast.class_b1)
    return Enrolment.objects.select_related("pupil", "school", "school_class").get(pk=row.pk)


def test_a_pupil_is_aided_once_across_schools_and_the_other_school_is_not_named(cast, round_) -> None:
    row = enrol(cast, cast.class_a1, name="张一")
    submitted(cast, round_, row)
    elsewhere = moved_to_b(cast, row)
    with pytest.raises(ValidationError) as refused:
        save_drafts(round_, cast.class_b1, [Wish(elsewhere)], by=cast.teacher_b1)
    assert refused.value.messages == ["张一 本学期已有申请，由原班级或学校继续办理，不用再填报。"]
    assert Application.objects.count() == 1


def test_a_case_going_on_elsewhere_is_said_and_stops_no_other(cast, round_) -> None:
    moved, other = enrol(cast, cast.class_a1, name="张一"), enrol(cast, cast.class_a2, name="张二")
    walk(cast, submitted(cast, round_, moved), State.SCHOOL_REVIEWED)
    record(wanted(moved, Kind.CHANGE_CLASS, school_class=cast.class_a2.school_class), by=cast.officer_a)
    by_name = {c.facts["name"]: c for c in candidates(round_, cast.class_a2)}
    assert [c.may_file for c in (by_name["张一"], by_name["张二"])] == [False, True]
    assert by_name["张一"].sentence == "本学期已有申请，由原班级或学校继续办理，不用再填报。"
    assert by_name["张一"].application is None, "the other class's case is not shown here"
    assert len(submitted(cast, round_, other)) == 1


def test_a_draft_nobody_handed_in_gains_no_days_by_a_change_of_class(cast, round_) -> None:
    """It comes to the new class as a case that is returned; what was never sent keeps the days of filing."""
    drafted, sent = enrol(cast, cast.class_a1, name="张一"), enrol(cast, cast.class_a1, name="张二")
    (draft,) = save_drafts(round_, cast.class_a1, [Wish(drafted)], by=cast.teacher_a1)
    (case,) = submitted(cast, round_, sent)
    clock.set_demo_day(round_.closes_on + dt.timedelta(days=1))
    for row in (drafted, sent):
        record(wanted(row, Kind.CHANGE_CLASS, school_class=cast.class_a2.school_class), by=cast.officer_a)
    draft, case = refreshed([draft, case])
    assert draft.state == case.state == State.RETURNED
    with pytest.raises(ValidationError, match="今天不能提交"):
        submit([draft], by=cast.teacher_a2)
    submit([case], by=cast.teacher_a2)
    days = {"opens_on": round_.opens_on, "closes_on": clock.today()}
    rounds.change_window(round_, **days, reason="延长一天", by=cast.clerk)
    submit(refreshed([draft]), by=cast.teacher_a2)
    assert {row.state for row in refreshed([draft, case])} == {State.SUBMITTED}


def test_the_database_refuses_a_second_application_of_the_term(cast, round_) -> None:
    row = enrol(cast, cast.class_a1)
    (filed,) = submitted(cast, round_, row)
    with pytest.raises(IntegrityError), transaction.atomic():
        Application.objects.create(
            round=round_, programme=filed.programme, term=filed.term, pupil=filed.pupil, enrolment=row,
            school=cast.school_b, school_class=cast.class_b1, filed_at=clock.now(), filed_by=cast.teacher_b1,
            changed_at=clock.now(),
        )  # fmt: skip


def test_the_same_pupil_twice_in_one_list(cast, round_) -> None:
    row = enrol(cast, cast.class_a1, name="张一")
    with pytest.raises(ValidationError, match="张一 在本学期已有这个项目的申请"):
        save_drafts(round_, cast.class_a1, [Wish(row), Wish(row)], by=cast.teacher_a1)
    assert not Application.objects.exists()


def test_a_withdrawn_application_makes_room_for_another(cast, round_) -> None:
    row = enrol(cast, cast.class_a1)
    (first,) = submitted(cast, round_, row)
    advance(first, Step.WITHDRAW, by=cast.teacher_a1, note="家长要求")
    (second,) = submitted(cast, round_, row)
    assert second.pk != first.pk


# --- submitting ------------------------------------------------------------------------------------


def test_submitting_writes_amount_sentence_and_standard(cast, round_) -> None:
    (filed,) = submitted(cast, round_, enrol(cast, cast.class_a1))
    assert filed.amount == Decimal("750.00") == filed.standard.amount
    assert filed.explanation.startswith(
        "2026—2027学年秋季学期：该生为初中寄宿学生，属农村低保（系统比对：民政部门比对，2025年9月1日起有效），"
    )
    assert filed.explanation.endswith("每学期750.00元。")
    assert filed.facts["boarding"] == "boarding"
    assert filed.facts["categories"][0]["code"] == "dibao_rural"


def test_what_was_submitted_stays_whatever_becomes_of_the_pupil(cast, round_) -> None:
    row = enrol(cast, cast.class_a1)
    (filed,) = submitted(cast, round_, row)
    before = Application.objects.values("facts", "amount", "explanation", "standard").get(pk=filed.pk)

    clock.set_demo_day(TODAY + dt.timedelta(days=1))
    for circumstance in row.pupil.circumstances.all():
        circumstances.end(circumstance, on=clock.today(), by=cast.officer_a)
    circumstances.add(
        row.pupil, category=Category.objects.get(code="orphan"), source="collected",
        valid_from=TODAY, evidence="福利证", by=cast.officer_a,
    )  # fmt: skip
    BankAccount.objects.filter(pupil=row.pupil).update(ends_on=clock.today())
    filed.standard.__class__.objects.filter(pk=filed.standard_id).update(document="改名的文件")

    (filed,) = walk(cast, [filed], State.SCHOOL_REVIEWED)
    assert Application.objects.values("facts", "amount", "explanation", "standard").get(pk=filed.pk) == before


def test_the_frozen_facts_hold_no_whole_number(cast, round_) -> None:
    row = enrol(cast, cast.class_a1)
    (filed,) = submitted(cast, round_, row)
    text = str(filed.facts)
    whole = privacy.reveal(row.pupil, "id", by=cast.officer_a, purpose="check_papers", note="核对花名册")
    assert whole not in text
    assert whole[6:14] not in text.replace(filed.facts["birth_date"], "")


def test_a_pupil_who_is_not_entitled_cannot_be_submitted(cast, round_) -> None:
    saved = draft(cast, round_, enrol(cast, cast.class_a1, kinds=()))
    with pytest.raises(StepRefused) as refused:
        submit([saved], by=cast.teacher_a1)
    assert refused.value.messages == [
        "1 份申请没有适用的标准，不能提交：没有登记有效的困难类别；请先在学生页登记困难类别和证明。"
    ]
    assert refreshed([saved])[0].state == State.DRAFT


def test_submitting_again_is_refused_and_freezes_nothing_anew(cast, round_) -> None:
    row = enrol(cast, cast.class_a1)
    (filed,) = submitted(cast, round_, row)
    row.pupil.circumstances.update(valid_to=TODAY - dt.timedelta(days=1))  # by now there would be no amount
    with pytest.raises(StaleState, match="待班级评议 1 份"):
        submit([filed], by=cast.teacher_a1)
    assert refreshed([filed])[0].amount == Decimal("750.00")


def test_filing_again_after_a_return_freezes_what_is_known_then(cast, round_) -> None:
    row = enrol(cast, cast.class_a1)
    (filed,) = walk_on(cast, submitted(cast, round_, row), State.REPORTED)
    advance(filed, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="就读方式与名册不符")
    row = change_boarding(row, "day", by=cast.teacher_a1)
    (filed,) = submitted(cast, round_, row)
    assert filed.amount == Decimal("375.00")
    assert "走读" in filed.explanation


def test_a_pupil_who_left_the_class_is_not_submitted_by_it(cast, round_) -> None:
    saved = draft(cast, round_, enrol(cast, cast.class_a1))
    Enrolment.objects.filter(pk=saved.enrolment_id).update(school_class=cast.class_a2)
    with pytest.raises(ValidationError) as refused:
        submit([saved], by=cast.teacher_a1)
    assert refused.value.messages == ["1 名学生已不在本班名册中，请先撤回其申请，由现在的班级填报。"]


def test_another_teacher_does_not_submit_for_the_class(cast, round_) -> None:
    saved = draft(cast, round_, enrol(cast, cast.class_a1))
    with pytest.raises(PermissionDenied):
        submit([saved], by=cast.teacher_a2)


def test_the_database_refuses_a_submitted_application_without_an_amount(cast, round_) -> None:
    (filed,) = submitted(cast, round_, enrol(cast, cast.class_a1))
    for broken in ({"amount": None}, {"amount": Decimal("0.00")}, {"explanation": ""}, {"standard": None}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Application.objects.filter(pk=filed.pk).update(**broken)


def test_the_database_knows_the_states(cast, round_) -> None:
    (filed,) = submitted(cast, round_, enrol(cast, cast.class_a1))
    with pytest.raises(IntegrityError), transaction.atomic():
        Application.objects.filter(pk=filed.pk).update(state="lost")


def test_the_round_is_named_as_people_say_it(cast, round_) -> None:
    assert str(Round.objects.get()) == "2026—2027学年秋季学期 义务教育家庭经济困难学生生活补助"
    assert applications.Wish(enrol(cast, cast.class_a1)).tier == ""
