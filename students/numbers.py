"""What a number or a name must look like: ID number, 学籍号, bank account, telephone, names.

Pure: no models, no settings, no clock. Every reader takes the text of a cell or a field and returns the
normalised value with what was found. An error means that the value cannot be used (the value is then ""); a
warning means that it can, and that somebody should look.
"""

import datetime as dt
import operator
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

Reading = tuple[str, list["Finding"]]


@dataclass(frozen=True)
class Finding:
    """Something to say about a value: what is wrong, and what to do. Never holds the value itself."""

    level: Literal["error", "warning"]
    message: str
    remedy: str


def error(message: str, remedy: str) -> Finding:
    return Finding("error", message, remedy)


def warning(message: str, remedy: str) -> Finding:
    return Finding("warning", message, remedy)


# --- normalising -----------------------------------------------------------------------------------

# Full-width ASCII (！ to ～) to ASCII. Numbers only: a name keeps the characters it was written with.
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
# Besides white space: what copying from a web page or typing ' to make a text cell leaves behind.
_LEFT_BEHIND = "\u200b\u200c\u200d\u2060\ufeff'’‘`"


def tidy_number(text: str) -> str:
    """The text without blanks of any kind and apostrophes, half-width, in capitals."""
    return "".join(c for c in text.translate(_HALF_WIDTH) if not c.isspace() and c not in _LEFT_BEHIND).upper()


# --- 公民身份号码 (GB 11643-1999) --------------------------------------------------------------------

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"
_OF_ZEROS = sum(WEIGHTS) * ord("0")
_EIGHTEEN = re.compile(r"[0-9]{17}[0-9X]")
_FIFTEEN = re.compile(r"[0-9]{15}")
# The first two digits. Codes of counties come and go while people keep their numbers, so no finer table.
PROVINCES = frozenset(
    map(str, (*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71))
)
# 港澳台居民居住证: the same rule, with these regions.
PERMITS = frozenset({"81", "82", "83"})
PUPIL_AGES = range(2, 26)  # whole years; outside it somebody should look
_AGAINST_PAPER = "请对照户口簿或身份证逐位核对后改正。"


@dataclass(frozen=True)
class IdFacts:
    """What a valid 18-digit number says about its holder."""

    birth_date: dt.date
    sex: Literal["male", "female"]
    is_permit: bool  # a residence permit for Hong Kong, Macao and Taiwan residents


def check_character(first_17: str) -> str:
    """The eighteenth character: ISO 7064 MOD 11-2 over the first seventeen digits."""
    if len(first_17) != len(WEIGHTS) or not (first_17.isascii() and first_17.isdigit()):
        raise ValueError("A check character is made of seventeen digits.")
    # Over the bytes, which are numbers already: lists bring hundreds of thousands.
    return _CHECK_CHARACTERS[(sum(map(operator.mul, first_17.encode(), WEIGHTS)) - _OF_ZEROS) % 11]


def tidy_id_number(text: str) -> str:
    """The number in the one form that is stored and searched. A 学籍号 G + ID gives the ID."""
    tidy = tidy_number(text)
    return tidy[1:] if len(tidy) == 19 and tidy[0] == "G" else tidy


def read_id_number(text: str, *, on: dt.date) -> Reading:
    """A resident ID or residence permit number; `on` is the day by which a birth date is in the future."""
    number = tidy_id_number(text)
    if not _EIGHTEEN.fullmatch(number):
        return "", [_id_shape(number)]
    born = _date(number[6:14])
    if born is None:
        return "", [error("证件号第 7 至 14 位不是真实的日期。", _AGAINST_PAPER)]
    if born > on:
        return "", [error("证件号里的出生日期晚于今天。", _AGAINST_PAPER)]
    if check_character(number[:17]) != number[17]:
        return "", [error("证件号的校验码不对，说明 18 位里至少有一位写错了。", _AGAINST_PAPER)]
    return number, _id_warnings(number, born, on)


