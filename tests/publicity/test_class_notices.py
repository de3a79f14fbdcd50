"""Two notices: where the county wants it, the class's list hangs in the classroom before the school hears it."""

import datetime as dt
import io

import pypdf
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts import clock
from accounts.models import AuditRow
from documents import issuing
from publicity import notices, objections
from publicity.models import Notice
from subsidies import workflow
from subsidies.models import Application, ProcessRule
from subsidies.states import State, Step
from tests import cast as casting
from tests.cast import agree, enrol, refreshed, submitted


@pytest.fixture
def passed(cast, round_) -> list[Application]:
    """Two of 七年级1班 and one of 七年级2班, agreed to by their classes; the county wants two notices."""
    wants(2)
    rows = [
        *submitted(
            cast, round_, *(enrol(cast, cast.class_a1, name=name, kinds=("disabled",)) for name in ("张小明", "李小华"))
        ),
        *submitted(cast, round_, enrol(cast, cast.class_a2, name="王小军")),
    ]
    return meet(cast, rows)


def wants(days: int) -> None:
    ProcessRule.objects.update(class_notice_days=days)


def meet(cast, rows: list[Application]) -> list[Application]:
    for school_class in {row.school_class for row in rows}:
        some = [row for row in refreshed(rows) if row.school_class == school_class]
        agree(some, "class", school_class, by=cast.grade_head_a)
    return refreshed(rows)


def publish(cast, rows: list[Application], *, by=None) -> Notice:
    unit = rows[0].school_class
    return notices.publish(rows[0].round, unit, notices.propose(rows[0].round, unit), by=by or cast.teacher_a1)


def over(notice: Notice) -> None:
    clock.set_demo_day(notice.ends_on + dt.timedelta(days=1))


def states(rows: list[Application]) -> list[str]:
    return [row.state for row in refreshed(rows)]


def text_of(notice: Notice) -> str:
    pages = pypdf.PdfReader(io.BytesIO(issuing.read_pdf(notice.document))).pages
    return "".join(page.extract_text() for page in pages).replace("\n", "").replace(" ", "")


def object_to(cast, notice: Notice, name: str, *, by=None) -> objections.Objection:
    line = notice.lines.get(name=name)
    return objections.receive(
        line, received_on=clock.today(), channel="来电", content="家中有门面房", by=by or cast.officer_a
    )


# --- the road -------------------------------------------------------------------------------------


def test_where_the_rule_asks_for_none_the_class_hands_straight_to_the_school(cast, round_):
    rows = submitted(cast, round_, enrol(cast, cast.class_a1))
    assert states(meet(cast, rows)) == [State.CLASS_REVIEWED]


def test_the_school_hears_nobody_before_the_class_notice_is_over(cast, passed):
    assert states(passed) == [State.CLASS_PASSED] * 3
    with pytest.raises(workflow.StaleState, match="待班级公示"):
        agree(passed, "school", cast.school_a, by=cast.officer_a)
    notice = publish(cast, passed[:2])
    assert states(passed) == [State.ON_CLASS_NOTICE, State.ON_CLASS_NOTICE, State.CLASS_PASSED]
    with pytest.raises(workflow.StaleState, match="班级公示中"):
        agree(refreshed(passed[:2]), "school", cast.school_a, by=cast.officer_a)
    with pytest.raises(ValidationError, match="次日起才能结束公示"):
        notices.close(notice, by=cast.teacher_a1)
    over(notice)
    assert notices.close(notice, by=cast.teacher_a1) == (2, 0)
    assert states(passed) == [State.CLASS_REVIEWED, State.CLASS_REVIEWED, State.CLASS_PASSED]
    agree(refreshed(passed[:2]), "school", cast.school_a, by=cast.officer_a)
    assert states(passed[:2]) == [State.SCHOOL_REVIEWED] * 2


def test_the_school_notice_comes_all_the_same(cast, passed):
    rows = passed[:2]
    first = publish(cast, rows)
    over(first)
    notices.close(first, by=cast.teacher_a1)
    agree(refreshed(rows), "school", cast.school_a, by=cast.officer_a)
    workflow.advance_all(refreshed(rows), Step.CONFIRM, by=cast.principal_a)
    second = casting.publish(cast, refreshed(rows))
    assert (second.level, second.school_class) == (Notice.Level.SCHOOL, None)
    assert second.ends_on > first.ends_on
    assert states(rows) == [State.ON_NOTICE] * 2
    over(second)
    assert notices.close(second, by=cast.officer_a) == (2, 0)
    assert states(rows) == [State.CLEARED] * 2


