"""The county on the cast's day, a round, and lists that wait for their notice."""

from dataclasses import dataclass
from functools import partial

import pytest

from publicity.models import Notice
from subsidies.models import Application, Round
from subsidies.states import State
from tests import cast as casting
from tests.made_once import made_once

STAGES = ("cast", "round_", "reviewed", "notice")


@dataclass
class Standing:
    """How far the county has come."""

    cast: casting.Cast
    round_: Round | None = None
    reviewed: list[Application] | None = None
    notice: Notice | None = None


def _up_to(stage: str) -> Standing:
    made = Standing(casting.gather())
    if stage != "cast":
        made.round_ = casting.open_round(made.cast)
    if stage in ("reviewed", "notice"):
        names = ("张小明", "䶮𬎆", "阿依古丽·买买提")
        pupils = [casting.enrol(made.cast, made.cast.class_a1, name=name) for name in names]
        rows = casting.submitted(made.cast, made.round_, *pupils)
        made.reviewed = casting.walk(made.cast, rows, State.CONFIRMED)
    if stage == "notice":
        made.notice = casting.publish(made.cast, made.reviewed)
    return made


_STANDING = {stage: made_once(partial(_up_to, stage)) for stage in STAGES}


@pytest.fixture
def standing(db: None, moving_clock: None, request: pytest.FixtureRequest) -> Standing:
    """As far as the test asks."""
    stage = next(stage for stage in reversed(STAGES) if stage in request.fixturenames)
    return _STANDING[stage]()


@pytest.fixture
def cast(standing: Standing) -> casting.Cast:
    return standing.cast


@pytest.fixture
def round_(standing: Standing) -> Round:
    return standing.round_


@pytest.fixture
def reviewed(standing: Standing) -> list[Application]:
    """Three pupils of school A, past the school review."""
    return standing.reviewed


@pytest.fixture
def notice(standing: Standing) -> Notice:
    return standing.notice
