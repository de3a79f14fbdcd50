"""Terms and kinds of hardship that ship with the system: there once, and an officer's changes stay."""

import datetime as dt
import itertools

import pytest

from accounts.models import AuditRow
from students import reference, terms
from students.models import Category, Term


@pytest.mark.django_db
def test_load_twice_adds_nothing_and_changes_nothing() -> None:
    first = reference.load()
    assert first == {"terms": 8, "categories": len(reference.KINDS), "years": 4}
    Category.objects.filter(code="other").update(name="其他（本县）")
    assert reference.load() == {"terms": 0, "categories": 0, "years": 0}
    assert Category.objects.get(code="other").name == "其他（本县）"
    assert AuditRow.objects.filter(action="reference.load").count() == 1


@pytest.mark.django_db
def test_terms_run_from_autumn_2023_to_spring_2027_without_overlap() -> None:
    reference.load()
    rows = list(Term.objects.order_by("key"))
    assert (rows[0].key, rows[-1].key) == ("2023-2024-1", "2026-2027-2")
    assert rows[-2].name == "2026—2027学年秋季学期"
    assert all(before.ends_on < after.starts_on for before, after in itertools.pairwise(rows))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("day", "key"),
    [
        ("2026-10-12", "2026-2027-1"),
        ("2027-02-01", "2026-2027-1"),
        ("2026-08-15", "2025-2026-2"),
        ("2020-01-01", "2023-2024-1"),
    ],
)
def test_current_term_lasts_through_the_holidays(day: str, key: str) -> None:
    reference.load()
    term = terms.current(dt.date.fromisoformat(day))
    assert term is not None
    assert term.key == key


@pytest.mark.django_db
def test_registered_poverty_ended_with_2020_and_maps_to_its_successor() -> None:
    reference.load()
    ended = Category.objects.get(code="registered_poverty")
    assert (ended.valid_to, ended.maps_to.code) == (dt.date(2020, 12, 31), "lifted")
    assert all(category.source and category.needs_evidence for category in Category.objects.all())
