"""What a pupil is entitled to: one rule, one test, sentences in full. No database is touched."""

import dataclasses
import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidies import reference
from subsidies.entitlement import (
    CategoryRule,
    Entitlement,
    Facts,
    Hardship,
    ProgrammeRules,
    StandardRule,
    entitlement,
    term_label,
)

DIBAO = Hardship("dibao_rural", "农村低保家庭学生", "系统比对", dt.date(2025, 9, 1), None)
ORPHAN = Hardship("orphan", "孤儿", "学校自采集", dt.date(2024, 3, 1), dt.date(2027, 2, 28))
MARGIN = Hardship("dibao_margin", "低保边缘家庭学生", "系统比对", dt.date(2025, 9, 1), None)

OLD = "国家基础标准（2011年秋季学期起）"
NEW = "国家基础标准（财政部2024年5月7日下达城乡义务教育补助经费，2024年春季学期起）"

DAYS = {"2023-2024-1": dt.date(2025, 10, 1), "2023-2024-2": dt.date(2025, 10, 1), "2026-2027-1": dt.date(2026, 10, 12)}


def shipped(code: str) -> ProgrammeRules:
    """The rules of a programme as they ship, without a database."""
    plan = next(plan for plan in reference.PROGRAMMES if plan.code == code)
    grounds = [(c, "") for c in plan.grounds]
    grounds += [(c, "boarding") for c in plan.boarding_grounds] + [(c, "day") for c in plan.day_grounds]
    return ProgrammeRules(
        name=plan.name,
        stages=plan.stages,
        tiered=bool(plan.tiers),
        standards=tuple(
            StandardRule(key, stage, boarding, tier, Decimal(amount), document, first, last)
            for key, (stage, boarding, tier, amount, document, first, last) in enumerate(plan.standards)
        ),
        categories=tuple(CategoryRule(c, boarding, "2011-2012-1", "") for c, boarding in grounds),
    )


LIVING, SENIOR, PRESCHOOL = shipped("living-aid"), shipped("senior-grant"), shipped("preschool-aid")


def asked(
    rules: ProgrammeRules = LIVING,
    *hardships: Hardship,
    stage: str = "junior",
    boarding: str = "boarding",
    grade: str = "",
    term: str = "2026-2027-1",
    on: dt.date | None = None,
) -> Entitlement:
    facts = Facts(stage, boarding, grade, hardships or (DIBAO,))
    return entitlement(
        facts, rules, term=term, term_name=term_label(term), on=on or DAYS.get(term, dt.date(2026, 3, 2))
    )


# --- amounts to the fen ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("term", "stage", "boarding", "amount"),
    [
        ("2023-2024-1", "primary", "boarding", "500.00"),
        ("2023-2024-1", "junior", "boarding", "625.00"),
        ("2023-2024-1", "primary", "day", "250.00"),
        ("2023-2024-1", "junior", "day", "312.50"),
        # The raise of spring 2024 is chosen by the term paid for, not by the school year.
        ("2023-2024-2", "primary", "boarding", "625.00"),
        ("2023-2024-2", "junior", "boarding", "750.00"),
        ("2023-2024-2", "primary", "day", "312.50"),
        ("2023-2024-2", "junior", "day", "375.00"),
        ("2026-2027-1", "primary", "boarding", "625.00"),
        ("2026-2027-1", "junior", "boarding", "750.00"),
        ("2026-2027-1", "primary", "day", "312.50"),
        ("2026-2027-1", "junior", "day", "375.00"),
    ],
)
def test_living_aid_by_term_stage_and_boarding(term: str, stage: str, boarding: str, amount: str) -> None:
    assert asked(stage=stage, boarding=boarding, term=term).amount == Decimal(amount)


@pytest.mark.parametrize(
    ("term", "grade", "amount"),
    [
        ("2024-2025-1", "特别困难", "1500.00"),
        ("2024-2025-1", "困难", "1000.00"),
        ("2024-2025-1", "一般困难", "500.00"),
        ("2024-2025-2", "特别困难", "1650.00"),
        ("2024-2025-2", "困难", "1150.00"),
        ("2024-2025-2", "一般困难", "650.00"),
    ],
)
def test_senior_grant_by_tier_before_and_after_spring_2025(term: str, grade: str, amount: str) -> None:
    found = asked(SENIOR, DIBAO, stage="senior", grade=grade, term=term)
    assert found.amount == Decimal(amount)
    assert f"认定等级为{grade}" in found.sentence


def test_senior_tiers_keep_the_average_of_the_document() -> None:
    # 2000 元 a year until autumn 2024, 2300 元 from spring 2025 (财教〔2024〕181号); the middle tier is the average.
    assert asked(SENIOR, stage="senior", grade="困难", term="2024-2025-1").amount * 2 == 2000
    assert asked(SENIOR, stage="senior", grade="困难", term="2024-2025-2").amount * 2 == 2300


