"""What other pages show of a pupil's form: where it stands, and the way to it."""

from typing import Any

from django import template

from accounts import scopes
from accounts.roles import Permission
from students import enrolment
from students.models import Enrolment, Term

from .. import declarations
from ..models import Application, Programme

register = template.Library()


@register.inclusion_tag("subsidies/_declaration.html", takes_context=True)
def pupil_declaration(context: dict[str, Any], place: Enrolment) -> dict[str, Any]:
    """The section "申请表" of a pupil's page. The page has asked who may open it."""
    year = declarations.school_year(place.term)
    return {
        "place": place,
        "year": year,
        "kept": declarations.kept_of([place.pupil_id], year)[place.pupil_id],
        "forms": declarations.forms_for(place.stage, place.term),
        "may_edit": context["may_edit"],
    }


@register.inclusion_tag("subsidies/_case_declaration.html", takes_context=True)
def case_declaration(context: dict[str, Any], application: Application) -> dict[str, Any]:
    """The line "申请表" of a case: for whoever may look at the pupil where it is now."""
    rule = declarations.rule_of(application.programme, application.term)
    year = declarations.school_year(application.term)
    here = enrolment.current(application.pupil).school_class
    may_open = scopes.allows(context["request"].user, Permission.VIEW_CASES, here)
    return {
        "pupil": application.pupil_id,
        "year": year,
        "rule": rule,
        "kept": declarations.kept_of([application.pupil_id], year, rule=rule)[application.pupil_id],
        "may_open": may_open,
    }


@register.simple_tag
def form_title(programme: Programme, term: Term) -> str:
    """What the form of the programme is called; "" where none is filled in."""
    rule = declarations.rule_of(programme, term)
    return rule.title if rule else ""
