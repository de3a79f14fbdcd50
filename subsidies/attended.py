"""How much of a term a pupil was there: months and days that count. Pure: no model is imported.

A pupil is there on the days of a stay (first to last day in a class) that no suspension covers. Being there on more
days never counts less, and who is there from the first day of the term to the last has all of it.
"""

import calendar
import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

_DAY = dt.timedelta(days=1)
_HALF, _ONE, _NONE = Decimal("0.5"), Decimal(1), Decimal(0)


class Spell(NamedTuple):
    """Days from the first to the last, both of them too."""

    first: dt.date
    last: dt.date


class PartMonth(StrEnum):
    """What a month counts in which a pupil was there on some of its days only."""

    HALVES = "halves"  # half a month under half of it, a whole one from half of it on
    WHOLE = "whole"  # a whole one
    FROM_HALF = "from_half"  # a whole one from half of it on, else nothing
    NOTHING = "nothing"  # nothing


def presence(stays: Iterable[Spell], absences: Iterable[Spell], *, term: Spell) -> tuple[Spell, ...]:
    """The days of the term that lie in a stay and in no absence: in order, apart from one another."""
    there = _joined(_within(stays, term))
    for gone in _joined(_within(absences, term)):
        there = [piece for spell in there for piece in _without(spell, gone)]
    return tuple(there)


def is_whole(present: Sequence[Spell], term: Spell) -> bool:
    """Whether the pupil was there from the term's first day to its last."""
    return tuple(present) == (term,)


def months(present: Iterable[Spell], *, term: Spell, counted: Iterable[int], part: PartMonth) -> Decimal:
    """How many of the term's months that aid is paid for (9 to 1, say) count, as `part` says of incomplete ones.

    A month is held against the days that the term has in it. One of which the term has no day is the month of
    whoever was there on the day of the term that is nearest to it.
    """
    present = list(present)
    return sum((_share(present, term, month, part) for month in _dated(counted, term)), _NONE)


def days(present: Iterable[Spell], school_days: Iterable[dt.date]) -> int:
    """On how many of the school days the pupil was there."""
    present = list(present)
    return sum(_is_there(present, day) for day in school_days)


def _share(present: list[Spell], term: Spell, month: Spell, part: PartMonth) -> Decimal:
    days_of_term = _within([month], term)
    if not days_of_term:
        nearest = term.first if month.last < term.first else term.last
        return _ONE if _is_there(present, nearest) else _NONE
    whole = days_of_term[0]
    there = sum(_length(spell) for spell in _within(present, whole))
    if there == 0:
        return _NONE
    if there == _length(whole) or part == PartMonth.WHOLE:
        return _ONE
    if part == PartMonth.NOTHING:
        return _NONE
    if 2 * there >= _length(whole):
        return _ONE
    return _HALF if part == PartMonth.HALVES else _NONE


def _dated(counted: Iterable[int], term: Spell) -> list[Spell]:
    """The calendar months with these numbers that lie in the term, or next to it."""
    found = []
    for number in set(counted):
        near = [_month(year, number) for year in range(term.first.year - 1, term.last.year + 2)]
        found.append(min(near, key=lambda month: _distance(month, term)))
    return sorted(found)


def _month(year: int, number: int) -> Spell:
    return Spell(dt.date(year, number, 1), dt.date(year, number, calendar.monthrange(year, number)[1]))


def _distance(month: Spell, term: Spell) -> int:
    return max((term.first - month.last).days, (month.first - term.last).days, 0)


def _length(spell: Spell) -> int:
    return (spell.last - spell.first).days + 1


def _is_there(present: Iterable[Spell], day: dt.date) -> bool:
    return any(spell.first <= day <= spell.last for spell in present)


def _within(spells: Iterable[Spell], bounds: Spell) -> list[Spell]:
    cut = (Spell(max(each.first, bounds.first), min(each.last, bounds.last)) for each in spells)
    return [each for each in cut if each.first <= each.last]


def _joined(spells: Iterable[Spell]) -> list[Spell]:
    joined: list[Spell] = []
    for each in sorted(spells):
        if joined and each.first <= joined[-1].last + _DAY:
            joined[-1] = Spell(joined[-1].first, max(joined[-1].last, each.last))
        else:
            joined.append(each)
    return joined


def _without(spell: Spell, gone: Spell) -> list[Spell]:
    before = Spell(spell.first, min(spell.last, gone.first - _DAY))
    after = Spell(max(spell.first, gone.last + _DAY), spell.last)
    return [each for each in (before, after) if each.first <= each.last]
