"""Many rows into a table at once: COPY on PostgreSQL, one prepared statement on SQLite.

Several times faster than `bulk_create`, because no objects are made; and as plain: no signals.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db import connection, models

_AT_ONCE = 2000

Columns = Mapping[str, Sequence[Any]]


def insert(
    model: type[models.Model],
    columns: Columns,
    *,
    same: Mapping[str, Any] | None = None,
    wrote: Callable[[int], None] = lambda count: None,
) -> None:
    """New rows, given by column (attname → one value for each row); `same` are values all rows share.

    Columns that are not named get the field's default. `wrote` hears how many rows went in each time.
    """
    size = len(next(iter(columns.values())))
    if not size:
        return
    shared = dict(same or {})
    fields: list[Any] = []
    data: list[Iterable[Any]] = []
    for each in model._meta.concrete_fields:
        name = each.attname
        if each.generated or (name not in columns and isinstance(each, models.AutoField)):
            continue
        fields.append(each)
        if name in columns:
            data.append(_prepared(each, columns[name]))
        else:
            value = shared.pop(name) if name in shared else each.get_default()
            data.append(itertools.repeat(each.get_db_prep_save(value, connection), size))
    assert not shared, f"{model.__name__} has no column {sorted(shared)}"
    _copy(model, [each.column for each in fields], zip(*data, strict=True), wrote)


def by_column(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Columns:
    """Rows turned into the columns `insert` takes; each row has its values in the order of the names."""
    rows = list(rows)
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def update(model: type[models.Model], names_: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows of (primary key, values of the named columns) that are there already."""
    meta = model._meta
    key: Any = meta.pk
    fields: list[Any] = [meta.get_field(name) for name in names_]
    quote = connection.ops.quote_name
    assigned = ", ".join(f"{quote(each.column)} = %s" for each in fields)
    statement = f"UPDATE {quote(meta.db_table)} SET {assigned} WHERE {quote(key.column)} = %s"  # noqa: S608 - our names
    prepared = (
        (*(each.get_db_prep_save(value, connection) for each, value in zip(fields, values, strict=True)),
         key.get_db_prep_save(pk, connection))
        for pk, *values in rows
    )  # fmt: skip
    with connection.cursor() as cursor:
        for piece in pieces(prepared):
            cursor.executemany(statement, piece)


def _prepared(each: "models.Field[Any, Any]", values: Sequence[Any]) -> Iterable[Any]:
    """The values as the database takes them: asked once for a kind of value, not once for a value."""
    target = each.target_field if isinstance(each, models.ForeignKey) else each
    if isinstance(target, models.CharField | models.TextField | models.IntegerField | models.AutoField):
        return values
    if isinstance(target, models.UUIDField):
        if connection.features.has_native_uuid_field:
            return values
        return [value and value.hex for value in values]
    if isinstance(target, models.JSONField):  # rows often share one object
        same = {id(value): value for value in values}
        texts = {key: json.dumps(value, ensure_ascii=False) for key, value in same.items()}
        return [texts[id(value)] for value in values]
    # A day is a day for every backend; asking the field each time costs more than the row.
    adapt = connection.ops.adapt_datefield_value if type(target) is models.DateField else None
    known = {value: adapt(value) if adapt else each.get_db_prep_save(value, connection) for value in set(values)}
    return map(known.__getitem__, values)


def _copy(
    model: type[models.Model], columns: list[str], rows: Iterator[tuple[Any, ...]], wrote: Callable[[int], None]
) -> None:
    quote = connection.ops.quote_name
    table, named = quote(model._meta.db_table), ", ".join(map(quote, columns))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            statement = f"COPY {table} ({named}) FROM STDIN"
            with connection.wrap_database_errors, cursor.copy(statement) as copy:
                for piece in pieces(rows):
                    for row in piece:
                        copy.write_row(row)
                    wrote(len(piece))
        else:
            marks = ", ".join(["%s"] * len(columns))
            statement = f"INSERT INTO {table} ({named}) VALUES ({marks})"  # noqa: S608 - our own names
            for piece in pieces(rows):
                cursor.executemany(statement, piece)
                wrote(len(piece))


def pieces(rows: Iterable[Any], size: int | None = None) -> Iterator[list[Any]]:
    """The rows in lists of at most `size`."""
    rows = iter(rows)
    while piece := list(itertools.islice(rows, size or _AT_ONCE)):
        yield piece
