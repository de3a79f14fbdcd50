"""The daily mail: what waits for a person, in counts. One mail per person and day; never a name or number of a pupil.

A mail leaves the house, so it is made of the titles of things alone (`Waiting.title`), which are words of ours, and
not of their details.
"""

import datetime as dt
import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts import appointments, clock
from accounts.models import Appointment, ReminderMail, User
from students import working_calendar
from students.working_days import CalendarMissing

from .waiting import Waiting, waiting_for

logger = logging.getLogger(__name__)

# A claim that is older belongs to a worker that died before it could send.
_LEASE = dt.timedelta(minutes=15)
_MOST_LINES = 15


def due_today() -> bool:
    """Whether mail is set up and today is a day of work; where the calendar is not recorded, Monday to Friday."""
    if not settings.MAIL_REMINDERS:
        return False
    today = clock.today()
    try:
        return working_calendar.working_days().next_from(today) == today
    except CalendarMissing:
        return today.isoweekday() < 6


def recipients() -> list[int]:
    """Keys of those who gave an address and hold a post today."""
    held = Appointment.objects.filter(appointments.in_force(clock.today()), unit__is_active=True)
    people = User.objects.filter(is_active=True, must_change_password=False, pk__in=held.values("user"))
    return list(people.exclude(email="").order_by("pk").values_list("pk", flat=True))


def remind(key: int) -> bool:
    """Send the person's mail of today, once; whether it went out now. Safe to be called again, and at once."""
    person = User.objects.get(pk=key)
    waiting = waiting_for(person)
    if not waiting or not (claim := _claim(person, len(waiting))):
        return False
    try:
        _message(person, waiting).send()
    except (SMTPException, OSError):
        # The address is the person's own affair; the log needs none.
        logger.exception("the reminder of user %s was not sent; the next run tries again", key)
        ReminderMail.objects.filter(pk=claim, sent_at=None).delete()
        return False
    ReminderMail.objects.filter(pk=claim).update(sent_at=clock.now())
    return True


def _claim(person: User, things: int) -> int | None:
    """Take the person's mail of today on oneself; None when it went out, or somebody else is just sending it."""
    now = clock.now()
    try:
        with transaction.atomic():
            fresh = ReminderMail(user=person, day=clock.today(), things=things, claimed_at=now)
            fresh.save(force_insert=True)
            return fresh.pk
    except IntegrityError:
        held = ReminderMail.objects.filter(user=person, day=clock.today(), sent_at=None, claimed_at__lt=now - _LEASE)
        stale = held.values_list("pk", "claimed_at").first()
        if stale is None:
            return None
        # Compare and set: of two that find it, one takes it.
        taken = ReminderMail.objects.filter(pk=stale[0], claimed_at=stale[1], sent_at=None).update(claimed_at=now)
        return stale[0] if taken else None


def _message(person: User, waiting: list[Waiting]) -> EmailMessage:
    late = sum(each.is_late for each in waiting)
    subject = f"学生资助：有 {len(waiting)} 件事等您办理" + (f"，{late} 件已逾期" if late else "")
    # Of the same kind of thing one line: a clerk has one for every school.
    kinds: dict[str, list[Waiting]] = {}
    for each in waiting:
        kinds.setdefault(each.title, []).append(each)
    lines = [_line(title, alike) for title, alike in list(kinds.items())[:_MOST_LINES]]
    if len(kinds) > _MOST_LINES:
        lines.append(f"· 另有 {len(kinds) - _MOST_LINES} 类事项")
    body = "\n".join(
        [
            f"{person.name}，您好：",
            "",
            *lines,
            "",
            f"请登录后在首页办理：{settings.PUBLIC_URL}{reverse('home')}",
            f"不想再收这样的邮件，登录后在这里清空邮箱：{settings.PUBLIC_URL}{reverse('email_change')}",
        ]
    )
    # A connection of its own: the job may run on for longer than a server keeps one open.
    return EmailMessage(subject, body, settings.DEFAULT_FROM_EMAIL, [person.email], connection=get_connection())


def _line(title: str, alike: list[Waiting]) -> str:
    counted = sum(each.count for each in alike)
    told = f"· {title}"
    if counted:
        told += f"：{counted} {alike[0].unit}"
    dated = [each for each in alike if each.due_on]
    first = min(dated, key=lambda each: each.due_on or dt.date.max) if dated else None
    return f"{told}（{first.countdown}）" if first else told
