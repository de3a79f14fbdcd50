"""Payment: making a batch, its sheets, the signed copies, and recording that the money was paid."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from accounts import access, audit, clock, refusals, scopes
from accounts.models import Unit, User
from accounts.roles import Permission
from documents import issuing, uploads
from documents.models import IssuedDocument, Upload
from students.models import BankAccount, Term

from . import funding, workflow
from .models import Application, DutyHolder, PaymentBatch, PaymentLine, PayoutSheet, Round
from .states import State, Step

REFUSED = "sheet.refuse_second_duty"


class BatchChanged(ValidationError):
    """What would be paid is no longer what the page showed."""


def make_batch(round_: Round, *, expected: int, expected_total: Decimal, by: User) -> PaymentBatch:
    """Put every approved application of the round into one batch: lines fixed, one payout sheet per school.

    `expected` and `expected_total` (元) are what the clerk saw; if the list has moved since, nothing is made
    (BatchChanged). Raises StepRefused when a pupil has no account.
    """
    access.require(by, Permission.MAKE_BATCH, round_.unit)
    with transaction.atomic():
        Term.objects.select_for_update().get(pk=round_.term_id)  # one batch of a term is made and numbered at a time
        rows = list(
            Application.objects.select_for_update(of=("self",))
            .filter(round=round_, state=State.APPROVED)
            .select_related("school", "school_class", "pupil", "standard")
            .order_by("school__path", "school_class__path", "pupil__name", "pk")
        )
        total = sum((a.amount_due for a in rows), Decimal("0.00"))
        if not rows:
            raise BatchChanged("没有待发放的申请，可能已由他人编入批次，请刷新页面。")
        if (len(rows), total) != (expected, expected_total):
            raise BatchChanged(
                f"名单已有变化：现在是 {len(rows)} 人、{total:.2f} 元，"
                f"与您看到的 {expected} 人、{expected_total:.2f} 元不同。请核对后重新编制。"
            )
        workflow.refuse_without_account(rows)
        post = scopes.capacity(by, Permission.MAKE_BATCH, round_.unit.path)
        batch = PaymentBatch.objects.create(
            number=_next_number(round_),
            round=round_,
            made_at=clock.now(),
            made_by=by,
            made_for=post.acts_for if post else None,
        )
        sheets = _open_sheets(batch, rows)
        _fix_lines(sheets, rows)
        funding.split_sheets(batch, sheets.values(), by=by)
        workflow.advance_all(rows, Step.PUT_IN_BATCH, by=by)
        _assert_total(batch, len(rows), total)
        named = {"for": batch.made_for.username} if batch.made_for else {}
        audit.record("batch.make", batch, by=by, unit=round_.unit, lines=len(rows), total=total, **named)
    return batch


def batch_totals(
    batches: QuerySet[PaymentBatch], sheets: QuerySet[PayoutSheet] | None = None
) -> QuerySet[PaymentBatch]:
    """Batches with `line_count` and `total` computed from their lines; of these `sheets` only, if given
    (a school sees what of a batch is its own)."""
    own = Q() if sheets is None else Q(sheets__in=sheets)
    return batches.annotate(
        line_count=Count("sheets__lines", filter=own), total=Sum("sheets__lines__amount", filter=own)
    )


def sheet_totals(sheets: QuerySet[PayoutSheet]) -> QuerySet[PayoutSheet]:
    """Sheets with `line_count` and `total` computed from their lines."""
    return sheets.annotate(line_count=Count("lines"), total=Sum("lines__amount"))


def upload_signed_copy(sheet: PayoutSheet, file: UploadedFile, *, by: User) -> None:
    """Keep the scan of the signed sheet. A later scan takes its place until the payment is recorded.

    Raises ValidationError when the sheet is not ready yet, is already paid, or the file is refused.
    """
    access.require(by, Permission.UPLOAD_SIGNED_SHEET, sheet.school)
    with transaction.atomic():
        held = PayoutSheet.objects.select_for_update(of=("self",)).get(pk=sheet.pk)
        if held.state == PayoutSheet.State.PAID:
            raise ValidationError("这张发放表已登记发放，不能再更换签字表。")
        if held.state not in (PayoutSheet.State.READY, PayoutSheet.State.SIGNED):
            raise ValidationError("发放表还没有生成好，请稍后再上传签字表。")
        held.signed_copy = uploads.store(file, kind=Upload.Kind.SIGNED_SHEET, unit=held.school, by=by)
        held.signed_at, held.signed_by, held.state = clock.now(), by, PayoutSheet.State.SIGNED
        held.save(update_fields=["signed_copy", "signed_at", "signed_by", "state"])
        audit.record("sheet.upload_signed", held, by=by, unit=held.school, sha256=held.signed_copy.sha256)


def record_payment(sheet: PayoutSheet, *, paid_on: dt.date, voucher: str, by: User, seen: str = "") -> None:
    """Record that the sheet's money was paid on a day under a voucher; its applications become paid.

    `seen` is the SHA-256 of the signed copy the recorder could look at. Raises PermissionDenied when the
    recorder made the batch or decided on one of its applications, ValidationError when the signed copy or the
    voucher is missing, the copy is another by now, the day lies in the future or before the batch, or it was
    already recorded.
    """
    access.require(by, Permission.RECORD_PAYMENT, sheet.school)
    if refusal := acted_before(sheet, by):
        tried = refusals.Refused(
            REFUSED,
            by,
            sheet.school,
            audit.subject_key(sheet),
            (("number", sheet.batch.number),),
            frozenset([sheet.pk]),
        )
        refusals.note(tried)
        raise PermissionDenied(refusal)
    if paid_on > clock.today():
        raise ValidationError({"paid_on": "到账日期不能晚于今天。"})
    if not voucher.strip():
        raise ValidationError({"voucher": "请填写支付凭证号。"})
    with transaction.atomic():
        rows = PayoutSheet.objects.select_for_update(of=("self",)).select_related("batch", "signed_copy")
        held = rows.get(pk=sheet.pk)
        if refusal := not_payable(held):
            raise ValidationError(refusal)
        if seen and held.signed_copy is not None and seen != held.signed_copy.sha256:
            raise ValidationError("学校刚刚换了签字表，没有登记。请先查看新的签字表，再点一次登记。")
        if paid_on < timezone.localdate(held.batch.made_at):
            raise ValidationError({"paid_on": "到账日期不能早于批次编制日期。"})
        held.state, held.paid_on, held.voucher = PayoutSheet.State.PAID, paid_on, voucher
        held.paid_at, held.paid_by = clock.now(), by
        held.save(update_fields=["state", "paid_on", "voucher", "paid_at", "paid_by"])
        lines = held.lines.filter(reverses__isnull=True).select_related("application")
        workflow.advance_all([line.application for line in lines], Step.PAY, by=by, note=f"凭证号 {voucher}")
        audit.record("sheet.record_payment", held, by=by, unit=held.school, paid_on=paid_on, voucher=voucher)


def not_payable(sheet: PayoutSheet) -> str:
    """Why nobody may record the sheet's payment now, as a sentence; empty when it is signed and waits for that."""
    if sheet.state == PayoutSheet.State.PAID:
        return f"这张发放表已登记发放（{sheet.paid_on:%Y-%m-%d}），不用重复登记。"
    return "" if sheet.state == PayoutSheet.State.SIGNED else "学校还没有上传签字表，不能登记发放。"


