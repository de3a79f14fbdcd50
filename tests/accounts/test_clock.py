"""The day of the work: Beijing's, and movable only in the demo county."""

import datetime as dt

import pytest
import time_machine
from django.core.exceptions import PermissionDenied

from accounts import clock


@time_machine.travel("2026-03-04T16:30:00Z", tick=False)
def test_today_is_beijings_day() -> None:
    assert clock.today() == dt.date(2026, 3, 5)


def test_clock_cannot_be_moved_outside_the_demo() -> None:
    with pytest.raises(PermissionDenied):
        clock.set_demo_day(dt.date(2026, 10, 13))


@time_machine.travel("2026-03-04T16:30:00Z", tick=False)
def test_demo_keeps_its_own_day_at_the_hour_of_the_machine(settings, tmp_path) -> None:
    settings.DEMO, settings.DATA_DIR = True, tmp_path
    assert clock.today() == dt.date(2026, 3, 5)
    clock.set_demo_day(dt.date(2026, 10, 12))
    assert clock.today() == dt.date(2026, 10, 12)
    assert clock.now().isoformat() == "2026-10-12T00:30:00+08:00"


def test_day_that_is_there_and_unreadable_is_an_error(settings, tmp_path) -> None:
    settings.DEMO, settings.DATA_DIR = True, tmp_path
    (tmp_path / "demo-clock.json").write_text("{")
    with pytest.raises(ValueError):
        clock.today()
