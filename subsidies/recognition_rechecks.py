"""认定复核: what a school finds of the recognised in spring, or at any time when circumstances have changed.

What it ends does not stay with the register: a case of the term that the county has verified or approved goes back to
be looked at (`Step.RETURN_FOR_RECHECK`), so that nothing is paid on a recognition that is no more.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, QuerySet, Subquery

from accounts import access, audit, clock, scopes
from accounts.models import Unit, User
from accounts.redaction import redact
from accounts.roles import Permission
from documents import uploads
from documents.models import Upload
from students import enrolment
from students.models import Enrolment, Term
from students.term_keys import is_autumn

from . import four_eyes, kinship, workflow
from .models import Application, DutyHolder, Recognition
from .recognitions import choices_for, grounds_of, of_pupils, school_year, trail_of, year_words
from .states import ENDED_WITHOUT_AID, Duty, State, Step, transition

Kind = Recognition.Kind


@dataclass(frozen=True)
class Recheck:
    """What a re-check found of one pupil. `seen` is the version the page showed."""

    kind: str  # KEPT, CHANGED or ENDED
    seen: int
    tier: str = ""
    reason: str = ""
    evidence: str = ""
    evidence_file: UploadedFile | None = None


@dataclass(frozen=True)
class ToRecheck:
    """One pupil of a school who is recognised in the year: what counts, and what speaks for looking closely."""

    place: Enrolment
    recognition: Recognition
    hints: tuple[str, ...]
    is_done: bool  # looked at in this term already


def due(school: Unit, term: Term, *, only: Collection[UUID] | None = None) -> list[ToRecheck]:
    """The pupils on the school's roll in the term who are recognised in its school year, in class order.

    Whoever came from another school is among them; whoever left is not. A constant number of queries.
    """
    places = enrolment.open_only(Enrolment.objects.filter(school=school, term=term))
    recognised = Recognition.objects.filter(school_year=school_year(term))
    places = places.filter(pupil__in=recognised.values("pupil"))
    if only is not None:
        places = places.filter(pupil__in=only)
    rows = list(places.select_related("pupil", "school", "school_class").order_by("path", "pupil__name", "pk"))
    known = of_pupils([row.pupil_id for row in rows], school_year(term))
    facts = enrolment.facts_of(rows, on=clock.today())
    refused = _refused({row.application_id for row in known.values() if row.application_id})
    found = []
    for row in rows:
        held = known[row.pupil_id]
        if not held.is_in_force and held.term_id != term.pk:
            continue
        hints = tuple(_hints(held, facts[row.pk], refused))
        # Whoever the principal recognised in the spring itself has been looked at.
        looked = held.kind != Kind.RECOGNISED or not is_autumn(term.key)
        found.append(ToRecheck(row, held, hints, looked and held.term_id == term.pk))
    return found


def _refused(cases: Collection[UUID | None]) -> set[UUID]:
    rows = Application.objects.filter(pk__in=[key for key in cases if key], state=State.REJECTED)
    return set(rows.values_list("pk", flat=True))


def _hints(held: Recognition, facts: dict, refused: set[UUID]) -> Iterable[str]:
    now = {each["code"]: each["name"] for each in facts["categories"]}
    gone = [each["name"] for each in held.grounds if each["code"] not in now]
    came = [name for code, name in now.items() if code not in {each["code"] for each in held.grounds}]
    if gone:
        yield f"认定时的{'、'.join(gone)}现在已不在有效期内"
    if came:
        yield f"认定以后新登记了{'、'.join(came)}"
    if held.application_id in refused:
        yield "所依据的申请后来不予资助"


def left_to_recheck(user: User, term: Term) -> QuerySet[Enrolment]:
    """The places of the person's schools in the (spring) term whose pupil's recognition stands from before it."""
    last = Recognition.objects.filter(pupil=OuterRef("pupil"), school_year=school_year(term)).order_by("-version")
    places = scopes.within(Enrolment.objects.filter(term=term), user, Permission.HOLD_SCHOOL_REVIEW, unit="school")
    said = enrolment.open_only(places).annotate(
        last_kind=Subquery(last.values("kind")[:1]), last_term=Subquery(last.values("term")[:1])
    )
    return said.filter(last_kind__isnull=False).exclude(last_kind=Kind.ENDED).exclude(last_term=term.pk)


def recheck(place: Enrolment, told: Recheck, *, by: User) -> Recognition:
    """Write what the re-check of one pupil found; the new version. Raises as `recheck_all`."""
    return recheck_all([(place, told)], by=by)[0]


def recheck_all(answers: list[tuple[Enrolment, Recheck]], *, by: User) -> list[Recognition]:
    """Write what was found of several pupils, all or none.

    Raises ValidationError where somebody else looked at one meanwhile, nothing is recognised, a change names no other
    tier, or a change or end gives no reason and no evidence; PermissionDenied for whoever confirmed the recognition
    themselves, teaches the class, is kin of the pupil, acts for who did, does or is, or holds no school review there.

    What is ended sends cases of the term back from the county's later desks to its first, as far as they are of a
    school of the person's. What is in a batch already is paid as listed.
    """
    if not answers:
        raise ValidationError("还没有选择学生，请至少选择一名。")
    for place, _ in answers:
        access.require(by, Permission.HOLD_SCHOOL_REVIEW, place.school)
    for path in {place.path for place, _ in answers}:
        post = scopes.capacity(by, Permission.HOLD_SCHOOL_REVIEW, path)
        for person in (by, post.acts_for if post else None):
            if person is not None and path in four_eyes.own_class_paths(person):
                whom = "您" if person == by else f"您代理的{person.name}"
                raise PermissionDenied(
                    f"{whom}是这个班的班主任，本班学生的复核要由他人办理。请由本校其他评审人（例如资助专干）办理。"
                )
            if person is not None:
                _refuse_kin([place for place, _ in answers if place.path == path], person, by)
    with transaction.atomic():
        # The cases first, as everybody locks them: nobody approves one while its recognition ends.
        held = workflow.lock(_cases_of([place for place, told in answers if told.kind == Kind.ENDED]))
        rows = [_recheck(place, told, by=by) for place, told in sorted(answers, key=lambda one: str(one[0].pupil_id))]
        audit.record_all(
            [audit.Entry("recognition.recheck", row, row.school_class, trail_of(row)) for row in rows], by=by
        )
        _send_back(held, {row.pupil_id: row.reason for row in rows}, by=by)
    return rows


def _cases_of(places: list[Enrolment]) -> list[UUID]:
    """The keys of the pupils' cases of these terms that are on their way."""
    pairs = {(place.pupil_id, place.term_id) for place in places}
    cases = Application.objects.filter(pupil__in={pupil for pupil, _ in pairs}).exclude(state__in=ENDED_WITHOUT_AID)
    return [key for key, *pair in cases.values_list("pk", "pupil", "term") if tuple(pair) in pairs]


