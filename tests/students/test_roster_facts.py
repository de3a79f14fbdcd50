"""What standards of aid ask of a pupil beside hardship: read from the roster, kept, and no change the second time."""

from typing import Any

import pytest

from accounts.models import AuditRow
from students import enrolment, rosters, words
from students.models import Enrolment, Pupil, SchoolClass, Term
from students.numbers import Finding
from tests.cast import TODAY, Cast
from tests.students.workbooks import HEADERS, pupil, workbook

_MORE = ("户口性质", "户籍所在地行政区划代码", "就学方式", "专业类别", "变动日期")
_SAID = {"户口性质": "农业家庭户口", "户籍所在地行政区划代码": "530129103201", "就学方式": "随班就读"}


def outcome(cast: Cast, *rows: dict[str, Any], dry_run: bool = False) -> rosters.Outcome:
    content = workbook(*rows, headers=(*HEADERS, *_MORE))
    return rosters.import_roster(content, unit=cast.school_a, term=cast.term, by=cast.officer_a, dry_run=dry_run)


def test_the_facts_of_a_new_pupil(cast: Cast) -> None:
    found = outcome(cast, pupil(1, **_SAID), pupil(2))
    assert [finding.level for finding in found.findings] == []
    one, two = Pupil.objects.order_by("registration", "name").reverse()
    assert (one.registration, one.region, one.enrolments.get().schooling) == ("rural", "530129", "special")
    assert (two.registration, two.region, two.enrolments.get().schooling) == ("", "", "ordinary")
    known = enrolment.facts(one.enrolments.get(), on=TODAY)
    wanted = ("registration", "region", "schooling", "ownership", "major", "grade")
    assert [known[fact] for fact in wanted] == ["rural", "530129", "special", "public", "", "七年级"]


def test_the_same_again_changes_nothing_and_empty_cells_wipe_nothing(cast: Cast) -> None:
    outcome(cast, pupil(1, **_SAID))
    again = outcome(cast, pupil(1, **_SAID))
    empty = outcome(cast, pupil(1))
    assert (again.same, again.changed) == (empty.same, empty.changed) == (1, 0)
    assert (Pupil.objects.get().region, Enrolment.objects.get().schooling) == ("530129", "special")


def test_an_empty_cell_says_nothing_in_the_next_term_either(cast: Cast) -> None:
    outcome(cast, pupil(1, **_SAID), pupil(2))
    spring = Term.objects.get(key="2026-2027-2")
    content = workbook(pupil(1), pupil(2), headers=(*HEADERS, *_MORE))
    rosters.import_roster(content, unit=cast.school_a, term=spring, by=cast.officer_a, dry_run=False)
    kept = Enrolment.objects.filter(term=spring).order_by("-pupil__region")
    assert [place.schooling for place in kept] == ["special", "ordinary"]


def test_what_is_different_is_shown_first_and_then_written(cast: Cast) -> None:
    outcome(cast, pupil(1, **_SAID))
    changed = _SAID | {"户口性质": "城市", "就学方式": "普通教育"}
    dry, real = outcome(cast, pupil(1, **changed), dry_run=True), outcome(cast, pupil(1, **changed))
    said = [(finding.column, finding.message) for finding in real.findings]
    assert said == [(finding.column, finding.message) for finding in dry.findings]
    assert said == [("户口性质", "农村（含县镇） → 城市"), ("就学方式", "特殊教育 → 普通教育")]
    assert (Pupil.objects.get().registration, Enrolment.objects.get().schooling) == ("urban", "ordinary")
    trail = AuditRow.objects.filter(action="pupil.change").get()
    assert trail.detail == {"fields": ["registration", "schooling"]}


def test_a_careful_reading_finds_the_same(cast: Cast) -> None:
    # A day in the row leaves the quick way of reading.
    outcome(cast, pupil(1, **_SAID) | {"变动日期": "2026-10-01"})
    assert (Pupil.objects.get().region, Enrolment.objects.get().schooling) == ("530129", "special")


