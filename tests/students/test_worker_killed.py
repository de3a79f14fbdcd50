"""A worker killed with `kill -9` in the middle of a roster: nothing half done, and the next one does the whole.

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

from accounts.audit import verify_chain
from accounts.models import AuditRow
from students import progress, rosters
from students.models import BankAccount, Enrolment, Pupil, RosterImport, SchoolClass
from tests.cast import Cast
from tests.services import worker_environment
from tests.students.workbooks import pupil, upload, workbook

ROWS = 4000
S = RosterImport.State

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.xdist_group("browser")]


@pytest.fixture
def start(queue_url: str, tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Start a part of the installation (worker, beat) on this test's data; none outlives the test."""
    # A database of the queue server for this test alone: no other worker takes its messages.
    environment = {**os.environ, **worker_environment(f"{queue_url}?virtual_host=8"), "AID_SWEEP_SECONDS": "1"}
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
        assert time.monotonic() < end, list(RosterImport.objects.values_list("state", "attempt", "failure"))
        time.sleep(0.002)


def test_roster_is_imported_once_and_whole_after_the_worker_was_killed_twice(
    transactional_db: None, cast: Cast, start: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    rows = [pupil(serial, 姓名="陈小明", 班级=f"{serial % 80 + 1}班") for serial in range(1, ROWS + 1)]
    file = upload(workbook(*rows))
    roster = rosters.check_roster(file, unit=cast.school_a, term=cast.term, by=cast.officer_a)
    assert roster.state == S.UPLOADED
    classes = SchoolClass.objects.count()

    def state() -> str:
        return RosterImport.objects.values_list("state", flat=True).get(pk=roster.pk)

    def kill_at(worker: "subprocess.Popen[bytes]", phase: str, done: str) -> None:
        """Kill the worker when it says that it is in this phase; then a minute passes."""
        until(lambda: progress.of(roster.pk).phase == phase or state() == done)
        kill(worker)
        told = progress._path(roster.pk, "json")
        if told.exists():
            told.write_text(told.read_text().replace('"at": ', '"at": -'))

    start("beat")
    words = ["worker", "--concurrency", "1", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    kill_at(start(*words), "与登记的信息比对", S.CHECKED)
    worker = start(*words)
    until(lambda: state() == S.CHECKED)
    assert (Pupil.objects.count(), RosterImport.objects.get().rows_new) == (0, ROWS)

    roster.refresh_from_db()
    rosters.apply_roster(roster, by=cast.officer_a)
    kill_at(worker, "写入名册", S.APPLIED)
    if state() == S.APPLYING:
        assert (Pupil.objects.count(), Enrolment.objects.count(), BankAccount.objects.count()) == (0, 0, 0)
        assert SchoolClass.objects.count() == classes
    start(*words)
    until(lambda: state() == S.APPLIED)

    assert Pupil.objects.count() == Enrolment.objects.count() == BankAccount.objects.count() == ROWS
    assert SchoolClass.objects.count() == classes + 78  # 七年级1班 and 2班 were there
    for action in ("roster.check", "roster.apply"):
        assert AuditRow.objects.filter(action=action).count() == 1
    assert AuditRow.objects.filter(action="class.enrol").count() == 80
    assert verify_chain().broken_at is None
    until(lambda: not list((settings.DATA_DIR / "run" / "jobs").glob(f"{roster.pk}*")))
