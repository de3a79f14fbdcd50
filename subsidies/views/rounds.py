"""Rounds: the list, opening one, and the desk of one round with where every unit stands."""

from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_tables2 import RequestConfig

from accounts import access, appointments, clock, scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from students import enrolment

from .. import deadline_plans, deadlines, places, quota_words
from .. import rounds as verbs
from ..deadline_forms import OpeningForm, PlanForm, WindowForm
from ..models import Application, Round
from ..states import TURN, State
from ..tables import RoundTable
from .desks import classes_in, find_round, show_refusal, visible_sheets

# States shown in one column of the round's page.
_GROUPS = {
    "filing": (State.DRAFT, State.RETURNED),
    "class_notice": (State.CLASS_PASSED, State.ON_CLASS_NOTICE, State.CLASS_HELD),
    "public": (State.SCHOOL_REVIEWED, State.CONFIRMED, State.ON_NOTICE, State.HELD, State.CLEARED),
    "county": (State.REPORTED, State.VERIFIED),
    "paying": (State.APPROVED, State.IN_BATCH),
}
# A person with more schools than this sees one line of each, and the classes of the one they choose.
_FEW_SCHOOLS = 5


@require_safe
@desk(Permission.VIEW_CASES)
def round_list(request: HttpRequest) -> HttpResponse:
    table = RoundTable(verbs.visible_to(request.user, Permission.VIEW_CASES).prefetch_related("deadlines"))
    RequestConfig(request, paginate={"per_page": 30}).configure(table)
    may_open = bool(scopes.reach(request.user, Permission.OPEN_ROUND))
    return render(request, "subsidies/round_list.html", {"table": table, "may_open": may_open})


@require_http_methods(["GET", "POST"])
@desk(Permission.OPEN_ROUND)
def round_open(request: HttpRequest) -> HttpResponse:
    """First what is opened and from when; then the last day of each work, proposed by the rules; then it is opened."""
    units = Unit.objects.filter(path__in=scopes.reach(request.user, Permission.OPEN_ROUND))
    initial = {"opens_on": clock.today(), "unit": units.first()}
    form: OpeningForm = OpeningForm(request.POST or None, units=units, initial=initial)
    context: dict[str, Any] = {"notes": [], "remarks": []}
    if request.method == "POST" and form.is_valid():
        what = {name: form.cleaned_data[name] for name in ("programme", "term", "unit", "opens_on")}
        try:
            verbs.check_opening(**what, closes_on=form.cleaned_data["closes_on"])
            rules = deadlines.rules_of(what["programme"], what["term"])
            if request.POST.get("step") == "open":
                form = OpeningForm(request.POST, units=units, rules=rules)
                if form.is_valid() and not _still_to_look_at(form, context):
                    opened = verbs.open_round(
                        **what, closes_on=form.cleaned_data["closes_on"], due=form.later(), by=request.user
                    )
                    messages.success(request, _opened_words(opened))
                    return redirect("round", pk=opened.pk)
            else:
                proposal = deadlines.propose(
                    what["programme"], what["term"], opens_on=what["opens_on"], closes_on=form.cleaned_data["closes_on"]
                )
                form = OpeningForm(form.filled(proposal.due), units=units, rules=rules)
                context["notes"] = proposal.notes
                if form.is_valid():
                    _still_to_look_at(form, context)
        except ValidationError as refusal:
            show_refusal(form, refusal)
    return render(request, "subsidies/round_open.html", {"form": form, **context})


def _opened_words(opened: Round) -> str:
    return f"已开启“{opened}”，班主任可以在{cn_date(opened.opens_on)}至{cn_date(opened.closes_on)}填报。"


def _still_to_look_at(form: PlanForm, context: dict[str, Any]) -> bool:
    """Whether something is to be remarked on the days that was not on the page when the button was pressed."""
    context["remarks"] = deadlines.remarks(form.plan())
    digest = form.digest()
    was_seen = form.cleaned_data["seen"] == digest
    form.looking_at(digest)
    return bool(context["remarks"]) and not was_seen


