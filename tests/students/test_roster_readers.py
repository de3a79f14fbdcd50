"""The quick reader and the thorough one make the same of every row; and any workbook gives rows or findings."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.workbooks import SheetInfo
from students import columns, roster_rows
from students.roster_rows import Findings, RosterRow
from tests.students.workbooks import HEADERS, pupil

ON = dt.date(2026, 10, 12)
MORE = ("证件类型", "出生日期", "是否寄宿", "学校名称", "学校标识码", "困难类别", "证明名称和编号")
ALL = (*HEADERS, *MORE)
GOOD = pupil(1, 出生日期="2014-03-05", 学校名称="云岭县第一初级中学", 学校标识码="5353990001")

# What people write into each column, right and wrong.
WRITTEN: dict[str, list[Any]] = {
    "姓名": ["张　三", "示例学生", "阿依古丽•买买提", "李", "张3", None, " 王五 ", "䶮龑", "x" * 70],
    "身份证件号": [
        f" {GOOD['身份证件号']}", f"G{GOOD['身份证件号']}", GOOD["身份证件号"][:17] + "z", "1.1E+17", 5.399e17, None,
        GOOD["身份证件号"].translate({code: code + 0xFEE0 for code in range(48, 58)}), pupil(2)["身份证件号"],
        "110101194912310021", "539900201413050019", " 53990020140305001", "E1234567", pupil(11)["身份证件号"].lower(),
        *[f"{GOOD['身份证件号'][:n]}{blank}{GOOD['身份证件号'][n:17]}" for n in (1, 6, 14, 15, 17) for blank in " \t"],
        "530102 20140311002",
    ],
    "全国学籍号": [None, "G123", "L539900201403050001", pupil(2)["全国学籍号"], 1.0, f" {GOOD['全国学籍号']}"],
    "性别": [None, "1", 1.0, True, "女", "甲", " 男 ", 2.0],
    "民族": [None, "汉", "15", 15.0, "土家族", "?", "某某族"],
    "年级": [None, "初一", "七", "高一", "2023级", 7.0, dt.date(2026, 7, 1)],
    "班级": [None, "（三）班", 3.0, "七年级3班", "#REF!", dt.date(2026, 7, 1), "育才班", "=1", True],
    "就读方式": [None, "住校", "2", 2.0, "其他", "走读"],
    "监护人姓名": [None, "李四", "李4", "Ann Lee"],
    "与学生关系": [None, "祖母", "=父", "x" * 30],
    "联系电话": [None, "0871-65123456", 13812345678.0, "12345", "+86 138 1234 5678"],
    "开户银行": [None, "农信社", "#N/A", "=x"],
    "银行账号": [None, "6299 0000 0000 0001 234", "123", 6.2e18, "6299000000000000052", "6299-0000-0000-0001-234"],
    "户名": [None, GOOD["姓名"], "王五", "王5"],
    "户主与学生关系": [None, "本人", "班主任", "舅舅", "邻居"],
    "证件类型": [None, "居民身份证", "护照", "1", "港澳台居民居住证", "二代身份证", "身份征", 1.0, "2", "通行证"],
    "出生日期": [None, dt.date(2014, 3, 5), dt.datetime(2014, 3, 5, 8), "20140305", 20140305.0, 41703.0, "甲"],
    "是否寄宿": [None, "是", "否", "1", 0.0, "?"],
    "学校名称": [None, "别的学校", dt.date(2026, 1, 1)],
    "学校标识码": [None, 5353990001.0, "1"],
    "困难类别": [None, "农村低保", "无"],
    "证明名称和编号": [None, "低保证 1", "=1"],
}  # fmt: skip


def layout(*, without: frozenset[str] = frozenset()) -> columns.Layout:
    headers = [header for header in ALL if header not in without]
    sheet = SheetInfo("名册", False, [])
    found = columns.find_layout(sheet, 0, [(1, list(headers))], meanings={}, needs_school=False)
    assert found is not None
    return found


def read_both(row: dict[str, Any], where: columns.Layout) -> tuple[Any, Any]:
    """What the two readers make of the row; None from the quick one where it gives no answer."""
    values = [row.get(heading.text) for heading in where.headings]
    quick = roster_rows._QuickReader(where, 0, ON)
    found = quick.read(7, list(values))
    thorough, remarks = roster_rows._RowReader(list(values), where, 0, 7, ON).read()
    return (found, quick.remarks) if found else None, (thorough, remarks)


def test_good_row_needs_no_thorough_reader() -> None:
    quick, thorough = read_both(GOOD, layout())
    assert quick == thorough
    assert thorough[1] == []


@pytest.mark.parametrize("header", ALL)
def test_one_odd_cell_is_read_the_same_by_both(header: str) -> None:
    for value in WRITTEN[header]:
        quick, thorough = read_both({**GOOD, header: value}, layout())
        assert quick in (None, thorough), value


@given(
    st.fixed_dictionaries({header: st.sampled_from([GOOD.get(header), *WRITTEN[header]]) for header in ALL}),
    st.frozensets(st.sampled_from(["全国学籍号", "年级", "是否寄宿", "性别", "户主与学生关系", *MORE])),
)
def test_both_readers_agree_on_any_row(row: dict[str, Any], without: frozenset[str]) -> None:
    quick, thorough = read_both(row, layout(without=without))
    assert quick in (None, thorough)


@given(st.data())
def test_good_rows_with_common_spellings_are_quick(data: st.DataObject) -> None:
    """The quick reader is of no use if it knows only the template's own spellings."""
    clean = {
        "性别": ["男", "1", 1.0, None],
        "民族": ["汉", "汉族", "01", None],
        "年级": ["七年级", "初一", "7年级"],
        "班级": ["1班", "（1）班", 1.0, "七(1)班"],
        "就读方式": ["寄宿", "住校", "2", "走读"],
        "出生日期": ["2014-03-05", "2014年3月5日", dt.date(2014, 3, 5), None],
        "联系电话": ["15400000001", 15400000001.0, None],
        "证件类型": ["居民身份证", None],
        "身份证件号": [GOOD["身份证件号"], f"G{GOOD['身份证件号']}", f"{GOOD['身份证件号']}\t"],
        "银行账号": [GOOD["银行账号"], f"{GOOD['银行账号'][:4]} {GOOD['银行账号'][4:]}"],
    }
    row = {**GOOD, **{header: data.draw(st.sampled_from(values)) for header, values in clean.items()}}
    quick, thorough = read_both(row, layout())
    assert quick == thorough


values = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.dates(dt.date(1901, 1, 1), dt.date(2090, 1, 1)),
    st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(2090, 1, 1)),
    st.sampled_from([text for written in WRITTEN.values() for text in written]),
    st.sampled_from(ALL),
)


@given(st.lists(st.lists(values, max_size=12), max_size=8), st.lists(st.sampled_from(ALL), max_size=12))
def test_any_sheet_gives_rows_or_findings(rows: list[list[Any]], headers: list[str]) -> None:
    head = [(number, cells) for number, cells in enumerate([list(headers), *rows], start=1)]
    sheet = SheetInfo("表", False, [(1, 1, 1, 3), (2, 1, 4, 1)])
    found = columns.find_layout(sheet, 0, head, meanings={"姓名#2": "holder", "民族": ""}, needs_school=False)
    if found is None:
        return
    asked = columns.question([found], every=True)
    assert [each["sheet"] for each in asked["sheets"]] == ["表"]
    if not found.is_whole:
        return
    findings = Findings()
    read = list(roster_rows.read_rows(found, head, findings, sheet=0, on=ON))
    assert all(isinstance(row, RosterRow) for row in read)
    assert {row.number for row in read if row.is_refused} == {entry[1] for entry in findings.kept["error"]}
