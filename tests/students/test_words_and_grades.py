"""Grades, classes and the words of a roster: one value for many spellings, and nothing guessed."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from students import grades, words
from students.models import Stage


@pytest.mark.parametrize(
    ("text", "name", "stage"),
    [
        ("大班", "大班", "preschool"),
        ("一年级", "一年级", "primary"),
        ("小学三年级", "三年级", "primary"),
        ("6年级", "六年级", "primary"),
        ("七年级", "七年级", "junior"),
        ("初一", "七年级", "junior"),
        ("初中二年级", "八年级", "junior"),
        ("９年级", "九年级", "junior"),
        ("高一", "高一", "senior"),
        ("高中三年级", "高三", "senior"),
        (" 高 二 年级", "高二", "senior"),
    ],
)
def test_grade_spellings(text: str, name: str, stage: str) -> None:
    grade, findings = grades.read_grade(text)
    assert grade == grades.Grade(name, stage)
    assert findings == []


@pytest.mark.parametrize("text", ["", "7", "七", "2023级", "初四", "十年级", "=A1", "高级"])
def test_grade_that_is_not_sure_is_refused(text: str) -> None:
    grade, findings = grades.read_grade(text)
    assert grade is None
    assert findings[0].level == "error"


def test_grade_stages_are_those_of_the_register() -> None:
    assert {grade.stage for grade in grades.GRADES.values()} == set(Stage.values)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("1班", "1班"),
        ("1", "1班"),
        ("01班", "1班"),
        ("（一）班", "1班"),
        ("七（1）班", "1班"),
        ("七年级1班", "1班"),
        ("初一（12）班", "12班"),
        ("十二班", "12班"),
        ("七班", "7班"),
        ("育才班", "育才班"),
        ("七年级", ""),
    ],
)
def test_class_spellings_of_grade_seven(text: str, label: str) -> None:
    seven = grades.GRADES["七年级"]
    assert grades.read_class(text, seven) == (label, [])


@pytest.mark.parametrize(
    ("text", "grade", "label"),
    [
        *[(text, "三年级", "1班") for text in ("3.1", "三.1", "3-1班", "3．1", "三（1）班", "三1", "301", "301班")],
        ("七·12", "七年级", "12班"),
        ("一（2）班", "七年级", "2班"),  # 初一
        ("二(3)班", "高二", "3班"),
        *[(text, "七年级", "2班") for text in ("一二班", "七二班", "一(二)班", "七（二）班", "一年二班", "初一年2班")],
        *[(text, "三年级", "2班") for text in ("三年二班", "3年2班", "三二", "第2班", "第二班", "三年级第二班")],
        ("二三班", "八年级", "3班"),
        ("一十二班", "七年级", "12班"),
        ("二十三班", "八年级", "23班"),
        ("二(十三)班", "八年级", "13班"),
        ("三三十班", "三年级", "30班"),
        ("一七班", "七年级", "7班"),
        ("2024级1班", "七年级", "2024级1班"),  # a name some schools keep from year to year
        ("一二三班", "七年级", "一二三班"),
        ("301", "四年级", "301班"),  # a name, as far as anybody can tell
        ("300", "三年级", "300班"),
    ],
)
def test_a_class_counted_under_its_grade(text: str, grade: str, label: str) -> None:
    assert grades.read_class(text, grades.GRADES[grade]) == (label, [])


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("三年级1班", "四年级"),
        ("3.1", "四年级"),
        ("八（2）班", "七年级"),
        ("高一3班", "九年级"),
        ("二（1）班", "七年级"),
        ("二一班", "七年级"),
        ("四年二班", "三年级"),
    ],
)
def test_a_class_of_another_grade_is_refused(text: str, grade: str) -> None:
    label, findings = grades.read_class(text, grades.GRADES[grade])
    assert label == ""
    assert "对不上" in findings[0].message
    assert grade in findings[0].message


@given(st.integers(1, 60), st.sampled_from(["{}", "{}班", "({})班", "七{}班", "七年级（{}）班"]))
def test_class_number_survives_every_spelling(number: int, way: str) -> None:
    assert grades.class_label(way.format(number), grades.GRADES["七年级"]) == f"{number}班"


@pytest.mark.parametrize(("text", "name"), [("七年级1班", "七年级"), ("初一3班", "七年级"), ("高二（3）班", "高二")])
def test_grade_of_class_where_the_class_says_it(text: str, name: str) -> None:
    grade = grades.grade_of_class(text)
    assert grade is not None
    assert grade.name == name


@pytest.mark.parametrize(
    "text", ["中职一年级", "中职1年级", "职一", "职高一", "职高一年级", "中专一年级", "技校一年级", "中职一"]
)
def test_vocational_grades_under_their_usual_names(text: str) -> None:
    grade, findings = grades.read_grade(text)
    assert (grade, findings) == (grades.Grade("中职一年级", "vocational"), [])


@pytest.mark.parametrize("text", ["一年级", "1年级", "高一", "一", "1", "2026级", "26级"])
def test_where_all_are_of_a_vocational_school_its_first_grade_is_the_first(text: str) -> None:
    short = grades.short_forms(["vocational"], 2026)
    assert grades.read_grade(text, short)[0] == grades.Grade("中职一年级", "vocational")


def test_the_last_vocational_grade_ends_and_none_follows_senior_school() -> None:
    one, two, three = (grades.GRADES[f"中职{numeral}年级"] for numeral in "一二三")
    assert [grades.next_grades(grade) for grade in (one, two, three)] == [(two,), (three,), ()]
    assert grades.next_grades(grades.GRADES["高三"]) == ()
    assert grades.promoted_name("中职一年级2班", one, two) == "中职二年级2班"


@pytest.mark.parametrize("text", ["1班", "七1班", "小一班", "育才班", ""])
def test_grade_of_class_is_not_guessed(text: str) -> None:
    assert grades.grade_of_class(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("住校", "boarding"), ("2", "boarding"), ("走读", "day"), ("1", "day"), ("１", "day"), ("", "")),
        *(("半寄宿", "half"), ("半寄宿生", "half"), ("半住校", "half")),
    ],
)
def test_boarding_words_and_codes(text: str, value: str) -> None:
    assert words.read_boarding(text) == (value, [])


@pytest.mark.parametrize("text", ["9", "其他", "是"])
def test_boarding_that_decides_nothing_is_refused(text: str) -> None:
    assert words.read_boarding(text)[1][0].level == "error"


@pytest.mark.parametrize(
    ("text", "value"), [("汉", "汉族"), ("汉族", "汉族"), ("15", "土家族"), ("毛难族", "毛南族"), ("穿青人", "穿青人")]
)
def test_ethnicity_names_and_codes(text: str, value: str) -> None:
    assert words.read_ethnicity(text)[0] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, "resident") for text in ("", "1", "b", "居民身份证", "二代身份证", "身份证件", "户口本")],
        *[(text, "permit") for text in ("港澳台居民居住证", "台湾居民居住证", "港澳台居住证")],
        *[(text, "other") for text in ("护照", "外国人永久居留身份证", "台湾居民来往大陆通行证", "6", "A", "其他")],
        ("身份征", ""),
        ("有", ""),
    ],
)
def test_kinds_of_papers(text: str, value: str) -> None:
    found, findings = words.read_id_kind(text)
    assert (found, bool(findings)) == (value, not value)


def test_ethnicities_are_the_fifty_six_in_order() -> None:
    assert len(words.ETHNICITIES) == 56
    assert (words.ETHNICITIES[0], words.ETHNICITIES[14], words.ETHNICITIES[55]) == ("汉", "土家", "基诺")


@pytest.mark.parametrize("text", ["班主任", "王老师", "同学"])
def test_relation_of_teachers_and_classmates_is_refused(text: str) -> None:
    value, findings = words.read_relation(text)
    assert value == ""
    assert "不能发到" in findings[0].message


@pytest.mark.parametrize(
    "text",
    [
        "2014-05-06",
        "2014/5/6",
        "2014.5.6",
        "2014年5月6日",
        "20140506",
        "２０１４-05-06",
        "2014-5-6 00:00:00",
        "2014/05/06 0:00",
    ],
)
def test_date_spellings(text: str) -> None:
    assert words.read_date(text) == (dt.date(2014, 5, 6), [])


MONTHS = ["2026.12", "2026/12", "2026-11", "2026-115", "2026年11月", "2026年1-2", "2026.1/2"]


@pytest.mark.parametrize("text", ["2014-02-30", "5/6/2014", "201456", "41765", "2014-05-06 08:30", *MONTHS])
def test_date_that_is_not_sure_is_refused(text: str) -> None:
    value, findings = words.read_date(text)
    assert value is None
    assert findings[0].level == "error"


@pytest.mark.parametrize(
    ("stages", "text", "name"),
    [
        *[(["primary"], text, "三年级") for text in ("三", "3", "2024级", "24级")],
        *[(["junior"], text, "七年级") for text in ("一", "1", "七", "7", "2026级")],
        (["senior"], "三", "高三"),
    ],
)
def test_short_grade_is_sure_where_there_is_one_stage(stages: list[str], text: str, name: str) -> None:
    short = grades.short_forms(stages, 2026)
    assert grades.read_grade(text, short) == (grades.Grade(name, stages[0]), [])
    (finding,) = grades.read_grade(text, grades.short_forms(["primary", "junior"], 2026))[1]
    assert "不止一个学段" in finding.message


def test_year_nobody_of_the_stage_entered_in_is_no_grade() -> None:
    assert grades.read_grade("2020级", grades.short_forms(["primary"], 2026))[0] is None


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["三1班"], "三年级1班"),
        (["三(2)班", "三年级2班花名册"], "三年级2班"),
        (["第二十三小学2026年秋季三年级（十一）班学生名单"], "三年级11班"),
        (["二十三班"], ""),
        (["三1班", "三年级2班花名册"], ""),
        (["三年级1班和三年级2班"], ""),
        (["名册"], ""),
    ],
)
def test_class_said_by_the_name_or_title_of_a_sheet(texts: list[str], said: str) -> None:
    assert grades.class_said(texts, grades.short_forms(["primary"], 2026)) == said


def test_class_is_not_said_where_its_grade_is_not_sure() -> None:
    assert grades.class_said(["三1班"]) == ""
