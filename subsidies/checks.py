"""上报前检查: what is missing from a school's papers before it reports, and the county's dated rules for what stops.

The rules themselves are `completeness`; here the papers of the cases are gathered.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from students.models import BankAccount, Category, Circumstance, Pupil, Term
from students.table_writing import pieces
from students.term_keys import is_autumn

from . import declarations, recognitions
from .completeness import Check, Finding, Papers, Sitting, look
from .models import (
    Application,
    CheckRule,
    Decision,
    Meeting,
    Programme,
    Receipt,
    Recognition,
    SignedMinutes,
    StepTaken,
)
from .states import State, Step

FIRST_TERM = "2023-2024-1"  # of the rules that ship; the register begins with it
_CHUNK = 500
Effect = CheckRule.Effect

_AUDITS = "县级档案审计常见问题（申请人不一致、意见缺失、证明缺失、日期倒置等）；查到后怎么办由县资助中心按当地要求更改"
# What a new county begins with: a report stops where money would go wrong, all else is said and nobody is held up.
_SHIPPED: Mapping[Check, str] = dict.fromkeys(Check, Effect.REMINDS) | {
    Check.PROOF: Effect.STOPS,
    Check.RECOGNITION: Effect.STOPS,
    Check.DATES: Effect.STOPS,
    Check.RECEIPT: Effect.OFF,
    Check.RECHECK: Effect.OFF,
}
# The states in which a school still has the case after its review: what is missing now is missing at the report.
LOOKED_AT = (State.SCHOOL_REVIEWED, State.CONFIRMED, State.ON_NOTICE, State.HELD, State.CLEARED)


@dataclass(frozen=True)
class Found:
    """A finding and what it does."""

    finding: Finding
    stops: bool


# --- rules ----------------------------------------------------------------------------------------


def load() -> int:
    """Add the rules of checks for which none is recorded; how many these were."""
    known = set(CheckRule.objects.filter(programme=None).values_list("check_code", flat=True))
    fresh = [
        CheckRule(
            check_code=check, first_term=FIRST_TERM, effect=_SHIPPED[check], source=_AUDITS, recorded_at=clock.now()
        )
        for check in Check
        if check not in known
    ]
    return len(CheckRule.objects.bulk_create(fresh))


def effects(programme: Programme, term: Term) -> dict[Check, str]:
    """What each check does for the programme in the term; a check without a rule is not made."""
    rows = CheckRule.objects.filter(Q(programme=programme) | Q(programme=None), first_term__lte=term.key)
    # From the weakest to the strongest: those for all programmes first, older before newer.
    order = sorted(rows, key=lambda row: (row.programme_id is not None, row.first_term))
    return {Check(row.check_code): row.effect for row in order}


def all_in_force(term: Term) -> dict[Check, list[CheckRule]]:
    """Each check's rules in the term: the one for all programmes first, then those of single programmes."""
    newest: dict[tuple[str, int | None], CheckRule] = {}
    rows = CheckRule.objects.filter(first_term__lte=term.key).select_related("programme")
    for row in rows.order_by("first_term"):
        newest[(row.check_code, row.programme_id)] = row
    found = sorted(newest.values(), key=lambda row: row.programme.code if row.programme else "")
    return {check: [row for row in found if row.check_code == check] for check in Check}


