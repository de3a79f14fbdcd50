"""Workbooks the system hands out: text stays text, amounts are numbers, ready to print, the same bytes each time."""

import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest
from typing import Literal
from xml.sax.saxutils import escape

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Border, Font, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.properties import PageSetupProperties

ColumnKind = Literal["text", "amount", "count", "date"]
Content = str | Decimal | int | dt.date | None

# A workbook holds the time of its making in three places; all stand here, so that content alone decides the bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_CORE = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><cp:keywords>{keywords}</cp:keywords></cp:coreProperties>'
)
_FORMATS: dict[str, str] = {"text": "@", "amount": "0.00", "count": "0", "date": "yyyy-mm-dd"}
_FONT = "宋体"
_CHOICE_ROWS = 5000  # how far down a drop-down reaches
_CHOICES_SHEET = "选项"  # hidden: the words of drop-downs that are too many for a formula
_CHOICES_IN_FORMULA = 250  # characters; Excel takes 255
_THIN = Side(style="thin")
_BOX = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)
_CENTRE = Alignment(horizontal="center", vertical="center", wrap_text=True)
_LEFT = Alignment(horizontal="left", vertical="center", wrap_text=True)
_RIGHT = Alignment(horizontal="right", vertical="center")


@dataclass(frozen=True)
class Column:
    title: str
    width: float = 12  # in characters of the standard font, as Excel counts
    kind: ColumnKind = "text"
    centred: bool = False
    choices: tuple[str, ...] = ()  # a drop-down of these words, in a table that is to be filled in
    # A drop-down that depends on the row: (title of another column, the words for each value it may have).
    choices_by: tuple[str, Mapping[str, Sequence[str]]] | None = None


@dataclass(frozen=True)
class WorksheetPlan:
    """One sheet. `above` and `below` are lines across the whole table; `totals` a last row inside it."""

    name: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Content]]
    title: str = ""
    above: Sequence[str] = ()
    totals: Sequence[Content] = ()
    below: Sequence[str] = ()
    row_height: float = 20  # points
    frozen_columns: int = 0
    footer: str = ""  # left of the page number
    to_fill_in: bool = False  # below the rows, too, what is typed into a column of texts stays a text


def write(sheets: Sequence[WorksheetPlan], *, keywords: str = "") -> bytes:
    """The sheets as an .xlsx file. `keywords` stands in the file's properties; no author, no times."""
    book = Workbook(write_only=True)
    choices = _Choices()
    try:
        for plan in sheets:
            _Writer(book, plan, choices).write()
        choices.write(book)
    except BaseException:
        for sheet in book.worksheets:  # what openpyxl has begun it must end
            sheet.close()
        raise
    raw = io.BytesIO()
    book.save(raw)
    return _without_time(raw.getvalue(), keywords)


class _Choices:
    """The words of drop-downs, in columns of a hidden sheet."""

    def __init__(self) -> None:
        self.columns: list[Sequence[str]] = []

    def formula(self, column: Column, titles: Sequence[str], row: int) -> str:
        """What the drop-down of the column's cell in this row offers; "" for no drop-down."""
        if column.choices_by is not None:
            title, words = column.choices_by
            pairs = [(value, word) for value, offered in words.items() for word in offered]
            if not pairs:
                return ""
            values = self._keep([value for value, _ in pairs])
            first = self._keep([word for _, word in pairs]).split(":")[0]
            chosen = f"${get_column_letter(titles.index(title) + 1)}{row}"
            return f"OFFSET({first},MATCH({chosen},{values},0)-1,0,COUNTIF({values},{chosen}),1)"
        words_of_all = ",".join(column.choices)
        # A comma in a word would make two of it.
        if len(words_of_all) > _CHOICES_IN_FORMULA or words_of_all.count(",") >= len(column.choices) > 0:
            return self._keep(column.choices)
        return f'"{words_of_all}"' if column.choices else ""

    def _keep(self, words: Sequence[str]) -> str:
        self.columns.append(words)
        letter = get_column_letter(len(self.columns))
        return f"'{_CHOICES_SHEET}'!${letter}$1:${letter}${len(words)}"

    def write(self, book: Workbook) -> None:
        if not self.columns:
            return
        sheet = book.create_sheet(_CHOICES_SHEET)
        sheet.sheet_state = "hidden"
        for row in zip_longest(*self.columns):
            cells = []
            for word in row:
                cell = WriteOnlyCell(sheet)
                _set_text(cell, word or "")
                cells.append(cell)
            sheet.append(cells)


