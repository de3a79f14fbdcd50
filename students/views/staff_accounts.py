"""The desk of staff accounts: the list, one more, a whole file, off the list again."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import paging, scopes
from accounts.access import desk, fetch
from accounts.models import Unit, User
from accounts.roles import Permission as P
from documents import uploads
from documents.models import Upload
from documents.uploadlimit import takes

from .. import staff_accounts as verbs
from ..forms import StaffAccountFileForm, StaffAccountForm
from ..models import StaffAccount
from ..tables import StaffAccountTable

MOST_CLASHES = 50


@require_safe
@desk(P.IMPORT_ROSTER)
def staff_accounts(request: HttpRequest) -> HttpResponse:
    table = StaffAccountTable(verbs.visible_to(request.user).select_related("unit", "recorded_by"))
    clashes = list(verbs.clashes(request.user)[: MOST_CLASHES + 1])
    context = {
        "table": paging.configure(table, request),
        "clashes": clashes[:MOST_CLASHES],
        "has_more_clashes": len(clashes) > MOST_CLASHES,
    }
    return render(request, "students/staff_accounts.html", context)


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters("number")
@desk(P.IMPORT_ROSTER)
def staff_account_add(request: HttpRequest) -> HttpResponse:
    form = StaffAccountForm(request.POST or None, units=_units(request.user))
    if request.method == "POST" and form.is_valid():
        try:
            account = verbs.add(**form.cleaned_data, by=request.user)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"已登记{account.holder}的账户（{account.number_masked}）。")
            return redirect("staff_accounts")
    return render(request, "students/staff_account_add.html", {"form": form})


@require_http_methods(["GET", "POST"])
@desk(P.IMPORT_ROSTER)
@takes(Upload.Kind.LIST)
def staff_account_import(request: HttpRequest) -> HttpResponse:
    form = StaffAccountFileForm(request.POST or None, request.FILES or None, units=_units(request.user))
    outcome = None
    if request.method == "POST" and form.is_valid():
        try:
            content, _ = uploads.check(form.cleaned_data["file"], kind=Upload.Kind.LIST)
            outcome = verbs.import_file(content, unit=form.cleaned_data["unit"], by=request.user)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"新登记 {outcome.added} 个账户，已有 {outcome.known} 个。")
            if not outcome.refused:
                return redirect("staff_accounts")
    return render(request, "students/staff_account_import.html", {"form": form, "outcome": outcome})


@require_POST
@desk(P.IMPORT_ROSTER)
def staff_account_remove(request: HttpRequest, pk: int) -> HttpResponse:
    rows = StaffAccount.objects.select_related("unit")
    account = fetch(rows, request.user, P.IMPORT_ROSTER, unit="unit", pk=pk)
    verbs.remove(account, by=request.user)
    messages.success(request, f"已移出{account.holder}的账户（{account.number_masked}）。")
    return redirect("staff_accounts")


def _units(user: User) -> QuerySet[Unit]:
    """Schools, and for the county the county itself: the centre's own people."""
    units = Unit.objects.filter(is_active=True).exclude(level=Unit.Level.CLASS)
    return scopes.within(units, user, P.IMPORT_ROSTER, unit="")
