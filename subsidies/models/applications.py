"""Applications, the steps they took, and who held which duty on them."""

import uuid
from decimal import Decimal

from django.db import models
from django.db.models import Q

from accounts.models import AppendOnlyQuerySet, Unit, User
from students.models import Enrolment, Pupil, Term

from ..states import ENDED_WITHOUT_AID, Duty, Place, State, Step
from .programmes import Programme, Standard
from .rounds import Round


class Application(models.Model):
    """One pupil's application for one programme in one term.

    `facts` is what was known when it was submitted (students.enrolment.facts): it is judged, printed, paid
    and archived by that. `state` is written by subsidies.workflow alone.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    round = models.ForeignKey(Round, models.PROTECT, related_name="applications", verbose_name="批次")
    programme = models.ForeignKey(Programme, models.PROTECT, related_name="+", verbose_name="项目")
    term = models.ForeignKey(Term, models.PROTECT, related_name="+", verbose_name="学期")
    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="applications", verbose_name="学生")
    enrolment = models.ForeignKey(Enrolment, models.PROTECT, related_name="+")
    school = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="学校")
    school_class = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="班级")
    state = models.CharField("状态", max_length=16, choices=State.choices, default=State.DRAFT)
    tier = models.CharField("困难等级", max_length=20, blank=True)
    reason = models.TextField("申请理由", max_length=500, blank=True)
    facts = models.JSONField(default=dict)
    amount = models.DecimalField("金额（元）", max_digits=9, decimal_places=2, null=True)
    explanation = models.TextField("金额依据", blank=True)
    standard = models.ForeignKey(Standard, models.PROTECT, null=True, related_name="+", verbose_name="标准")
    # Whether the school's decision gave it one of the places of its class (subsidies.places); it keeps the place while
    # it comes back for correction, until it ends without aid or the pupil changes class.
    place = models.CharField("名额", max_length=7, choices=Place.choices, blank=True)
    # Last day of the notice it stands on; set when published, so that the workflow can ask "is it over?".
    notice_ends_on = models.DateField("公示截止", null=True, blank=True)
    filed_at = models.DateTimeField("填报时间")
    filed_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="填报人")
    changed_at = models.DateTimeField("最近变动")

    class Meta:
        ordering = ["school_class__path", "pupil__name", "id"]
        constraints = [
            # Across all schools of the county: the pupil is one row, wherever enrolled.
            models.UniqueConstraint(
                fields=["pupil", "programme", "term"],
                condition=~Q(state__in=[s.value for s in ENDED_WITHOUT_AID]),
                name="application_one_per_pupil_programme_term",
            ),
            models.CheckConstraint(condition=Q(state__in=State.values), name="application_state_known"),
            models.CheckConstraint(condition=Q(place__in=["", *Place.values]), name="application_place_known"),
            models.CheckConstraint(
                # A draft, too, may be on its way to another school.
                condition=Q(state__in=["draft", "returned", "withdrawn", "moving"])
                # "amount > 0" alone is neither true nor false without an amount, and a check passes then.
                | Q(amount__isnull=False, amount__gt=0, standard__isnull=False) & ~Q(explanation=""),
                name="application_submitted_with_amount_and_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "round"], name="application_by_state_and_round"),
            models.Index(fields=["school", "state"], name="application_by_school_state"),
            models.Index(fields=["school_class", "state"], name="application_by_class_state"),
            # The list opens on a term: its classes are counted from this index alone.
            models.Index(fields=["term", "school_class", "state"], name="application_by_term_class"),
        ]

    def __str__(self) -> str:
        return f"{self.pupil} {self.round}"

    @property
    def class_name(self) -> str:
        """The class as it was called in the application's term; a year later the unit has another name.

        As frozen, except where the teacher is still (or again) at it: then where the pupil is.
        """
        is_open = self.state in (State.DRAFT, State.RETURNED) or "class_name" not in self.facts
        return self.enrolment.class_name if is_open else self.facts["class_name"]

    @property
    def amount_due(self) -> Decimal:
        """元 for the term, of an application that was submitted (the database holds that it has one)."""
        if self.amount is None:
            raise ValueError(f"application {self.pk} was never submitted")
        return self.amount


class Reckoning(models.Model):
    """计算: what the rules gave for the facts of a moment, and why. Each time the facts are read anew: written once.

    `rests_on` names the facts that mattered (`entitlement.Entitlement`), `document` the one that sets the amount.
    """

    application = models.ForeignKey(Application, models.PROTECT, related_name="reckonings")
    at = models.DateTimeField("计算时间")
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="提交人")
    amount = models.DecimalField("金额（元）", max_digits=9, decimal_places=2)
    sentence = models.TextField("金额依据")
    rests_on = models.JSONField("所依据的情况", default=list)
    standard = models.ForeignKey(Standard, models.PROTECT, related_name="+", verbose_name="标准")
    document = models.CharField("文件名称和文号", max_length=120)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["application", "pk"]

    def __str__(self) -> str:
        return f"{self.application_id} {self.amount}"


class StepTaken(models.Model):
    """A step an application took: from, to, by whom, when, with what remark. Written by the workflow only."""

    application = models.ForeignKey(Application, models.PROTECT, related_name="steps")
    step = models.CharField("步骤", max_length=20, choices=Step.choices)
    source = models.CharField(max_length=16, choices=State.choices)
    target = models.CharField(max_length=16, choices=State.choices)
    at = models.DateTimeField("时间")
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="经办人")
    role = models.CharField("身份", max_length=180)  # unit, role, and for whom: see Appointment.post
    note = models.TextField("意见", blank=True)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["application", "pk"]

    def __str__(self) -> str:
        return f"{self.get_step_display()} {self.by}"


class DutyHolder(models.Model):
    """Who decided what on an application. The constraint is the four-eyes rule: one person, one duty.

    What somebody does in another's name is that other's duty too: two rows, theirs with the `deputy`.
    """

    application = models.ForeignKey(Application, models.PROTECT, related_name="duty_holders")
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    duty = models.CharField(max_length=14, choices=Duty.choices)
    deputy = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["application", "by"], name="duty_one_per_person_and_application"),
            models.CheckConstraint(condition=Q(duty__in=Duty.values), name="duty_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_duty_display()} {self.by}"


class Kinship(models.Model):
    """亲属回避: what a person said of a pupil: kin, so that they decide on nothing there, or not. The last counts."""

    pupil = models.ForeignKey(Pupil, models.PROTECT, related_name="+", verbose_name="学生")
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="说明人")
    number = models.PositiveSmallIntegerField()  # of what this person said of this pupil, from 1
    is_kin = models.BooleanField("是亲属")
    school = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="学校")  # the pupil's at the time
    at = models.DateTimeField("时间")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pupil", "by", "number"], name="kinship_said_in_order")]

    def __str__(self) -> str:
        return f"{self.by} {self.words}"

    @property
    def words(self) -> str:
        return "是本人亲属，回避" if self.is_kin else "不是本人亲属"
