"""学期结转 in the register: classes move on, everybody is somewhere once, and undoing leaves no trace."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import clock
from accounts.models import Appointment, Unit, User
from students import changes, enrolment, grades, matching, rollovers, terms
from students.grades import Grade
from students.models import (
    Category,
    ChangeConfirmation,
    Circumstance,
    Enrolment,
    Pupil,
    RollOver,
    RosterImport,
    School,
    SchoolClass,
    Standing,
    StatusChange,
    Term,
)
from students.rollovers import RollOverRefused
from tests import cast as casting
from tests.cast import Cast
from tests.together import at_once

SPRING, AUTUMN, NEXT_AUTUMN = "2026-2027-2", "2026-2027-1", "2027-2028-1"


@pytest.fixture
def spring(cast: Cast) -> Term:
    return Term.objects.get(key=SPRING)


@pytest.fixture
def next_autumn(cast: Cast) -> Iterator[Term]:
    """The next school year's first term, in the summer holidays before it."""
    county = cast.county
    term = terms.add_next(
        document="校历", starts_on=dt.date(2027, 9, 1), ends_on=dt.date(2028, 1, 20), county=county, by=cast.clerk
    )
    with time_machine.travel("2027-08-20T09:30:00+08:00", tick=True):
        yield term


def add_class(school: Unit, name: str, grade: str, stage: str) -> Unit:
    unit = Unit.objects.create(level="class", name=name, parent=school)
    SchoolClass.objects.create(unit=unit, grade=grade, stage=stage)
    return unit


def fresh(user: User) -> User:
    """The same person on another day (appointments are read once per user object and day)."""
    return User.objects.get(pk=user.pk)


def in_term(cast: Cast, key: str, *places: Enrolment) -> None:
    """The enrolments as of another term."""
    term = Term.objects.get(key=key)
    for place in places:
        Enrolment.objects.filter(pk=place.pk).update(term=term, starts_on=term.starts_on)


def register_of(school: Unit) -> dict:
    """Everything of the register that a roll-over may touch, row by row."""
    return {
        "units": list(Unit.objects.order_by("pk").values()),
        "classes": list(SchoolClass.objects.order_by("pk").values()),
        "enrolments": list(Enrolment.objects.order_by("pk").values()),
        "appointments": list(Appointment.objects.order_by("pk").values()),
        "changes": list(StatusChange.objects.order_by("pk").values()),
    }


def classes_of(term: Term, school: Unit) -> dict[str, str]:
    """Pupil → class name, of who is open in the term."""
    rows = Enrolment.objects.filter(term=term, school=school, standing__in=["present", "suspended"])
    return dict(rows.values_list("pupil__name", "class_name"))


# --- autumn to spring -------------------------------------------------------------------------------


def test_within_a_school_year_everybody_stays_in_class(cast: Cast, spring: Term) -> None:
    casting.enrol(cast, cast.class_a1, name="甲")
    day = casting.enrol(cast, cast.class_a2, name="乙", boarding="day")
    Enrolment.objects.filter(pk=day.pk).update(standing=Standing.SUSPENDED)
    outcome = rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    assert classes_of(spring, cast.school_a) == {"甲": "七年级1班", "乙": "七年级2班"}
    there = Enrolment.objects.get(term=spring, pupil=day.pupil)
    assert (there.boarding, there.standing, there.starts_on) == ("day", "suspended", spring.starts_on)
    assert there.rollover == outcome.rollover
    assert (outcome.counts["pupils"], outcome.counts["carried"], outcome.counts["suspended"]) == (2, 2, 1)
    assert not outcome.counts["graduated"]
    assert Unit.objects.get(pk=cast.class_a1.pk).name == "七年级1班"


def test_special_education_goes_on_in_the_next_term(cast: Cast, spring: Term) -> None:
    """What a standard asks of the pupil is not lost when the term turns."""
    place = casting.enrol(cast, cast.class_a1)
    Enrolment.objects.filter(pk=place.pk).update(schooling="special")
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    assert Enrolment.objects.get(pupil=place.pupil, term=spring).schooling == "special"


def test_only_the_school_is_touched(cast: Cast, spring: Term) -> None:
    casting.enrol(cast, cast.class_a1)
    casting.enrol(cast, cast.class_b1)
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    assert not Enrolment.objects.filter(term=spring, school=cast.school_b).exists()


def test_a_second_run_is_refused(cast: Cast, spring: Term) -> None:
    casting.enrol(cast, cast.class_a1)
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    with pytest.raises(RollOverRefused, match="已结转到"):
        rollovers.run(cast.school_a, spring, {}, by=cast.clerk)
    assert Enrolment.objects.filter(term=spring).count() == 1


def test_a_term_without_pupils_before_it_is_refused(cast: Cast, spring: Term) -> None:
    with pytest.raises(RollOverRefused, match="没有在读学生"):
        rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)


