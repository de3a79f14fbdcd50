"""Reading a comparison list by its profile: people row by row, and what could not be read.

Tolerant where it costs nothing (titles above, blanks and line breaks inside numbers, a "G" before one, columns
that have moved under their headers), and never silent: what is left out is a finding with sheet, row and column.
Nothing here touches the database.
"""

import datetime as dt
import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from openpyxl.utils import get_column_letter

from accounts.redaction import redact
from documents import workbooks
from documents.workbooks import SheetInfo, Value, Workbook, WorkbookRefused

from . import numbers, words
from .columns import tidy_header
from .list_profiles import Layout, Place

HEADER_ROWS = 20  # the header is looked for in these
MAX_PERSONS = 400_000
MAX_FINDINGS = 300  # kept of one file; all are counted
_EIGHTEEN = re.compile(r"[0-9]{17}[0-9X]")
_PLAIN_NAME = re.compile(r"[\u4e00-\u9fff]{2,4}")
_NOTHING = frozenset({"", "-", "—", "——", "/", "\\", "无", "空", "0", "NULL", "NONE", "未知", "N/A", "#N/A"})
_WITHOUT_END = frozenset({"长期", "长期有效", "永久", "终身"})
_NO_HEADER = "没有认出表头，是按格式里的列字母读的。"


class Person(NamedTuple):
    """Somebody on the list. `number` is "" when there is no usable ID number."""

    position: int  # of the sheet, from 1
    sheet: str
    row: int
    number: str
    name: str
    birth_date: dt.date | None
    household: str  # equal within one household: "=" and its number (perhaps a person's, never shown), or its row
    relation: str
    flags: dict[str, str]
    valid_from: dt.date | None
    valid_to: dt.date | None


class Number(NamedTuple):
    """An ID number as read: usable, or "" with the reason; the birth date may be known even so."""

    text: str
    birth_date: dt.date | None
    problem: str


@dataclass
class Columns:
    """Where everything stands on one sheet."""

    number: int | None
    name: int | None
    birth_date: int | None
    relation: int | None
    household: int | None
    valid_from: int | None
    valid_to: int | None
    flags: dict[str, int]
    first_row: int  # of the data, as Excel counts


