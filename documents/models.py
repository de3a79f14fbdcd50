"""Files people send in (uploads) and papers the system sends out (issued documents)."""

import secrets
import uuid

from django.db import models
from django.db.models import Q

from accounts.models import AppendOnlyQuerySet, Unit, User

from .papers import LEFT_OUT

# Read aloud over a telephone: no letters or digits that look alike.
_CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def new_verify_code() -> str:
    """A code nobody can guess (about 79 bits), printed in the QR code and in figures beside it."""
    return "".join(secrets.choice(_CODE_ALPHABET) for _ in range(16))


class Upload(models.Model):
    """A file somebody sent in, kept encrypted under a random name. Who may read it is its owner's business."""

    class Kind(models.TextChoices):
        ROSTER = "roster", "学生名册"
        LIST = "list", "比对名单"
        EVIDENCE = "evidence", "证明材料"
        MINUTES = "minutes", "评议记录照片"
        NOTICE_PHOTO = "notice_photo", "公示照片"
        SIGNED_SHEET = "signed_sheet", "签字表扫描件"
        SIGNED_FORM = "signed_form", "签字申请表扫描件"
        HAND_OVER = "hand_over", "签字的交接单"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField("种类", max_length=20, choices=Kind.choices)
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="单位")
    original_name = models.CharField("原文件名", max_length=150)
    media_type = models.CharField(max_length=80)
    size = models.PositiveIntegerField("字节数")  # of the clear content
    sha256 = models.CharField(max_length=64)  # of the clear content
    pages = models.PositiveSmallIntegerField("页数", null=True, blank=True)  # of a PDF
    has_preview = models.BooleanField("有缩略图", default=False)
    left_out = models.CharField("存入时去掉的内容", max_length=60, blank=True)  # keys of papers.LEFT_OUT, in words
    uploaded_at = models.DateTimeField("上传时间")
    uploaded_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="上传人")

    class Meta:
        ordering = ["-uploaded_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        *("roster", "list", "evidence", "minutes", "notice_photo", "signed_sheet", "signed_form"),
                        "hand_over",
                    ]
                ),
                name="upload_kind_known",
            )
        ]

    def __str__(self) -> str:
        return self.original_name

    @property
    def format_name(self) -> str:
        return "照片" if self.media_type.startswith("image/") else "PDF" if self.pages else "文件"

    @property
    def left_out_words(self) -> str:
        """What the file had when it was sent in and was not kept, for a sentence; "" for nothing."""
        return "、".join(LEFT_OUT.get(word, word) for word in self.left_out.split())


class SignedCopy(models.Model):
    """A scan of a paper as it was signed, of whatever record has it signed. Another one may follow; the first stays."""

    scan = models.OneToOneField(Upload, models.PROTECT, related_name="+", verbose_name="签字扫描件")
    recorded_at = models.DateTimeField("上传时间")
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="上传人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True


class DocumentSeries(models.Model):
    """The last number given in a series ("发放花名册", 2026); locked by whoever takes the next."""

    kind = models.CharField(max_length=20)
    year = models.PositiveSmallIntegerField()
    last = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "year"], name="series_one_per_kind_and_year")]

    def __str__(self) -> str:
        return f"{self.kind} {self.year}: {self.last}"


class IssuedDocument(models.Model):
    """A paper that left the system: its number, what was printed on it, and the hash of each file.

    The number and the code are given first (they are printed on the paper); the files follow once they
    are whole. Doing it again after a crash prints the same number.
    """

    class Kind(models.TextChoices):
        PAYOUT_SHEET = "payout_sheet", "发放花名册"
        NOTICE = "notice", "公示"
        DOSSIER = "dossier", "学生资助档案"
        MINUTES = "minutes", "评议会议记录"
        HAND_OVER = "hand_over", "工作交接单"

    class State(models.TextChoices):
        RESERVED = "reserved", "待生成"
        ISSUED = "issued", "已签发"
        SUPERSEDED = "superseded", "已被替代"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField("种类", max_length=20, choices=Kind.choices)
    number = models.CharField("编号", max_length=30, unique=True)
    code = models.CharField("查验码", max_length=16, unique=True, default=new_verify_code)
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="单位")
    state = models.CharField("状态", max_length=12, choices=State.choices, default=State.RESERVED)
    # What the public page shows: label → text, in order. Never a person's name or number.
    facts = models.JSONField("查验内容", default=list)
    pdf_name = models.CharField(max_length=120, blank=True)  # within the file store
    pdf_sha256 = models.CharField(max_length=64, blank=True)
    pdf_pages = models.PositiveIntegerField("页数", null=True, blank=True)
    xlsx_name = models.CharField(max_length=120, blank=True)
    xlsx_sha256 = models.CharField(max_length=64, blank=True)
    issued_at = models.DateTimeField("签发时间", null=True, blank=True)
    issued_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="签发人")
    superseded_by = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="supersedes", verbose_name="替代文件"
    )

    class Meta:
        ordering = ["-number"]
        indexes = [
            models.Index(fields=["pdf_sha256"], name="issued_by_pdf"),
            models.Index(fields=["xlsx_sha256"], name="issued_by_xlsx"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="reserved", pdf_sha256="", issued_at__isnull=True)
                | (Q(state__in=["issued", "superseded"]) & ~Q(pdf_sha256="") & Q(issued_at__isnull=False)),
                name="issued_document_whole",
            ),
            models.CheckConstraint(
                condition=Q(issued_at__isnull=True, issued_by__isnull=True)
                | Q(issued_at__isnull=False, issued_by__isnull=False),
                name="issued_document_who_and_when",
            ),
        ]

    def __str__(self) -> str:
        return self.number
