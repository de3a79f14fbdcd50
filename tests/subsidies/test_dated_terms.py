"""Rows that hold from a term to a term: the pure rule, and the same asked of the database."""

from typing import NamedTuple

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from subsidies.dated_terms import OPEN, check_end, common_terms, covers, end_of, is_in_force, meet, span_label
from subsidies.models import AcceptedCategory, Programme

TERMS = [f"{year}-{year + 1}-{half}" for year in range(2023, 2027) for half in (1, 2)]


class Row(NamedTuple):
    first_term: str
    last_term: str = ""


rows = st.builds(
    lambda first, length: Row(TERMS[first], "" if length is None else TERMS[min(first + length, len(TERMS) - 1)]),
    st.integers(0, len(TERMS) - 1),
    st.none() | st.integers(0, 4),
)


def in_force(row: Row) -> set[str]:
    return {term for term in [*TERMS, OPEN] if is_in_force(row, term)}


@given(rows, rows)
def test_rows_meet_where_both_are_in_force(one: Row, other: Row) -> None:
    common = in_force(one) & in_force(other)
    assert meet(one, other) == meet(other, one) == bool(common)
    assert common_terms(one, other) == ((min(common), max(common)) if common else None)
    assert covers(one, other) == (in_force(other) <= in_force(one))
    assert end_of(one) == max(in_force(one))


def test_the_terms_of_a_row_in_words() -> None:
    assert span_label(Row("2023-2024-2", "2026-2027-1")) == "2024年春季学期至2026年秋季学期"
    assert span_label(Row("2023-2024-2")) == "2024年春季学期起"


def test_an_open_row_may_end_with_its_first_term_but_not_before() -> None:
    row = Row("2026-2027-1")
    check_end(row, "2026-2027-1")
    with pytest.raises(ValidationError, match="不能早于执行学期"):
        check_end(row, "2025-2026-2")
    with pytest.raises(ValidationError, match="已经登记了截止学期"):
        check_end(Row("2026-2027-1", "2026-2027-1"), "2026-2027-2")


@pytest.mark.django_db
def test_the_database_answers_as_the_rule() -> None:
    programme = Programme.objects.create(code="aid", name="补助", stages=["junior"], channels=["card"], basis="县文件")
    spans = [("2023-2024-1", ""), ("2024-2025-1", "2024-2025-2"), ("2025-2026-1", "2025-2026-1")]
    for first, last in spans:
        programme.accepted.create(category_code="orphan", first_term=first, last_term=last, source="县文件")
    held = list(AcceptedCategory.objects.filter(programme=programme))
    for term in TERMS:
        assert set(programme.accepted.in_force(term)) == {row for row in held if is_in_force(row, term)}
        assert set(programme.accepted.in_force_from(term)) == {row for row in held if term <= end_of(row)}
