"""Review meetings: recording one, reading one."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import access, audit, scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission
from documents import issuing, uploads

from .. import meeting_words, minutes, officer_checks, programmes, quota_words, review_groups, school_desk
from .. import reviews as verbs
from ..meeting_forms import MeetingForm, SignedMinutesForm, places_after
from ..models import Application, Decision, Meeting, MinutesPaper, Round
from ..school_review_forms import SchoolReviewForm
from . import results
from .desks import carried_out, find_round, find_unit, name_in, show_refusal


@require_http_methods(["GET", "POST"])
@desk(Permission.HOLD_CLASS_REVIEW, Permission.HOLD_SCHOOL_REVIEW)
def meeting_hold(request: HttpRequest, pk: UUID, level: str, unit: int) -> HttpResponse:
    round_ = find_round(request, pk)
    kind = verbs.LEVELS[level]
    place = find_unit(round_, request.user, unit, level, may=kind.permission)
    waiting = verbs.awaiting(round_, place, level)
    rule = programmes.process_rule(round_.programme, round_.term)
    seats = review_groups.seats_of(rule, level, {row.facts.get("stage", "") for row in waiting})
    # The school's meeting has an order proposed for the places, and the officer's look before it.
    of_school = level == Meeting.Level.SCHOOL
    order = school_desk.order_of(round_, place, waiting) if of_school else None
    more: dict[str, Any] = {"order": order, "checks": officer_checks.newest(waiting)} if of_school else {}
    asks_for_rows = "more" in request.POST  # nothing is checked or recorded yet: what was typed comes back
    result = results.take(request)
    form = (SchoolReviewForm if of_school else MeetingForm)(
        None if asks_for_rows else request.POST or None,
        None if asks_for_rows else request.FILES or None,
        initial=request.POST.dict() if asks_for_rows else None,
        applications=waiting,
        barred=verbs.barred(waiting, level, by=request.user),
        typed=result.get("typed"),
        verdicts=kind.steps,
        figures=[name for name, _ in meeting_words.COLUMNS[kind.method(rule)]],
        seats=seats,
        tiers=round_.programme.tiers,
        rows=places_after(request.POST.get("count", "")) if asks_for_rows else getattr(rule, kind.fewest) + 2,
        members=review_groups.who_sat_last(place, level),
        in_class=place.level == Unit.Level.CLASS,
        **more,
    )
    if request.method == "POST" and not asks_for_rows and form.is_valid():
        try:
            meeting, refused = verbs.hold_what_goes(
                round_=round_,
                unit=place,
                level=level,
                minutes=form.minutes(),
                verdicts=form.verdicts(),
                by=request.user,
            )
        except ValidationError as refusal:
            show_refusal(form, refusal)
            form.look_again()
        else:
            if meeting:
                messages.success(request, _summary(meeting))
            if results.leave(request, form, form.aside | refused, round_) or meeting is None:
                return redirect(request.path)
            return redirect("meeting", pk=meeting.pk)
    if form.is_bound and form.aside:
        result = {"rest": form.left_behind(form.aside)}
    context = {
        "round": round_,
        "unit": place,
        "level": Meeting.Level(level),
        "form": form,
        "result": result,
        "rows": list(form.rows()),
        "fewest": getattr(rule, kind.fewest),
        "seats": meeting_words.seat_words(seats),
        "method": meeting_words.method_words(kind.method(rule), kind.pass_mark(rule)),
        "attendance": rule.attendance_percent,
        "roster": review_groups.who_may_sit(round_, place) if place.level == Unit.Level.CLASS else [],
        "open_count": len(waiting) - len(form.barred),
        "places": _places(round_, place, waiting),
        "order": order,
        "progress": officer_checks.progress(waiting) if of_school else [],
    }
    return render(request, f"subsidies/{'school_review' if of_school else 'meeting_hold'}.html", context)


def _places(round_: Round, unit: Unit, waiting: list[Application]) -> quota_words.Told:
    if unit.level == Unit.Level.CLASS:
        return quota_words.for_class(round_.programme, round_.term, unit)
    classes = {row.school_class: row.class_name for row in waiting}
    return quota_words.for_meeting(round_.programme, round_.term, unit, classes)


def _summary(meeting: Meeting) -> str:
    counts = [
        f"{label} {count} 人"
        for verdict, label in Decision.Verdict.choices
        if (count := meeting.decisions.filter(verdict=verdict).count())
    ]
    return f"会议已记录：{'，'.join(counts)}。"


@require_safe
@desk(Permission.VIEW_CASES)
def meeting_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    meeting = _find(request, pk)
    members = list(meeting.members.all())
    decisions = list(meeting.decisions.select_related("application__pupil", "application__enrolment"))
    context = {
        "meeting": meeting,
        "unit_name": name_in(meeting.round, meeting.unit),
        "members": members,
        "came": sum(member.attended for member in members),
        "decisions": decisions,
        "figures": [(name, word) for name, word in meeting_words.FIGURES.items() if _any(decisions, name)],
        "has_tiers": any(decision.tier for decision in decisions),
        "photos": meeting.photos.select_related("uploaded_by"),
        "paper": MinutesPaper.objects.filter(meeting=meeting).select_related("document").first(),
        "signed": meeting.signed_copies.select_related("scan__uploaded_by"),
        "may_record": scopes.allows(request.user, verbs.LEVELS[meeting.level].permission, meeting.unit),
    }
    return render(request, "subsidies/meeting_detail.html", context)


def _any(decisions: list[Decision], figure: str) -> bool:
    return any(getattr(decision, figure) is not None for decision in decisions)


def _find(request: HttpRequest, pk: UUID, may: Permission | None = None) -> Meeting:
    rows = Meeting.objects.select_related("round__programme", "round__term", "unit__parent", "recorded_by")
    return access.fetch(rows, request.user, Permission.VIEW_CASES, unit="unit", may=may, pk=pk)


@require_safe
@desk(Permission.HOLD_CLASS_REVIEW)
def class_review_sheet(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    """The names a class review sits over, to print or to show: without a word about the families."""
    return _sheet(request, pk, unit, "class")


@require_safe
@desk(Permission.HOLD_SCHOOL_REVIEW)
def school_review_sheet(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    """The same for the school's committee, on which parents and people of the village sit."""
    return _sheet(request, pk, unit, "school")


