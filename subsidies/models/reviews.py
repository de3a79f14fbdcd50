"""Review meetings over a list: who sat, what was said, and the decision on each application."""

import uuid

from django.db import models
from django.db.models import Q

from accounts.models import AppendOnlyQuerySet, Unit, User
from documents.models import Upload

from .applications import Application
from .rounds import Round


class Meeting(models.Model):
    """班级评议 or 学校评审: the minutes of one meeting on one list. Never changed once recorded."""

    class Level(models.TextChoices):
        CLASS = "class", "班级评议"
        SCHOOL = "school", "学校评审"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    round = models.ForeignKey(Round, models.PROTECT, related_name="meetings", verbose_name="批次")
    level = models.CharField("层级", max_length=10, choices=Level.choices)
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="单位")
    held_on = models.DateField("会议日期")
    place = models.CharField("地点", max_length=60)
    chair = models.CharField("主持人", max_length=40)
    minutes = models.TextField("会议记录", max_length=4000)
    photos = models.ManyToManyField(Upload, blank=True, related_name="+", verbose_name="会议照片或签字页")
    recorded_at = models.DateTimeField("记录时间")
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="记录人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["-recorded_at"]
        constraints = [models.CheckConstraint(condition=Q(level__in=["class", "school"]), name="meeting_level_known")]

    def __str__(self) -> str:
        return f"{self.unit} {self.get_level_display()}"


class MeetingMember(models.Model):
    """A person who sat in the meeting, with the capacity in which they sat."""

    meeting = models.ForeignKey(Meeting, models.PROTECT, related_name="members")
    name = models.CharField("姓名", max_length=40)
    capacity = models.CharField("身份", max_length=40)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.name}（{self.capacity}）"


class Decision(models.Model):
    """What the meeting decided on one application, with votes and opinion."""

    class Verdict(models.TextChoices):
        AGREE = "agree", "同意"
        RETURN = "return", "退回补正"
        TO_CLASS = "to_class", "退回班级重评"
        TO_SCHOOL = "to_school", "退回学校重评"
        REJECT = "reject", "不同意"

    meeting = models.ForeignKey(Meeting, models.PROTECT, related_name="decisions")
    application = models.ForeignKey(Application, models.PROTECT, related_name="decisions")
    verdict = models.CharField("结论", max_length=9, choices=Verdict.choices)
    votes_for = models.PositiveSmallIntegerField("同意票", null=True, blank=True)
    votes_against = models.PositiveSmallIntegerField("反对票", null=True, blank=True)
    opinion = models.TextField("意见", max_length=300, blank=True)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["meeting", "application"], name="decision_one_per_meeting"),
            models.CheckConstraint(
                condition=Q(verdict__in=["agree", "return", "to_class", "to_school", "reject"]),
                name="decision_verdict_known",
            ),
            models.CheckConstraint(
                condition=Q(verdict="agree") | ~Q(opinion=""), name="decision_against_gives_its_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.application} {self.get_verdict_display()}"
