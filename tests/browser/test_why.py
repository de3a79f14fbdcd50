"""In a real browser: why each child gets what they get, and the ways in which facts come into the register."""

import re
from decimal import Decimal

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from students.models import SchoolClass
from subsidies import pack_loading, programmes, reference
from subsidies.models import Programme, Standard
from tests import cast as casting
from tests.looks import PHONE, WIDE, faults_of

pytestmark = pytest.mark.slow


@pytest.fixture
def county(transactional_db: None, moving_clock: None) -> casting.Cast:
    county = casting.gather()
    pack_loading.load(reference.national())
    return county


def sign_in(page: Page, username: str) -> None:
    page.goto("/login/")
    page.get_by_label("账号").fill(username)
    page.get_by_label("密码").fill(casting.PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def sound(page: Page) -> None:
    assert faults_of(page, [WIDE, PHONE]) == []


def test_a_pupils_page_tells_every_programme_and_leads_to_what_is_missing(county: casting.Cast, page: Page) -> None:
    bare = casting.enrol(county, county.class_a1, name="无登记", kinds=())
    sign_in(page, "teacher_a1")
    page.goto(reverse("pupil", args=[bare.pupil_id]))
    section = page.locator("section", has=page.get_by_role("heading", name="能享受什么、为什么"))
    expect(section).to_contain_text("没有登记有效的困难类别")
    sound(page)
    with page.expect_navigation():
        section.get_by_role("link", name="登记困难类别").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("困难类别")

    page.goto(reverse("pupil", args=[bare.pupil_id]))
    with page.expect_navigation():
        page.get_by_role("link", name=re.compile("登记.*户口性质和户籍所在地")).click()
    page.get_by_label("农村（含县镇）").check()
    page.get_by_label("户籍所在地行政区划代码").fill("530103")
    sound(page)
    with page.expect_navigation():
        page.get_by_role("button", name="下一步：看影响").click()
    sound(page)
    with page.expect_navigation():
        page.get_by_role("button", name="登记户口变化").click()
    expect(page.get_by_role("status")).to_contain_text("户口变化")
    sound(page)


def test_the_application_and_the_class_page_say_why(county: casting.Cast, page: Page) -> None:
    round_ = casting.open_round(county)
    first, second = (casting.enrol(county, county.class_a1, name=name) for name in ("甲生", "乙生"))
    casting.enrol(county, county.class_a1, name="丙生", kinds=())
    (row,) = casting.submitted(county, round_, first)
    sign_in(page, "teacher_a1")
    page.goto(reverse("class_file", args=[round_.pk, county.class_a1.pk]))
    page.get_by_text("金额依据：乙生").first.click()
    expect(page.get_by_text("每学期750.00元").first).to_be_visible()
    sound(page)
    casting.change_boarding(second, "day", by=county.teacher_a1)
    programmes.add_standard(
        Standard(
            programme=Programme.objects.get(code="living-aid"),
            conditions={"stage": ["junior"], "boarding": ["boarding"]},
            amount=Decimal("800.00"),
            document="云教〔2026〕20号",
            first_term=county.term.key,
        ),
        county=county.county,
        by=county.clerk,
    )
    page.goto(reverse("application", args=[row.pk]))
    expect(page.get_by_text("与提交时不同")).to_be_visible()
    sound(page)


def test_a_class_is_corrected_after_a_look_at_what_it_does(county: casting.Cast, page: Page) -> None:
    round_ = casting.open_round(county)
    casting.submitted(county, round_, casting.enrol(county, county.class_a1, name="甲生"))
    sign_in(page, "officer_a")
    page.goto("/schools/")
    sound(page)
    with page.expect_navigation():
        page.get_by_role("link", name="2 个班，云岭县第一初级中学").click()
    sound(page)
    with page.expect_navigation():
        page.get_by_role("link", name=re.compile("更正.*七年级1班")).click()
    page.get_by_label("年级").select_option("junior:八年级")
    sound(page)
    with page.expect_navigation():
        page.get_by_role("button", name="下一步：看影响").click()
    expect(page.get_by_text("金额都不变")).to_be_visible()
    sound(page)
    with page.expect_navigation():
        page.get_by_role("button", name="保存更正").click()
    expect(page.get_by_role("status")).to_contain_text("已更正")
    assert SchoolClass.objects.get(unit=county.class_a1).grade == "八年级"


def test_time_in_school_is_ruled_on_one_page(county: casting.Cast, page: Page) -> None:
    sign_in(page, "clerk")
    page.goto("/programmes/")
    with page.expect_navigation():
        page.get_by_role("link", name="在校时间").click()
    sound(page)
    page.get_by_label("满半个月计一个月，不足半个月不计").check()
    page.get_by_label("依据（文件名称和文号）").fill("云教〔2026〕8号")
    with page.expect_navigation():
        page.get_by_role("button", name="登记计算办法").click()
    expect(page.get_by_role("status")).to_contain_text("已登记")
    sound(page)
