"""Many rows into a table at once: COPY on PostgreSQL, one prepared statement on SQLite.

Several times faster than `bulk_create`, and as plain: no defaults, no signals, values as the columns hold them.
"""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, models


def copy_in(model: type[models.Model], fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert the rows; `fields` are attribute names ("version_id") in the order of the values.

    Dictionaries and lists become JSON. The table's other columns must allow NULL or have a default of their own.
    """
    columns = [str(getattr(model._meta.get_field(name.removesuffix("_id")), "column")) for name in fields]  # noqa: B009
    quote = connection.ops.quote_name
    table, names = quote(model._meta.db_table), ", ".join(map(quote, columns))
    plain = _plain_rows(rows)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in plain:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(columns))
            statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - names are our models'
            cursor.executemany(statement, list(plain))


def _plain_rows(rows: Iterable[Sequence[Any]]) -> Iterator[list[Any]]:
    is_sqlite = connection.vendor == "sqlite"
    as_they_are = _AS_THEY_ARE if is_sqlite else _AS_THEY_ARE | {UUID, dt.date, dt.datetime}
    for row in rows:
        yield [value if type(value) in as_they_are else _plain(value, is_sqlite) for value in row]


_AS_THEY_ARE = frozenset({str, int, bool, type(None)})


def _plain(value: Any, is_sqlite: bool) -> Any:
    if is_sqlite:
        if type(value) is dt.date:
            return value.isoformat()
        if isinstance(value, UUID):
            return value.hex
        if isinstance(value, dt.datetime):
            return connection.ops.adapt_datetimefield_value(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
