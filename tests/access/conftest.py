"""The county of the matrix, built once for all its tests and taken back after them."""

from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import Client, override_settings

from accounts import clock
from tests import cast as casting

from .county import County, build


@pytest.fixture(scope="module")
def county(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[County]:
    with django_db_blocker.unblock(), override_settings(DEMO=True):  # type: ignore[attr-defined]
        try:
            with transaction.atomic():
                clock.set_demo_day(casting.TODAY)
                yield build()
                transaction.set_rollback(True)
        finally:
            clock._demo_file().unlink(missing_ok=True)


@pytest.fixture(scope="module")
def clients(county: County) -> dict[str, Client]:
    """A browser for every role, signed in."""
    found = {}
    for role, user in county.people.items():
        found[role] = Client()
        if user is not None:
            found[role].force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return found


@pytest.fixture(autouse=True)
def _same_day(county: County) -> Iterator[None]:
    """One of the addresses moves the demo's day on; it lies in a file, which no rollback takes back."""
    day = clock.today()
    yield
    clock.set_demo_day(day)
