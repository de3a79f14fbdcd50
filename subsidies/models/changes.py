"""What a change in a pupil's schooling did to their applications; what it left for the payment desk; the rules."""

import uuid

from django.db import models
from django.db.models import Q

from accounts.models import AppendOnlyQuerySet, User
from students.models import StatusChange

from .applications import Application
from .dated import term_key
from .programmes import Programme


class ChangeRule(models.Model):
    """What becomes of a programme's open applications when a pupil leaves or is suspended, from a term on."""

    class OnLeaving(models.TextChoices):
        END = "end", "未列入发放批次的申请全部终止"
        PAY_IN_FULL = "pay_in_full", "已上报县中心的照发全学期，其余终止"
        PRO_RATA = "pro_rata", "已上报县中心的按实际在校时间发放，其余终止"

    class OnSuspension(models.TextChoices):
        END = "end", "未列入发放批次的申请全部终止"
        WAIT = "wait", "退回班主任，复学后可以重新提交"
        PRO_RATA = "pro_rata", "已上报县中心的按实际在校时间发放，其余退回班主任"

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="change_rules", verbose_name="项目")
    first_term = models.CharField("执行学期", max_length=11, validators=[term_key])
    on_leaving = models.CharField("转出县外、退学、死亡时", max_length=12, choices=OnLeaving.choices)
    on_suspension = models.CharField("休学时", max_length=12, choices=OnSuspension.choices)
    source = models.CharField("依据", max_length=200)
    recorded_at = models.DateTimeField("登记时间")
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="登记人")

    class Meta:
        ordering = ["programme", "-first_term"]
        constraints = [
            models.UniqueConstraint(fields=["programme", "first_term"], name="change_rule_once_per_term"),
            models.CheckConstraint(
                condition=Q(
                    on_leaving__in=["end", "pay_in_full", "pro_rata"], on_suspension__in=["end", "wait", "pro_rata"]
                ),
                name="change_rule_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.first_term}"


class ChangeEffect(models.Model):
    """What one change did to one application, as it was shown before it was saved. Written once."""

    class Outcome(models.TextChoices):
        STAYS = "stays", "不变"
        MOVES = "moves", "转到新班级"
        WAITS = "waits", "等新学校接收"
        RETURNS = "returns", "退回补正"
        ENDS = "ends", "终止"
        DESK = "desk", "交发放环节处理"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    change = models.ForeignKey(StatusChange, models.PROTECT, related_name="effects", verbose_name="异动")
    application = models.ForeignKey(Application, models.PROTECT, related_name="effects", verbose_name="申请")
    state = models.CharField("当时状态", max_length=16)
    outcome = models.CharField("结果", max_length=8, choices=Outcome.choices)
    sentence = models.CharField("说明", max_length=300)
    # 元 to pay in addition (positive) or to take back (negative), where the change makes a difference to paid money.
    difference = models.DecimalField("差额（元）", max_digits=9, decimal_places=2, null=True, blank=True)
    at = models.DateTimeField("时间")
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="登记人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["change", "application", "outcome"], name="effect_once_per_application"),
            models.CheckConstraint(
                condition=Q(outcome__in=["stays", "moves", "waits", "returns", "ends", "desk"]),
                name="effect_outcome_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.application_id} {self.get_outcome_display()}"


class FollowUp(models.Model):
    """待处理的发放影响: a locked list is never edited, so the payment desk settles what a change means for it."""

    class Result(models.TextChoices):
        PAID_AS_LISTED = "paid_as_listed", "按名单发放，不用调整"
        NOT_PAID = "not_paid", "没有发放，款项留存"
        RECOVERED = "recovered", "已收回"
        PAID_DIFFERENCE = "paid_difference", "已补发"
        NEXT_TERM = "next_term", "下学期一并调整"
        OTHER = "other", "其他"
        REPLACED = "replaced", "由后来的异动代替"  # written by the later change, never chosen

    effect = models.OneToOneField(ChangeEffect, models.PROTECT, primary_key=True, related_name="follow_up")
    settled_at = models.DateTimeField("处理时间", null=True, blank=True)
    settled_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="处理人")
    result = models.CharField("处理结果", max_length=16, choices=Result.choices, blank=True)
    note = models.CharField("说明", max_length=200, blank=True)

    class Meta:
        ordering = ["effect__at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(settled_at__isnull=True, settled_by__isnull=True, result="")
                | Q(settled_at__isnull=False, settled_by__isnull=False) & ~Q(result=""),
                name="follow_up_settled_who_when_how",
            )
        ]

    def __str__(self) -> str:
        return self.get_result_display() or "待处理"
