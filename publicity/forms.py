"""What people type about notices, objections and the working calendar."""

import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Self

from django import forms
from django.core.exceptions import ValidationError

from accounts import clock
from accounts.forms import DayInput
from accounts.redaction import refuse_numbers
from documents.forms import UploadField
from documents.models import Upload

from . import calendar_text
from .models import Notice
from .notices import Draft

_FIRST_YEAR = 2020


def _long(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


class NoticeFilter(forms.Form):
    q = forms.CharField(label="标题或学校", required=False, widget=forms.TextInput(attrs={"type": "search"}))
    state = forms.ChoiceField(label="状态", required=False, choices=[("", "全部"), *Notice.State.choices])


class SeenForm(forms.Form):
    """A form beside something that was shown: `seen` says what the person was looking at when they pressed."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput, max_length=64)

    def looking_at(self, digest: str) -> Self:
        """The same form, shown again beside what is there now."""
        data = self.data.copy()
        data["seen"] = digest
        self.data = data
        return self


class NoticeForm(SeenForm):
    """The text of a notice. What it must not say is asked by the verb, which knows the list."""

    title = forms.CharField(label="标题", max_length=120, widget=_long(3))
    body = forms.CharField(
        label="正文",
        max_length=2000,
        widget=_long(6),
        help_text="不能出现证件号、电话、住址、出生日期、账号，也不能写困难类别或家庭情况。公示期和名单由系统自动写入。",
    )
    phone = forms.CharField(label="监督电话", max_length=40, help_text="对外公布的电话，例如 0870-2123456。")
    contact = forms.CharField(label="意见受理人", max_length=40, help_text="部门或经办人，例如“学校资助办”。")
    place = forms.CharField(label="张贴地点", max_length=80, help_text="校内显著位置，例如“校门口公示栏”。")

    def clean_title(self) -> str:
        # Long titles wrap while they are typed; where a line breaks on paper is decided there.
        return " ".join(self.cleaned_data["title"].split())

    def draft(self) -> Draft:
        return Draft(**{name: text for name, text in self.cleaned_data.items() if name != "seen"})


class PhotoForm(forms.Form):
    file = UploadField(kind=Upload.Kind.NOTICE_PHOTO, label="公示照片")


class ObjectionForm(forms.Form):
    received_on = forms.DateField(label="收到日期", widget=DayInput)
    channel = forms.ChoiceField(
        label="反映方式",
        choices=[(way, way) for way in ("来电", "来访", "来信", "电子邮件或网络", "其他")],
        widget=forms.RadioSelect,
    )
    content = forms.CharField(
        validators=[refuse_numbers],
        label="反映的问题",
        max_length=1000,
        widget=_long(5),
        help_text="如实记下反映的问题。可以不写反映人的姓名；写了也只有学校和县资助中心能看到，不会公开。",
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["received_on"].initial = clock.today()


class SettleForm(forms.Form):
    result = forms.ChoiceField(
        label="核查结论",
        choices=[
            ("dismissed", "异议不成立：恢复该生的公示，或公示期满后直接通过"),
            ("upheld", "异议成立：该生本次不予资助"),
        ],
        widget=forms.RadioSelect,
    )
    finding = forms.CharField(
        validators=[refuse_numbers],
        label="核查情况",
        max_length=1000,
        widget=_long(5),
        help_text="谁、用什么方式核查的，查到了什么，依据哪条规定作出结论。会写入该生的办理过程和档案。",
    )


class CalendarForm(SeenForm):
    """A year's holidays as announced. Read on cleaning into `rest` and `work`, each day with its name."""

    year = forms.IntegerField(label="年份")
    document = forms.CharField(
        label="依据（通知名称和文号）", max_length=120, help_text="例如“国务院办公厅关于2027年部分节假日安排的通知”。"
    )
    rest = forms.CharField(
        label="放假的日子",
        widget=_long(9),
        help_text="一行一个节日：日期或起止日期，加节日名称。可以写“1月1日至3日 元旦”“2027-10-01-2027-10-07 国庆节”，"
        "也可以直接粘贴通知原文中的放假一句。写了星期的，系统会核对。",
    )
    work = forms.CharField(
        label="调休上班的日子",
        required=False,
        widget=_long(5),
        help_text="一行一个或几个，例如“2月14日（周六）、2月28日（周六）”。没有调休的年份留空。",
    )

    def clean_year(self) -> int:
        year, latest = self.cleaned_data["year"], clock.today().year + 1
        if not _FIRST_YEAR <= year <= latest:
            raise ValidationError(f"年份应在 {_FIRST_YEAR} 到 {latest} 之间；更远的年份，国务院还没有公布安排。")
        return year

    def clean(self) -> dict:
        if "year" in self.cleaned_data:
            self._read("rest", calendar_text.read_rest)
            self._read("work", calendar_text.read_work)
        return self.cleaned_data

    def days(self) -> dict[str, dict[dt.date, str]]:
        return {name: self.cleaned_data[name] for name in ("rest", "work")}

    def digest(self) -> str:
        """Of what was understood: so that what is recorded is what the preview showed."""
        told = [self.cleaned_data["year"], *(sorted(days.items()) for days in self.days().values())]
        return hashlib.sha256(repr(told).encode()).hexdigest()

    def _read(self, name: str, reader: Callable[..., dict[dt.date, str]]) -> None:
        if name not in self.cleaned_data:
            return
        try:
            self.cleaned_data[name] = reader(self.cleaned_data[name], year=self.cleaned_data["year"])
        except ValidationError as problem:
            self.add_error(name, problem)
