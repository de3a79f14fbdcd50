"""评审和公示规则: from a term on; what is over is not touched, what is under way is shown, notices keep their days."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from accounts.models import AuditRow
from publicity import notices
from students.models import Term
from subsidies import procedures
from subsidies.models import ProcessRule, Programme
from subsidies.programmes import process_rule
from subsidies.states import State
from tests import cast as casting
from tests.cast import Cast, enrol, refreshed, submitted, walk

NEW = {
    "class_review_members": 7,
    "school_review_members": 9,
    "notice_days": 3,
    "notice_day_kind": "calendar",
    "notice_shows_amount": False,
    "source": "云教〔2026〕8号",
}


@pytest.fixture
def living_aid(cast: Cast) -> Programme:
    return Programme.objects.get(code="living-aid")


def rule(programme: Programme, first_term: str = "2026-2027-2", **changed) -> ProcessRule:
    return ProcessRule(programme=programme, first_term=first_term, **NEW | changed)


def record(cast: Cast, new: ProcessRule, seen: str = "") -> ProcessRule:
    return procedures.record_rule(new, seen=seen, county=cast.county, by=cast.clerk)


def test_a_rule_counts_from_its_term_on(cast: Cast, living_aid: Programme) -> None:
    made = record(cast, rule(living_aid))
    spring = Term.objects.get(key="2026-2027-2")
    assert process_rule(living_aid, cast.term).notice_days == 5
    assert process_rule(living_aid, spring) == made
    assert (made.recorded_by, procedures.words(made)) == (
        cast.clerk,
        "班级评议不少于7人，学校评审不少于9人，公示3个自然日，不公示金额",
    )
    told = AuditRow.objects.get(action="process_rule.add").detail
    assert told["was"].startswith(
        "班级评议不少于5人，学校评审不少于10人，公示5个工作日，公示金额；小学班级评议小组学生不参加（"
    )
    assert (told["new"], told["basis"]) == (procedures.words(made), "云教〔2026〕8号")


def test_a_rule_of_the_same_term_is_put_right(cast: Cast, living_aid: Programme) -> None:
    first = record(cast, rule(living_aid))
    again = record(cast, rule(living_aid, notice_days=4))
    assert again.pk == first.pk
    assert living_aid.process_rules.filter(first_term="2026-2027-2").get().notice_days == 4
    assert "公示3个自然日" in AuditRow.objects.get(action="process_rule.correct").detail["was"]


def test_a_rule_that_says_nothing_new_is_refused(cast: Cast, living_aid: Programme) -> None:
    record(cast, rule(living_aid))
    with pytest.raises(ValidationError, match="执行的就是这样的规则"):
        record(cast, rule(living_aid, "2027-2028-1"))


@pytest.mark.parametrize(
    "changed", [{"notice_days": 0}, {"class_review_members": 0}, {"notice_day_kind": "moon"}, {"source": ""}]
)
def test_a_rule_that_makes_no_sense_is_refused(cast: Cast, living_aid: Programme, changed) -> None:
    count = ProcessRule.objects.count()
    with pytest.raises(ValidationError):
        record(cast, rule(living_aid, **changed))
    assert ProcessRule.objects.count() == count


def test_only_who_keeps_the_rules_records_them(cast: Cast, living_aid: Programme) -> None:
    for who in (cast.head, cast.officer_a):
        with pytest.raises(PermissionDenied):
            procedures.record_rule(rule(living_aid), seen="", county=cast.county, by=who)


def test_a_term_that_was_reviewed_and_is_over_keeps_its_rule(cast: Cast, living_aid: Programme, round_) -> None:
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.CLASS_REVIEWED)
    Term.objects.filter(pk=cast.term.pk).update(starts_on=dt.date(2026, 8, 1), ends_on=dt.date(2026, 10, 11))
    with pytest.raises(ValidationError) as refused:
        record(cast, rule(living_aid, "2026-2027-1"))
    assert "已经结束，当时是按原来的规则评审和公示的，不能改" in refused.value.message_dict["first_term"][0]
    assert record(cast, rule(living_aid)).pk


def test_a_past_term_nobody_reviewed_in_may_get_a_rule(cast: Cast, living_aid: Programme) -> None:
    living_aid.process_rules.all().delete()
    assert record(cast, rule(living_aid, "2024-2025-1")).pk


def test_what_is_under_way_must_have_been_seen(cast: Cast, living_aid: Programme, round_) -> None:
    cases = submitted(cast, round_, enrol(cast, cast.class_a1, name="张一"), enrol(cast, cast.class_a1, name="李二"))
    assert procedures.under_way(rule(living_aid, "2026-2027-1")) == []  # filed, not yet reviewed
    walk(cast, cases[:1], State.ON_NOTICE)
    new = rule(living_aid, "2026-2027-1")
    (found,) = procedures.check_rule(new)
    assert found.sentence == "2026—2027学年秋季学期（云岭县）已经开过 2 次评议会，1 名学生正在公示。"
    with pytest.raises(ValidationError, match="还没有登记"):
        record(cast, new)
    record(cast, rule(living_aid, "2026-2027-1"), procedures.seen_of([found]))
    assert process_rule(living_aid, cast.term).notice_days == 3


def test_a_later_rule_bounds_what_a_new_one_meets(cast: Cast, living_aid: Programme, round_) -> None:
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.CLASS_REVIEWED)
    living_aid.process_rules.create(first_term="2026-2027-1", source="云教", notice_days=6)
    assert procedures.under_way(rule(living_aid, "2025-2026-2")) == []


def test_a_notice_that_hangs_keeps_its_days(cast: Cast, living_aid: Programme, round_) -> None:
    cases = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.ON_NOTICE)
    notice = cases[0].notice_lines.get().notice
    before = (notice.ends_on, notice.counted_days, notice.get_day_kind_display())
    assert before[2] == "工作日"
    new = rule(living_aid, "2026-2027-1")
    record(cast, new, procedures.seen_of(procedures.check_rule(new)))
    notice.refresh_from_db()
    assert (notice.ends_on, notice.counted_days, notice.get_day_kind_display()) == before
    casting.close(cast, cases)
    assert refreshed(cases)[0].state == State.CLEARED
    later = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a2, name="李二")), State.SCHOOL_REVIEWED)
    shown = notices.preview(later[0].round, later[0].school)
    assert (len(shown.days), shown.day_word, shown.shows_amount) == (3, "自然日", False)
