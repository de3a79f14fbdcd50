"""The desk of 异动: choose, fill in, look at what it does to every case, record."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import access, scopes
from accounts.access import desk
from accounts.models import Unit, User
from accounts.roles import Permission as P
from accounts.templatetags.aid import cn_date
from students import changes as register
from students import confirmations, enrolment, privacy, terms
from students.models import OPEN_STANDINGS, Boarding, Enrolment, Pupil, Schooling, StatusChange, Term

from .. import changes as verbs
from ..change_forms import (
    ChangeForm,
    ChangeRuleForm,
    ConfirmationDaysForm,
    FollowUpFilter,
    FollowUpForm,
    NewcomerForm,
    SchoolChoiceForm,
)
from ..models import ChangeRule, Programme
from .desks import show_refusal

Kind = StatusChange.Kind
ROWS_PER_PAGE = 50
_SESSION_KEY = "newcomer"

# Beside each kind on the page where one is chosen.
_EXPLAINED = {
    Kind.BOARDING: "寄宿改走读、走读改寄宿，写明从哪一天起。",
    Kind.SCHOOLING: "普通教育与特殊教育（特殊教育学校、随班就读、送教上门）之间的变化。",
    Kind.HOUSEHOLD: "登记或更正户口性质和户籍所在地。",
    Kind.CHANGE_CLASS: "在本校换到另一个班。",
    Kind.TRANSFER_OUT: "转到本县另一所学校，或转到县外。",
    Kind.SUSPEND: "办理休学手续，学籍仍在本校。",
    Kind.RETURN: "休学期满或提前回校，可以回原班或到别的班。",
    Kind.WITHDRAW: "不再就读。义务教育阶段请先落实控辍保学。",
    Kind.GRADUATE: "毕业年级的学生学期中毕业离校；整班毕业请用学期结转。",
    Kind.DECEASE: "学生去世。",
}


@require_safe
@desk(P.RECORD_CHANGES, P.EDIT_PUPILS)
def change_choose(request: HttpRequest, pk: UUID) -> HttpResponse:
    place = _place(request.user, pk)
    if not scopes.allows(request.user, P.RECORD_CHANGES, place.school_class):
        access.require(request.user, P.EDIT_PUPILS, place.school_class)
    kinds = [
        {"label": kind.label, "about": _EXPLAINED[kind], "url": _url(kind, pk)}
        for kind in register.kinds_for(place, by=request.user)
    ]
    context = {"place": place, "pupil": place.pupil, "kinds": kinds}
    context["may_transfer"] = _knows_both(request.user, place) and Kind.TRANSFER_OUT in register.ALLOWED[place.standing]
    return render(request, "subsidies/change_choose.html", context)


def _url(kind: Kind, pk: UUID) -> str:
    return reverse("boarding_change", args=[pk]) if kind == Kind.BOARDING else reverse("change_new", args=[pk, kind])


def _knows_both(user: User, place: Enrolment) -> bool:
    """Who answers for the whole county may take out of one school and into another in one step."""
    return place.school.parent is not None and scopes.allows(user, P.RECORD_CHANGES, place.school.parent)


@require_http_methods(["GET", "POST"])
@desk(P.RECORD_CHANGES, P.EDIT_PUPILS)
def change_new(request: HttpRequest, pk: UUID, kind: str) -> HttpResponse:
    """Fill in one change (GET, POST), look at its effects (POST), record it (POST with what was shown)."""
    place = _place(request.user, pk)
    wanted = _kind(kind)
    if wanted in register.OF_CLASS and not scopes.allows(request.user, P.RECORD_CHANGES, place.school_class):
        access.require(request.user, P.EDIT_PUPILS, place.school_class)
    elif wanted not in register.OF_CLASS:
        access.require(request.user, P.RECORD_CHANGES, place.school_class)
    if refusal := register.why_not(wanted, place):
        messages.info(request, f"{refusal}请从下面选择。")
        return redirect("change_choose", pk)
    school = place.school if wanted in (Kind.CHANGE_CLASS, Kind.RETURN) else None
    form = ChangeForm(_typed(request), kind=wanted, pupil=place.pupil, place=place, school=school)
    return _fill_in(request, form, place=place, back=reverse("change_choose", args=[pk]))


@require_http_methods(["GET", "POST"])
@desk(P.RECORD_CHANGES)
def change_transfer(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The county's way: out of one school and into a class of another in one step."""
    place = _place(request.user, pk)
    if not _knows_both(request.user, place):
        raise PermissionDenied(access.refusal(P.COMPARE_LISTS))
    if Kind.TRANSFER_OUT not in register.ALLOWED[place.standing]:
        messages.info(request, f"学生现在是{place.get_standing_display()}，不能办理转学；请从下面选择。")
        return redirect("change_choose", pk)
    chooser = SchoolChoiceForm(request.GET or None, schools=register.schools_for(place))
    back = reverse("change_choose", args=[pk])
    if not chooser.is_valid():
        context = {"chooser": chooser, "pupil": place.pupil, "place": place, "back": back}
        return render(request, "subsidies/change_school.html", context)
    school = chooser.cleaned_data["school"]
    form = ChangeForm(_typed(request), kind=Kind.TRANSFER_OUT, pupil=place.pupil, place=place, school=school)
    return _fill_in(request, form, place=place, back=back)


