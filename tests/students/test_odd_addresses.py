"""Keys nobody was given, in addresses: an empty list or 404. What another school records stays there."""

import datetime as dt

import pytest
from django.urls import reverse

from students import circumstances, enrolment
from students.models import Category, Term
from tests.cast import enrol

_HUGE = "9" * 30


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["pupils", "change_confirmations"])
@pytest.mark.parametrize("school", [_HUGE, "²", "x", "-1", "\x00"])
def test_a_school_that_is_none_chooses_no_class(cast, signed_in, school, page):
    assert signed_in(cast.clerk).get(reverse(page), {"school": school}).status_code == 200


@pytest.mark.django_db
def test_a_school_beyond_all_numbers_is_not_there(cast, signed_in):
    assert signed_in(cast.clerk).get(reverse("school_edit", args=[int(_HUGE)])).status_code == 404


@pytest.mark.django_db
def test_the_former_school_does_not_learn_what_the_new_one_records(cast, signed_in):
    """Last term at school A, this term at school B, where hardship was recorded: A's old list stays silent."""
    here = enrol(cast, cast.class_b1, name="张转学", kinds=())
    before = Term.objects.get(key="2025-2026-2")
    enrolment.begin(here.pupil, term=before, school_class=cast.class_a1.school_class, boarding="day").save()
    kind = Category.objects.get(code="orphan")
    circumstances.add(here.pupil, category=kind, source="matched", valid_from=dt.date(2026, 9, 10), by=cast.officer_b)
    officer, query = signed_in(cast.officer_a), {"term": before.pk}
    page = officer.get(reverse("pupils"), query)
    [row] = page.context["table"].rows
    assert (row.get_cell("name"), row.get_cell("kinds"), row.get_cell("account")) == ("张转学", "—", "—")
    narrowed = officer.get(reverse("pupils"), query | {"category": kind.pk})
    assert list(narrowed.context["table"].rows) == []
    county = signed_in(cast.clerk).get(reverse("pupils"), query | {"category": kind.pk})
    assert [each.get_cell("kinds") for each in county.context["table"].rows] == ["孤儿"]
