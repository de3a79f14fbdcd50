"""The desk of pupils: the list, one pupil, and a full number for somebody who may see it."""

from typing import Any
from uuid import UUID

import django_tables2
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import clock, scopes
from accounts.access import desk, fetch, require
from accounts.models import User
from accounts.roles import Permission as P

from .. import bank_accounts, enrolment, privacy, search, terms
from ..forms import AccountForm, BoardingForm, PupilFilter, PupilSearch, RevealForm
from ..models import BankAccount, Category, Circumstance, Enrolment
from ..tables import PupilTable

ROWS_PER_PAGE = 50
SHOWN_SECONDS = 30  # how long a full number stays on the screen
_SESSION_KEY = "pupil_search"


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_PUPILS)
def pupils(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _remember(request)
    filters = PupilFilter({"term": _default_term(), **request.GET.dict()}, user=request.user)
    query = search.Query(**kept) if (kept := request.session.get(_SESSION_KEY)) else None
    rows = _found(request.user, filters, query)
    table = PupilTable(rows, reach=scopes.reach(request.user, P.VIEW_PUPILS))
    if "school" not in filters.fields:
        table.exclude = ("school",)
    django_tables2.RequestConfig(request, paginate={"per_page": ROWS_PER_PAGE}).configure(table)
    context = {
        "table": table,
        "filter": filters,
        "search": PupilSearch(),
        "query": query,
        "is_filtered": bool(query or filters.changed_data),
        "may_import": bool(scopes.reach(request.user, P.IMPORT_ROSTER)),
    }
    return render(request, "students/pupil_list.html", context)


def _remember(request: HttpRequest) -> HttpResponse:
    """Keep what is looked for in the session: nothing of a person may stand in an address."""
    form = PupilSearch(request.POST)
    query = search.read_query(form.cleaned_data["q"]) if form.is_valid() else None
    if query:
        request.session[_SESSION_KEY] = query.as_session()
    else:
        request.session.pop(_SESSION_KEY, None)
    kept = request.GET.copy()
    kept.pop("page", None)
    return redirect(f"{reverse('pupils')}{'?' if kept else ''}{kept.urlencode()}")


def _default_term() -> int | str:
    term = terms.current()
    return term.pk if term else ""


def _found(user: User, filters: PupilFilter, query: search.Query | None) -> QuerySet[Enrolment]:
    filters.is_valid()
    chosen = filters.cleaned_data  # without a field that could not be read; the form says so beside it
    rows = scopes.within(Enrolment.objects.all(), user, P.VIEW_PUPILS, unit="school_class")
    rows = rows.filter(term=chosen.get("term") or terms.current())
    for name in ("school", "school_class", "boarding"):
        if chosen.get(name):
            rows = rows.filter(**{name: chosen[name]})
    held, now = _in_force(), enrolment.current_only(Enrolment.objects.filter(pupil=OuterRef("pupil")))
    if category := chosen.get("category"):
        kinds = [kind.pk for kind in Category.objects.filter(Q(pk=category.pk) | Q(maps_to=category))]
        rows = rows.filter(Exists(held.filter(pupil=OuterRef("pupil"), category__in=kinds)))
        rows = rows.filter(Exists(scopes.within(now, user, P.VIEW_PUPILS, unit="school_class")))
    if query:
        rows = search.search(rows, query)
    return (
        rows.select_related("pupil", "school", "school_class")
        .prefetch_related(
            Prefetch("pupil__circumstances", queryset=held.select_related("category"), to_attr="circumstances_now")
        )
        .annotate(
            has_account=Exists(BankAccount.objects.filter(pupil=OuterRef("pupil"), ends_on__isnull=True)),
            now_path=Subquery(now.values("school_class__path")[:1]),
        )
    )


def _in_force() -> QuerySet[Circumstance]:
    today = clock.today()
    return Circumstance.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gte=today), valid_from__lte=today)


def fetch_place(user: User, pupil: UUID, may: P | None = None) -> Enrolment:
    """Where the pupil is now, for somebody within whose scope that lies; else 404, or 403 without `may`."""
    places = enrolment.current_only(Enrolment.objects.all())
    places = places.select_related("pupil", "term", "school", "school_class__school_class")
    return fetch(places, user, P.VIEW_PUPILS, unit="school_class", may=may, pupil_id=pupil)


