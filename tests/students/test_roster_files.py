"""The template one can fill in, and the list of findings one can hand on: both opened again."""

import io

import pytest
from openpyxl import load_workbook

from documents import xlsx
from students import roster_files, rosters
from students.models import Pupil
from tests.cast import Cast
from tests.students.workbooks import pupil, saved, upload, workbook


def test_template_has_text_cells_drop_downs_and_notes() -> None:
    book = load_workbook(io.BytesIO(roster_files.template()))
    sheet = book["名册"]
    headers = [cell.value for cell in sheet[1]]
    assert headers[:2] == ["姓名*", "身份证件号*"]
    assert {sheet.cell(row, column).number_format for row in (2, 3, 150) for column in range(1, 16)} == {"@"}
    lists = {validation.formula1 for validation in sheet.data_validations.dataValidation}
    assert {'"男,女"', '"寄宿,走读"'} <= lists
    assert any("文本格式" in str(row[1].value) for row in book["填写说明"].iter_rows())


def test_template_filled_in_is_imported_without_its_sample(cast: Cast) -> None:
    book = load_workbook(io.BytesIO(roster_files.template()))
    sheet = book["名册"]
    for column, header in enumerate([cell.value.rstrip("*") for cell in sheet[1]], start=1):
        sheet.cell(3, column).value = pupil(1)[header]
    checked = rosters.check_roster(upload(saved(book)), school=cast.school_a, term=cast.term, by=cast.officer_a)
    rosters.apply_roster(checked, by=cast.officer_a)
    assert Pupil.objects.get().name == pupil(1)["姓名"]
    assert [finding["message"] for finding in checked.findings] == ["第 2 行是示例行，没有读取。"]


def test_template_left_empty_is_refused_with_a_sentence(cast: Cast) -> None:
    with pytest.raises(rosters.ValidationError, match="没有任何学生"):
        rosters.check_roster(upload(roster_files.template()), school=cast.school_a, term=cast.term, by=cast.officer_a)


def test_findings_sheet_names_place_reason_and_remedy(cast: Cast) -> None:
    content = workbook(pupil(1, 姓名="=1+1"), pupil(2, 班级=None), pupil(3))
    checked = rosters.check_roster(upload(content), school=cast.school_a, term=cast.term, by=cast.officer_a)
    (sheet,) = xlsx.read(roster_files.findings_sheet(checked, checked.findings))
    texts = [[cell.text for cell in row.cells] for row in sheet.rows]
    assert texts[3][:5] == ["表", "行", "学生", "列", "结果"]
    assert texts[4][:6] == ["名册", "2", "", "姓名", "不能导入", "=1+1"]
    assert texts[5][:5] == ["名册", "3", pupil(2)["姓名"], "班级", "不能导入"]
    assert all(row[6] and row[7] for row in texts[4:])
