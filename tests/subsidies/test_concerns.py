"""Screening and settling: what is settled stays settled until its facts change; nothing is found or lost twice."""

import datetime as dt
from collections import Counter

import pytest
from django.core.exceptions import (
    MultipleObjectsReturned,
    ObjectDoesNotExist,
    PermissionDenied,
    ValidationError,
)
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import clock
from accounts.audit import verify_chain
from accounts.models import AuditRow, Unit
from students import circumstances
from students.models import Category, Enrolment
from subsidies import concern_finders, concern_rules, concerns, tasks, workflow
from subsidies.models import Concern, ConcernReason, Round, Screening, Settlement
from subsidies.states import Step
from tests import cast as casting
from tests.cast import Cast, enrol, submitted
from tests.together import at_once

Kind, State = Concern.Kind, Concern.State


def screen(cast: Cast, unit: Unit | None = None) -> Counter[str]:
    return Counter(concerns.find(unit or cast.county, cast.term, by=None).counts)


def whole() -> list[tuple]:
    """All that a screening may touch, but for the screening's own row."""
    rows = Concern.objects.order_by("pk").values_list()
    return [*rows, *Settlement.objects.order_by("pk").values_list()]


def reason(kind: str, code: str) -> ConcernReason:
    return ConcernReason.objects.get(kind=kind, code=code)


@pytest.fixture
def missed(cast: Cast, round_: Round) -> Concern:
    enrol(cast, cast.class_a1, name="漏报")
    screen(cast)
    return Concern.objects.get()


# --- settled, gone, open again ---------------------------------------------------------------------


def test_settled_stays_settled_screening_after_screening(cast: Cast, missed: Concern) -> None:
    concerns.settle(missed, reason=reason(Kind.MISSED, "refused"), proof=casting.scan(), by=cast.officer_a)
    before = whole()
    assert screen(cast)["new"] == 0
    clock.set_demo_day(dt.date(2026, 11, 30))
    screen(cast)
    assert whole() == before


def test_settled_is_opened_when_the_facts_change_and_the_refusal_stays_attached(cast: Cast, missed: Concern) -> None:
    said = concerns.settle(missed, reason=reason(Kind.MISSED, "refused"), proof=casting.scan(), by=cast.officer_a)
    circumstances.add(
        missed.pupil, category=Category.objects.get(code="disabled"), source="matched",
        valid_from=dt.date(2026, 9, 1), by=cast.officer_a,
    )  # fmt: skip
    assert screen(cast)["reopened"] == 1
    missed.refresh_from_db()
    assert (missed.state, missed.settlement) == (State.OPEN, None)
    assert missed.settlements.get() == said
    assert said.proof is not None
    assert AuditRow.objects.filter(action="concern.facts_changed").count() == 1


def test_renewed_evidence_for_the_same_kind_changes_nothing(cast: Cast, missed: Concern) -> None:
    concerns.settle(missed, reason=reason(Kind.MISSED, "other"), note="说明", by=cast.officer_a)
    old = missed.pupil.circumstances.get()
    circumstances.end(old, on=dt.date(2026, 10, 11), by=cast.officer_a)
    circumstances.add(
        missed.pupil, category=old.category, source="matched", valid_from=dt.date(2026, 10, 12), by=cast.officer_a
    )
    assert screen(cast)["reopened"] == 0


def test_filed_is_gone_and_withdrawn_is_open_again(cast: Cast, missed: Concern) -> None:
    place = Enrolment.objects.get(pupil=missed.pupil)
    (case,) = submitted(cast, Round.objects.get(), place)
    assert screen(cast)["gone"] == 1
    assert Concern.objects.get().state == State.GONE
    workflow.advance(case, Step.WITHDRAW, by=cast.teacher_a1, note="填错")
    screen(cast)
    row = Concern.objects.get()
    assert (row.pk, row.state, row.facts["before"]) == (missed.pk, State.OPEN, "withdrawn")


