"""清查: children who may have been missed or counted twice, each with an owner and a way to settle it."""

import uuid

from django.db import models
from django.db.models import F, Q

from accounts import clock
from accounts.models import AppendOnlyQuerySet, Unit, User
from documents.models import Upload
from students.models import Pupil, Stage, Term

from .dated import ENDS_AFTER_START, DatedRows, term_key


class Concern(models.Model):
    """One thing to look at about one pupil in one term. Found by subsidies.concerns, settled by its owner.

    `facts` is what made it a concern; `digest` is taken over them: a settled concern stays settled until the
    facts change, and is then open again. What concerns two schools is one concern of the county's with a twin
    at each school; the twins know nothing of the other school.
    """

    class Kind(models.TextChoices):
        MISSED = "missed", "在困难名单上但没有申请"
        WITHOUT_EVIDENCE = "without_evidence", "受助但没有有效依据"
        TWO_SCHOOLS = "two_schools", "疑似双学籍"
        EXCLUDED_TWICE = "excluded_twice", "享受了不能兼得的项目"
        AGE = "age", "年龄与学段不符"
        EXPIRING = "expiring", "困难类别本学期到期"
        SIBLING = "sibling", "同户兄弟姐妹只报了一人"

    class State(models.TextChoices):
        OPEN = "open", "待处理"
        SETTLED = "settled", "已处理"
        GONE = "gone", "情况已消除"

    kind = models.CharField("事项", max_length=18, choices=Kind.choices)
    term = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="学期")
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="concerns", verbose_name="学生")
    subject = models.CharField(max_length=80, blank=True)  # tells two concerns of one kind about one pupil apart
    owner = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="办理单位")
    # Who may read it: the path of the pupil's class, or the county's for what is the county's alone.
    path = models.CharField(max_length=60, editable=False)
    class_name = models.CharField("班级", max_length=80, blank=True)  # as in this term; "" for the county's
    about = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="twins")  # the county's row
    facts = models.JSONField("情况", default=dict)
    digest = models.CharField(max_length=64)
    state = models.CharField("状态", max_length=8, choices=State.choices, default=State.OPEN)
    # How it was settled last, as long as that counts; what was said before stays in `settlements`.
    settlement = models.OneToOneField(
        "Settlement", models.PROTECT, null=True, blank=True, related_name="+", verbose_name="处理结果"
    )
    found_at = models.DateTimeField("发现时间")

    class Meta:
        ordering = ["path", "kind", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "term", "pupil", "subject"], name="concern_once"),
            models.CheckConstraint(
                condition=Q(state="open", settlement__isnull=True)
                | Q(state="settled", settlement__isnull=False)
                | Q(state="gone"),
                name="concern_settled_by_a_settlement",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "term", "state"], name="concern_by_owner"),
            models.Index(fields=["term", "path"], name="concern_by_term_and_path"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pupil_id}"


class ConcernReason(models.Model):
    """A way to settle one kind of concern (of MISSED: 未资助原因), with the days in which it may be chosen."""

    kind = models.CharField("事项", max_length=18, choices=Concern.Kind.choices)
    code = models.SlugField("代码", max_length=30)
    label = models.CharField("处理结果", max_length=40)
    rank = models.PositiveSmallIntegerField("排序", default=100)
    needs_note = models.BooleanField("须写说明", default=False)
    needs_proof = models.BooleanField("须附证明", default=False)
    source = models.CharField("依据", max_length=120)
    valid_from = models.DateField("启用日期")
    valid_to = models.DateField("停用日期", null=True, blank=True)  # the last day it may be chosen
    recorded_at = models.DateTimeField(default=clock.now)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped with the system

    class Meta:
        ordering = ["kind", "rank", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "code"], condition=Q(valid_to__isnull=True), name="concern_reason_open_once"
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="concern_reason_days"
            ),
        ]

    def __str__(self) -> str:
        return self.label


class Settlement(models.Model):
    """How a concern was settled: the reason, the words, the proof. Written once; a refusal by parents stays."""

    concern = models.ForeignKey(Concern, models.PROTECT, related_name="settlements", verbose_name="清查事项")
    reason = models.ForeignKey(ConcernReason, models.PROTECT, related_name="+", verbose_name="处理结果")
    note = models.CharField("说明", max_length=200, blank=True)
    proof = models.OneToOneField(
        Upload, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="证明扫描件"
    )
    digest = models.CharField(max_length=64)  # of the facts it was said about
    at = models.DateTimeField("处理时间")
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="处理人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.reason} {self.by}"


class Screening(models.Model):
    """清查 of a county or of one school for a term. The row is the job; one at a time for a unit and term."""

    class State(models.TextChoices):
        QUEUED = "queued", "排队中"
        RUNNING = "running", "清查中"
        DONE = "done", "已完成"
        FAILED = "failed", "没有完成"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="范围")
    term = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="学期")
    state = models.CharField("状态", max_length=8, choices=State.choices, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField("尝试次数", default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    schools_done = models.PositiveIntegerField("已清查学校", default=0)
    schools_total = models.PositiveIntegerField("学校", default=0)
    counts = models.JSONField("结果", default=dict)
    asked_at = models.DateTimeField("提出时间")
    asked_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="提出人")
    finished_at = models.DateTimeField("完成时间", null=True, blank=True)

    class Meta:
        ordering = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["unit", "term"], condition=Q(state__in=["queued", "running"]), name="screening_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | Q(finished_at__isnull=False), name="screening_done_at_a_moment"
            ),
        ]
        indexes = [models.Index(fields=["term", "state", "finished_at"], name="screening_by_term_and_state")]

    def __str__(self) -> str:
        return f"{self.unit} {self.term.key}"


class StageAges(models.Model):
    """How old pupils of a stage usually are on a day of the school year, from a term to a term."""

    stage = models.CharField("学段", max_length=10, choices=Stage.choices)
    min_age = models.PositiveSmallIntegerField("最小年龄")
    max_age = models.PositiveSmallIntegerField("最大年龄")
    # Of the autumn in which the school year begins: 31 August.
    on_month = models.PositiveSmallIntegerField("计算年龄的月份", default=8)
    on_day = models.PositiveSmallIntegerField("计算年龄的日期", default=31)
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    last_term = models.CharField("截止学期", max_length=11, blank=True, validators=[term_key])
    source = models.CharField("依据", max_length=120)
    recorded_at = models.DateTimeField(default=clock.now)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped with the system

    objects = DatedRows.as_manager()

    class Meta:
        ordering = ["stage", "-first_term"]
        constraints = [
            models.UniqueConstraint(
                fields=["stage", "first_term"],
                name="stage_ages_once_per_term",
                violation_error_message="这个学段在这个学期已经有年龄范围。",
            ),
            models.CheckConstraint(condition=Q(max_age__gte=F("min_age")), name="stage_ages_in_order"),
            models.CheckConstraint(
                condition=Q(on_month__gte=1, on_month__lte=12, on_day__gte=1, on_day__lte=31), name="stage_ages_day"
            ),
            models.CheckConstraint(condition=ENDS_AFTER_START, name="stage_ages_end_after_start"),
        ]

    def __str__(self) -> str:
        return f"{self.get_stage_display()} {self.min_age}—{self.max_age} 岁"
