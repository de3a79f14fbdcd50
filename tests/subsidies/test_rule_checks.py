"""Rules that make no sense, rules that quarrel: refused with a sentence that says where. No database is touched."""

import dataclasses
import itertools
from decimal import Decimal

import pytest
from django.db.models import TextChoices
from hypothesis import given, settings
from hypothesis import strategies as st

from students.models import Boarding, Major, Pupil, School, Schooling, Stage
from subsidies import policy_words, rule_checks
from subsidies.entitlement import Condition, Flag, Ground, ProgrammeRules, StandardRule
from subsidies.models import ProcessRule, Programme
from subsidies.rule_checks import Child, channel_fault, child_of_both, clashes, faults, programme_faults, words_of
from tests.subsidies.test_entitlement import (
    _CODES,
    _FLAG,
    _TERMS,
    DIBAO,
    Hardship,
    _of,
    asks,
    child,
    dt,
    rules_of_any_kind,
)

NAMES = {"orphan": "孤儿", "tekun": "特困供养学生"}
RULES = ProgrammeRules("补助", ("primary", "junior"), (), recipients="all")


def row(key: int = 1, amount: str = "300", **changed) -> StandardRule:
    conditions = asks(**changed.pop("asked", {}))
    facts = {"document": f"县文件{key}", "first_term": "2026-2027-1", "conditions": conditions}
    return StandardRule(key, Decimal(amount), **facts | changed)


def said(rule: StandardRule, rules: ProgrammeRules = RULES, tiers: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [tuple(fault) for fault in faults(rule, rules, tiers=tiers, categories=NAMES)]


def test_a_sound_row_has_no_fault() -> None:
    assert (
        said(row(asked={"stage": "junior", "grade": "七年级", "region": "530103"}, any_of=frozenset({"orphan"}))) == []
    )


MONTHLY = dataclasses.replace(RULES, unit="month")


@pytest.mark.parametrize(
    ("rule", "where", "words"),
    [
        (row(amount="0"), "amount", "必须大于零"),
        (row(amount="-3"), "amount", "必须大于零"),
        (row(amount="312.505"), "amount", "最多两位小数"),
        (row(document=" "), "document", "没有写明文件名称和文号"),
        (row(first_term="2026"), "first_term", "执行学期“2026”不是学期代码"),
        (row(first_term="2026-2028-1"), "first_term", "执行学期“2026-2028-1”不是学期代码"),
        (row(last_term="2027-2028-3"), "last_term", "截止学期“2027-2028-3”不是学期代码"),
        (row(last_term="2025-2026-2"), "last_term", "截止学期（2026年春季学期）早于执行学期（2026年秋季学期）"),
        (row(periods=Decimal(5)), "periods", "补助按学期计算，不用填写每学期的月数或天数"),
        (row(periods=Decimal(0)), "periods", "必须大于零"),
        (row(asked={"height": "tall"}), "conditions.height", "条件“height”不认识"),
        (
            row(asked={"boarding": "hotel"}),
            "conditions.boarding",
            "条件“就读方式”里的“hotel”不认识；可选的是寄宿、走读、半寄宿",
        ),
        (row(asked={"stage": "senior"}), "conditions.stage", "普通高中不在补助的学段（小学、初中）里"),
        (row(asked={"grade": "十年级"}), "conditions.grade", "条件“年级”里的“十年级”不认识"),
        (row(asked={"region": "昆明"}), "conditions.region", "“昆明”不是六位行政区划代码"),
        (row(asked={"tier": "困难"}), "conditions.tier", "“困难”不是这个项目的等级；补助不分等级"),
        (row(conditions=(Condition("boarding", frozenset()),)), "conditions.boarding", "没有选择任何值"),
        (row(any_of=frozenset({"rich"})), "any_of", "困难类别（任一）里的代码“rich”不认识"),
        (row(all_of=frozenset({"rich"})), "all_of", "困难类别（全部）里的代码“rich”不认识"),
        (row(none_of=frozenset({"rich"})), "none_of", "困难类别（不含）里的代码“rich”不认识"),
        (row(all_of=frozenset({"orphan"}), none_of=frozenset({"orphan"})), "none_of", "“孤儿”既要求具备又要求不含"),
        (row(any_of=frozenset({"orphan"}), none_of=frozenset({"orphan"})), "none_of", "没有学生能符合"),
        (row(flags=(Flag("rich", _FLAG, frozenset({"是"})),)), "flags", "“享受政策”所属的困难类别代码“rich”不认识"),
        (row(flags=(Flag("orphan", "", frozenset({"是"})),)), "flags", "要写明名称和值"),
        # A value that is empty would be met by whoever is not on the list at all.
        (row(flags=(Flag("orphan", _FLAG, frozenset({"是", ""})),)), "flags", "要写明名称和值"),
    ],
)
def test_a_row_that_is_wrong_in_one_way(rule: StandardRule, where: str, words: str) -> None:
    ((found, sentence),) = said(rule)
    assert found == where
    assert words in sentence
    assert sentence.endswith("。")


def test_by_month_without_the_months_and_a_tier_of_another_programme() -> None:
    assert said(row(), MONTHLY) == [("periods", "补助按月计算，请写明每学期按几个月发放。")]
    assert said(row(periods=Decimal(5)), MONTHLY) == []
    ((where, words),) = said(row(asked={"tier": "特困"}), RULES, ("困难", "一般困难"))
    assert (where, words) == (
        "conditions.tier",
        "条件“困难等级”里的“特困”不是这个项目的等级；补助的等级是困难、一般困难。",
    )


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"stages": ()}, "stages"),
        ({"stages": ("college",)}, "stages"),
        ({"unit": "week"}, "unit"),
        ({"pro_rata": True}, "pro_rata"),
    ],
)
def test_a_programme_that_is_wrong(changed: dict, where: str) -> None:
    assert [fault.where for fault in programme_faults(dataclasses.replace(RULES, **changed))] == [where]


