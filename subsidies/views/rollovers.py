"""The desk of roll-overs: which schools are due, classes and preview, the run, its report, taking it back."""

from typing import Any
from uuid import UUID

import django_tables2
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import audit, scopes
from accounts.access import desk, fetch
from accounts.models import Unit, User
from accounts.roles import Permission as P
from documents import uploads
from students import rollovers as register
from students.models import RollOver, School
from students.rollovers import Outcome, Turn

from .. import rollover_files
from .. import rollovers as verbs
from ..forms import RollOverForm
from ..tables import CarriedListTable, EvidenceTable, TurnTable
from .desks import is_key, show_refusal

ROWS_PER_PAGE = 50
# Lines of a list shown before the run; all of them are in the report.
PREVIEW_LINES = 30
# Schools tried out and rolled over in one request.
SCHOOLS_AT_ONCE = 20


@require_GET
@desk(P.VIEW_REGISTER)
def rollover_list(request: HttpRequest) -> HttpResponse:
    turns = register.turns(_schools(request.user, P.VIEW_REGISTER))
    mine = set(_schools(request.user, P.ROLL_OVER).values_list("pk", flat=True))
    due = [turn for turn in turns if turn.is_due and turn.school.pk in mine]
    table = TurnTable(turns, many=bool(due) and len(turns) > 1, mine=mine)
    if not due and not any(turn.done and turn.is_done for turn in turns):
        table.exclude = (*table.exclude, "act")  # nothing to press
    django_tables2.RequestConfig(request, paginate={"per_page": ROWS_PER_PAGE}).configure(table)
    context = {
        "table": table,
        "turns": turns,
        "due": due,
        "may_roll": bool(mine),
        "missing": next((turn.target_key for turn in turns if turn.target is None), ""),
        "may_plan_terms": bool(scopes.reach(request.user, P.EDIT_CALENDAR)),
        "at_once": SCHOOLS_AT_ONCE,
    }
    return render(request, "subsidies/rollover_list.html", context)


@require_http_methods(["GET", "POST"])
@desk(P.ROLL_OVER)
def rollover_plan(request: HttpRequest, pk: int) -> HttpResponse:
    """Choose what becomes of each class; look at what it would do; do it."""
    school = fetch(_schools(request.user, P.ROLL_OVER), request.user, P.ROLL_OVER, unit="", pk=pk)
    turn = next(iter(register.turns([school])), None)
    if turn is None or turn.target is None:
        messages.error(request, "下一学期还没有登记，请县资助中心经办先在“学期”页登记起止日期。")
        return redirect("rollovers")
    if turn.done and turn.is_done:
        return redirect("rollover", turn.done.pk)
    try:
        plan = register.plan(school, turn.target)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("rollovers")
    form = RollOverForm(request.POST or None, plan=plan)
    context: dict[str, Any] = {"plan": plan, "form": form, "turn": turn}
    if request.method == "POST" and "back" not in request.POST and form.is_valid():
        try:
            if "run" in request.POST:
                try:
                    seen = request.POST.get("seen", "") or "-"
                    return _done(request, verbs.run(school, turn.target, form.choices(), by=request.user, seen=seen))
                except verbs.OutcomeChanged as change:
                    messages.warning(request, " ".join(change.messages))
            outcome = verbs.run(school, turn.target, form.choices(), by=request.user, dry_run=True)
        except ValidationError as refusal:
            show_refusal(form, refusal)
            return render(request, "subsidies/rollover_plan.html", context)
        return render(request, "subsidies/rollover_preview.html", context | _preview(outcome))
    return render(request, "subsidies/rollover_plan.html", context)


def _done(request: HttpRequest, outcome: Outcome) -> HttpResponse:
    counts = outcome.counts
    messages.success(
        request,
        f"已结转到{outcome.rollover.target}：编入 {counts['carried']} 人，毕业 {counts['graduated']} 人。"
        + (f"上学期名单中 {counts['offered']} 人次等班主任沿用。" if counts["offered"] else ""),
    )
    return redirect("rollover", outcome.rollover.pk)


def _preview(outcome: Outcome) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "evidence": outcome.evidence[:PREVIEW_LINES],
        "evidence_more": max(0, len(outcome.evidence) - PREVIEW_LINES),
        "lists": [row | {"rows": row["rows"][:PREVIEW_LINES], "more": len(row["rows"])} for row in outcome.lists],
        "lines": PREVIEW_LINES,
        "seen": verbs.fingerprint(outcome),
    }


