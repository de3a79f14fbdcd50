"""Working days, against dates counted by hand on the calendar on the wall."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import AuditRow
from students import working_calendar
from students.models import CalendarYear, SpecialDay
from students.working_calendar import days_after
from students.working_days import CalendarMissing

D = dt.date


@pytest.fixture
def calendar(db: None) -> None:
    working_calendar.load(2025)


@pytest.mark.parametrize(
    ("published", "last"),
    [
        # Monday: Tuesday to Friday, then Monday.
        (D(2026, 10, 12), D(2026, 10, 19)),
        # Saturday: the weekend does not count.
        (D(2026, 10, 17), D(2026, 10, 23)),
        # 国庆 1–7 October: only 30 September, then 8, 9, the worked Saturday 10, and Monday 12.
        (D(2026, 9, 29), D(2026, 10, 12)),
        # The worked Sunday 20 September counts: 17, 18, 20, 21, 22.
        (D(2026, 9, 16), D(2026, 9, 22)),
        # 春节 15–23 February with worked 14 (Saturday) and 28 (Saturday): 14, 24, 25, 26, 27.
        (D(2026, 2, 13), D(2026, 2, 27)),
        # From a holiday: day 0 need not be a working day. 8, 9, 10, 12, 13.
        (D(2026, 10, 3), D(2026, 10, 13)),
        # 2025 is known too: 国庆 with 中秋 1–8 October, worked Saturday 11: 9, 10, 11, 13, 14.
        (D(2025, 9, 30), D(2025, 10, 14)),
    ],
)
def test_five_working_days_end_where_the_calendar_on_the_wall_says(calendar, published, last):
    days = days_after(published, count=5, working=True)
    assert (len(days), days[-1]) == (5, last)


def test_the_day_of_publishing_does_not_count(calendar):
    assert days_after(D(2026, 10, 12), count=1, working=True) == [D(2026, 10, 13)]


def test_calendar_days_need_no_calendar_and_skip_nothing(db):
    assert days_after(D(2027, 2, 1), count=7, working=False) == [D(2027, 2, day) for day in range(2, 9)]


def test_a_notice_into_a_year_nobody_recorded_is_refused_with_the_way_out(calendar):
    with pytest.raises(CalendarMissing, match=r"2027 年的放假.*还没有录入.*请县资助中心先在“工作日历”中录入"):
        days_after(D(2026, 12, 28), count=5, working=True)


def test_a_notice_that_just_ends_within_the_year_needs_no_other(calendar):
    assert days_after(D(2026, 12, 24), count=5, working=True)[-1] == D(2026, 12, 31)


def test_over_the_year_end_the_days_go_on_by_the_new_years_calendar(calendar):
    rest, work = {D(2027, 1, 1): "元旦"}, {D(2027, 1, 2): "调休上班"}
    working_calendar.record_year(2027, document="通知", rest=rest, work=work, county=None, by=None)
    # 29, 30, 31 December, then the worked Saturday 2 and Monday 4 January.
    assert days_after(D(2026, 12, 28), count=5, working=True)[-1] == D(2027, 1, 4)


def test_an_endless_period_is_refused(calendar):
    with pytest.raises(ValidationError, match="天数 90 太长"):
        days_after(D(2026, 3, 1), count=90, working=True)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    published=st.dates(D(2025, 1, 1), D(2026, 11, 1)),
    count=st.integers(1, 20),
)
def test_every_counted_day_is_worked_and_none_between_is_left_out(calendar, published, count):
    days = days_after(published, count=count, working=True)
    assert len(days) == count
    assert days == sorted(set(days))
    assert days[0] > published
    special = dict(SpecialDay.objects.values_list("day", "kind"))

    def is_worked(day: D) -> bool:
        return special.get(day) == "work" or (day.weekday() < 5 and special.get(day) != "rest")

    between = [published + dt.timedelta(days=n) for n in range(1, (days[-1] - published).days + 1)]
    assert days == [day for day in between if is_worked(day)]


def test_next_working_day_leaps_over_the_holiday(calendar):
    days = working_calendar.working_days()
    assert days.next_from(D(2026, 10, 1)) == D(2026, 10, 8)
    assert days.next_from(D(2026, 9, 19)) == D(2026, 9, 20)  # the worked Sunday


def test_why_a_day_is_not_worked(calendar):
    days = working_calendar.working_days()
    assert days.why_not(D(2026, 10, 10)) == ""  # a worked Saturday
    assert days.why_not(D(2026, 10, 31)) == "星期六"
    assert days.why_not(D(2026, 10, 5)) == "国庆节放假"
    with pytest.raises(CalendarMissing, match="2027 年"):
        days.why_not(D(2027, 1, 4))


def test_working_days_of_a_month_are_those_of_the_wall(calendar):
    october = working_calendar.months_of(2026)[9]
    # Weekdays of October 2026: 22; less 1, 2, 5, 6, 7; and Saturday 10.
    assert october.working_days == 18
    assert [(first.day, last.day, name) for first, last, name in october.rest] == [(1, 7, "国庆节")]
    assert [day.day for day in october.work] == [10]


def test_years_before_and_after_the_library_are_not_invented(calendar):
    assert working_calendar.announced(2003) is None
    assert working_calendar.announced(2035) is None
    assert working_calendar.load(2025) == []


def test_what_the_library_says_of_2026_is_what_was_announced(calendar):
    found = working_calendar.announced(2026)
    assert len(found.rest) == 33
    assert [f"{day:%m-%d}" for day in sorted(found.work)] == ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"]
    assert {found.rest[D(2026, 2, day)] for day in range(15, 24)} == {"春节"}
    assert set(found.rest.values()) == {"元旦", "春节", "清明节", "劳动节", "端午节", "中秋节", "国庆节"}


# --- recording a year -----------------------------------------------------------------------------


def record(cast, by, *, rest=None, work=None, year=2027):
    working_calendar.record_year(
        year, document="通知", rest=rest or {D(2027, 1, 1): "元旦"}, work=work or {}, county=cast.county, by=by
    )


def test_a_year_is_replaced_as_a_whole(cast):
    record(cast, cast.clerk, rest={D(2027, 1, 1): "元旦", D(2027, 5, 1): "劳动节"})
    record(cast, cast.clerk, rest={D(2027, 1, 1): "元旦"})
    assert list(SpecialDay.objects.filter(day__year=2027).values_list("day", flat=True)) == [D(2027, 1, 1)]
    assert CalendarYear.objects.get(year=2027).recorded_by == cast.clerk
    rows = AuditRow.objects.filter(action="calendar.record_year", subject="calendar:2027").order_by("pk")
    assert [row.detail["before"] for row in rows] == ["", "放假 1月1日 元旦；5月1日 劳动节"]
    assert [row.detail["basis"] for row in rows] == ["通知", "通知"]


@pytest.mark.parametrize(
    ("rest", "work", "sentence"),
    [
        ({D(2028, 1, 1): "元旦"}, {}, "2028-01-01 不在 2027 年"),
        ({D(2027, 1, 2): "元旦"}, {D(2027, 1, 2): "调休上班"}, "2027-01-02 既是放假又是上班"),
    ],
)
def test_a_year_that_contradicts_itself_is_refused(cast, rest, work, sentence):
    with pytest.raises(ValidationError, match=sentence):
        record(cast, cast.clerk, rest=rest, work=work)
    assert not CalendarYear.objects.filter(year=2027).exists()


def test_a_year_without_any_holiday_is_refused(cast):
    with pytest.raises(ValidationError, match="至少填写一个放假日期"):
        working_calendar.record_year(2027, document="通知", rest={}, work={}, county=cast.county, by=cast.clerk)


@pytest.mark.parametrize("who", ["officer_a", "head", "inspector", "admin"])
def test_only_the_county_clerk_records_a_year(cast, who):
    with pytest.raises(PermissionDenied):
        record(cast, cast.people[who])
