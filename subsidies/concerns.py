"""清查: find who may have been missed or counted twice, and settle what was found.

A screening is a row (`Screening`); a worker takes it, one in a county at a time, and goes school by school:
reads, then writes in one short transaction, so that memory stays flat and nobody waits long. What it finds is
compared with what is known: a settled concern stays settled as long as its facts are the same, and what is no
longer so is GONE.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import access, audit, clock
from accounts.models import AuditRow, Unit, User
from accounts.redaction import redact
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from documents import uploads
from documents.models import Upload
from students.models import Term

from . import concern_finders as finders
from .concern_finders import Found, Key, Season
from .models import Concern, ConcernReason, Receipt, Screening, Settlement

MOST_ATTEMPTS = 3  # then a person looks
LEASE_SECONDS = 300  # renewed with every school
_BATCH = 500
_FIELDS = ["owner", "path", "class_name", "about", "facts", "digest", "state", "settlement"]


# --- screening -------------------------------------------------------------------------------------


def ask(unit: Unit, term: Term, *, by: User | None) -> Screening:
    """Have a county or a school screened for the term; `by=None` is the night.

    Whoever asks while it is waiting or going on gets that one: two clicks are one screening.
    """
    if unit.level == Unit.Level.CLASS:
        raise ValidationError("清查按县或学校进行，不能只清查一个班。")
    if by is not None:
        access.require(by, Permission.SETTLE_CONCERNS, unit)
    try:
        with transaction.atomic():
            if running := _unfinished(unit, term):
                return running
            asked = Screening.objects.create(unit=unit, term=term, asked_at=clock.now(), asked_by=by)
            audit.record("concern.ask", asked, by=by, unit=unit, term=term.key)
            return asked
    except IntegrityError:
        # Somebody else asked in the same moment.
        running = _unfinished(unit, term)
        if running is None:
            raise ValidationError("刚刚已经清查过，请刷新页面查看结果。") from None
        return running


def _unfinished(unit: Unit, term: Term) -> Screening | None:
    return Screening.objects.filter(
        unit=unit, term=term, state__in=[Screening.State.QUEUED, Screening.State.RUNNING]
    ).first()


def last_finished(unit: Unit, term: Term) -> Screening | None:
    """The newest screening that covered the whole unit."""
    units = [int(key) for key in unit.path.rstrip("/").split("/")]
    done = Screening.objects.filter(unit__in=units, term=term, state=Screening.State.DONE)
    return done.select_related("unit", "asked_by").order_by("-finished_at").first()


def last_failed(units: Iterable[Unit], term: Term) -> Screening | None:
    """The newest screening of one of the units, if it was given up."""
    last = Screening.objects.filter(unit__in=list(units), term=term).order_by("-asked_at").first()
    return last if last and last.state == Screening.State.FAILED else None


def find(unit: Unit, term: Term, *, by: User | None) -> Screening:
    """Ask for a screening and do it here and now; for the night's job, the demo county and tests."""
    asked = ask(unit, term, by=by)
    run(asked.pk)
    asked.refresh_from_db()
    return asked


def waiting() -> list[UUID]:
    """Screenings some worker should take: queued, or taken by one whose lease ran out."""
    return list(Screening.objects.filter(_free(timezone.now())).order_by("asked_at").values_list("pk", flat=True))


def _free(now: dt.datetime) -> Q:
    return Q(state=Screening.State.QUEUED) | Q(state=Screening.State.RUNNING, lease_until__lt=now)


def run(key: UUID) -> bool:
    """Do one screening. Safe to call any number of times, at once too; True if this call did the work."""
    attempt = _claim(key)
    if attempt is None:
        return False
    row = Screening.objects.select_related("unit", "term").get(pk=key)
    county = Unit.objects.get(pk=row.unit.path.split("/", 1)[0])
    season = finders.season(county, row.term)
    schools = list(Unit.objects.filter(level=Unit.Level.SCHOOL, path__startswith=row.unit.path).order_by("path"))
    counts: Counter[str] = Counter()
    for done, school in enumerate(schools, start=1):
        counts += _screen_school(season, school)
        if not _progress(key, attempt, done, len(schools)):
            return False  # taken over by another worker, whose work is the same
    counts += _screen_across(season)
    return _finish(row, attempt, counts)


@transaction.atomic
def _claim(key: UUID) -> int | None:
    """Take the screening for this worker: the attempt's number, None if somebody is at work in the county."""
    # Leases are about processes, not about the work's calendar: always the machine's clock.
    now = timezone.now()
    unit = Unit.objects.get(pk=Screening.objects.values_list("unit").get(pk=key)[0])
    county = Unit.objects.select_for_update(no_key=True).get(pk=unit.path.split("/", 1)[0])
    free = Screening.objects.filter(_free(now), pk=key)
    before = free.values_list("attempt", flat=True).first()
    busy = Screening.objects.filter(
        state=Screening.State.RUNNING, lease_until__gte=now, unit__path__startswith=county.path
    )
    if before is None or busy.exists():
        return None
    if before >= MOST_ATTEMPTS:
        free.update(state=Screening.State.FAILED, lease_until=None)
        return None
    lease = now + dt.timedelta(seconds=LEASE_SECONDS)
    free.update(state=Screening.State.RUNNING, attempt=before + 1, lease_until=lease)
    return before + 1


