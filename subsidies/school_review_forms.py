"""Forms of the school's review desk."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from accounts.redaction import refuse_numbers

from .forms import names_by_reason, seen_digest
from .meeting_forms import MeetingForm
from .models import Application, Decision, OfficerCheck
from .officer_checks import Found, Sheet
from .school_desk import Order

_FINDINGS = OfficerCheck.Finding


class EvidenceForm(forms.Form):
    """What the officer found of each case of a class; what is left alone stays as it is."""

    rest = forms.BooleanField(label="没有单独选择的，都与依据相符（请逐人看过再勾选）", required=False)
    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, sheets: Sequence[Sheet], barred: Mapping[UUID, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sheets, self.barred = sheets, barred
        # The looks too: what somebody else doubted meanwhile is not called in order by a page that is older.
        looks = ",".join(str(sheet.check.pk) if sheet.check else "" for sheet in sheets)
        listed = seen_digest(sheet.application for sheet in sheets)
        self.initial["seen"] = hashlib.sha256(f"{listed} {looks}".encode()).hexdigest()
        for sheet in sheets:
            if sheet.application.pk not in barred:
                self._add_row(sheet)

    def _add_row(self, sheet: Sheet) -> None:
        key, name = sheet.application.pk, sheet.application.pupil.name
        self.fields[f"finding_{key}"] = forms.ChoiceField(
            choices=[("", "未核对"), *_FINDINGS.choices],
            required=False,
            initial=sheet.check.finding if sheet.check else "",
            label=f"对{name}的核对结果",
            widget=forms.Select(attrs={"aria-label": f"对{name}的核对结果"}),
        )
        self.fields[f"note_{key}"] = forms.CharField(
            required=False,
            max_length=200,
            validators=[refuse_numbers],
            initial=sheet.check.note if sheet.check else "",
            label=f"对{name}的说明",
            widget=forms.TextInput(attrs={"aria-label": f"对{name}的说明", "placeholder": "有疑问的写明疑在哪里"}),
        )

    def rows(self) -> Iterator[dict[str, Any]]:
        for sheet in self.sheets:
            key = sheet.application.pk
            is_open = f"finding_{key}" in self.fields
            yield {
                "sheet": sheet,
                "finding": self[f"finding_{key}"] if is_open else None,
                "note": self[f"note_{key}"] if is_open else None,
                "why_not": self.barred.get(key, ""),
            }

    @property
    def reasons(self) -> dict[str, list[str]]:
        """Why rows are closed to the person, each with the names of the pupils."""
        return names_by_reason((sheet.application for sheet in self.sheets), self.barred)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for sheet in self.sheets:
            key = sheet.application.pk
            if cleaned.get(f"finding_{key}") == _FINDINGS.DOUBTFUL and not cleaned.get(f"note_{key}", "").strip():
                self.add_error(f"note_{key}", f"请写明{sheet.application.pupil.name}的申请疑在哪里。")
        if cleaned.get("seen") and cleaned["seen"] != self.initial["seen"]:
            self.data = self.data.copy()
            self.data["seen"] = self.initial["seen"]  # the next click is about what is shown now
            raise ValidationError(
                f"名单或核对结果刚刚有变化，现在是 {len(self.sheets)} 份，没有保存。请刷新页面，核对后再保存。"
            )
        if not self.errors and not self.found():
            raise ValidationError("没有新的核对结果。请选择“与依据相符”或“有疑问”，再保存。")
        return cleaned

    def found(self) -> list[Found]:
        """What is new: said for the first time, or said otherwise than before."""
        found = []
        for sheet in self.sheets:
            key = sheet.application.pk
            if f"finding_{key}" not in self.fields:
                continue
            finding = self.cleaned_data.get(f"finding_{key}") or (
                _FINDINGS.IN_ORDER if self.cleaned_data.get("rest") and sheet.check is None else ""
            )
            note = self.cleaned_data.get(f"note_{key}", "").strip()
            is_new = sheet.check is None or (finding, note) != (sheet.check.finding, sheet.check.note)
            if finding and is_new:
                found.append(Found(sheet.application, finding, note))
        return found


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

    def _place_of(self, application: Application) -> int:
        return self.order.proposed[application.pk].rank or 0
