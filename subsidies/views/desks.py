"""What the desks share: finding one's round and unit (what is not theirs does not exist for them), doing what a form
says, and the page on which a dated row ends."""

from collections.abc import Callable, Sequence
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from accounts import access, scopes
from accounts.models import Unit, User
from accounts.roles import Permission
from students import enrolment

from .. import rounds
from ..forms import TermEndForm
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


def classes_in(round_: Round, user: User, cases: QuerySet[Application]) -> QuerySet[Unit]:
    """The classes the round is for, and those with cases in it, that the person may look at. `cases` are the
    round's within the person's reach."""
    return scopes.within(
        # A class that has graduated or moved up since still stands in its own term's round.
        Unit.objects.filter(
            Q(is_active=True, school_class__stage__in=round_.programme.stages)
            | Q(pk__in=cases.order_by().values("school_class")),
            level=Unit.Level.CLASS,
            path__below=round_.unit.path,
        ),
        user,
        Permission.VIEW_CASES,
        unit="",
    )


def visible_sheets(user: User) -> QuerySet[PayoutSheet]:
    """Payout sheets of the schools within the person's reach."""
    return scopes.within(PayoutSheet.objects.all(), user, Permission.VIEW_BATCHES, unit="school")


def county_of(request: HttpRequest, permission: Permission = Permission.EDIT_STANDARDS) -> Unit:
    """The county over which the person holds the permission; the desk has seen to it that they do."""
    return Unit.objects.get(path=scopes.reach(request.user, permission)[0])


def is_key(text: str) -> bool:
    """Whether a text from outside can be the key of a row: no database takes a longer number."""
    return text.isdecimal() and len(text) < 19


def carried_out(request: HttpRequest, form: Form, deed: Callable[[], object]) -> bool:
    """Whether the form was sent, is right and the deed is done; a refusal stands on the form then."""
    if request.method != "POST" or not form.is_valid():
        return False
    try:
        deed()
    except ValidationError as refusal:
        show_refusal(form, refusal)
        return False
    return True


def end_page(
    request: HttpRequest,
    deed: Callable[[dict[str, str]], object],
    *,
    about: str,
    then: str,
    back: str,
    crumbs: Sequence[tuple[str, str]],
) -> HttpResponse:
    """The page that gives a dated row its last term: `about` the row, `then` what comes after, `back` where to go.

    `deed` is given what was typed: the last term and the document.
    """
    form = TermEndForm(request.POST or None, then=then)
    if carried_out(request, form, lambda: deed(form.cleaned_data)):
        messages.success(request, "已登记截止学期。")
        return redirect(back)
    context = {"form": form, "about": about, "back": back, "crumbs": crumbs}
    return render(request, "subsidies/term_end.html", context)


def show_refusal(form: Form, refusal: ValidationError) -> None:
    """Put a verb's refusal on the form: on the field it names if the form has it, else above all."""
    if not hasattr(refusal, "error_dict"):
        form.add_error(None, refusal)
        return
    for name, errors in refusal.error_dict.items():
        form.add_error(name if name in form.fields else None, errors)
