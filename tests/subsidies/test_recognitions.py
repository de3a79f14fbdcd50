"""认定: made once by the principal's confirmation, serving all programmes of the year, looked at again in spring."""

import datetime as dt
import io

import openpyxl
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import appointments, clock
from accounts.models import AuditRow, User
from students import circumstances, privacy
from students.models import Enrolment, Term
from subsidies import applications, checks, ledger, recognition_rechecks, recognitions, rollovers, rounds, workflow
from subsidies.completeness import Check
from subsidies.models import Application, Programme, Recognition, TierWording
from subsidies.recognition_rechecks import Recheck
from subsidies.states import State, Step
from tests.cast import (
    Cast,
    agree,
    appoint,
    batch,
    close,
    enrol,
    open_round,
    person,
    publish,
    refreshed,
    scan,
    submitted,
    teacher_of,
    walk,
)

from .test_pages import open_as, text_of

K = Recognition.Kind
FIRST_DAY = dt.date(2027, 3, 1)
SENIOR = dt.date(2010, 5, 6)


@pytest.fixture
def confirmed(cast, round_) -> list[Application]:
    pupils = [enrol(cast, cast.class_a1, name=name) for name in ("张一", "张二", "张三")]
    return walk(cast, submitted(cast, round_, *pupils), State.CONFIRMED)


def held(row: Application) -> Recognition:
    return recognitions.of_pupils([row.pupil_id], "2026-2027")[row.pupil_id]


def place_of(row: Application, term: str = "2026-2027-1") -> Enrolment:
    rows = Enrolment.objects.select_related("pupil", "term", "school", "school_class")
    return rows.get(pupil=row.pupil_id, term__key=term)


def to_spring(cast: Cast) -> Term:
    clock.set_demo_day(FIRST_DAY)
    spring = Term.objects.get(key="2026-2027-2")
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    return spring


ENDED = Recheck(K.ENDED, seen=1, reason="家庭收入已稳定", evidence="2026年10月家访记录")


# --- by the principal -----------------------------------------------------------------------------


def test_the_principals_confirmation_recognises_each_pupil_once(cast, confirmed) -> None:
    row = held(confirmed[0])
    assert (row.version, row.kind, row.decided_on, row.by) == (1, K.RECOGNISED, clock.today(), cast.principal_a)
    assert [each["code"] for each in row.grounds] == ["dibao_rural"]
    assert row.application_id == confirmed[0].pk
    assert row.meeting.level == "school"
    assert Recognition.objects.count() == 3
    assert AuditRow.objects.filter(action="recognition.add").count() == 3


def test_nobody_is_recognised_before_the_principal(cast, round_) -> None:
    rows = submitted(cast, round_, enrol(cast, cast.class_a1))
    walk(cast, rows, State.SCHOOL_REVIEWED)
    assert not Recognition.objects.exists()


def test_a_case_confirmed_again_says_nothing_new(cast, confirmed) -> None:
    again = [confirmed[0]]
    Application.objects.filter(pk=again[0].pk).update(state=State.SCHOOL_REVIEWED)
    workflow.advance_all(refreshed(again), Step.CONFIRM, by=cast.principal_a)
    assert Recognition.objects.filter(pupil=again[0].pupil).count() == 1


def test_a_tier_that_differs_is_a_new_version_with_its_reason(cast, confirmed) -> None:
    for tier in ("困难", "特别困难", "特别困难", ""):
        Application.objects.filter(pk=confirmed[0].pk).update(state=State.SCHOOL_REVIEWED, tier=tier)
        workflow.advance_all(refreshed(confirmed[:1]), Step.CONFIRM, by=cast.principal_a)
    versions = Recognition.objects.filter(pupil=confirmed[0].pupil).order_by("version")
    assert [row.tier for row in versions] == ["", "困难", "特别困难"]
    assert versions.last().reason == "经评审，认定等级由“困难”改为“特别困难”。"


