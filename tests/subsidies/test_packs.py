"""Policy packs as files: every shipped one is right, and a wrong one is refused with a sentence that says where."""

import ast
import copy
import inspect
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from students.reference import KINDS
from students.term_keys import term_after, term_before
from subsidies import pack_tables, packs
from subsidies.packs import (
    Pack,
    PackProgramme,
    PackRefused,
    check_examples,
    pack_of,
    read_pack,
    read_shipped,
    shipped,
    wrong_examples,
)

CATEGORIES = {kind.code: kind.name for kind in KINDS}

GOOD = """
[pack]
code = "sample"
name = "样本"
place = "某县"

[source.plan]
document = "县财教〔2026〕1号"
date = 2026-03-05
seen = "县政府网站"

[[programme]]
code = "aid"
name = "生活补助"
stages = ["primary", "junior"]
unit = "month"
applied = "year"
paid = "term"
form = "cash"
funding = "state"
channels = ["card"]
recipients = "percentage"
tiers = ["特困", "困难"]
pro_rata = true
basis = "县财教〔2026〕1号"

  [[programme.ground]]
  boarding = "boarding"
  codes = ["orphan", "disabled"]
  from = "2025-2026-1"
  source = "plan"
  confidence = "A"

  [[programme.standard]]
  stage = ["primary"]
  tier = ["特困"]
  none_of = ["disabled"]
  amount = "100.00"
  periods = "5"
  from = "2025-2026-1"
  to = "2026-2027-2"
  source = "plan"
  confidence = "A"

  [[programme.standard]]
  stage = ["junior"]
  tier = ["特困"]
  flags = [{ category = "disabled", name = "享受政策", values = ["是"] }]
  amount = "120.00"
  periods = "5"
  from = "2025-2026-1"
  source = "plan"
  confidence = "S"

  [[programme.process]]
  from = "2025-2026-1"
  notice_days = 7
  notice_day_kind = "working"
  source = "plan"
  confidence = "B"

  [[programme.share]]
  from = "2025-2026-1"
  levels = { centre = "3/5", county = "2/5" }
  remainder = "county"
  schools = "private"
  source = "plan"
  confidence = "A"

  [[programme.quota]]
  from = "2025-2026-1"
  base = "roll"
  percent = "7.5"
  outside = ["orphan"]
  source = "plan"
  confidence = "A"

  [[programme.example]]
  about = "小学特困"
  pupil = { stage = "primary", boarding = "boarding", tier = "特困", categories = ["orphan"] }
  term = "2025-2026-2"
  amount = "500.00"

  [[programme.example]]
  about = "走读不补"
  pupil = { stage = "primary", boarding = "day", tier = "特困", categories = ["orphan"] }
  term = "2025-2026-2"
  none = "资助范围内"

[[programme]]
code = "waiver"
name = "免学费"
stages = ["senior"]
unit = "term"
applied = "year"
paid = "term"
form = "waiver"
funding = "state"
channels = ["school"]
recipients = "all"
basis = "县财教〔2026〕1号"

  [[programme.example]]
  about = "金额未登记"
  pupil = { stage = "senior" }
  term = "2025-2026-2"
  none = "标准"

[[exclusion]]
programmes = ["aid", "waiver"]
from = "2025-2026-1"
source = "plan"
confidence = "A"
"""


def read(text: str) -> Pack:
    return read_pack(text, categories=CATEGORIES)


def refused(text: str) -> list[str]:
    with pytest.raises(PackRefused) as refusal:
        read(text)
    return refusal.value.messages


# --- what ships ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", shipped())
def test_a_shipped_pack_is_valid_and_is_called_as_its_file(code: str) -> None:
    pack = read_shipped(code, categories=CATEGORIES)
    assert pack.code == code
    used = {row.origin.source for each in pack.programmes for row in (*each.standards, *each.grounds, *each.shares)}
    used |= {row.origin.source for each in pack.programmes for row in (*each.processes, *each.quotas)}
    used |= {row.origin.source for row in pack.exclusions}
    assert set(pack.sources) == used  # none that nothing rests on


