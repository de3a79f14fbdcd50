"""The school's review to its quota: who is ranked, who stands on the reserve and why, what the principal sees."""

import itertools

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import clock
from students.models import Category
from subsidies import officer_checks, reviews, school_desk, workflow
from subsidies.models import Decision, OfficerCheck, StepTaken
from subsidies.officer_checks import Found
from subsidies.reviews import Verdict
from subsidies.states import Duty, State, Step
from tests import cast as casting
from tests.cast import enrol, refreshed, submitted, walk
from tests.subsidies.quota_hands import allot, give, pass_on, receive

V = Decision.Verdict


@pytest.fixture
def cases(cast, round_):
    """Four before the school's review, with two places for them."""
    kinds = {"甲": "disabled", "乙": "dibao_rural", "丙": "dibao_rural"}
    rows = [enrol(cast, cast.class_a1, name=f"陈小{n}", kinds=(kind,)) for n, kind in kinds.items()]
    rows.append(enrol(cast, cast.class_a2, name="陈小戊", kinds=("disabled",)))
    found = walk(cast, submitted(cast, round_, *rows), State.CLASS_REVIEWED)
    give(cast, round_, 2)
    return found


def hold(cast, cases, verdicts: list[tuple], *, by=None):
    said = [
        Verdict(case, verdict, rank=rank, opinion="" if verdict == V.AGREE else f"排第 {rank} 位，名额用完。")
        for case, verdict, rank in verdicts
    ]
    return reviews.hold(
        round_=cases[0].round,
        unit=cast.school_a,
        level="school",
        minutes=casting.minutes(),
        verdicts=said,
        by=by or cast.officer_a,
    )


def as_proposed(cast, cases) -> None:
    order = school_desk.order_of(cases[0].round, cast.school_a, cases)
    hold(
        cast,
        cases,
        [
            (case, V.AGREE if order.proposed[case.pk].is_inside else V.RESERVE, order.proposed[case.pk].rank)
            for case in cases
        ],
    )


def test_the_order_follows_the_kind_of_hardship_and_says_so(cast, round_, cases):
    order = school_desk.order_of(round_, cast.school_a, cases)
    ranks = dict(Category.objects.values_list("code", "rank"))
    hardest = [
        min(ranks[c["code"]] for c in case.facts["categories"])
        for case in sorted(cases, key=lambda case: order.proposed[case.pk].rank)
    ]
    assert hardest == sorted(hardest)
    assert order.is_limited
    assert order.tight == {case.pk for case in cases}
    assert order.sentences == (f"本校可用名额 2 个，有 {len(cases)} 人要占名额，多出 {len(cases) - 2} 人。",)
    beyond = [each for each in order.proposed.values() if not each.is_inside]
    assert len(beyond) == len(cases) - 2
    assert all("列为候补" in each.reason for each in beyond)


def test_what_is_proposed_can_be_decided_and_the_rest_waits_with_a_reason(cast, cases):
    as_proposed(cast, cases)
    states = [case.state for case in refreshed(cases)]
    assert states.count(State.SCHOOL_REVIEWED) == 2
    assert states.count(State.CLASS_REVIEWED) == len(cases) - 2
    told = StepTaken.objects.filter(step=Step.PUT_ON_RESERVE)
    assert told.count() == len(cases) - 2
    assert all("名额用完" in step.note for step in told)


def test_nobody_on_the_reserve_is_passed_over(cast, cases):
    with pytest.raises(ValidationError, match="排第 1 位列为候补，排在后面的"):
        hold(cast, cases, [(cases[0], V.RESERVE, 1), (cases[1], V.AGREE, 2), (cases[2], V.AGREE, 3)])
    assert {case.state for case in refreshed(cases)} == {State.CLASS_REVIEWED}
    assert not Decision.objects.filter(meeting__level="school").exists()


def test_a_reserve_without_ranks_is_refused(cast, cases):
    with pytest.raises(ValidationError, match="都要写名次"):
        hold(cast, cases, [(cases[0], V.AGREE, None), (cases[1], V.AGREE, 2), (cases[2], V.RESERVE, 3)])


