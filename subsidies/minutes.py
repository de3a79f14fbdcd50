"""The papers of a review meeting: the sheet it works from, its minutes to be signed, the copy that came back signed.

The sheet is seen by those who sit: names and numbers, not a word of why a family is poor. The minutes hold what was
decided, and stay inside the school.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone

from accounts import access, audit, clock, scopes
from accounts.models import Unit, User
from accounts.templatetags.aid import cn_date
from documents import issuing, pdf, uploads
from documents.models import IssuedDocument, Upload
from students import enrolment
from students.models import Enrolment, School

from . import meeting_words, programmes
from .models import Application, Decision, Meeting, MinutesPaper, Round, SignedMinutes
from .reviews import LEVELS, awaiting


def sheet(round_: Round, unit: Unit, level: str, *, by: User) -> bytes:
    """The list a meeting sits over, as PDF with places for its figures: names only. Raises ValidationError for an
    empty list."""
    kind = LEVELS[level]
    access.require(by, kind.permission, unit)
    rows = awaiting(round_, unit, level)
    if not rows:
        raise ValidationError(
            f"没有待{Meeting.Level(level).label}的申请，没有可打印的名单。请在班主任提交申请后再打印；"
            "已经评议的，请从会议记录页打印会议记录。"
        )
    rule = programmes.process_rule(round_.programme, round_.term)
    method = kind.method(rule)
    context = {
        "round": round_,
        "unit": unit,
        "level": Meeting.Level(level).label,
        "method": meeting_words.method_words(method, kind.pass_mark(rule)),
        "figures": meeting_words.COLUMNS[method],
        "names": [(name, row.class_name) for row, name in zip(rows, told_apart(rows), strict=True)],
        "is_class": unit.level == Unit.Level.CLASS,
        "tiers": round_.programme.tiers,
    }
    audit.record("meeting.print_sheet", round_, by=by, unit=unit, level=level, count=len(rows))
    return pdf.render("subsidies/print/review_sheet.html", context)


def read(meeting: Meeting, *, by: User) -> IssuedDocument:
    """The minutes as PDF, issued once: a meeting does not change. Each reading is recorded.

    Raises PermissionDenied when nobody who may hold such a meeting has had it printed yet, and ValidationError for a
    name no font of ours can print.
    """
    paper = MinutesPaper.objects.filter(meeting=meeting).select_related("document").first()
    if paper is None:
        access.require(by, LEVELS[meeting.level].permission, meeting.unit)
        printed = _print(meeting)  # before the transaction: it takes a good part of a second
        with transaction.atomic():
            paper = _issue(meeting, *printed, by=by)
    audit.record("meeting.read_minutes", meeting, by=by, unit=meeting.unit, document=paper.document.number)
    return paper.document


def _print(meeting: Meeting) -> tuple[IssuedDocument, bytes]:
    """The minutes under a number of their own, not yet issued."""
    document = issuing.reserve(IssuedDocument.Kind.MINUTES, unit=meeting.unit)
    members = list(meeting.members.all())
    came = sum(member.attended for member in members)
    decisions = list(meeting.decisions.select_related("application__pupil", "application__enrolment"))
    school = School.objects.filter(unit__in=[meeting.unit_id, meeting.unit.parent_id]).first()
    context = {
        "meeting": meeting,
        "recorder": scopes.name_on_paper(
            meeting.recorded_by,
            LEVELS[meeting.level].permission,
            meeting.unit,
            on=timezone.localdate(meeting.recorded_at),
        ),
        "unit_name": _unit_name(meeting),
        "school": meeting.unit.parent if meeting.unit.level == Unit.Level.CLASS else meeting.unit,
        "is_class": meeting.unit.level == Unit.Level.CLASS,
        "phone": school.notice_phone if school else "",
        "members": members,
        "absent": len(members) - came,
        "on_roll": _on_roll(meeting),
        "came": came,
        "percent": came * 100 // len(members) if members else 0,
        "decisions": list(zip(decisions, told_apart([d.application for d in decisions]), strict=True)),
        "figures": _figures(meeting, decisions),
        "has_tiers": any(d.tier for d in decisions),
        "results": results(decisions),
        "number": document.number,
        "code": issuing.spaced_code(document),
        "qr": issuing.qr_svg(document),
    }
    return document, pdf.render("subsidies/print/minutes.html", context, marks_signs=True)


def told_apart(rows: Sequence[Application]) -> list[str]:
    """The names of the cases in their order; those of one class who share a name with the end of their roll number,
    or of their ID number where there is none: else nobody could say whose line it is."""
    known = [(row.school_class_id, row.facts.get("name", row.pupil.name)) for row in rows]
    often = Counter(known)
    return [
        name if often[place, name] == 1 else f"{name}（号码末四位 {row.pupil.roll_tail or row.pupil.id_tail}）"
        for row, (place, name) in zip(rows, known, strict=True)
    ]


def _on_roll(meeting: Meeting) -> int | None:
    """How many pupils the class of the meeting has in the round's term; None for a school's meeting."""
    if meeting.unit.level != Unit.Level.CLASS:
        return None
    places = Enrolment.objects.filter(term=meeting.round.term_id, school_class=meeting.unit_id)
    return enrolment.open_only(places).count()


def _figures(meeting: Meeting, decisions: Iterable[Decision]) -> list[tuple[str, str]]:
    """The columns of figures: what the method asks for, and what else was written down."""
    return [
        (name, word)
        for name, word in meeting_words.FIGURES.items()
        if name in dict(meeting_words.COLUMNS[meeting.method]) or any(getattr(d, name) is not None for d in decisions)
    ]


def results(decisions: Iterable[Decision]) -> list[tuple[str, int]]:
    """How many of each conclusion; of those agreed to, by tier."""
    counts = Counter(f"{d.get_verdict_display()}（{d.tier}）" if d.tier else d.get_verdict_display() for d in decisions)
    return list(counts.items())


def _unit_name(meeting: Meeting) -> str:
    unit = meeting.unit
    if unit.level != Unit.Level.CLASS:
        return unit.name
    return enrolment.class_names(meeting.round.term, [unit.pk]).get(unit.pk, unit.name)


def _issue(meeting: Meeting, document: IssuedDocument, paper: bytes, *, by: User) -> MinutesPaper:
    """Of two printed at a time the first stands; a number whose paper is not needed stays unused."""
    Meeting.objects.select_for_update(of=("self",)).get(pk=meeting.pk)
    there = MinutesPaper.objects.filter(meeting=meeting).select_related("document").first()
    if there:
        return there
    told = "，".join(f"{word} {count} 人" for word, count in results(meeting.decisions.all()))
    facts = [
        ["单位", _unit_name(meeting)],
        ["学期", meeting.round.term.name],
        ["项目", meeting.round.programme.name],
        ["会议", f"{meeting.get_level_display()}，{cn_date(meeting.held_on)}"],
        ["结论", told],
    ]
    issuing.fulfil(document, pdf=paper, xlsx=None, facts=facts, by=by)
    return MinutesPaper.objects.create(meeting=meeting, document=document)


def sign(meeting: Meeting, scan: UploadedFile, *, by: User) -> SignedMinutes:
    """Keep the scan of the minutes as the members signed them; one sent before stays."""
    access.require(by, LEVELS[meeting.level].permission, meeting.unit)
    with transaction.atomic():
        Meeting.objects.select_for_update(of=("self",)).get(pk=meeting.pk)
        upload = uploads.store(scan, kind=Upload.Kind.MINUTES, unit=meeting.unit, by=by)
        row = SignedMinutes.objects.create(meeting=meeting, scan=upload, recorded_at=clock.now(), recorded_by=by)
        audit.record("meeting.sign", meeting, by=by, unit=meeting.unit, sha256=upload.sha256)
    return row
