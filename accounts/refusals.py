"""What the system refused and what is to be known of it all the same: near misses of the four-eyes rule.

A verb that refuses takes back everything it wrote, so the row about the refusal is written after it, once the
request is over. Outside a request (a job, a command) nobody presses a button, and nothing is kept.
"""

import contextlib
import contextvars
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import DatabaseError

from . import audit
from .models import Unit, User

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refused:
    """One try: what was wanted of how many records. `subject` names the record, or the list when it was several."""

    action: str
    by: User
    unit: Unit
    subject: str
    detail: tuple[tuple[str, str], ...]
    records: frozenset[object]

    @property
    def place(self) -> tuple[str, ...]:
        """County and school: a class's try is its school's."""
        return tuple(self.unit.path.split("/")[:2])


_noted: contextvars.ContextVar[list[Refused] | None] = contextvars.ContextVar("refusals", default=None)


def note(refused: Refused) -> None:
    """Keep it for the end of the request."""
    held = _noted.get()
    if held is not None:
        held.append(refused)


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """What is refused within the block is in the trail after it, whatever became of the verbs' own transactions."""
    token = _noted.set([])
    try:
        yield
    finally:
        found = _noted.get() or []
        _noted.reset(token)
        if found:
            _write(found)


def _write(found: Sequence[Refused]) -> None:
    """One row for one try at one school: a list taken half by half, or pupil by pupil, was one; its first refusal, of
    the whole list, tells of it."""
    tries: dict[tuple, list[Refused]] = {}
    for each in found:
        tries.setdefault((each.action, each.by, each.place), []).append(each)
    try:
        for alike in tries.values():
            first, records = alike[0], frozenset().union(*(each.records for each in alike))
            audit.record(
                first.action, first.subject, by=first.by, unit=first.unit, count=len(records), **dict(first.detail)
            )
    except DatabaseError:
        # The refusal stands; that it is not in the trail is for the log.
        logger.exception("a refusal could not be written to the audit trail")
