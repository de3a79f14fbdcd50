"""The desks of the money: what each shows, keeps and says, and that lists ask the same for one row and three."""

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse

from accounts import clock
from accounts.models import User
from students.models import Term
from subsidies.models import Application, Meeting, PaymentBatch, Round
from subsidies.states import State
from tests import cast as casting
from tests.cast import Cast, enrol, refreshed, submitted, walk

_MINUTES = {"held_on": "2026-10-12", "place": "会议室", "chair": "周校长", "text": "逐一评议。", "rest": "agree"}
_MEMBERS = casting.member_fields()


def open_as(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(response) -> str:
    return response.content.decode()


def test_filing_page_lists_the_class_and_files_what_is_ticked(cast: Cast, round_: Round) -> None:
    poor = enrol(cast, cast.class_a1, name="张一")
    enrol(cast, cast.class_a1, name="李二", kinds=())
    teacher = open_as(cast.teacher_a1)
    address = reverse("class_file", args=[round_.pk, cast.class_a1.pk])

    page = text_of(teacher.get(address))
    assert "全班 2 人，可以申请 1 人" in page
    assert "没有登记有效的困难类别" in page

    answer = teacher.post(address, {"apply": [str(poor.pk)], f"reason_{poor.pk}": "父亲患病", "submit": "1"})
    assert answer.status_code == 302
    filed = Application.objects.get()
    assert (filed.state, filed.reason, f"{filed.amount}") == (State.SUBMITTED, "父亲患病", "750.00")


def test_filing_page_keeps_what_was_typed_when_nobody_is_ticked(cast: Cast, round_: Round) -> None:
    poor = enrol(cast, cast.class_a1)
    address = reverse("class_file", args=[round_.pk, cast.class_a1.pk])
    sent = {f"reason_{poor.pk}": "父亲患病在家", f"seen_{poor.pk}": "none", "submit": "1"}
    page = text_of(open_as(cast.teacher_a1).post(address, sent, follow=True))
    assert "还没有勾选学生" in page
    assert "父亲患病在家" in page
    assert not Application.objects.exists()


def test_draft_can_be_saved_and_is_ticked_next_time(cast: Cast, round_: Round) -> None:
    poor = enrol(cast, cast.class_a1)
    address = reverse("class_file", args=[round_.pk, cast.class_a1.pk])
    teacher = open_as(cast.teacher_a1)
    teacher.post(address, {"apply": [str(poor.pk)], f"reason_{poor.pk}": "", "save": "1"})
    assert Application.objects.get().state == State.DRAFT
    assert "checked" in text_of(teacher.get(address))


def test_review_page_records_the_meeting_with_one_exception(cast: Cast, round_: Round) -> None:
    one, two = submitted(cast, round_, enrol(cast, cast.class_a1, name="张一"), enrol(cast, cast.class_a1, name="李二"))
    address = reverse("class_review", args=[round_.pk, cast.class_a1.pk])
    said = _MINUTES | _MEMBERS | {f"verdict_{two.pk}": "return", f"opinion_{two.pk}": "补低保证"}
    answer = open_as(cast.officer_a).post(address, said)
    assert answer.status_code == 302
    one, two = refreshed([one, two])
    assert (one.state, two.state) == (State.CLASS_REVIEWED, State.RETURNED)
    assert Meeting.objects.get().members.count() == 10


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind_3": ""}, "请选择成员2的类别"),
        ({"name_3": ""}, "请填写第 3 位成员的姓名"),
        ({"count": 1}, "不少于 5 人"),
        ({"held_on": "2026-12-01"}, "不能晚于今天"),
        ({"rest": ""}, "没有作出任何结论"),
        ({"place": "会议室 138 0013 8000"}, "不要写身份证号"),
        ({"chair": "李老师13800138000"}, "不要写身份证号"),
        ({"capacity_1": "家长13800138000"}, "不要写身份证号"),
    ],
)
def test_review_page_says_what_is_wrong_and_keeps_the_minutes(
    cast: Cast, round_: Round, change: dict, sentence: str
) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1))
    address = reverse("class_review", args=[round_.pk, cast.class_a1.pk])
    page = text_of(open_as(cast.officer_a).post(address, _MINUTES | _MEMBERS | change))
    assert sentence in page
    assert "逐一评议。" in page
    assert not Meeting.objects.exists()


