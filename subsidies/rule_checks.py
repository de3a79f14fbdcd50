"""Whether rules make sense and can stand beside each other: pure, and each fault a Chinese sentence that says where.

Two rows of one programme may not give one child two amounts, unless the programme pays the highest. The check
looks for such a child and names one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

from students.grades import GRADES
from students.term_keys import term_before, term_label

from .dated_terms import common_terms, end_of
from .entitlement import Condition, Flag, Ground, ProgrammeRules, StandardRule
from .policy_words import CHANNELS, CONDITIONS, FORMS, PERIODS, UNITS, VALUES, condition_name, condition_value

_TERM = re.compile(r"(\d{4})-(\d{4})-[12]")
_REGION = re.compile(r"[0-9]{6}")
# 五四学制: 六年级 may belong to junior school.
_STAGES_OF_GRADE = {each.name: frozenset({each.stage}) for each in GRADES.values()} | {
    "六年级": frozenset({"primary", "junior"})
}


class Fault(NamedTuple):
    """What is wrong with a rule: in which field of the row (conditions.boarding, periods …), and a sentence."""

    where: str
    words: str


# --- one row ---------------------------------------------------------------------------------------


def faults(
    rule: StandardRule, rules: ProgrammeRules, *, tiers: Iterable[str], categories: Mapping[str, str]
) -> Iterator[Fault]:
    """What is wrong with a row by itself. `tiers` are the programme's, `categories` the known kinds: code → name."""
    tiers = tuple(tiers)
    if rule.amount <= 0:
        yield Fault("amount", f"金额是 {rule.amount:.2f} 元，必须大于零。")
    elif rule.amount.as_tuple().exponent < -2:  # type: ignore[operator]  # a finite number
        yield Fault("amount", f"金额是 {rule.amount} 元，最多两位小数。")
    if not rule.document.strip():
        yield Fault("document", "没有写明文件名称和文号，请填写这条标准依据的文件。")
    yield from _term_faults(rule)
    yield from _period_faults(rule, rules)
    for condition in rule.conditions:
        yield from _condition_faults(condition, rules, tiers)
    yield from _category_faults(rule, categories)


def _term_faults(rule: StandardRule) -> Iterator[Fault]:
    for where, what, key in (("first_term", "执行学期", rule.first_term), ("last_term", "截止学期", rule.last_term)):
        if not key and where == "last_term":
            continue
        found = _TERM.fullmatch(key)
        if not found or int(found[2]) != int(found[1]) + 1:
            yield Fault(where, f"{what}“{key}”不是学期代码；学期代码形如 2026-2027-1（1 为秋季，2 为春季）。")
            return
    if rule.last_term and rule.last_term < rule.first_term:
        last, first = term_label(rule.last_term), term_label(rule.first_term)
        yield Fault("last_term", f"截止学期（{last}）早于执行学期（{first}），请核对。")


def _period_faults(rule: StandardRule, rules: ProgrammeRules) -> Iterator[Fault]:
    if rule.periods <= 0:
        yield Fault("periods", "每学期的月数或天数必须大于零。")
    elif rules.unit in PERIODS and rule.periods == 1:
        words = f"{rules.name}按{UNITS[rules.unit]}计算，请写明每学期按几{PERIODS[rules.unit]}发放。"
        yield Fault("periods", words)
    elif rules.unit not in PERIODS and rule.periods != 1:
        words = f"{rules.name}按{UNITS[rules.unit]}计算，不用填写每学期的月数或天数。"
        yield Fault("periods", words)


def _condition_faults(condition: Condition, rules: ProgrammeRules, tiers: tuple[str, ...]) -> Iterator[Fault]:
    where = f"conditions.{condition.fact}"
    if condition.fact not in CONDITIONS:
        yield Fault(where, f"条件“{condition.fact}”不认识；可用的条件是{'、'.join(CONDITIONS.values())}。")
        return
    name = condition_name(condition.fact)
    if not condition.values:
        yield Fault(where, f"条件“{name}”没有选择任何值；不限{name}的，请去掉这一条件。")
    for value in sorted(condition.values):
        yield from _value_faults(where, name, condition.fact, value, rules, tiers)


