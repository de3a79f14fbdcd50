"""Days of the State Council's notice as people type or paste them: one holiday a line, a span or several days.

Pure: text in, days with their names out. Nothing is guessed: what cannot be read is named by its line.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from django.core.exceptions import ValidationError

from .working_days import WEEKDAYS

WORKED = "调休上班"  # the name of a worked day nobody named
_LONGEST_SPAN = 16  # days; longer is a slip of the pen

_WEEKDAY = r"(?:[(]?\s?(?:周|星期|礼拜)(?P<{0}weekday>[一二三四五六日天])\s?[)]?)?"
_FIRST = re.compile(
    r"(?:(?P<year>\d{4})\s?[-/.年]\s?)?(?P<month>\d{1,2})\s?[-/.月]\s?(?P<day>\d{1,2})\s?[日号]?\s?"
    + _WEEKDAY.format("")
)
# After 至 the month may be left out: 1月1日至3日.
_LAST = re.compile(
    r"\s?(?:至|到|-+|—+|–|~)\s?(?:(?P<year>\d{4})\s?[-/.年]\s?)?(?:(?P<month>\d{1,2})\s?[-/.月]\s?)?(?P<day>\d{1,2})\s?[日号]?\s?"
    + _WEEKDAY.format("")
)
# Words of the notice that are no name of a holiday.
_FILLING = re.compile(
    r"^\s*[一二三四五六七八九十]+、|放假调休|调休上班|放假|调休|补休|上班|上课|共\s?\d+\s?天|[(][^)]*[)]|\s"
)
_PUNCTUATION = ":,、;。."


@dataclass(frozen=True)
class Line:
    """One line as understood: its days, and what it calls them ("" when it gives no name)."""

    number: int
    days: tuple[dt.date, ...]
    name: str


def read_rest(text: str, *, year: int) -> dict[dt.date, str]:
    """Rest days of the year with the holiday's name. Raises ValidationError with a sentence for each bad line."""
    return _collect(text, year=year, unnamed="", forbidden="上班", elsewhere="调休上班")


def read_work(text: str, *, year: int) -> dict[dt.date, str]:
    """Worked weekend days of the year. Raises ValidationError with a sentence for each bad line."""
    days = _collect(text, year=year, unnamed=WORKED, forbidden="放假", elsewhere="放假")
    needless = [day for day in days if day.weekday() < 5]
    if needless:
        day = min(needless)
        raise ValidationError(f"{spoken(day)}是周{WEEKDAYS[day.weekday()]}，本来就上班，不用填。请核对日期。")
    return days


def write(days: dict[dt.date, str]) -> str:
    """Days as text that `read_rest` and `read_work` read back: runs of one name on one line."""
    lines = []
    for first, last, name in spans(days):
        span = spoken(first) if first == last else f"{spoken(first)}至{spoken(last)}"
        lines.append(span if name == WORKED else f"{span} {name}")
    return "\n".join(lines)


def spans(days: dict[dt.date, str]) -> list[tuple[dt.date, dt.date, str]]:
    """Runs of neighbouring days with one name: first, last, name."""
    found: list[tuple[dt.date, dt.date, str]] = []
    for day, name in sorted(days.items()):
        if found and found[-1][2] == name and day - found[-1][1] == dt.timedelta(days=1):
            found[-1] = (found[-1][0], day, name)
        else:
            found.append((day, day, name))
    return found


def spoken(day: dt.date) -> str:
    return f"{day.month}月{day.day}日"


def _collect(text: str, *, year: int, unnamed: str, forbidden: str, elsewhere: str) -> dict[dt.date, str]:
    days: dict[dt.date, str] = {}
    problems = []
    for number, raw in enumerate(text.splitlines(), start=1):
        try:
            if raw.strip():
                _add(days, _line(number, raw, year=year, forbidden=forbidden, elsewhere=elsewhere), unnamed)
        except ValidationError as problem:
            problems += problem.messages
    if problems:
        raise ValidationError(problems)
    return days


def _add(days: dict[dt.date, str], line: Line, unnamed: str) -> None:
    if not (name := line.name or unnamed):
        raise ValidationError(f"第 {line.number} 行没有写节日名称，请写成“10月1日至7日 国庆节”这样。")
    twice = [day for day in line.days if day in days]
    if twice:
        raise ValidationError(f"第 {line.number} 行的{spoken(twice[0])}前面已经写过，请删去一处。")
    days.update(dict.fromkeys(line.days, name[:20]))


def _line(number: int, raw: str, *, year: int, forbidden: str, elsewhere: str) -> Line:
    text = unicodedata.normalize("NFKC", raw)
    if forbidden in text:
        raise ValidationError(f"第 {number} 行写着“{forbidden}”，请把这些日子移到“{elsewhere}”一栏。")
    days: list[dt.date] = []
    rest = ""
    for piece in _pieces(text):
        if isinstance(piece, str):
            rest += piece
        else:
            days += _span(number, *piece, year=year)
    name = _FILLING.sub("", rest).strip(_PUNCTUATION)
    if not days or re.search(r"\d", name):
        raise ValidationError(f"第 {number} 行“{raw.strip()[:30]}”看不懂，请写成“10月1日至7日 国庆节”或“2027-10-01”。")
    if len(set(days)) < len(days):
        raise ValidationError(f"第 {number} 行里同一天写了两次，请删去一处。")
    return Line(number, tuple(days), name)


def _pieces(text: str) -> Iterator[str | tuple[re.Match, re.Match | None]]:
    """The text cut into words and dates; a date with its end when a span is meant."""
    position = 0
    while found := _FIRST.search(text, position):
        yield text[position : found.start()]
        last = _LAST.match(text, found.end())
        yield found, last
        position = (last or found).end()
    yield text[position:]


def _span(number: int, first: re.Match, last: re.Match | None, *, year: int) -> list[dt.date]:
    start = _date(number, first, year=year)
    if last is None:
        return [start]
    end = _date(number, last, year=start.year, month=start.month)
    length = (end - start).days + 1
    if not 1 <= length <= _LONGEST_SPAN:
        raise ValidationError(f"第 {number} 行从{spoken(start)}到{spoken(end)}，起止日期不对，请核对。")
    return [start + dt.timedelta(days=n) for n in range(length)]


def _date(number: int, match: re.Match, *, year: int, month: int = 0) -> dt.date:
    """The date a match means. A weekday written beside it must fit: it is the best check there is."""
    written = match["year"]
    try:
        day = dt.date(int(written or year), int(match["month"] or month), int(match["day"]))
    except ValueError:
        raise ValidationError(f"第 {number} 行“{match[0].strip()}”没有这一天，请核对。") from None
    if day.year != year:
        raise ValidationError(f"第 {number} 行的 {day:%Y-%m-%d} 不在 {year} 年；跨年的假期请分别录入两个年份。")
    weekday = WEEKDAYS[day.weekday()]
    if match["weekday"] and match["weekday"].replace("天", "日") != weekday:
        raise ValidationError(
            f"第 {number} 行写的是周{match['weekday']}，但 {year} 年{spoken(day)}是周{weekday}，请核对。"
        )
    return day
