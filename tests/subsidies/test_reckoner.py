"""Many pupils at once get what each gets alone, and cases that are alike are reckoned once. No database is touched."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subsidies import reckoner as reckoning
from subsidies.entitlement import Condition, Facts, Flag, Ground, ProgrammeRules
from subsidies.reckoner import Reckoner
from tests.subsidies.test_entitlement import (
    _CODES,
    _FLAG,
    _TERMS,
    _VALUES,
    DIBAO,
    ON,
    TERM,
    _of,
    _some,
    child,
    facts_of_any_kind,
    pays,
    programme,
    rows_of_any_kind,
    rules_of_any_kind,
)

OTHER = replace(DIBAO, code="orphan")
PLACE = ("stage", "grade", "boarding", "registration", "region", "major", "ownership", "schooling")


def reckons(rules: ProgrammeRules, term: str = TERM) -> Reckoner:
    return Reckoner(rules, facts=PLACE, term=term, on=ON)


def _asked(reckoner: Reckoner, facts: Facts) -> Decimal | None:
    held = tuple((each.code, each.flags) for each in facts.hardships if each.valid_to is None)
    return reckoner.amount(
        [getattr(facts, name) for name in PLACE],
        held,
        facts.tier,
        attended=facts.attended,
        had_before=facts.had_before,
    )


# --- the same as asked alone -----------------------------------------------------------------------

_tiers = ["", "困难", "特别困难"]
_regions = ["", "530102", "530103", "411000"]
_wide_conditions = st.lists(
    st.one_of(
        *(
            st.builds(Condition, st.just(fact), _some(values, 1, len(values)))
            for fact, values in {**_VALUES, "tier": _tiers[1:], "region": _regions[1:]}.items()
        )
    ),
    max_size=3,
    unique_by=lambda condition: condition.fact,
).map(tuple)
_flags = st.lists(
    st.builds(Flag, st.sampled_from(_CODES), st.sampled_from([_FLAG, "致贫原因"]), _some(["是", "否", "因病"], 1)),
    max_size=2,
).map(tuple)
_wide_rules = st.builds(
    lambda rules, rows, conditions, flags: replace(
        rules,
        tiered=True,
        standards=tuple(
            replace(row, key=key, conditions=asked, flags=said if key % 2 else ())
            for key, (row, asked, said) in enumerate(zip(rows, conditions, flags, strict=False), start=1)
        ),
    ),
    rules_of_any_kind,
    st.lists(rows_of_any_kind, min_size=1, max_size=6),
    st.lists(_wide_conditions, min_size=6, max_size=6),
    st.lists(_flags, min_size=6, max_size=6),
)
_wide_facts = st.builds(
    lambda facts, tier, region, boarding: replace(facts, tier=tier, region=region, boarding=boarding),
    facts_of_any_kind,
    st.sampled_from(_tiers),
    st.sampled_from(_regions),
    st.sampled_from(["", "boarding", "day", "half"]),
)


@settings(max_examples=200)
@given(st.lists(_wide_facts, min_size=1, max_size=6), rules_of_any_kind | _wide_rules, st.sampled_from(_TERMS))
def test_the_same_as_asked_alone(pupils: list[Facts], rules: ProgrammeRules, term: str) -> None:
    reckoner = reckons(rules, term)
    for facts in pupils:
        if facts.standing == "present":
            assert _asked(reckoner, facts) == _of(facts, rules, term).amount
    assert reckoner.cases <= len(pupils)


@settings(max_examples=200)
@given(_wide_facts, _wide_facts, _wide_rules, st.sampled_from(_TERMS))
def test_no_tier_or_region_that_is_not_named_changes_the_amount(
    one: Facts, other: Facts, rules: ProgrammeRules, term: str
) -> None:
    found = _of(one, rules, term)
    changed = {name: getattr(other, name) for name in ("tier", "region", "boarding") if name not in found.rests_on}
    assert _of(replace(one, **changed), rules, term).amount == found.amount


@given(st.lists(facts_of_any_kind, min_size=4, max_size=12), rules_of_any_kind, st.sampled_from(_TERMS))
def test_the_same_though_little_is_kept(pupils: list[Facts], rules: ProgrammeRules, term: str) -> None:
    most = reckoning._MOST
    reckoning._MOST = 1
    try:
        reckoner = reckons(rules, term)
        for facts in pupils:
            if facts.standing == "present":
                assert _asked(reckoner, facts) == _of(facts, rules, term).amount
        assert all(len(stage.known) <= 1 and len(stage.held) <= 1 for stage in reckoner._stages.values())
    finally:
        reckoning._MOST = most


def test_of_two_notes_on_one_kind_the_later_counts() -> None:
    flags = (Flag("dibao_rural", "享受政策", frozenset({"是"})),)
    rules = programme(pays("300", flags=flags))
    yes, no = (replace(DIBAO, flags=(("享受政策", said),)) for said in "是否")
    reckoner = reckons(rules)
    for held in ((yes, no), (no, yes)):
        facts = child(hardships=held)
        assert _asked(reckoner, facts) == _of(facts, rules, TERM).amount


# --- cases that are alike --------------------------------------------------------------------------


def test_only_facts_the_rules_ask_for_make_cases() -> None:
    reckoner = reckons(programme(pays("300", asked={"registration": "rural"})))
    for region in range(1000):
        for registration in ("rural", "urban"):
            _asked(reckoner, child(registration=registration, region=f"{region:06}", hardships=(DIBAO,)))
    assert reckoner.cases == 2


def test_values_no_row_names_are_one_case() -> None:
    reckoner = reckons(programme(pays("300", asked={"region": "530102"}), pays("300", 2, asked={"region": "530103"})))
    for region in range(530000, 531000):
        _asked(reckoner, child(region=str(region)))
    assert reckoner.cases == 3


def test_values_that_stand_in_the_same_rows_are_one_case() -> None:
    regions = " ".join(str(region) for region in range(530100, 530200))
    rules = programme(pays("300", asked={"region": regions}), pays("300", 2, asked={"region": regions}))
    reckoner = reckons(rules)
    for region in regions.split():
        _asked(reckoner, child(region=region))
    assert reckoner.cases == 1


def test_a_stage_asks_only_what_its_own_rows_ask() -> None:
    rows = pays("300", asked={"stage": "primary", "region": "530102"}), pays("400", 2, asked={"stage": "junior"})
    reckoner = reckons(programme(*rows))
    for region in ("530101", "530102", "530103"):
        _asked(reckoner, child(stage="junior", region=region))
    assert reckoner.cases == 1


def test_kinds_that_only_open_the_programme_are_one_case() -> None:
    grounds = tuple(Ground(code, "", "2020-2021-1", "") for code in (DIBAO.code, OTHER.code))
    reckoner = reckons(programme(pays("300"), grounds=grounds, recipients="listed"))
    for held in ((DIBAO,), (OTHER,), (DIBAO, OTHER), (OTHER, DIBAO)):
        assert _asked(reckoner, child(hardships=held)) == 300
    assert reckoner.cases == 1


def test_a_fact_the_place_does_not_tell_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        Reckoner(programme(pays("300", asked={"region": "530102"})), facts=("stage",), term=TERM, on=ON)
