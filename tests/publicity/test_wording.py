"""What a notice must not say: whatever is typed, in whatever grouping or width."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publicity.wording import phone_refusal, refusal

BORN = dt.date(2013, 5, 6)
NUMBERS = [
    "530399201305061234",
    "53039920130506123X",
    "5303 9920 1305 0612 34",
    "530399-20130506-1234",
    "５３０３９９２０１３０５０６１２３４",
    "G530399201305061234",
    "6228480402564890018",
    "6228 4804 0256 4890 018",
    "13812345678",
    "138 1234 5678",
    "138-1234-5678",
]
DATES = ["2013年5月6日", "2013-05-06", "2013/5/6", "2013.05.06", "20130506", "２０１３年５月６日"]
WORDS = ["低保户", "残疾学生", "孤儿", "特困供养", "建档立卡", "脱贫户", "烈士子女", "突发严重困难户", "事实无人抚养"]
HOMES = ["家庭住址：城关镇", "下河村3组12号", "3栋2单元501室", "监护人张建国", "学籍号后四位"]
ALLOWED = [
    "云岭县第一初级中学2026—2027学年秋季学期义务教育家庭经济困难学生生活补助拟受助学生名单公示",
    "根据教财〔2018〕16号《关于做好家庭经济困难学生认定工作的指导意见》，经个人申请、班级评议、学校评审，予以公示。",
    "公示期：2026-10-13 2026-10-19，联系电话 0871-65123456、0870-2123456",
    "2026年10月12日",
    "教学楼1号门厅公示栏",
    "财政部2024年5月7日下达城乡义务教育补助经费",
]


@pytest.mark.parametrize("text", [*NUMBERS, *DATES, *WORDS, *HOMES])
def test_private_things_are_refused_wherever_they_stand(text):
    assert refusal(f"前面的话，{text}，后面的话。", birth_dates={BORN})
    assert refusal(text, birth_dates={BORN})


@pytest.mark.parametrize("text", ALLOWED)
def test_the_usual_words_of_a_notice_pass(text):
    assert refusal(text, birth_dates={BORN}) == ""


def test_the_refusal_names_the_word():
    assert refusal("含低保学生") == "公示中不能出现“低保”这类涉及家庭情况或个人隐私的内容，请删去。"


def test_a_date_is_only_private_when_a_pupil_was_born_on_it():
    assert refusal("2013年5月6日", birth_dates={dt.date(2013, 5, 7)}) == ""


def test_a_school_may_sign_with_its_own_name():
    assert refusal("云岭县残疾儿童学校拟受助名单", own_names=["云岭县残疾儿童学校"]) == ""
    assert refusal("云岭县残疾儿童学校残疾学生名单", own_names=["云岭县残疾儿童学校"])


@pytest.mark.parametrize(
    "text",
    ["0870-2123456", "（0870）2123456转8001", "0870-2123456、0870-2654321", "13812345678", "400-800-1234", "12345"],
)
def test_public_telephone_numbers_pass(text):
    assert phone_refusal(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "张老师",
        "0870-2123456 张老师",
        "530399201305061234",
        "6228 4804 0256 4890 018",
        "0870-2123456 6228480402564890018",
        "0870-2123456 2013-05-06",
        "------",
        "0870-2123456\n低保",
    ],
)
def test_anything_else_is_no_telephone_number(text):
    assert phone_refusal(text)


def test_a_birthday_has_the_shape_of_a_number_and_is_refused():
    assert phone_refusal("20130506", birth_dates={BORN})


@given(st.text(max_size=80))
def test_any_text_gets_an_answer(text):
    assert isinstance(refusal(text, birth_dates={BORN}), str)
    assert isinstance(phone_refusal(text), str)
