"""The principal's confirmation and the county's two decisions: one case goes back where it must, the rest goes on."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse

from subsidies import reviews, school_lists
from subsidies.models import Decision
from subsidies.states import State
from subsidies.workflow import SamePerson
from tests.cast import agree, appoint, enrol, refreshed, submitted, walk

from .shortcuts import walk_on

V = Decision.Verdict


def answer(cast, desk, rows, verdict=V.AGREE, *, by, opinion="") -> int:
    verdicts = [reviews.Verdict(row, verdict, opinion=opinion) for row in rows]
    return school_lists.decide(desk, rows[0].round, rows[0].school, verdicts, by=by)


@pytest.fixture
def decided(cast, round_):
    pupils = [enrol(cast, cast.class_a1, name=name) for name in ("张一", "张二", "张三")]
    return walk(cast, submitted(cast, round_, *pupils), State.SCHOOL_REVIEWED)


def test_the_principal_confirms_and_the_list_may_be_shown(cast, decided) -> None:
    assert answer(cast, school_lists.CONFIRMATION, decided, by=cast.principal_a) == 3
    assert {row.state for row in refreshed(decided)} == {State.CONFIRMED}


@pytest.mark.parametrize(
    ("verdict", "state"),
    [(V.RETURN, State.RETURNED), (V.TO_CLASS, State.SUBMITTED), (V.TO_SCHOOL, State.CLASS_REVIEWED)],
)
def test_one_goes_back_to_the_chosen_desk_and_the_rest_goes_on(cast, decided, verdict, state) -> None:
    first, *rest = decided
    verdicts = [reviews.Verdict(first, verdict, opinion="请再核实家庭情况")]
    verdicts += [reviews.Verdict(row, V.AGREE) for row in rest]
    school_lists.decide(school_lists.CONFIRMATION, first.round, first.school, verdicts, by=cast.principal_a)
    first, *rest = refreshed(decided)
    assert first.state == state
    assert first.steps.last().note == "请再核实家庭情况"
    assert {row.state for row in rest} == {State.CONFIRMED}


def test_what_went_back_walks_on_by_the_same_people(cast, decided) -> None:
    first = decided[0]
    answer(cast, school_lists.CONFIRMATION, [first], V.TO_CLASS, by=cast.principal_a, opinion="请重新评议")
    (first,) = walk(cast, refreshed([first]), State.CONFIRMED)
    assert list(first.steps.values_list("step", flat=True)) == [
        *("submit", "pass_class", "pass_school", "return_to_class", "pass_class", "pass_school", "confirm"),
    ]


def test_a_return_without_a_reason_moves_nobody(cast, decided) -> None:
    with pytest.raises(ValidationError, match="写明原因"):
        answer(cast, school_lists.CONFIRMATION, decided, V.TO_SCHOOL, by=cast.principal_a)
    assert {row.state for row in refreshed(decided)} == {State.SCHOOL_REVIEWED}


def test_a_principal_does_not_refuse_aid_alone(cast, decided) -> None:
    with pytest.raises(ValidationError, match="不是这一环节可以作出的"):
        answer(cast, school_lists.CONFIRMATION, decided, V.REJECT, by=cast.principal_a, opinion="不同意")


@pytest.mark.parametrize(
    "who", ["officer_a", "grade_head_a", "teacher_a1", "principal_b", "clerk", "head", "inspector"]
)
def test_only_the_schools_principal_confirms(cast, decided, who) -> None:
    with pytest.raises(PermissionDenied):
        answer(cast, school_lists.CONFIRMATION, decided, by=cast.people[who])


@pytest.mark.parametrize("duty", ["class_review", "school_review"])
def test_who_reviewed_does_not_confirm(cast, decided, duty) -> None:
    reviewer = decided[0].duty_holders.get(duty=duty).by
    appoint(reviewer, "principal", cast.school_a)
    with pytest.raises(SamePerson):
        answer(cast, school_lists.CONFIRMATION, decided, by=reviewer)


def test_the_county_sends_one_back_to_the_schools_committee(cast, round_) -> None:
    pupils = [enrol(cast, cast.class_a1, name=name) for name in ("张一", "张二")]
    rows = walk_on(cast, submitted(cast, round_, *pupils), State.REPORTED)
    first, second = refreshed(rows)
    answer(cast, school_lists.VERIFICATION, [first], V.TO_SCHOOL, by=cast.clerk, opinion="排序与得票不符")
    answer(cast, school_lists.VERIFICATION, [second], by=cast.clerk)
    first, second = refreshed(rows)
    assert (first.state, second.state) == (State.CLASS_REVIEWED, State.VERIFIED)
    agree([first], "school", cast.school_a, by=cast.officer_a)  # decided anew by the committee alone
    assert refreshed([first])[0].state == State.SCHOOL_REVIEWED


def test_a_case_that_is_elsewhere_by_now_is_told(cast, decided) -> None:
    with pytest.raises(ValidationError, match="可能已有人先办理"):
        answer(cast, school_lists.VERIFICATION, decided[:1], by=cast.clerk)


def test_the_page_of_the_principal(cast, round_, decided) -> None:
    client = Client()
    client.force_login(cast.principal_a)
    page = reverse("school_confirm", args=[round_.pk, cast.school_a.pk])
    text = client.get(page).content.decode()
    assert "校长确认" in text
    assert "退回学校重评" in text
    seen = client.get(page).context["form"]["seen"].value()
    said = {"rest": "agree", "seen": seen, f"verdict_{decided[0].pk}": "to_school"}
    answered = client.post(page, said, follow=True)
    assert "请写明对张一的意见" in answered.content.decode()  # the one did not move, and what was chosen is still there
    assert answered.context["form"][f"verdict_{decided[0].pk}"].value() == "to_school"
    states = [row.state for row in refreshed(decided)]
    assert states == [State.SCHOOL_REVIEWED, *[State.CONFIRMED] * (len(decided) - 1)]
