"""The desk of comparison lists in the browser's eyes: what each page shows, to whom, and what its buttons do."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from students import enrolment, list_profiles, list_versions, lists
from students.models import Circumstance, Enrolment, ListMatch, ListProfile, ListSource, ListVersion, Recheck
from tests.cast import TODAY, Cast, enrol

from . import list_files
from .list_files import POLICY, Somebody, miswritten, number_of, stranger, taken

SignIn = Callable[[User], Client]
SEPTEMBER, OCTOBER = dt.date(2026, 9, 3), dt.date(2026, 10, 8)


@pytest.fixture
def county(cast: Cast) -> Cast:
    list_profiles.load(cast.county, by=cast.clerk)
    return cast


def test_the_clerk_loads_the_known_layouts_with_one_button(cast: Cast, signed_in: SignIn) -> None:
    page = signed_in(cast.clerk)
    assert "载入十种常用格式" in page.get(reverse("lists")).content.decode()
    page.post(reverse("list_profiles_load"))
    assert ListProfile.objects.count() == 10
    text = page.get(reverse("lists")).content.decode()
    assert "农村低保备案表" in text
    page.post(reverse("list_profiles_load"))
    assert ListProfile.objects.count() == 10


def test_a_list_goes_from_upload_to_take_and_the_file_name_tells_kind_and_day(county: Cast, signed_in: SignIn) -> None:
    here = enrol(county, county.class_a1, name="王小草", kinds=())
    page = signed_in(county.clerk)
    people = [Somebody("王小草", number_of(here.pupil), flags={POLICY: "享受政策"}), stranger(1)]
    answer = page.post(reverse("list_upload"), {"file": list_files.upload("lifted-with-policy", people)})
    version = ListVersion.objects.get()
    assert answer.url == reverse("list_version", args=[version.pk])
    assert (version.profile.code, version.as_of) == ("lifted-with-policy", dt.date(2026, 9, 3))
    text = page.get(answer.url).content.decode()
    assert "采用这份名单" in text
    assert "王小草" in text
    assert number_of(here.pupil) not in text
    page.post(reverse("list_take", args=[version.pk]))
    assert Circumstance.objects.get().category.code == "lifted"
    text = page.get(reverse("pupil", args=[here.pupil.pk])).content.decode()
    assert "名单核对" in text
    assert "脱贫户信息（继续享受政策）" in text
    # A second click says so and changes nothing.
    page.post(reverse("list_take", args=[version.pk]))
    assert Circumstance.objects.count() == 1


@pytest.mark.parametrize(
    ("written", "day"),
    [
        *[(written, SEPTEMBER) for written in ("20260903", "2026-9-3", "2026_09_03", "2026.9.3", "2026年9月3日")],
        *[(written, TODAY) for written in ("2025年12月", "2026年11月", "2026-11", "202611", "2026年58人", "2025-2026")],
    ],
)
def test_a_day_in_the_file_name_is_a_whole_one(county: Cast, signed_in: SignIn, written: str, day: dt.date) -> None:
    file = list_files.upload("disabled", [stranger(1)], name=f"持证残疾人名单{written}.xlsx")
    signed_in(county.clerk).post(reverse("list_upload"), {"file": file})
    assert ListVersion.objects.get().as_of == day


def test_a_task_says_nothing_more_of_a_pupil_who_has_moved(county: Cast, signed_in: SignIn) -> None:
    here = enrol(county, county.class_a1, name="王小草", kinds=())
    for day, people in ((SEPTEMBER, [stranger(1)]), (OCTOBER, [Somebody("王小草", number_of(here.pupil))])):
        taken(county, "disabled", people, day)
    page, address = signed_in(county.officer_a), reverse("recheck", args=[Recheck.objects.get().pk])
    assert "各名单现在怎么说" in page.get(address).content.decode()
    Enrolment.objects.filter(pk=here.pk).update(standing="transferred", ends_on=OCTOBER)
    there = county.class_b1.school_class
    enrolment.begin(here.pupil, term=county.term, school_class=there, boarding="day", starts_on=OCTOBER).save()
    for shown in (page.get(address), page.get(reverse("rechecks"))):
        assert county.class_b1.name not in shown.content.decode()
    text = page.get(address).content.decode()
    assert "各名单现在怎么说" not in text
    assert "这名学生已不在云岭县第一初级中学" in text
    answer = page.post(address, {"outcome": "confirmed", "on": "2026-10-08"})
    assert "已不在本校" in answer.content.decode()
    assert Circumstance.objects.get().valid_to is None


def test_a_file_that_does_not_fit_its_list_is_taken_only_after_a_look(county: Cast, signed_in: SignIn) -> None:
    here = enrol(county, county.class_a1, name="王小草", kinds=())
    roster = list_files.upload("disabled", [Somebody("王小草", number_of(here.pupil))], name="农村低保备案表.xlsx")
    page = signed_in(county.clerk)
    answer = page.post(reverse("list_upload"), {"file": roster})
    version = ListVersion.objects.get()
    assert version.summary["findings"] == len(version.summary["doubts"]) == 2
    text = page.get(answer.url).content.decode()
    told, button = text.index("这个文件和“农村低保备案表”的格式对不上"), text.index("采用这份名单")
    assert told < text.index("按格式应读第 2 张工作表，文件里没有") < text.index('name="checked"') < button
    take = reverse("list_take", args=[version.pk])
    assert "勾选后再采用" in page.post(take, follow=True).content.decode()
    assert not Circumstance.objects.exists()
    page.post(take, {"checked": "yes"})
    assert Circumstance.objects.get().category.code == "dibao_rural"


def test_a_list_that_only_denies_promises_no_kinds(county: Cast, signed_in: SignIn) -> None:
    page = signed_in(county.clerk)
    told = {}
    for code in ("lifted-without-policy", "lifted-with-policy"):
        file = list_files.upload(code, [stranger(1, flags={POLICY: "享受政策"})])
        told[code] = page.post(reverse("list_upload"), {"file": file}, follow=True).content.decode()
    assert "不会登记困难类别" in told["lifted-without-policy"]
    assert "登记到学生名下" not in told["lifted-without-policy"]
    assert "登记到学生名下" in told["lifted-with-policy"]


def test_a_refused_file_is_explained_beside_the_field_and_nothing_is_kept(county: Cast, signed_in: SignIn) -> None:
    page = signed_in(county.clerk)
    file = list_files.upload("lifted-with-policy", [], name="随便什么.xlsx")
    assert "看不出是哪一种名单" in page.post(reverse("list_upload"), {"file": file}).content.decode()
    file = list_files.upload("orphans", [], name="脱贫户信息-继续享受政策.xlsx")
    text = page.post(reverse("list_upload"), {"file": file}).content.decode()
    assert "没有" in text
    assert not ListVersion.objects.exclude(state="discarded").exists()


@pytest.mark.parametrize("who", ["head", "inspector"])
def test_head_and_inspector_look_at_everything_and_press_nothing(county: Cast, signed_in: SignIn, who: str) -> None:
    here, alike = (enrol(county, county.class_a1, name=name, kinds=()) for name in ("王小草", "李同名"))
    outsider = stranger(7, "外人甲")
    september = taken(county, "disabled", [Somebody("王小草", number_of(here.pupil))], SEPTEMBER)
    october = taken(county, "disabled", [outsider, Somebody("李同名", miswritten(number_of(alike.pupil)))], OCTOBER)
    task = Recheck.objects.get()
    page = signed_in(getattr(county, who))
    pages = {
        reverse("lists"): october.profile.name,
        reverse("list_version", args=[september.pk]): "王小草",
        reverse("list_differences", args=[october.profile_id]) + "?kind=left": "王小草",
        reverse("list_proposals"): "李同名",
        reverse("rechecks"): "王小草",
        reverse("recheck", args=[task.pk]): f"待{county.school_a.name}复核",
        reverse("list_sources"): october.profile.source.name,
    }
    for address, told in pages.items():
        text = page.get(address).content.decode()
        assert told in text, address
        main = text[text.index("<main") :]
        assert 'method="post"' not in main, address
        assert outsider.name not in main, address  # who is no pupil is the clerk's to see
    everybody = reverse("list_differences", args=[october.profile_id]) + "?kind=came&who=all"
    assert outsider.name not in page.get(everybody).content.decode()
    assert outsider.name in signed_in(county.clerk).get(everybody).content.decode()
    assert page.post(reverse("rechecks"), {"task": [task.pk]}).status_code == 403
    assert page.post(reverse("recheck", args=[task.pk]), {"outcome": "confirmed"}).status_code == 403


def test_a_discarded_list_leaves_no_persons_behind(county: Cast, signed_in: SignIn) -> None:
    here = enrol(county, county.class_a1, kinds=())
    version = list_versions.upload(
        list_files.upload("disabled", [Somebody("张小明", number_of(here.pupil))]),
        profile=ListProfile.objects.get(code="disabled"),
        as_of=SEPTEMBER,
        by=county.clerk,
    )
    signed_in(county.clerk).post(reverse("list_discard", args=[version.pk]))
    version.refresh_from_db()
    assert (version.state, version.file, version.entries.count(), ListMatch.objects.count()) == (
        "discarded",
        None,
        0,
        0,
    )


@pytest.fixture
def two_versions(county: Cast) -> tuple[Cast, list]:
    """Wang left, Li came in, Zhang's flags changed; one of another school came in too."""
    wang, li, zhang = (enrol(county, county.class_a1, name=name, kinds=()) for name in ("王小草", "李小花", "张小树"))
    zhao = enrol(county, county.class_b1, name="赵小石", kinds=())
    level = {"残疾类别": "肢体"}
    first = [
        Somebody("王小草", number_of(wang.pupil), flags=level),
        Somebody("张小树", number_of(zhang.pupil), flags=level | {"残疾等级": "三级"}),
        stranger(1, "路人甲"),
    ]
    second = [
        Somebody("李小花", number_of(li.pupil), flags=level),
        Somebody("张小树", number_of(zhang.pupil), flags=level | {"残疾等级": "二级"}),
        Somebody("赵小石", number_of(zhao.pupil), flags=level),
        stranger(2, "路人乙"),
    ]
    taken(county, "disabled", first, SEPTEMBER)
    taken(county, "disabled", second, OCTOBER)
    return county, [wang, li, zhang, zhao]


