"""What a pupil is entitled to, and the sentence that explains it. Pure: no model is imported.

Rules come in as plain values, facts as they were frozen on the application. A rule is a conjunction of `Check`s;
each check says which facts it looked at and what it found, in words. The answer names the rule, its document and
dates, the evidence and the status it rests on, the formula; or the check that failed. `rests_on` are the facts that
mattered: changing any other leaves the amount as it is.
"""

import datetime as dt
import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import NamedTuple

from accounts.templatetags.aid import cn_date
from students.term_keys import is_autumn

from .dated_terms import is_in_force, span_label
from .policy_words import STANDING_NAMES, condition_name, condition_value

_FEN = Decimal("0.01")


@dataclass(frozen=True)
class Hardship:
    """A hardship category a pupil holds, with the days it is valid (None: no end) and what its list says of it."""

    code: str
    name: str
    source: str  # 系统比对 / 学校自采集
    valid_from: dt.date
    valid_to: dt.date | None
    evidence: str = ""
    flags: tuple[tuple[str, str], ...] = ()  # (享受政策, 是)


@dataclass(frozen=True)
class Facts:
    """What is known of a pupil in a term. A text is "" where nothing is recorded: that meets no condition."""

    stage: str
    boarding: str
    tier: str  # of hardship, proposed or decided (特别困难 …); "" where the programme has no tiers
    hardships: tuple[Hardship, ...]
    standing: str = "present"
    grade: str = ""  # 七年级
    ownership: str = ""  # of the school
    registration: str = ""  # of the household: rural, urban
    region: str = ""  # where the household is registered, six digits
    major: str = ""  # kind of vocational major
    schooling: str = ""  # ordinary, special
    boarding_since: dt.date | None = None
    attended: Decimal | None = None  # months or days of the term; None: all of them
    presence: str = ""  # in words, from when to when that was
    had_before: bool = False  # a one-time aid was paid already


class Condition(NamedTuple):
    """One fact (a name of Facts) must be one of the values."""

    fact: str
    values: frozenset[str]


class Flag(NamedTuple):
    """What a list must say of the pupil: 享受政策 is 是. `code`: the category it is said of."""

    code: str
    name: str
    values: frozenset[str]


@dataclass(frozen=True)
class StandardRule:
    """One dated row of the standards; terms are keys such as 2023-2024-2, inclusive, "" = open."""

    key: int
    amount: Decimal  # 元 per unit of the programme
    document: str
    first_term: str
    last_term: str = ""
    conditions: tuple[Condition, ...] = ()
    any_of: frozenset[str] = frozenset()  # categories: at least one of them
    all_of: frozenset[str] = frozenset()
    none_of: frozenset[str] = frozenset()
    flags: tuple[Flag, ...] = ()
    periods: Decimal = Decimal(1)  # months or days of a term, where the programme is reckoned by them


class Ground(NamedTuple):
    """A category the programme accepts, of boarders, of day pupils or ("") of both, in the terms from first to last."""

    code: str
    boarding: str
    first_term: str
    last_term: str


@dataclass(frozen=True)
class ProgrammeRules:
    """A programme as plain values.

    `recipients`: "all" of its stages, or "listed" (who holds an accepted category); how many of them is the quota's
    matter. `unit`: what an amount is for — term, year, month, day or once. `highest_wins` (就高不就低): of several
    fitting rows the highest counts; without it two fitting amounts are a mistake.
    """

    name: str
    stages: tuple[str, ...]
    standards: tuple[StandardRule, ...]
    grounds: tuple[Ground, ...] = ()
    recipients: str = "listed"
    unit: str = "term"
    tiered: bool = False
    highest_wins: bool = False
    pro_rata: bool = False


