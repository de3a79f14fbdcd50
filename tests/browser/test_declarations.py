"""The application form at the browser: filled in on a phone without scripts, printed, and back with a signature."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from accounts import clock
from subsidies import declarations
from subsidies.models import Declaration, SignedForm
from tests import cast as casting
from tests.looks import PHONE, faults_of

from .person import Person
from .test_photographs import photo, photograph

pytestmark = pytest.mark.slow


@pytest.fixture
def teacher(browser: Browser, cast_county: casting.Cast, live_server: object) -> Iterator[Person]:
    """The class teacher of a class of two, on a phone whose browser runs no scripts."""
    for name in ("张小明", "张小芳"):
        casting.enrol(cast_county, cast_county.class_a1, name=name)
    casting.open_round(cast_county)
    address = live_server.url  # type: ignore[attr-defined]
    visitor = Person(browser, address, viewport=PHONE, java_script_enabled=False, has_touch=True)
    yield visitor.sign_in("teacher_a1")
    visitor.leave()
    assert not visitor.complaints


def test_a_family_s_form_goes_home_and_comes_back_signed(teacher: Person, tmp_path: Path) -> None:
    teacher.open("/rounds/")
    teacher.follow(re.compile("生活补助"))
    teacher.follow(re.compile("^申请表"))
    teacher.says("2 人中 0 人已填写")
    blank = teacher.download("一份空白表", tmp_path / "blank.pdf")
    assert blank.read_bytes().startswith(b"%PDF")

    teacher.follow(re.compile("填写.*张小明"))
    teacher.page.get_by_label("第 1 名成员年龄").fill("41")
    teacher.page.get_by_label("第 1 名成员年收入").fill("24000")
    teacher.fill("家庭人口", "1")
    teacher.fill("详细通讯地址", "云岭县白石镇三家村")
    teacher.fill("申请理由", "父亲一人务工。")
    teacher.press("保存申请表")
    teacher.says("列出了 2 口人")
    expect(teacher.page.get_by_label("第 1 名成员年收入")).to_have_value("24000")
    teacher.fill("家庭人口", "2")
    teacher.press("保存申请表")
    teacher.says("已保存第 1 版")
    held = Declaration.objects.get()
    assert declarations.answers_of(held).income_per_head == 12_000

    printed = teacher.download(re.compile("打印.*生活补助申请表"), tmp_path / "form.pdf")
    assert printed.read_bytes().startswith(b"%PDF")
    teacher.follow(re.compile("^上传签字页"))
    teacher.says(held.mark)
    teacher.page.get_by_role("radio", name="监护人", exact=True).check(force=True)
    teacher.fill("签字日期", clock.today().isoformat())
    teacher.page.locator("input[name=file]").last.set_input_files([photo("IMG_0001.jpg", photograph())])
    teacher.press("存入签字页")
    teacher.says("已存入张小明")
    teacher.says("看扫描件")
    assert SignedForm.objects.get().declaration == held

    teacher.page.go_back()  # to the form for the scan, and sent again: a second scan, never a second version
    assert Declaration.objects.count() == 1


def test_every_page_of_the_form_is_accessible_and_fits_desk_and_phone(
    browser: Browser, cast_county: casting.Cast, live_server: object
) -> None:
    place = casting.enrol(cast_county, cast_county.class_a1)
    round_ = casting.open_round(cast_county)
    held = declarations.declare(place, casting.answers(), based_on=0, reason="", by=cast_county.teacher_a1)
    rule = declarations.rule_of(round_.programme, round_.term)
    assert rule
    visitor = Person(browser, live_server.url).sign_in("teacher_a1")  # type: ignore[attr-defined]
    own = f"/pupils/{place.pupil_id}/declaration/"
    faults = {}
    for address in (
        own,
        f"{own}edit/",
        f"/declarations/{held.pk}/{rule.pk}/signed/",
        f"/rounds/{round_.pk}/classes/{place.school_class_id}/forms/",
        "/programmes/forms/",
    ):
        visitor.open(address)
        faults[address] = faults_of(visitor.page)
    visitor.open(f"{own}edit/")
    visitor.press("保存申请表")  # without the reason of a change: nothing has changed, so nothing is asked
    visitor.says("没有改动，仍是第 1 版")
    visitor.leave()
    assert not {address: found for address, found in faults.items() if found}
