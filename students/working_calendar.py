"""The working calendar: the years recorded by the county, and those the system brings with it.

The State Council announces each year's holidays and worked weekends in the autumn before. The years announced so far
come from the library `chinesecalendar`, which publishes a new release after each announcement; a year that it does
not know, or that the county corrects, is recorded here on the announcement's document.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import chinese_calendar
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission

from . import calendar_text
from .models import CalendarYear, SpecialDay
from .working_days import WorkingDays

# The library's words where the announcements use longer ones.
_HOLIDAYS = {"清明": "清明节", "端午": "端午节", "中秋": "中秋节"}
# Announcements whose number is known; of the others the title is enough to find them.
_DOCUMENTS = {
    2025: "国务院办公厅关于2025年部分节假日安排的通知（国办发明电〔2024〕12号）",
    2026: "国务院办公厅关于2026年部分节假日安排的通知（2025年11月4日）",
}


@dataclass(frozen=True)
class Announced:
    """A year as the State Council announced it: days off and worked weekend days, each with its name."""

    document: str
    rest: dict[dt.date, str]
    work: dict[dt.date, str]


@dataclass(frozen=True)
class Month:
    """A month as the calendar page shows it."""

    number: int
    rest: list[tuple[dt.date, dt.date, str]]  # first, last, name
    work: list[dt.date]  # weekend days worked
    working_days: int


def working_days() -> WorkingDays:
    """Every recorded year. Two queries; a year has some forty special days."""
    rows = list(SpecialDay.objects.values_list("day", "kind", "name"))
    years = frozenset(CalendarYear.objects.values_list("year", flat=True))
    return WorkingDays(years, {day: kind for day, kind, _ in rows}, {day: name for day, _, name in rows})


def days_after(day: dt.date, *, count: int, working: bool) -> list[dt.date]:
    """The days of a notice or a term that begins on `day` (day 0), the last of which is its last.

    Raises CalendarMissing when working days are asked for in a year whose calendar is not recorded.
    """
    return (working_days() if working else WorkingDays(frozenset())).after(day, count, working=working)


def missing_years(today: dt.date) -> list[int]:
    """Which of this year and the next are not recorded."""
    known = set(CalendarYear.objects.filter(year__in=(today.year, today.year + 1)).values_list("year", flat=True))
    return [year for year in (today.year, today.year + 1) if year not in known]


def special_days(year: int) -> dict[str, dict[dt.date, str]]:
    """A recorded year's days off and worked weekend days, each with its name."""
    found: dict[str, dict[dt.date, str]] = {"rest": {}, "work": {}}
    for row in SpecialDay.objects.filter(day__year=year):
        found[row.kind][row.day] = row.name
    return found


def months_of(year: int) -> list[Month]:
    """The twelve months of a recorded year."""
    return months_from(year, **special_days(year))


def months_from(year: int, *, rest: dict[dt.date, str], work: dict[dt.date, str]) -> list[Month]:
    """The twelve months of a year with these days off and these weekend days worked; asks no database."""
    first = dt.date(year, 1, 1)
    days = [first + dt.timedelta(days=n) for n in range(366) if (first + dt.timedelta(days=n)).year == year]
    return [
        Month(
            number,
            calendar_text.spans({day: name for day, name in rest.items() if day.month == number}),
            sorted(day for day in work if day.month == number),
            sum(d.month == number and (d in work or (d.weekday() < 5 and d not in rest)) for d in days),
        )
        for number in range(1, 13)
    ]


def announced(year: int) -> Announced | None:
    """The year as the library knows it, or None."""
    holidays, worked = chinese_calendar.constants.holidays, chinese_calendar.constants.workdays
    rest = {day: _holiday(name) for day, name in holidays.items() if day.year == year}
    if not rest:
        return None
    work = {day: calendar_text.WORKED for day in worked if day.year == year}
    return Announced(_DOCUMENTS.get(year, f"国务院办公厅关于{year}年部分节假日安排的通知"), rest, work)


def load(first_year: int) -> list[int]:
    """Record the years from `first_year` on that the library knows and nobody has recorded; which these were.

    A year the county has recorded is left alone.
    """
    recorded = set(CalendarYear.objects.values_list("year", flat=True))
    fresh = []
    year = first_year
    while found := announced(year):
        if year not in recorded:
            record_year(year, document=found.document, rest=found.rest, work=found.work, county=None, by=None)
            fresh.append(year)
        year += 1
    return fresh


def record_year(
    year: int,
    *,
    document: str,
    rest: dict[dt.date, str],
    work: dict[dt.date, str],
    county: Unit | None,
    by: User | None,
) -> None:
    """Record (or replace) a year's holidays and worked weekends as the State Council announced them.

    `by=None` is the system itself (the calendars it ships with). Raises ValidationError when a day lies
    outside the year or is both rest and work. Notices already published and deadlines already set keep the days
    they were counted by.
    """
    if by is not None:
        if county is None:
            raise ValueError("A person records a year for their county.")
        access.require(by, Permission.EDIT_CALENDAR, county)
    outside = [d for d in (*rest, *work) if d.year != year]
    if outside:
        raise ValidationError(f"{outside[0]:%Y-%m-%d} 不在 {year} 年。")
    both = sorted(rest.keys() & work.keys())
    if both:
        raise ValidationError(f"{both[0]:%Y-%m-%d} 既是放假又是上班，请更正。")
    if not rest:
        raise ValidationError("请至少填写一个放假日期。")
    if not document.strip():
        raise ValidationError("请写明依据的通知名称和文号。")
    with transaction.atomic():
        held = CalendarYear.objects.select_for_update().filter(year=year).first()
        before = special_days(year)
        CalendarYear.objects.update_or_create(
            year=year, defaults={"document": document, "recorded_by": by, "recorded_at": clock.now()}
        )
        SpecialDay.objects.filter(day__year=year).delete()
        SpecialDay.objects.bulk_create(
            [SpecialDay(day=d, kind="rest", name=n) for d, n in rest.items()]
            + [SpecialDay(day=d, kind="work", name=n) for d, n in work.items()]
        )
        audit.record(
            "calendar.record_year",
            f"calendar:{year}",
            by=by,
            unit=county,
            basis=document,
            before=_told(before["rest"], before["work"]) if held else "",
            after=_told(rest, work),
        )


def _told(rest: dict[dt.date, str], work: dict[dt.date, str]) -> str:
    """A year in one line, as the trail keeps it: 放假 1月1日至1月3日 元旦；…；上班 1月4日."""
    off, worked = (calendar_text.write(days).replace("\n", "；") for days in (rest, work))
    return f"放假 {off}" + (f"；上班 {worked}" if worked else "")


def _holiday(name: str) -> str:
    kinds: Any = chinese_calendar.Holiday
    chinese: str = kinds(name).chinese
    return _HOLIDAYS.get(chinese, chinese)
