"""Whatever is typed into the forms of policy is answered with a page: no error, nothing kept of nonsense."""

import itertools
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from subsidies.models import FundShare, Programme, Round, Standard
from tests.cast import Cast
from tests.subsidies.quota_hands import give, held
from tests.subsidies.test_pages import open_as

NONSENSE = [
    "NaN",
    "1e9",
    "-1",
    "0.001",
    "٣",
    "9" * 30,
    "2026-02-30",
    "2026-2028-3",
    "<script>alert(1)</script>",
    "\x00",
]


@pytest.fixture
def addresses(cast: Cast, round_: Round) -> list[str]:
    """Every page on which policy is typed."""
    give(cast, round_, 5)
    living = Programme.objects.get(code="living-aid")
    standard, share = living.standards.latest("first_term"), living.shares.get()
    code = living.code
    return [
        *(reverse(name, args=[code]) for name in ("standard_add", "share_add", "percentage_add", "outside_quota")),
        *(reverse(name, args=[code]) for name in ("programme_edit", "ground_add", "process_rule_add")),
        reverse("programme_add"),
        reverse("exclusion_add"),
        reverse("standard_end", args=[code, standard.pk]),
        reverse("ground_end", args=[code, living.accepted.first().pk]),
        reverse("share_end", args=[share.pk]),
        reverse("quotas", args=[round_.pk, cast.county.pk]),
        reverse("quota_receive", args=[round_.pk]),
        reverse("quota_reduce", args=[held(round_, cast.school_a).pk]),
    ]


def _form(client: Client, address: str):
    response = client.get(address)
    assert response.status_code == 200, address
    return response.context.get("form")


def _typed(form) -> dict[str, object]:
    """The form as it is shown, sent back."""
    values = {bound.html_name: bound.value() for bound in form}
    return {name: value for name, value in values.items() if value not in (None, "", [], False)}


@pytest.mark.parametrize("first", [0, 5])
def test_nonsense_is_answered_with_a_page(cast: Cast, addresses: list[str], first: int) -> None:
    """One field after another, each with the next nonsense."""
    client, typed = open_as(cast.clerk), itertools.islice(itertools.cycle(NONSENSE), first, None)
    for address in addresses:
        form = _form(client, address)
        for name in [bound.html_name for bound in form] if form else ():
            nonsense = next(typed)
            response = client.post(address, {"document": "县财教〔2026〕9号"} | _typed(form) | {name: nonsense})
            assert response.status_code in (200, 302, 400, 404), (address, name, nonsense)
            assert b"<script>alert(1)</script>" not in response.content
        asked = dict.fromkeys(("percent", "rounding", "fill", "row"), next(typed))
        assert client.get(address, asked).status_code in (200, 302, 404), (address, asked)
    assert all(0 < row.amount < Decimal("10000000") for row in Standard.objects.all())
    assert all(sum(part.fraction for part in row.plan.shares) == 1 for row in FundShare.objects.all())
