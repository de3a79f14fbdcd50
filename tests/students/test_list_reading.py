"""The reader of comparison lists: any workbook gives people or findings, never a traceback and never a guess."""

import contextlib
import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.utils import get_column_letter

from documents import workbooks
from documents.workbooks import WorkbookRefused
from students import fictitious, list_profiles
from students.list_profiles import Layout, Place, layout_of
from students.list_reading import ListReader, Person, read_number

from .list_files import saved

NUMBER = fictitious.id_number(7, born=dt.date(2013, 5, 6), sex="male")
LAYOUT: dict[str, Any] = {
    "sheets": [],
    "header_rows": 1,
    "columns": {
        "id": {"headers": ["身份证号"], "letter": "C"},
        "name": {"headers": ["姓名"]},
        "birth_date": {"headers": ["出生日期"]},
        "household": {"headers": ["户编号"]},
    },
    "flags": {"享受政策": {"headers": ["享受政策"]}},
}


def read(*sheets: list[list[Any]], layout: dict[str, Any] | None = None) -> tuple[list[Person], ListReader]:
    book = Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets, start=1):
        sheet = book.create_sheet(f"表{number}")
        for row in rows:
            sheet.append(row)
    with workbooks.open_workbook(saved(book), workbooks.LIST_BOUNDS) as opened:
        reader = ListReader(opened, layout_of({**LAYOUT, **(layout or {})}))
        return list(reader.people()), reader


@pytest.mark.parametrize(
    "written",
    [
        NUMBER,
        f" {NUMBER} ",
        f"{NUMBER[:6]} {NUMBER[6:14]} {NUMBER[14:]}",
        f"{NUMBER}\t",
        f"\n{NUMBER}\r\n",
        f"G{NUMBER}",
        f"g{NUMBER.lower()}",
        f"'{NUMBER}",
        f"\u3000{NUMBER}\u00a0",
        "".join(chr(ord(c) + 0xFEE0) for c in NUMBER),
    ],
)
def test_an_id_number_is_known_however_it_was_typed(written: str) -> None:
    assert read_number(written).text == NUMBER


@pytest.mark.parametrize(
    ("written", "problem", "born"),
    [
        (None, "", None),
        ("无", "", None),
        ("——", "", None),
        (5.3990120130506e17, "丢失", None),
        (NUMBER[:-1] + ("0" if NUMBER[-1] != "0" else "1"), "校验码", dt.date(2013, 5, 6)),
        (NUMBER[:17], "17 位", None),
        ("110101800101001", "15 位", dt.date(1980, 1, 1)),
        ("539901201313060011", "不是真实的日期", None),
        ("户口未办", "不是 18 位", None),
    ],
)
def test_what_is_no_number_is_said_and_not_guessed(written: Any, problem: str, born: dt.date | None) -> None:
    found = read_number(written)
    assert found.text == ""
    assert problem in found.problem
    assert bool(problem) == bool(found.problem)
    assert found.birth_date == born


def test_titles_above_and_headers_repeated_on_each_printed_page_do_not_matter() -> None:
    people, reader = read(
        [
            ["某县享受政策名单"],
            ["填报单位：", None, "2026年9月"],
            ["序号", "姓 名", "身份证号", "享受政策"],
            [1, "王小草", NUMBER, "享受"],
            ["序号", "姓 名", "身份证号", "享受政策"],
            [2, "李小花", NUMBER, "享受"],
            ["合计", None, None, None],
        ]
    )
    assert [(person.row, person.name) for person in people] == [(4, "王小草"), (6, "李小花")]
    assert reader.findings == []
    assert reader.rows == 2


def test_columns_that_moved_are_found_by_their_headers_and_letters_stand_in_where_none_fits() -> None:
    moved, _ = read([["身份证号", "享受政策", "姓名"], [NUMBER, "享受", "王小草"]])
    assert [(person.number, person.name) for person in moved] == [(NUMBER, "王小草")]
    unnamed, _ = read([["甲", "乙", "丙"], ["王小草", "女", NUMBER]])
    assert [(person.number, person.name) for person in unnamed] == [(NUMBER, "")]


