"""名额: handed down never over what is held, counted from the cases, reduced in the open; who stands outside."""

from decimal import Decimal
from fractions import Fraction

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounts import clock
from accounts.models import AuditRow, Unit
from students.changes import Request
from students.models import Category, StatusChange
from subsidies import applications, places, quotas, workflow
from subsidies import changes as case_changes
from subsidies.models import Application, OutsideQuota, Quota, QuotaVersion
from subsidies.states import Place, State, Step
from subsidies.workflow import StepRefused
from tests.cast import Cast, agree, enrol, refreshed, submitted, walk
from tests.subsidies.quota_hands import (
    DOCUMENT,
    allot,
    allot_percent,
    give,
    held,
    pass_on,
    receive,
    seats,
)
from tests.subsidies.shortcuts import walk_on


def said(refused) -> str:
    return "".join(refused.value.messages)


def class_reviewed(cast: Cast, round_, *classes, kinds=("dibao_rural",)) -> list[Application]:
    pupils = [enrol(cast, unit, name=f"学生{n}", kinds=kinds) for n, unit in enumerate(classes)]
    return walk(cast, submitted(cast, round_, *pupils), State.CLASS_REVIEWED)


def school_agrees(cast: Cast, rows) -> None:
    agree(refreshed(rows), "school", rows[0].school, by=cast.officer_a)


# --- how many a percentage makes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("roll", "percent", "expected"),
    [
        (523, "14", {"down": 73, "half_up": 73, "up": 74}),  # 73.22
        (50, "15", {"down": 7, "half_up": 8, "up": 8}),  # 7.5
        (40, "7.5", {"down": 3, "half_up": 3, "up": 3}),  # 3 exactly
        (0, "20", {"down": 0, "half_up": 0, "up": 0}),
        (7, "100", {"down": 7, "half_up": 7, "up": 7}),
    ],
)
def test_a_percentage_of_the_roll(roll: int, percent: str, expected: dict) -> None:
    assert {how: places.share_of(roll, Decimal(percent), how) for how in expected} == expected


@given(
    roll=st.integers(0, 200_000),
    percent=st.decimals("0.01", "100", places=2),
    rounding=st.sampled_from(QuotaVersion.Rounding.values),
)
def test_a_percentage_is_never_off_by_a_whole_place(roll: int, percent: Decimal, rounding: str) -> None:
    exact, got = Fraction(percent) * roll / 100, places.share_of(roll, percent, rounding)
    assert 0 <= got <= roll
    below, above = {"down": (0, 1), "up": (1, 0), "half_up": (Fraction(1, 2), Fraction(1, 2))}[rounding]
    assert exact - above <= got <= exact + below


def test_percentage_of_a_school_counts_who_is_present(cast, round_) -> None:
    pupils = [enrol(cast, cast.class_a1, name=f"学生{n}") for n in range(7)]
    enrol(cast, cast.class_b1)  # another school
    request = Request(StatusChange.Kind.SUSPEND, pupil=pupils[0].pupil, on=clock.today(), reason="生病")
    case_changes.record(request, by=cast.officer_a, seen=case_changes.plan(request, by=cast.officer_a).digest)
    receive(cast, round_, 10)
    allot_percent(cast, round_, "40", "up")
    version = held(round_, cast.school_a).versions.get()
    assert (version.roll, version.percent, version.rounding, version.places) == (6, Decimal("40"), "up", 3)


# --- handing down ------------------------------------------------------------------------------------------


def test_places_go_from_county_to_school_to_class(cast, round_) -> None:
    assert receive(cast, round_, 30) == 1
    assert allot(cast, round_, {cast.school_a: 20, cast.school_b: 10}) == 2
    assert pass_on(cast, round_, {cast.class_a1: 12, cast.class_a2: 8}) == 2
    quota = held(round_, cast.class_a1)
    assert quota.parent == held(round_, cast.school_a)
    assert quota.parent.parent == held(round_, cast.county)
    version = quota.versions.get()
    assert (version.before, version.places, version.document, version.by) == (None, 12, DOCUMENT, cast.officer_a)
    row = AuditRow.objects.get(action="quota.pass_on", subject=f"subsidies.quota:{quota.pk}")
    assert row.detail["before"] is None
    assert (row.detail["after"], row.detail["document"]) == (12, DOCUMENT)


