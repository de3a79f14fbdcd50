"""工作交接: when an officer leaves, what is open, what is still to come back and what they may do go onto one page.

The verb moves the appointments and issues the page as a paper for both to sign. It stands under the roof, because
what waits for a person is known only where all packages are.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Count, Min, Prefetch, Q, QuerySet
from django.utils import timezone

from accounts import access, appointments, audit, clock, scopes, words
from accounts.models import Appointment, Unit, User
from accounts.roles import ROLES, Permission
from accounts.templatetags.aid import cn_date
from archives.models import HandOver, SignedHandOver
from documents import issuing, pdf, uploads
from documents.models import IssuedDocument, Upload
from subsidies.models import Application
from subsidies.states import State

from .waiting import Waiting, waiting_for

_MOST_RETURNS = 60  # named on the page; a county's clerk has more schools than a page has lines


@dataclass(frozen=True)
class Returned:
    """Cases of one round that went back for correction and have not come again, of one school or class."""

    place: str
    round_name: str
    count: int
    since: dt.date

    @property
    def age(self) -> int:
        return (clock.today() - self.since).days


@dataclass(frozen=True)
class Contents:
    """What is handed over with the posts, as it stands now. Counts only: no pupil is named."""

    posts: list[Appointment]
    rights: list[tuple[str, list[str]]]  # by post, in words
    waiting: list[Waiting]
    returned: list[Returned]
    returned_more: int
    deputies: list[Appointment]  # who act for the leaver in these posts, and end with them


def posts_of(person: User) -> QuerySet[Appointment]:
    """The posts the person could hand over: their own, held today or from a later day on."""
    rows = person.appointments.filter(Q(ends_on__isnull=True) | Q(ends_on__gte=clock.today()), acts_for=None)
    return rows.select_related("unit__parent", "user").order_by("unit__path", "role")


def visible(user: User) -> QuerySet[HandOver]:
    """The hand-overs whose units the person keeps the accounts of."""
    copies = SignedHandOver.objects.select_related("scan__uploaded_by")
    rows = HandOver.objects.select_related("leaver", "successor", "unit", "document", "made_by")
    rows = rows.prefetch_related(Prefetch("signed_copies", copies))
    return scopes.within(rows, user, Permission.MANAGE_ACCOUNTS, unit="unit")


def contents(leaver: User, posts: Sequence[Appointment]) -> Contents:
    """What goes with these posts."""
    today = clock.today()
    # The same person with these posts alone: what waits for them otherwise stays with them.
    as_them = User(pk=leaver.pk, username=leaver.username, name=leaver.name)
    as_them.appointments_in_force = (today, [post for post in posts if post.starts_on <= today])
    returned = _returned(as_them)
    return Contents(
        posts=list(posts),
        rights=[(post.post, _rights(post)) for post in posts],
        waiting=waiting_for(as_them),
        returned=returned[:_MOST_RETURNS],
        returned_more=sum(each.count for each in returned[_MOST_RETURNS:]),
        deputies=[each for post in posts for each in appointments.deputies(post, since=today)],
    )


def hand_over(leaver: User, successor: User, posts: Iterable[Appointment], *, starts_on: dt.date, by: User) -> HandOver:
    """Move the posts to the successor from a day on, and issue the paper that says what went with them.

    Raises ValidationError where a post cannot be moved (AppointmentRefused) or a name cannot be printed;
    PermissionDenied when `by` does not manage accounts over one of the units.
    """
    moving = sorted(posts, key=lambda post: post.unit.path)
    if not moving:
        raise ValidationError({"posts": "请至少选择一项要交接的任职。"})
    for post in moving:
        access.require(by, Permission.MANAGE_ACCOUNTS, post.unit)
    if any(post.user_id != leaver.pk for post in moving):
        raise ValidationError("有的任职已经不在移交人名下，请刷新页面后再办。")
    if successor == leaver:
        raise ValidationError({"successor": "接收人就是移交人，请另选一位。"})
    with transaction.atomic():
        # A rehearsal: whatever refuses does so before a number is taken and the paper printed.
        _move(moving, successor, starts_on, by)
        transaction.set_rollback(True)
    found = contents(leaver, moving)
    unit = moving[0].unit
    document, paper = _print(leaver, successor, unit, found, starts_on=starts_on, by=by)
    with transaction.atomic():
        _move(moving, successor, starts_on, by)
        facts = [
            ["单位", unit.name],
            ["交接的任职", "、".join(post.post for post in moving)],
            ["接收人任职开始", cn_date(starts_on)],
            ["待办", f"{len(found.waiting)} 件"],
        ]
        issuing.fulfil(document, pdf=paper, xlsx=None, facts=facts, by=by)
        made = HandOver.objects.create(
            leaver=leaver,
            successor=successor,
            unit=unit,
            starts_on=starts_on,
            posts=[post.post for post in moving],
            document=document,
            made_at=clock.now(),
            made_by=by,
        )
        audit.record(
            "hand_over.make",
            made,
            by=by,
            unit=unit,
            leaver=leaver.pk,
            successor=successor.pk,
            starts_on=starts_on,
            things=len(found.waiting),
            document=document.number,
        )
    return made


def keep_signed(made: HandOver, file: UploadedFile, *, by: User) -> SignedHandOver:
    """Keep the scan of the paper that both have signed; one sent before stays."""
    access.require(by, Permission.MANAGE_ACCOUNTS, made.unit)
    with transaction.atomic():
        scan = uploads.store(file, kind=Upload.Kind.HAND_OVER, unit=made.unit, by=by)
        row = SignedHandOver.objects.create(hand_over=made, scan=scan, recorded_at=clock.now(), recorded_by=by)
        audit.record("hand_over.sign", made, by=by, unit=made.unit, sha256=scan.sha256)
    return row


def _move(posts: list[Appointment], successor: User, starts_on: dt.date, by: User) -> None:
    for post in posts:
        appointments.move(post, successor, starts_on=starts_on, by=by)


def _rights(post: Appointment) -> list[str]:
    return [words.PERMISSIONS[each] for each in Permission if each in ROLES[post.role].permissions]


def _returned(person: User) -> list[Returned]:
    """By class for whoever works in a school, by school for the county; the oldest first."""
    county = scopes.whole_counties(scopes.reach(person, Permission.VIEW_CASES))
    place = ("school__name",) if county else ("school__name", "school_class__name")
    rows = Application.objects.filter(state=State.RETURNED)
    rows = scopes.within(rows, person, Permission.VIEW_CASES, unit="school_class").order_by()
    counted = rows.values("round__term__name", "round__programme__name", *place)
    return [
        Returned(
            " ".join(row[name] for name in place),
            f"{row['round__term__name']} {row['round__programme__name']}",
            row["n"],
            timezone.localdate(row["since"]),
        )
        for row in counted.annotate(n=Count("*"), since=Min("changed_at")).order_by("since", *place)
    ]


def _print(
    leaver: User, successor: User, unit: Unit, found: Contents, *, starts_on: dt.date, by: User
) -> tuple[IssuedDocument, bytes]:
    """The paper under a number of its own, not yet issued: before the transaction, in which nobody else could write."""
    document = issuing.reserve(IssuedDocument.Kind.HAND_OVER, unit=unit)
    context = {
        "number": document.number,
        "code": issuing.spaced_code(document),
        "qr": issuing.qr_svg(document),
        "leaver": leaver,
        "successor": successor,
        "unit": unit,
        "found": found,
        "starts_on": starts_on,
        "last_day": starts_on - dt.timedelta(days=1),
        "today": clock.today(),
        "by": by,
    }
    return document, pdf.render("aidadmin/print/hand_over.html", context)
