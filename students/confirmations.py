"""The first month's look at every class: who is there, what changed, confirmed by somebody who knows the class.

CHG-01 asks it of every term's first month; how many days that is stands in dated rows per county, 30 without one.
"""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, QuerySet

from accounts import access, audit, clock, scopes
from accounts.models import Unit, User
from accounts.redaction import refuse_numbers
from accounts.roles import Permission

from . import enrolment as places
from .models import ChangeConfirmation, ChangeReport, ConfirmationRule, Enrolment, StatusChange, Term

DEFAULT_DAYS = 30  # "the first month" of the documents, until the county records its own


@dataclass(frozen=True)
class Row:
    """One pupil on the class's list: on it now, or gone from it this term."""

    place: Enrolment
    changes: list[StatusChange] = field(default_factory=list)
    report: ChangeReport | None = None

    @property
    def is_here(self) -> bool:
        return self.place.ends_on is None


@dataclass(frozen=True)
class Seen:
    """What the teacher reports of one pupil and may not record."""

    place: Enrolment
    kind: str  # StatusChange.Kind
    note: str = ""


@dataclass(frozen=True)
class ClassState:
    """Where one class stands with its confirmation."""

    unit: Unit
    pupils: int
    changes: int
    confirmation: ChangeConfirmation | None
    open_reports: int


@dataclass
class SchoolState:
    """Where one school stands: its classes, and how many of them have confirmed."""

    unit: Unit
    classes: int = 0
    done: int = 0
    pupils: int = 0
    changes: int = 0

    @property
    def left(self) -> int:
        return self.classes - self.done


def rule(county: Unit, term: Term) -> ConfirmationRule | None:
    """The county's row in force in the term."""
    return ConfirmationRule.objects.filter(county=county, first_term__lte=term.key).order_by("-first_term").first()


def deadline(county: Unit, term: Term) -> dt.date:
    """The last day on which the term's changes are to be confirmed."""
    held = rule(county, term)
    return term.starts_on + dt.timedelta(days=held.days if held else DEFAULT_DAYS)


def county_of(unit: Unit) -> Unit:
    return Unit.objects.get(path=unit.path.split("/", 1)[0] + "/")


