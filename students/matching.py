"""Roster rows against each other and against the register: who is it, what is new, what contradicts.

Identity is the ID number. A row that would give one child two ID numbers, or one number two children, is
refused: nobody is merged or renamed silently. The result is a `Plan`: what to write, and what to say.
"""

import datetime as dt
import difflib
import functools
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts import audit, clock
from accounts.models import Unit
from accounts.redaction import redact

from . import cases, changes, enrolment, grades, privacy, terms
from .models import (
    OPEN_STANDINGS,
    BankAccount,
    Boarding,
    Category,
    Circumstance,
    Enrolment,
    IdCorrection,
    Major,
    Pupil,
    RollOver,
    School,
    SchoolClass,
    Schooling,
    StaffAccount,
    Stage,
    Standing,
    Term,
)
from .numbers import Finding, error, warning
from .progress import SILENT, Reporter
from .roster_rows import NO_ACCOUNT, Findings, RosterRow

_CHECK_BOTH = "请对照户口簿核对两行，保留正确的一行。"
_ELSEWHERE = error("这名学生本学期已在本县另一所学校的名册上。", "请与县资助中心核对学籍；对方学校办理转出后再导入。")
_NEVER_LEFT = error(
    "这名学生在本县另一所学校还有在读登记，没有办理转出。",
    "请让对方学校办理转出，或请县资助中心核对学籍后办理转学，再导入。",
)
_CHUNK = 900  # keys in one query
_STEP = 2000  # rows between two reports of progress
# The plain fields of a pupil, in the order of Known, and what each is called in a finding.
PLAIN_FIELDS = (
    "name", "sex", "birth_date", "ethnicity", "id_kind", "guardian_name", "guardian_relation", "registration", "region",
)  # fmt: skip
_SEXES = dict(Pupil.Sex.choices)
_ID_KINDS = dict(Pupil.IdKind.choices)
_BOARDING = dict(Boarding.choices)
_REGISTRATIONS = dict(Pupil.Registration.choices)
_SCHOOLINGS = dict(Schooling.choices)
_MAJORS = dict(Major.choices)
# What the values of a plain field are called.
_WORDS: Mapping[str, Mapping[str, str]] = {"sex": _SEXES, "id_kind": _ID_KINDS, "registration": _REGISTRATIONS}
_RELATIONS = dict(BankAccount.Relation.choices)


class ClassFacts(NamedTuple):
    key: int
    path: str
    name: str
    grade: str
    stage: str
    is_active: bool
    major: str = ""


@dataclass
class SchoolFacts:
    """A school and its classes, by grade and label."""

    unit: Unit
    code: str
    stages: list[str]
    classes: dict[tuple[str, str], ClassFacts] = field(default_factory=dict)


class Known(NamedTuple):
    """What the register says of a pupil; the plain fields as one tuple, so that they are compared at once."""

    key: UUID
    plain: tuple[str, ...]
    roll_index: str
    roll_masked: str
    phone_sealed: str
    phone_masked: str


class Place(NamedTuple):
    """An enrolment of the term."""

    school: int
    school_class: int
    class_name: str
    boarding: str
    schooling: str
    standing: str
    ends_on: dt.date | None = None


class Before(NamedTuple):
    """A pupil's last enrolment before the term."""

    school: int
    stage: str
    standing: str
    ends_on: dt.date | None


class Account(NamedTuple):
    bank: str
    holder: str
    relation: str
    number_index: str
    number_masked: str


@dataclass
class Register:
    """What the register knows about the pupils of a roster, read in a bounded number of queries."""

    unit: Unit
    term: Term
    county: Unit
    schools: dict[int, SchoolFacts] = field(default_factory=dict)
    by_id: dict[str, Known] = field(default_factory=dict)
    by_roll: dict[str, UUID] = field(default_factory=dict)
    corrected: dict[str, str] = field(default_factory=dict)  # index of an old ID number → mask of the new one
    places: dict[UUID, Place] = field(default_factory=dict)  # open ones of this term, by pupil
    left: dict[UUID, list[Place]] = field(default_factory=dict)  # ended ones of this term
    accounts: dict[UUID, Account] = field(default_factory=dict)  # in use, by pupil
    account_owners: dict[str, list[tuple[UUID, str]]] = field(default_factory=dict)  # index → (pupil, guardian)
    staff: set[str] = field(default_factory=set)  # indexes of accounts aid is never paid to
    categories: dict[str, Category] = field(default_factory=dict)  # by name, those in force in the term
    circumstances: dict[UUID, set[int]] = field(default_factory=dict)  # pupil → kinds on record and open
    ended: dict[UUID, set[int]] = field(default_factory=dict)  # pupil → kinds whose end lies in the term or after it
    # Of those whose row would change where they are this term: who has a case; and what a dated change must fit.
    with_case: set[UUID] = field(default_factory=set)
    facts: dict[UUID, changes.Facts] = field(default_factory=dict)
    before: dict[UUID, "Before"] = field(default_factory=dict)  # last place in an earlier term, of who has none in this
    today: dt.date = field(default_factory=clock.today)
    is_over: bool = False  # a later term has begun


@dataclass
class Indexes:
    """The blind indexes of the rows' numbers, row by row; "" where there is no number."""

    ids: list[str]
    rolls: list[str]
    accounts: list[str]


def index_rows(rows: Sequence[RosterRow]) -> Indexes:
    return Indexes(
        privacy.id_indexes(row.id_number for row in rows),
        privacy.roll_indexes(row.roll_number for row in rows),
        privacy.account_indexes(row.account for row in rows),
    )


# --- the plan ----------------------------------------------------------------------------------------


class Entering(NamedTuple):
    """A pupil who gets a place in a class this term."""

    pupil: UUID
    row: RosterRow
    school: int
    starts_on: dt.date | None = None  # None: with the term
    arrived_on: dt.date | None = None  # from elsewhere: a transfer in, on that day


