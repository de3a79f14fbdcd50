"""Versions of lists over time: what holds now follows from what was taken, in whatever order it came in."""

import datetime as dt
import itertools
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q
from django.utils import timezone

from accounts import clock
from accounts.models import AuditRow
from documents.models import Upload
from students import (
    circumstances,
    enrolment,
    fictitious,
    list_matching,
    list_profiles,
    list_versions,
    lists,
    privacy,
    rechecks,
)
from students.list_versions import ListAlreadySettled
from students.models import Category, Circumstance, Enrolment, ListMatch, ListProfile, ListVersion, Recheck
from students.rechecks import RecheckAlreadySettled
from tests.cast import TODAY, Cast, enrol, that_morning
from tests.together import at_once

from . import list_files
from .list_files import KIND, POLICY, RISK, Somebody, number_of, stranger, taken

DAYS = [dt.date(2026, 9, 3), dt.date(2026, 9, 20), dt.date(2026, 10, 8)]
YES, NO = {POLICY: "享受政策"}, {POLICY: "不享受政策"}


@pytest.fixture
def county(cast: Cast) -> Cast:
    list_profiles.load(cast.county, by=cast.clerk)
    return cast


def pupil(cast: Cast, name: str, **changes: Any) -> Enrolment:
    return enrol(cast, cast.class_a1, name=name, kinds=(), **changes)


def on_list(row: Enrolment, flags: dict[str, Any] | None = None) -> Somebody:
    return Somebody(row.pupil.name, number_of(row.pupil), flags=flags or {})


def task_of(row: Enrolment, **lookup: Any) -> Recheck:
    return Recheck.objects.get(pupil=row.pupil, **lookup)


def state() -> dict[str, Any]:
    """What holds now: what the lists say, which kinds pupils have, which tasks are open."""
    everybody = lists.standing_on_lists(set(ListMatch.objects.values_list("pupil", flat=True)))
    return {
        "said": {
            row.pupil_id: sorted((s.list_name, s.word, s.is_heard, s.as_of) for s in everybody.get(row.pupil_id, []))
            for row in Enrolment.objects.all()
        },
        "held": sorted(Circumstance.objects.filter(valid_to=None).values_list("pupil", "category__code")),
        "open": sorted(Recheck.objects.filter(state="open").values_list("pupil", "kind", "version__as_of")),
    }


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_versions_lead_to_the_same_state_in_any_order(county: Cast, order: tuple[int, ...]) -> None:
    stays, leaves, comes, returns, changes = (pupil(county, f"王小{n}") for n in "甲乙丙丁戊")
    contents = [
        [on_list(stays, YES), on_list(leaves, YES), on_list(returns, YES), on_list(changes, YES), stranger(1)],
        [on_list(stays, YES), on_list(comes, YES), on_list(changes, NO), stranger(2)],
        [on_list(stays, YES), on_list(comes, YES), on_list(returns, YES), on_list(changes, NO), stranger(1)],
    ]
    for number in order:
        taken(county, "lifted-with-policy", contents[number], DAYS[number])
    assert state()["open"] == sorted(
        [
            (leaves.pupil_id, "left", DAYS[1]),
            (comes.pupil_id, "came", DAYS[1]),
            (returns.pupil_id, "came", DAYS[2]),
            (changes.pupil_id, "changed", DAYS[1]),
        ]
    )
    held = {(row.pupil_id, "lifted") for row in (stays, leaves, comes, returns, changes)}
    assert set(state()["held"]) == held
    assert state()["said"][stays.pupil_id] == [
        ("脱贫户信息（继续享受政策）", "属于“脱贫户（继续享受政策）”", True, DAYS[2])
    ]
    assert state()["said"][leaves.pupil_id] == []


