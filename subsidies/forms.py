"""What people type about money and its road, cleaned into the values the verbs take."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from accounts import clock
from accounts.forms import DayInput
from accounts.models import Unit
from accounts.redaction import redact, refuse_numbers
from documents.forms import UploadField
from documents.models import Upload
from documents.pdf import refuse_signs
from students.models import Term
from students.rollovers import ClassPlan, Plan

from .models import Application, Concern, ConcernReason, Programme, Round, StageAges
from .reviews import Verdict
from .states import State

_HEX_KEY = re.compile(r"[0-9a-f]{32}")
_LONGEST = 600  # characters of a field that are kept for the page that follows


def sent_rows(data: Mapping[str, str], waiting: Iterable[Application]) -> list[Application]:
    """Of the list those that were on the page that was sent; a decision on one part leaves the others alone."""
    keys = {each.partition("-")[0] for each in data.get("seen", "").split(",")}
    return [row for row in waiting if row.pk.hex in keys]


class RowsForm(forms.Form):
    """A list decided on row by row. What the page showed of each row comes back with it (`seen`): what came in since is
    not decided with the rest, and what changed since is set aside and named."""

    # Every row of the page: its key, and a mark of what was shown of it.
    seen = forms.CharField(required=False, max_length=200_000, widget=forms.HiddenInput)

    columns_typed: tuple[str, ...]  # before the key of the row, in the names of its fields

    def __init__(
        self,
        *args: Any,
        applications: Iterable[Application],
        barred: Mapping[UUID, str],
        typed: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        """`barred`: rows closed to the person, and why; `typed`: what was typed and did not go the last time, by the
        name of the field."""
        super().__init__(*args, **kwargs)
        self.applications, self.barred = list(applications), barred
        self.aside: dict[UUID, str] = {}  # rows something was said of that do not go, and why
        self.marks = {row.pk: self._mark(row) for row in self.applications}
        self.initial["seen"] = ",".join(f"{key.hex}-{mark}" for key, mark in self.marks.items())
        for application in self.applications:
            if application.pk not in barred:
                self._add_row(application)
        for name, value in (typed or {}).items():
            if name in self.fields:
                self.fields[name].initial = value

    def _mark(self, application: Application) -> str:
        """What tells one reading of the row from another."""
        return hashlib.sha256(application.changed_at.isoformat().encode()).hexdigest()[:12]

    def _add_row(self, application: Application) -> None:
        raise NotImplementedError

    @property
    def reasons(self) -> dict[str, list[Application]]:
        """Why rows are closed to the person, each with its cases."""
        found: dict[str, list[Application]] = {}
        for row in self.applications:
            if row.pk in self.barred:
                found.setdefault(self.barred[row.pk], []).append(row)
        return found

    def _shown(self) -> dict[str, str]:
        """By key, the mark of each row that was on the page; of a page that says nothing, all that there is."""
        said = self.data.get("seen", "")
        if not said:
            return {key.hex: mark for key, mark in self.marks.items()}
        return dict(each.partition("-")[::2] for each in said.split(","))

    def _was_shown(self, application: Application) -> bool:
        return application.pk.hex in self._page

    def _set_aside_changed(self, said: Iterable[Application]) -> None:
        """Of the rows something is said of, those that read otherwise than on the page, or are closed by now."""
        for row in said:
            if row.pk in self.barred:
                self.aside[row.pk] = self.barred[row.pk]
            elif self._page[row.pk.hex] != self.marks[row.pk]:
                self.aside[row.pk] = "打开页面以后，这份申请又有变化，没有办理。请点姓名核对，再作出结论。"

    def _set_aside_unread(self) -> None:
        """Rows in which something is wrong stop no other."""
        for row in self.applications:
            names = [f"{column}_{row.pk}" for column in self.columns_typed]
            if wrong := [str(each) for name in names for each in self.errors.get(name, ())]:
                self.aside[row.pk] = " ".join(wrong)
                for name in names:
                    self.errors.pop(name, None)

    def clean(self) -> dict[str, Any]:
        self._page = self._shown()
        return super().clean() or {}

    @property
    def is_stale(self) -> bool:
        """Whether the list, or a row of it, reads otherwise than on the page."""
        return self._page != {key.hex: mark for key, mark in self.marks.items()}

    def look_again(self) -> None:
        """The page is shown once more: the next click is about what is shown now."""
        self.data = self.data.copy()
        self.data["seen"] = self.initial["seen"]

    @property
    def gone(self) -> list[UUID]:
        """Keys of rows of the page that wait no longer."""
        here = {key.hex for key in self.marks}
        return [UUID(key) for key in self._page if key not in here and _HEX_KEY.fullmatch(key)]

    @property
    def late(self) -> list[str]:
        """Names of those who have come in since the page was shown: nothing was said of them."""
        return [row.pupil.name for row in self.applications if not self._was_shown(row)]

    def left_behind(self, refused: Mapping[UUID, str]) -> list[dict[str, str]]:
        """The rows that did not go, in the order of the list, each with its sentence."""
        return [
            {"key": str(row.pk), "name": row.pupil.name, "sentence": refused[row.pk]}
            for row in self.applications
            if row.pk in refused
        ]

    def typed_in(self, refused: Mapping[UUID, str]) -> dict[str, str]:
        """What was typed in these rows, by the name of the field; without numbers, for it is kept for a while."""
        keys = {str(key) for key in refused}
        return {
            name: redact(said[:_LONGEST])
            for name in self.fields
            if name.rpartition("_")[2] in keys and (said := self.data.get(name, ""))
        }


class ListForm(RowsForm):
    """A decision on every application of a list: one answer for the rest, exceptions row by row."""

    # "The rest" means those on the page: one that has come in since must not be decided unseen.
    rest = forms.ChoiceField(label="没有单独选择的，一律", widget=forms.RadioSelect)

    verdicts_offered: tuple[tuple[str, str], ...]
    rest_offered: tuple[tuple[str, str], ...] = (("agree", "同意"), ("", "暂不处理"))
    columns_typed = ("verdict", "opinion")
    rows_stop_all = False  # whether a row with something wrong in it stops the others

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rest"].choices = self.rest_offered
        self.fields["rest"].required = False
        if not self.is_bound:
            self.initial.setdefault("rest", "agree")

    def _add_row(self, application: Application) -> None:
        name, key = application.pupil.name, application.pk
        self.fields[f"verdict_{key}"] = forms.ChoiceField(
            choices=[("", "按统一结论"), *self.verdicts_offered, ("skip", "暂不处理")],
            required=False,
            label=f"对{name}的结论",
            widget=forms.Select(attrs={"aria-label": f"对{name}的结论"}),
        )
        self.fields[f"opinion_{key}"] = forms.CharField(
            max_length=300,
            validators=[refuse_numbers, refuse_signs],
            required=False,
            label=f"对{name}的意见",
            widget=forms.TextInput(attrs={"aria-label": f"对{name}的意见"}),
        )

    def rows(self) -> Iterator[dict[str, Any]]:
        for application in self.applications:
            key = application.pk
            yield {
                "application": application,
                "verdict": self[f"verdict_{key}"] if f"verdict_{key}" in self.fields else None,
                "opinion": self[f"opinion_{key}"] if f"opinion_{key}" in self.fields else None,
                "why_not": self.barred.get(key, ""),
            }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for application in self.applications:
            verdict = cleaned.get(f"verdict_{application.pk}")
            if verdict not in (None, "", "agree", "skip") and not cleaned.get(f"opinion_{application.pk}", "").strip():
                self.add_error(f"opinion_{application.pk}", f"请写明对{application.pupil.name}的意见。")
        self._set_aside_changed(row for row in self.applications if self._was_shown(row) and self._said_of(row))
        if not self.rows_stop_all:
            self._set_aside_unread()
        if self.errors:
            if self.is_stale:
                self.add_error(None, f"名单刚刚有变化，现在是 {len(self.applications)} 份。请核对名单后再提交。")
            self.look_again()
        elif not self.verdicts() and not self.aside and not self.gone:
            raise ValidationError("所有申请都是“暂不处理”，没有作出任何结论。请至少对一份申请作出结论。")
        return cleaned

    def _said_of(self, application: Application) -> str:
        """The answer to one row, "" for none; of a row that is closed by now what was sent of it."""
        name = f"verdict_{application.pk}"
        own = self.cleaned_data.get(name) if name in self.fields else self.data.get(name, "skip")
        verdict = own or self.cleaned_data.get("rest", "")
        return "" if verdict == "skip" else verdict

    def verdicts(self) -> list[Verdict]:
        """What is said of each row that was on the page as it is now."""
        return [
            self.verdict_of(row, verdict)
            for row in self.applications
            if row.pk not in self.barred and row.pk not in self.aside and self._was_shown(row)
            if (verdict := self._said_of(row))
        ]

    def verdict_of(self, application: Application, verdict: str) -> Verdict:
        """What was said of one application."""
        return Verdict(application, verdict, opinion=self.cleaned_data.get(f"opinion_{application.pk}", "").strip())


# One pupil may go back to the desk that has to look again, and the rest of the list goes on.
_BACK = (("return", "退回补正（班主任）"), ("to_class", "退回班级重评"), ("to_school", "退回学校重评"))


class ConfirmForm(ListForm):
    verdicts_offered = (("agree", "确认"), *_BACK)
    rest_offered = (("agree", "确认"), ("", "暂不处理"))


class VerifyForm(ListForm):
    verdicts_offered = (("agree", "审核通过"), *_BACK, ("reject", "审核不通过"))
    rest_offered = (("agree", "审核通过"), ("", "暂不处理"))


class ApproveForm(ListForm):
    verdicts_offered = (("agree", "审批通过"), ("return", "退回经办重审"))
    rest_offered = (("agree", "审批通过"), ("", "暂不处理"))


def seen_digest(applications: Iterable[Application]) -> str:
    """SHA-256 over a list as it is shown: which applications, each as it was last changed."""
    told = "\n".join(f"{a.pk} {a.changed_at.isoformat()}" for a in applications)
    return hashlib.sha256(told.encode()).hexdigest()


class ReasonForm(forms.Form):
    note = forms.CharField(
        label="原因", max_length=300, validators=[refuse_numbers], widget=forms.Textarea(attrs={"rows": 3})
    )


class RollOverForm(forms.Form):
    """What becomes of each class of a school; the usual is chosen already."""

    def __init__(self, *args: Any, plan: Plan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plan = plan
        for row in plan.classes:
            self.fields[f"class_{row.unit}"] = forms.ChoiceField(
                choices=row.options,
                initial=row.usual,
                label=f"{row.name}的去向",
                error_messages=dict.fromkeys(("required", "invalid_choice"), f"请重新选择{row.name}的去向。"),
                widget=forms.Select(attrs={"aria-label": f"{row.name}的去向"}),
            )

    def rows(self) -> Iterator[tuple[ClassPlan, forms.BoundField]]:
        """Each class with its field, in order."""
        for row in self.plan.classes:
            yield row, self[f"class_{row.unit}"]

    def choices(self) -> dict[int, str]:
        return {row.unit: self.cleaned_data[f"class_{row.unit}"] for row in self.plan.classes}


class ApplicationFilter(forms.Form):
    """The filters above the list of applications; in the address, for nothing of a person is among them."""

    term = forms.ModelChoiceField(Term.objects.all(), required=False, label="学期", empty_label="全部学期")
    round = forms.ModelChoiceField(Round.objects.none(), required=False, label="批次", empty_label="全部批次")
    state = forms.ChoiceField(choices=[("", "全部状态"), *State.choices], required=False, label="状态")
    unit = forms.ModelChoiceField(Unit.objects.none(), required=False, label="学校或班级", empty_label="全部")

    def __init__(self, data: Mapping[str, str], *, rounds: QuerySet[Round], units: QuerySet[Unit]) -> None:
        term = data.get("term", "")
        if term.isdecimal() and len(term) < 19:
            rounds = rounds.filter(term=term)
            if data.get("round") not in {str(pk) for pk in rounds.order_by().values_list("pk", flat=True)}:
                data = {**data, "round": ""}  # of the term that was chosen before
        super().__init__(data)
        self.fields["round"].queryset = rounds
        self.fields["unit"].queryset = self._offered(units)
        self.fields["unit"].label_from_instance = unit_label

    def _offered(self, units: QuerySet[Unit]) -> QuerySet[Unit]:
        """All schools, and the classes of one: a county has thousands of classes, and their names repeat."""
        schools = units.filter(level=Unit.Level.SCHOOL)
        if len(schools) <= 1:
            return units
        chosen = units.filter(pk=wanted).first() if (wanted := self.data.get("unit", "")).isdecimal() else None
        key = None if chosen is None else chosen.parent_id if chosen.level == Unit.Level.CLASS else chosen.pk
        return units.filter(Q(level=Unit.Level.SCHOOL) | Q(parent=key))


def unit_label(unit: Unit) -> str:
    """A class with its school's name before it, so that 七年级1班 of two schools are told apart."""
    return f"{unit.parent.name} {unit.name}" if unit.level == Unit.Level.CLASS else unit.name


