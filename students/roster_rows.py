"""A row of a roster as values of the register, with everything that is wrong with it. Reads no database.

A row is taken whole or not at all: what cannot be read is an error of the row, never a gap in the pupil. There
are two readers. The quick one recognises rows that nothing is wrong with and says no word; whatever it does not
recognise goes to the thorough one, which says what is wrong. Both give the same row where both give one.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from accounts.redaction import redact
from documents.workbooks import Value, is_error, text_of

from . import grades, numbers, privacy, words
from .columns import BY_KEY, Layout, tidy_header
from .models import RosterFinding
from .numbers import Finding, error, warning

KEPT_FINDINGS = 20_000  # of one roster; the counts are exact however many there are
_LEVELS = ("note", "error", "warning", "change")  # as they are shown: what keeps rows out before what does not
_SAMPLE_MARKS = ("示例", "（示例", "(示例", "例：", "例:")
_FOOT_MARKS = ("合计", "总计", "小计", "共计", "备注", "说明", "填表", "制表", "注：", "注:")
_FEWEST_DIGITS = 8  # of what may be meant as an ID number
_MOST_NAMED = 20  # rows in one note
_HEADING = re.compile(r"年级|[0-9０-９一二三四五六七八九十)）]班|名单|名册|[(（]续|续表|小学|中学")
_MASKS: dict[str, Callable[[str], str]] = {
    "id_number": lambda text: privacy.mask_id(numbers.tidy_number(text)),
    "roll_number": lambda text: privacy.mask_id(numbers.tidy_number(text)),
    "account": lambda text: privacy.mask_card(numbers.tidy_account(text)),
    "phone": lambda text: privacy.mask_phone(numbers.tidy_number(text)),
}
_ID_HEADERS = frozenset(map(tidy_header, BY_KEY["id_number"].headers))


class RosterRow(NamedTuple):
    """One pupil as the file has it. Values that could not be read are empty, and the findings say why."""

    sheet: int  # which of the sheets that were read
    number: int  # as Excel counts
    is_refused: bool
    name: str = ""
    id_number: str = ""
    id_kind: str = "resident"
    roll_number: str = ""
    sex: str = ""
    birth_date: str = ""  # 2014-03-05
    ethnicity: str = ""
    registration: str = ""
    region: str = ""
    grade: str = ""  # 七年级
    class_label: str = ""  # 1班
    boarding: str = ""
    schooling: str = ""
    major: str = ""  # of the class
    guardian_name: str = ""
    guardian_relation: str = ""
    phone: str = ""
    bank: str = ""  # an account comes whole: bank, number, holder and relation, or none of them
    account: str = ""
    holder: str = ""
    relation: str = ""
    categories: tuple[str, ...] = ()
    evidence: str = ""
    school_name: str = ""
    school_code: str = ""
    changed_on: str = ""  # since when class or boarding are as here; without it the day of the import counts

    @property
    def content(self) -> tuple[Any, ...]:
        """What two rows about one pupil must agree in."""
        return (*self[3:26], self.changed_on)


# What may be said of a cell: the column's key, the finding, the text of the cell.
Remark = tuple[str, Finding, str]


class Findings:
    """What is said about a file. Counts everything and keeps a bounded number, errors before all else."""

    def __init__(self) -> None:
        self.totals = dict.fromkeys(RosterFinding.Level.values, 0)
        self.kept: dict[str, list[tuple[Any, ...]]] = {level: [] for level in RosterFinding.Level.values}
        self.schools: dict[tuple[int | None, int | None], int] = {}  # by sheet and row, once they are known
        # Sheet and row of pupils whose account's cell is empty: whether that matters, the register knows.
        self.without_account: set[tuple[int, int]] = set()

    def add(
        self,
        level: str,
        sheet: int | None,
        row: int | None,
        key: str,
        message: str,
        remedy: str = "",
        *,
        who: str = "",
        value: str = "",
        elsewhere: int | None = None,
    ) -> None:
        """`value` is masked already; `elsewhere` is the key of another school that is meant."""
        self.totals[level] += 1
        if len(self.kept[level]) < KEPT_FINDINGS:
            self.kept[level].append((sheet, row, key, who, value, message, remedy, elsewhere))

    def say(self, row: RosterRow, key: str, finding: Finding, text: str, *, elsewhere: int | None = None) -> None:
        """About a column of a row, with the text of its cell."""
        shown = mask(key, text)
        self.add(
            finding.level, row.sheet, row.number, key, finding.message, finding.remedy,
            who=row.name, value=shown, elsewhere=elsewhere,
        )  # fmt: skip

    def note(self, sheet: int, message: str) -> None:
        """Something about the file that is neither wrong nor doubtful: what was left aside."""
        self.add("note", sheet, None, "", message)

    def place(self, rows: Sequence[RosterRow], schools: Sequence[int | None]) -> None:
        """Keep of which school each row is that something is said about."""
        wanted = {(entry[0], entry[1]) for found in self.kept.values() for entry in found}
        self.schools = {
            (row.sheet, row.number): school
            for row, school in zip(rows, schools, strict=True)
            if school is not None and (row.sheet, row.number) in wanted
        }

    def copy(self) -> "Findings":
        fresh = Findings()
        fresh.totals = dict(self.totals)
        fresh.kept = {level: list(rows) for level, rows in self.kept.items()}
        fresh.without_account = self.without_account
        return fresh

    def rows(self, sheets: list[str], places: list[dict[str, int]]) -> list[RosterFinding]:
        """As rows to be kept: notes, errors, warnings, changes, each in the order of the file; unsaved and still
        without their roster."""
        room = KEPT_FINDINGS
        taken: list[tuple[str, tuple[Any, ...]]] = []
        for level in _LEVELS:
            found = self.kept[level][:room]
            room -= len(found)
            taken += [(level, entry) for entry in found]
        left_out = sum(self.totals.values()) - len(taken)
        taken.sort(key=lambda each: (_LEVELS.index(each[0]), each[1][0] or 0, each[1][1] or 0))
        if left_out:
            sentence = f"问题和变更太多，这里只列出前 {len(taken)} 条，还有 {left_out} 条没有列出；各项数目是准确的。"
            taken.insert(
                0, ("note", (None, None, "", "", "", sentence, "改好列出的各条后再上传，其余的会接着列出。", None))
            )
        return [self._row(level, entry, sheets, places) for level, entry in taken]

    def _row(
        self, level: str, entry: tuple[Any, ...], sheets: list[str], places: list[dict[str, int]]
    ) -> RosterFinding:
        sheet, row, key, who, value, message, remedy, elsewhere = entry
        index = places[sheet].get(key) if sheet is not None else None
        return RosterFinding(
            level=level,
            sheet="" if sheet is None else sheets[sheet][:60],
            row=row,
            column=BY_KEY[key].label if key else "",
            column_number=None if index is None else index + 1,
            who=who[:60],
            value=value[:120],
            message=message[:400],
            remedy=remedy[:300],
            school_id=self.schools.get((sheet, row)),
            elsewhere_id=elsewhere,
        )


def mask(key: str, text: str) -> str:
    """The text of a cell as a finding may show it."""
    if not text:
        return ""
    return _MASKS.get(key, lambda value: redact(value)[:20])(text)


def read_rows(
    layout: Layout, source: Iterable[tuple[int, list[Value]]], findings: Findings, *, sheet: int, on: dt.date
) -> Iterator[RosterRow]:
    """The pupils of one sheet; what is wrong with them, and what was left aside, goes into `findings`."""
    if layout.ignored:
        findings.note(sheet, f"没有读取这些列：{redact('、'.join(layout.ignored))[:300]}。")
    if "categories" in layout.places and "evidence" not in layout.places:
        findings.note(
            sheet,
            "没有读取“困难类别”列：学校自采集的类别要有证明，请加一列“证明名称和编号”，或在学生页逐条登记。",
        )
    width = max(layout.places.values()) + 1
    alone: list[int] = []
    quick = _QuickReader(layout, sheet, on)
    for number, values in source:
        if number <= layout.header_row:
            continue
        if len(values) < width:
            values = values + [None] * (width - len(values))
        row = quick.read(number, values)
        if row is None:
            aside = _left_aside(values, layout)
            if aside:
                findings.note(sheet, f"第 {number} 行是{aside}，没有读取。")
                continue
            if _is_heading(values, layout):
                alone.append(number)
                continue
            row, remarks = _RowReader(values, layout, sheet, number, on).read()
        else:
            remarks = quick.remarks
        for key, finding, text in remarks:
            if finding is NO_ACCOUNT:
                findings.without_account.add((sheet, number))
            else:
                findings.say(row, key, finding, text)
        yield row
    used = dict.fromkeys(text for text, _ in quick.classes if text and grades.tidy(text) in layout.short)
    if used:
        told = "，".join(f"“{redact(text)}”读作“{layout.short[grades.tidy(text)].name}”" for text in used)
        findings.note(sheet, f"学生只有一个学段，年级一列里{told}。"[:400])
    if alone:
        shown = "、".join(map(str, alone[:_MOST_NAMED])) + (f" 等 {len(alone)}" if len(alone) > _MOST_NAMED else "")
        findings.note(sheet, f"第 {shown} 行只有一个格子有内容，像是小标题，没有读取。")


def _left_aside(values: list[Value], layout: Layout) -> str:
    name, id_number = (text_of(values[layout.places[key]]).strip() for key in ("name", "id_number"))
    if name.startswith(_SAMPLE_MARKS):
        return "示例行"
    first = next((text_of(value).strip() for value in values if value is not None), "")
    if first.startswith(_FOOT_MARKS) and sum(c.isdigit() for c in id_number) < _FEWEST_DIGITS:
        return "合计或说明行"
    # The header printed again at the top of each page.
    return "又一行表头" if tidy_header(id_number) in _ID_HEADERS else ""


def _is_heading(values: list[Value], layout: Layout) -> bool:
    """A row with one filled cell that is neither a number nor a name: 三年级1班（续） in the middle of a table.

    A name alone is a pupil of whom everything else is missing, and is named as one.
    """
    filled = [(index, value) for index, value in enumerate(values) if value is not None]
    if len(filled) != 1:
        return False
    index, text = filled[0][0], text_of(filled[0][1]).strip()
    if text.startswith("=") or sum(character.isdigit() for character in text) >= _FEWEST_DIGITS:
        return False
    return index != layout.places["name"] or bool(_HEADING.search(text))


# --- the quick reader --------------------------------------------------------------------------------

_NOT_CLEAN = object()
_PLAIN_NAME = re.compile("[\u4e00-\u9fff]{2,20}").fullmatch
_MOBILE = re.compile("1[3-9][0-9]{9}").fullmatch
_ACCOUNT = re.compile("[0-9]{12,19}").fullmatch
_CHECK_CHARACTERS = "10X98765432"
_DOUBLED = bytes.maketrans(b"0123456789", bytes(sum(divmod(2 * digit, 10)) for digit in range(10)))
NO_ACCOUNT = warning("没有银行账号。", "可以先导入；发放之前要在学生页补上收款账户。")
_MOST_REMEMBERED = 50_000


class _Memo(dict[Any, Any]):
    """What a reader makes of a text, kept: most columns hold a few values many times.

    `read` takes a text and gives the value with what it found; a text with findings is not clean.
    """

    def __init__(self, read: Callable[[str], tuple[Any, list[Finding]]], empty: Any = "") -> None:
        super().__init__({None: empty})
        self._read = read

    def __missing__(self, value: Value) -> Any:
        if type(value) is float:
            # Not kept under the number: True and 1.0 are one key.
            text = text_of(value)
            return self[text]
        if type(value) is not str or value[:1] == "=" or is_error(value):
            return _NOT_CLEAN
        found, remarks = self._read(value.strip())
        clean = _NOT_CLEAN if remarks else found
        if len(self) < _MOST_REMEMBERED:
            self[value] = clean
        return clean


class _QuickReader:
    """Recognises rows that need no word; None for any other. `remarks` is what may be doubted in the last row."""

    def __init__(self, layout: Layout, sheet: int, on: dt.date) -> None:
        self.sheet, self.places = sheet, layout.places
        self.remarks: list[Remark] = []
        place = layout.places.get
        self.name, self.id_number = layout.places["name"], layout.places["id_number"]
        self.roll, self.id_kind = place("roll_number"), place("id_kind")
        self.place_columns = (place("grade"), place("class"))
        self.class_said, self.short = layout.class_said, layout.short
        self.phone, self.account = place("phone"), place("account")
        self.guardian, self.holder = place("guardian_name"), place("holder")
        self.has_categories = {"categories", "evidence"} <= layout.places.keys()
        self.schools = (place("school_name"), place("school_code"))
        self.changed_on = place("changed_on")
        self.boards = (place("boarding"), place("is_boarding"))
        self.regions = _Memo(_weigh_region)
        self.days = _Memo(lambda text: _weigh_day(text, on))
        self.sequences = _Memo(_weigh_sequence)
        self.classes: dict[tuple[Any, Any], Any] = {}
        self.names = _Memo(lambda text: (text, [] if _PLAIN_NAME(text) else [NO_ACCOUNT]))
        self.sexes, self.ethnicities = _Memo(words.read_sex), _Memo(words.read_ethnicity)
        self.registrations, self.homes = _Memo(words.read_registration), _Memo(words.read_region)
        self.schoolings, self.majors = _Memo(words.read_schooling), _Memo(words.read_major)
        self.dates = _Memo(_read_day)
        self.boarding, self.is_boarding = _Memo(words.read_boarding), _Memo(words.read_is_boarding)
        self.kinds = _Memo(words.read_id_kind, empty="resident")
        self.relations, self.banks = _Memo(words.read_relation), _Memo(short(60))
        self.guardian_relations = _Memo(short(20))
        self.texts = _Memo(lambda text: (text, []))

    def read(self, number: int, values: list[Value]) -> RosterRow | None:
        person = self._person(values)
        if person is None:
            return None
        place = self._place(values)
        if place is None:
            return None
        guardian = self._guardian(values)
        if guardian is None:
            return None
        self.remarks = []
        account = self._account(values, person[0], guardian)
        if account is None:
            return None
        if self.has_categories and not (
            values[self.places["categories"]] is None and values[self.places["evidence"]] is None
        ):
            return None
        if self.changed_on is not None and values[self.changed_on] is not None:
            return None
        name_at, code_at = self.schools
        school = "" if name_at is None else self.texts[values[name_at]]
        code = "" if code_at is None else self.texts[values[code_at]]
        if school is _NOT_CLEAN or code is _NOT_CLEAN:
            return None
        cells = (*person, *place, *guardian, *account, (), "", school, code, "")
        return RosterRow._make((self.sheet, number, False, *cells))

    def _person(self, values: list[Value]) -> tuple[str, ...] | None:
        """name, ID number, kind, roll number, sex, birth date, ethnicity, registration, region."""
        name, raw = values[self.name], values[self.id_number]
        if type(name) is not str or type(raw) is not str or not _PLAIN_NAME(name) or name[0] in "示例":
            return None
        if len(raw) != 18:
            raw = numbers.tidy_id_number(raw)
            if len(raw) != 18:
                return None
        if not (raw.isascii() and raw.isalnum()):
            return None  # a part with a blank is remembered without it
        region, day, sequence = self.regions[raw[:6]], self.days[raw[6:14]], self.sequences[raw[14:17]]
        if region is _NOT_CLEAN or day is _NOT_CLEAN or sequence is _NOT_CLEAN:
            return None
        if _CHECK_CHARACTERS[(region[0] + day[0] + sequence[0]) % 11] != raw[17]:
            return None
        kind = "resident" if self.id_kind is None else self.kinds[values[self.id_kind]]
        if kind not in ("resident", "permit"):
            return None
        roll = None if self.roll is None else values[self.roll]
        if roll is not None and (type(roll) is not str or roll[0] != "G" or roll[1:] != raw):
            return None
        at = self.places.get
        sex = None if (index := at("sex")) is None else self.sexes[values[index]]
        born = None if (index := at("birth_date")) is None else self._day(values[index])
        people = "" if (index := at("ethnicity")) is None else self.ethnicities[values[index]]
        registration = "" if (index := at("registration")) is None else self.registrations[values[index]]
        home = "" if (index := at("region")) is None else self.homes[values[index]]
        if _NOT_CLEAN in (people, registration, home):
            return None
        if (sex and sex != sequence[1]) or (born and born != day[1]):
            return None
        kind = "permit" if region[1] else kind
        return name, raw, kind, roll or "", sequence[1], day[1], people, registration, home

    def _day(self, value: Value) -> Any:
        kind = type(value)
        if kind is dt.date or kind is dt.datetime:
            return value.isoformat()[:10]  # type: ignore[union-attr]
        return self.dates[value] if kind is not float else _NOT_CLEAN

    def _place(self, values: list[Value]) -> tuple[str, str, str, str, str] | None:
        """grade, class, boarding, schooling, major."""
        grade_at, class_at = self.place_columns
        grade = None if grade_at is None else values[grade_at]
        school_class = self.class_said if class_at is None else values[class_at]
        if type(school_class) is float:
            school_class = text_of(school_class)
        if type(grade) is float:
            grade = text_of(grade)
        if type(school_class) is not str or (grade is not None and type(grade) is not str):
            return None
        found = self.classes.get((grade, school_class))
        if found is None:
            found = self.classes[grade, school_class] = _read_place(grade or "", school_class, self.short)
        way_at, yes_at = self.boards
        way = "" if way_at is None else self.boarding[values[way_at]]
        yes = "" if yes_at is None else self.is_boarding[values[yes_at]]
        boarding = way or yes
        schooling = "" if (index := self.places.get("schooling")) is None else self.schoolings[values[index]]
        major = "" if (index := self.places.get("major")) is None else self.majors[values[index]]
        if (
            found is _NOT_CLEAN
            or not boarding
            or way is _NOT_CLEAN
            or yes is _NOT_CLEAN
            or schooling is _NOT_CLEAN
            or major is _NOT_CLEAN
            or (yes and way and yes != way)
        ):
            return None
        return found[0], found[1], boarding, schooling, major

    def _guardian(self, values: list[Value]) -> tuple[str, str, str] | None:
        """name, relation, telephone."""
        name = "" if self.guardian is None else self.names[values[self.guardian]]
        relation = "" if (index := self.places.get("guardian_relation")) is None else (
            self.guardian_relations[values[index]]
        )  # fmt: skip
        phone = "" if self.phone is None else values[self.phone]
        if type(phone) is float:
            phone = text_of(phone)
        if phone is None or phone == "":
            phone = ""
        elif type(phone) is not str or not _MOBILE(phone):
            return None
        if name is _NOT_CLEAN or relation is _NOT_CLEAN:
            return None
        return name, relation, phone

    def _account(
        self, values: list[Value], pupil: str, guardian: tuple[str, str, str]
    ) -> tuple[str, str, str, str] | None:
        """bank, number, holder, relation; four empty texts where there is no account."""
        if self.account is None:
            return "", "", "", ""
        number = values[self.account]
        if number is None:
            self.remarks.append(("account", NO_ACCOUNT, ""))
            return "", "", "", ""
        if type(number) is not str or self.holder is None:
            return None
        tidy = number if _ACCOUNT(number) else numbers.tidy_account(number)
        if not _ACCOUNT(tidy):
            return None
        digits = tidy.encode()
        doubled = digits[-2::-2].translate(_DOUBLED)
        if (sum(digits[::-2]) - 48 * len(digits[::-2]) + sum(doubled)) % 10:
            self.remarks += [("account", finding, number) for finding in numbers.read_account_number(tidy)[1]]
        bank = self.banks[values[self.places["bank"]]]
        holder = self.names[values[self.holder]]
        index = self.places.get("relation")
        relation = "" if index is None else self.relations[values[index]]
        if not bank or not holder or bank is _NOT_CLEAN or holder is _NOT_CLEAN or relation is _NOT_CLEAN:
            return None
        if not relation:
            relation = known_relation(holder, pupil, guardian[0], guardian[1])
        elif relation == "self" and holder != pupil:
            return None
        return (bank, tidy, holder, relation) if relation else None


def known_relation(holder: str, pupil: str, guardian: str, guardian_relation: str) -> str:
    """The account holder's relation where nobody wrote it: a pupil or a named guardian is known."""
    if holder == pupil:
        return "self"
    return words.RELATIONS.get(guardian_relation, "") if holder == guardian else ""


