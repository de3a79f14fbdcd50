"""Objections: one line is held, the rest runs on; the finding decides."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from accounts import appointments, clock
from accounts.models import AuditRow, User
from publicity import notices, objections
from publicity.models import Objection
from subsidies import applications, workflow
from subsidies.four_eyes import SamePerson
from subsidies.models import Application, StepTaken
from subsidies.states import State, Step
from tests import cast as casting
from tests.cast import refreshed


@pytest.fixture
def line(notice):
    return notice.lines.get(name="张小明")


def receive(line, by, **changes):
    given = {"received_on": clock.today(), "channel": "来电", "content": "家中有轿车"} | changes
    return objections.receive(line, **given, by=by)


def settle(objection, by, *, upheld=False, finding="入户核查，车辆是借用。"):
    objections.settle(objection, upheld=upheld, finding=finding, by=by)


def states(rows: list[Application]) -> dict[str, str]:
    return {a.facts["name"]: a.state for a in refreshed(rows)}


def test_an_objection_holds_its_line_only(cast, reviewed, line):
    receive(line, cast.officer_a)
    assert states(reviewed) == {"张小明": State.HELD, "䶮𬎆": State.ON_NOTICE, "阿依古丽·买买提": State.ON_NOTICE}


def test_what_was_said_stays_out_of_trail_and_steps(cast, line):
    receive(line, cast.officer_a, content="张建国开宝马，13812345678")
    told = str(list(AuditRow.objects.values())) + str(list(StepTaken.objects.values()))
    assert "宝马" not in told
    assert "13812345678" not in told


def test_while_the_notice_runs_an_unfounded_objection_puts_the_line_back(cast, reviewed, line):
    settle(receive(line, cast.officer_a), cast.officer_a)
    assert states(reviewed)["张小明"] == State.ON_NOTICE


def test_after_the_last_day_an_unfounded_objection_clears_the_line(cast, reviewed, line):
    objection = receive(line, cast.officer_a)
    clock.set_demo_day(dt.date(2026, 10, 20))
    settle(objection, cast.officer_a)
    assert states(reviewed)["张小明"] == State.CLEARED


def test_after_closing_too(cast, reviewed, notice, line):
    objection = receive(line, cast.officer_a)
    clock.set_demo_day(dt.date(2026, 10, 20))
    notices.close(notice, by=cast.officer_a)
    settle(objection, cast.officer_a)
    assert set(states(reviewed).values()) == {State.CLEARED}


def test_a_founded_objection_ends_the_application(cast, reviewed, line):
    objection = receive(line, cast.officer_a)
    settle(objection, cast.officer_a, upheld=True, finding="查实购有车辆。")
    objection.refresh_from_db()
    assert states(reviewed)["张小明"] == State.REJECTED
    assert (objection.state, objection.settled_by) == (Objection.State.UPHELD, cast.officer_a)
    assert StepTaken.objects.get(step="reject_after_check").note == "查实购有车辆。"


def test_one_line_has_one_open_objection(cast, line):
    receive(line, cast.officer_a)
    with pytest.raises(ValidationError, match="已有一件异议在核查"):
        receive(line, cast.officer_a)
    assert Objection.objects.count() == 1


def test_a_line_put_back_may_be_disputed_again(cast, reviewed, line):
    settle(receive(line, cast.officer_a), cast.officer_a)
    receive(line, cast.officer_a, content="另有一事")
    assert states(reviewed)["张小明"] == State.HELD


def test_settling_twice_is_refused(cast, line):
    objection = receive(line, cast.officer_a)
    settle(objection, cast.officer_a)
    with pytest.raises(ValidationError, match="已由他人办结"):
        settle(objection, cast.officer_a, upheld=True)


def test_a_finding_is_needed(cast, reviewed, line):
    objection = receive(line, cast.officer_a)
    with pytest.raises(ValidationError, match="请写明核查情况和结论"):
        settle(objection, cast.officer_a, finding="  ")
    assert states(reviewed)["张小明"] == State.HELD


def test_it_was_received_between_publishing_and_today(cast, line):
    for day in (dt.date(2026, 10, 11), dt.date(2026, 10, 13)):
        with pytest.raises(ValidationError, match="收到日期应在发布之日（2026年10月12日）到今天之间"):
            receive(line, cast.officer_a, received_on=day)


def test_nothing_was_said_is_no_objection(cast, line):
    with pytest.raises(ValidationError, match="请写明反映了什么问题"):
        receive(line, cast.officer_a, content=" ")


def test_after_closing_it_is_a_complaint_no_objection(cast, reviewed, line):
    casting.close(cast, reviewed)
    with pytest.raises(ValidationError, match="公示已经结束；之后反映的问题请按投诉举报办理"):
        receive(type(line).objects.get(pk=line.pk), cast.officer_a)


def test_only_the_schools_own_officer_takes_and_settles(cast, line):
    others = [cast.people[who] for who in ("teacher_a1", "principal_a", "clerk", "inspector", "officer_b", "admin")]
    for other in others:
        with pytest.raises(PermissionDenied):
            receive(line, other)
    objection = receive(line, cast.officer_a)
    for other in others:
        with pytest.raises(PermissionDenied):
            settle(objection, other)


def test_a_pupil_shown_again_waits_for_the_later_notice(cast, reviewed, notice, line):
    """Cleared after a check, returned by the county, published anew: closing the first notice leaves it alone."""
    objection = receive(line, cast.officer_a)
    clock.set_demo_day(dt.date(2026, 10, 20))
    settle(objection, cast.officer_a)
    one = [a for a in refreshed(reviewed) if a.facts["name"] == "张小明"]
    workflow.advance_all(one, Step.REPORT, by=cast.officer_a)
    workflow.advance_all(one, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="材料不全")
    applications.submit(one, by=cast.teacher_a1)
    casting.walk(cast, one, State.ON_NOTICE)
    assert notices.close(notice, by=cast.officer_a) == (2, 0)
    assert states(reviewed) == {"张小明": State.ON_NOTICE, "䶮𬎆": State.CLEARED, "阿依古丽·买买提": State.CLEARED}


def shown_again(cast, reviewed) -> Application:
    """The pupil's boarding changed during the check: returned, and on notice again."""
    (one,) = (a for a in refreshed(reviewed) if a.facts["name"] == "张小明")
    casting.change_boarding(one.enrolment, "day", by=cast.officer_a)
    applications.submit([one], by=cast.teacher_a1)
    return casting.walk(cast, [one], State.ON_NOTICE)[0]