def test_only_officer_and_clerk_may(cast: Cast, spring: Term) -> None:
    casting.enrol(cast, cast.class_a1)
    for person in (cast.teacher_a1, cast.principal_a, cast.officer_b, cast.head, cast.inspector, cast.admin):
        with pytest.raises(PermissionDenied):
            rollovers.run(cast.school_a, spring, {}, by=person)


def test_who_is_entered_already_is_left_alone(cast: Cast, spring: Term) -> None:
    """A roster of the new term came first: its rows stay, the others are carried over."""
    first = casting.enrol(cast, cast.class_a1, name="甲")
    casting.enrol(cast, cast.class_a1, name="乙")
    there = Enrolment.objects.create(
        **{name: getattr(first, name) for name in ("pupil", "school", "path", "grade", "stage")},
        term=spring,
        school_class=cast.class_a2,
        class_name="七年级2班",
        boarding="day",
        starts_on=spring.starts_on,
    )
    outcome = rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    assert classes_of(spring, cast.school_a) == {"甲": "七年级2班", "乙": "七年级1班"}
    assert (outcome.counts["carried"], outcome.counts["entered"]) == (1, 1)
    there.refresh_from_db()
    assert (there.boarding, there.rollover) == ("day", None)


@pytest.mark.parametrize("numbers", [(), (1, 2), (2, 1)])
def test_who_is_at_another_school_already_is_counted_and_not_enrolled_twice(
    cast: Cast, spring: Term, numbers: tuple[int, ...]
) -> None:
    gone = casting.enrol(cast, cast.class_a1)
    here, there = (
        enrolment.begin(gone.pupil, term=spring, school_class=unit.school_class, boarding="day")
        for unit in (cast.class_a1, cast.class_b1)
    )
    if numbers:  # entered here first, and left for there
        here.pk, there.pk = (UUID(int=key) for key in numbers)
        here.standing, here.ends_on = "transferred", spring.starts_on
        here.save(force_insert=True)
    there.save(force_insert=True)
    outcome = rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    assert outcome.counts["elsewhere"] == 1
    assert Enrolment.objects.filter(term=spring).count() == max(1, len(numbers))


def test_a_dissolved_class_goes_into_another_of_its_grade(cast: Cast, spring: Term) -> None:
    casting.enrol(cast, cast.class_a1, name="甲")
    casting.enrol(cast, cast.class_a2, name="乙")
    choices = {cast.class_a2.pk: f"merge:{cast.class_a1.pk}"}
    rollovers.run(cast.school_a, spring, choices, by=cast.officer_a)
    assert classes_of(spring, cast.school_a) == {"甲": "七年级1班", "乙": "七年级1班"}
    left = Unit.objects.get(pk=cast.class_a2.pk)
    assert (left.name, left.is_active) == ("七年级2班（2027年撤并）", False)
    assert classes_of(cast.term, cast.school_a)["乙"] == "七年级2班"


def test_a_class_cannot_go_into_one_that_ends_itself(cast: Cast, spring: Term) -> None:
    casting.enrol(cast, cast.class_a1)
    casting.enrol(cast, cast.class_a2)
    choices = {cast.class_a2.pk: f"merge:{cast.class_a1.pk}", cast.class_a1.pk: f"merge:{cast.class_a2.pk}"}
    with pytest.raises(RollOverRefused, match="保留下来的班"):
        rollovers.run(cast.school_a, spring, choices, by=cast.officer_a)


@pytest.mark.parametrize("code", ["graduate", "promote:八年级:junior", "merge:999999", "nonsense", ""])
def test_a_choice_that_is_not_offered_is_refused(cast: Cast, spring: Term, code: str) -> None:
    casting.enrol(cast, cast.class_a1)
    with pytest.raises(RollOverRefused, match="重新选择"):
        rollovers.run(cast.school_a, spring, {cast.class_a1.pk: code}, by=cast.officer_a)


# --- spring to autumn -------------------------------------------------------------------------------


def test_across_years_the_class_is_promoted_and_keeps_its_teacher(cast: Cast, next_autumn: Term) -> None:
    """Three grades in a row: every name is needed again by the class below."""
    eight = add_class(cast.school_a, "八年级1班", "八年级", "junior")
    nine = add_class(cast.school_a, "九年级1班", "九年级", "junior")
    places = [casting.enrol(cast, unit, name=unit.name) for unit in (cast.class_a1, eight, nine)]
    in_term(cast, SPRING, *places)
    outcome = rollovers.run(cast.school_a, next_autumn, {}, by=cast.officer_a)
    assert classes_of(next_autumn, cast.school_a) == {"七年级1班": "八年级1班", "八年级1班": "九年级1班"}
    names = dict(Unit.objects.filter(parent=cast.school_a).values_list("pk", "name"))
    assert names[cast.class_a1.pk] == "八年级1班"
    assert names[eight.pk] == "九年级1班"
    assert names[nine.pk] == "九年级1班（2027届）"
    assert SchoolClass.objects.get(pk=cast.class_a1.pk).grade == "八年级"
    assert cast.teacher_a1.appointments.get().unit_id == cast.class_a1.pk
    old = Enrolment.objects.get(pk=places[2].pk)
    assert (old.standing, old.ends_on, old.class_name) == ("graduated", dt.date(2027, 7, 10), "九年级1班")
    assert not Unit.objects.get(pk=nine.pk).is_active
    assert outcome.counts["graduated"] == 1
    assert {row["name"]: row["teachers"] for row in outcome.classes}["七年级1班"] == ["李老师"]
    assert outcome.counts["untaught"] == 1  # 八年级1班 has none; 九年级 is gone; 七年级2班 has its teacher


