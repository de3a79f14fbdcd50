"""The county on the cast's day, a round, and lists that wait for their notice."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings as django_settings
from django.test import Client

from accounts import clock
from accounts.models import User
from publicity.models import Notice
from subsidies.models import Application, Round
from subsidies.states import State
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
def reviewed(cast: casting.Cast, round_: Round) -> list[Application]:
    """Three pupils of school A, past the school review."""
    pupils = [casting.enrol(cast, cast.class_a1, name=name) for name in ("张小明", "䶮𬎆", "阿依古丽·买买提")]
    return casting.walk(cast, casting.submitted(cast, round_, *pupils), State.SCHOOL_REVIEWED)


@pytest.fixture
def notice(cast: casting.Cast, reviewed: list[Application]) -> Notice:
    return casting.publish(cast, reviewed)


@pytest.fixture
def as_user(client: Client) -> Callable[[User], Client]:
    """The test client, signed in as the person."""

    def sign_in(user: User) -> Client:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in
