"""The user's own workbook, marked: faulty cells coloured, a column of reasons, a sheet that sums them up.

An .xlsx is patched inside its package, so that widths, styles, drop-downs, pictures and other sheets stay as they
were; nothing but the rows that something is said about is written anew. An old .xls, and the rare .xlsx that is
written in an unusual way, comes back as a new .xlsx with the same sheets and values.
"""

import datetime as dt
import io
import itertools
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.utils import get_column_letter

from . import marking_styles, workbooks
from .marking_rows import (
    NotSimple,
    RowMark,
    SheetMarks,
    SheetWriter,
    find_reason_column,
    inline_text,
)
from .marking_styles import Level, Styles, end_of_tag
from .xlsx_package import (
    BROKEN,
    COUNTY_BOUNDS,
    Bounds,
    SheetPart,
    check,
    damaged,
    open_package,
    read_part,
    refuse_doctype,
    relations,
    relations_part,
    sheet_parts,
    workbook_part,
)

# Known by these when the file is sent in again: a reader leaves out the column and the sheet.
REASON_HEADER = "系统提示（再次上传时会忽略）"
SUMMARY_SHEET = "检查结果"

_LEVELS: dict[Level, str] = {"error": "不能导入", "warning": "请核对"}
_HEADERS = ("工作表", "行", "列", "学生", "结果", "内容", "原因", "怎么改")
_WIDTHS = (16, 8, 18, 14, 10, 24, 50, 56)
_MAX_LISTED = 50_000  # Excel takes 65 530 links in a sheet
_REBUILT = (
    "原文件不能原样标注，系统按它的各张工作表和内容另做了这份 .xlsx：列宽、颜色、合并单元格、公式和图片没有保留。"
    "修改后请直接上传这份文件。"
)
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml."
_MAX_STRINGS = 64 * 1024 * 1024  # bytes of the part with the texts
_MAX_STYLES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Mark:
    """Something said about a cell, or about the whole row. `value` is masked by whoever says it."""

    level: Level
    message: str
    remedy: str = ""
    column: int | None = None  # A is 1; None is the row as a whole
    label: str = ""  # what the column is called
    value: str = ""
    who: str = ""

    @property
    def sentence(self) -> str:
        about = f"【{self.label}】" if self.label else ""
        return f"{about}{self.message}{self.remedy}"


@dataclass(frozen=True)
class Summary:
    """What stands above the list of marks in the sheet that sums up."""

    title: str
    counts: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()


Marks = Mapping[tuple[str, int], Sequence[Mark]]


def mark(
    content: bytes, *, marks: Marks, header_rows: Mapping[str, int], summary: Summary, bounds: Bounds = COUNTY_BOUNDS
) -> bytes:
    """The workbook with its marks, always as .xlsx. `marks` by sheet and row (row 0: about the sheet as a whole).

    A file that was marked before loses its old reasons and colours. Raises WorkbookRefused for what cannot be
    read within the bounds.
    """
    if check(content, bounds) == "xlsx":
        try:
            with open_package(content, bounds) as package:
                return _Patch(package, marks, header_rows, summary).made()
        except NotSimple:
            pass
        except BROKEN as error:
            raise damaged() from error
    summary = replace(summary, notes=[*summary.notes, _REBUILT])
    return _rebuilt(content, marks, header_rows, summary, bounds)


def _row_marks(sheet: str, marks: Marks, header_rows: Mapping[str, int]) -> SheetMarks:
    rows = {
        row: RowMark(_colours(said), "\n".join(mark.sentence for mark in said))
        for (name, row), said in marks.items()
        if name == sheet and row and said
    }
    return SheetMarks(rows, header_rows.get(sheet, 0), REASON_HEADER)


def _colours(said: Iterable[Mark]) -> dict[int, Level]:
    """The colour of each cell; an error covers a warning."""
    colours: dict[int, Level] = {}
    for mark in said:
        if mark.column and colours.get(mark.column) != "error":
            colours[mark.column] = mark.level
    return colours


