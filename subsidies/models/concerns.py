"""清查: children who may have been missed or counted twice, each with an owner and a way to settle it."""

from django.db import models
from django.db.models import Q

from accounts.models import Unit, User
from students.models import Pupil, Term


class Concern(models.Model):
    """One thing to look at about one pupil in one term. Found by subsidies.concerns, settled by its owner.

    `facts` is what made it a concern; `digest` is taken over them: a settled concern stays settled until the
    facts change, and is then open again.
    """

    class Kind(models.TextChoices):
        MISSED = "missed", "在困难名单上但没有申请"
        WITHOUT_EVIDENCE = "without_evidence", "受助但没有有效依据"
        TWO_SCHOOLS = "two_schools", "疑似双学籍"
        EXCLUDED_TWICE = "excluded_twice", "享受了不能兼得的项目"
        AGE = "age", "年龄与学段不符"
        EXPIRING = "expiring", "困难类别本学期到期"
        SIBLING = "sibling", "同户兄弟姐妹只报了一人"

    class State(models.TextChoices):
        OPEN = "open", "待处理"
        SETTLED = "settled", "已处理"
        GONE = "gone", "情况已消除"

    kind = models.CharField("事项", max_length=18, choices=Kind.choices)
    term = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="学期")
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="concerns", verbose_name="学生")
    subject = models.CharField(max_length=80, blank=True)  # tells two concerns of one kind about one pupil apart
    owner = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="办理单位")
    facts = models.JSONField("情况", default=dict)
    digest = models.CharField(max_length=64)
    state = models.CharField("状态", max_length=8, choices=State.choices, default=State.OPEN)
    reason = models.CharField("处理结果", max_length=30, blank=True)
    note = models.CharField("说明", max_length=200, blank=True)
    found_at = models.DateTimeField("发现时间")
    settled_at = models.DateTimeField("处理时间", null=True, blank=True)
    settled_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="处理人")

    class Meta:
        ordering = ["owner__path", "kind", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "term", "pupil", "subject"], name="concern_once"),
            models.CheckConstraint(
                condition=~Q(state="settled") | Q(settled_at__isnull=False, settled_by__isnull=False) & ~Q(reason=""),
                name="concern_settled_who_when_why",
            ),
        ]
        indexes = [models.Index(fields=["owner", "term", "state"], name="concern_by_owner")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pupil_id}"
