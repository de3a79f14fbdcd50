"""What the comparison lists say now: who stands on which, who shares a household, whose word is heard.

Reading only. Of each list the newest version that was taken counts; versions are made in
`students.list_versions`, matched in `students.list_matching`.
"""

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from accounts import clock
from accounts.models import Unit
from accounts.templatetags.aid import cn_date

from . import enrolment
from .models import Category, ListMatch, ListVersion, Pupil

# A pupil stands on a list when the ID number says so, or when somebody has decided it.
HELD = (ListMatch.State.BY_ID, ListMatch.State.CONFIRMED)
Pupils = QuerySet[Pupil] | Iterable[UUID]
_CHUNK = 5000


@dataclass(frozen=True)
class Standing:
    """One row of one list about a pupil, and what it comes to."""

    pupil_id: UUID
    entry_id: int
    version_id: UUID
    profile_id: int
    list_name: str
    source: str  # the office that sent the list
    rank: int  # of the office: where two lists contradict each other, the smaller is heard
    as_of: dt.date
    sheet: str
    row: int
    relation: str
    household: str  # "" or a key that is equal within one household of the version
    flags: dict[str, str]
    category: Category | None  # the kind it counts as on the day asked for; None: the list gives none
    denies: bool  # the list says that the category does not (any longer) hold
    valid_from: dt.date
    valid_to: dt.date | None
    is_heard: bool = True  # False: another list says the contrary and is heard instead
    why: str = ""  # where lists contradict each other: a sentence on which is heard and why; else ""

    @property
    def word(self) -> str:
        """What the list says, in a few words."""
        if self.category is None:
            return "不涉及困难类别"
        return f"不再属于“{self.category}”" if self.denies else f"属于“{self.category}”"

    def gives(self, on: dt.date) -> bool:
        """Whether the list's word is heard and makes the pupil one of the category on the day."""
        in_time = self.valid_from <= on and (self.valid_to is None or self.valid_to >= on)
        return self.category is not None and not self.denies and self.is_heard and in_time


def standing_on_lists(pupils: Pupils, on: dt.date | None = None) -> dict[UUID, list[Standing]]:
    """Which lists each pupil is on, by the newest versions taken whose date is not after `on` (today).

    `pupils` are a queryset (unsliced; better for many: it stays in the database) or keys; a pupil on no list is not in
    the answer. Standings are ordered by the rank of their source; contradictions are settled (`is_heard`,
    `why`). Three queries however many pupils there are. Scope is the caller's business.
    """
    on = on or clock.today()
    versions = newest_versions(on)
    categories = {category.pk: category for category in Category.objects.all()}
    rows = _held(pupils).filter(version__in=list(versions)).order_by()
    found: dict[UUID, list[Standing]] = defaultdict(list)
    for pupil, *entry in rows.values_list("pupil_id", *(f"entry__{name}" for name in ENTRY)).iterator(
        chunk_size=_CHUNK
    ):
        said = dict(zip(ENTRY, entry, strict=True))
        found[pupil].append(standing_of(pupil, said, versions[said["version_id"]], categories, on))
    return {pupil: hear(standings) for pupil, standings in found.items()}


def households(county: Unit, on: dt.date) -> list[frozenset[UUID]]:
    """Pupils of the county who share a household on the newest version of a list taken by a day; two at least.

    Each group once, however many lists know it. Two queries; the database sorts, so that only one household at a time
    and the groups themselves are in memory. The members may be at different schools.
    """
    newest = [key for key, row in newest_versions(on).items() if row.profile.county_id == county.pk]
    rows = ListMatch.objects.filter(state__in=HELD, version__in=newest).exclude(entry__household="")
    rows = rows.order_by("version", "entry__household", "pupil")
    said = rows.values_list("version", "entry__household", "pupil_id").iterator(chunk_size=_CHUNK)
    groups = itertools.groupby(said, key=lambda row: row[:2])
    found = {frozenset(pupil for *_, pupil in group) for _, group in groups}
    return sorted((group for group in found if len(group) > 1), key=lambda group: sorted(map(str, group)))


def household_mates(pupils: Iterable[UUID], on: dt.date) -> dict[UUID, set[UUID]]:
    """Who shares a household with each of the pupils on the newest version of a list taken by a day; who shares with
    nobody is left out. Three queries; the others may be at any school."""
    keys = list(pupils)
    newest = list(newest_versions(on))
    rows = ListMatch.objects.filter(state__in=HELD, version__in=newest).exclude(entry__household="").order_by()
    own = list(rows.filter(pupil__in=keys).values_list("version_id", "entry__household").distinct())
    together: dict[tuple[UUID, str], set[UUID]] = defaultdict(set)
    if own:
        named = rows.filter(entry__household__in={household for _, household in own})
        for version, household, pupil in named.values_list("version_id", "entry__household", "pupil_id"):
            together[version, household].add(pupil)
    found: dict[UUID, set[UUID]] = defaultdict(set)
    for group in together.values():
        for pupil in group.intersection(keys):
            found[pupil] |= group - {pupil}
    return {pupil: group for pupil, group in found.items() if group}


