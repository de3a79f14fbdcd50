"""The signing copy 发放花名册: one plan, as the PDF people sign and as a workbook.

Pages are cut here, with rows of one height, so that each page carries its exact subtotal and running total.
Signature blocks stand on every page: a page that could be exchanged for another would be worth nothing.

Each column of a page is one block of lines over one drawing of the grid. A box per cell, as in an HTML
table, would look the same and cost twice the time (see benchmarks/payout_sheet.py).
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from accounts.templatetags.aid import cn_date

from . import fonts, issuing, pdf, xlsx
from .amounts import in_words, yuan
from .models import IssuedDocument

ROWS_PER_PAGE = 15
# Millimetres on A4 landscape. A thumb print needs 8 mm.
_LEFT, _TOP, _HEAD, _ROW, _SUM = 14.0, 30.0, 8.5, 8.5, 7.0
_PADDING = 0.8
_POINT = 25.4 / 72
_SIZE = 9.0  # points, of the rows
# Smaller sizes for what does not fit on one line, and the line height in em.
_SMALLER = (8.0, 7.0, 6.0, 5.0, 4.0, 3.0)
_LINE = 1.12


@dataclass(frozen=True)
class SheetRow:
    """One pupil's line, as printed. The account is masked already."""

    position: int
    school_class: str
    name: str
    roll_last4: str
    boarding: str  # 寄宿 or 走读
    standard: str | Decimal  # yuan a term
    amount: Decimal
    holder: str
    relation: str
    bank: str
    account: str
    note: str = ""


@dataclass(frozen=True)
class SheetPlan:
    """Everything on the paper. `document` gives the code and the address to check it."""

    number: str
    document: IssuedDocument
    title: str
    school: str
    term: str
    programme: str
    standards: tuple[str, ...]  # document numbers the amounts rest on
    batch_number: str
    made_on: dt.date
    prepared_by: str
    rows: tuple[SheetRow, ...]
    total: Decimal


@dataclass(frozen=True)
class PrintColumn:
    title: str
    width: float  # mm
    align: str  # l, c or r
    excel: float  # width in a workbook
    kind: xlsx.ColumnKind = "text"


COLUMNS = (
    PrintColumn("序号", 9, "c", 6, "count"),
    PrintColumn("班级", 25, "l", 16),
    PrintColumn("姓名", 25, "l", 14),
    PrintColumn("学籍号\n后四位", 13, "c", 9),
    PrintColumn("寄宿/\n走读", 11, "c", 7),
    PrintColumn("标准\n(元/学期)", 17, "r", 11, "amount"),
    PrintColumn("实发金额", 20, "r", 12, "amount"),
    PrintColumn("收款人", 21, "l", 12),
    PrintColumn("与学生\n关系", 13, "c", 9),
    PrintColumn("开户行", 31, "l", 22),
    PrintColumn("账号", 31, "l", 22),
    PrintColumn("领取人签字", 26, "c", 16),
    PrintColumn("手印", 15, "c", 10),
    PrintColumn("备注", 14, "l", 12),
)
_ALIGN = {"l": "left", "c": "center", "r": "right"}
_AMOUNT = 6  # the column the totals stand in
_EDGES = [_LEFT + sum(column.width for column in COLUMNS[:index]) for index in range(len(COLUMNS) + 1)]
NOTE = "一人一行，由领取人本人签字并按手印，不得代签；领取人不是收款人的，在备注栏写明原因。账号只显示后四位，供核对。"


def signing_copy_pdf(plan: SheetPlan) -> bytes:
    """The sheet as PDF/A, unsigned; the same bytes for the same plan. Raises CannotPrint, ValueError."""
    _assert_total(plan)
    context = {
        "plan": plan,
        "pages": list(_pages(plan)),
        "labels": [_label(index) for index in range(len(COLUMNS))],
        "qr": issuing.qr_svg(plan.document),
        "code": issuing.spaced_code(plan.document),
        "standards": "、".join(plan.standards),
        "columns": [Piece(_ALIGN[column.align], _box(index), f"c{index}") for index, column in enumerate(COLUMNS)],
    }
    return pdf.render("documents/print/signing_copy.html", context)


