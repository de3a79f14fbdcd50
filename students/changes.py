"""异动, the register's part: which change is allowed now, and what it does to the enrolment.

Nothing here is called by a page alone: `subsidies.changes.record` shows and applies what a change does to the
pupil's applications, and calls `lock`, `check` and `write` inside its transaction. Who follows what the design
says and what the law does: the kinds and their names are those of the national roll; that a suspended pupil
comes back before being transferred is the rule of most provinces' roll regulations (休学期间不办理转学); that a
change of class is written into the one enrolment, while a change of school opens a second, is ours.
"""

import datetime as dt
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from accounts import access, audit, clock, scopes
from accounts.models import Unit, User
from accounts.redaction import refuse_numbers
from accounts.roles import Permission

from . import cases, rollovers, terms
from . import enrolment as places
from .grades import NEXT, Grade, next_grades
from .models import (
    OPEN_STANDINGS,
    Boarding,
    ChangeReport,
    Enrolment,
    Pupil,
    School,
    SchoolClass,
    Schooling,
    Stage,
    Standing,
    StatusChange,
    Term,
)
from .table_writing import by_column, insert, pieces, update

Kind = StatusChange.Kind
P = Permission

PLACE_MAX = 60

# What may happen to somebody in this standing.
ALLOWED: dict[str, tuple[Kind, ...]] = {
    Standing.PRESENT: (
        Kind.BOARDING,
        Kind.SCHOOLING,
        Kind.HOUSEHOLD,
        Kind.CHANGE_CLASS,
        Kind.TRANSFER_OUT,
        Kind.SUSPEND,
        Kind.WITHDRAW,
        Kind.GRADUATE,
        Kind.DECEASE,
    ),
    Standing.SUSPENDED: (Kind.RETURN, Kind.WITHDRAW, Kind.DECEASE),
}
# Kinds that end the enrolment, with the standing it ends in.
ENDING: dict[str, Standing] = {
    Kind.TRANSFER_OUT: Standing.TRANSFERRED,
    Kind.WITHDRAW: Standing.WITHDRAWN,
    Kind.GRADUATE: Standing.GRADUATED,
    Kind.DECEASE: Standing.DECEASED,
}
# What the class teacher may record too: nobody comes or goes by it.
OF_CLASS = (Kind.BOARDING, Kind.SCHOOLING, Kind.HOUSEHOLD)
# These say nothing of where the pupil is: a change of that may have happened before them and be recorded after.
_ELSEWHERE = (Kind.HOUSEHOLD, Kind.UNIT)
# After these the pupil may be taken in again; nobody comes back from the other two.
_MAY_COME = (Standing.TRANSFERRED, Standing.WITHDRAWN, Standing.GRADUATED)
NEEDS_REASON = (Kind.SUSPEND, Kind.WITHDRAW)
# What an enrolment holds of its class.
CLASS_FIELDS = ("school_class", "path", "class_name", "grade", "stage")
_CLASS_COLUMNS = ("school_class_id", *CLASS_FIELDS[1:])
_AT_ONCE = 900  # keys in one query
_REGION = re.compile(r"[1-9][0-9]{5}")


class ChangeRefused(ValidationError):
    """The change is not possible now; the sentence says why and what to do."""


@dataclass(frozen=True)
class Request:
    """What somebody wants to record. `place` is the pupil's enrolment of the term, None for a transfer in.

    A transfer out names a school of the county (`to_school`) or a place outside (`to_place`). With `school_class`
    as well, a class of that school, the pupil is taken in there in the same step (the county's way).
    """

    kind: Kind
    pupil: Pupil
    on: dt.date
    reason: str = ""
    school_class: SchoolClass | None = None  # CHANGE_CLASS, RETURN, TRANSFER_IN: the class the pupil comes to
    boarding: str = ""  # BOARDING, and for a pupil who is taken in
    schooling: str = ""  # SCHOOLING
    registration: str = ""  # HOUSEHOLD: 户口性质, and six digits of where it is registered; "": not known
    region: str = ""
    to_school: Unit | None = None
    to_place: str = ""

    @property
    def takes_in(self) -> bool:
        return self.kind == Kind.TRANSFER_IN or (self.kind == Kind.TRANSFER_OUT and self.school_class is not None)


