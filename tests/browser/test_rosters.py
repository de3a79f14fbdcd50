"""Rosters that take a while, and rosters that need an answer: with a real worker, on desk and phone.

In 清河县, where nobody else's walk counts pupils.
"""

import functools
import re
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Browser

from aidadmin.demo_roster import HEADERS, ClassPlan, rows, workbook
from tests.looks import faults_of

from . import steps
from .installation import Installation
from .person import Person

pytestmark = pytest.mark.slow

SCHOOLS = {"清河县第二初级中学": ("七年级", 2013), "清河县河东小学": ("三年级", 2017)}
CLASSES = 40  # of each school
SIZE = 50


@functools.cache
def county_roster() -> bytes:
    """4,000 pupils of two schools in one file."""
    pupils = []
    for number, (school, (grade, born)) in enumerate(SCHOOLS.items()):
        plans = [ClassPlan(grade, f"{grade}{each}班", SIZE, born) for each in range(1, CLASSES + 1)]
        pupils += [
            {**pupil, "学校名称": school} for pupil in rows(plans, first_serial=10_000 + number * 5_000, seed=number)
        ]
    return workbook(pupils, headers=("学校名称", *HEADERS))


def school_roster(first_serial: int, **other_names: str) -> bytes:
    """Three pupils of the junior school, some columns under names nobody knows."""
    pupils = rows([ClassPlan("七年级", "七年级1班", 3, 2013)], first_serial=first_serial)
    headers = tuple(other_names.get(header, header) for header in HEADERS)
    return workbook(
        [{other_names.get(header, header): row[header] for header in HEADERS} for row in pupils], headers=headers
    )


# --- which column is which ------------------------------------------------------------------------


def test_an_unknown_header_is_asked_about_once_and_answered_by_keyboard(people: Callable[..., Person]) -> None:
    officer = people("officer_q")
    steps.send_roster(officer, school_roster(20_000, 身份证件号="学籍卡证号", 班级="所在行政班"))
    officer.says("哪一列是“身份证件号”？")
    assert faults_of(officer.page) == []
    officer.page.get_by_role("group", name=re.compile("身份证件号")).get_by_role("radio").first.focus()
    officer.page.keyboard.press("Space")
    officer.page.keyboard.press("Tab")
    chosen = officer.page.get_by_role("group", name=re.compile("“班级”"))
    for _ in HEADERS:
        if chosen.get_by_label(re.compile("所在行政班")).is_checked():
            break
        officer.page.keyboard.press("ArrowDown")
    with officer.page.expect_navigation():
        officer.page.keyboard.press("Enter")
    officer.look()
    officer.press("导入 3 人")
    officer.says("已导入：新增 3 人")

    steps.send_roster(officer, school_roster(20_010, 身份证件号="学籍卡证号", 班级="所在行政班"))
    officer.says("预检完成")
    officer.press("放弃")


def test_answers_left_out_are_asked_again(people: Callable[..., Person]) -> None:
    officer = people("officer_q")
    steps.send_roster(officer, school_roster(20_020, 身份证件号="某某编号"))
    officer.press("记住并继续预检")
    officer.says("请选出哪一列是“身份证件号”")
    officer.press("都不对，放弃这个文件")
    officer.says("已放弃这份名册")


# --- a large file ---------------------------------------------------------------------------------


def send_large(clerk: Person) -> None:
    clerk.open("/rosters/new/")
    clerk.page.get_by_label(re.compile("^学校")).select_option(label="清河县（全县各校在一个文件里）")
    file = {"name": "全县名册.xlsx", "mimeType": steps.XLSX, "buffer": county_roster()}
    clerk.page.get_by_label("名册文件").set_input_files(file)  # type: ignore[arg-type]
    clerk.press("上传并预检")
    clerk.says("可以离开这一页")


def test_a_large_roster_shows_how_far_it_is_and_comes_in(people: Callable[..., Person], county: Installation) -> None:
    clerk = people("clerk_q")
    before = county.count("students_pupil")
    with county.worker_held():
        send_large(clerk)
        assert faults_of(clerk.page) == []
        key = clerk.page.url.rstrip("/").rpartition("/")[2]
        county.tell_progress(key, "与登记的信息比对", 1000, 2 * CLASSES * SIZE)
        clerk.says("已处理 1,000 / 4,000 行，25%")
        assert faults_of(clerk.page) == []
    clerk.page.get_by_text("预检完成").wait_for()  # the page turns by itself
    clerk.look()
    assert steps.shown_counts(clerk)["新增"] == 2 * CLASSES * SIZE
    assert county.count("students_pupil") == before
    clerk.press("导入 4,000 人")
    clerk.page.get_by_text(re.compile("覃经办于.*导入")).wait_for()
    clerk.look()
    assert county.count("students_pupil") == before + 2 * CLASSES * SIZE


def test_a_large_roster_is_cancelled_and_nothing_of_it_stays(
    people: Callable[..., Person], county: Installation
) -> None:
    clerk = people("clerk_q")
    before = county.count("students_pupil")
    with county.worker_held():
        send_large(clerk)
        clerk.press("取消预检")
    clerk.says("已取消")
    clerk.says("学生名册没有改动")
    assert county.count("students_pupil") == before


def test_without_script_the_page_turns_by_itself(browser: Browser, county: Installation) -> None:
    visitor = Person(browser, county.address, java_script_enabled=False).sign_in("clerk_q")
    with county.worker_held():
        send_large(visitor)
    visitor.page.get_by_text("预检完成").wait_for()
    visitor.look()
    visitor.press("放弃")
    visitor.leave()


# --- the file again, marked -----------------------------------------------------------------------


def test_the_marked_file_is_mended_and_only_the_rest_comes_in(people: Callable[..., Person], papers: Path) -> None:
    officer = people("officer_q")
    pupils = rows([ClassPlan("七年级", "七年级9班", 4, 2013)], first_serial=21_000)
    wrong = {**pupils[1], "就读方式": "住几天"}
    steps.send_roster(officer, workbook([pupils[0], wrong, *pupils[2:]]))
    officer.press("导入 3 人")
    officer.says("还有 1 行没有导入")
    marked = officer.download("下载标记好的原文件", papers / "标记.xlsx")
    book = openpyxl.load_workbook(marked)
    for cell in [cell for row in book["学生名册"].iter_rows() for cell in row if cell.value == "住几天"]:
        cell.value = "住校"
    book.save(papers / "改好.xlsx")
    steps.send_roster(officer, (papers / "改好.xlsx").read_bytes())
    counts = steps.shown_counts(officer)
    assert (counts["新增"], counts["无变化"], counts["有误"]) == (1, 3, 0)
    officer.press("导入 1 人")
    officer.says("名册已齐")
