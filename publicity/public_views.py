"""The one page of this app without sign-in: a notice while it hangs. No page lists them."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods
from django_tables2 import RequestConfig

from accounts import typed

from . import notices
from .models import Notice
from .tables import PublicLineTable

LINES_PER_PAGE = 50

View = Callable[..., HttpResponse]


def kept_by_nobody(view: View) -> View:
    """No cache and no search engine keeps the answer: when the notice is over, it is over everywhere."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
        return response

    return guarded


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@kept_by_nobody
def notice_public(request: HttpRequest, code: str) -> HttpResponse:
    """A running notice: text, dates, list (POST: those of a name). Over: 410 and no name. Never there: 404.

    What hangs in a classroom is nobody's outside it, and is not here either.
    """
    rows = Notice.objects.filter(level=Notice.Level.SCHOOL).select_related("school", "document")
    notice = get_object_or_404(rows, code=code)
    if not notices.is_public(notice):
        return render(request, "publicity/notice_over.html", status=410)
    # Visitors have no session: the answer to a name is this page itself.
    name = typed.read(request) if request.method == "POST" else ""
    lines = notice.lines.order_by("position")
    if name:
        lines = lines.filter(name__icontains=name)
    table = PublicLineTable(lines, exclude=[] if notice.shows_amount else ["amount"])
    # What was sent is gone with the next page, so those of a name are not paged.
    RequestConfig(request, paginate=False if name else {"per_page": LINES_PER_PAGE}).configure(table)
    context = {"notice": notice, "table": table, "names": typed.NameForm(), "typed": name}
    context["day_count"] = len(notice.counted_days)
    return render(request, "publicity/notice_public.html", context)
