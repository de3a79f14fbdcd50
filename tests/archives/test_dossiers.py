"""A pupil's file: everything that was decided, nothing that need not be known, one valid paper at a time."""

import datetime as dt
import io

import pypdf
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import appointments, clock
from accounts.models import AuditRow, User
from archives import dossiers
from archives.models import Dossier
from documents import issuing
from documents.models import IssuedDocument
from publicity import notices, objections
from publicity.models import NoticeLine
from students import privacy
from students.changes import Kind, Request
from students.models import Pupil
from subsidies import applications, changes, declarations, kinship, receipts, workflow
from subsidies.models import Application, FollowUp
from subsidies.states import State, Step
from tests import cast as casting
from tests.cast import enrol, refreshed, walk


def text_of(document: IssuedDocument) -> str:
    pages = pypdf.PdfReader(io.BytesIO(issuing.read_pdf(document))).pages
    return "".join(page.extract_text() for page in pages).replace("\n", "").replace(" ", "").replace("\u3000", "")


# --- what it says ---------------------------------------------------------------------------------


def test_the_file_of_a_paid_case_tells_the_whole_road(cast, submitted):
    [paid] = walk(cast, submitted, State.PAID)
    document = dossiers.compile_dossier(paid, by=cast.inspector)
    text = text_of(document)
    told = [
        # who and what
        *["䶮𬎆", "云岭县第一初级中学", "七年级1班", "2026—2027学年秋季学期", "义务教育家庭经济困难学生生活补助"],
        # the facts it was judged by
        *[
            "农村低保",
            "残疾学生",
            "系统比对",
            "民政部门比对",
            "2025年9月1日起，长期",
            "寄宿",
            "张建国（父亲）",
            "家庭收入低",
        ],
        *["750.00元", "人民币柒佰伍拾元整", paid.explanation.replace(" ", "")[:30], "云岭县农村信用合作联社"],
        # the meetings
        *["班级评议", "学校评审", "会议室", "主持人", "成员0（教师代表）", "共10人", "同意10票，反对0票"],
        # the notice
        *["2026年10月12日（陈专干）", "2026年10月19日，计5天", "2026年10月20日（陈专干）", "校门口公示栏"],
        # the money
        *[paid.lines.get().sheet.batch.number, paid.lines.get().sheet.document.number, "支付2026-001", "罗经办"],
        # who did what in which capacity
        *["李老师（七年级1班班主任）", "周校长（云岭县第一初级中学校长）", "沈经办（云岭县资助中心经办）"],
        *["高主任（云岭县资助中心负责人）", "县级审批通过", "编入发放批次", "登记发放"],
        document.number,
        document.code,
    ]
    assert [each for each in told if each.replace(" ", "") not in text] == []
    assert f"第1页共{document.pdf_pages}页" in text


def test_whoever_acted_for_somebody_stands_with_that_name(cast, submitted):
    walk(cast, submitted, State.CLASS_REVIEWED)
    deputy = casting.person("ma", "马腾", "grade_head", cast.school_a)
    post, today = cast.officer_a.appointments.get(), clock.today()
    appointments.act_for(post, deputy, starts_on=today, ends_on=today, reason="外出培训", by=cast.admin)
    deputy = User.objects.get(pk=deputy.pk)
    casting.agree(refreshed(submitted), "school", cast.school_a, by=deputy)
    round_ = submitted[0].round
    workflow.advance_all(refreshed(submitted), Step.CONFIRM, by=cast.principal_a)
    notices.publish(round_, cast.school_a, notices.propose(round_, cast.school_a), by=deputy)
    [line] = NoticeLine.objects.all()
    text = text_of(dossiers.compile_dossier(line.application, by=cast.inspector))
    assert "记录人马腾（代陈专干）" in text
    assert "2026年10月12日（马腾（代陈专干））" in text


def test_the_file_names_what_the_family_signed(cast, round_, submitted):
    case = submitted[0]
    before = dossiers.compile_dossier(case, by=cast.officer_a)
    assert "没有登记签字的申请表和家长回执" in text_of(before)
    rule = declarations.rule_of(round_.programme, cast.term)
    held = declarations.declare(case.enrolment, casting.answers(), based_on=0, reason="", by=cast.teacher_a1)
    signed = declarations.attach_signed(
        held, rule, casting.scan("申请表.pdf"), signed_on=clock.today(), signer="guardian", by=cast.officer_a
    )
    slip = receipts.record(
        round_, cast.class_a1, case.enrolment, answer="applies", signed_on=clock.today(),
        scan=casting.scan("回执.pdf"), by=cast.teacher_a1,
    )  # fmt: skip
    assert not dossiers.is_current(case)
    text = text_of(dossiers.compile_dossier(case, by=cast.officer_a))
    for said in (f"{signed.title}（2026-2027第1版）", signed.file.sha256[:16], "家长回执：申请", slip.scan.sha256[:16]):
        assert said.replace(" ", "") in text
    assert "监护人" in text


