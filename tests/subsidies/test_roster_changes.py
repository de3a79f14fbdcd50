"""A roster is no side door: what it changes of class, boarding or school has its day, and cases are left alone."""

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import clock
from accounts.audit import verify_chain
from accounts.models import AuditRow, Unit
from accounts.roles import ROLES
from accounts.roles import Permission as P
from students import cases, fictitious, matching, rollovers, roster_jobs, roster_writing, rosters
from students import changes as register
from students.changes import Request
from students.models import (
    ChangeConfirmation,
    ChangeReport,
    Enrolment,
    Pupil,
    RollOver,
    SchoolClass,
    Standing,
    StatusChange,
    Term,
)
from subsidies import applications, changes, workflow
from subsidies.models import Application, Round
from subsidies.states import Step
from tests.cast import TODAY, Cast, teacher_of
from tests.students.workbooks import HEADERS, pupil, upload, workbook

Kind = StatusChange.Kind
WITH_SCHOOL = (*HEADERS, "学校名称")
WITH_DAY = (*HEADERS, "变动日期")


def bring(
    cast: Cast, *rows: dict, unit: Unit | None = None, term: Term | None = None, dry_run: bool = False, **options: Any
) -> rosters.Outcome:
    """Into the junior school, or into `unit`."""
    unit = unit or cast.school_a
    by = cast.clerk if unit == cast.county else cast.officer_b if unit == cast.school_b else cast.officer_a
    content = workbook(*rows, **options)
    return rosters.import_roster(content, unit=unit, term=term or cast.term, by=by, dry_run=dry_run)


def place_of(serial: int = 1) -> Enrolment:
    """The newest place of the pupil."""
    rows = Enrolment.objects.filter(pupil__name=pupil(serial)["姓名"]).select_related("pupil", "school_class")
    return rows.order_by("-term__key", "-starts_on")[0]


def draft(cast: Cast, round_: Round, place: Enrolment) -> Application:
    wish = applications.Wish(place, reason="家庭收入低")
    (row,) = applications.save_drafts(round_, place.school_class, [wish], by=teacher_of(cast, place.school_class))
    return row


def said(found: rosters.Outcome, level: str) -> list[tuple[str, str, str]]:
    return [(each.who, each.column, each.message) for each in found.findings if each.level == level]


def small(serial: int = 1, **changes: Any) -> dict[str, Any]:
    """The pupil in a row of the primary school."""
    return pupil(serial, 年级="三年级", **changes)


def term(key: str) -> Term:
    return Term.objects.get(key=key)


# --- class and boarding --------------------------------------------------------------------------------


def test_class_and_boarding_change_on_the_day_of_the_import(cast: Cast) -> None:
    bring(cast, pupil(1), pupil(2))
    other = pupil(1, 班级="9班", 就读方式="走读"), pupil(2)
    foretold = bring(cast, *other, dry_run=True)
    assert not StatusChange.objects.exists()
    found = bring(cast, *other)
    assert (found.counts, list(map(str, found.findings))) == (foretold.counts, list(map(str, foretold.findings)))
    assert (found.changed, found.same) == (1, 1)
    assert said(found, "change") == [
        (pupil(1)["姓名"], "班级", "七年级1班 → 七年级9班（2026-10-12 起，记入异动）"),
        (pupil(1)["姓名"], "就读方式", "寄宿 → 走读（2026-10-12 起，记入异动）"),
    ]
    place = place_of(1)
    rows = StatusChange.objects.order_by("kind")
    assert [register.sentence(row) for row in rows] == ["寄宿 → 走读", "七年级1班 → 七年级9班"]
    for row in rows:
        assert (row.pupil, row.enrolment, row.term, row.on) == (place.pupil, place, cast.term, TODAY)
        assert (row.by, row.reason) == (cast.officer_a, "名册导入")
    assert rows[1].path == cast.class_a1.path  # the class that was left
    assert (place.class_name, place.boarding, place.path) == ("七年级9班", "day", place.school_class.path)
    trail = AuditRow.objects.filter(action="pupil.status_change").order_by("number")
    assert [row.detail for row in trail] == [
        {"change": "调班", "on": "2026-10-12"},
        {"change": "就读方式变化", "on": "2026-10-12"},
    ]
    assert not AuditRow.objects.filter(action="pupil.change").exists()
    again = bring(cast, *other)
    assert (again.same, again.findings, StatusChange.objects.count()) == (2, [], 2)
    assert verify_chain().broken_at is None


