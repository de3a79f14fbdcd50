"""Nobody gets round four eyes by acting for somebody else; what was tried is kept."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import appointments, clock, refusals, scopes
from accounts.models import AuditRow, User
from accounts.roles import Permission
from aidadmin.waiting import waiting_for
from subsidies import four_eyes, payments, payout_sheets, reviews, workflow
from subsidies.models import Application, Decision, DutyHolder
from subsidies.states import Duty, State, Step
from subsidies.workflow import SamePerson
from tests import cast as casting
from tests.cast import TODAY, Cast, agree, enrol, open_round, refreshed, submitted, walk

FRIDAY = TODAY + dt.timedelta(days=4)


def act_for(cast: Cast, deputy: User, other: User) -> User:
    """The deputy, as they sign in from now on."""
    post = other.appointments.get(acts_for=None)
    appointments.act_for(post, deputy, starts_on=TODAY, ends_on=FRIDAY, reason="外出培训", by=cast.admin)
    return User.objects.get(pk=deputy.pk)


@pytest.fixture
def case(cast: Cast) -> Application:
    (row,) = walk(cast, submitted(cast, open_round(cast), enrol(cast, cast.class_a1)), State.SCHOOL_REVIEWED)
    return row


@pytest.fixture
def free(cast: Cast) -> User:
    """Somebody of the school with no hand in anything."""
    return casting.person("ma", "马腾", "grade_head", cast.school_a)


def test_a_step_in_anothers_name_says_so_and_is_the_duty_of_both(cast: Cast, case: Application, free: User) -> None:
    deputy = act_for(cast, free, cast.principal_a)
    workflow.advance(case, Step.CONFIRM, by=deputy)
    step = case.steps.order_by("pk").last()
    assert (step.by, step.role) == (free, "云岭县第一初级中学校长（代周校长）")
    held = {(each.by, each.deputy) for each in DutyHolder.objects.filter(application=case, duty=Duty.CONFIRMATION)}
    assert held == {(free, None), (cast.principal_a, free)}
    assert AuditRow.objects.get(action="application.confirm").detail["for"] == "principal_a"


def test_the_deputy_counts_as_themselves(cast: Cast, case: Application) -> None:
    """The teacher filed the case: acting for the principal she still may not confirm it."""
    deputy = act_for(cast, cast.teacher_a1, cast.principal_a)
    with pytest.raises(SamePerson, match="您已经办理过其中 1 份申请的填报"):
        workflow.advance(case, Step.CONFIRM, by=deputy)
    assert set(four_eyes.why_not([case], Duty.CONFIRMATION, by=deputy)) == {case.pk}
    assert not four_eyes.open_to(Application.objects.all(), Duty.CONFIRMATION, by=deputy).exists()


def test_who_acts_for_somebody_may_not_what_that_one_may_not(cast: Cast, free: User) -> None:
    """The officer held the class review; the officer's deputy does not hold the school review over the same case."""
    rows = submitted(cast, open_round(cast), enrol(cast, cast.class_a1))
    agree(rows, "class", cast.class_a1, by=cast.officer_a)
    deputy = act_for(cast, free, cast.officer_a)
    with pytest.raises(SamePerson, match="陈专干已经办理过其中 1 份申请的班级评议，您代理陈专干"):
        agree(refreshed(rows), "school", cast.school_a, by=deputy)
    assert set(four_eyes.why_not(refreshed(rows), Duty.SCHOOL_REVIEW, by=deputy)) == {rows[0].pk}
    assert not four_eyes.open_to(Application.objects.all(), Duty.SCHOOL_REVIEW, by=deputy).exists()
    # With a post of their own they act as themselves again.
    casting.appoint(free, "aid_officer", cast.school_a)
    own = User.objects.get(pk=free.pk)
    assert four_eyes.open_to(Application.objects.all(), Duty.SCHOOL_REVIEW, by=own).exists()
    agree(refreshed(rows), "school", cast.school_a, by=own)


