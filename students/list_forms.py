"""What people type about comparison lists, cleaned into domain values."""

import datetime as dt
import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from accounts import clock
from accounts.forms import DayInput, a_day_of_work
from accounts.models import Unit
from accounts.redaction import refuse_numbers
from accounts.templatetags.aid import cn_date
from documents.forms import UploadField
from documents.models import Upload

from . import list_profiles, words
from .list_profiles import Layout, Meaning
from .models import Category, ListProfile, ListSource, ListVersion, Recheck

_SEPARATORS = re.compile(r"[,，、;；\n]+")
# How each kind of task words its two answers.
OUTCOMES = {
    Recheck.Kind.CAME: ("属实", "名单有误，不属于这种情况"),
    Recheck.Kind.LEFT: ("确认已不在名单", "情况没有变，是名单漏了"),
    Recheck.Kind.CHANGED: ("确认变化", "名单有误，情况没有变"),
    Recheck.Kind.CONTRADICTED: ("按优先的名单办理", "名单有误，情况没有变"),
    Recheck.Kind.RENUMBERED: ("名单上的是另一个人", "是本人，名单上的号码也写错了"),
}


class ListUploadForm(forms.Form):
    file = UploadField(
        kind=Upload.Kind.LIST,
        label="名单文件",
        help_text="部门发来的原文件，.xls 或 .xlsx 都可以，不用改格式；一行一人或一户一行都能读。",
    )
    profile = forms.ModelChoiceField(
        label="是哪一种名单",
        queryset=ListProfile.objects.none(),
        required=False,
        empty_label="按文件名判断",
    )
    as_of = forms.DateField(
        label="数据日期",
        widget=DayInput,
        required=False,
        validators=[a_day_of_work],
        help_text="名单说的是哪一天的情况。留空时取文件名里的日期，文件名里没有就取今天。",
    )

    def __init__(self, *args: Any, counties: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        profiles = ListProfile.objects.filter(county__in=counties, is_active=True)
        self.fields["profile"].queryset = profiles.select_related("source")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        file = cleaned.get("file")
        if file is None:
            return cleaned
        if not cleaned.get("profile"):
            cleaned["profile"] = list_profiles.propose(self.fields["profile"].queryset, file.name)
            if cleaned["profile"] is None:
                self.add_error("profile", "从文件名看不出是哪一种名单，请选择；没有这一种的，先在“名单格式”里新增。")
        if not cleaned.get("as_of") and "as_of" not in self.errors:
            cleaned["as_of"] = _date_in(file.name) or clock.today()
        return cleaned


# Eight digits, or two separators: 2026年11月 and 202611 are months, 2026年58人 is neither.
_DAY = re.compile(r"(?<![0-9])20[0-9]{2}(?:[0-9]{4}|[-_.年][0-9]{1,2}[-_.月][0-9]{1,2})(?![0-9])")


def _date_in(name: str) -> dt.date | None:
    """A day written in a file name: 20260903, 2026-9-3, 2026年9月3日; None where only a month or a year is."""
    days = (words.read_date(text.replace("_", "-"))[0] for text in _DAY.findall(name))
    return next(filter(None, days), None)


class DifferenceFilter(forms.Form):
    before = forms.ModelChoiceField(label="较早的版本", queryset=ListVersion.objects.none(), empty_label=None)
    after = forms.ModelChoiceField(label="较新的版本", queryset=ListVersion.objects.none(), empty_label=None)
    school = forms.ModelChoiceField(label="学校", queryset=Unit.objects.none(), required=False, empty_label="全部学校")
    who = forms.ChoiceField(
        label="范围", required=False, choices=[("pupils", "只看本县学生"), ("all", "名单上的所有人")]
    )

    def __init__(self, *args: Any, versions: QuerySet[ListVersion], schools: Any, may_see_all: bool, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for name in ("before", "after"):
            field = self.fields[name]
            field.queryset = versions
            field.label_from_instance = _version_label
        self.fields["school"].queryset = schools
        if not may_see_all:
            del self.fields["who"]
        if len(schools) < 2:
            del self.fields["school"]


def _version_label(version: ListVersion) -> str:
    return f"{cn_date(version.as_of)}（{version.persons_total} 人）"


class RecheckFilter(forms.Form):
    state = forms.ChoiceField(
        label="状态", required=False, choices=[("open", "待复核"), ("settled", "已复核"), ("overtaken", "已被取代")]
    )
    kind = forms.ChoiceField(label="变化", required=False, choices=[("", "全部变化"), *Recheck.Kind.choices])
    school = forms.ModelChoiceField(label="学校", queryset=Unit.objects.none(), required=False, empty_label="全部学校")

    def __init__(self, *args: Any, schools: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["school"].queryset = schools
        if len(schools) < 2:
            del self.fields["school"]

    def narrow(self, rows: QuerySet[Recheck]) -> QuerySet[Recheck]:
        wanted = self.cleaned_data if self.is_valid() else {}
        rows = rows.filter(state=wanted.get("state") or "open")
        if wanted.get("kind"):
            rows = rows.filter(kind=wanted["kind"])
        return rows.filter(school=wanted["school"]) if wanted.get("school") else rows


class RecheckForm(forms.Form):
    outcome = forms.ChoiceField(label="复核结果", widget=forms.RadioSelect)
    on = forms.DateField(label="从哪一天起", widget=DayInput, required=False, validators=[a_day_of_work])
    note = forms.CharField(
        label="复核说明",
        max_length=200,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        validators=[refuse_numbers],
        help_text="核实了什么，例如“看了低保证，仍在有效期”。认为名单有误的必须写。",
    )

    def __init__(
        self, *args: Any, kind: str, day: dt.date | None, day_help: str, day_label: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        confirmed, mistaken = OUTCOMES[Recheck.Kind(kind)]
        self.fields["outcome"].choices = [
            (Recheck.Outcome.CONFIRMED, confirmed),
            (Recheck.Outcome.MISTAKEN, mistaken),
            (Recheck.Outcome.MOVED, Recheck.Outcome.MOVED.label),
        ]
        if day_help:
            self.fields["on"].initial = day or clock.today()
            self.fields["on"].help_text = day_help
            self.fields["on"].label = day_label
        else:
            del self.fields["on"]


# --- the editor of profiles ------------------------------------------------------------------------


class ProfileForm(forms.Form):
    """The plain part of a profile; columns, flags and rules are rows of their own."""

    name = forms.CharField(label="名单名称", max_length=80)
    source = forms.ModelChoiceField(label="来源单位", queryset=ListSource.objects.none(), empty_label="请选择")
    file_words = forms.CharField(
        label="文件名里的字词",
        max_length=200,
        required=False,
        help_text="上传时文件名含有全部这些字词，就提议用这种格式；用顿号分开，例如“监测对象、未消除”。",
    )
    sheets = forms.CharField(
        label="读哪几张工作表",
        max_length=200,
        required=False,
        help_text="写第几张或名称，用顿号分开，例如“2”或“1、3”；留空读全部可见的表。",
    )
    header_rows = forms.IntegerField(
        label="表头占几行",
        min_value=0,
        max_value=20,
        initial=1,
        help_text="认得出表头时自动从表头下一行读起；认不出时从这几行之后读起。",
    )
    members = forms.CharField(
        label="家庭成员证件号在哪些列",
        max_length=300,
        required=False,
        help_text="一户一行的名单才填，写列字母，例如“P、R、T、V”。",
    )
    name_offset = forms.TypedChoiceField(
        label="成员姓名在证件号的",
        coerce=int,
        required=False,
        empty_value=0,
        choices=[(-1, "左边一列"), (1, "右边一列"), (-2, "左边第二列"), (2, "右边第二列"), (0, "没有姓名列")],
    )
    category = forms.ChoiceField(label="在名单上的人属于", required=False)
    denies = forms.ChoiceField(
        label="名单的意思", choices=[("", "属于这个类别"), ("yes", "不再属于这个类别")], required=False
    )
    is_active = forms.BooleanField(label="启用", required=False, initial=True)

    def __init__(self, *args: Any, county: Unit, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["source"].queryset = ListSource.objects.filter(county=county)
        self.fields["category"].choices = kind_choices()


class ColumnForm(forms.Form):
    key = forms.CharField(widget=forms.HiddenInput)
    headers = forms.CharField(label="表头可能的写法", max_length=600, required=False)
    letter = forms.CharField(label="列字母", max_length=3, required=False)

    @property
    def label(self) -> str:
        return list_profiles.COLUMNS.get(self["key"].value() or "", "")


class FlagForm(forms.Form):
    name = forms.CharField(label="标识名称", max_length=30, required=False)
    headers = forms.CharField(label="表头可能的写法", max_length=600, required=False)
    letter = forms.CharField(label="列字母", max_length=3, required=False)


class RuleForm(forms.Form):
    sheet = forms.CharField(label="工作表", max_length=60, required=False)
    flag = forms.CharField(label="标识", max_length=30, required=False)
    words = forms.CharField(label="内容是", max_length=200, required=False)
    and_flag = forms.CharField(label="并且标识", max_length=30, required=False)
    and_words = forms.CharField(label="内容是", max_length=200, required=False)
    category = forms.ChoiceField(label="则属于", required=False)
    denies = forms.ChoiceField(label="意思", choices=[("", "属于"), ("yes", "不再属于")], required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["category"].choices = kind_choices()

    @property
    def is_blank(self) -> bool:
        return not any(self.cleaned_data.get(name) for name in ("sheet", "flag", "words", "category", "denies"))


ColumnRows = forms.formset_factory(ColumnForm, extra=0, max_num=len(list_profiles.COLUMNS))
FlagRows = forms.formset_factory(FlagForm, extra=2, max_num=12)
RuleRows = forms.formset_factory(RuleForm, extra=3, max_num=30)


def kind_choices() -> list[tuple[str, str]]:
    """Kinds by code, each once; codes of kinds that have ended too: what took their place is found by date."""
    found = dict(Category.objects.order_by("rank", "valid_from").values_list("code", "name"))
    return [("", "不对应困难类别"), *found.items()]


class ProfileEditor:
    """The form and its rows together, from a stored profile or from what was sent."""

    def __init__(self, data: Any = None, *, county: Unit, profile: ListProfile | None = None) -> None:
        layout = profile.layout if profile else _EMPTY_LAYOUT
        meaning = profile.meaning if profile else {}
        self.form = ProfileForm(data, county=county, initial=_plain_initial(profile, layout, meaning))
        places = layout.get("columns", {})
        columns = [{"key": key, **_place_initial(places.get(key, {}))} for key in list_profiles.COLUMNS]
        flags = [{"name": name, **_place_initial(place)} for name, place in layout.get("flags", {}).items()]
        self.columns = ColumnRows(data, prefix="columns", initial=columns)
        self.flags = FlagRows(data, prefix="flags", initial=flags)
        self.rules = RuleRows(data, prefix="rules", initial=[_rule_initial(rule) for rule in meaning.get("rules", [])])

    def is_valid(self) -> bool:
        """Whether every field is; and, if so, whether the whole makes a profile. Refusals stand on the form."""
        parts = [part.is_valid() for part in (self.form, self.columns, self.flags, self.rules)]
        if not all(parts):
            if parts[0]:
                self.form.add_error(None, "下面的列、标识或规则有填错的地方，请看标红的一行。")
            return False
        try:
            self.layout_and_meaning()
        except ValidationError as refusal:
            self.form.add_error(None, refusal)
            return False
        return True

    def layout_and_meaning(self) -> tuple[Layout, Meaning]:
        layout = list_profiles.layout_of(self.layout)
        return layout, list_profiles.meaning_of(self.meaning, layout.flags)

    @property
    def layout(self) -> dict[str, Any]:
        plain = self.form.cleaned_data
        return {
            "sheets": _split(plain["sheets"]),
            "header_rows": plain["header_rows"],
            "columns": {row["key"]: _place(row) for row in self.columns.cleaned_data if row.get("key")},
            "members": [letter.upper() for letter in _split(plain["members"])],
            "name_offset": plain["name_offset"] or 0,
            "flags": {row["name"]: _place(row) for row in self.flags.cleaned_data if row.get("name")},
        }

    @property
    def meaning(self) -> dict[str, Any]:
        plain = self.form.cleaned_data
        rules = []
        for form in self.rules.forms:
            if form.has_changed() or form.initial:
                row = form.cleaned_data
                if row and not form.is_blank:
                    rules.append(_rule(row))
        return {
            "category": plain["category"],
            "denies": plain["denies"] == "yes",
            "rules": rules,
            "file_words": _split(plain["file_words"]),
        }


_EMPTY_LAYOUT: dict[str, Any] = {
    "header_rows": 1,
    "columns": {
        "id": {"headers": ["身份证号", "身份证号码", "身份证件号", "证件号码", "公民身份号码"], "letter": ""},
        "name": {"headers": ["姓名"], "letter": ""},
        "birth_date": {"headers": ["出生日期"], "letter": ""},
    },
}


def _plain_initial(profile: ListProfile | None, layout: dict[str, Any], meaning: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": profile.name if profile else "",
        "source": profile.source_id if profile else None,
        "is_active": profile.is_active if profile else True,
        "file_words": "、".join(meaning.get("file_words", [])),
        "sheets": "、".join(map(str, layout.get("sheets", []))),
        "header_rows": layout.get("header_rows", 1),
        "members": "、".join(layout.get("members", [])),
        "name_offset": layout.get("name_offset", -1),
        "category": meaning.get("category", ""),
        "denies": "yes" if meaning.get("denies") else "",
    }


def _place_initial(place: dict[str, Any]) -> dict[str, str]:
    return {"headers": "、".join(place.get("headers", [])), "letter": place.get("letter", "")}


def _rule_initial(rule: dict[str, Any]) -> dict[str, Any]:
    words = {name: "、".join(rule.get(name, [])) for name in ("words", "and_words")}
    return {**rule, **words, "denies": "yes" if rule.get("denies") else ""}


def _rule(row: dict[str, Any]) -> dict[str, Any]:
    rule = {name: row[name] for name in ("sheet", "flag", "and_flag", "category") if row.get(name)}
    rule |= {name: _split(row[name]) for name in ("words", "and_words") if row.get(name)}
    return rule | ({"denies": True} if row.get("denies") else {})


def _place(row: dict[str, Any]) -> dict[str, Any]:
    return {"headers": _split(row["headers"]), "letter": row["letter"].strip().upper()}


def _split(text: str) -> list[str]:
    return [part.strip() for part in _SEPARATORS.split(text) if part.strip()]
