"""The user's own workbook given back marked: all of theirs is kept, all of ours can be seen, and it opens elsewhere."""

import csv
import datetime as dt
import io
import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.comments import Comment
from openpyxl.drawing.image import Image
from openpyxl.styles import Font, PatternFill
from openpyxl.worksheet.datavalidation import DataValidation
from PIL import Image as Picture

from documents import marking, workbooks
from documents.marking import REASON_HEADER, SUMMARY_SHEET, Mark, Summary
from documents.marking_styles import COLOURS
from tests.documents import books
from tests.documents.books import NS, SHEET, rows, save, with_rows

SUMMARY = Summary("名册检查结果", [("共", "3 行"), ("有误", "2 行")], ["云岭县城关中学　2026年春季"])
NO_NAME = Mark("error", "没有姓名。", "请填写学生姓名。", 1, "姓名", who="第三行")
ODD_DATE = Mark("warning", "出生日期与证件号不一致。", "请核对。", 3, "出生日期", "2014-03-05")
WHOLE_ROW = Mark("error", "与第 3 行是同一名学生。", "请删去一行。")
MARKS = {
    ("名册", 4): [NO_NAME, ODD_DATE],
    ("名册", 5): [WHOLE_ROW],
    ("名册", 0): [Mark("warning", "没有就读方式一列。")],
}
TABLE = (
    ["云岭县城关中学名册"],
    ["姓名", "身份证件号", "出生日期"],
    ["王䶮", "530102201403051239", dt.date(2014, 3, 5)],
    [None, "53010220140305123X", dt.date(2014, 3, 6)],
    ["陈乙", "530102201403051255", dt.date(2014, 3, 7)],
)
REASONS = {
    2: REASON_HEADER,
    4: "【姓名】没有姓名。请填写学生姓名。\n【出生日期】出生日期与证件号不一致。请核对。",
    5: "与第 3 行是同一名学生。请删去一行。",
}


def marked(content: bytes, marks=None, *, header=2, sheet="名册") -> bytes:
    return marking.mark(content, marks=MARKS if marks is None else marks, header_rows={sheet: header}, summary=SUMMARY)


def colours(content: bytes, sheet: str = "名册") -> dict[str, str]:
    """The level of each coloured cell of ours."""
    levels = {colour: level for level, colour in COLOURS.items()}
    found = {}
    for row in load_workbook(io.BytesIO(content))[sheet].iter_rows():
        for cell in row:
            if cell.fill.fill_type == "solid" and cell.fill.fgColor.rgb in levels:
                found[cell.coordinate] = levels[cell.fill.fgColor.rgb]
    return found


def reasons(content: bytes, *, column: int = 4, sheet: int = 0) -> dict[int, str]:
    found = rows(content, workbooks.COUNTY_BOUNDS, sheet)
    return {number: row[column - 1] for number, row in found.items() if len(row) >= column and row[column - 1]}


def summary_of(content: bytes) -> list[list]:
    with workbooks.open_workbook(content, workbooks.COUNTY_BOUNDS) as opened:
        names = [sheet.name for sheet in opened.sheets]
        return [values for _, values in opened.rows(names.index(SUMMARY_SHEET))]


def plain() -> bytes:
    return save(books.book(*TABLE))


# --- what is seen ---------------------------------------------------------------------------------


def test_faulty_cells_are_coloured_and_each_row_has_its_reasons():
    content = marked(plain())
    assert colours(content) == {"A4": "error", "C4": "warning"}
    assert reasons(content) == REASONS
    sheet = load_workbook(io.BytesIO(content))["名册"]
    assert sheet["D4"].alignment.wrap_text
    assert sheet.column_dimensions["D"].width == 60
    assert {number: row[:3] for number, row in rows(content).items()} == {
        number: row[:3] for number, row in rows(plain()).items()
    }


