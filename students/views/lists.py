"""The desk of comparison lists: what came in, what it says, what changed, who is who, what to look into."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import Count, Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from accounts import access, scopes
from accounts.access import desk, fetch
from accounts.models import Unit, User
from accounts.paging import KeysFirst
from accounts.roles import Permission as P
from documents.models import Upload
from documents.uploadlimit import takes

from .. import enrolment, list_matching, list_profiles, list_versions, lists, rechecks, tasks
from ..list_forms import DifferenceFilter, ListUploadForm, ProfileEditor, RecheckFilter, RecheckForm
from ..lists import HELD
from ..models import Enrolment, ListEntry, ListMatch, ListProfile, ListSource, ListVersion, Recheck

PER_PAGE = 50
_STATES = ListVersion.State
_RUNNING = (_STATES.QUEUED, _STATES.READING, _STATES.TAKING)


# --- the lists -------------------------------------------------------------------------------------


@require_GET
@desk(P.VIEW_REGISTER)
def list_profiles_page(request: HttpRequest) -> HttpResponse:
    """Every list with its newest version; what is being read or waits for a word stands above."""
    user = _user(request)
    counties = _counties(user)
    is_county = _is_county(user)
    profiles = list(ListProfile.objects.filter(county__in=counties).select_related("source"))
    versions = ListVersion.objects.filter(profile__in=profiles).defer("findings").select_related("profile")
    newest: dict[int, ListVersion] = {}
    taken: dict[int, int] = {}
    for version in versions.filter(state=_STATES.TAKEN).order_by("-as_of"):
        newest.setdefault(version.profile_id, version)
        taken[version.profile_id] = taken.get(version.profile_id, 0) + 1
    rows = [
        {"profile": each, "newest": newest.get(each.pk), "versions": taken.get(each.pk, 0)}
        for each in profiles
        if each.is_active or is_county
    ]
    mine = scopes.within(versions, user, P.COMPARE_LISTS, unit="profile__county")
    waiting = mine.filter(state__in=(_STATES.READ, _STATES.FAILED, *_RUNNING))
    context = {"rows": rows, "waiting": waiting, **_frame(user, "lists")}
    return render(request, "students/list_list.html", context)


@require_http_methods(["GET", "POST"])
@desk(P.COMPARE_LISTS)
@takes(Upload.Kind.LIST)
def list_upload(request: HttpRequest) -> HttpResponse:
    counties = [unit.pk for unit in _own_counties(_user(request))]
    form = ListUploadForm(request.POST or None, request.FILES or None, counties=counties)
    if request.method == "POST" and form.is_valid():
        file, profile, as_of = (form.cleaned_data[name] for name in ("file", "profile", "as_of"))
        try:
            version = list_versions.upload(file, profile=profile, as_of=as_of, by=_user(request))
        except ValidationError as refusal:
            _refuse(form, refusal)
        else:
            if version.state in _RUNNING:
                tasks.nudge_lists()
            return redirect("list_version", version.pk)
    has_profiles = ListProfile.objects.filter(county__in=counties, is_active=True).exists()
    return render(request, "students/list_upload.html", {"form": form, "has_profiles": has_profiles})


@require_GET
@desk(P.VIEW_REGISTER)
def list_version(request: HttpRequest, pk: UUID) -> HttpResponse:
    version = _version(request, pk)
    user = _user(request)
    if version.state in _RUNNING:
        return render(request, "students/list_progress.html", {"version": version})
    held = list_matching.about_ours(ListMatch.objects.filter(version=version, state__in=HELD), user, P.VIEW_REGISTER)
    page = _page(request, held.order_by("entry_id"), "entry__category", "pupil")
    places = _places([match.pupil_id for match in page])
    before, after = list_matching.neighbours(version)
    context = {
        "version": version,
        "page": page,
        "rows": [{"match": match, "place": places.get(match.pupil_id)} for match in page],
        "before": before,
        "after": after,
        "findings": version.findings if _may_compare(user) else [],
        "is_county": _is_county(user),
        "may_compare": _may_compare(user),
    }
    return render(request, "students/list_version.html", context)


@require_GET
@desk(P.COMPARE_LISTS)
def list_progress(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The part of the page that changes while a large list is worked on; the whole page anew once it is done."""
    version = _version(request, pk)
    if version.state not in _RUNNING:
        return HttpResponseClientRefresh()
    return render(request, "students/_list_progress.html", {"version": version})


