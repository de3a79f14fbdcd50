"""What people type about places: a table of numbers, what came from above, a reduction, who stands outside."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.forms.boundfield import BoundWidget

from accounts.forms import DayInput, a_day_of_work
from accounts.models import Unit
from accounts.redaction import refuse_numbers
from students.models import Category, Term
from students.term_keys import term_label

from . import places
from .models import Application, Programme, QuotaPercentage, QuotaVersion
from .percentages import Proposal
from .quotas import Wish
from .standard_forms import ConditionsForm

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


class Fill(models.TextChoices):
    """Where numbers that are only proposed come from: the page's address says so, and nothing is kept of it."""

    RULE = "rule", "按规定的比例"
    LAST = "last", "按上次的名额"


class _Proposed(_Documented):
    """Numbers that may have been proposed; one that is left as it was proposed is recorded with how it came about."""

    fill = forms.ChoiceField(required=False, choices=[("", ""), *Fill.choices], widget=forms.HiddenInput)

    def __init__(self, *args: Any, proposals: Mapping[int, Proposal], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.proposals = proposals

    def proposed(self, unit: Unit, number: int | None) -> str:
        """How the number came about, where it is just what was proposed."""
        held = self.proposals.get(unit.pk) if self.cleaned_data.get("fill") else None
        return held.words if held and held.places == number else ""


class NumbersForm(_Proposed):
    """Places of the units of one page; an empty box: no number of its own.

    Boxes may be filled by a percentage or with a proposal: one that still holds its number is recorded with that.
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
        if percent and rounding and self.roll.get(unit.pk):
            return places.share_of(self.roll[unit.pk], percent, rounding)
        if self.initial.get("fill") and unit.pk in self.proposals:
            return self.proposals[unit.pk].places
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
        number, roll = self.cleaned_data[f"places_{unit.pk}"], self.roll.get(unit.pk, 0)
        if percent and rounding and roll and number == places.share_of(roll, percent, rounding):
            return Wish(unit, percent=percent, rounding=rounding)
        return Wish(unit, number, proposed=self.proposed(unit, number))


class ReceiveForm(_Proposed):
    """The places the county was given: a number, or a percentage of its roll."""

    places = forms.IntegerField(
        label="名额", required=False, min_value=0, max_value=_MOST, help_text="上级下达的是人数的，填在这里。"
    )
    percent = _percent(required=False, help_text="上级下达的是比例的，填在这里，按全县现在的在读人数（不含休学）计算。")
    rounding = forms.ChoiceField(label="不满一个的", choices=_ROUNDINGS, required=False)

    unlimited = forms.BooleanField(label="不再限制人数（取消已经登记的名额）", required=False)

    field_order = ("places", "percent", "rounding", "unlimited", "document", "note", "fill")

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
        return Wish(county, data["places"], proposed=self.proposed(county, data["places"]))


class ReduceForm(_Documented):
    """How many are to remain."""

    places = forms.IntegerField(label="调减后的名额", min_value=0, max_value=_MOST)
    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    field_order = ("places", "document", "note", "seen")


class SendBackForm(forms.Form):
    """Which of the cases that use too many places go back to the school's meeting, and why."""

    cases = forms.MultipleChoiceField(
        label="退回的申请",
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": "请勾选要退回学校评审的申请。",
            "invalid_choice": "勾选的申请刚刚有变化，请重新勾选。",
        },
    )
    reason = forms.CharField(
        label="退回原因",
        max_length=200,
        validators=[refuse_numbers],
        help_text="写明依据，例如“县里调减名额（云教助〔2026〕30号），重新评审排序”。",
    )

    def __init__(self, *args: Any, cases: Sequence[Application], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows = {str(case.pk): case for case in cases}
        self.fields["cases"].choices = [(key, f"选择{case.pupil.name}") for key, case in self.rows.items()]

    def chosen(self) -> list[Application]:
        return [self.rows[key] for key in self.cleaned_data["cases"]]

    def lines(self) -> Iterator[tuple[Application, BoundWidget]]:
        """Each case with its box."""
        return zip(self.rows.values(), self["cases"], strict=True)


class PercentageForm(ConditionsForm):
    """A dated percentage of the roll or of a part of it."""

    percent = _percent(help_text="例如 20 或 7.5。")
    rounding = forms.ChoiceField(
        label="不满一个的",
        choices=_ROUNDINGS,
        initial=QuotaVersion.Rounding.DOWN,
        help_text="文件没有写明的，舍去小数。",
    )
    document = forms.CharField(
        label="文件名称和文号", max_length=120, validators=[refuse_numbers], help_text="写明规定这个比例的文件。"
    )
    document_date = forms.DateField(label="文件日期", required=False, widget=DayInput, validators=[a_day_of_work])
    first_term = forms.ChoiceField(
        label="执行学期",
        help_text="同样条件原来的比例自动截止到上一学期；这个学期已经登记过的，按这次填写的更正。已分配的名额不变。",
    )

    def __init__(self, *args: Any, programme: Programme, row: QuotaPercentage | None = None, **kwargs: Any) -> None:
        """`row` is the one to start from: its term can be chosen though no calendar holds it any more."""
        super().__init__(*args, programme=programme, **kwargs)
        self.fields.pop("tier", None)  # no fact of the roll: it is decided for each case
        terms = dict(_terms())
        if row:
            terms.setdefault(row.first_term, term_label(row.first_term))
        self.fields["first_term"].choices = [("", "请选择"), *terms.items()]
        self.order_fields(["percent", "rounding", "document", "document_date", "first_term"])

    @staticmethod
    def initial_of(row: QuotaPercentage) -> dict[str, Any]:
        """The form's values for a recorded row."""
        told = ("percent", "rounding", "document", "document_date", "first_term")
        conditions = dict(row.conditions)
        region = {"region": " ".join(conditions.pop("region"))} if "region" in conditions else {}
        return {name: getattr(row, name) for name in told} | conditions | region

    def plain(self) -> list[forms.BoundField]:
        """The fields every percentage is asked for."""
        return [self[name] for name in ("percent", "rounding", "document", "document_date", "first_term")]

    def part(self) -> list[forms.BoundField]:
        """The fields that narrow the roll to a part of it."""
        asked = {field.name for field in self.plain()}
        return [field for field in self if field.name not in asked]

    def has_part(self) -> bool:
        """Whether a part was chosen, or is wrong: then the fold is open."""
        return any(field.errors or field.value() for field in self.part())

    def percentage(self) -> QuotaPercentage:
        """The row as typed, not saved."""
        told = ("percent", "rounding", "document", "document_date", "first_term")
        data = {name: self.cleaned_data[name] for name in told}
        return QuotaPercentage(programme=self.programme, conditions=self.conditions(), **data)


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


def _terms() -> list[tuple[str, str]]:
    return list(Term.objects.order_by("-key").values_list("key", "name"))
