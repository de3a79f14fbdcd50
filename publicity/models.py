"""Notices with their frozen lines, objections."""

import secrets
import uuid

from django.db import models
from django.db.models import F, Q

from accounts.models import AppendOnlyQuerySet, Unit, User
from accounts.roles import Permission
from documents.models import IssuedDocument, Upload
from subsidies.models import Application, ProcessRule, Round


def new_notice_code() -> str:
    return secrets.token_urlsafe(12)


class Notice(models.Model):
    """公示 of a school, or of a class in its classroom: a frozen list of names, shown from a day to a day."""

    class Level(models.TextChoices):
        CLASS = "class", "班级公示"
        SCHOOL = "school", "学校公示"

    class State(models.TextChoices):
        RUNNING = "running", "公示中"
        CLOSED = "closed", "已结束"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(max_length=24, unique=True, default=new_notice_code)  # in the public address
    round = models.ForeignKey(Round, models.PROTECT, related_name="notices", verbose_name="批次")
    level = models.CharField("层级", max_length=6, choices=Level.choices, default=Level.SCHOOL)
    school = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="学校")
    school_class = models.ForeignKey(Unit, models.PROTECT, null=True, related_name="+", verbose_name="班级")
    title = models.CharField("标题", max_length=120)
    body = models.TextField("正文", max_length=2000)
    phone = models.CharField("监督电话", max_length=40)
    contact = models.CharField("意见受理人", max_length=40)
    place = models.CharField("张贴地点", max_length=80)
    shows_amount = models.BooleanField("公示金额")
    published_on = models.DateField("发布日期")
    ends_on = models.DateField("公示截止")  # last full day of the notice
    counted_days = models.JSONField("计入的公示日")  # ISO dates, as counted when published
    # Which days those are; a rule recorded later changes no notice that hangs.
    day_kind = models.CharField(
        "公示日", max_length=10, choices=ProcessRule.DayKind.choices, default=ProcessRule.DayKind.WORKING
    )
    digest = models.CharField(max_length=64)  # SHA-256 over title, body and lines
    state = models.CharField("状态", max_length=8, choices=State.choices, default=State.RUNNING)
    document = models.OneToOneField(IssuedDocument, models.PROTECT, related_name="+")
    photo = models.OneToOneField(Upload, models.PROTECT, null=True, blank=True, related_name="+")
    published_at = models.DateTimeField("发布时间")
    published_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="发布人")
    closed_at = models.DateTimeField("结束时间", null=True, blank=True)
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="结束人")

    class Meta:
        ordering = ["-published_at"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_on__gt=F("published_on")), name="notice_ends_after_publishing"),
            models.CheckConstraint(
                condition=Q(state="running", closed_at__isnull=True, closed_by__isnull=True)
                | Q(state="closed", closed_at__isnull=False, closed_by__isnull=False),
                name="notice_closed_who_and_when",
            ),
            models.CheckConstraint(
                condition=Q(level="school", school_class__isnull=True) | Q(level="class", school_class__isnull=False),
                name="notice_of_a_class_names_it",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def unit(self) -> Unit:
        """Whose list it is: the class's, or the school's."""
        return self.school_class or self.school

    @property
    def permission(self) -> Permission:
        """What publishes and closes it. Objections are the school's to take in, whoever published."""
        return Permission.PUBLISH_CLASS_NOTICE if self.level == self.Level.CLASS else Permission.PUBLISH_NOTICE


class NoticeLine(models.Model):
    """One name on a notice. Only what may be shown is here at all; the application stands apart."""

    notice = models.ForeignKey(Notice, models.PROTECT, related_name="lines")
    application = models.ForeignKey(Application, models.PROTECT, related_name="notice_lines")
    position = models.PositiveIntegerField("序号")
    name = models.CharField("姓名", max_length=60)
    grade = models.CharField("年级", max_length=20)
    class_name = models.CharField("班级", max_length=80)
    amount = models.DecimalField("金额（元）", max_digits=9, decimal_places=2, null=True)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["notice", "position"]
        constraints = [
            models.UniqueConstraint(fields=["notice", "application"], name="notice_line_once"),
            models.UniqueConstraint(fields=["notice", "position"], name="notice_line_position_once"),
        ]

    def __str__(self) -> str:
        return self.name


class Objection(models.Model):
    """异议: what somebody said against a line, and what the check found."""

    class State(models.TextChoices):
        OPEN = "open", "核查中"
        DISMISSED = "dismissed", "不成立"
        UPHELD = "upheld", "成立"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    line = models.ForeignKey(NoticeLine, models.PROTECT, related_name="objections")
    received_on = models.DateField("收到日期")
    channel = models.CharField("方式", max_length=20)  # 来电、来访、信件 …
    content = models.TextField("异议内容", max_length=1000)
    state = models.CharField("结果", max_length=10, choices=State.choices, default=State.OPEN)
    finding = models.TextField("核查情况", max_length=1000, blank=True)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="受理人")
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="核查人")

    class Meta:
        ordering = ["-recorded_at"]
        constraints = [
            models.UniqueConstraint(fields=["line"], condition=Q(state="open"), name="objection_one_open_per_line"),
            models.CheckConstraint(
                condition=Q(state="open", settled_at__isnull=True, settled_by__isnull=True)
                | (~Q(state="open") & Q(settled_at__isnull=False, settled_by__isnull=False) & ~Q(finding="")),
                name="objection_settled_who_when_and_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.line_id} {self.get_state_display()}"