def test_teacher_who_filed_is_told_that_others_review(cast: Cast, round_: Round) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1))
    page = text_of(open_as(cast.teacher_a1).get(reverse("class_review", args=[round_.pk, cast.class_a1.pk])))
    assert "您都不能评" in page


def test_county_pages_decide_and_make_the_batch(cast: Cast, round_: Round) -> None:
    rows = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.REPORTED)
    clerk, head = open_as(cast.clerk), open_as(cast.head)
    assert (
        clerk.post(reverse("school_verify", args=[round_.pk, cast.school_a.pk]), {"rest": "agree"}).status_code == 302
    )
    assert (
        head.post(reverse("school_approve", args=[round_.pk, cast.school_a.pk]), {"rest": "agree"}).status_code == 302
    )
    assert refreshed(rows)[0].state == State.APPROVED

    address = reverse("batch_make", args=[round_.pk])
    stale = text_of(clerk.post(address, {"expected": 2, "expected_total": "1500.00"}))
    assert "名单已有变化" in stale
    assert not PaymentBatch.objects.exists()

    assert clerk.post(address, {"expected": 1, "expected_total": "750.00"}).status_code == 302
    batch = PaymentBatch.objects.get()
    page = text_of(clerk.get(reverse("batch", args=[batch.pk])))
    assert "750.00" in page
    assert "排队中" in page


def test_return_from_the_county_needs_an_opinion(cast: Cast, round_: Round) -> None:
    rows = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.REPORTED)
    address = reverse("school_verify", args=[round_.pk, cast.school_a.pk])
    page = text_of(open_as(cast.clerk).post(address, {"rest": "agree", f"verdict_{rows[0].pk}": "return"}, follow=True))
    assert "请写明对" in page
    assert refreshed(rows)[0].state == State.REPORTED


def test_paid_sheet_shows_signed_copy_payment_and_lines(cast: Cast, round_: Round) -> None:
    rows = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1, name="张一")), State.PAID)
    sheet = rows[0].lines.get().sheet
    page = text_of(open_as(cast.inspector).get(reverse("sheet", args=[sheet.pk])))
    assert "查看扫描件" in page
    assert "支付2026-001" in page
    assert "张一" in page


def test_maker_of_the_batch_is_refused_the_payment(cast: Cast, round_: Round) -> None:
    rows = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.IN_BATCH)
    sheet = rows[0].lines.get().sheet
    answer = open_as(cast.clerk).post(reverse("sheet_pay", args=[sheet.pk]), {"paid_on": "2026-10-30", "voucher": "1"})
    assert answer.status_code == 403


def test_round_is_opened_and_its_window_moved(cast: Cast) -> None:
    clerk = open_as(cast.clerk)
    programme = casting.Programme.objects.get(code="senior-grant")
    plan = {"programme": programme.pk, "term": cast.term.pk, "unit": cast.county.pk}
    wrong = text_of(clerk.post(reverse("round_open"), plan | {"opens_on": "2026-10-12", "closes_on": "2026-10-01"}))
    assert "截止日期" in wrong
    days = {"opens_on": "2026-10-12", "closes_on": "2026-10-30", "step": "open"}
    assert clerk.post(reverse("round_open"), plan | days).status_code == 302
    opened = Round.objects.get()
    # 15 November is a Sunday, which the page would have asked about: seen, it may be saved.
    window = {"opens_on": "2026-10-12", "closes_on": "2026-11-15", "reason": "农忙", "step": "save"}
    window["seen"] = clerk.post(reverse("round_window", args=[opened.pk]), window).context["form"]["seen"].value()
    assert clerk.post(reverse("round_window", args=[opened.pk]), window).status_code == 302
    opened.refresh_from_db()
    assert f"{opened.closes_on}" == "2026-11-15"


def test_withdrawing_needs_a_reason(cast: Cast, round_: Round) -> None:
    (row,) = submitted(cast, round_, enrol(cast, cast.class_a1))
    address = reverse("application_withdraw", args=[row.pk])
    teacher = open_as(cast.teacher_a1)
    assert teacher.post(address, {"note": ""}).status_code == 200
    assert teacher.post(address, {"note": "家长放弃"}).status_code == 302
    assert refreshed([row])[0].state == State.WITHDRAWN


