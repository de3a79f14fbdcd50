"""The county on the cast's day, and a case that has just been submitted."""

import pytest

from subsidies.models import Application, Round
from tests import cast as casting


@pytest.fixture
def round_(cast: casting.Cast) -> Round:
    return casting.open_round(cast)


@pytest.fixture
def submitted(cast: casting.Cast, round_: Round) -> list[Application]:
    """One pupil of school A, with two kinds of hardship."""
    pupil = casting.enrol(cast, cast.class_a1, name="䶮𬎆", kinds=("dibao_rural", "disabled"))
    return casting.submitted(cast, round_, pupil)
