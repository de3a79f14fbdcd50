"""Fractions and splits: always add up, for each line and for the sum; nothing negative; a reversal is the mirror."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from subsidies import centre_shares, shares
from subsidies.shares import (
    KINDS,
    LEVELS,
    Plan,
    Share,
    example_words,
    faults,
    kinds_of,
    mirror,
    plan_of,
    plan_words,
    ratio_words,
    read_fraction,
    split,
    split_lines,
    sums,
    written,
)

FEN = Decimal("0.01")


@st.composite
def plans(draw: st.DrawFn, most: int = 10_000) -> Plan:
    """Any valid fractions: whole parts of a whole, for some of the levels."""
    levels = draw(st.lists(st.sampled_from([level for level in LEVELS if level != "local"]), min_size=1, unique=True))
    weights = [draw(st.integers(1, most)) for _ in levels]
    parts = tuple(Share(level, Fraction(weight, sum(weights))) for level, weight in zip(levels, weights, strict=True))
    return Plan(tuple(sorted(parts, key=lambda part: list(LEVELS).index(part.level))), draw(st.sampled_from(levels)))


fen = st.integers(0, 10_000_000).map(lambda n: Decimal(n).scaleb(-2))
few_fen = st.integers(0, 9).map(lambda n: Decimal(n).scaleb(-2))


# --- splitting -------------------------------------------------------------------------------------


@given(fen, plans())
def test_an_amount_is_its_parts_and_none_is_negative(amount: Decimal, plan: Plan) -> None:
    parts = split(amount, plan)
    assert sum(parts.values()) == amount
    assert all(part >= 0 and part == part.quantize(FEN) for part in parts.values())
    for share in plan.shares:
        exact = Fraction(amount) * share.fraction
        if share.level != plan.remainder:
            # Cut, never rounded up: only the remainder's level gets more than its fraction.
            assert 0 <= exact - Fraction(parts[share.level]) < Fraction(FEN)
        else:
            assert 0 <= Fraction(parts[share.level]) - exact < len(plan.shares) * Fraction(FEN)


@given(fen, plans())
def test_a_negative_amount_is_the_mirror(amount: Decimal, plan: Plan) -> None:
    assert split(-amount, plan) == mirror(split(amount, plan))
    assert sums([split(amount, plan), split(-amount, plan)]) == split(Decimal("0.00"), plan)


@given(st.lists(st.one_of(fen, few_fen), max_size=40), plans())
@example([FEN] * 5, plan_of({"centre": "1/3", "province": "1/3", "county": "1/3"}, "county"))
@example([Decimal("0.02"), FEN, FEN], plan_of({"centre": "49/100", "city": "49/100", "county": "2/100"}, "county"))
def test_every_line_and_every_level_adds_up(amounts: list[Decimal], plan: Plan) -> None:
    rows = split_lines(amounts, plan)
    assert [sum(row.values()) for row in rows] == amounts
    assert all(part >= 0 for row in rows for part in row.values())
    if rows:
        assert sums(rows) == split(sum(amounts), plan)


@given(st.lists(fen.filter(lambda amount: amount >= 1), min_size=1, max_size=30), plans(most=10))
def test_a_line_of_a_yuan_or_more_is_a_fen_or_less_from_its_fraction(amounts: list[Decimal], plan: Plan) -> None:
    if any(share.fraction < Fraction(1, 10) for share in plan.shares):
        return  # of such a level less than a fen for each other level could be left
    for amount, row in zip(amounts, split_lines(amounts, plan), strict=True):
        for share in plan.shares:
            near = 1 if share.level != plan.remainder else len(plan.shares)
            assert abs(Fraction(row[share.level]) - Fraction(amount) * share.fraction) < near * Fraction(FEN)


@given(st.lists(fen, min_size=1, max_size=12), plans(), st.randoms(use_true_random=False))
def test_the_order_of_the_lines_changes_no_sum(amounts: list[Decimal], plan: Plan, random: object) -> None:
    other = sorted(amounts, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert sums(split_lines(amounts, plan)) == sums(split_lines(other, plan))


def test_the_sum_of_many_lines_is_not_worn_away() -> None:
    plan = plan_of({"centre": "1/3", "province": "1/3", "county": "1/3"}, "county")
    rows = split_lines([Decimal("312.50")] * 1000, plan)
    assert sums(rows) == {
        "centre": Decimal("104166.66"), "province": Decimal("104166.66"), "county": Decimal("104166.68"),
    }  # fmt: skip
    assert {row["centre"] for row in rows} == {Decimal("104.16"), Decimal("104.17")}


@pytest.mark.parametrize("amount", ["0.001", "312.505"])
def test_parts_of_a_fen_are_refused(amount: str) -> None:
    plan = plan_of({"centre": "1"}, "centre")
    for call in (split, lambda value, plan: split_lines([value], plan)):
        with pytest.raises(ValueError, match="Smaller than a fen"):
            call(Decimal(amount), plan)


def test_a_list_is_of_payments_not_of_reversals() -> None:
    with pytest.raises(ValueError, match="negative"):
        split_lines([Decimal("1.00"), Decimal("-1.00")], plan_of({"centre": "1"}, "centre"))


def test_the_documents_examples() -> None:
    five_five = plan_of({"centre": "5/10", "local": "5/10"}, "local")
    assert split(Decimal("312.50"), five_five) == {"centre": Decimal("156.25"), "local": Decimal("156.25")}
    # 中央与地方6:4；地方部分县级财政供给的学校由省与县8:2，民办学校7:3.
    public = plan_of({"centre": "6/10", "province": "4/10×8/10", "county": "4/10×2/10"}, "county")
    private = plan_of({"centre": "6/10", "province": "4/10×7/10", "county": "4/10×3/10"}, "county")
    assert (plan_words(public), ratio_words(public)) == ("中央 60%、省级 32%、县（区）级 8%", "15:8:2")
    assert (plan_words(private), ratio_words(private)) == ("中央 60%、省级 28%、县（区）级 12%", "15:7:3")
    shared = plan_of({"centre": "5/10", "province": "3/10", "county": "2/10"}, "county")
    assert example_words(Decimal("625.00"), shared) == "625.00 元 = 中央 312.50 + 省级 187.50 + 县（区）级 125.00"


# --- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5/10", "1/2"),
        ("50%", "1/2"),
        ("５０％", "1/2"),
        ("0.5", "1/2"),
        (" 3 / 10 ", "3/10"),
        ("4/10×8/10", "8/25"),
        ("40% * 0.8", "8/25"),
        ("1", "1"),
        ("33.3333%", "333333/1000000"),
    ],
)
def test_people_write_fractions_in_many_ways(text: str, value: str) -> None:
    assert read_fraction(text) == Fraction(value)


@pytest.mark.parametrize(
    "text", ["", "半", "1/0", "5:5", "1/2/3", "1e3", "-1/2", "1//2", "×", "9" * 5000, "1/999999999"]
)
def test_what_is_no_fraction_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="。"):
        read_fraction(text)


@given(plans(most=50))
def test_what_is_kept_reads_back_the_same(plan: Plan) -> None:
    assert plan_of(written(plan), plan.remainder) == plan
    assert faults(written(plan), plan.remainder) == []


@given(st.dictionaries(st.one_of(st.sampled_from(list(LEVELS)), st.text(max_size=5)), st.text(max_size=12)), st.text())
def test_anything_at_all_is_either_right_or_told_what_is_wrong(levels: dict[str, str], remainder: str) -> None:
    told = faults(levels, remainder)
    assert all(sentence.endswith("。") for sentence in told)
    if not told:
        assert sum(share.fraction for share in plan_of(levels, remainder).shares) == 1


@pytest.mark.parametrize(
    ("levels", "remainder", "said"),
    [
        ({}, "centre", ["还没有填写分担份额。", "承担尾差的“中央”不在分担的各级里。"]),
        ({"centre": "1/2"}, "centre", ["各级份额合计 50%，必须正好是 1，还差 50%。"]),
        ({"centre": "1/3", "local": "1"}, "local", ["各级份额合计 4/3，必须正好是 1，多出 1/3。"]),
        (
            {"centre": "1", "moon": "1/2"},
            "centre",
            ["没有“moon”这一级，分担的各级是：中央、省级、市级、县（区）级、地方、学校。"],
        ),
        ({"centre": "3/2", "county": "-1/2"}, "centre", ["县（区）级的份额是 -1/2，份额必须大于零；不承担的不要写。"]),
        ({"centre": "1", "county": "0"}, "centre", ["县（区）级的份额是 0，份额必须大于零；不承担的不要写。"]),
        ({"centre": "1/2", "county": "1/2"}, "city", ["承担尾差的“市级”不在分担的各级里。"]),
        ({"centre": "1"}, "", ["请选择由哪一级承担除不尽的尾差。"]),
        (
            {"centre": "1/2", "local": "1/4", "county": "1/4"},
            "county",
            ["写了“地方”就不能再写省、市、县各级，请只用一种写法。"],
        ),
        (
            {"centre": "一半", "county": "1/2"},
            "county",
            ["中央：“一半”不是份额，请写成 5/10、50% 或 0.5；份额中的份额写成 4/10×8/10。"],
        ),
    ],
)
def test_each_fault_has_its_sentence(levels: dict[str, str], remainder: str, said: list[str]) -> None:
    assert faults(levels, remainder) == said
    with pytest.raises(ValueError, match=said[0][:6]):
        plan_of(levels, remainder)


# --- kinds of schools, and the centre's tiers ------------------------------------------------------


def test_the_narrowest_kind_of_a_school_comes_first() -> None:
    assert kinds_of("public", "city") == ("city", "public", "")
    assert kinds_of("private", "county") == ("private", "")
    assert {kind for one in ("public", "inclusive", "private") for kind in kinds_of(one, "county")} <= set(KINDS)


def test_the_kinds_are_those_the_register_knows() -> None:
    from students.models import School

    assert set(KINDS) == {"", *School.Ownership.values, *School.Finance.values}


def test_the_tiers_of_the_centre_hold_every_province_once() -> None:
    by_code = {rule.code: rule for rule in centre_shares.rules()}
    for code in ("five-tiers", "preschool-fee"):
        places = [place for tier in by_code[code].tiers for place in tier.places]
        assert len(places) == len(set(places)) == 36  # 31 and five cities with plans of their own
    assert [tier.centre for tier in by_code["five-tiers"].tiers] == ["8/10", "6/10", "5/10", "3/10", "1/10"]
    for rule in by_code.values():
        assert rule.document
        assert rule.source
        assert rule.confidence in "AB"
        assert all(0 < tier.fraction < 1 for tier in rule.tiers)


def test_a_province_is_found_in_its_tier() -> None:
    found = centre_shares.find("five-tiers:53")
    assert found is not None
    assert (found[1].name, found[1].places["53"], found[1].fraction) == ("第一档", "云南", Fraction(4, 5))
    assert centre_shares.find("five-tiers:99") is None
    assert centre_shares.find("") is None


def test_the_rule_of_the_programme_is_offered_first() -> None:
    assert next(centre_shares.choices("living-aid"))[1] == [("compulsory-living:all", "全国，各省一致，中央 50%")]
    assert ("five-tiers:34", "安徽，第二档，中央 60%") in next(centre_shares.choices("senior-grant"))[1]


def test_what_a_part_is_called() -> None:
    assert [shares.fraction_words(Fraction(text)) for text in ("1/2", "1/8", "1", "1/3", "1/70000")] == [
        "50%", "12.5%", "100%", "1/3", "1/70000",
    ]  # fmt: skip
