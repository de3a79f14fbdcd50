"""Pages of a long list hold what one long query would: every row once, in order, whatever the classes' sizes."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import paging
from accounts.paging import KeysFirst, LongList, NewestFirst
from students.models import Enrolment
from tests import cast as casting
from tests.cast import Cast


@pytest.fixture
def places(cast: Cast) -> list[Enrolment]:
    sizes = {cast.class_a1: 5, cast.class_a2: 1, cast.class_b1: 3}
    for unit, size in sizes.items():
        for letter in "戊丁丙乙甲"[:size]:
            casting.enrol(cast, unit, name=f"{letter}同学", kinds=(), account=False)
    return list(Enrolment.objects.order_by("path", "pupil__name", "pk"))


def long_list() -> LongList[Enrolment]:
    return LongList(Enrolment.objects.all(), unit_path="path", then=("pupil__name", "pk"))


def test_every_slice_is_that_of_the_whole(places: list[Enrolment]) -> None:
    assert long_list().count() == 9
    for start in range(10):
        for stop in range(start, 11):
            assert long_list()[start:stop] == places[start:stop], (start, stop)
    assert list(long_list()) == places


def test_backwards_the_classes_are_turned_and_their_pupils_are_not(places: list[Enrolment]) -> None:
    turned = list(Enrolment.objects.order_by("-path", "pupil__name", "pk"))
    rows = long_list().order_by("-school_class__path")
    assert [row for start in range(0, 9, 2) for row in rows[start : start + 2]] == turned


def keys_first() -> KeysFirst[Enrolment]:
    return KeysFirst(Enrolment.objects.order_by("path", "pupil__name", "pk"))


@pytest.mark.parametrize("make", [long_list, keys_first])
def test_a_row_that_goes_between_its_key_and_itself_is_left_out(places: list[Enrolment], make) -> None:
    rows = make()
    rows.detail = lambda found: found.exclude(pk=places[1].pk)
    assert rows[0:3] == [places[0], places[2]]


def test_short_list_is_sorted_by_any_column(places: list[Enrolment]) -> None:
    rows = long_list().order_by("-pupil__name")
    names = [row.pupil.name for row in rows[0:9]]
    assert names == [row.pupil.name for row in Enrolment.objects.order_by("-pupil__name", "path")]


def test_too_long_a_list_stays_in_the_order_of_its_classes(
    places: list[Enrolment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "SORTABLE", 8)
    assert list(long_list().order_by("-pupil__name")) == places


def test_page_offers_no_sorting_that_would_read_everything(
    cast: Cast, places: list[Enrolment], signed_in, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(cast.clerk)
    assert "sort=name" in client.get(reverse("pupils")).content.decode()
    monkeypatch.setattr(paging, "SORTABLE", 8)
    page = client.get(reverse("pupils"), {"sort": "-name"}).content.decode()
    assert "sort=name" not in page
    assert "sort=-school_class" in page or "sort=school_class" in page


def test_last_page_costs_as_many_queries_as_the_first(places: list[Enrolment]) -> None:
    taken = []
    for start in (0, 8):
        with CaptureQueriesContext(connection) as queries:
            long_list()[start : start + 1]
        taken.append(len(queries))
    assert taken == [3, 3]


def test_list_without_end_is_cut_and_says_so(places: list[Enrolment], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = NewestFirst(Enrolment.objects.order_by("path", "pupil__name"))
    assert (rows.count(), rows.has_more) == (9, False)
    monkeypatch.setattr(paging, "MOST_PAGED", 4)
    cut = NewestFirst(Enrolment.objects.order_by("path", "pupil__name"))
    assert (cut.count(), cut.has_more) == (4, True)
    assert list(cut) == places[:4]


def test_keys_first_is_the_same_list_in_the_order_asked_for(places: list[Enrolment]) -> None:
    rows = Enrolment.objects.order_by("path", "pupil__name")
    listed = KeysFirst(rows, detail=lambda shown: shown.select_related("pupil"))
    with CaptureQueriesContext(connection) as queries:
        assert (listed.count(), listed[2:5]) == (9, places[2:5])
        assert [row.pupil.name for row in listed[:2]] == [row.pupil.name for row in places[:2]]
    assert len(queries) == 5 + 2  # counted, keys and rows twice; the names of the expected ones
    assert list(listed.order_by("-path", "-pupil__name")) == list(rows.order_by("-path", "-pupil__name", "pk"))


@pytest.mark.parametrize(("most_kept", "asked"), [(9, 2), (8, 4)])  # keys, rows; tried, counted, keys, rows
def test_short_list_that_is_dear_to_ask_for_is_asked_for_once(
    places: list[Enrolment], monkeypatch: pytest.MonkeyPatch, most_kept: int, asked: int
) -> None:
    monkeypatch.setattr(paging, "MOST_KEPT", most_kept)
    rows = Enrolment.objects.order_by("path", "pupil__name")
    listed = KeysFirst(rows, asks_once=True)
    with CaptureQueriesContext(connection) as queries:
        assert (listed.count(), listed[2:5]) == (9, places[2:5])
    assert len(queries) == asked
    assert list(listed.order_by("-path", "-pupil__name")) == list(rows.order_by("-path", "-pupil__name", "pk"))


def test_list_may_be_counted_by_another_question(places: list[Enrolment]) -> None:
    rows = Enrolment.objects.filter(grade=places[0].grade)
    listed = LongList(
        rows, unit_path="path", then=("pupil__name", "pk"), counted=Enrolment.objects.filter(pk__in=rows.values("pk"))
    )
    assert list(listed) == [place for place in places if place.grade == places[0].grade]


@pytest.mark.parametrize(("path", "count"), [("county", 9), ("school_a", 6), ("class_a1", 5), ("class_b1", 3)])
def test_below_a_unit_is_the_unit_and_all_under_it(cast: Cast, places: list[Enrolment], path: str, count: int) -> None:
    unit = getattr(cast, path)
    assert Enrolment.objects.filter(path__below=unit.path).count() == count


def test_below_wants_a_path() -> None:
    with pytest.raises(ValueError, match="no path"):
        str(Enrolment.objects.filter(path__below="000001").query)
