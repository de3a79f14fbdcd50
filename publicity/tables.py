"""Lists of notices and of the lines of one."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.templatetags.aid import badge, cn_date, yuan
from subsidies.states import State
from subsidies.tables import state_badge

from . import notices
from .models import Notice, NoticeLine

_NUM = {"td": {"class": "num"}, "th": {"class": "num"}}


@dataclass(frozen=True)
class Standing:
    """Where a notice stands, in words: a badge, how long it still runs, and whose turn it is."""

    tone: str
    label: str
    sentence: str
    due: str


def standing(notice: Notice, *, open_count: int) -> Standing:
    """`open_count` is the number of its objections that are still being checked."""
    left = notices.days_left(notice)
    checking = f"学校核查 {open_count} 件异议" if open_count else ""
    if notice.state == Notice.State.CLOSED:
        return Standing("done", "已结束", f"{cn_date(notice.closed_at)}结束", checking)
    if left == 0:
        done = f"{'班主任' if notice.level == Notice.Level.CLASS else '学校资助专干'}结束公示并撤下"
        return Standing(
            "wait", "期满待结束", f"{cn_date(notice.ends_on)}已满", "；".join(filter(None, [checking, done]))
        )
    word = notice.get_day_kind_display()
    from_day = cn_date(notice.ends_on + dt.timedelta(days=1))
    return Standing("go", "公示中", f"还需 {left} 个{word}，{from_day}起可以结束", checking or "等待期满")


class NoticeTable(tables.Table):
    """Rows come from `notices.listed`: running ones first, then the newest. `open_counts` as in `notices`."""

    title = tables.Column("公示")
    school = tables.Column("学校或班级")
    published_on = tables.Column("公示期", attrs={"td": {"class": "tabular"}})
    line_count = tables.Column("人数", attrs=_NUM)
    state = tables.Column("状态")
    due = tables.Column("该谁办", empty_values=())

    class Meta:
        model = Notice
        fields = ("title", "school", "published_on", "line_count", "state", "due")
        orderable = False
        empty_text = "没有符合条件的公示。学校评审通过后，由学校资助专干在这里发布。"

    def __init__(self, *args: Any, open_counts: Mapping[UUID, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.open_counts = open_counts

    def render_title(self, record: Notice) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("notice", args=[record.pk]), record.title)

    def render_school(self, record: Notice) -> str:
        return str(record.unit) if record.level == Notice.Level.CLASS else str(record.school)

    def render_published_on(self, record: Notice) -> str:
        return f"{cn_date(record.published_on)} 至 {cn_date(record.ends_on)}"

    def render_state(self, record: Notice) -> SafeString:
        found = self._standing(record)
        return format_html('<span class="badge badge-{}">{}</span> {}', found.tone, found.label, found.sentence)

    def render_due(self, record: Notice) -> str:
        return self._standing(record).due or "—"

    def _standing(self, notice: Notice) -> Standing:
        return standing(notice, open_count=self.open_counts.get(notice.pk, 0))


class PublicLineTable(tables.Table):
    """What everybody may see: the allowed columns and nothing else."""

    position = tables.Column("序号", attrs=_NUM)
    name = tables.Column("姓名")
    grade = tables.Column("年级")
    class_name = tables.Column("班级")
    amount = tables.Column("金额（元）", attrs=_NUM)

    class Meta:
        model = NoticeLine
        fields = ("position", "name", "grade", "class_name", "amount")
        orderable = False
        empty_text = "名单中没有这个姓名。请核对姓名，或清除筛选后逐页查看。"

    def render_amount(self, record: NoticeLine) -> str:
        return yuan(record.amount)


def _has_left(line: NoticeLine) -> bool:
    """Whether the case went to another school with its pupil: what becomes of it there is not this school's."""
    return line.application.school_id != line.notice.school_id or line.application.state == State.MOVING


class LineTable(PublicLineTable):
    """The lines for the people of the school: with each case's state, and the door to an objection."""

    state = tables.Column("办理状态", accessor="application__state")
    act = tables.Column("", empty_values=(), attrs={"td": {"class": "actions-cell"}})

    class Meta(PublicLineTable.Meta):
        fields = ("position", "name", "grade", "class_name", "amount", "state", "act")

    def render_name(self, record: NoticeLine) -> str | SafeString:
        if _has_left(record):
            return record.name
        return format_html('<a href="{}">{}</a>', reverse("application", args=[record.application_id]), record.name)

    def render_state(self, record: NoticeLine) -> SafeString:
        if _has_left(record):
            return badge("note", "随学生转学离校")
        return state_badge(record.application.state)

    def render_act(self, record: NoticeLine) -> str | SafeString:
        if record.application.state != notices.hanging(record.notice) or _has_left(record):
            return ""
        return format_html(
            '<a class="button button-small" href="{}">记录异议<span class="visually-hidden">：{}</span></a>',
            reverse("objection_new", args=[record.pk]),
            record.name,
        )
