"""The faults rosters come with: nothing lost, nothing guessed, each named with sheet, row, column and remedy."""

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from students import rosters
from students.models import Pupil, RosterImport
from tests.cast import Cast
from tests.students.workbooks import HEADERS, pupil, saved, upload, workbook


def outcome(cast: Cast, *rows: dict, **options: Any) -> rosters.Outcome:
    content = workbook(*rows, **options)
    return rosters.import_roster(content, unit=cast.school_a, term=cast.term, by=cast.officer_a, dry_run=False)


def only_finding(found: rosters.Outcome, level: str = "error") -> dict[str, Any]:
    (finding,) = [finding for finding in found.findings if finding.level == level]
    return finding


# --- faults that are mended on the way ---------------------------------------------------------------


def test_id_with_spaces_lower_x_and_leading_g_is_taken(cast: Cast) -> None:
    with_x = next(n for n in range(10, 200) if pupil(n)["身份证件号"].endswith("X"))
    number = pupil(with_x)["身份证件号"]
    rows = [
        pupil(with_x, 身份证件号=f" {number[:6]} {number[6:14]}\t{number[14:].lower()}", 班级="1班"),
        pupil(1, 身份证件号=f"G{pupil(1)['身份证件号']}"),
        pupil(2, 身份证件号=f"'{pupil(2)['身份证件号']}"),
    ]
    found = outcome(cast, *rows)
    assert (found.new, found.refused, found.findings) == (3, 0, [])


def test_rare_characters_and_middle_dots_are_kept(cast: Cast) -> None:
    outcome(cast, pupil(1, 姓名="䶮𬎆"), pupil(2, 姓名="阿依古丽•买买提"), pupil(3, 姓名="欧\u3000阳"))
    assert set(Pupil.objects.values_list("name", flat=True)) == {"䶮𬎆", "阿依古丽·买买提", "欧阳"}


def test_columns_in_any_order_under_synonyms_below_titles(cast: Cast) -> None:
    headers = (
        "银行卡号",
        "班级名称",
        "学生姓名",
        "就读方式（走读/住校）",
        "户名",
        "开户行",
        "★证件号码",
        "学籍号",
        "家长姓名",
        "户主与学生关系",
        "备注",
    )
    row = pupil(1)
    values = {
        "银行卡号": row["银行账号"], "班级名称": "七年级1班", "学生姓名": row["姓名"], "就读方式（走读/住校）": "住校",
        "户名": row["户名"], "开户行": row["开户银行"], "★证件号码": row["身份证件号"], "学籍号": row["全国学籍号"],
        "家长姓名": row["监护人姓名"], "户主与学生关系": "父亲", "备注": "无",
    }  # fmt: skip
    found = outcome(cast, values, headers=headers, above=("云岭县第一初级中学学生花名册", "2026年10月"))
    assert (found.new, found.refused) == (1, 0)
    assert only_finding(found, "note").message == "没有读取这些列：备注。"


def test_several_sheets_are_read_and_named(cast: Cast) -> None:
    book = Workbook()
    for serial, title in ((1, "一班"), (2, "二班")):
        sheet = book.active if serial == 1 else book.create_sheet()
        sheet.title = title
        sheet.append(HEADERS)
        sheet.append([pupil(serial)[header] for header in HEADERS])
    book["二班"]["G2"] = None
    found = rosters.import_roster(saved(book), unit=cast.school_a, term=cast.term, by=cast.officer_a, dry_run=True)
    assert (found.new, found.refused) == (1, 1)
    assert (only_finding(found).sheet, only_finding(found).row) == ("二班", 2)


def test_sample_and_total_rows_are_left_aside_and_named(cast: Cast) -> None:
    found = outcome(cast, pupil(9, 姓名="（示例）张小明"), pupil(1), {"姓名": "合计", "班级": "1 人"})
    assert (found.total, found.new) == (1, 1)
    assert [finding.message for finding in found.findings] == [
        "第 2 行是示例行，没有读取。",
        "第 4 行是合计或说明行，没有读取。",
    ]


