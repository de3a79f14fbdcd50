"""What people type about how time in school is counted."""

from typing import Any

from django import forms

from accounts import scopes
from accounts.models import Unit, User
from accounts.redaction import refuse_numbers
from accounts.roles import Permission
from students.models import Term

from .models import AttendanceRule, Programme, ServedDays

# In the order of a school year.
_AUTUMN, _SPRING = (8, 9, 10, 11, 12, 1, 2), (1, 2, 3, 4, 5, 6, 7, 8)


def _months(label: str, numbers: tuple[int, ...], initial: list[int]) -> forms.TypedMultipleChoiceField:
    return forms.TypedMultipleChoiceField(
        label=label,
        coerce=int,
        choices=[(number, f"{number}月") for number in numbers],
        initial=initial,
        widget=forms.CheckboxSelectMultiple,
    )


class AttendanceRuleForm(forms.Form):
    """The rule of one programme, or of all that have none of their own."""

    programme = forms.ModelChoiceField(
        Programme.objects.filter(is_active=True, pro_rata=True, unit=Programme.Unit.MONTH),
        label="项目",
        required=False,
        empty_label="按月计算的各项目",
        help_text="某个项目另有规定的，选这个项目单独登记。",
    )
    first_term = forms.ModelChoiceField(Term.objects.all(), label="自这个学期起", empty_label=None)
    part_month = forms.ChoiceField(
        label="不满一个月时",
        choices=AttendanceRule.PartMonth.choices,
        initial=AttendanceRule.PartMonth.HALVES,
        widget=forms.RadioSelect,
    )
    autumn_months = _months("秋季学期计发月份", _AUTUMN, [9, 10, 11, 12, 1])
    spring_months = _months("春季学期计发月份", _SPRING, [3, 4, 5, 6, 7])
    source = forms.CharField(label="依据（文件名称和文号）", max_length=200, validators=[refuse_numbers])

    def rule(self) -> AttendanceRule:
        return AttendanceRule(**self.cleaned_data | {"first_term": self.cleaned_data["first_term"].key})


class ServedDaysForm(forms.Form):
    """On how many days of a term a school served."""

    unit = forms.ModelChoiceField(Unit.objects.none(), label="学校", empty_label=None)
    term = forms.ModelChoiceField(Term.objects.all(), label="学期", empty_label=None)
    days = forms.IntegerField(label="实际天数", min_value=1, max_value=200, help_text="例如实际供餐的天数。")
    source = forms.CharField(label="依据", max_length=200, validators=[refuse_numbers])

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        units = Unit.objects.filter(is_active=True, level__in=[Unit.Level.COUNTY, Unit.Level.SCHOOL]).order_by("path")
        self.fields["unit"] = forms.ModelChoiceField(
            scopes.within(units, user, Permission.EDIT_STANDARDS, unit=""),
            label="学校",
            empty_label=None,
            help_text="选县的，对没有单独登记天数的学校都有效。",
        )
        self.order_fields(["unit", "term", "days", "source"])

    def served(self) -> ServedDays:
        return ServedDays(**self.cleaned_data)