@require_http_methods(["GET", "POST"])
@desk(Permission.OPEN_ROUND)
def round_window(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Move the days: those after filing can be reckoned anew from the new end of filing."""
    round_ = find_round(request, pk)
    access.require(request.user, Permission.OPEN_ROUND, round_.unit)
    rules = deadlines.rules_of(round_.programme, round_.term)
    held = {deadlines.field_of(work): day for work, day in deadlines.of(round_).items()}
    form = WindowForm(request.POST or None, rules=rules, initial={"opens_on": round_.opens_on, **held})
    context: dict[str, Any] = {"round": round_, "notes": [], "remarks": []}
    try:
        if request.POST.get("step") == "plan" and form.without_reason().is_valid():
            proposal = deadlines.propose(
                round_.programme,
                round_.term,
                opens_on=form.cleaned_data["opens_on"],
                closes_on=form.cleaned_data["closes_on"],
            )
            form = WindowForm(form.filled(proposal.due), rules=rules).without_reason()
            context["notes"] = proposal.notes
            if form.is_valid():
                _still_to_look_at(form, context)
        elif request.method == "POST" and form.is_valid() and not _still_to_look_at(form, context):
            verbs.change_window(
                round_,
                opens_on=form.cleaned_data["opens_on"],
                closes_on=form.cleaned_data["closes_on"],
                due=form.later(),
                reason=form.cleaned_data["reason"],
                by=request.user,
            )
            messages.success(request, "期限已更改。")
            return redirect("round", pk=pk)
    except ValidationError as refusal:
        show_refusal(form, refusal)
    return render(request, "subsidies/round_window.html", {"form": form, **context})


@require_POST
@desk(Permission.OPEN_ROUND)
def round_withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    round_ = find_round(request, pk)
    access.require(request.user, Permission.OPEN_ROUND, round_.unit)
    try:
        verbs.withdraw(round_, by=request.user)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("round", pk=pk)
    messages.success(request, f"已撤销批次“{round_}”。")
    return redirect("rounds")


@require_safe
@desk(Permission.VIEW_CASES)
def round_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    round_ = find_round(request, pk)
    visible = scopes.within(
        Application.objects.filter(round=round_), request.user, Permission.VIEW_CASES, unit="school_class"
    )
    schools, others = _schools(round_, request, visible)
    counted = list(visible.values("state").annotate(n=Count("*"), total=Sum("amount")).order_by("state"))
    by_state = {row["state"]: row["n"] for row in counted}
    standings = deadline_plans.standings(by_state, deadlines.of(round_), clock.today())
    context = {
        "round": round_,
        "schools": schools,
        "others": others,
        "states": [(State(row["state"]), row["n"], row["total"]) for row in sorted(counted, key=_road_order)],
        "standings": standings,
        # A column of its own only where the county wants notices in the class, or some wait for one.
        "class_notices": any(by_state.get(state) for state in _GROUPS["class_notice"]),
        "pressing": deadline_plans.pressing(standings),
        "is_open": round_.opens_on <= clock.today() <= round_.closes_on,
        "approved": next((row for row in counted if row["state"] == State.APPROVED), None),
        "may_batch": scopes.allows(request.user, Permission.MAKE_BATCH, round_.unit),
        "may_move_window": scopes.allows(request.user, Permission.OPEN_ROUND, round_.unit),
        "quota_county": _county_of(round_, request),
        "over": _over(round_, [row["unit"] for row in (*schools, *others)]),
        "batches": round_.batches.filter(pk__in=visible_sheets(request.user).values("batch")),
    }
    return render(request, "subsidies/round_detail.html", context)


def _over(round_: Round, schools: list[Unit]) -> int:
    """By how many the schools together are over their places; each school gets its own number on the way."""
    found = places.overs_in(round_.programme, round_.term, schools)
    for school in schools:
        school.over = quota_words.over_count(found.get(school.pk, []))
    return sum(school.over for school in schools)


def _county_of(round_: Round, request: HttpRequest) -> int | None:
    """The key of the county whose places the person may look at."""
    key = int(round_.unit.path.split("/", 1)[0])
    whole = f"{round_.unit.path.split('/', 1)[0]}/" in scopes.reach(request.user, Permission.VIEW_CASES)
    return key if whole else None


def _road_order(row: dict[str, Any]) -> int:
    return list(State).index(State(row["state"]))


def _schools(
    round_: Round, request: HttpRequest, visible: QuerySet[Application]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Schools in the person's reach with how many stand where and which desks are theirs: those shown class by
    class, and (in a whole county) those that are one line until they are chosen."""
    classes = classes_in(round_, request.user, visible)
    keys = list(classes.order_by().values_list("parent", flat=True).distinct()[: _FEW_SCHOOLS + 1])
    if len(keys) <= _FEW_SCHOOLS:
        return _by_class(round_, request, visible, classes), []
    chosen = _chosen_school(request)
    shown = _by_class(round_, request, visible, classes.filter(parent=chosen)) if chosen else []
    return shown, _by_school(request, visible, Unit.objects.filter(pk__in=classes.order_by().values("parent")))


def _chosen_school(request: HttpRequest) -> int | None:
    wanted = request.GET.get("school", "")
    return int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 10 else None


def _by_school(request: HttpRequest, visible: QuerySet[Application], schools: QuerySet[Unit]) -> list[dict[str, Any]]:
    by_school: dict[int, Counter] = defaultdict(Counter)
    for row in visible.values("school", "state").annotate(n=Count("*")).order_by():
        by_school[row["school"]][row["state"]] = row["n"]
    return [{"unit": unit, **_standing(request, unit, by_school[unit.pk])} for unit in schools]


def _standing(request: HttpRequest, school: Unit, counts: Counter) -> dict[str, Any]:
    return {
        "counts": counts,
        "groups": _groups(counts),
        "desks": _school_desks(request, school, counts),
        "quotas": scopes.allows(request.user, Permission.VIEW_CASES, school),
        "may_settle": scopes.allows(request.user, Permission.DIVIDE_QUOTAS, school),
        "total": counts.total(),
    }


def _groups(counts: Counter) -> dict[str, int]:
    return {name: sum(counts[state] for state in states) for name, states in _GROUPS.items()}


def _by_class(
    round_: Round, request: HttpRequest, visible: QuerySet[Application], classes: QuerySet[Unit]
) -> list[dict[str, Any]]:
    by_class: dict[int, Counter] = defaultdict(Counter)
    cases = visible.filter(school_class__in=classes).order_by()
    for row in cases.values("school_class", "state").annotate(n=Count("*")):
        by_class[row["school_class"]][row["state"]] = row["n"]
    units = list(classes.select_related("parent"))
    taught = appointments.units_with("class_teacher", on=clock.today())
    names = enrolment.class_names(round_.term, [unit.pk for unit in units])
    found: dict[int, dict[str, Any]] = {}
    for unit in units:
        unit.name = names.get(unit.pk, unit.name)
        school = found.setdefault(unit.parent_id, {"unit": unit.parent, "classes": [], "counts": Counter()})
        counts = by_class[unit.pk]
        school["counts"] += counts
        desks = _class_desks(request, unit, counts)
        school["classes"].append(
            {"unit": unit, "counts": counts, "groups": _groups(counts), "desks": desks, "taught": unit.pk in taught}
        )
    for school in found.values():
        school |= _standing(request, school["unit"], school["counts"])
    return list(found.values())


def _class_desks(request: HttpRequest, unit: Unit, counts: Counter) -> dict[str, int]:
    may = {permission for permission in Permission if scopes.allows(request.user, permission, unit)}
    waiting = {state: counts[state] for state in counts if TURN[State(state)] in may}
    return {
        "file": Permission.FILE_APPLICATION in may,
        "class_review": waiting.get(State.SUBMITTED, 0),
        "class_notice": waiting.get(State.CLASS_PASSED, 0),
    }


def _school_desks(request: HttpRequest, unit: Unit, counts: Counter) -> dict[str, int]:
    names = {
        State.CLASS_REVIEWED: "school_review",
        State.SCHOOL_REVIEWED: "confirm",
        State.CONFIRMED: "publish",
        State.CLEARED: "report",
        State.REPORTED: "verify",
        State.VERIFIED: "approve",
    }
    return {
        name: counts[state]
        for state, name in names.items()
        if counts[state] and scopes.allows(request.user, TURN[state], unit)
    }
