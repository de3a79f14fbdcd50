"""The desk of roll-overs, as officer and clerk walk through it; old pages keep old class names."""

import datetime as dt
import io
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook

from accounts import clock
from accounts.models import AuditRow, Unit, User
from students import terms
from students.models import Enrolment, RollOver, SchoolClass, Term
from students.rollovers import RollOverRefused
from subsidies import applications, rollover_files, rollovers, rounds
from subsidies.models import Application, Programme
from subsidies.states import State
from tests import cast as casting
from tests.cast import Cast, enrol, submitted, walk

SignIn = Callable[[User], Client]


@pytest.fixture
def signed_in() -> SignIn:
    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture
def spring(cast: Cast) -> Term:
    return Term.objects.get(key="2026-2027-2")


def text(response) -> str:
    assert response.status_code == 200, response
    return response.content.decode()


def choices_of(page: str) -> dict[str, str]:
    """The hidden fields of a preview, as the browser would send them."""
    import re

    found = re.findall(r'<input type="hidden" name="([a-z_0-9]+)" value="([^"]*)"', page)
    return {name: value for name, value in found if name != "csrfmiddlewaretoken"}


def test_the_officer_walks_through_and_takes_it_back(cast: Cast, round_, spring: Term, signed_in: SignIn) -> None:
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1, name="甲子")), State.REPORTED)
    enrol(cast, cast.class_a2, name="乙丑", kinds=())
    officer = signed_in(cast.officer_a)
    assert "云岭县第一初级中学" in text(officer.get(reverse("rollovers")))
    url = reverse("rollover_plan", args=[cast.school_a.pk])
    plan = text(officer.get(url))
    assert "七年级1班" in plan
    assert "撤并，学生编入七年级2班" in plan
    asked = {f"class_{unit.pk}": "keep" for unit in (cast.class_a1, cast.class_a2)}
    preview = text(officer.post(url, asked | {"preview": "1"}))
    assert "现在还没有改动任何内容" in preview
    assert not RollOver.objects.exists()
    back = text(officer.post(url, choices_of(preview) | {"back": "1"}))
    assert "预览结果" in back
    report = text(officer.post(url, choices_of(preview) | {"run": "1"}, follow=True))
    assert "已结转到2026—2027学年春季学期：编入 2 人，毕业 0 人。" in report
    assert "撤销这次结转" in report
    done = RollOver.objects.get()
    assert officer.get(url).status_code == 302  # to the report: it is done
    workbook = officer.get(reverse("rollover_report", args=[done.pk]))
    assert "attachment" in workbook["Content-Disposition"]
    assert AuditRow.objects.filter(action="rollover.export", subject__endswith=str(done.pk)).count() == 1
    sheets = load_workbook(io.BytesIO(workbook.content))
    assert sheets.sheetnames == ["班级", "困难依据", "上学期名单"]
    undone = text(officer.post(reverse("rollover_undo", args=[done.pk]), follow=True))
    assert "名册恢复原样" in undone
    assert "重新办理结转" in undone
    assert not Enrolment.objects.filter(term=spring).exists()


@pytest.mark.parametrize("who", ["head", "inspector"])
def test_head_and_inspector_look_and_press_nothing(cast: Cast, spring: Term, signed_in: SignIn, who: str) -> None:
    enrol(cast, cast.class_a1)
    reader, desk = signed_in(getattr(cast, who)), reverse("rollovers")
    plan = reverse("rollover_plan", args=[cast.school_a.pk])
    waiting = text(reader.get(desk))
    assert "待结转" in waiting
    assert plan not in waiting
    done = rollovers.run(cast.school_a, spring, {}, by=cast.officer_a).rollover
    report = text(reader.get(reverse("rollover", args=[done.pk])))
    assert "编入" in report
    for page in (waiting, report):
        assert 'method="post"' not in page[page.index("<main") :]
    assert "查看报告" in text(reader.get(desk))
    assert reader.post(reverse("rollover_undo", args=[done.pk])).status_code == 403


def test_a_change_since_the_preview_shows_the_preview_again(cast: Cast, spring: Term, signed_in: SignIn) -> None:
    enrol(cast, cast.class_a1)
    officer, url = signed_in(cast.officer_a), reverse("rollover_plan", args=[cast.school_a.pk])
    asked = {f"class_{cast.class_a1.pk}": "keep", f"class_{cast.class_a2.pk}": "new"}
    preview = text(officer.post(url, asked))
    enrol(cast, cast.class_a1)
    again = text(officer.post(url, choices_of(preview) | {"run": "1"}))
    assert "请核对新的预览" in again
    assert not RollOver.objects.exists()
    officer.post(url, choices_of(again) | {"run": "1"})
    assert RollOver.objects.get().counts["carried"] == 2


