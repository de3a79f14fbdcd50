"""Dated rules: new standards end old ones, nothing overlaps, nothing is guessed."""

from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from accounts.models import AuditRow
from students.models import Category, Term
from students.term_keys import term_after, term_before
from subsidies import programmes, reference
from subsidies.models import Programme, Standard
from subsidies.programmes import accepted_categories, add_standard, end_standard, process_rule, rules_of
from subsidies.rule_checks import clashes


@pytest.fixture
def living_aid(cast) -> Programme:
    return Programme.objects.get(code="living-aid")


def new(programme: Programme, **changed) -> Standard:
    asked = {"stage": ["primary"], "boarding": ["boarding"]} | changed.pop("asked", {})
    facts = {"conditions": {fact: values for fact, values in asked.items() if values}, "amount": Decimal("700.00")}
    facts |= {"document": "财教〔2027〕1号", "first_term": "2027-2028-1"}
    return Standard(programme=programme, **facts | changed)


def case(programme: Programme, **conditions: str):
    """The programme's rows for these conditions."""
    asked = {fact: [value] for fact, value in conditions.items()}
    return programme.standards.filter(case=Standard(conditions=asked).reckon_case())


def refusal(cast, standard: Standard) -> str:
    before = list(Standard.objects.order_by("pk").values())
    with pytest.raises(ValidationError) as refused:
        add_standard(standard, county=cast.county, by=cast.clerk)
    assert list(Standard.objects.order_by("pk").values()) == before
    return "".join(refused.value.messages)


def test_a_new_standard_ends_the_running_one_with_the_term_before(cast, living_aid) -> None:
    added = add_standard(new(living_aid), county=cast.county, by=cast.clerk)
    rows = case(living_aid, stage="primary", boarding="boarding").order_by("first_term")
    assert [(row.first_term, row.last_term, row.amount) for row in rows] == [
        ("2011-2012-1", "2023-2024-1", Decimal("500.00")),
        ("2023-2024-2", "2026-2027-2", Decimal("625.00")),
        ("2027-2028-1", "", Decimal("700.00")),
    ]
    assert added.recorded_by == cast.clerk
    assert AuditRow.objects.get(action="standard.add").detail == {
        "programme": "living-aid",
        "whom": ["学段：小学", "就读方式：寄宿"],
        "before": "625.00",
        "amount": "700.00",
        "first_term": "2027-2028-1",
        "basis": "财教〔2027〕1号",
    }


def test_a_running_standard_with_an_end_of_its_own_is_cut_too(cast, living_aid) -> None:
    living_aid.standards.filter(last_term="").update(last_term="2029-2030-2")
    add_standard(new(living_aid), county=cast.county, by=cast.clerk)
    fitting = case(living_aid, stage="primary", boarding="boarding").filter(last_term__gte="2027-2028-1")
    assert not fitting.exists()


def test_other_cases_keep_their_standards(cast, living_aid) -> None:
    ours = list(case(living_aid, stage="primary", boarding="boarding").values_list("pk", flat=True))
    others = living_aid.standards.exclude(pk__in=ours)
    before = set(others.values_list("pk", "last_term"))
    added = add_standard(new(living_aid), county=cast.county, by=cast.clerk)
    assert before == set(others.exclude(pk=added.pk).values_list("pk", "last_term"))


def test_the_order_in_which_conditions_are_written_is_no_matter(cast, living_aid) -> None:
    one = Standard(conditions={"stage": ["primary", "junior"], "boarding": ["day"]}, any_of=["orphan", "tekun"])
    other = Standard(conditions={"boarding": ["day"], "stage": ["junior", "primary"]}, any_of=["tekun", "orphan"])
    assert one.reckon_case() == other.reckon_case() != Standard(all_of=["orphan", "tekun"]).reckon_case()


def test_a_standard_before_an_existing_one_is_refused(cast, living_aid) -> None:
    assert refusal(cast, new(living_aid, first_term="2023-2024-2")) == (
        "同样条件的学生自2024年春季学期起已有标准，新标准的执行学期要晚于它；要补一段以前的标准，请写明不同的条件。"
    )


def test_a_standard_that_gives_one_child_two_amounts_is_refused_with_such_a_child(cast, living_aid) -> None:
    assert refusal(cast, new(living_aid, asked={"boarding": []})) == (
        "这条标准（700.00 元）和“国家基础标准（财政部2024年5月7日下达城乡义务教育补助经费，2024年春季学期起）”的标准"
        "（625.00 元，自2024年春季学期起执行）会同时适用于同一名学生，"
        "例如2027年秋季学期的小学、寄宿、边缘易致贫户学生。"
        "请把两条标准的条件分开，或先登记原标准的截止学期；按规定就高不就低的，请在项目中注明。"
    )
    living_aid.highest_wins = True
    living_aid.save()
    assert add_standard(new(living_aid, asked={"boarding": []}), county=cast.county, by=cast.clerk).pk


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": Decimal("0.00")},
        {"amount": Decimal("-1.00")},
        {"amount": Decimal("312.505")},
        {"document": ""},
        {"document": "  "},
        {"first_term": "2027"},
        {"last_term": "2026-2027-2"},
        {"periods": Decimal(5)},
        {"asked": {"stage": ["college"]}},
        {"asked": {"stage": ["senior"]}},
        {"asked": {"height": ["tall"]}},
        {"asked": {"tier": ["困难"]}},
        {"any_of": ["rich"]},
        {"flags": [{"category": "rich", "name": "享受政策", "values": ["是"]}]},
    ],
)
def test_a_standard_that_makes_no_sense_is_refused(cast, living_aid, changed) -> None:
    assert refusal(cast, new(living_aid, **changed)).endswith("。")


