"""A roster with the usual faults, from the upload to the signed sheet.

Nothing is lost (every row is counted), nothing is guessed (what is not sure is not imported), every fault is
named with its place, reason and cure; the good rows go on to a sheet on which rare characters are printed.
"""

import datetime as dt
import io
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest

from students import fictitious

from . import paper, steps
from .installation import Installation
from .person import Person
from .two_counties import FIRST_DAY

pytestmark = pytest.mark.slow

SCHOOL, SHEET = "平川县实验初级中学", "七年级名册"
BORN = dt.date(2013, 5, 6)
HEAD = (
    *("姓名", "身份证件号", "年级", "班级", "就读方式", "监护人姓名", "与学生关系", "联系电话"),
    *("开户银行", "银行账号", "户名", "户主与学生关系", "困难类别", "证明名称和编号"),
)
BOARDER, DAY_PUPIL = Decimal("750.00"), Decimal("375.00")

Row = dict[str, object]
_given: list[int] = []


def new_id() -> str:
    _given.append(40_003 + 2 * len(_given))
    return fictitious.id_number(_given[-1], born=BORN, sex="male")


def row(name: str, **cells: object) -> Row:
    """A row without a fault but for the cells given (named by the beginning of their header)."""
    number = new_id()
    plain = {
        "姓名": name,
        "身份证件号": number,
        "年级": "七年级",
        "班级": "1班",
        "就读方式": "住校",
        "监护人姓名": "监护人",
        "与学生关系": "父亲",
        "联系电话": fictitious.phone_number(_given[-1]),
        "开户银行": "平川县农村信用合作联社",
        "银行账号": fictitious.card_number(_given[-1]),
        "户名": "监护人",
        "户主与学生关系": "父亲",
        "困难类别": "农村低保",
        "证明名称和编号": f"低保证〔2026〕{_given[-1]}号",
    }
    return plain | cells


def spaced(number: str) -> str:
    return " ".join((number[:6], number[6:14], number[14:])) + "\t"


def full_width(number: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) for letter in number)


def wrong_check_digit(number: str) -> str:
    return number[:17] + ("0" if number[17] != "0" else "1")


ENDS_IN_X = next(
    number
    for serial in range(41_000, 41_100)
    if (number := fictitious.id_number(serial, born=BORN, sex="male"))[-1] == "X"
)
TWICE, SAME = new_id(), new_id()
COPIED = row("重复生", 身份证件号=SAME)

# Rows that are read, with the name the register must then hold. Rows are numbered as Excel does, from 2.
GOOD: list[tuple[Row, str]] = [
    (row("王小龙"), "王小龙"),
    (row("李空格", 身份证件号=spaced(new_id())), "李空格"),
    (row("赵小写", 身份证件号=ENDS_IN_X.lower()), "赵小写"),
    (row("钱全角", 身份证件号=full_width(new_id())), "钱全角"),
    (row("龚䶮", 就读方式="走读"), "龚䶮"),
    (row("张𬎆"), "张𬎆"),
    (row("买买提·阿不都"), "买买提·阿不都"),
    (row("阿依古丽•买买提"), "阿依古丽·买买提"),  # the bullet of one keyboard is the middle dot of the papers
    (row("周　末"), "周末"),  # a name stretched to three
    (COPIED, "重复生"),  # its copy below is refused
]


@dataclass(frozen=True)
class Fault:
    """A row that is not read: in which column it is named, by which words."""

    cells: Row
    column: str
    words: str


FAULTS: list[Fault] = [
    Fault(row("号成数字", 身份证件号=539900201305060010), "身份证件号", "数字格式"),
    Fault(row("卡成数字", 银行账号=6299000000000400019), "银行账号", "数字格式"),
    Fault(row("校验错", 身份证件号=wrong_check_digit(new_id())), "身份证件号", "校验码"),
    Fault(row("少一位", 身份证件号=new_id()[:17]), "身份证件号", "17 位"),
    Fault(row("老号码", 身份证件号="539900130506001"), "身份证件号", "15 位"),
    Fault(row("无班级", 班级=""), "班级", "没有班级"),
    Fault(row("两个人甲", 身份证件号=TWICE), "身份证件号", "同一个证件号"),
    Fault(row("两个人乙", 身份证件号=TWICE), "身份证件号", "同一个证件号"),
    Fault(dict(COPIED), "身份证件号", "重复"),
    Fault(row("=CONCATENATE(1,2)"), "姓名", "公式"),
    Fault(row("龚?"), "姓名", "生僻字"),
    Fault(row("说不清", 就读方式="看情况"), "就读方式", "看不懂"),
    Fault(row("老师的卡", 户名="某老师", 户主与学生关系="班主任"), "户主与学生关系", "不能发到教师"),
    Fault(row("别的年级", 年级="三年级"), "年级", "没有这个年级"),
    Fault(row(""), "姓名", "没有姓名"),
]
FIRST_FAULT = 2 + len(GOOD)


def workbook(rows: list[Row]) -> bytes:
    book = openpyxl.Workbook()
    book.active.title = SHEET
    book.active.append(list(HEAD))
    for each in rows:
        book.active.append([each[title] for title in HEAD])
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


ROSTER = workbook([cells for cells, _ in GOOD] + [fault.cells for fault in FAULTS])


