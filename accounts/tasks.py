"""How every job is woken, and the job that checks the audit trail."""

import logging

from celery import Task, shared_task
from kombu.exceptions import OperationalError

from . import audit_checks

logger = logging.getLogger(__name__)


def wake(sweep: Task) -> None:
    """Let a worker look for work now rather than at the next sweep. A queue that is down costs only the wait."""
    try:
        sweep.apply_async(retry=False)
    except OperationalError:
        logger.warning("the queue does not answer; the next %s will find the work", sweep.name)


@shared_task(name="accounts.tasks.sweep_audit_checks", expires=60)
def sweep_audit_checks() -> None:
    """Go on with the checks nobody is at. Safe any number of times, at once too."""
    for key in audit_checks.waiting():
        audit_checks.run(key)


def nudge_audit_checks() -> None:
    wake(sweep_audit_checks)
