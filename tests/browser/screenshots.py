"""The pictures of the manual, taken of the demo county: `python -m tests.browser.screenshots DIRECTORY`.

Starts the demo in a temporary directory, visits seven pages as the person whose page it is, and writes
DIRECTORY/home.png … verify.png.
"""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import django
from playwright.sync_api import Browser, sync_playwright

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

from aidadmin.demo import PASSWORD, SAMPLE_ROSTER  # noqa: E402 - needs the settings
from tests.looks import PHONE, WIDE  # noqa: E402

from .installation import Installation, running  # noqa: E402
from .person import Person  # noqa: E402


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aid-pictures-")))
        demo = stack.enter_context(running(place / "demo"))
        driver = stack.enter_context(sync_playwright())
        chromium = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        take(chromium, demo, directory)
        chromium.close()


def take(chromium: Browser, demo: Installation, directory: Path) -> None:
    def visitor(username: str) -> Person:
        return Person(chromium, demo.address, viewport=WIDE).sign_in(username, PASSWORD)

    def keep(person: Person, name: str) -> None:
        person.page.screenshot(path=directory / f"{name}.png")

    way: dict[str, tuple[str, Callable[[Person], None]]] = {
        "home": ("jingban", lambda person: None),
        "filing": ("ban71", lambda person: person.follow(re.compile("本班还没有填报"))),
        "review": ("chuzhong", lambda person: person.follow(re.compile("待班级评议"))),
        "notice": ("chuzhong", _to_the_notice),
        "batch": ("jingban", _to_the_batch),
        "roster": ("xiaoxue", lambda person: _to_the_roster(person, demo)),
    }
    for name, (username, go) in way.items():
        person = visitor(username)
        person.open("/")
        go(person)
        keep(person, name)
        person.leave()
    _verify_on_a_phone(chromium, demo, visitor("jingban"), directory)


def _to_the_notice(person: Person) -> None:
    person.open("/notices/")
    person.follow(re.compile("拟受助学生名单公示"))


def _to_the_roster(person: Person, demo: Installation) -> None:
    person.open("/rosters/new/")
    person.page.get_by_label("名册文件").set_input_files(demo.data / SAMPLE_ROSTER)
    person.press("上传并预检")


def _to_the_batch(person: Person) -> None:
    person.open("/batches/")
    person.follow(re.compile("^FF-"))


def _verify_on_a_phone(chromium: Browser, demo: Installation, clerk: Person, directory: Path) -> None:
    """What a parent sees who holds a telephone to the square on the sheet."""
    _to_the_batch(clerk)
    clerk.follow(re.compile("幼儿园|中学"))
    code = clerk.page.get_by_role("link", name=re.compile("^[2-9A-Z]{16}$")).inner_text()
    clerk.leave()
    parent = Person(chromium, demo.address, viewport=PHONE, device_scale_factor=2)
    parent.open(f"/verify/{code}/")
    parent.page.screenshot(path=directory / "verify.png")
    parent.leave()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.browser.screenshots DIRECTORY")
    main(Path(sys.argv[1]))
