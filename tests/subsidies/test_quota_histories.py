"""Places handed down, taken, given back and reduced in any order, by the real verbs: the sums hold, the history tells.

Refusals are most of what happens, and leave everything as it was.
"""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts import clock
from accounts.models import AuditRow, Unit
from students.changes import Request
from students.models import Category, StatusChange
from subsidies import applications, changes, places, quotas
from subsidies.models import Application, OutsideQuota, Quota, QuotaVersion
from subsidies.quotas import BelowUse, Wish
from subsidies.states import ENDED_WITHOUT_AID, Place, State
from tests.cast import Cast, agree, change_boarding, enrol, grade_head_of, officer_of, refreshed, submitted, walk
from tests.subsidies.quota_hands import DOCUMENT

NUMBER = st.one_of(st.integers(0, 3), st.integers(1, 8), st.none())
ACTIONS = ("quota.receive", "quota.allot", "quota.pass_on", "quota.reduce")


def snapshot() -> tuple:
    return (
        list(Quota.objects.order_by("pk").values()),
        QuotaVersion.objects.count(),
        list(Application.objects.order_by("pk").values_list("pk", "state", "place")),
        AuditRow.objects.count(),
    )


@pytest.fixture
def histories(cast: Cast, round_) -> type[RuleBasedStateMachine]:
    """The machine over a county with seven cases that wait for their schools, two of them with tekun pupils."""
    units = [cast.class_a1] * 3 + [cast.class_a2] * 2 + [cast.class_b1] * 2
    pupils = [
        enrol(cast, unit, name=f"学生{n}", kinds=("tekun", "dibao_rural") if n in (0, 5) else ("dibao_rural",))
        for n, unit in enumerate(units)
    ]
    cases = submitted(cast, round_, *pupils)
    walk(cast, cases[:5], State.CLASS_REVIEWED)
    walk(cast, cases[5:], State.CLASS_REVIEWED)
    everybody = [cast.county, cast.school_a, cast.school_b, cast.class_a1, cast.class_a2, cast.class_b1]
    which = {"programme": round_.programme, "term": round_.term}
    of_list = which | {"document": DOCUMENT}
    case = st.integers(0, len(cases) - 1)

    class Histories(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.all = transaction.atomic()
            self.all.__enter__()
            self.agreed: set = set()
            self.over: dict[str, int] = {}  # by how much each unit is over its places
            self.may_be_over = False  # only a reduction that was accepted, or a rule about who stands outside

        def teardown(self) -> None:
            transaction.set_rollback(True)
            self.all.__exit__(None, None, None)

        def tried(self, deed: Callable[[], object]) -> bool:
            before = snapshot()
            try:
                deed()
            except ValidationError:
                assert snapshot() == before
                return False
            return True

        # What people do.

        @initialize()
        def begin(self) -> None:
            quotas.receive(Wish(cast.county, 7), by=cast.clerk, **of_list)
            quotas.allot(cast.county, [Wish(cast.school_a, 4)], by=cast.clerk, **of_list)
            quotas.pass_on(cast.school_a, [Wish(cast.class_a1, 2)], by=cast.officer_a, **of_list)

        @rule(number=NUMBER)
        def receive(self, number: int | None) -> None:
            self.tried(lambda: quotas.receive(Wish(cast.county, number), by=cast.clerk, **of_list))

        @rule(school=st.sampled_from([cast.school_a, cast.school_b]), number=NUMBER)
        def allot(self, school: Unit, number: int | None) -> None:
            self.tried(lambda: quotas.allot(cast.county, [Wish(school, number)], by=cast.clerk, **of_list))

        @rule(percent=st.integers(1, 100), rounding=st.sampled_from(QuotaVersion.Rounding.values))
        def allot_percent(self, percent: int, rounding: str) -> None:
            wishes = [
                Wish(unit, percent=Decimal(percent), rounding=rounding) for unit in (cast.school_a, cast.school_b)
            ]
            self.tried(lambda: quotas.allot(cast.county, wishes, by=cast.clerk, **of_list))

        @rule(unit=st.sampled_from([cast.class_a1, cast.class_a2, cast.class_b1]), number=NUMBER)
        def pass_on(self, unit: Unit, number: int | None) -> None:
            by = officer_of(cast, unit.parent)
            self.tried(lambda: quotas.pass_on(unit.parent, [Wish(unit, number)], by=by, **of_list))

        @rule(unit=st.sampled_from(everybody), number=st.integers(0, 4), accept=st.booleans())
        def reduce(self, unit: Unit, number: int, accept: bool) -> None:
            quota = Quota.objects.filter(unit=unit, **which).select_related("unit__parent").first()
            if quota is None:
                return
            by = officer_of(cast, unit.parent) if unit.level == "class" else cast.clerk

            def deed() -> object:
                seen = ""
                if accept:
                    try:
                        return quotas.reduce(quota, number, document=DOCUMENT, by=by)
                    except BelowUse as below:
                        seen = below.seen
                self.may_be_over = bool(seen)
                return quotas.reduce(quota, number, document=DOCUMENT, by=by, seen=seen)

            self.tried(deed)

        @rule(which_ones=st.sets(case, min_size=1, max_size=3))
        def school_agrees(self, which_ones: set[int]) -> None:
            rows = refreshed([cases[n] for n in sorted(which_ones)])
            rows = [row for row in rows if row.school_id == rows[0].school_id and row.state == State.CLASS_REVIEWED]
            if not rows:
                return
            by = officer_of(cast, rows[0].school)
            if self.tried(lambda: agree(rows, "school", rows[0].school, by=by)):
                self.agreed |= {row.pk for row in rows}

        @precondition(lambda self: self.agreed)
        @rule(number=case)
        def returned_and_sent_again(self, number: int) -> None:
            (row,) = refreshed([cases[number]])
            if row.state == State.SCHOOL_REVIEWED:
                other = {"boarding": "day", "day": "boarding"}[row.enrolment.boarding]
                change_boarding(row.enrolment, other, by=officer_of(cast, row.school))
            elif row.state == State.RETURNED:
                teacher = cast.people[f"teacher_{'a' if row.school_id == cast.school_a.pk else 'b'}1"]
                if row.school_class_id == cast.class_a2.pk:
                    teacher = cast.teacher_a2
                applications.submit([row], by=teacher)
                agree(refreshed([row]), "class", row.school_class, by=grade_head_of(cast, row.school))

        @rule(number=case)
        def leaves(self, number: int) -> None:
            (row,) = refreshed([cases[number]])
            if row.state in ENDED_WITHOUT_AID:
                return
            by = officer_of(cast, row.school)
            request = Request(StatusChange.Kind.WITHDRAW, pupil=row.pupil, on=clock.today(), reason="随父母外出")
            changes.record(request, by=by, seen=changes.plan(request, by=by).digest)
            self.agreed.discard(row.pk)

        @rule()
        def tekun_stands_outside_or_not(self) -> None:
            held = OutsideQuota.objects.filter(last_term="").first()
            over = {"county": cast.county, "by": cast.clerk}
            if held:
                self.may_be_over = True
                self.tried(lambda: quotas.end_outside(held, last_term=held.first_term, document="县文件", **over))
            elif not OutsideQuota.objects.exists():
                tekun = Category.objects.get(code="tekun")
                first = "2026-2027-1"
                self.tried(
                    lambda: quotas.add_outside(round_.programme, tekun, first_term=first, source=DOCUMENT, **over)
                )

        # What must be true at any time.

        @invariant()
        def the_books_are_right(self) -> None:
            self.places_are_those_of_the_cases()
            self.nobody_hands_down_more_than_they_hold()
            self.nobody_uses_more_than_there_is()
            self.the_history_tells_it_all()
            self.may_be_over = False

        def places_are_those_of_the_cases(self) -> None:
            codes = places.outside_codes(**which)
            wanted = {
                row.pk: Place.OUTSIDE if codes & {c["code"] for c in row.facts["categories"]} else Place.TAKEN
                for row in Application.objects.filter(pk__in=self.agreed)
            }
            rows = Application.objects.exclude(place="").exclude(state__in=ENDED_WITHOUT_AID)
            held = {row.pk: row.place for row in rows}
            assert held == wanted
            for unit in everybody:
                seats = places.seats_of(round_.programme, round_.term, [unit])[unit.pk]
                here = [held[row.pk] for row in rows.select_related("school_class") if unit.contains(row.school_class)]
                assert (seats.taken, seats.outside) == (here.count(Place.TAKEN), here.count(Place.OUTSIDE))

        def nobody_hands_down_more_than_they_hold(self) -> None:
            for quota in Quota.objects.select_related("unit", "parent"):
                below = [row.places for row in quota.children.all() if row.places is not None]
                assert sum(below) <= (quota.places or 0)
                if quota.places is not None and quota.parent:
                    assert quota.parent.places is not None
                if quota.places is not None and quota.unit.level != "class":
                    shared = places.shared_of(quota)
                    self.not_more_over(f"below {quota.unit_id}", max(0, shared.taken - shared.places))

        def nobody_uses_more_than_there_is(self) -> None:
            for unit in everybody:
                seats = places.seats_of(round_.programme, round_.term, [unit])[unit.pk]
                self.not_more_over(f"in {unit.pk}", seats.over)

        def not_more_over(self, where: str, over: int) -> None:
            assert over <= self.over.get(where, 0) or self.may_be_over
            self.over[where] = over

        def the_history_tells_it_all(self) -> None:
            for quota in Quota.objects.all():
                versions = list(quota.versions.order_by("number"))
                assert [row.number for row in versions] == list(range(1, quota.version + 1))
                assert [row.before for row in versions] == [None, *(row.places for row in versions)][:-1]
                assert versions[-1].places == quota.places
            assert AuditRow.objects.filter(action__in=ACTIONS).count() == QuotaVersion.objects.count()

    return Histories


def test_whatever_is_handed_down_taken_and_reduced_the_sums_hold(histories) -> None:
    run_state_machine_as_test(
        histories,
        settings=settings(
            max_examples=20,
            stateful_step_count=16,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