def id_facts(number: str) -> IdFacts:
    """What the number says. The number must have passed `read_id_number`."""
    born = _date(number[6:14])
    if born is None:
        raise ValueError("id_facts wants a number that read_id_number has accepted.")
    return IdFacts(born, "male" if int(number[16]) % 2 else "female", number[:2] in PERMITS)


def compare_with_id(number: str, *, sex: str = "", birth_date: dt.date | None = None) -> list[Finding]:
    """Whether a sex and a birth date given beside the number agree with it. Absent ones do."""
    facts, findings = id_facts(number), []
    if sex and sex != facts.sex:
        findings.append(error("性别与证件号第 17 位不一致。", "请对照户口簿，改正性别或证件号。"))
    if birth_date and birth_date != facts.birth_date:
        findings.append(error("出生日期与证件号第 7 至 14 位不一致。", "请对照户口簿，改正出生日期或证件号。"))
    return findings


def read_other_document(text: str) -> Reading:
    """The number of a passport, travel permit or other paper: no rule is shared but letters and digits."""
    number = tidy_number(text)
    if not re.fullmatch(r"[A-Z0-9()/-]{5,24}", number):
        return "", [error("证件号应为 5 至 24 位字母和数字。", "请对照证件原件改正。")]
    return number, [warning("登记的不是居民身份证，系统无法校验号码。", "发放前请再次核对证件原件。")]


def _id_shape(number: str) -> Finding:
    if not number:
        return error("证件号是空的。", "请填写 18 位身份证件号。")
    if _FIFTEEN.fullmatch(number):
        return error("证件号是 15 位的旧号码。", "请改填 18 位公民身份号码。")
    if re.fullmatch(r"[0-9X]+", number):
        return error(f"证件号应为 18 位，这里是 {len(number)} 位。", _AGAINST_PAPER)
    return error("证件号只能是 17 位数字加一位数字或 X。", f"{_AGAINST_PAPER}护照等其他证件请加一列“证件类型”写明。")


def _id_warnings(number: str, born: dt.date, on: dt.date) -> list[Finding]:
    findings = []
    if number[:2] not in PROVINCES | PERMITS:
        findings.append(warning("证件号前两位不是现行的省级代码。", "请对照户口簿核对；确实如此可以不改。"))
    if age_on(born, on) not in PUPIL_AGES:
        findings.append(
            warning(f"按证件号计算为 {age_on(born, on)} 周岁，不像在校学生。", "请核对是否填成了家长的证件号。")
        )
    return findings


def age_on(born: dt.date, day: dt.date) -> int:
    """Whole years of age on a day; somebody born on 29 February turns a year older on 1 March."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _date(eight_digits: str) -> dt.date | None:
    try:
        return dt.date(int(eight_digits[:4]), int(eight_digits[4:6]), int(eight_digits[6:]))
    except ValueError:
        return None


# --- 学籍号 ------------------------------------------------------------------------------------------

_ROLL = re.compile(r"[GJL][0-9]{17}[0-9X]")


def read_roll_number(text: str) -> Reading:
    """A national roll number: G + ID number, J + school region and birth date, or L, the temporary one."""
    number = tidy_number(text)
    if not _ROLL.fullmatch(number):
        return "", [error("学籍号应为 G、J 或 L 加 18 位，共 19 位。", "请从学籍系统重新复制全国学籍号。")]
    # The last four of an L number are random; only G and J end in a check character.
    if number[0] != "L" and check_character(number[1:18]) != number[18]:
        return "", [error("学籍号的校验码不对，至少有一位写错了。", "请从学籍系统重新复制全国学籍号。")]
    if number[0] == "L":
        return number, [warning("L 开头的是临时学籍号。", "转为正式学籍号后请重新导入，系统会更新。")]
    return number, []


def compare_roll_with_id(roll_number: str, id_number: str) -> list[Finding]:
    """A G number is made of the ID number of its day; that the two differ happens when an ID was changed."""
    if roll_number.startswith("G") and roll_number[1:] != id_number:
        return [warning("学籍号与证件号不一致。", "如果学生换过身份证号，可以不改；否则请核对两个号码。")]
    return []


# --- bank account and telephone ----------------------------------------------------------------------


def tidy_account(text: str) -> str:
    return re.sub("[-—–]", "", tidy_number(text))


def read_account_number(text: str) -> Reading:
    """A card or passbook account. Luhn is a warning only: passbooks and some 农信 accounts do not follow it."""
    number = tidy_account(text)
    if not re.fullmatch(r"[0-9]{12,19}", number):
        return "", [error("银行账号应为 12 至 19 位数字。", "请对照银行卡或存折改正；还没有账号就把这一格留空。")]
    if not passes_luhn(number):
        return number, [
            warning("银行账号没有通过卡号校验。", "如果是存折或农信社账号可以不改；如果是银行卡请逐位核对。")
        ]
    return number, []


def passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812: from the right, every second digit doubled and its digits added; the sum ends in 0."""
    doubled = (sum(divmod(int(digit) * 2, 10)) for digit in digits[-2::-2])
    return (sum(int(digit) for digit in digits[::-2]) + sum(doubled)) % 10 == 0


