"""Votes, points and ranks: what the method asks for, what passes; and the tier a meeting thinks right."""

import dataclasses
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import AuditRow
from subsidies import meeting_words, reviews
from subsidies.models import Application, Decision, Meeting, Programme, Standard
from subsidies.reviews import Verdict
from subsidies.states import State
from tests.cast import Cast, enrol, member_fields, minutes, refreshed, submitted, walk
from tests.subsidies.test_pages import _MINUTES, open_as, text_of

V = Decision.Verdict


@pytest.fixture
def rows(cast, round_):
    return submitted(cast, round_, *[enrol(cast, cast.class_a1, name=name) for name in ("张一", "张二", "张三")])


def set_rule(**changed) -> None:
    Programme.objects.get(code="living-aid").process_rules.update(**changed)


def meet(cast: Cast, verdicts: list[Verdict], *, level="class") -> Meeting:
    unit = cast.class_a1 if level == "class" else cast.school_a
    by = cast.grade_head_a if level == "class" else cast.officer_a
    round_ = verdicts[0].application.round
    return reviews.hold(round_=round_, unit=unit, level=level, minutes=minutes(), verdicts=verdicts, by=by)


def refusal(cast: Cast, verdicts: list[Verdict]) -> str:
    with pytest.raises(ValidationError) as refused:
        meet(cast, verdicts)
    assert not Meeting.objects.exists()
    assert {row.state for row in refreshed([v.application for v in verdicts])} == {State.SUBMITTED}
    return "".join(refused.value.messages)


# --- votes -----------------------------------------------------------------------------------------


def test_where_votes_are_asked_for_nobody_passes_without(cast, rows) -> None:
    set_rule(class_method="votes")
    bare = [Verdict(rows[0], V.AGREE, votes_for=10, votes_against=0), Verdict(rows[1], V.AGREE, votes_for=9)]
    assert refusal(cast, bare) == "规定以投票方式评议，还有 1 份没有填写同意票和反对票：张二。请补填后再提交。"


def test_who_goes_back_for_a_paper_was_not_voted_on(cast, rows) -> None:
    set_rule(class_method="votes", class_pass_mark=67)
    meeting = meet(cast, [
        Verdict(rows[0], V.AGREE, votes_for=7, votes_against=3),
        Verdict(rows[1], V.RETURN, opinion="补低保证"),
        Verdict(rows[2], V.REJECT, votes_for=2, votes_against=8, opinion="经评议不属困难家庭"),
    ])  # fmt: skip
    assert meeting.method == "votes"
    assert [row.state for row in refreshed(rows)] == [State.CLASS_REVIEWED, State.RETURNED, State.REJECTED]


def test_too_few_votes(cast, rows) -> None:
    set_rule(class_method="votes", class_pass_mark=67)
    told = refusal(cast, [Verdict(rows[0], V.AGREE, votes_for=6, votes_against=4)])
    assert told.startswith("规定同意票不少于到会人数的 67% 才能通过，到会 10 人，张一的同意票不够")


# --- points ----------------------------------------------------------------------------------------


def test_points_are_asked_for_and_have_a_least(cast, rows) -> None:
    set_rule(class_method="scores", class_pass_mark=60)
    assert "还有 1 份没有填写得分：张一" in refusal(cast, [Verdict(rows[0], V.AGREE)])
    low = [Verdict(rows[0], V.AGREE, score=Decimal("59.99"))]
    assert refusal(cast, low).startswith("规定得分不低于 60 分才能通过，张一的得分不够")
    meeting = meet(cast, [
        Verdict(rows[0], V.AGREE, score=Decimal(60)),
        Verdict(rows[1], V.REJECT, score=Decimal("41.5"), opinion="经评议困难程度较轻"),
    ])  # fmt: skip
    assert list(meeting.decisions.values_list("score", flat=True)) == [Decimal(60), Decimal("41.5")]


@pytest.mark.parametrize("score", ["-0.01", "100.01"])
def test_points_beyond_a_hundred(cast, rows, score) -> None:
    assert refusal(cast, [Verdict(rows[0], V.AGREE, score=Decimal(score))]) == "得分在 0 至 100 之间，请核对：张一。"


# --- ranks -----------------------------------------------------------------------------------------