def test_the_sheet_at_the_end_counts_and_lists_and_leads_to_the_cells():
    book = load_workbook(io.BytesIO(marked(plain())))
    assert book.sheetnames == ["名册", SUMMARY_SHEET]
    assert book.active.title == "名册"
    sheet = book[SUMMARY_SHEET]
    lines = [[cell.value for cell in row if cell.value] for row in sheet.iter_rows()]
    assert lines[:3] == [["名册检查结果"], ["共：3 行"], ["有误：2 行"]]
    assert ["云岭县城关中学　2026年春季"] in lines
    assert lines[-4:] == [
        ["名册", "4", "姓名", "第三行", "不能导入", "没有姓名。", "请填写学生姓名。"],
        ["名册", "5", "不能导入", "与第 3 行是同一名学生。", "请删去一行。"],
        ["名册", "请核对", "没有就读方式一列。"],
        ["名册", "4", "出生日期", "请核对", "2014-03-05", "出生日期与证件号不一致。", "请核对。"],
    ]
    links = [cell.hyperlink.location for (cell,) in sheet.iter_rows(min_col=2, max_col=2) if cell.hyperlink]
    assert links == ["'名册'!A4", "'名册'!A5", "'名册'!C4"]


def test_an_error_covers_a_warning_in_the_same_cell():
    content = marked(plain(), {("名册", 3): [Mark("error", "甲。", column=1), Mark("warning", "乙。", column=1)]})
    assert colours(content) == {"A3": "error"}


@pytest.mark.parametrize(
    "text", ["=1+1", '=HYPERLINK("http://x")', "+1", "@x", "<b>&amp;", "_x000D_", "a\x0bb", "甲\n乙"]
)
def test_reasons_are_text_whatever_they_look_like(text):
    content = marked(plain(), {("名册", 3): [Mark("error", text, value=text, who=text)]})
    shown = text.replace("\x0b", "\ufffd")
    cell = load_workbook(io.BytesIO(content))["名册"]["D3"]
    assert cell.data_type == "s"
    assert reasons(content)[3] == shown
    assert shown in summary_of(content)[-1]


def test_reasons_stand_right_of_all_that_the_marked_rows_hold():
    book = books.book(*TABLE)
    book.active["F4"] = "备注"
    content = marked(save(book))
    assert reasons(content, column=7) == REASONS
    assert rows(content)[4][5] == "备注"


# --- what is kept ---------------------------------------------------------------------------------


def rich() -> bytes:
    """A workbook with something of everything a school may have put into it."""
    book = books.book(*TABLE, [None, None, None], ["合计", "=COUNTA(A3:A5)"])
    sheet = book.active
    sheet.merge_cells("A1:C1")
    sheet.column_dimensions["B"].width = 31
    sheet.column_dimensions["C"].hidden = True
    sheet.row_dimensions[3].height = 44
    sheet["B4"].fill, sheet["B4"].font = PatternFill("solid", fgColor="FF00FF00"), Font(bold=True)
    sheet["C4"].font = Font(italic=True, name="仿宋")
    sheet["A3"].comment = Comment("核对过", "王")
    words = DataValidation(type="list", formula1='"男,女"')
    words.add("B3:B9")
    sheet.add_data_validation(words)
    sheet.freeze_panes = "B3"
    sheet.auto_filter.ref = "A2:C5"
    picture = io.BytesIO()
    Picture.new("RGB", (4, 4), "red").save(picture, "PNG")
    sheet.add_image(Image(picture), "F1")
    book.create_sheet("选项").append(["寄宿"])
    book["选项"].sheet_state = "hidden"
    return save(book)


def test_everything_of_theirs_stays():
    before, after = (load_workbook(io.BytesIO(content)) for content in (rich(), marked(rich())))
    assert after.sheetnames == ["名册", "选项", SUMMARY_SHEET]
    assert after["选项"].sheet_state == "hidden"
    old, new = before["名册"], after["名册"]
    for letter in "ABC":
        assert new.column_dimensions[letter].width == old.column_dimensions[letter].width
        assert new.column_dimensions[letter].hidden == old.column_dimensions[letter].hidden
    assert new.row_dimensions[3].height == 44
    assert [str(area) for area in new.merged_cells.ranges] == ["A1:C1"]
    assert new.data_validations.dataValidation[0].formula1 == '"男,女"'
    assert (new.freeze_panes, new.auto_filter.ref, new["A3"].comment.text) == ("B3", "A2:C5", "核对过")
    assert len(new._images) == 1
    assert new["B7"].value == "=COUNTA(A3:A5)"
    for row in old.iter_rows():
        for cell in row:
            other = new[cell.coordinate]
            assert (other.value, other.number_format) == (cell.value, cell.number_format)
            assert str(other.font) == str(cell.font)
            if cell.coordinate not in ("A4", "C4"):
                assert str(other.fill) == str(cell.fill), cell.coordinate


