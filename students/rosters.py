"""A school's or the county's roster: checked first, applied when somebody says so, or thrown away.

The check and the import are one function, `import_roster`: the check does everything but the writing, so
what it foretells is what the import does. Good rows are taken, wrong rows are named; no row is half taken.

What pages use (all raise PermissionDenied for who, ValidationError with a sentence for what):

- `check_roster(file, *, unit, term, by)`: unit is a school or the county. A small file comes back CHECKED or
  NEEDS_MAPPING; a large one UPLOADED, for a worker (`students.tasks.nudge()` wakes one after the commit).
- `map_columns(roster, answers, *, by)`: answers is header token → column key ("" leaves the column aside), for
  the tokens of `roster.question`. Remembered for the county. Comes back CHECKED, UPLOADED, or NEEDS_MAPPING again.
- `apply_roster(roster, *, by)`: comes back APPLIED, or APPLYING when a worker does it.
- `cancel(roster, *, by)`: UPLOADED, CHECKING or APPLYING → CANCELLED; nothing of it has happened then.
- `discard_roster(roster, *, by)`: CHECKED or NEEDS_MAPPING → DISCARDED, the file and the findings are gone.
- `ask_again(roster, *, by)`: CHECKED → NEEDS_MAPPING, to say that a column was understood wrongly.
- `progress_of(roster) -> students.progress.Progress`: phase (words for the page), done, total (0: not known yet).
- `roster.findings`: RosterFinding rows (level error, warning, change, note; sheet, row, column, column_number,
  who, value, message, remedy, elsewhere), at most KEPT_FINDINGS, level by level in the file's order, the exact
  numbers in errors_total, warnings_total, rows_changed.
- `roster.question`, when NEEDS_MAPPING: {"sheets": [{"sheet", "header_row", "token": by which
  the whole sheet is left aside, "columns": [{"token", "letter", "header", "key" (what is supposed, or ""),
  "samples" (masked)}]}], "missing": [labels], "doubtful": [[label,
  [tokens]]], "or_without": whether other sheets are whole, so that all these may be left aside, "sentence": one
  sentence}. Choices for a column: students.columns.COLUMNS (key, label). Kept after a check too: how the columns
  were understood.
"""

import contextlib
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from accounts import access, audit, clock, scopes
from accounts.models import Unit, User
from accounts.roles import Permission
from documents import filestore, uploads
from documents.models import Upload

from . import changes, columns, matching, roster_reading, roster_writing
from . import progress as progress_files
from .matching import Plan
from .models import HeaderMeaning, RosterFinding, RosterImport, School, Term
from .progress import SILENT, Progress, Reporter
from .roster_reading import Reading
from .roster_rows import KEPT_FINDINGS
from .table_writing import insert

__all__ = ["KEPT_FINDINGS", "Outcome", "RosterAlreadySettled", "apply_roster", "ask_again", "cancel", "check_roster"]
__all__ += ["discard_roster", "import_roster", "map_columns", "progress_of", "waiting_for"]

REQUEST_ROWS = 2000  # so many are read while the person waits for the page; more is a job
REQUEST_BYTES = 1024 * 1024
_TRIES = 3  # when somebody else writes the same child at the same moment
S = RosterImport.State
_UNDECIDED = (S.CHECKED, S.NEEDS_MAPPING)
RUNNING = (S.UPLOADED, S.CHECKING, S.APPLYING)


class RosterAlreadySettled(ValidationError):
    """The import has been applied or thrown away already, or is at another step."""


@dataclass
class Outcome:
    """What an import did, or what a check foretells."""

    total: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0
    errors: int = 0
    warnings: int = 0
    findings: list[RosterFinding] = field(default_factory=list)  # unsaved, in the file's order

    @property
    def accepted(self) -> int:
        return self.new + self.changed + self.same

    @property
    def counts(self) -> dict[str, int]:
        """As the fields of RosterImport."""
        return {**self.row_counts, "errors_total": self.errors, "warnings_total": self.warnings}

    @property
    def row_counts(self) -> dict[str, int]:
        """As the trail has them."""
        return {
            "rows_total": self.total,
            "rows_new": self.new,
            "rows_changed": self.changed,
            "rows_same": self.same,
            "rows_refused": self.refused,
        }


# --- verbs -----------------------------------------------------------------------------------------


