"""ID numbers, roll numbers, accounts and telephones: what is taken, what is refused, what is doubted."""

import datetime as dt

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.cn import ric

from students import fictitious, numbers

TODAY = dt.date(2026, 10, 12)
births = st.dates(dt.date(2003, 1, 1), dt.date(2023, 12, 31))
people = st.builds(fictitious.id_number, st.integers(0, 49999), born=births, sex=st.sampled_from(["male", "female"]))


def levels(findings: list[numbers.Finding]) -> list[str]:
    return [finding.level for finding in findings]


# --- ID numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014"])
def test_id_published_samples_of_the_standard_pass(number: str) -> None:
    value, findings = numbers.read_id_number(number, on=TODAY)
    assert value == number
    assert levels(findings) == ["warning"]  # too old for a pupil, nothing else


@given(people, st.sampled_from(["{}", " {} ", "{}\t", "'{}", "‘{}", "G{}", "g{}", "\u00a0{}\u3000", "{}\n"]))
def test_id_is_normalised_from_the_usual_ways_of_writing(number: str, way: str) -> None:
    spaced = f"{number[:6]} {number[6:14]} {number[14:].lower()}"
    assert numbers.read_id_number(way.format(number), on=TODAY) == (number, [])
    assert numbers.read_id_number(way.format(spaced), on=TODAY) == (number, [])


@given(people)
def test_id_full_width_digits_are_taken(number: str) -> None:
    wide = "".join(chr(ord(character) + 0xFEE0) for character in number)
    assert numbers.read_id_number(wide, on=TODAY)[0] == number


@given(people, st.integers(0, 17), st.sampled_from("0123456789X"))
def test_id_one_wrong_character_is_never_taken(number: str, place: int, other: str) -> None:
    assume(number[place] != other)
    value, findings = numbers.read_id_number(number[:place] + other + number[place + 1 :], on=TODAY)
    assert value == ""
    assert levels(findings) == ["error"]


@given(people, st.integers(0, 16))
def test_id_two_neighbours_exchanged_are_never_taken(number: str, place: int) -> None:
    assume(number[place] != number[place + 1])
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert numbers.read_id_number(swapped, on=TODAY)[0] == ""


@given(
    st.sampled_from(["110101", "310101", "440305", "510104", "530102"]),
    st.dates(dt.date(1990, 1, 1), dt.date(2020, 12, 31)),
    st.integers(0, 999),
    st.sampled_from("0123456789X"),
)
def test_id_agrees_with_stdnum_where_stdnum_knows_the_region(
    region: str, born: dt.date, serial: int, last: str
) -> None:
    number = f"{region}{born:%Y%m%d}{serial:03d}{last}"
    try:
        theirs = ric.is_valid(number)
    except Exception:  # stdnum fails on regions that are newer than its table
        assume(False)
    # Its table of regions has dates; whether the check character is right it knows for all of them.
    assume(theirs or numbers.check_character(number[:17]) != last)
    assert bool(numbers.read_id_number(number, on=TODAY)[0]) == theirs


@pytest.mark.parametrize("region", ["810000", "820000", "830000", "530115", "330113", "441901"])
def test_id_of_residence_permits_and_new_regions_passes_where_stdnum_fails(region: str) -> None:
    first_17 = f"{region}20150607123"
    number = first_17 + numbers.check_character(first_17)
    assert numbers.read_id_number(number, on=TODAY) == (number, [])
    assert numbers.id_facts(number).is_permit == (region[0] == "8")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "空的"),
        ("5399002014030500", "这里是 16 位"),
        ("539900140305007", "15 位的旧号码"),
        ("53990020140230007X", "真实的日期"),
        ("539900209901010070", "晚于今天"),
        ("E1234567", "护照"),
        ("５３９９００２０１４０３０５００", "这里是 16 位"),
        ("53990020140305\u0660\u0660\u0660\u0660", "17 位数字"),
    ],
)
def test_id_refusals_say_what_is_wrong(text: str, sentence: str) -> None:
    value, findings = numbers.read_id_number(text, on=TODAY)
    assert value == ""
    assert sentence in findings[0].message + findings[0].remedy


def test_id_refusal_never_tells_the_right_check_character() -> None:
    number = fictitious.id_number(7, born=dt.date(2014, 3, 5), sex="male")
    wrong = number[:17] + ("0" if number[17] != "0" else "1")
    _, findings = numbers.read_id_number(wrong, on=TODAY)
    assert "校验码" in findings[0].message
    assert number[17] not in findings[0].message.replace("18", "")


def test_id_of_unknown_province_is_a_warning() -> None:
    first_17 = "99990020140305123"
    number = first_17 + numbers.check_character(first_17)
    value, findings = numbers.read_id_number(number, on=TODAY)
    assert value == number
    assert levels(findings) == ["warning"]


def test_id_born_today_is_not_in_the_future() -> None:
    number = fictitious.id_number(1, born=TODAY, sex="male")
    assert numbers.read_id_number(number, on=TODAY)[0] == number


