"""The desk of a programme: what it is, whom it accepts, how its list is reviewed and shown; off and on."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from accounts import clock
from accounts.access import desk
from accounts.roles import Permission
from students.models import Term
from students.term_keys import term_label

from .. import grounds, procedures, programme_records, what_if
from ..dated_terms import span_label
from ..models import AcceptedCategory, ProcessRule, Programme
from ..programme_forms import GroundForm, ProcedureForm, ProgrammeForm, SwitchForm
from ..programmes import category_names
from ..standard_forms import RuleEndForm
from .desks import carried_out, county_of, show_refusal
from .previews import may_save, preview, saved


@require_http_methods(["GET", "HEAD", "POST"])
@desk(Permission.EDIT_STANDARDS)
def programme_add(request: HttpRequest) -> HttpResponse:
    form = ProgrammeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            programme = programme_records.add(form.instance, county=county_of(request), by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"已新增项目“{programme}”。还要登记标准等内容，才能开启批次。")
            return redirect("programme", code=programme.code)
    return render(request, "subsidies/programme_add.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@desk(Permission.EDIT_STANDARDS)
def programme_edit(request: HttpRequest, code: str) -> HttpResponse:
    """The form; what the change would do, where it could change an amount; and on a second click the change."""
    held = get_object_or_404(Programme, code=code)
    form = ProgrammeForm(request.POST or None, instance=get_object_or_404(Programme, code=code))
    if request.method == "POST" and form.is_valid() and "edit" not in request.POST:
        try:
            return _preview_or_change(request, held, form)
        except ValidationError as refusal:
            show_refusal(form, refusal)
    return render(request, "subsidies/programme_edit.html", {"programme": held, "form": form})


def _preview_or_change(request: HttpRequest, held: Programme, form: ProgrammeForm) -> HttpResponse:
    county, new = county_of(request), form.instance
    document, began_from = form.cleaned_data["document"], form.cleaned_data["began_from"]
    if programme_records.decides(held, new):
        effect = programme_records.effect_of(held, new, county)
        if not may_save(request, effect):
            changed = programme_records.changed_fields(held, new)
            said = [("原来", "；".join(programme_records.told_of(held, field) for field in changed))]
            said += [
                ("改为", "；".join(programme_records.told_of(new, field) for field in changed)),
                ("依据", document),
            ]
            return preview(request, held, form, effect, said, "保存修改", rule="项目规定")
    programme_records.change(new, began_from=began_from, document=document, county=county, by=request.user)
    messages.success(request, f"已修改项目“{new}”。")
    return redirect("programme", code=held.code)


@require_http_methods(["GET", "HEAD", "POST"])
@desk(Permission.EDIT_STANDARDS)
def programme_switch(request: HttpRequest, code: str) -> HttpResponse:
    """Off, with a warning that names what is not finished; or on again."""
    programme = get_object_or_404(Programme, code=code)
    form = SwitchForm(request.POST or None)
    if carried_out(request, form, lambda: _switch(request, programme, form)):
        deed = "停用，不能再开启批次" if programme.is_active else "启用，可以开启批次"
        messages.success(request, f"“{programme}”已{deed}。")
        return redirect("programme", code=code)
    rows = programme_records.unfinished(programme) if programme.is_active else []
    context = {"programme": programme, "form": form, "unfinished": rows, "seen": programme_records.seen_of(rows)}
    return render(request, "subsidies/programme_switch.html", context)


def _switch(request: HttpRequest, programme: Programme, form: SwitchForm) -> None:
    said: dict[str, Any] = {"reason": form.cleaned_data["reason"], "county": county_of(request), "by": request.user}
    if programme.is_active:
        programme_records.switch_off(programme, seen=form.cleaned_data["seen"], **said)
    else:
        programme_records.switch_on(programme, **said)


# --- whom it accepts -------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@desk(Permission.EDIT_STANDARDS)
def ground_add(request: HttpRequest, code: str) -> HttpResponse:
    """The form; what accepting the category would change; and on a second click the category."""
    programme = get_object_or_404(Programme, code=code)
    form = GroundForm(request.POST or None, programme=programme, initial={"first_term": _next_term()})
    if request.method == "POST" and form.is_valid() and "edit" not in request.POST:
        try:
            return _preview_or_accept(request, programme, form)
        except ValidationError as refusal:
            show_refusal(form, refusal)
    return render(request, "subsidies/ground_add.html", {"programme": programme, "form": form})


def _preview_or_accept(request: HttpRequest, programme: Programme, form: GroundForm) -> HttpResponse:
    county, row = county_of(request), form.ground()
    effect = what_if.of_ground(row, county)
    name, terms = category_names()[row.category_code], span_label(row)
    if may_save(request, effect):
        grounds.add_ground(row, county=county, by=request.user)
        return saved(request, programme, effect, f"已把“{name}”（{grounds.whom(row)}）列入资助范围，{terms}执行。")
    said = [("困难类别", name), ("就读方式", grounds.whom(row)), ("执行", terms), ("文件", row.source)]
    return preview(request, programme, form, effect, said, "列入资助范围", rule="资助范围")


@require_http_methods(["GET", "HEAD", "POST"])
@desk(Permission.EDIT_STANDARDS)
def ground_end(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """The last term; whom that leaves out; and on a second click the end."""
    row = get_object_or_404(AcceptedCategory.objects.select_related("programme"), programme__code=code, pk=pk)
    form = RuleEndForm(request.POST or None, row=row)
    about = f"{category_names().get(row.category_code, row.category_code)}（{grounds.whom(row)}）"
    if request.method == "POST" and form.is_valid() and "edit" not in request.POST:
        try:
            return _preview_or_leave_out(request, row, form, about)
        except ValidationError as refusal:
            show_refusal(form, refusal)
    context = {"programme": row.programme, "row": row, "about": about, "form": form}
    return render(request, "subsidies/ground_end.html", context)


def _preview_or_leave_out(request: HttpRequest, row: AcceptedCategory, form: RuleEndForm, about: str) -> HttpResponse:
    county, last, document = county_of(request), form.cleaned_data["last_term"], form.cleaned_data["document"]
    effect = what_if.of_ground_end(row, last, county)
    if may_save(request, effect):
        grounds.end_ground(row, last, document=document, county=county, by=request.user)
        return saved(request, row.programme, effect, f"已登记：{about}资助到{term_label(last)}为止。")
    said = [("资助范围", about), ("资助到", term_label(last)), ("依据", document)]
    return preview(request, row.programme, form, effect, said, "登记截止学期", rule="资助范围")


def _next_term() -> str:
    """The term that begins next, else the last on record: new rules mostly begin with a term."""
    term = Term.objects.filter(starts_on__gt=clock.today()).order_by("key").first()
    return (term or Term.objects.order_by("-key").first() or Term()).key


# --- how its list is reviewed and shown ------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@desk(Permission.EDIT_STANDARDS)
def process_rule_add(request: HttpRequest, code: str) -> HttpResponse:
    """The form, filled with the newest rule; what is under way in its terms; and the rule."""
    programme = get_object_or_404(Programme, code=code)
    form = ProcedureForm(request.POST or None, programme=programme, initial=_newest_rule(programme))
    under_way: list[procedures.UnderWay] = []
    if request.method == "POST" and form.is_valid():
        try:
            under_way = procedures.check_rule(form.rule())
            if form.cleaned_data["seen"] == procedures.seen_of(under_way):
                return _record_rule(request, form)
        except ValidationError as refusal:
            show_refusal(form, refusal)
    context = {"programme": programme, "form": form, "under_way": under_way, "seen": procedures.seen_of(under_way)}
    return render(request, "subsidies/process_rule_add.html", context)


def _record_rule(request: HttpRequest, form: ProcedureForm) -> HttpResponse:
    seen = form.cleaned_data["seen"]
    rule = procedures.record_rule(form.rule(), seen=seen, county=county_of(request), by=request.user)
    messages.success(
        request, f"已登记评审和公示规则：{procedures.words(rule)}，自{term_label(rule.first_term)}起执行。"
    )
    return redirect("programme", code=rule.programme.code)


def _newest_rule(programme: Programme) -> dict[str, Any]:
    """What the form begins with: the rule that counts now, for the next term."""
    rule = programme.process_rules.first() or ProcessRule()
    return {fact: getattr(rule, fact) for fact in procedures.FACTS} | {"first_term": _next_term()}