def test_no_reserve_while_places_are_free(cast, cases):
    with pytest.raises(ValidationError, match="还有名额，不能列候补"):
        hold(cast, cases, [(cases[0], V.AGREE, 1), (cases[1], V.RESERVE, 2)])


def test_a_reserve_gives_its_reason(cast, cases):
    with pytest.raises(ValidationError, match="要写明意见"):
        reviews.hold(
            round_=cases[0].round,
            unit=cast.school_a,
            level="school",
            minutes=casting.minutes(),
            verdicts=[Verdict(cases[0], V.RESERVE, rank=1)],
            by=cast.officer_a,
        )


def test_without_a_quota_nobody_competes(cast, round_):
    rows = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.CLASS_REVIEWED)
    order = school_desk.order_of(round_, cast.school_a, rows)
    assert not order.is_limited
    assert not order.tight
    with pytest.raises(ValidationError, match="不限名额，不用列候补"):
        hold(cast, rows, [(rows[0], V.RESERVE, 1)])


def test_classes_with_places_of_their_own_are_ranked_apart(cast, round_, cases):
    pass_on(cast, round_, {cast.class_a1: 1, cast.class_a2: 1})
    order = school_desk.order_of(round_, cast.school_a, cases)
    assert order.proposed[cases[-1].pk].is_inside  # the only one of class 2
    assert order.tight == {case.pk for case in cases[:-1]}
    assert sum(order.proposed[case.pk].is_inside for case in cases[:-1]) == 1


def test_who_needs_no_place_is_not_put_on_the_reserve(cast, round_, cases):
    round_.programme.outside_quota.create(
        category_code=cases[0].facts["categories"][0]["code"], first_term=cast.term.key, source="云教"
    )
    order = school_desk.order_of(round_, cast.school_a, cases)
    assert order.proposed[cases[0].pk].rank is None
    with pytest.raises(ValidationError, match="不能列为候补"):
        hold(cast, cases, [(cases[0], V.RESERVE, 1)])


def test_the_reserve_moves_up_when_places_come(cast, round_, cases):
    as_proposed(cast, cases)
    waiting = school_desk.reserve(round_, cast.school_a)
    assert [row.rank for row in waiting] == sorted(row.rank for row in waiting)
    assert len(waiting) == len(cases) - 2
    receive(cast, round_, 10)
    allot(cast, round_, {cast.school_a: 10})
    rows = refreshed([row.application for row in waiting])
    assert not school_desk.order_of(round_, cast.school_a, rows).tight
    casting.agree(rows, "school", cast.school_a, by=cast.officer_a)
    assert {case.state for case in refreshed(cases)} == {State.SCHOOL_REVIEWED}
    assert school_desk.reserve(round_, cast.school_a) == []


def on_the_reserve(cast, round_, cases, *, places: int):
    """Two agreed to, two on the reserve, third and fourth; then the school has so many places."""
    hold(
        cast,
        cases,
        [(cases[0], V.AGREE, 1), (cases[1], V.AGREE, 2), (cases[2], V.RESERVE, 3), (cases[3], V.RESERVE, 4)],
    )
    receive(cast, round_, places)
    allot(cast, round_, {cast.school_a: places})
    return refreshed(cases)


def test_a_later_meeting_passes_over_nobody_on_the_reserve_either(cast, round_, cases):
    rows = on_the_reserve(cast, round_, cases, places=3)
    with pytest.raises(ValidationError, match="陈小丙在候补名单上排第 3 位，这次没有作出结论；同意陈小戊以后"):
        hold(cast, rows, [(rows[3], V.AGREE, None)])
    hold(cast, rows, [(rows[2], V.AGREE, None)])
    assert [row.state for row in refreshed(rows)[2:]] == [State.SCHOOL_REVIEWED, State.CLASS_REVIEWED]


def test_with_places_for_all_on_the_reserve_the_order_matters_no_more(cast, round_, cases):
    rows = on_the_reserve(cast, round_, cases, places=4)
    hold(cast, rows, [(rows[3], V.AGREE, None)])
    assert refreshed(rows)[3].state == State.SCHOOL_REVIEWED