def test_the_county_sees_all_differences_and_a_school_its_own_pupils(
    two_versions: tuple[Cast, list], signed_in: SignIn
) -> None:
    county, _ = two_versions
    address = reverse("list_differences", args=[ListProfile.objects.get(code="disabled").pk])
    text = signed_in(county.clerk).get(address, {"kind": "came"}).content.decode()
    assert "李小花" in text
    assert "赵小石" in text
    assert "路人乙" not in text
    versions = {f"{v.as_of}": v.pk for v in ListVersion.objects.all()}
    both = {"before": versions["2026-09-03"], "after": versions["2026-10-08"]}
    text = signed_in(county.clerk).get(address, both | {"who": "all", "kind": "left"}).content.decode()
    assert "路人甲" in text
    assert "王小草" in text
    # Chosen the other way round it is the same page: the earlier version comes first.
    turned = {"before": both["after"], "after": both["before"], "who": "all", "kind": "left"}
    assert "路人甲" in signed_in(county.clerk).get(address, turned).content.decode()
    for kind, name in (("came", "李小花"), ("left", "王小草"), ("changed", "张小树")):
        text = signed_in(county.officer_a).get(address, both | {"who": "all", "kind": kind}).content.decode()
        assert name in text
        assert "赵小石" not in text
        assert "路人" not in text
    assert "二级" in text