@dataclass(frozen=True)
class Entitlement:
    """`amount` in 元 for the term, None if not entitled; `standard` is the key of the row used.

    `rests_on` names the facts that mattered: names of Facts, and `category:dibao_rural` for holding (or not holding)
    a category with what its list says of it.
    """

    amount: Decimal | None
    sentence: str
    rests_on: frozenset[str] = frozenset()
    standard: int | None = None
    document: str = ""

    @property
    def is_entitled(self) -> bool:
        return self.amount is not None


class Check(NamedTuple):
    """One condition looked at: the facts that decided it, whether it is met, and if not, why not."""

    facts: frozenset[str]
    is_met: bool
    words: Callable[[], str] = str  # put together when they are read: of most checks nobody reads them


def amount_of(facts: Facts, rules: ProgrammeRules, *, term: str, on: dt.date) -> Decimal | None:
    """元 for one term as `entitlement` has it, without the words."""
    return _Case(facts, rules, term, on).amount


def entitlement(facts: Facts, rules: ProgrammeRules, *, term: str, term_name: str, on: dt.date) -> Entitlement:
    """The amount for one term and why.

    `term` is the key of the term paid for (the rule is chosen by term, not by today: a raise published in
    May that counts from spring applies to spring); `on` is the day on which hardship must be valid.
    """
    case = _Case(facts, rules, term, on)
    rests_on = _facts_of(case.gates)
    if case.refused:
        return Entitlement(None, case.refused.words(), case.refused.facts)
    best = case.best
    if best is None:
        rests_on |= _turned_away(case.rows, rests_on)
        return Entitlement(None, _why_no_standard(facts, rules, case.rows, term_name), rests_on)
    if case.is_torn:
        sentence = f"{rules.name}有{len(case.fitting)}条标准同时适用且金额不同，请县资助中心先更正标准。"
        return Entitlement(None, sentence, rests_on.union(*(_facts_of(row.checks) for row in case.fitting)))
    if case.amount is None and facts.attended is not None and facts.attended <= 0:
        return Entitlement(None, f"{term_name}该生没有实际在校，{rules.name}没有应发金额。", rests_on | {"attended"})
    rivals = [row for row in case.rows if not row.fits and _would_change(row.amount, best.amount, rules)]
    rests_on |= _facts_of(best.checks)
    rests_on |= _turned_away(rivals, rests_on)
    if case.amount is None:
        return Entitlement(None, f"{term_name}按{best.rule.document}折算不足一分，{rules.name}没有应发金额。", rests_on)
    return Entitlement(
        best.amount,
        _sentence(facts, rules, best, _named(facts, rules, case.held, term, rests_on), rests_on, term_name),
        rests_on,
        best.rule.key,
        best.rule.document,
    )


class _Case:
    """Facts held against the rules of a term: which gate refuses, which rows fit, which of them is paid."""

    def __init__(self, facts: Facts, rules: ProgrammeRules, term: str, on: dt.date) -> None:
        self.held = held_on(facts, on)
        self.gates = tuple(_gates(facts, rules, self.held, term, on))
        self.refused = next((gate for gate in self.gates if not gate.is_met), None)
        rows = () if self.refused else rules.standards
        self.rows = [_Row(row, facts, rules, self.held, term) for row in rows if is_in_force(row, term)]
        self.fitting = [row for row in self.rows if row.fits]
        self.best = max(self.fitting, key=lambda row: (row.amount, -row.rule.key), default=None)
        # Two amounts for one child: the table's own check refuses such rows, and so do we.
        self.is_torn = not rules.highest_wins and len({row.amount for row in self.fitting}) > 1

    @property
    def amount(self) -> Decimal | None:
        return None if self.best is None or self.is_torn else self.best.amount or None


def _would_change(amount: Decimal, paid: Decimal, rules: ProgrammeRules) -> bool:
    """Whether a row that does not fit would change what is paid if it did."""
    return amount > paid if rules.highest_wins else amount != paid


def held_on(facts: Facts, on: dt.date) -> tuple[Hardship, ...]:
    """The hardships that are valid on the day, each category once."""
    valid = {each.code: each for each in facts.hardships if _is_valid(each, on)}
    return tuple(valid.values())


