"""A file for each trap that rosters come with: it is read as it is meant, or the row says what to do."""

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from openpyxl import Workbook

from documents import marking
from students import rosters
from students.models import Enrolment, Pupil, School
from tests.cast import Cast
from tests.documents.books import through_libreoffice
from tests.students.workbooks import HEADERS, pupil, saved, workbook

WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def outcome(cast: Cast, content: bytes) -> rosters.Outcome:
    return rosters.import_roster(content, unit=cast.school_a, term=cast.term, by=cast.officer_a, dry_run=False)


def taken(cast: Cast, content: bytes) -> rosters.Outcome:
    """Every row was good, and nothing was said but notes."""
    found = outcome(cast, content)
    assert [(f.row, f.column, f.message) for f in found.findings if f.level != "note"] == []
    assert found.new == found.total > 0
    return found


def sheet_of(book: Workbook, *rows: list[Any]) -> Any:
    sheet = book.active
    for row in rows:
        sheet.append(row)
    return sheet


def values(serial: int, **changes: Any) -> list[Any]:
    row = pupil(serial, **changes)
    return [row.get(header) for header in HEADERS]


def test_full_width_digits(cast: Cast) -> None:
    row = pupil(1)
    changes = {name: row[name].translate(WIDE) for name in ("身份证件号", "全国学籍号", "联系电话", "银行账号")}
    taken(cast, workbook({**row, **changes, "班级": "（１）班"}))
    assert Enrolment.objects.get().school_class == cast.class_a1


@pytest.mark.parametrize("text", ["1.1E+17", "5.399E+17", "5.39900201403e+17"])
def test_scientific_notation_is_refused_and_not_repaired(cast: Cast, text: str) -> None:
    (finding,) = outcome(cast, workbook(pupil(1, 身份证件号=text))).findings
    assert "科学计数法" in finding.message


@pytest.mark.parametrize("column", ["身份证件号", "全国学籍号", "银行账号"])
def test_number_cell_has_lost_its_end(cast: Cast, column: str) -> None:
    number = int("".join(c for c in pupil(2)[column] if c.isdigit()))
    (finding,) = outcome(cast, workbook(pupil(2, **{column: number}))).findings
    assert (finding.column, finding.level) == (column, "error")
    assert "末几位已经丢失" in finding.message


@pytest.mark.parametrize("blank", [" ", "\t", "\n", "\u00a0", "\u3000", "\u200b", "'"])
def test_blanks_tabs_and_line_ends_inside_numbers(cast: Cast, blank: str) -> None:
    row = pupil(1)
    number = row["身份证件号"]
    changes = {"身份证件号": f"{blank}{number[:6]}{blank}{number[6:]}{blank}", "银行账号": f"{row['银行账号']}{blank}"}
    taken(cast, workbook({**row, **changes}))


def test_leading_g_before_the_id(cast: Cast) -> None:
    taken(cast, workbook(pupil(1, 身份证件号=f"G{pupil(1)['身份证件号']}")))


@pytest.mark.parametrize(
    "born",
    [
        *("2014-03-05", "2014/3/5", "2014.3.5", "2014年3月5日", "20140305", 20140305, 41703),
        *(dt.date(2014, 3, 5), dt.datetime(2014, 3, 5, 12)),
    ],
)
def test_dates_as_text_number_and_date(cast: Cast, born: Any) -> None:
    taken(cast, workbook(pupil(1, 出生日期=born), headers=(*HEADERS, "出生日期")))
    assert Pupil.objects.get().birth_date == dt.date(2014, 3, 5)


def test_merged_class_column(cast: Cast) -> None:
    book = Workbook()
    sheet = sheet_of(book, list(HEADERS), values(1), *[values(n, 班级=None) for n in (2, 3)], values(4, 班级="2班"))
    column = HEADERS.index("班级") + 1
    sheet.merge_cells(start_row=2, end_row=4, start_column=column, end_column=column)
    taken(cast, saved(book))
    assert Enrolment.objects.filter(school_class=cast.class_a1).count() == 3


