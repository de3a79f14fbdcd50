"""What a pupil is entitled to: one rule, one test, sentences in full. No database is touched."""

import dataclasses
import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from students.term_keys import term_label
from subsidies import reference
from subsidies.entitlement import (
    Condition,
    Entitlement,
    Facts,
    Flag,
    Ground,
    Hardship,
    ProgrammeRules,
    StandardRule,
    entitlement,
    for_term,
)

DIBAO = Hardship("dibao_rural", "农村低保家庭学生", "系统比对", dt.date(2025, 9, 1), None)
ORPHAN = Hardship("orphan", "孤儿", "学校自采集", dt.date(2024, 3, 1), dt.date(2027, 2, 28))
MARGIN = Hardship("dibao_margin", "低保边缘家庭学生", "系统比对", dt.date(2025, 9, 1), None)

OLD = "国家基础标准（2011年秋季学期起）"
NEW = "国家基础标准（财政部2024年5月7日下达城乡义务教育补助经费，2024年春季学期起）"

DAYS = {"2023-2024-1": dt.date(2025, 10, 1), "2023-2024-2": dt.date(2025, 10, 1), "2026-2027-1": dt.date(2026, 10, 12)}


def asks(**facts: str) -> tuple[Condition, ...]:
    """Conditions on facts; several values of one are divided by spaces, and "" asks nothing."""
    return tuple(Condition(fact, frozenset(values.split())) for fact, values in facts.items() if values)


def shipped(code: str) -> ProgrammeRules:
    """The rules of a programme as they ship, without a database."""
    return next(each for each in reference.national().programmes if each.code == code).rules()


LIVING, SENIOR, PRESCHOOL = shipped("living-aid"), shipped("senior-grant"), shipped("preschool-aid")


def asked(
    rules: ProgrammeRules = LIVING,
    *hardships: Hardship,
    stage: str = "junior",
    boarding: str = "boarding",
    tier: str = "",
    term: str = "2026-2027-1",
    on: dt.date | None = None,
) -> Entitlement:
    facts = Facts(stage, boarding, tier, hardships or (DIBAO,))
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
    ("term", "tier", "amount"),
    [
        ("2024-2025-1", "特别困难", "1500.00"),
        ("2024-2025-1", "困难", "1000.00"),
        ("2024-2025-1", "一般困难", "500.00"),
        ("2024-2025-2", "特别困难", "1650.00"),
        ("2024-2025-2", "困难", "1150.00"),
        ("2024-2025-2", "一般困难", "650.00"),
    ],
)
def test_senior_grant_by_tier_before_and_after_spring_2025(term: str, tier: str, amount: str) -> None:
    found = asked(SENIOR, DIBAO, stage="senior", tier=tier, term=term)
    assert found.amount == Decimal(amount)
    assert f"认定等级为{tier}" in found.sentence


def test_senior_tiers_keep_the_average_of_the_document() -> None:
    # 2000 元 a year until autumn 2024, 2300 元 from spring 2025 (财教〔2024〕181号); the middle tier is the average.
    assert asked(SENIOR, stage="senior", tier="困难", term="2024-2025-1").amount * 2 == 2000
    assert asked(SENIOR, stage="senior", tier="困难", term="2024-2025-2").amount * 2 == 2300


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
    assert asked(SENIOR, stage="senior", boarding="day", tier="困难").sentence == (
        "2026年秋季学期：该生为普通高中学生，认定等级为困难，属农村低保家庭学生（系统比对，2025年9月1日起有效），"
        "符合普通高中国家助学金条件；"
        "按财教〔2024〕181号《关于调整高等教育阶段和高中阶段国家奖助学金政策的通知》（自2025年春季学期起执行），"
        "每学年2300.00元，分两学期发放，本学期1150.00元。"
    )


# --- why not ---------------------------------------------------------------------------------------


def test_a_stage_the_programme_is_not_for() -> None:
    refused = "义务教育家庭经济困难学生生活补助不面向普通高中学生。"
    assert asked(stage="senior") == Entitlement(None, refused, frozenset({"stage"}))


def test_no_category_at_all() -> None:
    facts = Facts("junior", "day", "", ())
    found = entitlement(facts, LIVING, term="2026-2027-1", term_name="2026年秋季学期", on=dt.date(2026, 10, 12))
    assert (found.amount, found.standard) == (None, None)
    assert found.sentence == "没有登记有效的困难类别；请先在学生页登记困难类别和证明。"
    assert found.rests_on == {"boarding", *(f"category:{ground.code}" for ground in LIVING.grounds)}


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
    ended = dataclasses.replace(LIVING, grounds=(Ground("dibao_rural", "", "2011-2012-1", "2025-2026-2"),))
    assert asked(ended, term="2025-2026-2").is_entitled
    assert not asked(ended, term="2026-2027-1").is_entitled


