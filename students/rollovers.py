"""学期结转: a school taken from one term into the next, in one piece; tried out first, and undone while it may be.

The class unit is the cohort: in autumn 七年级1班 becomes 八年级1班 and keeps its teacher; enrolments keep the class
name of their own term. `run` with `dry_run` does everything and takes it back, so what it foretells is what it does.
What a roll-over means for applications is added by subsidies.rollovers; pages call that.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from accounts import access, appointments, audit, clock
from accounts.models import Appointment, Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date

from . import enrolment as register
from . import term_keys, terms
from .grades import Grade, next_grades, promoted_name
from .models import (
    OPEN_STANDINGS,
    Category,
    ChangeConfirmation,
    Circumstance,
    Enrolment,
    RollOver,
    RosterImport,
    School,
    SchoolClass,
    Standing,
    StatusChange,
    Term,
)
from .table_writing import pieces

_BATCH = 500
_NAME_LENGTH = 80


class RollOverRefused(ValidationError):
    """The school cannot be rolled over, or the roll-over not undone, as things are; the sentence says why."""


class Deed(StrEnum):
    """What becomes of a class."""

    PROMOTE = "promote"  # into the next grade; the code carries grade and stage
    KEEP = "keep"
    GRADUATE = "graduate"
    MERGE = "merge"  # its pupils go on in another class; the code carries that class
    CLOSE = "close"  # nobody is in it any more
    NEW = "new"  # made for the coming term already


@dataclass(frozen=True)
class Choice:
    """What is to become of one class. As text: promote:八年级:junior, merge:42, keep, graduate, close, new."""

    deed: Deed
    grade: Grade | None = None
    into: int = 0

    @classmethod
    def read(cls, code: str) -> "Choice":
        """The choice a code stands for. Raises ValueError for anything else."""
        deed, *rest = code.split(":")
        if deed == Deed.PROMOTE:
            name, stage = rest
            return cls(Deed.PROMOTE, Grade(name, stage))
        if deed == Deed.MERGE:
            (into,) = rest
            return cls(Deed.MERGE, into=int(into))
        if rest:
            raise ValueError(code)
        return cls(Deed(deed))

    @property
    def code(self) -> str:
        if self.grade:
            return f"{self.deed}:{self.grade.name}:{self.grade.stage}"
        return f"{self.deed}:{self.into}" if self.into else str(self.deed)


@dataclass(frozen=True)
class ClassPlan:
    """A class before the roll-over: who is in it, what may become of it, and what usually does (the first)."""

    unit: int
    name: str
    grade: str
    stage: str
    pupils: int  # open in the source term
    suspended: int  # of these
    entered: int  # already on the target term's roll
    options: tuple[tuple[str, str], ...]  # (code, words), the usual one first
    teachers: tuple[str, ...] = ()

    @property
    def usual(self) -> str:
        return self.options[0][0]


@dataclass(frozen=True)
class Plan:
    """A school before its roll-over into `target`."""

    school: Unit
    source: Term
    target: Term
    classes: tuple[ClassPlan, ...]

    @property
    def is_new_year(self) -> bool:
        return terms.begins_school_year(self.target)

    @property
    def usual(self) -> dict[int, str]:
        return {row.unit: row.usual for row in self.classes}


@dataclass
class Outcome:
    """What a roll-over did, or what a trial foretells.

    `counts`: pupils, carried, graduated, entered, elsewhere, suspended, evidence (listed), evidence_carried, untaught.
    `classes`: per class name, after, what, pupils, carried, graduated, entered, teachers, is_open.
    `evidence`: per pupil name, pupil, class_name, kind, until, what, remedy.  `notes`: sentences.
    """

    rollover: RollOver
    counts: Counter[str] = field(default_factory=Counter)
    classes: list[dict[str, Any]] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lists: list[dict[str, Any]] = field(default_factory=list)  # filled by subsidies.rollovers

    @property
    def report(self) -> dict[str, Any]:
        """The lists, as they are kept with the roll-over."""
        return {"classes": self.classes, "evidence": self.evidence, "notes": self.notes, "lists": self.lists}


# --- which schools, which term ---------------------------------------------------------------------


@dataclass(frozen=True)
class Turn:
    """A school and the term it is to be rolled into next: the running one if it was left out, else the one to come."""

    school: Unit
    source: Term
    target: Term | None  # None: the term to come is not on record
    target_key: str
    pupils: int  # open in the source term: none, and there is nothing to roll over
    entered: int  # on the target term's roll already
    done: RollOver | None  # the last one that stands

    @property
    def is_early(self) -> bool:
        """Whether the school year is still running: classes move up when it is over."""
        return term_keys.is_autumn(self.target_key) and clock.today() <= self.source.ends_on

    @property
    def is_done(self) -> bool:
        return bool(self.done and self.target and self.done.target_id == self.target.pk)

    @property
    def is_due(self) -> bool:
        """Whether the school can be rolled over now."""
        return bool(self.target and self.pupils and not self.is_done and not self.is_early)


def turns(schools: Iterable[Unit], *, how_many: bool = True) -> list[Turn]:
    """Whose turn it is and for which term; a constant number of queries, however many schools.

    Without `how_many`, pupils are not counted, as a county's take a while: 1 stands for some of them.
    """
    now = terms.current()
    if now is None:
        return []
    units = list(schools)
    before, after = terms.preceding(now), terms.following(now)
    near = [term for term in (before, now, after) if term]
    numbers = _numbers(units, near) if how_many else _some(units, near)
    standing: dict[int, RollOver] = {}
    made = RollOver.objects.filter(school__in=units, state=RollOver.State.DONE).select_related("target", "done_by")
    for row in made.defer("report", "undo").order_by("target__key"):
        standing[row.school_id] = row
    return [_turn(unit, before, now, after, numbers, standing.get(unit.pk)) for unit in units]


def _numbers(schools: Sequence[Unit], near: Sequence[Term]) -> dict[tuple[int, int], int]:
    """How many are on the roll of each school in each term."""
    rows = register.open_only(Enrolment.objects.filter(school__in=schools, term__in=near))
    counted = rows.order_by().values_list("school", "term").annotate(n=Count("*"))
    return {(school, term): n for school, term, n in counted}


def _some(schools: Sequence[Unit], near: Sequence[Term]) -> dict[tuple[int, int], int]:
    """1 for each school and term with anybody on the roll."""
    here = register.open_only(Enrolment.objects.filter(school=OuterRef("pk")))
    asked = {f"term_{term.pk}": Exists(here.filter(term=term)) for term in near}
    rows = Unit.objects.filter(pk__in=[unit.pk for unit in schools]).order_by().annotate(**asked)
    return {
        (school, term.pk): 1
        for school, *is_there in rows.values_list("pk", *asked)
        for term, has in zip(near, is_there, strict=True)
        if has
    }


def _turn(
    unit: Unit,
    before: Term | None,
    now: Term,
    after: Term | None,
    numbers: Mapping[tuple[int, int], int],
    done_: RollOver | None,
) -> Turn:
    def on_roll(term: Term | None) -> int:
        return numbers.get((unit.pk, term.pk), 0) if term else 0

    is_left_out = not on_roll(now) and not (done_ and done_.target.key >= now.key)
    if before and is_left_out and on_roll(before):
        return Turn(unit, before, now, now.key, on_roll(before), 0, done_)
    return Turn(unit, now, after, term_keys.term_after(now.key), on_roll(now), on_roll(after), done_)


def done(school: Unit, target: Term) -> RollOver | None:
    """The roll-over of the school into the term that stands, if there is one."""
    return _done(school, target).select_related("school", "source", "target", "done_by").first()


def _done(school: Unit, target: Term) -> QuerySet[RollOver]:
    return RollOver.objects.filter(school=school, target=target, state=RollOver.State.DONE)


def _roll(school: Unit, term: Term | None) -> QuerySet[Enrolment]:
    return register.open_only(Enrolment.objects.filter(school=school, term=term))


# --- looking ahead ---------------------------------------------------------------------------------


def plan(school: Unit, target: Term) -> Plan:
    """The school's classes with what may become of each. Raises RollOverRefused when there is nothing to roll."""
    source = _source_of(target)
    classes = list(SchoolClass.objects.filter(unit__parent=school, unit__is_active=True).select_related("unit"))
    counted = _roll(school, source).values("school_class").annotate(n=Count("*"))
    pupils = {row["school_class"]: row["n"] for row in counted}
    suspended = {row["school_class"]: row["n"] for row in counted.filter(standing=Standing.SUSPENDED)}
    coming = _roll(school, target).values("school_class").annotate(n=Count("*"))
    entered = {row["school_class"]: row["n"] for row in coming}
    if terms.begins_school_year(target) and clock.today() <= source.ends_on:
        raise RollOverRefused(f"{source}到{cn_date(source.ends_on)}才结束，班级还在上课；请在那以后办理升班结转。")
    if not pupils:
        raise RollOverRefused(f"{school}在{source}没有在读学生，没有可以结转的名册；请直接导入{target}的名册。")
    # Classes that once had pupils but have none now are empty; the others were made for the term to come.
    before = Enrolment.objects.filter(school=school, term__key__lte=source.key)
    had = set(before.values_list("school_class_id", flat=True).distinct())
    teachers = _teachers([row.unit_id for row in classes])
    stages = School.objects.get(unit=school).stages
    return Plan(
        school,
        source,
        target,
        tuple(
            ClassPlan(
                row.unit_id,
                row.unit.name,
                row.grade,
                row.stage,
                pupils.get(row.unit_id, 0),
                suspended.get(row.unit_id, 0),
                entered.get(row.unit_id, 0),
                tuple(_options(row, classes, target, stages, pupils=pupils, entered=entered, had=had)),
                tuple(teachers[row.unit_id]),
            )
            for row in classes
        ),
    )