def test_differences_are_the_same_seen_from_either_side(county: Cast) -> None:
    one, two, three = (pupil(county, f"王小{n}") for n in "甲乙丙")
    earlier = taken(county, "lifted-with-policy", [on_list(one, YES), on_list(two, YES), stranger(1)], DAYS[0])
    later = taken(county, "lifted-with-policy", [on_list(two, NO), on_list(three, YES), stranger(2)], DAYS[1])

    def persons(rows: Any) -> set[str]:
        return set(rows.values_list("person_index", flat=True))

    for a, b in ((earlier, later), (later, earlier)):
        everybody = {version: persons(version.entries.all()) for version in (a, b)}
        assert persons(list_matching.came_in(a, b)) == everybody[b] - everybody[a]
        assert persons(list_matching.changed(a, b)) <= everybody[a] & everybody[b]
        assert persons(list_matching.changed(a, b)) == persons(list_matching.changed(b, a))
    assert len(persons(list_matching.changed(earlier, later))) == 1
    assert list_matching.changed(earlier, earlier).count() == list_matching.came_in(later, later).count() == 0


def test_the_first_version_of_a_list_gives_without_asking_and_names_its_place(county: Cast) -> None:
    here = pupil(county, "王小草")
    taken(county, "lifted-with-policy", [stranger(1), on_list(here, YES)], DAYS[0])
    given = Circumstance.objects.get()
    assert (given.source, given.valid_from, given.valid_to) == ("matched", DAYS[0], None)
    assert given.evidence == "“脱贫户信息（继续享受政策）”2026-09-03，工作表“Sheet1”第 3 行（县乡村振兴部门）"
    assert ListMatch.objects.get().circumstance == given
    assert not Recheck.objects.exists()


def test_what_somebody_ended_is_not_begun_again_by_a_list(county: Cast) -> None:
    here = pupil(county, "王小草")
    kind = Category.objects.get(code="lifted")
    before = circumstances.add(
        here.pupil, category=kind, source="matched", valid_from=dt.date(2025, 9, 1), by=county.officer_a
    )
    circumstances.end(before, on=dt.date(2026, 7, 1), by=county.officer_a)
    taken(county, "lifted-with-policy", [on_list(here, YES)], DAYS[0])
    assert Circumstance.objects.count() == 1
    task = task_of(here, kind="came")
    assert [row.word for row in rechecks.effects_of(task, "confirmed").gives] == ["属于“脱贫户（继续享受政策）”"]
    with pytest.raises(ValidationError, match="登记到2026年7月1日为止"):
        rechecks.settle(task, outcome="confirmed", on=dt.date(2026, 7, 1), by=county.officer_a)
    rechecks.settle(task, outcome="confirmed", on=DAYS[0], by=county.officer_a)
    assert Circumstance.objects.get(valid_to=None).valid_from == DAYS[0]


MONITORED = {KIND: "突发严重困难户", RISK: "未消除"}


def until(day: str) -> dict[str, Any]:
    return MONITORED | {"风险消除时间": day}


def test_what_a_school_confirms_ends_when_the_list_says(county: Cast) -> None:
    here = pupil(county, "王小草")
    kind = Category.objects.get(code="sudden_hardship")
    before = circumstances.add(
        here.pupil, category=kind, source="matched", valid_from=dt.date(2025, 9, 1), by=county.officer_a
    )
    circumstances.end(before, on=dt.date(2026, 7, 1), by=county.officer_a)
    taken(county, "monitored-at-risk", [on_list(here, until("2026-12-31"))], DAYS[0])
    rechecks.settle(task_of(here), outcome="confirmed", on=DAYS[0], by=county.officer_a)
    assert list(Circumstance.objects.order_by("valid_from").values_list("valid_from", "valid_to")) == [
        (dt.date(2025, 9, 1), dt.date(2026, 7, 1)),
        (DAYS[0], dt.date(2026, 12, 31)),
    ]


@pytest.mark.parametrize(("said", "end"), [("2026-12-01", "2026-12-31"), ("2027-06-30", "2027-06-30"), ("长期", None)])
def test_a_list_that_names_another_end_is_confirmed(county: Cast, said: str, end: str | None) -> None:
    here = pupil(county, "王小草")
    taken(county, "monitored-at-risk", [on_list(here, until("2026-12-31"))], DAYS[0])
    taken(county, "monitored-at-risk", [on_list(here, until(said))], DAYS[1])
    rechecks.settle(task_of(here, kind="changed"), outcome="confirmed", on=DAYS[1], by=county.officer_a)
    assert Circumstance.objects.get().valid_to == (dt.date.fromisoformat(end) if end else None)


