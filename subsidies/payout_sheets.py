"""Generating payout sheets: claim by compare-and-set, render, issue once.

A sheet is claimed with a lease. Whoever dies in the middle leaves the lease to run out; the next worker
takes the sheet with the same number and code, so each sheet exists once whatever happens.
"""

import datetime as dt
import logging
from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import access, audit
from accounts.models import User
from accounts.roles import Permission
from documents import issuing, sheets
from documents.amounts import yuan
from students.models import Boarding

from .models import PaymentLine, PayoutSheet

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 4  # then a person looks: a sheet that kills its worker must not do so for ever


def _free(now: dt.datetime) -> Q:
    return Q(state=PayoutSheet.State.QUEUED) | Q(state=PayoutSheet.State.RENDERING, lease_until__lt=now)


def waiting() -> list[UUID]:
    """Keys of the sheets some worker should make now: queued, or claimed by one whose lease ran out."""
    return list(
        PayoutSheet.objects.filter(_free(timezone.now()))
        .order_by("batch__made_at", "school__path")
        .values_list("pk", flat=True)
    )


def claim(key: UUID) -> int | None:
    """Take the sheet for this worker; returns the attempt's number, None if somebody else has it."""
    # Leases are about processes, not about the work's calendar: always the machine's clock.
    now = timezone.now()
    free = PayoutSheet.objects.filter(_free(now), pk=key)
    before = free.values_list("attempt", flat=True).first()
    if before is None:
        return None
    attempt = before + 1
    if attempt > MOST_ATTEMPTS:
        _fail(key, before, f"连续 {MOST_ATTEMPTS} 次没有完成，请联系系统管理员查看日志后重新生成。")
        return None
    # Each further try has longer: a large sheet on a busy machine would else be taken over again and again.
    lease = now + dt.timedelta(seconds=settings.SHEET_LEASE_SECONDS * attempt)
    taken = free.filter(attempt=before).update(
        state=PayoutSheet.State.RENDERING, attempt=attempt, lease_until=lease, failure=""
    )
    return attempt if taken else None


def produce(key: UUID) -> bool:
    """Make one sheet's PDF and XLSX and issue them. Safe to call any number of times; True if it did the work."""
    attempt = claim(key)
    if attempt is None:
        return False
    sheet = PayoutSheet.objects.select_related(
        "batch__round__programme", "batch__round__term", "batch__made_by", "batch__made_for", "school", "document"
    ).get(pk=key)
    try:
        plan = plan_of(sheet)
        pdf, xlsx = sheets.signing_copy_pdf(plan), sheets.signing_copy_xlsx(plan)
    except ValidationError as refusal:
        # A name no font can print, say: a person has to act, another try would end the same.
        _fail(key, attempt, "".join(refusal.messages))
        return False
    return _issue(sheet, attempt, plan, pdf, xlsx)


def retry(sheet: PayoutSheet, *, by: User) -> None:
    """Put a failed sheet back in the queue."""
    access.require(by, Permission.MAKE_BATCH, sheet.batch.round.unit)
    with transaction.atomic():
        back = PayoutSheet.objects.filter(pk=sheet.pk, state=PayoutSheet.State.FAILED).update(
            state=PayoutSheet.State.QUEUED, attempt=0, failure="", lease_until=None
        )
        if not back:
            raise ValidationError("这张发放表不是“生成失败”的状态，不用重新生成。请刷新页面。")
        audit.record("sheet.retry", sheet, by=by, unit=sheet.school)


def plan_of(sheet: PayoutSheet) -> sheets.SheetPlan:
    """Everything the paper shows, from the fixed lines."""
    lines = list(sheet.lines.order_by("position"))
    return sheets.SheetPlan(
        number=sheet.document.number,
        document=sheet.document,
        title=f"{sheet.batch.round.programme}发放花名册",
        school=sheet.school.name,
        term=sheet.batch.round.term.name,
        programme=sheet.batch.round.programme.name,
        standards=tuple(dict.fromkeys(line.snapshot["document"] for line in lines)),
        batch_number=sheet.batch.number,
        made_on=timezone.localdate(sheet.batch.made_at),
        prepared_by=sheet.batch.maker,
        rows=tuple(_row(line) for line in lines),
        total=sum((line.amount for line in lines), start=lines[0].amount * 0),
    )


def _row(line: PaymentLine) -> sheets.SheetRow:
    s = line.snapshot
    return sheets.SheetRow(
        position=line.position,
        school_class=s["class"],
        name=s["name"],
        roll_last4=s["roll_last4"],
        boarding=Boarding(s["boarding"]).label,
        standard=s["standard"],
        amount=line.amount,
        holder=s["holder"],
        relation=s["relation"],
        bank=s["bank"],
        account=s["account"],
    )


def _issue(sheet: PayoutSheet, attempt: int, plan: sheets.SheetPlan, pdf: bytes, xlsx: bytes) -> bool:
    facts = [
        ["学校", plan.school],
        ["学期", plan.term],
        ["项目", plan.programme],
        ["人数", f"{len(plan.rows)} 人"],
        ["合计", f"{yuan(plan.total)} 元"],
    ]
    with transaction.atomic():
        # Only the holder of the latest claim may finish: a slow worker whose lease was taken over stops here.
        finished = PayoutSheet.objects.filter(pk=sheet.pk, state=PayoutSheet.State.RENDERING, attempt=attempt).update(
            state=PayoutSheet.State.READY, lease_until=None
        )
        if not finished:
            logger.warning("payout sheet %s: claim %s was taken over, result dropped", sheet.pk, attempt)
            return False
        issuing.fulfil(sheet.document, pdf=pdf, xlsx=xlsx, facts=facts, by=sheet.batch.made_by)
        audit.record("sheet.generate", sheet, by=None, unit=sheet.school, attempt=attempt, lines=len(plan.rows))
    return True


def _fail(key: UUID, attempt: int, reason: str) -> None:
    PayoutSheet.objects.filter(pk=key, attempt=attempt).exclude(
        state__in=[PayoutSheet.State.READY, PayoutSheet.State.SIGNED, PayoutSheet.State.PAID]
    ).update(state=PayoutSheet.State.FAILED, failure=reason[:300], lease_until=None)


def progress_of(found: Iterable[PayoutSheet]) -> dict[str, int]:
    """How many sheets there are, are made, failed, and are still to come."""
    states = Counter(sheet.state for sheet in found)
    open_ = states[PayoutSheet.State.QUEUED] + states[PayoutSheet.State.RENDERING]
    failed = states[PayoutSheet.State.FAILED]
    return {"total": states.total(), "done": states.total() - open_ - failed, "failed": failed, "open": open_}
