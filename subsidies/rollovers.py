"""学期结转 with what it means for applications: last term's accepted list, offered to each class teacher again.

Nothing is filed by the roll-over itself: whoever fills in a draft has filed it (Duty.FILING), and the aid officer
who rolls the school over still has to hold reviews. So last term's list is offered on the class's filing page,
with every difference marked, and the class teacher takes it over in one go (`take_over`), which makes the drafts.
It is read from last term's applications each time, so a round that opens later finds it as well.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Q, QuerySet

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from accounts.templatetags.aid import yuan
from students import enrolment as register
from students import rollovers, terms
from students.models import Enrolment, RollOver, Term
from students.rollovers import Outcome, RollOverRefused

from . import applications, programmes, workflow
from .applications import Candidate, Wish
from .entitlement import Entitlement, entitlement
from .models import Application, Programme, Round
from .states import ENDED_WITHOUT_AID, State

# Accepted by the school and handed to the county, or beyond: last term's list.
ACCEPTED = (State.REPORTED, State.VERIFIED, State.APPROVED, State.IN_BATCH, State.PAID)
_UNDECIDED = tuple(state for state in State if state not in (*ACCEPTED, *ENDED_WITHOUT_AID))


@dataclass(frozen=True)
class Mark:
    """One way in which this term differs from last term, in words. `kind` is for counting."""

    kind: str  # category, boarding, class, tier, amount, account, not_entitled
    text: str


@dataclass(frozen=True)
class LastTime:
    """A pupil's accepted application of the term before, beside what is known now."""

    application: Application
    marks: tuple[Mark, ...]
    is_entitled: bool
    tier: str  # of hardship, as far as the programme still has it


@dataclass
class LastList:
    """Last term's accepted list of a class for one round, seen from now."""

    term: Term | None = None
    by_pupil: dict[UUID, LastTime] = field(default_factory=dict)  # who is in the class now
    gone: list[Application] = field(default_factory=list)  # who was on this class's list and is no longer here
    offered: list[Candidate] = field(default_factory=list)  # may be taken over now: entitled and not filed yet

    @property
    def total(self) -> int:
        return len(self.by_pupil) + len(self.gone)

    @property
    def marked(self) -> int:
        """How many of those offered differ from last term."""
        return sum(bool(self.by_pupil[c.enrolment.pupil_id].marks) for c in self.offered)


# --- the roll-over ---------------------------------------------------------------------------------


class OutcomeChanged(RollOverRefused):
    """Between trial and run something changed, so that what was looked at is not what would be done."""


def run(
    school: Unit, target: Term, choices: Mapping[int, str], *, by: User, dry_run: bool = False, seen: str = ""
) -> Outcome:
    """Take the school into the term; with `dry_run` do everything and take it back.

    `seen` is the fingerprint of the trial the person looked at. Raises OutcomeChanged when the outcome is another
    now, RollOverRefused when it cannot be done; see students.rollovers.run.
    """
    with transaction.atomic():
        outcome = rollovers.run(
            school, target, choices, by=by, busy=_busy(school, target), lingering=_lingering(school)
        )
        outcome.lists = last_lists(school, source=outcome.rollover.source, target=target)
        outcome.counts["offered"] = sum(row["offered"] for row in outcome.lists)
        outcome.rollover.report, outcome.rollover.counts = outcome.report, dict(outcome.counts)
        outcome.rollover.save(update_fields=["report", "counts"])
        if seen and fingerprint(outcome) != seen:
            raise OutcomeChanged("预览之后名册或申请有了变动，结转还没有办理。请核对新的预览后再办理。")
        if dry_run:
            transaction.set_rollback(True)
    return outcome