@require_POST
@desk(P.COMPARE_LISTS)
def list_take(request: HttpRequest, pk: UUID) -> HttpResponse:
    version = _version(request, pk, may=P.COMPARE_LISTS)
    try:
        is_checked = request.POST.get("checked") == "yes"
        version = list_versions.take(version, is_checked=is_checked, by=_user(request))
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    else:
        if version.state == _STATES.TAKING:
            tasks.nudge_lists()
        else:
            pupils, given, opened = (version.summary[name] for name in ("pupils", "given", "rechecks"))
            said = f"已采用：名单上有本县学生 {pupils} 人，新登记困难类别 {given} 条，给学校的复核任务 {opened} 项。"
            messages.success(request, said)
    return redirect("list_version", pk)


@require_POST
@desk(P.COMPARE_LISTS)
def list_discard(request: HttpRequest, pk: UUID) -> HttpResponse:
    version = _version(request, pk, may=P.COMPARE_LISTS)
    try:
        list_versions.discard(version, by=_user(request))
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("list_version", pk)
    messages.success(request, "已放弃这份名单，文件和读到的内容已删除，学生名册没有改动。")
    return redirect("lists")


@require_POST
@desk(P.COMPARE_LISTS)
def lists_match_again(request: HttpRequest) -> HttpResponse:
    given = sum(list_versions.match_again(county, by=_user(request)) for county in _own_counties(_user(request)))
    messages.success(request, f"已用现在的学生名册重新比对全部名单，新登记困难类别 {given} 条。")
    return redirect("lists")


# --- differences -----------------------------------------------------------------------------------

_SIDES = (("came", "新进"), ("left", "退出"), ("changed", "标识变化"))


@require_GET
@desk(P.VIEW_REGISTER)
def list_differences(request: HttpRequest, pk: int) -> HttpResponse:
    """Two versions of one list beside each other: who came in, who left, whose flags changed."""
    user = _user(request)
    profile = get_object_or_404(ListProfile.objects.select_related("source"), pk=pk, county__in=_counties(user))
    versions = ListVersion.objects.filter(profile=profile, state=_STATES.TAKEN).defer("findings").order_by("-as_of")
    schools = _schools(user)
    form = DifferenceFilter(
        _with_defaults(request, versions), versions=versions, schools=schools, may_see_all=_may_compare(user)
    )
    context: dict[str, Any] = {"profile": profile, "filter": form, "version_count": len(versions)}
    if len(versions) > 1 and form.is_valid():
        chosen = form.cleaned_data
        before, after = sorted((chosen["before"], chosen["after"]), key=lambda version: version.as_of)
        sides = _sides(user, before, after, school=chosen.get("school"), everybody=chosen.get("who") == "all")
        kind = request.GET.get("kind", "")
        kind = kind if kind in sides else "came"
        page = _page(request, sides[kind], "category", prefetch=_held_of(), asks_once=True)
        counted = {key: page.paginator.count if key == kind else rows.count() for key, rows in sides.items()}
        context |= {
            "before": before,
            "after": after,
            "kind": kind,
            "tabs": [(key, label, counted[key]) for key, label in _SIDES],
            "page": page,
            "rows": _difference_rows(page, before if kind == "changed" else None),
        }
    return render(request, "students/list_differences.html", context)


def _sides(
    user: User, before: ListVersion, after: ListVersion, *, school: Unit | None, everybody: bool
) -> dict[str, QuerySet[ListEntry]]:
    """The entries of each kind of difference that the reader may see, or asked for."""
    sides = {
        "came": (list_matching.came_in(before, after), after),
        "left": (list_matching.came_in(after, before), before),
        "changed": (list_matching.changed(before, after), after),
    }
    if everybody and school is None and _may_compare(user):
        return {key: rows for key, (rows, _) in sides.items()}
    # Every pupil on a county's list is the county's: where each is now need not be asked.
    is_theirs = school is None and scopes.whole_counties(scopes.reach(user, P.VIEW_REGISTER))
    held = ListMatch.objects.filter(version__in=(before, after), state__in=HELD)
    ours = None if is_theirs else list_matching.pupils_now_in(_places_of(user, school), held)
    return {key: list_matching.of_pupils(rows, version, ours) for key, (rows, version) in sides.items()}


