"""Handing down places in tests, by the people whose it is."""

from decimal import Decimal

from accounts.models import Unit
from subsidies import percentages, places, quotas
from subsidies.models import Programme, Quota, QuotaPercentage, Round
from subsidies.quotas import Wish
from tests.cast import Cast, officer_of

DOCUMENT = "云教助〔2026〕12号"


def held(round_: Round, unit: Unit) -> Quota:
    return Quota.objects.select_related("unit__parent", "programme", "term").get(
        programme=round_.programme, term=round_.term, unit=unit
    )


def seats(round_: Round, unit: Unit) -> places.Seats:
    return places.seats_of(round_.programme, round_.term, [unit])[unit.pk]


def receive(cast: Cast, round_: Round, number: int | None, **more) -> int:
    return quotas.receive(Wish(cast.county, number), **{"by": cast.clerk} | _list(round_) | more)


def allot(cast: Cast, round_: Round, numbers: dict[Unit, int | None], **more) -> int:
    wishes = [Wish(unit, number) for unit, number in numbers.items()]
    return quotas.allot(cast.county, wishes, **{"by": cast.clerk} | _list(round_) | more)


def allot_percent(cast: Cast, round_: Round, percent: str, rounding: str = "down", *schools: Unit) -> int:
    wishes = [Wish(unit, percent=Decimal(percent), rounding=rounding) for unit in schools or (cast.school_a,)]
    return quotas.allot(cast.county, wishes, by=cast.clerk, **_list(round_))


def pass_on(cast: Cast, round_: Round, numbers: dict[Unit, int | None], **more) -> int:
    school = next(iter(numbers)).parent
    wishes = [Wish(unit, number) for unit, number in numbers.items()]
    return quotas.pass_on(school, wishes, **{"by": officer_of(cast, school)} | _list(round_) | more)


def give(cast: Cast, round_: Round, number: int) -> None:
    """Places for the first school, out of as many for the county."""
    receive(cast, round_, number)
    allot(cast, round_, {cast.school_a: number})


def percentage(cast: Cast, programme: Programme, percent: str, **changed) -> QuotaPercentage:
    """A percentage of the roll as the county records it, from this term on."""
    facts = {"rounding": "down", "document": DOCUMENT, "first_term": cast.term.key}
    row = QuotaPercentage(programme=programme, percent=Decimal(percent), **facts | changed)
    return percentages.record(row, county=cast.county, by=cast.clerk)


def _list(round_: Round) -> dict:
    return {"programme": Programme.objects.get(pk=round_.programme_id), "term": round_.term, "document": DOCUMENT}
