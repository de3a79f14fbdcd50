"""A pupil's file for the round, as one PDF: what was applied for, decided, shown, paid, and by whom."""

import datetime as dt
import hashlib
import json
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts import access, audit, scopes
from accounts.models import Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from documents import amounts, issuing, pdf
from documents.models import IssuedDocument
from publicity.models import NoticeLine
from subsidies import changes, declarations, explanations, kinship, reviews
from subsidies.models import Application, Decision, Declaration, PaymentLine, Receipt, StepTaken

from .models import Dossier


def fileable(user: User) -> QuerySet[Application]:
    """The cases the person may look at that have been submitted once: before that nothing is frozen to file."""
    rows = Application.objects.filter(amount__isnull=False)
    return scopes.within(rows, user, Permission.VIEW_CASES, unit="school_class")


def current(application: Application) -> Dossier | None:
    """The newest file of the case, up to date or not."""
    return Dossier.objects.filter(application=application).select_related("document").first()


def issued(application: Application) -> QuerySet[Dossier]:
    """All files of the case, the newest first."""
    return Dossier.objects.filter(application=application).select_related("document__issued_by")


def is_current(application: Application) -> bool:
    """Whether the newest file still says what the records say."""
    newest = current(application)
    return newest is not None and newest.digest == _digest(contents(application))


def with_number(rows: QuerySet[Application]) -> QuerySet[Application]:
    """Cases with `number`, that of their newest file ("" without one)."""
    newest = Dossier.objects.filter(application=OuterRef("pk")).order_by("-pk").values("document__number")[:1]
    return rows.annotate(number=Coalesce(Subquery(newest), Value("")))


def contents(application: Application) -> dict[str, Any]:
    """Everything the file says, gathered from the records (frozen facts first, live rows never)."""
    decisions = (
        Decision.objects.filter(application=application)
        .select_related("meeting__unit", "meeting__recorded_by")
        .prefetch_related("meeting__members")
        .order_by("meeting__recorded_at", "pk")
    )
    return {
        "application": application,
        "facts": application.facts,
        "decisions": list(decisions),
        "notice_lines": list(
            NoticeLine.objects.filter(application=application)
            .select_related("notice__document", "notice__published_by", "notice__closed_by")
            .select_related("notice__school", "notice__school_class")
            .prefetch_related("objections__settled_by")
            .order_by("notice__published_at")
        ),
        # What the family signed, as this school holds it: the form of the school year in its versions, and the slips.
        "signed_forms": declarations.signed_papers(
            Declaration.objects.filter(
                pupil=application.pupil_id,
                school_year=declarations.school_year(application.round.term),
                enrolment__school=application.school_id,
            )
        ),
        "receipts": list(
            Receipt.objects.filter(
                round=application.round_id, pupil=application.pupil_id, school_class__parent=application.school_id
            )
            .select_related("scan", "recorded_by")
            .order_by("pk")
        ),
        "payments": list(
            PaymentLine.objects.filter(application=application)
            .select_related("sheet__batch", "sheet__document", "sheet__paid_by", "sheet__school")
            .order_by("sheet__batch__made_at", "position")
        ),
        # A list that is made is never edited: what a change made of its amount stands beside it.
        "follow_ups": list(changes.settled_and_open(application)),
        "reckonings": list(application.reckonings.select_related("by", "standard").order_by("pk")),
        "steps": list(StepTaken.objects.filter(application=application).select_related("by").order_by("pk")),
        "kinship": kinship.said_of(application),
    }


def compile_dossier(application: Application, *, by: User) -> IssuedDocument:
    """The current file of the case: the one already issued if nothing has changed, else a new one in its place.

    Raises ValidationError for a case that was never submitted, or that moves on while its file is printed, or a
    name no font of ours can print.
    """
    access.require(by, Permission.VIEW_CASES, application.school_class)
    rows = Application.objects.select_related("round__programme", "round__term", "school", "school_class", "filed_by")
    application = rows.get(pk=application.pk)
    if application.amount is None:
        raise ValidationError("这份申请还没有提交过，没有可归档的内容，请提交后再生成档案。")
    found = contents(application)
    digest = _digest(found)
    before = current(application)
    # Printed before the transaction: it takes a good part of a second, in which nobody else could write.
    printed = _print(application, found) if before is None or before.digest != digest else None
    with transaction.atomic():
        held = rows.select_for_update(of=("self",)).get(pk=application.pk)
        if printed:
            _issue(held, *printed, digest, by=by)
        newest = current(held)
        assert newest is not None  # found above, or just issued
        audit.record("dossier.read", held, by=by, unit=held.school_class, document=newest.document.number)
    return newest.document


