"""The pages of 名额: the table of a county and a school, one unit's places, reducing, who stands outside."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Unit, User
from students.models import Category, SchoolClass
from subsidies.models import OutsideQuota
from subsidies.states import State
from tests.cast import Cast, agree, enrol, member_fields, refreshed, submitted, walk
from tests.subsidies.quota_hands import DOCUMENT, allot, give, held, pass_on, receive, seats
from tests.subsidies.test_pages import open_as, text_of


def table_of(round_, unit: Unit) -> str:
    return reverse("quotas", args=[round_.pk, unit.pk])


def agreed(cast: Cast, round_, *classes: Unit):
    pupils = [enrol(cast, unit, name=f"学生{n}") for n, unit in enumerate(classes)]
    rows = walk(cast, submitted(cast, round_, *pupils), State.CLASS_REVIEWED)
    agree(refreshed(rows), "school", rows[0].school, by=cast.officer_a)
    return refreshed(rows)


# --- the county and the school -----------------------------------------------------------------------------


def test_the_clerk_records_what_came_from_above_and_allots(cast, round_) -> None:
    clerk = open_as(cast.clerk)
    assert table_of(round_, cast.county) in text_of(clerk.get(reverse("round", args=[round_.pk])))
    empty = text_of(clerk.get(table_of(round_, cast.county)))
    assert "还没有登记上级下达给县里的名额，现在不限人数" in empty
    assert "保存本页名额" not in empty

    answer = clerk.post(reverse("quota_receive", args=[round_.pk]), {"places": "30", "document": DOCUMENT})
    assert answer["Location"] == table_of(round_, cast.county)
    typed = {f"places_{cast.school_a.pk}": "20", f"places_{cast.school_b.pk}": "", "document": DOCUMENT}
    page = text_of(clerk.post(table_of(round_, cast.county), typed, follow=True))
    assert "已保存 1 个单位的名额" in page
    assert "没有分配的 10 个" in page
    assert (seats(round_, cast.school_a).places, seats(round_, cast.school_b).places) == (20, None)


def test_a_percentage_is_filled_in_looked_at_and_changed_where_it_should_be(cast, round_) -> None:
    for n in range(5):
        enrol(cast, cast.class_a1, name=f"学生{n}")
    enrol(cast, cast.class_b1)
    receive(cast, round_, 10)
    clerk, url = open_as(cast.clerk), table_of(round_, cast.county)
    shown = clerk.get(url, {"percent": "50", "rounding": "up"})
    form = shown.context["form"]
    assert {name: form[name].value() for name in form.fields if name.startswith("places_")} == {
        f"places_{cast.school_a.pk}": 3, f"places_{cast.school_b.pk}": 1,
    }  # fmt: skip
    assert seats(round_, cast.school_a).places is None, "looking saves nothing"
    typed = {f"places_{cast.school_a.pk}": "3", f"places_{cast.school_b.pk}": "2"}
    clerk.post(url, typed | {"percent": "50", "rounding": "up", "document": DOCUMENT})
    assert [held(round_, unit).versions.get().percent for unit in (cast.school_a, cast.school_b)] == [50, None]
    assert "按在校生 5 人的 50% 计算，向上取整，为 3 人" in text_of(clerk.get(url))


def test_too_much_is_said_on_the_page_and_what_was_typed_stays(cast, round_) -> None:
    receive(cast, round_, 10)
    typed = {f"places_{cast.school_a.pk}": "8", f"places_{cast.school_b.pk}": "4", "document": DOCUMENT}
    page = text_of(open_as(cast.clerk).post(table_of(round_, cast.county), typed))
    assert "云岭县的名额是 10 个：分配合计 12 个，多出 2 个" in page
    assert 'value="8"' in page
    bad = typed | {f"places_{cast.school_a.pk}": "八"}
    assert "的名额要填整数" in text_of(open_as(cast.clerk).post(table_of(round_, cast.county), bad))
    assert "请填写这一项" in text_of(open_as(cast.clerk).post(table_of(round_, cast.county), typed | {"document": ""}))


def test_a_colleagues_numbers_are_not_undone_by_an_old_page(cast, round_) -> None:
    receive(cast, round_, 20)
    clerk, url = open_as(cast.clerk), table_of(round_, cast.county)
    old = clerk.get(url).context["form"]["seen"].value()
    allot(cast, round_, {cast.school_a: 9}, by=cast.clerk2)
    typed = {f"places_{cast.school_a.pk}": "", f"places_{cast.school_b.pk}": "4", "document": DOCUMENT, "seen": old}
    answer = clerk.post(url, typed)
    assert "有人刚刚改了本页的名额，没有保存" in text_of(answer)
    assert "现在 9" in text_of(answer)
    assert (seats(round_, cast.school_a).places, seats(round_, cast.school_b).places) == (9, None)
    typed |= {f"places_{cast.school_a.pk}": "9", "seen": answer.context["form"]["seen"].value()}
    assert clerk.post(url, typed).status_code == 302
    assert (seats(round_, cast.school_a).places, seats(round_, cast.school_b).places) == (9, 4)


def test_the_officer_passes_on_and_others_only_look(cast, round_) -> None:
    give(cast, round_, 9)
    officer, url = open_as(cast.officer_a), table_of(round_, cast.school_a)
    assert url in text_of(officer.get(reverse("round", args=[round_.pk])))
    typed = {f"places_{cast.class_a1.pk}": "5", f"places_{cast.class_a2.pk}": "4", "document": "10月12日评审会议"}
    assert officer.post(url, typed).status_code == 302
    assert seats(round_, cast.class_a2).places == 4
    for who in (cast.principal_a, cast.clerk, cast.inspector):
        page = text_of(open_as(who).get(url))
        assert "七年级2班" in page
        assert "保存本页名额" not in page
        assert open_as(who).post(url, typed).status_code == 403
    for who in (cast.teacher_a1, cast.officer_b):
        assert open_as(who).get(url).status_code == 404
    assert open_as(cast.officer_a).get(table_of(round_, cast.county)).status_code == 404


def test_the_school_without_a_number_is_told_so(cast, round_) -> None:
    page = text_of(open_as(cast.officer_a).get(table_of(round_, cast.school_a)))
    assert "没有登记的，不限人数" in page
    assert "保存本页名额" not in page


def test_the_table_asks_the_same_for_few_classes_and_many(cast, round_) -> None:
    give(cast, round_, 19)
    pass_on(cast, round_, {cast.class_a1: 5})
    officer, counts = open_as(cast.officer_a), []
    for n in range(2):
        with CaptureQueriesContext(connection) as asked:
            assert officer.get(table_of(round_, cast.school_a)).status_code == 200
        counts.append(len(asked))
        units = [Unit.objects.create(level="class", name=f"八年级{n}{m}班", parent=cast.school_a) for m in range(3)]
        for unit in units:
            SchoolClass.objects.create(unit=unit, stage="junior", grade="八年级")
            enrol(cast, unit)
        pass_on(cast, round_, dict.fromkeys(units, 1))
    assert counts[0] == counts[1]


def test_a_long_list_is_paged_and_only_the_page_is_saved(cast, round_, monkeypatch) -> None:
    monkeypatch.setattr("subsidies.views.quotas.PER_PAGE", 1)
    give(cast, round_, 9)
    officer, url = open_as(cast.officer_a), table_of(round_, cast.school_a)
    answer = officer.post(f"{url}?page=2", {f"places_{cast.class_a2.pk}": "4", "document": DOCUMENT})
    assert answer["Location"] == f"{url}?page=2"
    assert (seats(round_, cast.class_a1).places, seats(round_, cast.class_a2).places) == (None, 4)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({}, "请填写名额或比例"),
        ({"places": "3", "percent": "5"}, "只能填一项"),
        ({"percent": "120"}, "100"),
        ({"places": "-1"}, "0"),
    ],
)
def test_what_came_from_above_is_one_number_or_one_percentage(cast, round_, typed, sentence) -> None:
    page = text_of(open_as(cast.clerk).post(reverse("quota_receive", args=[round_.pk]), {"document": DOCUMENT} | typed))
    assert sentence in page
    assert "处需要改正" in page


def test_a_percentage_of_the_whole_county(cast, round_) -> None:
    for n in range(7):
        enrol(cast, cast.class_a1, name=f"学生{n}")
    clerk = open_as(cast.clerk)
    assert "全县在读 7 人" in text_of(clerk.get(reverse("quota_receive", args=[round_.pk])))
    clerk.post(
        reverse("quota_receive", args=[round_.pk]), {"percent": "40", "rounding": "half_up", "document": DOCUMENT}
    )
    assert seats(round_, cast.county).places == 3
    # More than may be taken back is refused with what to do.
    allot(cast, round_, {cast.school_a: 3})
    page = text_of(clerk.post(reverse("quota_receive", args=[round_.pk]), {"places": "2", "document": DOCUMENT}))
    assert "请先减少或取消下一级的名额" in page


def test_the_limit_is_taken_away_again(cast, round_) -> None:
    clerk, url = open_as(cast.clerk), reverse("quota_receive", args=[round_.pk])
    assert "不再限制人数" not in text_of(clerk.get(url))
    receive(cast, round_, 5)
    assert "不再限制人数" in text_of(clerk.get(url))
    page = text_of(clerk.post(url, {"places": "5", "unlimited": "on", "document": DOCUMENT}, follow=True))
    assert "已取消名额，不再限制人数" in page
    assert seats(round_, cast.county).places is None


# --- one unit ----------------------------------------------------------------------------------------------


def test_a_unit_shows_who_uses_its_places_and_how_they_changed(cast, round_) -> None:
    give(cast, round_, 9)
    pass_on(cast, round_, {cast.class_a1: 5})
    agreed(cast, round_, cast.class_a1)
    pass_on(cast, round_, {cast.class_a1: 6})
    url = reverse("quota", args=[held(round_, cast.class_a1).pk])
    page = text_of(open_as(cast.teacher_a1).get(url))
    assert "学生0" in page
    assert "由 5 个改为 6 个" in page
    assert "调减名额" not in page
    assert open_as(cast.teacher_a2).get(url).status_code == 404
    assert "调减名额" in text_of(open_as(cast.officer_a).get(url))


def test_reducing_shows_whom_it_concerns_before_it_is_done(cast, round_) -> None:
    give(cast, round_, 3)
    pass_on(cast, round_, {cast.class_a1: 3})
    rows = agreed(cast, round_, *[cast.class_a1] * 3)
    quota = held(round_, cast.class_a1)
    officer, url = open_as(cast.officer_a), reverse("quota_reduce", args=[quota.pk])
    typed = {"places": "1", "document": DOCUMENT}
    shown = officer.post(url, typed)
    page = text_of(shown)
    assert "比名额多 2 人" in page
    assert all(row.pupil.name in page for row in rows)
    assert seats(round_, cast.class_a1).places == 3
    seen = shown.context["form"]["seen"].value()
    done = text_of(officer.post(url, typed | {"seen": seen}, follow=True))
    assert "名额已由 3 个调减为 1 个，超出 2 人，已标出" in done
    assert {row.state for row in refreshed(rows)} == {State.SCHOOL_REVIEWED}
    # The class is told.
    page = text_of(open_as(cast.teacher_a1).get(reverse("class_file", args=[round_.pk, cast.class_a1.pk])))
    assert "本班名额 1，已用 3，超出 2 人" in page
    assert "由 3 个调减为 1 个，依据：云教助" in page
    table = text_of(officer.get(table_of(round_, cast.school_a)))
    assert "超出 2 人" in table
    assert open_as(cast.clerk).get(url).status_code == 403
    assert "调减后要比它少" in text_of(officer.post(url, {"places": "9", "document": DOCUMENT}))


# --- what the teacher and the meeting are told -------------------------------------------------------------


def filing(cast: Cast, round_, user: User | None = None) -> str:
    url = reverse("class_file", args=[round_.pk, cast.class_a1.pk])
    return text_of(open_as(user or cast.teacher_a1).get(url))


def test_the_teacher_sees_the_places_of_the_class(cast, round_) -> None:
    assert "这个项目本学期没有登记名额，不限人数" in filing(cast, round_)
    receive(cast, round_, 4)
    assert "共用县里未分配的 4 个，已用 0 个" in filing(cast, round_)
    allot(cast, round_, {cast.school_a: 3})
    OutsideQuota.objects.create(
        programme=round_.programme,
        category_code="tekun",
        first_term="2026-2027-1",
        source="文件",
        recorded_by=cast.clerk,
    )
    entitled = enrol(cast, cast.class_a1, name="罗一", kinds=("tekun",))
    assert "可以申请的学生中有 1 人属于应助尽助，不占名额" in filing(cast, round_)
    rows = walk(cast, submitted(cast, round_, entitled), State.CLASS_REVIEWED)
    agree(refreshed(rows), "school", cast.school_a, by=cast.officer_a)
    agreed(cast, round_, cast.class_a1)
    assert "与本校没有单列名额的班级共用本校未分配的 3 个，已用 1 个；应助尽助 1 人不占名额" in filing(cast, round_)
    pass_on(cast, round_, {cast.class_a1: 2})
    assert "本班名额 2，已用 1，还剩 1；应助尽助 1 人不占名额。" in filing(cast, round_)
    agreed(cast, round_, cast.class_a1)
    page = filing(cast, round_)
    assert "本班名额 2，已用 2，没有空余" in page
    assert "名额已用完：仍可以提交申请" in page


def test_the_meeting_is_told_and_refused_with_what_to_do(cast, round_) -> None:
    give(cast, round_, 3)
    pass_on(cast, round_, {cast.class_a1: 1})
    pupils = [enrol(cast, cast.class_a1, name=f"学生{n}") for n in range(2)]
    rows = walk(cast, submitted(cast, round_, *pupils), State.CLASS_REVIEWED)
    url = reverse("school_review", args=[round_.pk, cast.school_a.pk])
    officer = open_as(cast.officer_a)
    page = text_of(officer.get(url))
    assert "本校名额 3，已用 0，还剩 3" in page
    assert "其中：七年级1班 1 个，已用 0 个" in page
    said = {
        "held_on": "2026-10-12", "place": "会议室", "chair": "周校长", "text": "逐一评议。", "rest": "agree",
        **member_fields(), "seen": officer.get(url).context["form"]["seen"].value(),
    }  # fmt: skip
    page = text_of(officer.post(url, said))
    assert "名额已用完：七年级1班名额 1 个" in page
    assert {row.state for row in refreshed(rows)} == {State.CLASS_REVIEWED}
    assert officer.post(url, said | {f"verdict_{rows[0].pk}": "skip"}).status_code == 302
    page = text_of(officer.get(url))
    assert "七年级1班 1 个，已用 1 个" in page


# --- outside the quota -------------------------------------------------------------------------------------


def test_the_clerk_records_who_stands_outside_and_its_end(cast, round_) -> None:
    clerk, url = open_as(cast.clerk), reverse("outside_quota", args=["living-aid"])
    tekun = Category.objects.get(code="tekun")
    assert "没有登记不占名额的类别" in text_of(clerk.get(url))
    typed = {"category": str(tekun.pk), "first_term": "2026-2027-1", "source": DOCUMENT}
    assert "已登记：特困供养学生不占名额。" in text_of(clerk.post(url, typed, follow=True))
    assert "已经登记为不占名额" in text_of(clerk.post(url, typed))
    assert "特困供养学生" in text_of(clerk.get(table_of(round_, cast.county)))
    row = OutsideQuota.objects.get()
    end = reverse("outside_quota_end", args=[row.pk])
    assert "特困供养学生" in text_of(clerk.get(end))
    assert clerk.post(end, {"last_term": "2026-2027-2", "document": "县文件"})["Location"] == url
    page = text_of(open_as(cast.teacher_a1).get(url))
    assert "2027年春季学期" in page
    assert "登记一类" not in page
    assert open_as(cast.teacher_a1).post(url, typed).status_code == 403


def test_a_stranger_is_asked_to_sign_in(cast, round_) -> None:
    assert Client().get(table_of(round_, cast.county)).status_code == 302
