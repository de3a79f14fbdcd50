"""Which of the county's rules came from a policy pack."""

from django.db import models

from accounts import clock
from accounts.models import AppendOnlyQuerySet, User

from .programmes import Programme


class PackRow(models.Model):
    """A row of the county's own rules as it was taken over from a pack: from where, and how sure that source is.

    Written once. The row itself may be changed later by an officer; then this tells what it began as.
    """

    class Kind(models.TextChoices):
        PROGRAMME = "programme", "项目"
        STANDARD = "standard", "标准"
        GROUND = "ground", "资助范围"
        PROCESS = "process", "评审公示规则"
        SHARE = "share", "资金分担"
        PERCENTAGE = "percentage", "名额比例"
        OUTSIDE = "outside", "不占名额的类别"
        EXCLUSION = "exclusion", "不能兼得的项目"

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="pack_rows", verbose_name="项目")
    kind = models.CharField("内容", max_length=10, choices=Kind.choices)
    key = models.PositiveBigIntegerField("记录编号")  # primary key of the row, in the table of its kind
    pack = models.SlugField("政策包代码", max_length=30)
    pack_name = models.CharField("政策包", max_length=40)  # as it was called then: a file of one's own is not kept
    number = models.PositiveIntegerField("第几条")  # among its kind, in the pack's programme
    confidence = models.CharField("可信程度", max_length=1)  # packs.CONFIDENCE; "" for the programme itself
    source = models.CharField("来源", max_length=600)
    adopted_at = models.DateTimeField("采用时间", default=clock.now)
    adopted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: by a command

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["programme", "kind", "key"]
        constraints = [models.UniqueConstraint(fields=["kind", "key"], name="pack_row_once")]

    def __str__(self) -> str:
        return f"{self.pack} {self.get_kind_display()} {self.number}"