def test_classes_move_up_when_the_school_year_is_over(cast: Cast, next_autumn: Term) -> None:
    in_term(cast, SPRING, casting.enrol(cast, cast.class_a1))
    with (
        time_machine.travel("2027-07-10T12:00:00+08:00", tick=True),
        pytest.raises(RollOverRefused, match="2027年7月10日才结束"),
    ):
        rollovers.run(cast.school_a, next_autumn, {}, by=cast.officer_a)
    with time_machine.travel("2027-07-11T00:10:00+08:00", tick=True):
        rollovers.run(cast.school_a, next_autumn, {}, by=cast.officer_a)


def test_a_nine_year_school_takes_its_sixth_grade_on(cast: Cast, next_autumn: Term) -> None:
    School.objects.filter(pk=cast.school_b.pk).update(stages=["primary", "junior"])
    six = add_class(cast.school_b, "六年级1班", "六年级", "primary")
    in_term(cast, SPRING, casting.enrol(cast, six, name="甲"), casting.enrol(cast, cast.class_b1, name="乙"))
    rollovers.run(cast.school_b, next_autumn, {}, by=cast.officer_b)
    assert classes_of(next_autumn, cast.school_b) == {"甲": "七年级1班", "乙": "四年级1班"}
    there = Enrolment.objects.get(term=next_autumn, pupil__name="甲")
    assert (there.stage, there.grade) == ("junior", "七年级")


def test_but_may_let_it_go(cast: Cast, next_autumn: Term) -> None:
    School.objects.filter(pk=cast.school_b.pk).update(stages=["primary", "junior"])
    six = add_class(cast.school_b, "六年级1班", "六年级", "primary")
    in_term(cast, SPRING, casting.enrol(cast, six))
    outcome = rollovers.run(cast.school_b, next_autumn, {six.pk: "graduate"}, by=cast.officer_b)
    assert outcome.counts["graduated"] == 1


def test_a_plain_primary_school_ends_with_the_sixth_grade(cast: Cast, next_autumn: Term) -> None:
    six = add_class(cast.school_b, "六年级1班", "六年级", "primary")
    in_term(cast, SPRING, casting.enrol(cast, six))
    rows = {row.name: row for row in rollovers.plan(cast.school_b, next_autumn).classes}
    assert rows["六年级1班"].usual == "graduate"
    assert rows["三年级1班"].usual == "new"  # nobody is in it


def test_five_and_four_years(cast: Cast, next_autumn: Term) -> None:
    """五四学制: the fifth grade ends primary school; in a nine-year school it becomes a sixth of junior school."""
    School.objects.filter(pk=cast.school_b.pk).update(stages=["primary", "junior"])
    five = add_class(cast.school_b, "五年级1班", "五年级", "primary")
    in_term(cast, SPRING, casting.enrol(cast, five, name="甲"))
    options = {
        row.unit: [code for code, _ in row.options] for row in rollovers.plan(cast.school_b, next_autumn).classes
    }
    assert options[five.pk] == ["promote:六年级:primary", "promote:六年级:junior", "graduate", "keep"]
    rollovers.run(cast.school_b, next_autumn, {five.pk: "promote:六年级:junior"}, by=cast.officer_b)
    there = Enrolment.objects.get(term=next_autumn)
    assert (there.class_name, there.grade, there.stage) == ("六年级1班", "六年级", "junior")


def test_two_classes_of_one_name_are_refused(cast: Cast, next_autumn: Term) -> None:
    eight = add_class(cast.school_a, "八年级1班", "八年级", "junior")
    in_term(cast, SPRING, casting.enrol(cast, cast.class_a1), casting.enrol(cast, eight))
    with pytest.raises(RollOverRefused, match="都叫“八年级1班”"):
        rollovers.run(cast.school_a, next_autumn, {eight.pk: "keep"}, by=cast.officer_a)
    assert Unit.objects.get(pk=cast.class_a1.pk).name == "七年级1班"


def test_an_old_class_out_of_use_gives_its_name_up(cast: Cast, next_autumn: Term) -> None:
    old = add_class(cast.school_a, "八年级1班", "八年级", "junior")
    Unit.objects.filter(pk=old.pk).update(is_active=False)
    in_term(cast, SPRING, casting.enrol(cast, cast.class_a1, name="甲"))
    rollovers.run(cast.school_a, next_autumn, {}, by=cast.officer_a)
    assert classes_of(next_autumn, cast.school_a) == {"甲": "八年级1班"}
    assert Unit.objects.get(pk=old.pk).name == "八年级1班（2027年以前）"