@require_http_methods(["GET", "POST"])
@desk(P.RECORD_CHANGES)
def transfer_in(request: HttpRequest) -> HttpResponse:
    """Who is to be taken in: found by the whole number and the name, or refused with a sentence."""
    form = NewcomerForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        county = _county(request.user)
        found = privacy.find_by_id(county, form.cleaned_data["number"])
        if found is not None and found.name != form.cleaned_data["name"]:
            found = None
        try:
            newcomer = register.find_newcomer(county, found, by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            request.session[_SESSION_KEY] = str(newcomer.pk)
            return redirect("transfer_in_class")
    return render(request, "subsidies/transfer_in.html", {"form": form})


@require_http_methods(["GET", "POST"])
@desk(P.RECORD_CHANGES)
def transfer_in_class(request: HttpRequest) -> HttpResponse:
    """Into which class, from which day; then the effects, then recording."""
    pupil = Pupil.objects.filter(pk=request.session.get(_SESSION_KEY), county=_county(request.user)).first()
    if pupil is None:
        return redirect("transfer_in")
    schools = scopes.within(
        Unit.objects.filter(level=Unit.Level.SCHOOL, is_active=True), request.user, P.RECORD_CHANGES, unit=""
    ).order_by("path")
    chooser = SchoolChoiceForm(request.GET or None, schools=schools)
    only = list(schools[:2])
    school = only[0] if len(only) == 1 else chooser.cleaned_data["school"] if chooser.is_valid() else None
    back = reverse("transfer_in")
    if school is None:
        context = {"chooser": chooser, "pupil": pupil, "place": None, "back": back}
        return render(request, "subsidies/change_school.html", context)
    form = ChangeForm(_typed(request), kind=Kind.TRANSFER_IN, pupil=pupil, place=None, school=school)
    return _fill_in(request, form, place=None, back=back)


# --- filling in, looking, recording --------------------------------------------------------------------


def _typed(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _fill_in(request: HttpRequest, form: ChangeForm, *, place: Enrolment | None, back: str) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "pupil": form.pupil, "place": place, "back": back, "kind": form.kind}
    context["title"] = f"{form.kind.label}：{form.pupil.name}"
    if request.method != "POST" or "edit" in request.POST or not form.is_valid():
        return render(request, "subsidies/change_new.html", context)
    wanted = form.request()
    try:
        if seen := request.POST.get("seen"):
            return _recorded(request, verbs.record(wanted, by=request.user, seen=seen))
        found = verbs.plan(wanted, by=request.user)
    except verbs.EffectsChanged as changed:
        found = verbs.plan(wanted, by=request.user)
        context["changed"] = "".join(changed.messages)
    except (ValidationError, PermissionDenied) as refusal:
        if isinstance(refusal, PermissionDenied):
            refusal = ValidationError(str(refusal))
        show_refusal(form, refusal)
        return render(request, "subsidies/change_new.html", context)
    context |= {"plan": found, "told": _told(wanted)}
    return render(request, "subsidies/change_effects.html", context)


def _told(wanted: register.Request) -> list[tuple[str, str]]:
    """What is about to be recorded, in pairs of words."""
    pairs = [("学生", wanted.pupil.name), ("异动", wanted.kind.label), ("日期", cn_date(wanted.on))]
    if wanted.to_school:
        pairs.append(("转到", wanted.to_school.name))
    if wanted.to_place:
        pairs.append(("去向", wanted.to_place))
    if wanted.school_class:
        pairs.append(("班级", wanted.school_class.unit.name))
    if wanted.schooling:
        pairs.append(("就学方式", dict(Schooling.choices).get(wanted.schooling, "")))
    if wanted.kind == Kind.HOUSEHOLD:
        known = dict(Pupil.Registration.choices).get(wanted.registration, "没有登记")
        pairs += [("户口性质", known), ("户籍所在地", wanted.region or "没有登记")]
    if wanted.boarding:
        pairs.append(("就读方式", dict(Boarding.choices).get(wanted.boarding, "")))
    if wanted.reason:
        pairs.append(("原因", wanted.reason))
    return pairs


def _recorded(request: HttpRequest, written: list[StatusChange]) -> HttpResponse:
    request.session.pop(_SESSION_KEY, None)
    change = written[-1]
    messages.success(request, f"已登记{change.pupil.name}{'转学' if len(written) > 1 else change.get_kind_display()}。")
    return redirect("change", change.pk)


# --- what was recorded ---------------------------------------------------------------------------------


@require_safe
@desk(P.VIEW_PUPILS)
def change_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    change = _change(request.user, pk)
    now = enrolment.current_only(Enrolment.objects.filter(pupil=change.pupil))
    county = change.enrolment.school.parent
    may_end = county is not None and scopes.allows(request.user, P.RECORD_CHANGES, county)
    context = {
        "change": change,
        "what": register.sentence(change),
        "fact": register.fact_of(change),
        "effects": change.effects.select_related("application__programme", "application__term", "follow_up"),
        "is_ours": scopes.within(now, request.user, P.VIEW_PUPILS, unit="school_class").exists(),
        "may_end_waiting": may_end and verbs.waiting_with(change).exists() and change.kind == Kind.TRANSFER_OUT,
    }
    return render(request, "subsidies/change_detail.html", context)


@require_POST
@desk(P.RECORD_CHANGES)
def change_end_waiting(request: HttpRequest, pk: UUID) -> HttpResponse:
    change = _change(request.user, pk)
    county = change.enrolment.school.parent
    if county is None or not scopes.allows(request.user, P.RECORD_CHANGES, county):
        raise PermissionDenied(access.refusal(P.COMPARE_LISTS))
    try:
        count = verbs.end_waiting(change, by=request.user)
    except ValidationError as refusal:
        messages.error(request, "".join(refusal.messages))
    else:
        messages.success(request, f"已终止 {count} 份等待接收的申请。")
    return redirect("change", pk)


@require_safe
@desk(P.VIEW_BATCHES)
def follow_ups(request: HttpRequest) -> HttpResponse:
    """What changes left for the payment desk."""
    wanted = FollowUpFilter(request.GET or None)
    state = wanted.cleaned_data["state"] if wanted.is_bound and wanted.is_valid() else ""
    rows = verbs.follow_ups(request.user)
    if state != "all":
        rows = rows.filter(settled_at__isnull=state != "settled")
    page = Paginator(rows.order_by("effect__at", "pk"), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "filter": wanted,
        "may_settle": bool(scopes.reach(request.user, P.RECORD_PAYMENT)),
    }
    return render(request, "subsidies/follow_up_list.html", context)


@require_http_methods(["GET", "POST"])
@desk(P.RECORD_PAYMENT)
def follow_up_settle(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = access.fetch(
        verbs.follow_ups(request.user), request.user, P.VIEW_BATCHES,
        unit="effect__application__school", may=P.RECORD_PAYMENT, pk=pk,
    )  # fmt: skip
    form = FollowUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            verbs.settle(found, by=request.user, **form.cleaned_data)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "已记下处理结果。")
            return redirect("follow_ups")
    return render(request, "subsidies/follow_up_settle.html", {"found": found, "form": form})


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_CASES)
def change_rules(request: HttpRequest) -> HttpResponse:
    """The county's dated rules: what ends when a pupil leaves, and when classes confirm their changes."""
    county, term = _county_of(request.user, P.VIEW_CASES), terms.current()
    if request.method == "POST":
        access.require(request.user, P.EDIT_STANDARDS, county)
    rule_form = ChangeRuleForm(_typed_in(request, "save_rule"), prefix="rule", initial={"first_term": term})
    initial = {"term": term, "days": _days(county, term)}
    days_form = ConfirmationDaysForm(_typed_in(request, "save_days"), prefix="days", initial=initial)
    if request.method == "POST":
        form = rule_form if "save_rule" in request.POST else days_form
        if form.is_valid():
            try:
                if form is rule_form:
                    verbs.set_rule(rule_form.rule(), county=county, by=request.user)
                else:
                    confirmations.set_days(county, by=request.user, **days_form.cleaned_data)
            except ValidationError as refusal:
                show_refusal(form, refusal)
            else:
                messages.success(request, "已登记规定；以前办理的异动不受影响。")
                return redirect("change_rules")
    programmes = Programme.objects.filter(is_active=True).order_by("code")
    context = {
        "rule_form": rule_form,
        "days_form": days_form,
        "rules": [(row, verbs.rule_of(row, term)) for row in programmes] if term else [],
        "past": ChangeRule.objects.select_related("programme", "recorded_by"),
        "term": term,
        "may_edit": scopes.allows(request.user, P.EDIT_STANDARDS, county),
        "days": _days(county, term),
        "deadline": confirmations.deadline(county, term) if term else None,
    }
    return render(request, "subsidies/change_rules.html", context)


