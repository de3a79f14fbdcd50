"""Finding a pupil: what the words are taken for, who finds whom, where one is led, and what is left behind."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from students import enrolment, privacy, search
from students.models import Enrolment, Pupil, Term
from tests import cast as casting
from tests.cast import Cast

SignIn = Callable[[User], Client]


def number_of(place: Enrolment) -> str:
    return privacy._unseal(place.pupil, "id")


def find(client: Client, text: str) -> str:
    """The page one is led to, whichever it is."""
    return client.post(reverse("pupil_find"), {"q": text}, follow=True).content.decode()


# --- reading -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("张小明", "name", "张小明"),
        (" 张 小明 ", "name", "张小明"),
        ("小", "name", "小"),
        ("zxm", "initials", "ZXM"),
        ("ＺＸ", "initials", "ZX"),
        ("1234", "tail", "1234"),
        ("123x", "tail", "123X"),
        ("七1", "class", "七年级1班"),
        ("七(1)班", "class", "七年级1班"),
        ("七年级1班", "class", "七年级1班"),
        ("7年级1班", "class", "七年级1班"),
        ("7.1", "class", "七年级1班"),
        ("7(12)", "class", "七年级12班"),
        ("初一2班", "class", "七年级2班"),
        ("高二3", "class", "高二3班"),
        ("七年级育才班", "class", "七年级育才班"),
        ("大班1班", "class", "大班1班"),
        ("高一鸣", "name", "高一鸣"),
        ("七", "name", "七"),
        ("13800001234", "name", ""),
        ("53990020130506", "name", ""),  # a part of a number is not looked for, and not kept
        ("阿依古丽·买买提", "name", "阿依古丽·买买提"),
    ],
)
def test_what_was_typed_is_taken_for(text: str, kind: str, value: str) -> None:
    query = search.read_query(text)
    assert query
    assert (query.kind, query.value) == (kind, value)


@pytest.mark.parametrize("text", ["e12345678", " H1234567(8)", "123456789"])
def test_number_of_a_passport_is_looked_for_whole(text: str) -> None:
    query = search.read_query(text)
    assert query
    assert (query.kind, query.value) == ("id", privacy.id_index(text.strip().upper()))
    assert text not in query.label


@pytest.mark.parametrize("text", ["", "  ", "\u3000", "\x00"])
def test_nothing_typed_is_nothing(text: str) -> None:
    assert search.read_query(text) is None


@given(st.text(max_size=80))
def test_any_text_can_be_looked_for(text: str) -> None:
    query = search.read_query(text)
    if query:
        assert len(query.value) <= 64
        assert sum(c.isdigit() for c in query.label.replace("*", "")) <= 12


@pytest.mark.django_db
@given(st.text(max_size=30))
def test_any_text_is_looked_for_without_an_error(text: str) -> None:
    if query := search.read_query(text):
        assert search.find(User(pk=0), query).hits == []


# --- who finds whom ----------------------------------------------------------------------------------


@pytest.fixture
def places(cast: Cast) -> dict[str, Enrolment]:
    return {
        "ming": casting.enrol(cast, cast.class_a1, name="张小明"),
        "other": casting.enrol(cast, cast.class_a2, name="张小明"),
        "mei": casting.enrol(cast, cast.class_a1, name="赵欣梅"),
        "small": casting.enrol(cast, cast.class_b1, name="单小川"),
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("张小明", {"ming", "other"}),
        ("小明", {"ming", "other"}),
        ("小", {"ming", "other", "small"}),
        ("zxm", {"ming", "other", "mei"}),
        ("z", {"ming", "other", "mei"}),
        ("sxc", {"small"}),
        ("单小川", {"small"}),
        ("没有的人", set()),
        ("qqq", set()),
    ],
)
def test_county_finds_by_name_and_initials(cast: Cast, places: dict, text: str, found: set[str]) -> None:
    query = search.read_query(text)
    assert query
    hits = search.find(cast.clerk, query).hits
    assert {hit.place.pk for hit in hits} == {places[name].pk for name in found}
    assert all(hit.is_here for hit in hits)


@pytest.mark.parametrize(
    ("who", "found"),
    [
        ("teacher_a1", {"ming"}),
        ("teacher_a2", {"other"}),
        ("officer_a", {"ming", "other"}),
        ("officer_b", {"small"}),
        ("inspector", {"ming", "other", "small"}),
        ("admin", set()),
    ],
)
def test_everybody_finds_their_own(cast: Cast, places: dict, who: str, found: set[str]) -> None:
    query = search.read_query("小")
    assert query
    hits = search.find(getattr(cast, who), query).hits
    assert {hit.place.pk for hit in hits} == {places[name].pk for name in found}


@pytest.mark.parametrize("shape", ["{}", " {} ", "G{}", "{0:.6} {0:.40}"])
def test_full_number_leads_straight_to_the_pupil(cast: Cast, places: dict, signed_in: SignIn, shape: str) -> None:
    number = number_of(places["ming"])
    typed = f"{number[:6]} {number[6:]}" if shape.startswith("{0") else shape.format(number)
    response = signed_in(cast.officer_a).post(reverse("pupil_find"), {"q": typed})
    assert response.url == reverse("pupil", args=[places["ming"].pupil_id])


def test_number_of_another_school_leads_nowhere(cast: Cast, places: dict, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_b)
    assert client.post(reverse("pupil_find"), {"q": number_of(places["ming"])}).url == reverse("pupil_find")
    assert "没有找到" in client.get(reverse("pupil_find")).content.decode()


def test_last_four_find_by_either_number(cast: Cast, places: dict, signed_in: SignIn) -> None:
    page = find(signed_in(cast.officer_a), number_of(places["mei"])[-4:])
    assert "赵欣梅" in page


def test_homonyms_stand_with_class_and_tail(cast: Cast, places: dict, signed_in: SignIn) -> None:
    page = find(signed_in(cast.officer_a), "张小明")
    for name in ("ming", "other"):
        assert places[name].class_name in page
        assert places[name].pupil.roll_masked[-4:] in page
        assert reverse("pupil", args=[places[name].pupil_id]) in page


def test_only_one_of_the_name_is_opened_at_once(cast: Cast, places: dict, signed_in: SignIn) -> None:
    response = signed_in(cast.officer_a).post(reverse("pupil_find"), {"q": "赵欣梅"})
    assert response.url == reverse("pupil", args=[places["mei"].pupil_id])


def test_part_of_a_name_is_never_opened_at_once(cast: Cast, places: dict, signed_in: SignIn) -> None:
    assert signed_in(cast.officer_a).post(reverse("pupil_find"), {"q": "欣梅"}).url == reverse("pupil_find")


def test_class_leads_to_its_list(cast: Cast, places: dict, signed_in: SignIn) -> None:
    page = find(signed_in(cast.officer_a), "七2")
    assert reverse("pupil", args=[places["other"].pupil_id]) in page
    assert reverse("pupil", args=[places["ming"].pupil_id]) not in page


def test_pupil_who_left_is_named_with_the_old_place_and_no_way_in(cast: Cast, places: dict, signed_in: SignIn) -> None:
    before = Term.objects.get(key="2025-2026-2")
    old = enrolment.begin(places["small"].pupil, term=before, school_class=cast.class_a1.school_class, boarding="day")
    old.save()
    page = find(signed_in(cast.officer_a), "单小川")
    assert "曾在这里" in page
    assert "七年级1班" in page
    assert str(places["small"].pupil_id) not in page
    assert cast.school_b.name not in page


def test_those_in_class_now_come_before_those_who_left(cast: Cast, places: dict) -> None:
    Enrolment.objects.filter(pk=places["ming"].pk).update(standing="graduated", ends_on=dt.date(2026, 10, 1))
    query = search.read_query("张小明")
    assert query
    hits = search.find(cast.officer_a, query).hits
    assert [hit.place.pk for hit in hits] == [places["other"].pk, places["ming"].pk]


def test_too_many_are_cut_and_said_so(cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_SHOWN", 3)
    for _ in range(5):
        casting.enrol(cast, cast.class_a1, name="王小红")
    client = signed_in(cast.officer_a)
    assert client.post(reverse("pupil_find"), {"q": "王小红"}).url == reverse("pupil_find")
    page = client.get(reverse("pupil_find")).content.decode()
    assert page.count("王小红</a>") == 3
    assert "人数较多" in page


def test_finding_three_costs_as_much_as_finding_one(cast: Cast, signed_in: SignIn) -> None:
    client, taken = signed_in(cast.officer_a), []
    for count in (1, 2):
        for _ in range(count):
            casting.enrol(cast, cast.class_a1, name="王小红")
        client.post(reverse("pupil_find"), {"q": "小红"})
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("pupil_find"))
        taken.append(len(queries))
    assert taken[0] == taken[1]


# --- what is left behind -----------------------------------------------------------------------------


def test_no_number_stays_in_the_session_or_the_address(cast: Cast, places: dict, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_a)
    number = number_of(places["ming"])
    for typed in (number, f"G{number}", number[:12]):
        response = client.post(reverse("pupil_find"), {"q": typed})
        kept = repr([session.get_decoded() for session in Session.objects.all()])
        assert number not in kept + response.url
        assert number[:12] not in kept + response.url


def test_empty_search_forgets_the_one_before(cast: Cast, places: dict, signed_in: SignIn) -> None:
    client = signed_in(cast.officer_a)
    find(client, "张小明")
    assert "姓名“张小明”" not in find(client, " ")


def test_search_box_stands_on_every_page_for_those_who_see_pupils(cast: Cast, signed_in: SignIn) -> None:
    for who, stands in (("officer_a", True), ("inspector", True), ("admin", False)):
        page = signed_in(getattr(cast, who)).get(reverse("roles")).content.decode()
        assert (reverse("pupil_find") in page) == stands


def test_tails_are_made_by_the_database(cast: Cast, places: dict) -> None:
    pupil = Pupil.objects.get(pk=places["ming"].pupil_id)
    assert (pupil.id_tail, pupil.roll_tail) == (pupil.id_masked[-4:], pupil.roll_masked[-4:])
