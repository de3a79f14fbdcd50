"""A sheet that takes longer than a lease is not taken over for ever: each further try has more time."""

import datetime as dt

from django.utils import timezone

from subsidies.models import PayoutSheet
from subsidies.payout_sheets import claim
from subsidies.states import State
from tests.cast import enrol, submitted, walk


def test_each_further_try_holds_the_sheet_longer(cast, round_, settings) -> None:
    [case] = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.IN_BATCH)
    sheet = PayoutSheet.objects.get(lines__application=case)
    held = []
    for attempt in (1, 2, 3):
        assert claim(sheet.pk) == attempt
        held.append(PayoutSheet.objects.get(pk=sheet.pk).lease_until - timezone.now())
        PayoutSheet.objects.filter(pk=sheet.pk).update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    assert [round(each.total_seconds() / settings.SHEET_LEASE_SECONDS) for each in held] == [1, 2, 3]