def set_days(county: Unit, *, term: Term, days: int, source: str, by: User) -> ConfirmationRule:
    """Record in how many days classes confirm, from the term on; a term's row that is there is corrected."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        held, _ = ConfirmationRule.objects.select_for_update().update_or_create(
            county=county,
            first_term=term.key,
            defaults={"days": days, "source": source, "recorded_at": clock.now(), "recorded_by": by},
        )
        held.full_clean()
        audit.record("change.confirmation_rule", held, by=by, unit=county, first_term=term.key, days=days)
    return held


def checklist(school_class: Unit, term: Term) -> list[Row]:
    """Everybody of the class in the term, those who left it last. A constant number of queries."""
    left = StatusChange.objects.filter(term=term, path=school_class.path).values("enrolment")
    rows = Enrolment.objects.filter(term=term).select_related("pupil", "school_class")
    here = list(rows.filter(school_class=school_class).order_by("pupil__name", "pk"))
    moved = list(rows.filter(pk__in=left).exclude(school_class=school_class).order_by("pupil__name", "pk"))
    changes: dict = {}
    for change in StatusChange.objects.filter(enrolment__in=[place.pk for place in here + moved]).order_by("on", "at"):
        changes.setdefault(change.enrolment_id, []).append(change)
    reports = {
        report.enrolment_id: report
        for report in ChangeReport.objects.filter(enrolment__in=[place.pk for place in here], state="open")
    }
    found = [Row(place, changes.get(place.pk, []), reports.get(place.pk)) for place in here]
    # What happened to somebody after they left the class is the next class's to know.
    for place in moved:
        found.append(Row(place, [change for change in changes.get(place.pk, []) if change.path == school_class.path]))
    return sorted(found, key=lambda row: (not row.is_here, row.place.school_class_id != school_class.pk))


def digest(rows: Iterable[Row]) -> str:
    """SHA-256 over the list as it is shown: who, in which standing, with which changes."""
    told = "\n".join(
        f"{row.place.pk} {row.place.standing} {row.place.boarding} {[str(change.pk) for change in row.changes]}"
        for row in rows
    )
    return hashlib.sha256(told.encode()).hexdigest()


def confirm(school_class: Unit, term: Term, *, seen: str, reports: Iterable[Seen] = (), by: User) -> ChangeConfirmation:
    """Confirm that the class's list is as it is; what the person saw and may not record goes to the officer.

    `seen` is `digest` of the list that was looked at. Raises ValidationError when the list has moved since, the
    class is confirmed already, or there is nobody in it.
    """
    access.require(by, Permission.EDIT_PUPILS, school_class)
    reports = list(reports)
    for report in reports:
        refuse_numbers(report.note)
    with transaction.atomic():
        rows = checklist(school_class, term)
        here = {row.place.pk for row in rows if row.is_here and row.place.school_class_id == school_class.pk}
        if not here:
            raise ValidationError("这个班本学期还没有学生，不用确认。")
        if digest(rows) != seen:
            raise ValidationError("名单刚刚有变化，没有确认。请再看一遍有变化的学生，然后确认。")
        if any(report.place.pk not in here for report in reports):
            raise ValidationError("有学生已不在本班，请刷新页面。")
        try:
            with transaction.atomic():
                held = ChangeConfirmation.objects.create(
                    school_class=school_class,
                    term=term,
                    pupils=len(here),
                    changes=sum(len(row.changes) for row in rows),
                    confirmed_at=clock.now(),
                    confirmed_by=by,
                )
                ChangeReport.objects.bulk_create(
                    ChangeReport(confirmation=held, enrolment=seen_.place, kind=seen_.kind, note=seen_.note.strip())
                    for seen_ in reports
                )
        except IntegrityError:
            raise ValidationError("本班异动刚刚已由他人确认，不用重复确认。") from None
        audit.record(
            "change.confirm", held, by=by, unit=school_class, term=term.key, pupils=len(here), reports=len(reports)
        )
    return held


def reports_for(user: User) -> QuerySet[ChangeReport]:
    """What teachers saw and the person may record, still open."""
    rows = ChangeReport.objects.filter(state=ChangeReport.State.OPEN)
    # By the class that reported: a place never leaves its school, and of pupils a county has far more than classes.
    return scopes.within(rows, user, Permission.RECORD_CHANGES, unit="confirmation__school_class")


def dismiss(report: ChangeReport, *, by: User) -> None:
    """Close a report that turned out to be no change."""
    access.require(by, Permission.RECORD_CHANGES, report.enrolment.school_class)
    with transaction.atomic():
        closed = ChangeReport.objects.filter(pk=report.pk, state=ChangeReport.State.OPEN).update(
            state=ChangeReport.State.DISMISSED, settled_at=clock.now(), settled_by=by
        )
        if not closed:
            raise ValidationError("这条情况已由他人办理，请刷新页面。")
        audit.record("change.dismiss_report", report, by=by, unit=report.enrolment.school_class)


def outstanding(classes: QuerySet[Unit], term: Term) -> QuerySet[Unit]:
    """Those of the classes that have pupils in the term and are not confirmed; asks a county's classes one by one
    through their index, and counts no pupils."""
    pupils = places.open_only(Enrolment.objects.filter(term=term, school_class=OuterRef("pk")))
    confirmed = ChangeConfirmation.objects.filter(term=term, school_class=OuterRef("pk"))
    return classes.filter(Exists(pupils), ~Exists(confirmed))


def with_pupils(classes: QuerySet[Unit], term: Term) -> QuerySet[Unit]:
    """Those of the classes that have pupils in the term, or were confirmed when they had."""
    pupils = places.open_only(Enrolment.objects.filter(term=term, school_class=OuterRef("pk")))
    confirmed = ChangeConfirmation.objects.filter(term=term, school_class=OuterRef("pk"))
    return classes.filter(Exists(pupils) | Exists(confirmed))


def states(classes: QuerySet[Unit], term: Term) -> list[ClassState]:
    """Each class that has pupils in the term, in order; four queries however many there are."""
    pupils = _pupils_in(classes, term)
    by_path = Counter(dict(_changes_in(classes, term)))
    confirmed = {row.school_class_id: row for row in ChangeConfirmation.objects.filter(
        school_class__in=classes, term=term).select_related("confirmed_by")}  # fmt: skip
    reports = ChangeReport.objects.filter(state="open", enrolment__term=term, enrolment__school_class__in=classes)
    waiting = Counter(dict(reports.order_by().values_list("enrolment__school_class").annotate(n=Count("*"))))
    return [
        ClassState(unit, pupils[unit.pk], by_path[unit.path], confirmed.get(unit.pk), waiting[unit.pk])
        for unit in classes.select_related("parent").order_by("path")
        if pupils[unit.pk] or unit.pk in confirmed
    ]


def school_states(schools: Iterable[Unit], classes: QuerySet[Unit], term: Term) -> list[SchoolState]:
    """Each of the schools with its classes of `states`, the outstanding first; no class is made an object."""
    pupils, by_path = _pupils_in(classes, term), Counter(dict(_changes_in(classes, term)))
    confirmed = ChangeConfirmation.objects.filter(term=term, school_class__in=classes).order_by()
    done = set(confirmed.values_list("school_class", flat=True))
    found = {school.pk: SchoolState(school) for school in schools}
    for key, path, school in classes.order_by().values_list("pk", "path", "parent"):
        if school and (pupils[key] or key in done):
            row = found[school]
            row.classes += 1
            row.done += key in done
            row.pupils += pupils[key]
            row.changes += by_path[path]
    return sorted(found.values(), key=lambda row: (row.left == 0, row.unit.path))


def _pupils_in(classes: QuerySet[Unit], term: Term) -> Counter[int]:
    open_places = places.open_only(Enrolment.objects.filter(term=term, school_class__in=classes))
    return Counter(dict(open_places.order_by().values_list("school_class").annotate(n=Count("*"))))


def _changes_in(classes: QuerySet[Unit], term: Term) -> list[tuple[str, int]]:
    rows = StatusChange.objects.filter(term=term, path__in=classes.values("path"))
    return list(rows.order_by().values_list("path").annotate(n=Count("*")))
