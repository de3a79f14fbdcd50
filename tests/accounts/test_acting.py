"""代理: somebody acts for the holder of a post, from a day to a day."""

import datetime as dt

import pytest
import time_machine

from accounts import appointments, people, scopes
from accounts.appointments import AppointmentRefused
from accounts.models import Appointment, AuditRow, User
from accounts.roles import Permission
from tests.cast import TODAY, Cast

P = Permission
TOMORROW, FRIDAY = TODAY + dt.timedelta(days=1), TODAY + dt.timedelta(days=4)


@pytest.fixture
def newcomer(cast: Cast) -> User:
    return people.open_account("wang.fang", "王芳", by=cast.admin)[0]


def post_of(user: User) -> Appointment:
    return user.appointments.get()


def acting(cast: Cast, deputy: User, other: User, *, starts_on=TODAY, ends_on=FRIDAY) -> Appointment:
    return appointments.act_for(
        post_of(other), deputy, starts_on=starts_on, ends_on=ends_on, reason="外出培训", by=cast.admin
    )


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def test_the_deputy_has_the_post_until_its_day_and_the_other_keeps_it(cast: Cast, newcomer: User) -> None:
    given = acting(cast, newcomer, cast.officer_a)
    assert given.post == "云岭县第一初级中学资助专干（代陈专干）"
    for person in (newcomer, cast.officer_a):
        assert scopes.allows(fresh(person), P.REPORT_TO_COUNTY, cast.class_a1)
    assert scopes.capacity(fresh(newcomer), P.REPORT_TO_COUNTY, cast.class_a1.path) == given


def test_it_ends_by_itself(cast: Cast, newcomer: User) -> None:
    acting(cast, newcomer, cast.officer_a)
    with time_machine.travel(f"{FRIDAY + dt.timedelta(days=1)}T09:00:00+08:00", tick=True):
        assert not scopes.allows(fresh(newcomer), P.REPORT_TO_COUNTY, cast.class_a1)


def test_the_trail_names_both_and_the_reason(cast: Cast, newcomer: User) -> None:
    given = acting(cast, newcomer, cast.officer_a)
    row = AuditRow.objects.get(action="appointment.act_for")
    assert row.subject == f"accounts.appointment:{given.pk}"
    assert (row.detail["user"], row.detail["for"], row.detail["note"]) == (newcomer.pk, "officer_a", "外出培训")


def test_ones_own_post_goes_before_anothers(cast: Cast) -> None:
    """The principal acts for the officer: what a principal may see is seen as principal."""
    acting(cast, cast.principal_a, cast.officer_a)
    principal = fresh(cast.principal_a)
    assert scopes.capacity(principal, P.VIEW_CASES, cast.class_a1.path) == cast.principal_a.appointments.get(
        acts_for=None
    )
    assert [post.acts_for for post in scopes.acting(principal, P.HOLD_SCHOOL_REVIEW)] == [cast.officer_a]


def test_when_the_other_leaves_office_so_does_the_deputy(cast: Cast, newcomer: User) -> None:
    given = acting(cast, newcomer, cast.officer_a)
    later = acting(cast, cast.teacher_a1, cast.officer_a, starts_on=TOMORROW)
    appointments.end(post_of(cast.officer_a), on=TODAY, by=cast.admin)
    given.refresh_from_db()
    assert given.ends_on == TODAY
    assert not Appointment.objects.filter(pk=later.pk).exists()


def test_nobody_acts_for_who_never_takes_office(cast: Cast, newcomer: User) -> None:
    later = appointments.appoint(newcomer, "principal", cast.school_b, starts_on=TOMORROW, by=cast.admin)
    given = appointments.act_for(
        later, cast.teacher_a1, starts_on=TOMORROW, ends_on=FRIDAY, reason="外出培训", by=cast.admin
    )
    appointments.end(later, on=TODAY, by=cast.admin)
    assert not Appointment.objects.filter(pk__in=[later.pk, given.pk]).exists()
    assert AuditRow.objects.filter(action="appointment.cancel").count() == 2


def test_a_successor_takes_over_from_the_deputy_too(cast: Cast, newcomer: User) -> None:
    given = acting(cast, cast.teacher_a1, cast.officer_a)
    appointments.appoint(newcomer, "aid_officer", cast.school_a, starts_on=TOMORROW, by=cast.admin, take_over=True)
    given.refresh_from_db()
    assert given.ends_on == TODAY
    assert AuditRow.objects.filter(action="appointment.end").count() == 2


