"""困难类别: kinds of hardship come, go, are called otherwise and give way to others; who holds them follows."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse

from accounts import clock
from accounts.models import AuditRow
from students import categories, enrolment
from students.models import Category
from tests.cast import Cast, enrol

TODAY, TOMORROW = dt.date(2026, 10, 12), dt.date(2026, 10, 13)


def kind(code: str) -> Category:
    return Category.objects.get(code=code)


def add(cast: Cast, name: str = "一户多残家庭", **changed) -> Category:
    facts = {"code": "", "valid_from": TODAY, "source": "云民〔2026〕3号"}
    told = {"after": None, "county": cast.county, "by": cast.clerk}
    for key in ("after", "replaces", "is_renamed"):
        if key in changed:
            told[key] = changed.pop(key)
    return categories.add(Category(name=name, **facts | changed), **told)


def refusal(cast: Cast, **changed) -> str:
    before = list(Category.objects.order_by("pk").values())
    with pytest.raises(ValidationError) as refused:
        add(cast, **changed)
    assert list(Category.objects.order_by("pk").values()) == before
    return "".join(refused.value.messages)


def end(cast: Cast, category: Category, on: dt.date = TODAY, **changed) -> Category:
    told = {"document": "云民〔2026〕4号", "county": cast.county, "by": cast.clerk}
    return categories.end(category, on=on, **told | changed)


def held_by(place, on: dt.date) -> list[str]:
    return [each["code"] for each in enrolment.categories_of([place.pupil_id], on=on).get(place.pupil_id, [])]


def test_a_kind_is_put_behind_another_with_a_code_from_its_name(cast: Cast) -> None:
    ranks = list(Category.objects.order_by("rank", "valid_from").values_list("code", flat=True))
    made = add(cast, after=kind("orphan"))
    assert (made.code, made.recorded_by) == ("yhdcjt", cast.clerk)
    now = list(Category.objects.order_by("rank", "valid_from").values_list("code", flat=True))
    assert now == [*ranks[: ranks.index("orphan") + 1], "yhdcjt", *ranks[ranks.index("orphan") + 1 :]]
    told = AuditRow.objects.get(action="category.add")
    assert (told.detail["label"], told.detail["basis"], told.username) == ("一户多残家庭", "云民〔2026〕3号", "clerk")


def test_there_is_always_room_between_two_kinds(cast: Cast) -> None:
    names = [f"新类别{letter}" for letter in "甲乙丙丁戊己庚辛"]
    for name in names:
        add(cast, name, after=kind("tekun"))
    order = list(Category.objects.order_by("rank").values_list("name", flat=True))
    assert order[: len(names) + 2] == ["特困供养学生", *reversed(names), "孤儿"]
    assert add(cast, "最先的一类").rank < kind("tekun").rank


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "孤儿"}, "“孤儿”已经是困难类别"),
        ({"code": "orphan"}, "代码“orphan”已经用于另一个困难类别"),
        ({"code": "孤儿"}, "代码“孤儿”不能用"),
        ({"source": " "}, "不能为空"),
        ({"is_renamed": True}, "请选择原来的困难类别"),
    ],
)
def test_a_kind_that_may_not_be_is_refused(cast: Cast, changed, words) -> None:
    assert words in refusal(cast, **changed)


def test_a_kind_under_another_name_keeps_code_and_pupils(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1, kinds=("at_risk",))
    old = kind("at_risk")
    new = add(cast, "监测对象", replaces=old, is_renamed=True, valid_from=TODAY, after=old)
    old.refresh_from_db()
    assert (new.code, old.valid_to, old.maps_to) == ("at_risk", TODAY - dt.timedelta(days=1), new)
    assert held_by(place, TODAY) == ["at_risk"]
    told = AuditRow.objects.get(action="category.end").detail
    assert (told["label"], told["maps_to"]) == (old.name, "监测对象")


def test_another_kind_takes_the_place_from_a_day_to_come_on(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1, kinds=("dibao_urban",))
    words = "接替别的类别要从今天以后的日子开始"
    assert words in refusal(cast, replaces=kind("dibao_urban"), valid_from=TODAY)
    new = add(cast, "城乡低保", replaces=kind("dibao_urban"), valid_from=TOMORROW)
    assert held_by(place, TODAY) == ["dibao_urban"]
    assert held_by(place, TOMORROW) == [new.code]
    assert "不能再由别的类别接替" in refusal(cast, name="低保", replaces=kind("dibao_urban"), valid_from=TOMORROW)


def test_a_name_or_day_that_leaves_nothing_is_refused(cast: Cast) -> None:
    old = kind("orphan")
    assert "名称没有改动" in refusal(cast, name=old.name, replaces=old, is_renamed=True)
    day = old.valid_from
    assert "要晚于这一天" in refusal(cast, name="孤儿（新）", replaces=old, is_renamed=True, valid_from=day)


def test_a_kind_ends_and_its_pupils_hold_what_takes_its_place(cast: Cast) -> None:
    one = enrol(cast, cast.class_a1, name="张一", kinds=("martyr",))
    two = enrol(cast, cast.class_a1, name="李二", kinds=("hardship_worker",))
    assert categories.holders(TODAY)[kind("martyr").pk] == 1
    end(cast, kind("martyr"), maps_to=kind("other"))
    end(cast, kind("hardship_worker"), on=TOMORROW)
    assert held_by(one, TODAY) == ["martyr"]
    assert held_by(one, TOMORROW) == ["other"]
    assert held_by(two, TOMORROW) == ["hardship_worker"]
    assert held_by(two, TOMORROW + dt.timedelta(days=1)) == []
    told = AuditRow.objects.filter(action="category.end").order_by("number").first()
    assert (told.detail["maps_to"], told.detail["basis"]) == ("其他经学校认定的困难", "云民〔2026〕4号")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"on": TODAY - dt.timedelta(days=1)}, "不能早于今天"),
        ({"on": dt.date(2010, 1, 1)}, "不能早于生效日期"),
        ({"document": " "}, "没有写明文件名称和文号"),
        ({"maps_to": "martyr"}, "请选择另一个困难类别"),
        ({"maps_to": "registered_poverty"}, "不能接替"),
    ],
)
def test_an_end_that_makes_no_sense_is_refused(cast: Cast, changed, words) -> None:
    if "maps_to" in changed:
        changed = {"maps_to": kind(changed["maps_to"])}
    with pytest.raises(ValidationError) as refused:
        end(cast, kind("martyr"), **changed)
    assert words in "".join(refused.value.messages)
    assert kind("martyr").valid_to is None


def test_a_kind_ends_once(cast: Cast) -> None:
    end(cast, kind("martyr"))
    with pytest.raises(ValidationError, match="已于2026年10月12日失效"):
        end(cast, kind("martyr"))


def test_only_who_keeps_the_rules_changes_kinds(cast: Cast) -> None:
    for who in (cast.head, cast.officer_a):
        with pytest.raises(PermissionDenied):
            categories.add(Category(name="新"), after=None, county=cast.county, by=who)
        with pytest.raises(PermissionDenied):
            categories.end(kind("martyr"), on=clock.today(), document="x", county=cast.county, by=who)


# --- pages -----------------------------------------------------------------------------------------


def test_the_list_shows_what_holds_and_what_is_over(cast: Cast, signed_in) -> None:
    enrol(cast, cast.class_a1, kinds=("orphan",))
    page = signed_in(cast.clerk).get(reverse("categories")).content.decode()
    assert "建档立卡贫困户" in page.split("已失效的类别（1 类）")[1]
    assert "现对应“脱贫户（继续享受政策）”" in page
    assert "随系统安装" in page
    assert reverse("category_add") in page
    teacher = signed_in(cast.teacher_a1).get(reverse("categories")).content.decode()
    assert "孤儿" in teacher
    assert "登记的学生" not in teacher
    assert reverse("category_add") not in teacher


def test_a_kind_is_recorded_and_ended_on_its_pages(cast: Cast, signed_in) -> None:
    clerk = signed_in(cast.clerk)
    form = {"name": "一户多残家庭", "valid_from": "2026-10-12", "source": "云民〔2026〕3号", "needs_evidence": "on"}
    page = clerk.post(reverse("category_add"), form, follow=True).content.decode()
    assert "已登记困难类别“一户多残家庭”，自2026年10月12日起。请到“项目与标准”" in page
    made = kind("yhdcjt")
    page = clerk.post(reverse("category_add"), form).content.decode()
    assert "名称：“一户多残家庭”已经是困难类别" in page
    address = reverse("category_end", args=[made.pk])
    assert "现在有 0 名学生登记了这一类" in clerk.get(address).content.decode()
    page = clerk.post(address, {"on": "2026-10-12", "document": "", "maps_to": ""}).content.decode()
    assert "文件名称和文号：请填写" in page
    told = {"on": "2026-10-12", "document": "云民〔2026〕4号", "maps_to": kind("disabled").pk}
    page = clerk.post(address, told, follow=True).content.decode()
    assert "已登记：“一户多残家庭”到2026年10月12日为止，以后算作“残疾学生”。" in page


def test_a_renamed_kind_is_recorded_on_its_page(cast: Cast, signed_in) -> None:
    form = {"name": "监测对象", "valid_from": "2026-10-12", "source": "云振〔2026〕3号", "is_renamed": "on"}
    form |= {"replaces": kind("at_risk").pk, "after": kind("at_risk").pk}
    page = signed_in(cast.clerk).post(reverse("category_add"), form, follow=True).content.decode()
    assert "已登记困难类别“监测对象”，自2026年10月12日起。<" in page
    assert Category.objects.filter(code="at_risk").count() == 2
