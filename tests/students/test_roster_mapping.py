"""Columns nobody knows: asked once, remembered for the county, and taken back when the answer was wrong."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from accounts.models import AuditRow
from students import rosters
from students.forms import HeaderForm
from students.models import HeaderMeaning, Pupil, RosterImport
from tests.cast import Cast
from tests.students.workbooks import HEADERS, pupil, upload, workbook

ODD = {"身份证件号": "码一", "班级": "班组", "就读方式": "住否"}
ODD_HEADERS = tuple(ODD.get(header, header) for header in HEADERS)
ANSWERS = {"码一": "id_number", "班组": "class", "住否": "boarding"}


def odd(serial: int) -> dict:
    return {ODD.get(header, header): value for header, value in pupil(serial).items()}


def check(cast: Cast, content: bytes) -> RosterImport:
    return rosters.check_roster(upload(content), unit=cast.school_a, term=cast.term, by=cast.officer_a)


def odd_file() -> bytes:
    return workbook(*[odd(serial) for serial in range(1, 6)], headers=ODD_HEADERS)


def test_what_is_asked_is_plain_and_masked(cast: Cast) -> None:
    roster = check(cast, odd_file())
    assert roster.state == "needs_mapping"
    asked = roster.question
    assert asked["missing"] == ["身份证件号", "班级", "就读方式"]
    assert "缺少" in asked["sentence"]
    (sheet,) = asked["sheets"]
    by_token = {column["token"]: column for column in sheet["columns"]}
    assert by_token["姓名"]["key"] == "name"
    assert by_token["码一"] | {"samples": []} == {
        "token": "码一", "letter": "B", "header": "码一", "key": "", "samples": [],
    }  # fmt: skip
    text = repr(asked)
    for row in (pupil(serial) for serial in range(1, 6)):
        assert row["身份证件号"] not in text
        assert row["银行账号"] not in text
        assert row["姓名"] not in text
    assert by_token["班组"]["samples"] == ["1班"]


def test_answer_is_used_and_remembered(cast: Cast) -> None:
    roster = rosters.map_columns(check(cast, odd_file()), ANSWERS, by=cast.officer_a)
    assert (roster.state, roster.rows_new) == ("checked", 5)
    assert dict(HeaderMeaning.objects.values_list("header", "column")) == ANSWERS
    assert AuditRow.objects.filter(action="roster.map").count() == 1
    rosters.apply_roster(roster, by=cast.officer_a)
    assert Pupil.objects.count() == 5

    again = check(cast, odd_file())
    assert (again.state, again.rows_same) == ("checked", 5)
    (note,) = again.findings.filter(level="note")
    assert "按以前确认过的列名读取：" in note.message
    assert "“码一”作为“身份证件号”" in note.message


def test_half_an_answer_is_asked_again(cast: Cast) -> None:
    roster = rosters.map_columns(check(cast, odd_file()), {"码一": "id_number"}, by=cast.officer_a)
    assert roster.state == "needs_mapping"
    assert roster.question["missing"] == ["班级", "就读方式"]


@pytest.mark.parametrize("answers", [{"没有这列": "name"}, {"码一": "no_such_key"}, {"码一": "name"}])
def test_answers_that_do_not_belong_are_refused(cast: Cast, answers: dict) -> None:
    roster = check(cast, odd_file())
    with pytest.raises(ValidationError):
        rosters.map_columns(roster, answers, by=cast.officer_a)
    roster.refresh_from_db()
    assert roster.state == "needs_mapping"
    assert not HeaderMeaning.objects.exists()


def test_of_two_columns_one_is_taken_and_the_other_left_aside(cast: Cast) -> None:
    rows = [pupil(serial, 学生姓名="某某") for serial in (1, 2)]
    roster = check(cast, workbook(*rows, headers=(*HEADERS, "学生姓名")))
    assert roster.question["doubtful"] == [["姓名", ["姓名", "学生姓名"]]]
    roster = rosters.map_columns(roster, {"姓名": "name", "学生姓名": ""}, by=cast.officer_a)
    assert (roster.state, roster.rows_new) == ("checked", 2)
    # A file that has only the one that was left aside still has a name.
    only = workbook(*[{**row, "学生姓名": row["姓名"]} for row in rows], headers=("学生姓名", *HEADERS[1:]))
    assert check(cast, only).state == "checked"


def test_wrong_answer_is_taken_back(cast: Cast) -> None:
    roster = rosters.map_columns(check(cast, odd_file()), ANSWERS, by=cast.officer_a)
    roster = rosters.ask_again(roster, by=cast.officer_a)
    assert roster.state == "needs_mapping"
    assert AuditRow.objects.filter(action="roster.ask_again", username=cast.officer_a.username).count() == 1
    (sheet,) = roster.question["sheets"]
    assert {column["key"] for column in sheet["columns"]} >= {"id_number", "class", "boarding", "guardian_name"}
    roster = rosters.map_columns(roster, {"监护人姓名": ""}, by=cast.officer_a)
    assert roster.state == "checked"
    rosters.apply_roster(roster, by=cast.officer_a)
    assert set(Pupil.objects.values_list("guardian_name", flat=True)) == {""}
    # And so is that one: the page shows it as not read, and takes another answer.
    roster = rosters.ask_again(check(cast, odd_file()), by=cast.officer_a)
    form = HeaderForm(question=roster.question)
    place = form.free.index("监护人姓名")
    shown = {name: field.initial or "" for name, field in form.fields.items()}
    assert shown[f"other-{place}"] == ""
    form = HeaderForm(shown | {f"other-{place}": "guardian_name"}, question=roster.question)
    assert form.is_valid()
    roster = rosters.map_columns(roster, form.answers(), by=cast.officer_a)
    assert roster.rows_changed == 5


def two_sheets(second: str, headers: tuple[str, ...]) -> bytes:
    """A roster, and a second sheet with the name and the headers."""
    from openpyxl import Workbook

    from tests.students.workbooks import saved

    book = Workbook()
    for title, names in (("名册", HEADERS), (second, headers)):
        sheet = book.active if title == "名册" else book.create_sheet()
        sheet.title = title
        sheet.append(list(names))
        sheet.append([pupil(1).get(header, "甲") for header in names])
    return saved(book)


def test_sheet_can_be_left_aside_whole(cast: Cast) -> None:
    content = two_sheets("教师", ("姓名", "身份证号", "职务"))
    roster = check(cast, content)
    assert [sheet["sheet"] for sheet in roster.question["sheets"]] == ["教师"]
    assert roster.question["or_without"]
    assert "不是学生名册的工作表，请勾选“不读取”。" in roster.question["sentence"]
    token = roster.question["sheets"][0]["token"]
    roster = rosters.map_columns(roster, {token: ""}, by=cast.officer_a)
    assert (roster.state, roster.rows_total) == ("checked", 1)
    assert check(cast, content).state == "checked"  # not asked again


def test_sheet_left_aside_says_nothing_of_other_sheets_of_its_name(cast: Cast) -> None:
    roster = check(cast, two_sheets("Sheet2", ("姓名", "身份证号", "职务")))
    token = roster.question["sheets"][0]["token"]
    rosters.map_columns(roster, {token: ""}, by=cast.officer_a)
    other = check(cast, two_sheets("Sheet2", ("姓名", "身份证号", "班级")))
    assert (other.state, [sheet["sheet"] for sheet in other.question["sheets"]]) == ("needs_mapping", ["Sheet2"])


def test_header_in_words_we_never_met_is_asked_about(cast: Cast) -> None:
    headers = ("称呼", "码一", "班组", "住否")
    names = dict(zip(headers, ("姓名", "身份证件号", "班级", "就读方式"), strict=True))
    rows = [{header: pupil(n)[names[header]] for header in headers} | {"班组": "七年级1班"} for n in (1, 2)]
    roster = check(cast, workbook(*rows, headers=headers, above=("七年级学生",)))
    assert roster.state == "needs_mapping"
    roster = rosters.map_columns(roster, {**ANSWERS, "称呼": "name"}, by=cast.officer_a)
    assert (roster.state, roster.rows_new) == ("checked", 2)


def test_only_whoever_imports_answers(cast: Cast) -> None:
    roster = check(cast, odd_file())
    for stranger in (cast.officer_b, cast.teacher_a1, cast.inspector):
        with pytest.raises(PermissionDenied):
            rosters.map_columns(roster, ANSWERS, by=stranger)


def test_question_can_be_thrown_away(cast: Cast) -> None:
    roster = rosters.discard_roster(check(cast, odd_file()), by=cast.officer_a)
    assert (roster.state, roster.file, roster.question) == ("discarded", None, None)
    with pytest.raises(rosters.RosterAlreadySettled):
        rosters.map_columns(roster, ANSWERS, by=cast.officer_a)