def test_who_is_sent_back_to_the_class_hangs_there_again(cast, passed):
    rows = passed[:1]
    first = publish(cast, passed[:2])
    over(first)
    notices.close(first, by=cast.teacher_a1)
    agree(refreshed(rows), "school", cast.school_a, by=cast.officer_a)
    workflow.advance_all(refreshed(rows), Step.RETURN_TO_CLASS, by=cast.principal_a, note="请重新评议")
    assert states(meet(cast, rows)) == [State.CLASS_PASSED]
    second = publish(cast, refreshed(rows))
    assert [line.name for line in second.lines.all()] == ["张小明"]
    assert states(passed[:2]) == [State.ON_CLASS_NOTICE, State.CLASS_REVIEWED]


def test_a_rule_recorded_in_between_frees_what_waits_and_no_other(cast, round_, passed):
    with pytest.raises(workflow.StepRefused, match="要求先在班内公示"):
        notices.skip_class_notice(round_, cast.class_a1, by=cast.teacher_a1)
    hanging = publish(cast, passed[2:], by=cast.teacher_a2)
    wants(0)
    assert notices.preview(round_, cast.class_a1).not_wanted
    with pytest.raises(ValidationError, match="不要求班级公示"):
        publish(cast, passed[:2])
    assert notices.skip_class_notice(round_, cast.class_a1, by=cast.teacher_a1) == 2
    assert states(passed) == [State.CLASS_REVIEWED, State.CLASS_REVIEWED, State.ON_CLASS_NOTICE]
    with pytest.raises(ValidationError, match="没有待班级公示"):
        notices.skip_class_notice(round_, cast.class_a1, by=cast.teacher_a1)
    over(hanging)  # what hangs keeps its days
    assert notices.close(hanging, by=cast.teacher_a2) == (1, 0)


# --- what hangs, and for whom ----------------------------------------------------------------------


def test_the_paper_names_the_class_and_nothing_of_a_family(cast, passed):
    notice = publish(cast, passed[:2])
    shown = {(line.name, line.grade, line.class_name) for line in notice.lines.all()}
    assert shown == {("张小明", "七年级", "七年级1班"), ("李小华", "七年级", "七年级1班")}
    assert (notice.published_on, notice.ends_on) == (dt.date(2026, 10, 12), dt.date(2026, 10, 14))
    text = text_of(notice)
    assert "班级评议结果公示" in text
    assert "云岭县第一初级中学七年级1班2026年10月12日" in text
    for private in ("残疾", "低保", "民政", "张建国", "2013", "家庭收入低", "王小军"):
        assert private not in text
    assert AuditRow.objects.get(action="notice.publish").unit_path == cast.class_a1.path


def test_nobody_outside_reads_what_hangs_in_a_classroom(client, cast, passed):
    notice = publish(cast, passed[:2])
    assert not notices.is_public(notice)
    assert client.get(reverse("notice_public", args=[notice.code])).status_code == 404


def test_a_class_reads_its_own_notice_only(cast, passed):
    notice = publish(cast, passed[:2])
    readers = ("teacher_a1", "officer_a", "grade_head_a", "principal_a", "clerk", "inspector")
    assert all(notices.visible_to(cast.people[who]).filter(pk=notice.pk).exists() for who in readers)
    others = ("teacher_a2", "officer_b", "teacher_b1")
    assert not any(notices.visible_to(cast.people[who]).exists() for who in others)


@pytest.mark.parametrize("who", ["teacher_a2", "principal_a", "officer_b", "clerk"])
def test_who_may_not_publish_in_the_class(cast, passed, who):
    with pytest.raises(PermissionDenied):
        publish(cast, passed[:2], by=cast.people[who])
    assert not Notice.objects.exists()


@pytest.mark.parametrize("who", ["teacher_a1", "grade_head_a", "officer_a"])
def test_who_may_publish_in_the_class(cast, passed, who):
    assert publish(cast, passed[:2], by=cast.people[who]).lines.count() == 2


