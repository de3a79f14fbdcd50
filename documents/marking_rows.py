"""One worksheet of somebody else's workbook, copied with some rows changed: cells coloured, a reason added.

Rows that nothing is said about are copied byte for byte, and only a megabyte or so is in memory at a time. The
bytes are taken apart by patterns, which is right for what spreadsheet programs write (no comments, no CDATA, UTF-8);
a parser looks at all that goes out, and whatever else it meets raises NotSimple.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Protocol
from xml.parsers import expat
from xml.sax.saxutils import escape

from openpyxl.utils import get_column_letter

from .marking_styles import Level, Styles
from .xlsx_package import column_number, refuse_doctype

_CHUNK = 1024 * 1024
_MAX_ROW = 8 * 1024 * 1024
_MAX_HEAD = 4 * 1024 * 1024
REASON_WIDTH = 60  # characters
# What XML cannot hold, and what Excel would read as an escaped character.
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")


class NotSimple(Exception):
    """The part is not written as spreadsheet programs write it; to be rebuilt instead of patched."""


@dataclass(frozen=True)
class RowMark:
    """What is to be done to one row: colours by column (1 is A), and the reasons in words."""

    colours: Mapping[int, Level]
    reason: str


@dataclass(frozen=True)
class SheetMarks:
    """What is to be done to one sheet. `header_row` is 0 where there is no header."""

    rows: Mapping[int, RowMark]
    header_row: int
    header_text: str


class _Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...


def inline_text(text: str) -> str:
    """The text as XML content that reads back as it is."""
    return escape(_ESCAPED.sub("_x005F_", _ILLEGAL.sub("\ufffd", text)))


class Checked:
    """Passes bytes on, after a parser has seen them."""

    def __init__(self, out: _Writable) -> None:
        self._out = out
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = refuse_doctype
        self._parser.CommentHandler = self._parser.StartCdataSectionHandler = _not_simple
        self._parser.XmlDeclHandler = _refuse_other_encodings

    def write(self, data: bytes) -> None:
        self._parse(data, False)
        self._out.write(data)

    def end(self) -> None:
        self._parse(b"", True)

    def _parse(self, data: bytes, final: bool) -> None:
        try:
            self._parser.Parse(data, final)
        except expat.ExpatError as error:
            raise NotSimple from error


def _not_simple(*event: object) -> None:
    raise NotSimple


def _refuse_other_encodings(version: str, encoding: str | None, standalone: int) -> None:
    if encoding and encoding.upper() not in ("UTF-8", "UTF8", "US-ASCII"):
        raise NotSimple


@dataclass(frozen=True)
class _Row:
    number: int
    data: bytes


class _Parts:
    """A sheet's bytes as they come: the head up to the first row, rows that are wanted, and all else as it stands."""

    def __init__(self, stream: IO[bytes], is_wanted: Callable[[int, bytes], bool]) -> None:
        self._stream, self._is_wanted = stream, is_wanted
        self.head = self._read_head()
        found = re.search(rb"<(?:([A-Za-z_][\w.-]*):)?worksheet[\s>]", self.head)
        if not found:
            raise NotSimple
        self.prefix = (found[1] + b":").decode() if found[1] else ""
        p = re.escape(self.prefix.encode())
        begin = re.search(rb"<%ssheetData\s*>" % p, self.head)
        if not begin:
            raise NotSimple  # no rows at all, or none that could be marked
        self._rest = self.head[begin.end() :]
        self.head = self.head[: begin.end()]
        self._row = re.compile(rb"<%srow(?=[\s/>])([^<>]*?)(/?)>" % p)
        self._row_end, self._end = b"</%srow>" % self.prefix.encode(), b"</%ssheetData" % self.prefix.encode()

    def _read_head(self) -> bytes:
        """The first bytes, with the opening tag of the rows at least."""
        head = b""
        while not re.search(rb"sheetData[^<>]*>", head):
            piece = self._stream.read(_CHUNK)
            head += piece
            if not piece or len(head) > _MAX_HEAD:
                raise NotSimple
        return head

    def __iter__(self) -> Iterator[bytes | _Row]:
        data, number, done = self._rest, 0, False
        while not done:
            piece = self._stream.read(_CHUNK)
            data += piece
            stop = data.find(self._end)
            done = stop >= 0 or not piece
            copied = place = 0
            for found in self._row.finditer(data, 0, stop if stop >= 0 else len(data)):
                if found.start() < place:
                    continue
                end = found.end() if found[2] else data.find(self._row_end, found.end()) + len(self._row_end)
                if end < found.end():
                    break  # the rest of the row has not come yet
                if b"'" in found[1]:
                    raise NotSimple  # attributes in the other quotes
                claimed = re.search(rb'\sr="(\d{1,7})"', found[1])
                number = int(claimed[1]) if claimed else number + 1
                place = end
                if self._is_wanted(number, data[found.start() : end]):
                    yield data[copied : found.start()]
                    yield _Row(number, data[found.start() : end])
                    copied = end
            else:
                # A row's opening tag may be cut in two at the end of the data.
                place = max(place, data.rfind(b"<"))
            if done:
                place = len(data)
            yield data[copied:place]
            data = data[place:]
            if len(data) > _MAX_ROW:
                raise NotSimple
        while piece := self._stream.read(_CHUNK):
            yield piece


