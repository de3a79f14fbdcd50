"""What people type about money and its road, cleaned into the values the verbs take."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from accounts import clock
from accounts.forms import DayInput
from accounts.models import Unit
from accounts.redaction import refuse_numbers
from documents.forms import UploadField
from documents.models import Upload
from documents.pdf import refuse_signs
from students.models import Term
from students.rollovers import ClassPlan, Plan

from .models import Application, Concern, ConcernReason, Programme, Round, StageAges
from .reviews import Verdict
from .states import State


class ListForm(forms.Form):
    """A decision on every application of a list: one answer for the rest, exceptions row by row."""

    rest = forms.ChoiceField(label="没有单独选择的，一律", widget=forms.RadioSelect)
    # "The rest" means those on the page: one that has come in since must not be decided unseen.
    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    verdicts_offered: tuple[tuple[str, str], ...]
    rest_offered: tuple[tuple[str, str], ...] = (("agree", "同意"), ("", "暂不处理"))

    def __init__(
        self, *args: Any, applications: Iterable[Application], barred: Mapping[UUID, str], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.applications, self.barred = list(applications), barred
        self.fields["rest"].choices = self.rest_offered
        self.fields["rest"].required = False
        if not self.is_bound:
            self.initial.setdefault("rest", "agree")
        self.initial["seen"] = seen_digest(self.applications)
        for application in self.applications:
            if application.pk not in barred:
                self._add_row(application)

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

    @property
    def reasons(self) -> dict[str, list[str]]:
        """Why rows are closed to the person, each with the names of the pupils."""
        return names_by_reason(self.applications, self.barred)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for application in self.applications:
            verdict = cleaned.get(f"verdict_{application.pk}")
            if verdict not in (None, "", "agree", "skip") and not cleaned.get(f"opinion_{application.pk}", "").strip():
                self.add_error(f"opinion_{application.pk}", f"请写明对{application.pupil.name}的意见。")
        self._refuse_unseen(cleaned.get("seen", ""))
        if not self.errors and not self.verdicts():
            raise ValidationError("所有申请都是“暂不处理”，没有作出任何结论。请至少对一份申请作出结论。")
        return cleaned

    def _refuse_unseen(self, seen: str) -> None:
        now = self.initial["seen"]
        if seen and seen != now:
            self.data = self.data.copy()
            self.data["seen"] = now  # the next click is about what is shown now
            self.add_error(None, f"名单刚刚有变化，现在是 {len(self.applications)} 份，没有保存。请核对名单后再提交。")

    def verdicts(self) -> list[Verdict]:
        found = []
        for application in self.applications:
            key = application.pk
            if f"verdict_{key}" not in self.fields:
                continue
            verdict = self.cleaned_data.get(f"verdict_{key}") or self.cleaned_data.get("rest", "")
            if verdict not in ("", "skip"):
                found.append(self.verdict_of(application, verdict))
        return found

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


def names_by_reason(applications: Iterable[Application], reasons: Mapping[UUID, str]) -> dict[str, list[str]]:
    """The pupils' names behind each sentence, in the order of the list."""
    found: dict[str, list[str]] = {}
    for application in applications:
        if application.pk in reasons:
            found.setdefault(reasons[application.pk], []).append(application.pupil.name)
    return found


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
