"""Pages of who bears the money: the programme's shares, and what they make of a batch and of a sheet."""

import io
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook

from accounts.models import AuditRow
from students.models import School
from subsidies import funding
from subsidies.models import FundShare, LineShare, PaymentBatch, Programme, Round, SheetSplit
from tests.cast import Cast, batch, enrol, submitted
from tests.subsidies import shortcuts

SHARES = {"centre": "5/10", "province": "3/10", "county": "2/10"}
FORM = {**SHARES, "schools": "", "first_term": "2026-2027-1", "remainder": "county", "document": "×财教〔2026〕9号"}


@pytest.fixture(autouse=True)
def nothing_recorded(cast: Cast) -> None:
    """No programme has shares, not even those that ship with it."""
    FundShare.objects.all().delete()


def open_as(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def record(cast: Cast, levels: dict[str, str] = SHARES, **changed) -> FundShare:
    facts = {"schools": "", "first_term": "2026-2027-1", "document": "×财教〔2026〕9号", "remainder": "county"}
    share = FundShare(programme=Programme.objects.get(code="living-aid"), levels=levels, **facts | changed)
    return funding.record_share(share, county=cast.county, by=cast.clerk)


@pytest.fixture
def approved(cast: Cast, round_: Round) -> Round:
    """750 元 at one school and 312.50 元 at the other, approved."""
    shortcuts.approved(cast, submitted(cast, round_, enrol(cast, cast.class_a1, name="张一")))
    shortcuts.approved(cast, submitted(cast, round_, enrol(cast, cast.class_b1, name="李一", boarding="day")))
    return round_


# --- the programme's shares ------------------------------------------------------------------------


def test_the_programme_shows_its_shares_and_the_clerk_the_way_to_them(cast: Cast) -> None:
    address, add = reverse("programme", args=["living-aid"]), reverse("share_add", args=["living-aid"])
    empty = text_of(open_as(cast.clerk).get(address))
    assert "没有登记分担比例，编制的发放批次不会写明由谁承担。" in empty
    assert add in empty
    row = record(cast)
    shown = text_of(open_as(cast.officer_a).get(address))
    assert "中央 50%、省级 30%、县（区）级 20%" in shown
    assert "5:3:2" in shown
    assert "×财教〔2026〕9号" in shown
    assert add not in shown
    assert f"{add}?row={row.pk}" in text_of(open_as(cast.clerk).get(address))


def test_shares_are_recorded_from_what_is_typed(cast: Cast) -> None:
    answer = open_as(cast.clerk).post(reverse("share_add", args=["living-aid"]), FORM, follow=True)
    assert "已登记资金分担：全部学校 中央 50%、省级 30%、县（区）级 20%，自2026年秋季学期起执行。" in text_of(answer)
    row = FundShare.objects.get()
    assert (row.levels, row.document_date) == ({"centre": "1/2", "province": "3/10", "county": "1/5"}, None)


def test_wrong_shares_come_back_with_what_was_typed(cast: Cast) -> None:
    wrong = FORM | {"county": "1/10", "document": "", "first_term": ""}
    page = text_of(open_as(cast.clerk).post(reverse("share_add", args=["living-aid"]), wrong))
    assert "各级份额合计 90%，必须正好是 1，还差 10%。" in page
    assert "3 处需要改正" in page
    assert 'value="1/10"' in page
    assert not FundShare.objects.exists()


def test_what_is_typed_is_tried_and_not_kept(cast: Cast) -> None:
    clerk, address = open_as(cast.clerk), reverse("share_add", args=["living-aid"])
    page = text_of(clerk.post(address, FORM | {"look": "1", "document": ""}))
    assert "中央 50%、省级 30%、县（区）级 20%（5:3:2）" in page
    assert "625.00 元 = 中央 312.50 + 省级 187.50 + 县（区）级 125.00" in page
    assert "处需要改正" not in page
    assert 'value="3/10"' in page
    page = text_of(clerk.post(address, {"look": "1", "centre": "半", "remainder": "county"}))
    assert "中央：“半”不是份额，请写成 5/10、50% 或 0.5" in page
    assert "承担尾差的“县（区）级”不在分担的各级里。" in page
    assert not FundShare.objects.exists()
    assert not AuditRow.objects.filter(action__startswith="share.").exists()


def test_a_province_puts_in_the_part_of_the_centre(cast: Cast) -> None:
    address = reverse("share_add", args=["senior-grant"])
    page = text_of(open_as(cast.clerk).get(address, {"tier": "five-tiers:53"}))
    assert 'name="centre" value="8/10"' in page
    assert "第一档填入中央 8/10（国办发〔2018〕6号、国办发〔2019〕27号，自2019年春季学期起）；其余 20% 请按" in page
    assert "各级份额合计 80%，必须正好是 1，还差 20%。" in page
    for nonsense in ("five-tiers:99", "moon:53", "'"):
        assert "档填入中央" not in text_of(open_as(cast.clerk).get(address, {"tier": nonsense}))


def test_recorded_shares_fill_the_form_and_are_put_right(cast: Cast) -> None:
    row = record(cast, first_term="2011-2012-1")
    clerk, address = open_as(cast.clerk), reverse("share_add", args=["living-aid"])
    page = text_of(clerk.get(address, {"row": row.pk}))
    assert 'name="province" value="3/10"' in page
    assert '<option value="2011-2012-1" selected>' in page  # a term no calendar holds any more
    again = FORM | {"first_term": "2011-2012-1", "province": "2/10", "county": "3/10"}
    assert clerk.post(f"{address}?row={row.pk}", again).status_code == 302
    row.refresh_from_db()
    assert row.words == "中央 50%、省级 20%、县（区）级 30%"
    for nonsense in ("999999", "x", "9" * 40):
        assert clerk.get(address, {"row": nonsense}).status_code == 200


def test_shares_are_ended(cast: Cast) -> None:
    row = record(cast, schools="private")
    clerk, address = open_as(cast.clerk), reverse("share_end", args=[row.pk])
    assert "民办学校 中央 50%" in text_of(clerk.get(address))
    assert "截止学期不能早于执行学期。" in text_of(
        clerk.post(address, {"last_term": "2023-2024-1", "document": "县文件"})
    )
    assert clerk.post(address, {"last_term": "2026-2027-1", "document": "县文件"}).status_code == 302
    row.refresh_from_db()
    assert row.last_term == "2026-2027-1"


def test_the_programme_asks_the_same_for_one_row_and_three(cast: Cast) -> None:
    clerk, address = open_as(cast.clerk), reverse("programme", args=["living-aid"])

    def asked() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            clerk.get(address)
        return len(queries)

    record(cast)
    clerk.get(address)
    one = asked()
    record(cast, schools="private")
    record(cast, schools="public")
    assert asked() == one


# --- batch and sheet -------------------------------------------------------------------------------


def test_a_batch_shows_who_bears_how_much_by_sheet_and_in_all(cast: Cast, approved: Round) -> None:
    record(cast)
    made = batch(cast, approved)
    page = text_of(open_as(cast.clerk).get(reverse("batch", args=[made.pk])))
    for amount in ("375.00", "225.00", "150.00", "156.25", "93.75", "62.50", "531.25", "318.75", "212.50", "1,062.50"):
        assert f">{amount}<" in page or f"{amount} 元" in page, amount
    own = text_of(open_as(cast.officer_a).get(reverse("batch", args=[made.pk])))
    assert "375.00" in own
    assert "156.25" not in own
    assert "531.25" not in own


def test_a_sheet_shows_who_bears_it_and_hands_out_the_lines(cast: Cast, approved: Round) -> None:
    record(cast, {"centre": "1/3", "province": "1/3", "county": "1/3"})
    sheet = batch(cast, approved).sheets.get(school=cast.school_b)
    officer = open_as(cast.officer_b)
    page = text_of(officer.get(reverse("sheet", args=[sheet.pk])))
    assert "104.16 元" in page
    assert "104.18 元" in page
    answer = officer.get(reverse("sheet_shares_xlsx", args=[sheet.pk]))
    rows = list(load_workbook(io.BytesIO(answer.content)).active.values)
    assert (1, "三年级1班", "李一", 312.5, 104.16, 104.16, 104.18) in rows
    assert ("合计", None, None, 312.5, 104.16, 104.16, 104.18) in rows
    head = rows.index(("序号", "班级", "姓名", "金额（元）", "中央（元）", "省级（元）", "县（区）级（元）"))
    assert "分担比例：中央 1/3、省级 1/3、县（区）级 1/3；除不尽的尾差由县（区）级承担。依据：×财教〔2026〕9号" in str(
        rows[:head]
    )
    told = AuditRow.objects.get(action="sheet.download")
    assert (told.detail, told.username) == ({"kind": "shares"}, "officer_b")


def test_without_shares_the_way_to_them_is_shown(cast: Cast, approved: Round) -> None:
    School.objects.filter(pk=cast.school_a.pk).update(ownership="private")
    record(cast, schools="private")
    clerk = open_as(cast.clerk)
    way = f"{reverse('programme', args=['living-aid'])}#shares"
    before = text_of(clerk.get(reverse("batch_make", args=[approved.pk])))
    assert f"没有登记分担比例：{cast.school_b.name}。" in before
    assert way in before
    made = batch(cast, approved)
    page = text_of(clerk.get(reverse("batch", args=[made.pk])))
    assert f"没有登记分担比例：{cast.school_b.name}。" in page
    assert way in page
    assert "按登记的比例分担" not in page
    sheet = made.sheets.get(school=cast.school_b)
    officer = open_as(cast.officer_b)
    shown = text_of(officer.get(reverse("sheet", args=[sheet.pk])))
    assert "没有登记分担比例。由县资助中心登记后补记。" in shown
    assert way not in shown
    assert officer.get(reverse("sheet_shares_xlsx", args=[sheet.pk])).status_code == 404
    assert "请县资助中心登记。" in text_of(officer.get(reverse("batch", args=[made.pk])))


def test_a_batch_is_split_once_shares_are_there(cast: Cast, approved: Round) -> None:
    made = batch(cast, approved)
    clerk, address = open_as(cast.clerk), reverse("batch_split", args=[made.pk])
    assert "没有登记分担比例，请先在“项目与标准”的项目页登记。" in text_of(clerk.post(address, follow=True))
    record(cast)
    page = text_of(clerk.get(reverse("batch", args=[made.pk])))
    assert "编制以后已经登记了比例，请补记由谁承担。" in page
    assert address in page
    assert address not in text_of(open_as(cast.head).get(reverse("batch", args=[made.pk])))
    assert "已按登记的比例分担 2 张花名册。" in text_of(clerk.post(address, follow=True))
    assert "都已分担，不用重复登记。" in text_of(clerk.post(address, follow=True))
    assert SheetSplit.objects.count() == 2
    assert sum(row.amount for row in LineShare.objects.all()) == Decimal("1062.50")


def test_a_batch_asks_the_same_for_one_sheet_and_two(cast: Cast, approved: Round) -> None:
    record(cast)
    made = batch(cast, approved)
    address = reverse("batch", args=[made.pk])

    def asked(user) -> int:
        client = open_as(user)
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        return len(queries)

    assert asked(cast.officer_a) == asked(cast.officer_b)
    shortcuts.approved(cast, submitted(cast, approved, *(enrol(cast, cast.class_a1, name=f"张{n}") for n in "二三四")))
    other = batch(cast, approved)
    both = asked(cast.clerk)
    address = reverse("batch", args=[other.pk])
    assert asked(cast.clerk) == both
    assert PaymentBatch.objects.count() == 2


def test_the_county_says_who_finances_a_school(cast: Cast) -> None:
    clerk, address = open_as(cast.clerk), reverse("school_edit", args=[cast.school_a.pk])
    form = clerk.get(address).context["form"]
    typed = {name: form[name].value() for name in form.fields}
    assert (typed["ownership"], typed["finance"]) == ("public", "county")
    assert clerk.post(address, typed | {"finance": "city"}).status_code == 302
    assert School.objects.get(pk=cast.school_a.pk).finance == "city"
    told = AuditRow.objects.get(action="school.change").detail
    assert told["was"].endswith("公办，县（区）级财政")
    assert told["finance"] == "市级财政"
    assert "1 处需要改正" in text_of(clerk.post(address, typed | {"finance": "moon"}))
