"""Rounds: the list, opening one, and the desk of one round with where every unit stands."""

from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe
from django_tables2 import RequestConfig

from accounts import access, appointments, clock, scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date

from .. import rounds as verbs
from ..forms import RoundForm, WindowForm
from ..models import Application, Round
from ..states import TURN, State
from ..tables import RoundTable
from .desks import find_round, show_refusal, visible_sheets

# States shown in one column of the round's page.
_GROUPS = {
    "filing": (State.DRAFT, State.RETURNED),
    "public": (State.SCHOOL_REVIEWED, State.ON_NOTICE, State.HELD, State.CLEARED),
    "county": (State.REPORTED, State.VERIFIED),
    "paying": (State.APPROVED, State.IN_BATCH),
}


@require_safe
@desk(Permission.VIEW_CASES)
def round_list(request: HttpRequest) -> HttpResponse:
    table = RoundTable(verbs.visible_to(request.user, Permission.VIEW_CASES))
    RequestConfig(request, paginate={"per_page": 30}).configure(table)
    may_open = bool(scopes.reach(request.user, Permission.OPEN_ROUND))
    return render(request, "subsidies/round_list.html", {"table": table, "may_open": may_open})


@desk(Permission.OPEN_ROUND)
def round_open(request: HttpRequest) -> HttpResponse:
    units = Unit.objects.filter(path__in=scopes.reach(request.user, Permission.OPEN_ROUND))
    form = RoundForm(request.POST or None, units=units, initial={"opens_on": clock.today(), "unit": units.first()})
    if request.method == "POST" and form.is_valid():
        try:
            opened = verbs.open_round(**form.cleaned_data, by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(
                request, f"已开启“{opened}”，班主任可以在{cn_date(opened.opens_on)}至{cn_date(opened.closes_on)}填报。"
            )
            return redirect("round", pk=opened.pk)
    return render(request, "subsidies/round_open.html", {"form": form})


@desk(Permission.OPEN_ROUND)
def round_window(request: HttpRequest, pk: UUID) -> HttpResponse:
    round_ = find_round(request, pk)
    access.require(request.user, Permission.OPEN_ROUND, round_.unit)
    form = WindowForm(request.POST or None, initial={"opens_on": round_.opens_on, "closes_on": round_.closes_on})
    if request.method == "POST" and form.is_valid():
        try:
            verbs.change_window(round_, **form.cleaned_data, by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "填报时间已更改。")
            return redirect("round", pk=pk)
    return render(request, "subsidies/round_window.html", {"round": round_, "form": form})


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
    schools = _schools(round_, request, visible)
    counted = list(visible.values("state").annotate(n=Count("pk"), total=Sum("amount")).order_by("state"))
    context = {
        "round": round_,
        "schools": schools,
        "states": [(State(row["state"]), row["n"], row["total"]) for row in sorted(counted, key=_road_order)],
        "is_open": round_.opens_on <= clock.today() <= round_.closes_on,
        "approved": next((row for row in counted if row["state"] == State.APPROVED), None),
        "may_batch": scopes.allows(request.user, Permission.MAKE_BATCH, round_.unit),
        "may_move_window": scopes.allows(request.user, Permission.OPEN_ROUND, round_.unit),
        "batches": round_.batches.filter(pk__in=visible_sheets(request.user).values("batch")),
    }
    return render(request, "subsidies/round_detail.html", context)


def _road_order(row: dict[str, Any]) -> int:
    return list(State).index(State(row["state"]))


def _schools(round_: Round, request: HttpRequest, visible: Any) -> list[dict[str, Any]]:
    """Per school and class in the person's reach: how many stand where, and which desks are theirs."""
    by_class: dict[int, Counter] = defaultdict(Counter)
    for row in visible.values("school_class", "state").annotate(n=Count("pk")).order_by():
        by_class[row["school_class"]][row["state"]] = row["n"]
    classes = scopes.within(
        Unit.objects.filter(
            level=Unit.Level.CLASS,
            is_active=True,
            path__startswith=round_.unit.path,
            school_class__stage__in=round_.programme.stages,
        ).select_related("parent"),
        request.user,
        Permission.VIEW_CASES,
        unit="",
    )
    taught = appointments.units_with("class_teacher", on=clock.today())
    found: dict[int, dict[str, Any]] = {}
    for unit in classes:
        school = found.setdefault(unit.parent_id, {"unit": unit.parent, "classes": [], "counts": Counter()})
        counts = by_class[unit.pk]
        school["counts"] += counts
        groups = {name: sum(counts[state] for state in states) for name, states in _GROUPS.items()}
        desks = _class_desks(request, unit, counts)
        school["classes"].append(
            {"unit": unit, "counts": counts, "groups": groups, "desks": desks, "taught": unit.pk in taught}
        )
    for school in found.values():
        school["desks"] = _school_desks(request, school["unit"], school["counts"])
        school["total"] = school["counts"].total()
    return list(found.values())


def _class_desks(request: HttpRequest, unit: Unit, counts: Counter) -> dict[str, int]:
    may = {permission for permission in Permission if scopes.allows(request.user, permission, unit)}
    waiting = {state: counts[state] for state in counts if TURN[State(state)] in may}
    return {
        "file": Permission.FILE_APPLICATION in may,
        "class_review": waiting.get(State.SUBMITTED, 0),
    }


def _school_desks(request: HttpRequest, unit: Unit, counts: Counter) -> dict[str, int]:
    names = {
        State.CLASS_REVIEWED: "school_review",
        State.SCHOOL_REVIEWED: "publish",
        State.CLEARED: "report",
        State.REPORTED: "verify",
        State.VERIFIED: "approve",
    }
    return {
        name: counts[state]
        for state, name in names.items()
        if counts[state] and scopes.allows(request.user, TURN[state], unit)
    }
