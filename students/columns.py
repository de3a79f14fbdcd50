"""The columns of a roster, under the names they go by; and where they stand in a workbook.

One table, in one place. Headers are found by name, in any order, in the first rows of any visible sheet, in one
line or in two. What the table does not know a person is asked once; the answer is kept as HeaderMeaning.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from openpyxl.utils import get_column_letter

from accounts.redaction import redact
from documents import marking
from documents.workbooks import SheetInfo, Value, spread, text_of

from . import grades, privacy, words

HEADER_ROWS = 12  # how far down a header is looked for
SAMPLE_ROWS = 20  # rows below it that help to tell what a column holds
_FEWEST_KNOWN = 2  # a row that knows fewer headers is no header
_FEWEST_TO_ASK = 4  # a row of so many short words may be a header whose words nobody knows yet
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


@dataclass(frozen=True)
class Column:
    """One thing a roster may say about a pupil. The first header is the one the template and findings use.

    Of several columns under names of an optional one, the name that stands further left in the table counts.
    """

    key: str
    headers: tuple[str, ...]
    is_required: bool = False
    # Excel keeps fifteen digits of a number: in these columns a number cell has already lost its end.
    must_be_text: bool = False

    @property
    def label(self) -> str:
        return self.headers[0]

    @property
    def is_weighty(self) -> bool:
        """Whether a wrong guess would put something wrong on record; then two candidates are a question."""
        return self.is_required or self.must_be_text or self.key in ("boarding", "holder")


# Codes in small letters are the field names of the national roll system and its exports.
COLUMNS: tuple[Column, ...] = (
    Column("name", ("姓名", "学生姓名", "学生名字", "xm", "xsxm"), is_required=True),
    Column(
        "id_number",
        (
            *("身份证件号", "身份证号", "身份证号码", "身份证件号码", "证件号码", "证件号", "公民身份号码", "身份证"),
            *("学生身份证号", "学生身份证号码", "学生身份证件号", "学生身份证件号码", "学生证件号码", "居民身份证号"),
            *("sfzjh", "sfzh"),
        ),
        is_required=True,
        must_be_text=True,
    ),
    Column("id_kind", ("证件类型", "身份证件类型", "身份证件类型码", "证件类型码", "sfzjlxm", "sfzjlx")),
    Column(
        "roll_number",
        ("全国学籍号", "学籍号", "学籍号码", "学生学籍号", "全国统一学籍号", "个人标识码", "grbsm", "xjh"),
        must_be_text=True,
    ),
    Column("sex", ("性别", "学生性别", "性别码", "xbm", "xb")),
    Column("birth_date", ("出生日期", "出生年月日", "学生出生日期", "csrq")),
    Column("ethnicity", ("民族", "学生民族", "民族码", "mzm", "mz")),
    Column("registration", ("户口性质", "户口类别", "户籍性质")),
    Column(
        "region",
        (
            *("户籍所在地行政区划代码", "户口所在地行政区划代码", "户籍所在地行政区划", "户口所在地行政区划"),
            *("户口所在地行政区划码", "户籍所在地行政区划码", "户口所在地代码", "户籍所在地代码"),
        ),
    ),
    Column("grade", ("年级", "年级名称", "所在年级", "就读年级", "当前年级", "nj", "njmc")),
    Column("class", ("班级", "班级名称", "所在班级", "就读班级", "班别", "班", "bj", "bjmc"), is_required=True),
    Column("boarding", ("就读方式", "就读方式码", "住宿方式", "住宿情况", "寄宿情况", "住校情况", "jdfsm", "jdfs")),
    Column(
        "is_boarding",
        ("是否寄宿", "是否住校", "是否寄宿生", "是否住宿", "是否住校生", "是否住宿生", "是否寄宿码", "sfjssm", "sfjs"),
    ),
    Column("major", ("专业类别", "专业大类", "专业类型")),
    Column("schooling", ("就学方式", "是否随班就读", "随班就读", "随班就读情况", "是否特殊教育", "特殊教育")),
    Column("school_name", ("学校名称", "学校", "就读学校", "所在学校", "所属学校", "学校全称", "就读学校名称", "xxmc")),
    Column("school_code", ("学校标识码", "学校代码", "学校标识", "学校编码", "xxbsm")),
    Column(
        "guardian_name",
        ("监护人姓名", "监护人", "家长姓名", "家长", "法定监护人", "法定监护人姓名", "第一监护人", "第一监护人姓名"),
    ),
    Column(
        "guardian_relation",
        (
            *("与学生关系", "监护人与学生关系", "监护人关系", "家长与学生关系", "与本人关系", "监护人与本人关系"),
            "与学生的关系",
        ),
    ),
    Column(
        "phone",
        (
            *(
                "联系电话",
                "监护人电话",
                "监护人联系电话",
                "家长电话",
                "家长联系电话",
                "手机号码",
                "手机号",
                "家长手机号",
            ),
            *("监护人手机号", "监护人手机号码", "联系方式", "家长联系方式", "电话", "电话号码", "lxdh"),
        ),
    ),
    Column(
        "bank",
        (
            *(
                "开户银行",
                "开户行",
                "开户行名称",
                "开户银行名称",
                "银行卡开户行",
                "银行卡开户行名称",
                "银行名称",
                "银行",
            ),
            *("发卡银行", "开户网点"),
        ),
    ),
    Column(
        "account",
        (
            *(
                "银行账号",
                "银行卡号",
                "银行帐号",
                "账号",
                "帐号",
                "卡号",
                "银行卡账号",
                "银行卡帐号",
                "银行账户",
                "账户号码",
            ),
            *("一卡通账号", "一卡通卡号", "收款账号", "资助卡号", "资助账号", "社保卡银行账号"),
        ),
        must_be_text=True,
    ),
    Column(
        "holder",
        (
            *(
                "户名",
                "账户姓名",
                "账户名",
                "户主姓名",
                "开户人",
                "开户人姓名",
                "开户名",
                "账户名称",
                "账户户名",
                "银行户名",
            ),
            *("持卡人", "持卡人姓名", "收款人", "收款人姓名", "开户姓名"),
        ),
    ),
    Column(
        "relation",
        (
            *("户主与学生关系", "账户人与学生关系", "开户人与学生关系", "持卡人与学生关系", "收款人与学生关系"),
            *("户名与学生关系", "开户人关系", "持卡人关系"),
        ),
    ),
    Column(
        "categories", ("困难类别", "困难类型", "家庭经济困难类型", "家庭经济困难类别", "困难学生类别", "困难学生类型")
    ),
    Column("evidence", ("证明名称和编号", "困难证明", "证明编号", "困难证明编号", "困难证明名称")),
    Column("changed_on", ("变动日期", "异动日期", "调班日期", "就读方式变动日期")),
)
BY_KEY = {column.key: column for column in COLUMNS}

# Above a pair or a block of columns: whose name, telephone, relation the words below it are about.
_GUARDIANS = ("监护人", "家长", "家庭成员", "父亲", "母亲", "父母", "亲属")
_ACCOUNTS = ("银行", "账户", "帐户", "卡", "收款", "发放", "开户", "持卡人")
_GUARDIAN_WORDS = {
    **dict.fromkeys(("姓名", "名字"), "guardian_name"),
    **dict.fromkeys(("关系", "与学生关系", "与本人关系", "称谓", "与学生的关系"), "guardian_relation"),
    **dict.fromkeys(("电话", "联系电话", "手机", "手机号", "手机号码", "联系方式", "电话号码"), "phone"),
}
_ACCOUNT_WORDS = {
    **dict.fromkeys(("姓名", "户名", "名称", "户主", "户主姓名"), "holder"),
    **dict.fromkeys(("关系", "与学生关系", "与本人关系", "户主与学生关系", "与学生的关系"), "relation"),
}
# A header that says different things at different schools is known by what stands below it.
_TOLD_BY_VALUES: dict[str, tuple[tuple[str, Callable[[str], bool]], ...]] = {
    "学生类别": (("boarding", lambda text: text in words.BOARDING),),
    "学生类型": (("boarding", lambda text: text in words.BOARDING),),
    "是否走读": (),
}


def tidy_header(text: str) -> str:
    """The header without blanks, marks of "required" and remarks in brackets: " *姓 名（必填）" → "姓名"."""
    bare = re.sub(r"\s+", "", text.translate(_HALF_WIDTH))
    return re.sub(r"\(.*?\)|\[.*?\]|【.*?】|[*★:☆]", "", bare).lower()


_BY_HEADER = {tidy_header(header): column.key for column in COLUMNS for header in column.headers}
_RANK = {tidy_header(header): rank for column in COLUMNS for rank, header in enumerate(column.headers)}
# What we ourselves write into a workbook that goes back to its sender.
OUR_OWN_HEADERS = frozenset({tidy_header(marking.REASON_HEADER)})
SUMMARY_TITLE = "名册检查结果"  # in the first cell of the sheet we add
SHEETS_OF_WORDS = frozenset({"填写说明", "说明", "填表说明"})


_CLASS_CURE = "工作表的名称和标题里也看不出是几年级几班。请加一列“班级”，或把工作表改名为“三年级1班”这样，再上传。"


def is_our_summary(sheet: SheetInfo, head: Sequence[tuple[int, list[Value]]]) -> bool:
    """Whether we added the sheet to a marked workbook; a sheet of theirs may have the same name."""
    return sheet.name.startswith(marking.SUMMARY_SHEET) and bool(head) and text_of(head[0][1][0]) == SUMMARY_TITLE


class MappingNeeded(ValidationError):
    """A person has to say which column is which. `question` is what to ask, as RosterImport keeps it."""

    def __init__(self, question: dict[str, Any]) -> None:
        super().__init__(question["sentence"])
        self.question = question


@dataclass
class Heading:
    """One column of a sheet as its header has it."""

    text: str  # as people read it: "监护人 姓名" where it stands in two lines
    token: str  # by which an answer about it is kept; a word that comes twice has "#2"
    key: str = ""  # what it is, or ""
    is_ours: bool = False
    is_aside: bool = False  # somebody has said that it is not to be read


@dataclass
class Layout:
    """Where the columns stand in one sheet."""

    sheet: str
    sheet_index: int
    header_row: int  # its number as Excel counts; of two lines the lower
    headings: list[Heading]
    samples: list[list[Value]]
    needs_school: bool = False
    places: dict[str, int] = field(default_factory=dict)  # key of the column → index of the cell
    doubtful: dict[str, list[int]] = field(default_factory=dict)  # key → the columns that may be meant
    class_said: str = ""  # the class of all its pupils, where no column but the sheet's name or title says it
    short: Mapping[str, grades.Grade] = field(default_factory=dict)  # what 三 or 2024级 means as a grade here

    @property
    def missing(self) -> list[str]:
        """Keys of columns without which no row can be taken."""
        missing = [column.key for column in COLUMNS if column.is_required and column.key not in self.places]
        if self.class_said:
            missing = [key for key in missing if key != "class"]
        if not {"boarding", "is_boarding"} & self.places.keys():
            missing.append("boarding")
        if "account" in self.places:
            missing += [key for key in ("bank", "holder") if key not in self.places]
        if self.needs_school and not {"school_name", "school_code"} & self.places.keys():
            missing.append("school_name")
        return missing

    @property
    def is_whole(self) -> bool:
        return not self.missing and not self.doubtful

    @property
    def is_roster(self) -> bool:
        """Whether the sheet means to be a roster: it names pupils and their numbers."""
        return {"name", "id_number"} <= self.places.keys() | self.doubtful.keys()

    @property
    def ignored(self) -> list[str]:
        """Headers nobody here reads."""
        read = set(self.places.values())
        return [
            heading.text
            for index, heading in enumerate(self.headings)
            if heading.text and index not in read and not heading.is_ours
        ]


# --- finding the header ------------------------------------------------------------------------------


def find_layout(
    sheet: SheetInfo,
    sheet_index: int,
    head: Sequence[tuple[int, list[Value]]],
    *,
    meanings: Mapping[str, str],
    needs_school: bool,
    short: Mapping[str, grades.Grade] = grades.NO_SHORT_FORMS,
) -> Layout | None:
    """The layout of a sheet by its first rows; None for a sheet without a header.

    `meanings` is what people of the county have said: token → key, "" for a column to be left aside.
    """
    best: tuple[int, int, list[Heading], int] | None = None
    spread_rows = [(number, spread(number, values, sheet)) for number, values in head]
    for place, (number, values) in enumerate(spread_rows[: HEADER_ROWS + 1]):
        if number > HEADER_ROWS:
            break
        below = [row for _, row in head[place + 1 : place + 1 + SAMPLE_ROWS]]
        candidates = [(number, _one_line(values, meanings, below), place)]
        if place and number - 1 == spread_rows[place - 1][0]:
            upper = spread_rows[place - 1][1]
            two = _two_lines(upper, values, meanings, below)
            if two:
                candidates.append((number, two, place))
        for last, headings, at in candidates:
            known = len({heading.key for heading in headings if heading.key})
            if known >= _FEWEST_KNOWN and (best is None or known > best[0]):
                best = (known, last, headings, at)
    if best is None:
        best = _unknown_header(head, meanings)
    if best is None:
        return None
    _, number, headings, place = best
    samples = [values for _, values in head[place + 1 : place + 1 + SAMPLE_ROWS]]
    layout = Layout(sheet.name, sheet_index, number, headings, samples, needs_school, short=short)
    _place(layout, meanings)
    if "class" not in layout.places | layout.doubtful and layout.is_roster:
        titles = [text_of(value) for row, values in head if row < number for value in values if value is not None]
        layout.class_said = grades.class_said([sheet.name, *titles], short)
    return layout


def _one_line(values: Sequence[Value], meanings: Mapping[str, str], below: list[list[Value]]) -> list[Heading]:
    return _headings([("", text_of(value)) for value in values], meanings, below)


def _two_lines(
    upper: Sequence[Value], lower: Sequence[Value], meanings: Mapping[str, str], below: list[list[Value]]
) -> list[Heading] | None:
    """Words under words: 监护人 over 姓名 and 电话. None when the upper line is a title over everything."""
    width = max(len(upper), len(lower))
    above = [text_of(value).strip() for value in [*upper, *[None] * (width - len(upper))]]
    under = [text_of(value).strip() for value in [*lower, *[None] * (width - len(lower))]]
    if len({text for text in above if text}) < 2:
        return None
    pairs = []
    group = ""
    for top, bottom in zip(above, under, strict=True):
        # A group's name stands over its first column only, unless the cells are merged.
        group = top if top else (group if bottom else "")
        if not bottom or bottom == top:
            pairs.append(("", top or bottom))
        else:
            pairs.append((group, bottom))
    return _headings(pairs, meanings, below)


def _headings(pairs: list[tuple[str, str]], meanings: Mapping[str, str], below: list[list[Value]]) -> list[Heading]:
    headings: list[Heading] = []
    times: Counter[str] = Counter()
    person = ""  # whose name stood last to the left: a bare 与学生关系 belongs to that one
    for index, (group, own) in enumerate(pairs):
        text = f"{group} {own}".strip() if group and group != own else own.strip()
        bare = tidy_header(text) or tidy_header(own)
        times[bare] += 1
        token = (bare if times[bare] == 1 else f"{bare}#{times[bare]}")[:120]
        heading = Heading(" ".join(text.split())[:60], token, is_ours=bare in OUR_OWN_HEADERS)
        if bare and not heading.is_ours:
            key = meanings.get(token) or _key_of(group, own, index, below)
            if key == "guardian_relation" and person == "holder" and not group:
                key = "relation"
            person = key if key in ("guardian_name", "holder") else person
            heading.key = key
        headings.append(heading)
    return headings


def _key_of(group: str, own: str, index: int, below: list[list[Value]]) -> str:
    """The key of a header by the table; "" for one that is not in it."""
    over, word = tidy_header(group), tidy_header(own)
    if over and any(name in over for name in _GUARDIANS):
        return _GUARDIAN_WORDS.get(word) or _BY_HEADER.get(over + word, "")
    if over and any(name in over for name in _ACCOUNTS):
        return _ACCOUNT_WORDS.get(word) or _BY_HEADER.get(word, "")
    if word in _BY_HEADER:
        return _BY_HEADER[word]
    if word in _TOLD_BY_VALUES:
        texts = [text_of(row[index]).strip() for row in below if index < len(row) and row[index] is not None]
        return next(
            (key for key, fits in _TOLD_BY_VALUES[word] if texts and all(fits(text) for text in texts)),
            "",
        )
    # 姓名 over XM in one cell: any line of it will do.
    lines = [tidy_header(line) for line in own.splitlines()]
    return next((_BY_HEADER[line] for line in lines if line in _BY_HEADER), "")


def _unknown_header(
    head: Sequence[tuple[int, list[Value]]], meanings: Mapping[str, str]
) -> tuple[int, int, list[Heading], int] | None:
    """A row of several different short words above rows of data: a header in words we have not met."""
    for place, (number, values) in enumerate(head[:HEADER_ROWS]):
        texts = [text_of(value).strip() for value in values if value is not None]
        are_words = all(
            isinstance(value, str) and len(value) <= 20 and not re.search(r"\d{4}", value)
            for value in values
            if value is not None
        )
        if number <= HEADER_ROWS and len(set(texts)) >= _FEWEST_TO_ASK and are_words and len(head) > place + 1:
            below = [row for _, row in head[place + 1 : place + 1 + SAMPLE_ROWS]]
            return 0, number, _one_line(values, meanings, below), place
    return None


def _place(layout: Layout, meanings: Mapping[str, str]) -> None:
    """Settle which column gives which key; two that claim one weighty key are left to a person."""
    claims: dict[str, list[int]] = {}
    for index, heading in enumerate(layout.headings):
        if heading.key:
            claims.setdefault(heading.key, []).append(index)
    for key, columns in claims.items():
        # What a person has said goes before the table; what they told us to leave aside goes only if another stays.
        said = [index for index in columns if meanings.get(layout.headings[index].token) == key]
        kept = said or [index for index in columns if meanings.get(layout.headings[index].token) != ""]
        if not kept and BY_KEY[key].is_required:
            kept = columns
        for index in set(columns).difference(kept):
            layout.headings[index].is_aside = meanings.get(layout.headings[index].token) == ""
        if not kept:
            continue
        if len(kept) > 1 and BY_KEY[key].is_weighty:
            kept = _alike(layout, kept)
        if len(kept) > 1 and BY_KEY[key].is_weighty:
            layout.doubtful[key] = kept
        else:
            layout.places[key] = min(kept, key=lambda index: (_rank(layout.headings[index]), index))


def _alike(layout: Layout, columns: list[int]) -> list[int]:
    """Columns that hold nothing are no candidates, as long as another one holds something."""
    filled = [index for index in columns if any(index < len(row) and row[index] is not None for row in layout.samples)]
    return filled or columns


def _rank(heading: Heading) -> int:
    return _RANK.get(tidy_header(heading.text), 99)


# --- asking ------------------------------------------------------------------------------------------


def sheet_token(layout: Layout) -> str:
    """The token by which a whole sheet is left aside: by its name and its headers, for every file has a Sheet2."""
    headers = "\n".join(heading.token for heading in layout.headings)
    return f"@{layout.sheet[:80]}#{hashlib.sha256(headers.encode()).hexdigest()[:16]}"


def question(layouts: Iterable[Layout], *, every: bool = False, or_without: bool = False) -> dict[str, Any]:
    """What a person is asked about sheets whose columns are not all known, as plain data; samples are masked.

    With `every`, the sheets that need no asking too: how all columns are understood. `or_without`: see `ask`.
    """
    unsure = [layout for layout in layouts if every or not layout.is_whole]
    missing = list(dict.fromkeys(key for layout in unsure for key in layout.missing if key not in layout.doubtful))
    doubtful = [
        [BY_KEY[key].label, [layout.headings[index].token for index in columns]]
        for layout in unsure
        for key, columns in layout.doubtful.items()
    ]
    sentence = next((_sentence(layout) for layout in unsure if not layout.is_whole), "")
    return {
        "sentence": f"{sentence}不是学生名册的工作表，请勾选“不读取”。" if or_without else sentence,
        "missing": [BY_KEY[key].label for key in missing],
        "doubtful": doubtful,
        "or_without": or_without,
        "sheets": [
            {
                "sheet": layout.sheet,
                "token": sheet_token(layout),
                "header_row": layout.header_row,
                "columns": [
                    {
                        "token": heading.token,
                        "letter": get_column_letter(index + 1),
                        "header": redact(heading.text),
                        "key": "" if heading.is_aside or index in layout.doubtful.get(heading.key, []) else heading.key,
                        "samples": samples(layout, index),
                    }
                    for index, heading in enumerate(layout.headings)
                    if heading.text and not heading.is_ours
                ],
            }
            for layout in unsure
        ],
    }


def ask(unsure: list[Layout], *, or_without: bool = False) -> ValidationError:
    """The question about these sheets; or a plain refusal where no answer could help.

    `or_without`: there are other sheets, so that to leave these aside is an answer too.
    """
    asked = question(unsure, or_without=or_without)
    open_columns = [column for sheet in asked["sheets"] for column in sheet["columns"] if not column["key"]]
    stuck = next((layout for layout in unsure if _is_of_unknown_class(layout)), None)
    if or_without or (open_columns and stuck is None):
        return MappingNeeded(asked)
    layout = stuck or unsure[0]
    names = "、".join(f"“{BY_KEY[key].label}”" for key in layout.missing)
    cure = _CLASS_CURE if stuck else "请补上这些列（列的顺序不限）后再上传。"
    return ValidationError(
        f"工作表“{layout.sheet}”第 {layout.header_row} 行是表头，但缺少{names}列，没有读取任何一行，什么都没有保存。"
        f"{cure}"
    )


def _is_of_unknown_class(layout: Layout) -> bool:
    """Whether it is a sheet for one class whose columns are all known: no answer about a column tells which class."""
    unknown = any(heading.text and not heading.key and not heading.is_ours for heading in layout.headings)
    return layout.missing == ["class"] and not layout.doubtful and not unknown


def _sentence(layout: Layout) -> str:
    place = f"工作表“{layout.sheet}”第 {layout.header_row} 行"
    if layout.doubtful:
        key, columns = next(iter(layout.doubtful.items()))
        names = "和".join(f"“{layout.headings[index].text}”（{get_column_letter(index + 1)} 列）" for index in columns)
        return f"{place}有 {len(columns)} 列都像“{BY_KEY[key].label}”：{names}。请指明用哪一列；还没有读取任何一行。"
    names = "、".join(f"“{BY_KEY[key].label}”" for key in layout.missing)
    if _is_of_unknown_class(layout):
        return f"{place}是表头，但缺少{names}列，还没有读取任何一行。{_CLASS_CURE}"
    return (
        f"{place}是表头，但缺少{names}列，还没有读取任何一行。"
        "如果表里有这些内容，请指明在哪一列；没有就补上这些列（列的顺序不限）后再上传。"
    )


def no_header() -> ValidationError:
    return ValidationError(
        f"在每张工作表的前 {HEADER_ROWS} 行里都没有找到表头。表头至少要有“姓名”“身份证件号”“班级”“就读方式”，"
        "名称可以用学籍系统导出的列名。什么都没有保存；可以下载模板对照修改后再上传。"
    )


def samples(layout: Layout, index: int, *, most: int = 3) -> list[str]:
    """A few different values of the column. Numbers are masked; so are names, which hardly ever repeat."""
    texts = [text_of(row[index]).strip() for row in layout.samples if index < len(row) and row[index] is not None]
    texts = [text for text in texts if text]
    distinct = list(dict.fromkeys(texts))
    repeats = len(distinct) <= max(1, len(texts) // 3)
    return [masked_sample(text, is_word=repeats) for text in distinct[:most]]


def masked_sample(text: str, *, is_word: bool) -> str:
    digits = sum(character.isdigit() for character in text)
    if digits >= 7:
        return privacy.mask_id(re.sub(r"\s", "", text))[:24]
    return redact(text)[:20] if is_word or digits else privacy.mask_name(text)


# --- what people said --------------------------------------------------------------------------------


def read_answers(question: Mapping[str, Any], answers: Mapping[str, str]) -> dict[str, str]:
    """The answers that belong to the question: token → key, "" to leave a column (or a sheet) aside.

    Raises ValidationError when a column or a meaning is not one of those asked, or two columns get one meaning.
    """
    offered = {column["token"] for sheet in question["sheets"] for column in sheet["columns"]}
    sheets = {sheet["token"] for sheet in question["sheets"]}
    for token, key in answers.items():
        is_known = not key if token in sheets else token in offered and (not key or key in BY_KEY)
        if not is_known:
            raise ValidationError("提交的列名和这份名册的不一致。请刷新页面后重新选择。")
    for sheet in question["sheets"]:
        here = [answers.get(column["token"], column["key"]) for column in sheet["columns"]]
        twice = [key for key, times in Counter(filter(None, here)).items() if times > 1 and BY_KEY[key].is_weighty]
        if twice:
            raise ValidationError(
                f"工作表“{sheet['sheet']}”里有两列都选成了“{BY_KEY[twice[0]].label}”。请只选一列，其他列选“不用”。"
            )
    return dict(answers)
