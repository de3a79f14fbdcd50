"""The pages of deadlines: opening in two steps, changing, who is late, the rules; and what the home page says."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import clock
from accounts.models import Unit
from students.models import School, SchoolClass
from subsidies import deadlines
from subsidies.models import DeadlineRule, Programme, Round
from subsidies.states import State, Work
from tests.cast import Cast, enrol, open_round, submitted, walk

from .test_pages import open_as, text_of

D = dt.date


def base(cast: Cast, **how: object) -> dict:
    programme = Programme.objects.get(code="living-aid")
    usual = {"programme": programme.pk, "term": cast.term.pk, "unit": cast.county.pk, "opens_on": "2026-10-12"}
    return usual | {"closes_on": "2026-10-30"} | how


def shown(page) -> dict:
    """The fields of the plan as the page shows them, to be sent back."""
    form = page.context["form"]
    return {name: form[name].value() or "" for name in form.fields}


# --- opening --------------------------------------------------------------------------------------


def test_opening_shows_the_days_first_and_opens_what_was_shown(cast: Cast) -> None:
    clerk, address = open_as(cast.clerk), reverse("round_open")
    assert "下一步：核对办理期限" in text_of(clerk.get(address))
    page = clerk.post(address, base(cast) | {"step": "plan"})
    assert not Round.objects.exists()
    assert page.context["form"]["due_class_review"].value() == "2026-11-06"
    assert "规定：填报截止后 5 个工作日" in text_of(page)
    done = clerk.post(address, shown(page) | {"due_disbursement": "", "step": "open"})
    opened = Round.objects.get()
    assert done.url == reverse("round", args=[opened.pk])
    plan = deadlines.of(opened)
    assert (plan[Work.CLASS_REVIEW], Work.DISBURSEMENT in plan) == (D(2026, 11, 6), False)


def test_without_a_last_day_of_filing_the_rule_gives_one(cast: Cast) -> None:
    page = open_as(cast.clerk).post(reverse("round_open"), base(cast, closes_on="") | {"step": "plan"})
    assert page.context["form"]["closes_on"].value() == "2026-10-26"


def test_a_day_nobody_works_is_named_before_it_is_saved_and_then_may_be(cast: Cast) -> None:
    clerk, address = open_as(cast.clerk), reverse("round_open")
    page = clerk.post(address, base(cast) | {"step": "plan"})
    weekend = shown(page) | {"due_approval": "2026-12-19", "step": "open"}
    page = clerk.post(address, weekend)
    assert "2026年12月19日是星期六，不是工作日（县级审批的期限）" in text_of(page)
    assert not Round.objects.exists()
    assert clerk.post(address, shown(page) | {"step": "open"}).status_code == 302
    assert deadlines.of(Round.objects.get())[Work.APPROVAL] == D(2026, 12, 19)


def test_a_notice_without_its_days_is_named_at_the_report(cast: Cast) -> None:
    clerk, address = open_as(cast.clerk), reverse("round_open")
    page = clerk.post(address, base(cast) | {"step": "plan"})
    page = clerk.post(address, shown(page) | {"due_report": "2026-11-18", "step": "open"})
    assert "上报期限2026年11月18日来不及" in page.context["form"].errors["due_report"][0]
    assert not Round.objects.exists()


def test_a_year_not_covered_is_said_on_the_page(cast: Cast) -> None:
    page = open_as(cast.clerk).post(reverse("round_open"), base(cast, closes_on="2026-12-28") | {"step": "plan"})
    assert "2027 年的放假调休安排还没有录入" in text_of(page)
    assert "的期限没有推算，也可以自行填写" in text_of(page)


def test_what_cannot_be_opened_is_said_before_the_days(cast: Cast) -> None:
    open_round(cast)
    page = open_as(cast.clerk).post(reverse("round_open"), base(cast) | {"step": "plan"})
    assert "不用重复开启" in text_of(page)


# --- changing -------------------------------------------------------------------------------------


def test_days_are_reckoned_anew_from_a_longer_filing_and_saved_with_the_reason(cast: Cast) -> None:
    round_ = open_round(cast)
    clerk, address = open_as(cast.clerk), reverse("round_window", args=[round_.pk])
    page = clerk.get(address)
    page = clerk.post(address, shown(page) | {"closes_on": "2026-11-16", "step": "plan"})
    assert page.context["form"]["due_class_review"].value() == "2026-11-23"
    assert not page.context["form"].errors
    missing = clerk.post(address, shown(page) | {"step": "save"})
    assert "reason" in missing.context["form"].errors
    assert clerk.post(address, shown(page) | {"reason": "停电", "step": "save"}).status_code == 302
    round_.refresh_from_db()
    assert deadlines.of(round_)[Work.CLASS_REVIEW] == D(2026, 11, 23)


# --- who is late ----------------------------------------------------------------------------------


def cells(page) -> dict[str, str]:
    return {row["unit"].name: row["late"].words if row["late"] else "" for row in page.context["page"]}


def test_the_county_sees_which_school_is_late_and_the_school_which_class(cast: Cast) -> None:
    round_ = open_round(cast)
    submitted(cast, round_, enrol(cast, cast.class_a1))
    other = submitted(cast, round_, enrol(cast, cast.class_b1))
    Programme.objects.filter(code="living-aid").update(stages=["junior", "primary"])
    walk(cast, other, State.CLASS_REVIEWED)
    clock.set_demo_day(D(2026, 11, 21))  # three days after the class reviews were due
    address = reverse("round_progress", args=[round_.pk])
    page = open_as(cast.clerk).get(address)
    assert cells(page) == {cast.school_a.name: "逾期 3 天", cast.school_b.name: ""}
    assert "1 所学校有环节逾期" in text_of(page)
    late = open_as(cast.clerk).get(address, {"late": "on"})
    assert list(cells(late)) == [cast.school_a.name]
    one = open_as(cast.clerk).get(address, {"school": cast.school_a.pk})
    assert cells(one) == {"七年级1班": "逾期 3 天", "七年级2班": ""}
    assert list(cells(open_as(cast.officer_b).get(address))) == ["三年级1班"]
    assert list(cells(open_as(cast.teacher_a2).get(address))) == ["七年级2班"]
    assert "逾期 3 天" in text_of(open_as(cast.officer_a).get(reverse("round", args=[round_.pk])))


def test_the_round_says_the_next_deadline_in_the_list(cast: Cast) -> None:
    open_round(cast)
    clock.set_demo_day(D(2026, 11, 16))
    page = text_of(open_as(cast.officer_a).get(reverse("rounds")))
    assert "班级评议 2026年11月18日，还有 2 天" in page


def _school(cast: Cast, number: int) -> Unit:
    unit = Unit.objects.create(level="school", name=f"第{number}中学", parent=cast.county)
    School.objects.create(unit=unit, code=f"53539910{number:02}", stages=["junior"])
    school_class = Unit.objects.create(level="class", name="七年级1班", parent=unit)
    SchoolClass.objects.create(unit=school_class, stage="junior", grade="七年级")
    return unit


def test_a_hundred_schools_ask_no_more_than_three(cast: Cast) -> None:
    round_ = open_round(cast)
    address = reverse("round_progress", args=[round_.pk])
    clerk = open_as(cast.clerk)
    _school(cast, 1)

    def asked() -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert clerk.get(address).status_code == 200
        return len(found)

    asked()
    few = asked()
    for number in range(2, 40):
        _school(cast, number)
    assert asked() == few
    page = clerk.get(address)
    assert len(page.context["page"]) == 30
    assert page.context["page"].paginator.num_pages == 2


# --- the home page --------------------------------------------------------------------------------


def waiting(cast: Cast, who: str) -> list[tuple[str, str]]:
    page = open_as(cast.people[who]).get(reverse("home"))
    return [(each.title, each.countdown) for each in page.context["waiting"] if each.due_on]


def test_what_waits_says_how_long_is_left(cast: Cast) -> None:
    round_ = open_round(cast)
    assert waiting(cast, "teacher_a1") == [("本班还没有填报", "还有 30 天")]
    submitted(cast, round_, enrol(cast, cast.class_a1))
    assert waiting(cast, "officer_a") == [("待班级评议", "还有 37 天")]
    clock.set_demo_day(D(2026, 11, 18))
    assert waiting(cast, "officer_a") == [("待班级评议", "今天到期")]
    clock.set_demo_day(D(2026, 11, 20))
    assert waiting(cast, "officer_a") == [("待班级评议", "逾期 2 天")]
    assert "逾期 2 天" in text_of(open_as(cast.officer_a).get(reverse("home")))


def test_what_is_late_comes_first(cast: Cast) -> None:
    old = open_round(cast)
    submitted(cast, old, enrol(cast, cast.class_a1))
    walk(cast, submitted(cast, old, enrol(cast, cast.class_a2)), State.CLEARED)
    assert [title for title, _ in waiting(cast, "officer_a")] == ["待班级评议", "公示无异议，待上报"]
    clock.set_demo_day(D(2026, 12, 10))
    assert [words for _, words in waiting(cast, "officer_a")] == ["逾期 22 天", "逾期 2 天"]


# --- the rules ------------------------------------------------------------------------------------


def test_the_county_records_a_rule_on_the_page_and_others_read_it(cast: Cast) -> None:
    address = reverse("deadline_rules")
    row = {"programme": "", "work": "report", "first_term": cast.term.pk, "kind": "fixed", "day_kind": "working"}
    row |= {"autumn_on": "10-31", "spring_on": "04-30", "is_binding": "on", "source": "云岭教发〔2026〕5号"}
    page = open_as(cast.clerk).post(address, row, follow=True)
    assert "已登记上报县中心的期限规定：秋季学期 10月31日、春季学期 4月30日，文件规定的最晚日期" in text_of(page)
    reader = text_of(open_as(cast.officer_a).get(address))
    assert "秋季学期 10月31日" in reader
    assert "登记期限规定" not in reader


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"kind": "after"}, "count"),
        ({"kind": "fixed", "autumn_on": "10-31"}, "spring_on"),
        ({"kind": "fixed", "autumn_on": "13-01", "spring_on": "04-30"}, "autumn_on"),
        ({"kind": "none", "is_binding": "on"}, "__all__"),
    ],
)
def test_a_rule_half_typed_is_refused_at_its_field(cast: Cast, typed: dict, field: str) -> None:
    row = {"work": "report", "first_term": cast.term.pk, "day_kind": "working", "source": "文件"}
    before = DeadlineRule.objects.count()
    page = open_as(cast.clerk).post(reverse("deadline_rules"), row | typed)
    assert list(page.context["form"].errors) == [field]
    assert DeadlineRule.objects.count() == before