@given(births, st.sampled_from(["male", "female"]), st.integers(0, 49999))
def test_id_facts_give_back_birth_and_sex(born: dt.date, sex: str, serial: int) -> None:
    facts = numbers.id_facts(fictitious.id_number(serial, born=born, sex=sex))
    assert (facts.birth_date, facts.sex) == (born, sex)


def test_id_compared_with_sex_and_birth_date_beside_it() -> None:
    number = fictitious.id_number(1, born=dt.date(2014, 3, 5), sex="female")
    assert numbers.compare_with_id(number, sex="female", birth_date=dt.date(2014, 3, 5)) == []
    assert levels(numbers.compare_with_id(number, sex="male")) == ["error"]
    assert levels(numbers.compare_with_id(number, birth_date=dt.date(2014, 5, 3))) == ["error"]


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [("2014-03-05", "2026-03-04", 11), ("2014-03-05", "2026-03-05", 12), ("2016-02-29", "2026-02-28", 9)],
)
def test_age_counts_whole_years(born: str, day: str, age: int) -> None:
    assert numbers.age_on(dt.date.fromisoformat(born), dt.date.fromisoformat(day)) == age


def test_fictitious_people_all_have_different_numbers() -> None:
    born = dt.date(2014, 3, 5)
    made = {fictitious.id_number(serial, born=born, sex=sex) for serial in range(2000) for sex in ("male", "female")}
    assert len(made) == 4000
    assert all(number.startswith("5399") for number in made)


# --- 学籍号 ------------------------------------------------------------------------------------------


@given(people)
def test_roll_number_g_and_j_pass_with_their_check_character(number: str) -> None:
    assert numbers.read_roll_number(f"G{number}") == (f"G{number}", [])
    assert numbers.read_roll_number(f" j{number.lower()} ") == (f"J{number}", [])


@given(people, st.sampled_from("0123456789X"))
def test_roll_number_check_is_for_g_and_j_only(number: str, last: str) -> None:
    assume(number[17] != last)
    assert numbers.read_roll_number(f"G{number[:17]}{last}")[0] == ""
    value, findings = numbers.read_roll_number(f"L{number[:17]}{last}")
    assert value == f"L{number[:17]}{last}"
    assert levels(findings) == ["warning"]


@pytest.mark.parametrize("text", ["", "G123", "K539900201403050073", "G53990020140305007", "G 5399"])
def test_roll_number_of_another_shape_is_refused(text: str) -> None:
    assert numbers.read_roll_number(text)[0] == ""


def test_roll_number_that_differs_from_the_id_is_a_warning() -> None:
    one, two = (fictitious.id_number(serial, born=dt.date(2014, 3, 5), sex="male") for serial in (1, 2))
    assert numbers.compare_roll_with_id(f"G{one}", one) == []
    assert levels(numbers.compare_roll_with_id(f"G{one}", two)) == ["warning"]
    assert numbers.compare_roll_with_id(f"J{one}", two) == []


# --- accounts and telephones -------------------------------------------------------------------------


@given(st.text("0123456789", min_size=12, max_size=19))
def test_account_luhn_agrees_with_stdnum_and_only_warns(digits: str) -> None:
    value, findings = numbers.read_account_number(digits)
    assert value == digits
    assert levels(findings) == ([] if luhn.is_valid(digits) else ["warning"])


@given(st.integers(0, 10**14 - 1))
def test_account_of_fictitious_cards_passes(serial: int) -> None:
    card = fictitious.card_number(serial)
    assert len(card) == 19
    assert numbers.read_account_number(f"{card[:4]} {card[4:8]}-{card[8:]}") == (card, [])


@pytest.mark.parametrize("text", ["", "12345678901", "1" * 20, "6.2E+18", "6299000000000000O51", "六二九九"])
def test_account_of_another_shape_is_refused(text: str) -> None:
    assert numbers.read_account_number(text)[0] == ""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("138 1234 5678", "13812345678"),
        ("+86 13812345678", "13812345678"),
        ("138-1234-5678", "13812345678"),
        ("0871-63601234", "0871-63601234"),
        ("087163601234", "0871-63601234"),
        ("（0888）5123456", "0888-5123456"),
        ("010-12345678", "010-12345678"),
        ("0888 5123456", "0888-5123456"),
        ("12812345678", ""),
        ("1381234567", ""),
        ("63601234", ""),
        ("13812345678/13912345678", ""),
    ],
)
def test_phone_mobile_or_landline_with_area_code(text: str, value: str) -> None:
    assert numbers.read_phone(text)[0] == value


@given(st.text(max_size=40))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    for reader in (numbers.read_roll_number, numbers.read_account_number, numbers.read_phone, numbers.read_name):
        value, findings = reader(text)
        assert value or "error" in {finding.level for finding in findings}
    value, findings = numbers.read_id_number(text, on=TODAY)
    assert value or "error" in {finding.level for finding in findings}
    assert not any(len(text) > 4 and text in finding.message for finding in findings)