def test_the_same_number_again_is_no_change_and_another_is_a_version(cast, round_) -> None:
    receive(cast, round_, 30)
    assert allot(cast, round_, {cast.school_a: 20}) == 1
    assert allot(cast, round_, {cast.school_a: 20}) == 0
    assert allot(cast, round_, {cast.school_a: 25}) == 1
    told = held(round_, cast.school_a).versions.order_by("number").values_list("number", "before", "places")
    assert list(told) == [(1, None, 20), (2, 20, 25)]


def test_nobody_hands_down_more_than_they_hold(cast, round_) -> None:
    receive(cast, round_, 30)
    with pytest.raises(ValidationError) as refused:
        allot(cast, round_, {cast.school_a: 20, cast.school_b: 11})
    assert said(refused) == "云岭县的名额是 30 个：分配合计 31 个，多出 1 个。请减少后再保存。"
    assert Quota.objects.count() == 1
    assert AuditRow.objects.filter(action="quota.allot").count() == 0


def test_what_others_below_already_use_counts_too(cast, round_) -> None:
    give(cast, round_, 5)
    school_agrees(cast, class_reviewed(cast, round_, cast.class_a2, cast.class_a2))
    with pytest.raises(ValidationError) as refused:
        pass_on(cast, round_, {cast.class_a1: 4})
    assert "分配合计 4 个，没有单列名额的已用 2 个，多出 1 个" in said(refused)
    pass_on(cast, round_, {cast.class_a1: 3})


def test_who_holds_nothing_hands_down_nothing(cast, round_) -> None:
    with pytest.raises(ValidationError) as refused:
        allot(cast, round_, {cast.school_a: 1})
    assert "请先登记上级下达给县里的名额" in said(refused)
    receive(cast, round_, 5)
    with pytest.raises(ValidationError) as refused:
        pass_on(cast, round_, {cast.class_a1: 1})
    assert "请县资助中心先给本校分配名额" in said(refused)


def test_only_to_the_next_level_and_only_with_a_document(cast, round_) -> None:
    receive(cast, round_, 5)
    with pytest.raises(ValidationError, match="不是云岭县的下一级单位"):
        allot(cast, round_, {cast.class_a1: 1})
    with pytest.raises(ValidationError, match="请写明依据"):
        allot(cast, round_, {cast.school_a: 1}, document=" ")
    with pytest.raises(ValidationError, match="不能小于零"):
        allot(cast, round_, {cast.school_a: -1})
    with pytest.raises(ValidationError, match="比例要大于 0"):
        allot_percent(cast, round_, "0")


@pytest.mark.parametrize("who", ["officer_a", "principal_a", "teacher_a1", "head", "inspector", "admin"])
def test_only_the_county_clerk_allots(cast, round_, who) -> None:
    receive(cast, round_, 5)
    with pytest.raises(PermissionDenied):
        allot(cast, round_, {cast.school_a: 1}, by=cast.people[who])
    with pytest.raises(PermissionDenied):
        receive(cast, round_, 6, by=cast.people[who])


@pytest.mark.parametrize("who", ["clerk", "officer_b", "principal_a", "teacher_a1", "head"])
def test_only_the_schools_own_officer_passes_on(cast, round_, who) -> None:
    give(cast, round_, 5)
    with pytest.raises(PermissionDenied):
        pass_on(cast, round_, {cast.class_a1: 1}, by=cast.people[who])


def test_a_number_is_taken_back_and_the_unit_shares_again(cast, round_) -> None:
    give(cast, round_, 3)
    pass_on(cast, round_, {cast.class_a1: 2})
    for number in (2, 0):
        pass_on(cast, round_, {cast.class_a1: number})
        with pytest.raises(ValidationError, match="请先取消下一级的名额"):
            allot(cast, round_, {cast.school_a: None})
    pass_on(cast, round_, {cast.class_a1: None})
    assert seats(round_, cast.class_a1).places is None
    allot(cast, round_, {cast.school_a: None})
    receive(cast, round_, None)
    rows = class_reviewed(cast, round_, *[cast.class_a1] * 4)
    school_agrees(cast, rows)  # no limit, as before


