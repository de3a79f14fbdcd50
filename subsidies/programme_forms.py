"""What a county clerk types about a programme: what it is, whom it accepts, how its list is reviewed and shown."""

import re
from typing import Any

from django import forms

from accounts.redaction import refuse_numbers
from students.models import Boarding, Category, Stage, Term
from students.term_keys import term_label

from . import programme_records
from .meeting_forms import SeatFields
from .models import AcceptedCategory, ProcessRule, Programme
from .policy_words import unit_of_amount

_DOCUMENT_HELP = "写全，例如“×教助〔2027〕12号《关于调整资助范围的通知》”。"


class ProgrammeForm(forms.ModelForm):
    """What holds for the whole of a programme."""

    code = forms.CharField(
        label="代码",
        max_length=30,
        required=False,
        help_text="用在网址和操作记录里，登记后不能改：小写字母、数字和连字符。不填就按名称的拼音首字母生成。",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
    )
    stages = forms.MultipleChoiceField(
        label="学段", choices=Stage.choices, widget=forms.CheckboxSelectMultiple, help_text="面向哪些学段的学生。"
    )
    tiers = forms.CharField(
        label="困难等级",
        required=False,
        max_length=200,
        help_text="分档资助的，从重到轻写，用空格或顿号分开，例如“特别困难 困难 一般困难”；不分等级的不填。",
    )
    channels = forms.MultipleChoiceField(
        label="发放渠道",
        choices=Programme.Channel.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text="财政资金不得以现金、饭卡发放；减免费用只能由学校减免，供餐只能由食堂供餐。",
    )
    document = forms.CharField(
        label="这次修改的依据",
        max_length=120,
        validators=[refuse_numbers],
        help_text="文件名称和文号，或更正的原因，记入操作记录。",
    )

    # What the change began from, so that nobody's work is overwritten.
    began_from = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    class Meta:
        model = Programme
        fields = ("name", "code", *programme_records.FIELDS[1:])
        labels = {"name": "项目名称", "basis": "政策依据", "unit": "标准按什么计算", "form": "资助形式"}
        help_texts = {
            "name": "印在申请表、公示和发放花名册上，例如“义务教育家庭经济困难学生生活补助”。",
            "basis": "设立这个项目的文件，印在公示上。每条标准另写各自的文件。",
            "recipients": "选“全体学生”的，不看困难类别；按比例的，名额在“名额”页登记。",
            "unit": "标准里的金额是每学期、每学年、每月、每天还是一次性的。登记标准以后不能再改。",
            "pro_rata": "只用于按月或按天计算的：中途转来、休学的，按实际在校的月数或天数算。",
            "highest_wins": "文件规定“就高不就低”的勾选；不勾选时，同一名学生不能同时符合两条金额不同的标准。",
            "applied": "每学年申请的，春季学期复核名单。",
            "paid": "按月发放的，每月编制一次花名册。",
            "form": "发放资金、直接减免费用，还是供餐。",
            "funding": "中央、省、市、县的资金都是财政资金。",
        }
        widgets = {
            "recipients": forms.RadioSelect,
            "unit": forms.RadioSelect,
            "applied": forms.RadioSelect,
            "paid": forms.RadioSelect,
            "form": forms.RadioSelect,
            "funding": forms.RadioSelect,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = self.instance
        if held.pk:
            del self.fields["code"]
            self.initial |= {"tiers": "、".join(held.tiers), "began_from": programme_records.state_of(held)}
        else:
            del self.fields["document"], self.fields["began_from"]
        for name in ("recipients", "applied", "paid", "form", "funding"):
            self.fields[name].choices = Programme._meta.get_field(name).choices
        self.fields["unit"].choices = [(unit, unit_of_amount(unit)) for unit in Programme.Unit.values]
        for name in ("name", "basis"):
            self.fields[name].validators.append(refuse_numbers)

    def clean_name(self) -> str:
        return " ".join(self.cleaned_data["name"].split())

    def clean_tiers(self) -> list[str]:
        return [tier for tier in re.split(r"[\s,，、;；]+", self.cleaned_data["tiers"]) if tier]

    def _post_clean(self) -> None:
        """Put what was typed on the programme; what is wrong with it, the verb says (by field, in full sentences)."""
        for name in programme_records.FIELDS:
            if name in self.cleaned_data:
                setattr(self.instance, name, self.cleaned_data[name])
        if "code" in self.cleaned_data:
            self.instance.code = self.cleaned_data["code"]


class SwitchForm(forms.Form):
    """Why a programme is switched off or on."""

    reason = forms.CharField(
        label="原因和依据",
        max_length=200,
        validators=[refuse_numbers],
        help_text="例如“×教助〔2027〕12号，并入另一项目”，记入操作记录。",
    )
    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)


