"""The desk of pupils: who sees whom, what is masked, what a search leaves behind, and what forms do."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditRow, User
from students import circumstances, enrolment, fictitious, rosters
from students.models import BankAccount, Category, Circumstance, Enrolment, Pupil, Term
from tests import cast as casting
from tests.cast import Cast
from tests.students.workbooks import pupil, workbook

SignIn = Callable[[User], Client]


def bring_in(cast: Cast, *rows: dict, term: str = "2026-2027-1") -> None:
    term_row = Term.objects.get(key=term)
    rosters.import_roster(workbook(*rows), unit=cast.school_a, term=term_row, by=cast.officer_a, dry_run=False)


@pytest.fixture
def chen(cast: Cast) -> Pupil:
    """One pupil of class 七年级1班."""
    bring_in(cast, pupil(1))
    return Pupil.objects.get()


def shown(client: Client, name: str, *args: object, **query: object) -> str:
    return client.get(reverse(name, args=args), query).content.decode()


# --- who sees whom -----------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["teacher_a1", "officer_a", "principal_a", "clerk", "head", "inspector"])
def test_pupil_is_shown_masked_to_everybody_in_scope(cast: Cast, chen: Pupil, signed_in: SignIn, who: str) -> None:
    client = signed_in(getattr(cast, who))
    pages = shown(client, "pupils") + shown(client, "pupil", chen.pk)
    assert chen.name in pages
    assert chen.id_masked in pages
    secrets = [pupil(1)[column] for column in ("身份证件号", "全国学籍号", "联系电话", "银行账号")]
    assert not [secret for secret in secrets if secret in pages]


@pytest.mark.parametrize("who", ["teacher_a2", "officer_b", "principal_b", "teacher_b1"])
def test_pupil_of_another_class_or_school_is_not_there(cast: Cast, chen: Pupil, signed_in: SignIn, who: str) -> None:
    client = signed_in(getattr(cast, who))
    assert chen.name not in shown(client, "pupils")
    assert client.get(reverse("pupil", args=[chen.pk])).status_code == 404


@pytest.mark.parametrize(
    ("who", "is_told"), [("officer_b", False), ("teacher_b1", False), ("clerk", True), ("inspector", True)]
)
def test_only_the_county_is_told_which_school_a_pupil_comes_from(
    cast: Cast, chen: Pupil, signed_in: SignIn, who: str, is_told: bool
) -> None:
    Enrolment.objects.update(standing="transferred", ends_on=dt.date(2026, 9, 30))
    place = enrolment.begin(
        chen, term=cast.term, school_class=cast.class_b1.school_class, boarding="day", starts_on=dt.date(2026, 10, 1)
    )
    place.save()
    page = shown(signed_in(getattr(cast, who)), "pupil", chen.pk)
    assert (cast.school_a.name in page, "本县另一所学校" in page) == (is_told, not is_told)
    assert cast.school_b.name in page


def test_administrator_sees_no_pupil(cast: Cast, chen: Pupil, signed_in: SignIn) -> None:
    client = signed_in(cast.admin)
    for name, args in (("pupils", []), ("pupil", [chen.pk]), ("pupil_reveal", [chen.pk]), ("roster_imports", [])):
        assert client.get(reverse(name, args=args)).status_code == 403


def test_pupil_who_moved_to_another_class_is_named_in_the_old_list_without_a_way_in(
    cast: Cast, chen: Pupil, signed_in: SignIn
) -> None:
    term = Term.objects.get(key="2025-2026-2")
    enrolment.begin(chen, term=term, school_class=cast.class_a2.school_class, boarding="day").save()
    old = Term.objects.get(key="2025-2026-2")
    page = shown(signed_in(cast.teacher_a2), "pupils", term=old.pk)
    assert chen.name in page
    assert str(chen.pk) not in page


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("circumstance_add", ["teacher_a1", "officer_a"], ["principal_a", "clerk", "inspector"]),
        ("boarding_change", ["teacher_a1", "officer_a", "clerk"], ["principal_a", "inspector"]),
        ("account_change", ["officer_a"], ["teacher_a1", "principal_a", "clerk", "inspector"]),
        ("pupil_reveal", ["officer_a", "clerk"], ["teacher_a1", "principal_a", "head", "inspector"]),
    ],
)
def test_forms_open_for_those_who_may_and_nobody_else(
    cast: Cast, chen: Pupil, signed_in: SignIn, name: str, allowed: list[str], refused: list[str]
) -> None:
    url = reverse(name, args=[chen.pk])
    assert [signed_in(getattr(cast, who)).get(url).status_code for who in allowed] == [200] * len(allowed)
    assert [signed_in(getattr(cast, who)).get(url).status_code for who in refused] == [403] * len(refused)
    assert signed_in(cast.officer_b).get(url).status_code in (403, 404)


# --- the list ----------------------------------------------------------------------------------------


def test_empty_list_says_what_to_do_first(cast: Cast, signed_in: SignIn) -> None:
    assert "导入名册" in shown(signed_in(cast.officer_a), "pupils")
    assert "由学校资助专干导入" in shown(signed_in(cast.teacher_a1), "pupils")


def test_list_takes_as_many_queries_for_three_rows_as_for_one(cast: Cast, signed_in: SignIn) -> None:
    taken = []
    client = signed_in(cast.officer_a)
    for rows in ([pupil(1)], [pupil(1), pupil(2), pupil(3, 班级="2班")]):
        bring_in(cast, *rows)
        for child in Pupil.objects.filter(circumstances=None):
            circumstances.add(
                child,
                category=Category.objects.get(code="dibao_rural"),
                source="matched",
                valid_from=dt.date(2026, 9, 1),
                by=cast.officer_a,
            )
        client.get(reverse("pupils"))
        with CaptureQueriesContext(connection) as queries:
            assert shown(client, "pupils").count("农村低保") >= len(rows)
        taken.append(len(queries))
    assert taken[0] == taken[1]


def test_list_is_paged_by_fifty(cast: Cast, signed_in: SignIn) -> None:
    bring_in(cast, *[pupil(serial, 姓名="陈小明") for serial in range(1, 61)])
    client = signed_in(cast.officer_a)
    assert shown(client, "pupils").count("陈小明</a>") == 50
    assert shown(client, "pupils", page=2).count("陈小明</a>") == 10


def test_filters_narrow_by_class_boarding_and_category(cast: Cast, signed_in: SignIn) -> None:
    bring_in(cast, pupil(1), pupil(2, 班级="2班"), pupil(3, 就读方式="走读"))
    one, two, three = (Pupil.objects.get(name=pupil(serial)["姓名"]) for serial in (1, 2, 3))
    kind = Category.objects.get(code="dibao_rural")
    circumstances.add(three, category=kind, source="matched", valid_from=dt.date(2026, 9, 1), by=cast.officer_a)
    client = signed_in(cast.officer_a)
    for query, wanted in (
        ({"school_class": cast.class_a2.pk}, {two}),
        ({"boarding": "day"}, {three}),
        ({"category": kind.pk}, {three}),
        ({"school_class": cast.class_a1.pk}, {one, three}),
        ({"school_class": "nonsense"}, {one, two, three}),
    ):
        page = shown(client, "pupils", **query)
        assert {child for child in (one, two, three) if child.name in page} == wanted, query


def test_category_filter_finds_old_evidence_under_the_kind_that_took_its_place(
    cast: Cast, chen: Pupil, signed_in: SignIn
) -> None:
    Circumstance.objects.create(
        pupil=chen,
        category=Category.objects.get(code="registered_poverty"),
        source="matched",
        valid_from=dt.date(2018, 12, 1),
        recorded_by=cast.officer_a,
    )
    lifted = Category.objects.get(code="lifted")
    assert chen.name in shown(signed_in(cast.officer_a), "pupils", category=lifted.pk)


# --- a full number -----------------------------------------------------------------------------------


def test_reveal_shows_the_number_once_uncached_with_an_audit_row(cast: Cast, chen: Pupil, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_a)
    form = {"field": "account", "purpose": "check_papers", "note": "家长持存折核对"}
    response = client.post(reverse("pupil_reveal", args=[chen.pk]), form)
    assert pupil(1)["银行账号"] in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert response["Refresh"].startswith("30;")
    assert AuditRow.objects.filter(action="identity.reveal").count() == 1
    assert pupil(1)["银行账号"] not in shown(client, "pupil_reveal", chen.pk)


def test_reveal_without_a_reason_shows_the_form_again(cast: Cast, chen: Pupil, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_a)
    response = client.post(
        reverse("pupil_reveal", args=[chen.pk]), {"field": "id", "purpose": "check_papers", "note": " "}
    )
    assert response.status_code == 200
    assert pupil(1)["身份证件号"] not in response.content.decode()
    assert not AuditRow.objects.filter(action="identity.reveal").exists()


def test_reveal_of_a_missing_account_is_a_sentence(cast: Cast, chen: Pupil, signed_in: SignIn) -> None:
    BankAccount.objects.all().delete()
    form = {"field": "account", "purpose": "check_papers", "note": "核对"}
    response = signed_in(cast.officer_a).post(reverse("pupil_reveal", args=[chen.pk]), form)
    assert "还没有登记银行账号" in response.content.decode()


# --- changing ----------------------------------------------------------------------------------------


def test_circumstance_is_added_with_its_scan_and_ended(cast: Cast, chen: Pupil, signed_in: SignIn) -> None:
    client = signed_in(cast.teacher_a1)
    form = {
        "category": Category.objects.get(code="dibao_rural").pk,
        "source": "collected",
        "evidence": "低保证 2026-01",
        "valid_from": "2026-09-01",
        "evidence_file": casting.scan("低保证.pdf"),
    }
    assert client.post(reverse("circumstance_add", args=[chen.pk]), form).status_code == 302
    added = Circumstance.objects.get()
    evidence = reverse("circumstance_evidence", args=[added.pk])
    page = client.get(reverse("pupil", args=[chen.pk])).content.decode()
    assert f'<img src="{evidence}?preview"' in page
    assert "PDF 1 页" in page
    seen = AuditRow.objects.count()
    small = client.get(f"{evidence}?preview")
    assert (small["Content-Type"], small["Cache-Control"]) == ("image/jpeg", "private, no-store")
    assert AuditRow.objects.count() == seen  # nothing can be read on it; opening the file leaves a row
    assert client.get(evidence).content.startswith(b"%PDF-")
    assert AuditRow.objects.count() == seen + 1
    for who, status in [(cast.clerk, 200), (cast.inspector, 403), (cast.teacher_a2, 404)]:
        assert signed_in(who).get(f"{evidence}?preview").status_code == status
    client = signed_in(cast.teacher_a1)
    assert signed_in(cast.clerk).get(evidence).status_code == 200
    assert signed_in(cast.inspector).get(evidence).status_code == 403
    assert signed_in(cast.teacher_a2).get(evidence).status_code == 404
    assert client.post(reverse("circumstance_end", args=[added.pk]), {"on": "2026-12-31"}).status_code == 302
    assert Circumstance.objects.get().valid_to == dt.date(2026, 12, 31)


def test_refused_circumstance_keeps_what_was_typed(cast: Cast, chen: Pupil, signed_in: SignIn) -> None:
    form = {
        "category": Category.objects.get(code="dibao_rural").pk,
        "source": "collected",
        "evidence": "",
        "valid_from": "2026-09-01",
        "valid_to": "2027-08-31",
    }
    page = signed_in(cast.teacher_a1).post(reverse("circumstance_add", args=[chen.pk]), form).content.decode()
    assert "要写明证明名称和编号" in page
    assert 'value="2027-08-31"' in page


def test_account_is_changed_and_a_doubt_is_told(cast: Cast, chen: Pupil, signed_in: SignIn) -> None:
    form = {"relation": "mother", "holder": "王五", "bank": "农商行", "number": "6299000000000000052"}
    client = signed_in(cast.officer_a)
    response = client.post(reverse("account_change", args=[chen.pk]), form, follow=True)
    page = response.content.decode()
    assert "已登记新的收款账户（**** 0052）" in page
    assert "没有通过卡号校验" in page


def test_refused_account_keeps_what_was_typed(cast: Cast, chen: Pupil, signed_in: SignIn) -> None:
    form = {"relation": "self", "holder": "王五", "bank": "农商行", "number": fictitious.card_number(3)}
    page = signed_in(cast.officer_a).post(reverse("account_change", args=[chen.pk]), form).content.decode()
    assert "户名应与学生姓名一致" in page
    assert 'value="农商行"' in page