# --- taking ------------------------------------------------------------------------------------------------


def test_without_a_quota_there_is_no_limit(cast, round_) -> None:
    rows = class_reviewed(cast, round_, cast.class_a1, cast.class_a2)
    school_agrees(cast, rows)
    assert seats(round_, cast.school_a) == places.Seats(None, 2, 0)


def test_the_school_agrees_to_no_more_than_there_are_places(cast, round_) -> None:
    give(cast, round_, 2)
    rows = class_reviewed(cast, round_, cast.class_a1, cast.class_a1, cast.class_a2)
    with pytest.raises(StepRefused) as refused:
        school_agrees(cast, rows)
    assert said(refused) == (
        "名额已用完：云岭县第一初级中学名额 2 个，以前已用 0 个，这次同意的有 3 人要占名额，多出 1 人。"
        "请减少同意的人数（其余的先“暂不处理”），或请县资助中心增加名额；应助尽助的学生不占名额。"
    )
    assert {row.state for row in refreshed(rows)} == {State.CLASS_REVIEWED}
    assert {row.place for row in refreshed(rows)} == {""}
    school_agrees(cast, rows[:2])
    assert seats(round_, cast.school_a) == places.Seats(2, 2, 0)
    with pytest.raises(StepRefused, match="多出 1 人"):
        school_agrees(cast, rows[2:])


def test_a_class_has_its_own_and_the_others_share_the_rest(cast, round_) -> None:
    give(cast, round_, 3)
    pass_on(cast, round_, {cast.class_a1: 2})
    rows = class_reviewed(cast, round_, *[cast.class_a1] * 3, *[cast.class_a2] * 2)
    with pytest.raises(StepRefused) as refused:
        school_agrees(cast, rows[:3])
    assert "七年级1班名额 2 个" in said(refused)
    assert "本校资助专干调整各班名额" in said(refused)
    with pytest.raises(StepRefused) as refused:
        school_agrees(cast, rows[3:])  # two places are free in the school, one of them not theirs
    assert "没有分到各班级的名额是 1 个，由没有单列名额的班级共用" in said(refused)
    school_agrees(cast, [*rows[:2], rows[3]])
    assert seats(round_, cast.school_a).free == 0


def test_a_school_without_a_number_shares_what_the_county_kept(cast, round_) -> None:
    receive(cast, round_, 3)
    allot(cast, round_, {cast.school_b: 2})
    rows = class_reviewed(cast, round_, cast.class_a1, cast.class_a2)
    with pytest.raises(StepRefused) as refused:
        school_agrees(cast, rows)
    assert "云岭县没有分到各学校的名额是 1 个" in said(refused)
    school_agrees(cast, rows[:1])


def test_a_place_comes_back_when_the_case_ends_without_aid(cast, round_) -> None:
    give(cast, round_, 1)
    rows = class_reviewed(cast, round_, cast.class_a1, cast.class_a1)
    school_agrees(cast, rows[:1])
    with pytest.raises(StepRefused):
        school_agrees(cast, rows[1:])
    workflow.advance(rows[0], Step.CONFIRM, by=cast.principal_a)
    Application.objects.filter(pk=rows[0].pk).update(notice_ends_on="2026-10-20")
    workflow.advance(rows[0], Step.PUBLISH, by=cast.officer_a)
    workflow.advance(rows[0], Step.HOLD, by=cast.officer_a, note="收到异议")
    workflow.advance(rows[0], Step.REJECT_AFTER_CHECK, by=cast.officer_a, note="异议成立")
    assert seats(round_, cast.school_a) == places.Seats(1, 0, 0)
    school_agrees(cast, rows[1:])