def _with_defaults(request: HttpRequest, versions: QuerySet[ListVersion]) -> dict[str, Any]:
    newest = [str(version.pk) for version in versions[:2]]
    defaults = {"after": newest[0], "before": newest[1], "who": "pupils"} if len(newest) == 2 else {}
    return defaults | request.GET.dict()


def _held_of() -> Prefetch:
    held = ListMatch.objects.filter(state__in=HELD).select_related("pupil")
    return Prefetch("matches", queryset=held, to_attr="held")


def _difference_rows(page: Page, before: ListVersion | None) -> list[dict[str, Any]]:
    places = _places([match.pupil_id for entry in page for match in entry.held])
    old: dict[str, ListEntry] = {}
    if before:
        wanted = [entry.person_index for entry in page]
        for entry in ListEntry.objects.filter(version=before, person_index__in=wanted).select_related("category"):
            old.setdefault(entry.person_index, entry)
    return [
        {
            "entry": entry,
            "pupil": entry.held[0].pupil if entry.held else None,
            "place": places.get(entry.held[0].pupil_id) if entry.held else None,
            "was": rechecks.entry_in_words(old[entry.person_index]) if entry.person_index in old else "",
            "now": rechecks.entry_in_words(entry),
        }
        for entry in page
    ]


# --- who is who ------------------------------------------------------------------------------------


@require_GET
@desk(P.VIEW_REGISTER)
def list_proposals(request: HttpRequest) -> HttpResponse:
    """Persons on a list who may be one of our pupils: same name and birth date, another number or none."""
    user = _user(request)
    rows = list_versions.proposals_for(user, P.VIEW_REGISTER)
    page = _page(
        request, rows.order_by("entry_id", "pk"), "version__profile__source", "entry__category", "pupil", asks_once=True
    )
    places = _places([match.pupil_id for match in page])
    others = dict(
        ListMatch.objects.filter(state=ListMatch.State.PROPOSED, entry__in=[match.entry_id for match in page])
        .order_by()
        .values_list("entry")
        .annotate(n=Count("*"))
    )
    shown = [
        {"match": match, "place": places.get(match.pupil_id), "others": others.get(match.entry_id, 1) - 1}
        for match in page
    ]
    context = {"page": page, "rows": shown, **_frame(user, "list_proposals")}
    return render(request, "students/list_proposals.html", context)


@require_POST
@desk(P.SETTLE_CONCERNS)
def list_decide(request: HttpRequest, pk: int) -> HttpResponse:
    user = _user(request)
    rows = list_matching.about_ours(ListMatch.objects.filter(pk=pk), user, P.SETTLE_CONCERNS)
    match = get_object_or_404(rows.select_related("version__profile__county", "pupil"))
    answer = request.POST.get("same")
    if answer not in ("yes", "no"):
        messages.error(request, "请选择“是同一人”或“不是同一人”。")
        return redirect("list_proposals")
    try:
        list_versions.decide(match, is_same=answer == "yes", by=user)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    else:
        said = "已确认是同一人，名单给出的困难类别已登记" if answer == "yes" else "已记下不是同一人"
        messages.success(request, f"{match.pupil.name}：{said}。以后的名单不再重复询问。")
    return redirect("list_proposals")


# --- tasks -----------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_REGISTER)
def rechecks_page(request: HttpRequest) -> HttpResponse:
    """Open tasks first; the ticked ones can be confirmed together."""
    user = _user(request)
    if request.method == "POST":
        return _settle_many(request)
    rows = scopes.within(Recheck.objects.all(), user, P.VIEW_REGISTER, unit="school")
    choice = RecheckFilter(request.GET, schools=_schools(user))
    page = _page(request, choice.narrow(rows), "pupil", "school", "version__profile__source", "settled_by")
    places = _places([task.pupil_id for task in page])
    shown = [
        {
            "task": task,
            "place": places.get(task.pupil_id),
            "was": rechecks.in_words(task.before),
            "now": rechecks.in_words(task.after),
        }
        for task in page
    ]
    context = {
        "page": page,
        "rows": shown,
        "filter": choice,
        **_frame(user, "rechecks"),
    }
    context["has_open"] = context["may_settle"] and any(task.state == Recheck.State.OPEN for task in page)
    return render(request, "students/recheck_list.html", context)


