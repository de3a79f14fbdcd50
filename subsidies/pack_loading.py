"""Taking policy packs over into the county's own rules: what is not there yet is added, what is there stays.

A row of a pack is compared with the county's own: it is new, it is there already, or the county's rules say
something else, and then the county's stay and a sentence says why. So an officer's work is never overwritten, and a
second time adds nothing. Where each row came from is kept (PackRow).
"""

import functools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction

from accounts import access, audit
from accounts.models import Unit, User
from accounts.roles import Permission
from students.reference import KINDS

from . import packs, percentages, rule_checks, shares, what_if
from .dated_terms import OPEN, covers, meet, span_label
from .entitlement import Ground, ProgrammeRules, StandardRule
from .meeting_words import rule_words
from .models import (
    AcceptedCategory,
    FundShare,
    OutsideQuota,
    PackRow,
    ProcessRule,
    Programme,
    ProgrammeExclusion,
    QuotaPercentage,
    Standard,
)
from .packs import (
    QUOTA_BASES,
    ExclusionRow,
    GroundRow,
    Pack,
    PackProgramme,
    ProcessRow,
    Provenance,
    QuotaRow,
    ShareRow,
    StandardRow,
    wrong_examples,
)
from .policy_words import DAY_KINDS, PERIODS, ROUNDINGS, UNITS, VALUES
from .programmes import category_names, rules_of
from .what_if import Effect

_Kind = PackRow.Kind
_PROCESS_FACTS = (
    "class_review_members", "school_review_members", "class_notice_days", "notice_days", "notice_day_kind",
    "notice_shows_amount", "class_method", "class_pass_mark", "school_method", "school_pass_mark",
    "attendance_percent", "seats",
)  # fmt: skip
_DECIDING = (_Kind.STANDARD, _Kind.GROUND)  # what amounts are reckoned from
Row = StandardRow | GroundRow | ProcessRow | ShareRow | QuotaRow | ExclusionRow


class State(StrEnum):
    """A row of a pack beside the county's rules."""

    NEW = "new"  # would be added
    THERE = "there"  # the county has just this
    OTHER = "other"  # the county's own rules stay
    TOLD = "told"  # only to be read: nothing of the rules answers to it


@dataclass(frozen=True)
class Item:
    """A row of a pack, in words and compared."""

    kind: str  # a PackRow.Kind, or quota
    row: Row
    words: str
    terms: str
    state: State
    why: str = ""
    codes: tuple[str, ...] = ()  # of a row of categories: those to be added

    @property
    def origin(self) -> Provenance:
        return self.row.origin


@dataclass(frozen=True)
class ProgrammeItem:
    """A programme of a pack with its rows; `present` is the county's programme of that code.

    `after` are the county's rules as they would be, where there are any to change: see `effect`.
    """

    programme: PackProgramme
    present: Programme | None
    state: State
    why: str
    items: tuple[Item, ...]
    after: ProgrammeRules | None = None


@dataclass(frozen=True)
class Comparison:
    """A pack beside the county's rules."""

    pack: Pack
    programmes: tuple[ProgrammeItem, ...]
    exclusions: tuple[Item, ...]

    @property
    def items(self) -> Iterator[Item]:
        for each in self.programmes:
            yield from each.items
        yield from self.exclusions

    def count(self, state: State) -> int:
        """How many rows are in this state, programmes not counted."""
        return sum(item.state == state for item in self.items)

    @property
    def new_programmes(self) -> list[PackProgramme]:
        return [each.programme for each in self.programmes if each.state == State.NEW]

    @property
    def has_new(self) -> bool:
        return bool(self.new_programmes) or self.count(State.NEW) > 0


# --- the verbs -------------------------------------------------------------------------------------


def adopt(pack: Pack, *, county: Unit, by: User) -> Comparison:
    """Add what the county does not have yet; the answer says what was new, what was there and what was left.

    Raises ValidationError when an example of the pack does not come out as it says.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    return _adopt(pack, county=county, by=by)


def load(pack: Pack, *, only: Collection[str] | None = None) -> Comparison:
    """As `adopt`, by the system itself. With `only`, of these programmes those that are not there at all."""
    county = Unit.objects.filter(level=Unit.Level.COUNTY).first()
    return _adopt(pack, county=county, by=None, only=only)


def known_categories() -> dict[str, str]:
    """Hardship categories a pack may speak of: those that ship, and the county's own, code → name."""
    return {kind.code: kind.name for kind in KINDS} | category_names()


