"""The daily mail: one per person and day, in counts, with no pupil in it."""

import datetime as dt
from smtplib import SMTPException

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from accounts import clock
from accounts.models import ReminderMail, User
from aidadmin import reminders, tasks
from subsidies.models import Round
from subsidies.states import State
from tests.cast import TODAY, Cast, enrol, open_round, submitted, walk


@pytest.fixture
def set_up(settings: object) -> None:
    settings.MAIL_REMINDERS = True  # type: ignore[attr-defined]
    settings.PUBLIC_URL = "https://zizhu.example.cn"  # type: ignore[attr-defined]


@pytest.fixture
def officer(cast: Cast, set_up: None) -> User:
    """With a case that waits, and an address."""
    walk(cast, submitted(cast, open_round(cast), enrol(cast, cast.class_a1, name="张小溪")), State.CLASS_REVIEWED)
    User.objects.filter(pk=cast.officer_a.pk).update(email="chen@example.cn")
    return User.objects.get(pk=cast.officer_a.pk)


def test_one_mail_however_often_the_job_runs(officer: User) -> None:
    tasks.send_reminders()
    tasks.send_reminders()
    (sent,) = mail.outbox
    assert sent.to == ["chen@example.cn"]
    held = ReminderMail.objects.get()
    assert (held.user, held.day) == (officer, TODAY)
    assert held.sent_at is not None
    clock.set_demo_day(TODAY + dt.timedelta(days=1))
    tasks.send_reminders()
    assert len(mail.outbox) == 2


def test_it_tells_what_and_how_many_and_names_no_pupil(officer: User) -> None:
    tasks.send_reminders()
    text = mail.outbox[0].subject + mail.outbox[0].body
    assert "陈专干，您好" in text
    assert "待学校评审：1 人（还有" in text
    assert "https://zizhu.example.cn/" in text
    assert "张小溪" not in text
    assert "七年级1班" not in text


def test_what_is_late_stands_in_the_subject(officer: User) -> None:
    clock.set_demo_day(TODAY + dt.timedelta(days=80))
    while not reminders.due_today():
        clock.set_demo_day(clock.today() + dt.timedelta(days=1))
    tasks.send_reminders()
    assert "件已逾期" in mail.outbox[0].subject


def test_nothing_is_sent_where_no_server_is_named(officer: User, settings: object) -> None:
    settings.MAIL_REMINDERS = False  # type: ignore[attr-defined]
    tasks.send_reminders()
    assert mail.outbox == []


def test_nothing_is_sent_on_days_of_rest(officer: User) -> None:
    clock.set_demo_day(dt.date(2026, 10, 17))  # a Saturday
    tasks.send_reminders()
    assert mail.outbox == []


def test_where_the_calendar_is_missing_the_week_decides(officer: User) -> None:
    clock.set_demo_day(dt.date(2031, 3, 3))  # a Monday
    assert reminders.due_today()
    clock.set_demo_day(dt.date(2031, 3, 2))
    assert not reminders.due_today()


def test_who_has_nothing_to_do_or_no_post_gets_nothing(cast: Cast, set_up: None) -> None:
    User.objects.filter(pk=cast.inspector.pk).update(email="yan@example.cn")
    User.objects.create_user("idle", name="无任职", email="idle@example.cn", must_change_password=False)
    assert reminders.recipients() == [cast.inspector.pk]
    tasks.send_reminders()
    assert mail.outbox == []


def test_what_could_not_be_sent_is_tried_again(officer: User, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    def refuse(*_: object) -> None:
        raise SMTPException("no")

    with monkeypatch.context() as broken:
        broken.setattr(EmailBackend, "send_messages", refuse)
        tasks.send_reminders()
    assert not ReminderMail.objects.exists()
    assert "chen@example.cn" not in caplog.text
    tasks.send_reminders()
    assert len(mail.outbox) == 1


def test_one_persons_trouble_is_nobody_elses(cast: Cast, officer: User, monkeypatch, caplog) -> None:
    User.objects.filter(pk=cast.principal_a.pk).update(email="xz@example.cn")
    round_ = Round.objects.get()
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.SCHOOL_REVIEWED)
    message = reminders._message

    def refuse(person: User, waiting: list) -> object:
        if person == officer:
            raise ValueError("an address no header can carry")
        return message(person, waiting)

    monkeypatch.setattr(reminders, "_message", refuse)
    assert officer.pk < cast.principal_a.pk
    tasks.send_reminders()
    assert [sent.to for sent in mail.outbox] == [["xz@example.cn"]]
    assert "1 reminders were not made" in caplog.text
    assert "chen@example.cn" not in caplog.text


def test_a_run_that_is_out_of_time_ends(officer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(_: int) -> bool:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(reminders, "remind", late)
    with pytest.raises(SoftTimeLimitExceeded):
        tasks.send_reminders()


def test_a_claim_whose_worker_died_is_taken_over_and_a_fresh_one_is_left_alone(officer: User) -> None:
    claim = ReminderMail.objects.create(user=officer, day=TODAY, things=1, claimed_at=clock.now())
    assert not reminders.remind(officer.pk)
    ReminderMail.objects.filter(pk=claim.pk).update(claimed_at=clock.now() - dt.timedelta(minutes=20))
    assert reminders.remind(officer.pk)
    assert not reminders.remind(officer.pk)
    assert len(mail.outbox) == 1


def test_many_kinds_are_cut_short(officer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reminders, "_MOST_LINES", 0)
    tasks.send_reminders()
    assert "另有" in mail.outbox[0].body