@pytest.mark.parametrize(
    ("days", "sentence"),
    [((-1, 3), "不能早于今天"), ((2, 1), "不能早于开始日期")],
)
def test_days_that_cannot_be(cast: Cast, newcomer: User, days: tuple[int, int], sentence: str) -> None:
    first, last = (TODAY + dt.timedelta(days=n) for n in days)
    with pytest.raises(AppointmentRefused, match=sentence):
        acting(cast, newcomer, cast.officer_a, starts_on=first, ends_on=last)


def test_nobody_acts_beyond_the_others_own_time(cast: Cast, newcomer: User) -> None:
    appointments.end(post_of(cast.officer_a), on=TOMORROW, by=cast.admin)
    with pytest.raises(AppointmentRefused, match="代理只能在这段时间内"):
        acting(cast, newcomer, cast.officer_a)


def test_a_deputy_has_no_deputy(cast: Cast, newcomer: User) -> None:
    given = acting(cast, newcomer, cast.officer_a)
    with pytest.raises(AppointmentRefused, match="代理人不能再请人代理"):
        appointments.act_for(given, cast.teacher_a1, starts_on=TODAY, ends_on=FRIDAY, reason="病假", by=cast.admin)


def test_nobody_acts_for_oneself(cast: Cast) -> None:
    with pytest.raises(AppointmentRefused, match="代理人要另选一位"):
        acting(cast, cast.officer_a, cast.officer_a)


def test_who_has_the_post_or_acts_in_it_already_needs_no_other(cast: Cast, newcomer: User) -> None:
    with pytest.raises(AppointmentRefused, match="本来就担任"):
        acting(cast, cast.clerk2, cast.clerk)
    acting(cast, newcomer, cast.officer_a)
    with pytest.raises(AppointmentRefused, match="已经在代理"):
        acting(cast, newcomer, cast.officer_a, starts_on=TOMORROW)


def test_a_disabled_account_acts_for_nobody(cast: Cast, newcomer: User) -> None:
    people.disable(newcomer, by=cast.admin)
    with pytest.raises(AppointmentRefused, match="请先启用账号"):
        acting(cast, newcomer, cast.officer_a)


def test_the_administrator_makes_nobody_act_who_is_the_administrator(cast: Cast) -> None:
    with pytest.raises(AppointmentRefused, match="不能给自己"):
        acting(cast, cast.admin, cast.clerk)


def test_an_inspector_acts_for_nobody_else(cast: Cast) -> None:
    with pytest.raises(AppointmentRefused, match="不能兼任"):
        acting(cast, cast.inspector, cast.clerk)


# --- the page -------------------------------------------------------------------------------------


def test_the_page_takes_an_account_or_a_name(cast: Cast, newcomer: User, as_user) -> None:
    client = as_user(cast.admin)
    url = f"/appointments/{post_of(cast.officer_a).pk}/deputy/"
    data = {"starts_on": TODAY, "ends_on": FRIDAY, "reason": "病假"}
    page = client.post(url, data | {"deputy": "没有这个人"}).content.decode()
    assert "没有这位人员" in page
    people.open_account("wang.fang2", "王芳", by=cast.admin)
    page = client.post(url, data | {"deputy": "王芳"}).content.decode()
    assert "有几位人员叫这个名字，请改填账号：wang.fang、wang.fang2" in page
    answer = client.post(url, data | {"deputy": "wang.fang"}, follow=True).content.decode()
    assert "王芳从2026年10月12日至2026年10月16日代理云岭县第一初级中学资助专干" in answer
    assert "正在由他人代理" in answer
    assert "代陈专干" in client.get(f"/people/{newcomer.pk}/").content.decode()


def test_a_refusal_stands_beside_its_field(cast: Cast, newcomer: User, as_user) -> None:
    url = f"/appointments/{post_of(cast.officer_a).pk}/deputy/"
    data = {"deputy": "wang.fang", "starts_on": FRIDAY, "ends_on": TODAY, "reason": "病假"}
    assert "代理的最后一天不能早于开始日期" in as_user(cast.admin).post(url, data).content.decode()
    assert not newcomer.appointments.exists()


# --- reminders by mail ----------------------------------------------------------------------------


def test_everybody_sets_their_own_address_and_the_trail_keeps_it_to_itself(cast: Cast, as_user) -> None:
    answer = as_user(cast.officer_a).post("/email/", {"email": "chen@example.cn"}, follow=True).content.decode()
    assert "待办提醒将发到 chen@example.cn" in answer
    assert fresh(cast.officer_a).email == "chen@example.cn"
    assert "chen@" not in str(AuditRow.objects.get(action="account.change_email").detail)
    with pytest.raises(Exception, match="只能修改自己"):
        people.change_email(cast.officer_b, "x@example.cn", by=cast.officer_a)
