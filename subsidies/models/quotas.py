"""名额: how many pupils of a county, a school or a class may have a programme in a term, and who stands outside."""

from django.db import models
from django.db.models import F, Q

from accounts import clock
from accounts.models import AppendOnlyQuerySet, Unit, User
from students.models import Term

from .programmes import Programme, term_key


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
        DOWN = "down", "舍去小数"
        HALF_UP = "half_up", "四舍五入"
        UP = "up", "有小数进一"

    quota = models.ForeignKey(Quota, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField("第几次")
    before = models.PositiveIntegerField("原名额", null=True, blank=True)
    places = models.PositiveIntegerField("名额", null=True, blank=True)  # None: no limit of its own any more
    # How the number came about, where it is a percentage of the roll as it was counted then.
    percent = models.DecimalField("比例（%）", max_digits=5, decimal_places=2, null=True, blank=True)
    roll = models.PositiveIntegerField("在读人数", null=True, blank=True)
    rounding = models.CharField("小数处理", max_length=7, choices=Rounding.choices, blank=True)
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

    class Meta:
        ordering = ["programme", "category_code", "first_term"]
        constraints = [
            models.UniqueConstraint(
                fields=["programme", "category_code", "first_term"], name="outside_quota_once_per_term"
            ),
            models.CheckConstraint(
                condition=Q(last_term="") | Q(last_term__gte=F("first_term")), name="outside_quota_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.category_code}"
