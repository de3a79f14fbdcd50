"""Forms of the school's review desk."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from accounts.redaction import refuse_numbers

from .forms import RowsForm
from .meeting_forms import MeetingForm
from .models import Application, Decision, OfficerCheck
from .officer_checks import Found, Sheet
from .school_desk import Order

_FINDINGS = OfficerCheck.Finding


class EvidenceForm(RowsForm):
    """What the officer found of each case of a class; what is left alone stays as it is."""

    rest = forms.BooleanField(label="没有单独选择的，都与依据相符（请逐人看过再勾选）", required=False)

    columns_typed = ("finding", "note")

    def __init__(self, *args: Any, sheets: Sequence[Sheet], **kwargs: Any) -> None:
        self.sheets = {sheet.application.pk: sheet for sheet in sheets}
        super().__init__(*args, applications=[sheet.application for sheet in sheets], **kwargs)

    def _mark(self, application: Application) -> str:
        # The look too: what somebody else doubted meanwhile is not called in order by a page that is older.
        check = self.sheets[application.pk].check
        return f"{super()._mark(application)}{check.pk if check else ''}"

    def _add_row(self, application: Application) -> None:
        key, name, check = application.pk, application.pupil.name, self.sheets[application.pk].check
        self.fields[f"finding_{key}"] = forms.ChoiceField(
            choices=[("", "未核对"), *_FINDINGS.choices],
            required=False,
            initial=check.finding if check else "",
            label=f"对{name}的核对结果",
            widget=forms.Select(attrs={"aria-label": f"对{name}的核对结果"}),
        )
        self.fields[f"note_{key}"] = forms.CharField(
            required=False,
            max_length=200,
            validators=[refuse_numbers],
            initial=check.note if check else "",
            label=f"对{name}的说明",
            widget=forms.TextInput(attrs={"aria-label": f"对{name}的说明", "placeholder": "有疑问的写明疑在哪里"}),
        )

    def rows(self) -> Iterator[dict[str, Any]]:
        for key, sheet in self.sheets.items():
            is_open = f"finding_{key}" in self.fields
            yield {
                "sheet": sheet,
                "finding": self[f"finding_{key}"] if is_open else None,
                "note": self[f"note_{key}"] if is_open else None,
                "why_not": self.barred.get(key, ""),
            }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for row in self.applications:
            finding, note = cleaned.get(f"finding_{row.pk}"), cleaned.get(f"note_{row.pk}", "").strip()
            if finding == _FINDINGS.DOUBTFUL and not note:
                self.add_error(f"note_{row.pk}", f"请写明{row.pupil.name}的申请疑在哪里。")
            # What was written without a result would be lost.
            if note and not finding and not (cleaned.get("rest") and self.sheets[row.pk].check is None):
                self.add_error(f"finding_{row.pk}", f"已写了对{row.pupil.name}的说明，请选择核对结果。")
        said = {each.application.pk for each in self._said()}
        self._set_aside_changed(
            row
            for row in self.applications
            if self._was_shown(row) and (row.pk in said or (row.pk in self.barred and self._sent_of(row)))
        )
        self._set_aside_unread()
        if not self.errors and not self.found() and not self.aside and not self.is_stale:
            raise ValidationError("没有新的核对结果。请选择“与依据相符”或“有疑问”，再保存。")
        return cleaned

    def _sent_of(self, row: Application) -> str:
        return self.data.get(f"finding_{row.pk}", "")

    def found(self) -> list[Found]:
        """What is new of the rows that were on the page as they are now: said for the first time, or otherwise."""
        return [each for each in self._said() if each.application.pk not in self.aside]

    def _said(self) -> Iterator[Found]:
        for row in self.applications:
            key, check = row.pk, self.sheets[row.pk].check
            if f"finding_{key}" not in self.fields or not self._was_shown(row):
                continue
            finding = self.cleaned_data.get(f"finding_{key}") or (
                _FINDINGS.IN_ORDER if self.cleaned_data.get("rest") and check is None else ""
            )
            note = self.cleaned_data.get(f"note_{key}", "").strip()
            if finding and (check is None or (finding, note) != (check.finding, check.note)):
                yield Found(row, finding, note)


class SchoolReviewForm(MeetingForm):
    """The school's meeting: where the places do not reach, ranks and reasons stand there as proposed."""

    def __init__(
        self,
        *args: Any,
        order: Order,
        checks: Mapping[UUID, OfficerCheck],
        figures: Sequence[str],
        verdicts: Iterable[str],
        **kwargs: Any,
    ) -> None:
        self.order, self.checks = order, checks
        asked = [*figures, "rank"] if order.tight and "rank" not in figures else figures
        offered = [verdict for verdict in verdicts if verdict != Decision.Verdict.RESERVE or order.is_limited]
        super().__init__(*args, figures=asked, verdicts=offered, **kwargs)

    def _add_row(self, application: Application) -> None:
        super()._add_row(application)
        key = application.pk
        proposed = self.order.proposed[key]
        if key in self.order.tight:
            self.fields[f"rank_{key}"].initial = proposed.rank
            opinion = self.fields[f"opinion_{key}"]
            check = self.checks.get(key)
            is_doubted = check is not None and check.finding == _FINDINGS.DOUBTFUL
            # How a doubt was cleared up only the committee can say: the proposal's words must not stand for that.
            opinion.initial = "" if is_doubted and proposed.is_inside else proposed.reason
            opinion.widget = forms.Textarea(attrs=opinion.widget.attrs | {"rows": 4})  # a reason has several parts
            if not proposed.is_inside:
                self.fields[f"verdict_{key}"].initial = Decision.Verdict.RESERVE

    def rows(self) -> Iterator[dict[str, Any]]:
        """In the order proposed where there is one, else class by class."""
        rows = list(super().rows())
        if self.order.tight:
            rows.sort(key=lambda row: self._place_of(row["application"]))
        for row in rows:
            key = row["application"].pk
            row["check"], row["proposed"] = self.checks.get(key), self.order.proposed[key]
            row["is_tight"] = key in self.order.tight
            yield row

    @property
    def unchecked(self) -> int:
        """How many rows the person decides on that nobody has held against the evidence."""
        return sum(row.pk not in self.checks and row.pk not in self.barred for row in self.applications)

    def _place_of(self, application: Application) -> int:
        return self.order.proposed[application.pk].rank or 0
