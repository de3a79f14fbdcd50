"""What a concern is called on pages and sheets: a sentence from its facts, and what to do about it. Pure."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from accounts.templatetags.aid import cn_date

from .policy_words import condition_value

Facts = Mapping[str, Any]
Names = Mapping[int, str]  # of units, as far as the reader may know them

SOURCES = {"matched": "系统比对", "collected": "学校自采集"}
GROUNDS = {
    "name": "姓名、性别、出生日期相同，证件号不同",
    "number": "学籍号里的证件号登记在另一条学生信息上",
    "roster": "另一所学校的名册里也有这名学生",
    "household": "比对名单上同一户",
    "account": "同一监护人、同一收款账户",
}

# Heads of narrow columns.
SHORT = {
    "missed": "未申请",
    "without_evidence": "无依据",
    "two_schools": "双学籍",
    "excluded_twice": "重复享受",
    "age": "年龄",
    "expiring": "到期",
    "sibling": "同户",
}

NEXT_STEP = {
    "missed": "还在填报期的，请班主任为他填报；确实不申请的，选择未资助原因，家长书面放弃的附上扫描件。",
    "without_evidence": "请补充证明或登记新的困难类别；情况确已消失的，按规定停止资助，再写明处理结果。",
    "two_schools": "请核对户口簿和学籍：确为一人的，由县资助中心协调保留一处学籍；不是一人的，写明核对结果。",
    "excluded_twice": "请核对申请：应停止其中一项的，撤回或退回后写明；按文件可以兼得的，写明文件。",
    "age": "请核对出生日期和年级；信息无误的，写明原因。",
    "expiring": "请在到期前取得新的证明或等待比对结果，在学生页登记；不再符合的，写明到期后不再列为困难。",
    "sibling": "请了解这名学生的家庭情况：符合条件的，登记困难类别后填报；不符合的，写明核实结果。",
}


def kinds(rows: list[dict[str, str]]) -> str:
    """农村低保（系统比对）、残疾学生（学校自采集）."""
    return "、".join(f"{row['name']}（{SOURCES.get(row['source'], row['source'])}）" for row in rows)


def sentence(kind: str, facts: Facts, units: Names | None = None) -> str:
    """The concern in one sentence. Names of schools come only from `units`, what the reader may know."""
    return _SENTENCES[kind](facts, units or {})


def _missed(facts: Facts, units: Names) -> str:
    ends = {"withdrawn": "申请已终止", "draft": "草稿没有提交，填报已截止"}
    why = ends.get(facts["before"], "没有申请")
    return f"属{kinds(facts['kinds'])}，符合“{facts['programme_name']}”条件，{why}。"


def _without_evidence(facts: Facts, units: Names) -> str:
    then = kinds(facts["then"]) or "（无记录）"
    if facts["problem"] == "no_proof":
        return f"“{facts['programme_name']}”的依据{kinds(facts['now'])}没有证明材料。"
    held = f"现有的{kinds(facts['now'])}不在资助范围" if facts["now"] else "现在没有有效的困难类别"
    return f"提交“{facts['programme_name']}”时属{then}，{held}。"


def _two_schools(facts: Facts, units: Names) -> str:
    why = "；".join(GROUNDS[ground] for ground in facts["grounds"])
    if "members" in facts:
        keys = [member["school"] for member in facts["members"]] + facts["claims"]
        places = [units[key] for key in dict.fromkeys(keys) if key in units]
        return f"{why}：{'、'.join(places)}。"
    if facts["others"]:
        return f"另一所学校也有这名学生的信息（{why}），已提示县资助中心。"
    return f"本校有两条信息像是同一名学生：{why}。"


def _excluded_twice(facts: Facts, units: Names) -> str:
    one, two = facts["programmes"]
    what = f"同时有“{one}”和“{two}”，两项不能兼得" if one != two else f"“{one}”有两份申请"
    if "schools" in facts:
        places = "、".join(units[key] for key in facts["schools"] if key in units)
        return f"{what}：{places}。"
    return f"{what}。" if len(facts["applications"]) > 1 else f"{what}，另一份在另一所学校，已提示县资助中心。"


def _age(facts: Facts, units: Names) -> str:
    on = cn_date(dt.date.fromisoformat(facts["on"]))
    stage = condition_value("stage", facts["stage"])
    return f"{on}满 {facts['age']} 周岁，{stage}一般为 {facts['min']}—{facts['max']} 周岁。"


def _expiring(facts: Facts, units: Names) -> str:
    ends = cn_date(dt.date.fromisoformat(facts["ends_on"]))
    if facts["because"] == "category":
        return f"“{facts['name']}”这一类别用到{ends}，没有对应的新类别。"
    return f"{kinds([dict(facts)])}{ends}到期，没有登记后续证明。"


def _sibling(facts: Facts, units: Names) -> str:
    why = "、".join(GROUNDS[ground] for ground in facts["grounds"])
    return f"{why}的 {len(facts['siblings'])} 名学生已申请资助，这名学生没有。"


_SENTENCES: Mapping[str, Callable[[Facts, Names], str]] = {
    "missed": _missed,
    "without_evidence": _without_evidence,
    "two_schools": _two_schools,
    "excluded_twice": _excluded_twice,
    "age": _age,
    "expiring": _expiring,
    "sibling": _sibling,
}
