"""A worker killed with `kill -9` in the middle of the sheets: each sheet exists once, none twice, none is missing.

Real queue, real worker and clock processes, over this test's own database and files.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from django.utils import timezone

from accounts.audit import verify_chain
from accounts.models import AuditRow
from documents import filestore, issuing
from documents.models import IssuedDocument
from subsidies import workflow
from subsidies.models import PayoutSheet
from subsidies.payout_sheets import MOST_ATTEMPTS
from subsidies.states import State, Step
from tests.cast import batch, enrol, submitted
from tests.services import worker_environment
from tests.subsidies.shortcuts import walk_on

SHEETS, ROWS = 8, 10
# Long enough for a sheet on a busy machine; the test itself lets the leases of the dead run out.
TIMES = {"AID_SHEET_LEASE_SECONDS": "60", "AID_SWEEP_SECONDS": "1"}
S = PayoutSheet.State

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.xdist_group("browser")]


@pytest.fixture
def start(queue_url: str, tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Start a part of the installation (worker, beat) on this test's data; none outlives the test."""
    # A database of the queue server for this test alone: no other worker takes its messages.
    environment = {**os.environ, **worker_environment(f"{queue_url}?virtual_host=7"), **TIMES}
    started: list[subprocess.Popen[bytes]] = []

    def run(*words: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "celery", "--app", "aidadmin", "--quiet", *words, "--loglevel", "WARNING"]
        if "beat" in words:
            command += ["--pidfile=", "--schedule", str(tmp_path / "beat")]
        process = subprocess.Popen(command, env=environment, cwd=settings.BASE_DIR, start_new_session=True)
        started.append(process)
        return process

    yield run
    for process in started:
        kill(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """`kill -9` of the process and everything it started, at once."""
    if process.poll() is None:
        for member in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
    process.wait(20)


def until(true: Callable[[], bool]) -> None:
    """Wait; the end is far away and only for a test that hangs."""
    end = time.monotonic() + 240
    while not true():
        assert time.monotonic() < end, list(PayoutSheet.objects.values_list("state", "attempt", "failure"))
        time.sleep(0.05)


def states() -> list[str]:
    return list(PayoutSheet.objects.values_list("state", flat=True))


def queue_up(cast, round_) -> None:
    """One batch after the other, each with one sheet of a class's size."""
    pupils = [enrol(cast, cast.class_a1, name=f"学生{n}") for n in range(SHEETS * ROWS)]
    rows = walk_on(cast, submitted(cast, round_, *pupils), State.VERIFIED)
    for start in range(0, len(rows), ROWS):
        workflow.advance_all(rows[start : start + ROWS], Step.APPROVE, by=cast.head)
        batch(cast, round_)


def test_each_sheet_exists_once_after_the_worker_was_killed_twice(cast, round_, start) -> None:
    queue_up(cast, round_)
    assert states() == [S.QUEUED] * SHEETS
    before = set(filestore.names("issued/payout_sheet"))
    numbers = set(IssuedDocument.objects.values_list("number", flat=True))

    start("beat")
    worker = ["worker", "--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    for made in (0, 2):
        killed = start(*worker)
        until(lambda made=made: states().count(S.READY) >= made and S.RENDERING in states())
        kill(killed)
        left = PayoutSheet.objects.filter(state=S.RENDERING)
        assert left.update(lease_until=timezone.now())  # it died in the middle of one; a minute passes
    assert states().count(S.READY) < SHEETS
    start(*worker)
    until(lambda: set(states()) == {S.READY})

    attempts = list(PayoutSheet.objects.values_list("attempt", flat=True))
    assert 2 <= max(attempts) <= MOST_ATTEMPTS  # some were taken over from the dead
    documents = IssuedDocument.objects.filter(kind="payout_sheet")
    assert {document.number for document in documents} == numbers
    assert len(numbers) == documents.count() == SHEETS
    assert {document.state for document in documents} == {"issued"}
    for document in documents:  # both refuse a file that is not the very one that was issued
        assert issuing.read_pdf(document).startswith(b"%PDF")
        assert issuing.read_xlsx(document).startswith(b"PK")
        assert AuditRow.objects.filter(action="document.issue", subject__endswith=str(document.pk)).count() == 1
    assert AuditRow.objects.filter(action="sheet.generate").count() == SHEETS
    assert verify_chain().broken_at is None
    assert set(filestore.names("issued/payout_sheet")) - before == {
        f"issued/payout_sheet/{document.pk}.{form}" for document in documents for form in ("pdf", "xlsx")
    }
