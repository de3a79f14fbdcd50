"""清查: what was found, school by school and one by one; settling it; the register of whom was not aided, and why."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_tables2 import RequestConfig

from accounts import access, audit, clock, scopes
from accounts.access import desk, fetch
from accounts.models import Unit, User
from accounts.paging import KeysFirst
from accounts.roles import Permission as P
from documents import uploads
from students import enrolment as register
from students import terms
from students.models import Enrolment, Term

from .. import concern_sheets, concern_words, tasks
from .. import concerns as verbs
from ..forms import ConcernFilter, ReopenForm, SettleForm, SettleManyForm
from ..models import Application, Concern, Round, Screening, Settlement
from ..tables import ConcernTable
from .desks import is_key, show_refusal

ROWS_PER_PAGE = 50
Kind, State = Concern.Kind, Concern.State


def _visible(user: User) -> QuerySet[Concern]:
    # A concern's own path says who may read it: a class's, or the county's.
    return scopes.within(Concern.objects.all(), user, P.VIEW_CASES, unit="")


def _term(request: HttpRequest) -> Term:
    chosen = Term.objects.filter(pk=request.GET["term"]).first() if is_key(request.GET.get("term", "")) else None
    term = chosen or terms.current()
    if term is None:
        raise Http404
    return term


@require_safe
@desk(P.VIEW_CASES)
def concern_list(request: HttpRequest) -> HttpResponse:
    term = _term(request)
    units = scopes.within(Unit.objects.filter(is_active=True), request.user, P.VIEW_CASES, unit="")
    wanted = ConcernFilter(
        {"term": term.pk, "state": State.OPEN, **request.GET.dict()}, units=units.select_related("parent")
    )
    wanted.is_valid()
    chosen = wanted.cleaned_data  # without a field that could not be read; the form says so beside it
    here = _narrow(_visible(request.user).filter(term=term), chosen)
    counted = Counter({row["kind"]: row["n"] for row in _open_by_kind(here)})
    rows = here if chosen.get("state") == "all" else here.filter(state=chosen.get("state") or State.OPEN)
    if kind := chosen.get("kind"):
        rows = rows.filter(kind=kind)
    listed = KeysFirst(rows.order_by("path", "kind", "pk"), detail=_shown)
    table = ConcernTable(listed, units=_names(request.user))
    reach = scopes.reach(request.user, P.SETTLE_CONCERNS)
    many = kind and chosen.get("state") == State.OPEN and bool(reach)
    table.exclude = tuple(
        name
        for name, is_hidden in (("chosen", not many), ("owner", "school" not in wanted.fields), ("kind", bool(kind)))
        if is_hidden
    )
    RequestConfig(request, paginate={"per_page": ROWS_PER_PAGE}).configure(table)
    context = {
        "filter": wanted,
        "table": table,
        "term": term,
        "kind": kind,
        "hint": concern_words.NEXT_STEP.get(kind or "", ""),
        "tiles": [(kind, counted[kind], _address(request, kind)) for kind in Kind],
        "many": SettleManyForm(reasons=verbs.reasons_for(kind)) if many and table.page.paginator.count else None,
        "is_county": "school" in wanted.fields,
        "sheet_of": _school_of_sheet(request.user, chosen),
        **_screening(request, term),
    }
    return render(request, "subsidies/concern_list.html", context)


def _shown(rows: QuerySet[Concern]) -> QuerySet[Concern]:
    return rows.select_related("pupil", "owner", "settlement__reason")


def _narrow(rows: QuerySet[Concern], chosen: Mapping[str, Any]) -> QuerySet[Concern]:
    if school := chosen.get("school"):
        rows = rows.filter(owner=school)
    if unit := chosen.get("school_class"):
        rows = rows.filter(path__startswith=unit.path)
    return rows


def _open_by_kind(rows: QuerySet[Concern]) -> Iterable[dict[str, Any]]:
    return rows.filter(state=State.OPEN).order_by().values("kind").annotate(n=Count("*"))


def _address(request: HttpRequest, kind: str) -> str:
    """This list with the kind chosen; chosen again, all kinds."""
    query = request.GET.copy()
    query.pop("page", None)
    if query.get("kind") == kind:
        del query["kind"]
    else:
        query["kind"] = kind
    return f"{reverse('concerns')}?{query.urlencode()}"


def _names(user: User) -> dict[int, str]:
    """Names of the schools a reader of the county's concerns may know; of others' schools none."""
    units = scopes.within(Unit.objects.exclude(level=Unit.Level.CLASS), user, P.VIEW_PUPILS, unit="")
    return {unit.pk: "全县名册" if unit.level == Unit.Level.COUNTY else unit.name for unit in units}


def _school_of_sheet(user: User, chosen: Mapping[str, Any]) -> Unit | None:
    """The one school whose register of the unaided this page offers."""
    schools = scopes.within(Unit.objects.filter(level=Unit.Level.SCHOOL), user, P.VIEW_CASES, unit="")
    school = chosen.get("school")
    found = list(schools.filter(pk=school.pk) if school else schools[:2])
    return found[0] if len(found) == 1 else None


def _screening(request: HttpRequest, term: Term) -> dict[str, Any]:
    """When it was last screened, whether it is being screened now, and whether this person may ask for it."""
    units = list(_to_screen(request.user))
    posts = scopes.current_appointments(request.user)
    about = units or [Unit.objects.get(pk=posts[0].unit_id)]
    running = Screening.objects.filter(state__in=[Screening.State.QUEUED, Screening.State.RUNNING], term=term)
    return {
        "may_screen": bool(units),
        "last": verbs.last_finished(about[0], term),
        "running": running.filter(unit__in=units).select_related("unit").first(),
        "failed": verbs.last_failed(about, term),
    }


def _to_screen(user: User) -> QuerySet[Unit]:
    """The county or the schools the person screens: all of them in one press."""
    return Unit.objects.filter(path__in=scopes.reach(user, P.SETTLE_CONCERNS)).order_by("path")


@require_safe
@desk(P.VIEW_CASES)
def concern_schools(request: HttpRequest) -> HttpResponse:
    """Open concerns by school and kind."""
    term = _term(request)
    rows = _visible(request.user).filter(term=term).exclude(state=State.GONE)
    counted = rows.order_by("owner__path").values("owner", "owner__name", "owner__level", "kind", "state")
    counted = counted.annotate(n=Count("*"))
    schools: dict[int, dict[str, Any]] = {}
    for row in counted:
        school = schools.setdefault(
            row["owner"],
            {
                "pk": row["owner"],
                "name": row["owner__name"],
                "is_school": row["owner__level"] == Unit.Level.SCHOOL,
                "open": Counter(),
                "settled": 0,
            },
        )
        if row["state"] == State.OPEN:
            school["open"][row["kind"]] += row["n"]
        else:
            school["settled"] += row["n"]
    table = [
        school | {"cells": [(kind, school["open"][kind]) for kind in Kind], "total": school["open"].total()}
        for school in schools.values()
    ]
    totals = [(kind, sum(school["open"][kind] for school in schools.values())) for kind in Kind]
    context = {
        "term": term,
        "kinds": [(kind, concern_words.SHORT[kind.value]) for kind in Kind],
        "schools": table,
        "totals": totals,
        "total": sum(count for _, count in totals),
        **_screening(request, term),
    }
    return render(request, "subsidies/concern_schools.html", context)


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_CASES)
def concern_detail(request: HttpRequest, pk: int) -> HttpResponse:
    concern = _fetch(request.user, pk)
    may_settle = scopes.allows(request.user, P.SETTLE_CONCERNS, concern.owner)
    if request.method == "POST":
        access.require(request.user, P.SETTLE_CONCERNS, concern.owner)
    form = SettleForm(
        request.POST or None,
        request.FILES or None,
        reasons=verbs.reasons_for(concern.kind),
        initial={"seen": concern.digest},
    )
    if request.method == "POST" and form.is_valid():
        try:
            verbs.settle(concern, **form.cleaned_data, by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"已办结：{concern.pupil.name}，{concern.get_kind_display()}。")
            return redirect(f"{reverse('concerns')}?kind={concern.kind}&term={concern.term_id}")
    county = Unit.objects.get(pk=concern.owner.path.split("/", 1)[0])
    units = _names(request.user)
    context = {
        "concern": concern,
        "sentence": concern_words.sentence(concern.kind, concern.facts, units),
        "hint": concern_words.NEXT_STEP[concern.kind],
        "form": form if may_settle and concern.state == State.OPEN else None,
        "may_reopen": concern.state == State.SETTLED and scopes.allows(request.user, P.SETTLE_CONCERNS, county),
        "may_read_proof": may_settle,
        **_history(concern),
        "earlier": _earlier(request.user, concern),
        **_around(request.user, concern),
    }
    return render(request, "subsidies/concern_detail.html", context)


def _history(concern: Concern) -> dict[str, Any]:
    """What was said of it and when it was sent back, in order; and the last word, if it is one that sent it back."""
    said = [
        {"at": row.at, "settlement": row}
        for row in concern.settlements.select_related("reason", "by", "proof__uploaded_by")
    ]
    back = [{"at": row.at, "returned": row} for row in verbs.returns(concern)]
    history = sorted([*said, *back], key=lambda each: each["at"])
    last = history[-1].get("returned") if history and concern.state == State.OPEN else None
    return {"history": history, "returned": last}


def _fetch(user: User, pk: int) -> Concern:
    rows = Concern.objects.select_related("pupil", "owner", "term", "settlement__reason", "about")
    return fetch(rows, user, P.VIEW_CASES, unit="", pk=pk)


def _earlier(user: User, concern: Concern) -> QuerySet[Settlement]:
    """What was said about the same child and kind in other terms, a refusal by the parents among it."""
    seen = _visible(user).filter(pupil=concern.pupil, kind=concern.kind).exclude(term=concern.term)
    rows = Settlement.objects.filter(concern__in=seen).select_related(
        "reason", "by", "concern__term", "proof__uploaded_by"
    )
    return rows.order_by("-pk")[:10]


def _around(user: User, concern: Concern) -> dict[str, Any]:
    """The records the concern is about, as far as they lie in the reader's scope."""
    facts = concern.facts
    pupils = (
        [member["pupil"] for member in facts.get("members", [])] + facts.get("siblings", []) + facts.get("here", [])
    )
    places = register.current_only(Enrolment.objects.filter(pupil__in=[*pupils, concern.pupil_id]))
    near = scopes.within(places.select_related("pupil", "school"), user, P.VIEW_PUPILS, unit="school_class")
    by_pupil = {str(place.pupil_id): place for place in near.order_by("path", "pk")}
    others = [by_pupil[key] for key in dict.fromkeys(pupils) if key in by_pupil and key != str(concern.pupil_id)]
    cases = Application.objects.filter(Q(pk__in=_cases(facts)) | _filed(concern), term=concern.term)
    cases = scopes.within(cases, user, P.VIEW_CASES, unit="school_class").select_related(
        "programme", "school", "school_class"
    )
    return {
        "place": by_pupil.get(str(concern.pupil_id)),
        "others": others,
        "hidden": len(set(pupils) - set(by_pupil) - {str(concern.pupil_id)}),
        "cases": cases.order_by("filed_at", "pk")[:20],
        "filing": _filing(user, concern, by_pupil.get(str(concern.pupil_id))),
        "today": clock.today(),
    }


