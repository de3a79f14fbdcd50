"""How states look in templates."""

from django import template
from django.utils.safestring import SafeString

from .. import tables
from ..models import PayoutSheet

register = template.Library()

_SHEET_TONES = {
    PayoutSheet.State.QUEUED: "note",
    PayoutSheet.State.RENDERING: "go",
    PayoutSheet.State.READY: "wait",
    PayoutSheet.State.SIGNED: "wait",
    PayoutSheet.State.PAID: "done",
    PayoutSheet.State.FAILED: "stop",
}


@register.filter
def state_badge(state: str) -> SafeString:
    """The badge of an application's state."""
    return tables.state_badge(state)


@register.filter
def sheet_tone(state: str) -> str:
    """The badge class of a payout sheet's state."""
    return _SHEET_TONES[PayoutSheet.State(state)]
