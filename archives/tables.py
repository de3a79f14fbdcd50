"""The list of cases that have, or may have, a file."""

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from accounts.templatetags.aid import yuan
from subsidies.models import Application
from subsidies.tables import state_badge

_NUM = {"td": {"class": "num"}, "th": {"class": "num"}}


class DossierTable(tables.Table):
    """Rows come from `dossiers.fileable`, with `number` of the newest file ("" without one)."""

    pupil = tables.Column("学生", order_by="pupil__name")
    school = tables.Column("学校", order_by="school__path")
    school_class = tables.Column("班级", accessor="class_name", order_by="school_class__path")
    round = tables.Column("批次", orderable=False)
    amount = tables.Column("金额（元）", attrs=_NUM)
    state = tables.Column("状态")
    number = tables.Column("最近一次档案", empty_values=(), orderable=False)

    class Meta:
        model = Application
        fields = ("pupil", "school", "school_class", "round", "amount", "state", "number")
        empty_text = "没有符合条件的档案。申请提交以后，就可以在这里生成学生档案；也请检查筛选条件。"

    def render_pupil(self, record: Application) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("dossier", args=[record.pk]), record.pupil.name)

    def render_amount(self, record: Application) -> str:
        return yuan(record.amount)

    def render_state(self, record: Application) -> SafeString:
        return state_badge(record.state)

    def render_number(self, record: Application) -> str | SafeString:
        return record.number or mark_safe('<span class="muted">未生成</span>')
