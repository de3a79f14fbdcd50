"""资助范围: the hardship categories a programme accepts, of all or by way of boarding, from a term to a term."""

from dataclasses import dataclass, replace

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import access, audit
from accounts.models import Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from students.models import Category, Term

from . import dated_terms, rule_checks
from .entitlement import ProgrammeRules
from .models import AcceptedCategory, Programme
from .policy_words import condition_value
from .programmes import category_names, ground_of, rules_of


def check_ground(row: AcceptedCategory) -> ProgrammeRules:
    """The rules as they would be with this row, which is not saved.

    Raises ValidationError where the programme is for everybody, the category is none or over by then, is accepted
    already in one of the terms, or lets two standards give one child two amounts.
    """
    programme = row.programme
    if programme.recipients == Programme.Recipients.ALL:
        raise ValidationError(f"“{programme}”面向全体学生，不看困难类别，不用登记资助范围。")
    row.clean_fields(exclude=["programme", "recorded_by"])
    if row.last_term and row.last_term < row.first_term:
        raise ValidationError({"last_term": "截止学期不能早于执行学期。"})
    _check_category(row)
    for other in programme.accepted.filter(category_code=row.category_code):
        is_for_same = not row.boarding or not other.boarding or row.boarding == other.boarding
        if is_for_same and dated_terms.meet(row, other):
            raise ValidationError(_overlap_words(row, other))
    before = rules_of(programme)
    after = replace(before, grounds=(*before.grounds, ground_of(row)))
    known, names = {clash[:2] for clash in rule_checks.clashes(before)}, category_names()
    for first, second, child in rule_checks.clashes(after):
        if (first, second) not in known:
            raise ValidationError(
                f"把“{names[row.category_code]}”列入资助范围以后，“{first.document}”的标准（{first.amount:.2f} 元）和"
                f"“{second.document}”的标准（{second.amount:.2f} 元）会同时适用于同一名学生，"
                f"例如{rule_checks.words_of(child, names)}。请先把两条标准的条件分开。"
            )
    return after


def _check_category(row: AcceptedCategory) -> None:
    """The category must be one, and still be one when the row begins: later it stands for what took its place."""
    newest = Category.objects.filter(code=row.category_code).select_related("maps_to").order_by("-valid_from").first()
    if newest is None:
        raise ValidationError({"category_code": "没有这个困难类别，请先在“困难类别”中登记。"})
    term = Term.objects.filter(key=row.first_term).first()
    if newest.valid_to and term and newest.valid_to < term.starts_on:
        instead = f"，现对应“{newest.maps_to}”，请登记“{newest.maps_to}”" if newest.maps_to else "，请选择其他类别"
        raise ValidationError({"category_code": f"“{newest}”已于{cn_date(newest.valid_to)}失效{instead}。"})


def _overlap_words(row: AcceptedCategory, other: AcceptedCategory) -> str:
    said = f"“{category_names()[other.category_code]}”（{whom(other)}）{dated_terms.span_label(other)}已经在资助范围内"
    if row.boarding == other.boarding or not other.boarding:
        return f"{said}，不用再登记。"
    return f"{said}；要改为不分就读方式，请先给它登记截止学期，再从下一学期起登记。"


def whom(row: AcceptedCategory) -> str:
    """Whom of the category: 寄宿学生, 不分就读方式."""
    return f"{condition_value('boarding', row.boarding)}学生" if row.boarding else "不分就读方式"


def add_ground(row: AcceptedCategory, *, county: Unit, by: User) -> AcceptedCategory:
    """Accept a category from a term on. Applications submitted keep what was frozen on them.

    Raises ValidationError as `check_ground`.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    row.recorded_by = by
    with transaction.atomic():
        row.programme = Programme.objects.select_for_update().get(pk=row.programme_id)
        check_ground(row)
        row.full_clean()
        row.save(force_insert=True)
        audit.record(
            "accepted_category.add",
            row,
            by=by,
            unit=county,
            programme=row.programme.code,
            category=row.category_code,
            boarding=row.boarding,
            first_term=row.first_term,
            last_term=row.last_term,
            basis=row.source,
        )
    return row


def check_end(row: AcceptedCategory, last_term: str) -> ProgrammeRules:
    """The rules as they would be if the row ended with the term. Raises ValidationError where it cannot."""
    dated_terms.check_end(row, last_term)
    rules = rules_of(row.programme)
    ours, ended = ground_of(row), ground_of(row)._replace(last_term=last_term)
    return replace(rules, grounds=tuple(ended if each == ours else each for each in rules.grounds))


def end_ground(row: AcceptedCategory, last_term: str, *, document: str, county: Unit, by: User) -> AcceptedCategory:
    """Accept the category for the last time in the term, on a document. What was submitted stays as it is."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    if not document.strip():
        raise ValidationError("没有写明文件名称和文号，请填写停止执行的依据。")
    with transaction.atomic():
        Programme.objects.select_for_update().get(pk=row.programme_id)
        held = AcceptedCategory.objects.select_for_update().get(pk=row.pk)
        check_end(held, last_term)
        held.last_term = last_term
        held.full_clean(exclude=["recorded_by"])  # nobody, of a row that came with a pack
        held.save(update_fields=["last_term"])
        audit.record(
            "accepted_category.end",
            held,
            by=by,
            unit=county,
            programme=held.programme.code,
            category=held.category_code,
            boarding=held.boarding,
            before="",
            last_term=last_term,
            basis=document.strip(),
        )
    return held


@dataclass(frozen=True)
class Named:
    """A kind of hardship as pages call it: its newest row, or only the code of one nobody knows."""

    name: str
    rank: int
    over: Category | None  # the row, where the kind is over or has its last day


def kinds() -> dict[str, Named]:
    """What the kinds of hardship are called, by code, and whether they are over."""
    rows = Category.objects.select_related("maps_to").order_by("valid_from")
    return {row.code: Named(row.name, row.rank, row if row.valid_to else None) for row in rows}


def unknown(code: str) -> Named:
    """A kind that is no row of the county's."""
    return Named(code, 0, None)
