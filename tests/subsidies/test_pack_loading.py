"""Taking packs over: what is missing is added, what an officer has stays, a second time adds nothing."""

import datetime as dt
import re
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.forms.models import model_to_dict
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditRow, Unit
from students import reference as students_reference
from students.term_keys import term_label
from subsidies import pack_loading, packs, programmes, reference, rule_checks
from subsidies.entitlement import entitlement
from subsidies.models import (
    AcceptedCategory,
    FundShare,
    OutsideQuota,
    PackRow,
    ProcessRule,
    Programme,
    ProgrammeExclusion,
    Standard,
)
from subsidies.pack_loading import State
from tests.cast import Cast

KINDS = (Programme, Standard, AcceptedCategory, ProcessRule, FundShare, OutsideQuota, ProgrammeExclusion, PackRow)


def rules() -> dict:
    """Every row a pack may touch, as it is."""
    return {model.__name__: [model_to_dict(row) for row in model.objects.order_by("pk")] for model in KINDS}


def adopt(cast: Cast, code: str) -> pack_loading.Comparison:
    return pack_loading.adopt(pack_loading.shipped(code), county=cast.county, by=cast.clerk)


def items(found: pack_loading.Comparison, state: State) -> list[str]:
    return [item.words for item in found.items if item.state == state]


# --- a new county ----------------------------------------------------------------------------------


def test_a_county_begins_with_three_programmes_of_the_national_pack(cast: Cast) -> None:
    assert set(Programme.objects.values_list("code", flat=True)) == set(reference.FIRST_PROGRAMMES)
    living = Programme.objects.get(code="living-aid")
    assert living.standards.count() == 8
    assert living.accepted.filter(boarding="day").count() == 8
    assert living.accepted.filter(boarding="boarding").count() == 17
    rule = living.process_rules.get()
    assert (rule.class_review_members, rule.school_review_members, rule.notice_days) == (5, 10, 5)
    assert living.shares.get().levels == {"centre": "1/2", "local": "1/2"}
    assert {row.adopted_by for row in PackRow.objects.all()} == {None}


def test_loading_the_reference_again_changes_nothing(cast: Cast) -> None:
    before, trail = rules(), AuditRow.objects.count()
    assert reference.load() == 0
    assert (rules(), AuditRow.objects.count()) == (before, trail)


# --- adopting --------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", packs.shipped())
def test_a_second_time_adds_nothing(cast: Cast, code: str) -> None:
    first = adopt(cast, code)
    before, trail = rules(), AuditRow.objects.count()
    again = adopt(cast, code)
    assert not again.has_new
    assert (rules(), AuditRow.objects.count()) == (before, trail)
    # Nothing was forgotten either: what was new is there now.
    assert again.count(State.THERE) == first.count(State.THERE) + first.count(State.NEW)
    assert again.count(State.OTHER) == first.count(State.OTHER)


@pytest.fixture
def bare(db: None) -> Unit:
    """A county without any programme."""
    students_reference.load()
    return Unit.objects.create(level=Unit.Level.COUNTY, name="新县")


@pytest.mark.parametrize("code", packs.shipped())
def test_all_a_county_adopts_is_valid_and_computes_as_the_pack_says(bare: Unit, code: str) -> None:
    pack = pack_loading.shipped(code)
    found = pack_loading.load(pack)
    assert found.count(State.OTHER) == 0
    for each in pack.programmes:
        programme = Programme.objects.get(code=each.code)
        programme.full_clean(exclude=["recorded_by"])  # nobody: a command loaded it
        for row in [*programme.standards.all(), *programme.shares.all(), *programme.outside_quota.all()]:
            row.full_clean(exclude=["recorded_by"])
        rules_now = programmes.rules_of(programme)
        for example in each.examples:
            label = term_label(example.term)
            answer = entitlement(example.facts, rules_now, term=example.term, term_name=label, on=dt.date(2020, 1, 1))
            assert answer.amount == example.amount, example.about
    standards = sum(len(each.standards) for each in pack.programmes)
    assert PackRow.objects.filter(pack=code, kind="standard").count() == Standard.objects.count() == standards


