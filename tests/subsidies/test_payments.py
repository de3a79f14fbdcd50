"""The money: a batch is exactly the approved list, its lines never change, two people stand behind each payment."""

import datetime as dt
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction

from accounts import clock
from accounts.models import AuditRow
from documents.models import IssuedDocument
from students import bank_accounts, fictitious
from students.models import BankAccount
from subsidies import payments, payout_sheets
from subsidies.models import Application, PaymentBatch, PaymentLine, PayoutSheet
from subsidies.payments import BatchChanged, make_batch, record_payment, upload_signed_copy
from subsidies.states import State, Step
from subsidies.workflow import StaleState, StepRefused, advance
from tests import cast as casting
from tests.cast import batch, enrol, refreshed, scan, submitted
from tests.subsidies import shortcuts

DAY = dt.timedelta(days=1)


def approved(cast, round_, *pupils: tuple[str, str], school_class=None, account: bool = True) -> list[Application]:
    """Approved applications of one school; a pupil is a name and 寄宿 or 走读 (boarding, day)."""
    place = school_class or cast.class_a1
    pupils = pupils or (("张一", "boarding"), ("张二", "day"), ("张三", "boarding"))
    rows = [enrol(cast, place, name=name, boarding=boarding, account=account) for name, boarding in pupils]
    return shortcuts.approved(cast, submitted(cast, round_, *rows))


def ready(cast, round_) -> PayoutSheet:
    """A sheet that is printed and waits for its signatures."""
    approved(cast, round_, ("张一", "boarding"))
    sheet = batch(cast, round_).sheets.get()
    payout_sheets.produce(sheet.pk)
    sheet.refresh_from_db()
    return sheet


def signed(cast, round_) -> PayoutSheet:
    sheet = ready(cast, round_)
    upload_signed_copy(sheet, scan(), by=cast.officer_a)
    sheet.refresh_from_db()
    return sheet


# --- making a batch --------------------------------------------------------------------------------


def test_a_batch_is_the_approved_list_to_the_fen(cast, round_) -> None:
    rows = approved(cast, round_)
    made = make_batch(round_, expected=3, expected_total=Decimal("1875.00"), by=cast.clerk)
    found = payments.batch_totals(PaymentBatch.objects.all()).get()
    assert (found.number, found.line_count, found.total) == ("FF-2026-2027-1-001", 3, Decimal("1875.00"))
    lines = PaymentLine.objects.filter(sheet__batch=made).order_by("position")
    assert [line.position for line in lines] == [1, 2, 3]
    assert {line.snapshot["name"]: line.amount for line in lines} == {
        "张一": Decimal("750.00"), "张二": Decimal("375.00"), "张三": Decimal("750.00"),
    }  # fmt: skip
    assert sum(line.amount for line in lines) == sum(row.amount for row in rows)
    assert {row.state for row in refreshed(rows)} == {State.IN_BATCH}
    assert AuditRow.objects.get(action="batch.make").detail == {"lines": 3, "total": "1875.00"}


def test_each_school_gets_one_sheet_with_its_own_number(cast, round_) -> None:
    approved(cast, round_)
    approved(cast, round_, ("李一", "day"), school_class=cast.class_b1)
    made = batch(cast, round_)
    totals = payments.sheet_totals(made.sheets.all())
    assert {(s.school, s.line_count, s.total, s.state) for s in totals} == {
        (cast.school_a, 3, Decimal("1875.00"), "queued"),
        (cast.school_b, 1, Decimal("312.50"), "queued"),
    }
    numbers = {s.document.number for s in made.sheets.all()}
    assert numbers == {"发放〔2026〕1号", "发放〔2026〕2号"}
    assert {d.state for d in IssuedDocument.objects.filter(kind="payout_sheet")} == {"reserved"}


def test_batches_of_one_term_are_numbered_on(cast, round_) -> None:
    for number in ("001", "002"):
        approved(cast, round_, ("张一", "boarding"))
        assert batch(cast, round_).number == f"FF-2026-2027-1-{number}"