def _settle_many(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    if not scopes.reach(user, P.SETTLE_CONCERNS):
        raise PermissionDenied(access.refusal(P.SETTLE_CONCERNS))
    rows = scopes.within(Recheck.objects.all(), user, P.SETTLE_CONCERNS, unit="school")
    keys = [int(key) for key in request.POST.getlist("task")[:PER_PAGE] if key.isdecimal() and len(key) < 19]
    chosen = list(rows.filter(pk__in=keys).select_related("school", "pupil", "version__profile"))
    if not chosen:
        messages.error(request, "请先勾选要确认的任务。")
        return redirect("rechecks")
    done, left = rechecks.confirm_plain(chosen, by=user)
    if done:
        messages.success(request, f"已确认 {done} 项。")
    if left:
        messages.warning(request, f"{left} 项没有办：它们会结束或登记困难类别，请逐项点“复核”写明日期。")
    return redirect("rechecks")


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_REGISTER)
def recheck(request: HttpRequest, pk: int) -> HttpResponse:
    tasks_ = Recheck.objects.select_related("pupil", "school", "version__profile__source", "settled_by")
    may = P.SETTLE_CONCERNS if request.method == "POST" else None
    task = fetch(tasks_, _user(request), P.VIEW_REGISTER, unit="school", may=may, pk=pk)
    is_elsewhere = rechecks.is_elsewhere(task)
    # Of a pupil who has moved, the school of the task is told nothing more: all it can do is to hand the task over.
    confirmed, mistaken = (
        rechecks.Effects() if is_elsewhere else rechecks.effects_of(task, outcome)
        for outcome in (Recheck.Outcome.CONFIRMED, Recheck.Outcome.MISTAKEN)
    )
    # A list that says when the risk ended knows the day better than the calendar does.
    standings = [] if is_elsewhere else lists.standing_on_lists([task.pupil_id]).get(task.pupil_id, [])
    day = max((row.valid_to for row in standings if row.denies and row.valid_to), default=None)
    form = RecheckForm(request.POST or None, kind=task.kind, day=day, **_day_of(confirmed, mistaken))
    if request.method == "POST" and form.is_valid():
        try:
            settled = rechecks.settle(
                task,
                outcome=form.cleaned_data["outcome"],
                note=form.cleaned_data["note"],
                on=form.cleaned_data.get("on"),
                by=_user(request),
            )
        except ValidationError as refusal:
            _refuse(form, refusal)
        else:
            is_open = settled.state == Recheck.State.OPEN
            messages.success(request, f"{task.pupil.name}：{'已转给现在的学校复核' if is_open else '已复核'}。")
            return redirect("rechecks")
    place = _places([task.pupil_id]).get(task.pupil_id)
    context = {
        "task": task,
        "form": form if scopes.allows(_user(request), P.SETTLE_CONCERNS, task.school) else None,
        "place": place,
        "may_open_pupil": place is not None and scopes.allows(_user(request), P.VIEW_PUPILS, place.school_class),
        "was": rechecks.in_words(task.before),
        "now": rechecks.in_words(task.after),
        "confirmed": confirmed,
        "mistaken": mistaken,
        "standings": standings,
        "is_elsewhere": is_elsewhere,
        "alike": rechecks.asked_alike(task) if task.state == Recheck.State.OPEN and not is_elsewhere else [],
    }
    return render(request, "students/recheck.html", context)


def _day_of(confirmed: rechecks.Effects, mistaken: rechecks.Effects) -> dict[str, str]:
    """What the day on the form is, if the form asks for one."""
    if confirmed.ends or mistaken.ends:
        hint = "困难类别在这一天最后一次有效，次日起不再计算；已提交的申请不受影响。"
        return {"day_label": "最后一天", "day_help": hint}
    hint = "困难类别从这一天起有效。" if confirmed.gives else ""
    return {"day_label": "从哪一天起", "day_help": hint}


