"""Notices: publish a frozen list, close it when its days are over.

What a notice may show is written here once: 序号, 姓名, 年级, 班级 and, where the programme's rule says so,
the amount (教财厅函〔2017〕28号). Nothing else reaches the tables of this app, so nothing else can be shown.
"""

import dataclasses
import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Case, Count, F, OuterRef, Q, QuerySet, Subquery, Sum, When
from django.db.models.functions import Coalesce

from accounts import access, audit, clock, scopes
from accounts.models import Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from documents import amounts, issuing, pdf, uploads
from documents.models import IssuedDocument, Upload
from students import working_calendar
from students.models import School
from subsidies import programmes, workflow
from subsidies.models import Application, ProcessRule, Round
from subsidies.states import State, Step

from . import wording
from .models import Notice, NoticeLine, Objection

_SCHOOL_DEPTH = 2  # slashes in the path of a school; a class has one more


class ListChanged(ValidationError):
    """What would be published is no longer what the page showed."""


@dataclass(frozen=True)
class Choice:
    """A list that waits to be published."""

    round: Round
    school: Unit
    count: int
    total: Decimal


@dataclass(frozen=True)
class Preview:
    """What publishing today would put up. `blocked` says why it cannot be, "" when it can."""

    lines: list[NoticeLine]
    days: list[dt.date]
    day_word: str
    digest: str
    shows_amount: bool
    total: Decimal
    blocked: str = ""

    @property
    def ends_on(self) -> dt.date | None:
        return self.days[-1] if self.days else None


@dataclass(frozen=True)
class Draft:
    """What the officer writes for a notice; the list itself comes from the round."""

    title: str
    body: str
    phone: str
    contact: str
    place: str


def visible_to(user: User) -> QuerySet[Notice]:
    """Notices of the schools the person may look at, and those that name a pupil of a class they may look at.

    A notice hangs at the school gate, so a class teacher may read the one their own pupils stand on; others
    of the school are not their business.
    """
    # A case that moved to another school takes nobody there back to the notice of the school it left.
    standing = NoticeLine.objects.filter(application__school=F("notice__school"))
    condition = Q(pk__in=[])
    for path in scopes.reach(user, Permission.VIEW_CASES):
        if path.count("/") <= _SCHOOL_DEPTH:
            condition |= Q(school__path__below=path)
        else:  # only here are lines asked for: a county has too many of them
            own = standing.filter(application__school_class__path__below=path)
            condition |= Q(pk__in=own.values("notice"))
    return Notice.objects.filter(condition)


def listed(user: User) -> QuerySet[Notice]:
    """`visible_to` in the order of a list: running ones first, then the newest."""
    rows = visible_to(user).select_related("school", "round__programme", "round__term")
    return rows.order_by(Case(When(state=Notice.State.RUNNING, then=0), default=1), "-published_at", "pk")


def with_counts(rows: QuerySet[Notice]) -> QuerySet[Notice]:
    """Notices of one page of a list, with `line_count`."""
    # Lines are numbered from 1 and never taken away: the last number, which an index tells, is how many there are.
    lines = NoticeLine.objects.filter(notice=OuterRef("pk")).order_by("-position").values("position")[:1]
    rows = rows.annotate(line_count=Coalesce(Subquery(lines), 0))
    return rows.select_related("school", "round__programme", "round__term")


def open_counts() -> dict[UUID, int]:
    """How many objections are being checked, by notice. Of all notices: asked the other way round, a page of them
    would look at each of its lines."""
    rows = Objection.objects.filter(state=Objection.State.OPEN).order_by()
    return dict(rows.values_list("line__notice").annotate(n=Count("*")))


def publishable(user: User) -> list[Choice]:
    """The lists this person may publish now."""
    rows = scopes.within(
        Application.objects.filter(state=State.CONFIRMED), user, Permission.PUBLISH_NOTICE, unit="school"
    )
    groups = list(rows.order_by().values("round", "school").annotate(n=Count("*"), total=Sum("amount")))
    rounds = Round.objects.select_related("programme", "term", "unit").in_bulk({g["round"] for g in groups})
    schools = Unit.objects.in_bulk({g["school"] for g in groups})
    found = [Choice(rounds[g["round"]], schools[g["school"]], g["n"], g["total"]) for g in groups]
    return sorted(found, key=lambda c: (c.school.path, c.round.term.key, c.round.programme.code))


def awaiting(round_: Round, school: Unit) -> QuerySet[Application]:
    """The applications that the school's next notice would show, in the order in which it would show them."""
    rows = Application.objects.filter(round=round_, school=school, state=State.CONFIRMED)
    return rows.order_by("school_class__path", "pupil__name", "pk")


