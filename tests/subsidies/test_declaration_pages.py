"""The pages of the form: filling it in, its versions and signed papers, a class's forms, the county's rule."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import clock
from accounts.models import AuditRow
from subsidies import declarations
from subsidies.models import Declaration, FormRule, Programme, Round, SignedForm
from tests import cast as casting
from tests.cast import Cast, answers, enrol

from .test_pages import open_as, text_of


def typed(**told: object) -> dict[str, object]:
    """What a teacher types: the family of `tests.cast.answers`."""
    sent: dict[str, object] = {"version": 0}
    said = answers()
    for number, member in enumerate(said.members):
        sent |= {f"member-{number}-{name}": value if value is not None else "" for name, value in vars(member).items()}
    sent |= {name: getattr(said, name) for name in ("household", "studying", "supported", "unemployed", "address")}
    return sent | {"weakness": said.weakness, "reason": said.reason} | told


def declared(cast: Cast, place, **how: object) -> Declaration:
    usual: dict = {"based_on": 0, "reason": "", "by": cast.teacher_a1}
    return declarations.declare(place, answers(), **{**usual, **how})


def page_of(client: Client, name: str, *args: object) -> str:
    return text_of(client.get(reverse(name, args=args)))


def test_a_teacher_fills_in_the_form_and_is_told_what_to_do_next(cast: Cast) -> None:
    place, teacher = enrol(cast, cast.class_a1), open_as(cast.teacher_a1)
    assert "本学年还没有填写" in page_of(teacher, "pupil", place.pupil_id)
    edit = reverse("declaration_edit", args=[place.pupil_id])
    page = text_of(teacher.get(edit))
    assert 'value="张建国"' in page
    assert "本学年已发" in page
    done = teacher.post(edit, typed(), follow=True)
    assert "已保存第 1 版。请核对后打印，由家长签字" in text_of(done)
    assert declarations.answers_of(Declaration.objects.get()) == answers()
    assert "没有填母亲" in text_of(done)


def test_what_is_wrong_is_named_and_nothing_typed_is_lost(cast: Cast) -> None:
    place, teacher = enrol(cast, cast.class_a1), open_as(cast.teacher_a1)
    sent = typed(household="2", **{"member-1-income": "", "member-0-age": "五十", "debt": "欠款 2 万"})
    page = text_of(teacher.post(reverse("declaration_edit", args=[place.pupil_id]), sent))
    assert "第 1 名成员" in page
    assert "欠款 2 万" in page
    sent["member-0-age"] = "50"
    page = text_of(teacher.post(reverse("declaration_edit", args=[place.pupil_id]), sent))
    assert "第 2 名成员，年收入（元）：收入不能空着" in page
    assert "列出了 3 口人" in page
    assert not Declaration.objects.exists()


def test_a_number_of_a_person_is_refused_wherever_it_is_typed(cast: Cast) -> None:
    place, teacher = enrol(cast, cast.class_a1), open_as(cast.teacher_a1)
    sent = typed(**{"member-0-workplace": "电话 13812345678"})
    page = text_of(teacher.post(reverse("declaration_edit", args=[place.pupil_id]), sent))
    assert "不要写身份证号" in page
    assert not Declaration.objects.exists()


def test_a_row_left_empty_is_nobody(cast: Cast) -> None:
    place, teacher = enrol(cast, cast.class_a1), open_as(cast.teacher_a1)
    sent = typed(**{"member-2-name": "", "member-2-presence": "here", "member-2-health": "well"})
    teacher.post(reverse("declaration_edit", args=[place.pupil_id]), sent)
    assert len(declarations.answers_of(Declaration.objects.get()).members) == 2


def test_sending_the_form_twice_keeps_one_version(cast: Cast) -> None:
    place, teacher = enrol(cast, cast.class_a1), open_as(cast.teacher_a1)
    edit = reverse("declaration_edit", args=[place.pupil_id])
    teacher.post(edit, typed())
    again = text_of(teacher.post(edit, typed(reason_of_change="返回后又提交")))  # the browser's back button
    assert "李老师刚刚保存了第 1 版" in again
    assert Declaration.objects.count() == 1


def test_a_change_is_a_second_version_and_the_first_can_still_be_read(cast: Cast) -> None:
    place, teacher = enrol(cast, cast.class_a1), open_as(cast.teacher_a1)
    declared(cast, place)
    edit = reverse("declaration_edit", args=[place.pupil_id])
    assert "与第 1 版相比改了什么" in text_of(teacher.get(edit))
    teacher.post(edit, typed(version=1, debt="欠亲友 2 万元", reason_of_change="家长补报"))
    own = reverse("declaration", args=[place.pupil_id])
    assert "欠亲友 2 万元" in text_of(teacher.get(own))
    first = text_of(teacher.get(f"{own}?version=1"))
    assert "已被第 2 版代替" in first
    assert "欠亲友 2 万元" not in first


def test_looking_at_the_form_is_recorded(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    declared(cast, place)
    page_of(open_as(cast.inspector), "declaration", place.pupil_id)
    row = AuditRow.objects.get(action="declaration.read")
    assert (row.person, row.detail) == ("严督查", {"year": "2026-2027", "version": 1})


def test_a_year_that_never_was_is_not_there(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    own = reverse("declaration", args=[place.pupil_id])
    assert open_as(cast.teacher_a1).get(f"{own}?year=1999-2000").status_code == 404
    assert open_as(cast.teacher_a1).get(f"{own}?version=abc").status_code == 200


def test_the_signed_paper_is_taken_in_shown_and_served_to_the_pupils_own_only(cast: Cast) -> None:
    place, teacher = enrol(cast, cast.class_a1), open_as(cast.teacher_a1)
    held = declared(cast, place)
    rule = declarations.rule_of(Programme.objects.get(code="living-aid"), cast.term)
    assert rule
    sign = reverse("declaration_sign", args=[held.pk, rule.pk])
    assert held.mark in text_of(teacher.get(sign))
    sent = {"file": casting.scan("申请表.pdf"), "signer": "guardian", "signed_on": clock.today().isoformat()}
    assert "签字扫描件" in text_of(teacher.post(sign, sent, follow=True))
    scan = reverse("signed_form", args=[SignedForm.objects.get().pk])
    assert teacher.get(scan)["Content-Type"] == "application/pdf"
    assert teacher.get(f"{scan}?preview")["Content-Type"] == "image/jpeg"
    assert open_as(cast.teacher_a2).get(scan).status_code == 404
    assert AuditRow.objects.filter(action="declaration.read_signed").count() == 1
    assert "已签字" in page_of(teacher, "pupil", place.pupil_id)


def test_the_case_says_whether_its_form_is_signed(cast: Cast, round_: Round) -> None:
    place = enrol(cast, cast.class_a1)
    [case] = casting.submitted(cast, round_, place)
    assert "还没有填写《义务教育家庭经济困难学生生活补助申请表》" in page_of(
        open_as(cast.officer_a), "application", case.pk
    )
    declared(cast, place)
    assert "（第 1 版）" in page_of(open_as(cast.officer_a), "application", case.pk)


# --- a class --------------------------------------------------------------------------------------


def test_the_class_sees_whose_form_is_missing(cast: Cast, round_: Round) -> None:
    done = enrol(cast, cast.class_a1, name="张甲")
    enrol(cast, cast.class_a1, name="张乙")
    declared(cast, done)
    page = page_of(open_as(cast.teacher_a1), "class_forms", round_.pk, cast.class_a1.pk)
    assert "2 人中 1 人已填写，0 人已交回签字页" in page
    assert "三家村" not in page
    assert reverse("class_forms", args=[round_.pk, cast.class_a1.pk]) in page_of(
        open_as(cast.teacher_a1), "class_file", round_.pk, cast.class_a1.pk
    )


def test_the_page_of_a_class_asks_the_same_number_of_questions_for_one_and_for_three(cast: Cast, round_: Round) -> None:
    address, teacher = reverse("class_forms", args=[round_.pk, cast.class_a1.pk]), open_as(cast.teacher_a1)
    counts = []
    for names in (["张甲"], ["张乙", "张丙"]):
        for name in names:
            declared(cast, enrol(cast, cast.class_a1, name=name))
        teacher.get(address)
        with CaptureQueriesContext(connection) as asked:
            teacher.get(address)
        counts.append(len(asked))
    assert counts[0] == counts[1]


@pytest.mark.slow
def test_a_class_prints_what_is_filled_in_and_what_is_for_the_pen(cast: Cast, round_: Round) -> None:
    places = [enrol(cast, cast.class_a1, name=name) for name in ("张甲", "张乙")]
    declared(cast, places[0])
    address, teacher = reverse("class_forms", args=[round_.pk, cast.class_a1.pk]), open_as(cast.teacher_a1)
    chosen = [str(place.pk) for place in places]
    for button in ("filled", "heads", "empty"):
        answer = teacher.post(address, {"pupil": chosen, button: "1"})
        assert answer["Content-Type"] == "application/pdf", button
        assert "张" not in answer["Content-Disposition"]
    assert AuditRow.objects.filter(action="declaration.print").count() == 1
    assert AuditRow.objects.filter(action="declaration.print_blank").count() == 2


def test_printing_nothing_says_what_to_do(cast: Cast, round_: Round) -> None:
    place = enrol(cast, cast.class_a1)
    address, teacher = reverse("class_forms", args=[round_.pk, cast.class_a1.pk]), open_as(cast.teacher_a1)
    assert "请先勾选学生" in text_of(teacher.post(address, {"filled": "1"}))
    page = text_of(teacher.post(address, {"filled": "1", "pupil": [str(place.pk)]}))
    assert "勾选的学生都还没有填写申请表" in page


def test_a_programme_without_a_form_says_so(cast: Cast, round_: Round) -> None:
    enrol(cast, cast.class_a1)
    FormRule.objects.filter(programme=round_.programme).update(layout="none", title="", promise="")
    page = page_of(open_as(cast.teacher_a1), "class_forms", round_.pk, cast.class_a1.pk)
    assert "这个项目不用填表" in page


# --- the rule -------------------------------------------------------------------------------------


def test_the_county_records_which_form_is_used(cast: Cast) -> None:
    clerk, address = open_as(cast.clerk), reverse("form_rules")
    assert "家庭经济困难学生认定申请表" in text_of(clerk.get(address))
    sent = {
        "programme": Programme.objects.get(code="living-aid").pk,
        "first_term": cast.term.pk,
        "layout": "recognition",
        "title": "家庭经济困难学生确认表",
        "promise": "本人承诺以上内容真实。",
        "asks_village": "on",
        "source": "×教〔2026〕3号",
    }
    page = text_of(clerk.post(address, sent, follow=True))
    assert "《家庭经济困难学生确认表》，按认定申请表的表式，须村（居）委会签署意见" in page
    assert "请填写" in text_of(clerk.post(address, sent | {"title": ""}))
    assert "登记规定" not in page_of(open_as(cast.teacher_a1), "form_rules")
