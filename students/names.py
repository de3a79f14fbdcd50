"""Pinyin initials of a name, by which a pupil is found from the keyboard: 张小明 → ZXM.

Pure. Every name has one string of initials. A character with several readings counts by the one that names
use: as a surname by the surname's own reading (单 Shàn, 曾 Zēng, 尉迟 Yùchí), elsewhere by the commonest.
So 乐 in a given name is L, also for somebody who is called Yuè; such a pupil is found by the name itself.
"""

import unicodedata
from functools import cache

from .numbers import MIDDLE_DOT, NAME_MAX, is_han

# Surnames whose first letters differ from the usual reading of the characters.
_SURNAMES = {
    **{"尉迟": "YC", "单于": "CY", "澹台": "TT", "长孙": "ZS", "万俟": "MQ", "宿勤": "SQ", "令狐": "LH"},
    **{"单": "S", "曾": "Z", "区": "O", "仇": "Q", "解": "X", "查": "Z", "翟": "Z", "乐": "Y", "员": "Y", "繁": "P"},
    **{"秘": "B", "洗": "X", "折": "S", "种": "C", "重": "C", "祭": "Z", "乜": "N", "句": "G", "覃": "Q", "佴": "N"},
    **{"阚": "K", "炅": "G", "藏": "Z", "卜": "B", "郇": "X", "隗": "K", "缪": "M", "晁": "C", "仝": "T", "朝": "C"},
    **{"盖": "G", "华": "H", "任": "R", "朴": "P", "褚": "C", "召": "S", "过": "G", "俞": "Y", "沈": "S", "车": "C"},
}
# Characters of given names whose commonest reading there is not the first of the dictionary.
_GIVEN = {"长": "C", "重": "C", "曾": "Z", "传": "C", "晟": "S", "隽": "J", "茜": "X", "咸": "X", "阚": "K"}


def initials(name: str) -> str:
    """The capitals by which the name is found, at most NAME_MAX; "" when nothing in it can be read.

    Latin letters stay as they are, without accents; dots, blanks and characters nobody reads are left out.
    """
    surname = "" if MIDDLE_DOT in name else _surname(name)
    given = "".join(map(_letters, name[len(surname) :]))
    return (_SURNAMES.get(surname, "") + given)[:NAME_MAX]


def _surname(name: str) -> str:
    """The surname with a reading of its own that the name begins with, or ""."""
    return next((name[:length] for length in (2, 1) if name[:length] in _SURNAMES), "")


@cache
def _letters(character: str) -> str:
    """The capitals of one character; a county's names use a few thousand different ones."""
    if character in _GIVEN:
        return _GIVEN[character]
    # One character may be written as several: Å as A and a ring, 爫 of the compatibility block as its plain form.
    return "".join(map(_letter, unicodedata.normalize("NFKD", character)))


def _letter(character: str) -> str:
    reading = _readings().get(ord(character), "") if is_han(character) else character
    # The first letter without its tone: è is e and a grave.
    first = unicodedata.normalize("NFKD", reading)[:1].upper()
    return first if "A" <= first <= "Z" else ""


@cache
def _readings() -> dict[int, str]:
    """The readings of each character, commonest first. Loaded with the first name: it is a large table."""
    from pypinyin.pinyin_dict import pinyin_dict

    return pinyin_dict