class _Patch:
    """The package of an .xlsx, copied with some parts changed and one sheet added. Raises NotSimple."""

    def __init__(
        self, package: zipfile.ZipFile, marks: Marks, header_rows: Mapping[str, int], summary: Summary
    ) -> None:
        self.package, self.marks, self.header_rows, self.summary = package, marks, header_rows, summary
        self.names = package.namelist()
        self.home = workbook_part(package)
        self.workbook = read_part(package, self.home, at_most=8 * 1024 * 1024)
        if _MAIN.encode() not in self.workbook:
            raise NotSimple  # the "strict" dialect
        self.sheets = sheet_parts(package)
        self.links = relations(package, self.home)
        self.ids = {link.id for link in self.links}
        self.changed: dict[str, bytes] = {}

    def made(self) -> bytes:
        style_part = next((link.target for link in self.links if link.kind == "styles"), "")
        given = read_part(self.package, style_part, at_most=_MAX_STYLES) if style_part else marking_styles.EMPTY
        styles = Styles(given)
        looks = _Looks(styles)
        self._add_summary(looks)
        if not style_part:
            style_part = self._free_name("xl/styles")
            self._link(style_part, "styles", "styles+xml")
        writers = self._writers(styles, looks)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=5) as new:
            for name in dict.fromkeys([*self.names, *self.changed]):
                if name == style_part:
                    continue
                if name in writers:
                    marks, writer = writers[name]
                    with self.package.open(name) as source, new.open(name, "w", force_zip64=True) as target:
                        writer.copy(source, target, marks)
                elif name in self.changed:
                    new.writestr(name, _checked(self.changed[name]))
                else:
                    with self.package.open(name) as source, new.open(name, "w", force_zip64=True) as target:
                        shutil.copyfileobj(source, target, 1024 * 1024)
            # Last, because each sheet may have asked for colours.
            new.writestr(style_part, _checked(styles.written()))
        return out.getvalue()

    def _writers(self, styles: Styles, looks: "_Looks") -> dict[str, tuple[SheetMarks, SheetWriter]]:
        """By part: the sheets that something is said about, and those with the reasons of an earlier round."""
        strings = self._former_headers()
        writers = {}
        for sheet in self.sheets:
            marks = _row_marks(sheet.name, self.marks, self.header_rows)
            if marks.rows or marks.header_row:
                with self.package.open(sheet.part) as stream:
                    column, is_former = find_reason_column(stream, marks, strings)
                if marks.rows or is_former:
                    writer = SheetWriter(styles, looks.reason, column, is_former=is_former)
                    writers[sheet.part] = (marks, writer)
        return writers

    def _former_headers(self) -> list[int]:
        """The numbers of the shared strings that are the header of a column of reasons."""
        part = next((link.target for link in self.links if link.kind == "sharedStrings"), "")
        if part not in self.names or self.package.getinfo(part).file_size > _MAX_STRINGS:
            return []
        data = self.package.read(part)
        wanted = inline_text(REASON_HEADER).encode()
        if wanted not in data:
            return []
        strings = re.finditer(rb"<(?:\w+:)?si(?:\s[^<>]*)?(?:/>|>(.*?)</(?:\w+:)?si>)", data, re.DOTALL)
        return [number for number, found in enumerate(strings) if wanted in (found[1] or b"")]

    def _add_summary(self, looks: "_Looks") -> None:
        """The sheet at the end, or in the place of the one that an earlier round added."""
        former = next((sheet for sheet in self.sheets if self._is_former_summary(sheet)), None)
        xml = "".join(_summary_xml(self.summary, self.marks, looks)).encode()
        if former:
            self.changed[former.part] = xml
            self.names = [name for name in self.names if name != relations_part(former.part)]
            return
        taken = {sheet.name for sheet in self.sheets}
        name = next(name for name in _numbered(SUMMARY_SHEET) if name not in taken)
        part = self._free_name("xl/worksheets/aid")
        id_ = self._link(part, "worksheet", "worksheet+xml")
        self.changed[part] = xml
        self.changed[self.home] = _with_sheet(self.workbook, name, id_)

    def _is_former_summary(self, sheet: SheetPart) -> bool:
        return sheet.name == SUMMARY_SHEET and not self.header_rows.get(sheet.name)

    def _link(self, part: str, kind: str, content_type: str) -> str:
        """Make a new part known to the package; the id of its relation."""
        id_ = next(id_ for id_ in _numbered("rIdAid") if id_ not in self.ids)
        self.ids.add(id_)
        target = quoteattr(f"/{part}")
        self._append(
            relations_part(self.home), f'<{{p}}Relationship Id="{id_}" Type="{_OFFICE}/{kind}" Target={target}/>'
        )
        self._append("[Content_Types].xml", f'<{{p}}Override PartName={target} ContentType="{_TYPE}{content_type}"/>')
        return id_

    def _append(self, name: str, xml: str) -> None:
        name = self._spelt(name)
        before = self.changed.get(name) or read_part(self.package, name)
        self.changed[name] = _appended(before, xml)

    def _spelt(self, name: str) -> str:
        return next((other for other in self.names if other.lower() == name.lower()), name)

    def _free_name(self, stem: str) -> str:
        taken = {name.lower() for name in self.names} | set(self.changed)
        return next(name for name in _numbered(stem) if f"{name}.xml" not in taken) + ".xml"