# 010 and 02x are three digits, every other area code is four: without that 0888-5123456 could be split wrongly.
_AREA = "010|02[0-9]|0[3-9][0-9]{2}"


def read_phone(text: str) -> Reading:
    """A mobile number, or a landline with its area code (stored with a hyphen)."""
    tidy = tidy_number(text).replace("—", "-").replace("–", "-")
    mobile = re.fullmatch(r"(?:\+?86|0086)?-?(1[3-9][0-9]{9})", tidy.replace("-", ""))
    if mobile:
        return mobile[1], []
    landline = re.fullmatch(rf"\(?({_AREA})\)?-?([0-9]{{7,8}})", tidy)
    if landline:
        return f"{landline[1]}-{landline[2]}", []
    return "", [error("电话应为 11 位手机号，或带区号的固定电话。", "请改正，只填一个号码；没有就留空。")]


# --- names -------------------------------------------------------------------------------------------

MIDDLE_DOT = "\u00b7"
_DOTS = "・•‧．.∙⋅"
_FORMULA_STARTS = "=+-@＝＋－＠\t\r"
_EDGES = " \t\r\n\u00a0\u2002\u2003\u2009\u3000\u200b\ufeff"
NAME_MAX = 60
_LETTERS = ("Lu", "Ll", "Lt", "Lo", "Lm", "Co")


def is_han(character: str) -> bool:
    """Whether this is a Chinese character, the rare ones of planes 2 and 3 (䶮 is in A, 𬎆 in E) included."""
    code = ord(character)
    return (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0xF900 <= code <= 0xFAFF
        # Whole planes: Python's own table is older than the newest extensions and calls them unassigned.
        or 0x20000 <= code <= 0x3FFFD
        or character in "〇々"
    )


def read_name(text: str, *, what: str = "姓名") -> Reading:
    """A person's name as the person's papers write it: nothing is folded, only edges and dots are tidied.

    Never NFKC: it would turn compatibility characters that are somebody's name into others.
    """
    name = text.strip(_EDGES)
    if not name:
        return "", [error(f"{what}是空的。", f"请填写{what}。")]
    if name[0] in _FORMULA_STARTS:
        return "", [error(f"{what}以“{name[0]}”开头，像是公式。", f"请直接填写{what}的文字。")]
    name = _tidy_inside(name)
    refusal = _refuse_characters(name, what)
    if refusal:
        return "", [refusal]
    if len(name) > NAME_MAX:
        return "", [error(f"{what}超过 {NAME_MAX} 个字。", "请核对是否粘贴了别的内容。")]
    return name, _name_warnings(name, what)


