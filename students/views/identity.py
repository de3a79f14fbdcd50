"""The desk on which the county puts a wrong ID number right."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import desk, require
from accounts.roles import Permission as P
from documents import uploads

from .. import identity
from ..forms import IdCorrectionForm
from ..models import IdCorrection
from .pupils import fetch_place


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters("number")
@never_cache
@desk(P.RECORD_CHANGES)
def id_correct(request: HttpRequest, pk: UUID) -> HttpResponse:
    place = fetch_place(request.user, pk)
    require(request.user, P.RECORD_CHANGES, place.pupil.county)
    form = IdCorrectionForm(request.POST or None, request.FILES or None, initial={"id_kind": place.pupil.id_kind})
    if request.method == "POST" and form.is_valid():
        try:
            correction = identity.correct_id(place.pupil, by=request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(
                request,
                f"证件号已更正为 {correction.after_masked}。已经提交的申请仍按提交时的号码办理，申请页上有提示。"
                "比对名单已按新号码重新核对，要复核的已列入学校的复核任务。学籍号随证件号变化的，请在学籍系统更正后重新导入名册。",
            )
            return redirect("pupil", pk)
    return render(request, "students/id_correct.html", {"form": form, "pupil": place.pupil, "place": place})


@require_GET
@desk(P.REVEAL_IDENTITY)
def id_evidence(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The scan behind a correction: it shows full numbers, so it is for those who may see them."""
    correction = get_object_or_404(IdCorrection.objects.select_related("pupil", "evidence_file"), pk=pk)
    place = fetch_place(request.user, correction.pupil_id)
    require(request.user, P.REVEAL_IDENTITY, place.school)
    if uploads.wants_preview(request):
        return uploads.serve_preview(correction.evidence_file)
    return uploads.serve(identity.read_evidence(correction, by=request.user), inline=True)
