"""学期结转: a school carried from one term into the next."""

import uuid

from django.db import models
from django.db.models import Q

from accounts.models import Unit, User

from .register import Term


class RollOver(models.Model):
    """One school taken from one term into the next, in one piece; may be undone until something was submitted.

    `counts` are the numbers of the report, `report` its lists, as they were on the day (students.rollovers says
    what stands in them). `undo` keeps what undoing needs and no other row tells: names of classes as they were,
    who graduated.
    """

    class State(models.TextChoices):
        DONE = "done", "已结转"
        UNDONE = "undone", "已撤销"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    school = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="学校")
    source = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="原学期")
    target = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="新学期")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.DONE)
    counts = models.JSONField("结果", default=dict)
    report = models.JSONField("报告", default=dict)
    undo = models.JSONField(default=dict)
    done_at = models.DateTimeField("结转时间")
    done_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="办理人")
    undone_at = models.DateTimeField("撤销时间", null=True, blank=True)
    undone_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-done_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["school", "target"], condition=Q(state="done"), name="rollover_once_per_school_and_term"
            ),
            models.CheckConstraint(
                condition=Q(state="done", undone_at__isnull=True, undone_by__isnull=True)
                | Q(state="undone", undone_at__isnull=False, undone_by__isnull=False),
                name="rollover_undone_who_and_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.school} {self.source.key} → {self.target.key}"