def tidy_name(text: str) -> str:
    """The name as `read_name` writes it, where it is looked for and not kept in the register: nothing is refused."""
    return _tidy_inside(text.strip(_EDGES))


_UNSEEN = re.compile("[\u200b\u2060\ufeff]")
# A line broken beside a single character is a name that did not fit; between longer parts there may be two people.
_WRAPPED = re.compile(r"^([^\s!-~])\s*[\r\n]+\s*(?=\S+$)|(?<=\S)\s*[\r\n]+\s*([^\s!-~])$")


def _tidy_inside(name: str) -> str:
    """Blanks between Chinese characters go (张　三 is 张三); dots between them become the one middle dot."""
    name = _WRAPPED.sub(lambda found: found[1] or found[2], _UNSEEN.sub("", name))
    name = re.sub(rf"\s*[{re.escape(_DOTS)}{MIDDLE_DOT}]\s*", _one_dot, name)
    return re.sub(r"[ \u00a0\u3000]+", _one_blank, name)


def _one_dot(found: re.Match[str]) -> str:
    return MIDDLE_DOT if _between_han(found) else found[0]


def _one_blank(found: re.Match[str]) -> str:
    return "" if _between_han(found) else " "


def _between_han(found: re.Match[str]) -> bool:
    text = found.string
    before, after = text[: found.start()][-1:], text[found.end() :][:1]
    return bool(before and after) and is_han(before) and is_han(after)


def run_together(name: str) -> str:
    """The name without blanks and dots."""
    return _BLANKS_AND_DOTS.sub("", name)


_BLANKS_AND_DOTS = re.compile(rf"[\s\u200b\u2060\ufeff{re.escape(_DOTS)}{MIDDLE_DOT}]+")
_ADDED = re.compile(r"[（(\[【〔].*?[）)\]】〕]")


def name_key(name: str) -> str:
    """What the spellings of one person's name have in common: letters and digits, without dots, blanks and what stands
    in brackets; "" where there are none. For asking who may be meant, never for what is kept.

    Chinese characters are not folded, as in `read_name`; letters are, so that ｊｏｈｎ and John are one.
    """
    letters = "".join(c if is_han(c) else unicodedata.normalize("NFKC", c) for c in name)
    letters = _ADDED.sub("", letters) or letters
    return "".join(c for c in letters if is_han(c) or unicodedata.category(c) in (*_LETTERS, "Nd")).casefold()


def _refuse_characters(name: str, what: str) -> Finding | None:
    for character in name:
        category = unicodedata.category(character)
        if is_han(character) or category in _LETTERS or _is_variation(character):
            continue
        if character in f"{MIDDLE_DOT} -.’'":  # Latin names: Anne-Marie, O'Neil, J. Smith
            continue
        if character in "?？□〓■\ufffd":
            return error(
                f"{what}里有“{character}”，可能是生僻字在别的软件里丢失了。", "请对照户口簿补上原字，不要用符号代替。"
            )
        if category in ("Nd", "Nl", "No"):
            return error(f"{what}里有数字。", f"请只填{what}的文字；区分同名学生用班级和学籍号。")
        if category in ("Cc", "Cf", "Zl", "Zp", "Cs"):
            return error(f"{what}里有看不见的控制字符。", "请手工重新输入，不要从网页粘贴。")
        return error(f"{what}里有不能用的符号“{character}”。", f"请只填{what}的文字；少数民族姓名用间隔号“·”。")
    return None


def _is_variation(character: str) -> bool:
    """A variation selector: it belongs to the form of the character before it."""
    return 0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF


def _name_warnings(name: str, what: str) -> list[Finding]:
    findings = []
    if any(unicodedata.category(character) == "Co" for character in name):
        findings.append(
            warning(f"{what}里有自造字（私用区），别的电脑上可能显示不出来。", "请改用国家标准里的同一个字。")
        )
    if len(name) == 1:
        findings.append(warning(f"{what}只有一个字。", "请核对是否漏填。"))
    return findings
