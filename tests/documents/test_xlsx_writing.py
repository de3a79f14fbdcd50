"""Workbooks handed out: text stays text, amounts are numbers, and the same content is the same file."""

import datetime as dt
import io
import zipfile
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from documents import xlsx
from tests.documents import books

COLUMNS = [
    xlsx.Column("姓名", 14),
    xlsx.Column("学籍号", 22),
    xlsx.Column("金额", 12, "amount"),
    xlsx.Column("日期", 12, "date"),
]
ROW = ["王䶮", "G530102201501011234", Decimal("312.50"), dt.date(2026, 3, 5)]


def plan(*rows, **more):
    return xlsx.WorksheetPlan("发放表", COLUMNS, rows or [ROW], **more)


def opened(content):
    return load_workbook(io.BytesIO(content)).active


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x")', "＝1", "\t=1"])
def test_text_that_looks_like_a_formula_stays_text(text):
    cell = opened(xlsx.write([plan([text, "1", None, None])]))["A2"]
    assert (cell.data_type, cell.value, cell.number_format) == ("s", text, "@")


def test_amounts_are_numbers_with_two_places_and_long_numbers_are_text():
    sheet = opened(xlsx.write([plan()]))
    assert (sheet["C2"].value, sheet["C2"].data_type, sheet["C2"].number_format) == (312.5, "n", "0.00")
    assert (sheet["B2"].value, sheet["B2"].data_type) == ("G530102201501011234", "s")
    assert sheet["D2"].value.date() == dt.date(2026, 3, 5)


def test_the_sheet_is_ready_to_print():
    sheet = opened(
        xlsx.write([plan(title="花名册", above=["学校：城关中学"], frozen_columns=1, footer="发放〔2026〕1号")])
    )
    assert sheet.freeze_panes == "B4"
    assert sheet.print_title_rows == "$3:$3"
    assert (sheet.page_setup.orientation, int(sheet.page_setup.paperSize)) == ("landscape", 9)
    assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (1, 0)
    assert sheet.oddFooter.center.text == "第 &P 页　共 &N 页"
    assert sheet.column_dimensions["B"].width == 22
    assert [str(found) for found in sheet.merged_cells.ranges] == ["A1:D1", "A2:D2"]


def test_the_same_content_gives_the_same_bytes_whenever_it_is_written(time_machine):
    time_machine.move_to("2026-03-05")
    first = xlsx.write([plan()])
    time_machine.move_to("2027-09-01")
    assert xlsx.write([plan()]) == first


def test_the_file_names_no_author_and_no_time():
    package = zipfile.ZipFile(io.BytesIO(xlsx.write([plan()], keywords="23456789ABCDEFGH")))
    core = package.read("docProps/core.xml").decode()
    assert "23456789ABCDEFGH" in core
    assert "creator" not in core
    assert "20" not in core.split("<cp:keywords>")[1].replace("23456789ABCDEFGH", "")
    assert {part.date_time for part in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_characters_excel_cannot_hold_are_dropped_and_names_of_sheets_are_made_fit():
    content = xlsx.write([xlsx.WorksheetPlan("a/b[c]:" + "长" * 40, [xlsx.Column("x")], [["王\x00\x0b明"]])])
    assert load_workbook(io.BytesIO(content)).sheetnames == ["a·b·c··" + "长" * 24]
    assert books.rows(content)[2] == ["王明"]


def test_a_row_of_the_wrong_length_is_an_error():
    with pytest.raises(ValueError, match="3 values for 4 columns"):
        xlsx.write([plan(["a", "b", None])])


def test_drop_downs_of_many_words_lie_on_a_hidden_sheet():
    words = tuple(f"第{number}小学，本部" for number in range(60))
    columns = [xlsx.Column("学校", choices=words), xlsx.Column("性别", choices=("男", "女"))]
    book = load_workbook(io.BytesIO(xlsx.write([xlsx.WorksheetPlan("名册", columns, [["", ""]])])))
    first, second = (validation.formula1 for validation in book["名册"].data_validations.dataValidation)
    assert (first, second) == ("'选项'!$A$1:$A$60", '"男,女"')
    assert book["选项"].sheet_state == "hidden"
    assert tuple(row[0].value for row in book["选项"].iter_rows()) == words


def test_a_word_with_a_comma_stays_one_word():
    columns = [xlsx.Column("学校", choices=("一中,初中部", "一中,高中部"))]
    book = load_workbook(io.BytesIO(xlsx.write([xlsx.WorksheetPlan("名册", columns, [[""]])])))
    assert [row[0].value for row in book["选项"].iter_rows()] == ["一中,初中部", "一中,高中部"]


def test_a_drop_down_may_depend_on_another_cell_of_the_row():
    by_school = {"一小": ("1班", "2班"), "二小": ("3班",)}
    columns = [xlsx.Column("学校"), xlsx.Column("班级", choices_by=("学校", by_school))]
    book = load_workbook(io.BytesIO(xlsx.write([xlsx.WorksheetPlan("名册", columns, [["", ""]])])))
    (validation,) = book["名册"].data_validations.dataValidation
    assert "MATCH($A2," in validation.formula1
    pairs = [tuple(cell.value for cell in row) for row in book["选项"].iter_rows()]
    assert pairs == [("一小", "1班"), ("一小", "2班"), ("二小", "3班")]
