"""What the county types to record a year's holidays."""

import datetime as dt
import hashlib
from collections.abc import Callable

from django import forms
from django.core.exceptions import ValidationError

from accounts import clock
from accounts.forms import SeenForm
from accounts.redaction import refuse_numbers

from . import calendar_text

_FIRST_YEAR = 2020


def _long(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


class CalendarForm(SeenForm):
    """A year's holidays as announced. Read on cleaning into `rest` and `work`, each day with its name."""

    year = forms.IntegerField(label="年份")
    document = forms.CharField(
        label="依据（通知名称和文号）",
        max_length=120,
        validators=[refuse_numbers],
        help_text="例如“国务院办公厅关于2027年部分节假日安排的通知”。",
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
