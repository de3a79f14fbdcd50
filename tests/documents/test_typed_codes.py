"""The public page takes what people type or paste for a code; a workbook's odd characters harm nobody."""

import pytest
from django.urls import reverse

from documents import xlsx
from tests.documents import books


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("typed", "looked_up"),
    [
        ("abcd efgh 2345 6789", "ABCDEFGH23456789"),
        ("https://aid.example/verify/ABCDEFGH23456789/", "ABCDEFGH23456789"),
        ("a/b", "AB"),
        ("..", "-"),
        ("\x00", "-"),
        ("/", "-"),
        ("发放〔2026〕12号", "发放202612号"),
    ],
)
def test_whatever_is_typed_leads_to_an_answer(client, typed, looked_up):
    answer = client.get(reverse("verify"), {"code": typed})
    assert answer.status_code == 302
    assert answer.url == reverse("verify_code", args=[looked_up])
    assert client.get(answer.url).status_code == 404


@pytest.mark.parametrize(("written", "read"), [("_xD800_", "_xD800_"), ("_xDFFF_", "_xDFFF_"), ("_x0000_", "\ufffd")])
def test_half_characters_stay_as_written_and_nul_becomes_a_mark(written, read):
    book = xlsx.write([xlsx.WorksheetPlan("名册", [xlsx.Column("姓名")], [[f"张{written}三"]])])
    assert list(books.rows(book).values()) == [["姓名"], [f"张{read}三"]]
