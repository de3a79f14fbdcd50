"""Which units a person's permissions reach, today.

`reach(user, permission)` gives the paths of the units; `within(queryset, …)` narrows a queryset to them.
"""

import datetime as dt
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from . import clock
from .models import Appointment, Unit, User
from .roles import ROLES, Permission

M = TypeVar("M", bound=Model)


def current_appointments(user: User) -> list[Appointment]:
    """The user's appointments in force today, with their units; read once per user object."""
    if not user.is_authenticated:
        return []
    today = clock.today()
    held = user.appointments_in_force
    if held is None or held[0] != today:
        rows = (
            Appointment.objects.filter(user=user, starts_on__lte=today, unit__is_active=True)
            .filter(Q(ends_on__isnull=True) | Q(ends_on__gte=today))
            .select_related("unit", "acts_for")
            .order_by("unit__path", "role")
        )
        held = (today, list(rows))
        user.appointments_in_force = held
    return held[1]


def reach(user: User, *permissions: Permission) -> list[str]:
    """Paths of the units over which the user holds one of the permissions; any permission if none is named."""
    return [
        appointment.unit.path
        for appointment in current_appointments(user)
        if not permissions or ROLES[appointment.role].permissions.intersection(permissions)
    ]


def within(queryset: QuerySet[M], user: User, *permissions: Permission, unit: str) -> QuerySet[M]:
    """Rows whose unit is in reach: `unit` is the lookup to it ("school"), "" for rows that have a `path` themselves."""
    lookup = f"{unit}__path__below" if unit else "path__below"
    condition = Q(pk__in=[])
    for path in reach(user, *permissions):
        condition |= Q(**{lookup: path})
    return queryset.filter(condition)


def whole_counties(paths: list[str]) -> bool:
    """Whether the reach is counties only, so that a pupil of it lies in it wherever enrolled."""
    return bool(paths) and all(path.count("/") == 1 for path in paths)


def allows(user: User, permission: Permission, unit: Unit | None) -> bool:
    """Whether the user holds the permission over the unit (None: over any unit at all)."""
    return any(unit is None or unit.path.startswith(path) for path in reach(user, permission))


def capacity(user: User, permission: Permission, path: str) -> Appointment | None:
    """The appointment by which the user holds the permission over the unit of the path: their own before one that
    they hold for somebody else.
    """
    held = [
        post
        for post in current_appointments(user)
        if permission in ROLES[post.role].permissions and path.startswith(post.unit.path)
    ]
    return min(held, key=lambda post: post.acts_for_id is not None, default=None)


def acting(user: User, permission: Permission) -> list[Appointment]:
    """The appointments with the permission that the user holds in somebody else's name."""
    return [
        post
        for post in current_appointments(user)
        if post.acts_for_id is not None and permission in ROLES[post.role].permissions
    ]


def acted_for(user: User, permission: Permission, unit: Unit, *, on: dt.date) -> User | None:
    """In whose name the user had the permission over the unit on that day; None for who had it as themselves."""
    rows = Appointment.objects.filter(user=user, starts_on__lte=on).select_related("unit", "acts_for")
    held = [
        post
        for post in rows.filter(Q(ends_on__isnull=True) | Q(ends_on__gte=on)).order_by("unit__path", "role")
        if permission in ROLES[post.role].permissions and unit.path.startswith(post.unit.path)
    ]
    others = [post.acts_for for post in held if post.acts_for]
    return others[0] if others and len(others) == len(held) else None


def name_on_paper(user: User, permission: Permission, unit: Unit, *, on: dt.date) -> str:
    """The person's name as a paper has it: with whom they acted for, where on that day that was their only right."""
    other = acted_for(user, permission, unit, on=on)
    return f"{user.name}（代{other.name}）" if other else user.name
