"""The register. Numbers of persons are stored sealed; beside each stand its mask and its blind index."""

import uuid

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from accounts import clock
from accounts.models import Unit, User
from documents.models import Upload


class Stage(models.TextChoices):
    """学段: what a class teaches, and what standards speak of."""

    PRESCHOOL = "preschool", "学前"
    PRIMARY = "primary", "小学"
    JUNIOR = "junior", "初中"
    SENIOR = "senior", "普通高中"


class Boarding(models.TextChoices):
    BOARDING = "boarding", "寄宿"
    DAY = "day", "走读"


class Term(models.Model):
    """学期. `key` sorts: 2026-2027-1 is the autumn term, 2026-2027-2 the spring term."""

    key = models.CharField("学期代码", max_length=11, unique=True)
    name = models.CharField("学期", max_length=30)  # 2026—2027学年秋季学期
    starts_on = models.DateField("开始")
    ends_on = models.DateField("结束")

    class Meta:
        ordering = ["-key"]
        constraints = [models.CheckConstraint(condition=Q(ends_on__gt=F("starts_on")), name="term_ends_after_start")]

    def __str__(self) -> str:
        return self.name


class School(models.Model):
    """What a school unit is to the register and to the public."""

    unit = models.OneToOneField(Unit, models.PROTECT, primary_key=True, related_name="school")
    code = models.CharField("学校标识码", max_length=10, unique=True)
    stages = models.JSONField("学段", default=list)  # list of Stage values
    notice_phone = models.CharField("监督电话", max_length=20, blank=True)
    notice_contact = models.CharField("意见受理人", max_length=40, blank=True)
    notice_place = models.CharField("公示地点", max_length=80, blank=True)

    class Meta:
        ordering = ["unit__path"]

    def __str__(self) -> str:
        return self.unit.name


class SchoolClass(models.Model):
    """A class unit: its stage and grade in the present school year."""

    unit = models.OneToOneField(Unit, models.PROTECT, primary_key=True, related_name="school_class")
    stage = models.CharField("学段", max_length=10, choices=Stage.choices)
    grade = models.CharField("年级", max_length=20)  # 七年级

    class Meta:
        ordering = ["unit__path"]

    def __str__(self) -> str:
        return self.unit.name


class Pupil(models.Model):
    """A pupil of the county, known by ID number and by roll number, wherever enrolled."""

    class Sex(models.TextChoices):
        MALE = "male", "男"
        FEMALE = "female", "女"

    class IdKind(models.TextChoices):
        RESIDENT = "resident", "居民身份证"
        PERMIT = "permit", "港澳台居民居住证"
        OTHER = "other", "其他证件"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    county = models.ForeignKey(Unit, models.PROTECT, related_name="+")
    name = models.CharField("姓名", max_length=60)
    sex = models.CharField("性别", max_length=6, choices=Sex.choices)
    birth_date = models.DateField("出生日期", null=True, blank=True)
    ethnicity = models.CharField("民族", max_length=20, blank=True)
    id_kind = models.CharField("证件类型", max_length=10, choices=IdKind.choices, default=IdKind.RESIDENT)
    id_sealed = models.TextField(editable=False)
    id_index = models.CharField(max_length=64, editable=False)
    id_masked = models.CharField("证件号", max_length=24, editable=False)
    roll_sealed = models.TextField(editable=False, blank=True)
    roll_index = models.CharField(max_length=64, editable=False, blank=True)
    roll_masked = models.CharField("学籍号", max_length=24, editable=False, blank=True)
    guardian_name = models.CharField("监护人", max_length=60, blank=True)
    guardian_relation = models.CharField("与学生关系", max_length=20, blank=True)
    phone_sealed = models.TextField(editable=False, blank=True)
    phone_masked = models.CharField("联系电话", max_length=20, editable=False, blank=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["county", "id_index"], name="pupil_id_unique_in_county"),
            models.UniqueConstraint(
                fields=["county", "roll_index"], condition=~Q(roll_index=""), name="pupil_roll_unique_in_county"
            ),
        ]
        indexes = [models.Index(fields=["name"], name="pupil_by_name")]

    def __str__(self) -> str:
        return self.name


