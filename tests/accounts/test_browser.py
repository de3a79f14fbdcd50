"""In a real browser: signing in with the keyboard alone, and no page that fails the rules of accessibility."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.cast import PASSWORD, Cast

SIZES = [{"width": 1440, "height": 900}, {"width": 390, "height": 844}]


def sign_in(page, username: str) -> None:
    page.goto("/login/")
    page.keyboard.type(username)  # the field has the focus already
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def faults(page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{page.url} {fault['id']}: {node['target']}" for fault in found for node in fault["nodes"]]


def sticks_out(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


@pytest.mark.parametrize("size", SIZES, ids=["desk", "phone"])
def test_pages_of_the_administrator_are_accessible(transactional_cast: Cast, page, size: dict) -> None:
    page.set_viewport_size(size)
    page.goto("/login/")
    assert faults(page) == []
    sign_in(page, "admin")
    someone = transactional_cast.officer_a.pk
    for address in ("people/", "people/new/", f"people/{someone}/", f"people/{someone}/appoint/principal/", "roles/"):
        page.goto(f"/{address}")
        assert faults(page) == []
        assert not sticks_out(page), address


@pytest.mark.parametrize("size", SIZES, ids=["desk", "phone"])
def test_audit_trail_and_its_check_are_accessible(transactional_cast: Cast, page, size: dict) -> None:
    page.set_viewport_size(size)
    sign_in(page, "inspector")
    page.goto("/audit/")
    page.get_by_role("button", name="核验是否完整").click()
    page.get_by_text("核验通过").wait_for()
    assert faults(page) == []
    assert not sticks_out(page)


def test_faults_of_a_form_are_read_out_and_reached_by_link(transactional_cast: Cast, page) -> None:
    sign_in(page, "admin")
    page.goto("/people/new/")
    page.get_by_role("button", name="开通账号").click()
    summary = page.get_by_role("alert")
    assert "2 处需要改正" in summary.inner_text()
    expect(page.locator("[data-error-summary]")).to_be_focused()  # by a script, a moment after the page
    assert faults(page) == []
    summary.get_by_role("link").first.click()
    assert page.url.endswith("#id_name")


def test_menu_of_the_phone_opens_and_closes_by_key(transactional_cast: Cast, page) -> None:
    page.set_viewport_size(SIZES[1])
    sign_in(page, "admin")
    page.goto("/roles/")
    page.get_by_label("菜单", exact=True).press("Enter")
    page.get_by_role("navigation", name="主菜单").get_by_text("账号与任职").wait_for()
    page.keyboard.press("Escape")
    assert not page.get_by_role("navigation", name="主菜单").is_visible()
