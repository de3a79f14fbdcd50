"""Rounds: one programme in one term, with the days in which teachers may file and the deadlines of the work after."""

import datetime as dt
import re
import uuid

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from accounts.models import Unit, User
from students.models import Term

from .. import policy_words as words
from ..deadline_plans import Rule
from ..states import Work
from .dated import term_key
from .programmes import Programme


class Round(models.Model):
    """资助批次. Opened for a county, or by a school for itself where the county has none."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    programme = models.ForeignKey(Programme, models.PROTECT, related_name="rounds", verbose_name="项目")
    term = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="学期")
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="范围")
    opens_on = models.DateField("填报开始")
    closes_on = models.DateField("填报截止")
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="开启人")

    class Meta:
        ordering = ["-term__key", "programme__code"]
        constraints = [
            models.CheckConstraint(condition=Q(closes_on__gte=F("opens_on")), name="round_closes_after_opening"),
            models.UniqueConstraint(fields=["programme", "term", "unit"], name="round_once_per_programme_and_term"),
        ]

    def __str__(self) -> str:
        return f"{self.term} {self.programme}"


class RoundDeadline(models.Model):
    """The last day of one work of a round. Of filing it is the round's `closes_on`; work without a row has none."""

    round = models.ForeignKey(Round, models.CASCADE, related_name="deadlines", verbose_name="批次")
    work = models.CharField("环节", max_length=13, choices=Work.choices)
    due_on = models.DateField("办理期限")

    class Meta:
        ordering = ["round", "due_on"]
        constraints = [
            models.UniqueConstraint(fields=["round", "work"], name="round_deadline_once_per_work"),
            models.CheckConstraint(
                condition=Q(work__in=[work.value for work in Work if work != Work.FILING]),
                name="round_deadline_work_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_work_display()} {self.due_on}"


class DeadlineRule(models.Model):
    """期限规定: how the deadline of a work is proposed when a round is opened, from a term on.

    Without a programme it is for all of them; a programme's own row goes before it. A fixed day is given for the
    autumn and for the spring term, as month and day.
    """

    class Kind(models.TextChoices):
        AFTER = "after", "上一环节截止后若干天"
        FIXED = "fixed", "固定日期"
        NONE = "none", "不设期限"

    programme = models.ForeignKey(
        Programme, models.PROTECT, null=True, blank=True, related_name="deadline_rules", verbose_name="项目"
    )
    work = models.CharField("环节", max_length=13, choices=Work.choices)
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    kind = models.CharField("怎么定", max_length=5, choices=Kind.choices)
    count = models.PositiveSmallIntegerField("天数", default=0)
    day_kind = models.CharField("按什么算", max_length=8, choices=list(words.DAY_KINDS.items()), default="working")
    autumn_on = models.CharField("秋季学期日期", max_length=5, blank=True)  # 10-31
    spring_on = models.CharField("春季学期日期", max_length=5, blank=True)
    is_binding = models.BooleanField("文件规定的最晚日期", default=False)  # a later deadline is refused
    source = models.CharField("依据", max_length=200)
    recorded_at = models.DateTimeField("登记时间")
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped with the system

    class Meta:
        ordering = ["work", "programme", "-first_term"]
        constraints = [
            models.UniqueConstraint(
                fields=["work", "first_term"], condition=Q(programme=None), name="deadline_rule_once_per_term"
            ),
            models.UniqueConstraint(
                fields=["programme", "work", "first_term"],
                condition=Q(programme__isnull=False),
                name="deadline_rule_once_per_programme_and_term",
            ),
            models.CheckConstraint(
                condition=Q(kind="none", count=0, autumn_on="", spring_on="", is_binding=False)
                | Q(kind="after", count__gte=1, autumn_on="", spring_on="")
                | Q(kind="fixed", count=0) & ~Q(autumn_on="") & ~Q(spring_on=""),
                name="deadline_rule_says_when",
            ),
            models.CheckConstraint(
                condition=Q(work__in=[work.value for work in Work], day_kind__in=list(words.DAY_KINDS)),
                name="deadline_rule_words_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme or '所有项目'} {self.get_work_display()} {self.first_term}"

    @property
    def words(self) -> str:
        """填报截止后 5 个工作日，文件规定的最晚日期; 不设期限."""
        rule = self.as_rule()
        if rule is None:
            return "不设期限"
        return rule.words + ("，文件规定的最晚日期" if rule.is_binding else "")

    def as_rule(self) -> Rule | None:
        """The row as a plain value; None if it says that there is no deadline."""
        if self.kind == self.Kind.NONE:
            return None
        return Rule(
            work=Work(self.work),
            source=self.source,
            count=self.count,
            working=self.day_kind == "working",
            autumn=self.autumn_on,
            spring=self.spring_on,
            is_binding=self.is_binding,
        )

    def clean(self) -> None:
        for name in ("autumn_on", "spring_on"):
            day = getattr(self, name)
            try:
                if day and not re.fullmatch(r"[0-9]{2}-[0-9]{2}", day):
                    raise ValueError(day)  # fromisoformat reads weeks as well (W01-1)
                if day:
                    dt.date.fromisoformat(f"2001-{day}")  # no leap year: the day must exist every year
            except ValueError:
                raise ValidationError({name: f"没有 {day} 这一天，请写成 10-31 这样的月和日。"}) from None
        if self.work == Work.FILING and self.kind == self.Kind.NONE:
            raise ValidationError({"kind": "填报必须有截止日期，请选择另一种定法。"})
