"""The class teacher's list as it is typed: each row kept by itself, and handed in together with a result per pupil.

What another window or a colleague kept meanwhile is never overwritten unseen: the page sends with each row the mark of
what it showed (`mark`), and a row that reads differently now is refused with both texts at hand (`Overwritten`).
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import ProtectedError

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import cn_date
from students.models import Enrolment, Standing

from . import applications, four_eyes, workflow
from .applications import Wish
from .models import Application, Round
from .states import Duty, State, Step

_WITH_THE_CLASS = (State.DRAFT, State.RETURNED)


@dataclass(frozen=True)
class Typed:
    """One row of the class's list as the page sends it. `seen` is the mark of what the page showed; None: not said."""

    enrolment: Enrolment
    applies: bool
    tier: str = ""
    reason: str = ""
    seen: str | None = None

    @property
    def wish(self) -> Wish:
        return Wish(self.enrolment, tier=self.tier, reason=self.reason)


class Overwritten(ValidationError):
    """The row was changed in another window or by a colleague since the page showed it; nothing was kept of this one.

    `standing` is what is on record now, None when the draft was taken away.
    """

    def __init__(self, pupil: str, standing: Application | None) -> None:
        self.standing = standing
        now = f"现在是：{told(standing)}" if standing else "现在没有勾选"
        super().__init__(f"{pupil}：另一个窗口或同事刚刚改过这一行，{now}。没有覆盖，请核对后再填。")


class Verdict(StrEnum):
    """What became of one row that was handed in."""

    SENT = "sent"
    ALREADY = "already"  # handed in before: not a second time
    KEPT = "kept"  # a draft is on record, and was not handed in
    UNSAVED = "unsaved"  # nothing was kept: the page holds what was typed


@dataclass(frozen=True)
class Outcome:
    """One pupil of a class that was handed in: what became of the row, and why where it did not go."""

    typed: Typed
    verdict: Verdict
    sentence: str = ""


def mark(standing: Application | None) -> str:
    """What tells one reading of a row from another: the case, where it is, and what is typed."""
    if standing is None:
        return "none"
    said = "\x1f".join((str(standing.pk), standing.state, standing.tier, standing.reason))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def told(standing: Application) -> str:
    """What the row says, in words."""
    parts = [standing.get_state_display(), standing.tier, f"理由“{standing.reason}”" if standing.reason else "没有理由"]
    return "，".join(part for part in parts if part)


@dataclass(frozen=True)
class Kept:
    """What stands after one row was typed; where it could not be kept, why not."""

    typed: Typed
    standing: Application | None
    refused: str = ""
    is_overwritten: bool = False  # somebody else's text is in the way: both are at hand


def keep(round_: Round, school_class: Unit, typed: Typed, *, by: User) -> Application | None:
    """Make one pupil's draft what the row says: there, changed, or gone. Returns what stands then.

    Taking the tick away takes a draft away that was never handed in; a case that came back stays until it is
    withdrawn with its reason. Raises Overwritten, ValidationError as `applications.save_drafts`, PermissionDenied.
    """
    access.require(by, Permission.FILE_APPLICATION, school_class)
    with transaction.atomic():
        places = applications.lock_places([typed.enrolment])
        standing = applications.lock_standing(round_, places.values()).get(typed.enrolment.pupil_id)
        if standing and applications.is_elsewhere(standing, round_, school_class):
            raise ValidationError(_elsewhere(typed))
        if _says_so(typed, standing):
            return standing
        _refuse_overwriting(typed, standing)
        if typed.applies:
            (saved,) = applications.save_drafts(round_, school_class, [typed.wish], by=by)
            return saved
        return _untick(round_, school_class, typed, standing, by=by)


def keep_all(round_: Round, school_class: Unit, rows: Iterable[Typed], *, by: User) -> list[Kept]:
    """Keep every row as `keep` does, each by itself: one that cannot be kept stops no other. In the order given.

    Raises PermissionDenied when the class is not the person's to file for.
    """
    access.require(by, Permission.FILE_APPLICATION, school_class)
    rows, found = list(rows), {}
    with transaction.atomic():
        places = applications.lock_places(row.enrolment for row in rows)
        standing = applications.lock_standing(round_, places.values())
        todo: list[Typed] = []
        for row in rows:
            case = standing.get(row.enrolment.pupil_id)
            if case and applications.is_elsewhere(case, round_, school_class):
                found[row] = Kept(row, None, _elsewhere(row))
            elif _says_so(row, case):
                found[row] = Kept(row, case)
            elif row.seen not in (None, mark(case)):
                found[row] = Kept(row, case, _of(Overwritten(row.enrolment.pupil.name, case)), is_overwritten=True)
            elif row.applies:
                todo.append(row)
            elif refused := _refusal(partial(_untick, round_, school_class, row, case, by=by)):
                found[row] = Kept(row, case, refused)
            else:
                found[row] = Kept(row, None if case and case.state == State.DRAFT else case)
        saved, refusals = _save_what_goes(round_, school_class, todo, by=by)
        found |= {row: Kept(row, case) for row, case in saved.items()}
        if refusals:
            # What was tried and taken back left its mark on the objects, not on the record.
            standing = applications.lock_standing(round_, places.values())
            found |= {row: Kept(row, standing.get(row.enrolment.pupil_id), why) for row, why in refusals.items()}
    return [found[row] for row in rows]


