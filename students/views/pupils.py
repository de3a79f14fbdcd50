"""The desk of pupils: the list, one pupil, and a full number for somebody who may see it."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import clock, paging, scopes
from accounts.access import desk, fetch, require
from accounts.models import User
from accounts.paging import LongList
from accounts.roles import Permission as P
from accounts.templatetags.aid import cn_date

from .. import bank_accounts, changes, enrolment, privacy, search, terms
from ..forms import AccountForm, PupilFilter, PupilSearch, RevealForm, VerifyForm
from ..models import OPEN_STANDINGS, BankAccount, Category, Circumstance, Enrolment
from ..tables import PupilTable

SHOWN_SECONDS = 30  # how long a full number stays on the screen
_SESSION_KEY = "pupil_search"


@require_safe
@desk(P.VIEW_PUPILS)
def pupils(request: HttpRequest) -> HttpResponse:
    filters = PupilFilter({"term": _default_term(), "standing": "open", **request.GET.dict()}, user=request.user)
    chosen = _chosen(request.user, filters)
    is_by_kind = bool(filters.cleaned_data.get("category"))
    counted = _chosen(request.user, filters, is_counting=True) if is_by_kind else None
    rows = LongList(chosen, unit_path="path", then=("pupil__name", "pk"), detail=_shown, counted=counted)
    table = PupilTable(rows, reach=scopes.reach(request.user, P.VIEW_PUPILS))
    if "school" not in filters.fields:
        table.exclude = ("school",)
    context = {
        "table": paging.configure(table, request),
        "filter": filters,
        "is_filtered": bool(filters.changed_data),
        "may_import": bool(scopes.reach(request.user, P.IMPORT_ROSTER)),
    }
    return render(request, "students/pupil_list.html", context)


def _default_term() -> int | str:
    term = terms.current()
    return term.pk if term else ""


def _chosen(user: User, filters: PupilFilter, *, is_counting: bool = False) -> QuerySet[Enrolment]:
    filters.is_valid()
    chosen = filters.cleaned_data  # without a field that could not be read; the form says so beside it
    rows = scopes.within(Enrolment.objects.all(), user, P.VIEW_PUPILS, unit="")
    rows = rows.filter(term=chosen.get("term") or terms.current())
    for name in ("school", "school_class"):
        if chosen.get(name):  # by its path, which the index of the term holds
            rows = rows.filter(path__below=chosen[name].path)
    for name in ("boarding",):
        if chosen.get(name):
            rows = rows.filter(**{name: chosen[name]})
    match chosen.get("standing") or "open":
        case "open":
            rows = enrolment.open_only(rows)
        case "left":
            rows = rows.exclude(standing__in=OPEN_STANDINGS)
        case "present" | "suspended" as standing:
            rows = rows.filter(standing=standing)
    if account := chosen.get("account"):
        rows = _still_ours(rows.filter(bank_accounts.LACKS[account]()), user)
    if category := chosen.get("category"):
        kinds = [kind.pk for kind in Category.objects.filter(Q(pk=category.pk) | Q(maps_to=category))]
        of_kind = _in_force().filter(category__in=kinds).order_by()
        # A county's places are sooner counted against a list of the pupils; a page's, each by itself.
        is_of_kind = Q(pupil__in=of_kind.values("pupil"))
        if not is_counting:
            is_of_kind = Q(Exists(of_kind.filter(pupil=OuterRef("pupil"))))
        rows = _still_ours(rows.filter(is_of_kind), user)
    return rows


def _still_ours(rows: QuerySet[Enrolment], user: User) -> QuerySet[Enrolment]:
    """Without pupils who are elsewhere now: what is recorded of them since is not this reader's to ask."""
    if scopes.whole_counties(scopes.reach(user, P.VIEW_PUPILS)):
        return rows
    now = enrolment.current_only(Enrolment.objects.filter(pupil=OuterRef("pupil")))
    return rows.filter(Exists(scopes.within(now, user, P.VIEW_PUPILS, unit="")))


def _shown(rows: QuerySet[Enrolment]) -> QuerySet[Enrolment]:
    """The rows of one page, with what its columns show."""
    kinds = _in_force().select_related("category")
    now = enrolment.current_only(Enrolment.objects.filter(pupil=OuterRef("pupil")))
    account = BankAccount.objects.filter(pupil=OuterRef("pupil"), ends_on__isnull=True)
    return (
        rows.select_related("pupil", "school")
        .prefetch_related(Prefetch("pupil__circumstances", queryset=kinds, to_attr="circumstances_now"))
        .annotate(
            has_account=Exists(account),
            is_verified=Exists(account.filter(verified_on__isnull=False)),
            now_path=Subquery(now.values("path")[:1]),
        )
    )


def _in_force() -> QuerySet[Circumstance]:
    today = clock.today()
    return Circumstance.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gte=today), valid_from__lte=today)


def fetch_place(user: User, pupil: UUID, may: P | None = None) -> Enrolment:
    """Where the pupil is now, for somebody within whose scope that lies; else 404, or 403 without `may`."""
    places = enrolment.current_only(Enrolment.objects.all())
    places = places.select_related("pupil__county", "term", "school", "school_class__school_class")
    return fetch(places, user, P.VIEW_PUPILS, unit="school_class", may=may, pupil_id=pupil)