class Moving(NamedTuple):
    """A pupil on the roll of the school who is in another class, or boards where they did not."""

    pupil: UUID
    row: RosterRow
    school: int
    place: Place  # as it was compared
    enrolment: UUID
    on: dt.date | None  # None: their time here has not begun, so nothing changes on a day


@dataclass
class Plan:
    """What good rows change, ready to be written; and what is said of all rows."""

    findings: Findings
    as_of: int  # the last row of the audit trail when the register was read
    schools: dict[int, SchoolFacts] = field(default_factory=dict)
    total: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0
    new_classes: dict[tuple[int, str, str], None] = field(default_factory=dict)  # school, grade, label
    new_pupils: list[tuple[UUID, RosterRow, str, str]] = field(default_factory=list)  # key, row, ID and roll index
    entering: list[Entering] = field(default_factory=list)
    moving: list[Moving] = field(default_factory=list)
    # What its rows say of a class (school, grade, label), and of these what is not on record yet.
    majors: dict[tuple[int, str, str], str] = field(default_factory=dict)
    new_majors: dict[tuple[int, str, str], str] = field(default_factory=dict)
    schooled: list[tuple[UUID, str]] = field(default_factory=list)  # pupil, schooling from now on this term
    changing: list[tuple[UUID, dict[str, Any]]] = field(default_factory=list)  # pupil, column → value
    new_accounts: list[tuple[UUID, RosterRow, str]] = field(default_factory=list)  # pupil, row, index
    ended_accounts: list[UUID] = field(default_factory=list)  # pupils whose account in use ends
    new_circumstances: list[tuple[UUID, Category, str]] = field(default_factory=list)  # pupil, kind, evidence
    trail: list[tuple[UUID, int, list[str]]] = field(default_factory=list)  # pupil, school, fields that changed

    @property
    def accepted(self) -> int:
        return self.new + self.changed + self.same

    @property
    def has_writing(self) -> bool:
        return bool(self.new + self.changed)


# Areas of the trail whose deeds leave pupils, classes, accounts and circumstances as they are.
_ELSEWHERE_ONLY = (
    *("application.", "batch.", "calendar.", "document.", "dossier.", "meeting.", "notice.", "objection.", "round."),
    *("session.", "sheet.", "signing.", "standard.", "upload.", "roster."),
)


def has_moved(*, since: int, with_cases: bool = False) -> bool:
    """Whether the register may have changed since that row of the trail: every verb leaves one.

    `with_cases`: or a case, for which something was said of its pupil and the row left alone.
    """
    actions = audit.actions_since(since)
    if with_cases and any(action.startswith("application.") for action in actions):
        return True
    return any(action == "roster.apply" or not action.startswith(_ELSEWHERE_ONLY) for action in actions)


def compare(
    rows: Sequence[RosterRow],
    findings: Findings,
    *,
    unit: Unit,
    term: Term,
    sheets: Sequence[str],
    progress: Reporter = SILENT,
) -> Plan:
    """The rows against each other and the register as it is now. Writes nothing."""
    findings = findings.copy()
    as_of = audit.last_number()
    indexes = index_rows(rows)
    progress.phase("与登记的信息比对", len(rows))
    register = read_register(rows, indexes, unit=unit, term=term)
    comparer = _Comparer(register, findings, as_of)
    schools = [comparer.school_of(row) for row in rows]
    comparer.look_closer(rows, schools, indexes.ids)
    refused = compare_rows(rows, schools, findings, sheets)
    for position, row in enumerate(rows):
        if position % _STEP == 0:
            progress.step(position)
        is_refused = row.is_refused or position in refused
        comparer.take(
            row, schools[position], indexes.ids[position], indexes.rolls[position], indexes.accounts[position],
            is_refused=is_refused,
        )  # fmt: skip
    progress.step(len(rows))
    if unit.parent_id is None:
        findings.place(rows, schools)
    return comparer.plan


# --- reading the register ----------------------------------------------------------------------------


def read_register(rows: Sequence[RosterRow], indexes: Indexes, *, unit: Unit, term: Term) -> Register:
    county = unit if unit.parent_id is None else Unit.objects.get(pk=int(unit.path.split("/", 1)[0]))
    register = Register(unit, term, county)
    present = terms.current()
    register.is_over = present is not None and term.key < present.key
    _read_schools(register)
    pupils = Pupil.objects.filter(county=county)
    # A large file is compared with the whole county at once; that is one pass instead of hundreds of queries.
    whole = len(rows) > 4 * _CHUNK and len(rows) * 4 > pupils.count()
    _read_pupils(register, pupils, indexes, whole)
    keys = None if whole else [known.key for known in register.by_id.values()]
    # No joins: SQLite, which keeps no statistics, would begin each of them at the wrong end.
    enrolments, accounts = Enrolment.objects.filter(term=term), BankAccount.objects.filter(ends_on=None)
    if whole:
        enrolments = enrolments.filter(path__startswith=county.path)
        accounts = accounts if _is_only(county) else accounts.filter(pupil__county=county)
    same = _Same()
    for pupil, *cells in _values(enrolments, _PLACE, "pupil__in", keys):
        place = Place._make(map(same.__getitem__, cells))
        if place.standing in OPEN_STANDINGS:
            register.places[pupil] = place
        else:
            register.left.setdefault(pupil, []).append(place)
    for pupil, bank, holder, relation, *number in _values(accounts, _ACCOUNT, "pupil__in", keys):
        register.accounts[pupil] = Account(same[bank], same[holder], same[relation], *number)
    _read_owners(register, indexes, whole)
    if any(row.categories for row in rows):
        _read_circumstances(register, keys)
    return register


class _Same(dict[Any, Any]):
    """One object for equal values: a county has a dozen banks and a hundred thousand accounts."""

    def __missing__(self, value: Any) -> Any:
        self[value] = value
        return value


def _is_only(county: Unit) -> bool:
    return not Unit.objects.filter(level=Unit.Level.COUNTY).exclude(pk=county.pk).exists()


