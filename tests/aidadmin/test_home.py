"""The first page: each person sees what waits for them, and where."""

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse

from accounts import clock
from accounts.models import Appointment, User
from students.changes import Kind
from subsidies import applications, workflow
from subsidies.models import Round
from subsidies.states import State, Step
from tests import cast as casting
from tests.cast import Cast, enrol, submitted, teacher_of, walk
from tests.subsidies.test_changes import case_in, record, second_junior, wanted


@pytest.fixture
def cast(db: None, settings) -> Cast:
    settings.DEMO = True
    clock.set_demo_day(casting.TODAY)
    return casting.gather()


@pytest.fixture
def round_(cast: Cast) -> Round:
    return casting.open_round(cast)


def home_of(user: User) -> str:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client.get(reverse("home")).content.decode()


def test_teacher_is_told_that_the_class_has_not_filed(cast: Cast, round_: Round) -> None:
    assert "本班还没有填报" in home_of(cast.teacher_a1)
    # The primary school's teacher too: the programme is for both stages. Officers do not file.
    assert "本班还没有填报" not in home_of(cast.officer_a)


@pytest.mark.parametrize(
    ("state", "who", "title"),
    [
        (State.SUBMITTED, "grade_head_a", "待班级评议"),
        (State.CLASS_REVIEWED, "officer_a", "待学校评审"),
        (State.SCHOOL_REVIEWED, "principal_a", "待校长确认"),
        (State.CONFIRMED, "officer_a", "待发布公示"),
        (State.CLEARED, "officer_a", "公示无异议，待上报"),
        (State.REPORTED, "clerk", "待县级审核"),
        (State.VERIFIED, "head", "待县级审批"),
        (State.APPROVED, "clerk", "待编制发放批次"),
    ],
)
def test_whose_turn_it_is_sees_the_work(cast: Cast, round_: Round, state: State, who: str, title: str) -> None:
    filed = submitted(cast, round_, enrol(cast, cast.class_a1))
    if state != State.SUBMITTED:
        walk(cast, filed, state)
    assert title in home_of(cast.people[who])
    for other in {"inspector", "officer_b", "teacher_b1", "admin"}:
        assert title not in home_of(cast.people[other])


@pytest.mark.parametrize("kind", ["change_class", "transfer_out"])
def test_a_returned_case_is_work_of_the_class_where_the_pupil_is_now(cast: Cast, round_: Round, kind: str) -> None:
    place = enrol(cast, cast.class_a1, name="张一")
    row = case_in(cast, round_, State.REPORTED, place)
    unit, what = cast.class_a2, {}
    if kind == "transfer_out":
        school, unit = second_junior(cast)
        what = {"to_school": school, "boarding": "day"}
    record(wanted(place, Kind(kind), school_class=unit.school_class, **what), by=cast.clerk)
    workflow.advance(row, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="补一份材料")
    title = "申请被退回，请补正后重新提交"
    assert title not in home_of(cast.teacher_a1)
    assert title in home_of(teacher_of(cast, unit))
    (candidate,) = applications.candidates(round_, unit)
    assert (candidate.application, candidate.remark) == (row, "退回意见：补一份材料")


def test_work_waits_for_those_who_may_still_decide(cast: Cast, round_: Round) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1))
    assert "待班级评议" in home_of(cast.officer_a)
    assert "待班级评议" not in home_of(cast.teacher_a1)  # she filed it


def test_notice_that_is_over_is_urgent(cast: Cast, round_: Round) -> None:
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.ON_NOTICE)
    assert "公示期满" not in home_of(cast.officer_a)
    clock.set_demo_day(casting.TODAY.replace(day=30))
    page = home_of(cast.officer_a)
    assert "公示期满，请结束公示并撤下" in page
    assert "尽快办理" in page


def test_signed_sheet_waits_for_who_did_not_make_the_batch(cast: Cast, round_: Round) -> None:
    from subsidies import payments, payout_sheets

    rows = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.IN_BATCH)
    sheet = rows[0].lines.get().sheet
    payout_sheets.produce(sheet.pk)
    assert "花名册待签字上传" in home_of(cast.officer_a)
    payments.upload_signed_copy(sheet, casting.scan(), by=cast.officer_a)
    assert "待登记发放" in home_of(cast.clerk2)
    assert "待登记发放" not in home_of(cast.clerk)


def test_sheets_are_named_up_to_a_bound(cast: Cast, round_: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    from aidadmin import waiting
    from subsidies import payout_sheets

    monkeypatch.setattr(waiting, "MOST_SHEETS", 0)
    rows = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.IN_BATCH)
    payout_sheets.produce(rows[0].lines.get().sheet_id)
    assert "另有花名册待签字上传" in home_of(cast.officer_a)


def test_first_steps_are_shown_where_nothing_has_begun(cast: Cast) -> None:
    assert "先导入本学期学生名册" in home_of(cast.officer_a)
    assert "开启本学期的资助批次" in home_of(cast.clerk)
    assert "开通账号" in home_of(cast.admin)


def test_demo_day_moves_on_by_a_working_day(cast: Cast, settings) -> None:
    client = Client()
    client.force_login(cast.clerk, backend="django.contrib.auth.backends.ModelBackend")
    clock.set_demo_day(casting.TODAY.replace(day=9))  # the Friday before a worked Saturday
    client.post(reverse("demo_clock_advance"))
    assert clock.today() == casting.TODAY.replace(day=10)
    settings.DEMO = False
    assert client.post(reverse("demo_clock_advance")).status_code == 403


def test_administrator_is_told_of_a_class_nobody_teaches(cast: Cast) -> None:
    assert "班级没有班主任" not in home_of(cast.admin)
    Appointment.objects.filter(user=cast.teacher_a2).update(ends_on=casting.TODAY - dt.timedelta(days=1))
    assert f"{cast.school_a} {cast.class_a2}，登记班主任后才能填报" in home_of(cast.admin)