def test_applications_open_on_the_present_term_and_tell_of_all_on_request(cast: Cast, round_: Round) -> None:
    (row,) = submitted(cast, round_, enrol(cast, cast.class_a1, name="张一"))
    clerk, address = open_as(cast.clerk), reverse("applications")
    assert "张一" in text_of(clerk.get(address))
    clock.set_demo_day(dt.date(2027, 3, 1))  # the spring term has begun
    assert "张一" not in text_of(clerk.get(address))
    assert "张一" in text_of(clerk.get(address, {"term": ""}))
    assert "张一" in text_of(clerk.get(address, {"term": row.term_id}))
    # A round's own link, of whichever term; a round left over from a term chosen before is let go.
    assert "张一" in text_of(clerk.get(address, {"round": round_.pk}))
    spring = Term.objects.get(key="2026-2027-2")
    left = clerk.get(address, {"round": round_.pk, "term": spring.pk})
    assert not left.context["filter"].errors
    for odd in ({"term": "x"}, {"term": "9" * 30}, {"round": "x"}, {"unit": "x"}, {"state": "x"}):
        assert clerk.get(address, odd).status_code == 200


@pytest.mark.parametrize("page", ["home", "rounds", "applications", "batches", "programmes"])
def test_list_asks_the_same_for_one_row_and_for_three(
    cast: Cast, round_: Round, page: str, django_assert_max_num_queries, django_assert_num_queries
) -> None:
    client = open_as(cast.officer_a)
    submitted(cast, round_, enrol(cast, cast.class_a1, name="张一"))
    client.get(reverse(page))
    with django_assert_max_num_queries(60) as asked:
        client.get(reverse(page))
    submitted(cast, round_, enrol(cast, cast.class_a1, name="李二"), enrol(cast, cast.class_a1, name="王三"))
    with django_assert_num_queries(len(asked)):
        client.get(reverse(page))


def test_round_page_and_review_page_ask_the_same_for_one_pupil_and_three(
    cast: Cast, round_: Round, django_assert_max_num_queries, django_assert_num_queries
) -> None:
    client = open_as(cast.officer_a)
    pages = [reverse("round", args=[round_.pk]), reverse("class_review", args=[round_.pk, cast.class_a1.pk])]
    submitted(cast, round_, enrol(cast, cast.class_a1, name="张一"))
    counts = []
    for page in pages:
        client.get(page)
        with django_assert_max_num_queries(60) as asked:
            client.get(page)
        counts.append(len(asked))
    submitted(cast, round_, enrol(cast, cast.class_a1, name="李二"), enrol(cast, cast.class_a1, name="王三"))
    for page, count in zip(pages, counts, strict=True):
        with django_assert_num_queries(count):
            client.get(page)


def test_round_opened_by_mistake_is_withdrawn_until_somebody_files(cast: Cast, round_: Round) -> None:
    clerk, address = open_as(cast.clerk), reverse("round_withdraw", args=[round_.pk])
    assert open_as(cast.officer_a).post(address).status_code == 403
    submitted(cast, round_, enrol(cast, cast.class_a1))
    assert "不能再撤销" in text_of(clerk.post(address, follow=True))
    assert Round.objects.exists()

    second = casting.open_round(cast, "senior-grant")
    assert "已撤销批次" in text_of(clerk.post(reverse("round_withdraw", args=[second.pk]), follow=True))
    assert Round.objects.get() == round_


def test_school_without_the_stage_cannot_open_the_programme(cast: Cast) -> None:
    plan = {"programme": casting.Programme.objects.get(code="senior-grant").pk, "term": cast.term.pk}
    window = {"unit": cast.school_b.pk, "opens_on": "2026-10-12", "closes_on": "2026-10-30"}
    page = text_of(open_as(cast.officer_b).post(reverse("round_open"), plan | window))
    assert "没有“普通高中国家助学金”面向的学段" in page


def test_refused_pupil_is_shown_with_the_reason(cast: Cast, round_: Round) -> None:
    (row,) = submitted(cast, round_, enrol(cast, cast.class_a1))
    said = _MINUTES | _MEMBERS | {f"verdict_{row.pk}": "reject", f"opinion_{row.pk}": "家庭条件已改善"}
    open_as(cast.officer_a).post(reverse("class_review", args=[round_.pk, cast.class_a1.pk]), said)
    page = text_of(open_as(cast.teacher_a1).get(reverse("class_file", args=[round_.pk, cast.class_a1.pk])))
    assert "本批次曾不予资助：家庭条件已改善" in page
