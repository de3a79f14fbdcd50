"""The group that reviews a list: who has to be in it, who may not sit, who was there.

Nobody sits over a case of their own: no pupil who applied, no parent of one, and nobody who bears the name of an
applicant's guardian, until somebody has said that it is another person. Names are compared by their letters
(`numbers.name_key`): a blank, another dot or a word in brackets makes nobody another person.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.core.exceptions import ValidationError

from accounts.models import Unit
from students import enrolment
from students.models import Enrolment, Pupil
from students.numbers import name_key, run_together, tidy_name

from .meeting_words import KINDS, SCHOOL
from .models import Application, Meeting, MeetingMember, ProcessRule, Round
from .states import ENDED_WITHOUT_AID, State

_Kind = MeetingMember.Kind


@dataclass(frozen=True)
class Member:
    """A person of the group as written down. `child`: the name of the parent's child."""

    name: str
    capacity: str
    kind: str = _Kind.OTHER
    child: str = ""
    attended: bool = True
    is_namesake: bool = False  # of an applicant or a guardian, and another person: somebody has looked
    pupil: Pupil | None = None  # found by `check`: who sits, or whose parent sits


@dataclass(frozen=True)
class Party:
    """A pupil who applied, and the guardian as the register has it."""

    name: str
    guardian: str


def seats_of(rule: ProcessRule, level: str, stages: Iterable[str]) -> dict[str, int]:
    """By kind of member: the fewest present, 0 for who may not sit; of whom nothing is said may. What counts for one
    of the stages of a list counts for the list."""
    if level == Meeting.Level.SCHOOL:
        return dict(rule.seats.get(SCHOOL, {}))
    found: dict[str, int] = {}
    for stage in stages:
        for kind, fewest in rule.seats.get(stage, {}).items():
            found[kind] = 0 if 0 in (fewest, found.get(kind)) else max(fewest, found.get(kind, 0))
    return found


def present(members: Iterable[Member]) -> int:
    return sum(member.attended for member in members)


def who_sat_last(unit: Unit, level: str) -> list[Member]:
    """The members of the unit's last meeting of this level, who mostly sit again."""
    last = Meeting.objects.filter(unit=unit, level=level).first()
    rows = last.members.select_related("pupil") if last else []
    return [
        Member(
            row.name,
            row.capacity,
            kind=row.kind,
            child=row.pupil.name if row.pupil and row.kind == _Kind.PARENT else "",
        )
        for row in rows
    ]


def who_may_sit(round_: Round, school_class: Unit) -> list[str]:
    """Names of the class's pupils who did not apply: they, and their parents, may be in the group."""
    here = enrolment.open_only(Enrolment.objects.filter(school_class=school_class, term=round_.term))
    rows = here.exclude(pupil__in=list(_parties(round_, school_class))).order_by("pupil__name")
    return list(dict.fromkeys(rows.values_list("pupil__name", flat=True)))


def check(
    members: Iterable[Member],
    chair: str,
    *,
    level: str,
    round_: Round,
    unit: Unit,
    rule: ProcessRule,
    stages: Iterable[str],
) -> list[Member]:
    """The members as they are recorded: names written as the roster writes them, pupils found in the class's roster.

    Raises ValidationError (for the field `members`) when one has no name or stands there twice, somebody sits who
    may not, or too few were there.
    """
    cleaned = [
        replace(m, name=tidy_name(m.name), child=tidy_name(m.child), capacity=m.capacity.strip()) for m in members
    ]
    try:
        _check_names(cleaned)
        fewest = rule.class_review_members if level == Meeting.Level.CLASS else rule.school_review_members
        _check_numbers(cleaned, fewest, rule.attendance_percent)
        _check_kinds(cleaned, seats_of(rule, level, stages))
        parties = _parties(round_, unit)
        if unit.level == Unit.Level.CLASS:
            cleaned = _identified(cleaned, round_, unit, parties)
        _refuse_own_cases(cleaned, parties)
        return _refuse_guardians(cleaned, chair.strip(), parties)
    except ValidationError as refusal:
        raise ValidationError({"members": refusal}) from None


def _check_names(members: list[Member]) -> None:
    if not all(name_key(member.name) for member in members):
        raise ValidationError("有成员没有填写姓名，请补全或删去这一行。")
    # What tells two of one name apart stands in brackets: the letters alone are not enough here.
    names = [run_together(member.name) for member in members]
    if len(set(names)) < len(names):
        twice = next(member.name for member, name in zip(members, names, strict=True) if names.count(name) > 1)
        raise ValidationError(
            f"“{twice}”在成员名单中出现了两次；同名的人请在姓名后用括号加以区分，例如“{twice}（语文教师）”。"
        )


def _check_numbers(members: list[Member], fewest: int, percent: int) -> None:
    came, all_ = present(members), len(members)
    if came < fewest:
        told = f"其中到会 {came} 人" if came < all_ else f"现在填写了 {all_} 人"
        written = f"名单有 {all_} 人，" if came < all_ else ""
        raise ValidationError(f"规定评审小组不少于 {fewest} 人，{written}{told}。请补齐成员，到会人数够了再开会评议。")
    if came * 100 < percent * all_:
        raise ValidationError(
            f"规定到会率不低于 {percent}%，应到 {all_} 人，到会 {came} 人。请到会人数够了再开会评议。"
        )


