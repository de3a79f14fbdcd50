"""Near misses of the four-eyes rule: by school, and one by one."""

import datetime as dt

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import clock, scopes
from accounts.access import desk
from accounts.models import Unit
from accounts.roles import Permission

from .. import near_misses
from ..waiting_forms import SpanFilter

_PER_PAGE = 30


@require_safe
@desk(Permission.VIEW_AUDIT)
def near_miss_list(request: HttpRequest) -> HttpResponse:
    """Schools with the most tries first; the tries of the one that is chosen."""
    since, until = near_misses.since_term(), clock.today()
    given = request.GET if {"since", "until"} & set(request.GET) else None
    form = SpanFilter(given, initial={"since": since, "until": until})
    if form.is_valid():
        since, until = form.cleaned_data["since"] or since, form.cleaned_data["until"] or until
    found = near_misses.rows(request.user, since=_midnight(since), until=_midnight(until + dt.timedelta(days=1)))
    school = _chosen(request)
    if school is not None:
        prefix = school.path
        found = found.filter(unit_path__below=prefix) if prefix.count("/") > 1 else found.filter(unit_path=prefix)
        page = Paginator(found, _PER_PAGE).get_page(request.GET.get("page"))
        rows = near_misses.told(list(page.object_list))
    else:
        page = Paginator(near_misses.by_school(found), _PER_PAGE).get_page(request.GET.get("page"))
        rows = []
    context = {"form": form, "school": school, "page": page, "rows": rows, "since": since, "until": until}
    return render(request, "subsidies/near_miss_list.html", context)


def _chosen(request: HttpRequest) -> Unit | None:
    wanted = request.GET.get("school", "")
    if not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 10):
        return None
    return get_object_or_404(scopes.within(Unit.objects.all(), request.user, Permission.VIEW_AUDIT, unit=""), pk=wanted)


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min))
