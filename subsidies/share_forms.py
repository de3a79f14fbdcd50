"""What a county clerk types about who bears a programme's money."""

from collections.abc import Mapping
from typing import Any

from django import forms

from accounts.forms import DayInput, a_day_of_work
from accounts.redaction import refuse_numbers
from students.models import Term
from students.term_keys import term_label

from . import centre_shares, shares
from .models import FundShare, Programme


class TierForm(forms.Form):
    """Whose tier of the centre's shares to put into the form below; in the address."""

    tier = forms.ChoiceField(
        label="按中央分档填入", required=False, help_text="选择本县所在的省份，填入中央的份额，再补上其余各级。"
    )
    origin = forms.ChoiceField(
        label="按生源地分档填入",
        required=False,
        help_text="文件规定按学生户籍所在省份分担的，选一档，填入生源地和中央的份额。",
    )

    def __init__(self, *args: Any, programme: Programme, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tier"].choices = [("", "请选择"), *centre_shares.choices(programme.code)]
        self.fields["origin"].choices = [("", "不分生源地"), *centre_shares.origin_choices(programme.code)]


class ShareForm(forms.Form):
    """Who bears which part from a term on; a level that bears nothing is left empty."""

    schools = forms.ChoiceField(
        label="适用学校",
        choices=list(shares.KINDS.items()),
        required=False,
        help_text="同时登记了全部学校和其中一类的，这一类按自己的比例。",
    )
    origin_name = forms.CharField(
        label="生源地",
        required=False,
        max_length=30,
        help_text="只用于户籍在某些地区的学生时填写，例如“西部地区”；印在分担明细上。不分生源地的不填。",
    )
    origins = forms.CharField(
        label="生源地代码",
        required=False,
        max_length=600,
        help_text="省写前两位（52），市写四位（5201），县写六位，用空格分开。没有登记户籍所在地的学生，按不分生源地的一条。",
    )
    first_term = forms.ChoiceField(
        label="执行学期", help_text="原来的比例自动截止到上一学期；这个学期已经登记过的，按这次填写的更正。"
    )
    remainder = forms.ChoiceField(
        label="尾差由谁承担", choices=list(shares.LEVELS.items()), help_text="按比例算到分还除不尽的，归这一级。"
    )
    document = forms.CharField(
        label="文件名称和文号",
        max_length=120,
        validators=[refuse_numbers],
        help_text="写明规定这个比例的文件，将印在分担明细上。",
    )
    document_date = forms.DateField(label="文件日期", required=False, widget=DayInput, validators=[a_day_of_work])

    def __init__(self, *args: Any, programme: Programme, row: FundShare | None = None, **kwargs: Any) -> None:
        """`row` is the one to start from: its term can be chosen though no calendar holds it any more."""
        super().__init__(*args, **kwargs)
        self.programme = programme
        terms = dict(Term.objects.order_by("-key").values_list("key", "name"))
        if row:
            terms.setdefault(row.first_term, term_label(row.first_term))
        self.fields["first_term"].choices = [("", "请选择"), *terms.items()]
        for level, name in shares.LEVELS.items():
            self.fields[level] = forms.CharField(
                label=name,
                required=False,
                max_length=40,
                widget=forms.TextInput(attrs={"autocomplete": "off"}),
            )

    @staticmethod
    def initial_of(row: FundShare) -> dict[str, Any]:
        """The form's values for a recorded row."""
        told = ("schools", "origin_name", "origins", "first_term", "remainder", "document", "document_date")
        return {name: getattr(row, name) for name in told} | row.levels

    def levels(self) -> list[forms.BoundField]:
        """The fields of the fractions, from the top level down."""
        return [self[level] for level in shares.LEVELS]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for sentence in shares.faults(typed_levels(cleaned), cleaned.get("remainder", "")):
            self.add_error(None, sentence)
        return cleaned

    def share(self) -> FundShare:
        """The row as typed, not saved."""
        data = self.cleaned_data
        told = ("schools", "origin_name", "origins", "remainder", "document", "document_date", "first_term")
        return FundShare(programme=self.programme, levels=typed_levels(data), **{name: data[name] for name in told})


def typed_levels(data: Mapping[str, Any]) -> dict[str, str]:
    """The fractions among what was typed; a level left empty bears nothing."""
    told = {level: str(data.get(level) or "").strip() for level in shares.LEVELS}
    return {level: text for level, text in told.items() if text}
