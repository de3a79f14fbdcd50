"""Payment: a batch of lines that are never edited, one payout sheet per school, what was paid when."""

import uuid

from django.db import models
from django.db.models import F, Q

from accounts.models import AppendOnlyQuerySet, Unit, User
from documents.models import IssuedDocument, Upload
from students.models import BankAccount

from .applications import Application
from .rounds import Round


class PaymentBatch(models.Model):
    """发放批次: approved applications of one round, fixed at the moment of making. Its total is computed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField("批次号", max_length=30, unique=True)
    round = models.ForeignKey(Round, models.PROTECT, related_name="batches", verbose_name="资助批次")
    made_at = models.DateTimeField("编制时间")
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="编制人")
    # In whose name, where the maker acted for somebody: it is that one's batch too.
    made_for = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="被代理人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at"]

    def __str__(self) -> str:
        return self.number

    @property
    def maker(self) -> str:
        """As a paper has it: 无关人（代沈经办）."""
        return f"{self.made_by}（代{self.made_for}）" if self.made_for else str(self.made_by)


class PayoutSheet(models.Model):
    """发放花名册 of one school in a batch. The row is the job: workers claim it by compare-and-set."""

    class State(models.TextChoices):
        QUEUED = "queued", "排队中"
        RENDERING = "rendering", "生成中"
        READY = "ready", "待签字"
        SIGNED = "signed", "签字表已上传"
        PAID = "paid", "已发放"
        FAILED = "failed", "生成失败"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    batch = models.ForeignKey(PaymentBatch, models.PROTECT, related_name="sheets", verbose_name="发放批次")
    school = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="学校")
    document = models.OneToOneField(IssuedDocument, models.PROTECT, related_name="+")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField("尝试次数", default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    failure = models.CharField("失败原因", max_length=300, blank=True)
    signed_copy = models.OneToOneField(Upload, models.PROTECT, null=True, blank=True, related_name="+")
    signed_at = models.DateTimeField("签字表上传时间", null=True, blank=True)
    signed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    # Repeated from the batch so that the database itself can hold the persons apart.
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_for = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    paid_on = models.DateField("到账日期", null=True, blank=True)
    voucher = models.CharField("支付凭证号", max_length=60, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    paid_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="登记人")

    class Meta:
        ordering = ["batch", "school__path"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "school"], name="sheet_one_per_batch_and_school"),
            models.CheckConstraint(
                condition=Q(paid_by__isnull=True) | ~Q(paid_by=F("made_by")), name="sheet_maker_does_not_record_payment"
            ),
            models.CheckConstraint(
                condition=Q(paid_by__isnull=True) | Q(made_for__isnull=True) | ~Q(paid_by=F("made_for")),
                name="sheet_recorded_by_another_than_it_was_made_for",
            ),
            models.CheckConstraint(
                condition=Q(signed_at__isnull=True, signed_by__isnull=True, signed_copy__isnull=True)
                | Q(signed_at__isnull=False, signed_by__isnull=False, signed_copy__isnull=False),
                name="sheet_signed_who_and_when",
            ),
            models.CheckConstraint(
                condition=Q(paid_at__isnull=True, paid_by__isnull=True, paid_on__isnull=True)
                | Q(paid_at__isnull=False, paid_by__isnull=False, paid_on__isnull=False),
                name="sheet_paid_who_and_when",
            ),
            models.CheckConstraint(
                condition=(Q(state="paid") & Q(paid_by__isnull=False) & ~Q(voucher=""))
                | (~Q(state="paid") & Q(paid_by__isnull=True)),
                name="sheet_paid_means_recorded",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["signed", "paid"]) | Q(signed_copy__isnull=False),
                name="sheet_signed_means_a_scan",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "rendering", "ready", "signed", "paid", "failed"]),
                name="sheet_state_known",
            ),
        ]
        indexes = [models.Index(fields=["state", "lease_until"], name="sheet_by_state_lease")]

    def __str__(self) -> str:
        return f"{self.school} {self.batch}"


class PaymentLine(models.Model):
    """发放明细: what is paid to whom, as known when the batch was made. Never edited.

    A mistake is put right by a new line that names the old one and carries the opposite amount.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sheet = models.ForeignKey(PayoutSheet, models.PROTECT, related_name="lines")
    application = models.ForeignKey(Application, models.PROTECT, related_name="lines")
    account = models.ForeignKey(BankAccount, models.PROTECT, related_name="+")
    position = models.PositiveIntegerField("序号")
    amount = models.DecimalField("金额（元）", max_digits=9, decimal_places=2)
    reverses = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="reversed_by")
    # What is printed (names, class, masked account, standard) and the region by which the money is split.
    snapshot = models.JSONField()

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["sheet", "position"]
        constraints = [
            models.UniqueConstraint(fields=["sheet", "position"], name="line_position_once"),
            # An application is paid by one line; a second one is only ever its reversal.
            models.UniqueConstraint(
                fields=["application"], condition=Q(reverses__isnull=True), name="line_one_per_application"
            ),
            models.CheckConstraint(
                condition=Q(reverses__isnull=True, amount__gt=0) | Q(reverses__isnull=False, amount__lt=0),
                name="line_positive_unless_reversal",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sheet_id} #{self.position}"
