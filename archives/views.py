"""The archive's desk: which cases have a file, and the file of one."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods
from django_tables2 import RequestConfig

from accounts.access import desk
from accounts.roles import Permission
from documents import issuing
from subsidies import rounds
from subsidies.models import Application

from . import dossiers as verbs
from .forms import DossierFilter
from .tables import DossierTable

ROWS_PER_PAGE = 50


@require_GET
@desk(Permission.VIEW_CASES)
def dossier_list(request: HttpRequest) -> HttpResponse:
    wanted = DossierFilter(request.GET, rounds=rounds.visible_to(request.user, Permission.VIEW_CASES))
    rows = verbs.with_number(verbs.fileable(request.user)).select_related(
        "pupil", "school", "school_class", "round__programme", "round__term"
    )
    table = DossierTable(_narrow(rows, wanted))
    RequestConfig(request, paginate={"per_page": ROWS_PER_PAGE}).configure(table)
    return render(request, "archives/dossier_list.html", {"table": table, "filter": wanted})


@require_http_methods(["GET", "HEAD", "POST"])
@desk(Permission.VIEW_CASES)
def dossier(request: HttpRequest, pk: UUID) -> HttpResponse:
    """About a case's file (GET); the file itself, brought up to date (POST, because each reading is recorded)."""
    rows = verbs.fileable(request.user).select_related("pupil", "school", "school_class", "round__programme")
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


def _narrow(rows: QuerySet[Application], wanted: DossierFilter) -> QuerySet[Application]:
    if not wanted.is_valid():
        return rows
    given = wanted.cleaned_data
    rows = rows.filter(pupil__name__icontains=given["q"]) if given["q"] else rows
    rows = rows.filter(round=given["round"]) if given["round"] else rows
    return rows.filter(state=given["state"]) if given["state"] else rows
