"""Accounts of staff: who enters them, what a file brings, and that aid is never paid to one."""

import io
from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import resolve, reverse
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook as NewWorkbook

from accounts.models import AuditRow, User
from documents.models import Upload
from students import bank_accounts, fictitious, privacy, staff_accounts
from students.models import BankAccount, StaffAccount
from tests import cast as casting
from tests.cast import Cast

SignIn = Callable[[User], Client]


def workbook(*rows: tuple[object, ...]) -> bytes:
    book = NewWorkbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def card(serial: int) -> str:
    return fictitious.card_number(700_000 + serial)


def test_account_of_staff_is_refused_for_a_pupil(cast: Cast) -> None:
    place = casting.enrol(cast, cast.class_a1)
    staff_accounts.add(cast.school_b, holder="马老师", number=card(1), by=cast.officer_b)
    with pytest.raises(ValidationError, match="教职工"):
        bank_accounts.change(
            place.pupil, bank="信用社", number=card(1), holder="张建国", relation="father", by=cast.officer_a
        )
    assert staff_accounts.indexes(cast.county) == {privacy.account_index(card(1))}


def test_removed_account_may_be_used(cast: Cast) -> None:
    place = casting.enrol(cast, cast.class_a1)
    staff_accounts.remove(
        staff_accounts.add(cast.school_a, holder="马老师", number=card(1), by=cast.officer_a), by=cast.officer_a
    )
    bank_accounts.change(
        place.pupil, bank="信用社", number=card(1), holder="张建国", relation="father", by=cast.officer_a
    )
    trail = AuditRow.objects.filter(action__startswith="staff_account.").values_list("action", flat=True)
    assert list(trail) == ["staff_account.remove", "staff_account.add"]


def test_same_account_is_entered_once_in_the_county(cast: Cast) -> None:
    staff_accounts.add(cast.school_a, holder="马老师", number=card(1), by=cast.officer_a)
    with pytest.raises(ValidationError, match="不用重复登记") as refused:
        staff_accounts.add(cast.school_b, holder="王老师", number=f" {card(1)} ", by=cast.officer_b)
    assert cast.school_a.name not in str(refused.value)


def test_each_school_keeps_its_own_and_the_county_all(cast: Cast) -> None:
    account = staff_accounts.add(cast.school_a, holder="马老师", number=card(1), by=cast.officer_a)
    staff_accounts.add(cast.county, holder="沈经办", number=card(2), by=cast.clerk)
    assert staff_accounts.visible_to(cast.officer_a).get() == account
    assert not staff_accounts.visible_to(cast.officer_b).exists()
    assert staff_accounts.visible_to(cast.clerk).count() == 2
    for who in (cast.officer_b, cast.teacher_a1, cast.principal_a, cast.inspector):
        with pytest.raises(PermissionDenied):
            staff_accounts.remove(account, by=who)
        with pytest.raises(PermissionDenied):
            staff_accounts.add(cast.school_a, holder="李老师", number=card(3), by=who)


def test_file_brings_good_rows_and_names_the_others(cast: Cast) -> None:
    content = workbook(
        ("城关小学工资卡", None, None),
        ("学校", "教师姓名", "卡号"),
        (cast.school_b.name, "马老师", card(1)),
        ("", "沈经办", f"{card(2)[:4]} {card(2)[4:]}"),
        ("没有的学校", "王老师", card(3)),
        (cast.school_a.name, "李老师", "12345"),
        (cast.school_a.name, "陈老师", card(1)),
    )
    outcome = staff_accounts.import_file(content, unit=cast.county, by=cast.clerk)
    assert (outcome.added, outcome.known, outcome.refused) == (2, 0, 2)
    assert [finding.split("：")[0] for finding in outcome.findings] == ["第 5 行", "第 6 行"]
    assert set(StaffAccount.objects.values_list("unit__name", "holder")) == {
        (cast.school_b.name, "马老师"),
        (cast.county.name, "沈经办"),
    }
    again = staff_accounts.import_file(content, unit=cast.county, by=cast.clerk)
    assert (again.added, again.known) == (0, 2)


