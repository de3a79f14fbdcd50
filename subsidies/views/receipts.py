"""Papers of a class's families: the signed receipts, and the proofs that are asked for."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts import access
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission
from documents import uploads
from students import circumstances
from students import enrolment as register
from students.models import Circumstance, Enrolment

from .. import applications, class_facts, receipts
from ..filing_forms import CollectedForm, ReceiptForm, ReceiptsForm, WantedForm
from ..models import Receipt, Round
from .desks import carried_out, find_round, find_unit


@require_http_methods(["GET", "POST"])
@desk(Permission.FILE_APPLICATION)
def class_receipts(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    """Every pupil of the class, for a pile of slips."""
    round_ = find_round(request, pk)
    school_class = find_unit(round_, request.user, unit, "class", may=Permission.FILE_APPLICATION)
    candidates = sorted(applications.candidates(round_, school_class), key=lambda c: c.facts["name"])
    form = ReceiptsForm(request.POST or None, candidates=candidates)
    refused: list[receipts.Answered] = []
    if request.method == "POST" and form.is_valid():
        signed_on = form.cleaned_data["signed_on"]
        try:
            done = receipts.record_all(round_, school_class, form.answers(), signed_on=signed_on, by=request.user)
        except ValidationError as refusal:
            form.add_error(None, refusal)
        else:
            refused = [each for each in done if each.refusal]
            messages.success(request, f"已登记 {len(done) - len(refused)} 份回执。")
            if not refused:
                return redirect("class_receipts", pk=pk, unit=unit)
    context = {"round": round_, "unit": school_class, "form": form, "refused": refused, "rows": list(form.rows())}
    return render(request, "subsidies/class_receipts.html", context)


@require_http_methods(["GET", "POST"])
@desk(Permission.FILE_APPLICATION)
def class_papers(request: HttpRequest, pk: UUID, unit: int, enrolment: UUID) -> HttpResponse:
    """One pupil's papers: the proofs asked for, the receipt. Made for a phone."""
    round_ = find_round(request, pk)
    school_class = find_unit(round_, request.user, unit, "class", may=Permission.FILE_APPLICATION)
    here = Enrolment.objects.filter(school_class=school_class, term=round_.term)
    place = get_object_or_404(register.open_only(here).select_related("pupil"), pk=enrolment)
    wanted = class_facts.wanted_of(round_.programme, round_.term.key, [place.pupil_id]).get(place.pupil_id, [])
    slips = list(
        Receipt.objects.filter(round=round_, pupil=place.pupil_id)
        .select_related("scan__uploaded_by", "recorded_by")
        .order_by("-pk")
    )
    asked = request.POST.get("paper", "")
    files = request.FILES or None
    proofs = [
        WantedForm(*((request.POST, files) if asked == str(each.circumstance) else ()), wanted=each) for each in wanted
    ]
    collected = CollectedForm(*((request.POST, files) if asked == "collected" else ()))
    receipt = ReceiptForm(*((request.POST, files) if asked == "receipt" else ()), last=slips[0] if slips else None)
    for form in proofs:
        if carried_out(request, form, lambda form=form: _add_scan(form, place, request)):
            messages.success(request, f"已收下{place.pupil.name}的证明：{form.wanted.category}。")
            return _back(round_, school_class, place)
    if carried_out(request, collected, lambda: _collect(collected, place, request)):
        kind = collected.cleaned_data["category"]
        messages.success(request, f"已为{place.pupil.name}登记“{kind}”，可以在下面勾选申请。")
        return _back(round_, school_class, place)
    if carried_out(request, receipt, lambda: _record(receipt, round_, school_class, place, request)):
        messages.success(request, f"已登记{place.pupil.name}家长的回执。")
        return _back(round_, school_class, place)
    context: dict[str, Any] = {
        "round": round_,
        "unit": school_class,
        "place": place,
        "pupil": place.pupil,
        "proofs": proofs,
        "collected": collected,
        "receipt": receipt,
        "slips": slips,
    }
    return render(request, "subsidies/class_papers.html", context)


@require_safe
@desk(Permission.VIEW_CASES)
def receipt_scan(request: HttpRequest, pk: int) -> HttpResponse:
    """The signed slip, for those who keep the class's list or review it."""
    rows = Receipt.objects.select_related("scan", "school_class")
    receipt = access.fetch(rows, request.user, Permission.VIEW_CASES, unit="school_class", pk=pk)
    if receipt.scan is None:
        raise Http404("这份回执没有上传扫描件。")
    if uploads.wants_preview(request):
        return uploads.serve_preview(receipt.scan)
    return uploads.serve(receipts.read_scan(receipt, by=request.user), inline=True)


def _add_scan(form: WantedForm, place: Enrolment, request: HttpRequest) -> None:
    row = Circumstance.objects.get(pk=form.wanted.circumstance, pupil=place.pupil_id)
    circumstances.add_evidence(row, form.cleaned_data["scan"], by=request.user)


def _collect(form: CollectedForm, place: Enrolment, request: HttpRequest) -> None:
    said = form.cleaned_data
    circumstances.add(
        place.pupil,
        category=said["category"],
        source=Circumstance.Source.COLLECTED,
        valid_from=said["valid_from"],
        evidence=said["evidence"],
        evidence_file=said["scan"],
        by=request.user,
    )


def _record(form: ReceiptForm, round_: Round, school_class: Unit, place: Enrolment, request: HttpRequest) -> None:
    receipts.record(round_, school_class, place, by=request.user, **form.cleaned_data)


def _back(round_: Round, school_class: Unit, place: Enrolment) -> HttpResponse:
    """To the pupil's row of the class's list."""
    return redirect(f"{reverse('class_file', args=[round_.pk, school_class.pk])}#row-{place.pk}")