def test_two_header_lines_under_merged_titles(cast: Cast) -> None:
    book = Workbook()
    upper = [*HEADERS[:8], "监护人信息", None, None, "银行账户", None, None, None]
    lower = [*[None] * 8, "姓名", "关系", "电话", "开户行", "账号", "姓名", "关系"]
    sheet = sheet_of(book, ["云岭县第一初级中学学生花名册"], upper, lower, values(1), values(2))
    sheet.merge_cells(start_row=1, end_row=1, start_column=1, end_column=15)
    for column in range(1, 9):
        sheet.merge_cells(start_row=2, end_row=3, start_column=column, end_column=column)
    sheet.merge_cells(start_row=2, end_row=2, start_column=9, end_column=11)
    sheet.merge_cells(start_row=2, end_row=2, start_column=12, end_column=15)
    taken(cast, saved(book))
    child = Pupil.objects.get(name=pupil(1)["姓名"])
    assert (child.guardian_name, child.guardian_relation) == ("陈大乙", "父亲")
    assert child.accounts.get().holder == "陈大乙"


def test_sample_total_and_repeated_header_rows(cast: Cast) -> None:
    book = Workbook()
    sheet_of(
        book, ["花名册"], list(HEADERS), values(9, 姓名="（示例）张小明"), values(1), list(HEADERS), values(2),
        ["合计", "2 人"], ["填表人：陈专干"],
    )  # fmt: skip
    found = taken(cast, saved(book))
    assert [(f.level, f.message) for f in found.findings] == [
        ("note", "第 3 行是示例行，没有读取。"),
        ("note", "第 5 行是又一行表头，没有读取。"),
        ("note", "第 7 行是合计或说明行，没有读取。"),
        ("note", "第 8 行是合计或说明行，没有读取。"),
    ]
    assert found.total == 2


def test_data_not_on_the_first_sheet_and_hidden_sheets_aside(cast: Cast) -> None:
    book = Workbook()
    sheet_of(book, ["填表说明"], ["请各校认真填写"]).title = "封面"
    data = book.create_sheet("名单")
    for row in (list(HEADERS), values(1)):
        data.append(row)
    old = book.create_sheet("去年")
    for row in (list(HEADERS), values(2)):
        old.append(row)
    old.sheet_state = "hidden"
    found = taken(cast, saved(book))
    assert found.total == 1
    assert [f.message for f in found.findings] == [
        "隐藏的工作表“去年”没有读取。其中的学生也要导入的，请取消隐藏，保存后重新上传。",
        "没有读取这些工作表：“封面”，里面没有姓名和身份证件号两列。",
    ]


def test_roster_on_a_hidden_sheet_alone_is_refused_with_the_way_out(cast: Cast) -> None:
    book = Workbook()
    sheet_of(book, ["说明"]).title = "封面"
    hidden = book.create_sheet("花名册")
    for row in (list(HEADERS), values(1)):
        hidden.append(row)
    hidden.sheet_state = "hidden"
    with pytest.raises(ValidationError, match=r"隐藏的工作表“花名册”里.*取消隐藏"):
        outcome(cast, saved(book))


def test_one_sheet_for_each_class(cast: Cast) -> None:
    book = Workbook()
    columns = [header for header in HEADERS if header not in ("年级", "班级")]
    for name, title, serial in (("七1班", "花名册", 1), ("Sheet2", "七年级（2）班学生名单", 2)):
        sheet = book.create_sheet(name)
        for row in ([title], columns, [pupil(serial)[header] for header in columns]):
            sheet.append(row)
    found = taken(cast, saved(book))
    assert set(Enrolment.objects.values_list("class_name", flat=True)) == {"七年级1班", "七年级2班"}
    assert {f.sheet: f.message[-8:] for f in found.findings} == {"七1班": "“七年级1班”。", "Sheet2": "“七年级2班”。"}
    for name, title in (("七1班", "Sheet1"), ("Sheet2", "Sheet2")):
        book[name]["A1"], book[name].title = "学生名单", title
    with pytest.raises(ValidationError, match=r"Sheet1.*看不出是几年级几班。请加一列“班级”"):
        outcome(cast, saved(book))


def test_heading_in_the_middle_of_the_table(cast: Cast) -> None:
    book = Workbook()
    sheet_of(book, list(HEADERS), values(1), ["七年级1班（续）"], list(HEADERS), values(2), [None, None, None, "1"])
    found = taken(cast, saved(book))
    assert found.findings[-1].message == "第 3、6 行只有一个格子有内容，像是小标题，没有读取。"
    (alone, *_) = outcome(cast, workbook({"姓名": "陈甲一"})).findings
    assert (alone.level, alone.row) == ("error", 2)  # a pupil of whom everything is missing is no heading