@require_safe
@desk(P.VIEW_PUPILS)
def pupil(request: HttpRequest, pk: UUID) -> HttpResponse:
    place = fetch_place(request.user, pk)
    today = clock.today()
    circumstances = list(
        place.pupil.circumstances.select_related("category__maps_to", "evidence_file__uploaded_by", "recorded_by")
    )
    kinds = {category.pk: category for category in Category.objects.all()}
    for circumstance in circumstances:
        circumstance.has_ended = bool(circumstance.valid_to and circumstance.valid_to < today)
        circumstance.counts_as = enrolment.kind_on(kinds[circumstance.category_id], kinds, today)
    accounts = list(place.pupil.accounts.select_related("recorded_by", "verified_by"))
    for row in accounts:
        row.pupil = place.pupil
    account = next((row for row in accounts if row.ends_on is None), None)
    context = {
        "place": place,
        "pupil": place.pupil,
        "circumstances": circumstances,
        "account": account,
        "account_doubts": bank_accounts.doubts(account) if account else [],
        "verify": VerifyForm(initial={"on": today}),
        "past_accounts": [row for row in accounts if row.ends_on],
        "enrolments": _enrolments(place, request.user),
        "corrections": place.pupil.id_corrections.select_related("by", "evidence_file__uploaded_by"),
        "changes": changes.history(place.pupil, request.user),
        "may_change": place.ends_on is None and bool(changes.kinds_for(place, by=request.user)),
        **_may(request.user, place),
    }
    return render(request, "students/pupil.html", context)


def _enrolments(place: Enrolment, user: User) -> list[Enrolment]:
    """All the pupil's, newest first; which other school it was is only the county's knowledge (`is_told`)."""
    rows = list(place.pupil.enrolments.select_related("term", "school").order_by("-term__key", "-starts_on"))
    for row in rows:
        row.is_told = row.school_id == place.school_id or scopes.allows(user, P.VIEW_PUPILS, row.school)
    return rows


def _may(user: User, place: Enrolment) -> dict[str, bool]:
    may_edit = scopes.allows(user, P.EDIT_PUPILS, place.school_class)
    may_reveal = scopes.allows(user, P.REVEAL_IDENTITY, place.school)
    return {
        "may_edit": may_edit,
        "may_correct_class": scopes.allows(user, P.RECORD_CHANGES, place.school_class),
        "may_change_account": scopes.allows(user, P.EDIT_PUPILS, place.school),
        "may_reveal": may_reveal,
        "may_correct_id": scopes.allows(user, P.RECORD_CHANGES, place.pupil.county),
        "may_read_evidence": may_edit or may_reveal,
    }


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_PUPILS)
def pupil_find(request: HttpRequest) -> HttpResponse:
    """The search box of every page sends here (POST); what it found is a page of its own (GET)."""
    if request.method == "POST":
        return _look_for(request)
    kept = request.session.get(_SESSION_KEY)
    query = search.Query(**kept) if kept else None
    found = search.find(request.user, query) if query else search.Found()
    context = {"query": query, "found": found, "most_shown": search.MOST_SHOWN}
    return render(request, "students/pupil_find.html", context)


def _look_for(request: HttpRequest) -> HttpResponse:
    """Keep what is looked for in the session: nothing of a person may stand in an address."""
    form = PupilSearch(request.POST)
    query = search.read_query(form.cleaned_data["q"]) if form.is_valid() else None
    if query is None:
        request.session.pop(_SESSION_KEY, None)
        return redirect("pupil_find")
    request.session[_SESSION_KEY] = query.as_session()
    found = search.find(request.user, query)
    if found.only:
        return redirect("pupil", found.only.pupil_id)
    if len(found.classes) == 1:
        unit = found.classes[0]
        return redirect(f"{reverse('pupils')}?{urlencode({'school': unit.parent_id, 'school_class': unit.pk})}")
    return redirect("pupil_find")


@require_http_methods(["GET", "POST"])
@never_cache
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
            for warning in bank_accounts.doubts(account, form.cleaned_data["number"]):
                messages.warning(request, warning)
            return redirect("pupil", pk)
    context = {"form": form, "pupil": place.pupil, "place": place, "account": bank_accounts.current(place.pupil)}
    return render(request, "students/account_change.html", context)


@require_POST
@desk(P.EDIT_PUPILS)
def account_verify(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Holder and number were compared with the card, the passbook or the bank's answer."""
    place = fetch_place(request.user, pk)
    require(request.user, P.EDIT_PUPILS, place.school)
    form = VerifyForm(request.POST)
    try:
        if not form.is_valid():
            raise ValidationError("请填核验日期，例如 2026-10-12。")
        account = bank_accounts.verify(bank_accounts.in_use(place.pupil), on=form.cleaned_data["on"], by=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, f"已登记：{cn_date(account.verified_on)}核验无误。更换账户后要重新核验。")
    return redirect("pupil", pk)
