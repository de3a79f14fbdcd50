"""申请表: what a family declares in a school year, the signed paper of it, and which form a programme uses."""

import uuid

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from accounts.models import AppendOnlyQuerySet, User
from documents.models import Upload
from students.models import Enrolment, Pupil

from ..declaration_words import LAYOUTS, PROMISE, TITLES
from .dated import term_key
from .programmes import Programme


class FormRule(models.Model):
    """申请表规定: the form by which a programme is applied for, from a term on.

    Without a programme it is for all that pay only some of their pupils; a programme's own row goes before it. What
    is printed at its head, the promise, and whether the village signs, differ from place to place.
    """

    class Layout(models.TextChoices):
        RECOGNITION = "recognition", LAYOUTS["recognition"]
        LIVING_AID = "living_aid", LAYOUTS["living_aid"]
        GRANT = "grant", LAYOUTS["grant"]
        NONE = "none", LAYOUTS["none"]

    programme = models.ForeignKey(
        Programme, models.PROTECT, null=True, blank=True, related_name="form_rules", verbose_name="项目"
    )
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    layout = models.CharField("表式", max_length=11, choices=Layout.choices)
    title = models.CharField("表名", max_length=40, blank=True)
    promise = models.CharField("承诺内容", max_length=200, blank=True, default=PROMISE)
    asks_village = models.BooleanField("须村（居）委会签署意见", default=False)
    source = models.CharField("依据", max_length=200)
    recorded_at = models.DateTimeField("登记时间")
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")  # None: shipped with the system

    class Meta:
        ordering = ["programme", "-first_term"]
        constraints = [
            models.UniqueConstraint(fields=["first_term"], condition=Q(programme=None), name="form_rule_once_per_term"),
            models.UniqueConstraint(
                fields=["programme", "first_term"],
                condition=Q(programme__isnull=False),
                name="form_rule_once_per_programme_and_term",
            ),
            models.CheckConstraint(
                condition=Q(layout__in=["recognition", "living_aid", "grant", "none"]), name="form_rule_layout_known"
            ),
            models.CheckConstraint(
                condition=Q(layout="none") | ~Q(title="") & ~Q(promise=""), name="form_rule_has_title_and_promise"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme or '所有项目'} {self.first_term}"

    @property
    def words(self) -> str:
        """《家庭经济困难学生确认表》，按认定申请表的表式; 不用填表."""
        if self.layout == self.Layout.NONE:
            return self.get_layout_display()
        told = [f"《{self.title}》"]
        if self.title != TITLES[self.layout]:
            told.append(f"按{self.get_layout_display()}的表式")
        if self.asks_village:
            told.append("须村（居）委会签署意见")
        return "，".join(told)

    def clean(self) -> None:
        if self.layout != self.Layout.NONE:
            missing = {name: "请填写。" for name in ("title", "promise") if not getattr(self, name).strip()}
            if missing:
                raise ValidationError(missing)


class Declaration(models.Model):
    """One version of what a pupil's family declared for a school year. Written once; what changed is a new version.

    `facts` is what the register knew on that day (students.enrolment.facts and what is needed beside it: masked
    numbers only). What the family said, `subsidies.declarations.Answers`, is sealed: incomes, health and address of
    a household are nobody's business who reads a database.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="declarations", verbose_name="学生")
    school_year = models.CharField("学年", max_length=9)  # 2026-2027
    version = models.PositiveSmallIntegerField("版本")
    enrolment = models.ForeignKey(Enrolment, models.PROTECT, related_name="+", verbose_name="就读")
    facts = models.JSONField("登记情况")
    answers_sealed = models.TextField(editable=False)
    digest = models.CharField(max_length=64)  # SHA-256 of facts and answers: printed short on each page
    reason = models.CharField("更改原因", max_length=100, blank=True)  # of every version but the first
    made_at = models.DateTimeField("填写时间")
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="录入人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["pupil", "-school_year", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["pupil", "school_year", "version"], name="declaration_version_once_per_pupil_and_year"
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="declaration_versions_count_from_one"),
            models.CheckConstraint(condition=Q(version=1) | ~Q(reason=""), name="declaration_change_gives_its_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.pupil} {self.school_year} 第{self.version}版"

    @property
    def mark(self) -> str:
        """What stands on each page of the printed form, so that a scan is known to be of this version."""
        return f"{self.school_year} 第{self.version}版 {self.digest[:8].upper()}"


class SignedForm(models.Model):
    """签字申请表: the paper of one version as it came back signed. A better scan is a new row; the last counts."""

    class Signer(models.TextChoices):
        GUARDIAN = "guardian", "监护人"
        PUPIL = "pupil", "学生本人"
        BOTH = "both", "学生和监护人"

    declaration = models.ForeignKey(Declaration, models.PROTECT, related_name="signed", verbose_name="申请表")
    title = models.CharField("表名", max_length=40)
    layout = models.CharField("表式", max_length=11, choices=FormRule.Layout.choices)
    signed_on = models.DateField("签字日期")
    signer = models.CharField("签字人", max_length=8, choices=Signer.choices)
    file = models.ForeignKey(Upload, models.PROTECT, related_name="+", verbose_name="扫描件")
    recorded_at = models.DateTimeField("登记时间")
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="登记人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(layout__in=["recognition", "living_aid", "grant"]), name="signed_form_layout_known"
            ),
            models.CheckConstraint(
                condition=Q(signer__in=["guardian", "pupil", "both"]), name="signed_form_signer_known"
            ),
            models.UniqueConstraint(fields=["file"], name="signed_form_one_per_file"),
        ]

    def __str__(self) -> str:
        return f"{self.declaration} {self.title}"