def _adopt(pack: Pack, *, county: Unit | None, by: User | None, only: Collection[str] | None = None) -> Comparison:
    if only is not None:
        pack = replace(pack, programmes=tuple(each for each in pack.programmes if each.code in only), exclusions=())
    if wrong := wrong_examples(pack):
        raise ValidationError(wrong)
    with transaction.atomic():
        # One at a time: two at once would add the same programme twice.
        list(Unit.objects.select_for_update().filter(level=Unit.Level.COUNTY).order_by("pk"))
        codes = [each.code for each in pack.programmes]
        list(Programme.objects.select_for_update().filter(code__in=codes).order_by("pk"))
        found = compare(pack)
        if only is not None:
            found = replace(found, programmes=tuple(each for each in found.programmes if each.state == State.NEW))
        if found.has_new:
            _Writing(found, by).write()
            fresh_rows = Counter(item.kind for item in found.items if item.state == State.NEW)
            audit.record(
                "pack.adopt",
                f"subsidies.pack:{pack.code}",
                by=by,
                unit=county,
                pack=pack.name,
                programmes=[each.code for each in found.new_programmes],
                rows_new="、".join(f"{_Kind(kind).label}{count}条" for kind, count in sorted(fresh_rows.items())),
                rows_kept=found.count(State.OTHER),
            )
    return found


def effects(found: Comparison, county: Unit) -> dict[str, Effect]:
    """What taking the pack over would change for the county's pupils, by the code of each programme there already."""
    answers = {}
    for each in found.programmes:
        if each.present is not None and each.after is not None:
            rows = [item.row for item in each.items if item.state == State.NEW and item.kind in _DECIDING]
            first = min(row.first_term for row in rows)
            answers[each.programme.code] = what_if.effect(each.present, each.after, county, first=first, last=OPEN)
    return answers


# --- comparing -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class County:
    """The county's programmes with their rows, read once for any number of packs."""

    by_code: dict[str, Programme]
    names: dict[str, str]  # code by name


def county_rules() -> County:
    """The county's rules as they are now."""
    related = ("standards", "accepted", "process_rules", "shares", "percentages", "outside_quota", "exclusions")
    rows = list(Programme.objects.prefetch_related(*related))
    return County({row.code: row for row in rows}, {row.name: row.code for row in rows})


def compare(pack: Pack, county: County | None = None) -> Comparison:
    """Every row of the pack beside the county's rules; changes nothing."""
    county = county or county_rules()
    names = dict(pack.categories)
    programmes = tuple(_Comparing(each, county, names).result() for each in pack.programmes)
    ok = {each.programme.code for each in programmes if each.state != State.OTHER}
    return Comparison(pack, programmes, tuple(_exclusion(row, pack, county, ok) for row in pack.exclusions))


@functools.lru_cache(maxsize=64)
def _read(code: str, categories: tuple[tuple[str, str], ...]) -> Pack:
    return packs.read_shipped(code, categories=dict(categories))


def shipped(code: str) -> Pack:
    """A pack that comes with the system, read once for the categories there are. Raises packs.PackRefused."""
    return _read(code, tuple(sorted(known_categories().items())))


def all_shipped() -> list[Pack]:
    """All packs that come with the system."""
    categories = tuple(sorted(known_categories().items()))
    return [_read(code, categories) for code in packs.shipped()]


