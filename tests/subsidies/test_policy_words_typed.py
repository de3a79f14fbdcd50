"""What clerks type into the forms of policy and its days: years and days that are none, numbers of persons, commas."""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from accounts.models import AuditRow
from students.models import Category, Term
from subsidies.funding import end_share
from subsidies.models import DeadlineRule, Programme, Round
from subsidies.standard_forms import StandardForm
from tests.cast import Cast
from tests.subsidies.test_pages import open_as

NUMBER = "530627201503120017"  # shaped like an ID number, nobody's


@pytest.mark.parametrize("day", ["9999-12-30", "0001-01-01"])
@pytest.mark.parametrize("step", ["plan", "open"])
def test_a_year_typed_wrongly_asks_to_be_checked(cast: Cast, day: str, step: str) -> None:
    programme = Programme.objects.get(code="living-aid")
    row = {"programme": programme.pk, "term": cast.term.pk, "unit": cast.county.pk, "opens_on": day, "closes_on": day}
    page = open_as(cast.clerk).post(reverse("round_open"), row | {"step": step, "due_report": day})
    assert page.status_code == 200
    assert page.context["form"].errors["opens_on"] == ["请核对年份。"]
    assert not Round.objects.exists()


@pytest.mark.parametrize("day", ["W01-1", "W01", "1-1", "02-29", "١٠-٣١"])
def test_a_fixed_day_is_a_month_and_a_day(cast: Cast, day: str) -> None:
    row = {"work": "report", "first_term": cast.term.pk, "kind": "fixed", "day_kind": "working", "source": "文件"}
    before = DeadlineRule.objects.count()
    page = open_as(cast.clerk).post(reverse("deadline_rules"), row | {"autumn_on": day, "spring_on": "04-30"})
    assert list(page.context["form"].errors) == ["autumn_on"]
    assert DeadlineRule.objects.count() == before


def test_a_term_lies_in_its_school_year(cast: Cast) -> None:
    last = Term.objects.order_by("-key").first()
    form = {"starts_on": "2072-02-20", "ends_on": "2072-07-10", "document": "校历"}
    page = open_as(cast.clerk).post(reverse("term_add"), form)
    assert "学年里，请核对年份" in page.context["form"].errors["starts_on"][0]
    assert Term.objects.order_by("-key").first() == last


@pytest.mark.parametrize("year", ["9" * 5000, "-1", "٢٠٢٦", "0000", "2026"])
def test_any_year_in_the_address_of_the_calendar_is_answered(cast: Cast, year: str) -> None:
    assert open_as(cast.clerk).get(reverse("calendar_record"), {"year": year}).status_code == 200


def test_a_separator_at_the_end_is_no_word(cast: Cast) -> None:
    form = StandardForm({"region": "530627，"}, programme=Programme.objects.get(code="living-aid"))
    form.is_valid()
    assert "region" not in form.errors
    assert form.conditions()["region"] == ["530627"]


def test_numbers_of_persons_are_refused_where_a_document_is_asked_for(cast: Cast) -> None:
    programme = Programme.objects.get(code="living-aid")
    asked = [
        (reverse("standard_add", args=[programme.code]), "document"),
        (reverse("standard_end", args=[programme.code, programme.standards.latest("first_term").pk]), "document"),
        (reverse("share_add", args=[programme.code]), "document"),
        (reverse("programme_add"), "basis"),
        (reverse("programme_edit", args=[programme.code]), "document"),
        (reverse("programme_switch", args=[programme.code]), "reason"),
        (reverse("ground_add", args=[programme.code]), "source"),
        (reverse("process_rule_add", args=[programme.code]), "source"),
        (reverse("category_add"), "source"),
        (reverse("category_end", args=[Category.objects.first().pk]), "document"),
        (reverse("calendar_record"), "document"),
        (reverse("term_add"), "document"),
    ]
    clerk = open_as(cast.clerk)
    for address, field in asked:
        page = clerk.post(address, {field: f"关于{NUMBER}的批复"})
        assert "这里不要写身份证号" in str(page.context["form"].errors[field]), address


@pytest.mark.parametrize("document", ["", "  ", f"关于{NUMBER}的批复"])
def test_no_rule_ends_without_its_document(cast: Cast, document: str) -> None:
    share = Programme.objects.get(code="living-aid").shares.get()
    address = reverse("share_end", args=[share.pk])
    page = open_as(cast.clerk).post(address, {"last_term": cast.term.key, "document": document})
    assert list(page.context["form"].errors) == ["document"]
    share.refresh_from_db()
    assert share.last_term == ""
    with pytest.raises(ValidationError, match="请填写停止执行的依据"):
        end_share(share, last_term=cast.term.key, document=" ", county=cast.county, by=cast.clerk)


def test_the_trail_names_the_document_by_which_a_rule_ends(cast: Cast) -> None:
    share = Programme.objects.get(code="living-aid").shares.get()
    end_share(share, last_term=cast.term.key, document="云财教〔2026〕9号", county=cast.county, by=cast.clerk)
    assert AuditRow.objects.get(action="share.end").detail["basis"] == "云财教〔2026〕9号"
