"""Making the sheets: one worker at a time, each paper once, and what is on it is what the lines say."""

import datetime as dt
from decimal import Decimal
from io import BytesIO

import openpyxl
import pypdf
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from accounts.models import AuditRow
from documents import issuing
from documents.models import IssuedDocument
from students import privacy
from subsidies import payout_sheets, tasks
from subsidies.models import PayoutSheet
from subsidies.payout_sheets import MOST_ATTEMPTS, claim, produce, progress_of, retry, waiting
from tests.cast import batch, enrol, submitted
from tests.subsidies import shortcuts

S = PayoutSheet.State


@pytest.fixture
def sheet(cast, round_) -> PayoutSheet:
    """A queued sheet of two pupils, 1125.00 元."""
    rows = [enrol(cast, cast.class_a1, name="张一"), enrol(cast, cast.class_a1, name="阿依古丽·买买提", boarding="day")]
    shortcuts.approved(cast, submitted(cast, round_, *rows))
    return batch(cast, round_).sheets.get()


def as_it_is(sheet: PayoutSheet) -> PayoutSheet:
    return PayoutSheet.objects.select_related("document").get(pk=sheet.pk)


def expire(sheet: PayoutSheet) -> None:
    """The worker that held the claim is dead or too slow: its lease has run out."""
    PayoutSheet.objects.filter(pk=sheet.pk).update(lease_until=timezone.now() - dt.timedelta(seconds=1))


# --- claims ----------------------------------------------------------------------------------------


def test_a_queued_sheet_is_claimed_once(sheet, settings) -> None:
    assert waiting() == [sheet.pk]
    assert claim(sheet.pk) == 1
    assert claim(sheet.pk) is None
    assert waiting() == []
    held = as_it_is(sheet)
    assert (held.state, held.attempt) == (S.RENDERING, 1)
    left = (held.lease_until - timezone.now()).total_seconds()
    assert 0 < left <= settings.SHEET_LEASE_SECONDS


def test_a_sheet_nobody_knows_is_no_work(db) -> None:
    assert claim(sheet_key := IssuedDocument().pk) is None
    assert produce(sheet_key) is False


def test_a_lease_that_ran_out_is_taken_over(sheet) -> None:
    claim(sheet.pk)
    expire(sheet)
    assert waiting() == [sheet.pk]
    assert claim(sheet.pk) == 2


def test_a_slow_worker_is_too_late_after_its_claim_was_taken_over(sheet, monkeypatch) -> None:
    render = payout_sheets.sheets.signing_copy_pdf

    def slow(plan):
        monkeypatch.setattr(payout_sheets.sheets, "signing_copy_pdf", render)
        expire(sheet)
        assert produce(sheet.pk) is True  # meanwhile somebody else does the whole work
        return render(plan)

    monkeypatch.setattr(payout_sheets.sheets, "signing_copy_pdf", slow)
    assert produce(sheet.pk) is False
    held = as_it_is(sheet)
    assert (held.state, held.attempt) == (S.READY, 2)
    assert AuditRow.objects.filter(action="sheet.generate").count() == 1


def test_producing_twice_makes_one_document(sheet) -> None:
    assert produce(sheet.pk) is True
    first = as_it_is(sheet)
    assert produce(sheet.pk) is False
    second = as_it_is(sheet)
    assert (second.state, second.attempt, second.document.pdf_sha256) == (S.READY, 1, first.document.pdf_sha256)
    assert IssuedDocument.objects.filter(kind="payout_sheet").count() == 1


def test_a_message_delivered_three_times_has_one_effect(sheet) -> None:
    for _ in range(3):
        tasks.produce_payout_sheet(str(sheet.pk))
    assert AuditRow.objects.filter(action="document.issue", subject__endswith=str(sheet.document_id)).count() == 1


def test_after_too_many_attempts_a_person_looks(sheet) -> None:
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert claim(sheet.pk) == attempt
        expire(sheet)
    assert claim(sheet.pk) is None
    held = as_it_is(sheet)
    assert (held.state, held.lease_until) == (S.FAILED, None)
    assert held.failure == "连续 4 次没有完成，请联系系统管理员查看日志后重新生成。"
    assert waiting() == []


def test_the_last_attempt_is_left_alone_while_its_lease_runs(sheet) -> None:
    for _ in range(MOST_ATTEMPTS - 1):
        claim(sheet.pk)
        expire(sheet)
    assert claim(sheet.pk) == MOST_ATTEMPTS
    assert claim(sheet.pk) is None  # a message delivered twice must not fail a sheet that is being made
    assert as_it_is(sheet).state == S.RENDERING


def test_a_failure_keeps_its_own_sentence(sheet) -> None:
    PayoutSheet.objects.filter(pk=sheet.pk).update(state=S.FAILED, attempt=MOST_ATTEMPTS, failure="姓名中有字印不出。")
    assert produce(sheet.pk) is False
    assert as_it_is(sheet).failure == "姓名中有字印不出。"


# --- failing and trying again ----------------------------------------------------------------------


