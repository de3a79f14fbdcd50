"""The officer's look at a class before the meeting: what is shown of each case, and what is kept of the look."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import clock
from accounts.models import AuditRow
from students import circumstances, confirmations
from students.models import Category, StatusChange
from subsidies import officer_checks, reviews, workflow
from subsidies.models import Decision, OfficerCheck
from subsidies.officer_checks import Found
from subsidies.states import State, Step
from tests import cast as casting
from tests.cast import enrol, refreshed, submitted, walk

IN_ORDER, DOUBTFUL = OfficerCheck.Finding.IN_ORDER, OfficerCheck.Finding.DOUBTFUL


@pytest.fixture
def cases(cast, round_):
    """Two of 七年级1班 and one of 七年级2班 before the school's review."""
    rows = [
        enrol(cast, cast.class_a1, name="张小明"),
        enrol(cast, cast.class_a1, name="李小华"),
        enrol(cast, cast.class_a2, name="王小军"),
    ]
    return walk(cast, submitted(cast, round_, *rows), State.CLASS_REVIEWED)


def check(cast, case, finding=IN_ORDER, note="", *, by=None) -> None:
    officer_checks.record(case.round, case.school_class, [Found(case, finding, note)], by=by or cast.officer_a)


def sheet_of(case):
    (sheet,) = officer_checks.sheets(case.round, officer_checks_cases(case))
    return sheet


def officer_checks_cases(case):
    return [row for row in officer_checks.awaiting(case.round, case.school_class) if row.pk == case.pk]


def test_what_is_known_of_a_case_stands_on_one_sheet(cast, cases):
    sheet = sheet_of(cases[0])
    (ground,) = sheet.grounds
    assert (ground.name, ground.is_matched, ground.source) == (
        "农村低保家庭学生",
        True,
        "系统比对",
    ) or ground.is_matched
    assert ground.evidence == "民政部门比对"
    assert ground.circumstance is not None
    assert sheet.heard.verdict == Decision.Verdict.AGREE
    assert (sheet.before, sheet.check, sheet.rechecks, sheet.concerns) == (None, None, 0, [])


def test_what_changed_since_the_submission_is_told(cast, cases):
    pupil = cases[0].pupil
    pupil.circumstances.update(valid_to=clock.today() - dt.timedelta(days=1))
    circumstances.add(
        pupil,
        category=Category.objects.get(code="disabled"),
        source="collected",
        evidence="残疾证",
        valid_from=dt.date(2026, 10, 1),
        by=cast.officer_a,
    )
    casting.change_boarding(cases[1].enrolment, "day", by=cast.officer_a)
    sheet = sheet_of(cases[0])
    assert [ground.circumstance for ground in sheet.grounds] == [None]
    assert len(sheet.came) == 1
    assert sheet.is_odd


def test_a_look_is_kept_and_counted_by_class(cast, round_, cases):
    check(cast, cases[0])
    check(cast, cases[1], DOUBTFUL, "名单上的姓名少一个字")
    rows = officer_checks.progress(officer_checks.awaiting(round_, cast.school_a))
    assert [(row.name, row.waiting, row.in_order, row.doubtful, row.left) for row in rows] == [
        ("七年级1班", 2, 1, 1, 0),
        ("七年级2班", 1, 0, 0, 1),
    ]
    assert AuditRow.objects.filter(action="officer_check.record").count() == 2


def test_the_newest_look_counts_and_the_first_stays(cast, cases):
    check(cast, cases[0], DOUBTFUL, "证明看不清")
    check(cast, cases[0])
    assert sheet_of(cases[0]).check.finding == IN_ORDER
    assert OfficerCheck.objects.count() == 2
    with pytest.raises(TypeError):
        OfficerCheck.objects.update(note="改")


def test_a_look_from_before_a_return_is_none(cast, cases):
    check(cast, cases[0])
    casting.agree([cases[0]], "school", cast.school_a, by=cast.officer_a)
    workflow.advance(cases[0], Step.RETURN_TO_CLASS, by=cast.principal_a, note="请班级重评")
    casting.agree(refreshed(cases[:1]), "class", cast.class_a1, by=cast.grade_head_a)
    assert sheet_of(refreshed(cases[:1])[0]).check is None


@pytest.mark.parametrize("note", ["", "  "])
def test_a_doubt_says_why(cast, cases, note):
    with pytest.raises(ValidationError, match="疑在哪里"):
        check(cast, cases[0], DOUBTFUL, note)
    with pytest.raises(IntegrityError), transaction.atomic():
        OfficerCheck.objects.create(application=cases[0], finding=DOUBTFUL, at=clock.now(), by=cast.officer_a)


