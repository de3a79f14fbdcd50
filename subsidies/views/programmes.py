"""Programmes, their dated standards and procedures."""

from collections.abc import Iterable

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_safe

from accounts import scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission
from documents import uploads
from students.models import Stage, Term

from .. import difference_sheets, funding, what_if
from .. import programmes as verbs
from ..entitlement import cn_date, term_label
from ..models import Programme, ProgrammeExclusion, StageAges, Standard
from ..policy_words import PERIODS, unit_of_amount
from ..rule_checks import whom
from ..standard_forms import StandardEndForm, StandardForm

_PAGE = 50
_EVERYBODY = "面向的全体学生"


@require_safe
@desk(Permission.VIEW_CASES)
def programme_list(request: HttpRequest) -> HttpResponse:
    rows, names = Programme.objects.prefetch_related("standards"), verbs.category_names()
    for row in rows:
        row.stage_names = [Stage(stage).label for stage in row.stages]
        row.in_force = _in_order((each for each in row.standards.all() if not each.last_term), names)
        row.unit_words = unit_of_amount(row.unit)
    context = {
        "programmes": rows,
        "exclusions": ProgrammeExclusion.objects.select_related("programme", "other"),
        "ages": sorted(StageAges.objects.all(), key=lambda row: Stage.values.index(row.stage)),
        "may_edit": bool(scopes.reach(request.user, Permission.EDIT_STANDARDS)),
    }
    return render(request, "subsidies/programme_list.html", context)


@require_safe
@desk(Permission.VIEW_CASES)
def programme_detail(request: HttpRequest, code: str) -> HttpResponse:
    programme = get_object_or_404(Programme, code=code)
    names = verbs.category_names()
    accepted = list(programme.accepted.all())
    for row in accepted:
        row.name = names.get(row.category_code, row.category_code)
    context = {
        "programme": programme,
        "stage_names": [Stage(stage).label for stage in programme.stages],
        "unit_words": unit_of_amount(programme.unit),
        "facts": _facts_of(programme),
        "standards": _in_order(programme.standards.all(), names),
        "accepted": accepted,
        "procedures": programme.process_rules.all(),
        "shares": funding.recorded(programme),
        "may_edit": bool(scopes.reach(request.user, Permission.EDIT_STANDARDS)),
        "may_settle": bool(scopes.reach(request.user, Permission.MAKE_BATCH)),
    }
    return render(request, "subsidies/programme_detail.html", context)


def _in_order(standards: Iterable[Standard], names: dict[str, str]) -> list[Standard]:
    """The rows by whom they are for, the newest first, each with its conditions in words."""
    rows = list(standards)
    for row in rows:
        row.whom = whom(verbs.rule_of(row), names) or [_EVERYBODY]
    return sorted(rows, key=lambda row: (row.whom, row.case, [-ord(letter) for letter in row.first_term]))


def _facts_of(programme: Programme) -> list[tuple[str, str]]:
    """What holds for the whole programme, as label and value."""
    channels = dict(Programme.Channel.choices)
    said = [
        ("标准", unit_of_amount(programme.unit)),
        ("申请", programme.get_applied_display()),
        ("发放", programme.get_paid_display()),
        ("资助形式", programme.get_form_display()),
        ("资金来源", programme.get_funding_display()),
        ("发放渠道", "、".join(channels[each] for each in programme.channels)),
        ("受助对象", programme.get_recipients_display()),
    ]
    if programme.tiers:
        said.append(("困难等级", "、".join(programme.tiers)))
    if programme.highest_wins:
        said.append(("同时符合几条标准", "就高不就低"))
    if programme.pro_rata:
        said.append(("时间", "按实际在校时间计算"))
    return said


@require_http_methods(["GET", "HEAD", "POST"])
@desk(Permission.EDIT_STANDARDS)
def standard_add(request: HttpRequest, code: str) -> HttpResponse:
    """The form; once it is filled in what the standard would change; and on a second click the standard."""
    programme = get_object_or_404(Programme, code=code)
    form = StandardForm(request.POST or None, programme=programme)
    if request.method == "POST" and form.is_valid() and "edit" not in request.POST:
        try:
            return _preview_or_add(request, programme, form)
        except ValidationError as refusal:
            form.add_error(None, refusal.messages)
    return render(request, "subsidies/standard_add.html", {"programme": programme, "form": form})


def _preview_or_add(request: HttpRequest, programme: Programme, form: StandardForm) -> HttpResponse:
    county = _county(request)
    standard = form.standard()
    effect = what_if.of_standard(standard, county)
    paid = f"{standard.amount:.2f} {unit_of_amount(programme.unit)}"
    since = f"自{term_label(standard.first_term)}起"
    if _may_save(request, effect):
        verbs.add_standard(standard, county=county, by=request.user)
        return _saved(request, programme, effect, f"已登记新标准：{paid}，{since}执行。")
    if programme.unit in PERIODS:
        paid += f"，每学期按 {standard.periods.normalize():f} {PERIODS[programme.unit]}"
    dated = f"（{cn_date(standard.document_date)}）" if standard.document_date else ""
    said = [
        ("对象", "；".join(whom(verbs.rule_of(standard), verbs.category_names()) or [_EVERYBODY])),
        ("金额", paid),
        ("执行学期", since),
        ("文件", standard.document + dated),
    ]
    return _preview(request, programme, form, effect, said, "登记新标准")


