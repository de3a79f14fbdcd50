"""Every row of a programme tells where it comes from, and who changed it since."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from subsidies import grounds, origins, pack_loading
from subsidies.models import PackRow, Programme, Standard
from subsidies.packs import CONFIDENCE
from subsidies.programmes import add_standard
from tests.cast import Cast

Kind = PackRow.Kind


@pytest.fixture
def living_aid(cast: Cast) -> Programme:
    return Programme.objects.get(code="living-aid")


def told(programme: Programme, kind: Kind, row) -> origins.Origin:
    origins.attach(programme, {kind: [row]})
    return row.origin


def test_a_row_of_a_pack_names_it_with_source_and_grade(cast: Cast, living_aid: Programme) -> None:
    row = living_aid.standards.filter(last_term="").first()
    packed = PackRow.objects.get(kind=Kind.STANDARD, key=row.pk)
    found = told(living_aid, Kind.STANDARD, row)
    assert found.pack == pack_loading.shipped("national").name
    assert (found.grade, found.source) == (packed.confidence, packed.source)
    assert found.sure == CONFIDENCE[packed.confidence]
    assert found.recorded.endswith("随系统安装")
    assert found.touches == []


def test_a_pack_taken_over_in_the_browser_names_who_did_it(cast: Cast) -> None:
    pack_loading.adopt(pack_loading.shipped("henan"), county=cast.county, by=cast.clerk)
    programme = Programme.objects.get(code="provincial-nutrition")
    found = told(programme, Kind.PROGRAMME, programme)
    assert found.recorded.endswith("由沈经办采用")
    assert (found.grade, found.sure) == ("", "")
    row = programme.standards.first()
    assert told(programme, Kind.STANDARD, row).recorded.endswith("由沈经办采用")


def test_a_row_of_an_officer_names_who_and_when(cast: Cast, living_aid: Programme) -> None:
    row = Standard(programme=living_aid, conditions={"stage": ["primary"], "boarding": ["half"]}, amount=Decimal("400"))
    row.document, row.first_term = "云财教〔2027〕1号", "2026-2027-2"
    add_standard(row, county=cast.county, by=cast.clerk)
    found = told(living_aid, Kind.STANDARD, row)
    assert (found.pack, found.touches) == ("", [])
    assert found.recorded == "2026年10月12日 沈经办登记"


def test_what_an_officer_did_with_a_row_of_a_pack_is_shown_with_its_document(cast: Cast, living_aid: Programme) -> None:
    row = living_aid.accepted.filter(category_code="orphan", last_term="").first()
    grounds.end_ground(row, "2026-2027-2", document="云教〔2026〕9号", county=cast.county, by=cast.clerk)
    (touch,) = told(living_aid, Kind.GROUND, row).touches
    assert (touch.person, touch.deed) == ("沈经办", "登记资助范围截止")
    assert touch.detail == "截止学期：2027年春季学期；依据文件：云教〔2026〕9号"


def test_a_standard_that_a_new_one_took_the_place_of_says_so(cast: Cast, living_aid: Programme) -> None:
    old = living_aid.standards.filter(last_term="", conditions={"stage": ["junior"], "boarding": ["boarding"]}).get()
    row = Standard(programme=living_aid, conditions=old.conditions, amount=Decimal("800.00"))
    row.document, row.first_term = "云财教〔2027〕1号", "2026-2027-2"
    add_standard(row, county=cast.county, by=cast.clerk)
    (touch,) = told(living_aid, Kind.STANDARD, old).touches
    assert touch.deed == "标准由新标准接替"
    assert touch.detail == "截止学期：2026年秋季学期；依据文件：云财教〔2027〕1号"


def test_as_many_questions_for_one_row_as_for_all(cast: Cast, living_aid: Programme) -> None:
    rows = list(living_aid.standards.select_related("recorded_by"))
    asked = []
    for some in (rows[:1], rows):
        with CaptureQueriesContext(connection) as queries:
            grades = origins.attach(living_aid, {Kind.STANDARD: some})
        asked.append(len(queries))
    assert asked == [2, 2]
    assert [grade for grade, _ in grades] == sorted({row.origin.grade for row in rows}, key=list(CONFIDENCE).index)