def test_transfer_takes_the_settled_concern_to_the_new_school(cast: Cast, missed: Concern) -> None:
    concerns.settle(missed, reason=reason(Kind.MISSED, "other"), note="说明", by=cast.officer_a)
    old = Enrolment.objects.get(pupil=missed.pupil)
    Enrolment.objects.filter(pk=old.pk).update(standing="transferred", ends_on=dt.date(2026, 10, 12))
    new = casting.enrolment.begin(
        missed.pupil, term=cast.term, school_class=cast.class_b1.school_class, boarding="boarding"
    )
    new.save()
    screen(cast)
    row = Concern.objects.get()
    assert (row.pk, row.owner, row.state) == (missed.pk, cast.school_b, State.SETTLED)
    assert row.path.startswith(cast.school_b.path)


def test_a_schools_own_screening_leaves_other_schools_alone(cast: Cast, missed: Concern) -> None:
    enrol(cast, cast.class_b1, name="别校")
    screen(cast, cast.school_a)
    assert Concern.objects.count() == 1
    screen(cast, cast.school_b)
    assert Concern.objects.count() == 2


# --- who settles, and how --------------------------------------------------------------------------


def test_only_the_owner_and_the_county_settle(cast: Cast, missed: Concern) -> None:
    other = reason(Kind.MISSED, "other")
    for person in (cast.teacher_a1, cast.principal_a, cast.officer_b, cast.inspector, cast.head, cast.admin):
        with pytest.raises(PermissionDenied):
            concerns.settle(missed, reason=other, note="说明", by=person)
    concerns.settle(missed, reason=other, note="说明", by=cast.clerk)


def test_what_is_the_countys_a_school_does_not_settle(cast: Cast) -> None:
    enrol(cast, cast.class_a1, name="赵一")
    enrol(cast, cast.class_b1, name="赵一")
    screen(cast)
    suspect = Concern.objects.get(owner=cast.county)
    apart = reason(Kind.TWO_SCHOOLS, "two_children")
    with pytest.raises(PermissionDenied):
        concerns.settle(suspect, reason=apart, note="不是一人", by=cast.officer_a)
    concerns.settle(suspect, reason=apart, note="第一初级中学已核对", by=cast.clerk)
    # Its parts at the schools go with it, without the county's words.
    parts = Concern.objects.filter(about=suspect).select_related("settlement__reason")
    assert [(part.state, part.settlement.reason, part.settlement.note) for part in parts] == [
        (State.SETTLED, apart, ""),
        (State.SETTLED, apart, ""),
    ]
    assert screen(cast)["reopened"] == 0
    concerns.reopen(suspect, note="再核对", by=cast.clerk)
    assert {row.state for row in Concern.objects.all()} == {State.OPEN}


def test_all_that_is_settled_is_locked_in_one_order_before_the_trail(cast: Cast) -> None:
    """As the screening locks it: a part may have a lower key than the county's concern that came later."""
    for unit in (cast.class_a1, cast.class_b1):
        enrol(cast, unit, name="赵一")
    screen(cast)
    suspect = Concern.objects.get(owner=cast.county)
    with CaptureQueriesContext(connection) as queries:
        concerns.settle(suspect, reason=reason(Kind.TWO_SCHOOLS, "two_children"), note="两名", by=cast.clerk)
    asked = [query["sql"] for query in queries]
    read = [at for at, sql in enumerate(asked) if sql.startswith("SELECT") and 'FROM "subsidies_concern" ' in sql]
    told = [at for at, sql in enumerate(asked) if 'INSERT INTO "accounts_auditrow"' in sql]
    assert max(read) < min(told)
    assert len([at for at in read if 'ORDER BY "subsidies_concern"."id"' in asked[at]]) == 1


def test_the_last_reason_stays_until_another_can_be_chosen(cast: Cast) -> None:
    rows = list(ConcernReason.objects.filter(kind=Kind.AGE))
    later = ConcernReason(
        kind=Kind.AGE, label="将来的", source="县文件", valid_from=casting.TODAY + dt.timedelta(days=2)
    )
    concern_rules.add_reason(later, county=cast.county, by=cast.clerk)
    for row in rows[1:]:
        concern_rules.end_reason(row, on=casting.TODAY, county=cast.county, by=cast.clerk)
    with pytest.raises(ValidationError, match="最后一个处理结果"):
        concern_rules.end_reason(rows[0], on=casting.TODAY, county=cast.county, by=cast.clerk)
    until = casting.TODAY + dt.timedelta(days=1)
    concern_rules.end_reason(rows[0], on=until, county=cast.county, by=cast.clerk)


