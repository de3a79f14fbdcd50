"""Who holds which role: given, handed over, ended; never backwards, never to oneself."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied

from accounts import appointments, people, scopes
from accounts.appointments import AppointmentRefused
from accounts.models import Appointment, AuditRow, User
from accounts.roles import Permission
from tests.cast import TODAY, Cast

TOMORROW = TODAY + dt.timedelta(days=1)


@pytest.fixture
def newcomer(cast: Cast) -> User:
    return people.open_account("wang.fang", "王芳", by=cast.admin)[0]


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def test_appointment_gives_the_permission_over_its_unit_only(cast: Cast, newcomer: User) -> None:
    appointments.appoint(newcomer, "aid_officer", cast.school_a, starts_on=TODAY, by=cast.admin)
    assert scopes.allows(fresh(newcomer), Permission.REPORT_TO_COUNTY, cast.class_a1)
    assert not scopes.allows(fresh(newcomer), Permission.REPORT_TO_COUNTY, cast.school_b)


def test_appointment_of_tomorrow_gives_nothing_today(cast: Cast, newcomer: User) -> None:
    appointments.appoint(newcomer, "aid_officer", cast.school_a, starts_on=TOMORROW, by=cast.admin)
    assert not scopes.allows(fresh(newcomer), Permission.REPORT_TO_COUNTY, cast.school_a)


def test_hand_over_ends_the_predecessor_the_day_before(cast: Cast, newcomer: User) -> None:
    appointments.appoint(newcomer, "aid_officer", cast.school_a, starts_on=TOMORROW, by=cast.admin, take_over=True)
    assert Appointment.objects.get(user=cast.officer_a).ends_on == TODAY
    ended = AuditRow.objects.get(action="appointment.end")
    assert ended.detail["successor"] == newcomer.pk
    assert scopes.allows(fresh(cast.officer_a), Permission.REPORT_TO_COUNTY, cast.school_a)


def test_last_day_is_included(cast: Cast) -> None:
    appointments.end(Appointment.objects.get(user=cast.officer_a), on=TODAY, by=cast.admin)
    assert scopes.allows(fresh(cast.officer_a), Permission.REPORT_TO_COUNTY, cast.school_a)


def test_ended_yesterday_gives_nothing_today(cast: Cast) -> None:
    appointments.end(Appointment.objects.get(user=cast.officer_a), on=TODAY - dt.timedelta(days=1), by=cast.admin)
    assert not scopes.allows(fresh(cast.officer_a), Permission.REPORT_TO_COUNTY, cast.school_a)


def test_one_not_begun_is_cancelled_and_leaves_its_audit_rows(cast: Cast, newcomer: User) -> None:
    given = appointments.appoint(newcomer, "aid_officer", cast.school_a, starts_on=TOMORROW, by=cast.admin)
    appointments.end(given, on=TODAY, by=cast.admin)
    assert not newcomer.appointments.exists()
    kept = AuditRow.objects.filter(action__startswith="appointment.").order_by("number")
    assert [row.action for row in kept] == ["appointment.give", "appointment.cancel"]


def test_an_end_is_never_put_off(cast: Cast) -> None:
    post = Appointment.objects.get(user=cast.officer_a)
    appointments.end(post, on=TOMORROW, by=cast.admin)
    with pytest.raises(AppointmentRefused, match="只能提前，不能推后。要继续任职的，请从次日起重新登记"):
        appointments.end(post, on=TOMORROW + dt.timedelta(days=1), by=cast.admin)
    appointments.end(post, on=TODAY, by=cast.admin)
    post.refresh_from_db()
    assert post.ends_on == TODAY
    deputy = appointments.act_for(
        Appointment.objects.get(user=cast.principal_a), cast.grade_head_a,
        starts_on=TODAY, ends_on=TOMORROW, reason="外出学习", by=cast.admin,
    )  # fmt: skip
    with pytest.raises(AppointmentRefused, match="不能推后"):
        appointments.end(deputy, on=TOMORROW + dt.timedelta(days=5), by=cast.admin)


def test_a_post_does_not_end_on_a_day_that_is_over(cast: Cast) -> None:
    """Yesterday takes it away at once; before that it was held, and what was done then was done by its holder."""
    post = Appointment.objects.get(user=cast.officer_a)
    with pytest.raises(AppointmentRefused, match="已经过去的日子由谁任职不能补改"):
        appointments.end(post, on=TODAY - dt.timedelta(days=2), by=cast.admin)
    post.refresh_from_db()
    assert post.ends_on is None


def test_nobody_appoints_oneself(cast: Cast) -> None:
    with pytest.raises(AppointmentRefused, match="不能给自己"):
        appointments.appoint(cast.admin, "county_clerk", cast.county, starts_on=TODAY, by=cast.admin)


def test_past_days_cannot_be_filled_in(cast: Cast, newcomer: User) -> None:
    with pytest.raises(AppointmentRefused, match="不能早于今天"):
        appointments.appoint(
            newcomer, "principal", cast.school_a, starts_on=TODAY - dt.timedelta(days=1), by=cast.admin
        )


@pytest.mark.parametrize(("first", "second"), [("system_admin", "county_clerk"), ("county_clerk", "inspector")])
def test_administrator_and_inspector_hold_nothing_else(cast: Cast, newcomer: User, first: str, second: str) -> None:
    appointments.appoint(newcomer, first, cast.county, starts_on=TODAY, by=cast.admin)
    with pytest.raises(AppointmentRefused, match="不能兼任"):
        appointments.appoint(newcomer, second, cast.county, starts_on=TODAY, by=cast.admin)


def test_role_fits_the_level_of_the_unit(cast: Cast, newcomer: User) -> None:
    with pytest.raises(Exception, match="要任命到学校一级"):
        appointments.appoint(newcomer, "principal", cast.class_a1, starts_on=TODAY, by=cast.admin)
    assert not newcomer.appointments.exists()


def test_same_appointment_is_not_given_twice(cast: Cast) -> None:
    with pytest.raises(Exception, match="已经担任"):
        appointments.appoint(cast.officer_a, "aid_officer", cast.school_a, starts_on=TODAY, by=cast.admin)


def test_last_administrator_stays(cast: Cast) -> None:
    with pytest.raises(AppointmentRefused, match="最后一位系统管理员"):
        appointments.end(Appointment.objects.get(user=cast.admin), on=TODAY, by=cast.admin)


def test_who_keeps_the_keys_is_not_disabled(cast: Cast, newcomer: User) -> None:
    """Another administrator is there, but not for good."""
    appointments.appoint(newcomer, "system_admin", cast.county, starts_on=TODAY, by=cast.admin)
    appointments.end(Appointment.objects.get(user=cast.admin), on=TODAY + dt.timedelta(days=30), by=newcomer)
    with pytest.raises(people.AccountRefused, match="请先登记接任的系统管理员"):
        people.disable(newcomer, by=cast.admin)
    people.disable(cast.admin, by=newcomer)


@pytest.mark.parametrize("role", ["system_admin", "county_clerk"])
def test_a_disabled_account_is_given_nothing(cast: Cast, newcomer: User, role: str) -> None:
    people.disable(newcomer, by=cast.admin)
    with pytest.raises(AppointmentRefused, match="请先启用账号"):
        appointments.appoint(newcomer, role, cast.county, starts_on=TOMORROW, by=cast.admin, take_over=True)
    assert Appointment.objects.get(user=cast.admin).ends_on is None


def test_administrator_may_go_when_another_is_there(cast: Cast, newcomer: User) -> None:
    appointments.appoint(newcomer, "system_admin", cast.county, starts_on=TODAY, by=cast.admin)
    appointments.end(Appointment.objects.get(user=cast.admin), on=TODAY, by=cast.admin)
    assert Appointment.objects.get(user=cast.admin).ends_on == TODAY


@pytest.mark.parametrize("who", ["clerk", "head", "inspector", "officer_a", "teacher_a1"])
def test_others_do_not_appoint(cast: Cast, newcomer: User, who: str) -> None:
    with pytest.raises(PermissionDenied, match="系统管理员"):
        appointments.appoint(newcomer, "principal", cast.school_a, starts_on=TODAY, by=getattr(cast, who))
