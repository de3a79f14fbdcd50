"""名额: the county records what it was given, allots it to schools, schools pass it on to classes; who stands outside.

Nobody hands down more than they hold: the places of those below, and what the others below already use, fit into
the places above, which are locked meanwhile.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Sum

from accounts import access, audit, clock
from accounts.models import Unit, User
from accounts.roles import Permission
from students.models import Category, Term
from students.term_keys import term_label

from . import places, workflow
from .models import Application, OutsideQuota, Programme, Quota, QuotaVersion
from .states import ENDED_WITHOUT_AID, Place, State

_LEVEL = Unit.Level
_CHUNK = 500


@dataclass(frozen=True)
class Wish:
    """What a unit is to have: a number, or a percentage of its roll (counted now); neither: no number of its own.

    `proposed` says how a number came about that somebody took over as it was proposed (percentages.Proposal).
    """

    unit: Unit
    places: int | None = None
    percent: Decimal | None = None
    rounding: str = ""
    proposed: str = ""


class BelowUse(ValidationError):
    """The reduction would leave fewer places than are in use: look at the cases concerned and say so.

    `over` is by how many, `seen` what `reduce` wants to hear to do it all the same.
    """

    def __init__(self, message: str, *, over: int, seen: str) -> None:
        super().__init__(message)
        self.over, self.seen = over, seen


# --- handing down ------------------------------------------------------------------------------------------


def receive(wish: Wish, *, programme: Programme, term: Term, document: str, by: User, note: str = "") -> int:
    """Record the places the county was given from above. Raises ValidationError when more is handed down or used."""
    access.require(by, Permission.ALLOT_QUOTAS, wish.unit)
    if wish.unit.level != _LEVEL.COUNTY:
        raise ValidationError("上级下达的名额登记在县一级。")
    return _Hand(programme, term, document, note, by).down(None, [wish])


def allot(
    county: Unit, wishes: Iterable[Wish], *, programme: Programme, term: Term, document: str, by: User, note: str = ""
) -> int:
    """Give schools their places out of the county's, all or none; how many schools' places changed.

    Raises ValidationError when the county holds less than that, or when a school has handed down or used more
    than it would have (fewer places than are in use: `reduce`).
    """
    access.require(by, Permission.ALLOT_QUOTAS, county)
    return _Hand(programme, term, document, note, by).down(county, list(wishes))


def pass_on(
    school: Unit, wishes: Iterable[Wish], *, programme: Programme, term: Term, document: str, by: User, note: str = ""
) -> int:
    """Give classes their places out of the school's, as `allot`."""
    access.require(by, Permission.DIVIDE_QUOTAS, school)
    return _Hand(programme, term, document, note, by).down(school, list(wishes))


def required_of(quota: Quota) -> tuple[Permission, Unit]:
    """What it takes to change a unit's places: the permission, and the unit over which it is held."""
    if quota.unit.level == _LEVEL.CLASS:
        assert quota.unit.parent
        return Permission.DIVIDE_QUOTAS, quota.unit.parent
    return Permission.ALLOT_QUOTAS, quota.unit


