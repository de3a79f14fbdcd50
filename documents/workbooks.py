"""Reading what people send in: .xlsx and .xls, row by row, in a child process under limits.

The reading library is fast and knows both formats, but one far cell in a file of two kilobytes makes it abort
the process it runs in; so it runs in one of its own (`workbook_child`), which may use so much memory and time,
and dies with us. Rows come in chunks as they are asked for: whoever stops early costs nothing more, and this
process holds two chunks at most, however long the table is.
"""

import contextlib
import datetime as dt
import fcntl
import itertools
import marshal
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import workbook_child
from .xlsx_package import (
    COUNTY_BOUNDS,
    LIST_BOUNDS,
    LOCKED,
    ROSTER_BOUNDS,
    Bounds,
    WorkbookRefused,
    check,
    damaged,
    far_cell,
    open_package,
    sheet_parts,
)

__all__ = [
    "COUNTY_BOUNDS",
    "DIGITS_KEPT",
    "LIST_BOUNDS",
    "ROSTER_BOUNDS",
    "Bounds",
    "SheetInfo",
    "Value",
    "Workbook",
    "WorkbookRefused",
    "is_error",
    "open_workbook",
    "spread",
    "text_of",
]

# What a cell holds; None is an empty cell, numbers are floats. A time of day or a duration is text ("8:30:00").
# A formula is the result kept with it, and its own text ("=A1&B1") where no program has kept one; an error is its
# text ("#N/A"). In an .xls these two read as empty.
Value = str | float | bool | dt.date | dt.datetime | None

_ERRORS = frozenset(
    ["#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#GETTING_DATA"]
)

DIGITS_KEPT = 10.0**15  # a number this large has lost its last digits in the cell
MEMORY = 800 * 1024 * 1024  # of the child, bytes of address space
_AHEAD = 2  # chunks asked for before they are needed, so that child and parent work at the same time
_PIPE = 1024 * 1024
_PATIENCE = 3  # how many times its bound of seconds the child may let us wait for one answer
_CHILD = str(Path(workbook_child.__file__).resolve())
# No secrets of ours in the child's environment; only what the interpreter may need to start.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "SYSTEMROOT")
_FRESH = "请新建一个工作簿，只把有内容的行列复制过去，保存后再上传。"


@dataclass(frozen=True)
class SheetInfo:
    """One worksheet. `merged` holds the first thousand merged areas (first row, first column, last row, last
    column; from 1), which is what a header may consist of."""

    name: str
    hidden: bool
    merged: list[tuple[int, int, int, int]]


@contextlib.contextmanager
def open_workbook(content: bytes, bounds: Bounds) -> Iterator["Workbook"]:
    """The workbook in these bytes, .xlsx or .xls. Raises WorkbookRefused, here or while the rows are read.

    On leaving, the child process is gone, whether everything has been read or not.
    """
    parts = _parts_by_sheet(content, bounds) if check(content, bounds) == "xlsx" else {}
    child = _Child(bounds)
    try:
        try:
            book = Workbook(child, content, bounds, parts)
        except _ChildDied as death:
            raise _explain(death, content, bounds) from None
        yield book
    finally:
        child.end()


def _parts_by_sheet(content: bytes, bounds: Bounds) -> dict[str, str]:
    with open_package(content, bounds) as package:
        return {sheet.name: sheet.part for sheet in sheet_parts(package)}


