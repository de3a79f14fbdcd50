"""The class teacher's desk: one class on one page, saved row by row, handed in together."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts import clock
from accounts.access import desk
from accounts.models import Unit
from accounts.redaction import redact
from accounts.roles import Permission
from students import enrolment as register
from students.models import Enrolment

from .. import applications as verbs
from .. import class_facts, filing, programmes, quota_words, rollovers
from ..filing import Outcome, Verdict
from ..filing_forms import REASON_LENGTH, FilingForm, RowForm
from ..models import Application, Round
from .desks import find_round, find_unit

_RESULT = "class_file_result"


@require_http_methods(["GET", "POST"])
@desk(Permission.FILE_APPLICATION)
def class_file(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    round_ = find_round(request, pk)
    school_class = find_unit(round_, request.user, unit, "class", may=Permission.FILE_APPLICATION)
    candidates = verbs.candidates(round_, school_class)
    if "take_over" in request.POST:
        _take_over(request, round_, school_class)
        return redirect("class_file", pk=pk, unit=unit)
    result = None
    if request.method == "POST":
        form = FilingForm(request.POST, round_=round_, candidates=candidates)
        if "submit" not in request.POST or not form.refuse_empty():
            _carry_out(request, form, round_, school_class)
            # Answered by a page of its own: reloading it, or coming back to it, sends nothing again.
            return redirect("class_file", pk=pk, unit=unit)
    else:
        result = _result(request, round_, school_class)
        form = FilingForm(round_=round_, candidates=candidates, typed_before=result and result["typed"])
    last = rollovers.last_list(round_, school_class, candidates)
    beside = class_facts.beside(round_, [c.enrolment for c in candidates])
    rows = [
        row
        | {"last": last.by_pupil.get(row["candidate"].enrolment.pupil_id)}
        | {"beside": beside[row["candidate"].enrolment.pupil_id]}
        for row in form.rows()
    ]
    context = {
        "round": round_,
        "unit": school_class,
        "form": form,
        "last": last,
        "rows": rows,
        "result": result,
        "open_count": len(form.open),
        "returned_slips": sum(c.receipt is not None for c in candidates),
        "declined": sum(c.has_declined for c in candidates),
        "wanted": sum(row["beside"].is_unshown for row in rows),
        "reason_length": REASON_LENGTH,
        "places": quota_words.for_class(
            round_.programme, round_.term, school_class, [c.facts for c in candidates if c.may_file]
        ),
        "accepted": programmes.accepted_categories(round_.programme, round_.term),
        "is_open": round_.opens_on <= clock.today() <= round_.closes_on,
    }
    return render(request, "subsidies/class_file.html", context)


@require_POST
@desk(Permission.FILE_APPLICATION)
def class_file_row(request: HttpRequest, pk: UUID, unit: int, enrolment: UUID) -> HttpResponse:
    """One row as it is typed. What is on record afterwards, or why it was not kept; never a page."""
    round_ = find_round(request, pk)
    school_class = find_unit(round_, request.user, unit, "class", may=Permission.FILE_APPLICATION)
    here = Enrolment.objects.filter(school_class=school_class, term=round_.term)
    place = get_object_or_404(register.open_only(here).select_related("pupil"), pk=enrolment)
    form = RowForm(request.POST, round_=round_)
    if not form.is_valid():
        return JsonResponse({"said": form.refusal}, status=422)
    try:
        standing = filing.keep(round_, school_class, form.typed(place), by=request.user)
    except filing.Overwritten as refusal:
        return JsonResponse(_row(refusal.standing) | {"said": " ".join(refusal.messages)}, status=409)
    except ValidationError as refusal:
        return JsonResponse({"said": " ".join(refusal.messages)}, status=422)
    except PermissionDenied as refusal:
        return JsonResponse({"said": str(refusal)}, status=403)
    return JsonResponse(_row(standing))


def _row(standing: Application | None) -> dict[str, Any]:
    if standing is None:
        return {"seen": filing.mark(None), "apply": False, "tier": "", "reason": "", "state": ""}
    return {
        "seen": filing.mark(standing),
        "apply": True,
        "tier": standing.tier,
        "reason": standing.reason,
        "state": standing.get_state_display(),
    }


def _take_over(request: HttpRequest, round_: Round, school_class: Unit) -> None:
    try:
        drafts = rollovers.take_over(round_, school_class, by=request.user)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    else:
        sentence = f"已按上学期名单为 {len(drafts)} 名学生保存草稿，还没有提交；请核对标出的变化，再提交班级评议。"
        messages.success(request, sentence)


def _carry_out(request: HttpRequest, form: FilingForm, round_: Round, school_class: Unit) -> None:
    """Save or hand in what the form says, and leave for the page that follows what became of each pupil."""
    rows, refused = form.read()
    if "submit" in request.POST:
        outcomes = filing.hand_over(round_, school_class, rows, by=request.user)
        sent = [o.typed.enrolment.pupil.name for o in outcomes if o.verdict == Verdict.SENT]
        if sent:
            messages.success(request, f"已提交 {len(sent)} 名学生的申请，等待班级评议。")
    else:
        outcomes, kept = _save(form.round, school_class, rows, request)
        sent = []
        messages.success(request, f"已保存 {kept} 名学生的草稿，还没有提交。")
    outcomes += [
        Outcome(row, Verdict.UNSAVED, "写了申请理由，没有勾选，所以没有保存。要申请的请勾选；不申请的不用管。")
        for row in form.written_without_tick(rows)
    ]
    request.session[_RESULT] = {
        "of": [str(round_.pk), school_class.pk],
        "sent": sent,
        "rest": [_told(o) for o in outcomes if o.verdict != Verdict.SENT] + _unread(form, refused),
        "typed": {
            **{str(o.typed.enrolment.pk): _typed(o) for o in outcomes if o.verdict == Verdict.UNSAVED},
            **{key: _sent_as(request, key) for key in refused if key},
        },
    }


def _save(
    round_: Round, school_class: Unit, rows: list[filing.Typed], request: HttpRequest
) -> tuple[list[Outcome], int]:
    """Keep each row by itself: those that were refused, and how many drafts stand."""
    outcomes, kept = [], 0
    for row in rows:
        try:
            filing.keep(round_, school_class, row, by=request.user)
        except (ValidationError, PermissionDenied) as refusal:
            said = " ".join(refusal.messages) if isinstance(refusal, ValidationError) else str(refusal)
            outcomes.append(Outcome(row, Verdict.UNSAVED, said))
        else:
            kept += row.applies
    return outcomes, kept


def _told(outcome: Outcome) -> dict[str, str]:
    place = outcome.typed.enrolment
    return {
        "key": str(place.pk),
        "name": place.pupil.name,
        "verdict": outcome.verdict,
        "sentence": outcome.sentence,
    }


def _unread(form: FilingForm, refused: dict[str, str]) -> list[dict[str, str]]:
    names = {str(c.enrolment.pk): c.enrolment.pupil.name for c in form.candidates}
    return [
        {"key": key, "name": names.get(key, ""), "verdict": Verdict.UNSAVED, "sentence": sentence}
        for key, sentence in refused.items()
    ]


def _typed(outcome: Outcome) -> dict[str, Any]:
    return {"apply": outcome.typed.applies, "tier": outcome.typed.tier, "reason": outcome.typed.reason}


def _sent_as(request: HttpRequest, key: str) -> dict[str, Any]:
    """What was typed in a row that could not be read, for the page that follows; the session keeps no numbers."""
    said = {name: redact(request.POST.get(f"{name}_{key}", "")[: 2 * REASON_LENGTH]) for name in ("tier", "reason")}
    return {"apply": key in request.POST.getlist("apply"), **said}


def _result(request: HttpRequest, round_: Round, school_class: Unit) -> dict[str, Any] | None:
    """What became of what was just sent, once, for the page of that class."""
    held = request.session.get(_RESULT)
    if not held or held["of"] != [str(round_.pk), school_class.pk]:
        return None
    del request.session[_RESULT]
    return held
