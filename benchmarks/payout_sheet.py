"""One payout sheet of 250 rows (PDF/A, signed, and XLSX) beside a bare WeasyPrint table of the same rows.

Interleaved in one process; processor seconds, medians of five rounds. Goal: PDF within 1.3 times the bare table.
"""

import datetime as dt
import gc
import html
import resource
import statistics
import time
from collections.abc import Callable
from decimal import Decimal

from documents import fonts, pdf, sheets, signing
from documents.models import IssuedDocument

ROWS, ROUNDS, GOAL = 250, 5, 1.3
_NAMES = ["王小明", "张䶮", "李𬎆", "阿卜杜拉·买买提", "欧阳娜娜", "迪丽热巴·迪力木拉提", "赵志强", "刘一"]
_BANKS = ["中国建设银行", "云岭县农村信用社", "云南省农村信用社联合社云岭县城关信用社"]


def make_plan(count: int) -> sheets.SheetPlan:
    """A sheet of invented pupils; one name in four and one bank in three does not fit its line."""
    rows = tuple(_row(number) for number in range(1, count + 1))
    return sheets.SheetPlan(
        number="发放〔2026〕12号",
        document=IssuedDocument(code="23456789ABCDEFGH", number="发放〔2026〕12号"),
        title="义务教育家庭经济困难学生生活补助发放花名册",
        school="云岭县城关中学",
        term="2026年春季学期",
        programme="义务教育家庭经济困难学生生活补助",
        standards=("财教〔2024〕181号",),
        batch_number="2026春-03",
        made_on=dt.date(2026, 3, 5),
        prepared_by="陈经办",
        rows=rows,
        total=sum((row.amount for row in rows), Decimal("0.00")),
    )


def _row(number: int) -> sheets.SheetRow:
    boards = number % 3 != 0
    amount = Decimal("750.00") if boards else Decimal("375.00")
    return sheets.SheetRow(
        position=number,
        school_class=f"七年级（{number // 50 + 1}）班",
        name=_NAMES[number % len(_NAMES)],
        roll_last4=f"{number:04}",
        boarding="寄宿" if boards else "走读",
        standard=amount,
        amount=amount,
        holder="王大力",
        relation="父亲",
        bank=_BANKS[number % len(_BANKS)],
        account=f"6217****{number:04}",
    )


def bare_table(plan: sheets.SheetPlan) -> bytes:
    """The yardstick: the same cells in one HTML table, nothing else."""
    from weasyprint import HTML

    columns = "".join(f'<col style="width:{column.width}mm">' for column in sheets.COLUMNS)
    head = "".join(f"<th>{column.title}</th>" for column in sheets.COLUMNS)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in sheets.printed_texts(row)) + "</tr>"
        for row in plan.rows
    )
    style = (
        "@page{size:A4 landscape;margin:12mm 12mm 12mm 14mm}html{font:9pt 'Noto Sans CJK SC'}"
        "table{border-collapse:collapse;table-layout:fixed;width:271mm}td,th{border:.2mm solid;padding:0 .8mm}"
        "tr{height:8.5mm}"
    )
    page = f"<style>{style}</style><table>{columns}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return HTML(string=page).write_pdf()


def measure(work: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median processor seconds of each, taken in turns."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, run in work.items():
            gc.collect()
            began = time.process_time()
            run()
            taken[name].append(time.process_time() - began)
    return {name: statistics.median(times) for name, times in taken.items()}


def main() -> None:
    began = time.process_time()
    fonts.printable()
    print(f"   fonts asked once per process: {time.process_time() - began:.2f} s")
    plan = make_plan(ROWS)
    paper = sheets.signing_copy_pdf(plan)
    seconds = measure(
        {
            "bare WeasyPrint table": lambda: bare_table(plan),
            "signing copy, PDF/A-3b": lambda: sheets.signing_copy_pdf(plan),
            "signature": lambda: signing.sign(paper),
            "signing copy, XLSX": lambda: sheets.signing_copy_xlsx(plan),
        }
    )
    bare = seconds["bare WeasyPrint table"]
    for name, taken in seconds.items():
        print(f"   {name:26}{taken:7.3f} s{taken / bare:7.2f} ×")
    ratio = seconds["signing copy, PDF/A-3b"] / bare
    size, memory = len(paper) // 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"   {ROWS} rows, {pdf.page_count(paper)} pages, {size} KB; peak {memory} MB")
    print(f"   {ratio:.2f} times the bare table; goal {GOAL}: {'kept' if ratio <= GOAL else 'MISSED'}")
