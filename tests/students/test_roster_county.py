"""The whole county in one file: each row finds its school, and nothing is told to those whom it is no business of."""

import datetime as dt
from collections import Counter
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts import audit
from accounts.models import AuditRow, Unit
from students import fictitious, roster_writing, rosters
from students.models import (
    BankAccount,
    Enrolment,
    IdCorrection,
    Pupil,
    RosterFinding,
    School,
    SchoolClass,
    StaffAccount,
    Standing,
)
from tests.cast import Cast
from tests.students.workbooks import HEADERS, pupil, workbook

WITH_SCHOOL = (*HEADERS, "学校名称", "学校标识码")


def outcome(cast: Cast, *rows: dict, unit: Unit | None = None, dry_run: bool = False, **options: Any) -> Any:
    options.setdefault("headers", WITH_SCHOOL)
    content = workbook(*rows, **options)
    by = cast.clerk if unit is None else cast.officer_a
    return rosters.import_roster(content, unit=unit or cast.county, term=cast.term, by=by, dry_run=dry_run)


def small(serial: int, cast: Cast, **changes: Any) -> dict[str, Any]:
    """A pupil of the primary school."""
    return pupil(serial, 年级="三年级", 学校名称=cast.school_b.name, **changes)


def only_error(found: rosters.Outcome) -> RosterFinding:
    (finding,) = [finding for finding in found.findings if finding.level == "error"]
    return finding


def test_rows_find_their_schools_by_name_or_code(cast: Cast) -> None:
    rows = [
        pupil(1, 学校名称="云岭县 第一初级中学"),
        pupil(2, 学校标识码="5353990001"),
        pupil(3, 学校名称="一中", 学校标识码="5353990001"),  # the code counts; the short name is nobody's
        small(4, cast, 学校标识码="5353990002"),
        small(5, cast, 班级="5班"),
    ]
    found = outcome(cast, *rows)
    assert (found.new, found.refused, found.findings) == (5, 0, [])
    places = Counter(Enrolment.objects.values_list("school__name", flat=True))
    assert places == {cast.school_a.name: 3, cast.school_b.name: 2}
    made = SchoolClass.objects.get(unit__name="三年级5班")
    assert (made.unit.parent, made.stage) == (cast.school_b, "primary")
    assert made.unit.path == f"{cast.school_b.path}{made.unit.pk:06d}/"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"学校名称": "别县中学"}, "没有这一所"),
        ({"学校标识码": "5300000000"}, "没有这一所"),
        ({}, "没有写学校"),
        ({"学校名称": "云岭县城关小学", "学校标识码": "5353990001"}, "不是同一所学校"),
    ],
)
def test_row_whose_school_is_not_known_says_what_to_do(cast: Cast, changes: dict, message: str) -> None:
    found = outcome(cast, pupil(1, **changes), pupil(2, 学校标识码="5353990001"))
    assert (found.new, found.refused) == (1, 1)
    finding = only_error(found)
    assert message in finding.message
    assert finding.remedy


def test_county_file_needs_a_column_for_the_school(cast: Cast) -> None:
    with pytest.raises(ValidationError, match="缺少“学校名称”列"):
        outcome(cast, pupil(1), headers=HEADERS)


def test_child_in_two_schools_of_one_file_is_refused_both_times(cast: Cast) -> None:
    found = outcome(cast, pupil(1, 学校名称=cast.school_a.name), small(1, cast), small(2, cast))
    assert (found.new, found.refused) == (1, 2)
    same_but_the_school = pupil(3, 学校名称=cast.school_a.name), pupil(3, 学校名称=cast.school_b.name)
    assert outcome(cast, *same_but_the_school).refused == 2


def test_officer_importing_other_schools_rows_gets_findings(cast: Cast) -> None:
    found = outcome(cast, pupil(1, 学校名称=cast.school_a.name), small(2, cast), unit=cast.school_a)
    assert (found.new, found.refused) == (1, 1)
    assert "别的学校" in only_error(found).message


def test_grade_outside_the_schools_stages_names_the_school(cast: Cast) -> None:
    found = outcome(cast, pupil(1, 学校名称=cast.school_b.name))
    assert f"“{cast.school_b.name}”登记的学段是小学" in only_error(found).message


def test_sixth_grade_belongs_to_junior_school_where_there_is_no_primary(cast: Cast) -> None:
    found = outcome(cast, pupil(1, 年级="六年级", 学校名称=cast.school_a.name))
    assert found.new == 1
    assert Enrolment.objects.get().stage == "junior"


def test_class_that_grew_is_one_row_of_the_trail_with_a_digest(cast: Cast) -> None:
    outcome(cast, pupil(1, 学校名称=cast.school_a.name), pupil(2, 学校名称=cast.school_a.name), small(3, cast))
    rows = AuditRow.objects.filter(action="class.enrol").order_by("number")
    assert [(row.detail["class"], row.detail["count"]) for row in rows] == [("七年级1班", 2), ("三年级1班", 1)]
    keys = [str(key) for key in Enrolment.objects.filter(school_class=cast.class_a1).values_list("pupil", flat=True)]
    assert rows[0].detail["digest"] == roster_writing.digest_of(keys)
    assert audit.verify_chain().broken_at is None