def preview(round_: Round, school: Unit) -> Preview:
    """What publishing today would put up, and for how long; nothing is written."""
    rows = list(awaiting(round_, school))
    try:
        rule = programmes.process_rule(round_.programme, round_.term)
    except ValidationError as missing:
        lines = _lines(rows, shows_amount=False)
        return Preview(lines, [], "", list_digest(lines), False, Decimal("0.00"), "".join(missing.messages))
    lines = _lines(rows, shows_amount=rule.notice_shows_amount)
    try:
        days, blocked = counted_days(round_), ""
    except ValidationError as missing:
        days, blocked = [], "".join(missing.messages)
    total = sum((row.amount for row in rows if row.amount is not None), Decimal("0.00"))
    word = rule.get_notice_day_kind_display()
    return Preview(lines, days, word, list_digest(lines), rule.notice_shows_amount, total, blocked)


def propose(round_: Round, school: Unit) -> Draft:
    """The usual text, ready to be changed."""
    facts = School.objects.get(unit=school)
    title = f"{school.name}{round_.term.name}{round_.programme.name}拟受助学生名单公示"
    body = (
        f"根据{round_.programme.basis}，经个人申请、班级评议、学校评审，"
        f"现将我校{round_.term.name}{round_.programme.name}拟受助学生名单予以公示。"
        "公示期间，如有异议，请向学校或县学生资助中心反映，我们将及时核实并为反映人保密。"
    )
    return Draft(title, body, facts.notice_phone, facts.notice_contact, facts.notice_place)


def counted_days(round_: Round) -> list[dt.date]:
    """The days a notice published today would run. Raises CalendarMissing."""
    rule = programmes.process_rule(round_.programme, round_.term)
    return working_calendar.days_after(
        clock.today(), count=rule.notice_days, working=rule.notice_day_kind == rule.DayKind.WORKING
    )


def publish(round_: Round, school: Unit, draft: Draft, *, by: User, seen: str | None = None) -> Notice:
    """Freeze the list, count its days, print it, and put every application on notice.

    `seen` is `list_digest` of the list the officer looked at: if it has moved since, nothing is published
    (ListChanged). Raises ValidationError when there is nothing to publish, text or list hold what a notice
    must not hold (each hit is named), a name cannot be printed, or the calendar of the days is unknown.
    """
    access.require(by, Permission.PUBLISH_NOTICE, school)
    rows = list(awaiting(round_, school))
    if not rows:
        raise ValidationError("没有待公示的申请；请先记录学校评审会议。")
    check_text(draft, school=school, birth_dates=_birth_dates(rows))
    rule = programmes.process_rule(round_.programme, round_.term)
    lines = _lines(rows, shows_amount=rule.notice_shows_amount)
    if seen is not None and seen != list_digest(lines):
        raise ListChanged(f"名单刚刚有变化，现在是 {len(lines)} 人。请核对新名单后，再点发布。")
    check_list(lines)
    notice = _drawn_up(round_, school, draft, lines, rule, by=by)
    # Printed before the transaction: hundreds of lines take seconds, in which nobody else could write.
    paper = pdf.render("publicity/print/notice.html", _context(notice, lines))
    with transaction.atomic():
        locked = list(awaiting(round_, school).select_for_update(of=("self",)))
        if list_digest(_lines(locked, shows_amount=rule.notice_shows_amount)) != list_digest(lines):
            raise ListChanged("名单刚刚有变化，没有发布。请核对新名单后，再点发布。")
        if notice.published_on != clock.today():
            raise ListChanged("发布时刚过零点，公示日期要重新计算，没有发布。请再点一次发布。")
        _put_up(notice, lines, rows, paper, by=by)
    return notice


def attach_photo(notice: Notice, file: UploadedFile, *, by: User) -> None:
    """Keep a photograph of the posted notice. While the notice runs, a later one takes its place.

    Raises ValidationError when the notice is over and has its photograph, or the file is refused.
    """
    access.require(by, Permission.PUBLISH_NOTICE, notice.school)
    with transaction.atomic():
        held = Notice.objects.select_for_update(of=("self",)).select_related("photo").get(pk=notice.pk)
        before = held.photo
        if before and held.state == Notice.State.CLOSED:
            raise ValidationError("公示已经结束，照片已存档，不能再更换。")
        held.photo = uploads.store(file, kind=Upload.Kind.NOTICE_PHOTO, unit=held.school, by=by)
        held.save(update_fields=["photo"])
        audit.record("notice.photo", held, by=by, unit=held.school, sha256=held.photo.sha256)
        if before:
            uploads.discard(before, by=by)


