"""Four eyes: one person holds one duty on an application, and nobody gets round it by acting for somebody else.

代理. Whoever acts in another's name decides as that other could: what the other may not decide (because another duty
on the same application is theirs, or it is their own class) the deputy may not either, nor what the deputy may not
as themselves. What the deputy does is the duty of both from then on, so that neither takes a second one.

亲属. Who is kin of the pupil (`kinship`) holds no duty but filing. A deputy is not bound by the bare name of whom they
act for, only by what that one said: they cannot answer for somebody who may be ill.
"""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import refusals, scopes
from accounts.models import Appointment, User
from students.table_writing import pieces

from . import kinship
from .kinship import Standing
from .models import Application, DutyHolder
from .states import PERMISSION_FOR, Duty

REFUSED = "application.refuse_second_duty"
_CHUNK = 500
_Wanted = Mapping[Any, Duty]  # by the key of the application


class SamePerson(PermissionDenied):
    """The actor, or whoever they act for, already holds another duty on the application, teaches the class, is kin."""


def own_class_paths(by: User) -> set[str]:
    """The classes the person teaches today: at a higher level they do not decide on these."""
    return {a.unit.path for a in scopes.current_appointments(by) if a.role == "class_teacher"}


def acted_for(applications: Iterable[Application], duty: Duty, *, by: User) -> dict[object, User]:
    """In whose name the person would do the duty, by application; those they do as themselves are left out."""
    if not scopes.acting(by, PERMISSION_FOR[duty]):
        return {}
    posts: dict[int, Appointment | None] = {}  # by class: its cases are asked about together
    found: dict[object, User] = {}
    for row in applications:
        if row.school_class_id not in posts:
            posts[row.school_class_id] = scopes.capacity(by, PERMISSION_FOR[duty], row.school_class.path)
        post = posts[row.school_class_id]
        if post is not None and post.acts_for is not None:
            found[row.pk] = post.acts_for
    return found


def refuse_second_duty(applications: Iterable[Application], wanted: _Wanted, *, by: User) -> None:
    """Raise SamePerson where the duty wanted is not the person's to take; the try is kept in the trail."""
    rows = [row for row in applications if row.pk in wanted]
    _refuse_held(rows, wanted, by, by)
    _refuse_own_class(rows, wanted, by, by)
    _refuse_kin(rows, wanted, by, by)
    for other, theirs in _by_other(rows, wanted, by).items():
        _refuse_held(theirs, wanted, other, by)
        _refuse_own_class(theirs, wanted, other, by)
        _refuse_kin(theirs, wanted, other, by)


def take(applications: Iterable[Application], wanted: _Wanted, *, by: User) -> None:
    """Write down whose duty it is, within the verb's transaction."""
    rows = [row for row in applications if row.pk in wanted]
    _write(rows, wanted, by, None)
    for other, theirs in _by_other(rows, wanted, by).items():
        _write(theirs, wanted, other, by)


def why_not(applications: Iterable[Application], duty: Duty, *, by: User) -> dict[UUID, str]:
    """By key, of those where the duty is not this person's to take: why (another one is theirs, it is their own class
    or kin) and who can, in a sentence. Queries by chunk and by whom they act for, not by case."""
    rows = list(applications)
    wanted = {row.pk: duty for row in rows}
    found: dict[UUID, str] = {}
    for other, theirs in _by_other(rows, wanted, by).items():
        found |= _barred(theirs, duty, other, by)
    return found | _barred(rows, duty, by, by)


def note_why_not(applications: Iterable[Application], duty: Duty, *, by: User) -> dict[UUID, str]:
    """As `why_not`, of a decision that was sent: the try is kept in the trail, as where it is refused as a whole."""
    rows = list(applications)
    found = why_not(rows, duty, by=by)
    if barred := [row for row in rows if row.pk in found]:
        with contextlib.suppress(SamePerson):
            refuse_second_duty(barred, dict.fromkeys(found, duty), by=by)
    return found


def open_to(rows: QuerySet[Application], duty: Duty, *, by: User) -> QuerySet[Application]:
    """Of the applications those on which neither the person, nor whoever they would act for, holds another duty, and
    whose pupil neither has called kin."""
    rows = rows.exclude(Exists(_other_duties(duty, by)))
    if kinship.binds(duty):
        rows = rows.exclude(pupil__in=kinship.kin_of(by))
    permission = PERMISSION_FOR[duty]
    acting = scopes.acting(by, permission)
    own = Q(pk__in=[])
    for post in scopes.current_appointments(by) if acting else ():
        if post.acts_for_id is None and scopes.capacity(by, permission, post.unit.path) == post:
            own |= Q(school_class__path__below=post.unit.path)
    for post in acting:
        there = Q(school_class__path__below=post.unit.path) & ~own
        assert post.acts_for is not None  # that is what acting means
        rows = rows.exclude(there & Exists(_other_duties(duty, post.acts_for)))
        if kinship.binds(duty):
            rows = rows.exclude(there & Q(pupil__in=kinship.kin_of(post.acts_for)))
    return rows


def _other_duties(duty: Duty, person: User) -> QuerySet[DutyHolder]:
    return DutyHolder.objects.filter(application=OuterRef("pk"), by=person).exclude(duty=duty)


def _by_other(rows: list[Application], wanted: _Wanted, by: User) -> dict[User, list[Application]]:
    found: dict[User, list[Application]] = {}
    for duty in set(wanted.values()):
        alike = [row for row in rows if wanted[row.pk] == duty]
        names = acted_for(alike, duty, by=by)
        for row in alike:
            if row.pk in names:
                found.setdefault(names[row.pk], []).append(row)
    return found