# --- small parts ---------------------------------------------------------------------------------------


def _typed_in(request: HttpRequest, button: str) -> Any:
    """What was sent with this button, for a page of two forms."""
    return request.POST if button in request.POST else None


def _days(county: Unit, term: Term | None) -> int:
    held = confirmations.rule(county, term) if term else None
    return held.days if held else confirmations.DEFAULT_DAYS


def _place(user: User, pupil: UUID) -> Enrolment:
    """The pupil's open place in the present term, for somebody within whose scope it lies; else 404."""
    rows = Enrolment.objects.filter(term=terms.current(), standing__in=OPEN_STANDINGS)
    rows = rows.select_related("pupil", "term", "school__parent", "school_class__school_class")
    return access.fetch(rows, user, P.VIEW_PUPILS, unit="school_class", pupil_id=pupil)


def _change(user: User, pk: UUID) -> StatusChange:
    rows = StatusChange.objects.select_related(
        "pupil", "term", "by", "enrolment__school__parent", "enrolment__school_class"
    )
    found = scopes.within(rows, user, P.VIEW_PUPILS, unit="").filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _kind(text: str) -> Kind:
    if text not in Kind.values or text in (Kind.TRANSFER_IN, Kind.UNIT):
        raise Http404
    return Kind(text)


def _county(user: User) -> Unit:
    return _county_of(user, P.RECORD_CHANGES)


def _county_of(user: User, permission: P) -> Unit:
    path = scopes.reach(user, permission)[0]
    return Unit.objects.get(path=path.split("/", 1)[0] + "/")