@require_POST
@desk(P.ROLL_OVER)
def rollover_many(request: HttpRequest) -> HttpResponse:
    """Several schools one after another, each with what usually becomes of its classes; first tried out."""
    chosen = [int(key) for key in request.POST.getlist("school") if is_key(key)]
    schools = list(_schools(request.user, P.ROLL_OVER).filter(pk__in=chosen[:SCHOOLS_AT_ONCE]))
    due = [turn for turn in register.turns(schools) if turn.is_due]
    if not due:
        messages.error(request, "请先勾选要结转的学校（已结转或没有名册的学校不能选）。")
        return redirect("rollovers")
    is_run = "run" in request.POST
    rows = [_one_of_many(request, turn, is_run=is_run) for turn in due]
    if is_run:
        done = sum(row["outcome"] is not None for row in rows)
        if done:
            messages.success(request, f"已结转 {done} 所学校。")
        for row in rows:
            if row["refusal"]:
                messages.warning(request, f"{row['turn'].school}没有结转：{row['refusal']}")
        return redirect("rollovers")
    ready = [row for row in rows if row["outcome"]]
    context = {"rows": rows, "ready": ready, "left_out": len(chosen) - len(due)}
    return render(request, "subsidies/rollover_many.html", context)


def _one_of_many(request: HttpRequest, turn: Turn, *, is_run: bool) -> dict[str, Any]:
    assert turn.target
    seen = request.POST.get(f"seen_{turn.school.pk}", "") or "-" if is_run else ""
    try:
        outcome = verbs.run(turn.school, turn.target, {}, by=request.user, dry_run=not is_run, seen=seen)
    except ValidationError as refusal:
        return {"turn": turn, "outcome": None, "refusal": " ".join(refusal.messages), "seen": ""}
    return {"turn": turn, "outcome": outcome, "refusal": "", "seen": verbs.fingerprint(outcome)}


@require_GET
@desk(P.VIEW_REGISTER)
def rollover(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = _fetch(request.user, pk)
    tables = {
        "evidence": EvidenceTable(found.report.get("evidence", []), prefix="e-"),
        "lists": CarriedListTable(rollover_files.list_lines(found), prefix="l-"),
    }
    for table in tables.values():
        django_tables2.RequestConfig(request, paginate={"per_page": ROWS_PER_PAGE}).configure(table)
    may_roll = scopes.allows(request.user, P.ROLL_OVER, found.school)
    may_undo = may_roll and found.state == RollOver.State.DONE
    schools = _schools(request.user, P.ROLL_OVER).exclude(pk=found.school_id)
    others = register.turns(schools, how_many=False) if may_undo else []
    context = {
        "rollover": found,
        "tables": tables,
        "may_roll": may_roll,
        "may_undo": may_undo,
        "obstacles": verbs.obstacles(found) if may_undo else [],
        "drafts": verbs.drafts_since(found) if may_undo else 0,
        "next": next((turn for turn in others if turn.is_due), None),
    }
    return render(request, "subsidies/rollover.html", context)


@require_GET
@desk(P.VIEW_REGISTER)
def rollover_report(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = _fetch(request.user, pk)
    content = rollover_files.report(found)
    audit.record("rollover.export", found, by=request.user, unit=found.school, term=found.target.key)
    response = HttpResponse(content, content_type=uploads.XLSX)
    name = f"{found.school.name}_{found.target.key}_学期结转报告.xlsx"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return uploads.guard_download(response)


@require_POST
@desk(P.ROLL_OVER)
def rollover_undo(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = _fetch(request.user, pk, may=P.ROLL_OVER)
    try:
        verbs.undo(found, by=request.user)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    else:
        messages.success(request, f"已撤销{found.school}到{found.target}的结转，名册恢复原样。")
    return redirect("rollover", pk)


def _fetch(user: User, pk: UUID, may: P | None = None) -> RollOver:
    rows = RollOver.objects.select_related("school", "source", "target", "done_by", "undone_by")
    return fetch(rows, user, P.VIEW_REGISTER, unit="school", may=may, pk=pk)


def _schools(user: User, permission: P) -> Any:
    schools = Unit.objects.filter(level=Unit.Level.SCHOOL, is_active=True, pk__in=School.objects.values("pk"))
    return scopes.within(schools, user, permission, unit="").order_by("path")