def test_a_tiered_programme_without_a_chosen_tier() -> None:
    assert asked(SENIOR, stage="senior").sentence == "普通高中国家助学金分档资助，请先选择困难等级。"


def test_a_term_before_every_standard() -> None:
    rules = dataclasses.replace(LIVING, grounds=(Ground("dibao_rural", "", "2011-2012-1", ""),))
    assert asked(rules, boarding="day", term="2018-2019-2", on=dt.date(2025, 9, 1)).sentence == (
        "义务教育家庭经济困难学生生活补助在2019年春季学期没有适用于初中走读学生的标准；"
        f"最接近的一条是“{OLD}”：就读方式须为寄宿，该生为走读。如与实际情况不符，请先更正登记的信息。"
    )


def test_a_term_before_day_pupils_were_aided() -> None:
    assert asked(boarding="day", term="2018-2019-2", on=dt.date(2025, 9, 1)).sentence == (
        "现有困难类别（农村低保家庭学生）不在义务教育家庭经济困难学生生活补助对走读学生的资助范围内。"
    )


def test_a_tier_that_has_no_standard() -> None:
    assert asked(SENIOR, stage="senior", boarding="day", tier="特困").sentence == (
        "普通高中国家助学金在2026年秋季学期没有适用于普通高中走读、特困学生的标准；"
        "最接近的一条是“财教〔2024〕181号《关于调整高等教育阶段和高中阶段国家奖助学金政策的通知》”："
        "困难等级须为特别困难，该生为特困。如与实际情况不符，请先更正登记的信息。"
    )


def test_two_standards_of_different_amounts_pay_nothing() -> None:
    second = StandardRule(99, Decimal("800.00"), "县文件", "2026-2027-1", "", asks(stage="junior"))
    both = dataclasses.replace(LIVING, standards=(*LIVING.standards, second))
    found = asked(both)
    assert not found.is_entitled
    assert found.sentence == ("义务教育家庭经济困难学生生活补助有2条标准同时适用且金额不同，请县资助中心先更正标准。")
    assert {"stage", "boarding"} <= found.rests_on


def test_the_key_of_the_standard_used_is_told() -> None:
    found = asked()
    (used,) = (row for row in LIVING.standards if row.key == found.standard)
    assert used.amount == found.amount == Decimal("750.00")


# --- one test for each kind of rule ------------------------------------------------------------------

TERM, ON = "2026-2027-1", dt.date(2026, 10, 12)
MONITORED = Hardship(
    "at_risk", "防止返贫监测对象", "系统比对", dt.date(2025, 9, 1), None, "县名单第3行", (("享受政策", "是"),)
)


def pays(amount: str, key: int = 1, **of_row) -> StandardRule:
    """A row of 元, in force from 2020 on."""
    conditions = asks(**of_row.pop("asked", {}))
    return StandardRule(key, Decimal(amount), f"县文件{key}", "2020-2021-1", conditions=conditions, **of_row)


def programme(*rows: StandardRule, **of_programme) -> ProgrammeRules:
    plan = {"stages": ("primary", "junior"), "recipients": "all"} | of_programme
    return ProgrammeRules("补助", standards=rows, **plan)


def child(**facts) -> Facts:
    return Facts(**{"stage": "primary", "boarding": "day", "tier": "", "hardships": ()} | facts)


def given_to(rules: ProgrammeRules, term: str = TERM, **facts) -> Entitlement:
    return entitlement(child(**facts), rules, term=term, term_name=term_label(term), on=ON)


