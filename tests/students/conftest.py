"""The county and its people, on the day of the cast; pages opened as one of them."""

from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from accounts.models import User
from tests import cast as casting


@pytest.fixture
def cast(db: None) -> Iterator[casting.Cast]:
    with casting.that_morning() as county:
        yield county


@pytest.fixture
def signed_in() -> Callable[[User], Client]:
    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in
