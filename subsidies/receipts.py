"""家长回执: recording what guardians answered, refusals too; the scan of the signed slip."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from documents import uploads
from documents.models import Upload
from students.models import Enrolment, Standing

from . import applications, concerns, filing
from .models import Application, Receipt, Round
from .states import State, Step, transition

_A = Receipt.Answer
_LONGEST_AGO = dt.timedelta(days=366)  # against a mistyped year, as for the signed form
_WITH_THE_COUNTY = (State.REPORTED, State.VERIFIED, State.APPROVED, State.IN_BATCH)


@dataclass(frozen=True)
class Answered:
    """One pupil of a class whose slips were recorded together: the receipt, or why it was refused."""

    enrolment: Enrolment
    receipt: Receipt | None = None
    refusal: str = ""


def record(
    round_: Round,
    school_class: Unit,
    enrolment: Enrolment,
    *,
    answer: str,
    signed_on: dt.date,
    scan: UploadedFile | None = None,
    by: User,
) -> Receipt:
    """Put a guardian's answer on record; the newest of a pupil counts. What says the same as the last adds nothing.

    The newest recorded is never one that was signed before another answer: of two slips the later wish counts, in
    whatever order they lie in the pile. A day that was mistyped is put right with the same answer. A refusal takes a
    draft away, and with the signed slip settles the concern that the pupil was missed; a later wish to apply opens it
    again. Raises ValidationError when the day is to come or over a year ago, a slip signed later answers otherwise, the
    pupil is not in the class, the application of somebody who declines was handed in already, or the aid was paid.
    """
    access.require(by, Permission.FILE_APPLICATION, school_class)
    if answer not in _A.values:
        raise ValidationError({"answer": "请选择家长意见：申请或不申请。"})
    if signed_on > clock.today():
        raise ValidationError({"signed_on": "签字日期不能晚于今天。"})
    if signed_on < clock.today() - _LONGEST_AGO:
        raise ValidationError({"signed_on": "签字日期在一年以前，请核对年份。"})
    if not round_.unit.contains(school_class):
        raise ValidationError(f"“{round_}”不包括{school_class}，请在本校可用的批次中登记。")
    with transaction.atomic():
        place = applications.lock_places([enrolment])[enrolment.pk]
        if (place.term_id, place.school_class_id, place.standing) != (
            round_.term_id,
            school_class.pk,
            Standing.PRESENT,
        ):
            raise ValidationError(f"{place.pupil} 不在{school_class}本学期的名册中，或没有在读，请刷新页面。")
        standing = applications.lock_standing(round_, [place]).get(place.pupil_id)
        last = applications.receipts_of(round_, [place.pupil_id]).get(place.pupil_id)
        if last and scan is None and (last.answer, last.signed_on) == (answer, signed_on):
            return last
        _refuse_overtaken(last, answer, signed_on, place)
        _refuse_after_payment(standing, place)
        if answer == _A.DECLINES and standing is not None:
            _give_up(standing, place, by=by)
        upload = uploads.store(scan, kind=Upload.Kind.EVIDENCE, unit=place.school, by=by) if scan else None
        receipt = Receipt.objects.create(
            round=round_,
            pupil=place.pupil,
            school_class=school_class,
            answer=answer,
            signed_on=signed_on,
            guardian=_guardian(place),
            scan=upload,
            recorded_at=clock.now(),
            recorded_by=by,
        )
        concerns.heard_from_guardian(receipt)
        audit.record("receipt.record", receipt, by=by, unit=school_class, answer=answer, on=signed_on.isoformat())
    return receipt


def record_all(
    round_: Round, school_class: Unit, answers: Iterable[tuple[Enrolment, str]], *, signed_on: dt.date, by: User
) -> list[Answered]:
    """Record a pile of slips of one class; each by itself, so that one that cannot go stops no other."""
    access.require(by, Permission.FILE_APPLICATION, school_class)
    done = []
    for enrolment, answer in answers:
        try:
            receipt = record(round_, school_class, enrolment, answer=answer, signed_on=signed_on, by=by)
        except ValidationError as refusal:
            done.append(Answered(enrolment, refusal=" ".join(refusal.messages)))
        except PermissionDenied as refusal:
            done.append(Answered(enrolment, refusal=str(refusal)))
        else:
            done.append(Answered(enrolment, receipt))
    return done


def _give_up(standing: Application, place: Enrolment, *, by: User) -> None:
    """A draft goes with the guardian's refusal. What was handed in is taken back on its own page, with the reason."""
    is_here = standing.school_class_id == place.school_class_id
    if standing.state != State.DRAFT or not is_here:
        raise ValidationError(f"{place.pupil} 已有申请（{standing.get_state_display()}）。{_instead(standing)}")
    filing.take_away(standing, note="家长回执：不申请", by=by)


def _instead(standing: Application) -> str:
    """What to do for a guardian who gives up an application that was handed in."""
    if transition(Step.WITHDRAW, standing.state):
        return "家长放弃的，请先到申请页撤回，再登记“不申请”。"
    if standing.state in _WITH_THE_COUNTY:
        return "这份申请已在县资助中心，班主任撤不回。家长放弃的，请学校资助专干联系县资助中心。"
    return "班主任现在撤不回。家长放弃的，请联系学校资助专干，退回补正以后到申请页撤回，再登记“不申请”。"


def _refuse_overtaken(last: Receipt | None, answer: str, signed_on: dt.date, place: Enrolment) -> None:
    """A slip found late in the pile does not undo what the family signed after it."""
    if last is None or last.answer == answer or last.signed_on <= signed_on:
        return
    held = last.get_answer_display()
    raise ValidationError(
        {
            "signed_on": f"{place.pupil} 已登记{cn_date(last.signed_on)}签的“{held}”，比这张回执新，以新的为准，"
            f"这张没有登记。那一张日期登记错了的，请先按正确日期再登记一次“{held}”。"
        }
    )


def _refuse_after_payment(standing: Application | None, place: Enrolment) -> None:
    """What was paid is not answered any more. After a refusal or a withdrawal it is: the pupil may be filed anew."""
    if standing is not None and standing.state == State.PAID:
        raise ValidationError(
            f"{place.pupil} 在{place.term}的这项资助已经发放，没有登记回执。"
            "家长要退回资助款的，请学校资助专干联系县资助中心；以后的学期不申请的，请在那个学期的批次中登记。"
        )


def _guardian(place: Enrolment) -> str:
    name, relation = place.pupil.guardian_name, place.pupil.guardian_relation
    return f"{name}（{relation}）" if name and relation else name


def read_scan(receipt: Receipt, *, by: User) -> Upload:
    """The signed slip, for somebody who is about to see it; leaves an audit row. The page asks who may."""
    if receipt.scan is None:
        raise ValidationError("这份回执没有上传扫描件，请向班主任查看纸质回执。")
    audit.record("receipt.read_scan", receipt, by=by, unit=receipt.school_class)
    return receipt.scan