def _held(rows: Iterable[Application], person: User) -> dict[object, Duty]:
    return {holder.application_id: Duty(holder.duty) for holder in _holders(rows, person)}


def _holders(rows: Iterable[Application], person: User) -> list[DutyHolder]:
    return [
        holder
        for chunk in pieces((row.pk for row in rows), _CHUNK)
        for holder in DutyHolder.objects.filter(application__in=chunk, by=person).select_related("deputy")
    ]


def _above_the_class(duty: Duty) -> bool:
    return duty not in (Duty.FILING, Duty.CLASS_REVIEW)


def _barred(rows: list[Application], duty: Duty, person: User, by: User) -> dict[UUID, str]:
    whom = "您" if person == by else f"您代理的{person.name}"
    kin = _kin(rows, duty, person, by)
    found = {key: _KIN_WORDS[said].format(whom=whom, duty=duty.label) for key, said in kin.items()}
    own = own_class_paths(person) if _above_the_class(duty) else set()
    found |= {
        row.pk: f"{whom}是这个班的班主任，本班学生的{duty.label}请由他人办理。"
        for row in rows
        if row.school_class.path in own
    }
    for holder in _holders(rows, person):
        if holder.duty != duty:
            hand = f"{holder.deputy.name}代{whom}" if holder.deputy else whom
            found[holder.application_id] = (
                f"{hand}已办理过这份申请的{Duty(holder.duty).label}环节，{duty.label}请由没有经手这份申请的人办理。"
            )
    return found


_KIN_WORDS = {
    Standing.KIN: "{whom}已说明是这名学生的亲属，{duty}请由他人办理。",
    Standing.NAMESAKE: "这名学生的监护人与您同名。请点姓名，在申请页上说明是不是亲属；不是的，说明后就能办理{duty}。",
}


def _kin(rows: Iterable[Application], duty: Duty, person: User, by: User) -> dict[UUID, Standing]:
    """By key, the cases of the person's kin; of bare namesakes only where the person is there to answer."""
    if not kinship.binds(duty):
        return {}
    rows = list(rows)
    found = kinship.standings(person, {row.pupil_id: kinship.guardian_of(row) for row in rows})
    return {
        row.pk: said for row in rows if (said := found.get(row.pupil_id)) and (said == Standing.KIN or person == by)
    }


def _refuse_kin(rows: list[Application], wanted: _Wanted, person: User, by: User) -> None:
    found: dict[UUID, Standing] = {}
    for duty in set(wanted.values()):
        found |= _kin((row for row in rows if wanted[row.pk] == duty), duty, person, by)
    if kin := [row for row in rows if found.get(row.pk) == Standing.KIN]:
        _note(kin, wanted, by, person, held="kin")
        whom = "您" if person == by else f"您代理的{person.name}"
        raise SamePerson(
            f"其中 {len(kin)} 份申请的学生，{whom}已说明是亲属，要回避。请由没有亲属关系的人办理这些申请。"
        )
    if found:
        raise SamePerson(
            f"其中 {len(found)} 份申请，学生的监护人与您同名。请先在这些申请的页面上说明是不是亲属，再办理。"
        )


def _refuse_held(rows: list[Application], wanted: _Wanted, person: User, by: User) -> None:
    held = _held(rows, person)
    clash = [row for row in rows if held.get(row.pk, wanted[row.pk]) != wanted[row.pk]]
    if not clash:
        return
    done = "、".join(sorted({held[row.pk].label for row in clash}))
    _note(clash, wanted, by, person, held=sorted({held[row.pk] for row in clash})[0])
    if person == by:
        raise SamePerson(
            f"您已经办理过其中 {len(clash)} 份申请的{done}，同一份申请的两个环节不能由同一人办理。"
            "请由没有经手这些申请的人办理。"
        )
    raise SamePerson(
        f"{person.name}已经办理过其中 {len(clash)} 份申请的{done}，您代理{person.name}，同样不能办理另一个环节。"
        "请由没有经手这些申请的人办理。"
    )


def _refuse_own_class(rows: list[Application], wanted: _Wanted, person: User, by: User) -> None:
    above = [row for row in rows if _above_the_class(wanted[row.pk])]
    own = own_class_paths(person) if above else set()
    clash = [row for row in above if row.school_class.path in own]
    if not clash:
        return
    _note(clash, wanted, by, person, held="own_class")
    if person == by:
        raise SamePerson("您是这个班的班主任，本班学生的上一级评审要由他人办理。请交给本校另一位评审人。")
    raise SamePerson(
        f"{person.name}是这个班的班主任，您代理{person.name}，本班学生的上一级评审同样要由他人办理。请交给本校另一位评审人。"
    )


def _note(clash: list[Application], wanted: _Wanted, by: User, person: User, *, held: str) -> None:
    first = clash[0]
    one_class = len({row.school_class_id for row in clash}) == 1
    detail = [("duty", str(wanted[first.pk])), ("held_duty", str(held))]
    if person != by:
        detail.append(("for", person.username))
    refusals.note(
        refusals.Refused(
            REFUSED,
            by,
            first.school_class if one_class else first.school,
            f"subsidies.application:{first.pk}" if len(clash) == 1 else f"subsidies.round:{first.round_id}",
            tuple(detail),
            frozenset(row.pk for row in clash),
        )
    )


def _write(rows: list[Application], wanted: _Wanted, person: User, deputy: User | None) -> None:
    held = _held(rows, person)
    DutyHolder.objects.bulk_create(
        [
            DutyHolder(application=row, by=person, duty=wanted[row.pk], deputy=deputy)
            for row in rows
            if row.pk not in held
        ],
        batch_size=_CHUNK,
    )
