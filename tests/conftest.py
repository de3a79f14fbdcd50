"""What every test may lean on: keys, a closed network, and for few of them a browser, a queue, a worker."""

import importlib
import ipaddress
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings

from tests.waiting import SECONDS

# --- the network ----------------------------------------------------------------------------------

_connect, _connect_ex, _getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo


class NetworkClosed(RuntimeError):
    """A test (or what it tests) tried to leave this machine."""


def _check_address(family: int, address: object) -> None:
    if family == socket.AF_UNIX or (isinstance(address, tuple) and _is_loopback(address[0])):
        return
    raise NetworkClosed(f"Tests may speak to this machine only, not to {address!r}.")


def _is_loopback(host: object) -> bool:
    try:
        return host in (None, "", "localhost") or ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _guarded_connect(self: socket.socket, address: object) -> None:
    _check_address(self.family, address)
    _connect(self, address)


def _guarded_connect_ex(self: socket.socket, address: object) -> int:
    _check_address(self.family, address)
    return _connect_ex(self, address)


def _guarded_getaddrinfo(host: object, *args: object, **kwargs: object) -> list:
    name = host.decode() if isinstance(host, bytes) else host
    if not _is_loopback(name) and name != socket.gethostname():
        raise NetworkClosed(f"Tests look up no names, not even {name!r}.")
    return _getaddrinfo(host, *args, **kwargs)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes seconds (browser, worker, launcher)")
    config.addinivalue_line("markers", "services: has to do with a database or a queue (set by itself, see below)")
    config.addinivalue_line("markers", "screen: what a page looks like, which no database changes (set by itself)")
    # The same examples every time, and no clock that a busy machine could miss.
    hypothesis.settings.register_profile(
        "steady", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("steady")
    socket.socket.connect = _guarded_connect  # type: ignore[method-assign, assignment]
    socket.socket.connect_ex = _guarded_connect_ex  # type: ignore[method-assign, assignment]
    socket.getaddrinfo = _guarded_getaddrinfo  # type: ignore[assignment]


# --- two processes --------------------------------------------------------------------------------

# Files whose tests drive a browser or a worker: in one process, one after the other, or they would starve each other.
HEAVY = ("tests/browser/", "/test_browser.py", "/test_worker_killed.py")
# One of them waits for answers of an installation of its own most of the time, so it goes beside the others.
BESIDE = "tests/browser/test_looks.py"
# Files that take long by themselves: begun early, or one process would end with them while the other is idle.
LONG = (
    *("tests/access/test_matrix.py", "tests/aidadmin/test_supervision.py", "tests/students/test_roster_import.py"),
    *("tests/documents/test_marking.py", "tests/students/test_list_history.py", "tests/documents/test_workbooks.py"),
    *("tests/documents/test_verification.py", "tests/documents/test_hostile_files.py"),
    *("tests/subsidies/test_changes.py", "tests/subsidies/test_random_walk.py"),
)


def _is_heavy(path: str) -> bool:
    return path.startswith(HEAVY[0]) or path.endswith(HEAVY[1:])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Files stay whole, so that what a module prepares is prepared once. (xdist's own groups need marks that
    pytest 9 no longer carries to the scheduler.)"""
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.split("::", 1)[0]
            return "heavy" if _is_heavy(path) and path != BESIDE else path

    config.option.loadscopereorder = False  # the order is that of the collection
    return Together(config, log)  # type: ignore[arg-type]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest first; all else keeps its order, which is random."""

    def rank(item: pytest.Item) -> int:
        path = item.nodeid.split("::", 1)[0]
        return 0 if _is_heavy(path) else 1 if path in LONG else 2

    items.sort(key=rank)


# A test that asks for none of these, and bears no mark of pytest-django, is refused every database by pytest-django.
# (Not `django_db_blocker`: pytest-django gives it to every test there is.)
SERVICES = {
    *("db", "transactional_db", "django_db_setup", "live_server", "queue_url"),
    *("county", "demo_county"),
}
# Files about what a page shows in a browser, with nothing in them that a second database could answer otherwise (the
# pages' own tests ask both): on SQLite only.
SCREEN = (
    *("tests/browser/test_looks.py", "tests/browser/test_bad_files.py", "tests/browser/test_packs.py"),
    *("tests/browser/test_programme_desk.py", "tests/browser/test_shares.py", "tests/browser/test_why.py"),
    *("tests/browser/test_photographs.py", "tests/accounts/test_browser.py"),
)


def pytest_itemcollected(item: pytest.Item) -> None:
    fixtures = set(getattr(item, "fixturenames", ()))
    if {"browser", "page"} & fixtures:
        item.add_marker(pytest.mark.slow)
    if SERVICES & fixtures or item.get_closest_marker("django_db"):
        item.add_marker(pytest.mark.services)
    if item.nodeid.split("::", 1)[0] in SCREEN:
        item.add_marker(pytest.mark.screen)


# --- the installation -----------------------------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def keys() -> None:
    """The keys of this run's installation, as `./aid setup` makes them."""
    from documents import signing, vault

    vault.make_keys(new_installation=True)
    signing.make_county_key("测试县")


@pytest.fixture(scope="session")
def django_db_use_migrations() -> bool:
    """Tables come straight from the models, in a tenth of the time.

    That the migrations make the same tables is checked by `.ci/run`; the installations in tests/browser and
    tests/aidadmin are made by them.
    """
    return False


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object) -> Iterator[None]:
    """Let `transactional_db` empty the tables that are evidence; the triggers on them stay in all other tests."""
    from django.db import connection

    from accounts import append_only

    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        _lay_triggers()
    # On the class: once a browser runs, Django keeps a second connection for the same thread.
    kind = type(connection.ops)
    flush = kind.execute_sql_flush

    def flush_with_evidence(self: object, statements: list[str]) -> None:
        tables = _tables_held_by_triggers()
        with connection.schema_editor() as editor:
            append_only.lift(editor, *tables)
        flush(self, statements)
        with connection.schema_editor() as editor:
            append_only.lay(editor, *tables)

    kind.execute_sql_flush = flush_with_evidence
    yield
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        _end_other_sessions()