def test_without_having_seen_a_preview_nothing_is_done(cast: Cast, spring: Term, signed_in: SignIn) -> None:
    enrol(cast, cast.class_a1)
    asked = {f"class_{cast.class_a1.pk}": "keep", f"class_{cast.class_a2.pk}": "new", "run": "1"}
    text(signed_in(cast.officer_a).post(reverse("rollover_plan", args=[cast.school_a.pk]), asked))
    assert not RollOver.objects.exists()


def test_a_refusal_stands_above_the_choices(cast: Cast, spring: Term, signed_in: SignIn) -> None:
    enrol(cast, cast.class_a1)
    enrol(cast, cast.class_a2)
    a, b = cast.class_a1.pk, cast.class_a2.pk
    asked = {f"class_{a}": f"merge:{b}", f"class_{b}": f"merge:{a}"}
    page = text(signed_in(cast.officer_a).post(reverse("rollover_plan", args=[cast.school_a.pk]), asked))
    assert "请选择一个保留下来的班" in page
    assert "预览结果" in page


def test_the_clerk_takes_many_schools_one_after_another(cast: Cast, spring: Term, signed_in: SignIn) -> None:
    enrol(cast, cast.class_a1)
    enrol(cast, cast.class_b1)
    clerk = signed_in(cast.clerk)
    listed = text(clerk.get(reverse("rollovers")))
    assert "2 所学校待结转" in listed
    url = reverse("rollover_many")
    keys = [cast.school_a.pk, cast.school_b.pk]
    preview = text(clerk.post(url, {"school": keys}))
    assert "逐校办理这 2 所学校的结转" in preview
    assert not RollOver.objects.exists()
    page = text(clerk.post(url, choices_of(preview) | {"school": keys, "run": "1"}, follow=True))
    assert "已结转 2 所学校" in page
    assert RollOver.objects.count() == 2
    assert "请先勾选" in text(clerk.post(url, {"school": keys}, follow=True))


def test_one_school_that_cannot_does_not_stop_the_others(cast: Cast, spring: Term, signed_in: SignIn) -> None:
    enrol(cast, cast.class_a1)
    enrol(cast, cast.class_b1)
    clerk, url = signed_in(cast.clerk), reverse("rollover_many")
    keys = [cast.school_a.pk, cast.school_b.pk]
    seen = choices_of(text(clerk.post(url, {"school": keys})))
    enrol(cast, cast.class_b1)
    page = text(clerk.post(url, seen | {"school": keys, "run": "1"}, follow=True))
    assert "已结转 1 所学校" in page
    assert "云岭县城关小学没有结转" in page


def test_when_no_school_was_taken_over_nothing_is_praised(cast: Cast, spring: Term, signed_in: SignIn) -> None:
    enrol(cast, cast.class_a1)
    typed = {"school": [cast.school_a.pk], f"seen_{cast.school_a.pk}": "old", "run": "1"}
    page = text(signed_in(cast.clerk).post(reverse("rollover_many"), typed, follow=True))
    assert "云岭县第一初级中学没有结转" in page
    assert "已结转" not in page.split("<table")[0]


def test_the_report_tells_the_day_of_the_county_not_of_greenwich(cast: Cast, spring: Term) -> None:
    enrol(cast, cast.class_a1)
    done = rollovers.run(cast.school_a, spring, {}, by=cast.officer_a).rollover
    early = dt.datetime(2026, 10, 12, 6, 30, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    RollOver.objects.filter(pk=done.pk).update(done_at=early)
    done = RollOver.objects.get(pk=done.pk)
    sheet = load_workbook(io.BytesIO(rollover_files.report(done))).worksheets[0]
    told = [cell.value for row in sheet.iter_rows(max_row=4) for cell in row if cell.value]
    assert "陈专干于2026年10月12日办理" in told
    with pytest.raises(RollOverRefused, match="陈专干于2026年10月12日办理"):
        rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)


def test_the_next_school_is_one_button_away(cast: Cast, spring: Term, signed_in: SignIn) -> None:
    enrol(cast, cast.class_a1)
    enrol(cast, cast.class_b1)
    done = rollovers.run(cast.school_a, spring, {}, by=cast.clerk).rollover
    assert "结转下一所：云岭县城关小学" in text(signed_in(cast.clerk).get(reverse("rollover", args=[done.pk])))


def test_lists_ask_the_same_for_one_school_and_two(
    cast: Cast, spring: Term, signed_in: SignIn, django_assert_max_num_queries
) -> None:
    enrol(cast, cast.class_a1)
    enrol(cast, cast.class_b1)
    clerk = signed_in(cast.clerk)
    with django_assert_max_num_queries(14):
        clerk.get(reverse("rollovers"))
    for school in (cast.school_a, cast.school_b):  # one that is done has more to tell
        rollovers.run(school, spring, {}, by=cast.clerk)
    with django_assert_max_num_queries(14):
        clerk.get(reverse("rollovers"))