def test_a_ranking_has_everybody_once(cast, rows) -> None:
    set_rule(class_method="ranking")
    one, two, three = rows
    assert "还有 1 份没有填写名次（1 为最困难）：张三" in refusal(
        cast, [Verdict(one, V.AGREE, rank=1), Verdict(two, V.AGREE, rank=2), Verdict(three, V.AGREE)]
    )
    same = [Verdict(one, V.AGREE, rank=1), Verdict(two, V.AGREE, rank=1)]
    assert refusal(cast, same) == "名次 1 填了 2 次（张一、张二），请排出先后。"
    gap = [Verdict(one, V.AGREE, rank=1), Verdict(two, V.AGREE, rank=3)]
    assert refusal(cast, gap) == "排了 2 人，名次要从 1 到 2，不跳号。请核对名次。"
    meeting = meet(cast, [Verdict(one, V.AGREE, rank=2), Verdict(two, V.AGREE, rank=1)])
    assert dict(meeting.decisions.values_list("application", "rank")) == {one.pk: 2, two.pk: 1}


@given(st.lists(st.one_of(st.none(), st.integers(1, 6)), max_size=6))
def test_ranks_stand_where_they_count_from_one_without_a_gap(ranks: list[int | None]) -> None:
    rows = [Application(school_class_id=1) for _ in ranks]
    for row in rows:
        row.pupil = type(row)._meta.get_field("pupil").related_model(name="学生")
    verdicts = [Verdict(row, V.AGREE, rank=rank) for row, rank in zip(rows, ranks, strict=True)]
    given_ranks = [rank for rank in ranks if rank is not None]
    try:
        reviews._check_ranks(verdicts, reviews.LEVELS["class"])
        stands = True
    except ValidationError:
        stands = False
    assert stands == (sorted(given_ranks) == list(range(1, len(given_ranks) + 1)))


def test_the_database_wants_possible_figures(cast, rows) -> None:
    meeting = meet(cast, [Verdict(rows[0], V.AGREE)])
    for wrong in ({"score": Decimal(101)}, {"rank": 0}, {"verdict": "return", "opinion": "补材料", "tier": "困难"}):
        told = {"verdict": "agree"} | wrong
        with pytest.raises(IntegrityError), transaction.atomic():
            Decision.objects.create(meeting=meeting, application=rows[1], **told)


# --- the tier --------------------------------------------------------------------------------------


@pytest.fixture
def tiered(cast, rows):
    """The programme pays by tier; the three were filed as 一般困难."""
    programme = Programme.objects.get(code="living-aid")
    programme.tiers = ["特别困难", "一般困难"]
    programme.save(update_fields=["tiers"])
    Application.objects.update(tier="一般困难")
    return refreshed(rows)


def raise_amount(tier: str, amount: str) -> None:
    """Of all standards in force there is one more for the tier."""
    for row in Standard.objects.filter(programme__code="living-aid", last_term=""):
        Standard.objects.create(
            programme=row.programme, conditions=row.conditions | {"tier": [tier]}, any_of=row.any_of,
            all_of=row.all_of, none_of=row.none_of, flags=row.flags, amount=Decimal(amount), periods=row.periods,
            document="云教〔2026〕9号", first_term=row.first_term,
        )  # fmt: skip
        row.conditions |= {"tier": ["一般困难"]}
        row.save()


def test_the_tier_a_meeting_thinks_right_is_frozen_with_its_amount(cast, tiered) -> None:
    raise_amount("特别困难", "777.00")
    one, two, _ = tiered
    before = two.amount
    meeting = meet(cast, [Verdict(one, V.AGREE, tier="特别困难"), Verdict(two, V.AGREE)])
    one, two = refreshed([one, two])
    assert (one.tier, one.amount, one.state) == ("特别困难", Decimal("777.00"), State.CLASS_REVIEWED)
    assert (two.tier, two.amount) == ("一般困难", before)
    assert list(meeting.decisions.values_list("tier", flat=True)) == ["特别困难", "一般困难"]
    assert one.steps.last().note == "困难等级由“一般困难”调整为“特别困难”。"
    assert one.reckonings.last().amount == Decimal("777.00")
    told = AuditRow.objects.get(action="application.regrade").detail
    assert (told["from"], told["to"], told["new"]) == ("一般困难", "特别困难", "777.00")


def test_the_school_may_think_otherwise_again(cast, tiered) -> None:
    raise_amount("特别困难", "777.00")
    meet(cast, [Verdict(tiered[0], V.AGREE, tier="特别困难", opinion="家访属实")])
    [row] = refreshed(tiered[:1])
    meet(cast, [Verdict(row, V.AGREE, tier="一般困难", opinion="已有其他补助")], level="school")
    [row] = refreshed(tiered[:1])
    assert (row.tier, row.state) == ("一般困难", State.SCHOOL_REVIEWED)
    assert row.steps.last().note == "已有其他补助 困难等级由“特别困难”调整为“一般困难”。"