def test_a_standard_ends_with_a_term_on_a_document(cast, living_aid) -> None:
    (row,) = case(living_aid, stage="junior", boarding="day").filter(last_term="")
    end_standard(row, "2026-2027-2", document="财教〔2027〕2号", county=cast.county, by=cast.clerk)
    row.refresh_from_db()
    assert row.last_term == "2026-2027-2"
    assert AuditRow.objects.get(action="standard.end").detail == {
        "programme": "living-aid",
        "amount": "375.00",
        "before": "",
        "last_term": "2026-2027-2",
        "basis": "财教〔2027〕2号",
    }


@pytest.mark.parametrize(
    ("last_term", "document", "words"),
    [
        ("2023-2024-1", "文件", "截止学期（2023年秋季学期）早于执行学期（2024年春季学期）"),
        ("2027", "文件", "截止学期“2027”不是学期代码"),
        ("2026-2027-2", " ", "没有写明文件名称和文号"),
    ],
)
def test_an_end_that_makes_no_sense_is_refused(cast, living_aid, last_term, document, words) -> None:
    (row,) = case(living_aid, stage="junior", boarding="day").filter(last_term="")
    with pytest.raises(ValidationError, match=words):
        end_standard(row, last_term, document=document, county=cast.county, by=cast.clerk)
    row.refresh_from_db()
    assert row.last_term == ""


@pytest.mark.parametrize("who", ["head", "officer_a", "inspector", "admin", "teacher_a1"])
def test_only_a_clerk_keeps_the_standards(cast, living_aid, who) -> None:
    with pytest.raises(PermissionDenied):
        add_standard(new(living_aid), county=cast.county, by=cast.people[who])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"channels": ["cash"]}, "使用财政资金，不能以现金发放"),
        ({"channels": ["card", "meal_card"]}, "使用财政资金，不能以饭卡发放"),
        ({"channels": []}, "没有写明发放渠道"),
        ({"form": "meals"}, "资助形式是供餐，发放渠道不能是银行卡"),
    ],
)
def test_state_money_never_goes_in_cash_or_onto_a_meal_card(cast, living_aid, changed, words) -> None:
    for name, value in changed.items():
        setattr(living_aid, name, value)
    with pytest.raises(ValidationError, match=words):
        living_aid.full_clean()


@pytest.mark.parametrize(
    "broken",
    [{"amount": 0}, {"periods": 0}, {"case": ""}, {"document": ""}, {"last_term": "2001-2002-1"}],
)
def test_the_database_keeps_no_broken_standard(cast, living_aid, broken) -> None:
    row = living_aid.standards.first()
    with pytest.raises(IntegrityError), transaction.atomic():
        Standard.objects.filter(pk=row.pk).update(**broken)


def test_the_same_case_twice_from_one_term_is_refused_by_the_database(cast, living_aid) -> None:
    new(living_aid).save()
    with pytest.raises(IntegrityError), transaction.atomic():
        new(living_aid, amount=Decimal("900.00")).save()


def test_the_term_before() -> None:
    assert term_before("2023-2024-2") == "2023-2024-1"
    assert term_before("2023-2024-1") == "2022-2023-2"
    assert [term_after(term_before(key)) for key in ("2023-2024-1", "2023-2024-2")] == ["2023-2024-1", "2023-2024-2"]


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


def test_no_two_shipped_standards_give_one_child_two_amounts(cast) -> None:
    for programme in Programme.objects.all():
        assert list(clashes(rules_of(programme))) == []


def test_every_accepted_kind_of_hardship_is_known_to_the_register(cast) -> None:
    known = set(Category.objects.values_list("code", flat=True))
    for programme in Programme.objects.all():
        assert {rule.code for rule in rules_of(programme).grounds} <= known


def test_the_kinds_are_named_in_rank_order_each_once(cast, living_aid) -> None:
    names = accepted_categories(living_aid, cast.term)
    assert len(set(names)) == len(names) > 10
    assert names[0] == Category.objects.filter(name__in=names).order_by("rank").first().name
    assert programmes.process_rule(living_aid, Term.objects.get(key="2023-2024-1")).notice_days == 5