def _print(application: Application, found: dict[str, Any]) -> tuple[IssuedDocument, bytes]:
    """The file under a number of its own, not yet issued. A number whose file is not needed stays unused."""
    document = issuing.reserve(IssuedDocument.Kind.DOSSIER, unit=application.school)
    numbers = {"number": document.number, "code": document.code, "qr": issuing.qr_svg(document)}
    return document, pdf.render("archives/print/dossier.html", found | _printed(found) | numbers, marks_signs=True)


def _issue(application: Application, document: IssuedDocument, paper: bytes, digest: str, *, by: User) -> None:
    """Issue the printed file in place of the one before; of two printed at a time the first stands."""
    if _digest(contents(application)) != digest:
        raise ValidationError("生成档案时这份申请又有新的进展，没有生成。请再点一次。")
    before = current(application)
    if before and before.digest == digest:
        return
    facts = [
        ["学校", application.school.name],
        ["学期", application.round.term.name],
        ["项目", application.round.programme.name],
        ["办理状态", application.get_state_display()],
        ["最近变动", cn_date(timezone.localdate(application.changed_at))],
    ]
    issuing.fulfil(document, pdf=paper, xlsx=None, facts=facts, by=by)
    Dossier.objects.create(application=application, document=document, digest=digest)
    if before:
        issuing.supersede(before.document, document, by=by)


def _printed(found: dict[str, Any]) -> dict[str, Any]:
    """What the paper shows in another form than the records hold it: amounts in words, dates as dates, whoever acted
    for somebody with that one's name."""
    application = found["application"]
    for payment in found["payments"]:
        # A reversal has a negative amount; words are for money paid.
        payment.in_words = amounts.in_words(payment.amount) if payment.amount > 0 else ""
        sheet = payment.sheet
        payment.recorder = _name(sheet.paid_by, Permission.RECORD_PAYMENT, sheet.school, sheet.paid_at)
    for line in found["notice_lines"]:
        notice = line.notice
        duty = Permission.PUBLISH_CLASS_NOTICE if notice.school_class else Permission.PUBLISH_NOTICE
        unit = notice.school_class or notice.school
        line.published_by = _name(notice.published_by, duty, unit, notice.published_at)
        line.closed_by = _name(notice.closed_by, duty, unit, notice.closed_at)
    for decision in found["decisions"]:
        meeting = decision.meeting
        duty = reviews.LEVELS[meeting.level].permission
        decision.recorder = _name(meeting.recorded_by, duty, meeting.unit, meeting.recorded_at)
    categories = [
        row | {"valid_from": _date(row["valid_from"]), "valid_to": _date(row["valid_to"])}
        for row in found["facts"]["categories"]
    ]
    return {
        "filed_by": _name(
            application.filed_by, Permission.FILE_APPLICATION, application.school_class, application.filed_at
        ),
        "amount_in_words": amounts.in_words(application.amount),
        "categories": categories,
        "facts_on": _date(found["facts"]["on"]),
        "reckoned": found["reckonings"][-1] if found["reckonings"] else None,
        "rests_on": explanations.words_of(found["reckonings"][-1].rests_on, found["facts"])
        if found["reckonings"]
        else [],
    }


def _name(person: User | None, permission: Permission, unit: Unit, at: dt.datetime | None) -> str:
    """杨专干（代赵校长）; "" while nobody did it."""
    return scopes.name_on_paper(person, permission, unit, on=timezone.localdate(at)) if person and at else ""


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _digest(found: dict[str, Any]) -> str:
    """SHA-256 over what can change: the application itself, steps, decisions, notice states, payments."""
    application = found["application"]
    told = [
        [s.pk for s in found["steps"]],
        [r.pk for r in found["reckonings"]],
        [d.pk for d in found["decisions"]],
        [[x.pk, x.notice.state, [[o.pk, o.state] for o in x.objections.all()]] for x in found["notice_lines"]],
        [[p.pk, p.sheet.state] for p in found["payments"]],
        [[s.pk for s in found["signed_forms"]], [r.pk for r in found["receipts"]]],
        [[f.pk, f.result] for f in found["follow_ups"]],
        [said.pk for said in found["kinship"]],
        # Reason and tier may be changed while the case is back at the class, without a step.
        [application.state, application.tier, application.reason, application.amount, application.facts],
    ]
    return hashlib.sha256(json.dumps(told, default=str, sort_keys=True).encode()).hexdigest()
