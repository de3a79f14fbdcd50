"""The class teacher's desk: one class on one page, saved row by row, handed in together."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts import clock
from accounts.access import desk
from accounts.models import Unit
from accounts.redaction import redact
from accounts.roles import Permission

from .. import applications as verbs
from .. import class_facts, filing, programmes, quota_words, rollovers
from ..applications import Listed
from ..filing import Kept, Outcome, Typed, Verdict
from ..filing_forms import REASON_LENGTH, FilingForm, SentList
from ..models import Application, Round
from .desks import find_round, find_unit

_RESULT = "class_file_results"
_RESULTS_KEPT = 5
_ROWS_AT_ONCE = 300  # a class, with room
_HANDED_IN = "这名学生的申请已经提交。不再申请的，请到申请页撤回。"


@require_http_methods(["GET", "POST"])
@desk(Permission.FILE_APPLICATION)
def class_file(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    round_ = find_round(request, pk)
    school_class = find_unit(round_, request.user, unit, "class", may=Permission.FILE_APPLICATION)
    if request.method == "POST":
        if "take_over" in request.POST:
            _take_over(request, round_, school_class)
        else:
            _carry_out(request, round_, school_class)
        # Answered by a page of its own: reloading it, or coming back to it, sends nothing again.
        return redirect("class_file", pk=pk, unit=unit)
    candidates = verbs.candidates(round_, school_class)
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
def class_file_rows(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    """The rows typed since the last time. By row what is on record afterwards, or why it was not kept; never a page."""
    round_ = find_round(request, pk)
    school_class = find_unit(round_, request.user, unit, "class", may=Permission.FILE_APPLICATION)
    keys = SentList.keys(request.POST)
    if len(keys) > _ROWS_AT_ONCE:
        return JsonResponse({"said": f"一次最多保存 {_ROWS_AT_ONCE} 行，请刷新页面后再填。"}, status=400)
    places = _listed(round_, school_class, among=keys)
    sent = SentList(request.POST, round_=round_, places=places)
    rows, refused = sent.read()
    told = {key: {"status": 422, "said": sentence} for key, sentence in refused.items() if key}
    for kept in filing.keep_all(round_, school_class, rows, by=request.user):
        told[str(kept.typed.enrolment.pk)] = _kept(kept)
    for key in keys:
        if key not in places:
            told[key] = {"status": 422, "said": "这名学生已不在本班名册中，没有保存。请刷新页面。"}
        elif key not in told:  # handed in meanwhile, and no longer ticked on this page
            standing = places[key].application
            assert standing is not None  # or the row would have been read
            is_elsewhere = verbs.is_elsewhere(standing, round_, school_class)
            said = verbs.ELSEWHERE if is_elsewhere else _HANDED_IN
            told[key] = _kept(Kept(Typed(places[key].enrolment, False), None if is_elsewhere else standing, said))
    return JsonResponse({"rows": told})


def _listed(round_: Round, school_class: Unit, *, among: list[str] | None = None) -> dict[str, Listed]:
    """The class's pupils by key of the enrolment; of those named only, where names are given."""
    keys = None if among is None else [key for each in among if (key := _as_key(each))]
    return {str(row.enrolment.pk): row for row in verbs.listed(round_, school_class, among=keys)}


def _as_key(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


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


def _kept(kept: Kept) -> dict[str, Any]:
    said = _row(kept.standing)
    if not kept.refused:
        return said | {"status": 200}
    if kept.standing is not None and not kept.typed.applies:
        said |= {"page": reverse("application", args=[kept.standing.pk])}
    return said | {"status": 409 if kept.is_overwritten else 422, "said": kept.refused}


def _take_over(request: HttpRequest, round_: Round, school_class: Unit) -> None:
    try:
        drafts = rollovers.take_over(round_, school_class, by=request.user)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    else:
        sentence = f"已按上学期名单为 {len(drafts)} 名学生保存草稿，还没有提交；请核对标出的变化，再提交班级评议。"
        messages.success(request, sentence)


def _carry_out(request: HttpRequest, round_: Round, school_class: Unit) -> None:
    """Save or hand in what the list says, and leave for the page that follows what became of each pupil."""
    sent = SentList(request.POST, round_=round_, places=_listed(round_, school_class))
    rows, refused = sent.read()
    went: list[str] = []
    if "submit" not in request.POST:
        kept = filing.keep_all(round_, school_class, rows, by=request.user)
        outcomes = [Outcome(each.typed, Verdict.UNSAVED, each.refused) for each in kept if each.refused]
        drafts = sum(each.typed.applies and not each.refused for each in kept)
        messages.success(request, f"已保存 {drafts} 名学生的草稿，还没有提交。")
    elif sent.ticked:
        outcomes = filing.hand_over(round_, school_class, rows, by=request.user)
        went = [each.typed.enrolment.pupil.name for each in outcomes if each.verdict == Verdict.SENT]
        if went:
            messages.success(request, f"已提交 {len(went)} 名学生的申请，等待班级评议。")
    else:
        outcomes = []
        messages.error(request, "还没有勾选学生。请勾选要申请的学生；没有人申请时不用提交。")
    outcomes += [
        Outcome(row, Verdict.UNSAVED, "写了申请理由，没有勾选，所以没有保存。要申请的请勾选；不申请的不用管。")
        for row in sent.written_without_tick(rows)
    ]
    names = {key: each.enrolment.pupil.name for key, each in sent.places.items()}
    told = {
        "sent": went,
        "rest": [_told(each) for each in outcomes if each.verdict != Verdict.SENT]
        + [
            {"key": key, "name": names.get(key, ""), "verdict": Verdict.UNSAVED, "sentence": sentence}
            for key, sentence in refused.items()
        ],
        "typed": {
            **{str(each.typed.enrolment.pk): _typed(each) for each in outcomes if each.verdict == Verdict.UNSAVED},
            **{key: _sent_as(sent, key) for key in refused if key},
        },
    }
    held = dict(request.session.get(_RESULT, {}))
    held.pop(_of(round_, school_class), None)
    kept = list(held.items())[-_RESULTS_KEPT + 1 :]  # somebody with two classes open reads of both
    request.session[_RESULT] = dict([*kept, (_of(round_, school_class), told)])


def _told(outcome: Outcome) -> dict[str, str]:
    place = outcome.typed.enrolment
    return {
        "key": str(place.pk),
        "name": place.pupil.name,
        "verdict": outcome.verdict,
        "sentence": outcome.sentence,
    }


def _typed(outcome: Outcome) -> dict[str, Any]:
    return {"apply": outcome.typed.applies, "tier": outcome.typed.tier, "reason": outcome.typed.reason}


def _sent_as(sent: SentList, key: str) -> dict[str, Any]:
    """What was typed in a row that could not be read, for the page that follows; the session keeps no numbers."""
    said = {name: redact(sent.typed(name, key)[: 2 * REASON_LENGTH]) for name in ("tier", "reason")}
    return {"apply": key in sent.ticked, **said}


def _result(request: HttpRequest, round_: Round, school_class: Unit) -> dict[str, Any] | None:
    """What became of what was just sent, once, for the page of that class."""
    held = request.session.get(_RESULT, {})
    if _of(round_, school_class) not in held:
        return None
    told: dict[str, Any] = held[_of(round_, school_class)]
    rest = {key: each for key, each in held.items() if key != _of(round_, school_class)}
    request.session[_RESULT] = rest
    return told


def _of(round_: Round, school_class: Unit) -> str:
    return f"{round_.pk} {school_class.pk}"
