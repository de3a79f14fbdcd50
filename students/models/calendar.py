"""The working calendar: years whose holidays are recorded, and their days that are not what the weekday says."""

from django.db import models

from accounts import clock
from accounts.models import User


class CalendarYear(models.Model):
    """A year whose holidays are recorded: in any other, no working day is counted."""

    year = models.PositiveSmallIntegerField("年份", primary_key=True)
    document = models.CharField("依据（通知名称和文号）", max_length=120)
    recorded_at = models.DateTimeField(default=clock.now)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped

    class Meta:
        ordering = ["-year"]

    def __str__(self) -> str:
        return str(self.year)


class SpecialDay(models.Model):
    """A day that is not what its weekday says: a holiday on a weekday, or a weekend day worked (调休)."""

    class Kind(models.TextChoices):
        REST = "rest", "放假"
        WORK = "work", "调休上班"

    day = models.DateField("日期", primary_key=True)
    kind = models.CharField("安排", max_length=4, choices=Kind.choices)
    name = models.CharField("节日", max_length=20)

    class Meta:
        ordering = ["day"]

    def __str__(self) -> str:
        return f"{self.day} {self.get_kind_display()}"
