"""异动: what changed in a pupil's schooling, on which day; and each class's first-month confirmation."""

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import AppendOnlyQuerySet, Unit, User

from .register import Enrolment, Pupil, Term


class StatusChange(models.Model):
    """One change of one pupil, written once. `enrolment` is where it happened, `result` the enrolment it opened.

    `path` is the class in which it happened, as it was then (of a change of class: the class that was left), so
    that a school's list of changes stays the school's. `before` and `after` hold words to show beside codes:
    standing, boarding, schooling, class_name, and for a transfer out `to` (a school's name or a place) and `to_school`,
    for a household's registration `registration` and `region`, for a correction of the class or school `told`.
    """

    class Kind(models.TextChoices):
        TRANSFER_OUT = "transfer_out", "转出"
        TRANSFER_IN = "transfer_in", "转入"
        CHANGE_CLASS = "change_class", "调班"
        SUSPEND = "suspend", "休学"
        RETURN = "return", "复学"
        WITHDRAW = "withdraw", "退学"
        DECEASE = "decease", "死亡"
        GRADUATE = "graduate", "毕业"
        BOARDING = "boarding", "就读方式变化"
        SCHOOLING = "schooling", "就学方式变化"
        HOUSEHOLD = "household", "户口变化"
        UNIT = "unit", "班级或学校信息更正"  # written for pupils whose application it touches

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="changes", verbose_name="学生")
    enrolment = models.ForeignKey(Enrolment, models.PROTECT, related_name="changes")
    result = models.ForeignKey(Enrolment, models.PROTECT, null=True, blank=True, related_name="+")
    term = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="学期")
    path = models.CharField(max_length=60, editable=False)
    kind = models.CharField("异动", max_length=14, choices=Kind.choices)
    on = models.DateField("发生日期")
    before = models.JSONField("变动前", default=dict)
    after = models.JSONField("变动后", default=dict)
    reason = models.CharField("原因", max_length=200, blank=True)
    at = models.DateTimeField("登记时间")
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="登记人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["-on", "-at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        "transfer_out",
                        "transfer_in",
                        "change_class",
                        "suspend",
                        "return",
                        "withdraw",
                        "decease",
                        "graduate",
                        "boarding",
                        "schooling",
                        "household",
                        "unit",
                    ]
                ),
                name="change_kind_known",
            )
        ]
        indexes = [
            models.Index(fields=["enrolment", "on"], name="change_by_enrolment"),
            models.Index(fields=["term", "path"], name="change_by_term_and_path"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.on}"


class ConfirmationRule(models.Model):
    """In how many days from the term's first day each class confirms its changes, from a term on (CHG-01)."""

    county = models.ForeignKey(Unit, models.PROTECT, related_name="+")
    first_term = models.CharField("执行学期", max_length=11)
    days = models.PositiveSmallIntegerField("开学后天数", validators=[MinValueValidator(1), MaxValueValidator(120)])
    source = models.CharField("依据", max_length=200)
    recorded_at = models.DateTimeField("登记时间")
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="登记人")

    class Meta:
        ordering = ["county", "-first_term"]
        constraints = [
            models.UniqueConstraint(fields=["county", "first_term"], name="confirmation_rule_once_per_term"),
            models.CheckConstraint(condition=Q(days__gte=1), name="confirmation_rule_at_least_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.first_term} {self.days}"


class ChangeConfirmation(models.Model):
    """A class's changes of one term, looked through and confirmed in the term's first month (CHG-01)."""

    school_class = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="班级")
    term = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="学期")
    pupils = models.PositiveIntegerField("人数")
    changes = models.PositiveIntegerField("异动人次")
    confirmed_at = models.DateTimeField("确认时间")
    confirmed_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="确认人")

    class Meta:
        ordering = ["school_class__path"]
        constraints = [
            models.UniqueConstraint(fields=["school_class", "term"], name="confirmation_once_per_class_and_term")
        ]

    def __str__(self) -> str:
        return f"{self.school_class} {self.term}"


class ChangeReport(models.Model):
    """What the class teacher saw while confirming and may not record: it waits for the aid officer."""

    class State(models.TextChoices):
        OPEN = "open", "待登记"
        RECORDED = "recorded", "已登记异动"
        DISMISSED = "dismissed", "核实没有变化"

    confirmation = models.ForeignKey(ChangeConfirmation, models.PROTECT, related_name="reports")
    enrolment = models.ForeignKey(Enrolment, models.PROTECT, related_name="+")
    kind = models.CharField("情况", max_length=14, choices=StatusChange.Kind.choices)
    note = models.CharField("说明", max_length=100, blank=True)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.OPEN)
    settled_at = models.DateTimeField("办理时间", null=True, blank=True)
    settled_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="办理人")

    class Meta:
        ordering = ["enrolment__path", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["enrolment"], condition=Q(state="open"), name="change_report_one_open_per_enrolment"
            ),
            models.CheckConstraint(
                condition=Q(state="open", settled_at__isnull=True, settled_by__isnull=True)
                | ~Q(state="open") & Q(settled_at__isnull=False, settled_by__isnull=False),
                name="change_report_settled_who_and_when",
            ),
        ]
        indexes = [models.Index(fields=["state"], name="change_report_by_state")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.get_state_display()}"
