"""Where a pupil is in a term, boarding or day; and the snapshot of facts by which a case is judged."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, Case, OuterRef, Q, QuerySet, Subquery, Value, When

from accounts import clock, scopes
from accounts.models import User
from accounts.roles import Permission

from .models import (
    OPEN_STANDINGS,
    BankAccount,
    Category,
    Circumstance,
    Enrolment,
    ListMatch,
    Pupil,
    SchoolClass,
    Schooling,
    StatusChange,
    Term,
)

# What rules of aid ask of a pupil in a place, beside hardship: the name among the facts → where it stands, seen from
# an enrolment.
PLACE_FACTS: Mapping[str, str] = {
    "stage": "stage",
    "grade": "grade",
    "boarding": "boarding",
    "schooling": "schooling",
    "registration": "pupil__registration",
    "region": "pupil__region",
    "ownership": "school__school__ownership",
    "major": "school_class__school_class__major",
}
_MATCHED = Circumstance.Source.MATCHED
_SCHOOL_DEPTH = 2  # slashes in the path of a school's unit


def begin(
    pupil: Pupil,
    *,
    term: Term,
    school_class: SchoolClass,
    boarding: str,
    schooling: str = Schooling.ORDINARY,
    starts_on: dt.date | None = None,
) -> Enrolment:
    """A new place in a class for the term, from its first day or from `starts_on`; not saved."""
    unit = school_class.unit
    assert unit.parent_id
    return Enrolment(
        pupil=pupil,
        term=term,
        school_id=unit.parent_id,
        school_class=unit,
        path=unit.path,
        class_name=unit.name,
        grade=school_class.grade,
        stage=school_class.stage,
        boarding=boarding,
        schooling=schooling,
        starts_on=starts_on or term.starts_on,
    )


def as_in_term(place: Enrolment) -> Enrolment:
    """The place with its class as it was called in the place's term, where that is another name than today's."""
    rows = Enrolment.objects.filter(term=place.term_id, school_class=place.school_class_id).order_by("-starts_on", "pk")
    if known := rows.values("class_name", "grade", "stage").first():
        place.class_name, place.grade, place.stage = known["class_name"], known["grade"], known["stage"]
    return place


def open_only(enrolments: QuerySet[Enrolment]) -> QuerySet[Enrolment]:
    """Those that have not ended: on the roll of their class, suspended pupils too."""
    return enrolments.filter(standing__in=OPEN_STANDINGS)


def current_only(enrolments: QuerySet[Enrolment]) -> QuerySet[Enrolment]:
    """Those of the enrolments that say where their pupil is now.

    That is the newest term that has begun; for a child who has only been entered for a term to come, that one.
    Of two in one term (a transfer) it is the open one, or the one that began last.
    """
    running = Term.objects.filter(starts_on__lte=clock.today()).order_by("-key").values("pk")[:1]
    begun = Case(
        When(term__starts_on__lte=clock.today(), then=Value(True)), default=Value(False), output_field=BooleanField()
    )
    is_open = Case(
        When(standing__in=OPEN_STANDINGS, then=Value(True)), default=Value(False), output_field=BooleanField()
    )
    newest = Enrolment.objects.filter(pupil=OuterRef("pupil")).values("pk")
    newest = newest.order_by(begun.desc(), "-term__key", is_open.desc(), "-starts_on", "pk")[:1]
    # Nearly always it is the one open place of the running term: only of the others all of the pupil's are compared.
    is_obvious = Q(term=Subquery(running), standing__in=OPEN_STANDINGS)
    return enrolments.filter(is_obvious | Q(pk=Subquery(newest)))


def at_schools(user: User, *permissions: Permission) -> QuerySet[Enrolment]:
    """Enrolments at the schools over which the person holds one of the permissions; a class alone is no school."""
    places = Q(pk__in=[])
    for path in scopes.reach(user, *permissions):
        if path.count("/") <= _SCHOOL_DEPTH:
            places |= Q(path__below=path)
    return Enrolment.objects.filter(places)


def class_names(term: Term, units: Iterable[int]) -> dict[int, str]:
    """What classes (by their unit's key) were called in a term; those without pupils in it are left out."""
    rows = Enrolment.objects.filter(term=term, school_class__in=list(units)).order_by()
    return dict(rows.values_list("school_class_id", "class_name").distinct())


def current(pupil: Pupil) -> Enrolment:
    """Where the pupil is now. Raises Enrolment.DoesNotExist for a pupil who was never enrolled."""
    enrolments = Enrolment.objects.select_related("term", "school", "school_class__school_class")
    return current_only(enrolments).get(pupil=pupil)


# --- facts -----------------------------------------------------------------------------------------


def facts(enrolment: Enrolment, *, on: dt.date) -> dict[str, Any]:
    """What is known of the enrolled pupil on a day, as JSON-able values; numbers only masked.

    Keys: pupil, name, sex, sex_label, birth_date, ethnicity, registration, registration_label, region, id_masked,
    roll_last4, term, school, ownership, ownership_label, class_name, grade, stage, stage_label, major, major_label,
    boarding, boarding_label, boarding_since ("" where it never changed in the term), schooling, schooling_label,
    standing, standing_label, guardian_name, guardian_relation, categories (list of code, name, source, source_label,
    evidence, flags, valid_from, valid_to), account (None or id, bank, masked, holder, relation, relation_label), on.
    """
    return facts_of([enrolment], on=on)[enrolment.pk]


def facts_of(enrolments: Iterable[Enrolment], *, on: dt.date) -> dict[UUID, dict[str, Any]]:
    """`facts` of many enrolments, by their keys, in six queries however many there are."""
    keys = [enrolment.pk for enrolment in enrolments]
    rows = list(
        Enrolment.objects.filter(pk__in=keys).select_related(
            "pupil", "term", "school__school", "school_class__school_class"
        )
    )
    pupils = [row.pupil_id for row in rows]
    held = categories_of(pupils, on=on)
    accounts = {
        account.pupil_id: account
        for account in BankAccount.objects.filter(pupil__in=pupils, starts_on__lte=on).order_by("starts_on")
        if account.ends_on is None or account.ends_on > on
    }
    boarding_changes = StatusChange.objects.filter(enrolment__in=keys, kind=StatusChange.Kind.BOARDING, on__lte=on)
    since = dict(boarding_changes.order_by("on", "at").values_list("enrolment_id", "on"))
    return {
        row.pk: _person(row)
        | _place(row)
        | {
            "boarding_since": since[row.pk].isoformat() if row.pk in since else "",
            "categories": held.get(row.pupil_id, []),
            "account": _account(accounts.get(row.pupil_id)),
            "on": on.isoformat(),
        }
        for row in rows
    }


def categories_of(pupils: Iterable[UUID], *, on: dt.date) -> dict[UUID, list[dict[str, Any]]]:
    """The `categories` of the facts of many pupils, by their keys, in three queries; who has none is left out."""
    categories = {category.pk: category for category in Category.objects.all()}
    held: dict[UUID, list[Circumstance]] = {}
    rows = Circumstance.objects.filter(pupil__in=list(pupils), valid_from__lte=on).order_by("valid_from")
    for circumstance in rows:
        if circumstance.valid_to is None or circumstance.valid_to >= on:
            held.setdefault(circumstance.pupil_id, []).append(circumstance)
    said = _said_on_lists([each.pk for rows in held.values() for each in rows if each.source == _MATCHED])
    return {pupil: _in_force(circumstances, categories, said, on) for pupil, circumstances in held.items()}


def _said_on_lists(circumstances: list[UUID]) -> dict[UUID, dict[str, str]]:
    """The flags (享受政策: 是) that the newest list says beside each circumstance it gave."""
    rows = ListMatch.objects.filter(circumstance__in=circumstances).order_by("version__as_of", "entry")
    return dict(rows.values_list("circumstance_id", "entry__flags"))


def _person(enrolment: Enrolment) -> dict[str, Any]:
    pupil = enrolment.pupil
    return {
        "pupil": str(pupil.pk),
        "name": pupil.name,
        "sex": pupil.sex,
        "sex_label": pupil.get_sex_display(),
        "birth_date": pupil.birth_date.isoformat() if pupil.birth_date else "",
        "ethnicity": pupil.ethnicity,
        "registration": pupil.registration,
        "registration_label": pupil.get_registration_display(),
        "region": pupil.region,
        "id_masked": pupil.id_masked,
        "roll_last4": pupil.roll_masked[-4:],
        "guardian_name": pupil.guardian_name,
        "guardian_relation": pupil.guardian_relation,
    }


def _place(enrolment: Enrolment) -> dict[str, Any]:
    school, school_class = enrolment.school.school, enrolment.school_class.school_class
    return {
        "term": enrolment.term.key,
        "school": enrolment.school.name,
        "class_name": enrolment.class_name,
        "grade": enrolment.grade,
        "stage": enrolment.stage,
        "stage_label": enrolment.get_stage_display(),
        "boarding": enrolment.boarding,
        "boarding_label": enrolment.get_boarding_display(),
        "schooling": enrolment.schooling,
        "schooling_label": enrolment.get_schooling_display(),
        "ownership": school.ownership,
        "ownership_label": school.get_ownership_display(),
        "major": school_class.major,
        "major_label": school_class.get_major_display(),
        "standing": enrolment.standing,
        "standing_label": enrolment.get_standing_display(),
    }


def _account(account: BankAccount | None) -> dict[str, str] | None:
    if account is None:
        return None
    return {
        "id": str(account.pk),
        "bank": account.bank,
        "masked": account.number_masked,
        "holder": account.holder,
        "relation": account.relation,
        "relation_label": account.get_relation_display(),
    }


def _in_force(
    held: list[Circumstance], categories: Mapping[int, Category], said: Mapping[UUID, dict[str, str]], on: dt.date
) -> list[dict[str, Any]]:
    """The kinds that count on the day, each once, by rank; old evidence counts for the kind that took its place."""
    found: dict[str, dict[str, Any]] = {}
    ranks: dict[str, int] = {}
    for circumstance in held:
        category = kind_on(categories[circumstance.category_id], categories, on)
        # Evidence for the kind itself is worth more than evidence for the kind it replaced.
        if category and (category.code not in found or category.pk == circumstance.category_id):
            ranks[category.code] = category.rank
            found[category.code] = _circumstance(circumstance, category, said.get(circumstance.pk, {}))
    return sorted(found.values(), key=lambda entry: (ranks[entry["code"]], entry["code"]))


def kind_on(category: Category, categories: Mapping[int, Category], on: dt.date) -> Category | None:
    """The kind that a kind of hardship counts as on a day: itself, or what `maps_to` leads to; None when ended."""
    seen: set[int] = set()
    while category.valid_to is not None and category.valid_to < on:
        seen.add(category.pk)
        if category.maps_to_id is None or category.maps_to_id in seen:
            return None
        category = categories[category.maps_to_id]
    return category if category.valid_from <= on else None


def _circumstance(circumstance: Circumstance, category: Category, flags: dict[str, str]) -> dict[str, Any]:
    return {
        "code": category.code,
        "name": category.name,
        "source": circumstance.source,
        "source_label": circumstance.get_source_display(),
        "evidence": circumstance.evidence,
        "flags": flags,
        "valid_from": circumstance.valid_from.isoformat(),
        "valid_to": circumstance.valid_to.isoformat() if circumstance.valid_to else None,
    }
