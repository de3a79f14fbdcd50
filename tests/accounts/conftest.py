"""The county and its people, on the day of the cast."""

from collections.abc import Iterator

import pytest
from django.test import Client

from accounts.models import User
from tests import cast as casting


@pytest.fixture
def cast(db: None) -> Iterator[casting.Cast]:
    with casting.that_morning() as county:
        yield county


@pytest.fixture
def transactional_cast(transactional_db: None) -> Iterator[casting.Cast]:
    """The same, committed, for a browser that speaks to a real server."""
    with casting.that_morning() as county:
        yield county


@pytest.fixture
def visit():
    """A browser session already signed in as the person."""

    def as_person(user: User) -> Client:
        client = Client()
        client.force_login(user, "django.contrib.auth.backends.ModelBackend")
        return client

    return as_person
