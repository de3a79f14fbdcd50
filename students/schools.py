"""Registering schools: a unit of the county with what the register and the public must know of it."""

import re
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts import access, audit
from accounts.models import Unit, User
from accounts.roles import Permission

from .models import School, SchoolClass, Stage

_CODE = re.compile(r"[0-9]{10}")


@dataclass(frozen=True)
class SchoolFacts:
    """What is recorded of a school; `code` is the ten-digit 学校标识码."""

    name: str
    code: str
    stages: list[str]
    ownership: str = School.Ownership.PUBLIC
    finance: str = School.Finance.COUNTY
    notice_phone: str = ""
    notice_contact: str = ""
    notice_place: str = ""


def add(county: Unit, facts: SchoolFacts, *, by: User) -> School:
    """Register a school. Raises ValidationError for a code that is malformed or taken, or a name taken."""
    access.require(by, Permission.EDIT_SCHOOLS, county)
    check(facts)
    try:
        with transaction.atomic():
            unit = Unit.objects.create(level=Unit.Level.SCHOOL, name=facts.name, parent=county)
            school = School.objects.create(unit=unit, **_fields(facts))
            audit.record("school.add", school, by=by, unit=unit, code=facts.code, stages=facts.stages)
    except IntegrityError:
        raise ValidationError("已有同名或同一标识码的学校，请核对后再登记。") from None
    return school


def change(school: School, facts: SchoolFacts, *, by: User) -> None:
    """Correct what is recorded. A stage that still has classes cannot be taken away."""
    access.require(by, Permission.EDIT_SCHOOLS, school.unit)
    check(facts)
    taught = SchoolClass.objects.filter(unit__parent=school.unit, unit__is_active=True)
    left = set(taught.exclude(stage__in=facts.stages).values_list("stage", flat=True))
    if left:
        names = "、".join(Stage(stage).label for stage in sorted(left))
        raise ValidationError({"stages": f"学校还有{names}的班级，不能去掉这个学段。"})
    try:
        with transaction.atomic():
            Unit.objects.filter(pk=school.unit_id).update(name=facts.name)
            School.objects.filter(pk=school.pk).update(**_fields(facts))
            audit.record(
                "school.change",
                school,
                by=by,
                unit=school.unit,
                code=facts.code,
                stages=facts.stages,
                was=_words(school),
                ownership=School.Ownership(facts.ownership).label,
                finance=School.Finance(facts.finance).label,
            )
    except IntegrityError:
        raise ValidationError("已有同名或同一标识码的学校，请核对后再保存。") from None


def _words(school: School) -> str:
    stages = "、".join(Stage(stage).label for stage in school.stages)
    kind = f"{school.get_ownership_display()}，{school.get_finance_display()}"
    return f"{school.unit.name}（{school.code}），{stages}，{kind}"


def _fields(facts: SchoolFacts) -> dict[str, object]:
    return {name: value for name, value in facts.__dict__.items() if name != "name"}


def check(facts: SchoolFacts) -> None:
    """Raises ValidationError for what cannot be recorded of any school."""
    if not _CODE.fullmatch(facts.code):
        raise ValidationError({"code": "学校标识码是 10 位数字，请核对。"})
    if facts.ownership not in School.Ownership.values:
        raise ValidationError({"ownership": "请选择公办、普惠性民办或民办。"})
    if facts.finance not in School.Finance.values:
        raise ValidationError({"finance": "请选择由哪一级财政供给。"})
    if not facts.stages:
        raise ValidationError({"stages": "请至少选择一个学段。"})