def test_each_row_keeps_where_it_came_from(cast: Cast) -> None:
    adopt(cast, "henan")
    programme = Programme.objects.get(code="provincial-nutrition")
    first = programme.standards.order_by("pk").first()
    origin = PackRow.objects.get(kind="standard", key=first.pk)
    assert (origin.pack, origin.number, origin.confidence, origin.adopted_by) == ("henan", 1, "S", cast.clerk)
    assert origin.source == "河南省某校致家长的一封信；兰青乡2018年方案"
    made = Programme.objects.get(code="provincial-nutrition")
    assert PackRow.objects.get(kind="programme", key=made.pk).programme == made
    assert {(row.kind, row.key) for row in PackRow.objects.filter(kind="ground", programme=programme)} == {
        ("ground", row.pk) for row in programme.accepted.all()
    }


def test_the_trail_says_what_was_taken_over(cast: Cast) -> None:
    adopt(cast, "henan")
    row = AuditRow.objects.get(action="pack.adopt", username=cast.clerk.username)
    assert row.detail["pack"] == "河南省定营养改善计划和生活补助"
    assert row.detail["programmes"] == ["provincial-nutrition"]
    assert "标准6条" in row.detail["rows_new"]
    assert row.detail["rows_kept"] > 0


def test_what_a_county_has_already_is_told_apart(cast: Cast) -> None:
    found = adopt(cast, "henan")
    there, other = items(found, State.THERE), items(found, State.OTHER)
    assert "625.00 元/学期，学段：小学；就读方式：寄宿" in there
    # The national pack's 500 元 for every child of a kindergarten stays; what differs from it is told with a child.
    whys = [item.why for item in found.items if item.state == State.OTHER]
    assert any("300.00 元" in why and "县学前教育资助办法" in why and "例如" in why for why in whys)
    assert len(other) == len([why for why in whys if why])
    assert Standard.objects.filter(programme__code="preschool-aid").count() == 1


def test_a_row_an_officer_ended_is_not_added_again(cast: Cast) -> None:
    living = Programme.objects.get(code="living-aid")
    raised = Standard(
        programme=living,
        conditions={"stage": ["primary"], "boarding": ["boarding"]},
        amount=Decimal("700.00"),
        document="县财教〔2026〕1号",
        first_term="2027-2028-1",
    )
    programmes.add_standard(raised, county=cast.county, by=cast.clerk)
    before = [model_to_dict(row) for row in living.standards.order_by("pk")]
    found = adopt(cast, "hubei-shiyan")  # has 625 元 for the same children, without an end
    assert [model_to_dict(row) for row in living.standards.filter(pk__in=[b["id"] for b in before]).order_by("pk")] == (
        before
    )
    (kept,) = [i for i in found.items if i.words == "625.00 元/学期，学段：小学；就读方式：寄宿"]
    assert kept.state == State.OTHER
    assert "保持不变" in kept.why


def test_a_category_an_officer_ended_stays_ended(cast: Cast) -> None:
    living = Programme.objects.get(code="living-aid")
    living.accepted.filter(category_code="other").update(last_term="2025-2026-2")
    found = adopt(cast, "hubei-shiyan")
    assert living.accepted.get(category_code="other").last_term == "2025-2026-2"
    (boarders,) = [item for item in found.items if item.kind == "ground" and item.words.startswith("寄宿：")]
    assert (boarders.state, boarders.why) == (State.OTHER, "本县登记的其他经学校认定的困难执行学期不同，保持不变。")


