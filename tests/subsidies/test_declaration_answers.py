"""What a family may say on the form, and what is asked again. No database."""

import dataclasses
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidies import declaration_answers
from subsidies.declaration_answers import Answers, Member, doubts, faults, from_json
from subsidies.declaration_words import HEALTH, IN_HOUSEHOLD, PRESENCE, RELATIONS
from tests.cast import answers

FATHER = Member("张建国", "父亲", age=41, income=24_000)

words = st.text(alphabet=string.ascii_letters + "张王李", max_size=6)
members = st.builds(
    Member,
    name=words,
    relation=st.sampled_from(["", *RELATIONS]),
    presence=st.sampled_from(list(PRESENCE)),
    age=st.none() | st.integers(-3, 130),
    workplace=words,
    occupation=words,
    income=st.none() | st.integers(-5, 20_000_000),
    health=st.sampled_from(list(HEALTH)),
)
families = st.builds(
    Answers,
    household=st.integers(0, 15),
    members=st.lists(members, max_size=14).map(tuple),
    address=words,
    studying=st.integers(0, 15),
    supported=st.integers(0, 15),
    unemployed=st.integers(0, 15),
    reason=words,
)


def test_the_income_of_a_head_is_that_of_the_household_over_all_heads() -> None:
    said = answers(household=3)
    assert (said.income, said.income_per_head) == (25_200, 8_400)


def test_the_dead_and_the_divorced_are_listed_and_do_not_count() -> None:
    mother = Member("李秀英", "母亲", presence="dead", income=None)
    apart = Member("张大山", "父亲", presence="apart", age=44, income=90_000)
    said = answers(household=2, members=(FATHER, mother, apart))
    assert faults(said) == {}
    assert said.income == 24_000


def test_an_income_may_not_be_left_empty() -> None:
    said = answers(members=(dataclasses.replace(FATHER, income=None),), household=2)
    assert "没有收入填 0" in faults(said)["member-0-income"]


@pytest.mark.parametrize(
    ("told", "field", "sentence"),
    [
        ({"members": ()}, "members", "至少填写一名家庭成员"),
        ({"household": 2}, "household", "列出了 3 口人"),
        ({"studying": 0}, "studying", "至少是 1"),
        ({"supported": 4}, "supported", "不能多于家庭人口 3 人"),
        ({"address": ""}, "address", "详细通讯地址"),
        ({"members": (dataclasses.replace(FATHER, age=None),)}, "member-0-age", "请填写年龄"),
        ({"members": (dataclasses.replace(FATHER, relation="舅舅"),)}, "member-0-relation", "请选择与学生的关系"),
    ],
)
def test_what_cannot_be_is_named_at_its_field(told: dict, field: str, sentence: str) -> None:
    assert sentence in faults(answers(**told))[field]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (answers(household=6), "表里只列出 3 人"),
        (answers(members=(dataclasses.replace(FATHER, name="张大山"),)), "登记的监护人张建国不在家庭成员中"),
        (answers(), "没有填母亲"),
        (answers(members=(dataclasses.replace(FATHER, income=0),), household=2), "合计为 0 元"),
        (answers(members=(dataclasses.replace(FATHER, health="major"),), weakness=""), "“劳动能力弱情况”没有写"),
        (answers(weakness=""), "困难在哪里"),
    ],
)
def test_what_is_odd_is_asked_and_not_refused(said: Answers, sentence: str) -> None:
    assert any(sentence in words for words in doubts(said, guardian="张建国"))


def test_a_form_without_oddities_asks_nothing() -> None:
    mother = Member("李秀英", "母亲", presence="dead")
    said = answers(members=(*answers().members, mother))
    assert doubts(said, guardian="张建国", groups=1) == []


@given(families)
def test_what_is_kept_is_read_back_the_same(said: Answers) -> None:
    assert from_json(declaration_answers.as_json(said)) == said


@given(families)
def test_a_family_without_faults_has_a_household_that_holds_everybody(said: Answers) -> None:
    if faults(said):
        return
    counted = [member for member in said.members if member.presence in IN_HOUSEHOLD]
    assert said.household > len(counted)
    assert said.income == sum(member.income or 0 for member in counted)
    assert said.income_per_head is not None
    assert said.income_per_head * said.household <= said.income
    assert isinstance(doubts(said), list)


def test_a_form_of_before_is_read_without_what_is_no_longer_asked() -> None:
    held = declaration_answers.as_json(answers()) | {"cattle": 3}
    held["members"] = [{**row, "shoe_size": 40} for row in held["members"]]
    assert from_json(held) == answers()
