"""Objections: recording one against a line, settling it."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts import access
from accounts.access import desk
from accounts.roles import Permission
from subsidies.views.desks import show_refusal

from .. import notices
from .. import objections as verbs
from ..forms import ObjectionForm, SettleForm
from ..models import NoticeLine, Objection


@require_http_methods(["GET", "POST"])
@desk(Permission.PUBLISH_NOTICE)
def objection_new(request: HttpRequest, line: int) -> HttpResponse:
    subject = access.fetch(
        NoticeLine.objects.select_related("notice__school", "application"),
        request.user,
        Permission.VIEW_CASES,
        unit="notice__school",
        may=Permission.PUBLISH_NOTICE,
        pk=line,
    )
    form = ObjectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            verbs.receive(subject, **form.cleaned_data, by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"异议已受理。{subject.name}暂停办理，名单中其他人不受影响。请及时核查。")
            return redirect("notice", pk=subject.notice_id)
    return render(request, "publicity/objection_new.html", {"line": subject, "notice": subject.notice, "form": form})


@require_http_methods(["GET", "POST"])
@desk(Permission.PUBLISH_NOTICE)
def objection_settle(request: HttpRequest, pk: UUID) -> HttpResponse:
    objection = access.fetch(
        Objection.objects.select_related("line__notice__school", "line__application", "recorded_by"),
        request.user,
        Permission.VIEW_CASES,
        unit="line__notice__school",
        may=Permission.PUBLISH_NOTICE,
        pk=pk,
    )
    form = SettleForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        upheld = form.cleaned_data["result"] == Objection.State.UPHELD
        try:
            verbs.settle(objection, upheld=upheld, finding=form.cleaned_data["finding"], by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, _outcome(objection))
            return redirect("notice", pk=objection.line.notice_id)
    context = {
        "objection": objection,
        "line": objection.line,
        "notice": objection.line.notice,
        "left": notices.days_left(objection.line.notice),
        "form": form,
    }
    return render(request, "publicity/objection_settle.html", context)


def _outcome(objection: Objection) -> str:
    state = objection.line.application.get_state_display()
    return f"异议已办结，{objection.line.name}现在是“{state}”。请把结果告诉反映人。"
