"""How long a notice runs: counting working days by the calendar of the State Council.

The day of publishing is day 0; the notice is over when the required number of full days has passed.
A year without a recorded calendar is never guessed (weekends alone would be wrong): it is refused.
"""

import datetime as dt
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import access, audit
from accounts.models import Unit, User
from accounts.roles import Permission

from . import calendar_text
from .models import CalendarYear, SpecialDay

_LONGEST = 60  # days looked ahead; no notice and no holiday is longer


class CalendarMissing(ValidationError):
    """The holidays of a year are not recorded yet."""


def notice_days(published_on: dt.date, *, count: int, working: bool) -> list[dt.date]:
    """The days that count, the last of which is the last day of the notice.

    Raises CalendarMissing when working days are asked for in a year whose calendar is not recorded.
    """
    ahead = [published_on + dt.timedelta(days=n) for n in range(1, _LONGEST + 1)]
    if not working:
        return ahead[:count]
    known = set(CalendarYear.objects.filter(year__in={d.year for d in ahead}).values_list("year", flat=True))
    special = dict(SpecialDay.objects.filter(day__in=ahead).values_list("day", "kind"))
    counted: list[dt.date] = []
    for day in ahead:
        if day.year not in known:
            raise CalendarMissing(
                f"{day.year} 年的放假调休安排还没有录入，无法计算工作日。请县资助中心在“工作日历”中录入后再发布。"
            )
        if special.get(day, "work" if day.weekday() < 5 else "rest") == "work":
            counted.append(day)
            if len(counted) == count:
                return counted
    raise ValidationError(f"公示天数 {count} 太长，请检查公示规则。")


@dataclass(frozen=True)
class Month:
    """A month as the calendar page shows it."""

    number: int
    rest: list[tuple[dt.date, dt.date, str]]  # first, last, name
    work: list[dt.date]  # weekend days worked
    working_days: int


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


def is_working_day(day: dt.date) -> bool:
    """Whether people work on the day; weekdays decide where no calendar is recorded (for display only)."""
    kind = SpecialDay.objects.filter(day=day).values_list("kind", flat=True).first()
    return kind == "work" if kind else day.weekday() < 5


def next_working_day(day: dt.date) -> dt.date:
    """The first working day after `day`."""
    ahead = day + dt.timedelta(days=1)
    while not is_working_day(ahead):
        ahead += dt.timedelta(days=1)
    return ahead


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
    outside the year or is both rest and work. Notices already published keep the days they were counted by.
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
    with transaction.atomic():
        CalendarYear.objects.update_or_create(year=year, defaults={"document": document, "recorded_by": by})
        SpecialDay.objects.filter(day__year=year).delete()
        SpecialDay.objects.bulk_create(
            [SpecialDay(day=d, kind="rest", name=n) for d, n in rest.items()]
            + [SpecialDay(day=d, kind="work", name=n) for d, n in work.items()]
        )
        audit.record("calendar.record_year", f"calendar:{year}", by=by, unit=county, rest=len(rest), work=len(work))
