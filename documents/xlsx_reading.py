"""Reading an uploaded workbook, cell by cell, within bounds.

Own reader over the XML stream, because the packages we tried each fail on real or hostile rosters: one asks
for 512 GB over a single far cell, one silently drops what lies beyond its bounds and reads the built-in
Chinese date formats as plain numbers. This one reads every part once, keeps nothing it does not return, and
stops at the first thing that is too much.
"""

import datetime as dt
import functools
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from pathlib import PurePosixPath
from typing import Literal
from xml.parsers import expat

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900, from_excel

from .xlsx_package import BROKEN, WorkbookRefused, damaged, open_package

Kind = Literal["text", "number", "date", "formula", "empty", "bool", "error"]
Value = str | Decimal | dt.date | dt.datetime | dt.time | dt.timedelta | bool | None

MAX_SHEETS = 20
MAX_CELL_TEXT = 32_767  # Excel's own limit
MAX_TEXT = 20_000_000  # characters in one workbook
# 5000 rows of 60 filled cells are 300 000 cells and up to 900 000 elements; reading stops at about two seconds.
_MAX_CELLS = 400_000
_MAX_ELEMENTS = 1_200_000
_MAX_DEPTH = 100  # real parts nest a dozen deep; the parser remembers every open element
_CHUNK = 64 * 1024
# What Excel shows of a number: fifteen significant digits.
_SHOWN = Context(prec=15)
# Built-in formats that are dates in a Chinese Excel (27–36 and 50–58), besides the ones everybody knows.
_CHINESE_DATES = frozenset([*range(27, 37), *range(50, 59)])
_TOO_MUCH = "请新建一个工作簿，只把有内容的行列复制过去，另存为 .xlsx 再上传。"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. `text` is what a person reads; `value` is Decimal, date, bool or the text itself.

    A formula's `text` is the formula; the result Excel kept of it is not data and is not read. A number has
    at most 15 digits, as in Excel: an ID number typed as a number has already lost its end.
    """

    text: str
    kind: Kind
    value: Value


@dataclass(frozen=True, slots=True)
class Row:
    number: int  # as Excel counts, from 1
    cells: tuple[Cell, ...]  # from column A, as many as the sheet's widest row


@dataclass(frozen=True, slots=True)
class Sheet:
    name: str
    rows: tuple[Row, ...]  # those with any content, in order
    hidden: bool = False


Starts = dict[str, Callable[[dict[str, str]], None]]
Ends = dict[str, Callable[[], None]]
EMPTY = Cell("", "empty", None)


def read(content: bytes, *, max_rows: int = 5000, max_columns: int = 60) -> list[Sheet]:
    """Every sheet of an .xlsx file, in order. Raises WorkbookRefused with a sentence for the person."""
    with open_package(content) as package:
        book = _Workbook(package)
        sheets = [
            Sheet(name, tuple(_SheetReader(book, part, name, max_rows, max_columns).rows()), hidden)
            for name, part, hidden in book.sheets
        ]
    if not any(sheet.rows for sheet in sheets):
        raise WorkbookRefused("这个工作簿里没有任何内容。请检查是否选错了文件，或者内容在另一个工作簿里。")
    return sheets


class _ByLocalName(dict):
    """Handlers by element name; "x:row" finds the handler of "row", and is remembered."""

    def __missing__(self, name: str) -> Callable | None:
        handler = self.get(name.rpartition(":")[2])
        if len(self) < 1000:  # a file may hold a million names
            self[name] = handler
        return handler


class _Workbook:
    """What the sheets share: their list, the shared strings, which styles are dates, the calendar."""

    def __init__(self, package: zipfile.ZipFile) -> None:
        self.package = package
        self.elements_left = _MAX_ELEMENTS
        self.cells_left = _MAX_CELLS
        self.depth = 0
        self.characters_left = MAX_TEXT
        home = self._find_workbook()
        self._targets = self._relations(home)
        self.sheets: list[tuple[str, str, bool]] = []
        self.epoch = CALENDAR_WINDOWS_1900
        self._read_workbook(home)
        self.date_styles = self._read_date_styles()
        self.strings = self._read_strings()

    def parse(
        self, part: str, starts: Starts, ends: Ends | None = None, text: Callable[[str], None] | None = None
    ) -> None:
        """Stream one part through handlers, by element name without prefix; other elements cost next to nothing."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        starts, ends = _ByLocalName(starts), _ByLocalName(ends or {})

        def start(name: str, attributes: dict[str, str]) -> None:
            self.elements_left -= 1
            self.depth += 1
            if handler := starts[name]:
                handler(attributes)

        def end(name: str) -> None:
            self.depth -= 1
            if handler := ends[name]:
                handler()

        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
        try:
            with self.package.open(part) as stream:
                while chunk := stream.read(_CHUNK):
                    parser.Parse(chunk, False)
                    self._refuse_too_many()
                parser.Parse(b"", True)
        except (*BROKEN, expat.ExpatError) as error:
            raise damaged() from error

    def _refuse_too_many(self) -> None:
        if self.depth > _MAX_DEPTH:
            raise damaged()
        if self.elements_left < 0 or self.cells_left < 0:
            raise WorkbookRefused("这个工作簿里的单元格太多（空的、只有格式的也算）。" + _TOO_MUCH)

    def take_text(self, text: str) -> str:
        """Count a text against the bounds of the workbook."""
        self.characters_left -= len(text)
        if len(text) > MAX_CELL_TEXT or self.characters_left < 0:
            raise WorkbookRefused("这个工作簿里的文字太多，不像正常的名册。" + _TOO_MUCH)
        return text

    def _find_workbook(self) -> str:
        relations = self._relations("")
        found = next((target for kind, target in relations.values() if kind == "officeDocument"), "xl/workbook.xml")
        return found

    def _relations(self, part: str) -> dict[str, tuple[str, str]]:
        """The part's relations: id → (kind, target part)."""
        path = PurePosixPath(part)
        name = f"{path.parent}/_rels/{path.name}.rels" if part else "_rels/.rels"
        found: dict[str, tuple[str, str]] = {}

        def relation(attributes: dict[str, str]) -> None:
            if attributes.get("TargetMode") != "External":
                target = attributes.get("Target", "")
                whole = target.lstrip("/") if target.startswith("/") or not part else f"{path.parent}/{target}"
                found[attributes.get("Id", "")] = (attributes.get("Type", "").rpartition("/")[2], whole)

        if name in self.package.namelist():
            self.parse(name, {"Relationship": relation})
        return found

    def _read_workbook(self, home: str) -> None:
        def properties(attributes: dict[str, str]) -> None:
            if attributes.get("date1904") in ("1", "true"):
                self.epoch = CALENDAR_MAC_1904

        def sheet(attributes: dict[str, str]) -> None:
            relation = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            kind, part = self._targets.get(relation, ("", ""))
            if kind == "worksheet":
                self.sheets.append((attributes.get("name", ""), part, attributes.get("state", "visible") != "visible"))

        self.parse(home, {"workbookPr": properties, "sheet": sheet})
        if not self.sheets:
            raise WorkbookRefused("这个工作簿里没有工作表。请检查是否选错了文件。")
        if len(self.sheets) > MAX_SHEETS:
            raise WorkbookRefused(
                f"这个工作簿有 {len(self.sheets)} 张工作表，最多读 {MAX_SHEETS} 张。请把要导入的表单独存成一个文件。"
            )

    def _part_of_kind(self, kind: str) -> str | None:
        found = next((part for a_kind, part in self._targets.values() if a_kind == kind), None)
        return found if found in self.package.namelist() else None

    def _read_date_styles(self) -> frozenset[int]:
        """Which cell styles show a number as a date."""
        formats: dict[int, str] = {}
        styles: list[int] = []
        in_cell_styles = False

        def numeric_format(attributes: dict[str, str]) -> None:
            formats[_whole(attributes.get("numFmtId"))] = attributes.get("formatCode", "")

        def cell_styles(inside: bool) -> None:
            nonlocal in_cell_styles
            in_cell_styles = inside

        def style(attributes: dict[str, str]) -> None:
            if in_cell_styles:
                styles.append(_whole(attributes.get("numFmtId", "0")))

        def is_date(number: int) -> bool:
            return (number in _CHINESE_DATES and number not in formats) or is_date_format(
                formats.get(number, BUILTIN_FORMATS.get(number, ""))
            )

        if part := self._part_of_kind("styles"):
            self.parse(
                part,
                {"numFmt": numeric_format, "cellXfs": lambda attributes: cell_styles(True), "xf": style},
                {"cellXfs": lambda: cell_styles(False)},
            )
        dates = {number for number in set(styles) if is_date(number)}
        return frozenset(index for index, number in enumerate(styles) if number in dates)

    def _read_strings(self) -> list[str]:
        strings: list[str] = []
        gather = _TextGatherer(lambda text: strings.append(self.take_text(text)))
        if part := self._part_of_kind("sharedStrings"):
            self.parse(part, gather.starts("si"), gather.ends("si"), gather.text)
        return strings


