"""The county on the cast's day, and a case that has just been submitted."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings as django_settings
from django.test import Client

from accounts import clock
from accounts.models import User
from subsidies.models import Application, Round
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
def submitted(cast: casting.Cast, round_: Round) -> list[Application]:
    """One pupil of school A, with two kinds of hardship."""
    pupil = casting.enrol(cast, cast.class_a1, name="䶮𬎆", kinds=("dibao_rural", "disabled"))
    return casting.submitted(cast, round_, pupil)


@pytest.fixture
def as_user(client: Client) -> Callable[[User], Client]:
    """The test client, signed in as the person."""

    def sign_in(user: User) -> Client:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in