def _cases(facts: Mapping[str, Any]) -> list[str]:
    return facts.get("applications", []) + ([facts["application"]] if "application" in facts else [])


def _filed(concern: Concern) -> Q:
    """The applications of whom nobody should have missed: one that was taken back, or a draft."""
    if concern.kind != Kind.MISSED:
        return Q(pk__in=[])
    return Q(pupil=concern.pupil_id, programme__code=concern.facts["programme"])


def _filing(user: User, concern: Concern, place: Enrolment | None) -> Round | None:
    """The round in which the class teacher who reads this files for the child; `closes_on` says if they still can."""
    if concern.kind != Kind.MISSED or place is None or not scopes.allows(user, P.FILE_APPLICATION, place.school_class):
        return None
    rows = Round.objects.filter(
        term=concern.term, programme__code=concern.facts["programme"], opens_on__lte=clock.today()
    ).select_related("unit")
    return next((row for row in rows if row.unit.contains(place.school_class)), None)


@require_http_methods(["GET", "POST"])
@desk(P.SETTLE_CONCERNS)
def concern_reopen(request: HttpRequest, pk: int) -> HttpResponse:
    concern = _fetch(request.user, pk)
    access.require(request.user, P.SETTLE_CONCERNS, Unit.objects.get(pk=concern.owner.path.split("/", 1)[0]))
    form = ReopenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            verbs.reopen(concern, **form.cleaned_data, by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "已退回重新处理。")
            return redirect("concern", pk=pk)
    return render(request, "subsidies/concern_reopen.html", {"concern": concern, "form": form})


