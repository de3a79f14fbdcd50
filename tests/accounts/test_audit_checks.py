"""Checks of the audit trail: a short one is done at once, a long one part by part, by whoever is there to go on."""

import datetime as dt

import pytest
from django.utils import timezone

from accounts import audit, audit_checks
from accounts.models import AuditCheck, AuditRow
from accounts.tasks import sweep_audit_checks
from tests.accounts.test_audit_chain import behind_the_back, write
from tests.cast import Cast


@pytest.fixture(autouse=True)
def _three_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_checks, "ROWS_AT_ONCE", 3)


def told() -> list[dict]:
    return [row.detail for row in AuditRow.objects.filter(action="audit.verify")]


def test_a_long_trail_is_walked_on_by_a_worker(cast: Cast, visit) -> None:
    session = visit(cast.inspector)
    write(5)
    rows = AuditRow.objects.count()
    page = session.post("/audit/verify/", follow=True).content.decode()
    assert f"已核验 3 / {rows} 行" in page
    check = AuditCheck.objects.get()
    assert session.get(f"/audit/checks/{check.pk}/").headers.get("HX-Refresh") is None
    assert told() == []
    write(4)  # what is written meanwhile is for the next check
    sweep_audit_checks()
    assert told() == [{"rows": rows, "broken_at": None}]
    assert AuditRow.objects.get(action="audit.verify").username == cast.inspector.username
    assert session.get(f"/audit/checks/{check.pk}/").headers["HX-Refresh"] == "true"
    page = session.get("/audit/").content.decode()
    assert f"{rows} 行前后相连" in page
    assert "已核验" not in page


def test_who_asks_meanwhile_gets_the_same_check(cast: Cast) -> None:
    first = audit_checks.ask(by=cast.inspector)
    again = audit_checks.ask(by=cast.head)
    assert (again.pk, again.asked_by, again.reached) == (first.pk, cast.inspector, 6)
    audit_checks.run(first.pk)
    assert audit_checks.ask(by=cast.head).pk != first.pk


def test_a_fault_far_back_is_named_on_the_page(cast: Cast, visit) -> None:
    write(7)
    number = AuditRow.objects.filter(action="thing.done").order_by("number")[4].number
    behind_the_back("UPDATE accounts_auditrow SET person = 'x' WHERE number = %s", number)
    session = visit(cast.head)
    session.post("/audit/verify/")
    sweep_audit_checks()
    assert told() == [{"rows": number - 1, "broken_at": number}]
    assert f"第 {number} 行起不可信，请立即报告" in session.get("/audit/").content.decode()


def test_part_that_somebody_is_at_is_left_to_them_until_their_lease_is_over(cast: Cast) -> None:
    check = audit_checks.ask(by=cast.inspector)
    later = timezone.now() + dt.timedelta(seconds=60)
    AuditCheck.objects.filter(pk=check.pk).update(lease_until=later)
    sweep_audit_checks()
    assert AuditCheck.objects.get().reached == 3
    AuditCheck.objects.filter(pk=check.pk).update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    sweep_audit_checks()
    assert AuditCheck.objects.get().finished_at is not None
    assert audit_checks.waiting() == []
    assert audit.verify_chain().broken_at is None
