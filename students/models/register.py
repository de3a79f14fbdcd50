"""Who is where: schools, classes, pupils, enrolments, accounts, circumstances.

Numbers of persons are stored sealed; beside each stand its mask and its blind index.
"""

import uuid

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length, Right
from django.db.models.lookups import Exact

from accounts import clock
from accounts.models import AppendOnlyQuerySet, Unit, User
from documents.models import Upload


class Stage(models.TextChoices):
    """学段: what a class teaches, and what standards speak of."""

    PRESCHOOL = "preschool", "学前"
    PRIMARY = "primary", "小学"
    JUNIOR = "junior", "初中"
    SENIOR = "senior", "普通高中"
    VOCATIONAL = "vocational", "中职"


class Boarding(models.TextChoices):
    BOARDING = "boarding", "寄宿"
    DAY = "day", "走读"
    HALF = "half", "半寄宿"  # boards on school days only, or at noon: paid by rows of its own


class Schooling(models.TextChoices):
    """就学方式: in an ordinary class, or special education (特殊教育学校、随班就读、送教上门)."""

    ORDINARY = "ordinary", "普通教育"
    SPECIAL = "special", "特殊教育"


class Major(models.TextChoices):
    """专业类别 of a class of a vocational school, as far as aid asks for it."""

    AGRICULTURAL = "agricultural", "涉农专业"
    ARTS = "arts", "艺术类专业"
    OPERA = "opera", "戏曲表演专业"
    OTHER = "other", "其他专业"


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

    class Ownership(models.TextChoices):
        PUBLIC = "public", "公办"
        INCLUSIVE = "inclusive", "普惠性民办"
        PRIVATE = "private", "民办"

    class Finance(models.TextChoices):
        COUNTY = "county", "县（区）级财政"
        CITY = "city", "市级财政"
        PROVINCE = "province", "省级财政"

    unit = models.OneToOneField(Unit, models.PROTECT, primary_key=True, related_name="school")
    code = models.CharField("学校标识码", max_length=10, unique=True)
    stages = models.JSONField("学段", default=list)  # list of Stage values
    ownership = models.CharField("办学性质", max_length=10, choices=Ownership.choices, default=Ownership.PUBLIC)
    # Whose budget a public school belongs to; shares below the province depend on it.
    finance = models.CharField("财政供给", max_length=10, choices=Finance.choices, default=Finance.COUNTY)
    notice_phone = models.CharField("监督电话", max_length=20, blank=True)
    notice_contact = models.CharField("意见受理人", max_length=40, blank=True)
    notice_place = models.CharField("公示地点", max_length=80, blank=True)

    class Meta:
        ordering = ["unit__path"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ownership__in=["public", "inclusive", "private"]), name="school_ownership_known"
            ),
            models.CheckConstraint(
                condition=Q(finance__in=["county", "city", "province"]), name="school_finance_known"
            ),
        ]

    def __str__(self) -> str:
        return self.unit.name


