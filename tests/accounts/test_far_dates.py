"""Days at the ends of the calendar are a slip of the pen, not an error of the server."""

import pytest
from django.test import Client
from django.urls import reverse


def open_as(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("query", [{"until": "9999-12-31"}, {"since": "0001-01-01"}, {"since": "9999-12-31"}])
def test_the_trail_asks_to_check_the_year(cast, query):
    page = open_as(cast.head).get(reverse("audit"), query)
    assert page.status_code == 200
    assert "请核对年份" in page.content.decode()


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_the_end_of_an_appointment_asks_to_check_the_year(cast, day):
    post = cast.admin.appointments.get()
    page = open_as(cast.admin).post(reverse("appointment_end", args=[post.pk]), {"on": day})
    assert page.status_code == 200
    assert "请核对年份" in page.content.decode()
