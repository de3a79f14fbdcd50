"""What people type about pupils, cleaned into domain values."""

from typing import Any

from django import forms
from django.conf import settings
from django.db.models import Q

from accounts import clock, scopes
from accounts.forms import DayInput
from accounts.models import Unit, User
from accounts.roles import Permission
from documents.forms import UploadField
from documents.models import Upload

from . import privacy, terms
from .models import BankAccount, Boarding, Category, Circumstance, Enrolment, School, Stage, Term
from .rosters import MAX_ROWS
from .schools import SchoolFacts


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
            classes = classes.filter(parent__in=[unit for unit in schools if str(unit.pk) == chosen])
        else:
            del self.fields["school"]
        self.fields["school_class"].queryset = classes


class PupilSearch(forms.Form):
    q = forms.CharField(
        label="查找学生",
        max_length=60,
        required=False,
        widget=forms.TextInput(
            attrs={
                "type": "search",
                "size": 36,
                "autocomplete": "off",
                "placeholder": "姓名、完整证件号或学籍号、号码末四位",
            }
        ),
    )


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


class BoardingForm(forms.Form):
    boarding = forms.ChoiceField(label="就读方式", choices=Boarding.choices, widget=forms.RadioSelect)

    def __init__(self, *args: Any, enrolment: Enrolment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["boarding"].initial = enrolment.boarding


class RosterForm(forms.Form):
    school = forms.ModelChoiceField(label="学校", queryset=Unit.objects.none(), empty_label="请选择")
    term = forms.ModelChoiceField(label="学期", queryset=Term.objects.all(), empty_label=None)
    file = UploadField(
        kind=Upload.Kind.ROSTER,
        label="名册文件",
        help_text=f"Excel 工作簿（.xlsx），不超过 {settings.UPLOAD_MAX_BYTES // 1024 // 1024} MB，"
        f"每张表不超过 {MAX_ROWS} 行；列的顺序不限，可直接用学籍系统导出的表。",
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        schools = Unit.objects.filter(level=Unit.Level.SCHOOL, is_active=True)
        schools = scopes.within(schools, user, Permission.IMPORT_ROSTER, unit="")
        self.fields["school"].queryset = schools
        self.fields["term"].initial = terms.current()
        if len(schools) == 1:
            self.fields["school"].initial = schools[0]
            self.fields["school"].empty_label = None


class SchoolForm(forms.Form):
    """A school as the county registers it."""

    name = forms.CharField(label="学校名称", max_length=80)
    code = forms.CharField(label="学校标识码", max_length=10, help_text="10 位数字，见学籍系统。")
    stages = forms.MultipleChoiceField(label="学段", choices=Stage.choices, widget=forms.CheckboxSelectMultiple)
    notice_phone = forms.CharField(
        label="监督电话", max_length=20, required=False, help_text="印在公示上，例如 0870-2123456。"
    )
    notice_contact = forms.CharField(label="意见受理人", max_length=40, required=False)
    notice_place = forms.CharField(label="公示张贴地点", max_length=80, required=False)

    @staticmethod
    def initial_of(school: School) -> dict[str, Any]:
        shown = ("code", "stages", "notice_phone", "notice_contact", "notice_place")
        return {"name": school.unit.name, **{field: getattr(school, field) for field in shown}}

    def facts(self) -> SchoolFacts:
        return SchoolFacts(**self.cleaned_data)
