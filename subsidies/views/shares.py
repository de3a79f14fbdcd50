"""Who bears the money: a programme's shares, and the split of batches and sheets."""

from decimal import Decimal
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import access, audit
from accounts.access import desk
from accounts.roles import Permission
from documents import uploads
from students.term_keys import term_label

from .. import centre_shares, funding, funding_sheets, shares
from ..models import FundShare, PaymentBatch, PayoutSheet, Programme, SheetSplit
from ..share_forms import ShareForm, TierForm, typed_levels
from .desks import county_of, end_page, is_key, show_refusal

_USUAL = Decimal("625.00")  # an amount to show by, where the programme has no standard yet


@require_http_methods(["GET", "POST"])
@desk(Permission.EDIT_STANDARDS)
def share_add(request: HttpRequest, code: str) -> HttpResponse:
    """New shares, or those of a term put right; `row` in the address fills the form with recorded ones.

    `tier` puts in the centre's part of a province. What is typed is tried on the programme's amounts as it is typed
    ("look"), and nothing is kept of that.
    """
    programme = get_object_or_404(Programme, code=code)
    wanted = request.GET.get("row", "")
    row = programme.shares.filter(pk=wanted).first() if is_key(wanted) else None
    given = {"programme": programme, "row": row}
    origin = centre_shares.find(request.GET.get("origin", ""))
    tier = origin or centre_shares.find(request.GET.get("tier", ""))
    if request.method == "POST" and "look" in request.POST:
        typed = request.POST.dict()
        form = ShareForm(initial=typed, **given)
    elif request.method == "POST":
        form = ShareForm(request.POST, **given)
        typed = request.POST.dict()
        if form.is_valid():
            try:
                share = funding.record_share(form.share(), county=county_of(request), by=request.user)
            except ValidationError as refusal:
                show_refusal(form, refusal)
            else:
                messages.success(
                    request, f"已登记资金分担：{share}，自{term_label(share.first_term)}起执行。已编制的批次不变。"
                )
                return redirect("programme", code=code)
    else:
        typed = ShareForm.initial_of(row) if row else {"remainder": "county"}
        if tier:
            typed["centre"] = tier[1].centre
        if origin:
            typed |= {"origin_name": f"{origin[1].name}省份", "origins": " ".join(origin[1].codes)}
        form = ShareForm(initial=typed, **given)
    context = {
        "programme": programme,
        "form": form,
        "tiers": TierForm(request.GET or None, programme=programme),
        "filled": _filled(*tier, is_origin=origin is not None) if tier else "",
        "row": row,
        **_tried(programme, typed),
    }
    return render(request, "subsidies/share_add.html", context)


def _filled(rule: centre_shares.Rule, tier: centre_shares.Tier, *, is_origin: bool) -> str:
    """What was put in, by which rule, and what is left to do."""
    rest = shares.fraction_words(1 - tier.fraction)
    pupils = f"生源地（{'、'.join(tier.places.values())}）和" if is_origin else ""
    return (
        f"已按“{rule.name}”{tier.name}填入{pupils}中央 {tier.centre}"
        f"（{rule.document}，自{term_label(rule.first_term)}起）；其余 {rest} 请按本省、本市的文件写明由哪几级承担。"
    )


def _tried(programme: Programme, typed: dict[str, str]) -> dict[str, object]:
    """What the typed fractions would do with the programme's amounts, or what is wrong with them."""
    levels, remainder = typed_levels(typed), typed.get("remainder", "")
    if not levels:
        return {"examples": [], "faults": []}
    if faults := shares.faults(levels, remainder):
        return {"examples": [], "faults": faults}
    plan = shares.plan_of(levels, remainder)
    amounts = sorted(set(programme.standards.filter(last_term="").values_list("amount", flat=True)))[:4]
    return {
        "faults": [],
        "words": shares.plan_words(plan),
        "ratio": shares.ratio_words(plan),
        "examples": [shares.example_words(amount, plan) for amount in amounts or [_USUAL]],
    }


@require_http_methods(["GET", "POST"])
@desk(Permission.EDIT_STANDARDS)
def share_end(request: HttpRequest, pk: int) -> HttpResponse:
    share = get_object_or_404(FundShare.objects.select_related("programme"), pk=pk)
    programme = share.programme
    back = reverse("programme", args=[programme.code])
    return end_page(
        request,
        lambda said: funding.end_share(share, **said, county=county_of(request), by=request.user),
        about=f"“{share}”执行到哪个学期为止。比例有变动的，不用登记截止，直接登记新的比例。",
        then="从下一学期起按范围更大的一条分担；没有的，就没有分担比例。已编制的批次不变。",
        back=f"{back}#shares",
        crumbs=[("项目与标准", reverse("programmes")), (programme.name, back)],
    )


@require_POST
@desk(Permission.MAKE_BATCH)
def batch_split(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Split what was made before its shares were recorded."""
    batches = PaymentBatch.objects.select_related("round__programme", "round__term", "round__unit")
    batch = access.fetch(batches, request.user, Permission.MAKE_BATCH, unit="round__unit", pk=pk)
    try:
        done = funding.split_batch(batch, by=request.user)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    else:
        messages.success(request, f"已按登记的比例分担 {done} 张花名册。")
    return redirect("batch", pk=pk)


@require_safe
@desk(Permission.VIEW_BATCHES)
def sheet_shares_xlsx(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Who bears how much of each line of the sheet, as a workbook."""
    rows = PayoutSheet.objects.select_related("batch__round__programme", "batch__round__term", "school", "document")
    sheet = access.fetch(rows, request.user, Permission.VIEW_BATCHES, unit="school", pk=pk)
    splits = list(SheetSplit.objects.filter(sheet=sheet))
    if not splits:
        raise Http404
    audit.record("sheet.download", sheet, by=request.user, unit=sheet.school, kind="shares")
    response = HttpResponse(funding_sheets.sheet_workbook(sheet, splits), content_type=uploads.XLSX)
    name = f"{sheet.school.name}_{sheet.batch.round.term.key}_资金分担明细_{sheet.document.number}.xlsx"
    response["Content-Disposition"] = content_disposition_header(True, name)
    return uploads.guard_download(response)
