"""Hardship of a pupil: a kind, from a day to a day, from a source, shown by evidence."""

import datetime as dt

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q

from accounts import access, audit, clock
from accounts.models import User
from accounts.redaction import redact
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from documents import uploads
from documents.models import Upload

from . import enrolment
from .models import Category, Circumstance, Pupil


def add(
    pupil: Pupil,
    *,
    category: Category,
    source: str,
    valid_from: dt.date,
    valid_to: dt.date | None = None,
    evidence: str = "",
    evidence_file: UploadedFile | None = None,
    by: User,
) -> Circumstance:
    """Put a circumstance on record; the scan, if there is one, is stored with it or not at all.

    Raises ValidationError when the kind did not exist on the first day, the days overlap those of the same
    kind already on record, or 自采集 comes without evidence.
    """
    place = enrolment.current(pupil)
    access.require(by, Permission.EDIT_PUPILS, place.school_class)
    circumstance = Circumstance(
        pupil=pupil,
        category=category,
        source=source,
        evidence=redact(evidence.strip()),  # the number of a 残疾人证 begins with the ID number
        valid_from=valid_from,
        valid_to=valid_to,
        recorded_by=by,
    )
    _check(circumstance, has_file=evidence_file is not None)
    with transaction.atomic():
        Pupil.objects.select_for_update().get(pk=pupil.pk)
        _refuse_overlap(circumstance)
        if evidence_file is not None:
            circumstance.evidence_file = uploads.store(
                evidence_file, kind=Upload.Kind.EVIDENCE, unit=place.school, by=by
            )
        circumstance.save(force_insert=True)
        audit.record(
            "circumstance.add", circumstance, by=by, unit=place.school_class, category=category.code, source=source
        )
    return circumstance


def add_evidence(circumstance: Circumstance, scan: UploadedFile, *, by: User) -> Circumstance:
    """The scan of a proof that was not at hand before. Raises ValidationError when there is one already, when the
    kind was found by comparison (its list is the proof) or has ended."""
    place = enrolment.current(circumstance.pupil)
    access.require(by, Permission.EDIT_PUPILS, place.school_class)
    with transaction.atomic():
        rows = Circumstance.objects.select_for_update(of=("self",)).select_related("category", "pupil")
        held = rows.get(pk=circumstance.pk)
        if held.source != Circumstance.Source.COLLECTED:
            raise ValidationError(f"“{held.category}”是系统比对出来的，以名单为证，不用再附证明。")
        if held.evidence_file_id:
            raise ValidationError(f"“{held.category}”已经有证明扫描件。证明换了的，请先结束原来那一条，再登记新的。")
        if held.valid_to and held.valid_to < clock.today():
            raise ValidationError(f"“{held.category}”已于{cn_date(held.valid_to)}结束，不能再补证明。")
        held.evidence_file = uploads.store(scan, kind=Upload.Kind.EVIDENCE, unit=place.school, by=by)
        held.save(update_fields=["evidence_file"])
        audit.record("circumstance.add_evidence", held, by=by, unit=place.school_class, category=held.category.code)
    return held


def end(circumstance: Circumstance, *, on: dt.date, by: User) -> Circumstance:
    """The circumstance holds for the last time on this day. An end once set may be brought forward, not put off."""
    unit = enrolment.current(circumstance.pupil).school_class
    access.require(by, Permission.EDIT_PUPILS, unit)
    with transaction.atomic():
        circumstance = Circumstance.objects.select_for_update(of=("self",)).get(pk=circumstance.pk)
        if on < circumstance.valid_from:
            raise ValidationError({"on": f"结束日期不能早于生效日期（{cn_date(circumstance.valid_from)}）。"})
        if circumstance.valid_to and on >= circumstance.valid_to:
            raise ValidationError(
                {"on": f"这条困难类别已于{cn_date(circumstance.valid_to)}结束；要延长请另行登记新的证明。"}
            )
        circumstance.valid_to = on
        circumstance.save(update_fields=["valid_to"])
        audit.record("circumstance.end", circumstance, by=by, unit=unit, on=on.isoformat())
    return circumstance


def _check(circumstance: Circumstance, *, has_file: bool) -> None:
    category, start = circumstance.category, circumstance.valid_from
    if circumstance.valid_to and circumstance.valid_to < start:
        raise ValidationError({"valid_to": "失效日期不能早于生效日期。"})
    if start < category.valid_from or (category.valid_to and start > category.valid_to):
        instead = f"，现在对应“{category.maps_to}”" if category.maps_to_id else ""
        sentence = f"“{category}”在生效日期当天不是有效的困难类别{instead}。请换一个类别或日期。"
        raise ValidationError({"category": sentence})
    if circumstance.source not in Circumstance.Source.values:
        raise ValidationError({"source": "请选择来源：系统比对或学校自采集。"})
    if not has_file:
        circumstance.clean()


def _refuse_overlap(circumstance: Circumstance) -> None:
    same = Circumstance.objects.filter(pupil=circumstance.pupil, category=circumstance.category)
    same = same.filter(Q(valid_to__isnull=True) | Q(valid_to__gte=circumstance.valid_from))
    if circumstance.valid_to:
        same = same.filter(valid_from__lte=circumstance.valid_to)
    clash = same.first()
    if clash:
        until = cn_date(clash.valid_to) or "今"
        raise ValidationError(
            f"这名学生的“{circumstance.category}”已登记（{cn_date(clash.valid_from)}至{until}），日期有重叠。"
            "如情况有变，请先结束原来那一条。"
        )


def read_evidence(circumstance: Circumstance, *, by: User) -> Upload:
    """The scan of the proof, for somebody who is about to see it; leaves an audit row. The page asks who may."""
    if circumstance.evidence_file is None:
        raise ValidationError("这条困难类别没有上传扫描件，请向登记的人查看纸质证明。")
    unit = enrolment.current(circumstance.pupil).school_class
    audit.record("circumstance.read_evidence", circumstance, by=by, unit=unit)
    return circumstance.evidence_file
