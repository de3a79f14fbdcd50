"""申请表: a pupil's form with its versions and signed papers, the forms of a class, and the county's rule for them."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_safe

from accounts import access, scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission
from documents import uploads
from students import enrolment, terms
from students.models import Enrolment

from .. import declaration_answers, declaration_papers
from .. import declarations as verbs
from ..declaration_forms import DeclarationForm, FormRuleForm, SignedFormForm
from ..models import Declaration, FormRule, SignedForm
from .desks import carried_out, find_round, find_unit

_RULES_PER_PAGE = 20


def _find_place(request: HttpRequest, pupil: UUID, may: Permission | None = None) -> Enrolment:
    """Where the pupil is now, for somebody within whose reach that lies: the family's form goes with the child."""
    places = enrolment.current_only(Enrolment.objects.all())
    places = places.select_related("pupil", "term", "school", "school_class__school_class")
    return access.fetch(places, request.user, Permission.VIEW_CASES, unit="school_class", may=may, pupil_id=pupil)


def _find_version(request: HttpRequest, pk: UUID, may: Permission | None = None) -> tuple[Declaration, Enrolment]:
    declaration = get_object_or_404(
        Declaration.objects.select_related("pupil", "made_by", "enrolment__school_class", "enrolment__term"), pk=pk
    )
    return declaration, _find_place(request, declaration.pupil_id, may)


# --- one pupil ------------------------------------------------------------------------------------