@dataclass
class _Cell:
    column: int
    start: int
    end: int
    attributes: bytes
    inner: bytes | None  # None: closed at once

    @property
    def style(self) -> int:
        found = re.search(rb'\ss="(\d{1,6})"', self.attributes)
        return int(found[1]) if found else 0

    @property
    def is_filled(self) -> bool:
        return bool(self.inner and (b"v>" in self.inner or b"is>" in self.inner or b"f>" in self.inner))


class _Cells:
    """Finds the cells of a row. A cell without reference follows the one before it."""

    def __init__(self, prefix: str) -> None:
        p = re.escape(prefix.encode())
        self._cell = re.compile(rb"<%sc(?=[\s/>])([^<>]*?)(?:/>|>(.*?)</%sc>)" % (p, p), re.DOTALL)

    def of(self, row: bytes) -> list[_Cell]:
        cells, column = [], 0
        for found in self._cell.finditer(row):
            if b"'" in found[1]:
                raise NotSimple  # attributes in the other quotes
            reference = re.search(rb'\sr="([A-Z]{1,3})\d{1,7}"', found[1])
            column = column_number(reference[1].decode()) if reference else column + 1
            cells.append(_Cell(column, found.start(), found.end(), found[1], found[2]))
        if [cell.column for cell in cells] != sorted({cell.column for cell in cells}):
            raise NotSimple
        return cells


def find_reason_column(stream: IO[bytes], marks: SheetMarks, shared_reason: Sequence[int]) -> tuple[int, bool]:
    """Where the reasons go: the column that a former marking made, or the first one right of all that stands in
    the header and below it. And whether it is such a former column, whose old reasons have to go.

    `shared_reason` are the numbers of the shared strings that are the header of a former reason column.
    """
    last = 0

    def is_wanted(number: int, data: bytes) -> bool:
        return number == marks.header_row or (number > marks.header_row and _may_reach_beyond(data, last))

    parts = _Parts(stream, is_wanted)
    cells = _Cells(parts.prefix)
    headers = {inline_text(marks.header_text).encode(), *(b"v>%d<" % number for number in shared_reason)}
    for part in parts:
        if isinstance(part, _Row):
            filled = [cell for cell in cells.of(part.data) if cell.is_filled]
            if part.number == marks.header_row:
                for cell in filled:
                    if any(header in (cell.inner or b"") for header in headers):
                        return cell.column, True
            last = max([last, *(cell.column for cell in filled)])
    return last + 1, False


def _may_reach_beyond(row: bytes, column: int) -> bool:
    """Whether the last cell of a row stands right of the column, or does not say where it stands."""
    found = re.search(rb'\sr="([A-Z]{1,3})\d{1,7}"', row[max(row.rfind(b"<c "), row.rfind(b":c ")) :])
    return not found or column_number(found[1].decode()) > column