def test_nothing_said_is_nothing_kept(cast, round_, cases):
    with pytest.raises(ValidationError, match="至少选择一份"):
        officer_checks.record(round_, cast.class_a1, [], by=cast.officer_a)


def test_what_waits_no_longer_is_not_looked_at(cast, cases):
    casting.agree(cases[:1], "school", cast.school_a, by=cast.officer_a)
    with pytest.raises(ValidationError, match="名单刚刚有变化"):
        check(cast, cases[0])


def test_a_case_of_another_class_is_not_on_the_list(cast, round_, cases):
    with pytest.raises(ValidationError, match="名单刚刚有变化"):
        officer_checks.record(round_, cast.class_a1, [Found(cases[2], IN_ORDER)], by=cast.officer_a)


@pytest.mark.parametrize("who", ["teacher_a1", "grade_head_a", "principal_a", "officer_b", "clerk"])
def test_who_may_not_look(cast, cases, who):
    with pytest.raises(PermissionDenied):
        check(cast, cases[0], by=cast.people[who])


def test_who_looked_holds_the_duty_of_the_schools_review(cast, cases):
    """The look is part of the review: whoever took another step of the case does not look, and the other way round."""
    casting.appoint(cast.grade_head_a, "aid_officer", cast.school_a)
    with pytest.raises(PermissionDenied, match="两个环节不能由同一人办理"):
        check(cast, cases[0], by=cast.grade_head_a)
    casting.appoint(cast.officer_a, "principal", cast.school_a)
    check(cast, cases[0])
    casting.appoint(cast.principal_a, "aid_officer", cast.school_a)
    casting.agree(refreshed(cases[:1]), "school", cast.school_a, by=cast.principal_a)
    with pytest.raises(PermissionDenied, match="两个环节不能由同一人办理"):
        workflow.advance(refreshed(cases[:1])[0], Step.CONFIRM, by=cast.officer_a)


def test_a_doubt_is_cleared_up_in_words_before_the_school_agrees(cast, cases):
    check(cast, cases[0], DOUBTFUL, "名单上的姓名少一个字")
    with pytest.raises(ValidationError, match="张小明核对时有疑问"):
        casting.agree(refreshed(cases[:1]), "school", cast.school_a, by=cast.officer_a)
    check(cast, cases[0])
    casting.agree(refreshed(cases[:1]), "school", cast.school_a, by=cast.officer_a)


# --- the page --------------------------------------------------------------------------------------


def address(cases) -> str:
    return reverse("class_evidence", args=[cases[0].round_id, cases[0].school_class_id])


def test_the_officer_goes_from_class_to_class_and_on_to_the_meeting(as_user, cast, round_, cases):
    officer = as_user(cast.officer_a)
    text = officer.get(address(cases)).content.decode()
    assert "民政部门比对" in text
    assert "王小军" not in text
    answer = officer.post(address(cases), {"rest": "on"})
    assert answer.url == reverse("class_evidence", args=[round_.pk, cast.class_a2.pk])
    answer = officer.post(answer.url, {f"finding_{cases[2].pk}": DOUBTFUL, f"note_{cases[2].pk}": "缺扫描件"})
    assert answer.url == reverse("school_review", args=[round_.pk, cast.school_a.pk])
    assert {check.finding for check in officer_checks.newest(cases).values()} == {IN_ORDER, DOUBTFUL}


def test_the_page_says_what_is_wrong_and_keeps_what_was_typed(as_user, cast, cases):
    officer = as_user(cast.officer_a)
    assert "没有新的核对结果" in officer.post(address(cases), {"seen": ""}).content.decode()
    page = officer.post(address(cases), {f"finding_{cases[0].pk}": DOUBTFUL}, follow=True)
    assert "请写明张小明的申请疑在哪里" in page.content.decode()
    assert page.context["form"][f"finding_{cases[0].pk}"].value() == DOUBTFUL
    assert not OfficerCheck.objects.exists()
    old = officer.get(address(cases)).context["form"].initial["seen"]
    casting.agree(cases[1:2], "school", cast.school_a, by=cast.officer_a)
    text = officer.post(address(cases), {"rest": "on", "seen": old}, follow=True).content.decode()
    assert "1 名学生以前已经办理" in text
    assert [check.application for check in OfficerCheck.objects.all()] == [cases[0]]


