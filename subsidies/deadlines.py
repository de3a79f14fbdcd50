"""The deadlines of rounds and the county's dated rules for them. What a plan may be stands in `deadline_plans`.

A deadline refuses nobody: work after it goes on and is shown as late. Filing alone ends with its last day
(`workflow`), as the round says.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from students import working_calendar
from students.models import Term
from students.working_days import WorkingDays

from . import deadline_plans, programmes
from .deadline_plans import NoticeLength, Plan, Proposal, Rule
from .models import DeadlineRule, ProcessRule, Programme, Round, RoundDeadline
from .states import Work

FIRST_TERM = "2023-2024-1"  # of the rules that ship; the register begins with it

_SUGGESTED = "系统预置的建议天数，没有文件依据；请县资助中心按当地文件更改"
# What a new county begins with: (work, days after the work before, autumn, spring, source).
_SHIPPED: tuple[tuple[Work, int, str, str, str], ...] = (
    (
        Work.FILING,
        10,
        "",
        "",
        "学校年度工作安排：“九月中、下旬：做好贫困生的申请、登记、走访核实工作”（约 10 个工作日）",
    ),
    (Work.CLASS_REVIEW, 5, "", "", _SUGGESTED),
    (Work.SCHOOL_REVIEW, 5, "", "", _SUGGESTED),
    (Work.CONFIRMATION, 1, "", "", _SUGGESTED),
    (Work.NOTICE, 1, "", "", _SUGGESTED),
    (Work.REPORT, 7, "", "", "先公示、无异议后上报，公示期不少于 5 个工作日；另留 2 个工作日办理上报"),
    (Work.VERIFICATION, 10, "", "", _SUGGESTED),
    (Work.APPROVAL, 5, "", "", _SUGGESTED),
    (
        Work.DISBURSEMENT,
        0,
        "12-31",
        "06-30",
        "学校年度工作安排：“十二月份：做好贫困生救助金的发放”“六月份做好贫困生资助金的发放工作”",
    ),
)


def load() -> int:
    """Add the rules of work for which none is recorded; how many these were."""
    known = set(DeadlineRule.objects.filter(programme=None).values_list("work", flat=True))
    fresh = [
        DeadlineRule(
            work=work,
            first_term=FIRST_TERM,
            kind=DeadlineRule.Kind.AFTER if count else DeadlineRule.Kind.FIXED,
            count=count,
            autumn_on=autumn,
            spring_on=spring,
            source=source,
            recorded_at=clock.now(),
        )
        for work, count, autumn, spring, source in _SHIPPED
        if work not in known
    ]
    return len(DeadlineRule.objects.bulk_create(fresh))


# --- rules ----------------------------------------------------------------------------------------


def rules_in_force(programme: Programme, term: Term) -> dict[Work, DeadlineRule]:
    """The newest rule of each work for the programme; where it has none of its own, that for all programmes."""
    rows = DeadlineRule.objects.filter(Q(programme=programme) | Q(programme=None), first_term__lte=term.key)
    found: dict[Work, DeadlineRule] = {}
    # From the weakest to the strongest: those for all programmes first, older before newer.
    for row in sorted(
        rows.select_related("programme"), key=lambda each: (each.programme_id is not None, each.first_term)
    ):
        found[Work(row.work)] = row
    return {work: found[work] for work in Work if work in found}


def all_in_force(term: Term) -> dict[Work, list[DeadlineRule]]:
    """Each work's rules in the term: the one for all programmes first, then those of single programmes."""
    newest: dict[tuple[str, int | None], DeadlineRule] = {}
    rows = DeadlineRule.objects.filter(first_term__lte=term.key).select_related("programme")
    for row in rows.order_by("first_term"):
        newest[(row.work, row.programme_id)] = row
    by_programme = sorted(newest.values(), key=lambda row: row.programme.code if row.programme else "")
    return {work: [row for row in by_programme if row.work == work] for work in Work}


def rules_of(programme: Programme, term: Term) -> dict[Work, Rule]:
    """`rules_in_force` as plain values, without those that set no deadline."""
    found = {work: row.as_rule() for work, row in rules_in_force(programme, term).items()}
    return {work: rule for work, rule in found.items() if rule}


