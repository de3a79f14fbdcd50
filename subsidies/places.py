"""Places of a quota: how many there are, who holds one, and taking one under a lock.

How many are used is counted from the cases each time: whoever the school agreed to holds a place until the case
ends without aid or the pupil changes class. A unit without a number of its own shares, with the others like it,
what its parent holds and has not handed down; where nothing at all is recorded, there is no limit.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from django.db.models import Count, Q, QuerySet, Sum

from accounts.models import Unit
from students import enrolment
from students.models import Enrolment, Standing, Term

from .models import Application, Programme, Quota, QuotaVersion
from .states import ENDED_WITHOUT_AID, Place

_LEVEL = Unit.Level
_CHUNK = 500

# By level of a unit: how a case, and a pupil's enrolment, tells which unit of the level it belongs to.
UNIT_OF = {_LEVEL.CLASS: "school_class", _LEVEL.SCHOOL: "school", _LEVEL.COUNTY: "school__parent"}

_ROUNDINGS = {
    QuotaVersion.Rounding.DOWN: ROUND_FLOOR,
    QuotaVersion.Rounding.HALF_UP: ROUND_HALF_UP,
    QuotaVersion.Rounding.UP: ROUND_CEILING,
}


@dataclass(frozen=True)
class Seats:
    """Where a unit stands: its places (None: no number of its own), those taken, those outside the quota."""

    places: int | None
    taken: int
    outside: int

    @property
    def free(self) -> int | None:
        return None if self.places is None else max(0, self.places - self.taken)

    @property
    def over(self) -> int:
        """How many more are in use than there are: only after a reduction that was made all the same."""
        return 0 if self.places is None else max(0, self.taken - self.places)


@dataclass(frozen=True)
class Shared:
    """What a unit holds and has not handed down, for all below it without a number of their own."""

    places: int
    taken: int

    @property
    def free(self) -> int:
        return max(0, self.places - self.taken)


def share_of(roll: int, percent: Decimal, rounding: str) -> int:
    """How many places a percentage of so many pupils makes: 14 % of 523 is 73.22, so 73, 73 or 74."""
    exact = roll * percent / 100
    return int(exact.quantize(Decimal(1), rounding=_ROUNDINGS[QuotaVersion.Rounding(rounding)]))


def roll_of(
    programme: Programme, term: Term, units: Sequence[Unit], conditions: Mapping[str, Sequence[str]] | None = None
) -> dict[int, int]:
    """Pupils of the programme's stages present in the term, by unit; all units of one level. One query.

    `conditions` narrow that to a part of the roll, as those of a standard: {"registration": ["urban"]}. Suspended
    pupils are not counted: they can have no aid while they are away.
    """
    field = UNIT_OF[_LEVEL(units[0].level)] if units else "school"
    part = {f"{enrolment.PLACE_FACTS[fact]}__in": values for fact, values in (conditions or {}).items()}
    rows = Enrolment.objects.filter(
        term=term, standing=Standing.PRESENT, stage__in=programme.stages, **{f"{field}__in": [u.pk for u in units]}
    ).filter(**part)
    return dict(rows.order_by().values_list(field).annotate(n=Count("pk")))


def holders(programme: Programme, term: Term) -> QuerySet[Application]:
    """Cases to which a school has agreed and that have not ended without aid, those outside the quota too."""
    rows = Application.objects.filter(programme=programme, term=term).exclude(place="")
    return rows.exclude(state__in=ENDED_WITHOUT_AID)


def holders_in(quota: Quota) -> QuerySet[Application]:
    """The cases that use the places of this unit."""
    field = UNIT_OF[_LEVEL(quota.unit.level)]
    return holders(quota.programme, quota.term).filter(place=Place.TAKEN, **{field: quota.unit_id})


def seats_of(programme: Programme, term: Term, units: Sequence[Unit]) -> dict[int, Seats]:
    """Where each of the units stands, by key; all of one level. Two queries."""
    keys = [unit.pk for unit in units]
    held = dict(
        Quota.objects.filter(programme=programme, term=term, unit__in=keys).order_by().values_list("unit_id", "places")
    )
    counted = _counted(programme, term, units[0].level, keys) if units else {}
    return {
        key: Seats(held.get(key), counted.get((key, Place.TAKEN), 0), counted.get((key, Place.OUTSIDE), 0))
        for key in keys
    }


def _counted(programme: Programme, term: Term, level: str, keys: Collection[int]) -> dict[tuple[int, str], int]:
    field = UNIT_OF[_LEVEL(level)]
    rows = holders(programme, term).filter(**{f"{field}__in": keys}).order_by()
    return {(unit, place): n for unit, place, n in rows.values_list(field, "place").annotate(n=Count("pk"))}


def shared_of(parent: Quota) -> Shared:
    """What is left of a unit's places for those below it that have no number of their own; what these use. Two
    queries. `parent` must have places."""
    below = parent.children.exclude(places=None)
    handed = below.aggregate(n=Sum("places"))["n"] or 0
    level = _LEVEL.SCHOOL if parent.unit.level == _LEVEL.COUNTY else _LEVEL.CLASS
    others = holders_in(parent).exclude(**{f"{UNIT_OF[level]}__in": below.order_by().values("unit")})
    return Shared((parent.places or 0) - handed, others.count())


# --- over the quota ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Over:
    """Places of which more are in use than there are: a unit's own ones, or (`shared`) those it has not handed down.

    That comes of a reduction made all the same, or of a rule on who stands outside the quota that has ended.
    """

    quota: Quota
    places: int
    taken: int
    shared: bool
    classes: frozenset[int]  # whose cases use them, by key

    @property
    def count(self) -> int:
        return self.taken - self.places


def overs_in(programme: Programme, term: Term, schools: Collection[Unit]) -> dict[int, list[Over]]:
    """By key of the school, on the lowest level, where more places are in use than there are; who keeps within the
    places is left out. At most four queries for each county, one where there are no quotas."""
    keys = [school.pk for school in schools]
    rows = Quota.objects.filter(programme=programme, term=term).exclude(places=None)
    rows = rows.select_related("unit", "programme", "term")
    above = {school.parent_id for school in schools}
    held = {row.unit_id: row for row in rows.filter(Q(unit__in=[*keys, *above]) | Q(unit__parent__in=keys))}
    if not held:
        return {}
    used: dict[int, dict[int, int]] = defaultdict(dict)
    cases = holders(programme, term).filter(place=Place.TAKEN, school__in=keys).order_by()
    for school, unit, n in cases.values_list("school", "school_class").annotate(n=Count("pk")):
        used[school][unit] = n
    found: dict[int, list[Over]] = {}
    sharing: dict[int, list[Unit]] = defaultdict(list)
    for school in schools:
        if school.pk not in held and school.parent_id in held:
            sharing[school.parent_id].append(school)
        if over := _overs_of(school.pk, used[school.pk], held):
            found[school.pk] = over
    for county, some in sharing.items():
        shared = shared_of(held[county])
        if shared.taken > shared.places:
            for school in some:
                together = Over(
                    held[county], shared.places, shared.taken, shared=True, classes=frozenset(used[school.pk])
                )
                found.setdefault(school.pk, []).append(together)
    return found


def _overs_of(school: int, used: dict[int, int], held: dict[int, Quota]) -> list[Over]:
    """Of one school: its classes with places of their own, and what is left to the others."""
    found = [
        Over(held[unit], held[unit].places or 0, n, shared=False, classes=frozenset({unit}))
        for unit, n in used.items()
        if unit in held and n > (held[unit].places or 0)
    ]
    if school in held:
        own = held[school]
        handed = sum(row.places or 0 for row in held.values() if row.unit.parent_id == school)
        others = {unit: n for unit, n in used.items() if unit not in held}
        left = (own.places or 0) - handed
        if sum(others.values()) > left:
            is_shared = any(row.unit.parent_id == school for row in held.values())
            found.append(Over(own, left, sum(others.values()), shared=is_shared, classes=frozenset(others)))
    return found


def lock_for(applications: Iterable[Application]) -> None:
    """Lock every quota that a step of these (locked) cases may ask for.

    For a verb that writes to the audit trail before the step: everybody takes the trail's end last.
    """
    for rows in by_list(applications):
        lock(rows[0].programme, rows[0].term, {unit for row in rows for unit in _units_over(row)})


def lock_schools(programme: Programme, term: Term, schools: Collection[Unit]) -> None:
    """Lock all quotas of the schools, of their classes and of what they share, in key order, as `lock`."""
    rows = Quota.objects.filter(programme=programme, term=term)
    units = Q(unit__in=[key for school in schools for key in (school.pk, school.parent_id)])
    below = Q(unit__parent__in=[school.pk for school in schools])
    lock(programme, term, rows.filter(units | below).values_list("unit_id", flat=True))


# --- outside the quota -------------------------------------------------------------------------------------


def outside_codes(programme: Programme, term: Term) -> set[str]:
    """Codes of the hardship categories that use up no places in the term."""
    return set(programme.outside_quota.in_force(term.key).values_list("category_code", flat=True))


def place_for(facts: dict, codes: Collection[str]) -> Place:
    """What a pupil with these facts (students.enrolment.facts) needs when the school agrees."""
    return Place.OUTSIDE if any(c["code"] in codes for c in facts.get("categories", ())) else Place.TAKEN


# --- taking ------------------------------------------------------------------------------------------------


def lock(programme: Programme, term: Term, units: Iterable[int]) -> dict[int, Quota]:
    """The quotas of the units (by unit), locked until the transaction ends, always in key order.

    Applications are locked before, the end of the audit trail after: as everywhere. A quota that somebody made below
    one of these while we waited for it is among them.
    """
    keys = list(units)
    found: dict[int, Quota] = {}
    while True:
        rows = Quota.objects.select_for_update(of=("self",)).filter(programme=programme, term=term, unit__in=keys)
        again = {row.unit_id: row for row in rows.select_related("unit").order_by("pk")}
        if found.keys() == again.keys():
            return again
        found = again


def take(applications: Sequence[Application]) -> list[str]:
    """Give each of the locked cases its place; sentences about what is full, and then the caller must roll back.

    Who held a place already (it came back for correction) needs no second one. For the workflow's door only.
    """
    return [sentence for rows in by_list(applications) for sentence in _take(rows)]


def by_list(applications: Iterable[Application]) -> list[list[Application]]:
    """The cases of each programme and term: places are of one such list."""
    found: dict[tuple[int, int], list[Application]] = defaultdict(list)
    for application in applications:
        found[application.programme_id, application.term_id].append(application)
    return list(found.values())


def _take(rows: list[Application]) -> list[str]:
    programme, term = rows[0].programme, rows[0].term
    # Every class, school and county concerned: who takes a place of one class may take one that others share.
    locked = lock(programme, term, {unit for row in rows for unit in _units_over(row)})
    held = {unit: quota for unit, quota in locked.items() if quota.places is not None}
    codes = outside_codes(programme, term)
    wanted: dict[Place, list[Application]] = defaultdict(list)
    for row in rows:
        place = place_for(row.facts, codes)
        if row.place != place:
            wanted[place].append(row)
    for place, some in wanted.items():
        keys = [row.pk for row in some]
        for start in range(0, len(keys), _CHUNK):
            Application.objects.filter(pk__in=keys[start : start + _CHUNK]).update(place=place)
    return _what_is_full(held, wanted[Place.TAKEN])


def _units_over(row: Application) -> list[int]:
    """Keys of the county, the school and the class of a case."""
    return [int(key) for key in row.school_class.path.rstrip("/").split("/")]


def _what_is_full(held: dict[int, Quota], fresh: list[Application]) -> list[str]:
    """After the places were written: a sentence for each unit that uses more than it has, on the lowest such level."""
    for level in (_LEVEL.CLASS, _LEVEL.SCHOOL, _LEVEL.COUNTY):
        depth = list(_LEVEL.values).index(level)
        new = Counter(_units_over(row)[depth] for row in fresh)
        own = [held[unit] for unit in new if unit in held]
        taken = _counted(own[0].programme, own[0].term, level, [quota.unit_id for quota in own]) if own else {}
        found = []
        for quota in own:
            used, places = taken.get((quota.unit_id, Place.TAKEN), 0), quota.places or 0
            if used > places:
                name = quota.unit.name if level != _LEVEL.CLASS else _class_name(quota.unit_id, fresh)
                found.append(_own_is_full(name, level, places, used, new[quota.unit_id]))
        sharing = (
            {_units_over(row)[depth - 1] for row in fresh if _units_over(row)[depth] not in held} if depth else set()
        )
        for parent in sorted(sharing & held.keys()):
            shared = shared_of(held[parent])
            # Where nothing was handed down, all share all: that is the parent's own number, looked at next.
            if shared.places != held[parent].places and shared.taken > shared.places:
                found.append(_shared_is_full(held[parent].unit.name, level, shared))
        if found:
            return found
    return []


def _class_name(unit: int, rows: list[Application]) -> str:
    return next(row.class_name for row in rows if row.school_class_id == unit)


# Who can give a unit more, and what the units of a level are called.
_MORE_FROM = {
    _LEVEL.CLASS: "本校资助专干调整各班名额",
    _LEVEL.SCHOOL: "县资助中心增加名额",
    _LEVEL.COUNTY: "县资助中心登记上级追加的名额",
}


def _own_is_full(name: str, level: str, places: int, used: int, new: int) -> str:
    return (
        f"名额已用完：{name}名额 {places} 个，以前已用 {used - new} 个，这次同意的有 {new} 人要占名额，"
        f"多出 {min(new, used - places)} 人。{_what_to_do(level)}"
    )


def _shared_is_full(name: str, level: str, shared: Shared) -> str:
    below, left = _LEVEL(level).label, max(0, shared.places)
    return (
        f"名额已用完：{name}没有分到各{below}的名额是 {left} 个，由没有单列名额的{below}共用，"
        f"这次同意后多出 {shared.taken - left} 人。{_what_to_do(level)}"
    )


def _what_to_do(level: str) -> str:
    return f"请减少同意的人数（其余的先“暂不处理”），或请{_MORE_FROM[_LEVEL(level)]}；应助尽助的学生不占名额。"
