"""Forms of the re-check of recognitions, and of the ledger."""

from typing import Any

from django import forms

from accounts.redaction import refuse_numbers
from documents.forms import UploadField
from documents.models import Upload
from students import privacy

from .models import Recognition
from .recognition_rechecks import Recheck, ToRecheck

NO_TIER = "-"
_KINDS = [(kind.value, kind.label) for kind in Recognition.Kind if kind != Recognition.Kind.RECOGNISED]


class LedgerFilter(forms.Form):
    """Which of a school's ledger is shown."""

    year = forms.ChoiceField(label="学年", required=False)
    school_class = forms.ChoiceField(label="班级", required=False)
    tier = forms.ChoiceField(label="认定等级", required=False)
    state = forms.ChoiceField(
        label="现在", required=False, choices=[("", "全部"), ("standing", "有效"), ("ended", "已终止")]
    )

    def __init__(
        self,
        *args: Any,
        years: list[tuple[str, str]],
        classes: list[tuple[str, str]],
        tiers: list[str],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["year"].choices = years
        self.fields["school_class"].choices = [("", "全部班级"), *classes]
        self.fields["tier"].choices = [("", "全部等级"), *((each or NO_TIER, each or "未分等级") for each in tiers)]

    def value(self, name: str) -> Any:
        """What was chosen; nothing, where the choice is not one of those offered."""
        self.is_valid()
        return self.cleaned_data.get(name)


class RecheckForm(forms.Form):
    """What the re-check of one pupil found."""

    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=9999)
    kind = forms.ChoiceField(label="复核结论", choices=_KINDS, widget=forms.RadioSelect)
    tier = forms.ChoiceField(label="新的等级", required=False, help_text="只在调整等级时选择。")
    reason = forms.CharField(
        label="原因",
        max_length=300,
        required=False,
        validators=[refuse_numbers],
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="调整或终止的必须写明。",
    )
    evidence = forms.CharField(
        label="依据什么材料",
        max_length=120,
        required=False,
        validators=[refuse_numbers],
        help_text="例如“2027年3月家访记录”“民政部门2027年3月名单”。调整或终止的必须写明。",
    )
    evidence_file = UploadField(kind=Upload.Kind.EVIDENCE, label="材料扫描件", required=False)

    def __init__(self, *args: Any, tiers: list[str], may_keep: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tier"].choices = [("", "不调整"), *((tier, tier) for tier in tiers)]
        if not may_keep:
            self.fields["kind"].choices = [each for each in _KINDS if each[0] != Recognition.Kind.KEPT]

    def told(self) -> Recheck:
        return Recheck(**self.cleaned_data)


class KeptForm(forms.Form):
    """Pupils of a school's list whose recognition stays as it is."""

    place = forms.MultipleChoiceField(label="学生", error_messages={"required": "请至少选择一名学生。"})

    def __init__(self, *args: Any, rows: list[ToRecheck], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows = {f"{row.place.pk}:{row.recognition.version}": row for row in rows}
        field = self.fields["place"]
        field.choices = [(key, row.place.pupil.name) for key, row in self.rows.items()]
        field.error_messages["invalid_choice"] = "选中的学生里有刚刚复核过或已离校的，请刷新页面后重新选择。"

    def answers(self) -> list[tuple[Any, Recheck]]:
        chosen = [self.rows[key] for key in self.cleaned_data["place"]]
        return [(row.place, Recheck(Recognition.Kind.KEPT, seen=row.recognition.version)) for row in chosen]


class FullLedgerForm(forms.Form):
    """What whole numbers are needed for."""

    purpose = forms.ChoiceField(label="用途", choices=list(privacy.PURPOSES.items()), widget=forms.RadioSelect)
    note = forms.CharField(
        label="为什么事使用",
        max_length=200,
        validators=[refuse_numbers],
        help_text="写明是哪件事，例如“在全国资助系统录入认定结果”。不要写号码。",
    )
