"""Coming and going in the audit trail: sign-in, refused sign-in, sign-out."""

from collections.abc import Mapping

from django.http import HttpRequest

from . import audit
from .models import User
from .redaction import redact

_USERNAME_KEPT_MAX = 40  # as long as a real one can be


def signed_in(sender: object, request: HttpRequest, user: User, **kwargs: object) -> None:
    audit.record("session.sign_in", user, by=user)


def signed_out(sender: object, request: HttpRequest, user: User | None, **kwargs: object) -> None:
    if user is not None:  # signing out twice is not an event
        audit.record("session.sign_out", user, by=user)


def refused(sender: object, credentials: Mapping[str, object], **kwargs: object) -> None:
    """Nobody is signed in, so the name tried is a detail; it may be an ID number typed into the wrong field."""
    tried = redact(str(credentials.get("username", "")))[:_USERNAME_KEPT_MAX]
    audit.record("session.refuse", "accounts.user", by=None, username=tried)
