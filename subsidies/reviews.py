"""Review meetings: class review and school review, each over a list. Who sits in them: `review_groups`."""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from documents import uploads
from documents.models import Upload

from . import applications as filing
from . import four_eyes, places, programmes, review_groups, school_desk, workflow
from .models import Application, Decision, Meeting, MeetingMember, ProcessRule, Round
from .review_groups import Member
from .states import Duty, State, Step

__all__ = [
    "LEVELS", "Level", "Member", "Minutes", "Verdict", "awaiting", "barred", "hold", "hold_what_goes", "move",
    "steps_of",
]  # fmt: skip

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

    def method(self, rule: ProcessRule) -> str:
        """How a meeting of this level decides."""
        return rule.class_method if self.code == Meeting.Level.CLASS else rule.school_method

    def pass_mark(self, rule: ProcessRule) -> int:
        """What an application needs: per cent of those present who agree, or points; 0 for nothing."""
        return rule.class_pass_mark if self.code == Meeting.Level.CLASS else rule.school_pass_mark


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
            V.RESERVE: Step.PUT_ON_RESERVE,
            V.REJECT: Step.REJECT_AT_SCHOOL,
        },
        "school_review_members",
    ),
}


@dataclass(frozen=True)
class Verdict:
    """What the meeting says of one application."""

    application: Application
    verdict: str  # Decision.Verdict value
    votes_for: int | None = None
    votes_against: int | None = None
    opinion: str = ""
    score: Decimal | None = None  # of a hundred
    rank: int | None = None  # 1 is the hardest case of those ranked together
    tier: str = ""  # what the meeting thinks right; "" leaves the one applied for


@dataclass(frozen=True)
class Minutes:
    """When, where and by whom the meeting was held."""

    held_on: dt.date
    place: str
    chair: str
    members: list[Member]
    text: str
    photos: list[UploadedFile] = field(default_factory=list)
    observers: str = ""


def awaiting(round_: Round, unit: Unit, level: str) -> "list[Application]":
    """The list the next meeting of this level sits over, in class order."""
    rows = Application.objects.filter(
        round=round_, state=LEVELS[level].awaiting, school_class__path__startswith=unit.path
    )
    return list(rows.select_related("pupil", "school_class").order_by("school_class__path", "pupil__name", "pk"))


def barred(applications: Iterable[Application], level: str, *, by: User) -> dict[UUID, str]:
    """The applications this person may not decide on, by key, and why: they already hold another duty there,
    or (at school level) it is their own class."""
    return four_eyes.why_not(applications, LEVELS[level].duty, by=by)


def hold(*, round_: Round, unit: Unit, level: str, minutes: Minutes, verdicts: Iterable[Verdict], by: User) -> Meeting:
    """Record a meeting with its decisions and move every application accordingly, all or none.

    Where the meeting thinks another tier right, the application gets it, with its amount frozen anew. Raises
    ValidationError when the group is not as the rule wants it or somebody sits over a case of their own, the meeting
    lies in the future, decides nothing, lacks what its method wants of each, or gives no reason for a return or
    refusal; PermissionDenied when the recorder may not decide on one.
    """
    kind, verdicts = LEVELS[level], list(verdicts)
    access.require(by, kind.permission, unit)
    rule = programmes.process_rule(round_.programme, round_.term)
    _check_day(minutes, round_)
    stages = {v.application.facts.get("stage", "") for v in verdicts}
    members = review_groups.check(
        minutes.members, minutes.chair, level=level, round_=round_, unit=unit, rule=rule, stages=stages
    )
    minutes = replace(minutes, members=members)
    _check_verdicts(verdicts, minutes, round_)
    _check_figures(verdicts, review_groups.present(members), kind, rule)
    _check_tiers(verdicts, round_)
    if any(not v.application.school_class.path.startswith(unit.path) for v in verdicts):
        raise PermissionDenied(f"名单中有不属于{unit}的申请，没有记录会议。请从批次页重新打开{unit}的名单。")
    if level == Meeting.Level.SCHOOL:
        school_desk.refuse(round_, unit, verdicts, by=by)
    with transaction.atomic():
        cases = workflow.lock(v.application.pk for v in verdicts)  # before decisions point to them
        _refuse_moved_on(verdicts, cases)
        workflow.lock_differences(case.pk for case in cases)
        if level == Meeting.Level.SCHOOL:
            places.lock_for(cases)  # before the trail's end
        verdicts = _with_tiers(verdicts, {case.pk: case.tier for case in cases}, by=by)
        meeting = _record(round_, unit, level, minutes, method=kind.method(rule), by=by)
        _record_decisions(meeting, verdicts)
        namesakes = sum(member.is_namesake for member in members)
        detail = {"namesakes": namesakes} if namesakes else {}
        audit.record("meeting.hold", meeting, by=by, unit=unit, level=level, decisions=len(verdicts), **detail)
        move(verdicts, steps_of(kind, round_), by=by)
    return meeting