def test_a_name_no_font_can_print_is_told_and_not_tried_again(cast, round_) -> None:
    row = enrol(cast, cast.class_a1, name="张\U000e0041")  # a character no font has
    shortcuts.approved(cast, submitted(cast, round_, row))  # the notice could not be printed either
    sheet = batch(cast, round_).sheets.get()
    assert produce(sheet.pk) is False
    held = as_it_is(sheet)
    assert (held.state, held.attempt) == (S.FAILED, 1)
    assert held.failure.endswith("。")
    assert held.document.state == "reserved"
    assert waiting() == []


def test_a_failed_sheet_goes_back_into_the_queue(cast, sheet) -> None:
    PayoutSheet.objects.filter(pk=sheet.pk).update(state=S.FAILED, attempt=MOST_ATTEMPTS, failure="磁盘已满。")
    retry(sheet, by=cast.clerk)
    held = as_it_is(sheet)
    assert (held.state, held.attempt, held.failure) == (S.QUEUED, 0, "")
    assert produce(sheet.pk) is True
    assert AuditRow.objects.filter(action="sheet.retry").count() == 1


def test_only_a_failed_sheet_is_tried_again_and_only_by_a_clerk(cast, sheet) -> None:
    with pytest.raises(ValidationError, match="不是“生成失败”的状态"):
        retry(sheet, by=cast.clerk)
    PayoutSheet.objects.filter(pk=sheet.pk).update(state=S.FAILED)
    for who in ("officer_a", "head", "inspector"):
        with pytest.raises(PermissionDenied):
            retry(sheet, by=cast.people[who])


def test_a_crash_while_rendering_leaves_the_sheet_to_the_next(sheet, monkeypatch) -> None:
    def crash(plan):
        raise OSError("No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(payout_sheets.sheets, "signing_copy_xlsx", crash)
        with pytest.raises(OSError, match="No space"):
            produce(sheet.pk)
    held = as_it_is(sheet)
    assert (held.state, held.document.state) == (S.RENDERING, "reserved")
    expire(sheet)
    assert produce(sheet.pk) is True
    assert as_it_is(sheet).document.number == held.document.number


def test_progress_counts_what_is_made_failed_and_open(sheet) -> None:
    assert progress_of(sheet.batch.sheets.all()) == {"total": 1, "done": 0, "failed": 0, "open": 1}
    produce(sheet.pk)
    assert progress_of(sheet.batch.sheets.all()) == {"total": 1, "done": 1, "failed": 0, "open": 0}


# --- the paper -------------------------------------------------------------------------------------


def test_the_paper_says_what_the_lines_say(sheet) -> None:
    produce(sheet.pk)
    document = as_it_is(sheet).document
    text = "".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(issuing.read_pdf(document))).pages)
    words = text.replace(" ", "").replace("\n", "")
    for part in ("云岭县第一初级中学", "2026—2027学年秋季学期", "FF-2026-2027-1-001", document.number, "1,125.00"):
        assert part in words, part
    assert "人民币壹仟壹佰贰拾伍元整" in words
    lines = list(sheet.lines.all())
    assert sum(line.amount for line in lines) == Decimal("1125.00")
    for line in lines:
        assert line.snapshot["name"] in words
        assert line.snapshot["account"].replace(" ", "") in words


def test_neither_paper_nor_workbook_holds_a_whole_account(sheet) -> None:
    produce(sheet.pk)
    document = as_it_is(sheet).document
    whole = [privacy.account_number(line.account) for line in sheet.lines.select_related("account")]
    text = "".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(issuing.read_pdf(document))).pages)
    cells = " ".join(str(cell) for row in _rows(document) for cell in row)
    for number in whole:
        assert len(number) == 19
        assert number not in text.replace(" ", "").replace("\n", "")
        assert number not in cells.replace(" ", "")


def test_the_workbook_adds_up_to_the_fen(sheet) -> None:
    produce(sheet.pk)
    rows = _rows(as_it_is(sheet).document)
    people = [row for row in rows if isinstance(row[0], int)]
    assert sorted(row[2] for row in people) == sorted(line.snapshot["name"] for line in sheet.lines.all())
    amounts = [Decimal(str(row[6])) for row in people]
    (total,) = [Decimal(str(row[6])) for row in rows if row[0] == "合计"]
    assert sorted(amounts) == [Decimal("375"), Decimal("750")]
    assert total == sum(amounts) == Decimal("1125")


def _rows(document: IssuedDocument) -> list[tuple]:
    book = openpyxl.load_workbook(BytesIO(issuing.read_xlsx(document)))
    return list(book.active.iter_rows(values_only=True))


def test_the_public_page_learns_school_term_count_and_total_and_no_name(sheet) -> None:
    produce(sheet.pk)
    document = as_it_is(sheet).document
    assert document.facts == [
        ["学校", "云岭县第一初级中学"],
        ["学期", "2026—2027学年秋季学期"],
        ["项目", "义务教育家庭经济困难学生生活补助"],
        ["人数", "2 人"],
        ["合计", "1,125.00 元"],
    ]
