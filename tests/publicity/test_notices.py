"""Notices: frozen when published, clean on paper, closed after their last day and not before."""

import dataclasses
import datetime as dt
import hashlib
import io

import pypdf
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, transaction
from PIL import Image

from accounts import clock
from accounts.models import AuditRow
from documents import issuing
from documents.models import IssuedDocument, Upload
from publicity import notices, objections
from publicity.models import Notice, NoticeLine
from students.models import Category, SchoolClass
from students.working_days import CalendarMissing
from subsidies.models import Application, ProcessRule
from subsidies.states import State
from tests import cast as casting
from tests.cast import enrol, refreshed, submitted, walk


def draft_of(reviewed: list[Application], **changes: str) -> notices.Draft:
    return dataclasses.replace(notices.propose(reviewed[0].round, reviewed[0].school), **changes)


def publish(cast, reviewed, draft=None, **more) -> Notice:
    draft = draft or draft_of(reviewed)
    return notices.publish(reviewed[0].round, reviewed[0].school, draft, by=more.pop("by", cast.officer_a), **more)


def text_of(notice: Notice) -> str:
    pages = pypdf.PdfReader(io.BytesIO(issuing.read_pdf(notice.document))).pages
    return "".join(page.extract_text() for page in pages).replace("\n", "").replace(" ", "")


def photo() -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(out, "JPEG")
    return SimpleUploadedFile("公示栏.jpg", out.getvalue(), "image/jpeg")


# --- publishing -----------------------------------------------------------------------------------


def test_publishing_freezes_the_list_and_puts_everybody_on_notice(cast, reviewed):
    notice = publish(cast, reviewed)
    shown = [(x.position, x.name, x.grade, x.class_name, x.amount) for x in notice.lines.order_by("position")]
    names = sorted(a.facts["name"] for a in reviewed)
    assert shown == [(n, name, "七年级", "七年级1班", reviewed[0].amount) for n, name in enumerate(names, 1)]
    assert {a.state for a in refreshed(reviewed)} == {State.ON_NOTICE}
    assert (notice.published_on, notice.ends_on) == (dt.date(2026, 10, 12), dt.date(2026, 10, 19))
    assert notice.counted_days == ["2026-10-13", "2026-10-14", "2026-10-15", "2026-10-16", "2026-10-19"]
    row = AuditRow.objects.get(action="notice.publish")
    assert row.detail == {"lines": 3, "ends_on": "2026-10-19"}
    assert AuditRow.objects.filter(action="application.publish").count() == 3


def test_the_frozen_list_does_not_follow_the_register(cast, reviewed, notice):
    pupil = reviewed[0].pupil
    type(pupil).objects.filter(pk=pupil.pk).update(name="改名")
    assert "改名" not in notice.lines.values_list("name", flat=True)
    assert notices.digest_now(notice) == notice.digest


def test_a_line_cannot_be_changed_by_hand(notice):
    with pytest.raises(DatabaseError, match="written once"), transaction.atomic(), connection.cursor() as sql:
        sql.execute("UPDATE publicity_noticeline SET name = '张三'")
    with pytest.raises(TypeError):
        notice.lines.update(name="张三")


def test_a_changed_text_is_noticed_by_the_digest(notice):
    Notice.objects.filter(pk=notice.pk).update(body="别的话")
    notice.refresh_from_db()
    assert notices.digest_now(notice) != notice.digest


def test_the_paper_is_issued_and_says_what_was_published(cast, reviewed, notice):
    text = text_of(notice)
    for word in ("张小明", "䶮𬎆", "阿依古丽·买买提", "七年级1班", "750.00", "2,250.00", "人民币贰仟贰佰伍拾元整"):
        assert word in text
    for word in (notice.document.number, "0870-2123456", "2026年10月12日发布", "公示至2026年10月19日", "5个工作日"):
        assert word in text
    assert notice.document.state == IssuedDocument.State.ISSUED
    assert "3 人" in dict(notice.document.facts)["人数"]


def test_the_paper_holds_no_private_word_number_or_author(cast, round_):
    row = enrol(cast, cast.class_a1, name="张小明", kinds=("dibao_rural", "disabled"))
    notice = casting.publish(cast, walk(cast, submitted(cast, round_, row), State.CONFIRMED))
    text, pupil = text_of(notice), row.pupil
    private = [*Category.objects.values_list("name", flat=True), "低保", "残疾", "民政", pupil.guardian_name, "2013"]
    private += [pupil.id_masked, pupil.roll_masked[-4:], pupil.accounts.get().number_masked, "家庭收入低", "寄宿"]
    assert [word for word in private if word and word in text] == []
    reader = pypdf.PdfReader(io.BytesIO(issuing.read_pdf(notice.document)))
    assert not {"/Author", "/Subject", "/Keywords"} & set(reader.metadata)
    assert "张小明" not in str(reader.metadata)
    assert not reader.attachments