def check_roster(file: UploadedFile, *, unit: Unit, term: Term, by: User) -> RosterImport:
    """Keep the file and say what importing it would do. Nothing is kept of a file that is not a roster.

    A large file is only kept; a worker checks it (state UPLOADED).
    """
    access.require(by, Permission.IMPORT_ROSTER, unit)
    content, _ = uploads.check(file, kind=Upload.Kind.ROSTER)
    _refuse_unit(unit)
    fresh = RosterImport(unit=unit, term=term, checked_at=clock.now(), checked_by=by)
    outcome = _check_now(fresh, content)
    with transaction.atomic():
        fresh.file = uploads.store(file, kind=Upload.Kind.ROSTER, unit=unit, by=by)
        fresh.save(force_insert=True)
        _say_of_check(fresh, outcome, by=by)
    return fresh


def map_columns(roster_import: RosterImport, answers: Mapping[str, str], *, by: User) -> RosterImport:
    """Say which column is which (token → key, "" to leave it aside), and check again. Remembered for the county."""
    access.require(by, Permission.IMPORT_ROSTER, roster_import.unit)
    question = roster_import.question
    if roster_import.state != S.NEEDS_MAPPING or not question:
        raise _not_now(roster_import)
    said = columns.read_answers(question, answers)
    supposed = {each["token"]: each["key"] for sheet in question["sheets"] for each in sheet["columns"]}
    assert roster_import.file is not None
    content = uploads.read(roster_import.file)
    with transaction.atomic():
        _claim(roster_import, S.NEEDS_MAPPING)
        for token, key in said.items():
            if supposed.get(token) != key:
                _remember(roster_import.unit, token, key, by=by)
        roster_import.checked_at, roster_import.checked_by = clock.now(), by
        outcome = _check_now(roster_import, content)
        roster_import.save()
        audit.record("roster.map", roster_import, by=by, unit=roster_import.unit, columns=len(said))
        _say_of_check(roster_import, outcome, by=by)
    return roster_import


def ask_again(roster_import: RosterImport, *, by: User) -> RosterImport:
    """Take a checked roster back to the question which column is which: one of them was understood wrongly."""
    access.require(by, Permission.IMPORT_ROSTER, roster_import.unit)
    if not roster_import.question:
        raise _not_now(roster_import)
    with transaction.atomic():
        _claim(roster_import, S.CHECKED, state=S.NEEDS_MAPPING)
        roster_import.findings.all().delete()
        audit.record("roster.ask_again", roster_import, by=by, unit=roster_import.unit)
    roster_import.refresh_from_db()
    return roster_import


def apply_roster(roster_import: RosterImport, *, by: User) -> RosterImport:
    """Import the good rows. Raises RosterAlreadySettled the second time, also to a double click.

    A large one is only handed to a worker (state APPLYING).
    """
    access.require(by, Permission.IMPORT_ROSTER, roster_import.unit)
    if roster_import.state != S.CHECKED:
        raise _not_now(roster_import)
    if roster_import.rows_total == roster_import.rows_refused:
        raise _nothing_to_import()
    applied = {"applied_at": clock.now(), "applied_by": by}
    if roster_import.rows_total > REQUEST_ROWS:
        with transaction.atomic():
            _claim(roster_import, S.CHECKED, state=S.APPLYING, attempt=0, failure="", **applied)
            audit.record("roster.begin", roster_import, by=by, unit=roster_import.unit)
    else:
        bring_in(
            roster_import,
            reading_of(roster_import),
            by=by,
            claim=lambda: _claim(roster_import, S.CHECKED, state=S.APPLIED, **applied, **_settled(by)),
        )
    roster_import.refresh_from_db()
    return roster_import


def cancel(roster_import: RosterImport, *, by: User) -> RosterImport:
    """Stop a job that waits or runs. What it had not committed is undone; what it had, stays (RosterAlreadySettled)."""
    access.require(by, Permission.IMPORT_ROSTER, roster_import.unit)
    key = roster_import.pk
    # First the word to the worker: while it writes, SQLite lets nobody else write a row.
    progress_files.ask_to_stop(key)
    try:
        with transaction.atomic():
            _claim(roster_import, *RUNNING, state=S.CANCELLED, applied_at=None, applied_by=None, **_settled(by))
            audit.record("roster.cancel", roster_import, by=by, unit=roster_import.unit)
    finally:
        if not progress_files.of(key).is_alive:
            progress_files.clear(key)
    roster_import.refresh_from_db()
    return roster_import