def test_who_comes_back_for_correction_keeps_the_place(cast, round_) -> None:
    give(cast, round_, 1)
    back, waits = submitted(cast, round_, *[enrol(cast, cast.class_a1, name=f"学生{n}") for n in range(2)])
    walk_on(cast, [back], State.REPORTED)
    workflow.advance(back, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="补材料")
    walk(cast, [waits], State.CLASS_REVIEWED)
    assert seats(round_, cast.class_a1).taken == 1
    with pytest.raises(StepRefused):
        school_agrees(cast, [waits])
    applications.submit(refreshed([back]), by=cast.teacher_a1)
    agree(refreshed([back]), "class", cast.class_a1, by=cast.grade_head_a)
    school_agrees(cast, [back])  # a second place is not needed
    assert seats(round_, cast.school_a) == places.Seats(1, 1, 0)


def moved_to(cast: Cast, row: Application, unit, by) -> None:
    request = Request(
        StatusChange.Kind.CHANGE_CLASS, pupil=row.pupil, on=clock.today(), reason="调班", school_class=unit.school_class
    )
    case_changes.record(request, by=by, seen=case_changes.plan(request, by=by).digest)


def test_who_changes_class_leaves_the_place_there_and_has_none_on_coming_back(cast, round_) -> None:
    give(cast, round_, 2)
    pass_on(cast, round_, {cast.class_a1: 1, cast.class_a2: 1})
    back, other = submitted(cast, round_, *[enrol(cast, cast.class_a1, name=f"学生{n}") for n in range(2)])
    walk_on(cast, [back], State.REPORTED)
    workflow.advance(back, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="补材料")
    assert seats(round_, cast.class_a1).taken == 1
    moved_to(cast, back, cast.class_a2, cast.officer_a)
    assert seats(round_, cast.class_a1).taken == seats(round_, cast.class_a2).taken == 0
    school_agrees(cast, walk(cast, [other], State.CLASS_REVIEWED))
    moved_to(cast, back, cast.class_a1, cast.officer_a)
    assert (seats(round_, cast.class_a1), refreshed([back])[0].place) == (places.Seats(1, 1, 0), "")


def test_a_case_another_class_takes_over_brings_no_place_along(cast, round_) -> None:
    (row,) = submitted(cast, round_, enrol(cast, cast.class_a1))
    (row,) = walk_on(cast, [row], State.REPORTED)
    moved_to(cast, row, cast.class_a2, cast.officer_a)
    workflow.advance(row, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="补材料")
    assert seats(round_, cast.class_a1).taken == 1  # the school's decision stands for the class it was made for
    (found,) = applications.candidates(round_, cast.class_a2)
    applications.save_drafts(round_, cast.class_a2, [applications.Wish(found.enrolment)], by=cast.teacher_a2)
    assert (seats(round_, cast.class_a1).taken, seats(round_, cast.class_a2).taken) == (0, 0)


# --- outside the quota -------------------------------------------------------------------------------------


def stands_outside(cast: Cast, round_, code: str = "tekun", first_term: str = "2026-2027-1") -> OutsideQuota:
    return quotas.add_outside(
        round_.programme,
        Category.objects.filter(code=code).first(),
        first_term=first_term,
        source="应助尽助，云政发〔2026〕3号",
        county=cast.county,
        by=cast.clerk,
    )


def test_a_pupil_outside_the_quota_needs_no_place(cast, round_) -> None:
    give(cast, round_, 1)
    stands_outside(cast, round_)
    poor = class_reviewed(cast, round_, cast.class_a1)
    entitled = class_reviewed(cast, round_, cast.class_a1, cast.class_a1, kinds=("tekun",))
    school_agrees(cast, [*poor, *entitled])
    assert seats(round_, cast.class_a1) == places.Seats(None, 1, 2)
    assert seats(round_, cast.school_a) == places.Seats(1, 1, 2)
    assert {row.place for row in refreshed(entitled)} == {Place.OUTSIDE}