class _TextGatherer:
    """Collects the text of <si> or <is>: plain or in runs, without the phonetic guide above the characters."""

    def __init__(self, done: Callable[[str], None]) -> None:
        self.done = done
        self.pieces: list[str] = []
        self.size = 0
        self.in_text = self.in_guide = False

    def starts(self, holder: str) -> Starts:
        return {holder: self._begin, "t": self._begin_text, "rPh": self._begin_guide}

    def ends(self, holder: str) -> Ends:
        return {holder: self._end, "t": self._end_text, "rPh": self._end_guide}

    def text(self, piece: str) -> None:
        if self.in_text:
            self.size += len(piece)
            # Held back here too, so that one endless string cannot fill the memory before it ends.
            if self.size <= 2 * MAX_CELL_TEXT:
                self.pieces.append(piece)

    def _begin(self, attributes: dict[str, str]) -> None:
        self.pieces, self.size = [], 0

    def _begin_text(self, attributes: dict[str, str]) -> None:
        self.in_text = not self.in_guide

    def _begin_guide(self, attributes: dict[str, str]) -> None:
        self.in_guide = True

    def _end_text(self) -> None:
        self.in_text = False

    def _end_guide(self) -> None:
        self.in_guide = False

    def _end(self) -> None:
        self.done(_unescape("".join(self.pieces)))