@pytest.mark.parametrize(
    ("fact", "wanted", "other", "words"),
    [
        ("stage", "junior", "primary", "学段须为初中，该生为小学"),
        ("grade", "七年级", "八年级", "年级须为七年级，该生为八年级"),
        ("boarding", "half", "boarding", "就读方式须为半寄宿，该生为寄宿"),
        ("tier", "特别困难", "困难", "困难等级须为特别困难，该生为困难"),
        ("ownership", "private", "public", "办学性质须为民办，该生为公办"),
        ("registration", "rural", "urban", "户口性质须为农村（含县镇），该生为城市"),
        ("registration", "rural", "", "户口性质须为农村（含县镇），该生没有登记"),
        ("region", "530103", "530102", "户籍所在地须为530103，该生为530102"),
        ("major", "agricultural", "arts", "专业类别须为涉农专业，该生为艺术类专业"),
        ("schooling", "special", "ordinary", "就学方式须为特殊教育，该生为普通教育"),
    ],
)
def test_a_condition_on_a_fact(fact: str, wanted: str, other: str, words: str) -> None:
    rules = programme(pays("300", asked={fact: wanted}))
    found, refused = given_to(rules, **{fact: wanted}), given_to(rules, **{fact: other})
    assert (found.amount, refused.amount) == (Decimal(300), None)
    assert fact in found.rests_on & refused.rests_on
    assert words in refused.sentence


def test_a_fact_that_mattered_because_it_is_not_recorded() -> None:
    rows = (
        pays("300"), pays("400", 2, asked={"registration": "rural"}), pays("500", 3, asked={"boarding": "boarding"}),
        pays("600", 4, asked={"tier": "特别困难"}),
    )  # fmt: skip
    found = given_to(programme(*rows, highest_wins=True, tiered=True), boarding="")
    assert found.amount == Decimal(300)
    assert "该生为小学学生，没有认定等级，就读方式没有登记，户口性质没有登记，符合" in found.sentence


def test_a_tier_that_no_row_asks_for_is_not_named() -> None:
    found = given_to(programme(pays("300"), tiered=True), tier="困难")
    assert "tier" not in found.rests_on
    assert "困难" not in found.sentence


@pytest.mark.parametrize("region", ["530102", "530103"])
def test_only_a_lacking_tier_is_asked_for(region: str) -> None:
    rules = programme(pays("300", asked={"tier": "困难", "region": "530102"}), tiered=True)
    asks_for_tier = region == "530102"
    sentence = given_to(rules, region=region).sentence
    assert ("请先选择困难等级" in sentence) is asks_for_tier
    assert ("户籍所在地须为530102，该生为530103" in sentence) is not asks_for_tier
    assert "、学生" not in sentence


def test_the_nearest_row_is_one_of_the_childs_stage() -> None:
    rows = (
        pays("300", asked={"stage": "primary"}),
        pays("400", 2, asked={"stage": "junior", "boarding": "boarding", "region": "530102"}),
    )
    sentence = given_to(programme(*rows), stage="junior", region="530103").sentence
    assert "“县文件2”：就读方式须为寄宿，该生为走读；户籍所在地须为530102，该生为530103" in sentence


def test_a_kind_that_is_not_valid_yet_is_named_with_its_day() -> None:
    rules = programme(pays("300"), recipients="listed", grounds=(Ground("orphan", "", "2020-2021-1", ""),))
    later = dataclasses.replace(ORPHAN, valid_from=dt.date(2027, 3, 1), valid_to=None)
    assert given_to(rules, hardships=(later,)).sentence == "孤儿自2027年3月1日起才有效，现在没有有效的困难类别。"


def test_less_than_a_fen_is_nothing_and_the_sentence_does_not_say_the_child_was_away() -> None:
    rows = pays("0.01"), pays("300", 2, asked={"boarding": "boarding"})
    found = given_to(programme(*rows, unit="year"))
    assert found.amount is None
    assert "boarding" in found.rests_on
    assert "折算不足一分" in found.sentence


def test_of_several_values_one_is_enough() -> None:
    rules = programme(pays("300", asked={"region": "530102 530103"}))
    assert [given_to(rules, region=code).is_entitled for code in ("530102", "530103", "530111")] == [True, True, False]


def test_any_all_and_none_of_the_categories() -> None:
    one = programme(pays("1", any_of=frozenset({"dibao_rural", "orphan"})))
    both = programme(pays("2", all_of=frozenset({"dibao_rural", "orphan"})))
    none = programme(pays("3", none_of=frozenset({"orphan"})))
    held = [(), (DIBAO,), (ORPHAN,), (DIBAO, ORPHAN)]
    assert [given_to(one, hardships=kinds).is_entitled for kinds in held] == [False, True, True, True]
    assert [given_to(both, hardships=kinds).is_entitled for kinds in held] == [False, False, False, True]
    assert [given_to(none, hardships=kinds).is_entitled for kinds in held] == [True, True, False, False]
    assert "孤儿不适用这条标准" in given_to(none, hardships=(ORPHAN,)).sentence
    assert "不同时具备" in given_to(both, hardships=(ORPHAN,)).sentence