def set_rule(rule: DeadlineRule, *, county: Unit, by: User) -> DeadlineRule:
    """Record how a deadline is proposed, from a term on; a row of the same term is corrected. Rounds stay as they are.

    Raises ValidationError where the rule does not say when, or names a day that does not exist.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        same = DeadlineRule.objects.select_for_update().filter(
            programme=rule.programme, work=rule.work, first_term=rule.first_term
        )
        held = same.order_by("pk").first()  # the usual order joins the programme, which may not be there to lock
        before = held.words if held else ""
        if held:
            for name in ("kind", "count", "day_kind", "autumn_on", "spring_on", "is_binding", "source"):
                setattr(held, name, getattr(rule, name))
            rule = held
        rule.recorded_at, rule.recorded_by = clock.now(), by
        rule.full_clean()
        try:
            with transaction.atomic():
                rule.save()
        except IntegrityError:
            raise ValidationError("这条规定刚刚已有人登记，请刷新页面。") from None
        audit.record(
            "deadline.rule",
            rule,
            by=by,
            unit=county,
            programme=rule.programme.code if rule.programme else "",
            task=rule.get_work_display(),
            first_term=rule.first_term,
            before=before,
            after=rule.words,
            basis=rule.source,
        )
    return rule


# --- the plan of a round --------------------------------------------------------------------------


def notice_length(programme: Programme, term: Term) -> NoticeLength:
    """How long the programme's lists hang in the term. Raises ValidationError when no rule is recorded."""
    rule = programmes.process_rule(programme, term)
    return NoticeLength(rule.notice_days, rule.notice_day_kind == ProcessRule.DayKind.WORKING)


def class_notice_length(programme: Programme, term: Term) -> NoticeLength | None:
    """How long they hang in the class first, or nothing where the rule wants no such notice."""
    rule = programmes.process_rule(programme, term)
    working = rule.notice_day_kind == ProcessRule.DayKind.WORKING
    return NoticeLength(rule.class_notice_days, working) if rule.class_notice_days else None


def propose(programme: Programme, term: Term, *, opens_on: dt.date, closes_on: dt.date | None) -> Proposal:
    """What the county's rules give for a round; a last day of filing, where given, goes before the rule."""
    return deadline_plans.propose(
        rules_of(programme, term),
        term=term.key,
        opens_on=opens_on,
        closes_on=closes_on,
        notice=notice_length(programme, term),
        in_class=class_notice_length(programme, term),
        days=working_calendar.working_days(),
    )


def check(programme: Programme, term: Term, due: Plan, *, opens_on: dt.date) -> None:
    """Raises ValidationError, by the field of the day, where the plan is out of order or against a binding rule."""
    wrong = deadline_plans.faults(
        due,
        rules_of(programme, term),
        term=term.key,
        opens_on=opens_on,
        notice=notice_length(programme, term),
        in_class=class_notice_length(programme, term),
        days=working_calendar.working_days(),
    )
    if wrong:
        raise ValidationError({field_of(work): words for work, words in wrong.items()})


def remarks(due: Plan) -> list[str]:
    """What to look at before the plan is saved; none of it forbids that."""
    days: WorkingDays = working_calendar.working_days()
    return deadline_plans.remarks(due, today=clock.today(), days=days)


def field_of(work: Work) -> str:
    """The name of the work's day in forms and refusals."""
    return "closes_on" if work == Work.FILING else f"due_{work.value}"


def of(round_: Round) -> Plan:
    """The round's last days, filing among them."""
    return of_rounds([round_])[round_.pk]


def of_rounds(rounds: Iterable[Round]) -> dict[UUID, Plan]:
    """The last days of several rounds. One query."""
    found: dict[UUID, Plan] = {each.pk: {Work.FILING: each.closes_on} for each in rounds}
    for key, plan in of_keys(found).items():
        found[key] |= plan
    return found


def of_keys(rounds: Iterable[UUID]) -> dict[UUID, Plan]:
    """The last days of the work after filing, of rounds of which only the keys are at hand. One query."""
    found: dict[UUID, Plan] = {key: {} for key in rounds}
    for row in RoundDeadline.objects.filter(round__in=found):
        found[row.round_id][Work(row.work)] = row.due_on
    return found


def write(round_: Round, due: Mapping[Work, dt.date]) -> None:
    """Replace the rows of the round, within the transaction (and on the lock) of the verb that calls."""
    round_.deadlines.all().delete()
    RoundDeadline.objects.bulk_create(
        RoundDeadline(round=round_, work=work, due_on=day) for work, day in due.items() if work != Work.FILING
    )
