"""What the screening goes by: reasons to settle by, ages of the stages, programmes that exclude each other."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts import clock, scopes
from accounts.access import desk
from accounts.roles import Permission
from students import terms
from students.term_keys import term_label

from .. import concern_rules as verbs
from ..forms import ConcernReasonForm, ExclusionForm, ReasonEndForm, StageAgesForm
from ..models import Concern, ConcernReason, ProgrammeExclusion, StageAges
from .desks import carried_out, county_of, end_page, show_refusal


def _this_term() -> str:
    term = terms.current()
    return term.key if term else ""


@require_safe
@desk(Permission.VIEW_CASES)
def reason_list(request: HttpRequest) -> HttpResponse:
    today = clock.today()
    rows = list(ConcernReason.objects.order_by("kind", "rank", "pk"))
    for row in rows:
        row.has_ended = bool(row.valid_to and row.valid_to < today)
    kinds = [(kind.label, [row for row in rows if row.kind == kind]) for kind in Concern.Kind]
    may_edit = bool(scopes.reach(request.user, Permission.EDIT_STANDARDS))
    return render(request, "subsidies/concern_reason_list.html", {"kinds": kinds, "may_edit": may_edit})


@require_http_methods(["GET", "POST"])
@desk(Permission.EDIT_STANDARDS)
def reason_add(request: HttpRequest) -> HttpResponse:
    form = ConcernReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            reason = verbs.add_reason(form.save(commit=False), county=county_of(request), by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"已登记处理结果“{reason}”。")
            return redirect("concern_reasons")
    return render(request, "subsidies/concern_reason_add.html", {"form": form})


@require_http_methods(["GET", "POST"])
@desk(Permission.EDIT_STANDARDS)
def reason_end(request: HttpRequest, pk: int) -> HttpResponse:
    reason = get_object_or_404(ConcernReason, pk=pk)
    form = ReasonEndForm(request.POST or None)
    if carried_out(
        request,
        form,
        lambda: verbs.end_reason(reason, **form.cleaned_data, county=county_of(request), by=request.user),
    ):
        messages.success(request, f"“{reason}”已登记停用，已经办结的事项不受影响。")
        return redirect("concern_reasons")
    return render(request, "subsidies/concern_reason_end.html", {"form": form, "reason": reason})


@require_http_methods(["GET", "POST"])
@desk(Permission.EDIT_STANDARDS)
def stage_ages_add(request: HttpRequest) -> HttpResponse:
    """New ages, or the present ones of a stage put right: `stage` in the address fills the form with them."""
    held = StageAges.objects.filter(stage=request.GET.get("stage", "")).order_by("-first_term").first()
    typed = {name: request.POST.get(name, "") for name in ("stage", "first_term")}
    present = StageAges.objects.filter(**typed).first() if request.method == "POST" else None
    initial = {name: getattr(held, name) for name in StageAgesForm.Meta.fields if name != "source"} if held else {}
    form = StageAgesForm(request.POST or None, instance=present, initial=initial | {"first_term": _this_term()})
    if request.method == "POST" and form.is_valid():
        try:
            ages = verbs.set_ages(form.save(commit=False), county=county_of(request), by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"已登记“{ages}”，自{term_label(ages.first_term)}起用于清查。")
            return redirect("programmes")
    return render(request, "subsidies/stage_ages_add.html", {"form": form})


@require_http_methods(["GET", "POST"])
@desk(Permission.EDIT_STANDARDS)
def exclusion_add(request: HttpRequest) -> HttpResponse:
    form = ExclusionForm(request.POST or None)
    if carried_out(
        request,
        form,
        lambda: verbs.add_exclusion(**form.cleaned_data, county=county_of(request), by=request.user),
    ):
        messages.success(request, "已登记，下次清查起按新的规定核对。")
        return redirect("programmes")
    return render(request, "subsidies/exclusion_add.html", {"form": form})


@require_http_methods(["GET", "POST"])
@desk(Permission.EDIT_STANDARDS)
def exclusion_end(request: HttpRequest, pk: int) -> HttpResponse:
    pair = get_object_or_404(ProgrammeExclusion.objects.select_related("programme", "other"), pk=pk)
    return end_page(
        request,
        lambda said: verbs.end_exclusion(pair, **said, county=county_of(request), by=request.user),
        about=f"“{pair.programme}”和“{pair.other}”不能兼得的规定执行到哪个学期为止。",
        then="从下一学期起可以兼得。",
        back=reverse("programmes"),
        crumbs=[("项目与标准", reverse("programmes"))],
    )
