"""资金分担: keeping the dated shares of programmes, and splitting payments by them when a batch is made.

A batch keeps the split it was made with: shares recorded later change no sheet that has one. A sheet made before its
shares were recorded (documents on money come late) is split once, when they are there.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet, Sum
from django.db.models.fields.json import KT

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from students.models import School, Term

from . import centre_shares, dated_terms, shares
from .models import (
    Application,
    FundShare,
    LineShare,
    PaymentBatch,
    PaymentLine,
    PayoutSheet,
    Programme,
    Round,
    SheetSplit,
)
from .shares import Parts, Plan

# --- the dated rows --------------------------------------------------------------------------------


def record_share(share: FundShare, *, county: Unit, by: User) -> FundShare:
    """Who bears the programme's money for a kind of school (and pupils from some regions) from a term on.

    The row before ends with the term before; where a later row is known already, the new one ends before that. A row
    of that very term is put right instead: batches keep the fractions they were split by. Raises ValidationError for
    fractions that do not sum to one, a level that is not known, a remainder nobody takes, or a region that another
    row of the same kind of school names too.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    share.recorded_by, share.recorded_at = by, clock.now()
    share.clean()
    share.clean_fields()  # before anything is reckoned from its terms
    if share.document_date and share.document_date > clock.today():
        raise ValidationError({"document_date": "文件日期不能晚于今天。"})
    with transaction.atomic():
        programme = Programme.objects.select_for_update().get(pk=share.programme_id)
        same = programme.shares.filter(schools=share.schools, origins=share.origins)
        before, is_correction = same.make_way(share)
        _refuse_common_origins(share, programme)
        share.full_clean()
        share.save()
        audit.record(
            "share.correct" if is_correction else "share.record",
            share,
            by=by,
            unit=county,
            programme=programme.code,
            schools=share.whom,
            first_term=share.first_term,
            was=_words(before),
            new=_words(share),
            basis=share.document,
        )
    return share


def _refuse_common_origins(share: FundShare, programme: Programme) -> None:
    """A region may not stand in two rows of one kind of school; one within it may, and then counts for its pupils."""
    others = programme.shares.filter(schools=share.schools).exclude(origins="").exclude(origins=share.origins)
    for other in others if share.origins else ():
        both = sorted({*share.origin_codes} & {*other.origin_codes})
        if both and dated_terms.meet(share, other):
            raise ValidationError(
                f"生源地与已登记的“{other.origin_name}”（{dated_terms.span_label(other)}，{other.document}）重叠："
                f"例如户籍在{centre_shares.place_name(both[0])}的学生，两条都适用。"
                "请去掉重叠的地区，或先为原来的一条登记截止学期。"
            )


def end_share(share: FundShare, *, last_term: str, document: str, county: Unit, by: User) -> FundShare:
    """From the term after `last_term` on, the shares of the wider kind of school count, or none do."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        programme = Programme.objects.select_for_update().get(pk=share.programme_id)
        held = FundShare.objects.end(share, last_term, document=document)
        audit.record(
            "share.end",
            held,
            by=by,
            unit=county,
            programme=programme.code,
            schools=held.whom,
            last_term=last_term,
            basis=document.strip(),
        )
    return held


def _words(share: FundShare | None) -> str:
    """Fractions, remainder and document in one text, for the trail."""
    if share is None:
        return ""
    levels = "、".join(f"{shares.LEVELS[part.level]}{part.fraction}" for part in share.plan.shares)
    terms = dated_terms.span_label(share)
    return f"{levels}，尾差由{shares.LEVELS[share.remainder]}承担，自{terms}（{share.document}）"


@dataclass(frozen=True)
class Book:
    """The rows in force in a term, with the kinds of the schools they are asked for."""

    rows: Sequence[FundShare]
    kinds: Mapping[int, tuple[str, ...]]  # by the school's key

    def share(self, school: int, region: str) -> FundShare | None:
        """The row that counts for a pupil from the region at the school (`shares.choose`)."""
        return shares.choose(self.rows, self.kinds.get(school, ("",)), region)


def book_of(programme: Programme, schools: Iterable[int], term: Term) -> Book:
    """The programme's rows in the term, for the schools of these keys. Two queries."""
    units = School.objects.filter(pk__in=list(schools))
    kinds = {unit.pk: shares.kinds_of(unit.ownership, unit.finance) for unit in units}
    return Book(list(programme.shares.in_force(term.key)), kinds)