EXAMPLES = [
    pytest.param(result, id=f"{code}-{result.programme.code}-{result.example.row}")
    for code in shipped()
    for result in check_examples(read_shipped(code, categories=CATEGORIES))
]


@pytest.mark.parametrize("result", EXAMPLES)
def test_every_example_of_the_shipped_packs_comes_out(result: packs.ExampleResult) -> None:
    assert result.wrong == ""


def _wrong_rows(programme: PackProgramme) -> Iterator[PackProgramme]:
    """The programme with one row wrong: another amount, a term too late or too short, a condition left out."""
    for place, row in enumerate(programme.standards):
        rule = row.rule
        changes: list[dict[str, Any]] = [
            {"amount": rule.amount + 1},
            {"first_term": term_after(rule.first_term)},
        ]
        if programme.unit in ("month", "day"):
            changes.append({"periods": rule.periods + 1})
        if rule.last_term:
            changes.append({"last_term": term_before(rule.last_term)})
        if rule.flags:
            changes.append({"flags": ()})
        for change in changes:
            wrong = replace(row, rule=replace(rule, **change))
            rows = (*programme.standards[:place], wrong, *programme.standards[place + 1 :])
            yield replace(programme, standards=rows)
    for place, ground in enumerate(programme.grounds):
        changes = [{"first_term": term_after(ground.first_term)}]
        if ground.last_term:
            changes.append({"last_term": term_before(ground.last_term)})
        if len(ground.codes) < 15:  # fewer than nearly all there are
            changes += [{"codes": tuple(other for other in ground.codes if other != code)} for code in ground.codes]
        for change in changes:
            other_ground = replace(ground, **change)
            grounds = (*programme.grounds[:place], other_ground, *programme.grounds[place + 1 :])
            yield replace(programme, grounds=grounds)


@pytest.mark.parametrize("code", shipped())
def test_an_example_notices_each_row_that_is_wrong(code: str) -> None:
    """Also a row no pupil ever reaches: none of the examples would notice that it is there."""
    pack = read_shipped(code, categories=CATEGORIES)
    for programme in pack.programmes:
        for wrong in _wrong_rows(programme):
            changed = [
                (one, other)
                for one, other in zip(
                    (*programme.standards, *programme.grounds), (*wrong.standards, *wrong.grounds), strict=True
                )
                if one != other
            ]
            assert wrong_examples(replace(pack, programmes=(wrong,))), changed


def test_there_are_the_packs_the_county_was_promised() -> None:
    assert shipped()[0] == "national"
    assert {"kunming-panlong", "henan", "henan-lanqing", "gansu", "anhui", "hunan", "sichuan", "guizhou"} <= set(
        shipped()
    )


def test_every_row_that_is_not_sure_says_so() -> None:
    """Numbers of documents are never made up: what is background knowledge stands as such."""
    pack = read_shipped("national", categories=CATEGORIES)
    (preschool,) = [each for each in pack.programmes if each.code == "preschool-aid"]
    assert [row.origin.confidence for row in preschool.standards] == ["K"]


def test_a_pack_that_does_not_exist() -> None:
    with pytest.raises(PackRefused, match=r"没有代码为“\.\./x”的政策包"):
        read_shipped("../x", categories=CATEGORIES)


# --- reading ---------------------------------------------------------------------------------------


def test_a_pack_is_read_as_it_is_written() -> None:
    pack = read(GOOD)
    aid, waiver = pack.programmes
    assert (aid.code, aid.stages, aid.unit, aid.channels) == ("aid", ("primary", "junior"), "month", ("card",))
    first, second = aid.standards
    assert (first.rule.amount, first.rule.periods) == (Decimal("100.00"), Decimal("5"))
    assert (first.rule.key, first.origin.source.document) == (1, "县财教〔2026〕1号")
    assert first.rule.document == "县财教〔2026〕1号"
    assert str(first.origin.source.date) == "2026-03-05"
    assert second.rule.flags[0] == ("disabled", "享受政策", frozenset({"是"}))
    assert aid.shares[0].levels == {"centre": "3/5", "county": "2/5"}
    assert aid.quotas[0].percent == Decimal("7.5")
    assert aid.processes[0].school_review_members == 10
    assert waiver.standards == ()
    assert pack.exclusions[0].programmes == ("aid", "waiver")
    assert wrong_examples(pack) == []