def test_another_list_than_the_clerk_saw_makes_nothing(cast, round_) -> None:
    rows = approved(cast, round_)
    for expected, total in ((2, "1875.00"), (3, "1874.99"), (3, "1875.01"), (4, "2250.00"), (0, "0.00")):
        with pytest.raises(BatchChanged) as refused:
            make_batch(round_, expected=expected, expected_total=Decimal(total), by=cast.clerk)
        assert refused.value.messages == [
            f"名单已有变化：现在是 3 人、1875.00 元，与您看到的 {expected} 人、{total} 元不同。请核对后重新编制。"
        ]
    assert not PaymentBatch.objects.exists()
    assert not PaymentLine.objects.exists()
    assert not IssuedDocument.objects.filter(kind="payout_sheet").exists()
    assert {row.state for row in refreshed(rows)} == {State.APPROVED}


def test_there_is_nothing_to_pay(cast, round_) -> None:
    with pytest.raises(BatchChanged, match="没有待发放的申请"):
        make_batch(round_, expected=0, expected_total=Decimal("0.00"), by=cast.clerk)


def test_a_pupil_without_an_account_stops_the_batch(cast, round_) -> None:
    rows = approved(cast, round_, ("张一", "boarding"), ("张二", "day"))
    BankAccount.objects.filter(pupil=rows[0].pupil).update(ends_on=clock.today())
    with pytest.raises(StepRefused) as refused:
        batch(cast, round_)
    assert refused.value.messages == ["1 名学生没有登记收款账户，请学校先在学生页补录账户，再编入批次。"]
    assert not PaymentBatch.objects.exists()
    assert not PayoutSheet.objects.exists()
    assert {row.state for row in refreshed(rows)} == {State.APPROVED}


def test_only_a_clerk_makes_a_batch(cast, round_) -> None:
    approved(cast, round_, ("张一", "boarding"))
    for who in ("head", "inspector", "officer_a", "principal_a", "teacher_a1", "admin"):
        with pytest.raises(PermissionDenied):
            make_batch(round_, expected=1, expected_total=Decimal("750.00"), by=cast.people[who])
    assert not PaymentBatch.objects.exists()


def test_what_is_in_a_batch_is_not_put_in_another(cast, round_) -> None:
    (row,) = approved(cast, round_, ("张一", "boarding"))
    batch(cast, round_)
    with pytest.raises(BatchChanged):
        make_batch(round_, expected=1, expected_total=Decimal("750.00"), by=cast.clerk)
    with pytest.raises(StaleState):
        advance(row, Step.PUT_IN_BATCH, by=cast.clerk)
    assert row.lines.count() == 1


def test_the_line_keeps_the_account_of_the_day_it_was_made(cast, round_) -> None:
    (row,) = approved(cast, round_, ("张一", "boarding"))
    batch(cast, round_)
    before = row.lines.get().snapshot
    assert (before["holder"], before["relation"], before["standard"]) == ("张建国", "父亲", "750.00")
    BankAccount.objects.filter(pupil=row.pupil).update(holder="别人", bank="别的银行")
    assert row.lines.get().snapshot == before


def test_the_line_holds_the_account_masked_only(cast, round_) -> None:
    (row,) = approved(cast, round_, ("张一", "boarding"))
    batch(cast, round_)
    account = BankAccount.objects.get(pupil=row.pupil)
    assert row.lines.get().snapshot["account"] == account.number_masked
    assert "*" in account.number_masked


def test_no_case_comes_into_a_batch_but_by_a_line(cast, round_) -> None:
    (row,) = approved(cast, round_, ("张一", "boarding"))
    with pytest.raises(StepRefused) as refused:
        advance(row, Step.PUT_IN_BATCH, by=cast.clerk)
    assert refused.value.messages == ["1 份申请没有列入发放表，请从“发放”页编制批次。"]


def test_no_case_is_paid_but_by_its_sheet(cast, round_) -> None:
    (row,) = approved(cast, round_, ("张一", "boarding"))
    batch(cast, round_)
    for who in ("clerk", "clerk2", "head"):
        with pytest.raises(StepRefused) as refused:
            advance(row, Step.PAY, by=cast.people[who])
        assert refused.value.messages == ["1 份申请所在的发放表还没有登记到账，请从“发放”页登记。"]
    assert refreshed([row])[0].state == State.IN_BATCH


