"""Amounts in capital characters, held against the rules' own examples and against a reader of our own."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.amounts import MOST, in_words, yuan

# The first six are the examples of 《支付结算办法》 appendix 1; where it allows two ways, the one with 零.
WORDS = {
    "1409.50": "壹仟肆佰零玖元伍角整",
    "6007.14": "陆仟零柒元壹角肆分",
    "1680.32": "壹仟陆佰捌拾元零叁角贰分",
    "107000.53": "壹拾万柒仟元零伍角叁分",
    "16409.02": "壹万陆仟肆佰零玖元零贰分",
    "325.04": "叁佰贰拾伍元零肆分",
    "0": "零元整",
    "0.05": "伍分",
    "0.10": "壹角整",
    "0.55": "伍角伍分",
    "1": "壹元整",
    "10": "壹拾元整",
    "110": "壹佰壹拾元整",
    "312.50": "叁佰壹拾贰元伍角整",
    "1050": "壹仟零伍拾元整",
    "1250": "壹仟贰佰伍拾元整",
    "10000": "壹万元整",
    "10001.5": "壹万零壹元伍角整",
    "1000100": "壹佰万零壹佰元整",
    "1001000": "壹佰万壹仟元整",
    "20000000.05": "贰仟万元零伍分",
    "100010000": "壹亿零壹万元整",
    "100000001": "壹亿零壹元整",
    "123456789012.34": "壹仟贰佰叁拾肆亿伍仟陆佰柒拾捌万玖仟零壹拾贰元叁角肆分",
}
amounts = st.integers(0, int(MOST * 100)).map(lambda fen: Decimal(fen) / 100)


@pytest.mark.parametrize(("amount", "words"), WORDS.items())
def test_amounts_are_written_by_the_rules(amount, words):
    assert in_words(Decimal(amount)) == "人民币" + words


@given(amounts)
def test_what_is_written_reads_back_as_the_same_amount(amount):
    assert read_words(in_words(amount)) == amount


@given(amounts)
def test_zeros_never_stand_together_nor_before_a_unit(amount):
    words = in_words(amount)
    assert not any(bad in words for bad in ("零零", "零万", "零亿", "零拾", "零佰", "零仟", "零角", "零分", "零整"))
    assert ("零元" in words) == (amount == 0)


@pytest.mark.parametrize("amount", ["-0.01", "-1250", "0.005", "625.001", "NaN", "Infinity", "1000000000000"])
def test_what_is_no_exact_amount_is_refused(amount):
    with pytest.raises(ValueError, match=r"amount|分"):
        in_words(Decimal(amount))


@pytest.mark.parametrize("amount", [1250, 1250.5, "1250"])
def test_only_decimals_are_amounts(amount):
    with pytest.raises(ValueError, match="Not an amount"):
        yuan(amount)


def test_figures_have_separators_and_two_places():
    assert [yuan(Decimal(a)) for a in ("0", "312.5", "1250", "1234567.89", "-5")] == [
        "0.00",
        "312.50",
        "1,250.00",
        "1,234,567.89",
        "-5.00",
    ]


def read_words(words: str) -> Decimal:
    """The amount a cashier reads: figures collect places, 万 and 亿 close groups, 元 角 分 end each part."""
    figures = {char: value for value, char in enumerate("零壹贰叁肆伍陆柒捌玖")}
    places = {"拾": 10, "佰": 100, "仟": 1000}
    total = yuan_part = group = figure = 0
    for char in words.removeprefix("人民币").removesuffix("整"):
        if char in figures:
            figure = figures[char]
        elif char in places:
            group, figure = group + figure * places[char], 0
        elif char in ("万", "亿"):
            yuan_part, group, figure = yuan_part + (group + figure) * {"万": 10**4, "亿": 10**8}[char], 0, 0
        else:
            total += (yuan_part + group + figure) * {"元": 100, "角": 10, "分": 1}[char]
            yuan_part = group = figure = 0
    return Decimal(total) / 100