@pytest.mark.parametrize("boarding", ["boarding", "day"])
def test_preschool_aid_does_not_ask_for_boarding(boarding: str) -> None:
    assert asked(PRESCHOOL, stage="preschool", boarding=boarding).amount == Decimal("500.00")


@pytest.mark.parametrize("stage", ["primary", "junior"])
@pytest.mark.parametrize("term", ["2019-2020-1", "2023-2024-1", "2023-2024-2", "2026-2027-1"])
def test_a_day_pupil_gets_half_of_a_boarder(stage: str, term: str) -> None:
    on = dt.date(2025, 9, 1)
    day, boarder = (asked(stage=stage, boarding=b, term=term, on=on).amount for b in ("day", "boarding"))
    assert day * 2 == boarder


# --- the sentence ----------------------------------------------------------------------------------


def test_the_sentence_names_case_category_rule_document_and_dates() -> None:
    assert asked().sentence == (
        "2026年秋季学期：该生为初中寄宿学生，属农村低保家庭学生（系统比对，2025年9月1日起有效），"
        "符合义务教育家庭经济困难学生生活补助条件；"
        f"按{NEW}（自2024年春季学期起执行），每学期750.00元。"
    )


def test_the_sentence_of_an_ended_standard_names_its_last_term() -> None:
    found = asked(term="2023-2024-1", stage="primary")
    assert found.document == OLD
    assert found.sentence.endswith(f"按{OLD}（自2011年秋季学期至2023年秋季学期执行），每学期500.00元。")


def test_two_categories_are_both_named_and_paid_once() -> None:
    found = asked(LIVING, DIBAO, ORPHAN)
    assert found.amount == Decimal("750.00")
    assert found.sentence == (
        "2026年秋季学期：该生为初中寄宿学生，"
        "属农村低保家庭学生（系统比对，2025年9月1日起有效）；孤儿（学校自采集，2024年3月1日至2027年2月28日），"
        f"符合义务教育家庭经济困难学生生活补助条件；按{NEW}（自2024年春季学期起执行），每学期750.00元。"
    )


def test_a_tier_stands_in_the_sentence() -> None:
    assert asked(SENIOR, stage="senior", boarding="day", grade="困难").sentence == (
        "2026年秋季学期：该生为普通高中走读学生，认定等级为困难，属农村低保家庭学生（系统比对，2025年9月1日起有效），"
        "符合普通高中国家助学金条件；"
        "按财教〔2024〕181号《关于调整高等教育阶段和高中阶段国家奖助学金政策的通知》（自2025年春季学期起执行），"
        "每学期1150.00元。"
    )


# --- why not ---------------------------------------------------------------------------------------


def test_a_stage_the_programme_is_not_for() -> None:
    assert asked(stage="senior") == Entitlement(None, "义务教育家庭经济困难学生生活补助不面向普通高中学生。")


def test_no_category_at_all() -> None:
    facts = Facts("junior", "day", "", ())
    found = entitlement(facts, LIVING, term="2026-2027-1", term_name="2026年秋季学期", on=dt.date(2026, 10, 12))
    assert found == Entitlement(None, "没有登记有效的困难类别；请先在学生页登记困难类别和证明。")


def test_a_category_that_has_run_out() -> None:
    found = asked(LIVING, ORPHAN, on=dt.date(2027, 3, 1))
    assert not found.is_entitled
    assert found.sentence == "孤儿已于2027年2月28日失效，没有其他有效的困难类别；请先核实并登记新的困难类别。"


@pytest.mark.parametrize(("on", "entitled"), [("2024-02-29", False), ("2024-03-01", True), ("2027-02-28", True)])
def test_a_category_counts_from_its_first_to_its_last_day(on: str, entitled: bool) -> None:
    assert asked(LIVING, ORPHAN, on=dt.date.fromisoformat(on)).is_entitled is entitled


def test_a_category_accepted_for_boarders_only() -> None:
    assert asked(LIVING, MARGIN, boarding="boarding").amount == Decimal("750.00")
    assert asked(LIVING, MARGIN, boarding="day").sentence == (
        "现有困难类别（低保边缘家庭学生）不在义务教育家庭经济困难学生生活补助对走读学生的资助范围内。"
    )


def test_a_category_no_longer_accepted_in_the_term() -> None:
    ended = dataclasses.replace(LIVING, categories=(CategoryRule("dibao_rural", "", "2011-2012-1", "2025-2026-2"),))
    assert asked(ended, term="2025-2026-2").is_entitled
    assert not asked(ended, term="2026-2027-1").is_entitled