@pytest.mark.parametrize(
    ("form", "channels", "funding", "where"),
    [
        ("cash", ["card"], "state", None),
        ("cash", ["cash"], "state", "channels"),
        ("cash", ["card", "meal_card"], "state", "channels"),
        ("cash", ["cash"], "social", None),
        ("cash", ["canteen"], "state", "channels"),
        ("waiver", ["school"], "state", None),
        ("waiver", ["card"], "state", "channels"),
        ("meals", ["canteen"], "state", None),
        ("meals", [], "state", "channels"),
        ("meals", ["drone"], "state", "channels"),
        ("goods", ["card"], "state", "form"),
    ],
)
def test_the_ways_state_money_may_go(form: str, channels: list[str], funding: str, where: str | None) -> None:
    fault = channel_fault("补助", form=form, channels=channels, funding=funding)
    assert (fault and fault.where) == where
    if fault:
        assert fault.words.startswith("补助")
        assert fault.words.endswith("。")


def test_the_words_are_those_of_the_register() -> None:
    choices = {
        "stage": Stage, "boarding": Boarding, "ownership": School.Ownership, "registration": Pupil.Registration,
        "major": Major, "schooling": Schooling,
    }  # fmt: skip
    assert {fact: dict(kind.choices) for fact, kind in choices.items()} == policy_words.VALUES


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        (Programme.Unit, policy_words.UNITS),
        (Programme.Applied, policy_words.APPLIED),
        (Programme.Paid, policy_words.PAID),
        (Programme.Form, policy_words.FORMS),
        (Programme.Channel, policy_words.CHANNELS),
        (Programme.Funding, policy_words.FUNDING),
        (Programme.Recipients, policy_words.RECIPIENTS),
        (ProcessRule.DayKind, policy_words.DAY_KINDS),
    ],
)
def test_packs_may_say_what_the_models_know(choices: type[TextChoices], words: dict[str, str]) -> None:
    assert dict(choices.choices) == words


# --- rows beside each other ------------------------------------------------------------------------


def test_two_rows_that_give_one_child_two_amounts_are_named_with_such_a_child() -> None:
    one = row(1, "300", asked={"stage": "primary"})
    other = row(2, "400", asked={"boarding": "day"}, any_of=frozenset({"orphan"}), first_term="2027-2028-2")
    rules = dataclasses.replace(RULES, standards=(one, other))
    ((first, second, found),) = clashes(rules)
    assert (first.key, second.key) == (1, 2)
    assert words_of(found, NAMES) == "2028年春季学期的小学、走读、孤儿学生"
    assert list(clashes(dataclasses.replace(rules, highest_wins=True))) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"asked": {"boarding": "day"}}, {"asked": {"boarding": "boarding half"}}),
        ({"last_term": "2026-2027-2"}, {"first_term": "2027-2028-1"}),
        ({"all_of": frozenset({"orphan"})}, {"none_of": frozenset({"orphan"})}),
        ({"asked": {"grade": "七年级"}}, {"asked": {"stage": "primary"}}),
        ({"asked": {"major": "arts"}}, {}),
        (
            {"flags": (Flag("orphan", _FLAG, frozenset({"是"})),)},
            {"flags": (Flag("orphan", _FLAG, frozenset({"否"})),)},
        ),
        ({"amount": "400"}, {}),
    ],
)
def test_rows_no_child_fits_both_of_or_that_pay_alike(one: dict, other: dict) -> None:
    rules = dataclasses.replace(RULES, standards=(row(1, **{"amount": "300"} | one), row(2, "400", **other)))
    assert list(clashes(rules)) == []