def test_a_decision_about_one_pupil_leaves_the_tasks_of_others(county: Cast) -> None:
    here, alike = pupil(county, "王小草"), pupil(county, "李同名")
    kind = Category.objects.get(code="lifted")
    before = circumstances.add(
        here.pupil, category=kind, source="matched", valid_from=dt.date(2025, 9, 1), by=county.officer_a
    )
    circumstances.end(before, on=dt.date(2026, 7, 1), by=county.officer_a)
    people = [on_list(here, YES), Somebody("李同名", list_files.miswritten(number_of(alike.pupil)), flags=YES)]
    taken(county, "lifted-with-policy", people, DAYS[0])
    list_versions.decide(ListMatch.objects.get(state="proposed"), is_same=True, by=county.officer_a)
    assert task_of(here, kind="came").state == "open"


def test_who_left_keeps_the_kind_until_the_school_says_from_when(county: Cast) -> None:
    here = pupil(county, "王小草")
    taken(county, "lifted-with-policy", [on_list(here, YES)], DAYS[0])
    taken(county, "lifted-with-policy", [stranger(1)], DAYS[1])
    assert Circumstance.objects.get().valid_to is None
    task = task_of(here, kind="left")
    with pytest.raises(PermissionDenied):
        rechecks.settle(task, outcome="confirmed", on=DAYS[1], by=county.officer_b)
    with pytest.raises(PermissionDenied):
        rechecks.settle(task, outcome="confirmed", on=DAYS[1], by=county.teacher_a1)
    with pytest.raises(ValidationError, match="不能早于"):
        rechecks.settle(task, outcome="confirmed", on=dt.date(2026, 9, 1), by=county.officer_a)
    with pytest.raises(ValidationError, match="不能晚于今天"):
        rechecks.settle(task, outcome="confirmed", on=TODAY + dt.timedelta(days=1), by=county.officer_a)
    rechecks.settle(task, outcome="confirmed", on=DAYS[1], by=county.officer_a)
    assert Circumstance.objects.get().valid_to == DAYS[1]
    with pytest.raises(RecheckAlreadySettled):
        rechecks.settle(task, outcome="mistaken", note="看错了", by=county.officer_a)
    row = AuditRow.objects.filter(action="recheck.settle").get()
    assert row.detail["ended"] == ["lifted"]


def test_settled_tasks_stay_settled_and_a_return_is_asked_about(county: Cast) -> None:
    here = pupil(county, "王小草")
    taken(county, "lifted-with-policy", [on_list(here, YES)], DAYS[0])
    taken(county, "lifted-with-policy", [stranger(1)], DAYS[1])
    rechecks.settle(task_of(here), outcome="confirmed", on=DAYS[1], by=county.officer_a)
    list_versions.match_again(county.county, by=county.clerk)
    assert list(Recheck.objects.values_list("state", "kind")) == [("settled", "left")]
    # A version in between comes in late; what was settled about the later one stays.
    taken(county, "lifted-with-policy", [stranger(2)], dt.date(2026, 9, 10))
    assert sorted(Recheck.objects.values_list("state", "version__as_of")) == [
        ("overtaken", dt.date(2026, 9, 10)),
        ("settled", DAYS[1]),
    ]
    taken(county, "lifted-with-policy", [on_list(here, YES)], DAYS[2])
    assert not Circumstance.objects.filter(valid_to=None).exists()
    rechecks.settle(task_of(here, kind="came"), outcome="confirmed", on=DAYS[2], by=county.officer_a)
    assert Circumstance.objects.get(valid_to=None).valid_from == DAYS[2]


