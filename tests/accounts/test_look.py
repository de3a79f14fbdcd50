"""The frame around every page and the parts pages are made of."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from django import forms
from django.conf import settings
from django.template import Context, Template
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts.templatetags import aid
from tests.cast import Cast


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_yuan_reads_back_to_the_same_amount(amount: Decimal) -> None:
    told = aid.yuan(amount)
    assert Decimal(told.replace(",", "")) == amount
    assert told[-3] == "."


def test_yuan_never_rounds() -> None:
    assert aid.yuan(Decimal("1250")) == "1,250.00"
    assert aid.yuan(None) == ""
    with pytest.raises(ValueError):
        aid.yuan(Decimal("0.005"))


def test_dates_have_no_leading_zeros_and_are_beijings() -> None:
    moment = dt.datetime(2026, 3, 4, 17, 5, tzinfo=dt.UTC)
    assert aid.cn_date(moment) == "2026年3月5日"
    assert aid.cn_time(moment) == "2026年3月5日 1:05"
    assert aid.cn_date(dt.date(2026, 3, 5)) == "2026年3月5日"
    assert aid.cn_date(None) == ""


class Sample(forms.Form):
    name = forms.CharField(label="姓名")
    kind = forms.ChoiceField(label="就读方式", choices=[("b", "寄宿")], widget=forms.RadioSelect)
    file = forms.FileField(label="材料")
    sure = forms.BooleanField(label="已核对")


def draw(form: forms.Form) -> str:
    return Template('{% include "_form.html" with submit="提交" %}').render(Context({"form": form}))


def test_form_names_its_faults_and_links_to_the_fields() -> None:
    page = draw(Sample({}))
    assert "4 处需要改正" in page
    for link, sentence in (
        ("id_name", "请填写"),
        ("id_kind_0", "请选择"),
        ("id_file", "请选择文件"),
        ("id_sure", "请勾选"),
    ):
        assert f'href="#{link}"' in page
        assert f'id="{link}"' in page
        assert sentence in page
    assert 'enctype="multipart/form-data"' in page


def test_text_of_people_is_escaped_in_forms() -> None:
    assert "<script>" not in draw(Sample({"name": "<script>"}))


def entries(session: Client) -> list[str]:
    groups = session.get("/roles/").context["navigation"]
    return [entry.name for group in groups for entry in group.entries]


def test_navigation_shows_what_the_person_may_open(cast: Cast, visit) -> None:
    assert entries(visit(cast.admin)) == ["home", "people", "roles"]
    assert "audit" in entries(visit(cast.inspector))
    assert not {"people", "audit"} & set(entries(visit(cast.teacher_a1)))


def test_every_entry_of_the_navigation_opens(cast: Cast, visit) -> None:
    for user in cast.people.values():
        session = visit(user)
        for group in session.get("/roles/").context["navigation"]:
            for entry in group.entries:
                assert session.get(entry.url).status_code == 200, (user.username, entry.url)


def test_missing_page_is_kind_and_tells_nothing(cast: Cast, visit) -> None:
    response = visit(cast.clerk).get("/nowhere/")
    assert response.status_code == 404
    assert "没有找到这一页" in response.content.decode()


def test_expired_form_says_that_nothing_was_saved(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    response = client.post("/login/", {"username": "clerk", "password": "x"})
    assert response.status_code == 403
    assert "没有保存任何内容" in response.content.decode()


@pytest.mark.parametrize("folder", ["templates"])
def test_no_template_carries_inline_style_or_script(folder: str) -> None:
    for file in Path(settings.BASE_DIR, folder).rglob("*.html"):
        text = file.read_text()
        if "print" in file.parts:  # drawn by the PDF engine, never sent to a browser
            continue
        for forbidden in (" style=", "<style", " onclick=", " onsubmit=", "javascript:", "http://", "https://"):
            assert forbidden not in text, (file, forbidden)


def test_first_load_is_small() -> None:
    """Uncompressed, of our own: a phone on a weak line loads far less than 200 KB."""
    own = [Path(settings.BASE_DIR, "static", name) for name in ("aid.css", "aid.js", "icons/set.svg")]
    assert sum(file.stat().st_size for file in own) < 60_000
