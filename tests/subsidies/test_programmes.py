"""Dated rules: new standards end old ones, nothing overlaps, nothing is guessed."""

import itertools
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from accounts.models import AuditRow
from students.models import Category, Term
from subsidies import programmes, reference
from subsidies.models import Programme, Standard
from subsidies.programmes import accepted_categories, add_standard, process_rule, rules_of, term_before


@pytest.fixture
def living_aid(cast) -> Programme:
    return Programme.objects.get(code="living-aid")


def new(programme: Programme, **changed) -> Standard:
    facts = {"stage": "primary", "boarding": "boarding", "tier": "", "amount": Decimal("700.00")}
    facts |= {"document": "财教〔2027〕1号", "first_term": "2027-2028-1"}
    return Standard(programme=programme, **facts | changed)


def refusal(cast, standard: Standard) -> str:
    before = list(Standard.objects.order_by("pk").values())
    with pytest.raises(ValidationError) as refused:
        add_standard(standard, county=cast.county, by=cast.clerk)
    assert list(Standard.objects.order_by("pk").values()) == before
    return "".join(refused.value.messages)


def test_a_new_standard_ends_the_running_one_with_the_term_before(cast, living_aid) -> None:
    added = add_standard(new(living_aid), county=cast.county, by=cast.clerk)
    rows = living_aid.standards.filter(stage="primary", boarding="boarding").order_by("first_term")
    assert [(row.first_term, row.last_term, row.amount) for row in rows] == [
        ("2011-2012-1", "2023-2024-1", Decimal("500.00")),
        ("2023-2024-2", "2026-2027-2", Decimal("625.00")),
        ("2027-2028-1", "", Decimal("700.00")),
    ]
    assert added.recorded_by == cast.clerk
    assert AuditRow.objects.get(action="standard.add").detail == {"amount": "700.00", "first_term": "2027-2028-1"}


def test_a_running_standard_with_an_end_of_its_own_is_cut_too(cast, living_aid) -> None:
    living_aid.standards.filter(last_term="").update(last_term="2029-2030-2")
    add_standard(new(living_aid), county=cast.county, by=cast.clerk)
    fitting = living_aid.standards.filter(stage="primary", boarding="boarding", last_term__gte="2027-2028-1")
    assert not fitting.exists()


def test_other_cases_keep_their_standards(cast, living_aid) -> None:
    before = set(living_aid.standards.exclude(stage="primary", boarding="boarding").values_list("pk", "last_term"))
    add_standard(new(living_aid), county=cast.county, by=cast.clerk)
    assert before == set(
        living_aid.standards.exclude(stage="primary", boarding="boarding").values_list("pk", "last_term")
    )


def test_a_standard_before_an_existing_one_is_refused(cast, living_aid) -> None:
    assert refusal(cast, new(living_aid, first_term="2023-2024-2")) == (
        "这一情形自 2023-2024-2 起已有标准，新标准的执行学期要晚于它。"
    )


def test_one_row_for_all_beside_rows_for_boarders_and_day_pupils_is_refused(cast, living_aid) -> None:
    assert "两种写法不能并存" in refusal(cast, new(living_aid, boarding=""))
    preschool = Programme.objects.get(code="preschool-aid")
    assert "两种写法不能并存" in refusal(cast, new(preschool, stage="preschool", boarding="day"))


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": Decimal("0.00")},
        {"amount": Decimal("-1.00")},
        {"amount": Decimal("312.505")},
        {"document": ""},
        {"first_term": "2027"},
        {"stage": "college"},
    ],
)
def test_a_standard_that_makes_no_sense_is_refused(cast, living_aid, changed) -> None:
    assert refusal(cast, new(living_aid, **changed))


@pytest.mark.parametrize("who", ["head", "officer_a", "inspector", "admin", "teacher_a1"])
def test_only_a_clerk_keeps_the_standards(cast, living_aid, who) -> None:
    with pytest.raises(PermissionDenied):
        add_standard(new(living_aid), county=cast.county, by=cast.people[who])


def test_the_term_before() -> None:
    assert term_before("2023-2024-2") == "2023-2024-1"
    assert term_before("2023-2024-1") == "2022-2023-2"


def test_a_procedure_is_never_guessed(cast, living_aid) -> None:
    rule = process_rule(living_aid, cast.term)
    assert (rule.class_review_members, rule.school_review_members, rule.notice_days) == (5, 10, 5)
    living_aid.process_rules.all().delete()
    with pytest.raises(ValidationError, match="没有评审和公示规则，请县资助中心先在“项目与标准”中维护"):
        process_rule(living_aid, cast.term)


def test_the_newest_procedure_that_has_begun_counts(cast, living_aid) -> None:
    living_aid.process_rules.create(first_term="2026-2027-1", notice_days=7, source="县文件")
    living_aid.process_rules.create(first_term="2026-2027-2", notice_days=9, source="县文件")
    assert process_rule(living_aid, cast.term).notice_days == 7


# --- what ships ------------------------------------------------------------------------------------


def test_loading_again_adds_nothing_and_keeps_what_an_officer_changed(cast, living_aid) -> None:
    add_standard(new(living_aid), county=cast.county, by=cast.clerk)
    before = (Standard.objects.count(), AuditRow.objects.count())
    assert reference.load() == 0
    assert (Standard.objects.count(), AuditRow.objects.count()) == before


def test_every_shipped_standard_is_valid_and_names_its_document(cast) -> None:
    for standard in Standard.objects.all():
        standard.full_clean(exclude=["recorded_by"])  # nobody: it shipped
        assert standard.document
        assert isinstance(standard.amount, Decimal)


def test_no_two_shipped_standards_fit_one_case_in_one_term(cast) -> None:
    for programme in Programme.objects.all():
        rows = rules_of(programme).standards
        for one, other in itertools.combinations(rows, 2):
            same = (one.stage, one.tier) == (other.stage, other.tier) and {one.boarding, other.boarding} != {
                "boarding", "day",
            }  # fmt: skip
            apart = (one.last_term and one.last_term < other.first_term) or (
                other.last_term and other.last_term < one.first_term
            )
            assert not same or apart, (programme, one, other)


def test_every_accepted_kind_of_hardship_is_known_to_the_register(cast) -> None:
    known = set(Category.objects.values_list("code", flat=True))
    for programme in Programme.objects.all():
        assert {rule.code for rule in rules_of(programme).categories} <= known


def test_the_kinds_are_named_in_rank_order_each_once(cast, living_aid) -> None:
    names = accepted_categories(living_aid, cast.term)
    assert len(set(names)) == len(names) > 10
    assert names[0] == Category.objects.filter(name__in=names).order_by("rank").first().name
    assert programmes.process_rule(living_aid, Term.objects.get(key="2023-2024-1")).notice_days == 5
