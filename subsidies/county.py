"""The county's two decisions on a school's list: verification by a clerk, approval by the head."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import access, audit
from accounts.models import Unit, User
from accounts.roles import Permission

from .models import Application, Decision, DutyHolder, Round
from .reviews import Verdict, move
from .states import Duty, State, Step

V = Decision.Verdict

VERIFY_STEPS: dict[str, Step] = {
    V.AGREE: Step.VERIFY,
    V.RETURN: Step.RETURN_FROM_COUNTY,
    V.REJECT: Step.REJECT_AT_COUNTY,
}
APPROVE_STEPS: dict[str, Step] = {V.AGREE: Step.APPROVE, V.RETURN: Step.RETURN_TO_CLERK}


def awaiting(round_: Round, school: Unit, state: State) -> list[Application]:
    """The school's applications of the round in the state, in class order."""
    rows = Application.objects.filter(round=round_, school=school, state=state).select_related("pupil", "school_class")
    return list(rows.order_by("school_class__path", "pupil__name", "pk"))


def barred(applications: Iterable[Application], duty: Duty, *, by: User) -> set:
    """Keys of the applications on which this person already holds another duty."""
    keys = [application.pk for application in applications]
    held = DutyHolder.objects.filter(application__in=keys, by=by).exclude(duty=duty)
    return set(held.values_list("application_id", flat=True))


def verify(round_: Round, school: Unit, verdicts: Iterable[Verdict], *, by: User) -> int:
    """Decide on reported applications: passed on to approval, returned to the class teacher, or refused."""
    access.require(by, Permission.VERIFY, school)
    return _decide(round_, school, list(verdicts), VERIFY_STEPS, by=by)


def approve(round_: Round, school: Unit, verdicts: Iterable[Verdict], *, by: User) -> int:
    """Decide on verified applications: approved for payment, or back to the clerk."""
    access.require(by, Permission.APPROVE, school)
    return _decide(round_, school, list(verdicts), APPROVE_STEPS, by=by)


def _decide(round_: Round, school: Unit, verdicts: list[Verdict], steps: dict[str, Step], *, by: User) -> int:
    if not verdicts:
        raise ValidationError("还没有对任何申请作出决定，请至少选择一份。")
    if any(v.application.school_id != school.pk or v.application.round_id != round_.pk for v in verdicts):
        raise ValidationError(f"名单中有不属于{school}本批次的申请，请刷新页面。")
    with transaction.atomic():
        move(verdicts, steps, by=by)
        audit.record("list.decide", round_, by=by, unit=school, decisions=len(verdicts))
    return len(verdicts)