class SignedCopyForm(forms.Form):
    file = UploadField(
        kind=Upload.Kind.SIGNED_SHEET, label="签字表扫描件", help_text="把全部页扫描成一个 PDF，或逐页拍照。"
    )


class PaymentForm(forms.Form):
    paid_on = forms.DateField(label="到账日期", widget=DayInput)
    voucher = forms.CharField(label="支付凭证号", max_length=60, help_text="财政或银行的支付凭证、回单编号。")
    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)  # the signed copy looked at


class BatchForm(forms.Form):
    """What the clerk saw when deciding to make the batch."""

    expected = forms.IntegerField(widget=forms.HiddenInput)
    expected_total = forms.DecimalField(max_digits=14, decimal_places=2, widget=forms.HiddenInput)


class ConcernFilter(forms.Form):
    """The filters above the list of concerns; in the address, for nothing of a person is among them."""

    term = forms.ModelChoiceField(Term.objects.all(), required=False, label="学期", empty_label=None)
    kind = forms.ChoiceField(choices=[("", "全部事项"), *Concern.Kind.choices], required=False, label="事项")
    state = forms.ChoiceField(
        choices=[*Concern.State.choices, ("all", "全部状态")], required=False, label="状态", initial=Concern.State.OPEN
    )
    school = forms.ModelChoiceField(Unit.objects.none(), required=False, label="办理单位", empty_label="全部")
    school_class = forms.ModelChoiceField(Unit.objects.none(), required=False, label="班级", empty_label="全部班级")

    def __init__(self, *args: Any, units: QuerySet[Unit], **kwargs: Any) -> None:
        """`units` are those the reader may see."""
        super().__init__(*args, **kwargs)
        owners = units.exclude(level=Unit.Level.CLASS)
        classes = units.filter(level=Unit.Level.CLASS).select_related("parent")
        if len(owners) > 1:
            # Classes of many schools have the same names; they are offered once a school is chosen.
            self.fields["school"].queryset = owners
            classes = classes.filter(parent__in=[u for u in owners if str(u.pk) == self.data.get("school", "")])
        else:
            del self.fields["school"]
        self.fields["school_class"].queryset = classes


