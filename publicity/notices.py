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
from students import enrolment, working_calendar
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
    """A list that waits to be published: a school's, or a class's in its classroom."""

    round: Round
    unit: Unit
    count: int
    total: Decimal

    @property
    def level(self) -> str:
        return level_of(self.unit)


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
    not_wanted: bool = False  # the rule asks for no notice in the class (any more)

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


# In which state a list of each level waits for its notice, hangs, and is held back by an objection.
_WAITS = {Notice.Level.CLASS: State.CLASS_PASSED, Notice.Level.SCHOOL: State.CONFIRMED}
_HANGS = {Notice.Level.CLASS: State.ON_CLASS_NOTICE, Notice.Level.SCHOOL: State.ON_NOTICE}
_HELD = {Notice.Level.CLASS: State.CLASS_HELD, Notice.Level.SCHOOL: State.HELD}
_MAY = {
    Notice.Level.CLASS: Permission.PUBLISH_CLASS_NOTICE,
    Notice.Level.SCHOOL: Permission.PUBLISH_NOTICE,
}


def level_of(unit: Unit) -> str:
    """Which notice a unit's list gets."""
    return Notice.Level.CLASS if unit.level == Unit.Level.CLASS else Notice.Level.SCHOOL


def hanging(notice: Notice) -> str:
    """The state of a case that stands on this notice without an objection."""
    return _HANGS[Notice.Level(notice.level)]


def visible_to(user: User) -> QuerySet[Notice]:
    """Notices of the schools the person may look at, and those that name a pupil of a class they may look at.

    A notice hangs at the school gate, so a class teacher may read the one their own pupils stand on; others
    of the school are not their business, nor is what hangs in another classroom.
    """
    # A case that moved to another school takes nobody there back to the notice of the school it left.
    standing = NoticeLine.objects.filter(application__school=F("notice__school"))
    condition = Q(pk__in=[])
    for path in scopes.reach(user, Permission.VIEW_CASES):
        if path.count("/") <= _SCHOOL_DEPTH:
            condition |= Q(school__path__below=path)
        else:  # only here are lines asked for: a county has too many of them
            own = standing.filter(application__school_class__path__below=path)
            condition |= Q(level=Notice.Level.SCHOOL, pk__in=own.values("notice"))
            condition |= Q(school_class__path__below=path)
    return Notice.objects.filter(condition)


def listed(user: User) -> QuerySet[Notice]:
    """`visible_to` in the order of a list: running ones first, then the newest."""
    rows = visible_to(user).select_related("school", "school_class__parent", "round__programme", "round__term")
    return rows.order_by(Case(When(state=Notice.State.RUNNING, then=0), default=1), "-published_at", "pk")


def with_counts(rows: QuerySet[Notice]) -> QuerySet[Notice]:
    """Notices of one page of a list, with `line_count`."""
    # Lines are numbered from 1 and never taken away: the last number, which an index tells, is how many there are.
    lines = NoticeLine.objects.filter(notice=OuterRef("pk")).order_by("-position").values("position")[:1]
    rows = rows.annotate(line_count=Coalesce(Subquery(lines), 0))
    return rows.select_related("school", "school_class__parent", "round__programme", "round__term")


def open_counts() -> dict[UUID, int]:
    """How many objections are being checked, by notice. Of all notices: asked the other way round, a page of them
    would look at each of its lines."""
    rows = Objection.objects.filter(state=Objection.State.OPEN).order_by()
    return dict(rows.values_list("line__notice").annotate(n=Count("*")))