def _check_kinds(members: list[Member], seats: Mapping[str, int]) -> None:
    for kind, fewest in seats.items():
        sitting = [member for member in members if member.kind == kind]
        if not fewest and sitting:
            raise ValidationError(f"规定{KINDS[kind]}不参加这次评议：“{sitting[0].name}”请从名单中删去，换成其他人员。")
        if (came := present(sitting)) < fewest:
            raise ValidationError(f"规定{KINDS[kind]}至少到会 {fewest} 人，现在是 {came} 人，请补齐后再开会评议。")


def _parties(round_: Round, unit: Unit) -> dict[object, Party]:
    """Who applied in the round, of the unit, by the key of the pupil."""
    cases = Application.objects.filter(round=round_, school_class__path__startswith=unit.path)
    cases = cases.exclude(state__in=[State.DRAFT, *ENDED_WITHOUT_AID]).order_by()
    rows = cases.values_list("pupil_id", "pupil__name", "pupil__guardian_name")
    return {key: Party(name, guardian.strip()) for key, name, guardian in rows}


def _identified(
    members: list[Member], round_: Round, school_class: Unit, parties: Mapping[object, Party]
) -> list[Member]:
    """Pupils who sit, and the children of parents who sit, found by name in the class's roster of the term."""
    here = enrolment.open_only(Enrolment.objects.filter(school_class=school_class, term=round_.term))
    by_name: dict[str, list[Pupil]] = defaultdict(list)
    for row in here.select_related("pupil").order_by("pk"):
        by_name[name_key(row.pupil.name)].append(row.pupil)
    found = []
    for member in members:
        if member.kind == _Kind.PARENT and not member.child:
            raise ValidationError(f"请写明家长“{member.name}”是本班哪名学生的家长（填在“孩子”一栏）。")
        if member.kind not in (_Kind.PUPIL, _Kind.PARENT):
            found.append(member)
            continue
        name = member.name if member.kind == _Kind.PUPIL else member.child
        called = by_name.get(name_key(name), [])
        if not called:
            raise ValidationError(f"本班名册里没有叫“{name}”的学生，请按名册上的姓名填写。")
        free = [pupil for pupil in called if pupil.pk not in parties]
        # Two of one name, one of whom applied: somebody has to say that it is the other.
        if not free or (len(free) < len(called) and not member.is_namesake):
            raise ValidationError(_own_case(member) + (_ASK if free else ""))
        found.append(replace(member, pupil=free[0]))
    taken = [member.pupil.pk for member in found if member.kind == _Kind.PUPIL and member.pupil]
    if len(set(taken)) < len(taken):
        raise ValidationError("同一名学生在成员名单中出现了两次，请删去一行。")
    return found


_ASK = "不是同一人的，请勾选这一行的“同名，不是同一人”。"


def _own_case(member: Member) -> str:
    who = f"“{member.name}”" if member.kind == _Kind.PUPIL else f"“{member.name}”的孩子{member.child}"
    return f"{who}在这个批次申请了资助，申请人和家长不能参加评议小组，请换人。"


def _refuse_own_cases(members: list[Member], parties: Mapping[object, Party]) -> None:
    """Where the group is a school's, its pupils and its parents' children are known by name alone; and no applicant
    sits as anything else either."""
    names = {name_key(party.name) for party in parties.values()}
    for member in members:
        if member.is_namesake:
            continue
        if member.kind != _Kind.PUPIL and name_key(member.name) in names:
            raise ValidationError(f"“{member.name}”与一名申请学生同名。是同一人的要回避，请换人；{_ASK}")
        if member.kind not in (_Kind.PUPIL, _Kind.PARENT) or member.pupil:
            continue
        if name_key(member.name if member.kind == _Kind.PUPIL else member.child) in names:
            raise ValidationError(_own_case(member) + _ASK)


def _refuse_guardians(members: list[Member], chair: str, parties: Mapping[object, Party]) -> list[Member]:
    """The members, each marked as a namesake only where there is somebody to be mistaken for."""
    names = {name_key(party.name) for party in parties.values()}
    wards = {key: party.name for party in parties.values() if (key := name_key(party.guardian))}
    for member in members:
        if member.kind != _Kind.PUPIL and name_key(member.name) in wards and not member.is_namesake:
            raise ValidationError(
                f"“{member.name}”与申请学生{wards[name_key(member.name)]}的监护人同名。是同一人的要回避，请换人；{_ASK}"
            )
    if (key := name_key(chair)) not in {name_key(member.name) for member in members} and (key in wards or key in names):
        whose = f"申请学生{wards[key]}的监护人" if key in wards else "一名申请学生"
        raise ValidationError(
            f"主持人“{chair}”与{whose}同名。是同一人的要回避，请换人主持；"
            "不是同一人的，请把主持人也列入成员，并勾选“同名，不是同一人”。"
        )
    met = names | wards.keys()
    return [
        replace(m, is_namesake=m.is_namesake and (name_key(m.name) in met or name_key(m.child) in names))
        for m in members
    ]
