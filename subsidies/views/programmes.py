"""Programmes, their dated standards and procedures."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_safe

from accounts import scopes
from accounts.access import desk
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from documents import uploads
from students import terms
from students.models import Stage, Term
from students.term_keys import term_label

from .. import difference_sheets, funding, grounds, origins, percentages, what_if
from .. import programmes as verbs
from ..dated_terms import end_of, span_label
from ..models import (
    AcceptedCategory,
    OutsideQuota,
    PackRow,
    ProcessRule,
    Programme,
    ProgrammeExclusion,
    StageAges,
    Standard,
)
from ..policy_words import CHANNELS, PERIODS, unit_of_amount
from ..rule_checks import whom
from ..standard_forms import RuleEndForm, StandardForm
from .desks import county_of
from .previews import PAGE, may_save, preview, saved

_EVERYBODY = "面向的全体学生"


@require_safe
@desk(Permission.VIEW_CASES)
def programme_list(request: HttpRequest) -> HttpResponse:
    rows, names = list(Programme.objects.prefetch_related("standards")), verbs.category_names()
    now = current.key if (current := terms.current()) else ""
    for row in rows:
        row.stage_names = [Stage(stage).label for stage in row.stages]
        row.in_force = _in_order((each for each in row.standards.all() if end_of(each) >= now), names)
        row.unit_words = unit_of_amount(row.unit)
    context = {
        "programmes": [row for row in rows if row.is_active],
        "switched_off": [row for row in rows if not row.is_active],
        "exclusions": ProgrammeExclusion.objects.select_related("programme", "other"),
        "ages": sorted(StageAges.objects.all(), key=lambda row: Stage.values.index(row.stage)),
        "may_edit": bool(scopes.reach(request.user, Permission.EDIT_STANDARDS)),
    }
    return render(request, "subsidies/programme_list.html", context)


@require_safe
@desk(Permission.VIEW_CASES)
def programme_detail(request: HttpRequest, code: str) -> HttpResponse:
    """Everything that holds for the programme, each row with where it comes from; what is over stands in a fold."""
    dated = ("standards", "accepted", "process_rules", "shares", "percentages", "outside_quota")
    rows = Programme.objects.select_related("recorded_by").prefetch_related(*(f"{each}__recorded_by" for each in dated))
    programme = get_object_or_404(rows, code=code)
    now = current.key if (current := terms.current()) else ""
    shares = funding.recorded(programme)
    kinds = grounds.kinds()
    accepted = _named(programme.accepted.all(), kinds)
    quota_percentages = list(programme.percentages.all())
    outside = _named(programme.outside_quota.all(), kinds)
    pairs = ProgrammeExclusion.objects.filter(Q(programme=programme) | Q(other=programme))
    exclusions = list(pairs.select_related("programme", "other", "recorded_by"))
    standards = _in_order(programme.standards.all(), verbs.category_names())
    procedures = list(programme.process_rules.all())
    grades = origins.attach(
        programme,
        {
            PackRow.Kind.PROGRAMME: [programme],
            PackRow.Kind.STANDARD: standards,
            PackRow.Kind.GROUND: accepted,
            PackRow.Kind.PROCESS: procedures,
            PackRow.Kind.SHARE: shares,
            PackRow.Kind.PERCENTAGE: quota_percentages,
            PackRow.Kind.OUTSIDE: outside,
            PackRow.Kind.EXCLUSION: exclusions,
        },
    )
    rule = next((each for each in procedures if each.first_term <= now), None)
    may_edit = bool(scopes.reach(request.user, Permission.EDIT_STANDARDS))
    steps = _steps_of(programme, standards, accepted, procedures) if may_edit else []
    context = {
        "programme": programme,
        "stage_names": [Stage(stage).label for stage in programme.stages],
        "unit_words": unit_of_amount(programme.unit),
        "facts": _facts_of(programme),
        "standards": [row for row in standards if end_of(row) >= now],
        "old_standards": [row for row in standards if end_of(row) < now],
        "accepted": [row for row in accepted if end_of(row) >= now],
        "ground_groups": _by_boarding([row for row in accepted if end_of(row) >= now], now),
        "old_accepted": [row for row in accepted if end_of(row) < now],
        "for_all": programme.recipients == Programme.Recipients.ALL,
        "rule_now": rule,
        "rules_to_come": [each for each in procedures if each.first_term > now],
        "old_rules": [each for each in procedures if each.first_term <= now and each is not rule],
        "shares": shares,
        "percentages": [(row, percentages.whom_words(row)) for row in quota_percentages],
        "outside": outside,
        "exclusions": exclusions,
        "grades": grades,
        "steps": steps,
        "may_begin": may_edit and programme.is_active and not steps and not programme.rounds.exists(),
        "may_edit": may_edit,
        "may_settle": bool(scopes.reach(request.user, Permission.MAKE_BATCH)),
    }
    return render(request, "subsidies/programme_detail.html", context)


def _steps_of(
    programme: Programme, standards: list[Standard], accepted: list[AcceptedCategory], procedures: list[ProcessRule]
) -> list[dict]:
    """What has to be recorded before a round can be opened, with what is there; nothing once all is."""
    steps = [
        ("登记标准", "给哪些学生、多少钱、从哪个学期起、依据什么文件。", "standard_add", standards),
        ("登记资助范围", "哪些困难类别的学生可以申请。", "ground_add", accepted),
        ("登记评审和公示规则", "评议会要多少人，公示几天。", "process_rule_add", procedures),
    ]
    if programme.recipients == Programme.Recipients.ALL:
        del steps[1]
    if all(rows for *_, rows in steps):
        return []
    return [
        {"label": label, "hint": hint, "url": reverse(url, args=[programme.code]), "done": bool(rows)}
        for label, hint, url, rows in steps
    ]


def _named(
    rows: Iterable[AcceptedCategory | OutsideQuota], kinds: dict[str, grounds.Named]
) -> list[AcceptedCategory | OutsideQuota]:
    """The rows by rank of their categories, the newest first, each with `kind`."""
    rows = sorted(rows, key=lambda row: row.first_term, reverse=True)
    for row in rows:
        row.kind = kinds.get(row.category_code) or grounds.unknown(row.category_code)
    return sorted(rows, key=lambda row: (row.kind.rank, row.category_code))


def _by_boarding(rows: Iterable[AcceptedCategory], now: str) -> list[tuple[str, list[str]]]:
    """Whom the programme accepts in short: by way of boarding the names, with their terms where they are not now."""
    found: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: row.boarding):
        is_plain = row.first_term <= now and not row.last_term
        found.setdefault(grounds.whom(row), []).append(row.kind.name + ("" if is_plain else f"（{span_label(row)}）"))
    return list(found.items())


def _in_order(standards: Iterable[Standard], names: dict[str, str]) -> list[Standard]:
    """The rows by whom they are for, the newest first, each with its conditions in words."""
    rows = list(standards)
    for row in rows:
        row.whom = whom(verbs.rule_of(row), names) or [_EVERYBODY]
    return sorted(rows, key=lambda row: (row.whom, row.case, [-ord(letter) for letter in row.first_term]))


def _facts_of(programme: Programme) -> list[tuple[str, str]]:
    """What holds for the whole programme, as label and value."""
    said = [
        ("标准", unit_of_amount(programme.unit)),
        ("申请", programme.get_applied_display()),
        ("发放", programme.get_paid_display()),
        ("资助形式", programme.get_form_display()),
        ("资金来源", programme.get_funding_display()),
        ("发放渠道", "、".join(CHANNELS[each] for each in programme.channels)),
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
    county = county_of(request)
    standard = form.standard()
    effect = what_if.of_standard(standard, county)
    paid = f"{standard.amount:.2f} {unit_of_amount(programme.unit)}"
    since = f"自{term_label(standard.first_term)}起"
    if may_save(request, effect):
        verbs.add_standard(standard, county=county, by=request.user)
        return saved(request, programme, effect, f"已登记新标准：{paid}，{since}执行。")
    if programme.unit in PERIODS:
        paid += f"，每学期按 {standard.periods.normalize():f} {PERIODS[programme.unit]}"
    dated = f"（{cn_date(standard.document_date)}）" if standard.document_date else ""
    said = [
        ("对象", "；".join(whom(verbs.rule_of(standard), verbs.category_names()) or [_EVERYBODY])),
        ("金额", paid),
        ("执行学期", since),
        ("文件", standard.document + dated),
    ]
    return preview(request, programme, form, effect, said, "登记新标准")


@require_http_methods(["GET", "HEAD", "POST"])
@desk(Permission.EDIT_STANDARDS)
def standard_end(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """The last term; then what ends with it; and on a second click the end."""
    standard = get_object_or_404(Standard.objects.select_related("programme"), programme__code=code, pk=pk)
    form = RuleEndForm(request.POST or None, row=standard)
    about = "；".join(whom(verbs.rule_of(standard), verbs.category_names()) or [_EVERYBODY])
    about += f"：{standard.amount:.2f} {unit_of_amount(standard.programme.unit)}"
    if request.method == "POST" and form.is_valid() and "edit" not in request.POST:
        try:
            return _preview_or_end(request, standard, form, about)
        except ValidationError as refusal:
            form.add_error(None, refusal.messages)
    context = {"programme": standard.programme, "standard": standard, "about": about, "form": form}
    return render(request, "subsidies/standard_end.html", context)


def _preview_or_end(request: HttpRequest, standard: Standard, form: RuleEndForm, about: str) -> HttpResponse:
    county, last, basis = county_of(request), form.cleaned_data["last_term"], form.cleaned_data["document"]
    effect = what_if.of_end(standard, last, county)
    if may_save(request, effect):
        verbs.end_standard(standard, last, document=basis, county=county, by=request.user)
        return saved(request, standard.programme, effect, f"已登记：这条标准执行到{term_label(last)}为止。")
    said = [("标准", about), ("执行到", term_label(last)), ("依据", basis)]
    return preview(request, standard.programme, form, effect, said, "登记截止学期")


@require_safe
@desk(Permission.MAKE_BATCH)
def difference_list(request: HttpRequest, code: str) -> HttpResponse:
    """Submitted applications of a term that are not what the rules give now: to be paid later or taken back."""
    programme = get_object_or_404(Programme, code=code)
    term = _term_with_cases(programme, request.GET.get("term", ""))
    rows = list(what_if.differences(programme, term, county_of(request, Permission.MAKE_BATCH))) if term else []
    reported = [row for row in rows if row.is_reported]
    context = {
        "programme": programme,
        "term": term,
        "terms": what_if.terms_with_cases(programme),
        "page": Paginator(rows, PAGE).get_page(request.GET.get("page")),
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
    county = county_of(request, Permission.MAKE_BATCH)
    content = difference_sheets.write(programme, paid, county, by=request.user)
    response = HttpResponse(content, content_type=uploads.XLSX)
    response["Content-Disposition"] = content_disposition_header(True, f"{programme.name}_{paid.key}_差额清单.xlsx")
    return uploads.guard_download(response)


def _term_with_cases(programme: Programme, key: str) -> Term | None:
    """The term asked for, else the newest in which somebody applied."""
    terms = what_if.terms_with_cases(programme)
    return next((term for term in terms if term.key == key), terms[0] if terms else None)
