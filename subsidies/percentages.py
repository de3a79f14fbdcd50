"""比例: keeping the dated percentages of a programme, and what they come to on the roll as it is now.

A percentage limits nobody: it is what is proposed where places are received or handed down, and what is then recorded
is a quota like any other, with the sentence that says how its number came about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from students.models import Term

from . import dated_terms, places, quota_words, rule_checks
from .entitlement import Condition, ProgrammeRules, StandardRule
from .models import Programme, Quota, QuotaPercentage
from .policy_words import ROLL_FACTS

Conditions = Mapping[str, Sequence[str]]


def written(conditions: Conditions) -> dict[str, list[str]]:
    """The conditions as they are kept: in one order, none twice."""
    return {fact: sorted(set(values)) for fact, values in sorted(conditions.items()) if values}


def whom_words(row: QuotaPercentage) -> str:
    """Which part of the roll: 户口性质：城市; empty for all of it."""
    return "；".join(rule_checks.whom(rule_of(row), {}))


# --- the dated rows ----------------------------------------------------------------------------------------


def record(row: QuotaPercentage, *, county: Unit, by: User) -> QuotaPercentage:
    """A percentage of the roll, or of the part of it that meets the conditions, from a term on.

    The row before for the same part ends with the term before; where a later one is known, the new one ends before
    that. A row of that very term is put right instead: places handed down stay as they are. Raises ValidationError for
    conditions that make no sense, and for a pupil whom another row would count as well.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    row.recorded_by, row.recorded_at = by, clock.now()
    row.conditions = written(row.conditions)
    row.clean_fields()
    if not 0 < row.percent <= 100:
        raise ValidationError({"percent": "比例要大于 0，不超过 100。"})
    if row.document_date and row.document_date > clock.today():
        raise ValidationError({"document_date": "文件日期不能晚于今天。"})
    with transaction.atomic():
        programme = Programme.objects.select_for_update().get(pk=row.programme_id)
        check_conditions(row, programme)
        before, is_correction = programme.percentages.filter(conditions=row.conditions).make_way(row)
        _refuse_counted_twice(row, programme)
        row.full_clean()
        row.save()
        audit.record(
            "quota_percentage.correct" if is_correction else "quota_percentage.record",
            row,
            by=by,
            unit=county,
            programme=programme.code,
            whom=whom_words(row),
            first_term=row.first_term,
            was=_words(before),
            new=_words(row),
            basis=row.document,
        )
    return row


def end(row: QuotaPercentage, *, last_term: str, document: str, county: Unit, by: User) -> QuotaPercentage:
    """From the term after `last_term` on nothing is proposed by it."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        held = QuotaPercentage.objects.end(row, last_term, document=document)
        audit.record(
            "quota_percentage.end", held, by=by, unit=county,
            programme=held.programme.code, whom=whom_words(held), last_term=last_term, basis=document.strip(),
        )  # fmt: skip
    return held


def check_conditions(row: QuotaPercentage, programme: Programme) -> None:
    """Raises ValidationError for a part of the roll that makes no sense."""
    unknown = sorted(row.conditions.keys() - set(ROLL_FACTS))
    if unknown:
        raise ValidationError(f"比例不能按“{'、'.join(unknown)}”限定，只能按名册上有的情况。")
    faults = rule_checks.faults(rule_of(row), _rules(programme), tiers=(), categories={})
    if wrong := [fault.words for fault in faults if fault.where.startswith("conditions.")]:
        raise ValidationError(wrong)


def _refuse_counted_twice(row: QuotaPercentage, programme: Programme) -> None:
    for other in programme.percentages.exclude(conditions=row.conditions):
        child = rule_checks.child_of_both(rule_of(row), rule_of(other), _rules(programme))
        if child:
            raise ValidationError(
                f"与已登记的 {other.percent.normalize():f}%（{whom_words(other) or '全部在校生'}，"
                f"{dated_terms.span_label(other)}，{other.document}）重叠：例如{rule_checks.words_of(child, {})}"
                "会按两条各算一次。请把条件分开，或先为原来的一条登记截止学期。"
            )


def rule_of(row: QuotaPercentage) -> StandardRule:
    """The row's part of the roll, as the rules of standards take it."""
    conditions = tuple(Condition(fact, frozenset(values)) for fact, values in sorted(row.conditions.items()))
    return StandardRule(0, row.percent, row.document, row.first_term, row.last_term, conditions)


def _rules(programme: Programme) -> ProgrammeRules:
    return ProgrammeRules(programme.name, tuple(programme.stages), (), recipients="all")


def _words(row: QuotaPercentage | None) -> str:
    if row is None:
        return ""
    return (
        f"{row.percent.normalize():f}%，{row.get_rounding_display()}，{dated_terms.span_label(row)}（{row.document}）"
    )


# --- what is proposed --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proposal:
    """How many places somebody may take over for a unit, and the sentence that says why."""

    places: int
    words: str


def by_percentage(programme: Programme, term: Term, units: Sequence[Unit]) -> dict[int, Proposal]:
    """What the percentages in force come to for each unit, by key; units of one level.

    A unit without pupils is left out: its roster has not come yet, and nought would be no answer. One query for the
    rows, one for each of them and one for the roll.
    """
    rows = list(programme.percentages.in_force(term.key).order_by("pk"))
    if not rows or not units:
        return {}
    whole = places.roll_of(programme, term, units)
    found: dict[int, list[tuple[int, str]]] = {key: [] for key, n in whole.items() if n}
    for row in rows:
        part = places.roll_of(programme, term, units, row.conditions) if row.conditions else whole
        for key, said in found.items():
            roll = part.get(key, 0)
            number = places.share_of(roll, row.percent, row.rounding)
            said.append((number, quota_words.percent_words(roll, row.percent, row.rounding, number, whom_words(row))))
    return {
        key: Proposal(sum(number for number, _ in said), "；".join(words for _, words in said))
        for key, said in found.items()
    }


def of_last_term(programme: Programme, term: Term, units: Sequence[Unit]) -> dict[int, Proposal]:
    """What the units had in the newest term before in which any of them had places, by key. Two queries."""
    rows = Quota.objects.filter(programme=programme, term__key__lt=term.key, unit__in=[unit.pk for unit in units])
    rows = rows.exclude(places=None)
    last = Term.objects.filter(pk__in=rows.order_by().values("term")).order_by("-key").first()
    if last is None:
        return {}
    return {row.unit_id: Proposal(row.places or 0, f"沿用{last}的 {row.places} 个") for row in rows.filter(term=last)}
