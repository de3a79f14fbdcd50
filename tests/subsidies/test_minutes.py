"""The papers of a meeting: the list that is shown, the minutes to sign, the copy that came back."""

import dataclasses
import io

import pypdf
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.urls import reverse

from accounts.models import AuditRow
from documents import issuing
from documents.models import IssuedDocument
from students.models import Pupil
from subsidies import minutes as papers
from subsidies import reviews
from subsidies.models import Decision, Meeting, MinutesPaper, SignedMinutes
from subsidies.reviews import Member, Verdict
from subsidies.states import State
from tests import cast as casting
from tests.cast import enrol, refreshed, submitted, walk
from tests.subsidies.test_pages import open_as, text_of

V = Decision.Verdict


def text_in(paper: bytes) -> str:
    """The words of a PDF, without spaces."""
    pages = pypdf.PdfReader(io.BytesIO(paper)).pages
    return "".join(page.extract_text() for page in pages).replace("\n", "").replace(" ", "")


@pytest.fixture
def rows(cast, round_):
    found = submitted(cast, round_, *[enrol(cast, cast.class_a1, name=name) for name in ("张一", "张二")])
    Pupil.objects.update(guardian_name="张大山", guardian_relation="父亲")
    return found


@pytest.fixture
def meeting(cast, rows) -> Meeting:
    held = dataclasses.replace(
        casting.minutes(), observers="周列席",
        members=[*casting.minutes().members, Member("赵缺席", "任课教师", kind="teacher", attended=False)],
    )  # fmt: skip
    return reviews.hold(
        round_=rows[0].round, unit=cast.class_a1, level="class", minutes=held, by=cast.grade_head_a,
        verdicts=[
            Verdict(rows[0], V.AGREE, votes_for=8, votes_against=2, opinion="家访属实"),
            Verdict(rows[1], V.RETURN, opinion="补充证明材料"),
        ],
    )  # fmt: skip


# --- the list the meeting sits over ----------------------------------------------------------------


def test_the_list_for_the_class_holds_names_and_nothing_of_families(cast, rows) -> None:
    text = text_in(papers.sheet(rows[0].round, cast.class_a1, "class", by=cast.grade_head_a))
    assert "张一" in text
    assert "张二" in text
    assert "同意票" in text
    known = refreshed(rows)[0]
    told = [c["name"] for c in known.facts["categories"]] + [known.reason, "张大山", str(known.amount)]
    assert [word for word in told if word and word in text] == []


def test_two_of_one_name_are_told_apart(cast, round_) -> None:
    places = [enrol(cast, cast.class_a1, name=name) for name in ("王伟", "王伟", "张一")]
    found = submitted(cast, round_, *places, enrol(cast, cast.class_a2, name="张一"))
    own = found[:3]
    sheet = text_in(papers.sheet(round_, cast.class_a1, "class", by=cast.grade_head_a))
    held = casting.agree(own, "class", cast.class_a1, by=cast.grade_head_a)
    minutes = text_in(issuing.read_pdf(papers.read(held, by=cast.grade_head_a)))
    tails = [place.pupil.roll_masked[-4:] for place in places]
    assert tails[0] != tails[1]
    for text in (sheet, minutes):
        assert [f"王伟（号码末四位{tail}）" in text for tail in tails[:2]] == [True, True]
        assert f"张一（号码末四位{tails[2]}" not in text
    page = text_of(open_as(cast.grade_head_a).get(reverse("meeting", args=[held.pk])))
    assert [tail in page for tail in tails[:2]] == [True, True]


def test_nothing_to_print_without_a_list(cast, round_) -> None:
    with pytest.raises(ValidationError, match="没有待班级评议的申请"):
        papers.sheet(round_, cast.class_a1, "class", by=cast.grade_head_a)
    url = reverse("class_review_sheet", args=[round_.pk, cast.class_a1.pk])
    page = text_of(open_as(cast.grade_head_a).get(url, follow=True))
    assert "没有待班级评议的申请，没有可打印的名单。" in page


