"""A row of a roster as values of the register, with everything that is wrong with it. Reads no database.

A row is taken whole or not at all: what cannot be read is an error of the row, never a gap in the pupil.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from accounts.redaction import redact
from documents.xlsx import Cell, Row

from . import grades, numbers, privacy, words
from .columns import BY_KEY, Layout
from .numbers import Finding, error, warning

_EMPTY = Cell("", "empty", None)
_SAMPLE_MARKS = ("示例", "（示例", "(示例", "例：", "例:")
_FOOT_MARKS = ("合计", "总计", "小计", "备注", "说明", "填表", "制表", "注：", "注:")
_MASKS: dict[str, Callable[[str], str]] = {
    "id_number": lambda text: privacy.mask_id(numbers.tidy_number(text)),
    "roll_number": lambda text: privacy.mask_id(numbers.tidy_number(text)),
    "account": lambda text: privacy.mask_card(numbers.tidy_account(text)),
    "phone": lambda text: privacy.mask_phone(numbers.tidy_number(text)),
}


@dataclass(frozen=True)
class AccountValues:
    bank: str
    number: str
    holder: str
    relation: str


@dataclass
class RosterRow:
    """One pupil as the file has it. Values that could not be read are empty, and `findings` says why."""

    sheet: str
    number: int
    values: dict[str, str]  # the cells' texts by column key; for masking and comparing, never stored
    name: str = ""
    id_number: str = ""
    id_kind: str = "resident"
    roll_number: str = ""
    sex: str = ""
    birth_date: dt.date | None = None
    ethnicity: str = ""
    grade: grades.Grade | None = None
    class_label: str = ""
    boarding: str = ""
    guardian_name: str = ""
    guardian_relation: str = ""
    phone: str = ""
    account: AccountValues | None = None
    categories: tuple[str, ...] = ()
    evidence: str = ""
    findings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        return any(finding["level"] == "error" for finding in self.findings)

    def say(self, key: str, findings: Iterable[Finding], **more: Any) -> None:
        """Add findings about one of the columns of this row."""
        for finding in findings:
            place = {"who": self.name, **more}
            self.findings.append(entry(finding, self.sheet, self.number, key, self.values.get(key, ""), **place))

    @property
    def content(self) -> tuple[Any, ...]:
        """What two rows about one pupil must agree in."""
        return (
            self.name, self.id_number, self.roll_number, self.sex, self.birth_date, self.grade, self.class_label,
            self.boarding, self.guardian_name, self.guardian_relation, self.phone, self.account, self.categories,
        )  # fmt: skip


def entry(finding: Finding, sheet: str, row: int | None, key: str, text: str, **more: Any) -> dict[str, Any]:
    """A finding with its place, as it is kept with the import: the value is masked before it is written down."""
    label = BY_KEY[key].label if key else ""
    mask = _MASKS.get(key, lambda value: redact(value)[:20])
    return {
        "level": finding.level,
        "sheet": sheet,
        "row": row,
        "column": label,
        "value": mask(text) if text else "",
        "message": finding.message,
        "remedy": finding.remedy,
        **more,
    }


def note(sheet: str, message: str) -> dict[str, Any]:
    """Something about the file that is neither wrong nor doubtful: what was left aside."""
    return {"level": "note", "sheet": sheet, "row": None, "column": "", "value": "", "message": message, "remedy": ""}


def read_rows(layout: Layout, *, on: dt.date) -> tuple[list[RosterRow], list[dict[str, Any]]]:
    """The pupils of one sheet, and notes on what was left aside."""
    rows, notes = [], []
    sheet = layout.sheet.name
    if layout.ignored:
        notes.append(note(sheet, f"没有读取这些列：{redact('、'.join(layout.ignored))[:300]}。"))
    if "categories" in layout.places and "evidence" not in layout.places:
        notes.append(
            note(
                sheet,
                "没有读取“困难类别”列：学校自采集的类别要有证明，请加一列“证明名称和编号”，或在学生页逐条登记。",
            )
        )
    for row in layout.rows:
        aside = _left_aside(row, layout)
        if aside:
            notes.append(note(sheet, f"第 {row.number} 行是{aside}，没有读取。"))
        else:
            rows.append(_RowReader(row, layout, on).read())
    return rows, notes


def _left_aside(row: Row, layout: Layout) -> str:
    texts = [cell.text.strip() for cell in row.cells if cell.text.strip()]
    name, id_number = (_cell(row, layout, key).text.strip() for key in ("name", "id_number"))
    if name.startswith(_SAMPLE_MARKS):
        return "示例行"
    if not id_number and texts[0].startswith(_FOOT_MARKS):
        return "合计或说明行"
    return ""


def _cell(row: Row, layout: Layout, key: str) -> Cell:
    index = layout.places.get(key)
    return _EMPTY if index is None or index >= len(row.cells) else row.cells[index]


class _RowReader:
    """Reads one row, column by column; keeps what it may and says what it may not."""

    def __init__(self, row: Row, layout: Layout, on: dt.date) -> None:
        self.row, self.layout, self.on = row, layout, on
        self.found = RosterRow(layout.sheet.name, row.number, {})

    def read(self) -> RosterRow:
        self._read_person()
        self._read_place()
        self._read_guardian()
        self._read_account()
        self._read_categories()
        return self.found

    def text(self, key: str) -> str:
        """The cell's text; "" for one that is empty or that cannot be used (then there is a finding)."""
        cell = _cell(self.row, self.layout, key)
        refusal = _refuse_cell(cell, must_be_text=BY_KEY[key].must_be_text)
        text = "" if cell.kind == "empty" else cell.text
        self.found.values[key] = text
        if refusal:
            self.found.say(key, [refusal])
            return ""
        return text.strip()

    def take(
        self, key: str, reader: Callable[[str], tuple[Any, list[Finding]]], *, missing: Finding | None = None
    ) -> Any:
        """The cell read by `reader`; an empty cell is no value, and `missing` if that is wrong."""
        before = len(self.found.findings)
        text = self.text(key)
        if not text:
            if missing and len(self.found.findings) == before:
                self.found.say(key, [missing])
            return None
        value, findings = reader(text)
        self.found.say(key, findings)
        return value or None

    def _read_person(self) -> None:
        row = self.found
        row.name = self.take("name", numbers.read_name, missing=error("没有姓名。", "请填写学生姓名。")) or ""
        kind = "".join(self.text("id_kind").split())
        row.id_kind = words.ID_KINDS.get(kind, "other")
        no_id = error("没有证件号。", "请填写 18 位身份证件号。")
        row.id_number = self.take("id_number", self._read_id, missing=no_id) or ""
        row.roll_number = self.take("roll_number", numbers.read_roll_number) or ""
        row.ethnicity = self.take("ethnicity", words.read_ethnicity) or ""
        row.sex = self.take("sex", words.read_sex) or ""
        row.birth_date = self.take("birth_date", words.read_date)
        if row.id_number and row.id_kind != "other":
            self._agree_with_id()
        elif row.id_number:
            self._without_id_facts()

    def _read_id(self, text: str) -> tuple[str, list[Finding]]:
        if self.found.id_kind == "other":
            return numbers.read_other_document(text)
        return numbers.read_id_number(text, on=self.on)

    def _agree_with_id(self) -> None:
        """Sex and birth date follow from the number; given as well, they must agree with it."""
        row, facts = self.found, numbers.id_facts(self.found.id_number)
        row.say("sex", numbers.compare_with_id(row.id_number, sex=row.sex))
        row.say("birth_date", numbers.compare_with_id(row.id_number, birth_date=row.birth_date))
        row.say("roll_number", numbers.compare_roll_with_id(row.roll_number, row.id_number))
        row.sex, row.birth_date = facts.sex, facts.birth_date
        if facts.is_permit:
            row.id_kind = "permit"

    def _without_id_facts(self) -> None:
        row = self.found
        if not row.sex:
            row.say("sex", [error("没有性别。", "登记的不是居民身份证，请填写性别。")])
        if not row.birth_date:
            row.say("birth_date", [error("没有出生日期。", "登记的不是居民身份证，请填写出生日期。")])

    def _read_place(self) -> None:
        row = self.found
        class_text = self.take("class", lambda text: (text, []), missing=error("没有班级。", "请填写班级，例如“1班”。"))
        row.grade = self._grade(class_text or "")
        if row.grade and class_text:
            row.class_label, findings = grades.read_class(class_text, row.grade)
            row.say("class", findings)
        row.boarding = self._boarding()
        for key in ("school_name", "school_code"):
            self.text(key)  # compared with the school by students.matching

    def _grade(self, class_text: str) -> grades.Grade | None:
        """From its column; without one, a class called 七年级1班 says its grade itself."""
        if self.text("grade"):
            return self.take("grade", grades.read_grade)
        grade = grades.grade_of_class(class_text)
        if grade is None and not any(finding["column"] in ("年级", "班级") for finding in self.found.findings):
            self.found.say("grade", [error("没有年级。", "请填写年级，例如“七年级”。")])
        return grade

    def _boarding(self) -> str:
        yes_or_no = self.take("is_boarding", words.read_is_boarding)
        key = "boarding" if "boarding" in self.layout.places else "is_boarding"
        missing = None if yes_or_no else error("没有写就读方式。", "寄宿和走读的补助标准不同，请填写“寄宿”或“走读”。")
        if key == "is_boarding":
            if missing and not self.found.values.get(key):
                self.found.say(key, [missing])
            return yes_or_no or ""
        boarding = self.take("boarding", words.read_boarding, missing=missing)
        if boarding and yes_or_no and boarding != yes_or_no:
            self.found.say("boarding", [error("“就读方式”和“是否寄宿”两列不一致。", "请核对后改正其中一列。")])
        return boarding or yes_or_no or ""

    def _read_guardian(self) -> None:
        row = self.found
        row.guardian_name = self.take("guardian_name", lambda text: numbers.read_name(text, what="监护人姓名")) or ""
        row.guardian_relation = self.take("guardian_relation", _short(20)) or ""
        row.phone = self.take("phone", numbers.read_phone) or ""

    def _read_account(self) -> None:
        """An account comes whole: bank, number, holder and relation, or the row waits until it is."""
        row, before = self.found, len(self.found.findings)
        number = self.take("account", numbers.read_account_number)
        if number is None:
            if "account" in self.layout.places and len(row.findings) == before:
                row.say("account", [warning("没有银行账号。", "可以先导入；发放之前要在学生页补上收款账户。")])
            return
        no_bank = error("写了银行账号，但没有开户银行。", "请填写开户银行，或把账号一格清空。")
        bank = self.take("bank", _short(60), missing=no_bank)
        holder = self.take(
            "holder",
            lambda text: numbers.read_name(text, what="户名"),
            missing=error("写了银行账号，但没有户名。", "请按银行登记的户名填写，或把账号一格清空。"),
        )
        relation = self._relation(holder or "")
        if bank and holder and relation:
            row.account = AccountValues(bank, number, holder, relation)

    def _relation(self, holder: str) -> str:
        """As the column says. Without one, a holder who is the pupil or the named guardian is known."""
        row = self.found
        before = len(row.findings)
        relation = self.take("relation", words.read_relation)
        if relation == "self" and holder and row.name and holder != row.name:
            row.say("relation", [error("户主是本人，但户名和学生姓名不同。", "请核对户名；户主不是学生时请写明关系。")])
        if relation or len(row.findings) > before or not holder:
            return relation or ""
        if holder == row.name:
            return "self"
        if holder == row.guardian_name and row.guardian_relation in words.RELATIONS:
            return words.RELATIONS[row.guardian_relation]
        unknown = error("户名不是学生本人，但没有写户主与学生的关系。", "请填写“父亲”“母亲”或其他监护人的称呼。")
        row.say("relation", [unknown])
        return ""

    def _read_categories(self) -> None:
        row = self.found
        if not {"categories", "evidence"} <= self.layout.places.keys():
            return
        text = self.text("categories")
        row.categories = tuple(part for part in _split(text) if part not in ("无", "否"))
        row.evidence = redact(self.take("evidence", _short(120)) or "")  # a 残疾人证 begins with the ID number


