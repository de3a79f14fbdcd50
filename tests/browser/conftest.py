"""A running installation, and people at their browsers."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection
from playwright.sync_api import Browser

from tests import cast as casting
from tests.looks import PHONE

from .installation import Installation, running
from .person import Person

SECONDS_FOR_REQUESTS = 20


@pytest.fixture(scope="session")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with people and classes and no pupil yet, as it really runs: web, worker, clock, queue."""
    place = tmp_path_factory.mktemp("walk") / "county"
    with running(place, filled_by="tests.browser.two_counties", queue_number=5) as installation:
        yield installation
        assert not installation.errors_logged, installation.log


@pytest.fixture
def cast_county(transactional_db: None, moving_clock: None) -> Iterator[casting.Cast]:
    """The county of tests.cast in this very process: for one desk at the browser, whose rows the test looks at."""
    yield casting.gather()
    _let_requests_end()


def _let_requests_end() -> None:
    """What a page sent while it was closed is still being answered: emptying the tables would meet it in a deadlock."""
    if connection.vendor != "postgresql":
        return
    others = "datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
    end = time.monotonic() + SECONDS_FOR_REQUESTS
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {others}")  # noqa: S608 - our own words
            if not cursor.fetchone()[0]:
                return
        time.sleep(0.1)


@pytest.fixture(scope="session")
def demo_county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """What `./aid demo` starts on the first day: cases at every desk."""
    with running(tmp_path_factory.mktemp("walk") / "demo", queue_number=6) as installation:
        yield installation
        assert not installation.errors_logged, installation.log


@pytest.fixture(scope="module")
def people(browser: Browser, county: Installation) -> Iterator[Callable[..., Person]]:
    """`people("clerk")` is that person, signed in, at the same browser each time they are asked for."""
    present: dict[str, Person] = {}

    def somebody(username: str) -> Person:
        if username not in present:
            present[username] = Person(browser, county.address).sign_in(username)
        return present[username]

    yield somebody
    for person in present.values():
        person.leave()


@pytest.fixture
def stranger(browser: Browser, county: Installation) -> Iterator[Person]:
    """Somebody without an account, on a phone."""
    visitor = Person(browser, county.address, viewport=PHONE)
    yield visitor
    visitor.leave()


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """Where this test's downloads go."""
    return tmp_path