def test_the_sheets_named_are_read_and_a_missing_one_is_told() -> None:
    rows = [["姓名", "x", "身份证号", "享受政策"], ["王小草", None, NUMBER, "享受"]]
    people, _ = read([["说明"]], rows, rows, layout={"sheets": ["2"]})
    assert [person.sheet for person in people] == ["表2"]
    people, _ = read([["说明"]], rows, rows, layout={"sheets": ["表3"]})
    assert [person.sheet for person in people] == ["表3"]
    people, reader = read(rows, layout={"sheets": ["2"]})
    assert [person.sheet for person in people] == ["表1"]
    assert reader.doubts == ["按格式应读第 2 张工作表，文件里没有（共 1 张）。"]


def test_a_sheet_that_does_not_look_as_the_layout_says_is_doubted() -> None:
    rows = [["姓名", "x", "身份证号", "享受政策"], ["王小草", None, NUMBER, "享受"]]
    assert read(rows)[1].doubts == []
    assert read(rows, [["合计", 1]])[1].doubts == [], "the layout names no sheets"
    (doubt,) = read(rows, [["合计", 1]], layout={"sheets": ["1", "2"]})[1].doubts
    assert "没有认出表头" in doubt
    (doubt,) = read(rows, [], layout={"sheets": ["1", "2"]})[1].doubts
    assert "没有找到证件号或姓名的列" in doubt
    (doubt,) = read([row[:3] for row in rows])[1].doubts
    assert "没有找到格式里写的标识列：“享受政策”" in doubt
    (doubt,) = read(rows, layout={"members": ["E", "G"]})[1].doubts
    assert "家庭成员的证件号在 E、G 列" in doubt
    (doubt,) = read([["甲", "乙", "丙", "丁"], rows[1]], layout={"flags": {}})[1].doubts
    assert "没有认出表头" in doubt


def test_a_household_is_opened_into_its_members() -> None:
    number = fictitious.id_number(9, born=dt.date(2015, 1, 2), sex="female")
    layout = {"members": ["E", "G"], "name_offset": -1}
    people, _ = read(
        [
            ["户主姓名", "x", "身份证号", "姓名", "身份证号", "姓名", "身份证号"],
            ["王大山", None, NUMBER, "王小草", f" {number}", None, None],
            ["李大水", None, number, None, None, "李小花", NUMBER],
        ],
        layout=layout | {"columns": {**LAYOUT["columns"], "name": {"headers": ["户主姓名"], "letter": "A"}}},
    )
    assert [(p.row, p.name, p.number == NUMBER, p.household) for p in people] == [
        (2, "王大山", True, "1:2"),
        (2, "王小草", False, "1:2"),
        (3, "李大水", False, "1:3"),
        (3, "李小花", True, "1:3"),
    ]


def test_without_a_number_name_and_birth_date_are_kept_and_a_name_alone_is_told() -> None:
    people, reader = read(
        [
            ["姓名", "出生日期", "身份证号", "享受政策"],
            ["王小草", dt.date(2013, 5, 6), None],
            ["李小花", "2014.3.5", "无"],
            ["张小树", None, None],
            [None, None, "户口未办"],
        ]
    )
    assert [(p.name, p.birth_date) for p in people] == [
        ("王小草", dt.date(2013, 5, 6)),
        ("李小花", dt.date(2014, 3, 5)),
    ]
    assert [(f["row"], f["column"]) for f in reader.findings] == [(4, "C"), (5, "C")]