def test_categories_that_would_tear_the_countys_own_standards_are_left(cast: Cast) -> None:
    """Two of them overlap for day pupils; none is accepted, so no child fits both until the pack accepts some."""
    living = Programme.objects.get(code="living-aid")
    living.accepted.filter(boarding="day").delete()
    special = Standard(
        programme=living,
        conditions={"schooling": ["special"], "boarding": ["day"]},
        amount=Decimal("900.00"),
        document="县财教〔2026〕2号",
        first_term="2026-2027-1",
    )
    programmes.add_standard(special, county=cast.county, by=cast.clerk)
    found = adopt(cast, "hubei-shiyan")
    (day,) = [item for item in found.items if item.kind == "ground" and item.words.startswith("走读：")]
    assert day.state == State.OTHER
    assert "“县财教〔2026〕2号”的标准（900.00 元）会同时适用于同一名学生，例如" in day.why
    assert not living.accepted.filter(boarding="day").exists()
    assert not list(rule_checks.clashes(programmes.rules_of(living)))


def test_a_category_the_county_accepts_by_boarding_is_not_accepted_twice(cast: Cast) -> None:
    preschool = Programme.objects.get(code="preschool-aid")
    preschool.accepted.filter(category_code="dibao_rural").update(boarding="boarding")
    found = adopt(cast, "henan")
    (row,) = [item for item in found.items if item.kind == "ground" and item.row.origin.source.key == "zhanhe_2024"]
    assert "本县登记的农村低保按就读方式分别列入，保持不变。" in row.why
    assert preschool.accepted.get(category_code="dibao_rural").boarding == "boarding"


def test_procedures_of_the_county_stay(cast: Cast) -> None:
    found = adopt(cast, "henan-lanqing")
    (procedure,) = [item for item in found.items if item.kind == "process"]
    assert procedure.state == State.OTHER
    assert Programme.objects.get(code="preschool-aid").process_rules.count() == 1


def test_a_programme_reckoned_by_another_unit_is_left_alone(cast: Cast) -> None:
    Programme.objects.filter(code="senior-grant").update(unit="term")
    found = adopt(cast, "sichuan")
    (senior,) = [each for each in found.programmes if each.programme.code == "senior-grant"]
    assert senior.state == State.OTHER
    assert senior.why == "本县这个项目的标准按学期计算，政策包按学年计算，不能合在一起。"
    assert {item.state for item in senior.items} == {State.OTHER}
    assert Programme.objects.get(code="senior-grant").standards.count() == 9


def test_a_programme_for_everybody_and_one_for_some_do_not_mix(cast: Cast) -> None:
    Programme.objects.filter(code="senior-grant").update(recipients="all")
    found = adopt(cast, "sichuan")
    (senior,) = [each for each in found.programmes if each.programme.code == "senior-grant"]
    assert "受助对象与政策包不同" in senior.why


def test_a_name_in_use_is_not_used_twice(cast: Cast) -> None:
    Programme.objects.filter(code="preschool-aid").update(name="省定营养改善计划")
    found = adopt(cast, "henan")
    (nutrition,) = [each for each in found.programmes if each.programme.code == "provincial-nutrition"]
    assert nutrition.why == "本县代码为“preschool-aid”的项目已叫这个名称，两个项目不能同名。"
    assert not Programme.objects.filter(code="provincial-nutrition").exists()


def test_tiers_the_county_does_not_have_are_left(cast: Cast) -> None:
    found = adopt(cast, "gansu")
    (senior,) = [each for each in found.programmes if each.programme.code == "senior-grant"]
    assert [item.state for item in senior.items if item.kind == "standard"] == [State.OTHER, State.OTHER]
    assert "特困" in senior.items[0].why


def test_exclusions_and_places_outside_the_quota_come_along(cast: Cast) -> None:
    adopt(cast, "hunan")
    inside, outside = (Programme.objects.get(code=f"freshman-aid-{side}") for side in ("inside", "outside"))
    assert ProgrammeExclusion.objects.filter(programme=inside, other=outside, recorded_by=cast.clerk).exists()
    vocational = Programme.objects.get(code="vocational-grant")
    assert vocational.outside_quota.get().category_code == "registered_poverty"
    assert vocational.recipients == "percentage"