# --- lines are written once ------------------------------------------------------------------------


def test_a_line_cannot_be_changed_by_model_queryset_or_sql(cast, round_) -> None:
    (row,) = approved(cast, round_, ("张一", "boarding"))
    batch(cast, round_)
    line = row.lines.get()
    for deed in (lambda: PaymentLine.objects.update(amount=1), lambda: PaymentLine.objects.all().delete()):
        with pytest.raises(TypeError, match="written once"):
            deed()
    line.amount = Decimal("7500.00")
    for deed in (line.save, line.delete, lambda: _sql("UPDATE subsidies_paymentline SET amount = 7500"),
                 lambda: _sql("DELETE FROM subsidies_paymentline")):  # fmt: skip
        with pytest.raises(Exception, match=r"written once|protected foreign keys"), transaction.atomic():
            deed()
    assert row.lines.get().amount == Decimal("750.00")


def _sql(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text)


def another_line(line: PaymentLine, **changed) -> PaymentLine:
    facts = {
        "sheet": line.sheet, "application": line.application, "account": line.account,
        "position": line.position + 1, "amount": line.amount, "snapshot": line.snapshot,
    }  # fmt: skip
    return PaymentLine.objects.create(**facts | changed)


def test_the_database_refuses_a_second_line_for_an_application(cast, round_) -> None:
    (row,) = approved(cast, round_, ("张一", "boarding"))
    batch(cast, round_)
    with pytest.raises(IntegrityError), transaction.atomic():
        another_line(row.lines.get())


def test_a_line_that_reverses_carries_a_negative_amount(cast, round_) -> None:
    (row,) = approved(cast, round_, ("张一", "boarding"))
    batch(cast, round_)
    line = row.lines.get()
    for amount in ("750.00", "0.00"):
        with pytest.raises(IntegrityError), transaction.atomic():
            another_line(line, reverses=line, amount=Decimal(amount))


def test_a_mistake_is_put_right_by_one_opposite_line(cast, round_) -> None:
    (row,) = approved(cast, round_, ("张一", "boarding"))
    made = batch(cast, round_)
    line = row.lines.get()
    another_line(line, reverses=line, amount=-line.amount)
    assert payments.batch_totals(PaymentBatch.objects.filter(pk=made.pk)).get().total == 0
    with pytest.raises(IntegrityError), transaction.atomic():
        another_line(line, reverses=line, amount=-line.amount, position=3)


# --- the signed copy -------------------------------------------------------------------------------


def test_the_signed_copy_waits_for_the_sheet(cast, round_) -> None:
    approved(cast, round_, ("张一", "boarding"))
    sheet = batch(cast, round_).sheets.get()
    with pytest.raises(ValidationError, match="发放表还没有生成好，请稍后再上传签字表。"):
        upload_signed_copy(sheet, scan(), by=cast.officer_a)


def test_the_officer_uploads_and_may_put_a_better_scan_in_its_place(cast, round_) -> None:
    sheet = signed(cast, round_)
    assert (sheet.state, sheet.signed_by) == (PayoutSheet.State.SIGNED, cast.officer_a)
    upload_signed_copy(sheet, scan("更清楚的.pdf"), by=cast.officer_a)
    sheet.refresh_from_db()
    assert sheet.signed_copy.original_name == "更清楚的.pdf"
    assert AuditRow.objects.filter(action="sheet.upload_signed").count() == 2


def test_others_do_not_upload(cast, round_) -> None:
    sheet = ready(cast, round_)
    for who in ("officer_b", "principal_a", "clerk", "teacher_a1"):
        with pytest.raises(PermissionDenied):
            upload_signed_copy(sheet, scan(), by=cast.people[who])


def test_a_file_that_is_no_scan_leaves_the_sheet_as_it_was(cast, round_) -> None:
    sheet = ready(cast, round_)
    with pytest.raises(ValidationError):
        upload_signed_copy(sheet, SimpleUploadedFile("签字表.pdf", b"not a pdf"), by=cast.officer_a)
    sheet.refresh_from_db()
    assert (sheet.state, sheet.signed_copy) == (PayoutSheet.State.READY, None)


# --- recording the payment -------------------------------------------------------------------------


