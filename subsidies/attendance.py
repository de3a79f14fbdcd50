"""How much of a term pupils are there, read from the register; and the county's dated rules by which it counts.

Only programmes that pay pro rata ask. What counts is derived from stays and suspensions alone: nobody types in how long
a child was there. `attended` holds the counting.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from students import working_calendar
from students.changes import ENDING, Request
from students.models import Enrolment, Standing, StatusChange, Term
from students.term_keys import is_autumn
from students.working_days import WorkingDays

from .attended import PartMonth, Spell, days, is_whole, months, presence
from .models import AttendanceRule, Programme, ServedDays

Kind = StatusChange.Kind
_FOREVER = dt.date.max
_Row = TypeVar("_Row", AttendanceRule, ServedDays)
_BREAKS = (Kind.SUSPEND, Kind.RETURN)


@dataclass(frozen=True)
class Attended:
    """What counts of a pupil's term; `count` None: all of it. `words`: 2026年9月1日至12月20日."""

    count: Decimal | None = None
    words: str = ""


@dataclass(frozen=True)
class _Place:
    """A stay in a class, as the register has it or as it would be after a change."""

    pupil: UUID
    first: dt.date
    last: dt.date | None
    is_suspended: bool
    breaks: tuple[tuple[str, dt.date], ...]  # (suspend or return, day), in order

    @property
    def stay(self) -> Spell:
        return Spell(self.first, self.last or _FOREVER)

    @property
    def absences(self) -> list[Spell]:
        """Suspended from a day until the day before the return; over a term's beginning without a row of its own."""
        is_away = self.breaks[0][0] == Kind.RETURN if self.breaks else self.is_suspended
        gone, since = [], self.first
        for kind, on in self.breaks:
            if kind == Kind.SUSPEND and not is_away:
                since = on
            elif kind == Kind.RETURN and is_away and since < on:
                gone.append(Spell(since, on - dt.timedelta(days=1)))
            is_away = kind == Kind.SUSPEND
        return [*gone, Spell(since, _FOREVER)] if is_away else gone


# --- reading ---------------------------------------------------------------------------------------


def attended(
    programme: Programme, term: Term, pupils: Iterable[UUID], *, upon: Request | None = None
) -> dict[UUID, Attended]:
    """What counts of the term for each of the pupils; empty for a programme that does not pay pro rata.

    `upon`: as it would be once this change is recorded. At most seven queries, however many pupils.
    """
    return Attendance(term, pupils, upon=upon).of(programme) if programme.pro_rata else {}


