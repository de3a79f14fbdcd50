"""What a school keeps of hardship: an end is not undone by a list, a certificate's number is not kept whole."""

import datetime as dt

import pytest

from aidadmin.demo_roster import ClassPlan, rows, workbook
from students import circumstances, rosters
from students.models import Category, Circumstance, Pupil
from tests.cast import enrol

D = dt.date
pytestmark = pytest.mark.django_db


def bring(cast, kind: str, evidence: str = "低保证〔2026〕1号"):
    """Import a roster of one pupil of class a1 with that kind of hardship."""
    [row] = rows([ClassPlan("七年级", "七年级1班", 1, 2013)], first_serial=700)
    file = workbook([row | {"困难类别": kind, "证明名称和编号": evidence}])
    return rosters.import_roster(file, unit=cast.school_a, term=cast.term, by=cast.officer_a, dry_run=False)


def test_a_kind_that_was_ended_in_the_term_is_not_begun_again_by_a_roster(cast):
    bring(cast, "农村低保")
    circumstances.end(Circumstance.objects.get(), on=D(2026, 10, 1), by=cast.officer_a)
    outcome = bring(cast, "农村低保")
    assert [each.valid_to for each in Circumstance.objects.all()] == [D(2026, 10, 1)]
    assert [f.message for f in outcome.findings if f.column == "困难类别"] == [
        "“农村低保”已登记了结束日期，没有按名册重新登记。"
    ]


def test_a_kind_that_ended_before_the_term_may_begin_again(cast):
    bring(cast, "")
    pupil = Pupil.objects.get()
    kind = Category.objects.get(code="dibao_rural")
    days = {"valid_from": D(2024, 9, 1), "valid_to": D(2025, 8, 31)}
    circumstances.add(pupil, category=kind, source="matched", by=cast.officer_a, **days)
    bring(cast, "农村低保")
    assert Circumstance.objects.filter(pupil=pupil, valid_to=None, valid_from=cast.term.starts_on).count() == 1


def test_the_identity_number_in_a_certificate_is_not_kept(cast):
    number = "539900201305060012"
    bring(cast, "残疾学生", evidence=f"残疾证{number}43")
    pupil = enrol(cast, cast.class_a1, kinds=()).pupil
    kind = Category.objects.get(code="disabled")
    evidence = f"残疾人证 {number}43B1"
    circumstances.add(
        pupil, category=kind, source="collected", valid_from=D(2026, 9, 1), evidence=evidence, by=cast.officer_a
    )
    kept = list(Circumstance.objects.values_list("evidence", flat=True))
    assert len(kept) == 2
    assert all(number not in each and "残疾" in each for each in kept)
