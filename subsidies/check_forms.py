"""Forms of the check before a report, and of the words of the tiers."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms

from accounts import clock
from accounts.redaction import refuse_numbers
from students.models import Stage, Term

from .completeness import Check
from .models import Application, CheckRule, Programme, TierWording

REMARK_MAX = 300


class ReturnForm(forms.Form):
    """Which of the stopped cases go back to be put right, and what to say to them beside what was found."""

    case = forms.MultipleChoiceField(label="学生", error_messages={"required": "请至少选择一名学生。"})
    note = forms.CharField(
        label="补充说明",
        max_length=REMARK_MAX,
        required=False,
        validators=[refuse_numbers],
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="查到的问题会自动写进退回意见，这里只写另外要说明的。",
    )

    def __init__(self, *args: Any, cases: Iterable[Application], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cases = {str(row.pk): row for row in cases}
        self.fields["case"].choices = [(key, row.pupil.name) for key, row in self.cases.items()]
        self.fields["case"].error_messages["invalid_choice"] = "名单刚刚有变化，请刷新页面后重新选择。"

    def chosen(self) -> list[Application]:
        return [self.cases[key] for key in self.cleaned_data["case"]]

    def notes(self, found: dict[UUID, list[str]]) -> dict[UUID, str]:
        """By case: what was found, and what was typed, whole."""
        extra = self.cleaned_data["note"].strip()
        return {row.pk: "".join(found[row.pk])[:REMARK_MAX] + extra for row in self.chosen()}


class CheckRuleForm(forms.Form):
    """What a check does to a report, from a term on."""

    programme = forms.ModelChoiceField(
        Programme.objects.filter(is_active=True), label="项目", required=False, empty_label="所有项目"
    )
    check_code = forms.ChoiceField(label="检查内容", choices=Check.choices)
    first_term = forms.ModelChoiceField(Term.objects.all(), label="自这个学期起", empty_label=None)
    effect = forms.ChoiceField(label="查到后", choices=CheckRule.Effect.choices, widget=forms.RadioSelect)
    source = forms.CharField(label="依据（文件名称和文号）", max_length=200, validators=[refuse_numbers])

    def rule(self) -> CheckRule:
        data = self.cleaned_data
        return CheckRule(
            programme=data["programme"],
            check_code=data["check_code"],
            first_term=data["first_term"].key,
            effect=data["effect"],
            source=data["source"],
            recorded_at=clock.now(),
        )


class TierWordingForm(forms.Form):
    """The words of the tiers of a stage, from a term on."""

    stage = forms.ChoiceField(label="学段", choices=[("", "所有学段"), *Stage.choices], required=False)
    first_term = forms.ModelChoiceField(Term.objects.all(), label="自这个学期起", empty_label=None)
    tiers = forms.CharField(
        label="等级",
        required=False,
        validators=[refuse_numbers],
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="每行一个，最困难的写在最前，例如“特别困难”。留空表示认定时不分等级。",
    )
    source = forms.CharField(label="依据（文件名称和文号）", max_length=200, validators=[refuse_numbers])

    def wording(self) -> TierWording:
        data = self.cleaned_data
        return TierWording(
            stage=data["stage"],
            first_term=data["first_term"].key,
            tiers=[line.strip() for line in data["tiers"].splitlines() if line.strip()],
            source=data["source"],
            recorded_at=clock.now(),
        )