def test_what_was_done_in_ones_name_bars_one_too(cast: Cast, free: User) -> None:
    rows = submitted(cast, open_round(cast), enrol(cast, cast.class_a1))
    agree(rows, "class", cast.class_a1, by=act_for(cast, free, cast.officer_a))
    # The post that is one's own goes before: the grade head reviewed as grade head, not for the officer.
    assert not DutyHolder.objects.filter(by=cast.officer_a).exists()
    agree(refreshed(rows), "school", cast.school_a, by=act_for(cast, cast.grade_head_a, cast.officer_a))
    casting.appoint(cast.officer_a, "principal", cast.school_a)
    with pytest.raises(SamePerson, match="您已经办理过其中 1 份申请的学校评审"):
        workflow.advance(refreshed(rows)[0], Step.CONFIRM, by=User.objects.get(pk=cast.officer_a.pk))


def test_a_paper_names_whom_one_acted_for_that_day(cast: Cast, free: User) -> None:
    deputy = act_for(cast, free, cast.principal_a)
    said = [
        scopes.name_on_paper(deputy, permission, cast.school_a, on=day)
        for permission, day in (
            (Permission.CONFIRM_LIST, TODAY),
            (Permission.CONFIRM_LIST, FRIDAY + dt.timedelta(days=1)),
            (Permission.HOLD_CLASS_REVIEW, TODAY),
        )
    ]
    assert said == ["马腾（代周校长）", "马腾", "马腾"]


def test_the_class_of_whom_one_acts_for_is_barred_above_it(cast: Cast, free: User) -> None:
    casting.appoint(cast.principal_a, "class_teacher", cast.class_a1)
    rows = walk(cast, submitted(cast, open_round(cast), enrol(cast, cast.class_a1)), State.SCHOOL_REVIEWED)
    post = cast.principal_a.appointments.get(role="principal")
    appointments.act_for(post, free, starts_on=TODAY, ends_on=FRIDAY, reason="病假", by=cast.admin)
    with pytest.raises(SamePerson, match="周校长是这个班的班主任，您代理周校长"):
        workflow.advance(rows[0], Step.CONFIRM, by=User.objects.get(pk=free.pk))


def test_the_deputy_of_who_made_the_batch_does_not_record_its_payment(cast: Cast, case: Application) -> None:
    workflow.advance(case, Step.CONFIRM, by=cast.principal_a)
    casting.publish(cast, [case])
    casting.close(cast, [case])
    for step, by in ((Step.REPORT, cast.officer_a), (Step.VERIFY, cast.clerk2), (Step.APPROVE, cast.head)):
        workflow.advance_all([case], step, by=by)
    casting.batch(cast, case.round)
    sheet = case.lines.get().sheet
    payout_sheets.produce(sheet.pk)
    payments.upload_signed_copy(sheet, casting.scan(), by=cast.officer_a)
    far = casting.person("nobody", "无关人", "principal", cast.school_b)
    post = cast.clerk.appointments.get()
    appointments.act_for(post, far, starts_on=clock.today(), ends_on=clock.today(), reason="病假", by=cast.admin)
    assert "您代理的沈经办编制" in payments.acted_before(sheet, User.objects.get(pk=far.pk))