def _lay_triggers() -> None:
    """What the migrations add to the tables of the models."""
    from django.apps import apps
    from django.db import connection
    from django.db.migrations.recorder import MigrationRecorder

    MigrationRecorder(connection).ensure_schema()  # the table itself: /readyz writes to it
    with connection.schema_editor() as editor:
        for app in apps.get_app_configs():
            if (Path(app.path) / "migrations" / "0002_written_once.py").exists():
                module = importlib.import_module(f"{app.name}.migrations.0002_written_once")
                for operation in module.Migration.operations:
                    operation.code(apps, editor)


def _end_other_sessions() -> None:
    """PostgreSQL drops no database that somebody is in, and that second connection may still be."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


def _tables_held_by_triggers() -> list[str]:
    from django.db import connection

    query = {
        "sqlite": "SELECT DISTINCT tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%_no_update'",
        "postgresql": "SELECT DISTINCT event_object_table FROM information_schema.triggers"
        " WHERE trigger_name LIKE '%_no_update'",
    }
    with connection.cursor() as cursor:
        cursor.execute(query[connection.vendor])
        return sorted(row[0] for row in cursor.fetchall())


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    """No test sees the request of another in the audit trail."""
    from accounts import audit

    token = audit.origin.set("")
    yield
    audit.origin.reset(token)


# --- the county -----------------------------------------------------------------------------------


@pytest.fixture
def moving_clock(settings: object) -> Iterator[None]:
    """The demo's clock, standing on the cast's day; a test may move it on."""
    from accounts import clock
    from tests.cast import TODAY

    settings.DEMO = True  # type: ignore[attr-defined]
    clock.set_demo_day(TODAY)
    yield
    clock._demo_file().unlink(missing_ok=True)


@pytest.fixture
def cast(db: None, moving_clock: None) -> object:
    """The county and its people, on the day of the cast."""
    from tests import cast as casting

    return casting.gather()


@pytest.fixture
def as_user(client: object) -> Callable[[object], object]:
    """The test client, signed in as the person."""

    def sign_in(user: object) -> object:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")  # type: ignore[attr-defined]
        return client

    return sign_in


# --- the browser ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Debian's Chromium, without a window."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=SECONDS * 1000)
    with sync_playwright() as driver:
        # Root may not use Chromium's sandbox; the pages are our own.
        chromium = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: object, live_server: object) -> Iterator[object]:
    """A new visitor: own cookies, Chinese, Beijing time; ends with an error if a page broke the security policy."""
    context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai", base_url=live_server.url)  # type: ignore[attr-defined]
    context.set_default_timeout(SECONDS * 1000)
    visitor = context.new_page()
    complaints: list[str] = []
    visitor.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    visitor.on("pageerror", lambda error: complaints.append(str(error)))
    visitor.complaints = complaints
    yield visitor
    context.close()
    refused = [text for text in complaints if "Content Security Policy" in text]
    assert not refused, refused


# --- the queue ------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def queue_url() -> Iterator[str]:
    """A real queue server: the one of `--services`, or the embedded one on a socket of this run."""
    from tests.services import embedded_queue

    if not settings.CELERY_BROKER_URL.startswith("memory:"):
        yield settings.CELERY_BROKER_URL
        return
    with embedded_queue(settings.DATA_DIR) as url:
        yield url
