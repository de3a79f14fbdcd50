"""What models with `first_term` and `last_term` have in common; `subsidies.dated_terms` says the same of values."""

from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from students.term_keys import term_before

from ..dated_terms import check_end

term_key = RegexValidator(r"^\d{4}-\d{4}-[12]$", "学期代码形如 2026-2027-1（1 为秋季，2 为春季）。")


def not_over_by(term: str | F) -> Q:
    """Rows whose end lies in the term or after it, or that have none."""
    return Q(last_term="") | Q(last_term__gte=term)


ENDS_AFTER_START = not_over_by(F("first_term"))


class DatedRows(models.QuerySet):
    """Rows that hold from a term to a term; terms are keys such as 2026-2027-1."""

    def in_force(self, term: str) -> Self:
        """Those that hold in the term."""
        return self.filter(not_over_by(term), first_term__lte=term)

    def in_force_from(self, term: str) -> Self:
        """Those that hold in the term or in one after it."""
        return self.filter(not_over_by(term))

    def make_way(self, row: Any) -> tuple[Any, bool]:
        """Let a new row, not saved, stand among the rows of its case (these): they follow one another in time.

        The one before ends with the term before; it ends itself before the one that is known to come after. A row of
        that very term is put right: the new one takes its place. Returns the row that held before (None if none did),
        and whether it is one put right. The caller holds the programme locked.
        """
        present: Any = self.filter(first_term=row.first_term).first()
        if present:
            row.pk, row.last_term, row._state.adding = present.pk, present.last_term, False
            return present, True
        before = self.filter(first_term__lt=row.first_term).order_by("-first_term").first()
        after: Any = self.filter(first_term__gt=row.first_term).order_by("first_term").first()
        row.last_term = term_before(after.first_term) if after else ""
        running = self.in_force_from(row.first_term).filter(first_term__lt=row.first_term)
        running.update(last_term=term_before(row.first_term))
        return before, False

    def end(self, row: Any, last_term: str, *, document: str) -> Any:
        """Give an open row its last term, under a lock; the row as it is then.

        Raises ValidationError if it cannot end so, and without the document by which it ends.
        """
        if not document.strip():
            raise ValidationError({"document": "没有写明文件名称和文号，请填写停止执行的依据。"})
        held: Any = self.select_for_update().get(pk=row.pk)
        check_end(held, last_term)
        held.last_term = last_term
        held.full_clean(exclude=["recorded_by"])  # nobody, of a row that came with a pack
        held.save(update_fields=["last_term"])
        return held