@require_safe
@desk(Permission.VIEW_CASES)
def declaration(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The pupil's form of a school year (`?year=`, else the present one): the newest version, or the one asked for."""
    place = _find_place(request, pk)
    now = verbs.school_year(place.term)
    year = request.GET.get("year", now)
    held = verbs.versions(place.pupil, year)
    years = verbs.years_of(place.pupil)
    if year != now and year not in years:
        raise Http404
    asked = request.GET.get("version", "")
    shown = next((row for row in held if str(row.version) == asked), held[0] if held else None)
    is_newest = bool(held) and shown == held[0]
    answers = verbs.read(shown, by=request.user) if shown else None
    papers = verbs.signed_papers(held)
    may_edit = scopes.allows(request.user, Permission.EDIT_PUPILS, place.school_class)
    context = {
        "place": place,
        "pupil": place.pupil,
        "year": year,
        "years": [each for each in years if each != year],
        "is_this_year": year == now,
        "versions": held,
        "shown": shown,
        "is_newest": is_newest,
        "answers": answers,
        "groups": [label for label, is_so in verbs.groups_of(shown.facts) if is_so] if shown else [],
        "other_groups": verbs.other_groups_of(shown.facts) if shown else [],
        "forms": verbs.forms_for(place.stage, place.term),
        "papers": papers,
        "signed_layouts": {row.layout for row in papers if held and row.declaration_id == held[0].pk},
        "doubts": _doubts(shown, answers) if shown and answers and is_newest else [],
        "may_edit": may_edit and place.ends_on is None,
    }
    return render(request, "subsidies/declaration.html", context)


def _doubts(shown: Declaration, answers: declaration_answers.Answers) -> list[str]:
    return declaration_answers.doubts(
        answers, guardian=shown.facts["guardian_name"], groups=len(shown.facts["categories"])
    )


@require_http_methods(["GET", "POST"])
@desk(Permission.EDIT_PUPILS)
def declaration_edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Fill in the form, or put it right: each time it is kept it is a new version."""
    place = _find_place(request, pk, may=Permission.EDIT_PUPILS)
    before = verbs.newest(place.pupil, verbs.school_year(place.term))
    form = DeclarationForm(
        request.POST or None, answers=verbs.prefilled(place), version=before.version if before else 0
    )
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            held = verbs.declare(
                place,
                form.answers(),
                based_on=given["version"],
                reason=given.get("reason_of_change", ""),
                by=request.user,
            )
        except ValidationError as refusal:
            form.show(refusal)
        else:
            is_same = held.version == given["version"]
            said = (
                f"没有改动，仍是第 {held.version} 版。"
                if is_same
                else f"已保存第 {held.version} 版。请核对后打印，由家长签字。"
            )
            messages.success(request, said)
            return redirect("declaration", pk=pk)
    context = {
        "place": place,
        "pupil": place.pupil,
        "form": form,
        "before": before,
        "facts": verbs.facts_for(place),
    }
    return render(request, "subsidies/declaration_edit.html", context)


@require_safe
@desk(Permission.VIEW_CASES)
def declaration_paper(request: HttpRequest, pk: UUID, rule: int) -> HttpResponse:
    """One version as the form of a rule, as PDF, to be printed and signed."""
    version, place = _find_version(request, pk)
    form = _find_form(place, rule)
    return _as_file(declaration_papers.print_version(version, form, by=request.user), f"申请表-{version.version}.pdf")


@require_http_methods(["GET", "POST"])
@desk(Permission.EDIT_PUPILS)
def declaration_sign(request: HttpRequest, pk: UUID, rule: int) -> HttpResponse:
    """Keep the scan of the form that came back signed."""
    version, place = _find_version(request, pk, may=Permission.EDIT_PUPILS)
    paper = _find_form(place, rule)
    form = SignedFormForm(request.POST or None, request.FILES or None)
    if carried_out(
        request, form, lambda: verbs.attach_signed(version, paper.rule, by=request.user, **form.cleaned_data)
    ):
        messages.success(request, f"已存入{place.pupil.name}的《{paper.rule.title}》签字扫描件。")
        return redirect("declaration", pk=version.pupil_id)
    context = {"form": form, "version": version, "place": place, "pupil": place.pupil, "rule": paper.rule}
    return render(request, "subsidies/declaration_sign.html", context)


@require_safe
@desk(Permission.VIEW_CASES)
def signed_form(request: HttpRequest, pk: int) -> HttpResponse:
    """The scan of a signed form, or its preview."""
    rows = SignedForm.objects.select_related("declaration__enrolment__school_class", "file")
    signed = get_object_or_404(rows, pk=pk)
    _find_place(request, signed.declaration.pupil_id)
    if uploads.wants_preview(request):
        return uploads.serve_preview(signed.file)
    return uploads.serve(verbs.read_signed(signed, by=request.user), inline=True)


def _find_form(place: Enrolment, rule: int) -> verbs.Form:
    """The form of the rule, if a pupil of this stage needs it in the term; else 404."""
    found = next((form for form in verbs.forms_for(place.stage, place.term) if form.rule.pk == rule), None)
    if found is None:
        raise Http404
    return found


def _as_file(paper: bytes, name: str) -> HttpResponse:
    response = HttpResponse(paper, content_type=uploads.PDF)
    response["Content-Disposition"] = str(content_disposition_header(True, name))
    return uploads.guard_download(response)


# --- a class --------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@desk(Permission.VIEW_CASES)
def class_forms(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    """Whose form of the round's programme is filled in and signed; and printing, filled in or by hand."""
    round_ = find_round(request, pk)
    may = Permission.EDIT_PUPILS if request.method == "POST" else None
    school_class = find_unit(round_, request.user, unit, "class", may=may)
    year = verbs.school_year(round_.term)
    rule = verbs.rule_of(round_.programme, round_.term)
    places = list(
        enrolment.open_only(Enrolment.objects.filter(school_class=school_class, term=round_.term))
        .select_related("pupil", "school", "school_class", "term")
        .order_by("pupil__name", "pk")
    )
    kept = verbs.kept_of([place.pupil_id for place in places], year, rule=rule, school=school_class.parent)
    refusal = ""
    if request.method == "POST" and rule:
        chosen = set(request.POST.getlist("pupil"))
        some = [place for place in places if str(place.pk) in chosen]
        form = verbs.Form(rule, (round_.programme,))
        try:
            return _print_class(request, form, school_class, year, some, kept)
        except ValidationError as error:
            refusal = " ".join(error.messages)
    rows = [{"place": place, "kept": kept[place.pupil_id]} for place in places]
    context: dict[str, Any] = {
        "round": round_,
        "unit": school_class,
        "rule": rule,
        "rows": rows,
        "filled": sum(row["kept"].declaration is not None for row in rows),
        "signed": sum(row["kept"].signed is not None for row in rows),
        "most": declaration_papers.MOST_AT_ONCE,
        "refusal": refusal,
        "chosen": set(request.POST.getlist("pupil")),
        "may_edit": scopes.allows(request.user, Permission.EDIT_PUPILS, school_class),
    }
    return render(request, "subsidies/class_forms.html", context)


def _print_class(
    request: HttpRequest,
    form: verbs.Form,
    school_class: Unit,
    year: str,
    places: list[Enrolment],
    kept: dict[UUID, verbs.Kept],
) -> HttpResponse:
    if "empty" in request.POST:
        paper = declaration_papers.print_blank(form, unit=school_class, year=year, copies=1, by=request.user)
        return _as_file(paper, "空白申请表.pdf")
    if "heads" in request.POST:
        paper = declaration_papers.print_blank(form, unit=school_class, year=year, places=places, by=request.user)
        return _as_file(paper, "申请表（手工填写）.pdf")
    held = [declaration for place in places if (declaration := kept[place.pupil_id].declaration)]
    if places and not held:
        raise ValidationError("勾选的学生都还没有填写申请表。请先填写，或改为打印手工填写的表。")
    return _as_file(declaration_papers.print_filled(held, form, by=request.user), "申请表.pdf")


# --- the rule -------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@desk(Permission.VIEW_CASES)
def form_rules(request: HttpRequest) -> HttpResponse:
    """Which form is used for which programme: what is in force, and a form to record another from a term on."""
    county = Unit.objects.get(path=scopes.reach(request.user, Permission.VIEW_CASES)[0].split("/", 1)[0] + "/")
    if request.method == "POST":
        access.require(request.user, Permission.EDIT_STANDARDS, county)
    term = terms.current()
    form = FormRuleForm(request.POST or None, initial={"first_term": term, "layout": "recognition"})
    if carried_out(request, form, lambda: verbs.set_rule(form.rule(), county=county, by=request.user)):
        messages.success(request, "已登记申请表规定。已经填写的申请表不变，打印时按新的表式。")
        return redirect("form_rules")
    past = FormRule.objects.select_related("programme", "recorded_by").order_by("-recorded_at", "-pk")
    context = {
        "form": form,
        "term": term,
        "rules": verbs.rules_in_force(term) if term else [],
        "page": Paginator(past, _RULES_PER_PAGE).get_page(request.GET.get("page")),
        "may_edit": scopes.allows(request.user, Permission.EDIT_STANDARDS, county),
    }
    return render(request, "subsidies/form_rules.html", context)
