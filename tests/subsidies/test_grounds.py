"""资助范围: a category comes in from a term on and goes with a term, never twice for one child; rows of packs too."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import AuditRow
from students.models import Category
from subsidies import dated_terms, grounds, what_if
from subsidies.entitlement import Ground
from subsidies.models import AcceptedCategory, Programme
from subsidies.programmes import accepted_categories
from tests.cast import Cast, enrol, refreshed, submitted


@pytest.fixture
def living_aid(cast: Cast) -> Programme:
    programme = Programme.objects.get(code="living-aid")
    programme.accepted.filter(category_code="martyr").delete()
    return programme


def row(programme: Programme, **changed) -> AcceptedCategory:
    facts = {"category_code": "martyr", "first_term": "2026-2027-2", "source": "云教〔2026〕8号"}
    return AcceptedCategory(programme=programme, **facts | changed)


def add(cast: Cast, ground: AcceptedCategory) -> AcceptedCategory:
    return grounds.add_ground(ground, county=cast.county, by=cast.clerk)


def refusal(cast: Cast, ground: AcceptedCategory) -> str:
    before = AcceptedCategory.objects.count()
    with pytest.raises(ValidationError) as refused:
        add(cast, ground)
    assert AcceptedCategory.objects.count() == before
    return "".join(refused.value.messages)


def test_a_category_is_accepted_from_a_term_on(cast: Cast, living_aid: Programme) -> None:
    enrol(cast, cast.class_a1, name="张一", kinds=("martyr",))
    enrol(cast, cast.class_a1, name="李二")
    effect = what_if.of_ground(row(living_aid), cast.county)
    assert effect.sentence == (
        "自2027年春季学期起有 1 名学生的金额会变化，合计每学期 +750.00 元；其中最近一次申请过的 0 名，+0.00 元。"
    )
    assert [each.name for each in effect.changes] == ["张一"]
    added = add(cast, row(living_aid))
    assert (added.recorded_by, added.last_term) == (cast.clerk, "")
    assert AuditRow.objects.get(action="accepted_category.add").detail == {
        "programme": "living-aid",
        "category": "martyr",
        "boarding": "",
        "first_term": "2026-2027-2",
        "last_term": "",
        "basis": "云教〔2026〕8号",
    }
    assert "烈士子女" not in accepted_categories(living_aid, cast.term)


@pytest.mark.parametrize(
    ("there", "new", "words"),
    [
        ({}, {}, "已经在资助范围内，不用再登记"),
        ({}, {"boarding": "day"}, "已经在资助范围内，不用再登记"),
        ({"boarding": "boarding"}, {}, "请先给它登记截止学期，再从下一学期起登记"),
        ({"first_term": "2027-2028-1"}, {}, "2027年秋季学期起已经在资助范围内"),
        ({"last_term": "2027-2028-1"}, {"first_term": "2027-2028-1"}, "已经在资助范围内"),
    ],
)
def test_no_child_is_accepted_twice_over(cast: Cast, living_aid: Programme, there, new, words) -> None:
    add(cast, row(living_aid, **there))
    assert words in refusal(cast, row(living_aid, **new))


def test_rows_beside_each_other_and_after_each_other_stand(cast: Cast, living_aid: Programme) -> None:
    add(cast, row(living_aid, boarding="boarding"))
    add(cast, row(living_aid, boarding="day"))
    add(cast, row(living_aid, first_term="2024-2025-1", last_term="2026-2027-1"))
    assert living_aid.accepted.filter(category_code="martyr").count() == 3


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"category_code": "rich"}, "没有这个困难类别"),
        ({"category_code": "registered_poverty"}, "已于2020年12月31日失效，现对应“脱贫户（继续享受政策）”"),
        ({"last_term": "2026-2027-1"}, "截止学期不能早于执行学期"),
        ({"source": ""}, "不能为空"),
        ({"first_term": "2027"}, "学期代码"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(cast: Cast, living_aid: Programme, changed, words) -> None:
    living_aid.accepted.filter(category_code="registered_poverty").delete()
    assert words in refusal(cast, row(living_aid, **changed))


def test_a_programme_for_everybody_has_no_grounds(cast: Cast, living_aid: Programme) -> None:
    Programme.objects.filter(pk=living_aid.pk).update(recipients="all")
    living_aid.refresh_from_db()
    assert "面向全体学生" in refusal(cast, row(living_aid))


def test_a_category_that_brings_two_amounts_together_is_refused_with_a_child(cast: Cast, living_aid: Programme) -> None:
    """One standard for martyrs' children, one for boarders: until now nobody was both."""
    standard = living_aid.standards.filter(last_term="").first()
    living_aid.standards.exclude(pk=standard.pk).delete()
    living_aid.accepted.exclude(category_code="orphan").delete()
    living_aid.accepted.update(boarding="day")
    standard.conditions = {"boarding": ["boarding"]}
    standard.save()
    standard.pk, standard.conditions, standard.any_of, standard.amount = None, {}, ["martyr"], 999
    standard.save(force_insert=True)
    words = refusal(cast, row(living_aid))
    assert words.startswith("把“烈士子女”列入资助范围以后，")
    assert "会同时适用于同一名学生，例如2027年春季学期的" in words


