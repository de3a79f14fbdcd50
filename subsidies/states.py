"""The states of an application and the one table of how it moves between them. Pure data.

README's table is printed from here (`manage.py print_transitions`), and a test compares them.
"""

from dataclasses import dataclass
from enum import StrEnum

from django.db import models

from accounts.roles import Permission


class State(models.TextChoices):
    DRAFT = "draft", "草稿"
    RETURNED = "returned", "退回补正"
    SUBMITTED = "submitted", "待班级评议"
    CLASS_PASSED = "class_passed", "待班级公示"
    ON_CLASS_NOTICE = "on_class_notice", "班级公示中"
    CLASS_HELD = "class_held", "班级公示异议核查中"
    CLASS_REVIEWED = "class_reviewed", "待学校评审"
    SCHOOL_REVIEWED = "school_reviewed", "待校长确认"
    CONFIRMED = "confirmed", "待公示"
    ON_NOTICE = "on_notice", "公示中"
    HELD = "held", "异议核查中"
    CLEARED = "cleared", "公示无异议"
    REPORTED = "reported", "待县级审核"
    VERIFIED = "verified", "待县级审批"
    APPROVED = "approved", "待发放"
    IN_BATCH = "in_batch", "发放中"
    PAID = "paid", "已发放"
    MOVING = "moving", "转学办理中"
    REJECTED = "rejected", "不予资助"
    WITHDRAWN = "withdrawn", "已终止"


class Step(models.TextChoices):
    SUBMIT = "submit", "提交"
    WITHDRAW = "withdraw", "撤回"
    PASS_CLASS = "pass_class", "班级评议通过"
    PASS_TO_CLASS_NOTICE = "pass_to_class_notice", "班级评议通过，待班级公示"
    SKIP_CLASS_NOTICE = "skip_class_notice", "不用班级公示，送学校评审"
    RETURN_FROM_CLASS = "return_from_class", "班级评议退回补正"
    REJECT_AT_CLASS = "reject_at_class", "班级评议不通过"
    PASS_SCHOOL = "pass_school", "学校评审通过"
    RETURN_FROM_SCHOOL = "return_from_school", "学校评审退回补正"
    REJECT_AT_SCHOOL = "reject_at_school", "学校评审不通过"
    PUT_ON_RESERVE = "put_on_reserve", "名额用完，列为候补"
    RETURN_TO_CLASS = "return_to_class", "退回班级重评"
    CONFIRM = "confirm", "校长确认"
    RETURN_BY_PRINCIPAL = "return_by_principal", "校长退回补正"
    RETURN_TO_SCHOOL = "return_to_school", "退回学校重评"
    PUBLISH = "publish", "发布公示"
    HOLD = "hold", "收到异议"
    RESUME_NOTICE = "resume_notice", "异议不成立，继续公示"
    CLEAR_AFTER_CHECK = "clear_after_check", "异议不成立，核查通过"
    REJECT_AFTER_CHECK = "reject_after_check", "异议成立，不予资助"
    CLEAR = "clear", "公示结束"
    REPORT = "report", "上报县中心"
    VERIFY = "verify", "县级审核通过"
    RETURN_FROM_COUNTY = "return_from_county", "县级退回补正"
    REJECT_AT_COUNTY = "reject_at_county", "县级审核不通过"
    APPROVE = "approve", "县级审批通过"
    RETURN_TO_CLERK = "return_to_clerk", "退回经办重审"
    PUT_IN_BATCH = "put_in_batch", "编入发放批次"
    PAY = "pay", "登记发放"
    # What a change in the pupil's schooling does to the case; recorded by subsidies.changes, never pressed alone.
    MOVE_CLASS = "move_class", "随学生调班，退回补正"
    MOVE_OUT = "move_out", "随学生转出"
    MOVE_IN = "move_in", "随学生转入，退回补正"
    RETURN_FOR_CHANGE = "return_for_change", "因异动退回补正"
    LEAVE = "leave", "因异动终止"
    RETURN_FOR_QUOTA = "return_for_quota", "名额调减，退回学校评审"
    RETURN_FOR_PAPERS = "return_for_papers", "上报前检查不合格，退回补正"
    RETURN_FOR_RECHECK = "return_for_recheck", "认定复核终止，退回县级审核"