def fingerprint(outcome: Outcome) -> str:
    """The same for two outcomes that say the same; random keys of what was made do not count."""
    text = json.dumps([outcome.counts, outcome.report], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _busy(school: Unit, target: Term) -> dict[int, int]:
    standing = Application.objects.filter(school=school, term=target).exclude(state__in=ENDED_WITHOUT_AID)
    return dict(standing.order_by().values_list("school_class").annotate(Count("pk")))


def _lingering(school: Unit) -> set[int]:
    """Classes with cases that may still come back to the class: not yet accepted, not ended."""
    waiting = Application.objects.filter(school=school, state__in=_UNDECIDED).order_by()
    return set(waiting.values_list("school_class_id", flat=True).distinct())


def obstacles(rollover: RollOver) -> list[str]:
    """What stands in the way of undoing, a sentence each; nothing when it may be undone."""
    found = []
    filed = _since(rollover).exclude(state=State.DRAFT)
    if n := filed.count():
        found.append(f"{rollover.target}已有 {n} 份申请提交或撤回过。")
    return found + rollovers.obstacles(rollover)


def drafts_since(rollover: RollOver) -> int:
    """How many drafts undoing would throw away."""
    return _since(rollover).filter(state=State.DRAFT).count()


def _since(rollover: RollOver) -> QuerySet[Application]:
    """Applications of the target term that rest on the roll-over, or were filed after it."""
    here = Application.objects.filter(term=rollover.target_id)
    # Not joined: an index answers each half, where a join would read the whole county's applications.
    made = Enrolment.objects.filter(rollover=rollover).order_by().values("pk")
    return here.filter(Q(enrolment__in=made) | Q(school=rollover.school_id, filed_at__gte=rollover.done_at))


def undo(rollover: RollOver, *, by: User) -> RollOver:
    """Take the roll-over back: the register as it was, drafts of the new term thrown away.

    Raises RollOverRefused, with everything that stands in the way, once anything was submitted or changed since.
    """
    access.require(by, Permission.ROLL_OVER, rollover.school)
    with transaction.atomic():
        Unit.objects.select_for_update(no_key=True).get(pk=rollovers.county_key(rollover.school))
        drafts = workflow.lock(_since(rollover).values_list("pk", flat=True))
        if RollOver.objects.get(pk=rollover.pk).state != RollOver.State.DONE:
            raise RollOverRefused("这次结转已经撤销。")
        if against := obstacles(rollover):
            raise RollOverRefused("不能撤销：" + "".join(against))
        applications.discard(drafts)
        undone = rollovers.undo(rollover, by=by)
        trail = [audit.Entry("application.discard_draft", draft, draft.school_class) for draft in drafts]
        audit.record_all(trail, by=by)
    return undone


# --- last term's list, for the class ---------------------------------------------------------------


def last_list(round_: Round, school_class: Unit, candidates: Iterable[Candidate]) -> LastList:
    """The accepted list of the term before, beside the class as it is now. Three queries, however many pupils."""
    before = terms.preceding(round_.term)
    found = LastList(before)
    if before is None:
        return found
    here = {c.enrolment.pupil_id: c for c in candidates}
    accepted = Application.objects.filter(programme=round_.programme_id, term=before, state__in=ACCEPTED)
    rows = accepted.filter(Q(pupil__in=list(here)) | Q(school_class=school_class)).select_related("pupil")
    for row in rows.order_by("pupil__name", "pk"):
        if candidate := here.get(row.pupil_id):
            found.by_pupil[row.pupil_id] = last = _last_time(row, candidate, round_.programme)
            if candidate.application is None and last.is_entitled and candidate.may_file:
                found.offered.append(candidate)
        else:
            found.gone.append(row)
    return found


def _last_time(row: Application, candidate: Candidate, programme: Programme) -> LastTime:
    tier = row.tier if row.tier in programme.tiers else ""
    now = candidate.entitlements.get(tier, candidate.entitlement)
    marks = marks_of(row, candidate.facts, now, candidate.enrolment, programme)
    return LastTime(row, marks, now.is_entitled, tier)


def marks_of(
    before: Application, facts: Mapping[str, Any], now: Entitlement, place: Enrolment, programme: Programme
) -> tuple[Mark, ...]:
    """Every way in which the pupil's case differs from the accepted one of the term before."""
    return tuple(_marks(before, facts, now, place, programme))


def _marks(
    before: Application, facts: Mapping[str, Any], now: Entitlement, place: Enrolment, programme: Programme
) -> Iterable[Mark]:
    old = before.facts
    kinds_before = {row["code"]: row["name"] for row in old["categories"]}
    kinds_now = {row["code"]: row["name"] for row in facts["categories"]}
    if kinds_before.keys() != kinds_now.keys():
        names = ("、".join(kinds.values()) or "无" for kinds in (kinds_before, kinds_now))
        yield Mark("category", "困难类别：" + " → ".join(names))
    if old["boarding"] != facts["boarding"]:
        yield Mark("boarding", f"就读方式：{old['boarding_label']} → {facts['boarding_label']}")
    if before.school_id != place.school_id:
        yield Mark("class", "由其他学校转入")
    elif before.school_class_id != place.school_class_id:
        yield Mark("class", f"班级：{old['class_name']} → {facts['class_name']}")
    if before.tier and before.tier not in programme.tiers:
        yield Mark("tier", f"原等级“{before.tier}”已取消，请重新选择")
    if not now.is_entitled:
        yield Mark("not_entitled", f"不再符合：{now.sentence}")
    elif now.amount != before.amount:
        yield Mark("amount", f"金额：{yuan(before.amount)} → {yuan(now.amount)} 元。{now.sentence}")
    if facts["account"] is None:
        yield Mark("account", "没有登记收款账户")
    elif old["account"] and old["account"]["masked"] != facts["account"]["masked"]:
        yield Mark("account", f"收款账户已更换（{facts['account']['masked']}）")


def take_over(round_: Round, school_class: Unit, *, by: User) -> list[Application]:
    """Make drafts of everybody of last term's list who is still entitled and not filed for yet.

    The person who takes the list over has filed it. Raises ValidationError when there is nobody left to take
    over; else as applications.save_drafts.
    """
    access.require(by, Permission.FILE_APPLICATION, school_class)
    with transaction.atomic():
        found = last_list(round_, school_class, applications.candidates(round_, school_class))
        if not found.offered:
            raise ValidationError("上学期名单中没有可以沿用的学生：可能已经沿用过，请刷新页面。")
        return applications.save_drafts(round_, school_class, [_wish(found, c) for c in found.offered], by=by)


def _wish(found: LastList, candidate: Candidate) -> Wish:
    last = found.by_pupil[candidate.enrolment.pupil_id]
    return Wish(candidate.enrolment, tier=last.tier, reason=last.application.reason)


# --- last term's list, for the school ---------------------------------------------------------------


def last_lists(school: Unit, *, source: Term, target: Term) -> list[dict[str, Any]]:
    """Per programme: last term's accepted list against the target term's roll, in the numbers and lines of a report.

    programme, listed, offered, marked, not_entitled, gone, without_account, before and after (amounts as text),
    round (whether one is open for the school) and rows: name, class_name, before, after, marks, state.
    """
    accepted = list(
        Application.objects.filter(school=school, term=source, state__in=ACCEPTED)
        .select_related("pupil", "programme")
        .order_by("programme__code", "school_class__path", "pupil__name", "pk")
    )
    if not accepted:
        return []
    here = register.open_only(Enrolment.objects.filter(school=school, term=target))
    on_list = Application.objects.filter(school=school, term=source, state__in=ACCEPTED).values("pupil")
    places = {row.pupil_id: row for row in here.filter(pupil__in=on_list)}
    on = max(clock.today(), target.starts_on)
    facts = register.facts_of(places.values(), on=on)
    open_ = Round.objects.filter(term=target, unit__in=[school.pk, rollovers.county_key(school)])
    rounds = dict(open_.values_list("programme_id", "pk"))
    by_programme: dict[Programme, list[Application]] = defaultdict(list)
    for row in accepted:
        by_programme[row.programme].append(row)
    return [_list_of(programme, rows, places, facts, rounds, target, on) for programme, rows in by_programme.items()]


def _list_of(
    programme: Programme,
    rows: list[Application],
    places: Mapping[UUID, Enrolment],
    facts: Mapping[UUID, dict[str, Any]],
    rounds: Mapping[int, UUID],
    target: Term,
    on: Any,
) -> dict[str, Any]:
    rules = programmes.rules_of(programme)
    numbers: Counter[str] = Counter(listed=len(rows), offered=0, marked=0, not_entitled=0, gone=0, without_account=0)
    lines, before, after = [], Decimal(), Decimal()
    had = applications.had_before(programme, [row.pupil_id for row in rows], target)
    for row in rows:
        place = places.get(row.pupil_id)
        before += row.amount_due
        if place is None:
            numbers["gone"] += 1
            lines.append(_line(row, "", None, ["新学期不在本校名册（毕业、转出或已编入其他学校）"], "gone"))
            continue
        known = facts[place.pk]
        tier = row.tier if row.tier in programme.tiers else ""
        known_to_rules = applications.facts_for_rules(known | {"had_before": row.pupil_id in had}, tier)
        now = entitlement(known_to_rules, rules, term=target.key, term_name=target.name, on=on)
        marks = marks_of(row, known, now, place, programme)
        numbers["without_account"] += known["account"] is None
        if now.is_entitled:
            numbers["offered"] += 1
            numbers["marked"] += bool(marks)
            after += now.amount or Decimal()
        else:
            numbers["not_entitled"] += 1
        if marks:
            state = "offered" if now.is_entitled else "not_entitled"
            lines.append(_line(row, known["class_name"], now.amount, [mark.text for mark in marks], state))
    return {
        "programme": programme.name,
        "round": str(rounds.get(programme.pk, "")),
        "before": str(before),
        "after": str(after),
        "rows": lines,
        **numbers,
    }


def _line(row: Application, class_name: str, amount: Decimal | None, marks: list[str], state: str) -> dict[str, Any]:
    return {
        "name": row.pupil.name,
        "pupil": str(row.pupil_id),
        "class_name": class_name or row.facts["class_name"],
        "before": str(row.amount_due),
        "after": "" if amount is None else str(amount),
        "marks": marks,
        "state": state,
    }
