"""Many pupils at once get what each gets alone, and cases that are alike are reckoned once. No database is touched."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from subsidies.entitlement import Facts, ProgrammeRules
from subsidies.reckoner import Reckoner
from tests.subsidies.test_entitlement import (
    _TERMS,
    DIBAO,
    ON,
    TERM,
    _of,
    child,
    facts_of_any_kind,
    pays,
    programme,
    rules_of_any_kind,
)


def _asked(reckoner: Reckoner, facts: Facts) -> Decimal | None:
    place = {name: getattr(facts, name) for name in ("stage", "grade", "boarding", "registration", "region", "major")}
    place |= {"ownership": facts.ownership, "schooling": facts.schooling}
    held = [(each.code, each.flags) for each in facts.hardships if each.valid_to is None]
    return reckoner.amount(place, facts.tier, held)


@given(st.lists(facts_of_any_kind, max_size=8), rules_of_any_kind, st.sampled_from(_TERMS))
def test_the_same_as_asked_alone(pupils: list[Facts], rules: ProgrammeRules, term: str) -> None:
    reckoner = Reckoner(rules, term=term, on=ON)
    for facts in pupils:
        if facts.standing != "present" or facts.attended is not None or facts.had_before:
            continue
        assert _asked(reckoner, facts) == _of(facts, rules, term).amount


def test_only_facts_the_rules_ask_for_make_cases() -> None:
    rules = programme(pays("300", asked={"registration": "rural"}))
    reckoner = Reckoner(rules, term=TERM, on=ON)
    for region in range(1000):
        for registration in ("rural", "urban"):
            _asked(reckoner, child(registration=registration, region=f"{region:06}", hardships=(DIBAO,)))
    assert reckoner.cases == 2
