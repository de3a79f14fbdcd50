"""Lists of rounds, applications, batches and lines."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import clock
from accounts.templatetags.aid import badge, cn_date, yuan
from students.rollovers import Turn
from students.term_keys import term_name

from . import concern_words
from .deadline_plans import countdown
from .models import Application, Concern, PaymentBatch, PaymentLine, Round
from .rollover_files import STATES
from .states import State

_NUM = {"td": {"class": "num"}, "th": {"class": "num"}}

# The badge of each state: waiting, going on, done, stopped, or only a note.
TONES = {
    State.DRAFT: "note",
    State.RETURNED: "stop",
    State.SUBMITTED: "wait",
    State.CLASS_PASSED: "wait",
    State.ON_CLASS_NOTICE: "go",
    State.CLASS_HELD: "stop",
    State.CLASS_REVIEWED: "wait",
    State.SCHOOL_REVIEWED: "wait",
    State.CONFIRMED: "wait",
    State.ON_NOTICE: "go",
    State.HELD: "stop",
    State.CLEARED: "wait",
    State.REPORTED: "wait",
    State.VERIFIED: "wait",
    State.APPROVED: "wait",
    State.IN_BATCH: "go",
    State.PAID: "done",
    State.MOVING: "go",
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
    next = tables.Column("下一个期限", empty_values=(), orderable=False)

    class Meta:
        model = Round
        fields = ("programme", "term", "unit", "window", "status", "next")
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
        return badge("go", f"填报中，{countdown(record.closes_on, today)}")

    def render_next(self, record: Round) -> str:
        ahead = sorted((row for row in record.deadlines.all() if row.due_on >= clock.today()), key=lambda r: r.due_on)
        if not ahead:
            return "—"
        return f"{ahead[0].get_work_display()} {cn_date(ahead[0].due_on)}，{countdown(ahead[0].due_on, clock.today())}"


class ApplicationTable(tables.Table):
    pupil = tables.Column("学生", order_by="pupil__name")
    roll = tables.Column("学籍号尾号", accessor="pupil__roll_masked", orderable=False)
    school = tables.Column("学校", order_by="school__path")
    school_class = tables.Column("班级", accessor="class_name", order_by="school_class__path")
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
    maker = tables.Column("编制人", orderable=False)

    class Meta:
        model = PaymentBatch
        fields = ("number", "round", "line_count", "total", "made_at", "maker")
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


CONCERN_TONES = {Concern.State.OPEN: "wait", Concern.State.SETTLED: "done", Concern.State.GONE: "note"}


class ConcernTable(tables.Table):
    """Rows are concerns with pupil, owner and settlement. `units` are names of schools the reader may know."""

    chosen = tables.Column("选择", accessor="pk", orderable=False)
    pupil = tables.Column("学生", order_by=("pupil__name", "pk"), attrs={"td": {"class": "cell-name"}})
    owner = tables.Column("办理单位", order_by=("owner__path", "pk"))
    class_name = tables.Column("班级", order_by=("path", "pk"), attrs={"td": {"class": "nowrap"}})
    kind = tables.Column("事项", order_by=("kind", "path", "pk"))
    told = tables.Column("情况", accessor="facts", orderable=False)
    state = tables.Column("状态", orderable=False)

    class Meta:
        model = Concern
        fields = ("chosen", "pupil", "owner", "class_name", "kind", "told", "state")
        empty_text = "没有符合条件的事项。可以放宽筛选条件，或点“重新清查”。"

    def __init__(self, *args: Any, units: Mapping[int, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.units = units

    def render_chosen(self, record: Concern) -> SafeString:
        return format_html(
            '<input type="checkbox" name="concern" value="{0}" aria-label="选择{1}">'
            '<input type="hidden" name="seen_{0}" value="{2}">',
            record.pk,
            record.pupil.name,
            record.digest,
        )

    def render_pupil(self, record: Concern) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("concern", args=[record.pk]), record.pupil.name)

    def render_class_name(self, value: str) -> str:
        return value or "—"

    def render_kind(self, record: Concern) -> str:
        return record.get_kind_display()

    def render_told(self, record: Concern) -> str:
        return concern_words.sentence(record.kind, record.facts, self.units)

    def render_state(self, record: Concern) -> SafeString:
        shown = badge(CONCERN_TONES[Concern.State(record.state)], record.get_state_display())
        said = record.settlement
        return format_html('{} <span class="hint">{}</span>', shown, said.reason) if said else shown


class TurnTable(tables.Table):
    """Rows are students.rollovers.Turn: a school, the term it is due for, and where it stands.

    `mine` are keys of the schools the reader may take into the next term.
    """

    # These three have no value of their own; a look-up that fails would spell out the whole row.
    chosen = tables.Column("选", accessor="school", orderable=False)
    school = tables.Column("学校", accessor="school__name", orderable=False)
    source = tables.Column("从", accessor="source__name", orderable=False)
    target = tables.Column("到", accessor="target_key", orderable=False)
    pupils = tables.Column("在读", orderable=False, attrs=_NUM)
    entered = tables.Column("已在新名册", orderable=False, attrs=_NUM)
    state = tables.Column("状态", accessor="school", orderable=False)
    act = tables.Column("办理", accessor="school", orderable=False, attrs={"td": {"class": "actions-cell"}})

    class Meta:
        empty_text = "您的范围内还没有登记的学校。"

    def __init__(self, *args: Any, many: bool, mine: set[int], **kwargs: Any) -> None:
        super().__init__(*args, exclude=() if many else ("chosen",), **kwargs)
        self.mine = mine

    def render_chosen(self, record: Turn) -> SafeString | str:
        if not record.is_due or record.school.pk not in self.mine:
            return ""
        box = '<label class="check"><input type="checkbox" name="school" value="{}" aria-label="选择{}"></label>'
        return format_html(box, record.school.pk, record.school.name)

    def render_target(self, record: Turn) -> str:
        return term_name(record.target_key)

    def render_state(self, record: Turn) -> SafeString:
        if record.done and record.is_done:
            return badge("done", f"{cn_date(record.done.done_at)}已结转")
        if record.target is None:
            return badge("note", "新学期还没有登记")
        if not record.pupils:
            return badge("note", "没有在读学生")
        if record.is_early:
            return badge("note", f"{cn_date(record.source.ends_on + dt.timedelta(days=1))}起办理")
        return badge("wait", "待结转")

    def render_act(self, record: Turn) -> SafeString | str:
        if record.done and record.is_done:
            url, label = reverse("rollover", args=[record.done.pk]), "查看报告"
        elif record.is_due and record.school.pk in self.mine:
            url, label = reverse("rollover_plan", args=[record.school.pk]), "办理结转"
        else:
            return ""
        hidden = '<span class="visually-hidden">{}</span>'
        return format_html(f'<a class="button button-small" href="{{}}">{{}}{hidden}</a>', url, label, record.school)


class EvidenceTable(tables.Table):
    """Rows are lines of a roll-over's report on evidence (students.rollovers.Outcome.evidence)."""

    class_name = tables.Column("班级", orderable=False, attrs={"td": {"class": "nowrap"}})
    name = tables.Column("学生", orderable=False, attrs={"td": {"class": "cell-name"}})
    kind = tables.Column("困难类别", orderable=False)
    what = tables.Column("情况", orderable=False)
    remedy = tables.Column("怎么办", orderable=False)

    class Meta:
        empty_text = "没有要核实的困难依据：登记的依据在新学期都有效。"

    def render_name(self, record: dict[str, Any]) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("pupil", args=[record["pupil"]]), record["name"])


class CarriedListTable(tables.Table):
    """Rows are lines of last term's lists that differ now (subsidies.rollovers.last_lists)."""

    class_name = tables.Column("班级", orderable=False, attrs={"td": {"class": "nowrap"}})
    name = tables.Column("学生", orderable=False, attrs={"td": {"class": "cell-name"}})
    programme = tables.Column("项目", orderable=False)
    before = tables.Column("上学期（元）", orderable=False, attrs=_NUM)
    after = tables.Column("新学期（元）", orderable=False, attrs=_NUM)
    state = tables.Column("结果", orderable=False)
    marks = tables.Column("与上学期的不同", orderable=False)

    class Meta:
        empty_text = "上学期名单上的学生情况都没有变化。"

    def render_before(self, value: str) -> str:
        return yuan(Decimal(value))

    def render_after(self, value: str) -> str:
        return yuan(Decimal(value)) if value else "—"

    def render_state(self, value: str) -> SafeString:
        tone = {"offered": "wait", "not_entitled": "stop", "gone": "note"}[value]
        return badge(tone, STATES[value])

    def render_marks(self, value: list[str]) -> str:
        return "；".join(value)