_WEIGHTS = numbers.WEIGHTS


def _weigh(digits: str, first: int) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS[first:], strict=False))


def _weigh_region(text: str) -> tuple[Any, list[Finding]]:
    """(its part of the check sum, whether it is a residence permit's); unclean where somebody should look."""
    if not _are_digits(text) or text[:2] not in numbers.PROVINCES | numbers.PERMITS:
        return None, [NO_ACCOUNT]
    return (_weigh(text, 0), text[:2] in numbers.PERMITS), []


def _weigh_day(text: str, on: dt.date) -> tuple[Any, list[Finding]]:
    """(its part of the check sum, the day as text)."""
    try:
        born = dt.date(int(text[:4]), int(text[4:6]), int(text[6:])) if _are_digits(text) else None
    except ValueError:
        born = None
    if born is None or born > on or numbers.age_on(born, on) not in numbers.PUPIL_AGES:
        return None, [NO_ACCOUNT]
    return (_weigh(text, 6), born.isoformat()), []


def _weigh_sequence(text: str) -> tuple[Any, list[Finding]]:
    """(its part of the check sum, the sex it tells)."""
    if not _are_digits(text):
        return None, [NO_ACCOUNT]
    return (_weigh(text, 14), "male" if int(text[2]) % 2 else "female"), []