# --- who and what may be changed ------------------------------------------------------------------------


def place_of(pupil: Pupil) -> Enrolment | None:
    """The pupil's open enrolment of the present term, which is the one that can change; None without one."""
    rows = Enrolment.objects.filter(pupil=pupil, term=terms.current(), standing__in=OPEN_STANDINGS)
    return rows.select_related("pupil", "term", "school", "school_class__school_class").first()


def kinds_for(place: Enrolment, *, by: User) -> list[Kind]:
    """What this person may record about the enrolment now, in the order of the page."""
    allowed = [kind for kind in ALLOWED.get(place.standing, ()) if not why_not(kind, place)]
    if scopes.allows(by, P.RECORD_CHANGES, place.school_class):
        return allowed
    if scopes.allows(by, P.EDIT_PUPILS, place.school_class):
        return [kind for kind in allowed if kind in OF_CLASS]
    return []


def why_not(kind: Kind, place: Enrolment) -> str:
    """Why this cannot happen to the pupil now, and what to do instead; "" when it can."""
    if kind not in ALLOWED.get(place.standing, ()):
        if place.standing == Standing.SUSPENDED:
            return f"学生正在休学，不能办理{kind.label}；请先办理复学。"
        return f"学生现在是{place.get_standing_display()}，不能办理{kind.label}。"
    if kind == Kind.GRADUATE and not _is_last_grade(place):
        return (
            f"{place.grade}不是{place.get_stage_display()}的毕业年级，不能办理毕业。"
            "转到别的学校请办理转出，不再就读请办理退学。"
        )
    return ""


def _is_last_grade(place: Enrolment) -> bool:
    """Whether a stage may end with the grade at this school; of a grade nobody knows it is not denied."""
    after = next_grades(Grade(place.grade, place.stage))
    within = [grade.name for grade in after if grade.stage == place.stage]
    if not within or len(within) == len(after):
        return not within
    # 五年级: the last of primary school where the school keeps 五四学制.
    here = SchoolClass.objects.filter(unit__parent=place.school_id, unit__is_active=True)
    return not here.filter(stage=place.stage, grade__in=within).exists()


def schools_for(place: Enrolment) -> QuerySet[Unit]:
    """The other schools of the county that have a stage the pupil can go to, in order."""
    stages = _stages_for(place)
    county = School.objects.filter(unit__parent=place.school.parent_id, unit__is_active=True)
    fitting = [key for key, taught in county.order_by().values_list("pk", "stages") if stages & set(taught)]
    rows = Unit.objects.filter(pk__in=fitting, level=Unit.Level.SCHOOL)
    return rows.exclude(pk=place.school_id).order_by("path")


# What a pupil of a stage may go on to; 普通高中 and 中职 are beside each other.
_UPPER = (Stage.SENIOR, Stage.VOCATIONAL)
_STAGES_NEXT: dict[str, tuple[str, ...]] = {
    Stage.PRESCHOOL: (Stage.PRESCHOOL, Stage.PRIMARY),
    Stage.PRIMARY: (Stage.PRIMARY, Stage.JUNIOR),
    Stage.JUNIOR: (Stage.JUNIOR, *_UPPER),
    Stage.SENIOR: _UPPER,
    Stage.VOCATIONAL: _UPPER,
}


def _stages_for(place: Enrolment) -> set[str]:
    """The pupil's stage and the next; and those of this term, for a transfer that has to be put right."""
    # 六年级 belongs to primary school here and to junior school there.
    alike = {grade.stage for grade in NEXT if grade.name == place.grade}
    had = Enrolment.objects.filter(pupil=place.pupil_id, term=place.term_id).order_by().values_list("stage", flat=True)
    return {*_STAGES_NEXT[place.stage], *alike, *had}


def visible_to(user: User) -> QuerySet[StatusChange]:
    """Changes that happened in a class within the person's reach."""
    rows = StatusChange.objects.select_related("pupil", "enrolment__school", "term", "by")
    return scopes.within(rows, user, P.VIEW_PUPILS, unit="")