def test_one_recognition_serves_another_programme_of_the_year(cast, confirmed) -> None:
    Programme.objects.filter(code="senior-grant").update(stages=["junior"], tiers=[])
    other = Programme.objects.get(code="senior-grant")
    rows = Application.objects.filter(pk=confirmed[0].pk)
    second = rows.get()
    second.pk, second.programme, second.state = None, other, State.SCHOOL_REVIEWED
    second.round = open_round(cast, "senior-grant")
    second._state.adding = True
    second.save()
    workflow.advance(second, Step.CONFIRM, by=cast.principal_a)
    assert Recognition.objects.filter(pupil=second.pupil_id).count() == 1


def test_versions_are_never_changed(cast, confirmed) -> None:
    with pytest.raises(TypeError):
        Recognition.objects.update(tier="困难")


def test_who_comes_second_to_the_same_pupil_finds_what_the_first_wrote(cast, confirmed, monkeypatch) -> None:
    """Both looked before either wrote: the version's own key lets one through, and the other looks again."""
    real, looks = recognitions.of_pupils, []

    def stale_at_first(pupils, year):
        looks.append(year)
        return {} if len(looks) == 1 else real(pupils, year)

    monkeypatch.setattr(recognitions, "of_pupils", stale_at_first)
    Application.objects.filter(pk=confirmed[0].pk).update(state=State.SCHOOL_REVIEWED, tier="困难")
    workflow.advance_all(refreshed(confirmed[:1]), Step.CONFIRM, by=cast.principal_a)
    versions = Recognition.objects.filter(pupil=confirmed[0].pupil).order_by("version")
    assert [(row.version, row.tier) for row in versions] == [(1, ""), (2, "困难")]
    assert len(looks) == 2


# --- re-check -------------------------------------------------------------------------------------


def test_in_spring_what_stays_is_said_once(cast, confirmed) -> None:
    spring = to_spring(cast)
    place = place_of(confirmed[0], spring.key)
    row = recognition_rechecks.recheck(place, Recheck(K.KEPT, seen=1), by=cast.officer_a)
    assert (row.version, row.kind, row.tier, row.term) == (2, K.KEPT, "", spring)
    with pytest.raises(ValidationError, match="本学期已经复核过"):
        recognition_rechecks.recheck(place, Recheck(K.KEPT, seen=2), by=cast.officer_a)


def test_in_autumn_only_what_changes_is_recorded(cast, confirmed) -> None:
    with pytest.raises(ValidationError, match="复核在春季学期办理"):
        recognition_rechecks.recheck(place_of(confirmed[0]), Recheck(K.KEPT, seen=1), by=cast.officer_a)
    row = recognition_rechecks.recheck(place_of(confirmed[0]), ENDED, by=cast.officer_a)
    assert not row.is_in_force


def test_a_change_names_its_tier_reason_and_paper(cast, confirmed) -> None:
    place = place_of(confirmed[0])
    with pytest.raises(ValidationError) as refused:
        recognition_rechecks.recheck(place, Recheck(K.CHANGED, seen=1), by=cast.officer_a)
    assert set(refused.value.error_dict) == {"reason", "evidence", "tier"}
    told = Recheck(K.CHANGED, seen=1, tier="特困户", reason="父亲病重", evidence="诊断证明")
    with pytest.raises(ValidationError, match="不是现在执行的认定等级"):
        recognition_rechecks.recheck(place, told, by=cast.officer_a)
    told = Recheck(K.CHANGED, 1, "特别困难", "父亲病重", "诊断证明", scan("诊断证明.pdf"))
    row = recognition_rechecks.recheck(place, told, by=cast.officer_a)
    assert (row.tier, row.version, row.evidence_file.original_name) == ("特别困难", 2, "诊断证明.pdf")


def test_what_ended_is_not_looked_at_again_and_may_be_recognised_anew(cast, confirmed) -> None:
    recognition_rechecks.recheck(place_of(confirmed[0]), ENDED, by=cast.officer_a)
    with pytest.raises(ValidationError, match="认定已经终止"):
        recognition_rechecks.recheck(
            place_of(confirmed[0]), Recheck(K.ENDED, 2, "", "仍终止", "家访"), by=cast.officer_a
        )
    workflow.advance_all(confirmed[:1], Step.RETURN_FOR_PAPERS, by=cast.officer_a, note="复核已终止，重新评审")
    applications.submit(confirmed[:1], by=cast.teacher_a1)
    walk(cast, refreshed(confirmed[:1]), State.CONFIRMED)
    row = held(confirmed[0])
    assert (row.version, row.kind, row.reason) == (3, K.RECOGNISED, "复核终止后重新申请，经评审重新认定。")