def test_the_page_gives_the_list(cast, round_, rows) -> None:
    answer = open_as(cast.grade_head_a).get(reverse("class_review_sheet", args=[round_.pk, cast.class_a1.pk]))
    assert answer.content.startswith(b"%PDF-")
    assert AuditRow.objects.get(action="meeting.print_sheet").detail == {"level": "class", "count": 2}


def test_the_list_of_a_school_names_the_classes(cast, rows) -> None:
    walk(cast, rows, State.CLASS_REVIEWED)
    text = text_in(papers.sheet(rows[0].round, cast.school_a, "school", by=cast.officer_a))
    assert "七年级1班" in text


def test_the_page_of_the_committee_gives_its_list(cast, rows) -> None:
    walk(cast, rows, State.CLASS_REVIEWED)
    officer, url = open_as(cast.officer_a), reverse("school_review_sheet", args=[rows[0].round_id, cast.school_a.pk])
    assert url in officer.get(reverse("school_review", args=[rows[0].round_id, cast.school_a.pk])).content.decode()
    text = text_in(officer.get(url).content)
    assert "学校评审用名单" in text
    assert "张一" in text
    assert "农村低保" not in text


# --- the minutes -----------------------------------------------------------------------------------


def test_the_minutes_say_who_sat_and_what_was_decided(cast, meeting) -> None:
    document = papers.read(meeting, by=cast.grade_head_a)
    text = text_in(issuing.read_pdf(document))
    said = (
        "班级评议会议记录",
        "班级人数2人评议人数2人",
        "赵缺席",
        "未到会",
        "周列席",
        "张一",
        "家访属实",
        "补充证明材料",
        "到会率90%",
    )
    assert [word for word in said if word not in text] == []
    assert "张大山" not in text
    assert document.number in text
    assert document.state == IssuedDocument.State.ISSUED
    said = str(document.facts)
    assert "同意 1 人" in said
    assert not [name for name in ("张一", "张二", "成员1") if name in said]


@pytest.mark.slow
def test_the_chair_never_signs_an_empty_sheet(cast, round_) -> None:
    """However many sat: the line for the chair stands below the last of those who sign, on the same page."""
    pupils = [enrol(cast, cast.class_a1, name=f"张{name}") for name in "一二三四五六七八九"]
    pages = []
    for more, row in enumerate(submitted(cast, round_, *pupils), start=2):
        sitting = [
            *casting.minutes().members,
            *(Member(f"成员{chr(0x5143 + n)}", "任课教师", kind="teacher") for n in range(more)),
        ]
        held = reviews.hold(
            round_=round_, unit=cast.class_a1, level="class", by=cast.grade_head_a,
            minutes=dataclasses.replace(casting.minutes(), members=sitting), verdicts=[Verdict(row, V.AGREE)],
        )  # fmt: skip
        paper = issuing.read_pdf(papers.read(held, by=cast.grade_head_a))
        words = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(paper)).pages]
        pages.append(len(words))
        assert [("主持人签字" in page) <= ("任课教师" in page) for page in words] == [True] * len(words), more
    assert set(pages) == {1, 2}, "page ends among the sizes that were tried"


def test_the_minutes_are_printed_once_and_each_reading_is_recorded(cast, meeting) -> None:
    first = papers.read(meeting, by=cast.grade_head_a)
    assert papers.read(meeting, by=cast.inspector) == first
    assert MinutesPaper.objects.count() == 1
    assert AuditRow.objects.filter(action="meeting.read_minutes").count() == 2


def test_who_only_looks_does_not_have_them_printed(cast, meeting) -> None:
    with pytest.raises(PermissionDenied):
        papers.read(meeting, by=cast.inspector)
    assert not IssuedDocument.objects.filter(kind="minutes").exists()
    page = text_of(open_as(cast.inspector).get(reverse("meeting", args=[meeting.pk])))
    assert reverse("meeting_minutes", args=[meeting.pk]) not in page


def test_the_page_hands_out_the_minutes(cast, meeting) -> None:
    recorder = open_as(cast.grade_head_a)
    page = text_of(recorder.get(reverse("meeting", args=[meeting.pk])))
    assert "应到 11 人，到会 10 人" in page
    assert "打印会议记录，成员签字后扫描或拍照上传" in page
    answer = recorder.post(reverse("meeting_minutes", args=[meeting.pk]))
    assert answer.content.startswith(b"%PDF-")
    number = MinutesPaper.objects.get().document.number
    assert number in text_of(recorder.get(reverse("meeting", args=[meeting.pk])))