def test_account_that_lost_its_end_in_a_number_cell_is_not_entered(cast: Cast) -> None:
    content = workbook(("姓名", "账号"), ("马老师", 6222021234567890123), ("李老师", 123456789012))
    outcome = staff_accounts.import_file(content, unit=cast.school_a, by=cast.officer_a)
    assert (outcome.added, outcome.refused) == (1, 1)
    assert "末几位已经丢失" in outcome.findings[0]
    assert StaffAccount.objects.get().holder == "李老师"


def test_school_enters_nobody_of_another_school(cast: Cast) -> None:
    content = workbook(("单位", "姓名", "账号"), (cast.school_b.name, "马老师", card(1)), ("", "李老师", card(2)))
    outcome = staff_accounts.import_file(content, unit=cast.school_a, by=cast.officer_a)
    assert (outcome.added, outcome.refused) == (1, 1)
    assert "不是您的学校" in outcome.findings[0]


def test_file_without_its_header_is_refused(cast: Cast) -> None:
    with pytest.raises(ValidationError, match="表头"):
        staff_accounts.import_file(workbook(("甲", "乙"), (1, 2)), unit=cast.county, by=cast.clerk)


_CELLS = st.one_of(st.none(), st.text(max_size=12), st.floats(allow_nan=False), st.booleans())


@given(st.lists(st.lists(_CELLS, max_size=5), max_size=6))
def test_any_header_is_read_or_not(rows: list[list[object]]) -> None:
    for row in rows:
        found = staff_accounts._header(row)  # type: ignore[arg-type]
        assert not found or {"holder", "number"} <= set(found.values())


def test_accounts_pupils_have_already_are_listed(cast: Cast, signed_in: SignIn) -> None:
    place = casting.enrol(cast, cast.class_a1, name="甲学生")
    casting.enrol(cast, cast.class_b1, name="乙学生")
    number = privacy.account_number(BankAccount.objects.get(pupil=place.pupil))
    staff_accounts.add(cast.county, holder="沈经办", number=number, by=cast.clerk)
    assert [account.pupil for account in staff_accounts.clashes(cast.clerk)] == [place.pupil]
    assert [account.pupil for account in staff_accounts.clashes(cast.officer_a)] == [place.pupil]
    assert not staff_accounts.clashes(cast.officer_b).exists()
    page = signed_in(cast.clerk).get(reverse("staff_accounts")).content.decode()
    assert "甲学生" in page
    assert number not in page


def test_pages_enter_and_remove(cast: Cast, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_a)
    form = {"unit": cast.school_a.pk, "holder": "李老师", "number": card(1)}
    assert client.post(reverse("staff_account_add"), form).url == reverse("staff_accounts")
    again = client.post(reverse("staff_account_add"), form).content.decode()
    assert "不用重复登记" in again
    page = client.get(reverse("staff_accounts")).content.decode()
    assert "李老师" in page
    assert card(1) not in page
    assert card(1)[-4:] in page
    client.post(reverse("staff_account_remove", args=[StaffAccount.objects.get().pk]))
    assert not StaffAccount.objects.exists()


def test_page_takes_a_file_and_keeps_nothing_of_it(cast: Cast, signed_in: SignIn) -> None:
    content = workbook(("姓名", "账号"), ("李老师", card(1)), ("王老师", "1"))
    file = SimpleUploadedFile("工资卡.xlsx", content)
    page = signed_in(cast.officer_a).post(reverse("staff_account_import"), {"unit": cast.school_a.pk, "file": file})
    assert "1 行没有登记" in page.content.decode()
    assert StaffAccount.objects.get().holder == "李老师"
    assert not Upload.objects.exists()


def test_page_lets_in_as_large_a_file_as_other_lists_may_be() -> None:
    view = resolve(reverse("staff_account_import")).func
    assert getattr(view, "upload_kind", "") == Upload.Kind.LIST