def history(pupil: Pupil, user: User) -> list[StatusChange]:
    """The pupil's changes that happened within the person's reach, newest first."""
    return list(visible_to(user).filter(pupil=pupil))


# --- taking somebody in ---------------------------------------------------------------------------------


def find_newcomer(county: Unit, pupil: Pupil | None, *, by: User) -> Pupil:
    """The pupil, if they can be taken in by another school of the county now.

    Raises ChangeRefused for somebody unknown, still enrolled, or deceased. Nothing in the answer tells where
    the pupil was or is: that is the county's knowledge.
    """
    if pupil is None or pupil.county_id != county.pk:
        raise ChangeRefused("本县名册里没有这个证件号和姓名。请核对；从县外新来的学生，请用名册导入登记。")
    _refuse_if_still_enrolled(pupil, by=by)
    return pupil


def _refuse_if_still_enrolled(pupil: Pupil, *, by: User) -> None:
    last = _last_place(pupil)
    # Open in a term that is over: the county may know that the old school simply never closed it.
    left_open = last is not None and last.ends_on is None and not scopes.allows(by, P.RECORD_CHANGES, pupil.county)
    if place_of(pupil) is not None or left_open:
        raise ChangeRefused("这名学生在本县仍有在读登记，不能转入。请让原学校先办理转出，或请县资助中心一并办理转学。")
    if last is not None and last.standing not in (*_MAY_COME, *OPEN_STANDINGS):
        raise ChangeRefused("按登记情况，这名学生不能转入。请向县资助中心核实。")


def _last_place(pupil: Pupil) -> Enrolment | None:
    return Enrolment.objects.filter(pupil=pupil).order_by("-term__key", "-starts_on").first()


# --- checking -------------------------------------------------------------------------------------------


def lock(request: Request) -> Enrolment | None:
    """The enrolment to be changed, fresh and locked until the transaction ends; None for a transfer in.

    All of the pupil's enrolments of the term are locked, so that two changes of one pupil follow one another.
    """
    rows = Enrolment.objects.select_for_update(of=("self",)).filter(pupil=request.pupil, term=terms.current())
    list(rows.order_by("pk"))
    return None if request.kind == Kind.TRANSFER_IN else place_of(request.pupil)


def check(request: Request, place: Enrolment | None, *, by: User) -> None:
    """Refuse what cannot be recorded: PermissionDenied for who, ValidationError (by field) for what and when."""
    term = terms.current()
    if term is None:
        raise ChangeRefused("还没有登记学期，不能办理异动。")
    _check_text(request)
    if request.on > clock.today():
        raise ChangeRefused({"on": "发生日期不能晚于今天；还没有发生的异动，到时再登记。"})
    if request.kind == Kind.TRANSFER_IN:
        _check_arrival(request, term, by=by)
        return
    if place is None:
        raise ChangeRefused("这名学生本学期没有在读登记，或刚刚已由他人登记离校，请刷新页面。")
    needed = P.RECORD_CHANGES
    if request.kind in OF_CLASS and not scopes.allows(by, P.RECORD_CHANGES, place.school_class):
        needed = P.EDIT_PUPILS
    access.require(by, needed, place.school_class)
    if refusal := why_not(request.kind, place):
        raise ChangeRefused(refusal)
    _check_day(request, place)
    _check_target(request, place, by=by)


def _check_text(request: Request) -> None:
    if request.kind in NEEDS_REASON and not request.reason.strip():
        raise ChangeRefused({"reason": f"{request.kind.label}要写明原因。"})
    for field in ("reason", "to_place"):
        try:
            refuse_numbers(getattr(request, field))
        except ValidationError as found:
            raise ChangeRefused({field: found.messages}) from None
    if len(request.to_place) > PLACE_MAX:
        raise ChangeRefused({"to_place": f"去向不超过 {PLACE_MAX} 个字。"})


def _check_day(request: Request, place: Enrolment) -> None:
    if request.on < place.starts_on:
        raise ChangeRefused({"on": f"发生日期不能早于学生到这里就读的日期（{place.starts_on:%Y-%m-%d}）。"})
    last = place.changes.exclude(kind__in=_ELSEWHERE).order_by("-on", "-at").first()
    if last is not None and request.on < last.on:
        raise ChangeRefused({"on": f"{last.on:%Y-%m-%d} 已登记{last.get_kind_display()}，新的异动不能早于这一天。"})