def _elsewhere(typed: Typed) -> str:
    return f"{typed.enrolment.pupil} {applications.ELSEWHERE}"


def _says_so(typed: Typed, standing: Application | None) -> bool:
    """Whether the record says what the row says: an answer was lost on the way, or two people typed the same."""
    if standing is None or not typed.applies:
        return standing is None and not typed.applies
    return standing.state in _WITH_THE_CLASS and (standing.tier, standing.reason) == (typed.tier, typed.reason)


def _refuse_overwriting(typed: Typed, standing: Application | None) -> None:
    if typed.seen is not None and typed.seen != mark(standing):
        raise Overwritten(typed.enrolment.pupil.name, standing)


def _untick(
    round_: Round, school_class: Unit, typed: Typed, standing: Application | None, *, by: User
) -> Application | None:
    if standing is None or standing.school_class_id != school_class.pk:
        return standing  # one that came back to the class the pupil has left
    if standing.state == State.RETURNED:
        raise ValidationError(
            f"{typed.enrolment.pupil} 的申请是退回来的，取消勾选不会终止它。不再申请的，请到申请页撤回并写明原因；"
            "要继续申请的，请保留勾选。"
        )
    if standing.state != State.DRAFT:
        raise ValidationError(
            f"{typed.enrolment.pupil} 的申请已经提交（{standing.get_state_display()}）。不再申请的，请到申请页撤回。"
        )
    take_away(standing, note="班主任取消勾选", by=by)
    return None


def take_away(draft: Application, *, note: str, by: User) -> None:
    """A (locked) draft goes: nobody ever handed it in. One that a change in schooling left its trace on is withdrawn
    instead, with the note."""
    entry = audit.Entry("application.untick", draft, draft.school_class, {"note": note})
    try:
        with transaction.atomic():
            applications.discard([draft])
    except ProtectedError:
        workflow.advance(draft, Step.WITHDRAW, by=by, note=note)
    else:
        audit.record_all([entry], by=by)


def hand_over(round_: Round, school_class: Unit, rows: Iterable[Typed], *, by: User) -> list[Outcome]:
    """Keep every row and hand those that apply to the class review: each pupil by itself, so that one who cannot go
    stops no other. What was handed in before is not handed in twice.

    All that can go together goes together; only where something is refused is it looked for.
    """
    access.require(by, Permission.FILE_APPLICATION, school_class)
    rows = list(rows)
    found: dict[UUID, Outcome] = {}

    def say(row: Typed, verdict: Verdict, sentence: str = "") -> None:
        found[row.enrolment.pk] = Outcome(row, verdict, sentence)

    with transaction.atomic():
        places = applications.lock_places(row.enrolment for row in rows)
        standing = applications.lock_standing(round_, places.values())
        todo: list[Typed] = []
        for row in rows:
            case = standing.get(row.enrolment.pupil_id)
            if not row.applies and (case is None or case.state not in _WITH_THE_CLASS):
                continue  # nothing of the row is on record
            if case and applications.is_elsewhere(case, round_, school_class):
                if row.applies:
                    say(row, Verdict.UNSAVED, _elsewhere(row))
            elif case and row.applies and _was_sent(case, round_, school_class):
                say(row, Verdict.ALREADY, _sent_before(case, row))
            elif not _says_so(row, case) and row.seen not in (None, mark(case)):
                say(row, Verdict.UNSAVED, _of(Overwritten(row.enrolment.pupil.name, case)))
            elif row.applies:
                todo.append(row)
            elif refused := _refusal(partial(keep, round_, school_class, row, by=by)):
                say(row, Verdict.KEPT if case and case.state == State.RETURNED else Verdict.UNSAVED, refused)
        drafts, refusals = _save_what_goes(round_, school_class, todo, by=by)
        for row, why in refusals.items():
            say(row, Verdict.UNSAVED, why)
        ready = []
        for row in todo:
            if row not in drafts:
                continue
            if why := _not_yet(drafts[row], round_):
                say(row, Verdict.KEPT, why)
            else:
                ready.append(row)
        refusals = _as_many_as_go(
            ready,
            lambda some: applications.submit([drafts[row] for row in some], by=by),
            partial(_not_for_review, round_, school_class, drafts, by=by),
        )
        for row in ready:
            say(row, Verdict.KEPT if row in refusals else Verdict.SENT, refusals.get(row, ""))
    return [found[row.enrolment.pk] for row in rows if row.enrolment.pk in found]


def _was_sent(case: Application, round_: Round, school_class: Unit) -> bool:
    is_here = case.round_id == round_.pk and case.school_class_id == school_class.pk
    return is_here and case.state not in _WITH_THE_CLASS


