"""The aid officer's look at one class: each case against evidence, lists and what the class said."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission

from .. import officer_checks as verbs
from .. import reviews
from ..models import Meeting, Round
from ..school_review_forms import EvidenceForm
from . import results
from .desks import carried_out, find_round, find_unit


@require_http_methods(["GET", "POST"])
@desk(Permission.HOLD_SCHOOL_REVIEW)
def class_evidence(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    round_ = find_round(request, pk)
    school_class = find_unit(round_, request.user, unit, "class", may=Permission.HOLD_SCHOOL_REVIEW)
    cases = verbs.awaiting(round_, school_class)
    barred = reviews.barred(cases, Meeting.Level.SCHOOL, by=request.user)
    result = results.take(request)
    sheets = verbs.sheets(round_, cases)
    form = EvidenceForm(request.POST or None, sheets=sheets, barred=barred, typed=result.get("typed"))
    refused: dict[UUID, str] = {}
    if carried_out(request, form, lambda: refused.update(_record(request, round_, school_class, form))):
        if results.leave(request, form, form.aside | refused, round_):
            return redirect(request.path)
        onward = _next_class(round_, school_class, by_path=school_class.path)
        if onward is not None:
            return redirect("class_evidence", pk=pk, unit=onward.pk)
        return redirect("school_review", pk=pk, unit=school_class.parent_id)
    context = {
        "round": round_,
        "unit": school_class,
        "form": form,
        "result": result,
        "rows": list(form.rows()),
        "open_count": len(cases) - len(barred),
        "odd": sum(sheet.is_odd for sheet in sheets),
    }
    return render(request, "subsidies/class_evidence.html", context)


def _record(request: HttpRequest, round_: Round, school_class: Unit, form: EvidenceForm) -> dict[UUID, str]:
    """Keep what can be kept; why the others cannot."""
    count, refused = verbs.record_what_goes(round_, school_class, form.found(), by=request.user)
    if count:
        messages.success(request, f"已保存{school_class.name} {count} 份申请的核对结果。")
    elif not refused and not form.aside:
        messages.info(request, "这些核对结果以前已经保存，没有重复保存。")
    return refused


def _next_class(round_: Round, school_class: Unit, *, by_path: str) -> Unit | None:
    """The next class of the school of which something is not looked at yet; this one first."""
    assert school_class.parent is not None  # a class has a school
    waiting = [row for row in verbs.progress(verbs.awaiting(round_, school_class.parent)) if row.left]
    later = [row.unit for row in waiting if row.unit.path >= by_path]
    return later[0] if later else waiting[0].unit if waiting else None