class _Comparing:
    """One programme of a pack beside the county's."""

    def __init__(self, programme: PackProgramme, county: County, names: dict[str, str]) -> None:
        self._of_pack = programme
        self._present = county.by_code.get(programme.code)
        self._names = names
        self._state, self._why = self._whole(county.names)
        # The county's rules, with the categories that were found new so far.
        self._ours = rules_of(self._present) if self._present and self._state != State.OTHER else None

    def result(self) -> ProgrammeItem:
        of_pack = self._of_pack
        # Grounds first: whether two standards can fit one child depends on whom the programme is for.
        grounds = tuple(map(self._ground, of_pack.grounds))
        standards, after = self._standards(grounds)
        items = (
            *standards,
            *grounds,
            *map(self._process, of_pack.processes),
            *map(self._share, of_pack.shares),
            *(item for row in of_pack.quotas for item in self._quota(row)),
        )
        changes = any(item.state == State.NEW for item in (*standards, *grounds))
        return ProgrammeItem(
            of_pack, self._present, self._state, self._why, items, after if self._present and changes else None
        )

    def _whole(self, taken: dict[str, str]) -> tuple[State, str]:
        """What speaks against taking over any row of the programme."""
        of_pack, present = self._of_pack, self._present
        if present is None:
            if other := taken.get(of_pack.name):
                return State.OTHER, f"本县代码为“{other}”的项目已叫这个名称，两个项目不能同名。"
            return State.NEW, ""
        if present.unit != of_pack.unit:
            ours, theirs = UNITS[present.unit], UNITS[of_pack.unit]
            return State.OTHER, f"本县这个项目的标准按{ours}计算，政策包按{theirs}计算，不能合在一起。"
        if (present.recipients == "all") != (of_pack.recipients == "all"):
            return State.OTHER, "本县这个项目的受助对象与政策包不同（全体学生或所列困难类别），不能合在一起。"
        return State.THERE, ""

    def _item(self, kind: str, row: Row, words: str, state: State, why: str = "", codes: tuple[str, ...] = ()) -> Item:
        if self._state == State.OTHER and state != State.TOLD:
            state, why, codes = State.OTHER, "", ()
        return Item(kind, row, words, span_label(row), state, why, codes)

    # --- rows --------------------------------------------------------------------------------------

    def _standards(self, grounds: Iterable[Item]) -> tuple[list[Item], ProgrammeRules]:
        """The rows of amounts, and the rules with those that would be added."""
        items = []
        rules = self._county_rules(grounds)
        tiers = self._present.tiers if self._present else self._of_pack.tiers
        for row in self._of_pack.standards:
            # Under a key of its own: numbers of the file could be those of rows of the county.
            rule = replace(row.rule, key=-row.rule.key)
            state, why = self._beside(rule, rules, tiers)
            if state == State.NEW:
                rules = replace(rules, standards=(*rules.standards, rule))
            items.append(self._item(_Kind.STANDARD, row, self._standard_words(row.rule), state, why))
        return items, rules

    def _county_rules(self, grounds: Iterable[Item]) -> ProgrammeRules:
        if self._present is None or self._state == State.OTHER:
            return replace(self._of_pack.rules(), standards=())
        rules = rules_of(self._present)
        theirs = self._of_pack.rules().grounds
        new = {(code, item.row.boarding) for item in grounds for code in item.codes if isinstance(item.row, GroundRow)}
        added = tuple(ground for ground in theirs if (ground.code, ground.boarding) in new)
        return replace(rules, grounds=(*rules.grounds, *added))

    def _beside(self, rule: StandardRule, rules: ProgrammeRules, tiers: Iterable[str]) -> tuple[State, str]:
        same = [each for each in rules.standards if rule_checks.is_same_case(each, rule) and meet(each, rule)]
        if same:
            alike = [each for each in same if (each.amount, each.periods) == (rule.amount, rule.periods)]
            if any(covers(each, rule) for each in alike):
                return State.THERE, ""
            ours = next((each for each in same if each not in alike), same[0])
            return (
                State.OTHER,
                f"本县同样条件的标准自{span_label(ours)}为{ours.amount:.2f}元（{ours.document}），保持不变。",
            )
        faults = rule_checks.faults(rule, rules, tiers=tiers, categories=self._names)
        if wrong := "".join(fault.words for fault in faults):
            return State.OTHER, wrong
        for each in rules.standards:
            for one, other, child in rule_checks.clashes(replace(rules, standards=(each, rule))):
                ours = one if other == rule else other
                return State.OTHER, rule_checks.clash_words(rule, ours, child, self._names)
        return State.NEW, ""

    def _standard_words(self, rule: StandardRule) -> str:
        whom = "；".join(rule_checks.whom(rule, self._names)) or "不分条件"
        unit = self._of_pack.unit
        periods = f" × {rule.periods.normalize():f}{PERIODS[unit]}" if unit in PERIODS else ""
        return f"{rule.amount:.2f} 元/{UNITS[unit]}{periods}，{whom}"

    def _ground(self, row: GroundRow) -> Item:
        ours = [each for each in (self._present.accepted.all() if self._present else ()) if meet(each, row)]
        whom = f"{VALUES['boarding'][row.boarding]}：" if row.boarding else ""
        words = whom + "、".join(self._names.get(code, code) for code in row.codes)
        new: list[str] = []
        shorter: list[str] = []
        narrower: list[str] = []
        for code in row.codes:
            theirs = [each for each in ours if each.category_code == code]
            same = [each for each in theirs if each.boarding in ("", row.boarding)]
            if same and not any(covers(each, row) for each in same):
                shorter.append(code)
            elif theirs and not same and not row.boarding:
                narrower.append(code)  # beside it a row for all would say the same twice
            elif not same:
                new.append(code)
        why = f"新增{len(new)}类，其余{len(row.codes) - len(new)}类本县已有。" if 0 < len(new) < len(row.codes) else ""
        for codes, differs in ((shorter, "执行学期不同"), (narrower, "按就读方式分别列入")):
            if codes:
                why += f"本县登记的{'、'.join(self._names.get(code, code) for code in codes)}{differs}，保持不变。"
        if new and (torn := self._torn_by(new, row)):
            new, why = [], torn
        state = State.NEW if new else State.OTHER if why else State.THERE
        return self._item(_Kind.GROUND, row, words, state, why, tuple(new))

    def _torn_by(self, codes: Iterable[str], row: GroundRow) -> str:
        """Why the county's own standards do not bear these categories: two of them would fit one child. Else ""."""
        if self._ours is None:
            return ""
        added = tuple(Ground(code, row.boarding, row.first_term, row.last_term) for code in codes)
        after = replace(self._ours, grounds=(*self._ours.grounds, *added))
        known = {clash[:2] for clash in rule_checks.clashes(self._ours)}
        for one, other, child in rule_checks.clashes(after):
            if (one, other) not in known:
                return (
                    f"列入以后，本县“{one.document}”的标准（{one.amount:.2f} 元）和“{other.document}”的标准"
                    f"（{other.amount:.2f} 元）会同时适用于同一名学生，例如{rule_checks.words_of(child, self._names)}。"
                )
        self._ours = after
        return ""

    def _process(self, row: ProcessRow) -> Item:
        in_class = f"班级公示不少于{row.class_notice_days}个{DAY_KINDS[row.notice_day_kind]}，"
        words = (
            f"班级评议不少于{row.class_review_members}人，学校评审不少于{row.school_review_members}人，"
            f"{in_class if row.class_notice_days else ''}"
            f"公示不少于{row.notice_days}个{DAY_KINDS[row.notice_day_kind]}，"
            f"{'公示金额' if row.notice_shows_amount else '不公示金额'}"
            f"{''.join(f'；{sentence}' for sentence in rule_words(row))}"
        )
        ours = list(self._present.process_rules.all()) if self._present else []
        if not ours:
            return self._item(_Kind.PROCESS, row, words, State.NEW)
        facts = (*_PROCESS_FACTS, "first_term")
        if any(all(getattr(each, fact) == getattr(row, fact) for fact in facts) for each in ours):
            return self._item(_Kind.PROCESS, row, words, State.THERE)
        return self._item(_Kind.PROCESS, row, words, State.OTHER, "本县这个项目已有评审和公示规则，保持不变。")

    def _share(self, row: ShareRow) -> Item:
        plan = shares.plan_of(row.levels, row.remainder)
        whom = shares.whom_words(row.schools, row.region_name)
        words = f"{whom}：{shares.plan_words(plan)}，尾差由{shares.LEVELS[row.remainder]}承担"
        ours = [each for each in (self._present.shares.all() if self._present else ()) if each.schools == row.schools]
        met = [each for each in ours if shares.share_region(each.origin_codes, row.regions) and meet(each, row)]
        if not met:
            return self._item(_Kind.SHARE, row, words, State.NEW)
        if any(each.plan == plan and each.origin_codes == row.regions and covers(each, row) for each in met):
            return self._item(_Kind.SHARE, row, words, State.THERE)
        return self._item(
            _Kind.SHARE, row, words, State.OTHER, f"本县已登记{shares.plan_words(met[0].plan)}，保持不变。"
        )

    def _quota(self, row: QuotaRow) -> Iterator[Item]:
        """The percentage and who stands outside are two things; where places are handed down it is only told."""
        if row.percent is None:
            words = f"按{QUOTA_BASES[row.base]}"
            yield self._item("quota", row, words, State.TOLD, "名额数由县资助中心在“名额”页登记。")
        else:
            yield self._percentage(row)
        if row.outside:
            words = f"不占名额：{'、'.join(self._names.get(code, code) for code in row.outside)}"
            ours = self._present.outside_quota.all() if self._present else ()
            have = {each.category_code for each in ours if meet(each, row)}
            new = tuple(code for code in row.outside if code not in have)
            yield self._item(_Kind.OUTSIDE, row, words, State.NEW if new else State.THERE, codes=new)

    def _percentage(self, row: QuotaRow) -> Item:
        whom = "；".join(rule_checks.whom(row.rule, self._names))
        part = f"（{whom}）" if whom else ""
        assert row.percent is not None
        words = f"在校生{part}的 {row.percent.normalize():f}%，{ROUNDINGS[row.rounding]}"
        present = self._present
        everybody = replace(rules_of(present) if present else self._of_pack.rules(), recipients="all")
        ours = present.percentages.all() if present else ()
        met = [each for each in ours if rule_checks.child_of_both(percentages.rule_of(each), row.rule, everybody)]
        if not met:
            why = "分配名额时按这个比例建议人数，由县资助中心核对后登记。"
            return self._item(_Kind.PERCENTAGE, row, words, State.NEW, why)
        same = [each for each in met if (each.percent, each.rounding) == (row.percent, row.rounding)]
        if any(each.conditions == _conditions_of(row) and covers(each, row) for each in same):
            return self._item(_Kind.PERCENTAGE, row, words, State.THERE)
        why = f"本县已登记{met[0].percent.normalize():f}%（{met[0].document}），保持不变。"
        return self._item(_Kind.PERCENTAGE, row, words, State.OTHER, why)


