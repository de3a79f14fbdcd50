"""Rounds: one programme in one term, with the days in which teachers may file."""

import uuid

from django.db import models
from django.db.models import F, Q

from accounts.models import Unit, User
from students.models import Term

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