@pytest.mark.parametrize(("upheld", "reached"), [(True, State.REJECTED), (False, State.ON_NOTICE)])
def test_an_open_objection_holds_the_case_when_it_is_shown_again(cast, reviewed, line, upheld, reached):
    objection = receive(line, cast.officer_a)
    one = shown_again(cast, reviewed)
    assert one.state == State.HELD
    with pytest.raises(ValidationError):
        receive(one.notice_lines.latest("pk"), cast.officer_a)
    settle(objection, cast.officer_a, upheld=upheld)
    assert refreshed([one])[0].state == reached


def test_an_objection_is_not_upheld_while_the_case_is_reviewed_again(cast, reviewed, line):
    objection = receive(line, cast.officer_a)
    casting.change_boarding(line.application.enrolment, "day", by=cast.officer_a)
    with pytest.raises(ValidationError, match="没有在公示，不能按“异议成立”办结"):
        settle(objection, cast.officer_a, upheld=True)
    settle(objection, cast.officer_a)
    assert refreshed([line.application])[0].state == State.RETURNED


def test_an_objection_to_the_earlier_notice_does_not_cut_the_later_one_short(cast, reviewed, notice, line):
    """Disputed on a notice that still hangs past its day, the case goes back on the one it stands on now."""
    objection = receive(line, cast.officer_a)
    clock.set_demo_day(dt.date(2026, 10, 20))
    settle(objection, cast.officer_a)
    one = [a for a in refreshed(reviewed) if a.facts["name"] == "张小明"]
    workflow.advance_all(one, Step.REPORT, by=cast.officer_a)
    workflow.advance_all(one, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="材料不全")
    applications.submit(one, by=cast.teacher_a1)
    casting.walk(cast, one, State.ON_NOTICE)
    settle(receive(line, cast.officer_a), cast.officer_a)
    assert states(one) == {"张小明": State.ON_NOTICE}


def test_who_filed_the_case_does_not_check_what_is_said_against_it(cast, reviewed, line):
    """One person with two chairs: the class teacher who is the school's officer too."""
    objection = receive(line, cast.officer_a)
    casting.appoint(cast.teacher_a1, "aid_officer", cast.school_a)
    for upheld in (False, True):
        with pytest.raises(SamePerson, match="异议要由没有经手的人核查"):
            settle(objection, cast.teacher_a1, upheld=upheld)
    assert states(reviewed)["张小明"] == State.HELD
    settle(objection, cast.officer_a)
    assert states(reviewed)["张小明"] == State.ON_NOTICE


def test_nor_does_whoever_acts_for_them(cast, line):
    casting.appoint(cast.teacher_a1, "aid_officer", cast.school_a)
    deputy = casting.person("ma", "马腾", "principal", cast.school_b)
    post = cast.teacher_a1.appointments.get(role="aid_officer")
    until = clock.today() + dt.timedelta(days=3)
    appointments.act_for(post, deputy, starts_on=clock.today(), ends_on=until, reason="外出培训", by=cast.admin)
    with pytest.raises(SamePerson):
        settle(receive(line, cast.officer_a), User.objects.get(pk=deputy.pk))