class Duty(models.TextChoices):
    """What a person decides on an application. One person holds at most one duty on one application.

    Publishing, reporting, batching and recording carry out what was decided; they are no duty here. (The
    batch has its own rule: who makes it does not record its payment.)
    """

    FILING = "filing", "填报"
    CLASS_REVIEW = "class_review", "班级评议"
    SCHOOL_REVIEW = "school_review", "学校评审"
    CONFIRMATION = "confirmation", "校长确认"
    VERIFICATION = "verification", "县级审核"
    APPROVAL = "approval", "县级审批"


class Place(models.TextChoices):
    """What the school's decision did about the places of a class: the case uses one, or stands outside the quota."""

    TAKEN = "taken", "占用名额"
    OUTSIDE = "outside", "应助尽助，不占名额"


class Work(models.TextChoices):
    """The work of a round, in its order; each may have a last day. Whoever is late may still do it, filing apart."""

    FILING = "filing", "填报"
    CLASS_REVIEW = "class_review", "班级评议"
    SCHOOL_REVIEW = "school_review", "学校评审"
    CONFIRMATION = "confirmation", "校长确认"
    NOTICE = "notice", "发布公示"
    REPORT = "report", "上报县中心"
    VERIFICATION = "verification", "县级审核"
    APPROVAL = "approval", "县级审批"
    DISBURSEMENT = "disbursement", "发放"


class Guard(StrEnum):
    """Conditions beyond state and person; each is one function of `workflow`."""

    ROUND_OPEN = "批次在填报期内"
    HANDED_IN_BEFORE = "曾经提交过，或批次在填报期内"
    ENTITLED = "有适用的标准"
    REASON_GIVEN = "写明原因"
    DECIDED_IN_MEETING = "会议记录中有本人的结论"
    CLASS_NOTICE_WANTED = "规则要求班级公示"
    NO_CLASS_NOTICE = "规则不要求班级公示"
    PLACE_FREE = "有空余名额，或是应助尽助"
    WITHIN_QUOTA = "没有超出名额，或是应助尽助"
    OVER_QUOTA = "占用名额，而且超出名额"
    ON_A_NOTICE = "已列入公示"
    NOTICE_OVER = "公示期满"
    NOTICE_RUNNING = "公示期未满"
    ACCOUNT_KNOWN = "有收款账户"
    ON_A_SHEET = "已列入发放表"
    PAYMENT_RECORDED = "发放表已由编制人以外的人登记到账"
    STILL_A_PUPIL = "学生仍在批次范围内的学校就读"
    CHANGE_RECORDED = "本人刚登记的异动中有此结果"
    PAPERS_COMPLETE = "上报前检查没有不能上报的问题"
    PAPERS_LACKING = "上报前检查查到不能上报的问题"
    RECOGNISED = "困难认定没有终止"
    RECOGNITION_ENDED = "困难认定已经终止"


@dataclass(frozen=True)
class Transition:
    step: Step
    source: State
    target: State
    permission: Permission
    duty: Duty | None = None
    guards: tuple[Guard, ...] = ()

    @property
    def audit_event(self) -> str:
        return f"application.{self.step}"


P, S, T, D, G = Permission, State, Step, Duty, Guard

# How far a case has come when a change finds it: in the school's hands, or in the county's with no batch yet.
_CLASS_NOTICE = (S.CLASS_PASSED, S.ON_CLASS_NOTICE, S.CLASS_HELD)
_AT_SCHOOL = (S.CLASS_REVIEWED, S.SCHOOL_REVIEWED, S.CONFIRMED, S.ON_NOTICE, S.HELD, S.CLEARED)
_BEFORE_REPORT = (S.SUBMITTED, *_CLASS_NOTICE, *_AT_SCHOOL)
_WITH_THE_COUNTY = (S.REPORTED, S.VERIFIED, S.APPROVED)
_CHANGED = (G.REASON_GIVEN, G.CHANGE_RECORDED)

