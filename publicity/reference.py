"""The working calendars that ship with the system, as announced by the State Council."""

import datetime as dt

from . import periods
from .models import CalendarYear

# 国务院办公厅关于部分节假日安排的通知: (first, last, name) of the rest days, then the worked weekend days.
_YEARS = {
    2025: (
        "国务院办公厅关于2025年部分节假日安排的通知（国办发明电〔2024〕12号）",
        [
            ("01-01", "01-01", "元旦"),
            ("01-28", "02-04", "春节"),
            ("04-04", "04-06", "清明节"),
            ("05-01", "05-05", "劳动节"),
            ("05-31", "06-02", "端午节"),
            ("10-01", "10-08", "国庆节、中秋节"),
        ],
        ["01-26", "02-08", "04-27", "09-28", "10-11"],
    ),
    2026: (
        "国务院办公厅关于2026年部分节假日安排的通知（2025年11月4日）",
        [
            ("01-01", "01-03", "元旦"),
            ("02-15", "02-23", "春节"),
            ("04-04", "04-06", "清明节"),
            ("05-01", "05-05", "劳动节"),
            ("06-19", "06-21", "端午节"),
            ("09-25", "09-27", "中秋节"),
            ("10-01", "10-07", "国庆节"),
        ],
        ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"],
    ),
}


def load() -> None:
    """Record the shipped years that are not there yet; a year the county has recorded is left alone."""
    known = set(CalendarYear.objects.values_list("year", flat=True))
    for year, (document, spans, worked) in _YEARS.items():
        if year not in known:
            rest = {day: name for first, last, name in spans for day in _days(year, first, last)}
            work = {_day(year, text): "调休上班" for text in worked}
            periods.record_year(year, document=document, rest=rest, work=work, county=None, by=None)


def _day(year: int, text: str) -> dt.date:
    return dt.date.fromisoformat(f"{year}-{text}")


def _days(year: int, first: str, last: str) -> list[dt.date]:
    start, end = _day(year, first), _day(year, last)
    return [start + dt.timedelta(days=n) for n in range((end - start).days + 1)]
