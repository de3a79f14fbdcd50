"""A whole installation for the browser: prepared in a directory of its own and started as a user starts it."""

import contextlib
import datetime as dt
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg

from aidadmin.processes import die_with_parent
from tests.services import free_port

ROOT = Path(__file__).resolve().parents[2]
SECONDS_TO_START = 600
SECONDS_TO_STOP = 180


@dataclass(frozen=True)
class Installation:
    """One running installation: where it answers, where its data lies, what its commands must be started with."""

    address: str
    data: Path
    env: dict[str, str]

    @property
    def log(self) -> str:
        """Everything its processes have said so far."""
        return (self.data.parent / f"{self.data.name}.log").read_text(encoding="utf-8")

    @property
    def errors_logged(self) -> list[str]:
        """Lines in which a process said that it failed. (A refusal is only a warning.)"""
        return [line for line in self.log.splitlines() if " ERROR " in line or " CRITICAL " in line]

    @property
    def is_sqlite(self) -> bool:
        return "DATABASE_URL" not in self.env

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.data / "aid.sqlite3"

    def ask(self, query: str, *values: object) -> list[tuple]:
        """Rows of a question put to the database past the system; `?` stands for a value."""
        if self.is_sqlite:
            with contextlib.closing(sqlite3.connect(self.database)) as link:
                return link.execute(query, values).fetchall()
        with _connected(self.env["DATABASE_URL"]) as link:
            return link.execute(query.replace("?", "%s"), values).fetchall()

    def count(self, table: str) -> int:
        return self.ask(f"SELECT COUNT(*) FROM {table}")[0][0]  # noqa: S608 - our own table names

    def stored_files(self) -> set[str]:
        """Every file kept beside the database."""
        return {str(path.relative_to(self.data / "files")) for path in _files_under(self.data / "files")}

    def contents(self) -> Iterator[tuple[Path, bytes]]:
        """Every file in its directory and what stands in it. What a process takes away meanwhile is left out."""
        for path in _files_under(self.data):
            with contextlib.suppress(FileNotFoundError):
                yield path, path.read_bytes()

    def set_day(self, day: dt.date) -> None:
        """Put the demo's clock on a day, as `accounts.clock.set_demo_day` writes it (there is no button backwards)."""
        (self.data / "demo-clock.json").write_text(json.dumps({"day": day.isoformat()}))

    def processes(self, word: str) -> list[psutil.Process]:
        """Its processes with that word in their command."""
        found = [
            process
            for process in psutil.process_iter(["cmdline", "environ"])
            if (process.info["environ"] or {}).get("AID_DATA") == str(self.data)
            and word in (process.info["cmdline"] or [])
        ]
        assert found, word
        return found

    @contextlib.contextmanager
    def worker_held(self) -> Iterator[None]:
        """The worker stands still for the length of the block, in the middle of nothing; what waits for it waits."""
        try:
            self._hold_worker()
            while self._is_written():
                self._let_worker_go()
                time.sleep(0.2)
                self._hold_worker()
            yield
        finally:
            self._let_worker_go()

    def _hold_worker(self) -> None:
        """Its pool changes: once all that were found stand still, look again for one that was begun meanwhile."""
        held: set[psutil.Process] = set()
        while moving := set(self.processes("worker")) - held:
            for process in sorted(moving, key=lambda each: each.create_time()):  # the one that begins others first
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.suspend()
            held |= moving

    def _let_worker_go(self) -> None:
        for process in self.processes("worker"):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def _is_written(self) -> bool:
        """Whether somebody has begun to write to the database and is not done."""
        if self.is_sqlite:
            with contextlib.closing(sqlite3.connect(self.database, timeout=0)) as link:
                try:
                    link.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:
                    return True
            return False
        others = "datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
        return bool(self.ask(f"SELECT 1 FROM pg_stat_activity WHERE {others}"))  # noqa: S608 - our own words

    def tell_progress(self, key: str, phase: str, done: int, total: int) -> None:
        """Say for a worker how far it is with a job, as `students.progress` does."""
        told = self.data / "run" / "jobs" / f"{key}.json"
        told.parent.mkdir(parents=True, exist_ok=True)
        told.write_text(json.dumps({"phase": phase, "done": done, "total": total, "at": time.time()}))

    def manage(self, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run one of its commands."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        return subprocess.run(command, env={**self.env, **env}, cwd=ROOT, capture_output=True, text=True)


def _files_under(directory: Path) -> Iterator[Path]:
    """Files, though others come and go while one looks: a directory that has gone holds none."""
    for place, _, names in os.walk(directory):
        yield from (path for name in names if (path := Path(place) / name).is_file())


@contextlib.contextmanager
def running(data: Path, *, filled_by: str = "", queue_number: int = 5) -> Iterator[Installation]:
    """Start an installation for the length of a block; no process of it is left behind.

    `filled_by` names a module of the tests that fills the empty database; without one it is the demo county.
    Raises RuntimeError with the log when it does not come up.
    """
    data.mkdir(parents=True, exist_ok=True)
    with _own_database(data.name) as database:
        env = _environment(data, database, queue_number)
        if filled_by:
            subprocess.run([sys.executable, "-m", filled_by], env=env, cwd=ROOT, check=True)
        port = free_port()
        with _started(data, port, env):
            yield Installation(f"http://127.0.0.1:{port}", data, env)


@contextlib.contextmanager
def _started(data: Path, port: int, env: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, str(ROOT / "manage.py"), "demo", "--data", str(data), "--port", str(port)]
    log = data.parent / f"{data.name}.log"
    with log.open("w", encoding="utf-8") as out:
        supervisor = subprocess.Popen(
            command, env=env, cwd=ROOT, stdout=out, stderr=out, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent
        )
    try:
        _wait_until_ready(supervisor, f"http://127.0.0.1:{port}/readyz", log)
        yield
    finally:
        _stop(supervisor)


def _wait_until_ready(supervisor: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end and supervisor.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own address
            return
        time.sleep(0.2)
    raise RuntimeError(f"The installation did not come up:\n{log.read_text(encoding='utf-8')}")


def _stop(supervisor: "subprocess.Popen[bytes]") -> None:
    """Ctrl-C, as a person ends it; whatever then still lives is a fault."""
    if supervisor.poll() is not None:
        return
    family = psutil.Process(supervisor.pid).children(recursive=True)
    supervisor.send_signal(signal.SIGINT)
    try:
        supervisor.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()
    _, alive = psutil.wait_procs(family, timeout=SECONDS_TO_STOP)
    left_over = [" ".join(process.cmdline()) for process in alive]
    for process in alive:
        process.kill()
    assert not left_over, f"left behind after Ctrl-C: {left_over}"
    assert supervisor.returncode == 0, f"ended with {supervisor.returncode}"


def _environment(data: Path, database: str, queue_number: int) -> dict[str, str]:
    """What a user's shell would hold: nothing of the test run but its servers."""
    ours = ("AID_", "DJANGO_", "DATABASE_URL", "CELERY_BROKER_URL", "PYTEST_", "COVERAGE_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    env |= {"DJANGO_SETTINGS_MODULE": "aidadmin.settings", "AID_DATA": str(data), "AID_DEMO": "1"}
    if database:
        env["DATABASE_URL"] = database
    queue = os.environ.get("CELERY_BROKER_URL", "")
    if queue.startswith("redis"):
        env["CELERY_BROKER_URL"] = f"{queue}?virtual_host={queue_number}"
    return env


@contextlib.contextmanager
def _own_database(name: str) -> Iterator[str]:
    """On the server of `--services` a new database of this name; "" where SQLite's file does."""
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        yield ""
        return
    name = f"browser_{name}"
    with _connected(server) as link:
        link.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        link.execute(f'CREATE DATABASE "{name}"')
    base, _, _ = server.rpartition("/")
    yield f"{base}/{name}"


def _connected(url: str) -> "psycopg.Connection[tuple]":
    """The database of an address as `tests.services` writes it: with the directory of a socket, or with a host."""
    parts = urlsplit(url)
    if parts.hostname:
        return psycopg.connect(url, autocommit=True)
    home, _, name = parts.path.rpartition("/")
    return psycopg.connect(user=parts.username, host=home, dbname=name, autocommit=True)


def host_of(url: str) -> str:
    return urlsplit(url).netloc
