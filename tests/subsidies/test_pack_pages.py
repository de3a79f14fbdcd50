"""The pages of the policy packs: what is shown of each, what a press does, and who comes in."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from subsidies import pack_loading, packs
from subsidies.models import Programme, Standard
from tests.cast import Cast, enrol


def open_as(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page(user: User, name: str, *args: str) -> str:
    response = open_as(user).get(reverse(name, args=args))
    assert response.status_code == 200
    return response.content.decode()


def test_every_pack_stands_in_the_list_with_what_it_holds(cast: Cast) -> None:
    text = page(cast.clerk, "packs")
    for code in packs.shipped():
        pack = pack_loading.shipped(code)
        assert pack.name in text
        assert reverse("pack", args=[code]) in text
    assert "省定营养改善计划" in text
    examples = sum(len(each.examples) for each in pack_loading.shipped("henan").programmes)
    assert f"{examples} 个全对" in text


def test_the_list_asks_a_constant_number_of_questions(cast: Cast) -> None:
    client = open_as(cast.clerk)
    client.get(reverse("packs"))
    with CaptureQueriesContext(connection) as few:
        client.get(reverse("packs"))
    pack_loading.adopt(pack_loading.shipped("hunan"), county=cast.county, by=cast.clerk)
    with CaptureQueriesContext(connection) as many:
        client.get(reverse("packs"))
    assert len(many) == len(few)


def test_the_programmes_page_leads_the_clerk_here_and_nobody_else(cast: Cast) -> None:
    assert f'href="{reverse("packs")}"' in page(cast.clerk, "programmes")
    assert reverse("packs") not in page(cast.officer_a, "programmes")


def test_a_pack_shows_rows_sources_confidence_and_examples(cast: Cast) -> None:
    text = page(cast.clerk, "pack", "henan")
    assert "困难类别具备其一" in text
    assert "禹州市2022年学生资助政策（省定营养改善计划）" in text
    assert "禹州市政府网站2023年5月18日公布" in text
    assert "有公开文件或多个公开来源" in text
    assert "2019年建档立卡学生每学期400元" in text
    assert "每学期400.00元" in text  # the engine's sentence
    assert "还没有采用过" in text
    assert "可采用" in text
    assert "本县已有" in text
    assert "与本县不同" in text


def test_pressing_adopts_and_says_what_was_done(cast: Cast) -> None:
    client = open_as(cast.clerk)
    response = client.post(reverse("pack_adopt", args=["henan"]), follow=True)
    text = response.content.decode()
    assert "已采用“河南省定营养改善计划和生活补助”：新增 1 个项目、" in text
    assert "条与本县规则不同，本县的保持不变" in text
    assert Programme.objects.filter(code="provincial-nutrition").exists()
    assert f"由{cast.clerk.name}采用" in text
    assert 'action="/programmes/packs/henan/adopt/"' not in text  # nothing left to adopt
    count = Standard.objects.count()
    again = client.post(reverse("pack_adopt", args=["henan"]), follow=True).content.decode()
    assert "本县没有缺少“河南省定营养改善计划和生活补助”里的内容，没有新增。" in again
    assert Standard.objects.count() == count


def test_a_programme_adopted_has_its_page(cast: Cast) -> None:
    open_as(cast.clerk).post(reverse("pack_adopt", args=["anhui"]))
    for code in ("vocational-grant", "senior-fee", "vocational-fee"):
        assert Programme.objects.get(code=code).name in page(cast.clerk, "programme", code)


@pytest.mark.parametrize("name", ["pack", "pack_adopt"])
def test_a_pack_that_does_not_exist(cast: Cast, name: str) -> None:
    client = open_as(cast.clerk)
    ask = client.get if name == "pack" else client.post
    assert ask(reverse(name, args=["atlantis"])).status_code == 404


def test_a_pack_whose_example_came_out_wrong_is_not_offered(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (packs.SHIPPED / "ningxia.toml").read_text("utf-8").replace('amount = "400.00"', 'amount = "401.00"', 1)
    broken = packs.read_pack(text, categories=pack_loading.known_categories())
    monkeypatch.setattr(pack_loading, "shipped", lambda code: broken)
    assert "有例子不对，不能采用" in page(cast.clerk, "pack", "ningxia")
    response = open_as(cast.clerk).post(reverse("pack_adopt", args=["ningxia"]), follow=True)
    assert "没有采用：项目“senior-fee”第1个例子" in response.content.decode()
    assert not Programme.objects.filter(code="senior-fee").exists()


def test_what_a_pack_would_change_for_pupils_is_shown_before(cast: Cast) -> None:
    """Hunan's day pupils of city families are not among the national four groups."""
    pupil = enrol(cast, cast.class_a1, name="城里娃", boarding="day", kinds=("dibao_urban",))
    plain = page(cast.clerk, "pack", "hunan")
    assert "先看对学生的影响" in plain
    assert "采用以后：" not in plain
    address = reverse("pack", args=["hunan"])
    text = open_as(cast.clerk).get(address, {"effects": "1"}).content.decode()
    assert "有 1 名学生的金额会变化，合计每学期 +375.00 元" in text
    assert "先看对学生的影响" not in text
    assert pupil.pupil.name not in text
