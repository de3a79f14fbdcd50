"""Jobs. The rows are the queue: a lost message or a killed worker delays a sheet and never loses it."""

import logging
import uuid

from celery import shared_task
from celery.signals import worker_ready
from kombu.exceptions import OperationalError

from . import payout_sheets

logger = logging.getLogger(__name__)


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


def nudge() -> None:
    """Wake a worker now rather than at the next sweep. A queue that is down costs only the wait."""
    try:
        sweep_payout_sheets.apply_async(retry=False)
    except OperationalError:
        logger.warning("the queue does not answer; the next sweep will find the sheets")


@worker_ready.connect
def sweep_at_start(**_) -> None:
    sweep_payout_sheets.delay()