def _is_valid(hardship: Hardship, on: dt.date) -> bool:
    return hardship.valid_from <= on and (hardship.valid_to is None or on <= hardship.valid_to)


# --- the programme's gates -------------------------------------------------------------------------


def _gates(facts: Facts, rules: ProgrammeRules, held: tuple[Hardship, ...], term: str, on: dt.date) -> Iterator[Check]:
    standing = STANDING_NAMES.get(facts.standing, facts.standing)
    yield Check(frozenset({"standing"}), facts.standing == "present", lambda: f"该生{standing}，不能享受{rules.name}。")
    stage = condition_value("stage", facts.stage)
    yield Check(frozenset({"stage"}), facts.stage in rules.stages, lambda: f"{rules.name}不面向{stage}学生。")
    if rules.recipients == "listed":
        yield _ground_check(facts, rules, held, term, on)
    if rules.unit == "once":
        paid = f"该生已经领取过{rules.name}，这一项目每人只发放一次。"
        yield Check(frozenset({"had_before"}), not facts.had_before, lambda: paid)


def _ground_check(facts: Facts, rules: ProgrammeRules, held: tuple[Hardship, ...], term: str, on: dt.date) -> Check:
    accepted = [ground for ground in rules.grounds if is_in_force(ground, term)]
    if grounds := _grounds(facts, rules, held, term):
        codes = {each.code for each in grounds}
        # Of several grounds one is enough; with one for either boarding status, that status is no matter.
        any_status = {ground.code for ground in accepted if not ground.boarding} & codes
        one = min(any_status or codes)
        return Check(frozenset({_category(one)} | (set() if any_status else {"boarding"})), is_met=True)
    looked_at = {_category(ground.code) for ground in accepted}
    if any(ground.boarding for ground in accepted):
        looked_at.add("boarding")
    return Check(frozenset(looked_at), False, lambda: _why_no_ground(facts, rules, held, on))


def _grounds(facts: Facts, rules: ProgrammeRules, held: tuple[Hardship, ...], term: str) -> tuple[Hardship, ...]:
    if rules.recipients != "listed":
        return ()
    accepted = {
        ground.code for ground in rules.grounds if ground.boarding in ("", facts.boarding) and is_in_force(ground, term)
    }
    return tuple(each for each in held if each.code in accepted)


def _named(
    facts: Facts, rules: ProgrammeRules, held: tuple[Hardship, ...], term: str, rests_on: frozenset[str]
) -> list[Hardship]:
    """The kinds of hardship the sentence speaks of: the grounds, and what the row asks for beside them."""
    grounds = _grounds(facts, rules, held, term)
    return [each for each in held if each in grounds or _category(each.code) in rests_on]


def _category(code: str) -> str:
    return f"category:{code}"


# --- the rows --------------------------------------------------------------------------------------


class _Row:
    """A row of the standards held against the facts: its checks, and what it would pay for the term."""

    def __init__(
        self, rule: StandardRule, facts: Facts, rules: ProgrammeRules, held: tuple[Hardship, ...], term: str
    ) -> None:
        self.rule = rule
        self.checks = tuple(checks(rule, facts, held))
        self.amount = for_term(rule, rules, term, attended=facts.attended)
        if rules.pro_rata:
            self.checks += (Check(frozenset({"attended"}), is_met=True),)

    @property
    def fits(self) -> bool:
        return all(check.is_met for check in self.checks)

    @property
    def unmet(self) -> list[Check]:
        return [check for check in self.checks if not check.is_met]


