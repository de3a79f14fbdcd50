"""Grades and classes as schools write them: 七年级, 初一, 高中二年级; 1班, （一）班, 七(1)班. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from .numbers import Finding, error

# Stage values of students.models.Stage, spelt out so that this module stays free of models.
_CHINESE = "一二三四五六七八九"
_PRESCHOOL = {"小班": "小班", "中班": "中班", "大班": "大班"}
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


@dataclass(frozen=True)
class Grade:
    """A grade under its one name, and the stage it belongs to."""

    name: str  # 七年级
    stage: str  # a value of Stage

    @property
    def prefixes(self) -> tuple[str, ...]:
        """How a class of this grade may begin (七年级1班, 七1班), longest first."""
        # By name alone: 六年级 is spelt the same where it belongs to junior school (五四学制).
        spellings = {word for word, grade in GRADES.items() if grade.name == self.name}
        return tuple(sorted(spellings, key=len, reverse=True))

    @property
    def ordinals(self) -> frozenset[str]:
        """The numerals its classes may be counted under: 七 and 一 of 七年级 (初一), 三 of 三年级."""
        return frozenset(word[-1] for word in self.prefixes if len(word) <= 2 and word[-1] in _CHINESE)


def _grades() -> dict[str, Grade]:
    table: dict[str, Grade] = {}
    for name in _PRESCHOOL:
        grade = Grade(name, "preschool")
        table |= {name: grade, f"幼儿园{name}": grade, f"学前{name}": grade}
    for number, numeral in enumerate(_CHINESE, start=1):
        grade = Grade(f"{numeral}年级", "primary" if number <= 6 else "junior")
        table |= {f"{numeral}年级": grade, f"{number}年级": grade, numeral: grade}
        if number <= 6:
            table |= {f"小学{numeral}年级": grade, f"小{numeral}": grade}
    for number, numeral in enumerate("一二三", start=1):
        junior = Grade(f"{_CHINESE[number + 5]}年级", "junior")
        senior = Grade(f"高{numeral}", "senior")
        for word, grade in (("初", junior), ("高", senior)):
            table |= {f"{word}{numeral}": grade, f"{word}{numeral}年级": grade, f"{word}中{numeral}年级": grade}
    for number, numeral in enumerate("一二三", start=1):
        grade = Grade(f"中职{numeral}年级", "vocational")
        table |= dict.fromkeys((f"职{numeral}", f"职高{numeral}"), grade)
        for word in ("中职", "职高", "中专", "技校"):
            table |= {f"{word}{numeral}年级": grade, f"{word}{number}年级": grade, f"{word}{numeral}": grade}
    return table


# Every accepted spelling → the grade. Spellings that name two grades (a bare 7, 2023级) are not in it.
GRADES: dict[str, Grade] = _grades()
NO_SHORT_FORMS: Mapping[str, Grade] = MappingProxyType({})
_NAME_OF = {"senior": "高{}", "vocational": "中职{}年级"}
_SHORT = re.compile(r"[1-9一二三四五六七八九]|(20)?[0-9]{2}级")
_YEARS = {"primary": _CHINESE[:6], "junior": _CHINESE[6:], "senior": _CHINESE[:3], "vocational": _CHINESE[:3]}


def short_forms(stages: Iterable[str], school_year: int) -> dict[str, Grade]:
    """What 三, 3 and 2024级 mean where all pupils are of one stage; nothing where there are several.

    `school_year` is the calendar year it began in: a class that entered in it is in its first grade.
    """
    (stage, *others) = set(stages) or {""}
    if others or stage not in _YEARS:
        return {}
    found: dict[str, Grade] = {}
    for year, numeral in enumerate(_YEARS[stage]):
        grade = Grade(_NAME_OF.get(stage, "{}年级").format(numeral), stage)
        own, entered = _CHINESE.index(numeral) + 1, school_year - year
        spellings = (_CHINESE[year], str(year + 1), numeral, str(own), f"{entered}级", f"{entered % 100:02}级")
        found |= dict.fromkeys(spellings, grade)
        if stage == "vocational":  # as many schools of the kind count: 一年级, or as if of senior high
            found |= dict.fromkeys((f"{numeral}年级", f"{own}年级", f"高{numeral}"), grade)
    return found


def tidy(text: str) -> str:
    return re.sub(r"\s+", "", text.translate(_HALF_WIDTH))


def read_grade(text: str, short: Mapping[str, Grade] = NO_SHORT_FORMS) -> tuple[Grade | None, list[Finding]]:
    """The grade named by the text. Nothing is guessed: an unknown word is an error. `short`: see `short_forms`."""
    word = tidy(text)
    if word in short:
        return short[word], []
    # A lone numeral is only good inside a class name (七1班); as a grade it may mean anything.
    if word in GRADES and len(word) > 1:
        return GRADES[word], []
    if not word:
        return None, [error("年级是空的。", "请填写年级，例如“七年级”。")]
    if _SHORT.fullmatch(word) and not short:
        sentence = "只写这个看不出是哪个学段的几年级：这里的学生不止一个学段。"
        return None, [error(sentence, "请写全，例如“三年级”“九年级”“高三”。")]
    return None, [error("看不懂这个年级。", "请写成“大班”“三年级”“七年级”“高一”这样的年级名称。")]


def read_class(text: str, grade: Grade) -> tuple[str, list[Finding]]:
    """The class within its grade in one spelling: "1班" for 1, 01班, （一）班, 七(1)班; names stay (育才班)."""
    label = tidy(text)
    if not label:
        return "", [error("班级是空的。", "请填写班级，例如“1班”。")]
    if label[0] in "=+-@" or len(label) > 20:
        return "", [error("这不像班级名称。", "请写成“1班”这样的名称。")]
    said, numbered = grade_of_class(label), _with_ordinal(label)
    if (said and said.name != grade.name) or (numbered and numbered[0] not in grade.ordinals):
        return "", [error(f"班级和年级（{grade.name}）对不上。", "请核对年级、班级两列，改正写错的一列。")]
    return class_label(label, grade), []


def class_label(text: str, grade: Grade) -> str:
    label = tidy(text)
    if len(label) > 1 and label in grade.prefixes:
        return ""  # the only class of its grade, called by the grade's name
    ordinal, rest = _with_ordinal(label) or _three_digits(label) or ("", "")
    if ordinal in grade.ordinals:
        label = rest
    else:
        for prefix in grade.prefixes:
            if label.startswith(prefix) and label not in (prefix, f"{prefix}班"):
                label = label.removeprefix(prefix)
                break
    numbered = _NUMBERED.fullmatch(label)
    return f"{_number(numbered[1])}班" if numbered else label


_DIGIT = f"[{_CHINESE}]"
_NUMERAL = f"{_DIGIT}?十{_DIGIT}?|{_DIGIT}"  # up to 九十九; 一二 is no number but two
_NUMBERED = re.compile(rf"第?[(\[]?([0-9]+|{_NUMERAL})[)\]]?班?")
# 三(1)班, 三2班, 三二班, 3.1, 三-2班, 三年二班: the grade's number, then the class's. 二十三班 is the twenty-third.
_ORDINAL_FIRST = (
    re.compile(rf"({_DIGIT})[(\[]([0-9]{{1,2}}|{_NUMERAL})[)\]]班?"),
    re.compile(rf"({_DIGIT})([0-9]{{1,2}}|{_DIGIT}(?:十{_DIGIT}?)?)班?"),
    re.compile(rf"([1-9{_CHINESE}])[.、·—-]([0-9]{{1,2}}|{_NUMERAL})班?"),
    re.compile(rf"[初高]?([1-9{_CHINESE}])年[(\[]?([0-9]{{1,2}}|{_NUMERAL})[)\]]?班"),
)


def _with_ordinal(label: str) -> tuple[str, str] | None:
    """(numeral of the grade, number of the class) of a class name that has both."""
    found = next(filter(None, (way.fullmatch(label) for way in _ORDINAL_FIRST)), None)
    return (_numeral(found[1]), found[2]) if found else None


def _three_digits(label: str) -> tuple[str, str] | None:
    """As `_with_ordinal`, of 301 or 301班; in a grade that is not the third it is only a name."""
    found = re.fullmatch(r"([1-9])([0-3][0-9])班?", label)
    return (_numeral(found[1]), found[2]) if found and int(found[2]) else None


def _numeral(text: str) -> str:
    return _CHINESE[int(text) - 1] if text.isascii() else text


def class_name(grade: Grade, label: str) -> str:
    """The name of the class unit in its school: 七年级1班."""
    return f"{grade.name}{label}"


def _number(text: str) -> int:
    if text.isascii():
        return int(text)
    tens, ten, ones = text.rpartition("十")
    values = {numeral: number for number, numeral in enumerate(_CHINESE, start=1)}
    return (values.get(tens, 1) * 10 if ten else 0) + values.get(ones, 0)


def grade_of_class(text: str, short: Mapping[str, Grade] = NO_SHORT_FORMS) -> Grade | None:
    """The grade that a class name says by itself: 七年级1班; and 三(1)班 where `short` says what 三 is.

    七1班 alone does not say it surely, nor does 小一班, which may be 小学一年级 or the first 小班.
    """
    label = tidy(text)
    sure = (word for word in GRADES if len(word) > 1 and (word[0] != "小" or word[-1] in "班级"))
    spelt = sorted((word for word in sure if label.startswith(word)), key=len)
    if spelt:
        return GRADES[spelt[-1]]
    numbered = _with_ordinal(label)
    return short.get(numbered[0]) if numbered else None


# A grade and the number of a class, in the name of a sheet or in the title over a table.
_SAID = re.compile(
    r"(?<![一二三四五六七八九十0-9])(?:"
    r"(?:(?:小学|初中|高中)?[1-9一二三四五六七八九]年级|[初高][一二三])[(\[]?(?:[0-9]{1,2}|[一二三四五六七八九十]{1,3})[)\]]?班"
    r"|[一二三四五六七八九](?:[(\[](?:[0-9]{1,2}|[一二三四五六七八九十]{1,3})[)\]]|[0-9]{1,2})班)"
)


def class_said(texts: Sequence[str], short: Mapping[str, Grade] = NO_SHORT_FORMS) -> str:
    """The one class of which the texts speak, as 七年级1班; "" where they say none, or two, or not surely which."""
    said = {found[0] for text in texts for found in _SAID.finditer(tidy(text))}
    sure = {(grade, class_label(each, grade)) for each in said if (grade := grade_of_class(each, short))}
    if len(sure) != 1:
        return ""
    ((grade, label),) = sure
    return class_name(grade, label) if all(read_class(each, grade) == (label, []) for each in said) else ""


# --- from one school year to the next ----------------------------------------------------------------

# Every grade in order, and what may come after it, the usual way first. 五年级 may be the last of primary school
# (五四学制), and then 六年级 is the first of junior school.
_SIXTH = (Grade("六年级", "primary"), Grade("六年级", "junior"))
_ROAD = (
    *(Grade(name, "preschool") for name in _PRESCHOOL),
    *(Grade(f"{numeral}年级", "primary") for numeral in _CHINESE[:5]),
    *_SIXTH,
    *(Grade(f"{numeral}年级", "junior") for numeral in _CHINESE[6:]),
    *(Grade(f"高{numeral}", "senior") for numeral in "一二三"),
)
_VOCATIONAL = tuple(Grade(f"中职{numeral}年级", "vocational") for numeral in "一二三")


def _next() -> dict[Grade, tuple[Grade, ...]]:
    single = [grade for grade in _ROAD if grade not in _SIXTH]
    table: dict[Grade, tuple[Grade, ...]] = {grade: (after,) for grade, after in pairwise(single)}
    table |= {grade: (after,) for grade, after in pairwise(_VOCATIONAL)}
    table[single[-1]] = table[_VOCATIONAL[-1]] = ()
    table[Grade("五年级", "primary")] = _SIXTH
    return table | dict.fromkeys(_SIXTH, (Grade("七年级", "junior"),))


# The grade → the grades a class of it may be in next year; 高三 and 中职三年级 end.
NEXT: dict[Grade, tuple[Grade, ...]] = _next()


def next_grades(grade: Grade) -> tuple[Grade, ...]:
    """What a class of the grade may become next year, the usual way first; nothing for the last or an unknown one."""
    return NEXT.get(grade, ())


def promoted_name(name: str, before: Grade, after: Grade) -> str:
    """The class's name a year later: 七年级1班 → 八年级1班. A name that does not speak of its grade stays (育才班)."""
    prefix = next((prefix for prefix in before.prefixes if len(prefix) > 1 and name.startswith(prefix)), "")
    return f"{after.name}{name.removeprefix(prefix)}" if prefix else name