@pytest.fixture
def at_county(cast, confirmed):
    """Three confirmed cases: one waits for verification, one for approval, one for its payment."""
    publish(cast, confirmed)
    close(cast, confirmed)
    workflow.advance_all(confirmed, Step.REPORT, by=cast.officer_a)
    workflow.advance_all(refreshed(confirmed[1:]), Step.VERIFY, by=cast.clerk)
    workflow.advance_all(refreshed(confirmed[2:]), Step.APPROVE, by=cast.head)
    return refreshed(confirmed)


def test_what_ends_stops_every_case_the_county_has_not_listed(cast, at_county) -> None:
    for case in at_county:
        recognition_rechecks.recheck(place_of(case), ENDED, by=cast.officer_a)
    rows = refreshed(at_county)
    assert {row.state for row in rows} == {State.REPORTED}
    step = rows[2].steps.order_by("pk").last()
    assert (step.step, step.by, step.note) == (Step.RETURN_FOR_RECHECK, cast.officer_a, f"认定复核终止：{ENDED.reason}")
    with pytest.raises(ValidationError, match="3 份申请的学生，困难认定已在复核时终止，不能通过"):
        workflow.advance_all(rows, Step.VERIFY, by=cast.clerk)
    found = workflow.obstacles({row.pk: Step.VERIFY for row in rows}, by=cast.clerk)
    assert len(found) == 3
    assert all("复核终止" in words and "请退回学校，或作出不通过的结论" in words for words in found.values())
    workflow.advance_all(rows, Step.REJECT_AT_COUNTY, by=cast.clerk, note="认定已终止")


def test_what_ended_goes_on_once_it_is_recognised_anew(cast, at_county) -> None:
    [case] = at_county[2:]
    recognition_rechecks.recheck(place_of(case), ENDED, by=cast.officer_a)
    workflow.advance(case, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="认定已终止，请核实")
    applications.submit([case], by=cast.teacher_a1)
    assert recognitions.ended_of([case]) != {}
    walk(cast, refreshed([case]), State.CONFIRMED)
    assert (held(case).version, recognitions.ended_of([case])) == (3, {})


def test_only_what_ended_comes_back(cast, at_county) -> None:
    with pytest.raises(ValidationError, match="困难认定没有终止，不用退回"):
        workflow.advance_all(at_county[1:], Step.RETURN_FOR_RECHECK, by=cast.officer_a, note="想退回")
    recognition_rechecks.recheck(place_of(at_county[0]), ENDED, by=cast.officer_a)
    assert [row.state for row in refreshed(at_county)] == [State.REPORTED, State.VERIFIED, State.APPROVED]


def test_what_spring_ends_takes_nothing_from_autumn(cast, at_county) -> None:
    spring = to_spring(cast)
    recognition_rechecks.recheck(place_of(at_county[2], spring.key), ENDED, by=cast.officer_a)
    assert refreshed(at_county)[2].state == State.APPROVED
    assert recognitions.ended_of(at_county) == {}
    workflow.advance(at_county[1], Step.APPROVE, by=cast.head)


def test_what_is_listed_is_paid_as_listed_and_the_page_says_so(cast, at_county, as_user) -> None:
    workflow.advance(at_county[1], Step.APPROVE, by=cast.head)
    batch(cast, at_county[0].round)
    told = {"kind": "ended", "seen": 1, "reason": ENDED.reason, "evidence": ENDED.evidence}
    said = [
        as_user(cast.officer_a).post(reverse("recognition", args=[held(case).pk]), told, follow=True).content.decode()
        for case in at_county[:2]
    ]
    assert "本学期 1 份申请在待县级审核，不会再通过。" in said[0]
    assert "1 份已编入发放批次，仍按名单发放；要停发或追回的，请联系县资助中心。" in said[1]
    assert [row.state for row in refreshed(at_county)[:2]] == [State.REPORTED, State.IN_BATCH]


