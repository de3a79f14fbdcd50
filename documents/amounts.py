"""Amounts on paper: in figures and in the capital characters that cannot be altered with a pen.

The capital form follows 《支付结算办法》 appendix 1 (正确填写票据和结算凭证的基本规定, 银发〔1997〕393号):
整 after 元 or 角 and none after 分; one 零 for zeros between figures, none at the end of a group.
"""

from decimal import Decimal

_FIGURES = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿")
MOST = Decimal("999999999999.99")


def yuan(amount: Decimal) -> str:
    """1250 → "1,250.00". Raises ValueError unless the amount is a whole number of 分."""
    return f"{_to_the_fen(amount):,.2f}"


def in_words(amount: Decimal) -> str:
    """1250.50 → "人民币壹仟贰佰伍拾元伍角整". Raises ValueError for a negative or an inexact amount."""
    exact = _to_the_fen(amount)
    if exact < 0:
        raise ValueError("A negative amount is not written in words.")
    whole, fen = divmod(int(exact * 100), 100)
    return "人民币" + _whole_yuan(whole) + _small_change(fen, after_yuan=whole > 0, after_zero=whole % 10 == 0)


def _to_the_fen(amount: Decimal) -> Decimal:
    """The amount with two places. Refuses floats and third decimals: rounding is never done on paper."""
    if not isinstance(amount, Decimal) or not amount.is_finite() or abs(amount) > MOST:
        raise ValueError(f"Not an amount: {amount!r}")
    if amount * 100 % 1:
        raise ValueError(f"Smaller than a 分: {amount}")
    return amount.quantize(Decimal("0.01"))


def _whole_yuan(whole: int) -> str:
    if whole == 0:
        return ""
    words, gap = "", False
    for power in range(len(_GROUPS) - 1, -1, -1):
        group = whole // 10_000**power % 10_000
        # A zero is spoken once between figures: for an empty group, or where a group does not fill its thousands.
        if words and group and (gap or group < 1000):
            words += "零"
        if group:
            words += _group(group) + _GROUPS[power]
        gap = group == 0
    return words + "元"


def _group(group: int) -> str:
    """1 to 9999 without leading zero: 1010 → 壹仟零壹拾."""
    words, gap = "", False
    for place in (3, 2, 1, 0):
        figure = group // 10**place % 10
        if figure:
            words += ("零" if gap and words else "") + _FIGURES[figure] + _PLACES[place]
        gap = figure == 0
    return words


def _small_change(fen: int, *, after_yuan: bool, after_zero: bool) -> str:
    jiao, rest = divmod(fen, 10)
    if fen == 0:
        return "整" if after_yuan else "零元整"
    words = _FIGURES[jiao] + "角" if jiao else ""
    if after_yuan and (not jiao or after_zero):
        words = "零" + words
    return words + (_FIGURES[rest] + "分" if rest else "整")