def discard_roster(roster_import: RosterImport, *, by: User) -> RosterImport:
    """Throw the file and its findings away; the register stays as it is."""
    access.require(by, Permission.IMPORT_ROSTER, roster_import.unit)
    _throw_away(roster_import, by=by)
    roster_import.refresh_from_db()
    return roster_import


def _throw_away(roster_import: RosterImport, *, by: User | None) -> None:
    with transaction.atomic():
        file = roster_import.file
        _claim(roster_import, *_UNDECIDED, state=S.DISCARDED, file=None, question=None, **_settled(by))
        roster_import.findings.all().delete()
        audit.record("roster.discard", roster_import, by=by, unit=roster_import.unit)
        if file:
            _discard_file(roster_import, file, by=by)


def progress_of(roster_import: RosterImport) -> Progress:
    """How far the worker is; an empty phase while it has not begun."""
    return progress_files.of(roster_import.pk)


def waiting_for(user: User) -> QuerySet[RosterImport]:
    """Rosters on which this person should act: sent in by them, or for the very unit they work for.

    The county may act on every school's, and does not wait for them.
    """
    rows = scopes.within(RosterImport.objects.all(), user, Permission.IMPORT_ROSTER, unit="unit")
    own = Q(checked_by=user) | Q(unit__path__in=scopes.reach(user, Permission.IMPORT_ROSTER))
    return rows.filter(own, state__in=_UNDECIDED)


# --- the one function ------------------------------------------------------------------------------


def import_roster(content: bytes, *, unit: Unit, term: Term, by: User, dry_run: bool) -> Outcome:
    """Bring the good rows of the workbook into the register of the term, and report on all rows.

    With `dry_run` nothing is written. Raises ValidationError, one sentence, for a file that is not a roster at all
    or whose columns a person has to name.
    """
    _refuse_unit(unit)
    reading = roster_reading.read(content, unit=unit, on=clock.today(), **_known(unit, term))
    if dry_run:
        return outcome_of(compare(reading, unit=unit, term=term), reading)
    return _write(reading, unit=unit, term=term, by=by)


def compare(reading: Reading, *, unit: Unit, term: Term, progress: Reporter = SILENT) -> Plan:
    """What the rows would change in the register as it is now."""
    return matching.compare(
        reading.rows, reading.findings, unit=unit, term=term, sheets=reading.sheets, progress=progress
    )


def outcome_of(plan: Plan, reading: Reading) -> Outcome:
    totals = plan.findings.totals
    return Outcome(
        plan.total,
        plan.new,
        plan.changed,
        plan.same,
        plan.refused,
        totals["error"],
        totals["warning"],
        plan.findings.rows(reading.sheets, reading.places),
    )


def _write(
    reading: Reading,
    *,
    unit: Unit,
    term: Term,
    by: User,
    claim: Callable[[], None] = lambda: None,
    finish: Callable[[Outcome], Sequence[audit.Entry]] = lambda outcome: (),
    progress: Reporter = SILENT,
) -> Outcome:
    """Compare and seal without a lock, then write in one transaction; whatever moved meanwhile is compared again.

    `claim` runs first in the transaction and `finish` last but for the trail, to which it adds.
    """
    for attempt in range(1, _TRIES + 1):
        plan = compare(reading, unit=unit, term=term, progress=progress)
        prepared = roster_writing.prepare(plan, progress=progress)
        try:
            with transaction.atomic():
                claim()
                _lock_county(unit)
                if matching.has_moved(since=plan.as_of):
                    plan = compare(reading, unit=unit, term=term, progress=progress)
                    prepared = roster_writing.prepare(plan, progress=progress)
                outcome = outcome_of(plan, reading)
                trail = finish(outcome)
                roster_writing.write(prepared, unit=unit, term=term, by=by, trail=trail, progress=progress)
            return outcome
        except (IntegrityError, changes.Overtaken):
            # Another desk was at one of these children between our look and our writing; look again.
            if attempt == _TRIES:
                raise
    raise AssertionError("unreachable")


def _lock_county(unit: Unit) -> None:
    """One import of the county at a time: two schools may bring the same child."""
    Unit.objects.select_for_update(no_key=True).get(pk=int(unit.path.split("/", 1)[0]))


