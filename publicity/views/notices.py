"""Notices: the list, publishing one, one with its lines, its photograph, taking it down."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_tables2 import RequestConfig, Table

from accounts import access, paging, scopes, typed
from accounts.access import desk
from accounts.models import Unit
from accounts.paging import NewestFirst
from accounts.roles import Permission
from documents import issuing, uploads
from subsidies.views.desks import find_round, find_unit, show_refusal

from .. import notices as verbs
from ..forms import NoticeFilter, NoticeForm, PhotoForm
from ..models import Notice
from ..tables import LineTable, NoticeTable, PublicLineTable, standing

ROWS_PER_PAGE = 50
# Who may publish at all: a school's list, or a class's in its classroom.
_EITHER = (Permission.PUBLISH_NOTICE, Permission.PUBLISH_CLASS_NOTICE)


@require_GET
@desk(Permission.VIEW_CASES)
def notice_list(request: HttpRequest) -> HttpResponse:
    wanted = NoticeFilter(request.GET)
    rows = verbs.listed(request.user)
    if wanted.is_valid():
        text, state = wanted.cleaned_data["q"], wanted.cleaned_data["state"]
        rows = rows.filter(Q(title__icontains=text) | Q(school__name__icontains=text)) if text else rows
        rows = rows.filter(state=state) if state else rows
    listed = NewestFirst(rows, detail=verbs.with_counts)
    table = paging.configure(NoticeTable(listed, open_counts=verbs.open_counts()), request)
    may_publish = bool(scopes.reach(request.user, *_EITHER))
    return render(request, "publicity/notice_list.html", {"table": table, "filter": wanted, "may_publish": may_publish})


@require_http_methods(["GET", "POST"])
@desk(*_EITHER)
def notice_new(request: HttpRequest) -> HttpResponse:
    choices = verbs.publishable(request.user)
    chosen = _chosen(request, choices)
    if chosen is None:
        return render(request, "publicity/notice_choose.html", {"choices": choices, "asked": "round" in request.GET})
    plan = verbs.preview(chosen.round, chosen.unit)
    draft = verbs.propose(chosen.round, chosen.unit)
    form = NoticeForm(request.POST or None, initial={**vars(draft), "seen": plan.digest})
    if request.method == "POST" and form.is_valid():
        try:
            notice = verbs.publish(
                chosen.round, chosen.unit, form.draft(), by=request.user, seen=form.cleaned_data["seen"]
            )
        except ValidationError as refusal:
            show_refusal(form, refusal)
            plan = verbs.preview(chosen.round, chosen.unit)
            form = form.looking_at(plan.digest)
        else:
            messages.success(request, f"公示已发布，共 {len(plan.lines)} 人。请打印张贴，并上传张贴后的照片。")
            return redirect("notice", pk=notice.pk)
    return render(request, "publicity/notice_new.html", {"chosen": chosen, "plan": plan, "form": form})


@require_POST
@desk(Permission.PUBLISH_CLASS_NOTICE)
def class_notice_skip(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    """Send on what waits for a notice in the class that the rule no longer asks for."""
    round_ = find_round(request, pk)
    school_class = find_unit(round_, request.user, unit, "class", may=Permission.PUBLISH_CLASS_NOTICE)
    try:
        count = verbs.skip_class_notice(round_, school_class, by=request.user)
    except ValidationError as refusal:
        messages.error(request, "".join(refusal.messages))
        return redirect("notice_new")
    messages.success(request, f"{school_class.name} {count} 份申请不用班级公示，已送学校评审。")
    return redirect("round", pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@desk(Permission.VIEW_CASES)
def notice_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The notice with its lines (GET); its lines narrowed by a name (POST)."""
    if request.method == "POST":
        _visible(request, pk)
        return typed.keep(request)
    return _page(request, _visible(request, pk), PhotoForm())


