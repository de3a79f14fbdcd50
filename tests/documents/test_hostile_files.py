"""Files that are not what they say: each refused with its cause and cure, quickly, in little memory."""

import contextlib
import io
import random
import subprocess
import sys
import zipfile

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from documents import xlsx
from tests.documents.test_xlsx_reading import NS, SHEET, replace, with_rows

FAR = '<row r="1"><c r="A1"><v>1</v></c></row><row r="{row}"><c r="{cell}"><v>1</v></c></row>'
LAUGHS = b'<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]><worksheet>&b;</worksheet>'
OUTSIDE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><worksheet>&a;</worksheet>'
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600


def refusal(content: bytes) -> str:
    with pytest.raises(xlsx.WorkbookRefused) as caught:
        xlsx.read(content)
    return caught.value.messages[0]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "0 字节"),
        ("姓名\t身份证号\n王小明\t1".encode(), "文本文件"),
        ("姓名,身份证号\n王小明,1".encode("gb18030"), "文本文件"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "网页"),
        (b'<?xml version="1.0"?><Workbook/>', "XML"),
        (b"%PDF-1.7\n", "PDF"),
        (OLE, "旧版 Excel"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "打开密码"),
        (bytes(range(256)) * 20, "不是 Excel 工作簿"),
    ],
)
def test_what_is_no_workbook_is_named_for_what_it_is(content, cause):
    assert cause in refusal(content)


def test_every_refusal_says_what_to_do():
    for content in (b"", b"text", OLE, b"PK\x03\x04broken"):
        assert "请" in refusal(content)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_file_is_called_damaged(make_book, share):
    content = make_book(["姓名"])
    assert "损坏" in refusal(content[: int(len(content) * share)])


def test_a_macro_workbook_is_refused(make_book):
    assert "宏" in refusal(replace(make_book(["x"]), **{"xl/vbaProject.bin": b"x"}))


def test_a_macro_content_type_is_refused(make_book):
    types = zipfile.ZipFile(io.BytesIO(make_book(["x"]))).read("[Content_Types].xml")
    macro = types.replace(b"spreadsheetml.sheet.main", b"ms-excel.sheet.macroEnabled.main")
    assert "宏" in refusal(replace(make_book(["x"]), **{"[Content_Types].xml": macro}))


def test_a_plain_zip_is_refused():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("名册.xlsx", b"x")
    assert "压缩包" in refusal(out.getvalue())


@pytest.mark.parametrize("xml", [LAUGHS, OUTSIDE])
@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/styles.xml"])
def test_entities_are_refused_in_every_part(make_book, part, xml):
    assert "实体" in refusal(replace(make_book(["x"]), **{part: xml}))


@pytest.mark.parametrize(("row", "cell"), [(1048576, "XFD1048576"), (2, "XFD2"), (9000, "A9000")])
def test_a_far_cell_is_refused_by_its_place(make_book, row, cell):
    assert f"第 {row} 行" in refusal(with_rows(make_book, FAR.format(row=row, cell=cell)))


def test_too_many_rows_are_refused_by_number(make_book):
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in range(1, 5002))
    assert "超过 5000 行" in refusal(with_rows(make_book, rows))
    assert len(xlsx.read(with_rows(make_book, rows), max_rows=5001)[0].rows) == 5001


def test_a_zip_bomb_is_refused_before_it_is_unpacked(make_book):
    assert "压缩前" in refusal(replace(make_book(["x"]), **{SHEET: b"<worksheet>" + b" " * 90_000_000}))


def test_too_many_parts_are_refused(make_book):
    assert "200 个" in refusal(replace(make_book(["x"]), **{f"xl/x{n}": b"x" for n in range(200)}))


def test_an_empty_workbook_is_refused(make_book):
    assert "没有任何内容" in refusal(make_book())
    assert "没有任何内容" in refusal(make_book(["", "  "]))


def test_too_many_sheets_are_refused():
    from openpyxl import Workbook

    book = Workbook()
    for number in range(20):
        book.create_sheet(f"{number}").append([1])
    out = io.BytesIO()
    book.save(out)
    assert "21 张工作表" in refusal(out.getvalue())


@pytest.mark.parametrize(
    "xml",
    [
        '<row r="1"><c r="A2"><v>1</v></c></row>',
        '<row r="x"><c><v>1</v></c></row>',
        '<row r="1"><c r="A1" t="s"><v>9</v></c></row>',
        '<row r="1"><c r="A1"><v>abc</v></c></row>',
        '<row r="1"><c r="A1"><v>1e999999</v></c></row>',
        '<row r="1"><c r="A1"><v>NaN</v></c></row>',
        '<row r="1"><c',
    ],
)
def test_nonsense_inside_is_called_damaged(make_book, xml):
    assert "损坏" in refusal(with_rows(make_book, xml))


@given(st.data())
def test_any_damage_is_read_or_refused_and_nothing_else(make_book_content, data):
    content = bytearray(make_book_content)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(xlsx.WorkbookRefused):
        xlsx.read(bytes(content))


@pytest.fixture(scope="module")
def make_book_content():
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["王䶮", 1, "=1+1"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet(rows: bytes) -> bytes:
    return f"<worksheet {NS}><sheetData>".encode() + rows


HEAVY = {
    "too many rows": lambda: _sheet(b"".join(b'<row r="%d"><c><v>1</v></c></row>' % n for n in range(1, 600_000))),
    "too many empty rows": lambda: _sheet(b"".join(b'<row r="%d"><c s="0"/></row>' % n for n in range(1, 600_000))),
    "one endless text": lambda: _sheet(
        b'<row r="1"><c t="inlineStr"><is><t>' + random.Random(7).randbytes(20_000_000).hex().encode()
    ),
    "deep nesting": lambda: _sheet(b"".join(b"<a%x>" % n for n in range(1_500_000))),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HEAVY)
def test_heavy_files_are_refused_and_cost_little_memory(make_book, tmp_path, name):
    path = tmp_path / "heavy.xlsx"
    path.write_bytes(replace(make_book(["x"]), **{SHEET: HEAVY[name]()}))
    # A process of its own: the peak of this one says nothing about the reader.
    program = (
        "import re, sys; sys.path.insert(0, sys.argv[2]); from documents import xlsx\n"
        "content = open(sys.argv[1], 'rb').read()\n"
        "try: xlsx.read(content); print('read', end=' ')\n"
        "except xlsx.WorkbookRefused: print('refused', end=' ')\n"
        "peak = int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "print(peak // 1024)"
    )
    command = [sys.executable, "-c", program, str(path), str(settings.BASE_DIR)]
    verdict, megabytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert verdict == "refused"
    assert int(megabytes) < 200
