"""上报前检查: what is missing, for whom, and where it is mended; and the county's rules for what stops a report."""

from collections import Counter
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts import access, scopes
from accounts.access import desk
from accounts.models import Unit, User
from accounts.roles import Permission
from students import terms

from .. import checks, school_lists, workflow
from ..check_forms import CheckRuleForm, ReturnForm
from ..completeness import Check, Where
from ..models import Application, CheckRule, Decision, Meeting, Round
from ..states import State, Step, transition
from .desks import find_round, find_unit, show_refusal

_PER_PAGE = 50
_RULES_PER_PAGE = 20


@require_http_methods(["GET", "POST"])
@desk(Permission.VIEW_CASES)
def school_check(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    """All the school still has of the round after its review: what is found of each, what stops, what goes back."""
    round_ = find_round(request, pk)
    school = find_unit(round_, request.user, unit, "school", may=None)
    if request.method == "POST":
        access.require(request.user, Permission.REPORT_TO_COUNTY, school)
    cases = [row for state in checks.LOOKED_AT for row in school_lists.awaiting(round_, school, state)]
    found = checks.of(cases)
    stopped = [row for row in cases if any(each.stops for each in found[row.pk])]
    may_return = scopes.allows(request.user, Permission.REPORT_TO_COUNTY, school)
    returnable = [row for row in stopped if transition(Step.RETURN_FOR_PAPERS, row.state)] if may_return else []
    form = ReturnForm(request.POST or None, cases=returnable)
    if request.method == "POST" and form.is_valid():
        words = {row.pk: [each.finding.words for each in found[row.pk] if each.stops] for row in form.chosen()}
        try:
            count = workflow.advance_all(
                form.chosen(), Step.RETURN_FOR_PAPERS, by=request.user, notes=form.notes(words)
            )
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"已将 {count} 名学生的申请退回班主任补正，其余学生不受影响。")
            return redirect("school_check", pk=pk, unit=unit)
    rows = _chosen(request, cases, found)
    page = Paginator(rows, _PER_PAGE).get_page(request.GET.get("page"))
    meetings = _meetings(list(page))
    open_keys = {row.pk for row in returnable}
    context = {
        "round": round_,
        "unit": school,
        "page": page,
        "rows": [
            {
                "case": row,
                "findings": [(each, _link(each.finding.where, row, meetings, school)) for each in found[row.pk]],
                "may_return": row.pk in open_keys,
            }
            for row in page
        ],
        "total": len(cases),
        "stopped": len(stopped),
        "ready": sum(row.state == State.CLEARED for row in cases if row not in stopped),
        "counts": _counts(found),
        "only": request.GET.get("show", ""),
        "check": request.GET.get("check", ""),
        "form": form,
        "has_returnable": any(row.pk in open_keys for row in page),
        "may_report": may_return,
    }
    return render(request, "subsidies/school_check.html", context)


def _chosen(request: HttpRequest, cases: list[Application], found: dict[UUID, list[checks.Found]]) -> list[Application]:
    """The cases with something found, those that are stopped first; narrowed as the address says."""
    wanted, check = request.GET.get("show", ""), request.GET.get("check", "")
    rows = [row for row in cases if found[row.pk]]
    if wanted == "stops":
        rows = [row for row in rows if any(each.stops for each in found[row.pk])]
    if check:
        rows = [row for row in rows if any(each.finding.check == check for each in found[row.pk])]
    return sorted(rows, key=lambda row: not any(each.stops for each in found[row.pk]))


def _counts(found: dict[UUID, list[checks.Found]]) -> list[dict[str, Any]]:
    """By check, in the order of the papers: how many pupils, and whether it stops."""
    pupils: Counter[Check] = Counter()
    stops: set[Check] = set()
    for rows in found.values():
        pupils.update({each.finding.check for each in rows})
        stops |= {each.finding.check for each in rows if each.stops}
    return [{"check": each, "pupils": pupils[each], "stops": each in stops} for each in Check if pupils[each]]


def _meetings(cases: list[Application]) -> dict[tuple[UUID, str], UUID]:
    rows = Decision.objects.filter(application__in=[row.pk for row in cases], verdict=Decision.Verdict.AGREE)
    told = rows.order_by("pk").values_list("application_id", "meeting__level", "meeting_id")
    return {(case, level): meeting for case, level, meeting in told}


_LEVELS = {Where.CLASS_MEETING: Meeting.Level.CLASS, Where.SCHOOL_MEETING: Meeting.Level.SCHOOL}


def _link(where: Where, case: Application, meetings: dict[tuple[UUID, str], UUID], school: Unit) -> str:
    """The address of the page on which a finding is mended."""
    if where in _LEVELS and (meeting := meetings.get((case.pk, _LEVELS[where]))):
        return reverse("meeting", args=[meeting])
    if where in (Where.PUPIL, Where.FORM):
        return reverse("pupil", args=[case.pupil_id])
    if where == Where.RECHECK:
        return reverse("recognition_rechecks", args=[school.pk])
    return reverse("application", args=[case.pk])


# --- the rules ------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@desk(Permission.VIEW_CASES)
def check_rules(request: HttpRequest) -> HttpResponse:
    """What each check does: what is in force, and a form to record another from a term on."""
    county = county_above(request.user)
    if request.method == "POST":
        access.require(request.user, Permission.EDIT_STANDARDS, county)
    term = terms.current()
    form = CheckRuleForm(request.POST or None, initial={"first_term": term, "check_code": request.GET.get("check")})
    if request.method == "POST" and form.is_valid():
        try:
            held = checks.set_rule(form.rule(), county=county, by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(
                request, f"已登记：{held.get_check_code_display()}，{held.get_effect_display()}。已经上报的不受影响。"
            )
            return redirect("check_rules")
    past = CheckRule.objects.select_related("programme", "recorded_by").order_by("-recorded_at", "-pk")
    context = {
        "form": form,
        "term": term,
        "checks": checks.all_in_force(term) if term else {},
        "page": Paginator(past, _RULES_PER_PAGE).get_page(request.GET.get("page")),
        "may_edit": scopes.allows(request.user, Permission.EDIT_STANDARDS, county),
    }
    return render(request, "subsidies/check_rules.html", context)


def county_above(user: User) -> Unit:
    """The county in which the person may look at cases."""
    return Unit.objects.get(path=scopes.reach(user, Permission.VIEW_CASES)[0].split("/", 1)[0] + "/")


def reportable(round_: Round, school: Unit) -> tuple[list[Application], list[Application]]:
    """The school's cases whose notice is over: those that nothing stops, and those whose papers do."""
    rows = school_lists.awaiting(round_, school, State.CLEARED)
    found = checks.stopping(rows)
    return [row for row in rows if row.pk not in found], [row for row in rows if row.pk in found]
