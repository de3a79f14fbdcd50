"""申请表: versions of what a family declared, the signed papers, and which form a programme uses."""

import datetime as dt
import io

import pypdf
import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, connection, transaction

from accounts import clock
from accounts.models import AuditRow
from documents import pdf
from students import circumstances
from students.models import Category, Term
from subsidies import declaration_papers, declarations
from subsidies.models import Declaration, FormRule, Programme, SignedForm
from subsidies.states import State
from tests import cast as casting
from tests.cast import Cast, answers, enrol, open_round, submitted, walk


def declared(cast: Cast, place, said=None, *, based_on: int = 0, reason: str = "", by=None) -> Declaration:
    return declarations.declare(place, said or answers(), based_on=based_on, reason=reason, by=by or cast.teacher_a1)


def rule(cast: Cast, code: str = "living-aid") -> FormRule:
    found = declarations.rule_of(Programme.objects.get(code=code), cast.term)
    assert found
    return found


def form(cast: Cast, layout: str = "living_aid") -> declarations.Form:
    own = FormRule(
        layout=layout,
        title=f"{layout} 表",
        promise="本人承诺以上所填写资料真实。",
        first_term=cast.term.key,
        source="×",
    )
    return declarations.Form(own, (Programme.objects.get(code="senior-grant"),))


def words(paper: bytes) -> str:
    return "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(paper)).pages).replace("\n", "")


def signed(
    cast: Cast, held: Declaration, *, on: dt.date | None = None, signer: str = "guardian", by=None
) -> SignedForm:
    return declarations.attach_signed(
        held,
        rule(cast),
        casting.scan("申请表.pdf"),
        signed_on=on or clock.today(),
        signer=signer,
        by=by or cast.teacher_a1,
    )


# --- versions -------------------------------------------------------------------------------------


