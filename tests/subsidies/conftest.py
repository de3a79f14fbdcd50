"""The county on the cast's day, a round that is open, and two ways to look at what happened."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings as django_settings

from accounts import clock
from accounts.models import AuditRow
from subsidies.models import Application, DutyHolder, Round, StepTaken
from tests import cast as casting


@pytest.fixture
def moving_clock(settings) -> Iterator[None]:
    """The demo's clock, standing on the cast's day; a test may move it on."""
    settings.DEMO = True
    clock.set_demo_day(casting.TODAY)
    yield
    (django_settings.DATA_DIR / "demo-clock.json").unlink(missing_ok=True)


@pytest.fixture
def cast(db: None, moving_clock: None) -> casting.Cast:
    return casting.gather()


@pytest.fixture
def round_(cast: casting.Cast) -> Round:
    return casting.open_round(cast)


@pytest.fixture
def whole() -> Callable[[], dict]:
    """Everything a step may touch, to compare before and after: a refusal leaves it as it was."""

    def look() -> dict:
        return {
            "applications": list(Application.objects.order_by("pk").values()),
            "steps": StepTaken.objects.count(),
            "duties": DutyHolder.objects.count(),
            "audit": AuditRow.objects.count(),
        }

    return look
