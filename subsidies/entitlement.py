"""What a pupil is entitled to, and the sentence that explains it. Pure: no model is imported.

Rules come in as plain values, facts as they were frozen on the application. The answer names the rule,
its document and dates, the category and the boarding status it rests on, or says why there is none.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from accounts.templatetags.aid import cn_date

STANDING_NAMES = {
    "suspended": "正在休学",
    "transferred": "已转出",
    "withdrawn": "已退学",
    "graduated": "已毕业",
    "deceased": "已去世",
}
BOARDING_NAMES = {"boarding": "寄宿", "day": "走读"}
STAGE_NAMES = {"preschool": "学前", "primary": "小学", "junior": "初中", "senior": "普通高中"}


@dataclass(frozen=True)
class Hardship:
    """A hardship category a pupil holds, with the days it is valid (None: no end)."""

    code: str
    name: str
    source: str  # 系统比对 / 学校自采集
    valid_from: dt.date
    valid_to: dt.date | None


@dataclass(frozen=True)
class Facts:
    stage: str
    boarding: str
    grade: str  # hardship grade proposed or decided (特别困难 …); "" where the programme has no tiers
    hardships: tuple[Hardship, ...]
    standing: str = "present"


@dataclass(frozen=True)
class StandardRule:
    """One dated row of the standards. Empty text means "any"; terms are keys such as 2023-2024-2, inclusive."""

    key: int
    stage: str
    boarding: str
    tier: str
    amount: Decimal  # 元 per term
    document: str
    first_term: str
    last_term: str


@dataclass(frozen=True)
class CategoryRule:
    """A category the programme accepts, in the terms from first to last (inclusive, "" = open)."""

    code: str
    boarding: str
    first_term: str
    last_term: str


@dataclass(frozen=True)
class ProgrammeRules:
    name: str
    stages: tuple[str, ...]
    tiered: bool
    standards: tuple[StandardRule, ...]
    categories: tuple[CategoryRule, ...]


@dataclass(frozen=True)
class Entitlement:
    """`amount` in 元 per term, None if not entitled; `standard` is the key of the row used."""

    amount: Decimal | None
    sentence: str
    standard: int | None = None
    document: str = ""

    @property
    def is_entitled(self) -> bool:
        return self.amount is not None


def entitlement(facts: Facts, rules: ProgrammeRules, *, term: str, term_name: str, on: dt.date) -> Entitlement:
    """The amount for one term and why.

    `term` is the key of the term paid for (the rule is chosen by term, not by today: a raise published in
    May that counts from spring applies to spring); `on` is the day on which hardship must be valid.
    """
    if facts.standing != "present":
        return _none(f"该生{STANDING_NAMES.get(facts.standing, facts.standing)}，不能享受{rules.name}。")
    if facts.stage not in rules.stages:
        return _none(f"{rules.name}不面向{_stage(facts.stage)}学生。")
    accepted = {
        rule.code
        for rule in rules.categories
        if rule.boarding in ("", facts.boarding) and _covers(rule.first_term, rule.last_term, term)
    }
    held = [h for h in facts.hardships if h.valid_from <= on and (h.valid_to is None or on <= h.valid_to)]
    grounds = [h for h in held if h.code in accepted]
    if not grounds:
        return _none(_why_no_ground(held, facts, rules.name, on))
    fitting = [row for row in rules.standards if _fits(row, facts, term, tiered=rules.tiered)]
    if not fitting:
        return _none(_why_no_standard(facts, rules, term_name))
    # Two rows for one case would be a mistake in the table; the table's own check refuses it, and so do we.
    if len({row.amount for row in fitting}) > 1:
        return _none(f"{rules.name}有{len(fitting)}条标准同时适用且金额不同，请县资助中心先更正标准。")
    row = fitting[0]
    return Entitlement(row.amount, _sentence(facts, grounds, row, rules, term_name), row.key, row.document)


def _fits(row: StandardRule, facts: Facts, term: str, *, tiered: bool) -> bool:
    return (
        row.stage == facts.stage
        and row.boarding in ("", facts.boarding)
        and (not tiered or row.tier == facts.grade)
        and _covers(row.first_term, row.last_term, term)
    )


def _covers(first: str, last: str, term: str) -> bool:
    return first <= term and (not last or term <= last)


def _sentence(
    facts: Facts, grounds: Iterable[Hardship], row: StandardRule, rules: ProgrammeRules, term_name: str
) -> str:
    kinds = "；".join(_ground(h) for h in grounds)
    case = f"{_stage(facts.stage)}{_boarding(facts.boarding)}学生"
    if rules.tiered:
        case += f"，认定等级为{facts.grade}"
    until = f"至{term_label(row.last_term)}" if row.last_term else "起"
    since = f"自{term_label(row.first_term)}{until}执行"
    return (
        f"{term_name}：该生为{case}，属{kinds}，"
        f"符合{rules.name}条件；按{row.document}（{since}），每学期{row.amount:.2f}元。"
    )


def _ground(h: Hardship) -> str:
    until = f"至{cn_date(h.valid_to)}" if h.valid_to else "起有效"
    return f"{h.name}（{h.source}，{cn_date(h.valid_from)}{until}）"


def _why_no_ground(held: list[Hardship], facts: Facts, programme: str, on: dt.date) -> str:
    if held:
        names = "、".join(h.name for h in held)
        return f"现有困难类别（{names}）不在{programme}对{_boarding(facts.boarding)}学生的资助范围内。"
    expired = [h for h in facts.hardships if h.valid_to and h.valid_to < on]
    if expired:
        last = max(expired, key=lambda h: h.valid_to or on)
        return f"{last.name}已于{cn_date(last.valid_to)}失效，没有其他有效的困难类别；请先核实并登记新的困难类别。"
    return "没有登记有效的困难类别；请先在学生页登记困难类别和证明。"


def _why_no_standard(facts: Facts, rules: ProgrammeRules, term_name: str) -> str:
    if rules.tiered and not facts.grade:
        return f"{rules.name}分档资助，请先选择困难等级。"
    case = f"{_stage(facts.stage)}{_boarding(facts.boarding)}" + (f"、{facts.grade}" if rules.tiered else "")
    return f"{rules.name}在{term_name}没有适用于{case}学生的标准；请县资助中心先维护标准。"


def _none(sentence: str) -> Entitlement:
    return Entitlement(None, sentence)


def _stage(code: str) -> str:
    return STAGE_NAMES.get(code, code)


def _boarding(code: str) -> str:
    return BOARDING_NAMES.get(code, code)


def term_label(key: str) -> str:
    """2023-2024-2 → 2024年春季学期."""
    first, second, half = key.split("-")
    return f"{first}年秋季学期" if half == "1" else f"{second}年春季学期"