def close(notice: Notice, *, by: User) -> tuple[int, int]:
    """Take the notice down after its last day: lines without an open objection are cleared.

    Returns (cleared, held). Raises ValidationError while the days are not over, or when it is closed.
    """
    access.require(by, Permission.PUBLISH_NOTICE, notice.school)
    with transaction.atomic():
        held_notice = Notice.objects.select_for_update(of=("self",)).get(pk=notice.pk)
        if held_notice.state == Notice.State.CLOSED:
            raise ValidationError("这份公示已经结束，不用重复办理。")
        if clock.today() <= held_notice.ends_on:
            raise ValidationError(f"公示期到{cn_date(held_notice.ends_on)}为止，次日起才能结束公示。")
        # One that was returned and shown again stands on the later notice, and waits for that one's last day.
        shown_again = NoticeLine.objects.filter(notice__published_at__gt=held_notice.published_at)
        standing = list(
            Application.objects.filter(notice_lines__notice=held_notice, state=State.ON_NOTICE).exclude(
                pk__in=shown_again.values("application")
            )
        )
        waiting = Application.objects.filter(notice_lines__notice=held_notice, state=State.HELD).count()
        held_notice.state, held_notice.closed_at, held_notice.closed_by = Notice.State.CLOSED, clock.now(), by
        held_notice.save(update_fields=["state", "closed_at", "closed_by"])
        # Applications before the trail's end: everybody takes these two locks in the same order.
        if standing:
            workflow.advance_all(standing, Step.CLEAR, by=by)
        audit.record("notice.close", held_notice, by=by, unit=notice.school, cleared=len(standing), held=waiting)
    return len(standing), waiting


def check_text(draft: Draft, *, school: Unit, birth_dates: Collection[dt.date] = ()) -> None:
    """Refuse a text that lacks a part, or holds what a notice must not say, naming each field."""
    errors = {}
    for name, text in dataclasses.asdict(draft).items():
        if not text.strip():
            errors[name] = "公示不能缺少这一项，请填写。"
        elif name != "phone" and (found := wording.refusal(text, birth_dates=birth_dates, own_names=[school.name])):
            errors[name] = found
    if "phone" not in errors and (found := wording.phone_refusal(draft.phone, birth_dates=birth_dates)):
        errors["phone"] = found
    if errors:
        raise ValidationError(errors)


def check_list(lines: list[NoticeLine]) -> None:
    """Refuse a list with something private in a name or class, or (CannotPrint) a name no font of ours has."""
    for line in lines:
        for label, text in (("姓名", line.name), ("年级", line.grade), ("班级", line.class_name)):
            if wording.refusal(text):
                raise ValidationError(
                    f"名单第 {line.position} 行的{label}里有不能公示的内容，请先在学生名册中更正，再重新填报。"
                )
    pdf.refuse_missing_glyphs([line.name for line in lines])


def list_digest(lines: list[NoticeLine]) -> str:
    """SHA-256 over the list alone: who stands on it, in which order, with which amount."""
    return hashlib.sha256(json.dumps(_shown(lines), ensure_ascii=False).encode()).hexdigest()


