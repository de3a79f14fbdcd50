"""What a screening finds: one function per kind of concern, from what is on record to rows. Writes nothing.

The finders of a school look at its own pupils and applications; those of the county look across schools. Each
asks a fixed number of questions of the database, and the same records always give the same rows.
"""

import datetime as dt
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Right
from django.db.models.lookups import Exact

from accounts import clock
from accounts.models import Unit
from students import enrolment as register
from students import lists, privacy
from students.models import (
    BankAccount,
    Category,
    Circumstance,
    Enrolment,
    Pupil,
    RosterFinding,
    RosterImport,
    Standing,
    Term,
)
from students.table_writing import pieces

from . import programmes
from .applications import facts_for_rules, had_before
from .entitlement import ProgrammeRules, entitlement
from .models import Application, Concern, Programme, ProgrammeExclusion, Round, StageAges
from .states import ENDED_WITHOUT_AID, State

Kind = Concern.Kind
OF_A_SCHOOL = (Kind.MISSED, Kind.WITHOUT_EVIDENCE, Kind.AGE, Kind.EXPIRING)
ACROSS_SCHOOLS = (Kind.TWO_SCHOOLS, Kind.EXCLUDED_TWICE, Kind.SIBLING)
# Handed in and not given up: what is judged by evidence, and what may be one aid too many.
ON_THE_ROAD = tuple(s for s in State if s not in (State.DRAFT, State.RETURNED, State.MOVING, *ENDED_WITHOUT_AID))
TWO_CHILDREN = "two_children"  # the reason that says: these records are not one child
_CHUNK = 1000
_OF_PLACE = ("pupil_id", "school_id", "path", "class_name", "standing")


class Key(NamedTuple):
    """What makes a concern the same one from screening to screening, within a term."""

    kind: str
    pupil: UUID
    subject: str