@pytest.mark.parametrize(("said", "entitled"), [("是", True), ("否", False), (None, False)])
def test_what_the_list_says_of_the_child(said: str | None, entitled: bool) -> None:
    rules = programme(pays("300", flags=(Flag("at_risk", "享受政策", frozenset({"是"})),)))
    kind = dataclasses.replace(MONITORED, flags=(("享受政策", said),) if said else ())
    found = given_to(rules, hardships=(kind,))
    assert found.is_entitled is entitled
    assert ("享受政策：是" if entitled else f"该生{f'为{said}' if said else '没有注明'}") in found.sentence


def test_the_sentence_speaks_of_what_was_asked_and_of_nothing_else_the_list_says() -> None:
    kind = dataclasses.replace(MONITORED, flags=(("享受政策", "是"), ("残疾等级", "三级")))
    asked_for = programme(pays("300", flags=(Flag("at_risk", "享受政策", frozenset({"是"})),)))
    ground = programme(pays("300"), recipients="listed", grounds=(Ground("at_risk", "", "2020-2021-1", ""),))
    assert "享受政策：是" in given_to(asked_for, hardships=(kind,)).sentence
    assert "三级" not in given_to(asked_for, hardships=(kind,)).sentence
    assert "享受政策" not in given_to(ground, hardships=(kind,)).sentence


def test_a_kind_that_has_run_out_is_not_named() -> None:
    over = dataclasses.replace(ORPHAN, valid_to=dt.date(2025, 1, 1))
    rules = programme(
        pays("300", any_of=frozenset({"orphan", "at_risk"})), pays("200", 2, none_of=frozenset({"orphan"}))
    )
    found = given_to(dataclasses.replace(rules, highest_wins=True), hardships=(over, MONITORED))
    assert found.amount == Decimal(300)
    assert "孤儿" not in found.sentence
    assert "防止返贫监测对象（系统比对：县名单第3行，2025年9月1日起有效）" in found.sentence


def test_a_ground_and_what_the_row_asks_beside_it_are_both_named() -> None:
    rows = pays("300", any_of=frozenset({"at_risk"}))
    rules = programme(rows, recipients="listed", grounds=(Ground("orphan", "", "2020-2021-1", ""),))
    sentence = given_to(rules, hardships=(ORPHAN, MONITORED)).sentence
    assert "孤儿（" in sentence
    assert "防止返贫监测对象（" in sentence


def test_a_year_is_paid_in_halves_and_the_odd_fen_in_spring() -> None:
    rules = programme(pays("2300.01"), unit="year")
    autumn, spring = given_to(rules, "2026-2027-1"), given_to(rules, "2026-2027-2")
    assert (autumn.amount, spring.amount) == (Decimal("1150.00"), Decimal("1150.01"))
    assert "每学年2300.01元，分两学期发放，本学期1150.00元" in autumn.sentence


def test_by_day_times_the_days_of_the_term() -> None:
    found = given_to(programme(pays("5.00", periods=Decimal(100)), unit="day"))
    assert found.amount == Decimal("500.00")
    assert "每天5.00元×100天，本学期500.00元" in found.sentence


def test_by_month_for_the_months_attended_only_where_the_programme_says_so() -> None:
    plan = {"unit": "month"}
    row = pays("150.00", periods=Decimal(5))
    whole, part = programme(row, **plan), programme(row, pro_rata=True, **plan)
    attended = {"attended": Decimal("2.5")}
    assert (given_to(whole, **attended).amount, given_to(part, **attended).amount) == (Decimal(750), Decimal(375))
    assert "每月150.00元×实际在校2.5个月，本学期375.00元" in given_to(part, **attended).sentence
    assert not given_to(part, attended=Decimal(0)).is_entitled


def test_once_and_never_again() -> None:
    rules = programme(pays("1000"), unit="once")
    assert "一次性1000.00元" in given_to(rules).sentence
    assert given_to(rules, had_before=True).sentence == "该生已经领取过补助，这一项目每人只发放一次。"


def test_of_two_fitting_rows_the_highest_where_the_programme_says_so() -> None:
    rows = pays("300", 1), pays("500", 2, asked={"registration": "rural"})
    assert given_to(programme(*rows, highest_wins=True), registration="rural").standard == 2
    assert given_to(programme(*rows, highest_wins=True), registration="urban").standard == 1
    assert not given_to(programme(*rows), registration="rural").is_entitled


