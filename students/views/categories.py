"""困难类别: the kinds of hardship, a new one, the end of one."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts import clock, scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission as P
from accounts.templatetags.aid import cn_date

from .. import categories as verbs
from ..category_forms import CategoryEndForm, CategoryForm
from ..models import Category


@require_safe
@desk(P.VIEW_CASES)
def category_list(request: HttpRequest) -> HttpResponse:
    """What is in force or to come, by rank; what is over stands in a fold."""
    today = clock.today()
    rows = list(Category.objects.select_related("maps_to", "recorded_by"))
    may_edit = bool(scopes.reach(request.user, P.EDIT_STANDARDS))
    held = verbs.holders(today) if may_edit else {}
    for row in rows:
        row.holders = held.get(row.pk, 0)
        row.is_to_come = row.valid_from > today
    context = {
        "rows": [row for row in rows if row.valid_to is None or row.valid_to >= today],
        "over": [row for row in rows if row.valid_to is not None and row.valid_to < today],
        "may_edit": may_edit,
    }
    return render(request, "students/category_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@desk(P.EDIT_STANDARDS)
def category_add(request: HttpRequest) -> HttpResponse:
    form = CategoryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        told = {name: form.cleaned_data[name] for name in ("after", "replaces", "is_renamed")}
        try:
            added = verbs.add(form.category(), **told, county=_county(request), by=request.user)
        except ValidationError as refusal:
            _show(form, refusal)
        else:
            next_step = "" if told["is_renamed"] else "请到“项目与标准”，在资助这类学生的项目里增加资助范围。"
            messages.success(request, f"已登记困难类别“{added}”，自{cn_date(added.valid_from)}起。{next_step}")
            return redirect("categories")
    return render(request, "students/category_add.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@desk(P.EDIT_STANDARDS)
def category_end(request: HttpRequest, pk: int) -> HttpResponse:
    category = get_object_or_404(Category, pk=pk)
    form = CategoryEndForm(request.POST or None, category=category)
    if request.method == "POST" and form.is_valid():
        try:
            ended = verbs.end(category, **form.cleaned_data, county=_county(request), by=request.user)
        except ValidationError as refusal:
            _show(form, refusal)
        else:
            after = f"，以后算作“{ended.maps_to}”" if ended.maps_to else ""
            messages.success(request, f"已登记：“{ended}”到{cn_date(ended.valid_to)}为止{after}。")
            return redirect("categories")
    count = verbs.holders(clock.today()).get(category.pk, 0)
    return render(request, "students/category_end.html", {"form": form, "category": category, "count": count})


def _county(request: HttpRequest) -> Unit:
    return Unit.objects.get(path=scopes.reach(request.user, P.EDIT_STANDARDS)[0])


def _show(form: Form, refusal: ValidationError) -> None:
    """A verb's refusal, on the field it names or above all."""
    form.add_error(None, refusal)
