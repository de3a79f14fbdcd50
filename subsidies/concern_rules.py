"""What the screening goes by, kept by the county: reasons, ages of the stages, programmes that exclude each other."""

import datetime as dt

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from students.term_keys import term_before, term_label

from .models import ConcernReason, Programme, ProgrammeExclusion, StageAges


def add_reason(reason: ConcernReason, *, county: Unit, by: User) -> ConcernReason:
    """A new way to settle a kind of concern, from a day on. Raises ValidationError when its words are in use."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    reason.recorded_by = by
    with transaction.atomic():
        same = ConcernReason.objects.select_for_update().filter(kind=reason.kind, valid_to__isnull=True)
        if any(row.label == reason.label for row in same):
            raise ValidationError({"label": f"“{reason.label}”已在使用，不用重复登记。"})
        reason.code = _free_code(reason)
        reason.full_clean()
        reason.save(force_insert=True)
        audit.record("concern_reason.add", reason, by=by, unit=county, kind=reason.kind, label=reason.label)
    return reason


def _free_code(reason: ConcernReason) -> str:
    """own-1, own-2 …: codes tell rows apart, people read labels."""
    own = ConcernReason.objects.filter(kind=reason.kind, code__startswith="own-").count()
    return f"own-{own + 1}"


def end_reason(reason: ConcernReason, *, on: dt.date, county: Unit, by: User) -> ConcernReason:
    """The reason may be chosen for the last time on this day; what was settled by it stays settled."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        held = ConcernReason.objects.select_for_update().get(pk=reason.pk)
        if held.valid_to is not None:
            raise ValidationError("这个处理结果已经停用。")
        if on < held.valid_from or on < clock.today():
            raise ValidationError({"on": "停用日期不能早于启用日期和今天。"})
        next_day = on + dt.timedelta(days=1)
        others = ConcernReason.objects.filter(
            Q(valid_to__isnull=True) | Q(valid_to__gte=next_day), kind=held.kind, valid_from__lte=next_day
        )
        if not others.exclude(pk=held.pk).exists():
            raise ValidationError("这是这类事项最后一个处理结果，停用后就无法办结。请先登记新的处理结果。")
        held.valid_to = on
        held.save(update_fields=["valid_to"])
        audit.record("concern_reason.end", held, by=by, unit=county, kind=held.kind, label=held.label, on=on)
    return held


def set_ages(ages: StageAges, *, county: Unit, by: User) -> StageAges:
    """Ages of a stage from a term on; the row before ends with the term before. A row of that very term is put right.

    Raises ValidationError when a row of the stage begins later, or the day is on no calendar.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    ages.recorded_by, ages.recorded_at = by, clock.now()
    ages.clean_fields()
    with transaction.atomic():
        same = StageAges.objects.select_for_update().filter(stage=ages.stage)
        later = same.filter(first_term__gt=ages.first_term).order_by("first_term").first()
        if later:
            begins = term_label(later.first_term)
            raise ValidationError({"first_term": f"这个学段自{begins}起已有年龄范围，执行学期不能早于它。"})
        if ages.max_age < ages.min_age:
            raise ValidationError({"max_age": "最大年龄不能小于最小年龄。"})
        try:
            dt.date(2024, ages.on_month, ages.on_day)
        except ValueError:
            raise ValidationError({"on_day": f"{ages.on_month} 月没有 {ages.on_day} 日。"}) from None
        running = same.in_force_from(ages.first_term).filter(first_term__lt=ages.first_term)
        running.update(last_term=term_before(ages.first_term))
        present = same.filter(first_term=ages.first_term).first()
        action, was = ("stage_ages.correct", str(present)) if present else ("stage_ages.add", "")
        if present:
            ages.pk, ages._state.adding = present.pk, False
        ages.full_clean()
        ages.save()
        audit.record(
            action, ages, by=by, unit=county, stage=ages.stage, first_term=ages.first_term, ages=str(ages), was=was
        )
    return ages


def add_exclusion(
    programme: Programme, other: Programme, *, first_term: str, source: str, county: Unit, by: User
) -> ProgrammeExclusion:
    """From the term on, no child may have both. Raises ValidationError for a pair that stands already."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    if programme.pk == other.pk:
        raise ValidationError({"other": "请选择另一个项目；同一项目每学期本来就只能享受一次。"})
    first, second = sorted((programme, other), key=lambda row: row.pk)
    with transaction.atomic():
        list(Programme.objects.select_for_update().filter(pk__in=[first.pk, second.pk]).order_by("pk"))
        same = ProgrammeExclusion.objects.filter(programme=first, other=second)
        if same.in_force_from(first_term).exists():
            raise ValidationError("这两个项目在这个学期已经登记为不能兼得。")
        pair = ProgrammeExclusion(programme=first, other=second, first_term=first_term, source=source, recorded_by=by)
        pair.full_clean()
        pair.save(force_insert=True)
        audit.record(
            "exclusion.add", pair, by=by, unit=county, programmes=[first.code, second.code], first_term=first_term
        )
    return pair


def end_exclusion(
    pair: ProgrammeExclusion, *, last_term: str, document: str, county: Unit, by: User
) -> ProgrammeExclusion:
    """From the term after `last_term` on, a child may have both."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        held = ProgrammeExclusion.objects.end(pair, last_term, document=document)
        audit.record("exclusion.end", held, by=by, unit=county, last_term=last_term, basis=document.strip())
    return held
