"""在校时间: how months and days in school are counted, and on how many days schools served."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts import access, scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission as P
from students import terms

from .. import attendance as verbs
from ..attendance_forms import AttendanceRuleForm, ServedDaysForm
from ..models import AttendanceRule, Programme, ServedDays
from .desks import show_refusal

ROWS_PER_PAGE = 50


@require_http_methods(["GET", "POST"])
@desk(P.VIEW_CASES)
def attendance_rules(request: HttpRequest) -> HttpResponse:
    """The dated rules (GET for everybody who looks at cases; POST for who keeps the standards)."""
    county = Unit.objects.get(path=scopes.reach(request.user, P.VIEW_CASES)[0].split("/", 1)[0] + "/")
    if request.method == "POST":
        access.require(request.user, P.EDIT_STANDARDS, county)
    term = terms.current()
    rule_form = AttendanceRuleForm(
        request.POST if "save_rule" in request.POST else None, prefix="rule", initial={"first_term": term}
    )
    days_form = ServedDaysForm(
        request.POST if "save_days" in request.POST else None,
        prefix="days",
        initial={"term": term},
        user=request.user,
    )
    form = rule_form if "save_rule" in request.POST else days_form
    if request.method == "POST" and form.is_valid():
        try:
            if form is rule_form:
                verbs.set_rule(rule_form.rule(), county=county, by=request.user)
            else:
                verbs.set_served(days_form.served(), by=request.user)
        except ValidationError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "已登记；已经提交的申请仍按提交时计算，之后提交的按新的办法。")
            return redirect("attendance")
    paying = Programme.objects.filter(is_active=True, pro_rata=True).order_by("code")
    served = ServedDays.objects.select_related("unit", "term", "recorded_by").filter(unit__path__startswith=county.path)
    context = {
        "rule_form": rule_form,
        "days_form": days_form,
        "programmes": [(each, verbs.rule_of(each, term)) for each in paying] if term else [],
        "past": AttendanceRule.objects.select_related("programme", "recorded_by"),
        "page": Paginator(served, ROWS_PER_PAGE).get_page(request.GET.get("page")),
        "term": term,
        "may_edit": scopes.allows(request.user, P.EDIT_STANDARDS, county),
    }
    return render(request, "subsidies/attendance_rules.html", context)