@dataclass(frozen=True)
class Found:
    """A concern as the records give it today. `about` is the county's concern this one is a school's part of."""

    kind: Kind
    pupil: UUID
    subject: str
    owner: int
    path: str
    class_name: str
    facts: dict[str, Any]
    about: Key | None = None

    @property
    def key(self) -> Key:
        return Key(self.kind, self.pupil, self.subject)

    @property
    def digest(self) -> str:
        """SHA-256 over the facts: another digest is another matter."""
        return hashlib.sha256(json.dumps(self.facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class Place:
    """Where a pupil is in the term."""

    pupil: UUID
    school: int
    path: str
    class_name: str
    facts: dict[str, str]  # register.PLACE_FACTS
    is_present: bool

    @property
    def stage(self) -> str:
        return self.facts["stage"]


@dataclass
class Season:
    """What holds for every school of the county in the term; read once for a whole screening."""

    county: Unit
    term: Term
    today: dt.date
    rounds: list[Round]
    rules: dict[int, ProgrammeRules]
    ages: dict[str, StageAges]
    categories: dict[int, Category]
    _answers: dict[tuple[object, ...], bool] = field(default_factory=dict)

    def rounds_over(self, path: str, stage: str = "") -> list[Round]:
        """The rounds open to the unit with this path, and to the stage if one is named."""
        return [
            row
            for row in self.rounds
            if path.startswith(row.unit.path) and (not stage or stage in row.programme.stages)
        ]

    def grants(self, programme: Programme, place: Mapping[str, str], kinds: list[dict[str, Any]]) -> bool:
        """Whether kinds of hardship in force today open the programme, at any of its tiers."""
        return any(self.entitles(programme.pk, place, kinds, tier) for tier in programme.tiers or [""])

    def entitles(self, programme: int, place: Mapping[str, str], kinds: list[dict[str, Any]], tier: str) -> bool:
        """As `entitlement` says; asked once for pupils who are alike. `place`: register.PLACE_FACTS."""
        said = ((kind["code"], *sorted(kind.get("flags", {}).items())) for kind in kinds)
        case = (programme, tier, *place.values(), *said)
        if case not in self._answers:
            facts = facts_for_rules({**place, "categories": kinds}, tier)
            rules, term = self.rules[programme], self.term
            found = entitlement(facts, rules, term=term.key, term_name=term.name, on=self.today)
            self._answers[case] = found.is_entitled
        return self._answers[case]


def season(county: Unit, term: Term) -> Season:
    today = clock.today()
    rounds = Round.objects.filter(
        term=term, unit__path__startswith=county.path, programme__is_active=True, opens_on__lte=today
    )
    ages = {row.stage: row for row in StageAges.objects.in_force(term.key).order_by("first_term")}
    kinds = {category.pk: category for category in Category.objects.all()}
    known = Programme.objects.prefetch_related("standards", "accepted")
    return Season(
        county,
        term,
        today,
        list(rounds.select_related("programme", "unit").order_by("programme__code", "pk")),
        {programme.pk: programmes.rules_of(programme) for programme in known},
        ages,
        kinds,
    )


# --- within one school -----------------------------------------------------------------------------


def of_school(now: Season, school: Unit) -> list[Found]:
    """Everything to look at in one school."""
    return [*missed(now, school), *without_evidence(now, school), *age(now, school), *expiring(now, school)]


def missed(now: Season, school: Unit) -> Iterator[Found]:
    """In hardship today and entitled, and nobody has applied (or the application was taken back).

    Whom a review refused was not missed: the refusal has its own reason. A draft counts until the round closes.
    """
    rounds = now.rounds_over(school.path)
    if not rounds:
        return
    in_force = _in_force(now.today).filter(pupil=OuterRef("pupil"))
    rows = _present(now, school).filter(Exists(in_force)).order_by("pk")
    places = list(rows.values_list("pupil_id", "path", "class_name", *register.PLACE_FACTS.values()))
    pupils = [row[0] for row in places]
    held = register.categories_of(pupils, on=now.today)
    filed = _filings(now.term, Application.objects.filter(pupil__in=pupils))
    had = {row.programme_id: had_before(row.programme, pupils, now.term) for row in rounds}
    for pupil, path, class_name, *said in places:
        place = dict(zip(register.PLACE_FACTS, said, strict=True))
        kinds = held.get(pupil, [])
        for round_ in rounds:
            if pupil in had[round_.programme_id]:
                continue
            state = filed.get((pupil, round_.programme_id), "")
            late_draft = state == State.DRAFT and now.today > round_.closes_on
            if state not in ("", State.WITHDRAWN) and not late_draft:
                continue
            if now.grants(round_.programme, place, kinds):
                facts: dict[str, Any] = {"programme": round_.programme.code, "programme_name": round_.programme.name}
                facts |= {"kinds": [_kind(row) for row in kinds], "before": state}
                yield Found(Kind.MISSED, pupil, round_.programme.code, school.pk, path, class_name, facts)


def _filings(term: Term, rows: QuerySet[Application]) -> dict[tuple[UUID, int], str]:
    """By pupil and programme: the state of the application that stands, else of the last that ended."""
    found: dict[tuple[UUID, int], str] = {}
    for pupil, programme, state in (
        rows.filter(term=term).order_by("filed_at", "pk").values_list("pupil_id", "programme_id", "state")
    ):
        if state not in ENDED_WITHOUT_AID or found.get((pupil, programme), state) in ENDED_WITHOUT_AID:
            found[pupil, programme] = state
    return found


def without_evidence(now: Season, school: Unit) -> Iterator[Found]:
    """On the road to money, or paid, with no hardship today that opens the programme and is shown by evidence."""
    rows = Application.objects.filter(school=school, term=now.term, state__in=ON_THE_ROAD).order_by("pk")
    cases = list(
        rows.values_list(
            "pk", "pupil_id", "programme_id", "programme__name", "tier", "facts", "school_class__path",
            "enrolment__class_name",
        )
    )  # fmt: skip
    held = register.categories_of([case[1] for case in cases], on=now.today)
    scanned = _scanned(now, [case[1] for case in cases])
    for pk, pupil, programme, name, tier, frozen, path, class_name in cases:
        today = held.get(pupil, [])
        shown = [kind for kind in today if _is_shown(now, kind, (pupil, kind["code"]) in scanned)]
        # The case is judged by the place it froze; only the hardship is looked at anew.
        place = {fact: frozen.get(fact, "") for fact in register.PLACE_FACTS}
        if now.entitles(programme, place, shown, tier):
            continue
        has_some = now.entitles(programme, place, today, tier)
        facts: dict[str, Any] = {
            "application": str(pk),
            "programme_name": name,
            "problem": "no_proof" if has_some else "ended",
        }
        facts |= {"then": [_kind(kind) for kind in frozen["categories"]], "now": [_kind(kind) for kind in today]}
        yield Found(Kind.WITHOUT_EVIDENCE, pupil, str(pk), school.pk, path, class_name, facts)


def _is_shown(now: Season, kind: Mapping[str, Any], is_scanned: bool) -> bool:
    if kind["source"] != Circumstance.Source.COLLECTED or kind["evidence"] or is_scanned:
        return True
    return not any(row.needs_evidence for row in now.categories.values() if row.code == kind["code"])


def _scanned(now: Season, pupils: Iterable[UUID]) -> set[tuple[UUID, str]]:
    """Pupil and code of the kinds of hardship whose proof was scanned."""
    rows = _in_force(now.today).filter(pupil__in=list(pupils), evidence_file__isnull=False)
    found = set()
    for pupil, category in rows.values_list("pupil_id", "category_id"):
        counts_as = register.kind_on(now.categories[category], now.categories, now.today)
        if counts_as:
            found.add((pupil, counts_as.code))
    return found


def age(now: Season, school: Unit) -> Iterator[Found]:
    """Younger or older than pupils of the stage usually are, on the day the rule names."""
    for stage, rule in sorted(now.ages.items()):
        day = _day_of(rule, now.term)
        too_young = Q(pupil__birth_date__gt=_years_before(day, rule.min_age))
        too_old = Q(pupil__birth_date__lte=_years_before(day, rule.max_age + 1))
        rows = _present(now, school).filter(too_young | too_old, stage=stage).order_by("pk")
        for pupil, path, class_name, grade, born in rows.values_list(
            "pupil_id", "path", "class_name", "grade", "pupil__birth_date"
        ):
            facts = {"stage": stage, "grade": grade, "age": _age(born, day) if born else None, "on": day.isoformat()}
            facts |= {"min": rule.min_age, "max": rule.max_age}
            yield Found(Kind.AGE, pupil, "", school.pk, path, class_name, facts)


def _day_of(rule: StageAges, term: Term) -> dt.date:
    """The rule's day in the autumn in which the term's school year begins."""
    year = int(term.key[:4])
    try:
        return dt.date(year, rule.on_month, rule.on_day)
    except ValueError:  # 29 February, or 31 of a short month: the month's last day
        return dt.date(year + rule.on_month // 12, rule.on_month % 12 + 1, 1) - dt.timedelta(days=1)


def _years_before(day: dt.date, years: int) -> dt.date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return dt.date(day.year - years, 2, 28)


def _age(born: dt.date, day: dt.date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def expiring(now: Season, school: Unit) -> Iterator[Found]:
    """Hardship of a kind that ends within the term, with nothing of the same kind on record to follow it."""
    places = {row.pupil_id: row for row in _present(now, school).filter(_has_some(now)).order_by("pk")}
    rows = Circumstance.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gte=now.term.starts_on))
    rows = rows.filter(pupil__in=list(places), valid_from__lte=now.term.ends_on).order_by("valid_from", "pk")
    held: dict[UUID, list[Circumstance]] = defaultdict(list)
    for row in rows:
        held[row.pupil_id].append(row)
    for pupil, circumstances in held.items():
        for row in circumstances:
            end, because = _end_in(now, row)
            if end and not any(_follows(now, other, row, end) for other in circumstances):
                category = now.categories[row.category_id]
                facts = {"kind": category.code, "name": category.name, "source": row.source, "because": because}
                place = places[pupil]
                yield Found(
                    Kind.EXPIRING,
                    pupil,
                    str(row.pk),
                    school.pk,
                    place.path,
                    place.class_name,
                    facts | {"ends_on": end.isoformat()},
                )


def _end_in(now: Season, row: Circumstance) -> tuple[dt.date | None, str]:
    """The last day of the circumstance if it lies in the term, and whether itself or its kind ends."""
    ends = []
    if row.valid_to:
        ends.append((row.valid_to, "circumstance"))
    category: Category | None = now.categories[row.category_id]
    seen: set[int] = set()
    while category and category.maps_to_id and category.valid_to and category.pk not in seen:
        seen.add(category.pk)
        category = now.categories[category.maps_to_id]
    if category and category.valid_to and not category.maps_to_id:
        ends.append((category.valid_to, "category"))
    first = min(ends, default=None)
    return first if first and now.term.starts_on <= first[0] <= now.term.ends_on else (None, "")


def _follows(now: Season, other: Circumstance, row: Circumstance, end: dt.date) -> bool:
    later = end + dt.timedelta(days=1)
    if other.pk == row.pk or (other.valid_to and other.valid_to < later):
        return False
    kinds = [register.kind_on(now.categories[c.category_id], now.categories, later) for c in (other, row)]
    return kinds[0] is not None and (kinds[0] == kinds[1] or other.category_id == row.category_id)


def _has_some(now: Season) -> Exists:
    rows = Circumstance.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gte=now.term.starts_on))
    return Exists(rows.filter(pupil=OuterRef("pupil")))


