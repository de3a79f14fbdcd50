"""What became of a list that was sent, for the page that follows: whom it left behind and why, what was typed of them.

The answer to a list is a redirect, so that reloading it, or coming back to it, sends nothing again.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from ..forms import RowsForm
from ..models import Application, Round

_KEY = "list_result"


def leave(request: HttpRequest, form: RowsForm, refused: Mapping[UUID, str], round_: Round) -> bool:
    """Keep what did not go for the page of this address; whether there is anything to tell."""
    told, late = form.left_behind(refused), form.late
    already = _names(round_, form.gone)
    if not (told or already or late):
        return False
    held = {"of": request.path, "rest": told, "already": already, "late": late, "typed": form.typed_in(refused)}
    request.session[_KEY] = held
    return True


def take(request: HttpRequest) -> dict[str, Any]:
    """What is told at this address, once; empty where nothing is."""
    held = request.session.get(_KEY)
    if request.method != "GET" or not held or held["of"] != request.path:
        return {}
    del request.session[_KEY]
    return held


def _names(round_: Round, keys: Iterable[UUID]) -> list[str]:
    """Rows of the page that somebody, perhaps the same click sent twice, has taken on already: who, and where now."""
    rows = Application.objects.filter(pk__in=list(keys), round=round_).select_related("pupil").order_by("pupil__name")
    return [f"{row.pupil.name}（{row.get_state_display()}）" for row in rows]
