"""Two clerks press at the same moment, on two real connections: a pack is taken over once."""

import pytest

from accounts.audit import verify_chain
from accounts.models import AuditRow
from subsidies import pack_loading
from subsidies.models import PackRow, Programme
from tests.cast import Cast
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_pack_taken_over_twice_at_once_is_there_once(cast: Cast) -> None:
    pack = pack_loading.shipped("hunan")
    results = at_once(*[lambda: pack_loading.adopt(pack, county=cast.county, by=cast.clerk)] * 2)
    assert [type(each).__name__ for each in results] == ["Comparison", "Comparison"]
    assert sorted(each.has_new for each in results) == [False, True]
    assert Programme.objects.filter(code="rain-dew").count() == 1
    assert PackRow.objects.filter(pack="hunan", kind="programme").count() == 6
    assert AuditRow.objects.filter(action="pack.adopt", username=cast.clerk.username).count() == 1
    assert verify_chain().broken_at is None
