"""Which units a person's permissions reach, today.

`reach(user, permission)` gives the paths of the units; `within(queryset, …)` narrows a queryset to them.
"""

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
            .select_related("unit")
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
