"""Entries of a list against the register: by ID number, else proposed by name and birth date.

Set by set, never row by row: an entry is about a pupil when the blind indexes are equal. What is only alike is
proposed and waits for a person; what a person has decided about somebody holds for every later version.
"""

from collections import defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import scopes
from accounts.models import User
from accounts.roles import Permission

from . import enrolment
from .lists import HELD
from .models import Enrolment, ListEntry, ListMatch, ListVersion, Pupil
from .table_writing import pieces

_DECIDED = (ListMatch.State.CONFIRMED, ListMatch.State.REFUSED)
_WORD = ("state", "decided_at", "decided_by_id")  # of somebody who decided
_AT_ONCE = 500


def match(version: ListVersion) -> None:
    """Bring the version's matches up to the register as it is now. Doing it again changes nothing.

    Decisions are kept; a proposal whose entry has found its pupil otherwise is taken back.
    """
    _by_id(version)
    _as_decided_before(version)
    _propose(version)
    proposed = ListMatch.objects.filter(version=version, state=ListMatch.State.PROPOSED)
    overtaken = proposed.filter(Exists(_held_of(OuterRef("entry_id")))).values_list("pk", flat=True)
    ListMatch.objects.filter(pk__in=list(overtaken)).delete()


def follow_number(pupil: Pupil) -> dict[UUID, list[ListEntry]]:
    """Bring the matches of a pupil whose number was put right up to it, on every version taken.

    Answers by version with the entries that are the pupil's no longer. One of the same name and birth date is
    proposed, so that somebody decides; what was decided by hand stays.
    """
    mine = ListMatch.objects.filter(pupil=pupil)
    # Proposals by the birth date that stood in the old number.
    mine.filter(state=ListMatch.State.PROPOSED).exclude(entry__birth_date=pupil.birth_date).delete()
    old = mine.filter(state=ListMatch.State.BY_ID).exclude(entry__person_index=pupil.id_index)
    lost: dict[UUID, list[ListEntry]] = defaultdict(list)
    for match_ in list(old.select_related("entry__category").order_by("entry_id")):
        entry = match_.entry
        lost[entry.version_id].append(entry)
        if pupil.birth_date and (entry.name, entry.birth_date) == (pupil.name, pupil.birth_date):
            match_.state, match_.circumstance = ListMatch.State.PROPOSED, None
            match_.save(update_fields=["state", "circumstance"])
        else:
            match_.delete()
    for version in ListVersion.objects.filter(
        Exists(ListEntry.objects.filter(version=OuterRef("pk"), person_index=pupil.id_index)),
        profile__county=pupil.county_id,
        state=ListVersion.State.TAKEN,
    ).select_related("profile"):
        _by_id(version, pupil)
    return dict(lost)


def _by_id(version: ListVersion, pupil: Pupil | None = None) -> None:
    """One statement: the entry's blind index is the pupil's; of all pupils of the county, or of one."""
    entries, pupils, matches = (model._meta.db_table for model in (ListEntry, Pupil, ListMatch))
    key = ListVersion._meta.pk.get_db_prep_value(version.pk, connection)
    held = ", ".join(f"'{state}'" for state in HELD)
    only, keys = ("", [])
    if pupil:
        only, keys = " AND p.id = %s", [Pupil._meta.pk.get_db_prep_value(pupil.pk, connection)]
    with connection.cursor() as cursor:
        # What was only proposed, or decided by hand before the number was put right, gives way to the number.
        cursor.execute(
            f"INSERT INTO {matches} (entry_id, version_id, pupil_id, state)"  # noqa: S608 - names are our models'
            f" SELECT e.id, e.version_id, p.id, 'by_id' FROM {entries} e"
            f" JOIN {pupils} p ON p.county_id = %s AND p.id_index = e.person_index"
            f" WHERE e.version_id = %s{only}"
            f" AND NOT EXISTS (SELECT 1 FROM {matches} m WHERE m.entry_id = e.id AND m.state IN ({held}))"
            " ON CONFLICT (entry_id, pupil_id) DO UPDATE SET state = 'by_id', decided_at = NULL, decided_by_id = NULL",
            [version.profile.county_id, key, *keys],
        )


