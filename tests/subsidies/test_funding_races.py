"""Two clerks at the same moment, on two real connections: a batch is split once, and no two rows of shares meet."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from accounts.audit import verify_chain
from subsidies import funding
from subsidies.models import FundShare, LineShare, PaymentBatch, Programme, SheetSplit
from tests.cast import Cast, batch, enrol, submitted
from tests.subsidies import shortcuts
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)

SHARES = {"centre": "1/3", "province": "1/3", "county": "1/3"}


@pytest.fixture
def living_aid(cast) -> Programme:
    """Without the shares that ship with it."""
    programme = Programme.objects.get(code="living-aid")
    programme.shares.all().delete()
    return programme


def recording(cast: Cast, programme: Programme, by, **changed):
    facts = {"first_term": "2026-2027-1", "levels": SHARES, "remainder": "county", "document": "×财教〔2026〕9号"}
    share = FundShare(programme=programme, **facts | changed)
    return lambda: funding.record_share(share, county=cast.county, by=by)


def test_a_batch_is_split_by_one_of_two(cast, round_, living_aid) -> None:
    shortcuts.approved(cast, submitted(cast, round_, enrol(cast, cast.class_a1), enrol(cast, cast.class_a1)))
    made = batch(cast, round_)
    recording(cast, living_aid, cast.clerk)()

    def splitting(by):
        mine = PaymentBatch.objects.get(pk=made.pk)
        return lambda: funding.split_batch(mine, by=by)

    results = at_once(splitting(cast.clerk), splitting(cast.clerk2))
    assert sorted(type(result).__name__ for result in results) == ["ValidationError", "int"]
    refused = next(result for result in results if isinstance(result, ValidationError))
    assert refused.messages == ["这个批次的花名册都已分担，不用重复登记。"]
    assert SheetSplit.objects.count() == 1
    assert sum(row.amount for row in LineShare.objects.all()) == Decimal("1500.00")
    assert verify_chain().broken_at is None


def test_shares_recorded_at_once_for_one_term_are_one_row(cast, living_aid) -> None:
    results = at_once(
        recording(cast, living_aid, cast.clerk),
        recording(cast, living_aid, cast.clerk2, levels={"centre": "1/2", "county": "1/2"}),
    )
    assert [type(result).__name__ for result in results] == ["FundShare", "FundShare"]
    assert living_aid.shares.count() == 1
    assert verify_chain().broken_at is None


def test_shares_recorded_at_once_for_several_terms_follow_each_other(cast, living_aid) -> None:
    terms = ("2019-2020-1", "2023-2024-2", "2026-2027-1")
    results = at_once(*(recording(cast, living_aid, cast.clerk, first_term=term) for term in terms))
    assert [type(result).__name__ for result in results] == ["FundShare"] * 3
    rows = living_aid.shares.order_by("first_term").values_list("first_term", "last_term")
    assert list(rows) == [("2019-2020-1", "2023-2024-1"), ("2023-2024-2", "2025-2026-2"), ("2026-2027-1", "")]
