"""What people type about accounts, cleaned into domain values; and how every form of the house is drawn."""

import datetime as dt
from typing import Self

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.validators import RegexValidator
from django.db.models import QuerySet
from django.forms.renderers import TemplatesSetting

from . import clock, scopes, words
from .models import Unit, User
from .roles import ROLES, Permission

# One sentence for an unknown account, a wrong password and a disabled account: it must not tell which.
_REFUSED = "账号或密码不对，请核对后重新输入（区分大小写）。连续输错 5 次会暂停登录 15 分钟。"


class FieldRenderer(TemplatesSetting):
    """Draws forms with the project's own templates (templates/django/forms/), Django's for the rest."""


class DayInput(forms.DateInput):
    """The browser's own calendar; typed and sent as 2026-03-05."""

    input_type = "date"

    def __init__(self, attrs: dict | None = None) -> None:
        super().__init__(attrs, format="%Y-%m-%d")


class SeenForm(forms.Form):
    """A form beside something that was shown: `seen` says what the person was looking at when they pressed."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput, max_length=64)

    def looking_at(self, digest: str) -> Self:
        """The same form, shown again beside what is there now."""
        data = self.data.copy()
        data["seen"] = digest
        self.data = data
        return self


def a_day_of_work(day: dt.date) -> None:
    """Refuse years that are slips of the pen: the calendar itself ends at 9999, and reckoning beyond it fails."""
    if not 1900 <= day.year <= 2999:
        raise forms.ValidationError("请核对年份。")


class SignInForm(AuthenticationForm):
    error_messages = {"invalid_login": _REFUSED, "inactive": _REFUSED}

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "账号"
        self.fields["username"].widget.attrs.update(autocomplete="username", autocapitalize="none", spellcheck="false")


class OwnPasswordForm(PasswordChangeForm):
    """Old and new; the rules for passwords are the settings' validators."""

    error_messages = PasswordChangeForm.error_messages | {"password_incorrect": "现在的密码不对，请重新输入。"}
    holds_passwords = True  # never sent back: the summary of errors says so

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].label = "现在的密码"
        self.fields["new_password1"].label = "新密码"
        self.fields["new_password1"].help_text = "至少 10 位，不能全是数字，不能与账号或姓名相近，也不能是常见密码。"
        self.fields["new_password2"].label = "再输入一次新密码"
        self.fields["new_password2"].help_text = ""

    def clean_new_password1(self) -> str:
        password = self.cleaned_data["new_password1"]
        if password == self.data.get("old_password"):
            raise forms.ValidationError("新密码与现在的密码相同，请换一个。")
        return password


class AccountForm(forms.Form):
    """A new account. The first password is made by the system, never typed."""

    name = forms.CharField(label="姓名", max_length=40, help_text="本人真实姓名，会出现在经办记录和打印的表册上。")
    username = forms.CharField(
        label="账号",
        max_length=40,
        help_text="登录用，3 到 40 位小写字母、数字、点、短横或下划线，如 wang.fang；不要用身份证号或手机号。",
        validators=[
            RegexValidator(r"\A[a-z0-9._-]{3,40}\Z", "账号只能用 3 到 40 位小写字母、数字、点、短横或下划线。"),
            RegexValidator(r"\A\d{11,}", "账号不能是身份证号或手机号，请改用字母。", inverse_match=True),
        ],
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
    )

    def clean_username(self) -> str:
        username = self.cleaned_data["username"]
        if User.objects.filter(username=username).exists():
            raise forms.ValidationError("这个账号已经有人使用，请换一个。")
        return username


class UnitChoice(forms.ModelChoiceField):
    """Units by their place: a class is named with its school."""

    def label_from_instance(self, unit: Unit) -> str:
        return f"{unit.parent.name} · {unit.name}" if unit.level == Unit.Level.CLASS else unit.name