def test_each_change_is_a_version_of_its_own_with_its_reason(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    first = declared(cast, place)
    second = declared(
        cast, place, answers(debt="欠亲友 2 万元。"), based_on=1, reason="家长补报欠债", by=cast.officer_a
    )
    assert [row.version for row in declarations.versions(place.pupil, "2026-2027")] == [2, 1]
    assert (first.reason, second.reason) == ("", "家长补报欠债")
    assert declarations.answers_of(first).debt == ""
    assert declarations.answers_of(second).debt == "欠亲友 2 万元。"


def test_unchanged_it_stays_the_version_it_is(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    first = declared(cast, place)
    assert declared(cast, place, based_on=1) == first
    assert Declaration.objects.count() == 1


def test_what_the_register_knows_anew_makes_a_version_too(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    declared(cast, place)
    circumstances.add(
        place.pupil,
        category=Category.objects.get(code="martyr"),
        source="matched",
        valid_from=clock.today(),
        evidence="名单",
        by=cast.officer_a,
    )
    again = declared(cast, place, based_on=1, reason="登记了新的困难类别")
    assert again.version == 2
    assert ("烈士子女", True) in declarations.groups_of(again.facts)


def test_a_change_without_its_reason_is_refused(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    declared(cast, place)
    with pytest.raises(ValidationError, match="请写明这次为什么改"):
        declared(cast, place, answers(debt="欠债"), based_on=1)


def test_what_another_window_kept_is_not_overwritten(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    declared(cast, place, by=cast.officer_a)
    with pytest.raises(ValidationError, match="陈专干刚刚保存了第 1 版，您填的还没有保存"):
        declared(cast, place, answers(debt="欠债"))
    assert Declaration.objects.count() == 1


def test_what_cannot_be_is_refused_at_its_field_and_nothing_is_kept(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    with pytest.raises(ValidationError) as refusal:
        declared(cast, place, answers(household=1))
    assert list(refusal.value.message_dict) == ["household"]
    assert not Declaration.objects.exists()


@pytest.mark.parametrize("name", ["teacher_a2", "principal_a", "officer_b", "clerk", "inspector"])
def test_who_does_not_keep_the_pupils_facts_does_not_fill_in_the_form(cast: Cast, name: str) -> None:
    place = enrol(cast, cast.class_a1)
    with pytest.raises(PermissionDenied):
        declared(cast, place, by=cast.people[name])


def test_what_the_family_said_is_sealed_and_the_trail_tells_nothing_of_it(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    held = declared(cast, place)
    declarations.read(held, by=cast.officer_a)
    for secret in ("三家村", "罗秀兰", "24000"):
        assert secret not in held.answers_sealed
    rows = AuditRow.objects.filter(action__startswith="declaration.")
    assert [row.action for row in rows.order_by("number")] == ["declaration.make", "declaration.read"]
    assert rows.first().detail == {"year": "2026-2027", "version": 1}


def test_a_version_is_never_changed(cast: Cast) -> None:
    held = declared(cast, enrol(cast, cast.class_a1))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE subsidies_declaration SET version = 9")
    held.refresh_from_db()
    assert held.version == 1


# --- prefilled ------------------------------------------------------------------------------------


def test_the_first_form_knows_the_guardian(cast: Cast) -> None:
    said = declarations.prefilled(enrol(cast, cast.class_a1))
    assert [(member.name, member.relation) for member in said.members] == [("张建国", "父亲")]


def test_the_next_years_form_is_last_years_with_everybody_a_year_older(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    declared(cast, place)
    place.term = Term(key="2027-2028-1")
    said = declarations.prefilled(place)
    assert [member.age for member in said.members] == [42, 71]
    assert (said.address, said.reason) == ("云岭县白石镇三家村", "")


def test_the_spring_term_goes_on_with_the_years_form(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    declared(cast, place)
    place.term = Term.objects.get(key="2026-2027-2")
    assert declarations.prefilled(place) == answers()


def test_aid_already_paid_this_year_stands_on_the_form(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    walk(cast, submitted(cast, open_round(cast), place), State.PAID)
    assert declarations.facts_for(place)["aid"] == ["2026—2027学年秋季学期 义务教育家庭经济困难学生生活补助 750.00 元"]


def test_a_form_holds_no_full_number(cast: Cast) -> None:
    from accounts.redaction import redact

    facts = declarations.facts_for(enrol(cast, cast.class_a1))
    shown = {name: value for name, value in facts.items() if name not in ("pupil", "account")}
    assert redact(repr(shown)) == repr(shown)
    assert facts["account"]["masked"].startswith("****")


# --- the signed paper -----------------------------------------------------------------------------


def test_the_signed_paper_belongs_to_its_version(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    first = declared(cast, place)
    paper = signed(cast, first, signer="both")
    kept = declarations.kept_of([place.pupil_id], "2026-2027", rule(cast))[place.pupil_id]
    assert (kept.declaration, kept.signed) == (first, paper)
    declared(cast, place, answers(debt="欠债"), based_on=1, reason="补报")
    kept = declarations.kept_of([place.pupil_id], "2026-2027", rule(cast))[place.pupil_id]
    assert kept.declaration.version == 2
    assert kept.signed is None


def test_a_better_scan_is_a_second_row_and_the_last_counts(cast: Cast) -> None:
    held = declared(cast, enrol(cast, cast.class_a1))
    signed(cast, held)
    better = signed(cast, held)
    assert declarations.kept_of([held.pupil_id], "2026-2027")[held.pupil_id].signed == better
    assert SignedForm.objects.count() == 2


def test_the_signature_under_an_older_version_is_refused(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    first = declared(cast, place)
    declared(cast, place, answers(debt="欠债"), based_on=1, reason="补报")
    with pytest.raises(ValidationError, match="请打印第 2 版，签字后再上传"):
        signed(cast, first)


def test_a_paper_signed_by_hand_before_it_was_typed_is_taken(cast: Cast) -> None:
    held = declared(cast, enrol(cast, cast.class_a1))
    assert signed(cast, held, on=clock.today() - dt.timedelta(days=9)).signed_on < held.made_at.date()


@pytest.mark.parametrize(("days", "sentence"), [(1, "不能晚于今天"), (-400, "请核对年份")])
def test_a_day_of_signing_that_cannot_be_is_refused(cast: Cast, days: int, sentence: str) -> None:
    held = declared(cast, enrol(cast, cast.class_a1))
    with pytest.raises(ValidationError, match=sentence):
        signed(cast, held, on=clock.today() + dt.timedelta(days=days))


def test_another_school_does_not_take_in_papers(cast: Cast) -> None:
    held = declared(cast, enrol(cast, cast.class_a1))
    with pytest.raises(PermissionDenied):
        signed(cast, held, by=cast.officer_b)


def test_the_school_a_child_has_left_does_not_see_the_new_form(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    held = declared(cast, place)
    here = declarations.kept_of([place.pupil_id], "2026-2027", school=cast.school_a)
    there = declarations.kept_of([place.pupil_id], "2026-2027", school=cast.school_b)
    assert here[place.pupil_id].declaration == held
    assert there[place.pupil_id].declaration is None


# --- which form -----------------------------------------------------------------------------------


def test_a_county_begins_with_the_national_form_and_two_of_their_own(cast: Cast) -> None:
    codes = {row.programme.code if row.programme else "": row.layout for row in declarations.rules_in_force(cast.term)}
    assert codes == {"": "recognition", "living-aid": "living_aid", "senior-grant": "grant"}
    assert declarations.load() == 0
    assert rule(cast, "preschool-aid").title == "家庭经济困难学生认定申请表"


def test_nobody_fills_in_a_form_for_what_everybody_gets(cast: Cast) -> None:
    programme = Programme.objects.get(code="preschool-aid")
    programme.recipients = Programme.Recipients.ALL
    assert declarations.rule_of(programme, cast.term) is None


def new_rule(cast: Cast, **told: object) -> FormRule:
    usual = {
        "programme": Programme.objects.get(code="living-aid"),
        "first_term": "2026-2027-1",
        "layout": "recognition",
        "title": "家庭经济困难学生确认表",
        "promise": "本人承诺以上内容真实。",
        "asks_village": True,
        "source": "×教〔2026〕3号",
        "recorded_at": clock.now(),
    }
    return FormRule(**{**usual, **told})


def test_a_county_words_its_own_form_from_a_term_on(cast: Cast) -> None:
    declarations.set_rule(new_rule(cast), county=cast.county, by=cast.clerk)
    assert rule(cast).words == "《家庭经济困难学生确认表》，按认定申请表的表式，须村（居）委会签署意见"
    before = Term.objects.get(key="2025-2026-2")
    assert declarations.rule_of(Programme.objects.get(code="living-aid"), before).layout == "living_aid"
    declarations.set_rule(
        new_rule(cast, layout="none", title="", promise="", asks_village=False), county=cast.county, by=cast.clerk
    )
    assert declarations.rule_of(Programme.objects.get(code="living-aid"), cast.term) is None
    assert FormRule.objects.filter(first_term="2026-2027-1").count() == 1


def test_a_form_without_a_title_is_refused(cast: Cast) -> None:
    with pytest.raises(ValidationError) as refusal:
        declarations.set_rule(new_rule(cast, title=" "), county=cast.county, by=cast.clerk)
    assert "title" in refusal.value.message_dict


def test_only_the_county_sets_the_form(cast: Cast) -> None:
    with pytest.raises(PermissionDenied):
        declarations.set_rule(new_rule(cast), county=cast.county, by=cast.officer_a)


def test_programmes_with_one_form_are_named_on_it_together(cast: Cast) -> None:
    other = Programme.objects.get(code="preschool-aid")
    Programme.objects.filter(pk=other.pk).update(stages=["junior"])
    FormRule.objects.filter(programme__code="living-aid").delete()
    [found] = declarations.forms_for("junior", cast.term)
    assert [each.code for each in found.programmes] == ["living-aid", "preschool-aid"]


# --- on paper -------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["recognition", "living_aid", "grant"])
@pytest.mark.slow
def test_the_form_says_what_was_declared_and_leaves_the_rest_to_the_pen(cast: Cast, layout: str) -> None:
    held = declared(cast, enrol(cast, cast.class_a1))
    paper = declaration_papers.print_version(held, form(cast, layout), by=cast.teacher_a1)
    said = words(paper)
    for told in (
        "张小明",
        "罗秀兰",
        "24000",
        "祖母年迈",
        "三家村",
        held.mark,
        "本人承诺以上所填写资料真实",
        "监护人签字",
    ):
        assert told.replace(" ", "") in said.replace(" ", ""), told
    assert pdf.page_count(paper) <= 2
    assert AuditRow.objects.filter(action="declaration.print").count() == 1


@pytest.mark.slow
def test_a_form_for_the_pen_is_handed_out_in_class_and_tells_no_hardship(cast: Cast) -> None:
    places = [enrol(cast, cast.class_a1, name=name) for name in ("张甲", "张乙")]
    paper = declaration_papers.print_blank(
        form(cast, "recognition"), unit=cast.class_a1, year="2026-2027", places=places, by=cast.teacher_a1
    )
    said = words(paper)
    assert "张甲" in said
    assert "张乙" in said
    assert "■是" not in said
    assert "低保证" not in said
    empty = words(
        declaration_papers.print_blank(form(cast), unit=cast.class_a1, year="2026-2027", copies=1, by=cast.teacher_a1)
    )
    assert "张甲" not in empty
    assert "家庭成员" in empty


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["recognition", "living_aid", "grant"])
def test_a_family_signs_one_sheet_of_paper(cast: Cast, layout: str) -> None:
    """Filled in, with the child's name on it, or empty: promise and opinions stand below what they are about."""
    place, own, by = enrol(cast, cast.class_a1, name="欧阳张娜娜"), form(cast, layout), cast.teacher_a1
    empty = declaration_papers.print_blank(own, unit=cast.class_a1, year="2026-2027", copies=2, by=by)
    named = declaration_papers.print_blank(own, unit=cast.class_a1, year="2026-2027", places=[place], by=by)
    filled = declaration_papers.print_version(declared(cast, place), own, by=by)
    assert [pdf.page_count(paper) for paper in (empty, named, filled)] == [2, 1, 1]


@pytest.mark.slow
def test_the_day_on_the_form_is_the_countys_day_early_in_the_morning(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    with time_machine.travel("2026-10-13T07:30:00+08:00"):
        clock.set_demo_day(dt.date(2026, 10, 13))
        held = declared(cast, place)
        paper = declaration_papers.print_version(held, form(cast), by=cast.teacher_a1)
    assert "申请时间：2026年10月13日" in words(paper)


def test_too_many_or_none_are_not_printed(cast: Cast) -> None:
    with pytest.raises(ValidationError, match="没有可以打印的表"):
        declaration_papers.print_filled([], form(cast), by=cast.teacher_a1)
    with pytest.raises(ValidationError, match="一次最多打印 30 份"):
        declaration_papers.print_blank(form(cast), unit=cast.class_a1, year="2026-2027", copies=31, by=cast.teacher_a1)


def test_the_mark_of_a_version_is_that_of_what_it_says(cast: Cast) -> None:
    place = enrol(cast, cast.class_a1)
    first = declared(cast, place)
    second = declared(cast, place, answers(reason="另一个理由"), based_on=1, reason="改理由")
    assert first.digest[:8] != second.digest[:8]
    assert second.mark.startswith("2026-2027 第2版 ")