def test_rows_that_nothing_is_said_about_are_the_same_bytes():
    def lines(content):
        found = re.findall(rb"<row .*?</row>", books.part(content, SHEET), re.DOTALL)
        return {re.search(rb'r="(\d+)"', row)[1]: row for row in found}

    before, after = lines(rich()), lines(marked(rich()))
    assert {number for number in before if before[number] != after[number]} == {b"2", b"4", b"5"}


def test_a_range_of_columns_is_split_around_the_reasons():
    base = plain()
    xml = books.part(base, SHEET).replace(
        b"<sheetData>", b'<cols><col min="2" max="16384" width="9" customWidth="1"/></cols><sheetData>'
    )
    content = marked(books.replace(base, **{SHEET: xml}))
    found = re.findall(rb'<col min="(\d+)" max="(\d+)" width="(\d+)"', books.part(content, SHEET))
    assert found == [(b"2", b"3", b"9"), (b"4", b"4", b"60"), (b"5", b"16384", b"9")]


# --- again and again ------------------------------------------------------------------------------


def test_marked_again_the_old_marks_are_gone():
    again = marked(marked(plain()), {("名册", 5): [Mark("warning", "甲。", column=2)]})
    assert colours(again) == {"B5": "warning"}
    assert reasons(again) == {2: REASON_HEADER, 5: "甲。"}
    assert load_workbook(io.BytesIO(again)).sheetnames == ["名册", SUMMARY_SHEET]
    assert len(summary_of(again)) == len(summary_of(marked(plain()))) - 3


def test_when_all_is_mended_nothing_is_left_of_the_old_marks():
    again = marked(marked(plain()), {})
    assert colours(again) == {}
    assert reasons(again) == {2: REASON_HEADER}


def test_a_table_of_theirs_with_the_name_of_our_sheet_is_kept():
    content = marking.mark(
        save(books.book(*TABLE, title=SUMMARY_SHEET)),
        marks={(SUMMARY_SHEET, 3): [NO_NAME]},
        header_rows={SUMMARY_SHEET: 2},
        summary=SUMMARY,
    )
    assert load_workbook(io.BytesIO(content)).sheetnames == [SUMMARY_SHEET, f"{SUMMARY_SHEET}2"]


# --- how other programs write ---------------------------------------------------------------------

BARE = '<row><c><v>1</v></c></row><row><c t="inlineStr"><is><t>姓名</t></is></c></row><row><c/><c><v>5</v></c></row>'


def test_cells_and_rows_without_references_are_found():
    content = marked(with_rows(BARE), {("名册", 3): [Mark("error", "甲。", column=1)]})
    assert rows(content) == {1: [1.0], 2: ["姓名", None, REASON_HEADER], 3: [None, 5.0, "甲。"]}


def test_elements_with_a_prefix_are_patched_with_theirs():
    xml = '<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:sheetData><x:row r="2">'
    xml += (
        '<x:c r="B2" t="inlineStr"><x:is><x:t>王</x:t></x:is></x:c></x:row><x:row r="3"/></x:sheetData></x:worksheet>'
    )
    base = books.replace(plain(), **{SHEET: xml.encode()})
    content = marked(base, {("名册", 3): [Mark("error", "甲。", column=2)]})
    assert rows(content) == {2: [None, "王", REASON_HEADER], 3: [None, None, "甲。"]}
    assert colours(content) == {"B3": "error"}


