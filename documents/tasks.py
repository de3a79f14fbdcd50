"""Jobs about files."""

from celery import shared_task
from celery.signals import worker_init

from . import fonts, uploads


@worker_init.connect
def open_the_fonts(**_: object) -> None:
    """Once, before the pool forks: otherwise each process's first sheet waits for it."""
    fonts.printable()
    fonts.advances()


@shared_task(name="documents.tasks.sweep_orphan_files")
def sweep_orphan_files() -> int:
    """Remove stored files no row speaks of (their transaction was undone). Safe at any time, any number of times."""
    return uploads.sweep_orphans()
