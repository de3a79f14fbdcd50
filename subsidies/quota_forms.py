"""What people type about places: a table of numbers, what came from above, a reduction, who stands outside."""

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.models import Unit
from accounts.redaction import refuse_numbers
from students.models import Category, Term

from . import places
from .models import QuotaVersion
from .quotas import Wish

_MOST = 999_999
_ROUNDINGS = QuotaVersion.Rounding.choices
_DOCUMENT_HELP = "写明文件名称和文号；学校分到班级的，写评审会议的日期也可以。"


def _percent(**more: Any) -> forms.DecimalField:
    return forms.DecimalField(
        label="在读人数的百分之几",
        max_digits=5,
        decimal_places=2,
        min_value=Decimal("0.01"),
        max_value=Decimal(100),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        **more,
    )


class FillForm(forms.Form):
    """Fill the table with a percentage of each unit's roll; in the address, so that it can be looked at first."""

    percent = _percent(help_text="例如 14 或 7.5，按各单位现在的在读人数（不含休学）计算。")
    rounding = forms.ChoiceField(label="不满一个的", choices=_ROUNDINGS)


class _Documented(forms.Form):
    document = forms.CharField(label="依据", max_length=120, validators=[refuse_numbers], help_text=_DOCUMENT_HELP)
    note = forms.CharField(label="说明（可不填）", max_length=200, required=False, validators=[refuse_numbers])


class NumbersForm(_Documented):
    """Places of the units of one page; an empty box: no number of its own.

    `filled` are numbers a percentage made: a box that still holds its number is recorded with the percentage.
    """

    percent = forms.DecimalField(required=False, max_digits=5, decimal_places=2, widget=forms.HiddenInput)
    rounding = forms.ChoiceField(required=False, choices=[("", ""), *_ROUNDINGS], widget=forms.HiddenInput)
    # What the page was made from: a colleague's numbers must not be undone by boxes nobody touched.
    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, units: Sequence[Unit], held: Mapping[int, int | None], roll: Mapping[int, int], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.units, self.held, self.roll = units, held, roll
        told = "\n".join(f"{unit.pk} {held.get(unit.pk)}" for unit in units)
        self.initial["seen"] = hashlib.sha256(told.encode()).hexdigest()
        for unit in units:
            self.fields[f"places_{unit.pk}"] = forms.IntegerField(
                required=False,
                min_value=0,
                max_value=_MOST,
                label=f"{unit}的名额",
                initial=self._first(unit),
                widget=forms.NumberInput(attrs={"inputmode": "numeric", "aria-label": f"{unit}的名额"}),
                error_messages={"invalid": f"{unit}的名额要填整数。"},
            )

    def _first(self, unit: Unit) -> int | None:
        percent, rounding = self.initial.get("percent"), self.initial.get("rounding")
        if percent and rounding:
            return places.share_of(self.roll.get(unit.pk, 0), percent, rounding)
        return self.held.get(unit.pk)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        now = self.initial["seen"]
        if cleaned.get("seen") and cleaned["seen"] != now:
            self.data = self.data.copy()
            self.data["seen"] = now  # the next click is about what is shown now
            raise ValidationError(
                "有人刚刚改了本页的名额，没有保存。各单位现在的名额标在填写的数旁边，请核对后再保存。"
            )
        return cleaned

    def wishes(self) -> list[Wish]:
        percent, rounding = self.cleaned_data.get("percent"), self.cleaned_data.get("rounding") or ""
        return [self._wish(unit, percent, rounding) for unit in self.units]

    def _wish(self, unit: Unit, percent: Decimal | None, rounding: str) -> Wish:
        number = self.cleaned_data[f"places_{unit.pk}"]
        if percent and rounding and number == places.share_of(self.roll.get(unit.pk, 0), percent, rounding):
            return Wish(unit, percent=percent, rounding=rounding)
        return Wish(unit, number)


class ReceiveForm(_Documented):
    """The places the county was given: a number, or a percentage of its roll."""

    places = forms.IntegerField(
        label="名额", required=False, min_value=0, max_value=_MOST, help_text="上级下达的是人数的，填在这里。"
    )
    percent = _percent(required=False, help_text="上级下达的是比例的，填在这里，按全县现在的在读人数（不含休学）计算。")
    rounding = forms.ChoiceField(label="不满一个的", choices=_ROUNDINGS, required=False)

    unlimited = forms.BooleanField(label="不再限制人数（取消已经登记的名额）", required=False)

    field_order = ("places", "percent", "rounding", "unlimited", "document", "note")

    def __init__(self, *args: Any, is_limited: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_limited:
            del self.fields["unlimited"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("unlimited"):
            return cleaned
        if cleaned.get("places") is not None and cleaned.get("percent") is not None:
            raise ValidationError("名额和比例只能填一项。")
        if not self.errors and cleaned.get("places") is None and cleaned.get("percent") is None:
            raise ValidationError("请填写名额或比例。")
        return cleaned

    def wish(self, county: Unit) -> Wish:
        data = self.cleaned_data
        if data.get("unlimited"):
            return Wish(county)
        if data["percent"] is not None:
            return Wish(county, percent=data["percent"], rounding=data["rounding"] or QuotaVersion.Rounding.DOWN)
        return Wish(county, data["places"])


class ReduceForm(_Documented):
    """How many are to remain."""

    places = forms.IntegerField(label="调减后的名额", min_value=0, max_value=_MOST)
    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    field_order = ("places", "document", "note", "seen")


class OutsideForm(forms.Form):
    """A category whose pupils use up no places, from a term on."""

    category = forms.ModelChoiceField(Category.objects.none(), label="困难类别", empty_label="请选择")
    first_term = forms.ChoiceField(label="执行学期")
    source = forms.CharField(
        label="依据", max_length=120, validators=[refuse_numbers], help_text="写明文件名称和文号。"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A kind with two periods stands once; the newest.
        newest = {row.code: row.pk for row in Category.objects.order_by("valid_from")}
        self.fields["category"].queryset = Category.objects.filter(pk__in=newest.values()).order_by("rank")
        self.fields["first_term"].choices = [("", "请选择"), *_terms()]


class OutsideEndForm(forms.Form):
    last_term = forms.ChoiceField(label="截止学期", help_text="从下一学期起，这类学生也占用名额。")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["last_term"].choices = [("", "请选择"), *_terms()]


def _terms() -> list[tuple[str, str]]:
    return list(Term.objects.order_by("-key").values_list("key", "name"))
