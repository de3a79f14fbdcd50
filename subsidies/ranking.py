"""排序到名额: who gets the places a school has, in which order and why. Pure rules over plain values.

What is proposed is only a proposal: the committee ranks. What it may not do is put somebody on the reserve before
somebody it agreed to for the same places.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any


@dataclass(frozen=True)
class Pool:
    """Places that some of the cases have in common: a class's own, or what the school shares. `free` None: no limit."""

    name: str  # 本校, 七年级1班
    free: int | None


@dataclass(frozen=True)
class Candidate:
    """One case before the meeting. `order` sorts the hardest first; `words` say what it rests on."""

    key: Hashable
    pool: Hashable
    order: tuple[int, ...]
    words: tuple[str, ...] = ()
    needs_place: bool = True  # False: outside the quota, or it holds its place already
    aside: str = ""  # why it needs none


@dataclass(frozen=True)
class Proposed:
    rank: int | None  # None: needs no place
    is_inside: bool
    reason: str
    alike: int = 1  # how many stand equally hard: their order among one another is the committee's alone


@dataclass(frozen=True)
class Ranked:
    """What a meeting says of one case that needs a place."""

    name: str
    pool: Hashable
    rank: int | None
    is_inside: bool  # agreed to; else on the reserve


def propose(candidates: Iterable[Candidate], pools: Mapping[Any, Pool]) -> dict[Hashable, Proposed]:
    """A rank for each who needs a place, from 1 on, and whether the places of their pool reach so far."""
    rows = list(candidates)
    found: dict[Hashable, Proposed] = {
        row.key: Proposed(None, is_inside=True, reason=row.aside) for row in rows if not row.needs_place
    }
    left = {key: pool.free for key, pool in pools.items()}
    ranked = sorted((row for row in rows if row.needs_place), key=attrgetter("order"))
    ties = {order: len(list(same)) for order, same in groupby(ranked, key=attrgetter("order"))}
    for rank, row in enumerate(ranked, start=1):
        pool, free = pools[row.pool], left[row.pool]
        is_inside = free is None or free > 0
        if free is not None:
            left[row.pool] = free - 1
        stands = f"{'、'.join(row.words)}，" if row.words else ""
        stands += f"按困难程度排第 {rank} 位"
        rest = "" if is_inside else f"；{pool.name}可用名额 {pool.free} 个已用完，列为候补，有空余名额时再评"
        found[row.key] = Proposed(rank, is_inside, f"{stands}{rest}。", ties[row.order])
    return found


def faults(ranked: Sequence[Ranked], pools: Mapping[Any, Pool]) -> list[str]:
    """Why a meeting's ranks cannot stand: sentences, empty where they can. Without a reserve nothing is asked."""
    found = []
    for key, pool in pools.items():
        rows = [row for row in ranked if row.pool == key]
        waiting = [row for row in rows if not row.is_inside]
        if not waiting:
            continue
        if unranked := [row for row in rows if row.rank is None]:
            found.append(
                f"{pool.name}有 {len(waiting)} 人列为候补，争同样名额的 {len(rows)} 人都要写名次，"
                f"还差：{_names(unranked)}。请补写名次。"
            )
            continue
        if pool.free is None:
            found.append(f"{pool.name}不限名额，不用列候补：{_names(waiting)}。请改为同意，或按实际情况作出结论。")
            continue
        first = min(waiting, key=_rank)
        if level := [row for row in rows if row.is_inside and row.rank == first.rank]:
            found.append(
                f"{first.name}列为候补，同意的{_names(level)}也排第 {first.rank} 位，争的是同样的名额。"
                "请排出先后，再按名次作出结论。"
            )
        elif behind := [row for row in rows if row.is_inside and _rank(row) > _rank(first)]:
            found.append(
                f"{first.name}排第 {first.rank} 位列为候补，排在后面的{_names(behind)}却同意了。"
                "名额按名次使用，请调整名次或结论。"
            )
        elif pool.free > (inside := sum(row.is_inside for row in rows)):
            found.append(
                f"{pool.name}可用名额 {pool.free} 个，只同意了 {inside} 人，还有名额，不能列候补：{_names(waiting)}。"
                "请按名次改为同意，名额用完后再列候补。"
            )
    return found


def _rank(row: Ranked) -> int:
    return row.rank or 0


def _names(rows: Sequence[Ranked]) -> str:
    return "、".join(row.name for row in rows[:5]) + (f"等 {len(rows)} 人" if len(rows) > 5 else "")
