"""Lists of a whole county, a page at a time: the last page costs no more than the first.

To skip 99,000 rows a database has to find and sort them. Here the rows are first counted by their unit, from an
index; that says which classes a page lies in, and only these are read.
"""

from collections.abc import Callable, Iterator
from typing import Any, Generic, Self, TypeVar

from django.db.models import Count, F, Model, QuerySet, Value
from django.db.models.functions import Concat
from django.http import HttpRequest
from django_tables2 import RequestConfig, Table

M = TypeVar("M", bound=Model)
ROWS_PER_PAGE = 50
# Longer than this, a list is in the order of its classes only: sorting it would read every row of it.
SORTABLE = 6000
MOST_PAGED = 10_000
MOST_KEPT = 5000  # keys in memory while a page is made


class LongList(Generic[M]):
    """Rows in the order of their units and, within a class, of `then`; what django-tables2 takes for a queryset.

    Rows have a `school_class`; `unit_path` is the lookup to its path ("path", "school_class__path"). `detail` adds
    to the rows of one page what only they need: related records, annotations, prefetches. `counted` are the same rows,
    where another question counts them sooner: one that begins with the few rows, not with the units.
    """

    def __init__(
        self,
        rows: QuerySet[M],
        *,
        unit_path: str,
        then: tuple[str, ...],
        detail: Callable[[QuerySet[M]], QuerySet[M]] = lambda rows: rows,
        counted: QuerySet[M] | None = None,
    ) -> None:
        self.rows = rows.order_by()
        self.counted = None if counted is None else counted.order_by()
        self.unit_path, self.then, self.detail = unit_path, then, detail
        self.order: tuple[str, ...] = (unit_path,)
        self._counted: list[tuple[str, int]] | None = None

    @property
    def model(self) -> type[M]:
        return self.rows.model

    @property
    def query(self) -> Any:
        return self.rows.query

    def count(self) -> int:
        return sum(count for _, count in self._units())

    def is_by_unit(self, order: tuple[str, ...]) -> bool:
        """Whether the order is that of the units, so that the list has it however long it is."""
        return all(name.removeprefix("-").endswith("path") for name in order)

    def order_by(self, *order: str) -> Self:
        if self.is_by_unit(order):
            self.order = (f"-{self.unit_path}" if order[0].startswith("-") else self.unit_path,)
        elif self.count() <= SORTABLE:
            self.order = (*order, self.unit_path)
        return self

    def __iter__(self) -> Iterator[M]:
        return iter(self[: self.count()])

    def __getitem__(self, wanted: slice) -> list[M]:
        start = wanted.start or 0
        stop = self.count() if wanted.stop is None else wanted.stop
        if self.is_by_unit(self.order):
            keys = self._of_units(start, stop)
        else:
            keys = list(self.rows.order_by(*self.order, *self.then).values_list("pk", flat=True)[start:stop])
        found = self.detail(self.model._default_manager.all()).in_bulk(keys)
        return [found[key] for key in keys if key in found]  # one may be gone since its key was read

    def _of_units(self, start: int, stop: int) -> list[Any]:
        """The keys between the two positions, in the order of the units."""
        paths, start, stop = self._place(start, stop)
        # By the key of the class, and not ordered by its path: SQLite would walk the whole county for that order.
        rows = self.rows.filter(school_class__in=[int(path.rstrip("/").rsplit("/", 1)[-1]) for path in paths])
        place = {path: position for position, path in enumerate(paths)}
        found = sorted(rows.order_by(*self.then).values_list(self.unit_path, "pk"), key=lambda row: place[row[0]])
        return [key for _, key in found[start:stop]]

    def _units(self) -> list[tuple[str, int]]:
        """How many rows each class has, by path."""
        if self._counted is None:
            if self.counted is None:
                units = self.rows.values_list(self.unit_path)
            else:  # not the path itself: SQLite would read the whole index that has the paths in order
                units = self.counted.values_list(Concat(F(self.unit_path), Value("")))
            self._counted = sorted(units.annotate(n=Count("*")))
        return self._counted

    def _place(self, start: int, stop: int) -> tuple[list[str], int, int]:
        """The classes between the two positions, and the positions within these classes."""
        units = self._units()
        paths: list[str] = []
        before = passed = 0
        for path, count in reversed(units) if self.order[0].startswith("-") else units:
            if passed >= stop:
                break
            if passed + count <= start:
                before += count
            else:
                paths.append(path)
            passed += count
        return paths, start - before, stop - before


class KeysFirst(Generic[M]):
    """Ordered rows of which only the keys are sorted; `detail` adds to the rows of one page what only they need.

    Related records and sub-queries of all rows would be read before a database could cut a page off them. Where the
    question itself is the dear part (`asks_once`), the keys of a short list are fetched and so counted: to count first
    would be to ask twice.
    """

    def __init__(
        self,
        rows: QuerySet[M],
        *,
        detail: Callable[[QuerySet[M]], QuerySet[M]] = lambda rows: rows,
        asks_once: bool = False,
    ) -> None:
        self.rows, self.model, self.query, self.detail = rows, rows.model, rows.query, detail
        self.asks_once = asks_once
        self._counted: int | None = None
        self._keys: list[Any] | None = None

    def count(self) -> int:
        if self._counted is None and self.asks_once:
            keys = list(self.rows.values_list("pk", flat=True)[: MOST_KEPT + 1])
            if len(keys) <= MOST_KEPT:
                self._keys, self._counted = keys, len(keys)
        if self._counted is None:
            self._counted = self.rows.order_by().count()
        return self._counted

    def order_by(self, *order: str) -> Self:
        self.rows, self._keys = self.rows.order_by(*order, "pk"), None
        return self

    def __iter__(self) -> Iterator[M]:
        return iter(self[: self.count()])

    def __getitem__(self, wanted: slice) -> list[M]:
        keys = list(self.rows.values_list("pk", flat=True)[wanted]) if self._keys is None else self._keys[wanted]
        found = self.detail(self.model._default_manager.all()).in_bulk(keys)
        return [found[key] for key in keys if key in found]  # one may be gone since its key was read


class NewestFirst(KeysFirst[M]):
    """The first MOST_PAGED of ordered rows; older ones are found by a narrower filter.

    Counting millions of rows (the audit trail) would cost more than showing any page of them.
    """

    def count(self) -> int:
        if self._counted is None:
            self._counted = self.rows.order_by()[: MOST_PAGED + 1].count()
        return min(self._counted, MOST_PAGED)

    @property
    def has_more(self) -> bool:
        return self.count() < (self._counted or 0)

    def order_by(self, *order: str) -> Self:
        return self


def configure(table: Table, request: HttpRequest) -> Table:
    """Sort and cut the table as its address says. A list too long to be sorted offers only the order of its classes."""
    rows = table.data.data
    if isinstance(rows, LongList) and rows.count() > SORTABLE:
        for column in table.columns:
            if column.orderable and not rows.is_by_unit(column.order_by):
                column.column.orderable = False
    RequestConfig(request, paginate={"per_page": ROWS_PER_PAGE}).configure(table)
    return table
