"""The connection to SQLite: whoever waits to write asks often, and lets others work meanwhile.

SQLite's own wait sleeps longer each time, up to a tenth of a second, while those who come later ask at once: of three
hundred teachers who save rows of a few milliseconds each, some stand for a second beside a pen that was put down fifty
times. And a statement outside a transaction was seen to wait with the interpreter's lock in its hand: if the writer
it waits for is another thread of the same process, both stand until the wait is given up. So SQLite itself never
waits here; the statement is tried again.
"""

import random
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from django.db.backends.sqlite3 import base

# Seconds between two tries, at random: two who wait must not ask in step for ever.
_PAUSE = (0.001, 0.004)


class DatabaseWrapper(base.DatabaseWrapper):
    def init_connection_state(self) -> None:
        super().init_connection_state()
        self.connection.execute("PRAGMA busy_timeout = 0")

    def create_cursor(self, name: str | None = None) -> "PatientCursor":
        cursor: PatientCursor = self.connection.cursor(factory=PatientCursor)
        cursor.patience = self.settings_dict["OPTIONS"].get("timeout", 5.0)
        return cursor


class PatientCursor(base.SQLiteCursorWrapper):
    """Tries a statement again for `patience` seconds while somebody else writes; then OperationalError, as from SQLite.

    Only a statement that begins something can meet another writer: within a transaction (they begin IMMEDIATE) nobody
    else writes, and an error there must undo it as a whole.
    """

    patience: float

    def execute(self, query: str, params: Any = None) -> Any:
        return self._tried(lambda: super(PatientCursor, self).execute(query, params))

    def executemany(self, query: str, param_list: Any) -> Any:
        if not isinstance(param_list, list | tuple):
            param_list = list(param_list)  # it may be asked for twice
        return self._tried(lambda: super(PatientCursor, self).executemany(query, param_list))

    def _tried(self, statement: Callable[[], Any]) -> Any:
        if self.connection.in_transaction:
            return statement()
        gives_up = time.monotonic() + self.patience
        while True:
            try:
                return statement()
            except sqlite3.OperationalError as refusal:
                if not _is_taken(refusal) or time.monotonic() >= gives_up:
                    raise
            time.sleep(random.uniform(*_PAUSE))  # noqa: S311 - a pause, no secret


def _is_taken(refusal: sqlite3.OperationalError) -> bool:
    """Whether somebody else writes (or mends the log after a crash). An error has more than one code of that kind:
    the low byte is the kind. A read that has grown old is none of it: no wait makes it young."""
    code: int = getattr(refusal, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY and code != sqlite3.SQLITE_BUSY_SNAPSHOT
