"""The process that reads one workbook for `documents.workbooks`, under limits, and knows nothing else.

A hostile or merely odd file can make the reading library ask for hundreds of gigabytes and abort; here it takes
down this process only. Started as `python -I workbook_child.py MEMORY CPU_SECONDS PARENT`; imports nothing of ours.

On stdin: the length of a marshal'd request, the request, the length of the file, the file; then commands of eight
bytes (reader, sheet). On stdout: one message (length, marshal) for the opening and one for each command.
Dates travel as whole numbers (`toordinal`) and moments as tuples, because marshal knows neither; numbers are floats.
"""

import contextlib
import ctypes
import datetime as dt
import html
import io
import marshal
import math
import os
import re
import resource
import signal
import struct
import sys
import threading
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

Plain = None | str | float | bool | int | tuple[int, ...]
LENGTH = struct.Struct("<Q")
COMMAND = struct.Struct("<II")
ROWS_AT_ONCE = 500
MAX_SHEETS = 300
MAX_MERGES = 200_000
MERGES_TOLD = 1000  # the first of a sheet: what a header may consist of
MAX_CELL_TEXT = 32_767  # Excel's own limit
_MAX_CHUNK = 16 * 1024 * 1024  # bytes; 500 rows of a full real table are two million
_PR_SET_PDEATHSIG = 1


class Refused(Exception):
    """args: the word by which the parent knows the sentence, and its particulars."""