@pytest.mark.parametrize(
    ("written", "day", "told"),
    [
        (None, None, 0),
        ("——", None, 0),
        ("长期", None, 0),
        (dt.date(2026, 12, 31), dt.date(2026, 12, 31), 0),
        ("2026年12月31日", dt.date(2026, 12, 31), 0),
        (46387, dt.date(2026, 12, 31), 0),  # the day without its format
        ("2026.12", None, 1),
        ("2026年11月", None, 1),
        ("低保取消时", None, 1),
        (7, None, 1),
    ],
)
def test_an_end_that_cannot_be_read_is_told(written: Any, day: dt.date | None, told: int) -> None:
    layout = {"columns": {**LAYOUT["columns"], "valid_to": {"headers": ["截止日期"]}}}
    rows = [["姓名", "享受政策", "身份证号", "截止日期"], ["王小草", "享受", NUMBER, written]]
    (person,), reader = read(rows, layout=layout)
    assert person.valid_to == day
    assert [(f["level"], f["row"], f["column"]) for f in reader.findings] == [("warning", 2, "D")] * told


def test_numbers_of_households_that_have_lost_their_ends_join_nobody() -> None:
    written = [530602000000123456, 530602000000123499, "530602000000123456", "530602000000123456"]
    rows = [["姓名", "享受政策", "身份证号", "户编号"], *(["王小草", "享受", NUMBER, each] for each in written)]
    first, second, third, fourth = (person.household for person in read(rows)[0])
    assert (first, second) == ("", "")
    assert third == fourth != ""


def test_a_file_of_another_kind_is_refused_in_one_sentence() -> None:
    with pytest.raises(WorkbookRefused, match="没有找到"):
        read([["单位", "电话"], ["民政局", "无"]], layout={"columns": {"id": {"headers": ["身份证号"]}}})


def test_a_list_that_was_chosen_wrongly_is_noticed() -> None:
    people, reader = read([["x", "姓名", "身份证号"], *([1, f"王{n}", f"A{n}"] for n in range(12))])
    assert people == []
    assert "很可能选错了名单" in reader.findings[-1]["message"]


CELL = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(dt.date(1901, 1, 1), dt.date(2100, 1, 1)),
    st.sampled_from([NUMBER, f"G{NUMBER}", "姓名", "身份证号", "享受政策", "户编号", "不享受", "无", "合计", "王小草"]),
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Co"]), max_size=30),
)
ROWS = st.lists(st.lists(CELL, max_size=9), max_size=12)


@settings(max_examples=60)
@given(st.lists(ROWS, min_size=1, max_size=3), st.sampled_from([(), ("E", "G")]), st.sampled_from(["", "C", "XFD"]))
def test_any_workbook_gives_people_or_findings(sheets: list, members: tuple, letter: str) -> None:
    columns = LAYOUT["columns"] | {"id": {"headers": ["身份证号"], "letter": letter}}
    try:
        people, reader = read(*sheets, layout={"members": list(members), "name_offset": -1, "columns": columns})
    except WorkbookRefused:
        return
    assert reader.findings_total >= len(reader.findings)
    for person in people:
        assert person.number or (person.name and person.birth_date)
        assert not person.number or read_number(person.number).text == person.number
        assert len(person.name) <= 60
    shown = str([{**finding} for finding in reader.findings]) + str([person.flags for person in people])
    assert NUMBER not in shown


@given(st.integers(0, 16383))
def test_letters_of_columns_there_and_back(index: int) -> None:
    assert Place(letter=get_column_letter(index + 1)).index == index


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
_KEYS = st.sampled_from(["sheets", "header_rows", "columns", "members", "name_offset", "flags"])


@given(st.dictionaries(_KEYS, JSON))
def test_any_stored_layout_is_understood_or_refused_in_words(data: dict[str, Any]) -> None:
    with contextlib.suppress(ValidationError):
        assert isinstance(layout_of(data), Layout)


def test_rules_are_tried_in_order_and_short_words_must_be_the_whole_text() -> None:
    condition = list_profiles.Condition("是否消除", ("是", "已消除"))
    assert condition.holds({"是否消除": "是"})
    assert condition.holds({"是否消除": "风险已消除"})
    assert not condition.holds({"是否消除": "是否待核"})
    assert not condition.holds({})
