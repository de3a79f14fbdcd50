"""名额: a unit's places over those below it, one unit's places and their history, who stands outside."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe
from django_tables2 import RequestConfig

from accounts import access, scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission as P
from students import enrolment
from students.models import Category

from .. import places, quota_words
from .. import quotas as verbs
from ..models import OutsideQuota, Programme, Quota, QuotaVersion, Round
from ..quota_forms import FillForm, NumbersForm, OutsideEndForm, OutsideForm, ReceiveForm, ReduceForm
from ..tables import ApplicationTable
from .desks import find_round, show_refusal

_LEVEL = Unit.Level
PER_PAGE = 50
MOST_SHOWN = 100  # of the cases a reduction concerns; the unit's own page has them all


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_CASES)
def unit_quotas(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    """The places of a county over its schools, or of a school over its classes."""
    round_ = find_round(request, pk)
    giver = _giver(request, round_, unit)
    may = _permission(giver)
    if request.method == "POST":
        access.require(request.user, may, giver)
    page = Paginator(_below(round_, giver), PER_PAGE).get_page(request.GET.get("page"))
    units = list(page.object_list)
    own = _own(round_, giver)
    may_edit = own is not None and own.places is not None and scopes.allows(request.user, may, giver)
    rows, form = _rows(request, round_, giver, units)
    if request.method == "POST" and form.is_valid():
        verb = verbs.allot if giver.level == _LEVEL.COUNTY else verbs.pass_on
        said = {name: form.cleaned_data[name] for name in ("document", "note")}
        try:
            count = verb(giver, form.wishes(), programme=round_.programme, term=round_.term, by=request.user, **said)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"已保存 {count} 个单位的名额。" if count else "名额没有变化。")
            return redirect(request.path + (f"?page={page.number}" if page.number > 1 else ""))
    shared = places.shared_of(own) if own and own.places is not None else None
    context = {
        "round": round_,
        "unit": giver,
        "level": "学校" if giver.level == _LEVEL.COUNTY else "班级",
        "page": page,
        "rows": [row | {"field": form[f"places_{row['unit'].pk}"]} for row in rows],
        "form": form,
        "fill": _fill_form(request),
        "may_edit": may_edit,
        "own": own,
        "seats": places.seats_of(round_.programme, round_.term, [giver])[giver.pk],
        "shared": shared,
        "handed": own.places - shared.places if own and shared else 0,
        "outside": _outside_names(round_),
        "may_receive": giver.level == _LEVEL.COUNTY and scopes.allows(request.user, P.ALLOT_QUOTAS, giver),
    }
    return render(request, "subsidies/quota_table.html", context)


def _giver(request: HttpRequest, round_: Round, pk: int) -> Unit:
    units = Unit.objects.filter(level__in=[_LEVEL.COUNTY, _LEVEL.SCHOOL]).select_related("parent")
    giver = access.fetch(units, request.user, P.VIEW_CASES, unit="", pk=pk)
    if not (round_.unit.contains(giver) or giver.contains(round_.unit)):
        raise Http404
    return giver


def _permission(giver: Unit) -> P:
    return P.ALLOT_QUOTAS if giver.level == _LEVEL.COUNTY else P.DIVIDE_QUOTAS


def _own(round_: Round, unit: Unit) -> Quota | None:
    rows = Quota.objects.filter(programme=round_.programme, term=round_.term, unit=unit)
    return rows.select_related("unit", "programme", "term").first()


def _below(round_: Round, giver: Unit) -> QuerySet[Unit]:
    """Schools or classes that teach the programme's stages, and those that have places all the same."""
    teaching = Unit.objects.filter(
        level=_LEVEL.CLASS,
        is_active=True,
        school_class__stage__in=round_.programme.stages,
        path__below=giver.path,
    ).order_by()
    if giver.level == _LEVEL.COUNTY:
        teaching = Unit.objects.filter(pk__in=teaching.values("parent"))
    held = Quota.objects.filter(programme=round_.programme, term=round_.term, unit__parent=giver).exclude(places=None)
    rows = Unit.objects.filter(Q(pk__in=teaching.values("pk")) | Q(pk__in=held.order_by().values("unit")))
    return rows.order_by("path")


