"""The user's own workbook back, marked; mended and sent in again, it touches only the rest."""

import io
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook

from accounts.models import AuditRow, User
from students import rosters
from students.models import Enrolment, Pupil, RosterImport
from tests import cast as casting
from tests.cast import Cast
from tests.documents.books import through_libreoffice
from tests.students.workbooks import HEADERS, pupil, saved, upload, workbook

SignIn = Callable[[User], Client]
WRONG_BOARDING = "住几天"
GOOD, WRONG_ID = pupil(3)["身份证件号"], pupil(3)["身份证件号"][:17] + "#"


def faulty() -> bytes:
    """Four pupils under a title: two are right, one boards in no known way, one has a number with a wrong end."""
    rows = (pupil(1), pupil(2, 就读方式=WRONG_BOARDING), pupil(3, 身份证件号=WRONG_ID, 全国学籍号=None), pupil(4))
    return workbook(*rows, above=("云岭县第一初级中学学生名册",))


def check(cast: Cast, content: bytes, name: str = "七年级.xlsx") -> RosterImport:
    return rosters.check_roster(upload(content, name), unit=cast.school_a, term=cast.term, by=cast.officer_a)


def counts(roster: RosterImport) -> tuple[int, int, int, int]:
    return roster.rows_new, roster.rows_changed, roster.rows_same, roster.rows_refused


def fetch(client: Client, roster: RosterImport) -> bytes:
    response = client.get(reverse("roster_marked", args=[roster.pk]))
    assert response.status_code == 200
    return response.content


# --- mending --------------------------------------------------------------------------------------


def with_openpyxl(marked: bytes) -> bytes:
    book = load_workbook(io.BytesIO(marked))
    right = {WRONG_BOARDING: "走读", WRONG_ID: GOOD}
    for row in book["名册"].iter_rows():
        for cell in row:
            cell.value = right.get(cell.value, cell.value)
    return saved(book)


def with_libreoffice(marked: bytes) -> bytes:
    """Opened there, the two cells put right in its own format, saved as .xlsx by it."""
    flat = through_libreoffice("fods", marked_xlsx=marked)["marked.fods"].decode()
    assert flat.count(f">{WRONG_ID}<") == 1
    mended = flat.replace(f">{WRONG_BOARDING}<", ">走读<").replace(f">{WRONG_ID}<", f">{GOOD}<")
    return through_libreoffice("xlsx", mended_fods=mended.encode())["mended.xlsx"]


@pytest.mark.parametrize("mend", [with_openpyxl, with_libreoffice])
def test_mended_file_brings_in_only_the_rest(cast: Cast, signed_in: SignIn, mend: Callable[[bytes], bytes]) -> None:
    first = rosters.apply_roster(check(cast, faulty()), by=cast.officer_a)
    assert counts(first) == (2, 0, 0, 2)
    mended = mend(fetch(signed_in(cast.officer_a), first))
    second = check(cast, mended)
    assert counts(second) == (2, 0, 2, 0)
    rosters.apply_roster(second, by=cast.officer_a)
    assert Pupil.objects.count() == Enrolment.objects.count() == 4
    again = check(cast, mended)
    assert counts(again) == (0, 0, 4, 0)
    page = signed_in(cast.officer_a).get(reverse("roster_import", args=[again.pk])).content.decode()
    assert "没有变化" in page
    assert "导入 0 人" not in page


def test_marked_file_sent_in_as_it_is_says_the_same_again(cast: Cast, signed_in: SignIn) -> None:
    first = rosters.apply_roster(check(cast, faulty()), by=cast.officer_a)
    marked = fetch(signed_in(cast.officer_a), first)
    again = check(cast, marked)
    assert counts(again) == (0, 0, 2, 2)
    assert list(again.findings.filter(level="error").values_list("row", "column", "message")) == list(
        first.findings.filter(level="error").values_list("row", "column", "message")
    )
    once_more = load_workbook(io.BytesIO(fetch(signed_in(cast.officer_a), again)))
    assert once_more.sheetnames == load_workbook(io.BytesIO(marked)).sheetnames  # no second summary


# --- what is in it --------------------------------------------------------------------------------


def test_faulty_cells_are_coloured_and_the_row_says_why(cast: Cast, signed_in: SignIn) -> None:
    book = load_workbook(io.BytesIO(fetch(signed_in(cast.officer_a), check(cast, faulty()))))
    sheet = book["名册"]
    boarding = sheet.cell(4, HEADERS.index("就读方式") + 1)
    assert boarding.value == WRONG_BOARDING
    assert boarding.fill.fill_type == "solid"
    assert sheet.cell(3, HEADERS.index("就读方式") + 1).fill.fill_type != "solid"
    added = [str(cell.value or "") for cell in sheet[4]][len(HEADERS) :]
    assert any("寄宿" in text and "走读" in text for text in added), added
    summary = [str(cell.value) for row in book[book.sheetnames[-1]].iter_rows() for cell in row if cell.value]
    assert any("有误" in text for text in summary), summary


def test_old_format_comes_back_as_the_new_one(cast: Cast, signed_in: SignIn) -> None:
    old = through_libreoffice("xls", roster_xlsx=faulty())["roster.xls"]
    found = check(cast, old, "七年级.xls")
    assert counts(found) == (2, 0, 0, 2)
    response = signed_in(cast.officer_a).get(reverse("roster_marked", args=[found.pk]))
    assert response.content.startswith(b"PK")
    assert ".xlsx" in response["Content-Disposition"]
    assert counts(check(cast, with_openpyxl(response.content))) == (4, 0, 0, 0)


def test_a_file_without_findings_comes_back_too(cast: Cast, signed_in: SignIn) -> None:
    found = check(cast, workbook(pupil(1)))
    book = load_workbook(io.BytesIO(fetch(signed_in(cast.officer_a), found)))
    assert book["名册"].cell(2, 1).value == pupil(1)["姓名"]


# --- who, and what is left of it ------------------------------------------------------------------


def test_download_is_recorded_without_a_number(cast: Cast, signed_in: SignIn) -> None:
    found = check(cast, faulty())
    fetch(signed_in(cast.officer_a), found)
    row = AuditRow.objects.get(action="roster.download_marked")
    assert row.username == cast.officer_a.username
    assert row.subject.endswith(str(found.pk))
    assert GOOD not in str(row.detail)


def test_nobody_but_the_sender_gets_the_numbers(cast: Cast, signed_in: SignIn) -> None:
    found = check(cast, faulty())
    url = reverse("roster_marked", args=[found.pk])
    colleague = casting.person("officer_a2", "另一专干", "aid_officer", cast.school_a)
    for user, status in ((colleague, 403), (cast.clerk, 403), (cast.head, 403), (cast.officer_b, 404)):
        assert signed_in(user).get(url).status_code == status, user
    assert not AuditRow.objects.filter(action="roster.download_marked").exists()
    page = signed_in(colleague).get(reverse("roster_import", args=[found.pk])).content.decode()
    assert "下载标记好的原文件" not in page
    assert "下载问题清单" in page


def test_what_was_thrown_away_cannot_be_fetched(cast: Cast, signed_in: SignIn) -> None:
    found = rosters.discard_roster(check(cast, faulty()), by=cast.officer_a)
    response = signed_in(cast.officer_a).get(reverse("roster_marked", args=[found.pk]), follow=True)
    assert "原文件已经删除" in response.content.decode()
