"""学期: which one is running."""

import datetime as dt

from accounts import clock

from .models import Term


def current(on: dt.date | None = None) -> Term | None:
    """The newest term that has begun, so that the holidays still belong to the term before them.

    Before the first term on record, that first one; None when there is none.
    """
    begun = Term.objects.filter(starts_on__lte=on or clock.today()).order_by("-key").first()
    return begun or Term.objects.order_by("key").first()
