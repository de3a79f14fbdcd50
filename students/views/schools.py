"""The county's schools."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe
from django_tables2 import RequestConfig

from accounts import scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission

from .. import schools as verbs
from ..forms import SchoolForm
from ..models import School
from ..tables import SchoolTable


@require_safe
@desk(Permission.VIEW_CASES)
def school_list(request: HttpRequest) -> HttpResponse:
    rows = School.objects.select_related("unit").annotate(
        class_count=Count("unit__children", filter=Q(unit__children__is_active=True))
    )
    # A class teacher's reach is a class; the school around it is theirs to see too.
    paths = [path for reached in scopes.reach(request.user, Permission.VIEW_CASES) for path in _with_above(reached)]
    above = Q(unit__path__in=paths)
    for reached in scopes.reach(request.user, Permission.VIEW_CASES):
        above |= Q(unit__path__startswith=reached)
    table = SchoolTable(rows.filter(above), reach=scopes.reach(request.user, Permission.VIEW_PUPILS))
    RequestConfig(request, paginate={"per_page": 50}).configure(table)
    may_edit = bool(scopes.reach(request.user, Permission.EDIT_SCHOOLS))
    if not may_edit:
        table.exclude = ("edit",)
    return render(request, "students/school_list.html", {"table": table, "may_edit": may_edit})


def _with_above(path: str) -> list[str]:
    keys = path.rstrip("/").split("/")
    return ["/".join(keys[: n + 1]) + "/" for n in range(len(keys))]


@require_http_methods(["GET", "POST"])
@desk(Permission.EDIT_SCHOOLS)
def school_add(request: HttpRequest) -> HttpResponse:
    form = SchoolForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        county = Unit.objects.get(path=scopes.reach(request.user, Permission.EDIT_SCHOOLS)[0])
        try:
            school = verbs.add(county, form.facts(), by=request.user)
        except ValidationError as refusal:
            form.add_error(None, refusal)
        else:
            messages.success(request, f"已登记{school}。下一步请系统管理员为该校任命资助专干，由其导入名册。")
            return redirect("schools")
    return render(request, "students/school_edit.html", {"form": form, "school": None})