def test_who_is_suspended_does_not_graduate_with_the_class(cast: Cast, next_autumn: Term) -> None:
    eight = add_class(cast.school_a, "八年级1班", "八年级", "junior")
    nine = add_class(cast.school_a, "九年级1班", "九年级", "junior")
    away = casting.enrol(cast, nine, name="甲")
    in_term(cast, SPRING, away, casting.enrol(cast, nine, name="乙"), casting.enrol(cast, eight, name="丙"))
    Enrolment.objects.filter(pk=away.pk).update(standing=Standing.SUSPENDED)
    rollovers.run(cast.school_a, next_autumn, {}, by=cast.officer_a)
    assert classes_of(next_autumn, cast.school_a) == {"甲": "九年级1班", "丙": "九年级1班"}
    assert Enrolment.objects.get(term=next_autumn, pupil=away.pupil).standing == Standing.SUSPENDED


def test_two_years_in_a_row(cast: Cast, next_autumn: Term) -> None:
    """The class graduated the year before does not stand in the way of the next one."""
    eight = add_class(cast.school_a, "八年级1班", "八年级", "junior")
    nine = add_class(cast.school_a, "九年级1班", "九年级", "junior")
    in_term(cast, SPRING, *(casting.enrol(cast, unit, name=unit.name) for unit in (cast.class_a1, eight, nine)))
    rollovers.run(cast.school_a, next_autumn, {}, by=cast.officer_a)
    county = cast.county
    spring = terms.add_next(
        document="校历", starts_on=dt.date(2028, 2, 20), ends_on=dt.date(2028, 7, 10), county=county, by=cast.clerk
    )
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    autumn = terms.add_next(
        document="校历", starts_on=dt.date(2028, 9, 1), ends_on=dt.date(2029, 1, 20), county=county, by=cast.clerk
    )
    with time_machine.travel("2028-07-11T09:30:00+08:00", tick=True):
        rollovers.run(cast.school_a, autumn, {}, by=fresh(cast.officer_a))
    assert classes_of(autumn, cast.school_a) == {"七年级1班": "九年级1班"}
    names = set(Unit.objects.filter(parent=cast.school_a, is_active=False).values_list("name", flat=True))
    assert names == {"九年级1班（2027届）", "九年级1班（2028届）"}


def test_a_roster_of_the_new_year_came_first(cast: Cast, next_autumn: Term) -> None:
    """It found last year's units under this year's names; the roll-over puts everybody into the right cohort."""
    eight = add_class(cast.school_a, "八年级1班", "八年级", "junior")
    seven, older = casting.enrol(cast, cast.class_a1, name="甲"), casting.enrol(cast, eight, name="乙")
    in_term(cast, SPRING, seven, older)
    fresh = casting.enrol(cast, cast.class_a1, name="新生")  # 七年级1班 of the new year, in last year's unit
    in_term(cast, NEXT_AUTUMN, fresh)
    entered = Enrolment.objects.create(
        pupil=seven.pupil, term=next_autumn, school=cast.school_a, school_class=eight, path=eight.path,
        class_name="八年级1班", grade="八年级", stage="junior", boarding="boarding", starts_on=next_autumn.starts_on,
    )  # fmt: skip
    before = register_of(cast.school_a)
    outcome = rollovers.run(cast.school_a, next_autumn, {}, by=cast.officer_a)
    assert classes_of(next_autumn, cast.school_a) == {"甲": "八年级1班", "乙": "九年级1班", "新生": "七年级1班"}
    for row in Enrolment.objects.filter(term=next_autumn).select_related("school_class"):
        assert (row.class_name, row.path) == (row.school_class.name, row.school_class.path)
    entered.refresh_from_db()
    assert entered.school_class_id == cast.class_a1.pk
    assert outcome.counts["entered"] == 1
    rollovers.undo(outcome.rollover, by=cast.officer_a)
    assert register_of(cast.school_a) == before


def test_classes_with_applications_of_the_new_year_are_not_renamed(cast: Cast, next_autumn: Term) -> None:
    in_term(cast, SPRING, casting.enrol(cast, cast.class_a1))
    with pytest.raises(RollOverRefused, match="已有 3 份申请"):
        rollovers.run(cast.school_a, next_autumn, {}, by=cast.officer_a, busy={cast.class_a1.pk: 3})


def test_a_graduated_class_with_cases_stays_open_until_the_next_time(cast: Cast, next_autumn: Term) -> None:
    nine = add_class(cast.school_a, "九年级1班", "九年级", "junior")
    in_term(cast, SPRING, casting.enrol(cast, nine), casting.enrol(cast, cast.class_a1))
    outcome = rollovers.run(cast.school_a, next_autumn, {}, by=cast.officer_a, lingering=[nine.pk])
    assert Unit.objects.get(pk=nine.pk).is_active
    assert any("没办完" in note for note in outcome.notes)
    spring = terms.add_next(
        document="校历", starts_on=dt.date(2028, 2, 20), ends_on=dt.date(2028, 7, 10), county=cast.county, by=cast.clerk
    )
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    left = Unit.objects.get(pk=nine.pk)
    assert (left.is_active, left.name) == (False, "九年级1班（2027届）")


