"""In a real browser: fractions are tried as they are typed, and the key for "done" records them."""

import pytest
from playwright.sync_api import Page, expect

from subsidies.models import FundShare
from tests import cast as casting
from tests.looks import PHONE, WIDE, faults_of

from .steps import sign_in

pytestmark = pytest.mark.slow


def test_fractions_are_tried_while_they_are_typed(cast_county: casting.Cast, page: Page) -> None:
    sign_in(page, "clerk")
    page.goto("/programmes/living-aid/shares/add/")
    example = page.locator("#example")
    expect(example).to_contain_text("填写份额后")
    page.get_by_label("按中央分档填入").select_option("全国，各省一致，中央 50%")
    with page.expect_navigation():
        page.get_by_role("button", name="填入").click()
    expect(page.get_by_label("中央", exact=True)).to_have_value("5/10")
    expect(example).to_contain_text("还差 50%")
    page.get_by_label("省级").press_sequentially("5/10×8/10")
    expect(example).to_contain_text("还差 10%")
    page.get_by_label("县（区）级").press_sequentially("5/10×2/10")
    expect(example).to_contain_text("中央 50%、省级 40%、县（区）级 10%（5:4:1）")
    expect(example).to_contain_text("625.00 元 = 中央 312.50 + 省级 250.00 + 县（区）级 62.50")
    expect(page.get_by_label("县（区）级")).to_be_focused()  # what is typed in stays where it is
    assert faults_of(page, [WIDE, PHONE]) == []

    page.get_by_label("适用学校").select_option("公办学校")
    page.get_by_label("执行学期").select_option("2026-2027-1")
    page.get_by_label("文件名称和文号").fill("×财教〔2026〕9号")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("#shares")).to_contain_text("5:4:1")
    assert faults_of(page, [WIDE, PHONE]) == []
    assert FundShare.objects.get(schools="public").levels == {"centre": "1/2", "province": "2/5", "county": "1/10"}