def test_a_newcomer_by_mistake_loses_what_the_list_gave(county: Cast) -> None:
    here = pupil(county, "王小草")
    taken(county, "lifted-with-policy", [stranger(1)], DAYS[0])
    taken(county, "lifted-with-policy", [on_list(here, YES)], DAYS[1])
    task = task_of(here)
    with pytest.raises(ValidationError, match="请写明核实的情况"):
        rechecks.settle(task, outcome="mistaken", on=DAYS[1], by=county.officer_a)
    rechecks.settle(task, outcome="mistaken", on=DAYS[1], note="户主看错，不是本户", by=county.officer_a)
    assert Circumstance.objects.get().valid_to == DAYS[1]
    taken(county, "lifted-with-policy", [on_list(here, YES), stranger(1)], DAYS[2])
    assert not Circumstance.objects.filter(valid_to=None).exists()
    assert not Recheck.objects.filter(state="open").exists()


def test_what_another_list_still_gives_is_not_ended(county: Cast) -> None:
    here = pupil(county, "王小草")
    taken(county, "disabled", [on_list(here)], DAYS[0])
    ListProfile.objects.filter(code="low-income").update(
        meaning={"category": "disabled", "denies": False, "rules": [], "file_words": []}
    )
    taken(county, "low-income", [on_list(here)], DAYS[0])
    assert Circumstance.objects.count() == 1
    taken(county, "disabled", [stranger(1)], DAYS[1])
    assert not rechecks.effects_of(task_of(here), "confirmed").needs_day
    rechecks.settle(task_of(here), outcome="confirmed", by=county.officer_a)
    assert Circumstance.objects.get().valid_to is None


def test_papers_the_school_collected_are_no_business_of_a_list(county: Cast) -> None:
    here = pupil(county, "王小草")
    circumstances.add(
        here.pupil,
        category=Category.objects.get(code="disabled"),
        source="collected",
        evidence="残疾证",
        valid_from=DAYS[0],
        by=county.officer_a,
    )
    taken(county, "disabled", [on_list(here)], DAYS[0])
    taken(county, "disabled", [stranger(1)], DAYS[1])
    assert rechecks.effects_of(task_of(here), "confirmed").ends == []


def test_a_cleared_risk_ends_by_the_schools_word(county: Cast) -> None:
    here = pupil(county, "王小草")
    taken(county, "monitored-at-risk", [on_list(here, {KIND: "突发严重困难户", RISK: "未消除"})], DAYS[0])
    assert Circumstance.objects.get().category.code == "sudden_hardship"
    cleared = {KIND: "突发严重困难户", RISK: "已消除", "风险消除时间": "2026-09-15"}
    taken(county, "monitored-cleared", [on_list(here, cleared)], DAYS[1])
    taken(county, "monitored-at-risk", [stranger(1)], DAYS[1])
    assert sorted(Recheck.objects.values_list("kind", flat=True)) == ["contradicted", "left"]
    rechecks.settle(task_of(here, kind="left"), outcome="confirmed", on=dt.date(2026, 9, 15), by=county.officer_a)
    list_versions.match_again(county.county, by=county.clerk)
    assert list(Recheck.objects.filter(state="open")) == []  # nothing is left to contradict
    assert Circumstance.objects.get().valid_to == dt.date(2026, 9, 15)


@pytest.mark.parametrize("outcome", ["confirmed", "mistaken"])
@pytest.mark.parametrize("first", ["left", "contradicted"])
def test_one_answer_settles_all_that_ask_whether_a_kind_still_holds(county: Cast, first: str, outcome: str) -> None:
    here, both = pupil(county, "王小草"), pupil(county, "李小花")
    taken(county, "lifted-with-policy", [on_list(here, YES), on_list(both, YES)], DAYS[0])
    taken(county, "disabled", [on_list(both)], DAYS[0])
    taken(county, "lifted-with-policy", [stranger(1)], DAYS[1])
    taken(county, "disabled", [stranger(1)], DAYS[1])
    taken(county, "lifted-without-policy", [on_list(here, NO)], DAYS[1])
    task = task_of(here, kind=first)
    assert [each.pupil_id for each in rechecks.asked_alike(task)] == [here.pupil_id]
    assert rechecks.asked_alike(task_of(both, version__profile__code="disabled")) == [], "another kind"
    rechecks.settle(task, outcome=outcome, note="看了手册", on=DAYS[1], by=county.officer_a)
    settled = Recheck.objects.filter(pupil=here.pupil)
    assert set(settled.values_list("state", "outcome", "note")) == {("settled", outcome, "看了手册")}
    assert AuditRow.objects.filter(action="recheck.settle").count() == 2
    assert Circumstance.objects.filter(pupil=here.pupil, valid_to=None).exists() == (outcome == "mistaken")
    list_versions.match_again(county.county, by=county.clerk)
    assert not Recheck.objects.filter(pupil=here.pupil, state="open").exists()