def test_roster_and_desk_write_the_same(cast: Cast) -> None:
    bring(cast, pupil(1), pupil(2))
    bring(cast, pupil(1, 班级="2班"), pupil(2))
    target = SchoolClass.objects.get(unit=cast.class_a2)
    wanted = Request(Kind.CHANGE_CLASS, place_of(2).pupil, TODAY, reason="名册导入", school_class=target)
    changes.record(wanted, by=cast.officer_a, seen=changes.plan(wanted, by=cast.officer_a).digest)
    own = {"id", "pupil", "enrolment", "at"}
    ours, desk = (
        {field.name: getattr(row, field.name) for field in StatusChange._meta.concrete_fields if field.name not in own}
        for row in (StatusChange.objects.get(pupil=place_of(serial).pupil) for serial in (1, 2))
    )
    assert ours == desk
    places = [Enrolment.objects.filter(pk=place_of(serial).pk).values().get() for serial in (1, 2)]
    for each in places:
        del each["id"], each["pupil_id"]
    assert places[0] == places[1]


def test_pupil_with_a_case_is_left_to_the_desk_and_the_rest_of_the_row_is_taken(cast: Cast, round_: Round) -> None:
    bring(cast, pupil(1), pupil(2))
    draft(cast, round_, place_of(1))
    other = pupil(1, 班级="2班", 就读方式="走读", 联系电话=fictitious.phone_number(99)), pupil(2, 班级="2班")
    foretold = bring(cast, *other, dry_run=True)
    found = bring(cast, *other)
    assert found.counts == foretold.counts
    assert (found.changed, found.refused) == (2, 0)
    assert said(found, "warning") == [
        (pupil(1)["姓名"], "班级", "该生本学期有资助申请，班级没有按名册改动：七年级1班 → 七年级2班。"),
        (pupil(1)["姓名"], "就读方式", "该生本学期有资助申请，就读方式没有按名册改动：寄宿 → 走读。"),
    ]
    assert all("“异动”中办理" in each.remedy for each in found.findings if each.level == "warning")
    place = place_of(1)
    assert (place.class_name, place.boarding) == ("七年级1班", "boarding")
    assert place.pupil.phone_masked == "154****0099"
    assert place_of(2).class_name == "七年级2班"
    assert StatusChange.objects.get().pupil == place_of(2).pupil
    again = bring(cast, *other)
    assert (again.same, again.warnings) == (2, 2)


def test_case_that_ended_without_aid_is_no_obstacle(cast: Cast, round_: Round) -> None:
    bring(cast, pupil(1))
    row = draft(cast, round_, place_of(1))
    workflow.advance(row, Step.WITHDRAW, by=cast.teacher_a1, note="家长要求")
    assert bring(cast, pupil(1, 班级="2班")).changed == 1
    assert place_of(1).class_name == "七年级2班"