def test_a_batch_made_in_ones_name_is_ones_own_too(cast: Cast, case: Application) -> None:
    """The clerk's deputy makes the batch: the clerk, back at the desk, does not record that it was paid."""
    workflow.advance(case, Step.CONFIRM, by=cast.principal_a)
    casting.publish(cast, [case])
    casting.close(cast, [case])
    for step, by in ((Step.REPORT, cast.officer_a), (Step.VERIFY, cast.clerk2), (Step.APPROVE, cast.head)):
        workflow.advance_all([case], step, by=by)
    far = casting.person("nobody", "无关人", "principal", cast.school_b)
    post, today = cast.clerk.appointments.get(), clock.today()
    appointments.act_for(post, far, starts_on=today, ends_on=today, reason="病假", by=cast.admin)
    total = refreshed([case])[0].amount
    made = payments.make_batch(case.round, expected=1, expected_total=total, by=User.objects.get(pk=far.pk))
    sheet = made.sheets.get()
    payout_sheets.produce(sheet.pk)
    payments.upload_signed_copy(sheet, casting.scan(), by=cast.officer_a)
    sheet.refresh_from_db()
    clock.set_demo_day(today + dt.timedelta(days=1))
    clerk = User.objects.get(pk=cast.clerk.pk)
    with pytest.raises(PermissionDenied, match="无关人代您编制"):
        payments.record_payment(sheet, paid_on=clock.today(), voucher="支付2026-009", by=clerk)
    assert not [each for each in waiting_for(clerk) if each.title == "待登记发放"]
    # Nor does whoever acts for the clerk now.
    other = casting.person("other", "旁人", "principal", cast.school_b)
    appointments.act_for(post, other, starts_on=clock.today(), ends_on=clock.today(), reason="病假", by=cast.admin)
    assert "无关人代沈经办编制" in payments.acted_before(sheet, User.objects.get(pk=other.pk))
    assert payments.acted_before(sheet, cast.head) != ""
    # What somebody else made is none of the clerk's.
    with pytest.raises(IntegrityError), transaction.atomic():
        made.sheets.update(paid_by=clerk, paid_at=clock.now(), paid_on=clock.today())
    made.sheets.update(made_by=cast.officer_b, made_for=None)
    sheet.refresh_from_db()
    assert "编制" not in payments.acted_before(sheet, clerk)


def test_a_deputy_whose_post_was_taken_away_that_day_made_the_batch_in_that_name_still(cast: Cast) -> None:
    [case] = walk(cast, submitted(cast, open_round(cast), enrol(cast, cast.class_a1)), State.APPROVED)
    far = casting.person("nobody", "无关人", "principal", cast.school_b)
    post, today = cast.clerk2.appointments.get(), clock.today()
    acting = appointments.act_for(
        post, far, starts_on=today, ends_on=today + dt.timedelta(days=7), reason="病假", by=cast.admin
    )
    clock.set_demo_day(today + dt.timedelta(days=1))
    made = payments.make_batch(case.round, expected=1, expected_total=case.amount, by=User.objects.get(pk=far.pk))
    appointments.end(acting, on=today, by=cast.admin)
    clerk2 = User.objects.get(pk=cast.clerk2.pk)
    assert "无关人代您编制" in payments.acted_before(made.sheets.get(), clerk2)


# --- near misses ----------------------------------------------------------------------------------


def test_what_a_request_tried_is_in_the_trail_though_nothing_was_done(cast: Cast, case: Application) -> None:
    deputy = act_for(cast, cast.teacher_a1, cast.principal_a)
    with refusals.kept():
        for _ in range(2):
            with pytest.raises(SamePerson):
                workflow.advance(case, Step.CONFIRM, by=deputy)
    (row,) = AuditRow.objects.filter(action="application.refuse_second_duty")
    assert (row.username, row.subject, row.unit_path) == (
        "teacher_a1",
        f"subsidies.application:{case.pk}",
        cast.class_a1.path,
    )
    assert row.detail == {"count": 1, "duty": "confirmation", "held_duty": "filing"}


def test_a_list_looked_through_by_halves_was_one_try(cast: Cast) -> None:
    rows = submitted(
        cast, open_round(cast), *(enrol(cast, each) for each in (cast.class_a1, cast.class_a2))
    )  # the first is this person's filing, the second their review
    casting.appoint(cast.teacher_a1, "grade_head", cast.school_a)
    person = User.objects.get(pk=cast.teacher_a1.pk)
    of_class = {row.school_class_id: row for row in rows}
    filed, reviewed = of_class[cast.class_a1.pk], of_class[cast.class_a2.pk]
    workflow.take_duty([reviewed], Duty.CLASS_REVIEW, by=person)
    with refusals.kept():
        for some in ([filed, reviewed], [filed], [reviewed]):
            with pytest.raises(SamePerson):
                workflow.take_duty(some, Duty.SCHOOL_REVIEW, by=person)
    (tried,) = AuditRow.objects.filter(action="application.refuse_second_duty")
    assert (tried.unit_path, tried.detail["count"]) == (cast.school_a.path, 2)


