"""A school's list that is longer than a page is decided on part by part."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from subsidies.states import State
from subsidies.views import school_lists
from tests.cast import refreshed

from .test_closed_rows import address, filled, waiting


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(school_lists, "_PART", 2)


def states(rows) -> list[str]:
    return [row.state for row in refreshed(rows)]


def test_a_decision_on_one_part_leaves_the_others_and_leads_on(as_user, cast, round_, short):
    rows = waiting(cast, round_, State.SCHOOL_REVIEWED, "安一", "包二", "陈三", "邓四", "方五")
    principal, url = as_user(cast.principal_a), address(cast, round_, "school_confirm", "school")
    page = principal.get(url)
    text = page.content.decode()
    assert "5 人，合计 3,750.00 元" in text
    assert [name in text for name in ("安一", "包二", "陈三")] == [True, True, False]
    answer = principal.post(url, filled(page, {"rest": "agree"}), follow=True)
    assert "2 份申请作出校长确认结论。名单的其他部分还有 3 份，请接着办理。" in answer.content.decode()
    done, wait = State.CONFIRMED, State.SCHOOL_REVIEWED
    assert states(rows) == [done, done, wait, wait, wait]
    # The last part first: who is before it stays.
    last = principal.get(url, {"page": 2})
    assert "陈三" in last.content.decode()
    principal.post(f"{url}?page=2", filled(last, {"rest": "agree"}))
    assert states(rows) == [done, done, done, wait, wait]
    answer = principal.post(url, filled(principal.get(url), {"rest": "agree"}), follow=True)
    assert answer.redirect_chain[-1][0].endswith(f"/rounds/{round_.pk}/")
    assert states(rows) == [done] * 5


def test_a_part_sent_twice_is_taken_once(as_user, cast, round_, short):
    rows = waiting(cast, round_, State.SCHOOL_REVIEWED, "安一", "包二", "陈三", "邓四", "方五")
    principal, url = as_user(cast.principal_a), address(cast, round_, "school_confirm", "school")
    sent = filled(principal.get(url), {"rest": "agree"})
    principal.post(url, sent)
    answer = principal.post(url, sent, follow=True)
    assert "没有重复办理" in answer.content.decode()
    assert states(rows).count(State.CONFIRMED) == 2


def test_a_part_costs_the_same_however_long_the_list(as_user, cast, round_, short):
    principal, url = as_user(cast.principal_a), address(cast, round_, "school_confirm", "school")
    counts = []
    for names in (("安一", "包二", "陈三"), ("邓四", "方五", "高六", "何七", "江八")):
        waiting(cast, round_, State.SCHOOL_REVIEWED, *names)
        principal.get(url)
        with CaptureQueriesContext(connection) as asked:
            principal.get(url)
        counts.append(len(asked))
    assert counts[0] == counts[1]