# --- sources and contradictions --------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_REGISTER)
def list_sources(request: HttpRequest) -> HttpResponse:
    """Which office is heard where two differ; and the pupils of whom they do differ. The county's own page."""
    user = _user(request)
    county = _own_counties(user, P.VIEW_REGISTER if request.method == "GET" else P.COMPARE_LISTS)[0]
    sources = list(ListSource.objects.filter(county=county).annotate(n=Count("profiles")))
    if request.method == "POST":
        try:
            list_profiles.rank_sources(county, _wanted_order(request, sources), by=user)
        except ValidationError as refusal:
            messages.error(request, " ".join(refusal.messages))
        else:
            messages.success(request, "优先顺序已保存，名单不一致的地方已按新的顺序重新判断。")
        return redirect("list_sources")
    page = _page(request, lists.contradicted_pupils(county))
    standings = lists.standing_on_lists([pupil.pk for pupil in page])
    places = _places([pupil.pk for pupil in page])
    rows = [
        {
            "pupil": pupil,
            "place": places.get(pupil.pk),
            "whys": sorted({row.why for row in standings.get(pupil.pk, []) if row.why}),
        }
        for pupil in page
    ]
    context = {"sources": sources, "page": page, "rows": rows, **_frame(user, "list_sources")}
    return render(request, "students/list_sources.html", context)


def _wanted_order(request: HttpRequest, sources: list[ListSource]) -> list[str]:
    """Names by the numbers typed beside them; what is no number keeps its place."""

    def position(source: ListSource, present: int) -> tuple[int, int]:
        typed = request.POST.get(f"order-{source.pk}", "")
        return (int(typed) if typed.isdecimal() and len(typed) < 6 else present, present)

    ordered = sorted(enumerate(sources, start=1), key=lambda pair: position(pair[1], pair[0]))
    new = request.POST.get("new", "").strip()
    return [source.name for _, source in ordered] + ([new] if new else [])


# --- profiles --------------------------------------------------------------------------------------


@require_POST
@desk(P.COMPARE_LISTS)
def list_profiles_load(request: HttpRequest) -> HttpResponse:
    added = sum(list_profiles.load(county, by=_user(request)) for county in _own_counties(_user(request)))
    messages.success(request, f"已载入 {added} 种常用名单的格式，可以上传名单了。")
    return redirect("lists")


@require_http_methods(["GET", "POST"])
@desk(P.COMPARE_LISTS)
@takes(Upload.Kind.LIST)
def list_profile_add(request: HttpRequest) -> HttpResponse:
    return _edit(request, None, _own_counties(_user(request))[0])


@require_http_methods(["GET", "POST"])
@desk(P.COMPARE_LISTS)
@takes(Upload.Kind.LIST)
def list_profile_edit(request: HttpRequest, pk: int) -> HttpResponse:
    profile = fetch(ListProfile.objects.select_related("county"), _user(request), P.COMPARE_LISTS, unit="county", pk=pk)
    return _edit(request, profile, profile.county)


def _edit(request: HttpRequest, profile: ListProfile | None, county: Unit) -> HttpResponse:
    editor = ProfileEditor(request.POST if request.method == "POST" else None, county=county, profile=profile)
    trial = None
    if request.method == "POST" and editor.is_valid():
        if "try" in request.POST:
            trial = _try_out(request, editor)
        else:
            plain = editor.form.cleaned_data
            try:
                saved = list_profiles.save_profile(
                    profile,
                    county=county,
                    name=plain["name"],
                    source=plain["source"],
                    layout=editor.layout,
                    meaning=editor.meaning,
                    is_active=plain["is_active"],
                    by=_user(request),
                )
            except ValidationError as refusal:
                _refuse(editor.form, refusal)
            else:
                messages.success(request, f"“{saved.name}”的格式已保存，以后上传的名单按它读取。")
                return redirect("lists")
    context = {"profile": profile, "editor": editor, "trial": trial}
    return render(request, "students/list_profile_edit.html", context)


def _try_out(request: HttpRequest, editor: ProfileEditor) -> list_versions.Trial | None:
    file = request.FILES.get("file")
    if file is None:
        editor.form.add_error(None, "试读要先选一个名单文件。")
        return None
    layout, meaning = editor.layout_and_meaning()
    try:
        return list_versions.try_out(file, layout=layout, meaning=meaning)
    except ValidationError as refusal:
        _refuse(editor.form, refusal)
        return None


