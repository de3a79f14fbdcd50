"""Jobs of the register. The rows are the queue: a lost message or a killed worker delays a roster, never loses it."""

import datetime as dt
import uuid

from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings

from accounts import clock
from accounts.tasks import wake

from . import list_versions, roster_jobs, rosters

# Two hundred thousand rows on a slow machine; below the queue's visibility timeout.
_LONGEST = 870


@shared_task(name="students.tasks.sweep_rosters", expires=60)
def sweep_rosters() -> int:
    """Send every waiting roster to a worker; claims make it harmless to send one twice."""
    keys = roster_jobs.waiting()
    for key in keys:
        run_roster.delay(str(key))
    return len(keys)


@shared_task(name="students.tasks.run_roster", time_limit=_LONGEST, soft_time_limit=_LONGEST - 30)
def run_roster(key: str) -> None:
    roster_jobs.run(uuid.UUID(key))


@shared_task(name="students.tasks.sweep_roster_files")
def sweep_roster_files() -> int:
    """Remove roster files some weeks after the import was settled or left alone. Safe any number of times."""
    before = clock.now() - dt.timedelta(days=settings.ROSTER_FILE_DAYS)
    rosters.sweep_readings(seconds=settings.ROSTER_FILE_DAYS * 24 * 3600)
    return rosters.sweep_files(before=before)


@shared_task(name="students.tasks.sweep_lists", expires=60)
def sweep_lists() -> int:
    """Send every comparison list that waits to a worker; claims make it harmless to send one twice."""
    keys = list_versions.waiting()
    for key in keys:
        work_on_list.delay(str(key))
    return len(keys)


@shared_task(name="students.tasks.work_on_list", time_limit=_LONGEST, soft_time_limit=_LONGEST - 30)
def work_on_list(key: str) -> None:
    list_versions.work(uuid.UUID(key))


@shared_task(name="students.tasks.sweep_list_files")
def sweep_list_files() -> int:
    """Remove the files of lists some weeks after they were taken, and lists nobody took. Safe any number of times."""
    return list_versions.sweep_files(before=clock.now() - dt.timedelta(days=settings.ROSTER_FILE_DAYS))


def nudge_lists() -> None:
    wake(sweep_lists)


def nudge() -> None:
    wake(sweep_rosters)


@worker_ready.connect
def sweep_at_start(**_: object) -> None:
    sweep_rosters.delay()
    sweep_lists.delay()
