"""Policy packs: programmes with their dated rows, sources and examples, as TOML files. Pure: no model, no database.

`read_pack` takes the text of a file and answers with plain frozen values, or refuses it with all its faults at once,
each a sentence that says where. `check_examples` reckons every example of a pack with `entitlement`. What a pack
holds of a county's rules is adopted by `pack_loading`; docs/packs.md describes the format.
"""

import datetime as dt
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError

from students.term_keys import term_label

from . import rule_checks, shares
from .dated_terms import meet
from .entitlement import (
    Condition,
    Entitlement,
    Facts,
    Flag,
    Ground,
    Hardship,
    ProgrammeRules,
    StandardRule,
    entitlement,
)
from .meeting_words import KINDS, METHODS
from .pack_tables import Table, shorten
from .policy_words import (
    APPLIED,
    CONDITIONS,
    DAY_KINDS,
    FORMS,
    FUNDING,
    PAID,
    RECIPIENTS,
    ROLL_FACTS,
    ROUNDINGS,
    STANDING_NAMES,
    UNITS,
    VALUES,
)

SHIPPED = Path(__file__).parent / "packs"

CONFIDENCE = {
    "A": "有公开文件或多个公开来源",
    "B": "有一个公开来源",
    "C": "只有一个较弱的来源，使用前请核对",
    "K": "背景知识，没有核实，使用前请核对",
    "S": "当地某年的方案或通知所写，可能已经改变",
}
QUOTA_BASES = {"roll": "在校生", "urban": "在校城市学生", "handed": "上级下达的名额"}
MOST = 400_000  # characters of a file
_LONGEST = 2_000  # characters of a line: the reader takes a key of many parts apart in quadratic time
_AT = re.compile(r"\(at (?:line (\d+), column (\d+)|end of document)\)")


class PackRefused(ValidationError):
    """The file is no usable pack: `messages` are its faults, each a sentence that says where."""


@dataclass(frozen=True)
class Source:
    """Where rows come from: the document they go back to, and where its words were seen."""

    key: str
    document: str
    seen: str
    date: dt.date | None


@dataclass(frozen=True)
class Provenance:
    """The ground of one row: its number among its kind in the file, source, confidence, remark."""

    row: int
    source: Source
    confidence: str
    note: str


@dataclass(frozen=True)
class StandardRow:
    rule: StandardRule  # its key is the number of the row
    origin: Provenance

    @property
    def first_term(self) -> str:
        return self.rule.first_term

    @property
    def last_term(self) -> str:
        return self.rule.last_term


@dataclass(frozen=True)
class GroundRow:
    codes: tuple[str, ...]
    boarding: str
    first_term: str
    last_term: str
    origin: Provenance


@dataclass(frozen=True)
class ProcessRow:
    """How lists are reviewed and shown, until another row begins."""

    first_term: str
    class_review_members: int
    school_review_members: int
    notice_days: int
    notice_day_kind: str
    notice_shows_amount: bool
    origin: Provenance
    last_term: str = ""
    class_notice_days: int = 0  # 0: no notice in the class
    class_method: str = "talk"
    class_pass_mark: int = 0
    school_method: str = "talk"
    school_pass_mark: int = 0
    attendance_percent: int = 0
    seats: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # as `ProcessRule.seats`


@dataclass(frozen=True)
class ShareRow:
    """Who bears which part, for a kind of school (`shares.KINDS`; "" is every school) and, where regions are given, the
    pupils whose households are registered there."""

    first_term: str
    last_term: str
    levels: Mapping[str, str]
    remainder: str
    schools: str
    regions: tuple[str, ...]
    region_name: str
    origin: Provenance


@dataclass(frozen=True)
class QuotaRow:
    """How many may be aided: `percent` of a base, narrowed by conditions as those of a standard.

    Who holds a category of `outside` stands outside the quota.
    """

    first_term: str
    last_term: str
    percent: Decimal | None
    rounding: str
    base: str
    conditions: tuple[Condition, ...]
    outside: tuple[str, ...]
    origin: Provenance

    @property
    def rule(self) -> StandardRule:
        """The part of the roll it is of, as `rule_checks` takes it."""
        document = self.origin.source.document
        return StandardRule(self.origin.row, Decimal(1), document, self.first_term, self.last_term, self.conditions)


@dataclass(frozen=True)
class Example:
    """A pupil, a term and what must come out: an amount, or words of the sentence that says why nothing does."""

    row: int
    about: str
    facts: Facts
    term: str
    amount: Decimal | None
    none: str


