"""What pages of rules share: a rule is typed, seen with what it would change, and saved on a second click."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from .. import what_if
from ..models import Programme

PAGE = 50


def may_save(request: HttpRequest, effect: what_if.Effect) -> bool:
    """Whether the person pressed the button, having seen what there is to see."""
    return "save" in request.POST and request.POST.get("seen", "") == effect.digest


def saved(request: HttpRequest, programme: Programme, effect: what_if.Effect, sentence: str) -> HttpResponse:
    """To the programme's page, with what was done."""
    messages.success(request, sentence)
    if effect.kept:
        messages.info(request, "已提交的申请没有改动；与现行标准的差额见“差额清单”。")
    return redirect("programme", code=programme.code)


def preview(
    request: HttpRequest,
    programme: Programme,
    form: Form,
    effect: what_if.Effect,
    said: list[tuple[str, str]],
    deed: str,
    *,
    rule: str = "标准",
) -> HttpResponse:
    """The page between typing and saving. `said`: the rule in words; `deed`: the button; `rule`: what kind it is."""
    page = Paginator(effect.changes, PAGE).get_page(request.POST.get("page"))
    context = {
        "programme": programme,
        "form": form,
        "effect": effect,
        "moved": "save" in request.POST,
        "page": page,
        "told": what_if.explained(page.object_list, effect),
        "said": said,
        "deed": deed,
        "rule": rule,
    }
    return render(request, "subsidies/standard_preview.html", context)