def hold_what_goes(
    *, round_: Round, unit: Unit, level: str, minutes: Minutes, verdicts: Iterable[Verdict], by: User
) -> tuple[Meeting | None, dict[UUID, str]]:
    """As `hold`, but a case that has moved on, or is closed to the person, stops no other: the meeting as recorded
    without it (None where nothing is left to record), and by key why it was left out. Raises as `hold`."""
    chosen, steps = list(verdicts), steps_of(LEVELS[level], round_)
    refused = workflow.obstacles(
        {v.application.pk: steps[v.verdict] for v in chosen if v.verdict in steps},
        by=by,
        notes={v.application.pk: v.opinion.strip() for v in chosen},
    )
    going = [v for v in chosen if v.application.pk not in refused]
    if not going:
        return None, refused
    return hold(round_=round_, unit=unit, level=level, minutes=minutes, verdicts=going, by=by), refused


def steps_of(kind: Level, round_: Round) -> dict[str, Step]:
    """What each verdict does; where the rule wants a notice in the class, agreement leads there first."""
    if kind.duty != Duty.CLASS_REVIEW or not programmes.process_rule(round_.programme, round_.term).class_notice_days:
        return kind.steps
    return kind.steps | {V.AGREE: Step.PASS_TO_CLASS_NOTICE}


def _check_day(minutes: Minutes, round_: Round) -> None:
    if minutes.held_on > clock.today():
        raise ValidationError({"held_on": "会议日期不能晚于今天，请改为开会的那一天。"})
    if minutes.held_on < round_.opens_on:
        raise ValidationError(
            {"held_on": f"会议日期不能早于批次开始填报的日期（{round_.opens_on:%Y-%m-%d}），请核对。"}
        )


def _check_verdicts(verdicts: list[Verdict], minutes: Minutes, round_: Round) -> None:
    if not verdicts:
        raise ValidationError("会议没有对任何申请作出结论，请至少选择一份。")
    if any(v.application.round_id != round_.pk for v in verdicts):
        raise ValidationError("名单中有其他批次的申请；一次会议只评议一个批次，请分开记录。")
    if len({v.application.pk for v in verdicts}) < len(verdicts):
        raise ValidationError("同一份申请在名单中出现了两次，请刷新页面后重新填写。")
    silent = [v for v in verdicts if v.verdict != V.AGREE and not v.opinion.strip()]
    if silent:
        raise ValidationError(
            f"退回或不同意的要写明意见：还有 {len(silent)} 份没有写（{_names(silent)}），请补写后再提交。"
        )
    late = [v for v in verdicts if timezone.localdate(v.application.changed_at) > minutes.held_on]
    if late:
        last = max(timezone.localdate(v.application.changed_at) for v in late)
        raise ValidationError(
            {
                "held_on": f"其中 {len(late)} 份申请（{_names(late)}）在 {last:%Y-%m-%d} 才办完上一环节，"
                "会议日期不能早于这一天。请核对会议日期；之后才评的，请另记一次会议。"
            }
        )


def _refuse_moved_on(verdicts: list[Verdict], cases: list[Application]) -> None:
    """Of two recordings at a time the second is about an older list; where the first moved nothing on (候补), the
    state does not tell."""
    now = {case.pk: case.changed_at for case in cases}
    stale = [v for v in verdicts if v.verdict == V.RESERVE and now.get(v.application.pk) != v.application.changed_at]
    if stale:
        raise workflow.StaleState(
            f"{_names(stale)}的申请刚刚已由他人办理，没有记录会议。请刷新页面，核对名单后再提交。"
        )


