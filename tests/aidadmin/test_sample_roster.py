"""The roster a visitor of the demo uploads: what is put right by itself, what is refused, what is to be looked at."""

from django.core.files.uploadedfile import SimpleUploadedFile

from aidadmin import demo
from students import rosters
from students.models import RosterImport
from tests.cast import Cast


def check(cast: Cast) -> RosterImport:
    file = SimpleUploadedFile(demo.SAMPLE_ROSTER, demo.sample_roster())
    return rosters.check_roster(file, unit=cast.school_b, term=cast.term, by=cast.officer_b)


def test_sample_shows_each_usual_fault(cast: Cast) -> None:
    found = check(cast)
    assert (found.rows_total, found.rows_new, found.rows_refused) == (41, 36, 5)
    said = " ".join(found.findings.filter(level="error").values_list("message", flat=True))
    for word in ("校验码不对", "没有班级", "数字格式", "没有户名", "重复"):
        assert word in said
    assert found.findings.filter(level="warning", message__contains="监护人却不同").count() == 2


def test_sample_is_the_same_file_each_time() -> None:
    assert demo.sample_roster() == demo.sample_roster()


def test_full_width_digits_a_leading_letter_and_blanks_are_understood(cast: Cast) -> None:
    refused = set(check(cast).findings.filter(level="error").values_list("row", flat=True))
    first = 4  # under title, line and header
    assert not {first + place for place in (1, 2, 4, 6, 9)} & refused