class Enrolment(models.Model):
    """A pupil in a class for one term: boarding or day is a fact of the term."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="enrolments", verbose_name="学生")
    term = models.ForeignKey(Term, models.PROTECT, related_name="enrolments", verbose_name="学期")
    school = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="学校")
    school_class = models.ForeignKey(Unit, models.PROTECT, related_name="enrolments", verbose_name="班级")
    boarding = models.CharField("就读方式", max_length=10, choices=Boarding.choices)

    class Meta:
        ordering = ["school_class__path", "pupil__name"]
        constraints = [
            # One child, one place: being on two schools' rosters of one term is a finding, not a second row.
            models.UniqueConstraint(fields=["pupil", "term"], name="enrolment_one_per_pupil_and_term"),
            models.CheckConstraint(condition=Q(boarding__in=["boarding", "day"]), name="enrolment_boarding_known"),
        ]

    def __str__(self) -> str:
        return f"{self.pupil} {self.term.key}"


class BankAccount(models.Model):
    """An account money may go to. Changed accounts are new rows; the old one gets an end."""

    class Relation(models.TextChoices):
        SELF = "self", "本人"
        FATHER = "father", "父亲"
        MOTHER = "mother", "母亲"
        GUARDIAN = "guardian", "其他监护人"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="accounts", verbose_name="学生")
    bank = models.CharField("开户行", max_length=60)
    number_sealed = models.TextField(editable=False)
    number_index = models.CharField(max_length=64, editable=False, db_index=True)
    number_masked = models.CharField("账号", max_length=24, editable=False)
    holder = models.CharField("户名", max_length=60)  # as the bank writes it; may differ from the pupil's name
    relation = models.CharField("户主与学生关系", max_length=10, choices=Relation.choices)
    starts_on = models.DateField("启用日期")
    ends_on = models.DateField("停用日期", null=True, blank=True)
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-starts_on"]
        constraints = [
            models.UniqueConstraint(
                fields=["pupil"], condition=Q(ends_on__isnull=True), name="account_one_open_per_pupil"
            )
        ]

    def __str__(self) -> str:
        return self.number_masked


class Category(models.Model):
    """A kind of hardship (低保, 特困供养 …) with the days in which the kind exists.

    `maps_to` names the kind that took its place (建档立卡 → 脱贫户), so that old evidence still counts.
    `rank` orders kinds for reports that count a child once: smaller comes first.
    """

    code = models.SlugField("代码", max_length=30)
    name = models.CharField("名称", max_length=60)
    rank = models.PositiveSmallIntegerField("排序")
    needs_evidence = models.BooleanField("自采集须附证明", default=True)
    source = models.CharField("依据", max_length=120)  # the document that names the kind
    maps_to = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="+", verbose_name="现对应")
    valid_from = models.DateField("生效")
    valid_to = models.DateField("失效", null=True, blank=True)

    class Meta:
        ordering = ["rank", "valid_from"]
        verbose_name = "困难类别"
        constraints = [
            models.UniqueConstraint(fields=["code", "valid_from"], name="category_code_and_start"),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="category_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Circumstance(models.Model):
    """One pupil's hardship of one kind, from a day to a day, known from a source and shown by evidence."""

    class Source(models.TextChoices):
        MATCHED = "matched", "系统比对"
        COLLECTED = "collected", "学校自采集"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="circumstances", verbose_name="学生")
    category = models.ForeignKey(Category, models.PROTECT, related_name="+", verbose_name="困难类别")
    source = models.CharField("来源", max_length=10, choices=Source.choices)
    evidence = models.CharField("证明名称和编号", max_length=120, blank=True)
    evidence_file = models.ForeignKey(
        Upload, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="证明扫描件"
    )
    valid_from = models.DateField("生效")
    valid_to = models.DateField("失效", null=True, blank=True)
    recorded_at = models.DateTimeField(default=clock.now)
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["category__rank", "valid_from"]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")),
                name="circumstance_ends_after_start",
            ),
            models.UniqueConstraint(
                fields=["pupil", "category"], condition=Q(valid_to__isnull=True), name="circumstance_open_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pupil} {self.category}"

    def clean(self):
        if (
            self.source == self.Source.COLLECTED
            and self.category_id
            and self.category.needs_evidence
            and not (self.evidence or self.evidence_file_id)
        ):
            raise ValidationError({"evidence": "学校自采集的困难类别要写明证明名称和编号，或上传扫描件。"})


class RosterImport(models.Model):
    """A roster a school sent in: checked first, applied when the officer says so, or thrown away.

    `findings` is what the check said, row by row, with numbers masked; see students.rosters.
    """

    class State(models.TextChoices):
        CHECKED = "checked", "已预检，待确认"
        APPLIED = "applied", "已导入"
        DISCARDED = "discarded", "已放弃"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    school = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="学校")
    term = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="学期")
    # None once thrown away: the file itself is gone then.
    file = models.OneToOneField(Upload, models.PROTECT, null=True, blank=True, related_name="+")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.CHECKED)
    findings = models.JSONField(default=list)
    rows_total = models.PositiveIntegerField("总行数", default=0)
    rows_new = models.PositiveIntegerField("新增", default=0)
    rows_changed = models.PositiveIntegerField("变更", default=0)
    rows_same = models.PositiveIntegerField("无变化", default=0)
    rows_refused = models.PositiveIntegerField("有误", default=0)
    checked_at = models.DateTimeField("预检时间")
    checked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    applied_at = models.DateTimeField("导入时间", null=True, blank=True)
    applied_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-checked_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(applied_at__isnull=True, applied_by__isnull=True)
                | Q(applied_at__isnull=False, applied_by__isnull=False),
                name="roster_import_who_and_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.school} {self.term.key}"