def digest_of(draft: Draft, lines: list[NoticeLine]) -> str:
    """SHA-256 over everything the notice shows, in order."""
    text = json.dumps([dataclasses.asdict(draft), _shown(lines)], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_now(notice: Notice) -> str:
    """`digest_of` what is stored today: differs from `notice.digest` if anybody changed a published notice."""
    draft = Draft(**{field.name: getattr(notice, field.name) for field in dataclasses.fields(Draft)})
    return digest_of(draft, list(notice.lines.order_by("position")))


def days_left(notice: Notice) -> int:
    """How many of the counted days are not over yet; today still counts. 0: it may be closed."""
    return sum(day >= clock.today().isoformat() for day in notice.counted_days)


def day_marks(notice: Notice) -> list[tuple[dt.date, bool]]:
    """The counted days, each with whether it is over."""
    days = [dt.date.fromisoformat(day) for day in notice.counted_days]
    return [(day, day < clock.today()) for day in days]


def close_counts(notice: Notice) -> dict[str, int]:
    """What closing now would do: how many lines it clears, how many it leaves held."""
    states = Application.objects.filter(notice_lines__notice=notice).order_by().values_list("state", flat=True)
    found = Counter(states)
    return {"cleared": found[State.ON_NOTICE], "held": found[State.HELD]}


def is_public(notice: Notice) -> bool:
    """Whether the notice still hangs: closed, or past its last day, nobody outside may read a name of it."""
    return notice.state == Notice.State.RUNNING and clock.today() <= notice.ends_on


def objections_of(notice: Notice) -> QuerySet[Objection]:
    """All objections to the notice's lines, those being checked first."""
    rows = Objection.objects.filter(line__notice=notice).select_related("line", "recorded_by", "settled_by")
    return rows.order_by(Case(When(state=Objection.State.OPEN, then=0), default=1), "-recorded_at")


def open_objections(notice: Notice) -> QuerySet[Objection]:
    return Objection.objects.filter(line__notice=notice, state=Objection.State.OPEN)


def _lines(rows: list[Application], *, shows_amount: bool) -> list[NoticeLine]:
    return [
        NoticeLine(
            application=a,
            position=position,
            name=a.facts["name"],
            grade=a.facts["grade"],
            class_name=a.facts["class_name"],
            amount=a.amount if shows_amount else None,
        )
        for position, a in enumerate(rows, start=1)
    ]


def _shown(lines: list[NoticeLine]) -> list[list]:
    # Unsaved amounts come as the application holds them, saved ones from the database: one form for both.
    return [[x.position, x.name, x.grade, x.class_name, "" if x.amount is None else f"{x.amount:.2f}"] for x in lines]


def _birth_dates(rows: list[Application]) -> set[dt.date]:
    return {dt.date.fromisoformat(a.facts["birth_date"]) for a in rows if a.facts.get("birth_date")}


def _drawn_up(
    round_: Round, school: Unit, draft: Draft, lines: list[NoticeLine], rule: ProcessRule, *, by: User
) -> Notice:
    """The notice with its days and number, not yet saved. A number whose notice then fails stays unused."""
    days = counted_days(round_)
    return Notice(
        round=round_,
        school=school,
        **dataclasses.asdict(draft),
        shows_amount=rule.notice_shows_amount,
        published_on=clock.today(),
        ends_on=days[-1],
        counted_days=[day.isoformat() for day in days],
        day_kind=rule.notice_day_kind,
        digest=digest_of(draft, lines),
        document=issuing.reserve(IssuedDocument.Kind.NOTICE, unit=school),
        published_at=clock.now(),
        published_by=by,
    )


def _put_up(notice: Notice, lines: list[NoticeLine], rows: list[Application], paper: bytes, *, by: User) -> None:
    """Save notice and lines, issue the paper, and put every application on notice."""
    notice.save(force_insert=True)
    for line in lines:
        line.notice = notice
    NoticeLine.objects.bulk_create(lines, batch_size=500)
    for start in range(0, len(rows), 500):
        some = [row.pk for row in rows[start : start + 500]]
        Application.objects.filter(pk__in=some).update(notice_ends_on=notice.ends_on)
    workflow.advance_all(rows, Step.PUBLISH, by=by, note=f"公示至{cn_date(notice.ends_on)}")
    # Returned and shown again while the check goes on: it does not pass because another notice runs out.
    disputed = Objection.objects.filter(state=Objection.State.OPEN, line__notice__school=notice.school)
    keys = set(disputed.filter(line__application__round=notice.round).values_list("line__application", flat=True))
    if held := [row for row in rows if row.pk in keys]:
        workflow.advance_all(held, Step.HOLD, by=by, note="上次公示收到的异议还在核查")
    audit.record("notice.publish", notice, by=by, unit=notice.school, lines=len(lines), ends_on=notice.ends_on)
    issuing.fulfil(notice.document, pdf=paper, xlsx=None, facts=_facts(notice, len(lines)), by=by)


def _context(notice: Notice, lines: list[NoticeLine]) -> dict[str, Any]:
    total = sum((line.amount for line in lines if line.amount is not None), Decimal("0.00"))
    round_ = notice.round
    return {
        "notice": notice,
        "title_parts": title_parts(notice.title, [notice.school.name, round_.term.name, round_.programme.name]),
        "lines": lines,
        "day_count": len(notice.counted_days),
        "day_word": notice.get_day_kind_display(),
        "total": total if notice.shows_amount else None,
        "total_in_words": amounts.in_words(total) if notice.shows_amount else "",
        "number": notice.document.number,
        "qr": issuing.qr_svg(notice.document),
        "code": notice.document.code,
    }


def title_parts(title: str, names: list[str]) -> list[str]:
    """The title cut where it may be broken by sense (GB/T 9704): after the school, the term, the programme."""
    parts = [title]
    for name in names:
        head, found, tail = parts[-1].partition(name)
        parts[-1:] = [part for part in (head + found if found else head, tail) if part]
    return parts


def _facts(notice: Notice, count: int) -> list[list[str]]:
    return [
        ["学校", notice.school.name],
        ["学期", notice.round.term.name],
        ["项目", notice.round.programme.name],
        ["人数", f"{count} 人"],
        ["公示期", f"{cn_date(notice.published_on)}至{cn_date(notice.ends_on)}"],
    ]