class Workbook:
    """An open workbook: its worksheets in order, and their rows as often as wanted.

    Belongs to the thread that opened it.
    """

    def __init__(self, child: "_Child", content: bytes, bounds: Bounds, parts: dict[str, str]) -> None:
        self._child, self._bounds = child, bounds
        self._reader_numbers = itertools.count()
        self._asked: deque[int] = deque()  # which reader each answer still to come is for
        self._arrived: dict[int, deque[tuple[Any, ...]]] = {}
        request = {"max_rows": bounds.max_rows, "max_columns": bounds.max_columns, "parts": parts}
        child.send_file(request, content)
        found = self._understand(child.receive())
        self.sheets: list[SheetInfo] = [SheetInfo(*sheet) for sheet in found[1]]
        if not self.sheets:
            raise WorkbookRefused("这个工作簿里没有工作表。请检查是否选错了文件。")
        if not any(True for index in range(len(self.sheets)) for _ in itertools.islice(self.rows(index), 1)):
            raise WorkbookRefused("这个工作簿里没有任何内容。请检查是否选错了文件，或者内容在另一个工作簿里。")

    def rows(self, sheet_index: int) -> Iterator[tuple[int, list[Value]]]:
        """The rows of one sheet that hold anything: the number as Excel counts, the values from column A on.

        The value of a merged area stands in its first column in every row of the area; across columns it is
        not repeated (a title over the whole table is no data; see `spread` for headers).
        """
        reader = next(self._reader_numbers)
        self._arrived[reader] = deque()
        try:
            for _ in range(_AHEAD):
                self._ask(reader, sheet_index)
            while True:
                _, rows, dated = self._understand(self._next(reader))
                if not rows:
                    return
                self._ask(reader, sheet_index)
                for column in dated:
                    _restore_dates(rows, column)
                yield from rows
        finally:
            del self._arrived[reader]

    def _ask(self, reader: int, sheet_index: int) -> None:
        self._child.send(workbook_child.COMMAND.pack(reader, sheet_index))
        self._asked.append(reader)

    def _next(self, reader: int) -> tuple[Any, ...]:
        """The next answer for this reader; those for readers that have stopped are thrown away."""
        while not self._arrived[reader]:
            message = self._child.receive()
            arrived = self._arrived.get(self._asked.popleft())
            if arrived is not None:
                arrived.append(message)
        return self._arrived[reader].popleft()

    def _understand(self, message: tuple[Any, ...]) -> tuple[Any, ...]:
        if message[0] == "refused":
            raise _refusal(self._bounds, *message[1:])
        return message


def spread(number: int, values: list[Value], sheet: SheetInfo) -> list[Value]:
    """Row `number` with each merged value repeated across its columns too: for headers in two rows."""
    spread_out = list(values)
    for top, left, bottom, right in sheet.merged:
        if top <= number <= bottom and left <= len(spread_out):
            for column in range(left, min(right, len(spread_out))):
                if spread_out[column] is None:
                    spread_out[column] = spread_out[left - 1]
    return spread_out


def is_error(value: Value) -> bool:
    """Whether the cell shows #N/A or another error instead of a value."""
    return isinstance(value, str) and value in _ERRORS


