"""Who is late: work whose last day is over and is not done, by school and by class, with whoever is to do it."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.db.models import Count, Min, Q
from django.utils import timezone

from accounts import appointments, clock, scopes
from accounts.models import Appointment, Unit, User
from accounts.roles import Permission
from students import enrolment
from students.models import Term

from . import deadlines, rounds
from .deadline_plans import countdown
from .models import Application, Concern, Round
from .states import WORK, State, Work

# Who does the work: the first of these roles that somebody holds there.
_DOERS: dict[Work, tuple[str, ...]] = {
    Work.FILING: ("class_teacher",),
    Work.CLASS_REVIEW: ("grade_head", "aid_officer"),
    Work.SCHOOL_REVIEW: ("aid_officer",),
    Work.CONFIRMATION: ("principal",),
    Work.NOTICE: ("aid_officer",),
    Work.REPORT: ("aid_officer",),
    Work.VERIFICATION: ("county_clerk",),
    Work.APPROVAL: ("county_head",),
    Work.DISBURSEMENT: ("county_clerk",),
}
_BY_CLASS = (Work.FILING, Work.CLASS_REVIEW)


@dataclass(frozen=True)
class Late:
    """One work of a round that is late at one school, or in one class of it."""

    round: Round
    work: Work
    school_id: int
    unit_id: int  # the class for work of the class, else the school
    count: int
    due_on: dt.date
    since: dt.date  # the oldest of the cases came that day
    unit: Unit | None = None
    people: tuple[str, ...] = field(default=())
    missed: int = 0  # pupils who may apply, of a class that filed nothing at all: then `count` is 0

    @property
    def days(self) -> int:
        return (clock.today() - self.due_on).days

    @property
    def words(self) -> str:
        return countdown(self.due_on, clock.today())

    @property
    def age(self) -> int:
        """Days since the oldest of the cases came to this desk."""
        return (clock.today() - self.since).days


@dataclass(frozen=True)
class LateSchool:
    """A school with late work: how many works, how many cases, and what is late longest."""

    unit: Unit
    works: int
    cases: int
    classes: int  # with late work of their own
    unfiled: int  # of these, classes that filed nothing at all
    worst: Late


def late_for(user: User) -> list[Late]:
    """Everything late within the person's reach, longest first. The rounds, their days, and a count of each kind."""
    running = {round_.pk: round_ for round_ in rounds.visible_to(user, Permission.VIEW_CASES)}
    due = deadlines.of_rounds(running.values())
    found = [*_waiting(running, due, user), *unfiled(running.values(), due, user)]
    return sorted(found, key=lambda late: (late.due_on, late.since, late.school_id, late.unit_id))


def unfiled(among: Iterable[Round], due: Mapping[UUID, deadlines.Plan], user: User) -> list[Late]:
    """Classes within the person's reach that filed nothing until the last day, though the last screening names pupils
    there who may apply. A class with nobody in need is not late, nor one whose families have all declined."""
    today = clock.today()
    over = [each for each in among if each.pk in due and _is_late(State.DRAFT, due[each.pk], each, today)]
    if not over:
        return []
    here = Q(pk__in=[])
    for path in scopes.reach(user, Permission.VIEW_CASES):
        here |= Q(path__below=path)
    named = Concern.objects.filter(
        here,
        kind=Concern.Kind.MISSED,
        state=Concern.State.OPEN,
        term__in={each.term_id for each in over},
        subject__in={each.programme.code for each in over},
    )
    missed = list(named.order_by().values_list("term", "subject", "path").annotate(n=Count("*")))
    classes = Unit.objects.filter(level=Unit.Level.CLASS, path__in={path for _, _, path, _ in missed})
    units = {unit.path: (unit.pk, school) for unit in classes if (school := unit.parent_id)}
    began = Application.objects.filter(round__in=over, school_class__in=[pk for pk, _ in units.values()])
    filed = set(began.exclude(state=State.WITHDRAWN).order_by().values_list("round", "school_class").distinct())
    return [
        Late(each, Work.FILING, units[path][1], units[path][0], 0, due[each.pk][Work.FILING], each.opens_on, missed=n)
        for each in over
        for term, subject, path, n in missed
        if (term, subject) == (each.term_id, each.programme.code)
        and path in units
        and path.startswith(each.unit.path)
        and (each.pk, units[path][0]) not in filed
    ]