class GroundForm(forms.Form):
    """A category that opens the programme, from a term on."""

    category_code = forms.ChoiceField(label="困难类别", help_text="没有要选的类别？先在“困难类别”页登记。")
    boarding = forms.ChoiceField(
        label="就读方式",
        required=False,
        choices=[("", "不分"), *Boarding.choices],
        widget=forms.RadioSelect,
        help_text="只资助其中一种就读方式的学生时才选。",
    )
    first_term = forms.ChoiceField(label="执行学期", help_text="从哪个学期的补助开始。已提交的申请不受影响。")
    last_term = forms.ChoiceField(label="截止学期", required=False, help_text="一般不选，表示长期有效。")
    source = forms.CharField(
        label="文件名称和文号", max_length=120, validators=[refuse_numbers], help_text=_DOCUMENT_HELP
    )

    def __init__(self, *args: Any, programme: Programme, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.programme = programme
        rows = Category.objects.order_by("valid_from")
        newest = sorted({row.code: row for row in rows}.values(), key=lambda row: row.rank)
        self.fields["category_code"].choices = [("", "请选择"), *((row.code, row.name) for row in newest)]
        terms = list(Term.objects.order_by("-key").values_list("key", "name"))
        self.fields["first_term"].choices = [("", "请选择"), *terms]
        self.fields["last_term"].choices = [("", "长期有效"), *terms]

    def ground(self) -> AcceptedCategory:
        """The row as typed, not saved."""
        return AcceptedCategory(programme=self.programme, **self.cleaned_data)


_MARK_HELP = "投票填同意票最少占到会人数的百分之几，打分填最低分；不填或填 0 的，由会议决定。"


class ProcedureForm(forms.ModelForm):
    """How the programme's list is reviewed and shown, from a term on."""

    first_term = forms.ChoiceField(
        label="执行学期", help_text="从哪个学期的批次开始，到下一条规则为止。这个学期已经登记过的，按这次填写的更正。"
    )
    class_review_members = forms.IntegerField(
        label="班级评议小组最少人数",
        min_value=1,
        max_value=99,
        help_text="班主任、任课教师、学生代表等；少于这个人数的评议不能记录。",
    )
    school_review_members = forms.IntegerField(
        label="学校评审小组最少人数",
        min_value=1,
        max_value=99,
        help_text="校领导、职能部门、教师和家长代表等；少于这个人数的评审不能记录。",
    )
    class_pass_mark = forms.IntegerField(
        label="班级评议通过线", min_value=0, max_value=100, required=False, help_text=_MARK_HELP
    )
    school_pass_mark = forms.IntegerField(
        label="学校评审通过线", min_value=0, max_value=100, required=False, help_text=_MARK_HELP
    )
    attendance_percent = forms.IntegerField(
        label="最低到会率（%）", min_value=0, max_value=100, required=False, help_text="不填或填 0 的，不要求到会率。"
    )
    class_notice_days = forms.IntegerField(
        label="班级公示天数",
        min_value=0,
        max_value=60,
        required=False,
        help_text="要求两级公示的填写：班级评议通过后先在班内公示满这么多天，才送学校评审。填 0 或不填，不做班级公示。",
    )
    notice_days = forms.IntegerField(
        label="公示天数", min_value=1, max_value=60, help_text="公示满这么多天才能上报，从发布的第二天算起。"
    )
    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    class Meta:
        model = ProcessRule
        fields = (
            "class_review_members",
            "class_method",
            "class_pass_mark",
            "school_review_members",
            "school_method",
            "school_pass_mark",
            "attendance_percent",
            "class_notice_days",
            "notice_days",
            "notice_day_kind",
            "notice_shows_amount",
            "first_term",
            "source",
        )
        help_texts = {
            "notice_day_kind": "工作日按“工作日历”计算，自然日连同休息日。",
            "notice_shows_amount": "不勾选的，公示上只有姓名、年级和班级。",
            "source": _DOCUMENT_HELP,
        }
        widgets = {"notice_day_kind": forms.RadioSelect}

    def __init__(self, *args: Any, programme: Programme, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.programme = programme
        self.seats = SeatFields(self, programme)
        for name in ("class_method", "school_method"):
            self.fields[name].choices, self.fields[name].required = ProcessRule.Method.choices, False  # the usual
        self.fields["source"].validators.append(refuse_numbers)
        self.fields["notice_day_kind"].choices = ProcessRule.DayKind.choices
        terms = dict(Term.objects.order_by("-key").values_list("key", "name"))
        if self.initial.get("first_term"):
            terms.setdefault(self.initial["first_term"], term_label(self.initial["first_term"]))
        self.fields["first_term"].choices = [("", "请选择"), *terms.items()]

    def plain_fields(self) -> list[forms.BoundField]:
        """All but the table of who sits."""
        return [field for field in self.visible_fields() if field.name not in self.seats.names()]

    def clean_class_notice_days(self) -> int:
        return self.cleaned_data["class_notice_days"] or 0

    def clean_class_pass_mark(self) -> int:
        return self.cleaned_data["class_pass_mark"] or 0

    def clean_school_pass_mark(self) -> int:
        return self.cleaned_data["school_pass_mark"] or 0

    def clean_attendance_percent(self) -> int:
        return self.cleaned_data["attendance_percent"] or 0

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.instance.seats = self.seats.seats()
        return cleaned

    def rule(self) -> ProcessRule:
        """The row as typed, not saved."""
        return self.instance
