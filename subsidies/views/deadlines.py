"""Who is late: a round's work by school and by class against its deadlines; and the county's rules for them."""

import datetime as dt
from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts import access, clock, scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission
from students import enrolment, terms

from .. import deadline_plans, deadlines, lateness
from ..deadline_forms import DeadlineRuleForm
from ..models import Application, DeadlineRule, Round
from .desks import classes_in, find_round, show_refusal

_UNITS_PER_PAGE = 30
_RULES_PER_PAGE = 20


@require_safe
@desk(Permission.VIEW_CASES)
def round_progress(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Every work of the round by school; by class for one school, or for whoever has only one."""
    round_ = find_round(request, pk)
    cases = scopes.within(
        Application.objects.filter(round=round_), request.user, Permission.VIEW_CASES, unit="school_class"
    ).order_by()
    due, today = deadlines.of(round_), clock.today()
    classes = classes_in(round_, request.user, cases)
    schools = list(Unit.objects.filter(pk__in=classes.order_by().values("parent")).order_by("path"))
    chosen = next((unit for unit in schools if str(unit.pk) == request.GET.get("school")), None)
    one = chosen or (schools[0] if len(schools) == 1 else None)
    units = _classes(round_, classes.filter(parent=one)) if one else schools
    field = "school_class" if one else "school"
    by_unit: dict[int, Counter] = defaultdict(Counter)
    counted = cases.filter(school=one) if one else cases
    for row in counted.values(field, "state").annotate(n=Count("*")):
        by_unit[row[field]][row["state"]] = row["n"]
    nothing = lateness.unfiled([round_], {round_.pk: due}, request.user)
    unfiled = Counter(each.unit_id if one else each.school_id for each in nothing)
    rows = [_row(unit, by_unit[unit.pk], due, today) | {"unfiled": unfiled[unit.pk]} for unit in units]
    late = [row for row in rows if row["late"] or row["unfiled"]]
    only_late = bool(request.GET.get("late"))
    everything = Counter()
    for counts in by_unit.values():
        everything += counts
    context = {
        "round": round_,
        "one": one,
        "is_chosen": chosen is not None and len(schools) > 1,
        "only_late": only_late,
        "standings": deadline_plans.standings(everything, due, today),
        "late": len(late),
        "page": Paginator(late if only_late else rows, _UNITS_PER_PAGE).get_page(request.GET.get("page")),
        "today": today,
    }
    return render(request, "subsidies/round_progress.html", context)


def _row(unit: Unit, counts: Counter, due: deadline_plans.Plan, today: dt.date) -> dict[str, Any]:
    found = deadline_plans.standings(counts, due, today)
    return {"unit": unit, "standings": found, "filed": counts.total(), "late": deadline_plans.latest(found)}


def _classes(round_: Round, classes: QuerySet[Unit]) -> list[Unit]:
    """The classes by their names in the round's own term."""
    units = list(classes.order_by("path"))
    names = enrolment.class_names(round_.term, [unit.pk for unit in units])
    for unit in units:
        unit.name = names.get(unit.pk, unit.name)
    return units


# --- the rules ------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@desk(Permission.VIEW_CASES)
def deadline_rules(request: HttpRequest) -> HttpResponse:
    """How deadlines are proposed: what is in force, and a form to record another from a term on."""
    county = Unit.objects.get(path=scopes.reach(request.user, Permission.VIEW_CASES)[0].split("/", 1)[0] + "/")
    if request.method == "POST":
        access.require(request.user, Permission.EDIT_STANDARDS, county)
    term = terms.current()
    form = DeadlineRuleForm(request.POST or None, initial={"first_term": term, "work": request.GET.get("work")})
    if request.method == "POST" and form.is_valid():
        try:
            held = deadlines.set_rule(form.rule(), county=county, by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(
                request,
                f"已登记{held.get_work_display()}的期限规定：{held.words}。"
                "已经开启的批次不受影响，可以在批次页更改期限。",
            )
            return redirect("deadline_rules")
    past = DeadlineRule.objects.select_related("programme", "recorded_by").order_by("-recorded_at", "-pk")
    context = {
        "form": form,
        "term": term,
        "works": deadlines.all_in_force(term) if term else {},
        "page": Paginator(past, _RULES_PER_PAGE).get_page(request.GET.get("page")),
        "may_edit": scopes.allows(request.user, Permission.EDIT_STANDARDS, county),
    }
    return render(request, "subsidies/deadline_rules.html", context)