@dataclass
class _Hand:
    """One handing down: of what, on which document, by whom."""

    programme: Programme
    term: Term
    document: str
    note: str
    by: User

    def down(self, giver: Unit | None, wishes: list[Wish]) -> int:
        if not self.document.strip():
            raise ValidationError({"document": "请写明依据的文件名称和文号，或会议日期。"})
        _check_units(giver, wishes)
        try:
            with transaction.atomic():
                return self._down(giver, wishes)
        except IntegrityError:
            raise ValidationError("有人刚刚也登记了名额，请刷新页面后再看。") from None

    def _down(self, giver: Unit | None, wishes: list[Wish]) -> int:
        units = [wish.unit for wish in wishes]
        held = places.lock(self.programme, self.term, [*([giver.pk] if giver else []), *(unit.pk for unit in units)])
        above = held.get(giver.pk) if giver else None
        if giver and (above is None or above.places is None):
            raise ValidationError(f"{giver}还没有{self.term}“{self.programme}”的名额，不能往下分配。{_first(giver)}")
        roll = places.roll_of(self.programme, self.term, units) if any(w.percent is not None for w in wishes) else {}
        versions = [self._version(held.get(wish.unit.pk), wish, roll) for wish in wishes]
        changed = [version for version in versions if _is_news(version)]
        # Before anything is written: a refusal has to speak of what is now.
        self._refuse_below_use([version for version in changed if _is_less(version)])
        for version in changed:
            version.quota.parent = above
        self._write(changed)
        if above:
            _refuse_too_many(above)
        return len(changed)

    def _version(self, quota: Quota | None, wish: Wish, roll: dict[int, int]) -> QuotaVersion:
        """What the wish makes of the unit's quota, not saved."""
        quota = quota or Quota(programme=self.programme, term=self.term, unit=wish.unit)
        version = QuotaVersion(quota=quota, before=quota.places, places=wish.places, proposed=wish.proposed)
        if wish.percent is not None:
            if not roll.get(wish.unit.pk):
                raise ValidationError(
                    f"{wish.unit}还没有这个项目面向的在读学生，不能按比例计算。请先导入名册，或直接填写人数。"
                )
            version.percent, version.rounding = wish.percent, wish.rounding
            version.roll = roll[wish.unit.pk]
            version.places = places.share_of(version.roll, wish.percent, wish.rounding)
        return version

    def _refuse_below_use(self, lowered: list[QuotaVersion]) -> None:
        if not lowered:
            return
        units = [version.quota.unit for version in lowered]
        taken, handed = places.seats_of(self.programme, self.term, units), _handed_down(lowered)
        below = []
        for version in lowered:
            quota, used = version.quota, taken[version.quota.unit_id].taken
            if version.places is not None and used > version.places:
                below.append(f"{quota.unit}已用 {used} 个")
                continue
            if quota.pk not in handed:
                continue
            if version.places is None:
                raise ValidationError(f"{quota.unit}已经往下分配名额，请先取消下一级的名额。")
            committed = handed[quota.pk] + places.shared_of(quota).taken
            if committed > version.places:
                raise ValidationError(
                    f"{quota.unit}往下分配和已用的共 {committed} 个，请先减少或取消下一级的名额，再调减到这个数。"
                )
        if below:
            more = "等" if len(below) > 5 else ""
            raise ValidationError(
                f"名额不能少于已用的：{'、'.join(below[:5])}{more}。"
                "确需调减的，请点该单位的“调减”：那里列出占用名额的学生，核对后可以调减。"
            )

    def _write(self, changed: list[QuotaVersion], *, action: str = "") -> None:
        at = clock.now()
        quotas = [version.quota for version in changed]
        for version in changed:
            quota = version.quota
            quota.places, quota.version = version.places, quota.version + 1
            version.number, version.at, version.by = quota.version, at, self.by
            version.document, version.note = self.document.strip(), self.note.strip()
        Quota.objects.bulk_create([quota for quota in quotas if quota.pk is None], batch_size=_CHUNK)
        known = [quota for quota in quotas if quota.version > 1]
        Quota.objects.bulk_update(known, ["places", "version", "parent"], batch_size=_CHUNK)
        for version in changed:
            version.quota = version.quota  # now that it has a key
        QuotaVersion.objects.bulk_create(changed, batch_size=_CHUNK)
        audit.record_all([self._entry(version, action) for version in changed], by=self.by)

    def _entry(self, version: QuotaVersion, action: str) -> audit.Entry:
        quota = version.quota
        usual = {_LEVEL.COUNTY: "quota.receive", _LEVEL.SCHOOL: "quota.allot", _LEVEL.CLASS: "quota.pass_on"}
        detail: dict[str, object] = {
            "programme": self.programme.code,
            "term": self.term.key,
            "before": version.before,
            "after": version.places,
            "document": version.document,
        }
        if version.percent is not None:
            detail |= {"percent": version.percent, "roll": version.roll, "rounding": version.rounding}
        if version.proposed:
            detail["proposed"] = version.proposed
        if version.over:
            detail["over"] = version.over
        return audit.Entry(action or usual[_LEVEL(quota.unit.level)], quota, quota.unit, detail)