def _refuse_cell(cell: Cell, *, must_be_text: bool) -> Finding | None:
    if cell.kind == "formula":
        return error("单元格里是公式，不是内容。", "请复制后用“选择性粘贴—数值”换成文字，再上传。")
    if cell.kind == "error":
        return error(f"单元格里是错误值 {cell.text}。", "请改成正确的内容。")
    if must_be_text and cell.kind in ("number", "date", "bool"):
        return error(
            "单元格是数字格式，Excel 只保留前 15 位，号码的末几位已经丢失。",
            "请先把整列设成文本格式，再从原始资料重新填写这个号码（只改格式不能恢复）。",
        )
    if must_be_text and "E+" in cell.text.upper():
        return error("号码变成了科学计数法，末几位已经丢失。", "请把整列设成文本格式，再从原始资料重新填写。")
    return None


def _short(limit: int) -> Callable[[str], tuple[str, list[Finding]]]:
    """A reader of plain words, up to `limit` characters."""

    def read(text: str) -> tuple[str, list[Finding]]:
        word = " ".join(text.split())
        if len(word) > limit:
            return "", [error(f"超过 {limit} 个字。", "请写短一些。")]
        if word[0] in "=+-@＝＋－＠" or not word.isprintable():
            return "", [error("以公式符号开头，或含有看不见的字符。", "请手工重新输入文字。")]
        return word, []

    return read


def _split(text: str) -> list[str]:
    for separator in "，,；;/\n":
        text = text.replace(separator, "、")
    return [part.strip() for part in text.split("、") if part.strip()]