def _source_of(target: Term) -> Term:
    source = terms.preceding(target)
    if source is None:
        raise RollOverRefused(
            f"系统里没有{term_keys.term_name(term_keys.term_before(target.key))}，不能结转到{target}。"
        )
    return source


def _options(
    row: SchoolClass,
    classes: list[SchoolClass],
    target: Term,
    stages: list[str],
    *,
    pupils: Mapping[int, int],
    entered: Mapping[int, int],
    had: Collection[int],
) -> Iterator[tuple[str, str]]:
    if row.unit_id not in pupils:
        keep, close = (Choice(Deed.NEW).code, "照旧"), (Choice(Deed.CLOSE).code, "停用（已没有学生）")
        if row.unit_id in entered:
            yield keep
        else:
            yield from (close, keep) if row.unit_id in had else (keep, close)
        return
    merges = [
        (Choice(Deed.MERGE, into=other.unit_id).code, f"撤并，学生编入{other.unit.name}")
        for other in classes
        if other.unit_id != row.unit_id
        and other.unit_id in pupils
        and (other.grade, other.stage) == (row.grade, row.stage)
    ]
    keep = (Choice(Deed.KEEP).code, f"仍为{row.unit.name}")
    if not terms.begins_school_year(target):
        yield keep
        if row.unit_id not in entered:  # a roster has said already that the class goes on
            yield from merges
        return
    here = Grade(row.grade, row.stage)
    within = [after for after in next_grades(here) if after.stage in stages or after.stage == row.stage]
    for after in within:
        stage = "（初中学段，五四学制）" if after == Grade("六年级", "junior") else ""
        yield Choice(Deed.PROMOTE, after).code, f"升为{promoted_name(row.unit.name, here, after)}{stage}"
    yield Choice(Deed.GRADUATE).code, "毕业离校"
    yield from merges
    yield keep


