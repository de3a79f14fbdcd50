"""资金分担: keeping the dated shares of programmes, and splitting payments by them when a batch is made.

A batch keeps the split it was made with: shares recorded later change no sheet that has one. A sheet made before its
shares were recorded (documents on money come late) is split once, when they are there.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet, Sum

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from students.models import School, Term

from . import shares
from .entitlement import term_label
from .models import FundShare, LineShare, PaymentBatch, PaymentLine, PayoutSheet, Programme, Round, SheetSplit
from .programmes import term_before
from .shares import Parts, Plan

# --- the dated rows --------------------------------------------------------------------------------


def record_share(share: FundShare, *, county: Unit, by: User) -> FundShare:
    """Who bears the programme's money for a kind of school from a term on.

    The row before ends with the term before; where a later row is known already, the new one ends before that. A row
    of that very term is put right instead: batches keep the fractions they were split by. Raises ValidationError for
    fractions that do not sum to one, a level that is not known, or a remainder nobody takes.
    """
    access.require(by, Permission.EDIT_STANDARDS, county)
    share.recorded_by, share.recorded_at = by, clock.now()
    share.clean()
    share.clean_fields()  # before anything is reckoned from its terms
    if share.document_date and share.document_date > clock.today():
        raise ValidationError({"document_date": "文件日期不能晚于今天。"})
    with transaction.atomic():
        programme = Programme.objects.select_for_update().get(pk=share.programme_id)
        same = programme.shares.filter(schools=share.schools)
        present = same.filter(first_term=share.first_term).first()
        before = same.filter(first_term__lt=share.first_term).order_by("-first_term").first()
        if present:
            share.pk, share.last_term, share._state.adding = present.pk, present.last_term, False
        else:
            after = same.filter(first_term__gt=share.first_term).order_by("first_term").first()
            share.last_term = term_before(after.first_term) if after else ""
            running = same.filter(Q(last_term="") | Q(last_term__gte=share.first_term), first_term__lt=share.first_term)
            running.update(last_term=term_before(share.first_term))
        share.full_clean()
        share.save()
        audit.record(
            "share.correct" if present else "share.record",
            share,
            by=by,
            unit=county,
            programme=programme.code,
            schools=share.get_schools_display(),
            first_term=share.first_term,
            was=_words(present or before),
            new=_words(share),
            basis=share.document,
        )
    return share


def end_share(share: FundShare, *, last_term: str, county: Unit, by: User) -> FundShare:
    """From the term after `last_term` on, the shares of the wider kind of school count, or none do."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        programme = Programme.objects.select_for_update().get(pk=share.programme_id)
        held = FundShare.objects.select_for_update().get(pk=share.pk)
        if held.last_term:
            raise ValidationError("这条分担比例已经有截止学期。")
        if last_term < held.first_term:
            raise ValidationError({"last_term": "截止学期不能早于执行学期。"})
        held.last_term = last_term
        held.full_clean(exclude=["recorded_by"])  # nobody, of a row that came with a pack
        held.save(update_fields=["last_term"])
        audit.record(
            "share.end",
            held,
            by=by,
            unit=county,
            programme=programme.code,
            schools=held.get_schools_display(),
            last_term=last_term,
            basis=held.document,
        )
    return held


def _words(share: FundShare | None) -> str:
    """Fractions, remainder and document in one text, for the trail."""
    if share is None:
        return ""
    levels = "、".join(f"{shares.LEVELS[part.level]}{part.fraction}" for part in share.plan.shares)
    terms = f"自{term_label(share.first_term)}起"
    return f"{levels}，尾差由{shares.LEVELS[share.remainder]}承担，{terms}（{share.document}）"


def share_of(programme: Programme, school: Unit, term: Term) -> FundShare | None:
    """The shares that count for the school in the term: those of the narrowest kind of school that fits it."""
    return shares_of(programme, [school], term).get(school.pk)


def shares_of(programme: Programme, schools: Iterable[Unit], term: Term) -> dict[int, FundShare]:
    """As `share_of`, for many schools at once, by the school's key; a school without shares is left out."""
    rows = programme.shares.filter(Q(last_term="") | Q(last_term__gte=term.key), first_term__lte=term.key)
    by_kind = {row.schools: row for row in rows}
    keys = [school.pk for school in schools]
    kinds = {
        school.pk: shares.kinds_of(school.ownership, school.finance) for school in School.objects.filter(pk__in=keys)
    }
    found = {}
    for key in keys:
        for kind in kinds.get(key, ("",)):
            if kind in by_kind:
                found[key] = by_kind[kind]
                break
    return found


def recorded(programme: Programme) -> list[FundShare]:
    """The programme's rows as its page shows them: what is in force first, by kind of school, the newest first."""
    order = list(shares.KINDS)
    rows = sorted(programme.shares.all(), key=lambda row: row.first_term, reverse=True)
    return sorted(rows, key=lambda row: (bool(row.last_term), order.index(row.schools)))