def test_a_workbook_without_styles_gets_some():
    base = plain()
    relations = books.part(base, "xl/_rels/workbook.xml.rels")
    relations = re.sub(rb"<Relationship [^<>]*styles[^<>]*/>", b"", relations)
    types = re.sub(rb"<Override [^<>]*styles[^<>]*/>", b"", books.part(base, "[Content_Types].xml"))
    bare = {"xl/styles.xml": None, "xl/_rels/workbook.xml.rels": relations, "[Content_Types].xml": types}
    xml = re.sub(rb'\ss="\d+"', b"", books.part(base, SHEET))
    content = marked(books.replace(base, **bare, **{SHEET: xml}))
    assert colours(content) == {"A4": "error", "C4": "warning"}
    assert reasons(content) == REASONS


@pytest.mark.filterwarnings("ignore:Workbook contains no")  # openpyxl's word on what was meagre before
@pytest.mark.parametrize(
    "inner", ["", '<cellXfs count="1"><xf numFmtId="14"/></cellXfs>', "<fills/><borders/><cellXfs/>"]
)
def test_a_meagre_style_sheet_is_filled_up(inner):
    content = marked(books.replace(plain(), **{"xl/styles.xml": f"<styleSheet {NS}>{inner}</styleSheet>".encode()}))
    assert colours(content) == {"A4": "error", "C4": "warning"}


@pytest.mark.parametrize("odd", [b"<!-- x -->", b"<?xml-x y?><!-- <row r='1'/> -->"])
def test_an_unusual_sheet_is_built_anew(odd):
    base = plain()
    xml = books.part(base, SHEET).replace(b"<sheetData>", b"<sheetData>" + odd)
    content = marked(books.replace(base, **{SHEET: xml}))
    assert colours(content) == {"A4": "error", "C4": "warning"}
    assert reasons(content) == REASONS
    assert any("没有保留" in str(row[0]) for row in summary_of(content))


def test_attributes_in_other_quotes_are_understood_or_built_anew():
    base = plain()
    for name in (SHEET, "xl/styles.xml", "xl/workbook.xml"):
        content = marked(books.replace(base, **{name: books.part(base, name).replace(b'"', b"'")}))
        assert colours(content) == {"A4": "error", "C4": "warning"}
        assert reasons(content) == REASONS


def test_hostile_parts_are_refused():
    bomb = b'<!DOCTYPE x [<!ENTITY a "lol">]><worksheet>&a;</worksheet>'
    for name in (SHEET, "xl/styles.xml", "xl/workbook.xml"):
        with pytest.raises(workbooks.WorkbookRefused, match="实体"):
            marked(books.replace(plain(), **{name: bomb}))
    with pytest.raises(workbooks.WorkbookRefused):
        marked(plain()[:-100])


# --- opened elsewhere -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def elsewhere():
    """By name: the rich book as LibreOffice saves it (.xlsx, .xls), marked; and marked files as it saves them."""
    theirs = books.through_libreoffice("xlsx", rich_xlsx=rich()) | books.through_libreoffice("xls", rich_xlsx=rich())
    ours = {
        "fromexcel_xlsx": marked(rich()),
        "fromoffice_xlsx": marked(theirs["rich.xlsx"]),
        "fromold_xlsx": marked(theirs["rich.xls"]),
    }
    back = books.through_libreoffice("xlsx", **ours)
    tables = books.through_libreoffice("csv", **ours)
    return {name.replace("_", "."): content for name, content in ours.items()}, back, tables


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fromexcel", "fromoffice", "fromold"])
def test_libreoffice_shows_the_marks(elsewhere, name):
    ours, back, tables = elsewhere
    for content in (ours[f"{name}.xlsx"], back[f"{name}.xlsx"]):
        assert colours(content) == {"A4": "error", "C4": "warning"}
        assert reasons(content) == REASONS
        values = {number: row[:3] for number, row in rows(content).items()}
        # The formula has a result once an office program was at it.
        assert values.pop(7) in (["合计", "=COUNTA(A3:A5)"], ["合计", 2.0])
        assert values == dict(enumerate(TABLE, 1))
        with workbooks.open_workbook(content, workbooks.COUNTY_BOUNDS) as opened:
            told = [(sheet.name, sheet.hidden) for sheet in opened.sheets]
        assert told == [("名册", False), ("选项", True), (SUMMARY_SHEET, False)]
    table = list(csv.reader(io.StringIO(tables[f"{name}-名册.csv"].decode())))
    assert table[3][3] == REASONS[4]
    assert ["名册", "5", "", "", "不能导入", "", WHOLE_ROW.message, WHOLE_ROW.remedy] in csv.reader(
        io.StringIO(tables[f"{name}-{SUMMARY_SHEET}.csv"].decode())
    )


