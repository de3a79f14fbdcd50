"""Reading and keeping the dated rules of programmes."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from accounts import access, audit
from accounts.models import Unit, User
from accounts.roles import Permission
from students.models import Category, Term

from .entitlement import CategoryRule, ProgrammeRules, StandardRule
from .models import ProcessRule, Programme, Standard


def rules_of(programme: Programme) -> ProgrammeRules:
    """The programme's standards and accepted categories as plain values for `entitlement`."""
    return ProgrammeRules(
        name=programme.name,
        stages=tuple(programme.stages),
        tiered=bool(programme.tiers),
        standards=tuple(
            StandardRule(s.pk, s.stage, s.boarding, s.tier, s.amount, s.document, s.first_term, s.last_term)
            for s in programme.standards.all()
        ),
        categories=tuple(
            CategoryRule(a.category_code, a.boarding, a.first_term, a.last_term) for a in programme.accepted.all()
        ),
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
    codes = {r.code for r in rules_of(programme).categories if r.first_term <= term.key <= (r.last_term or "9999")}
    rows = Category.objects.filter(code__in=codes, valid_from__lte=term.ends_on).order_by("rank")
    return list(dict.fromkeys(row.name for row in rows))


def add_standard(standard: Standard, *, county: Unit, by: User) -> Standard:
    """Record a new dated standard; the open row of the same case ends with the term before.

    Lists already submitted keep the amount frozen on them. Raises ValidationError when the new row would
    lie before an existing one of the same case (a gap or an overlap nobody asked for).
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    standard.recorded_by = by
    standard.clean_fields()  # before anything is reckoned from its terms
    with transaction.atomic():
        programme = Programme.objects.select_for_update().get(pk=standard.programme_id)
        same = programme.standards.filter(stage=standard.stage, boarding=standard.boarding, tier=standard.tier)
        later = same.filter(first_term__gte=standard.first_term).order_by("first_term").first()
        if later:
            raise ValidationError(f"这一情形自 {later.first_term} 起已有标准，新标准的执行学期要晚于它。")
        _refuse_overlap(programme, standard)
        # Also a row with an end of its own, if that lies after the new beginning: two amounts would fit one case.
        running = same.filter(Q(last_term="") | Q(last_term__gte=standard.first_term))
        running.update(last_term=term_before(standard.first_term))
        standard.full_clean()
        standard.save()
        audit.record(
            "standard.add", standard, by=by, unit=county, amount=standard.amount, first_term=standard.first_term
        )
    return standard


def _refuse_overlap(programme: Programme, standard: Standard) -> None:
    # A row for "any boarding status" and one for boarders only would both fit a boarder.
    others = programme.standards.filter(stage=standard.stage, tier=standard.tier).exclude(boarding=standard.boarding)
    if standard.boarding:
        others = others.filter(boarding="")
    clash = [s for s in others if not s.last_term or s.last_term >= standard.first_term]
    if clash:
        raise ValidationError("同一学段已有“不分就读方式”或分寄宿走读的标准在执行，两种写法不能并存。")


def term_before(key: str) -> str:
    """2023-2024-2 → 2023-2024-1; 2023-2024-1 → 2022-2023-2."""
    first, second, half = key.split("-")
    return f"{first}-{second}-1" if half == "2" else f"{int(first) - 1}-{first}-2"
