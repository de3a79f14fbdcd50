"""认定: how hard a pupil's circumstances are in a school year, said once for all programmes; and what is checked
before a school reports."""

import uuid

from django.db import models
from django.db.models import F, Q

from accounts.models import AppendOnlyQuerySet, Unit, User
from documents.models import Upload
from students.models import Pupil, Stage, Term

from ..completeness import Check
from .applications import Application
from .dated import term_key
from .programmes import Programme
from .reviews import Meeting


class Recognition(models.Model):
    """家庭经济困难学生认定: one pupil in one school year. Of several versions the newest counts; none is changed.

    The first is made when the principal confirms a case; a tier that differs, and each re-check, is another.
    `grounds` are the hardship categories as they were then (code, name, source_label).
    """

    class Kind(models.TextChoices):
        RECOGNISED = "recognised", "认定"
        KEPT = "kept", "复核不变"
        CHANGED = "changed", "复核调整等级"
        ENDED = "ended", "复核终止"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="recognitions", verbose_name="学生")
    school_year = models.CharField("学年", max_length=9)  # 2026-2027
    version = models.PositiveSmallIntegerField("版次")
    kind = models.CharField("结论", max_length=10, choices=Kind.choices)
    tier = models.CharField("认定等级", max_length=20, blank=True)  # "" where the county has no tiers
    grounds = models.JSONField("认定依据", default=list)
    decided_on = models.DateField("认定日期")
    term = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="学期")
    # Where the pupil was when it was said.
    school = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="学校")
    school_class = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="班级")
    application = models.ForeignKey(
        Application, models.PROTECT, null=True, related_name="+", verbose_name="所依据的申请"
    )
    meeting = models.ForeignKey(Meeting, models.PROTECT, null=True, related_name="+", verbose_name="所依据的评审")
    reason = models.TextField("原因", max_length=300, blank=True)
    evidence = models.CharField("复核材料", max_length=120, blank=True)
    evidence_file = models.OneToOneField(
        Upload, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="复核材料扫描件"
    )
    at = models.DateTimeField("登记时间")
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="登记人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["pupil", "school_year", "version"]
        constraints = [
            models.UniqueConstraint(fields=["pupil", "school_year", "version"], name="recognition_version_once"),
            models.CheckConstraint(condition=Q(version__gte=1), name="recognition_versions_from_one"),
            models.CheckConstraint(
                condition=Q(kind="recognised", application__isnull=False)
                | Q(kind="kept", application__isnull=True)
                | Q(kind__in=["changed", "ended"], application__isnull=True) & ~Q(reason="") & ~Q(evidence=""),
                name="recognition_says_from_what",
            ),
            models.CheckConstraint(
                condition=Q(kind="recognised") | Q(version__gt=1), name="recognition_before_recheck"
            ),
        ]
        indexes = [
            models.Index(fields=["school", "school_year", "school_class"], name="recognition_by_school"),
            models.Index(fields=["school_class", "school_year"], name="recognition_by_class"),
        ]

    def __str__(self) -> str:
        return f"{self.pupil_id} {self.school_year} {self.version}"

    @property
    def is_in_force(self) -> bool:
        return self.kind != self.Kind.ENDED

    @property
    def tier_words(self) -> str:
        """The tier as it is said: 特别困难; 未分等级 where there is none."""
        return self.tier or "未分等级"


class TierWording(models.Model):
    """认定等级: the words of the tiers, the hardest first, from a term on; for one stage, or for all of them.

    They are for programmes that name no tiers of their own and for re-checks. A stage's own row goes before the one
    for all stages; no words at all: recognised without a tier.
    """

    stage = models.CharField("学段", max_length=10, choices=Stage.choices, blank=True)
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    tiers = models.JSONField("等级", default=list, blank=True)
    source = models.CharField("依据", max_length=200)
    recorded_at = models.DateTimeField("登记时间")
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped with the system

    class Meta:
        ordering = ["stage", "-first_term"]
        constraints = [
            models.UniqueConstraint(fields=["stage", "first_term"], name="tier_wording_once_per_term"),
            models.CheckConstraint(condition=Q(stage__in=["", *Stage.values]), name="tier_wording_stage_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_stage_display() or '所有学段'} {self.first_term}"

    @property
    def words(self) -> str:
        """特别困难、困难、一般困难."""
        return "、".join(self.tiers) or "不分等级"


class CheckRule(models.Model):
    """上报前检查: what a finding of a kind does to a report, from a term on; of all programmes, or of one."""

    class Effect(models.TextChoices):
        STOPS = "stops", "查到就不能上报"
        REMINDS = "reminds", "只提醒，可以上报"
        OFF = "off", "不检查"

    programme = models.ForeignKey(
        Programme, models.PROTECT, null=True, blank=True, related_name="check_rules", verbose_name="项目"
    )
    check_code = models.CharField("检查内容", max_length=20, choices=Check.choices)
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    effect = models.CharField("查到后", max_length=7, choices=Effect.choices)
    source = models.CharField("依据", max_length=200)
    recorded_at = models.DateTimeField("登记时间")
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped with the system

    class Meta:
        ordering = ["check_code", F("programme").asc(nulls_first=True), "-first_term"]
        constraints = [
            models.UniqueConstraint(
                fields=["check_code", "first_term"], condition=Q(programme=None), name="check_rule_once_per_term"
            ),
            models.UniqueConstraint(
                fields=["programme", "check_code", "first_term"],
                condition=Q(programme__isnull=False),
                name="check_rule_once_per_programme_and_term",
            ),
            models.CheckConstraint(
                condition=Q(check_code__in=Check.values, effect__in=["stops", "reminds", "off"]),
                name="check_rule_words_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme or '所有项目'} {self.get_check_code_display()} {self.first_term}"
