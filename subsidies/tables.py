"""Lists of rounds, applications, batches and lines."""

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import clock
from accounts.templatetags.aid import badge, cn_date, yuan

from .models import Application, PaymentBatch, PaymentLine, Round
from .states import State

_NUM = {"td": {"class": "num"}, "th": {"class": "num"}}

# The badge of each state: waiting, going on, done, stopped, or only a note.
TONES = {
    State.DRAFT: "note",
    State.RETURNED: "stop",
    State.SUBMITTED: "wait",
    State.CLASS_REVIEWED: "wait",
    State.SCHOOL_REVIEWED: "wait",
    State.ON_NOTICE: "go",
    State.HELD: "stop",
    State.CLEARED: "wait",
    State.REPORTED: "wait",
    State.VERIFIED: "wait",
    State.APPROVED: "wait",
    State.IN_BATCH: "go",
    State.PAID: "done",
    State.REJECTED: "stop",
    State.WITHDRAWN: "note",
}


def state_badge(state: str) -> SafeString:
    known = State(state)
    return badge(TONES[known], known.label)


class RoundTable(tables.Table):
    programme = tables.Column("项目")
    term = tables.Column("学期", order_by="term__key")
    unit = tables.Column("范围")
    window = tables.Column("填报时间", empty_values=(), order_by="opens_on")
    status = tables.Column("状态", empty_values=(), orderable=False)

    class Meta:
        model = Round
        fields = ("programme", "term", "unit", "window", "status")
        empty_text = "还没有开启的批次。开启后，班主任才能填报申请。"

    def render_programme(self, record: Round) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("round", args=[record.pk]), record.programme)

    def render_window(self, record: Round) -> str:
        return f"{cn_date(record.opens_on)} 至 {cn_date(record.closes_on)}"

    def render_status(self, record: Round) -> SafeString:
        today = clock.today()
        if today < record.opens_on:
            return badge("wait", "未开始")
        if today > record.closes_on:
            return badge("done", "填报已截止")
        left = (record.closes_on - today).days
        return badge("go", f"填报中，还有 {left} 天")


class ApplicationTable(tables.Table):
    pupil = tables.Column("学生", order_by="pupil__name")
    roll = tables.Column("学籍号尾号", accessor="pupil__roll_masked", orderable=False)
    school = tables.Column("学校", order_by="school__path")
    school_class = tables.Column("班级", order_by="school_class__path")
    round = tables.Column("批次", orderable=False)
    state = tables.Column("状态")
    amount = tables.Column("金额（元）", attrs=_NUM)

    class Meta:
        model = Application
        fields = ("pupil", "roll", "school", "school_class", "round", "state", "amount")
        empty_text = "没有符合条件的申请。可以放宽筛选条件；班主任在“资助批次”里为本班填报。"

    def render_pupil(self, record: Application) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("application", args=[record.pk]), record.pupil.name)

    def render_roll(self, value: str) -> str:
        return value[-4:]

    def render_state(self, record: Application) -> SafeString:
        return state_badge(record.state)

    def render_amount(self, value) -> str:
        return yuan(value)


class BatchTable(tables.Table):
    number = tables.Column("批次号")
    round = tables.Column("资助批次", orderable=False)
    line_count = tables.Column("人数", attrs=_NUM)
    total = tables.Column("金额（元）", attrs=_NUM)
    made_at = tables.Column("编制时间")
    made_by = tables.Column("编制人", orderable=False)

    class Meta:
        model = PaymentBatch
        fields = ("number", "round", "line_count", "total", "made_at", "made_by")
        empty_text = "还没有发放批次。县级审批通过后，由县资助中心经办在批次页编制。"

    def render_number(self, record: PaymentBatch) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("batch", args=[record.pk]), record.number)

    def render_total(self, value) -> str:
        return yuan(value)

    def render_made_at(self, value) -> str:
        return cn_date(value)


class LineTable(tables.Table):
    position = tables.Column("序号", attrs=_NUM)
    name = tables.Column("学生", accessor="snapshot__name", orderable=False)
    school_class = tables.Column("班级", accessor="snapshot__class", orderable=False)
    holder = tables.Column("收款人", accessor="snapshot__holder", orderable=False)
    relation = tables.Column("与学生关系", accessor="snapshot__relation", orderable=False)
    bank = tables.Column("开户行", accessor="snapshot__bank", orderable=False)
    account = tables.Column("账号", accessor="snapshot__account", orderable=False)
    amount = tables.Column("金额（元）", attrs=_NUM)

    class Meta:
        model = PaymentLine
        fields = ("position", "name", "school_class", "holder", "relation", "bank", "account", "amount")

    def render_name(self, record: PaymentLine) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>', reverse("application", args=[record.application_id]), record.snapshot["name"]
        )

    def render_amount(self, value) -> str:
        return yuan(value)