def test_a_tiered_programme_without_a_chosen_tier() -> None:
    assert asked(SENIOR, stage="senior").sentence == "普通高中国家助学金分档资助，请先选择困难等级。"


def test_a_term_before_every_standard() -> None:
    assert asked(boarding="day", term="2018-2019-2", on=dt.date(2025, 9, 1)).sentence == (
        "义务教育家庭经济困难学生生活补助在2019年春季学期没有适用于初中走读学生的标准；请县资助中心先维护标准。"
    )


def test_a_tier_that_has_no_standard() -> None:
    assert asked(SENIOR, stage="senior", boarding="day", grade="特困").sentence == (
        "普通高中国家助学金在2026年秋季学期没有适用于普通高中走读、特困学生的标准；请县资助中心先维护标准。"
    )


def test_two_standards_of_different_amounts_pay_nothing() -> None:
    second = StandardRule(99, "junior", "", "", Decimal("800.00"), "县文件", "2026-2027-1", "")
    both = dataclasses.replace(LIVING, standards=(*LIVING.standards, second))
    assert asked(both) == Entitlement(
        None, "义务教育家庭经济困难学生生活补助有2条标准同时适用且金额不同，请县资助中心先更正标准。"
    )


def test_the_key_of_the_standard_used_is_told() -> None:
    found = asked()
    assert LIVING.standards[found.standard].amount == found.amount == Decimal("750.00")


# --- whatever the facts ----------------------------------------------------------------------------

terms = st.builds(lambda year, half: f"{year}-{year + 1}-{half}", st.integers(2012, 2030), st.sampled_from(["1", "2"]))
days = st.dates(dt.date(2012, 1, 1), dt.date(2031, 12, 31))
kinds = st.sampled_from([DIBAO, ORPHAN, MARGIN, Hardship("unknown", "别的", "系统比对", dt.date(2012, 1, 1), None)])
facts_of_any_pupil = st.builds(
    Facts,
    stage=st.sampled_from(["preschool", "primary", "junior", "senior"]),
    boarding=st.sampled_from(["boarding", "day"]),
    grade=st.sampled_from(["", "特别困难", "困难", "一般困难"]),
    hardships=st.lists(kinds, max_size=4).map(tuple),
)
programmes = st.sampled_from([LIVING, SENIOR, PRESCHOOL])


def _found(facts: Facts, rules: ProgrammeRules, term: str, on: dt.date) -> Entitlement:
    return entitlement(facts, rules, term=term, term_name=term_label(term), on=on)


@given(facts_of_any_pupil, programmes, terms, days)
def test_the_amount_is_exactly_that_of_one_standard(
    facts: Facts, rules: ProgrammeRules, term: str, on: dt.date
) -> None:
    found = _found(facts, rules, term, on)
    if found.amount is None:
        assert found.standard is None
        assert found.document == ""
    else:
        row = rules.standards[found.standard]
        assert isinstance(found.amount, Decimal)
        assert found.amount == row.amount > 0
        assert row.stage == facts.stage
        assert row.document == found.document


@given(facts_of_any_pupil, programmes, terms, days)
def test_there_is_always_one_sentence_and_it_ends(facts: Facts, rules: ProgrammeRules, term: str, on: dt.date) -> None:
    found = _found(facts, rules, term, on)
    assert found.sentence.endswith("。")
    assert "None" not in found.sentence
    assert (f"每学期{found.amount:.2f}元" in found.sentence) if found.is_entitled else "每学期" not in found.sentence


@given(facts_of_any_pupil, terms, days)
def test_a_day_pupil_never_gets_as_much_as_a_boarder(facts: Facts, term: str, on: dt.date) -> None:
    day, boarder = (
        _found(dataclasses.replace(facts, boarding=boarding), LIVING, term, on) for boarding in ("day", "boarding")
    )
    if day.is_entitled:
        assert boarder.is_entitled
        assert day.amount < boarder.amount


@given(facts_of_any_pupil, programmes, terms, days)
def test_one_more_category_never_takes_aid_away(facts: Facts, rules: ProgrammeRules, term: str, on: dt.date) -> None:
    more = dataclasses.replace(facts, hardships=(*facts.hardships, DIBAO))
    before, after = _found(facts, rules, term, on), _found(more, rules, term, on)
    assert before.amount is None or before.amount == after.amount


@given(programmes, terms)
def test_shipped_standards_never_overlap(rules: ProgrammeRules, term: str) -> None:
    cases = [
        (s.stage, s.boarding, s.tier)
        for s in rules.standards
        if s.first_term <= term and (not s.last_term or term <= s.last_term)
    ]
    assert len(set(cases)) == len(cases)
