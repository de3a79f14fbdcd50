"""Time in school read from the register: who came late, left, was suspended; the county's rules; what changes do."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import clock
from accounts.models import AuditRow, User
from students.models import CalendarYear, Enrolment, StatusChange
from subsidies import applications, attendance, changes, programme_records, programmes, what_if, workflow
from subsidies.attendance import attended
from subsidies.entitlement import entitlement
from subsidies.models import (
    Application,
    AttendanceRule,
    ChangeEffect,
    ChangeRule,
    FollowUp,
    ProcessRule,
    Programme,
    Reckoning,
    ServedDays,
    Standard,
)
from subsidies.states import State, Step
from tests.cast import Cast, enrol, open_round, refreshed, submitted, walk
from tests.subsidies.test_changes import record, wanted

Kind = StatusChange.Kind
S = State
FROM, TO = dt.date(2026, 9, 1), dt.date(2027, 1, 20)


@pytest.fixture
def signed_in() -> Callable[[User], Client]:
    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture
def cast(cast: Cast) -> Cast:
    """The autumn term from 1 September to 20 January."""
    cast.term.starts_on, cast.term.ends_on = FROM, TO
    cast.term.save()
    return cast


def paid_by(cast: Cast, unit: str, amount: str = "200.00", periods: str = "5") -> Programme:
    """A programme for everybody in junior school that pays by month or by day for time in school."""
    programme = Programme.objects.create(
        code=f"by-{unit}", name=f"按{'月' if unit == 'month' else '天'}发放的资助", stages=["junior"], unit=unit,
        recipients="all", pro_rata=True, basis="云教〔2026〕3号", channels=["card"],
    )  # fmt: skip
    Standard.objects.create(
        programme=programme, conditions={"stage": ["junior"]}, amount=Decimal(amount), periods=Decimal(periods),
        document="云教〔2026〕3号", first_term="2020-2021-1",
    )  # fmt: skip
    ProcessRule.objects.create(programme=programme, first_term="2020-2021-1", source="云教〔2026〕3号")
    return programme


def place_from(cast: Cast, first: dt.date = FROM, name: str = "张小明") -> Enrolment:
    place = enrol(cast, cast.class_a1, name=name)
    Enrolment.objects.filter(pk=place.pk).update(starts_on=first)
    place.refresh_from_db()
    return place


def count(programme: Programme, place: Enrolment) -> attendance.Attended:
    return attended(programme, place.term, [place.pupil_id])[place.pupil_id]


# --- months -----------------------------------------------------------------------------------------


def test_who_is_there_all_term_has_all_of_it(cast) -> None:
    assert count(paid_by(cast, "month"), place_from(cast)) == attendance.Attended(None, "")


def test_who_comes_late_has_the_months_from_then_on(cast) -> None:
    place = place_from(cast, dt.date(2026, 10, 8))
    assert count(paid_by(cast, "month"), place) == attendance.Attended(Decimal(4), "2026年10月8日至2027年1月20日")


def test_who_left_has_the_months_until_then(cast) -> None:
    place = place_from(cast)
    record(wanted(place, Kind.WITHDRAW, on=dt.date(2026, 10, 10)), by=cast.officer_a)
    assert count(paid_by(cast, "month"), place).count == Decimal("1.5")


def test_a_suspension_does_not_count_and_the_return_does(cast, moving_clock) -> None:
    place, programme = place_from(cast), paid_by(cast, "month")
    record(wanted(place, Kind.SUSPEND, on=dt.date(2026, 10, 1)), by=cast.officer_a)
    assert count(programme, place).count == 1
    clock.set_demo_day(dt.date(2026, 12, 1))
    back = wanted(place, Kind.RETURN, on=dt.date(2026, 12, 1), school_class=cast.class_a1.school_class)
    record(back, by=cast.officer_a)
    told = count(programme, place)
    assert told.count == 3
    assert told.words == "2026年9月1日至2026年9月30日、2026年12月1日至2027年1月20日"


def test_who_comes_into_the_term_suspended_is_not_there_before_the_return(cast) -> None:
    place, programme = place_from(cast), paid_by(cast, "month")
    Enrolment.objects.filter(pk=place.pk).update(standing="suspended")
    assert count(programme, place).count == 0
    back = wanted(place, Kind.RETURN, on=dt.date(2026, 10, 1), school_class=cast.class_a1.school_class)
    record(back, by=cast.officer_a)
    assert count(programme, place).count == 4


def test_a_move_between_schools_of_the_county_is_no_gap(cast) -> None:
    place = place_from(cast)
    Enrolment.objects.filter(pk=place.pk).update(standing="transferred", ends_on=dt.date(2026, 9, 30))
    there = Enrolment(pupil=place.pupil, term=place.term, school=cast.school_a, school_class=cast.class_a2)
    there.path, there.class_name, there.grade, there.stage = cast.class_a2.path, "七年级2班", "七年级", "junior"
    there.boarding, there.starts_on = "boarding", dt.date(2026, 10, 1)
    there.save()
    assert count(paid_by(cast, "month"), place).count is None


def test_questions_do_not_grow_with_pupils_or_programmes(cast) -> None:
    places = [place_from(cast, name=name) for name in ("甲", "乙", "丙")]
    monthly, daily = paid_by(cast, "month"), paid_by(cast, "day")

    def asked(pupils: list) -> int:
        with CaptureQueriesContext(connection) as queries:
            there = attendance.Attendance(cast.term, pupils)
            there.of(monthly), there.of(daily), there.of(daily)
        return len(queries)

    assert asked([places[0].pupil_id]) == asked([each.pupil_id for each in places]) <= 7


# --- days -------------------------------------------------------------------------------------------


def test_days_are_the_school_days_there_by_the_working_calendar(cast) -> None:
    """1 to 7 October are holidays; of 10 October, a Saturday, people work."""
    place = place_from(cast, dt.date(2027, 1, 18))
    daily = paid_by(cast, "day", "5.00", "100")
    told = count(daily, place)
    assert told.count == 3  # Monday to Wednesday
    early = place_from(cast, name="早")
    record(wanted(early, Kind.WITHDRAW, on=dt.date(2026, 10, 12)), by=cast.officer_a)
    assert count(daily, early).count == 22 + 4  # September with a worked Sunday less Mid-Autumn; 8, 9, 10, 12 October


def test_a_year_without_a_calendar_is_counted_by_weekdays_and_that_is_said(cast) -> None:
    CalendarYear.objects.filter(year=2027).delete()
    place = place_from(cast, dt.date(2026, 10, 8))
    assert "2027年放假安排未录入" in count(paid_by(cast, "day", "5.00", "100"), place).words


def test_days_the_school_served_stand_for_the_whole_term(cast) -> None:
    daily, whole = paid_by(cast, "day", "5.00", "100"), place_from(cast)
    part = place_from(cast, dt.date(2026, 11, 2), name="乙")
    free = count(daily, part).count
    assert free is not None
    days = ServedDays(unit=cast.county, term=cast.term, days=80, source="供餐记录")
    attendance.set_served(days, by=cast.clerk)
    assert count(daily, whole).count == 80
    some = count(daily, part).count
    assert some is not None
    assert 0 < some < 80
    own = ServedDays(unit=cast.school_a, term=cast.term, days=60, source="供餐记录")
    attendance.set_served(own, by=cast.clerk)
    assert count(daily, whole).count == 60
    again = ServedDays(unit=cast.school_a, term=cast.term, days=61, source="更正")
    attendance.set_served(again, by=cast.clerk)
    assert ServedDays.objects.count() == 2
    row = AuditRow.objects.filter(action="attendance.days").latest("number")
    assert (row.detail["was"], row.detail["after"]) == ("60", "61")


# --- the county's rules -----------------------------------------------------------------------------


def rule(cast: Cast, **what: object) -> AttendanceRule:
    known = {
        "first_term": cast.term.key, "part_month": "nothing", "autumn_months": [9, 10, 11, 12, 1],
        "spring_months": [3, 4, 5, 6, 7], "source": "云教〔2026〕8号",
    }  # fmt: skip
    return AttendanceRule(**known | what)


def test_a_county_begins_with_a_rule_on_record(cast) -> None:
    held = AttendanceRule.objects.get()
    assert (held.part_month, held.recorded_by) == ("halves", None)
    assert held.source
    attendance.load_rule()
    assert AttendanceRule.objects.count() == 1


def test_a_programmes_own_rule_goes_before_the_one_for_all(cast) -> None:
    place, programme = place_from(cast, dt.date(2026, 9, 20)), paid_by(cast, "month")
    assert count(programme, place).count == Decimal("4.5")
    attendance.set_rule(rule(cast), county=cast.county, by=cast.clerk)
    assert count(programme, place).count == 4
    attendance.set_rule(rule(cast, programme=programme, part_month="whole"), county=cast.county, by=cast.clerk)
    assert count(programme, place).count == 5
    corrected = rule(cast, programme=programme, part_month="halves")
    attendance.set_rule(corrected, county=cast.county, by=cast.clerk)
    assert AttendanceRule.objects.filter(programme=programme).count() == 1
    row = AuditRow.objects.filter(action="attendance.rule").latest("number")
    assert "不足一个月计一个月" in row.detail["was"]


def test_rules_are_the_countys(cast) -> None:
    for user in (cast.officer_a, cast.head):
        with pytest.raises(PermissionDenied):
            attendance.set_rule(rule(cast), county=cast.county, by=user)
    with pytest.raises(ValidationError):
        attendance.set_rule(rule(cast, autumn_months=[]), county=cast.county, by=cast.clerk)
    days = ServedDays(unit=cast.class_a1, term=cast.term, days=80, source="供餐记录")
    with pytest.raises(ValidationError, match="不按班级"):
        attendance.set_served(days, by=cast.clerk)


def test_the_page_records_both(cast, signed_in) -> None:
    paid_by(cast, "month")
    client, url = signed_in(cast.clerk), reverse("attendance")
    typed = {
        "rule-first_term": cast.term.pk, "rule-part_month": "from_half", "rule-autumn_months": ["9", "10"],
        "rule-spring_months": ["3"], "rule-source": "云教〔2026〕8号", "save_rule": "1",
    }  # fmt: skip
    assert "已登记" in client.post(url, typed, follow=True).content.decode()
    days = {
        "days-unit": cast.school_a.pk, "days-term": cast.term.pk, "days-days": "88", "days-source": "供餐记录",
        "save_days": "1",
    }  # fmt: skip
    page = client.post(url, days, follow=True).content.decode()
    assert "秋季9、10月" in page
    assert "88" in page
    assert signed_in(cast.officer_a).post(url, days).status_code == 403


# --- with the application, and when the pupil leaves ------------------------------------------------


def case(cast: Cast, state: State, place: Enrolment, programme: Programme) -> Application:
    round_ = open_round(cast, programme.code)
    rows = submitted(cast, round_, place)
    if state != S.SUBMITTED:
        rows = walk(cast, rows, state)
    return refreshed(rows)[0]


def test_time_there_is_frozen_with_the_application_and_said(cast) -> None:
    place, programme = place_from(cast, dt.date(2026, 10, 8)), paid_by(cast, "month")
    row = case(cast, S.SUBMITTED, place, programme)
    assert row.amount == Decimal("800.00")
    assert "×实际在校4个月（2026年10月8日至2027年1月20日），本学期800.00元" in row.explanation
    assert row.facts["attended"] == "4"
    assert "attended" in Reckoning.objects.get().rests_on


LEAVES = dt.date(2026, 11, 30)


@pytest.mark.parametrize(
    ("state", "outcome", "difference"),
    [
        (S.SUBMITTED, "ends", None),
        (S.APPROVED, "desk", Decimal("-400.00")),
        (S.PAID, "desk", Decimal("-400.00")),
    ],
)
def test_who_leaves_keeps_what_was_there(cast, moving_clock, state, outcome, difference) -> None:
    """Three of five months: the other two are not due, whether the list is paid already or only reported."""
    place, programme = place_from(cast), paid_by(cast, "month")
    row = case(cast, state, place, programme)
    clock.set_demo_day(LEAVES)
    record(wanted(place, Kind.WITHDRAW, on=LEAVES), by=cast.officer_a)
    effect = ChangeEffect.objects.get()
    assert (effect.outcome, effect.difference) == (outcome, difference)
    if difference:
        assert "实际在校3个月" in effect.sentence
        assert refreshed([row])[0].state == state
        assert list(what_if.differences(programme, cast.term, cast.county)) == [], "no difference of rules beside it"


def test_what_was_taken_back_for_a_suspension_is_not_taken_back_twice(cast, moving_clock) -> None:
    place, programme = place_from(cast), paid_by(cast, "month")
    case(cast, S.PAID, place, programme)
    clock.set_demo_day(dt.date(2026, 11, 1))
    record(wanted(place, Kind.SUSPEND, on=dt.date(2026, 11, 1)), by=cast.officer_a)
    first = FollowUp.objects.get()
    assert first.effect.difference == Decimal("-600.00")
    changes.settle(first, result=FollowUp.Result.RECOVERED, note="", by=cast.clerk)
    clock.set_demo_day(dt.date(2026, 12, 1))
    back = wanted(place, Kind.RETURN, on=dt.date(2026, 12, 1), school_class=cast.class_a1.school_class)
    record(back, by=cast.officer_a)
    second = FollowUp.objects.get(settled_at__isnull=True)
    assert second.effect.difference == Decimal("400.00"), "December and January are due again"
    clock.set_demo_day(dt.date(2026, 12, 31))
    record(wanted(place, Kind.WITHDRAW, on=dt.date(2026, 12, 31)), by=cast.officer_a)
    (third,) = FollowUp.objects.filter(settled_at__isnull=True)
    assert third.effect.difference == Decimal("200.00"), "400 paid of three months there: 600 due"


def test_a_difference_left_open_is_part_of_the_amount_reckoned_anew(cast, moving_clock) -> None:
    place, programme = place_from(cast), paid_by(cast, "month")
    row = case(cast, S.REPORTED, place, programme)
    clock.set_demo_day(dt.date(2026, 11, 1))
    record(wanted(place, Kind.SUSPEND, on=dt.date(2026, 11, 1)), by=cast.officer_a)
    clock.set_demo_day(dt.date(2026, 12, 1))
    back = wanted(place, Kind.RETURN, on=dt.date(2026, 12, 1), school_class=cast.class_a1.school_class)
    record(back, by=cast.officer_a)
    (row,) = refreshed([row])
    workflow.advance(row, Step.RETURN_FROM_COUNTY, by=cast.clerk, note="按实际在校时间重报")
    applications.submit([row], by=cast.teacher_a1)
    (row,) = refreshed([row])
    assert row.amount == Decimal("800.00")
    assert not FollowUp.objects.filter(settled_at__isnull=True).exists()


@pytest.mark.parametrize("ends", ["rejected", "left"])
def test_nothing_is_left_to_the_desk_of_a_case_that_ended(cast, moving_clock, ends: str) -> None:
    """Reported, less after a suspension; then it ends without a fen paid: there is nothing to take from."""
    place, programme = place_from(cast), paid_by(cast, "month")
    row = case(cast, S.REPORTED, place, programme)
    if ends == "left":
        rule = ChangeRule(
            programme=programme, first_term=cast.term.key, on_leaving="end", on_suspension="pro_rata", source="县规定"
        )
        changes.set_rule(rule, county=cast.county, by=cast.clerk)
    clock.set_demo_day(dt.date(2026, 11, 1))
    record(wanted(place, Kind.SUSPEND, on=dt.date(2026, 11, 1)), by=cast.officer_a)
    assert FollowUp.objects.get().settled_at is None
    if ends == "rejected":
        workflow.advance(row, Step.REJECT_AT_COUNTY, by=cast.clerk, note="不符合条件")
    else:
        record(wanted(place, Kind.WITHDRAW, on=dt.date(2026, 11, 1)), by=cast.officer_a)
    assert refreshed([row])[0].state == (S.REJECTED if ends == "rejected" else S.WITHDRAWN)
    left = FollowUp.objects.get()
    assert (left.result, left.note) == (FollowUp.Result.REPLACED, "申请已终止，没有发放，不用再办。")


def test_the_words_of_a_preview_are_of_the_amount_it_shows(cast) -> None:
    place_from(cast, dt.date(2026, 10, 8))
    programme = paid_by(cast, "month")
    raised = Standard(
        programme=programme, conditions={"stage": ["junior"]}, amount=Decimal("300.00"), periods=Decimal(5),
        document="云教〔2026〕9号", first_term=cast.term.key,
    )  # fmt: skip
    effect = what_if.of_standard(raised, cast.county)
    ((change, found),) = what_if.explained(effect.changes, effect)
    assert (change.before, change.after, found.amount) == (Decimal("800.00"), Decimal("1200.00"), change.after)
    assert "×实际在校4个月（2026年10月8日至2027年1月20日），本学期1200.00元" in found.sentence


def test_a_raise_to_come_of_a_one_time_aid_changes_nothing_for_who_has_it_now(cast) -> None:
    programme = paid_by(cast, "month")
    Programme.objects.filter(pk=programme.pk).update(unit="once", pro_rata=False)
    programme.refresh_from_db()
    case(cast, S.PAID, place_from(cast), programme)
    other = place_from(cast, name="李小红")
    raised = Standard(
        programme=programme, conditions={"stage": ["junior"]}, amount=Decimal("300.00"), document="云教〔2026〕9号",
        first_term="2026-2027-2",
    )  # fmt: skip
    assert [each.enrolment for each in what_if.of_standard(raised, cast.county).changes] == [other.pk]


def test_a_county_may_have_it_otherwise(cast, moving_clock) -> None:
    place, programme = place_from(cast), paid_by(cast, "month")
    case(cast, S.APPROVED, place, programme)
    ended = ChangeRule(
        programme=programme, first_term=cast.term.key, on_leaving="pay_in_full", on_suspension="end", source="县规定"
    )
    changes.set_rule(ended, county=cast.county, by=cast.clerk)
    clock.set_demo_day(LEAVES)
    record(wanted(place, Kind.WITHDRAW, on=LEAVES), by=cast.officer_a)
    assert ChangeEffect.objects.get().outcome == "stays"


def test_only_a_programme_paid_by_time_may_be_ruled_by_time(cast) -> None:
    other = ChangeRule(
        programme=Programme.objects.get(code="living-aid"), first_term=cast.term.key, on_leaving="pro_rata",
        on_suspension="end", source="县规定",
    )  # fmt: skip
    with pytest.raises(ValidationError, match="不按实际在校时间计算"):
        changes.set_rule(other, county=cast.county, by=cast.clerk)


def _why_not(cast: Cast, programme: Programme, **changed) -> list[str]:
    new = Programme.objects.get(pk=programme.pk)
    for field, value in changed.items():
        setattr(new, field, value)
    began = programme_records.state_of(programme)
    with pytest.raises(ValidationError) as refusal:
        programme_records.change(new, began_from=began, document="云教〔2026〕9号", county=cast.county, by=cast.clerk)
    return refusal.value.message_dict["pro_rata"]


def test_a_list_reckoned_for_the_whole_term_is_not_turned_into_time_in_school(cast) -> None:
    programme = paid_by(cast, "month")
    Programme.objects.filter(pk=programme.pk).update(pro_rata=False)
    programme.refresh_from_db()
    row = case(cast, S.SUBMITTED, place_from(cast, dt.date(2026, 10, 8)), programme)
    assert row.amount == Decimal("1000.00")
    (words,) = _why_not(cast, programme, pro_rata=True)
    assert "已有 1 份申请是按全学期计算的" in words


def test_time_in_school_stays_while_a_rule_on_leaving_asks_for_it(cast) -> None:
    programme = paid_by(cast, "month")

    def rule(says: str) -> ChangeRule:
        return ChangeRule(
            programme=programme, first_term=cast.term.key, on_leaving=says, on_suspension="end", source="县规定"
        )

    changes.set_rule(rule("pro_rata"), county=cast.county, by=cast.clerk)
    (words,) = _why_not(cast, programme, pro_rata=False)
    assert "请先在“异动规定”中登记新的规定" in words
    changes.set_rule(rule("end"), county=cast.county, by=cast.clerk)
    new = Programme.objects.get(pk=programme.pk)
    new.pro_rata, began = False, programme_records.state_of(programme)
    programme_records.change(new, began_from=began, document="云教〔2026〕9号", county=cast.county, by=cast.clerk)
    assert not Programme.objects.get(pk=programme.pk).pro_rata


# --- what holds of all histories --------------------------------------------------------------------


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.dates(FROM, TO), last=st.dates(FROM, TO), later=st.integers(0, 60))
def test_to_stay_longer_never_lowers_the_amount(cast, first: dt.date, last: dt.date, later: int) -> None:
    programme = Programme.objects.filter(code="by-month").first() or paid_by(cast, "month")
    rules = programmes.rules_of(programme)

    def amount(until: dt.date) -> Decimal:
        place = place_from(cast, min(first, last), name="某")
        Enrolment.objects.filter(pk=place.pk).update(standing="withdrawn", ends_on=until)
        place.refresh_from_db()
        facts = applications.known(programme, cast.term, [place], on=clock.today())[place.pk] | {"standing": "present"}
        found = entitlement(
            applications.facts_for_rules(facts, ""), rules, term=cast.term.key, term_name="秋季", on=clock.today()
        )
        return found.amount or Decimal(0)

    until = max(first, last)
    shorter, longer = amount(until), amount(min(until + dt.timedelta(days=later), TO))
    assert shorter <= longer <= Decimal("1000.00")
