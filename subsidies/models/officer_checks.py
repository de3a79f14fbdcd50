"""核对: what the aid officer found when holding one case against its evidence, before the committee sits."""

from django.db import models
from django.db.models import Q

from accounts.models import AppendOnlyQuerySet, User

from .applications import Application


class OfficerCheck(models.Model):
    """The officer looked at one case: in order, or doubtful and why. Written once; of several the newest counts,
    and none of before the case last moved."""

    class Finding(models.TextChoices):
        IN_ORDER = "in_order", "与依据相符"
        DOUBTFUL = "doubtful", "有疑问"

    application = models.ForeignKey(Application, models.PROTECT, related_name="officer_checks")
    finding = models.CharField("核对结果", max_length=8, choices=Finding.choices)
    note = models.CharField("说明", max_length=200, blank=True)
    at = models.DateTimeField("核对时间")
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="核对人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["application", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(finding__in=["in_order", "doubtful"]), name="officer_check_known"),
            models.CheckConstraint(condition=Q(finding="in_order") | ~Q(note=""), name="officer_check_doubt_says_why"),
        ]

    def __str__(self) -> str:
        return f"{self.application_id} {self.get_finding_display()}"