def test_the_countys_desk_shows_what_ended(cast, at_county, as_user) -> None:
    recognition_rechecks.recheck(place_of(at_county[0]), ENDED, by=cast.officer_a)
    address = reverse("school_verify", args=[at_county[0].round_id, cast.school_a.pk])
    client = as_user(cast.clerk)
    page = client.get(address).content.decode()
    assert "认定已终止" in page
    assert ENDED.reason in page


def test_a_case_heard_before_the_end_does_not_undo_it(cast, confirmed) -> None:
    """Confirming the list again is no answer to the re-check that ended one of its pupils' recognition meanwhile."""
    publish(cast, confirmed)
    close(cast, confirmed)
    workflow.advance_all(confirmed, Step.REPORT, by=cast.officer_a)
    [case] = confirmed[:1]
    workflow.advance(case, Step.RETURN_TO_SCHOOL, by=cast.clerk, note="请再核实")
    agree(refreshed([case]), "school", cast.school_a, by=cast.officer_a)
    recognition_rechecks.recheck(place_of(case), ENDED, by=cast.officer_a)
    workflow.advance(case, Step.CONFIRM, by=cast.principal_a)
    assert (held(case).version, held(case).kind) == (2, K.ENDED)
    assert Check.RECOGNITION in {each.check for each in checks.stopping(refreshed([case]))[case.pk]}
    workflow.advance(case, Step.RETURN_FOR_PAPERS, by=cast.officer_a, note="复核已终止，重新评审")
    applications.submit([case], by=cast.teacher_a1)
    walk(cast, refreshed([case]), State.CONFIRMED)
    assert (held(case).version, held(case).kind) == (3, K.RECOGNISED)


def test_whoever_was_slower_is_told(cast, confirmed) -> None:
    recognition_rechecks.recheck(place_of(confirmed[0]), ENDED, by=cast.officer_a)
    with pytest.raises(ValidationError, match="刚刚有新的结论"):
        recognition_rechecks.recheck(place_of(confirmed[0]), ENDED, by=cast.officer_a)


def test_who_confirmed_or_teaches_the_class_does_not_recheck(cast, confirmed) -> None:
    appoint(cast.principal_a, "aid_officer", cast.school_a)
    with pytest.raises(PermissionDenied, match="是您确认的"):
        recognition_rechecks.recheck(place_of(confirmed[0]), ENDED, by=cast.principal_a)
    appoint(cast.officer_a, "class_teacher", cast.class_a1)
    with pytest.raises(PermissionDenied, match="这个班的班主任"):
        recognition_rechecks.recheck(place_of(confirmed[0]), ENDED, by=cast.officer_a)
    with pytest.raises(PermissionDenied):
        recognition_rechecks.recheck(place_of(confirmed[0]), ENDED, by=cast.grade_head_a)


def test_who_confirmed_does_not_recheck_after_others_have_either(cast, confirmed) -> None:
    told = Recheck(K.CHANGED, 1, "特别困难", "父亲病重", "诊断证明")
    recognition_rechecks.recheck(place_of(confirmed[0]), told, by=cast.officer_a)
    appoint(cast.principal_a, "aid_officer", cast.school_a)
    ended = Recheck(K.ENDED, 2, "家庭收入已稳定", "家访记录")
    with pytest.raises(PermissionDenied, match="是您确认的"):
        recognition_rechecks.recheck(place_of(confirmed[0]), ended, by=cast.principal_a)


def test_acting_for_somebody_is_no_way_round_it(cast, confirmed) -> None:
    """Neither may who acts for the one that confirmed; the deputy's own school office would let them otherwise."""
    appoint(cast.principal_a, "aid_officer", cast.school_a)
    deputy = person("ma", "马腾", "grade_head", cast.school_a)
    post = cast.principal_a.appointments.get(role="aid_officer")
    until = clock.today() + dt.timedelta(days=5)
    appointments.act_for(post, deputy, starts_on=clock.today(), ends_on=until, reason="外出培训", by=cast.admin)
    deputy = User.objects.get(pk=deputy.pk)
    with pytest.raises(PermissionDenied, match="是您代理的周校长确认的"):
        recognition_rechecks.recheck(place_of(confirmed[0]), ENDED, by=deputy)


