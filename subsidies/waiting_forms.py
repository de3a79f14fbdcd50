"""Filters of what waits, of what is late, and of what was refused."""

import datetime as dt

from django import forms

from accounts.forms import DayInput, a_day_of_work

from .states import Work


class SpanFilter(forms.Form):
    """From a day to a day, both included."""

    since = forms.DateField(label="从", required=False, widget=DayInput, validators=[a_day_of_work])
    until = forms.DateField(label="到", required=False, widget=DayInput, validators=[a_day_of_work])

    def clean(self) -> dict:
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if isinstance(since, dt.date) and isinstance(until, dt.date) and since > until:
            raise forms.ValidationError({"until": "起始日期晚于截止日期，请调换。"})
        return self.cleaned_data


class LateFilter(forms.Form):
    """Which work; the school, once chosen, stays in the address."""

    work = forms.ChoiceField(
        label="环节", required=False, choices=[("", "全部环节"), *((work.value, work.label) for work in Work)]
    )
    school = forms.CharField(required=False, max_length=9, widget=forms.HiddenInput)