def test_short_grade_in_a_school_of_one_stage(cast: Cast) -> None:
    found = taken(cast, workbook(pupil(1, 年级=7), pupil(2, 年级="一"), pupil(3, 年级="2026级")))
    assert set(Enrolment.objects.values_list("grade", flat=True)) == {"七年级"}
    (note,) = found.findings
    assert "“2026级”读作“七年级”" in note.message
    School.objects.filter(unit=cast.school_a).update(stages=["primary", "junior"])
    (finding,) = outcome(cast, workbook(pupil(4, 年级="7"))).findings
    assert "不止一个学段" in finding.message


def test_field_names_and_codes_of_the_roll_system(cast: Cast) -> None:
    headers = ("xm", "sfzjh", "grbsm", "xbm", "mzm", "njmc", "bjmc", "jdfsm", "sfzjlxm", "xxbsm", "hkxzm", "bnxh")
    row = pupil(1)
    coded = {
        **{"xm": row["姓名"], "sfzjh": row["身份证件号"], "grbsm": row["全国学籍号"], "xbm": "1", "mzm": "15"},
        **{"njmc": "初一", "bjmc": "七年级1班", "jdfsm": "2", "sfzjlxm": "1", "xxbsm": "5353990001", "bnxh": "7"},
    }
    found = taken(cast, workbook(coded, headers=headers))
    child = Pupil.objects.get()
    assert (child.ethnicity, child.enrolments.get().boarding) == ("土家族", "boarding")
    assert [f.message for f in found.findings] == ["没有读取这些列：hkxzm、bnxh。"]


def test_kind_of_pupil_is_boarding_when_the_values_say_so(cast: Cast) -> None:
    headers = tuple("学生类别" if header == "就读方式" else header for header in HEADERS)
    taken(cast, workbook({**pupil(1), "学生类别": "寄宿生"}, {**pupil(2), "学生类别": "走读生"}, headers=headers))
    assert set(Enrolment.objects.values_list("boarding", flat=True)) == {"boarding", "day"}


def test_our_own_marked_workbook_comes_back(cast: Cast) -> None:
    book = Workbook()
    sheet_of(book, [*HEADERS, marking.REASON_HEADER], [*values(1), "这一行没有问题"])
    summary = book.create_sheet(marking.SUMMARY_SHEET)
    for row in (["名册检查结果"], ["工作表", "行", "列", "学生"], ["名册", 2, "姓名", "陈乙一"]):
        summary.append(row)
    assert taken(cast, saved(book)).findings == []


def test_sheet_of_theirs_may_be_called_like_ours(cast: Cast) -> None:
    book = Workbook()
    sheet_of(book, list(HEADERS), values(1)).title = marking.SUMMARY_SHEET
    assert taken(cast, saved(book)).total == 1


def test_formula_without_a_result_in_a_merged_area_beyond_the_table(cast: Cast) -> None:
    book = Workbook()
    sheet = sheet_of(book, list(HEADERS), values(1), values(2), values(3))
    beyond = len(HEADERS) + 2
    sheet.cell(2, beyond, "=A1")
    sheet.merge_cells(start_row=2, end_row=4, start_column=beyond, end_column=beyond)
    assert taken(cast, saved(book)).total == 3


def test_excel_97_file_made_by_libreoffice(cast: Cast) -> None:
    content = workbook(pupil(1), pupil(2, 身份证件号=f" {pupil(2)['身份证件号']}\t"), above=("花名册", "2026年10月"))
    (made,) = through_libreoffice("xls", roster_xlsx=content).values()
    assert made.startswith(b"\xd0\xcf\x11\xe0")
    assert taken(cast, made).total == 2


def test_excel_file_made_by_libreoffice(cast: Cast) -> None:
    (made,) = through_libreoffice("xlsx", roster_xlsx=workbook(*[pupil(n) for n in range(1, 30)])).values()
    assert taken(cast, made).total == 29


@pytest.mark.parametrize("mark", ["#N/A", "#REF!", "#VALUE!"])
def test_error_value_of_a_formula_is_named(cast: Cast, mark: str) -> None:
    (finding,) = outcome(cast, workbook(pupil(1, 班级=mark))).findings
    assert "错误值" in finding.message
