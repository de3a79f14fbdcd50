"""A decision is about the list that was on the page: what has come in or changed since is not decided with it."""

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.models import User
from subsidies import payments, payout_sheets
from subsidies.models import Application, Meeting, PayoutSheet, Round
from subsidies.states import State
from tests import cast as casting
from tests import pdfs
from tests.cast import Cast, enrol, member_fields, refreshed, scan, submitted, walk

_MINUTES = {"held_on": "2026-10-12", "place": "会议室", "chair": "周校长", "text": "逐一评议。", "rest": "agree"}


def open_as(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def one(cast: Cast, round_: Round, name: str, state: State | None = None) -> Application:
    [case] = submitted(cast, round_, enrol(cast, cast.class_a1, name=name))
    return walk(cast, [case], state)[0] if state else case


def test_a_meeting_does_not_pass_an_application_that_came_in_after_the_page(cast: Cast, round_: Round) -> None:
    first = one(cast, round_, "张一")
    officer, address = open_as(cast.officer_a), reverse("class_review", args=[round_.pk, cast.class_a1.pk])
    seen = officer.get(address).context["form"]["seen"].value()
    late = one(cast, round_, "李二")
    typed = _MINUTES | member_fields() | {"seen": seen}

    page = officer.post(address, typed, follow=True)
    assert "打开页面以后又来了 1 名学生（李二）" in page.content.decode()
    assert [decision.application for decision in Meeting.objects.get().decisions.all()] == [first]
    assert [row.state for row in refreshed([first, late])] == [State.CLASS_REVIEWED, State.SUBMITTED]

    assert officer.post(address, typed | {"seen": page.context["form"]["seen"].value()}).status_code == 302
    assert {row.state for row in refreshed([first, late])} == {State.CLASS_REVIEWED}


def test_a_meeting_with_something_mistyped_is_shown_again_with_what_came_in(cast: Cast, round_: Round) -> None:
    """A meeting is recorded once: here one row stops the others, and the next click is about the list as it is."""
    first = one(cast, round_, "张一")
    officer, address = open_as(cast.officer_a), reverse("class_review", args=[round_.pk, cast.class_a1.pk])
    seen = officer.get(address).context["form"]["seen"].value()
    late = one(cast, round_, "李二")
    typed = _MINUTES | member_fields() | {"seen": seen, f"verdict_{first.pk}": "return"}
    page = officer.post(address, typed)
    assert "请写明对张一的意见" in page.content.decode()
    assert "名单刚刚有变化，现在是 2 份" in page.content.decode()
    assert "成员9" in page.content.decode()
    assert not Meeting.objects.exists()
    typed |= {"seen": page.context["form"]["seen"].value(), f"opinion_{first.pk}": "缺材料"}
    assert officer.post(address, typed).status_code == 302
    assert [row.state for row in refreshed([first, late])] == [State.RETURNED, State.CLASS_REVIEWED]


@pytest.mark.parametrize(
    ("page_name", "who", "waiting"),
    [("school_verify", "clerk", State.REPORTED), ("school_approve", "head", State.VERIFIED)],
)
def test_the_county_does_not_decide_on_what_it_has_not_seen(cast, round_, page_name, who, waiting) -> None:
    rows = [one(cast, round_, "张一", waiting)]
    person, address = open_as(cast.people[who]), reverse(page_name, args=[round_.pk, cast.school_a.pk])
    seen = person.get(address).context["form"]["seen"].value()
    rows.append(one(cast, round_, "李二", waiting))
    page = person.post(address, {"rest": "agree", "seen": seen}, follow=True)
    assert "打开页面以后又来了 1 名学生（李二）" in page.content.decode()
    assert [row.state == waiting for row in refreshed(rows)] == [False, True]


def test_a_school_reports_the_list_it_looked_at(cast: Cast, round_: Round) -> None:
    rows = [one(cast, round_, "张一", State.CLEARED)]
    officer, address = open_as(cast.officer_a), reverse("school_report", args=[round_.pk, cast.school_a.pk])
    seen = officer.get(address).context["seen"]
    rows.append(one(cast, round_, "李二", State.CLEARED))
    page = officer.post(address, {"seen": seen})
    assert "现在是 2 名学生，没有上报" in page.content.decode()
    assert {row.state for row in refreshed(rows)} == {State.CLEARED}
    assert officer.post(address, {"seen": page.context["seen"]}).status_code == 302


def test_a_payment_is_not_recorded_on_a_scan_nobody_looked_at(cast: Cast, round_: Round) -> None:
    case = one(cast, round_, "张一", State.IN_BATCH)
    sheet = case.lines.get().sheet
    payout_sheets.produce(sheet.pk)
    payments.upload_signed_copy(sheet, scan(), by=cast.officer_a)
    clerk, address = open_as(cast.clerk2), reverse("sheet_pay", args=[sheet.pk])
    seen = clerk.get(address).context["form"]["seen"].value()
    other = SimpleUploadedFile("另一张.pdf", pdfs.paper("Other"))
    payments.upload_signed_copy(sheet, other, by=cast.officer_a)

    typed = {"paid_on": casting.clock.today().isoformat(), "voucher": "支付2026-001", "seen": seen}
    page = clerk.post(address, typed)
    assert "学校刚刚换了签字表" in page.content.decode()
    assert PayoutSheet.objects.get(pk=sheet.pk).state == PayoutSheet.State.SIGNED
    assert clerk.post(address, typed | {"seen": page.context["form"]["seen"].value()}).status_code == 302


def test_a_scan_that_stayed_is_paid_and_one_that_did_not_is_refused_by_the_verb(cast: Cast, round_: Round) -> None:
    sheet = one(cast, round_, "张一", State.IN_BATCH).lines.get().sheet
    payout_sheets.produce(sheet.pk)
    payments.upload_signed_copy(sheet, scan(), by=cast.officer_a)
    day = casting.clock.today()
    with pytest.raises(ValidationError, match="换了签字表"):
        payments.record_payment(sheet, paid_on=day, voucher="1", by=cast.clerk2, seen="0" * 64)
    sheet.refresh_from_db()
    payments.record_payment(sheet, paid_on=day, voucher="1", by=cast.clerk2, seen=sheet.signed_copy.sha256)


def test_a_school_does_not_learn_of_batches_that_hold_nothing_of_its_own(cast: Cast, round_: Round) -> None:
    batch = one(cast, round_, "张一", State.IN_BATCH).lines.get().sheet.batch
    address = reverse("round", args=[round_.pk])
    assert list(open_as(cast.officer_a).get(address).context["batches"]) == [batch]
    assert list(open_as(cast.officer_b).get(address).context["batches"]) == []
    assert batch.number not in open_as(cast.officer_b).get(address).content.decode()
