"""What the county clerk records of a school beside its name: who runs it, which some standards ask."""

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from accounts.models import AuditRow, User
from students import enrolment, schools
from students.models import School
from tests.cast import TODAY, Cast, enrol


def open_as(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_who_runs_a_school_is_recorded_with_what_it_was(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    assert enrolment.facts(place, on=TODAY)["ownership"] == "public"
    clerk, address = open_as(cast.clerk), reverse("school_edit", args=[cast.school_a.pk])
    page = clerk.get(address)
    typed = page.context["form"].initial | {"ownership": "inclusive"}
    assert "普惠性民办" in page.content.decode()
    shown = clerk.post(address, typed)
    assert School.objects.get(pk=cast.school_a.pk).ownership == "public", "looking at what it does saves nothing"
    assert clerk.post(address, typed | {"seen": shown.context["plan"].digest}).status_code == 302
    assert School.objects.get(pk=cast.school_a.pk).ownership == "inclusive"
    assert enrolment.facts(place, on=TODAY)["ownership_label"] == "普惠性民办"
    detail = AuditRow.objects.get(action="school.change").detail
    assert "公办" in detail["was"]
    assert detail["ownership"] == "普惠性民办"


def test_an_unknown_kind_is_refused(cast: Cast) -> None:
    facts = schools.SchoolFacts("新学校", "5353990099", ["junior"], ownership="royal")
    with pytest.raises(ValidationError, match="请选择公办、普惠性民办或民办"):
        schools.add(cast.county, facts, by=cast.clerk)
