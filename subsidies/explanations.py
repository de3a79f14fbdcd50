"""能享受什么、为什么: of one pupil every programme with amount or reason; of one application whether it still holds.

Nothing is written here. What an application stands on is frozen with it; what is said here is as of today.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts import clock, scopes
from accounts.models import User
from accounts.roles import Permission
from students import enrolment as register
from students import terms
from students.models import Enrolment, Standing

from . import attendance, programmes
from .applications import facts_for_rules, known
from .attendance import Attendance
from .changes import LISTED, UNSUBMITTED, WITH_CLASS, WITH_COUNTY
from .entitlement import Entitlement, entitlement
from .models import Application, Programme, ProgrammeExclusion, Reckoning
from .policy_words import condition_name, condition_value
from .states import ENDED_WITHOUT_AID, State

P = Permission
_CATEGORY = "category:"
# What to do where the fact that failed is not as it should be on record.
_REMEDIES = {
    "category": "register_circumstance",
    "boarding": "record_change",
    "schooling": "record_change",
    "registration": "record_change",
    "region": "record_change",
    "grade": "correct_class",
    "major": "correct_class",
}


@dataclass(frozen=True)
class Answer:
    """What one programme gives the pupil this term, and why; or what is missing for it."""

    programme: Programme
    found: Entitlement  # of the tier applied with, else the first that pays
    by_tier: tuple[tuple[str, Entitlement], ...]  # empty where the programme has no tiers
    application: Application | None  # of the term, if one stands
    may_open: bool  # whether the reader may look at that application
    instead_of: tuple[str, ...]  # programmes that cannot be had beside it
    remedies: frozenset[str]  # desks that could put right what failed: the values of _REMEDIES

    @property
    def is_by_quota(self) -> bool:
        return self.programme.recipients == Programme.Recipients.PERCENTAGE

    @property
    def differs(self) -> bool:
        """Whether the application that stands was handed in with another amount."""
        case = self.application
        return case is not None and case.state not in UNSUBMITTED and case.amount != self.found.amount


# --- one pupil ---------------------------------------------------------------------------------------


def answers(place: Enrolment, *, reader: User) -> list[Answer]:
    """Of every active programme of the pupil's stage, as of today: those that pay first.

    A constant number of queries, however many programmes there are.
    """
    today, term = clock.today(), place.term
    offered = Programme.objects.filter(is_active=True).prefetch_related("standards", "accepted").order_by("code")
    fitting = [programme for programme in offered if place.stage in programme.stages]
    facts = register.facts_of([place], on=today)[place.pk]
    there, had = Attendance(term, [place.pupil_id]), _had_once(place)
    rows = Application.objects.filter(pupil=place.pupil_id, term=term).exclude(state__in=ENDED_WITHOUT_AID)
    cases = {row.programme_id: row for row in rows.select_related("school_class")}
    beside = _exclusions(term.key)
    found = []
    for programme in fitting:
        told, case = facts | {"had_before": programme.pk in had}, cases.get(programme.pk)
        if programme.pro_rata:
            told |= attendance.as_facts(there.of(programme)[place.pupil_id])
        rules = programmes.rules_of(programme)
        by_tier = {
            tier: entitlement(facts_for_rules(told, tier), rules, term=term.key, term_name=term.name, on=today)
            for tier in programme.tiers or [""]
        }
        found.append(
            Answer(
                programme,
                _chosen(by_tier, case),
                tuple(by_tier.items()) if programme.tiers else (),
                case,
                case is not None and scopes.allows(reader, P.VIEW_CASES, case.school_class),
                tuple(beside.get(programme.pk, ())),
                _remedies(_chosen(by_tier, case), facts),
            )
        )
    return sorted(found, key=lambda answer: not answer.found.is_entitled)


def _remedies(found: Entitlement, facts: Mapping[str, Any]) -> frozenset[str]:
    if found.is_entitled:
        return frozenset()
    if facts["standing"] != Standing.PRESENT:
        return frozenset({"record_change"})
    kinds = {"category" if fact.startswith(_CATEGORY) else fact for fact in found.rests_on}
    if "category" in kinds and not facts["categories"]:
        return frozenset({"register_circumstance"})
    return frozenset(_REMEDIES[kind] for kind in kinds if kind in _REMEDIES)


def _chosen(by_tier: Mapping[str, Entitlement], case: Application | None) -> Entitlement:
    if case is not None and case.tier in by_tier:
        return by_tier[case.tier]
    return next((each for each in by_tier.values() if each.is_entitled), next(iter(by_tier.values())))


def _had_once(place: Enrolment) -> set[int]:
    """Programmes paid once only that the pupil has had, or is about to have, in another term."""
    rows = Application.objects.filter(pupil=place.pupil_id, programme__unit=Programme.Unit.ONCE)
    rows = rows.exclude(term=place.term_id).exclude(state__in=(State.DRAFT, State.RETURNED, *ENDED_WITHOUT_AID))
    return set(rows.values_list("programme_id", flat=True))


def _exclusions(term: str) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for row in ProgrammeExclusion.objects.in_force(term).select_related("programme", "other"):
        found.setdefault(row.programme_id, []).append(row.other.name)
        found.setdefault(row.other_id, []).append(row.programme.name)
    return found


# --- one application ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Today:
    """What today's rules give the application, beside what it stands on. `is_new`: nothing is frozen yet.

    `facts_too`: today's facts as well as today's rules; of a pupil who is elsewhere, or of a term that is over, only
    the rules are compared.
    """

    found: Entitlement
    frozen: Decimal | None
    differences: tuple[tuple[str, str, str], ...]  # (就读方式, 寄宿, 走读)
    facts_too: bool
    state: str

    @property
    def is_other(self) -> bool:
        return self.found.amount != self.frozen

    @property
    def deed(self) -> str:
        """What to do where it is another amount."""
        if self.state in (State.APPROVED, *LISTED):
            return "名单不改，差额由县资助中心按“差额清单”或“待处理的发放影响”办理。"
        if self.state in WITH_CLASS:
            return "要按新的金额办理，请评议、评审时退回，由班主任重新提交。"
        when = "审核时" if self.state in WITH_COUNTY else "在学校上报后、审核时"
        return f"要按新的金额办理，请县资助中心{when}退回，由班主任重新提交。"


def today(application: Application) -> Today | None:
    """What the rules give today; None where the case has ended, or waits for a school, and nothing follows from it."""
    if application.state in (State.MOVING, *ENDED_WITHOUT_AID):
        return None
    is_open = application.state in UNSUBMITTED
    place = application.enrolment
    # What is recorded since of a pupil who has left the class is not its readers' to see.
    is_here = place.ends_on is None and place.school_class_id == application.school_class_id
    facts_too = is_open or (is_here and application.term_id == getattr(terms.current(), "pk", None))
    frozen = application.facts
    if not facts_too and not frozen:
        return None
    now = _facts_today(application) if facts_too else frozen
    day = clock.today() if facts_too else dt.date.fromisoformat(frozen["on"])
    term, rules = application.round.term, programmes.rules_of(application.round.programme)
    facts = facts_for_rules(now, application.tier)
    found = entitlement(facts, rules, term=term.key, term_name=term.name, on=day)
    differences: list[tuple[str, str, str]] = []
    if frozen and facts_too and not is_open:
        last = last_reckoning(application)
        differences = _differences(frozen, now, [*(last.rests_on if last else ()), *found.rests_on])
    return Today(found, None if is_open else application.amount, tuple(differences), facts_too, application.state)


def last_reckoning(application: Application) -> Reckoning | None:
    """How the frozen amount was reckoned."""
    return application.reckonings.select_related("by").order_by("pk").last()


def words_of(rests_on: Iterable[str], facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The facts an amount rests on, in words: (就读方式, 寄宿), (困难类别, 农村低保)."""
    names = {row["code"]: row["name"] for row in facts["categories"]}
    rests_on = sorted(rests_on)
    told = [(_name(fact), _value(fact, facts)) for fact in rests_on if fact in _SHOWN and _value(fact, facts)]
    held = [names[code] for fact in rests_on if (code := fact.removeprefix(_CATEGORY)) in names and code != fact]
    return [*told, ("困难类别", "、".join(held))] if held else told


