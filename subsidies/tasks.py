"""Jobs. The rows are the queue: a lost message or a killed worker delays a sheet and never loses it."""

import uuid

from celery import shared_task
from celery.signals import worker_ready

from accounts import clock
from accounts.models import Unit
from accounts.tasks import wake
from students import terms

from . import concerns, payout_sheets


@shared_task(name="subsidies.tasks.sweep_payout_sheets", expires=60)
def sweep_payout_sheets() -> int:
    """Send every waiting sheet to a worker; claims make it harmless to send one twice."""
    keys = payout_sheets.waiting()
    for key in keys:
        produce_payout_sheet.delay(str(key))
    return len(keys)


@shared_task(name="subsidies.tasks.produce_payout_sheet")
def produce_payout_sheet(key: str) -> None:
    payout_sheets.produce(uuid.UUID(key))


@shared_task(name="subsidies.tasks.sweep_screenings", expires=60)
def sweep_screenings() -> int:
    """Send every waiting screening to a worker."""
    keys = concerns.waiting()
    for key in keys:
        screen.delay(str(key))
    return len(keys)


@shared_task(name="subsidies.tasks.screen")
def screen(key: str) -> None:
    # One in a county at a time: whoever waited for this one is next.
    if concerns.run(uuid.UUID(key)) and concerns.waiting():
        nudge_screenings()


@shared_task(name="subsidies.tasks.screen_every_county", expires=3600)
def screen_every_county() -> None:
    """At night: whoever was missed or doubled by the day's work stands on the page in the morning."""
    term = terms.current(clock.today())
    if term is None:
        return
    for county in Unit.objects.filter(level=Unit.Level.COUNTY, is_active=True):
        concerns.ask(county, term, by=None)
    sweep_screenings()


def nudge_screenings() -> None:
    wake(sweep_screenings)


def nudge() -> None:
    wake(sweep_payout_sheets)


@worker_ready.connect
def sweep_at_start(**_) -> None:
    sweep_payout_sheets.delay()
