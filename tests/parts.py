"""Worker and clock of an installation as real processes over this test's own database and files."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from django.conf import settings

from tests.services import worker_environment
from tests.waiting import SECONDS

Process = subprocess.Popen[bytes]

WORKER = ("worker", "--without-gossip", "--without-mingle", "--without-heartbeat", "--concurrency")


@contextlib.contextmanager
def starting(queue_url: str, place: Path, *, queue_number: int, **env: str) -> Iterator[Callable[..., Process]]:
    """A function that starts a part by its words (`*WORKER, "1"` or `"beat"`); none outlives the block.

    The number is that of a database of the queue server for this test alone: no other worker takes its messages.
    The parts live on the day of `moving_clock`, as the test does.
    """
    address = f"{queue_url}?virtual_host={queue_number}"
    environment = {**os.environ, **worker_environment(address), "AID_DEMO": "1", "AID_SWEEP_SECONDS": "1", **env}
    started: list[Process] = []

    def start(*words: str) -> Process:
        command = [sys.executable, "-m", "celery", "--app", "aidadmin", "--quiet", *words, "--loglevel", "WARNING"]
        if "beat" in words:
            command += ["--pidfile=", "--schedule", str(place / "beat")]
        started.append(subprocess.Popen(command, env=environment, cwd=settings.BASE_DIR, start_new_session=True))
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            kill(process)


def kill(process: Process) -> None:
    """`kill -9` of the process and everything it started, at once; when this returns, all of them are gone."""
    if process.poll() is not None:
        return
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)  # it leads a session of its own
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait(SECONDS)
    assert psutil.wait_procs(family, timeout=SECONDS)[1] == []