def _progress(key: UUID, attempt: int, done: int, total: int) -> bool:
    lease = timezone.now() + dt.timedelta(seconds=LEASE_SECONDS)
    held = Screening.objects.filter(pk=key, state=Screening.State.RUNNING, attempt=attempt)
    return bool(held.update(schools_done=done, schools_total=total, lease_until=lease))


def _finish(row: Screening, attempt: int, counts: Counter[str]) -> bool:
    with transaction.atomic():
        held = Screening.objects.filter(pk=row.pk, state=Screening.State.RUNNING, attempt=attempt)
        told = dict(sorted(counts.items()))
        if not held.update(state=Screening.State.DONE, counts=told, lease_until=None, finished_at=clock.now()):
            return False
        audit.record("concern.find", row, by=None, unit=row.unit, term=row.term.key, **told)
    return True


def _screen_school(season: Season, school: Unit) -> Counter[str]:
    found = finders.of_school(season, school)
    known = Concern.objects.filter(term=season.term, kind__in=finders.OF_A_SCHOOL)
    # Also those of pupils who came from another school: the concern goes with them.
    mine = Q(path__startswith=school.path) | Q(pupil__in={row.pupil for row in found})
    counts = _bring(season, found, known.filter(mine))
    counts["open"] -= _settle_known_refusals(season, school)
    return counts


def _screen_across(season: Season) -> Counter[str]:
    found = finders.across(season)
    known = Concern.objects.filter(term=season.term, kind__in=finders.ACROSS_SCHOOLS)
    return _bring(season, found, known.filter(pupil__county=season.county))


