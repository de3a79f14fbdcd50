"""Lists of people and of the audit trail."""

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from . import words
from .models import AuditRow, User
from .templatetags.aid import badge, cn_time


class PeopleTable(tables.Table):
    """Rows are users with `posts`, the list of their appointments in force (see views.people)."""

    name = tables.Column("姓名")
    username = tables.Column("账号")
    posts = tables.Column("现任", orderable=False, empty_values=())
    is_active = tables.Column("状态")
    last_login = tables.Column("上次登录", empty_values=())

    class Meta:
        model = User
        fields = ("name", "username", "posts", "is_active", "last_login")
        order_by = "username"
        empty_text = "没有符合条件的人员。请放宽筛选条件，或点右上角“开通账号”。"

    def render_name(self, record: User) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("person", args=[record.pk]), record.name)

    def render_posts(self, record: User) -> str | SafeString:
        posts = "、".join(f"{post.unit.name} {post.get_role_display()}" for post in record.posts)
        return posts or badge("note", "没有任职")

    def render_is_active(self, record: User) -> SafeString:
        if not record.is_active:
            return badge("stop", "已停用")
        if record.must_change_password:
            return badge("wait", "待改首次密码")
        return badge("done", "启用")

    def render_last_login(self, record: User) -> str:
        return cn_time(record.last_login) or "从未"


class AuditTable(tables.Table):
    """Newest first, always: the order is the evidence, so no column sorts."""

    number = tables.Column("序号", attrs={"td": {"class": "num"}, "th": {"class": "num"}})
    at = tables.Column("时间", attrs={"td": {"class": "nowrap tabular"}})
    person = tables.Column("人员")
    action = tables.Column("操作")
    unit_path = tables.Column("单位", empty_values=())
    subject = tables.Column("对象")
    detail = tables.Column("内容", empty_values=())
    origin = tables.Column("来源", attrs={"td": {"class": "muted tabular"}})

    class Meta:
        model = AuditRow
        fields = ("number", "at", "person", "action", "unit_path", "subject", "detail", "origin")
        orderable = False
        empty_text = "这个条件下没有操作记录。请放宽日期或人员。"

    unit_names: dict[int, str] = {}  # set for the rows of the page by views.audit_trail

    def render_at(self, record: AuditRow) -> str:
        return cn_time(record.at)

    def render_person(self, record: AuditRow) -> str:
        return f"{record.person}（{record.username}）" if record.username else record.person

    def render_action(self, record: AuditRow) -> str:
        return words.action(record.action)

    def render_subject(self, record: AuditRow) -> str:
        return words.subject(record.subject)

    def render_unit_path(self, record: AuditRow) -> str:
        return self.unit_names.get(last_key(record.unit_path), "")

    def render_detail(self, record: AuditRow) -> str:
        return words.detail(record.detail)


def last_key(path: str) -> int:
    """The key of the unit a path ends in; 0 for the empty path."""
    return int(path.rstrip("/").rsplit("/", 1)[-1] or 0)