def _teachers(units: Collection[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    held = Appointment.objects.filter(appointments.in_force(clock.today()), role="class_teacher", unit__in=units)
    for unit, name in held.order_by("pk").values_list("unit_id", "user__name"):
        found[unit].append(name)
    return found


# --- the one function ------------------------------------------------------------------------------


def run(
    school: Unit,
    target: Term,
    choices: Mapping[int, str],
    *,
    by: User,
    busy: Mapping[int, int] | None = None,
    lingering: Collection[int] = (),
) -> Outcome:
    """Take the school into the term: rename classes, let the last grade graduate, enrol everybody who stays.

    `choices` names what becomes of each class (codes of ClassPlan.options; the usual for a class not named).
    `busy`: classes with applications in the target term already, and how many: they cannot change their name.
    `lingering`: classes with cases that are not done; gone, they stay open for them. Pupils who are on the
    target term's roll already are left as they are. Raises RollOverRefused; call inside a transaction to try out.
    """
    access.require(by, Permission.ROLL_OVER, school)
    with transaction.atomic():
        # One writer of the county's rolls at a time, as roster imports do; who comes second sees what was done.
        Unit.objects.select_for_update(no_key=True).get(pk=county_key(school))
        _refuse_order(school, target)
        try:
            return _Run(plan(school, target), choices, by, busy or {}, lingering).run()
        except IntegrityError:
            raise RollOverRefused("结转没有完成：名册刚刚有变动，请刷新页面后再试。什么都没有改动。") from None


def county_key(school: Unit) -> int:
    """The key of the county a school lies in."""
    return int(school.path.split("/", 1)[0])


def _refuse_order(school: Unit, target: Term) -> None:
    if made := done(school, target):
        when = f"{made.done_by.name}于{cn_date(made.done_at)}"
        raise RollOverRefused(f"{school}已结转到{target}（{when}办理），不能再结转一次；要重来请先撤销那次结转。")
    later = RollOver.objects.filter(school=school, state=RollOver.State.DONE, target__key__gt=target.key).first()
    if later:
        raise RollOverRefused(f"{school}已经结转到更晚的{later.target}，不能再结转到{target}。")
    if Enrolment.objects.filter(school=school, term__key__gt=target.key).exists():
        raise RollOverRefused(f"{school}在{target}之后的学期已经有名册，不能再结转到{target}。")


@dataclass
class _Class:
    """A class on its way: as it was, and as it will be."""

    row: SchoolClass
    plan: ClassPlan
    choice: Choice
    name: str = ""
    grade: str = ""
    stage: str = ""
    is_active: bool = True
    is_new: bool = False

    @property
    def key(self) -> int:
        return self.row.unit_id

    @property
    def goes_on(self) -> bool:
        return self.choice.deed in (Deed.PROMOTE, Deed.KEEP, Deed.NEW)

    @property
    def changes(self) -> bool:
        unit = self.row.unit
        before = (unit.name, self.row.grade, self.row.stage, unit.is_active)
        return before != (self.name, self.grade, self.stage, self.is_active)


class _Run:
    """One roll-over: decides about every class, then writes in bulk."""

    def __init__(
        self, plan_: Plan, choices: Mapping[int, str], by: User, busy: Mapping[int, int], lingering: Collection[int]
    ) -> None:
        self.plan, self.by, self.busy, self.lingering = plan_, by, busy, set(lingering)
        self.school, self.source, self.target = plan_.school, plan_.source, plan_.target
        self.year = plan_.source.ends_on.year
        rows = SchoolClass.objects.filter(unit__parent=self.school).select_related("unit")
        self.rows = {row.unit_id: row for row in rows}
        self.classes = {row.unit: self._class(row, choices) for row in plan_.classes}
        self.undo: dict[str, Any] = {"classes": {}, "moved": [], "made": [], "graduated": {}}
        self.outcome = Outcome(
            RollOver(school=self.school, source=self.source, target=self.target, done_at=clock.now(), done_by=by)
        )

    def run(self) -> Outcome:
        self._decide()
        self._refuse_busy()
        self.outcome.rollover.save(force_insert=True)
        self._rename()
        self._follow_entered()
        self._enrol()
        self._evidence()
        self._finish()
        return self.outcome

    # --- what becomes of each class

    def _class(self, row: ClassPlan, choices: Mapping[int, str]) -> _Class:
        code = choices.get(row.unit, row.usual)
        if code not in dict(row.options):
            raise RollOverRefused(f"{row.name}的去向刚刚有变化，请重新选择。")
        return _Class(self.rows[row.unit], row, Choice.read(code))

    def _decide(self) -> None:
        for each in self.classes.values():
            each.name, each.grade, each.stage = each.row.unit.name, each.row.grade, each.row.stage
            if each.choice.grade:
                after = each.choice.grade
                each.name = promoted_name(each.name, Grade(each.grade, each.stage), after)
                each.grade, each.stage = after.name, after.stage
        self._decide_merges()
        self._refuse_same_names()
        taken = {each.name for each in self.classes.values() if each.goes_on}
        # A class made for the new year ahead of time gives way to the cohort that arrives under its name.
        arriving = {each.name for each in self.classes.values() if each.choice.deed in (Deed.PROMOTE, Deed.KEEP)}
        for each in self.classes.values():
            if each.choice.deed == Deed.NEW and each.name in arriving:
                each.choice = Choice(Deed.CLOSE)
        free = {row.unit.name for row in self.rows.values()} | taken
        for each in self.classes.values():
            if not each.goes_on:
                if each.choice.deed != Deed.CLOSE or each.name in taken:
                    each.name = _aside(each.name, self._fate(each), free)
                # However a class ends: what may still come back to it needs its teacher.
                each.is_active = each.key in self.lingering
                free.add(each.name)

    def _fate(self, each: _Class) -> str:
        if each.choice.deed == Deed.GRADUATE:
            return f"{self.year}届"
        return f"{self.year}年撤并" if each.choice.deed == Deed.MERGE else f"{self.year}年停用"

    def _decide_merges(self) -> None:
        for each in self.classes.values():
            if each.choice.deed == Deed.MERGE and not (into := self.classes[each.choice.into]).goes_on:
                raise RollOverRefused(
                    f"{each.row.unit.name}要并入{into.row.unit.name}，但{into.row.unit.name}自己毕业或撤并。"
                    "请选择一个保留下来的班。"
                )

    def _refuse_same_names(self) -> None:
        staying = [each for each in self.classes.values() if each.choice.deed in (Deed.PROMOTE, Deed.KEEP)]
        names = Counter(each.name for each in staying)
        for name, times in names.items():
            if times > 1:
                clash = "和".join(each.row.unit.name for each in staying if each.name == name)
                raise RollOverRefused(f"{clash}结转后都叫“{name}”。请改其中一个班的去向：升级、毕业或并入另一个班。")

    def _refuse_busy(self) -> None:
        changing = {each.key: each for each in self.classes.values() if each.changes or not each.goes_on}
        blocked = [(each, self.busy[key]) for key, each in changing.items() if self.busy.get(key)]
        if blocked:
            names = "、".join(each.row.unit.name for each, _ in blocked[:5])
            raise RollOverRefused(
                f"{names}在{self.target}已有 {sum(n for _, n in blocked)} 份申请，班级不能再改名或撤并。"
                "请把这些班的去向选为保持原班，或先撤回这些申请。"
            )

    # --- writing

    def _rename(self) -> None:
        """Two rounds, so that 七年级1班 may become 八年级1班 while there still is one."""
        changing = [each for each in self.classes.values() if each.changes]
        self.undo["classes"] = {
            str(each.key): [each.row.unit.name, each.row.grade, each.row.stage, each.row.unit.is_active]
            for each in changing
        }
        wanted = {each.name for each in changing}
        wanted |= set(
            Enrolment.objects.filter(school=self.school, term=self.target).values_list("class_name", flat=True)
        )
        # An old class that was put out of use keeps no name that is needed again.
        for row in self.rows.values():
            if row.unit_id not in self.classes and row.unit.name in wanted:
                self.undo["classes"][str(row.unit_id)] = [row.unit.name, row.grade, row.stage, row.unit.is_active]
                each = _Class(row, self.plan.classes[0], Choice(Deed.CLOSE), "", row.grade, row.stage, is_active=False)
                each.name = _aside(row.unit.name, f"{self.year}年以前", {r.unit.name for r in self.rows.values()})
                changing.append(each)
        before = {each.key: each.row.unit.name for each in changing}
        _write_classes({each.key: (each.name, each.grade, each.stage, each.is_active) for each in changing})
        for each in changing:
            each.row.grade, each.row.stage = each.grade, each.stage
            each.row.unit.name, each.row.unit.is_active = each.name, each.is_active
        self.trail = [
            audit.Entry(
                "class.roll_over",
                each.row.unit,
                each.row.unit,
                {"deed": str(each.choice.deed), "before": before[each.key], "after": each.name},
            )
            for each in changing
        ]

    def _follow_entered(self) -> None:
        """Those entered for the target term ahead of time stay in the class of their name, whichever unit that is now.

        A roster imported before the roll-over found last year's units under this year's names.
        """
        here = Enrolment.objects.filter(school=self.school, term=self.target)
        changed = list(map(int, self.undo["classes"]))
        groups = here.filter(school_class__in=changed).values_list(
            "school_class_id", "class_name", "grade", "stage", "pk"
        )
        waiting: dict[tuple[int, str, str, str], list[UUID]] = defaultdict(list)
        for unit, name, grade, stage, key in groups.order_by("school_class__path", "class_name", "pk"):
            waiting[unit, name, grade, stage].append(key)
        by_name = {each.name: each.row.unit for each in self.classes.values() if each.goes_on}
        for (unit_key, name, grade, stage), keys in waiting.items():
            if self.rows[unit_key].unit.name == name:
                continue
            if name not in by_name:
                by_name[name] = self._open_class(name, grade, stage)
            there = by_name[name]
            _update(here, keys, school_class=there, path=there.path)
            self.undo["moved"].append([unit_key, [str(key) for key in keys]])

    def _open_class(self, name: str, grade: str, stage: str) -> Unit:
        unit = Unit.objects.create(level=Unit.Level.CLASS, name=name, parent=self.school)
        row = SchoolClass.objects.create(unit=unit, grade=grade, stage=stage)
        made = ClassPlan(unit.pk, name, grade, stage, 0, 0, 0, ((str(Deed.NEW), ""),))
        self.rows[unit.pk] = row
        self.classes[unit.pk] = _Class(row, made, Choice(Deed.NEW), name, grade, stage, is_new=True)
        self.undo["made"].append(unit.pk)
        self.trail.append(audit.Entry("class.open", unit, unit, {"grade": grade}))
        return unit

    def _enrol(self) -> None:
        on_roll = _roll(self.school, self.source).select_for_update(of=("self",)).order_by("pk")
        everybody = list(on_roll)
        there = (
            Enrolment.objects.filter(term=self.target, pupil__enrolments__in=_roll(self.school, self.source))
            .order_by("starts_on", "pk")
            .values_list("pupil_id", "school_id", "standing")
        )
        # Of two places in one term the open one says where the pupil is.
        known = {pupil: school for pupil, school, _ in sorted(there, key=lambda row: row[2] in OPEN_STANDINGS)}
        made: list[Enrolment] = []
        graduated: dict[str, list[UUID]] = {Standing.PRESENT.value: [], Standing.SUSPENDED.value: []}
        count = self.outcome.counts
        self.by_class: dict[int, Counter[str]] = defaultdict(Counter)
        for row in everybody:
            tally = self.by_class[row.school_class_id]
            goes_to = self._destination(row)
            tally["pupils"] += 1
            count["suspended"] += row.standing == Standing.SUSPENDED
            if goes_to is None:
                graduated[row.standing].append(row.pk)
                tally["graduated"] += 1
            elif row.pupil_id in known:
                where = "entered" if known[row.pupil_id] == self.school.pk else "elsewhere"
                tally[where] += 1
            else:
                made.append(self._enrolment(row, goes_to))
                tally["carried"] += 1
        Enrolment.objects.bulk_create(made, batch_size=_BATCH)
        rows = Enrolment.objects.all()
        for keys in graduated.values():
            _update(rows, keys, standing=Standing.GRADUATED, ends_on=self.source.ends_on)
        self.undo["graduated"] = {standing: [str(key) for key in keys] for standing, keys in graduated.items() if keys}
        for tally in self.by_class.values():
            count.update(tally)

    def _destination(self, row: Enrolment) -> _Class | None:
        """The class the pupil is in from now on; None for who graduates."""
        if row.school_class_id not in self.classes:
            raise RollOverRefused(f"{row.class_name}已经停用，却还有在读学生。请先为他们登记异动（调班）。")
        here = self.classes[row.school_class_id]
        if here.goes_on:
            return here
        if here.choice.deed == Deed.MERGE:
            return self.classes[here.choice.into]
        if here.choice.deed == Deed.GRADUATE and row.standing == Standing.SUSPENDED:
            # Who is away does not graduate with the class, but waits in the class that has its grade now.
            return self._class_of_grade(here.row.grade, here.row.stage)
        return None

    def _class_of_grade(self, grade: str, stage: str) -> _Class | None:
        same = [c for c in self.classes.values() if c.goes_on and (c.row.grade, c.row.stage) == (grade, stage)]
        return min(same, key=lambda each: each.row.unit.path, default=None)

    def _enrolment(self, row: Enrolment, goes_to: _Class) -> Enrolment:
        unit = goes_to.row.unit
        return Enrolment(
            pupil_id=row.pupil_id,
            term=self.target,
            school=self.school,
            school_class=unit,
            path=unit.path,
            class_name=unit.name,
            grade=goes_to.row.grade,
            stage=goes_to.row.stage,
            boarding=row.boarding,
            schooling=row.schooling,
            standing=row.standing,
            starts_on=self.target.starts_on,
            rollover=self.outcome.rollover,
        )

    # --- the report

    def _evidence(self) -> None:
        rows, carried = evidence_report(self.school, source=self.source, target=self.target)
        self.outcome.evidence = rows
        self.outcome.counts["evidence"] = len(rows)
        self.outcome.counts["evidence_carried"] = carried

    def _finish(self) -> None:
        outcome, rollover = self.outcome, self.outcome.rollover
        outcome.classes = [self._line(each) for each in self.classes.values()]
        outcome.counts["untaught"] = sum(row["is_open"] and not row["teachers"] for row in outcome.classes)
        outcome.counts["classes"] = len(outcome.classes)
        outcome.notes = list(self._notes())
        rollover.counts = dict(outcome.counts)
        rollover.report, rollover.undo = outcome.report, self.undo
        rollover.save(update_fields=["counts", "report", "undo"])
        numbers: dict[str, Any] = {
            key: outcome.counts[key] for key in ("pupils", "carried", "graduated", "entered", "elsewhere")
        }
        done_ = audit.Entry(
            "rollover.run", rollover, self.school, {"from": self.source.key, "term": self.target.key} | numbers
        )
        audit.record_all([*self.trail, done_], by=self.by)

    def _line(self, each: _Class) -> dict[str, Any]:
        tally = self.by_class[each.key]
        return {
            "unit": 0 if each.is_new else each.key,  # a trial does not know the key of a class it makes
            "name": each.plan.name,
            "after": each.row.unit.name,
            "what": self._words(each),
            "pupils": tally["pupils"],
            "carried": tally["carried"],
            "graduated": tally["graduated"],
            "entered": tally["entered"],
            "elsewhere": tally["elsewhere"],
            "teachers": list(each.plan.teachers),
            "is_open": each.goes_on,
        }

    def _words(self, each: _Class) -> str:
        if each.is_new:
            return "新学期名册已编入，新建"
        deed = each.choice.deed
        if deed == Deed.PROMOTE:
            return f"升为{each.name}"
        if deed == Deed.MERGE:
            return f"撤并，学生编入{self.classes[each.choice.into].name}"
        return {Deed.KEEP: "保持", Deed.GRADUATE: "毕业离校", Deed.CLOSE: "停用", Deed.NEW: "新班"}[deed]

    def _notes(self) -> Iterator[str]:
        counts = self.outcome.counts
        if counts["entered"]:
            yield f"{counts['entered']} 名学生已经在{self.target}的名册中，保持不变。"
        if counts["elsewhere"]:
            yield f"{counts['elsewhere']} 名学生在{self.target}已编入其他学校的名册，本校不再编入。"
        if counts["suspended"]:
            graduating = "；毕业班的休学学生不随班毕业，编入新学期同年级的班（没有这样的班时才随班毕业）"
            yield f"{counts['suspended']} 名休学学生仍为休学{graduating if self.plan.is_new_year else ''}。"
        kept = [each for each in self.classes.values() if not each.goes_on and each.is_active]
        if kept:
            names = "、".join(each.plan.name for each in kept)
            yield f"{names}还有没办完的申请，结转后仍保留班级供办理，办完后下次结转时再停用。"


def _aside(name: str, fate: str, taken: Collection[str]) -> str:
    """A name for a class that is no more: 九年级1班（2027届）, free in the school."""
    tails = (f"（{fate}）", *(f"（{fate}-{n}）" for n in range(2, 1000)))
    return next(found for tail in tails if (found := name[: _NAME_LENGTH - len(tail)] + tail) not in taken)


def _write_classes(after: Mapping[int, tuple[str, str, str, bool]]) -> None:
    """Names, grades, stages and use of classes, by their units; names may change places."""
    units = [Unit(pk=key, name=f"\N{WORD JOINER}{key}", is_active=values[3]) for key, values in after.items()]
    Unit.objects.bulk_update(units, ["name", "is_active"], batch_size=_BATCH)
    for unit in units:
        unit.name = after[unit.pk][0]
    Unit.objects.bulk_update(units, ["name"], batch_size=_BATCH)
    classes = [SchoolClass(unit_id=key, grade=values[1], stage=values[2]) for key, values in after.items()]
    SchoolClass.objects.bulk_update(classes, ["grade", "stage"], batch_size=_BATCH)


def _update(rows: QuerySet[Enrolment], keys: Iterable[Any], **values: Any) -> int:
    ordered = list(keys)
    chunks = (ordered[start : start + _BATCH] for start in range(0, len(ordered), _BATCH))
    return sum(rows.filter(pk__in=chunk).update(**values) for chunk in chunks)


# --- evidence --------------------------------------------------------------------------------------


def evidence_report(school: Unit, *, source: Term, target: Term) -> tuple[list[dict[str, Any]], int]:
    """Hardship of the target term's pupils that ends or changes, with what to do; and how many simply hold on.

    Nothing is extended here: circumstances carry their own days. Six queries at most, however many pupils.
    """
    categories = {category.pk: category for category in Category.objects.all()}
    places = dict(_roll(school, target).values_list("pupil_id", "class_name"))
    held = (
        Circumstance.objects.filter(pupil__enrolments__in=_roll(school, target), valid_from__lte=target.ends_on)
        .filter(Q(valid_to__isnull=True) | Q(valid_to__gte=source.starts_on))
        .select_related("pupil")
        .order_by("pupil__name", "pupil", "valid_from")
    )
    found, carried = [], 0
    by_pupil: dict[UUID, list[Circumstance]] = defaultdict(list)
    for circumstance in held:
        by_pupil[circumstance.pupil_id].append(circumstance)
    for rows in by_pupil.values():
        for circumstance in rows:
            category = categories[circumstance.category_id]
            if _is_replaced(circumstance, rows, category, target):
                continue
            answer = _evidence_of(circumstance, category, categories, target)
            if answer is None:
                carried += 1
            else:
                found.append(_evidence_line(circumstance, category, places[circumstance.pupil_id], answer))
    return sorted(found, key=lambda row: (row["class_name"], row["name"])), carried


def _is_replaced(circumstance: Circumstance, rows: Iterable[Circumstance], category: Category, target: Term) -> bool:
    """Whether one that has ended was recorded anew: its kind, or the kind that took its place."""
    if circumstance.valid_to is None or circumstance.valid_to >= target.starts_on:
        return False
    kinds = {category.pk, category.maps_to_id}
    return any(row.category_id in kinds and _covers(row, target.starts_on) for row in rows)


def _evidence_of(
    circumstance: Circumstance, category: Category, categories: Mapping[int, Category], target: Term
) -> tuple[str, str] | None:
    """What happens to one circumstance and what to do about it; None where it simply holds on."""
    first, last = target.starts_on, target.ends_on
    if circumstance.valid_to and circumstance.valid_to < first:
        until = cn_date(circumstance.valid_to)
        what = f"{until}到期" if circumstance.valid_to < clock.today() else f"新学期开始前到期（{until}）"
        return what, "请核实现在的情况；仍符合的，登记新的证明和日期。"
    now = register.kind_on(category, categories, first)
    if circumstance.valid_from <= first and now is None:
        return "这一类别已取消，没有对应的新类别", "请核实是否符合其他类别，符合的另行登记。"
    if now is not None and now.pk != category.pk:
        return f"类别已改为“{now.name}”", f"按“{now.name}”计算；请核实家庭现在的类别。"
    if circumstance.valid_to and circumstance.valid_to <= last:
        return f"新学期内到期（{cn_date(circumstance.valid_to)}）", "到期前核实；申请要在到期前提交。"
    if category.valid_to and category.valid_to <= last:
        instead = f"，之后对应“{categories[category.maps_to_id].name}”" if category.maps_to_id else ""
        return f"类别在新学期内取消（{cn_date(category.valid_to)}）{instead}", "到期前核实并登记现在的类别。"
    return None


def _covers(circumstance: Circumstance, on: dt.date) -> bool:
    return circumstance.valid_from <= on and (circumstance.valid_to is None or circumstance.valid_to >= on)


def _evidence_line(
    circumstance: Circumstance, category: Category, class_name: str, answer: tuple[str, str]
) -> dict[str, Any]:
    what, remedy = answer
    return {
        "pupil": str(circumstance.pupil_id),
        "name": circumstance.pupil.name,
        "class_name": class_name,
        "kind": category.name,
        "until": circumstance.valid_to.isoformat() if circumstance.valid_to else "",
        "what": what,
        "remedy": remedy,
    }


# --- changes between the roll-over and the new term --------------------------------------------------


def keep_up(place: Enrolment, *, is_moved: bool) -> None:
    """Let the pupil's place in a term rolled over already follow a change recorded in the term before it.

    `is_moved`: the change put the pupil into another class. Who has left is on the new term's roll no more. Call in
    the transaction of the change.
    """
    ahead = Enrolment.objects.filter(pupil=place.pupil_id, school=place.school_id, term__key__gt=place.term.key)
    for later in register.open_only(ahead).filter(rollover__isnull=False).select_related("term"):
        if place.standing not in OPEN_STANDINGS:
            _leave(later, place)
            continue
        _follow(later, place, is_moved=is_moved)
        later.save()


def schools_ahead(term: Term) -> set[int]:
    """Schools that were rolled over into a term after this one: their pupils have a place there already."""
    rows = RollOver.objects.filter(state=RollOver.State.DONE, target__key__gt=term.key)
    return set(rows.values_list("school_id", flat=True))


def keep_up_all(places: Mapping[UUID, Enrolment], *, moved: Collection[UUID]) -> None:
    """The same for many pupils still on the roll, by their keys: all of one term, those `moved` in another class.

    Their enrolments come with `school_class__school_class`.
    """
    ahead = Enrolment.objects.filter(rollover__isnull=False).select_related("term")
    for some in pieces(places, _BATCH):
        term = places[some[0]].term
        rows = list(register.open_only(ahead.filter(pupil__in=some, term__key__gt=term.key)))
        rows = [row for row in rows if row.school_id == places[row.pupil_id].school_id]
        names: dict[tuple[int, int], Enrolment] = {}
        for later in rows:
            _follow(later, places[later.pupil_id], is_moved=later.pupil_id in moved, names=names)
        Enrolment.objects.bulk_update(
            rows, ["standing", "boarding", "schooling", "school_class", "path", "class_name", "grade", "stage"]
        )


def _follow(
    later: Enrolment, place: Enrolment, *, is_moved: bool, names: dict[tuple[int, int], Enrolment] | None = None
) -> None:
    """Fill in what the later place takes over; `names` keeps what classes are called in which term."""
    later.standing, later.boarding, later.schooling = place.standing, place.boarding, place.schooling
    if not is_moved or not place.school_class.is_active:
        return
    unit = place.school_class
    later.school_class, later.path = unit, unit.path
    known = names.get((later.term_id, unit.pk)) if names is not None else None
    if known is not None:
        later.class_name, later.grade, later.stage = known.class_name, known.grade, known.stage
        return
    later.class_name, later.grade, later.stage = unit.name, unit.school_class.grade, unit.school_class.stage
    register.as_in_term(later)
    if names is not None:
        names[later.term_id, unit.pk] = later


def _leave(later: Enrolment, place: Enrolment) -> None:
    try:
        with transaction.atomic():
            later.delete()
    except models.ProtectedError:  # an application rests on it already
        later.standing, later.ends_on = place.standing, place.ends_on
        later.save(update_fields=["standing", "ends_on"])


def enter_too(place: Enrolment) -> None:
    """A pupil taken in after the school was rolled over is on the new term's roll as well, in the same class."""
    made = RollOver.objects.filter(school=place.school_id, state=RollOver.State.DONE, target__key__gt=place.term.key)
    school_class = place.school_class.school_class
    for row in made.select_related("target"):
        on_roll = register.open_only(Enrolment.objects.filter(pupil=place.pupil_id, term=row.target))
        if place.school_class.is_active and not on_roll.exists():
            there = register.begin(
                place.pupil,
                term=row.target,
                school_class=school_class,
                boarding=place.boarding,
                schooling=place.schooling,
            )
            there.rollover = row
            register.as_in_term(there).save(force_insert=True)


# --- taking it back --------------------------------------------------------------------------------


def obstacles(rollover: RollOver) -> list[str]:
    """What the register says against undoing, a sentence each; nothing when it may be undone."""
    school, since = rollover.school, rollover.done_at
    found = []
    later = RollOver.objects.filter(school=school, state=RollOver.State.DONE, target__key__gt=rollover.target.key)
    if row := later.select_related("target").first():
        found.append(f"之后又结转到了{row.target}，请先撤销那一次。")
    states = RosterImport.State
    rosters = RosterImport.objects.filter(term=rollover.target, unit__in=[school.pk, county_key(school)])
    if rosters.filter(Q(state=states.APPLIED, applied_at__gte=since) | Q(state=states.APPLYING)).exists():
        found.append(f"结转后已导入过{rollover.target}的名册。")
    changes = StatusChange.objects.filter(
        enrolment__school=school, enrolment__term__in=[rollover.source_id, rollover.target_id], at__gte=since
    )
    if n := changes.count():
        found.append(f"结转后登记了 {n} 次异动。")
    confirmed = ChangeConfirmation.objects.filter(school_class__parent=school, term=rollover.target)
    if n := confirmed.filter(confirmed_at__gte=since).count():
        found.append(f"{n} 个班已确认{rollover.target}的异动。")
    return found


def undo(rollover: RollOver, *, by: User) -> RollOver:
    """Put the school's register back as it was. Raises RollOverRefused with all that stands in the way.

    Call it through subsidies.rollovers.undo, which looks after the applications.
    """
    access.require(by, Permission.ROLL_OVER, rollover.school)
    with transaction.atomic():
        Unit.objects.select_for_update(no_key=True).get(pk=county_key(rollover.school))
        rollover = (
            RollOver.objects.select_for_update(of=("self",))
            .select_related("school", "source", "target")
            .get(pk=rollover.pk)
        )
        if rollover.state != RollOver.State.DONE:
            raise RollOverRefused("这次结转已经撤销。")
        if against := obstacles(rollover):
            raise RollOverRefused("不能撤销：" + "".join(against))
        try:
            _take_back(rollover)
        except (models.ProtectedError, IntegrityError):
            raise RollOverRefused(
                "不能撤销：结转后的班级或名册已经有人使用（例如新班已任命班主任）。请先结束这些再撤销。"
            ) from None
        rollover.state, rollover.undone_at, rollover.undone_by = RollOver.State.UNDONE, clock.now(), by
        rollover.save(update_fields=["state", "undone_at", "undone_by"])
        audit.record("rollover.undo", rollover, by=by, unit=rollover.school, term=rollover.target.key)
    return rollover


def _take_back(rollover: RollOver) -> None:
    kept = rollover.undo
    rollover.enrolments.all().delete()
    rows = Enrolment.objects.all()
    for standing, keys in kept["graduated"].items():
        back = _update(rows.filter(standing=Standing.GRADUATED), keys, standing=standing, ends_on=None)
        if back != len(keys):
            raise RollOverRefused("不能撤销：结转后有毕业学生的在读情况被另行更改。")
    paths = dict(Unit.objects.filter(parent=rollover.school).values_list("pk", "path"))
    for unit, keys in kept["moved"]:
        _update(rows, keys, school_class_id=unit, path=paths[unit])
    SchoolClass.objects.filter(unit__in=kept["made"]).delete()
    Unit.objects.filter(pk__in=kept["made"]).delete()
    _write_classes({int(key): tuple(values) for key, values in kept["classes"].items()})
