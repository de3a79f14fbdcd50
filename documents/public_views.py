"""Pages for whoever holds a paper, without sign-in: is it genuine? No names, no search engines, no caches."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from . import verification
from .forms import CompareForm
from .verification import Finding, Verdict

# A county's parents look up one paper each; a machine that tries codes is slowed down.
LOOK_UPS = 60
PER_SECONDS = 60
# Reading a stranger's file costs more than a look-up, and counts for as many.
_COST_OF_A_FILE = 6

View = Callable[..., HttpResponse]


def public(view: View) -> View:
    """Open to everybody, kept by nobody, and at most LOOK_UPS a minute from one address."""

    @login_not_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
        if _too_many(request):
            response = render(request, "documents/verify_too_many.html", {"seconds": PER_SECONDS}, status=429)
            response["Retry-After"] = str(PER_SECONDS)
        else:
            response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return guarded


@require_http_methods(["GET", "HEAD", "POST"])
@public
def verify(request: HttpRequest) -> HttpResponse:
    """Enter a code (?code=), or upload a file to compare it."""
    if code := request.GET.get("code"):
        return redirect("verify_code", code=verification.code_in(code) or "-")
    form = CompareForm(request.POST, request.FILES) if request.method == "POST" else CompareForm()
    if form.is_bound and form.is_valid():
        return _answer(request, verification.compare(form.cleaned_data["file"].read()))
    return render(request, "documents/verify.html", {"form": form})


@require_safe
@public
def verify_code(request: HttpRequest, code: str) -> HttpResponse:
    """The page behind the QR code."""
    finding = verification.look_up(verification.normalise_code(code))
    return _answer(request, finding, code=code, status=404 if finding.verdict == Verdict.UNKNOWN else 200)


def _answer(request: HttpRequest, finding: Finding, *, code: str = "", status: int = 200) -> HttpResponse:
    context = {"finding": finding, "document": finding.document, "code": code, "form": CompareForm()}
    return render(request, "documents/verify_answer.html", context, status=status)


def _too_many(request: HttpRequest) -> bool:
    key = f"verify:{request.META.get('REMOTE_ADDR', '')}"
    # The window begins with the first look-up; `add` does nothing when it is there.
    cache.add(key, 0, PER_SECONDS)
    try:
        return cache.incr(key, _COST_OF_A_FILE if request.method == "POST" else 1) > LOOK_UPS
    except ValueError:  # ended in between
        return False
