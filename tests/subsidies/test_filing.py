"""The class's list as it is typed: each row by itself, handed in together with a result per pupil."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import clock
from accounts.models import AuditRow, User
from students import circumstances, list_profiles
from students.models import BankAccount, Category, Circumstance, Enrolment, ListMatch, Pupil
from subsidies import applications, class_facts, receipts
from subsidies.filing import Overwritten, Typed, Verdict, hand_over, keep, keep_all, mark
from subsidies.models import Application, ChangeEffect, DutyHolder, Round
from subsidies.states import State, Step
from subsidies.workflow import advance
from tests import cast as casting
from tests.cast import Cast, enrol, open_round, refreshed, submitted
from tests.students import list_files

from .test_bulk import asked, crowd


@pytest.fixture
def signed_in() -> Callable[[User], Client]:
    def sign(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign


def stands(row: Enrolment) -> Application | None:
    return Application.objects.filter(pupil=row.pupil_id).exclude(state=State.WITHDRAWN).first()


@pytest.fixture
def row(cast: Cast, round_: Round) -> Enrolment:
    return enrol(cast, cast.class_a1, name="张一")


# --- one row ---------------------------------------------------------------------------------------


def test_a_row_is_there_changed_and_gone_as_it_is_typed(cast: Cast, round_: Round, row: Enrolment) -> None:
    first = keep(round_, cast.class_a1, Typed(row, True, reason="父亲患病", seen=mark(None)), by=cast.teacher_a1)
    assert (first.state, first.reason, first.filed_by) == (State.DRAFT, "父亲患病", cast.teacher_a1)
    seen = mark(first)
    second = keep(round_, cast.class_a1, Typed(row, True, reason="父亲患病住院", seen=seen), by=cast.teacher_a1)
    assert (second.pk, second.reason) == (first.pk, "父亲患病住院")
    assert mark(second) != seen
    gone = keep(round_, cast.class_a1, Typed(row, False, seen=mark(second)), by=cast.teacher_a1)
    assert gone is None
    assert not Application.objects.exists()
    assert not DutyHolder.objects.exists()
    trail = AuditRow.objects.filter(action__startswith="application.").order_by("pk").values_list("action", flat=True)
    assert list(trail) == ["application.draft", "application.change_draft", "application.untick"]


def test_what_another_window_kept_is_not_overwritten(cast: Cast, round_: Round, row: Enrolment) -> None:
    here = keep(round_, cast.class_a1, Typed(row, True, reason="甲", seen=mark(None)), by=cast.teacher_a1)
    for stale in (Typed(row, True, reason="乙", seen=mark(None)), Typed(row, False, seen="0" * 16)):
        with pytest.raises(Overwritten) as refused:
            keep(round_, cast.class_a1, stale, by=cast.teacher_a1)
        assert refused.value.standing == here
        assert "张一：另一个窗口或同事刚刚改过这一行，现在是：草稿，理由“甲”" in refused.value.messages[0]
    assert refreshed([here])[0].reason == "甲"


def test_what_another_window_took_away_is_said(cast: Cast, round_: Round, row: Enrolment) -> None:
    here = keep(round_, cast.class_a1, Typed(row, True, seen=mark(None)), by=cast.teacher_a1)
    keep(round_, cast.class_a1, Typed(row, False, seen=mark(here)), by=cast.teacher_a1)
    with pytest.raises(Overwritten, match="现在没有勾选") as refused:
        keep(round_, cast.class_a1, Typed(row, True, reason="乙", seen=mark(here)), by=cast.teacher_a1)
    assert refused.value.standing is None


def test_a_row_sent_twice_because_the_answer_was_lost_is_kept_once(cast: Cast, round_: Round, row: Enrolment) -> None:
    typed = Typed(row, True, reason="甲", seen=mark(None))
    first = keep(round_, cast.class_a1, typed, by=cast.teacher_a1)
    again = keep(round_, cast.class_a1, typed, by=cast.teacher_a1)
    assert (again.pk, AuditRow.objects.filter(action="application.draft").count()) == (first.pk, 1)


def test_a_case_that_came_back_is_not_given_up_by_a_tick(cast: Cast, round_: Round, row: Enrolment) -> None:
    (filed,) = submitted(cast, round_, row)
    Application.objects.filter(pk=filed.pk).update(state=State.RETURNED)
    filed = refreshed([filed])[0]
    unticked = Typed(row, False, seen=mark(filed))
    with pytest.raises(ValidationError, match="到申请页撤回并写明原因"):
        keep(round_, cast.class_a1, unticked, by=cast.teacher_a1)
    (told,) = hand_over(round_, cast.class_a1, [unticked], by=cast.teacher_a1)
    assert (told.verdict, "取消勾选不会终止它" in told.sentence) == (Verdict.KEPT, True)
    assert stands(row).state == State.RETURNED


def test_what_was_handed_in_is_neither_changed_nor_taken_away(cast: Cast, round_: Round, row: Enrolment) -> None:
    (filed,) = submitted(cast, round_, row)
    for typed in (Typed(row, True, reason="改了", seen=mark(filed)), Typed(row, False, seen=mark(filed))):
        with pytest.raises(ValidationError, match="已经提交（待班级评议）"):
            keep(round_, cast.class_a1, typed, by=cast.teacher_a1)
    assert refreshed([filed])[0].reason == "家庭收入低"


def test_a_draft_with_the_trace_of_a_change_is_withdrawn_not_deleted(cast: Cast, round_: Round, row: Enrolment) -> None:
    draft = keep(round_, cast.class_a1, Typed(row, True, seen=mark(None)), by=cast.teacher_a1)
    casting.change_boarding(row, "day", by=cast.teacher_a1)
    assert ChangeEffect.objects.get().application == draft
    assert keep(round_, cast.class_a1, Typed(row, False, seen=mark(draft)), by=cast.teacher_a1) is None
    draft = refreshed([draft])[0]
    assert (draft.state, draft.steps.get().note) == (State.WITHDRAWN, "班主任取消勾选")


def test_nobody_else_keeps_a_row(cast: Cast, round_: Round, row: Enrolment) -> None:
    for stranger in (cast.teacher_a2, cast.officer_a, cast.teacher_b1):
        with pytest.raises(PermissionDenied):
            keep(round_, cast.class_a1, Typed(row, True, seen=mark(None)), by=stranger)
        with pytest.raises(PermissionDenied):
            hand_over(round_, cast.class_a1, [Typed(row, True)], by=stranger)
    assert not Application.objects.exists()


# --- the whole list --------------------------------------------------------------------------------


def test_those_that_can_go_go_and_the_others_are_told_why(cast: Cast, round_: Round, row: Enrolment) -> None:
    fine, other = row, enrol(cast, cast.class_a1, name="钱二")
    poor_no_more = enrol(cast, cast.class_a1, name="孙三", kinds=())
    suspended = enrol(cast, cast.class_a1, name="李四")
    Enrolment.objects.filter(pk=suspended.pk).update(standing="suspended")
    before = enrol(cast, cast.class_a1, name="周五")
    submitted(cast, round_, before)
    elsewhere = enrol(cast, cast.class_a1, name="吴六")
    keep(round_, cast.class_a1, Typed(elsewhere, True, reason="同事写的", seen=mark(None)), by=cast.teacher_a1)
    rows = [
        Typed(fine, True, reason="父亲患病", seen=mark(None)),
        Typed(other, True, seen=mark(None)),
        Typed(poor_no_more, True, reason="没有登记", seen=mark(None)),
        Typed(suspended, True, seen=mark(None)),
        Typed(before, True, reason="家庭收入低", seen=None),
        Typed(elsewhere, True, reason="我写的", seen=mark(None)),
    ]
    told = {o.typed.enrolment.pupil.name: o for o in hand_over(round_, cast.class_a1, rows, by=cast.teacher_a1)}
    assert {name: each.verdict for name, each in told.items()} == {
        "张一": Verdict.SENT,
        "钱二": Verdict.SENT,
        "孙三": Verdict.KEPT,
        "李四": Verdict.UNSAVED,
        "周五": Verdict.ALREADY,
        "吴六": Verdict.UNSAVED,
    }
    assert "没有登记有效的困难类别" in told["孙三"].sentence
    assert "休学" in told["李四"].sentence
    assert told["周五"].sentence == "已经提交过（待班级评议），没有重复提交。"
    assert "理由“同事写的”" in told["吴六"].sentence
    assert stands(fine).state == State.SUBMITTED
    assert stands(poor_no_more).reason == "没有登记", "what was typed is on record"
    assert stands(elsewhere).reason == "同事写的"
    assert AuditRow.objects.filter(action="application.submit").count() == 3


def test_a_list_sent_twice_goes_once(cast: Cast, round_: Round, row: Enrolment) -> None:
    rows = [Typed(row, True, reason="甲", seen=mark(None))]
    assert [o.verdict for o in hand_over(round_, cast.class_a1, rows, by=cast.teacher_a1)] == [Verdict.SENT]
    (again,) = hand_over(round_, cast.class_a1, rows, by=cast.teacher_a1)
    assert (again.verdict, "没有重复提交" in again.sentence) == (Verdict.ALREADY, True)
    assert stands(row).steps.count() == 1


def test_after_the_last_day_drafts_are_kept_and_what_came_back_goes(cast: Cast, round_: Round, row: Enrolment) -> None:
    back = enrol(cast, cast.class_a1, name="钱二")
    (filed,) = submitted(cast, round_, back)
    Application.objects.filter(pk=filed.pk).update(state=State.RETURNED)
    clock.set_demo_day(round_.closes_on + dt.timedelta(days=1))
    rows = [Typed(row, True, seen=mark(None)), Typed(back, True, reason="补了证明")]
    told = hand_over(round_, cast.class_a1, rows, by=cast.teacher_a1)
    assert [o.verdict for o in told] == [Verdict.KEPT, Verdict.SENT]
    assert told[0].sentence.startswith("填报时间是")


def test_a_tier_that_is_missing_stops_only_its_pupil(cast: Cast) -> None:
    cast.class_a1.school_class.__class__.objects.filter(unit=cast.class_a1).update(stage="senior", grade="高一")
    cast.class_a1.school_class.refresh_from_db()
    round_ = open_round(cast, "senior-grant")
    one, two = enrol(cast, cast.class_a1, name="张一"), enrol(cast, cast.class_a1, name="钱二")
    tier = round_.programme.tiers[0]
    rows = [Typed(one, True, tier=tier, seen=mark(None)), Typed(two, True, seen=mark(None))]
    told = hand_over(round_, cast.class_a1, rows, by=cast.teacher_a1)
    assert [o.verdict for o in told] == [Verdict.SENT, Verdict.KEPT]
    assert told[1].sentence == "还没有选择困难等级。选好后再提交。"


def test_who_decided_on_one_of_them_before_files_the_others(cast: Cast, round_: Round, row: Enrolment) -> None:
    other = enrol(cast, cast.class_a1, name="钱二")
    (filed,) = submitted(cast, round_, row)
    casting.agree([filed], "class", cast.class_a1, by=cast.grade_head_a)
    Application.objects.filter(pk=filed.pk).update(state=State.RETURNED)
    casting.appoint(cast.grade_head_a, "class_teacher", cast.class_a1)
    rows = [Typed(row, True, reason="改"), Typed(other, True)]
    told = hand_over(round_, cast.class_a1, rows, by=cast.grade_head_a)
    assert [o.verdict for o in told] == [Verdict.UNSAVED, Verdict.SENT]
    assert told[0].sentence == "您已办理过这份申请的班级评议环节，填报请由没有经手这份申请的人办理。"


def test_a_class_costs_few_questions_however_many(cast: Cast, round_: Round) -> None:
    pupils = crowd(cast, 23)
    rows = [Typed(p, True, seen=mark(None)) for p in pupils]
    few, _ = asked(lambda: hand_over(round_, cast.class_a1, rows[:3], by=cast.teacher_a1))
    many, _ = asked(lambda: hand_over(round_, cast.class_a1, rows[3:], by=cast.teacher_a1))
    # A new draft is written by itself (a place in a class that is taken meanwhile stops only that pupil).
    assert many <= few + 3 * (20 - 3) + 2


@pytest.mark.parametrize("trouble", ["no hardship", "suspended", "declined", "decided before"])
def test_a_class_that_cannot_go_is_told_at_once(cast: Cast, round_: Round, trouble: str) -> None:
    pupils = crowd(cast, 24)
    rows = [Typed(p, True, reason="甲", seen=mark(None)) for p in pupils]
    by = cast.teacher_a1
    if trouble == "no hardship":
        Circumstance.objects.all().delete()
    elif trouble == "suspended":
        Enrolment.objects.filter(pk__in=[p.pk for p in pupils]).update(standing="suspended")
    elif trouble == "declined":
        for p in pupils:
            receipts.record(round_, cast.class_a1, p, answer="declines", signed_on=clock.today(), by=by)
    else:
        filed = submitted(cast, round_, *pupils)
        casting.agree(filed, "class", cast.class_a1, by=cast.grade_head_a)
        Application.objects.update(state=State.RETURNED)
        casting.appoint(cast.grade_head_a, "class_teacher", cast.class_a1)
        by, rows = cast.grade_head_a, [Typed(p, True, reason="乙") for p in pupils]
    told: list = []
    questions, _ = asked(lambda: told.extend(hand_over(round_, cast.class_a1, rows, by=by)))
    assert {each.verdict for each in told} <= {Verdict.KEPT, Verdict.UNSAVED}
    assert len(told) == 24
    assert all(each.sentence for each in told)
    assert questions <= 60 + 3 * 24, "however many cannot go, they are not looked for one by one"


# --- what the page knows beside ---------------------------------------------------------------------


def test_brothers_and_sisters_are_counted_and_not_named(cast: Cast, round_: Round, row: Enrolment) -> None:
    sister = enrol(cast, cast.class_b1, name="张妹")
    card = BankAccount.objects.get(pupil=row.pupil)
    BankAccount.objects.filter(pupil=sister.pupil).update(number_index=card.number_index)
    submitted(cast, round_, sister)
    found = class_facts.beside(round_, [row])[row.pupil_id]
    assert (found.siblings, found.siblings_filed) == (1, 1)
    page = open_desk(cast, round_)
    assert "兄弟姐妹 1 人在读，1 人本学期已申请资助" in page
    assert "张妹" not in page


def test_a_household_on_a_list_tells_of_siblings(cast: Cast, round_: Round, row: Enrolment) -> None:
    sister = enrol(cast, cast.class_b1, name="张妹")
    list_profiles.load(cast.county, by=cast.clerk)
    people = [list_files.Somebody(p.pupil.name, list_files.number_of(p.pupil)) for p in (row, sister)]
    list_files.taken(cast, "disabled", people, clock.today())
    for match in ListMatch.objects.select_related("entry"):
        match.entry.household = "同户"
        match.entry.save(update_fields=["household"])
    assert class_facts.siblings_of([row.pupil_id]) == {row.pupil_id: {sister.pupil_id}}


def collected(cast: Cast, pupil: Pupil, kind: str, **more: object) -> Circumstance:
    return circumstances.add(
        pupil, category=Category.objects.get(code=kind), source="collected",
        valid_from=dt.date(2026, 9, 1), by=cast.teacher_a1, **more,
    )  # fmt: skip


def test_proof_is_asked_where_the_kind_needs_it_and_of_no_list(cast: Cast, round_: Round) -> None:
    row = enrol(cast, cast.class_a1, name="张一", kinds=("dibao_rural",))  # found by comparison
    written = collected(cast, row.pupil, "disabled", evidence="残疾证")
    shown = enrol(cast, cast.class_a1, name="钱二", kinds=())
    collected(cast, shown.pupil, "orphan", evidence_file=casting.scan("孤儿证.pdf"))
    unshown = enrol(cast, cast.class_a1, name="孙三", kinds=())
    bare = collected(cast, unshown.pupil, "orphan", evidence="x")
    Circumstance.objects.filter(pk=bare.pk).update(evidence="")  # as a roster once brought it
    found = class_facts.beside(round_, [row, shown, unshown])
    assert [(w.circumstance, w.words) for w in found[row.pupil_id].wanted] == [(written.pk, "学生本人的残疾人证")]
    assert not found[row.pupil_id].is_unshown
    assert found[shown.pupil_id].wanted == []
    assert found[unshown.pupil_id].is_unshown
    page = open_desk(cast, round_)
    assert "缺证明：孤儿证或儿童福利证" in page
    assert "缺证明：学生本人的残疾人证" not in page
    assert "1 人缺证明" in page
    Category.objects.filter(code="orphan").update(needs_evidence=False)
    assert class_facts.beside(round_, [unshown])[unshown.pupil_id].wanted == []


def test_the_desk_asks_the_same_for_one_pupil_and_three(cast: Cast, round_: Round, signed_in) -> None:
    client, url = signed_in(cast.teacher_a1), desk(cast, round_)
    counts = []
    for name in ("张一", "钱二", "孙三"):
        place = enrol(cast, cast.class_a1, name=name, kinds=())
        collected(cast, place.pupil, "orphan", evidence="孤儿证")
        client.get(url)
        with CaptureQueriesContext(connection) as seen:
            client.get(url)
        counts.append(len(seen))
    assert counts[0] == counts[2]


# --- the pages --------------------------------------------------------------------------------------


def desk(cast: Cast, round_: Round) -> str:
    return reverse("class_file", args=[round_.pk, cast.class_a1.pk])


def rows_address(cast: Cast, round_: Round) -> str:
    return reverse("class_file_rows", args=[round_.pk, cast.class_a1.pk])


def as_sent(row: Enrolment, *, apply: bool = True, seen: str = "none", reason: str = "", tier: str = "") -> dict:
    """One row as the page sends it."""
    said = {f"seen_{row.pk}": seen, f"reason_{row.pk}": reason, f"tier_{row.pk}": tier}
    return said | ({"apply": [str(row.pk)]} if apply else {})


def open_desk(cast: Cast, round_: Round) -> str:
    client = Client()
    client.force_login(cast.teacher_a1, backend="django.contrib.auth.backends.ModelBackend")
    return client.get(desk(cast, round_)).content.decode()


def test_a_row_is_answered_with_what_is_on_record(cast: Cast, round_: Round, row: Enrolment, signed_in) -> None:
    client, url, key = signed_in(cast.teacher_a1), rows_address(cast, round_), str(row.pk)

    def send(**said: object) -> dict:
        answer = client.post(url, as_sent(row, **said))
        assert answer.status_code == 200
        return answer.json()["rows"][key]

    said = send(reason=" 父亲患病 ")
    draft = stands(row)
    assert (said["status"], said["seen"], said["state"]) == (200, mark(draft), "草稿")
    assert draft.reason == "父亲患病"
    stale = send(reason="别的")
    assert (stale["status"], stale["reason"]) == (409, "父亲患病")
    assert "没有覆盖" in stale["said"]
    wrong = send(reason="手机 13812345678", seen=mark(draft))
    assert (wrong["status"], "不要写身份证号" in wrong["said"]) == (422, True)
    assert send(apply=False, seen=mark(draft))["apply"] is False
    assert stands(row) is None


def test_rows_typed_together_are_kept_each_by_itself(cast: Cast, round_: Round, row: Enrolment, signed_in) -> None:
    suspended, long = enrol(cast, cast.class_a1, name="钱二"), enrol(cast, cast.class_a1, name="孙三")
    gone, kept = enrol(cast, cast.class_a1, name="李四"), enrol(cast, cast.class_a1, name="周五")
    Enrolment.objects.filter(pk=suspended.pk).update(standing="suspended")
    draft = keep(round_, cast.class_a1, Typed(gone, True, seen=mark(None)), by=cast.teacher_a1)
    said: dict = {"apply": []}
    for each, more in (
        (row, {"reason": "甲"}),
        (suspended, {}),
        (long, {"reason": "长" * 501}),
        (gone, {"apply": False, "seen": mark(draft)}),
        (kept, {"reason": "乙"}),
    ):
        one = as_sent(each, **more)
        said["apply"] += one.pop("apply", [])
        said |= one
    answer = signed_in(cast.teacher_a1).post(rows_address(cast, round_), said).json()["rows"]
    told = {each: answer[str(each.pk)] for each in (row, suspended, long, gone, kept)}
    assert [each["status"] for each in told.values()] == [200, 422, 422, 200, 200]
    assert "休学" in told[suspended]["said"]
    assert "最多 500 个字" in told[long]["said"]
    assert [stands(each) and stands(each).reason for each in told] == ["甲", None, None, None, "乙"]


def test_a_class_typed_at_once_costs_few_questions(cast: Cast, round_: Round) -> None:
    pupils = [Typed(p, True, reason="甲", seen=mark(None)) for p in crowd(cast, 23)]
    few, _ = asked(lambda: keep_all(round_, cast.class_a1, pupils[:3], by=cast.teacher_a1))
    many, _ = asked(lambda: keep_all(round_, cast.class_a1, pupils[3:], by=cast.teacher_a1))
    assert many <= few + 3 * (20 - 3), "a new draft is written by itself"
    again, _ = asked(lambda: keep_all(round_, cast.class_a1, pupils, by=cast.teacher_a1))
    assert again < few
    assert Application.objects.filter(reason="甲").count() == 23


def test_what_came_back_is_not_unticked_and_the_page_is_named(cast: Cast, round_: Round, row, signed_in) -> None:
    (filed,) = submitted(cast, round_, row)
    Application.objects.filter(pk=filed.pk).update(state=State.RETURNED)
    filed = refreshed([filed])[0]
    client = signed_in(cast.teacher_a1)
    said = client.post(rows_address(cast, round_), as_sent(row, apply=False, seen=mark(filed))).json()["rows"]
    told = said[str(row.pk)]
    assert (told["status"], told["apply"], told["page"]) == (422, True, reverse("application", args=[filed.pk]))
    assert "到申请页撤回" in told["said"]
    client.post(desk(cast, round_), as_sent(row, apply=False, seen=mark(filed)) | {"save": "1"})
    assert "取消勾选不会终止它" in client.get(desk(cast, round_)).content.decode()
    assert stands(row).state == State.RETURNED


def test_what_was_handed_in_meanwhile_is_not_unticked(cast: Cast, round_: Round, row: Enrolment, signed_in) -> None:
    (filed,) = submitted(cast, round_, row)
    client = signed_in(cast.teacher_a1)
    told = client.post(rows_address(cast, round_), as_sent(row, apply=False)).json()["rows"][str(row.pk)]
    assert (told["status"], told["state"]) == (422, "待班级评议")
    assert "已经提交" in told["said"]
    assert refreshed([filed])[0].state == State.SUBMITTED


@pytest.mark.parametrize("state", [State.DRAFT, State.SUBMITTED])
def test_what_another_class_wrote_of_the_child_is_not_told(cast: Cast, round_: Round, row, signed_in, state) -> None:
    """The child has changed the class; the case goes on with the one of then."""
    case = keep(round_, cast.class_a1, Typed(row, True, reason="母亲改嫁", seen=mark(None)), by=cast.teacher_a1)
    if state == State.SUBMITTED:
        applications.submit([case], by=cast.teacher_a1)
    Enrolment.objects.filter(pk=row.pk).update(
        school_class=cast.class_a2, path=cast.class_a2.path, class_name=cast.class_a2.name
    )
    client = signed_in(cast.teacher_a2)
    for apply in (True, False):
        url = reverse("class_file_rows", args=[round_.pk, cast.class_a2.pk])
        told = client.post(url, as_sent(row, apply=apply, reason="我写的"))
        said = told.json()["rows"][str(row.pk)]
        assert (said["status"], said["apply"], said["reason"]) == (422, False, "")
        assert "由原班级或学校继续办理" in said["said"]
        assert "page" not in said
    url = reverse("class_file", args=[round_.pk, cast.class_a2.pk])
    client.post(url, as_sent(row, reason="我写的") | {"submit": "1"})
    page = client.get(url).content.decode()
    assert "由原班级或学校继续办理" in page
    assert "母亲改嫁" not in page
    row.refresh_from_db()
    with pytest.raises(ValidationError, match="由原班级或学校继续办理"):
        keep(round_, cast.class_a2, Typed(row, True, reason="乙", seen=mark(None)), by=cast.teacher_a2)
    assert refreshed([case])[0].reason == "母亲改嫁"


def test_a_row_of_another_class_is_not_kept(cast: Cast, round_: Round, signed_in) -> None:
    there = enrol(cast, cast.class_a2)
    client = signed_in(cast.teacher_a1)
    told = client.post(rows_address(cast, round_), as_sent(there) | {"seen_nobody": "none"}).json()["rows"]
    assert {key: each["status"] for key, each in told.items()} == {str(there.pk): 422, "nobody": 422}
    assert "不在本班名册中" in told[str(there.pk)]["said"]
    assert stands(there) is None
    many = {f"seen_{number}": "none" for number in range(301)}
    assert client.post(rows_address(cast, round_), many).status_code == 400


def test_the_page_tells_of_each_pupil_that_did_not_go_and_keeps_what_was_typed(
    cast: Cast, round_: Round, row: Enrolment, signed_in
) -> None:
    good, bad = row, enrol(cast, cast.class_a1, name="钱二")
    other = enrol(cast, cast.class_a1, name="孙三")
    keep(round_, cast.class_a1, Typed(other, True, reason="同事写的", seen=mark(None)), by=cast.teacher_a1)
    client, url = signed_in(cast.teacher_a1), desk(cast, round_)
    said = {"apply": [str(p.pk) for p in (good, bad, other)], "submit": "1"}
    said |= {f"reason_{good.pk}": "父亲患病", f"reason_{bad.pk}": "电话 13812345678", f"reason_{other.pk}": "我写的"}
    said |= {f"seen_{p.pk}": "none" for p in (good, bad, other)}
    answer = client.post(url, said)
    assert answer.status_code == 302, "the page that follows can be reloaded"
    page = client.get(url).content.decode()
    assert "已提交 1 名学生的申请" in page
    assert "2 名学生没有提交" in page
    assert "这里不要写身份证号" in page
    assert "理由“同事写的”" in page
    assert 'value="我写的"' in page
    assert 'value="电话 …5678"' in page
    assert "13812345678" not in page
    assert page.count("data-unsaved") == 2
    again = client.get(url).content.decode()
    assert "名学生没有提交" not in again
    assert 'value="同事写的"' in again


def test_who_has_two_classes_open_reads_of_both(cast: Cast, round_: Round, row: Enrolment, signed_in) -> None:
    there = enrol(cast, cast.class_a2, name="钱二")
    casting.appoint(cast.teacher_a1, "class_teacher", cast.class_a2)
    client = signed_in(User.objects.get(pk=cast.teacher_a1.pk))
    desks = {place: reverse("class_file", args=[round_.pk, place.school_class_id]) for place in (row, there)}
    for place, url in desks.items():
        client.post(url, as_sent(place, reason="手机 13812345678") | {"submit": "1"})
    for place, url in desks.items():
        page = client.get(url).content.decode()
        assert "1 名学生没有提交" in page
        assert f'href="#row-{place.pk}"' in page
        assert "没有提交" not in client.get(url).content.decode().split("<main")[1].split("<form")[0]


def test_saving_without_a_script_keeps_ticks_and_takes_away_what_is_not_ticked(
    cast: Cast, round_: Round, row: Enrolment, signed_in
) -> None:
    other = enrol(cast, cast.class_a1, name="钱二")
    drafted = keep(round_, cast.class_a1, Typed(other, True, seen=mark(None)), by=cast.teacher_a1)
    client, url = signed_in(cast.teacher_a1), desk(cast, round_)
    sent = {"apply": [str(row.pk)], f"seen_{row.pk}": "none", f"seen_{other.pk}": mark(drafted), "save": "1"}
    client.post(url, sent)
    assert (stands(row).state, stands(other)) == (State.DRAFT, None)
    # A page that never showed the pupil takes nothing away.
    keep(round_, cast.class_a1, Typed(other, True, seen=mark(None)), by=cast.teacher_a1)
    client.post(url, {"apply": [str(row.pk)], "submit": "1"})
    assert (stands(row).state, stands(other).state) == (State.SUBMITTED, State.DRAFT)


def test_a_reason_without_a_tick_is_not_lost(cast: Cast, round_: Round, row: Enrolment, signed_in) -> None:
    client, url = signed_in(cast.teacher_a1), desk(cast, round_)
    client.post(url, {f"reason_{row.pk}": "写了没勾", f"seen_{row.pk}": "none", "save": "1"})
    page = client.get(url).content.decode()
    assert "写了申请理由，没有勾选" in page
    assert 'value="写了没勾"' in page
    assert not Application.objects.exists()


def test_the_back_button_sends_nothing_twice(cast: Cast, round_: Round, row: Enrolment, signed_in) -> None:
    client, url = signed_in(cast.teacher_a1), desk(cast, round_)
    sent = {"apply": [str(row.pk)], f"reason_{row.pk}": "甲", f"seen_{row.pk}": "none", "submit": "1"}
    client.post(url, sent)
    client.post(url, sent)
    page = client.get(url).content.decode()
    assert "没有重复提交" in page
    assert Application.objects.count() == 1
    assert stands(row).steps.filter(step=Step.SUBMIT).count() == 1


def test_a_guardian_who_declined_is_not_filed_for(cast: Cast, round_: Round, row: Enrolment, signed_in) -> None:
    receipts.record(round_, cast.class_a1, row, answer="declines", signed_on=clock.today(), by=cast.teacher_a1)
    with pytest.raises(ValidationError, match="张一：家长2026年10月12日的回执是“不申请”"):
        keep(round_, cast.class_a1, Typed(row, True, seen=mark(None)), by=cast.teacher_a1)
    client, url = signed_in(cast.teacher_a1), desk(cast, round_)
    page = client.get(url).content.decode()
    assert "家长不申请" in page
    assert "其中不申请 1 人" in page
    client.post(url, {"apply": [str(row.pk)], "submit": "1"})
    assert "回执是“不申请”" in client.get(url).content.decode()
    assert not Application.objects.exists()


def test_an_application_withdrawn_after_it_was_filed_may_be_filed_anew(
    cast: Cast, round_: Round, row: Enrolment
) -> None:
    (filed,) = submitted(cast, round_, row)
    advance(filed, Step.WITHDRAW, by=cast.teacher_a1, note="填错")
    (told,) = hand_over(round_, cast.class_a1, [Typed(row, True, seen=mark(None))], by=cast.teacher_a1)
    assert told.verdict == Verdict.SENT