@require_http_methods(["GET", "HEAD", "POST"])
@desk(Permission.EDIT_STANDARDS)
def standard_end(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """The last term; then what ends with it; and on a second click the end."""
    standard = get_object_or_404(Standard.objects.select_related("programme"), programme__code=code, pk=pk)
    form = StandardEndForm(request.POST or None, standard=standard)
    about = "；".join(whom(verbs.rule_of(standard), verbs.category_names()) or [_EVERYBODY])
    about += f"：{standard.amount:.2f} {unit_of_amount(standard.programme.unit)}"
    if request.method == "POST" and form.is_valid() and "edit" not in request.POST:
        try:
            return _preview_or_end(request, standard, form, about)
        except ValidationError as refusal:
            form.add_error(None, refusal.messages)
    context = {"programme": standard.programme, "standard": standard, "about": about, "form": form}
    return render(request, "subsidies/standard_end.html", context)


def _preview_or_end(request: HttpRequest, standard: Standard, form: StandardEndForm, about: str) -> HttpResponse:
    county, last, basis = _county(request), form.cleaned_data["last_term"], form.cleaned_data["document"]
    effect = what_if.of_end(standard, last, county)
    if _may_save(request, effect):
        verbs.end_standard(standard, last, document=basis, county=county, by=request.user)
        return _saved(request, standard.programme, effect, f"已登记：这条标准执行到{term_label(last)}为止。")
    said = [("标准", about), ("执行到", term_label(last)), ("依据", basis)]
    return _preview(request, standard.programme, form, effect, said, "登记截止学期")


def _may_save(request: HttpRequest, effect: what_if.Effect) -> bool:
    """Whether the person pressed the button, having seen what there is to see."""
    return "save" in request.POST and request.POST.get("seen", "") == effect.digest


def _saved(request: HttpRequest, programme: Programme, effect: what_if.Effect, sentence: str) -> HttpResponse:
    messages.success(request, sentence)
    if effect.kept:
        messages.info(request, "已提交的申请没有改动；与现行标准的差额见“差额清单”。")
    return redirect("programme", code=programme.code)


def _preview(
    request: HttpRequest,
    programme: Programme,
    form: Form,
    effect: what_if.Effect,
    said: list[tuple[str, str]],
    deed: str,
) -> HttpResponse:
    page = Paginator(effect.changes, _PAGE).get_page(request.POST.get("page"))
    context = {
        "programme": programme,
        "form": form,
        "effect": effect,
        "moved": "save" in request.POST,
        "page": page,
        "told": what_if.explained(page.object_list, effect),
        "said": said,
        "deed": deed,
    }
    return render(request, "subsidies/standard_preview.html", context)


@require_safe
@desk(Permission.MAKE_BATCH)
def difference_list(request: HttpRequest, code: str) -> HttpResponse:
    """Submitted applications of a term that are not what the rules give now: to be paid later or taken back."""
    programme = get_object_or_404(Programme, code=code)
    term = _term_with_cases(programme, request.GET.get("term", ""))
    rows = list(what_if.differences(programme, term, _county(request, Permission.MAKE_BATCH))) if term else []
    reported = [row for row in rows if row.is_reported]
    context = {
        "programme": programme,
        "term": term,
        "terms": what_if.terms_with_cases(programme),
        "page": Paginator(rows, _PAGE).get_page(request.GET.get("page")),
        "more": what_if.total(row for row in reported if row.difference > 0),
        "less_owed": -what_if.total(row for row in reported if row.difference < 0),
        "waiting": len(rows) - len(reported),
        "reported": len(reported),
    }
    return render(request, "subsidies/difference_list.html", context)


@require_safe
@desk(Permission.MAKE_BATCH)
def difference_sheet(request: HttpRequest, code: str, term: str) -> HttpResponse:
    programme = get_object_or_404(Programme, code=code)
    paid = get_object_or_404(Term, key=term)
    county = _county(request, Permission.MAKE_BATCH)
    content = difference_sheets.write(programme, paid, county, by=request.user)
    response = HttpResponse(content, content_type=uploads.XLSX)
    response["Content-Disposition"] = content_disposition_header(True, f"{programme.name}_{paid.key}_差额清单.xlsx")
    return uploads.guard_download(response)


def _county(request: HttpRequest, permission: Permission = Permission.EDIT_STANDARDS) -> Unit:
    return Unit.objects.get(path=scopes.reach(request.user, permission)[0])


def _term_with_cases(programme: Programme, key: str) -> Term | None:
    """The term asked for, else the newest in which somebody applied."""
    terms = what_if.terms_with_cases(programme)
    return next((term for term in terms if term.key == key), terms[0] if terms else None)