def _waiting(running: Mapping[UUID, Round], due: Mapping[UUID, deadlines.Plan], user: User) -> list[Late]:
    """Cases that wait past the last day of their work."""
    today = clock.today()
    wanted, which = Q(pk__in=[]), {}
    for key, plan in due.items():
        states = [state for state in WORK if _is_late(state, plan, running[key], today)]
        if states:
            wanted |= Q(round=key, state__in=states)
            which[key] = states
    if not which:
        return []
    rows = scopes.within(Application.objects.filter(wanted), user, Permission.VIEW_CASES, unit="school_class")
    counted = rows.order_by().values("round", "state", "school", "school_class")
    held: dict[tuple, list[tuple[int, dt.datetime]]] = defaultdict(list)
    for row in counted.annotate(n=Count("*"), since=Min("changed_at")):
        work = WORK[State(row["state"])]
        unit = row["school_class"] if work in _BY_CLASS else row["school"]
        held[row["round"], work, row["school"], unit].append((row["n"], row["since"]))
    return [
        Late(
            running[key],
            work,
            school,
            unit,
            sum(n for n, _ in groups),
            due[key][work],
            timezone.localdate(min(since for _, since in groups)),
        )
        for (key, work, school, unit), groups in held.items()
    ]


def _is_late(state: State, plan: deadlines.Plan, round_: Round, today: dt.date) -> bool:
    work = WORK[state]
    if work is None or work not in plan or plan[work] >= today:
        return False
    # A draft of a term that is over will never be handed in, and nobody is to be pressed for it.
    return state != State.DRAFT or round_.term.ends_on >= today


def by_school(found: Iterable[Late]) -> list[LateSchool]:
    """Schools by what is late longest."""
    groups: dict[int, list[Late]] = defaultdict(list)
    for late in found:
        groups[late.school_id].append(late)
    units = Unit.objects.in_bulk(list(groups))
    schools = [
        LateSchool(
            units[key],
            works=len({(late.round.pk, late.work) for late in group}),
            cases=sum(late.count for late in group),
            classes=len({late.unit_id for late in group if late.work in _BY_CLASS}),
            unfiled=len({late.unit_id for late in group if late.missed}),
            worst=group[0],
        )
        for key, group in groups.items()
    ]
    return sorted(schools, key=lambda school: (school.worst.due_on, school.unit.path))


def named(found: Iterable[Late]) -> list[Late]:
    """The same with the units' names (a class by that of the round's term) and who is to do it: for one page."""
    rows = list(found)
    units = Unit.objects.select_related("parent").in_bulk({late.unit_id for late in rows})
    by_term: dict[Term, set[int]] = defaultdict(set)
    for late in rows:
        if late.work in _BY_CLASS:
            by_term[late.round.term].add(late.unit_id)
    names = {term: enrolment.class_names(term, list(keys)) for term, keys in by_term.items()}
    holders = _holders(units.values())
    told = []
    for late in rows:
        known = units[late.unit_id]
        name = names.get(late.round.term, {}).get(known.pk, known.name) if late.work in _BY_CLASS else known.name
        unit = Unit(pk=known.pk, level=known.level, name=name, parent=known.parent, path=known.path)
        told.append(replace(late, unit=unit, people=_doers(late.work, known, holders)))
    return told


def _holders(units: Iterable[Unit]) -> dict[tuple[str, str], list[str]]:
    """By role and path of the unit: names of those in office there or above, with whom they act for."""
    paths = {"".join(f"{key}/" for key in unit.path.split("/")[:depth]) for unit in units for depth in (1, 2, 3)}
    rows = Appointment.objects.filter(appointments.in_force(clock.today()), unit__path__in=paths)
    roles = {role for each in _DOERS.values() for role in each}
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for post in rows.filter(role__in=roles).select_related("unit", "user", "acts_for").order_by("pk"):
        name = f"{post.user.name}（代{post.acts_for.name}）" if post.acts_for else post.user.name
        found[post.role, post.unit.path].append(name)
    return found


def _doers(work: Work, unit: Unit, holders: dict[tuple[str, str], list[str]]) -> tuple[str, ...]:
    keys = unit.path.rstrip("/").split("/")
    for role in _DOERS[work]:
        for depth in range(len(keys), 0, -1):
            path = "".join(f"{key}/" for key in keys[:depth])
            if names := holders.get((role, path)):
                return tuple(names)
    return ()
