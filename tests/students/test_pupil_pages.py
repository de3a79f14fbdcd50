"""The desk of pupils: who sees whom, what is masked, and what a search leaves behind."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditRow
from students import enrolment, rosters
from students.models import Enrolment, Pupil
from tests.students.scratch_cast import Cast
from tests.students.workbooks import pupil, upload, workbook


@pytest.fixture
def chen(cast: Cast) -> Pupil:
    """One pupil of class 七年级1班, brought in by a roster."""
    checked = rosters.check_roster(upload(workbook(pupil(1))), school=cast.school_a, term=cast.term, by=cast.officer_a)
    rosters.apply_roster(checked, by=cast.officer_a)
    return Pupil.objects.get()


def signed_in(user: object) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_list_shows_the_class_to_its_teacher_and_hides_full_numbers(cast: Cast, chen: Pupil) -> None:
    page = signed_in(cast.teacher_a1).get(reverse("pupils")).content.decode()
    assert chen.name in page
    assert chen.id_masked in page
    assert pupil(1)["身份证件号"] not in page


@pytest.mark.parametrize("who", ["teacher_a2", "officer_b", "principal_b", "teacher_b1"])
def test_pupil_of_another_class_or_school_is_not_there(cast: Cast, chen: Pupil, who: str) -> None:
    client = signed_in(getattr(cast, who))
    assert chen.name not in client.get(reverse("pupils")).content.decode()
    assert client.get(reverse("pupil", args=[chen.pk])).status_code == 404


@pytest.mark.parametrize("who", ["teacher_a1", "officer_a", "principal_a", "clerk", "head", "inspector"])
def test_pupil_page_opens_for_everybody_in_scope(cast: Cast, chen: Pupil, who: str) -> None:
    response = signed_in(getattr(cast, who)).get(reverse("pupil", args=[chen.pk]))
    assert response.status_code == 200
    assert pupil(1)["银行账号"] not in response.content.decode()
