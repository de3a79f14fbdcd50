"""Programmes, their dated standards, the categories they accept, and the rules of their procedure."""

from decimal import Decimal

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q

from accounts import clock
from accounts.models import User
from students.models import Boarding, Stage

term_key = RegexValidator(r"^\d{4}-\d{4}-[12]$", "学期代码形如 2026-2027-1（1 为秋季，2 为春季）。")


class Programme(models.Model):
    """资助项目. What it pays stands in its standards; whom, in its accepted categories."""

    code = models.SlugField("代码", max_length=30, unique=True)
    name = models.CharField("项目", max_length=60, unique=True)
    stages = models.JSONField("学段", default=list)
    tiers = models.JSONField("困难等级", default=list, blank=True)  # names in order; empty: no tiers
    basis = models.CharField("政策依据", max_length=200)
    is_active = models.BooleanField("启用", default=True)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class Standard(models.Model):
    """元 per term for a stage, boarding status and tier, from a term on (chosen by the term paid for)."""

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="standards", verbose_name="项目")
    stage = models.CharField("学段", max_length=10, choices=Stage.choices)
    boarding = models.CharField("就读方式", max_length=10, choices=Boarding.choices, blank=True)
    tier = models.CharField("困难等级", max_length=20, blank=True)
    amount = models.DecimalField(
        "标准（元/学期）",
        max_digits=9,
        decimal_places=2,
        validators=[MinValueValidator(Decimal("0.01"), "金额必须大于零。")],
    )
    document = models.CharField("文件（文号）", max_length=120)
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    last_term = models.CharField("截止学期", max_length=11, blank=True, validators=[term_key])
    recorded_at = models.DateTimeField(default=clock.now)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped with the system

    class Meta:
        ordering = ["programme", "stage", "boarding", "tier", "-first_term"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="standard_amount_positive"),
            models.CheckConstraint(
                condition=Q(last_term="") | Q(last_term__gte=F("first_term")), name="standard_ends_after_start"
            ),
            models.UniqueConstraint(
                fields=["programme", "stage", "boarding", "tier", "first_term"],
                name="standard_one_per_case_and_term",
                violation_error_message="同一学段、就读方式和等级在这个学期已经有标准。",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.get_stage_display()} {self.first_term}"


class AcceptedCategory(models.Model):
    """A hardship category (by code) that opens the programme, from a term to a term."""

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="accepted", verbose_name="项目")
    category_code = models.SlugField("困难类别代码", max_length=30)
    # Day pupils are aided on fewer grounds than boarders in most places; empty: either.
    boarding = models.CharField("就读方式", max_length=10, choices=Boarding.choices, blank=True)
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    last_term = models.CharField("截止学期", max_length=11, blank=True, validators=[term_key])
    source = models.CharField("依据", max_length=120)

    class Meta:
        ordering = ["programme", "category_code"]
        constraints = [
            models.UniqueConstraint(
                fields=["programme", "category_code", "boarding", "first_term"], name="accepted_category_once_per_term"
            )
        ]

    def __str__(self) -> str:
        return self.category_code


class ProcessRule(models.Model):
    """How a programme's list is reviewed and shown, from a term on."""

    class DayKind(models.TextChoices):
        WORKING = "working", "工作日"
        CALENDAR = "calendar", "自然日"

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="process_rules", verbose_name="项目")
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    class_review_members = models.PositiveSmallIntegerField("班级评议小组最少人数", default=5)
    school_review_members = models.PositiveSmallIntegerField("学校评审小组最少人数", default=10)
    notice_days = models.PositiveSmallIntegerField("公示天数", default=5)
    notice_day_kind = models.CharField("公示日", max_length=10, choices=DayKind.choices, default=DayKind.WORKING)
    notice_shows_amount = models.BooleanField("公示金额", default=True)
    source = models.CharField("依据", max_length=200)

    class Meta:
        ordering = ["programme", "-first_term"]
        constraints = [
            models.UniqueConstraint(fields=["programme", "first_term"], name="process_rule_once_per_term"),
            models.CheckConstraint(condition=Q(notice_days__gte=1), name="process_rule_notice_at_least_one_day"),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.first_term}"


class ProgrammeExclusion(models.Model):
    """Two programmes one child may not have in one term, from a term to a term."""

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="exclusions", verbose_name="项目")
    other = models.ForeignKey(Programme, models.PROTECT, related_name="+", verbose_name="不能兼得的项目")
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    last_term = models.CharField("截止学期", max_length=11, blank=True, validators=[term_key])
    source = models.CharField("依据", max_length=120)
    recorded_at = models.DateTimeField(default=clock.now)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped with the system

    class Meta:
        ordering = ["programme__code", "other__code", "-first_term"]
        constraints = [
            # Each pair stands once, the older programme first.
            models.CheckConstraint(condition=Q(programme__lt=F("other")), name="exclusion_in_order"),
            models.UniqueConstraint(fields=["programme", "other", "first_term"], name="exclusion_once_per_term"),
            models.CheckConstraint(
                condition=Q(last_term="") | Q(last_term__gte=F("first_term")), name="exclusion_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme} / {self.other}"
