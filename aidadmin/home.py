"""The first page: what waits for the person who signed in, and where to go for it."""

import datetime as dt

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts import clock, scopes
from accounts.access import open_to_all
from accounts.models import User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from students import working_calendar
from students.models import RosterImport, SchoolClass
from students.working_days import CalendarMissing
from subsidies import rounds
from subsidies.models import Round

from .waiting import waiting_for

P = Permission
MOST_WAITING = 12  # on the first page; the rest has a page of its own
_PER_PAGE = 30


@require_safe
@open_to_all
def home(request: HttpRequest) -> HttpResponse:
    user: User = request.user  # type: ignore[assignment]
    appointments = scopes.current_appointments(user)
    waiting = waiting_for(user) if appointments else []
    context = {
        "appointments": appointments,
        "waiting": waiting[:MOST_WAITING],
        "waiting_count": len(waiting),
        "late_count": sum(each.is_late for each in waiting),
        "open_rounds": _open_rounds(user),
        "first_steps": _first_steps(user),
        "today": clock.today(),
    }
    return render(request, "aidadmin/home.html", context)


@require_safe
@open_to_all
def waiting_list(request: HttpRequest) -> HttpResponse:
    """Everything that waits for the person, a page at a time; all of it, or what is late."""
    waiting = waiting_for(request.user)  # type: ignore[arg-type]
    late = [each for each in waiting if each.is_late]
    only_late = bool(request.GET.get("late"))
    context = {
        "page": Paginator(late if only_late else waiting, _PER_PAGE).get_page(request.GET.get("page")),
        "count": len(waiting),
        "late_count": len(late),
        "only_late": only_late,
        "today": clock.today(),
    }
    return render(request, "aidadmin/waiting.html", context)


@require_POST
@open_to_all
def demo_clock_advance(request: HttpRequest) -> HttpResponse:
    """Demo county only: let a working day pass."""
    day = clock.today() + dt.timedelta(days=1)
    try:
        day = working_calendar.working_days().next_from(day)
    except CalendarMissing as missing:
        messages.warning(request, f"{missing.messages[0]}这里只前进一天。")
    clock.set_demo_day(day)
    messages.info(request, f"演示县的日期已前进到{cn_date(day)}。")
    return redirect(_back(request))


def _back(request: HttpRequest) -> str:
    # Only ever a path of our own: the page the button stood on.
    referer = request.META.get("HTTP_REFERER", "")
    root = request.build_absolute_uri("/")
    return "/" + referer[len(root) :] if referer.startswith(root) else reverse("home")


def _open_rounds(user: User) -> list[Round]:
    today = clock.today()
    running = rounds.visible_to(user, P.VIEW_CASES).filter(opens_on__lte=today, closes_on__gte=today)[:20]
    classes = SchoolClass.objects.filter(unit__is_active=True)
    stages = set(
        scopes.within(classes, user, P.VIEW_CASES, unit="unit").order_by().values_list("stage", flat=True).distinct()
    )
    # Until a roster has brought classes, nobody can tell; then a kindergarten's round is no news to a school.
    return [round_ for round_ in running if not stages or stages.intersection(round_.programme.stages)]


def _first_steps(user: User) -> list[tuple[str, str, str]]:
    """What to begin with when nothing has begun: (sentence, button, address)."""
    steps = []
    if (
        scopes.reach(user, P.IMPORT_ROSTER)
        and not scopes.within(RosterImport.objects.all(), user, P.IMPORT_ROSTER, unit="unit").exists()
    ):
        steps.append(("先导入本学期学生名册，班主任才能填报。", "导入名册", reverse("roster_import_new")))
    if scopes.reach(user, P.MAKE_BATCH) and not rounds.visible_to(user, P.OPEN_ROUND).exists():
        steps.append(("开启本学期的资助批次，各校就能开始填报。", "开启批次", reverse("round_open")))
    if scopes.reach(user, P.MANAGE_ACCOUNTS):
        steps.append(("人员变动时，在这里开通账号、办理任职交接。", "账号与任职", reverse("people")))
    return steps
