"""Holidays as people type or paste them."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from students import calendar_text
from students.calendar_text import read_rest, read_work, spans, write


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def run(first: str, last: str, name: str) -> dict[dt.date, str]:
    days = (day(last) - day(first)).days + 1
    return {day(first) + dt.timedelta(days=n): name for n in range(days)}


@pytest.mark.parametrize(
    "text",
    [
        "2027-10-01-2027-10-07 国庆节",
        "2027/10/1-2027/10/7 国庆节",
        "2027.10.1~10.7 国庆节",
        "2027年10月1日至2027年10月7日 国庆节",
        "10月1日-10月7日 国庆节",
        "10月1日至7日 国庆节",
        "10月1日到7日国庆节",
        "国庆节：10月1日—7日",
        "　１０月１日至７日　国庆节　",
        "五、国庆节：10月1日（周五）至7日（周四）放假调休，共7天。",
        "10月1日、10月2日、10月3日-10月7日 国庆节",
    ],
)
def test_one_holiday_in_many_hands(text):
    assert read_rest(text, year=2027) == run("2027-10-01", "2027-10-07", "国庆节")


def test_several_lines_and_empty_ones():
    text = "1月1日 元旦\n\n  \n5月1日至5日 劳动节\n"
    assert read_rest(text, year=2027) == run("2027-01-01", "2027-01-01", "元旦") | run(
        "2027-05-01", "2027-05-05", "劳动节"
    )


def test_a_name_may_hold_two_festivals():
    assert set(read_rest("10月1日至8日 国庆节、中秋节", year=2025).values()) == {"国庆节、中秋节"}


def test_worked_days_need_no_name():
    assert read_work("2月14日（周六）、2月28日（周六）上班。", year=2026) == {
        day("2026-02-14"): "调休上班",
        day("2026-02-28"): "调休上班",
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("元旦", "第 1 行“元旦”看不懂"),
        ("1月1日 元旦\n国庆放七天", "第 2 行“国庆放七天”看不懂"),
        ("10月1日", "第 1 行没有写节日名称"),
        ("2月30日 春节", "第 1 行“2月30日”没有这一天"),
        ("13月1日 春节", "没有这一天"),
        ("10月7日至10月1日 国庆节", "第 1 行从10月7日到10月1日，起止日期不对"),
        ("1月1日至12月31日 放飞", "起止日期不对"),
        ("2026-10-01 国庆节", "第 1 行的 2026-10-01 不在 2027 年"),
        ("10月1日（周四） 国庆节", "第 1 行写的是周四，但 2027 年10月1日是周五"),
        ("10月1日至7日 国庆节\n10月7日 中秋节", "第 2 行的10月7日前面已经写过"),
        ("10月1日、10月1日 国庆节", "同一天写了两次"),
        ("1月1日至3日放假，1月4日上班", "第 1 行写着“上班”，请把这些日子移到“调休上班”一栏"),
        ("1月1日 3 元旦", "看不懂"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(text, sentence):
    with pytest.raises(ValidationError) as refused:
        read_rest(text, year=2027)
    assert sentence in "".join(refused.value.messages)


def test_every_bad_line_is_named_at_once():
    with pytest.raises(ValidationError) as refused:
        read_rest("哈哈\n1月1日 元旦\n2月31日 春节", year=2027)
    assert len(refused.value.messages) == 2


def test_a_worked_weekday_is_a_slip_of_the_pen():
    with pytest.raises(ValidationError, match="10月12日是周一，本来就上班"):
        read_work("10月12日", year=2026)
    with pytest.raises(ValidationError, match="移到“放假”一栏"):
        read_work("10月10日放假", year=2026)


@given(
    st.dictionaries(
        st.dates(dt.date(2027, 1, 1), dt.date(2027, 12, 31)), st.sampled_from(["元旦", "春节", "国庆节、中秋节"])
    )
)
def test_what_is_written_is_read_back(days):
    # A run longer than any holiday is refused on reading.
    if all((last - first).days < 16 for first, last, _ in spans(days)):
        assert read_rest(write(days), year=2027) == days


@given(st.text(alphabet="0123456789年月日至-/.() 周五国庆节放假上班,、\n", max_size=40))
def test_no_text_breaks_the_reader(text):
    for reader in (read_rest, read_work):
        try:
            found = reader(text, year=2027)
        except ValidationError:
            continue
        assert all(each.year == 2027 for each in found)


def test_spoken_has_no_leading_zeros():
    assert calendar_text.spoken(day("2027-01-05")) == "1月5日"
