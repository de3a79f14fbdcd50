"""Amounts of many pupils under one programme: each kind of case is reckoned once. Pure: no model is imported.

Facts repeat: of a county's pupils, those in one stage with one way of boarding and the same kinds of hardship get one
amount. The rules say which facts they can look at; pupils who do not differ in these are one case.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from .entitlement import Facts, Hardship, ProgrammeRules, StandardRule, entitlement

# A kind of hardship in force, with what its list says: ("at_risk", (("享受政策", "是"),)).
Kind = tuple[str, tuple[tuple[str, str], ...]]


class Reckoner:
    """The amounts that rules give in a term, by the facts they ask for."""

    def __init__(self, rules: ProgrammeRules, *, term: str, on: dt.date) -> None:
        self.rules, self.term, self.on = rules, term, on
        self._rows = rows = [
            row for row in rules.standards if row.first_term <= term and (not row.last_term or term <= row.last_term)
        ]
        asked = {"stage"} | {condition.fact for row in rows for condition in row.conditions}
        if rules.recipients == "listed" and any(ground.boarding for ground in rules.grounds):
            asked.add("boarding")
        self.is_tiered = "tier" in asked
        self.asked = tuple(sorted(asked - {"tier"}))
        self.codes = frozenset[str]().union(*(row.any_of | row.all_of | row.none_of for row in rows))
        self.codes |= {flag.code for row in rows for flag in row.flags}
        self.flagged = frozenset(flag.code for row in rows for flag in row.flags)
        if rules.recipients == "listed":
            self.codes |= {ground.code for ground in rules.grounds}
        self._of_stage: dict[str, ProgrammeRules] = {}
        self._known: dict[tuple[object, ...], Decimal | None] = {}

    def amount(self, place: Mapping[str, str], tier: str = "", kinds: Iterable[Kind] = ()) -> Decimal | None:
        """元 for the term of a pupil in school, None if there is nothing. `kinds`: those in force on the day."""
        relevant = frozenset(
            (code, flags if code in self.flagged else ()) for code, flags in kinds if code in self.codes
        )
        case = (tier if self.is_tiered else "", relevant, *[place[fact] for fact in self.asked])
        if case not in self._known:
            self._known[case] = self._reckon(place, tier, relevant)
        return self._known[case]

    def _rules_for(self, stage: str) -> ProgrammeRules:
        """The rules without the rows of other stages or terms: these pay nobody of this stage anything."""
        if stage not in self._of_stage:
            fitting = (row for row in self._rows if _is_for(row, stage))
            self._of_stage[stage] = replace(self.rules, standards=tuple(fitting))
        return self._of_stage[stage]

    @property
    def cases(self) -> int:
        """How many kinds of case there were."""
        return len(self._known)

    def _reckon(self, place: Mapping[str, str], tier: str, kinds: Iterable[Kind]) -> Decimal | None:
        known: dict[str, Any] = {"stage": "", "boarding": ""} | {fact: place[fact] for fact in self.asked}
        hardships = tuple(Hardship(code, code, "", self.on, None, "", flags) for code, flags in sorted(kinds))
        facts = Facts(**known, tier=tier, hardships=hardships)
        return entitlement(facts, self._rules_for(facts.stage), term=self.term, term_name=self.term, on=self.on).amount


def _is_for(row: StandardRule, stage: str) -> bool:
    return all(stage in condition.values for condition in row.conditions if condition.fact == "stage")
