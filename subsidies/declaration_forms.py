"""申请表 as people type it: the family in rows, everything else in fields; the signed paper; the county's rule."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts import clock
from accounts.forms import DayInput, a_day_of_work
from accounts.redaction import refuse_numbers
from documents.forms import UploadField
from documents.models import Upload
from documents.pdf import refuse_signs
from students.models import Term

from .declaration_answers import MOST_MEMBERS, Answers, Member
from .declaration_words import HEALTH, POLITICS, PRESENCE, PROMISE, RELATIONS
from .models import FormRule, Programme, SignedForm

_FEWEST_ROWS, _FREE_ROWS = 5, 2  # of the family's table
_HEADS = 99
_MOST_INCOME = 10_000_000


_VALIDATORS = [refuse_numbers, refuse_signs]  # it is shown, and printed


def _line(label: str, length: int, **kwargs: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=length, required=False, validators=_VALIDATORS, **kwargs)


def _words(label: str, **kwargs: Any) -> forms.CharField:
    return _line(label, 200, widget=forms.Textarea(attrs={"rows": 2}), **kwargs)


def _heads(label: str, **kwargs: Any) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=0, max_value=_HEADS, **kwargs)


class MemberForm(forms.Form):
    """One row of the family's table; an empty row is nobody."""

    name = _line("姓名", 40)
    relation = forms.ChoiceField(
        label="与学生关系", required=False, choices=[("", "请选择"), *((word, word) for word in RELATIONS)]
    )
    presence = forms.ChoiceField(label="现在", required=False, choices=list(PRESENCE.items()), initial="here")
    age = forms.IntegerField(label="年龄", required=False)
    workplace = _line("工作（学习）单位", 60)
    occupation = _line("职业", 20)
    income = forms.IntegerField(label="年收入（元）", required=False)
    health = forms.ChoiceField(label="健康状况", required=False, choices=list(HEALTH.items()), initial="well")

    def __init__(self, *args: Any, number: int, **kwargs: Any) -> None:
        super().__init__(*args, prefix=f"member-{number}", **kwargs)
        # A table has its words in the head; whoever hears the page hears them at each field.
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = f"第 {number + 1} 名成员{field.label}"
        for name in ("age", "income"):
            self.fields[name].widget.attrs["inputmode"] = "numeric"

    @property
    def is_empty(self) -> bool:
        """Nothing was written into the row: the two choices that always have a value do not count."""
        data = self.cleaned_data
        texts = [data.get(name) for name in ("name", "relation", "workplace", "occupation")]
        return not any(texts) and data.get("age") is None and data.get("income") is None

    def member(self) -> Member:
        data = self.cleaned_data
        return Member(
            name=data["name"],
            relation=data["relation"],
            presence=data["presence"] or "here",
            age=data["age"],
            workplace=data["workplace"],
            occupation=data["occupation"],
            income=data["income"],
            health=data["health"] or "well",
        )