@require_safe
@desk(P.VIEW_PUPILS)
def pupil(request: HttpRequest, pk: UUID) -> HttpResponse:
    place = fetch_place(request.user, pk)
    today = clock.today()
    circumstances = list(place.pupil.circumstances.select_related("category__maps_to", "evidence_file", "recorded_by"))
    kinds = {category.pk: category for category in Category.objects.all()}
    for circumstance in circumstances:
        circumstance.has_ended = bool(circumstance.valid_to and circumstance.valid_to < today)
        circumstance.counts_as = enrolment.kind_on(kinds[circumstance.category_id], kinds, today)
    accounts = list(place.pupil.accounts.select_related("recorded_by"))
    account = next((row for row in accounts if row.ends_on is None), None)
    context = {
        "place": place,
        "pupil": place.pupil,
        "circumstances": circumstances,
        "account": account,
        "is_shared_account": bool(account and bank_accounts.shared_with_others(account)),
        "past_accounts": [row for row in accounts if row.ends_on],
        "enrolments": place.pupil.enrolments.select_related("term", "school", "school_class").order_by("-term__key"),
        **_may(request.user, place),
    }
    return render(request, "students/pupil.html", context)


def _may(user: User, place: Enrolment) -> dict[str, bool]:
    may_edit = scopes.allows(user, P.EDIT_PUPILS, place.school_class)
    may_reveal = scopes.allows(user, P.REVEAL_IDENTITY, place.school)
    return {
        "may_edit": may_edit,
        "may_change_account": scopes.allows(user, P.EDIT_PUPILS, place.school),
        "may_reveal": may_reveal,
        "may_read_evidence": may_edit or may_reveal,
    }


@never_cache
@require_http_methods(["GET", "POST"])
@desk(P.REVEAL_IDENTITY)
def pupil_reveal(request: HttpRequest, pk: UUID) -> HttpResponse:
    place = fetch_place(request.user, pk)
    require(request.user, P.REVEAL_IDENTITY, place.school)
    initial = {"field": request.GET.get("field", "id")}
    form = RevealForm(request.POST or None, initial=initial)
    context: dict[str, Any] = {"form": form, "pupil": place.pupil, "place": place}
    if request.method == "POST" and form.is_valid():
        field = form.cleaned_data["field"]
        try:
            record = place.pupil if field != "account" else bank_accounts.in_use(place.pupil)
            number = privacy.reveal(
                record, field, by=request.user, purpose=form.cleaned_data["purpose"], note=form.cleaned_data["note"]
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            context |= {"number": number, "label": privacy.FIELD_LABELS[field], "seconds": SHOWN_SECONDS}
            response = render(request, "students/pupil_number.html", context)
            # Without any script: the browser leaves the number by itself.
            response["Refresh"] = f"{SHOWN_SECONDS};url={reverse('pupil', args=[pk])}"
            return response
    return render(request, "students/pupil_reveal.html", context)


@require_http_methods(["GET", "POST"])
@desk(P.EDIT_PUPILS)
def account_change(request: HttpRequest, pk: UUID) -> HttpResponse:
    place = fetch_place(request.user, pk)
    require(request.user, P.EDIT_PUPILS, place.school)
    form = AccountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            account = bank_accounts.change(place.pupil, by=request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"已登记新的收款账户（{account.number_masked}），以后的发放用这个账户。")
            if bank_accounts.shared_with_others(account):
                messages.warning(request, "这个账号也登记给了另一名学生，监护人不同，请核对。")
            for warning in bank_accounts.doubts(form.cleaned_data["number"]):
                messages.warning(request, warning)
            return redirect("pupil", pk)
    context = {"form": form, "pupil": place.pupil, "place": place, "account": bank_accounts.current(place.pupil)}
    return render(request, "students/account_change.html", context)


@require_http_methods(["GET", "POST"])
@desk(P.EDIT_PUPILS)
def boarding_change(request: HttpRequest, pk: UUID) -> HttpResponse:
    place = fetch_place(request.user, pk, may=P.EDIT_PUPILS)
    form = BoardingForm(request.POST or None, enrolment=place)
    if request.method == "POST" and form.is_valid():
        try:
            changed = enrolment.set_boarding(place, form.cleaned_data["boarding"], by=request.user)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(
                request,
                f"{place.pupil.name}{changed.term}已改为{changed.get_boarding_display()}。"
                "已经提交的申请仍按提交时的就读方式办理；需要更改的请退回补正。",
            )
            return redirect("pupil", pk)
    return render(request, "students/boarding_change.html", {"form": form, "pupil": place.pupil, "place": place})
