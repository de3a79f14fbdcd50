"""How much of a term a pupil was there: rule by rule, and what holds of all. No database is touched."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidies.attended import PartMonth, Spell, days, is_whole, months, presence
from subsidies.entitlement import Condition, Facts, ProgrammeRules, StandardRule, entitlement

AUTUMN = Spell(dt.date(2026, 9, 1), dt.date(2027, 1, 20))
SPRING = Spell(dt.date(2027, 2, 24), dt.date(2027, 7, 9))
PAID = {AUTUMN: (9, 10, 11, 12, 1), SPRING: (3, 4, 5, 6, 7)}


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def spell(first: str, last: str) -> Spell:
    return Spell(day(first), day(last))


def counted(present: tuple[Spell, ...], part: PartMonth = PartMonth.HALVES, term: Spell = AUTUMN) -> Decimal:
    return months(present, term=term, counted=PAID[term], part=part)


# --- days there -------------------------------------------------------------------------------------


def test_a_stay_through_the_term_is_the_whole_term():
    there = presence([spell("2026-08-01", "2027-08-31")], [], term=AUTUMN)
    assert there == (AUTUMN,)
    assert is_whole(there, AUTUMN)


def test_stays_at_two_schools_that_follow_each_other_are_one():
    stays = [spell("2026-11-05", "2027-01-31"), spell("2026-09-01", "2026-11-04")]
    assert presence(stays, [], term=AUTUMN) == (AUTUMN,)


def test_a_suspension_is_cut_out_of_a_stay():
    there = presence([AUTUMN], [spell("2026-10-10", "2026-11-30")], term=AUTUMN)
    assert there == (spell("2026-09-01", "2026-10-09"), spell("2026-12-01", "2027-01-20"))
    assert not is_whole(there, AUTUMN)


def test_who_never_came_was_not_there():
    assert presence([spell("2026-03-01", "2026-07-10")], [], term=AUTUMN) == ()
    assert presence([AUTUMN], [spell("2026-08-01", "2027-02-01")], term=AUTUMN) == ()


# --- months -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "halves", "whole", "from_half", "nothing"),
    [
        ("2026-12-31", "4", "4", "4", "4"),
        ("2027-01-20", "5", "5", "5", "5"),
        ("2026-12-10", "3.5", "4", "3", "3"),
        ("2026-12-16", "4", "4", "4", "3"),  # 16 of 31 days
        ("2026-12-15", "3.5", "4", "3", "3"),
        ("2026-09-15", "1", "1", "1", "0"),  # 15 of 30: half is enough
    ],
)
def test_what_an_incomplete_month_counts(last: str, halves: str, whole: str, from_half: str, nothing: str):
    there = presence([spell("2026-09-01", last)], [], term=AUTUMN)
    told = [counted(there, part) for part in PartMonth]
    assert told == [Decimal(each) for each in (halves, whole, from_half, nothing)]


def test_a_month_is_held_against_the_days_the_term_has_in_it():
    """January ends with the term on the 20th: ten of twenty days are half of it."""
    there = presence([AUTUMN], [spell("2027-01-11", "2027-01-31")], term=AUTUMN)
    assert counted(there) == 5
    assert counted(there, PartMonth.NOTHING) == 4


def test_days_in_a_month_nothing_is_paid_for_count_nothing():
    """The spring term begins in February; paid are March to July."""
    there = presence([spell("2027-02-24", "2027-06-30")], [], term=SPRING)
    assert counted(there, term=SPRING) == 4
    late = presence([spell("2027-03-01", "2027-07-09")], [], term=SPRING)
    assert counted(late, term=SPRING) == 5


def test_a_paid_month_outside_the_term_goes_with_its_nearest_day():
    short = Spell(dt.date(2027, 3, 1), dt.date(2027, 6, 25))
    assert months((short,), term=short, counted=PAID[SPRING], part=PartMonth.HALVES) == 5
    left = presence([spell("2027-03-01", "2027-06-20")], [], term=short)
    assert months(left, term=short, counted=PAID[SPRING], part=PartMonth.HALVES) == 4


# --- days -------------------------------------------------------------------------------------------


def test_school_days_are_counted_where_the_pupil_was_there():
    school_days = [day("2026-09-01"), day("2026-09-02"), day("2026-09-03"), day("2026-10-12")]
    there = presence([spell("2026-09-02", "2026-09-30")], [], term=AUTUMN)
    assert days(there, school_days) == 2
    assert days((AUTUMN,), school_days) == 4


# --- what holds of all ------------------------------------------------------------------------------

_days = st.dates(dt.date(2026, 8, 1), dt.date(2027, 2, 28))
_spells = st.lists(st.builds(lambda a, b: Spell(min(a, b), max(a, b)), _days, _days), max_size=4)
_parts = st.sampled_from(list(PartMonth))


def _set_of(spells) -> set[dt.date]:
    return {each.first + dt.timedelta(days=n) for each in spells for n in range((each.last - each.first).days + 1)}


@given(_spells, _spells)
def test_presence_is_the_term_with_the_stays_without_the_absences(stays: list[Spell], absences: list[Spell]):
    there = presence(stays, absences, term=AUTUMN)
    assert _set_of(there) == _set_of([AUTUMN]) & _set_of(stays) - _set_of(absences)
    assert sum((each.last - each.first).days + 1 for each in there) == len(_set_of(there))  # apart
    assert list(there) == sorted(there)


@given(_spells, _spells, _parts)
def test_to_have_been_there_longer_never_counts_less(some: list[Spell], more: list[Spell], part: PartMonth):
    fewer, longer = presence(some, [], term=AUTUMN), presence(some + more, [], term=AUTUMN)
    assert counted(fewer, part) <= counted(longer, part) <= 5
    school_days = sorted(_set_of([AUTUMN]))[::2]
    assert days(fewer, school_days) <= days(longer, school_days) <= len(school_days)


@given(_spells, _spells, _parts, st.sampled_from([Decimal(4), Decimal(5), Decimal(6)]))
def test_the_amount_never_falls_with_time_there_and_never_exceeds_the_periods(
    some: list[Spell], more: list[Spell], part: PartMonth, periods: Decimal
):
    standard = StandardRule(1, Decimal("200.00"), "甲字1号", "2020-2021-1", periods=periods)
    rules = ProgrammeRules("保教费资助", ("preschool",), (standard,), recipients="all", unit="month", pro_rata=True)

    def amount(there: tuple[Spell, ...]) -> Decimal:
        attended = None if is_whole(there, AUTUMN) else counted(there, part)
        facts = Facts("preschool", "day", "", (), attended=attended)
        found = entitlement(facts, rules, term="2026-2027-1", term_name="秋季学期", on=day("2026-10-12"))
        return found.amount or Decimal(0)

    fewer = amount(presence(some, [], term=AUTUMN))
    longer = amount(presence(some + more, [], term=AUTUMN))
    assert fewer <= longer <= amount((AUTUMN,)) == 200 * periods


def test_the_sentence_says_how_long_and_when():
    standard = StandardRule(1, Decimal("200.00"), "甲字1号", "2020-2021-1", periods=Decimal(5))
    asks = (Condition("stage", frozenset({"preschool"})),)
    rules = ProgrammeRules(
        "保教费资助", ("preschool",), (StandardRule(**standard.__dict__ | {"conditions": asks}),), recipients="all",
        unit="month", pro_rata=True,
    )  # fmt: skip
    facts = Facts("preschool", "day", "", (), attended=Decimal(4), presence="2026年9月1日至2026年12月31日")
    found = entitlement(facts, rules, term="2026-2027-1", term_name="秋季学期", on=day("2026-10-12"))
    assert "每月200.00元×实际在校4个月（2026年9月1日至2026年12月31日），本学期800.00元" in found.sentence
    assert "attended" in found.rests_on