def test_a_tier_that_gives_nothing_is_refused_whole(cast, tiered) -> None:
    raise_amount("特别困难", "777.00")
    Standard.objects.filter(amount=Decimal("777.00")).delete()
    told = refusal(cast, [Verdict(tiered[1], V.AGREE), Verdict(tiered[0], V.AGREE, tier="特别困难")])
    assert told.startswith("张一按“特别困难”不能资助：")
    assert refreshed(tiered[:1])[0].tier == "一般困难"


def test_tiers_nobody_offers_and_tiers_of_who_is_refused(cast, tiered) -> None:
    assert "“甲等”不是" in refusal(cast, [Verdict(tiered[0], V.AGREE, tier="甲等")])
    wrong = [Verdict(tiered[0], V.REJECT, tier="特别困难", opinion="不属困难家庭")]
    assert refusal(cast, wrong) == "只有同意的才写建议等级，请核对：张一。"


# --- the page and the rule -------------------------------------------------------------------------


def test_the_page_asks_for_what_the_method_wants(cast, round_, rows) -> None:
    set_rule(class_method="scores", class_pass_mark=60)
    url, officer = reverse("class_review", args=[round_.pk, cast.class_a1.pk]), open_as(cast.officer_a)
    page = officer.get(url)
    assert "打分，得分不低于60分" in text_of(page)
    assert f"score_{rows[0].pk}" in page.context["form"].fields
    assert f"votes_for_{rows[0].pk}" not in page.context["form"].fields
    said = _MINUTES | member_fields() | {f"score_{row.pk}": "75.5" for row in rows}
    answer = officer.post(url, said, follow=True)
    assert "75.5" in text_of(answer)
    assert {d.score for d in Decision.objects.all()} == {Decimal("75.5")}


def test_the_page_changes_a_tier(cast, round_, tiered) -> None:
    raise_amount("特别困难", "777.00")
    url, officer = reverse("class_review", args=[round_.pk, cast.class_a1.pk]), open_as(cast.officer_a)
    one, two, three = tiered
    said = _MINUTES | member_fields() | {f"tier_{row.pk}": "一般困难" for row in tiered}
    said |= {f"tier_{one.pk}": "特别困难", f"verdict_{three.pk}": "reject", f"opinion_{three.pk}": "条件不符"}
    page = text_of(officer.post(url, said, follow=True))
    assert "建议等级" in page
    assert [row.tier for row in refreshed([one, two, three])] == ["特别困难", "一般困难", "一般困难"]


def test_what_a_rule_says_of_meetings_in_words() -> None:
    rule = Programme(stages=["primary"]).process_rules.model(
        class_method="votes", class_pass_mark=67, school_method="scores", attendance_percent=80,
        seats={"primary": {"pupil": 0, "parent": 2}, "school": {"village": 1}},
    )  # fmt: skip
    assert meeting_words.rule_words(rule) == [
        "班级评议无记名投票，同意票不少于到会人数的67%",
        "学校评审打分",
        "到会率不低于80%",
        "小学班级评议小组学生不参加，家长至少2人",
        "学校评审小组村（居）委会干部至少1人",
    ]


def test_a_meeting_keeps_the_method_it_was_held_by(cast, rows) -> None:
    meeting = meet(cast, [Verdict(rows[0], V.AGREE, votes_for=10, votes_against=0)])
    set_rule(class_method="scores")
    meeting.refresh_from_db()
    assert meeting.get_method_display() == "讨论决定"


def test_observers_are_written_down(cast, rows) -> None:
    held = dataclasses.replace(minutes(), observers="周老师")
    verdicts = [Verdict(rows[0], V.AGREE)]
    meeting = reviews.hold(
        round_=rows[0].round, unit=cast.class_a1, level="class", minutes=held, verdicts=verdicts, by=cast.grade_head_a
    )
    assert meeting.observers == "周老师"


def test_the_school_counts_by_its_own_rule(cast, rows) -> None:
    set_rule(school_method="votes", school_pass_mark=50)
    passed = walk(cast, rows, State.CLASS_REVIEWED)
    with pytest.raises(ValidationError, match="同意票不少于到会人数的 50%"):
        meet(cast, [Verdict(passed[0], V.AGREE, votes_for=4, votes_against=6)], level="school")
    meet(cast, [Verdict(passed[0], V.AGREE, votes_for=5, votes_against=5)], level="school")
