"""Anything that can happen to pupils, again and again, between filing, reviewing and paying: the register stays whole.

Refusals are allowed, any other exception is a fault. The seed makes a history repeatable; a failing one names it.
"""

import random
from collections import Counter

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Sum

from accounts import clock
from accounts.audit import verify_chain
from students import changes as register
from students.changes import Request
from students.models import Enrolment, StatusChange
from subsidies import applications, changes, workflow
from subsidies.models import Application, ChangeEffect, FollowUp, PaymentLine, StepTaken
from subsidies.states import ENDED_WITHOUT_AID, State, Step
from tests.cast import Cast, agree, batch, enrol, grade_head_of, refreshed
from tests.subsidies.test_changes import second_junior

Kind = StatusChange.Kind
DEEDS = 70
ON_A_SHEET = (State.IN_BATCH, State.PAID)
REPORTED_ON = (State.REPORTED, State.VERIFIED, State.APPROVED, *ON_A_SHEET)


class History:
    def __init__(self, cast: Cast, round_, seed: int) -> None:
        self.cast, self.round, self.luck = cast, round_, random.Random(seed)
        self.school_c, self.class_c = second_junior(cast)
        self.classes = [cast.class_a1, cast.class_a2, self.class_c]
        self.pupils = [
            enrol(cast, self.luck.choice(self.classes[:2]), name=f"学生{n}", boarding=boarding).pupil
            for n, boarding in enumerate(["boarding", "day", "boarding", "day", "boarding"])
        ]
        self.officers = {cast.school_a.pk: cast.officer_a, self.school_c.pk: cast.officer_c}
        self.teachers = {
            cast.class_a1.pk: cast.teacher_a1, cast.class_a2.pk: cast.teacher_a2, self.class_c.pk: cast.teacher_c,
        }  # fmt: skip
        self.done: Counter[str] = Counter()

    # What happens. Each may be refused.

    def change(self) -> None:
        pupil = self.luck.choice(self.pupils)
        place = register.place_of(pupil)
        kind = self.luck.choice(
            list(Kind) if self.luck.random() < 0.2 or not place else register.ALLOWED[place.standing]
        )
        if place is None and self.luck.random() < 0.8:
            kind = Kind.TRANSFER_IN
        if kind in (Kind.DECEASE, Kind.GRADUATE, Kind.WITHDRAW) and self.luck.random() < 0.8:
            kind = Kind.BOARDING
        unit = self.luck.choice(self.classes)
        if kind in (Kind.CHANGE_CLASS, Kind.RETURN) and place and place.school_id == self.cast.school_a.pk:
            unit = self.luck.choice(self.classes[:2])
        goes = kind == Kind.TRANSFER_OUT and self.luck.random() < 0.7
        both = goes and self.luck.random() < 0.4
        there = (
            (self.class_c if place and place.school_id != self.school_c.pk else self.cast.class_a1) if goes else None
        )
        takes = kind in (Kind.CHANGE_CLASS, Kind.RETURN, Kind.TRANSFER_IN)
        request = Request(
            kind=kind, pupil=pupil, on=clock.today(), reason="写明的原因",
            school_class=there.school_class if both and there else unit.school_class if takes else None,
            boarding=self.luck.choice(["boarding", "day"]) if both or kind in (Kind.BOARDING, Kind.TRANSFER_IN) else "",
            to_school=there.parent if there else None,
            to_place="" if there or kind != Kind.TRANSFER_OUT else "外省",
        )  # fmt: skip
        by = self.cast.clerk
        if not both and self.luck.random() < 0.7:
            by = self.officers[place.school_id if place else unit.parent_id]
        shown = changes.plan(request, by=by)
        states = {effect.application.pk: effect.application.state for effect in shown.effects}
        changes.record(request, by=by, seen=shown.digest)
        for effect in shown.effects:
            self.done[f"{effect.outcome}"] += 1
            if effect.outcome in ("stays", "desk"):
                assert Application.objects.get(pk=effect.application.pk).state == states[effect.application.pk]

    def file(self) -> None:
        unit = self.luck.choice(self.classes)
        ready = [c for c in applications.candidates(self.round, unit) if c.may_file]
        if ready:
            wishes = [applications.Wish(self.luck.choice(ready).enrolment, reason=f"理由{self.luck.random()}")]
            saved = applications.save_drafts(self.round, unit, wishes, by=self.teachers[unit.pk])
            if self.luck.random() < 0.8:
                applications.submit(saved, by=self.teachers[unit.pk])

    def review(self) -> None:
        rows = list(Application.objects.filter(state=State.SUBMITTED).order_by("filed_at")[:1])
        if rows:
            (row,) = refreshed(rows)
            agree([row], "class", row.school_class, by=grade_head_of(self.cast, row.school))

    def on(self) -> None:
        """A few steps on, as its people would take them; the notice's paper is tested elsewhere."""
        row = (
            Application.objects.filter(state__in=[State.CLASS_REVIEWED, *REPORTED_ON[:2], State.CLEARED])
            .order_by("changed_at")
            .first()
        )
        if row is None:
            return
        (row,) = refreshed([row])
        if row.state == State.CLASS_REVIEWED:
            if row.school_id == self.cast.school_a.pk:
                agree([row], "school", row.school, by=self.cast.officer_a)
                until = clock.today()
                workflow.advance(row, Step.CONFIRM, by=self.cast.principal_a)
                Application.objects.filter(pk=row.pk).update(notice_ends_on=until)
                workflow.advance(row, Step.PUBLISH, by=self.cast.officer_a)
            return
        step = {State.CLEARED: Step.REPORT, State.REPORTED: Step.VERIFY, State.VERIFIED: Step.APPROVE}[State(row.state)]
        by = {Step.REPORT: self.officers[row.school_id], Step.VERIFY: self.cast.clerk2, Step.APPROVE: self.cast.head}[
            step
        ]
        if step == Step.VERIFY and self.luck.random() < 0.3:
            workflow.advance(row, Step.RETURN_FROM_COUNTY, by=by, note="材料不全")
        else:
            workflow.advance(row, step, by=by)

    def tomorrow(self) -> None:
        import datetime as dt

        clock.set_demo_day(clock.today() + dt.timedelta(days=1))
        rows = list(Application.objects.filter(state=State.ON_NOTICE))
        for row in refreshed(rows):
            workflow.advance(row, Step.CLEAR, by=self.officers[row.school_id])

    def pay(self) -> None:
        if Application.objects.filter(state=State.APPROVED).exists():
            batch(self.cast, self.round)

    def go(self) -> None:
        deeds = (
            [self.change] * 4 + [self.file] * 3 + [self.review, self.review] + [self.on] * 5 + [self.tomorrow, self.pay]
        )
        for _ in range(DEEDS):
            deed = self.luck.choice(deeds)
            money = PaymentLine.objects.aggregate(n=Sum("amount"))["n"]
            try:
                deed()
            except (ValidationError, PermissionDenied):
                self.done["refused"] += 1
            else:
                self.done[deed.__name__] += 1
            if deed != self.pay:
                assert PaymentLine.objects.aggregate(n=Sum("amount"))["n"] == money, "a change moves no money"
            self.check()

    # What must be true at any time.

    def check(self) -> None:
        places = list(Enrolment.objects.all())
        open_ = Counter((place.pupil_id, place.term_id) for place in places if place.ends_on is None)
        assert not open_ or max(open_.values()) == 1
        for place in places:
            assert (place.ends_on is None) == (place.standing in ("present", "suspended"))
            assert place.ends_on is None or place.ends_on >= place.starts_on
            assert place.path == place.school_class.path
        self.check_cases({place.pupil_id: place for place in places if place.ends_on is None})
        for change in StatusChange.objects.select_related("enrolment"):
            assert change.enrolment.starts_on <= change.on

    def check_cases(self, here: dict) -> None:
        for row in Application.objects.exclude(state__in=ENDED_WITHOUT_AID):
            place = here.get(row.pupil_id)
            if row.state in (State.MOVING, *REPORTED_ON):
                continue  # under way, or decided for the term
            if row.state == State.RETURNED and row.steps.latest("pk").step == Step.RETURN_FROM_COUNTY:
                continue  # the county gave it back to a class that its pupil may have left
            assert place is not None, "no case is open for somebody who left"
            if row.state in (State.DRAFT, State.RETURNED, State.SUBMITTED, State.CLASS_REVIEWED):
                assert (row.school_class_id, row.enrolment_id) == (place.school_class_id, place.pk)
            assert row.school_id == place.school_id
            assert place.standing == "present" or row.state == State.RETURNED
        assert FollowUp.objects.count() == ChangeEffect.objects.filter(outcome="desk").count()
        waiting = FollowUp.objects.filter(settled_at=None, effect__difference__isnull=False)
        assert all(n == 1 for n in Counter(waiting.values_list("effect__application_id", flat=True)).values())
        ends = StepTaken.objects.filter(step=Step.LEAVE).count()
        assert ends == ChangeEffect.objects.filter(outcome="ends").count()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_the_register_stays_whole(cast, round_, seed: int) -> None:
    history = History(cast, round_, seed)
    history.go()
    assert history.done["change"] > 4, history.done
    assert verify_chain().broken_at is None
