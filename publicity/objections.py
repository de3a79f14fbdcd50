"""Objections: received against one line, which alone is held; settled with a finding."""

import datetime as dt

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts import access, audit, clock
from accounts.models import User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from subsidies import four_eyes, kinship, workflow
from subsidies.four_eyes import SamePerson
from subsidies.models import Application
from subsidies.states import Duty, State, Step

from .models import Notice, NoticeLine, Objection

_UNDER_REVIEW = (
    State.RETURNED,
    State.SUBMITTED,
    State.CLASS_PASSED,
    State.CLASS_REVIEWED,
    State.SCHOOL_REVIEWED,
    State.CONFIRMED,
)


def receive(line: NoticeLine, *, received_on: dt.date, channel: str, content: str, by: User) -> Objection:
    """Record an objection and hold the line's application; the rest of the notice runs on.

    For the school, of a class's notice too: the class teacher filed what the objection is raised against, and need
    not know who raised it.

    Raises ValidationError when the notice is over, the day is wrong, or the line is already held.
    """
    notice = line.notice
    access.require(by, Permission.PUBLISH_NOTICE, notice.school)
    if notice.state == Notice.State.CLOSED:
        raise ValidationError("公示已经结束；之后反映的问题请按投诉举报办理。")
    if not notice.published_on <= received_on <= clock.today():
        raise ValidationError({"received_on": f"收到日期应在发布之日（{cn_date(notice.published_on)}）到今天之间。"})
    if not content.strip():
        raise ValidationError({"content": "请写明反映了什么问题。"})
    try:
        with transaction.atomic():
            objection = Objection.objects.create(
                line=line,
                received_on=received_on,
                channel=channel,
                content=content,
                recorded_at=clock.now(),
                recorded_by=by,
            )
            workflow.advance(line.application, Step.HOLD, by=by, note="收到异议，核查中")
            audit.record("objection.receive", objection, by=by, unit=notice.unit)
    except IntegrityError:
        raise ValidationError("这名学生已有一件异议在核查，请先核查完毕。") from None
    return objection


def settle(objection: Objection, *, upheld: bool, finding: str, by: User) -> None:
    """Close an objection with what the check found; the application goes on, or is refused.

    Raises ValidationError when it is settled already, or upheld against a case that is back with class or school:
    there is nothing on notice to refuse, and what was found belongs before those who decide on it next. Raises
    SamePerson (PermissionDenied) for who filed, heard or confirmed the case before the school's review, teaches the
    class, or acts for somebody who does or did: with two posts in one hand they would check their own work.
    """
    notice = objection.line.notice
    access.require(by, Permission.PUBLISH_NOTICE, notice.school)
    if not finding.strip():
        raise ValidationError({"finding": "请写明核查情况和结论。"})
    state = Objection.State.UPHELD if upheld else Objection.State.DISMISSED
    with transaction.atomic():
        # The case first, as everybody locks it; it may have left with its pupil since.
        (case,) = workflow.lock([objection.line.application_id])
        is_here = case.school_id == notice.school_id
        if is_here and four_eyes.why_not([case], Duty.SCHOOL_REVIEW, by=by):
            if kinship.towards(case, by=by) == kinship.Standing.NAMESAKE:
                raise ValidationError(
                    "这名学生的监护人与您同名。请先打开申请页，说明是不是亲属；不是的，说明后再来办结异议。"
                )
            raise SamePerson(
                "您或您代理的人填报、评议、确认过这份申请，或者是这个班的班主任，或者是学生的亲属，异议要由没有经手的人核查。"
                "请由本校另一位资助专干办结；没有的，请系统管理员登记一位代理人。"
            )
        if upheld and is_here and case.state in _UNDER_REVIEW:
            raise ValidationError(
                f"申请现在是“{case.get_state_display()}”，没有在公示，不能按“异议成立”办结。"
                "请把核查情况交班级评议或学校评审作出结论；再次公示后仍要终止的，那时办结。"
            )
        settled = Objection.objects.filter(pk=objection.pk, state=Objection.State.OPEN).update(
            state=state, finding=finding, settled_at=clock.now(), settled_by=by
        )
        if not settled:
            raise ValidationError("这件异议已由他人办结，请刷新页面。")
        # A case that left with its pupil is held no longer: the finding is recorded, there is nothing to let go on.
        if case.state in (State.HELD, State.CLASS_HELD) and is_here:
            workflow.advance(case, _step(case, notice, upheld=upheld), by=by, note=finding)
        objection.line.application = case
        audit.record("objection.settle", objection, by=by, unit=notice.unit, upheld=upheld)


def _step(case: Application, notice: Notice, *, upheld: bool) -> Step:
    if upheld:
        return Step.REJECT_AFTER_CHECK
    # After the last day the line does not go back on a notice that is over: the check itself clears it. The case
    # knows its last day: returned and shown again, it stands on a later notice than the one objected to.
    ends_on = case.notice_ends_on or notice.ends_on
    return Step.CLEAR_AFTER_CHECK if clock.today() > ends_on else Step.RESUME_NOTICE