class Attendance:
    """The pupils' term for several programmes: each thing is read once, and when it is asked for first."""

    def __init__(self, term: Term, pupils: Iterable[UUID], *, upon: Request | None = None) -> None:
        self.term, self.pupils, self.upon = term, list(pupils), upon
        self.whole = Spell(term.starts_on, term.ends_on)

    def of(self, programme: Programme) -> dict[UUID, Attended]:
        """What would count of the term for each of the pupils if the programme pays pro rata."""
        is_monthly = programme.unit == Programme.Unit.MONTH
        found = {}
        for pupil in self.pupils:
            present = self.presence.get(pupil, ())
            is_part = not is_whole(present, self.whole)
            number = self._months(programme, present) if is_monthly else self._days(pupil, present)
            words = _words(present) + ("" if is_monthly else self._school_days[1]) if is_part else ""
            found[pupil] = Attended(number, words)
        return found

    def _months(self, programme: Programme, present: tuple[Spell, ...]) -> Decimal | None:
        if is_whole(present, self.whole):
            return None
        rule = _fitting(self._rules, programme)
        counted, part = paid_months(rule, self.term), PartMonth(rule.part_month)
        return months(present, term=self.whole, counted=counted, part=part)

    def _days(self, pupil: UUID, present: tuple[Spell, ...]) -> Decimal | None:
        """Of the days the school served the part that the pupil was there; else the school days there."""
        given = self._served.get(pupil)
        if is_whole(present, self.whole):
            return None if given is None else Decimal(given)
        every = self._school_days[0]
        there = days(present, every)
        if given is None:
            return Decimal(there)
        return Decimal(given * there // len(every)) if every else Decimal(0)

    @cached_property
    def presence(self) -> dict[UUID, tuple[Spell, ...]]:
        """On which days of the term each pupil was there."""
        stays: dict[UUID, list[Spell]] = defaultdict(list)
        gone: dict[UUID, list[Spell]] = defaultdict(list)
        for place in self._places():
            stays[place.pupil].append(place.stay)
            # A suspension at one school is over where another has taken the pupil in.
            gone[place.pupil] += [Spell(each.first, min(each.last, place.stay.last)) for each in place.absences]
        return {pupil: presence(spells, gone[pupil], term=self.whole) for pupil, spells in stays.items()}

    def _places(self) -> Iterator[_Place]:
        breaks: dict[UUID, list[tuple[str, dt.date]]] = defaultdict(list)
        changes = StatusChange.objects.filter(term=self.term, pupil__in=self.pupils, kind__in=_BREAKS)
        for key, kind, on in changes.order_by("on", "at").values_list("enrolment_id", "kind", "on"):
            breaks[key].append((kind, on))
        rows = Enrolment.objects.filter(term=self.term, pupil__in=self.pupils).order_by("starts_on", "pk")
        upon = self.upon
        for key, pupil, first, ends_on, standing in rows.values_list(
            "pk", "pupil_id", "starts_on", "ends_on", "standing"
        ):
            last, told = ends_on, breaks[key]
            if upon is not None and ends_on is None and upon.pupil.pk == pupil:
                last = upon.on if upon.kind in ENDING else None
                told = [*told, (upon.kind, upon.on)] if upon.kind in _BREAKS else told
            yield _Place(pupil, first, last, standing == Standing.SUSPENDED, tuple(told))
        if upon is not None and upon.takes_in:
            yield _Place(upon.pupil.pk, upon.on, None, is_suspended=False, breaks=())

    @cached_property
    def _rules(self) -> list[AttendanceRule]:
        return list(AttendanceRule.objects.filter(first_term__lte=self.term.key))

    @cached_property
    def _school_days(self) -> tuple[list[dt.date], str]:
        """The term's working days; of a year whose calendar is not recorded Monday to Friday, and that is said."""
        known = working_calendar.working_days()
        count = (self.term.ends_on - self.term.starts_on).days + 1
        every = [self.term.starts_on + dt.timedelta(days=n) for n in range(count)]
        unknown = sorted({day.year for day in every} - known.years)
        calendar = WorkingDays(known.years | set(unknown), known.special)
        names = "、".join(f"{year}年" for year in unknown)
        remark = f"，{names}放假安排未录入，按周一至周五计算" if unknown else ""
        return [day for day in every if calendar.is_working(day)], remark

    @cached_property
    def _served(self) -> dict[UUID, int]:
        """The days that the pupil's school served, or the county's schools in general; where any are recorded."""
        rows = dict(ServedDays.objects.filter(term=self.term).values_list("unit__path", "days"))
        if not rows:
            return {}
        places = Enrolment.objects.filter(term=self.term, pupil__in=self.pupils).order_by("starts_on", "pk")
        found = {}
        for pupil, path in places.values_list("pupil_id", "path"):
            if fitting := [unit for unit in rows if path.startswith(unit)]:
                found[pupil] = rows[max(fitting, key=len)]
        return found


def _words(present: tuple[Spell, ...]) -> str:
    return "、".join(f"{cn_date(each.first)}至{cn_date(each.last)}" for each in present)


# --- the county's rules ----------------------------------------------------------------------------

# What a county begins with: of all documents at hand one says how months are counted.
_BEGINNING = {
    "first_term": "2011-2012-1",
    "part_month": AttendanceRule.PartMonth.HALVES,
    "autumn_months": [9, 10, 11, 12, 1],
    "spring_months": [3, 4, 5, 6, 7],
    "source": "随系统提供：某市学前资助按实际在园月份确认，每年10个月；本县文件另有规定的请登记",
}


def rule_of(programme: Programme, term: Term) -> AttendanceRule:
    """The rule in force in the term: the programme's own, else the county's for all; unsaved if none is on record."""
    return _fitting(AttendanceRule.objects.filter(first_term__lte=term.key), programme)


def _fitting(rows: Iterable[AttendanceRule], programme: Programme) -> AttendanceRule:
    fitting = [row for row in rows if row.programme_id in (None, programme.pk)]
    newest = max(fitting, key=lambda row: (row.programme_id is not None, row.first_term), default=None)
    return newest or AttendanceRule(**_BEGINNING)


def paid_months(rule: AttendanceRule, term: Term) -> list[int]:
    """The numbers of the months that the rule pays in the term."""
    return rule.autumn_months if is_autumn(term.key) else rule.spring_months


def load_rule() -> None:
    """Put the rule on record that a county begins with, unless there is one."""
    if not AttendanceRule.objects.filter(programme__isnull=True).exists():
        AttendanceRule.objects.create(**_BEGINNING, recorded_at=clock.now(), recorded_by=None)


def set_rule(rule: AttendanceRule, *, county: Unit, by: User) -> AttendanceRule:
    """Record a rule from a term on; a row of the same term is corrected. What was submitted stays as frozen."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        _lock(county)
        held = AttendanceRule.objects.filter(programme=rule.programme, first_term=rule.first_term).first()
        before = _told(held) if held else ""
        rule = _onto(held, rule, ("part_month", "autumn_months", "spring_months", "source"))
        rule.recorded_at, rule.recorded_by = clock.now(), by
        rule.full_clean()
        rule.save()
        audit.record(
            "attendance.rule", rule, by=by, unit=county, programme=rule.programme.code if rule.programme else "",
            first_term=rule.first_term, was=before, after=_told(rule), basis=rule.source,
        )  # fmt: skip
    return rule


def set_served(served: ServedDays, *, by: User) -> ServedDays:
    """Record on how many days a school, or all schools of the county, served in a term; recording again corrects it."""
    access.require(by, Permission.EDIT_STANDARDS, served.unit)
    if served.unit.level == Unit.Level.CLASS:
        raise ValidationError({"unit": "天数按学校或全县登记，不按班级。"})
    with transaction.atomic():
        _lock(served.unit)
        held = ServedDays.objects.filter(unit=served.unit, term=served.term).first()
        was = str(held.days) if held else ""
        served = _onto(held, served, ("days", "source"))
        served.recorded_at, served.recorded_by = clock.now(), by
        served.full_clean()
        served.save()
        audit.record(
            "attendance.days", served, by=by, unit=served.unit, term=served.term.key,
            was=was, after=str(served.days), basis=served.source,
        )  # fmt: skip
    return served


def _onto(held: _Row | None, given: _Row, names: Iterable[str]) -> _Row:
    """The row on record with what is given now, or the given one where there is none."""
    if held is None:
        return given
    for name in names:
        setattr(held, name, getattr(given, name))
    return held


def _lock(unit: Unit) -> None:
    Unit.objects.select_for_update(no_key=True).get(pk=unit.pk)


def _told(rule: AttendanceRule) -> str:
    return (
        f"{rule.get_part_month_display()}；秋季{month_words(rule.autumn_months)}，春季{month_words(rule.spring_months)}"
    )


def month_words(numbers: Iterable[int]) -> str:
    """9、10、11、12、1月."""
    return "、".join(map(str, numbers)) + "月"


def as_facts(known: Attended) -> Mapping[str, str]:
    """How it stands among the facts frozen with an application; "" where all of the term counts."""
    return {"attended": "" if known.count is None else str(known.count), "presence": known.words}