TRANSITIONS: tuple[Transition, ...] = (
    Transition(T.SUBMIT, S.DRAFT, S.SUBMITTED, P.FILE_APPLICATION, D.FILING, (G.ROUND_OPEN, G.ENTITLED)),
    # What comes back is mended at any time. A draft of another class that came with its pupil was never handed in.
    Transition(T.SUBMIT, S.RETURNED, S.SUBMITTED, P.FILE_APPLICATION, D.FILING, (G.HANDED_IN_BEFORE, G.ENTITLED)),
    Transition(T.WITHDRAW, S.DRAFT, S.WITHDRAWN, P.FILE_APPLICATION, D.FILING, (G.REASON_GIVEN,)),
    Transition(T.WITHDRAW, S.RETURNED, S.WITHDRAWN, P.FILE_APPLICATION, D.FILING, (G.REASON_GIVEN,)),
    Transition(T.WITHDRAW, S.SUBMITTED, S.WITHDRAWN, P.FILE_APPLICATION, D.FILING, (G.REASON_GIVEN,)),
    Transition(
        T.PASS_CLASS,
        S.SUBMITTED,
        S.CLASS_REVIEWED,
        P.HOLD_CLASS_REVIEW,
        D.CLASS_REVIEW,
        (G.DECIDED_IN_MEETING, G.NO_CLASS_NOTICE),
    ),
    # 两级公示, where the county wants it: what the class agreed to hangs in the classroom before the school hears it.
    Transition(
        T.PASS_TO_CLASS_NOTICE,
        S.SUBMITTED,
        S.CLASS_PASSED,
        P.HOLD_CLASS_REVIEW,
        D.CLASS_REVIEW,
        (G.DECIDED_IN_MEETING, G.CLASS_NOTICE_WANTED),
    ),
    Transition(
        T.RETURN_FROM_CLASS,
        S.SUBMITTED,
        S.RETURNED,
        P.HOLD_CLASS_REVIEW,
        D.CLASS_REVIEW,
        (G.DECIDED_IN_MEETING, G.REASON_GIVEN, G.STILL_A_PUPIL),
    ),
    Transition(
        T.REJECT_AT_CLASS,
        S.SUBMITTED,
        S.REJECTED,
        P.HOLD_CLASS_REVIEW,
        D.CLASS_REVIEW,
        (G.DECIDED_IN_MEETING, G.REASON_GIVEN),
    ),
    Transition(T.PUBLISH, S.CLASS_PASSED, S.ON_CLASS_NOTICE, P.PUBLISH_CLASS_NOTICE, None, (G.ON_A_NOTICE,)),
    # The county does without class notices since: what still waits for one goes on.
    Transition(
        T.SKIP_CLASS_NOTICE, S.CLASS_PASSED, S.CLASS_REVIEWED, P.PUBLISH_CLASS_NOTICE, None, (G.NO_CLASS_NOTICE,)
    ),
    Transition(T.CLEAR, S.ON_CLASS_NOTICE, S.CLASS_REVIEWED, P.PUBLISH_CLASS_NOTICE, None, (G.NOTICE_OVER,)),
    # Objections go to the school and are checked there: the class teacher filed what they are raised against. Whoever
    # publishes a list again holds on it whom an objection of the last one is still about.
    Transition(T.HOLD, S.ON_CLASS_NOTICE, S.CLASS_HELD, P.PUBLISH_CLASS_NOTICE, None, (G.REASON_GIVEN,)),
    Transition(
        T.RESUME_NOTICE,
        S.CLASS_HELD,
        S.ON_CLASS_NOTICE,
        P.PUBLISH_NOTICE,
        None,
        (G.REASON_GIVEN, G.NOTICE_RUNNING),
    ),
    Transition(
        T.CLEAR_AFTER_CHECK, S.CLASS_HELD, S.CLASS_REVIEWED, P.PUBLISH_NOTICE, None, (G.REASON_GIVEN, G.NOTICE_OVER)
    ),
    Transition(T.REJECT_AFTER_CHECK, S.CLASS_HELD, S.REJECTED, P.PUBLISH_NOTICE, None, (G.REASON_GIVEN,)),
    Transition(
        T.PASS_SCHOOL,
        S.CLASS_REVIEWED,
        S.SCHOOL_REVIEWED,
        P.HOLD_SCHOOL_REVIEW,
        D.SCHOOL_REVIEW,
        # Here and nowhere else a place is taken: everybody in need may apply and be heard by the class, and what the
        # school agrees to is the list that is shown to the public. Beyond it every case has its place already.
        (G.DECIDED_IN_MEETING, G.PLACE_FREE),
    ),
    Transition(
        T.RETURN_FROM_SCHOOL,
        S.CLASS_REVIEWED,
        S.RETURNED,
        P.HOLD_SCHOOL_REVIEW,
        D.SCHOOL_REVIEW,
        (G.DECIDED_IN_MEETING, G.REASON_GIVEN, G.STILL_A_PUPIL),
    ),
    Transition(
        T.REJECT_AT_SCHOOL,
        S.CLASS_REVIEWED,
        S.REJECTED,
        P.HOLD_SCHOOL_REVIEW,
        D.SCHOOL_REVIEW,
        (G.DECIDED_IN_MEETING, G.REASON_GIVEN),
    ),
    # In need, and no place left: the case stays with the school, told at which rank it stands, until there is one.
    Transition(
        T.PUT_ON_RESERVE,
        S.CLASS_REVIEWED,
        S.CLASS_REVIEWED,
        P.HOLD_SCHOOL_REVIEW,
        D.SCHOOL_REVIEW,
        (G.DECIDED_IN_MEETING, G.REASON_GIVEN),
    ),
    Transition(
        T.RETURN_TO_CLASS,
        S.CLASS_REVIEWED,
        S.SUBMITTED,
        P.HOLD_SCHOOL_REVIEW,
        D.SCHOOL_REVIEW,
        (G.DECIDED_IN_MEETING, G.REASON_GIVEN),
    ),
    # 校长审核盖章: what the committee decided is the school's list when the principal stands for it. One pupil may go
    # back to whichever desk has to look again, while the rest of the list goes on.
    Transition(T.CONFIRM, S.SCHOOL_REVIEWED, S.CONFIRMED, P.CONFIRM_LIST, D.CONFIRMATION),
    Transition(
        T.RETURN_BY_PRINCIPAL,
        S.SCHOOL_REVIEWED,
        S.RETURNED,
        P.CONFIRM_LIST,
        D.CONFIRMATION,
        (G.REASON_GIVEN, G.STILL_A_PUPIL),
    ),
    *(
        Transition(step, S.SCHOOL_REVIEWED, target, P.CONFIRM_LIST, D.CONFIRMATION, (G.REASON_GIVEN,))
        for step, target in (
            (T.RETURN_TO_CLASS, S.SUBMITTED),
            (T.RETURN_TO_SCHOOL, S.CLASS_REVIEWED),
        )
    ),
    Transition(T.PUBLISH, S.CONFIRMED, S.ON_NOTICE, P.PUBLISH_NOTICE, None, (G.ON_A_NOTICE,)),
    Transition(T.HOLD, S.ON_NOTICE, S.HELD, P.PUBLISH_NOTICE, None, (G.REASON_GIVEN,)),
    Transition(T.RESUME_NOTICE, S.HELD, S.ON_NOTICE, P.PUBLISH_NOTICE, None, (G.REASON_GIVEN, G.NOTICE_RUNNING)),
    Transition(T.CLEAR_AFTER_CHECK, S.HELD, S.CLEARED, P.PUBLISH_NOTICE, None, (G.REASON_GIVEN, G.NOTICE_OVER)),
    Transition(T.REJECT_AFTER_CHECK, S.HELD, S.REJECTED, P.PUBLISH_NOTICE, None, (G.REASON_GIVEN,)),
    Transition(T.CLEAR, S.ON_NOTICE, S.CLEARED, P.PUBLISH_NOTICE, None, (G.NOTICE_OVER,)),
    Transition(T.REPORT, S.CLEARED, S.REPORTED, P.REPORT_TO_COUNTY, None, (G.WITHIN_QUOTA, G.PAPERS_COMPLETE)),
    # What no paper can mend (a missing opinion, days out of order) goes its road again; whoever returns it so decides
    # nothing about the pupil.
    *(
        Transition(
            T.RETURN_FOR_PAPERS,
            source,
            S.RETURNED,
            P.REPORT_TO_COUNTY,
            None,
            (G.REASON_GIVEN, G.PAPERS_LACKING, G.STILL_A_PUPIL),
        )
        for source in (S.CONFIRMED, S.CLEARED)
    ),
    # 名额调减: who has to step back is for the school's meeting to say, over the cases that come back to it. Whoever
    # carries that out decides nothing; what is reported is the county's.
    *(
        Transition(T.RETURN_FOR_QUOTA, source, S.CLASS_REVIEWED, P.DIVIDE_QUOTAS, None, (G.REASON_GIVEN, G.OVER_QUOTA))
        for source in (S.SCHOOL_REVIEWED, S.CONFIRMED, S.ON_NOTICE, S.HELD, S.CLEARED)
    ),
    Transition(T.VERIFY, S.REPORTED, S.VERIFIED, P.VERIFY, D.VERIFICATION, (G.RECOGNISED,)),
    *(
        Transition(step, S.REPORTED, target, P.VERIFY, D.VERIFICATION, (G.REASON_GIVEN, G.STILL_A_PUPIL))
        for step, target in (
            (T.RETURN_FROM_COUNTY, S.RETURNED),
            (T.RETURN_TO_CLASS, S.SUBMITTED),
            (T.RETURN_TO_SCHOOL, S.CLASS_REVIEWED),
        )
    ),
    Transition(T.REJECT_AT_COUNTY, S.REPORTED, S.REJECTED, P.VERIFY, D.VERIFICATION, (G.REASON_GIVEN,)),
    Transition(T.APPROVE, S.VERIFIED, S.APPROVED, P.APPROVE, D.APPROVAL, (G.RECOGNISED,)),
    Transition(T.RETURN_TO_CLERK, S.VERIFIED, S.REPORTED, P.APPROVE, D.APPROVAL, (G.REASON_GIVEN,)),
    # Nothing is paid on a recognition that is no more. The school's re-check only brings the case back to the desk
    # where the county says what becomes of it.
    *(
        Transition(
            T.RETURN_FOR_RECHECK,
            source,
            S.REPORTED,
            P.HOLD_SCHOOL_REVIEW,
            None,
            (G.REASON_GIVEN, G.RECOGNITION_ENDED),
        )
        for source in (S.VERIFIED, S.APPROVED)
    ),
    Transition(T.PUT_IN_BATCH, S.APPROVED, S.IN_BATCH, P.MAKE_BATCH, None, (G.ACCOUNT_KNOWN, G.ON_A_SHEET)),
    Transition(T.PAY, S.IN_BATCH, S.PAID, P.RECORD_PAYMENT, None, (G.PAYMENT_RECORDED,)),
    # 异动. A class's and a school's decision belong to that class and school: whoever moves on is judged anew there,
    # up to the report. Once reported, the school has decided for the term and the case is the county's.
    *(
        Transition(T.MOVE_CLASS, source, S.RETURNED, P.RECORD_CHANGES, None, _CHANGED)
        for source in (S.DRAFT, S.RETURNED, *_BEFORE_REPORT)
    ),
    *(
        Transition(T.MOVE_OUT, source, S.MOVING, P.RECORD_CHANGES, None, _CHANGED)
        for source in (S.DRAFT, S.RETURNED, *_BEFORE_REPORT)
    ),
    *(
        Transition(T.MOVE_IN, source, S.RETURNED, P.RECORD_CHANGES, None, _CHANGED)
        for source in (S.MOVING, S.DRAFT, S.RETURNED)
    ),
    # Boarding is the class teacher's to correct while the case is still with the class.
    Transition(T.RETURN_FOR_CHANGE, S.SUBMITTED, S.RETURNED, P.EDIT_PUPILS, None, _CHANGED),
    *(
        Transition(T.RETURN_FOR_CHANGE, source, S.RETURNED, P.RECORD_CHANGES, None, _CHANGED)
        for source in (*_BEFORE_REPORT[1:], *_WITH_THE_COUNTY)
    ),
    *(
        Transition(T.LEAVE, source, S.WITHDRAWN, P.RECORD_CHANGES, None, _CHANGED)
        for source in (S.DRAFT, S.RETURNED, *_BEFORE_REPORT, *_WITH_THE_COUNTY, S.MOVING)
    ),
)