def bring_in(
    roster_import: RosterImport,
    reading: Reading,
    *,
    by: User,
    claim: Callable[[], None],
    progress: Reporter = SILENT,
) -> Outcome:
    """Import the reading and keep with the import what it did; `claim` takes the import's row into APPLIED."""
    unit, term = roster_import.unit, roster_import.term

    def finish(outcome: Outcome) -> list[audit.Entry]:
        if not outcome.accepted:
            raise _nothing_to_import()
        RosterImport.objects.filter(pk=roster_import.pk).update(**outcome.counts)
        keep_findings(roster_import, outcome)
        return [audit.Entry("roster.apply", roster_import, unit, {"term": term.key, **outcome.row_counts})]

    return _write(reading, unit=unit, term=term, by=by, claim=claim, finish=finish, progress=progress)


def settle_unchanged(roster_import: RosterImport, *, by: User, claim: Callable[[], None]) -> bool:
    """Settle an import whose check found nothing to write, when to compare again could only find the same.

    That is when it is the same file, read on the same day with the same meanings, and the register has not moved.
    """
    file, unit = roster_import.file, roster_import.unit
    if not file or not roster_import.compared_at_row or roster_import.rows_new + roster_import.rows_changed:
        return False
    if roster_import.reading != _reading_name(roster_import, file):
        return False
    with transaction.atomic():
        _lock_county(unit)
        was_doubtful = bool(roster_import.errors_total + roster_import.warnings_total)
        if matching.has_moved(since=roster_import.compared_at_row, with_cases=was_doubtful):
            return False
        claim()
        counts = {name: getattr(roster_import, name) for name in Outcome().row_counts}
        audit.record("roster.apply", roster_import, by=by, unit=unit, term=roster_import.term.key, **counts)
    return True


def reading_of(roster_import: RosterImport, *, progress: Reporter = SILENT) -> Reading:
    """The import's rows: as they were kept when it was checked, or read anew. Raises as roster_reading.read."""
    file = roster_import.file
    if file is None:  # thrown away meanwhile
        raise _not_now(roster_import)
    if kept := roster_reading.kept(_reading_name(roster_import, file)):
        return kept
    return roster_reading.read(
        uploads.read(file),
        unit=roster_import.unit,
        on=clock.today(),
        progress=progress,
        **_known(roster_import.unit, roster_import.term),
    )


def _known(unit: Unit, term: Term) -> dict[str, Any]:
    """What the readers know beside the file: meanings of headers, and of short forms of grades."""
    return {"meanings": roster_reading.meanings_in(unit), "short": roster_reading.short_forms_in(unit, term)}


def keep_reading(roster_import: RosterImport, reading: Reading) -> None:
    """Keep what was read of a large file beside it, for the import that follows and for the same file once more."""
    assert roster_import.file is not None
    name = _reading_name(roster_import, roster_import.file)
    roster_reading.keep(name, reading)
    RosterImport.objects.filter(pk=roster_import.pk).update(reading=name)


def _reading_name(roster_import: RosterImport, file: Upload) -> str:
    known = _known(roster_import.unit, roster_import.term)
    return roster_reading.name_of(file.sha256, unit=roster_import.unit, on=clock.today(), **known)


def keep_findings(roster_import: RosterImport, outcome: Outcome) -> None:
    """In place of those an earlier check left."""
    roster_import.findings.all().delete()
    names = [each.attname for each in RosterFinding._meta.concrete_fields if each.attname not in ("id", "roster_id")]
    found = {name: [getattr(finding, name) for finding in outcome.findings] for name in names}
    insert(RosterFinding, found, same={"roster_id": roster_import.pk})


# --- steps of the verbs ----------------------------------------------------------------------------


def _check_now(roster_import: RosterImport, content: bytes) -> Outcome | None:
    """Check a small file here and now; a large one is left UPLOADED for a worker. Fills the row, saves nothing."""
    roster_import.state, roster_import.question, roster_import.attempt = S.UPLOADED, None, 0
    if len(content) > REQUEST_BYTES:
        return None
    unit = roster_import.unit
    known = _known(unit, roster_import.term)
    try:
        reading = roster_reading.read(content, unit=unit, on=clock.today(), most_rows=REQUEST_ROWS, **known)
    except roster_reading.TooManyRows:
        return None
    except columns.MappingNeeded as asked:
        roster_import.state, roster_import.question = S.NEEDS_MAPPING, asked.question
        return None
    outcome = outcome_of(compare(reading, unit=unit, term=roster_import.term), reading)
    roster_import.state, roster_import.question = S.CHECKED, reading.question
    for name, value in outcome.counts.items():
        setattr(roster_import, name, value)
    return outcome