@dataclass
class ListReader:
    """Reads one open workbook; the counts and findings are whole once `people` has been exhausted."""

    book: Workbook
    layout: Layout
    rows: int = 0
    numbers_seen: int = 0
    numbers_wrong: int = 0
    findings_total: int = 0
    findings: list[dict[str, Any]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)  # why this may not be the list it is said to be
    _seen: set[str] = field(default_factory=set)  # what of the layout was found on any sheet

    def people(self) -> Iterator[Person]:
        """Everybody on the sheets the layout names, in order. Raises WorkbookRefused for a file of another kind."""
        is_read = False
        for index in self._wanted():
            info = self.book.sheets[index]
            rows = self.book.rows(index)
            head = _first_rows(rows)
            columns = self._columns(head)
            if columns is None:
                said = "这张工作表上没有找到证件号或姓名的列，没有读取。"
                if self.layout.sheets:
                    self.doubt(info.name, said)
                else:
                    self.say("note", info.name, 0, "", said)
                continue
            is_read = True
            self._compare(info, head, columns)
            rest = (row for row in itertools.chain(head, rows) if row[0] >= columns.first_row)
            yield from self._people_of(index + 1, info, rest, columns)
        if not is_read:
            raise WorkbookRefused(self._nothing_found())
        if "header" not in self._seen and not self.layout.sheets:
            self.doubt("", _NO_HEADER)
        if self.layout.members and "members" not in self._seen:
            letters = "、".join(get_column_letter(column + 1) for column in self.layout.members)
            self.doubt("", f"按格式家庭成员的证件号在 {letters} 列，文件的这些列里没有证件号。")
        if self.layout.flags and "flags" not in self._seen:
            names = "、".join(f"“{name}”" for name in self.layout.flags)
            self.doubt("", f"没有找到格式里写的标识列：{names}。名单上的人是哪一种情况，可能读得不对。")
        if self.numbers_seen >= 10 and self.numbers_wrong * 2 > self.numbers_seen:
            self.doubt("", "一半以上的证件号读不出来，很可能选错了名单，或文件换了格式。请先核对再采用。")

    # --- sheets and columns ------------------------------------------------------------------------

    def _wanted(self) -> list[int]:
        sheets = self.book.sheets
        visible = [index for index, sheet in enumerate(sheets) if not sheet.hidden]
        if not self.layout.sheets:
            return visible
        names = {sheet.name.strip(): index for index, sheet in enumerate(sheets)}
        found = []
        for wanted in self.layout.sheets:
            if wanted in names:
                found.append(names[wanted])
            elif wanted.isdecimal() and 0 < int(wanted) <= len(sheets):
                found.append(int(wanted) - 1)
            else:
                which = f"第 {wanted} 张工作表" if wanted.isdecimal() else f"“{wanted}”这张工作表"
                self.doubt("", f"按格式应读{which}，文件里没有（共 {len(sheets)} 张）。")
        # Somebody kept only the sheet with the data: better to look at what there is than to send it back.
        return list(dict.fromkeys(found)) or visible

    def _columns(self, head: list[tuple[int, list[Value]]]) -> Columns | None:
        texts = [(number, [tidy_header(workbooks.text_of(value)) for value in values]) for number, values in head]
        best = max(texts, key=lambda row: (self._known(row[1]), -row[0]), default=None)
        header: list[str] = []
        first_row = self.layout.header_rows + 1
        if best is not None and self._known(best[1]):
            header, first_row = best[1], best[0] + 1
        # Headers over the other members' columns are not those of the person the row is about.
        offsets = {0, self.layout.name_offset}
        members = {column + offset for column in self.layout.members for offset in offsets}
        at = {key: _find(place, header, members) for key, place in self.layout.columns.items()}
        flags = {name: _find(place, header, members) for name, place in self.layout.flags.items()}
        if (at["id"] is None and at["name"] is None) or not head:
            return None
        return Columns(
            at["id"], at["name"], at["birth_date"], at["relation"], at["household"], at["valid_from"], at["valid_to"],
            {name: index for name, index in flags.items() if index is not None}, first_row,
        )  # fmt: skip

    def _compare(self, info: SheetInfo, head: list[tuple[int, list[Value]]], at: Columns) -> None:
        """Note what of the layout this sheet has: a header, the flags, numbers where a household's members stand."""
        if any(self._known([tidy_header(workbooks.text_of(value)) for value in values]) for _, values in head):
            self._seen.add("header")
        elif self.layout.sheets:
            self.doubt(info.name, _NO_HEADER)
        if at.flags:
            self._seen.add("flags")
        shown = [_at(values, column) for _, values in head for column in self.layout.members]
        if any("证" in workbooks.text_of(value) or read_number(value).text for value in shown):
            self._seen.add("members")

    def _known(self, texts: list[str]) -> int:
        """How many of the layout's columns this row heads; a row that heads neither number nor name heads none."""
        present = set(texts)
        known = [key for key, place in self.layout.columns.items() if present & _tidy(place.headers)]
        if not {"id", "name"} & set(known):
            return 0
        return len(known) + sum(bool(present & _tidy(place.headers)) for place in self.layout.flags.values())

    def _nothing_found(self) -> str:
        place = self.layout.columns["id"]
        names = "、".join(f"“{text}”" for text in place.headers[:3]) or "证件号"
        return (
            f"在这个文件里没有找到{names}这样的列，一个人也没有读到。请检查是否选错了名单；"
            "如果对方换了表格格式，请先在“名单格式”里修改，再上传。"
        )

    # --- people ------------------------------------------------------------------------------------

    def _people_of(
        self, position: int, info: SheetInfo, rows: Iterator[tuple[int, list[Value]]], at: Columns
    ) -> Iterator[Person]:
        headings = _tidy(self.layout.columns["id"].headers) | _tidy(self.layout.columns["name"].headers)
        members, name_offset = self.layout.members, self.layout.name_offset
        sheet = info.name[:60]
        for row, values in rows:
            first, name = _at(values, at.number), _name(_at(values, at.name))
            if _is_heading(first, headings) or name in headings:
                continue  # the header once more: on a second line, or at the top of a printed page
            number = self._number(first, sheet, row, at.number)
            width = len(values)
            others = [column for column in members if column < width and not _is_empty(values[column])]
            if not (number.text or number.problem or name or others):
                continue
            self.rows += 1
            number_of_household = _key(_at(values, at.household))
            household = f"={number_of_household}" if number_of_household else f"{position}:{row}" if members else ""
            flags = {key: text for key, index in at.flags.items() if (text := _text(_at(values, index), 60))}
            since, until = self._day(values, at.valid_from, sheet, row), self._day(values, at.valid_to, sheet, row)
            born = number.birth_date or self._day(values, at.birth_date, sheet, row)
            relation = _text(_at(values, at.relation), 20)
            if self._is_somebody(number, name, born, sheet, row, at.number):
                yield Person(position, sheet, row, number.text, name, born, household, relation, flags, since, until)
            for column in others:
                other = self._number(values[column], sheet, row, column)
                name = _name(_at(values, column + name_offset)) if name_offset else ""
                if self._is_somebody(other, name, other.birth_date, sheet, row, column):
                    yield Person(
                        position, sheet, row, other.text, name, other.birth_date, household, "", flags, since, until
                    )  # fmt: skip

    def _number(self, value: Value, sheet: str, row: int, column: int | None) -> Number:
        number = read_number(value)
        self.numbers_seen += bool(number.text or number.problem)
        if number.problem:
            self.numbers_wrong += 1
            self.say("warning", sheet, row, _letter(column), number.problem)
        return number

    def _day(self, values: list[Value], column: int | None, sheet: str, row: int) -> dt.date | None:
        value = None if column is None or column >= len(values) else values[column]
        if value is None or type(value) is dt.date:
            return value
        if _is_empty(value):
            return None
        day = _date(value)
        if day is None and workbooks.text_of(value).strip() not in _WITHOUT_END:
            self.say("warning", sheet, row, _letter(column), "看不懂这一格的日期，按没有填写读取，没有猜测。")
        return day

    def _is_somebody(
        self, number: Number, name: str, born: dt.date | None, sheet: str, row: int, column: int | None
    ) -> bool:
        """Whether there is enough to know the person by: a number, or a name and a birth date."""
        if number.text or (name and born):
            return True
        if not number.problem and name:
            self.say("warning", sheet, row, _letter(column), "没有证件号，也没有出生日期，无法比对，没有收进来。")
        return False

    def doubt(self, sheet: str, message: str) -> None:
        """Note why this may be another list, or one of another form: whoever takes it has to look at that first."""
        self.doubts.append(redact(message))
        self.say("doubt", sheet, 0, "", message)

    def say(self, level: str, sheet: str, row: int, column: str, message: str) -> None:
        """Note a finding; beyond the first few hundred they are only counted."""
        self.findings_total += 1
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(
                {"level": level, "sheet": sheet, "row": row, "column": column, "message": redact(message)}
            )


