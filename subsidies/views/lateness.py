"""Who is late: school by school, and within one class by class."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts import clock
from accounts.access import desk
from accounts.roles import Permission

from .. import lateness
from ..waiting_forms import LateFilter

_PER_PAGE = 30


@require_safe
@desk(Permission.VIEW_CASES)
def late_work(request: HttpRequest) -> HttpResponse:
    """All late work within the person's reach; of one school its works and classes, with who is to do them."""
    everything = lateness.late_for(request.user)
    form = LateFilter(request.GET)
    work = form.cleaned_data["work"] if form.is_valid() else ""
    found = [late for late in everything if not work or late.work == work]
    schools = lateness.by_school(found)
    chosen = next((school for school in schools if str(school.unit.pk) == request.GET.get("school")), None)
    one = chosen or (schools[0] if len(schools) == 1 else None)
    rows = [late for late in found if late.school_id == one.unit.pk] if one else schools
    page = Paginator(rows, _PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "one": one,
        "is_chosen": chosen is not None and len(schools) > 1,
        "schools": schools,
        "cases": sum(late.count for late in found),
        "unfiled": sum(school.unfiled for school in schools),
        "page": page,
        "rows": lateness.named(page.object_list) if one else [],
        "today": clock.today(),
    }
    return render(request, "subsidies/late_work.html", context)