def test_numbers_of_persons_are_masked(cast, submitted):
    pupil = Pupil.objects.get(pk=submitted[0].pupil_id)
    purpose = next(iter(privacy.PURPOSES))
    full = [privacy.reveal(pupil, field, by=cast.officer_a, purpose=purpose, note="核对") for field in ("id", "roll")]
    full.append(privacy.account_number(pupil.accounts.get()))
    text = text_of(dossiers.compile_dossier(submitted[0], by=cast.officer_a))
    assert pupil.id_masked in text
    assert pupil.accounts.get().number_masked.replace(" ", "") in text
    assert [number for number in full if number in text] == []


def test_a_case_just_submitted_says_what_is_still_to_come(cast, submitted):
    text = text_of(dossiers.compile_dossier(submitted[0], by=cast.teacher_a1))
    for each in ("待班级评议", "尚未评审", "尚未公示", "尚未发放", "李老师"):
        assert each in text


def test_the_frozen_facts_stay_when_the_register_moves_on(cast, submitted):
    Pupil.objects.filter(pk=submitted[0].pupil_id).update(name="改名", guardian_name="改名人")
    text = text_of(dossiers.compile_dossier(submitted[0], by=cast.officer_a))
    assert "䶮𬎆" in text
    assert "改名" not in text


def test_an_objection_and_its_finding_are_in_the_file(cast, submitted):
    walk(cast, submitted, State.ON_NOTICE)
    line = submitted[0].notice_lines.get()
    objection = objections.receive(line, received_on=clock.today(), channel="来信", content="x", by=cast.officer_a)
    objections.settle(objection, upheld=True, finding="查实家中有车。", by=cast.officer_a)
    text = text_of(dossiers.compile_dossier(submitted[0], by=cast.officer_a))
    for each in ("2026年10月12日（来信）收到，成立", "由陈专干办结：查实家中有车", "不予资助"):
        assert each in text


def test_what_a_change_made_of_the_listed_amount_is_in_the_file(cast, submitted):
    rows = walk(cast, submitted, State.IN_BATCH)
    before = dossiers.compile_dossier(rows[0], by=cast.officer_a)
    left = Request(Kind.WITHDRAW, pupil=rows[0].pupil, on=clock.today(), reason="外出务工")
    changes.record(left, by=cast.officer_a, seen=changes.plan(left, by=cast.officer_a).digest)
    changes.settle(FollowUp.objects.get(), result=FollowUp.Result.NOT_PAID, note="", by=cast.clerk2)
    after = dossiers.compile_dossier(refreshed(rows)[0], by=cast.officer_a)
    assert after != before
    assert "没有发放，款项留存（罗经办" in text_of(after)


def test_the_public_facts_name_nobody(cast, submitted):
    document = dossiers.compile_dossier(submitted[0], by=cast.officer_a)
    assert dict(document.facts)["办理状态"] == "待班级评议"
    assert "䶮" not in str(document.facts)


# --- one valid paper ------------------------------------------------------------------------------


def test_an_unchanged_case_gives_the_same_paper_and_each_reading_is_recorded(cast, submitted):
    first = dossiers.compile_dossier(submitted[0], by=cast.officer_a)
    again = dossiers.compile_dossier(submitted[0], by=cast.inspector)
    assert first == again
    assert Dossier.objects.count() == 1
    readings = AuditRow.objects.filter(action="dossier.read").order_by("number")
    assert [(row.username, row.detail) for row in readings] == [
        ("officer_a", {"document": first.number}),
        ("inspector", {"document": first.number}),
    ]


def test_a_case_that_moved_on_gets_a_new_paper_in_place_of_the_old(cast, submitted):
    first = dossiers.compile_dossier(submitted[0], by=cast.officer_a)
    walk(cast, submitted, State.CLASS_REVIEWED)
    assert not dossiers.is_current(refreshed(submitted)[0])
    second = dossiers.compile_dossier(submitted[0], by=cast.officer_a)
    first.refresh_from_db()
    assert (first.state, first.superseded_by) == (IssuedDocument.State.SUPERSEDED, second)
    assert second.state == IssuedDocument.State.ISSUED
    assert dossiers.is_current(refreshed(submitted)[0])


def test_who_called_themselves_kin_stands_in_the_file(cast, submitted):
    first = dossiers.compile_dossier(submitted[0], by=cast.officer_a)
    assert "亲属回避" not in text_of(first)
    kinship.say(submitted[0], is_kin=True, by=cast.principal_a)
    second = dossiers.compile_dossier(submitted[0], by=cast.officer_a)
    assert first != second
    assert "亲属回避：周校长于2026年10月12日说明，是本人亲属，回避。" in text_of(second)


def test_a_reason_changed_while_the_case_is_back_makes_the_paper_out_of_date(cast, submitted):
    walk(cast, submitted, State.REPORTED)
    workflow.advance(submitted[0], Step.RETURN_FROM_COUNTY, by=cast.clerk, note="请补理由")
    first = dossiers.compile_dossier(submitted[0], by=cast.officer_a)
    wish = applications.Wish(submitted[0].enrolment, reason="父亲患病")
    applications.save_drafts(submitted[0].round, cast.class_a1, [wish], by=cast.teacher_a1)
    second = dossiers.compile_dossier(submitted[0], by=cast.officer_a)
    assert first != second
    assert "父亲患病" in text_of(second)


