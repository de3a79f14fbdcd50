"""Applications: the list with its filters, one application with its road."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import access, paging, scopes
from accounts.access import desk
from accounts.models import Unit, User
from accounts.paging import LongList
from accounts.roles import Permission
from students import terms

from .. import changes, explanations, kinship, recognitions, rounds, workflow
from ..forms import ApplicationFilter, ReasonForm
from ..models import Application, Meeting, Receipt
from ..states import Step, transition
from ..tables import ApplicationTable
from .desks import show_refusal


@require_safe
@desk(Permission.VIEW_CASES)
def application_list(request: HttpRequest) -> HttpResponse:
    units = Unit.objects.filter(level__in=[Unit.Level.SCHOOL, Unit.Level.CLASS]).select_related("parent")
    # Opens on the present term; a link that names a round is about that round, whichever its term.
    now = None if request.GET.get("round") else terms.current()
    wanted = ApplicationFilter(
        {"term": str(now.pk) if now else "", **request.GET.dict()},
        rounds=rounds.visible_to(request.user, Permission.VIEW_CASES),
        units=scopes.within(units, request.user, Permission.VIEW_CASES, unit=""),
    )
    rows = scopes.within(Application.objects.all(), request.user, Permission.VIEW_CASES, unit="school_class")
    wanted.is_valid()
    rows = _narrow(rows, wanted.cleaned_data)  # without a field that could not be read; the form says so beside it
    listed = LongList(rows, unit_path="school_class__path", then=("pupil__name", "pk"), detail=_shown)
    table = paging.configure(ApplicationTable(listed), request)
    return render(request, "subsidies/application_list.html", {"filter": wanted, "table": table})


def _shown(rows: QuerySet[Application]) -> QuerySet[Application]:
    return rows.select_related("pupil", "school", "enrolment", "round__programme", "round__term")


def _narrow(rows: QuerySet[Application], wanted: dict[str, Any]) -> QuerySet[Application]:
    for name in ("term", "round", "state"):
        if wanted.get(name):
            rows = rows.filter(**{name: wanted[name]})
    if wanted.get("unit"):
        rows = rows.filter(school_class__path__below=wanted["unit"].path)
    return rows


@require_safe
@desk(Permission.VIEW_CASES)
def application_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    application = _find(request, pk)
    lines = application.lines.select_related("sheet__batch", "sheet__document")
    corrected = application.pupil.id_corrections.filter(at__gte=application.filed_at)
    meetings = Meeting.objects.filter(pk__in=application.decisions.values("meeting"))
    meetings = scopes.within(meetings, request.user, Permission.VIEW_CASES, unit="unit")
    reckonings = list(application.reckonings.select_related("by", "standard").order_by("-pk"))
    said = Receipt.objects.filter(round=application.round, pupil=application.pupil)
    receipt = said.select_related("school_class").order_by("pk").last()
    may_see_payment = scopes.allows(request.user, Permission.VIEW_BATCHES, application.school)
    context = {
        "application": application,
        "facts": application.facts,
        "id_corrected": corrected.first() if application.facts else None,
        "receipt": receipt,
        "receipt_readable": receipt is not None
        and receipt.scan_id is not None
        and scopes.allows(request.user, Permission.VIEW_CASES, receipt.school_class),
        "reckonings": reckonings,
        "recognition": recognitions.of_pupils([application.pupil_id], recognitions.school_year(application.term)).get(
            application.pupil_id
        ),
        "rests_on": explanations.words_of(reckonings[0].rests_on, application.facts) if reckonings else [],
        "today": explanations.today(application),
        "steps": application.steps.select_related("by").order_by("pk"),
        "decisions": application.decisions.select_related("meeting__unit"),
        # A case that came with its pupil keeps what was decided elsewhere; the minutes are that school's.
        "readable": set(meetings.values_list("pk", flat=True)),
        "lines": lines if may_see_payment else [],
        "follow_ups": changes.settled_and_open(application) if may_see_payment else [],
        "kinship": _kinship(application, request.user),
        "may_withdraw": transition(Step.WITHDRAW, application.state) is not None
        and scopes.allows(request.user, Permission.FILE_APPLICATION, application.school_class),
    }
    return render(request, "subsidies/application_detail.html", context)


def _kinship(application: Application, user: User) -> dict[str, Any]:
    """What was said by whom, what the person said last, and whether they have to (`asked`) or may."""
    told = kinship.said_of(application)
    may_say = kinship.may_say(application, by=user)
    return {
        "told": told,
        "mine": next((each for each in reversed(told) if each.by_id == user.pk), None),
        "may_say": may_say,
        "asked": may_say and kinship.towards(application, by=user) == kinship.Standing.NAMESAKE,
    }


@require_POST
@desk(Permission.VIEW_CASES)
def kinship_say(request: HttpRequest, pk: UUID) -> HttpResponse:
    application = _find(request, pk)
    kinship.require(application, by=request.user)
    is_kin = request.POST.get("is_kin")
    if is_kin not in ("yes", "no"):
        messages.error(request, "没有收到您的选择，请重新选择是不是亲属。")
        return redirect("application", pk=pk)
    try:
        said = kinship.say(application, is_kin=is_kin == "yes", by=request.user)
    except ValidationError as refusal:
        messages.error(request, refusal.messages[0])
    else:
        name = application.pupil.name
        then = f"{name}的评议、评审、审核由他人办理。" if said.is_kin else f"{name}的申请您可以照常办理。"
        messages.success(request, f"已记录：{said.words}。{then}")
    return redirect("application", pk=pk)


@require_http_methods(["GET", "POST"])
@desk(Permission.FILE_APPLICATION)
def application_withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    application = _find(request, pk)
    access.require(request.user, Permission.FILE_APPLICATION, application.school_class)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            workflow.advance(application, Step.WITHDRAW, by=request.user, note=form.cleaned_data["note"])
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"已撤回{application.pupil.name}的申请。")
            return redirect("application", pk=pk)
    return render(request, "subsidies/application_withdraw.html", {"application": application, "form": form})


def _find(request: HttpRequest, pk: UUID) -> Application:
    rows = Application.objects.select_related(
        "pupil",
        "school",
        "school_class",
        "enrolment",
        "round__programme",
        "round__term",
        "round__unit",
        "filed_by",
        "standard",
    )
    return access.fetch(rows, request.user, Permission.VIEW_CASES, unit="school_class", pk=pk)