def _conditions_of(row: QuotaRow) -> dict[str, list[str]]:
    return percentages.written({condition.fact: sorted(condition.values) for condition in row.conditions})


def _exclusion(row: ExclusionRow, pack: Pack, county: County, ok: Collection[str]) -> Item:
    present = county.by_code
    names = {each.code: each.name for each in pack.programmes}
    words = "与".join(names[code] for code in row.programmes)
    state, why = State.NEW, ""
    if not set(row.programmes) <= set(ok):
        state, why = State.OTHER, "其中有项目没有采用。"
    elif all(code in present for code in row.programmes):
        first, second = sorted((present[code] for code in row.programmes), key=lambda each: each.pk)
        is_there = any(pair.other_id == second.pk and meet(pair, row) for pair in first.exclusions.all())
        state = State.THERE if is_there else State.NEW
    return Item(_Kind.EXCLUSION, row, words, span_label(row), state, why)


# --- writing ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Made:
    """A row to be written, and what is kept of where it came from."""

    programme: Programme
    kind: str
    row: models.Model
    number: int
    confidence: str
    source: str


class _Writing:
    """Writes the new rows of a comparison, each with where it came from."""

    def __init__(self, found: Comparison, by: User | None) -> None:
        self._found = found
        self._by = by
        self._made: list[_Made] = []

    def write(self) -> None:
        programmes: dict[str, Programme] = {}
        for number, each in enumerate(self._found.programmes, start=1):
            programme = each.present
            if each.state == State.NEW:
                programme = self._programme(each.programme, number)
            if programme is None or each.state == State.OTHER:
                continue
            programmes[each.programme.code] = programme
            for item in each.items:
                if item.state == State.NEW:
                    self._make(item, programme)
        for item in self._found.exclusions:
            if item.state == State.NEW and isinstance(item.row, ExclusionRow):
                self._exclude(item.row, programmes)
        self._write_all()

    def _write_all(self) -> None:
        by_model: dict[type[models.Model], list[models.Model]] = defaultdict(list)
        for each in self._made:
            # The programme is at hand; nobody has recorded what a command loads.
            each.row.clean_fields(exclude=["programme", "other", "recorded_by"])
            if each.row.pk is None:
                by_model[type(each.row)].append(each.row)
        for model, rows in by_model.items():
            model._default_manager.bulk_create(rows)
        PackRow.objects.bulk_create(
            PackRow(
                programme=each.programme,
                kind=each.kind,
                key=each.row.pk,
                pack=self._found.pack.code,
                pack_name=self._found.pack.name,
                number=each.number,
                confidence=each.confidence,
                source=each.source,
                adopted_by=self._by,
            )
            for each in self._made
        )

    def _programme(self, of_pack: PackProgramme, number: int) -> Programme:
        programme = Programme(
            code=of_pack.code,
            name=of_pack.name,
            stages=list(of_pack.stages),
            unit=of_pack.unit,
            applied=of_pack.applied,
            paid=of_pack.paid,
            form=of_pack.form,
            funding=of_pack.funding,
            channels=list(of_pack.channels),
            recipients=of_pack.recipients,
            tiers=list(of_pack.tiers),
            highest_wins=of_pack.highest_wins,
            pro_rata=of_pack.pro_rata,
            basis=of_pack.basis,
            recorded_by=self._by,
        )
        programme.full_clean(exclude=["recorded_by"])
        programme.save(force_insert=True)
        self._made.append(_Made(programme, _Kind.PROGRAMME, programme, number, "", of_pack.note or of_pack.basis))
        return programme

    def _make(self, item: Item, programme: Programme) -> None:
        self._made += [_from(item.origin, programme, item.kind, row) for row in self._rows(item, programme)]

    def _rows(self, item: Item, programme: Programme) -> list[models.Model]:
        """The rows of the county's rules that a row of a pack becomes: one, or one for each of its new categories."""
        row, source = item.row, item.origin.source
        first: dict[str, Any] = {"programme": programme, "first_term": row.first_term, "recorded_by": self._by}
        dated = first | {"last_term": row.last_term}
        of_document = dated | {"document": source.document, "document_date": source.date}
        if isinstance(row, StandardRow):
            return [_standard(row.rule, of_document)]
        if isinstance(row, ProcessRow):
            facts = {name: getattr(row, name) for name in _PROCESS_FACTS}
            return [ProcessRule(**first, **facts, source=source.document)]
        if isinstance(row, ShareRow):
            levels = shares.written(shares.plan_of(row.levels, row.remainder))
            whose = {"schools": row.schools, "origins": " ".join(row.regions), "origin_name": row.region_name}
            return [FundShare(**of_document, **whose, levels=levels, remainder=row.remainder)]
        if isinstance(row, QuotaRow) and item.kind == _Kind.PERCENTAGE:
            part = {"conditions": _conditions_of(row), "percent": row.percent, "rounding": row.rounding}
            return [QuotaPercentage(**of_document, **part)]
        model: type[models.Model] = OutsideQuota
        if isinstance(row, GroundRow):
            model, dated = AcceptedCategory, dated | {"boarding": row.boarding}
        return [model(**dated, category_code=code, source=source.document) for code in item.codes]

    def _exclude(self, row: ExclusionRow, programmes: dict[str, Programme]) -> None:
        first, second = sorted((programmes[code] for code in row.programmes), key=lambda each: each.pk)
        terms = {"first_term": row.first_term, "last_term": row.last_term}
        source = row.origin.source.document
        pair = ProgrammeExclusion(programme=first, other=second, **terms, source=source, recorded_by=self._by)
        self._made.append(_from(row.origin, first, _Kind.EXCLUSION, pair))


def _from(origin: Provenance, programme: Programme, kind: str, row: models.Model) -> _Made:
    source = "；".join(part for part in (origin.source.seen, origin.note) if part)[:600]
    return _Made(programme, kind, row, origin.row, origin.confidence, source)


def _standard(rule: StandardRule, of_document: dict[str, Any]) -> Standard:
    standard = Standard(
        **of_document,
        conditions={each.fact: _in_order(each.fact, each.values) for each in rule.conditions},
        any_of=sorted(rule.any_of),
        all_of=sorted(rule.all_of),
        none_of=sorted(rule.none_of),
        flags=[{"category": each.code, "name": each.name, "values": sorted(each.values)} for each in rule.flags],
        amount=rule.amount,
        periods=rule.periods,
    )
    standard.reckon_case()
    return standard


def _in_order(fact: str, values: frozenset[str]) -> list[str]:
    """As the words of the fact are listed; what has no list, by itself."""
    known = [value for value in VALUES.get(fact, {}) if value in values]
    return known or sorted(values)