def share_of(programme: Programme, school: Unit, term: Term, region: str = "") -> FundShare | None:
    """The row that counts for a pupil from the region at the school in the term."""
    return book_of(programme, [school.pk], term).share(school.pk, region)


def recorded(programme: Programme) -> list[FundShare]:
    """The programme's rows as its page shows them: what is in force first, by kind of school and region, the newest
    first."""
    order = list(shares.KINDS)
    rows = sorted(programme.shares.all(), key=lambda row: row.first_term, reverse=True)
    return sorted(rows, key=lambda row: (bool(row.last_term), order.index(row.schools), row.origin_name))


# --- splitting payments ----------------------------------------------------------------------------


def split_batch(batch: PaymentBatch, *, by: User) -> int:
    """Split the sheets of the batch that have no split yet by the shares recorded by now; how many were split.

    Raises ValidationError when nothing is left to split or no shares are recorded.
    """
    access.require(by, Permission.MAKE_BATCH, batch.round.unit)
    with transaction.atomic():
        # One at a time: what two clerks split at once would be written twice.
        Term.objects.select_for_update().get(pk=batch.round.term_id)
        waiting = list(batch.sheets.filter(splits=None).select_related("school").order_by("school__path"))
        if not waiting:
            raise ValidationError("这个批次的花名册都已分担，不用重复登记。")
        done = split_sheets(batch, waiting, by=by)
        if not done:
            raise ValidationError(_missing_words(batch, waiting))
        told = " / ".join(dict.fromkeys(_snapshot_words(split) for split in done))
        sheets = len({split.sheet_id for split in done})
        audit.record("batch.split", batch, by=by, unit=batch.round.unit, sheets=sheets, new=told)
    return sheets


def split_sheets(batch: PaymentBatch, sheets: Collection[PayoutSheet], *, by: User) -> list[SheetSplit]:
    """Write who bears each line of the sheets, by the shares of the batch's term; inside the caller's transaction.

    The lines of a sheet that go by the same shares are split as one list. A sheet is left as it is while there are no
    shares for one of its lines. What was written is read back and compared.
    """
    book = book_of(batch.round.programme, [sheet.school_id for sheet in sheets], batch.round.term)
    now = clock.now()
    made = []
    for sheet in sheets:
        lines = list(sheet.lines.order_by("position"))
        found = [book.share(sheet.school_id, region_of(line)) for line in lines]
        by_share: dict[FundShare, list[PaymentLine]] = {}
        for line, share in zip(lines, found, strict=True):
            if share is not None:
                by_share.setdefault(share, []).append(line)
        if None in found:
            continue
        for share, rows in by_share.items():
            split = SheetSplit.objects.create(
                sheet=sheet,
                share=share,
                whom=share.whom,
                levels=share.levels,
                remainder=share.remainder,
                document=share.document,
                made_at=now,
                made_by=by,
            )
            _write_parts(split, rows)
            made.append(split)
    return made


def region_of(line: PaymentLine) -> str:
    """Where the pupil's household was registered when the sheet was made; "" where nothing was recorded."""
    return line.snapshot.get("region", "")


def _write_parts(split: SheetSplit, lines: list[PaymentLine]) -> None:
    parts = _parts_of(lines, split.plan)
    LineShare.objects.bulk_create(
        (
            LineShare(split=split, line_id=line, level=level, amount=amount)
            for line, borne in parts.items()
            for level, amount in borne.items()
        ),
        batch_size=500,
    )
    _assert_split(split, lines)