@require_GET
@desk(Permission.VIEW_CASES)
def notice_pdf(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The paper as it hangs on the board: public matter, so looking at it leaves no trace."""
    return issuing.serve(_visible(request, pk).document)


@require_POST
@desk(*_EITHER)
def notice_close(request: HttpRequest, pk: UUID) -> HttpResponse:
    notice = _visible(request, pk, to_act=True)
    try:
        cleared, held = verbs.close(notice, by=request.user)
    except ValidationError as refusal:
        messages.error(request, "".join(refusal.messages))
    else:
        still = f"另有 {held} 人的异议还在核查，核查完毕后单独办理。" if held else ""
        on = "送学校评审" if notice.level == Notice.Level.CLASS else "可以上报县中心"
        messages.success(request, f"公示已结束，{cleared} 人无异议，{on}。{still}请撤下张贴的名单。")
    return redirect("notice", pk=pk)


@require_http_methods(["GET", "POST"])
@desk(Permission.VIEW_CASES)
def notice_photo(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The photograph of the board (GET); a new one (POST)."""
    notice = _visible(request, pk, to_act=request.method == "POST")
    if request.method != "POST":
        if notice.photo is None:
            raise Http404
        if uploads.wants_preview(request):
            return uploads.serve_preview(notice.photo)
        return uploads.serve(notice.photo, inline=True)
    form = PhotoForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            verbs.attach_photo(notice, form.cleaned_data["file"], by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "公示照片已存档。")
            return redirect("notice", pk=pk)
    return _page(request, notice, form)


# --- small parts ----------------------------------------------------------------------------------


def _visible(request: HttpRequest, pk: UUID, *, to_act: bool = False) -> Notice:
    """The notice, if it exists for this person (404), and they may act on it where that is asked (403)."""
    rows = verbs.visible_to(request.user).select_related(
        "school",
        "school_class__parent",
        "round__programme",
        "round__term",
        "document",
        "photo__uploaded_by",
        "published_by",
        "closed_by",
    )
    notice = get_object_or_404(rows, pk=pk)
    if to_act:
        access.require(request.user, notice.permission, notice.unit)
    return notice


def _page(request: HttpRequest, notice: Notice, photo_form: PhotoForm) -> HttpResponse:
    of_school = scopes.allows(request.user, Permission.VIEW_CASES, notice.school)
    may_act = scopes.allows(request.user, Permission.PUBLISH_NOTICE, notice.school)  # on objections
    may_run = scopes.allows(request.user, notice.permission, notice.unit)
    name = typed.kept(request)
    objections = list(verbs.objections_of(notice)) if of_school else []
    open_count = verbs.open_objections(notice).count()
    context = {
        "notice": notice,
        "in_class": notice.level == Notice.Level.CLASS,
        "standing": standing(notice, open_count=open_count),
        "days": verbs.day_marks(notice),
        "line_count": notice.lines.count(),
        "table": _lines(request, notice, name, of_school=of_school, may_act=may_act),
        "names": typed.NameForm(),
        "typed": name,
        "of_school": of_school,
        "may_act": may_act,
        "may_close": may_run and notice.state == Notice.State.RUNNING and not verbs.days_left(notice),
        "close_counts": verbs.close_counts(notice),
        "objections": objections,
        "photo_form": photo_form,
        "may_photo": may_run and not (notice.photo and notice.state == Notice.State.CLOSED),
        "public_url": settings.PUBLIC_URL + reverse("notice_public", args=[notice.code])
        if verbs.is_public(notice)
        else "",
        "untouched": verbs.digest_now(notice) == notice.digest,
    }
    return render(request, "publicity/notice_detail.html", context)


def _lines(request: HttpRequest, notice: Notice, name: str, *, of_school: bool, may_act: bool) -> Table:
    """The lines as far as the person may read them; a class teacher sees what hangs on the wall."""
    rows = notice.lines.select_related("application").order_by("position")
    if name:
        rows = rows.filter(name__icontains=name)
    hidden = [] if notice.shows_amount else ["amount"]
    if not of_school:
        return _configured(PublicLineTable(rows, exclude=hidden), request)
    if not may_act or notice.state == Notice.State.CLOSED:
        hidden = [*hidden, "act"]
    return _configured(LineTable(rows, exclude=hidden), request)


def _configured(table: Table, request: HttpRequest) -> Table:
    RequestConfig(request, paginate={"per_page": ROWS_PER_PAGE}).configure(table)
    return table


def _chosen(request: HttpRequest, choices: list[verbs.Choice]) -> verbs.Choice | None:
    """Which list is meant: the one asked for by ?round=&school= (or &class=), or the only one there is."""
    if "round" not in request.GET:
        return choices[0] if len(choices) == 1 else None
    round_ = find_round(request, _uuid(request.GET["round"]))
    units = {choice.unit for choice in choices if choice.round == round_}
    for name, level, may in (
        ("school", Unit.Level.SCHOOL, Permission.PUBLISH_NOTICE),
        ("class", Unit.Level.CLASS, Permission.PUBLISH_CLASS_NOTICE),
    ):
        if name in request.GET:
            units &= {_unit(request, request.GET[name], level, may)}
    return next((c for c in choices if c.round == round_ and c.unit in units and len(units) == 1), None)


def _unit(request: HttpRequest, key: str, level: str, may: Permission) -> Unit:
    if not key.isascii() or not key.isdigit():
        raise Http404
    return access.fetch(Unit.objects.filter(level=level), request.user, may, unit="", pk=key)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None
