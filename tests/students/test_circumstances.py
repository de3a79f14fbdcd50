"""Hardship circumstances: kinds with days, sources with evidence, no two of one kind at a time."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import AuditRow
from documents import uploads
from documents.models import Upload
from students import circumstances, rosters
from students.models import Category, Circumstance, Pupil
from tests import cast as casting
from tests.cast import Cast
from tests.students.workbooks import pupil, workbook

SEPTEMBER = dt.date(2026, 9, 1)


@pytest.fixture
def child(cast: Cast) -> Pupil:
    content = workbook(pupil(1))
    rosters.import_roster(content, unit=cast.school_a, term=cast.term, by=cast.officer_a, dry_run=False)
    return Pupil.objects.get()


def add(child: Pupil, by: object, **changes: object) -> Circumstance:
    values = {
        "category": Category.objects.get(code="dibao_rural"),
        "source": "collected",
        "evidence": "农村低保证 2026-0123",
        "valid_from": SEPTEMBER,
        **changes,
    }
    return circumstances.add(child, by=by, **values)


@pytest.mark.parametrize("who", ["teacher_a1", "officer_a"])
def test_add_is_recorded_with_source_evidence_and_audit(cast: Cast, child: Pupil, who: str) -> None:
    added = add(child, getattr(cast, who))
    assert (added.pupil, added.source, added.valid_to) == (child, "collected", None)
    row = AuditRow.objects.get(action="circumstance.add")
    assert (row.username, row.detail) == (who, {"category": "dibao_rural", "source": "collected"})


@pytest.mark.parametrize("who", ["teacher_a2", "officer_b", "principal_a", "clerk", "inspector", "admin"])
def test_add_is_refused_outside_the_class_and_to_those_who_only_look(cast: Cast, child: Pupil, who: str) -> None:
    with pytest.raises(PermissionDenied):
        add(child, getattr(cast, who))
    assert not Circumstance.objects.exists()


def test_several_kinds_stand_side_by_side(cast: Cast, child: Pupil) -> None:
    add(child, cast.officer_a)
    add(child, cast.officer_a, category=Category.objects.get(code="disabled"))
    assert child.circumstances.count() == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("2026-09-01", None), ("2026-10-01", None)),
        (("2026-09-01", None), ("2026-01-01", "2026-09-01")),
        (("2026-03-01", "2026-09-30"), ("2026-09-30", None)),
        (("2026-03-01", "2026-09-30"), ("2026-04-01", "2026-05-01")),
    ],
)
def test_overlapping_days_of_one_kind_are_refused(cast: Cast, child: Pupil, first: tuple, second: tuple) -> None:
    days = [[dt.date.fromisoformat(day) if day else None for day in span] for span in (first, second)]
    add(child, cast.officer_a, valid_from=days[0][0], valid_to=days[0][1])
    with pytest.raises(ValidationError, match="日期有重叠"):
        add(child, cast.officer_a, valid_from=days[1][0], valid_to=days[1][1])


def test_days_that_follow_each_other_are_fine(cast: Cast, child: Pupil) -> None:
    add(child, cast.officer_a, valid_from=dt.date(2026, 3, 1), valid_to=dt.date(2026, 8, 31))
    add(child, cast.officer_a)
    assert child.circumstances.count() == 2


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"evidence": ""}, "要写明证明名称和编号"),
        ({"valid_to": dt.date(2026, 8, 1)}, "失效日期不能早于生效日期"),
        ({"source": "heard"}, "请选择来源"),
        ({"valid_from": dt.date(2010, 1, 1)}, "不是有效的困难类别"),
    ],
)
def test_add_refusals(cast: Cast, child: Pupil, changes: dict, sentence: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        add(child, cast.officer_a, **changes)
    assert sentence in " ".join(refusal.value.messages)


def test_kind_that_has_ended_names_its_successor(cast: Cast, child: Pupil) -> None:
    ended = Category.objects.get(code="registered_poverty")
    with pytest.raises(ValidationError) as refusal:
        add(child, cast.officer_a, category=ended)
    assert "现在对应“脱贫户（继续享受政策）”" in " ".join(refusal.value.messages)


def test_scan_is_evidence_and_is_stored_with_the_row(cast: Cast, child: Pupil) -> None:
    added = add(child, cast.teacher_a1, evidence="", evidence_file=casting.scan("证明.pdf"))
    assert uploads.read(added.evidence_file).startswith(b"%PDF-")
    circumstances.read_evidence(added, by=cast.officer_a)
    assert AuditRow.objects.get(action="circumstance.read_evidence").username == "officer_a"


def test_bad_scan_leaves_neither_file_nor_row(cast: Cast, child: Pupil) -> None:
    with pytest.raises(ValidationError):
        add(child, cast.teacher_a1, evidence_file=SimpleUploadedFile("证明.pdf", b"not a pdf"))
    assert not Circumstance.objects.exists()
    assert not Upload.objects.exists()


def test_end_sets_the_last_day_and_may_only_be_brought_forward(cast: Cast, child: Pupil) -> None:
    added = add(child, cast.officer_a)
    ended = circumstances.end(added, on=dt.date(2026, 12, 31), by=cast.officer_a)
    assert ended.valid_to == dt.date(2026, 12, 31)
    assert circumstances.end(added, on=dt.date(2026, 10, 1), by=cast.officer_a).valid_to == dt.date(2026, 10, 1)
    with pytest.raises(ValidationError) as refusal:
        circumstances.end(added, on=dt.date(2027, 1, 1), by=cast.officer_a)
    assert "请另行登记新的证明" in " ".join(refusal.value.messages)


def test_end_before_the_first_day_is_refused(cast: Cast, child: Pupil) -> None:
    added = add(child, cast.officer_a)
    with pytest.raises(ValidationError) as refusal:
        circumstances.end(added, on=dt.date(2026, 8, 31), by=cast.officer_a)
    assert "不能早于生效日期" in " ".join(refusal.value.messages)


def test_end_is_refused_outside_the_class(cast: Cast, child: Pupil) -> None:
    added = add(child, cast.officer_a)
    with pytest.raises(PermissionDenied):
        circumstances.end(added, on=dt.date(2026, 12, 31), by=cast.teacher_a2)
