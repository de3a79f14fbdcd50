"""The desk of rosters: upload, look, import or throw away."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import Workbook, load_workbook

from accounts.models import User
from documents.models import Upload
from students import progress, roster_jobs, rosters, tasks
from students.forms import HeaderForm
from students.models import Enrolment, Pupil, RosterImport
from tests.cast import Cast
from tests.students.workbooks import HEADERS, pupil, saved, upload, workbook

SignIn = Callable[[User], Client]


def send(client: Client, cast: Cast, content: bytes, name: str = "名册.xlsx", *, follow: bool = False) -> Any:
    form = {"unit": cast.school_a.pk, "term": cast.term.pk, "file": upload(content, name)}
    return client.post(reverse("roster_import_new"), form, follow=follow)


def check(cast: Cast, *rows: dict) -> RosterImport:
    return rosters.check_roster(upload(workbook(*rows)), unit=cast.school_a, term=cast.term, by=cast.officer_a)


def test_roster_walks_from_upload_over_preview_to_result(cast: Cast, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_a)
    response = send(client, cast, workbook(pupil(1), pupil(2), pupil(3, 班级=None)))
    preview = client.get(response.url).content.decode()
    assert "导入 2 人" in preview
    assert "有误的 1 行不会导入" in preview
    assert "没有班级" in preview
    assert "第 4 行" in preview
    assert not Enrolment.objects.exists()
    pk = RosterImport.objects.get().pk
    result = client.post(reverse("roster_import_apply", args=[pk]), follow=True).content.decode()
    assert "新增 2 人" in result
    assert "还有 1 行没有导入" in result
    assert Enrolment.objects.count() == 2


def test_second_click_is_answered_with_a_sentence(cast: Cast, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_a)
    url = reverse("roster_import_apply", args=[check(cast, pupil(1)).pk])
    client.post(url)
    assert "不能再办一次" in client.post(url, follow=True).content.decode()


def test_roster_is_thrown_away(cast: Cast, signed_in: SignIn) -> None:
    found = check(cast, pupil(1))
    client = signed_in(cast.officer_a)
    page = client.post(reverse("roster_import_discard", args=[found.pk]), follow=True).content.decode()
    assert "已放弃这份名册" in page
    assert not Upload.objects.exists()
    assert "已放弃" in client.get(reverse("roster_import", args=[found.pk])).content.decode()
    assert "已放弃" in client.post(reverse("roster_import_discard", args=[found.pk]), follow=True).content.decode()


def test_preview_tells_when_the_register_changed_meanwhile(cast: Cast, signed_in: SignIn) -> None:
    found = check(cast, pupil(1))
    rosters.apply_roster(check(cast, pupil(1)), by=cast.officer_a)
    page = signed_in(cast.officer_a).post(reverse("roster_import_apply", args=[found.pk]), follow=True)
    assert "与预检时不同" in page.content.decode()


def empty_workbook() -> bytes:
    return saved(Workbook())


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"\xd0\xd5\xc3\xfb", "名册.xlsx", "Excel"),
        ("姓名,班级".encode(), "名册.xlsx", "文本文件"),
        (b"PK\x03\x04" + b"\x00" * 200, "名册.xlsx", "损坏"),
        (empty_workbook(), "名册.xlsx", "没有任何内容"),
        (workbook(pupil(1)), "名册.xlsm", "带宏的工作簿不接收"),
        (workbook(pupil(1), headers=("姓名", "班级")), "名册.xlsx", "缺少"),
        (b"", "名册.xlsx", "空的"),
        (b"PK\x03\x04" + b"0" * (11 * 1024 * 1024), "名册.xlsx", "MB"),
    ],
)
def test_bad_file_gets_a_sentence_and_nothing_is_kept(
    cast: Cast, signed_in: SignIn, content: bytes, name: str, sentence: str
) -> None:
    response = send(signed_in(cast.officer_a), cast, content, name)
    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert not RosterImport.objects.exists()
    assert not Upload.objects.exists()


@pytest.mark.parametrize("who", ["principal_a", "teacher_a1", "head", "inspector", "admin"])
def test_upload_is_for_aid_officers_and_the_county_clerk(cast: Cast, signed_in: SignIn, who: str) -> None:
    client = signed_in(getattr(cast, who))
    found = check(cast, pupil(1))
    assert client.get(reverse("roster_import_new")).status_code == 403
    assert client.post(reverse("roster_import_apply", args=[found.pk])).status_code == 403
    assert client.post(reverse("roster_import_discard", args=[found.pk])).status_code == 403


def test_roster_of_another_school_is_not_there(cast: Cast, signed_in: SignIn) -> None:
    found = check(cast, pupil(1))
    client = signed_in(cast.officer_b)
    for name in ("roster_import", "roster_findings"):
        assert client.get(reverse(name, args=[found.pk])).status_code == 404
    for name in ("roster_import_apply", "roster_import_discard"):
        assert client.post(reverse(name, args=[found.pk])).status_code == 404
    assert str(found.pk) not in client.get(reverse("roster_imports")).content.decode()


def test_roster_cannot_be_sent_in_for_another_school(cast: Cast, signed_in: SignIn) -> None:
    response = send(signed_in(cast.officer_b), cast, workbook(pupil(1)))
    assert response.status_code == 200
    assert not RosterImport.objects.exists()


def test_other_school_is_named_to_the_county_only(cast: Cast, signed_in: SignIn) -> None:
    rosters.import_roster(
        workbook(pupil(1, 年级="三年级")), unit=cast.school_b, term=cast.term, by=cast.officer_b, dry_run=False
    )
    url = reverse("roster_import", args=[check(cast, pupil(1)).pk])
    assert cast.school_b.name not in signed_in(cast.officer_a).get(url).content.decode()
    county = signed_in(cast.clerk).get(url).content.decode()
    assert cast.school_b.name in county


def test_lists_take_as_many_queries_for_three_imports_as_for_one(cast: Cast, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_a)
    taken = []
    for count in (1, 2):
        for _ in range(count):
            check(cast, pupil(1), pupil(2, 班级=None))
        client.get(reverse("roster_imports"))
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("roster_imports"))
        taken.append(len(queries))
    assert taken[0] == taken[1]


def test_findings_are_paged_by_fifty(cast: Cast, signed_in: SignIn) -> None:
    found = check(cast, *[pupil(serial, 班级=None) for serial in range(1, 61)])
    client = signed_in(cast.officer_a)
    url = reverse("roster_import", args=[found.pk])
    assert client.get(url).content.decode().count("没有班级。") == 50
    assert client.get(url, {"page": 2}).content.decode().count("没有班级。") == 10


def test_files_are_downloads_with_chinese_names(cast: Cast, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_a)
    found = check(cast, pupil(1), pupil(2, 班级=None))
    for url in (reverse("roster_template"), reverse("roster_findings", args=[found.pk])):
        response = client.get(url)
        assert response.content.startswith(b"PK")
        assert "filename*=utf-8''" in response["Content-Disposition"]
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in response["Cache-Control"]


# --- which column is which ------------------------------------------------------------------------


def odd_workbook(*rows: dict) -> bytes:
    """The same pupils, the ID number under a name nobody knows."""
    headers = tuple("学籍卡编码" if header == "身份证件号" else header for header in HEADERS)
    return workbook(*[{**row, "学籍卡编码": row["身份证件号"]} for row in rows], headers=headers)


def test_an_unknown_header_is_asked_about_with_masked_samples_and_remembered(cast: Cast, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_a)
    page = send(client, cast, odd_workbook(pupil(1), pupil(2)), follow=True)
    text = page.content.decode()
    assert "哪一列是“身份证件号”？" in text
    assert "学籍卡编码" in text
    assert "系统会记住这个对应关系" in text
    assert pupil(1)["身份证件号"] not in text
    assert pupil(1)["身份证件号"][-4:] in text
    (found,) = RosterImport.objects.all()
    preview = client.post(page.request["PATH_INFO"], {**others_of(found), "column-0": "学籍卡编码"}, follow=True)
    assert "导入 2 人" in preview.content.decode()
    again = send(client, cast, odd_workbook(pupil(3)), follow=True)
    assert "导入 1 人" in again.content.decode()
    assert "学籍卡编码”作为“身份证件号" in again.content.decode()


def others_of(roster: RosterImport) -> dict[str, str]:
    """What the browser sends for the columns nobody asked about."""
    assert roster.question
    return {field.html_name: field.value() for field, _ in HeaderForm(question=roster.question).others}


def test_a_question_left_open_is_asked_again(cast: Cast, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_a)
    page = send(client, cast, odd_workbook(pupil(1)), follow=True)
    refused = client.post(page.request["PATH_INFO"], others_of(RosterImport.objects.get()))
    assert "请选出哪一列是“身份证件号”" in refused.content.decode()
    assert RosterImport.objects.get().state == "needs_mapping"


def test_a_column_understood_wrongly_is_put_right(cast: Cast, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_a)
    found = check(cast, pupil(1))
    page = client.post(reverse("roster_ask_again", args=[found.pk]), follow=True)
    assert "把认错的列改过来" in page.content.decode()
    found.refresh_from_db()
    (phone,) = [
        field.html_name for field, column in HeaderForm(question=found.question).others if column["key"] == "phone"
    ]
    client.post(page.request["PATH_INFO"], {**others_of(found), phone: ""})
    rosters.apply_roster(RosterImport.objects.get(), by=cast.officer_a)
    assert Pupil.objects.get().phone_masked == ""


# --- a job ----------------------------------------------------------------------------------------


@pytest.fixture
def large(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> RosterImport:
    """A roster that is left to a worker."""
    monkeypatch.setattr(rosters, "REQUEST_ROWS", 1)
    found = check(cast, *[pupil(serial) for serial in range(1, 5)])
    assert found.state == "uploaded"
    return found


def test_progress_is_shown_with_and_without_script(cast: Cast, signed_in: SignIn, large: RosterImport) -> None:
    client = signed_in(cast.officer_a)
    page = client.get(reverse("roster_import", args=[large.pk])).content.decode()
    fragment = reverse("roster_progress", args=[large.pk])
    assert f'hx-get="{fragment}" hx-trigger="every 1s"' in page
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page
    assert "取消预检" in page
    with progress.reporting(large.pk) as reporter:
        reporter.phase("逐行核对", 4)
        reporter.step(3)
        progress._write(large.pk, *reporter.now)  # as the next beat does
        shown = client.get(fragment, headers={"HX-Request": "true"}).content.decode()
    assert "逐行核对" in shown
    assert "已处理 3 / 4 行，75%" in shown
    assert "<html" not in shown


def test_page_turns_when_the_work_is_done(cast: Cast, signed_in: SignIn, large: RosterImport) -> None:
    roster_jobs.run(large.pk)
    client = signed_in(cast.officer_a)
    fragment = reverse("roster_progress", args=[large.pk])
    assert client.get(fragment, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert client.get(fragment).url == reverse("roster_import", args=[large.pk])
    response = client.post(reverse("roster_import_apply", args=[large.pk]), follow=True)
    assert "要么全部写入，要么一行也不写" in response.content.decode()
    roster_jobs.run(large.pk)
    done = client.get(reverse("roster_import", args=[large.pk])).content.decode()
    assert "名册已齐" in done
    assert Enrolment.objects.count() == 4


def test_cancelled_job_says_that_nothing_was_written(cast: Cast, signed_in: SignIn, large: RosterImport) -> None:
    client = signed_in(cast.officer_a)
    page = client.post(reverse("roster_import_cancel", args=[large.pk]), follow=True).content.decode()
    assert "已取消，学生名册没有改动" in page
    assert "重新上传名册" in page
    assert "不能" in client.post(reverse("roster_import_cancel", args=[large.pk]), follow=True).content.decode()


def test_job_that_was_given_up_says_why_and_what_to_do(cast: Cast, signed_in: SignIn, large: RosterImport) -> None:
    for _ in range(roster_jobs.MOST_ATTEMPTS):
        roster_jobs.claim(large.pk)  # and the worker dies
        progress.clear(large.pk)
    assert roster_jobs.claim(large.pk) is None
    page = signed_in(cast.officer_a).get(reverse("roster_import", args=[large.pk])).content.decode()
    assert "没有完成，学生名册没有改动" in page
    assert "请联系系统管理员" in page


def test_upload_wakes_a_worker(
    cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable
) -> None:
    monkeypatch.setattr(rosters, "REQUEST_ROWS", 1)
    with django_capture_on_commit_callbacks() as callbacks:
        send(signed_in(cast.officer_a), cast, workbook(pupil(1), pupil(2)))
    assert tasks.nudge in callbacks


# --- what was found -------------------------------------------------------------------------------


def test_changes_are_shown_as_before_and_after(cast: Cast, signed_in: SignIn) -> None:
    rosters.apply_roster(check(cast, pupil(1)), by=cast.officer_a)
    changed = check(cast, pupil(1, 班级="2班", 就读方式="走读"))
    url = reverse("roster_import", args=[changed.pk])
    page = signed_in(cast.officer_a).get(url, {"level": "change"}).content.decode()
    assert "七年级1班 → 七年级2班" in page
    assert "寄宿 → 走读" in page
    assert "导入 1 人" in page


def test_findings_are_filtered_by_level_and_sheet(cast: Cast, signed_in: SignIn) -> None:
    book = load_workbook(io.BytesIO(workbook(pupil(1, 班级=None), pupil(2, 银行账号=None))))
    other = book.copy_worksheet(book.active)
    other.title = "第二张"
    other.delete_rows(2, 2)
    other.append([{**pupil(3), "班级": None}.get(header) for header in HEADERS])
    found = rosters.check_roster(upload(saved(book)), unit=cast.school_a, term=cast.term, by=cast.officer_a)
    client, url = signed_in(cast.officer_a), reverse("roster_import", args=[found.pk])

    def shown(**chosen: str) -> tuple[int, int]:
        page = client.get(url, chosen).content.decode()
        return page.count("没有班级。"), page.count("没有银行账号。")

    assert shown() == (2, 1)
    assert shown(level="error") == (2, 0)
    assert shown(level="warning") == (0, 1)
    assert shown(sheet="1") == (1, 0)
    assert shown(level="nonsense", sheet="99") == (2, 1)


def test_nothing_changed_says_so_and_offers_no_import(cast: Cast, signed_in: SignIn) -> None:
    rosters.apply_roster(check(cast, pupil(1)), by=cast.officer_a)
    page = signed_in(cast.officer_a).get(reverse("roster_import", args=[check(cast, pupil(1)).pk])).content.decode()
    assert "没有变化" in page
    assert reverse("roster_import_apply", args=[RosterImport.objects.first().pk]) not in page


# --- whose turn -----------------------------------------------------------------------------------


def test_list_says_what_waits_for_whom(cast: Cast, signed_in: SignIn) -> None:
    found = check(cast, pupil(1))
    url = reverse("roster_imports")
    assert "待您处理" in signed_in(cast.officer_a).get(url).content.decode()
    county = signed_in(cast.clerk).get(url).content.decode()
    assert str(found.pk) in county  # the county sees every school's
    assert "待您处理" not in county
    assert str(found.pk) not in signed_in(cast.clerk).get(url, {"unit": cast.school_b.pk}).content.decode()
    assert str(found.pk) not in signed_in(cast.clerk).get(url, {"state": "applied"}).content.decode()


def test_home_page_waits_for_columns_and_for_confirmation(cast: Cast, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_a)
    check(cast, pupil(1))
    send(client, cast, odd_workbook(pupil(2)))
    titles = [waiting.title for waiting in client.get(reverse("home")).context["waiting"]]
    assert {"名册待确认导入", "名册有列名待确认"} <= set(titles)
    county = [waiting.title for waiting in signed_in(cast.clerk).get(reverse("home")).context["waiting"]]
    assert not {"名册待确认导入", "名册有列名待确认"} & set(county)


def test_county_brings_in_all_schools_in_one_file(cast: Cast, signed_in: SignIn) -> None:
    headers = ("学校名称", *HEADERS)
    rows = [
        {**pupil(1), "学校名称": cast.school_a.name},
        {**pupil(2, 年级="三年级"), "学校名称": cast.school_b.name},
    ]
    clerk = signed_in(cast.clerk)
    form = {"unit": cast.county.pk, "term": cast.term.pk, "file": upload(workbook(*rows, headers=headers))}
    page = clerk.post(reverse("roster_import_new"), form, follow=True)
    assert "导入 2 人" in page.content.decode()
    found = RosterImport.objects.get()
    assert signed_in(cast.officer_a).get(reverse("roster_import", args=[found.pk])).status_code == 404
    clerk.post(reverse("roster_import_apply", args=[found.pk]))
    assert {row.school for row in Enrolment.objects.select_related("school")} == {cast.school_a, cast.school_b}


def test_template_is_of_ones_own_units(cast: Cast, signed_in: SignIn) -> None:
    url = reverse("roster_template")
    officer, clerk = signed_in(cast.officer_a), signed_in(cast.clerk)
    assert "%E4%BA%91%E5%B2%AD%E5%8E%BF.xlsx" in clerk.get(url)["Content-Disposition"]
    assert clerk.get(url, {"unit": cast.school_b.pk}).status_code == 200
    assert officer.get(url).status_code == 200
    assert officer.get(url, {"unit": cast.school_b.pk}).status_code == 404
    assert officer.get(url, {"unit": "x"}).status_code == 404


def test_a_sheet_left_aside_once_is_named_the_next_time(cast: Cast, signed_in: SignIn) -> None:
    """The answer is kept for the county by the sheet's name; nobody's pupils vanish without a word."""
    book = load_workbook(io.BytesIO(workbook(pupil(1))))
    staff = book.create_sheet("教师")
    staff.append(["姓名", "身份证件号", "职务"])
    staff.append(["陈老师", pupil(50)["身份证件号"], "教师"])
    client = signed_in(cast.officer_a)
    page = send(client, cast, saved(book), follow=True)
    assert "工作表“教师”不是学生名册" in page.content.decode()
    answer = {**others_of(RosterImport.objects.get()), "aside-0": "on"}
    assert "导入 1 人" in client.post(page.request["PATH_INFO"], answer, follow=True).content.decode()
    again = send(client, cast, saved(book), follow=True).content.decode()
    assert "按以前的回答没有读取工作表“教师”" in again


def test_county_looks_at_the_findings_of_one_school(cast: Cast, signed_in: SignIn) -> None:
    rows = [
        {**pupil(1, 班级=None), "学校名称": cast.school_a.name},
        {**pupil(2, 班级=None, 年级="三年级"), "学校名称": cast.school_b.name},
        {**pupil(3), "学校名称": "没有这所学校"},
    ]
    content = workbook(*rows, headers=("学校名称", *HEADERS))
    found = rosters.check_roster(upload(content), unit=cast.county, term=cast.term, by=cast.clerk)
    client, url = signed_in(cast.clerk), reverse("roster_import", args=[found.pk])
    assert client.get(url).content.decode().count("没有班级。") == 2
    of_one = client.get(url, {"school": cast.school_b.pk}).content.decode()
    assert of_one.count("没有班级。") == 1
    assert pupil(2)["姓名"] in of_one
    assert pupil(1)["姓名"] not in of_one
    sheet = client.get(reverse("roster_findings", args=[found.pk])).content
    schools = [row[0].value for row in load_workbook(io.BytesIO(sheet)).active.iter_rows()]
    assert {"学校", cast.school_a.name, cast.school_b.name} <= set(schools)


def test_marked_file_is_offered_at_once_when_there_is_nothing_to_import(cast: Cast, signed_in: SignIn) -> None:
    rosters.apply_roster(check(cast, pupil(1), pupil(2, 班级=None)), by=cast.officer_a)
    roster = check(cast, pupil(1), pupil(2, 班级=None))
    page = signed_in(cast.officer_a).get(reverse("roster_import", args=[roster.pk])).content.decode()
    assert "现在就下载标记好的原文件" in page
    assert reverse("roster_marked", args=[roster.pk]) in page


def test_limits_are_told_before_the_upload(cast: Cast, signed_in: SignIn) -> None:
    at_school = signed_in(cast.officer_a).get(reverse("roster_import_new")).content.decode()
    in_county = signed_in(cast.clerk).get(reverse("roster_import_new")).content.decode()
    assert "第 20000 行" in at_school
    assert "200000 行" not in at_school
    assert "全县一个文件最多 200000 行" in in_county