# --- the class's page -------------------------------------------------------------------------------


def test_the_class_page_offers_the_list_with_its_marks(cast: Cast, round_, spring: Term, signed_in: SignIn) -> None:
    places = [enrol(cast, cast.class_a1, name=name) for name in ("甲子", "乙丑", "丙寅")]
    walk(cast, submitted(cast, round_, *places), State.REPORTED)
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    Enrolment.objects.filter(term=spring, pupil=places[0].pupil).update(boarding="day")
    Enrolment.objects.filter(term=spring, pupil=places[2].pupil).update(
        standing="transferred", ends_on=dt.date(2027, 2, 21)
    )
    clock.set_demo_day(dt.date(2027, 2, 22))
    new = rounds.open_round(
        programme=Programme.objects.get(code="living-aid"), term=spring, unit=cast.county,
        opens_on=clock.today(), closes_on=clock.today() + dt.timedelta(days=20), by=cast.clerk,
    )  # fmt: skip
    teacher, url = signed_in(cast.teacher_a1), reverse("class_file", args=[new.pk, cast.class_a1.pk])
    page = text(teacher.get(url))
    assert "上学期名单 3 人" in page
    assert "沿用上学期名单 2 人" in page
    assert "与上学期不同，就读方式：寄宿 → 走读" in page
    assert "已不在本班的 1 人：丙寅" in page
    after = text(teacher.post(url, {"take_over": "1"}, follow=True))
    assert "已按上学期名单为 2 名学生保存草稿" in after
    assert "沿用上学期名单 2 人" not in after
    assert {a.filed_by for a in Application.objects.filter(round=new)} == {cast.teacher_a1}
    assert "没有可以沿用的学生" in text(teacher.post(url, {"take_over": "1"}, follow=True))


# --- a year later -----------------------------------------------------------------------------------


def test_old_pages_keep_the_old_class_name(cast: Cast, round_, spring: Term, signed_in: SignIn) -> None:
    rows = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1, name="甲子")), State.REPORTED)
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    autumn = terms.add_next(
        document="校历", starts_on=dt.date(2027, 9, 1), ends_on=dt.date(2028, 1, 20), county=cast.county, by=cast.clerk
    )
    clock.set_demo_day(dt.date(2027, 8, 25))
    rollovers.run(cast.school_a, autumn, {}, by=cast.officer_a)
    assert Unit.objects.get(pk=cast.class_a1.pk).name == "八年级1班"
    clerk = signed_in(cast.clerk)
    pages = {
        "application": [rows[0].pk],
        "round": [round_.pk],
        "meeting": [rows[0].decisions.first().meeting_id],
        "dossier": [rows[0].pk],
        "pupil": [rows[0].pupil_id],
    }
    for name, args in pages.items():
        page = text(clerk.get(reverse(name, args=args)))
        assert "七年级1班" in page, name
        if name != "pupil":  # whose page also tells where the pupil is to be
            assert "八年级1班" not in page, name
    for name in ("applications", "dossiers"):
        page = text(clerk.get(reverse(name), {"term": ""}))  # the list of applications opens on the present term
        assert '<td data-label="班级" >七年级1班</td>' in page.replace("  ", " "), name


def test_a_graduated_class_still_stands_in_its_old_round(cast: Cast, round_, spring: Term, signed_in: SignIn) -> None:
    """What the class had not finished can still be finished by the officer."""
    nine = Unit.objects.create(level="class", name="九年级1班", parent=cast.school_a)
    SchoolClass.objects.create(unit=nine, grade="九年级", stage="junior")
    teacher = casting.person("teacher_9", "吴老师", "class_teacher", nine)
    place = enrol(cast, nine, name="甲子")
    drafts = applications.save_drafts(round_, nine, [applications.Wish(place)], by=teacher)
    applications.submit(drafts, by=teacher)
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    autumn = terms.add_next(
        document="校历", starts_on=dt.date(2027, 9, 1), ends_on=dt.date(2028, 1, 20), county=cast.county, by=cast.clerk
    )
    clock.set_demo_day(dt.date(2027, 7, 20))
    done = rollovers.run(cast.school_a, autumn, {}, by=cast.officer_a)
    assert any("没办完" in note for note in done.notes)
    officer = signed_in(cast.officer_a)
    assert "九年级1班" in text(officer.get(reverse("round", args=[round_.pk])))
    page = text(officer.get(reverse("class_review", args=[round_.pk, nine.pk])))
    assert "九年级1班" in page
    assert "2027届" not in page


