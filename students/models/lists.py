"""Comparison lists: what the other offices say about households and persons, version by version."""

import uuid

from django.db import models
from django.db.models import Q

from accounts.models import Unit, User
from documents.models import Upload

from .register import Category, Circumstance, Pupil


class ListSource(models.Model):
    """An office that sends lists (乡村振兴局, 民政局, 残联 …). Where two differ, the smaller rank wins."""

    county = models.ForeignKey(Unit, models.PROTECT, related_name="+")
    name = models.CharField("来源单位", max_length=60)
    rank = models.PositiveSmallIntegerField("优先顺序")

    class Meta:
        ordering = ["county", "rank"]
        constraints = [models.UniqueConstraint(fields=["county", "name"], name="list_source_once_per_county")]

    def __str__(self) -> str:
        return self.name


class ListProfile(models.Model):
    """How the files of one kind are read, and what standing on them means. Kept as data, edited in the browser.

    `layout` says where things stand (sheets, header rows, columns by header or letter, household members in
    many columns); `meaning` says which category a row gives, by its flags. See students.list_reading.
    """

    county = models.ForeignKey(Unit, models.PROTECT, related_name="+")
    code = models.SlugField("代码", max_length=40)
    name = models.CharField("名单名称", max_length=80)
    source = models.ForeignKey(ListSource, models.PROTECT, related_name="profiles", verbose_name="来源单位")
    layout = models.JSONField("文件格式", default=dict)
    meaning = models.JSONField("对应类别", default=dict)
    is_active = models.BooleanField("启用", default=True)

    class Meta:
        ordering = ["county", "code"]
        constraints = [models.UniqueConstraint(fields=["county", "code"], name="list_profile_once_per_county")]

    def __str__(self) -> str:
        return self.name


class ListVersion(models.Model):
    """One file of one kind as it came in on a day. The version is kept for good; its rows are ListEntry."""

    class State(models.TextChoices):
        READ = "read", "已读取，待确认"
        TAKEN = "taken", "已采用"
        DISCARDED = "discarded", "已放弃"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    profile = models.ForeignKey(ListProfile, models.PROTECT, related_name="versions", verbose_name="名单")
    as_of = models.DateField("数据日期")
    file_name = models.CharField("文件名", max_length=150)
    file_sha256 = models.CharField(max_length=64)
    # The file itself goes after the time rosters are kept; its rows stay.
    file = models.OneToOneField(Upload, models.PROTECT, null=True, blank=True, related_name="+")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.READ)
    findings = models.JSONField(default=list)
    rows_total = models.PositiveIntegerField("行数", default=0)
    persons_total = models.PositiveIntegerField("人数", default=0)
    read_at = models.DateTimeField("读取时间")
    read_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="上传人")
    taken_at = models.DateTimeField("采用时间", null=True, blank=True)
    taken_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="采用人")

    class Meta:
        ordering = ["profile", "-as_of", "-read_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(taken_at__isnull=True, taken_by__isnull=True)
                | Q(taken_at__isnull=False, taken_by__isnull=False),
                name="list_version_who_and_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.profile} {self.as_of}"


class ListEntry(models.Model):
    """One person on one version of a list: the sheet and row, who, which household, which flags.

    The ID number is kept as blind index and mask only; most persons on a list are no pupils at all.
    """

    id = models.BigAutoField(primary_key=True)
    version = models.ForeignKey(ListVersion, models.PROTECT, related_name="entries")
    sheet = models.CharField("工作表", max_length=60)
    row = models.PositiveIntegerField("行")
    name = models.CharField("姓名", max_length=60)
    birth_date = models.DateField("出生日期", null=True, blank=True)
    id_index = models.CharField(max_length=64, blank=True, editable=False)
    id_masked = models.CharField("证件号", max_length=24, blank=True, editable=False)
    household = models.CharField("户", max_length=64, blank=True)  # equal within one household of one version
    relation = models.CharField("与户主关系", max_length=20, blank=True)
    flags = models.JSONField("标识", default=dict)  # header → text, those the profile names
    category = models.ForeignKey(Category, models.PROTECT, null=True, blank=True, related_name="+")
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["version", "sheet", "row", "id"]
        indexes = [
            models.Index(fields=["version", "id_index"], name="list_entry_by_version_and_id"),
            models.Index(fields=["id_index"], name="list_entry_by_id"),
            models.Index(fields=["version", "household"], name="list_entry_by_household"),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.sheet} {self.row}"


class ListMatch(models.Model):
    """An entry taken to be about a pupil: by the ID number, or proposed by name and birth date and then decided.

    Homonyms are never merged silently: a proposal stays a proposal until somebody at the school decides.
    """

    class State(models.TextChoices):
        BY_ID = "by_id", "证件号一致"
        PROPOSED = "proposed", "姓名和出生日期相同，待核对"
        CONFIRMED = "confirmed", "核对后确认"
        REFUSED = "refused", "核对后不是同一人"

    entry = models.ForeignKey(ListEntry, models.CASCADE, related_name="matches")
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="list_matches")
    state = models.CharField("核对情况", max_length=10, choices=State.choices)
    circumstance = models.ForeignKey(Circumstance, models.PROTECT, null=True, blank=True, related_name="list_matches")
    decided_at = models.DateTimeField("核对时间", null=True, blank=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["entry"]
        constraints = [
            models.UniqueConstraint(fields=["entry", "pupil"], name="list_match_once"),
            models.CheckConstraint(
                condition=Q(decided_at__isnull=True, decided_by__isnull=True)
                | Q(decided_at__isnull=False, decided_by__isnull=False),
                name="list_match_who_and_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.entry_id} {self.pupil_id}"


class Recheck(models.Model):
    """复核任务 at a school: a list that changed says something new about one of its pupils."""

    class Kind(models.TextChoices):
        CAME = "came", "新进名单"
        LEFT = "left", "退出名单"
        CHANGED = "changed", "标识变化"

    class State(models.TextChoices):
        OPEN = "open", "待复核"
        SETTLED = "settled", "已复核"

    version = models.ForeignKey(ListVersion, models.PROTECT, related_name="rechecks", verbose_name="名单版本")
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="rechecks", verbose_name="学生")
    school = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="学校")
    kind = models.CharField("变化", max_length=10, choices=Kind.choices)
    before = models.JSONField("变化前", default=dict)
    after = models.JSONField("变化后", default=dict)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.OPEN)
    outcome = models.CharField("复核结果", max_length=20, blank=True)
    note = models.CharField("复核说明", max_length=200, blank=True)
    opened_at = models.DateTimeField("提出时间")
    opened_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    settled_at = models.DateTimeField("复核时间", null=True, blank=True)
    settled_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["state", "-opened_at"]
        constraints = [
            models.UniqueConstraint(fields=["version", "pupil", "kind"], name="recheck_once_per_version_and_pupil"),
            models.CheckConstraint(
                condition=Q(state="open", settled_at__isnull=True, settled_by__isnull=True)
                | Q(state="settled", settled_at__isnull=False, settled_by__isnull=False),
                name="recheck_settled_who_and_when",
            ),
        ]
        indexes = [models.Index(fields=["school", "state"], name="recheck_by_school_and_state")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pupil_id}"
