"""The county and its people, on the day of the cast."""

from collections.abc import Iterator

import pytest
import time_machine
from django.test import Client

from accounts.models import User
from tests import cast as casting


@pytest.fixture
def cast(db: None) -> Iterator[casting.Cast]:
    with time_machine.travel(f"{casting.TODAY.isoformat()}T09:30:00+08:00", tick=True):
        yield casting.gather()


@pytest.fixture
def transactional_cast(transactional_db: None) -> Iterator[casting.Cast]:
    """The same, committed, for a browser that speaks to a real server."""
    with time_machine.travel(f"{casting.TODAY.isoformat()}T09:30:00+08:00", tick=True):
        yield casting.gather()


@pytest.fixture
def visit():
    """A browser session already signed in as the person."""

    def as_person(user: User) -> Client:
        client = Client()
        client.force_login(user, "django.contrib.auth.backends.ModelBackend")
        return client

    return as_person