def _numbered(name: str, start: int = 1) -> Iterator[str]:
    """name, name2, name3 …"""
    return (f"{name}{number}" if number > 1 else name for number in itertools.count(start))


def _checked(xml: bytes) -> bytes:
    """The same bytes; what is no XML is not sent out."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.Parse(xml, True)
    except expat.ExpatError as error:
        raise NotSimple from error
    return xml


def _appended(data: bytes, xml: str, *, inside: str = "") -> bytes:
    """The XML with one more child at the end of the root, or of the root's child `inside`."""
    parser = expat.ParserCreate()
    path: list[str] = []
    place = -1
    prefix = ""

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal prefix, place
        local = name.rpartition(":")[2]
        if not path:
            prefix = name.removesuffix(local)
        path.append(local)
        if path[1:] == [inside] or (not inside and len(path) == 1):
            behind = end_of_tag(data, parser.CurrentByteIndex)
            place = -1 if data[behind - 2 : behind] == b"/>" else 0

    def end(name: str) -> None:
        nonlocal place
        if (path[1:] == [inside] or (not inside and len(path) == 1)) and place == 0:
            place = parser.CurrentByteIndex
        path.pop()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise damaged() from error
    if place <= 0:
        raise NotSimple
    return data[:place] + xml.replace("{p}", prefix).encode() + data[place:]


def _with_sheet(workbook: bytes, name: str, relation: str) -> bytes:
    numbers = [int(number) for number in re.findall(rb'\ssheetId="(\d{1,9})"', workbook)]
    link = f'xmlns:aid="{_OFFICE}" aid:id={quoteattr(relation)}'
    return _appended(
        workbook,
        f'<{{p}}sheet name={quoteattr(name)} sheetId="{max(numbers, default=0) + 1}" {link}/>',
        inside="sheets",
    )


class _Looks:
    """The few styles of our own cells, added to the workbook's."""

    def __init__(self, styles: Styles) -> None:
        bold = styles.add("fonts", '<{p}font><{p}b/><{p}sz val="11"/><{p}name val="宋体"/></{p}font>')
        large = styles.add("fonts", '<{p}font><{p}b/><{p}sz val="16"/><{p}name val="宋体"/></{p}font>')
        link = styles.add(
            "fonts", '<{p}font><{p}u/><{p}sz val="11"/><{p}color rgb="FF0563C1"/><{p}name val="宋体"/></{p}font>'
        )
        wrapped = (
            '<{{p}}xf numFmtId="49" fontId="{font}" fillId="0" borderId="0" applyNumberFormat="1" applyFont="1"'
            ' applyAlignment="1"><{{p}}alignment vertical="top" wrapText="1"/></{{p}}xf>'
        )
        plain = '<{{p}}xf numFmtId="49" fontId="{font}" fillId="0" borderId="0" applyNumberFormat="1" applyFont="1"/>'

        def add(pattern: str, font: int) -> int:
            return styles.add("cellXfs", pattern.format(font=font))

        self.reason, self.title, self.line = add(wrapped, 0), add(plain, large), add(plain, 0)
        self.header, self.link = add(wrapped, bold), add(wrapped, link)
        self.levels: dict[Level, int] = {level: styles.painted(self.reason, level) for level in _LEVELS}


def _listed(marks: Marks) -> Iterator[tuple[str, int, Mark]]:
    """What keeps rows out before what does not, each in the order of the file."""
    listed = [(sheet, row, mark) for (sheet, row), said in sorted(marks.items()) for mark in said]
    return iter(sorted(listed, key=lambda each: each[2].level != "error"))


def _lines(summary: Summary, marks: Marks) -> list[str]:
    """What stands between the title and the table."""
    said = sum(len(row) for row in marks.values())
    lines = [f"{label}：{value}" for label, value in summary.counts]
    lines += [
        "有问题的格子已经标了颜色：红色的不能导入，黄色的请核对；原因写在每张表最右边的“系统提示”一列。",
        "改好以后保存，直接上传这份文件就可以：“系统提示”一列和本表会被忽略，已经导入的行不会重复。",
    ]
    if said > _MAX_LISTED:
        lines.append(f"共 {said} 条，下面只列前 {_MAX_LISTED} 条；其余的看各行的“系统提示”。")
    return [*lines, *summary.notes]


