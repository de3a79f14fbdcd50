"""The columns of a roster, under the names they go by; and where they stand in a workbook.

One table, in one place. Headers are found by name, in any order, in the first ten rows of any sheet.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.core.exceptions import ValidationError

from documents.xlsx import Row, Sheet

HEADER_ROWS = 10
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


@dataclass(frozen=True)
class Column:
    """One thing a roster may say about a pupil. The first header is the one the template and findings use."""

    key: str
    headers: tuple[str, ...]
    is_required: bool = False
    # Excel keeps fifteen digits of a number: in these columns a number cell has already lost its end.
    must_be_text: bool = False

    @property
    def label(self) -> str:
        return self.headers[0]


COLUMNS: tuple[Column, ...] = (
    Column("name", ("姓名", "学生姓名"), is_required=True),
    Column(
        "id_number",
        ("身份证件号", "身份证号", "身份证号码", "身份证件号码", "证件号码", "证件号", "公民身份号码", "学生身份证号"),
        is_required=True,
        must_be_text=True,
    ),
    Column("id_kind", ("证件类型", "身份证件类型")),
    Column("roll_number", ("全国学籍号", "学籍号"), must_be_text=True),
    Column("sex", ("性别",)),
    Column("birth_date", ("出生日期", "出生年月日")),
    Column("ethnicity", ("民族",)),
    Column("grade", ("年级", "年级名称")),
    Column("class", ("班级", "班级名称"), is_required=True),
    Column("boarding", ("就读方式",)),
    Column("is_boarding", ("是否寄宿", "是否住校", "是否寄宿生", "是否住宿")),
    Column("school_name", ("学校名称", "学校")),
    Column("school_code", ("学校标识码",)),
    Column("guardian_name", ("监护人姓名", "监护人", "家长姓名")),
    Column("guardian_relation", ("与学生关系", "监护人与学生关系", "监护人关系")),
    Column("phone", ("联系电话", "监护人电话", "监护人联系电话", "家长电话", "手机号码")),
    Column("bank", ("开户银行", "开户行", "开户行名称", "银行卡开户行", "银行卡开户行名称")),
    Column("account", ("银行账号", "银行卡号", "银行帐号", "账号", "卡号"), must_be_text=True),
    Column("holder", ("户名", "账户姓名", "账户名", "户主姓名", "开户人")),
    Column("relation", ("户主与学生关系", "账户人与学生关系", "开户人与学生关系")),
    Column("categories", ("困难类别", "困难类型")),
    Column("evidence", ("证明名称和编号", "困难证明", "证明编号")),
)
BY_KEY = {column.key: column for column in COLUMNS}


def tidy_header(text: str) -> str:
    """The header without blanks, marks of "required" and remarks in brackets: " *姓 名（必填）" → "姓名"."""
    bare = re.sub(r"\s+", "", text.translate(_HALF_WIDTH))
    return re.sub(r"\(.*?\)|\[.*?\]|【.*?】|[*★:☆]", "", bare)


_BY_HEADER = {tidy_header(header): column for column in COLUMNS for header in column.headers}


@dataclass(frozen=True)
class Layout:
    """Where the columns stand in one sheet."""

    sheet: Sheet
    header_row: int  # its number as Excel counts
    places: dict[str, int]  # key of the column → index of the cell
    ignored: tuple[str, ...]  # headers nobody here reads

    @property
    def missing(self) -> list[str]:
        missing = [column.label for column in COLUMNS if column.is_required and column.key not in self.places]
        if not {"boarding", "is_boarding"} & self.places.keys():
            missing.append(BY_KEY["boarding"].label)
        if "account" in self.places:
            missing += [BY_KEY[key].label for key in ("bank", "holder") if key not in self.places]
        return missing

    @property
    def rows(self) -> Iterable[Row]:
        return (row for row in self.sheet.rows if row.number > self.header_row)


def find_layouts(sheets: list[Sheet]) -> list[Layout]:
    """The layout of each visible sheet that holds a roster, in order.

    Raises ValidationError, one sentence, when no sheet has all the columns that are needed, or when two
    columns of a sheet say the same thing and nobody can know which one is meant.
    """
    layouts = [layout for sheet in sheets if not sheet.hidden and (layout := _layout_of(sheet))]
    whole = [layout for layout in layouts if not layout.missing]
    if whole:
        return whole
    raise ValidationError(_what_is_missing(layouts))


def _what_is_missing(layouts: list[Layout]) -> str:
    if not layouts:
        return (
            f"在每张工作表的前 {HEADER_ROWS} 行里都没有找到表头。表头至少要有“姓名”“身份证件号”“班级”“就读方式”，"
            "名称可以用学籍系统导出的列名。什么都没有保存；可以下载模板对照修改后再上传。"
        )
    best = min(layouts, key=lambda layout: len(layout.missing))
    names = "、".join(f"“{label}”" for label in best.missing)
    return (
        f"工作表“{best.sheet.name}”第 {best.header_row} 行是表头，但缺少{names}列，没有读取任何一行。"
        "请补上这些列（列的顺序不限）后再上传。"
    )


def _layout_of(sheet: Sheet) -> Layout | None:
    """The row with the most known headers; a row that knows fewer than two is not a header."""
    best = max((row for row in sheet.rows if row.number <= HEADER_ROWS), key=_known, default=None)
    if best is None or _known(best) < 2:
        return None
    places: dict[str, int] = {}
    ignored = []
    for index, cell in enumerate(best.cells):
        column = _BY_HEADER.get(tidy_header(cell.text))
        if column is None:
            ignored += [cell.text.strip()] if cell.text.strip() else []
        elif column.key in places:
            raise ValidationError(
                f"工作表“{sheet.name}”第 {best.number} 行有两列都像“{column.label}”"
                f"（“{best.cells[places[column.key]].text.strip()}”和“{cell.text.strip()}”）。请只保留一列后再上传。"
            )
        else:
            places[column.key] = index
    return Layout(sheet, best.number, places, tuple(ignored))


def _known(row: Row) -> int:
    return len({column.key for cell in row.cells if (column := _BY_HEADER.get(tidy_header(cell.text)))})