def test_tasks_ticked_together_that_ask_the_same_are_all_done(county: Cast) -> None:
    here = pupil(county, "王小草")
    kind = Category.objects.get(code="lifted")
    circumstances.add(
        here.pupil, category=kind, source="collected", evidence="手册", valid_from=DAYS[0], by=county.officer_a
    )
    taken(county, "lifted-with-policy", [on_list(here, YES)], DAYS[0])
    taken(county, "lifted-with-policy", [stranger(1)], DAYS[1])
    taken(county, "lifted-without-policy", [on_list(here, NO)], DAYS[1])
    tasks = list(Recheck.objects.select_related("school"))
    assert rechecks.confirm_plain(tasks, by=county.officer_a) == (2, 0)


def test_a_list_that_wrongly_denies_ends_nothing(county: Cast) -> None:
    here = pupil(county, "王小草")
    taken(county, "lifted-without-policy", [stranger(1)], DAYS[0])
    taken(county, "lifted-with-policy", [on_list(here, YES)], DAYS[1])
    taken(county, "lifted-without-policy", [on_list(here, NO)], DAYS[1])
    taken(county, "lifted-with-policy", [stranger(1)], DAYS[2])
    task = task_of(here, kind="came")
    assert not rechecks.effects_of(task, "mistaken").needs_day


@pytest.mark.parametrize("gives_first", [True, False])
def test_of_two_lists_that_differ_the_one_whose_source_ranks_first_is_heard(county: Cast, gives_first: bool) -> None:
    here = pupil(county, "王小草")
    offices = ["甲局", "县乡村振兴部门", "县民政局", "县残联"]
    if not gives_first:
        offices = ["县乡村振兴部门", "甲局", "县民政局", "县残联"]
    sources = list_profiles.rank_sources(county.county, offices, by=county.clerk)
    ListProfile.objects.filter(code="lifted-with-policy").update(source=next(s for s in sources if s.name == "甲局"))
    taken(county, "lifted-without-policy", [on_list(here, NO)], DAYS[0])
    taken(county, "lifted-with-policy", [on_list(here, YES)], DAYS[0])
    said = {row.denies: row for row in lists.standing_on_lists([here.pupil.pk])[here.pupil.pk]}
    assert said[False].is_heard == gives_first
    assert said[True].is_heard != gives_first
    first = "甲局" if gives_first else "县乡村振兴部门"
    assert f"{first}的优先顺序在前" in said[True].why == said[False].why
    assert Circumstance.objects.filter(valid_to=None).exists() == gives_first


def test_of_one_source_the_later_word_is_heard_and_then_the_one_that_gives(county: Cast) -> None:
    here = pupil(county, "王小草")
    taken(county, "lifted-with-policy", [on_list(here, YES)], DAYS[0])
    taken(county, "lifted-without-policy", [on_list(here, NO)], DAYS[0])
    said = lists.standing_on_lists([here.pupil.pk])[here.pupil.pk]
    assert [row.is_heard for row in said if row.denies] == [False]
    assert not Recheck.objects.exists()
    taken(county, "lifted-without-policy", [on_list(here, NO), stranger(1)], DAYS[1])
    said = lists.standing_on_lists([here.pupil.pk])[here.pupil.pk]
    assert [row.is_heard for row in said if row.denies] == [True]
    task = task_of(here, kind="contradicted")
    rechecks.settle(task, outcome="mistaken", note="扶贫手册仍写享受", by=county.officer_a)
    # The next version says the same once more: the school has answered that.
    taken(county, "lifted-without-policy", [on_list(here, NO), stranger(2)], DAYS[2])
    assert not Recheck.objects.filter(state="open").exists()
    assert Circumstance.objects.get().valid_to is None


