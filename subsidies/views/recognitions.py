"""认定台账, the re-check in spring, one pupil's versions, and the words of the tiers."""

from collections import Counter
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import access, scopes
from accounts.access import desk, refusal
from accounts.models import Unit, User
from accounts.roles import Permission as P
from documents import uploads
from students import enrolment, terms
from students.models import Enrolment
from students.term_keys import is_autumn

from .. import ledger, recognitions
from .. import recognition_rechecks as verbs
from ..check_forms import TierWordingForm
from ..models import Recognition, TierWording
from ..recognition_forms import NO_TIER, FullLedgerForm, KeptForm, LedgerFilter, RecheckForm
from ..states import State
from .checks import county_above
from .desks import carried_out, is_key, show_refusal

_PER_PAGE = 50
_RULES_PER_PAGE = 20


# --- the ledger -----------------------------------------------------------------------------------


@require_safe
@desk(P.VIEW_CASES)
def ledger_schools(request: HttpRequest) -> HttpResponse:
    """The schools with how many are recognised in the year; whoever has one school goes straight to it."""
    year, years = _year(request)
    schools = ledger.schools(request.user, year) if year else []
    if len(schools) == 1 and not scopes.whole_counties(scopes.reach(request.user, P.VIEW_CASES)):
        return redirect(f"{reverse('ledger_school', args=[schools[0]['pk']])}?year={year}")
    context = {
        "year": year,
        "year_words": recognitions.year_words(year) if year else "",
        "years": [(each, recognitions.year_words(each)) for each in years],
        "page": Paginator(schools, _PER_PAGE).get_page(request.GET.get("page")),
        "total": sum(each["standing"] for each in schools),
    }
    return render(request, "subsidies/ledger_schools.html", context)


@require_safe
@desk(P.VIEW_CASES)
def ledger_school(request: HttpRequest, unit: int) -> HttpResponse:
    """The ledger of one school, or of the classes in it that the person may look at."""
    school = _school(request.user, unit)
    year, years = _year(request)
    rows = ledger.visible(request.user, year).filter(school=school)
    classes = _classes(rows)
    form = LedgerFilter(
        {**request.GET.dict(), "year": year},
        years=[(each, recognitions.year_words(each)) for each in years],
        classes=[(str(each["pk"]), each["name"]) for each in classes],
        tiers=sorted(set(rows.order_by().values_list("tier", flat=True))),
    )
    chosen = next((each for each in classes if str(each["pk"]) == form.value("school_class")), None)
    narrowed = rows.filter(school_class=chosen["pk"]) if chosen else rows
    if tier := form.value("tier"):
        narrowed = narrowed.filter(tier="" if tier == NO_TIER else tier)
    if state := form.value("state"):
        narrowed = narrowed.filter(Q(kind=Recognition.Kind.ENDED) if state == "ended" else ~Q(kind="ended"))
    ordered = narrowed.select_related("pupil").order_by("school_class__path", "pupil__name", "pk")
    page = Paginator(ordered, _PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "unit": school,
        "year": year,
        "year_words": recognitions.year_words(year),
        "filter": form,
        "chosen": chosen,
        "page": page,
        "rows": ledger.rows_of(list(page)),
        "may_reveal": scopes.allows(request.user, P.REVEAL_IDENTITY, school),
        "may_recheck": scopes.allows(request.user, P.HOLD_SCHOOL_REVIEW, school),
    }
    return render(request, "subsidies/ledger_school.html", context)


@require_safe
@desk(P.VIEW_CASES)
def ledger_sheet(request: HttpRequest, unit: int) -> HttpResponse:
    """The ledger as a workbook, numbers masked."""
    school = _school(request.user, unit)
    year, _ = _year(request)
    content = ledger.masked_sheet(school, year, school_class=_class(request, school), by=request.user)
    return _workbook(content, f"{school.name}_{year}_认定台账.xlsx")


@require_http_methods(["GET", "POST"])
@never_cache
@desk(P.REVEAL_IDENTITY)
def ledger_full(request: HttpRequest, unit: int) -> HttpResponse:
    """The ledger with whole numbers, for one purpose."""
    school = _school(request.user, unit)
    access.require(request.user, P.REVEAL_IDENTITY, school)
    year, _ = _year(request)
    school_class = _class(request, school)
    form = FullLedgerForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            content = ledger.full_sheet(school, year, school_class=school_class, by=request.user, **form.cleaned_data)
        except ValidationError as refused:
            show_refusal(form, refused)
        else:
            return _workbook(content, f"{school.name}_{year}_认定台账_含完整号码.xlsx")
    context = {"unit": school, "year": year, "year_words": recognitions.year_words(year), "form": form}
    return render(request, "subsidies/ledger_full.html", context)


def _workbook(content: bytes, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=uploads.XLSX)
    response["Content-Disposition"] = content_disposition_header(True, name)
    return uploads.guard_download(response)


