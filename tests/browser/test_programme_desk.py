"""In a real browser: a clerk makes a programme from nothing and is led on to the round; a category comes and goes."""

import re

import pytest
from playwright.sync_api import Page, expect

from subsidies.models import AcceptedCategory, Programme
from tests import cast as casting
from tests.looks import PHONE, WIDE, faults_of

pytestmark = pytest.mark.slow


@pytest.fixture
def county(transactional_db: None, moving_clock: None) -> casting.Cast:
    return casting.gather()


def sign_in(page: Page, username: str) -> None:
    page.goto("/login/")
    page.get_by_label("账号").fill(username)
    page.get_by_label("密码").fill(casting.PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def press(page: Page, name: str, kind: str = "button") -> None:
    with page.expect_navigation():
        page.get_by_role(kind, name=name, exact=True).first.click()


def test_a_programme_is_made_and_one_is_led_on_to_the_round(county: casting.Cast, page: Page) -> None:
    casting.enrol(county, county.class_a1, name="张一", kinds=("orphan",))
    sign_in(page, "clerk")
    page.goto("/programmes/")
    press(page, "新增项目", "link")
    assert faults_of(page, [PHONE, WIDE]) == []
    page.get_by_label("项目名称").fill("云岭县初中校服补助")
    page.get_by_role("checkbox", name="初中").check()
    page.get_by_label("政策依据").fill("云教〔2026〕8号")
    page.get_by_role("radio", name="属于所列困难类别的学生", exact=True).check()
    page.get_by_role("checkbox", name="现金").check()
    press(page, "新增项目")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("使用财政资金，不能以现金发放")
    assert faults_of(page, [PHONE, WIDE]) == []
    page.get_by_role("checkbox", name="现金").uncheck()
    page.get_by_role("checkbox", name="银行卡或社会保障卡").check()
    press(page, "新增项目")
    expect(page.get_by_role("heading", name="开启批次前还要登记")).to_be_visible()
    assert faults_of(page, [PHONE, WIDE]) == []

    press(page, "登记标准", "link")
    page.get_by_label("金额（元/学期）").fill("300")
    page.get_by_label("文件名称和文号").fill("云教〔2026〕8号")
    page.get_by_label("执行学期").select_option("2026-2027-1")
    press(page, "看看会影响哪些学生")
    press(page, "登记新标准")
    press(page, "登记资助范围", "link")
    page.get_by_label("困难类别").select_option("孤儿")
    page.get_by_label("执行学期").select_option("2026-2027-1")
    page.get_by_label("文件名称和文号").fill("云教〔2026〕8号")
    press(page, "看看会影响哪些学生")
    expect(page.get_by_text("有 1 名学生的金额会变化，合计每学期 +300.00 元")).to_be_visible()
    assert faults_of(page, [PHONE, WIDE]) == []
    press(page, "列入资助范围")
    press(page, "登记评审和公示规则", "link")
    page.get_by_role("spinbutton", name=re.compile("^公示天数")).fill("7")
    page.get_by_label("执行学期").select_option("2026-2027-1")
    page.get_by_label("文件名称和文号").fill("云教〔2026〕8号")
    assert faults_of(page, [PHONE, WIDE]) == []
    press(page, "登记规则")
    expect(page.get_by_role("status")).to_contain_text("公示7个工作日")
    expect(page.get_by_text("开启批次前还要登记")).to_have_count(0)
    assert faults_of(page, [PHONE, WIDE]) == []
    assert Programme.objects.get(name="云岭县初中校服补助").code == "ylxczxfbz"

    press(page, "停用项目", "link")
    page.get_by_label("原因和依据").fill("登记错了")
    assert faults_of(page, [PHONE, WIDE]) == []
    press(page, "停用项目")
    expect(page.get_by_text("这个项目已停用，不能开启批次")).to_be_visible()


def test_a_kind_of_hardship_is_recorded_and_accepted(county: casting.Cast, page: Page) -> None:
    sign_in(page, "clerk")
    page.goto("/categories/")
    page.get_by_text("已失效的类别").click()
    assert faults_of(page, [PHONE, WIDE]) == []
    press(page, "登记困难类别", "link")
    page.locator("#id_name").fill("一户多残家庭")
    page.get_by_label("从哪天起").fill("2026-10-12")
    page.get_by_label("文件名称和文号").fill("云民〔2026〕3号")
    assert faults_of(page, [PHONE, WIDE]) == []
    press(page, "登记")
    expect(page.get_by_role("status")).to_contain_text("已登记困难类别“一户多残家庭”")
    page.goto("/programmes/living-aid/grounds/add/")
    page.get_by_label("困难类别").select_option("一户多残家庭")
    page.get_by_label("文件名称和文号").fill("云教〔2026〕8号")
    press(page, "看看会影响哪些学生")
    press(page, "列入资助范围")
    page.locator("#grounds summary").first.click()
    assert faults_of(page, [PHONE, WIDE]) == []
    row = AcceptedCategory.objects.get(category_code="yhdcjt")
    page.goto(f"/programmes/living-aid/grounds/{row.pk}/end/")
    assert faults_of(page, [PHONE, WIDE]) == []
    page.goto("/categories/")
    page.get_by_role("row", name="一户多残家庭").get_by_role("link", name="登记失效").click()
    expect(page.get_by_role("heading", name="登记失效：一户多残家庭")).to_be_visible()
    assert faults_of(page, [PHONE, WIDE]) == []