def _table_row(sheet: str, row: int, mark: Mark) -> tuple[str, ...]:
    place = mark.label or (get_column_letter(mark.column) if mark.column else "")
    level = _LEVELS[mark.level]
    return sheet, str(row) if row else "", place, mark.who, level, mark.value, mark.message, mark.remedy


def _summary_xml(summary: Summary, marks: Marks, looks: _Looks) -> Iterator[str]:
    yield f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<worksheet xmlns="{_MAIN}"><cols>'
    for number, width in enumerate(_WIDTHS, start=1):
        yield f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
    yield "</cols><sheetData>"
    number = 1
    yield _xml_row(number, [(summary.title, looks.title)])
    for line in _lines(summary, marks):
        number += 1
        yield _xml_row(number, [(line, looks.line)])
    number += 2
    yield _xml_row(number, [(header, looks.header) for header in _HEADERS])
    links = []
    for sheet, row, said in itertools.islice(_listed(marks), _MAX_LISTED):
        number += 1
        cells = [(text, looks.reason) for text in _table_row(sheet, row, said)]
        cells[4] = (cells[4][0], looks.levels[said.level])
        if row:
            cells[1] = (cells[1][0], looks.link)
            links.append((number, _location(sheet, row, said.column)))
        yield _xml_row(number, cells)
    yield "</sheetData>"
    if links:
        yield "<hyperlinks>"
        for number, place in links:
            yield f'<hyperlink ref="B{number}" location={quoteattr(place)}/>'
        yield "</hyperlinks>"
    yield "</worksheet>"


def _location(sheet: str, row: int, column: int | None) -> str:
    quoted = sheet.replace("'", "''")
    return f"'{quoted}'!{get_column_letter(column or 1)}{row}"


def _xml_row(number: int, cells: Sequence[tuple[str, int]]) -> str:
    written = "".join(
        f'<c r="{get_column_letter(column)}{number}" s="{style}" t="inlineStr">'
        f'<is><t xml:space="preserve">{inline_text(text)}</t></is></c>'
        for column, (text, style) in enumerate(cells, start=1)
        if text
    )
    return f'<row r="{number}">{written}</row>'


# --- the workbook made anew -----------------------------------------------------------------------


def _rebuilt(content: bytes, marks: Marks, header_rows: Mapping[str, int], summary: Summary, bounds: Bounds) -> bytes:
    """A new .xlsx with the same sheets and values, and marked; texts stay texts, whatever they look like."""
    made = Workbook(write_only=True)
    names: dict[str, str] = {}
    try:
        with workbooks.open_workbook(content, bounds) as book:
            for index, info in enumerate(book.sheets):
                sheet = made.create_sheet(re.sub(r"[\[\]:*?/\\]", "·", info.name)[:31])
                sheet.sheet_state = "hidden" if info.hidden else "visible"
                names[info.name] = sheet.title
                _write_rows(sheet, book.rows(index))
    except BaseException:
        for sheet in made.worksheets:  # what openpyxl has begun it must end
            sheet.close()
        raise
    out = io.BytesIO()
    made.save(out)
    marks = {(names.get(sheet, sheet), row): said for (sheet, row), said in marks.items()}
    header_rows = {names.get(sheet, sheet): row for sheet, row in header_rows.items()}
    with zipfile.ZipFile(out) as package:
        try:
            return _Patch(package, marks, header_rows, summary).made()
        except NotSimple as error:  # a row of eight megabytes; nothing else that openpyxl writes
            raise damaged() from error


def _write_rows(sheet: Any, rows: Iterable[tuple[int, list[workbooks.Value]]]) -> None:
    written = 0
    for number, values in rows:
        for _ in range(number - 1 - written):
            sheet.append([])
        sheet.append([None if value is None else _cell(sheet, value) for value in values])
        written = number


def _cell(sheet: Any, value: workbooks.Value) -> Any:
    cell = WriteOnlyCell(sheet)
    if isinstance(value, str):
        cell.value = ILLEGAL_CHARACTERS_RE.sub("\ufffd", value)
        cell.data_type, cell.number_format = "s", "@"
    else:
        cell.value = value
        if isinstance(value, dt.date):
            cell.number_format = "yyyy-mm-dd hh:mm:ss" if isinstance(value, dt.datetime) else "yyyy-mm-dd"
    return cell
