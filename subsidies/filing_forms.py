"""What a class teacher types at the class's desk: the list, one row of it, guardians' receipts, proofs."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from accounts import clock
from accounts.forms import DayInput, a_day_of_work
from accounts.redaction import refuse_numbers
from accounts.templatetags.aid import yuan
from documents.forms import UploadField
from documents.models import Upload
from documents.pdf import refuse_signs
from students.forms import CategoryChoice
from students.models import Category, Enrolment

from . import filing
from .applications import Candidate, Listed
from .class_facts import Wanted
from .filing import Typed
from .models import Application, Receipt, Round
from .states import State

REASON_LENGTH = 500


def _reason(**kwargs: Any) -> forms.CharField:
    return forms.CharField(
        max_length=REASON_LENGTH,
        validators=[refuse_numbers, refuse_signs],
        required=False,
        error_messages={"max_length": f"申请理由最多 {REASON_LENGTH} 个字，请缩短。"},
        **kwargs,
    )


def _amounts(candidate: Candidate) -> dict[str, str]:
    """What each tier gives the pupil, behind its name."""
    return {
        tier: f"{tier} {yuan(found.amount)} 元" for tier, found in candidate.entitlements.items() if found.is_entitled
    }


def _tier(round_: Round, *, amounts: Mapping[str, str] | None = None, **kwargs: Any) -> forms.ChoiceField:
    words = amounts or {}
    tiers = [("", "请选择"), *((tier, words.get(tier, tier)) for tier in round_.programme.tiers)]
    unknown = {"invalid_choice": "这个困难等级已经取消，请重新选择。"}
    return forms.ChoiceField(choices=tiers, required=False, error_messages=unknown, **kwargs)


class SentList:
    """The class's list as a browser sent it: all of it, or the rows typed since the last time.

    A row counts that is ticked (`apply`), or whose mark (`seen_…`) came with it: whoever was not on the page is left
    alone.
    """

    def __init__(self, data: QueryDict, *, round_: Round, places: Mapping[str, Listed]) -> None:
        self.data, self.places = data, places
        self._tier, self._reason = _tier(round_), _reason()
        self.ticked = list(dict.fromkeys(data.getlist("apply")))

    @staticmethod
    def keys(data: QueryDict) -> list[str]:
        """Keys of the enrolments that are spoken of."""
        marked = (name.removeprefix("seen_") for name in data if name.startswith("seen_"))
        return list(dict.fromkeys([*data.getlist("apply"), *marked]))

    def read(self) -> tuple[list[Typed], dict[str, str]]:
        """The rows, and by key of the enrolment what is wrong with those that cannot be read; under "" what is wrong
        with all of those no longer in the class."""
        ticked, rows, refused = set(self.ticked), [], {}
        for key, listed in self.places.items():
            seen = self.data.get(f"seen_{key}")
            if key not in ticked and (seen is None or not _is_with_the_class(listed.application)):
                continue
            try:
                tier = self._tier.clean(self.typed("tier", key))
                reason = self._reason.clean(self.typed("reason", key)).strip()
            except ValidationError as wrong:
                refused[key] = " ".join(wrong.messages)
            else:
                rows.append(Typed(listed.enrolment, key in ticked, tier=tier, reason=reason, seen=seen or None))
        if lost := [key for key in self.ticked if key not in self.places]:
            refused[""] = f"{len(lost)} 名勾选的学生已不在本班名册中，没有填报。"
        return rows, refused

    def typed(self, name: str, key: str) -> str:
        return self.data.get(f"{name}_{key}", "").strip()

    def written_without_tick(self, rows: Iterable[Typed]) -> list[Typed]:
        """Rows in which somebody wrote a reason and set no tick: nothing of them is kept, and that must be said."""
        on_record = {
            listed.enrolment.pk: listed.application.reason for listed in self.places.values() if listed.application
        }
        return [row for row in rows if not row.applies and row.reason and row.reason != on_record.get(row.enrolment.pk)]


def _is_with_the_class(application: Application | None) -> bool:
    return application is None or application.state in (State.DRAFT, State.RETURNED)


class FilingForm(forms.Form):
    """One class on one page: who applies, at which tier, why. Works as one form where no script saves the rows; what
    is sent, `SentList` reads.

    `typed_before` holds, by key of the enrolment, what was typed and could not be kept the last time.
    """

    def __init__(
        self,
        *args: Any,
        round_: Round,
        candidates: list[Candidate],
        typed_before: Mapping[str, Mapping[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.round, self.candidates, self.typed_before = round_, candidates, typed_before or {}
        self.open = [c for c in candidates if c.may_file]
        for candidate in self.open:
            name, standing = candidate.enrolment.pupil.name, candidate.application
            key = str(candidate.enrolment.pk)
            before = self.typed_before.get(key, {})
            if round_.programme.tiers:
                self.fields[f"tier_{key}"] = _tier(
                    round_,
                    amounts=_amounts(candidate),
                    label=f"{name}的困难等级",
                    initial=before.get("tier", standing.tier if standing else ""),
                    widget=forms.Select(attrs={"aria-label": f"{name}的困难等级"}),
                )
            self.fields[f"reason_{key}"] = _reason(
                label=f"{name}的申请理由",
                initial=before.get("reason", standing.reason if standing else ""),
                widget=forms.TextInput(attrs={"aria-label": f"{name}的申请理由"}),
            )

    def rows(self) -> Iterator[dict[str, Any]]:
        """What the page shows of each pupil, with the fields where one may still file."""
        for candidate in self.candidates:
            key = str(candidate.enrolment.pk)
            is_open = f"reason_{key}" in self.fields
            before = self.typed_before.get(key, {}).get("apply", bool(candidate.application))
            yield {
                "candidate": candidate,
                "key": key,
                "open": is_open,
                "unsaved": key in self.typed_before,
                "seen": filing.mark(candidate.application),
                "ticked": before,
                "tier": self[f"tier_{key}"] if f"tier_{key}" in self.fields else None,
                "reason": self[f"reason_{key}"] if is_open else None,
            }


class ReceiptsForm(forms.Form):
    """A pile of signed slips of one class: what each guardian answered, all signed by a day."""

    signed_on = forms.DateField(
        label="签字日期",
        widget=DayInput,
        validators=[a_day_of_work],
        help_text="这一次登记的回执上的日期；日期不同的分几次登记，或在“证明和回执”里逐人登记。",
    )

    def __init__(self, *args: Any, candidates: list[Candidate], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["signed_on"].initial = clock.today()
        self.candidates = candidates
        for candidate in candidates:
            name = candidate.enrolment.pupil.name
            self.fields[f"answer_{candidate.enrolment.pk}"] = forms.ChoiceField(
                label=f"{name}的家长意见",
                choices=[("", "未收回"), *Receipt.Answer.choices],
                required=False,
                initial=candidate.receipt.answer if candidate.receipt else "",
                widget=forms.RadioSelect,
            )

    def rows(self) -> Iterator[dict[str, Any]]:
        for candidate in self.candidates:
            yield {"candidate": candidate, "answer": self[f"answer_{candidate.enrolment.pk}"]}

    def answers(self) -> list[tuple[Enrolment, str]]:
        """Those that say something else than what is on record."""
        found = []
        for candidate in self.candidates:
            said = self.cleaned_data[f"answer_{candidate.enrolment.pk}"]
            if said and (candidate.receipt is None or candidate.receipt.answer != said):
                found.append((candidate.enrolment, said))
        return found


class ReceiptForm(forms.Form):
    """One guardian's signed slip, with its photograph."""

    answer = forms.ChoiceField(label="家长意见", choices=Receipt.Answer.choices, widget=forms.RadioSelect)
    signed_on = forms.DateField(label="签字日期", widget=DayInput, validators=[a_day_of_work])
    scan = UploadField(kind=Upload.Kind.EVIDENCE, label="回执照片或扫描件", required=False)

    def __init__(self, *args: Any, last: Receipt | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prefix = "receipt"
        self.fields["answer"].initial = last.answer if last else ""
        self.fields["signed_on"].initial = last.signed_on if last else clock.today()


class WantedForm(forms.Form):
    """The photograph of one proof that is asked for."""

    scan = UploadField(kind=Upload.Kind.EVIDENCE, label="证明照片或扫描件")

    def __init__(self, *args: Any, wanted: Wanted, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prefix = f"wanted-{wanted.circumstance}"
        self.wanted = wanted
        self.fields["scan"].label = f"{wanted.category}：{wanted.words}"


class _KindChoice(CategoryChoice):
    """Kinds of hardship, each with the proof it asks for."""

    def label_from_instance(self, kind: Category) -> str:
        if not kind.needs_evidence:
            return f"{kind}（不用证明）"
        return f"{kind}（要：{kind.proof}）" if kind.proof else str(kind)


class CollectedForm(forms.Form):
    """A hardship that no list names (自采集), with the proof its kind asks for."""

    category = _KindChoice(label="困难类别", empty_label="请选择")
    scan = UploadField(kind=Upload.Kind.EVIDENCE, label="证明照片或扫描件", required=False)
    evidence = forms.CharField(
        label="证明名称和编号",
        max_length=120,
        required=False,
        help_text="例如“农村低保证 2026-0123”。有照片的可以不填。",
    )
    valid_from = forms.DateField(
        label="生效日期", widget=DayInput, validators=[a_day_of_work], help_text="证明从哪一天起有效。"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prefix = "collected"
        cast(_KindChoice, self.fields["category"]).offer()
        self.fields["valid_from"].initial = clock.today()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        kind = cleaned.get("category")
        if kind and kind.needs_evidence and not cleaned.get("scan") and not cleaned.get("evidence", "").strip():
            words = kind.proof or "证明"
            if "scan" not in self.errors:
                self.add_error("scan", ValidationError(f"“{kind}”要有证明：请拍{words}，或写明证明名称和编号。"))
        return cleaned