@transaction.atomic
def _bring(season: Season, found: Sequence[Found], known: QuerySet[Concern]) -> Counter[str]:
    """Make the known concerns what was found; how many came, were opened again, went, stayed."""
    rows = known.select_for_update(of=("self",)).select_related("settlement", "owner").order_by("pk")
    held = {Key(row.kind, row.pupil_id, row.subject): row for row in rows}
    counts: Counter[str] = Counter()
    trail: list[audit.Entry] = []
    seen: set[Key] = set()
    # The county's first: a school's part points at it.
    for wave in ([row for row in found if row.about is None], [row for row in found if row.about]):
        fresh: list[Concern] = []
        changed: list[Concern] = []
        for row in wave:
            seen.add(row.key)
            about = held[row.about] if row.about else None
            if (concern := held.get(row.key)) is None:
                fresh.append(_new(row, season, about))
                continue
            was = concern.state
            if _take(concern, row, about):
                changed.append(concern)
            if concern.state == Concern.State.OPEN and was != Concern.State.OPEN:
                counts["reopened"] += 1
                trail.append(audit.Entry("concern.facts_changed", concern, concern.owner, {"kind": concern.kind}))
        for concern in Concern.objects.bulk_create(fresh, batch_size=_BATCH):
            held[Key(concern.kind, concern.pupil_id, concern.subject)] = concern
        Concern.objects.bulk_update(changed, _FIELDS, batch_size=_BATCH // 5)
        counts["new"] += len(fresh)
    gone = [row for key, row in held.items() if key not in seen and row.state != Concern.State.GONE]
    for start in range(0, len(gone), _BATCH):
        keys = [row.pk for row in gone[start : start + _BATCH]]
        Concern.objects.filter(pk__in=keys).update(state=Concern.State.GONE)
    counts["gone"] += len(gone)
    counts["open"] += sum(held[key].state == Concern.State.OPEN for key in seen)
    audit.record_all(trail, by=None)
    return counts


def _new(row: Found, season: Season, about: Concern | None) -> Concern:
    return Concern(
        kind=row.kind,
        term=season.term,
        pupil_id=row.pupil,
        subject=row.subject,
        owner_id=row.owner,
        path=row.path,
        class_name=row.class_name,
        about=about,
        facts=row.facts,
        digest=row.digest,
        found_at=clock.now(),
    )


def _take(concern: Concern, row: Found, about: Concern | None) -> bool:
    """Put what was found on the known concern; whether anything is different now."""
    # What was settled about these very facts counts, also when they went away and came back.
    said = concern.settlement if concern.settlement and concern.settlement.digest == row.digest else None
    state = Concern.State.SETTLED if said else Concern.State.OPEN
    after = (row.owner, row.path, row.class_name, about.pk if about else None, row.digest, state, said)
    before = (
        concern.owner_id, concern.path, concern.class_name, concern.about_id, concern.digest,
        concern.state, concern.settlement,
    )  # fmt: skip
    if before == after:
        return False
    concern.owner_id, concern.path, concern.class_name, concern.about = row.owner, row.path, row.class_name, about
    concern.facts, concern.digest, concern.state, concern.settlement = row.facts, row.digest, state, said
    return True


# --- settling --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answered:
    """What became of one concern of a selection: settled, or why not."""

    concern: Concern
    refusal: str = ""


def reasons_for(kind: str) -> QuerySet[ConcernReason]:
    """The reasons that may be chosen for a kind today."""
    today = clock.today()
    in_force = Q(valid_to__isnull=True) | Q(valid_to__gte=today)
    return ConcernReason.objects.filter(in_force, kind=kind, valid_from__lte=today)


def settle(
    concern: Concern,
    *,
    reason: ConcernReason,
    note: str = "",
    proof: UploadedFile | None = None,
    seen: str = "",
    by: User,
) -> Settlement:
    """Settle one concern for a reason of its kind; a school's parts of a county's concern are settled with it.

    `seen` is the digest of the facts the person had before them. Raises ValidationError when it is settled or
    gone already, the facts have changed since, the reason is not of this kind or out of use, or its note or
    proof is missing.
    """
    with transaction.atomic():
        rows = _with_parts(concern)
        held = next(row for row in rows if row.pk == concern.pk)
        access.require(by, Permission.SETTLE_CONCERNS, held.owner)
        _refuse(held, reason, note, proof, seen)
        upload = uploads.store(proof, kind=Upload.Kind.EVIDENCE, unit=held.owner, by=by) if proof else None
        settled = _write(held, reason, redact(note.strip()), upload, by)
        # The note is the county's: it may name the other school.
        for twin in rows:
            if twin is not held and twin.state == Concern.State.OPEN:
                _write(twin, reason, "", None, by)
    return settled


def _with_parts(concern: Concern) -> list[Concern]:
    """The concern and the schools' parts of it, locked in key order as everybody locks them, before the trail."""
    both = Q(pk=concern.pk) | Q(about=concern.pk)
    rows = Concern.objects.select_for_update(of=("self",)).filter(both).select_related("owner", "term")
    return list(rows.order_by("pk"))


def _refuse(held: Concern, reason: ConcernReason, note: str, proof: UploadedFile | None, seen: str) -> None:
    if held.state != Concern.State.OPEN:
        raise ValidationError(f"这件事{held.get_state_display()}，可能已有人先办理。请刷新页面查看。")
    if seen and seen != held.digest:
        raise ValidationError("这件事的情况刚刚有变化，没有保存。请刷新页面，按现在的情况处理。")
    if not reasons_for(held.kind).filter(pk=reason.pk).exists():
        raise ValidationError({"reason": "这个处理结果不适用于这类事项，或已停用，请重新选择。"})
    if reason.needs_note and not note.strip():
        raise ValidationError({"note": f"选择“{reason}”要写明具体情况。"})
    if reason.needs_proof and proof is None:
        raise ValidationError({"proof": f"选择“{reason}”要上传证明的扫描件或照片。"})


def _write(held: Concern, reason: ConcernReason, note: str, proof: Upload | None, by: User) -> Settlement:
    settled = Settlement.objects.create(
        concern=held, reason=reason, note=note[:200], proof=proof, digest=held.digest, at=clock.now(), by=by
    )
    held.state, held.settlement = Concern.State.SETTLED, settled
    held.save(update_fields=["state", "settlement"])
    audit.record("concern.settle", held, by=by, unit=held.owner, kind=held.kind, reason=reason.code)
    return settled


def settle_all(
    concerns: Iterable[Concern], *, reason: ConcernReason, note: str = "", seen: Mapping[int, str], by: User
) -> list[Answered]:
    """Settle each of a selection for one reason; each by itself, so that one that cannot go stops no other.

    `seen`: by concern, the digest of the facts the person had before them.
    Raises ValidationError, for all, when the reason needs a proof: that belongs to one child each.
    """
    if reason.needs_proof:
        raise ValidationError({"reason": f"“{reason}”要逐人附证明，请打开每一件分别处理。"})
    answers = []
    for concern in concerns:
        try:
            settle(concern, reason=reason, note=note, seen=seen[concern.pk], by=by)
        except ValidationError as refusal:
            answers.append(Answered(concern, " ".join(refusal.messages)))
        except PermissionDenied:
            answers.append(Answered(concern, "这件事刚刚转到了别的单位，由那里办理。"))
        else:
            answers.append(Answered(concern))
    return answers


# --- what the guardians said -----------------------------------------------------------------------

REFUSED = "refused"  # the reason of MISSED that says: the guardians do not want it


def heard_from_guardian(receipt: Receipt) -> int:
    """A receipt was recorded (in the caller's transaction): a refusal settles the concern that the pupil was missed,
    a later wish to apply has it looked at again. How many were settled. The caller asked who may record receipts."""
    settled = 0
    for held in _missed_of(receipt):
        said = held.settlement
        by_receipt = said is not None and said.reason.code == REFUSED and _is_slip(said, receipt)
        if receipt.answer == Receipt.Answer.DECLINES and held.state == Concern.State.OPEN:
            settled += _settle_refused(held, receipt)
        elif receipt.answer == Receipt.Answer.APPLIES and held.state == Concern.State.SETTLED and by_receipt:
            held.state, held.settlement = Concern.State.OPEN, None
            held.save(update_fields=["state", "settlement"])
            audit.record(
                "concern.reopen", held, by=receipt.recorded_by, unit=held.owner, kind=held.kind, note="家长回执改为申请"
            )
    return settled


def _missed_of(receipt: Receipt) -> list[Concern]:
    rows = Concern.objects.select_for_update(of=("self",)).filter(
        kind=Concern.Kind.MISSED,
        term=receipt.round.term_id,
        pupil=receipt.pupil_id,
        subject=receipt.round.programme.code,
    )
    return list(rows.select_related("owner", "term", "settlement__reason").order_by("pk"))


def _is_slip(said: Settlement, receipt: Receipt) -> bool:
    return Receipt.objects.filter(round=receipt.round_id, pupil=receipt.pupil_id, scan=said.proof_id).exists()


def _settle_refused(held: Concern, receipt: Receipt) -> bool:
    """As far as the county's reason allows: where it wants the signed slip, not without it; once for one slip."""
    reason = reasons_for(Concern.Kind.MISSED).filter(code=REFUSED).first()
    if reason is None or (reason.needs_proof and receipt.scan_id is None):
        return False
    if receipt.scan_id and Settlement.objects.filter(proof=receipt.scan_id).exists():
        return False  # the county had it looked at again: this slip has been heard
    _write(held, reason, f"{cn_date(receipt.signed_on)}家长回执：不申请。", receipt.scan, receipt.recorded_by)
    return True


def _settle_known_refusals(season: Season, school: Unit) -> int:
    """A refusal that was on record before the screening found the pupil settles what it found; how many."""
    rows = Concern.objects.filter(
        kind=Concern.Kind.MISSED, term=season.term, owner=school, state=Concern.State.OPEN
    ).values_list("pupil_id", flat=True)
    said = Receipt.objects.filter(round__term=season.term, pupil__in=rows).order_by("pk")
    newest: dict[tuple[UUID, UUID], Receipt] = {}
    for receipt in said.select_related("round__programme", "scan", "recorded_by"):
        newest[receipt.round_id, receipt.pupil_id] = receipt
    settled = 0
    for receipt in newest.values():
        if receipt.answer == Receipt.Answer.DECLINES:
            with transaction.atomic():
                settled += heard_from_guardian(receipt)
    return settled


def reopen(concern: Concern, *, note: str, by: User) -> Concern:
    """The county has a settled concern looked at again, its parts at the schools too. What was said stays."""
    county = Unit.objects.get(pk=concern.owner.path.split("/", 1)[0])
    access.require(by, Permission.SETTLE_CONCERNS, county)
    if not note.strip():
        raise ValidationError({"note": "请写明为什么要重新处理。"})
    with transaction.atomic():
        rows = _with_parts(concern)
        held = next(row for row in rows if row.pk == concern.pk)
        if held.state != Concern.State.SETTLED:
            raise ValidationError(f"这件事现在是“{held.get_state_display()}”，不用退回重办。请刷新页面。")
        for row in rows:
            if row.state == Concern.State.SETTLED:
                row.state, row.settlement = Concern.State.OPEN, None
                row.save(update_fields=["state", "settlement"])
                # As in settling: the words of the county are not for the schools' trail.
                words = {"note": redact(note.strip())[:200]} if row is held else {}
                audit.record("concern.reopen", row, by=by, unit=row.owner, kind=row.kind, **words)
    return held


def returns(concern: Concern) -> list[AuditRow]:
    """When the county had it looked at again, by whom and why (`detail["note"]`; kept to the county for its parts)."""
    return list(audit.told_of(concern, "concern.reopen"))


def read_proof(settlement: Settlement, *, by: User) -> Upload:
    """The scan that was attached, for somebody who is about to see it; leaves an audit row."""
    if settlement.proof is None:
        raise ValidationError("这次处理没有附扫描件。")
    concern = settlement.concern
    audit.record("concern.read_proof", concern, by=by, unit=concern.owner)
    return settlement.proof