def test_shares_come_with_exact_fractions(cast: Cast) -> None:
    adopt(cast, "anhui")
    vocational = Programme.objects.get(code="vocational-grant").shares.get(origins="")
    assert vocational.levels == {"centre": "3/5", "province": "8/25", "county": "2/25"}
    assert (vocational.schools, vocational.remainder, vocational.recorded_by) == ("county", "county", cast.clerk)


@pytest.mark.parametrize("who", ["head", "officer_a", "inspector", "admin", "teacher_a1"])
def test_only_a_clerk_adopts(cast: Cast, who: str) -> None:
    before = rules()
    with pytest.raises(PermissionDenied):
        pack_loading.adopt(pack_loading.shipped("henan"), county=cast.county, by=cast.people[who])
    assert rules() == before


def test_a_pack_with_a_wrong_example_is_not_taken_over(cast: Cast) -> None:
    text = (packs.SHIPPED / "ningxia.toml").read_text("utf-8").replace('amount = "400.00"', 'amount = "401.00"', 1)
    pack = packs.read_pack(text, categories=pack_loading.known_categories())
    before = rules()
    with pytest.raises(ValidationError, match=re.escape("应为400.00元，算出来是401.00元")):
        pack_loading.adopt(pack, county=cast.county, by=cast.clerk)
    assert rules() == before


def test_comparing_asks_the_same_number_of_questions_for_one_pack_and_for_all(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as one:
        pack_loading.compare(pack_loading.shipped("ningxia"), pack_loading.county_rules())
    with CaptureQueriesContext(connection) as every:
        county = pack_loading.county_rules()
        for pack in pack_loading.all_shipped():
            pack_loading.compare(pack, county)
    assert len(every) == len(one)


# --- the command -----------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("load_pack", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_loads_a_pack_by_its_code(cast: Cast) -> None:
    said = run("ningxia")
    assert "宁夏普通高中免学杂费（ningxia）：1个项目，8个例子全部正确。" in said
    assert "新增项目1个" in said
    assert Programme.objects.get(code="senior-fee").standards.get().amount == Decimal("400.00")
    assert "新增项目0个，新增规则0条" in run("ningxia")


def test_the_command_tells_what_it_left(cast: Cast) -> None:
    assert "没有采用：学前教育政府资助第1条：" in run("henan")


def test_check_changes_nothing(cast: Cast) -> None:
    before = rules()
    assert "全部正确" in run("ningxia", "--check")
    assert rules() == before


def test_the_command_reads_a_file(cast: Cast, tmp_path: Path) -> None:
    file = tmp_path / "县里的.toml"
    file.write_text((packs.SHIPPED / "ningxia.toml").read_text("utf-8"), "utf-8")
    assert "新增项目1个" in run(str(file))


def test_the_command_reads_what_notepad_saved(cast: Cast, tmp_path: Path) -> None:
    text = (packs.SHIPPED / "ningxia.toml").read_text("utf-8").replace("\n", "\r\n")
    file = tmp_path / "记事本.toml"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert "例子全部正确" in run(str(file), "--check")


def test_the_command_reads_no_more_of_a_file_than_a_pack_may_have(cast: Cast, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("#\n" * packs.MOST, "utf-8")
    with pytest.raises(CommandError, match="文件超过政策包的上限400000个字。"):
        run(str(file))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "读不出文件"),
        (b"\xff\xfe", "读不出文件"),
        (b"\xef\xbb\xbf[pack]", "文件[pack]：“code”没有写。"),
        (b"[pack", "不合TOML写法"),
        (b"[pack]", "文件[pack]：“code”没有写。"),
    ],
)
def test_the_command_refuses_a_file_with_sentences(
    cast: Cast, tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "x.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CommandError, match=re.escape(said)):
        run(str(file))


def test_the_command_knows_no_such_pack(cast: Cast) -> None:
    with pytest.raises(CommandError, match="没有代码为“atlantis”的政策包，现有：national、"):
        run("atlantis")
