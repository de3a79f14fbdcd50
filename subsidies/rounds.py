"""Opening rounds."""

import datetime as dt

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from accounts import access, audit, clock, scopes
from accounts.models import Unit, User
from accounts.roles import Permission
from students.models import Term

from . import programmes
from .models import Programme, Round


def open_round(
    *, programme: Programme, term: Term, unit: Unit, opens_on: dt.date, closes_on: dt.date, by: User
) -> Round:
    """Open a programme for a term over a county or a school; teachers file from `opens_on` to `closes_on`.

    Raises ValidationError when the same programme and term is already open over this unit, above or below
    it, when the programme is switched off, when no standard or no procedure covers the term, or when the days
    are the wrong way round.
    """
    access.require(by, Permission.OPEN_ROUND, unit)
    if unit.level == Unit.Level.CLASS:
        raise ValidationError({"unit": "批次按县或学校开启，不能只对一个班开启。"})
    if unit.level == Unit.Level.SCHOOL and not set(unit.school.stages) & set(programme.stages):
        raise ValidationError({"programme": f"{unit}没有“{programme}”面向的学段，请核对项目。"})
    if not programme.is_active:
        raise ValidationError(f"“{programme}”已停用，不能开启批次；请先在“项目与标准”中启用。")
    if closes_on < opens_on:
        raise ValidationError({"closes_on": "截止日期不能早于开始日期。"})
    if closes_on < clock.today():
        raise ValidationError({"closes_on": "截止日期已过，请填写今天或以后的日期。"})
    programmes.process_rule(programme, term)
    if not _has_standard(programme, term):
        raise ValidationError(f"“{programme}”在{term}没有可用的标准，请先在“项目与标准”中维护。")
    try:
        with transaction.atomic():
            Programme.objects.select_for_update().get(pk=programme.pk)  # county and school may open at one moment
            _refuse_second(programme, term, unit)
            opened = Round.objects.create(
                programme=programme,
                term=term,
                unit=unit,
                opens_on=opens_on,
                closes_on=closes_on,
                opened_at=clock.now(),
                opened_by=by,
            )
            audit.record("round.open", opened, by=by, unit=unit, opens_on=opens_on, closes_on=closes_on)
    except IntegrityError:
        raise ValidationError(f"“{programme}”{term}的批次刚刚已被开启，请刷新页面。") from None
    return opened


def change_window(round_: Round, *, opens_on: dt.date, closes_on: dt.date, by: User) -> None:
    """Move the days in which teachers may file. Applications already filed are not touched."""
    access.require(by, Permission.OPEN_ROUND, round_.unit)
    if closes_on < opens_on:
        raise ValidationError({"closes_on": "截止日期不能早于开始日期。"})
    with transaction.atomic():
        held = Round.objects.select_for_update().get(pk=round_.pk)
        before = (held.opens_on, held.closes_on)
        held.opens_on, held.closes_on = opens_on, closes_on
        held.save(update_fields=["opens_on", "closes_on"])
        audit.record("round.change_window", held, by=by, unit=held.unit, before=before, after=(opens_on, closes_on))


def withdraw(round_: Round, *, by: User) -> None:
    """Take back a round that was opened by mistake, as long as nobody has filed in it."""
    access.require(by, Permission.OPEN_ROUND, round_.unit)
    with transaction.atomic():
        held = Round.objects.select_for_update().get(pk=round_.pk)
        if held.applications.exists():
            raise ValidationError("这个批次里已有申请（包括草稿和已终止的），不能再撤销；可以更改填报时间。")
        audit.record("round.withdraw", held, by=by, unit=held.unit, programme=str(held.programme), term=held.term.key)
        held.delete()


def visible_to(user: User, *permissions: Permission) -> QuerySet[Round]:
    """Rounds that touch the person's units: opened over them, above them or below them."""
    condition = Q(pk__in=[])
    for path in scopes.reach(user, *permissions):
        condition |= Q(unit__path__startswith=path) | Q(unit__in=_keys(path))
    return Round.objects.filter(condition).select_related("programme", "term", "unit")


def _keys(path: str) -> list[int]:
    return [int(key) for key in path.rstrip("/").split("/")]


def _has_standard(programme: Programme, term: Term) -> bool:
    return any(
        rule.first_term <= term.key and (not rule.last_term or term.key <= rule.last_term)
        for rule in programmes.rules_of(programme).standards
    )


def _refuse_second(programme: Programme, term: Term, unit: Unit) -> None:
    rows = Round.objects.filter(programme=programme, term=term).select_related("unit")
    for other in rows:
        if other.unit.contains(unit) or unit.contains(other.unit):
            raise ValidationError(f"“{programme}”{term}已在{other.unit}开启，不用重复开启。")
