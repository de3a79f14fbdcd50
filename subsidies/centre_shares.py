"""The centre's share by province, as the national documents give it: reference data to fill a form with. Pure.

The table stands in `centre_shares.toml` with its sources; what a county uses is what it records itself.
"""

import functools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from .shares import fraction_words, read_fraction

_FILE = Path(__file__).with_name("centre_shares.toml")


@dataclass(frozen=True)
class Tier:
    """Provinces (code by GB/T 2260 → name) for which the centre bears the same fraction, as documents write it."""

    name: str
    centre: str
    places: dict[str, str]

    @property
    def fraction(self) -> Fraction:
        return read_fraction(self.centre)

    @property
    def codes(self) -> list[str]:
        """Prefixes of its regions; none where it is the whole country."""
        return sorted(code for code in self.places if code.isdecimal())


@dataclass(frozen=True)
class Rule:
    """One rule on the centre's share: for which programmes, from which term, by which document."""

    code: str
    name: str
    programmes: tuple[str, ...]
    document: str
    first_term: str
    source: str
    confidence: str
    tiers: tuple[Tier, ...]


@functools.cache
def rules() -> tuple[Rule, ...]:
    """Every rule of the file, in its order."""
    with _FILE.open("rb") as file:
        told = tomllib.load(file)["rule"]
    return tuple(
        Rule(
            code=row["code"],
            name=row["name"],
            programmes=tuple(row["programmes"]),
            document=row["document"],
            first_term=row["from"],
            source=row["source"],
            confidence=row["confidence"],
            tiers=tuple(
                Tier(tier["name"], tier["centre"], dict(place.split(" ", 1) for place in tier["places"]))
                for tier in row["tier"]
            ),
        )
        for row in told
    )


def rules_for(programme: str) -> list[Rule]:
    """The rules, those that name the programme's code first."""
    return sorted(rules(), key=lambda rule: programme not in rule.programmes)


def choices(programme: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Groups of choices for a form: the rule's name, then each province with its tier and the centre's part."""
    for rule in rules_for(programme):
        yield (
            f"{rule.name}（{rule.document}）",
            [
                (f"{rule.code}:{code}", f"{place}，{tier.name}，中央 {fraction_words(tier.fraction)}")
                for tier in rule.tiers
                for code, place in tier.places.items()
            ],
        )


def origin_choices(programme: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Groups of choices for a form: the rule's name, then each of its tiers with its provinces."""
    for rule in rules_for(programme):
        tiers = [tier for tier in rule.tiers if tier.codes]
        if tiers:
            named = [
                (
                    f"{rule.code}:{tier.codes[0]}",
                    f"{tier.name}，中央 {fraction_words(tier.fraction)}（{'、'.join(tier.places.values())}）",
                )
                for tier in tiers
            ]
            yield f"{rule.name}（{rule.document}）", named


def place_name(region: str) -> str:
    """贵州（520100), by the province or the city with a plan of its own; the code where it is not known."""
    known = {code: name for rule in rules() for tier in rule.tiers for code, name in tier.places.items()}
    name = next((known[region[:length]] for length in (4, 2) if region[:length] in known), "")
    return f"{name}（{region}）" if name else region


def find(choice: str) -> tuple[Rule, Tier] | None:
    """The rule and tier behind a choice of `choices`."""
    code, _, place = choice.partition(":")
    for rule in rules():
        for tier in rule.tiers:
            if rule.code == code and place in tier.places:
                return rule, tier
    return None
