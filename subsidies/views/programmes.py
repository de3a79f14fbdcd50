"""Programmes, their dated standards and procedures."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts import scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission
from students.models import Category, Stage

from .. import programmes as verbs
from ..entitlement import term_label
from ..forms import StandardForm
from ..models import Programme, ProgrammeExclusion, StageAges
from .desks import show_refusal


@require_safe
@desk(Permission.VIEW_CASES)
def programme_list(request: HttpRequest) -> HttpResponse:
    rows = Programme.objects.prefetch_related("standards")
    for row in rows:
        row.stage_names = [Stage(stage).label for stage in row.stages]
        row.in_force = [standard for standard in row.standards.all() if not standard.last_term]
    context = {
        "programmes": rows,
        "exclusions": ProgrammeExclusion.objects.select_related("programme", "other"),
        "ages": sorted(StageAges.objects.all(), key=lambda row: Stage.values.index(row.stage)),
        "may_edit": bool(scopes.reach(request.user, Permission.EDIT_STANDARDS)),
    }
    return render(request, "subsidies/programme_list.html", context)


@require_safe
@desk(Permission.VIEW_CASES)
def programme_detail(request: HttpRequest, code: str) -> HttpResponse:
    programme = get_object_or_404(Programme, code=code)
    names = dict(Category.objects.values_list("code", "name"))
    accepted = list(programme.accepted.all())
    for row in accepted:
        row.name = names.get(row.category_code, row.category_code)
    context = {
        "programme": programme,
        "stage_names": [Stage(stage).label for stage in programme.stages],
        "standards": programme.standards.all(),
        "accepted": accepted,
        "procedures": programme.process_rules.all(),
        "may_edit": bool(scopes.reach(request.user, Permission.EDIT_STANDARDS)),
    }
    return render(request, "subsidies/programme_detail.html", context)


@require_http_methods(["GET", "POST"])
@desk(Permission.EDIT_STANDARDS)
def standard_add(request: HttpRequest, code: str) -> HttpResponse:
    programme = get_object_or_404(Programme, code=code)
    form = StandardForm(request.POST or None, programme=programme)
    if request.method == "POST" and form.is_valid():
        county = Unit.objects.get(path=scopes.reach(request.user, Permission.EDIT_STANDARDS)[0])
        try:
            standard = verbs.add_standard(form.save(commit=False), county=county, by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(
                request, f"已登记新标准：每学期 {standard.amount:.2f} 元，自{term_label(standard.first_term)}起执行。"
            )
            return redirect("programme", code=code)
    return render(request, "subsidies/standard_add.html", {"programme": programme, "form": form})