def _in_force(on: dt.date) -> QuerySet[Circumstance]:
    return Circumstance.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gte=on), valid_from__lte=on)


def _present(now: Season, school: Unit) -> QuerySet[Enrolment]:
    return Enrolment.objects.filter(term=now.term, school=school, standing=Standing.PRESENT)


def _kind(row: Mapping[str, Any]) -> dict[str, str]:
    """A kind of hardship without its days: renewed evidence for the same kind is the same matter."""
    return {"code": row["code"], "name": row["name"], "source": row["source"]}


# --- across the schools of the county --------------------------------------------------------------


def across(now: Season) -> list[Found]:
    """Everything that takes more than one pupil or school to see."""
    persons = suspects(now)
    doubled = [row for person in persons for row in two_schools(now, person)]
    apart = _told_apart(now, doubled)
    one_child = [person for person in persons if person.key not in apart]
    return doubled + list(excluded_twice(now, one_child)) + list(sibling(now))


@dataclass(frozen=True)
class Suspect:
    """Records of the register that look like one child; or one child whom a second school's roster names."""

    places: tuple[Place, ...]  # in order of the pupils' keys
    grounds: tuple[str, ...]  # name, number, roster
    claims: tuple[int, ...] = ()  # units whose newest roster names the child

    @property
    def key(self) -> UUID:
        return self.places[0].pupil

    @property
    def schools(self) -> set[int]:
        return {place.school for place in self.places}


