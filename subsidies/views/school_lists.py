"""A school's list on its way: the principal's confirmation, the report, and the county's two decisions."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts import scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission

from .. import officer_checks, places, quota_words, recognitions, school_desk, workflow
from .. import school_lists as verbs
from ..forms import ApproveForm, ConfirmForm, ListForm, VerifyForm, seen_digest, sent_rows
from ..models import Application, Round
from ..states import Place, Step
from . import results
from .checks import reportable
from .desks import find_round, find_unit, show_refusal

_PART = 100  # rows of a school's list on one page


@require_http_methods(["GET", "POST"])
@desk(Permission.REPORT_TO_COUNTY)
def school_report(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    round_ = find_round(request, pk)
    school = find_unit(round_, request.user, unit, "school", may=Permission.REPORT_TO_COUNTY)
    rows, lacking = reportable(round_, school)
    overs = places.overs_in(round_.programme, round_.term, [school]).get(school.pk, [])
    # A school over its quota reports only those who use no place; the door refuses the others.
    stopped = [row for row in rows if overs and row.place == Place.TAKEN]
    rows = [row for row in rows if row not in stopped]
    refused = ""
    seen = seen_digest(rows)
    if request.method == "POST" and request.POST.get("seen", seen) != seen:
        refused = f"名单刚刚有变化，现在是 {len(rows)} 名学生，没有上报。请核对后再点上报。"
    elif request.method == "POST":
        try:
            count = workflow.advance_all(rows, Step.REPORT, by=request.user) if rows else 0
        except ValidationError as refusal:
            refused = " ".join(refusal.messages)
        else:
            messages.success(request, f"已向县资助中心上报 {count} 名学生。")
            return redirect("round", pk=pk)
    total = sum(row.amount for row in rows)
    context = {
        "round": round_,
        "unit": school,
        "rows": rows,
        "total": total,
        "seen": seen,
        "refused": refused,
        "stopped": len(stopped),
        "lacking": len(lacking),
        "over": quota_words.over_words(school, overs) if stopped else "",
        "may_settle": scopes.allows(request.user, Permission.DIVIDE_QUOTAS, school),
    }
    return render(request, "subsidies/school_report.html", context)


@require_http_methods(["GET", "POST"])
@desk(Permission.CONFIRM_LIST)
def school_confirm(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    return _decide(request, pk, unit, verbs.CONFIRMATION, ConfirmForm)


@require_http_methods(["GET", "POST"])
@desk(Permission.VERIFY)
def school_verify(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    return _decide(request, pk, unit, verbs.VERIFICATION, VerifyForm)


@require_http_methods(["GET", "POST"])
@desk(Permission.APPROVE)
def school_approve(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    return _decide(request, pk, unit, verbs.APPROVAL, ApproveForm)


def _decide(request: HttpRequest, pk: UUID, unit: int, at: verbs.Desk, form_class: type[ListForm]) -> HttpResponse:
    round_ = find_round(request, pk)
    school = find_unit(round_, request.user, unit, "school", may=at.permission)
    waiting = verbs.awaiting(round_, school, at.awaiting)
    part = Paginator(waiting, _PART).get_page(request.GET.get("page"))
    rows = sent_rows(request.POST, waiting) if part.has_other_pages() and request.POST.get("seen") else list(part)
    result = results.take(request)
    form = form_class(
        request.POST or None,
        applications=rows,
        barred=verbs.barred(rows, at.duty, by=request.user),
        typed=result.get("typed"),
    )
    if request.method == "POST" and form.is_valid():
        try:
            count, refused = verbs.decide_what_goes(at, round_, school, form.verdicts(), by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            more = len(waiting) - len(rows)
            if count:
                rest = f"名单的其他部分还有 {more} 份，请接着办理。" if more else ""
                messages.success(request, f"已对{school}的 {count} 份申请作出{at.duty.label}结论。{rest}")
            if results.leave(request, form, form.aside | refused, round_) or more:
                return redirect(request.get_full_path())
            return redirect("round", pk=pk)
    context = {
        "round": round_,
        "unit": school,
        "duty": at.duty,
        "form": form,
        "result": result,
        "rows": _with_what_was_found(form.rows(), round_, rows, at),
        "page": part,
        "total": sum(row.amount for row in waiting),
        "open_count": len(rows) - len(form.barred),
    }
    if at is verbs.CONFIRMATION:
        context["places"] = _places(round_, school, waiting)
        context["reserve"] = school_desk.reserve(round_, school)
    return render(request, "subsidies/school_decide.html", context)


def _with_what_was_found(
    rows: Iterable[dict[str, Any]], round_: Round, cases: list[Application], at: verbs.Desk
) -> list[dict[str, Any]]:
    """The rows of the form, each with what the school's meeting said, and where it could rank, the place it found, and
    what speaks for looking twice; for the county also the re-check that ended the recognition since."""
    heard = school_desk.decided(cases)
    sheets = {sheet.application.pk: sheet for sheet in officer_checks.sheets(round_, cases)}
    ended = {} if at is verbs.CONFIRMATION else recognitions.ended_of(cases)
    return [
        row | {"heard": heard.get(key), "ended": ended.get(key), "sheet": sheets[key]}
        for row in rows
        if (key := row["application"].pk)
    ]


def _places(round_: Round, school: Unit, cases: list[Application]) -> quota_words.Told:
    classes = {case.school_class: case.class_name for case in cases}
    return quota_words.for_meeting(round_.programme, round_.term, school, classes)