def _parts_of(lines: list[PaymentLine], plan: Plan) -> dict[UUID, Parts]:
    """By the line's key, each line's parts; a line that reverses another is its mirror, wherever that one stands."""
    paid = [line for line in lines if line.reverses_id is None]
    parts = {
        line.pk: borne
        for line, borne in zip(paid, shares.split_lines([line.amount for line in paid], plan), strict=True)
    }
    elsewhere = _kept_parts(line.reverses_id for line in lines if line.reverses_id and line.reverses_id not in parts)
    for line in lines:
        if line.reverses_id:
            origin = parts.get(line.reverses_id) or elsewhere.get(line.reverses_id)
            # Of a line that was paid before any shares were known, it takes back by those of its own sheet.
            parts[line.pk] = shares.mirror(origin) if origin else shares.split(line.amount, plan)
    return parts


def _kept_parts(lines: Iterable[UUID]) -> dict[UUID, Parts]:
    kept: dict[UUID, Parts] = {}
    for row in LineShare.objects.filter(line__in=list(lines)):
        kept.setdefault(row.line_id, {})[row.level] = row.amount
    return kept


def _assert_split(split: SheetSplit, lines: list[PaymentLine]) -> None:
    """Read back what was written: every line adds up, and the levels bear the sum of what is paid as it splits."""
    written = split.amounts.order_by().values_list("line").annotate(Sum("amount"))
    if dict(written) != {line.pk: line.amount for line in lines}:
        raise IntegrityError(f"sheet {split.sheet_id}: the parts of its lines do not add up")
    paid = [line.amount for line in lines if line.reverses_id is None]
    meant = shares.split(sum(paid, Decimal("0.00")), split.plan)
    if _by_level(split.amounts.filter(line__reverses__isnull=True)) != meant:
        raise IntegrityError(f"sheet {split.sheet_id}: the levels do not add up to the split of its sum")


def _by_level(rows: QuerySet[LineShare]) -> Parts:
    return shares.sums([dict(rows.order_by().values_list("level").annotate(Sum("amount")))])


def can_split(batch: PaymentBatch) -> bool:
    """Whether shares are recorded by now for all lines of a sheet of the batch that has no split."""
    waiting = list(batch.sheets.filter(splits=None))
    lacking = _lines_without(batch, waiting)
    return any(not lacking[sheet.pk] for sheet in waiting)


def _lines_without(batch: PaymentBatch, sheets: Collection[PayoutSheet]) -> dict[UUID, Counter[str]]:
    """By sheet: how many lines have no shares, by the region they come from."""
    found: dict[UUID, Counter[str]] = {sheet.pk: Counter() for sheet in sheets}
    if not sheets:
        return found
    book = book_of(batch.round.programme, [sheet.school_id for sheet in sheets], batch.round.term)
    rows = (
        PaymentLine.objects.filter(sheet__in=list(found))
        .order_by()
        .values_list("sheet", "sheet__school", KT("snapshot__region"))
    )
    for sheet, school, region, n in rows.annotate(n=Count("pk")):
        if book.share(school, region or "") is None:
            found[sheet][region or ""] += n
    return found


def schools_without(round_: Round, cases: QuerySet[Application]) -> list[str]:
    """Names of the schools for which no shares are recorded in the round's term; of one that has some, for how many
    of the cases there are none. Three queries."""
    rows = cases.order_by("school__path").values_list("school", "school__name", KT("facts__region"))
    counted = list(rows.annotate(n=Count("pk")))
    book = book_of(round_.programme, {row[0] for row in counted}, round_.term)
    lacking: dict[str, int] = {}
    all_of: Counter[str] = Counter()
    for school, name, region, n in counted:
        all_of[name] += n
        if book.share(school, region or "") is None:
            lacking[name] = lacking.get(name, 0) + n
    return [_lacking_words(name, n, all_of[name]) for name, n in lacking.items()]


