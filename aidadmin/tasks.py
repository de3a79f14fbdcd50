"""The daily job of reminders."""

import logging

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded

from . import reminders

logger = logging.getLogger(__name__)


@shared_task(name="aidadmin.tasks.send_reminders", expires=3600)
def send_reminders() -> None:
    """Remind everybody who gave an address. Safe any number of times a day; one person's trouble is nobody else's."""
    if not reminders.due_today():
        return
    failed = 0
    for key in reminders.recipients():
        try:
            reminders.remind(key)
        except SoftTimeLimitExceeded:
            raise  # the next run goes on
        except Exception:
            failed += 1
            logger.exception("the reminder of user %s was not made", key)
    if failed:
        logger.error("%d reminders were not made; the next run tries again", failed)