class SettleForm(forms.Form):
    """How one concern is settled."""

    reason = forms.ModelChoiceField(
        ConcernReason.objects.none(), label="处理结果", empty_label=None, widget=forms.RadioSelect
    )
    note = forms.CharField(
        label="说明",
        max_length=200,
        required=False,
        validators=[refuse_numbers],
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="写明怎么核实的、结果如何。不要写证件号和电话。",
    )
    proof = UploadField(
        kind=Upload.Kind.EVIDENCE, label="证明扫描件", required=False, help_text="家长书面放弃的，上传签字的书面材料。"
    )
    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)  # the facts looked at

    def __init__(self, *args: Any, reasons: QuerySet[ConcernReason], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].queryset = reasons
        self.fields["reason"].label_from_instance = _reason_label
        if not any(reason.needs_proof for reason in reasons):
            del self.fields["proof"]


class SettleManyForm(forms.Form):
    """How a selection of concerns of one kind is settled; for reasons that need no proof of each child."""

    reason = forms.ModelChoiceField(ConcernReason.objects.none(), label="处理结果", empty_label="请选择")
    note = forms.CharField(label="说明", max_length=200, required=False, validators=[refuse_numbers])

    def __init__(self, *args: Any, reasons: QuerySet[ConcernReason], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].queryset = reasons.filter(needs_proof=False)
        self.fields["reason"].label_from_instance = _reason_label


