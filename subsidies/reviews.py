"""Review meetings: class review and school review, each over a list."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from documents import uploads
from documents.models import Upload

from . import places, programmes, workflow
from .models import Application, Decision, DutyHolder, Meeting, MeetingMember, Round
from .states import Duty, State, Step

V = Decision.Verdict


@dataclass(frozen=True)
class Level:
    """What differs between the two meetings."""

    code: str
    permission: Permission
    duty: Duty
    awaiting: State
    steps: dict[str, Step]
    fewest: str  # the field of ProcessRule with the fewest members


LEVELS: dict[str, Level] = {
    Meeting.Level.CLASS: Level(
        "class",
        Permission.HOLD_CLASS_REVIEW,
        Duty.CLASS_REVIEW,
        State.SUBMITTED,
        {V.AGREE: Step.PASS_CLASS, V.RETURN: Step.RETURN_FROM_CLASS, V.REJECT: Step.REJECT_AT_CLASS},
        "class_review_members",
    ),
    Meeting.Level.SCHOOL: Level(
        "school",
        Permission.HOLD_SCHOOL_REVIEW,
        Duty.SCHOOL_REVIEW,
        State.CLASS_REVIEWED,
        {
            V.AGREE: Step.PASS_SCHOOL,
            V.RETURN: Step.RETURN_FROM_SCHOOL,
            V.TO_CLASS: Step.RETURN_TO_CLASS,
            V.REJECT: Step.REJECT_AT_SCHOOL,
        },
        "school_review_members",
    ),
}


@dataclass(frozen=True)
class Member:
    name: str
    capacity: str


@dataclass(frozen=True)
class Verdict:
    """What the meeting says of one application."""

    application: Application
    verdict: str  # Decision.Verdict value
    votes_for: int | None = None
    votes_against: int | None = None
    opinion: str = ""


@dataclass(frozen=True)
class Minutes:
    """When, where and by whom the meeting was held."""

    held_on: dt.date
    place: str
    chair: str
    members: list[Member]
    text: str
    photos: list[UploadedFile] = field(default_factory=list)


def awaiting(round_: Round, unit: Unit, level: str) -> "list[Application]":
    """The list the next meeting of this level sits over, in class order."""
    rows = Application.objects.filter(
        round=round_, state=LEVELS[level].awaiting, school_class__path__startswith=unit.path
    )
    return list(rows.select_related("pupil", "school_class").order_by("school_class__path", "pupil__name", "pk"))


def barred(applications: Iterable[Application], level: str, *, by: User) -> set:
    """Keys of the applications this person may not decide on: they already hold another duty there,
    or (at school level) it is their own class."""
    applications = list(applications)
    held = set(
        DutyHolder.objects.filter(application__in=[a.pk for a in applications], by=by)
        .exclude(duty=LEVELS[level].duty)
        .values_list("application_id", flat=True)
    )
    if level == Meeting.Level.SCHOOL:
        own = workflow.own_class_paths(by)
        held |= {a.pk for a in applications if a.school_class.path in own}
    return held


def hold(*, round_: Round, unit: Unit, level: str, minutes: Minutes, verdicts: Iterable[Verdict], by: User) -> Meeting:
    """Record a meeting with its decisions and move every application accordingly, all or none.

    Raises ValidationError when the meeting is too small for the rule, lies in the future, decides nothing,
    counts more votes than members, or gives no reason for a return or refusal; PermissionDenied when the
    recorder may not decide on one.
    """
    kind, verdicts = LEVELS[level], list(verdicts)
    access.require(by, kind.permission, unit)
    _check_minutes(minutes, round_, kind)
    _check_verdicts(verdicts, minutes, round_)
    if any(not v.application.school_class.path.startswith(unit.path) for v in verdicts):
        raise PermissionDenied(f"名单中有不属于{unit}的申请。")
    with transaction.atomic():
        cases = workflow.lock(v.application.pk for v in verdicts)  # before decisions point to them
        if level == Meeting.Level.SCHOOL:
            places.lock_for(cases)  # before the trail's end
        meeting = _record(round_, unit, level, minutes, by=by)
        _record_decisions(meeting, verdicts)
        audit.record("meeting.hold", meeting, by=by, unit=unit, level=level, decisions=len(verdicts))
        move(verdicts, kind.steps, by=by)
    return meeting


def _check_minutes(minutes: Minutes, round_: Round, kind: Level) -> None:
    if minutes.held_on > clock.today():
        raise ValidationError({"held_on": "会议日期不能晚于今天。"})
    if minutes.held_on < round_.opens_on:
        raise ValidationError({"held_on": f"会议日期不能早于批次开始填报的日期（{round_.opens_on:%Y-%m-%d}）。"})
    fewest = getattr(programmes.process_rule(round_.programme, round_.term), kind.fewest)
    names = [member.name.strip() for member in minutes.members]
    if not all(names):
        raise ValidationError({"members": "有成员没有填写姓名，请补全或删去这一行。"})
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValidationError({"members": f"“{twice}”在成员名单中出现了两次；同名的人请在姓名后加以区分。"})
    if len(names) < fewest:
        raise ValidationError({"members": f"规定评审小组不少于 {fewest} 人，现在填写了 {len(names)} 人。"})


def _check_verdicts(verdicts: list[Verdict], minutes: Minutes, round_: Round) -> None:
    if not verdicts:
        raise ValidationError("会议没有对任何申请作出结论，请至少选择一份。")
    if any(v.application.round_id != round_.pk for v in verdicts):
        raise ValidationError("名单中有其他批次的申请；一次会议只评议一个批次，请分开记录。")
    if len({v.application.pk for v in verdicts}) < len(verdicts):
        raise ValidationError("同一份申请在名单中出现了两次，请刷新页面后重新填写。")
    silent = [v for v in verdicts if v.verdict != V.AGREE and not v.opinion.strip()]
    if silent:
        raise ValidationError(f"退回或不同意的要写明意见：还有 {len(silent)} 份没有写。")
    present = len(minutes.members)
    late = [v for v in verdicts if timezone.localdate(v.application.changed_at) > minutes.held_on]
    if late:
        last = max(timezone.localdate(v.application.changed_at) for v in late)
        raise ValidationError(
            {"held_on": f"其中 {len(late)} 份申请在 {last:%Y-%m-%d} 才办完上一环节，会议日期不能早于这一天。"}
        )
    over = [v for v in verdicts if (v.votes_for or 0) + (v.votes_against or 0) > present]
    if over:
        names = "、".join(v.application.pupil.name for v in over[:5]) + ("等" if len(over) > 5 else "")
        raise ValidationError(f"{len(over)} 份申请（{names}）的票数之和多于到会的 {present} 人，请核对票数。")


def _record(round_: Round, unit: Unit, level: str, minutes: Minutes, *, by: User) -> Meeting:
    meeting = Meeting.objects.create(
        round=round_,
        level=level,
        unit=unit,
        held_on=minutes.held_on,
        place=minutes.place,
        chair=minutes.chair,
        minutes=minutes.text,
        recorded_at=clock.now(),
        recorded_by=by,
    )
    MeetingMember.objects.bulk_create(
        [MeetingMember(meeting=meeting, name=m.name, capacity=m.capacity) for m in minutes.members]
    )
    meeting.photos.set(uploads.store(file, kind=Upload.Kind.MINUTES, unit=unit, by=by) for file in minutes.photos)
    return meeting


def _record_decisions(meeting: Meeting, verdicts: list[Verdict]) -> None:
    Decision.objects.bulk_create(
        [
            Decision(
                meeting=meeting,
                application=v.application,
                verdict=v.verdict,
                votes_for=v.votes_for,
                votes_against=v.votes_against,
                opinion=v.opinion,
            )
            for v in verdicts
        ],
        batch_size=200,
    )


def move(verdicts: list[Verdict], steps: dict[str, Step], *, by: User) -> None:
    """Let each application take the step its verdict stands for, with its opinion as the remark."""
    if any(v.verdict not in steps for v in verdicts):
        raise ValidationError("有申请的结论不是这一环节可以作出的，请刷新页面后重新选择。")
    # All at once, before the first step takes the trail's end.
    held = workflow.lock(v.application.pk for v in verdicts)
    workflow.lock_differences(row.pk for row in held)
    for verdict, step in steps.items():
        chosen = [v for v in verdicts if v.verdict == verdict]
        if chosen:
            notes = {v.application.pk: v.opinion for v in chosen}
            workflow.advance_all([v.application for v in chosen], step, by=by, notes=notes)