def test_pupils_who_come_later_are_found_by_matching_again(county: Cast) -> None:
    here = pupil(county, "王小草")
    number = number_of(here.pupil)
    there = Somebody("李小花", fictitious.id_number(900, born=list_files.BORN, sex="male"), flags=YES)
    taken(county, "lifted-with-policy", [Somebody("王小草", number, flags=YES), there], DAYS[0])
    taken(county, "lifted-with-policy", [Somebody("王小草", number, flags=YES), there, stranger(1)], DAYS[1])
    assert ListMatch.objects.count() == 2
    new = pupil(county, "李小花")
    privacy.set_id(new.pupil, there.number)
    new.pupil.save()
    assert list_versions.match_again(county.county, by=county.clerk) == 1
    assert Circumstance.objects.get(pupil=new.pupil).valid_from == DAYS[1]
    # Was on both versions all the time: no difference, no task.
    assert not Recheck.objects.exists()
    assert list_versions.match_again(county.county, by=county.clerk) == 0


def test_households_are_known_across_schools(county: Cast) -> None:
    one, three = pupil(county, "王小甲"), pupil(county, "李小丙")
    two = enrol(county, county.class_b1, name="王小乙", kinds=())
    rows = [stranger(1, members=(on_list(one), on_list(two))), stranger(2, members=(on_list(three), stranger(3)))]
    taken(county, "dibao-rural", rows, DAYS[0])
    assert lists.households(county.county, TODAY) == [{one.pupil_id, two.pupil_id}]
    # A second list that knows the same household names no second one.
    taken(county, "dibao-urban", rows, DAYS[0])
    assert lists.households(county.county, TODAY) == [{one.pupil_id, two.pupil_id}]
    # In the next version they live apart.
    rows = [stranger(1, members=(on_list(one),)), stranger(2, members=(on_list(two),))]
    taken(county, "dibao-rural", rows, DAYS[1])
    taken(county, "dibao-urban", rows, DAYS[1])
    assert lists.households(county.county, TODAY) == []
    assert lists.households(county.county, DAYS[0]) == [{one.pupil_id, two.pupil_id}]


def test_bulk_questions_ask_the_database_as_often_for_one_as_for_many(
    county: Cast, django_assert_num_queries: Any
) -> None:
    rows = [pupil(county, f"王小{n}") for n in "甲乙丙"]
    family = stranger(1, members=tuple(on_list(row) for row in rows))
    taken(county, "dibao-rural", [family], DAYS[0])
    for some in (rows[:1], rows):
        with django_assert_num_queries(3):
            assert len(lists.standing_on_lists([row.pupil_id for row in some])) == len(some)


def test_households_take_as_many_questions_for_one_as_for_many(county: Cast, django_assert_num_queries: Any) -> None:
    rows = [pupil(county, f"王小{n}") for n in "甲乙丙丁戊己"]
    pairs = [(on_list(one), on_list(two)) for one, two in zip(rows[::2], rows[1::2], strict=True)]
    for day, families in zip(DAYS, (pairs[:1], pairs), strict=False):
        taken(county, "dibao-rural", [stranger(n, members=pair) for n, pair in enumerate(families, start=1)], day)
        with django_assert_num_queries(2):
            assert len(lists.households(county.county, TODAY)) == len(families)


