"""亲属回避: nobody decides on a child of their own family; who only bears the guardian's name says so first."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import appointments, clock, refusals
from accounts.models import AuditRow, User
from aidadmin.waiting import waiting_for
from publicity import objections
from publicity.models import Objection
from students.models import Enrolment
from subsidies import four_eyes, kinship, near_misses, recognition_rechecks, workflow
from subsidies.models import Application, Kinship, Recognition
from subsidies.states import Duty, State, Step
from subsidies.workflow import SamePerson
from tests import cast as casting
from tests.cast import TODAY, Cast, agree, enrol, open_round, refreshed, submitted, walk


def child_of(cast: Cast, guardian: str, **how) -> Enrolment:
    return called(enrol(cast, cast.class_a1, **how), guardian)


def called(place: Enrolment, guardian: str) -> Enrolment:
    place.pupil.guardian_name = guardian
    place.pupil.save(update_fields=["guardian_name"])
    return place


def waits(user: User) -> int:
    """How many cases wait for the person's decision, by the first page."""
    return sum(each.count for each in waiting_for(User.objects.get(pk=user.pk)) if "确认" in each.title)


@pytest.fixture
def case(cast: Cast) -> Application:
    """A child whose guardian bears the principal's name, before the principal."""
    place = child_of(cast, "周校长")
    (row,) = walk(cast, submitted(cast, open_round(cast), place), State.SCHOOL_REVIEWED)
    return row


def test_a_namesake_decides_only_after_saying_who_is_meant(cast: Cast, case: Application) -> None:
    with pytest.raises(SamePerson, match="请先在这些申请的页面上说明是不是亲属"):
        workflow.advance(case, Step.CONFIRM, by=cast.principal_a)
    assert "与您同名" in four_eyes.why_not([case], Duty.CONFIRMATION, by=cast.principal_a)[case.pk]
    assert not Kinship.objects.exists()
    kinship.say(case, is_kin=False, by=cast.principal_a)
    assert four_eyes.why_not([case], Duty.CONFIRMATION, by=cast.principal_a) == {}
    workflow.advance(case, Step.CONFIRM, by=cast.principal_a)
    row = AuditRow.objects.get(action="kinship.say")
    assert (row.username, row.detail["said"]) == ("principal_a", "不是本人亲属")


@pytest.mark.parametrize("spelling", ["周 校长", "周·校长", "周校长（母亲）"])
def test_a_name_is_known_however_it_is_written(cast: Cast, spelling: str) -> None:
    (row,) = submitted(cast, open_round(cast), child_of(cast, spelling))
    assert kinship.towards(row, by=cast.principal_a) == kinship.Standing.NAMESAKE


def test_both_parents_are_looked_for_where_the_roster_has_changed_since(cast: Cast) -> None:
    place = child_of(cast, "周校长")
    (row,) = submitted(cast, open_round(cast), place)
    called(place, "陈专干")
    assert kinship.towards(row, by=cast.principal_a) == kinship.towards(row, by=cast.officer_a)
    assert kinship.towards(row, by=cast.officer_a) == kinship.Standing.NAMESAKE
    assert kinship.towards(row, by=cast.grade_head_a) is None


def test_who_is_kin_decides_on_nothing_and_somebody_else_does(cast: Cast, case: Application) -> None:
    kinship.say(case, is_kin=True, by=cast.principal_a)
    with pytest.raises(SamePerson, match="您已说明是亲属，要回避。请由没有亲属关系的人办理"), refusals.kept():
        workflow.advance(case, Step.CONFIRM, by=cast.principal_a)
    assert not four_eyes.open_to(Application.objects.all(), Duty.CONFIRMATION, by=cast.principal_a).exists()
    found = near_misses.rows(cast.inspector, since=_ago(1), until=_ago(-1))
    (told,) = near_misses.told(list(found))
    assert (told.row.username, told.wanted, told.held) == ("principal_a", "校长确认", "说明是亲属")
    second = casting.person("xu", "徐副校长", "principal", cast.school_a)
    workflow.advance(case, Step.CONFIRM, by=second)
    assert refreshed([case])[0].state == State.CONFIRMED


def _ago(days: int) -> dt.datetime:
    return clock.now() - dt.timedelta(days=days)


