"""A school's roster: checked first, applied when the officer says so, or thrown away.

The check and the import are one function, `import_roster`: the check does everything and takes it back, so
what it foretells is what the import does. Good rows are taken, wrong rows are named; no row is half taken.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from documents import uploads, xlsx
from documents.models import Upload

from . import bank_accounts, columns, enrolment, grades, matching, privacy, roster_rows
from .matching import Register
from .models import BankAccount, Category, Circumstance, Enrolment, Pupil, RosterImport, School, SchoolClass, Term
from .roster_rows import RosterRow

MAX_ROWS = 5000  # of one sheet
_PUPIL_FIELDS = [
    "name", "sex", "birth_date", "ethnicity", "id_kind", "roll_sealed", "roll_index", "roll_masked",
    "guardian_name", "guardian_relation", "phone_sealed", "phone_masked",
]  # fmt: skip
# An empty cell says nothing, so it never wipes what is on record.
_PLAIN_FIELDS = ("name", "sex", "birth_date", "ethnicity", "id_kind", "guardian_name", "guardian_relation")
_PLACE_FIELDS = ["school_class", "path", "class_name", "grade", "stage", "boarding"]
_BATCH = 500


class RosterAlreadySettled(ValidationError):
    """The import has been applied or thrown away already."""


@dataclass
class Outcome:
    """What an import did, or what a check foretells."""

    total: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0
    findings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        return self.new + self.changed + self.same

    @property
    def counts(self) -> dict[str, int]:
        """As the fields of RosterImport."""
        return {
            "rows_total": self.total,
            "rows_new": self.new,
            "rows_changed": self.changed,
            "rows_same": self.same,
            "rows_refused": self.refused,
        }


# --- verbs -----------------------------------------------------------------------------------------


def check_roster(file: UploadedFile, *, school: Unit, term: Term, by: User) -> RosterImport:
    """Keep the file and say what importing it would do. Nothing is kept of a file that is not a roster."""
    access.require(by, Permission.IMPORT_ROSTER, school)
    content, _ = uploads.check(file, kind=Upload.Kind.ROSTER)
    outcome = import_roster(content, school=school, term=term, by=by, dry_run=True)
    with transaction.atomic():
        upload = uploads.store(file, kind=Upload.Kind.ROSTER, unit=school, by=by)
        checked = RosterImport.objects.create(
            school=school,
            term=term,
            file=upload,
            findings=outcome.findings,
            checked_at=clock.now(),
            checked_by=by,
            **outcome.counts,
        )
        audit.record("roster.check", checked, by=by, unit=school, term=term.key, **outcome.counts)
    return checked


def apply_roster(roster_import: RosterImport, *, by: User) -> RosterImport:
    """Import the good rows. Raises RosterAlreadySettled the second time, also to a double click."""
    school, term = roster_import.school, roster_import.term
    access.require(by, Permission.IMPORT_ROSTER, school)
    with transaction.atomic():
        _settle(roster_import, RosterImport.State.APPLIED, applied_at=clock.now(), applied_by=by)
        # Only a roster that was thrown away has no file, and that one did not pass the door above.
        assert roster_import.file is not None
        outcome = import_roster(uploads.read(roster_import.file), school=school, term=term, by=by, dry_run=False)
        if not outcome.accepted:
            raise ValidationError("这份名册里没有一行可以导入，什么都没有保存。请按表中的说明改好后重新上传。")
        RosterImport.objects.filter(pk=roster_import.pk).update(findings=outcome.findings, **outcome.counts)
        audit.record("roster.apply", roster_import, by=by, unit=school, term=term.key, **outcome.counts)
    roster_import.refresh_from_db()
    return roster_import


def discard_roster(roster_import: RosterImport, *, by: User) -> RosterImport:
    """Throw the file and its findings away; the register stays as it is."""
    access.require(by, Permission.IMPORT_ROSTER, roster_import.school)
    with transaction.atomic():
        file = roster_import.file
        _settle(roster_import, RosterImport.State.DISCARDED, file=None, findings=[])
        audit.record("roster.discard", roster_import, by=by, unit=roster_import.school)
        if file:
            uploads.discard(file, by=by)
    roster_import.refresh_from_db()
    return roster_import


def _settle(roster_import: RosterImport, state: str, **fields: Any) -> None:
    """The one door out of CHECKED: whoever comes second changes nothing."""
    waiting = RosterImport.objects.filter(pk=roster_import.pk, state=RosterImport.State.CHECKED)
    if waiting.update(state=state, **fields) != 1:
        now = RosterImport.objects.get(pk=roster_import.pk)
        raise RosterAlreadySettled(f"这份名册{now.get_state_display()}，不能再办一次。要再次导入请重新上传文件。")


# --- the one function ------------------------------------------------------------------------------


def import_roster(content: bytes, *, school: Unit, term: Term, by: User, dry_run: bool) -> Outcome:
    """Bring the good rows of the workbook into the register of the term, and report on all rows.

    With `dry_run` everything is done and taken back. Raises ValidationError, one sentence, for a file that
    is not a roster at all.
    """
    if not School.objects.filter(unit=school).exists():
        raise ValidationError(f"“{school}”还没有登记学段和学校标识码，不能导入名册。请联系县资助中心。")
    sheets = columns.find_layouts(xlsx.read(content, max_rows=MAX_ROWS))
    rows: list[RosterRow] = []
    outcome = Outcome()
    for layout in sheets:
        found, notes = roster_rows.read_rows(layout, on=clock.today())
        rows += found
        outcome.findings += notes
    if not rows:
        raise ValidationError("表头下面没有任何学生。请检查名册是否选对；什么都没有保存。")
    with transaction.atomic():
        # One import of the county at a time: two schools may bring the same child.
        Unit.objects.select_for_update(no_key=True).get(pk=school.path.split("/", 1)[0])
        _bring_in(rows, school=school, term=term, by=by, outcome=outcome)
        if dry_run:
            transaction.set_rollback(True)
    return outcome


def _bring_in(rows: list[RosterRow], *, school: Unit, term: Term, by: User, outcome: Outcome) -> None:
    register = matching.read_register(rows, school=school, term=term)
    matching.compare_rows(rows)
    for row in rows:
        matching.compare_with_register(row, register)
    writer = _Writer(register, by)
    statuses = Counter("refused" if row.is_refused else writer.take(row) for row in rows)
    writer.write()
    outcome.total = len(rows)
    outcome.new, outcome.changed, outcome.same, outcome.refused = (
        statuses[status] for status in ("new", "changed", "same", "refused")
    )
    outcome.findings += [finding for row in rows for finding in row.findings]


class _Writer:
    """Collects what good rows change, then writes it in bulk: a term's roster is hundreds of rows."""

    def __init__(self, register: Register, by: User) -> None:
        self.register, self.by = register, by
        self.new_pupils: list[Pupil] = []
        self.changed_pupils: list[Pupil] = []
        self.new_enrolments: list[Enrolment] = []
        self.changed_enrolments: list[Enrolment] = []
        self.ended_accounts: list[BankAccount] = []
        self.new_accounts: list[BankAccount] = []
        self.new_circumstances: list[Circumstance] = []
        self.trail: list[audit.Entry] = []

    def take(self, row: RosterRow) -> str:
        """Note what the row changes; "new" in the term's register, "changed" or "same"."""
        pupil = self.register.by_id.get(privacy.id_index(row.id_number))
        is_known = pupil is not None
        if pupil is None:
            pupil = Pupil(county=self.register.county)
            privacy.set_id(pupil, row.id_number)
            self.new_pupils.append(pupil)
        changes = self._pupil(pupil, row)
        if is_known and changes:
            self.changed_pupils.append(pupil)
        is_new = pupil.pk not in self.register.enrolments
        changes += self._enrolment(pupil, row) + self._account(pupil, row) + self._circumstances(pupil, row)
        if changes:
            action = "pupil.enrol" if is_new else "pupil.change"
            self.trail.append(audit.Entry(action, pupil, self.register.school, {"fields": changes}))
        return "new" if is_new else "changed" if changes else "same"

    def write(self) -> None:
        Pupil.objects.bulk_create(self.new_pupils, batch_size=_BATCH)
        # As an upsert: bulk_update would write one CASE per row and column, ten times slower for a whole school.
        Pupil.objects.bulk_create(
            self.changed_pupils,
            update_conflicts=True,
            update_fields=_PUPIL_FIELDS,
            unique_fields=["id"],
            batch_size=_BATCH,
        )
        Enrolment.objects.bulk_create(self.new_enrolments, batch_size=_BATCH)
        Enrolment.objects.bulk_update(self.changed_enrolments, _PLACE_FIELDS, batch_size=_BATCH)
        BankAccount.objects.bulk_update(self.ended_accounts, ["ends_on"], batch_size=_BATCH)
        BankAccount.objects.bulk_create(self.new_accounts, batch_size=_BATCH)
        Circumstance.objects.bulk_create(self.new_circumstances, batch_size=_BATCH)
        if self.trail:
            audit.record_all(self.trail, by=self.by)

    def _pupil(self, pupil: Pupil, row: RosterRow) -> list[str]:
        changes = []
        for name in _PLAIN_FIELDS:
            value = getattr(row, name)
            if value and value != getattr(pupil, name):
                setattr(pupil, name, value)
                changes.append(name)
        if row.roll_number and privacy.roll_index(row.roll_number) != pupil.roll_index:
            privacy.set_roll(pupil, row.roll_number)
            changes.append("roll")
        if row.phone and not privacy.has_phone(pupil, row.phone):
            privacy.set_phone(pupil, row.phone)
            changes.append("phone")
        return changes

    def _enrolment(self, pupil: Pupil, row: RosterRow) -> list[str]:
        school_class = self._class(row)
        present = self.register.enrolments.get(pupil.pk)
        if present is None:
            self.new_enrolments.append(
                enrolment.begin(pupil, term=self.register.term, school_class=school_class, boarding=row.boarding)
            )
            return ["term"]
        before = {"school_class_id": present.school_class_id, "boarding": present.boarding}
        after = {"school_class_id": school_class.pk, "boarding": row.boarding}
        if before == after:
            return []
        there = enrolment.begin(pupil, term=self.register.term, school_class=school_class, boarding=row.boarding)
        for name in _PLACE_FIELDS:
            setattr(present, name, getattr(there, name))
        self.changed_enrolments.append(present)
        return [name.removesuffix("_id") for name in before if before[name] != after[name]]

    def _class(self, row: RosterRow) -> SchoolClass:
        """The class unit, made when the school has none of this grade and label."""
        assert row.grade
        key = (row.grade.name, row.class_label)
        if key not in self.register.classes:
            unit = Unit.objects.create(
                level=Unit.Level.CLASS, name=grades.class_name(row.grade, row.class_label), parent=self.register.school
            )
            made = SchoolClass.objects.create(unit=unit, stage=row.grade.stage, grade=row.grade.name)
            self.register.classes[key] = made
            self.trail.append(audit.Entry("class.open", unit, unit, {"grade": row.grade.name}))
        return self.register.classes[key]

    def _account(self, pupil: Pupil, row: RosterRow) -> list[str]:
        if row.account is None:
            return []
        values = {"bank": row.account.bank, "holder": row.account.holder, "relation": row.account.relation}
        old = self.register.accounts.get(pupil.pk)
        if old and bank_accounts.is_same(old, values, row.account.number):
            return []
        self.new_accounts.append(bank_accounts.replace(pupil, old, values, row.account.number, by=self.by))
        if old:
            self.ended_accounts.append(old)
        return ["account"]

    def _circumstances(self, pupil: Pupil, row: RosterRow) -> list[str]:
        held = self.register.circumstances.get(pupil.pk, set()) | self.register.ended.get(pupil.pk, set())
        wanted = {self.register.categories[name].pk: self.register.categories[name] for name in row.categories}
        fresh = [category for key, category in wanted.items() if key not in held]
        self.new_circumstances += [self._circumstance(pupil, category, row) for category in fresh]
        return [f"category:{category.code}" for category in fresh]

    def _circumstance(self, pupil: Pupil, category: Category, row: RosterRow) -> Circumstance:
        """Known from the first day of the term, or from the day the kind came into being."""
        return Circumstance(
            pupil=pupil,
            category=category,
            source=Circumstance.Source.COLLECTED,
            evidence=row.evidence,
            valid_from=max(self.register.term.starts_on, category.valid_from),
            recorded_by=self.by,
        )