def test_an_example_that_is_wrong_is_told_with_what_came_out() -> None:
    pack = read(GOOD.replace('amount = "500.00"', 'amount = "600.00"'))
    (wrong,) = wrong_examples(pack)
    assert wrong.startswith(
        "项目“aid”第1个例子（小学特困）：应为600.00元，算出来是500.00元：2026年春季学期：该生为小学"
    )


def test_an_example_that_fails_for_another_reason_is_told() -> None:
    pack = read(GOOD.replace('none = "资助范围内"', 'none = "休学"'))
    (wrong,) = wrong_examples(pack)
    assert "第2个例子（走读不补）：应为没有应发金额（理由含“休学”），算出来是没有应发金额：现有困难类别" in wrong


AID, S1, S2 = "项目“aid”", "项目“aid”第1条标准", "项目“aid”第2条标准"
# What is replaced, by what, and the beginning of the sentence that must come.
WRONG = {
    "syntax": ('name = "样本"', 'name = "样本', "第4行第"),
    "key twice": ('place = "某县"', 'place = "某县"\nplace = "某县"', "第6行第"),
    "unknown key of the file": ("[pack]", "[other]\nx = 1\n[pack]", "文件：“other”不是这里可以写的键"),
    "unknown key of the pack": ('place = "某县"', 'place = "某县"\ncolour = "红"', "文件[pack]：“colour”不是这里"),
    "unknown key of a source": (
        'seen = "县政府网站"',
        'seen = "县"\nurl = "x"',
        "文件来源“plan”：“url”不是这里可以写的键",
    ),
    "unknown key of a programme": (
        "pro_rata = true",
        'pro_rata = true\ngrade = "x"',
        f"{AID}：“grade”不是这里可以写的键",
    ),
    "unknown key of a standard": ('amount = "100.00"', 'amount = "100.00"\nsex = ["女"]', f"{S1}：“sex”不是这里"),
    "unknown key of a pupil": ('tier = "特困", categories', 'sex = "女", categories', f"{AID}第1个例子“pupil”：“sex”"),
    "no code": ('code = "aid"\n', "", "文件第1个项目：“code”没有写"),
    "code with capitals": ('code = "aid"', 'code = "Aid"', "文件第1个项目：“code”是“Aid”，代码只能用小写字母"),
    "code twice": ('code = "waiver"', 'code = "aid"', f"{AID}：“code”有2个项目相同"),
    "name twice": ('name = "免学费"', 'name = "生活补助"', "项目“生活补助”：“name”有2个项目相同"),
    "no name": ('name = "生活补助"\n', "", f"{AID}：“name”没有写"),
    "name a number": ('name = "生活补助"', "name = 7", f"{AID}：“name”要写带引号的文字，现在是整数"),
    "name too long": ('name = "生活补助"', f'name = "{"长" * 61}"', f"{AID}：“name”最多60个字，现在有61个"),
    "name of two lines": ('name = "生活补助"', 'name = "生活\\n补助"', f"{AID}：“name”有换行或看不见的字符"),
    "name empty": ('name = "生活补助"', 'name = "  "', f"{AID}：“name”不能为空"),
    "stage unknown": ('["primary", "junior"]', '["primary", "college"]', f"{AID}：“stages”里不能写“college”，只能写"),
    "stages no list": ('stages = ["senior"]', 'stages = "senior"', "项目“waiver”：“stages”要写成方括号里的文字列表"),
    "stages empty": ('stages = ["senior"]', "stages = []", "项目“waiver”：“stages”是空的列表"),
    "stage twice": ('["primary", "junior"]', '["primary", "primary"]', f"{AID}：“stages”里“primary”写了两次"),
    "unit unknown": ('unit = "month"', 'unit = "week"', f"{AID}：“unit”不能写“week”，只能写"),
    "applied unknown": (
        'applied = "year"\npaid = "term"\nform = "cash"',
        'applied = "day"\npaid = "term"\nform = "cash"',
        f"{AID}：“applied”不能写“day”",
    ),
    "form unknown": ('form = "cash"', 'form = "gold"', f"{AID}：“form”不能写“gold”"),
    "recipients unknown": ('"percentage"', '"some"', f"{AID}：“recipients”不能写“some”"),
    "cash of the state": (
        'channels = ["card"]',
        'channels = ["cash"]',
        f"{AID}：“channels”：生活补助使用财政资金，不能以现金发放",
    ),
    "meal card of the state": (
        'channels = ["card"]',
        'channels = ["card", "meal_card"]',
        f"{AID}：“channels”：生活补助使用财政资金，不能以饭卡发放",
    ),
    "a waiver paid out": (
        'channels = ["school"]',
        'channels = ["card"]',
        "项目“waiver”：“channels”：免学费的资助形式是减免费用，发放渠道不能是银行卡",
    ),
    "channel unknown": (
        'channels = ["card"]',
        'channels = ["pigeon"]',
        f"{AID}：“channels”：生活补助的发放渠道“pigeon”不认识",
    ),
    "no channels": ('channels = ["card"]\n', "", f"{AID}：“channels”没有写"),
    "truth in quotes": ("pro_rata = true", 'pro_rata = "true"', f"{AID}：“pro_rata”要写 true 或 false，现在是文字"),
    "pro rata by term": (
        'recipients = "all"',
        'recipients = "all"\npro_rata = true',
        "项目“waiver”：“pro_rata”只用于按月或按天",
    ),
    "no basis": ('pro_rata = true\nbasis = "县财教〔2026〕1号"', "pro_rata = true", f"{AID}：“basis”没有写"),
    "amount a number": ('amount = "100.00"', "amount = 100.00", f"{S1}：“amount”是小数，金额要写成带引号的两位小数"),
    "amount an integer": ('amount = "100.00"', "amount = 100", f"{S1}：“amount”是整数"),
    "amount with one decimal": ('amount = "100.00"', 'amount = "100.5"', f"{S1}：“amount”是“100.5”"),
    "amount with three": ('amount = "100.00"', 'amount = "100.005"', f"{S1}：“amount”是“100.005”"),
    "amount negative": ('amount = "100.00"', 'amount = "-100.00"', f"{S1}：“amount”是“-100.00”"),
    "amount zero": ('amount = "100.00"', 'amount = "0.00"', f"{S1}：“amount”必须大于零"),
    "amount missing": ('  amount = "100.00"\n', "", f"{S1}：“amount”没有写"),
    "periods missing": (
        'amount = "100.00"\n  periods = "5"',
        'amount = "100.00"',
        f"{S1}：“periods”：生活补助按月计算，请写明",
    ),
    "periods a number": (
        'amount = "100.00"\n  periods = "5"',
        'amount = "100.00"\n  periods = 5',
        f"{S1}：“periods”是整数，要写成带引号的正数",
    ),
    "from missing": ('  from = "2025-2026-1"\n  to = "2026-2027-2"', '  to = "2026-2027-2"', f"{S1}：“from”没有写"),
    "from no term": ('from = "2025-2026-1"\n  to', 'from = "2025-1"\n  to', f"{S1}：“from”是“2025-1”，学期要写成"),
    "from of no school year": (
        'from = "2025-2026-1"\n  to',
        'from = "2025-2027-1"\n  to',
        f"{S1}：“from”是“2025-2027-1”",
    ),
    "a third term": ('from = "2025-2026-1"\n  to', 'from = "2025-2026-3"\n  to', f"{S1}：“from”是“2025-2026-3”"),
    "to before from": (
        'to = "2026-2027-2"',
        'to = "2024-2025-2"',
        f"{S1}：“to”（2024-2025-2）早于“from”（2025-2026-1）",
    ),
    "stage not of the programme": (
        '  stage = ["primary"]',
        '  stage = ["senior"]',
        f"{S1}：“stage”：条件“学段”里的普通高中不在",
    ),
    "boarding unknown": (
        '  stage = ["primary"]',
        '  stage = ["primary"]\n  boarding = ["tent"]',
        f"{S1}：“boarding”：条件“就读方式”里的“tent”不认识",
    ),
    "tier unknown": (
        'tier = ["特困"]\n  none_of',
        'tier = ["富裕"]\n  none_of',
        f"{S1}：“tier”：条件“困难等级”里的“富裕”不是",
    ),
    "grade unknown": (
        '  stage = ["primary"]',
        '  stage = ["primary"]\n  grade = ["十年级"]',
        f"{S1}：“grade”：条件“年级”里的“十年级”不认识",
    ),
    "region of four digits": (
        '  stage = ["primary"]',
        '  stage = ["primary"]\n  region = ["5301"]',
        f"{S1}：“region”：条件“户籍所在地”里的“5301”不是六位",
    ),
    "category unknown": (
        'none_of = ["disabled"]',
        'none_of = ["rich"]',
        f"{S1}：“none_of”：困难类别（不含）里的代码“rich”不认识",
    ),
    "flag of an unknown category": (
        'category = "disabled"',
        'category = "rich"',
        f"{S2}：“flags”：名单标识“享受政策”所属的困难类别代码“rich”",
    ),
    "flag without values": (', values = ["是"]', "", f"{S2}“flags”第1项：“values”没有写"),
    "flags no tables": (
        'flags = [{ category = "disabled", name = "享受政策", values = ["是"] }]',
        'flags = ["是"]',
        f"{S2}“flags”第1项：要写成 [[…flags]] 下的一组键，现在是文字",
    ),
    "ground code unknown": (
        'codes = ["orphan", "disabled"]',
        'codes = ["orphan", "rich"]',
        f"{AID}第1条资助范围：“codes”里“rich”不是已登记的困难类别代码",
    ),
    "ground boarding unknown": (
        '  boarding = "boarding"',
        '  boarding = "tent"',
        f"{AID}第1条资助范围：“boarding”不能写“tent”",
    ),
    "notice of no days": (
        "notice_days = 7",
        "notice_days = 0",
        f"{AID}第1条评审公示规则：“notice_days”要写1到60的整数",
    ),
    "notice days in quotes": (
        "notice_days = 7",
        'notice_days = "7"',
        f"{AID}第1条评审公示规则：“notice_days”要写1到60的整数",
    ),
    "notice days true": (
        "notice_days = 7",
        "notice_days = true",
        f"{AID}第1条评审公示规则：“notice_days”要写1到60的整数",
    ),
    "kind of days unknown": ('"working"', '"moon"', f"{AID}第1条评审公示规则：“notice_day_kind”不能写“moon”"),
    "shares short of one": (
        'county = "2/5"',
        'county = "1/5"',
        f"{AID}第1条资金分担：“levels”：各级份额合计 80%，必须正好是 1",
    ),
    "shares above one": ('county = "2/5"', 'county = "3/5"', f"{AID}第1条资金分担：“levels”：各级份额合计 120%"),
    "share a number": (
        'county = "2/5"',
        "county = 0.4",
        f"{AID}第1条资金分担“levels”：“county”要写带引号的文字，现在是小数",
    ),
    "share of nothing": ('county = "2/5"', 'county = "0"', f"{AID}第1条资金分担：“levels”：县（区）级的份额是 0"),
    "share no fraction": (
        'county = "2/5"',
        'county = "half"',
        f"{AID}第1条资金分担：“levels”：县（区）级：“half”不是份额",
    ),
    "level unknown": ('county = "2/5"', 'moon = "2/5"', f"{AID}第1条资金分担：“levels”：没有“moon”这一级"),
    "remainder to nobody": (
        'remainder = "county"',
        'remainder = "city"',
        f"{AID}第1条资金分担：“levels”：承担尾差的“市级”不在",
    ),
    "remainder missing": ('  remainder = "county"\n', "", f"{AID}第1条资金分担：“remainder”没有写"),
    "kind of schools unknown": (
        'schools = "private"',
        'schools = "moon"',
        f"{AID}第1条资金分担：“schools”不能写“moon”",
    ),
    "percent above a hundred": ('percent = "7.5"', 'percent = "101"', f"{AID}第1条名额：“percent”是101，不能超过100"),
    "percent a float": ('percent = "7.5"', "percent = 7.5", f"{AID}第1条名额：“percent”是小数，要写成带引号的正数"),
    "percent of places handed down": ('base = "roll"', 'base = "handed"', f"{AID}第1条名额：“percent”不应写"),
    "base unknown": ('base = "roll"', 'base = "moon"', f"{AID}第1条名额：“base”不能写“moon”"),
    "outside unknown": ('outside = ["orphan"]', 'outside = ["rich"]', f"{AID}第1条名额：“outside”里“rich”不是已登记"),
    "example without outcome": ('  amount = "500.00"\n', "", f"{AID}第1个例子：“amount”（金额）和“none”"),
    "example with both": (
        'amount = "500.00"',
        'amount = "500.00"\n  none = "x"',
        f"{AID}第1个例子：“amount”（金额）和“none”",
    ),
    "example without pupil": ('  pupil = { stage = "senior" }\n', "", "项目“waiver”第1个例子：“pupil”没有写"),
    "example of an unknown category": (
        'tier = "特困", categories = ["orphan"] }\n  term = "2025-2026-2"\n  amount',
        'tier = "特困", categories = ["rich"] }\n  term = "2025-2026-2"\n  amount',
        f"{AID}第1个例子“pupil”：“categories”里“rich”不是",
    ),
    "example with an unknown tier": (
        'boarding = "boarding", tier = "特困"',
        'boarding = "boarding", tier = "富裕"',
        f"{AID}第1个例子“pupil”：“tier”“富裕”不在",
    ),
    "example with an unknown standing": (
        'pupil = { stage = "senior" }',
        'pupil = { stage = "senior", standing = "asleep" }',
        "项目“waiver”第1个例子“pupil”：“standing”不能写“asleep”",
    ),
    "flags of a category not held": (
        'pupil = { stage = "senior" }',
        'pupil = { stage = "senior", flags = { orphan = { "享受政策" = "是" } } }',
        "项目“waiver”第1个例子“pupil”“flags”“orphan”：不在这个例子的“categories”里",
    ),
    "exclusion of one": (
        'programmes = ["aid", "waiver"]',
        'programmes = ["aid"]',
        "文件第1条不能兼得的规定：“programmes”要写两个不同的项目代码",
    ),
    "exclusion of an unknown": (
        'programmes = ["aid", "waiver"]',
        'programmes = ["aid", "moon"]',
        "文件第1条不能兼得的规定：“programmes”里不能写“moon”",
    ),
    "date in quotes": ("date = 2026-03-05", 'date = "2026-03-05"', "文件来源“plan”：“date”要写成不带引号的日期"),
    "date with a time": (
        "date = 2026-03-05",
        "date = 2026-03-05T10:00:00",
        "文件来源“plan”：“date”要写成不带引号的日期",
    ),
    "document missing": ('document = "县财教〔2026〕1号"\n', "", "文件来源“plan”：“document”没有写"),
    "seen missing": ('seen = "县政府网站"\n', "", "文件来源“plan”：“seen”没有写"),
    "rounding unknown": (
        'percent = "7.5"',
        'percent = "7.5"\n  rounding = "sideways"',
        f"{AID}第1条名额：“rounding”不能写“sideways”",
    ),
    "part of the roll unknown": (
        'percent = "7.5"',
        'percent = "7.5"\n  registration = ["moon"]',
        f"{AID}第1条名额：“registration”：条件“户口性质”里的“moon”不认识",
    ),
    "part of a base that says it already": (
        'base = "roll"',
        'base = "urban"\n  registration = ["urban"]',
        f"{AID}第1条名额：“registration”不应写：“base”已写明按在校城市学生计算",
    ),
    "part of what is handed down": (
        'base = "roll"\n  percent = "7.5"',
        'base = "handed"\n  boarding = ["boarding"]',
        f"{AID}第1条名额：“boarding”不应写：名额由上级下达",
    ),
    "region of pupils unknown": (
        'schools = "private"',
        'schools = "private"\n  regions = ["贵州"]\n  region_name = "西部"',
        f"{AID}第1条资金分担：“regions”：“贵州”不是行政区划代码",
    ),
    "region of pupils without a name": (
        'schools = "private"',
        'schools = "private"\n  regions = ["52"]',
        f"{AID}第1条资金分担：“region_name”没有写",
    ),
    "programme no table": (
        '[[programme]]\ncode = "waiver"',
        "[[programme]]\ncode = 3",
        "文件第2个项目：“code”要写带引号的文字，现在是整数",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_fault_is_told_with_its_place(name: str) -> None:
    old, new, said = WRONG[name]
    text = GOOD.replace(old, new, 1)
    assert text != GOOD, "the sample has changed"
    found = refused(text)
    assert any(sentence.startswith(said) for sentence in found), found
    assert all(sentence.endswith("。") for sentence in found), found


@pytest.mark.parametrize("key", ["source", "confidence"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("ground", "资助范围"),
        ("standard", "标准"),
        ("process", "评审公示规则"),
        ("share", "资金分担"),
        ("quota", "名额"),
    ],
)
def test_every_row_needs_its_source_and_how_sure_it_is(kind: str, words: str, key: str) -> None:
    data = tomllib.loads(GOOD)
    row = data["programme"][0][kind][0]
    for value, said in (
        (None, "没有写"),
        ("nowhere", "是“nowhere”，文件里没有" if key == "source" else "不能写“nowhere”"),
    ):
        broken = copy.deepcopy(data)
        if value is None:
            del broken["programme"][0][kind][0][key]
        else:
            broken["programme"][0][kind][0][key] = value
        with pytest.raises(PackRefused) as refusal:
            pack_of(broken, categories=CATEGORIES)
        assert any(each.startswith(f"{AID}第1条{words}：“{key}”{said}") for each in refusal.value.messages)
    assert row[key]


def test_rows_that_clash_are_told_with_a_child() -> None:
    other = GOOD.replace('stage = ["junior"]\n  tier', "tier", 1).replace(
        'flags = [{ category = "disabled", name = "享受政策", values = ["是"] }]\n', ""
    )
    (said,) = refused(other)
    assert said == (
        "项目“aid”第1条和第2条标准：会给同一名学生两个金额（100.00元和120.00元），"
        "例如2025年秋季学期的小学、特困、寄宿、孤儿学生；"
        "请把条件或学期分开，或写明“highest_wins = true”（就高不就低）。"
    )
    read(other.replace("pro_rata = true", "pro_rata = true\nhighest_wins = true"))


def second(kind: str, **changes: object) -> str:
    """The sample with one row of a kind twice, as the faults of it."""
    data = tomllib.loads(GOOD)
    rows = data["programme"][0][kind] if kind != "exclusion" else data[kind]
    rows.append({**rows[0], **changes})
    with pytest.raises(PackRefused) as refusal:
        pack_of(data, categories=CATEGORIES)
    return "".join(refusal.value.messages)


def test_rows_that_stand_twice_are_told() -> None:
    assert second("ground") == "项目“aid”第1条和第2条资助范围：困难类别“disabled”在同一学期写了两次。"
    assert second("process", notice_days=9) == "项目“aid”的评审公示规则：有2条自2025-2026-1起执行，同一学期只能有一条。"
    assert second("share", levels={"county": "1"}) == (
        "项目“aid”第1条和第2条资金分担：同一学期、同一类学校有两种分担比例；请把学期、学校类别或生源地分开。"
    )
    assert second("exclusion") == "第1条和第2条不能兼得的规定：写的是同样两个项目，学期重叠。"
    assert second("quota", percent="3", boarding=["day"]) == (
        "项目“aid”第1条和第2条名额：会把同一名学生按两个比例各算一次，例如2025年秋季学期的初中、走读学生；请把条件或学期分开。"
    )


@pytest.mark.parametrize(
    ("drop", "said"),
    [
        ("ground", "“ground”没有写：资助所列困难类别的项目要写明有哪些类别"),
        ("standard", "“standard”没有写：只有减免费用的项目可以不写金额"),
        ("example", "“example”没有写：每个项目至少要有一个例子"),
    ],
)
def test_a_programme_without_a_part_it_needs(drop: str, said: str) -> None:
    data = tomllib.loads(GOOD)
    del data["programme"][0][drop]
    with pytest.raises(PackRefused) as refusal:
        pack_of(data, categories=CATEGORIES)
    assert f"项目“aid”：{said}。" in refusal.value.messages


def test_a_programme_for_all_names_no_categories() -> None:
    said = "项目“aid”：“ground”不应写：这个项目面向全部学生。"
    assert said in refused(GOOD.replace('recipients = "percentage"', 'recipients = "all"'))


def test_a_condition_on_tiers_needs_tiers() -> None:
    found = refused(GOOD.replace('tiers = ["特困", "困难"]\n', ""))
    assert any("条件“困难等级”里的“特困”不是这个项目的等级；生活补助不分等级。" in each for each in found)


def test_a_pack_needs_a_programme() -> None:
    head = GOOD[: GOOD.index("[[programme]]")]
    assert "文件：“programme”没有写：政策包至少要有一个项目。" in refused(head)


def test_all_faults_are_told_in_one_go() -> None:
    text = GOOD.replace('amount = "100.00"', "amount = 1").replace('"working"', '"moon"').replace('"2/5"', '"1/5"')
    assert len(refused(text)) == 3


def test_what_is_too_big_is_refused_at_once() -> None:
    assert "超过政策包的上限" in refused("#" * 400_001)[0]
    data = tomllib.loads(GOOD)
    data["programme"] *= 300
    with pytest.raises(PackRefused, match="“programme”有600条，最多500条"):
        pack_of(data, categories=CATEGORIES)


def test_brackets_too_deep_are_refused() -> None:
    assert refused("x = " + "[\n" * 100_000) == ["文件里的括号层数太多，不是政策包。"]


def test_a_line_without_end_is_refused_at_once() -> None:
    """A key of a hundred thousand parts would keep the TOML reader busy for hours."""
    assert refused("[pack]\n" + ".".join("a" * 100_000) + " = 1") == ["第2行有200003个字，一行最多2000个字。"]


def test_a_number_too_long_is_refused() -> None:
    assert refused("x = " + "9" * 10_000)


# --- nothing but PackRefused -----------------------------------------------------------------------

GOOD_DATA = tomllib.loads(GOOD)


def faults_of(deed: Callable[[], object]) -> list[str]:
    """The sentences of the refusal; none where the deed goes through. Any other error is the test's failure."""
    try:
        deed()
    except PackRefused as refusal:
        return refusal.messages
    return []


def _places(data: object, path: tuple = ()) -> list[tuple]:
    """The path of every value in the sample."""
    found = [path] if path else []
    if isinstance(data, dict):
        return found + [each for key, value in data.items() for each in _places(value, (*path, key))]
    if isinstance(data, list):
        return found + [each for at, value in enumerate(data) for each in _places(value, (*path, at))]
    return found


scalars = st.one_of(
    st.text(max_size=12),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.sampled_from(["2025-2026-1", "100.00", "A", "plan", "orphan", "primary", "", "０.00", "١٠٠.٠٠", "1/0", "0/1"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=400)
@given(st.lists(st.tuples(st.sampled_from(_places(GOOD_DATA)), values), min_size=1, max_size=3))
def test_any_value_in_any_place_is_read_or_refused(changes: list[tuple[tuple, object]]) -> None:
    data = copy.deepcopy(GOOD_DATA)
    for path, value in changes:
        at = data
        try:
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = value
        except (KeyError, TypeError, IndexError):
            continue  # an earlier change has taken the place away
    faults = faults_of(lambda: check_examples(pack_of(data, categories=CATEGORIES)))
    assert all(each.endswith("。") for each in faults)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(["pack", "source", "programme", "exclusion", "x"]), values))
def test_any_table_is_refused_and_nothing_else(data: dict) -> None:
    with pytest.raises(PackRefused):
        pack_of(data, categories=CATEGORIES)


@settings(max_examples=300)
@given(st.text(max_size=200) | st.integers(0, len(GOOD)).flatmap(lambda at: st.just(GOOD[:at] + "?" + GOOD[at:])))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert all(each.endswith("。") for each in faults_of(lambda: read(text)))


@pytest.mark.parametrize("module", [packs, pack_tables])
def test_packs_know_no_model(module: object) -> None:
    tree = ast.parse(inspect.getsource(module))
    named = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in named if "models" in name or name.startswith("django.db")}
