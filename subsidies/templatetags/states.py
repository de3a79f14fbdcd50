"""How states look in templates."""

import datetime as dt

from django import template
from django.utils.safestring import SafeString

from accounts.templatetags.aid import cn_date
from students import term_keys

from .. import attendance, dated_terms, tables
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
def term_label(key: str) -> str:
    """2023-2024-2 as 2024年春季学期."""
    return term_keys.term_label(key)


@register.filter
def terms(row: dated_terms.Dated) -> str:
    """The terms of a dated row: 2024年春季学期至2026年秋季学期, 2024年春季学期起."""
    return dated_terms.span_label(row)


@register.filter
def cn_day(text: str) -> str:
    """A day of the frozen facts, kept as 2026-03-05, as 2026年3月5日."""
    return cn_date(dt.date.fromisoformat(text))


@register.filter
def months(numbers: list[int]) -> str:
    """The months a rule pays: 9、10、11、12、1月."""
    return attendance.month_words(numbers)


@register.filter
def sheet_tone(state: str) -> str:
    """The badge class of a payout sheet's state."""
    return _SHEET_TONES[PayoutSheet.State(state)]
