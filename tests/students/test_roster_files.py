"""The template filled in and sent in; the list of findings one can hand on, opened again."""

import io

import pytest
from openpyxl import load_workbook

from documents import workbooks
from students import roster_files, rosters
from students.models import Pupil
from tests.cast import Cast
from tests.documents import books
from tests.students.workbooks import pupil, saved, upload, workbook

KIND = {"困难类别": "农村低保", "证明名称和编号": "低保证〔2026〕1号"}


def filled(template: bytes, *rows: dict) -> bytes:
    """The template with these rows under its sample."""
    book = load_workbook(io.BytesIO(template))
    sheet = book["名册"]
    headers = [str(cell.value).rstrip("*") for cell in sheet[1]]
    for number, row in enumerate(rows, start=3):
        for column, header in enumerate(headers, start=1):
            sheet.cell(number, column).value = row[header]
    return saved(book)


def test_template_filled_in_is_imported_without_its_sample(cast: Cast) -> None:
    """Filled in with everything it offers, a kind of hardship too."""
    checked = rosters.check_roster(
        upload(filled(roster_files.template(cast.school_a), {**pupil(1), **KIND})),
        unit=cast.school_a,
        term=cast.term,
        by=cast.officer_a,
    )
    rosters.apply_roster(checked, by=cast.officer_a)
    assert Pupil.objects.get().circumstances.get().category.name == "农村低保"
    assert [finding.message for finding in checked.findings.all()] == ["第 2 行是示例行，没有读取。"]


def test_template_of_the_county_brings_in_two_schools(cast: Cast) -> None:
    first = {**pupil(1), **KIND, "学校名称": cast.school_a.name}
    second = {**pupil(2, 年级="三年级"), **KIND, "学校名称": cast.school_b.name}
    content = filled(roster_files.template(cast.county), first, second)
    checked = rosters.check_roster(upload(content), unit=cast.county, term=cast.term, by=cast.clerk)
    rosters.apply_roster(checked, by=cast.clerk)
    schools = Pupil.objects.order_by("enrolments__school__path").values_list("enrolments__school__name", flat=True)
    assert list(schools) == [cast.school_a.name, cast.school_b.name]


def test_template_left_empty_is_refused_with_a_sentence(cast: Cast) -> None:
    with pytest.raises(rosters.ValidationError, match="没有任何学生"):
        rosters.check_roster(
            upload(roster_files.template(cast.school_a)), unit=cast.school_a, term=cast.term, by=cast.officer_a
        )


def test_findings_sheet_names_place_reason_and_remedy(cast: Cast) -> None:
    content = workbook(pupil(1, 姓名="=1+1"), pupil(2, 班级=None), pupil(3))
    checked = rosters.check_roster(upload(content), unit=cast.school_a, term=cast.term, by=cast.officer_a)
    found = books.rows(roster_files.findings_sheet(checked, checked.findings.all(), reader=cast.officer_a))
    texts = [[workbooks.text_of(value) for value in row] for row in found.values()]
    assert texts[3][:5] == ["表", "行", "学生", "列", "结果"]
    assert texts[4][:6] == ["名册", "2", "", "姓名", "不能导入", "=1+1"]
    assert texts[5][:5] == ["名册", "3", pupil(2)["姓名"], "班级", "不能导入"]
    assert all(row[6] and row[7] for row in texts[4:])
