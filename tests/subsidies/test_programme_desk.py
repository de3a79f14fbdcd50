"""The pages of a programme's desk: from nothing to a round that can be opened, and the ways back."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from students.models import Category
from subsidies.models import AcceptedCategory, ProcessRule, Programme
from subsidies.states import State
from tests import cast as casting
from tests.cast import Cast, enrol, submitted, walk

TYPED = {
    "name": "云岭县初中校服补助",
    "stages": ["junior"],
    "basis": "云教〔2026〕8号",
    "recipients": "listed",
    "unit": "term",
    "applied": "term",
    "paid": "term",
    "form": "cash",
    "funding": "state",
    "channels": ["card"],
    "tiers": "特别困难、困难",
}
CODE = "ylxczxfbz"
GROUND = {"category_code": "orphan", "boarding": "", "first_term": "2026-2027-1", "source": "云教〔2026〕8号"}
RULE = {
    "class_review_members": "5",
    "school_review_members": "8",
    "notice_days": "7",
    "notice_day_kind": "calendar",
    "first_term": "2026-2027-1",
    "source": "云教〔2026〕8号",
}


def open_as(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def seen_on(page: str) -> str:
    return re.search(r'name="seen" value="([0-9a-f]*)"', page)[1]


@pytest.fixture
def clerk(cast: Cast) -> Client:
    return open_as(cast.clerk)


def test_from_a_new_programme_to_a_round(cast: Cast, clerk: Client) -> None:
    enrol(cast, cast.class_a1, name="张一", kinds=("orphan",))
    page = text_of(clerk.post(reverse("programme_add"), TYPED, follow=True))
    assert "已新增项目“云岭县初中校服补助”。还要登记标准等内容，才能开启批次。" in page
    assert page.count("还没有</span>") == 3
    made = Programme.objects.get(code=CODE)
    assert (made.tiers, made.channels, made.recorded_by) == (["特别困难", "困难"], ["card"], cast.clerk)

    standard = {"amount": "300.00", "document": "云教〔2026〕8号", "first_term": "2026-2027-1"}
    page = text_of(clerk.post(reverse("standard_add", args=[CODE]), standard))
    clerk.post(reverse("standard_add", args=[CODE]), standard | {"save": "1", "seen": seen_on(page)})

    page = text_of(clerk.post(reverse("ground_add", args=[CODE]), GROUND))
    assert "自2026年秋季学期起有 1 名学生的金额会变化，合计每学期 +300.00 元" in page
    assert "张一" in page
    assert not made.accepted.exists()
    answer = clerk.post(reverse("ground_add", args=[CODE]), GROUND | {"save": "1", "seen": seen_on(page)}, follow=True)
    assert "已把“孤儿”（不分就读方式）列入资助范围，2026年秋季学期起执行。" in text_of(answer)

    page = text_of(clerk.post(reverse("process_rule_add", args=[CODE]), RULE, follow=True))
    assert "已登记评审和公示规则：班级评议不少于5人，学校评审不少于8人，公示7个自然日，不公示金额" in page
    assert "开启批次前还要登记" not in page
    assert "开启批次需要的都已登记" in page
    assert casting.open_round(cast, CODE).pk


def test_what_is_wrong_with_a_programme_stands_at_its_field(cast: Cast, clerk: Client) -> None:
    page = text_of(clerk.post(reverse("programme_add"), TYPED | {"channels": ["cash"], "code": "packs"}))
    assert "2 处需要改正" in page
    assert "使用财政资金，不能以现金发放；请发放到学生或监护人的银行卡或社会保障卡。" in page
    assert 'value="云岭县初中校服补助"' in page
    empty = text_of(clerk.post(reverse("programme_add"), {"code": ""}))
    assert "项目名称：请填写" in empty
    assert not Programme.objects.filter(name=TYPED["name"]).exists()


def test_a_change_without_effect_is_saved_at_once_one_with_effect_is_seen_first(cast: Cast, clerk: Client) -> None:
    enrol(cast, cast.class_a1, name="张一", kinds=())
    address = reverse("programme_edit", args=["living-aid"])
    form = clerk.get(address).context["form"]
    typed = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    typed |= {"document": "云教〔2026〕9号"}
    page = text_of(clerk.post(address, typed | {"name": "义务教育生活补助"}, follow=True))
    assert "已修改项目“义务教育生活补助”。" in page
    assert "沈经办修改项目：原来：项目：义务教育家庭经济困难学生生活补助；新：项目：义务教育生活补助" in page

    form = clerk.get(address).context["form"]
    typed |= {"name": "义务教育生活补助", "began_from": form["began_from"].value(), "recipients": "all"}
    page = text_of(clerk.post(address, typed))
    assert "受助对象：属于所列困难类别的学生" in page
    assert "有 1 名学生的金额会变化，合计每学期 +750.00 元" in page
    assert Programme.objects.get(code="living-aid").recipients == "listed"
    back = text_of(clerk.post(address, typed | {"edit": "1"}))
    assert 'value="云教〔2026〕9号"' in back
    assert clerk.post(address, typed | {"save": "1", "seen": seen_on(page)}).status_code == 302
    assert Programme.objects.get(code="living-aid").recipients == "all"
    page = text_of(clerk.get(reverse("programme", args=["living-aid"])))
    assert "面向全体学生，不看困难类别" in page
    assert reverse("ground_add", args=["living-aid"]) not in page


def test_the_form_forgets_nothing_it_was_given(cast: Cast, clerk: Client) -> None:
    """Sent back as it came, it says that nothing was changed."""
    for programme in Programme.objects.all():
        address = reverse("programme_edit", args=[programme.code])
        form = clerk.get(address).context["form"]
        typed = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
        page = text_of(clerk.post(address, typed | {"document": "云教"}))
        assert "没有改动任何内容，不用保存。" in page, programme


def test_what_stands_against_a_change_is_said_on_the_form(cast: Cast, clerk: Client) -> None:
    address = reverse("programme_edit", args=["living-aid"])
    form = clerk.get(address).context["form"]
    typed = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    page = text_of(clerk.post(address, typed | {"document": "云教", "unit": "year", "stages": ["primary"]}))
    assert "2 处需要改正" in page
    assert "改了计算单位，这些金额的意思就变了" in page
    assert 'name="code"' not in page


def test_a_programme_is_switched_off_after_the_warning_and_on_again(cast: Cast, clerk: Client, round_) -> None:
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.CLASS_REVIEWED)
    address = reverse("programme_switch", args=["living-aid"])
    page = text_of(clerk.get(address))
    assert "还有没办完的批次，停用以后照常办完" in page
    assert "还有 1 份申请没有办完" in page
    assert "没有停用" in text_of(clerk.post(address, {"reason": "云教〔2026〕9号", "seen": ""}))
    answer = clerk.post(address, {"reason": "云教〔2026〕9号", "seen": seen_on(page)}, follow=True)
    page = text_of(answer)
    assert "已停用，不能再开启批次。" in page
    assert "沈经办停用项目：事由：云教〔2026〕9号" in page
    assert "已停用的项目（1 个）" in text_of(clerk.get(reverse("programmes")))
    assert "启用，可以开启批次" in text_of(clerk.post(address, {"reason": "恢复"}, follow=True))


def test_a_category_ends_once_it_is_seen_whom_that_leaves_out(cast: Cast, clerk: Client) -> None:
    enrol(cast, cast.class_a1, name="张一", kinds=("orphan",))
    row = AcceptedCategory.objects.filter(programme__code="living-aid", category_code="orphan", last_term="").first()
    address = reverse("ground_end", args=["living-aid", row.pk])
    typed = {"last_term": "2026-2027-1", "document": "云教〔2026〕9号"}
    assert "看看会影响哪些学生" in text_of(clerk.get(address))
    page = text_of(clerk.post(address, typed))
    assert "自2027年春季学期起有 1 名学生的金额会变化" in page
    page = text_of(clerk.post(address, typed | {"save": "1", "seen": seen_on(page)}, follow=True))
    assert "资助到2026年秋季学期为止。" in page
    assert "沈经办登记资助范围截止：截止学期：2026年秋季学期；依据文件：云教〔2026〕9号" in page
    assert "已经登记了截止学期" in text_of(clerk.post(address, typed))
    assert clerk.get(reverse("ground_end", args=["senior-grant", row.pk])).status_code == 404


def test_a_rule_that_meets_a_review_half_way_is_recorded_on_the_second_click(cast: Cast, clerk: Client, round_) -> None:
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1)), State.ON_NOTICE)
    address = reverse("process_rule_add", args=["living-aid"])
    assert 'name="notice_days" value="5"' in text_of(clerk.get(address))
    page = text_of(clerk.post(address, RULE))
    assert "已经开过 2 次评议会，1 名学生正在公示。" in page
    assert "正在公示的按发布时的天数公示到期" in page
    assert not ProcessRule.objects.filter(programme=round_.programme, notice_days=7).exists()
    assert clerk.post(address, RULE | {"seen": seen_on(page)}).status_code == 302
    shown = text_of(clerk.get(reverse("programme", args=["living-aid"])))
    assert "不少于 7 个自然日" in shown
    assert "以前的规则（1 条）" in shown
    assert "公示天数：确保" in text_of(clerk.post(address, RULE | {"notice_days": "61"}))


def test_every_row_shows_its_origin_to_everybody(cast: Cast) -> None:
    page = text_of(open_as(cast.teacher_a1).get(reverse("programme", args=["living-aid"])))
    assert page.count("<summary>政策包“") >= 10
    assert "可信度 A：有公开文件或多个公开来源。" in page
    assert "登记截止" not in page
    assert "修改项目" not in page


def test_a_category_that_is_over_is_marked(cast: Cast, clerk: Client) -> None:
    Category.objects.filter(code="martyr").update(valid_to="2026-09-30", maps_to=Category.objects.get(code="other"))
    living = Programme.objects.get(code="living-aid")
    if not living.accepted.filter(category_code="martyr", last_term="").exists():
        living.accepted.create(category_code="martyr", first_term="2024-2025-1", source="云教")
    page = text_of(clerk.get(reverse("programme", args=["living-aid"])))
    assert "类别已失效" in page
    assert "2026年9月30日止，现对应“其他经学校认定的困难”" in page


def test_the_page_asks_the_same_for_few_rows_and_many(cast: Cast, clerk: Client) -> None:
    address, living = reverse("programme", args=["living-aid"]), Programme.objects.get(code="living-aid")

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            clerk.get(address)
        return len(queries)

    def record(year: int) -> None:
        told = {"first_term": f"{year}-{year + 1}-1", "source": "云教", "recorded_by": cast.clerk}
        living.process_rules.create(**told)
        living.accepted.create(category_code="other", boarding="half", last_term=f"{year}-{year + 1}-2", **told)

    record(2030)
    before = asked()
    record(2031)
    record(2032)
    assert asked() == before


def test_the_desk_is_the_county_clerks(cast: Cast) -> None:
    for name in ("programme_edit", "programme_switch", "ground_add", "process_rule_add"):
        assert open_as(cast.head).get(reverse(name, args=["living-aid"])).status_code == 403
    assert "新增项目" not in text_of(open_as(cast.head).get(reverse("programmes")))
