"""Why each child gets what they get: on the pupil's page, with the application, in the file, on the class's page."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import clock
from accounts.models import User
from archives import dossiers
from students import circumstances, enrolment
from students.models import Enrolment, StatusChange
from subsidies import applications, explanations, pack_loading, programmes, reference, workflow
from subsidies.models import Application, Programme, Reckoning, Standard
from subsidies.states import State, Step
from tests.cast import Cast, change_boarding, enrol, open_round, refreshed, submitted
from tests.subsidies.shortcuts import walk_on
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


def by_code(place: Enrolment, reader: User) -> dict[str, explanations.Answer]:
    place = enrolment.current(place.pupil)
    return {answer.programme.code: answer for answer in explanations.answers(place, reader=reader)}


# --- the pupil's page -------------------------------------------------------------------------------


def test_every_active_programme_of_the_stage_answers_with_amount_or_reason(cast, place) -> None:
    pack_loading.load(reference.national())
    answers = by_code(place, cast.teacher_a1)
    fitting = {each.code for each in Programme.objects.filter(is_active=True) if "junior" in each.stages}
    assert set(answers) == fitting
    assert all(answer.found.sentence for answer in answers.values())
    assert answers["living-aid"].found.amount == Decimal("750.00")
    Programme.objects.filter(code="living-aid").update(is_active=False)
    assert "living-aid" not in by_code(place, cast.teacher_a1)


def test_who_gets_nothing_is_told_which_condition_failed_and_where_to_mend_it(cast, signed_in) -> None:
    bare = enrol(cast, cast.class_a1, kinds=())
    answer = by_code(bare, cast.teacher_a1)["living-aid"]
    assert not answer.found.is_entitled
    assert "没有登记有效的困难类别" in answer.found.sentence
    assert answer.remedies == {"register_circumstance"}
    url = reverse("pupil", args=[bare.pupil_id])
    page = signed_in(cast.teacher_a1).get(url).content.decode()
    assert "能享受什么、为什么" in page
    assert "没有登记有效的困难类别" in page
    assert page.count(reverse("circumstance_add", args=[bare.pupil_id])) >= 2
    watched = signed_in(cast.inspector).get(url).content.decode()
    assert "没有登记有效的困难类别" in watched
    assert reverse("circumstance_add", args=[bare.pupil_id]) not in watched


def test_the_page_tells_when_what_was_handed_in_stands_on_another_amount(cast, round_, place, signed_in) -> None:
    (row,) = submitted(cast, round_, place)
    assert not by_code(place, cast.teacher_a1)["living-aid"].differs
    Enrolment.objects.filter(pk=place.pk).update(boarding="day")  # as a correction outside of 异动 would
    answer = by_code(place, cast.teacher_a1)["living-aid"]
    assert answer.differs
    page = signed_in(cast.teacher_a1).get(reverse("pupil", args=[place.pupil_id])).content.decode()
    assert "提交申请时计算为 750.00 元" in page
    assert reverse("application", args=[row.pk]) in page


def test_tiers_are_told_one_by_one(cast) -> None:
    programme = Programme.objects.get(code="senior-grant")
    programme.stages = ["junior"]
    programme.save()
    Standard.objects.filter(programme=programme).update(conditions={"stage": ["junior"]})
    place = enrol(cast, cast.class_a1)
    told = dict(by_code(place, cast.teacher_a1)["senior-grant"].by_tier)
    assert set(told) == set(programme.tiers)


def test_the_section_asks_a_constant_number_of_questions(cast, place, signed_in) -> None:
    client = signed_in(cast.officer_a)
    url = reverse("pupil", args=[place.pupil_id])

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(url)
        return len(queries)

    asked()
    before = asked()
    pack_loading.load(reference.national())
    for number in range(3):
        Programme.objects.create(
            code=f"extra-{number}",
            name=f"校内资助{number}",
            stages=["junior"],
            recipients="all",
            basis="校发〔2026〕1号",
        )
    # Programmes by time or paid once make three questions more, however many there are.
    assert asked() <= before + 6
    many = asked()
    for number in range(3, 9):
        Programme.objects.create(
            code=f"extra-{number}",
            name=f"校内资助{number}",
            stages=["junior"],
            recipients="all",
            basis="校发〔2026〕1号",
        )
    assert asked() == many


# --- kept with the application ----------------------------------------------------------------------


def test_submitting_keeps_sentence_facts_standard_and_document(cast, round_, place) -> None:
    (row,) = submitted(cast, round_, place)
    kept = Reckoning.objects.get()
    assert (kept.amount, kept.sentence, kept.standard_id) == (row.amount, row.explanation, row.standard_id)
    assert kept.document == row.standard.document
    assert {"stage", "boarding", "category:dibao_rural"} <= set(kept.rests_on)
    assert kept.by == cast.teacher_a1
    told = dict(explanations.words_of(kept.rests_on, row.facts))
    assert told == {"学段": "初中", "就读方式": "寄宿", "困难类别": "农村低保"}


def test_submitting_again_keeps_the_first_reckoning_too(cast, round_, place, signed_in) -> None:
    (row,) = submitted(cast, round_, place)
    change_boarding(place, "day", by=cast.teacher_a1)
    (row,) = refreshed([row])
    assert row.state == S.RETURNED
    row = Application.objects.get(pk=row.pk)
    applications.submit([row], by=cast.teacher_a1)
    first, second = Reckoning.objects.order_by("pk")
    assert (first.amount, second.amount) == (Decimal("750.00"), refreshed([row])[0].amount)
    page = signed_in(cast.officer_a).get(reverse("application", args=[row.pk])).content.decode()
    assert "以前提交时的计算（1 次）" in page
    assert "750.00" in page


def test_reckonings_are_written_once(cast, round_, place) -> None:
    submitted(cast, round_, place)
    with pytest.raises(TypeError):
        Reckoning.objects.update(sentence="别的")


def test_the_application_says_whether_todays_facts_would_give_another_amount(cast, round_, place, signed_in) -> None:
    row = case_in(cast, round_, S.CLASS_REVIEWED, place)
    url = reverse("application", args=[row.pk])
    client = signed_in(cast.officer_a)
    assert "金额相同" in client.get(url).content.decode()
    held = place.pupil.circumstances.get()
    circumstances.end(held, on=clock.today() - dt.timedelta(days=1), by=cast.officer_a)
    told = explanations.today(refreshed_with_place(row))
    assert told is not None
    assert told.is_other
    assert ("困难类别", "农村低保", "已不在有效期内") in told.differences
    page = client.get(url).content.decode()
    assert "与提交时不同" in page
    assert "退回" in page


def refreshed_with_place(row: Application) -> Application:
    return Application.objects.select_related("round__programme", "round__term", "enrolment").get(pk=row.pk)


def test_the_application_says_whether_todays_rules_would(cast, round_, place, signed_in, moving_clock) -> None:
    row = case_in(cast, round_, S.PAID, place)
    programmes.add_standard(
        Standard(
            programme=row.round.programme, conditions={"stage": ["junior"], "boarding": ["boarding"]},
            amount=Decimal("800.00"), document="云教〔2026〕20号", first_term=cast.term.key,
        ),
        county=cast.county,
        by=cast.clerk,
    )  # fmt: skip
    page = signed_in(cast.clerk).get(reverse("application", args=[row.pk])).content.decode()
    assert "应为 800.00 元" in page
    assert "差额清单" in page


def test_of_a_pupil_who_left_only_the_rules_are_compared(cast, round_, place) -> None:
    row = case_in(cast, round_, S.PAID, place)
    record(wanted(place, Kind.TRANSFER_OUT, to_place="外省"), by=cast.officer_a)
    told = explanations.today(refreshed_with_place(row))
    assert told is not None
    assert not told.facts_too
    assert not told.is_other


def test_a_case_that_ended_says_nothing_of_today(cast, round_, place) -> None:
    row = case_in(cast, round_, S.SUBMITTED, place)
    workflow.advance(row, Step.WITHDRAW, by=cast.teacher_a1, note="家长撤回")
    assert explanations.today(refreshed_with_place(row)) is None


# --- in the file, on the class's page ---------------------------------------------------------------


def test_the_file_prints_how_the_amount_was_reckoned(cast, round_, place) -> None:
    (row,) = walk_on(cast, submitted(cast, round_, place), S.REPORTED)
    found = dossiers.contents(row)
    printed = dossiers._printed(found)
    assert printed["reckoned"].sentence == row.explanation
    assert ("就读方式", "寄宿") in printed["rests_on"]
    assert dossiers.compile_dossier(row, by=cast.officer_a).number


def test_the_class_page_says_why_for_each_pupil(cast, signed_in) -> None:
    round_ = open_round(cast)
    enrol(cast, cast.class_a1, name="甲")
    enrol(cast, cast.class_a1, name="乙", kinds=())
    page = signed_in(cast.teacher_a1).get(reverse("class_file", args=[round_.pk, cast.class_a1.pk])).content.decode()
    assert "每学期750.00元" in page
    assert "没有登记有效的困难类别" in page
