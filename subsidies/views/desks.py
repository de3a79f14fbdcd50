"""How the desks find their round and unit: what is not theirs does not exist for them."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from accounts import access, scopes
from accounts.models import Unit, User
from accounts.roles import Permission
from students import enrolment

from .. import rounds
from ..models import Application, PayoutSheet, Round


def find_round(request: HttpRequest, pk: UUID) -> Round:
    """A round that touches the person's units, or 404."""
    return get_object_or_404(rounds.visible_to(request.user, Permission.VIEW_CASES), pk=pk)


def find_unit(round_: Round, user: User, pk: int, level: str, *, may: Permission | None) -> Unit:
    """A school or class within the person's scope and within the round; 404 outside, 403 without `may`."""
    # A class that has graduated since keeps its desks for what is not done yet.
    with_cases = Application.objects.filter(round=round_).order_by().values("school_class")
    units = Unit.objects.filter(Q(is_active=True) | Q(pk__in=with_cases), level=level).select_related("parent")
    unit = access.fetch(units, user, Permission.VIEW_CASES, unit="", may=may, pk=pk)
    if not round_.unit.contains(unit):
        raise Http404
    unit.name = name_in(round_, unit)
    return unit


def name_in(round_: Round, unit: Unit) -> str:
    """The unit's name as of the round's term: last year's list is of 七年级1班, though it is 八年级1班 now."""
    if unit.level != Unit.Level.CLASS:
        return unit.name
    return enrolment.class_names(round_.term, [unit.pk]).get(unit.pk, unit.name)


def visible_sheets(user: User) -> QuerySet[PayoutSheet]:
    """Payout sheets of the schools within the person's reach."""
    return scopes.within(PayoutSheet.objects.all(), user, Permission.VIEW_BATCHES, unit="school")


def is_key(text: str) -> bool:
    """Whether a text from outside can be the key of a row: no database takes a longer number."""
    return text.isdecimal() and len(text) < 19


def show_refusal(form: Form, refusal: ValidationError) -> None:
    """Put a verb's refusal on the form: on the field it names if the form has it, else above all."""
    if not hasattr(refusal, "error_dict"):
        form.add_error(None, refusal)
        return
    for name, errors in refusal.error_dict.items():
        form.add_error(name if name in form.fields else None, errors)