# --- rows that are refused ---------------------------------------------------------------------------


def last_digit_changed(number: str) -> str:
    return number[:17] + ("1" if number[17] != "1" else "2")


@pytest.mark.parametrize(
    ("changes", "column", "message"),
    [
        ({"身份证件号": last_digit_changed(pupil(1)["身份证件号"])}, "身份证件号", "校验码不对"),
        ({"身份证件号": int(pupil(1)["身份证件号"][:17] + "0")}, "身份证件号", "数字格式"),
        ({"身份证件号": "5.39900201403E+17"}, "身份证件号", "科学计数法"),
        ({"身份证件号": "=1+1"}, "身份证件号", "没有保存结果"),
        ({"就读方式": '=IF(A1=1,"寄宿","走读")'}, "就读方式", "没有保存结果"),
        ({"年级": "=A1"}, "年级", "没有保存结果"),
        ({"身份证件号": "#N/A"}, "身份证件号", "错误值"),
        ({"身份证件号": None}, "身份证件号", "没有证件号"),
        ({"身份证件号": "539900140305007"}, "身份证件号", "15 位的旧号码"),
        ({"姓名": None}, "姓名", "没有姓名"),
        ({"姓名": "=HYPERLINK(1)"}, "姓名", "没有保存结果"),
        ({"班级": dt.date(2026, 7, 1)}, "班级", "日期"),
        ({"姓名": "张三2"}, "姓名", "数字"),
        ({"姓名": "陈?一"}, "姓名", "生僻字"),
        ({"全国学籍号": "G123"}, "全国学籍号", "共 19 位"),
        ({"性别": "女"}, "性别", "不一致"),
        ({"性别": "甲"}, "性别", "看不懂"),
        ({"年级": None}, "年级", "没有年级"),
        ({"年级": "2023级"}, "年级", "看不懂这个年级"),
        ({"年级": "高一"}, "年级", "没有这个年级"),
        ({"班级": None}, "班级", "没有班级"),
        ({"就读方式": None}, "就读方式", "没有写就读方式"),
        ({"就读方式": "其他"}, "就读方式", "看不懂"),
        ({"联系电话": "12345"}, "联系电话", "11 位手机号"),
        ({"银行账号": 6299000000000000}, "银行账号", "数字格式"),
        ({"银行账号": "123"}, "银行账号", "12 至 19 位"),
        ({"开户银行": None}, "开户银行", "没有开户银行"),
        ({"户名": None}, "户名", "没有户名"),
        ({"户主与学生关系": "班主任"}, "户主与学生关系", "不能发到"),
        ({"户主与学生关系": "本人"}, "户主与学生关系", "户名和学生姓名不同"),
        ({"户名": "王五", "户主与学生关系": None}, "户主与学生关系", "没有写户主"),
    ],
)  # fmt: skip
def test_wrong_row_is_refused_whole_and_the_good_one_taken(
    cast: Cast, changes: dict[str, Any], column: str, message: str
) -> None:
    found = outcome(cast, pupil(1, **changes), pupil(2))
    assert (found.new, found.refused) == (1, 1)
    finding = only_finding(found)
    assert (finding.sheet, finding.row, finding.column) == ("名册", 2, column)
    assert message in finding.message
    assert finding.remedy
    assert Pupil.objects.count() == 1


def test_finding_shows_the_number_masked(cast: Cast) -> None:
    wrong = last_digit_changed(pupil(1)["身份证件号"])
    finding = only_finding(outcome(cast, pupil(1, 身份证件号=wrong)))
    assert finding.value == f"5399**********{wrong[-4:]}"