def text_of(value: Value) -> str:
    """What a person reads in the cell: 1.0 → "1", a date → "2014-03-05", TRUE; "" for an empty cell.

    A whole number below 1e21 has no exponent. A number shows at most 15 digits, as in Excel: an ID number
    typed as a number has lost its end already.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return _number_text(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(" ", "seconds")
    return value.isoformat()


def _number_text(value: float) -> str:
    text = f"{value + 0.0:.15g}"  # no minus before zero
    if "e" not in text:
        return text
    if abs(value) >= 1e21:
        return text.upper()
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    places = int(exponent)
    if places > 0:
        return whole + fraction.ljust(places, "0")
    return f"{value:.{len(fraction) - places}f}".rstrip("0")


def _restore_dates(rows: list[tuple[int, list[Any]]], column: int) -> None:
    for _, values in rows:
        if column < len(values):
            value = values[column]
            if type(value) is int:
                values[column] = dt.date.fromordinal(value)
            elif type(value) is tuple:
                values[column] = dt.datetime(*value)


class _Child:
    """The process, and messages to and from it."""

    def __init__(self, bounds: Bounds) -> None:
        # By the clock more than of work: on a busy machine the child waits like everybody.
        self.patience = _PATIENCE * bounds.seconds
        command = [sys.executable, "-I", _CHILD, str(MEMORY), str(bounds.seconds), str(os.getpid())]
        # No preexec_fn: other threads may be at work here, and the child limits itself.
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            start_new_session=True,  # Ctrl-C is for us; the child ends when we do
            bufsize=0,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        os.set_blocking(self.stdin.fileno(), False)
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(self.stdout, fcntl.F_SETPIPE_SZ, _PIPE)

    def send_file(self, request: dict[str, Any], content: bytes) -> None:
        for part in (marshal.dumps(request), content):
            self.send(workbook_child.LENGTH.pack(len(part)))
            self.send(part)

    def send(self, data: bytes) -> None:
        deadline = time.monotonic() + self.patience
        poll = select.poll()
        poll.register(self.stdin, select.POLLOUT)
        view = memoryview(data)
        while view:
            if not poll.poll(max(0, deadline - time.monotonic()) * 1000):
                raise _ChildDied(_too_slow())
            try:
                view = view[os.write(self.stdin.fileno(), view[:_PIPE]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._obituary() from None

    def receive(self) -> tuple[Any, ...]:
        """One message. Raises WorkbookRefused when the child has died or takes longer than it may."""
        deadline = time.monotonic() + self.patience
        size = workbook_child.LENGTH.unpack(self._read(workbook_child.LENGTH.size, deadline))[0]
        return marshal.loads(self._read(size, deadline))  # noqa: S302 - from our own child

    def _read(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        poll = select.poll()
        poll.register(self.stdout, select.POLLIN)
        while len(data) < size:
            if not poll.poll(max(0, deadline - time.monotonic()) * 1000):
                raise _ChildDied(_too_slow())
            piece = os.read(self.stdout.fileno(), min(size - len(data), _PIPE))
            if not piece:
                raise self._obituary()
            data += piece
        return bytes(data)

    def _obituary(self) -> "_ChildDied":
        try:
            status = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            status = 0
        return _ChildDied(_too_slow() if status == -signal.SIGXCPU else _too_much())

    def end(self) -> None:
        """Kill it if it is still there, and wait: nothing is left behind."""
        self.process.kill()
        self.process.wait()
        self.stdin.close()
        self.stdout.close()


class _ChildDied(WorkbookRefused):
    """Out of time or memory; what exactly the file did is not known."""


def _explain(death: _ChildDied, content: bytes, bounds: Bounds) -> WorkbookRefused:
    """With the place of the far cell, when there is one to be found."""
    found = far_cell(content, bounds)
    return _refusal(bounds, "far", *found) if found else death


def _too_much() -> str:
    return (
        "这个工作簿没有读成：很可能有一个单元格在离表格很远的地方（例如最后一行或最后一列），"
        "或者内容多得不像正常的表。" + _FRESH
    )


def _too_slow() -> str:
    return "读这个工作簿用的时间太长，已经停下：内容太多，或者有单元格在离表格很远的地方。" + _FRESH


def _refusal(bounds: Bounds, word: str, *particulars: Any) -> WorkbookRefused:
    """The sentence for a refusal of the child."""
    if word == "password":
        return WorkbookRefused(LOCKED)
    if word == "text":
        return WorkbookRefused("这个工作簿里的文字太多，不像正常的名册。" + _FRESH)
    if word == "merges":
        return WorkbookRefused(f"工作表“{particulars[0]}”里合并的单元格太多。请取消合并后再上传。")
    if word == "sheets":
        return WorkbookRefused(
            f"这个工作簿有 {particulars[0]} 张工作表，最多读 {workbook_child.MAX_SHEETS} 张。"
            "请把要导入的表单独存成一个文件。"
        )
    if word == "far":
        name, row, column = particulars
        if row > bounds.max_rows:
            return WorkbookRefused(
                f"工作表“{name}”第 {row} 行还有内容，最多读 {bounds.max_rows} 行。"
                "如果表真有这么长，请分成几个文件分别上传；如果那里不该有内容，" + _FRESH
            )
        return WorkbookRefused(
            f"工作表“{name}”第 {row} 行第 {column} 列有内容，离表格太远（最多读 {bounds.max_columns} 列）。"
            "请删除那里的内容，或" + _FRESH
        )
    return damaged()