def _read_schools(register: Register) -> None:
    schools = School.objects.select_related("unit").filter(unit__path__startswith=register.unit.path)
    for school in schools:
        register.schools[school.unit_id] = SchoolFacts(school.unit, school.code, school.stages)
    classes = SchoolClass.objects.filter(unit__path__startswith=register.unit.path).values_list(
        "unit_id", "unit__path", "unit__name", "grade", "stage", "unit__is_active", "major", "unit__parent_id"
    )
    for *facts, parent in classes:
        found = ClassFacts._make(facts)
        if parent in register.schools:
            label = grades.class_label(found.name, grades.Grade(found.grade, found.stage))
            register.schools[parent].classes[found.grade, label] = found
    _read_old_names(register)


def _read_old_names(register: Register) -> None:
    """Classes of schools that were rolled over into a later term, by their names in the roster's own term."""
    on = RollOver.objects.filter(state=RollOver.State.DONE, target__key__gt=register.term.key)
    rolled = set(on.filter(school__in=register.schools).values_list("school_id", flat=True))
    if not rolled:
        return
    rows = Enrolment.objects.filter(term=register.term, school__in=rolled).order_by()
    columns = (
        "school_class_id", "path", "class_name", "grade", "stage", "school_class__is_active",
        "school_class__school_class__major", "school_id",
    )  # fmt: skip
    then = list(rows.values_list(*columns).distinct())
    known = {key for key, *_ in then}
    for school in rolled:
        classes = register.schools[school].classes
        for name in [name for name, facts in classes.items() if facts.key in known]:
            del classes[name]
    for *facts, school in then:
        found = ClassFacts._make(facts)
        label = grades.class_label(found.name, grades.Grade(found.grade, found.stage))
        register.schools[school].classes[found.grade, label] = found


_KNOWN = ("id_index", "roll_index", "roll_masked", "phone_sealed", "phone_masked", "pk", *PLAIN_FIELDS)
_PLACE = ("pupil_id", "school_id", "school_class_id", "class_name", "boarding", "schooling", "standing", "ends_on")
_ACCOUNT = ("pupil_id", "bank", "holder", "relation", "number_index", "number_masked")


def _read_pupils(register: Register, pupils: QuerySet[Pupil], indexes: Indexes, whole: bool) -> None:
    ids, same = None if whole else sorted(set(filter(None, indexes.ids))), _Same()
    for id_index, roll_index, roll_masked, phone_sealed, phone_masked, key, name, sex, born, *more in _values(
        pupils, _KNOWN, "id_index__in", ids
    ):
        plain = (name, same[sex], same[born.isoformat() if born else ""], *map(same.__getitem__, more))
        register.by_id[id_index] = Known(key, plain, roll_index, roll_masked, phone_sealed, phone_masked)
        if roll_index:
            register.by_roll[roll_index] = key
    if not whole:
        rolls = sorted(set(filter(None, indexes.rolls)))
        register.by_roll |= dict(_values(pupils, ("roll_index", "pk"), "roll_index__in", rolls))
    corrections = IdCorrection.objects.filter(pupil__county=register.county)
    register.corrected = dict(_values(corrections, ("before_index", "after_masked"), "before_index__in", ids))


def _read_owners(register: Register, indexes: Indexes, whole: bool) -> None:
    """Who else uses the accounts of the rows."""
    numbers = sorted(set(filter(None, indexes.accounts)))
    if not numbers:
        return
    if whole:
        for known in register.by_id.values():
            if account := register.accounts.get(known.key):
                owner = (known.key, known.plain[5])
                register.account_owners.setdefault(account.number_index, []).append(owner)
    else:
        shared = BankAccount.objects.filter(ends_on=None, pupil__county=register.county)
        wanted = ("number_index", "pupil_id", "pupil__guardian_name")
        for number, pupil, guardian in _values(shared, wanted, "number_index__in", numbers):
            register.account_owners.setdefault(number, []).append((pupil, guardian))
    staff = StaffAccount.objects.filter(county=register.county)
    register.staff = {number for (number,) in _values(staff, ("number_index",), "number_index__in", None)}


def _read_circumstances(register: Register, keys: list[UUID] | None) -> None:
    term = register.term
    for category in Category.objects.filter(valid_from__lte=term.ends_on):
        if category.valid_to is None or category.valid_to >= term.starts_on:
            register.categories[category.name] = category
    held = Circumstance.objects.filter(Q(valid_to=None) | Q(valid_to__gte=term.starts_on))
    if keys is None:
        held = held.filter(pupil__county=register.county)
    for pupil, category_id, end in _values(held, ("pupil_id", "category_id", "valid_to"), "pupil__in", keys):
        kinds = register.circumstances if end is None else register.ended
        kinds.setdefault(pupil, set()).add(category_id)


def _read_before(register: Register, pupils: set[UUID]) -> None:
    """Where the pupils were last before the term: term after term backwards, for those not found yet."""
    earlier = Term.objects.filter(key__lt=register.term.key).order_by("-key").values_list("pk", flat=True)
    wanted = set(pupils)
    for term in earlier:
        if not wanted:
            return
        rows = Enrolment.objects.filter(term=term)
        columns = ("pupil_id", "starts_on", "school_id", "stage", "standing", "ends_on")
        found = sorted(_values(rows, columns, "pupil__in", sorted(wanted)), key=lambda row: row[1])
        register.before |= {pupil: Before._make(cells) for pupil, _, *cells in found}
        wanted -= register.before.keys()


def _values(
    queryset: QuerySet[Any], columns: tuple[str, ...], lookup: str, keys: Sequence[Any] | None
) -> Iterator[tuple[Any, ...]]:
    """The columns of the rows with these keys, asked for in pieces; of all rows when `keys` is None."""
    if keys is None:
        yield from queryset.order_by().values_list(*columns).iterator(chunk_size=5000)
        return
    for start in range(0, len(keys), _CHUNK):
        piece = queryset.filter(**{lookup: keys[start : start + _CHUNK]})
        yield from piece.order_by().values_list(*columns)


# --- the file against itself -------------------------------------------------------------------------