def _sheet(request: HttpRequest, pk: UUID, unit: int, level: str) -> HttpResponse:
    round_ = find_round(request, pk)
    place = find_unit(round_, request.user, unit, level, may=verbs.LEVELS[level].permission)
    try:
        paper = minutes.sheet(round_, place, level, by=request.user)
    except ValidationError as refusal:
        messages.error(request, "".join(refusal.messages))
        return redirect(f"{level}_review", pk=pk, unit=unit)
    response = HttpResponse(paper, content_type=uploads.PDF)
    words = f"{place.name}_{Meeting.Level(level).label}用名单.pdf"
    response["Content-Disposition"] = content_disposition_header(False, words)
    return response


@require_POST
@desk(Permission.VIEW_CASES)
def meeting_minutes(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The minutes to be signed (POST, because each reading is recorded)."""
    meeting = _find(request, pk)
    try:
        return issuing.serve(minutes.read(meeting, by=request.user), inline=True)
    except ValidationError as refusal:
        messages.error(request, "".join(refusal.messages))
        return redirect("meeting", pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@desk(Permission.HOLD_CLASS_REVIEW, Permission.HOLD_SCHOOL_REVIEW)
def meeting_sign(request: HttpRequest, pk: UUID) -> HttpResponse:
    meeting = _find(request, pk)
    access.require(request.user, verbs.LEVELS[meeting.level].permission, meeting.unit)
    form = SignedMinutesForm(request.POST or None, request.FILES or None)
    if carried_out(request, form, lambda: minutes.sign(meeting, form.cleaned_data["scan"], by=request.user)):
        messages.success(request, "签字后的会议记录已上传。")
        return redirect("meeting", pk=pk)
    context = {"meeting": meeting, "unit_name": name_in(meeting.round, meeting.unit), "form": form}
    return render(request, "subsidies/meeting_sign.html", context)


@require_safe
@desk(Permission.VIEW_CASES)
def signed_minutes(request: HttpRequest, pk: UUID, copy: int) -> HttpResponse:
    meeting = _find(request, pk)
    row = get_object_or_404(meeting.signed_copies.select_related("scan"), pk=copy)
    if uploads.wants_preview(request):
        return uploads.serve_preview(row.scan)
    audit.record("meeting.read_signed", meeting, by=request.user, unit=meeting.unit)
    return uploads.serve(row.scan, inline=True)


@require_safe
@desk(Permission.VIEW_CASES)
def meeting_photo(request: HttpRequest, pk: UUID, photo: UUID) -> HttpResponse:
    meeting = _find(request, pk)
    upload = meeting.photos.filter(pk=photo).first()
    if upload is None:
        raise Http404
    if uploads.wants_preview(request):
        return uploads.serve_preview(upload)
    # It may be a signed page, with what was said of each pupil.
    audit.record("meeting.read_photo", meeting, by=request.user, unit=meeting.unit, photo=upload.pk)
    return uploads.serve(upload, inline=True)