def _rows(
    request: HttpRequest, round_: Round, giver: Unit, units: list[Unit]
) -> tuple[list[dict[str, Any]], NumbersForm]:
    programme, term = round_.programme, round_.term
    if giver.level == _LEVEL.SCHOOL:
        names = enrolment.class_names(term, [unit.pk for unit in units])
        for unit in units:
            unit.name = names.get(unit.pk, unit.name)
    roll, seats = places.roll_of(programme, term, units), places.seats_of(programme, term, units)
    current = QuotaVersion.objects.filter(
        quota__programme=programme, quota__term=term, quota__unit__in=units, number=F("quota__version")
    )
    versions = {version.quota.unit_id: version for version in current.select_related("quota")}
    fill = _fill_form(request)
    filled = fill.cleaned_data if fill.is_bound and fill.is_valid() else {}
    form = NumbersForm(
        request.POST or None,
        units=units,
        held={unit.pk: seats[unit.pk].places for unit in units},
        roll=roll,
        initial=filled,
    )
    rows = []
    for unit in units:
        version = versions.get(unit.pk)
        rows.append(
            {
                "unit": unit,
                "roll": roll.get(unit.pk, 0),
                "seats": seats[unit.pk],
                "quota": version.quota if version else None,
                "how": quota_words.version_words(version) if version and version.places is not None else "",
            }
        )
    return rows, form


def _fill_form(request: HttpRequest) -> FillForm:
    return FillForm(request.GET if "percent" in request.GET else None)


def _outside_names(round_: Round) -> list[str]:
    codes = places.outside_codes(round_.programme, round_.term)
    return list(dict.fromkeys(Category.objects.filter(code__in=codes).order_by("rank").values_list("name", flat=True)))