# --- cells -----------------------------------------------------------------------------------------


def read_number(value: Value) -> Number:
    """An ID number out of a cell: blanks, line breaks, full-width digits and a leading G do not matter."""
    if type(value) is str and _EIGHTEEN.fullmatch(value):
        number = value
    elif value is None:
        return Number("", None, "")
    elif isinstance(value, float) and abs(value) >= workbooks.DIGITS_KEPT:
        return Number("", None, "证件号在表里存成了数字，末几位已经丢失，没有猜测。请对方按文本格式重新导出。")
    else:
        number = numbers.tidy_id_number(workbooks.text_of(value))
        if number in _NOTHING:
            return Number("", None, "")
        if not _EIGHTEEN.fullmatch(number):
            return Number("", _old_birth_date(number), _shape(number))
    born = _eight_digits(number[6:14])
    if born is None:
        return Number("", None, "证件号第 7 至 14 位不是真实的日期。")
    if numbers.check_character(number[:17]) != number[17]:
        return Number("", born, "证件号的校验码不对，至少有一位写错了；改按姓名和出生日期提示。")
    return Number(number, born, "")


def _shape(number: str) -> str:
    if re.fullmatch(r"[0-9]{15}", number):
        return "证件号是 15 位的旧号码，没有按号码比对。"
    if re.fullmatch(r"[0-9X]+", number):
        return f"证件号应为 18 位，这里是 {len(number)} 位。"
    return "这一格不是 18 位证件号。"