def _send_back(cases: list[Application], reasons: dict[UUID, str], *, by: User) -> None:
    step = Step.RETURN_FOR_RECHECK
    back = [
        case
        for case in cases
        if (row := transition(step, case.state)) and scopes.allows(by, row.permission, case.school_class)
    ]
    if back:
        notes = {case.pk: f"认定复核终止：{reasons[case.pupil_id]}" for case in back}
        workflow.advance_all(back, step, by=by, notes=notes)


def _refuse_kin(places: list[Enrolment], person: User, by: User) -> None:
    found = kinship.standings(person, {place.pupil_id: place.pupil.guardian_name for place in places})
    for place in places:
        said, name = found.get(place.pupil_id), place.pupil.name
        if said == kinship.Standing.KIN:
            whom = "您" if person == by else f"您代理的{person.name}"
            raise PermissionDenied(f"{whom}已说明是{name}的亲属，复核要由他人办理。请由本校没有亲属关系的评审人办理。")
        if said and person == by:
            raise ValidationError(
                f"{name}的监护人与您同名。请先打开{name}的申请页，说明是不是亲属；不是的，说明后再来复核。"
            )


def _recheck(place: Enrolment, told: Recheck, *, by: User) -> Recognition:
    term, name = place.term, place.pupil.name
    versions = Recognition.objects.filter(pupil=place.pupil, school_year=school_year(term))
    held = versions.order_by("-version").first()
    if held is None:
        raise ValidationError(
            f"{name}在{year_words(school_year(term))}没有困难认定，不用复核。需要认定的，请班主任在本学年的批次中申请。"
        )
    if held.version != told.seen:
        raise ValidationError(f"{name}的认定刚刚有新的结论，请刷新页面核对后再办理。")
    if not held.is_in_force:
        raise ValidationError(
            f"{name}的认定已经终止，不能再复核。需要资助的，请班主任重新申请，经校长确认后会重新认定。"
        )
    if whom := _confirmed_by(versions, place, by=by):  # a re-check by others in between changes nothing
        raise PermissionDenied(
            f"{name}的认定是{whom}确认的，复核要由他人办理。请由本校没有确认过这份认定的评审人（例如资助专干）办理。"
        )
    reason, evidence = redact(told.reason.strip()), redact(told.evidence.strip())
    _check(held, told, term=term, stage=place.stage, reason=reason, evidence=evidence, name=name)
    stored = (
        uploads.store(told.evidence_file, kind=Upload.Kind.EVIDENCE, unit=place.school, by=by)
        if told.evidence_file
        else None
    )
    row = Recognition(
        pupil=place.pupil,
        school_year=held.school_year,
        version=held.version + 1,
        kind=told.kind,
        tier=told.tier if told.kind == Kind.CHANGED else held.tier,
        grounds=grounds_of(enrolment.facts(place, on=clock.today())),
        decided_on=clock.today(),
        term=term,
        school=place.school,
        school_class=place.school_class,
        reason=reason,
        evidence=evidence,
        evidence_file=stored,
        at=clock.now(),
        by=by,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise ValidationError(f"{name}的认定刚刚有新的结论，请刷新页面核对后再办理。") from None
    return row


def _confirmed_by(versions: QuerySet[Recognition], place: Enrolment, *, by: User) -> str:
    """Whose confirmation the recognition rests on, where it is the person's own, was done in their name, or is that of
    whom they act for; "" where they have no part in it."""
    cases = versions.filter(kind=Kind.RECOGNISED).values("application")
    confirmations = DutyHolder.objects.filter(application__in=cases, duty=Duty.CONFIRMATION)
    holders = set(confirmations.values_list("by_id", flat=True))
    post = scopes.capacity(by, Permission.HOLD_SCHOOL_REVIEW, place.school_class.path)
    if by.pk in holders:
        return "您"
    return f"您代理的{post.acts_for.name}" if post and post.acts_for and post.acts_for.pk in holders else ""


def _check(held: Recognition, told: Recheck, *, term: Term, stage: str, reason: str, evidence: str, name: str) -> None:
    if told.kind not in (Kind.KEPT, Kind.CHANGED, Kind.ENDED):
        raise ValidationError({"kind": "请选择复核结论：不变、调整等级或终止。"})
    if told.kind == Kind.KEPT:
        if is_autumn(term.key):
            raise ValidationError({"kind": "复核在春季学期办理；秋季学期情况有变的，请选择调整等级或终止。"})
        if held.kind != Kind.RECOGNISED and held.term_id == term.pk:
            raise ValidationError(f"{name}本学期已经复核过，不用重复办理。情况有变的，请选择调整等级或终止。")
        return
    missing = {}
    if not reason:
        missing["reason"] = "请写明原因，例如“父亲已找到稳定工作，人均年收入高于当地低保标准”。"
    if not evidence:
        missing["evidence"] = "请写明依据什么材料，例如“2027年3月家访记录”。"
    if told.kind == Kind.CHANGED:
        if not told.tier or told.tier == held.tier:
            missing["tier"] = f"请选择与现在（{held.tier_words}）不同的等级；等级不变的，请选择复核不变。"
        elif told.tier not in choices_for(stage, term):
            missing["tier"] = f"“{told.tier}”不是现在执行的认定等级，请重新选择。"
    if missing:
        raise ValidationError(missing)


def read_evidence(row: Recognition, *, by: User) -> Upload:
    """The scan a re-check rests on, for somebody about to see it; leaves an audit row. The page asks who may."""
    if row.evidence_file is None:
        raise ValidationError("这次复核没有上传扫描件，请向办理复核的人查看纸质材料。")
    audit.record("recognition.read_evidence", row, by=by, unit=row.school_class)
    return row.evidence_file