def test_each_difference_is_a_task_at_the_pupils_school(two_versions: tuple[Cast, list], signed_in: SignIn) -> None:
    county, (wang, *_) = two_versions
    page = signed_in(county.officer_a)
    text = page.get(reverse("rechecks")).content.decode()
    assert all(name in text for name in ("王小草", "李小花", "张小树"))
    assert "赵小石" not in text
    assert "名单变化待复核" in page.get(reverse("home")).content.decode()
    task = Recheck.objects.get(pupil=wang.pupil)
    text = page.get(reverse("recheck", args=[task.pk])).content.decode()
    assert "结束“残疾学生”" in text
    refused = page.post(reverse("recheck", args=[task.pk]), {"outcome": "confirmed"})
    assert "请填写最后一天" in refused.content.decode()
    page.post(reverse("recheck", args=[task.pk]), {"outcome": "confirmed", "on": "2026-10-08"})
    assert Circumstance.objects.get(pupil=wang.pupil).valid_to == OCTOBER
    task.refresh_from_db()
    assert (task.state, task.settled_for) == ("settled", OCTOBER)
    assert "已复核" in page.get(reverse("recheck", args=[task.pk])).content.decode()
    assert signed_in(county.officer_b).get(reverse("recheck", args=[task.pk])).status_code == 404