# --- who sees what ---------------------------------------------------------------------------------


def _user(request: HttpRequest) -> User:
    return request.user  # type: ignore[return-value]


def _frame(user: User, here: str) -> dict[str, Any]:
    """The tabs above every page of the desk, and what they lead to; what the reader may do there."""
    seen = scopes.within(Recheck.objects.filter(state=Recheck.State.OPEN), user, P.VIEW_REGISTER, unit="school")
    return {
        "here": here,
        "is_county": _is_county(user),
        "may_compare": _may_compare(user),
        "open_rechecks": seen.count(),
        "may_settle": bool(scopes.reach(user, P.SETTLE_CONCERNS)),
    }


def _is_county(user: User) -> bool:
    """Whether the user looks at the lists for a whole county."""
    return any(path.count("/") == 1 for path in scopes.reach(user, P.VIEW_REGISTER))


def _may_compare(user: User) -> bool:
    """Whether the user brings lists in. Only then is anybody shown on a list who is no pupil."""
    return bool(scopes.reach(user, P.COMPARE_LISTS))


def _own_counties(user: User, permission: P = P.COMPARE_LISTS) -> list[Unit]:
    """The whole counties over which the user holds the permission; PermissionDenied without one."""
    units = scopes.within(Unit.objects.filter(level=Unit.Level.COUNTY), user, permission, unit="")
    found = list(units.order_by("path"))
    if not found:
        raise PermissionDenied(access.refusal(P.COMPARE_LISTS))
    return found


def _counties(user: User) -> set[int]:
    """Counties whose lists the user may hear of: those the user's units lie in."""
    return {int(path.split("/", 1)[0]) for path in scopes.reach(user, P.VIEW_REGISTER)}


def _version(request: HttpRequest, pk: UUID, may: P | None = None) -> ListVersion:
    """A version the reader may see: every one for who brings lists in, those that were taken for the others."""
    user = _user(request)
    rows = ListVersion.objects.select_related("profile__source", "profile__county", "read_by", "taken_by", "file")
    version = get_object_or_404(rows.filter(profile__county__in=_counties(user)), pk=pk)
    county = version.profile.county
    if version.state != _STATES.TAKEN and not scopes.allows(user, P.COMPARE_LISTS, county):
        raise Http404
    if may is not None:
        access.require(user, may, county)
    return version


def _places_of(user: User, school: Unit | None) -> QuerySet[Enrolment]:
    """Places at the reader's schools, of any term; at one of them, if given."""
    places = enrolment.at_schools(user, P.VIEW_REGISTER)
    return places.filter(path__below=school.path) if school else places


def _schools(user: User) -> QuerySet[Unit]:
    units = Unit.objects.filter(level=Unit.Level.SCHOOL, is_active=True)
    return scopes.within(units, user, P.VIEW_REGISTER, unit="").order_by("path")


def _places(pupils: list[UUID]) -> dict[UUID, Enrolment]:
    rows = enrolment.current_only(Enrolment.objects.filter(pupil__in=set(pupils)))
    return {row.pupil_id: row for row in rows.select_related("school", "school_class").order_by()}


def _page(
    request: HttpRequest, rows: QuerySet, *related: str, prefetch: Prefetch | None = None, asks_once: bool = False
) -> Page:
    """One page of the rows, with the related records that are named."""
    more = [prefetch] if prefetch else []
    listed = KeysFirst(
        rows, detail=lambda shown: shown.select_related(*related).prefetch_related(*more), asks_once=asks_once
    )
    page = Paginator(listed, PER_PAGE).get_page(request.GET.get("page"))
    page.prefixed_page_field, page.prefix = "page", ""  # what the pager of the tables asks for
    return page


def _refuse(form: Any, refusal: ValidationError) -> None:
    """Put a verb's refusal on the form: at its field where the form has it, else above."""
    if hasattr(refusal, "error_dict"):
        for name, errors in refusal.error_dict.items():
            form.add_error(name if name in form.fields else None, errors)
    else:
        form.add_error(None, refusal)