def test_a_category_of_a_pack_ends_with_a_term_and_cases_stay(cast: Cast, living_aid: Programme, round_) -> None:
    (case,) = submitted(cast, round_, enrol(cast, cast.class_a1, name="张一"))
    held = (
        living_aid.accepted.get(category_code="dibao_rural", last_term="", boarding="boarding")
        if (living_aid.accepted.filter(category_code="dibao_rural", boarding="boarding").exists())
        else living_aid.accepted.get(category_code="dibao_rural", last_term="", boarding="")
    )
    assert held.recorded_by is None
    effect = what_if.of_ground_end(held, "2026-2027-1", cast.county)
    assert [(each.name, each.before, each.after) for each in effect.changes] == [("张一", case.amount, None)]
    assert not effect.kept
    with pytest.raises(ValidationError, match="请填写停止执行的依据"):
        grounds.end_ground(held, "2026-2027-1", document=" ", county=cast.county, by=cast.clerk)
    grounds.end_ground(held, "2026-2027-1", document="云教〔2026〕9号", county=cast.county, by=cast.clerk)
    held.refresh_from_db()
    assert held.last_term == "2026-2027-1"
    assert refreshed([case])[0].amount == case.amount
    told = AuditRow.objects.get(action="accepted_category.end").detail
    assert (told["category"], told["last_term"], told["basis"]) == ("dibao_rural", "2026-2027-1", "云教〔2026〕9号")
    with pytest.raises(ValidationError, match="已经登记了截止学期"):
        grounds.end_ground(held, "2027-2028-1", document="云教", county=cast.county, by=cast.clerk)


def test_a_category_does_not_end_before_it_begins(cast: Cast, living_aid: Programme) -> None:
    added = add(cast, row(living_aid))
    with pytest.raises(ValidationError, match="截止学期不能早于执行学期"):
        grounds.end_ground(added, "2026-2027-1", document="云教", county=cast.county, by=cast.clerk)


def test_only_who_keeps_the_rules_accepts_categories(cast: Cast, living_aid: Programme) -> None:
    for who in (cast.head, cast.officer_a):
        with pytest.raises(PermissionDenied):
            grounds.add_ground(row(living_aid), county=cast.county, by=who)


def test_what_kinds_are_called_and_whether_they_are_over(cast: Cast) -> None:
    kinds = grounds.kinds()
    assert kinds["registered_poverty"].over == Category.objects.get(code="registered_poverty")
    assert kinds["orphan"].over is None
    assert grounds.unknown("moon").name == "moon"


_TERMS = st.sampled_from([f"{year}-{year + 1}-{half}" for year in range(2023, 2028) for half in (1, 2)])
_ROWS = st.tuples(_TERMS, st.none() | _TERMS, st.sampled_from(["", "boarding", "day"]))


@given(st.lists(_ROWS, max_size=6))
def test_two_rows_for_one_child_always_share_a_term_or_a_way_of_boarding(rows: list) -> None:
    """The rule of overlaps, said once more by counting: for each term and way of boarding at most one row."""
    kept: list[Ground] = []
    for first, last, boarding in rows:
        new = Ground("martyr", boarding, first, last or "")
        if dated_terms.end_of(new) < new.first_term:
            continue
        same = [each for each in kept if not each.boarding or not boarding or each.boarding == boarding]
        if not any(dated_terms.meet(each, new) for each in same):
            kept.append(new)
    for term in (f"{year}-{year + 1}-{half}" for year in range(2023, 2029) for half in (1, 2)):
        for boarding in ("boarding", "day"):
            fitting = [each for each in kept if each.boarding in ("", boarding) and dated_terms.is_in_force(each, term)]
            assert len(fitting) <= 1
