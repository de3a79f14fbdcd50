"""In a real browser: signing in with the keyboard alone, and no page that fails the rules of accessibility."""

import re

import pytest
from playwright.sync_api import expect

from tests.cast import PASSWORD, Cast
from tests.looks import PHONE, WIDE, faults_of

SIZES = [WIDE, PHONE]


def sign_in(page, username: str) -> None:
    page.goto("/login/")
    expect(page.get_by_label("账号")).to_be_focused()
    page.keyboard.type(username)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")


@pytest.mark.parametrize("size", SIZES, ids=["desk", "phone"])
def test_pages_of_the_administrator_are_accessible(transactional_cast: Cast, page, size: dict) -> None:
    page.set_viewport_size(size)
    page.goto("/login/")
    assert faults_of(page, [size]) == []
    sign_in(page, "admin")
    someone = transactional_cast.officer_a.pk
    for address in ("people/", "people/new/", f"people/{someone}/", f"people/{someone}/appoint/principal/", "roles/"):
        page.goto(f"/{address}")
        assert faults_of(page, [size]) == []


@pytest.mark.parametrize("size", SIZES, ids=["desk", "phone"])
def test_audit_trail_and_its_check_are_accessible(transactional_cast: Cast, page, size: dict) -> None:
    page.set_viewport_size(size)
    sign_in(page, "inspector")
    page.goto("/audit/")
    with page.expect_navigation():
        page.get_by_role("button", name="核验是否完整").click()
    expect(page.get_by_text("核验通过")).to_be_visible()
    assert faults_of(page, [size]) == []


def test_faults_of_a_form_are_read_out_and_reached_by_link(transactional_cast: Cast, page) -> None:
    sign_in(page, "admin")
    page.goto("/people/new/")
    with page.expect_navigation():
        page.get_by_role("button", name="开通账号").click()
    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("2 处需要改正")
    expect(page.locator("[data-error-summary]")).to_be_focused()  # by a script, a moment after the page
    assert faults_of(page, [WIDE]) == []
    summary.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile("#id_name$"))


def test_menu_of_the_phone_opens_and_closes_by_key(transactional_cast: Cast, page) -> None:
    page.set_viewport_size(PHONE)
    sign_in(page, "admin")
    page.goto("/roles/")
    page.get_by_label("菜单", exact=True).press("Enter")
    page.get_by_role("navigation", name="主菜单").get_by_text("账号与任职").wait_for()
    page.keyboard.press("Escape")
    expect(page.get_by_role("navigation", name="主菜单")).to_be_hidden()
