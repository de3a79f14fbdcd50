"""名额: how many pupils of a county, a school or a class may have a programme in a term, and who stands outside."""

from django.db import models
from django.db.models import Q

from accounts import clock
from accounts.models import AppendOnlyQuerySet, Unit, User
from students.models import Term

from .. import policy_words as words
from .dated import ENDS_AFTER_START, DatedRows, term_key
from .programmes import Programme


class Quota(models.Model):
    """The places of one unit. No row, or one without places: the unit has no limit of its own.

    This is the row that is locked while places are taken, handed down or reduced; what it was, why and by whom
    stands in its versions. How many are used is never kept, it is counted (subsidies.places).
    """

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="quotas", verbose_name="项目")
    term = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="学期")
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="单位")
    # From whose places these were taken; None for the county's, which come from above.
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    places = models.PositiveIntegerField("名额", null=True, blank=True)
    version = models.PositiveIntegerField(default=0)  # the number of the version in force

    class Meta:
        ordering = ["unit__path"]
        constraints = [
            models.UniqueConstraint(fields=["programme", "term", "unit"], name="quota_once_per_programme_and_term")
        ]

    def __str__(self) -> str:
        return f"{self.unit} {self.programme}"


class QuotaVersion(models.Model):
    """名额变动: places as they were set at one time. Written once."""

    class Rounding(models.TextChoices):
        DOWN = "down", words.ROUNDINGS["down"]
        HALF_UP = "half_up", words.ROUNDINGS["half_up"]
        UP = "up", words.ROUNDINGS["up"]

    quota = models.ForeignKey(Quota, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField("第几次")
    before = models.PositiveIntegerField("原名额", null=True, blank=True)
    places = models.PositiveIntegerField("名额", null=True, blank=True)  # None: no limit of its own any more
    # How the number came about, where it is a percentage of the roll as it was counted then.
    percent = models.DecimalField("比例（%）", max_digits=5, decimal_places=2, null=True, blank=True)
    roll = models.PositiveIntegerField("在读人数", null=True, blank=True)
    rounding = models.CharField("小数处理", max_length=7, choices=Rounding.choices, blank=True)
    # Where it was proposed and taken over: 按在校生 1,234 人的 23% 计算，向下取整，为 283 人.
    proposed = models.TextField("怎样得出", blank=True)
    # How many more were in use (or handed on) than were left, when that was seen and accepted.
    over = models.PositiveIntegerField("超出", default=0)
    document = models.CharField("依据", max_length=120)
    note = models.CharField("说明", max_length=200, blank=True)
    at = models.DateTimeField("时间")
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="登记人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["quota", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["quota", "number"], name="quota_version_numbered"),
            models.CheckConstraint(
                condition=Q(percent__isnull=True, roll__isnull=True, rounding="")
                | Q(percent__isnull=False, roll__isnull=False, rounding__in=["down", "half_up", "up"]),
                name="quota_version_percent_of_a_roll",
            ),
            models.CheckConstraint(condition=~Q(document=""), name="quota_version_has_its_document"),
        ]

    def __str__(self) -> str:
        return f"{self.quota} {self.number}"


class QuotaPercentage(models.Model):
    """比例: how many of a programme's pupils may have it, as a percentage of the roll or of a part of it (conditions as
    those of a standard), from a term to a term. What it comes to is proposed where places are handed down; what is
    handed down stands in the quotas.

    Documents that give a percentage say nothing of fractions, so how they are rounded stands in each row.
    """

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="percentages", verbose_name="项目")
    conditions = models.JSONField("条件", default=dict, blank=True)
    percent = models.DecimalField("比例（%）", max_digits=5, decimal_places=2)
    rounding = models.CharField("小数处理", max_length=7, choices=QuotaVersion.Rounding.choices)
    document = models.CharField("文件名称和文号", max_length=120)
    document_date = models.DateField("文件日期", null=True, blank=True)
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    last_term = models.CharField("截止学期", max_length=11, blank=True, validators=[term_key])
    recorded_at = models.DateTimeField(default=clock.now)
    # None: came with a pack
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name="登记人")

    objects = DatedRows.as_manager()

    class Meta:
        ordering = ["programme", "-first_term", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["programme", "conditions", "first_term"], name="quota_percentage_once_per_case_and_term"
            ),
            models.CheckConstraint(condition=Q(percent__gt=0, percent__lte=100), name="quota_percentage_of_a_hundred"),
            models.CheckConstraint(
                condition=Q(rounding__in=["down", "half_up", "up"]), name="quota_percentage_rounding_known"
            ),
            models.CheckConstraint(condition=~Q(document=""), name="quota_percentage_names_its_document"),
            models.CheckConstraint(condition=ENDS_AFTER_START, name="quota_percentage_ends_after_start"),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.percent.normalize():f}%"


class OutsideQuota(models.Model):
    """应助尽助: a hardship category whose pupils use up no places of a programme, from a term to a term."""

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="outside_quota", verbose_name="项目")
    category_code = models.SlugField("困难类别代码", max_length=30)
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    last_term = models.CharField("截止学期", max_length=11, blank=True, validators=[term_key])
    source = models.CharField("依据", max_length=120)
    recorded_at = models.DateTimeField(default=clock.now)
    # None: came with a pack
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name="登记人")

    objects = DatedRows.as_manager()

    class Meta:
        ordering = ["programme", "category_code", "first_term"]
        constraints = [
            models.UniqueConstraint(
                fields=["programme", "category_code", "first_term"], name="outside_quota_once_per_term"
            ),
            models.CheckConstraint(condition=ENDS_AFTER_START, name="outside_quota_ends_after_start"),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.category_code}"
