"""What a rule would change before it is saved, and what a rule dated in the past leaves to pay or to take back.

Nothing is written here. Pupils who do not differ in what the rules ask are reckoned once (`reckoner`); rows are read in
pieces, so that a county of any size is one pass and only the pupils whose amount changes are kept.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef

from accounts import clock
from accounts.models import Unit
from students import enrolment as register
from students.models import Enrolment, Standing, Term
from students.table_writing import pieces
from students.term_keys import term_after, term_label

from . import grounds, programmes
from .applications import facts_for_rules, had_before
from .attendance import Attendance, Attended, as_facts
from .dated_terms import OPEN, end_of
from .entitlement import Entitlement, ProgrammeRules, entitlement
from .models import AcceptedCategory, Application, Programme, Standard
from .reckoner import Kind, Reckoner
from .states import ENDED_WITHOUT_AID, State

_AT_ONCE = 2000
_FACTS = tuple(register.PLACE_FACTS)
_NOTHING = Decimal("0.00")
# Handed in and on its way or paid: kept as it was frozen, whatever becomes of the rules.
SUBMITTED = tuple(s for s in State if s not in (State.DRAFT, State.RETURNED, State.MOVING, *ENDED_WITHOUT_AID))
# Of these the list has left the school: what a new rule makes of them is the payment desk's matter.
REPORTED = (State.REPORTED, State.VERIFIED, State.APPROVED, State.IN_BATCH, State.PAID)


@dataclass(frozen=True)
class Change:
    """A pupil whose amount for a term would be another; None is nothing."""

    enrolment: UUID
    path: str
    school: str
    class_name: str
    name: str
    before: Decimal | None
    after: Decimal | None
    tier: str
    has_applied: bool  # in the newest term of the programme
    attended: Attended  # what counts of the term, where the rules pay for time in school

    @property
    def difference(self) -> Decimal:
        return (self.after or _NOTHING) - (self.before or _NOTHING)


@dataclass(frozen=True)
class Difference:
    """A submitted application whose frozen amount is not what the rules give now for the same facts."""

    application: UUID
    path: str
    school: str
    class_name: str
    name: str
    state: str
    before: Decimal
    after: Decimal | None

    @property
    def difference(self) -> Decimal:
        return (self.after or _NOTHING) - self.before

    @property
    def is_reported(self) -> bool:
        return self.state in REPORTED

    @property
    def deed(self) -> str:
        """What is to be done about it."""
        if not self.is_reported:
            return "尚未上报，退回重新提交即按新标准"
        return "补发" if self.difference > 0 else "追回"


@dataclass(frozen=True)
class Kept:
    """Submitted applications of one term that stay as they are, though the rules now say otherwise."""

    term: Term
    count: int
    total: Decimal

    @property
    def signed(self) -> str:
        return signed(self.total)


@dataclass
class Effect:
    """What a rule not saved yet would do from its first term on.

    `term`: whose roll it is reckoned with; `target`: the term the amounts are for.
    """

    term: Term | None
    first: str
    target: str
    after: ProgrammeRules
    changes: list[Change] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        return sum((each.difference for each in self.changes), _NOTHING)

    @property
    def of_applicants(self) -> list[Change]:
        return [each for each in self.changes if each.has_applied]

    @property
    def applicants_total(self) -> Decimal:
        return sum((each.difference for each in self.of_applicants), _NOTHING)

    @property
    def sentence(self) -> str:
        """自2027年春季学期起有 312 名学生的金额会变化，合计每学期 +39,000.00 元."""
        since = f"自{term_label(self.first)}起"
        if not self.changes:
            return f"{since}没有学生的金额会变化。"
        applied = self.of_applicants
        said = f"{since}有 {len(self.changes)} 名学生的金额会变化，合计每学期 {signed(self.total)} 元；"
        return said + f"其中最近一次申请过的 {len(applied)} 名，{signed(self.applicants_total)} 元。"

    @property
    def digest(self) -> str:
        """SHA-256 over who changes and how: what a person saw is what is saved."""
        said = [f"{each.enrolment} {each.before} {each.after}" for each in self.changes]
        said += [f"{each.term.key} {each.count} {each.total}" for each in self.kept]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()


def signed(amount: Decimal) -> str:
    """+39,000.00; a true minus sign would not be found by a search, so it is the plain one."""
    return f"{amount:+,.2f}"


# --- before a rule is saved ------------------------------------------------------------------------


def of_standard(standard: Standard, county: Unit) -> Effect:
    """What the row would change, if it were added. Raises ValidationError as `programmes.check_standard`."""
    after = programmes.check_standard(standard)
    return effect(standard.programme, after, county, first=standard.first_term, last=end_of(standard))


def of_end(standard: Standard, last_term: str, county: Unit) -> Effect:
    """What would change if the row ended with the term. Raises ValidationError as `programmes.check_end`."""
    after = programmes.check_end(standard, last_term)
    return effect(standard.programme, after, county, first=term_after(last_term), last=end_of(standard))


def of_ground(row: AcceptedCategory, county: Unit) -> Effect:
    """What accepting the category would change. Raises ValidationError as `grounds.check_ground`."""
    after = grounds.check_ground(row)
    return effect(row.programme, after, county, first=row.first_term, last=end_of(row))


def of_ground_end(row: AcceptedCategory, last_term: str, county: Unit) -> Effect:
    """What would change if the category were accepted for the last time in the term. Raises as `grounds.check_end`."""
    after = grounds.check_end(row, last_term)
    return effect(row.programme, after, county, first=term_after(last_term), last=OPEN)


def effect(programme: Programme, after: ProgrammeRules, county: Unit, *, first: str, last: str) -> Effect:
    """What rules in place of the programme's would change in the terms from first to last.

    It is reckoned with the newest roll that lies in these terms, or before them: of a term to come nobody knows yet
    who will be there.
    """
    there = Enrolment.objects.filter(term=OuterRef("pk"), path__startswith=county.path)
    term = Term.objects.filter(Exists(there), key__lte=last).order_by("-key").first()
    found = Effect(term, first, max(first, term.key) if term else first, after)
    if term is None:
        return found
    before = programmes.rules_of(programme)
    found.changes = sorted(
        _changes(programme, term, county, before, after, found.target), key=lambda each: (each.path, each.name)
    )
    for past in Term.objects.filter(key__gte=first, key__lte=last).order_by("key"):
        if kept := _kept(programme, past, county, before, after):
            found.kept.append(kept)
    return found


def _kept(programme: Programme, term: Term, county: Unit, before: ProgrammeRules, after: ProgrammeRules) -> Kept | None:
    """Of the term's submitted applications those that the change itself sets apart from the rules.

    What differed already, and by as much, is no matter of the change.
    """
    known = {row.application: row.after for row in differences(programme, term, county, before)}
    rows = [
        row
        for row in differences(programme, term, county, after)
        if known.get(row.application, row.before) != row.after
    ]
    return Kept(term, len(rows), total(rows)) if rows else None


def rewritten(programme: Programme, after: ProgrammeRules, county: Unit) -> list[Kept]:
    """Terms, the newest first, whose submitted applications would be judged otherwise if these rules had always held.

    For what a programme is as a whole: that has no terms, so a change of it reaches back to the first.
    """
    before = programmes.rules_of(programme)
    found = (_kept(programme, term, county, before, after) for term in terms_with_cases(programme))
    return [kept for kept in found if kept]


def _changes(
    programme: Programme, term: Term, county: Unit, before: ProgrammeRules, after: ProgrammeRules, target: str
) -> Iterator[Change]:
    today = clock.today()
    old, new = (Reckoner(rules, facts=_FACTS, term=target, on=today) for rules in (before, after))
    stages = {*before.stages, *after.stages}
    rows = Enrolment.objects.filter(
        term=term, path__startswith=county.path, standing=Standing.PRESENT, stage__in=stages
    )
    columns = ("pk", "pupil_id", "path", "school__name", "class_name", "pupil__name")
    told = rows.order_by("pk").values_list(*columns, *register.PLACE_FACTS.values()).iterator(chunk_size=_AT_ONCE)
    newest = _newest_term(programme, term)
    is_by_time = before.pro_rata or after.pro_rata
    looks_at_kinds = old.looks_at_kinds or new.looks_at_kinds
    for piece in pieces(told, _AT_ONCE):
        pupils = [row[1] for row in piece]
        held = register.categories_of(pupils, on=today) if looks_at_kinds else {}
        tiers = _tiers(programme, newest, pupils)
        # In a term to come also who has it in this one.
        had = had_before(programme, pupils, term if target == term.key else None)
        # Of a term to come nobody knows yet who will be there how long.
        there = Attendance(term, pupils).of(programme) if is_by_time and target == term.key else {}
        for key, pupil, path, school, class_name, name, *said in piece:
            if pupil in had:
                continue
            tier, kinds = tiers.get(pupil, ""), _kinds(held.get(pupil, ()))
            counted = there.get(pupil, Attended())
            was, becomes = (each.amount(said, kinds, tier, attended=counted.count) for each in (old, new))
            if was != becomes:
                yield Change(key, path, school, class_name, name, was, becomes, tier, pupil in tiers, counted)


def _newest_term(programme: Programme, term: Term) -> Term | None:
    """The newest term, not after this one, in which somebody applied."""
    filed = Application.objects.filter(programme=programme, term=OuterRef("pk"))
    return Term.objects.filter(Exists(filed), key__lte=term.key).order_by("-key").first()


def _tiers(programme: Programme, term: Term | None, pupils: list[UUID]) -> dict[UUID, str]:
    """Of those who applied in the term: the tier they applied with ("" where there are none)."""
    rows = Application.objects.filter(programme=programme, term=term, pupil__in=pupils)
    return dict(rows.exclude(state__in=ENDED_WITHOUT_AID).values_list("pupil_id", "tier"))


def _kinds(held: Iterable[Mapping[str, Any]]) -> tuple[Kind, ...]:
    return tuple((each["code"], tuple(sorted(each.get("flags", {}).items()))) for each in held)


def explained(changes: Iterable[Change], found: Effect) -> list[tuple[Change, Entitlement]]:
    """The changes with what the new rules say of each: the sentence, for as many as a page shows."""
    changes, today = list(changes), clock.today()
    places = {row.pk: row for row in Enrolment.objects.filter(pk__in=[each.enrolment for each in changes])}
    facts = register.facts_of(places.values(), on=today)
    told = []
    for each in changes:
        known = facts_for_rules({**facts[each.enrolment], **as_facts(each.attended)}, each.tier)
        name = term_label(found.target)
        told.append((each, entitlement(known, found.after, term=found.target, term_name=name, on=today)))
    return told


# --- after a rule dated in the past ----------------------------------------------------------------


def terms_with_cases(programme: Programme) -> list[Term]:
    """The terms in which somebody handed in an application, the newest first."""
    filed = Application.objects.filter(programme=programme, term=OuterRef("pk"), state__in=SUBMITTED)
    return list(Term.objects.filter(Exists(filed)).order_by("-key"))


def total(rows: Iterable[Difference]) -> Decimal:
    """The sum of the differences, 元."""
    return sum((row.difference for row in rows), _NOTHING)


def differences(
    programme: Programme, term: Term, county: Unit, rules: ProgrammeRules | None = None
) -> Iterator[Difference]:
    """Submitted applications of the term whose frozen amount is not what the rules give for the facts frozen with it.

    By class and name. The applications themselves stay as they are.
    """
    rules = rules or programmes.rules_of(programme)
    rows = Application.objects.filter(
        programme=programme, term=term, state__in=SUBMITTED, school_class__path__startswith=county.path
    )
    columns = ("pk", "school_class__path", "school__name", "pupil__name", "state", "amount", "tier", "facts")
    told = rows.order_by("school_class__path", "pupil__name", "pk").values_list(*columns)
    reckoner = Reckoner(rules, facts=_FACTS, term=term.key, on=clock.today())
    for key, path, school, name, state, amount, tier, facts in told.iterator(chunk_size=_AT_ONCE):
        said = [facts.get(fact, "") for fact in _FACTS]
        count = facts.get("attended")
        now = reckoner.amount(said, _kinds(facts["categories"]), tier, attended=Decimal(count) if count else None)
        if now != amount:
            yield Difference(key, path, school, facts["class_name"], name, state, amount, now)