def test_without_amounts_neither_lines_nor_paper_hold_one(cast, reviewed):
    ProcessRule.objects.filter(programme=reviewed[0].programme).update(notice_shows_amount=False)
    notice = publish(cast, reviewed)
    assert set(notice.lines.values_list("amount", flat=True)) == {None}
    assert "750" not in text_of(notice)
    assert notices.digest_now(notice) == notice.digest


def test_the_list_is_the_one_that_was_looked_at(cast, reviewed, round_):
    seen = notices.preview(round_, cast.school_a).digest
    casting.walk(cast, submitted(cast, round_, enrol(cast, cast.class_a2, name="后来者")), State.CONFIRMED)
    with pytest.raises(notices.ListChanged, match="现在是 4 人"):
        publish(cast, reviewed, seen=seen)
    assert not Notice.objects.exists()
    assert publish(cast, reviewed, seen=notices.preview(round_, cast.school_a).digest).lines.count() == 4


def test_publishing_twice_finds_nothing_left(cast, reviewed, notice):
    with pytest.raises(ValidationError, match="没有待公示的申请"):
        publish(cast, reviewed)


def test_a_later_review_gets_a_second_notice(cast, round_, notice):
    later = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a2, name="后来者")), State.CONFIRMED)
    second = casting.publish(cast, later)
    assert [line.name for line in second.lines.all()] == ["后来者"]


PRIVATE = [
    "53039920130506123X",
    "6228480402564890018",
    "2013年5月6日",
    "2013-05-06",
    "农村低保",
    "残疾",
    "下河村3组12号",
    "G53039920130506123X",
]


@pytest.mark.parametrize("field", ["title", "body", "phone", "contact", "place"])
def test_private_words_in_any_field_stop_the_notice(cast, reviewed, field):
    usual = getattr(draft_of(reviewed), field)
    for private in PRIVATE:
        with pytest.raises(ValidationError) as refused:
            publish(cast, reviewed, draft_of(reviewed, **{field: f"{usual} {private}"}))
        assert set(refused.value.error_dict) == {field}, private
    assert not Notice.objects.exists()
    assert not IssuedDocument.objects.exists()


def test_an_empty_field_stops_the_notice(cast, reviewed):
    for field in ("title", "body", "phone", "contact", "place"):
        with pytest.raises(ValidationError) as refused:
            publish(cast, reviewed, draft_of(reviewed, **{field: "  "}))
        assert set(refused.value.error_dict) == {field}


def test_every_bad_field_is_named_at_once(cast, reviewed):
    with pytest.raises(ValidationError) as refused:
        publish(cast, reviewed, draft_of(reviewed, title="低保名单", phone="张老师"))
    assert set(refused.value.error_dict) == {"title", "phone"}


@pytest.mark.parametrize("column", ["class_name", "grade"])
def test_private_words_in_the_list_itself_stop_the_notice(cast, round_, column):
    if column == "grade":
        SchoolClass.objects.filter(unit=cast.class_a1).update(grade="特困年级")
    else:
        type(cast.class_a1).objects.filter(pk=cast.class_a1.pk).update(name="低保班")
    cast.class_a1 = type(cast.class_a1).objects.get(pk=cast.class_a1.pk)
    row = enrol(cast, cast.class_a1)
    rows = walk(cast, submitted(cast, round_, row), State.CONFIRMED)
    with pytest.raises(ValidationError, match=r"名单第 1 行的.*有不能公示的内容"):
        publish(cast, rows)


def test_a_name_no_font_can_print_is_refused_before_anything_happens(cast, round_):
    rows = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1, name="张\U000323b0")), State.CONFIRMED)
    with pytest.raises(ValidationError, match="打印不出"):
        publish(cast, rows)
    assert not IssuedDocument.objects.exists()
    assert refreshed(rows)[0].state == State.CONFIRMED


def test_a_notice_into_an_unknown_year_is_refused(cast, reviewed):
    clock.set_demo_day(dt.date(2026, 12, 28))
    with pytest.raises(CalendarMissing):
        publish(cast, reviewed)
    assert not IssuedDocument.objects.exists()


def test_only_the_schools_own_officer_publishes(cast, reviewed):
    for who in ("teacher_a1", "principal_a", "clerk", "head", "inspector", "admin", "officer_b"):
        with pytest.raises(PermissionDenied):
            publish(cast, reviewed, by=cast.people[who])


# --- looking --------------------------------------------------------------------------------------


def test_a_class_teacher_sees_the_notice_their_pupils_stand_on_and_no_other(cast, notice):
    assert list(notices.visible_to(cast.teacher_a1)) == [notice]
    assert list(notices.visible_to(cast.teacher_a2)) == []


def test_a_notice_is_seen_once_by_whoever_sees_it_twice(cast, notice):
    casting.Appointment.objects.create(
        user=cast.officer_a, role="class_teacher", unit=cast.class_a1, starts_on="2026-09-01"
    )
    assert notices.visible_to(cast.officer_a).count() == 1