def test_the_class_of_whom_one_acts_for_is_not_rechecked_in_their_name(cast, confirmed) -> None:
    other = person("bai", "白专干", "aid_officer", cast.school_a)
    appoint(other, "class_teacher", cast.class_a1)
    deputy = person("ma", "马腾", "grade_head", cast.school_a)
    post = other.appointments.get(role="aid_officer")
    until = clock.today() + dt.timedelta(days=5)
    appointments.act_for(post, deputy, starts_on=clock.today(), ends_on=until, reason="外出培训", by=cast.admin)
    deputy = User.objects.get(pk=deputy.pk)
    with pytest.raises(PermissionDenied, match="您代理的白专干是这个班的班主任"):
        recognition_rechecks.recheck(place_of(confirmed[0]), ENDED, by=deputy)


def test_what_was_typed_after_somebody_ended_it_is_not_dropped_in_silence(cast, confirmed) -> None:
    recognition_rechecks.recheck(place_of(confirmed[0]), ENDED, by=cast.officer_a)
    address = reverse("recognition", args=[held(confirmed[0]).pk])
    typed = {"seen": 1, "kind": "ended", "reason": "收入已稳定", "evidence": "家访记录"}
    assert "您填写的复核结论没有登记" in text_of(open_as(cast.officer_a).post(address, typed))


def test_a_change_of_the_autumn_is_no_spring_recheck(cast, confirmed) -> None:
    told = Recheck(K.CHANGED, 1, "特别困难", "父亲病重", "诊断证明")
    recognition_rechecks.recheck(place_of(confirmed[0]), told, by=cast.officer_a)
    assert [each["rechecked"] for each in ledger.schools(cast.clerk, "2026-2027")] == [0]
    spring = to_spring(cast)
    recognition_rechecks.recheck(place_of(confirmed[1], spring.key), Recheck(K.KEPT, seen=1), by=cast.officer_a)
    assert [each["rechecked"] for each in ledger.schools(cast.clerk, "2026-2027")] == [1]


def test_all_of_a_list_or_none(cast, confirmed) -> None:
    to_spring(cast)
    seen = dict(zip(confirmed, (1, 1, 9), strict=True))
    answers = [(place_of(row, "2026-2027-2"), Recheck(K.KEPT, seen=seen[row])) for row in confirmed]
    with pytest.raises(ValidationError, match="刚刚有新的结论"):
        recognition_rechecks.recheck_all(answers, by=cast.officer_a)
    assert Recognition.objects.count() == 3


def test_an_ended_recognition_stops_the_report(cast, confirmed) -> None:
    recognition_rechecks.recheck(place_of(confirmed[0]), ENDED, by=cast.officer_a)
    found = checks.stopping(refreshed(confirmed))
    assert set(found) == {confirmed[0].pk}
    assert [each.check for each in found[confirmed[0].pk]] == [Check.RECOGNITION]


def test_the_list_says_what_speaks_for_looking_closely(cast, confirmed) -> None:
    spring = to_spring(cast)
    kind = confirmed[0].pupil.circumstances.get()
    circumstances.end(kind, on=FIRST_DAY - dt.timedelta(days=1), by=cast.officer_a)
    rows = {row.place.pupil.name: row for row in recognition_rechecks.due(cast.school_a, spring)}
    assert rows["张一"].hints == ("认定时的农村低保现在已不在有效期内",)
    assert rows["张二"].hints == ()
    recognition_rechecks.recheck(rows["张二"].place, Recheck(K.KEPT, seen=1), by=cast.officer_a)
    assert [row.place.pupil.name for row in recognition_rechecks.due(cast.school_a, spring) if row.is_done] == ["张二"]