def test_the_page_asks_the_database_no_more_for_three_than_for_one(as_user, cast, round_, cases):
    officer = as_user(cast.officer_a)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert officer.get(address(cases)).status_code == 200
        return len(asked)

    queries()
    few = queries()
    more = [enrol(cast, cast.class_a1, name=f"赵小{letter}") for letter in "甲乙丙"]
    walk(cast, submitted(cast, round_, *more), State.CLASS_REVIEWED)
    assert queries() == few


def test_an_older_page_does_not_call_in_order_what_was_doubted_since(as_user, cast, round_, cases):
    check(cast, cases[0])
    client = as_user(cast.officer_a)
    url = reverse("class_evidence", args=[round_.pk, cast.class_a1.pk])
    form = client.get(url).context["form"]
    typed = {name: form[name].value() or "" for name in form.fields if name != "rest"}
    check(cast, cases[0], DOUBTFUL, "证件过期")
    page = client.post(url, typed | {f"finding_{cases[1].pk}": IN_ORDER}, follow=True)
    assert "这份申请又有变化，没有办理" in page.content.decode()
    assert officer_checks.newest(cases)[cases[1].pk].finding == IN_ORDER
    assert officer_checks.newest(cases)[cases[0].pk].finding == DOUBTFUL


# --- what the later desks see of it ---------------------------------------------------------------


def page_of(as_user, cast, round_, name: str, who) -> str:
    return as_user(who).get(reverse(name, args=[round_.pk, cast.school_a.pk])).content.decode()


def test_principal_and_county_see_who_was_never_looked_at_and_what_is_odd(as_user, cast, round_, cases):
    check(cast, cases[0])
    check(cast, cases[1], DOUBTFUL, "证明已过期")
    casting.agree(refreshed(cases[:1] + cases[2:]), "school", cast.school_a, by=cast.officer_a)
    verdict = reviews.Verdict(refreshed(cases)[1], Decision.Verdict.AGREE, opinion="已补新证明", votes_for=10)
    held = {"unit": cast.school_a, "level": "school", "minutes": casting.minutes()}
    reviews.hold(round_=round_, verdicts=[verdict], by=cast.officer_a, **held)
    cases[0].pupil.circumstances.update(valid_to=clock.today() - dt.timedelta(days=1))
    rows = confirmations.checklist(cast.class_a2, cast.term)
    seen = [confirmations.Seen(cases[2].enrolment, StatusChange.Kind.TRANSFER_OUT, "国庆后去了外省")]
    confirmations.confirm(cast.class_a2, cast.term, seen=confirmations.digest(rows), reports=seen, by=cast.teacher_a2)
    page = page_of(as_user, cast, round_, "school_confirm", cast.principal_a)
    assert page.count("没有逐班核对") == 1
    assert "核对时有疑问" in page
    assert "证明已过期" in page
    assert "：提交后已失效" in page
    assert "班主任反映：转出，待登记" in page
    assert "国庆后去了外省" in page
    workflow.advance_all(refreshed(cases), Step.CONFIRM, by=cast.principal_a)
    casting.publish(cast, refreshed(cases))
    casting.close(cast, refreshed(cases))
    workflow.advance_all(refreshed(cases), Step.REPORT, by=cast.officer_a)
    page = page_of(as_user, cast, round_, "school_verify", cast.clerk)
    assert page.count("没有逐班核对") == 1
    assert "提交后已失效" in page


def test_the_later_desks_ask_the_database_no_more_for_many(as_user, cast, round_, cases):
    casting.agree(refreshed(cases[:1]), "school", cast.school_a, by=cast.officer_a)
    url, principal = reverse("school_confirm", args=[round_.pk, cast.school_a.pk]), as_user(cast.principal_a)

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert principal.get(url).status_code == 200
        return len(asked)

    queries()
    few = queries()
    casting.agree(refreshed(cases[1:]), "school", cast.school_a, by=cast.officer_a)
    assert queries() == few


def test_the_meeting_asks_before_it_passes_over_the_look(as_user, cast, round_, cases):
    check(cast, cases[0])
    page = page_of(as_user, cast, round_, "school_review", cast.officer_a)
    assert 'data-confirm="其中 2 份还没有逐班核对' in page
    for case in cases[1:]:
        check(cast, case)
    assert "data-confirm" not in page_of(as_user, cast, round_, "school_review", cast.officer_a)


def test_a_note_without_a_result_stays_on_the_page(as_user, cast, cases):
    sent = {f"note_{cases[0].pk}": "证明看不清", f"finding_{cases[1].pk}": IN_ORDER}
    page = as_user(cast.officer_a).post(address(cases), sent, follow=True).content.decode()
    assert "已写了对张小明的说明，请选择核对结果。" in page
    assert "证明看不清" in page