def _year(request: HttpRequest) -> tuple[str, list[str]]:
    """The school year asked for (the running one where none is), and all that may be asked for."""
    years, term = ledger.years(request.user), terms.current()
    running = recognitions.school_year(term) if term else ""
    if running and running not in years:
        years = sorted({*years, running}, reverse=True)
    wanted = request.GET.get("year", "")
    return (wanted if wanted in years else running or next(iter(years), "")), years


def _school(user: User, unit: int) -> Unit:
    """A school in the person's reach, or the school of a class in it; else 404."""
    school = get_object_or_404(Unit, pk=unit, level=Unit.Level.SCHOOL)
    paths = scopes.reach(user, P.VIEW_CASES)
    if not any(school.path.startswith(path) or path.startswith(school.path) for path in paths):
        raise Http404
    return school


def _class(request: HttpRequest, school: Unit) -> Unit | None:
    """The class asked for; what of it the person may see is the ledger's question."""
    wanted = request.GET.get("school_class", "")
    if not is_key(wanted):
        return None
    return get_object_or_404(Unit, pk=wanted, level=Unit.Level.CLASS, parent=school)


def _classes(rows: Any) -> list[dict[str, Any]]:
    """The classes of the rows, by their names in the year."""
    found = list(rows.order_by("school_class__path").values("school_class", "term").distinct())
    named = Enrolment.objects.filter(
        school_class__in={each["school_class"] for each in found}, term__in={each["term"] for each in found}
    )
    names = dict(named.order_by("term__key").values_list("school_class", "class_name"))
    keys = dict.fromkeys(each["school_class"] for each in found)
    return [{"pk": key, "name": names.get(key, "")} for key in keys]


# --- one pupil ------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_CASES)
def recognition_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """All versions of a pupil's recognition in a school year, and the form of its re-check."""
    row = _find(request.user, pk)
    versions = list(
        Recognition.objects.filter(pupil=row.pupil_id, school_year=row.school_year)
        .select_related("by", "term", "application__programme", "meeting", "school", "school_class")
        .order_by("-version")
    )
    held, place = versions[0], _place(row)
    # What another school said of a pupil since is not for the school that was left.
    if not any(
        unit is not None and scopes.allows(request.user, P.VIEW_CASES, unit)
        for unit in (held.school_class, place and place.school_class)
    ):
        raise Http404
    may = place is not None and scopes.allows(request.user, P.HOLD_SCHOOL_REVIEW, place.school)
    if request.method == "POST" and not may:
        raise PermissionDenied(refusal(P.HOLD_SCHOOL_REVIEW))
    form = None
    if may and place and held.is_in_force:
        done = held.kind != Recognition.Kind.RECOGNISED and held.term_id == place.term_id
        may_keep = not is_autumn(place.term.key) and not done
        tiers = [each for each in recognitions.choices_for(place.stage, place.term) if each != held.tier]
        form = RecheckForm(
            request.POST or None,
            request.FILES or None,
            initial={"seen": held.version},
            tiers=tiers,
            may_keep=may_keep,
        )
        if carried_out(request, form, lambda: verbs.recheck(place, form.told(), by=request.user)):
            messages.success(request, f"已登记{row.pupil.name}的复核结论。{_what_follows(place)}")
            return redirect("recognition", pk=pk)
    elif request.method == "POST":
        messages.error(request, f"{row.pupil.name}的认定已经终止，您填写的复核结论没有登记。请看历次结论。")
    context = {
        "row": held,
        "pupil": row.pupil,
        "year_words": recognitions.year_words(row.school_year),
        "versions": versions,
        "cases": recognitions.standing_cases([row.pupil_id], row.school_year).get(row.pupil_id, []),
        "form": form,
        "place": place,
    }
    return render(request, "subsidies/recognition.html", context)


def _what_follows(place: Enrolment) -> str:
    """What becomes of the cases of the term after a re-check; "" unless it ended the recognition."""
    year = recognitions.school_year(place.term)
    if recognitions.of_pupils([place.pupil_id], year)[place.pupil_id].is_in_force:
        return ""
    cases = recognitions.standing_cases([place.pupil_id], year).get(place.pupil_id, [])
    states = Counter(case.state for case in cases if case.term_id == place.term_id)
    listed = states[State.IN_BATCH]
    before = sum(n for state, n in states.items() if state not in (State.REPORTED, State.IN_BATCH, State.PAID))
    said = [
        states[State.REPORTED] and f"本学期 {states[State.REPORTED]} 份申请在待县级审核，不会再通过。",
        listed and f"{listed} 份已编入发放批次，仍按名单发放；要停发或追回的，请联系县资助中心。",
        before and f"{before} 份还在学校，上报前检查会要求退回。",
    ]
    return "".join(each for each in said if each)


