"""A programme in the county's own hands: created, changed where no money hangs on it, switched off and on."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from accounts import clock
from accounts.models import AuditRow
from subsidies import programme_records as records
from subsidies import rounds, urls
from subsidies.models import Application, Programme, Round
from subsidies.states import State
from tests import cast as casting
from tests.cast import Cast, enrol, submitted, walk

NEW = {
    "name": "云岭县高中校服补助",
    "code": "",
    "stages": ["senior"],
    "basis": "云教〔2026〕8号",
    "unit": "once",
    "recipients": "listed",
    "channels": ["card"],
}


@pytest.fixture
def living_aid(cast: Cast) -> Programme:
    return Programme.objects.get(code="living-aid")


def create(cast: Cast, **changed) -> Programme:
    return records.add(Programme(**NEW | changed), county=cast.county, by=cast.clerk)


def refused(cast: Cast, **changed) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as refusal:
        create(cast, **changed)
    return refusal.value.message_dict


def changed_to(cast: Cast, programme: Programme, *, document: str = "云教〔2026〕9号", **changed) -> Programme:
    held = Programme.objects.get(pk=programme.pk)
    new = Programme.objects.get(pk=programme.pk)
    for field, value in changed.items():
        setattr(new, field, value)
    return records.change(new, began_from=records.state_of(held), document=document, county=cast.county, by=cast.clerk)


def why_not(cast: Cast, programme: Programme, **changed) -> ValidationError:
    before = Programme.objects.filter(pk=programme.pk).values().get()
    with pytest.raises(ValidationError) as refusal:
        changed_to(cast, programme, **changed)
    assert Programme.objects.filter(pk=programme.pk).values().get() == before
    assert not AuditRow.objects.filter(action="programme.change").exists()
    return refusal.value


# --- creating --------------------------------------------------------------------------------------


def test_a_programme_is_created_with_a_code_from_its_name(cast: Cast) -> None:
    made = create(cast)
    assert (made.code, made.recorded_by, made.is_active) == ("ylxgzxfbz", cast.clerk, True)
    told = AuditRow.objects.get(action="programme.create")
    assert (told.username, told.detail["basis"]) == ("clerk", "云教〔2026〕8号")
    assert "学段：普通高中；" in told.detail["new"]
    assert "发放渠道：银行卡或社会保障卡" in told.detail["new"]
    assert create(cast, name="云岭县高中学费补助").code == "ylxgzxfbz-2"


def test_a_code_of_ones_own_and_names_nobody_can_read(cast: Cast) -> None:
    assert create(cast, code="uniform-2026").code == "uniform-2026"
    assert create(cast, name="2026").code == "xm"


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"name": "普通高中国家助学金", "code": "x"}, "name", "两个项目不能同名"),
        ({"code": "living-aid"}, "code", "已经用于另一个项目"),
        ({"code": "packs"}, "code", "代码“packs”不能用"),
        ({"code": "校服"}, "code", "只能"),
        ({"channels": ["cash"]}, "channels", "财政资金，不能以现金发放"),
        ({"channels": ["meal_card"]}, "channels", "财政资金，不能以饭卡发放"),
        ({"form": "waiver"}, "channels", "资助形式是减免费用"),
        ({"form": "meals", "channels": ["school"]}, "channels", "资助形式是供餐"),
        ({"unit": "term", "pro_rata": True}, "pro_rata", "只有按月或按天计算的"),
        ({"stages": ["college"]}, "stages", "不认识"),
        ({"tiers": ["困难"]}, "tiers", "只有一个等级就是不分等级"),
        ({"tiers": ["困难", "困难"]}, "tiers", "写了两次"),
        ({"tiers": ["困难", "困" * 21]}, "tiers", "最多 20 个字"),
    ],
)
def test_a_programme_that_may_not_be_is_refused_at_its_field(cast: Cast, changed, field, words) -> None:
    count = Programme.objects.count()
    assert words in "".join(refused(cast, **changed)[field])
    assert Programme.objects.count() == count


def test_every_fault_is_said_at_once(cast: Cast) -> None:
    assert set(refused(cast, code="packs", channels=["cash"], pro_rata=True)) == {"code", "channels", "pro_rata"}


def test_only_who_keeps_the_rules_creates_programmes(cast: Cast) -> None:
    for who in (cast.head, cast.officer_a, cast.admin):
        with pytest.raises(PermissionDenied):
            records.add(Programme(**NEW), county=cast.county, by=who)


def test_no_programme_is_called_like_a_page(cast: Cast) -> None:
    routes = [str(each.pattern) for each in urls.urlpatterns if str(each.pattern).startswith("programmes/")]
    words = {route.split("/")[1] for route in routes} - {""}
    assert {word for word in words if not word.startswith("<")} == records.RESERVED


# --- changing --------------------------------------------------------------------------------------


def test_what_no_money_hangs_on_is_changed_with_old_and_new_in_the_trail(cast: Cast, living_aid: Programme) -> None:
    changed_to(cast, living_aid, name="义务教育生活补助", basis="财教〔2024〕1号", applied="term")
    living_aid.refresh_from_db()
    assert (living_aid.name, living_aid.applied) == ("义务教育生活补助", "term")
    told = AuditRow.objects.get(action="programme.change").detail
    assert "项目：义务教育家庭经济困难学生生活补助；" in told["was"]
    assert told["new"] == "项目：义务教育生活补助；政策依据：财教〔2024〕1号；申请：每学期申请"
    assert (told["programme"], told["basis"]) == ("living-aid", "云教〔2026〕9号")


def test_the_code_stays(cast: Cast, living_aid: Programme) -> None:
    assert "没有改动任何内容" in "".join(why_not(cast, living_aid, code="other").messages)


def test_a_change_needs_its_document(cast: Cast, living_aid: Programme) -> None:
    assert "document" in why_not(cast, living_aid, name="生活补助", document="  ").message_dict


def test_somebody_elses_change_is_not_overwritten(cast: Cast, living_aid: Programme) -> None:
    began = records.state_of(living_aid)
    changed_to(cast, living_aid, basis="财教〔2024〕1号")
    living_aid.name = "生活补助"
    with pytest.raises(ValidationError, match="刚刚被别人修改过"):
        records.change(living_aid, began_from=began, document="云教", county=cast.county, by=cast.clerk)


def test_the_unit_stays_once_there_are_standards(cast: Cast, living_aid: Programme) -> None:
    (words,) = why_not(cast, living_aid, unit="year").message_dict["unit"]
    assert "条标准按学期计算" in words
    assert "请新增一个项目" in words
    fresh = create(cast)
    changed_to(cast, fresh, unit="month", pro_rata=True)
    fresh.refresh_from_db()
    assert fresh.unit == "month"


def test_a_stage_stays_while_standards_cases_or_rounds_are_for_it(cast: Cast, living_aid: Programme, round_) -> None:
    submitted(cast, round_, enrol(cast, cast.class_a1))
    words = "".join(why_not(cast, living_aid, stages=["primary"]).message_dict["stages"])
    assert "条标准写明给初中学生" in words
    assert "已有 1 份初中学生的申请" in words
    assert "的批次填报到2026年11月11日截止" in words


def test_a_stage_nobody_was_aided_in_goes_and_one_comes(cast: Cast) -> None:
    fresh = create(cast, stages=["senior", "vocational"])
    changed_to(cast, fresh, stages=["senior", "junior"])
    fresh.refresh_from_db()
    assert fresh.stages == ["senior", "junior"]


def test_tiers_in_use_keep_their_names_others_may_come(cast: Cast) -> None:
    senior = Programme.objects.get(code="senior-grant")
    first, *rest = senior.tiers
    words = "".join(why_not(cast, senior, tiers=["最困难", *rest]).message_dict["tiers"])
    assert f"等级“{first}”已用于" in words
    changed_to(cast, senior, tiers=[*rest, first, "临时困难"])
    senior.refresh_from_db()
    assert senior.tiers == [*rest, first, "临时困难"]


def test_how_it_is_paid_stays_while_approved_cases_wait(cast: Cast, living_aid: Programme, round_) -> None:
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.APPROVED)
    for changed in ({"paid": "month"}, {"funding": "social"}, {"form": "waiver", "channels": ["school"]}):
        (words,) = [one for said in why_not(cast, living_aid, **changed).message_dict.values() for one in said]
        assert words.startswith("有 1 份申请已经审批、还没有发放完")


def test_highest_wins_is_not_taken_back_while_rows_lean_on_it(cast: Cast, living_aid: Programme) -> None:
    changed_to(cast, living_aid, highest_wins=True)
    row = living_aid.standards.filter(last_term="").first()
    row.pk, row.conditions, row.amount, row.first_term = None, {"stage": row.conditions["stage"]}, 900, "2026-2027-2"
    row.save(force_insert=True)
    held = Programme.objects.get(pk=living_aid.pk)
    held.highest_wins = False
    with pytest.raises(ValidationError) as refusal:
        records.check_change(Programme.objects.get(pk=living_aid.pk), held, cast.county)
    assert "会同时适用于同一名学生" in refusal.value.message_dict["highest_wins"][0]


def test_what_would_judge_submitted_cases_otherwise_is_refused(cast: Cast, living_aid: Programme, round_) -> None:
    """Everybody's programme for listed categories: a child without any who is aided now would not be."""
    Programme.objects.filter(pk=living_aid.pk).update(recipients="all")
    living_aid.refresh_from_db()
    submitted(cast, casting.Round.objects.get(pk=round_.pk), enrol(cast, cast.class_a1, kinds=()))
    words = "".join(why_not(cast, living_aid, recipients="listed").messages)
    assert "2026—2027学年秋季学期 1 份（差额 -750.00 元）" in words
    assert "请新增一个项目" in words
    changed_to(cast, living_aid, name="生活补助（全体）")