@pytest.mark.parametrize("written", ["6222 0212 3456 7890 123", "530102 20140305 1234", "ID530102201403051234"])
@pytest.mark.parametrize("column", ["就读方式", "户名", "开户银行"])
def test_number_in_another_column_is_shown_nowhere(cast: Cast, column: str, written: str) -> None:
    found = outcome(cast, pupil(1, **{column: written, "银行账号": "不详"}))
    shown = repr([(each.who, each.value, each.message) for each in found.findings])
    assert "1403" not in "".join(c for c in shown if c not in " -")
    assert "12345678" not in shown.replace(" ", "")


def test_row_with_several_faults_names_them_all(cast: Cast) -> None:
    found = outcome(cast, pupil(1, 姓名="张3", 班级=None, 就读方式="其他"))
    assert {finding.column for finding in found.findings} == {"姓名", "班级", "就读方式"}
    assert found.refused == 1


def test_missing_account_is_a_warning_and_the_row_is_taken(cast: Cast) -> None:
    found = outcome(cast, pupil(1, 开户银行=None, 银行账号=None, 户名=None, 户主与学生关系=None))
    assert (found.new, found.refused) == (1, 0)
    assert only_finding(found, "warning").message == "没有银行账号。"


def test_missing_account_is_no_matter_when_one_is_on_record(cast: Cast) -> None:
    outcome(cast, pupil(1))
    again = outcome(cast, pupil(1, 银行账号=None, 开户银行=None, 户名=None, 户主与学生关系=None))
    assert (again.same, again.warnings, again.findings) == (1, 0, [])


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("低保户", "是不是“农村低保”或“城镇低保”或“低保边缘家庭”？"),
        ("特困供养", "是不是“特困供养学生”？"),
        ("甲乙", "请改成下列之一"),
    ],
)
def test_word_for_a_kind_of_hardship_gets_a_suggestion(cast: Cast, word: str, remedy: str) -> None:
    row = pupil(1, 困难类别=word, 证明名称和编号="证 1")
    finding = only_finding(outcome(cast, row, headers=(*HEADERS, "困难类别", "证明名称和编号")))
    assert finding.remedy.startswith(remedy)


def test_errors_come_first_each_level_in_the_order_of_the_file(cast: Cast) -> None:
    found = outcome(cast, pupil(1, 银行账号=None), pupil(2, 班级=None), pupil(3, 银行账号=None), pupil(4, 班级=None))
    assert [(f.level, f.row) for f in found.findings] == [("error", 3), ("error", 5), ("warning", 2), ("warning", 4)]


def test_account_that_fails_luhn_is_taken_with_a_warning(cast: Cast) -> None:
    found = outcome(cast, pupil(1, 银行账号="6299000000000000052"))
    assert (found.new, found.refused) == (1, 0)
    assert "没有通过卡号校验" in only_finding(found, "warning").message


def test_relation_is_known_when_the_holder_is_pupil_or_guardian(cast: Cast) -> None:
    rows = [pupil(1, 户主与学生关系=None), pupil(2, 户名=pupil(2)["姓名"], 户主与学生关系=None)]
    assert outcome(cast, *rows).new == 2
    assert set(Pupil.objects.values_list("accounts__relation", flat=True)) == {"father", "self"}


def test_passport_needs_its_kind_sex_and_birth_date(cast: Cast) -> None:
    headers = (*HEADERS, "证件类型", "出生日期")
    bare = pupil(1, 证件类型="护照", 身份证件号="E1234567", 全国学籍号=None, 性别=None)
    whole = pupil(2, 证件类型="护照", 身份证件号="E7654321", 全国学籍号=None, 出生日期="2014-05-06")
    found = outcome(cast, bare, whole, headers=headers)
    assert (found.new, found.refused) == (1, 1)
    child = Pupil.objects.get()
    assert (child.id_kind, child.id_masked, child.birth_date) == ("other", "******21", dt.date(2014, 5, 6))


@pytest.mark.parametrize("kind", ["二代身份证", "身份证件", "居民身份证（二代）", "中华人民共和国居民身份证", "身份征"])
def test_wrong_number_of_a_resident_passes_under_no_name_of_its_paper(cast: Cast, kind: str) -> None:
    wrong = last_digit_changed(pupil(1)["身份证件号"])
    row = pupil(1, 身份证件号=wrong, 全国学籍号=None, 证件类型=kind, 出生日期="2014-03-05")
    found = outcome(cast, row, headers=(*HEADERS, "证件类型", "出生日期"))
    assert (found.new, found.refused) == (0, 1)


