"""The county and its people, on the day of the cast."""

from collections.abc import Iterator

import pytest
import time_machine

from tests.students import scratch_cast as casting


@pytest.fixture
def cast(db: None) -> Iterator[casting.Cast]:
    with time_machine.travel(f"{casting.TODAY.isoformat()}T09:30:00+08:00", tick=True):
        yield casting.gather()


@pytest.fixture(scope="session", autouse=True)
def keys() -> None:  # SCRATCH
    from documents import vault

    vault.make_keys(new_installation=True)


@pytest.fixture(autouse=True)
def scratch_urls(settings):  # SCRATCH
    settings.ROOT_URLCONF = "tests.students.scratch_urls"
