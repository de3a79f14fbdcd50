"""How far a long job has come, and whether somebody wants it to stop: two small files beside the database.

They are no rows because SQLite has one writer: while the job writes, nobody could tell how far it is or ask it to
stop. Numbers and one word are all they hold. A file that has not been written for some seconds means that the
worker is gone.
"""

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.conf import settings

BEAT_SECONDS = 0.5
SILENT_SECONDS = 20.0  # after so long without a beat the worker is taken for dead


class Cancelled(Exception):
    """Somebody asked the job to stop; whatever it has not committed is undone."""


@dataclass(frozen=True)
class Progress:
    """Where a job is. `total` is 0 while nobody knows it yet."""

    phase: str = ""
    done: int = 0
    total: int = 0
    is_alive: bool = False

    @property
    def percent(self) -> int | None:
        return min(100, self.done * 100 // self.total) if self.total else None


class Reporter:
    """What a job tells as it goes. This one tells nobody; see `reporting`."""

    def phase(self, name: str, total: int = 0) -> None:
        """A new part of the work begins. Raises Cancelled."""

    def step(self, done: int) -> None:
        """So many rows of this part are done. Raises Cancelled."""


SILENT = Reporter()


class _FileReporter(Reporter):
    def __init__(self, key: UUID) -> None:
        self.key = key
        self.now: tuple[str, int, int] = ("", 0, 0)
        self.stop = threading.Event()
        self.wanted = threading.Event()  # somebody wants the job to end

    def phase(self, name: str, total: int = 0) -> None:
        self.now = (name, 0, total)
        _write(self.key, *self.now)
        self._check()

    def step(self, done: int) -> None:
        name, _, total = self.now
        self.now = (name, done, total)
        self._check()

    def _check(self) -> None:
        if self.wanted.is_set() or is_cancelled(self.key):
            raise Cancelled

    def beat(self) -> None:
        """Runs in a thread of its own, so that a long statement of the database is no silence."""
        while not self.stop.wait(BEAT_SECONDS):
            _write(self.key, *self.now)
            if is_cancelled(self.key):
                self.wanted.set()


@contextlib.contextmanager
def reporting(key: UUID) -> Iterator[Reporter]:
    """Report on a job while it runs, several times a second; the files are gone afterwards."""
    reporter = _FileReporter(key)
    _write(key, *reporter.now)
    thread = threading.Thread(target=reporter.beat, name=f"progress {key}", daemon=True)
    thread.start()
    try:
        yield reporter
    finally:
        reporter.stop.set()
        thread.join()
        clear(key)


def touch(key: UUID) -> None:
    """One beat, for a worker that is about to take a job."""
    _write(key, "", 0, 0)


def of(key: UUID) -> Progress:
    """How far the job is."""
    try:
        told = json.loads(_path(key, "json").read_text())
    except (FileNotFoundError, ValueError):
        return Progress()
    age = time.time() - told["at"]
    return Progress(told["phase"], told["done"], told["total"], is_alive=abs(age) < SILENT_SECONDS)


def ask_to_stop(key: UUID) -> None:
    path = _path(key, "cancel")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)


def is_cancelled(key: UUID) -> bool:
    return _path(key, "cancel").exists()


def clear(key: UUID) -> None:
    for kind in ("json", "cancel"):
        _path(key, kind).unlink(missing_ok=True)


def _write(key: UUID, phase: str, done: int, total: int) -> None:
    path = _path(key, "json")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    told = {"phase": phase, "done": done, "total": total, "at": time.time()}
    # A disk that is full or slow must not end the job it tells about.
    with contextlib.suppress(OSError):
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(told, file)
        fresh.replace(path)


def _path(key: UUID, kind: str) -> Path:
    return Path(settings.DATA_DIR) / "run" / "jobs" / f"{UUID(str(key))}.{kind}"
