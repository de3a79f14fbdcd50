"""Policy packs: what there is to start from, what each holds, and taking one over."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.access import desk
from accounts.roles import Permission

from .. import pack_loading, packs
from ..models import PackRow
from ..pack_loading import Comparison, Item, ProgrammeItem, State
from ..policy_words import APPLIED, CHANNELS, FORMS, PAID, RECIPIENTS, UNITS, VALUES
from .desks import county_of

_BADGES = {
    State.NEW: ("wait", "可采用"),
    State.THERE: ("done", "本县已有"),
    State.OTHER: ("stop", "与本县不同"),
    State.TOLD: ("note", "供参考"),
}
_KINDS = {**dict(PackRow.Kind.choices), "quota": "名额"}


@require_safe
@desk(Permission.EDIT_STANDARDS)
def pack_list(request: HttpRequest) -> HttpResponse:
    """All packs that come with the system, each beside the county's rules."""
    county = pack_loading.county_rules()
    rows = [_summary(pack_loading.compare(pack, county)) for pack in pack_loading.all_shipped()]
    return render(request, "subsidies/pack_list.html", {"rows": rows})


def _summary(found: Comparison) -> dict:
    return {
        "pack": found.pack,
        "programmes": [each.name for each in found.pack.programmes],
        "new": found.count(State.NEW) + len(found.new_programmes),
        "there": found.count(State.THERE),
        "other": found.count(State.OTHER),
        "examples": sum(len(each.examples) for each in found.pack.programmes),
        "wrong": len(packs.wrong_examples(found.pack)),
    }


@require_safe
@desk(Permission.EDIT_STANDARDS)
def pack_detail(request: HttpRequest, code: str) -> HttpResponse:
    """What a pack holds, row by row, its examples with their result, and what of it the county has.

    With `effects` in the address also what taking it over would change for the county's pupils.
    """
    pack = _pack_or_404(code)
    found = pack_loading.compare(pack)
    results = packs.check_examples(pack)
    used = {row.origin.confidence for row in found.items}
    shown = pack_loading.effects(found, county_of(request)) if "effects" in request.GET else {}
    last = PackRow.objects.filter(pack=code).select_related("adopted_by").order_by("-adopted_at").first()
    context = {
        "pack": pack,
        "found": found,
        "summary": _summary(found),
        "programmes": [
            _programme(each, results) | {"effect": shown.get(each.programme.code)} for each in found.programmes
        ],
        "may_ask_effects": not shown and any(each.after for each in found.programmes),
        "exclusions": [_row(item) for item in found.exclusions],
        "confidence": [(grade, words) for grade, words in packs.CONFIDENCE.items() if grade in used],
        "last": last,
    }
    return render(request, "subsidies/pack_detail.html", context)


def _programme(each: ProgrammeItem, results: list[packs.ExampleResult]) -> dict:
    of_pack = each.programme
    return {
        "programme": of_pack,
        "badge": _BADGES[each.state],
        "why": each.why,
        "present": each.present,
        "facts": [
            ("学段", "、".join(VALUES["stage"][stage] for stage in of_pack.stages)),
            ("受助对象", RECIPIENTS[of_pack.recipients]),
            ("标准", f"按{UNITS[of_pack.unit]}计算{'，按实际在校时间' if of_pack.pro_rata else ''}"),
            ("申请和发放", f"{APPLIED[of_pack.applied]}，{PAID[of_pack.paid]}"),
            ("形式", f"{FORMS[of_pack.form]}（{'、'.join(CHANNELS[way] for way in of_pack.channels)}）"),
            ("同时符合几条标准", "就高" if of_pack.highest_wins else ""),
            ("困难等级", "、".join(of_pack.tiers)),
            ("依据", of_pack.basis),
            ("说明", of_pack.note),
        ],
        "rows": [_row(item) for item in each.items],
        "examples": [result for result in results if result.programme is of_pack],
    }


def _row(item: Item) -> dict:
    return {
        "kind": _KINDS[item.kind],
        "words": item.words,
        "terms": item.terms,
        "source": item.origin.source,
        "note": item.origin.note,
        "grade": f"可信度 {item.origin.confidence}",
        "sure": packs.CONFIDENCE[item.origin.confidence],
        "badge": _BADGES[item.state],
        "why": item.why,
    }


@require_POST
@desk(Permission.EDIT_STANDARDS)
def pack_adopt(request: HttpRequest, code: str) -> HttpResponse:
    """Add what the county does not have yet."""
    pack = _pack_or_404(code)
    try:
        found = pack_loading.adopt(pack, county=county_of(request), by=request.user)
    except ValidationError as refusal:
        messages.error(request, "没有采用：" + "".join(refusal.messages))
        return redirect("pack", code=code)
    if not found.has_new:
        messages.info(request, f"本县没有缺少“{pack.name}”里的内容，没有新增。")
        return redirect("pack", code=code)
    left = found.count(State.OTHER)
    kept = f"；{left} 条与本县规则不同，本县的保持不变" if left else ""
    messages.success(
        request,
        f"已采用“{pack.name}”：新增 {len(found.new_programmes)} 个项目、{found.count(State.NEW)} 条规则{kept}。",
    )
    return redirect("pack", code=code)


def _pack_or_404(code: str) -> packs.Pack:
    try:
        return pack_loading.shipped(code)
    except packs.PackRefused as refusal:
        raise Http404(str(refusal.messages[0])) from None
