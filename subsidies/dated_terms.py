"""Rows that hold from a term to a term: when they are in force, and whether two meet. Pure.

`first_term` and `last_term` are keys of terms, both inclusive; a row without a last term has an open end.
`models.dated` asks the same of the database.
"""

from typing import Protocol

from django.core.exceptions import ValidationError

from students.term_keys import term_label

OPEN = "9999"  # an end after every term


class Dated(Protocol):
    """A row, of whatever kind, with its terms."""

    @property
    def first_term(self) -> str: ...

    @property
    def last_term(self) -> str: ...


def end_of(row: Dated) -> str:
    """The last term, or the open end."""
    return row.last_term or OPEN


def is_in_force(row: Dated, term: str) -> bool:
    """Whether the row holds in the term."""
    return row.first_term <= term <= end_of(row)


def common_terms(one: Dated, other: Dated) -> tuple[str, str] | None:
    """The first and the last term (or the open end) in which both are in force; None if there is none."""
    first, last = max(one.first_term, other.first_term), min(end_of(one), end_of(other))
    return (first, last) if first <= last else None


def meet(one: Dated, other: Dated) -> bool:
    """Whether the rows have a term in common."""
    return common_terms(one, other) is not None


def covers(one: Dated, other: Dated) -> bool:
    """Whether the row is in force in every term of the other."""
    return one.first_term <= other.first_term and end_of(other) <= end_of(one)


def span_label(row: Dated) -> str:
    """2024年春季学期至2026年秋季学期; 2024年春季学期起."""
    until = f"至{term_label(row.last_term)}" if row.last_term else "起"
    return f"{term_label(row.first_term)}{until}"


def check_end(row: Dated, last_term: str) -> None:
    """Raises ValidationError if an open row cannot end with the term."""
    if row.last_term:
        raise ValidationError("这条规定已经登记了截止学期。")
    if last_term < row.first_term:
        raise ValidationError({"last_term": "截止学期不能早于执行学期。"})