def test_plain_tasks_are_confirmed_together_and_the_others_left(
    two_versions: tuple[Cast, list], signed_in: SignIn
) -> None:
    county, _ = two_versions
    keys = list(Recheck.objects.filter(school=county.school_a).values_list("pk", flat=True))
    page = signed_in(county.officer_a)
    text = page.post(reverse("rechecks"), {"task": keys}, follow=True).content.decode()
    assert "已确认 2 项" in text
    assert "1 项没有办" in text
    assert list(Recheck.objects.filter(school=county.school_a, state="open").values_list("kind", flat=True)) == ["left"]


def test_homonyms_are_shown_side_by_side_and_decided_by_the_school(county: Cast, signed_in: SignIn) -> None:
    one = enrol(county, county.class_a1, name="王小草", kinds=())
    two = enrol(county, county.class_a2, name="王小草", kinds=())
    wrong = miswritten(number_of(one.pupil))
    version = taken(county, "disabled", [Somebody("王小草", wrong)], SEPTEMBER)
    assert version.findings[0]["column"] == "B"
    assert not Circumstance.objects.exists()
    page = signed_in(county.officer_a)
    assert "名单上的人待核对身份" in page.get(reverse("home")).content.decode()
    text = page.get(reverse("list_proposals")).content.decode()
    assert text.count("另有 1 名同名同日生的学生") == 2
    assert one.class_name in text
    assert two.class_name in text
    mine = ListMatch.objects.get(pupil=one.pupil)
    page.post(reverse("list_decide", args=[mine.pk]), {"same": "yes"})
    assert [row.pupil for row in Circumstance.objects.all()] == [one.pupil]
    assert ListMatch.objects.get(pupil=two.pupil).state == "refused"
    assert signed_in(county.officer_b).post(reverse("list_decide", args=[mine.pk]), {"same": "no"}).status_code == 404
    # The next version says the same of the same person: nobody is asked again.
    taken(county, "disabled", [Somebody("王小草", wrong), stranger(3)], OCTOBER)
    assert sorted(ListMatch.objects.filter(version__as_of=OCTOBER).values_list("state", flat=True)) == [
        "confirmed",
        "refused",
    ]
    assert not Recheck.objects.exists()


def test_the_page_of_sources_says_who_is_heard_and_why(county: Cast, signed_in: SignIn) -> None:
    here = enrol(county, county.class_a1, name="王小草", kinds=())
    number = number_of(here.pupil)
    taken(county, "lifted-with-policy", [Somebody("王小草", number, flags={POLICY: "享受政策"})], SEPTEMBER)
    office = ListSource.objects.create(county=county.county, name="省级推送", rank=5)
    ListProfile.objects.filter(code="lifted-without-policy").update(source=office)
    taken(county, "lifted-without-policy", [Somebody("王小草", number, flags={POLICY: "不享受政策"})], SEPTEMBER)
    page = signed_in(county.clerk)
    text = page.get(reverse("list_sources")).content.decode()
    assert "王小草" in text
    assert "省级推送的优先顺序在前" in text
    assert Recheck.objects.get().kind == "contradicted"
    # The other way round: the list that gives is heard, and there is nothing left to look into.
    numbers = {f"order-{source.pk}": n for n, source in enumerate(ListSource.objects.order_by("-rank"), start=1)}
    page.post(reverse("list_sources"), numbers)
    assert "县乡村振兴部门的优先顺序在前" in page.get(reverse("list_sources")).content.decode()
    assert not Recheck.objects.exists()
    assert lists.standing_on_lists([here.pupil.pk])[here.pupil.pk][0].is_heard


