"""What is recorded of a class beside its pupils: the grade (and so the stage), and the kind of major."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Q, QuerySet

from accounts import access, audit
from accounts.models import Unit, User
from accounts.roles import Permission

from . import rollovers, terms
from .grades import NEXT, Grade, promoted_name
from .models import OPEN_STANDINGS, Enrolment, Major, SchoolClass, Stage


@dataclass(frozen=True)
class ClassFacts:
    """`grade` and `stage` belong together (六年级 is primary or junior school); `major` is of vocational classes."""

    grade: str
    stage: str
    major: str = ""


def facts_of(school_class: SchoolClass) -> ClassFacts:
    """As recorded now."""
    return ClassFacts(school_class.grade, school_class.stage, school_class.major)


def school_of(school_class: SchoolClass) -> Unit:
    """The school the class belongs to."""
    school = school_class.unit.parent
    assert school is not None  # a class lies in a school
    return school


def grades_for(school: Unit) -> list[Grade]:
    """The grades a class of the school may be in, in order."""
    return [grade for grade in NEXT if grade.stage in school.school.stages]


def of_school(school: Unit) -> QuerySet[SchoolClass]:
    """The school's active classes in order, with `pupils`: those on the roll of the present term."""
    here = Q(unit__enrolments__term=terms.current(), unit__enrolments__standing__in=OPEN_STANDINGS)
    rows = SchoolClass.objects.filter(unit__parent=school, unit__is_active=True).select_related("unit")
    return rows.annotate(pupils=Count("unit__enrolments", filter=here)).order_by("unit__path")


def check(school_class: SchoolClass, facts: ClassFacts, *, by: User) -> None:
    """Raises PermissionDenied for who may not, ValidationError for what cannot be."""
    unit, school = school_class.unit, school_of(school_class)
    access.require(by, Permission.RECORD_CHANGES, unit)
    if facts == facts_of(school_class):
        raise ValidationError("与现在登记的相同，没有变化。")
    grade = Grade(facts.grade, facts.stage)
    if _is_other_grade(school_class, facts):
        if grade not in grades_for(school):
            raise ValidationError({"grade": f"{school}没有这个学段的年级；学段不对的，先请县资助中心更正学校信息。"})
        _refuse_rolled_over(unit)
        name = _name(school_class, grade)
        if name != unit.name and Unit.objects.filter(parent=school, name=name).exists():
            raise ValidationError({"grade": f"{school}已经有{name}，不能再改成这个班名。请先核对那个班。"})
    if facts.major and (facts.major not in Major.values or facts.stage != Stage.VOCATIONAL):
        raise ValidationError({"major": "专业类别只用于中职班级。"})


def change(school_class: SchoolClass, facts: ClassFacts, *, by: User) -> None:
    """Correct what is recorded; the class's name follows its grade, and so do its pupils' places of this term.

    Raises as `check`.
    """
    with transaction.atomic():
        Unit.objects.select_for_update(no_key=True).get(pk=school_of(school_class).pk)
        held = SchoolClass.objects.select_for_update(of=("self",)).select_related("unit__parent__school")
        school_class = held.get(pk=school_class.pk)
        check(school_class, facts, by=by)
        before, unit = words(facts_of(school_class)), school_class.unit
        if _is_other_grade(school_class, facts):
            unit.name = _name(school_class, Grade(facts.grade, facts.stage))
            unit.save(update_fields=["name"])
            Enrolment.objects.filter(term=terms.current(), school_class=unit).update(
                class_name=unit.name, grade=facts.grade, stage=facts.stage
            )
        school_class.grade, school_class.stage, school_class.major = facts.grade, facts.stage, facts.major
        school_class.save(update_fields=["grade", "stage", "major"])
        audit.record("class.change", unit, by=by, unit=unit, **{"class": unit.name}, was=before, after=words(facts))


def words(facts: ClassFacts) -> str:
    """中职 中职一年级，涉农专业."""
    grade = f"{Stage(facts.stage).label} {facts.grade}"
    return f"{grade}，{Major(facts.major).label}" if facts.major else grade


def _is_other_grade(school_class: SchoolClass, facts: ClassFacts) -> bool:
    return (facts.grade, facts.stage) != (school_class.grade, school_class.stage)


def _name(school_class: SchoolClass, grade: Grade) -> str:
    return promoted_name(school_class.unit.name, Grade(school_class.grade, school_class.stage), grade)


def _refuse_rolled_over(unit: Unit) -> None:
    term = terms.current()
    if term is not None and unit.parent_id in rollovers.schools_ahead(term):
        raise ValidationError(
            {"grade": f"{unit.parent}已经结转到下学期，班级的年级已按新学期登记。要更正本学期的年级，请先撤销结转。"}
        )