def publishable(user: User) -> list[Choice]:
    """The lists this person may publish now."""
    groups = []
    for level, field in ((Notice.Level.SCHOOL, "school"), (Notice.Level.CLASS, "school_class")):
        rows = scopes.within(Application.objects.filter(state=_WAITS[level]), user, _MAY[level], unit=field)
        counted = rows.order_by().values("round", at=F(field)).annotate(n=Count("*"), total=Sum("amount"))
        groups += list(counted)
    rounds = Round.objects.select_related("programme", "term", "unit").in_bulk({g["round"] for g in groups})
    units = Unit.objects.select_related("parent").in_bulk({g["at"] for g in groups})
    found = [Choice(rounds[g["round"]], units[g["at"]], g["n"], g["total"]) for g in groups]
    for term in {choice.round.term for choice in found}:
        here = [choice.unit for choice in found if choice.round.term == term and choice.level == Notice.Level.CLASS]
        names = enrolment.class_names(term, [unit.pk for unit in here])
        for unit in here:
            unit.name = names.get(unit.pk, unit.name)
    return sorted(found, key=lambda c: (c.unit.path, c.round.term.key, c.round.programme.code))


def awaiting(round_: Round, unit: Unit) -> QuerySet[Application]:
    """The applications that the unit's next notice would show, in the order in which it would show them."""
    level = Notice.Level(level_of(unit))
    of_unit = {"school_class" if level == Notice.Level.CLASS else "school": unit}
    rows = Application.objects.filter(round=round_, state=_WAITS[level], **of_unit)
    return rows.order_by("school_class__path", "pupil__name", "pk")


def preview(round_: Round, unit: Unit) -> Preview:
    """What publishing today would put up, and for how long; nothing is written."""
    rows, level = list(awaiting(round_, unit)), level_of(unit)
    try:
        rule = programmes.process_rule(round_.programme, round_.term)
    except ValidationError as missing:
        lines = _lines(rows, shows_amount=False)
        return Preview(lines, [], "", list_digest(lines), False, Decimal("0.00"), "".join(missing.messages))
    lines = _lines(rows, shows_amount=rule.notice_shows_amount)
    try:
        days, blocked = counted_days(round_, level), ""
    except ValidationError as missing:
        days, blocked = [], "".join(missing.messages)
    total = sum((row.amount for row in rows if row.amount is not None), Decimal("0.00"))
    word = rule.get_notice_day_kind_display()
    not_wanted = level == Notice.Level.CLASS and not rule.class_notice_days
    return Preview(lines, days, word, list_digest(lines), rule.notice_shows_amount, total, blocked, not_wanted)


def propose(round_: Round, unit: Unit) -> Draft:
    """The usual text, ready to be changed."""
    if level_of(unit) == Notice.Level.CLASS:
        return _propose_in_class(round_, unit)
    school = unit
    facts = School.objects.get(unit=school)
    title = f"{school.name}{round_.term.name}{round_.programme.name}拟受助学生名单公示"
    body = (
        f"根据{round_.programme.basis}，经个人申请、班级评议、学校评审，"
        f"现将我校{round_.term.name}{round_.programme.name}拟受助学生名单予以公示。"
        "公示期间，如有异议，请向学校或县学生资助中心反映，我们将及时核实并为反映人保密。"
    )
    return Draft(title, body, facts.notice_phone, facts.notice_contact, facts.notice_place)


def _propose_in_class(round_: Round, unit: Unit) -> Draft:
    facts = School.objects.get(unit=unit.parent_id)
    name = enrolment.class_names(round_.term, [unit.pk]).get(unit.pk, unit.name)
    title = f"{name}{round_.term.name}{round_.programme.name}班级评议结果公示"
    body = (
        f"根据{round_.programme.basis}，经个人申请、班级评议，现将{name}{round_.term.name}{round_.programme.name}"
        "班级评议通过的学生名单在本班公示。公示期间，如有异议，请向学校反映，我们将及时核实并为反映人保密。"
        "公示期满后，名单送学校评审，以学校公示的名单为准。"
    )
    return Draft(title, body, facts.notice_phone, facts.notice_contact, f"{name}教室")


def counted_days(round_: Round, level: str = Notice.Level.SCHOOL) -> list[dt.date]:
    """The days a notice published today would run. Raises CalendarMissing, or ValidationError where the rule wants
    no notice of this level."""
    rule = programmes.process_rule(round_.programme, round_.term)
    count = rule.class_notice_days if level == Notice.Level.CLASS else rule.notice_days
    if not count:
        raise ValidationError("现在的规则不要求班级公示，这些申请请直接送学校评审。")
    return working_calendar.days_after(clock.today(), count=count, working=rule.notice_day_kind == rule.DayKind.WORKING)


