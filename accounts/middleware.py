"""What every request gets: an origin for the audit trail, a fresh password, pages that are not kept."""

import uuid
from ipaddress import ip_address

from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse

from . import audit, refusals


def visitors_address(request: HttpRequest) -> str:
    """Where the request came from; what a proxy says counts only when the proxy runs on this machine."""
    peer = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")[-1].strip()
    try:
        return str(ip_address(forwarded)) if ip_address(peer).is_loopback else peer
    except ValueError:
        return peer


class RequestOriginMiddleware:
    """Give the request a number; put address and number where the audit trail and the lockout find them."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.number = uuid.uuid4().hex[:10]
        request.META["REMOTE_ADDR"] = visitors_address(request)
        token = audit.origin.set(f"{request.META.get('REMOTE_ADDR', '')} #{request.number}")
        try:
            response = self.get_response(request)
        finally:
            audit.origin.reset(token)
        response["X-Request-Number"] = request.number
        return response


class RefusalMiddleware:
    """What the verbs refused on the way is kept when the answer is made (`refusals`)."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        with refusals.kept():
            return self.get_response(request)


class FreshPasswordMiddleware:
    """A first password is only good for choosing one's own."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.user.is_authenticated and request.user.must_change_password:
            allowed = {reverse("password_change"), reverse("logout"), reverse("session")}
            if request.path not in allowed and not request.path.startswith("/static/"):
                return redirect("password_change")
        return self.get_response(request)


class PrivatePagesMiddleware:
    """Signed-in pages are about children: no cache keeps them, and the back button after sign-out is empty."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if request.user.is_authenticated and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store"
        response["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        return response