# --- against the register ------------------------------------------------------------------------------


def leave(cast: Cast, serial: int, standing: str, on: dt.date = dt.date(2026, 9, 30)) -> Enrolment:
    """A pupil who was at the junior school this term and has left it."""
    outcome(cast, pupil(serial, 学校名称=cast.school_a.name))
    place = Enrolment.objects.get(pupil__name=pupil(serial)["姓名"])
    place.standing, place.ends_on = standing, on
    place.save()
    return place


def test_pupil_who_left_another_school_is_taken_from_the_next_day(cast: Cast) -> None:
    leave(cast, 1, Standing.TRANSFERRED)
    found = outcome(cast, small(1, cast))
    assert (found.new, found.refused) == (1, 0)
    places = Enrolment.objects.order_by("starts_on").values_list("school__name", "starts_on", "standing")
    assert list(places) == [
        (cast.school_a.name, cast.term.starts_on, "transferred"),
        (cast.school_b.name, dt.date(2026, 10, 1), "present"),
    ]


@pytest.mark.parametrize("standing", [Standing.TRANSFERRED, Standing.WITHDRAWN, Standing.GRADUATED])
def test_pupil_who_left_this_school_is_not_brought_back_by_a_list(cast: Cast, standing: str) -> None:
    leave(cast, 1, standing)
    found = outcome(cast, pupil(1, 学校名称=cast.school_a.name))
    assert (found.new, found.refused) == (0, 1)
    assert Standing(standing).label in only_error(found).message
    assert "异动" in only_error(found).remedy


def test_pupil_on_record_as_dead_is_not_taken_anywhere(cast: Cast) -> None:
    leave(cast, 1, Standing.DECEASED)
    assert "已去世" in only_error(outcome(cast, small(1, cast))).message


def test_suspended_pupil_stays_suspended_with_a_warning(cast: Cast) -> None:
    outcome(cast, pupil(1, 学校名称=cast.school_a.name))
    Enrolment.objects.update(standing=Standing.SUSPENDED)
    found = outcome(cast, pupil(1, 学校名称=cast.school_a.name))
    assert (found.same, [f.level for f in found.findings]) == (1, ["warning"])
    assert Enrolment.objects.get().standing == Standing.SUSPENDED


def test_pupil_open_at_another_school_names_it_in_elsewhere_only(cast: Cast) -> None:
    outcome(cast, small(1, cast))
    finding = only_error(outcome(cast, pupil(1, 学校名称=cast.school_a.name)))
    assert finding.elsewhere == cast.school_b
    assert cast.school_b.name not in finding.message + finding.remedy + finding.value


def test_staff_account_is_refused(cast: Cast) -> None:
    from students import privacy

    number = fictitious.card_number(77)
    StaffAccount.objects.create(
        unit=cast.school_a, county=cast.county, holder="李老师", number_index=privacy.account_index(number),
        number_masked="**** 0000", recorded_by=cast.clerk,
    )  # fmt: skip
    found = outcome(cast, pupil(1, 银行账号=number, 学校名称=cast.school_a.name))
    assert "教职工" in only_error(found).message
    assert not BankAccount.objects.exists()


def test_number_that_was_corrected_is_recognised(cast: Cast) -> None:
    from students import privacy

    outcome(cast, pupil(1, 学校名称=cast.school_a.name))
    old = pupil(2)["身份证件号"]
    child = Pupil.objects.get()
    evidence = _evidence(cast)
    IdCorrection.objects.create(
        pupil=child, before_index=privacy.id_index(old), before_masked=privacy.mask_id(old),
        after_masked=child.id_masked, reason="公安机关更正", evidence_file=evidence, at=dt.datetime.now(dt.UTC),
        by=cast.clerk,
    )  # fmt: skip
    finding = only_error(outcome(cast, pupil(2, 学校名称=cast.school_a.name)))
    assert child.id_masked in finding.message


def _evidence(cast: Cast) -> Any:
    from documents.models import Upload

    return Upload.objects.create(
        kind="evidence", unit=cast.school_a, original_name="证明.pdf", media_type="application/pdf", size=1,
        sha256="0" * 64, uploaded_at=dt.datetime.now(dt.UTC), uploaded_by=cast.clerk,
    )  # fmt: skip


