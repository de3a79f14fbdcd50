"""What people type about notices and objections."""

from django import forms

from accounts import clock
from accounts.forms import DayInput, SeenForm
from accounts.redaction import refuse_numbers
from documents.forms import UploadField
from documents.models import Upload

from .models import Notice
from .notices import Draft


def _long(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


class NoticeFilter(forms.Form):
    q = forms.CharField(label="标题或学校", required=False, widget=forms.TextInput(attrs={"type": "search"}))
    state = forms.ChoiceField(label="状态", required=False, choices=[("", "全部"), *Notice.State.choices])


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
