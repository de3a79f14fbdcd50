"""资金分担明细: who bears how much of each line of a payout sheet, as a workbook."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from documents import xlsx

from . import shares
from .models import LineShare, PayoutSheet, SheetSplit
from .shares import Parts

_COLUMNS = (
    xlsx.Column("序号", 6, "count"),
    xlsx.Column("班级", 16),
    xlsx.Column("姓名", 14),
    xlsx.Column("金额（元）", 14, "amount"),
)
_NOTHING = Decimal("0.00")


def sheet_workbook(sheet: PayoutSheet, splits: Sequence[SheetSplit]) -> bytes:
    """The lines of the sheet with what each level bears, and the sums; the same bytes each time.

    Where pupils from several regions are on it, each line names the shares it was split by.
    """
    parts: dict[UUID, Parts] = {}
    used: dict[UUID, int] = {}
    rows = LineShare.objects.filter(split__in=[split.pk for split in splits])
    for line, split, level, amount in rows.values_list("line", "split", "level", "amount"):
        parts.setdefault(line, {})[level] = amount
        used[line] = split
    whole = shares.sums(parts.values())
    marks = {split.pk: f"比例{number}" for number, split in enumerate(splits, start=1)} if len(splits) > 1 else {}
    round_ = sheet.batch.round
    plan = xlsx.WorksheetPlan(
        "资金分担明细",
        [
            *_COLUMNS,
            *([xlsx.Column("分担比例", 10)] if marks else []),
            *(xlsx.Column(f"{shares.LEVELS[level]}（元）", 14, "amount") for level in whole),
        ],
        [
            [
                line.position,
                line.snapshot["class"],
                line.snapshot["name"],
                line.amount,
                *([marks[used[line.pk]]] if marks else []),
                *(parts[line.pk].get(level, _NOTHING) for level in whole),
            ]
            for line in sheet.lines.order_by("position")
        ],
        title=f"{round_.programme}资金分担明细",
        above=[
            f"发放花名册：{sheet.document.number}　发放批次：{sheet.batch.number}　单位：元",
            f"学校：{sheet.school.name}　学期：{round_.term.name}",
            *(_rule_words(split, marks.get(split.pk, "分担比例")) for split in splits),
        ],
        totals=["合计", None, None, sum(whole.values()), *([None] if marks else []), *whole.values()],
        below=[
            f"先按比例分担{'同一比例各行的' if marks else '全表'}合计，算到分；各行再分到分，"
            "每一行、每一级都与合计相符；因凑整，单独一行的某一级与比例可以差几分。"
        ],
        frozen_columns=3,
        footer=sheet.document.number,
    )
    return xlsx.write([plan])


def _rule_words(split: SheetSplit, name: str) -> str:
    whom = "" if name == "分担比例" else f"（{split.whom}）"
    rest = f"除不尽的尾差由{shares.LEVELS[split.remainder]}承担。依据：{split.document}"
    return f"{name}{whom}：{split}；{rest}"
