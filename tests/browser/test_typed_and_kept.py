"""What was typed into a form is given up only when it arrives: the line is up and the same person is signed in."""

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from subsidies.models import Meeting
from tests import cast as casting
from tests.looks import PHONE, WIDE, faults_of

from .test_class_desk import sign_in

pytestmark = pytest.mark.slow

WORDS = "学习了资助政策，逐人评议，全体同意。"


@pytest.fixture
def meeting(cast_county: casting.Cast, page: Page) -> Page:
    """The minutes of a class meeting, typed in and not sent yet."""
    round_ = casting.open_round(cast_county)
    names = ("赵同学", "钱同学", "孙同学")
    places = [casting.enrol(cast_county, cast_county.class_a1, name=name, kinds=("dibao_rural",)) for name in names]
    casting.submitted(cast_county, round_, *places)
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, "grade_head_a")
    page.goto(reverse("class_review", args=[round_.pk, cast_county.class_a1.pk]))
    page.get_by_label("地点").fill("三楼会议室")
    page.get_by_label("主持人").fill("王老师")
    page.get_by_label("会议记录").fill(WORDS)
    for number in range(1, 6):
        page.get_by_label(f"第 {number} 位成员的姓名").fill(f"成员{'甲乙丙丁戊'[number - 1]}")
        page.get_by_label(f"第 {number} 位成员的类别").select_option(index=1)
    return page


def press(page: Page) -> None:
    page.get_by_role("button", name="保存会议记录和结论").click()


def still_typed(page: Page, sentence: str) -> None:
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    expect(page.get_by_label("会议记录")).to_have_value(WORDS)
    assert faults_of(page, [WIDE, PHONE]) == []
    assert not Meeting.objects.exists()


def goes(page: Page) -> None:
    with page.expect_navigation():
        press(page)
    expect(page.get_by_role("status").first).to_contain_text("会议已记录")
    assert Meeting.objects.get().minutes == WORDS


def test_who_was_signed_out_signs_in_elsewhere_and_sends_again(meeting: Page) -> None:
    meeting.context.clear_cookies(name="sessionid")
    press(meeting)
    still_typed(meeting, "登录已过期，没有提交。填的内容都还在这一页")
    other = sign_in(meeting.context.new_page(), "grade_head_a")
    other.close()
    goes(meeting)


def test_nothing_is_sent_in_the_name_of_somebody_else(meeting: Page) -> None:
    meeting.context.clear_cookies()
    other = sign_in(meeting.context.new_page(), "officer_a")
    press(meeting)
    still_typed(meeting, "现在登录的是另一个账号，没有提交")
    other.get_by_role("button", name="退出").first.click()
    sign_in(other, "grade_head_a")
    goes(meeting)


def test_without_a_line_nothing_is_lost(meeting: Page) -> None:
    meeting.context.set_offline(True)
    press(meeting)
    still_typed(meeting, "连不上系统，没有提交")
    meeting.context.set_offline(False)
    goes(meeting)


def test_what_is_asked_is_asked_once(meeting: Page) -> None:
    """A question before sending is not put again when the sign-in was looked at."""
    asked: list[str] = []
    meeting.on("dialog", lambda dialog: asked.append(dialog.message))
    meeting.locator("form[data-guard]").evaluate("form => form.setAttribute('data-confirm', '确定？')")
    goes(meeting)
    assert asked == ["确定？"]
