"""Large rosters in the background: claim by compare-and-set, check or import, settle once.

The row of the import is the job. Its worker beats several times a second (students.progress); when the beat stops
the next sweep takes the job from the beginning, because nothing of it has been committed. A worker that was only
slow finds at its last step that the job is another's, and undoes its own work.
"""

import contextlib
import gc
import logging
from collections.abc import Iterator
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import audit, clock

from . import columns, progress, rosters
from .models import RosterImport
from .progress import Cancelled, Reporter

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 3  # then a person looks: a file that kills its worker must not do so for ever
S = RosterImport.State


def waiting() -> list[UUID]:
    """Keys of the imports some worker should take now: nobody has begun, or whoever did is dead."""
    rows = RosterImport.objects.filter(state__in=rosters.RUNNING).order_by("checked_at").values_list("pk", "state")
    return [key for key, state in rows if state == S.UPLOADED or not progress.of(key).is_alive]


def claim(key: UUID) -> int | None:
    """Take the import for this worker; returns the attempt's number, None if somebody else has it."""
    row = RosterImport.objects.filter(pk=key, state__in=rosters.RUNNING).values_list("state", "attempt").first()
    if row is None or (row[0] != S.UPLOADED and progress.of(key).is_alive):
        return None
    state, before = row
    if before >= MOST_ATTEMPTS:
        fail(key, before, f"连续 {MOST_ATTEMPTS} 次没有完成，什么都没有写入。请联系系统管理员查看日志后重新上传。")
        return None
    progress.clear(key)
    progress.touch(key)  # before the row says so, or a sweep in between would take us for dead
    taken = RosterImport.objects.filter(pk=key, state=state, attempt=before).update(
        state=S.CHECKING if state == S.UPLOADED else state, attempt=before + 1
    )
    return before + 1 if taken else None


def run(key: UUID) -> bool:
    """Check or import one roster. Safe to call any number of times; True if it did the work."""
    attempt = claim(key)
    if attempt is None:
        return False
    roster = RosterImport.objects.select_related("unit", "term", "file", "checked_by", "applied_by").get(pk=key)
    try:
        with progress.reporting(key) as reporter, _without_collecting():
            return (
                _import(roster, attempt, reporter) if roster.state == S.APPLYING else _check(roster, attempt, reporter)
            )
    except Cancelled:
        return False
    except rosters.RosterAlreadySettled:
        logger.warning("roster %s: claim %s was taken over or cancelled, its work undone", key, attempt)
        return False
    except ValidationError as refusal:
        # Another try would end the same; a person has to act.
        fail(key, attempt, "".join(refusal.messages))
        return False


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """No search for reference cycles while hundreds of thousands of rows pile up: there are none, and it takes time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def fail(key: UUID, attempt: int, reason: str) -> None:
    """Give the job up, with a sentence for its page."""
    with transaction.atomic():
        failed = RosterImport.objects.filter(pk=key, attempt=attempt, state__in=rosters.RUNNING).update(
            state=S.FAILED,
            failure=reason[:300],
            applied_at=None,
            applied_by=None,
            settled_at=clock.now(),
            settled_by=None,
        )
        if failed:
            roster = RosterImport.objects.select_related("unit").get(pk=key)
            audit.record("roster.fail", roster, by=None, unit=roster.unit)
    progress.clear(key)


def _check(roster: RosterImport, attempt: int, reporter: Reporter) -> bool:
    try:
        reading = rosters.reading_of(roster, progress=reporter)
    except columns.MappingNeeded as asked:
        with transaction.atomic():
            _finish(roster, attempt, S.CHECKING, state=S.NEEDS_MAPPING, question=asked.question)
        return True
    rosters.keep_reading(roster, reading)
    plan = rosters.compare(reading, unit=roster.unit, term=roster.term, progress=reporter)
    outcome = rosters.outcome_of(plan, reading)
    reporter.phase("保存预检结果")
    with transaction.atomic():
        compared = {"question": reading.question, "compared_at_row": plan.as_of, **outcome.counts}
        _finish(roster, attempt, S.CHECKING, state=S.CHECKED, **compared)
        rosters.keep_findings(roster, outcome)
        audit.record(
            "roster.check",
            roster,
            by=roster.checked_by,
            unit=roster.unit,
            term=roster.term.key,
            **outcome.row_counts,
        )
    return True


def _import(roster: RosterImport, attempt: int, reporter: Reporter) -> bool:
    by = roster.applied_by
    assert by is not None

    def claim_row() -> None:
        _finish(roster, attempt, S.APPLYING, state=S.APPLIED, settled_at=clock.now(), settled_by=by)

    if rosters.settle_unchanged(roster, by=by, claim=claim_row):
        return True
    reading = rosters.reading_of(roster, progress=reporter)
    rosters.bring_in(roster, reading, by=by, claim=claim_row, progress=reporter)
    return True


def _finish(roster: RosterImport, attempt: int, before: str, **fields: object) -> None:
    """Only the holder of the latest claim may finish."""
    if RosterImport.objects.filter(pk=roster.pk, state=before, attempt=attempt).update(**fields) != 1:
        raise rosters.RosterAlreadySettled("这份名册已经取消，或由另一个进程接手。")
