"""Files that are not what they say: each refused with its cause and cure, quickly, in little memory."""

import contextlib
import dataclasses
import io
import random
import subprocess
import sys
import tracemalloc
import zipfile

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from documents import workbooks
from tests.documents import books
from tests.documents.books import NS, SHEET, replace, with_rows

FAR = '<row r="1"><c r="A1"><v>1</v></c></row><row r="{row}"><c r="{cell}"><v>1</v></c></row>'
LAUGHS = b'<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]><worksheet>&b;</worksheet>'
OUTSIDE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><worksheet>&a;</worksheet>'
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600


def stream(name: str) -> bytes:
    """The beginning of a compound file that names such a stream."""
    return OLE + name.encode("utf-16-le") + b"\0" * 600


def refusal(content: bytes) -> str:
    with pytest.raises(workbooks.WorkbookRefused) as caught:
        books.rows(content)
    return caught.value.messages[0]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "0 字节"),
        ("姓名\t身份证号\n王小明\t1".encode(), "文本文件"),
        ("姓名,身份证号\n王小明,1".encode("gb18030"), "文本文件"),
        ("\ufeff姓名,身份证号\n".encode("utf-16-le"), "文本文件"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "网页"),
        ("<table><tr><td>姓名</td></tr></table>".encode("utf-16"), "网页"),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/related", "网页"),
        (b'<?xml version="1.0"?><Workbook/>', "XML"),
        (b"%PDF-1.7\n", "PDF"),
        (b"{\\rtf1\\ansi", "RTF"),
        (OLE, "损坏"),
        (stream("Workbook"), "损坏"),
        (stream("EncryptedPackage"), "打开密码"),
        (stream("WordDocument"), "Word"),
        (stream("Workbook") + stream("_VBA_PROJECT_CUR"), "宏"),
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


@pytest.mark.parametrize(("row", "cell"), [(1048576, "XFD1048576"), (2, "XFD2"), (90000, "A90000")])
def test_a_far_cell_is_refused_by_its_place(make_book, row, cell):
    assert f"第 {row} 行" in refusal(with_rows(FAR.format(row=row, cell=cell)))


def test_too_many_rows_are_refused_by_number(make_book):
    rows = with_rows("".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in range(1, 20_002)))
    assert "第 20001 行还有内容，最多读 20000 行" in refusal(rows)
    assert len(books.rows(rows, workbooks.COUNTY_BOUNDS)) == 20_001


def test_a_zip_bomb_is_refused_before_it_is_unpacked(make_book):
    assert "压缩前" in refusal(replace(make_book(["x"]), **{SHEET: b"<worksheet>" + b" " * 90_000_000}))


def test_too_many_parts_are_refused(make_book):
    assert "2000 个" in refusal(replace(make_book(["x"]), **{f"xl/x{n}": b"x" for n in range(2000)}))


def test_an_empty_workbook_is_refused(make_book):
    assert "没有任何内容" in refusal(make_book())
    assert "没有任何内容" in refusal(make_book(["", "  "]))


def test_too_many_sheets_are_refused():
    from openpyxl import Workbook

    book = Workbook()
    for number in range(300):
        book.create_sheet(f"{number}").append([1])
    out = io.BytesIO()
    book.save(out)
    assert "301 张工作表" in refusal(out.getvalue())


@pytest.mark.parametrize(
    "xml",
    [
        '<row r="x"><c><v>1</v></c></row>',
        '<row r="1"><c r="A1" t="s"><v>9</v></c></row>',
        '<row r="1"><c r="A1"><v>1e999999</v></c></row>',
        '<row r="1"><c r="A1"><v>NaN</v></c></row>',
        '<row r="1"><c r="A1"><v>1</v><',
    ],
)
def test_nonsense_inside_is_called_damaged(make_book, xml):
    assert "损坏" in refusal(with_rows(xml))


def test_a_sheet_that_is_not_there_is_called_damaged(make_book):
    assert "损坏" in refusal(replace(make_book(["x"]), **{SHEET: None}))


