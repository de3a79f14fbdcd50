"""What people type when a pupil's schooling changes, cleaned into one request."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from accounts import clock
from accounts.forms import DayInput, a_day_of_work
from accounts.models import Unit
from accounts.redaction import refuse_numbers
from students import changes as register
from students import numbers, words
from students.changes import Request
from students.models import Boarding, Enrolment, Pupil, SchoolClass, Schooling, StatusChange, Term

from .changes import DESK_RESULTS
from .models import ChangeRule, Programme

Kind = StatusChange.Kind

_DAYS = {
    Kind.TRANSFER_OUT: ("离校日期", "学生在本校的最后一天。"),
    Kind.TRANSFER_IN: ("到校日期", "学生到本校就读的第一天。"),
    Kind.CHANGE_CLASS: ("调班日期", "到新班级的第一天。"),
    Kind.SUSPEND: ("休学日期", "休学批准的日期。"),
    Kind.RETURN: ("复学日期", "回校就读的第一天。"),
    Kind.WITHDRAW: ("退学日期", "学生在本校的最后一天。"),
    Kind.DECEASE: ("日期", ""),
    Kind.GRADUATE: ("毕业日期", ""),
    Kind.BOARDING: ("变化日期", "从这一天起按新的方式就读。"),
    Kind.SCHOOLING: ("变化日期", "从这一天起按新的方式就学；以前登记错的，填今天。"),
    Kind.HOUSEHOLD: ("变化日期", "户口迁移的日期；以前没有登记或登记错的，填今天。"),
}


class ClassChoice(forms.ModelChoiceField):
    def label_from_instance(self, school_class: SchoolClass) -> str:
        return school_class.unit.name


def classes_of(school: Unit | None) -> QuerySet[SchoolClass]:
    """The active classes of a school, in order; none without a school."""
    rows = SchoolClass.objects.filter(unit__is_active=True).select_related("unit__parent").order_by("unit__path")
    return rows.filter(unit__parent=school) if school else rows.none()


class ChangeForm(forms.Form):
    """One change of one pupil. Which fields there are follows from the kind.

    `place` is where the pupil is (None: taken in); `school` the school they come to, where classes are offered.
    """

    on = forms.DateField(label="发生日期", widget=DayInput, validators=[a_day_of_work])

    def __init__(
        self, *args: Any, kind: Kind, pupil: Pupil, place: Enrolment | None, school: Unit | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.kind, self.pupil, self.place, self.school = kind, pupil, place, school
        label, help_text = _DAYS[kind]
        self.fields["on"].label, self.fields["on"].help_text = label, help_text
        self.fields["on"].initial = clock.today()
        self.fields["on"].widget.attrs["max"] = clock.today().isoformat()
        self._add_target()
        self.fields["reason"] = forms.CharField(
            label="原因",
            max_length=200,
            required=kind in register.NEEDS_REASON,
            validators=[refuse_numbers],
            help_text="不要写证件号和电话。" if kind in register.NEEDS_REASON else "可以不填；不要写证件号和电话。",
        )

    def _add_target(self) -> None:
        if self.kind == Kind.TRANSFER_OUT and self.school is None:
            assert self.place is not None
            self.fields["to_school"] = forms.ModelChoiceField(
                register.schools_for(self.place),
                required=False,
                label="转到本县的学校",
                empty_label="不在本县",
                help_text="只列有这名学生所在学段或下一学段的学校。",
            )
            self.fields["to_place"] = forms.CharField(
                label="转到县外的去向",
                max_length=register.PLACE_MAX,
                required=False,
                validators=[refuse_numbers],
                help_text="转到本县学校的不填，例如“外省务工地学校”。",
            )
        if self.kind in (Kind.CHANGE_CLASS, Kind.RETURN, Kind.TRANSFER_IN) or self.school is not None:
            assert self.school is not None
            self.fields["school_class"] = ClassChoice(
                classes_of(self.school), label="班级", empty_label="请选择", initial=self._same_class()
            )
        if self.kind == Kind.BOARDING or self.kind == Kind.TRANSFER_IN or self._goes_on:
            now = self.place.boarding if self.place else None
            other = {"boarding": "day", "day": "boarding", "half": "boarding"}.get(now or "")
            self.fields["boarding"] = forms.ChoiceField(
                label="就读方式",
                choices=Boarding.choices,
                widget=forms.RadioSelect,
                initial=other if self.kind == Kind.BOARDING else now,
            )

        if self.kind == Kind.SCHOOLING:
            assert self.place is not None
            now = self.place.schooling
            self.fields["schooling"] = forms.ChoiceField(
                label="就学方式",
                choices=Schooling.choices,
                widget=forms.RadioSelect,
                initial=next(value for value in Schooling.values if value != now),
                help_text="特殊教育指在特殊教育学校就读、随班就读或送教上门。",
            )
        if self.kind == Kind.HOUSEHOLD:
            self._add_household()

    def _add_household(self) -> None:
        self.fields["registration"] = forms.ChoiceField(
            label="户口性质",
            required=False,
            choices=[("", "没有登记"), *Pupil.Registration.choices],
            widget=forms.RadioSelect,
            initial=self.pupil.registration,
        )
        self.fields["region"] = forms.CharField(
            label="户籍所在地行政区划代码",
            required=False,
            max_length=12,
            initial=self.pupil.region,
            help_text="6 位数字，例如 530103；户口簿上的地址在哪个县（区），就填哪个县（区）的代码。不清楚的不填。",
            widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        )

    def clean_region(self) -> str:
        code = self.cleaned_data["region"].strip()
        region, wrong = words.read_region(code) if code else ("", [])
        if wrong:
            raise ValidationError("这不像行政区划代码：户籍所在县（市、区）的代码是 6 位数字，例如 530103。")
        return region

    @property
    def _goes_on(self) -> bool:
        """Out of one school and into another at once."""
        return self.kind == Kind.TRANSFER_OUT and self.school is not None

    def _same_class(self) -> int | None:
        return self.place.school_class_id if self.place and self.kind == Kind.RETURN else None

    def request(self) -> Request:
        data = self.cleaned_data
        return Request(
            kind=self.kind,
            pupil=self.pupil,
            on=data["on"],
            reason=data.get("reason", ""),
            school_class=data.get("school_class"),
            boarding=data.get("boarding", ""),
            schooling=data.get("schooling", ""),
            registration=data.get("registration", ""),
            region=data.get("region", ""),
            to_school=self.school if self._goes_on else data.get("to_school"),
            to_place=data.get("to_place", ""),
        )


class SchoolChoiceForm(forms.Form):
    """Which school of the county the pupil goes to; in the address, as it is nothing of a person."""

    school = forms.ModelChoiceField(Unit.objects.none(), label="转入学校", empty_label="请选择")

    def __init__(self, *args: Any, schools: QuerySet[Unit], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["school"].queryset = schools


class NewcomerForm(forms.Form):
    """Who is to be taken in: the whole ID number and the name, as they stand on the papers."""

    name = forms.CharField(label="学生姓名", max_length=60, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    number = forms.CharField(
        label="证件号（完整）",
        max_length=30,
        help_text="按户口簿或身份证填写；只用于在本县名册中核对，不会显示出来。",
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "text"}),
    )
    holds_numbers = True

    def clean_number(self) -> str:
        number = numbers.tidy_id_number(self.cleaned_data["number"])
        if len(number) < 6:
            raise ValidationError("请填写完整的证件号。")
        return number

    def clean_name(self) -> str:
        name, _ = numbers.read_name(self.cleaned_data["name"])
        return name or self.cleaned_data["name"].strip()


class FollowUpForm(forms.Form):
    result = forms.ChoiceField(
        label="处理结果", choices=[(r.value, r.label) for r in DESK_RESULTS], widget=forms.RadioSelect
    )
    note = forms.CharField(label="说明", max_length=200, required=False, validators=[refuse_numbers])


class FollowUpFilter(forms.Form):
    state = forms.ChoiceField(
        label="状态", required=False, choices=[("", "待处理"), ("settled", "已处理"), ("all", "全部")]
    )


class ChangeRuleForm(forms.Form):
    programme = forms.ModelChoiceField(Programme.objects.filter(is_active=True), label="项目", empty_label="请选择")
    first_term = forms.ModelChoiceField(Term.objects.all(), label="自这个学期起", empty_label=None)
    on_leaving = forms.ChoiceField(
        label="转出县外、退学、死亡时", choices=ChangeRule.OnLeaving.choices, widget=forms.RadioSelect
    )
    on_suspension = forms.ChoiceField(label="休学时", choices=ChangeRule.OnSuspension.choices, widget=forms.RadioSelect)
    source = forms.CharField(label="依据", max_length=200, validators=[refuse_numbers])

    def rule(self) -> ChangeRule:
        return ChangeRule(**self.cleaned_data | {"first_term": self.cleaned_data["first_term"].key})


class ConfirmationDaysForm(forms.Form):
    """In how many days from the term's first day classes confirm."""

    term = forms.ModelChoiceField(Term.objects.all(), label="自这个学期起", empty_label=None)
    days = forms.IntegerField(label="开学后天数", min_value=1, max_value=120)
    source = forms.CharField(label="依据", max_length=200, validators=[refuse_numbers])
