"""Rosters that schools and the county send in."""

import uuid

from django.db import models
from django.db.models import Q

from accounts.models import Unit, User
from documents.models import Upload

from .register import Term


class RosterImport(models.Model):
    """A roster a school sent in: checked first, applied when the officer says so, or thrown away.

    `findings` is what the check said, row by row, with numbers masked; see students.rosters.
    """

    class State(models.TextChoices):
        CHECKED = "checked", "已预检，待确认"
        APPLIED = "applied", "已导入"
        DISCARDED = "discarded", "已放弃"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    school = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="学校")
    term = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="学期")
    # None once thrown away: the file itself is gone then.
    file = models.OneToOneField(Upload, models.PROTECT, null=True, blank=True, related_name="+")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.CHECKED)
    findings = models.JSONField(default=list)
    rows_total = models.PositiveIntegerField("总行数", default=0)
    rows_new = models.PositiveIntegerField("新增", default=0)
    rows_changed = models.PositiveIntegerField("变更", default=0)
    rows_same = models.PositiveIntegerField("无变化", default=0)
    rows_refused = models.PositiveIntegerField("有误", default=0)
    checked_at = models.DateTimeField("预检时间")
    checked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    applied_at = models.DateTimeField("导入时间", null=True, blank=True)
    applied_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-checked_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(applied_at__isnull=True, applied_by__isnull=True)
                | Q(applied_at__isnull=False, applied_by__isnull=False),
                name="roster_import_who_and_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.school} {self.term.key}"
