"""The initials by which a pupil is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from students.names import initials
from students.numbers import NAME_MAX


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("张小明", "ZXM"),
        ("单雄信", "SXX"),
        ("曾小贤", "ZXX"),
        ("区凤", "OF"),
        ("仇英", "QY"),
        ("解小龙", "XXL"),
        ("盖文", "GW"),
        ("华罗", "HL"),
        ("任红", "RH"),
        ("查良", "ZL"),
        ("翟天", "ZT"),
        ("朴树", "PS"),
        ("覃丽", "QL"),
        ("尉迟恭", "YCG"),
        ("万俟雪", "MQX"),
        ("单于梅", "CYM"),
        ("尉红", "WH"),
        ("欧阳小曼", "OYXM"),
        ("乐小乐", "YXL"),  # a surname Yuè, a given name as most people read it
        ("阿依古丽·买买提", "AYGLMMT"),
        ("解热·买提", "JRMT"),  # written by sound: no surname there
        ("Anne-Marie Lévy", "ANNEMARIELEVY"),
        ("王Lily", "WLILY"),
        ("䶮龑", "YY"),
        ("\ue000小明", "XM"),  # a character of nobody's: left out
        ("·", ""),
        ("", ""),
    ],
)
def test_initials(name: str, expected: str):
    assert initials(name) == expected


@given(st.text())
def test_any_text_gives_capitals(name: str):
    found = initials(name)
    assert found == "" or (found.isascii() and found.isalpha() and found.isupper())
    assert len(found) <= NAME_MAX


@given(st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=30))
def test_every_ordinary_character_has_a_letter(name: str):
    assert initials(f"王{name}")[0] == "W"
    assert len(initials(f"{name}·")) == len(name)
