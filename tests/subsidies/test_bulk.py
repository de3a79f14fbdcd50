"""Long lists: a class, a school and a county cost the same number of questions to the database."""

import datetime as dt
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from students import enrolment, fictitious, privacy
from students.models import Category, Circumstance, Enrolment, Pupil
from subsidies import applications, workflow
from subsidies.models import Application, StepTaken
from subsidies.states import State, Step
from tests.cast import agree


def crowd(cast, count: int) -> list[Enrolment]:
    """Pupils of one class in few statements; `enrol` would take a while for hundreds."""
    born, pupils = dt.date(2013, 3, 1), []
    for serial in range(40_000, 40_000 + count):
        number = fictitious.id_number(serial, born=born, sex="female")
        pupil = Pupil(county=cast.county, name=f"学生{serial}", sex="female", birth_date=born, ethnicity="汉族")
        privacy.set_id(pupil, number)
        privacy.set_roll(pupil, fictitious.roll_number(number))
        pupils.append(pupil)
    Pupil.objects.bulk_create(pupils)
    kind, day = Category.objects.get(code="dibao_rural"), dt.date(2025, 9, 1)
    evidence = {"source": "matched", "valid_from": day, "evidence": "民政部门比对", "recorded_by": cast.officer_a}
    Circumstance.objects.bulk_create([Circumstance(pupil=pupil, category=kind, **evidence) for pupil in pupils])
    place = {"term": cast.term, "school_class": cast.class_a1.school_class, "boarding": "boarding"}
    return Enrolment.objects.bulk_create([enrolment.begin(pupil, **place) for pupil in pupils])


def drafts(cast, round_, count: int) -> list[Application]:
    wishes = [applications.Wish(row) for row in crowd(cast, count)]
    return applications.save_drafts(round_, cast.class_a1, wishes, by=cast.teacher_a1)


def asked(deed) -> tuple[int, float]:
    start = time.perf_counter()
    with CaptureQueriesContext(connection) as seen:
        deed()
    return len(seen), time.perf_counter() - start


def test_questions_do_not_grow_with_the_list(cast, round_) -> None:
    filed = drafts(cast, round_, 350)
    few, many = filed[:50], filed[50:]
    figures = {
        "submit": [asked(lambda rows=rows: applications.submit(rows, by=cast.teacher_a1)) for rows in (few, many)],
        "class review": [
            asked(lambda rows=rows: agree(rows, "class", cast.class_a1, by=cast.grade_head_a)) for rows in (few, many)
        ],
        "school review": [
            asked(lambda rows=rows: agree(rows, "school", cast.school_a, by=cast.officer_a)) for rows in (few, many)
        ],
    }
    for deed, ((of_50, _), (of_300, seconds)) in figures.items():
        print(f"{deed}: 50 → {of_50} queries, 300 → {of_300} queries in {seconds:.2f} s")  # noqa: T201 - times are shown, not asserted
        # Rows are written in batches (SQLite takes 999 values a statement), so a few more, not six times as many.
        assert of_300 <= of_50 + 25, deed
    assert Application.objects.filter(state=State.SCHOOL_REVIEWED).count() == 350


def test_one_step_of_300_takes_a_handful_of_questions(cast, round_) -> None:
    filed = drafts(cast, round_, 300)
    applications.submit(filed, by=cast.teacher_a1)
    count, seconds = asked(lambda: workflow.advance_all(filed, Step.WITHDRAW, by=cast.teacher_a1, note="批次作废"))
    print(f"advance_all: 300 in {count} queries, {seconds:.2f} s")  # noqa: T201 - times are shown, not asserted
    assert count <= 30
    assert StepTaken.objects.filter(step=Step.WITHDRAW).count() == 300


def test_a_list_longer_than_one_chunk_is_still_all_or_none(cast, round_, monkeypatch) -> None:
    monkeypatch.setattr(workflow, "_CHUNK", 2)
    filed = drafts(cast, round_, 5)
    applications.submit(filed, by=cast.teacher_a1)
    workflow.advance_all(filed[-1:], Step.WITHDRAW, by=cast.teacher_a1, note="转学")
    with pytest.raises(workflow.StaleState):
        workflow.advance_all(filed, Step.WITHDRAW, by=cast.teacher_a1, note="批次作废")
    assert Application.objects.filter(state=State.SUBMITTED).count() == 4
    assert workflow.advance_all(filed[:-1], Step.WITHDRAW, by=cast.teacher_a1, note="批次作废") == 4


def test_the_filing_page_asks_the_same_for_one_pupil_and_three(cast, round_) -> None:
    crowd(cast, 1)
    one, _ = asked(lambda: applications.candidates(round_, cast.class_a1))
    assert len(applications.candidates(round_, cast.class_a1)) == 1
    Enrolment.objects.all().delete()
    Circumstance.objects.all().delete()
    Pupil.objects.all().delete()
    crowd(cast, 3)
    three, _ = asked(lambda: applications.candidates(round_, cast.class_a1))
    assert len(applications.candidates(round_, cast.class_a1)) == 3
    assert three == one
