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
        ordering = ["county", "rank", "name"]
        constraints = [models.UniqueConstraint(fields=["county", "name"], name="list_source_once_per_county")]

    def __str__(self) -> str:
        return self.name


class ListProfile(models.Model):
    """How the files of one kind are read, and what standing on them means. Kept as data, edited in the browser.

    `layout` says where things stand (sheets, header rows, columns by header or letter, household members in
    many columns); `meaning` says which category a row gives, by its flags. See students.list_profiles.
    """

    county = models.ForeignKey(Unit, models.PROTECT, related_name="+")
    code = models.SlugField("代码", max_length=40)
    name = models.CharField("名单名称", max_length=80)
    source = models.ForeignKey(ListSource, models.PROTECT, related_name="profiles", verbose_name="来源单位")
    layout = models.JSONField("文件格式", default=dict)
    meaning = models.JSONField("对应类别", default=dict)
    is_active = models.BooleanField("启用", default=True)

    class Meta:
        ordering = ["county", "source__rank", "code"]
        constraints = [models.UniqueConstraint(fields=["county", "code"], name="list_profile_once_per_county")]

    def __str__(self) -> str:
        return self.name


class ListVersion(models.Model):
    """One file of one kind as it came in on a day. The version is kept for good; its rows are ListEntry.

    The row is its own job: QUEUED and TAKING wait for somebody who claims them with a lease.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "待读取"
        READING = "reading", "读取中"
        READ = "read", "已读取，待确认"
        TAKING = "taking", "采用中"
        TAKEN = "taken", "已采用"
        DISCARDED = "discarded", "已放弃"
        FAILED = "failed", "读取失败"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    profile = models.ForeignKey(ListProfile, models.PROTECT, related_name="versions", verbose_name="名单")
    as_of = models.DateField("数据日期")
    file_name = models.CharField("文件名", max_length=150)
    file_sha256 = models.CharField(max_length=64)
    # The file itself goes when the version is given up; the rows of one that was taken stay.
    file = models.OneToOneField(Upload, models.PROTECT, null=True, blank=True, related_name="+")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    progress = models.PositiveIntegerField(default=0)  # rows read so far
    failure = models.CharField(max_length=300, blank=True)
    findings = models.JSONField(default=list)  # the first of them; how many there are stands in `summary`
    summary = models.JSONField(default=dict)  # counts shown before and after taking; see students.list_matching
    rows_total = models.PositiveIntegerField("行数", default=0)
    persons_total = models.PositiveIntegerField("人数", default=0)
    households_total = models.PositiveIntegerField("户数", default=0)
    read_at = models.DateTimeField("上传时间")
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
            # Which of two is newer must have one answer.
            models.UniqueConstraint(
                fields=["profile", "as_of"],
                condition=Q(state__in=["taking", "taken"]),
                name="list_version_one_taken_per_day",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.profile} {self.as_of}"


class ListEntry(models.Model):
    """One person on one version of a list: the sheet and row, who, which household, which flags.

    The ID number is kept as blind index and mask only; most persons on a list are no pupils at all.
    """

    id = models.BigAutoField(primary_key=True)
    version = models.ForeignKey(ListVersion, models.PROTECT, related_name="entries", db_index=False)
    sheet = models.CharField("工作表", max_length=60)
    row = models.PositiveIntegerField("行")
    name = models.CharField("姓名", max_length=60, blank=True)
    birth_date = models.DateField("出生日期", null=True, blank=True)
    # Who it is, from version to version: the blind index of the ID number; without a usable number, "n" and
    # the blind index of name and birth date.
    person_index = models.CharField(max_length=64, editable=False)
    id_masked = models.CharField("证件号", max_length=24, blank=True, editable=False)
    household = models.CharField(max_length=32, blank=True, editable=False)  # equal within one household of a version
    relation = models.CharField("与户主关系", max_length=20, blank=True)
    flags = models.JSONField("标识", default=dict)  # name of the flag → text, those the profile names
    category = models.ForeignKey(Category, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    denies = models.BooleanField("否定", default=False)  # the list says that the category does not (any longer) hold
    mark = models.CharField(max_length=16, editable=False)  # equal when flags and meaning are
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        # Two versions are compared from this index alone.
        indexes = [models.Index(fields=["version", "person_index", "mark"], name="list_entry_by_person")]

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

    entry = models.ForeignKey(ListEntry, models.CASCADE, related_name="matches", db_index=False)
    # The entry's version, repeated: the newest lists of a pupil, or the pupils of a list, are found by one index.
    version = models.ForeignKey(ListVersion, models.PROTECT, related_name="matches", db_index=False)
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="list_matches")
    state = models.CharField("核对情况", max_length=10, choices=State.choices)
    circumstance = models.ForeignKey(Circumstance, models.PROTECT, null=True, blank=True, related_name="list_matches")
    decided_at = models.DateTimeField("核对时间", null=True, blank=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["entry"]
        constraints = [
            models.UniqueConstraint(fields=["entry", "pupil"], name="list_match_once"),
            models.UniqueConstraint(
                fields=["entry"], condition=Q(state__in=["by_id", "confirmed"]), name="list_match_one_pupil_per_entry"
            ),
            models.CheckConstraint(
                condition=Q(decided_at__isnull=True, decided_by__isnull=True)
                | Q(decided_at__isnull=False, decided_by__isnull=False),
                name="list_match_who_and_when",
            ),
        ]
        indexes = [
            # The pupils of a list, and which of its entries are about one, without reading a row.
            models.Index(fields=["version", "state", "pupil", "entry"], name="list_match_by_version"),
            models.Index(fields=["state"], name="list_match_by_state"),  # whole: SQLite cannot use a part by parameters
        ]

    def __str__(self) -> str:
        return f"{self.entry_id} {self.pupil_id}"


class Recheck(models.Model):
    """复核任务 at a school: a list that changed says something new about one of its pupils."""

    class Kind(models.TextChoices):
        CAME = "came", "新进名单"
        LEFT = "left", "退出名单"
        CHANGED = "changed", "标识变化"
        CONTRADICTED = "contradicted", "两份名单不一致"
        RENUMBERED = "renumbered", "证件号已更正"

    class State(models.TextChoices):
        OPEN = "open", "待复核"
        SETTLED = "settled", "已复核"
        OVERTAKEN = "overtaken", "已被后来的变化取代"

    class Outcome(models.TextChoices):
        CONFIRMED = "confirmed", "确认变化"
        MISTAKEN = "mistaken", "名单有误，情况没有变"
        MOVED = "moved", "学生已转出本校"

    version = models.ForeignKey(ListVersion, models.PROTECT, related_name="rechecks", verbose_name="名单版本")
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="rechecks", verbose_name="学生")
    school = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="学校")
    kind = models.CharField("变化", max_length=12, choices=Kind.choices)
    # What the list said of the pupil: a list of {category, name, denies, flags, sheet, row}; [] = not on it.
    before = models.JSONField("变化前", default=list)
    after = models.JSONField("变化后", default=list)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.OPEN)
    outcome = models.CharField("复核结果", max_length=10, choices=Outcome.choices, blank=True)
    settled_for = models.DateField("自哪一天起", null=True, blank=True)  # the day the settlement took effect
    note = models.CharField("复核说明", max_length=200, blank=True)
    opened_at = models.DateTimeField("提出时间")
    opened_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    settled_at = models.DateTimeField("复核时间", null=True, blank=True)
    settled_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-opened_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["version", "pupil", "kind"], name="recheck_once_per_version_and_pupil"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "overtaken"], settled_at__isnull=True, settled_by__isnull=True)
                | Q(state="settled", settled_at__isnull=False, settled_by__isnull=False),
                name="recheck_settled_who_and_when",
            ),
        ]
        indexes = [models.Index(fields=["school", "state"], name="recheck_by_school_and_state")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pupil_id}"
