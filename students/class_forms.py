"""What people type about a class."""

from typing import Any

from django import forms

from .classes import ClassFacts, facts_of, grades_for, school_of
from .models import Major, SchoolClass, Stage


class ClassForm(forms.Form):
    """Grade and stage as one choice, and for vocational classes the kind of major."""

    major = forms.ChoiceField(
        label="专业类别",
        required=False,
        choices=[("", "没有登记"), *Major.choices],
        widget=forms.RadioSelect,
        help_text="有的资助标准按专业类别区分；按学校专业备案填写。",
    )

    def __init__(self, *args: Any, school_class: SchoolClass, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.school_class, now = school_class, facts_of(school_class)
        offered = [(f"{each.stage}:{each.name}", each) for each in grades_for(school_of(school_class))]
        choices = [(value, f"{Stage(each.stage).label} {each.name}") for value, each in offered]
        held = f"{now.stage}:{now.grade}"
        if held not in dict(choices):  # a grade of the school's own, or of a stage it no longer has
            choices.insert(0, (held, f"{Stage(now.stage).label} {now.grade}"))
        help_text = "改年级会连同班名一起更正，例如七年级1班改为八年级1班。"
        self.fields["grade"] = forms.ChoiceField(label="年级", choices=choices, initial=held, help_text=help_text)
        self.order_fields(["grade", "major"])
        self.fields["major"].initial = now.major
        if Stage.VOCATIONAL not in {value.split(":")[0] for value, _ in choices}:
            del self.fields["major"]

    def facts(self) -> ClassFacts:
        stage, grade = self.cleaned_data["grade"].split(":", 1)
        return ClassFacts(grade, stage, self.cleaned_data.get("major", ""))
