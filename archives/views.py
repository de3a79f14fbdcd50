"""The archive's desk: which cases have a file, and the file of one."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from accounts import paging, typed
from accounts.access import desk
from accounts.paging import LongList
from accounts.roles import Permission
from documents import issuing
from students.models import Pupil
from subsidies import rounds
from subsidies.models import Application

from . import dossiers as verbs
from .forms import DossierFilter
from .tables import DossierTable


@require_http_methods(["GET", "HEAD", "POST"])
@desk(Permission.VIEW_CASES)
def dossier_list(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return typed.keep(request)
    wanted = DossierFilter(request.GET, rounds=rounds.visible_to(request.user, Permission.VIEW_CASES))
    name = typed.kept(request)
    rows = _narrow(verbs.fileable(request.user), wanted, name)
    listed = LongList(rows, unit_path="school_class__path", then=("pupil__name", "pk"), detail=_shown)
    table = paging.configure(DossierTable(listed), request)
    context = {"table": table, "filter": wanted, "names": typed.NameForm(), "typed": name}
    return render(request, "archives/dossier_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@desk(Permission.VIEW_CASES)
def dossier(request: HttpRequest, pk: UUID) -> HttpResponse:
    """About a case's file (GET); the file itself, brought up to date (POST, because each reading is recorded)."""
    rows = verbs.fileable(request.user).select_related("pupil", "school", "enrolment", "round__programme")
    application = get_object_or_404(rows, pk=pk)
    if request.method == "POST":
        try:
            return issuing.serve(verbs.compile_dossier(application, by=request.user))
        except ValidationError as refusal:
            messages.error(request, "".join(refusal.messages))
            return redirect("dossier", pk=pk)
    context = {
        "application": application,
        "issued": verbs.issued(application),
        "is_current": verbs.is_current(application),
    }
    return render(request, "archives/dossier.html", context)


def _shown(rows: QuerySet[Application]) -> QuerySet[Application]:
    return verbs.with_number(rows).select_related(
        "pupil", "school", "school_class", "enrolment", "round__programme", "round__term"
    )


def _narrow(rows: QuerySet[Application], wanted: DossierFilter, name: str) -> QuerySet[Application]:
    if name:  # of the pupils first: their names are read from an index, and not case by case
        rows = rows.filter(pupil__in=Pupil.objects.filter(typed.within("name", name)).order_by().values("pk"))
    if not wanted.is_valid():
        return rows
    given = wanted.cleaned_data
    rows = rows.filter(round=given["round"]) if given["round"] else rows
    return rows.filter(state=given["state"]) if given["state"] else rows