def _check_units(giver: Unit | None, wishes: Sequence[Wish]) -> None:
    for wish in wishes:
        if giver and wish.unit.parent_id != giver.pk:
            raise ValidationError(f"{wish.unit}不是{giver}的下一级单位，请刷新页面。")
        if wish.places is not None and wish.places < 0:
            raise ValidationError(f"{wish.unit}的名额不能小于零。")
        if wish.percent is not None and not 0 < wish.percent <= 100:
            raise ValidationError({"percent": "比例要大于 0，不超过 100。"})


def _first(giver: Unit) -> str:
    if giver.level == _LEVEL.COUNTY:
        return "请先登记上级下达给县里的名额。"
    return "没有名额限制时不用往下分配；有限制的，请县资助中心先给本校分配名额。"


def _is_news(version: QuotaVersion) -> bool:
    """Whether it says anything else than the version in force: typing the same number again is no change."""
    if version.quota.pk is None:
        return version.places is not None
    return version.places != version.before


def _is_less(version: QuotaVersion) -> bool:
    """Also when the unit had no number before, or is to have none: what is used and handed down counts then."""
    return version.before is None or version.places is None or version.places < version.before


def _handed_down(versions: Iterable[QuotaVersion]) -> dict[int, int]:
    """How many places the units of these quotas have given to those below, by key of the quota; only those that have
    (also where that is none at all: a class with 0 places)."""
    rows = Quota.objects.filter(parent__in=[v.quota.pk for v in versions if v.quota.pk], places__isnull=False)
    return dict(rows.order_by().values_list("parent").annotate(n=Sum("places")))


def _refuse_too_many(above: Quota) -> None:
    """After the places below were written: do they fit, with what the others below use?"""
    shared = places.shared_of(above)
    if shared.taken <= shared.places:
        return
    handed, held = (above.places or 0) - shared.places, above.places or 0
    rest = f"，没有单列名额的已用 {shared.taken} 个" if shared.taken else ""
    raise ValidationError(
        f"{above.unit}的名额是 {held} 个：分配合计 {handed} 个{rest}，多出 {handed + shared.taken - held} 个。"
        "请减少后再保存。"
    )


# --- reducing ----------------------------------------------------------------------------------------------


def reduce(quota: Quota, new: int, *, document: str, by: User, note: str = "", seen: str = "") -> QuotaVersion:
    """Leave a unit fewer places. Whom that concerns is shown, and nobody is dropped: people decide, in their meetings.

    Where fewer would remain than are in use, BelowUse is raised, unless `seen` says that its list was looked at. Then
    the unit stands there as over its quota, and takes nobody more, until enough cases have ended without aid.
    Raises ValidationError when it is no reduction, or more than that has been handed down.
    """
    access.require(by, *required_of(quota))
    if not document.strip():
        raise ValidationError({"document": "请写明依据的文件名称和文号，或会议日期。"})
    with transaction.atomic():
        held = places.lock(quota.programme, quota.term, [quota.unit_id])[quota.unit_id]
        if held.places is None or new >= held.places:
            now = "没有单列名额" if held.places is None else f"是 {held.places} 个"
            raise ValidationError({"places": f"现在的名额{now}，调减后要比它少；增加名额请在名额表中填写。"})
        version = QuotaVersion(quota=held, before=held.places, places=new)
        handed = _handed_down([version]).get(held.pk, 0)
        if handed > new:
            raise ValidationError(
                {"places": f"{held.unit}已经往下分配 {handed} 个名额，请先调减下一级的名额，再调减到这个数。"}
            )
        version.over = _over(held, new, handed)
        if version.over and seen != seen_of(held, new):
            _below_use(held, new, version.over)
        hand = _Hand(held.programme, held.term, document, note, by)
        hand._write([version], action="quota.reduce")
    return version


