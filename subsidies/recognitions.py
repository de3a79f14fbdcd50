"""认定: how hard a pupil's circumstances are in a school year; one answer for all programmes of the year.

It is said where the principal confirms a case (`workflow` calls `recognise`) and looked at again in spring
(`recheck`). Versions are only added; the newest counts.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery

from accounts import access, audit, clock, scopes
from accounts.models import Unit, User
from accounts.redaction import redact
from accounts.roles import Permission
from documents import uploads
from documents.models import Upload
from students import enrolment
from students.models import Enrolment, Term
from students.table_writing import pieces
from students.term_keys import is_autumn

from . import four_eyes, kinship
from .models import Application, Decision, DutyHolder, Meeting, Programme, Recognition, TierWording
from .states import ENDED_WITHOUT_AID, Duty, State

_CHUNK = 500
_ATTEMPTS = 3
FIRST_TERM = "2023-2024-1"  # of the wording that ships
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


def school_year(term: Term) -> str:
    """2026-2027-1 → 2026-2027."""
    return term.key[:9]


def year_words(year: str) -> str:
    """2026-2027 → 2026—2027学年."""
    return f"{year.replace('-', '—')}学年"


# --- reading --------------------------------------------------------------------------------------


def newest(rows: QuerySet[Recognition]) -> QuerySet[Recognition]:
    """Of the rows those that count: the last version of each pupil and year."""
    later = Recognition.objects.filter(pupil=OuterRef("pupil"), school_year=OuterRef("school_year"))
    return rows.filter(pk=Subquery(later.order_by("-version").values("pk")[:1]))


def of_pupils(pupils: Iterable[UUID], year: str) -> dict[UUID, Recognition]:
    """What counts of each pupil in the school year; those never recognised are left out."""
    return {
        row.pupil_id: row
        for chunk in pieces(pupils, _CHUNK)
        for row in Recognition.objects.filter(pupil__in=chunk, school_year=year).order_by("version")
    }


def visible_to(user: User) -> QuerySet[Recognition]:
    """Recognitions of the classes the person may look at."""
    return scopes.within(Recognition.objects.all(), user, Permission.VIEW_CASES, unit="school_class")


# --- by the principal's confirmation --------------------------------------------------------------


def recognise(cases: list[Application], *, by: User) -> int:
    """Recognise the pupils of the cases that have just been confirmed; how many versions were written.

    Whoever is recognised already, with the same tier or from a case without one, stays so: one recognition serves all
    programmes of the year. Called by the workflow, in its transaction and with the cases locked, before it writes to
    the trail: two principals' lists with one pupil (a case that moved) wait for each other on the version's own key.
    """
    waiting = sorted(cases, key=lambda case: (str(case.pupil_id), str(case.pk)))
    terms = Term.objects.in_bulk({case.term_id for case in waiting})
    said = _said_of(waiting)
    written: list[Recognition] = []
    for _ in range(_ATTEMPTS):
        years = {school_year(terms[case.term_id]) for case in waiting}
        known = {
            (row.pupil_id, row.school_year): row
            for year in sorted(years)
            for row in of_pupils({case.pupil_id for case in waiting}, year).values()
        }
        fresh = {}
        for case in waiting:
            key = case.pupil_id, school_year(terms[case.term_id])
            meeting, tier = said.get(case.pk, (None, ""))
            if row := _version_after(known.get(key), case, terms[case.term_id], meeting, tier=case.tier or tier, by=by):
                fresh[case.pk] = known[key] = row
        Recognition.objects.bulk_create(fresh.values(), batch_size=200, ignore_conflicts=True)
        stored = {
            key
            for chunk in pieces((row.pk for row in fresh.values()), _CHUNK)
            for key in Recognition.objects.filter(pk__in=chunk).values_list("pk", flat=True)
        }
        written += [row for row in fresh.values() if row.pk in stored]
        waiting = [case for case in waiting if case.pk in fresh and fresh[case.pk].pk not in stored]
        if not waiting:
            break
    else:
        raise ValidationError("名单中有学生的认定刚刚由他人登记，请刷新页面后再办理。")
    if written:
        audit.record_all([audit.Entry("recognition.add", row, row.school_class, _told(row)) for row in written], by=by)
    return len(written)


def _version_after(
    last: Recognition | None, case: Application, term: Term, meeting: Meeting | None, *, tier: str, by: User
) -> Recognition | None:
    """The version a confirmed case adds; None where it says nothing new. Without a tier it says none.

    What a re-check ended is said anew only of a case that the school heard after it: one that was on its way when it
    ended is no answer to it, and goes back when its papers are looked at before the report.
    """
    if last and last.is_in_force and tier in ("", last.tier):
        return None
    if last and not last.is_in_force and (meeting is None or meeting.recorded_at <= last.at):
        return None
    tier = tier or (last.tier if last else "")
    if last is None:
        reason = ""
    elif last.is_in_force:
        reason = f"经评审，认定等级由“{last.tier_words}”改为“{tier}”。"
    else:
        reason = "复核终止后重新申请，经评审重新认定。"
    return Recognition(
        pupil_id=case.pupil_id,
        school_year=school_year(term),
        version=last.version + 1 if last else 1,
        kind=Kind.RECOGNISED,
        tier=tier,
        grounds=grounds_of(case.facts),
        decided_on=clock.today(),
        term=term,
        school=case.school,
        school_class=case.school_class,
        application=case,
        meeting=meeting,
        reason=reason,
        at=clock.now(),
        by=by,
    )


def grounds_of(facts: dict) -> list[dict[str, str]]:
    """The hardship categories among the facts of a case, as a recognition keeps them."""
    return [{name: each[name] for name in ("code", "name", "source_label")} for each in facts.get("categories", [])]


def _said_of(cases: list[Application]) -> dict[UUID, tuple[Meeting | None, str]]:
    """By case: the school's meeting that passed it last, and the tier a meeting thought right ("" where none did)."""
    found: dict[UUID, tuple[Meeting | None, str]] = {}
    for chunk in pieces((case.pk for case in cases), _CHUNK):
        rows = Decision.objects.filter(application__in=chunk, verdict=Decision.Verdict.AGREE)
        for row in rows.select_related("meeting").order_by("pk"):
            meeting, tier = found.get(row.application_id, (None, ""))
            if row.meeting.level == Meeting.Level.SCHOOL:
                meeting = row.meeting
            found[row.application_id] = meeting, row.tier or tier
    return found


