"""Payment: batches, their sheets, signed copies, payments."""

from decimal import Decimal
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_tables2 import RequestConfig

from accounts import access, audit, clock, scopes
from accounts.access import desk
from accounts.roles import Permission
from documents import issuing, uploads
from documents.models import IssuedDocument

from .. import funding, payout_sheets, tasks
from .. import payments as verbs
from ..forms import BatchForm, PaymentForm, SignedCopyForm
from ..models import Application, PaymentBatch, PayoutSheet
from ..states import State
from ..tables import BatchTable, LineTable
from .desks import find_round, show_refusal, visible_sheets


@require_safe
@desk(Permission.VIEW_BATCHES)
def batch_list(request: HttpRequest) -> HttpResponse:
    sheets = visible_sheets(request.user)
    rows = verbs.batch_totals(PaymentBatch.objects.filter(pk__in=sheets.values("batch")), sheets)
    table = BatchTable(
        rows.select_related("round__programme", "round__term", "made_by", "made_for").order_by("-made_at")
    )
    RequestConfig(request, paginate={"per_page": 30}).configure(table)
    return render(request, "subsidies/batch_list.html", {"table": table})


@require_http_methods(["GET", "POST"])
@desk(Permission.MAKE_BATCH)
def batch_make(request: HttpRequest, pk: UUID) -> HttpResponse:
    round_ = find_round(request, pk)
    access.require(request.user, Permission.MAKE_BATCH, round_.unit)
    rows = Application.objects.filter(round=round_, state=State.APPROVED)
    schools = list(rows.values("school__name").annotate(total=Sum("amount")).order_by("school__path"))
    seen = {"expected": rows.count(), "expected_total": sum((s["total"] for s in schools), Decimal("0.00"))}
    form = BatchForm(request.POST or None, initial=seen)
    if request.method == "POST" and form.is_valid():
        try:
            batch = verbs.make_batch(round_, **form.cleaned_data, by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
            form.data = form.data.copy() | seen  # the next click is about what is shown now
        else:
            messages.success(request, f"已编制发放批次 {batch.number}，正在生成各校发放花名册。")
            transaction.on_commit(tasks.nudge)
            return redirect("batch", pk=batch.pk)
    without_shares = funding.schools_without(round_, rows)
    context = {"round": round_, "form": form, "schools": schools, "without_shares": without_shares, **seen}
    context["may_register"] = bool(scopes.reach(request.user, Permission.EDIT_STANDARDS))
    return render(request, "subsidies/batch_make.html", context)


@require_safe
@desk(Permission.VIEW_BATCHES)
def batch_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    context = _batch_context(request, pk)
    batch, bearing = context["batch"], funding.bearing_of(context["sheets"])
    context |= {
        "bearing": bearing,
        "may_register": bool(scopes.reach(request.user, Permission.EDIT_STANDARDS)),
        "may_split": bearing.missing and context["may_retry"] and funding.can_split(batch),
    }
    return render(request, "subsidies/batch_detail.html", context)


@require_safe
@desk(Permission.VIEW_BATCHES)
def batch_progress(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The part of the batch's page that changes while sheets are made; asked for again every two seconds."""
    return render(request, "subsidies/_batch_sheets.html", _batch_context(request, pk))


def _batch_context(request: HttpRequest, pk: UUID) -> dict:
    sheets = visible_sheets(request.user).filter(batch=pk)
    found = list(verbs.sheet_totals(sheets.select_related("school", "document", "paid_by", "signed_by")))
    if not found:
        raise Http404
    batch = PaymentBatch.objects.select_related(
        "round__programme", "round__term", "round__unit", "made_by", "made_for"
    ).get(pk=pk)
    return {
        "batch": batch,
        "sheets": found,
        "progress": payout_sheets.progress_of(found),
        "signed": all(sheet.signed_copy_id for sheet in found),
        "paid": all(sheet.paid_on for sheet in found),
        "line_count": sum(sheet.line_count for sheet in found),
        "total": sum(sheet.total for sheet in found),
        "may_retry": scopes.allows(request.user, Permission.MAKE_BATCH, batch.round.unit),
    }


@require_safe
@desk(Permission.VIEW_BATCHES)
def sheet_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    sheet = _find_sheet(request, pk)
    table = LineTable(sheet.lines.select_related("application__pupil"))
    RequestConfig(request, paginate={"per_page": 50}).configure(table)
    states = PayoutSheet.State
    totals = verbs.sheet_totals(PayoutSheet.objects.filter(pk=sheet.pk)).get()
    context = {
        "sheet": sheet,
        "table": table,
        "line_count": totals.line_count,
        "total": totals.total,
        "may_upload": sheet.state in (states.READY, states.SIGNED)
        and scopes.allows(request.user, Permission.UPLOAD_SIGNED_SHEET, sheet.school),
        "may_pay": sheet.state == states.SIGNED
        and scopes.allows(request.user, Permission.RECORD_PAYMENT, sheet.school),
        "acted_before": verbs.acted_before(sheet, request.user),
        "bearing": funding.bearing_of([sheet]),
        "may_register": bool(scopes.reach(request.user, Permission.EDIT_STANDARDS)),
    }
    return render(request, "subsidies/sheet_detail.html", context)


@require_safe
@desk(Permission.VIEW_BATCHES)
def sheet_file(request: HttpRequest, pk: UUID, kind: str) -> HttpResponse:
    """The issued PDF or XLSX, as issued, byte by byte."""
    sheet = _find_sheet(request, pk)
    if sheet.document.state == IssuedDocument.State.RESERVED:
        raise Http404
    read, media_type = {"pdf": (issuing.read_pdf, "application/pdf"), "xlsx": (issuing.read_xlsx, uploads.XLSX)}[kind]
    audit.record("sheet.download", sheet, by=request.user, unit=sheet.school, kind=kind)
    response = HttpResponse(read(sheet.document), content_type=media_type)
    name = f"{sheet.school.name}_{sheet.batch.round.term.key}_发放花名册_{sheet.document.number}.{kind}"
    response["Content-Disposition"] = content_disposition_header(True, name)
    return response


@require_http_methods(["GET", "POST"])
@desk(Permission.UPLOAD_SIGNED_SHEET)
def sheet_sign(request: HttpRequest, pk: UUID) -> HttpResponse:
    sheet = _find_sheet(request, pk)
    access.require(request.user, Permission.UPLOAD_SIGNED_SHEET, sheet.school)
    form = SignedCopyForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            verbs.upload_signed_copy(sheet, form.cleaned_data["file"], by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "签字表已上传，县资助中心可以登记发放了。")
            return redirect("sheet", pk=pk)
    return render(request, "subsidies/sheet_sign.html", {"sheet": sheet, "form": form})


@require_safe
@desk(Permission.VIEW_BATCHES)
def sheet_signed_copy(request: HttpRequest, pk: UUID) -> HttpResponse:
    sheet = _find_sheet(request, pk)
    if sheet.signed_copy is None:
        raise Http404
    if uploads.wants_preview(request):
        return uploads.serve_preview(sheet.signed_copy)
    audit.record("sheet.read_signed", sheet, by=request.user, unit=sheet.school)
    return uploads.serve(sheet.signed_copy, inline=True)


@require_http_methods(["GET", "POST"])
@desk(Permission.RECORD_PAYMENT)
def sheet_pay(request: HttpRequest, pk: UUID) -> HttpResponse:
    sheet = _find_sheet(request, pk)
    access.require(request.user, Permission.RECORD_PAYMENT, sheet.school)
    scan = sheet.signed_copy.sha256 if sheet.signed_copy else ""
    form = PaymentForm(request.POST or None, initial={"paid_on": clock.today(), "seen": scan})
    if request.method == "POST" and form.is_valid():
        try:
            verbs.record_payment(sheet, **form.cleaned_data, by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
            form.data = form.data.copy()
            form.data["seen"] = scan  # the next click is about the scan that is there now
        else:
            messages.success(request, f"已登记{sheet.school}的发放。")
            return redirect("batch", pk=sheet.batch_id)
    totals = verbs.sheet_totals(PayoutSheet.objects.filter(pk=sheet.pk)).get()
    context = {
        "sheet": sheet,
        "form": form,
        "obstacle": verbs.acted_before(sheet, request.user) or verbs.not_payable(sheet),
        "line_count": totals.line_count,
        "total": totals.total,
    }
    return render(request, "subsidies/sheet_pay.html", context)


@require_POST
@desk(Permission.MAKE_BATCH)
def sheet_retry(request: HttpRequest, pk: UUID) -> HttpResponse:
    sheet = _find_sheet(request, pk)
    try:
        payout_sheets.retry(sheet, by=request.user)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    else:
        messages.success(request, "已重新排队生成。")
        transaction.on_commit(tasks.nudge)
    return redirect("batch", pk=sheet.batch_id)


def _find_sheet(request: HttpRequest, pk: UUID) -> PayoutSheet:
    rows = PayoutSheet.objects.select_related(
        "batch__round__programme",
        "batch__round__term",
        "batch__round__unit",
        "school",
        "document",
        "signed_copy__uploaded_by",
    )
    return access.fetch(rows, request.user, Permission.VIEW_BATCHES, unit="school", pk=pk)