def test_without_a_name_in_common_one_says_it_oneself(cast: Cast) -> None:
    (row,) = walk(cast, submitted(cast, open_round(cast), enrol(cast, cast.class_a1)), State.REPORTED)
    assert kinship.towards(row, by=cast.clerk2) is None
    kinship.say(row, is_kin=True, by=cast.clerk2)
    with pytest.raises(SamePerson, match="您已说明是亲属"):
        workflow.advance(row, Step.VERIFY, by=cast.clerk2)
    workflow.advance(row, Step.VERIFY, by=cast.clerk)


def test_it_holds_for_every_later_round_and_may_be_put_right(cast: Cast, case: Application) -> None:
    kinship.say(case, is_kin=True, by=cast.principal_a)
    with pytest.raises(ValidationError, match="说明“是本人亲属，回避”，不用再说明"):
        kinship.say(case, is_kin=True, by=cast.principal_a)
    assert kinship.kin_of(cast.principal_a) == [case.pupil_id]
    kinship.say(case, is_kin=False, by=cast.principal_a)
    assert kinship.kin_of(cast.principal_a) == []
    assert [each.words for each in kinship.said_of(case)] == ["是本人亲属，回避", "不是本人亲属"]
    workflow.advance(case, Step.CONFIRM, by=cast.principal_a)


def test_whoever_nobody_takes_for_kin_denies_nothing(cast: Cast, case: Application) -> None:
    with pytest.raises(ValidationError, match="不用说明"):
        kinship.say(case, is_kin=False, by=cast.officer_a)


@pytest.mark.parametrize("who", ["inspector", "admin", "officer_b", "principal_b"])
def test_who_decides_on_nothing_there_says_nothing(cast: Cast, case: Application, who: str) -> None:
    with pytest.raises(PermissionDenied):
        kinship.say(case, is_kin=True, by=cast.people[who])
    assert not Kinship.objects.exists()


def test_a_teacher_files_for_a_child_of_their_own(cast: Cast) -> None:
    """The whole class is theirs to file; the meeting is another's."""
    place = child_of(cast, cast.teacher_a1.name)
    (row,) = submitted(cast, open_round(cast), place)
    kinship.say(row, is_kin=True, by=cast.teacher_a1)
    assert row.state == State.SUBMITTED
    agree([row], "class", cast.class_a1, by=cast.grade_head_a)


def test_a_meeting_of_many_is_recorded_without_ones_own(cast: Cast) -> None:
    round_ = open_round(cast)
    rows = submitted(cast, round_, child_of(cast, "陈专干", name="陈小小"), enrol(cast, cast.class_a1))
    with pytest.raises(SamePerson, match="其中 1 份申请，学生的监护人与您同名"):
        agree(rows, "class", cast.class_a1, by=cast.officer_a)
    own = next(row for row in rows if row.pupil.name == "陈小小")
    kinship.say(own, is_kin=True, by=cast.officer_a)
    agree([row for row in rows if row != own], "class", cast.class_a1, by=cast.officer_a)
    assert {row.pupil.name: row.state for row in refreshed(rows)} == {
        "陈小小": State.SUBMITTED,
        "张小明": State.CLASS_REVIEWED,
    }


def test_the_page_of_the_meeting_says_what_to_do(cast: Cast, as_user) -> None:
    round_ = open_round(cast)
    (own,) = submitted(cast, round_, child_of(cast, "陈专干", name="陈小小"))
    page = as_user(cast.officer_a).get(reverse("class_review", args=[round_.pk, cast.class_a1.pk])).content.decode()
    assert "这名学生的监护人与您同名。请点姓名" in page
    assert f'<a href="{reverse("application", args=[own.pk])}">陈小小</a>' in page


def test_a_deputy_answers_for_nobody_but_keeps_from_their_kin(cast: Cast, case: Application) -> None:
    """What the principal said binds the deputy; that the principal bears a name only binds who can answer."""
    deputy = casting.person("ma", "马腾", "grade_head", cast.school_a)
    post = cast.principal_a.appointments.get(acts_for=None)
    appointments.act_for(
        post, deputy, starts_on=TODAY, ends_on=TODAY + dt.timedelta(days=4), reason="外出培训", by=cast.admin
    )
    deputy = User.objects.get(pk=deputy.pk)
    assert four_eyes.why_not([case], Duty.CONFIRMATION, by=deputy) == {}
    kinship.say(case, is_kin=True, by=cast.principal_a)
    words = four_eyes.why_not([case], Duty.CONFIRMATION, by=deputy)[case.pk]
    assert words == "您代理的周校长已说明是这名学生的亲属，校长确认请由他人办理。"
    assert not four_eyes.open_to(Application.objects.all(), Duty.CONFIRMATION, by=deputy).exists()
    with pytest.raises(SamePerson, match="您代理的周校长已说明是亲属"):
        workflow.advance(case, Step.CONFIRM, by=deputy)