def acted_before(sheet: PayoutSheet, user: User) -> str:
    """Why this person may not record the sheet's payment, as a sentence; empty if nothing stands in the way.

    Whoever would record it in another's name may not where that other may not.
    """
    post = scopes.capacity(user, Permission.RECORD_PAYMENT, sheet.school.path)
    for person in (user, post.acts_for if post else None):
        if person is None:
            continue
        who = "您" if person == user else f"您代理的{person.name}"
        if person.pk == sheet.made_by_id:
            return f"这个批次由{who}编制，发放结果要由另一位县资助中心人员登记。"
        if person.pk == sheet.made_for_id:
            made = f"这个批次由{sheet.made_by.name}代{'您' if person == user else person.name}编制"
            too = "" if person == user else f"，您也代理{person.name}"
            return f"{made}{too}，发放结果要由另一位县资助中心人员登记。"
        if decided := DutyHolder.objects.filter(application__lines__sheet=sheet, by=person).count():
            return f"{who}审过这张花名册上 {decided} 份申请，发放结果要由没有经手审核、审批的人员登记。"
    return ""


def _next_number(round_: Round) -> str:
    """FF-2026-2027-1-003: counted under the lock on the term, unique by constraint."""
    made = PaymentBatch.objects.filter(round__term=round_.term).count()
    return f"FF-{round_.term.key}-{made + 1:03d}"