@require_safe
@desk(P.VIEW_CASES)
def recognition_evidence(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The scan a re-check rests on: for those who hold school reviews, or may see numbers."""
    row = _find(request.user, pk)
    may = any(scopes.allows(request.user, each, row.school) for each in (P.HOLD_SCHOOL_REVIEW, P.REVEAL_IDENTITY))
    if not may:
        raise PermissionDenied(refusal(P.HOLD_SCHOOL_REVIEW, P.REVEAL_IDENTITY))
    if row.evidence_file is None:
        raise Http404("这次复核没有上传扫描件。")
    if uploads.wants_preview(request):
        return uploads.serve_preview(row.evidence_file)
    return uploads.serve(verbs.read_evidence(row, by=request.user), inline=True)


def _find(user: User, pk: UUID) -> Recognition:
    """A recognition in the person's reach: said of a class there, or of a pupil who is there now."""
    rows = Recognition.objects.select_related("pupil", "school", "school_class", "evidence_file")
    row = get_object_or_404(rows, pk=pk)
    if scopes.allows(user, P.VIEW_CASES, row.school_class):
        return row
    place = _place(row)
    if place is None or not scopes.allows(user, P.VIEW_CASES, place.school_class):
        raise Http404
    return row


def _place(row: Recognition) -> Enrolment | None:
    """Where the pupil is on the roll in the running term, if that lies in the recognition's school year."""
    term = terms.current()
    if term is None or recognitions.school_year(term) != row.school_year:
        return None
    rows = enrolment.open_only(Enrolment.objects.filter(pupil=row.pupil_id, term=term))
    return rows.select_related("pupil", "term", "school", "school_class").first()


# --- the re-check of a school ---------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_CASES)
def recognition_rechecks(request: HttpRequest, unit: int) -> HttpResponse:
    """Everybody recognised whom the school has now: who was looked at this term, and what speaks for looking."""
    school = access.fetch(
        Unit.objects.filter(level=Unit.Level.SCHOOL),
        request.user,
        P.VIEW_CASES,
        unit="",
        may=P.HOLD_SCHOOL_REVIEW if request.method == "POST" else None,
        pk=unit,
    )
    term = terms.current()
    if term is None:
        raise Http404
    found = verbs.due(school, term)
    is_spring, may = not is_autumn(term.key), scopes.allows(request.user, P.HOLD_SCHOOL_REVIEW, school)
    waiting = [row for row in found if row.recognition.is_in_force and not row.is_done]
    form = KeptForm(request.POST or None, rows=waiting if is_spring else [])
    if carried_out(request, form, lambda: verbs.recheck_all(form.answers(), by=request.user)):
        messages.success(request, f"已登记 {len(form.answers())} 名学生复核不变。")
        return redirect("recognition_rechecks", unit=unit)
    shown = {"waiting": waiting, "hints": [row for row in waiting if row.hints], "all": found}
    only = request.GET.get("show", "waiting")
    page = Paginator(shown.get(only, waiting), _PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "unit": school,
        "term": term,
        "is_spring": is_spring,
        "year": recognitions.school_year(term),
        "total": len(found),
        "waiting": len(waiting),
        "hinted": len(shown["hints"]),
        "only": only if only in shown else "waiting",
        "page": page,
        "form": form,
        "may_recheck": may,
        "may_tick": may and is_spring,
    }
    return render(request, "subsidies/recognition_rechecks.html", context)


# --- the words of the tiers -----------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_CASES)
def tier_wordings(request: HttpRequest) -> HttpResponse:
    """The words in force, and a form to record others from a term on."""
    county = county_above(request.user)
    if request.method == "POST":
        access.require(request.user, P.EDIT_STANDARDS, county)
    term = terms.current()
    form = TierWordingForm(request.POST or None, initial={"first_term": term})
    if request.method == "POST" and form.is_valid():
        try:
            held = recognitions.set_wording(form.wording(), county=county, by=request.user)
        except ValidationError as refused:
            show_refusal(form, refused)
        else:
            messages.success(request, f"已登记认定等级：{held.words}。已经作出的认定不变。")
            return redirect("tier_wordings")
    past = TierWording.objects.select_related("recorded_by").order_by("-recorded_at", "-pk")
    now = past.filter(Q(first_term__lte=term.key)) if term else past.none()
    newest: dict[str, TierWording] = {}
    for row in sorted(now, key=lambda each: each.first_term):
        newest[row.stage] = row
    context = {
        "form": form,
        "term": term,
        "rows": sorted(newest.values(), key=lambda row: row.stage),
        "page": Paginator(past, _RULES_PER_PAGE).get_page(request.GET.get("page")),
        "may_edit": scopes.allows(request.user, P.EDIT_STANDARDS, county),
    }
    return render(request, "subsidies/tier_wordings.html", context)
