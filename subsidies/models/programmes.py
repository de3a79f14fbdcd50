"""Programmes, their dated standards, the categories they accept, and the rules of their procedure."""

import hashlib
import json
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from accounts import clock
from accounts.models import User
from students.models import Boarding

from .. import meeting_words
from .. import policy_words as words
from ..rule_checks import channel_fault
from .dated import ENDS_AFTER_START, DatedRows, term_key


class Programme(models.Model):
    """资助项目. What it pays stands in its standards; whom, in its accepted categories."""

    class Unit(models.TextChoices):
        """What an amount of its standards is for; see `Standard.amount`."""

        TERM = "term", words.UNITS["term"]
        YEAR = "year", words.UNITS["year"]
        MONTH = "month", words.UNITS["month"]
        DAY = "day", words.UNITS["day"]
        ONCE = "once", words.UNITS["once"]

    class Applied(models.TextChoices):
        TERM = "term", words.APPLIED["term"]
        YEAR = "year", words.APPLIED["year"]

    class Paid(models.TextChoices):
        TERM = "term", words.PAID["term"]
        MONTH = "month", words.PAID["month"]

    class Form(models.TextChoices):
        CASH = "cash", words.FORMS["cash"]
        WAIVER = "waiver", words.FORMS["waiver"]
        MEALS = "meals", words.FORMS["meals"]

    class Funding(models.TextChoices):
        STATE = "state", words.FUNDING["state"]
        SCHOOL = "school", words.FUNDING["school"]
        SOCIAL = "social", words.FUNDING["social"]

    class Channel(models.TextChoices):
        CARD = "card", words.CHANNELS["card"]
        SCHOOL = "school", words.CHANNELS["school"]
        CANTEEN = "canteen", words.CHANNELS["canteen"]
        CASH = "cash", words.CHANNELS["cash"]
        MEAL_CARD = "meal_card", words.CHANNELS["meal_card"]

    class Recipients(models.TextChoices):
        ALL = "all", words.RECIPIENTS["all"]
        LISTED = "listed", words.RECIPIENTS["listed"]
        PERCENTAGE = "percentage", words.RECIPIENTS["percentage"]

    code = models.SlugField("代码", max_length=30, unique=True)
    name = models.CharField("项目", max_length=60, unique=True)
    stages = models.JSONField("学段", default=list)
    unit = models.CharField("标准按什么计算", max_length=5, choices=Unit.choices, default=Unit.TERM)
    applied = models.CharField("申请", max_length=4, choices=Applied.choices, default=Applied.TERM)
    paid = models.CharField("发放", max_length=5, choices=Paid.choices, default=Paid.TERM)
    form = models.CharField("资助形式", max_length=6, choices=Form.choices, default=Form.CASH)
    funding = models.CharField("资金来源", max_length=6, choices=Funding.choices, default=Funding.STATE)
    channels = models.JSONField("发放渠道", default=list)  # Channel values; `rule_checks.channel_fault` on what may be
    recipients = models.CharField("受助对象", max_length=10, choices=Recipients.choices, default=Recipients.LISTED)
    tiers = models.JSONField("困难等级", default=list, blank=True)  # names in order; empty: no tiers
    # 就高不就低: of several standards that fit a child the highest counts. Without it two such standards are refused.
    highest_wins = models.BooleanField("同时符合几条标准时就高", default=False)
    pro_rata = models.BooleanField("按实际在校时间计算", default=False)  # only by month or day
    basis = models.CharField("政策依据", max_length=200)
    is_active = models.BooleanField("启用", default=True)
    recorded_at = models.DateTimeField(default=clock.now)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped with the system

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(unit__in=["term", "year", "month", "day", "once"]), name="programme_unit_known"
            ),
            models.CheckConstraint(condition=Q(form__in=["cash", "waiver", "meals"]), name="programme_form_known"),
            models.CheckConstraint(
                condition=Q(recipients__in=["all", "listed", "percentage"]), name="programme_recipients_known"
            ),
            models.CheckConstraint(
                condition=Q(pro_rata=False) | Q(unit__in=["month", "day"]), name="programme_pro_rata_by_month_or_day"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        fault = channel_fault(self.name, form=self.form, channels=self.channels, funding=self.funding)
        if fault:
            raise ValidationError({fault.where: fault.words})


class Standard(models.Model):
    """An amount for whoever fits all conditions, in the terms from first to last (by the term paid for).

    `conditions` is {fact: [values]}; the facts are those of `policy_words.CONDITIONS`. The categories are codes of
    students.Category: at least one of `any_of`, every one of `all_of`, not one of `none_of`. `flags` is a list of
    {category, name, values}: what the category's list must say of the child. `amount` is 元 for one unit of the
    programme: a term, a school year (half of it for each term), a month or a day (times `periods`), or once.
    """

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="standards", verbose_name="项目")
    conditions = models.JSONField("条件", default=dict, blank=True)
    any_of = models.JSONField("困难类别（任一）", default=list, blank=True)
    all_of = models.JSONField("困难类别（全部）", default=list, blank=True)
    none_of = models.JSONField("困难类别（不含）", default=list, blank=True)
    flags = models.JSONField("名单标识", default=list, blank=True)
    # SHA-256 over the five above: rows with the same case follow one another in time.
    case = models.CharField(max_length=64, editable=False)
    amount = models.DecimalField(
        "标准（元）",
        max_digits=9,
        decimal_places=2,
        validators=[MinValueValidator(Decimal("0.01"), "金额必须大于零。")],
    )
    periods = models.DecimalField("每学期的月数或天数", max_digits=5, decimal_places=1, default=Decimal(1))
    document = models.CharField("文件名称和文号", max_length=120)
    document_date = models.DateField("文件日期", null=True, blank=True)
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    last_term = models.CharField("截止学期", max_length=11, blank=True, validators=[term_key])
    recorded_at = models.DateTimeField(default=clock.now)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped with the system

    objects = DatedRows.as_manager()

    class Meta:
        ordering = ["programme", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="standard_amount_positive"),
            models.CheckConstraint(condition=Q(periods__gt=0), name="standard_periods_positive"),
            models.CheckConstraint(condition=~Q(case=""), name="standard_case_reckoned"),
            models.CheckConstraint(condition=~Q(document=""), name="standard_names_its_document"),
            models.CheckConstraint(condition=ENDS_AFTER_START, name="standard_ends_after_start"),
            models.UniqueConstraint(
                fields=["programme", "case", "first_term"],
                name="standard_one_per_case_and_term",
                violation_error_message="同样条件的学生在这个学期已经有标准。",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.amount} {self.first_term}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.reckon_case()
        super().save(*args, **kwargs)

    def reckon_case(self) -> str:
        """Set (and return) the digest of whom the row is for; `bulk_create` does not do it by itself."""
        flags = sorted([f["category"], f["name"], sorted(f["values"])] for f in self.flags)
        conditions = sorted([fact, sorted(values)] for fact, values in self.conditions.items())
        said = [conditions, sorted(self.any_of), sorted(self.all_of), sorted(self.none_of), flags]
        self.case = hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()
        return self.case


