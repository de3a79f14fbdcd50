"""Lists of the register: pupils, roster imports, findings."""

import datetime as dt
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import User
from accounts.templatetags.aid import badge, cn_date, cn_time

from . import roster_files
from .models import (
    Enrolment,
    RosterFinding,
    RosterImport,
    School,
    SchoolClass,
    StaffAccount,
    Stage,
    Standing,
    Term,
)

_STATE_BADGES = {
    **{"uploaded": "go", "checking": "go", "applying": "go", "needs_mapping": "wait", "checked": "wait"},
    **{"applied": "done", "discarded": "note", "cancelled": "note", "failed": "stop"},
}
_LEVELS = {"error": "stop", "warning": "wait", "change": "go", "note": "note"}


class PupilTable(tables.Table):
    """Rows are enrolments with `has_account`, `is_verified`, `now_path` (where the pupil is now) and prefetched kinds.

    A pupil who has left the reader's scope since is named, without a way to the page.
    """

    name = tables.Column("姓名", accessor="pupil__name")
    roll = tables.Column(
        "学籍号末四位", accessor="pupil__roll_masked", orderable=False, attrs={"td": {"class": "tabular"}}
    )
    school = tables.Column("学校", accessor="school__name", orderable=False)
    school_class = tables.Column("班级", accessor="class_name", order_by="path")
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
        link = format_html('<a href="{}">{}</a>', reverse("pupil", args=[record.pupil_id]), record.pupil.name)
        if record.standing == Standing.PRESENT:
            return link
        return format_html("{} {}", link, badge("note" if record.ends_on else "wait", record.get_standing_display()))

    def render_roll(self, value: str) -> str:
        return value[-4:]

    def render_kinds(self, record: Enrolment) -> str:
        if not self._is_ours(record):
            return "—"  # what another school has recorded since is not this one's to read
        return "、".join(circumstance.category.name for circumstance in record.pupil.circumstances_now) or "—"

    def render_account(self, value: bool, record: Enrolment) -> str | SafeString:
        if not self._is_ours(record):
            return "—"
        kind, label = ("wait", "未登记")
        if value:
            kind, label = ("done", "已核验") if record.is_verified else ("note", "未核验")
        return format_html('<span class="badge badge-{}">{}</span>', kind, label)

    def _is_ours(self, record: Enrolment) -> bool:
        return any((record.now_path or "").startswith(path) for path in self.reach)


_NUMBER = {"td": {"class": "num"}, "th": {"class": "num"}}


class RosterImportTable(tables.Table):
    """Rows are imports of the reader's schools; those the reader has to act on say so."""

    checked_at = tables.Column("上传时间")
    unit = tables.Column("单位", accessor="unit__name", orderable=False)
    term = tables.Column("学期", accessor="term__name", orderable=False)
    checked_by = tables.Column("上传人", accessor="checked_by__name", orderable=False)
    state = tables.Column("状态", orderable=False)
    rows_new = tables.Column("新增", orderable=False, attrs=_NUMBER)
    rows_changed = tables.Column("变更", orderable=False, attrs=_NUMBER)
    rows_same = tables.Column("无变化", orderable=False, attrs=_NUMBER)
    rows_refused = tables.Column("有误", orderable=False, attrs=_NUMBER)

    class Meta:
        model = RosterImport
        fields = (
            *("checked_at", "unit", "term", "checked_by", "state"),
            *("rows_new", "rows_changed", "rows_same", "rows_refused"),
        )
        empty_text = "没有符合条件的名册。"

    def __init__(self, *args: Any, waiting: set[UUID], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting = waiting  # for the reader

    def render_checked_at(self, record: RosterImport) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>', reverse("roster_import", args=[record.pk]), cn_time(record.checked_at)
        )

    def render_rows_new(self, value: int, record: RosterImport) -> str:
        # Before the check there is nothing to count; after throwing away, nothing that counts.
        return str(value) if record.state in ("checked", "applying", "applied") else "—"

    render_rows_changed = render_rows_same = render_rows_refused = render_rows_new

    def render_state(self, record: RosterImport) -> SafeString:
        shown = badge(_STATE_BADGES[record.state], record.get_state_display())
        if record.pk in self.waiting:
            return format_html("{} <strong>待您处理</strong>", shown)
        return shown