def test_the_same_file_or_a_second_of_the_same_day_is_not_taken_twice(county: Cast) -> None:
    here = pupil(county, "王小草")
    profile = ListProfile.objects.get(code="disabled")
    file = list_files.upload("disabled", [on_list(here)])
    content = file.read()
    first = list_versions.upload(again(content), profile=profile, as_of=DAYS[0], by=county.clerk)
    with pytest.raises(ValidationError, match="同一个文件已于"):
        list_versions.upload(again(content), profile=profile, as_of=DAYS[1], by=county.clerk)
    list_versions.take(first, by=county.clerk)
    with pytest.raises(ListAlreadySettled):
        list_versions.take(first, by=county.clerk)
    with pytest.raises(ListAlreadySettled):
        list_versions.discard(first, by=county.clerk)
    other = list_versions.upload(
        list_files.upload("disabled", [stranger(1)]), profile=profile, as_of=DAYS[0], by=county.clerk
    )
    with pytest.raises(ValidationError, match="已经采用过一份"):
        list_versions.take(other, by=county.clerk)


@pytest.mark.django_db(transaction=True)
def test_of_two_files_of_a_day_taken_at_once_the_second_is_refused_in_words() -> None:
    with that_morning() as cast:
        list_profiles.load(cast.county, by=cast.clerk)
        profile = ListProfile.objects.get(code="disabled")
        files = [list_files.upload("disabled", [stranger(n)]) for n in (1, 2)]
        read = [list_versions.upload(file, profile=profile, as_of=DAYS[0], by=cast.clerk) for file in files]
        answers = at_once(*[lambda version=version: list_versions.take(version, by=cast.clerk) for version in read])
    assert sorted(type(answer).__name__ for answer in answers) == ["ListVersion", "ValidationError"]
    assert ListVersion.objects.filter(state="taken").count() == 1


def test_only_the_county_brings_lists_in(county: Cast) -> None:
    profile = ListProfile.objects.get(code="disabled")
    for somebody in (county.officer_a, county.teacher_a1, county.head, county.inspector):
        with pytest.raises(PermissionDenied):
            list_versions.upload(
                list_files.upload("disabled", [stranger(1)]), profile=profile, as_of=DAYS[0], by=somebody
            )


def test_a_large_list_is_worked_on_by_whoever_claims_it_and_a_dead_worker_is_replaced(
    county: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_versions, "AT_ONCE_BYTES", 0)
    monkeypatch.setattr(list_versions, "AT_ONCE_PERSONS", 0)
    here = pupil(county, "王小草")
    profile = ListProfile.objects.get(code="disabled")
    version = list_versions.upload(
        list_files.upload("disabled", [on_list(here), stranger(1)]), profile=profile, as_of=DAYS[0], by=county.clerk
    )
    assert version.state == "queued"
    assert list_versions.waiting() == [version.pk]
    # Somebody claimed it, wrote a part and died.
    version.entries.create(sheet="Sheet1", row=2, person_index="0" * 64, mark="0" * 16)
    ListVersion.objects.update(state="reading", attempt=1, lease_until=timezone.now() + dt.timedelta(seconds=60))
    assert list_versions.waiting() == []
    assert not list_versions.work(version.pk)
    ListVersion.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    assert list_versions.work(version.pk)
    version.refresh_from_db()
    assert (version.state, version.entries.count(), version.persons_total) == ("read", 2, 2)
    assert list_versions.take(version, by=county.clerk).state == "taking"
    assert not Circumstance.objects.exists()
    assert list_versions.waiting() == [version.pk]
    assert list_versions.work(version.pk)
    assert not list_versions.work(version.pk)
    version.refresh_from_db()
    assert version.state == "taken"
    assert Circumstance.objects.count() == 1


def test_a_file_that_cannot_be_read_says_so_on_its_page_and_leaves_nothing(
    county: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_versions, "AT_ONCE_BYTES", 0)
    profile = ListProfile.objects.get(code="disabled")
    version = list_versions.upload(list_files.upload("disabled", []), profile=profile, as_of=DAYS[0], by=county.clerk)
    assert list_versions.work(version.pk)
    version.refresh_from_db()
    assert version.state == "failed"
    assert "没有读到任何人" in version.failure
    assert not list_versions.work(version.pk)
    assert list_versions.discard(version, by=county.clerk).file is None