def signing_copy_xlsx(plan: SheetPlan) -> bytes:
    """The same sheet as a workbook; the same bytes for the same plan."""
    _assert_total(plan)
    totals: list[xlsx.Content] = [None] * len(COLUMNS)
    totals[0], totals[_AMOUNT] = "合计", plan.total
    sheet = xlsx.WorksheetPlan(
        name="发放花名册",
        columns=[xlsx.Column(c.title, c.excel, c.kind, centred=c.align == "c") for c in COLUMNS],
        rows=[_values(row) for row in plan.rows],
        title=plan.title,
        above=[
            f"编号：{plan.number}　发放批次：{plan.batch_number}　制表日期：{cn_date(plan.made_on)}　单位：元",
            f"学校：{plan.school}　学期：{plan.term}　项目：{plan.programme}",
            f"标准依据：{'、'.join(plan.standards)}",
        ],
        totals=totals,
        below=[
            f"合计（大写）：{in_words(plan.total)}　　共 {len(plan.rows)} 人",
            f"制表人：{plan.prepared_by}　　　　审核人：　　　　　　　　校长（签字）：　　　　　　　　"
            "学校（公章）：　　　　　　　　日期：　　　　年　　月　　日",
            NOTE,
            f"查验码：{issuing.spaced_code(plan.document)}　查验网址：{pdf.page_address()}",
        ],
        row_height=26,
        frozen_columns=3,
        footer=plan.number,
    )
    return xlsx.write([sheet], keywords=plan.document.code)


# --- pages ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """A text in its place: `box` is the style that says where, `look` the class."""

    text: str
    box: str
    look: str = ""


@dataclass(frozen=True)
class Page:
    columns: tuple[Piece, ...]  # one for each column that has any text
    pieces: tuple[Piece, ...]  # everything else below the heading
    grid: str  # path of the inner lines
    frame: str  # path of the outer line