def pay(sheet, by, on: dt.date | None = None, voucher: str = "支付2026-001") -> None:
    record_payment(sheet, paid_on=on or clock.today(), voucher=voucher, by=by)


def test_another_clerk_records_the_payment(cast, round_) -> None:
    sheet = signed(cast, round_)
    pay(sheet, cast.clerk2)
    sheet.refresh_from_db()
    assert (sheet.state, sheet.paid_by, sheet.voucher) == (PayoutSheet.State.PAID, cast.clerk2, "支付2026-001")
    (application,) = Application.objects.all()
    assert application.state == State.PAID
    assert application.steps.last().note == "凭证号 支付2026-001"
    with pytest.raises(ValidationError, match="不能再更换签字表"):
        upload_signed_copy(sheet, scan(), by=cast.officer_a)


def test_who_approved_does_not_record_the_payment(cast, round_) -> None:
    sheet = signed(cast, round_)
    with pytest.raises(PermissionDenied, match="您审过这张花名册上 1 份申请"):
        pay(sheet, cast.head)


def test_who_made_the_batch_does_not_record_its_payment(cast, round_) -> None:
    sheet = signed(cast, round_)
    with pytest.raises(PermissionDenied) as refused:
        pay(sheet, cast.clerk)
    assert str(refused.value) == "这个批次由您编制，发放结果要由另一位县资助中心人员登记。"
    with pytest.raises(IntegrityError), transaction.atomic():
        PayoutSheet.objects.filter(pk=sheet.pk).update(
            paid_by=cast.clerk, paid_at=clock.now(), paid_on=clock.today(), state="paid"
        )


def test_others_do_not_record_payments(cast, round_) -> None:
    sheet = signed(cast, round_)
    for who in ("officer_a", "principal_a", "inspector", "admin"):
        with pytest.raises(PermissionDenied):
            pay(sheet, cast.people[who])


def test_no_payment_before_the_signed_copy(cast, round_) -> None:
    sheet = ready(cast, round_)
    with pytest.raises(ValidationError, match="学校还没有上传签字表，不能登记发放。"):
        pay(sheet, cast.clerk2)
    assert Application.objects.get().state == State.IN_BATCH


def test_a_payment_is_recorded_once(cast, round_) -> None:
    sheet = signed(cast, round_)
    pay(sheet, cast.clerk2)
    with pytest.raises(ValidationError, match=r"已登记发放（2026-10-20），不用重复登记。"):
        pay(sheet, cast.clerk2)
    assert Application.objects.get().steps.filter(step=Step.PAY).count() == 1


def test_the_day_and_the_voucher_of_a_payment(cast, round_) -> None:
    sheet = signed(cast, round_)
    for on, voucher, said in (
        (clock.today() + DAY, "001", "到账日期不能晚于今天。"),
        (clock.today() - DAY, "001", "到账日期不能早于批次编制日期。"),
        (clock.today(), "  ", "请填写支付凭证号。"),
    ):
        with pytest.raises(ValidationError, match=said):
            pay(sheet, cast.clerk2, on=on, voucher=voucher)
    sheet.refresh_from_db()
    assert (sheet.state, sheet.paid_on) == (PayoutSheet.State.SIGNED, None)


def test_paying_one_school_leaves_the_other_waiting(cast, round_) -> None:
    rows = approved(cast, round_, ("张一", "boarding"))
    others = approved(cast, round_, ("李一", "day"), school_class=cast.class_b1)
    batch(cast, round_)
    casting.pay(cast, rows)
    assert refreshed(rows)[0].state == State.PAID
    assert refreshed(others)[0].state == State.IN_BATCH


def test_an_account_can_be_added_after_the_refusal_and_the_batch_made(cast, round_) -> None:
    (row,) = approved(cast, round_, ("张一", "boarding"), account=False)
    with pytest.raises(StepRefused):
        batch(cast, round_)
    bank_accounts.change(
        row.pupil, bank="云岭县农村信用合作联社", number=fictitious.card_number(987), holder="张建国",
        relation="father", by=cast.officer_a,
    )  # fmt: skip
    assert batch(cast, round_).sheets.get().lines.get().snapshot["holder"] == "张建国"