def checks(rule: StandardRule, facts: Facts, held: tuple[Hardship, ...]) -> Iterator[Check]:
    """The row's conditions, each held against the facts."""
    for condition in rule.conditions:
        value = getattr(facts, condition.fact)
        words = functools.partial(_why_not_met, condition, value)
        yield Check(frozenset({condition.fact}), value in condition.values, words)
    codes = {each.code: each for each in held}
    if rule.any_of:
        met = sorted(rule.any_of & codes.keys())
        looked_at = met[:1] or rule.any_of
        yield Check(frozenset(map(_category, looked_at)), bool(met), lambda: "该生不属于这条标准所列的困难类别")
    for code in sorted(rule.all_of):
        yield Check(frozenset({_category(code)}), code in codes, lambda: "该生不同时具备这条标准要求的困难类别")
    for code in sorted(rule.none_of):
        words = functools.partial("{}不适用这条标准".format, codes[code].name if code in codes else "")
        yield Check(frozenset({_category(code)}), code not in codes, words)
    for flag in rule.flags:
        said = dict(codes[flag.code].flags).get(flag.name, "") if flag.code in codes else ""
        yield Check(
            frozenset({_category(flag.code)}), said in flag.values, functools.partial(_why_not_said, flag, said)
        )


def _why_not_met(condition: Condition, value: str) -> str:
    wanted = "、".join(condition_value(condition.fact, each) for each in sorted(condition.values))
    here = f"为{condition_value(condition.fact, value)}" if value else "没有登记"
    return f"{condition_name(condition.fact)}须为{wanted}，该生{here}"


def _why_not_said(flag: Flag, said: str) -> str:
    return f"名单上“{flag.name}”须为{'、'.join(sorted(flag.values))}，该生{f'为{said}' if said else '没有注明'}"


def for_term(rule: StandardRule, rules: ProgrammeRules, term: str, *, attended: Decimal | None = None) -> Decimal:
    """元 the row pays for the term.

    By term or once: the amount. By year: half, an odd fen in spring. By month or day: the amount times the months
    or days of the term, or those attended where the programme pays pro rata; half a fen is rounded up.
    """
    if rules.unit == "year":
        autumn = (rule.amount / 2).quantize(_FEN, ROUND_DOWN)
        return autumn if is_autumn(term) else rule.amount - autumn
    if rules.unit in ("month", "day"):
        return (rule.amount * _periods(rule, rules, attended)).quantize(_FEN, ROUND_HALF_UP)
    return rule.amount


def _periods(rule: StandardRule, rules: ProgrammeRules, attended: Decimal | None) -> Decimal:
    if attended is None or not rules.pro_rata:
        return rule.periods
    return max(Decimal(0), min(attended, rule.periods))


def _facts_of(found: Iterable[Check]) -> frozenset[str]:
    return frozenset[str]().union(*(check.facts for check in found))


def _turned_away(rows: Iterable[_Row], named: frozenset[str]) -> frozenset[str]:
    """Facts enough to see that none of the rows fits: those named already where they do, else one check of the row."""
    more: frozenset[str] = frozenset()
    for row in rows:
        if not any(check.facts <= named | more for check in row.unmet):
            more |= min(row.unmet, key=lambda check: len(check.facts)).facts
    return more


# --- sentences -------------------------------------------------------------------------------------


def _sentence(
    facts: Facts,
    rules: ProgrammeRules,
    row: _Row,
    named: Iterable[Hardship],
    rests_on: frozenset[str],
    term_name: str,
) -> str:
    rule = row.rule
    kinds = "；".join(_ground_words(each, rule) for each in named)
    return (
        f"{term_name}：该生为{_who(facts, rules, rests_on)}"
        + (f"，属{kinds}" if kinds else "")
        + f"，符合{rules.name}条件；按{rule.document}（自{span_label(rule)}执行），"
        + f"{_formula(row, rules, facts)}。"
    )