def _open_sheets(batch: PaymentBatch, rows: list[Application]) -> dict[int, PayoutSheet]:
    """One sheet per school, each with its number reserved, by the school's key."""
    schools = {row.school_id: row.school for row in rows}
    return {
        key: PayoutSheet.objects.create(
            batch=batch, school=school, made_by=batch.made_by, made_for=batch.made_for, document=_reserve(school)
        )
        for key, school in schools.items()
    }


def _fix_lines(sheets: dict[int, PayoutSheet], rows: list[Application]) -> None:
    accounts = _open_accounts(rows)
    positions: Counter[int] = Counter()
    lines = []
    for row in rows:
        positions[row.school_id] += 1
        account = accounts[row.pupil_id]
        lines.append(
            PaymentLine(
                sheet=sheets[row.school_id],
                application=row,
                account=account,
                position=positions[row.school_id],
                amount=row.amount_due,
                snapshot=snapshot(row, account),
            )
        )
    PaymentLine.objects.bulk_create(lines, batch_size=200)


def _reserve(school: Unit) -> IssuedDocument:
    return issuing.reserve(IssuedDocument.Kind.PAYOUT_SHEET, unit=school)


def snapshot(application: Application, account: BankAccount) -> dict:
    """What is kept of one line, to print it and to split it: facts frozen at submitting, the account as it is now."""
    facts, standard = application.facts, application.standard
    assert standard is not None  # submitted with one; a database constraint
    return {
        "name": facts["name"],
        "class": facts["class_name"],
        "roll_last4": facts["roll_last4"],
        "boarding": facts["boarding"],
        "region": facts["region"],  # not printed: the money may be shared by where the pupil comes from
        # What the standard comes to in the term, also where it is written by year, month or day.
        "standard": f"{application.amount_due:.2f}",
        "document": standard.document,
        "holder": account.holder,
        "relation": account.get_relation_display(),
        "bank": account.bank,
        "account": account.number_masked,
    }


def _open_accounts(rows: Iterable[Application]) -> dict:
    pupils = [row.pupil_id for row in rows]
    found: dict = {}
    for start in range(0, len(pupils), 500):
        chunk = BankAccount.objects.filter(pupil__in=pupils[start : start + 500], ends_on__isnull=True)
        found.update({account.pupil_id: account for account in chunk})
    return found


def _assert_total(batch: PaymentBatch, count: int, total: Decimal) -> None:
    # Read back what was written: the batch must be exactly the list that was approved.
    lines = PaymentLine.objects.filter(sheet__batch=batch)
    written = lines.aggregate(count=Count("pk"), total=Sum("amount"))
    if (written["count"], written["total"]) != (count, total):
        raise IntegrityError(
            f"batch {batch.number}: wrote {written['count']}/{written['total']}, meant {count}/{total}"
        )
