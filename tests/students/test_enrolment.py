"""Where a pupil is, boarding or day, and the facts a case is judged by."""

import datetime as dt
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from students import bank_accounts, circumstances, enrolment, fictitious, rosters
from students.models import Category, Circumstance, Enrolment, Pupil, Term
from tests.cast import TODAY, Cast
from tests.students.workbooks import pupil, workbook


def bring_in(cast: Cast, *serials: int, term: str = "2026-2027-1") -> None:
    content = workbook(*[pupil(serial) for serial in serials])
    term_row = Term.objects.get(key=term)
    rosters.import_roster(content, unit=cast.school_a, term=term_row, by=cast.officer_a, dry_run=False)


@pytest.fixture
def place(cast: Cast) -> Enrolment:
    bring_in(cast, 1)
    return Enrolment.objects.get()


def hardship(place: Enrolment, code: str, start: str, end: str | None = None) -> Circumstance:
    """Straight onto the record: old evidence from years before this system."""
    return Circumstance.objects.create(
        pupil=place.pupil,
        category=Category.objects.get(code=code),
        source="matched",
        evidence="比对",
        valid_from=dt.date.fromisoformat(start),
        valid_to=dt.date.fromisoformat(end) if end else None,
        recorded_by=place.pupil.accounts.get().recorded_by,
    )


# --- where -------------------------------------------------------------------------------------------


def test_current_is_the_newest_term_that_has_begun(cast: Cast) -> None:
    for term in ("2025-2026-2", "2026-2027-1", "2026-2027-2"):
        bring_in(cast, 1, term=term)
    assert enrolment.current(Pupil.objects.get()).term.key == "2026-2027-1"


def test_current_of_a_child_entered_for_a_coming_term_only(cast: Cast) -> None:
    bring_in(cast, 1, term="2026-2027-2")
    assert enrolment.current(Pupil.objects.get()).term.key == "2026-2027-2"


# --- facts -------------------------------------------------------------------------------------------


def test_facts_are_json_without_a_full_number(place: Enrolment) -> None:
    facts = enrolment.facts(place, on=TODAY)
    text = json.dumps(facts, ensure_ascii=False)
    row = pupil(1)
    assert not [key for key in ("身份证件号", "全国学籍号", "联系电话", "银行账号") if row[key] in text]
    assert facts["name"] == row["姓名"]
    assert (facts["class_name"], facts["grade"], facts["stage"]) == ("七年级1班", "七年级", "junior")
    assert (facts["boarding"], facts["guardian_relation"], facts["categories"]) == ("boarding", "父亲", [])
    assert facts["roll_last4"] == row["全国学籍号"][-4:]
    assert facts["account"]["masked"].endswith(row["银行账号"][-4:])


def test_facts_hold_the_categories_of_the_day_in_rank_order(place: Enrolment) -> None:
    hardship(place, "disabled", "2026-09-01")
    hardship(place, "tekun", "2026-09-01", "2026-10-12")
    hardship(place, "orphan", "2025-09-01", "2026-10-11")
    hardship(place, "martyr", "2026-10-13")
    categories = enrolment.facts(place, on=TODAY)["categories"]
    assert [each["code"] for each in categories] == ["tekun", "disabled"]
    assert categories[0]["valid_to"] == "2026-10-12"


def test_facts_follow_maps_to_and_count_a_kind_once(place: Enrolment) -> None:
    hardship(place, "registered_poverty", "2018-12-01")
    then = enrolment.facts(place, on=dt.date(2020, 6, 1))["categories"]
    now = enrolment.facts(place, on=TODAY)["categories"]
    assert [each["code"] for each in then] == ["registered_poverty"]
    assert [(each["code"], each["name"]) for each in now] == [("lifted", "脱贫户（继续享受政策）")]
    hardship(place, "lifted", "2026-09-01")
    both = enrolment.facts(place, on=TODAY)["categories"]
    assert [(each["code"], each["valid_from"]) for each in both] == [("lifted", "2026-09-01")]


def test_facts_drop_a_kind_that_ended_without_successor_and_survive_a_circle(place: Enrolment) -> None:
    hardship(place, "dibao_rural", "2025-09-01")
    Category.objects.filter(code="dibao_rural").update(valid_to=dt.date(2025, 12, 31))
    assert enrolment.facts(place, on=TODAY)["categories"] == []
    itself = Category.objects.get(code="dibao_rural")
    Category.objects.filter(pk=itself.pk).update(maps_to=itself)
    assert enrolment.facts(place, on=TODAY)["categories"] == []


def test_facts_hold_the_account_of_the_day(cast: Cast, place: Enrolment) -> None:
    before = enrolment.facts(place, on=TODAY)["account"]
    new = bank_accounts.change(
        place.pupil,
        bank="新银行",
        number=fictitious.card_number(9),
        holder="王五",
        relation="mother",
        by=cast.officer_a,
    )
    after = enrolment.facts(place, on=TODAY)["account"]
    assert before["id"] != after["id"] == str(new.pk)
    assert enrolment.facts(place, on=TODAY - dt.timedelta(days=1))["account"] is None


def test_facts_of_many_take_as_many_queries_as_of_one(cast: Cast) -> None:
    bring_in(cast, 1, 2, 3)
    rows = list(Enrolment.objects.all())
    for row in rows:
        circumstances.add(
            row.pupil,
            category=Category.objects.get(code="dibao_rural"),
            source="matched",
            valid_from=TODAY,
            by=cast.officer_a,
        )
    taken = []
    for chosen in (rows[:1], rows):
        with CaptureQueriesContext(connection) as queries:
            facts = enrolment.facts_of(chosen, on=TODAY)
        assert len(facts) == len(chosen)
        taken.append(len(queries))
    assert taken == [6, 6]