# --- order of terms ---------------------------------------------------------------------------------


def test_not_backwards(cast: Cast, spring: Term) -> None:
    place = casting.enrol(cast, cast.class_a1)
    in_term(cast, "2025-2026-2", place)
    casting.enrol(cast, cast.class_a2)
    in_term(cast, SPRING, casting.enrol(cast, cast.class_a2))
    with pytest.raises(RollOverRefused, match="之后的学期已经有名册"):
        rollovers.run(cast.school_a, cast.term, {}, by=cast.officer_a)


def test_turns_name_the_term_that_was_left_out_before_the_one_to_come(cast: Cast, spring: Term) -> None:
    casting.enrol(cast, cast.class_a1)
    in_term(cast, "2025-2026-2", casting.enrol(cast, cast.class_b1))
    found = {turn.school: turn for turn in rollovers.turns([cast.school_a, cast.school_b])}
    assert (found[cast.school_a].source, found[cast.school_a].target) == (cast.term, spring)
    assert found[cast.school_b].target == cast.term
    assert found[cast.school_b].pupils == 1
    uncounted = rollovers.turns([cast.school_a, cast.school_b], how_many=False)
    assert uncounted == list(found.values())  # of one pupil each


def test_turns_need_no_count_to_know_whether_there_is_anybody(cast: Cast, spring: Term) -> None:
    casting.enrol(cast, cast.class_a1)
    casting.enrol(cast, cast.class_a2)
    counted, asked = (rollovers.turns([cast.school_a, cast.school_b], how_many=each) for each in (True, False))
    assert [(turn.pupils, turn.is_due) for turn in counted] == [(2, True), (0, False)]
    assert [(turn.pupils, turn.is_due) for turn in asked] == [(1, True), (0, False)]


def test_turns_ask_the_same_few_questions_for_many_schools(
    cast: Cast, spring: Term, django_assert_num_queries: Callable
) -> None:
    with django_assert_num_queries(5):
        rollovers.turns([cast.school_a])
    with django_assert_num_queries(5):
        rollovers.turns([cast.school_a, cast.school_b])


def test_grades_in_their_order() -> None:
    assert grades.next_grades(Grade("大班", "preschool")) == (Grade("一年级", "primary"),)
    assert grades.next_grades(Grade("高三", "senior")) == ()
    assert grades.next_grades(Grade("育才", "primary")) == ()
    assert grades.promoted_name("六年级2班", Grade("六年级", "primary"), Grade("七年级", "junior")) == "七年级2班"
    assert grades.promoted_name("育才班", Grade("三年级", "primary"), Grade("四年级", "primary")) == "育才班"


# --- evidence ---------------------------------------------------------------------------------------


def hold(cast: Cast, place: Enrolment, code: str, *, since: dt.date, until: dt.date | None) -> None:
    Circumstance.objects.create(
        pupil=place.pupil,
        category=Category.objects.get(code=code),
        source="matched",
        valid_from=since,
        valid_to=until,
        recorded_by=cast.officer_a,
    )


def test_evidence_that_ends_is_listed_with_what_to_do_and_nothing_is_extended(cast: Cast, spring: Term) -> None:
    day = dt.date(2026, 9, 1)
    for name, code, until in (
        ("甲", "dibao_rural", None),  # holds on
        ("乙", "dibao_rural", dt.date(2026, 12, 31)),  # over before the new term
        ("丙", "dibao_rural", dt.date(2027, 4, 30)),  # over in it
        ("丁", "dibao_rural", dt.date(2027, 8, 31)),  # over after it
        ("辛", "dibao_rural", dt.date(2026, 10, 1)),  # over already
        ("戊", "dibao_rural", dt.date(2026, 8, 1)),  # over before the source term: old news
    ):
        place = casting.enrol(cast, cast.class_a1, name=name, kinds=())
        hold(cast, place, code, since=min(day, until or day), until=until)
    renewed = casting.enrol(cast, cast.class_a1, name="己", kinds=())
    hold(cast, renewed, "dibao_rural", since=day, until=dt.date(2026, 12, 31))
    hold(cast, renewed, "dibao_rural", since=dt.date(2027, 1, 1), until=None)
    renamed = casting.enrol(cast, cast.class_a1, name="庚", kinds=())
    hold(cast, renamed, "registered_poverty", since=dt.date(2019, 1, 1), until=None)
    before = list(Circumstance.objects.order_by("pk").values())
    outcome = rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    said = {row["name"]: row["what"] for row in outcome.evidence}
    assert said == {
        "乙": "新学期开始前到期（2026年12月31日）",
        "辛": "2026年10月1日到期",
        "丙": "新学期内到期（2027年4月30日）",
        "庚": "类别已改为“脱贫户（继续享受政策）”",
    }
    assert outcome.counts["evidence_carried"] == 3
    assert all(row["remedy"] and row["class_name"] == "七年级1班" for row in outcome.evidence)
    assert list(Circumstance.objects.order_by("pk").values()) == before