def _value_faults(
    where: str, name: str, fact: str, value: str, rules: ProgrammeRules, tiers: tuple[str, ...]
) -> Iterator[Fault]:
    if fact == "tier":
        if value not in tiers:
            said = f"；{rules.name}的等级是{'、'.join(tiers)}。" if tiers else f"；{rules.name}不分等级。"
            yield Fault(where, f"条件“困难等级”里的“{value}”不是这个项目的等级{said}")
    elif fact == "grade":
        if value not in _STAGES_OF_GRADE:
            yield Fault(where, f"条件“年级”里的“{value}”不认识，请写成“七年级”“高一”这样的年级名称。")
    elif fact == "region":
        if not _REGION.fullmatch(value):
            yield Fault(where, f"条件“户籍所在地”里的“{value}”不是六位行政区划代码。")
    elif value not in VALUES[fact]:
        known = "、".join(VALUES[fact].values())
        yield Fault(where, f"条件“{name}”里的“{value}”不认识；可选的是{known}。")
    elif fact == "stage" and value not in rules.stages:
        stages = "、".join(condition_value("stage", stage) for stage in rules.stages)
        yield Fault(where, f"条件“学段”里的{condition_value('stage', value)}不在{rules.name}的学段（{stages}）里。")


def _category_faults(rule: StandardRule, categories: Mapping[str, str]) -> Iterator[Fault]:
    lists = (("any_of", "任一", rule.any_of), ("all_of", "全部", rule.all_of), ("none_of", "不含", rule.none_of))
    for where, how, codes in lists:
        for code in sorted(codes - categories.keys()):
            yield Fault(where, f"困难类别（{how}）里的代码“{code}”不认识，请核对困难类别表。")
    for code in sorted(rule.none_of & (rule.all_of | {flag.code for flag in rule.flags})):
        name = categories.get(code, code)
        yield Fault("none_of", f"“{name}”既要求具备又要求不含，没有学生能符合，请核对。")
    if rule.any_of and rule.any_of <= rule.none_of:
        yield Fault("none_of", "困难类别“任一”里的都在“不含”里，没有学生能符合，请核对。")
    for flag in rule.flags:
        if flag.code not in categories:
            yield Fault("flags", f"名单标识“{flag.name}”所属的困难类别代码“{flag.code}”不认识，请核对困难类别表。")
        if not flag.name.strip() or not flag.values or not all(value.strip() for value in flag.values):
            yield Fault("flags", "名单标识要写明名称和值，例如“享受政策”为“是”。")


# --- the programme ---------------------------------------------------------------------------------


def programme_faults(rules: ProgrammeRules) -> Iterator[Fault]:
    """What is wrong with a programme by itself."""
    if not rules.stages:
        yield Fault("stages", f"{rules.name}没有学段，请至少选择一个。")
    for stage in rules.stages:
        if stage not in VALUES["stage"]:
            yield Fault("stages", f"{rules.name}的学段“{stage}”不认识；可选的是{'、'.join(VALUES['stage'].values())}。")
    if rules.unit not in UNITS:
        yield Fault("unit", f"{rules.name}的计算单位“{rules.unit}”不认识；可选的是{'、'.join(UNITS.values())}。")
    elif rules.pro_rata and rules.unit not in PERIODS:
        yield Fault("pro_rata", f"{rules.name}按{UNITS[rules.unit]}计算，只有按月或按天计算的才能按实际在校时间计算。")


# A form of aid and the ways it can go; of state money never in cash and never onto a meal card.
_CHANNELS = {"cash": {"card", "cash", "meal_card"}, "waiver": {"school"}, "meals": {"canteen"}}