def _check_target(request: Request, place: Enrolment, *, by: User) -> None:
    target = request.school_class.unit if request.school_class else None
    match request.kind:
        case Kind.CHANGE_CLASS | Kind.RETURN:
            if target is None or not target.is_active or target.parent_id != place.school_id:
                raise ChangeRefused({"school_class": "请选择本校的班级。"})
            if request.kind == Kind.CHANGE_CLASS and target.pk == place.school_class_id:
                raise ChangeRefused({"school_class": f"学生现在就在{place.class_name}，请选择另一个班。"})
        case Kind.BOARDING:
            if request.boarding not in Boarding.values:
                raise ChangeRefused({"boarding": "就读方式只能是寄宿、半寄宿或走读。"})
            if request.boarding == place.boarding:
                raise ChangeRefused({"boarding": f"现在已经登记为{place.get_boarding_display()}，没有变化。"})
        case Kind.SCHOOLING:
            if request.schooling not in Schooling.values:
                raise ChangeRefused({"schooling": "就学方式只能是普通教育或特殊教育。"})
            if request.schooling == place.schooling:
                raise ChangeRefused({"schooling": f"现在已经登记为{place.get_schooling_display()}，没有变化。"})
        case Kind.HOUSEHOLD:
            _check_household(request, place.pupil)
        case Kind.TRANSFER_OUT:
            _check_destination(request, place, by=by)


def _check_household(request: Request, pupil: Pupil) -> None:
    if request.registration not in ("", *Pupil.Registration.values):
        raise ChangeRefused({"registration": "户口性质只能是农村或城市，还不清楚的选“没有登记”。"})
    if request.region and not _REGION.fullmatch(request.region):
        raise ChangeRefused({"region": "行政区划代码是 6 位数字，例如 530103。"})
    if (request.registration, request.region) == (pupil.registration, pupil.region):
        raise ChangeRefused("户口性质和户籍所在地与现在登记的相同，没有变化。")


def _check_destination(request: Request, place: Enrolment, *, by: User) -> None:
    if bool(request.to_school) == bool(request.to_place.strip()):
        raise ChangeRefused({"to_school": "转到本县学校的选学校，转到县外的写明去向；两项填一项。"})
    if request.to_school is None:
        return
    there = request.to_school
    if there.level != Unit.Level.SCHOOL or not there.is_active or there.parent_id != place.school.parent_id:
        raise ChangeRefused({"to_school": "请选择本县的学校。"})
    if there.pk == place.school_id:
        raise ChangeRefused({"to_school": f"学生现在就在{there}；在本校换班请办理调班。"})
    stages = _stages_for(place)
    if not stages & set(there.school.stages):
        raise ChangeRefused(
            {"to_school": f"{there}没有{place.class_name}学生能读的学段。请选择有{place.get_stage_display()}的学校。"}
        )
    if request.school_class is not None:
        if request.school_class.unit.parent_id != there.pk:
            raise ChangeRefused({"school_class": f"请选择{there}的班级。"})
        if request.school_class.stage not in stages:
            raise ChangeRefused({"school_class": f"{place.class_name}的学生不能转到这个学段的班级，请重新选择。"})
        _check_class(request, by=by)


def _check_arrival(request: Request, term: Term, *, by: User) -> None:
    _check_class(request, by=by)
    _refuse_if_still_enrolled(request.pupil, by=by)
    last = _last_place(request.pupil)
    order = list(Stage.values)
    assert request.school_class is not None  # checked
    # Years may have passed since: how far up is not ours to say, but nobody goes down a school.
    if last and order.index(request.school_class.stage) < min(map(order.index, _stages_for(last))):
        raise ChangeRefused(
            {"school_class": "按登记情况，这名学生已读过更高的学段。请核对班级；确实要转入的，请向县资助中心核实。"}
        )
    begins = max(filter(None, [term.starts_on, last.ends_on if last else None]))
    if request.on < begins:
        raise ChangeRefused({"on": "到校日期不能早于本学期开始的日期，也不能早于学生离开原学校的日期。"})


