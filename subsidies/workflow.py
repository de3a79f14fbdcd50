"""The one door through which an application changes state.

`advance` takes one, `advance_all` a list, all or none: lock, re-read, look up the table, check the actor,
check the guards, write states, steps, duties and audit rows in one transaction.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from accounts import audit, clock, scopes
from accounts.access import refusal
from accounts.models import Appointment, Unit, User
from accounts.templatetags.aid import cn_date
from students import enrolment
from students.models import BankAccount, Enrolment
from students.table_writing import pieces

from . import checks, four_eyes, places, programmes, quota_words, recognitions
from .four_eyes import SamePerson as SamePerson  # part of what `advance_all` raises
from .models import (
    Application,
    ChangeEffect,
    Decision,
    FollowUp,
    Meeting,
    PaymentLine,
    PayoutSheet,
    StepTaken,
)
from .states import ENDED_WITHOUT_AID, GIVES_PLACE_BACK, Duty, Guard, Place, State, Step, Transition
from .states import transition as look_up

_CHUNK = 500  # keys per query: well under every database's limit of parameters


class StepRefused(ValidationError):
    """The step is not possible now; the sentence says for how many and what to do."""


class StaleState(StepRefused):
    """Somebody else was faster: the record is no longer in the state the page showed."""


def advance(application: Application, step: Step, *, by: User, note: str = "") -> None:
    """Let one application take one step. Raises as `advance_all`; `application.state` is fresh afterwards."""
    advance_all([application], step, by=by, note=note)
    application.refresh_from_db(fields=["state", "changed_at"])


def advance_all(
    applications: Iterable[Application], step: Step, *, by: User, note: str = "", notes: dict | None = None
) -> int:
    """Let all of them take the step, or none. `notes` gives single applications (by key) their own remark.

    Raises StaleState or StepRefused (ValidationError) when state or guard forbids, PermissionDenied when the
    person may not (role, scope, or SamePerson: already decided another step of the same application).
    Returns how many moved.
    """
    keys = {application.pk for application in applications}
    notes = notes or {}
    with transaction.atomic():
        locked = lock(keys)
        rows = _rows_of_table(locked, step, expected=len(keys))
        _check_person(locked, rows, by)
        for guard in dict.fromkeys(guard for row in rows.values() for guard in row.guards):
            touched = [a for a in locked if guard in rows[a.pk].guards]
            _GUARDS[guard](touched, step=step, by=by, note=note, notes=notes)
        _write(locked, rows, by=by, note=note, notes=notes)
    return len(locked)


def obstacles(wanted: Mapping[UUID, Step], *, by: User, notes: Mapping[UUID, str] | None = None) -> dict[UUID, str]:
    """By key, which of the applications cannot take the step wanted of them, and why and what to do, one sentence each.

    Asked before a list is decided on, so that one who cannot go stops no other; the door asks again. Looks at what
    concerns one case alone (state, person, reason, school), with a number of queries that does not grow with what is
    found. What the list is refused as a whole (places, meetings) is not looked at. A second duty wanted is kept in the
    trail, as where the door refuses it.
    """
    found: dict[UUID, str] = {}
    notes = notes or {}
    rows: dict[Step, list[Application]] = {}
    for chunk in pieces(wanted, _CHUNK):
        for row in Application.objects.filter(pk__in=chunk).select_related("school_class", "round"):
            rows.setdefault(wanted[row.pk], []).append(row)
    for step, cases in rows.items():
        moves = {row.pk: look_up(step, row.state) for row in cases}
        for row in cases:
            move = moves[row.pk]
            if move is None:
                found[row.pk] = f"这份申请现在是“{State(row.state).label}”，可能已由他人办理。请点姓名看办理经过。"
            elif not scopes.allows(by, move.permission, row.school_class):
                found[row.pk] = refusal(move.permission)
        cases = [row for row in cases if row.pk not in found]
        for duty in {move.duty for move in moves.values() if move and move.duty}:
            alike = [row for row in cases if (move := moves[row.pk]) and move.duty == duty]
            found |= four_eyes.note_why_not(alike, duty, by=by)
        guarded = {guard: [r for r in cases if (move := moves[r.pk]) and guard in move.guards] for guard in Guard}
        found |= {
            row.pk: "没有写明原因，请写明后再提交。" for row in guarded[Guard.REASON_GIVEN] if not notes.get(row.pk)
        }
        found |= {
            row.pk: "学生已离校或已转到这个批次以外的学校，或原来的班级已经撤并，退回后没有班级能重新提交。"
            "请作出通过或不通过的结论。"
            for row in _without_a_place(guarded[Guard.STILL_A_PUPIL])
        }
        for key, end in recognitions.ended_of(guarded[Guard.RECOGNISED]).items():
            why = f"困难认定已于{cn_date(end.decided_on)}复核终止：{end.reason.rstrip('。；')}。"
            found[key] = f"{why}请退回学校，或作出不通过的结论。"
    return found


def lock(keys: Iterable) -> list[Application]:
    """The applications of the keys, fresh and locked until the transaction ends.

    Always in key order, so that two lists that overlap cannot wait for each other in a ring. A verb that
    advances in several steps, or writes an audit row first, locks its whole list before: everybody else takes
    applications first and the end of the audit trail last.
    """
    ordered = sorted(set(keys))
    return [row for chunk in pieces(ordered, _CHUNK) for row in _lock(chunk)]


def lock_differences(keys: Iterable) -> list[FollowUp]:
    """What changes left open for the payment desk of these (locked) cases, locked: after them, before the trail's end.

    A verb that writes to the trail before a step that ends cases, or hands them in again, calls it first.
    """
    return [
        row
        for chunk in pieces(keys, _CHUNK)
        for row in FollowUp.objects.select_for_update(of=("self",))
        .filter(effect__application__in=chunk, settled_at__isnull=True)
        .select_related("effect__application__school")
        .order_by("pk")
    ]


def replace_differences(keys: Iterable, *, by: User, note: str = "") -> None:
    """Nothing of these is left to the payment desk: the amounts are reckoned anew, or nothing is paid at all."""
    result, held = FollowUp.Result.REPLACED, lock_differences(keys)
    for chunk in pieces((each.pk for each in held), _CHUNK):
        FollowUp.objects.filter(pk__in=chunk).update(result=result, note=note, settled_at=clock.now(), settled_by=by)
    detail = {"result": result.label}
    entries = [audit.Entry("change.settle_payment", row, row.effect.application.school, detail) for row in held]
    if entries:
        audit.record_all(entries, by=by)


def take_duty(applications: Iterable[Application], duty: Duty, *, by: User) -> None:
    """Note that the person did this duty's work before the step that closes it (a draft filled in, say).

    Raises SamePerson when they hold another duty on one of them. Call inside the verb's transaction.
    """
    rows = list(applications)
    wanted = {row.pk: duty for row in rows}
    four_eyes.refuse_second_duty(rows, wanted, by=by)
    four_eyes.take(rows, wanted, by=by)


def _lock(keys: Sequence) -> list[Application]:
    locked = Application.objects.select_for_update(of=("self",)).filter(pk__in=keys).order_by("pk")
    return list(locked.select_related("school", "school_class", "round"))


def _rows_of_table(locked: list[Application], step: Step, *, expected: int) -> dict:
    if len(locked) != expected:
        raise StaleState(f"{expected - len(locked)} 份申请已不存在，请刷新页面。")
    rows = {a.pk: look_up(step, a.state) for a in locked}
    wrong = Counter(a.state for a in locked if rows[a.pk] is None)
    if wrong:
        now = "、".join(f"{State(state).label} {count} 份" for state, count in wrong.items())
        raise StaleState(
            f"{wrong.total()} 份申请不能“{Step(step).label}”：它们现在是{now}。可能已有人先办理，请刷新页面后再看。"
        )
    return rows


def _check_person(locked: list[Application], rows: dict, by: User) -> None:
    for application in locked:
        row = rows[application.pk]
        if not scopes.allows(by, row.permission, application.school_class):
            raise PermissionDenied(refusal(row.permission))
    four_eyes.refuse_second_duty(locked, _duties_of(locked, rows), by=by)


def _duties_of(locked: list[Application], rows: dict) -> dict:
    return {a.pk: rows[a.pk].duty for a in locked if rows[a.pk].duty}


def _write(locked: list[Application], rows: dict, *, by: User, note: str, notes: dict) -> None:
    at = clock.now()
    posts = _posts_over(locked, rows, by)
    by_move: dict[Transition, list] = {}
    for application in locked:
        by_move.setdefault(rows[application.pk], []).append(application.pk)
    for row, keys in by_move.items():
        for chunk in pieces(keys, _CHUNK):
            # Compare and set: without row locks (SQLite) this is what makes a second writer notice.
            moved = Application.objects.filter(pk__in=chunk, state=row.source).update(state=row.target, changed_at=at)
            if moved != len(chunk):
                raise StaleState("有人刚刚先办理了其中的申请，请刷新页面后再看。")
            if row.step in GIVES_PLACE_BACK:
                Application.objects.filter(pk__in=chunk).update(place="")
    StepTaken.objects.bulk_create(
        [
            StepTaken(
                application=a,
                step=rows[a.pk].step,
                source=rows[a.pk].source,
                target=rows[a.pk].target,
                at=at,
                by=by,
                role=posts[a.pk].post if posts[a.pk] else "",
                note=notes.get(a.pk, note),
            )
            for a in locked
        ],
        batch_size=_CHUNK,
    )
    four_eyes.take(locked, _duties_of(locked, rows), by=by)
    ended = [a.pk for a in locked if rows[a.pk].target in ENDED_WITHOUT_AID]
    replace_differences(ended, by=by, note="申请已终止，没有发放，不用再办。")
    # 认定 is what the principal stands for: here and nowhere else it is made, whatever page the step came from.
    if confirmed := [a for a in locked if rows[a.pk].step == Step.CONFIRM]:
        recognitions.recognise(confirmed, by=by)
    audit.record_all(
        [audit.Entry(rows[a.pk].audit_event, a, a.school_class, _told(rows[a.pk], posts[a.pk])) for a in locked],
        by=by,
    )


def _posts_over(locked: list[Application], rows: dict, by: User) -> dict:
    """In which capacity the person acts on each: "七年级1班班主任", "云岭县第一初级中学校长（代周明）"."""
    return {a.pk: scopes.capacity(by, rows[a.pk].permission, a.school_class.path) for a in locked}


def _told(row: Transition, post: Appointment | None) -> dict[str, str]:
    """The facts of the step for the trail, with the account of whoever it was done for."""
    told: dict[str, str] = {"from": row.source, "to": row.target}
    return told | {"for": post.acts_for.username} if post and post.acts_for else told


# --- Guards: each gets the applications it concerns and raises StepRefused --------------------------
# PLACE_FREE also takes the place it finds, on the row it holds locked: looking and taking must be one.


def _round_open(applications: list[Application], **_: object) -> None:
    today = clock.today()
    for round_ in {a.round for a in applications}:
        if not round_.opens_on <= today <= round_.closes_on:
            raise StepRefused(
                f"“{round_}”的填报时间是 {round_.opens_on:%Y-%m-%d} 至 {round_.closes_on:%Y-%m-%d}，今天不能提交。"
                "需要延长请联系开启批次的人员。"
            )


def _handed_in_before(applications: list[Application], **_: object) -> None:
    before = {
        key
        for chunk in pieces((a.pk for a in applications), _CHUNK)
        for key in StepTaken.objects.filter(application__in=chunk, step=Step.SUBMIT).values_list(
            "application", flat=True
        )
    }
    _round_open([a for a in applications if a.pk not in before])


def _entitled(applications: list[Application], **_: object) -> None:
    lacking = [a for a in applications if not a.amount or not a.standard_id]
    if lacking:
        raise StepRefused(f"{len(lacking)} 份申请没有适用的标准，不能提交：{lacking[0].explanation}")


def _reason_given(applications: list[Application], *, note: str, notes: dict, **_: object) -> None:
    lacking = [a for a in applications if not notes.get(a.pk, note).strip()]
    if lacking:
        raise StepRefused(f"请写明原因：{len(lacking)} 份申请没有填写。")


# Which verdict at which meeting a step needs.
_VERDICTS = {
    Step.PASS_CLASS: (Meeting.Level.CLASS, Decision.Verdict.AGREE),
    Step.PASS_TO_CLASS_NOTICE: (Meeting.Level.CLASS, Decision.Verdict.AGREE),
    Step.RETURN_FROM_CLASS: (Meeting.Level.CLASS, Decision.Verdict.RETURN),
    Step.REJECT_AT_CLASS: (Meeting.Level.CLASS, Decision.Verdict.REJECT),
    Step.PASS_SCHOOL: (Meeting.Level.SCHOOL, Decision.Verdict.AGREE),
    Step.RETURN_FROM_SCHOOL: (Meeting.Level.SCHOOL, Decision.Verdict.RETURN),
    Step.RETURN_TO_CLASS: (Meeting.Level.SCHOOL, Decision.Verdict.TO_CLASS),
    Step.REJECT_AT_SCHOOL: (Meeting.Level.SCHOOL, Decision.Verdict.REJECT),
    Step.PUT_ON_RESERVE: (Meeting.Level.SCHOOL, Decision.Verdict.RESERVE),
}


def _decided_in_meeting(applications: list[Application], *, step: Step, by: User, **_: object) -> None:
    level, verdict = _VERDICTS[step]
    since = {a.pk: a.changed_at for a in applications}
    decided = {
        d.application_id
        for chunk in pieces(since, _CHUNK)
        for d in Decision.objects.filter(
            application__in=chunk, meeting__level=level, meeting__recorded_by=by, verdict=verdict
        ).select_related("meeting")
        # A decision from before the last step (say, before a return) is about an older list.
        if d.meeting.recorded_at >= since[d.application_id]
    }
    if missing := len(since) - len(decided):
        raise StepRefused(f"{missing} 份申请在会议记录中没有相应的结论，请先记录{level.label}会议。")


def _class_notice_wanted(applications: list[Application], **_: object) -> None:
    wanting = _wanting_class_notice(applications)
    if without := [a for a in applications if a.round_id not in wanting]:
        raise StepRefused(f"{len(without)} 份申请的项目不要求班级公示，可以直接送学校评审。请刷新页面后再办。")


def _no_class_notice(applications: list[Application], **_: object) -> None:
    wanting = _wanting_class_notice(applications)
    if first := [a for a in applications if a.round_id in wanting]:
        raise StepRefused(
            f"{len(first)} 份申请的项目要求先在班内公示，不能直接送学校评审。请从“公示”页发布班级公示，期满后再送。"
        )


def _wanting_class_notice(applications: list[Application]) -> set:
    """Keys of the rounds whose lists hang in the class first."""
    rounds = {a.round_id: a.round for a in applications}
    return {
        key
        for key, round_ in rounds.items()
        if programmes.process_rule(round_.programme, round_.term).class_notice_days
    }


def _place_free(applications: list[Application], **_: object) -> None:
    if full := places.take(applications):
        raise StepRefused(full)


def _within_quota(applications: list[Application], **_: object) -> None:
    """No school sends the county more, of those who use places, while more are in use than it has."""
    found = _overs([a for a in applications if a.place == Place.TAKEN])
    if found:
        raise StepRefused([quota_words.over_words(school, overs) for school, overs in found])


def _over_quota(applications: list[Application], **_: object) -> None:
    classes = {key for _, overs in _overs(applications) for over in overs for key in over.classes}
    if others := [a for a in applications if a.place != Place.TAKEN or a.school_class_id not in classes]:
        raise StepRefused(
            f"{len(others)} 份申请不占用名额，或所在班级、学校没有超出名额，不能按名额调减退回。请刷新页面后再看。"
        )


def _overs(applications: list[Application]) -> list[tuple[Unit, list[places.Over]]]:
    """Schools of the applications that are over their places; locked, so that no reduction goes on meanwhile."""
    found = []
    for rows in places.by_list(applications):
        programme, term, schools = rows[0].programme, rows[0].term, {row.school for row in rows}
        places.lock_schools(programme, term, schools)
        overs = places.overs_in(programme, term, schools)
        found += [(school, overs[school.pk]) for school in sorted(schools, key=lambda s: s.path) if school.pk in overs]
    return found


def _on_a_notice(applications: list[Application], **_: object) -> None:
    lacking = [a for a in applications if a.notice_ends_on is None or a.notice_ends_on < clock.today()]
    if lacking:
        raise StepRefused(f"{len(lacking)} 份申请还没有列入公示，请从“公示”页发布。")


def _notice_over(applications: list[Application], **_: object) -> None:
    running = [a for a in applications if a.notice_ends_on is None or clock.today() <= a.notice_ends_on]
    if running:
        last = max((a.notice_ends_on for a in running if a.notice_ends_on), default=None)
        until = f"，{last:%Y-%m-%d} 之后才能结束" if last else ""
        raise StepRefused(f"{len(running)} 份申请公示期未满{until}，请届时再办。")


def _notice_running(applications: list[Application], **_: object) -> None:
    over = [a for a in applications if a.notice_ends_on is None or a.notice_ends_on < clock.today()]
    if over:
        raise StepRefused(f"{len(over)} 份申请的公示期已满，请按“核查通过”办理。")


def _account_known(applications: list[Application], **_: object) -> None:
    refuse_without_account(applications)


def refuse_without_account(applications: Iterable[Application]) -> None:
    """Raise StepRefused when a pupil of the list has no account in use."""
    pupils = {a.pupil_id for a in applications}
    known = {
        key
        for chunk in pieces(pupils, _CHUNK)
        for key in BankAccount.objects.filter(pupil__in=chunk, ends_on__isnull=True).values_list("pupil_id", flat=True)
    }
    if lacking := pupils - known:
        raise StepRefused(f"{len(lacking)} 名学生没有登记收款账户，请学校先在学生页补录账户，再编入批次。")


def _on_a_sheet(applications: list[Application], **_: object) -> None:
    if lacking := len(applications) - _lines_of(applications):
        raise StepRefused(f"{lacking} 份申请没有列入发放表，请从“发放”页编制批次。")


def _payment_recorded(applications: list[Application], **_: object) -> None:
    if lacking := len(applications) - _lines_of(applications, sheet__state=PayoutSheet.State.PAID):
        raise StepRefused(f"{lacking} 份申请所在的发放表还没有登记到账，请从“发放”页登记。")


def _lines_of(applications: list[Application], **which: object) -> int:
    lines = PaymentLine.objects.filter(reverses__isnull=True, **which)
    return sum(lines.filter(application__in=chunk).count() for chunk in pieces((a.pk for a in applications), _CHUNK))


def _still_a_pupil(applications: list[Application], **_: object) -> None:
    if gone := _without_a_place(applications):
        raise StepRefused(
            f"{len(gone)} 份申请不能退回：学生已离校或已转到这个批次以外的学校，或原来的班级已经撤并，"
            "退回后没有班级能重新提交。"
            "请作出通过或不通过的结论。"
        )


def _without_a_place(applications: list[Application]) -> list[Application]:
    """Those whose pupil is at no school of the round any more, or was in a class that is none since: only a class that
    goes on has a teacher who could hand them in again."""
    units = Unit.objects.in_bulk({a.round.unit_id for a in applications})
    places: dict[tuple, str] = {}
    for chunk in pieces((a.pupil_id for a in applications), _CHUNK):
        rows = enrolment.open_only(
            Enrolment.objects.filter(
                pupil__in=chunk, term__in={a.term_id for a in applications}, school_class__is_active=True
            )
        )
        places |= {(pupil, term): path for pupil, term, path in rows.values_list("pupil_id", "term_id", "path")}
    return [a for a in applications if not places.get(_who(a), "").startswith(units[a.round.unit_id].path)]


def _who(application: Application) -> tuple:
    return application.pupil_id, application.term_id


# Which outcome of a change a step carries out.
OUTCOMES = {
    Step.MOVE_CLASS: ChangeEffect.Outcome.MOVES,
    Step.MOVE_OUT: ChangeEffect.Outcome.WAITS,
    Step.MOVE_IN: ChangeEffect.Outcome.MOVES,
    Step.RETURN_FOR_CHANGE: ChangeEffect.Outcome.RETURNS,
    Step.LEAVE: ChangeEffect.Outcome.ENDS,
}


def _change_recorded(applications: list[Application], *, step: Step, by: User, **_: object) -> None:
    since = {a.pk: a.changed_at for a in applications}
    recorded = {
        effect.application_id
        for chunk in pieces(since, _CHUNK)
        for effect in ChangeEffect.objects.filter(application__in=chunk, by=by, outcome=OUTCOMES[step])
        # An effect from before the last step was carried out then.
        if effect.at >= since[effect.application_id]
    }
    if missing := len(since) - len(recorded):
        raise StepRefused(f"{missing} 份申请没有相应的异动，请从学生页“办理异动”登记。")


def _papers_complete(applications: list[Application], **_: object) -> None:
    if found := checks.stopping(applications):
        first = next(iter(found.values()))[0]
        raise StepRefused(
            f"{len(found)} 份申请的材料还不能上报，例如：{first.words}请在“上报前检查”页逐项办理，其余学生可以先上报。"
        )


def _papers_lacking(applications: list[Application], **_: object) -> None:
    found = checks.stopping(applications)
    if whole := [a for a in applications if a.pk not in found]:
        raise StepRefused(f"{len(whole)} 份申请没有查到不能上报的问题，不用退回。请刷新页面后再看。")


def _recognised(applications: list[Application], **_: object) -> None:
    if ended := recognitions.ended_of(applications):
        raise StepRefused(
            f"{len(ended)} 份申请的学生，困难认定已在复核时终止，不能通过。请退回学校，或作出不通过的结论。"
        )


def _recognition_ended(applications: list[Application], **_: object) -> None:
    if others := len(applications) - len(recognitions.ended_of(applications)):
        raise StepRefused(f"{others} 份申请的学生，困难认定没有终止，不用退回。请刷新页面后再看。")


_GUARDS: dict[Guard, Callable[..., None]] = {
    Guard.ROUND_OPEN: _round_open,
    Guard.HANDED_IN_BEFORE: _handed_in_before,
    Guard.ENTITLED: _entitled,
    Guard.REASON_GIVEN: _reason_given,
    Guard.DECIDED_IN_MEETING: _decided_in_meeting,
    Guard.CLASS_NOTICE_WANTED: _class_notice_wanted,
    Guard.NO_CLASS_NOTICE: _no_class_notice,
    Guard.PLACE_FREE: _place_free,
    Guard.WITHIN_QUOTA: _within_quota,
    Guard.OVER_QUOTA: _over_quota,
    Guard.ON_A_NOTICE: _on_a_notice,
    Guard.NOTICE_OVER: _notice_over,
    Guard.NOTICE_RUNNING: _notice_running,
    Guard.ACCOUNT_KNOWN: _account_known,
    Guard.ON_A_SHEET: _on_a_sheet,
    Guard.PAYMENT_RECORDED: _payment_recorded,
    Guard.STILL_A_PUPIL: _still_a_pupil,
    Guard.CHANGE_RECORDED: _change_recorded,
    Guard.PAPERS_COMPLETE: _papers_complete,
    Guard.PAPERS_LACKING: _papers_lacking,
    Guard.RECOGNISED: _recognised,
    Guard.RECOGNITION_ENDED: _recognition_ended,
}