def test_who_is_listed_needs_a_ground_and_who_is_not_needs_none() -> None:
    ground = (Ground("orphan", "", "2020-2021-1", ""),)
    assert given_to(programme(pays("300"))).is_entitled
    assert not given_to(programme(pays("300"), recipients="listed", grounds=ground)).is_entitled
    assert given_to(programme(pays("300"), recipients="listed", grounds=ground), hardships=(ORPHAN,)).is_entitled


def test_the_day_from_which_the_pupil_boards_stands_in_the_sentence_where_it_mattered() -> None:
    facts = {"boarding": "boarding", "boarding_since": dt.date(2026, 9, 15)}
    assert (
        "小学寄宿（2026年9月15日起）学生"
        in given_to(programme(pays("3", asked={"boarding": "boarding"})), **facts).sentence
    )
    assert "该生为小学学生" in given_to(programme(pays("3")), **facts).sentence


@pytest.mark.parametrize("standing", ["suspended", "transferred", "withdrawn", "graduated", "deceased"])
def test_who_is_not_in_school_gets_nothing(standing: str) -> None:
    assert given_to(programme(pays("300")), standing=standing).rests_on == {"standing"}


# --- whatever the facts ----------------------------------------------------------------------------

terms = st.builds(lambda year, half: f"{year}-{year + 1}-{half}", st.integers(2012, 2030), st.sampled_from(["1", "2"]))
days = st.dates(dt.date(2012, 1, 1), dt.date(2031, 12, 31))
kinds = st.sampled_from([DIBAO, ORPHAN, MARGIN, Hardship("unknown", "别的", "系统比对", dt.date(2012, 1, 1), None)])
facts_of_any_pupil = st.builds(
    Facts,
    stage=st.sampled_from(["preschool", "primary", "junior", "senior"]),
    boarding=st.sampled_from(["boarding", "day"]),
    tier=st.sampled_from(["", "特别困难", "困难", "一般困难"]),
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
        (row,) = (each for each in rules.standards if each.key == found.standard)
        assert isinstance(found.amount, Decimal)
        assert found.amount == for_term(row, rules, term) > 0
        assert Condition("stage", frozenset({facts.stage})) in row.conditions
        assert row.document == found.document


@given(facts_of_any_pupil, programmes, terms, days)
def test_there_is_always_one_sentence_and_it_ends(facts: Facts, rules: ProgrammeRules, term: str, on: dt.date) -> None:
    found = _found(facts, rules, term, on)
    assert found.sentence.endswith("。")
    assert "None" not in found.sentence
    assert (f"学期{found.amount:.2f}元" in found.sentence) if found.is_entitled else "学期发放" not in found.sentence


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
    cases = [s.conditions for s in rules.standards if s.first_term <= term and (not s.last_term or term <= s.last_term)]
    assert len(set(cases)) == len(cases)


# --- any rules, any facts --------------------------------------------------------------------------

_TERMS = ["2025-2026-2", "2026-2027-1", "2026-2027-2"]
_CODES = ["a", "b", "c"]
_VALUES = {"stage": ["primary", "junior"], "boarding": ["boarding", "day"], "registration": ["rural", "urban"]}
_FLAG = "享受政策"


def _some(values: list[str], least: int = 0, most: int = 2):
    return st.sets(st.sampled_from(values), min_size=least, max_size=most).map(frozenset)


_rarely = st.one_of(st.just(frozenset()), st.just(frozenset()), _some(_CODES))
rows_of_any_kind = st.builds(
    StandardRule,
    key=st.integers(1, 999),
    amount=st.sampled_from([Decimal(100), Decimal(200), Decimal("312.51")]),
    document=st.just("文件"),
    first_term=st.sampled_from(_TERMS),
    last_term=st.sampled_from(["", "2026-2027-2"]),
    conditions=st.lists(
        st.one_of(*(st.builds(Condition, st.just(fact), _some(values, 1)) for fact, values in _VALUES.items())),
        max_size=2,
        unique_by=lambda condition: condition.fact,
    ).map(tuple),
    any_of=_rarely,
    all_of=_rarely,
    none_of=_rarely,
    flags=st.lists(st.builds(Flag, st.sampled_from(_CODES), st.just(_FLAG), _some(["是", "否"], 1, 1)), max_size=1).map(
        tuple
    ),
    periods=st.sampled_from([Decimal(1), Decimal("4.5")]),
)
rules_of_any_kind = st.builds(
    ProgrammeRules,
    name=st.just("补助"),
    stages=st.sampled_from([("primary",), ("primary", "junior")]),
    standards=st.lists(rows_of_any_kind, min_size=1, max_size=4, unique_by=lambda row: row.key).map(tuple),
    grounds=st.lists(
        st.builds(
            Ground,
            st.sampled_from(_CODES),
            st.sampled_from(["", "boarding", "day"]),
            st.sampled_from(_TERMS),
            st.just(""),
        ),
        max_size=3,
    ).map(tuple),
    recipients=st.sampled_from(["all", "listed"]),
    unit=st.sampled_from(["term", "year", "month", "day", "once"]),
    highest_wins=st.booleans(),
    pro_rata=st.booleans(),
)
_hardships = st.builds(
    Hardship,
    code=st.sampled_from(_CODES),
    name=st.just("类"),
    source=st.just("系统比对"),
    valid_from=st.just(dt.date(2024, 1, 1)),
    valid_to=st.sampled_from([None, dt.date(2025, 1, 1)]),
    flags=st.sampled_from([(), ((_FLAG, "是"),), ((_FLAG, "否"),)]),
)
facts_of_any_kind = st.builds(
    Facts,
    stage=st.sampled_from(["primary", "junior", "senior"]),
    boarding=st.sampled_from(["boarding", "day"]),
    tier=st.just(""),
    hardships=st.lists(_hardships, max_size=3, unique_by=lambda held: held.code).map(tuple),
    standing=st.sampled_from(["present", "present", "suspended"]),
    registration=st.sampled_from(["rural", "urban", ""]),
    attended=st.sampled_from([None, Decimal(0), Decimal("2.5"), Decimal(9)]),
    had_before=st.booleans(),
)


def _of(facts: Facts, rules: ProgrammeRules, term: str) -> Entitlement:
    return entitlement(facts, rules, term=term, term_name=term_label(term), on=ON)


@settings(max_examples=400)
@given(facts_of_any_kind, facts_of_any_kind, rules_of_any_kind, st.sampled_from(_TERMS))
def test_no_fact_that_is_not_named_changes_the_amount(
    one: Facts, other: Facts, rules: ProgrammeRules, term: str
) -> None:
    found = _of(one, rules, term)
    kinds = {name.split(":")[1] for name in found.rests_on if name.startswith("category:")}
    kept = {name: getattr(one, name) for name in found.rests_on if not name.startswith("category:")}
    held = [each for each in one.hardships if each.code in kinds]
    held += [each for each in other.hardships if each.code not in kinds]
    assert _of(dataclasses.replace(other, hardships=tuple(held), **kept), rules, term).amount == found.amount


@given(facts_of_any_kind, rules_of_any_kind, st.sampled_from(_TERMS))
def test_an_amount_is_more_than_nothing_and_whole_fen(facts: Facts, rules: ProgrammeRules, term: str) -> None:
    found = _of(facts, rules, term)
    assert found.amount is None or found.amount > 0 == found.amount % Decimal("0.01")
    assert found.sentence.endswith("。")


@given(facts_of_any_kind, rules_of_any_kind, st.sampled_from(_TERMS))
def test_the_two_halves_of_a_year_make_the_year(facts: Facts, rules: ProgrammeRules, term: str) -> None:
    for row in rules.standards:
        halves = [for_term(row, dataclasses.replace(rules, unit="year"), f"2026-2027-{half}") for half in (1, 2)]
        assert sum(halves) == row.amount
        assert 0 <= halves[1] - halves[0] <= Decimal("0.01")


@settings(max_examples=400)
@given(facts_of_any_kind, rules_of_any_kind, st.sampled_from(_TERMS))
def test_a_longer_validity_never_lowers_the_amount(facts: Facts, rules: ProgrammeRules, term: str) -> None:
    # Where a category bars nobody, and no two rows quarrel.
    rules = dataclasses.replace(
        rules,
        standards=tuple(dataclasses.replace(row, none_of=frozenset()) for row in rules.standards),
        highest_wins=True,
    )
    longer = dataclasses.replace(
        facts, hardships=tuple(dataclasses.replace(each, valid_to=None) for each in facts.hardships)
    )
    assert (_of(longer, rules, term).amount or 0) >= (_of(facts, rules, term).amount or 0)


@given(facts_of_any_kind, rules_of_any_kind, st.sampled_from(_TERMS))
def test_who_attends_longer_never_gets_less(facts: Facts, rules: ProgrammeRules, term: str) -> None:
    rules = dataclasses.replace(rules, highest_wins=True)
    whole = dataclasses.replace(facts, attended=None)
    assert (_of(whole, rules, term).amount or 0) >= (_of(facts, rules, term).amount or 0)
