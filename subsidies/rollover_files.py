"""The report of a roll-over as a workbook: classes, evidence to look after, last term's list with its differences."""

import datetime as dt
from decimal import Decimal
from typing import Any

from accounts.templatetags.aid import cn_date
from documents import xlsx
from documents.xlsx import Column, WorksheetPlan
from students.models import RollOver

_CLASSES = (
    Column("原班级", 18),
    Column("新学期", 22),
    Column("去向", 26),
    Column("在读", 8, "count"),
    Column("编入新学期", 12, "count"),
    Column("毕业", 8, "count"),
    Column("已在新名册", 12, "count"),
    Column("已在他校", 10, "count"),
    Column("班主任", 18),
)
_EVIDENCE = (
    Column("班级", 16),
    Column("姓名", 12),
    Column("困难类别", 24),
    Column("失效日期", 14, "date"),
    Column("情况", 34),
    Column("怎么办", 40),
)
_LISTS = (
    Column("项目", 24),
    Column("班级", 16),
    Column("姓名", 12),
    Column("上学期（元）", 12, "amount"),
    Column("新学期（元）", 12, "amount"),
    Column("结果", 14),
    Column("与上学期的不同", 70),
)
STATES = {"offered": "可以沿用", "not_entitled": "不再符合", "gone": "不在本校"}


def list_lines(rollover: RollOver) -> list[dict[str, Any]]:
    """The lines of all programmes' lists that differ from last term, each with its programme."""
    return [row | {"programme": each["programme"]} for each in rollover.report.get("lists", []) for row in each["rows"]]


def report(rollover: RollOver) -> bytes:
    """The kept report as .xlsx."""
    kept = rollover.report
    title = f"{rollover.school} {rollover.source}结转到{rollover.target}"
    state = "（已撤销）" if rollover.state == RollOver.State.UNDONE else ""
    above = [f"{rollover.done_by.name}于{cn_date(rollover.done_at)}办理{state}", *kept.get("notes", [])]
    classes = [
        (
            row["name"], row["after"], row["what"], row["pupils"], row["carried"], row["graduated"], row["entered"],
            row["elsewhere"], "、".join(row["teachers"]) or ("没有班主任" if row["is_open"] else ""),
        )
        for row in kept.get("classes", [])
    ]  # fmt: skip
    evidence = [
        (row["class_name"], row["name"], row["kind"], _day(row["until"]), row["what"], row["remedy"])
        for row in kept.get("evidence", [])
    ]
    lists = [
        (
            row["programme"], row["class_name"], row["name"], _amount(row["before"]), _amount(row["after"]),
            STATES[row["state"]], "；".join(row["marks"]),
        )
        for row in list_lines(rollover)
    ]  # fmt: skip
    return xlsx.write(
        [
            WorksheetPlan("班级", _CLASSES, classes, title=title, above=above),
            WorksheetPlan("困难依据", _EVIDENCE, evidence, title=f"{title}：要核实的困难依据"),
            WorksheetPlan("上学期名单", _LISTS, lists, title=f"{title}：上学期名单与现在的不同"),
        ]
    )


def _day(text: str) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _amount(text: str) -> Decimal | None:
    return Decimal(text) if text else None
