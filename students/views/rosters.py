"""The desk of rosters: upload and check, look at the findings, import or throw away."""

from typing import Any
from uuid import UUID

import django_tables2
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import scopes
from accounts.access import desk, fetch
from accounts.models import Unit, User
from accounts.roles import Permission as P
from documents import uploads

from .. import roster_files, rosters
from ..forms import RosterForm
from ..models import RosterImport
from ..tables import FindingTable, RosterImportTable

ROWS_PER_PAGE = 50
# Schools bring rosters in; the county may look at what was found, not at other schools' files.
READERS = (P.IMPORT_ROSTER, P.VERIFY, P.APPROVE)


@require_GET
@desk(*READERS)
def roster_imports(request: HttpRequest) -> HttpResponse:
    rows = scopes.within(RosterImport.objects.all(), request.user, *READERS, unit="school")
    table = RosterImportTable(rows.select_related("school", "term", "checked_by").defer("findings"))
    django_tables2.RequestConfig(request, paginate={"per_page": ROWS_PER_PAGE}).configure(table)
    may_import = bool(scopes.reach(request.user, P.IMPORT_ROSTER))
    return render(request, "students/roster_import_list.html", {"table": table, "may_import": may_import})


@require_http_methods(["GET", "POST"])
@desk(P.IMPORT_ROSTER)
def roster_import_new(request: HttpRequest) -> HttpResponse:
    form = RosterForm(request.POST or None, request.FILES or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        school, term, file = (form.cleaned_data[name] for name in ("school", "term", "file"))
        try:
            checked = rosters.check_roster(file, school=school, term=term, by=request.user)
        except ValidationError as error:
            form.add_error("file", error)
        else:
            return redirect("roster_import", checked.pk)
    return render(request, "students/roster_import_new.html", {"form": form})


@require_GET
@desk(*READERS)
def roster_import(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = _fetch(request.user, pk)
    findings = _with_other_schools(found.findings, request.user)
    table = FindingTable([finding for finding in findings if finding["level"] != "note"])
    django_tables2.RequestConfig(request, paginate={"per_page": ROWS_PER_PAGE}).configure(table)
    context = {
        "roster": found,
        "table": table,
        "notes": [finding for finding in findings if finding["level"] == "note"],
        "doubtful": sum(finding["level"] == "warning" for finding in findings),
        "accepted": found.rows_new + found.rows_changed + found.rows_same,
        "to_write": found.rows_new + found.rows_changed,
        "may_import": scopes.allows(request.user, P.IMPORT_ROSTER, found.school),
    }
    return render(request, "students/roster_import.html", context)


@require_POST
@desk(P.IMPORT_ROSTER)
def roster_import_apply(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = _fetch(request.user, pk, may=P.IMPORT_ROSTER)
    foretold = (found.rows_new, found.rows_changed, found.rows_refused)
    try:
        applied = rosters.apply_roster(found, by=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(
            request,
            f"已导入：新增 {applied.rows_new} 人，变更 {applied.rows_changed} 人，无变化 {applied.rows_same} 人；"
            f"有误未导入 {applied.rows_refused} 行。",
        )
        if (applied.rows_new, applied.rows_changed, applied.rows_refused) != foretold:
            messages.warning(request, "预检之后名册有过变动，结果与预检时不同，请看下表。")
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


@require_GET
@desk(P.IMPORT_ROSTER)
def roster_template(request: HttpRequest) -> HttpResponse:
    return _download(roster_files.template(), "学生名册模板.xlsx")


@require_GET
@desk(*READERS)
def roster_findings(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = _fetch(request.user, pk)
    findings = _with_other_schools(found.findings, request.user)
    name = f"{found.school.name}_{found.term.key}_名册问题清单.xlsx"
    return _download(roster_files.findings_sheet(found, findings), name)


def _fetch(user: User, pk: UUID, may: P | None = None) -> RosterImport:
    rows = RosterImport.objects.select_related("school", "term", "file", "checked_by", "applied_by")
    return fetch(rows, user, *READERS, unit="school", may=may, pk=pk)


def _with_other_schools(findings: list[dict[str, Any]], user: User) -> list[dict[str, Any]]:
    """Where a finding is about another school, its name, for those whose scope holds that school too."""
    wanted = {finding["elsewhere"] for finding in findings if "elsewhere" in finding}
    names = {
        unit.pk: unit.name
        for unit in (Unit.objects.filter(pk__in=wanted) if wanted else [])
        if scopes.allows(user, P.VIEW_PUPILS, unit)
    }
    return [
        {**finding, "remedy": f"（{names[finding['elsewhere']]}）{finding['remedy']}"}
        if finding.get("elsewhere") in names
        else finding
        for finding in findings
    ]


def _download(content: bytes, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=uploads.XLSX)
    response["Content-Disposition"] = content_disposition_header(True, name)
    return uploads.guard_download(response)