def suspects(now: Season) -> list[Suspect]:
    """Children who seem to be in two schools of the county at once, or in the register under two numbers."""
    links = [*_same_name(now), *_same_number(now)]
    claims = _claimed(now)
    places = _places(now, {pupil for link in links for pupil in link[:2]} | set(claims))
    groups = _Groups()
    grounds: dict[UUID, set[str]] = defaultdict(set)
    for one, two, ground in links:
        if one not in places or two not in places:
            continue
        # Two of one name in one school are two children its teachers tell apart; two of one number are not.
        if ground == "number" or places[one].school != places[two].school:
            groups.join(one, two)
            grounds[one].add(ground)
    for pupil in claims:
        if pupil in places:
            groups.join(pupil, pupil)
    found = []
    for members in groups.all():
        units = sorted({unit for pupil in members for unit in claims.get(pupil, ())})
        named = set().union(*(grounds.get(pupil, ()) for pupil in members), {"roster"} if units else ())
        ordered = tuple(places[pupil] for pupil in sorted(members, key=str))
        found.append(Suspect(ordered, tuple(sorted(named)), tuple(units)))
    return sorted(found, key=lambda row: str(row.key))


class _Groups:
    """Sets that grow together as their members are joined."""

    def __init__(self) -> None:
        self.of: dict[UUID, set[UUID]] = {}

    def join(self, one: UUID, two: UUID) -> None:
        merged = self.of.get(one, {one}) | self.of.get(two, {two})
        for member in merged:
            self.of[member] = merged

    def all(self) -> list[frozenset[UUID]]:
        return list({id(members): frozenset(members) for members in self.of.values()}.values())