# --- rows against each other -------------------------------------------------------------------------


def test_same_pupil_twice_alike_is_taken_once_and_both_named(cast: Cast) -> None:
    found = outcome(cast, pupil(1), pupil(2), pupil(1))
    assert (found.new, found.refused) == (2, 1)
    assert (only_finding(found).row, only_finding(found, "warning").row) == (4, 2)
    assert "第 2 行重复" in only_finding(found).message


def test_same_pupil_twice_differently_is_refused_both_times(cast: Cast) -> None:
    found = outcome(cast, pupil(1), pupil(1, 就读方式="走读"), pupil(2))
    assert (found.new, found.refused) == (1, 2)
    assert [finding.row for finding in found.findings] == [2, 3]
    assert Pupil.objects.get().name == pupil(2)["姓名"]


def test_one_roll_number_for_two_ids_is_refused_both_times(cast: Cast) -> None:
    found = outcome(cast, pupil(1), pupil(2, 全国学籍号=pupil(1)["全国学籍号"]))
    assert (found.new, found.refused) == (0, 2)


def test_one_account_for_two_guardians_is_a_warning(cast: Cast) -> None:
    found = outcome(cast, pupil(1), pupil(2, 银行账号=pupil(1)["银行账号"]))
    assert (found.new, found.refused) == (2, 0)
    assert [finding.level for finding in found.findings] == ["warning", "warning"]


def test_one_account_for_siblings_is_fine(cast: Cast) -> None:
    family = {key: pupil(1)[key] for key in ("监护人姓名", "联系电话", "银行账号", "户名")}
    assert outcome(cast, pupil(1), pupil(2, **family)).findings == []


# --- rows against the register -----------------------------------------------------------------------


def test_pupil_on_another_schools_roster_is_refused_without_its_name(cast: Cast) -> None:
    rosters.import_roster(
        workbook(pupil(1, 年级="三年级")), unit=cast.school_b, term=cast.term, by=cast.officer_b, dry_run=False
    )
    found = outcome(cast, pupil(1), pupil(2))
    assert (found.new, found.refused) == (1, 1)
    finding = only_finding(found)
    assert "本县另一所学校" in finding.message
    assert cast.school_b.name not in repr(finding)
    assert Pupil.objects.get(name=pupil(1)["姓名"]).enrolments.get().school == cast.school_b


def test_roll_number_of_another_id_is_refused(cast: Cast) -> None:
    outcome(cast, pupil(1))
    found = outcome(cast, pupil(2, 全国学籍号=pupil(1)["全国学籍号"]))
    assert found.refused == 1
    assert "另一个证件号名下" in only_finding(found).message


def test_new_name_for_our_own_pupil_is_taken_with_a_warning(cast: Cast) -> None:
    outcome(cast, pupil(1))
    found = outcome(cast, pupil(1, 姓名="陈新名"))
    assert (found.changed, found.refused) == (1, 0)
    assert "姓名与原来登记的不同" in only_finding(found, "warning").message


def test_many_new_names_take_no_more_queries_than_one(cast: Cast) -> None:
    rows = [pupil(n) for n in range(1, 11)]
    outcome(cast, *rows)

    def queries(count: int) -> int:
        renamed = [{**row, "姓名": "李改名"} if n < count else row for n, row in enumerate(rows)]
        with CaptureQueriesContext(connection) as captured:
            rosters.import_roster(
                workbook(*renamed), unit=cast.school_a, term=cast.term, by=cast.officer_a, dry_run=True
            )
        return len(captured)

    assert queries(1) == queries(10)