def test_the_file_ends_with_the_notices_closing(cast, submitted):
    walk(cast, submitted, State.ON_NOTICE)
    first = dossiers.compile_dossier(submitted[0], by=cast.officer_a)
    clock.set_demo_day(dt.date(2026, 10, 20))
    casting.close(cast, submitted)
    assert dossiers.compile_dossier(submitted[0], by=cast.officer_a) != first


def test_what_was_never_submitted_has_no_file(cast, round_):
    wish = applications.Wish(enrol(cast, cast.class_a1), reason="家庭收入低")
    [draft] = applications.save_drafts(round_, cast.class_a1, [wish], by=cast.teacher_a1)
    with pytest.raises(ValidationError, match="还没有提交过"):
        dossiers.compile_dossier(draft, by=cast.officer_a)
    assert not dossiers.fileable(cast.officer_a).exists()
    assert not IssuedDocument.objects.exists()


def test_who_may_not_look_gets_no_file(cast, submitted):
    for who in ("teacher_a2", "officer_b", "principal_b", "admin"):
        with pytest.raises(PermissionDenied):
            dossiers.compile_dossier(submitted[0], by=cast.people[who])
    assert not IssuedDocument.objects.exists()


# --- pages ----------------------------------------------------------------------------------------


def test_who_opens_the_page_and_who_gets_the_file(as_user, cast, submitted):
    url = reverse("dossier", args=[submitted[0].pk])
    wanted = dict.fromkeys(("clerk", "head", "inspector", "officer_a", "principal_a", "teacher_a1"), 200)
    wanted |= dict.fromkeys(("teacher_a2", "officer_b", "teacher_b1"), 404) | {"admin": 403}
    assert {who: as_user(cast.people[who]).get(url).status_code for who in wanted} == wanted
    assert {who: as_user(cast.people[who]).post(url).status_code for who in wanted} == wanted


def test_looking_at_the_page_makes_no_paper(as_user, cast, submitted):
    text = as_user(cast.officer_a).get(reverse("dossier", args=[submitted[0].pk])).content.decode()
    assert "还没有生成过档案" in text
    assert not IssuedDocument.objects.exists()


def test_the_file_is_a_download_nobody_keeps(as_user, cast, submitted):
    client, url = as_user(cast.officer_a), reverse("dossier", args=[submitted[0].pk])
    answer = client.post(url)
    assert answer.content.startswith(b"%PDF-")
    assert answer["Content-Disposition"].startswith("attachment")
    assert "no-store" in answer["Cache-Control"]
    assert "与现在的办理记录一致" in client.get(url).content.decode()


def test_a_name_no_font_can_print_gives_a_sentence_not_an_error(as_user, cast, submitted):
    Application.objects.filter(pk=submitted[0].pk).update(reason="张\U000323b0的家庭")
    page = as_user(cast.officer_a).post(reverse("dossier", args=[submitted[0].pk]), follow=True)
    assert "打印不出" in page.content.decode()
    assert not IssuedDocument.objects.exclude(state=IssuedDocument.State.RESERVED).exists()


def test_the_list_is_narrowed_by_name_round_and_state(as_user, cast, round_, submitted):
    other = casting.submitted(cast, round_, enrol(cast, cast.class_a2, name="王小红"))
    walk(cast, other, State.CLASS_REVIEWED)

    def found(name: str = "", **query: str) -> list[str]:
        client = as_user(cast.officer_a)
        client.post(reverse("dossiers"), {"q": name})
        page = client.get(reverse("dossiers"), query)
        return sorted(row.record.pupil.name for row in page.context["table"].paginated_rows)

    assert found() == sorted(["王小红", "䶮𬎆"])
    assert found("王") == ["王小红"]
    assert found(state="submitted") == ["䶮𬎆"]
    assert found("无此人", round=str(round_.pk)) == []


def test_the_list_holds_only_ones_own_classes(as_user, cast, submitted):
    for who, count in (("teacher_a1", 1), ("teacher_a2", 0), ("officer_b", 0), ("clerk", 1)):
        page = as_user(cast.people[who]).get(reverse("dossiers"))
        assert len(page.context["table"].rows) == count


def test_the_list_asks_the_same_for_one_row_and_for_three(as_user, cast, round_, submitted):
    def asked() -> int:
        client = as_user(cast.officer_a)
        client.get(reverse("dossiers"))
        with CaptureQueriesContext(connection) as caught:
            client.get(reverse("dossiers"))
        return len(caught)

    dossiers.compile_dossier(submitted[0], by=cast.officer_a)
    first = asked()
    casting.submitted(cast, round_, *[enrol(cast, cast.class_a2, name=name) for name in "甲乙"])
    assert asked() == first