@dataclass(frozen=True)
class PackProgramme:
    code: str
    name: str
    stages: tuple[str, ...]
    unit: str
    applied: str
    paid: str
    form: str
    funding: str
    channels: tuple[str, ...]
    recipients: str
    tiers: tuple[str, ...]
    highest_wins: bool
    pro_rata: bool
    basis: str
    note: str
    standards: tuple[StandardRow, ...] = ()
    grounds: tuple[GroundRow, ...] = ()
    processes: tuple[ProcessRow, ...] = ()
    shares: tuple[ShareRow, ...] = ()
    quotas: tuple[QuotaRow, ...] = ()
    examples: tuple[Example, ...] = ()

    def rules(self) -> ProgrammeRules:
        """The programme as `entitlement` takes it."""
        return ProgrammeRules(
            name=self.name,
            stages=self.stages,
            standards=tuple(row.rule for row in self.standards),
            grounds=tuple(
                Ground(code, row.boarding, row.first_term, row.last_term) for row in self.grounds for code in row.codes
            ),
            recipients="all" if self.recipients == "all" else "listed",
            unit=self.unit,
            tiered=bool(self.tiers),
            highest_wins=self.highest_wins,
            pro_rata=self.pro_rata,
        )


@dataclass(frozen=True)
class ExclusionRow:
    """Two programmes of this pack that one child may not have in one term."""

    programmes: tuple[str, str]
    first_term: str
    last_term: str
    origin: Provenance


@dataclass(frozen=True)
class Pack:
    code: str
    name: str
    place: str
    note: str
    programmes: tuple[PackProgramme, ...]
    exclusions: tuple[ExclusionRow, ...]
    sources: tuple[Source, ...]
    categories: Mapping[str, str] = field(compare=False, repr=False)  # code → name, as known when it was read


@dataclass(frozen=True)
class ExampleResult:
    """An example and what the engine says; `wrong` is "" or the sentence that says what is different."""

    programme: PackProgramme
    example: Example
    answer: Entitlement
    wrong: str


def read_pack(text: str, *, categories: Mapping[str, str]) -> Pack:
    """The pack of a TOML file; `categories` are the hardship categories known, names by code.

    Raises PackRefused with every fault found.
    """
    if len(text) > MOST:
        raise PackRefused(f"文件超过政策包的上限{MOST}个字。")
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > _LONGEST:
            raise PackRefused(f"第{number}行有{len(line)}个字，一行最多{_LONGEST}个字。")
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise PackRefused("文件里的括号层数太多，不是政策包。") from None
    except ValueError as fault:
        raise PackRefused(_syntax(fault)) from None
    return pack_of(data, categories=categories)


def _syntax(fault: ValueError) -> str:
    found = _AT.search(str(fault))
    place = "" if not found else f"第{found[1]}行第{found[2]}列" if found[1] else "文件末尾"
    return f"{place}不合TOML写法：请检查引号、括号是否成对，同一个键是否写了两次，日期和数字是否写对。"


def pack_of(data: Mapping[str, object], *, categories: Mapping[str, str]) -> Pack:
    """The pack of data read already. Raises PackRefused with every fault found."""
    faults: list[str] = []
    pack = _Reading(Table(data, "文件", faults), categories).pack()
    if faults:
        raise PackRefused(faults)
    faults = list(_conflicts(pack))
    if faults:
        raise PackRefused(faults)
    return pack


def shipped() -> tuple[str, ...]:
    """Codes of the packs that come with the system: national first, then by code."""
    return tuple(sorted((path.stem for path in SHIPPED.glob("*.toml")), key=lambda code: (code != "national", code)))


def read_shipped(code: str, *, categories: Mapping[str, str]) -> Pack:
    """A pack that comes with the system. Raises PackRefused for an unknown code, too."""
    if code not in shipped():
        raise PackRefused(f"没有代码为“{shorten(code)}”的政策包，现有：{'、'.join(shipped())}。")
    return read_pack((SHIPPED / f"{code}.toml").read_text("utf-8"), categories=categories)


def check_examples(pack: Pack) -> list[ExampleResult]:
    """Every example of the pack, reckoned."""
    return [_result(programme, example) for programme in pack.programmes for example in programme.examples]


def wrong_examples(pack: Pack) -> list[str]:
    """A sentence for each example that does not come out as the pack says."""
    return [result.wrong for result in check_examples(pack) if result.wrong]