def test_whom_a_change_would_touch_is_reckoned_before(cast: Cast, living_aid: Programme) -> None:
    enrol(cast, cast.class_a1, name="张一")
    enrol(cast, cast.class_a1, name="李二", kinds=())
    held, new = (Programme.objects.get(pk=living_aid.pk) for _ in range(2))
    new.recipients = "all"
    assert records.decides(held, new)
    effect = records.effect_of(held, new, cast.county)
    assert [(each.name, each.before) for each in effect.changes] == [("李二", None)]
    assert effect.sentence.startswith("自2026年秋季学期起有 1 名学生的金额会变化")
    new.recipients = "percentage"  # how many of the listed is the quota's matter
    assert not records.decides(held, new)


def test_pupils_of_a_new_stage_are_reckoned_too(cast: Cast, living_aid: Programme) -> None:
    living_aid.standards.exclude(conditions__stage=["primary"]).delete()
    Programme.objects.filter(pk=living_aid.pk).update(stages=["primary"])
    row = living_aid.standards.filter(last_term="").first()
    row.conditions = {}
    living_aid.standards.exclude(pk=row.pk).delete()
    row.save()
    enrol(cast, cast.class_a1, name="张一")
    held, new = (Programme.objects.get(pk=living_aid.pk) for _ in range(2))
    new.stages = ["primary", "junior"]
    assert [each.name for each in records.effect_of(held, new, cast.county).changes] == ["张一"]