class SchoolClass(models.Model):
    """A class unit: its stage and grade in the present school year."""

    unit = models.OneToOneField(Unit, models.PROTECT, primary_key=True, related_name="school_class")
    stage = models.CharField("学段", max_length=10, choices=Stage.choices)
    grade = models.CharField("年级", max_length=20)  # 七年级
    major = models.CharField("专业类别", max_length=12, choices=Major.choices, blank=True)  # of vocational classes

    class Meta:
        ordering = ["unit__path"]
        constraints = [
            models.CheckConstraint(
                condition=Q(major="") | Q(major__in=Major.values, stage="vocational"), name="class_major_known"
            )
        ]

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

    class Registration(models.TextChoices):
        RURAL = "rural", "农村（含县镇）"
        URBAN = "urban", "城市"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    county = models.ForeignKey(Unit, models.PROTECT, related_name="+")
    name = models.CharField("姓名", max_length=60)
    sex = models.CharField("性别", max_length=6, choices=Sex.choices)
    birth_date = models.DateField("出生日期", null=True, blank=True)
    ethnicity = models.CharField("民族", max_length=20, blank=True)
    registration = models.CharField("户口性质", max_length=6, choices=Registration.choices, blank=True)
    region = models.CharField("户籍所在地行政区划", max_length=6, blank=True)  # GB/T 2260, six digits
    id_kind = models.CharField("证件类型", max_length=10, choices=IdKind.choices, default=IdKind.RESIDENT)
    id_sealed = models.TextField(editable=False)
    id_index = models.CharField(max_length=64, editable=False)
    id_masked = models.CharField("证件号", max_length=24, editable=False)
    roll_sealed = models.TextField(editable=False, blank=True)
    roll_index = models.CharField(max_length=64, editable=False, blank=True)
    roll_masked = models.CharField("学籍号", max_length=24, editable=False, blank=True)
    initials = models.CharField("姓名首字母", max_length=60, blank=True, editable=False)  # ZXM; see students.names
    guardian_name = models.CharField("监护人", max_length=60, blank=True)
    guardian_relation = models.CharField("与学生关系", max_length=20, blank=True)
    phone_sealed = models.TextField(editable=False, blank=True)
    phone_masked = models.CharField("联系电话", max_length=20, editable=False, blank=True)
    # The last four, by which people ask; made by the database from the masks.
    id_tail = models.GeneratedField(
        expression=Right("id_masked", 4), output_field=models.CharField(max_length=4), db_persist=True
    )
    roll_tail = models.GeneratedField(
        expression=Right("roll_masked", 4), output_field=models.CharField(max_length=4), db_persist=True
    )
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["county", "id_index"], name="pupil_id_unique_in_county"),
            models.UniqueConstraint(
                fields=["county", "roll_index"], condition=~Q(roll_index=""), name="pupil_roll_unique_in_county"
            ),
            models.CheckConstraint(
                condition=Q(registration__in=["", "rural", "urban"]), name="pupil_registration_known"
            ),
            models.CheckConstraint(
                condition=Q(region="") | Q(Exact(Length("region"), 6)), name="pupil_region_six_digits"
            ),
        ]
        indexes = [
            # With the key, so that a part of a name is looked for in the index alone.
            models.Index(fields=["name", "birth_date", "id"], name="pupil_by_name"),
            models.Index(fields=["county", "initials"], name="pupil_by_initials"),
            models.Index(fields=["id_tail"], name="pupil_by_id_tail"),
            models.Index(fields=["roll_tail"], name="pupil_by_roll_tail"),
        ]

    def __str__(self) -> str:
        return self.name