class FindingTable(tables.Table):
    """Rows are findings of an import; another school they are about is named to those whose scope holds it."""

    level = tables.Column("结果", orderable=False)
    school = tables.Column("学校", accessor="school__name", orderable=False)
    place = tables.Column("位置", orderable=False, empty_values=(), attrs={"td": {"class": "nowrap"}})
    who = tables.Column("学生", orderable=False, attrs={"td": {"class": "nowrap"}})
    column = tables.Column("列", orderable=False, attrs={"td": {"class": "nowrap"}})
    value = tables.Column("内容", orderable=False, attrs={"td": {"class": "tabular masked"}})
    message = tables.Column("说明", orderable=False)
    remedy = tables.Column("怎么改", orderable=False, empty_values=())

    class Meta:
        model = RosterFinding
        fields = ("level", "school", "place", "who", "column", "value", "message", "remedy")
        empty_text = "没有发现问题。"

    def __init__(self, *args: Any, reader: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reader = reader

    def render_level(self, record: RosterFinding) -> SafeString:
        return badge(_LEVELS[record.level], record.get_level_display())

    def render_place(self, record: RosterFinding) -> str:
        sheet = f"{record.sheet} " if record.sheet else ""
        row = f"第 {record.row} 行" if record.row else ""
        return f"{sheet}{row}" or "—"

    def render_remedy(self, record: RosterFinding) -> str:
        return roster_files.remedy(record, self.reader) or "—"


class StaffAccountTable(tables.Table):
    """Rows are staff accounts."""

    unit = tables.Column("单位", accessor="unit__name", order_by="unit__path")
    holder = tables.Column("姓名")
    number = tables.Column("账号", accessor="number_masked", orderable=False, attrs={"td": {"class": "tabular nowrap"}})
    recorded = tables.Column("登记", accessor="recorded_by__name", orderable=False)
    remove = tables.TemplateColumn(
        template_name="students/_staff_account_remove.html",
        verbose_name="",
        orderable=False,
        attrs={"td": {"class": "actions-cell"}},
    )

    class Meta:
        model = StaffAccount
        fields = ("unit", "holder", "number", "recorded", "remove")
        empty_text = "还没有登记教职工账户。登记以后，把学生的收款账户登记成其中一个会被拒绝。"

    def render_recorded(self, record: StaffAccount) -> str:
        return f"{record.recorded_by.name} {cn_date(record.recorded_at)}"


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

    def __init__(self, *args: Any, reach: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reach = tuple(reach)

    def render_stages(self, value: list[str]) -> str:
        return "、".join(Stage(stage).label for stage in value)

    def render_class_count(self, record: School, value: int) -> str | SafeString:
        if not record.unit.path.startswith(self.reach):
            return str(value)
        return format_html(
            '<a href="{}">{}<span class="visually-hidden"> 个班，{}</span></a>',
            reverse("classes", args=[record.pk]),
            value,
            record.unit.name,
        )

    def render_edit(self, record: School) -> SafeString:
        return format_html(
            '<a class="button button-small" href="{}">修改<span class="visually-hidden">{}</span></a>',
            reverse("school_edit", args=[record.pk]),
            record.unit.name,
        )


class ClassTable(tables.Table):
    """Rows are classes with `pupils`."""

    name = tables.Column("班级", accessor="unit__name", order_by="unit__path")
    stage = tables.Column("学段", orderable=False)
    grade = tables.Column("年级", orderable=False)
    major = tables.Column("专业类别", empty_values=(), orderable=False)
    pupils = tables.Column("在读人数", orderable=False, attrs={"td": {"class": "num"}, "th": {"class": "num"}})
    edit = tables.Column("更正", empty_values=(), orderable=False, attrs={"td": {"class": "actions-cell"}})

    class Meta:
        model = SchoolClass
        fields = ("name", "stage", "grade", "major", "pupils", "edit")
        empty_text = "还没有班级。导入本学期名册后，这里会列出全校班级。"

    def __init__(self, *args: Any, has_majors: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_majors:
            self.exclude = ("major",)

    def render_major(self, record: SchoolClass) -> str:
        if record.stage != Stage.VOCATIONAL:
            return "—"
        return record.get_major_display() or "没有登记"

    def render_edit(self, record: SchoolClass) -> SafeString:
        return format_html(
            '<a class="button button-small" href="{}">更正<span class="visually-hidden">{}</span></a>',
            reverse("class_edit", args=[record.pk]),
            record.unit.name,
        )


class TermTable(tables.Table):
    name = tables.Column("学期", orderable=False)
    starts_on = tables.Column("开始", orderable=False)
    ends_on = tables.Column("结束", orderable=False)
    state = tables.Column("状态", empty_values=(), orderable=False)
    edit = tables.Column("修改", empty_values=(), orderable=False, attrs={"td": {"class": "actions-cell"}})

    class Meta:
        model = Term
        fields = ("name", "starts_on", "ends_on", "state", "edit")

    def __init__(self, *args: Any, today: dt.date, now: Term | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today, self.now = today, now

    def render_starts_on(self, value: dt.date) -> str:
        return cn_date(value)

    def render_ends_on(self, value: dt.date) -> str:
        return cn_date(value)

    def render_state(self, record: Term) -> SafeString:
        if record == self.now:
            return badge("go", "本学期")
        return badge("wait", "还没有开始") if record.starts_on > self.today else badge("note", "已过去")

    def render_edit(self, record: Term) -> SafeString | str:
        if record.ends_on < self.today:
            return ""
        return format_html(
            '<a class="button button-small" href="{}">更改日期<span class="visually-hidden">{}</span></a>',
            reverse("term_edit", args=[record.pk]),
            record.name,
        )
