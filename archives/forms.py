"""Filters of the list of pupils' files."""

from django import forms
from django.db.models import QuerySet

from subsidies.models import Round
from subsidies.states import State


class DossierFilter(forms.Form):
    round = forms.ModelChoiceField(label="批次", queryset=Round.objects.none(), required=False, empty_label="全部批次")
    state = forms.ChoiceField(label="状态", required=False)

    def __init__(self, *args: object, rounds: QuerySet[Round], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["round"].queryset = rounds
        # A draft has no file yet.
        known = [(state.value, state.label) for state in State if state != State.DRAFT]
        self.fields["state"].choices = [("", "全部状态"), *known]