def _who(facts: Facts, rules: ProgrammeRules, rests_on: frozenset[str]) -> str:
    boarding = condition_value("boarding", facts.boarding) if "boarding" in rests_on else ""
    if boarding and facts.boarding_since:
        boarding += f"（{cn_date(facts.boarding_since)}起）"
    words = f"{condition_value('stage', facts.stage)}{boarding}学生"
    if "tier" in rests_on:
        words += f"，认定等级为{facts.tier}" if facts.tier else "，没有认定等级"
    said = {"stage", "tier", "standing", "attended", "had_before"} | ({"boarding"} if facts.boarding else set())
    for name in sorted(rests_on - said):
        if not name.startswith("category:"):
            value = getattr(facts, name)
            words += f"，{condition_name(name)}{f'为{condition_value(name, value)}' if value else '没有登记'}"
    return words


def _ground_words(each: Hardship, rule: StandardRule) -> str:
    """The kind, whence it is known and until when; of what its list says only what the rule asks for."""
    until = f"至{cn_date(each.valid_to)}" if each.valid_to else "起有效"
    asked = {flag.name for flag in rule.flags if flag.code == each.code}
    said = "".join(f"，{name}：{value}" for name, value in each.flags if name in asked)
    evidence = f"：{each.evidence}" if each.evidence else ""
    return f"{each.name}（{each.source}{evidence}，{cn_date(each.valid_from)}{until}{said}）"


def _formula(row: _Row, rules: ProgrammeRules, facts: Facts) -> str:
    rule, paid = row.rule, f"{row.amount:.2f}元"
    if rules.unit == "year":
        return f"每学年{rule.amount:.2f}元，分两学期发放，本学期{paid}"
    if rules.unit in ("month", "day"):
        unit, count = {"month": ("月", "个月"), "day": ("天", "天")}[rules.unit]
        periods = _periods(rule, rules, facts.attended)
        is_part = periods != rule.periods
        when = f"（{facts.presence}）" if is_part and facts.presence else ""
        told = f"{'实际在校' if is_part else ''}{periods.normalize():f}{count}{when}"
        return f"每{unit}{rule.amount:.2f}元×{told}，本学期{paid}"
    return f"一次性{paid}" if rules.unit == "once" else f"每学期{paid}"


def _why_no_ground(facts: Facts, rules: ProgrammeRules, held: tuple[Hardship, ...], on: dt.date) -> str:
    if held:
        names = "、".join(each.name for each in held)
        boarding = condition_value("boarding", facts.boarding)
        return f"现有困难类别（{names}）不在{rules.name}对{boarding}学生的资助范围内。"
    expired = [each for each in facts.hardships if each.valid_to and each.valid_to < on]
    if expired:
        last = max(expired, key=lambda each: each.valid_to or on)
        return f"{last.name}已于{cn_date(last.valid_to)}失效，没有其他有效的困难类别；请先核实并登记新的困难类别。"
    if to_come := [each for each in facts.hardships if each.valid_from > on]:
        first = min(to_come, key=lambda each: each.valid_from)
        return f"{first.name}自{cn_date(first.valid_from)}起才有效，现在没有有效的困难类别。"
    return "没有登记有效的困难类别；请先在学生页登记困难类别和证明。"


def _why_no_standard(facts: Facts, rules: ProgrammeRules, rows: list[_Row], term_name: str) -> str:
    here = f"{condition_value('stage', facts.stage)}{condition_value('boarding', facts.boarding)}"
    here += f"、{facts.tier}" if rules.tiered and facts.tier else ""
    lacking = f"{rules.name}在{term_name}没有适用于{here}学生的标准"
    if not rows:
        return f"{lacking}；请县资助中心先维护标准。"
    # A row of another stage is not near, however little else it asks for.
    nearest = min(rows, key=lambda row: (any("stage" in check.facts for check in row.unmet), len(row.unmet)))
    if not facts.tier and all(check.facts == {"tier"} for check in nearest.unmet):
        return f"{rules.name}分档资助，请先选择困难等级。"
    reason = "；".join(check.words() for check in nearest.unmet)
    return f"{lacking}；最接近的一条是“{nearest.rule.document}”：{reason}。如与实际情况不符，请先更正登记的信息。"
