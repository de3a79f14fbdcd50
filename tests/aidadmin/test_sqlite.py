"""Writers on SQLite wait for each other without standing in each other's way."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import DatabaseError, OperationalError, transaction

from aidadmin.sqlite3 import base

pytestmark = pytest.mark.django_db(transaction=True)  # or no connection is let through at all
TABLE = "CREATE TABLE notes (word TEXT)"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "waits.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as link:
        link.execute("PRAGMA journal_mode=WAL")
        link.execute(TABLE)
    return path


def connect(path: Path, *, patience: float) -> base.DatabaseWrapper:
    told = dict.fromkeys(("USER", "PASSWORD", "HOST", "PORT", "TIME_ZONE")) | {
        "ENGINE": "aidadmin.sqlite3",
        "NAME": str(path),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": patience},
        "AUTOCOMMIT": True,
        "ATOMIC_REQUESTS": False,
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False,
        "TEST": {},
    }
    return base.DatabaseWrapper(told, alias="waits")


@pytest.fixture
def other(place: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else, with the pen in hand."""
    with contextlib.closing(sqlite3.connect(place, isolation_level=None, check_same_thread=False)) as link:
        link.execute("BEGIN IMMEDIATE")
        yield link


def begin(link: base.DatabaseWrapper) -> None:
    link.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    link.rollback()
    link.set_autocommit(True)


def write(link: base.DatabaseWrapper) -> None:
    with link.cursor() as cursor:
        cursor.execute("INSERT INTO notes VALUES ('x')")


def write_many(link: base.DatabaseWrapper) -> None:
    with link.cursor() as cursor:
        cursor.executemany("INSERT INTO notes VALUES (%s)", ((word,) for word in "xyz"))


@pytest.mark.parametrize("deed", [begin, write, write_many])
def test_who_waits_goes_on_when_the_pen_is_put_down(place: Path, other: sqlite3.Connection, deed) -> None:
    link = connect(place, patience=60)
    timer = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    timer.start()
    with contextlib.closing(link):
        deed(link)
    timer.join()
    with contextlib.closing(sqlite3.connect(place)) as reader:
        (count,) = reader.execute("SELECT COUNT(*) FROM notes").fetchone()
    assert count == {begin: 0, write: 1, write_many: 3}[deed]


@pytest.mark.parametrize("deed", [begin, write, write_many])
def test_a_wait_ends_with_an_error_that_django_knows(place: Path, other: sqlite3.Connection, deed) -> None:
    link = connect(place, patience=0.05)
    with contextlib.closing(link), pytest.raises(OperationalError, match="locked"):
        deed(link)


def test_other_errors_are_not_waited_for(place: Path) -> None:
    link = connect(place, patience=60)
    began = time.monotonic()
    with contextlib.closing(link), pytest.raises(DatabaseError, match="no such table"), link.cursor() as cursor:
        cursor.execute("INSERT INTO nowhere VALUES (1)")
    assert time.monotonic() - began < 30


def test_the_installation_writes_through_it() -> None:
    from django.db import connection

    if connection.vendor != "sqlite":
        assert not settings.DATABASES["default"]["ENGINE"].startswith("aidadmin")
        return
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA busy_timeout").fetchone() == (0,)
        assert isinstance(cursor.cursor, base.PatientCursor)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert connection.connection.in_transaction