# --- what is found --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def imported(people: Callable[..., Person], county: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The roster checked, its findings fetched, its good rows imported. The list of findings as a file."""
    county.set_day(FIRST_DAY)
    officer = people("officer_p")
    steps.send_roster(officer, ROSTER)
    counts = steps.shown_counts(officer)
    assert counts["总行数"] == len(GOOD) + len(FAULTS)
    assert counts["新增"] == len(GOOD)
    assert counts["有误"] == len(FAULTS)
    each_fault_is_named(officer)
    findings = officer.download("下载问题清单", tmp_path_factory.mktemp("findings") / "问题清单.xlsx")
    officer.press(f"导入 {len(GOOD)} 人")
    officer.says(f"已导入：新增 {len(GOOD)} 人")
    return findings


def each_fault_is_named(officer: Person) -> None:
    """On the page: sheet and row, column, reason, and what to do about it."""
    shown = officer.page.get_by_role("row").all_inner_texts()
    for number, fault in enumerate(FAULTS, start=FIRST_FAULT):
        lines = [text for text in shown if re.search(rf"{SHEET}\s*第 {number} 行", text)]
        hits = [text for text in lines if "不能导入" in text and fault.column in text and fault.words in text]
        assert hits, (number, fault.column, fault.words, lines)


def test_the_list_to_take_away_names_every_fault(imported: Path) -> None:
    sheet = openpyxl.load_workbook(imported).active
    rows = [[str(cell or "") for cell in each] for each in sheet.iter_rows(values_only=True)]
    head = next(each for each in rows if "原因" in each)
    place, number, column, result, reason, cure = (
        head.index(title) for title in ("表", "行", "列", "结果", "原因", "怎么改")
    )
    for wanted, fault in enumerate(FAULTS, start=FIRST_FAULT):
        hits = [
            each
            for each in rows
            if (each[place], each[number], each[column]) == (SHEET, str(wanted), fault.column)
            and each[result] == "不能导入"
            and fault.words in each[reason]
        ]
        assert hits, (wanted, fault.column, fault.words)
        assert all(each[cure] for each in hits)
    assert not re.search(r"\d{15}", "".join("".join(each) for each in rows))


def test_only_whole_rows_came_in_and_names_as_they_are_written(imported: Path, county: Installation) -> None:
    names = county.ask(
        "SELECT p.name FROM students_pupil p JOIN students_enrolment e ON e.pupil_id = p.id"
        " JOIN accounts_unit u ON u.id = e.school_id WHERE u.name = ?",
        SCHOOL,
    )
    assert sorted(name for (name,) in names) == sorted(name for _, name in GOOD)


def test_the_register_shows_them_with_masked_numbers(imported: Path, people: Callable[..., Person]) -> None:
    officer = people("officer_p")
    officer.open("/pupils/")
    for _, name in GOOD:
        officer.says(name)
    lower = officer.row("赵小写").inner_text()
    assert re.search(r"\*+\s*\S*X", lower)  # the letter as the papers have it
    assert "539900201305060010" not in officer.text


def test_the_same_file_again_changes_nothing_and_doubles_nobody(imported: Path, people: Callable[..., Person]) -> None:
    officer = people("officer_p")
    steps.send_roster(officer, ROSTER)
    counts = steps.shown_counts(officer)
    assert (counts["新增"], counts["变更"], counts["无变化"]) == (0, 0, len(GOOD))
    assert counts["有误"] == len(FAULTS)
    officer.press("放弃")


# --- the good rows go on --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sheet(imported: Path, people: Callable[..., Person], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The signing copy of the good rows, made the long way."""
    officer = people("officer_p")
    steps.open_round(people("clerk_p"), "平川县", closes_on="2026-10-30")
    assert steps.file_class(people("teacher_p")) == len(GOOD)
    steps.hold_meeting(people("grade_head_p"), "待班级评议.*七年级1班", members=5)
    steps.hold_meeting(officer, "待学校评审", members=10)
    steps.decide(people("principal_p"), "待校长确认", "提交校长确认结论")
    notice = steps.publish_notice(officer)
    while officer.page.get_by_role("button", name="结束公示").count() == 0:
        steps.let_a_working_day_pass(officer)
        officer.open(notice)
    officer.press("结束公示")
    steps.report(officer)
    steps.decide(people("clerk_p"), f"待县级审核.*{SCHOOL}", "提交县级审核结论")
    steps.decide(people("head_p"), f"待县级审批.*{SCHOOL}", "提交县级审批结论")
    steps.make_batch(people("clerk_p2"))
    return steps.fetch_sheet(officer, SCHOOL, tmp_path_factory.mktemp("sheet"))[0]


def test_everybody_is_on_the_paper_with_the_right_amount(sheet: Path) -> None:
    text = paper.text(sheet)
    amounts = {name: DAY_PUPIL if cells["就读方式"] == "走读" else BOARDER for cells, name in GOOD}
    for name, amount in amounts.items():
        line = next(line for line in text.splitlines() if name in line)
        assert f"{amount:.2f}" in line
    assert f"{sum(amounts.values()):,.2f}" in text


@pytest.mark.parametrize("name", ["龚䶮", "张𬎆", "买买提·阿不都", "阿依古丽·买买提"])
def test_rare_characters_are_printed_and_are_no_boxes(sheet: Path, name: str) -> None:
    assert paper.likeness(sheet, name) > 0.6
    assert paper.likeness_of_boxes(name) < 0.35


def test_every_font_on_the_paper_comes_with_it(sheet: Path) -> None:
    told = subprocess.run(["pdffonts", str(sheet)], capture_output=True, text=True, check=True).stdout
    fonts = told.splitlines()[2:]
    assert fonts
    assert all(re.search(r"\byes\s+yes\s+yes\b", font) for font in fonts), told  # embedded, subset, readable as text