def compare_rows(
    rows: Sequence[RosterRow], schools: Sequence[int | None], findings: Findings, sheets: Sequence[str]
) -> set[int]:
    """One child twice, one roll number for two children, one account for children of two guardians.

    Returns the positions of the rows that are refused for it.
    """
    refused: set[int] = set()

    def say(position: int, key: str, finding: Finding) -> None:
        findings.say(rows[position], key, finding, getattr(rows[position], key))
        if finding.level == "error":
            refused.add(position)

    for group in _groups(row.id_number for row in rows):
        first, *later = group
        content = rows[first].content, schools[first]
        if all((rows[each].content, schools[each]) == content for each in later):
            places = _places(rows, group, first, sheets)
            say(first, "id_number", warning(f"{places}与这一行是同一名学生，内容相同。", "只读取这一行。"))
            for each in later:
                say(
                    each,
                    "id_number",
                    error(f"与{_place(rows, first, each, sheets)}重复，内容相同。", "请删去这一行。"),
                )
        else:
            for each in group:
                places = _places(rows, group, each, sheets)
                say(each, "id_number", error(f"{places}是同一个证件号，内容却不同。", _CHECK_BOTH))
    for group in _groups(row.roll_number for row in rows):
        if len({rows[each].id_number for each in group}) > 1:
            for each in group:
                places = _places(rows, group, each, sheets)
                say(each, "roll_number", error(f"{places}也用了这个学籍号，证件号却不同。", _CHECK_BOTH))
    for group in _groups(row.account for row in rows):
        if len({(rows[each].guardian_name, rows[each].phone) for each in group}) > 1:
            for each in group:
                places = _places(rows, group, each, sheets)
                remedy = "只有同一监护人的孩子可以共用账户，请核对。"
                say(each, "account", warning(f"{places}也用了这个银行账号，监护人却不同。", remedy))
    return refused


def _groups(texts: Iterable[str]) -> list[list[int]]:
    """Positions that share a non-empty text, where there are at least two."""
    first: dict[str, int] = {}
    groups: dict[str, list[int]] = {}
    for position, text in enumerate(texts):
        if not text:
            continue
        before = first.setdefault(text, position)
        if before != position:
            groups.setdefault(text, [before]).append(position)
    return list(groups.values())


_MOST_PLACES = 5


def _places(rows: Sequence[RosterRow], group: list[int], but: int, sheets: Sequence[str]) -> str:
    """ "第 5、9 行", with the sheet's name where it is another sheet."""
    others = [each for each in group if each != but]
    here = [str(rows[each].number) for each in others[:_MOST_PLACES] if rows[each].sheet == rows[but].sheet]
    there = [_place(rows, each, but, sheets) for each in others[:_MOST_PLACES] if rows[each].sheet != rows[but].sheet]
    more = f"等 {len(others)} 行" if len(others) > _MOST_PLACES else ""
    return "、".join(([f"第 {'、'.join(here)} 行"] if here else []) + there) + more


def _place(rows: Sequence[RosterRow], position: int, seen_from: int, sheets: Sequence[str]) -> str:
    row = rows[position]
    sheet = "" if row.sheet == rows[seen_from].sheet else f"“{sheets[row.sheet]}”"
    return f"{sheet}第 {row.number} 行" if sheet else f"第 {row.number} 行"


# --- the file against the register -------------------------------------------------------------------


