"""A wrong ID number put right: by the county, on evidence, never to the number of another child."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse

from accounts.models import AuditRow, User
from students import enrolment, fictitious, identity, privacy
from students.models import Enrolment, IdCorrection, Pupil
from tests import cast as casting
from tests.cast import Cast

SignIn = Callable[[User], Client]
RIGHT = fictitious.id_number(41_000, born=dt.date(2013, 6, 7), sex="female")


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
    assert row.detail == {"fields": ["id", "sex", "birth_date"]}
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