def set_rule(rule: CheckRule, *, county: Unit, by: User) -> CheckRule:
    """Record what a check does, from a term on; a row of the same term is corrected. What was reported stays so."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        same = CheckRule.objects.select_for_update().filter(
            programme=rule.programme, check_code=rule.check_code, first_term=rule.first_term
        )
        held = same.order_by("pk").first()  # the usual order joins the programme, which may not be there to lock
        before = held.get_effect_display() if held else ""
        if held:
            held.effect, held.source = rule.effect, rule.source
            rule = held
        rule.recorded_at, rule.recorded_by = clock.now(), by
        rule.full_clean()
        try:
            with transaction.atomic():
                rule.save()
        except IntegrityError:
            raise ValidationError("这条规定刚刚已有人登记，请刷新页面。") from None
        audit.record(
            "check_rule.set",
            rule,
            by=by,
            unit=county,
            programme=rule.programme.code if rule.programme else "",
            check=rule.get_check_code_display(),
            first_term=rule.first_term,
            before=before,
            after=rule.get_effect_display(),
            basis=rule.source,
        )
    return rule


# --- looking --------------------------------------------------------------------------------------


def of(cases: Iterable[Application]) -> dict[UUID, list[Found]]:
    """What is found of each case, by its key; those with nothing have an empty list. Queries by round, not by case."""
    found: dict[UUID, list[Found]] = {}
    by_list: dict[tuple[int, int], list[Application]] = {}
    for case in cases:
        by_list.setdefault((case.programme_id, case.term_id), []).append(case)
    for (programme_key, term_key), rows in by_list.items():
        programme, term = Programme.objects.get(pk=programme_key), Term.objects.get(pk=term_key)
        does = effects(programme, term)
        for key, papers in _papers(rows, programme, term).items():
            seen = [each for each in look(papers) if does.get(each.check, Effect.OFF) != Effect.OFF]
            found[key] = [Found(each, does[each.check] == Effect.STOPS) for each in seen]
    return found


def stopping(cases: Iterable[Application]) -> dict[UUID, list[Finding]]:
    """The findings that stop a report, of the cases that have any."""
    found = {key: [each.finding for each in rows if each.stops] for key, rows in of(cases).items()}
    return {key: rows for key, rows in found.items() if rows}


def _papers(cases: list[Application], programme: Programme, term: Term) -> dict[UUID, Papers]:
    found: dict[UUID, Papers] = {}
    rule = declarations.rule_of(programme, term)
    needing = set(Category.objects.filter(needs_evidence=True).values_list("code", flat=True))
    for chunk in pieces(cases, _CHUNK):
        keys, pupils = [case.pk for case in chunk], [case.pupil_id for case in chunk]
        names = dict(Pupil.objects.filter(pk__in=pupils).values_list("pk", "name"))
        days, meetings = _days(keys), _meetings(keys)
        shown = _shown(pupils)
        paid = BankAccount.objects.filter(pupil__in=pupils, ends_on__isnull=True).values_list("pupil_id", flat=True)
        accounts = set(paid)
        answered = Receipt.objects.filter(round__in={case.round_id for case in chunk}, pupil__in=pupils)
        receipts = dict(answered.order_by("pk").values_list("pupil_id", "answer"))
        year = recognitions.school_year(term)
        known = recognitions.of_pupils(pupils, year)
        forms = declarations.kept_of(pupils, year, rule) if rule else {}
        for case in chunk:
            held, form = known.get(case.pupil_id), forms.get(case.pupil_id)
            signed = form.signed if form else None
            collected = [
                each
                for each in case.facts.get("categories", [])
                if each["source"] == Circumstance.Source.COLLECTED and each["code"] in needing
            ]
            found[case.pk] = Papers(
                name_then=case.facts.get("name", names[case.pupil_id]),
                name_now=names[case.pupil_id],
                reason=case.reason,
                needs_form=rule is not None,
                has_form=bool(form and form.declaration),
                has_form_scan=signed is not None,
                form_signed_on=signed.signed_on if signed else None,
                has_receipt=receipts.get(case.pupil_id) == Receipt.Answer.APPLIES,
                unproven=_lacking(collected, shown.get(case.pupil_id, {}), "proof"),
                unscanned=_lacking(collected, shown.get(case.pupil_id, {}), "scan"),
                has_account=case.pupil_id in accounts,
                class_review=meetings.get((case.pk, Meeting.Level.CLASS)),
                school_review=meetings.get((case.pk, Meeting.Level.SCHOOL)),
                is_recognised=bool(held and held.is_in_force),
                recognition_ended=bool(held and not held.is_in_force),
                is_rechecked=_rechecked(held, term),
                **days.get(case.pk, {}),
            )
    return found


def _rechecked(held: Recognition | None, term: Term) -> bool | None:
    """Whether a recognition of the autumn was looked at in the spring; None where there is nothing to look at."""
    if held is None or is_autumn(term.key) or (held.kind == Recognition.Kind.RECOGNISED and held.term_id == term.pk):
        return None
    return held.term_id == term.pk


# A case that came back goes its road again: of each step the last one counts.
_DAYS = {
    (Step.SUBMIT, State.SUBMITTED): "submitted_on",
    (Step.CONFIRM, State.CONFIRMED): "confirmed_on",
    (Step.PUBLISH, State.ON_NOTICE): "published_on",
    (Step.CLEAR, State.CLEARED): "cleared_on",
    (Step.CLEAR_AFTER_CHECK, State.CLEARED): "cleared_on",
}

_ROAD = ("submitted_on", "confirmed_on", "published_on", "cleared_on")


def _days(keys: list[UUID]) -> dict[UUID, dict[str, Any]]:
    found: dict[UUID, dict[str, Any]] = {}
    rows = StepTaken.objects.filter(application__in=keys, step__in={Step.PASS_SCHOOL, *(step for step, _ in _DAYS)})
    for key, step, target, at in rows.order_by("pk").values_list("application_id", "step", "target", "at"):
        name = _DAYS.get((Step(step), State(target)))
        days = found.setdefault(key, {})
        # What comes after this step on the road is of an older round of it.
        for later in _ROAD[_ROAD.index(name) if name else 1 :]:
            days.pop(later, None)
        if name:
            days[name] = timezone.localdate(at)
    return found


def _meetings(keys: list[UUID]) -> dict[tuple[UUID, str], Sitting]:
    rows = Decision.objects.filter(application__in=keys, verdict=Decision.Verdict.AGREE)
    pictured = Meeting.photos.through.objects.filter(meeting=OuterRef("meeting"))
    signed = SignedMinutes.objects.filter(meeting=OuterRef("meeting"))
    rows = rows.annotate(has_picture=Exists(pictured) | Exists(signed)).order_by("pk")
    told = rows.values_list("application_id", "meeting__level", "meeting__held_on", "opinion", "has_picture")
    return {(key, level): Sitting(day, opinion, bool(picture)) for key, level, day, opinion, picture in told}


def _shown(pupils: list[UUID]) -> dict[UUID, dict[str, set[str]]]:
    """By pupil and kind what proves it on record now: a proof that is named, a scan."""
    found: dict[UUID, dict[str, set[str]]] = {}
    rows = Circumstance.objects.filter(pupil__in=pupils)
    for pupil, code, counts_as, source, words, scan in rows.values_list(
        "pupil_id", "category__code", "category__maps_to__code", "source", "evidence", "evidence_file_id"
    ):
        # What a list has come to name since needs no paper.
        is_listed = source == Circumstance.Source.MATCHED
        proofs = {"proof"} if words or scan or is_listed else set()
        proofs |= {"scan"} if scan or is_listed else set()
        for kind in {code, counts_as} - {None}:
            found.setdefault(pupil, {}).setdefault(kind, set()).update(proofs)
    return found


def _lacking(collected: list[dict[str, Any]], shown: dict[str, set[str]], what: str) -> tuple[str, ...]:
    return tuple(each["name"] for each in collected if what not in shown.get(each["code"], set()))