# --- off and on ------------------------------------------------------------------------------------


def switch_off(cast: Cast, programme: Programme, seen: str = "", reason: str = "云教〔2026〕9号") -> Programme:
    return records.switch_off(programme, reason=reason, seen=seen, county=cast.county, by=cast.clerk)


def test_a_programme_is_switched_off_and_on_with_a_reason(cast: Cast, living_aid: Programme) -> None:
    with pytest.raises(ValidationError, match="请写明原因和依据"):
        switch_off(cast, living_aid, reason=" ")
    switch_off(cast, living_aid)
    with pytest.raises(ValidationError, match="已停用，不能开启批次"):
        casting.open_round(cast)
    with pytest.raises(ValidationError, match="已经停用"):
        switch_off(cast, living_aid)
    records.switch_on(living_aid, reason="县政府会议纪要", county=cast.county, by=cast.clerk)
    assert casting.open_round(cast).pk
    told = AuditRow.objects.filter(action__startswith="programme.switch").order_by("number")
    assert [(row.action, row.detail["note"]) for row in told] == [
        ("programme.switch_off", "云教〔2026〕9号"),
        ("programme.switch_on", "县政府会议纪要"),
    ]
    with pytest.raises(PermissionDenied):
        records.switch_off(living_aid, reason="x", seen="", county=cast.county, by=cast.head)


def test_what_is_not_finished_is_named_and_must_have_been_seen(cast: Cast, living_aid: Programme, round_) -> None:
    cases = submitted(cast, round_, enrol(cast, cast.class_a1, name="张一"), enrol(cast, cast.class_a1, name="李二"))
    walk(cast, cases[:1], State.APPROVED)
    (row,) = records.unfinished(living_aid)
    assert (row.open_cases, row.unpaid, f"{row.unpaid_total:.2f}") == (2, 1, "750.00")
    assert row.sentence == (
        "2026—2027学年秋季学期（云岭县）：填报到2026年11月11日截止；还有 2 份申请没有办完，"
        "其中 1 份待发放，共 750.00 元。"
    )
    with pytest.raises(ValidationError, match="没有停用"):
        switch_off(cast, living_aid)
    switch_off(cast, living_aid, seen=records.seen_of([row]))
    assert not Programme.objects.get(pk=living_aid.pk).is_active
    # What was opened goes on to its end.
    walk(cast, [Application.objects.get(pk=cases[1].pk)], State.CLASS_REVIEWED)


def test_a_round_at_its_end_does_not_stand_in_the_way(cast: Cast, living_aid: Programme, round_: Round) -> None:
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.PAID)
    rounds.change_window(round_, opens_on=round_.opens_on, closes_on=clock.today(), reason="都已填报", by=cast.clerk)
    clock.set_demo_day(clock.today() + dt.timedelta(days=1))
    assert records.unfinished(living_aid) == []
    assert switch_off(cast, living_aid).is_active is False