# What one has to be allowed for a duty.
PERMISSION_FOR: dict[Duty, Permission] = {row.duty: row.permission for row in TRANSITIONS if row.duty}

# The pupil leaves the class (and its places); where they arrive they are judged, and need a place, anew.
GIVES_PLACE_BACK = (T.MOVE_CLASS, T.MOVE_OUT, T.MOVE_IN, T.RETURN_FOR_QUOTA)

# Whose turn it is: the permission whose holders have something to do, None where the road ends.
TURN: dict[State, Permission | None] = {
    S.DRAFT: P.FILE_APPLICATION,
    S.RETURNED: P.FILE_APPLICATION,
    S.SUBMITTED: P.HOLD_CLASS_REVIEW,
    S.CLASS_PASSED: P.PUBLISH_CLASS_NOTICE,
    S.ON_CLASS_NOTICE: P.PUBLISH_CLASS_NOTICE,
    S.CLASS_HELD: P.PUBLISH_NOTICE,
    S.CLASS_REVIEWED: P.HOLD_SCHOOL_REVIEW,
    S.SCHOOL_REVIEWED: P.CONFIRM_LIST,
    S.CONFIRMED: P.PUBLISH_NOTICE,
    S.ON_NOTICE: P.PUBLISH_NOTICE,
    S.HELD: P.PUBLISH_NOTICE,
    S.CLEARED: P.REPORT_TO_COUNTY,
    S.REPORTED: P.VERIFY,
    S.VERIFIED: P.APPROVE,
    S.APPROVED: P.MAKE_BATCH,
    S.IN_BATCH: P.RECORD_PAYMENT,
    S.MOVING: P.RECORD_CHANGES,
    S.PAID: None,
    S.REJECTED: None,
    S.WITHDRAWN: None,
}

