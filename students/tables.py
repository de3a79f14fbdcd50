"""Lists of the register: pupils, roster imports, findings."""

from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.templatetags.aid import cn_time

from .models import Enrolment, RosterImport, School, Stage

_STATE_BADGES = {"checked": "wait", "applied": "done", "discarded": "note"}
_LEVELS = {"error": ("stop", "不能导入"), "warning": ("wait", "请核对"), "note": ("note", "说明")}


class PupilTable(tables.Table):
    """Rows are enrolments with `has_account`, `now_path` (the class where the pupil is now) and prefetched kinds.

    A pupil who has left the reader's scope since is named, without a way to the page.
    """

    name = tables.Column("姓名", accessor="pupil__name")
    roll = tables.Column(
        "学籍号末四位", accessor="pupil__roll_masked", orderable=False, attrs={"td": {"class": "tabular"}}
    )
    school = tables.Column("学校", accessor="school__name", orderable=False)
    school_class = tables.Column("班级", accessor="school_class__name", order_by="school_class__path")
    id_number = tables.Column(
        "证件号", accessor="pupil__id_masked", orderable=False, attrs={"td": {"class": "tabular nowrap"}}
    )
    boarding = tables.Column("就读方式")
    kinds = tables.Column("困难类别", accessor="pupil", orderable=False)
    account = tables.Column("收款账户", accessor="has_account", orderable=False)

    class Meta:
        model = Enrolment
        fields = ("name", "roll", "school", "school_class", "id_number", "boarding", "kinds", "account")

    def __init__(self, *args: Any, reach: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reach = reach

    def render_name(self, record: Enrolment) -> str | SafeString:
        if not self._is_ours(record):
            return record.pupil.name
        return format_html('<a href="{}">{}</a>', reverse("pupil", args=[record.pupil_id]), record.pupil.name)

    def render_roll(self, value: str) -> str:
        return value[-4:]

    def render_kinds(self, record: Enrolment) -> str:
        if not self._is_ours(record):
            return "—"  # what another school has recorded since is not this one's to read
        return "、".join(circumstance.category.name for circumstance in record.pupil.circumstances_now) or "—"

    def render_account(self, value: bool, record: Enrolment) -> str | SafeString:
        if not self._is_ours(record):
            return "—"
        kind, label = ("done", "已登记") if value else ("wait", "未登记")
        return format_html('<span class="badge badge-{}">{}</span>', kind, label)

    def _is_ours(self, record: Enrolment) -> bool:
        return any((record.now_path or "").startswith(path) for path in self.reach)


class RosterImportTable(tables.Table):
    checked_at = tables.Column("上传时间")
    school = tables.Column("学校", accessor="school__name", orderable=False)
    term = tables.Column("学期", accessor="term__name", orderable=False)
    rows_total = tables.Column("总行数", orderable=False, attrs={"td": {"class": "num"}, "th": {"class": "num"}})
    rows_refused = tables.Column("有误", orderable=False, attrs={"td": {"class": "num"}, "th": {"class": "num"}})
    checked_by = tables.Column("上传人", accessor="checked_by__name", orderable=False)
    state = tables.Column("状态", orderable=False)

    class Meta:
        model = RosterImport
        fields = ("checked_at", "school", "term", "rows_total", "rows_refused", "checked_by", "state")

    def render_checked_at(self, record: RosterImport) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>', reverse("roster_import", args=[record.pk]), cn_time(record.checked_at)
        )

    def render_state(self, record: RosterImport) -> SafeString:
        return format_html(
            '<span class="badge badge-{}">{}</span>', _STATE_BADGES[record.state], record.get_state_display()
        )


class FindingTable(tables.Table):
    """Rows are the findings of an import (dictionaries, see students.roster_rows.entry)."""

    level = tables.Column("结果", orderable=False)
    place = tables.Column("位置", orderable=False, empty_values=(), attrs={"td": {"class": "nowrap"}})
    who = tables.Column("学生", orderable=False, attrs={"td": {"class": "nowrap"}})
    column = tables.Column("列", orderable=False, attrs={"td": {"class": "nowrap"}})
    value = tables.Column("内容", orderable=False, attrs={"td": {"class": "tabular masked"}})
    message = tables.Column("原因", orderable=False)
    remedy = tables.Column("怎么改", orderable=False)

    class Meta:
        empty_text = "没有发现问题，全部可以导入。"

    def render_level(self, value: str) -> SafeString:
        return format_html('<span class="badge badge-{}">{}</span>', *_LEVELS[value])

    def render_place(self, record: dict[str, Any]) -> str:
        return f"{record['sheet']} 第 {record['row']} 行"


class SchoolTable(tables.Table):
    """Rows are schools with `class_count`."""

    name = tables.Column("学校", accessor="unit__name", order_by="unit__path")
    code = tables.Column("学校标识码", attrs={"td": {"class": "tabular"}})
    stages = tables.Column("学段", orderable=False)
    class_count = tables.Column("班级", attrs={"td": {"class": "num"}, "th": {"class": "num"}})
    notice_phone = tables.Column("监督电话", orderable=False)
    notice_contact = tables.Column("意见受理人", orderable=False)
    edit = tables.Column("", empty_values=(), orderable=False, attrs={"td": {"class": "actions-cell"}})

    class Meta:
        model = School
        fields = ("name", "code", "stages", "class_count", "notice_phone", "notice_contact", "edit")
        empty_text = "还没有登记学校。由县资助中心经办点右上角“登记学校”。"

    def render_stages(self, value: list[str]) -> str:
        return "、".join(Stage(stage).label for stage in value)

    def render_edit(self, record: School) -> SafeString:
        return format_html(
            '<a class="button button-small" href="{}">修改<span class="visually-hidden">{}</span></a>',
            reverse("school_edit", args=[record.pk]),
            record.unit.name,
        )