def _check_class(request: Request, *, by: User) -> None:
    target = request.school_class
    if target is None or not target.unit.is_active:
        raise ChangeRefused({"school_class": "请选择班级。"})
    access.require(by, P.RECORD_CHANGES, target.unit)
    if not request.pupil.county.contains(target.unit):
        raise ChangeRefused({"school_class": "请选择本县的班级。"})
    if request.boarding not in Boarding.values:
        raise ChangeRefused({"boarding": "请选择寄宿、半寄宿或走读。"})


# --- writing --------------------------------------------------------------------------------------------


def write(request: Request, place: Enrolment | None, *, by: User) -> list[StatusChange]:
    """Write the checked change into the register: one row, or two (out, in) when the county does both.

    Call with the enrolment of `lock`, after `check`, in the same transaction. Raises ChangeRefused when somebody
    else enrolled the pupil at this moment.
    """
    written = [] if place is None else [_change(request, place, by=by)]
    if request.takes_in:
        written.append(_take_in(request, by=by))
    for change in written:
        audit.record_all([entry_of(change)], by=by)
    return written


def entry_of(change: StatusChange) -> audit.Entry:
    """What the trail says of a change: for a fact of the pupil or the class also what it was and what it is."""
    detail: dict[str, Any] = {"change": change.get_kind_display(), "on": change.on}
    if told := fact_of(change):
        detail |= {"was": told[0], "after": told[1]}
    return audit.Entry("pupil.status_change", change, change.enrolment.school_class, detail)


def _change(request: Request, place: Enrolment, *, by: User) -> StatusChange:
    change = _turn(place, request.kind, request.on, _target(request, place), by=by)
    if request.kind == Kind.HOUSEHOLD:
        _change_household(change, request)
    if request.kind == Kind.TRANSFER_OUT:
        there = request.to_school
        change.after |= {"to": there.name, "to_school": there.pk} if there else {"to": request.to_place.strip()}
    change.reason = request.reason.strip()
    place.save()
    rollovers.keep_up(place, is_moved=request.kind in (Kind.RETURN, Kind.CHANGE_CLASS))
    open_reports = ChangeReport.objects.filter(enrolment=place, state=ChangeReport.State.OPEN)
    open_reports.update(state=ChangeReport.State.RECORDED, settled_at=change.at, settled_by=by)
    change.save(force_insert=True)
    return change


def _change_household(change: StatusChange, request: Request) -> None:
    """What the pupil's household is registered as stands with the pupil, not with the place."""
    pupil = Pupil.objects.select_for_update(of=("self",)).get(pk=change.pupil_id)
    change.before |= _household_words(pupil)
    pupil.registration, pupil.region = request.registration, request.region
    pupil.save(update_fields=["registration", "region"])
    change.after |= _household_words(pupil)


def _household_words(pupil: Pupil) -> dict[str, str]:
    return {
        "registration": pupil.registration,
        "registration_label": pupil.get_registration_display(),
        "region": pupil.region,
    }


def _target(request: Request, place: Enrolment) -> dict[str, Any]:
    """What becomes of the enrolment, by field."""
    if ending := ENDING.get(request.kind):
        return {"standing": ending, "ends_on": request.on}
    match request.kind:
        case Kind.SUSPEND:
            return {"standing": Standing.SUSPENDED}
        case Kind.RETURN | Kind.CHANGE_CLASS:
            return {"standing": Standing.PRESENT, **_class_fields(place, request.school_class)}
        case Kind.SCHOOLING:
            return {"schooling": request.schooling}
        case Kind.HOUSEHOLD:
            return {}
    assert request.kind == Kind.BOARDING
    return {"boarding": request.boarding}


def _turn(place: Enrolment, kind: Kind, on: dt.date, target: Mapping[str, Any], *, by: User) -> StatusChange:
    """Change the enrolment and say so in a row; both are still to be saved. One desk and one roster alike."""
    change = StatusChange(
        pupil_id=place.pupil_id,
        enrolment=place,
        term_id=place.term_id,
        path=place.path,
        kind=kind,
        on=on,
        before=_words(place),
        at=clock.now(),
        by=by,
    )
    for name, value in target.items():
        setattr(place, name, value)
    change.after = _words(place)
    return change


