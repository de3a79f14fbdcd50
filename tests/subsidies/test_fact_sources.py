"""Every fact a standard may ask for has a way into the register, and what it changes is done to the applications."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import clock
from accounts.models import AuditRow, Unit, User
from students import classes, rollovers
from students.classes import ClassFacts
from students.models import Enrolment, StatusChange, Term
from students.schools import SchoolFacts
from subsidies import changes, programmes, unit_facts
from subsidies.models import Application, ChangeEffect, FollowUp, Programme, Standard
from subsidies.states import State
from tests.cast import Cast, _class, _school, enrol, open_round, person, refreshed, submitted, walk
from tests.subsidies.test_changes import case_in, record, wanted

Kind = StatusChange.Kind
S = State


@pytest.fixture
def signed_in() -> Callable[[User], Client]:
    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture
def place(cast: Cast) -> Enrolment:
    return enrol(cast, cast.class_a1)


def pays_more(cast: Cast, amount: str = "900.00", **conditions: str) -> Standard:
    """A standard of living aid for boarders of junior schools with this fact, more than others get."""
    programme = Programme.objects.get(code="living-aid")
    programme.highest_wins = True
    programme.save()
    asked = {fact: [value] for fact, value in conditions.items()}
    row = Standard(
        programme=programme, conditions={"stage": ["junior"], "boarding": ["boarding"]} | asked,
        amount=Decimal(amount), document="云教〔2026〕9号", first_term="2026-2027-1",
    )  # fmt: skip
    return programmes.add_standard(row, county=cast.county, by=cast.clerk)


# --- one pupil: 户口, 就学方式 -------------------------------------------------------------------------


def test_registration_and_region_are_recorded_in_the_browser(cast, place, signed_in) -> None:
    client = signed_in(cast.teacher_a1)
    page = client.get(reverse("pupil", args=[place.pupil_id])).content.decode()
    url = reverse("change_new", args=[place.pupil_id, "household"])
    assert url in page
    typed = {"on": clock.today().isoformat(), "registration": "rural", "region": "530103002"}
    shown = client.post(url, typed)
    assert "农村（含县镇）" in shown.content.decode()
    client.post(url, typed | {"seen": shown.context["plan"].digest})

    place.pupil.refresh_from_db()
    assert (place.pupil.registration, place.pupil.region) == ("rural", "530103")
    row = AuditRow.objects.get(action="pupil.status_change")
    assert row.detail["was"] == "没有登记"
    assert row.detail["after"] == "农村（含县镇），行政区划 530103"
    assert "农村（含县镇），行政区划 530103" in client.get(reverse("changes")).content.decode()


@pytest.mark.parametrize(
    ("typed", "word"),
    [({"region": "53"}, "行政区划代码"), ({"registration": "x"}, "registration"), ({}, "没有变化")],
)
def test_what_cannot_be_a_household_is_refused(cast, place, signed_in, typed, word) -> None:
    url = reverse("change_new", args=[place.pupil_id, "household"])
    answer = signed_in(cast.officer_a).post(url, {"on": clock.today().isoformat()} | typed)
    assert word in answer.content.decode()
    assert not StatusChange.objects.exists()


def test_a_fact_of_the_pupil_brings_a_case_back_where_the_amount_is_another(cast, round_, place) -> None:
    pays_more(cast, registration="rural")
    row = case_in(cast, round_, S.CLASS_REVIEWED, place)
    assert row.amount == Decimal("750.00")
    record(wanted(place, Kind.HOUSEHOLD, registration="rural"), by=cast.officer_a)
    (row,) = refreshed([row])
    assert row.state == S.RETURNED
    effect = ChangeEffect.objects.get()
    assert "750.00 元变为 900.00 元" in effect.sentence


def test_a_fact_of_the_pupil_leaves_a_listed_case_and_asks_for_the_difference(cast, round_, place) -> None:
    pays_more(cast, schooling="special")
    row = case_in(cast, round_, S.PAID, place)
    record(wanted(place, Kind.SCHOOLING, schooling="special"), by=cast.officer_a)
    place.refresh_from_db()
    assert place.schooling == "special"
    assert refreshed([row])[0].state == S.PAID
    assert FollowUp.objects.get().effect.difference == Decimal("150.00")


def test_schooling_goes_along_into_the_next_term(cast, place) -> None:
    rollovers.run(cast.school_a, Term.objects.get(key="2026-2027-2"), {}, by=cast.officer_a)
    record(wanted(place, Kind.SCHOOLING, schooling="special"), by=cast.officer_a)
    assert set(Enrolment.objects.filter(pupil=place.pupil).values_list("schooling", flat=True)) == {"special"}


def test_a_household_recorded_today_does_not_stand_before_an_older_change(cast, place) -> None:
    record(wanted(place, Kind.HOUSEHOLD, registration="urban"), by=cast.officer_a)
    earlier = clock.today() - dt.timedelta(days=3)
    record(wanted(place, Kind.SUSPEND, on=earlier), by=cast.officer_a)
    assert StatusChange.objects.count() == 2


# --- a class: grade, stage, major -------------------------------------------------------------------


def vocational(cast: Cast) -> Unit:
    school = _school(cast.county, "云岭县职业高级中学", "5353990009", ["vocational"])
    cast.people["officer_v"] = person("officer_v", "段专干", "aid_officer", school)
    return _class(school, "中职一年级1班", "vocational", "中职一年级")


def correct(school_class: Unit, facts: ClassFacts, *, by: User) -> unit_facts.UnitPlan:
    row = school_class.school_class
    return unit_facts.record_class(row, facts, by=by, seen=unit_facts.plan_class(row, facts, by=by).digest)


def test_major_is_recorded_for_a_vocational_class_in_the_browser(cast, signed_in) -> None:
    unit = vocational(cast)
    client = signed_in(cast.officer_v)
    listed = client.get(reverse("classes", args=[unit.parent_id])).content.decode()
    url = reverse("class_edit", args=[unit.pk])
    assert url in listed
    assert "没有登记" in listed
    typed = {"grade": "vocational:中职一年级", "major": "agricultural"}
    shown = client.post(url, typed)
    assert "涉农专业" in shown.content.decode()
    answer = client.post(url, typed | {"seen": shown.context["plan"].digest}, follow=True)
    assert "已更正" in answer.content.decode()
    unit.school_class.refresh_from_db()
    assert unit.school_class.major == "agricultural"
    row = AuditRow.objects.get(action="class.change")
    assert row.detail["was"] == "中职 中职一年级"
    assert row.detail["after"] == "中职 中职一年级，涉农专业"


def test_another_grade_renames_the_class_and_moves_its_places_of_the_term(cast, place) -> None:
    correct(cast.class_a1, ClassFacts("八年级", "junior"), by=cast.officer_a)
    cast.class_a1.refresh_from_db()
    place.refresh_from_db()
    assert cast.class_a1.name == place.class_name == "八年级1班"
    assert place.grade == "八年级"


def test_a_class_cannot_take_the_name_of_another(cast, place) -> None:
    _class(cast.school_a, "八年级1班", "junior", "八年级")
    with pytest.raises(ValidationError, match="已经有八年级1班"):
        unit_facts.plan_class(cast.class_a1.school_class, ClassFacts("八年级", "junior"), by=cast.officer_a)


def test_a_grade_of_a_school_rolled_over_is_corrected_after_undoing_that(cast, place) -> None:
    rollovers.run(cast.school_a, Term.objects.get(key="2026-2027-2"), {}, by=cast.officer_a)
    with pytest.raises(ValidationError, match="先撤销结转"):
        unit_facts.plan_class(cast.class_a1.school_class, ClassFacts("八年级", "junior"), by=cast.officer_a)


def test_a_class_is_corrected_by_its_school_and_the_county_only(cast) -> None:
    facts = ClassFacts("八年级", "junior")
    for user in (cast.teacher_a1, cast.principal_a, cast.officer_b, cast.head):
        with pytest.raises(PermissionDenied):
            classes.change(cast.class_a1.school_class, facts, by=user)


def test_a_stage_or_grade_the_school_does_not_have_is_refused(cast) -> None:
    for facts in (ClassFacts("高一", "senior"), ClassFacts("七年级", "primary")):
        with pytest.raises(ValidationError, match="没有这个学段的年级"):
            unit_facts.plan_class(cast.class_a1.school_class, facts, by=cast.officer_a)
    with pytest.raises(ValidationError, match="只用于中职"):
        unit_facts.plan_class(cast.class_a1.school_class, ClassFacts("七年级", "junior", "arts"), by=cast.officer_a)


def test_a_grade_does_to_each_case_of_the_class_what_its_state_asks(cast, round_, moving_clock) -> None:
    pays_more(cast, grade="八年级")
    names = ("甲", "乙", "丙")
    paid, waiting, _ = (enrol(cast, cast.class_a1, name=name) for name in names)
    other = enrol(cast, cast.class_a2, name="丁")
    (listed,) = walk(cast, submitted(cast, round_, paid), S.PAID)
    submitted_row, elsewhere = submitted(cast, round_, waiting, other)
    plan = correct(cast.class_a1, ClassFacts("八年级", "junior"), by=cast.officer_a)
    assert dict(plan.outcomes) == {"退回补正": 1, "交发放环节处理": 1}
    assert plan.difference == Decimal("150.00")
    assert [row.state for row in refreshed([listed, submitted_row, elsewhere])] == [S.PAID, S.RETURNED, S.SUBMITTED]
    assert FollowUp.objects.get().effect.difference == Decimal("150.00")
    assert set(StatusChange.objects.values_list("kind", "pupil__name")) == {("unit", "甲"), ("unit", "乙")}


def test_money_to_be_taken_back_from_who_has_left_stays_to_be_taken_back(cast, round_, place) -> None:
    walk(cast, submitted(cast, round_, place), S.IN_BATCH)
    record(wanted(place, changes.Kind.WITHDRAW), by=cast.officer_a)
    left = FollowUp.objects.get(settled_at__isnull=True)
    assert left.effect.difference == Decimal("-750.00")
    found = correct(cast.class_a1, ClassFacts("八年级", "junior"), by=cast.officer_a)
    assert found.effects == []
    assert list(FollowUp.objects.filter(settled_at__isnull=True)) == [left]


def test_a_plan_that_is_no_longer_true_is_shown_again(cast, round_, place, signed_in) -> None:
    pays_more(cast, grade="八年级")
    facts = ClassFacts("八年级", "junior")
    seen = unit_facts.plan_class(cast.class_a1.school_class, facts, by=cast.officer_a).digest
    submitted(cast, round_, place)
    with pytest.raises(changes.EffectsChanged):
        unit_facts.record_class(cast.class_a1.school_class, facts, by=cast.officer_a, seen=seen)
    typed = {"grade": "junior:八年级", "seen": seen}
    shown = signed_in(cast.officer_a).post(reverse("class_edit", args=[cast.class_a1.pk]), typed)
    assert "刚刚有变化" in shown.content.decode()
    cast.class_a1.refresh_from_db()
    assert cast.class_a1.name == "七年级1班"


def test_the_list_of_classes_asks_a_constant_number_of_questions(cast, signed_in) -> None:
    client = signed_in(cast.officer_a)
    url = reverse("classes", args=[cast.school_a.pk])

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(url)
        return len(queries)

    asked()
    before = asked()
    for number in (3, 4, 5):
        enrol(cast, _class(cast.school_a, f"七年级{number}班", "junior", "七年级"))
    assert asked() == before


# --- a school: ownership ----------------------------------------------------------------------------


def particulars(unit: Unit, **other: object) -> SchoolFacts:
    school = unit.school
    known = {"name": unit.name, "code": school.code, "stages": school.stages, "ownership": school.ownership}
    return SchoolFacts(**known | other)


def test_ownership_is_shown_before_it_is_saved_and_done_to_the_cases(cast, round_, place, signed_in) -> None:
    pays_more(cast, ownership="private")
    row = case_in(cast, round_, S.CLASS_REVIEWED, place)
    client = signed_in(cast.clerk)
    url = reverse("school_edit", args=[cast.school_a.pk])
    typed = {
        "name": cast.school_a.name, "code": "5353990001", "stages": ["junior"], "ownership": "private",
        "finance": "county", "notice_phone": "0870-2123456", "notice_contact": "", "notice_place": "",
    }  # fmt: skip
    shown = client.post(url, typed)
    assert "750.00 元变为 900.00 元" in shown.content.decode()
    cast.school_a.school.refresh_from_db()
    assert cast.school_a.school.ownership == "public"
    client.post(url, typed | {"seen": shown.context["plan"].digest})
    cast.school_a.school.refresh_from_db()
    assert cast.school_a.school.ownership == "private"
    assert refreshed([row])[0].state == S.RETURNED
    assert "公办" in AuditRow.objects.get(action="school.change").detail["was"]


def test_what_the_county_may_not_take_back_stays_with_the_class(cast, round_, place) -> None:
    """A case the class has before it is the class's and the officer's to send back."""
    pays_more(cast, ownership="private")
    (row,) = submitted(cast, round_, place)
    facts = particulars(cast.school_a, ownership="private")
    plan = unit_facts.plan_school(cast.school_a.school, facts, by=cast.clerk)
    assert [effect.outcome for effect in plan.effects] == ["stays"]
    assert "请班级评议时退回" in plan.effects[0].sentence
    unit_facts.record_school(cast.school_a.school, facts, by=cast.clerk, seen=plan.digest)
    assert refreshed([row])[0].state == S.SUBMITTED


def test_particulars_that_no_amount_depends_on_are_saved_at_once(cast, signed_in) -> None:
    typed = {
        "name": cast.school_a.name, "code": "5353990001", "stages": ["junior"], "ownership": "public",
        "finance": "city", "notice_phone": "0870-2123457",
    }  # fmt: skip
    answer = signed_in(cast.clerk).post(reverse("school_edit", args=[cast.school_a.pk]), typed, follow=True)
    assert "已保存" in answer.content.decode()
    cast.school_a.school.refresh_from_db()
    assert cast.school_a.school.finance == "city"


def test_open_rounds_of_nobody_are_left_alone(cast) -> None:
    open_round(cast)
    facts = particulars(cast.school_a, ownership="private")
    plan = unit_facts.plan_school(cast.school_a.school, facts, by=cast.clerk)
    assert (plan.effects, plan.unchanged, Application.objects.count()) == ([], 0, 0)
