"""认定: how hard a pupil's circumstances are in a school year; one answer for all programmes of the year.

It is said where the principal confirms a case (`workflow` calls `recognise`) and looked at again in spring
(`recognition_rechecks`). Versions are only added; the newest counts.
"""

from collections.abc import Iterable
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery

from accounts import access, audit, clock, scopes
from accounts.models import Unit, User
from accounts.roles import Permission
from students.models import Term
from students.table_writing import pieces

from .models import Application, Decision, Meeting, Programme, Recognition, TierWording
from .states import ENDED_WITHOUT_AID

_CHUNK = 500
_ATTEMPTS = 3
FIRST_TERM = "2023-2024-1"  # of the wording that ships
Kind = Recognition.Kind


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


def ended_of(cases: Iterable[Application]) -> dict[UUID, Recognition]:
    """By key, of the cases whose pupil's recognition of the year has ended, in the case's own term or before: what
    ended it. What a later term ended takes nothing from a term before it."""
    rows = list(cases)
    terms = Term.objects.in_bulk({case.term_id for case in rows})
    found: dict[UUID, Recognition] = {}
    for year in {school_year(term) for term in terms.values()}:
        here = [case for case in rows if school_year(terms[case.term_id]) == year]
        known = of_pupils({case.pupil_id for case in here}, year)
        ended = {key: row for key, row in known.items() if not row.is_in_force}
        since = dict(Term.objects.filter(pk__in={row.term_id for row in ended.values()}).values_list("pk", "key"))
        found |= {
            case.pk: row
            for case in here
            if (row := ended.get(case.pupil_id)) and since[row.term_id] <= terms[case.term_id].key
        }
    return found


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
        audit.record_all(
            [audit.Entry("recognition.add", row, row.school_class, trail_of(row)) for row in written], by=by
        )
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


def trail_of(row: Recognition) -> dict[str, object]:
    """What the audit trail keeps of a version."""
    return {"year": row.school_year, "version": row.version, "kind": row.kind, "tier": row.tier_words}


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