def channel_fault(name: str, *, form: str, channels: Iterable[str], funding: str) -> Fault | None:
    """Why a programme may not be paid out in these ways; None if it may."""
    channels = list(channels)
    if form not in _CHANNELS:
        return Fault("form", f"{name}的资助形式“{form}”不认识；可选的是{'、'.join(FORMS.values())}。")
    if not channels:
        return Fault("channels", f"{name}没有写明发放渠道，请至少选择一个。")
    for channel in channels:
        if channel not in CHANNELS:
            return Fault("channels", f"{name}的发放渠道“{channel}”不认识；可选的是{'、'.join(CHANNELS.values())}。")
        if funding == "state" and channel in ("cash", "meal_card"):
            words = f"{name}使用财政资金，不能以{CHANNELS[channel]}发放；请发放到学生或监护人的{CHANNELS['card']}。"
            return Fault("channels", words)
        if channel not in _CHANNELS[form]:
            return Fault("channels", f"{name}的资助形式是{FORMS[form]}，发放渠道不能是{CHANNELS[channel]}。")
    return None


# --- rows beside each other ------------------------------------------------------------------------


@dataclass(frozen=True)
class Child:
    """A child whom several rows fit: in which term, which facts, which categories and flags."""

    term: str
    facts: dict[str, str]
    categories: frozenset[str]
    flags: dict[tuple[str, str], str]


def clashes(rules: ProgrammeRules) -> Iterator[tuple[StandardRule, StandardRule, Child]]:
    """Pairs of rows that give one child two amounts, each with such a child; none where the highest counts."""
    if rules.highest_wins:
        return
    for one, other in combinations(rules.standards, 2):
        if _pay_alike(one, other):
            continue
        if child := child_of_both(one, other, rules):
            yield one, other, child


def _pay_alike(one: StandardRule, other: StandardRule) -> bool:
    return (one.amount, one.periods) == (other.amount, other.periods)


def child_of_both(one: StandardRule, other: StandardRule, rules: ProgrammeRules) -> Child | None:
    """A child both rows fit and the programme is for; None if there can be no such child."""
    terms = common_terms(one, other)
    allowed = _common_facts([*one.conditions, *other.conditions], rules)
    flags = _common_flags([*one.flags, *other.flags])
    if terms is None or allowed is None or flags is None:
        return None
    first, last = terms
    needed = {code for code, _ in flags} | one.all_of | other.all_of
    barred = one.none_of | other.none_of
    categories = _categories(needed, [one.any_of, other.any_of], barred)
    if categories is None:
        return None
    child = Child(first, {fact: min(values) for fact, values in allowed.items()}, categories, flags)
    if rules.recipients == "all":
        return child
    boarding = allowed.get("boarding", frozenset(VALUES["boarding"]))
    found = (_with_ground(child, ground, boarding, last, barred) for ground in rules.grounds)
    return next((each for each in found if each), None)


def _common_facts(conditions: Iterable[Condition], rules: ProgrammeRules) -> dict[str, frozenset[str]] | None:
    """For each fact asked for the values that meet all conditions; None where there are none."""
    allowed: dict[str, frozenset[str]] = {"stage": frozenset(rules.stages)}
    for condition in conditions:
        allowed[condition.fact] = allowed.get(condition.fact, condition.values) & condition.values
    if "major" in allowed:  # only vocational schools have one
        allowed["stage"] &= {"vocational"}
    if "grade" in allowed:
        allowed["grade"] = frozenset(
            grade for grade in allowed["grade"] if _STAGES_OF_GRADE.get(grade, frozenset()) & allowed["stage"]
        )
        stages = frozenset[str]().union(*(_STAGES_OF_GRADE[grade] for grade in sorted(allowed["grade"])[:1]))
        allowed["stage"] &= stages
    return allowed if all(allowed.values()) else None


def _common_flags(flags: Iterable[Flag]) -> dict[tuple[str, str], str] | None:
    allowed: dict[tuple[str, str], frozenset[str]] = {}
    for flag in flags:
        key = flag.code, flag.name
        allowed[key] = allowed.get(key, flag.values) & flag.values
    if not all(allowed.values()):
        return None
    return {key: min(values) for key, values in allowed.items()}


