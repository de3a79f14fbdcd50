"""A page looked at as a strict visitor would: rules of accessibility, its width, and numbers that no page may show."""

import re
from collections.abc import Iterable
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}

# As long as an identity, roll or card number, also as cards are printed, in fours.
_LONG_NUMBER = re.compile(r"\d{15,}|\d{4}(?: \d{4}){3,}")
# A file's hash: among its 64 letters and digits fifteen digits in a row are chance.
_HASH = re.compile(r"\b[0-9a-f]{64}\b")


def long_number(text: str) -> str:
    """The first number in the text that is as long as an identity, roll or card number; "" if there is none."""
    found = _LONG_NUMBER.search(_HASH.sub("", text))
    return found[0] if found else ""


def faults_of(page: Page, sizes: Iterable[Any] = (PHONE, WIDE)) -> list[str]:
    """What the rules of accessibility say, and whether the page is wider than the screen, in each of the sizes."""
    faults = []
    page.evaluate(AXE_SCRIPT)
    for size in sizes:
        page.set_viewport_size(size)
        # Until the page has been drawn in that size: a script of its own then fits the tables.
        page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        for fault in page.evaluate("axe.run({resultTypes: ['violations']}).then(found => found.violations)"):
            targets = "; ".join(str(node["target"]) for node in fault["nodes"][:3])
            faults.append(f"{size['width']} px: {fault['impact']} {fault['id']} ({len(fault['nodes'])}×) {targets}")
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if over > 0:
            faults.append(f"{size['width']} px: {over} px wider than the screen")
    return faults
