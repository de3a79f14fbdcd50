"""The days of a round as people type them, and the county's rules for them."""

import hashlib
from collections.abc import Mapping
from typing import Any, Self

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import QueryDict

from accounts import clock
from accounts.forms import DayInput, SeenForm, a_day_of_work
from accounts.models import Unit
from accounts.redaction import refuse_numbers
from students.models import Term

from .deadline_plans import Plan, Rule
from .deadlines import field_of
from .models import DeadlineRule, Programme
from .states import Work

_AFTER_FILING = [work for work in Work if work != Work.FILING]


class PlanForm(SeenForm):
    """The last day of each work. Only filing must have one."""

    opens_on = forms.DateField(label="填报开始", widget=DayInput, validators=[a_day_of_work])
    closes_on = forms.DateField(label="填报截止", widget=DayInput, validators=[a_day_of_work])

    def add_days(self, rules: Mapping[Work, Rule]) -> None:
        """A field for the last day of each work after filing, with the rule by which it is usually found."""
        for work in _AFTER_FILING:
            rule = rules.get(work)
            usual = f"规定：{rule.words}{'，不得更晚' if rule.is_binding else ''}" if rule else "没有规定；可以留空"
            self.fields[field_of(work)] = forms.DateField(
                label=f"{work.label}期限",
                required=False,
                widget=DayInput,
                validators=[a_day_of_work],
                help_text=usual,
            )
        filing = rules.get(Work.FILING)
        self.fields["closes_on"].help_text = "到期以后班主任不能再提交；以后可以延长。" + (
            f"规定：{filing.words}" if filing else ""
        )

    def plan(self) -> Plan:
        """The days given, filing among them."""
        days = {work: self.cleaned_data.get(field_of(work)) for work in Work}
        return {work: day for work, day in days.items() if day}

    def later(self) -> Plan:
        """The days of the work after filing."""
        return {work: day for work, day in self.plan().items() if work != Work.FILING}

    def digest(self) -> str:
        """Of the days as they stand: what was remarked on them has then been seen."""
        told = [self.cleaned_data["opens_on"], *sorted(self.plan().items())]
        return hashlib.sha256(repr(told).encode()).hexdigest()

    def filled(self, due: Plan) -> QueryDict:
        """What was typed, with these days in place of those typed."""
        data: QueryDict = self.data.copy()
        for work in Work:
            data[field_of(work)] = due[work].isoformat() if work in due else ""
        return data


class OpeningForm(PlanForm):
    """Opening a round: first what and from when; then, with `rules`, the last day of each work."""

    programme = forms.ModelChoiceField(Programme.objects.filter(is_active=True), label="资助项目", empty_label="请选择")
    term = forms.ModelChoiceField(Term.objects.all(), label="学期", empty_label="请选择")
    unit = forms.ModelChoiceField(Unit.objects.none(), label="范围", empty_label=None)

    field_order = ("programme", "term", "unit", "opens_on", "closes_on")

    def __init__(
        self, *args: Any, units: QuerySet[Unit], rules: Mapping[Work, Rule] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["unit"].queryset = units
        self.has_plan = rules is not None
        if rules is not None:
            self.add_days(rules)
        else:
            self.fields["closes_on"].required = False
            self.fields["closes_on"].help_text = "到期以后班主任不能再提交；以后可以延长。留空则按期限规定推算。"


class WindowForm(PlanForm):
    """Moving the days of a round, with the reason."""

    reason = forms.CharField(
        label="更改原因",
        max_length=200,
        validators=[refuse_numbers],
        help_text="例如“两所学校停电，县中心同意延长三天”。会记入操作记录。",
    )

    def __init__(self, *args: Any, rules: Mapping[Work, Rule], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_days(rules)
        self.order_fields(["opens_on", *(field_of(work) for work in Work), "reason"])

    def without_reason(self) -> Self:
        """For reckoning the days anew, which changes nothing yet."""
        self.fields["reason"].required = False
        return self


class DeadlineRuleForm(forms.Form):
    """How the last day of a work is found, from a term on."""

    programme = forms.ModelChoiceField(
        Programme.objects.filter(is_active=True), label="项目", required=False, empty_label="所有项目"
    )
    work = forms.ChoiceField(label="环节", choices=Work.choices)
    first_term = forms.ModelChoiceField(Term.objects.all(), label="自这个学期起", empty_label=None)
    kind = forms.ChoiceField(label="期限怎么定", choices=DeadlineRule.Kind.choices, widget=forms.RadioSelect)
    count = forms.IntegerField(label="上一环节截止后几天", required=False, min_value=1, max_value=90)
    day_kind = forms.ChoiceField(
        label="天数按什么算",
        choices=DeadlineRule._meta.get_field("day_kind").choices,
        initial="working",
        widget=forms.RadioSelect,
    )
    autumn_on = forms.CharField(
        label="秋季学期的日期", required=False, max_length=5, help_text="固定日期填这两格，写月和日，例如 10-31。"
    )
    spring_on = forms.CharField(label="春季学期的日期", required=False, max_length=5, help_text="例如 04-30。")
    is_binding = forms.BooleanField(label="这是文件规定的最晚日期，期限不能再晚", required=False)
    source = forms.CharField(label="依据（文件名称和文号）", max_length=200, validators=[refuse_numbers])

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        kind = data.get("kind")
        if kind == DeadlineRule.Kind.AFTER and not data.get("count") and "count" not in self.errors:
            self.add_error("count", "请填写上一环节截止后几天。")
        if kind == DeadlineRule.Kind.FIXED:
            for name in ("autumn_on", "spring_on"):
                if not data.get(name):
                    self.add_error(name, "请填写月和日，例如 10-31。")
        if kind == DeadlineRule.Kind.NONE and data.get("is_binding"):
            raise ValidationError("不设期限的环节没有最晚日期，请去掉“文件规定的最晚日期”。")
        return data

    def rule(self) -> DeadlineRule:
        """The row as typed; what belongs to another kind of rule is left out."""
        data, kinds = self.cleaned_data, DeadlineRule.Kind
        is_fixed = data["kind"] == kinds.FIXED
        return DeadlineRule(
            programme=data["programme"],
            work=data["work"],
            first_term=data["first_term"].key,
            kind=data["kind"],
            count=data["count"] if data["kind"] == kinds.AFTER else 0,
            day_kind=data["day_kind"],
            autumn_on=data["autumn_on"] if is_fixed else "",
            spring_on=data["spring_on"] if is_fixed else "",
            is_binding=data["is_binding"],
            source=data["source"],
            recorded_at=clock.now(),
        )
