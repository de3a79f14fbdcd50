"""The forms on paper: what was declared, to be signed at home; and blank ones for families without network."""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from accounts import access, audit
from accounts.models import Unit, User
from accounts.roles import Permission
from documents import pdf
from students.models import Enrolment

from . import declarations
from .declaration_answers import TROUBLES, Answers
from .declaration_words import GROUPS
from .models import Declaration, FormRule

MOST_AT_ONCE = 30  # forms in one file: half a class, so that nobody waits long for it
_LINES = 5  # rows of the family's table at least; what is free is for the pen
_TEMPLATE = "subsidies/print/declarations.html"


@dataclasses.dataclass(frozen=True)
class Sheet:
    """One form: what is printed into it. Without facts nothing is known, without answers the family writes itself."""

    rule: FormRule
    year: str
    programmes: str = ""
    tiers: tuple[str, ...] = ()
    facts: dict[str, Any] | None = None
    answers: Answers | None = None
    mark: str = ""
    made_on: dt.date | None = None

    @property
    def groups(self) -> list[tuple[str, bool | None]]:
        if self.answers is None or self.facts is None:
            return [(label, None) for label, _ in GROUPS]
        return list(declarations.groups_of(self.facts))

    @property
    def other_groups(self) -> str:
        """What stands at 其他; "" where there is none."""
        if self.answers is None or self.facts is None:
            return ""
        told = [*declarations.other_groups_of(self.facts), self.answers.other_group]
        return "、".join(each for each in told if each)

    @property
    def categories(self) -> list[dict[str, Any]]:
        """The kinds of hardship on record with their evidence: only on the family's own filled form."""
        return self.facts["categories"] if self.facts and self.answers else []

    @property
    def troubles(self) -> list[tuple[str, str]]:
        return self.answers.troubles if self.answers else [(label, "") for label in TROUBLES.values()]

    @property
    def aided(self) -> str:
        if self.facts is None or self.answers is None:
            return ""
        return "；".join([*self.facts["aid"], *filter(None, [self.answers.aided])])

    @property
    def free_lines(self) -> range:
        return range(max(0, _LINES - (len(self.answers.members) if self.answers else 0)))

    @property
    def member_rows(self) -> int:
        """Rows of the family's table, its head included."""
        return 1 + len(self.free_lines) + (len(self.answers.members) if self.answers else 0)

    @property
    def birth_date(self) -> dt.date | None:
        text = self.facts["birth_date"] if self.facts else ""
        return dt.date.fromisoformat(text) if text else None


def print_version(declaration: Declaration, form: declarations.Form, *, by: User) -> bytes:
    """The form of one version as PDF, to be signed; leaves an audit row. The page asks who may."""
    return _print([_filled(declaration, form)], [declaration], form.rule, by=by)


def print_filled(held: Sequence[Declaration], form: declarations.Form, *, by: User) -> bytes:
    """The forms of several pupils of a class in one file; leaves an audit row of each. The page asks who may.

    Raises ValidationError where there is none to print, or too many for one file.
    """
    _check_count(len(held))
    return _print([_filled(each, form) for each in held], held, form.rule, by=by)


def print_blank(
    form: declarations.Form, *, unit: Unit, year: str, places: Sequence[Enrolment] = (), copies: int = 0, by: User
) -> bytes:
    """Forms to be filled in by hand: one for each of the places, with what the register knows of who the child is
    (never of hardship: they are handed out in the class), or so many empty ones.

    Raises ValidationError where there is none to print, or too many for one file.
    """
    access.require(by, Permission.EDIT_PUPILS, unit)
    _check_count(len(places) or copies)
    empty = Sheet(form.rule, year, _names(form), _tiers(form))
    if places:
        facts = declarations.facts_of(list(places))
        sheets = [dataclasses.replace(empty, facts=facts[place.pk]) for place in places]
    else:
        sheets = [empty] * copies
    paper = pdf.render(_TEMPLATE, {"sheets": sheets})
    audit.record("declaration.print_blank", unit, by=by, unit=unit, year=year, form=form.rule.title, count=len(sheets))
    return paper


def _filled(declaration: Declaration, form: declarations.Form) -> Sheet:
    return Sheet(
        form.rule,
        declaration.school_year,
        _names(form),
        _tiers(form),
        facts=declaration.facts,
        answers=declarations.answers_of(declaration),
        mark=declaration.mark,
        made_on=timezone.localdate(declaration.made_at),
    )


def _names(form: declarations.Form) -> str:
    return "、".join(programme.name for programme in form.programmes)


def _tiers(form: declarations.Form) -> tuple[str, ...]:
    """The grades of hardship to choose from: those of the first programme that has any."""
    return next((tuple(programme.tiers) for programme in form.programmes if programme.tiers), ())


def _print(sheets: Sequence[Sheet], held: Iterable[Declaration], rule: FormRule, *, by: User) -> bytes:
    paper = pdf.render(_TEMPLATE, {"sheets": sheets})
    with transaction.atomic():
        declarations.record("declaration.print", held, by=by, form=rule.title)
    return paper


def _check_count(count: int) -> None:
    if not count:
        raise ValidationError("没有可以打印的表。请先勾选学生，或写明空白表的份数。")
    if count > MOST_AT_ONCE:
        raise ValidationError(f"一次最多打印 {MOST_AT_ONCE} 份，请分几次打印。")
