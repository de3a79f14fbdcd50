"""Ranking to the quota: hardest first, each pool by its own places, and nobody passed over."""

from hypothesis import given
from hypothesis import strategies as st

from subsidies.ranking import Candidate, Pool, Ranked, faults, propose

SCHOOL = Pool("本校", 2)


def candidate(key: str, *order: int, pool: str = "school", **more: object) -> Candidate:
    return Candidate(key, pool, order, **more)  # type: ignore[arg-type]


def test_the_hardest_come_first_and_the_places_end() -> None:
    rows = [candidate("c", 3), candidate("a", 1, words=("特别困难", "农村低保")), candidate("b", 2)]
    found = propose(rows, {"school": SCHOOL})
    assert [(key, found[key].rank, found[key].is_inside) for key in "abc"] == [
        ("a", 1, True),
        ("b", 2, True),
        ("c", 3, False),
    ]
    assert found["a"].reason == "特别困难、农村低保，按困难程度排第 1 位。"
    assert found["c"].reason == "按困难程度排第 3 位；本校可用名额 2 个已用完，列为候补，有空余名额时再评。"


def test_who_needs_no_place_is_not_ranked() -> None:
    rows = [candidate("a", 1, needs_place=False, aside="属应助尽助，不占名额。"), candidate("b", 2)]
    found = propose(rows, {"school": Pool("本校", 0)})
    assert (found["a"].rank, found["a"].is_inside, found["a"].reason) == (None, True, "属应助尽助，不占名额。")
    assert (found["b"].rank, found["b"].is_inside) == (1, False)


def test_each_pool_has_its_own_places() -> None:
    rows = [candidate("a", 1, pool="one"), candidate("b", 2, pool="one"), candidate("c", 3, pool="two")]
    found = propose(rows, {"one": Pool("七年级1班", 1), "two": Pool("七年级2班", None)})
    assert [found[key].is_inside for key in "abc"] == [True, False, True]


def test_equal_standing_is_told() -> None:
    found = propose([candidate("a", 1), candidate("b", 1)], {"school": SCHOOL})
    assert [found[key].alike for key in "ab"] == [2, 2]


def ranked(name: str, rank: int | None, inside: bool, pool: str = "school") -> Ranked:
    return Ranked(name, pool, rank, inside)


def test_without_a_reserve_no_rank_is_asked_for() -> None:
    assert faults([ranked("甲", None, True)], {"school": SCHOOL}) == []


def test_who_is_passed_over_is_named() -> None:
    rows = [ranked("甲", 1, True), ranked("乙", 2, False), ranked("丙", 3, True)]
    (said,) = faults(rows, {"school": SCHOOL})
    assert said.startswith("乙排第 2 位列为候补，排在后面的丙却同意了。")


def test_nobody_waits_behind_one_of_the_same_rank() -> None:
    """Two classes ranked apart that share the school's places: two firsts, and one of them gets the place."""
    (said,) = faults([ranked("甲", 1, True), ranked("乙", 1, False)], {"school": Pool("本校", 1)})
    assert said.startswith("乙列为候补，同意的甲也排第 1 位")


def test_a_reserve_needs_the_ranks_of_all_who_compete() -> None:
    (said,) = faults([ranked("甲", None, True), ranked("乙", 2, False)], {"school": Pool("本校", 1)})
    assert "都要写名次，还差：甲。" in said


def test_no_reserve_while_there_are_places() -> None:
    (said,) = faults([ranked("甲", 1, True), ranked("乙", 2, False)], {"school": SCHOOL})
    assert "还有名额，不能列候补：乙" in said
    (said,) = faults([ranked("乙", 1, False)], {"school": Pool("本校", None)})
    assert "不限名额，不用列候补：乙" in said


def test_other_pools_are_not_looked_at() -> None:
    rows = [ranked("甲", 1, False, "one"), ranked("乙", 2, True, "two")]
    assert faults(rows, {"one": Pool("七年级1班", 0), "two": Pool("七年级2班", 5)}) == []


@given(
    st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 3), st.booleans()), max_size=12),
    st.fixed_dictionaries({pool: st.one_of(st.none(), st.integers(0, 4)) for pool in "xyz"}),
)
def test_what_is_proposed_can_always_be_decided(rows: list[tuple[str, int, bool]], free: dict[str, int | None]) -> None:
    pools = {name: Pool(name, places) for name, places in free.items()}
    candidates = [
        Candidate(n, pool, (order,), needs_place=needs, aside="不占名额。")
        for n, (pool, order, needs) in enumerate(rows)
    ]
    found = propose(candidates, pools)
    given_ranks = [each.rank for each in found.values() if each.rank is not None]
    assert sorted(given_ranks) == list(range(1, len(given_ranks) + 1))
    said = [Ranked(str(c.key), c.pool, found[c.key].rank, found[c.key].is_inside) for c in candidates if c.needs_place]
    assert faults(said, pools) == []
    for name, pool in pools.items():
        inside = sum(row.is_inside for row in said if row.pool == name)
        competing = sum(row.pool == name for row in said)
        assert inside == (competing if pool.free is None else min(competing, pool.free))
