"""The county on the cast's day, a round, and lists that wait for their notice."""

import pytest

from publicity.models import Notice
from subsidies.models import Application, Round
from subsidies.states import State
from tests import cast as casting


@pytest.fixture
def round_(cast: casting.Cast) -> Round:
    return casting.open_round(cast)


@pytest.fixture
def reviewed(cast: casting.Cast, round_: Round) -> list[Application]:
    """Three pupils of school A, past the school review."""
    pupils = [casting.enrol(cast, cast.class_a1, name=name) for name in ("张小明", "䶮𬎆", "阿依古丽·买买提")]
    return casting.walk(cast, casting.submitted(cast, round_, *pupils), State.SCHOOL_REVIEWED)


@pytest.fixture
def notice(cast: casting.Cast, reviewed: list[Application]) -> Notice:
    return casting.publish(cast, reviewed)