def test_a_row_of_the_same_case_ends_with_the_term_before() -> None:
    old, fresh = row(1, last_term="2029-2030-2"), row(2, "400", first_term="2027-2028-1")
    after = rule_checks.after_adding(dataclasses.replace(RULES, standards=(old,)), fresh)
    assert [(each.key, each.last_term) for each in after.standards] == [(1, "2026-2027-2"), (2, "")]
    other = row(2, "400", first_term="2027-2028-1", asked={"boarding": "day"})
    kept = rule_checks.after_adding(dataclasses.replace(RULES, standards=(old,)), other)
    assert [each.last_term for each in kept.standards] == ["2029-2030-2", ""]


def test_whom_a_row_is_for_in_words() -> None:
    rule = row(
        asked={"boarding": "half day", "stage": "junior"}, any_of=frozenset({"tekun"}), none_of=frozenset({"orphan"})
    )
    assert rule_checks.whom(rule, NAMES) == [
        "学段：初中", "就读方式：走读、半寄宿", "困难类别具备其一：特困供养学生", "困难类别不含：孤儿",
    ]  # fmt: skip
    assert rule_checks.whom(row(), NAMES) == []


def _everybody():
    """Every child there can be, as far as these rules can tell children apart."""
    kinds = [None, (), ((_FLAG, "是"),), ((_FLAG, "否"),)]
    places = itertools.product(["primary", "junior"], ["boarding", "day", "half"], ["rural", "urban"])
    for (stage, boarding, registration), flags in itertools.product(places, itertools.product(kinds, repeat=3)):
        held = tuple(
            Hardship(code, "类", "系统比对", dt.date(2024, 1, 1), None, "", said)
            for code, said in zip(_CODES, flags, strict=True)
            if said is not None
        )
        yield child(stage=stage, boarding=boarding, registration=registration, hardships=held)


EVERYBODY = list(_everybody())


@settings(max_examples=60, deadline=None)
@given(rules_of_any_kind)
def test_a_child_of_both_is_found_exactly_when_there_is_one(rules: ProgrammeRules) -> None:
    if len(rules.standards) < 2:
        return
    # What a row pays is no matter here, only whom it fits.
    rules = dataclasses.replace(rules, unit="term", pro_rata=False, standards=rules.standards[:2])
    alone = [dataclasses.replace(rules, standards=(each,)) for each in rules.standards]
    there_is = any(all(_of(each, rule, term).is_entitled for rule in alone) for term in _TERMS for each in EVERYBODY)
    found = child_of_both(*rules.standards, rules)
    assert (found is not None) == there_is
    if found:
        assert words_of(found, {}).endswith("学生")


@given(rules_of_any_kind)
def test_the_child_named_does_get_two_amounts(rules: ProgrammeRules) -> None:
    rules = dataclasses.replace(rules, unit="term", pro_rata=False, highest_wins=False)
    for one, other, found in clashes(rules):
        for each in (one, other):
            assert _of(_as_pupil(found), dataclasses.replace(rules, standards=(each,)), found.term).is_entitled


def _as_pupil(found: Child):
    flags = {code: ((name, value),) for (code, name), value in found.flags.items()}
    held = tuple(
        dataclasses.replace(DIBAO, code=code, valid_from=dt.date(2020, 1, 1), flags=flags.get(code, ()))
        for code in found.categories
    )
    return child(**{"boarding": "boarding"} | found.facts, hardships=held)


def test_ground_of_one_way_of_boarding_is_looked_for_among_all_the_rows_allow() -> None:
    grounds = (Ground("orphan", "day", "2020-2021-1", ""),)
    rows = (
        row(1, asked={"boarding": "boarding day"}),
        row(2, "400", asked={"boarding": "boarding day"}, any_of=frozenset({"orphan"})),
    )
    rules = dataclasses.replace(RULES, standards=rows, grounds=grounds, recipients="listed")
    ((_, _, found),) = clashes(rules)
    assert found.facts["boarding"] == "day"


values = st.sampled_from(["", "特困", "x", "primary", "七年级", "530103"])


@given(
    st.lists(
        st.builds(
            Condition,
            st.sampled_from([*policy_words.CONDITIONS, "height"]),
            st.sets(values, max_size=2).map(frozenset),
        ),
        max_size=3,
    ),
    st.sets(st.sampled_from(["orphan", "rich"])).map(frozenset),
    st.sampled_from(["term", "month", "once"]),
    st.text(max_size=11),
)
def test_whatever_is_written_is_answered_with_sentences(conditions, codes, unit: str, term: str) -> None:
    rule = row(conditions=tuple(conditions), any_of=codes, none_of=codes, first_term=term)
    for where, words in said(rule, dataclasses.replace(RULES, unit=unit)):
        assert where
        assert words.endswith("。")