def _open_in_county(now: Season) -> QuerySet[Enrolment]:
    return register.open_only(Enrolment.objects.filter(term=now.term, path__startswith=now.county.path))


def _same_name(now: Season) -> Iterator[tuple[UUID, UUID, str]]:
    """Pairs of one name, sex and birth date at two schools, under two numbers."""
    person = ("pupil__name", "pupil__birth_date", "pupil__sex")
    rows = _open_in_county(now).filter(pupil__birth_date__isnull=False)
    twice = rows.order_by().values(*person).annotate(schools=Count("school", distinct=True)).filter(schools__gt=1)
    wanted = {tuple(row[name] for name in person) for row in twice}
    members: dict[tuple[object, ...], list[UUID]] = defaultdict(list)
    for names in pieces(sorted({str(name) for name, *_ in wanted}), _CHUNK):
        for pupil, *said in rows.filter(pupil__name__in=names).values_list("pupil_id", *person):
            if tuple(said) in wanted:
                members[tuple(said)].append(pupil)
    for group in members.values():
        first, *others = sorted(group, key=str)
        # Every pair: which of them are at two schools is asked where the schools are known.
        yield from ((one, two, "name") for place, one in enumerate([first, *others]) for two in others[place:])


def _same_number(now: Season) -> Iterator[tuple[UUID, UUID, str]]:
    """A formal roll number that holds the ID number of another record: the child had an old number.

    Only rolls that do not end like their own pupil's ID are opened; they are few.
    """
    rows = Pupil.objects.filter(county=now.county, roll_masked__startswith="G", enrolments__in=_open_in_county(now))
    odd = rows.exclude(Exact(Right("roll_masked", 4), Right("id_masked", 4)))
    odd = odd.only("pk", "roll_sealed").order_by("pk").distinct()
    holders: dict[str, UUID] = {}
    for pupil in odd.iterator(chunk_size=_CHUNK):
        if index := privacy.id_index_in_roll(pupil):
            holders[index] = pupil.pk
    for indexes in pieces(sorted(holders), _CHUNK):
        for other, index in Pupil.objects.filter(county=now.county, id_index__in=indexes).values_list("pk", "id_index"):
            if other != holders[index]:
                yield holders[index], other, "number"


def _claimed(now: Season) -> dict[UUID, set[int]]:
    """Pupils whom the newest roster of another school names too, by the findings that refused those rows."""
    states = (RosterImport.State.CHECKED, RosterImport.State.APPLIED)
    newest: dict[int, UUID] = {}
    rosters = RosterImport.objects.filter(term=now.term, state__in=states, unit__path__startswith=now.county.path)
    for pk, unit in rosters.order_by("checked_at", "pk").values_list("pk", "unit_id"):
        newest[unit] = pk
    rows = RosterFinding.objects.filter(roster__in=newest.values(), elsewhere__isnull=False).exclude(value="")
    said = rows.values_list("elsewhere_id", "who", "value", "roster__unit_id")
    claims: dict[tuple[int, str, str], set[int]] = defaultdict(set)
    for school, name, masked, unit in said.iterator(chunk_size=_CHUNK):
        claims[school, name, masked].add(unit)
    found: dict[UUID, set[int]] = defaultdict(set)
    for names in pieces(sorted({name for _, name, _ in claims}), _CHUNK):
        here = _open_in_county(now).filter(pupil__name__in=names)
        for pupil, school, name, masked in here.values_list("pupil_id", "school_id", "pupil__name", "pupil__id_masked"):
            found[pupil] |= claims.get((school, name, masked), set()) - {school}
    return {pupil: units for pupil, units in found.items() if units}


