"""A wrong ID number put right: by the county, on evidence, never to the number of another child."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditRow, User
from students import enrolment, fictitious, identity, list_profiles, list_versions, privacy, rechecks
from students.models import Circumstance, Enrolment, IdCorrection, ListMatch, ListVersion, Pupil, Recheck
from tests import cast as casting
from tests.cast import Cast

from .list_files import POLICY, Somebody, miswritten, number_of, stranger, taken

SignIn = Callable[[User], Client]
RIGHT = fictitious.id_number(41_000, born=dt.date(2013, 6, 7), sex="female")
RIGHT_TOO = fictitious.id_number(41_500, born=dt.date(2013, 6, 7), sex="female")


@pytest.fixture
def place(cast: Cast) -> Enrolment:
    return casting.enrol(cast, cast.class_a1, name="张小明")


def correct(place: Enrolment, by: User, **changes: object) -> IdCorrection:
    values = {"id_kind": "resident", "number": RIGHT, "reason": "录入时张小明的两位颠倒"}
    return identity.correct_id(place.pupil, by=by, evidence_file=casting.scan("户口簿.pdf"), **{**values, **changes})


def test_number_sex_and_birth_date_are_put_right(cast: Cast, place: Enrolment) -> None:
    before = place.pupil
    correction = correct(place, cast.clerk, number=f" {RIGHT.lower()} ")
    pupil = Pupil.objects.get(pk=before.pk)
    assert pupil.id_index == privacy.id_index(RIGHT)
    assert (pupil.sex, pupil.birth_date) == ("female", dt.date(2013, 6, 7))
    assert privacy.find_by_id(cast.county, RIGHT) == pupil
    assert (correction.before_index, correction.before_masked) == (before.id_index, before.id_masked)
    assert correction.after_masked == pupil.id_masked
    assert "张小明" not in correction.reason


def test_trail_holds_no_number(cast: Cast, place: Enrolment) -> None:
    correct(place, cast.clerk)
    row = AuditRow.objects.get(action="identity.correct")
    assert row.detail == {"fields": ["id", "sex", "birth_date"], "given": 0, "rechecks": 0}
    assert RIGHT not in repr(list(AuditRow.objects.values()))


@pytest.mark.parametrize("who", ["officer_a", "teacher_a1", "principal_a", "head", "inspector", "officer_b"])
def test_only_the_county_corrects(cast: Cast, place: Enrolment, who: str) -> None:
    with pytest.raises(PermissionDenied):
        correct(place, getattr(cast, who))


def test_number_of_another_child_is_a_double_registration(cast: Cast, place: Enrolment) -> None:
    other = casting.enrol(cast, cast.class_b1)
    number = privacy._unseal(other.pupil, "id")
    with pytest.raises(ValidationError, match="双学籍"):
        correct(place, cast.clerk, number=number)
    assert not IdCorrection.objects.exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"number": RIGHT[:-1] + ("0" if RIGHT[-1] != "0" else "1")}, "校验码"),
        ({"number": ""}, "证件号是空的"),
        ({"reason": "  "}, "更正原因"),
        ({"id_kind": "permit"}, "证件类型与号码不符"),
        ({"id_kind": "nothing"}, "请选择证件类型"),
        ({"id_kind": "other", "number": "？？"}, "字母和数字"),
    ],
)
def test_what_cannot_be_used_is_refused(cast: Cast, place: Enrolment, changes: dict, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        correct(place, cast.clerk, **changes)


def test_same_number_is_no_correction(cast: Cast, place: Enrolment) -> None:
    with pytest.raises(ValidationError, match="没有改动"):
        correct(place, cast.clerk, number=privacy._unseal(place.pupil, "id"))


def test_passport_leaves_sex_and_birth_date(cast: Cast, place: Enrolment) -> None:
    correct(place, cast.clerk, id_kind="other", number="E12345678")
    pupil = Pupil.objects.get()
    assert (pupil.id_kind, pupil.sex, pupil.birth_date) == ("other", "male", dt.date(2013, 5, 6))


def test_submitted_application_keeps_its_facts_and_says_so(cast: Cast, place: Enrolment, signed_in: SignIn) -> None:
    case = casting.submitted(cast, casting.open_round(cast), place)[0]
    before = case.facts
    correct(place, cast.clerk)
    case.refresh_from_db()
    assert case.facts == before
    page = signed_in(cast.officer_a).get(reverse("application", args=[case.pk])).content.decode()
    assert "本申请仍按提交时办理" in page


def test_page_corrects_and_the_pupils_page_shows_it(cast: Cast, place: Enrolment, signed_in: SignIn) -> None:
    client = signed_in(cast.clerk)
    form = {"id_kind": "resident", "number": RIGHT, "reason": "两位颠倒", "evidence_file": casting.scan("户口簿.pdf")}
    response = client.post(reverse("id_correct", args=[place.pupil_id]), form)
    assert response.url == reverse("pupil", args=[place.pupil_id])
    page = client.get(response.url).content.decode()
    assert "两位颠倒" in page
    assert RIGHT not in page
    scan = client.get(reverse("id_evidence", args=[IdCorrection.objects.get().pk]))
    assert scan.status_code == 200
    assert AuditRow.objects.filter(action="identity.read_evidence").count() == 1


def test_page_asks_for_the_scan(cast: Cast, place: Enrolment, signed_in: SignIn) -> None:
    form = {"id_kind": "resident", "number": RIGHT, "reason": "两位颠倒"}
    page = signed_in(cast.clerk).post(reverse("id_correct", args=[place.pupil_id]), form)
    assert "请选择要上传的文件" in page.content.decode()
    assert enrolment.current(place.pupil).pupil.id_index != privacy.id_index(RIGHT)


# --- the lists in force follow the number ----------------------------------------------------------


def on_list(place: Enrolment, number: str) -> Somebody:
    return Somebody(place.pupil.name, number, flags={POLICY: "享受政策"})


@pytest.fixture
def lists_of(cast: Cast) -> Callable[..., ListVersion]:
    """Takes a list with these people, of a day in September."""
    list_profiles.load(cast.county, by=cast.clerk)

    def take(*people: Somebody, day: int = 3, code: str = "lifted-with-policy") -> ListVersion:
        return taken(cast, code, [stranger(day), *people], dt.date(2026, 9, day))

    return take


def test_a_list_that_knows_the_new_number_gives_its_kind_at_once(
    cast: Cast, place: Enrolment, lists_of: Callable[..., ListVersion]
) -> None:
    before = lists_of(on_list(place, RIGHT))
    version = lists_of(on_list(place, RIGHT), day=20)
    assert not Circumstance.objects.filter(category__code="lifted").exists()
    correct(place, cast.clerk)
    assert set(ListMatch.objects.values_list("version", "pupil", "state")) == {
        (each.pk, place.pupil_id, "by_id") for each in (before, version)
    }
    given = Circumstance.objects.get(category__code="lifted")
    assert (given.pupil, given.source, given.valid_from) == (place.pupil, "matched", version.as_of)
    # It stood on both versions all the time: no difference, nothing to ask.
    assert not Recheck.objects.exists()
    assert AuditRow.objects.get(action="identity.correct").detail["given"] == 1


def test_a_list_that_named_the_old_number_is_asked_about_and_takes_nothing_by_itself(
    cast: Cast, place: Enrolment, lists_of: Callable[..., ListVersion]
) -> None:
    old = number_of(place.pupil)
    lists_of(on_list(place, old))
    version = lists_of(on_list(place, old), day=20)
    correct(place, cast.clerk)
    assert not ListMatch.objects.exists()  # the new number is of another day: not even alike
    [task] = Recheck.objects.all()
    assert (task.kind, task.version, task.school, task.state) == ("renumbered", version, cast.school_a, "open")
    assert ([row["category"] for row in task.before], task.after) == (["lifted"], [])
    held = Circumstance.objects.get(category__code="lifted")
    assert held.valid_to is None
    rechecks.settle(task, outcome="confirmed", on=dt.date(2026, 9, 30), by=cast.officer_a)
    held.refresh_from_db()
    assert held.valid_to == dt.date(2026, 9, 30)
    # Comparing everything anew neither asks again nor brings the old match back.
    assert list_versions.match_again(cast.county, by=cast.clerk) == 0
    assert Recheck.objects.filter(state="open").count() == ListMatch.objects.count() == 0


def test_who_still_looks_alike_is_proposed_and_keeps_the_kind_when_the_list_was_wrong_too(
    cast: Cast, place: Enrolment, lists_of: Callable[..., ListVersion]
) -> None:
    lists_of(on_list(place, number_of(place.pupil)))
    born = place.pupil.birth_date
    assert born is not None
    correct(place, cast.clerk, number=fictitious.id_number(41_001, born=born, sex="female"))
    [match] = ListMatch.objects.all()
    assert match.state == "proposed"
    task = Recheck.objects.get()
    rechecks.settle(task, outcome="mistaken", note="户口簿已核对，名单也写错了", by=cast.officer_a)
    list_versions.decide(match, is_same=True, by=cast.officer_a)
    assert Circumstance.objects.get(category__code="lifted").valid_to is None
    assert not Recheck.objects.filter(state="open").exists()


def test_nothing_is_asked_where_the_list_says_the_same_of_both_numbers(
    cast: Cast, place: Enrolment, lists_of: Callable[..., ListVersion]
) -> None:
    version = lists_of(on_list(place, number_of(place.pupil)), on_list(place, RIGHT))
    correct(place, cast.clerk)
    match = ListMatch.objects.get(version=version)
    assert (match.state, match.entry.person_index) == ("by_id", privacy.id_index(RIGHT))
    assert not Recheck.objects.exists()
    assert Circumstance.objects.filter(category__code="lifted").count() == 1


def test_a_number_put_right_twice_is_asked_about_twice(
    cast: Cast, place: Enrolment, lists_of: Callable[..., ListVersion]
) -> None:
    first = number_of(place.pupil)
    lists_of(on_list(place, first))
    correct(place, cast.clerk)
    rechecks.settle(Recheck.objects.get(), outcome="mistaken", note="名单写错", by=cast.officer_a)
    correct(place, cast.clerk, number=first)
    assert Recheck.objects.get().state == "settled"  # found by the number again: nothing new to say
    correct(place, cast.clerk)
    assert Recheck.objects.get().state == "open"


def test_what_a_person_decided_about_the_list_stays(
    cast: Cast, place: Enrolment, lists_of: Callable[..., ListVersion]
) -> None:
    lists_of(on_list(place, miswritten(number_of(place.pupil))))
    list_versions.decide(ListMatch.objects.get(), is_same=True, by=cast.officer_a)
    correct(place, cast.clerk)
    assert ListMatch.objects.get().state == "confirmed"
    assert not Recheck.objects.exists()


def test_a_correction_asks_the_database_no_more_for_a_longer_list(
    cast: Cast, place: Enrolment, lists_of: Callable[..., ListVersion], django_assert_max_num_queries: Any
) -> None:
    other = casting.enrol(cast, cast.class_a1, name="李小花")
    lists_of(on_list(place, RIGHT), *(stranger(n) for n in range(100, 140)), on_list(other, number_of(other.pupil)))
    with CaptureQueriesContext(connection) as long:
        correct(place, cast.clerk)
    lists_of(on_list(other, RIGHT_TOO), day=20)
    with django_assert_max_num_queries(len(long) + 5):  # one version more, and its difference
        correct(other, cast.clerk, number=RIGHT_TOO)
