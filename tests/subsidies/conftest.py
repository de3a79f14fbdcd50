"""The county on the cast's day, a round that is open, and two ways to look at what happened."""

from collections.abc import Callable

import pytest

from accounts.models import AuditRow
from subsidies.models import Application, DutyHolder, Round, StepTaken
from tests import cast as casting


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