def test_days_left_count_down_to_the_day_after_the_last(cast, notice):
    left = []
    for day in (12, 13, 16, 17, 19, 20):
        clock.set_demo_day(dt.date(2026, 10, day))
        left.append((notices.days_left(notice), notices.is_public(notice)))
    assert left == [(5, True), (5, True), (2, True), (1, True), (1, True), (0, False)]


# --- closing --------------------------------------------------------------------------------------


def test_closing_early_is_refused_with_the_day(cast, reviewed, notice):
    for day in (12, 13, 19):
        clock.set_demo_day(dt.date(2026, 10, day))
        with pytest.raises(ValidationError, match="公示期到2026年10月19日为止，次日起才能结束公示"):
            notices.close(notice, by=cast.officer_a)
    assert {a.state for a in refreshed(reviewed)} == {State.ON_NOTICE}


def test_closing_clears_everybody_undisputed(cast, reviewed, notice):
    clock.set_demo_day(dt.date(2026, 10, 20))
    assert notices.close(notice, by=cast.officer_a) == (3, 0)
    assert {a.state for a in refreshed(reviewed)} == {State.CLEARED}
    notice.refresh_from_db()
    assert (notice.state, notice.closed_by) == (Notice.State.CLOSED, cast.officer_a)


def test_closing_leaves_the_disputed_line_held(cast, reviewed, notice):
    line = notice.lines.get(name="张小明")
    objections.receive(line, received_on=clock.today(), channel="来电", content="家中有轿车", by=cast.officer_a)
    clock.set_demo_day(dt.date(2026, 10, 20))
    assert notices.close(notice, by=cast.officer_a) == (2, 1)
    states = {a.facts["name"]: a.state for a in refreshed(reviewed)}
    assert states == {"张小明": State.HELD, "䶮𬎆": State.CLEARED, "阿依古丽·买买提": State.CLEARED}


def test_closing_twice_is_refused(cast, reviewed, notice):
    casting.close(cast, reviewed)
    with pytest.raises(ValidationError, match="已经结束，不用重复办理"):
        notices.close(notice, by=cast.officer_a)
    assert AuditRow.objects.filter(action="notice.close").count() == 1


def test_only_the_schools_own_officer_closes(cast, notice):
    clock.set_demo_day(dt.date(2026, 10, 20))
    for who in ("teacher_a1", "principal_a", "clerk", "inspector", "officer_b"):
        with pytest.raises(PermissionDenied):
            notices.close(notice, by=cast.people[who])


# --- the photograph -------------------------------------------------------------------------------


def test_a_later_photo_takes_the_place_of_the_first_while_the_notice_runs(cast, notice):
    notices.attach_photo(notice, photo(), by=cast.officer_a)
    first = Notice.objects.get(pk=notice.pk).photo
    notices.attach_photo(notice, photo(), by=cast.officer_a)
    second = Notice.objects.get(pk=notice.pk).photo
    assert second != first
    assert list(Upload.objects.filter(kind="notice_photo")) == [second]
    assert AuditRow.objects.filter(action="notice.photo").count() == 2


def test_after_closing_a_missing_photo_may_follow_but_none_is_replaced(cast, reviewed, notice):
    casting.close(cast, reviewed)
    notices.attach_photo(notice, photo(), by=cast.officer_a)
    with pytest.raises(ValidationError, match="照片已存档，不能再更换"):
        notices.attach_photo(notice, photo(), by=cast.officer_a)


def test_a_refused_file_leaves_nothing(cast, notice):
    with pytest.raises(ValidationError):
        notices.attach_photo(notice, SimpleUploadedFile("照片.jpg", b"hello"), by=cast.officer_a)
    assert not Upload.objects.filter(kind="notice_photo").exists()
    with pytest.raises(PermissionDenied):
        notices.attach_photo(notice, photo(), by=cast.teacher_a1)


# --- small rules ----------------------------------------------------------------------------------


def test_a_title_is_broken_by_sense():
    parts = notices.title_parts(
        "甲中学2026年秋季学期生活补助拟受助学生名单公示", ["甲中学", "2026年秋季学期", "生活补助"]
    )
    assert parts == ["甲中学", "2026年秋季学期", "生活补助", "拟受助学生名单公示"]
    assert notices.title_parts("拟受助学生名单公示", ["甲中学"]) == ["拟受助学生名单公示"]


def test_the_digest_covers_text_and_every_line(cast, reviewed):
    draft = draft_of(reviewed)
    lines = notices.preview(reviewed[0].round, cast.school_a).lines
    first = notices.digest_of(draft, lines)
    lines[1] = NoticeLine(position=2, name="别人", grade="七年级", class_name="七年级1班", amount=lines[1].amount)
    assert (
        len({first, notices.digest_of(draft, lines), notices.digest_of(draft_of(reviewed, place="别处"), lines)}) == 3
    )
    assert len(first) == len(hashlib.sha256().hexdigest())