def test_a_rule_recorded_later_counts_for_the_term_and_its_end_too(cast, round_) -> None:
    give(cast, round_, 2)
    rows = class_reviewed(cast, round_, cast.class_a1, cast.class_a2, kinds=("tekun",))
    school_agrees(cast, rows)
    assert seats(round_, cast.school_a).taken == 2
    stands_outside(cast, round_, first_term="2026-2027-2")
    assert seats(round_, cast.school_a).taken == 2  # from the spring
    quotas.end_outside(
        OutsideQuota.objects.get(), last_term="2026-2027-2", document="县文件", county=cast.county, by=cast.clerk
    )
    OutsideQuota.objects.all().delete()
    row = stands_outside(cast, round_, first_term="2025-2026-2")
    assert seats(round_, cast.school_a) == places.Seats(2, 0, 2)
    assert AuditRow.objects.filter(action="outside_quota.add").first().detail["changed"] == 2
    quotas.end_outside(row, last_term="2025-2026-2", document="县文件", county=cast.county, by=cast.clerk)
    assert seats(round_, cast.school_a) == places.Seats(2, 2, 0)


def test_rules_about_who_stands_outside_are_refused_where_they_make_no_sense(cast, round_) -> None:
    row = stands_outside(cast, round_)
    with pytest.raises(ValidationError, match="已经登记为不占名额"):
        stands_outside(cast, round_, first_term="2026-2027-2")
    with pytest.raises(ValidationError, match="不能早于执行学期"):
        quotas.end_outside(row, last_term="2025-2026-2", document="县文件", county=cast.county, by=cast.clerk)
    quotas.end_outside(row, last_term="2026-2027-1", document="县文件", county=cast.county, by=cast.clerk)
    with pytest.raises(ValidationError, match="已经登记了截止学期"):
        quotas.end_outside(row, last_term="2026-2027-2", document="县文件", county=cast.county, by=cast.clerk)
    for who in (cast.officer_a, cast.head):
        with pytest.raises(PermissionDenied):
            quotas.end_outside(row, last_term="2026-2027-2", document="县文件", county=cast.county, by=who)


# --- reducing ----------------------------------------------------------------------------------------------


def reduced(cast: Cast, round_, unit, new: int, by=None, **more) -> QuotaVersion:
    by = by or (cast.officer_a if unit.level == "class" else cast.clerk)
    return quotas.reduce(held(round_, unit), new, document=DOCUMENT, by=by, **more)


def test_free_places_are_taken_back_at_once(cast, round_) -> None:
    give(cast, round_, 5)
    school_agrees(cast, class_reviewed(cast, round_, cast.class_a1))
    version = reduced(cast, round_, cast.school_a, 1)
    assert (version.before, version.places, version.over) == (5, 1, 0)
    row = AuditRow.objects.get(action="quota.reduce")
    assert (row.detail["before"], row.detail["after"], row.detail["document"]) == (5, 1, DOCUMENT)


def test_fewer_places_than_are_used_only_with_the_list_seen_and_nobody_is_dropped(cast, round_) -> None:
    give(cast, round_, 3)
    rows = class_reviewed(cast, round_, *[cast.class_a1] * 4)
    school_agrees(cast, rows[:3])
    with pytest.raises(ValidationError, match="不能少于已用的"):
        allot(cast, round_, {cast.school_a: 1})
    with pytest.raises(quotas.BelowUse) as refused:
        reduced(cast, round_, cast.school_a, 1)
    assert refused.value.over == 2
    assert held(round_, cast.school_a).places == 3
    with pytest.raises(quotas.BelowUse):
        reduced(cast, round_, cast.school_a, 0, seen=refused.value.seen)  # seen for another number
    version = reduced(cast, round_, cast.school_a, 1, seen=refused.value.seen)
    assert version.over == 2
    assert AuditRow.objects.get(action="quota.reduce").detail["over"] == 2
    assert seats(round_, cast.school_a).over == 2
    assert {row.state for row in refreshed(rows[:3])} == {State.SCHOOL_REVIEWED}
    with pytest.raises(StepRefused):
        school_agrees(cast, rows[3:])