def skip_class_notice(round_: Round, unit: Unit, *, by: User) -> int:
    """Send on what waits for a notice in the class that the rule no longer asks for; how many. Raises ValidationError
    when nothing waits, or the rule does ask for one."""
    access.require(by, Permission.PUBLISH_CLASS_NOTICE, unit)
    with transaction.atomic():
        rows = list(awaiting(round_, unit))
        if not rows:
            raise ValidationError("没有待班级公示的申请，请刷新页面。")
        return workflow.advance_all(rows, Step.SKIP_CLASS_NOTICE, by=by)


def publish(round_: Round, unit: Unit, draft: Draft, *, by: User, seen: str | None = None) -> Notice:
    """Freeze the list, count its days, print it, and put every application on notice; `unit` is a school or a class.

    `seen` is `list_digest` of the list the officer looked at: if it has moved since, nothing is published
    (ListChanged). Raises ValidationError when there is nothing to publish, text or list hold what a notice
    must not hold (each hit is named), a name cannot be printed, or the calendar of the days is unknown.
    """
    level = Notice.Level(level_of(unit))
    access.require(by, _MAY[level], unit)
    rows = list(awaiting(round_, unit))
    if not rows:
        before = "班级评议会议" if level == Notice.Level.CLASS else "学校评审会议"
        raise ValidationError(f"没有待公示的申请；请先记录{before}。")
    check_text(draft, unit=unit, birth_dates=_birth_dates(rows))
    rule = programmes.process_rule(round_.programme, round_.term)
    lines = _lines(rows, shows_amount=rule.notice_shows_amount)
    if seen is not None and seen != list_digest(lines):
        raise ListChanged(f"名单刚刚有变化，现在是 {len(lines)} 人。请核对新名单后，再点发布。")
    check_list(lines)
    notice = _drawn_up(round_, unit, draft, lines, rule, by=by)
    # Printed before the transaction: hundreds of lines take seconds, in which nobody else could write.
    paper = pdf.render("publicity/print/notice.html", _context(notice, lines))
    with transaction.atomic():
        locked = list(awaiting(round_, unit).select_for_update(of=("self",)))
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
    access.require(by, notice.permission, notice.unit)
    with transaction.atomic():
        held = Notice.objects.select_for_update(of=("self",)).select_related("photo").get(pk=notice.pk)
        before = held.photo
        if before and held.state == Notice.State.CLOSED:
            raise ValidationError("公示已经结束，照片已存档，不能再更换。")
        held.photo = uploads.store(file, kind=Upload.Kind.NOTICE_PHOTO, unit=held.unit, by=by)
        held.save(update_fields=["photo"])
        audit.record("notice.photo", held, by=by, unit=held.unit, sha256=held.photo.sha256)
        if before:
            uploads.discard(before, by=by)


def close(notice: Notice, *, by: User) -> tuple[int, int]:
    """Take the notice down after its last day: lines without an open objection are cleared.

    Returns (cleared, held). Raises ValidationError while the days are not over, or when it is closed.
    """
    access.require(by, notice.permission, notice.unit)
    level = Notice.Level(notice.level)
    with transaction.atomic():
        held_notice = Notice.objects.select_for_update(of=("self",)).get(pk=notice.pk)
        if held_notice.state == Notice.State.CLOSED:
            raise ValidationError("这份公示已经结束，不用重复办理。")
        if clock.today() <= held_notice.ends_on:
            raise ValidationError(f"公示期到{cn_date(held_notice.ends_on)}为止，次日起才能结束公示。")
        # One that was returned and shown again stands on the later notice, and waits for that one's last day.
        shown_again = NoticeLine.objects.filter(notice__published_at__gt=held_notice.published_at)
        standing = list(
            Application.objects.filter(notice_lines__notice=held_notice, state=_HANGS[level]).exclude(
                pk__in=shown_again.values("application")
            )
        )
        waiting = Application.objects.filter(notice_lines__notice=held_notice, state=_HELD[level]).count()
        held_notice.state, held_notice.closed_at, held_notice.closed_by = Notice.State.CLOSED, clock.now(), by
        held_notice.save(update_fields=["state", "closed_at", "closed_by"])
        # Applications before the trail's end: everybody takes these two locks in the same order.
        if standing:
            workflow.advance_all(standing, Step.CLEAR, by=by)
        audit.record("notice.close", held_notice, by=by, unit=notice.unit, cleared=len(standing), held=waiting)
    return len(standing), waiting


