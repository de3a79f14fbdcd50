"""What people type about pupils, cleaned into domain values."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.forms.boundfield import BoundField, BoundWidget

from accounts import clock, scopes
from accounts.forms import DayInput
from accounts.models import Unit, User
from accounts.redaction import refuse_numbers
from accounts.roles import Permission
from documents.forms import UploadField
from documents.models import Upload

from . import columns, privacy, terms
from .models import (
    BankAccount,
    Boarding,
    Category,
    Circumstance,
    Pupil,
    RosterFinding,
    RosterImport,
    School,
    Stage,
    Term,
)
from .schools import SchoolFacts

MOST_SHEETS = 100  # named in the filter of findings
_KEYS = {column.label: column.key for column in columns.COLUMNS}


class CategoryChoice(forms.ModelChoiceField):
    """The kinds of hardship in force on a day."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=Category.objects.none(), **kwargs)

    def offer(self) -> None:
        today = clock.today()
        ended = Q(valid_to__isnull=True) | Q(valid_to__gte=today)
        self.queryset = Category.objects.filter(ended, valid_from__lte=today)


class PupilFilter(forms.Form):
    """In the address, so that a list can be sent to a colleague: nothing of a person is among them."""

    term = forms.ModelChoiceField(label="学期", queryset=Term.objects.all(), required=False, empty_label=None)
    school = forms.ModelChoiceField(label="学校", queryset=Unit.objects.none(), required=False, empty_label="全部学校")
    school_class = forms.ModelChoiceField(
        label="班级", queryset=Unit.objects.none(), required=False, empty_label="全部班级"
    )
    category = CategoryChoice(label="困难类别", required=False, empty_label="全部学生")
    boarding = forms.ChoiceField(label="就读方式", required=False, choices=[("", "全部"), *Boarding.choices])
    standing = forms.ChoiceField(
        label="在读情况",
        required=False,
        initial="open",
        choices=[
            ("open", "在册（含休学）"),
            ("present", "在读"),
            ("suspended", "休学"),
            ("left", "已离校"),
            ("all", "全部"),
        ],
    )
    account = forms.ChoiceField(
        label="收款账户",
        required=False,
        choices=[("", "全部"), ("none", "无账户"), ("unverified", "未核验"), ("shared", "共用账户")],
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        units = scopes.within(Unit.objects.filter(is_active=True), user, Permission.VIEW_PUPILS, unit="")
        schools = units.filter(level=Unit.Level.SCHOOL)
        self.fields["term"].initial = terms.current()
        self.fields["category"].offer()
        self.fields["school"].queryset = schools
        classes = units.filter(level=Unit.Level.CLASS)
        if len(schools) > 1:
            # Classes of many schools have the same names; they are offered once a school is chosen.
            chosen = self.data.get("school", "")
            picked = [unit for unit in schools if str(unit.pk) == chosen]
            classes = classes.filter(parent__in=picked)
            if not picked:
                del self.fields["account"]  # a matter of one school; of a whole county it would read every account
        else:
            del self.fields["school"]
        self.fields["school_class"].queryset = classes


class PupilSearch(forms.Form):
    """The search box in the frame of every page; see templates/_search.html."""

    q = forms.CharField(max_length=60, required=False)


class RevealForm(forms.Form):
    field = forms.ChoiceField(label="要看的号码", choices=list(privacy.FIELD_LABELS.items()), widget=forms.RadioSelect)
    purpose = forms.ChoiceField(label="用途", choices=list(privacy.PURPOSES.items()), widget=forms.RadioSelect)
    note = forms.CharField(
        label="为什么事查看", max_length=200, help_text="写明是哪件事，例如“家长持存折到校核对”。不要写号码。"
    )


class CircumstanceForm(forms.Form):
    category = CategoryChoice(label="困难类别", empty_label="请选择")
    source = forms.ChoiceField(
        label="来源",
        choices=Circumstance.Source.choices,
        widget=forms.RadioSelect,
        help_text="民政、残联、乡村振兴等部门名单里有的选“系统比对”；由学校向家庭收集证明的选“学校自采集”。",
    )
    evidence = forms.CharField(
        label="证明名称和编号",
        max_length=120,
        required=False,
        help_text="例如“农村低保证 2026-0123”；比对的写名单名称和日期。",
    )
    evidence_file = UploadField(kind=Upload.Kind.EVIDENCE, label="证明扫描件", required=False)
    valid_from = forms.DateField(label="生效日期", widget=DayInput, help_text="证明从哪一天起有效。")
    valid_to = forms.DateField(
        label="失效日期", widget=DayInput, required=False, help_text="证明写明期限的填最后一天；没有写的留空。"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["category"].offer()


class CircumstanceEndForm(forms.Form):
    on = forms.DateField(label="最后一天", widget=DayInput, help_text="当天仍然有效，次日起不再计算。")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].initial = clock.today()


class AccountForm(forms.Form):
    relation = forms.ChoiceField(label="户主与学生关系", choices=BankAccount.Relation.choices, widget=forms.RadioSelect)
    holder = forms.CharField(label="户名", max_length=60, help_text="与银行登记的写法完全一致，包括生僻字和间隔号。")
    bank = forms.CharField(label="开户行", max_length=60, help_text="例如“云岭县农村信用合作联社城关分社”。")
    number = forms.CharField(
        label="银行账号",
        max_length=30,
        help_text="12 至 19 位数字，可以带空格。",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )


class VerifyForm(forms.Form):
    on = forms.DateField(label="核验日期", widget=DayInput)


class StaffAccountForm(forms.Form):
    """One account of somebody who works at a school or at the centre."""

    unit = forms.ModelChoiceField(label="单位", queryset=Unit.objects.none(), empty_label="请选择")
    holder = forms.CharField(label="姓名", max_length=60, help_text="与银行登记的户名一致。")
    number = forms.CharField(
        label="银行账号",
        max_length=30,
        help_text="12 至 19 位数字，可以带空格。只用来比对，登记后只显示末四位。",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, units: QuerySet[Unit], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer_units(self, units)


class StaffAccountFileForm(forms.Form):
    unit = forms.ModelChoiceField(label="单位", queryset=Unit.objects.none(), empty_label="请选择")
    file = UploadField(
        kind=Upload.Kind.LIST,
        label="教职工账户表",
        help_text="有“单位”“姓名”“账号”三列的 Excel 工作簿；只有一所学校时可以没有“单位”。文件不会保存。",
    )

    def __init__(self, *args: Any, units: QuerySet[Unit], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer_units(self, units)


def _offer_units(form: forms.Form, units: QuerySet[Unit]) -> None:
    form.fields["unit"].queryset = units
    if len(units) == 1:
        form.fields["unit"].initial = units[0]
        form.fields["unit"].empty_label = None


class IdCorrectionForm(forms.Form):
    id_kind = forms.ChoiceField(label="证件类型", choices=Pupil.IdKind.choices, widget=forms.RadioSelect)
    number = forms.CharField(
        label="正确的证件号",
        max_length=30,
        help_text="对照户口簿或身份证原件逐位核对。性别和出生日期随号码更正。",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    reason = forms.CharField(
        label="更正原因", max_length=200, help_text="例如“学校报送：录入时两位数字颠倒”。不要写号码。"
    )
    evidence_file = UploadField(kind=Upload.Kind.EVIDENCE, label="证件或户口簿扫描件")


class UnitChoice(forms.ModelChoiceField):
    """Schools, and the county itself where one file may hold all of its schools."""

    def label_from_instance(self, unit: Unit) -> str:
        return f"{unit.name}（全县各校在一个文件里）" if unit.level == Unit.Level.COUNTY else unit.name


class RosterForm(forms.Form):
    unit = UnitChoice(label="学校", queryset=Unit.objects.none(), empty_label="请选择")
    term = forms.ModelChoiceField(label="学期", queryset=Term.objects.all(), empty_label=None)
    file = UploadField(kind=Upload.Kind.ROSTER, label="名册文件")

    def __init__(self, *args: Any, units: QuerySet[Unit], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["unit"].queryset = units
        self.fields["term"].initial = terms.current()
        if len(units) == 1:
            self.fields["unit"].initial = units[0]
            self.fields["unit"].empty_label = None


class RosterFilter(forms.Form):
    """Rosters of one unit, or in one state."""

    unit = forms.ModelChoiceField(label="单位", queryset=Unit.objects.none(), required=False, empty_label="全部")
    state = forms.ChoiceField(label="状态", required=False, choices=[("", "全部"), *RosterImport.State.choices])

    def __init__(self, *args: Any, units: QuerySet[Unit], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["unit"].queryset = units
        if len(units) <= 1:
            del self.fields["unit"]

    def narrow(self, rows: QuerySet[RosterImport]) -> QuerySet[RosterImport]:
        chosen = self.cleaned_data if self.is_valid() else {}
        return rows.filter(**{name: value for name, value in chosen.items() if value})


class FindingFilter(forms.Form):
    """Which of a roster's findings are shown. Sheets are counted, not named: a name may be somebody's."""

    level = forms.ChoiceField(label="结果", required=False)
    sheet = forms.ChoiceField(label="工作表", required=False)
    school = forms.ModelChoiceField(label="学校", queryset=Unit.objects.none(), required=False, empty_label="全部")

    def __init__(self, *args: Any, roster: RosterImport, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        levels = RosterFinding.Level
        shown = roster.findings.exclude(level=levels.NOTE)
        # How many of each level are kept, which is how many can be shown.
        self.counts = dict(shown.order_by().values_list("level").annotate(n=Count("*")))
        self.sheets = list(shown.order_by("sheet").values_list("sheet", flat=True).distinct()[:MOST_SHEETS])
        self.fields["level"].choices = [
            ("", f"全部（{sum(self.counts.values())}）"),
            *[(level.value, f"{level.label}（{n}）") for level in levels if (n := self.counts.get(level.value))],
        ]
        self.fields["sheet"].choices = [("", "全部"), *[(str(n), name) for n, name in enumerate(self.sheets)]]
        if len(self.sheets) <= 1:
            del self.fields["sheet"]
        if roster.unit.level == Unit.Level.COUNTY:
            self.fields["school"].queryset = Unit.objects.filter(pk__in=shown.order_by().values("school"))
        else:
            del self.fields["school"]

    def narrow(self, rows: QuerySet[RosterFinding]) -> QuerySet[RosterFinding]:
        chosen = self.cleaned_data if self.is_valid() else {}
        rows = rows.exclude(level=RosterFinding.Level.NOTE)
        if chosen.get("level"):
            rows = rows.filter(level=chosen["level"])
        if chosen.get("sheet"):
            rows = rows.filter(sheet=self.sheets[int(chosen["sheet"])])
        if chosen.get("school"):
            rows = rows.filter(school=chosen["school"])
        return rows


def _place(column: dict[str, Any]) -> str:
    return f"{column['letter']} 列“{column['header']}”"


@dataclass
class _Asked:
    """One question: which of these columns (tokens) is the one with this key."""

    key: str
    tokens: tuple[str, ...]
    sheets: list[str]  # tokens of the sheets it is asked for
    is_doubtful: bool = False  # all of them look like it; otherwise none does

    @property
    def label(self) -> str:
        return columns.BY_KEY[self.key].label


class HeaderForm(forms.Form):
    """Which column of a roster is which: a question for each that is needed and not sure, with the file's own
    headers to choose from; and every other column with what it was taken for.

    `question` is RosterImport.question.
    """

    def __init__(self, *args: Any, question: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sheets: list[dict[str, Any]] = question["sheets"]
        self.has_whole_sheet = question.get("or_without", False)
        self.columns: dict[str, dict[str, Any]] = {}  # by token: a header means the same on every sheet
        for sheet in self.sheets:
            for column in sheet["columns"]:
                self.columns.setdefault(column["token"], {**column, "sheet": sheet["sheet"]})
        self.asked = _asked(question)
        for number, asked in enumerate(self.asked):
            self.fields[f"column-{number}"] = forms.ChoiceField(
                label=asked.label,
                choices=[(token, _place(self.columns[token])) for token in asked.tokens],
                widget=forms.RadioSelect,
                required=False,  # see clean: not of a sheet that is left aside
            )
        settled = {token for asked in self.asked if asked.is_doubtful for token in asked.tokens}
        self.free = [token for token in self.columns if token not in settled]
        meanings = [("", "不读取"), *[(column.key, column.label) for column in columns.COLUMNS]]
        for number, token in enumerate(self.free):
            self.fields[f"other-{number}"] = forms.ChoiceField(
                label=_place(self.columns[token]),
                choices=meanings,
                required=False,
                initial=self.columns[token]["key"],
            )
        for number, sheet in enumerate(self.sheets):
            self.fields[f"aside-{number}"] = forms.BooleanField(
                label=f"工作表“{sheet['sheet']}”不是学生名册，不读取", required=False
            )

    @property
    def questions(self) -> list[tuple[BoundField, list[tuple[BoundWidget, dict[str, Any]]]]]:
        """Each question with its choices; beside each choice the column with its samples."""
        fields = [self[f"column-{number}"] for number in range(len(self.asked))]
        return [
            (field, [(choice, self.columns[choice.data["value"]]) for choice in field.subwidgets]) for field in fields
        ]

    @property
    def others(self) -> list[tuple[BoundField, dict[str, Any]]]:
        """All columns nobody asks about, each with what it is taken for."""
        return [(self[f"other-{number}"], self.columns[token]) for number, token in enumerate(self.free)]

    @property
    def may_be_without(self) -> bool:
        """Whether to leave a sheet aside is an answer to what is asked: there are others."""
        return bool(self.asked) and (self.has_whole_sheet or len(self.sheets) > 1)

    @property
    def asides(self) -> list[BoundField]:
        return [self[f"aside-{number}"] for number in range(len(self.sheets))]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        aside = self._aside(cleaned)
        for number, asked in enumerate(self.asked):
            if not cleaned.get(f"column-{number}") and not aside.issuperset(asked.sheets):
                sentence = f"请选出哪一列是“{asked.label}”。表里没有这一列的，请补上后重新上传。"
                if self.may_be_without:
                    sentence += "不是学生名册的工作表，请在上面勾选“不读取”。"
                self.add_error(f"column-{number}", sentence)
        meant: dict[str, set[str]] = {}
        for token, key in self._chosen(cleaned) + self._changed(cleaned):
            meant.setdefault(token, set()).add(columns.BY_KEY[key].label if key else "不读取")
        for token, labels in meant.items():
            if len(labels) > 1:
                both = "和".join(f"“{label}”" for label in sorted(labels))
                header = self.columns[token]["header"]
                raise ValidationError(f"“{header}”这一列同时被选作{both}，一列只能是一项，请改正。")
        return cleaned

    def _chosen(self, cleaned: dict[str, Any]) -> list[tuple[str, str]]:
        """(token, key) of the questions that were answered."""
        answers = [(cleaned.get(f"column-{number}"), asked.key) for number, asked in enumerate(self.asked)]
        return [(token, key) for token, key in answers if token]

    def _changed(self, cleaned: dict[str, Any]) -> list[tuple[str, str]]:
        """(token, key or "") of the columns that are to be taken for something else than before."""
        said = [(token, cleaned.get(f"other-{number}", "")) for number, token in enumerate(self.free)]
        return [(token, key) for token, key in said if key != self.columns[token]["key"]]

    def _aside(self, cleaned: dict[str, Any]) -> set[str]:
        return {sheet["token"] for number, sheet in enumerate(self.sheets) if cleaned.get(f"aside-{number}")}

    def answers(self) -> dict[str, str]:
        """Token → key, as rosters.map_columns takes them; what only looked like an answer is left aside."""
        alike = {token: "" for asked in self.asked if asked.is_doubtful for token in asked.tokens}
        sheets = dict.fromkeys(self._aside(self.cleaned_data), "")
        return sheets | alike | dict(self._changed(self.cleaned_data)) | dict(self._chosen(self.cleaned_data))


def _asked(question: dict[str, Any]) -> list[_Asked]:
    """Sheets with the same headers are asked about once; one that has the column is not asked about."""
    doubtful = [
        _Asked(_KEYS[label], tuple(tokens), _sheets_with(question, tokens), is_doubtful=True)
        for label, tokens in question["doubtful"]
    ]
    unsure = {token for asked in doubtful for token in asked.tokens}
    found: dict[tuple[str, tuple[str, ...]], _Asked] = {(asked.key, asked.tokens): asked for asked in doubtful}
    for sheet in question["sheets"]:
        known = {column["key"] for column in sheet["columns"]}
        known |= {"boarding"} if "is_boarding" in known else set()
        known |= {"school_name"} if "school_code" in known else set()
        unknown = tuple(
            column["token"] for column in sheet["columns"] if not column["key"] and column["token"] not in unsure
        )
        for key in (_KEYS[label] for label in question["missing"]):
            if key not in known:
                found.setdefault((key, unknown), _Asked(key, unknown, [])).sheets.append(sheet["token"])
    return list(found.values())


def _sheets_with(question: dict[str, Any], tokens: list[str]) -> list[str]:
    wanted = set(tokens)
    return [
        sheet["token"]
        for sheet in question["sheets"]
        if wanted.issubset(column["token"] for column in sheet["columns"])
    ]


class TemplateForm(forms.Form):
    """Whose template: a school's, with its classes, or the county's, with a column for the school."""

    unit = UnitChoice(label="为哪个单位", queryset=Unit.objects.none(), required=False, empty_label=None)

    def __init__(self, *args: Any, units: QuerySet[Unit], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["unit"].queryset = units.exclude(level=Unit.Level.CLASS)


class TermForm(forms.Form):
    """First and last day of a term, and what says so."""

    starts_on = forms.DateField(label="开始日期", widget=DayInput, help_text="学生开学的第一天。")
    ends_on = forms.DateField(label="结束日期", widget=DayInput, help_text="放假前的最后一天；毕业生从这天起毕业。")
    document = forms.CharField(
        label="依据（校历或通知的名称和文号）",
        max_length=120,
        validators=[refuse_numbers],
        help_text="例如“云岭教体〔2026〕31号 2026—2027学年校历”。",
    )

    @staticmethod
    def usual_days(key: str) -> dict[str, Any]:
        """What most years have, as a proposal to correct."""
        first, second, half = key.split("-")
        if half == "1":
            return {"starts_on": dt.date(int(first), 9, 1), "ends_on": dt.date(int(second), 1, 20)}
        return {"starts_on": dt.date(int(second), 2, 20), "ends_on": dt.date(int(second), 7, 10)}


class SchoolForm(forms.Form):
    """A school as the county registers it."""

    name = forms.CharField(label="学校名称", max_length=80)
    code = forms.CharField(label="学校标识码", max_length=10, help_text="10 位数字，见学籍系统。")
    stages = forms.MultipleChoiceField(label="学段", choices=Stage.choices, widget=forms.CheckboxSelectMultiple)
    ownership = forms.ChoiceField(
        label="办学性质",
        choices=School.Ownership.choices,
        initial=School.Ownership.PUBLIC,
        widget=forms.RadioSelect,
        help_text="有的资助标准按办学性质区分。",
    )
    finance = forms.ChoiceField(
        label="财政供给",
        choices=School.Finance.choices,
        initial=School.Finance.COUNTY,
        widget=forms.RadioSelect,
        help_text="公办学校的经费由哪一级财政供给；有的资金分担比例按它区分。民办学校不用改。",
    )
    notice_phone = forms.CharField(
        label="监督电话", max_length=20, required=False, help_text="印在公示上，例如 0870-2123456。"
    )
    notice_contact = forms.CharField(label="意见受理人", max_length=40, required=False)
    notice_place = forms.CharField(label="公示张贴地点", max_length=80, required=False)

    @staticmethod
    def initial_of(school: School) -> dict[str, Any]:
        shown = ("code", "stages", "ownership", "finance", "notice_phone", "notice_contact", "notice_place")
        return {"name": school.unit.name, **{field: getattr(school, field) for field in shown}}

    def facts(self) -> SchoolFacts:
        return SchoolFacts(**self.cleaned_data)