@require_safe
@desk(P.SETTLE_CONCERNS)
def concern_proof(request: HttpRequest, pk: int, settlement: int) -> HttpResponse:
    concern = _fetch(request.user, pk)
    access.require(request.user, P.SETTLE_CONCERNS, concern.owner)
    found = concern.settlements.select_related("concern__owner", "proof").filter(pk=settlement).first()
    if found is None or found.proof is None:
        raise Http404
    if uploads.wants_preview(request):
        return uploads.serve_preview(found.proof)
    return uploads.serve(verbs.read_proof(found, by=request.user), inline=True)


@require_POST
@desk(P.SETTLE_CONCERNS)
def concerns_settle(request: HttpRequest) -> HttpResponse:
    """Settle a selection; the page tells of each which went, and of the others why not."""
    keys = [key for key in request.POST.getlist("concern") if is_key(key)][:ROWS_PER_PAGE]
    rows = scopes.within(Concern.objects.filter(pk__in=keys), request.user, P.SETTLE_CONCERNS, unit="owner")
    found = list(rows.select_related("pupil", "owner").order_by("path", "pk"))
    back = f"{reverse('concerns')}?{request.POST.get('back', '')}"
    if not found:
        messages.error(request, "还没有选择要处理的事项，请先勾选。")
        return redirect(back)
    form = SettleManyForm(request.POST, reasons=verbs.reasons_for(found[0].kind))
    if not form.is_valid():
        messages.error(request, "没有保存：" + " ".join(error for errors in form.errors.values() for error in errors))
        return redirect(back)
    try:
        seen = {row.pk: request.POST.get(f"seen_{row.pk}") or "-" for row in found}
        answers = verbs.settle_all(found, **form.cleaned_data, seen=seen, by=request.user)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect(back)
    context = {
        "answers": answers,
        "done": sum(not answer.refusal for answer in answers),
        "refused": sum(bool(answer.refusal) for answer in answers),
        "missing": len(set(keys)) - len(found),
        "reason": form.cleaned_data["reason"],
        "back": back,
    }
    return render(request, "subsidies/concern_answers.html", context)