def _over(quota: Quota, new: int, handed: int) -> int:
    used = places.holders_in(quota).count()
    rest = places.shared_of(quota).taken if handed else 0
    return max(used - new, handed + rest - new, 0)


def _below_use(quota: Quota, new: int, over: int) -> NoReturn:
    raise BelowUse(
        f"调减到 {new} 个以后，已经占用名额的比名额多 {over} 人。系统不会取消任何一名学生；"
        "请核对下面的名单，确认后名额照数调减，超出的人数会一直标出，由学校按程序处理。",
        over=over,
        seen=seen_of(quota, new),
    )


def seen_of(quota: Quota, new: int) -> str:
    """SHA-256 over the cases that use the unit's places and the number that is to remain."""
    keys = sorted(str(key) for key in places.holders_in(quota).order_by().values_list("pk", flat=True))
    return hashlib.sha256("\n".join([str(new), *keys]).encode()).hexdigest()


# --- outside the quota -------------------------------------------------------------------------------------


def add_outside(
    programme: Programme, category: Category, *, first_term: str, source: str, county: Unit, by: User
) -> OutsideQuota:
    """From the term on, pupils of the category use up no places. Cases the schools agreed to before count so too."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        held = _lock_cases(programme, first_term, "")
        same = OutsideQuota.objects.filter(programme=programme, category_code=category.code)
        if same.in_force_from(first_term).exists():
            raise ValidationError(f"{category}在{term_label(first_term)}已经登记为不占名额。")
        row = OutsideQuota(
            programme=programme, category_code=category.code, first_term=first_term, source=source, recorded_by=by
        )
        row.full_clean()
        row.save(force_insert=True)
        moved = _judge_again(programme, held)
        audit.record(
            "outside_quota.add", row, by=by, unit=county,
            programme=programme.code, category=category.code, first_term=first_term, source=source, changed=moved,
        )  # fmt: skip
    return row


def end_outside(row: OutsideQuota, *, last_term: str, document: str, county: Unit, by: User) -> OutsideQuota:
    """From the term after `last_term` on, pupils of the category need a place like everybody else."""
    access.require(by, Permission.EDIT_STANDARDS, county)
    with transaction.atomic():
        cases = _lock_cases(row.programme, row.first_term, last_term)
        held = OutsideQuota.objects.end(row, last_term, document=document)
        moved = _judge_again(held.programme, cases)
        audit.record(
            "outside_quota.end", held, by=by, unit=county,
            programme=held.programme.code, category=held.category_code, last_term=last_term, changed=moved,
            basis=document.strip(),
        )  # fmt: skip
    return held


def _lock_cases(programme: Programme, first_term: str, after: str) -> list[Application]:
    """The programme's cases of the terms a rule speaks of: applications first, then the quotas, as the workflow."""
    rows = Application.objects.filter(programme=programme, term__key__gte=first_term, term__key__gt=after)
    waiting = rows.exclude(state__in=(*ENDED_WITHOUT_AID, State.DRAFT, State.RETURNED)) | rows.exclude(place="")
    cases = workflow.lock(waiting.values_list("pk", flat=True))
    quotas = Quota.objects.select_for_update().filter(programme=programme, term__key__gte=first_term)
    list(quotas.order_by("pk").values_list("pk"))
    return cases


def _judge_again(programme: Programme, cases: list[Application]) -> int:
    """Who of those the schools agreed to uses a place now; how many that changes."""
    changed: list[Application] = []
    codes: dict[int, set[str]] = {}
    for row in cases:
        if not row.place or row.state in ENDED_WITHOUT_AID:
            continue
        if row.term_id not in codes:
            codes[row.term_id] = places.outside_codes(programme, row.term)
        place: Place = places.place_for(row.facts, codes[row.term_id])
        if row.place != place:
            row.place = place
            changed.append(row)
    Application.objects.bulk_update(changed, ["place"], batch_size=_CHUNK)
    return len(changed)