# Which work a case waits for. What is paid waits for none; what has ended, or goes to another school, does not count.
WORK: dict[State, Work | None] = {
    S.DRAFT: Work.FILING,
    S.RETURNED: Work.FILING,
    S.SUBMITTED: Work.CLASS_REVIEW,
    S.CLASS_PASSED: Work.SCHOOL_REVIEW,
    S.ON_CLASS_NOTICE: Work.SCHOOL_REVIEW,
    S.CLASS_HELD: Work.SCHOOL_REVIEW,
    S.CLASS_REVIEWED: Work.SCHOOL_REVIEW,
    S.SCHOOL_REVIEWED: Work.CONFIRMATION,
    S.CONFIRMED: Work.NOTICE,
    S.ON_NOTICE: Work.REPORT,
    S.HELD: Work.REPORT,
    S.CLEARED: Work.REPORT,
    S.REPORTED: Work.VERIFICATION,
    S.VERIFIED: Work.APPROVAL,
    S.APPROVED: Work.DISBURSEMENT,
    S.IN_BATCH: Work.DISBURSEMENT,
    S.PAID: None,
}

# The pupil's name hangs somewhere, in the classroom or at the school.
ON_ANY_NOTICE = (S.ON_CLASS_NOTICE, S.CLASS_HELD, S.ON_NOTICE, S.HELD)

# An application in one of these no longer stands in the way of another for the same pupil and term.
ENDED_WITHOUT_AID = (S.REJECTED, S.WITHDRAWN)


def transition(step: Step, source: State | str) -> Transition | None:
    """The row of the table for this step from this state, or None if there is none."""
    return next((row for row in TRANSITIONS if row.step == step and row.source == source), None)