class AppointmentForm(forms.Form):
    """A role, already chosen, over a unit of that role's level, from a day on."""

    unit = UnitChoice(queryset=Unit.objects.none(), label="单位", empty_label="请选择")
    starts_on = forms.DateField(label="开始日期", widget=DayInput, help_text="从这一天起有权限；不能早于今天。")
    take_over = forms.BooleanField(
        label="接替现任：该单位现在担任这个角色的人，任职到开始日期的前一天为止",
        required=False,
        help_text="不勾选则与现任同时任职，例如代理期间。",
    )

    def __init__(self, *args: object, role: str, manager: User, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["unit"].queryset = _units_of(role, manager)
        self.fields["unit"].label = Unit.Level(ROLES[role].level.value).label
        self.fields["starts_on"].initial = clock.today()


class PersonField(forms.CharField):
    """A person named by account or, where nobody else has it, by name; cleaned into the `User`."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, max_length=40, **kwargs)
        self.people: QuerySet[User] = User.objects.none()
        self.widget.attrs.update(autocomplete="off", spellcheck="false")

    def clean(self, value: object) -> User:
        typed = super().clean(value).strip()
        found = list(self.people.filter(username=typed)[:1]) or list(self.people.filter(name=typed)[:5])
        if not found:
            raise forms.ValidationError("没有这位人员。请核对账号或姓名；还没有账号的，先在“开通账号”页开通。")
        if len(found) > 1:
            accounts = "、".join(each.username for each in found)
            raise forms.ValidationError(f"有几位人员叫这个名字，请改填账号：{accounts}。")
        return found[0]


class DeputyForm(forms.Form):
    """Who acts for the holder of a post, from when to when, and why."""

    deputy = PersonField(label="代理人", help_text="填账号或姓名。")
    starts_on = forms.DateField(
        label="代理开始", widget=DayInput, validators=[a_day_of_work], help_text="不能早于今天。"
    )
    ends_on = forms.DateField(
        label="代理的最后一天",
        widget=DayInput,
        validators=[a_day_of_work],
        help_text="当天仍可代理，次日自动失效；提前结束，到代理人的页面“结束任职”。",
    )
    reason = forms.CharField(label="代理原因", max_length=80, help_text="例如：产假、外出培训、病假。会记入操作记录。")

    def __init__(self, *args: object, people: QuerySet[User], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        deputy = self.fields["deputy"]
        assert isinstance(deputy, PersonField)
        deputy.people = people
        self.fields["starts_on"].initial = clock.today()


class EmailForm(forms.Form):
    """Where one's own reminders go; empty for none."""

    email = forms.EmailField(
        label="提醒邮箱",
        required=False,
        max_length=120,
        help_text="填单位工作邮箱。不想收邮件就清空。",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class EndForm(forms.Form):
    on = forms.DateField(
        label="最后一天",
        widget=DayInput,
        validators=[a_day_of_work],
        help_text="当天仍有权限，次日起失效。要马上收回权限，请选昨天（不能再早），或直接停用账号。",
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].initial = clock.today()


class PeopleFilter(forms.Form):
    q = forms.CharField(label="姓名、账号或单位", required=False, widget=forms.TextInput(attrs={"type": "search"}))
    role = forms.ChoiceField(
        label="角色", required=False, choices=[("", "全部角色"), *((r.code, r.label) for r in ROLES.values())]
    )
    state = forms.ChoiceField(
        label="状态",
        required=False,
        choices=[("", "全部"), ("active", "启用"), ("disabled", "已停用"), ("idle", "没有任职")],
    )


class AuditFilter(forms.Form):
    action = forms.ChoiceField(label="操作", required=False)
    person = forms.CharField(label="姓名或账号", required=False, widget=forms.TextInput(attrs={"type": "search"}))
    since = forms.DateField(label="从", required=False, widget=DayInput, validators=[a_day_of_work])
    until = forms.DateField(label="到", required=False, widget=DayInput, validators=[a_day_of_work])

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        known = sorted(words.ACTIONS.items(), key=lambda entry: entry[1])
        self.fields["action"].choices = [("", "全部操作"), *known]

    def clean(self) -> dict:
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if isinstance(since, dt.date) and isinstance(until, dt.date) and since > until:
            raise forms.ValidationError("起始日期晚于截止日期，请调换。")
        return self.cleaned_data


def _units_of(role: str, manager: User) -> QuerySet[Unit]:
    units = scopes.within(Unit.objects.all(), manager, Permission.MANAGE_ACCOUNTS, unit="")
    return units.filter(level=ROLES[role].level.value, is_active=True).select_related("parent")