@pytest.mark.parametrize("text", ["农业", "农业户口", "农村", "县镇非农", "农村（含县镇）"])
def test_rural(text: str) -> None:
    assert words.read_registration(text) == ("rural", [])


@pytest.mark.parametrize("text", ["非农业", "非农业家庭户口", "城镇户口", "居民户口", "统一居民户口", "居民家庭户口"])
def test_what_does_not_tell_the_country_from_the_town_is_no_mistake(text: str) -> None:
    assert words.read_registration(text) == ("", [])


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        (words.read_registration, "火星户口"),
        (words.read_region, "昆明市盘龙区"),
        (words.read_region, "53010"),
        (words.read_region, "053010"),
        (words.read_schooling, "网课"),
    ],
)
def test_what_cannot_be_read_is_left_empty_with_a_warning(reader: Any, text: str) -> None:
    value, findings = reader(text)
    assert value == ""
    assert [finding.level for finding in findings] == ["warning"]
    assert all(isinstance(finding, Finding) and finding.message.endswith("。") for finding in findings)


@pytest.fixture
def vocational(cast: Cast) -> Cast:
    school = cast.school_a.school
    school.stages = ["vocational"]
    school.save()
    return cast


def test_a_vocational_class_has_its_own_grades_and_its_major(vocational: Cast) -> None:
    rows = [pupil(n, 年级="中职一年级", 班级="1班", 专业类别="涉农专业") for n in (1, 2)]
    found = outcome(vocational, *rows)
    made = SchoolClass.objects.get(grade="中职一年级")
    assert (made.stage, made.unit.name, made.major) == ("vocational", "中职一年级1班", "agricultural")
    assert [(finding.row, finding.message) for finding in found.findings] == [(2, "（空） → 涉农专业")]
    known = enrolment.facts(Enrolment.objects.first(), on=TODAY)
    assert (known["major"], known["major_label"]) == ("agricultural", "涉农专业")
    assert outcome(vocational, *rows).same == 2


def test_another_major_is_shown_and_written_once_for_the_class(vocational: Cast) -> None:
    rows = [pupil(n, 年级="中职一年级", 班级="1班", 专业类别="涉农专业") for n in (1, 2)]
    outcome(vocational, *rows)
    other = [row | {"专业类别": "戏曲表演"} for row in rows]
    dry, real = outcome(vocational, *other, dry_run=True), outcome(vocational, *other)
    assert [finding.message for finding in real.findings] == ["涉农专业 → 戏曲表演专业"]
    assert [finding.message for finding in dry.findings] == ["涉农专业 → 戏曲表演专业"]
    assert (real.changed, real.same) == (1, 1)
    assert SchoolClass.objects.get(grade="中职一年级").major == "opera"
    detail = AuditRow.objects.filter(action="class.major").order_by("number").last().detail
    assert (detail["was"], detail["major"]) == ("涉农专业", "戏曲表演专业")


def test_a_class_has_one_major_and_only_a_vocational_one_has_any(vocational: Cast) -> None:
    said = outcome(
        vocational,
        pupil(1, 年级="中职一年级", 班级="1班", 专业类别="涉农专业"),
        pupil(2, 年级="中职一年级", 班级="1班", 专业类别="艺术类"),
    )
    (warned,) = [finding for finding in said.findings if finding.level == "warning"]
    assert "前面写的是涉农专业，这里写的是艺术类专业" in warned.message
    assert SchoolClass.objects.get(grade="中职一年级").major == "agricultural"


def test_a_major_outside_a_vocational_school_is_left_aside(cast: Cast) -> None:
    (warned,) = outcome(cast, pupil(1, 专业类别="涉农专业")).findings
    assert (warned.level, warned.message) == ("warning", "只有中职的班级登记专业类别，这一格没有登记。")
    assert not SchoolClass.objects.exclude(major="").exists()