class _Comparer:
    """Takes row after row into the plan. Says nothing of other schools' pupils but that they are there."""

    def __init__(self, register: Register, findings: Findings, as_of: int) -> None:
        self.register, self.findings = register, findings
        self.plan = Plan(findings, as_of, register.schools)
        self.only = register.schools.get(register.unit.pk)  # the school of a school's file
        self._by_text: dict[tuple[str, str], int | None] = {}
        self._by_code = {facts.code: key for key, facts in register.schools.items()}
        self._now: dict[UUID, int] = {}  # of pupils with another name: the school where they are

    def school_of(self, row: RosterRow) -> int | None:
        """The school the row belongs to; None when it names none that we know, or another than the file's."""
        if self.only and not row.school_name and not row.school_code:
            return self.only.unit.pk
        texts = row.school_name, row.school_code
        if texts not in self._by_text:
            self._by_text[texts] = self._find_school(*texts)
        return self._by_text[texts]

    def look_closer(self, rows: Sequence[RosterRow], schools: Sequence[int | None], ids: Sequence[str]) -> None:
        """Ask for all pupils at once what a change of where they are would touch; for most rows there is none."""
        register = self.register
        differing, coming, new_here, renamed = set(), set(), set(), set()
        for row, school, id_index in zip(rows, schools, ids, strict=True):
            known = register.by_id.get(id_index)
            if known is None or school is None:
                continue
            if row.name and row.name != known.plain[0]:
                renamed.add(known.key)
            place = register.places.get(known.key)
            if place is not None:
                if place.school == school and self._differs(row, place, register.schools[school]):
                    differing.add(known.key)
            elif known.key in register.left:
                coming.add(known.key)
            else:
                new_here.add(known.key)
        _read_before(register, new_here)
        last = register.before
        left = {pupil for pupil in new_here & last.keys() if last[pupil].standing == Standing.TRANSFERRED}
        register.with_case = cases.standing(register.term, differing | coming | left)
        register.facts = changes.facts_of(register.term, differing - register.with_case)
        now = enrolment.current_only(Enrolment.objects.all())
        self._now = dict(_values(now, ("pupil_id", "school_id"), "pupil__in", sorted(renamed)))

    @staticmethod
    def _differs(row: RosterRow, place: Place, facts: SchoolFacts) -> bool:
        known = facts.classes.get((row.grade, row.class_label))
        return known is None or known.key != place.school_class or row.boarding != place.boarding

    def _find_school(self, name: str, code: str) -> int | None:
        by_code = self._by_code.get("".join(code.split())) if code else None
        by_name = self._names.find(name) if name else None
        if code and name:
            # The code counts; a name that is another school's contradicts it. In a school's own file the name,
            # when given, must be the school's.
            agrees = by_name == by_code if self.only else by_name in (None, by_code)
            return by_code if agrees else None
        found = by_code if code else by_name
        return found if found in self.register.schools else None

    @functools.cached_property
    def _names(self) -> "_SchoolNames":
        """Of all schools of the county, in a school's own file too: a short name must be no other school's."""
        return _SchoolNames(self.register.county)

    def take(
        self,
        row: RosterRow,
        school: int | None,
        id_index: str,
        roll_index: str,
        account_index: str,
        *,
        is_refused: bool,
    ) -> None:
        plan, register = self.plan, self.register
        plan.total += 1
        known = register.by_id.get(id_index) if id_index else None
        before = self.findings.totals["error"]
        facts = register.schools.get(school) if school is not None else None
        if facts is None:
            self._no_school(row)
        elif row.grade:
            self._place_exists(row, facts)
        if row.categories:
            self._categories(row, known)
        if roll_index and (known is None or known.roll_index != roll_index):
            self._roll_belongs_to(row, known, roll_index)
        if known is None:
            if id_index in register.corrected:
                self._corrected(row, id_index)
        else:
            place = register.places.get(known.key)
            if place is None:
                self._has_left(row, known, school, facts)
            elif facts is not None and place.school != school:
                self.findings.say(row, "id_number", _ELSEWHERE, row.id_number, elsewhere=place.school)
            elif place.standing == Standing.SUSPENDED:
                sentence = "这名学生本学期登记为休学，名册没有改变在读情况、班级和就读方式。"
                self._say(row, "name", warning(sentence, "已经复学的请在“异动”中办理复学。"))
            elif row.changed_on:
                self._day_fits(row, known)
            if row.name and row.name != known.plain[0]:
                self._other_name(row, known, school, roll_index)
        if account_index:
            self._account_of_others(row, known, account_index)
        elif (row.sheet, row.number) in self.findings.without_account and not (
            known is not None and known.key in register.accounts
        ):
            self._say(row, "account", NO_ACCOUNT)
        if is_refused or self.findings.totals["error"] != before:
            plan.refused += 1
            return
        assert school is not None
        assert facts is not None
        self._accept(row, known, school, facts, id_index, roll_index, account_index)

    def _say(self, row: RosterRow, key: str, finding: Finding) -> None:
        self.findings.say(row, key, finding, getattr(row, _ATTRIBUTES.get(key, key), ""))

    # --- what contradicts ------------------------------------------------------------------------

    def _no_school(self, row: RosterRow) -> None:
        key = "school_name" if row.school_name else "school_code" if row.school_code else "school_name"
        near = self._names.nearest(row.school_name) if row.school_name else []
        if self.only:
            own = self.register.unit.name
            remedy = f"这里只导入“{own}”的学生；请核对，或从文件中删去这一行。"
            if own in near:
                remedy = f"是不是“{own}”？是的请改成登记的校名；不是本校的学生，请从文件中删去这一行。"
            self._say(row, key, error("这一行写的是别的学校。", remedy))
        elif not row.school_name and not row.school_code:
            self._say(row, key, error("没有写学校。", "请填写学校名称或学校标识码。"))
        elif row.school_code and row.school_name and "".join(row.school_code.split()) in self._by_code:
            self._say(row, key, error("学校名称和学校标识码不是同一所学校。", "请核对后改正其中一个。"))
        else:
            remedy = "请按登记的全称填写学校名称，或填写学校标识码；还没有登记的学校请先在“学校”中登记。"
            if near:
                names = "或".join(f"“{name}”" for name in near)
                remedy = f"是不是{names}？请改成登记的校名，或填写学校标识码。"
            self._say(row, key, error("本县登记的学校里没有这一所。", remedy))

    def _place_exists(self, row: RosterRow, facts: SchoolFacts) -> None:
        if stage_of(row.grade, facts.stages) is None:
            stages = "、".join(Stage(stage).label for stage in facts.stages)
            whose = "本校" if self.only else f"“{facts.unit.name}”"
            self._say(
                row,
                "grade",
                error(f"{whose}登记的学段是{stages}，没有这个年级。", "请核对年级；学段登记有误请联系县资助中心。"),
            )
        known = facts.classes.get((row.grade, row.class_label))
        if known and not known.is_active:
            self._say(row, "class", error("这个班级已经停用。", "请核对班级名称。"))

    def _categories(self, row: RosterRow, known: Known | None) -> None:
        """A kind that was given an end is not begun again by a list: that takes new evidence, entered by itself."""
        register = self.register
        open_kinds = register.circumstances.get(known.key, set()) if known else set()
        ended = (register.ended.get(known.key, set()) if known else set()) - open_kinds
        for name in row.categories:
            category = register.categories.get(name)
            if category is None:
                names = "、".join(register.categories)
                remedy = f"请改成下列之一：{names}。"
                if near := _categories_like(name, register.categories):
                    remedy = f"是不是{'或'.join(f'“{each}”' for each in near)}？请改成登记的类别名称。"
                sentence = f"“{redact(name)[:20]}”不是本学期有效的困难类别。"
                self.findings.say(row, "categories", error(sentence, remedy), "、".join(row.categories))
            elif category.needs_evidence and not row.evidence:
                self._say(row, "evidence", error(f"“{category}”没有写证明。", "请填写证明名称和编号。"))
            if category and category.pk in ended:
                sentence = f"“{category}”已登记了结束日期，没有按名册重新登记。"
                finding = warning(sentence, "如果有新的证明，请在学生页另行登记。")
                self.findings.say(row, "categories", finding, "、".join(row.categories))

    def _roll_belongs_to(self, row: RosterRow, known: Known | None, roll_index: str) -> None:
        owner = self.register.by_roll.get(roll_index)
        if owner is not None and (known is None or owner != known.key):
            sentence = "这个学籍号已经登记在另一个证件号名下。"
            self._say(row, "roll_number", error(sentence, "请核对两个号码；如果学生确实换过证件号，请联系县资助中心。"))
        elif known and known.roll_index:
            sentence = "学籍号与原来登记的不同，将更新。"
            self._say(row, "roll_number", warning(sentence, "请确认是转为正式学籍号或学籍已变更。"))

    def _corrected(self, row: RosterRow, id_index: str) -> None:
        masked = self.register.corrected[id_index]
        sentence = f"这个证件号已经在系统里更正，更正后是 {masked}。"
        self._say(row, "id_number", error(sentence, "请在文件中改成更正后的号码；更正有误请联系县资助中心。"))

    def _has_left(self, row: RosterRow, known: Known, school: int | None, facts: SchoolFacts | None) -> None:
        """Not on any roll this term: coming back, or coming from elsewhere, is a change of its own with its day."""
        left = self.register.left.get(known.key, [])
        before = self.register.before.get(known.key)
        standings = {each.standing for each in left} | ({before.standing} if before else set())
        own = next((each for each in left if each.school == school), None)
        if Standing.DECEASED in standings:
            self._say(row, "name", error("这名学生登记为已去世。", "请核对证件号；登记有误请联系县资助中心。"))
        elif own is not None:
            sentence = f"这名学生本学期在本校{Standing(own.standing).label}，名册不会重新编入。"
            self._say(row, "name", error(sentence, "如果学生又回来了，请在“异动”中办理转入或复学。"))
        elif known.key in self.register.with_case:
            since = "本学期" if left else "以前学期"
            sentence = f"这名学生从别的学校转来，{since}的资助申请要随学生接收，名册没有编入。"
            self._say(row, "name", error(sentence, "请在“异动”中办理转入，申请随学生转来；办完后这一行就是“无变化”。"))
        elif before is not None and not left and facts is not None and school is not None:
            self._comes_from(row, before, school, facts)
        if left and (day := self._file_day(row)) and day < max(each.ends_on for each in left if each.ends_on):
            sentence = "变动日期早于学生离开原学校的日期。"
            self._say(row, "changed_on", error(sentence, "请写学生到本校的日期，或把这一格清空。"))

    def _comes_from(self, row: RosterRow, before: Before, school: int, facts: SchoolFacts) -> None:
        """The last place was in an earlier term: whoever is still on the roll there is not taken over by a list."""
        if before.standing == Standing.SUSPENDED and before.school == school:
            sentence = "这名学生上次登记为休学，名册按在读编入。"
            self._say(row, "name", warning(sentence, "还没有复学的，导入后请在“异动”中办理休学。"))
        elif self._is_taken_over(row, before, school, facts):
            if self.only:
                self.findings.say(row, "id_number", _NEVER_LEFT, row.id_number, elsewhere=before.school)
            else:
                sentence = "这名学生上次登记在本县另一所学校，没有办理转出，将按转入登记。"
                remedy = "请确认学生确实转到这所学校；原学校的在读登记随学期结束。"
                self.findings.say(row, "id_number", warning(sentence, remedy), row.id_number, elsewhere=before.school)

    def _is_taken_over(self, row: RosterRow, before: Before, school: int, facts: SchoolFacts) -> bool:
        """On the roll of another school when the last term ended; from primary to junior school is no transfer."""
        is_open = before.standing in OPEN_STANDINGS and before.school != school
        return is_open and bool(row.grade) and stage_of(row.grade, facts.stages) == before.stage

    def _day_fits(self, row: RosterRow, known: Known) -> None:
        """The day the file gives for a change, against what is on record."""
        facts, day = self.register.facts.get(known.key), self._file_day(row)
        if facts is None or day is None or facts.starts_on > self.register.today:
            return
        if day < facts.starts_on:
            sentence = f"变动日期早于学生到这里就读的日期（{facts.starts_on}）。"
            self._say(row, "changed_on", error(sentence, "请核对日期，或把这一格清空，按导入当天登记。"))
        elif facts.last_change is not None and day < facts.last_change:
            sentence = f"{facts.last_change} 已登记过异动，新的变动不能早于这一天。"
            self._say(row, "changed_on", error(sentence, "请核对日期，或把这一格清空，按导入当天登记。"))

    @staticmethod
    def _file_day(row: RosterRow) -> dt.date | None:
        return dt.date.fromisoformat(row.changed_on) if row.changed_on else None

    def _other_name(self, row: RosterRow, known: Known, school: int | None, roll_index: str) -> None:
        ours = school is not None and self._now.get(known.key) == school
        if ours and (not roll_index or roll_index == known.roll_index):
            self._say(
                row, "name", warning("姓名与原来登记的不同，将更新。", "请确认学生改过名，而不是证件号填错了人。")
            )
        else:
            remedy = "请核对证件号是否填错；学生确实改过名请联系县资助中心。"
            self._say(row, "name", error("这个证件号登记的是另一个姓名。", remedy))

    def _account_of_others(self, row: RosterRow, known: Known | None, account_index: str) -> None:
        register = self.register
        if account_index in register.staff:
            sentence = "这个银行账号登记为教职工的账户，资助款不能发到这里。"
            self._say(row, "account", error(sentence, "请换成学生本人或监护人的账户。"))
        owners = register.account_owners.get(account_index, ())
        for owner, guardian in owners:
            if known is not None and owner == known.key:
                continue
            if not row.guardian_name or guardian != row.guardian_name:
                sentence = "这个银行账号已经登记给另一名学生，监护人不同。"
                self._say(row, "account", warning(sentence, "只有同一监护人的孩子可以共用账户，请核对。"))
                return

    # --- what changes ----------------------------------------------------------------------------

    def _accept(
        self, row: RosterRow, known: Known | None, school: int, facts: SchoolFacts,
        id_index: str, roll_index: str, account_index: str,
    ) -> None:  # fmt: skip
        plan, register = self.plan, self.register
        if known is None:
            key = uuid.uuid4()
            plan.new_pupils.append((key, row, id_index, roll_index))
            changed: list[str] = []
        else:
            key = known.key
            changed = self._pupil(row, known, roll_index)
        is_moved = False
        place = register.places.get(key)
        if place is None:
            plan.entering.append(self._entering(row, key, school, facts))
            if (row.grade, row.class_label) not in facts.classes:
                plan.new_classes[school, row.grade, row.class_label] = None
        else:
            is_moved, undated = self._moved(row, key, place, school, facts)
            changed += undated
            changed += self._schooling(row, key, place)
        is_moved |= self._major(row, school, facts)
        if account_index:
            changed += self._account(row, key, account_index, known)
        if row.categories:
            changed += self._circumstances(row, key, known)
        if place is None:
            plan.new += 1
        elif changed or is_moved:
            plan.changed += 1
        else:
            plan.same += 1
        if known is not None and changed:
            plan.trail.append((key, school, changed))

    def _change(self, row: RosterRow, key: str, before: str, after: str, *, on: dt.date | None = None) -> None:
        dated = f"（{on} 起，记入异动）" if on else ""
        self.findings.add(
            "change", row.sheet, row.number, key, f"{before or '（空）'} → {after}{dated}", who=row.name, value=after
        )

    def _pupil(self, row: RosterRow, known: Known, roll_index: str) -> list[str]:
        """An empty cell says nothing, so it never wipes what is on record."""
        changes: dict[str, Any] = {}
        fields = []
        now = (
            row.name, row.sex, row.birth_date, row.ethnicity, row.id_kind, row.guardian_name, row.guardian_relation,
            row.registration, row.region,
        )  # fmt: skip
        if now != known.plain:
            for name, after, before in zip(PLAIN_FIELDS, now, known.plain, strict=True):
                if after and after != before:
                    changes[name] = dt.date.fromisoformat(after) if name == "birth_date" else after
                    fields.append(name)
                    words = _WORDS.get(name, {})
                    self._change(row, name, words.get(before, before), words.get(after, after))
        if roll_index and roll_index != known.roll_index:
            changes["roll"] = row.roll_number
            changes["roll_index"] = roll_index
            fields.append("roll")
            self._change(row, "roll_number", known.roll_masked, privacy.mask_id(row.roll_number))
        if row.phone and not privacy.is_phone(known.phone_sealed, row.phone, key=str(known.key)):
            changes["phone"] = row.phone
            fields.append("phone")
            self._change(row, "phone", known.phone_masked, privacy.mask_phone(row.phone))
        if changes:
            self.plan.changing.append((known.key, changes))
        return fields

    def _entering(self, row: RosterRow, key: UUID, school: int, facts: SchoolFacts) -> Entering:
        """With the term, or from the day on which somebody who left another school comes here."""
        register, left = self.register, self.register.left.get(key)
        before = register.before.get(key)
        if left:
            last = max(each.ends_on for each in left if each.ends_on)
            day = self._file_day(row) or min(register.today, last + dt.timedelta(days=1))
            sentence = f"这名学生本学期已离开别的学校，将按 {day} 转入登记。"
            self._say(row, "name", warning(sentence, "请确认学生已经到校；到校日期不对的，加一列“变动日期”写明。"))
            return Entering(key, row, school, day, day)
        came_back = before is not None and before.standing in (Standing.TRANSFERRED, Standing.WITHDRAWN)
        start = register.term.starts_on
        day = max(start, self._file_day(row) or start)
        if before is not None and (came_back or self._is_taken_over(row, before, school, facts)):
            # A term that has not begun is a plan: nobody has come yet.
            return Entering(key, row, school, day, arrived_on=day if start <= register.today else None)
        if day > start and before is None:
            sentence = f"这名学生将从变动日期 {day} 起登记在读。"
            self._say(row, "changed_on", warning(sentence, "学期开始时就在校的，请清空这一格。"))
            return Entering(key, row, school, day)
        if day > start:
            sentence = f"变动日期没有用上：这名学生以前学期就在名册上，从学期开始（{start}）起按这一行登记。"
            self._say(row, "changed_on", warning(sentence, "学期中变的，请先按变动前的情况导入，再用这一份登记变动。"))
        return Entering(key, row, school)

    def _moved(
        self, row: RosterRow, pupil: UUID, place: Place, school: int, facts: SchoolFacts
    ) -> tuple[bool, list[str]]:
        """Whether the register follows the row in class or boarding; and the fields that change without a day."""
        if place.standing != Standing.PRESENT or not self._differs(row, place, facts):
            return False, []
        known = facts.classes.get((row.grade, row.class_label))
        told = []
        if known is None or known.key != place.school_class:
            after = known.name if known else grades.class_name(_grade(row.grade), row.class_label)
            told.append(("class", place.class_name, after))
        if row.boarding != place.boarding:
            told.append(("boarding", _BOARDING[place.boarding], _BOARDING[row.boarding]))
        if pupil in self.register.with_case or self.register.is_over:
            for key, before, after in told:
                self.findings.say(row, key, self._left_alone(key, before, after), after)
            return False, []
        fact = self.register.facts.get(pupil)
        if fact is None:
            return False, []  # another desk has ended their time here since the places were read
        has_begun = fact.starts_on <= self.register.today
        on = (self._file_day(row) or self.register.today) if has_begun else None
        for key, before, after in told:
            self._change(row, key, before, after, on=on)
        if known is None:
            self.plan.new_classes[school, row.grade, row.class_label] = None
        self.plan.moving.append(Moving(pupil, row, school, place, fact.enrolment, on))
        return True, [] if has_begun else [_FIELDS[key] for key, _, _ in told]

    def _schooling(self, row: RosterRow, key: UUID, place: Place) -> list[str]:
        """Special or ordinary schooling follows the row, for the whole term; an empty cell says nothing."""
        stays = not row.schooling or row.schooling == place.schooling
        if stays or place.standing != Standing.PRESENT or self.register.is_over:
            return []
        self.plan.schooled.append((key, row.schooling))
        self._change(row, "schooling", _SCHOOLINGS[place.schooling], _SCHOOLINGS[row.schooling])
        return ["schooling"]

    def _major(self, row: RosterRow, school: int, facts: SchoolFacts) -> bool:
        """Whether the row says something new of its class: the first row that does speaks for all."""
        if not row.major or self.register.is_over:
            return False
        known, place = facts.classes.get((row.grade, row.class_label)), (school, row.grade, row.class_label)
        if (known.stage if known else stage_of(row.grade, facts.stages)) != Stage.VOCATIONAL:
            self._say(row, "major", warning("只有中职的班级登记专业类别，这一格没有登记。", "不是中职的请留空。"))
            return False
        if (said := self.plan.majors.setdefault(place, row.major)) != row.major:
            sentence = f"同一班级前面写的是{_MAJORS[said]}，这里写的是{_MAJORS[row.major]}，按前面的登记。"
            self._say(row, "major", warning(sentence, "一个班只有一个专业类别，请核对。"))
        before = known.major if known else ""
        if place in self.plan.new_majors or said == before:
            return False
        self.plan.new_majors[place] = said
        self._change(row, "major", _MAJORS.get(before, ""), _MAJORS[said])
        return True

    def _left_alone(self, key: str, before: str, after: str) -> Finding:
        """Why class or boarding stays, and what to do: a case's change shows first what it does to the case."""
        what, kind = {"class": ("班级", "调班"), "boarding": ("就读方式", "就读方式变化")}[key]
        if self.register.is_over:
            sentence = f"这个学期已经结束，{what}没有按名册改动：{before} → {after}。"
            return warning(sentence, "往学期保持当时登记的样子；现在的情况请导入本学期的名册。")
        sentence = f"该生本学期有资助申请，{what}没有按名册改动：{before} → {after}。"
        remedy = f"请在该生的“异动”中办理{kind}，那里先列出对申请和发放的影响，再登记。"
        if self.register.term.starts_on > self.register.today:
            remedy = f"学期开始后，请在该生的“异动”中办理{kind}。"
        return warning(sentence, remedy)

    def _account(self, row: RosterRow, key: UUID, account_index: str, known: Known | None) -> list[str]:
        old = self.register.accounts.get(key)
        now = (row.bank, row.holder, row.relation, account_index)
        if old is not None and (old.bank, old.holder, old.relation, old.number_index) == now:
            return []
        if old is not None:
            self.plan.ended_accounts.append(key)
        if known is not None:
            before = _account_words(old.bank, old.holder, old.relation, old.number_masked) if old else ""
            after = _account_words(row.bank, row.holder, row.relation, privacy.mask_card(row.account))
            self._change(row, "account", before, after)
        self.plan.new_accounts.append((key, row, account_index))
        return ["account"]

    def _circumstances(self, row: RosterRow, key: UUID, known: Known | None) -> list[str]:
        register = self.register
        held = register.circumstances.get(key, set()) | register.ended.get(key, set())
        wanted = {register.categories[name].pk: register.categories[name] for name in row.categories}
        fresh = [category for pk, category in wanted.items() if pk not in held]
        self.plan.new_circumstances += [(key, category, row.evidence) for category in fresh]
        if known is not None:
            for category in fresh:
                self._change(row, "categories", "", category.name)
        return [f"category:{category.code}" for category in fresh]