def _lacking_words(school: str, lacking: int, total: int) -> str:
    return school if lacking == total else f"{school}（{lacking} 名学生的生源地没有适用的比例）"


def _missing_words(batch: PaymentBatch, sheets: Collection[PayoutSheet]) -> str:
    """That there are no shares, for whom, and what to do."""
    programme, term = batch.round.programme, batch.round.term
    lacking = _lines_without(batch, sheets)
    sheet = next(iter(sheets))
    regions = lacking[sheet.pk]
    if regions and regions.total() < sheet.lines.count():
        region = min(regions)
        whose = f"户籍在{centre_shares.place_name(region)}的学生" if region else "没有登记户籍所在地的学生"
        return (
            f"“{programme}”在{term}的分担比例不适用于{sheet.school}的 {regions.total()} 名学生，例如{whose}；"
            "请先在“项目与标准”的项目页为其余生源地登记一条。"
        )
    return f"“{programme}”在{term}没有登记分担比例，请先在“项目与标准”的项目页登记。"


# --- what pages show -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """Shares a sheet, or some lines of it, were split by: whom for, the fractions in words, the document."""

    whom: str
    words: str  # 中央 50%、省级 30% …
    document: str


@dataclass(frozen=True)
class Borne:
    """Who bears how much of one sheet, or of several; `parts` in the order of LEVELS."""

    title: str
    parts: Mapping[str, Decimal]
    rules: tuple[Rule, ...] = ()

    @property
    def total(self) -> Decimal:
        return sum(self.parts.values(), Decimal("0.00"))

    def cells(self, levels: Iterable[str]) -> Iterator[tuple[str, Decimal]]:
        """For each level its name and amount, nothing where it bears none."""
        for level in levels:
            yield shares.LEVELS[level], self.parts.get(level, Decimal("0.00"))


@dataclass(frozen=True)
class Bearing:
    """Who bears the sheets of a batch: by sheet and in all; and the schools whose sheet has no split."""

    sheets: tuple[Borne, ...]
    whole: Borne
    missing: tuple[str, ...]

    @property
    def levels(self) -> list[str]:
        return list(self.whole.parts)

    @property
    def heads(self) -> list[str]:
        return [shares.LEVELS[level] for level in self.levels]

    def rows(self) -> Iterator[tuple[Borne, list[tuple[str, Decimal]]]]:
        """Each sheet with a cell for every level of the batch."""
        for sheet in self.sheets:
            yield sheet, list(sheet.cells(self.levels))

    @property
    def sums(self) -> list[tuple[str, Decimal]]:
        return list(self.whole.cells(self.levels))


def bearing_of(sheets: Iterable[PayoutSheet]) -> Bearing:
    """Who bears these sheets; each with its school."""
    sheets = list(sheets)
    splits: dict[UUID, list[SheetSplit]] = {}
    for split in SheetSplit.objects.filter(sheet__in=[sheet.pk for sheet in sheets]):
        splits.setdefault(split.sheet_id, []).append(split)
    parts: dict[UUID, Parts] = {}
    rows = LineShare.objects.filter(split__in=[split.pk for made in splits.values() for split in made]).order_by()
    for sheet, level, amount in rows.values_list("split__sheet", "level").annotate(Sum("amount")):
        parts.setdefault(sheet, {})[level] = amount
    borne = tuple(
        Borne(
            sheet.school.name,
            shares.sums([parts.get(sheet.pk, {})]),
            tuple(Rule(split.whom, str(split), split.document) for split in splits[sheet.pk]),
        )
        for sheet in sheets
        if sheet.pk in splits
    )
    missing = tuple(sheet.school.name for sheet in sheets if sheet.pk not in splits)
    return Bearing(borne, Borne("合计", shares.sums(row.parts for row in borne)), missing)


def _snapshot_words(split: SheetSplit) -> str:
    return f"{split}（{split.document}）"
