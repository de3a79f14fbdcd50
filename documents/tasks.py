"""Jobs about files."""

from celery import shared_task

from . import uploads


@shared_task(name="documents.tasks.sweep_orphan_files")
def sweep_orphan_files() -> int:
    """Remove stored files no row speaks of (their transaction was undone). Safe at any time, any number of times."""
    return uploads.sweep_orphans()
