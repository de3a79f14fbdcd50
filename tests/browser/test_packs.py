"""In a real browser: a clerk finds a pack, reads its rows and examples, and takes it over after being asked."""

import re

import pytest
from playwright.sync_api import Page, expect

from subsidies.models import Programme
from tests import cast as casting
from tests.looks import PHONE, WIDE, faults_of

from .steps import sign_in

pytestmark = pytest.mark.slow


def test_a_pack_is_found_read_and_taken_over(cast_county: casting.Cast, page: Page) -> None:
    sign_in(page, "clerk")
    page.goto("/programmes/")
    with page.expect_navigation():
        page.get_by_role("link", name="政策包").click()
    assert faults_of(page, [WIDE, PHONE]) == []
    with page.expect_navigation():
        page.get_by_role("link", name="河南省定营养改善计划和生活补助", exact=True).click()
    panel = page.locator("#provincial-nutrition")
    expect(panel).to_contain_text("400.00 元/学期")
    panel.get_by_text(re.compile(r"^例子（\d+ 个）$")).click()
    expect(panel.get_by_text("监测户风险已消除")).to_be_visible()
    assert faults_of(page, [WIDE, PHONE]) == []

    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.get_by_role("button", name="采用到本县").click()
    expect(page.get_by_role("button", name="采用到本县")).to_be_visible()
    assert "登记为本县的规则吗" in asked[0]
    assert not Programme.objects.filter(code="provincial-nutrition").exists()

    page.once("dialog", lambda dialog: dialog.accept())
    with page.expect_navigation():
        page.get_by_role("button", name="采用到本县").click()
    expect(page.get_by_role("status")).to_contain_text("已采用“河南省定营养改善计划和生活补助”：新增 1 个项目")
    expect(page.get_by_role("button", name="采用到本县")).to_have_count(0)
    assert faults_of(page, [WIDE, PHONE]) == []
    assert Programme.objects.get(code="provincial-nutrition").standards.count() == 6