def test_outside_a_request_nothing_is_kept(cast: Cast, case: Application) -> None:
    with pytest.raises(SamePerson):
        workflow.advance(case, Step.CONFIRM, by=act_for(cast, cast.teacher_a1, cast.principal_a))
    assert not AuditRow.objects.filter(action="application.refuse_second_duty").exists()


def test_the_inspector_reads_who_tried_what_where(cast: Cast, as_user) -> None:
    round_ = open_round(cast)
    (row,) = submitted(cast, round_, enrol(cast, cast.class_a1))
    casting.appoint(cast.teacher_a1, "grade_head", cast.school_a)
    with pytest.raises(SamePerson), refusals.kept():
        agree([row], "class", cast.class_a1, by=User.objects.get(pk=cast.teacher_a1.pk))
    client = as_user(cast.inspector)
    page = client.get(reverse("near_misses")).content.decode()
    assert "云岭县第一初级中学" in page
    page = client.get(reverse("near_misses"), {"school": cast.school_a.pk}).content.decode()
    assert all(word in page for word in ("班级评议", "填报", "李老师"))
    assert reverse("application", args=[row.pk]) in page


def test_a_request_that_is_refused_leaves_its_row(cast: Cast, as_user) -> None:
    """Through the real page: who returned the case as grade head would withdraw it as teacher of the class."""
    (row,) = submitted(cast, open_round(cast), enrol(cast, cast.class_a1))
    back = reviews.Verdict(row, Decision.Verdict.RETURN, opinion="补一份材料")
    reviews.hold(
        round_=row.round,
        unit=cast.class_a1,
        level="class",
        minutes=casting.minutes(),
        verdicts=[back],
        by=cast.grade_head_a,
    )
    casting.appoint(cast.grade_head_a, "class_teacher", cast.class_a1)
    client = as_user(cast.grade_head_a)
    assert client.post(reverse("application_withdraw", args=[row.pk]), {"note": "家长放弃"}).status_code == 403
    kept = AuditRow.objects.get(action="application.refuse_second_duty")
    assert (kept.username, kept.detail["duty"], kept.detail["held_duty"]) == ("grade_head_a", "filing", "class_review")
    assert kept.origin  # of the request


def test_the_report_of_a_quiet_county_says_so(cast: Cast, as_user) -> None:
    assert "没有拦下过" in as_user(cast.head).get(reverse("near_misses")).content.decode()
    page = as_user(cast.head).get(reverse("near_misses"), {"since": "2026-10-12", "until": "2026-10-01"})
    assert "起始日期晚于截止日期" in page.content.decode()
    assert as_user(cast.head).get(reverse("near_misses"), {"school": "999999"}).status_code == 404


def test_the_report_asks_the_same_number_of_questions_for_one_try_and_for_three(cast: Cast, as_user) -> None:
    rows = submitted(cast, open_round(cast), *(enrol(cast, cast.class_a1, name=f"张{n}") for n in "一二三"))
    casting.appoint(cast.teacher_a1, "grade_head", cast.school_a)
    teacher, client = User.objects.get(pk=cast.teacher_a1.pk), as_user(cast.inspector)
    counts = []
    for how_many in (1, 2):
        for row in rows[:how_many]:
            with pytest.raises(SamePerson), refusals.kept():
                agree([row], "class", cast.class_a1, by=teacher)
        with CaptureQueriesContext(connection) as asked:
            client.get(reverse("near_misses"), {"school": cast.school_a.pk})
        counts.append(len(asked))
    assert counts[0] == counts[1]