def _result(programme: PackProgramme, example: Example) -> ExampleResult:
    first, second, half = example.term.split("-")
    on = dt.date(int(first), 9, 1) if half == "1" else dt.date(int(second), 3, 1)
    answer = entitlement(example.facts, programme.rules(), term=example.term, term_name=term_label(example.term), on=on)
    wanted = "没有应发金额" if example.amount is None else f"{example.amount:.2f}元"
    got = "没有应发金额" if answer.amount is None else f"{answer.amount:.2f}元"
    wrong = ""
    if answer.amount != example.amount or example.none not in answer.sentence:
        because = f"（理由含“{example.none}”）" if example.none else ""
        wrong = (
            f"项目“{programme.code}”第{example.row}个例子（{example.about}）：应为{wanted}{because}，"
            f"算出来是{got}：{answer.sentence}"
        )
    return ExampleResult(programme, example, answer, wrong)


# --- reading ---------------------------------------------------------------------------------------


class _Reading:
    """Reads the tables of one file; faults gather in the tables' list."""

    def __init__(self, root: Table, categories: Mapping[str, str]) -> None:
        self._root = root
        self._categories = categories
        self._sources: dict[str, Source] = {}

    def pack(self) -> Pack:
        root = self._root
        head = root.table("pack", "[pack]") or Table({}, "文件[pack]", [])
        code, name, place = head.code("code"), head.text("name", limit=40), head.text("place", limit=40)
        note = head.text("note", needed=False, limit=400)
        head.end()
        self._sources = {source.key: source for source in self._read_sources()}
        programmes = tuple(self._programme(table) for table in root.tables("programme", "第{}个项目"))
        if not programmes:
            root.fault("programme", "没有写：政策包至少要有一个项目")
        for what, given in (("code", [each.code for each in programmes]), ("name", [each.name for each in programmes])):
            for value, times in Counter(given).items():
                if value and times > 1:
                    root.faults.append(f"项目“{shorten(value)}”：“{what}”有{times}个项目相同，每个项目要各不相同。")
        codes = {each.code: each.name for each in programmes if each.code}
        exclusions = tuple(self._exclusion(table, codes) for table in root.tables("exclusion", "第{}条不能兼得的规定"))
        root.end()
        return Pack(code, name, place, note, programmes, exclusions, tuple(self._sources.values()), self._categories)

    def _read_sources(self) -> Iterator[Source]:
        tables = self._root.table("source", "")
        if tables is None:
            return
        for key in tables.names():
            table = tables.table(key, f"来源“{shorten(key)}”")
            if table:
                document, seen = table.text("document", limit=120), table.text("seen", limit=400)
                yield Source(key, document, seen, table.day("date"))
                table.end()

    def _programme(self, table: Table) -> PackProgramme:
        code = table.code("code")
        if code:
            table.where = f"项目“{code}”"
        programme = PackProgramme(
            code=code,
            name=table.text("name", limit=60),
            stages=table.texts("stages", VALUES["stage"], needed=True),
            unit=table.choice("unit", UNITS),
            applied=table.choice("applied", APPLIED),
            paid=table.choice("paid", PAID),
            form=table.choice("form", FORMS),
            funding=table.choice("funding", FUNDING),
            channels=table.texts("channels", needed=True),
            recipients=table.choice("recipients", RECIPIENTS),
            tiers=table.texts("tiers"),
            highest_wins=table.truth("highest_wins"),
            pro_rata=table.truth("pro_rata"),
            basis=table.text("basis"),
            note=table.text("note", needed=False, limit=400),
        )
        programme = replace(
            programme,
            standards=tuple(self._standard(row, programme) for row in table.tables("standard", "第{}条标准")),
            grounds=tuple(map(self._ground, table.tables("ground", "第{}条资助范围"))),
            processes=tuple(map(self._process, table.tables("process", "第{}条评审公示规则"))),
            shares=tuple(map(self._share, table.tables("share", "第{}条资金分担"))),
            quotas=tuple(self._quota(row, programme) for row in table.tables("quota", "第{}条名额")),
            examples=tuple(self._example(row, programme) for row in table.tables("example", "第{}个例子")),
        )
        table.end()
        self._check_parts(table, programme)
        return programme

    def _check_parts(self, table: Table, programme: PackProgramme) -> None:
        if programme.form and programme.funding and programme.channels:
            wrong = rule_checks.channel_fault(
                programme.name, form=programme.form, channels=programme.channels, funding=programme.funding
            )
            if wrong:
                table.faults.append(f"{table.where}：“{wrong.where}”：{wrong.words}")
        if programme.recipients in ("listed", "percentage") and not programme.grounds:
            table.fault("ground", "没有写：资助所列困难类别的项目要写明有哪些类别")
        if programme.recipients == "all" and programme.grounds:
            table.fault("ground", "不应写：这个项目面向全部学生")
        if not programme.standards and programme.form != "waiver":
            table.fault("standard", "没有写：只有减免费用的项目可以不写金额")
        if not programme.examples:
            table.fault("example", "没有写：每个项目至少要有一个例子")
        if programme.pro_rata and programme.unit not in ("month", "day", ""):
            table.fault("pro_rata", "只用于按月或按天计算的项目")

    # --- rows --------------------------------------------------------------------------------------

    def _origin(self, table: Table) -> Provenance:
        key = table.text("source", limit=60)
        if key and key not in self._sources:
            table.fault("source", f"是“{shorten(key)}”，文件里没有 [source.{shorten(key)}]")
        source = self._sources.get(key) or Source(key, "", "", None)
        confidence = table.choice("confidence", CONFIDENCE)
        return Provenance(table.number_in_file, source, confidence, table.text("note", needed=False, limit=400))

    def _categories_of(self, table: Table, key: str, *, needed: bool = False) -> tuple[str, ...]:
        found = table.texts(key, needed=needed)
        for code in found:
            if code not in self._categories:
                table.fault(key, f"里“{shorten(code)}”不是已登记的困难类别代码")
        return found

    def _flags(self, table: Table) -> Iterator[Flag]:
        for row in table.tables("flags", "“flags”第{}项"):
            flag = Flag(
                row.text("category", limit=30), row.text("name", limit=30), frozenset(row.texts("values", needed=True))
            )
            row.end()
            yield flag

    def _standard(self, table: Table, programme: PackProgramme) -> StandardRow:
        first, last = table.terms()
        given = {fact: frozenset(table.texts(fact)) for fact in CONDITIONS if table.asks(fact)}
        amount = table.amount("amount")
        periods = table.number("periods") if table.asks("periods") else Decimal(1)
        any_of, all_of, none_of = (frozenset(table.texts(key)) for key in ("any_of", "all_of", "none_of"))
        flags = tuple(self._flags(table))
        origin = self._origin(table)
        table.end()
        rule = StandardRule(
            key=table.number_in_file,
            amount=amount,
            document=origin.source.document,
            first_term=first,
            last_term=last,
            conditions=tuple(Condition(fact, values) for fact, values in given.items() if values),
            any_of=any_of,
            all_of=all_of,
            none_of=none_of,
            flags=flags,
            periods=periods,
        )
        self._check_rule(table, rule, programme)
        return StandardRow(rule, origin)

    def _check_rule(self, table: Table, rule: StandardRule, programme: PackProgramme) -> None:
        if not programme.stages or programme.unit not in UNITS:
            return  # said already, and nothing of the row can be judged without
        faults = rule_checks.faults(rule, programme.rules(), tiers=programme.tiers, categories=self._categories)
        for fault in faults:
            key = fault.where.removeprefix("conditions.")
            # Terms, amounts and documents have their sentence from the table already.
            if key not in ("amount", "first_term", "last_term", "document"):
                table.faults.append(f"{table.where}：“{key}”：{fault.words}")

    def _ground(self, table: Table) -> GroundRow:
        first, last = table.terms()
        codes = self._categories_of(table, "codes", needed=True)
        boarding = table.choice("boarding", VALUES["boarding"], needed=False)
        origin = self._origin(table)
        table.end()
        return GroundRow(codes, boarding, first, last, origin)

    def _process(self, table: Table) -> ProcessRow:
        row = ProcessRow(
            first_term=table.term("from"),
            class_review_members=table.whole("class_review_members", 5, most=99),
            school_review_members=table.whole("school_review_members", 10, most=99),
            class_notice_days=table.whole("class_notice_days", 0, most=60),
            notice_days=table.whole("notice_days", 5, most=60),
            notice_day_kind=table.choice("notice_day_kind", DAY_KINDS, needed=False) or "working",
            notice_shows_amount=table.truth("notice_shows_amount", default=True),
            origin=self._origin(table),
            class_method=table.choice("class_method", METHODS, needed=False) or "talk",
            class_pass_mark=table.whole("class_pass_mark", 0, most=100),
            school_method=table.choice("school_method", METHODS, needed=False) or "talk",
            school_pass_mark=table.whole("school_pass_mark", 0, most=100),
            attendance_percent=table.whole("attendance_percent", 0, most=100),
            seats=self._seats(table),
        )
        table.end()
        return row

    def _seats(self, table: Table) -> dict[str, dict[str, int]]:
        """Who has to be in the groups, who may not: for the school and for the classes of a stage."""
        written = table.table("seats", "“seats”", needed=False)
        found = {}
        for where in written.names() if written else ():
            if where not in (*VALUES["stage"], "school"):
                table.fault("seats", f"里不能写“{where}”，只能写 school 或学段：{'、'.join(VALUES['stage'])}")
            elif written and (kinds := written.table(where, f"“{where}”")):
                found[where] = {kind: kinds.whole(kind, 0, most=30, least=0) for kind in KINDS if kinds.asks(kind)}
                kinds.end()
        return found

    def _share(self, table: Table) -> ShareRow:
        first, last = table.terms()
        within = table.table("levels", "“levels”")
        levels = {level: within.text(level, limit=40) for level in within.names()} if within else {}
        remainder = table.choice("remainder", shares.LEVELS)
        if all(levels.values()) and levels and remainder:
            for fault in shares.faults(levels, remainder):
                table.faults.append(f"{table.where}：“levels”：{fault}")
        schools = table.choice("schools", {kind: name for kind, name in shares.KINDS.items() if kind}, needed=False)
        regions = self._regions(table)
        region_name = table.text("region_name", limit=30) if regions else ""
        origin = self._origin(table)
        table.end()
        return ShareRow(first, last, levels, remainder, schools, regions, region_name, origin)

    def _regions(self, table: Table) -> tuple[str, ...]:
        """Prefixes of the regions pupils come from; none where nothing is written."""
        try:
            return shares.read_origins(" ".join(table.texts("regions")))
        except ValueError as refusal:
            table.faults.append(f"{table.where}：“regions”：{refusal}")
            return ()

    def _quota(self, table: Table, programme: PackProgramme) -> QuotaRow:
        first, last = table.terms()
        base = table.choice("base", QUOTA_BASES)
        percent = table.number("percent") if base != "handed" else None
        if percent is not None and percent > 100:
            table.fault("percent", f"是{percent}，不能超过100")
        if base == "handed" and table.asks("percent"):
            table.fault("percent", "不应写：名额由上级下达，没有比例")
        conditions = self._roll_conditions(table, base)
        rounding = table.choice("rounding", ROUNDINGS, needed=False) or "down"
        outside = self._categories_of(table, "outside")
        origin = self._origin(table)
        table.end()
        row = QuotaRow(first, last, percent, rounding, base, conditions, outside, origin)
        if programme.stages:
            self._check_rule(table, row.rule, replace(programme, unit="term"))
        return row

    def _roll_conditions(self, table: Table, base: str) -> tuple[Condition, ...]:
        """Which part of the roll: what is written, and what the base says."""
        given = {fact: frozenset(table.texts(fact)) for fact in ROLL_FACTS if table.asks(fact)}
        if base == "handed" and given:
            table.fault(min(given), "不应写：名额由上级下达，不按在校生计算")
        if base == "urban":
            if "registration" in given:
                table.fault("registration", "不应写：“base”已写明按在校城市学生计算")
            given["registration"] = frozenset({"urban"})
        return tuple(Condition(fact, values) for fact, values in sorted(given.items()) if values)

    def _exclusion(self, table: Table, codes: Mapping[str, str]) -> ExclusionRow:
        first, last = table.terms()
        pair = table.texts("programmes", codes, needed=True)
        if len(pair) != 2:
            table.fault("programmes", "要写两个不同的项目代码")
            pair = ("", "")
        origin = self._origin(table)
        table.end()
        return ExclusionRow((pair[0], pair[1]), first, last, origin)

    def _example(self, table: Table, programme: PackProgramme) -> Example:
        about, term = table.text("about"), table.term("term")
        amount = table.amount("amount") if table.asks("amount") else None
        none = table.text("none", needed=False)
        if (amount is None) == (not none):
            table.fault("", "“amount”（金额）和“none”（没有金额的理由）必须写一个，也只能写一个")
        pupil = table.table("pupil", "“pupil”")
        facts = self._facts(pupil, programme) if pupil else Facts("", "", "", ())
        table.end()
        return Example(table.number_in_file, about, facts, term, amount, none)

    def _facts(self, table: Table, programme: PackProgramme) -> Facts:
        texts: dict[str, Any] = {
            fact: table.choice(fact, VALUES[fact], needed=fact == "stage")
            if fact in VALUES
            else table.text(fact, needed=False, limit=20)
            for fact in CONDITIONS
        }
        if texts["tier"] and texts["tier"] not in programme.tiers:
            table.fault("tier", f"“{shorten(texts['tier'])}”不在项目的“tiers”里")
        standing = table.choice("standing", {"present": "在校", **STANDING_NAMES}, needed=False) or "present"
        attended = table.number("attended") if table.asks("attended") else None
        had_before = table.truth("had_before")
        held = self._hardships(table)
        table.end()
        return Facts(**texts, hardships=held, standing=standing, attended=attended, had_before=had_before)

    def _hardships(self, table: Table) -> tuple[Hardship, ...]:
        codes = self._categories_of(table, "categories")
        said: dict[str, tuple[tuple[str, str], ...]] = {}
        flags = table.table("flags", "“flags”", needed=False)
        for code in flags.names() if flags else ():
            words = flags.table(code, f"“{shorten(code)}”") if flags else None
            if code not in codes and words:
                words.fault("", "不在这个例子的“categories”里")
            names = words.names() if words else ()
            said[code] = tuple((name, words.text(name, limit=40)) for name in names) if words else ()
        return tuple(
            Hardship(code, self._categories.get(code, code), "例子", dt.date(2000, 1, 1), None, "", said.get(code, ()))
            for code in codes
        )