def two_schools(now: Season, person: Suspect) -> Iterator[Found]:
    """疑似双学籍: the county's concern with the schools' names, and each school's own without them."""
    first = person.places[0]
    if len(person.schools) == 1 and not person.claims:
        facts: dict[str, Any] = {
            "grounds": list(person.grounds),
            "others": 0,
            "here": [str(p.pupil) for p in person.places],
        }
        yield Found(Kind.TWO_SCHOOLS, first.pupil, "school", first.school, first.path, first.class_name, facts)
        return
    whole = Found(
        Kind.TWO_SCHOOLS,
        first.pupil,
        "county",
        now.county.pk,
        now.county.path,
        "",
        {
            "grounds": list(person.grounds),
            "members": [{"pupil": str(place.pupil), "school": place.school} for place in person.places],
            "claims": list(person.claims),
        },
    )
    yield whole
    for place in person.places:
        others = len(person.schools | set(person.claims)) - 1
        part = {"grounds": list(person.grounds), "others": others}
        yield Found(
            Kind.TWO_SCHOOLS, place.pupil, "school", place.school, place.path, place.class_name, part, whole.key
        )


def _told_apart(now: Season, doubled: list[Found]) -> set[UUID]:
    """Those of whom the county has said, about these very facts, that they are two children."""
    said = Concern.objects.filter(
        term=now.term,
        kind=Kind.TWO_SCHOOLS,
        state=Concern.State.SETTLED,
        settlement__reason__code=TWO_CHILDREN,
        pupil__county=now.county,
    )
    settled = {Key(Kind.TWO_SCHOOLS, *row[:2]): row[2] for row in said.values_list("pupil", "subject", "digest")}
    return {row.pupil for row in doubled if row.about is None and settled.get(row.key) == row.digest}


@dataclass(frozen=True)
class _Case:
    """An application on the road, as far as it matters whether there is one too many."""

    pk: UUID
    pupil: UUID
    programme: int
    programme_name: str
    code: str
    school: int
    path: str
    class_name: str


def excluded_twice(now: Season, persons: Iterable[Suspect]) -> Iterator[Found]:
    """One child with two programmes that exclude each other; or with one programme twice, under two numbers."""
    apart = {frozenset((row.programme_id, row.other_id)) for row in ProgrammeExclusion.objects.in_force(now.term.key)}
    child = {place.pupil: person.key for person in persons for place in person.places}
    cases = Application.objects.filter(
        term=now.term, school__path__startswith=now.county.path, state__in=ON_THE_ROAD
    ).order_by("pk")
    several = cases.order_by().values("pupil").annotate(n=Count("pk")).filter(n__gt=1).values_list("pupil", flat=True)
    held: dict[UUID, list[_Case]] = defaultdict(list)
    for keys in pieces(sorted({*several, *child}, key=str), _CHUNK):
        rows = cases.filter(pupil__in=keys).values_list(
            "pk", "pupil_id", "programme_id", "programme__name", "programme__code",
            "school_id", "school_class__path", "enrolment__class_name",
        )  # fmt: skip
        for row in rows:
            case = _Case(*row)
            held[child.get(case.pupil, case.pupil)].append(case)
    for key in sorted(held, key=str):
        ordered = sorted(held[key], key=lambda case: (case.code, str(case.pk)))
        for place, one in enumerate(ordered):
            for two in ordered[place + 1 :]:
                if one.programme == two.programme or frozenset((one.programme, two.programme)) in apart:
                    yield from _too_many(now, one, two)