def _reason_label(reason: ConcernReason) -> str:
    needs = [word for word, needed in (("须写说明", reason.needs_note), ("须附证明", reason.needs_proof)) if needed]
    return f"{reason.label}（{'，'.join(needs)}）" if needs else reason.label


class ReopenForm(forms.Form):
    note = forms.CharField(
        label="为什么要重新处理", max_length=200, validators=[refuse_numbers], widget=forms.Textarea(attrs={"rows": 3})
    )


class ConcernReasonForm(forms.ModelForm):
    """A new way to settle a kind of concern."""

    class Meta:
        model = ConcernReason
        fields = ["kind", "label", "needs_note", "needs_proof", "source", "valid_from"]
        widgets = {"valid_from": DayInput}
        help_texts = {
            "label": "办理人选择的文字，例如“家长书面放弃”。",
            "needs_note": "选择时必须写明具体情况。",
            "needs_proof": "选择时必须逐人上传扫描件，不能成批处理。",
            "source": "依据的文件或上级系统的填报要求。",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["valid_from"].initial = clock.today()


class ReasonEndForm(forms.Form):
    on = forms.DateField(label="最后一天", widget=DayInput, help_text="当天还可以选择，次日起不再列出。")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].initial = clock.today()


class StageAgesForm(forms.ModelForm):
    """Ages of a stage from a term on; `instance` is the row of that very term, if there is one to be put right."""

    class Meta:
        model = StageAges
        fields = ["stage", "min_age", "max_age", "on_month", "on_day", "first_term", "source"]
        help_texts = {
            "min_age": "到计算日满多少周岁，小于它的列入清查。",
            "max_age": "到计算日满多少周岁，大于它的列入清查。",
            "on_month": "学年开始的那一年，例如 8 月 31 日。",
            "first_term": "原来的范围自动截止到上一学期；这个学期已经登记过的，按这次填写的更正。",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["first_term"].widget = forms.Select(choices=_term_choices())


class ExclusionForm(forms.Form):
    """Two programmes one child may not have in one term."""

    programme = forms.ModelChoiceField(Programme.objects.all(), label="项目", empty_label="请选择")
    other = forms.ModelChoiceField(Programme.objects.all(), label="不能兼得的项目", empty_label="请选择")
    first_term = forms.ChoiceField(label="执行学期")
    source = forms.CharField(
        label="依据", max_length=120, validators=[refuse_numbers], help_text="写明文件名称和文号。"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["first_term"].choices = _term_choices()


class TermEndForm(forms.Form):
    """The last term of a dated row, and by which document; `then` says what comes after it."""

    last_term = forms.ChoiceField(label="截止学期")
    document = forms.CharField(
        label="停止执行的依据",
        max_length=120,
        validators=[refuse_numbers],
        help_text="写明文件名称和文号，记入操作记录。",
    )

    def __init__(self, *args: Any, then: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["last_term"].choices = _term_choices()
        self.fields["last_term"].help_text = then


def _term_choices() -> list[tuple[str, str]]:
    return [("", "请选择"), *Term.objects.order_by("-key").values_list("key", "name")]
