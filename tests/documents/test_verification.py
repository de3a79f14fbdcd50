"""The public page: genuine, altered, superseded, not issued, unknown; never a name; never too often."""

import io
import random

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import load_workbook

from documents import issuing, sheets, verification
from documents.models import IssuedDocument
from documents.verification import Verdict

from .conftest import FACTS

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_counter():
    cache.clear()


def compare(client, content, name="发放表.pdf"):
    return client.post("/verify/", {"file": SimpleUploadedFile(name, content)})


def test_the_printed_code_shows_the_paper_and_no_name(client, issued):
    page = client.get(f"/verify/{issued.code}/")
    assert page.status_code == 200
    text = page.content.decode()
    for shown in ("真实有效", issued.number, "城关中学", "3 人", "937.50 元"):
        assert shown in text
    assert "王小明" not in text
    assert "林专干" not in text


def test_the_code_may_be_typed_with_spaces_dashes_and_small_letters(client, issued):
    typed = "-".join([issued.code[:4].lower(), f" {issued.code[4:8]} ", issued.code[8:]])
    answer = client.get("/verify/", {"code": typed}, follow=True)
    assert "真实有效" in answer.content.decode()
    assert answer.redirect_chain == [(f"/verify/{issued.code}/", 302)]


def test_a_reserved_paper_shows_nothing_but_that(client, reserved):
    text = client.get(f"/verify/{reserved.code}/").content.decode()
    assert "尚未签发" in text
    assert "城关中学" not in text


@pytest.mark.parametrize("code", ["2345678923456789", "x", "'; drop table", "王小明", "-"])
def test_an_unknown_code_is_a_page_that_says_so(client, db, code):
    answer = client.get("/verify/", {"code": code}, follow=True)
    assert answer.status_code == 404
    assert "没有查到" in answer.content.decode()


def test_a_superseded_paper_names_the_one_in_its_place(client, issued, school, officer, make_plan):
    new = issuing.reserve(IssuedDocument.Kind.PAYOUT_SHEET, unit=school)
    pdf = sheets.signing_copy_pdf(make_plan(number=new.number, document=new))
    issuing.fulfil(new, pdf=pdf, xlsx=None, facts=FACTS, by=officer)
    old = issuing.read_pdf(issued)
    issuing.supersede(issued, new, by=officer)
    for answer in (client.get(f"/verify/{issued.code}/"), compare(client, old)):
        assert "已被替代" in answer.content.decode()
        assert new.number in answer.content.decode()


def test_the_issued_files_themselves_are_genuine(client, issued):
    for content, name in ((issuing.read_pdf(issued), "a.pdf"), (issuing.read_xlsx(issued), "a.xlsx")):
        assert "真实有效" in compare(client, content, name).content.decode()


def test_one_changed_byte_at_two_hundred_places_is_never_genuine(issued):
    content, places = issuing.read_pdf(issued), random.Random(7)
    for _ in range(200):
        changed = bytearray(content)
        changed[places.randrange(len(content))] ^= places.randrange(1, 256)
        finding = verification.compare(bytes(changed))
        assert finding.verdict == Verdict.ALTERED
        assert "已被改动" in finding.sentence or finding.document == issued


def test_what_was_changed_is_said(issued):
    content = issuing.read_pdf(issued)
    changed = bytearray(content)
    changed[1000] ^= 1
    assert "有 1 个字节被改动" in verification.compare(bytes(changed)).sentence
    assert "末尾被添加了 5 个字节" in verification.compare(content + b"12345").sentence
    cut = verification.compare(content[: content.rindex(b"startxref")])
    assert (cut.verdict, "不完整" in cut.sentence) == (Verdict.ALTERED, True)


def test_an_edited_workbook_is_recognised_by_its_code(issued):
    book = load_workbook(io.BytesIO(issuing.read_xlsx(issued)))
    book.active["G6"] = 99999
    out = io.BytesIO()
    book.save(out)
    finding = verification.compare(out.getvalue())
    assert (finding.verdict, finding.document) == (Verdict.ALTERED, issued)


def test_a_workbook_whose_properties_were_removed_is_recognised_by_its_cells(issued):
    book = load_workbook(io.BytesIO(issuing.read_xlsx(issued)))
    book.properties.keywords = ""
    out = io.BytesIO()
    book.save(out)
    assert verification.compare(out.getvalue()).document == issued


@pytest.mark.parametrize("content", [b"hello", b"%PDF-1.7 other", b"PK\x03\x04", b"\0" * 5000])
def test_a_strangers_file_is_unknown(client, db, content):
    assert "没有查到" in compare(client, content).content.decode()


def test_a_paper_with_our_signature_and_no_code_is_altered(issued):
    content = issuing.read_pdf(issued).replace(issued.code.encode(), b"0" * 16)
    assert verification.compare(content).verdict == Verdict.ALTERED


def test_comparing_keeps_nothing(client, issued, own_files):
    before = sorted(own_files.rglob("*"))
    compare(client, b"%PDF-1.7 other")
    assert sorted(own_files.rglob("*")) == before


def test_a_file_too_large_is_said_in_the_form(client, db, settings):
    settings.UPLOAD_MAX_BYTES = 1024 * 1024
    text = compare(client, b"%PDF-" + b"x" * 2 * 1024 * 1024).content.decode()
    assert "超过单个文件 1 MB 的上限" in text


def test_without_a_file_the_form_asks_for_one(client, db):
    assert "请选择要上传的文件" in client.post("/verify/").content.decode()


def test_no_cache_keeps_the_page_and_no_search_engine_finds_it(client, issued):
    for address in ("/verify/", f"/verify/{issued.code}/"):
        answer = client.get(address)
        assert (answer["Cache-Control"], answer["X-Robots-Tag"]) == ("no-store", "noindex, nofollow")
        assert "noindex" in answer.content.decode()


@pytest.fixture
def one_moment(time_machine):
    """Look-ups are counted by the minute, and a slow machine may need longer for sixty."""
    time_machine.move_to("2026-10-12T09:30:00+08:00", tick=False)


def test_too_many_look_ups_from_one_address_are_put_off(client, db, one_moment):
    for _ in range(60):
        assert client.get("/verify/").status_code == 200
    refused = client.get("/verify/")
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert "请等 60 秒" in refused.content.decode()
    assert client.get("/verify/", REMOTE_ADDR="10.0.0.9").status_code == 200


def test_behind_a_proxy_on_this_machine_visitors_are_counted_apart(client, db, one_moment):
    for _ in range(61):
        client.get("/verify/", HTTP_X_FORWARDED_FOR="9.9.9.9, 10.0.0.1")
    assert client.get("/verify/", HTTP_X_FORWARDED_FOR="10.0.0.2").status_code == 200
    # From elsewhere the header is only a claim.
    for _ in range(61):
        last = client.get("/verify/", REMOTE_ADDR="10.0.0.3", HTTP_X_FORWARDED_FOR=f"1.1.1.{_}")
    assert last.status_code == 429


def test_a_look_up_costs_a_fixed_number_of_queries(client, issued, django_assert_max_num_queries):
    with django_assert_max_num_queries(1):
        client.get(f"/verify/{issued.code}/")
