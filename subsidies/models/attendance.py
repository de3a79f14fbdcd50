"""How time in school is counted where a programme pays for it: dated rules, and how many days schools served."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import Unit, User
from students.models import Term

from .dated import term_key
from .programmes import Programme

MONTHS = tuple(range(1, 13))


class AttendanceRule(models.Model):
    """计算办法: which months of a term are paid, and what an incomplete one counts, from a term on.

    Without a programme: for all that have no rule of their own.
    """

    class PartMonth(models.TextChoices):
        HALVES = "halves", "不足半个月计半个月，满半个月不足一个月计一个月"
        WHOLE = "whole", "不足一个月计一个月"
        FROM_HALF = "from_half", "满半个月计一个月，不足半个月不计"
        NOTHING = "nothing", "不足一个月不计"

    programme = models.ForeignKey(
        Programme, models.PROTECT, null=True, blank=True, related_name="attendance_rules", verbose_name="项目"
    )
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    part_month = models.CharField("不满一个月时", max_length=9, choices=PartMonth.choices)
    autumn_months = models.JSONField("秋季学期计发月份", default=list)  # 9, 10, 11, 12, 1
    spring_months = models.JSONField("春季学期计发月份", default=list)
    source = models.CharField("依据", max_length=200)
    recorded_at = models.DateTimeField("登记时间")
    recorded_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name="登记人"
    )  # None: ships

    class Meta:
        ordering = ["-first_term", "programme__code"]
        constraints = [
            models.UniqueConstraint(
                fields=["programme", "first_term"], nulls_distinct=False, name="attendance_rule_once_per_term"
            ),
            models.CheckConstraint(
                condition=Q(part_month__in=["halves", "whole", "from_half", "nothing"]), name="attendance_rule_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme or '各项目'} {self.first_term}"

    def clean(self) -> None:
        for name in ("autumn_months", "spring_months"):
            if not getattr(self, name) or not set(getattr(self, name)) <= set(MONTHS):
                raise ValidationError({name: "请至少选择一个计发的月份。"})


class ServedDays(models.Model):
    """实际天数: on how many days of a term a school (or every school of the county) gave what is paid by the day."""

    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="学校")
    term = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="学期")
    days = models.PositiveSmallIntegerField("天数", validators=[MinValueValidator(1), MaxValueValidator(200)])
    source = models.CharField("依据", max_length=200)
    recorded_at = models.DateTimeField("登记时间")
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="登记人")

    class Meta:
        ordering = ["-term__key", "unit__path"]
        constraints = [
            models.UniqueConstraint(fields=["unit", "term"], name="served_days_once_per_term"),
            models.CheckConstraint(condition=Q(days__gte=1), name="served_days_at_least_one"),
        ]

    def __str__(self) -> str:
        return f"{self.unit} {self.term} {self.days}"