def test_a_file_larger_than_its_bounds_is_not_opened(make_book):
    bounds = dataclasses.replace(workbooks.ROSTER_BOUNDS, max_bytes=1000)
    with pytest.raises(workbooks.WorkbookRefused, match="最多读"):
        books.rows(make_book(["x"]), bounds)


@how(max_examples=60)
@given(st.binary(max_size=300), st.sampled_from([b"", b"PK\x03\x04", OLE, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]))
def test_any_bytes_are_refused(content, start):
    assert refusal(start + content)


@how(max_examples=60)
@given(data=st.data())
def test_any_damage_is_read_or_refused_and_nothing_else(make_book_content, data):
    content = bytearray(make_book_content)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(workbooks.WorkbookRefused):
        books.rows(bytes(content))


@how(max_examples=60)
@given(data=st.data())
def test_any_damage_inside_a_part_is_read_or_refused(make_book_content, data):
    name = data.draw(st.sampled_from(zipfile.ZipFile(io.BytesIO(make_book_content)).namelist()))
    content = bytearray(books.part(make_book_content, name))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 9))] = data.draw(
            st.binary(max_size=3)
            | st.sampled_from([b"<", b">", b'"', b"/>", b"999999999", b"-1", b'<c r="XFD9">', b"&"])
        )
    with contextlib.suppress(workbooks.WorkbookRefused):
        books.rows(replace(make_book_content, **{name: bytes(content)}))


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


def _same_long_text_everywhere() -> bytes:
    text = b'<c t="inlineStr"><is><t>%s</t></is></c>' % (b"x" * 32_000)
    return _sheet(b"".join(b"<row>%s</row>" % (text * 3) for _ in range(900)))


HEAVY = {
    "too many rows": lambda: _sheet(b"".join(b'<row r="%d"><c><v>1</v></c></row>' % n for n in range(1, 600_000))),
    "one endless text": lambda: _sheet(
        b'<row r="1"><c t="inlineStr"><is><t>' + random.Random(7).randbytes(20_000_000).hex().encode()
    ),
    "long texts everywhere": _same_long_text_everywhere,
    "deep nesting": lambda: _sheet(b"".join(b"<a%x>" % n for n in range(1_500_000))),
    "wide and long": lambda: _sheet(
        b"".join(
            b'<row r="%d"><c r="A%d"><v>1</v></c><c r="XFD%d"><v>1</v></c></row>' % (n, n, n) for n in range(1, 9000)
        )
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HEAVY)
def test_heavy_files_are_refused_and_cost_us_little_memory(make_book, tmp_path, name):
    path = tmp_path / "heavy.xlsx"
    # Stored, not packed: the gate's look at the ratio is another test.
    path.write_bytes(replace(make_book(["x"]), **{SHEET: HEAVY[name]()}, compression=zipfile.ZIP_STORED))
    # A process of its own: the peak of this one says nothing about the reader.
    program = (
        "import re, sys; sys.path.insert(0, sys.argv[2]); from documents import workbooks\n"
        "content = open(sys.argv[1], 'rb').read()\n"
        "try:\n"
        "    with workbooks.open_workbook(content, workbooks.COUNTY_BOUNDS) as book:\n"
        "        for row in book.rows(0): pass\n"
        "    print('read', end=' ')\n"
        "except workbooks.WorkbookRefused: print('refused', end=' ')\n"
        "peak = int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "print(peak // 1024 - len(content) // 1024 // 1024)"
    )
    command = [sys.executable, "-c", program, str(path), str(settings.BASE_DIR)]
    verdict, megabytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert verdict == "refused"
    assert int(megabytes) < 150


@pytest.mark.slow
def test_a_long_table_costs_us_little_memory(make_book, tmp_path):
    """The rows pass through in chunks; nothing gathers them."""
    xml = b"".join(
        b'<row r="%d">%s</row>' % (n, b'<c t="inlineStr"><is><t>0123456789</t></is></c>' * 20) for n in range(1, 30_001)
    )
    content = replace(make_book(["x"]), **{SHEET: _sheet(xml) + b"</sheetData></worksheet>"})
    tracemalloc.start()
    with workbooks.open_workbook(content, workbooks.COUNTY_BOUNDS) as book:
        assert sum(1 for _ in book.rows(0)) == 30_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000
