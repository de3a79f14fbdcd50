"""学期: which one is running, which comes before and after; the county plans those that have not begun."""

import datetime as dt

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date

from .models import Enrolment, Term
from .term_keys import is_autumn, term_after, term_before, term_name

_LONGEST = dt.timedelta(days=250)  # a longer "term" is a year typed wrongly


def current(on: dt.date | None = None) -> Term | None:
    """The newest term that has begun, so that the holidays still belong to the term before them.

    Before the first term on record, that first one; None when there is none.
    """
    begun = Term.objects.filter(starts_on__lte=on or clock.today()).order_by("-key").first()
    return begun or Term.objects.order_by("key").first()


def following(term: Term) -> Term | None:
    """The term right after, if it is on record."""
    return Term.objects.filter(key=term_after(term.key)).first()


def preceding(term: Term) -> Term | None:
    """The term right before, if it is on record."""
    return Term.objects.filter(key=term_before(term.key)).first()


def begins_school_year(term: Term) -> bool:
    """Whether classes are promoted when this term begins: it is an autumn term."""
    return is_autumn(term.key)


# --- planning --------------------------------------------------------------------------------------


def next_key() -> str:
    """The key of the term that comes after the last on record."""
    last = Term.objects.order_by("-key").first()
    year = clock.today().year
    return term_after(last.key) if last else f"{year}-{year + 1}-1"


def add_next(*, starts_on: dt.date, ends_on: dt.date, document: str, county: Unit, by: User) -> Term:
    """Put the term after the last one on record, by the document that says its days (校历).

    Raises ValidationError for days that cannot be.
    """
    access.require(by, Permission.EDIT_CALENDAR, county)
    key = next_key()
    term = Term(key=key, name=term_name(key), starts_on=starts_on, ends_on=ends_on)
    _check_days(term)
    try:
        with transaction.atomic():
            term.save(force_insert=True)
            audit.record("term.add", term, by=by, unit=county, term=key, after=_told(term), basis=document)
    except IntegrityError:
        raise ValidationError(f"{term}刚刚已有人登记，请刷新页面。") from None
    return term


def change_days(term: Term, *, starts_on: dt.date, ends_on: dt.date, document: str, county: Unit, by: User) -> Term:
    """Other days for a term that is not over; pupils entered for its first day move with it.

    Of the term that is running only the last day can be another, from today on. Raises ValidationError for days that
    cannot be.
    """
    access.require(by, Permission.EDIT_CALENDAR, county)
    with transaction.atomic():
        term = Term.objects.select_for_update().get(pk=term.pk)
        if term.ends_on < clock.today():
            raise ValidationError(f"{term}已经结束，日期不能再改。")
        before, was = term.starts_on, _told(term)
        if before <= clock.today() and starts_on != before:
            raise ValidationError({"starts_on": f"{term}已经开始，开始日期不能再改，只能更改结束日期。"})
        term.starts_on, term.ends_on = starts_on, ends_on
        _check_days(term, has_begun=before <= clock.today())
        term.save(update_fields=["starts_on", "ends_on"])
        Enrolment.objects.filter(term=term, starts_on=before).update(starts_on=starts_on)
        audit.record(
            "term.change", term, by=by, unit=county, term=term.key, before=was, after=_told(term), basis=document
        )
    return term


def _told(term: Term) -> str:
    return f"{term.starts_on} 至 {term.ends_on}"


def _check_days(term: Term, *, has_begun: bool = False) -> None:
    if has_begun and term.ends_on < clock.today():
        raise ValidationError({"ends_on": "结束日期不能早于今天。"})
    if not has_begun and term.starts_on <= clock.today():
        raise ValidationError({"starts_on": "开始日期要在今天以后：已经开始的学期不能再登记。"})
    if term.ends_on <= term.starts_on:
        raise ValidationError({"ends_on": "结束日期要晚于开始日期。"})
    if term.ends_on - term.starts_on > _LONGEST:
        raise ValidationError({"ends_on": "一个学期不会超过 250 天，请核对年份。"})
    years = {int(year) for year in term.key.split("-")[:2]}
    for name, day in (("starts_on", term.starts_on), ("ends_on", term.ends_on)):
        if day.year not in years:
            raise ValidationError({name: f"{cn_date(day)}不在{term}的学年里，请核对年份。"})
    others = Term.objects.exclude(key=term.key)
    before = others.filter(key__lt=term.key).order_by("-key").first()
    if before and term.starts_on <= before.ends_on:
        raise ValidationError({"starts_on": f"{before}到{cn_date(before.ends_on)}才结束，开始日期要在它之后。"})
    after = others.filter(key__gt=term.key).order_by("key").first()
    if after and term.ends_on >= after.starts_on:
        raise ValidationError({"ends_on": f"{after}从{cn_date(after.starts_on)}开始，结束日期要在它之前。"})