@pytest.mark.parametrize(
    ("code", "note", "sentence"),
    [("wrong_record", " ", "要写明具体情况"), ("refused", "家长放弃", "要上传证明的扫描件")],
)
def test_a_reason_asks_for_what_it_needs(cast: Cast, missed: Concern, code: str, note: str, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        concerns.settle(missed, reason=reason(Kind.MISSED, code), note=note, by=cast.officer_a)
    missed.refresh_from_db()
    assert missed.state == State.OPEN


def test_a_reason_of_another_kind_or_out_of_use_is_refused(cast: Cast, missed: Concern) -> None:
    with pytest.raises(ValidationError, match="不适用"):
        concerns.settle(missed, reason=reason(Kind.AGE, "returned"), by=cast.officer_a)
    ended = reason(Kind.MISSED, "other")
    ConcernReason.objects.filter(pk=ended.pk).update(valid_to=dt.date(2026, 10, 11))
    with pytest.raises(ValidationError, match="停用"):
        concerns.settle(missed, reason=ended, note="说明", by=cast.officer_a)


def test_settling_what_is_settled_or_gone_is_refused(cast: Cast, missed: Concern) -> None:
    other = reason(Kind.MISSED, "other")
    concerns.settle(missed, reason=other, note="说明", by=cast.officer_a)
    with pytest.raises(ValidationError, match="可能已有人先办理"):
        concerns.settle(missed, reason=other, note="说明", by=cast.officer_a)


def test_a_number_in_the_note_is_not_kept_and_the_trail_has_no_words(cast: Cast, missed: Concern) -> None:
    said = concerns.settle(missed, reason=reason(Kind.MISSED, "other"), note="电话 13812345678 不通", by=cast.officer_a)
    assert "13812345678" not in said.note
    row = AuditRow.objects.get(action="concern.settle")
    assert row.detail == {"kind": "missed", "reason": "other"}
    assert verify_chain().broken_at is None


def test_settlements_are_written_once(cast: Cast, missed: Concern) -> None:
    said = concerns.settle(missed, reason=reason(Kind.MISSED, "other"), note="说明", by=cast.officer_a)
    with pytest.raises(TypeError):
        Settlement.objects.filter(pk=said.pk).update(note="改")
    said.note = "改"
    with pytest.raises(Exception, match="written once"), transaction.atomic():
        said.save()


def test_selection_with_a_reason_that_needs_proof_is_refused_whole(cast: Cast, missed: Concern) -> None:
    with pytest.raises(ValidationError, match="逐人附证明"):
        concerns.settle_all([missed], reason=reason(Kind.MISSED, "refused"), seen={}, by=cast.officer_a)


# --- the screening as a job ------------------------------------------------------------------------


def test_asking_twice_is_one_screening_and_running_it_twice_is_one_run(cast: Cast) -> None:
    asked = concerns.ask(cast.county, cast.term, by=cast.clerk)
    assert concerns.ask(cast.county, cast.term, by=cast.clerk) == asked
    assert concerns.run(asked.pk)
    assert not concerns.run(asked.pk)
    assert concerns.last_finished(cast.county, cast.term) == asked
    assert concerns.last_finished(cast.class_a1, cast.term) == asked
    assert concerns.ask(cast.county, cast.term, by=cast.clerk) != asked


def test_who_may_ask(cast: Cast) -> None:
    with pytest.raises(PermissionDenied):
        concerns.ask(cast.county, cast.term, by=cast.officer_a)
    with pytest.raises(PermissionDenied):
        concerns.ask(cast.school_a, cast.term, by=cast.teacher_a1)
    with pytest.raises(ValidationError, match="不能只清查一个班"):
        concerns.ask(cast.class_a1, cast.term, by=cast.officer_a)


def test_a_killed_worker_leaves_the_screening_to_the_next(cast: Cast, missed: Concern) -> None:
    asked = concerns.ask(cast.county, cast.term, by=cast.clerk)
    assert concerns._claim(asked.pk) == 1
    assert concerns.waiting() == []
    assert not concerns.run(asked.pk)  # somebody has it
    Screening.objects.filter(pk=asked.pk).update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    assert concerns.waiting() == [asked.pk]
    assert concerns.run(asked.pk)
    asked.refresh_from_db()
    assert (asked.state, asked.attempt, asked.schools_done) == (Screening.State.DONE, 2, 2)


def test_a_screening_that_never_ends_is_given_up(cast: Cast) -> None:
    asked = concerns.ask(cast.county, cast.term, by=cast.clerk)
    Screening.objects.filter(pk=asked.pk).update(
        state="running", attempt=concerns.MOST_ATTEMPTS, lease_until=timezone.now() - dt.timedelta(seconds=1)
    )
    assert not concerns.run(asked.pk)
    asked.refresh_from_db()
    assert asked.state == Screening.State.FAILED
    assert concerns.ask(cast.county, cast.term, by=cast.clerk) != asked


def test_a_worker_that_was_overtaken_stops(cast: Cast, missed: Concern, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = concerns.ask(cast.county, cast.term, by=cast.clerk)
    first = concerns._screen_school

    def overtaken(season: concern_finders.Season, school: Unit) -> Counter[str]:
        Screening.objects.filter(pk=asked.pk).update(attempt=7)
        return first(season, school)

    monkeypatch.setattr(concerns, "_screen_school", overtaken)
    assert not concerns.run(asked.pk)
    asked.refresh_from_db()
    assert asked.state == Screening.State.RUNNING


def test_every_night_each_county_is_screened(cast: Cast, round_: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    enrol(cast, cast.class_a1)
    sent: list[str] = []
    monkeypatch.setattr(tasks.screen, "delay", sent.append)
    tasks.screen_every_county()
    (row,) = Screening.objects.all()
    assert (row.unit, row.asked_by, sent) == (cast.county, None, [str(row.pk)])
    tasks.screen(sent[0])
    assert Concern.objects.count() == 1


# --- bounded, deterministic, repeatable ------------------------------------------------------------


def test_three_times_the_pupils_take_the_same_number_of_queries(cast: Cast, round_: Round) -> None:
    def asked(times: int) -> int:
        for number in range(times):
            filed = enrol(cast, cast.class_a1, name=f"已报{number}{Concern.objects.count()}")
            submitted(cast, round_, filed)
            circumstances.end(filed.pupil.circumstances.get(), on=dt.date(2026, 10, 11), by=cast.officer_a)
            enrol(cast, cast.class_a1, name=f"漏报{number}{Concern.objects.count()}")
            for unit in (cast.class_a1, cast.class_b1):
                enrol(cast, unit, name=f"双{number}{Concern.objects.count() // 4}")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            screen(cast)
        return len(queries)

    asked(1)
    assert asked(1) >= asked(3) - 2  # the trail's rows apart


_DEEDS = ("enrol_a", "enrol_b", "twin", "file", "withdraw", "end", "settle", "reopen", "pass_time")


@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(deeds=st.lists(st.tuples(st.sampled_from(_DEEDS), st.integers(0, 5)), max_size=12))
def test_a_second_screening_changes_nothing_whatever_happened(
    cast: Cast, round_: Round, deeds: list[tuple[str, int]]
) -> None:
    clock.set_demo_day(casting.TODAY)
    with transaction.atomic():
        for deed, which in deeds:
            _do(cast, round_, deed, which)
        screen(cast)
        settled = dict(Concern.objects.filter(state=State.SETTLED).values_list("pk", "digest"))
        before = whole()
        counts = screen(cast)
        assert whole() == before
        assert counts["new"] == counts["gone"] == counts["reopened"] == 0
        # Settled means: about these very facts.
        assert all(s.settlement.digest == settled[s.pk] for s in Concern.objects.filter(pk__in=settled))
        # A school's screening after the county's adds nothing either.
        screen(cast, cast.school_a)
        assert whole() == before
        transaction.set_rollback(True)


def _do(cast: Cast, round_: Round, deed: str, which: int) -> None:
    places = list(Enrolment.objects.select_related("pupil", "school_class", "school").order_by("pupil__name", "pk"))
    pick = places[which % len(places)] if places else None
    try:
        if deed in ("enrol_a", "enrol_b"):
            unit = cast.class_a1 if deed == "enrol_a" else cast.class_b1
            enrol(cast, unit, name=f"学生{which}", kinds=("dibao_rural",) if which % 2 else ())
        elif deed == "twin" and pick:
            enrol(cast, cast.class_a2, name=pick.pupil.name)
        elif deed == "file" and pick:
            submitted(cast, round_, pick)
        elif deed == "withdraw" and pick:
            workflow.advance(
                pick.pupil.applications.exclude(state="withdrawn").get(),
                Step.WITHDRAW, by=casting.teacher_of(cast, pick.school_class), note="撤回",
            )  # fmt: skip
        elif deed == "end" and pick:
            circumstance = pick.pupil.circumstances.get()
            circumstances.end(circumstance, on=clock.today(), by=casting.officer_of(cast, pick.school))
        elif deed == "settle":
            screen(cast)
            row = Concern.objects.filter(state=State.OPEN).order_by("path", "kind", "pk")[which:].first()
            if row:
                concerns.settle(row, reason=reason(row.kind, "other"), note="已核实", by=cast.clerk)
        elif deed == "reopen" and (row := Concern.objects.filter(state=State.SETTLED).first()):
            concerns.reopen(row, note="再看", by=cast.clerk)
        elif deed == "pass_time":
            clock.set_demo_day(clock.today() + dt.timedelta(days=which))
    except (ValidationError, PermissionDenied, ObjectDoesNotExist, MultipleObjectsReturned):
        pass  # refused, or nothing to do it to


# --- at once ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_clerks_press_at_once_and_there_is_one_run(transactional_db: None, cast: Cast, round_: Round) -> None:
    enrol(cast, cast.class_a1)
    people = [cast.clerk, cast.clerk2]
    asked = at_once(*[lambda p=p: concerns.ask(cast.county, cast.term, by=p) for p in people])
    assert asked[0] == asked[1]
    assert Screening.objects.count() == 1
    key = asked[0].pk
    assert sorted(at_once(lambda: concerns.run(key), lambda: concerns.run(key))) == [False, True]
    assert Concern.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_county_and_school_screen_at_once(transactional_db: None, cast: Cast, round_: Round) -> None:
    for number in range(3):
        enrol(cast, cast.class_a1, name=f"漏报{number}")
        enrol(cast, cast.class_b1, name=f"漏报{number}")
    keys = [concerns.ask(unit, cast.term, by=None).pk for unit in (cast.county, cast.school_a, cast.school_b)]
    results = at_once(*[lambda k=k: concerns.run(k) for k in keys])
    # One in a county at a time: the others wait for the next sweep.
    assert set(results) <= {True, False}
    assert True in results
    while waiting := concerns.waiting():
        assert concerns.run(waiting[0])
    assert Concern.objects.filter(kind=Kind.MISSED).count() == 6
    assert Concern.objects.filter(kind=Kind.TWO_SCHOOLS).count() == 9
    assert verify_chain().broken_at is None


@pytest.mark.django_db(transaction=True)
def test_two_people_settle_one_concern_and_one_is_first(transactional_db: None, cast: Cast, round_: Round) -> None:
    enrol(cast, cast.class_a1)
    screen(cast)
    row, other = Concern.objects.get(), reason(Kind.MISSED, "other")
    results = at_once(
        *[lambda p=p: concerns.settle(row, reason=other, note=p.name, by=p) for p in (cast.officer_a, cast.clerk)]
    )
    assert sorted(type(result).__name__ for result in results) == ["Settlement", "ValidationError"]
    assert Settlement.objects.count() == 1