def test_a_list_that_has_changed_since_has_to_be_looked_at_again(cast, round_) -> None:
    give(cast, round_, 3)
    rows = class_reviewed(cast, round_, *[cast.class_a1] * 3)
    school_agrees(cast, rows[:2])
    with pytest.raises(quotas.BelowUse) as refused:
        reduced(cast, round_, cast.school_a, 1)
    school_agrees(cast, rows[2:])
    with pytest.raises(quotas.BelowUse):
        reduced(cast, round_, cast.school_a, 1, seen=refused.value.seen)


def test_what_is_handed_down_is_reduced_first(cast, round_) -> None:
    give(cast, round_, 5)
    pass_on(cast, round_, {cast.class_a1: 3, cast.class_a2: 2})
    with pytest.raises(ValidationError, match="请先调减下一级的名额"):
        reduced(cast, round_, cast.school_a, 4)
    with pytest.raises(ValidationError, match="请先减少或取消下一级的名额"):
        allot(cast, round_, {cast.school_a: 4})
    reduced(cast, round_, cast.class_a2, 1)
    reduced(cast, round_, cast.school_a, 4)


def test_a_reduction_is_one(cast, round_) -> None:
    give(cast, round_, 5)
    for new in (5, 6):
        with pytest.raises(ValidationError, match="调减后要比它少"):
            reduced(cast, round_, cast.school_a, new)
    with pytest.raises(ValidationError, match="请写明依据"):
        quotas.reduce(held(round_, cast.school_a), 1, document="", by=cast.clerk)
    for unit, who in ((cast.county, cast.officer_a), (cast.school_a, cast.officer_a), (cast.school_a, cast.head)):
        with pytest.raises(PermissionDenied):
            reduced(cast, round_, unit, 1, by=who)


def test_the_number_of_queries_does_not_grow_with_the_list(cast, round_) -> None:
    give(cast, round_, 9)
    pass_on(cast, round_, {cast.class_a1: 4, cast.class_a2: 3})
    counts = []
    for classes in ([cast.class_a1, cast.class_a2], [cast.class_a1] * 3 + [cast.class_a2] * 2):
        rows = class_reviewed(cast, round_, *classes)
        with CaptureQueriesContext(connection) as taken:
            places.take(refreshed(rows))
        counts.append(len(taken))
    assert counts[0] == counts[1]
    with CaptureQueriesContext(connection) as one:
        allot(cast, round_, {cast.school_a: 9})
    assert len(one) < 20


# --- classes that are closed -------------------------------------------------------------------------------


def test_places_of_a_class_that_was_closed_are_taken_back(cast, round_) -> None:
    give(cast, round_, 3)
    pass_on(cast, round_, {cast.class_a1: 2})
    Unit.objects.filter(pk=cast.class_a1.pk).update(is_active=False)
    assert places.shared_of(held(round_, cast.school_a)) == places.Shared(1, 0)
    pass_on(cast, round_, {cast.class_a1: None})
    assert places.shared_of(held(round_, cast.school_a)) == places.Shared(3, 0)


def test_whose_pupils_went_on_with_places_keeps_them_for_the_term(cast, round_) -> None:
    """A class that is closed at the end of a term still counts what its pupils use in that term."""
    give(cast, round_, 2)
    pass_on(cast, round_, {cast.class_a1: 1})
    school_agrees(cast, class_reviewed(cast, round_, cast.class_a1))
    Unit.objects.filter(pk=cast.class_a1.pk).update(is_active=False)
    assert seats(round_, cast.class_a1) == places.Seats(1, 1, 0)
    with pytest.raises(ValidationError, match="名额不能少于已用的"):
        pass_on(cast, round_, {cast.class_a1: 0})


def test_a_rule_that_came_with_a_pack_can_end_too(cast, round_) -> None:
    tekun = Category.objects.get(code="tekun")
    row = OutsideQuota.objects.create(
        programme=round_.programme, category_code=tekun.code, first_term="2025-2026-1", source="政策包"
    )
    quotas.end_outside(row, last_term="2026-2027-1", document="县文件", county=cast.county, by=cast.clerk)
    row.refresh_from_db()
    assert (row.last_term, row.recorded_by) == ("2026-2027-1", None)
