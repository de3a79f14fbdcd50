"""The desk of rosters: upload, say which column is which, look at what was found, import or throw away."""

from uuid import UUID

import django_tables2
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from accounts import scopes
from accounts.access import desk, fetch
from accounts.models import Unit, User
from accounts.roles import Permission as P
from documents import uploads
from documents.models import Upload
from documents.uploadlimit import takes
from documents.workbooks import COUNTY_BOUNDS, ROSTER_BOUNDS

from .. import roster_files, rosters, tasks
from ..forms import FindingFilter, HeaderForm, RosterFilter, RosterForm, TemplateForm
from ..models import RosterFinding, RosterImport
from ..tables import FindingTable, RosterImportTable

ROWS_PER_PAGE = 50
_STATES = RosterImport.State


@require_GET
@desk(P.VIEW_REGISTER)
def roster_imports(request: HttpRequest) -> HttpResponse:
    rows = scopes.within(RosterImport.objects.all(), request.user, P.VIEW_REGISTER, unit="unit")
    units = scopes.within(Unit.objects.exclude(level=Unit.Level.CLASS), request.user, P.VIEW_REGISTER, unit="")
    choice = RosterFilter(request.GET, units=units)
    waiting = set(rosters.waiting_for(request.user).values_list("pk", flat=True))
    table = RosterImportTable(choice.narrow(rows).select_related("unit", "term", "checked_by"), waiting=waiting)
    django_tables2.RequestConfig(request, paginate={"per_page": ROWS_PER_PAGE}).configure(table)
    may_import = bool(scopes.reach(request.user, P.IMPORT_ROSTER))
    context = {"table": table, "may_import": may_import, "filter": choice}
    return render(request, "students/roster_import_list.html", context)


@require_http_methods(["GET", "POST"])
@desk(P.IMPORT_ROSTER)
@takes(Upload.Kind.ROSTER)
def roster_import_new(request: HttpRequest) -> HttpResponse:
    form = RosterForm(request.POST or None, request.FILES or None, units=_units(request.user))
    if request.method == "POST" and form.is_valid():
        unit, term, file = (form.cleaned_data[name] for name in ("unit", "term", "file"))
        try:
            checked = rosters.check_roster(file, unit=unit, term=term, by=request.user)
        except ValidationError as error:
            form.add_error("file", error)
        else:
            return _go_on(checked)
    units = _units(request.user)
    context = {"form": form, "templates": TemplateForm(units=units, auto_id="template_%s"), "bounds": ROSTER_BOUNDS}
    if any(unit.level == Unit.Level.COUNTY for unit in units):
        context["county_bounds"] = COUNTY_BOUNDS
    return render(request, "students/roster_import_new.html", context)