def check_text(draft: Draft, *, unit: Unit, birth_dates: Collection[dt.date] = ()) -> None:
    """Refuse a text that lacks a part, or holds what a notice must not say, naming each field."""
    errors = {}
    own = [unit.name, *([unit.parent.name] if level_of(unit) == Notice.Level.CLASS and unit.parent else [])]
    for name, text in dataclasses.asdict(draft).items():
        if not text.strip():
            errors[name] = "公示不能缺少这一项，请填写。"
        elif name != "phone" and (found := wording.refusal(text, birth_dates=birth_dates, own_names=own)):
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
    level = Notice.Level(notice.level)
    return {"cleared": found[_HANGS[level]], "held": found[_HELD[level]]}


def is_public(notice: Notice) -> bool:
    """Whether everybody may read it: not what hangs in a classroom; and closed, or past its last day, nobody outside
    reads a name of it."""
    return (
        notice.level == Notice.Level.SCHOOL and notice.state == Notice.State.RUNNING and clock.today() <= notice.ends_on
    )


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
    round_: Round, unit: Unit, draft: Draft, lines: list[NoticeLine], rule: ProcessRule, *, by: User
) -> Notice:
    """The notice with its days and number, not yet saved. A number whose notice then fails stays unused."""
    level = level_of(unit)
    in_class = level == Notice.Level.CLASS
    days = counted_days(round_, level)
    return Notice(
        round=round_,
        level=level,
        school=unit.parent if in_class else unit,
        school_class=unit if in_class else None,
        **dataclasses.asdict(draft),
        shows_amount=rule.notice_shows_amount,
        published_on=clock.today(),
        ends_on=days[-1],
        counted_days=[day.isoformat() for day in days],
        day_kind=rule.notice_day_kind,
        digest=digest_of(draft, lines),
        document=issuing.reserve(IssuedDocument.Kind.NOTICE, unit=unit),
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
    audit.record("notice.publish", notice, by=by, unit=notice.unit, lines=len(lines), ends_on=notice.ends_on)
    issuing.fulfil(notice.document, pdf=paper, xlsx=None, facts=_facts(notice, len(lines)), by=by)


def _context(notice: Notice, lines: list[NoticeLine]) -> dict[str, Any]:
    total = sum((line.amount for line in lines if line.amount is not None), Decimal("0.00"))
    round_ = notice.round
    return {
        "notice": notice,
        "title_parts": title_parts(
            notice.title, [notice.school.name, *_class_name(lines, notice), round_.term.name, round_.programme.name]
        ),
        "lines": lines,
        "signed_by": " ".join([notice.school.name, *_class_name(lines, notice)]),
        "day_count": len(notice.counted_days),
        "day_word": notice.get_day_kind_display(),
        "total": total if notice.shows_amount else None,
        "total_in_words": amounts.in_words(total) if notice.shows_amount else "",
        "number": notice.document.number,
        "qr": issuing.qr_svg(notice.document),
        "code": notice.document.code,
    }


def _class_name(lines: list[NoticeLine], notice: Notice) -> list[str]:
    return [lines[0].class_name] if notice.level == Notice.Level.CLASS else []


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
        *([["公示范围", "班级"]] if notice.level == Notice.Level.CLASS else []),
        ["学期", notice.round.term.name],
        ["项目", notice.round.programme.name],
        ["人数", f"{count} 人"],
        ["公示期", f"{cn_date(notice.published_on)}至{cn_date(notice.ends_on)}"],
    ]
