"""A worker killed with `kill -9` in the middle of a roster: nothing half done, and the next one does the whole.

Real queue, real worker and clock processes, over this test's own database and files.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from accounts.audit import verify_chain
from accounts.models import AuditRow
from students import progress, rosters
from students.models import BankAccount, Enrolment, Pupil, RosterImport, SchoolClass
from tests import cast as casting
from tests import waiting
from tests.cast import Cast
from tests.parts import WORKER, Process, kill, starting
from tests.students.workbooks import pupil, upload, workbook

ROWS = 2400
S = RosterImport.State

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def cast(transactional_db: None, moving_clock: None) -> Cast:
    return casting.gather()


@pytest.fixture
def start(queue_url: str, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    with starting(queue_url, tmp_path, queue_number=8) as start:
        yield start


def until(true: Callable[[], bool]) -> None:
    jobs = RosterImport.objects.values_list("state", "attempt", "failure")
    waiting.until(true, otherwise=lambda: list(jobs.all()), every=0.002)


def test_roster_is_imported_once_and_whole_after_the_worker_was_killed_twice(
    cast: Cast, start: Callable[..., Process]
) -> None:
    rows = [pupil(serial, 姓名="陈小明", 班级=f"{serial % 80 + 1}班") for serial in range(1, ROWS + 1)]
    file = upload(workbook(*rows))
    roster = rosters.check_roster(file, unit=cast.school_a, term=cast.term, by=cast.officer_a)
    assert roster.state == S.UPLOADED
    classes = SchoolClass.objects.count()

    def state() -> str:
        return RosterImport.objects.values_list("state", flat=True).get(pk=roster.pk)

    def kill_at(worker: Process, phase: str, done: str) -> None:
        """Kill the worker when it says that it is in this phase; then a minute passes."""
        until(lambda: progress.of(roster.pk).phase == phase or state() == done)
        kill(worker)
        told = progress._path(roster.pk, "json")
        if told.exists():
            told.write_text(told.read_text().replace('"at": ', '"at": -'))

    start("beat")
    kill_at(start(*WORKER, "1"), "与登记的信息比对", S.CHECKED)
    worker = start(*WORKER, "1")
    until(lambda: state() == S.CHECKED)
    assert (Pupil.objects.count(), RosterImport.objects.get().rows_new) == (0, ROWS)

    roster.refresh_from_db()
    rosters.apply_roster(roster, by=cast.officer_a)
    kill_at(worker, "写入名册", S.APPLIED)
    register = [model.objects.count() for model in (Pupil, Enrolment, BankAccount, SchoolClass)]
    if state() == S.APPLYING:  # asked last: then nothing was written when it was counted either
        assert register == [0, 0, 0, classes]
    start(*WORKER, "1")
    until(lambda: state() == S.APPLIED)

    assert Pupil.objects.count() == Enrolment.objects.count() == BankAccount.objects.count() == ROWS
    assert SchoolClass.objects.count() == classes + 78  # 七年级1班 and 2班 were there
    for action in ("roster.check", "roster.apply"):
        assert AuditRow.objects.filter(action=action).count() == 1
    assert AuditRow.objects.filter(action="class.enrol").count() == 80
    assert verify_chain().broken_at is None
    until(lambda: not list((settings.DATA_DIR / "run" / "jobs").glob(f"{roster.pk}*")))
