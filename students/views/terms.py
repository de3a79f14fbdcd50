"""学期: the county's terms, and the days of those that have not begun."""

import django_tables2
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from accounts import clock, scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission as P

from .. import terms as verbs
from ..forms import TermForm
from ..models import Term
from ..tables import TermTable
from ..term_keys import term_name


@require_GET
@desk(P.EDIT_CALENDAR)
def term_list(request: HttpRequest) -> HttpResponse:
    table = TermTable(Term.objects.all(), today=clock.today(), now=verbs.current())
    django_tables2.RequestConfig(request, paginate={"per_page": 50}).configure(table)
    context = {"table": table, "next_name": term_name(verbs.next_key())}
    return render(request, "students/term_list.html", context)


@require_http_methods(["GET", "POST"])
@desk(P.EDIT_CALENDAR)
def term_add(request: HttpRequest) -> HttpResponse:
    key = verbs.next_key()
    form = TermForm(request.POST or None, initial=TermForm.usual_days(key))
    if request.method == "POST" and form.is_valid():
        try:
            term = verbs.add_next(**form.cleaned_data, county=_county(request), by=request.user)
        except ValidationError as refusal:
            form.add_error(None, refusal)
        else:
            messages.success(request, f"已登记{term}。")
            return redirect("terms")
    return render(request, "students/term_edit.html", {"form": form, "name": term_name(key), "term": None})


@require_http_methods(["GET", "POST"])
@desk(P.EDIT_CALENDAR)
def term_edit(request: HttpRequest, pk: int) -> HttpResponse:
    term = get_object_or_404(Term, pk=pk)
    form = TermForm(request.POST or None, initial={"starts_on": term.starts_on, "ends_on": term.ends_on})
    if request.method == "POST" and form.is_valid():
        try:
            verbs.change_days(term, **form.cleaned_data, county=_county(request), by=request.user)
        except ValidationError as refusal:
            form.add_error(None, refusal)
        else:
            messages.success(request, f"已更改{term}的起止日期。")
            return redirect("terms")
    return render(request, "students/term_edit.html", {"form": form, "name": term.name, "term": term})


def _county(request: HttpRequest) -> Unit:
    return Unit.objects.get(path=scopes.reach(request.user, P.EDIT_CALENDAR)[0])