def _take_in(request: Request, *, by: User) -> StatusChange:
    assert request.school_class is not None  # checked
    term = terms.current()
    assert term is not None  # checked
    last = _last_place(request.pupil)
    place = places.as_in_term(
        places.begin(
            request.pupil,
            term=term,
            school_class=request.school_class,
            boarding=request.boarding,
            # Of the pupil, not of the school that was left: whoever takes in is not asked, and can change it.
            schooling=last.schooling if last else Schooling.ORDINARY,
            starts_on=request.on,
        )
    )
    try:
        with transaction.atomic():
            place.save(force_insert=True)
    except IntegrityError:
        raise ChangeRefused("这名学生刚刚已由他人登记转入，请刷新页面。") from None
    rollovers.enter_too(place)
    reason = request.reason.strip() if request.kind == Kind.TRANSFER_IN else ""
    change = _arrival(place, request.on, reason=reason, by=by)
    change.save(force_insert=True)
    return change


def _arrival(place: Enrolment, on: dt.date, *, reason: str, by: User) -> StatusChange:
    return StatusChange(
        pupil_id=place.pupil_id,
        enrolment=place,
        result=place,
        term_id=place.term_id,
        path=place.path,
        kind=Kind.TRANSFER_IN,
        on=on,
        before={},
        after=_words(place),
        reason=reason,
        at=clock.now(),
        by=by,
    )


def _class_fields(place: Enrolment, school_class: SchoolClass | None) -> dict[str, Any]:
    assert school_class is not None  # checked
    fresh = places.as_in_term(
        places.begin(
            place.pupil,
            term=place.term,
            school_class=school_class,
            boarding=place.boarding,
            schooling=place.schooling,
        )
    )
    return {name: getattr(fresh, name) for name in CLASS_FIELDS}


def _words(place: Enrolment) -> dict[str, Any]:
    return {
        "standing": place.standing,
        "standing_label": place.get_standing_display(),
        "class_name": place.class_name,
        "boarding": place.boarding,
        "boarding_label": place.get_boarding_display(),
        "schooling": place.schooling,
        "schooling_label": place.get_schooling_display(),
    }


def note_unit(touched: Iterable[Enrolment], *, before: str, after: str, by: User) -> dict[UUID, StatusChange]:
    """A row for each of the places whose class or school was corrected today, by their keys; `before`, `after`: words.

    The correction itself is in the trail: here stands what it meant for these pupils.
    """
    written = {}
    for place in touched:
        change = _turn(place, Kind.UNIT, clock.today(), {}, by=by)
        change.before |= {"told": before}
        change.after |= {"told": after}
        written[place.pk] = change
    for some in pieces(list(written.values()), _AT_ONCE):
        _insert(some)
    return written


# --- what a roster brings -------------------------------------------------------------------------------

FROM_ROSTER = "名册导入"


class Overtaken(ValidationError):
    """Between comparing and writing somebody changed one of these pupils, or filed an application for one."""


@dataclass(frozen=True)
class Facts:
    """What a change of an enrolment must not contradict, read before a roster is compared in detail."""

    enrolment: UUID
    starts_on: dt.date
    last_change: dt.date | None = None


@dataclass(frozen=True)
class Listed:
    """A pupil whom a roster has in another class, or boarding where the register has them as a day pupil.

    `before` is (class, boarding) as compared; `fields` what the enrolment gets for its class, empty where that
    stays; `boarding` is "" where that stays. Without `on` the pupil's time here has not begun: a plan is mended
    and nothing has changed on a day.
    """

    enrolment: UUID
    pupil: UUID
    before: tuple[int, str]
    fields: Mapping[str, Any]  # by attname: school_class_id, path, class_name, grade, stage
    boarding: str
    on: dt.date | None


def facts_of(term: Term, pupils: Iterable[UUID]) -> dict[UUID, Facts]:
    """Of the pupils' open enrolments in the term, by pupil; two queries for some hundred of them."""
    found: dict[UUID, Facts] = {}
    for some in pieces(sorted(pupils), _AT_ONCE):
        rows = places.open_only(Enrolment.objects.filter(term=term, pupil__in=some)).order_by()
        last = dict(
            StatusChange.objects.filter(term=term, pupil__in=some)
            .exclude(kind__in=_ELSEWHERE)
            .order_by()
            .values_list("enrolment")
            .annotate(last=Max("on"))
        )
        for pupil, key, starts_on in rows.values_list("pupil_id", "pk", "starts_on"):
            found[pupil] = Facts(key, starts_on, last.get(key))
    return found


