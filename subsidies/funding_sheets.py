"""资金分担明细: who bears how much of each line of a payout sheet, as a workbook."""

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


def sheet_workbook(sheet: PayoutSheet, split: SheetSplit) -> bytes:
    """The lines of the sheet with what each level bears, and the sums; the same bytes each time."""
    parts: dict = {}
    for line, level, amount in LineShare.objects.filter(split=split).values_list("line", "level", "amount"):
        parts.setdefault(line, {})[level] = amount
    whole = shares.sums(parts.values())
    lines = list(sheet.lines.order_by("position"))
    rows = [
        [line.position, line.snapshot["class"], line.snapshot["name"], line.amount, *_cells(parts[line.pk], whole)]
        for line in lines
    ]
    round_ = sheet.batch.round
    plan = xlsx.WorksheetPlan(
        "资金分担明细",
        [*_COLUMNS, *(xlsx.Column(f"{shares.LEVELS[level]}（元）", 14, "amount") for level in whole)],
        rows,
        title=f"{round_.programme}资金分担明细",
        above=[
            f"发放花名册：{sheet.document.number}　发放批次：{sheet.batch.number}　单位：元",
            f"学校：{sheet.school.name}　学期：{round_.term.name}",
            f"分担比例：{split}；除不尽的尾差由{shares.LEVELS[split.remainder]}承担。依据：{split.document}",
        ],
        totals=["合计", None, None, sum(whole.values()), *whole.values()],
        below=["先按比例分担全表合计，算到分；各行再分到分，每一行、每一级都与合计相符，各行与比例相差不到一分。"],
        frozen_columns=3,
        footer=sheet.document.number,
    )
    return xlsx.write([plan])


def _cells(parts: Parts, whole: Parts) -> list[xlsx.Content]:
    return [parts[level] for level in whole]