class _Writer:
    """Appends one plan row by row; only one row is in memory at a time."""

    def __init__(self, book: Workbook, plan: WorksheetPlan, choices: _Choices) -> None:
        self.plan, self.choices = plan, choices
        self.sheet = book.create_sheet(_sheet_name(plan.name))
        self.width = len(plan.columns)
        self.row = 0

    def write(self) -> None:
        self._set_up_page()
        if self.plan.title:
            self._line(self.plan.title, Font(name=_FONT, size=18, bold=True), _CENTRE, height=32)
        for text in self.plan.above:
            self._line(text, Font(name=_FONT, size=11), _LEFT, height=20)
        self._append([self._cell(c.title, "text", _CENTRE, bold=True) for c in self.plan.columns], height=30)
        for values in self.plan.rows:
            self._append(self._cells(values), height=self.plan.row_height)
        if self.plan.totals:
            self._append(self._cells(self.plan.totals, bold=True), height=self.plan.row_height)
        for text in self.plan.below:
            self._line(text, Font(name=_FONT, size=11), _LEFT, height=24)

    def _set_up_page(self) -> None:
        """Page and widths; a write-only sheet takes them before its first row."""
        sheet, header = self.sheet, bool(self.plan.title) + len(self.plan.above) + 1
        sheet.freeze_panes = f"{get_column_letter(self.plan.frozen_columns + 1)}{header + 1}"
        sheet.print_title_rows = f"{header}:{header}"
        sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9  # A4
        sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
        sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
        sheet.page_margins.left = sheet.page_margins.right = 0.45
        sheet.page_margins.top, sheet.page_margins.bottom = 0.5, 0.6
        sheet.print_options.horizontalCentered = True
        sheet.oddFooter.left.text = _footer_text(self.plan.footer)
        sheet.oddFooter.center.text = "第 &P 页　共 &N 页"
        for index, column in enumerate(self.plan.columns, start=1):
            letter = get_column_letter(index)
            sheet.column_dimensions[letter].width = column.width
            if self.plan.to_fill_in and column.kind == "text":
                sheet.column_dimensions[letter].number_format = _FORMATS["text"]
            formula = self.choices.formula(column, [each.title for each in self.plan.columns], header + 1)
            if formula:
                words = DataValidation(type="list", formula1=formula, allow_blank=True)
                words.add(f"{letter}{header + 1}:{letter}{header + _CHOICE_ROWS}")
                sheet.data_validations.append(words)

    def _line(self, text: str, font: Font, alignment: Alignment, *, height: float) -> None:
        cell = WriteOnlyCell(self.sheet)
        _set_text(cell, text)
        cell.font, cell.alignment = font, alignment
        self._append([cell], height=height)
        if self.width > 1:
            self.sheet.merged_cells.add(f"A{self.row}:{get_column_letter(self.width)}{self.row}")

    def _append(self, cells: list[WriteOnlyCell], *, height: float) -> None:
        self.row += 1
        self.sheet.row_dimensions[self.row].height = height
        self.sheet.append(cells)

    def _cells(self, values: Sequence[Content], *, bold: bool = False) -> list[WriteOnlyCell]:
        if len(values) != self.width:
            raise ValueError(f"A row has {len(values)} values for {self.width} columns.")
        return [
            self._cell(value, column.kind, _alignment(column), bold=bold)
            for value, column in zip(values, self.plan.columns, strict=True)
        ]

    def _cell(self, value: Content, kind: ColumnKind, alignment: Alignment, *, bold: bool = False) -> WriteOnlyCell:
        cell = WriteOnlyCell(self.sheet)
        if isinstance(value, str):
            _set_text(cell, value)
        elif value is not None:
            cell.value = value
            cell.number_format = _FORMATS[kind]
        cell.border, cell.alignment, cell.font = _BOX, alignment, _BOLD if bold else _PLAIN
        return cell


_PLAIN, _BOLD = Font(name=_FONT, size=11), Font(name=_FONT, size=11, bold=True)


def _alignment(column: Column) -> Alignment:
    if column.kind in ("amount", "count"):
        return _RIGHT
    return _CENTRE if column.centred else _LEFT


def _set_text(cell: WriteOnlyCell, text: str) -> None:
    """Text, whatever it looks like: "=1+1" is four characters, not a sum."""
    cell.value = ILLEGAL_CHARACTERS_RE.sub("", text)
    cell.data_type = "s"
    cell.number_format = "@"


def _sheet_name(name: str) -> str:
    """Excel's rules: 31 characters, none of []:*?/\\ ."""
    return re.sub(r"[\[\]:*?/\\]", "·", name)[:31] or "Sheet1"


def _footer_text(text: str) -> str:
    return text.replace("&", "&&")


def _without_time(content: bytes, keywords: str) -> bytes:
    """The package again with fixed times in the zip and in the properties."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist()):
            body = old.read(name)
            if name == "docProps/core.xml":
                body = _CORE.format(keywords=escape(keywords)).encode()
            part = zipfile.ZipInfo(name, _EPOCH)
            part.compress_type, part.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            new.writestr(part, body)
    return out.getvalue()
