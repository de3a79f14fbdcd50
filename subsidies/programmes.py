"""Reading and keeping the dated rules of programmes."""

from collections.abc import Iterable
from dataclasses import replace

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import access, audit
from accounts.models import Unit, User
from accounts.roles import Permission
from students.models import Category, Term
from students.term_keys import term_before, term_label

from . import rule_checks
from .entitlement import Condition, Flag, Ground, ProgrammeRules, StandardRule
from .models import AcceptedCategory, ProcessRule, Programme, Standard


def rules_of(programme: Programme) -> ProgrammeRules:
    """The programme's standards and accepted categories as plain values for `entitlement`."""
    return replace(
        frame_of(programme),
        standards=tuple(rule_of(standard) for standard in programme.standards.all()),
        grounds=tuple(ground_of(each) for each in programme.accepted.all()),
    )


def frame_of(programme: Programme) -> ProgrammeRules:
    """What holds for the whole programme, without its dated rows; it need not be saved."""
    listed = programme.recipients != Programme.Recipients.ALL
    return ProgrammeRules(
        name=programme.name,
        stages=tuple(programme.stages),
        standards=(),
        # How many of the listed get it (percentage) is the quota's matter.
        recipients="listed" if listed else "all",
        unit=programme.unit,
        tiered=bool(programme.tiers),
        highest_wins=programme.highest_wins,
        pro_rata=programme.pro_rata,
    )


def ground_of(row: AcceptedCategory) -> Ground:
    """An accepted category as plain values."""
    return Ground(row.category_code, row.boarding, row.first_term, row.last_term)


def rule_of(standard: Standard) -> StandardRule:
    """One row as plain values; its key is 0 while it is not saved."""
    return StandardRule(
        key=standard.pk or 0,
        amount=standard.amount,
        document=standard.document,
        first_term=standard.first_term,
        last_term=standard.last_term,
        conditions=tuple(Condition(fact, frozenset(values)) for fact, values in sorted(standard.conditions.items())),
        any_of=frozenset(standard.any_of),
        all_of=frozenset(standard.all_of),
        none_of=frozenset(standard.none_of),
        flags=tuple(Flag(each["category"], each["name"], frozenset(each["values"])) for each in standard.flags),
        periods=standard.periods,
    )


def process_rule(programme: Programme, term: Term) -> ProcessRule:
    """The rule of procedure in force in the term.

    Raises ValidationError when none is recorded: a notice length is never guessed.
    """
    rule = programme.process_rules.filter(first_term__lte=term.key).order_by("-first_term").first()
    if rule is None:
        raise ValidationError(f"“{programme}”在{term}没有评审和公示规则，请县资助中心先在“项目与标准”中维护。")
    return rule


def accepted_categories(programme: Programme, term: Term) -> list[str]:
    """Names of the hardship categories that open the programme in the term, in rank order."""
    codes = programme.accepted.in_force(term.key).values_list("category_code", flat=True)
    rows = Category.objects.filter(code__in=codes, valid_from__lte=term.ends_on).order_by("rank")
    return list(dict.fromkeys(row.name for row in rows))


def category_names() -> dict[str, str]:
    """What the kinds of hardship are called, by code; of a kind renamed, the newest name."""
    return dict(Category.objects.order_by("valid_from").values_list("code", "name"))


def check_standard(standard: Standard) -> ProgrammeRules:
    """The rules as they would be with this row, which is not saved.

    Raises ValidationError with one sentence for each thing that is wrong with it, or with a child to whom it and
    another row would give two amounts.
    """
    programme, names = standard.programme, category_names()
    rules, row = rules_of(programme), rule_of(standard)
    if wrong := [fault.words for fault in rule_checks.faults(row, rules, tiers=programme.tiers, categories=names)]:
        raise ValidationError(wrong)
    standard.clean_fields(exclude=["case", "recorded_by"])
    same = [each for each in rules.standards if rule_checks.is_same_case(each, row)]
    later = min((each.first_term for each in same if each.first_term >= row.first_term), default="")
    if later:
        raise ValidationError(
            f"同样条件的学生自{term_label(later)}起已有标准，新标准的执行学期要晚于它；要补一段以前的标准，请写明不同的条件。"
        )
    after = rule_checks.after_adding(rules, row)
    for one, other, child in rule_checks.clashes(after):
        if row in (one, other):
            raise ValidationError(rule_checks.clash_words(row, one if other == row else other, child, names))
    return after


def add_standard(standard: Standard, *, county: Unit, by: User) -> Standard:
    """Record a new dated standard; the running row of the same case ends with the term before.

    Lists already submitted keep the amount frozen on them. Raises ValidationError as `check_standard`.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    standard.recorded_by = by
    with transaction.atomic():
        standard.programme = Programme.objects.select_for_update().get(pk=standard.programme_id)
        check_standard(standard)
        # Also a row with an end of its own, if that lies after the new beginning: two amounts would fit one case.
        running = standard.programme.standards.filter(case=standard.reckon_case())
        running = running.in_force_from(standard.first_term)
        before = [f"{amount:.2f}" for amount in running.values_list("amount", flat=True)]
        _cut(running, standard, county=county, by=by)
        standard.full_clean()
        standard.save()
        audit.record(
            "standard.add",
            standard,
            by=by,
            unit=county,
            programme=standard.programme.code,
            whom=rule_checks.whom(rule_of(standard), category_names()),
            before="、".join(before),
            amount=standard.amount,
            first_term=standard.first_term,
            basis=standard.document,
        )
    return standard


def _cut(running: Iterable[Standard], new: Standard, *, county: Unit, by: User) -> None:
    """Let the rows end with the term before the new one begins, each with its own row in the trail."""
    last_term, told = term_before(new.first_term), []
    for row in running:
        detail = {"programme": new.programme.code, "amount": row.amount, "before": row.last_term}
        detail |= {"last_term": last_term, "basis": new.document}
        told.append(audit.Entry("standard.replace", row, county, detail))
        row.last_term = last_term
        row.save(update_fields=["last_term"])
    audit.record_all(told, by=by)


def check_end(standard: Standard, last_term: str) -> ProgrammeRules:
    """The rules as they would be if the row ended with the term. Raises ValidationError where it cannot."""
    if standard.last_term and standard.last_term <= last_term:
        raise ValidationError(f"这条标准已经截止到{term_label(standard.last_term)}，请刷新页面。")
    programme = standard.programme
    rules, row = rules_of(programme), replace(rule_of(standard), last_term=last_term)
    faults = rule_checks.faults(row, rules, tiers=programme.tiers, categories=category_names())
    if wrong := [fault.words for fault in faults if fault.where == "last_term"]:
        raise ValidationError(wrong)
    return replace(rules, standards=tuple(row if each.key == row.key else each for each in rules.standards))


def end_standard(standard: Standard, last_term: str, *, document: str, county: Unit, by: User) -> None:
    """Let a row end with a term, on a document. Applications submitted keep what was frozen on them."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    if not document.strip():
        raise ValidationError("没有写明文件名称和文号，请填写停止执行的依据。")
    with transaction.atomic():
        held = Standard.objects.select_for_update().get(pk=standard.pk)
        check_end(held, last_term)
        before = held.last_term
        held.last_term = last_term
        held.save(update_fields=["last_term"])
        audit.record(
            "standard.end",
            held,
            by=by,
            unit=county,
            programme=held.programme.code,
            amount=held.amount,
            before=before,
            last_term=last_term,
            basis=document.strip(),
        )
