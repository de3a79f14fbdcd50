"""Template words of the house, known in every template: amounts, dates, icons, alerts."""

import datetime as dt
from decimal import Decimal

from django import template
from django.contrib.messages.storage.base import Message
from django.forms import BaseForm, BoundField
from django.template.base import render_value_in_context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, strip_tags
from django.utils.safestring import SafeString, mark_safe
from django_tables2.rows import BoundRow

register = template.Library()

_ALERT_KINDS = {"error": "error", "warning": "warn", "success": "ok"}


@register.filter
def yuan(amount: Decimal | int | None) -> str:
    """An amount in yuan as `1,250.00`; nothing for None. Never rounds: more than two decimals is a bug here."""
    if amount is None or amount == "":
        return ""
    exact = Decimal(amount)
    if exact != exact.quantize(Decimal("0.01")):
        raise ValueError("An amount has more than two decimals.")
    return f"{exact:,.2f}"


@register.filter
def cn_date(day: dt.date | dt.datetime | None) -> str:
    """`2026年3月5日`: no leading zeros, as in GB/T 9704."""
    if not day:
        return ""
    if isinstance(day, dt.datetime) and timezone.is_aware(day):
        day = timezone.localtime(day)
    return f"{day.year}年{day.month}月{day.day}日"


@register.filter
def cn_time(moment: dt.datetime | None) -> str:
    """`2026年3月5日 9:05`, in Beijing time."""
    if not moment:
        return ""
    if timezone.is_aware(moment):
        moment = timezone.localtime(moment)
    return f"{cn_date(moment)} {moment.hour}:{moment.minute:02d}"


@register.simple_tag
def icon(name: str) -> SafeString:
    """One picture of the icon set; decoration only, so hidden from screen readers."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("icons/set.svg"),
        name,
    )


@register.simple_tag
def badge(kind: str, text: str) -> SafeString:
    """A state as text and shape; kinds: wait, go, done, stop, note. Also for `render_…` of tables."""
    return format_html('<span class="badge badge-{}">{}</span>', kind, text)


@register.simple_tag(takes_context=True)
def cells(context: template.Context, row: BoundRow) -> SafeString:
    """The cells of a row of any django-tables2 list; the label and the attributes of a column are made once.

    (The template language took most of a page's time over them.)
    """
    made = []
    for column, value in row.items():
        if not hasattr(column, "td_start"):
            column.td_start = format_html(
                '<td data-label="{}" {}>', strip_tags(str(column.header)), column.attrs["td"].as_html()
            )
        made.append(f"{column.td_start}{render_value_in_context(value, context)}</td>")
    return mark_safe("\n".join(made))  # noqa: S308 - each part is escaped


@register.filter
def alert_kind(message: Message) -> str:
    """The `alert-…` class of a message's level."""
    return _ALERT_KINDS.get(message.level_tag, "info")


@register.filter
def error_count(form: BaseForm) -> int:
    """How many things there are to put right."""
    return sum(len(errors) for errors in form.errors.values())


@register.filter
def first_control(field: BoundField) -> str:
    """The id an error summary jumps to: of a group of choices, the first choice."""
    return f"{field.auto_id}_0" if field.use_fieldset else field.id_for_label or field.auto_id
