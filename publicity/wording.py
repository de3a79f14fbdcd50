"""What a notice must not say, whoever typed it: numbers and dates of persons, homes, words of hardship.

教财厅函〔2017〕28号 names identity, card and phone numbers, home address and date of birth; the kinds of hardship
follow from 教财〔2018〕16号. Pure functions over text; each gives the sentence for the person, or nothing.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Collection

from accounts.redaction import redact

_PRIVATE_WORDS = re.compile(
    r"低保|残疾|孤儿|特困|无人抚养|建档立卡|脱贫|易致贫|突发严重困难|监测对象|困境儿童|困难职工|烈士|单亲|留守|重病|"
    r"(?:特别|一般)困难|身份证|证件号|学籍号|银行卡|卡号|账号|手机号|出生|生日|住址|家庭地址|监护人"
)
_DATE = re.compile(r"(?<!\d)(\d{4})(?:\s?[-/.年]\s?(\d{1,2})\s?[-/.月]\s?(\d{1,2})\s?日?|(\d{2})(\d{2})(?!\d))")
# A village group, or a flat: where a family lives, not where a school stands.
_HOME = re.compile(r"村[^，。；、\s]{0,8}\d+\s?组|\d+\s?村民小组|\d+\s?[栋幢][^，。；\s]{0,4}单元|单元\s?\d+\s?[室号]")
# A landline with or without area code and extension, a mobile, a 400 or 800 number, a short one such as 12345.
_ONE_PHONE = (
    r"(?:(?:\(0\d{2,3}\)|0\d{2,3}[ \-]?)?[2-9]\d{6,7}(?:(?:转|-)\d{1,6})?"
    r"|1[3-9]\d[ \-]?\d{4}[ \-]?\d{4}|[48]00-?\d{3}-?\d{4}|1\d{4})"
)
_PHONES = re.compile(rf"{_ONE_PHONE}(?:[ 、,;/]+{_ONE_PHONE})*")


def refusal(text: str, *, birth_dates: Collection[dt.date] = (), own_names: Collection[str] = ()) -> str:
    """Why the text may not stand on a notice; "" when it may.

    `birth_dates` are those of the pupils on the list: any other date is just a date. `own_names` (of the
    school) may hold any word: a school for the disabled still has to sign its notices.
    """
    text = unicodedata.normalize("NFKC", text)
    for name in own_names:
        text = text.replace(unicodedata.normalize("NFKC", name), " ")
    if any(day in birth_dates for day in _dates(text)):
        return "公示中不能出现学生的出生日期，请删去。"
    if redact(text) != text:
        return "公示中不能出现身份证号、学籍号、银行卡号或手机号，请删去。"
    if found := _PRIVATE_WORDS.search(text):
        return f"公示中不能出现“{found.group()}”这类涉及家庭情况或个人隐私的内容，请删去。"
    if found := _HOME.search(text):
        return f"“{found.group()}”像是家庭住址，公示中不能出现，请删去。"
    return ""


def phone_refusal(text: str, *, birth_dates: Collection[dt.date] = ()) -> str:
    """Why the text is no public telephone number; "" when it is one (or several)."""
    text = unicodedata.normalize("NFKC", text).strip()
    # A date written tight has the shape of a number without area code.
    if not _PHONES.fullmatch(text) or any(day in birth_dates for day in _dates(text)):
        return "监督电话只填对外公布的电话号码，例如 0870-2123456；有几个的，用顿号隔开。"
    return ""


def _dates(text: str) -> list[dt.date]:
    found = []
    for year, month, day, tight_month, tight_day in _DATE.findall(text):
        try:
            found.append(dt.date(int(year), int(month or tight_month), int(day or tight_day)))
        except ValueError:
            continue  # 2026年13月: no date, so nobody's birthday
    return found