def write_listed(listed: Sequence[Listed], *, term: Term, by: User) -> list[StatusChange]:
    """Write what a roster changes of class and boarding, in bulk: enrolments, dated rows, and what follows them.

    In the caller's transaction, for pupils without a case; the caller keeps the trail. Raises Overtaken when a
    pupil is no longer where they were when the roster was compared, or has a case by now.
    """
    held = _hold(listed, term)
    changes: list[StatusChange] = []
    columns: dict[UUID, tuple[Any, ...]] = {}
    for each in listed:
        place = held[each.enrolment]
        steps = [(Kind.CHANGE_CLASS, each.fields), (Kind.BOARDING, {"boarding": each.boarding or place.boarding})]
        for kind, target in steps:
            if any(getattr(place, name) != value for name, value in target.items()):
                change = _turn(place, kind, each.on or term.starts_on, target, by=by)
                change.reason = FROM_ROSTER
                if each.on is not None:
                    changes.append(change)
        columns[place.pk] = tuple(getattr(place, name) for name in (*_CLASS_COLUMNS, "boarding"))
    update(Enrolment, (*CLASS_FIELDS, "boarding"), ((key, *values) for key, values in columns.items()))
    _insert(changes)
    _settle_reports(changes, by=by)
    moved = {each.pupil for each in listed if each.fields}
    _let_follow(held, moved)
    return changes


def _hold(listed: Sequence[Listed], term: Term) -> dict[UUID, Enrolment]:
    """The enrolments locked, in key order as everybody locks them, and still as they were compared."""
    held: dict[UUID, Enrolment] = {}
    for keys in pieces(sorted(each.enrolment for each in listed), _AT_ONCE):
        rows = Enrolment.objects.select_for_update(of=("self",)).filter(pk__in=keys).order_by("pk")
        held |= {row.pk: row for row in rows}
    for each in listed:
        place = held.get(each.enrolment)
        if (
            place is None
            or place.standing != Standing.PRESENT
            or (place.school_class_id, place.boarding) != each.before
        ):
            raise _overtaken()
    # Places before applications: nobody files one for these pupils while their places are held.
    if cases.standing(term, {each.pupil for each in listed}):
        raise _overtaken()
    return held


def _overtaken() -> Overtaken:
    return Overtaken("导入时有人正在办理其中学生的异动或申请，没有写入任何一行。请稍后再点“导入”。")


def note_arrivals(arrived: Mapping[UUID, dt.date], *, term: Term, by: User) -> list[StatusChange]:
    """A dated row for each pupil of the roster who comes from elsewhere: key of the new enrolment → first day here.

    Raises Overtaken when one of them has a case by now, which the desk of 异动 has to bring along.
    """
    changes = []
    for keys in pieces(sorted(arrived), _AT_ONCE):
        for place in Enrolment.objects.filter(pk__in=keys).select_related("pupil", "school_class__school_class"):
            changes.append(_arrival(place, arrived[place.pk], reason=FROM_ROSTER, by=by))
    if cases.standing(term, {change.pupil_id for change in changes}):
        raise _overtaken()
    _insert(changes)
    return changes


def enter_ahead(entered: Iterable[UUID], term: Term) -> None:
    """Places a roster makes at schools that were rolled over already: their pupils are on the next roll too.

    Not of a term that is over: who is here now is not for an old roster to say.
    """
    present = terms.current()
    made = rollovers.schools_ahead(term) if present is None or term.key >= present.key else set()
    if not made:
        return
    for keys in pieces(sorted(entered), _AT_ONCE):
        rows = Enrolment.objects.filter(pk__in=keys, school__in=made)
        for place in rows.select_related("pupil", "term", "school_class__school_class"):
            rollovers.enter_too(place)