def test_who_is_new_is_ranked_with_those_on_the_reserve(cast, round_, cases):
    rows = on_the_reserve(cast, round_, cases, places=3)
    [new] = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1, name="陈小己")), State.CLASS_REVIEWED)
    with pytest.raises(ValidationError, match="请把候补的人一并列入，重新排出名次"):
        hold(cast, [new], [(new, V.AGREE, None)])
    hold(cast, rows, [(new, V.AGREE, 1), (rows[2], V.RESERVE, 2), (rows[3], V.RESERVE, 3)])
    assert refreshed([new])[0].state == State.SCHOOL_REVIEWED


def test_what_one_may_decide_does_not_wait_for_a_reserve_that_is_closed_to_them(cast, round_, cases):
    rows = on_the_reserve(cast, round_, cases, places=3)
    [new] = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1, name="陈小己")), State.CLASS_REVIEWED)
    other = casting.person("bai", "白专干", "aid_officer", cast.school_a)
    workflow.take_duty(rows[2:], Duty.CLASS_REVIEW, by=other)  # closed to them; nobody could rank these but another
    hold(cast, [new], [(new, V.AGREE, None)], by=other)
    assert refreshed([new])[0].state == State.SCHOOL_REVIEWED


def test_one_goes_back_to_a_chosen_desk_and_the_rest_goes_on(cast, cases):
    said = {V.AGREE: cases[0], V.RETURN: cases[1], V.TO_CLASS: cases[2]}
    reviews.hold(
        round_=cases[0].round,
        unit=cast.school_a,
        level="school",
        minutes=casting.minutes(),
        verdicts=[Verdict(case, verdict, opinion="请核对") for verdict, case in said.items()],
        by=cast.officer_a,
    )
    assert [case.state for case in refreshed(list(said.values()))] == [
        State.SCHOOL_REVIEWED,
        State.RETURNED,
        State.SUBMITTED,
    ]


# --- pages -----------------------------------------------------------------------------------------


def review_page(cast, cases) -> str:
    return reverse("school_review", args=[cases[0].round_id, cast.school_a.pk])


def filled(form, **changes: str) -> dict[str, str]:
    data = {name: form[name].value() for name in form.fields if name != "photos"}
    data |= {"held_on": clock.today().isoformat(), "place": "会议室", "chair": "周校长", "text": "逐一评议。"}
    for n in range(1, form.places + 1):
        data |= {f"name_{n}": f"成员{n}", f"kind_{n}": "teacher", f"capacity_{n}": "教师代表", f"namesake_{n}": ""}
        data |= {f"absent_{n}": "", f"child_{n}": ""}
    data = {name: "" if value in (None, False) else value for name, value in data.items()} | changes
    return {name: value for name, value in data.items() if not (name.startswith(("absent", "namesake")) and not value)}


def test_the_officer_finds_order_and_reasons_and_saves_them_as_they_stand(as_user, cast, round_, cases):
    officer = as_user(cast.officer_a)
    page = officer.get(review_page(cast, cases))
    text = page.content.decode()
    assert "名额不够，按困难程度排序" in text
    assert text.count("建议第 1 位") == 1
    assert f"未核对 {sum(case.school_class_id == cast.class_a1.pk for case in cases)} 份" in text
    answer = officer.post(review_page(cast, cases), filled(page.context["form"]))
    assert answer.status_code == 302, answer.context["form"].errors
    said = Decision.objects.filter(meeting__level="school").order_by("rank")
    assert [row.rank for row in said] == list(range(1, len(cases) + 1))
    assert [row.verdict for row in said] == [V.AGREE] * 2 + [V.RESERVE] * (len(cases) - 2)
    assert all("按困难程度排第" in row.opinion for row in said)


def test_what_the_committee_changes_is_checked_and_kept_on_the_page(as_user, cast, cases):
    officer = as_user(cast.officer_a)
    form = officer.get(review_page(cast, cases)).context["form"]
    first = next(case for case in cases if form.order.proposed[case.pk].rank == 1)
    answer = officer.post(review_page(cast, cases), filled(form, **{f"verdict_{first.pk}": "reserve"}))
    text = answer.content.decode()
    assert "排第 1 位列为候补" in text
    assert "周校长" in text