def _sent_before(case: Application, row: Typed) -> str:
    said = f"已经提交过（{case.get_state_display()}），没有重复提交。"
    if (case.tier, case.reason) != (row.tier, row.reason):
        said += "这次填的等级或理由没有改动原来的申请；要改请联系评议人退回。"
    return said


def _not_yet(case: Application, round_: Round) -> str:
    """Why a draft is not handed in now; asked before the workflow would say the same of every row."""
    if round_.programme.tiers and not case.tier:
        return "还没有选择困难等级。选好后再提交。"
    if case.state == State.DRAFT and not round_.opens_on <= clock.today() <= round_.closes_on:
        return (
            f"填报时间是{cn_date(round_.opens_on)}至{cn_date(round_.closes_on)}，今天不能提交；"
            "需要延长请联系开启批次的人员。"
        )
    return ""


def _save_what_goes(
    round_: Round, school_class: Unit, rows: Sequence[Typed], *, by: User
) -> tuple[dict[Typed, Application], dict[Typed, str]]:
    """The drafts of the rows that could be saved, and why the others could not."""
    drafts: dict[Typed, Application] = {}

    def save(some: Sequence[Typed]) -> None:
        saved = applications.save_drafts(round_, school_class, [row.wish for row in some], by=by)
        drafts.update(zip(some, saved, strict=True))

    known = partial(_no_drafts, round_, school_class, by=by)
    return drafts, _as_many_as_go(rows, save, known)


def _no_drafts(round_: Round, school_class: Unit, rows: Sequence[Typed], *, by: User) -> dict[Typed, str]:
    """Which rows can be no drafts for a reason that is seen at once, and which. A constant number of queries."""
    found: dict[Typed, str] = {}
    cases: dict[Typed, Application] = {}
    for row, candidate in _looked_up(round_, school_class, rows).items():
        if candidate is None:
            found[row] = f"{row.enrolment.pupil} 不在{school_class}本学期的名册中，请刷新页面。"
        elif candidate.enrolment.standing != Standing.PRESENT:
            standing = candidate.enrolment.get_standing_display()
            found[row] = f"{row.enrolment.pupil} {standing}，不能填报申请，请刷新页面。"
        elif candidate.is_elsewhere or candidate.has_declined:
            found[row] = candidate.sentence
        elif candidate.application:
            cases[row] = candidate.application
    return found | _barred(cases, by=by)


def _not_for_review(
    round_: Round, school_class: Unit, drafts: Mapping[Typed, Application], rows: Sequence[Typed], *, by: User
) -> dict[Typed, str]:
    """Which drafts cannot be handed in for a reason that is seen at once, and which. A constant number of queries."""
    found: dict[Typed, str] = {}
    for row, candidate in _looked_up(round_, school_class, rows).items():
        entitled = candidate and candidate.entitlements.get(drafts[row].tier)
        if entitled and not entitled.is_entitled:
            found[row] = entitled.sentence
    return found | _barred({row: drafts[row] for row in rows if row not in found}, by=by)


def _barred(cases: Mapping[Typed, Application], *, by: User) -> dict[Typed, str]:
    """Those on which the person holds another duty, and who can file them."""
    why = four_eyes.why_not(cases.values(), Duty.FILING, by=by)
    return {row: why[case.pk] for row, case in cases.items() if case.pk in why}


def _looked_up(round_: Round, school_class: Unit, rows: Sequence[Typed]) -> dict[Typed, applications.Candidate | None]:
    found = applications.candidates(round_, school_class, among=[row.enrolment.pk for row in rows])
    by_place = {candidate.enrolment.pk: candidate for candidate in found}
    return {row: by_place.get(row.enrolment.pk) for row in rows}


def _as_many_as_go(
    rows: Sequence[Typed],
    deed: Callable[[Sequence[Typed]], object],
    known: Callable[[Sequence[Typed]], dict[Typed, str]],
) -> dict[Typed, str]:
    """Do it for all at once. Where that is refused, those with a reason that is known are put aside together, and the
    others tried by halves, down to the rows that cannot go and why not."""
    refused = _refusal(lambda: deed(rows)) if rows else ""
    if not refused:
        return {}
    aside = known(rows)
    rest = [row for row in rows if row not in aside]
    if aside:
        return aside | _as_many_as_go(rest, deed, known)
    return _by_halves(rest, deed, refused)


def _by_halves(rows: Sequence[Typed], deed: Callable[[Sequence[Typed]], object], refused: str) -> dict[Typed, str]:
    if len(rows) == 1:
        return {rows[0]: refused}
    found: dict[Typed, str] = {}
    half = len(rows) // 2
    for some in (rows[:half], rows[half:]):
        if why := _refusal(partial(deed, some)):
            found |= _by_halves(some, deed, why)
    return found


def _refusal(deed: Callable[[], object]) -> str:
    """Do it in a savepoint of its own; the sentence of the refusal, "" when it was done."""
    try:
        with transaction.atomic():
            deed()
    except (ValidationError, PermissionDenied) as refusal:
        return _of(refusal)
    return ""


def _of(refusal: ValidationError | PermissionDenied) -> str:
    return " ".join(refusal.messages) if isinstance(refusal, ValidationError) else str(refusal)
