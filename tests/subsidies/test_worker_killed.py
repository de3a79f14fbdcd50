"""A worker killed with `kill -9` in the middle of the sheets: each sheet exists once, none twice, none is missing.

Real queue, real worker and clock processes, over this test's own database and files.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.audit import verify_chain
from accounts.models import AuditRow
from documents import filestore, issuing
from documents.models import IssuedDocument
from subsidies import workflow
from subsidies.models import PayoutSheet
from subsidies.payout_sheets import MOST_ATTEMPTS
from subsidies.states import State, Step
from tests import waiting
from tests.cast import batch, enrol, submitted
from tests.parts import WORKER, Process, kill, starting
from tests.subsidies.shortcuts import walk_on

SHEETS, ROWS = 8, 10
S = PayoutSheet.State

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def start(queue_url: str, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    # A lease long enough for a sheet on a busy machine; the test itself lets the leases of the dead run out.
    with starting(queue_url, tmp_path, queue_number=7, AID_SHEET_LEASE_SECONDS="60") as start:
        yield start


def until(true: Callable[[], bool]) -> None:
    sheets = PayoutSheet.objects.values_list("state", "attempt", "failure")
    waiting.until(true, otherwise=lambda: list(sheets.all()))


def states() -> list[str]:
    return list(PayoutSheet.objects.values_list("state", flat=True))


def queue_up(cast, round_) -> None:
    """One batch after the other, each with one sheet of a class's size."""
    pupils = [enrol(cast, cast.class_a1, name=f"学生{n}") for n in range(SHEETS * ROWS)]
    rows = walk_on(cast, submitted(cast, round_, *pupils), State.VERIFIED)
    for start in range(0, len(rows), ROWS):
        workflow.advance_all(rows[start : start + ROWS], Step.APPROVE, by=cast.head)
        batch(cast, round_)


def kill_in_the_middle_of_a_sheet(start: Callable[..., Process], *, made: int) -> None:
    """Kill workers, when so many sheets are ready, until one dies with a sheet in its hands; then a minute passes."""
    is_cut_off = False
    while not is_cut_off:  # one may have been ready just before
        worker = start(*WORKER, "2")
        until(lambda: states().count(S.READY) >= made and S.RENDERING in states())
        kill(worker)
        is_cut_off = PayoutSheet.objects.filter(state=S.RENDERING).update(lease_until=timezone.now()) > 0


def test_each_sheet_exists_once_after_the_worker_was_killed_twice(cast, round_, start) -> None:
    queue_up(cast, round_)
    assert states() == [S.QUEUED] * SHEETS
    before = set(filestore.names("issued/payout_sheet"))
    numbers = set(IssuedDocument.objects.values_list("number", flat=True))

    start("beat")
    kill_in_the_middle_of_a_sheet(start, made=0)
    kill_in_the_middle_of_a_sheet(start, made=2)
    assert states().count(S.READY) < SHEETS
    start(*WORKER, "2")
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
