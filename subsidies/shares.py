"""Who bears how much of an amount: levels with exact fractions that sum to one. Pure: no model is imported.

How a list of payments is split (资金分担), decided once:

1. The sum of the list is split first. Each level gets its fraction of it, cut to whole fen; what is left over
   (less than a fen for each other level) goes to the one level that is named to take the remainder.
2. The lines share these sums out so that each line adds up to its own amount and each level to its sum. Cut line by
   line, a thousand thirds of 312.50 元 would leave a level ten 元 short of its third of the whole; so the fen that are
   cut are carried on to the next line. So a part of one line may lie a few fen beside its exact fraction: by less than
   one where two levels share, by more where the level of the remainder makes up for several others.
3. No part of a positive amount is negative. A line that reverses another is its mirror: the same parts, the other sign.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Protocol, TypeVar

# The levels that bear money, from the top. LOCAL stands for all below the centre where a document says no more.
LOCAL = "local"
LEVELS: Mapping[str, str] = {
    "centre": "中央",
    "province": "省级",
    "city": "市级",
    "county": "县（区）级",
    LOCAL: "地方",
    "school": "学校",
}
_BELOW_THE_CENTRE = ("province", "city", "county")
_MOST_PARTS = 1_000_000  # the largest denominator: an amount has far fewer fen

Parts = dict[str, Decimal]  # 元 by level


@dataclass(frozen=True)
class Share:
    level: str
    fraction: Fraction


@dataclass(frozen=True)
class Plan:
    """Fractions that sum to one, in the order of LEVELS, and the level that takes what cannot be divided."""

    shares: tuple[Share, ...]
    remainder: str


# --- reading ---------------------------------------------------------------------------------------

_NUMBER = r"\d{1,9}(?:\.\d{1,6})?"
_FACTOR = re.compile(rf"({_NUMBER})(?:(%)|/(\d{{1,9}}))?")


def read_fraction(text: str) -> Fraction:
    """An exact fraction as people write it: 5/10, 50%, 0.5, or a part of a part as 4/10×8/10.

    Raises ValueError with a Chinese sentence.
    """
    told = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).replace("*", "×").replace("÷", "/")
    value = Fraction(1)
    for factor in told.split("×"):
        found = _FACTOR.fullmatch(factor)
        if not found:
            raise ValueError(f"“{text.strip()[:20]}”不是份额，请写成 5/10、50% 或 0.5；份额中的份额写成 4/10×8/10。")
        number, percent, below = found.groups()
        if below is not None and int(below) == 0:
            raise ValueError(f"“{text.strip()[:20]}”的分母不能是 0。")
        value *= Fraction(number) / (100 if percent else int(below or 1))
    if value.denominator > _MOST_PARTS:
        raise ValueError(f"“{text.strip()[:20]}”分得太细，约分后的分母不能超过 {_MOST_PARTS}。")
    return value


def faults(levels: Mapping[str, str], remainder: str) -> list[str]:
    """What is wrong with fractions as they are written, one sentence each; an empty list when they may be used."""
    found, total = [], Fraction(0)
    for level, text in levels.items():
        if level not in LEVELS:
            found.append(f"没有“{level}”这一级，分担的各级是：{'、'.join(LEVELS.values())}。")
            continue
        try:
            fraction = _read_signed(text)
        except ValueError as refusal:
            found.append(f"{LEVELS[level]}：{refusal}")
            continue
        if fraction <= 0:
            found.append(f"{LEVELS[level]}的份额是 {text}，份额必须大于零；不承担的不要写。")
        total += fraction
    if LOCAL in levels and any(level in levels for level in _BELOW_THE_CENTRE):
        found.append("写了“地方”就不能再写省、市、县各级，请只用一种写法。")
    if not levels:
        found.append("还没有填写分担份额。")
    elif not found and total != 1:
        gap = abs(total - 1)
        side = "还差" if total < 1 else "多出"
        found.append(f"各级份额合计 {fraction_words(total)}，必须正好是 1，{side} {fraction_words(gap)}。")
    if remainder not in levels:
        name = LEVELS.get(remainder, remainder)
        told = f"承担尾差的“{name}”不在分担的各级里。" if remainder else "请选择由哪一级承担除不尽的尾差。"
        found.append(told)
    return found


def _read_signed(text: str) -> Fraction:
    told = unicodedata.normalize("NFKC", str(text)).strip()
    return -read_fraction(told[1:]) if told[:1] in ("-", "−") else read_fraction(told)


def plan_of(levels: Mapping[str, str], remainder: str) -> Plan:
    """The fractions as values. Raises ValueError with the sentences of `faults`."""
    if found := faults(levels, remainder):
        raise ValueError("".join(found))
    return Plan(tuple(Share(level, read_fraction(levels[level])) for level in LEVELS if level in levels), remainder)


def written(plan: Plan) -> dict[str, str]:
    """The fractions as they are kept: in lowest terms, so that 5/10 and 50% are one text."""
    return {share.level: str(share.fraction) for share in plan.shares}


# --- splitting -------------------------------------------------------------------------------------


def split(amount: Decimal, plan: Plan) -> Parts:
    """The amount by level, to the fen; the remainder goes to the named level. A negative amount is the mirror.

    Raises ValueError for an amount with parts of a fen.
    """
    if amount < 0:
        return mirror(split(-amount, plan))
    return _as_yuan(_cut(_fen(amount), plan))


def split_lines(amounts: Sequence[Decimal], plan: Plan) -> list[Parts]:
    """Each line's parts, in order: each adds up to its line, and by level they add up to the split of the sum.

    Raises ValueError for a negative amount or one with parts of a fen.
    """
    rows, before, cut_before = [], 0, _cut(0, plan)
    for amount in amounts:
        if amount < 0:
            raise ValueError(f"A line of a list to be split is negative: {amount}")
        after = before + _fen(amount)
        cut = _cut(after, plan)
        rows.append({level: cut[level] - cut_before[level] for level in cut})
        before, cut_before = after, cut
    _lift_above_zero(rows, plan.remainder)
    return [_as_yuan(row) for row in rows]


def mirror(parts: Mapping[str, Decimal]) -> Parts:
    """The parts of a line that takes these back."""
    return {level: -amount for level, amount in parts.items()}


def sums(rows: Iterable[Mapping[str, Decimal]]) -> Parts:
    """What each level bears in all, in the order of LEVELS."""
    total: Parts = {}
    for row in rows:
        for level, amount in row.items():
            total[level] = total.get(level, Decimal("0.00")) + amount
    return {level: total[level] for level in LEVELS if level in total}


def _cut(fen: int, plan: Plan) -> dict[str, int]:
    """Whole fen of each level's fraction; all that is left over to the level of the remainder."""
    parts = {share.level: fen * share.fraction.numerator // share.fraction.denominator for share in plan.shares}
    parts[plan.remainder] += fen - sum(parts.values())
    return parts


def _lift_above_zero(rows: list[dict[str, int]], remainder: str) -> None:
    """A line of a few fen can be too small for the fen carried on to it: another line takes them over.

    In exchange that line's remainder gives the same fen, so that every line and every level stays what it was.
    There always is one: the remainder's sum is never negative.
    """
    short = [row for row in rows if row[remainder] < 0]
    givers = (row for row in rows if row[remainder] > 0)
    giver = next(givers, None) if short else None
    for row in short:
        while row[remainder] < 0:
            while giver is not None and giver[remainder] <= 0:
                giver = next(givers, None)
            assert giver is not None
            level = next(level for level, fen in row.items() if fen > 0)
            row[level], row[remainder] = row[level] - 1, row[remainder] + 1
            giver[level], giver[remainder] = giver[level] + 1, giver[remainder] - 1


def _fen(amount: Decimal) -> int:
    fen = amount * 100
    if fen != int(fen):
        raise ValueError(f"Smaller than a fen: {amount}")
    return int(fen)


def _as_yuan(parts: Mapping[str, int]) -> Parts:
    return {level: Decimal(fen).scaleb(-2) for level, fen in parts.items()}


# --- which schools ---------------------------------------------------------------------------------

# Kinds of schools a plan may be for, as a tree: the narrowest that fits a school counts. "" is every school.
KINDS: Mapping[str, str] = {
    "": "全部学校",
    "public": "公办学校",
    "county": "县级财政供给的公办学校",
    "city": "市级财政供给的公办学校",
    "province": "省级财政供给的公办学校",
    "inclusive": "普惠性民办学校",
    "private": "民办学校",
}


def kinds_of(ownership: str, finance: str) -> tuple[str, ...]:
    """The kinds a school belongs to, the narrowest first. Only a public school is told by who finances it."""
    return (finance, ownership, "") if ownership == "public" else (ownership, "")


# --- which pupils ----------------------------------------------------------------------------------

_PREFIX = re.compile(r"[1-9][0-9](?:[0-9]{2}){0,2}")  # of GB/T 2260: province, city or county


def read_origins(text: str) -> tuple[str, ...]:
    """Prefixes of regions, in order: 52、5301 or 520000 530100 are 52 and 5301; an empty text is none.

    Raises ValueError with a Chinese sentence for what is no region, and for one that lies in another.
    """
    found: list[str] = []
    for typed in re.split(r"[\s,，、;；]+", unicodedata.normalize("NFKC", text).strip()):
        if not typed:
            continue
        if not _PREFIX.fullmatch(typed):
            raise ValueError(f"“{typed[:12]}”不是行政区划代码：省写前两位（52），市写四位（5201），县写六位。")
        code = typed
        while len(code) > 2 and code.endswith("00"):
            code = code[:-2]
        if within := next((each for each in found if code.startswith(each) or each.startswith(code)), None):
            raise ValueError(f"“{typed}”和“{within}”重复，请只留一个。")
        found.append(code)
    return tuple(sorted(found))


def share_region(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether two rows of one kind of school are for the same pupils: they name one region, or both are for all."""
    mine, theirs = set(one), set(other)
    return bool(mine & theirs) or (not mine and not theirs)


class Row(Protocol):
    """Shares with whom they are for."""

    @property
    def schools(self) -> str: ...

    @property
    def origin_codes(self) -> tuple[str, ...]: ...


_R = TypeVar("_R", bound=Row)


def choose(rows: Sequence[_R], kinds: Iterable[str], region: str) -> _R | None:
    """Which of the rows in force counts for a pupil from the region at a school of these kinds (`kinds_of`).

    The narrowest kind of school that says anything of the pupil; of its rows the one for the narrowest region in which
    the pupil's household is registered, else the one for all regions: that counts, too, where no region is recorded.
    """
    for kind in kinds:
        here = [row for row in rows if row.schools == kind]
        within = [
            (len(code), place) for place, row in enumerate(here) for code in row.origin_codes if region.startswith(code)
        ]
        if within:
            return here[max(within)[1]]
        if everybody := next((row for row in here if not row.origin_codes), None):
            return everybody
    return None


# --- words -----------------------------------------------------------------------------------------


def whom_words(schools: str, origin_name: str) -> str:
    """县级财政供给的公办学校，生源地为西部地区."""
    return f"{KINDS.get(schools, schools)}，生源地为{origin_name}" if origin_name else KINDS.get(schools, schools)


def fraction_words(fraction: Fraction) -> str:
    """50% where a percentage with two decimals is exact, else 1/3."""
    percent = fraction * 100
    if (percent * 100).denominator == 1:
        return f"{Decimal(int(percent * 100)).scaleb(-2).normalize():f}%"
    return str(fraction)


def plan_words(plan: Plan) -> str:
    """中央 50%、省级 30%、县（区）级 20%."""
    return "、".join(f"{LEVELS[share.level]} {fraction_words(share.fraction)}" for share in plan.shares)


def ratio_words(plan: Plan) -> str:
    """As documents say it: 5:3:2; empty where the numbers would be long."""
    whole = lcm(*(share.fraction.denominator for share in plan.shares))
    return ":".join(str(share.fraction * whole) for share in plan.shares) if whole <= 1000 else ""


def example_words(amount: Decimal, plan: Plan) -> str:
    """625.00 元 = 中央 312.50 + 省级 187.50 + 县（区）级 125.00."""
    parts = split(amount, plan)
    return f"{amount:,.2f} 元 = " + " + ".join(f"{LEVELS[level]} {part:,.2f}" for level, part in parts.items())
