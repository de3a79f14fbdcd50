"""The task queue. The broker only wakes workers: what is to be done stands in the database."""

import os

from celery import Celery
from celery.signals import worker_process_init

from .processes import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aidadmin.settings")

app = Celery("aidadmin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def end_with_the_worker(**_: object) -> None:
    """A pool process is of no use without its worker; without this it would outlive a worker that was killed."""
    die_with_parent()