class DeclarationForm(forms.Form):
    """The whole form. `members` are rows of their own; `version` is the one the person had before them."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    household = _heads("家庭人口", help_text="含学生本人；离异、已故、失联的不算。")
    studying = _heads("家庭成员在学人数", help_text="含学生本人。")
    supported = _heads("赡养人数", help_text="要赡养的老人。")
    unemployed = _heads("失业人数", help_text="没有填 0。")
    native_place = _line("籍贯", 30)
    politics = forms.ChoiceField(
        label="政治面貌", required=False, choices=[("", "不填"), *((word, word) for word in POLITICS)]
    )
    address = _line("详细通讯地址", 100, help_text="省、市、县、乡镇（街道）、村（社区）、门牌。")
    postcode = forms.RegexField(
        r"^[0-9]{6}$",
        label="邮政编码",
        required=False,
        help_text="六位数字，不知道可以不填。",
        error_messages={"invalid": "邮政编码是六位数字。"},
    )
    income_source = _line("收入来源", 40, help_text="例如务工、务农、低保金。")
    other_group = _line("其他特殊群体", 40, help_text="登记里没有的，写在这里；有证明的请到学生页登记困难类别。")
    disaster = _words("遭受自然灾害情况")
    accident = _words("遭受突发意外事件")
    weakness = _words("家庭成员因残疾、年迈而劳动能力弱情况")
    joblessness = _words("家庭成员失业情况")
    debt = _words("家庭欠债情况")
    other = _words("其他情况")
    aided = _line("本学年已获的其他资助", 100, help_text="系统里已发放的会自动列出，这里只写社会捐助等系统外的。")
    reason = _words("申请理由")
    reason_of_change = _line("这次改了什么、为什么", 100, help_text="例如“家长补报了务工收入”。新旧两版都会保留。")

    SECTIONS = (
        ("家庭指标", ("household", "studying", "supported", "unemployed", "income_source")),
        ("学生和通讯地址", ("native_place", "politics", "address", "postcode")),
        ("影响家庭经济状况的有关信息", ("disaster", "accident", "weakness", "joblessness", "debt", "other")),
        ("特殊群体、已获资助和申请理由", ("other_group", "aided", "reason")),
    )

    def __init__(self, data: Any = None, *, answers: Answers, version: int, **kwargs: Any) -> None:
        told = {field.name: getattr(answers, field.name) for field in dataclasses.fields(answers)}
        # What counts heads is not prefilled with a nought that nobody said.
        heads = {name: told[name] or None for name in ("household", "studying")} if not version else {}
        super().__init__(data, initial=told | heads | {"version": version}, **kwargs)
        self.members = self._rows(answers.members)
        if version:
            self.fields["reason_of_change"].label = f"与第 {version} 版相比改了什么、为什么"
        else:
            del self.fields["reason_of_change"]

    def _rows(self, known: Sequence[Member]) -> list[MemberForm]:
        count = min(MOST_MEMBERS, max(_FEWEST_ROWS, len(known) + _FREE_ROWS))
        if self.is_bound:
            # What was sent is what is shown again, also of a family that has grown shorter meanwhile.
            sent = max((number for number in range(MOST_MEMBERS) if f"member-{number}-name" in self.data), default=0)
            return [MemberForm(self.data, number=number) for number in range(max(count, sent + 1))]
        rows = [dataclasses.asdict(member) for member in known]
        rows += [{} for _ in range(count - len(rows))]
        return [MemberForm(initial=row, number=number) for number, row in enumerate(rows)]

    def sections(self) -> Iterator[tuple[str, list[forms.BoundField]]]:
        for title, names in self.SECTIONS:
            yield title, [self[name] for name in names]

    def is_valid(self) -> bool:
        # All rows are looked at, so that everything to be mended is shown at once.
        rows = [member.is_valid() for member in self.members]
        return super().is_valid() and all(rows)

    def answers(self) -> Answers:
        names = {field.name for field in dataclasses.fields(Answers)} - {"members"}
        members = tuple(row.member() for row in self.members if not row.is_empty)
        return Answers(members=members, **{name: self.cleaned_data[name] for name in names})

    def show(self, refusal: ValidationError) -> None:
        """Put the verb's refusal where it belongs: a row's field, a field, or above all."""
        if not hasattr(refusal, "error_dict"):
            self.add_error(None, refusal)
            return
        kept = [row for row in self.members if not row.is_empty]
        for name, errors in refusal.error_dict.items():
            _, number, field = [*name.split("-"), "", ""][:3]
            if number.isdecimal() and int(number) < len(kept):
                kept[int(number)].add_error(field, errors)
            else:
                self.add_error(name if name in self.fields else None, errors)

    @property
    def row_errors(self) -> list[tuple[str, str]]:
        """What is wrong in the rows, for the summary: (id of the field, sentence)."""
        return [
            (row[name].id_for_label, f"第 {number} 名成员，{row.fields[name].label}：{error}")
            for number, row in enumerate(self.members, start=1)
            if row.is_bound
            for name, errors in row.errors.items()
            for error in errors
        ]


class SignedFormForm(forms.Form):
    """The paper that came back from home."""

    file = UploadField(label="签字的申请表", kind=Upload.Kind.SIGNED_FORM)
    signer = forms.ChoiceField(label="谁签的字", choices=SignedForm.Signer.choices, widget=forms.RadioSelect)
    signed_on = forms.DateField(label="签字日期", widget=DayInput, validators=[a_day_of_work])


class FormRuleForm(forms.Form):
    """Which form a programme is applied for with, from a term on."""

    programme = forms.ModelChoiceField(
        Programme.objects.filter(is_active=True), label="项目", required=False, empty_label="所有按条件资助的项目"
    )
    first_term = forms.ModelChoiceField(Term.objects.all(), label="自这个学期起", empty_label=None)
    layout = forms.ChoiceField(label="表式", choices=FormRule.Layout.choices, widget=forms.RadioSelect)
    title = forms.CharField(
        label="表名",
        max_length=40,
        required=False,
        validators=[refuse_numbers],
        help_text="印在表头，按当地文件写，例如“家庭经济困难学生认定申请表”。",
    )
    promise = forms.CharField(label="承诺内容", max_length=200, required=False, initial=PROMISE, validators=_VALIDATORS)
    asks_village = forms.BooleanField(label="须村（居）委会签署意见", required=False)
    source = forms.CharField(label="依据（文件名称和文号）", max_length=200, validators=[refuse_numbers])

    def rule(self) -> FormRule:
        """The row as typed; what a form that is not filled in does not have is left out."""
        data = self.cleaned_data
        is_none = data["layout"] == FormRule.Layout.NONE
        return FormRule(
            programme=data["programme"],
            first_term=data["first_term"].key,
            layout=data["layout"],
            title="" if is_none else data["title"],
            promise="" if is_none else data["promise"],
            asks_village=not is_none and data["asks_village"],
            source=data["source"],
            recorded_at=clock.now(),
        )
