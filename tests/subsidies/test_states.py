"""The transition table is whole: every state, step and person has its place, and the printed page says the same."""

from pathlib import Path

import pytest
from django.conf import settings
from django.core.management.base import CommandError

from accounts.roles import ROLES
from subsidies.management.commands import print_transitions
from subsidies.states import ENDED_WITHOUT_AID, TRANSITIONS, TURN, Duty, Guard, State, Step, transition

ENDS = {State.PAID, State.REJECTED, State.WITHDRAWN}


def test_every_state_is_left_by_some_step_or_is_an_end() -> None:
    assert {row.source for row in TRANSITIONS} == set(State) - ENDS
    assert set(ENDED_WITHOUT_AID) == ENDS - {State.PAID}


def test_every_state_but_draft_is_reached_from_draft() -> None:
    reached, edge = {State.DRAFT}, {State.DRAFT}
    while edge:
        edge = {row.target for row in TRANSITIONS if row.source in edge} - reached
        reached |= edge
    assert reached == set(State)


def test_every_state_leads_to_an_end() -> None:
    leads = set(ENDS)
    for _ in State:
        leads |= {row.source for row in TRANSITIONS if row.target in leads}
    assert leads == set(State)


def test_every_step_and_every_guard_is_used() -> None:
    assert {row.step for row in TRANSITIONS} == set(Step)
    assert {guard for row in TRANSITIONS for guard in row.guards} == set(Guard)
    assert {row.duty for row in TRANSITIONS if row.duty} == set(Duty)


def test_a_step_from_a_state_has_one_row() -> None:
    pairs = [(row.step, row.source) for row in TRANSITIONS]
    assert len(set(pairs)) == len(pairs)


def test_transition_finds_the_row_or_says_there_is_none() -> None:
    row = transition(Step.VERIFY, "reported")
    assert row
    assert (row.target, row.audit_event) == (State.VERIFIED, "application.verify")
    assert transition(Step.VERIFY, State.DRAFT) is None


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: f"{row.step}-{row.source}")
def test_each_step_is_in_the_hands_of_some_role(row) -> None:
    assert [role for role in ROLES.values() if row.permission in role.permissions]


def test_the_inspector_and_the_administrator_hold_no_step() -> None:
    steps = {row.permission for row in TRANSITIONS}
    assert not steps & ROLES["inspector"].permissions
    assert not steps & ROLES["system_admin"].permissions


def test_somebody_has_the_turn_in_every_state_but_the_ends() -> None:
    assert set(TURN) == set(State)
    assert {state for state, permission in TURN.items() if permission is None} == ENDS


def test_whose_turn_it_is_can_take_a_step_from_there() -> None:
    for state, permission in TURN.items():
        steps = {row.permission for row in TRANSITIONS if row.source == state}
        assert permission in steps or state in ENDS, state


def test_returning_and_refusing_always_need_a_reason() -> None:
    against = [row for row in TRANSITIONS if row.target in (State.RETURNED, State.REJECTED, State.WITHDRAWN)]
    assert {row.target for row in against} == {State.RETURNED, State.REJECTED, State.WITHDRAWN}
    assert all(Guard.REASON_GIVEN in row.guards for row in against)


def test_a_case_goes_back_to_the_teacher_only_while_a_class_has_the_pupil() -> None:
    """Nobody could hand in what came back of a pupil who left; a change itself brings the case to where they are."""
    back = [row for row in TRANSITIONS if row.target == State.RETURNED and Guard.CHANGE_RECORDED not in row.guards]
    assert len(back) > 4
    assert all(Guard.STILL_A_PUPIL in row.guards for row in back)


def test_every_decision_between_filing_and_money_needs_another_duty() -> None:
    # The straight road: each duty exactly once, in order.
    road = [row for row in TRANSITIONS if row.duty and row.target not in (*ENDED_WITHOUT_AID, State.RETURNED)]
    duties = list(dict.fromkeys(row.duty for row in road))
    assert (
        duties
        == list(Duty)
        == [
            *(Duty.FILING, Duty.CLASS_REVIEW, Duty.SCHOOL_REVIEW, Duty.CONFIRMATION),
            *(Duty.VERIFICATION, Duty.APPROVAL),
        ]
    )


@pytest.mark.parametrize(
    ("source", "back"),
    [
        (State.CLASS_REVIEWED, {State.RETURNED, State.SUBMITTED}),
        (State.SCHOOL_REVIEWED, {State.RETURNED, State.SUBMITTED, State.CLASS_REVIEWED}),
        (State.REPORTED, {State.RETURNED, State.SUBMITTED, State.CLASS_REVIEWED}),
    ],
)
def test_a_case_goes_back_to_whichever_desk_has_to_look_again(source: State, back: set[State]) -> None:
    rows = [row for row in TRANSITIONS if row.source == source and row.duty and row.target in back]
    assert {row.target for row in rows} == back
    assert all(Guard.REASON_GIVEN in row.guards for row in rows)


def test_the_page_shows_the_table_of_the_program() -> None:
    page = Path(settings.BASE_DIR, print_transitions.PAGE).read_text(encoding="utf-8")
    assert print_transitions.renewed(page) == page, "run: ./aid print_transitions --write"


def test_the_printed_row_names_step_states_people_duty_and_conditions() -> None:
    rows = print_transitions.transition_table().splitlines()
    assert len(rows) == 2 + len(TRANSITIONS)
    assert "| 提交 | 草稿 | 待班级评议 | 班主任 | 填报 | 批次在填报期内；有适用的标准 |" in rows
    conditions = "没有超出名额，或是应助尽助；上报前检查没有不能上报的问题"
    assert f"| 上报县中心 | 公示无异议 | 待县级审核 | 资助专干 | — | {conditions} |" in rows
    assert "| 已发放 | —（已办结） |" in print_transitions.turn_table().splitlines()


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(CommandError, match="没有找到标记"):
        print_transitions.renewed("# 空页")