def test_the_words_of_the_proposal_do_not_clear_up_a_doubt(as_user, cast, cases):
    order = school_desk.order_of(cases[0].round, cast.school_a, cases)
    first = next(case for case in cases if order.proposed[case.pk].rank == 1)
    doubt = Found(first, OfficerCheck.Finding.DOUBTFUL, "证明看不清")
    officer_checks.record(first.round, first.school_class, [doubt], by=cast.officer_a)
    officer = as_user(cast.officer_a)
    form = officer.get(review_page(cast, cases)).context["form"]
    assert "核对时有疑问" in officer.post(review_page(cast, cases), filled(form)).content.decode()
    cleared = filled(form, **{f"opinion_{first.pk}": "已看原件，属实。"})
    assert officer.post(review_page(cast, cases), cleared).status_code == 302


def test_without_a_quota_the_page_offers_no_reserve(as_user, cast, round_):
    rows = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.CLASS_REVIEWED)
    text = as_user(cast.officer_a).get(review_page(cast, rows)).content.decode()
    assert "列为候补" not in text.replace("退回、候补或不同意", "")
    assert "名次" not in text


def test_the_principal_sees_rank_reason_place_and_who_was_left_out(as_user, cast, round_, cases):
    as_proposed(cast, cases)
    principal = as_user(cast.principal_a)
    text = principal.get(reverse("school_confirm", args=[round_.pk, cast.school_a.pk])).content.decode()
    assert "，第 1 位" in text
    assert "占用名额" in text
    assert "本校名额 2，已用 2，没有空余" in text
    assert f"候补 {len(cases) - 2} 人" in text
    outside = school_desk.reserve(round_, cast.school_a)[0]
    assert outside.application.pupil.name in text
    assert outside.opinion in text


def test_the_class_teacher_reads_why_a_pupil_is_outside(as_user, cast, round_, cases):
    as_proposed(cast, cases)
    left = school_desk.reserve(round_, cast.school_a)
    outside = next(row for row in left if row.application.school_class_id == cast.class_a1.pk)
    text = as_user(cast.teacher_a1).get(reverse("application", args=[outside.application_id])).content.decode()
    assert "名额用完，列为候补" in text
    assert outside.opinion in text


@pytest.mark.parametrize("page", ["school_review", "school_confirm"])
def test_a_page_asks_the_database_no_more_for_more_cases(as_user, cast, round_, page):
    person = as_user(cast.officer_a if page == "school_review" else cast.principal_a)
    state = State.CLASS_REVIEWED if page == "school_review" else State.SCHOOL_REVIEWED
    names = itertools.count()

    def more(count: int) -> None:
        rows = [enrol(cast, cast.class_a1, name=f"赵小{'甲乙丙丁戊己庚'[next(names)]}") for _ in range(count)]
        walk(cast, submitted(cast, round_, *rows), state)

    def queries() -> int:
        address = reverse(page, args=[round_.pk, cast.school_a.pk])
        with CaptureQueriesContext(connection) as asked:
            assert person.get(address).status_code == 200
        return len(asked)

    more(1)
    queries()
    few = queries()
    more(3)
    assert queries() == few


def test_a_withdrawn_reserve_is_gone_from_the_list(cast, round_, cases):
    as_proposed(cast, cases)
    row = school_desk.reserve(round_, cast.school_a)[0].application
    hold(cast, refreshed([row]), [(refreshed([row])[0], V.REJECT, None)])
    assert row.pk not in {each.application_id for each in school_desk.reserve(round_, cast.school_a)}


def test_the_same_meeting_sent_twice_is_recorded_once(cast, cases):
    """A reserve leaves the case where it is: only what the list was when it was read tells the second click."""
    as_proposed(cast, cases)
    left = [case for case in refreshed(cases) if case.state == State.CLASS_REVIEWED]
    said = [(case, V.RESERVE, rank) for rank, case in enumerate(left, start=1)]
    hold(cast, left, said)
    with pytest.raises(ValidationError, match="刚刚已由他人办理"):
        hold(cast, left, said)
    assert Decision.objects.filter(verdict=V.RESERVE).count() == 2 * len(left)