def newest_versions(on: dt.date) -> dict[UUID, ListVersion]:
    """The newest taken version of each list in use, by a day; with profile and source. One query."""
    rows = ListVersion.objects.filter(state=ListVersion.State.TAKEN, profile__is_active=True, as_of__lte=on)
    rows = rows.defer("findings").select_related("profile__source").order_by("profile", "-as_of")
    newest: dict[int, ListVersion] = {}
    for version in rows:
        newest.setdefault(version.profile_id, version)
    return {version.pk: version for version in newest.values()}


def _held(pupils: Pupils) -> QuerySet[ListMatch]:
    keys: Any = pupils.order_by().values("pk") if isinstance(pupils, QuerySet) else list(pupils)
    return ListMatch.objects.filter(state__in=HELD, pupil__in=keys)


# The fields of an entry that `standing_of` wants.
ENTRY = (
    "id", "version_id", "sheet", "row", "relation", "household", "flags", "category_id", "denies", "valid_from",
    "valid_to",
)  # fmt: skip


def standing_of(
    pupil: UUID, entry: dict[str, Any], version: ListVersion, categories: dict[int, Category], on: dt.date
) -> Standing:
    """The standing that an entry (its fields by name) gives a pupil; nobody has contradicted it yet."""
    kind = categories[entry["category_id"]] if entry["category_id"] else None
    return Standing(
        pupil_id=pupil,
        entry_id=entry["id"],
        version_id=version.pk,
        profile_id=version.profile_id,
        list_name=version.profile.name,
        source=version.profile.source.name,
        rank=version.profile.source.rank,
        as_of=version.as_of,
        sheet=entry["sheet"],
        row=entry["row"],
        relation=entry["relation"],
        household=entry["household"],
        flags=entry["flags"],
        category=enrolment.kind_on(kind, categories, on) if kind else None,
        denies=entry["denies"],
        valid_from=entry["valid_from"] or version.as_of,
        valid_to=entry["valid_to"],
    )


# --- whose word is heard ---------------------------------------------------------------------------


def hear(standings: list[Standing]) -> list[Standing]:
    """The standings of one pupil, each told whether it is heard; ordered by rank.

    Two lists contradict each other when one gives a category that the other denies. Heard is the office with
    the smaller rank; of two with the same rank the later list; of the same day the one that gives, so that
    nobody loses aid by a tie.
    """
    by_kind: dict[str, list[Standing]] = defaultdict(list)
    for standing in standings:
        if standing.category:
            by_kind[standing.category.code].append(standing)
    heard: dict[int, Standing] = {}
    for rows in by_kind.values():
        if {row.denies for row in rows} == {True, False}:
            first = min(rows, key=_precedence)
            for row in rows:
                heard[row.entry_id] = replace(row, is_heard=row.denies == first.denies, why=_why(first, rows))
    ordered = sorted(standings, key=lambda row: (row.rank, row.list_name, row.row, row.entry_id))
    return [heard.get(row.entry_id, row) for row in ordered]


def _precedence(standing: Standing) -> tuple[int, int, bool, str, int]:
    return (
        standing.rank,
        -standing.as_of.toordinal(),
        standing.denies,
        standing.list_name,
        standing.entry_id,
    )


def _why(first: Standing, rows: list[Standing]) -> str:
    other = min((row for row in rows if row.denies != first.denies), key=_precedence)
    said = f"“{first.list_name}”（{first.source}，{cn_date(first.as_of)}）写明{first.word}"
    said += f"，“{other.list_name}”（{other.source}，{cn_date(other.as_of)}）写明{other.word}"
    if first.rank != other.rank:
        reason = f"{first.source}的优先顺序在前"
    elif first.as_of != other.as_of:
        reason = "两者优先顺序相同，以日期较新的为准"
    else:
        reason = "两者优先顺序和日期都相同，先按享受认定，请核对"
    return f"{said}。以“{first.list_name}”为准：{reason}。"


def contradicted_pupils(county: Unit) -> QuerySet[Pupil]:
    """Pupils of whom one newest list gives a category that another denies."""
    newest = [key for key, row in newest_versions(clock.today()).items() if row.profile.county_id == county.pk]
    said = ListMatch.objects.filter(state__in=HELD, version__in=newest)
    contrary = said.filter(pupil=OuterRef("pupil"), entry__category=OuterRef("entry__category"), entry__denies=False)
    both = said.filter(entry__denies=True).filter(Exists(contrary))
    return Pupil.objects.filter(pk__in=both.order_by().values("pupil")).order_by("name", "pk")
