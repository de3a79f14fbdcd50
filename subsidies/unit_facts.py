"""更正班级、学校信息: what another grade, major or ownership does to the applications of all pupils there.

As with a change of one pupil (`changes`): shown first, then recorded if it is still what was shown. What is with the
school or the county comes back where its amount is another, a locked list is followed by a difference for the desk.
Only pupils whose application is touched get a row of 异动; the correction itself stands in the trail.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet

from accounts import access, scopes
from accounts.models import Unit, User
from accounts.roles import Permission
from students import changes as register
from students import classes, schools, terms
from students.classes import ClassFacts
from students.models import Enrolment, School, SchoolClass, Standing
from students.schools import SchoolFacts

from . import changes, workflow
from .changes import Effect, EffectsChanged, Outcome
from .models import Application, FollowUp
from .states import ENDED_WITHOUT_AID, State, Step, transition

_STAYS_OUT = (State.DRAFT, State.RETURNED, State.MOVING, *ENDED_WITHOUT_AID)


@dataclass(frozen=True)
class UnitPlan:
    """A correction and what it would do, as it stands now: cases whose amount is no other are counted only."""

    unit: Unit
    before: str
    after: str
    effects: list[Effect]
    unchanged: int
    digest: str

    @property
    def outcomes(self) -> list[tuple[str, int]]:
        """How many cases fare how, in words: (退回补正, 12)."""
        counted = Counter(Outcome(effect.outcome).label for effect in self.effects)
        return sorted(counted.items())

    @property
    def difference(self) -> Decimal:
        """元 for the desk in all."""
        return sum((effect.difference or Decimal(0) for effect in self.effects), Decimal("0.00"))


def plan_class(school_class: SchoolClass, facts: ClassFacts, *, by: User) -> UnitPlan:
    """What the correction would do now. Raises as `record_class` where it cannot be recorded at all."""
    classes.check(school_class, facts, by=by)
    now = classes.facts_of(school_class)
    other = {name: value for name, value in facts.__dict__.items() if getattr(now, name) != value}
    return _plan(school_class.unit, _of_class(school_class), classes.words(now), classes.words(facts), other, by=by)


def record_class(school_class: SchoolClass, facts: ClassFacts, *, by: User, seen: str) -> UnitPlan:
    """Correct the class and do to the applications what was shown. `seen` is the digest of the plan shown.

    Raises EffectsChanged when somebody acted meanwhile, ValidationError or PermissionDenied when it cannot be.
    """
    return _record(
        _of_class(school_class),
        lambda: plan_class(school_class, facts, by=by),
        lambda: classes.change(school_class, facts, by=by),
        by=by,
        seen=seen,
    )


def plan_school(school: School, facts: SchoolFacts, *, by: User) -> UnitPlan:
    """What another ownership would do now. Raises as `record_school`."""
    access.require(by, Permission.EDIT_SCHOOLS, school.unit)
    schools.check(facts)
    now, after = school.get_ownership_display(), School.Ownership(facts.ownership).label
    return _plan(school.unit, _of_school(school), now, after, {"ownership": facts.ownership}, by=by)


def record_school(school: School, facts: SchoolFacts, *, by: User, seen: str) -> UnitPlan:
    """Correct the school and do to the applications what was shown. Raises as `record_class`."""
    return _record(
        _of_school(school),
        lambda: plan_school(school, facts, by=by),
        lambda: schools.change(school, facts, by=by),
        by=by,
        seen=seen,
    )


def _of_class(school_class: SchoolClass) -> QuerySet[Application]:
    return _standing(Application.objects.filter(school_class=school_class.unit))


def _of_school(school: School) -> QuerySet[Application]:
    return _standing(Application.objects.filter(school=school.unit))


def _standing(rows: QuerySet[Application]) -> QuerySet[Application]:
    """Handed in this term and still on the way, or paid: what is not handed in yet is reckoned when it is.

    Of pupils who are there: what becomes of the money of who has left, or is suspended, was settled by that change.
    """
    related = ("round__programme", "round__term", "round__unit", "school", "school_class", "enrolment", "pupil")
    rows = rows.filter(term=terms.current(), enrolment__standing=Standing.PRESENT).exclude(state__in=_STAYS_OUT)
    return rows.select_related(*related).order_by("school_class__path", "pupil__name", "pk")


def _plan(
    unit: Unit, rows: QuerySet[Application], before: str, after: str, other: Mapping[str, str], *, by: User
) -> UnitPlan:
    found = [_effect(changes.with_facts(case, after, **other), by) for case in changes.cases_of(rows)]
    effects = [effect for effect in found if effect is not None]
    told = [[e.application.pk, e.application.state, e.outcome, e.sentence, e.difference] for e in effects]
    text = json.dumps([unit.pk, before, after, sorted(other.items()), told], default=str, ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return UnitPlan(unit, before, after, effects, len(found) - len(effects), digest)


def _effect(effect: Effect, by: User) -> Effect | None:
    """What the person's correction does to the case; None for nothing.

    Who may not take a case back leaves it where it is, to be sent back by those who have it before them.
    """
    if effect.outcome == Outcome.STAYS:
        return effect if effect.replaces else None
    row = transition(Step.RETURN_FOR_CHANGE, effect.application.state)
    if effect.outcome == Outcome.DESK or (row and scopes.allows(by, row.permission, effect.application.school_class)):
        return effect
    sentence = effect.sentence.removesuffix(changes.COMES_BACK)
    return Effect(effect.application, Outcome.STAYS, f"{sentence}；请班级评议时退回，由班主任重新提交。")


def _record(
    rows: QuerySet[Application], plan: Callable[[], UnitPlan], change: Callable[[], None], *, by: User, seen: str
) -> UnitPlan:
    with transaction.atomic():
        # Places before applications, as everybody who changes both does it.
        places = Enrolment.objects.filter(pk__in=rows.order_by().values("enrolment"))
        list(places.select_for_update(of=("self",)).order_by("pk"))
        workflow.lock(rows.order_by().values_list("pk", flat=True))
        waiting = FollowUp.objects.filter(effect__application__in=rows.order_by().values("pk"), settled_at__isnull=True)
        list(waiting.select_for_update(of=("self",)).order_by("pk"))
        found = plan()
        if found.digest != seen:
            raise EffectsChanged("申请刚刚有变化，没有保存。请核对下面新的影响，再点保存。")
        change()
        _apply(found, by=by)
    return found


def _apply(found: UnitPlan, *, by: User) -> None:
    touched = {effect.application.enrolment_id: effect.application.enrolment for effect in found.effects}
    written = register.note_unit(touched.values(), before=found.before, after=found.after, by=by)
    back: dict = {}
    for effect in found.effects:
        application = effect.application
        change = written[application.enrolment_id]
        changes.note_effect(change, effect, by=by)
        if effect.outcome == Outcome.RETURNS:
            back[application.pk] = application, changes.remark(change, effect.sentence)
    if back:
        notes = {key: note for key, (_, note) in back.items()}
        workflow.advance_all([row for row, _ in back.values()], Step.RETURN_FOR_CHANGE, by=by, notes=notes)