@require_http_methods(["GET", "POST"])
@desk(P.ALLOT_QUOTAS)
def quota_receive(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The county's own places, from above."""
    round_ = find_round(request, pk)
    county = Unit.objects.get(path=f"{round_.unit.path.split('/', 1)[0]}/")
    access.require(request.user, P.ALLOT_QUOTAS, county)
    own = _own(round_, county)
    held = own.places if own else None
    form = ReceiveForm(request.POST or None, initial={"places": held}, is_limited=held is not None)
    if request.method == "POST" and form.is_valid():
        said = {name: form.cleaned_data[name] for name in ("document", "note")}
        try:
            verbs.receive(form.wish(county), programme=round_.programme, term=round_.term, by=request.user, **said)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            is_limited = not form.cleaned_data.get("unlimited")
            messages.success(
                request, "已登记上级下达的名额，可以分配给学校。" if is_limited else "已取消名额，不再限制人数。"
            )
            return redirect("quotas", pk=pk, unit=county.pk)
    context = {
        "round": round_,
        "unit": county,
        "form": form,
        "roll": places.roll_of(round_.programme, round_.term, [county]).get(county.pk, 0),
    }
    return render(request, "subsidies/quota_receive.html", context)


@require_safe
@desk(P.VIEW_CASES)
def quota_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One unit's places: how they changed, who uses them."""
    quota = _fetch(request, pk)
    holders = places.holders_in(quota).select_related("pupil", "enrolment", "school", "school_class")
    table = ApplicationTable(
        holders.order_by("school_class__path", "pupil__name", "pk"),
        exclude=("round",) if quota.unit.level == _LEVEL.COUNTY else ("round", "school"),
        empty_text="还没有学生占用名额：学校评审同意后才占用。",
    )
    RequestConfig(request, paginate={"per_page": PER_PAGE}).configure(table)
    versions = list(quota.versions.select_related("by"))
    for version in versions:
        version.how = quota_words.version_words(version)
    giver = quota.unit if quota.unit.level == _LEVEL.COUNTY else quota.unit.parent
    context = {
        "quota": quota,
        "unit_name": _name(quota),
        "table": table,
        "versions": versions,
        "seats": places.seats_of(quota.programme, quota.term, [quota.unit])[quota.unit_id],
        "may_reduce": bool(quota.places) and scopes.allows(request.user, *verbs.required_of(quota)),
        "round": _round_of(quota),
        "giver": giver,
        "may_see_giver": scopes.allows(request.user, P.VIEW_CASES, giver),
    }
    return render(request, "subsidies/quota_detail.html", context)


def _fetch(request: HttpRequest, pk: int) -> Quota:
    rows = Quota.objects.select_related("unit__parent", "programme", "term")
    return access.fetch(rows, request.user, P.VIEW_CASES, unit="unit", pk=pk)


def _name(quota: Quota) -> str:
    if quota.unit.level != _LEVEL.CLASS:
        return quota.unit.name
    return enrolment.class_names(quota.term, [quota.unit_id]).get(quota.unit_id, quota.unit.name)


def _round_of(quota: Quota) -> Round | None:
    """A round of the list, for the way back; there is none where it was withdrawn since."""
    rows = Round.objects.filter(programme=quota.programme, term=quota.term).select_related("unit")
    return next((r for r in rows if r.unit.contains(quota.unit) or quota.unit.contains(r.unit)), None)


@require_http_methods(["GET", "POST"])
@desk(P.ALLOT_QUOTAS, P.DIVIDE_QUOTAS)
def quota_reduce(request: HttpRequest, pk: int) -> HttpResponse:
    """Fewer places; where that is fewer than are used, first the list of whom it concerns."""
    quota = _fetch(request, pk)
    access.require(request.user, *verbs.required_of(quota))
    form = ReduceForm(request.POST or None)
    context: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            version = verbs.reduce(
                quota, data["places"], document=data["document"], note=data["note"], seen=data["seen"], by=request.user
            )
        except verbs.BelowUse as refusal:
            context = {"below": refusal, "cases": _concerned(quota)}
            form.data = form.data.copy()
            form.data["seen"] = refusal.seen
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            over = f"，超出 {version.over} 人，已标出" if version.over else ""
            messages.success(request, f"名额已由 {version.before} 个调减为 {version.places} 个{over}。")
            return redirect("quota", pk=pk)
    context |= {
        "quota": quota,
        "unit_name": _name(quota),
        "form": form,
        "seats": places.seats_of(quota.programme, quota.term, [quota.unit])[quota.unit_id],
    }
    return render(request, "subsidies/quota_reduce.html", context)


def _concerned(quota: Quota) -> dict[str, Any]:
    rows = places.holders_in(quota).select_related("pupil", "enrolment", "school_class")
    shown = list(rows.order_by("school_class__path", "pupil__name", "pk")[: MOST_SHOWN + 1])
    return {"shown": shown[:MOST_SHOWN], "more": len(shown) > MOST_SHOWN}


# --- outside the quota -------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_CASES)
def outside_quota(request: HttpRequest, code: str) -> HttpResponse:
    """应助尽助: whose pupils use up no places of the programme."""
    programme = get_object_or_404(Programme, code=code)
    reach = scopes.reach(request.user, P.EDIT_STANDARDS)
    form = OutsideForm(request.POST or None)
    if request.method == "POST":
        access.require(request.user, P.EDIT_STANDARDS, _county(reach))
        if form.is_valid():
            try:
                verbs.add_outside(programme, **form.cleaned_data, county=_county(reach), by=request.user)
            except ValidationError as refusal:
                show_refusal(form, refusal)
            else:
                messages.success(request, f"已登记：{form.cleaned_data['category']}不占名额。")
                return redirect("outside_quota", code=code)
    names = dict(Category.objects.order_by("valid_from").values_list("code", "name"))
    rows = list(programme.outside_quota.select_related("recorded_by").order_by("last_term", "category_code"))
    for row in rows:
        row.name = names.get(row.category_code, row.category_code)
    context = {"programme": programme, "rows": rows, "form": form if reach else None}
    return render(request, "subsidies/outside_quota.html", context)


def _county(reach: list[str]) -> Unit | None:
    return Unit.objects.get(path=reach[0]) if reach else None


@require_http_methods(["GET", "POST"])
@desk(P.EDIT_STANDARDS)
def outside_quota_end(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(OutsideQuota.objects.select_related("programme"), pk=pk)
    row.name = dict(Category.objects.values_list("code", "name")).get(row.category_code, row.category_code)
    form = OutsideEndForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        county = _county(scopes.reach(request.user, P.EDIT_STANDARDS))
        assert county
        try:
            verbs.end_outside(row, **form.cleaned_data, county=county, by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "已登记截止学期。")
            return redirect("outside_quota", code=row.programme.code)
    return render(request, "subsidies/outside_quota_end.html", {"form": form, "row": row})