def _categories(
    needed: Iterable[str], choices: Iterable[frozenset[str]], barred: frozenset[str]
) -> frozenset[str] | None:
    held = set(needed)
    for choice in choices:
        if choice and not choice & held:
            if not choice - barred:
                return None
            held.add(min(choice - barred))
    return None if held & barred else frozenset(held)


def _with_ground(
    child: Child, ground: Ground, boarding: frozenset[str], last: str, barred: frozenset[str]
) -> Child | None:
    """The child holding this accepted category as well, in the first term it is accepted in; None if that cannot be.

    `boarding`: the ways of boarding the child may have.
    """
    term = max(child.term, ground.first_term)
    boards = boarding & {ground.boarding} if ground.boarding else boarding
    if term > min(last, end_of(ground)) or ground.code in barred or not boards:
        return None
    is_asked = ground.boarding or "boarding" in child.facts
    facts = child.facts | ({"boarding": min(boards)} if is_asked else {})
    return replace(child, term=term, facts=facts, categories=child.categories | {ground.code})


def after_adding(rules: ProgrammeRules, row: StandardRule) -> ProgrammeRules:
    """The rules with one row more: a row of the same case that is in force when it begins ends with the term before."""
    kept = (
        replace(each, last_term=term_before(row.first_term)) if ends_by(each, row) else each for each in rules.standards
    )
    return replace(rules, standards=(*kept, row))


def ends_by(each: StandardRule, row: StandardRule) -> bool:
    """Whether `row` takes the place of `each`: the same case, begun before, and not over when the new one begins."""
    return each.key != row.key and is_same_case(each, row) and each.first_term < row.first_term <= end_of(each)


def is_same_case(one: StandardRule, other: StandardRule) -> bool:
    """Whether two rows are for the same children."""
    return _case(one) == _case(other)


def _case(rule: StandardRule) -> tuple[object, ...]:
    return frozenset(rule.conditions), rule.any_of, rule.all_of, rule.none_of, frozenset(rule.flags)


def whom(rule: StandardRule, names: Mapping[str, str]) -> list[str]:
    """The row's conditions in words, one each: 学段：初中; 困难类别：孤儿、特困供养之一. Empty: everybody."""
    asked = {condition.fact: condition.values for condition in rule.conditions}
    order = {fact: list(values) for fact, values in VALUES.items()}
    said = []
    for fact in (fact for fact in CONDITIONS if fact in asked):
        ordered = sorted(sorted(asked[fact]), key=lambda value: (*order.get(fact, ()), value).index(value))
        said.append(f"{condition_name(fact)}：{'、'.join(condition_value(fact, each) for each in ordered)}")
    for how, codes in (("具备其一", rule.any_of), ("同时具备", rule.all_of), ("不含", rule.none_of)):
        if codes:
            said.append(f"困难类别{how}：{'、'.join(names.get(code, code) for code in sorted(codes))}")
    for flag in rule.flags:
        said.append(f"{names.get(flag.code, flag.code)}名单上“{flag.name}”：{'、'.join(sorted(flag.values))}")
    return said


def clash_words(row: StandardRule, other: StandardRule, child: Child, names: Mapping[str, str]) -> str:
    """Why `row` cannot stand beside `other`: a sentence with the child both fit."""
    return (
        f"这条标准（{row.amount:.2f} 元）和“{other.document}”的标准（{other.amount:.2f} 元，"
        f"自{term_label(other.first_term)}起执行）会同时适用于同一名学生，例如{words_of(child, names)}。"
        "请把两条标准的条件分开，或先登记原标准的截止学期；按规定就高不就低的，请在项目中注明。"
    )


def words_of(child: Child, names: Mapping[str, str]) -> str:
    """2026年秋季学期的小学、寄宿、农村低保家庭学生; `names` are the categories' by code."""
    facts = [condition_value(fact, value) for fact, value in child.facts.items()]
    kinds = [names.get(code, code) for code in sorted(child.categories)]
    flags = [f"“{name}”为{value}" for (_, name), value in sorted(child.flags.items())]
    said = "、".join([*facts, *kinds, *flags]).removesuffix("学生")
    return f"{term_label(child.term)}的{said}学生"
