"""名额: a unit's places over those below it, one unit's places and their history, who stands outside."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe
from django_tables2 import RequestConfig

from accounts import access, scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission as P
from students import enrolment
from students.models import Category

from .. import percentages, places, quota_words, workflow
from .. import quotas as verbs
from ..dated_terms import span_label
from ..models import Application, OutsideQuota, Programme, Quota, QuotaPercentage, QuotaVersion, Round
from ..percentages import Proposal
from ..programmes import category_names
from ..quota_forms import (
    Fill,
    FillForm,
    NumbersForm,
    OutsideForm,
    PercentageForm,
    ReceiveForm,
    ReduceForm,
    SendBackForm,
)
from ..states import Place, State, Step
from ..tables import ApplicationTable
from .desks import carried_out, county_of, end_page, find_round, find_unit, is_key, show_refusal

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
    offers = _offers(round_, units)
    rows, form = _rows(request, round_, giver, units, offers)
    verb = verbs.allot if giver.level == _LEVEL.COUNTY else verbs.pass_on
    count = 0

    def save() -> None:
        nonlocal count
        said = {name: form.cleaned_data[name] for name in ("document", "note")}
        count = verb(giver, form.wishes(), programme=round_.programme, term=round_.term, by=request.user, **said)

    if carried_out(request, form, save):
        messages.success(request, f"已保存 {count} 个单位的名额。" if count else "名额没有变化。")
        return redirect(request.path + (f"?page={page.number}" if page.number > 1 else ""))
    shared = places.shared_of(own) if own and own.places is not None else None
    overs = _overs(round_, giver)
    context = {
        "round": round_,
        "unit": giver,
        "level": "学校" if giver.level == _LEVEL.COUNTY else "班级",
        "page": page,
        "rows": [
            row
            | {
                "field": form[f"places_{row['unit'].pk}"],
                "over": quota_words.over_count(overs.get(row["unit"].pk, [])),
            }
            for row in rows
        ],
        "form": form,
        "fill": _fill_form(request),
        "offers": [(fill.value, fill.label) for fill in Fill if offers[fill]],
        "filled": _filled(request) or _fill_form(request).is_bound,
        "may_edit": may_edit,
        "own": own,
        "seats": places.seats_of(round_.programme, round_.term, [giver])[giver.pk],
        "shared": shared,
        "handed": own.places - shared.places if own and shared else 0,
        "over": _over_count(overs),
        "may_settle": scopes.allows(request.user, P.DIVIDE_QUOTAS, giver),
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


def _overs(round_: Round, giver: Unit) -> dict[int, list[places.Over]]:
    """Where a school, or the schools of a county, use more places than there are, by the school's key."""
    is_school = giver.level == _LEVEL.SCHOOL
    schools = [giver] if is_school else list(giver.children.filter(level=_LEVEL.SCHOOL))
    return places.overs_in(round_.programme, round_.term, schools)


def _over_count(found: dict[int, list[places.Over]]) -> int:
    # What several schools share and all are over counts once.
    once = {(over.quota.pk, over.shared): over for overs in found.values() for over in overs}
    return quota_words.over_count(once.values())


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


Offers = dict[Fill, dict[int, Proposal]]


def _offers(round_: Round, units: list[Unit]) -> Offers:
    """What somebody may take over for the units, by where it comes from."""
    of_list = round_.programme, round_.term, units
    return {Fill.RULE: percentages.by_percentage(*of_list), Fill.LAST: percentages.of_last_term(*of_list)}


def _filled(request: HttpRequest) -> Fill | None:
    """Which proposals the page is filled with."""
    wanted = request.POST.get("fill", "") if request.method == "POST" else request.GET.get("fill", "")
    return Fill(wanted) if wanted in Fill.values else None