def test_the_page_keeps_the_ticked_and_the_pupils_page_ends_one(cast, confirmed) -> None:
    to_spring(cast)
    officer = open_as(cast.officer_a)
    address = reverse("recognition_rechecks", args=[cast.school_a.pk])
    assert "还有 3 名没有复核" in text_of(officer.get(address))
    first, second, third = (place_of(row, "2026-2027-2") for row in confirmed)
    officer.post(address, {"place": [f"{first.pk}:1", f"{second.pk}:1"]})
    assert "还有 1 名没有复核" in text_of(officer.get(address))
    assert "请刷新页面后重新选择" in text_of(officer.post(address, {"place": [f"{first.pk}:1"]}))

    single = reverse("recognition", args=[held(confirmed[2]).pk])
    refused = officer.post(single, {"seen": 1, "kind": "ended"})
    assert "请写明原因" in text_of(refused)
    typed = {"seen": 1, "kind": "ended", "reason": "收入已稳定", "evidence": "家访记录"}
    assert officer.post(single, typed).status_code == 302
    assert "认定已终止" in text_of(officer.get(single))
    assert third.pupil.name in text_of(officer.get(address + "?show=all"))


# --- the words ------------------------------------------------------------------------------------


def test_a_stages_own_words_go_before_those_for_all(cast, db) -> None:
    assert recognitions.tiers_for("junior", cast.term) == ["特别困难", "困难", "一般困难"]
    own = TierWording(stage="junior", first_term=cast.term.key, tiers=["特殊困难", "困难"], source="云教〔2026〕9号")
    recognitions.set_wording(own, county=cast.county, by=cast.clerk)
    assert recognitions.tiers_for("junior", cast.term) == ["特殊困难", "困难"]
    assert recognitions.tiers_for("primary", cast.term) == ["特别困难", "困难", "一般困难"]
    clerk = open_as(cast.clerk)
    twice = {"first_term": cast.term.pk, "stage": "", "tiers": "困难\n困难", "source": "文"}
    assert "不能重复" in text_of(clerk.post(reverse("tier_wordings"), twice))
    none = {"first_term": cast.term.pk, "stage": "junior", "tiers": "", "source": "不再分等级"}
    assert clerk.post(reverse("tier_wordings"), none).status_code == 302
    assert recognitions.tiers_for("junior", cast.term) == []
    assert TierWording.objects.filter(stage="junior").count() == 1


# --- the ledger -----------------------------------------------------------------------------------


def test_the_ledger_shows_each_pupil_with_grounds_tier_and_case(cast, confirmed) -> None:
    page = text_of(open_as(cast.officer_a).get(reverse("ledger_school", args=[cast.school_a.pk])))
    assert "共 3 人" in page
    for words in ("张一", "农村低保（系统比对）", "未分等级", "七年级1班"):
        assert words in page


def test_a_class_teacher_sees_the_own_class_alone(cast, round_, confirmed) -> None:
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_a2, name="赵他班")), State.CONFIRMED)
    address = reverse("ledger_school", args=[cast.school_a.pk])
    assert "赵他班" not in text_of(open_as(cast.teacher_a1).get(address))
    assert "赵他班" in text_of(open_as(cast.principal_a).get(address))
    content = open_as(teacher_of(cast, cast.class_a1)).get(reverse("ledger_sheet", args=[cast.school_a.pk])).content
    assert "赵他班" not in cells(content)


def cells(content: bytes) -> set[str]:
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    return {str(cell.value) for row in sheet.iter_rows() for cell in row if cell.value is not None}


def test_the_workbook_is_masked_and_leaves_a_row(cast, confirmed) -> None:
    answer = open_as(cast.inspector).get(reverse("ledger_sheet", args=[cast.school_a.pk]))
    told = cells(answer.content)
    number = privacy._unseal(confirmed[0].pupil, "id")
    assert confirmed[0].pupil.id_masked in told
    assert number not in told
    row = AuditRow.objects.get(action="ledger.export")
    assert row.detail == {"year": "2026-2027", "persons": 3}