@pytest.mark.slow
def test_saved_by_libreoffice_and_sent_in_again_it_is_marked_afresh(elsewhere):
    _, back, _ = elsewhere
    again = marked(back["fromexcel.xlsx"], {("名册", 5): [Mark("warning", "甲。", column=2)]})
    assert colours(again) == {"B5": "warning"}
    assert reasons(again) == {2: REASON_HEADER, 5: "甲。"}
    assert load_workbook(io.BytesIO(again)).sheetnames == ["名册", "选项", SUMMARY_SHEET]
    (opened,) = books.through_libreoffice("xlsx", again_xlsx=again).values()
    assert colours(opened) == {"B5": "warning"}


@pytest.mark.slow
def test_an_old_workbook_comes_back_as_a_new_one_and_says_so(elsewhere):
    ours, _, _ = elsewhere
    assert any("没有保留" in str(row[0]) for row in summary_of(ours["fromold.xlsx"]))
    cell = load_workbook(io.BytesIO(ours["fromold.xlsx"]))["名册"]["B3"]
    assert (cell.value, cell.data_type, cell.number_format) == ("530102201403051239", "s", "@")


# --- any workbook ---------------------------------------------------------------------------------

TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn", "Co"]), min_size=1, max_size=8)
VALUES = st.none() | TEXT.filter(str.strip) | st.integers(-(10**9), 10**9).map(float) | st.booleans()


@how(max_examples=30)
@given(st.data())
def test_any_marked_workbook_reads_back_with_its_values_and_the_reasons(data):
    table = data.draw(st.lists(st.lists(VALUES, min_size=1, max_size=5), min_size=1, max_size=6))
    book = Workbook()
    book.active.title = "名册"
    for number, row in enumerate([["表头"], *table], start=1):
        for column, value in enumerate(row, start=1):
            if value is not None:
                cell = book.active.cell(number, column, value)
                cell.data_type = "s" if isinstance(value, str) else cell.data_type
    before = rows(save(book))
    numbers = st.sampled_from(sorted(before))
    said = data.draw(
        st.dictionaries(numbers, st.tuples(TEXT.filter(str.strip), st.none() | st.integers(1, 7)), max_size=4)
    )
    said.pop(1, None)
    marks = {
        ("名册", number): [Mark(data.draw(st.sampled_from(["error", "warning"])), text, column=column)]
        for number, (text, column) in said.items()
    }
    content = save(book)
    for _ in range(2):  # marked, and marked again
        content = marked(content, marks, header=1)
        after = rows(content)
        column = after[1].index(REASON_HEADER) if marks else 0
        for number, row in before.items():
            read = after[number]
            if number in said:
                assert read[column] == said[number][0]
            assert books._trimmed(read[: column or None]) == row
        assert {number for number in after if marks and len(after[number]) > column} == {*said, *([1] if marks else [])}


@pytest.mark.slow
def test_a_long_table_is_marked_in_little_memory():
    cell = b'<c r="%s%d" t="inlineStr"><is><t>0123456789</t></is></c>'
    body = b"".join(
        b'<row r="%d">%s</row>' % (n, b"".join(cell % (letter.encode(), n) for letter in "ABCDEFGHIJ"))
        for n in range(1, 30_000)
    )
    xml = f"<worksheet {NS}><sheetData>".encode() + body + b"</sheetData></worksheet>"
    content = books.replace(plain(), **{SHEET: xml})
    marks = {("名册", n): [Mark("error", "甲。", column=2)] for n in range(2, 30_000, 50)}
    tracemalloc.start()
    given_back = marked(content, marks, header=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000
    assert len(reasons(given_back, column=11)) == 1 + len(marks)