def test_a_kind_that_ends_without_another_is_listed(cast: Cast, spring: Term) -> None:
    casting.enrol(cast, cast.class_a1, name="甲", kinds=("martyr",))
    casting.enrol(cast, cast.class_a1, name="乙", kinds=("disabled",))
    Category.objects.filter(code="martyr").update(valid_to=dt.date(2026, 12, 31))
    Category.objects.filter(code="disabled").update(valid_to=dt.date(2027, 3, 31))
    outcome = rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    said = {row["name"]: row["what"] for row in outcome.evidence}
    assert said["甲"] == "这一类别已取消，没有对应的新类别"
    assert said["乙"] == "类别在新学期内取消（2027年3月31日）"


# --- taking it back ---------------------------------------------------------------------------------


@pytest.fixture
def rolled(cast: Cast, next_autumn: Term) -> RollOver:
    """The junior school taken into the new year: one class promoted, one graduated."""
    nine = add_class(cast.school_a, "九年级1班", "九年级", "junior")
    places = [casting.enrol(cast, cast.class_a1, name="甲"), casting.enrol(cast, nine, name="乙")]
    in_term(cast, SPRING, *places)
    return rollovers.run(cast.school_a, next_autumn, {}, by=cast.officer_a).rollover


def test_undone_and_done_again(cast: Cast, rolled: RollOver) -> None:
    once = register_of(cast.school_a)
    rollovers.undo(rolled, by=cast.clerk)
    rolled.refresh_from_db()
    assert (rolled.state, rolled.undone_by) == (RollOver.State.UNDONE, cast.clerk)
    again = rollovers.run(cast.school_a, rolled.target, {}, by=cast.officer_a).rollover
    new = register_of(cast.school_a)
    assert new["units"] == once["units"]
    assert len(new["enrolments"]) == len(once["enrolments"])
    assert again.pk != rolled.pk


def test_not_undone_twice(cast: Cast, rolled: RollOver) -> None:
    rollovers.undo(rolled, by=cast.officer_a)
    with pytest.raises(RollOverRefused, match="已经撤销"):
        rollovers.undo(rolled, by=cast.officer_a)


def _roster(cast: Cast, rolled: RollOver) -> None:
    RosterImport.objects.create(
        unit=cast.school_a, term=rolled.target, state="applied", applied_at=clock.now(), applied_by=cast.officer_a,
        checked_at=clock.now(), checked_by=cast.officer_a, settled_at=clock.now(), settled_by=cast.officer_a,
    )  # fmt: skip


def _county_roster(cast: Cast, rolled: RollOver) -> None:
    _roster(cast, rolled)
    RosterImport.objects.update(unit=cast.county)


def _change(cast: Cast, rolled: RollOver) -> None:
    place = Enrolment.objects.get(term=rolled.target)
    StatusChange.objects.create(
        pupil=place.pupil, enrolment=place, term=place.term, path=place.path, kind="boarding", on=clock.today(),
        at=clock.now(), by=cast.officer_a,
    )  # fmt: skip


def _confirmation(cast: Cast, rolled: RollOver) -> None:
    ChangeConfirmation.objects.create(
        school_class=cast.class_a1, term=rolled.target, pupils=1, changes=0, confirmed_at=clock.now(),
        confirmed_by=cast.teacher_a1,
    )  # fmt: skip


def _next_one(cast: Cast, rolled: RollOver) -> None:
    day = dt.date(2028, 2, 20)
    after = terms.add_next(
        document="校历", starts_on=day, ends_on=dt.date(2028, 7, 10), county=cast.county, by=cast.clerk
    )
    rollovers.run(cast.school_a, after, {}, by=cast.officer_a)


def _another_standing(cast: Cast, rolled: RollOver) -> None:
    Enrolment.objects.filter(standing="graduated").update(standing="withdrawn")


@pytest.mark.parametrize(
    ("deed", "sentence"),
    [
        (_roster, "导入过"),
        (_county_roster, "导入过"),
        (_change, "1 次异动"),
        (_confirmation, "1 个班已确认"),
        (_next_one, "先撤销那一次"),
        (_another_standing, "另行更改"),
    ],
)
def test_what_stands_in_the_way_of_undoing_is_named(
    cast: Cast, rolled: RollOver, deed: Callable[[Cast, RollOver], None], sentence: str
) -> None:
    deed(cast, rolled)
    before = register_of(cast.school_a)
    with pytest.raises(RollOverRefused, match=sentence):
        rollovers.undo(rolled, by=cast.officer_a)
    assert register_of(cast.school_a) == before


