"""Rosters that schools and the county send in."""

import uuid

from django.db import models
from django.db.models import Q

from accounts.models import Unit, User
from documents.models import Upload

from .register import Term


class RosterImport(models.Model):
    """A roster a school or the county sent in: checked first, applied when somebody says so, or thrown away.

    The row is the job: a file of more than a few rows waits here for a worker, who claims it by raising
    `attempt`. What was found stands in RosterFinding, numbers masked; see students.rosters.
    """

    class State(models.TextChoices):
        UPLOADED = "uploaded", "等待预检"
        CHECKING = "checking", "正在预检"
        NEEDS_MAPPING = "needs_mapping", "待确认列名"
        CHECKED = "checked", "已预检，待确认"
        APPLYING = "applying", "正在导入"
        APPLIED = "applied", "已导入"
        DISCARDED = "discarded", "已放弃"
        CANCELLED = "cancelled", "已取消"
        FAILED = "failed", "没有完成"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="学校或全县")
    term = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="学期")
    # None once thrown away, or past the time files are kept: the file itself is gone then.
    file = models.OneToOneField(Upload, models.PROTECT, null=True, blank=True, related_name="+")
    reading = models.CharField(max_length=80, blank=True, editable=False)  # see students.roster_reading
    # The last row of the audit trail when a worker compared the file with the register.
    compared_at_row = models.PositiveBigIntegerField(default=0, editable=False)
    state = models.CharField("状态", max_length=14, choices=State.choices, default=State.UPLOADED)
    question = models.JSONField(null=True, blank=True)  # which columns are meant; see students.columns.Question
    rows_total = models.PositiveIntegerField("总行数", default=0)
    rows_new = models.PositiveIntegerField("新增", default=0)
    rows_changed = models.PositiveIntegerField("变更", default=0)
    rows_same = models.PositiveIntegerField("无变化", default=0)
    rows_refused = models.PositiveIntegerField("有误", default=0)
    # Of all that was found, also of what is not kept as a row of RosterFinding.
    errors_total = models.PositiveIntegerField("错误", default=0)
    warnings_total = models.PositiveIntegerField("请核对", default=0)
    attempt = models.PositiveSmallIntegerField(default=0, editable=False)
    failure = models.CharField("没有完成的原因", max_length=300, blank=True)
    checked_at = models.DateTimeField("预检时间")
    checked_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="上传人")
    applied_at = models.DateTimeField("导入时间", null=True, blank=True)
    applied_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    # Applied, thrown away, cancelled or given up; nobody's name when a job was given up.
    settled_at = models.DateTimeField("办结时间", null=True, blank=True)
    settled_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-checked_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(applied_at__isnull=True, applied_by__isnull=True)
                | Q(applied_at__isnull=False, applied_by__isnull=False),
                name="roster_import_who_and_when",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["applied", "discarded", "cancelled", "failed"], settled_at__isnull=False)
                | Q(
                    state__in=["uploaded", "checking", "needs_mapping", "checked", "applying"], settled_at__isnull=True
                ),
                name="roster_import_settled_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit} {self.term.key}"

    @property
    def is_running(self) -> bool:
        """Whether a worker has it or is awaited: the page shows progress and offers to cancel."""
        return self.state in (self.State.UPLOADED, self.State.CHECKING, self.State.APPLYING)


class RosterFinding(models.Model):
    """Something the check or the import has to say about a cell, a row or a sheet. Numbers are masked."""

    class Level(models.TextChoices):
        ERROR = "error", "不能导入"
        WARNING = "warning", "请核对"
        CHANGE = "change", "变更"
        NOTE = "note", "说明"

    roster = models.ForeignKey(RosterImport, models.CASCADE, related_name="findings")
    level = models.CharField("结果", max_length=10, choices=Level.choices)
    sheet = models.CharField("工作表", max_length=60, blank=True)
    row = models.PositiveIntegerField("行", null=True, blank=True)
    column = models.CharField("列", max_length=30, blank=True)  # by the name findings use for it: 身份证件号
    column_number = models.PositiveSmallIntegerField(null=True, blank=True)  # in the file; column A is 1
    who = models.CharField("学生", max_length=60, blank=True)
    value = models.CharField("内容", max_length=120, blank=True)
    message = models.CharField("原因", max_length=400)
    remedy = models.CharField("怎么改", max_length=300, blank=True)
    # In a county's file, the school of the row.
    school = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="学校")
    # Another school that is meant; only those whose scope holds it are told its name.
    elsewhere = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["roster", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(level__in=["error", "warning", "change", "note"]), name="roster_finding_level_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.sheet} {self.row} {self.message}"


class HeaderMeaning(models.Model):
    """What somebody of the county said a header means, so that it is asked once.

    `column` is a key of students.columns, or "" for a column that is to be left aside.
    """

    county = models.ForeignKey(Unit, models.PROTECT, related_name="+")
    header = models.CharField("列名", max_length=120)
    column = models.CharField("含义", max_length=30, blank=True)
    at = models.DateTimeField("确认时间")
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="确认人")

    class Meta:
        ordering = ["county", "header"]
        constraints = [models.UniqueConstraint(fields=["county", "header"], name="header_meaning_once_per_county")]

    def __str__(self) -> str:
        return f"{self.header} = {self.column}"
