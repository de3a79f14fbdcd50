"""The ten layouts that are known: a file of each, and who is found in it."""

import datetime as dt
import shutil

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from students import list_profiles, list_versions, lists
from students.models import Circumstance, ListEntry, ListMatch, ListProfile, ListVersion
from tests.cast import Cast, enrol

from . import list_files
from .list_files import KIND, LAYOUTS, POLICY, RISK, Somebody, stranger

AS_OF = dt.date(2026, 9, 3)


@pytest.fixture
def county(cast: Cast) -> Cast:
    list_profiles.load(cast.county, by=cast.clerk)
    return cast


def profile(code: str) -> ListProfile:
    return ListProfile.objects.get(code=code)


CASES = {
    # code: (flags of the pupil's row, sheet, the category's code, denies)
    "lifted-with-policy": ({POLICY: "享受政策"}, 0, "lifted", False),
    "disabled": ({"残疾类别": "肢体", "残疾等级": "三级"}, 0, "disabled", False),
    "dibao-rural": ({}, 0, "dibao_rural", False),
    "tekun": ({}, 0, "tekun", False),
    "dibao-urban": ({}, 0, "dibao_urban", False),
    "monitored-at-risk": ({KIND: "脱贫不稳定户", RISK: "未消除"}, 0, "unstable_lifted", False),
    "orphans": ({}, 2, "unattended", False),
    "low-income": ({"对象类别": "最低生活保障边缘家庭"}, 0, "dibao_margin", False),
    "lifted-without-policy": ({POLICY: "不享受政策"}, 0, "lifted", True),
    "monitored-cleared": ({KIND: "边缘易致贫户", RISK: "已消除", "风险消除时间": "2026-06-30"}, 0, "at_risk", True),
}


@pytest.mark.parametrize("name", ["农村低保边缘家庭低收入人口花名册.xlsx", "2026年低保边缘、低收入.xlsx"])
def test_who_is_beside_a_list_is_not_on_it(county: Cast, name: str) -> None:
    assert list_profiles.propose(ListProfile.objects.all(), name) == profile("low-income")


@pytest.mark.parametrize("code", LAYOUTS)
def test_each_layout_is_read_and_says_what_it_means(county: Cast, code: str) -> None:
    here = enrol(county, county.class_a1, name="王小草", kinds=())
    number = list_files.number_of(here.pupil)
    flags, sheet, category, denies = CASES[code]
    child = Somebody("王小草", number, flags=flags, sheet=sheet)
    people = [stranger(1), child, stranger(2)]
    if code in ("dibao-rural", "tekun", "dibao-urban"):
        people = [stranger(1, members=(stranger(3), child)), stranger(2)]
    name, _ = LAYOUTS[code]
    assert list_profiles.propose(ListProfile.objects.all(), name) == profile(code)
    version = list_versions.upload(list_files.upload(code, people), profile=profile(code), as_of=AS_OF, by=county.clerk)
    assert version.state == ListVersion.State.READ, version.failure
    assert [finding for finding in version.findings if finding["level"] != "note"] == []
    assert version.persons_total == len(people) + sum(len(person.members) for person in people)
    match = ListMatch.objects.get()
    assert (match.pupil, match.state) == (here.pupil, ListMatch.State.BY_ID)
    assert match.entry.category
    assert match.entry.category.code == category
    assert match.entry.denies == denies
    assert match.entry.name == "王小草"
    assert not Circumstance.objects.exists()

    list_versions.take(version, by=county.clerk)
    held = list(Circumstance.objects.values_list("category__code", "source", "valid_from"))
    assert held == ([] if denies else [(category, "matched", AS_OF)])
    [standing] = lists.standing_on_lists([here.pupil.pk])[here.pupil.pk]
    assert (standing.list_name, standing.as_of, standing.row) == (profile(code).name, AS_OF, match.entry.row)


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice writes the old format")
@pytest.mark.parametrize("code", ["dibao-rural", "orphans"])
def test_files_in_the_old_format_are_read_alike(county: Cast, code: str) -> None:
    people = [stranger(1, members=(stranger(3), stranger(4))), stranger(2, sheet=2)]
    name, make = LAYOUTS[code]
    content = list_files.as_xls(make(people))
    version = list_versions.upload(
        SimpleUploadedFile(name, content), profile=profile(code), as_of=AS_OF, by=county.clerk
    )
    assert version.persons_total == (4 if code == "dibao-rural" else 2)
    old = list(ListEntry.objects.values_list("row", "name", "person_index", "category__code"))
    list_versions.discard(version, by=county.clerk)
    list_versions.upload(list_files.upload(code, people), profile=profile(code), as_of=AS_OF, by=county.clerk)
    assert list(ListEntry.objects.values_list("row", "name", "person_index", "category__code")) == old
