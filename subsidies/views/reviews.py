"""Review meetings: recording one, reading one."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts import access
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission
from documents import uploads

from .. import programmes, quota_words
from .. import reviews as verbs
from ..forms import MeetingForm
from ..models import Application, Decision, Meeting, Round
from .desks import find_round, find_unit, name_in, show_refusal


@require_http_methods(["GET", "POST"])
@desk(Permission.HOLD_CLASS_REVIEW, Permission.HOLD_SCHOOL_REVIEW)
def meeting_hold(request: HttpRequest, pk: UUID, level: str, unit: int) -> HttpResponse:
    round_ = find_round(request, pk)
    kind = verbs.LEVELS[level]
    place = find_unit(round_, request.user, unit, level, may=kind.permission)
    waiting = verbs.awaiting(round_, place, level)
    rule = programmes.process_rule(round_.programme, round_.term)
    form = MeetingForm(
        request.POST or None,
        request.FILES or None,
        applications=waiting,
        barred=verbs.barred(waiting, level, by=request.user),
        fewest=getattr(rule, kind.fewest),
        verdicts=kind.steps,
    )
    if request.method == "POST" and form.is_valid():
        try:
            meeting = verbs.hold(
                round_=round_,
                unit=place,
                level=level,
                minutes=form.minutes(),
                verdicts=form.verdicts(),
                by=request.user,
            )
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, _summary(meeting))
            return redirect("meeting", pk=meeting.pk)
    context = {
        "round": round_,
        "unit": place,
        "level": Meeting.Level(level),
        "form": form,
        "rows": list(form.rows()),
        "open_count": len(waiting) - len(form.barred),
        "places": _places(round_, place, waiting),
    }
    return render(request, "subsidies/meeting_hold.html", context)


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
    meeting = access.fetch(
        Meeting.objects.select_related("round__programme", "round__term", "unit", "recorded_by"),
        request.user,
        Permission.VIEW_CASES,
        unit="unit",
        pk=pk,
    )
    context = {
        "meeting": meeting,
        "unit_name": name_in(meeting.round, meeting.unit),
        "members": meeting.members.all(),
        "decisions": meeting.decisions.select_related("application__pupil", "application__enrolment"),
        "photos": meeting.photos.select_related("uploaded_by"),
    }
    return render(request, "subsidies/meeting_detail.html", context)


@require_safe
@desk(Permission.VIEW_CASES)
def meeting_photo(request: HttpRequest, pk: UUID, photo: UUID) -> HttpResponse:
    meeting = access.fetch(Meeting.objects.all(), request.user, Permission.VIEW_CASES, unit="unit", pk=pk)
    upload = meeting.photos.filter(pk=photo).first()
    if upload is None:
        raise Http404
    if uploads.wants_preview(request):
        return uploads.serve_preview(upload)
    return uploads.serve(upload, inline=True)
