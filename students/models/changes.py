"""异动: what changed in a pupil's schooling, on which day; and each class's first-month confirmation."""

import uuid

from django.db import models
from django.db.models import Q

from accounts.models import AppendOnlyQuerySet, Unit, User

from .register import Enrolment, Pupil, Term


class StatusChange(models.Model):
    """One change of one pupil, written once. `enrolment` is where it happened, `result` the enrolment it opened."""

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

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="changes", verbose_name="学生")
    enrolment = models.ForeignKey(Enrolment, models.PROTECT, related_name="changes")
    result = models.ForeignKey(Enrolment, models.PROTECT, null=True, blank=True, related_name="+")
    kind = models.CharField("异动", max_length=14, choices=Kind.choices)
    on = models.DateField("发生日期")
    before = models.JSONField("变动前", default=dict)
    after = models.JSONField("变动后", default=dict)
    reason = models.CharField("原因", max_length=200, blank=True)
    at = models.DateTimeField("登记时间")
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="登记人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["-on", "-at"]
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
                    ]
                ),
                name="change_kind_known",
            )
        ]
        indexes = [models.Index(fields=["enrolment", "on"], name="change_by_enrolment")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.on}"


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