class AcceptedCategory(models.Model):
    """A hardship category (by code) that opens the programme, from a term to a term."""

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="accepted", verbose_name="项目")
    category_code = models.SlugField("困难类别代码", max_length=30)
    # Day pupils are aided on fewer grounds than boarders in most places; empty: either.
    boarding = models.CharField("就读方式", max_length=10, choices=Boarding.choices, blank=True)
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    last_term = models.CharField("截止学期", max_length=11, blank=True, validators=[term_key])
    source = models.CharField("文件名称和文号", max_length=120)
    recorded_at = models.DateTimeField(default=clock.now)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped with the system

    objects = DatedRows.as_manager()

    class Meta:
        ordering = ["programme", "category_code", "boarding", "first_term"]
        constraints = [
            models.UniqueConstraint(
                fields=["programme", "category_code", "boarding", "first_term"], name="accepted_category_once_per_term"
            ),
            models.CheckConstraint(condition=ENDS_AFTER_START, name="accepted_category_ends_after_start"),
        ]

    def __str__(self) -> str:
        return self.category_code


class ProcessRule(models.Model):
    """How a programme's list is reviewed and shown, from a term on.

    `seats` says who has to be in the review group: {where: {kind: people}}, where "school" is the school's group and a
    stage (students.Stage) the class groups of that stage, kind one of MeetingMember.Kind, people the fewest present,
    0 for those who may not sit at all; of whom nothing is said may sit. A pass mark is the least share of those present
    who agree, in per cent (votes), or the least points of a hundred (scores); 0 is none.
    """

    class Method(models.TextChoices):
        TALK = "talk", meeting_words.METHODS["talk"]
        VOTES = "votes", meeting_words.METHODS["votes"]
        SCORES = "scores", meeting_words.METHODS["scores"]
        RANKING = "ranking", meeting_words.METHODS["ranking"]

    class DayKind(models.TextChoices):
        WORKING = "working", words.DAY_KINDS["working"]
        CALENDAR = "calendar", words.DAY_KINDS["calendar"]

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="process_rules", verbose_name="项目")
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    class_review_members = models.PositiveSmallIntegerField("班级评议小组最少人数", default=5)
    school_review_members = models.PositiveSmallIntegerField("学校评审小组最少人数", default=10)
    class_method = models.CharField("班级评议方式", max_length=7, choices=Method.choices, default=Method.TALK)
    class_pass_mark = models.PositiveSmallIntegerField("班级评议通过线", default=0)
    school_method = models.CharField("学校评审方式", max_length=7, choices=Method.choices, default=Method.TALK)
    school_pass_mark = models.PositiveSmallIntegerField("学校评审通过线", default=0)
    attendance_percent = models.PositiveSmallIntegerField("最低到会率", default=0)
    seats = models.JSONField("评议小组组成", default=dict, blank=True)
    class_notice_days = models.PositiveSmallIntegerField("班级公示天数", default=0)  # 0: no notice in the class
    notice_days = models.PositiveSmallIntegerField("公示天数", default=5)
    notice_day_kind = models.CharField("公示日", max_length=10, choices=DayKind.choices, default=DayKind.WORKING)
    notice_shows_amount = models.BooleanField("公示金额", default=True)
    source = models.CharField("文件名称和文号", max_length=200)
    recorded_at = models.DateTimeField(default=clock.now)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped with the system

    class Meta:
        ordering = ["programme", "-first_term"]
        constraints = [
            models.UniqueConstraint(fields=["programme", "first_term"], name="process_rule_once_per_term"),
            models.CheckConstraint(condition=Q(notice_days__gte=1), name="process_rule_notice_at_least_one_day"),
            models.CheckConstraint(
                condition=Q(
                    class_method__in=["talk", "votes", "scores", "ranking"],
                    school_method__in=["talk", "votes", "scores", "ranking"],
                ),
                name="process_rule_methods_known",
            ),
            models.CheckConstraint(
                condition=Q(class_pass_mark__lte=100, school_pass_mark__lte=100, attendance_percent__lte=100),
                name="process_rule_shares_of_a_hundred",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.first_term}"

    @property
    def meeting_sentences(self) -> list[str]:
        return meeting_words.rule_words(self)


class ProgrammeExclusion(models.Model):
    """Two programmes one child may not have in one term, from a term to a term."""

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="exclusions", verbose_name="项目")
    other = models.ForeignKey(Programme, models.PROTECT, related_name="+", verbose_name="不能兼得的项目")
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    last_term = models.CharField("截止学期", max_length=11, blank=True, validators=[term_key])
    source = models.CharField("依据", max_length=120)
    recorded_at = models.DateTimeField(default=clock.now)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped with the system

    objects = DatedRows.as_manager()

    class Meta:
        ordering = ["programme__code", "other__code", "-first_term"]
        constraints = [
            # Each pair stands once, the older programme first.
            models.CheckConstraint(condition=Q(programme__lt=F("other")), name="exclusion_in_order"),
            models.UniqueConstraint(fields=["programme", "other", "first_term"], name="exclusion_once_per_term"),
            models.CheckConstraint(condition=ENDS_AFTER_START, name="exclusion_ends_after_start"),
        ]

    def __str__(self) -> str:
        return f"{self.programme} / {self.other}"
