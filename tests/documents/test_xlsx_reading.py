"""Reading rosters: every kind of cell as it is, and the files offices really make."""

import datetime as dt
import io
import zipfile
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from documents import xlsx

NS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
SHEET = "xl/worksheets/sheet1.xml"


def save(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def replace(content: bytes, **parts: bytes | None) -> bytes:
    """The package with some parts exchanged or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in {**dict.fromkeys(old.namelist()), **parts}:
            new.writestr(name, parts.get(name) or old.read(name))
    return out.getvalue()


def with_rows(make_book, xml: str) -> bytes:
    """A workbook whose first sheet holds this <sheetData>."""
    return replace(make_book(["x"]), **{SHEET: f"<worksheet {NS}><sheetData>{xml}</sheetData></worksheet>".encode()})


def cells(content: bytes) -> list[xlsx.Cell]:
    return [cell for row in xlsx.read(content)[0].rows for cell in row.cells]


def test_each_kind_of_cell_is_told_apart(make_book):
    row = ["王䶮", 312.5, dt.date(2014, 3, 5), True, "=1+1", None, dt.datetime(2026, 3, 5, 8, 30), "end"]
    found = cells(make_book(row))
    assert [cell.kind for cell in found] == ["text", "number", "date", "bool", "formula", "empty", "date", "text"]
    assert [cell.value for cell in found][:5] == ["王䶮", Decimal("312.5"), dt.date(2014, 3, 5), True, "=1+1"]
    assert [cell.text for cell in found] == [
        "王䶮", "312.5", "2014-03-05", "TRUE", "=1+1", "", "2026-03-05 08:30:00", "end",
    ]  # fmt: skip


def test_the_result_a_formula_left_behind_is_not_data(make_book):
    content = with_rows(make_book, '<row r="1"><c r="A1" t="str"><f>B1&amp;"x"</f><v>王小明</v></c></row>')
    assert cells(content) == [xlsx.Cell('=B1&"x"', "formula", '=B1&"x"')]


def test_an_id_typed_as_a_number_shows_that_its_end_is_lost(make_book):
    (cell,) = cells(make_book([530102201501011234]))
    assert (cell.kind, cell.text) == ("number", "530102201501011000")


def test_numbers_are_exact_and_without_exponent(make_book):
    content = with_rows(
        make_book,
        '<row r="1"><c><v>0.30000000000000004</v></c><c><v>1.25E+3</v></c><c><v>1E-3</v></c></row>',
    )
    assert [cell.text for cell in cells(content)] == ["0.3", "1250", "0.001"]


def test_shared_strings_in_runs_and_with_reading_aids_are_whole(make_book):
    strings = f'<sst {NS}><si><r><t>王</t></r><r><t xml:space="preserve">小 明</t></r></si>'
    strings += '<si><t>東京</t><rPh sb="0" eb="2"><t>とうきょう</t></rPh></si></sst>'
    base = with_rows(make_book, '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>')
    relations = zipfile.ZipFile(io.BytesIO(base)).read("xl/_rels/workbook.xml.rels")
    link = b'<Relationship Type="http://x/sharedStrings" Target="sharedStrings.xml" Id="rId99"/></Relationships>'
    content = replace(
        base,
        **{
            "xl/sharedStrings.xml": strings.encode(),
            "xl/_rels/workbook.xml.rels": relations.replace(b"</Relationships>", link),
        },
    )
    assert [cell.text for cell in cells(content)] == ["王小 明", "東京"]


@pytest.mark.parametrize("number_format", [14, 31, 57])
def test_built_in_dates_of_a_chinese_excel_are_dates(make_book, number_format):
    styles = f'<styleSheet {NS}><cellXfs><xf numFmtId="0"/><xf numFmtId="{number_format}"/></cellXfs></styleSheet>'
    content = with_rows(make_book, '<row r="1"><c r="A1" s="1"><v>41703</v></c></row>')
    assert cells(replace(content, **{"xl/styles.xml": styles.encode()}))[0].value == dt.date(2014, 3, 5)


def test_a_mac_workbook_counts_its_days_from_1904():
    book = Workbook()
    book.epoch = dt.datetime(1904, 1, 1)
    book.active.append([dt.date(2014, 3, 5)])
    assert cells(save(book))[0].value == dt.date(2014, 3, 5)


def test_elements_with_a_prefix_are_read(make_book):
    xml = '<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:sheetData><x:row r="2">'
    xml += '<x:c r="B2" t="inlineStr"><x:is><x:t>王</x:t></x:is></x:c></x:row></x:sheetData></x:worksheet>'
    (row,) = xlsx.read(replace(make_book(["x"]), **{SHEET: xml.encode()}))[0].rows
    assert (row.number, [cell.text for cell in row.cells]) == (2, ["", "王"])


def test_cells_without_references_follow_one_another(make_book):
    content = with_rows(make_book, "<row><c><v>1</v></c><c/><c><v>3</v></c></row><row><c><v>4</v></c></row>")
    assert [(row.number, [c.text for c in row.cells]) for row in xlsx.read(content)[0].rows] == [
        (1, ["1", "", "3"]),
        (2, ["4", "", ""]),
    ]


def test_a_lying_dimension_changes_nothing(make_book):
    xml = (
        f'<worksheet {NS}><dimension ref="A1:XFD1048576"/><sheetData><row><c><v>1</v></c></row></sheetData></worksheet>'
    )
    assert len(cells(replace(make_book(["x"]), **{SHEET: xml.encode()}))) == 1


def test_hidden_sheets_and_merged_cells_are_tolerated():
    book = Workbook()
    book.active.append(["一年级", None])
    book.active.merge_cells("A1:B1")
    hidden = book.create_sheet("选项")
    hidden.append(["寄宿"])
    hidden.sheet_state = "hidden"
    assert [(sheet.name, sheet.hidden, len(sheet.rows)) for sheet in xlsx.read(save(book))] == [
        ("Sheet", False, 1),
        ("选项", True, 1),
    ]


def test_rows_without_content_are_left_out_and_numbers_stay(make_book):
    assert [row.number for row in xlsx.read(make_book(["a"], [], ["  "], ["b"]))[0].rows] == [1, 4]


@given(st.lists(st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=8), max_size=5)))
def test_text_we_write_reads_back(rows):
    filled = [["x", *row] for row in rows]
    width = max([len(row) for row in filled], default=1)
    plan = xlsx.WorksheetPlan(
        "名册",
        [xlsx.Column(str(number)) for number in range(width)],
        [row + [""] * (width - len(row)) for row in filled],
    )
    (sheet,) = xlsx.read(xlsx.write([plan]))
    read = [[cell.text for cell in row.cells] for row in sheet.rows[1:]]
    expected = [[text if text.strip() else "" for text in row] for row in filled]
    assert [row[: len(wanted)] for row, wanted in zip(read, expected, strict=True)] == expected