class _SheetReader:
    """One worksheet. Positions come from the cells themselves; what <dimension> claims is never read."""

    def __init__(self, book: _Workbook, part: str, name: str, max_rows: int, max_columns: int) -> None:
        self.book, self.part, self.name = book, part, name
        self.max_rows, self.max_columns = max_rows, max_columns
        self.found: dict[int, dict[int, Cell]] = {}
        self.row = self.column = 0
        self.attributes: dict[str, str] = {}
        self.raw: list[str] = []
        self.formula: list[str] | None = None
        self.inline: str | None = None
        self.collecting: list[str] | None = None
        self.gather = _TextGatherer(self._take_inline)

    def rows(self) -> Iterator[Row]:
        starts: Starts = {
            "row": self._begin_row,
            "c": self._begin_cell,
            "v": self._begin_value,
            "f": self._begin_formula,
        }
        ends: Ends = {"c": self._end_cell, "v": self._end_content, "f": self._end_content}
        self.book.parse(self.part, starts | self.gather.starts("is"), ends | self.gather.ends("is"), self._text)
        width = max((max(cells) for cells in self.found.values()), default=0)
        for number in sorted(self.found):
            cells = self.found[number]
            yield Row(number, tuple(cells.get(column, EMPTY) for column in range(1, width + 1)))

    def _begin_row(self, attributes: dict[str, str]) -> None:
        self.row = _whole(attributes.get("r"), self.row + 1)
        self.column = 0

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        self.book.cells_left -= 1
        self.column += 1
        self.attributes, self.formula, self.inline = attributes, None, None
        self.raw = []

    def _begin_value(self, attributes: dict[str, str]) -> None:
        self.collecting = self.raw

    def _begin_formula(self, attributes: dict[str, str]) -> None:
        self.formula = self.collecting = []

    def _text(self, piece: str) -> None:
        if self.collecting is not None:
            self.collecting.append(self.book.take_text(piece))
        else:
            self.gather.text(piece)

    def _end_content(self) -> None:
        self.collecting = None

    def _take_inline(self, text: str) -> None:
        self.inline = self.book.take_text(text)

    def _end_cell(self) -> None:
        if reference := self.attributes.get("r"):
            self.column = _column_of(reference, self.row)
        if not self.raw and self.formula is None and self.inline is None:
            return
        cell = self._cell()
        if cell is EMPTY:
            return
        self._refuse_too_far()
        self.found.setdefault(self.row, {})[self.column] = cell

    def _refuse_too_far(self) -> None:
        if self.row > self.max_rows and len(self.found) >= self.max_rows // 2:
            raise WorkbookRefused(f"工作表“{self.name}”超过 {self.max_rows} 行。请分成几个文件，分别上传。")
        if self.row > self.max_rows or self.column > self.max_columns:
            raise WorkbookRefused(
                f"工作表“{self.name}”第 {self.row} 行第 {self.column} 列有内容，离名册太远"
                f"（最多 {self.max_rows} 行、{self.max_columns} 列）。请删除那里的内容，或" + _TOO_MUCH[1:]
            )

    def _cell(self) -> Cell:
        if self.formula is not None:
            text = "=" + "".join(self.formula)
            return Cell(text, "formula", text)
        raw = "".join(self.raw)
        kind = self.attributes.get("t", "n")
        if kind == "inlineStr":
            return _text_cell(self.inline or "")
        if raw == "":
            return EMPTY
        if kind == "s":
            return self._shared(raw)
        return _READERS.get(kind, self._number)(raw)

    def _shared(self, raw: str) -> Cell:
        try:
            return _text_cell(self.book.strings[_whole(raw)])
        except IndexError as error:
            raise damaged() from error

    def _number(self, raw: str) -> Cell:
        try:
            number = _SHOWN.create_decimal(raw.strip())
        except InvalidOperation as error:
            raise damaged() from error
        if not number.is_finite() or abs(number.adjusted()) > 310:
            raise damaged()
        if _whole(self.attributes.get("s", "0")) in self.book.date_styles:
            return self._date(number)
        return Cell(_plain(number), "number", number)

    def _date(self, number: Decimal) -> Cell:
        try:
            value = from_excel(float(number), self.book.epoch)
        except (ValueError, OverflowError):
            # Excel shows ##### for it; the number itself is all there is.
            return Cell(_plain(number), "number", number)
        if isinstance(value, dt.datetime) and value.time() == dt.time():
            value = value.date()
        return Cell(str(value), "date", value)