def _are_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _read_place(grade_text: str, class_text: str, short: Mapping[str, grades.Grade]) -> Any:
    """(grade, class) as texts, or unclean."""
    if is_error(grade_text) or is_error(class_text):
        return _NOT_CLEAN
    grade_text, class_text = grade_text.strip(), class_text.strip()
    grade, findings = (
        grades.read_grade(grade_text, short) if grade_text else (grades.grade_of_class(class_text, short), [])
    )
    if grade is None or findings or not class_text:
        return _NOT_CLEAN
    label, findings = grades.read_class(class_text, grade)
    return _NOT_CLEAN if findings else (grade.name, label)


def _read_day(text: str) -> tuple[str, list[Finding]]:
    day, findings = words.read_date(text)
    return day.isoformat() if day else "", findings


# --- the thorough reader -----------------------------------------------------------------------------


class _RowReader:
    """Reads one row, column by column; keeps what it may and says what it may not."""

    def __init__(self, values: list[Value], layout: Layout, sheet: int, number: int, on: dt.date) -> None:
        self.values, self.layout, self.on = values, layout, on
        self.found: dict[str, Any] = {"sheet": sheet, "number": number}
        self.remarks: list[Remark] = []

    def read(self) -> tuple[RosterRow, list[Remark]]:
        self._read_person()
        self._read_place()
        self._read_guardian()
        self._read_account()
        self._read_categories()
        day = self._day("changed_on")
        if day is not None and day > self.on:
            sentence = "变动日期晚于今天。"
            self.say("changed_on", [error(sentence, "还没有发生的变动到时再导入；日期写错了请改正，或清空这一格。")])
        self.found["changed_on"] = day.isoformat() if day else ""
        for key in ("school_name", "school_code"):
            self.found[key] = self.text(key)  # which school that is, students.matching knows
        refused = any(finding.level == "error" for _, finding, _ in self.remarks)
        return RosterRow(is_refused=refused, **self.found), self.remarks

    def say(self, key: str, findings: Iterable[Finding]) -> None:
        """Add findings about one of the columns of this row."""
        self.remarks += [(key, finding, self.raw(key)) for finding in findings]

    def cell(self, key: str) -> Value:
        index = self.layout.places.get(key)
        if index is None and key == "class":
            return self.layout.class_said or None
        return None if index is None or index >= len(self.values) else self.values[index]

    def raw(self, key: str) -> str:
        return text_of(self.cell(key)) if key else ""

    def text(self, key: str) -> str:
        """The cell's text; "" for one that is empty or that cannot be used (then there is a finding)."""
        value = self.cell(key)
        refusal = _refuse_cell(value, key)
        if refusal:
            self.say(key, [refusal])
            return ""
        return text_of(value).strip()

    def take(
        self, key: str, reader: Callable[[str], tuple[Any, list[Finding]]], *, missing: Finding | None = None
    ) -> Any:
        """The cell read by `reader`; an empty cell is no value, and `missing` if that is wrong."""
        before = len(self.remarks)
        text = self.text(key)
        if not text:
            if missing and len(self.remarks) == before:
                self.say(key, [missing])
            return None
        value, findings = reader(text)
        self.say(key, findings)
        return value or None

    def _read_person(self) -> None:
        row = self.found
        row["name"] = self.take("name", numbers.read_name, missing=error("没有姓名。", "请填写学生姓名。")) or ""
        row["id_kind"] = self.take("id_kind", words.read_id_kind) or "resident"
        no_id = error("没有证件号。", "请填写 18 位身份证件号。")
        row["id_number"] = self.take("id_number", self._read_id, missing=no_id) or ""
        row["roll_number"] = self.take("roll_number", numbers.read_roll_number) or ""
        row["ethnicity"] = self.take("ethnicity", words.read_ethnicity) or ""
        row["registration"] = self.take("registration", words.read_registration) or ""
        row["region"] = self.take("region", words.read_region) or ""
        row["sex"] = self.take("sex", words.read_sex) or ""
        born = self._day("birth_date")
        row["birth_date"] = born.isoformat() if born else ""
        if row["id_number"] and row["id_kind"] != "other":
            self._agree_with_id(born)
        elif row["id_number"]:
            self._without_id_facts()

    def _read_id(self, text: str) -> tuple[str, list[Finding]]:
        if self.found["id_kind"] == "other":
            return numbers.read_other_document(text)
        return numbers.read_id_number(text, on=self.on)

    def _day(self, key: str) -> dt.date | None:
        value = self.cell(key)
        if isinstance(value, dt.datetime):
            return value.date()
        if isinstance(value, dt.date):
            return value
        if isinstance(value, float) and (day := words.excel_day(value)):
            return day
        return self.take(key, words.read_date)

    def _agree_with_id(self, born: dt.date | None) -> None:
        """Sex and birth date follow from the number; given as well, they must agree with it."""
        row = self.found
        facts = numbers.id_facts(row["id_number"])
        self.say("sex", numbers.compare_with_id(row["id_number"], sex=row["sex"]))
        self.say("birth_date", numbers.compare_with_id(row["id_number"], birth_date=born))
        self.say("roll_number", numbers.compare_roll_with_id(row["roll_number"], row["id_number"]))
        row["sex"], row["birth_date"] = facts.sex, facts.birth_date.isoformat()
        if facts.is_permit:
            row["id_kind"] = "permit"

    def _without_id_facts(self) -> None:
        row = self.found
        if not row["sex"]:
            self.say("sex", [error("没有性别。", "登记的不是居民身份证，请填写性别。")])
        if not row["birth_date"]:
            self.say("birth_date", [error("没有出生日期。", "登记的不是居民身份证，请填写出生日期。")])

    def _read_place(self) -> None:
        row = self.found
        class_text = self.take("class", lambda text: (text, []), missing=error("没有班级。", "请填写班级，例如“1班”。"))
        grade = self._grade(class_text or "")
        row["grade"] = grade.name if grade else ""
        if grade and class_text:
            row["class_label"], findings = grades.read_class(class_text, grade)
            self.say("class", findings)
        row["boarding"] = self._boarding()
        row["schooling"] = self.take("schooling", words.read_schooling) or ""
        row["major"] = self.take("major", words.read_major) or ""

    def _grade(self, class_text: str) -> grades.Grade | None:
        """From its column; without one, a class called 七年级1班 says its grade itself."""
        before = len(self.remarks)
        text = self.text("grade")
        if text:
            grade, findings = grades.read_grade(text, self.layout.short)
            self.say("grade", findings)
            return grade
        grade = grades.grade_of_class(class_text, self.layout.short)
        if grade is None and len(self.remarks) == before and not any(key == "class" for key, _, _ in self.remarks):
            self.say("grade", [error("没有年级。", "请填写年级，例如“七年级”。")])
        return grade

    def _boarding(self) -> str:
        yes_or_no = self.take("is_boarding", words.read_is_boarding)
        key = "boarding" if "boarding" in self.layout.places else "is_boarding"
        missing = None if yes_or_no else error("没有写就读方式。", "寄宿和走读的补助标准不同，请填写“寄宿”或“走读”。")
        if key == "is_boarding":
            if missing and not self.raw(key):
                self.say(key, [missing])
            return yes_or_no or ""
        boarding = self.take("boarding", words.read_boarding, missing=missing)
        if boarding and yes_or_no and boarding != yes_or_no:
            self.say("boarding", [error("“就读方式”和“是否寄宿”两列不一致。", "请核对后改正其中一列。")])
        return boarding or yes_or_no or ""

    def _read_guardian(self) -> None:
        row = self.found
        row["guardian_name"] = self.take("guardian_name", lambda text: numbers.read_name(text, what="监护人姓名")) or ""
        row["guardian_relation"] = self.take("guardian_relation", short(20)) or ""
        row["phone"] = self.take("phone", numbers.read_phone) or ""

    def _read_account(self) -> None:
        """An account comes whole: bank, number, holder and relation, or the row waits until it is."""
        row, before = self.found, len(self.remarks)
        number = self.take("account", numbers.read_account_number)
        if number is None:
            if "account" in self.layout.places and len(self.remarks) == before:
                self.say("account", [NO_ACCOUNT])
            return
        no_bank = error("写了银行账号，但没有开户银行。", "请填写开户银行，或把账号一格清空。")
        bank = self.take("bank", short(60), missing=no_bank)
        holder = self.take(
            "holder",
            lambda text: numbers.read_name(text, what="户名"),
            missing=error("写了银行账号，但没有户名。", "请按银行登记的户名填写，或把账号一格清空。"),
        )
        relation = self._relation(holder or "")
        if bank and holder and relation:
            row |= {"bank": bank, "account": number, "holder": holder, "relation": relation}

    def _relation(self, holder: str) -> str:
        """As the column says. Without one, a holder who is the pupil or the named guardian is known."""
        row = self.found
        before = len(self.remarks)
        relation = self.take("relation", words.read_relation)
        if relation == "self" and holder and row["name"] and holder != row["name"]:
            self.say(
                "relation", [error("户主是本人，但户名和学生姓名不同。", "请核对户名；户主不是学生时请写明关系。")]
            )
        if relation or len(self.remarks) > before or not holder:
            return relation or ""
        relation = known_relation(holder, row["name"], row["guardian_name"], row["guardian_relation"])
        if not relation:
            unknown = error("户名不是学生本人，但没有写户主与学生的关系。", "请填写“父亲”“母亲”或其他监护人的称呼。")
            self.say("relation", [unknown])
        return relation

    def _read_categories(self) -> None:
        row = self.found
        if not {"categories", "evidence"} <= self.layout.places.keys():
            return
        text = self.text("categories")
        row["categories"] = tuple(part for part in _split(text) if part not in ("无", "否"))
        row["evidence"] = redact(self.take("evidence", short(120)) or "")  # a 残疾人证 begins with the ID number


