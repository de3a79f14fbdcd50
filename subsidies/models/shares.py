"""Who bears the money: dated shares of a programme, and how each payout sheet was split by them."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from accounts import clock
from accounts.models import AppendOnlyQuerySet, User

from .. import shares
from .dated import ENDS_AFTER_START, DatedRows, term_key
from .payments import PaymentLine, PayoutSheet
from .programmes import Programme

_LEVELS = list(shares.LEVELS.items())


class FundShare(models.Model):
    """资金分担: which level bears which part of a programme's money, for one kind of school, from a term on.

    Fractions are kept as text in lowest terms ("1/2"), never as floating point numbers. Rows may be for pupils from
    some regions only (生源地): `origins`. Rows of one kind of school do not overlap; `shares.choose` says which counts.
    """

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="shares", verbose_name="项目")
    schools = models.CharField("适用学校", max_length=10, choices=list(shares.KINDS.items()), blank=True)
    # Where the pupils' households are registered, as `shares.read_origins` writes it; "": wherever they come from.
    origins = models.CharField("生源地代码", max_length=600, blank=True)
    origin_name = models.CharField("生源地", max_length=30, blank=True)  # 西部地区
    levels = models.JSONField("分担份额", default=dict)  # {"centre": "1/2", "province": "3/10", "county": "1/5"}
    remainder = models.CharField("尾差由谁承担", max_length=10, choices=_LEVELS)
    document = models.CharField("文件（文号）", max_length=120)
    document_date = models.DateField("文件日期", null=True, blank=True)
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    last_term = models.CharField("截止学期", max_length=11, blank=True, validators=[term_key])
    recorded_at = models.DateTimeField(default=clock.now)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: came with a pack

    objects = DatedRows.as_manager()

    class Meta:
        ordering = ["programme", "schools", "-origins", "-first_term"]
        constraints = [
            models.UniqueConstraint(
                fields=["programme", "schools", "origins", "first_term"], name="share_once_per_kind_and_term"
            ),
            models.CheckConstraint(
                condition=Q(origins="", origin_name="") | ~Q(origins="") & ~Q(origin_name=""),
                name="share_origins_have_a_name",
            ),
            models.CheckConstraint(condition=ENDS_AFTER_START, name="share_ends_after_start"),
            models.CheckConstraint(condition=Q(schools__in=list(shares.KINDS)), name="share_kind_of_school_known"),
            models.CheckConstraint(condition=Q(remainder__in=list(shares.LEVELS)), name="share_remainder_known"),
        ]

    def __str__(self) -> str:
        return f"{self.whom} {self.words}"

    @property
    def plan(self) -> shares.Plan:
        """The fractions as values."""
        return shares.plan_of(self.levels, self.remainder)

    @property
    def origin_codes(self) -> tuple[str, ...]:
        """The prefixes of the regions the row is for; none: wherever a pupil comes from."""
        return tuple(self.origins.split())

    @property
    def whom(self) -> str:
        """Which schools and pupils: 县级财政供给的公办学校，生源地为西部地区."""
        return shares.whom_words(self.schools, self.origin_name)

    @property
    def words(self) -> str:
        """中央 50%、省级 30%、县（区）级 20%."""
        return shares.plan_words(self.plan)

    @property
    def ratio(self) -> str:
        """5:3:2, as documents say it."""
        return shares.ratio_words(self.plan)

    def clean(self) -> None:
        if found := shares.faults(self.levels, self.remainder):
            raise ValidationError(found)
        # Written one way only: what was typed as 5/10 or 50% is 1/2.
        self.levels = shares.written(self.plan)
        try:
            self.origins = " ".join(shares.read_origins(self.origins))
        except ValueError as refusal:
            raise ValidationError({"origins": str(refusal)}) from None
        self.origin_name = self.origin_name.strip()
        if bool(self.origins) != bool(self.origin_name):
            raise ValidationError({"origin_name": "生源地的名称和代码要一起填写；不分生源地的，两项都不填。"})


class SheetSplit(models.Model):
    """Shares by which a payout sheet, or the pupils on it from some regions, were split, as they were on that day.

    Never edited. Which line was split by which stands in its parts.
    """

    sheet = models.ForeignKey(PayoutSheet, models.PROTECT, related_name="splits", verbose_name="发放花名册")
    share = models.ForeignKey(FundShare, models.PROTECT, related_name="+", verbose_name="资金分担")
    whom = models.CharField("适用", max_length=80)  # FundShare.whom
    levels = models.JSONField("分担份额")
    remainder = models.CharField("尾差由谁承担", max_length=10, choices=_LEVELS)
    document = models.CharField("文件（文号）", max_length=120)
    made_at = models.DateTimeField("分担时间")
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="办理人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["sheet", "pk"]
        constraints = [models.UniqueConstraint(fields=["sheet", "share"], name="sheet_split_once_per_share")]

    def __str__(self) -> str:
        return shares.plan_words(self.plan)

    @property
    def plan(self) -> shares.Plan:
        """The fractions as values."""
        return shares.plan_of(self.levels, self.remainder)


class LineShare(models.Model):
    """What one level bears of one payment line. Never edited; of a line that reverses, the mirror."""

    split = models.ForeignKey(SheetSplit, models.PROTECT, related_name="amounts", db_index=False)
    line = models.ForeignKey(PaymentLine, models.PROTECT, related_name="shares", db_index=False)
    level = models.CharField("承担", max_length=10, choices=_LEVELS)
    amount = models.DecimalField("金额（元）", max_digits=9, decimal_places=2)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["line", "level"]
        constraints = [
            models.UniqueConstraint(fields=["line", "level"], name="line_share_once_per_level"),
            models.CheckConstraint(condition=Q(level__in=list(shares.LEVELS)), name="line_share_level_known"),
        ]
        # Sums by level are read from this index alone.
        indexes = [models.Index(fields=["split", "level", "amount"], name="line_share_by_split_level")]

    def __str__(self) -> str:
        return f"{self.line_id} {self.level}"