def _text_cell(text: str) -> Cell:
    return Cell(text, "text", text) if text.strip() else EMPTY


def _iso_date(raw: str) -> Cell:
    try:
        moment = dt.datetime.fromisoformat(raw.strip())
    except ValueError:
        return _text_cell(raw)
    value = moment.date() if moment.time() == dt.time() else moment
    return Cell(str(value), "date", value)


# Cell types (ST_CellType) other than numbers and shared or inline strings.
_READERS: dict[str, Callable[[str], Cell]] = {
    "str": _text_cell,
    "b": lambda raw: Cell("TRUE" if raw.strip() == "1" else "FALSE", "bool", raw.strip() == "1"),
    "e": lambda raw: Cell(raw, "error", raw),
    "d": _iso_date,
}


def _refuse_doctype(*declaration: object) -> None:
    raise WorkbookRefused(
        "这个文件内含实体声明，正常的 Excel 文件不会有，系统没有打开它。请用 Excel 或 WPS 重新另存一份。"
    )


def _whole(text: str | None, default: int = 0) -> int:
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,9}", text.strip()):
        raise damaged()
    return int(text)


@functools.lru_cache(maxsize=1 << 14)
def _column_number(letters: str) -> int:
    if not re.fullmatch("[A-Z]{1,3}", letters):
        raise damaged()
    return functools.reduce(lambda number, letter: number * 26 + ord(letter) - 64, letters, 0)


def _column_of(reference: str, row: int) -> int:
    """ "C12" in row 12 → 3. A cell that claims another row than the one it stands in is a damaged file."""
    letters = reference.rstrip("0123456789")
    if reference[len(letters) :] != str(row):
        raise damaged()
    return _column_number(letters)


def _plain(number: Decimal) -> str:
    """Digits without exponent or idle zeros: 1.250E+3 → "1250"."""
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _unescape(text: str) -> str:
    """Excel writes control characters as _x000D_."""
    return re.sub(r"_x([0-9A-Fa-f]{4})_", _character, text) if "_x" in text else text


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    # NUL and halves of a character cannot be stored or shown by anything behind us.
    return "\ufffd" if code == 0 or 0xD800 <= code <= 0xDFFF else chr(code)
