"""The daily job of reminders."""

from celery import shared_task

from . import reminders


@shared_task(name="aidadmin.tasks.send_reminders", expires=3600)
def send_reminders() -> None:
    """Remind everybody who gave an address. Safe any number of times a day."""
    if reminders.due_today():
        for key in reminders.recipients():
            reminders.remind(key)