def limit_myself(memory: int, seconds: int, parent: int) -> None:
    """First of all: no more memory and time than this, no core file, and no life after the parent."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 2))
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):  # not Linux; then the end of stdin has to do
        return
    if os.getppid() != parent:  # it died before the kernel knew
        os._exit(1)


class Sheet:
    """One worksheet, read; its rows can be gone through any number of times."""

    def __init__(self, name: str, hidden: bool, source: Any) -> None:
        self.name, self.hidden, self.source = name, hidden, source
        self.unread: dict[int, dict[int, str]] = {}  # row → column from 0 → what the library calls empty
        self.first_column = source.start[1] if source.start else 0
        ranges = source.merged_cell_ranges or []
        if len(ranges) > MAX_MERGES:
            raise Refused("merges", name)
        self.merged = sorted((top + 1, left + 1, bottom + 1, right + 1) for (top, left), (bottom, right) in ranges)

    def info(self) -> tuple[str, bool, list[tuple[int, int, int, int]]]:
        return self.name, self.hidden, self.merged[:MERGES_TOLD]

    def rows(self, max_rows: int, max_columns: int) -> Iterator[tuple[int, list[Plain]]]:
        """(number, values) of each row that holds something of its own; a merged value is repeated downwards."""
        merges_at: dict[int, list[tuple[int, int]]] = {}
        for top, left, bottom, _right in self.merged:
            if bottom > top and left <= max_columns:
                merges_at.setdefault(top, []).append((left - 1, bottom))
        running: dict[int, tuple[Plain, int]] = {}  # column → value, last row
        left_out: list[Plain] = [None] * self.first_column
        for number, cells in enumerate(self.source.iter_rows(), start=1):
            values = [plain(value) for value in cells]
            unread = self.unread.get(number)
            if not unread and not any(value is not None for value in values):
                continue
            values = left_out + values
            for column, text in (unread or {}).items():
                if column < max_columns:
                    values += [None] * (column + 1 - len(values))
                    values[column] = text if values[column] is None else values[column]
            if not any(value is not None for value in values):
                continue
            if number > max_rows or len(values) > max_columns:
                self._refuse_too_far(number, values, max_rows, max_columns)
            values = values[:max_columns]
            for column, (value, last) in list(running.items()):
                if number > last:
                    del running[column]
                    continue
                values += [None] * (column + 1 - len(values))  # a formula without its result may stand beyond them
                if values[column] is None:
                    values[column] = value
            for column, last in merges_at.get(number, ()):
                if column < len(values) and values[column] is not None:
                    running[column] = (values[column], last)
            yield number, values

    def _refuse_too_far(self, number: int, values: list, max_rows: int, max_columns: int) -> None:
        filled = [column for column, value in enumerate(values, start=1) if value is not None]
        if number > max_rows:
            raise Refused("far", self.name, number, filled[0])
        if filled[-1] > max_columns:
            raise Refused("far", self.name, number, filled[-1])


def plain(value: Any) -> Plain:
    """A cell's value as marshal can carry it; None for an empty one."""
    kind = type(value)
    if kind is str:
        if not value or value.isspace():
            return None
        if len(value) > MAX_CELL_TEXT:
            raise Refused("text")
        return value.replace("\0", "\ufffd") if "\0" in value else value
    if kind is float:
        if not math.isfinite(value):
            raise Refused("damaged")
        return value
    if kind is bool:
        return value
    if kind is int:
        return float(value)
    if kind is dt.datetime:
        return (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
    if kind is dt.date:
        return value.toordinal()
    return duration(value)


def duration(value: dt.time | dt.timedelta) -> str:
    """A time of day or a length of time, as Excel shows it: "8:30:00", "30:00:00"."""
    if isinstance(value, dt.time):
        return value.isoformat("seconds")
    seconds = round(value.total_seconds())
    sign, seconds = "-" if seconds < 0 else "", abs(seconds)
    return f"{sign}{seconds // 3600}:{seconds % 3600 // 60:02}:{seconds % 60:02}"


def open_sheets(content: bytes) -> list[Sheet]:
    import python_calamine as calamine  # after the limits: the library is what they are for

    try:
        book = calamine.load_workbook(io.BytesIO(content))
        wanted = [
            (index, sheet.name, sheet.visible != calamine.SheetVisibleEnum.Visible)
            for index, sheet in enumerate(book.sheets_metadata)
            if sheet.typ == calamine.SheetTypeEnum.WorkSheet
        ]
        if len(wanted) > MAX_SHEETS:
            raise Refused("sheets", len(wanted))
        return [Sheet(name, hidden, book.get_sheet_by_index(index)) for index, name, hidden in wanted]
    except calamine.PasswordError as error:
        raise Refused("password") from error
    except (calamine.CalamineError, ValueError, OverflowError) as error:
        raise Refused("damaged") from error


class Finder(threading.Thread):
    """Looks, while the library reads an .xlsx, for what the library calls empty and a person sees: #N/A and the
    like, and formulas whose result nobody has kept (a program wrote the file, and no office program opened it)."""

    _CELL = re.compile(
        rb"<(?:\w+:)?c(?=\s)([^<>]*)(?<!/)>\s*"
        rb"(?:<(?:\w+:)?f(?=[\s>/])[^<>]*(?:/>|>([^<]*)</(?:\w+:)?f>))?\s*"
        rb"(?:<(?:\w+:)?v(?:\s*/>|>([^<]{0,20})</))?"
    )
    _REFERENCE = re.compile(rb'\sr="([A-Z]{1,3})([0-9]{1,7})"')
    _OVERLAP = 10_000  # more than the longest formula
    _MAX = 100_000

    def __init__(self, content: bytes, parts: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.content, self.parts = content, parts
        self.found: dict[str, dict[int, dict[int, str]]] = {}  # sheet → row → column from 0 → text

    def run(self) -> None:
        # Whether the file is whole is for the library to say.
        broken = (KeyError, EOFError, OSError, ValueError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
        with contextlib.suppress(*broken), zipfile.ZipFile(io.BytesIO(self.content)) as package:
            for sheet, part in self.parts.items():
                self._look_through(package, part, self.found.setdefault(sheet, {}))

    def _look_through(self, package: zipfile.ZipFile, part: str, found: dict[int, dict[int, str]]) -> None:
        with package.open(part) as stream:
            before = b""
            while piece := stream.read(1 << 20):
                data = before + piece
                if b't="e"' in data or b"<f" in data or b":f" in data:
                    for cell in self._CELL.finditer(data):
                        text = self._unread(cell)
                        if text and (place := self._REFERENCE.search(cell[1])):
                            found.setdefault(int(place[2]), {})[column_index(place[1])] = text
                if len(found) > self._MAX:
                    return
                before = data[-self._OVERLAP :]

    @staticmethod
    def _unread(cell: re.Match[bytes]) -> str:
        attributes, formula, value = cell[1], cell[2], cell[3] or b""
        if b't="e"' in attributes:
            return value.decode("utf-8", "replace")
        # A formula that came out as an empty text is kept as one (t="str"); it is empty.
        if formula is None or value or b't="str"' in attributes:
            return ""
        # Cut before it is decoded; half a reference at the end would decode to something else.
        text = re.sub(r"&[^;]*$", "", formula[:600].decode("utf-8", "ignore"))
        return "=" + html.unescape(text)[:200]


def column_index(letters: bytes) -> int:
    """A → 0, AA → 26."""
    index = 0
    for letter in letters:
        index = index * 26 + letter - 64
    return index - 1


def chunk(rows: Iterator[tuple[int, list[Plain]]]) -> bytes:
    """The next rows, and in which columns there are dates; no rows when there are no more."""
    taken, dated = [], set()
    for row in rows:
        taken.append(row)
        for column, value in enumerate(row[1]):
            kind = type(value)
            if kind is int or kind is tuple:
                dated.add(column)
        if len(taken) == ROWS_AT_ONCE:
            break
    message = marshal.dumps(("rows", taken, sorted(dated)))
    if len(message) > _MAX_CHUNK:
        raise Refused("text")
    return message


def main() -> None:
    limit_myself(*map(int, sys.argv[1:4]))
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer

    def receive() -> bytes:
        return stdin.read(LENGTH.unpack(stdin.read(LENGTH.size))[0])

    def send(message: bytes) -> None:
        stdout.write(LENGTH.pack(len(message)) + message)
        stdout.flush()

    try:
        request = marshal.loads(receive())  # noqa: S302 - from our own parent
        content = receive()
        finder = Finder(content, request["parts"])
        finder.start()
        sheets = open_sheets(content)
        finder.join()
        for sheet in sheets:
            sheet.unread = finder.found.get(sheet.name, {})
        del content, finder
        send(marshal.dumps(("sheets", [sheet.info() for sheet in sheets])))
    except Refused as refused:
        send(marshal.dumps(("refused", *refused.args)))
        return
    readers: dict[int, Iterator[tuple[int, list[Plain]]]] = {}
    while len(command := stdin.read(COMMAND.size)) == COMMAND.size:
        reader, index = COMMAND.unpack(command)
        if reader not in readers:
            readers[reader] = sheets[index].rows(request["max_rows"], request["max_columns"])
        try:
            send(chunk(readers[reader]))
        except Refused as refused:
            send(marshal.dumps(("refused", *refused.args)))


if __name__ == "__main__":
    try:
        main()
    except (struct.error, EOFError, BrokenPipeError):  # the parent has gone
        os._exit(1)
