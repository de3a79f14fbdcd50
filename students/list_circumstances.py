"""What standing on a list comes to: the circumstances it gives a pupil.

A pupil found by comparison needs no papers (domain REC-05): the evidence is the list, its date, sheet and row. Nothing
is ever ended here; what a list takes back becomes a task for the school (`students.rechecks`).
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts import clock
from accounts.models import User
from accounts.redaction import redact

from . import lists
from .lists import HELD, Standing
from .models import Category, Circumstance, ListEntry, ListMatch, ListVersion
from .table_writing import by_column, insert

_EVIDENCE = 120  # characters a circumstance keeps
_FIELDS = (
    "id", "pupil_id", "category_id", "source", "evidence", "valid_from", "valid_to", "recorded_at", "recorded_by_id",
)  # fmt: skip


def give(version: ListVersion, *, by: User, pupil: UUID | None = None) -> tuple[int, set[UUID]]:
    """Put on record what the version gives its pupils (or one), where its word is heard.

    Returns how many circumstances were added, and the pupils for whom nothing was, because the same kind was
    given an end before: a list does not begin again what somebody ended; that takes a person.
    """
    standings = _giving(version, pupil)
    held = _on_record(version, pupil)
    fresh: dict[tuple[UUID, int], list[Any]] = {}
    again: set[UUID] = set()
    now = clock.now()
    for standing in standings:
        assert standing.category is not None
        kind = standing.category
        start = max(standing.valid_from, kind.valid_from)
        key = (standing.pupil_id, kind.pk)
        if (standing.valid_to and standing.valid_to < start) or (kind.valid_to and start > kind.valid_to):
            continue
        if key in fresh or held.get(key) == "open":
            continue
        if held.get(key) == "ended":
            again.add(standing.pupil_id)
            continue
        matched = Circumstance.Source.MATCHED.value
        fresh[key] = [uuid.uuid4(), *key, matched, evidence(standing), start, standing.valid_to, now, by.pk]
    insert(Circumstance, by_column(_FIELDS, fresh.values()))
    link(version)
    return len(fresh), again


def evidence(standing: Standing) -> str:
    """The proof in words: “农村低保备案表”2026-09-03，工作表“Sheet2”第 17 行（县民政局）."""
    where = (
        f"”{standing.as_of.isoformat()}，工作表“{standing.sheet[:20]}”第 {standing.row} 行（{standing.source[:20]}）"
    )
    return redact(f"“{standing.list_name[: _EVIDENCE - len(where) - 1]}{where}")


def link(version: ListVersion) -> None:
    """Let each match that gives something point at the open circumstance of its pupil and kind. One statement."""
    matches, entries, circumstances = (m._meta.db_table for m in (ListMatch, ListEntry, Circumstance))
    key = ListVersion._meta.pk.get_db_prep_value(version.pk, connection)
    states = ", ".join(f"'{state}'" for state in HELD)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {matches} SET circumstance_id = ("  # noqa: S608 - names are our models'
            f"SELECT c.id FROM {circumstances} c JOIN {entries} e ON e.category_id = c.category_id"
            f" WHERE e.id = {matches}.entry_id AND c.pupil_id = {matches}.pupil_id AND c.valid_to IS NULL)"
            f" WHERE version_id = %s AND circumstance_id IS NULL AND state IN ({states})"
            f" AND EXISTS (SELECT 1 FROM {entries} e WHERE e.id = {matches}.entry_id"
            " AND e.category_id IS NOT NULL AND NOT e.denies)",
            [key],
        )


def denied(versions: Iterable[UUID], pupils: QuerySet[Any] | None = None) -> dict[UUID, set[int]]:
    """Pupils (of a subquery's, if given) of whom a version says that a category does not hold, and which categories."""
    said = ListMatch.objects.filter(state__in=HELD, version__in=list(versions), entry__denies=True)
    said = said.exclude(entry__category=None)
    if pupils is not None:
        said = said.filter(pupil__in=pupils)
    found: dict[UUID, set[int]] = defaultdict(set)
    for key, category in said.order_by().values_list("pupil_id", "entry__category_id"):
        found[key].add(category)
    return found


def _giving(version: ListVersion, pupil: UUID | None) -> list[Standing]:
    """The version's standings that give a category and are heard against the newest of the other lists."""
    kinds = {category.pk: category for category in Category.objects.all()}
    own = _standings(version, kinds, pupil)
    newest = lists.newest_versions(clock.today())
    others = [key for key, other in newest.items() if other.profile_id != version.profile_id]
    mine = _held_by(version, pupil).values("pupil")
    contrary = denied([*others, version.pk], mine).keys() if others else set()
    said_elsewhere = lists.standing_on_lists(contrary) if contrary else {}
    found = []
    for key, rows in own.items():
        elsewhere = [row for row in said_elsewhere.get(key, ()) if row.profile_id != version.profile_id]
        heard = lists.hear([*rows, *elsewhere]) if elsewhere else rows
        found += [
            row for row in heard if row.version_id == version.pk and row.category and not row.denies and row.is_heard
        ]
    return found


def _standings(version: ListVersion, kinds: dict[int, Category], pupil: UUID | None) -> dict[UUID, list[Standing]]:
    """Of each pupil what the version says. An entry counts as the kind that was in force on its day."""
    rows = _held_by(version, pupil)
    found: dict[UUID, list[Standing]] = defaultdict(list)
    fields = lists.ENTRY
    for key, *entry in rows.values_list("pupil_id", *(f"entry__{name}" for name in fields)).iterator(chunk_size=5000):
        said = dict(zip(fields, entry, strict=True))
        found[key].append(lists.standing_of(key, said, version, kinds, version.as_of))
    return found


def _on_record(version: ListVersion, pupil: UUID | None) -> dict[tuple[UUID, int], str]:
    """Of the version's pupils and each kind: "open", or "ended" when it has been given an end."""
    rows = Circumstance.objects.filter(pupil__in=_held_by(version, pupil).values("pupil")).order_by()
    found: dict[tuple[UUID, int], str] = {}
    for key, kind, end in rows.values_list("pupil_id", "category_id", "valid_to"):
        if end is None or (key, kind) not in found:
            found[key, kind] = "open" if end is None else "ended"
    return found


def _held_by(version: ListVersion, pupil: UUID | None) -> QuerySet[ListMatch]:
    """The version's matches that count; of one pupil, if given."""
    rows = ListMatch.objects.filter(version=version, state__in=HELD).order_by()
    return rows.filter(pupil=pupil) if pupil else rows
