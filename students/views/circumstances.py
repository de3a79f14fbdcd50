"""The desk of hardship circumstances of one pupil."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from accounts import scopes
from accounts.access import desk, refusal
from accounts.models import User
from accounts.roles import Permission as P
from accounts.templatetags.aid import cn_date
from documents import uploads

from .. import circumstances
from ..forms import CircumstanceEndForm, CircumstanceForm
from ..models import Circumstance, Enrolment
from .pupils import fetch_place


@require_http_methods(["GET", "POST"])
@desk(P.EDIT_PUPILS)
def circumstance_add(request: HttpRequest, pk: UUID) -> HttpResponse:
    place = fetch_place(request.user, pk, may=P.EDIT_PUPILS)
    form = CircumstanceForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            added = circumstances.add(place.pupil, by=request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(
                request, f"已为{place.pupil.name}登记“{added.category}”，自{cn_date(added.valid_from)}起计算。"
            )
            return redirect("pupil", pk)
    return render(request, "students/circumstance_add.html", {"form": form, "pupil": place.pupil, "place": place})


@require_http_methods(["GET", "POST"])
@desk(P.EDIT_PUPILS)
def circumstance_end(request: HttpRequest, pk: UUID) -> HttpResponse:
    circumstance, place = _fetch(request.user, pk, may=P.EDIT_PUPILS)
    form = CircumstanceEndForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            ended = circumstances.end(circumstance, on=form.cleaned_data["on"], by=request.user)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(
                request, f"“{ended.category}”计算到{cn_date(ended.valid_to)}为止。已经提交的申请不受影响。"
            )
            return redirect("pupil", place.pupil_id)
    context = {"form": form, "circumstance": circumstance, "pupil": place.pupil, "place": place}
    return render(request, "students/circumstance_end.html", context)


@require_GET
@desk(P.EDIT_PUPILS, P.REVEAL_IDENTITY)
def circumstance_evidence(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The scan of a proof: it shows full numbers, so it is for those who may see them or who keep the pupil."""
    circumstance, place = _fetch(request.user, pk)
    keeps = scopes.allows(request.user, P.EDIT_PUPILS, place.school_class)
    if not (keeps or scopes.allows(request.user, P.REVEAL_IDENTITY, place.school)):
        raise PermissionDenied(refusal(P.EDIT_PUPILS, P.REVEAL_IDENTITY))
    if circumstance.evidence_file is None:
        raise Http404("这条困难类别没有上传扫描件。")
    if uploads.wants_preview(request):
        return uploads.serve_preview(circumstance.evidence_file)
    return uploads.serve(circumstances.read_evidence(circumstance, by=request.user), inline=True)


def _fetch(user: User, pk: UUID, may: P | None = None) -> tuple[Circumstance, Enrolment]:
    circumstance = get_object_or_404(Circumstance.objects.select_related("category", "pupil", "evidence_file"), pk=pk)
    return circumstance, fetch_place(user, circumstance.pupil_id, may=may)
