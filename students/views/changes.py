"""异动 as lists: what changed, each class's first-month confirmation, and where it is outstanding."""

import django_tables2
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import clock, scopes
from accounts.access import desk, fetch
from accounts.models import Unit, User
from accounts.paging import KeysFirst
from accounts.roles import Permission as P

from .. import changes as verbs
from .. import confirmations, enrolment, terms
from ..change_forms import ChangeFilter, ChecklistForm
from ..change_tables import StatusChangeTable
from ..models import ChangeConfirmation, ChangeReport, Enrolment, StatusChange, Term

ROWS_PER_PAGE = 50
SCHOOLS_PER_PAGE = 20


@require_safe
@desk(P.VIEW_PUPILS)
def changes(request: HttpRequest) -> HttpResponse:
    term = terms.current()
    filters = ChangeFilter({"term": term.pk if term else "", **request.GET.dict()}, user=request.user)
    listed = KeysFirst(_found(request.user, filters), detail=lambda rows: _shown(rows, request.user))
    table = StatusChangeTable(listed)
    if "school" not in filters.fields:
        table.exclude = ("school",)
    django_tables2.RequestConfig(request, paginate={"per_page": ROWS_PER_PAGE}).configure(table)
    context = {
        "table": table,
        "filter": filters,
        "is_filtered": bool(request.GET),
        "may_record": bool(scopes.reach(request.user, P.RECORD_CHANGES)),
        "may_see_payments": bool(scopes.reach(request.user, P.VIEW_BATCHES)),
        "unclaimed": verbs.awaiting_arrival(request.user).count(),
    }
    return render(request, "students/change_list.html", context)


def _found(user: User, filters: ChangeFilter) -> QuerySet[StatusChange]:
    filters.is_valid()
    chosen = filters.cleaned_data
    rows = verbs.visible_to(user).filter(term=chosen.get("term") or terms.current())
    if chosen.get("kind"):
        rows = rows.filter(kind=chosen["kind"])
    for name in ("school", "school_class"):
        if chosen.get(name):
            rows = rows.filter(path__below=chosen[name].path)
    return rows


def _shown(rows: QuerySet[StatusChange], user: User) -> QuerySet[StatusChange]:
    """The rows of one page, with what its columns show."""
    now = enrolment.current_only(Enrolment.objects.filter(pupil=OuterRef("pupil")))
    here = scopes.within(now, user, P.VIEW_PUPILS, unit="")
    return rows.select_related("pupil", "enrolment__school", "by").annotate(is_ours=Exists(here))


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_PUPILS)
def class_changes(request: HttpRequest, pk: int) -> HttpResponse:
    """The checklist of one class in the present term, and its confirmation."""
    classes = Unit.objects.filter(level=Unit.Level.CLASS).select_related("parent")
    may = P.EDIT_PUPILS if request.method == "POST" else None
    unit = fetch(classes, request.user, P.VIEW_PUPILS, unit="", may=may, pk=pk)
    term = _term()
    rows = confirmations.checklist(unit, term)
    form = ChecklistForm(
        request.POST or None, rows=rows, school_class=unit, initial={"seen": confirmations.digest(rows)}
    )
    if request.method == "POST" and form.is_valid():
        try:
            confirmations.confirm(unit, term, seen=form.cleaned_data["seen"], reports=form.reports(), by=request.user)
        except ValidationError as refusal:
            form.add_error(None, refusal)
            form.data = form.data.copy()
            form.data["seen"] = confirmations.digest(rows)
        else:
            count = len(form.reports())
            told = f"，{count} 名学生的情况已告诉资助专干" if count else ""
            messages.success(request, f"已确认{unit}本学期的异动{told}。")
            return redirect("class_changes", pk)
    state = next(iter(confirmations.states(Unit.objects.filter(pk=unit.pk), term)), None)
    context = {
        "unit": unit,
        "term": term,
        "form": form,
        "lines": list(form.lines()),
        "here": sum(1 for row in form.askable),
        "state": state,
        "deadline": confirmations.deadline(confirmations.county_of(unit), term),
        "today": clock.today(),
        "may_confirm": scopes.allows(request.user, P.EDIT_PUPILS, unit),
        "may_record": scopes.allows(request.user, P.RECORD_CHANGES, unit),
    }
    return render(request, "students/class_changes.html", context)


@require_safe
@desk(P.VIEW_PUPILS)
def change_confirmations(request: HttpRequest) -> HttpResponse:
    """Which classes have confirmed; for the county by school, one school's classes on a click."""
    term = _term()
    schools = _units(request.user, Unit.Level.SCHOOL).select_related("parent").order_by("path")
    chosen = schools.filter(pk=request.GET["school"]).first() if request.GET.get("school", "").isdecimal() else None
    classes = _units(request.user, Unit.Level.CLASS)
    if chosen is not None:
        classes = classes.filter(parent=chosen)
    by_school = len(schools) > 1 and chosen is None
    if not by_school:
        classes = confirmations.with_pupils(classes, term)
    # Pupils are counted for the units of one page only: a county has a hundred thousand.
    units = schools if by_school else classes.order_by("path")
    page = Paginator(units, SCHOOLS_PER_PAGE if by_school else ROWS_PER_PAGE).get_page(request.GET.get("page"))
    shown = [unit.pk for unit in page.object_list]
    if by_school:
        rows = confirmations.school_states(page.object_list, classes.filter(parent__in=shown), term)
    else:
        rows = confirmations.states(classes.filter(pk__in=shown), term)
    left = confirmations.outstanding(classes, term).count()
    done = ChangeConfirmation.objects.filter(term=term, school_class__in=classes).count()
    first = classes.first()
    context = {
        "term": term,
        "page": page,
        "rows": rows,
        "by_school": by_school,
        "school": chosen,
        "total": left + done,
        "done": done,
        "deadline": confirmations.deadline(confirmations.county_of(first), term) if first else None,
        "today": clock.today(),
        "reports": _open_reports(request.user, chosen),
    }
    return render(request, "students/change_confirmations.html", context)


def _open_reports(user: User, school: Unit | None) -> list[ChangeReport]:
    """The first of them, in the order of the classes that reported."""
    rows = confirmations.reports_for(user).filter(enrolment__school_class__is_active=True)
    if school is not None:
        rows = rows.filter(confirmation__school_class__path__below=school.path)
    related = ("enrolment__pupil", "enrolment__school_class__parent", "confirmation__confirmed_by")
    return list(rows.select_related(*related).order_by("confirmation__school_class__path", "pk")[:ROWS_PER_PAGE])


@require_POST
@desk(P.RECORD_CHANGES)
def change_report_dismiss(request: HttpRequest, pk: int) -> HttpResponse:
    rows = ChangeReport.objects.select_related("enrolment__school_class", "enrolment__pupil")
    report = fetch(rows, request.user, P.VIEW_PUPILS, unit="enrolment__school_class", may=P.RECORD_CHANGES, pk=pk)
    try:
        confirmations.dismiss(report, by=request.user)
    except ValidationError as refusal:
        messages.error(request, "".join(refusal.messages))
    else:
        messages.success(request, f"已记下：{report.enrolment.pupil.name}没有变化。")
    return redirect("change_confirmations")


def _units(user: User, level: str) -> QuerySet[Unit]:
    return scopes.within(Unit.objects.filter(level=level, is_active=True), user, P.VIEW_PUPILS, unit="")


def _term() -> Term:
    term = terms.current()
    if term is None:
        raise Http404
    return term