def _too_many(now: Season, one: _Case, two: _Case) -> Iterator[Found]:
    # Filed under a record that holds one of the cases: another record of the child may be another school's.
    pair = f"{one.pk}+{two.pk}"
    both = {
        "programmes": [one.programme_name, two.programme_name],
        "applications": [str(one.pk), str(two.pk)],
    }
    if one.school == two.school:
        yield Found(Kind.EXCLUDED_TWICE, one.pupil, pair, one.school, one.path, one.class_name, both)
        return
    whole = Found(
        Kind.EXCLUDED_TWICE, one.pupil, f"county:{pair}", now.county.pk, now.county.path, "",
        both | {"schools": [one.school, two.school]},
    )  # fmt: skip
    yield whole
    for case, other in ((one, two), (two, one)):
        part = {"programmes": both["programmes"], "applications": [str(case.pk)]}
        yield Found(
            Kind.EXCLUDED_TWICE, case.pupil, f"{case.pk}+{other.pk}", case.school, case.path, case.class_name,
            part, whole.key,
        )  # fmt: skip


def sibling(now: Season) -> Iterator[Found]:
    """In one household (by a list, or by guardian and account) with a child who was filed, and not filed at all.

    A child entitled by its own hardship is missed already and not named twice.
    """
    groups = [("household", group) for group in lists.households(now.county, now.today)] + _one_guardian(now)
    members = {pupil for _, group in groups for pupil in group}
    places = _places(now, members)
    considered: set[UUID] = set()
    filed: set[UUID] = set()
    for keys in pieces(sorted(members, key=str), _CHUNK):
        for pupil, state in Application.objects.filter(term=now.term, pupil__in=keys).values_list("pupil_id", "state"):
            considered.add(pupil)
            if state in ON_THE_ROAD:
                filed.add(pupil)
    siblings: dict[UUID, set[UUID]] = defaultdict(set)
    grounds: dict[UUID, set[str]] = defaultdict(set)
    for ground, group in groups:
        aided = group & filed & places.keys()
        for pupil in group - considered if aided else ():
            siblings[pupil] |= aided
            grounds[pupil].add(ground)
    suggested = [
        place
        for pupil in sorted(siblings, key=str)
        if (place := places.get(pupil)) and place.is_present and now.rounds_over(place.path, place.stage)
    ]
    for chunk in pieces(suggested, _CHUNK):
        entitled = _entitled(now, chunk)
        for place in chunk:
            if place.pupil not in entitled:
                said = {"siblings": sorted(map(str, siblings[place.pupil])), "grounds": sorted(grounds[place.pupil])}
                yield Found(Kind.SIBLING, place.pupil, "", place.school, place.path, place.class_name, said)


def _entitled(now: Season, places: list[Place]) -> set[UUID]:
    """Those whom a round would aid for hardship of their own."""
    held = register.categories_of([row.pupil for row in places], on=now.today)
    return {
        row.pupil
        for row in places
        if (kinds := held.get(row.pupil))
        and any(now.grants(r.programme, row.facts, kinds) for r in now.rounds_over(row.path, row.stage))
    }


def _one_guardian(now: Season) -> list[tuple[str, frozenset[UUID]]]:
    """Pupils paid into one account, with guardians of one name."""
    rows = BankAccount.objects.filter(pupil__county=now.county, ends_on__isnull=True).exclude(pupil__guardian_name="")
    several = rows.order_by().values("number_index").annotate(n=Count("pupil", distinct=True)).filter(n__gt=1)
    groups: dict[tuple[str, str], set[UUID]] = defaultdict(set)
    said = rows.filter(number_index__in=several.values("number_index"))
    for index, guardian, pupil in said.values_list("number_index", "pupil__guardian_name", "pupil_id"):
        groups[index, guardian].add(pupil)
    return [("account", frozenset(group)) for _, group in sorted(groups.items()) if len(group) > 1]


def _places(now: Season, pupils: Iterable[UUID]) -> dict[UUID, Place]:
    """Where each of the pupils is in the term, of those who are anywhere in the county."""
    found: dict[UUID, Place] = {}
    for keys in pieces(sorted(pupils, key=str), _CHUNK):
        rows = _open_in_county(now).filter(pupil__in=keys)
        said = rows.values_list(*_OF_PLACE, *register.PLACE_FACTS.values())
        for pupil, school, path, class_name, standing, *facts in said:
            known = dict(zip(register.PLACE_FACTS, facts, strict=True))
            found[pupil] = Place(pupil, school, path, class_name, known, standing == Standing.PRESENT)
    return found
