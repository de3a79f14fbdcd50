"""Accounts of people: open, disable, enable, first passwords. What a person may do is not here: appointments.

`by=None` is the installation itself (set-up, demo county).
"""

import datetime as dt
import secrets

from axes.utils import reset as lift_lockout
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from . import audit, clock, scopes
from .access import refusal
from .models import Appointment, User
from .roles import Permission

# Of first passwords; without characters that are confused on paper: 0 o, 1 l i, 2 z, 5 s.
_CHARACTERS = "abcdefghjkmnpqrtuvwxy346789"
_GROUPS, _GROUP_LENGTH = 3, 4  # 12 of 27 characters: 57 bits

KEEPER = "system_admin"  # the role without which nobody can open an account


class AccountRefused(ValidationError):
    """The account cannot be changed so; the sentence says why and what to do instead."""


def visible_people(manager: User) -> QuerySet[User]:
    """Whom the manager looks after: everybody ever appointed within their reach, and who has no post yet."""
    posts = scopes.within(Appointment.objects.all(), manager, Permission.MANAGE_ACCOUNTS, unit="unit")
    if not scopes.reach(manager, Permission.MANAGE_ACCOUNTS):
        return User.objects.none()
    return User.objects.filter(Q(pk__in=posts.values("user")) | Q(appointments__isnull=True)).distinct()


def open_account(username: str, name: str, *, by: User | None) -> tuple[User, str]:
    """A new account and its first password, which is kept nowhere and good only for choosing one's own."""
    require_manager(by)
    password = _first_password()
    try:
        with transaction.atomic():
            user = User.objects.create_user(username, name=name, password=password)
            audit.record("account.create", user, by=by)
    except IntegrityError as error:
        raise AccountRefused({"username": "这个账号已经有人使用，请换一个。"}) from error
    return user, password


def reset_password(user: User, *, by: User | None) -> str:
    """A new first password; whoever is signed in with the old one is out, and a lockout is lifted."""
    require_manager(by)
    if user == by:
        raise AccountRefused("自己的密码请在“修改密码”页更改，不用重置。")
    password = _first_password()
    with transaction.atomic():
        locked = lock(user)
        locked.set_password(password)
        locked.must_change_password = True
        locked.save(update_fields=["password", "must_change_password"])
        lift_lockout(username=locked.username)
        audit.record("account.reset_password", locked, by=by)
    return password


def change_password(user: User, password: str, *, by: User) -> None:
    """Set one's own password, already checked by the form against the rules for passwords."""
    if user != by:
        raise PermissionDenied("只能修改自己的密码。")
    with transaction.atomic():
        user.set_password(password)
        user.must_change_password = False
        user.save(update_fields=["password", "must_change_password"])
        audit.record("account.change_password", user, by=by)


def change_email(user: User, email: str, *, by: User) -> None:
    """Set where one's own reminders are sent; "" for nowhere. The address itself is no matter for the trail."""
    if user != by:
        raise PermissionDenied("只能修改自己的提醒邮箱。")
    with transaction.atomic():
        locked = lock(user)
        locked.email = email
        locked.save(update_fields=["email"])
        audit.record("account.change_email", locked, by=by, active=bool(email))


def disable(user: User, *, by: User | None) -> None:
    """The account no longer opens; sessions that are open end with their next click. Appointments stay as they are."""
    require_manager(by)
    if user == by:
        raise AccountRefused("不能停用自己的账号，请由另一位系统管理员办理。")
    with transaction.atomic():
        locked = lock(user)
        if not locked.is_active:
            raise AccountRefused(f"{locked.name}的账号已经停用，无需再次办理。")
        _check_keys_stay(locked)
        _write_active(locked, False, "account.disable", by)


def enable(user: User, *, by: User | None) -> None:
    require_manager(by)
    with transaction.atomic():
        locked = lock(user)
        if locked.is_active:
            raise AccountRefused(f"{locked.name}的账号本来就是启用的，无需再次办理。")
        _write_active(locked, True, "account.enable", by)


def lock(user: User) -> User:
    """The person's row, fresh and held until the transaction ends."""
    return User.objects.select_for_update().get(pk=user.pk)


def require_manager(by: User | None) -> None:
    """Raise PermissionDenied unless `by` manages accounts somewhere, or is the installation itself (None)."""
    if by is not None and not scopes.allows(by, Permission.MANAGE_ACCOUNTS, None):
        raise PermissionDenied(refusal(Permission.MANAGE_ACCOUNTS))


def _check_keys_stay(user: User) -> None:
    today = clock.today()
    held = user.appointments.filter(Q(ends_on__isnull=True) | Q(ends_on__gte=today), role=KEEPER)
    for unit in held.order_by("unit").values_list("unit", flat=True).distinct():
        if not keepers(unit, on=today).exclude(user=user).exists():
            raise AccountRefused(
                f"停用后就没有可以一直管理账号的系统管理员了。请先登记接任的系统管理员，再停用{user.name}的账号。"
            )


def keepers(unit: int, *, on: dt.date) -> QuerySet[Appointment]:
    """Who can manage the unit's accounts from the day on, with no end in sight.

    Somebody always must, or the county is locked out of its own system. Asked with all such appointments locked,
    so that two people who end one another's wait for each other.
    """
    rows = Appointment.objects.filter(role=KEEPER, unit=unit)
    list(rows.select_for_update(of=("self",)).order_by("pk"))
    return rows.filter(starts_on__lte=on, ends_on__isnull=True, user__is_active=True)


def _write_active(user: User, active: bool, action: str, by: User | None) -> None:
    user.is_active = active
    user.save(update_fields=["is_active"])
    audit.record(action, user, by=by)


def _first_password() -> str:
    groups = ("".join(secrets.choice(_CHARACTERS) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)
