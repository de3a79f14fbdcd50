"""The template one can fill in: for one school, and for all schools of the county in one file."""

import datetime as dt
import io

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from students import roster_files
from students.models import Category
from tests.cast import Cast


def opened(content: bytes) -> tuple[Worksheet, dict[str, str], dict[str, int]]:
    """The sheet to fill in, the formula of each drop-down by header, and each header's column."""
    book = load_workbook(io.BytesIO(content))
    sheet = book["名册"]
    headers = {str(cell.value): cell.column for cell in sheet[1]}
    by_letter = {cell.column_letter: str(cell.value) for cell in sheet[1]}
    lists = {}
    for validation in sheet.data_validations.dataValidation:
        lists[by_letter[str(validation.sqref).rstrip("0123456789").split("2:")[0]]] = validation.formula1
    return sheet, lists, headers


def words_of(content: bytes, formula: str) -> list[str]:
    """What a drop-down offers: written into the formula, or on the hidden sheet."""
    if formula.startswith('"'):
        return formula.strip('"').split(",")
    book = load_workbook(io.BytesIO(content))
    name, _, area = formula.rpartition("!")
    assert book[name.strip("'")].sheet_state == "hidden"
    return [str(row[0].value) for row in book[name.strip("'")][area.replace("$", "")]]


def test_template_has_text_cells_and_notes(cast: Cast) -> None:
    content = roster_files.template(cast.school_a)
    sheet, _, headers = opened(content)
    assert list(headers)[:2] == ["姓名*", "身份证件号*"]
    columns = range(1, len(headers) + 1)
    assert {sheet.cell(row, column).number_format for row in (2, 3, 150) for column in columns} == {"@"}
    assert {sheet.column_dimensions[cell.column_letter].number_format for cell in sheet[1]} == {"@"}  # and below
    notes = load_workbook(io.BytesIO(content))["填写说明"]
    assert any("文本格式" in str(row[1].value) for row in notes.iter_rows())
    assert any(roster_files.VERSION in str(row[1].value) for row in notes.iter_rows())


def test_template_of_a_school_offers_its_own_classes_and_grades(cast: Cast) -> None:
    content = roster_files.template(cast.school_a)
    _, lists, headers = opened(content)
    assert "学校名称*" not in headers
    assert words_of(content, lists["班级*"]) == ["七年级1班", "七年级2班"]
    assert words_of(content, lists["年级"]) == ["七年级", "八年级", "九年级"]
    assert words_of(content, lists["就读方式*"]) == ["寄宿", "走读", "半寄宿"]


def test_template_offers_the_kinds_of_hardship_in_force_today(cast: Cast) -> None:
    ended = Category.objects.first()
    assert ended
    Category.objects.filter(pk=ended.pk).update(valid_to=dt.date(2026, 10, 11))
    content = roster_files.template(cast.school_a)
    offered = words_of(content, opened(content)[1]["困难类别"])
    assert ended.name not in offered
    assert set(offered) <= set(Category.objects.values_list("name", flat=True))
    assert "农村低保" in offered


def test_template_of_the_county_has_a_school_column_whose_choice_decides_the_classes(cast: Cast) -> None:
    content = roster_files.template(cast.county)
    sheet, lists, headers = opened(content)
    assert next(iter(headers)) == "学校名称*"
    assert words_of(content, lists["学校名称*"]) == [cast.school_a.name, cast.school_b.name]
    assert "$A2" in lists["班级*"]
    hidden = load_workbook(io.BytesIO(content))["选项"]
    pairs = {(row[0].value, row[1].value) for row in hidden.iter_rows(max_col=2)}
    assert {(cast.school_a.name, "七年级2班"), (cast.school_b.name, "三年级1班")} <= pairs
    assert sheet.cell(2, 1).value == cast.school_a.name


def test_hidden_words_are_read_by_no_import(cast: Cast) -> None:
    book = load_workbook(io.BytesIO(roster_files.template(cast.county)))
    assert [sheet.title for sheet in book if sheet.sheet_state == "visible"] == ["名册", "填写说明"]


@pytest.mark.parametrize("who", ["school_a", "county"])
def test_template_is_the_same_bytes_each_time(cast: Cast, who: str) -> None:
    unit = getattr(cast, who)
    assert roster_files.template(unit) == roster_files.template(unit)