def test_what_happened_before_or_elsewhere_does_not(cast: Cast, rolled: RollOver) -> None:
    _roster(cast, rolled)
    RosterImport.objects.update(applied_at=rolled.done_at - dt.timedelta(hours=1))
    _roster(cast, rolled)
    RosterImport.objects.filter(applied_at__gte=rolled.done_at).update(unit=cast.school_b)
    rollovers.undo(rolled, by=cast.officer_a)


def test_a_new_class_that_has_a_teacher_already_is_not_taken_away(cast: Cast, next_autumn: Term) -> None:
    in_term(cast, SPRING, casting.enrol(cast, cast.class_a1, name="甲"))
    fresh = casting.enrol(cast, cast.class_a1, name="新生")
    in_term(cast, NEXT_AUTUMN, fresh)
    done = rollovers.run(cast.school_a, next_autumn, {}, by=cast.officer_a).rollover
    made = Unit.objects.get(parent=cast.school_a, name="七年级1班")
    Appointment.objects.create(user=cast.teacher_a2, role="class_teacher", unit=made, starts_on=clock.today())
    with pytest.raises(RollOverRefused, match="任命班主任"):
        rollovers.undo(done, by=cast.officer_a)


# --- changes between the roll-over and the new term ------------------------------------------------------


def record(cast: Cast, kind: str, pupil: Pupil, **more: object) -> None:
    request = changes.Request(kind=StatusChange.Kind(kind), pupil=pupil, on=clock.today(), **more)
    with transaction.atomic():
        place = changes.lock(request)
        changes.check(request, place, by=cast.clerk)
        changes.write(request, place, by=cast.clerk)


def test_who_leaves_after_the_roll_over_is_not_on_the_new_roll(cast: Cast, spring: Term) -> None:
    stays, leaves = casting.enrol(cast, cast.class_a1, name="甲"), casting.enrol(cast, cast.class_a1, name="乙")
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    record(cast, "withdraw", leaves.pupil, reason="随父母外出")
    record(cast, "boarding", stays.pupil, boarding="day")
    assert classes_of(spring, cast.school_a) == {"甲": "七年级1班"}
    assert Enrolment.objects.get(term=spring).boarding == "day"


def test_who_changes_class_or_comes_after_the_roll_over_is_in_that_class_next_term(cast: Cast, spring: Term) -> None:
    moves = casting.enrol(cast, cast.class_a1, name="甲")
    comes = casting.enrol(cast, cast.class_b1, name="乙")
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    record(cast, "change_class", moves.pupil, school_class=cast.class_a2.school_class)
    SchoolClass.objects.filter(pk=cast.class_b1.pk).update(stage="junior")
    record(
        cast, "transfer_out", comes.pupil, to_school=cast.school_a, school_class=cast.class_a2.school_class,
        boarding="boarding",
    )  # fmt: skip
    assert classes_of(spring, cast.school_a) == {"甲": "七年级2班", "乙": "七年级2班"}


def test_a_change_in_the_holidays_uses_each_terms_own_class_names(cast: Cast, next_autumn: Term) -> None:
    moves, other = casting.enrol(cast, cast.class_a1, name="甲"), casting.enrol(cast, cast.class_a2, name="乙")
    in_term(cast, SPRING, moves, other)
    rollovers.run(cast.school_a, next_autumn, {}, by=cast.officer_a)
    cast.clerk.appointments_in_force = None
    record(cast, "change_class", moves.pupil, school_class=SchoolClass.objects.get(pk=cast.class_a2.pk))
    places = dict(Enrolment.objects.filter(pupil=moves.pupil).values_list("term__key", "class_name"))
    assert places == {SPRING: "七年级2班", NEXT_AUTUMN: "八年级2班"}


def test_a_late_roster_of_last_year_finds_last_years_classes(cast: Cast, next_autumn: Term) -> None:
    eight = add_class(cast.school_a, "八年级1班", "八年级", "junior")
    in_term(cast, SPRING, casting.enrol(cast, cast.class_a1, name="甲"), casting.enrol(cast, eight, name="乙"))
    rollovers.run(cast.school_a, next_autumn, {}, by=cast.officer_a)
    for key, name in ((SPRING, "七年级1班"), (NEXT_AUTUMN, "八年级1班")):
        register = matching.Register(cast.school_a, Term.objects.get(key=key), cast.county)
        matching._read_schools(register)
        grade = name[:3]
        found = register.schools[cast.school_a.pk].classes[grade, "1班"]
        assert (found.key, found.name) == (cast.class_a1.pk, name)


# --- any school at all ------------------------------------------------------------------------------

_GRADES = [("六年级", "primary"), ("七年级", "junior"), ("八年级", "junior"), ("九年级", "junior")]


