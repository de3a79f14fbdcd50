"""The school's review: the order proposed for the places there are, and what its meeting may not do."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Subquery

from accounts.models import Unit, User
from students.models import Category

from . import four_eyes, officer_checks, places, ranking
from .models import Application, Decision, Meeting, OfficerCheck, Quota, Round, StepTaken
from .ranking import Candidate, Pool, Proposed, Ranked
from .states import Duty, Place, State, Step

_LEVEL = Unit.Level
_V = Decision.Verdict
_LAST = 10_000  # behind everybody of whom something is known
_SHARED = 0  # the pool of all classes without places of their own; classes have keys of their own


class Said(Protocol):
    """What a meeting says of one case (reviews.Verdict)."""

    @property
    def application(self) -> Application: ...
    @property
    def verdict(self) -> str: ...
    @property
    def opinion(self) -> str: ...
    @property
    def rank(self) -> int | None: ...


def pools_of(round_: Round, school: Unit, cases: Iterable[Application]) -> dict[int, Pool]:
    """The places the cases compete for: by class key where a class has its own, else those that are shared (0)."""
    rows = Quota.objects.filter(programme=round_.programme_id, term=round_.term_id).exclude(places=None)
    above = {row.unit_id: row for row in rows.filter(unit__in=[school.pk, school.parent_id]).select_related("unit")}
    classes = {case.school_class_id: case for case in cases}
    own = {row.unit_id: row for row in rows.filter(unit__in=classes)}
    left = _left_above(round_, school, above)
    found = {_SHARED: left}
    seats = places.seats_of(round_.programme, round_.term, [case.school_class for case in classes.values()])
    for key in own:
        free = seats[key].free or 0
        found[key] = Pool(
            classes[key].class_name, free if left.free is None else min(free, _whole(round_, school, left))
        )
    return found


def _left_above(round_: Round, school: Unit, above: dict[int, Quota]) -> Pool:
    """What the classes without a number of their own share."""
    if quota := above.get(school.pk):
        shared = places.shared_of(quota)
        return Pool("本校" if shared.places == quota.places else "本校没有分到班级的", shared.free)
    if school.parent_id and (county := above.get(school.parent_id)):
        return Pool("全县未分配到学校的", places.shared_of(county).free)
    return Pool("本校", None)


def _whole(round_: Round, school: Unit, left: Pool) -> int:
    """What the school as a whole still has free; a class cannot use more than that."""
    seats = places.seats_of(round_.programme, round_.term, [school])[school.pk]
    return _LAST if seats.free is None else seats.free


@dataclass(frozen=True)
class Order:
    """What is proposed to the meeting. `tight` are the cases whose places do not reach for all: these are ranked."""

    proposed: dict[UUID, Proposed]
    is_limited: bool  # whether anybody competes for a number of places
    tight: frozenset[UUID]
    sentences: tuple[str, ...]  # one for each number of places that does not reach


def order_of(round_: Round, school: Unit, cases: Sequence[Application]) -> Order:
    """The order proposed for the places there are: tier first, then the kind of hardship, then what the class said."""
    pools = pools_of(round_, school, cases)
    proposed = _proposal(round_, cases, pools)
    competing: dict[int, list[Application]] = defaultdict(list)
    for case in cases:
        if proposed[case.pk].rank is not None:
            competing[_pool_of(case, pools)].append(case)
    tight, sentences = set[UUID](), []
    for key, rows in competing.items():
        free = pools[key].free
        if free is not None and len(rows) > free:
            tight |= {row.pk for row in rows}
            sentences.append(
                f"{pools[key].name}可用名额 {free} 个，有 {len(rows)} 人要占名额，多出 {len(rows) - free} 人。"
            )
    return Order(proposed, any(pools[key].free is not None for key in competing), frozenset(tight), tuple(sentences))


def _proposal(round_: Round, cases: Sequence[Application], pools: dict[int, Pool]) -> dict[UUID, Proposed]:
    heard = _heard([case.pk for case in cases])
    kinds = {code: (rank, name) for code, rank, name in Category.objects.values_list("code", "rank", "name")}
    codes = places.outside_codes(round_.programme, round_.term)
    candidates = [_candidate(round_, case, heard.get(case.pk), kinds, codes, pools) for case in cases]
    return {key: each for key, each in ranking.propose(candidates, pools).items() if isinstance(key, UUID)}


def refuse(round_: Round, school: Unit, verdicts: Iterable[Said], *, by: User) -> None:
    """Raise ValidationError where a meeting's ranks do not fit the places, it gives away a place for which somebody on
    the reserve is first, or it agreed to what the officer doubted without saying how that was cleared up."""
    rows = list(verdicts)
    checks = officer_checks.newest([v.application for v in rows if v.verdict == _V.AGREE])
    doubted = [
        v
        for v in rows
        if v.verdict == _V.AGREE
        and v.application.pk in checks
        and checks[v.application.pk].finding == OfficerCheck.Finding.DOUBTFUL
        and not v.opinion.strip()
    ]
    if doubted:
        names = "、".join(v.application.pupil.name for v in doubted[:5])
        raise ValidationError(f"{names}核对时有疑问，同意的要在意见里写明怎样核实的，请补写后再提交。")
    codes = places.outside_codes(round_.programme, round_.term)
    _refuse_passing_over(round_, school, rows, codes, by=by)
    if not any(v.verdict == _V.RESERVE for v in rows):
        return
    pools = pools_of(round_, school, [v.application for v in rows])
    competing = [v for v in rows if v.verdict in (_V.AGREE, _V.RESERVE)]
    if free := [v for v in competing if v.verdict == _V.RESERVE and not _needs_place(v.application, codes)]:
        names = "、".join(v.application.pupil.name for v in free[:5])
        raise ValidationError(f"{names}不占名额或已经有名额，不能列为候补，请改为同意或其他结论。")
    said = ranking.faults(
        [
            Ranked(v.application.pupil.name, _pool_of(v.application, pools), v.rank, v.verdict == _V.AGREE)
            for v in competing
            if _needs_place(v.application, codes)
        ],
        pools,
    )
    if said:
        raise ValidationError(said)


def _refuse_passing_over(round_: Round, school: Unit, rows: Sequence[Said], codes: set[str], *, by: User) -> None:
    """Whoever an earlier meeting put on the reserve, and this one leaves out, keeps the place their rank gives them.

    Who is new was never ranked with them, and is to be; unless those left out are closed to the person, who could not
    rank them: what they may decide must not wait for what they may not.
    """
    agreed = [v for v in rows if v.verdict == _V.AGREE and _needs_place(v.application, codes)]
    standing = {row.application_id: row for row in reserve(round_, school)} if agreed else {}
    said = {v.application.pk for v in rows}
    left = [row for key, row in standing.items() if key not in said and _needs_place(row.application, codes)]
    if not left:
        return
    pools = pools_of(round_, school, [*(v.application for v in agreed), *(row.application for row in left)])
    for key, pool in pools.items():
        here = [v for v in agreed if _pool_of(v.application, pools) == key]
        waiting = [row for row in left if _pool_of(row.application, pools) == key]
        if pool.free is None or not waiting or len(here) + len(waiting) <= pool.free:
            continue
        first = waiting[0]  # by rank
        barred = four_eyes.why_not([row.application for row in waiting], Duty.SCHOOL_REVIEW, by=by)
        is_open = len(barred) < len(waiting)
        if behind := [
            v
            for v in here
            if (_stands(standing[v.application.pk]) > _stands(first) if v.application.pk in standing else is_open)
        ]:
            names = "、".join(v.application.pupil.name for v in behind[:5])
            raise ValidationError(
                f"{first.application.pupil.name}在候补名单上排第 {first.rank} 位，这次没有作出结论；同意{names}以后，"
                f"{pool.name}可用名额 {pool.free} 个不够给候补的人。请把候补的人一并列入，重新排出名次，按名次同意；"
                "其中有您不能办理的，请先由本校另一位评审人作出结论。"
            )


def _stands(row: Decision) -> int:
    return row.rank or _LAST


def _needs_place(case: Application, codes: set[str]) -> bool:
    return places.place_for(case.facts, codes) == Place.TAKEN != case.place


def _pool_of(case: Application, pools: dict[int, Pool]) -> int:
    return case.school_class_id if case.school_class_id in pools else _SHARED


def _heard(keys: Sequence[UUID]) -> dict[UUID, Decision]:
    rows = Decision.objects.filter(application__in=keys, meeting__level=Meeting.Level.CLASS)
    return {row.application_id: row for row in rows.order_by("pk")}


def _candidate(
    round_: Round,
    case: Application,
    heard: Decision | None,
    kinds: dict[str, tuple[int, str]],
    codes: set[str],
    pools: dict[int, Pool],
) -> Candidate:
    pool = _pool_of(case, pools)
    if not _needs_place(case, codes):
        aside = "已有名额。" if case.place else "属应助尽助，不占名额。"
        return Candidate(case.pk, pool, (0,), needs_place=False, aside=aside)
    tiers = round_.programme.tiers
    tier = tiers.index(case.tier) if case.tier in tiers else len(tiers)
    hardest = min((kinds[c["code"]] for c in case.facts.get("categories", ()) if c["code"] in kinds), default=None)
    score = heard.score if heard else None
    rank = heard.rank if heard else None
    words = [case.tier] if case.tier else []
    words += [hardest[1]] if hardest else []
    if score is not None:
        words.append(f"班级评议 {score.normalize():f} 分")
    if rank is not None:
        words.append(f"班级评议第 {rank} 名")
    order = (tier, hardest[0] if hardest else _LAST, 1 if score is None else -int(score * 100), rank or _LAST)
    return Candidate(case.pk, pool, order, tuple(words))


def decided(cases: Iterable[Application]) -> dict[UUID, Decision]:
    """What the school's meeting last said of each of the cases."""
    rows = Decision.objects.filter(
        application__in=[case.pk for case in cases], meeting__level=Meeting.Level.SCHOOL
    ).select_related("meeting")
    return {row.application_id: row for row in rows.order_by("pk")}


def reserve(round_: Round, school: Unit) -> list[Decision]:
    """Who stands on the reserve of the school today, by rank: what the meeting said of them."""
    waiting = Application.objects.filter(round=round_, school=school, state=State.CLASS_REVIEWED)
    last = StepTaken.objects.filter(application=OuterRef("pk")).order_by("-pk").values("step")[:1]
    waiting = waiting.annotate(last_step=Subquery(last)).filter(last_step=Step.PUT_ON_RESERVE)
    rows = Decision.objects.filter(
        application__in=waiting.values("pk"), meeting__level=Meeting.Level.SCHOOL, verdict=_V.RESERVE
    ).select_related("application__pupil", "application__enrolment", "application__school_class", "meeting")
    newest = {row.application_id: row for row in rows.order_by("pk")}
    return sorted(newest.values(), key=_stands)