def _old_birth_date(number: str) -> dt.date | None:
    return _eight_digits(f"19{number[6:12]}") if re.fullmatch(r"[0-9]{15}", number) else None


@functools.lru_cache(maxsize=40_000)  # the days of a century
def _eight_digits(text: str) -> dt.date | None:
    try:
        return dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _name(value: Value) -> str:
    """The name as written, tidied; what is no name at all is kept as plain text, for it is only shown."""
    if type(value) is str and _PLAIN_NAME.fullmatch(value):
        return value
    text = workbooks.text_of(value)
    if text.strip().upper() in _NOTHING:
        return ""
    return numbers.read_name(text)[0] or _text(value, 60)


def _date(value: Value) -> dt.date | None:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    if isinstance(value, float) and (day := words.excel_day(value)):
        return day
    return _day_written(workbooks.text_of(value))


@functools.lru_cache(maxsize=40_000)  # most rows of a list have one of a few days
def _day_written(text: str) -> dt.date | None:
    return words.read_date(text.strip().split(" ")[0])[0]


def _is_heading(value: Value, headings: frozenset[str]) -> bool:
    return isinstance(value, str) and not _EIGHTEEN.fullmatch(value) and tidy_header(value) in headings


def _text(value: Value, most: int) -> str:
    if value is None:
        return ""
    return redact("".join(c for c in workbooks.text_of(value) if c.isprintable()).strip())[:most]


def _key(value: Value) -> str:
    """The whole text without blanks, numbers of persons too: it is hashed and never shown."""
    if value is None or (isinstance(value, float) and abs(value) >= workbooks.DIGITS_KEPT):
        return ""  # two numbers that have lost their last digits would be one household
    text = numbers.tidy_number(workbooks.text_of(value))
    return "" if text in _NOTHING else text


def _is_empty(value: Value) -> bool:
    return value is None or (isinstance(value, str) and value.strip().upper() in _NOTHING)


def _at(values: list[Value], index: int | None) -> Value:
    return values[index] if index is not None and 0 <= index < len(values) else None


def _letter(index: int | None) -> str:
    return get_column_letter(index + 1) if index is not None else ""


def _first_rows(rows: Iterator[tuple[int, list[Value]]]) -> list[tuple[int, list[Value]]]:
    """Those among which the header is looked for; one row more may be taken from the iterator, none is lost."""
    head = []
    for row in rows:
        head.append(row)
        if row[0] >= HEADER_ROWS:
            break
    return head


def _find(place: Place, header: list[str], taken: set[int]) -> int | None:
    """The column: the one at the letter if its header fits or none does; else the first with such a header."""
    wanted = _tidy(place.headers)
    fitting = [index for index, text in enumerate(header) if text in wanted and index not in taken]
    if place.index is not None and (place.index in fitting or not fitting):
        return place.index
    return fitting[0] if fitting else None


def _tidy(headers: tuple[str, ...]) -> frozenset[str]:
    return frozenset(tidy_header(text) for text in headers)