def test_a_profile_is_edited_tried_out_and_saved(county: Cast, signed_in: SignIn) -> None:
    page = signed_in(county.clerk)
    profile = ListProfile.objects.get(code="low-income")
    address = reverse("list_profile_edit", args=[profile.pk])
    data = form_data(page.get(address).context["editor"])
    data |= {"name": "低收入人口（新版）", "members": "", "rules-0-words": "刚性支出、因病支出"}
    people = [Somebody("钱小路", number_of_stranger(), flags={"对象类别": "因病支出型困难"})]
    trial = page.post(address, data | {"try": "1", "file": list_files.upload("low-income", people)})
    text = trial.content.decode()
    assert "钱小路" in text
    assert "其他经学校认定的困难" in text
    assert number_of_stranger() not in text
    profile.refresh_from_db()
    assert profile.name == "低收入人口花名册"
    assert page.post(address, data).status_code == 302
    before = profile.layout
    profile.refresh_from_db()
    assert profile.name == "低收入人口（新版）"
    assert profile.layout == before
    assert profile.meaning["rules"][0]["words"] == ["刚性支出", "因病支出"]
    data["columns-0-letter"] = "3C"
    text = page.post(address, data).content.decode()
    assert "不是 Excel 的列字母" in text


def test_a_new_profile_needs_a_column_to_read(county: Cast, signed_in: SignIn) -> None:
    page = signed_in(county.clerk)
    address = reverse("list_profile_add")
    data = form_data(page.get(address).context["editor"])
    source = ListSource.objects.first()
    assert source
    data |= {"name": "工会困难职工", "source": source.pk, "category": "hardship_worker", "file_words": "困难职工"}
    blank = data | {f"columns-{n}-headers": "" for n in range(7)}
    assert "至少要写明证件号或姓名在哪一列" in page.post(address, blank).content.decode()
    assert page.post(address, data).status_code == 302
    made = ListProfile.objects.get(name="工会困难职工")
    assert list_profiles.propose([made], "2026年困难职工子女名单.xlsx") == made


@pytest.mark.parametrize(
    "name", ["lists", "rechecks", "list_proposals", "list_sources", "list_version", "list_differences"]
)
def test_pages_ask_the_database_as_often_for_three_as_for_one(
    county: Cast, signed_in: SignIn, name: str, django_assert_num_queries: Callable
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    page = signed_in(county.clerk)

    def asked(round_: int, pupils: int) -> int:
        people = [enrol(county, county.class_a1, name=f"王小{n}", kinds=()) for n in range(pupils)]
        rows = [Somebody(row.pupil.name, number_of(row.pupil), flags={POLICY: "享受政策"}) for row in people]
        against = [Somebody(row.pupil.name, number_of(row.pupil), flags={POLICY: "不享受政策"}) for row in people]
        alike = [Somebody(row.pupil.name, miswritten(number_of(row.pupil))) for row in people]
        day = dt.timedelta(days=round_ * 2)
        taken(county, "lifted-with-policy", [*rows, stranger(round_)], SEPTEMBER + day)
        taken(county, "lifted-with-policy", [stranger(round_)], SEPTEMBER + day + dt.timedelta(days=1))
        taken(county, "disabled", [*alike, stranger(round_)], SEPTEMBER + day)
        taken(county, "lifted-without-policy", against, SEPTEMBER + day)
        newest = ListVersion.objects.get(profile__code="lifted-without-policy", as_of=SEPTEMBER + day)
        profile = ListProfile.objects.get(code="lifted-with-policy")
        keys = {"list_version": [newest.pk], "list_differences": [profile.pk]}.get(name, [])
        with CaptureQueriesContext(
            connection,
        ) as context:
            assert page.get(reverse(name, args=keys)).status_code == 200
        return len(context)

    page.get(reverse("home"))
    one = asked(0, 1)
    assert asked(1, 3) == one


def form_data(editor: object) -> dict[str, object]:
    """What the browser would send back of the editor as it stands."""
    data: dict[str, object] = {}
    for form in [editor.form, *editor.columns, *editor.flags, *editor.rules]:  # type: ignore[attr-defined]
        for field in form:
            value = field.value()
            if value not in (None, False):
                data[field.html_name] = value
    for rows in (editor.columns, editor.flags, editor.rules):  # type: ignore[attr-defined]
        for field in rows.management_form:
            data[field.html_name] = field.value()
    return data


def number_of_stranger() -> str:
    return stranger(7).number