def _told(row: Recognition) -> dict[str, object]:
    return {"year": row.school_year, "version": row.version, "kind": row.kind, "tier": row.tier_words}


# --- re-check -------------------------------------------------------------------------------------


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
        rows = [_recheck(place, told, by=by) for place, told in sorted(answers, key=lambda one: str(one[0].pupil_id))]
        audit.record_all([audit.Entry("recognition.recheck", row, row.school_class, _told(row)) for row in rows], by=by)
    return rows


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


# --- the words of the tiers -----------------------------------------------------------------------


def wording_in_force(stage: str, term: Term) -> TierWording | None:
    """The row that gives the stage its words in the term: its own before the one for all stages."""
    rows = TierWording.objects.filter(Q(stage=stage) | Q(stage=""), first_term__lte=term.key)
    return max(rows, key=lambda row: (row.stage != "", row.first_term), default=None)


def tiers_for(stage: str, term: Term) -> list[str]:
    """The tiers of the stage in the term, the hardest first; [] where there are none."""
    row = wording_in_force(stage, term)
    return list(row.tiers) if row else []


def choices_for(stage: str, term: Term) -> list[str]:
    """What a re-check may choose: the county's words, and those that programmes of the stage use."""
    own = [tier for tiers, stages in _programmes_with_tiers() if stage in stages for tier in tiers]
    return list(dict.fromkeys([*tiers_for(stage, term), *own]))


def _programmes_with_tiers() -> list[tuple[list[str], list[str]]]:
    return [row for row in Programme.objects.filter(is_active=True).values_list("tiers", "stages") if row[0]]


def load() -> int:
    """Add the wording a new county begins with, where none is recorded; how many rows."""
    if TierWording.objects.exists():
        return 0
    source = "教财〔2018〕16号，关于做好家庭经济困难学生认定工作的指导意见；等级名称由各地规定，请按当地文件更改"
    row = TierWording(
        first_term=FIRST_TERM, tiers=["特别困难", "困难", "一般困难"], source=source, recorded_at=clock.now()
    )
    return len(TierWording.objects.bulk_create([row]))


def set_wording(row: TierWording, *, county: Unit, by: User) -> TierWording:
    """The words count from the row's term on; a row of the same stage and term is put right. What was said stays said.

    Raises ValidationError where a word is empty, too long, or stands twice.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    row.tiers = [str(word).strip() for word in row.tiers]
    if any(not word or len(word) > _LONGEST for word in row.tiers) or len(set(row.tiers)) < len(row.tiers):
        raise ValidationError({"tiers": f"每个等级一行，不能重复，每个不超过 {_LONGEST} 个字，请修改。"})
    with transaction.atomic():
        same = TierWording.objects.select_for_update().filter(stage=row.stage, first_term=row.first_term).first()
        before = same.words if same else ""
        if same:
            same.tiers, same.source = row.tiers, row.source
            row = same
        row.recorded_at, row.recorded_by = clock.now(), by
        row.full_clean()
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError:
            raise ValidationError("这条规定刚刚已有人登记，请刷新页面核对，需要改的再登记一次。") from None
        audit.record(
            "tier_wording.set",
            row,
            by=by,
            unit=county,
            stage=row.stage,
            first_term=row.first_term,
            before=before,
            after=row.words,
            basis=row.source,
        )
    return row


_LONGEST = 20  # characters, as the columns that keep a tier


def standing_cases(pupils: Iterable[UUID], year: str) -> dict[UUID, list[Application]]:
    """The pupils' cases of the year that have not ended without aid."""
    found: dict[UUID, list[Application]] = {}
    for chunk in pieces(pupils, _CHUNK):
        rows = Application.objects.filter(pupil__in=chunk, term__key__startswith=year)
        for row in rows.exclude(state__in=ENDED_WITHOUT_AID).select_related("programme", "term").order_by("term__key"):
            found.setdefault(row.pupil_id, []).append(row)
    return found