def _insert(changes: Sequence[StatusChange]) -> None:
    names = [field.attname for field in StatusChange._meta.concrete_fields]
    insert(StatusChange, by_column(names, ([getattr(each, name) for name in names] for each in changes)))


def _settle_reports(changes: Sequence[StatusChange], *, by: User) -> None:
    """What a class teacher reported and the roster has now brought; other reports still wait for the officer."""
    for some in pieces(changes, _AT_ONCE):
        for kind in {change.kind for change in some}:
            keys = [change.enrolment_id for change in some if change.kind == kind]
            ChangeReport.objects.filter(enrolment__in=keys, kind=kind, state=ChangeReport.State.OPEN).update(
                state=ChangeReport.State.RECORDED, settled_at=clock.now(), settled_by=by
            )


def _let_follow(held: Mapping[UUID, Enrolment], moved: Collection[UUID]) -> None:
    """The places in a term their school was rolled over into already."""
    if not held:
        return
    term = next(iter(held.values())).term
    made = rollovers.schools_ahead(term)
    keys = [key for key, place in held.items() if place.school_id in made]
    related = ("term", "school_class__school_class")
    for some in pieces(keys, _AT_ONCE):
        rows = Enrolment.objects.filter(pk__in=some).select_related(*related)
        rollovers.keep_up_all({row.pupil_id: row for row in rows}, moved=moved)


def fact_of(change: StatusChange) -> tuple[str, str] | None:
    """What the one fact was and is, in words, of a change that is of one; None where somebody came, went or moved."""
    match change.kind:
        case Kind.BOARDING | Kind.SCHOOLING:
            label = f"{change.kind}_label"
            return change.before[label], change.after[label]
        case Kind.HOUSEHOLD:
            return _household(change.before), _household(change.after)
        case Kind.UNIT:
            return change.before["told"], change.after["told"]
    return None


def sentence(change: StatusChange) -> str:
    """What changed, in a few words: 七年级1班 → 七年级2班; 寄宿 → 走读; 转往云岭县城关小学."""
    if told := fact_of(change):
        return " → ".join(told)
    match change.kind:
        case Kind.TRANSFER_OUT:
            return f"转往{change.after.get('to', '')}"
        case Kind.TRANSFER_IN:
            return f"转入{change.after['class_name']}，{change.after['boarding_label']}"
        case Kind.CHANGE_CLASS:
            return f"{change.before['class_name']} → {change.after['class_name']}"
        case Kind.RETURN:
            return f"回到{change.after['class_name']}"
    return f"{change.before['standing_label']} → {change.after['standing_label']}"


def _household(words: Mapping[str, Any]) -> str:
    """农村（含县镇），行政区划 530103."""
    region = f"行政区划 {words['region']}" if words["region"] else ""
    return "，".join(filter(None, [words["registration_label"], region])) or "没有登记"


def arriving(user: User) -> QuerySet[StatusChange]:
    """Transfers to the schools for which the person records changes, that wait to be taken in.

    For counting only: where they come from is not the new school's to read.
    """
    schools = scopes.within(Unit.objects.filter(level=Unit.Level.SCHOOL), user, P.RECORD_CHANGES, unit="")
    there = list(schools.values_list("pk", flat=True))
    return _not_taken_in(StatusChange.objects.all()).filter(after__to_school__in=there)


def awaiting_arrival(user: User) -> QuerySet[StatusChange]:
    """Transfers to a school of the county whose pupil no school has taken in yet, of this term or the one before."""
    return _not_taken_in(visible_to(user)).filter(after__to_school__isnull=False)


def _not_taken_in(rows: QuerySet[StatusChange]) -> QuerySet[StatusChange]:
    term = terms.current()
    # Who left as one term ended is taken in when the next has begun.
    near = [term, terms.preceding(term)] if term else []
    rows = rows.filter(term__in=[each for each in near if each], kind=Kind.TRANSFER_OUT)
    since = Q(starts_on__gte=OuterRef("on")) & ~Q(pk=OuterRef("enrolment"))
    taken = Enrolment.objects.filter(
        Q(term=term, standing__in=OPEN_STANDINGS) | since, pupil=OuterRef("pupil"), term__in=near
    )
    return rows.exclude(Exists(taken))