def test_the_database_knows_whose_notice_it_is(cast, passed):
    notice = publish(cast, passed[:2])
    with pytest.raises(IntegrityError), transaction.atomic():
        Notice.objects.filter(pk=notice.pk).update(school_class=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        Notice.objects.filter(pk=notice.pk).update(level="school")


# --- objections ------------------------------------------------------------------------------------


def test_an_objection_holds_one_pupil_and_the_others_go_to_the_school(cast, passed):
    notice = publish(cast, passed[:2])
    objection = object_to(cast, notice, "张小明")
    assert states(passed[:2]) == [State.CLASS_HELD, State.ON_CLASS_NOTICE]
    over(notice)
    assert notices.close(notice, by=cast.teacher_a1) == (1, 1)
    objections.settle(objection, upheld=False, finding="入户核查，门面房是租用的。", by=cast.officer_a)
    assert states(passed[:2]) == [State.CLASS_REVIEWED, State.CLASS_REVIEWED]


def test_an_unfounded_objection_puts_the_pupil_back_while_the_notice_hangs(cast, passed):
    notice = publish(cast, passed[:2])
    objections.settle(object_to(cast, notice, "张小明"), upheld=False, finding="不属实。", by=cast.officer_a)
    assert states(passed[:1]) == [State.ON_CLASS_NOTICE]


def test_an_upheld_objection_ends_the_case(cast, passed):
    notice = publish(cast, passed[:2])
    objections.settle(object_to(cast, notice, "张小明"), upheld=True, finding="属实。", by=cast.officer_a)
    assert states(passed[:2]) == [State.REJECTED, State.ON_CLASS_NOTICE]


def test_objections_are_not_the_class_teachers(cast, passed):
    """Who filed the case neither takes in nor settles what is said against it."""
    notice = publish(cast, passed[:2])
    with pytest.raises(PermissionDenied):
        object_to(cast, notice, "张小明", by=cast.teacher_a1)
    objection = object_to(cast, notice, "张小明")
    for who in (cast.teacher_a1, cast.grade_head_a):
        with pytest.raises(PermissionDenied):
            objections.settle(objection, upheld=False, finding="不属实。", by=who)


def test_the_teacher_publishes_again_while_an_objection_is_still_checked(cast, passed):
    """Returned for a change and agreed to again: the case hangs, and is held until the first check is done."""
    notice = publish(cast, passed[:1])
    objection = object_to(cast, notice, "张小明")
    held = refreshed(passed[:1])[0]
    casting.change_boarding(held.enrolment, "day", by=cast.officer_a)
    assert states([held]) == [State.RETURNED]
    workflow.advance(held, Step.SUBMIT, by=cast.teacher_a1)
    meet(cast, [held])
    publish(cast, refreshed([held]))
    assert states([held]) == [State.CLASS_HELD]
    objections.settle(objection, upheld=False, finding="不属实。", by=cast.officer_a)
    assert states([held]) == [State.ON_CLASS_NOTICE]


# --- pages -----------------------------------------------------------------------------------------


def test_the_class_teacher_publishes_and_closes_from_the_first_page_on(as_user, cast, round_, passed):
    teacher = as_user(cast.teacher_a1)
    address = f"{reverse('notice_new')}?round={round_.pk}&amp;class={cast.class_a1.pk}"
    assert "待发布班级公示" in teacher.get(reverse("home")).content.decode()
    assert address in teacher.get(reverse("round", args=[round_.pk])).content.decode()
    page = teacher.get(address.replace("&amp;", "&"))
    text = page.content.decode()
    assert "发布班级公示" in text
    assert "王小军" not in text
    form = page.context["form"]
    answer = teacher.post(address.replace("&amp;", "&"), {name: form[name].value() for name in form.fields})
    notice = Notice.objects.get()
    assert answer.url == reverse("notice", args=[notice.pk])
    shown = teacher.get(answer.url).content.decode()
    assert "班级公示没有网页" in shown
    assert "记录异议" not in shown
    assert "记录异议" in as_user(cast.officer_a).get(answer.url).content.decode()
    over(notice)
    assert "公示期满，请结束公示并撤下" in teacher.get(reverse("home")).content.decode()
    done = teacher.post(reverse("notice_close", args=[notice.pk]), follow=True).content.decode()
    assert "2 人无异议，送学校评审" in done


def test_another_class_is_not_the_teachers_to_publish(as_user, cast, round_, passed):
    address = f"{reverse('notice_new')}?round={round_.pk}&class={cast.class_a2.pk}"
    assert as_user(cast.teacher_a1).get(address).status_code == 404


def test_what_waits_without_need_is_sent_on_by_one_button(as_user, cast, round_, passed):
    wants(0)
    teacher = as_user(cast.teacher_a1)
    address = reverse("class_notice_skip", args=[round_.pk, cast.class_a1.pk])
    page = teacher.get(f"{reverse('notice_new')}?round={round_.pk}&class={cast.class_a1.pk}").content.decode()
    assert address in page
    assert "送学校评审（2 人）" in page
    assert teacher.post(address).url == reverse("round", args=[round_.pk])
    assert states(passed[:2]) == [State.CLASS_REVIEWED] * 2
    assert "没有待班级公示的申请" in teacher.post(address, follow=True).content.decode()