class IdCorrection(models.Model):
    """更正证件号: a pupil's ID number was wrong and was put right, on evidence. Written once.

    The old number's blind index stays, so that a file which still holds it is recognised.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="id_corrections", verbose_name="学生")
    before_index = models.CharField(max_length=64, editable=False, db_index=True)
    before_masked = models.CharField("原证件号", max_length=24)
    after_masked = models.CharField("新证件号", max_length=24)
    reason = models.CharField("更正原因", max_length=200)
    evidence_file = models.ForeignKey(Upload, models.PROTECT, related_name="+", verbose_name="证明扫描件")
    at = models.DateTimeField("更正时间")
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="办理人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.before_masked} → {self.after_masked}"


class Standing(models.TextChoices):
    """在读情况 in one term. PRESENT and SUSPENDED are open; the others have ended, on a day."""

    PRESENT = "present", "在读"
    SUSPENDED = "suspended", "休学"
    TRANSFERRED = "transferred", "已转出"
    WITHDRAWN = "withdrawn", "已退学"
    GRADUATED = "graduated", "已毕业"
    DECEASED = "deceased", "已去世"


OPEN_STANDINGS = (Standing.PRESENT, Standing.SUSPENDED)


class Enrolment(models.Model):
    """A pupil in a class for one term, from a day to a day; class, grade and stage as they were in that term.

    A pupil who changes schools within a term has two: the old one closed on the day, the new one open from it.
    New rows are made by students.enrolment.begin, which fills what follows from the class.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="enrolments", verbose_name="学生", db_index=False)
    term = models.ForeignKey(Term, models.PROTECT, related_name="enrolments", verbose_name="学期", db_index=False)
    school = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="学校", db_index=False)
    school_class = models.ForeignKey(
        Unit, models.PROTECT, related_name="enrolments", verbose_name="班级", db_index=False
    )
    # The class's path, repeated: a county's list is narrowed and ordered by it without a join.
    path = models.CharField(max_length=60, editable=False)
    class_name = models.CharField("班级", max_length=80)  # 七年级1班, in this term
    grade = models.CharField("年级", max_length=20)
    stage = models.CharField("学段", max_length=10, choices=Stage.choices)
    boarding = models.CharField("就读方式", max_length=10, choices=Boarding.choices)  # the day it changed: StatusChange
    schooling = models.CharField("就学方式", max_length=10, choices=Schooling.choices, default=Schooling.ORDINARY)
    standing = models.CharField("在读情况", max_length=12, choices=Standing.choices, default=Standing.PRESENT)
    starts_on = models.DateField("入班日期")
    ends_on = models.DateField("离班日期", null=True, blank=True)  # the last day here
    rollover = models.ForeignKey(
        "students.RollOver", models.PROTECT, null=True, blank=True, related_name="enrolments", verbose_name="学期结转"
    )

    class Meta:
        ordering = ["path", "pupil__name"]
        constraints = [
            # One child, one place: being on two schools' rosters of one term is a finding, not a second row.
            models.UniqueConstraint(
                fields=["pupil", "term"],
                condition=Q(standing__in=[s.value for s in OPEN_STANDINGS]),
                name="enrolment_one_open_per_pupil_and_term",
            ),
            models.CheckConstraint(condition=Q(boarding__in=Boarding.values), name="enrolment_boarding_known"),
            models.CheckConstraint(condition=Q(schooling__in=Schooling.values), name="enrolment_schooling_known"),
            models.CheckConstraint(
                condition=Q(standing__in=[s.value for s in OPEN_STANDINGS], ends_on__isnull=True)
                | Q(
                    standing__in=[s.value for s in Standing if s not in OPEN_STANDINGS],
                    ends_on__isnull=False,
                ),
                name="enrolment_ended_on_a_day",
            ),
        ]
        indexes = [
            # A county's list is counted and narrowed from this index alone. PostgreSQL answers "everything below this
            # unit" from an index only where it is told that the path is compared character by character.
            models.Index(
                fields=["term", "path", "standing", "boarding", "pupil"],
                name="enrolment_by_term_and_path",
                opclasses=["int8_ops", "varchar_pattern_ops", "varchar_ops", "varchar_ops", "uuid_ops"],
            ),
            models.Index(fields=["school_class", "term", "standing"], name="enrolment_by_class_and_term"),
            models.Index(fields=["school", "term", "standing"], name="enrolment_by_school_and_term"),
            # Where is this pupil now? With the path too, or SQLite, which keeps no statistics, would for each pupil
            # rather walk the whole term in the first index than read a row.
            models.Index(fields=["pupil", "term", "standing", "path"], name="enrolment_by_pupil_and_term"),
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
    number_index = models.CharField(max_length=64, editable=False)
    number_masked = models.CharField("账号", max_length=24, editable=False)
    holder = models.CharField("户名", max_length=60)  # as the bank writes it; may differ from the pupil's name
    relation = models.CharField("户主与学生关系", max_length=10, choices=Relation.choices)
    starts_on = models.DateField("启用日期")
    ends_on = models.DateField("停用日期", null=True, blank=True)
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    # When holder and number were last seen to agree on a card, a passbook or the bank's own answer.
    verified_on = models.DateField("最近核验", null=True, blank=True)
    verified_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-starts_on"]
        constraints = [
            models.CheckConstraint(
                condition=Q(verified_on__isnull=True, verified_by__isnull=True)
                | Q(verified_on__isnull=False, verified_by__isnull=False),
                name="account_verified_who_and_when",
            ),
            models.UniqueConstraint(
                fields=["pupil"], condition=Q(ends_on__isnull=True), name="account_one_open_per_pupil"
            ),
        ]
        indexes = [
            models.Index(fields=["number_index"], condition=Q(ends_on__isnull=True), name="account_open_by_number"),
            models.Index(
                fields=["pupil"],
                condition=Q(ends_on__isnull=True, verified_on__isnull=True),
                name="account_open_unverified",
            ),
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
    proof = models.CharField("要什么证明", max_length=80, blank=True)  # what a family is asked for, in words
    source = models.CharField("依据", max_length=120)  # the document that names the kind
    maps_to = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="+", verbose_name="现对应")
    valid_from = models.DateField("生效")
    valid_to = models.DateField("失效", null=True, blank=True)
    recorded_at = models.DateTimeField(default=clock.now)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped with the system

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
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="circumstances", verbose_name="学生", db_index=False)
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
        # Whether a pupil is of a kind today is asked of every pupil of a county, and answered without a row.
        indexes = [
            models.Index(fields=["pupil", "category", "valid_from", "valid_to"], name="circumstance_by_pupil_and_kind")
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


class StaffAccount(models.Model):
    """A bank account of somebody who works at a school or the centre: aid is never paid to one.

    Only the mask and the blind index are kept; the number itself is nobody's business here.
    """

    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="单位")
    county = models.ForeignKey(Unit, models.PROTECT, related_name="+")
    holder = models.CharField("户名", max_length=60)
    number_index = models.CharField(max_length=64, editable=False)
    number_masked = models.CharField("账号", max_length=24, editable=False)
    recorded_at = models.DateTimeField("登记时间", default=clock.now)
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["unit__path", "holder"]
        constraints = [
            models.UniqueConstraint(fields=["county", "number_index"], name="staff_account_once_per_county"),
        ]

    def __str__(self) -> str:
        return f"{self.holder} {self.number_masked}"
