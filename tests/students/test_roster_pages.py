"""The desk of rosters: upload, look, import or throw away."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import Workbook

from accounts.models import User
from documents.models import Upload
from students import rosters
from students.models import Enrolment, RosterImport
from tests.cast import Cast
from tests.students.workbooks import pupil, saved, upload, workbook

SignIn = Callable[[User], Client]


def send(client: Client, cast: Cast, content: bytes, name: str = "名册.xlsx") -> object:
    form = {"school": cast.school_a.pk, "term": cast.term.pk, "file": upload(content, name)}
    return client.post(reverse("roster_import_new"), form)


def check(cast: Cast, *rows: dict) -> RosterImport:
    return rosters.check_roster(upload(workbook(*rows)), school=cast.school_a, term=cast.term, by=cast.officer_a)


def test_roster_walks_from_upload_over_preview_to_result(cast: Cast, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_a)
    response = send(client, cast, workbook(pupil(1), pupil(2), pupil(3, 班级=None)))
    preview = client.get(response.url).content.decode()
    assert "导入正确的 2 行" in preview
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


@pytest.mark.parametrize("who", ["principal_a", "teacher_a1", "clerk", "head", "inspector", "admin"])
def test_upload_is_for_aid_officers(cast: Cast, signed_in: SignIn, who: str) -> None:
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
        workbook(pupil(1, 年级="三年级")), school=cast.school_b, term=cast.term, by=cast.officer_b, dry_run=False
    )
    url = reverse("roster_import", args=[check(cast, pupil(1)).pk])
    assert cast.school_b.name not in signed_in(cast.officer_a).get(url).content.decode()
    county = signed_in(cast.clerk).get(url).content.decode()
    assert cast.school_b.name in county
    assert "导入正确的" not in county


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