# --- splitting payments ----------------------------------------------------------------------------


def split_batch(batch: PaymentBatch, *, by: User) -> int:
    """Split the sheets of the batch that have no split yet by the shares recorded by now; how many were split.

    Raises ValidationError when nothing is left to split or no shares are recorded.
    """
    access.require(by, Permission.MAKE_BATCH, batch.round.unit)
    with transaction.atomic():
        # One at a time: what two clerks split at once would be written twice.
        Term.objects.select_for_update().get(pk=batch.round.term_id)
        waiting = list(batch.sheets.filter(split__isnull=True).select_related("school").order_by("school__path"))
        if not waiting:
            raise ValidationError("这个批次的花名册都已分担，不用重复登记。")
        done = split_sheets(batch, waiting, by=by)
        if not done:
            raise ValidationError(missing_words(batch.round.programme, batch.round.term))
        told = " / ".join(dict.fromkeys(_snapshot_words(split) for split in done))
        audit.record("batch.split", batch, by=by, unit=batch.round.unit, sheets=len(done), new=told)
    return len(done)


def split_sheets(batch: PaymentBatch, sheets: Collection[PayoutSheet], *, by: User) -> list[SheetSplit]:
    """Write who bears each line of the sheets, by the shares of the batch's term; inside the caller's transaction.

    A sheet whose school has no shares recorded is left as it is. What was written is read back and compared.
    """
    rows = shares_of(batch.round.programme, [sheet.school for sheet in sheets], batch.round.term)
    now = clock.now()
    made = []
    for sheet in sheets:
        share = rows.get(sheet.school_id)
        if share is None:
            continue
        split = SheetSplit.objects.create(
            sheet=sheet,
            share=share,
            levels=share.levels,
            remainder=share.remainder,
            document=share.document,
            made_at=now,
            made_by=by,
        )
        lines = list(sheet.lines.order_by("position"))
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
        made.append(split)
    return made


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
    written = split.sheet.lines.annotate(borne=Sum("shares__amount")).values_list("pk", "borne")
    if dict(written) != {line.pk: line.amount for line in lines}:
        raise IntegrityError(f"sheet {split.sheet_id}: the parts of its lines do not add up")
    paid = [line.amount for line in lines if line.reverses_id is None]
    meant = shares.split(sum(paid, Decimal("0.00")), split.plan)
    if _by_level(split.amounts.filter(line__reverses__isnull=True)) != meant:
        raise IntegrityError(f"sheet {split.sheet_id}: the levels do not add up to the split of its sum")


def _by_level(rows: QuerySet[LineShare]) -> Parts:
    return shares.sums([dict(rows.order_by().values_list("level").annotate(Sum("amount")))])


def can_split(batch: PaymentBatch) -> bool:
    """Whether shares are recorded by now for a sheet of the batch that has no split."""
    waiting = batch.sheets.filter(split__isnull=True).select_related("school")
    return bool(shares_of(batch.round.programme, [sheet.school for sheet in waiting], batch.round.term))


def schools_without(round_: Round, schools: QuerySet) -> list[Unit]:
    """Of these schools (a query of their keys) those for which no shares are recorded in the round's term."""
    units = list(Unit.objects.filter(pk__in=schools))
    known = shares_of(round_.programme, units, round_.term)
    return [unit for unit in units if unit.pk not in known]


def missing_words(programme: Programme, term: Term) -> str:
    """That there are no shares, and what to do."""
    return f"“{programme}”在{term}没有登记分担比例，请先在“项目与标准”的项目页登记。"


# --- what pages show -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Borne:
    """Who bears how much of one sheet, or of several; `parts` in the order of LEVELS."""

    title: str
    parts: Mapping[str, Decimal]
    document: str = ""
    words: str = ""  # 中央 50%、省级 30% …

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
    splits = {split.sheet_id: split for split in SheetSplit.objects.filter(sheet__in=[sheet.pk for sheet in sheets])}
    parts: dict[UUID, Parts] = {}
    rows = LineShare.objects.filter(split__in=[split.pk for split in splits.values()]).order_by()
    for sheet, level, amount in rows.values_list("split__sheet", "level").annotate(Sum("amount")):
        parts.setdefault(sheet, {})[level] = amount
    borne = tuple(
        Borne(
            sheet.school.name,
            shares.sums([parts.get(sheet.pk, {})]),
            splits[sheet.pk].document,
            shares.plan_words(splits[sheet.pk].plan),
        )
        for sheet in sheets
        if sheet.pk in splits
    )
    missing = tuple(sheet.school.name for sheet in sheets if sheet.pk not in splits)
    return Bearing(borne, Borne("合计", shares.sums(row.parts for row in borne)), missing)


def _snapshot_words(split: SheetSplit) -> str:
    return f"{split}（{split.document}）"