class SheetWriter:
    """Copies one worksheet with its marks."""

    def __init__(self, styles: Styles, reason_style: int, reason_column: int, *, is_former: bool) -> None:
        self._styles, self._reason_style = styles, reason_style
        self._column, self._is_former = reason_column, is_former
        self._letters = get_column_letter(reason_column)

    def copy(self, stream: IO[bytes], out: _Writable, marks: SheetMarks) -> None:
        """Raises NotSimple; what has been written by then is to be thrown away."""
        reference = f'r="{self._letters}'.encode()

        def is_wanted(number: int, data: bytes) -> bool:
            return number in marks.rows or number == marks.header_row or (self._is_former and reference in data)

        parts = _Parts(stream, is_wanted)
        cells = _Cells(parts.prefix)
        checked = Checked(out)
        checked.write(self._head(parts.head, parts.prefix))
        for part in parts:
            if isinstance(part, _Row):
                part = self._row(part, marks, cells, parts.prefix)
            checked.write(part)
        checked.end()

    def _row(self, row: _Row, marks: SheetMarks, cells: _Cells, prefix: str) -> bytes:
        found = cells.of(row.data)
        mark = marks.rows.get(row.number, RowMark({}, ""))
        text, style = mark.reason, self._reason_style
        if row.number == marks.header_row:
            text = marks.header_text
            style = next((cell.style for cell in reversed(found) if cell.is_filled), style)
        changed: dict[int, bytes] = {}
        by_column = {cell.column: cell for cell in found}
        for column, level in mark.colours.items():
            if column != self._column:
                changed[column] = self._coloured(row, by_column.get(column), column, level, prefix)
        if text:
            changed[self._column] = self._text(f"{self._letters}{row.number}", style, text, prefix)
        elif row.number > marks.header_row and self._column in by_column:
            changed[self._column] = b""  # the reason of an earlier round
        return self._put_together(row, found, changed, prefix)

    def _coloured(self, row: _Row, cell: _Cell | None, column: int, level: Level, prefix: str) -> bytes:
        if cell is None:
            style = self._styles.painted(_row_style(row.data), level)
            return f'<{prefix}c r="{get_column_letter(column)}{row.number}" s="{style}"/>'.encode()
        attributes = re.sub(rb'\ss="\d{1,6}"', b"", cell.attributes)
        painted = b'%s s="%d"' % (attributes.rstrip(), self._styles.painted(cell.style, level))
        tag = f"{prefix}c".encode()
        if cell.inner is None:
            return b"<%s%s/>" % (tag, painted)
        return b"<%s%s>%s</%s>" % (tag, painted, cell.inner, tag)

    @staticmethod
    def _text(reference: str, style: int, text: str, p: str) -> bytes:
        content = f'<{p}is><{p}t xml:space="preserve">{inline_text(text[:32_000])}</{p}t></{p}is>'
        return f'<{p}c r="{reference}" s="{style}" t="inlineStr">{content}</{p}c>'.encode()

    @staticmethod
    def _put_together(row: _Row, found: list[_Cell], changed: dict[int, bytes], prefix: str) -> bytes:
        begin = re.match(rb"<[^<>]*?(/?)>", row.data)
        assert begin is not None
        tag = re.sub(rb'\sspans="[^"]*"', b"", begin[0])
        if b"customHeight" not in tag:
            tag = re.sub(rb'\sht="[^"]*"', b"", tag)  # as high as the reasons need
        if begin[1]:
            closing = f"</{prefix}row>".encode()
            return tag[:-2].rstrip() + b">" + b"".join(changed[column] for column in sorted(changed)) + closing
        pieces, place = [tag], begin.end()
        waiting = sorted(changed, reverse=True)
        for cell in found:
            while waiting and waiting[-1] < cell.column:
                pieces += [row.data[place : cell.start], changed[waiting.pop()]]
                place = cell.start
            if waiting and waiting[-1] == cell.column:
                pieces += [row.data[place : cell.start], changed[waiting.pop()]]
                place = cell.end
        last = found[-1].end if found else begin.end()
        pieces += [
            row.data[place:last],
            *(changed[column] for column in reversed(waiting)),
            row.data[max(last, place) :],
        ]
        return b"".join(pieces)

    def _head(self, head: bytes, prefix: str) -> bytes:
        """The head with room for the reasons: the column's width, and a dimension that reaches so far."""
        p = re.escape(prefix.encode())
        head = re.sub(rb"<%sdimension\s[^<>]*/>" % p, b"", head)  # optional, and no longer true
        own = (
            f'<{prefix}col min="{self._column}" max="{self._column}" width="{REASON_WIDTH}" customWidth="1"/>'.encode()
        )
        columns = re.search(rb"<%scols(?:\s[^<>]*)?>(.*?)</%scols>" % (p, p), head, re.DOTALL)
        if not columns:
            begin = head.rindex(b"<")
            return head[:begin] + f"<{prefix}cols>".encode() + own + f"</{prefix}cols>".encode() + head[begin:]
        kept = list(self._without_own(columns[1], p))
        kept.append((self._column, own))
        kept.sort()
        return head[: columns.start(1)] + b"".join(xml for _, xml in kept) + head[columns.end(1) :]

    def _without_own(self, columns: bytes, p: bytes) -> Iterator[tuple[int, bytes]]:
        """The widths of the other columns; a range that holds ours is split around it."""
        for found in re.finditer(rb"<%scol\s[^<>]*/>" % p, columns):
            first, last = (re.search(rb'\s%s="(\d{1,5})"' % end, found[0]) for end in (b"min", b"max"))
            if not first or not last:
                raise NotSimple
            low, high = int(first[1]), int(last[1])
            pieces = [(low, high)]
            if low <= self._column <= high:
                pieces = [(low, self._column - 1), (self._column + 1, high)]
            for one, other in pieces:
                if one <= other:
                    xml = re.sub(rb'\smin="\d+"', b' min="%d"' % one, found[0])
                    yield one, re.sub(rb'\smax="\d+"', b' max="%d"' % other, xml)


def _row_style(row: bytes) -> int:
    found = re.match(rb'<[^<>]*?\ss="(\d{1,6})"', row)
    return int(found[1]) if found else 0
