"""家长回执: what a guardian said of a round's aid: to apply, or not to."""

from django.db import models
from django.db.models import Q

from accounts.models import AppendOnlyQuerySet, Unit, User
from documents.models import Upload
from students.models import Pupil

from .rounds import Round


class Receipt(models.Model):
    """What a pupil's guardian answered to the letter about a round, on a day. Written once: of several the newest
    counts, and what was said before stays.
    """

    class Answer(models.TextChoices):
        APPLIES = "applies", "申请"
        DECLINES = "declines", "不申请"

    round = models.ForeignKey(Round, models.PROTECT, related_name="receipts", verbose_name="批次")
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="receipts", verbose_name="学生")
    school_class = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="班级")
    answer = models.CharField("家长意见", max_length=8, choices=Answer.choices)
    signed_on = models.DateField("签字日期")
    guardian = models.CharField("签字人", max_length=90, blank=True)  # as the register named the guardian then
    scan = models.OneToOneField(
        Upload, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="回执扫描件"
    )
    recorded_at = models.DateTimeField("登记时间")
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="登记人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["round", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(answer__in=["applies", "declines"]), name="receipt_answer_known")
        ]
        indexes = [models.Index(fields=["round", "pupil"], name="receipt_by_round_and_pupil")]

    def __str__(self) -> str:
        return f"{self.pupil_id} {self.get_answer_display()}"
