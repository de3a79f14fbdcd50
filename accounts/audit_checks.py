"""Checks of the whole audit chain (`accounts.audit`): asked for by a person, walked in parts, told in the trail.

The row is the job and remembers how far the walk is, so each part costs about a second however long the trail has
grown. The first part is walked at once: a short trail is done with it. The rest is a worker's.
"""

import datetime as dt

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from . import audit, clock
from .audit import ChainReport, End, Mark
from .models import AuditCheck, User

ROWS_AT_ONCE = 20_000
LEASE_SECONDS = 120  # renewed with every part


def ask(*, by: User) -> AuditCheck:
    """Have the chain checked up to the row that is its last now, and walk the first part.

    Whoever asks while a check is waiting or going on gets that one.
    """
    with transaction.atomic():
        # Whoever appends waits as long; two who ask at once get one check.
        audit.hold()
        check = AuditCheck.objects.filter(finished_at=None).first()
        if check is None:
            end = audit.end_of_chain()
            check = AuditCheck.objects.create(
                asked_at=clock.now(), asked_by=by, head=end.head.number, head_digest=end.head.digest, last=end.last
            )
    _part(check.pk)
    return AuditCheck.objects.get(pk=check.pk)


def waiting() -> list[int]:
    """Checks some worker should go on with: not finished, and nobody is at it."""
    return list(AuditCheck.objects.filter(_free(timezone.now())).order_by("pk").values_list("pk", flat=True))


def run(key: int) -> None:
    """Walk to the end. Safe to call any number of times, at once too: each part is walked by one."""
    while _part(key):
        pass


def _free(now: dt.datetime) -> Q:
    return Q(finished_at=None) & (Q(lease_until=None) | Q(lease_until__lt=now))


def _part(key: int) -> bool:
    """Walk one part; whether there is more for this worker to do."""
    now = timezone.now()  # leases are about processes, not about the work's calendar
    lease = now + dt.timedelta(seconds=LEASE_SECONDS)
    if not AuditCheck.objects.filter(_free(now), pk=key).update(lease_until=lease):
        return False
    check = AuditCheck.objects.select_related("asked_by").get(pk=key)
    start = Mark(check.reached, check.digest)
    found = audit.walk_on(start, End(Mark(check.head, check.head_digest), check.last), rows=ROWS_AT_ONCE)
    held = AuditCheck.objects.filter(pk=key, finished_at=None, lease_until=lease)
    if isinstance(found, Mark):
        return bool(held.update(reached=found.number, digest=found.digest, lease_until=None))
    _finish(check, held, found)
    return False


@transaction.atomic
def _finish(check: AuditCheck, held: QuerySet[AuditCheck], report: ChainReport) -> None:
    told = {"reached": report.rows, "broken_at": report.broken_at, "reason": report.reason}
    if held.update(finished_at=clock.now(), lease_until=None, **told):
        by, rows, broken_at = check.asked_by, report.rows, report.broken_at
        audit.record("audit.verify", "accounts.auditrow", by=by, rows=rows, broken_at=broken_at)