def _held_of(entry: OuterRef) -> QuerySet[ListMatch]:
    return ListMatch.objects.filter(entry_id=entry, state__in=HELD)


def _unmatched(version: ListVersion) -> QuerySet[ListEntry]:
    return ListEntry.objects.filter(version=version).exclude(Exists(_held_of(OuterRef("pk"))))


def _as_decided_before(version: ListVersion) -> None:
    """What was decided about the same person and pupil on any list of the county, the last word of it."""
    decided = ListMatch.objects.filter(state__in=_DECIDED, pupil__county=version.profile.county_id)
    decided = decided.exclude(version=version).order_by("decided_at", "pk")
    # What people have decided is little beside what stands on a list: it is fetched, and the list asked for it.
    last: dict[tuple[str, UUID], dict[str, Any]] = {}
    for person, pupil, *word in decided.values_list("entry__person_index", "pupil_id", *_WORD):
        last[person, pupil] = dict(zip(_WORD, word, strict=True))
    if not last:
        return
    entries: dict[str, list[int]] = defaultdict(list)
    for persons in pieces({person for person, _ in last}, _AT_ONCE):
        here = _unmatched(version).filter(person_index__in=persons)
        for key, person in here.values_list("pk", "person_index"):
            entries[person].append(key)
    taken: set[int] = set()
    rows = []
    for (person, pupil), word in last.items():
        for entry in entries[person]:
            if word["state"] == ListMatch.State.CONFIRMED:
                if entry in taken:
                    continue
                taken.add(entry)
            rows.append(ListMatch(entry_id=entry, version=version, pupil_id=pupil, **word))
    # A proposal made before the decision was taken gives way to it; what was decided here stays.
    open_here = ListMatch.objects.filter(version=version, state=ListMatch.State.PROPOSED)
    for some in pieces(rows, _AT_ONCE):
        pairs = {(row.entry_id, row.pupil_id) for row in some}
        found = open_here.filter(entry__in={row.entry_id for row in some}).values_list("pk", "entry_id", "pupil_id")
        open_here.filter(pk__in=[key for key, *pair in found if tuple(pair) in pairs]).delete()
    ListMatch.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)


def _propose(version: ListVersion) -> None:
    # Not narrowed by county here: SQLite would walk the county's pupils for each entry instead of those of the name.
    alike = Pupil.objects.filter(name=OuterRef("name"), birth_date=OuterRef("birth_date"))
    # The rarest is asked first: nearly nobody on a list is called like a pupil born on the same day.
    entries = ListEntry.objects.filter(Exists(alike), version=version).exclude(birth_date=None).exclude(name="")
    entries = entries.exclude(Exists(_held_of(OuterRef("pk"))))
    waiting: dict[tuple[str, object], list[int]] = defaultdict(list)
    for key, name, born in entries.order_by().values_list("pk", "name", "birth_date"):
        waiting[name, born].append(key)
    names = sorted({name for name, _ in waiting})
    rows = []
    for start in range(0, len(names), _AT_ONCE):
        pupils = Pupil.objects.filter(name__in=names[start : start + _AT_ONCE]).order_by()
        for pupil, county, name, born in pupils.values_list("pk", "county_id", "name", "birth_date"):
            if county == version.profile.county_id:
                rows += [
                    ListMatch(entry_id=entry, version=version, pupil_id=pupil, state=ListMatch.State.PROPOSED)
                    for entry in waiting.get((name, born), ())
                ]
    # A pair that was refused stays refused.
    ListMatch.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)


# --- differences of two versions -------------------------------------------------------------------