def test_case_that_ends_after_the_check_keeps_its_pupil_no_longer(
    cast: Cast, round_: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(cast, pupil(1))
    row = draft(cast, round_, place_of(1))
    monkeypatch.setattr(rosters, "REQUEST_ROWS", 0)  # a worker's, who keeps what was found
    file = upload(workbook(pupil(1, 班级="2班")))
    roster = rosters.check_roster(file, unit=cast.school_a, term=cast.term, by=cast.officer_a)
    roster_jobs.run(roster.pk)
    workflow.advance(row, Step.WITHDRAW, by=cast.teacher_a1, note="家长要求")
    roster.refresh_from_db()
    assert (roster.rows_same, roster.rows_changed) == (1, 0)
    rosters.apply_roster(roster, by=cast.officer_a)
    roster_jobs.run(roster.pk)
    assert place_of(1).class_name == "七年级2班"


def test_case_filed_between_comparing_and_writing_is_seen(
    cast: Cast, round_: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(cast, pupil(1))
    prepare, place = roster_writing.prepare, place_of(1)

    def prepare_late(*args: Any, **kwargs: Any) -> Any:
        if not Application.objects.exists():
            draft(cast, round_, place)
        return prepare(*args, **kwargs)

    monkeypatch.setattr(roster_writing, "prepare", prepare_late)
    found = bring(cast, pupil(1, 班级="2班"))
    assert (found.same, found.warnings) == (1, 1)
    assert place_of(1).class_name == "七年级1班"
    assert not StatusChange.objects.exists()


def test_whoever_is_overtaken_each_time_writes_nothing(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(cast, pupil(1))
    prepare = roster_writing.prepare

    def prepare_late(*args: Any, **kwargs: Any) -> Any:
        row = Enrolment.objects.get()
        row.boarding = "day" if row.boarding == "boarding" else "boarding"
        row.save()
        return prepare(*args, **kwargs)

    monkeypatch.setattr(roster_writing, "prepare", prepare_late)
    with pytest.raises(ValidationError, match="没有写入任何一行"):
        bring(cast, pupil(1, 班级="2班"), pupil(2))
    assert (Pupil.objects.count(), place_of(1).class_name) == (1, "七年级1班")


def test_suspended_pupil_keeps_class_and_boarding(cast: Cast) -> None:
    bring(cast, pupil(1))
    Enrolment.objects.update(standing=Standing.SUSPENDED)
    found = bring(cast, pupil(1, 班级="2班", 就读方式="走读"))
    assert (found.same, found.warnings) == (1, 1)
    assert "复学" in found.findings[0].remedy
    place = place_of(1)
    assert (place.class_name, place.boarding, place.standing) == ("七年级1班", "boarding", "suspended")


def test_term_that_is_over_keeps_its_classes(cast: Cast) -> None:
    over = term("2025-2026-2")
    bring(cast, pupil(1), term=over)
    found = bring(cast, pupil(1, 班级="2班", 联系电话=fictitious.phone_number(99)), term=over)
    assert (found.changed, found.warnings) == (1, 1)
    assert said(found, "warning")[0][2].startswith("这个学期已经结束，班级没有按名册改动")
    assert place_of(1).class_name == "七年级1班"


def test_before_the_term_begins_a_plan_is_mended(cast: Cast) -> None:
    coming = term("2026-2027-2")
    bring(cast, pupil(1), term=coming)
    found = bring(cast, pupil(1, 班级="2班", 就读方式="走读"), term=coming)
    assert [message for *_, message in said(found, "change")] == ["七年级1班 → 七年级2班", "寄宿 → 走读"]
    assert (place_of(1).class_name, place_of(1).boarding) == ("七年级2班", "day")
    assert not StatusChange.objects.exists()
    assert AuditRow.objects.get(action="pupil.change").detail == {"fields": ["school_class", "boarding"]}


@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("2026-10-13", "晚于今天"),
        ("2026-08-01", "早于学生到这里就读的日期"),
        ("2026-09-09", "已登记过异动"),
        ("不详", ""),
    ],
)
def test_day_of_the_file_must_fit(cast: Cast, day: str, message: str) -> None:
    bring(cast, pupil(1))
    bring(cast, pupil(1, 班级="9班", 变动日期="2026-09-10"), headers=WITH_DAY)
    found = bring(cast, pupil(1, 班级="2班", 变动日期=day), headers=WITH_DAY)
    assert (found.refused, place_of(1).class_name) == (1, "七年级9班")
    assert [column for _, column, _ in said(found, "error")] == ["变动日期"]
    assert message in said(found, "error")[0][2]


def test_day_of_the_file_counts_and_says_nothing_where_nothing_changes(cast: Cast) -> None:
    bring(cast, pupil(1), pupil(2))
    days = pupil(1, 就读方式="走读", 变动日期=dt.date(2026, 9, 21)), pupil(2, 变动日期="2020-01-01")
    found = bring(cast, *days, headers=WITH_DAY)
    assert (found.changed, found.same, found.refused) == (1, 1, 0)
    assert StatusChange.objects.get().on == dt.date(2026, 9, 21)


def test_day_of_the_file_counts_for_who_comes(cast: Cast) -> None:
    bring(cast, small(1), unit=cast.school_b, term=term("2025-2026-2"))
    Enrolment.objects.update(standing=Standing.TRANSFERRED, ends_on=dt.date(2026, 7, 1))
    bring(cast, pupil(3), term=term("2025-2026-2"))
    days = [pupil(n, 变动日期="2026-10-08") for n in (1, 2, 3)]
    found = bring(cast, *days, headers=WITH_DAY)
    began = [place_of(n).starts_on for n in (1, 2, 3)]
    assert began == [dt.date(2026, 10, 8), dt.date(2026, 10, 8), cast.term.starts_on]
    assert StatusChange.objects.get(kind=Kind.TRANSFER_IN).on == dt.date(2026, 10, 8)
    told = [message[:6] for _, column, message in said(found, "warning") if column == "变动日期"]
    assert told == ["这名学生将从", "变动日期没有"]


def test_rows_that_differ_in_their_day_are_not_alike(cast: Cast) -> None:
    found = bring(cast, *(pupil(1, 变动日期=f"2026-09-{day}") for day in (20, 21)), headers=WITH_DAY)
    assert found.refused == 2
    assert all("内容却不同" in message for *_, message in said(found, "error"))


def test_who_left_while_the_register_was_read_is_not_moved(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(cast, pupil(1))
    standing = cases.standing

    def standing_late(*args: Any) -> Any:
        Enrolment.objects.update(standing=Standing.WITHDRAWN, ends_on=TODAY)
        return standing(*args)

    monkeypatch.setattr(matching.cases, "standing", standing_late)
    found = bring(cast, pupil(1, 班级="2班"), dry_run=True)
    assert (found.total, found.changed) == (1, 0)


def test_report_of_the_class_teacher_is_settled_by_what_it_reported(cast: Cast) -> None:
    bring(cast, pupil(1), pupil(2))
    confirmation = ChangeConfirmation.objects.create(
        school_class=cast.class_a1, term=cast.term, pupils=2, changes=0, confirmed_at=dt.datetime.now(dt.UTC),
        confirmed_by=cast.teacher_a1,
    )  # fmt: skip
    for serial, kind in ((1, Kind.BOARDING), (2, Kind.SUSPEND)):
        ChangeReport.objects.create(confirmation=confirmation, enrolment=place_of(serial), kind=kind)
    bring(cast, pupil(1, 就读方式="走读"), pupil(2, 就读方式="走读"))
    states = dict(ChangeReport.objects.values_list("kind", "state"))
    assert states == {"boarding": "recorded", "suspend": "open"}


def test_school_rolled_over_already_follows(cast: Cast) -> None:
    spring = term("2026-2027-2")
    bring(cast, pupil(1), pupil(2))
    bring(cast, pupil(1), pupil(2), term=spring)
    made = RollOver.objects.create(
        school=cast.school_a, source=cast.term, target=spring, done_at=dt.datetime.now(dt.UTC), done_by=cast.officer_a
    )
    Enrolment.objects.filter(term=spring).update(rollover=made)
    bring(cast, pupil(1, 班级="2班"), pupil(2, 就读方式="走读"))
    ahead = Enrolment.objects.filter(term=spring).order_by("class_name")
    columns = ("class_name", "school_class", "path", "boarding")
    assert list(ahead.values_list(*columns)) == [
        ("七年级1班", cast.class_a1.pk, cast.class_a1.path, "day"),
        ("七年级2班", cast.class_a2.pk, cast.class_a2.path, "boarding"),
    ]


@pytest.mark.parametrize("is_over", [False, True])
def test_who_comes_after_the_school_was_rolled_over_is_on_the_next_roll_too(cast: Cast, is_over: bool) -> None:
    source, target = (term("2025-2026-2"), cast.term) if is_over else (cast.term, term("2026-2027-2"))
    bring(cast, pupil(1), term=source)
    rollovers.run(cast.school_a, target, {}, by=cast.officer_a)
    bring(cast, pupil(1), pupil(2), pupil(3, 班级="9班"), term=source)
    ahead = Enrolment.objects.filter(term=target).values_list("pupil__name", flat=True)
    assert len(ahead) == (1 if is_over else 3)  # who is here now is not for last term's roster to say


def test_many_that_move_take_no_more_queries_than_few(cast: Cast) -> None:
    rows = [pupil(serial) for serial in range(1, 31)]
    bring(cast, *rows)

    def queries(serials: range) -> int:
        moved = [pupil(serial, 班级="2班", 就读方式="走读") for serial in serials]
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert bring(cast, *moved).changed == len(moved)
        return len(captured)

    assert queries(range(1, 3)) == queries(range(3, 31))
    assert StatusChange.objects.count() == 60


def test_whoever_imports_a_roster_may_record_changes() -> None:
    for role in ROLES.values():
        assert P.IMPORT_ROSTER not in role.permissions or P.RECORD_CHANGES in role.permissions, role.code


# --- pupils of other schools ---------------------------------------------------------------------------


def leave(cast: Cast, serial: int = 1, *, on: dt.date = TODAY) -> None:
    """Out of the primary school, to the junior school of the county."""
    wanted = Request(Kind.TRANSFER_OUT, place_of(serial).pupil, on, to_school=cast.school_a)
    changes.record(wanted, by=cast.officer_b, seen=changes.plan(wanted, by=cast.officer_b).digest)


def test_pupil_who_left_another_school_comes_as_a_transfer_in(cast: Cast) -> None:
    bring(cast, small(1), unit=cast.school_b)
    leave(cast, on=dt.date(2026, 9, 30))
    found = bring(cast, pupil(1))
    assert (found.new, found.refused) == (1, 0)
    assert "2026-10-01 转入登记" in said(found, "warning")[0][2]
    change = StatusChange.objects.get(kind=Kind.TRANSFER_IN)
    place = place_of(1)
    assert (change.enrolment, change.result, change.on) == (place, place, dt.date(2026, 10, 1))
    assert (place.school, place.starts_on) == (cast.school_a, dt.date(2026, 10, 1))
    assert register.sentence(change) == "转入七年级1班，寄宿"
    assert AuditRow.objects.filter(action="pupil.status_change", detail__change="转入").count() == 1


def test_pupil_who_left_today_comes_today_and_not_tomorrow(cast: Cast) -> None:
    bring(cast, small(1), unit=cast.school_b)
    leave(cast)
    bring(cast, pupil(1))
    assert (place_of(1).starts_on, StatusChange.objects.get(kind=Kind.TRANSFER_IN).on) == (TODAY, TODAY)


def test_case_that_moves_with_the_pupil_is_taken_in_at_the_desk(cast: Cast, round_: Round) -> None:
    bring(cast, small(1), unit=cast.school_b)
    row = draft(cast, round_, place_of(1))
    leave(cast)
    found = bring(cast, pupil(1))
    assert (found.new, found.refused) == (0, 1)
    assert "本学期的资助申请要随学生接收" in said(found, "error")[0][2]
    assert cast.school_b.name not in "".join(each.message + each.remedy for each in found.findings)
    row.refresh_from_db()
    assert row.state == "moving"
    target = SchoolClass.objects.get(unit=cast.class_a1)
    wanted = Request(Kind.TRANSFER_IN, row.pupil, TODAY, school_class=target, boarding="boarding")
    changes.record(wanted, by=cast.officer_a, seen=changes.plan(wanted, by=cast.officer_a).digest)
    again = bring(cast, pupil(1))
    assert (again.same, again.refused) == (1, 0)


def test_case_that_has_waited_since_an_earlier_term_is_taken_in_at_the_desk(cast: Cast, round_: Round) -> None:
    bring(cast, small(1), unit=cast.school_b)
    row = draft(cast, round_, place_of(1))
    leave(cast)
    clock.set_demo_day(dt.date(2027, 3, 8))
    found = bring(cast, pupil(1), pupil(2), term=term("2026-2027-2"))
    assert (found.new, found.refused) == (1, 1)
    assert "以前学期的资助申请要随学生接收" in said(found, "error")[0][2]
    row.refresh_from_db()
    assert row.state == "moving"
    target = SchoolClass.objects.get(unit=cast.class_a1)
    wanted = Request(Kind.TRANSFER_IN, row.pupil, dt.date(2027, 3, 8), school_class=target, boarding="boarding")
    changes.record(wanted, by=cast.officer_a, seen=changes.plan(wanted, by=cast.officer_a).digest)
    row.refresh_from_db()
    assert row.state != "moving"
    again = bring(cast, pupil(1), term=term("2026-2027-2"))
    assert (again.same, again.refused) == (1, 0)


def junior(cast: Cast) -> Unit:
    """A second junior school."""
    from students.models import School

    unit = Unit.objects.create(level="school", name="云岭县第二初级中学", parent=cast.county)
    School.objects.create(unit=unit, code="5353990009", stages=["junior"])
    return unit


def test_pupil_still_on_the_roll_elsewhere_is_taken_over_by_the_county_only(cast: Cast) -> None:
    other = junior(cast)
    bring(cast, pupil(1), term=term("2025-2026-2"))
    content = workbook(pupil(1))
    found = rosters.import_roster(content, unit=other, term=cast.term, by=cast.clerk, dry_run=False)
    (error,) = [each for each in found.findings if each.level == "error"]
    assert (found.refused, error.elsewhere) == (1, cast.school_a)
    assert cast.school_a.name not in error.message + error.remedy
    county = bring(cast, pupil(1, 学校名称=other.name), unit=cast.county, headers=WITH_SCHOOL)
    assert (county.new, county.warnings) == (1, 1)
    change = StatusChange.objects.get()
    assert (change.kind, change.on, change.enrolment.school) == (Kind.TRANSFER_IN, cast.term.starts_on, other)


def test_from_primary_to_junior_school_is_no_transfer(cast: Cast) -> None:
    bring(cast, small(1), unit=cast.school_b, term=term("2025-2026-2"))
    found = bring(cast, pupil(1))
    assert (found.new, found.findings) == (1, [])
    assert not StatusChange.objects.exists()


@pytest.mark.parametrize(
    ("standing", "arrives", "refused"),
    [
        (Standing.WITHDRAWN, 1, 0),
        (Standing.TRANSFERRED, 1, 0),
        (Standing.GRADUATED, 0, 0),
        (Standing.DECEASED, 0, 1),
    ],
)
def test_who_had_left_before_the_term_comes_as_a_transfer_in(
    cast: Cast, standing: str, arrives: int, refused: int
) -> None:
    before = term("2025-2026-2")
    bring(cast, pupil(1), term=before)
    Enrolment.objects.update(standing=standing, ends_on=before.ends_on)
    found = bring(cast, pupil(1))
    assert (found.new, found.refused) == (1 - refused, refused)
    assert StatusChange.objects.filter(kind=Kind.TRANSFER_IN).count() == arrives


def test_who_was_suspended_before_the_term_is_pointed_out(cast: Cast) -> None:
    bring(cast, pupil(1), term=term("2025-2026-2"))
    Enrolment.objects.update(standing=Standing.SUSPENDED)
    found = bring(cast, pupil(1))
    assert (found.new, found.warnings) == (1, 1)
    assert "休学" in found.findings[0].message