def _pages(plan: SheetPlan) -> Iterator[Page]:
    count = max(1, -(-len(plan.rows) // ROWS_PER_PAGE))
    before = Decimal("0.00")
    for number in range(1, count + 1):
        start = (number - 1) * ROWS_PER_PAGE
        rows = plan.rows[start : start + ROWS_PER_PAGE]
        subtotal = sum((row.amount for row in rows), Decimal("0.00"))
        columns, tight = _set_columns(rows)
        sums_top = _TOP + _HEAD + _ROW * len(rows)
        sums = _sums(plan, sums_top, len(rows), subtotal, start + len(rows), before + subtotal)
        foot = _foot(plan, sums_top + 2 * _SUM, number, count)
        frame = f"M{_LEFT} {_TOP}H{_EDGES[-1]:g}V{sums_top + 2 * _SUM:g}H{_LEFT}Z"
        yield Page(columns, (*tight, *sums, *foot), _grid(len(rows)), frame)
        before += subtotal


def _sums(
    plan: SheetPlan, top: float, people: int, subtotal: Decimal, people_so_far: int, so_far: Decimal
) -> list[Piece]:
    """This page, all pages so far, the whole sheet; the amounts stand in the amounts' column."""
    first = f"top:{top:g}mm"
    second = f"top:{top + _SUM:g}mm"
    label = f"left:{_LEFT}mm;width:{_EDGES[_AMOUNT] - _LEFT:g}mm"
    amount = f"left:{_EDGES[_AMOUNT]:g}mm;width:{COLUMNS[_AMOUNT].width:g}mm"
    rest = f"left:{_EDGES[_AMOUNT + 1]:g}mm;width:{_EDGES[-1] - _EDGES[_AMOUNT + 1]:g}mm"
    return [
        Piece(f"本页小计（{people} 人）", f"{first};{label}", "sum r"),
        Piece(yuan(subtotal), f"{first};{amount}", "sum r b"),
        Piece(f"累计至本页：{people_so_far} 人，{yuan(so_far)} 元", f"{first};{rest}", "sum"),
        Piece(f"全表合计（{len(plan.rows)} 人）", f"{second};{label}", "sum r b"),
        Piece(yuan(plan.total), f"{second};{amount}", "sum r b"),
        Piece(f"合计（大写）：{in_words(plan.total)}", f"{second};{rest}", "sum b"),
    ]


def _foot(plan: SheetPlan, top: float, number: int, count: int) -> list[Piece]:
    """Who signs, and at the paper's edge which page of which sheet this is."""
    places = ((0, f"制表人：{plan.prepared_by}"), (52, "审核人："), (98, "校长（签字）："), (152, "学校（公章）："))
    signatures = [*places, (216, "日期：　　　　年　　月　　日")]
    code = f"{plan.number}　查验码 {issuing.spaced_code(plan.document)}"
    middle = f"left:{_LEFT}mm;width:{_EDGES[-1] - _LEFT:g}mm;top:202.4mm"
    return [
        *(Piece(text, f"left:{_LEFT + x:g}mm;top:{top + 6:g}mm", "sign") for x, text in signatures),
        Piece(NOTE, f"left:{_LEFT}mm;top:{top + 15:g}mm", "small"),
        Piece(code, f"left:{_LEFT}mm;top:203mm", "small"),
        Piece(f"第 {number} 页　共 {count} 页", middle, "page-number"),
        Piece(f"查验网址 {pdf.page_address()}", f"left:{_EDGES[-1] - 110:g}mm;width:110mm;top:203mm", "small r"),
    ]


def _set_columns(rows: Sequence[SheetRow]) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Each column's lines; what is too long leaves its line empty there and is set smaller in its place."""
    columns, tight = [], []
    table = [printed_texts(row) for row in rows]
    for index, column in enumerate(COLUMNS):
        room = (column.width - 2 * _PADDING) / (_SIZE * _POINT)
        texts = [texts[index] for texts in table]
        fits = [fonts.width(text) <= room for text in texts]
        lines = "\n".join(text if fit else "" for text, fit in zip(texts, fits, strict=True))
        if lines.strip():
            columns.append(Piece(lines, "", f"c{index}"))
        tops = (_TOP + _HEAD + _ROW * line for line in range(len(rows)))
        tight += [_squeeze(text, index, top) for text, fit, top in zip(texts, fits, tops, strict=True) if not fit]
    return tuple(columns), tuple(tight)


def _squeeze(text: str, index: int, top: float) -> Piece:
    """The text in as many lines as its size allows, in the largest size in which all of it fits."""
    column = COLUMNS[index]
    for size in _SMALLER:
        lines = _wrap(text, (column.width - 2 * _PADDING) / (size * _POINT))
        height = size * _LINE * _POINT
        if len(lines) * height <= _ROW - 0.6:
            break
    else:
        raise ValueError(f"A text of {len(text)} characters does not fit into its cell.")
    above = (_ROW - len(lines) * height) / 2
    place = f"{_box(index)};top:{top + above:.2f}mm;font-size:{size:g}pt;line-height:{height:.3f}mm"
    return Piece("\n".join(lines), place, f"t {column.align}")


def _wrap(text: str, room: float) -> list[str]:
    """The text cut into lines of at most `room` em; Chinese may break anywhere, and so may account numbers."""
    lines, line, used = [], "", 0.0
    for char in text:
        advance = fonts.width(char)
        if line and used + advance > room:
            lines.append(line)
            line, used = "", 0.0
        line, used = line + char, used + advance
    return [*lines, line]


def printed_texts(row: SheetRow) -> tuple[str, ...]:
    """The line as it is printed, in the order of COLUMNS."""
    return tuple(
        yuan(value) if isinstance(value, Decimal) else " ".join(str(value or "").split()) for value in _values(row)
    )


def _values(row: SheetRow) -> tuple[xlsx.Content, ...]:
    """The line in the order of COLUMNS; signature and fingerprint are left for the pen."""
    paid = (row.position, row.school_class, row.name, row.roll_last4, row.boarding, Decimal(row.standard), row.amount)
    return (*paid, row.holder, row.relation, row.bank, row.account, None, None, row.note)


def _grid(count: int) -> str:
    """All inner lines of a page as one SVG path, in millimetres."""
    bottom = _TOP + _HEAD + _ROW * count
    right = _EDGES[-1]
    across = [_TOP + _HEAD + _ROW * line for line in range(count + 1)] + [bottom + _SUM]
    horizontal = "".join(f"M{_LEFT} {y:g}H{right:g}" for y in across)
    vertical = "".join(f"M{x:g} {_TOP}V{bottom:g}" for x in _EDGES[1:-1])
    around_totals = "".join(f"M{x:g} {bottom:g}v{2 * _SUM}" for x in (_EDGES[_AMOUNT], _EDGES[_AMOUNT + 1]))
    return horizontal + vertical + around_totals


def _label(index: int) -> Piece:
    """A column's heading; one of two lines is set closer."""
    title = COLUMNS[index].title
    height = 0.9 * _HEAD / 2 if "\n" in title else _HEAD
    top = _TOP + 0.05 * _HEAD if "\n" in title else _TOP
    return Piece(title, f"{_box(index)};top:{top:g}mm;line-height:{height:g}mm")


def _box(index: int) -> str:
    return f"left:{_EDGES[index]:g}mm;width:{COLUMNS[index].width:g}mm"


def _assert_total(plan: SheetPlan) -> None:
    """The total that was decided and the lines that are printed must say the same."""
    if plan.total != sum((row.amount for row in plan.rows), Decimal("0.00")):
        raise ValueError(f"The total of {plan.number} is not the sum of its lines.")
