"""Amounts of many pupils under one programme: each kind of case is reckoned once. Pure: no model is imported.

Facts repeat. What the rows of a stage do not ask for is no matter, and of what they do ask for, values that no row
tells apart are one: of three thousand regions those that no row names are alike. So a county's pupils are few kinds
of case, and for most pupils the amount is looked up.
"""

import datetime as dt
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypeVar

from .dated_terms import is_in_force
from .entitlement import Facts, Hardship, ProgrammeRules, StandardRule, amount_of

# A kind of hardship in force, with what its list says: ("at_risk", (("享受政策", "是"),)).
Kind = tuple[str, tuple[tuple[str, str], ...]]

_K = TypeVar("_K")
_V = TypeVar("_V")
_OTHER = "\0"  # stands for every value that no row names
_MOST = 20_000  # cases kept of a stage: more than rules of a county tell apart, and bounded whatever the facts are


@dataclass(frozen=True)
class _Stage:
    """A programme's rules for one stage, and what they tell apart; values that are alike have one representative."""

    rules: ProgrammeRules
    facts: tuple[str, ...]  # asked for, beside the stage
    asked: tuple[tuple[int, dict[str, str]], ...]  # of each its place among the values, and value → representative
    tiers: dict[str, str]
    codes: dict[str, str]  # of hardship
    flags: dict[str, dict[str, dict[str, str]]]  # code → name on the list → what is said → representative
    held: dict[tuple[Kind, ...], tuple[Kind, ...]] = field(default_factory=dict)
    known: dict[Hashable, Decimal | None] = field(default_factory=dict)


class Reckoner:
    """The amounts that rules give in a term to pupils in school.

    `facts` are the names of the facts of a place (stage, grade, boarding …) in the order in which `amount` is given
    their values; all that the rules ask for must be among them.
    """

    def __init__(self, rules: ProgrammeRules, *, facts: Sequence[str], term: str, on: dt.date) -> None:
        self.rules, self.term, self.on = rules, term, on
        self._facts = tuple(facts)
        self._stage_at = self._facts.index("stage")
        self._stages = {stage: self._for_stage(stage) for stage in rules.stages}
        self.cases = 0  # how many kinds of case were reckoned

    @property
    def looks_at_kinds(self) -> bool:
        """Whether any kind of hardship is a matter of the rules."""
        return any(stage.codes for stage in self._stages.values())

    def amount(
        self,
        values: Sequence[str],
        kinds: tuple[Kind, ...] = (),
        tier: str = "",
        *,
        attended: Decimal | None = None,
        had_before: bool = False,
    ) -> Decimal | None:
        """元 for the term, None if there is nothing. `kinds` are those in force on the day."""
        stage = self._stages.get(values[self._stage_at])
        if stage is None:
            return None
        held = stage.held.get(kinds) if kinds else ()
        if held is None:
            held = _keep(stage.held, kinds, _alike(stage, kinds))
        told = [alike.get(values[at], _OTHER) for at, alike in stage.asked]
        attended = attended if self.rules.pro_rata else None
        tier = stage.tiers.get(tier, _OTHER)
        case = (held, tier, attended, had_before, *told)
        try:
            return stage.known[case]
        except KeyError:
            self.cases += 1
            known: dict[str, Any] = {"boarding": _OTHER, **dict(zip(stage.facts, told, strict=True))}
            known |= {"tier": tier, "attended": attended, "had_before": had_before}
            hardships = tuple(Hardship(code, code, "", self.on, None, "", flags) for code, flags in held)
            facts = Facts(stage.rules.stages[0], hardships=hardships, **known)
            return _keep(stage.known, case, amount_of(facts, stage.rules, term=self.term, on=self.on))

    def _for_stage(self, stage: str) -> _Stage:
        rows = [row for row in self.rules.standards if is_in_force(row, self.term) and _is_for(row, stage)]
        listed = self.rules.recipients == "listed"
        grounds = [each for each in self.rules.grounds if listed and is_in_force(each, self.term)]
        asked: dict[str, list[frozenset[str]]] = {}
        for condition in (condition for row in rows for condition in row.conditions if condition.fact != "stage"):
            asked.setdefault(condition.fact, []).append(condition.values)
        for ground in grounds:
            if ground.boarding:
                asked.setdefault("boarding", []).append(frozenset({ground.boarding}))
        tiers = asked.pop("tier", [])
        said: dict[str, dict[str, list[frozenset[str]]]] = {}
        for flag in (flag for row in rows for flag in row.flags):
            said.setdefault(flag.code, {}).setdefault(flag.name, []).append(flag.values)
        # One of these cannot stand for another: each of them may be asked for beside the other.
        own = [frozenset({code}) for code in said.keys() | frozenset[str]().union(*(row.all_of for row in rows))]
        accepted = [
            frozenset(each.code for each in grounds if each.boarding == way) for way in {g.boarding for g in grounds}
        ]
        return _Stage(
            rules=replace(self.rules, stages=(stage,), standards=tuple(rows), grounds=tuple(grounds)),
            facts=tuple(asked),
            asked=tuple((self._facts.index(fact), _representatives(sets)) for fact, sets in asked.items()),
            tiers=_representatives(tiers),
            codes=_representatives([*own, *accepted, *(row.any_of for row in rows), *(row.none_of for row in rows)]),
            flags={
                code: {name: _representatives(sets) for name, sets in names.items()} for code, names in said.items()
            },
        )


def _is_for(row: StandardRule, stage: str) -> bool:
    return all(stage in condition.values for condition in row.conditions if condition.fact == "stage")


def _representatives(sets: Iterable[frozenset[str]]) -> dict[str, str]:
    """Every value that is in a set, and the first of those that are in the same sets as it."""
    distinct = list(dict.fromkeys(sets))
    first: dict[tuple[bool, ...], str] = {}
    values = sorted(frozenset[str]().union(*distinct))
    return {value: first.setdefault(tuple(value in each for each in distinct), value) for value in values}


def _alike(stage: _Stage, kinds: Iterable[Kind]) -> tuple[Kind, ...]:
    """The kinds that matter, by their representatives, with what matters of what their lists say."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for code, flags in kinds:
        if code in stage.codes:
            said, asked = dict(flags), stage.flags.get(code, {})
            found[stage.codes[code]] = tuple(
                (name, alike.get(said.get(name, ""), _OTHER)) for name, alike in asked.items()
            )
    return tuple(sorted(found.items()))


def _keep(known: dict[_K, _V], key: _K, value: _V) -> _V:
    if len(known) >= _MOST:
        known.clear()
    known[key] = value
    return value
