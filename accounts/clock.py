"""What day it is for the work.

Outside the demo county this is simply the machine's clock in Beijing time. The demo county keeps its own
day, so that a visitor can carry a term past a five-working-day notice in an afternoon.
"""

import datetime as dt
import json
from pathlib import Path

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.utils import timezone


def now() -> dt.datetime:
    """The moment, aware; in the demo county the demo's day at the machine's time of day."""
    moment = timezone.now()
    if not settings.DEMO:
        return moment
    local = timezone.localtime(moment)
    return local + (_demo_day(default=local.date()) - local.date())


def today() -> dt.date:
    """The day in Beijing, whatever time zone the server keeps."""
    return timezone.localdate(now())


def set_demo_day(day: dt.date) -> None:
    """Move the demo county to `day`. Refused anywhere but in the demo."""
    if not settings.DEMO:
        raise PermissionDenied("只有演示县可以调整日期。")
    path = _demo_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"day": day.isoformat()}))
    fresh.replace(path)


def _demo_day(*, default: dt.date) -> dt.date:
    try:
        return dt.date.fromisoformat(json.loads(_demo_file().read_text())["day"])
    except FileNotFoundError:
        return default


def _demo_file() -> Path:
    return settings.DATA_DIR / "demo-clock.json"