# --- rows beside each other ------------------------------------------------------------------------


def _conflicts(pack: Pack) -> Iterator[str]:
    """Rows that cannot stand beside each other, each with where and, for amounts, an example child."""
    for programme in pack.programmes:
        where = f"项目“{programme.code}”"
        for one, other, child in rule_checks.clashes(programme.rules()):
            words = rule_checks.words_of(child, dict(pack.categories))
            yield (
                f"{where}第{one.key}条和第{other.key}条标准：会给同一名学生两个金额（{one.amount}元和{other.amount}元），"
                f"例如{words}；请把条件或学期分开，或写明“highest_wins = true”（就高不就低）。"
            )
        yield from _double_grounds(programme, where)
        yield from _double_shares(programme, where)
        yield from _double_percentages(programme, where)
        begun = Counter(row.first_term for row in programme.processes)
        for term, times in begun.items():
            if times > 1:
                yield f"{where}的评审公示规则：有{times}条自{term}起执行，同一学期只能有一条。"
    for first, second in combinations(pack.exclusions, 2):
        if set(first.programmes) == set(second.programmes) and meet(first, second):
            yield f"第{first.origin.row}条和第{second.origin.row}条不能兼得的规定：写的是同样两个项目，学期重叠。"


def _double_grounds(programme: PackProgramme, where: str) -> Iterator[str]:
    for one, other in combinations(programme.grounds, 2):
        same = set(one.codes) & set(other.codes)
        if same and one.boarding == other.boarding and meet(one, other):
            yield (
                f"{where}第{one.origin.row}条和第{other.origin.row}条资助范围：困难类别“{min(same)}”在同一学期写了两次。"
            )


def _double_percentages(programme: PackProgramme, where: str) -> Iterator[str]:
    rows = [row for row in programme.quotas if row.percent is not None]
    everybody = replace(programme.rules(), recipients="all")
    for one, other in combinations(rows, 2):
        if child := rule_checks.child_of_both(one.rule, other.rule, everybody):
            yield (
                f"{where}第{one.origin.row}条和第{other.origin.row}条名额：会把同一名学生按两个比例各算一次，"
                f"例如{rule_checks.words_of(child, {})}；请把条件或学期分开。"
            )


def _double_shares(programme: PackProgramme, where: str) -> Iterator[str]:
    for one, other in combinations(programme.shares, 2):
        if one.schools == other.schools and shares.share_region(one.regions, other.regions) and meet(one, other):
            both = sorted({*one.regions} & {*other.regions})
            whose = f"、户籍在{both[0]}的学生" if both else ""
            yield (
                f"{where}第{one.origin.row}条和第{other.origin.row}条资金分担：同一学期、同一类学校{whose}有两种分担比例；"
                "请把学期、学校类别或生源地分开。"
            )