def _check_figures(verdicts: list[Verdict], present: int, kind: Level, rule: ProcessRule) -> None:
    """Votes, points and ranks: what the method wants is there, and is possible."""
    if over := [v for v in verdicts if (v.votes_for or 0) + (v.votes_against or 0) > present]:
        raise ValidationError(f"{len(over)} 份申请（{_names(over)}）的票数之和多于到会的 {present} 人，请核对票数。")
    if wrong := [v for v in verdicts if v.score is not None and not 0 <= v.score <= 100]:
        raise ValidationError(f"得分在 0 至 100 之间，请核对：{_names(wrong)}。")
    _check_ranks(verdicts, kind)
    method, mark = kind.method(rule), kind.pass_mark(rule)
    # Who only has to bring a paper, or is looked at again in the class, was not voted on.
    decided = [v for v in verdicts if v.verdict in (V.AGREE, V.REJECT)]
    agreed = [v for v in decided if v.verdict == V.AGREE]
    if method == ProcessRule.Method.VOTES:
        _want(decided, lambda v: v.votes_for is not None and v.votes_against is not None, "投票", "同意票和反对票")
        if few := [v for v in agreed if (v.votes_for or 0) * 100 < mark * present]:
            raise ValidationError(
                f"规定同意票不少于到会人数的 {mark}% 才能通过，到会 {present} 人，{_names(few)}的同意票不够，"
                "请改为不同意并写明意见，或核对票数。"
            )
    if method == ProcessRule.Method.SCORES:
        _want(decided, lambda v: v.score is not None, "打分", "得分")
        if few := [v for v in agreed if (v.score or 0) < mark]:
            raise ValidationError(
                f"规定得分不低于 {mark} 分才能通过，{_names(few)}的得分不够，请改为不同意并写明意见，或核对得分。"
            )
    if method == ProcessRule.Method.RANKING:
        _want(agreed, lambda v: v.rank is not None, "排序", "名次（1 为最困难）")


def _want(verdicts: list[Verdict], has: Callable[[Verdict], bool], method: str, what: str) -> None:
    if lacking := [v for v in verdicts if not has(v)]:
        raise ValidationError(
            f"规定以{method}方式评议，还有 {len(lacking)} 份没有填写{what}：{_names(lacking)}。请补填后再提交。"
        )


def _check_ranks(verdicts: list[Verdict], kind: Level) -> None:
    """A class ranks its list from 1 on; a school may rank within each class."""
    pools: dict[object, list[Verdict]] = {}
    for v in verdicts:
        if v.rank is not None:
            pools.setdefault(kind.code == Meeting.Level.SCHOOL and v.application.school_class_id, []).append(v)
    for pool in pools.values():
        ranks = [v.rank for v in pool if v.rank is not None]
        if len(set(ranks)) < len(ranks):
            twice = next(rank for rank in ranks if ranks.count(rank) > 1)
            same = [v for v in pool if v.rank == twice]
            raise ValidationError(f"名次 {twice} 填了 {len(same)} 次（{_names(same)}），请排出先后。")
        if kind.code == Meeting.Level.CLASS and max(ranks, default=0) != len(ranks):
            raise ValidationError(f"排了 {len(ranks)} 人，名次要从 1 到 {len(ranks)}，不跳号。请核对名次。")


def _check_tiers(verdicts: list[Verdict], round_: Round) -> None:
    tiers = round_.programme.tiers
    if wrong := [v for v in verdicts if v.tier and v.tier not in tiers]:
        raise ValidationError(f"“{wrong[0].tier}”不是{round_.programme}的困难等级，请重新选择。")
    if idle := [v for v in verdicts if v.tier and v.verdict != V.AGREE]:
        raise ValidationError(f"只有同意的才写建议等级，请核对：{_names(idle)}。")


def _names(verdicts: list[Verdict]) -> str:
    return "、".join(v.application.pupil.name for v in verdicts[:5]) + ("等" if len(verdicts) > 5 else "")


def _with_tiers(verdicts: list[Verdict], tiers: dict[UUID, str], *, by: User) -> list[Verdict]:
    """Give the (locked) applications the tiers the meeting thinks right; each verdict as it stands then."""
    changed = {v.application.pk: v.tier for v in verdicts if v.tier and v.tier != tiers[v.application.pk]}
    filing.regrade(changed, by=by)
    found = []
    for v in verdicts:
        was = tiers[v.application.pk]
        if v.application.pk in changed:
            told = f"困难等级由“{was}”调整为“{v.tier}”。" if was else f"困难等级定为“{v.tier}”。"
            found.append(replace(v, opinion=f"{v.opinion} {told}".strip()))
        else:
            found.append(replace(v, tier=was) if v.verdict == V.AGREE else v)
    return found


def _record(round_: Round, unit: Unit, level: str, minutes: Minutes, *, method: str, by: User) -> Meeting:
    meeting = Meeting.objects.create(
        round=round_,
        level=level,
        unit=unit,
        held_on=minutes.held_on,
        place=minutes.place,
        chair=minutes.chair,
        method=method,
        observers=minutes.observers,
        minutes=minutes.text,
        recorded_at=clock.now(),
        recorded_by=by,
    )
    MeetingMember.objects.bulk_create(
        [
            MeetingMember(
                meeting=meeting,
                name=m.name,
                kind=m.kind,
                capacity=m.capacity,
                pupil=m.pupil,
                attended=m.attended,
                is_namesake=m.is_namesake,
            )
            for m in minutes.members
        ]
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
                score=v.score,
                rank=v.rank,
                tier=v.tier,
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
