"""The list of changes."""

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.templatetags.aid import badge, cn_date, cn_time

from . import changes
from .models import StatusChange

# Who is gone, who came, who stays.
_TONES = {
    StatusChange.Kind.TRANSFER_IN: "done",
    StatusChange.Kind.RETURN: "done",
    StatusChange.Kind.CHANGE_CLASS: "go",
    StatusChange.Kind.BOARDING: "go",
    StatusChange.Kind.SCHOOLING: "go",
    StatusChange.Kind.HOUSEHOLD: "go",
    StatusChange.Kind.UNIT: "go",
    StatusChange.Kind.SUSPEND: "wait",
}


class StatusChangeTable(tables.Table):
    """Rows are changes with `is_ours`: whether the pupil is still within the reader's reach."""

    on = tables.Column("日期")
    pupil = tables.Column("学生", order_by="pupil__name")
    school = tables.Column("学校", accessor="enrolment__school__name", orderable=False)
    school_class = tables.Column("班级", empty_values=(), orderable=False)
    kind = tables.Column("异动", orderable=False)
    what = tables.Column("变化", empty_values=(), orderable=False)
    by = tables.Column("登记", orderable=False)

    class Meta:
        model = StatusChange
        fields = ("on", "pupil", "school", "school_class", "kind", "what", "by")
        empty_text = "没有符合条件的异动。在学生页点“办理异动”登记。"

    def render_on(self, record: StatusChange) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("change", args=[record.pk]), cn_date(record.on))

    def render_pupil(self, record: StatusChange) -> str | SafeString:
        if not record.is_ours:
            return record.pupil.name
        return format_html('<a href="{}">{}</a>', reverse("pupil", args=[record.pupil_id]), record.pupil.name)

    def render_school_class(self, record: StatusChange) -> str:
        return (record.before or record.after).get("class_name", "")

    def render_kind(self, record: StatusChange) -> SafeString:
        kind = StatusChange.Kind(record.kind)
        return badge(_TONES.get(kind, "note"), kind.label)

    def render_what(self, record: StatusChange) -> str:
        return changes.sentence(record)

    def render_by(self, record: StatusChange) -> SafeString:
        return format_html('{} <span class="hint">{}</span>', record.by.name, cn_time(record.at))