def test_the_first_page_counts_who_is_only_called_alike_and_not_ones_kin(cast: Cast, case: Application) -> None:
    assert waits(cast.principal_a) == 1
    kinship.say(case, is_kin=True, by=cast.principal_a)
    assert waits(cast.principal_a) == 0


def test_the_re_check_is_anothers_too(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1, name="陈小小")
    (row,) = walk(cast, submitted(cast, open_round(cast), place), State.CONFIRMED)
    called(place, "陈专干")
    ended = recognition_rechecks.Recheck(Recognition.Kind.ENDED, seen=1, reason="家庭收入好转", evidence="入户核查记录")
    with pytest.raises(ValidationError, match="陈小小的监护人与您同名"):
        recognition_rechecks.recheck(place, ended, by=cast.officer_a)
    kinship.say(row, is_kin=True, by=cast.officer_a)
    with pytest.raises(PermissionDenied, match="您已说明是陈小小的亲属"):
        recognition_rechecks.recheck(place, ended, by=cast.officer_a)
    other = casting.person("hao", "郝老师", "aid_officer", cast.school_a)
    assert not recognition_rechecks.recheck(place, ended, by=other).is_in_force


def test_an_objection_is_not_settled_by_kin(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    rows = walk(cast, submitted(cast, open_round(cast), place), State.CONFIRMED)
    called(place, "陈专干")
    line = casting.publish(cast, rows).lines.get()
    told = {"received_on": TODAY, "channel": "来电", "content": "家里有门面房。"}
    objection = objections.receive(line, **told, by=cast.officer_a)
    with pytest.raises(ValidationError, match="监护人与您同名"):
        objections.settle(objection, upheld=False, finding="不属实。", by=cast.officer_a)
    kinship.say(rows[0], is_kin=True, by=cast.officer_a)
    with pytest.raises(SamePerson, match="或者是学生的亲属"):
        objections.settle(objection, upheld=False, finding="不属实。", by=cast.officer_a)
    assert Objection.objects.get().state == Objection.State.OPEN


def test_the_page_asks_the_namesake_and_takes_the_answer_once(cast: Cast, case: Application, as_user) -> None:
    address, say = reverse("application", args=[case.pk]), reverse("kinship_say", args=[case.pk])
    client = as_user(cast.principal_a)
    page = client.get(address).content.decode()
    assert "学生的监护人与您同名：周校长" in page
    assert "我是这名学生的亲属" not in page  # asked above, not twice
    assert "没有收到您的选择" in client.post(say, {"is_kin": "maybe"}, follow=True).content.decode()
    page = client.post(say, {"is_kin": "no"}, follow=True).content.decode()
    assert "已记录：不是本人亲属。张小明的申请您可以照常办理。" in page
    assert "周校长：不是本人亲属" in page
    assert "学生的监护人与您同名" not in page
    assert "不用再说明" in client.post(say, {"is_kin": "no"}, follow=True).content.decode()
    assert Kinship.objects.count() == 1
    page = client.post(say, {"is_kin": "yes"}, follow=True).content.decode()
    assert "说明有误，不是亲属" in page
    # Others read what was said; who decides on nothing is offered nothing.
    page = as_user(cast.inspector).get(address).content.decode()
    assert "周校长：是本人亲属，回避" in page
    assert "kinship/" not in page
    assert as_user(cast.inspector).post(say, {"is_kin": "yes"}).status_code == 403


def test_questions_do_not_grow_with_the_list(cast: Cast) -> None:
    rows = submitted(cast, open_round(cast), *(child_of(cast, "周校长", name=f"张小{n}") for n in "一二三四五六"))

    def asked(cases: list[Application]) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert len(four_eyes.why_not(cases, Duty.CONFIRMATION, by=cast.principal_a)) == len(cases)
        return len(seen)

    asked(rows[:1])
    assert asked(rows) == asked(rows[:1])