@require_POST
@desk(P.SETTLE_CONCERNS)
def screening_ask(request: HttpRequest) -> HttpResponse:
    units, term = list(_to_screen(request.user)), terms.current()
    if not units or term is None:
        raise Http404
    try:
        for unit in units:
            verbs.ask(unit, term, by=request.user)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    else:
        transaction.on_commit(tasks.nudge_screenings)
        messages.info(request, f"正在清查{'、'.join(map(str, units))}，完成后这里会更新。")
    return redirect("concerns")


@require_safe
@desk(P.SETTLE_CONCERNS)
def screening_progress(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The line that tells how far a screening has come; asked for again every two seconds."""
    row = fetch(Screening.objects.select_related("unit"), request.user, P.SETTLE_CONCERNS, unit="unit", pk=pk)
    response = render(request, "subsidies/_concern_screening.html", {"running": row})
    if row.state in (Screening.State.DONE, Screening.State.FAILED):
        response["HX-Refresh"] = "true"  # the whole list is new
    return response


@require_safe
@desk(P.VIEW_CASES)
def unaided_sheet(request: HttpRequest, unit: int) -> HttpResponse:
    schools = Unit.objects.filter(level=Unit.Level.SCHOOL)
    school = fetch(schools, request.user, P.VIEW_CASES, unit="", pk=unit)
    term = _term(request)
    content = concern_sheets.unaided_sheet(school, term)
    audit.record("concern.export", school, by=request.user, unit=school, term=term.key)
    response = HttpResponse(content, content_type=uploads.XLSX)
    response["Content-Disposition"] = content_disposition_header(
        True, f"{school.name}_{term.key}_未资助原因登记表.xlsx"
    )
    return uploads.guard_download(response)
