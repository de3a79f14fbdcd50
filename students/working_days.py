"""Working days as plain values: which days people work in the years whose calendar is recorded. Pure.

A year without a recorded calendar is never guessed (weekends alone would be wrong): asking for one of its days
raises CalendarMissing. `students.working_calendar` reads and records the years.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError

WEEKDAYS = "一二三四五六日"
_LONGEST = 120  # days looked ahead; no notice, no deadline and no holiday is longer


class CalendarMissing(ValidationError):
    """The holidays of a year are not recorded yet."""

    def __init__(self, year: int) -> None:
        super().__init__(f"{year} 年的放假调休安排还没有录入，无法计算工作日。请县资助中心先在“工作日历”中录入。")
        self.year = year


@dataclass(frozen=True)
class WorkingDays:
    """The recorded years, and their days that are not what the weekday says: "rest", or "work" (调休上班)."""

    years: frozenset[int]
    special: Mapping[dt.date, str] = field(default_factory=dict)
    names: Mapping[dt.date, str] = field(default_factory=dict)  # of the same days: 国庆节

    def is_working(self, day: dt.date) -> bool:
        """Whether people work on the day. Raises CalendarMissing."""
        if day.year not in self.years:
            raise CalendarMissing(day.year)
        return self.special.get(day, "work" if day.weekday() < 5 else "rest") == "work"

    def after(self, day: dt.date, count: int, *, working: bool) -> list[dt.date]:
        """The `count` days after `day` that count, `day` itself not among them.

        Raises CalendarMissing when working days are asked for that lie in a year not recorded, and
        ValidationError for a count so large that it is a slip of the pen.
        """
        ahead = [day + dt.timedelta(days=n) for n in range(1, _LONGEST + 1)]
        if not working:
            found = ahead[:count]
        else:
            found = []
            for each in ahead:
                if len(found) == count:
                    break
                if self.is_working(each):
                    found.append(each)
        if len(found) < count:
            raise ValidationError(f"天数 {count} 太长，请检查规则。")
        return found

    def next_from(self, day: dt.date) -> dt.date:
        """The day itself if it is worked, else the next that is. Raises CalendarMissing."""
        while not self.is_working(day):
            day += dt.timedelta(days=1)
        return day

    def why_not(self, day: dt.date) -> str:
        """Why nobody works on the day: 星期六, 国庆节放假; "" for a working day. Raises CalendarMissing."""
        if self.is_working(day):
            return ""
        return f"{self.names.get(day) or '节假日'}放假" if day in self.special else f"星期{WEEKDAYS[day.weekday()]}"