_SHOWN = (*register.PLACE_FACTS, "attended")


def _facts_today(application: Application) -> dict[str, Any]:
    place, round_ = application.enrolment, application.round
    return known(round_.programme, round_.term, [place], on=clock.today())[place.pk]


def _differences(
    before: Mapping[str, Any], after: Mapping[str, Any], rests_on: Iterable[str]
) -> list[tuple[str, str, str]]:
    mattered = set(rests_on)
    found = [
        (_name(fact), _value(fact, before) or "没有登记", _value(fact, after) or "没有登记")
        for fact in (*_SHOWN, "standing")
        if fact in mattered and before.get(fact, "") != after.get(fact, "")
    ]
    was, now = ({row["code"]: row["name"] for row in facts["categories"]} for facts in (before, after))
    for code in sorted(was.keys() ^ now.keys()):
        if f"{_CATEGORY}{code}" in mattered:
            found.append(("困难类别", was.get(code, "没有登记"), now.get(code, "已不在有效期内")))
    return found


def _name(fact: str) -> str:
    return {"attended": "实际在校时间", "standing": "在读情况"}.get(fact) or condition_name(fact)


def _value(fact: str, facts: Mapping[str, Any]) -> str:
    if fact == "attended":
        return facts.get("presence", "")
    return str(facts.get(f"{fact}_label") or condition_value(fact, facts.get(fact, "")))