def test_moving_up_waits_for_the_end_of_the_school_year(cast: Cast, spring: Term, signed_in: SignIn) -> None:
    enrol(cast, cast.class_a1)
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    terms.add_next(
        document="校历", starts_on=dt.date(2027, 9, 1), ends_on=dt.date(2028, 1, 20), county=cast.county, by=cast.clerk
    )
    clock.set_demo_day(dt.date(2027, 6, 20))
    officer = signed_in(cast.officer_a)
    assert "2027年7月11日起办理" in text(officer.get(reverse("rollovers")))
    url = reverse("rollover_plan", args=[cast.school_a.pk])
    assert "班级还在上课" in text(officer.get(url, follow=True))
    clock.set_demo_day(dt.date(2027, 7, 12))
    assert "升为八年级1班" in text(officer.get(url))


# --- terms ------------------------------------------------------------------------------------------


def test_the_clerk_registers_the_next_term_and_mends_its_days(cast: Cast, signed_in: SignIn) -> None:
    clerk = signed_in(cast.clerk)
    form = text(clerk.get(reverse("term_add")))
    assert "2027—2028学年秋季学期" in form
    assert "2027-09-01" in form
    assert "已登记" in text(
        clerk.post(
            reverse("term_add"), {"document": "校历", "starts_on": "2027-09-01", "ends_on": "2028-01-20"}, follow=True
        )
    )
    term = Term.objects.get(key="2027-2028-1")
    url = reverse("term_edit", args=[term.pk])
    clerk.post(url, {"document": "校历", "starts_on": "2027-08-30", "ends_on": "2028-01-20"})
    term.refresh_from_db()
    assert term.starts_on == dt.date(2027, 8, 30)
    assert "才结束" in text(clerk.post(url, {"document": "校历", "starts_on": "2027-07-01", "ends_on": "2028-01-20"}))
    assert "要晚于开始" in text(
        clerk.post(url, {"document": "校历", "starts_on": "2027-09-01", "ends_on": "2027-09-01"})
    )
    running = reverse("term_edit", args=[cast.term.pk])
    assert "已经开始，开始日期不能再改" in text(
        clerk.post(running, {"document": "校历", "starts_on": "2027-09-01", "ends_on": "2028-01-01"})
    )


def test_of_the_running_term_the_last_day_can_be_put_right_on_a_document(cast: Cast, signed_in: SignIn) -> None:
    clerk, url = signed_in(cast.clerk), reverse("term_edit", args=[cast.term.pk])
    days = {"starts_on": f"{cast.term.starts_on}", "ends_on": "2027-01-15"}
    assert "document" in clerk.post(url, days).context["form"].errors
    clerk.post(url, days | {"document": "云岭教体〔2026〕40号"})
    cast.term.refresh_from_db()
    assert cast.term.ends_on == dt.date(2027, 1, 15)
    told = AuditRow.objects.get(action="term.change").detail
    assert (told["before"], told["after"]) == ("2026-09-01 至 2027-01-20", "2026-09-01 至 2027-01-15")
    assert told["basis"] == "云岭教体〔2026〕40号"
    assert "不能早于今天" in text(clerk.post(url, days | {"document": "校历", "ends_on": "2026-10-01"}))
    over = Term.objects.get(key="2025-2026-2")
    days = {"document": "校历", "starts_on": f"{over.starts_on}", "ends_on": "2026-12-01"}
    assert "已经结束，日期不能再改" in text(clerk.post(reverse("term_edit", args=[over.pk]), days))


def test_pupils_entered_for_the_first_day_move_with_it(cast: Cast, spring: Term) -> None:
    enrol(cast, cast.class_a1)
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    terms.change_days(
        spring,
        document="校历",
        starts_on=dt.date(2027, 2, 25),
        ends_on=dt.date(2027, 7, 10),
        county=cast.county,
        by=cast.clerk,
    )
    assert Enrolment.objects.get(term=spring).starts_on == dt.date(2027, 2, 25)


# --- home -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "is_shown"), [((2027, 1, 10), False), ((2027, 1, 25), True), ((2027, 3, 1), True)])
def test_home_reminds_when_the_term_is_near(
    cast: Cast, spring: Term, signed_in: SignIn, day: tuple, is_shown: bool
) -> None:
    enrol(cast, cast.class_a1)
    clock.set_demo_day(dt.date(*day))
    page = text(signed_in(cast.officer_a).get(reverse("home")))
    assert ("学校待学期结转" in page) == is_shown
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    assert "学校待学期结转" not in text(signed_in(cast.officer_a).get(reverse("home")))


def test_home_asks_the_county_for_a_term_that_is_missing(cast: Cast, spring: Term, signed_in: SignIn) -> None:
    enrol(cast, cast.class_a1)
    rollovers.run(cast.school_a, spring, {}, by=cast.officer_a)
    clock.set_demo_day(dt.date(2027, 6, 20))
    assert "2027—2028学年秋季学期待登记" in text(signed_in(cast.clerk).get(reverse("home")))
    assert "下一学期还没有登记" in text(signed_in(cast.officer_a).get(reverse("rollovers")))