def test_a_name_no_font_prints_is_refused_with_a_sentence(cast, rows) -> None:
    members = [*casting.minutes().members, Member("赵\U000107a5", "任课教师", kind="teacher")]
    meeting = reviews.hold(
        round_=rows[0].round, unit=cast.class_a1, level="class", by=cast.grade_head_a,
        minutes=dataclasses.replace(casting.minutes(), members=members), verdicts=[Verdict(rows[0], V.AGREE)],
    )  # fmt: skip
    page = open_as(cast.grade_head_a).post(reverse("meeting_minutes", args=[meeting.pk]), follow=True)
    assert "有的字现有字体打印不出来" in text_of(page)
    assert not MinutesPaper.objects.exists()


# --- the signed copy -------------------------------------------------------------------------------


def test_the_signed_copy_is_kept_and_a_better_scan_follows(cast, meeting) -> None:
    recorder, url = open_as(cast.grade_head_a), reverse("meeting_sign", args=[meeting.pk])
    for number in (1, 2):
        answer = recorder.post(url, {"scan": casting.scan(f"第{number}次.pdf")})
        assert answer.status_code == 302
    assert SignedMinutes.objects.filter(meeting=meeting).count() == 2
    page = text_of(recorder.get(reverse("meeting", args=[meeting.pk])))
    assert page.count("签字后的会议记录</a>") == 2
    copy = meeting.signed_copies.first()
    answer = recorder.get(reverse("signed_minutes", args=[meeting.pk, copy.pk]))
    assert answer.status_code == 200
    assert AuditRow.objects.filter(action="meeting.read_signed").count() == 1


def test_opening_a_photograph_leaves_a_row_and_its_preview_does_not(cast, rows) -> None:
    told = dataclasses.replace(casting.minutes(), photos=[casting.scan("签字页.pdf")])
    held = reviews.hold(
        round_=rows[0].round, unit=cast.class_a1, level="class", minutes=told, by=cast.grade_head_a,
        verdicts=[Verdict(row, V.AGREE, votes_for=8, votes_against=2) for row in rows],
    )  # fmt: skip
    photo = held.photos.get()
    url, teacher = reverse("meeting_photo", args=[held.pk, photo.pk]), open_as(cast.teacher_a1)
    teacher.get(url, {"preview": ""})
    assert not AuditRow.objects.filter(action="meeting.read_photo").exists()
    assert teacher.get(url).status_code == 200
    assert AuditRow.objects.get(action="meeting.read_photo").detail == {"photo": str(photo.pk)}


def test_a_copy_of_another_meeting_is_not_found(cast, meeting, round_) -> None:
    papers.sign(meeting, casting.scan("签字.pdf"), by=cast.grade_head_a)
    [row] = submitted(cast, round_, enrol(cast, cast.class_a2, name="李二"))
    other = casting.agree([row], "class", cast.class_a2, by=cast.grade_head_a)
    url = reverse("signed_minutes", args=[other.pk, meeting.signed_copies.get().pk])
    assert open_as(cast.grade_head_a).get(url).status_code == 404


def test_nothing_chosen_is_asked_for(cast, meeting) -> None:
    page = text_of(open_as(cast.grade_head_a).post(reverse("meeting_sign", args=[meeting.pk]), {"sent": "1"}))
    assert "请选择要上传的文件" in page
    assert not SignedMinutes.objects.exists()


@pytest.mark.parametrize("who", ["principal_a", "clerk", "inspector", "officer_b"])
def test_who_may_not_sign(cast, meeting, who) -> None:
    with pytest.raises(PermissionDenied):
        papers.sign(meeting, casting.scan("签字.pdf"), by=cast.people[who])


def test_papers_are_written_once(cast, meeting) -> None:
    papers.sign(meeting, casting.scan("签字.pdf"), by=cast.grade_head_a)
    papers.read(meeting, by=cast.grade_head_a)
    for table in ("subsidies_signedminutes", "subsidies_minutespaper"):
        with pytest.raises(Exception, match="written once"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608
