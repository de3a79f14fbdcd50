"""Who holds which role over which unit, from when to when: give, hand over, end.

Nothing is rewritten backwards: an appointment made in the application starts today or later, so that the
question "who was in office that day" keeps one answer.
"""

import datetime as dt

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet

from . import audit, clock
from .access import require
from .models import Appointment, Unit, User
from .people import KEEPER, keepers, lock
from .roles import ROLES, Permission
from .templatetags.aid import cn_date

# Whoever manages accounts or inspects holds no other role: one could else give oneself a hand in the money,
# or inspect one's own work.
ALONE = ("system_admin", "inspector")


class AppointmentRefused(ValidationError):
    """The appointment cannot be given or ended so; the sentence says why and what to do."""


def in_force(on: dt.date) -> Q:
    """Appointments in force on the day (both ends included)."""
    return Q(starts_on__lte=on) & (Q(ends_on__isnull=True) | Q(ends_on__gte=on))


def holders(role: str, unit: Unit, *, on: dt.date) -> QuerySet[Appointment]:
    """Who holds the role over exactly this unit on the day."""
    return Appointment.objects.filter(in_force(on), role=role, unit=unit).select_related("user")


def units_with(role: str, *, on: dt.date) -> set[int]:
    """Keys of the units over which somebody holds the role on the day."""
    return set(Appointment.objects.filter(in_force(on), role=role).values_list("unit_id", flat=True))


def appoint(
    user: User, role: str, unit: Unit, *, starts_on: dt.date, by: User | None, take_over: bool = False
) -> Appointment:
    """Give the role over the unit from a day on. With `take_over`, present holders end the day before.

    Raises AppointmentRefused; PermissionDenied when `by` does not manage accounts over the unit.
    """
    if by is not None:
        require(by, Permission.MANAGE_ACCOUNTS, unit)
        _check_giver(user, starts_on, by)
    with transaction.atomic():
        if not lock(user).is_active:
            raise AppointmentRefused(f"{user.name}的账号已停用，不能登记任职。请先启用账号，或换一位人员。")
        given = Appointment(user=user, role=role, unit=unit, starts_on=starts_on)
        _check_roles(user, role, starts_on)
        if take_over:
            _end_predecessors(given, by)
        given.full_clean()
        given.save()
        audit.record("appointment.give", given, by=by, unit=unit, role=role, user=user.pk, starts_on=starts_on)
    return given


def end(appointment: Appointment, *, on: dt.date, by: User | None) -> None:
    """Let the appointment's last day be `on`. One that has not begun yet is cancelled: only its audit rows stay."""
    if by is not None:
        require(by, Permission.MANAGE_ACCOUNTS, appointment.unit)
    with transaction.atomic():
        # Before the one itself: all that give the same keys are locked together, in one order.
        _check_keys_stay(appointment, on)
        locked = Appointment.objects.select_for_update(of=("self",)).select_related("unit").get(pk=appointment.pk)
        if locked.ends_on is not None and locked.ends_on < clock.today():
            raise AppointmentRefused("这项任职已经结束，请刷新页面后再看。")
        if on >= locked.starts_on:
            _write_end(locked, on, by)
        elif locked.starts_on > clock.today():
            _cancel(locked, by)
        else:
            raise AppointmentRefused({"on": f"最后一天不能早于任职开始的{cn_date(locked.starts_on)}。"})


def _check_giver(user: User, starts_on: dt.date, by: User) -> None:
    if user == by:
        raise AppointmentRefused("不能给自己登记任职，请由另一位系统管理员办理。")
    if starts_on < clock.today():
        raise AppointmentRefused({"starts_on": "开始日期不能早于今天：已经过去的日子由谁任职不能补改。"})


def _check_roles(user: User, role: str, starts_on: dt.date) -> None:
    others = Appointment.objects.filter(Q(ends_on__isnull=True) | Q(ends_on__gte=starts_on), user=user)
    if role in ALONE and (held := others.exclude(role=role).first()):
        raise AppointmentRefused(_alone(user, ROLES[role].label, held.get_role_display()))
    if role not in ALONE and (held := others.filter(role__in=ALONE).first()):
        raise AppointmentRefused(_alone(user, held.get_role_display(), ROLES[role].label))


def _alone(user: User, alone: str, other: str) -> str:
    return f"“{alone}”不能兼任其他角色，{user.name}不能同时担任“{other}”。请先结束原来的任职，或换一位人员。"


def _end_predecessors(given: Appointment, by: User | None) -> None:
    eve = given.starts_on - dt.timedelta(days=1)
    before = holders(given.role, given.unit, on=given.starts_on).exclude(user=given.user)
    for held in before.select_for_update(of=("self",)):
        if held.starts_on > eve:
            raise AppointmentRefused(f"{held.user.name}也从{cn_date(held.starts_on)}起任职，交接日期要再晚一天。")
        _write_end(held, eve, by, successor=given.user_id)


def _check_keys_stay(appointment: Appointment, on: dt.date) -> None:
    if appointment.role != KEEPER:
        return
    rest = keepers(appointment.unit_id, on=on + dt.timedelta(days=1))
    if not rest.exclude(pk=appointment.pk).exists():
        raise AppointmentRefused("这是最后一位系统管理员。请先登记接任的系统管理员，再结束这项任职。")


def _write_end(appointment: Appointment, on: dt.date, by: User | None, **detail: object) -> None:
    appointment.ends_on = on
    appointment.save(update_fields=["ends_on"])
    audit.record(
        "appointment.end",
        appointment,
        by=by,
        unit=appointment.unit,
        role=appointment.role,
        user=appointment.user_id,
        ends_on=on,
        **detail,
    )


def _cancel(appointment: Appointment, by: User | None) -> None:
    audit.record(
        "appointment.cancel",
        appointment,
        by=by,
        unit=appointment.unit,
        role=appointment.role,
        user=appointment.user_id,
        starts_on=appointment.starts_on,
    )
    appointment.delete()
