"""The class teacher's desk: one class on one page."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts import clock
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission

from .. import applications as verbs
from .. import programmes, quota_words, rollovers
from ..forms import FilingForm
from ..models import Round
from .desks import find_round, find_unit, show_refusal


@require_http_methods(["GET", "POST"])
@desk(Permission.FILE_APPLICATION)
def class_file(request: HttpRequest, pk: UUID, unit: int) -> HttpResponse:
    round_ = find_round(request, pk)
    school_class = find_unit(round_, request.user, unit, "class", may=Permission.FILE_APPLICATION)
    candidates = verbs.candidates(round_, school_class)
    if "take_over" in request.POST:
        _take_over(request, round_, school_class)
        return redirect("class_file", pk=pk, unit=unit)
    form = FilingForm(request.POST or None, round_=round_, candidates=candidates)
    if request.method == "POST" and form.is_valid():
        hand_over = "submit" in request.POST
        try:
            count = _file(form, round_, school_class, request, hand_over=hand_over)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(
                request,
                f"已提交 {count} 名学生的申请，等待班级评议。"
                if hand_over
                else f"已保存 {count} 名学生的草稿，还没有提交。",
            )
            return redirect("class_file", pk=pk, unit=unit)
    last = rollovers.last_list(round_, school_class, candidates)
    rows = [row | {"last": last.by_pupil.get(row["candidate"].enrolment.pupil_id)} for row in form.rows()]
    context = {
        "round": round_,
        "unit": school_class,
        "form": form,
        "last": last,
        "rows": rows,
        "open_count": len(form.open),
        "places": quota_words.for_class(
            round_.programme, round_.term, school_class, [c.facts for c in candidates if c.may_file]
        ),
        "accepted": programmes.accepted_categories(round_.programme, round_.term),
        "is_open": round_.opens_on <= clock.today() <= round_.closes_on,
    }
    return render(request, "subsidies/class_file.html", context)


def _take_over(request: HttpRequest, round_: Round, school_class: Unit) -> None:
    try:
        drafts = rollovers.take_over(round_, school_class, by=request.user)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    else:
        sentence = f"已按上学期名单为 {len(drafts)} 名学生保存草稿，还没有提交；请核对标出的变化，再提交班级评议。"
        messages.success(request, sentence)


def _file(form: FilingForm, round_, school_class, request: HttpRequest, *, hand_over: bool) -> int:
    if hand_over:
        return verbs.file(round_, school_class, form.wishes(), by=request.user)
    return len(verbs.save_drafts(round_, school_class, form.wishes(), by=request.user))
