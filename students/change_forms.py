"""What people type on the pages of 异动, as far as they are the register's."""

from collections.abc import Iterator
from typing import Any

from django import forms

from accounts import scopes
from accounts.models import Unit, User
from accounts.redaction import refuse_numbers
from accounts.roles import Permission

from . import terms
from .changes import OF_CLASS
from .confirmations import Row, Seen
from .models import StatusChange, Term

# What a class teacher may have seen and not record: the officer does.
REPORTED = [
    (kind.value, kind.label)
    for kind in StatusChange.Kind
    if kind not in (StatusChange.Kind.TRANSFER_IN, StatusChange.Kind.UNIT, *OF_CLASS)
]


class ChangeFilter(forms.Form):
    """In the address: nothing of a person is among them."""

    term = forms.ModelChoiceField(label="学期", queryset=Term.objects.all(), required=False, empty_label=None)
    kind = forms.ChoiceField(label="异动", required=False, choices=[("", "全部"), *StatusChange.Kind.choices])
    school = forms.ModelChoiceField(label="学校", queryset=Unit.objects.none(), required=False, empty_label="全部学校")
    school_class = forms.ModelChoiceField(
        label="班级", queryset=Unit.objects.none(), required=False, empty_label="全部班级"
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        units = scopes.within(Unit.objects.filter(is_active=True), user, Permission.VIEW_PUPILS, unit="")
        schools = units.filter(level=Unit.Level.SCHOOL)
        classes = units.filter(level=Unit.Level.CLASS)
        self.fields["term"].initial = terms.current()
        if len(schools) > 1:
            # Classes of many schools have the same names; they are offered once a school is chosen.
            chosen = self.data.get("school", "")
            classes = classes.filter(parent__in=[unit for unit in schools if str(unit.pk) == chosen])
            self.fields["school"].queryset = schools
        else:
            del self.fields["school"]
        self.fields["school_class"].queryset = classes


class ChecklistForm(forms.Form):
    """One line a pupil: nothing changed, or what the officer should record."""

    seen = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, rows: list[Row], school_class: Unit, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows_shown = rows
        self.askable = [row for row in rows if row.is_here and row.place.school_class_id == school_class.pk]
        for row in self.askable:
            name, key = row.place.pupil.name, row.place.pk
            self.fields[f"kind_{key}"] = forms.ChoiceField(
                required=False,
                label=f"{name}的情况",
                choices=[("", "无变化"), *REPORTED],
                widget=forms.Select(attrs={"aria-label": f"{name}的情况"}),
            )
            self.fields[f"note_{key}"] = forms.CharField(
                required=False,
                max_length=100,
                label=f"{name}的说明",
                validators=[refuse_numbers],
                widget=forms.TextInput(attrs={"aria-label": f"{name}的说明", "placeholder": "哪天、去了哪里"}),
            )

    def lines(self) -> Iterator[dict[str, Any]]:
        asked = {row.place.pk for row in self.askable}
        for row in self.rows_shown:
            key = row.place.pk
            open_ = key in asked and row.report is None
            yield {
                "row": row,
                "kind": self[f"kind_{key}"] if open_ else None,
                "note": self[f"note_{key}"] if open_ else None,
            }

    def reports(self) -> list[Seen]:
        data = self.cleaned_data
        return [
            Seen(row.place, data[f"kind_{row.place.pk}"], data[f"note_{row.place.pk}"])
            for row in self.askable
            if data.get(f"kind_{row.place.pk}")
        ]