def test_the_workbook_adds_up_what_the_pupils_get(cast, confirmed) -> None:
    content = open_as(cast.officer_a).get(reverse("ledger_sheet", args=[cast.school_a.pk])).content
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    head = next(row for row in sheet.iter_rows() if row[0].value == "序号")
    place = [cell.value for cell in head].index("本学年金额（元）")
    told = [row[place].value for row in sheet.iter_rows(min_row=head[0].row + 1)]
    assert told[:4] == [750, 750, 750, 2250]


def test_the_opinion_of_autumn_stands_until_the_meeting_of_spring(cast, confirmed) -> None:
    spring = to_spring(cast)
    again = rounds.open_round(
        programme=confirmed[0].round.programme, term=spring, unit=cast.county,
        opens_on=FIRST_DAY, closes_on=FIRST_DAY + dt.timedelta(days=10), by=cast.clerk,
    )  # fmt: skip
    submitted(cast, again, place_of(confirmed[0], spring.key))
    [row] = [row for row in ledger.rows_of(ledger.visible(cast.officer_a, "2026-2027")) if len(row.cases) == 2]
    assert (row.class_opinion, row.school_opinion) == ("同意", "同意")


def test_whole_numbers_need_the_permission_a_purpose_and_leave_a_row(cast, confirmed) -> None:
    address = reverse("ledger_full", args=[cast.school_a.pk])
    officer, number = open_as(cast.officer_a), privacy._unseal(confirmed[0].pupil, "id")
    assert officer.post(address, {"purpose": "", "note": ""}).context["form"].errors
    assert not AuditRow.objects.filter(action="ledger.export_full").exists()
    answer = officer.post(address, {"purpose": "other_system", "note": "录入张一等人的认定结果"})
    assert number in cells(answer.content)
    row = AuditRow.objects.get(action="ledger.export_full")
    assert row.detail["persons"] == 3
    assert "张一" not in row.detail["note"]
    told = {"purpose": "other_system", "note": "录入", "by": cast.principal_a}
    with pytest.raises(PermissionDenied):
        ledger.full_sheet(cast.school_a, "2026-2027", school_class=None, **told)


def test_the_ledger_is_narrowed_by_class_tier_and_what_ended(cast, confirmed) -> None:
    recognition_rechecks.recheck(place_of(confirmed[0]), ENDED, by=cast.officer_a)
    officer, address = open_as(cast.officer_a), reverse("ledger_school", args=[cast.school_a.pk])
    assert officer.get(address + "?state=ended").context["page"].paginator.count == 1
    assert officer.get(address + "?state=standing").context["page"].paginator.count == 2
    assert officer.get(address + f"?school_class={cast.class_a1.pk}&tier=-").context["page"].paginator.count == 3
    assert officer.get(address + "?school_class=999999999999999999999&tier=x&year=1&page=x").status_code == 200
    assert [each["ended"] for each in ledger.schools(cast.clerk, "2026-2027")] == [1]


@pytest.mark.parametrize("name", ["ledger_school", "recognition_rechecks", "ledger_sheet"])
def test_the_pages_ask_the_same_of_one_and_of_three(cast, round_, name) -> None:
    counts = []
    for names in (("张一",), ("张二", "张三")):
        pupils = [enrol(cast, cast.class_a1, name=each) for each in names]
        walk(cast, submitted(cast, round_, *pupils), State.CONFIRMED)
        officer = open_as(cast.officer_a)
        address = reverse(name, args=[cast.school_a.pk])
        officer.get(address)
        with CaptureQueriesContext(connection) as asked:
            officer.get(address)
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_a_spring_round_needs_no_second_recognition(cast, confirmed) -> None:
    spring = to_spring(cast)
    round_ = rounds.open_round(
        programme=Programme.objects.get(code="living-aid"),
        term=spring,
        unit=cast.county,
        opens_on=FIRST_DAY,
        closes_on=FIRST_DAY + dt.timedelta(days=30),
        by=cast.clerk,
    )
    rows = walk(cast, submitted(cast, round_, place_of(confirmed[0], spring.key)), State.CONFIRMED)
    assert held(rows[0]).version == 1
    assert "recheck" not in {str(each.finding.check) for each in checks.of(rows)[rows[0].pk]}  # off by default
