"""What a county clerk types about kinds of hardship: a new one, and the end of one."""

from typing import Any

from django import forms

from accounts import clock
from accounts.forms import DayInput, a_day_of_work
from accounts.redaction import refuse_numbers

from .models import Category


class CategoryForm(forms.Form):
    """A new kind of hardship, or an old one under a new name."""

    name = forms.CharField(label="名称", max_length=60, help_text="按文件的写法，名册和比对名单上也用这个名称。")
    valid_from = forms.DateField(
        label="从哪天起", widget=DayInput, validators=[a_day_of_work], help_text="这一天以前不能登记这个类别。"
    )
    after = forms.ModelChoiceField(
        Category.objects.none(),
        label="排在哪一类后面",
        required=False,
        empty_label="排在最前面",
        help_text="一名学生只按一类统计时，算排在前面的那一类。",
    )
    needs_evidence = forms.BooleanField(
        label="学校自采集的须附证明", required=False, initial=True, help_text="部门名单上有的，以名单为证，不用再附。"
    )
    proof = forms.CharField(
        label="要什么证明",
        max_length=80,
        required=False,
        validators=[refuse_numbers],
        help_text="班主任按这句话向家长要证明，例如“农村低保证的户主页和家庭成员页”。不用证明的不填。",
    )
    source = forms.CharField(
        label="文件名称和文号",
        max_length=120,
        validators=[refuse_numbers],
        help_text="规定这个困难类别的文件。",
    )
    replaces = forms.ModelChoiceField(
        Category.objects.none(),
        label="接替哪一类",
        required=False,
        empty_label="不接替别的类别",
        help_text="原来的类别到前一天为止，登记了原来类别的学生自动算作这一类，不用重新登记。",
    )
    is_renamed = forms.BooleanField(
        label="是同一类，只是改了名称",
        required=False,
        help_text="各项目的资助范围和标准照旧。不勾选的，是新的类别，要在各项目的资助范围里登记。",
    )
    code = forms.CharField(
        label="代码",
        max_length=30,
        required=False,
        help_text="系统内部使用，登记后不能改。不填就按名称的拼音首字母生成。",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        open_ones = Category.objects.filter(valid_to__isnull=True)
        self.fields["after"].queryset = open_ones
        self.fields["replaces"].queryset = open_ones
        self.fields["after"].initial = open_ones.last()

    def category(self) -> Category:
        """The row as typed, not saved."""
        return Category(
            **{
                name: self.cleaned_data[name]
                for name in ("name", "valid_from", "needs_evidence", "proof", "source", "code")
            }
        )


class CategoryEndForm(forms.Form):
    """The last day of a kind, and what takes its place."""

    on = forms.DateField(
        label="最后一天", widget=DayInput, validators=[a_day_of_work], help_text="从第二天起，不能再登记这个类别。"
    )
    maps_to = forms.ModelChoiceField(
        Category.objects.none(),
        label="现对应",
        required=False,
        empty_label="没有接替的类别",
        help_text="选了的，登记了原来类别的学生从第二天起算作这一类；没有选的，不再属于困难学生。",
    )
    document = forms.CharField(
        label="文件名称和文号",
        max_length=120,
        validators=[refuse_numbers],
        help_text="取消或合并这个类别的文件。",
    )

    def __init__(self, *args: Any, category: Category, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].initial = clock.today()
        self.fields["maps_to"].queryset = Category.objects.filter(valid_to__isnull=True).exclude(pk=category.pk)
