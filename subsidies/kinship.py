"""亲属回避: nobody decides on the application of a child of their own family.

Who is kin is known by nobody but the person. The register knows one thing, the guardian's name: whoever bears it says
first whether they are meant, and until then decides on nothing of that child. Anybody else may say that they are kin.

Source: 《事业单位人事管理回避规定》（人社部规〔2019〕1号）, 履职回避: where relatives are concerned nobody takes
part in 评议、评分、审核、决定 when money is granted; schools' own plans: 杜绝助亲属学.
"""

from collections.abc import Mapping
from enum import Enum
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from accounts import audit, clock, scopes
from accounts.models import User
from accounts.templatetags.aid import cn_date
from students.models import Pupil
from students.numbers import name_key
from students.table_writing import pieces

from .models import Application, Kinship
from .states import PERMISSION_FOR, Duty

_CHUNK = 500


class Standing(Enum):
    """What is known of a person and a pupil, where it keeps the person from deciding."""

    KIN = "kin"  # they said so
    NAMESAKE = "namesake"  # the guardian bears their name, and they have not said who is meant


def binds(duty: Duty) -> bool:
    """A class teacher files for the whole class, a child of their own too: filing decides nothing."""
    return duty != Duty.FILING


def standings(person: User, pupils: Mapping[UUID, str]) -> dict[UUID, Standing]:
    """By key of the pupil, of those on whom the person does not decide (as things are).

    With each pupil the guardian's name as it was filed, "" where nothing is filed: a roster may name the other parent
    since, and neither decides.
    """
    if not pupils:
        return {}
    said = _said(person)
    found = {key: Standing.KIN for key in pupils if said.get(key)}
    if not (mine := name_key(person.name)):
        return found
    unsaid = pupils.keys() - said.keys()
    named = {(key, pupils[key]) for key in unsaid}
    for chunk in pieces(unsaid, _CHUNK):
        register = Pupil.objects.filter(pk__in=chunk).exclude(guardian_name="")
        named.update(register.values_list("pk", "guardian_name"))
    return found | {key: Standing.NAMESAKE for key, name in named if name_key(name) == mine}


def towards(case: Application, *, by: User) -> Standing | None:
    """As `standings`, of one case."""
    return standings(by, {case.pupil_id: guardian_of(case)}).get(case.pupil_id)


def guardian_of(case: Application) -> str:
    """The guardian as the case was filed; "" in a draft."""
    return str(case.facts.get("guardian_name") or "")


def kin_of(person: User) -> list[UUID]:
    """The keys of pupils the person has called kin. A namesake's who has not answered is none: the case waits for the
    answer."""
    return [key for key, is_kin in _said(person).items() if is_kin]


def _said(person: User) -> dict[UUID, bool]:
    """By pupil what the person said last. Few: children of their own, and namesakes'."""
    return dict(Kinship.objects.filter(by=person).order_by("number").values_list("pupil", "is_kin"))


def may_say(application: Application, *, by: User) -> bool:
    """Whether it matters what the person says: they hold some post that decides on the case, on whichever step."""
    return any(
        scopes.allows(by, permission, application.school_class)
        for duty, permission in PERMISSION_FOR.items()
        if binds(duty)
    )


def require(application: Application, *, by: User) -> None:
    """Raise PermissionDenied where it does not matter what the person says."""
    if not may_say(application, by=by):
        raise PermissionDenied("您不办理这名学生的评议、评审、审核，不用说明是不是亲属。")


def said_of(application: Application) -> list[Kinship]:
    """What anybody said of the pupil, in the order of saying it."""
    return list(Kinship.objects.filter(pupil=application.pupil_id).select_related("by").order_by("at", "pk"))


def say(application: Application, *, is_kin: bool, by: User) -> Kinship:
    """Write down what the person says of the pupil: kin, or only of one name with the guardian (or not kin after all).

    What was said last counts, in every round from then on; what was said before stays in the trail. Raises
    PermissionDenied where the person decides on nothing there, ValidationError where it was said already, or nobody
    took them for kin.
    """
    require(application, by=by)
    told = Kinship.objects.filter(pupil=application.pupil_id, by=by).order_by("number")
    before = told.last()
    if before is None and not is_kin and towards(application, by=by) is None:
        raise ValidationError("您与监护人不同名，也没有说明过是亲属，不用说明。")
    if before is not None and before.is_kin == is_kin:
        raise ValidationError(f"您已于{cn_date(before.at)}说明“{before.words}”，不用再说明。")
    with transaction.atomic():
        # Sent twice at the same moment it is one answer.
        row, is_new = Kinship.objects.get_or_create(
            pupil_id=application.pupil_id,
            by=by,
            number=before.number + 1 if before else 1,
            defaults={"is_kin": is_kin, "school": application.school, "at": clock.now()},
        )
        if is_new:
            audit.record("kinship.say", application, by=by, unit=application.school_class, said=row.words)
    return row
