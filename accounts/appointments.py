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


def act_for(
    post: Appointment, deputy: User, *, starts_on: dt.date, ends_on: dt.date, reason: str, by: User
) -> Appointment:
    """Let the deputy act in the name of the post's holder, who stays in office, from a day to a day (both included).

    Raises AppointmentRefused; PermissionDenied when `by` does not manage accounts over the unit.
    """
    require(by, Permission.MANAGE_ACCOUNTS, post.unit)
    _check_giver(deputy, starts_on, by)
    with transaction.atomic():
        if not lock(deputy).is_active:
            raise AppointmentRefused(f"{deputy.name}的账号已停用，不能代理。请先启用账号，或换一位人员。")
        held = Appointment.objects.select_for_update(of=("self",)).select_related("unit", "user").get(pk=post.pk)
        _check_acting(held, deputy, starts_on, ends_on)
        _check_roles(deputy, held.role, starts_on)
        given = Appointment(
            user=deputy, role=held.role, unit=held.unit, starts_on=starts_on, ends_on=ends_on, acts_for=held.user
        )
        given.full_clean()
        given.save()
        audit.record(
            "appointment.act_for",
            given,
            by=by,
            unit=given.unit,
            role=given.role,
            user=deputy.pk,
            starts_on=starts_on,
            ends_on=ends_on,
            note=reason,
            **{"for": held.user.username},
        )
    return given


def move(post: Appointment, successor: User, *, starts_on: dt.date, by: User) -> Appointment:
    """Give the post to the successor from a day on; its holder, and nobody else of the unit, ends the day before.

    Raises AppointmentRefused; PermissionDenied when `by` does not manage accounts over the unit.
    """
    with transaction.atomic():
        # The person before the posts, as everywhere.
        given = appoint(successor, post.role, post.unit, starts_on=starts_on, by=by)
        eve = starts_on - dt.timedelta(days=1)
        held = Appointment.objects.select_for_update(of=("self",)).select_related("unit", "user").get(pk=post.pk)
        if held.acts_for_id is not None:
            raise AppointmentRefused("代理的任职不能移交，到期自然结束。")
        if held.ends_on is not None and held.ends_on < eve:
            raise AppointmentRefused(f"{held.user.name}的这项任职已在{cn_date(held.ends_on)}结束，请刷新页面后再看。")
        if held.starts_on > eve:
            raise AppointmentRefused(
                {"starts_on": f"{held.user.name}从{cn_date(held.starts_on)}起任职，接收日期要再晚一天。"}
            )
        _write_end(held, eve, by, successor=successor.pk)
    return given


def deputies(post: Appointment, *, since: dt.date) -> QuerySet[Appointment]:
    """Who acts in the name of the post's holder on the day or later."""
    rows = Appointment.objects.filter(acts_for=post.user_id, role=post.role, unit=post.unit_id, ends_on__gte=since)
    return rows.select_related("user", "unit", "acts_for").order_by("starts_on", "pk")


def end(appointment: Appointment, *, on: dt.date, by: User | None) -> None:
    """Let the appointment's last day be `on`, at the earliest yesterday: that takes the post away at once. One that
    has not begun yet is cancelled: only its audit rows stay."""
    if by is not None:
        require(by, Permission.MANAGE_ACCOUNTS, appointment.unit)
    with transaction.atomic():
        # Before the one itself: all that give the same keys are locked together, in one order.
        _check_keys_stay(appointment, on)
        locked = Appointment.objects.select_for_update(of=("self",)).select_related("unit").get(pk=appointment.pk)
        if locked.ends_on is not None and locked.ends_on < clock.today():
            raise AppointmentRefused("这项任职已经结束，请刷新页面后再看。")
        if locked.ends_on is not None and on > locked.ends_on:
            raise AppointmentRefused(
                {
                    "on": f"这项任职已定在{cn_date(locked.ends_on)}结束，这里只能提前，不能推后。"
                    "要继续任职的，请从次日起重新登记任职或代理。"
                }
            )
        if on >= locked.starts_on:
            # Who was in office on a day that is over is not said anew: papers and the rule of four eyes rest on it.
            if on < (yesterday := clock.today() - dt.timedelta(days=1)):
                raise AppointmentRefused(
                    {
                        "on": f"最后一天不能早于昨天（{cn_date(yesterday)}）：已经过去的日子由谁任职不能补改。"
                        "要马上收回权限的，请选昨天。"
                    }
                )
            _write_end(locked, on, by)
        elif locked.starts_on > clock.today():
            if locked.acts_for_id is None:
                _end_deputies(locked, locked.starts_on - dt.timedelta(days=1), by)
            _cancel(locked, by)
        else:
            raise AppointmentRefused({"on": f"最后一天不能早于任职开始的{cn_date(locked.starts_on)}。"})


def _check_giver(user: User, starts_on: dt.date, by: User) -> None:
    if user == by:
        raise AppointmentRefused("不能给自己登记任职，请由另一位系统管理员办理。")
    if starts_on < clock.today():
        raise AppointmentRefused({"starts_on": "开始日期不能早于今天：已经过去的日子由谁任职不能补改。"})


def _check_acting(held: Appointment, deputy: User, starts_on: dt.date, ends_on: dt.date) -> None:
    if held.acts_for_id is not None:
        raise AppointmentRefused("代理人不能再请人代理。请从被代理人的任职登记新的代理。")
    if deputy == held.user:
        raise AppointmentRefused(f"{deputy.name}就是这个岗位的任职人，代理人要另选一位。")
    if ends_on < starts_on:
        raise AppointmentRefused({"ends_on": "代理的最后一天不能早于开始日期。"})
    if starts_on < held.starts_on or (held.ends_on is not None and ends_on > held.ends_on):
        until = f"至{cn_date(held.ends_on)}" if held.ends_on else ""
        raise AppointmentRefused(
            f"{held.user.name}的任职从{cn_date(held.starts_on)}起{until}，代理只能在这段时间内。请更改代理日期。"
        )
    same = Appointment.objects.filter(user=deputy, role=held.role, unit=held.unit, starts_on__lte=ends_on)
    if other := same.filter(Q(ends_on__isnull=True) | Q(ends_on__gte=starts_on)).first():
        what = "已经在代理" if other.acts_for_id else "本来就担任"
        raise AppointmentRefused(f"{deputy.name}这段时间{what}{held.unit}的{held.get_role_display()}，不用再登记代理。")


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
    # Whoever acts for one of them ends with them.
    before = holders(given.role, given.unit, on=given.starts_on).filter(acts_for=None).exclude(user=given.user)
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
    if appointment.acts_for_id is None:
        _end_deputies(appointment, on, by)


def _end_deputies(appointment: Appointment, on: dt.date, by: User | None) -> None:
    """Nobody acts for somebody who is no longer in office."""
    for each in deputies(appointment, since=on + dt.timedelta(days=1)).select_for_update(of=("self",)):
        if each.starts_on > on:
            _cancel(each, by)
        else:
            _write_end(each, on, by)


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
