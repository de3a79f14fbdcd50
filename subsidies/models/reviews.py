"""Review meetings over a list: who sat, what was said, and the decision on each application."""

import uuid

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import AppendOnlyQuerySet, Unit, User
from documents.models import IssuedDocument, SignedCopy, Upload
from students.models import Pupil

from .. import meeting_words as words
from .applications import Application
from .programmes import ProcessRule
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
    method = models.CharField("评议方式", max_length=7, choices=ProcessRule.Method.choices, default="talk")
    observers = models.CharField("列席人员", max_length=200, blank=True)
    minutes = models.TextField("会议记录", max_length=4000)
    photos = models.ManyToManyField(Upload, blank=True, related_name="+", verbose_name="会议照片或签字页")
    recorded_at = models.DateTimeField("记录时间")
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="记录人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["-recorded_at"]
        constraints = [
            models.CheckConstraint(condition=Q(level__in=["class", "school"]), name="meeting_level_known"),
            models.CheckConstraint(
                condition=Q(method__in=["talk", "votes", "scores", "ranking"]), name="meeting_method_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit} {self.get_level_display()}"


class MeetingMember(models.Model):
    """A person of the review group, with the capacity in which they sit; present, or excused.

    `pupil` is the pupil who sits, or the child of a parent who sits: so that nobody sits over a case of their own.
    `is_namesake` says that somebody looked: the same name as an applicant's guardian, and another person.
    """

    class Kind(models.TextChoices):
        TEACHER = "teacher", words.KINDS["teacher"]
        LEADER = "leader", words.KINDS["leader"]
        PUPIL = "pupil", words.KINDS["pupil"]
        PARENT = "parent", words.KINDS["parent"]
        VILLAGE = "village", words.KINDS["village"]
        OTHER = "other", words.KINDS["other"]

    meeting = models.ForeignKey(Meeting, models.PROTECT, related_name="members")
    name = models.CharField("姓名", max_length=40)
    kind = models.CharField("类别", max_length=7, choices=Kind.choices, default=Kind.OTHER)
    capacity = models.CharField("身份", max_length=40)
    pupil = models.ForeignKey(Pupil, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="学生")
    attended = models.BooleanField("到会", default=True)
    is_namesake = models.BooleanField("同名，不是同一人", default=False)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["teacher", "leader", "pupil", "parent", "village", "other"]),
                name="meeting_member_kind_known",
            ),
            models.CheckConstraint(
                condition=Q(pupil__isnull=True) | Q(kind__in=["pupil", "parent"]),
                name="meeting_member_names_a_pupil_where_one_counts",
            ),
            models.UniqueConstraint(
                fields=["meeting", "pupil"], condition=Q(kind="pupil"), name="meeting_member_one_seat_per_pupil"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}（{self.capacity}）"


class Decision(models.Model):
    """What the meeting decided on one application: votes, points or a rank, the tier it thinks right, its opinion.

    `rank` counts from 1, the hardest case first, among those the meeting ranked together.
    """

    class Verdict(models.TextChoices):
        AGREE = "agree", "同意"
        RETURN = "return", "退回补正"
        TO_CLASS = "to_class", "退回班级重评"
        TO_SCHOOL = "to_school", "退回学校重评"
        RESERVE = "reserve", "列为候补"
        REJECT = "reject", "不同意"

    meeting = models.ForeignKey(Meeting, models.PROTECT, related_name="decisions")
    application = models.ForeignKey(Application, models.PROTECT, related_name="decisions")
    verdict = models.CharField("结论", max_length=9, choices=Verdict.choices)
    votes_for = models.PositiveSmallIntegerField("同意票", null=True, blank=True)
    votes_against = models.PositiveSmallIntegerField("反对票", null=True, blank=True)
    score = models.DecimalField(
        "得分", max_digits=5, decimal_places=2, null=True, blank=True, validators=[MaxValueValidator(100)]
    )
    rank = models.PositiveSmallIntegerField("名次", null=True, blank=True)
    tier = models.CharField("建议等级", max_length=20, blank=True)  # "": the programme has none
    opinion = models.TextField("意见", max_length=300, blank=True)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["meeting", "application"], name="decision_one_per_meeting"),
            models.CheckConstraint(
                condition=Q(verdict__in=["agree", "return", "to_class", "to_school", "reserve", "reject"]),
                name="decision_verdict_known",
            ),
            models.CheckConstraint(
                condition=Q(verdict="agree") | ~Q(opinion=""), name="decision_against_gives_its_reason"
            ),
            models.CheckConstraint(
                condition=Q(score__isnull=True) | Q(score__gte=0, score__lte=100), name="decision_score_of_a_hundred"
            ),
            models.CheckConstraint(condition=Q(rank__isnull=True) | Q(rank__gte=1), name="decision_rank_from_one"),
            models.CheckConstraint(condition=Q(tier="") | Q(verdict="agree"), name="decision_tier_of_who_is_agreed_to"),
        ]

    def __str__(self) -> str:
        return f"{self.application} {self.get_verdict_display()}"


class MinutesPaper(models.Model):
    """The minutes as a paper to sign, printed once from what was recorded."""

    meeting = models.OneToOneField(Meeting, models.PROTECT, related_name="paper")
    document = models.OneToOneField(IssuedDocument, models.PROTECT, related_name="+")

    objects = AppendOnlyQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.document)


class SignedMinutes(SignedCopy):
    """The minutes as the members signed them."""

    meeting = models.ForeignKey(Meeting, models.PROTECT, related_name="signed_copies")

    class Meta:
        ordering = ["meeting", "pk"]

    def __str__(self) -> str:
        return f"{self.meeting} {self.scan}"
