"""What a pupil's page shows of the comparison lists."""

from typing import Any

from django import template

from accounts import scopes
from accounts.roles import Permission

from .. import lists
from ..models import Pupil, Recheck

register = template.Library()


@register.inclusion_tag("students/_pupil_lists.html", takes_context=True)
def pupil_lists(context: dict[str, Any], pupil: Pupil) -> dict[str, Any]:
    """The lists the pupil stands on now, and whether a change waits for the school. The page has asked who may."""
    user = context["request"].user
    tasks = Recheck.objects.filter(pupil=pupil, state=Recheck.State.OPEN)
    keys = list(scopes.within(tasks, user, Permission.SETTLE_CONCERNS, unit="school").values_list("pk", flat=True)[:1])
    return {
        "standings": lists.standing_on_lists([pupil.pk]).get(pupil.pk, []),
        "open_rechecks": keys,
        "may_settle": bool(keys),
    }
