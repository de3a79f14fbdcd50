"""Jobs about files, and how every job is woken."""

import logging

from celery import Task, shared_task
from celery.signals import worker_init
from kombu.exceptions import OperationalError

from . import fonts, uploads

logger = logging.getLogger(__name__)


def wake(sweep: Task) -> None:
    """Let a worker look for work now rather than at the next sweep. A queue that is down costs only the wait."""
    try:
        sweep.apply_async(retry=False)
    except OperationalError:
        logger.warning("the queue does not answer; the next %s will find the work", sweep.name)


@worker_init.connect
def open_the_fonts(**_: object) -> None:
    """Once, before the pool forks: otherwise each process's first sheet waits for it."""
    fonts.printable()
    fonts.advances()


@shared_task(name="documents.tasks.sweep_orphan_files")
def sweep_orphan_files() -> int:
    """Remove stored files no row speaks of (their transaction was undone). Safe at any time, any number of times."""
    return uploads.sweep_orphans()
