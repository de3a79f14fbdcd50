"""One person with every appointment there is, who has done one duty on a case, tries each of the others."""

import datetime as dt
from collections.abc import Callable

import pytest

from accounts import clock
from accounts.models import User
from accounts.roles import ROLES
from subsidies import applications, reviews, school_lists, workflow
from subsidies.models import Application, Decision, DutyHolder, Meeting, StepTaken
from subsidies.states import Duty, State, Step
from subsidies.workflow import SamePerson
from tests.cast import Cast, agree, appoint, enrol, person, refreshed, submitted

DUTIES = list(Duty)
AT = {
    Duty.CLASS_REVIEW: State.SUBMITTED,
    Duty.SCHOOL_REVIEW: State.CLASS_REVIEWED,
    Duty.CONFIRMATION: State.SCHOOL_REVIEWED,
    Duty.VERIFICATION: State.REPORTED,
    Duty.APPROVAL: State.VERIFIED,
}
DESKS = {desk.duty: desk for desk in school_lists.DESKS}


@pytest.fixture
def everybody(cast: Cast) -> User:
    """Holds every post of the county, the school and the class at once."""
    found = person("everybody", "万能", "county_clerk", cast.county)
    for name, role in ROLES.items():
        if name != "county_clerk":
            appoint(found, name, {"county": cast.county, "school": cast.school_a, "class": cast.class_a2}[role.level])
    return found


def does(duty: Duty, row: Application, *, by: User) -> None:
    """The duty's own door."""
    (row,) = refreshed([row])
    if duty == Duty.FILING:
        applications.submit([row], by=by)
    elif duty in (Duty.CLASS_REVIEW, Duty.SCHOOL_REVIEW):
        level, unit = ("class", row.school_class) if duty == Duty.CLASS_REVIEW else ("school", row.school)
        agree([row], level, unit, by=by)
    else:
        verdict = reviews.Verdict(row, Decision.Verdict.AGREE)
        school_lists.decide(DESKS[duty], row.round, row.school, [verdict], by=by)


def brought_to(cast: Cast, row: Application, state: State) -> Application:
    """From wherever it stands, each step by the person whose turn it is; the notice without its paper."""
    officer, until = cast.officer_a, clock.today() + dt.timedelta(days=7)
    others = {
        State.SUBMITTED: lambda: does(Duty.CLASS_REVIEW, row, by=cast.grade_head_a),
        State.CLASS_REVIEWED: lambda: does(Duty.SCHOOL_REVIEW, row, by=officer),
        State.SCHOOL_REVIEWED: lambda: does(Duty.CONFIRMATION, row, by=cast.principal_a),
        State.CONFIRMED: lambda: workflow.advance(row, Step.PUBLISH, by=officer),
        State.ON_NOTICE: lambda: workflow.advance(row, Step.CLEAR, by=officer),
        State.CLEARED: lambda: workflow.advance(row, Step.REPORT, by=officer),
        State.REPORTED: lambda: does(Duty.VERIFICATION, row, by=cast.clerk),
    }
    while (row := refreshed([row])[0]).state != state:
        if row.state == State.CONFIRMED:
            Application.objects.filter(pk=row.pk).update(notice_ends_on=until)
        if row.state == State.ON_NOTICE:
            clock.set_demo_day(until + dt.timedelta(days=1))
        others[State(row.state)]()
    return row


def nothing_happened(row: Application, tried: Callable[[], None], sentence: str) -> None:
    (before,) = refreshed([row])
    steps, held, meetings = StepTaken.objects.count(), DutyHolder.objects.count(), Meeting.objects.count()
    with pytest.raises(SamePerson, match=sentence):
        tried()
    (after,) = refreshed([row])
    assert (after.state, after.changed_at) == (before.state, before.changed_at)
    assert (StepTaken.objects.count(), DutyHolder.objects.count()) == (steps, held)
    assert Meeting.objects.count() == meetings


PAIRS = [(first, second) for n, first in enumerate(DUTIES) for second in DUTIES[n + 1 :]]


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=[f"{a}-{b}" for a, b in PAIRS])
def test_who_did_one_duty_is_refused_each_later_one(
    cast: Cast, round_: object, everybody: User, first: Duty, second: Duty
) -> None:
    place = enrol(cast, cast.class_a1)
    if first == Duty.FILING:
        appoint(everybody, "class_teacher", cast.class_a1)
        applications.file(round_, cast.class_a1, [applications.Wish(place, reason="家庭收入低")], by=everybody)
        row = Application.objects.get(enrolment=place)
        everybody.appointments.filter(unit=cast.class_a1).delete()  # moved on: what was done stays done
        everybody.appointments_in_force = None
    else:
        row = brought_to(cast, submitted(cast, round_, place)[0], AT[first])
        does(first, row, by=everybody)
    row = brought_to(cast, row, AT[second])
    sentence = f"已经办理过其中 1 份申请的{first.label}，同一份申请的两个环节不能由同一人办理"
    nothing_happened(row, lambda: does(second, row, by=everybody), sentence)


# Whatever was decided: how the case comes back to its teacher. (What the head approved does not come back.)
BACK = {
    Duty.CLASS_REVIEW: (State.SCHOOL_REVIEWED, [(Step.RETURN_BY_PRINCIPAL, "principal_a")]),
    Duty.SCHOOL_REVIEW: (State.SCHOOL_REVIEWED, [(Step.RETURN_BY_PRINCIPAL, "principal_a")]),
    Duty.CONFIRMATION: (State.REPORTED, [(Step.RETURN_FROM_COUNTY, "clerk")]),
    Duty.VERIFICATION: (State.VERIFIED, [(Step.RETURN_TO_CLERK, "head"), (Step.RETURN_FROM_COUNTY, "everybody")]),
}


@pytest.mark.parametrize("first", BACK)
def test_who_decided_cannot_file_what_comes_back(cast: Cast, round_: object, everybody: User, first: Duty) -> None:
    people = {"everybody": everybody, "principal_a": cast.principal_a, "clerk": cast.clerk, "head": cast.head}
    row = brought_to(cast, submitted(cast, round_, enrol(cast, cast.class_a1))[0], AT[first])
    does(first, row, by=everybody)
    state, steps = BACK[first]
    row = brought_to(cast, row, state)
    for step, who in steps:
        workflow.advance(refreshed([row])[0], step, by=people[who], note="请补材料")
    appoint(everybody, "class_teacher", cast.class_a1)
    nothing_happened(row, lambda: does(Duty.FILING, row, by=everybody), f"已经办理过其中 1 份申请的{first.label}")


@pytest.mark.parametrize("duty", DUTIES[1:])
def test_the_class_teacher_decides_nothing_about_the_own_class_above_it(cast: Cast, round_: object, duty: Duty) -> None:
    """Not even of a pupil for whom a colleague filed."""
    other = person("colleague", "同班老师", "class_teacher", cast.class_a1)
    for role, unit in (("aid_officer", cast.school_a), ("principal", cast.school_a)):
        appoint(other, role, unit)
    for role in ("county_clerk", "county_head"):
        appoint(other, role, cast.county)
    row = brought_to(cast, submitted(cast, round_, enrol(cast, cast.class_a1))[0], AT[duty])
    if duty == Duty.CLASS_REVIEW:
        does(duty, row, by=other)
        assert refreshed([row])[0].state == State.CLASS_REVIEWED
    else:
        nothing_happened(row, lambda: does(duty, row, by=other), "您是这个班的班主任")
