"""The audit trail: append, walk, verify.

`record` and `record_all` are called by verbs inside their own transaction: if the trail cannot be
written, the deed does not happen.
"""

import contextvars
import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import models, transaction

from . import clock
from .models import AuditHead, AuditRow, Unit, User

# Where the present request came from ("10.1.2.3 #f81c…"); set by the middleware, empty in jobs and commands.
origin: contextvars.ContextVar[str] = contextvars.ContextVar("origin", default="")


@dataclass(frozen=True)
class Entry:
    """One thing that was done: to what, in which unit, with which facts (never an ID, card number or name)."""

    action: str
    subject: models.Model | str
    unit: Unit | None = None
    detail: Mapping[str, object] | None = None


def record(
    action: str, subject: models.Model | str, *, by: User | None, unit: Unit | None = None, **detail: object
) -> None:
    """Append one row. `by=None` is the system itself (a job, a command)."""
    record_all([Entry(action, subject, unit, detail)], by=by)


def record_all(entries: Iterable[Entry], *, by: User | None) -> None:
    """Append rows in order, all or none. Nothing to append holds nobody up."""
    entries = list(entries)
    if not entries:
        return
    with transaction.atomic():
        head = hold()
        rows = []
        at = clock.now()
        for entry in entries:
            row = AuditRow(
                number=head.number + 1,
                at=at,
                username=by.username if by else "",
                person=by.name if by else "系统",
                origin=origin.get(),
                action=entry.action,
                subject=subject_key(entry.subject),
                unit_path=entry.unit.path if entry.unit else "",
                detail=json.loads(json.dumps(entry.detail or {}, default=str)),
            )
            row.digest = digest_of(row, head.digest)
            head.number, head.digest = row.number, row.digest
            rows.append(row)
        AuditRow.objects.bulk_create(rows, batch_size=500)
        head.save()


def hold() -> AuditHead:
    """Lock the end of the trail: until the transaction is over nobody else appends, so the chain cannot fork."""
    head, _ = AuditHead.objects.select_for_update().get_or_create(pk=1)
    return head


def last_number() -> int:
    """The number of the last row. As long as it stays the same, no verb has changed anything."""
    return AuditHead.objects.filter(pk=1).values_list("number", flat=True).first() or 0


def actions_since(number: int) -> set[str]:
    """What has been done since that row."""
    return set(AuditRow.objects.filter(number__gt=number).values_list("action", flat=True).order_by().distinct())


def told_of(subject: models.Model, action: str) -> models.QuerySet[AuditRow]:
    """What the trail tells of the action on this record, oldest first."""
    return AuditRow.objects.filter(subject=subject_key(subject), action=action).order_by("number")


def subject_key(subject: models.Model | str) -> str:
    """The text that names a record in the trail: `app.model:key`."""
    return subject if isinstance(subject, str) else f"{subject._meta.label_lower}:{subject.pk}"


def digest_of(row: AuditRow, before: str) -> str:
    """SHA-256 over the row's text and the digest before it."""
    text = json.dumps(
        [
            before,
            row.number,
            row.at.astimezone(dt.UTC).isoformat(timespec="microseconds"),
            row.username,
            row.person,
            row.origin,
            row.action,
            row.subject,
            row.unit_path,
            row.detail,
        ],
        ensure_ascii=False,
        sort_keys=True,
    )
    return hashlib.sha256(text.encode()).hexdigest()


# --- the chain ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mark:
    """A place in the chain: the number of a row and its digest."""

    number: int = 0
    digest: str = "0" * 64


@dataclass(frozen=True)
class End:
    """The end of the chain at one moment: where its head says that it is, and the last row there is."""

    head: Mark
    last: int


@dataclass(frozen=True)
class ChainReport:
    rows: int
    broken_at: int | None  # number of the first row that does not fit, or None
    reason: str = ""


def end_of_chain() -> End:
    """Both in one question: rows that are appended while the chain is walked are no part of that walk."""
    last = AuditRow.objects.order_by("-number").values("number")[:1]
    found = AuditHead.objects.filter(pk=1).values_list("number", "digest", models.Subquery(last)).first()
    if found is None:
        return End(Mark(), AuditRow.objects.aggregate(last=models.Max("number"))["last"] or 0)
    return End(Mark(found[0], found[1]), found[2] or 0)


def walk_on(start: Mark, end: End, *, rows: int) -> Mark | ChainReport:
    """Go on by so many rows: where the walk then stands, or its report when it has come to the end or a fault."""
    before = start
    ahead = AuditRow.objects.filter(number__gt=start.number, number__lte=end.head.number).order_by("number")
    for row in ahead[:rows].iterator(chunk_size=1000):
        if row.number != before.number + 1:
            return _broken(before, f"第 {before.number + 1} 行缺失。")
        if row.digest != digest_of(row, before.digest):
            return _broken(before, f"第 {row.number} 行的内容或校验值被改动。")
        before = Mark(row.number, row.digest)
    if before.number - start.number == rows and before.number < end.head.number:
        return before
    if (before, end.last) != (end.head, end.head.number):
        reached = end.last if before.number == end.head.number else before.number
        return _broken(before, f"链尾应为第 {end.head.number} 行，实际到第 {reached} 行。")
    return ChainReport(before.number, None)


def _broken(before: Mark, reason: str) -> ChainReport:
    return ChainReport(before.number, before.number + 1, reason)


def verify_chain() -> ChainReport:
    """Walk the whole chain from the first row; name the first that was changed, removed or put in."""
    end, stand = end_of_chain(), Mark()
    while True:
        found = walk_on(stand, end, rows=20_000)
        if isinstance(found, ChainReport):
            return found
        stand = found
