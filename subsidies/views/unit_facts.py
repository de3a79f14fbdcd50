"""The classes of a school and what is recorded of them; a school's particulars; what correcting them does."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe
from django_tables2 import RequestConfig

from accounts import access, scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission as P
from students import classes, terms
from students import schools as register
from students.class_forms import ClassForm
from students.forms import SchoolForm
from students.models import School, SchoolClass
from students.tables import ClassTable

from .. import unit_facts as verbs
from ..changes import EffectsChanged
from ..unit_facts import UnitPlan
from .desks import show_refusal

SHOWN = 50  # cases listed on the page of effects; the others are counted


@require_safe
@desk(P.VIEW_PUPILS)
def class_list(request: HttpRequest, pk: int) -> HttpResponse:
    """The classes of one school: grade, stage, kind of major, pupils."""
    units = Unit.objects.filter(level=Unit.Level.SCHOOL).select_related("school")
    school = access.fetch(units, request.user, P.VIEW_PUPILS, unit="", pk=pk)
    table = ClassTable(classes.of_school(school), has_majors="vocational" in school.school.stages)
    if not scopes.allows(request.user, P.RECORD_CHANGES, school):
        table.exclude = (*(table.exclude or ()), "edit")
    RequestConfig(request, paginate={"per_page": 50}).configure(table)
    context = {"school": school, "table": table, "term": terms.current()}
    return render(request, "students/class_list.html", context)


@require_http_methods(["GET", "POST"])
@desk(P.RECORD_CHANGES)
def class_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Another grade or kind of major (GET, POST), what it does (POST), recorded (POST with what was shown)."""
    rows = SchoolClass.objects.filter(unit__is_active=True).select_related("unit__parent__school")
    school_class = access.fetch(rows, request.user, P.RECORD_CHANGES, unit="unit", pk=pk)
    school = classes.school_of(school_class)
    form = ClassForm(request.POST or None, school_class=school_class)
    context = {
        "form": form,
        "school_class": school_class,
        "school": school,
        "back": reverse("classes", args=[school.pk]),
    }
    if request.method != "POST" or "edit" in request.POST or not form.is_valid():
        return render(request, "students/class_edit.html", context)
    facts = form.facts()
    return _corrected(
        request,
        form,
        context | {"title": f"更正{school_class.unit}"},
        plan=lambda: verbs.plan_class(school_class, facts, by=request.user),
        record=lambda seen: verbs.record_class(school_class, facts, by=request.user, seen=seen),
        again="students/class_edit.html",
    )


@require_http_methods(["GET", "POST"])
@desk(P.EDIT_SCHOOLS)
def school_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """A school's particulars. Another ownership may change amounts: then what it does is shown before it is saved."""
    rows = School.objects.select_related("unit")
    school = access.fetch(rows, request.user, P.EDIT_SCHOOLS, unit="unit", unit__pk=pk)
    form = SchoolForm(request.POST or None, initial=SchoolForm.initial_of(school))
    context = {"form": form, "school": school, "back": reverse("schools")}
    if request.method != "POST" or "edit" in request.POST or not form.is_valid():
        return render(request, "students/school_edit.html", context)
    facts = form.facts()
    if facts.ownership != school.ownership:
        return _corrected(
            request,
            form,
            context | {"title": f"更正{school}的办学性质"},
            plan=lambda: verbs.plan_school(school, facts, by=request.user),
            record=lambda seen: verbs.record_school(school, facts, by=request.user, seen=seen),
            again="students/school_edit.html",
        )
    try:
        register.change(school, facts, by=request.user)
    except ValidationError as refusal:
        form.add_error(None, refusal)
        return render(request, "students/school_edit.html", context)
    messages.success(request, f"已保存{facts.name}的信息。")
    return redirect("schools")


def _corrected(
    request: HttpRequest,
    form: forms.Form,
    context: dict[str, Any],
    *,
    plan: Callable[[], UnitPlan],
    record: Callable[[str], UnitPlan],
    again: str,
) -> HttpResponse:
    try:
        if seen := request.POST.get("seen"):
            done = record(seen)
            messages.success(request, f"已更正：{done.before}改为{done.after}，影响 {len(done.effects)} 份申请。")
            return redirect(context["back"])
        found = plan()
    except EffectsChanged as changed:
        found = plan()
        context["changed"] = "".join(changed.messages)
    except (ValidationError, PermissionDenied) as refused:
        show_refusal(form, refused if isinstance(refused, ValidationError) else ValidationError(str(refused)))
        return render(request, again, context)
    context |= {"plan": found, "shown": found.effects[:SHOWN], "hidden": len(found.effects) - SHOWN}
    return render(request, "subsidies/unit_effects.html", context)
