"""What a county clerk types about a standard: whom it is for, how much, from when, on which document."""

import re
from typing import Any

from django import forms

from accounts.forms import DayInput, a_day_of_work
from accounts.redaction import refuse_numbers
from students.grades import GRADES
from students.models import Term

from .dated_terms import Dated
from .models import Programme, Standard
from .policy_words import CONDITIONS, PERIODS, UNITS, VALUES, condition_name, unit_of_amount
from .programmes import category_names

_CATEGORIES = (
    ("any_of", "困难类别：具备其一", "至少属于勾选的一类；不勾选表示不限类别。"),
    ("all_of", "困难类别：同时具备", "勾选的每一类都要具备。"),
    ("none_of", "困难类别：不含", "属于勾选的任何一类，就不适用这条标准。"),
)
# Asked of everybody, behind the fold: most standards do not speak of it.
_SELDOM = ("grade", "ownership", "registration", "region", "major", "schooling")


class ConditionsForm(forms.Form):
    """What a rule may ask of a pupil; only what makes sense for the programme is asked."""

    def __init__(self, *args: Any, programme: Programme, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.programme = programme
        self._add_conditions(programme)

    def _add_conditions(self, programme: Programme) -> None:
        if len(programme.stages) > 1:
            self._choices("stage", [(each, VALUES["stage"][each]) for each in programme.stages])
        self._choices("boarding", list(VALUES["boarding"].items()))
        if programme.tiers:
            self._choices("tier", [(each, each) for each in programme.tiers])
        grades = dict.fromkeys(grade.name for grade in GRADES.values() if grade.stage in programme.stages)
        self._choices("grade", [(each, each) for each in grades])
        for fact in ("ownership", "registration", "schooling"):
            self._choices(fact, list(VALUES[fact].items()))
        if "vocational" in programme.stages:
            self._choices("major", list(VALUES["major"].items()))
        self.fields["region"] = forms.CharField(
            label="户籍所在地",
            required=False,
            max_length=600,
            help_text="六位行政区划代码，有几个的用空格分开；不填表示不限。",
        )

    def _choices(self, fact: str, choices: list[tuple[str, str]]) -> None:
        name = condition_name(fact)
        self.fields[fact] = forms.MultipleChoiceField(
            label=name,
            required=False,
            choices=choices,
            widget=forms.CheckboxSelectMultiple,
            help_text=f"都不勾选表示不限{name}。",
        )

    def clean_region(self) -> str:
        said: str = self.cleaned_data["region"]
        for code in _words(said):
            if not re.fullmatch(r"[0-9]{6}", code):
                raise forms.ValidationError(f"“{code}”不是六位行政区划代码。")
        return said

    def conditions(self) -> dict[str, list[str]]:
        """The conditions as typed: {fact: values}."""
        data = self.cleaned_data
        told = {fact: list(data[fact]) for fact in CONDITIONS if fact != "region" and data.get(fact)}
        return told | ({"region": _words(data["region"])} if data["region"] else {})


class StandardForm(ConditionsForm):
    """A new dated standard of a programme."""

    amount = forms.DecimalField(label="金额", max_digits=9, decimal_places=2)
    periods = forms.DecimalField(max_digits=5, decimal_places=1)
    document = forms.CharField(
        label="文件名称和文号",
        max_length=120,
        validators=[refuse_numbers],
        help_text="写全，例如“×财教〔2027〕12号《关于提高补助标准的通知》”，将印在发放花名册上。",
    )
    document_date = forms.DateField(label="文件日期", required=False, widget=DayInput, validators=[a_day_of_work])
    first_term = forms.ChoiceField(
        label="执行学期",
        help_text="从哪个学期的补助开始执行。同样条件的学生原有的标准自动截止到上一学期；已提交的申请不受影响。",
    )

    def __init__(self, *args: Any, programme: Programme, **kwargs: Any) -> None:
        super().__init__(*args, programme=programme, **kwargs)
        self.fields["amount"].label = f"金额（{unit_of_amount(programme.unit)}）"
        self.fields["amount"].help_text = _AMOUNT_HELP[programme.unit]
        if programme.unit in PERIODS:
            self.fields["periods"].label = f"每学期按几{PERIODS[programme.unit]}发放"
        else:
            del self.fields["periods"]
        terms = Term.objects.order_by("-key").values_list("key", "name")
        self.fields["first_term"].choices = [("", "请选择"), *terms]
        self._add_categories()
        usual = [name for name in ("stage", "boarding", "tier") if name in self.fields]
        self.order_fields([*usual, "amount", "periods", "document", "document_date", "first_term"])

    def _add_categories(self) -> None:
        names = list(category_names().items())
        for name, label, help_text in _CATEGORIES:
            self.fields[name] = forms.MultipleChoiceField(
                label=label, required=False, choices=names, widget=forms.CheckboxSelectMultiple, help_text=help_text
            )
        self.fields["flag_category"] = forms.ChoiceField(
            label="名单标识：哪一类名单", required=False, choices=[("", "不看名单标识"), *names]
        )
        self.fields["flag_name"] = forms.CharField(
            label="名单标识：列名", required=False, max_length=40, help_text="例如“享受政策”。"
        )
        self.fields["flag_values"] = forms.CharField(
            label="名单标识：须为", required=False, max_length=80, help_text="例如“是”；有几个值的用空格分开。"
        )

    def usual(self) -> list[forms.BoundField]:
        """The fields every standard is asked for."""
        return [field for field in self if field.name not in self._folded()]

    def seldom(self) -> list[forms.BoundField]:
        """The fields behind the fold."""
        return [field for field in self if field.name in self._folded()]

    def has_seldom(self) -> bool:
        """Whether something behind the fold was filled in, or is wrong: then it is open."""
        return any(field.errors or field.value() for field in self.seldom())

    def _folded(self) -> set[str]:
        return {*_SELDOM, *(name for name, _, _ in _CATEGORIES), "flag_category", "flag_name", "flag_values"}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        said = [bool(cleaned.get(name)) for name in ("flag_category", "flag_name", "flag_values")]
        if any(said) and not all(said):
            self.add_error("flag_category", "名单标识的三项要么都填，要么都不填。")
        return cleaned

    def standard(self) -> Standard:
        """The row as typed, not saved."""
        data = self.cleaned_data
        flags = []
        if data["flag_category"]:
            flags = [
                {
                    "category": data["flag_category"],
                    "name": data["flag_name"].strip(),
                    "values": _words(data["flag_values"]),
                }
            ]
        return Standard(
            programme=self.programme,
            conditions=self.conditions(),
            **{name: list(data[name]) for name, _, _ in _CATEGORIES},
            flags=flags,
            amount=data["amount"],
            periods=data.get("periods") or 1,
            document=data["document"].strip(),
            document_date=data["document_date"],
            first_term=data["first_term"],
        )


class RuleEndForm(forms.Form):
    """The last term of a standard, or of a category that is accepted, and the document that ends it."""

    last_term = forms.ChoiceField(label="截止学期", help_text="这个学期的补助仍按这条规定，以后不再适用。")
    document = forms.CharField(label="停止执行的依据", max_length=120, validators=[refuse_numbers])

    def __init__(self, *args: Any, row: Dated, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        terms = Term.objects.filter(key__gte=row.first_term).order_by("-key").values_list("key", "name")
        self.fields["last_term"].choices = [("", "请选择"), *terms]


_AMOUNT_HELP = {
    "term": "每生每学期的金额，最多两位小数，例如 312.50。",
    "year": "每生每学年的金额，分秋季、春季两个学期各发一半。",
    "month": "每生每月的金额；每学期的金额是它乘以月数。",
    "day": "每生每天的金额；每学期的金额是它乘以天数。",
    "once": "每生一次性的金额，每人只发放一次。",
}
assert _AMOUNT_HELP.keys() == UNITS.keys()


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(word for word in re.split(r"[\s,，、;；]+", text) if word))