@require_GET
@desk(P.VIEW_REGISTER)
def roster_import(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What there is to see and to do, by the state the roster is in."""
    found = _fetch(request.user, pk)
    may_import = scopes.allows(request.user, P.IMPORT_ROSTER, found.unit)
    context = {"roster": found, "may_import": may_import}
    if found.is_running:
        return render(request, "students/roster_progress.html", {**context, "progress": rosters.progress_of(found)})
    if found.state == _STATES.NEEDS_MAPPING and may_import:
        return redirect("roster_columns", pk)
    if found.state not in (_STATES.CHECKED, _STATES.APPLIED):
        return render(request, "students/roster_ended.html", context)
    choice = FindingFilter(request.GET, roster=found)
    of_one_school = () if found.unit.level == Unit.Level.COUNTY else ("school",)
    table = FindingTable(choice.narrow(_findings(found)), reader=request.user, exclude=of_one_school)
    django_tables2.RequestConfig(request, paginate={"per_page": ROWS_PER_PAGE}).configure(table)
    context |= {
        "table": table,
        "filter": choice,
        "notes": found.findings.filter(level=RosterFinding.Level.NOTE)[:20],
        "kept": sum(choice.counts.values()),
        "to_write": found.rows_new + found.rows_changed,
        "may_fetch_marked": roster_files.may_fetch_marked(found, request.user),
    }
    return render(request, "students/roster_import.html", context)


@require_GET
@desk(P.VIEW_REGISTER)
def roster_progress(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The part of the page that changes while a worker has the roster; asked for again each second."""
    found = _fetch(request.user, pk)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect("roster_import", pk)
    if not found.is_running:
        return HttpResponseClientRefresh()
    return render(request, "students/_roster_progress.html", {"roster": found, "progress": rosters.progress_of(found)})


@require_http_methods(["GET", "POST"])
@desk(P.IMPORT_ROSTER)
def roster_columns(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Which of the file's columns is which: asked only where the headers do not say it surely."""
    found = _fetch(request.user, pk, may=P.IMPORT_ROSTER)
    if found.state != _STATES.NEEDS_MAPPING:
        return redirect("roster_import", pk)
    form = HeaderForm(request.POST or None, question=found.question)
    if request.method == "POST" and form.is_valid():
        try:
            mapped = rosters.map_columns(found, form.answers(), by=request.user)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _go_on(mapped)
    return render(request, "students/roster_columns.html", {"roster": found, "form": form})


@require_POST
@desk(P.IMPORT_ROSTER)
def roster_ask_again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Back to the columns: one of them was understood wrongly."""
    found = _fetch(request.user, pk, may=P.IMPORT_ROSTER)
    try:
        rosters.ask_again(found, by=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("roster_import", pk)


@require_POST
@desk(P.IMPORT_ROSTER)
def roster_import_apply(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = _fetch(request.user, pk, may=P.IMPORT_ROSTER)
    foretold = (found.rows_new, found.rows_changed, found.rows_refused)
    try:
        applied = rosters.apply_roster(found, by=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("roster_import", pk)
    if applied.state == _STATES.APPLIED:
        messages.success(
            request,
            f"已导入：新增 {applied.rows_new} 人，变更 {applied.rows_changed} 人，无变化 {applied.rows_same} 人；"
            f"有误未导入 {applied.rows_refused} 行。",
        )
        if (applied.rows_new, applied.rows_changed, applied.rows_refused) != foretold:
            messages.warning(request, "预检之后名册有过变动，结果与预检时不同，请看下表。")
    return _go_on(applied)


@require_POST
@desk(P.IMPORT_ROSTER)
def roster_import_cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = _fetch(request.user, pk, may=P.IMPORT_ROSTER)
    try:
        rosters.cancel(found, by=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("roster_import", pk)


@require_POST
@desk(P.IMPORT_ROSTER)
def roster_import_discard(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = _fetch(request.user, pk, may=P.IMPORT_ROSTER)
    try:
        rosters.discard_roster(found, by=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("roster_import", pk)
    messages.success(request, "已放弃这份名册，文件已删除，学生名册没有改动。")
    return redirect("roster_imports")


# --- files ------------------------------------------------------------------------------------------


@require_GET
@desk(P.IMPORT_ROSTER)
def roster_template(request: HttpRequest) -> HttpResponse:
    """Of one unit, named in the address; without a name, of the widest the person brings rosters in for."""
    units = _units(request.user)
    form = TemplateForm(request.GET, units=units)
    if not form.is_valid():
        raise Http404
    unit = form.cleaned_data["unit"] or units[0]
    return _download(roster_files.template(unit), f"学生名册模板_{unit.name}.xlsx")


@require_GET
@desk(P.VIEW_REGISTER)
def roster_findings(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = _fetch(request.user, pk)
    name = f"{found.unit.name}_{found.term.key}_名册问题清单.xlsx"
    return _download(roster_files.findings_sheet(found, _findings(found), reader=request.user), name)


@require_GET
@desk(P.IMPORT_ROSTER)
def roster_marked(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The uploader's own workbook again, with what was found marked in it."""
    found = _fetch(request.user, pk, may=P.IMPORT_ROSTER)
    try:
        content, name = roster_files.marked(found, by=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("roster_import", pk)
    return _download(content, name)


def _units(user: User) -> QuerySet[Unit]:
    """The schools, and the county, the person brings rosters in for; the widest first."""
    units = Unit.objects.filter(is_active=True).exclude(level=Unit.Level.CLASS)
    return scopes.within(units, user, P.IMPORT_ROSTER, unit="").order_by("path")


def _fetch(user: User, pk: UUID, may: P | None = None) -> RosterImport:
    rows = RosterImport.objects.select_related("unit", "term", "file", "checked_by", "applied_by", "settled_by")
    return fetch(rows, user, P.VIEW_REGISTER, unit="unit", may=may, pk=pk)


def _findings(roster: RosterImport) -> QuerySet[RosterFinding]:
    return roster.findings.select_related("school", "elsewhere").order_by("pk")


def _go_on(roster: RosterImport) -> HttpResponse:
    """To the roster's page; what waits for a worker wakes one."""
    if roster.is_running:
        transaction.on_commit(tasks.nudge)
    return redirect("roster_import", roster.pk)


def _download(content: bytes, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=uploads.XLSX)
    response["Content-Disposition"] = content_disposition_header(True, name)
    return uploads.guard_download(response)