def test_no_number_of_a_person_is_kept_or_shown(county: Cast) -> None:
    here = pupil(county, "王小草")
    number = number_of(here.pupil)
    people = [Somebody("王小草", number, flags={"残疾类别": f"肢体 {number}43", "残疾等级": number})]
    version = taken(county, "disabled", people, DAYS[0])
    kept = str(list(version.entries.values())) + str(version.findings) + str(list(Circumstance.objects.values()))
    kept += str(list(AuditRow.objects.values("detail", "subject"))) + str(list(Recheck.objects.values()))
    assert number not in kept
    assert version.entries.get().id_masked.endswith(number[-4:])


def test_pupils_who_left_the_countys_schools_are_nobodys_task(county: Cast) -> None:
    here = pupil(county, "王小草")
    taken(county, "disabled", [on_list(here)], DAYS[0])
    Enrolment.objects.filter(Q(pk=here.pk)).update(standing="graduated", ends_on=DAYS[0])
    taken(county, "disabled", [stranger(1)], DAYS[1])
    assert not Recheck.objects.exists()


def again(content: bytes) -> Any:
    from django.core.files.uploadedfile import SimpleUploadedFile

    return SimpleUploadedFile("持证残疾人名单.xlsx", content)


def test_a_task_follows_the_pupil_to_the_new_school(county: Cast) -> None:
    here = pupil(county, "王小草")
    taken(county, "disabled", [on_list(here)], DAYS[0])
    taken(county, "disabled", [stranger(1)], DAYS[1])
    task = task_of(here)
    with pytest.raises(ValidationError, match="还在本校"):
        rechecks.settle(task, outcome="moved", by=county.officer_a)
    assert rechecks.effects_of(task, "confirmed").ends
    Enrolment.objects.filter(pk=here.pk).update(standing="transferred", ends_on=DAYS[1])
    place = enrolment.begin(
        here.pupil, term=county.term, school_class=county.class_b1.school_class, boarding="day", starts_on=DAYS[1]
    )
    place.save()
    for outcome in ("confirmed", "mistaken"):
        with pytest.raises(ValidationError, match="已不在本校"):
            rechecks.settle(task, outcome=outcome, note="看了残疾证", on=DAYS[1], by=county.officer_a)
    assert Circumstance.objects.get().valid_to is None
    handed = rechecks.settle(task, outcome="moved", by=county.officer_a)
    assert (handed.school, handed.state) == (county.school_b, "open")
    rechecks.settle(handed, outcome="mistaken", note="残疾证仍有效", by=county.officer_b)
    assert task_of(here).state == "settled"


def test_tasks_that_have_not_changed_keep_their_place_when_all_is_compared_again(county: Cast) -> None:
    one, two = pupil(county, "王小甲"), pupil(county, "王小乙")
    taken(county, "disabled", [on_list(one), on_list(two)], DAYS[0])
    taken(county, "disabled", [stranger(1)], DAYS[1])
    keys = set(Recheck.objects.values_list("pk", flat=True))
    list_versions.match_again(county.county, by=county.clerk)
    assert set(Recheck.objects.values_list("pk", flat=True)) == keys


def test_files_go_some_weeks_after_and_the_rows_stay(county: Cast) -> None:
    version = taken(county, "disabled", [stranger(1)], DAYS[0])
    assert list_versions.sweep_files(before=timezone.now() - dt.timedelta(days=1)) == 0
    assert list_versions.sweep_files(before=timezone.now() + dt.timedelta(days=1)) == 1
    version.refresh_from_db()
    assert (version.file, version.entries.count()) == (None, 1)


def test_a_list_nobody_took_goes_whole(county: Cast) -> None:
    profile = ListProfile.objects.get(code="disabled")
    file = list_files.upload("disabled", [stranger(1)])
    version = list_versions.upload(file, profile=profile, as_of=DAYS[0], by=county.clerk)
    assert list_versions.sweep_files(before=clock.now() - dt.timedelta(days=1)) == 0
    assert list_versions.sweep_files(before=clock.now() + dt.timedelta(days=1)) == 1
    version.refresh_from_db()
    assert (version.state, version.file, version.entries.count()) == ("discarded", None, 0)
    assert not Upload.objects.exists()