def test_other_name_and_other_roll_number_under_one_id_is_refused(cast: Cast) -> None:
    outcome(cast, pupil(1))
    found = outcome(cast, pupil(1, 姓名="王二", 全国学籍号=pupil(2)["全国学籍号"]))
    assert found.refused == 1
    assert "另一个姓名" in only_finding(found).message
    assert Pupil.objects.get().name == pupil(1)["姓名"]


def test_row_of_another_school_is_refused(cast: Cast) -> None:
    found = outcome(cast, pupil(1, 学校名称=cast.school_b.name), headers=(*HEADERS, "学校名称"))
    assert "别的学校" in only_finding(found).message


# --- files that are no roster ------------------------------------------------------------------------


def refused(cast: Cast, content: bytes, name: str = "名册.xlsx") -> str:
    with pytest.raises(ValidationError) as refusal:
        rosters.check_roster(upload(content, name), unit=cast.school_a, term=cast.term, by=cast.officer_a)
    assert not RosterImport.objects.exists()
    return " ".join(refusal.value.messages)


def asked(cast: Cast, content: bytes) -> str:
    roster = rosters.check_roster(upload(content), unit=cast.school_a, term=cast.term, by=cast.officer_a)
    assert roster.state == "needs_mapping"
    assert roster.question
    return roster.question["sentence"]


def test_missing_columns_that_no_header_could_be_are_refused(cast: Cast) -> None:
    sentence = refused(cast, workbook(pupil(1), headers=("姓名", "身份证件号", "年级")))
    assert "缺少“班级”、“就读方式”列" in sentence


def test_account_without_holder_column_is_refused(cast: Cast) -> None:
    headers = tuple(header for header in HEADERS if header != "户名")
    assert "缺少“户名”列" in refused(cast, workbook(pupil(1), headers=headers))


def test_missing_columns_that_another_header_may_be_are_one_question(cast: Cast) -> None:
    headers = ("姓名", "身份证件号", "年级", "所在教学班", "住不住校")
    sentence = asked(cast, workbook(pupil(1, 所在教学班="1班", 住不住校="是"), headers=headers))
    assert "缺少“班级”、“就读方式”列" in sentence


def test_two_columns_for_one_thing_are_one_question(cast: Cast) -> None:
    sentence = asked(cast, workbook(pupil(1, 学生姓名="陈甲"), headers=(*HEADERS, "学生姓名")))
    assert "2 列都像“姓名”" in sentence


def test_sheet_without_headers_or_rows_is_refused(cast: Cast) -> None:
    assert "没有找到表头" in refused(cast, workbook({"甲": "一"}, headers=("甲", "乙")))
    assert "没有任何学生" in refused(cast, workbook())


@pytest.mark.parametrize("content", [b"", "姓名,班级\n张三,1班".encode(), b"PK\x03\x04broken"])
def test_what_is_no_workbook_is_refused_and_not_kept(cast: Cast, content: bytes) -> None:
    assert refused(cast, content)


# --- any workbook at all -----------------------------------------------------------------------------

cells = st.one_of(
    st.none(),
    st.text(max_size=25).filter(lambda text: all(ord(c) >= 32 for c in text)),
    st.integers(-(10**18), 10**19),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.dates(dt.date(1901, 1, 1), dt.date(2090, 1, 1)),
    st.sampled_from(["=1+1", "#REF!", "男", "走读", "七年级", "1班", *[str(value) for value in pupil(1).values()]]),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(HEADERS, cells)), max_size=4))
def test_any_rows_give_counts_that_add_up_or_a_sentence(cast: Cast, rows: list[dict[str, Any]]) -> None:
    try:
        content = workbook(*rows)
        found = rosters.import_roster(content, unit=cast.school_a, term=cast.term, by=cast.officer_a, dry_run=True)
    except ValidationError as refusal:
        assert refusal.messages  # noqa: PT017 (either is right: a sentence, or counts)
    else:
        assert found.total == found.new + found.changed + found.same + found.refused
        assert found.refused == len({(f.sheet, f.row) for f in found.findings if f.level == "error"})
