"""Forms of review meetings: the minutes with who sat and what was decided, the rule for them, the signed copy."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django import forms

from accounts import clock
from accounts.forms import DayInput
from accounts.redaction import refuse_numbers
from documents.forms import UploadField, UploadsField
from documents.models import Upload
from documents.pdf import refuse_signs

from .forms import ListForm
from .meeting_words import FIGURES, KINDS, SCHOOL
from .models import Application, Decision, Programme
from .policy_words import VALUES
from .reviews import Member, Minutes, Verdict

MOST_MEMBERS = 60
_MORE = 6  # places a page adds at a time


def places_after(count: str) -> int:
    """How many places for members a page has that asks for more than it had."""
    return min((int(count) if count.isdecimal() and len(count) < 4 else 0) + _MORE, MOST_MEMBERS)


class MeetingForm(ListForm):
    """Minutes of a review meeting, and its decision on each application."""

    rows_stop_all = True  # a meeting is recorded once: whoever mistyped a row is asked before

    held_on = forms.DateField(label="会议日期", widget=DayInput)
    place = forms.CharField(label="地点", max_length=60, validators=[refuse_numbers, refuse_signs])
    chair = forms.CharField(label="主持人", max_length=40, validators=[refuse_numbers, refuse_signs])
    observers = forms.CharField(
        label="列席人员",
        required=False,
        max_length=200,
        validators=[refuse_numbers, refuse_signs],
        help_text="不参加表决的人，没有就不填。",
    )
    text = forms.CharField(
        label="会议记录",
        max_length=4000,
        validators=[refuse_numbers, refuse_signs],
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="学习了哪些政策、怎样评议和表决。不要写学生家庭隐私的细节。",
    )
    photos = UploadsField(kind=Upload.Kind.MINUTES, label="会议照片或签字页", required=False)
    count = forms.IntegerField(required=False, min_value=0, max_value=MOST_MEMBERS, widget=forms.HiddenInput)

    def __init__(
        self,
        *args: Any,
        verdicts: Iterable[str],
        figures: Sequence[str],
        seats: Mapping[str, int],
        tiers: Sequence[str],
        rows: int,
        members: Sequence[Member] = (),
        in_class: bool = True,
        **kwargs: Any,
    ) -> None:
        """`rows`: places for members; `members`: those of the last meeting, who mostly sit again."""
        self.verdicts_offered = tuple((verdict, Decision.Verdict(verdict).label) for verdict in verdicts)
        self.figures = tuple((name, FIGURES[name]) for name in figures)
        self.tiers = tiers
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            self.initial.setdefault("held_on", clock.today())
        self.initial["count"] = self.places = self._places(max(rows, len(members)))
        kinds = [(kind, word) for kind, word in KINDS.items() if seats.get(kind) != 0]
        for number in range(1, self.places + 1):
            self._add_member(number, members[number - 1] if number <= len(members) else None, kinds, in_class)

    def _places(self, rows: int) -> int:
        posted = self.data.get("count", "") if self.is_bound else ""
        return min(int(posted) if posted.isdecimal() and len(posted) < 4 else rows, MOST_MEMBERS)

    def _add_member(self, number: int, member: Member | None, kinds: list[tuple[str, str]], in_class: bool) -> None:
        def label(what: str) -> dict[str, Any]:
            return {"label": f"第 {number} 位成员的{what}", "required": False}

        def attrs(what: str, **more: str) -> dict[str, str]:
            return {"aria-label": f"第 {number} 位成员的{what}", "autocomplete": "off"} | more

        known = member.kind if member and member.kind in dict(kinds) else ""
        self.fields[f"name_{number}"] = forms.CharField(
            max_length=40,
            validators=[refuse_numbers, refuse_signs],
            initial=member.name if member else "",
            widget=forms.TextInput(attrs=attrs("姓名")),
            **label("姓名"),
        )
        self.fields[f"kind_{number}"] = forms.ChoiceField(
            choices=[("", "请选择"), *kinds], initial=known, widget=forms.Select(attrs=attrs("类别")), **label("类别")
        )
        self.fields[f"capacity_{number}"] = forms.CharField(
            max_length=40,
            validators=[refuse_numbers, refuse_signs],
            initial=member.capacity if member else "",
            widget=forms.TextInput(attrs=attrs("身份")),
            **label("身份"),
        )
        self.fields[f"child_{number}"] = forms.CharField(
            max_length=40,
            validators=[refuse_numbers, refuse_signs],
            initial=member.child if member else "",
            widget=forms.TextInput(attrs=attrs("孩子", **({"list": "roster"} if in_class else {}))),
            **label("孩子"),
        )
        for name, what in (("absent", "没有到会"), ("namesake", "同名，不是同一人")):
            self.fields[f"{name}_{number}"] = forms.BooleanField(
                widget=forms.CheckboxInput(attrs={"aria-label": f"第 {number} 位成员：{what}"}),
                required=False,
                label=f"第 {number} 位成员：{what}",
            )

    def _add_row(self, application: Application) -> None:
        super()._add_row(application)
        name, key = application.pupil.name, application.pk
        for figure, word in self.figures:
            attrs = {"inputmode": "numeric", "aria-label": f"{name}的{word}"}
            field: forms.Field
            if figure == "score":
                attrs["inputmode"] = "decimal"
                field = forms.DecimalField(
                    min_value=0, max_value=100, decimal_places=2, widget=forms.NumberInput(attrs=attrs)
                )
            else:
                least = 1 if figure == "rank" else 0
                field = forms.IntegerField(min_value=least, max_value=9999, widget=forms.NumberInput(attrs=attrs))
            field.required, field.label = False, f"{name}的{word}"
            self.fields[f"{figure}_{key}"] = field
        if self.tiers:
            self.fields[f"tier_{key}"] = forms.ChoiceField(
                choices=[*([] if application.tier else [("", "不写")]), *((tier, tier) for tier in self.tiers)],
                initial=application.tier,
                required=False,
                label=f"{name}的建议等级",
                widget=forms.Select(attrs={"aria-label": f"{name}的建议等级"}),
            )

    def rows(self) -> Iterator[dict[str, Any]]:
        for row in super().rows():
            key = row["application"].pk
            is_open = f"verdict_{key}" in self.fields
            row["figures"] = [(word, self[f"{name}_{key}"]) for name, word in self.figures] if is_open else []
            row["tier"] = self[f"tier_{key}"] if f"tier_{key}" in self.fields else None
            yield row

    @property
    def columns(self) -> int:
        """How many columns of a row are for what is said of it."""
        return len(self.figures) + 2 + bool(self.tiers)

    def member_rows(self) -> Iterator[dict[str, Any]]:
        """The places for members, each with its fields; who was thought a namesake can be told apart once asked."""
        asks = self.is_bound
        for number in range(1, self.places + 1):
            fields = {name: self[f"{name}_{number}"] for name in ("name", "kind", "capacity", "child", "absent")}
            yield {"number": number, **fields, "namesake": self[f"namesake_{number}"] if asks else None}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for number in range(1, self.places + 1):
            name, kind = cleaned.get(f"name_{number}", ""), cleaned.get(f"kind_{number}", "")
            if name and not kind and f"kind_{number}" not in self.errors:
                self.add_error(f"kind_{number}", f"请选择{name}的类别。")
            told = cleaned.get(f"capacity_{number}") or cleaned.get(f"child_{number}")
            if told and not name and f"name_{number}" not in self.errors:
                self.add_error(f"name_{number}", f"请填写第 {number} 位成员的姓名，或清空这一行。")
        return cleaned

    def members(self) -> list[Member]:
        data = self.cleaned_data
        return [
            Member(
                data[f"name_{n}"],
                data[f"capacity_{n}"] or KINDS[data[f"kind_{n}"]],
                kind=data[f"kind_{n}"],
                child=data[f"child_{n}"],
                attended=not data[f"absent_{n}"],
                is_namesake=data[f"namesake_{n}"],
            )
            for n in range(1, self.places + 1)
            if data[f"name_{n}"]
        ]

    def minutes(self) -> Minutes:
        data = self.cleaned_data
        return Minutes(
            held_on=data["held_on"],
            place=data["place"],
            chair=data["chair"],
            members=self.members(),
            text=data["text"],
            photos=data["photos"],
            observers=data["observers"],
        )

    def verdict_of(self, application: Application, verdict: str) -> Verdict:
        told = {name: self.cleaned_data.get(f"{name}_{application.pk}") for name, _ in self.figures}
        tier = self.cleaned_data.get(f"tier_{application.pk}", "") if verdict == Decision.Verdict.AGREE else ""
        opinion = self.cleaned_data.get(f"opinion_{application.pk}", "").strip()
        return Verdict(application, verdict, opinion=opinion, tier=tier, **told)


class SignedMinutesForm(forms.Form):
    """The minutes as the members signed them."""

    scan = UploadField(kind=Upload.Kind.MINUTES, label="签字后的会议记录")


class SeatFields:
    """The fields of a rule that say who has to be in the groups: one for each kind, for each stage and the school."""

    def __init__(self, form: forms.ModelForm, programme: Programme) -> None:
        self._form = form
        self.groups = [(stage, f"{VALUES['stage'][stage]}班级评议") for stage in programme.stages]
        self.groups.append((SCHOOL, "学校评审"))
        given = form.initial.get("seats") or {}
        for where, group in self.groups:
            for kind, word in KINDS.items():
                name = f"{group}的{word}"
                form.fields[f"seat_{where}_{kind}"] = forms.TypedChoiceField(
                    choices=[("", "可以参加"), ("0", "不参加"), *((str(n), f"至少 {n} 人") for n in range(1, 11))],
                    coerce=int,
                    empty_value=None,
                    required=False,
                    initial=str(given[where][kind]) if kind in given.get(where, {}) else "",
                    label=name,
                    widget=forms.Select(attrs={"aria-label": name}),
                )

    def rows(self) -> Iterator[tuple[str, list[forms.BoundField]]]:
        for kind, word in KINDS.items():
            yield word, [self._form[f"seat_{where}_{kind}"] for where, _ in self.groups]

    def names(self) -> set[str]:
        return {f"seat_{where}_{kind}" for where, _ in self.groups for kind in KINDS}

    def seats(self) -> dict[str, dict[str, int]]:
        """As `ProcessRule.seats`: only what was said."""
        data, found = self._form.cleaned_data, {}
        for where, _ in self.groups:
            told = {kind: data.get(f"seat_{where}_{kind}") for kind in KINDS}
            if said := {kind: fewest for kind, fewest in told.items() if fewest is not None}:
                found[where] = said
        return found