@st.composite
def schools(draw: st.DrawFn) -> list[tuple[str, str, list[tuple[str, bool]], int]]:
    """Classes as (grade, stage, pupils as (standing, entered already), which of its options is chosen)."""
    rows = []
    for grade, stage in _GRADES:
        for _ in range(draw(st.integers(0, 2))):
            pupil = st.tuples(st.sampled_from(["present", "present", "suspended", "withdrawn"]), st.booleans())
            rows.append((grade, stage, draw(st.lists(pupil, max_size=3)), draw(st.integers(0, 4))))
    return rows


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(plan=schools(), is_new_year=st.booleans())
def test_any_school_is_rolled_over_and_back(
    cast: Cast, next_autumn: Term, spring: Term, plan: list, is_new_year: bool
) -> None:
    with transaction.atomic():
        _check_school(cast, next_autumn if is_new_year else spring, plan)
        transaction.set_rollback(True)


def _check_school(cast: Cast, target: Term, rows: list) -> None:
    source = terms.preceding(target)
    assert source
    school = casting._school(cast.county, "云岭县九年制学校", "5353990009", ["primary", "junior"])
    numbers: Counter[str] = Counter()
    wanted = {}
    for grade, stage, pupils, chosen in rows:
        numbers[grade] += 1
        unit = add_class(school, f"{grade}{numbers[grade]}班", grade, stage)
        wanted[unit.pk] = chosen
        for standing, is_entered in pupils:
            pupil = _place(cast, source, unit, standing).pupil
            if is_entered:
                _place(cast, target, unit, "present", pupil=pupil)
    before = register_of(school)
    try:
        options = {row.unit: row.options for row in rollovers.plan(school, target).classes}
        choices = {unit: options[unit][min(chosen, len(options[unit]) - 1)][0] for unit, chosen in wanted.items()}
        outcome = rollovers.run(school, target, choices, by=cast.clerk)
    except RollOverRefused:
        assert register_of(school) == before
        return
    _check_everybody(school, source, target, before)
    rollovers.undo(outcome.rollover, by=cast.clerk)
    assert register_of(school) == before


def _place(cast: Cast, term: Term, unit: Unit, standing: str, pupil: Pupil | None = None) -> Enrolment:
    if pupil is None:
        serial = Pupil.objects.count() + 1
        pupil = Pupil.objects.create(
            county=cast.county, name=f"生{serial}", sex="male", id_index=f"x{serial}", id_masked="****"
        )
    place = enrolment.begin(pupil, term=term, school_class=unit.school_class, boarding="day")
    place.standing = standing
    place.ends_on = None if standing in ("present", "suspended") else term.starts_on
    place.save()
    return place


def _check_everybody(school: Unit, source: Term, target: Term, before: dict) -> None:
    """Whoever was open is now once in the target term or graduated; whoever had left is nowhere new."""
    open_ = ("present", "suspended")
    at_start = [row for row in before["enrolments"] if row["school_id"] == school.pk and row["term_id"] == source.pk]
    now = {row.pk: row for row in Enrolment.objects.filter(term=source, school=school)}
    there = Counter(Enrolment.objects.filter(term=target, standing__in=open_).values_list("pupil_id", flat=True))
    for row in at_start:
        went_on, graduated = there[row["pupil_id"]], now[row["id"]].standing == "graduated"
        was_entered = any(e["pupil_id"] == row["pupil_id"] and e["term_id"] == target.pk for e in before["enrolments"])
        if row["standing"] in open_:
            assert (went_on == 1) != graduated or was_entered
        else:
            assert went_on == was_entered
            assert not graduated
    assert max(there.values(), default=0) <= 1
    active = Unit.objects.filter(parent=school, is_active=True).values_list("name", flat=True)
    assert len(set(active)) == len(active)
    for row in Enrolment.objects.filter(term=target, school=school).select_related("school_class__school_class"):
        unit = row.school_class
        assert (row.class_name, row.path, row.grade) == (unit.name, unit.path, unit.school_class.grade)
        assert unit.is_active


# --- many pupils, two at once -----------------------------------------------------------------------


def test_a_big_school_takes_no_more_questions_than_a_small_one(cast: Cast, next_autumn: Term, spring: Term) -> None:
    def queries(pupils: int) -> int:
        with transaction.atomic():
            for _ in range(pupils):
                _place(cast, spring, cast.class_a1, "present")
            with CaptureQueriesContext(connection) as asked:
                rollovers.run(cast.school_a, next_autumn, {}, by=cast.officer_a)
            transaction.set_rollback(True)
        return len(asked)

    queries(1)  # what is read once per person
    assert queries(3) == queries(60)


@pytest.mark.django_db(transaction=True)
def test_two_people_at_once_roll_the_school_over_once() -> None:
    with casting.that_morning() as cast:
        casting.enrol(cast, cast.class_a1)
        target = Term.objects.get(key=SPRING)
        people = (cast.officer_a, cast.clerk)
        answers = at_once(*[lambda by=by: rollovers.run(cast.school_a, target, {}, by=by) for by in people])
    assert sorted(type(answer).__name__ for answer in answers) == ["Outcome", "RollOverRefused"]
    assert RollOver.objects.count() == 1
    assert Enrolment.objects.filter(term=target).count() == 1
