"""The working calendar: a year as it is recorded, recording one."""

import re

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from accounts import clock, scopes
from accounts.access import desk
from accounts.models import Unit, User
from accounts.roles import Permission

from .. import calendar_text, working_calendar
from ..calendar_forms import CalendarForm
from ..models import CalendarYear


@require_GET
@desk(Permission.VIEW_CASES)
def calendar(request: HttpRequest) -> HttpResponse:
    years = list(CalendarYear.objects.select_related("recorded_by"))
    shown = _shown(request, years)
    context = {
        "years": years,
        "shown": shown,
        "months": working_calendar.months_of(shown.year) if shown else [],
        "missing": working_calendar.missing_years(clock.today()),
        "this_year": clock.today().year,
        "today": clock.today(),
        "may_record": bool(scopes.reach(request.user, Permission.EDIT_CALENDAR)),
    }
    return render(request, "students/calendar.html", context)


@require_http_methods(["GET", "POST"])
@desk(Permission.EDIT_CALENDAR)
def calendar_record(request: HttpRequest) -> HttpResponse:
    """Type, look at what was understood, then record exactly that."""
    form = CalendarForm(request.POST or None, initial=_initial(request))
    understood = None
    if request.method == "POST" and form.is_valid():
        digest = form.digest()
        if request.POST.get("step") == "record" and form.cleaned_data["seen"] == digest:
            if _record(form, by=request.user):
                messages.success(request, _summary(form))
                return redirect(f"{reverse('calendar')}?year={form.cleaned_data['year']}")
        else:
            understood = working_calendar.months_from(form.cleaned_data["year"], **form.days())
            form = form.looking_at(digest)
    return render(request, "students/calendar_record.html", {"form": form, "months": understood})


def _record(form: CalendarForm, *, by: User) -> bool:
    county = Unit.objects.get(path=scopes.reach(by, Permission.EDIT_CALENDAR)[0])
    try:
        working_calendar.record_year(
            form.cleaned_data["year"], document=form.cleaned_data["document"], **form.days(), county=county, by=by
        )
    except ValidationError as refusal:
        form.add_error(None, refusal)
        return False
    return True


def _summary(form: CalendarForm) -> str:
    rest, work = form.cleaned_data["rest"], form.cleaned_data["work"]
    return (
        f"{form.cleaned_data['year']} 年工作日历已录入：放假 {len(rest)} 天，调休上班 {len(work)} 天。"
        "已经发布的公示、已经定下的期限不变。"
    )


def _shown(request: HttpRequest, years: list[CalendarYear]) -> CalendarYear | None:
    """The year asked for; else this year's, else the newest."""
    wanted = request.GET.get("year", "")
    if wanted:
        found = next((year for year in years if str(year.year) == wanted), None)
        if found is None:
            raise Http404
        return found
    return next((year for year in years if year.year == clock.today().year), years[0] if years else None)


def _initial(request: HttpRequest) -> dict:
    """A recorded year to be corrected (?year=2026), or the first year that is missing."""
    wanted = request.GET.get("year", "")
    asked = int(wanted) if re.fullmatch(r"[0-9]{4}", wanted) else None
    recorded = CalendarYear.objects.filter(year=asked).first() if asked is not None else None
    if recorded is None:
        year = next(iter(working_calendar.missing_years(clock.today())), clock.today().year + 1)
        return _as_announced(year if asked is None else asked)
    days = working_calendar.special_days(recorded.year)
    return {
        "year": recorded.year,
        "document": recorded.document,
        **{kind: calendar_text.write(named) for kind, named in days.items()},
    }


def _as_announced(year: int) -> dict:
    """What the library that comes with the system knows of a year not recorded: to be compared with the notice."""
    found = working_calendar.announced(year)
    if found is None:
        return {"year": year}
    return {
        "year": year,
        "document": found.document,
        "rest": calendar_text.write(found.rest),
        "work": calendar_text.write(found.work),
    }
