"""Somebody at a browser of their own. Every page they come to is looked at as a strict visitor would.

A page must answer 200 (or what the test says it expects), say nothing on the console, ask no other host for
anything, break no security policy, and show no number long enough to be an identity, roll or card number.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Download, Locator, Page, Request, Response, expect

from tests.cast import PASSWORD
from tests.looks import WIDE, long_number
from tests.waiting import SECONDS

from .installation import host_of


class Person:
    """One visitor with an own browser context. What went wrong on the way is in `complaints`."""

    def __init__(self, chromium: Browser, address: str, *, viewport: dict[str, int] = WIDE, **context: Any) -> None:
        self.address = address
        self.context = chromium.new_context(
            locale="zh-CN", timezone_id="Asia/Shanghai", base_url=address, viewport=viewport, **context
        )
        self.context.set_default_timeout(SECONDS * 1000)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.refusals_expected = False
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))
        self.page.on("request", self._watch_request)
        self.page.on("response", self._watch_response)
        self.page.on("dialog", lambda dialog: dialog.accept())

    # --- going about ------------------------------------------------------------------------------

    def sign_in(self, username: str, password: str = PASSWORD) -> "Person":
        self.open("/login/")
        self.page.get_by_label("账号").fill(username)
        self.page.get_by_label("密码").fill(password)
        self.press("登录")
        assert "/login/" not in self.page.url, self.text
        return self

    def open(self, path: str) -> Page:
        self.page.goto(path)
        self.look()
        return self.page

    def press(self, name: str | re.Pattern[str], *, within: Locator | None = None) -> None:
        """Press a button that leads to another page (or this one again)."""
        with self.page.expect_navigation():
            (within or self.page).get_by_role("button", name=name).first.click()
        self.look()

    def follow(self, name: str | re.Pattern[str], *, within: Locator | None = None) -> None:
        with self.page.expect_navigation():
            (within or self.page).get_by_role("link", name=name).first.click()
        self.look()

    def download(self, name: str | re.Pattern[str], to: Path, *, within: Locator | None = None) -> Path:
        """What the link or button of that name hands over, kept as a file."""
        place = within or self.page
        door = place.get_by_role("link", name=name).or_(place.get_by_role("button", name=name)).first
        with self.page.expect_download() as waiting:
            door.click()
        handed: Download = waiting.value
        handed.save_as(to)
        return to

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_label(label).first.fill(text)

    def row(self, text: str) -> Locator:
        """The first row of a table that holds the text."""
        return self.page.get_by_role("row").filter(has_text=text).first

    @property
    def text(self) -> str:
        return self.page.locator("body").inner_text()

    def says(self, text: str) -> None:
        """Assert that the page shows this sentence, now or when its scripts are done."""
        expect(self.page.locator("body")).to_contain_text(text, use_inner_text=True)

    # --- looking ----------------------------------------------------------------------------------

    @contextmanager
    def being_refused(self) -> Iterator[None]:
        """Within this block an answer of 400 and more is what the test is about."""
        self.refusals_expected = True
        try:
            yield
        finally:
            self.refusals_expected = False

    def look(self) -> None:
        """Look at the page as it stands now."""
        self.page.wait_for_load_state("load")
        if found := long_number(self.text):
            self.complaints.append(f"{self.page.url} shows a number of {len(found)} characters")
        assert not self.complaints, self.complaints

    def _hear(self, message: Any) -> None:
        if message.type == "error" and not self.refusals_expected:
            self.complaints.append(f"console: {message.text}")

    def _watch_request(self, request: Request) -> None:
        if not request.url.startswith(("data:", "blob:")) and host_of(request.url) != host_of(self.address):
            self.complaints.append(f"asked another host: {request.url}")

    def _watch_response(self, response: Response) -> None:
        if response.status >= 400 and not self.refusals_expected:
            self.complaints.append(f"{response.status} from {response.url}")

    def leave(self) -> None:
        self.context.close()
        assert not self.complaints, self.complaints
