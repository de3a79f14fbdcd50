"""How a page asks: fetch and authorise in one line, about the object.

Outside one's scope → 404 (it does not exist for you); inside, but not allowed → 403.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from . import scopes
from .models import Unit, User
from .roles import ROLES, Permission

M = TypeVar("M", bound=Model)
View = Callable[..., HttpResponse]


def desk(*permissions: Permission) -> Callable[[View], View]:
    """Declare who may open a page: whoever holds one of the permissions over any unit. Others get 403.

    The declaration is only the door of the room; which records lie inside is asked by `fetch` and `within`.
    """

    def declare(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not scopes.reach(_user(request), *permissions):
                raise PermissionDenied(refusal(*permissions))
            return view(request, *args, **kwargs)

        guarded.permissions = permissions  # type: ignore[attr-defined]
        return guarded

    return declare


def open_to_all(view: View) -> View:
    """Declare that every signed-in person may open this page."""
    view.permissions = ()  # type: ignore[attr-defined]
    return view


def fetch(
    queryset: QuerySet[M], user: User, *permissions: Permission, unit: str, may: Permission | None = None, **lookup: Any
) -> M:
    """The one record of the queryset that matches `lookup`.

    `unit` is the lookup from the record to its unit ("school", "round__unit", "" for a unit itself).
    Without one of `permissions` over that unit the record does not exist (Http404); with it but without
    `may`, it may be seen and not acted on (PermissionDenied).
    """
    found = get_object_or_404(scopes.within(queryset, user, *permissions, unit=unit), **lookup)
    if may is not None:
        require(user, may, _follow(found, unit))
    return found


def require(user: User, permission: Permission, unit: Unit) -> None:
    """Raise PermissionDenied, with a sentence, unless the user holds the permission over the unit."""
    if not scopes.allows(user, permission, unit):
        raise PermissionDenied(refusal(permission))


def refusal(*permissions: Permission) -> str:
    """The sentence for somebody who may not: which roles may."""
    labels = [role.label for role in ROLES.values() if role.permissions.intersection(permissions)]
    return f"这一步由{'、'.join(labels)}办理，您目前的任职不含此权限。"


def _follow(record: Any, lookup: str) -> Unit:
    for name in lookup.split("__") if lookup else []:
        record = getattr(record, name)
    return record


def _user(request: HttpRequest) -> User:
    return request.user  # type: ignore[return-value]
