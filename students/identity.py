"""更正证件号: a pupil's ID number turns out wrong and is put right by the county, on evidence."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.redaction import redact
from accounts.roles import Permission
from documents import uploads
from documents.models import Upload

from . import enrolment, list_versions, numbers, privacy
from .models import IdCorrection, Pupil


def correct_id(
    pupil: Pupil, *, id_kind: str, number: str, reason: str, evidence_file: UploadedFile, by: User
) -> IdCorrection:
    """Give the pupil another ID number; with a resident's number sex and birth date follow from it.

    Wants RECORD_CHANGES over the whole county: the school proposes, the county decides. What applications and
    payments have frozen stays as it was. The comparison lists in force are looked at with the new number, and the
    school is asked about those that named the old one. Raises ValidationError for a number that cannot be used, is
    the same, or belongs to another pupil.
    """
    school = enrolment.current(pupil).school
    access.require(by, Permission.RECORD_CHANGES, pupil.county)
    if not reason.strip():
        raise ValidationError({"reason": "请写明更正原因。"})
    tidy = _read(number, id_kind)
    with transaction.atomic():
        # The county first, as whoever takes a list does.
        Unit.objects.select_for_update(no_key=True).get(pk=pupil.county_id)
        pupil = Pupil.objects.select_for_update(of=("self",)).select_related("county").get(pk=pupil.pk)
        index = privacy.id_index(tidy)
        if index == pupil.id_index:
            raise ValidationError({"number": "新号码与现在登记的相同，没有改动。"})
        if Pupil.objects.filter(county=pupil.county, id_index=index).exists():
            raise ValidationError(
                {
                    "number": "这个证件号已经登记给另一名学生。如果是同一个孩子登记了两次，请在“清查”里按双学籍办理；"
                    "如果是另一名学生填错了号码，请先更正那一名。"
                }
            )
        correction = IdCorrection(
            pupil=pupil,
            before_index=pupil.id_index,
            before_masked=pupil.id_masked,
            reason=redact(reason.strip().replace(pupil.name, "（学生）"))[:200],
            at=clock.now(),
            by=by,
        )
        changed = _set(pupil, tidy, id_kind)
        pupil.save(update_fields=changed)
        correction.after_masked = pupil.id_masked
        correction.evidence_file = uploads.store(evidence_file, kind=Upload.Kind.EVIDENCE, unit=school, by=by)
        correction.save(force_insert=True)
        fields = [name for name in changed if not name.startswith("id_")]
        lists_say = list_versions.follow_number(pupil, by=by)
        audit.record("identity.correct", pupil, by=by, unit=school, fields=["id", *fields], **lists_say)
    return correction


def read_evidence(correction: IdCorrection, *, by: User) -> Upload:
    """The scan, for somebody who is about to see it; leaves an audit row. The page asks who may."""
    unit = enrolment.current(correction.pupil).school
    audit.record("identity.read_evidence", correction.pupil, by=by, unit=unit)
    return correction.evidence_file


def _set(pupil: Pupil, number: str, id_kind: str) -> list[str]:
    """Set the number and what follows from it; the names of the fields to save."""
    privacy.set_id(pupil, number)
    facts: dict[str, Any] = {"id_kind": id_kind}
    if id_kind != Pupil.IdKind.OTHER:
        told = numbers.id_facts(number)
        facts |= {"sex": told.sex, "birth_date": told.birth_date}
    follows = [name for name, value in facts.items() if getattr(pupil, name) != value]
    for name in follows:
        setattr(pupil, name, facts[name])
    return ["id_sealed", "id_index", "id_masked", *follows]


def _read(number: str, id_kind: str) -> str:
    if id_kind not in Pupil.IdKind.values:
        raise ValidationError({"id_kind": "请选择证件类型。"})
    if id_kind == Pupil.IdKind.OTHER:
        tidy, findings = numbers.read_other_document(number)
    else:
        tidy, findings = numbers.read_id_number(number, on=clock.today())
    if not tidy:
        raise ValidationError({"number": [f"{each.message}{each.remedy}" for each in findings]})
    if id_kind != Pupil.IdKind.OTHER and numbers.id_facts(tidy).is_permit != (id_kind == Pupil.IdKind.PERMIT):
        raise ValidationError({"id_kind": "证件类型与号码不符：8 开头的是港澳台居民居住证，其他的是居民身份证。"})
    return tidy