def came_in(before: ListVersion, after: ListVersion) -> QuerySet[ListEntry]:
    """Entries of `after` whose person does not stand on `before`. Who left is `came_in(after, before)`."""
    return ListEntry.objects.filter(version=after).exclude(Exists(_same_person(before)))


def changed(before: ListVersion, after: ListVersion) -> QuerySet[ListEntry]:
    """Entries of `after` whose person stands on both, with other flags or another meaning."""
    there = _same_person(before)
    rows = ListEntry.objects.filter(version=after).filter(Exists(there))
    return rows.exclude(Exists(there.filter(mark=OuterRef("mark"))))


def _same_person(version: ListVersion) -> QuerySet[ListEntry]:
    return ListEntry.objects.filter(version=version, person_index=OuterRef("person_index"))


def of_pupils(
    entries: QuerySet[ListEntry], version: ListVersion, pupils: Collection[UUID] | None = None
) -> QuerySet[ListEntry]:
    """Those of the version's entries that are about a pupil; about one of these pupils, if given."""
    held = ListMatch.objects.filter(version=version, state__in=HELD)
    if pupils is not None:
        held = held.filter(pupil__in=pupils)
    return entries.filter(pk__in=held.values("entry"))


def about_ours(matches: QuerySet[ListMatch], user: User, permission: Permission) -> QuerySet[ListMatch]:
    """Those of the matches whose pupil is of one of the person's counties, or now at one of the person's schools."""
    paths = scopes.reach(user, permission)
    counties = {int(path.rstrip("/")) for path in paths if path.count("/") == 1}
    # A county's list is compared with the county's pupils only, so the version says it too.
    theirs = Q(version__in=ListVersion.objects.filter(profile__county__in=counties).order_by().values("pk"))
    if scopes.whole_counties(paths):
        return matches.filter(theirs)
    return matches.filter(theirs | Q(pupil__in=pupils_now_in(enrolment.at_schools(user, permission), matches)))


def pupils_now_in(places: QuerySet[Enrolment], matches: QuerySet[ListMatch]) -> list[UUID]:
    """Keys of the pupils of these matches whose present place is one of the places.

    Who of them was ever there is asked first: where a pupil is now costs more, and is asked of these few.
    """
    was_there = Exists(places.filter(pupil=OuterRef("pupil")))
    ever = list(matches.filter(was_there).order_by().values_list("pupil", flat=True).distinct())
    now = enrolment.current_only(places.filter(pupil__in=ever)).order_by()
    return list(now.values_list("pupil", flat=True))


def neighbours(version: ListVersion) -> tuple[ListVersion | None, ListVersion | None]:
    """The taken versions of the same list just before and just after this one, by their dates."""
    taken = ListVersion.objects.filter(profile=version.profile_id, state=ListVersion.State.TAKEN)
    taken = taken.exclude(pk=version.pk).select_related("profile__source", "profile__county")
    return (
        taken.filter(as_of__lte=version.as_of).order_by("-as_of").first(),
        taken.filter(as_of__gt=version.as_of).order_by("as_of").first(),
    )


def count(version: ListVersion) -> dict[str, object]:
    """What the version holds and how it differs from the one before it: the numbers of its page."""
    held = ListMatch.objects.filter(version=version, state__in=HELD)
    proposed = ListMatch.objects.filter(version=version, state=ListMatch.State.PROPOSED)
    before, _ = neighbours(version)
    found: dict[str, object] = {
        "pupils": held.values("pupil").distinct().count(),
        "proposed": proposed.values("entry__person_index").distinct().count(),
        "previous": before.as_of.isoformat() if before else "",
    }
    if before:
        for kind, rows, on in (
            ("came", came_in(before, version), version),
            ("left", came_in(version, before), before),
            ("changed", changed(before, version), version),
        ):
            found[kind] = _persons(rows)
            found[f"{kind}_pupils"] = _persons(of_pupils(rows, on))
    return found


def _persons(entries: QuerySet[ListEntry]) -> int:
    return entries.order_by().values("person_index").distinct().count()
