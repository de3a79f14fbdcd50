"""Coming and going in the audit trail: sign-in, refused sign-in, sign-out."""

from collections.abc import Mapping

from django.http import HttpRequest

from . import audit
from .models import User

_USERNAME_KEPT_MAX = 40  # as long as a real one can be


def signed_in(sender: object, request: HttpRequest, user: User, **kwargs: object) -> None:
    audit.record("session.sign_in", user, by=user)


def signed_out(sender: object, request: HttpRequest, user: User | None, **kwargs: object) -> None:
    if user is not None:  # signing out twice is not an event
        audit.record("session.sign_out", user, by=user)


def refused(sender: object, credentials: Mapping[str, object], **kwargs: object) -> None:
    """Nobody is signed in, so the name tried is a detail, kept only when an account has it: what else is typed
    there is now and then the password, and the trail is for ever."""
    tried = str(credentials.get("username", ""))[:_USERNAME_KEPT_MAX]
    known = User.objects.filter(username=tried).exists()
    audit.record("session.refuse", "accounts.user", by=None, username=tried if known else "（没有这个账号）")
