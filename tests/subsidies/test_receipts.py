"""Guardians' receipts and the proofs of families: recorded, refused, heard by the screening."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, InternalError, transaction
from django.db.utils import DatabaseError
from django.test import Client
from django.urls import reverse

from accounts import clock
from accounts.models import AuditRow, User
from students import circumstances
from students.models import Category, Circumstance, Enrolment
from subsidies import applications, concerns, receipts, rounds, workflow
from subsidies.models import Application, Concern, ConcernReason, Receipt, Round, Settlement
from subsidies.states import State, Step
from tests import cast as casting
from tests.cast import Cast, enrol, submitted

from .test_bulk import asked


@pytest.fixture
def signed_in() -> Callable[[User], Client]:
    def sign(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign


@pytest.fixture
def row(cast: Cast, round_: Round) -> Enrolment:
    return enrol(cast, cast.class_a1, name="张一")


def say(cast: Cast, round_: Round, row: Enrolment, answer: str, *, scan: bool = False, **more: object) -> Receipt:
    file = casting.scan("回执.pdf") if scan else None
    given = {"signed_on": clock.today(), "by": cast.teacher_a1} | more
    return receipts.record(round_, row.school_class, row, answer=answer, scan=file, **given)


def missed(row: Enrolment) -> Concern:
    return Concern.objects.get(kind=Concern.Kind.MISSED, pupil=row.pupil_id)


# --- recording --------------------------------------------------------------------------------------


def test_the_newest_answer_counts_and_the_old_one_stays(cast: Cast, round_: Round, row: Enrolment) -> None:
    first = say(cast, round_, row, "declines")
    assert (first.guardian, first.recorded_by) == ("张建国（父亲）", cast.teacher_a1)
    assert say(cast, round_, row, "declines") == first, "the same again adds nothing"
    say(cast, round_, row, "applies")
    assert applications.receipts_of(round_, [row.pupil_id])[row.pupil_id].answer == "applies"
    assert Receipt.objects.count() == 2
    assert AuditRow.objects.filter(action="receipt.record").count() == 2


def test_the_later_wish_counts_in_whatever_order_the_slips_are_recorded(
    cast: Cast, round_: Round, row: Enrolment
) -> None:
    today, before = clock.today(), clock.today() - dt.timedelta(days=5)
    say(cast, round_, row, "applies")
    with pytest.raises(ValidationError, match="比这张回执新，以新的为准，这张没有登记"):
        say(cast, round_, row, "declines", signed_on=before)
    assert applications.receipts_of(round_, [row.pupil_id])[row.pupil_id].answer == "applies"
    # The day of the first was mistyped: put right, it is the older one.
    say(cast, round_, row, "applies", signed_on=before - dt.timedelta(days=1))
    say(cast, round_, row, "declines", signed_on=before)
    say(cast, round_, row, "applies", signed_on=today)
    assert Receipt.objects.count() == 4


def test_a_receipt_is_written_once(cast: Cast, round_: Round, row: Enrolment) -> None:
    receipt = say(cast, round_, row, "applies")
    with pytest.raises((DatabaseError, IntegrityError, InternalError)), transaction.atomic():
        Receipt.objects.filter(pk=receipt.pk)._update([(Receipt._meta.get_field("answer"), None, "declines")])


def test_what_cannot_be_is_refused_with_a_sentence(cast: Cast, round_: Round, row: Enrolment) -> None:
    with pytest.raises(ValidationError, match="签字日期不能晚于今天"):
        say(cast, round_, row, "applies", signed_on=clock.today() + dt.timedelta(days=1))
    with pytest.raises(ValidationError, match="签字日期在一年以前，请核对年份"):
        say(cast, round_, row, "applies", signed_on=clock.today() - dt.timedelta(days=400))
    with pytest.raises(ValidationError, match="请选择家长意见"):
        say(cast, round_, row, "maybe")
    with pytest.raises(PermissionDenied):
        say(cast, round_, row, "applies", by=cast.teacher_a2)
    Enrolment.objects.filter(pk=row.pk).update(standing="suspended")
    with pytest.raises(ValidationError, match="没有在读"):
        say(cast, round_, row, "applies")
    assert not Receipt.objects.exists()


def test_a_refusal_takes_the_draft_away_and_nothing_that_was_handed_in(
    cast: Cast, round_: Round, row: Enrolment
) -> None:
    other = enrol(cast, cast.class_a1, name="钱二")
    applications.save_drafts(round_, cast.class_a1, [applications.Wish(row)], by=cast.teacher_a1)
    submitted(cast, round_, other)
    say(cast, round_, row, "declines")
    with pytest.raises(ValidationError, match="钱二 已有申请（待班级评议）。家长放弃的，请先到申请页撤回"):
        say(cast, round_, other, "declines")
    assert Application.objects.get().pupil == other.pupil


def test_last_terms_list_leaves_out_who_declines(cast: Cast, round_: Round, row: Enrolment) -> None:
    say(cast, round_, row, "declines")
    (candidate,) = applications.candidates(round_, cast.class_a1)
    assert (candidate.may_file, candidate.has_declined) == (False, True)


def test_a_round_with_receipts_is_not_withdrawn(cast: Cast, round_: Round, row: Enrolment) -> None:
    say(cast, round_, row, "declines")
    with pytest.raises(ValidationError, match="已经登记了家长回执"):
        rounds.withdraw(round_, by=cast.clerk)


# --- the screening ----------------------------------------------------------------------------------


def test_a_signed_refusal_settles_that_the_pupil_was_missed(cast: Cast, round_: Round, row: Enrolment) -> None:
    concerns.find(cast.county, cast.term, by=cast.clerk)
    assert missed(row).state == Concern.State.OPEN
    say(cast, round_, row, "declines")
    assert missed(row).state == Concern.State.OPEN, "the county's reason wants the signed slip"
    slip = say(cast, round_, row, "declines", scan=True)
    held = missed(row)
    assert (held.state, held.settlement.reason.code) == (Concern.State.SETTLED, "refused")
    assert held.settlement.proof == slip.scan
    assert held.settlement.note == "2026年10月12日家长回执：不申请。"
    say(cast, round_, row, "applies")
    assert missed(row).state == Concern.State.OPEN
    assert Settlement.objects.count() == 1, "what was said stays"


def test_where_the_county_asks_for_no_slip_the_word_is_enough(cast: Cast, round_: Round, row: Enrolment) -> None:
    ConcernReason.objects.filter(kind=Concern.Kind.MISSED, code="refused").update(needs_proof=False)
    concerns.find(cast.county, cast.term, by=cast.clerk)
    say(cast, round_, row, "declines")
    assert missed(row).state == Concern.State.SETTLED


def test_a_refusal_known_before_the_screening_is_heard_by_it_once(cast: Cast, round_: Round, row: Enrolment) -> None:
    say(cast, round_, row, "declines", scan=True)
    done = concerns.find(cast.county, cast.term, by=cast.clerk)
    held = missed(row)
    assert held.state == Concern.State.SETTLED
    assert held.settlement.by == cast.teacher_a1
    assert done.counts.get("open", 0) == 0
    concerns.reopen(held, note="请再联系家长", by=cast.clerk)
    concerns.find(cast.county, cast.term, by=cast.clerk)
    assert missed(row).state == Concern.State.OPEN, "the county wants more than this slip"
    say(cast, round_, row, "declines", scan=True)
    assert missed(row).state == Concern.State.SETTLED


# --- the pages --------------------------------------------------------------------------------------


def test_a_pile_of_slips_is_recorded_on_one_page(cast: Cast, round_: Round, row: Enrolment, signed_in) -> None:
    others = [enrol(cast, cast.class_a1, name=name) for name in ("钱二", "孙三", "李四")]
    submitted(cast, round_, others[1])
    client, url = signed_in(cast.teacher_a1), reverse("class_receipts", args=[round_.pk, cast.class_a1.pk])
    assert "未收回" in client.get(url).content.decode()
    sent = {"signed_on": "2026-10-10", f"answer_{row.pk}": "applies", f"answer_{others[0].pk}": "declines"}
    page = client.post(url, sent | {f"answer_{others[1].pk}": "declines"}).content.decode()
    assert "1 份没有登记，其余的已经登记" in page
    assert "孙三 已有申请" in page
    assert sorted(Receipt.objects.values_list("pupil__name", "answer")) == [("张一", "applies"), ("钱二", "declines")]
    answer = client.post(url, sent, follow=True)
    assert "已登记 0 份回执" in answer.content.decode()
    assert Receipt.objects.count() == 2
    desk = client.get(reverse("class_file", args=[round_.pk, cast.class_a1.pk])).content.decode()
    assert "回执收回 2 份，其中不申请 1 人" in desk


def test_the_receipts_page_asks_the_same_for_one_pupil_and_three(cast: Cast, round_: Round, signed_in) -> None:
    client, url = signed_in(cast.teacher_a1), reverse("class_receipts", args=[round_.pk, cast.class_a1.pk])
    counts = []
    for name in ("张一", "钱二", "孙三"):
        enrol(cast, cast.class_a1, name=name)
        client.get(url)
        counts.append(asked(lambda: client.get(url))[0])
    assert counts[0] == counts[2]


def papers(cast: Cast, round_: Round, row: Enrolment) -> str:
    return reverse("class_papers", args=[round_.pk, cast.class_a1.pk, row.pk])


def test_one_pupils_receipt_with_its_photograph(cast: Cast, round_: Round, row: Enrolment, signed_in) -> None:
    client = signed_in(cast.teacher_a1)
    sent = {"paper": "receipt", "receipt-answer": "declines", "receipt-signed_on": "2026-10-12"}
    answer = client.post(papers(cast, round_, row), sent | {"receipt-scan": casting.scan("回执.pdf")})
    desk = reverse("class_file", args=[round_.pk, cast.class_a1.pk])
    assert answer["Location"] == f"{desk}#row-{row.pk}"
    receipt = Receipt.objects.get()
    page = client.get(papers(cast, round_, row)).content.decode()
    assert "看回执" in page
    seen = signed_in(cast.officer_a).get(reverse("receipt_scan", args=[receipt.pk]))
    assert seen["Content-Type"] == "application/pdf"
    assert AuditRow.objects.filter(action="receipt.read_scan").count() == 1
    say(cast, round_, row, "applies")
    bare = Receipt.objects.latest("pk")
    assert signed_in(cast.officer_a).get(reverse("receipt_scan", args=[bare.pk])).status_code == 404


def test_the_proof_that_is_asked_for_is_taken_once(cast: Cast, round_: Round, signed_in) -> None:
    row = enrol(cast, cast.class_a1, name="张一", kinds=())
    kind = circumstances.add(
        row.pupil, category=Category.objects.get(code="orphan"), source="collected", evidence="孤儿证",
        valid_from=dt.date(2026, 9, 1), by=cast.teacher_a1,
    )  # fmt: skip
    client, url = signed_in(cast.teacher_a1), papers(cast, round_, row)
    assert "要拍的证明：孤儿" in client.get(url).content.decode()
    empty = client.post(url, {"paper": str(kind.pk)})
    assert "请选择要上传的文件" in empty.content.decode()
    client.post(url, {"paper": str(kind.pk), f"wanted-{kind.pk}-scan": casting.scan("孤儿证.pdf")})
    kind.refresh_from_db()
    assert kind.evidence_file is not None
    assert AuditRow.objects.filter(action="circumstance.add_evidence").count() == 1
    assert "要拍的证明" not in client.get(url).content.decode()
    with pytest.raises(ValidationError, match="已经有证明扫描件"):
        circumstances.add_evidence(kind, casting.scan(), by=cast.teacher_a1)


def test_a_kind_found_by_comparison_takes_no_proof(cast: Cast, round_: Round, row: Enrolment) -> None:
    (kind,) = row.pupil.circumstances.all()
    with pytest.raises(ValidationError, match="以名单为证，不用再附证明"):
        circumstances.add_evidence(kind, casting.scan(), by=cast.teacher_a1)
    with pytest.raises(PermissionDenied):
        circumstances.add_evidence(kind, casting.scan(), by=cast.teacher_a2)


def test_a_hardship_no_list_names_is_recorded_with_its_proof(cast: Cast, round_: Round, signed_in) -> None:
    row = enrol(cast, cast.class_a1, name="张一", kinds=())
    client, url = signed_in(cast.teacher_a1), papers(cast, round_, row)
    page = client.get(url).content.decode()
    assert "农村低保（要：农村低保证的户主页和家庭成员页）" in page
    kind = Category.objects.get(code="dibao_rural")
    sent = {"paper": "collected", "collected-category": kind.pk, "collected-valid_from": "2026-09-01"}
    refused = client.post(url, sent).content.decode()
    assert "请拍农村低保证的户主页和家庭成员页，或写明证明名称和编号" in refused
    client.post(url, sent | {"collected-scan": casting.scan("低保证.pdf")})
    made = Circumstance.objects.get()
    assert (made.source, made.category, made.recorded_by) == ("collected", kind, cast.teacher_a1)
    (candidate,) = applications.candidates(round_, cast.class_a1)
    assert candidate.may_file
    assert State.DRAFT not in [candidate.application]


def test_the_case_shows_what_the_guardian_signed(cast: Cast, round_: Round, row: Enrolment, signed_in) -> None:
    slip = say(cast, round_, row, "applies", scan=True)
    (filed,) = submitted(cast, round_, row)
    page = signed_in(cast.officer_a).get(reverse("application", args=[filed.pk])).content.decode()
    assert "家长回执" in page
    assert reverse("receipt_scan", args=[slip.pk]) in page


# --- when the case has gone on, or has ended ----------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "what_to_do"),
    [
        (State.SUBMITTED, "请先到申请页撤回"),
        (State.CLASS_REVIEWED, "请联系学校资助专干，退回补正以后到申请页撤回"),
        (State.REPORTED, "请学校资助专干联系县资助中心"),
        (State.APPROVED, "请学校资助专干联系县资助中心"),
    ],
)
def test_who_gives_up_a_case_that_goes_on_is_sent_where_it_can_be_done(
    cast: Cast, round_: Round, row: Enrolment, state: State, what_to_do: str
) -> None:
    rows = submitted(cast, round_, row)
    if state != State.SUBMITTED:
        casting.walk(cast, rows, state)
    with pytest.raises(ValidationError, match=what_to_do):
        say(cast, round_, Enrolment.objects.get(pk=row.pk), "declines")
    assert not Receipt.objects.exists()


@pytest.mark.parametrize("answer", ["applies", "declines"])
def test_what_was_paid_is_answered_no_more(cast: Cast, round_: Round, row: Enrolment, answer: str) -> None:
    casting.walk(cast, submitted(cast, round_, row), State.PAID)
    with pytest.raises(ValidationError, match="已经发放，没有登记回执。家长要退回资助款的，请学校资助专干"):
        say(cast, round_, Enrolment.objects.get(pk=row.pk), answer)
    assert not Receipt.objects.exists()


def test_after_a_withdrawal_the_refusal_is_recorded_as_the_page_says(cast: Cast, round_: Round, row: Enrolment) -> None:
    """The page sends who gives up to the withdrawal first; and whoever changes their mind after it is filed anew."""
    (case,) = submitted(cast, round_, row)
    workflow.advance(case, Step.WITHDRAW, note="家长放弃", by=cast.teacher_a1)
    say(cast, round_, row, "declines")
    assert say(cast, round_, row, "applies").answer == "applies"
    submitted(cast, round_, row)