def test_changes_are_told_old_and_new_in_words(cast: Cast) -> None:
    outcome(cast, pupil(1, 学校名称=cast.school_a.name))
    changed = pupil(
        1, 学校名称=cast.school_a.name, 班级="2班", 就读方式="走读", 监护人姓名="王大", 户名="王大",
        银行账号=fictitious.card_number(5), 联系电话=fictitious.phone_number(99),
    )  # fmt: skip
    found = outcome(cast, changed, dry_run=True)
    assert (found.changed, found.same) == (1, 0)
    told = {finding.column: finding.message for finding in found.findings if finding.level == "change"}
    assert told == {
        "监护人姓名": "陈大乙 → 王大",
        "联系电话": "154****0001 → 154****0099",
        "班级": "七年级1班 → 七年级2班（2026-10-12 起，记入异动）",
        "就读方式": "寄宿 → 走读（2026-10-12 起，记入异动）",
        "银行账号": f"云岭县农村信用合作联社 **** {fictitious.card_number(1)[-4:]}（陈大乙，父亲） → "
        f"云岭县农村信用合作联社 **** {fictitious.card_number(5)[-4:]}（王大，父亲）",
    }


def test_large_files_and_small_ones_find_the_same(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file is compared with the whole county read at once, a small one by the keys of its rows."""
    from students import matching

    rows = [pupil(serial, 学校名称=cast.school_a.name) for serial in range(1, 30)]
    outcome(cast, *rows)
    again = [*rows[:20], pupil(25, 班级="2班", 学校名称=cast.school_a.name), small(3, cast), pupil(40, 学校名称="无")]
    few = outcome(cast, *again, dry_run=True)
    monkeypatch.setattr(matching, "_CHUNK", 1)
    many = outcome(cast, *again, dry_run=True)
    assert few.counts == many.counts
    assert [str(finding) for finding in few.findings] == [str(finding) for finding in many.findings]


def test_findings_are_bounded_and_counts_exact(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from students import roster_rows

    monkeypatch.setattr(roster_rows, "KEPT_FINDINGS", 5)
    empty = {"开户银行": None, "银行账号": None, "户名": None, "户主与学生关系": None}
    rows = [pupil(serial, 学校名称=cast.school_a.name, **empty) for serial in range(1, 9)]
    found = outcome(cast, *rows, pupil(9, 姓名=None, 学校名称=cast.school_a.name))
    assert (found.warnings, found.errors, found.new) == (8, 1, 8)
    first, *rest = found.findings
    assert "还有 4 条没有列出" in first.message
    assert [finding.level for finding in rest] == ["error"] + ["warning"] * 4


def test_school_must_be_registered_and_a_class_takes_no_roster(cast: Cast) -> None:
    School.objects.filter(unit=cast.school_a).delete()
    with pytest.raises(ValidationError, match="还没有登记学段"):
        outcome(cast, pupil(1), unit=cast.school_a)
    with pytest.raises(ValidationError, match="请选择学校"):
        outcome(cast, pupil(1), unit=cast.class_a1)


def test_bulk_writing_makes_the_same_enrolment_as_one_by_one(cast: Cast) -> None:
    """Rows go in as columns; what follows from the class must be what students.enrolment.begin would fill in."""
    from students import enrolment

    outcome(cast, pupil(1, 学校名称=cast.school_a.name, 班级="9班"))
    made = Enrolment.objects.select_related("pupil", "school_class__school_class").get()
    again = enrolment.begin(
        made.pupil, term=cast.term, school_class=made.school_class.school_class, boarding=made.boarding
    )
    names = [each.attname for each in Enrolment._meta.concrete_fields if each.attname != "id"]
    assert {name: getattr(made, name) for name in names} == {name: getattr(again, name) for name in names}
    assert Pupil.objects.get().initials == "CYY"


def test_school_named_without_the_county_is_found_when_no_other_is_called_so(cast: Cast) -> None:
    names = ("城关小学", "云岭城关小学", "云岭县 城关小学")
    rows = [{**pupil(n, 年级="三年级"), "学校名称": name} for n, name in enumerate(names, start=1)]
    assert outcome(cast, *rows, dry_run=True).new == 3
    own = outcome(cast, {**pupil(4), "学校名称": "第一初级中学"}, unit=cast.school_a, dry_run=True)
    assert (own.new, own.findings) == (1, [])
    # Of two that are called so, the one that is registered under the bare name; else neither.
    twin = Unit.objects.create(level="school", name="云岭城关小学", parent=cast.county)
    School.objects.create(unit=twin, code="5353990009", stages=["primary"])
    assert outcome(cast, rows[0], dry_run=True).new == 0


@pytest.mark.parametrize("name", ["云岭县第一初中", "第一中学"])
def test_school_that_is_nearly_named_is_suggested_and_not_taken(cast: Cast, name: str) -> None:
    found = outcome(cast, {**pupil(1), "学校名称": name}, dry_run=True)
    assert (found.new, found.findings[0].remedy[:16]) == (0, "是不是“云岭县第一初级中学”？请")
    own = outcome(cast, {**pupil(1), "学校名称": name}, unit=cast.school_a, dry_run=True)
    assert (own.new, own.findings[0].remedy[:16]) == (0, "是不是“云岭县第一初级中学”？是")