def _rows(
    request: HttpRequest, round_: Round, giver: Unit, units: list[Unit], offers: Offers
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
    custom, filled = _fill_form(request), _filled(request)
    proposals = offers[filled] if filled else {}
    form = NumbersForm(
        request.POST or None,
        units=units,
        held={unit.pk: seats[unit.pk].places for unit in units},
        roll=roll,
        proposals=proposals,
        initial={"fill": filled} if filled else custom.cleaned_data if custom.is_bound and custom.is_valid() else {},
    )
    rows = []
    for unit in units:
        version, proposal = versions.get(unit.pk), proposals.get(unit.pk)
        how = quota_words.version_words(version) if version and version.places is not None else ""
        rows.append(
            {
                "unit": unit,
                "roll": roll.get(unit.pk, 0),
                "seats": seats[unit.pk],
                "quota": version.quota if version else None,
                "how": proposal.words if proposal else how,
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
    offers, filled = _offers(round_, [county]), _filled(request)
    proposals = offers[filled] if filled else {}
    initial = {"places": held}
    if filled and county.pk in proposals:
        initial = {"places": proposals[county.pk].places, "fill": filled}
    form = ReceiveForm(request.POST or None, initial=initial, is_limited=held is not None, proposals=proposals)

    def save() -> None:
        said = {name: form.cleaned_data[name] for name in ("document", "note")}
        verbs.receive(form.wish(county), programme=round_.programme, term=round_.term, by=request.user, **said)

    if carried_out(request, form, save):
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
        "offers": [(fill.value, fill.label, offer) for fill in Fill if (offer := offers[fill].get(county.pk))],
        "filled": filled,
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


# Where a school still has a case in its hands, on the way to the county.
_AT_SCHOOL = (State.SCHOOL_REVIEWED, State.CONFIRMED, State.ON_NOTICE, State.HELD, State.CLEARED)


@require_http_methods(["GET", "POST"])
@desk(P.DIVIDE_QUOTAS)
def quota_over(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    """A school that uses more places than it has: which cases go back to its meeting, which decides who keeps one."""
    round_ = find_round(request, pk)
    school = find_unit(round_, request.user, unit, "school", may=P.DIVIDE_QUOTAS)
    overs = places.overs_in(round_.programme, round_.term, [school]).get(school.pk, [])
    rows = places.holders(round_.programme, round_.term).filter(
        place=Place.TAKEN, school=school, school_class__in={key for over in overs for key in over.classes}
    )
    movable = rows.filter(state__in=_AT_SCHOOL).select_related("pupil", "enrolment")
    cases = list(movable.order_by("school_class__path", "pupil__name", "pk")) if overs else []
    form = SendBackForm(request.POST or None, cases=cases)
    if overs and carried_out(
        request,
        form,
        lambda: workflow.advance_all(
            form.chosen(), Step.RETURN_FOR_QUOTA, by=request.user, note=form.cleaned_data["reason"]
        ),
    ):
        sent = len(form.chosen())
        messages.success(request, f"已退回 {sent} 份申请，请召开学校评审会议，按名额重新评审。")
        return redirect("quota_over", pk=pk, unit=unit)
    context = {
        "round": round_,
        "unit": school,
        "over": quota_words.over_count(overs),
        "over_after": quota_words.over_count(overs) - len(cases),
        "where": quota_words.over_where(overs) if overs else "",
        "form": form,
        "elsewhere": rows.count() - len(cases) if overs else 0,
        "waiting": Application.objects.filter(round=round_, school=school, state=State.CLASS_REVIEWED).count(),
        "may_review": scopes.allows(request.user, P.HOLD_SCHOOL_REVIEW, school),
    }
    return render(request, "subsidies/quota_over.html", context)


# --- percentages -------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@desk(P.EDIT_STANDARDS)
def percentage_add(request: HttpRequest, code: str) -> HttpResponse:
    """A new percentage, or that of a term put right; `row` in the address fills the form with a recorded one."""
    programme = get_object_or_404(Programme, code=code)
    wanted = request.GET.get("row", "")
    row = programme.percentages.filter(pk=wanted).first() if is_key(wanted) else None
    initial = PercentageForm.initial_of(row) if row else {}
    form = PercentageForm(request.POST or None, programme=programme, row=row, initial=initial)
    if carried_out(
        request,
        form,
        lambda: percentages.record(form.percentage(), county=county_of(request), by=request.user),
    ):
        messages.success(request, "已登记名额比例，分配名额时可以按它填入；已经分配的名额不变。")
        return redirect(f"{reverse('programme', args=[code])}#quotas")
    return render(request, "subsidies/percentage_add.html", {"programme": programme, "form": form, "row": row})


@require_http_methods(["GET", "POST"])
@desk(P.EDIT_STANDARDS)
def percentage_end(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(QuotaPercentage.objects.select_related("programme"), pk=pk)
    whom = percentages.whom_words(row) or "全部在校生"
    return end_page(
        request,
        lambda said: percentages.end(row, **said, county=county_of(request), by=request.user),
        about=f"“{row}”（{whom}）执行到哪个学期为止。比例有变动的，不用登记截止，直接登记新的比例。",
        then="从下一学期起不再按这个比例建议名额；已分配的名额不变。",
        back=f"{reverse('programme', args=[row.programme.code])}#quotas",
        crumbs=_crumbs(row.programme),
    )


def _crumbs(programme: Programme) -> list[tuple[str, str]]:
    return [("项目与标准", reverse("programmes")), (programme.name, reverse("programme", args=[programme.code]))]


# --- outside the quota -------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_CASES)
def outside_quota(request: HttpRequest, code: str) -> HttpResponse:
    """应助尽助: whose pupils use up no places of the programme."""
    programme = get_object_or_404(Programme, code=code)
    may_edit = bool(scopes.reach(request.user, P.EDIT_STANDARDS))
    if request.method == "POST" and not may_edit:
        raise PermissionDenied(access.refusal(P.EDIT_STANDARDS))
    form = OutsideForm(request.POST or None)
    if carried_out(
        request,
        form,
        lambda: verbs.add_outside(programme, **form.cleaned_data, county=county_of(request), by=request.user),
    ):
        messages.success(request, f"已登记：{form.cleaned_data['category']}不占名额。")
        return redirect("outside_quota", code=code)
    names = category_names()
    rows = list(programme.outside_quota.select_related("recorded_by").order_by("last_term", "category_code"))
    for row in rows:
        row.name = names.get(row.category_code, row.category_code)
    context = {"programme": programme, "rows": rows, "form": form if may_edit else None}
    return render(request, "subsidies/outside_quota.html", context)


@require_http_methods(["GET", "POST"])
@desk(P.EDIT_STANDARDS)
def outside_quota_end(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(OutsideQuota.objects.select_related("programme"), pk=pk)
    name = category_names().get(row.category_code, row.category_code)
    return end_page(
        request,
        lambda said: verbs.end_outside(row, **said, county=county_of(request), by=request.user),
        about=f"{name}学生不占{row.programme}名额的规定（{span_label(row)}，依据：{row.source}）执行到哪个学期为止。",
        then="从下一学期起，这类学生也占用名额。",
        back=reverse("outside_quota", args=[row.programme.code]),
        crumbs=[*_crumbs(row.programme), ("应助尽助", reverse("outside_quota", args=[row.programme.code]))],
    )