_ATTRIBUTES = {"class": "class_label"}
_FIELDS = {"class": "school_class", "boarding": "boarding"}


def _account_words(bank: str, holder: str, relation: str, masked: str) -> str:
    return f"{bank} {masked}（{holder}，{_RELATIONS.get(relation, relation)}）"


_SHORTEST_COUNTY = 2


class _SchoolNames:
    """The county's schools by name: as registered, or without the county's own name where one school alone is left."""

    def __init__(self, county: Unit) -> None:
        # 云岭县, and 云岭 as people shorten it; of 沛县 nothing could be left out.
        self._counties = [county.name]
        if len(county.name) > _SHORTEST_COUNTY and county.name[-1] in "县市区旗":
            self._counties.append(county.name[:-1])
        self._nearest: dict[str, list[str]] = {}
        self._whole: dict[str, int] = {}
        self._short: dict[str, list[int]] = {}
        self._shown: dict[str, str] = {}  # as it is compared with what is nearly it → as registered
        schools = School.objects.filter(unit__path__startswith=county.path)
        for key, name in schools.values_list("unit_id", "unit__name"):
            self._whole[tidy_name(name)] = key
            self._short.setdefault(self._without_county(name), []).append(key)
            self._shown[self._loosely(name)] = name

    def find(self, name: str) -> int | None:
        whole = self._whole.get(tidy_name(name))
        if whole is not None:
            return whole
        found = self._short.get(tidy_name(name)) or self._short.get(self._without_county(name), [])
        return found[0] if len(found) == 1 else None

    def nearest(self, name: str) -> list[str]:
        """At most two schools that may be meant; for a person to judge."""
        if name not in self._nearest:
            near = difflib.get_close_matches(self._loosely(name), self._shown, 2, 0.7)
            self._nearest[name] = [self._shown[each] for each in near]
        return self._nearest[name]

    def _without_county(self, name: str) -> str:
        tidy = tidy_name(name)
        return next((rest for each in self._counties if (rest := tidy.removeprefix(each)) not in (tidy, "")), tidy)

    def _loosely(self, name: str) -> str:
        return self._without_county(name).replace("初级中学", "初中").replace("高级中学", "高中")


_HOUSEHOLD = ("家庭", "对象", "人员", "学生", "儿童", "子女", "供养", "户")


def _categories_like(word: str, names: Iterable[str]) -> list[str]:
    """The kinds a common word (低保户, 脱贫户) may mean, at most three; for a person to judge."""
    core = word
    for ending in _HOUSEHOLD:
        core = core.removesuffix(ending) or core
    return [name for name in names if len(core) > 1 and core in name][:3]


def tidy_name(name: str) -> str:
    return "".join(name.split())


def _grade(name: str) -> grades.Grade:
    return grades.GRADES[name]


def stage_of(grade: str, stages: Sequence[str]) -> str | None:
    """The stage a grade belongs to at a school of these stages: 六年级 is junior where a school keeps 五四学制."""
    usual = _grade(grade).stage
    if usual in stages:
        return usual
    return next((each.stage for each in grades.NEXT if each.name == grade and each.stage in stages), None)
