"""Decisions on a school's list: confirmed by the principal, verified by the county's clerk, approved by its head.

Each looks at every case and may send a single one back to the desk that has to look again, while the rest goes on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import access, audit
from accounts.models import Unit, User
from accounts.roles import Permission

from . import four_eyes, workflow
from .models import Application, Decision, Round
from .reviews import Verdict, move
from .states import Duty, State, Step

V = Decision.Verdict


@dataclass(frozen=True)
class Desk:
    """Who decides on which cases, and what each answer does."""

    permission: Permission
    duty: Duty
    awaiting: State
    steps: dict[str, Step]


CONFIRMATION = Desk(
    Permission.CONFIRM_LIST,
    Duty.CONFIRMATION,
    State.SCHOOL_REVIEWED,
    {
        V.AGREE: Step.CONFIRM,
        V.RETURN: Step.RETURN_BY_PRINCIPAL,
        V.TO_CLASS: Step.RETURN_TO_CLASS,
        V.TO_SCHOOL: Step.RETURN_TO_SCHOOL,
    },
)
VERIFICATION = Desk(
    Permission.VERIFY,
    Duty.VERIFICATION,
    State.REPORTED,
    {
        V.AGREE: Step.VERIFY,
        V.RETURN: Step.RETURN_FROM_COUNTY,
        V.TO_CLASS: Step.RETURN_TO_CLASS,
        V.TO_SCHOOL: Step.RETURN_TO_SCHOOL,
        V.REJECT: Step.REJECT_AT_COUNTY,
    },
)
APPROVAL = Desk(
    Permission.APPROVE, Duty.APPROVAL, State.VERIFIED, {V.AGREE: Step.APPROVE, V.RETURN: Step.RETURN_TO_CLERK}
)
DESKS = (CONFIRMATION, VERIFICATION, APPROVAL)


def awaiting(round_: Round, school: Unit, state: State) -> list[Application]:
    """The school's applications of the round in the state, in class order."""
    rows = Application.objects.filter(round=round_, school=school, state=state)
    rows = rows.select_related("pupil", "school_class", "enrolment")
    return list(rows.order_by("school_class__path", "pupil__name", "pk"))


def barred(applications: Iterable[Application], duty: Duty, *, by: User) -> dict[UUID, str]:
    """The applications this person may not decide on, by key, and why: another duty is theirs there, or it is their
    class."""
    return four_eyes.why_not(applications, duty, by=by)


def decide(desk: Desk, round_: Round, school: Unit, verdicts: Iterable[Verdict], *, by: User) -> int:
    """Decide on cases of the school's list; each takes the step its verdict stands for, all or none. How many.

    Raises ValidationError when nothing is decided, a case belongs to another list, or a return gives no reason;
    PermissionDenied when the person may not decide on one of them.
    """
    access.require(by, desk.permission, school)
    chosen = list(verdicts)
    if not chosen:
        raise ValidationError("还没有对任何申请作出决定，请至少选择一份。")
    if any(v.application.school_id != school.pk or v.application.round_id != round_.pk for v in chosen):
        raise ValidationError(f"名单中有不属于{school}本批次的申请，请刷新页面。")
    with transaction.atomic():
        move(chosen, desk.steps, by=by)
        audit.record("list.decide", round_, by=by, unit=school, duty=desk.duty, decisions=len(chosen))
    return len(chosen)


def decide_what_goes(
    desk: Desk, round_: Round, school: Unit, verdicts: Iterable[Verdict], *, by: User
) -> tuple[int, dict[UUID, str]]:
    """As `decide`, but a case that cannot take its step stops no other: how many went, and by key why others did not.

    Raises as `decide` where the list is refused as a whole.
    """
    chosen = list(verdicts)
    refused = workflow.obstacles(
        {v.application.pk: desk.steps[v.verdict] for v in chosen if v.verdict in desk.steps},
        by=by,
        notes={v.application.pk: v.opinion.strip() for v in chosen},
    )
    going = [v for v in chosen if v.application.pk not in refused]
    return (decide(desk, round_, school, going, by=by) if going else 0), refused