def _say_of_check(roster_import: RosterImport, outcome: Outcome | None, *, by: User) -> None:
    unit, term = roster_import.unit, roster_import.term.key
    if outcome is None:
        audit.record("roster.upload", roster_import, by=by, unit=unit, term=term)
        return
    keep_findings(roster_import, outcome)
    audit.record("roster.check", roster_import, by=by, unit=unit, term=term, **outcome.row_counts)


def _remember(unit: Unit, token: str, key: str, *, by: User) -> None:
    county = int(unit.path.split("/", 1)[0])
    HeaderMeaning.objects.update_or_create(
        county_id=county, header=token, defaults={"column": key, "at": clock.now(), "by": by}
    )


def _claim(roster_import: RosterImport, *before: str, **fields: Any) -> None:
    """The one door out of a state: whoever comes second changes nothing. Without `fields` it only takes the lock."""
    waiting = RosterImport.objects.filter(pk=roster_import.pk, state__in=before)
    if fields:
        if waiting.update(**fields) == 1:
            return
    elif waiting.select_for_update().exists():
        return
    raise _not_now(RosterImport.objects.get(pk=roster_import.pk))


def _settled(by: User | None) -> dict[str, Any]:
    return {"settled_at": clock.now(), "settled_by": by}


def _not_now(roster_import: RosterImport) -> RosterAlreadySettled:
    label = roster_import.get_state_display()
    if roster_import.settled_at is None:
        return RosterAlreadySettled(f"这份名册现在是“{label}”，不能办这一步。请刷新页面。")
    return RosterAlreadySettled(f"这份名册{label}，不能再办一次。要再次导入请重新上传文件。")


def _nothing_to_import() -> ValidationError:
    return ValidationError("这份名册里没有一行可以导入，什么都没有保存。请按表中的说明改好后重新上传。")


def _refuse_unit(unit: Unit) -> None:
    if unit.level == Unit.Level.CLASS:
        raise ValidationError("名册按学校或按全县导入，请选择学校。")
    if unit.level == Unit.Level.SCHOOL and not School.objects.filter(unit=unit).exists():
        raise ValidationError(f"“{unit}”还没有登记学段和学校标识码，不能导入名册。请联系县资助中心。")
    if unit.level == Unit.Level.COUNTY and not School.objects.filter(unit__parent=unit).exists():
        raise ValidationError("本县还没有登记学校，不能导入名册。请先登记学校。")


# --- afterwards ------------------------------------------------------------------------------------


def sweep_files(*, before: dt.datetime) -> int:
    """Remove the files of imports that were settled, or left undecided, before the moment. How many.

    What was imported stays on record; what nobody decided about is thrown away with all that was found.
    """
    removed = 0
    for left in RosterImport.objects.filter(state__in=_UNDECIDED, checked_at__lt=before).select_related("unit", "file"):
        with contextlib.suppress(RosterAlreadySettled):  # somebody decides at this moment
            _throw_away(left, by=None)
            removed += 1
    old = RosterImport.objects.filter(Q(settled_at__lt=before), file__isnull=False).select_related("file")
    for roster_import in old.iterator():
        with transaction.atomic():
            file = roster_import.file
            assert file is not None
            RosterImport.objects.filter(pk=roster_import.pk).update(file=None, question=None)
            _discard_file(roster_import, file, by=None)
        removed += 1
    return removed


def _discard_file(roster_import: RosterImport, file: Upload, *, by: User | None) -> None:
    """The file, and what was read of it; the import's row has let go of the file already."""
    if name := roster_import.reading:
        transaction.on_commit(lambda: filestore.remove(name))
    uploads.discard(file, by=by)


def sweep_readings(*, seconds: float) -> int:
    """Remove readings that were kept so long ago. How many."""
    old = filestore.names(roster_reading.FOLDER, untouched_for=seconds)
    for name in old:
        filestore.remove(name)
    return len(old)