def _refuse_cell(value: Value, key: str) -> Finding | None:
    if isinstance(value, str) and value.startswith("="):
        sentence = "单元格是公式，文件里没有保存结果。"
        return error(sentence, "请在 Excel 或 WPS 里打开文件保存一次，或把公式粘贴为数值，再上传。")
    if value is None or (isinstance(value, str) and not BY_KEY[key].must_be_text):
        if is_error(value):
            return error(f"单元格里是错误值 {value}。", "请改成正确的内容。")
        return None
    if BY_KEY[key].must_be_text:
        return _refuse_number(value)
    if isinstance(value, dt.date) and key not in ("birth_date", "changed_on"):
        return error("单元格里是日期，可能是 Excel 自动改的。", "请把整列设成文本格式，再重新填写。")
    return None


def _refuse_number(value: Value) -> Finding | None:
    if not isinstance(value, str):
        return error(
            "单元格是数字格式，Excel 只保留前 15 位，号码的末几位已经丢失。",
            "请先把整列设成文本格式，再从原始资料重新填写这个号码（只改格式不能恢复）。",
        )
    if is_error(value):
        return error(f"单元格里是错误值 {value}。", "请改成正确的内容。")
    if "E+" in value.upper():
        return error("号码变成了科学计数法，末几位已经丢失。", "请把整列设成文本格式，再从原始资料重新填写。")
    return None


def short(limit: int) -> Callable[[str], tuple[str, list[Finding]]]:
    """A reader of plain words, up to `limit` characters."""

    def read(text: str) -> tuple[str, list[Finding]]:
        word = " ".join(text.split())
        if len(word) > limit:
            return "", [error(f"超过 {limit} 个字。", "请写短一些。")]
        if (word and word[0] in "=+-@＝＋－＠") or not word.isprintable():
            return "", [error("以公式符号开头，或含有看不见的字符。", "请手工重新输入文字。")]
        return word, []

    return read


def _split(text: str) -> list[str]:
    for separator in "，,；;/\n":
        text = text.replace(separator, "、")
    return [part.strip() for part in text.split("、") if part.strip()]
