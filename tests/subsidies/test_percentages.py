"""Percentages of the roll as dated rows, what they come to, and what is proposed from them and from the last term."""

from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import AuditRow, Unit
from students.models import Pupil, SchoolClass, Term
from subsidies import pack_loading, percentages, places, quota_words, quotas
from subsidies.models import PackRow, Programme, QuotaPercentage, QuotaVersion
from subsidies.percentages import by_percentage, of_last_term
from tests.cast import Cast, enrol
from tests.subsidies.quota_hands import DOCUMENT, allot, allot_percent, held, percentage, receive, seats
from tests.subsidies.test_pages import open_as, text_of
from tests.subsidies.test_quota_pages import table_of


@pytest.fixture
def living_aid(cast) -> Programme:
    return Programme.objects.get(code="living-aid")


def spans(programme: Programme) -> list[tuple]:
    rows = programme.percentages.order_by("first_term", "pk")
    return [(row.conditions, str(row.percent), row.first_term, row.last_term) for row in rows]


def enrolled(cast: Cast, unit: Unit, count: int, **facts) -> None:
    for n in range(count):
        place = enrol(cast, unit, name=f"学生{n}", account=False)
        Pupil.objects.filter(pk=place.pupil_id).update(**facts)


def next_term(round_, term: Term) -> None:
    """The same round again, in another term."""
    round_.pk, round_.term, round_._state.adding = None, term, True
    round_.save()


# --- the dated rows ----------------------------------------------------------------------------------------


def test_a_new_percentage_ends_the_one_before_and_is_told_to_the_trail(cast, living_aid) -> None:
    percentage(cast, living_aid, "25", first_term="2024-2025-1")
    row = percentage(cast, living_aid, "23")
    assert spans(living_aid) == [({}, "25.00", "2024-2025-1", "2025-2026-2"), ({}, "23.00", "2026-2027-1", "")]
    told = AuditRow.objects.filter(action="quota_percentage.record").order_by("-number")[0]
    assert told.subject == f"subsidies.quotapercentage:{row.pk}"
    assert told.detail == {
        "programme": "living-aid",
        "whom": "",
        "first_term": "2026-2027-1",
        "was": f"25%，舍去小数，2024年秋季学期起（{DOCUMENT}）",
        "new": f"23%，舍去小数，2026年秋季学期起（{DOCUMENT}）",
        "basis": DOCUMENT,
    }
    again = percentage(cast, living_aid, "22.5", rounding="up")
    assert (again.pk, spans(living_aid)[1][1]) == (row.pk, "22.50")
    assert AuditRow.objects.filter(action="quota_percentage.correct").count() == 1
    earlier = percentage(cast, living_aid, "30", first_term="2020-2021-1")
    assert earlier.last_term == "2023-2024-2"


def test_parts_of_the_roll_stand_beside_each_other_unless_one_pupil_is_in_both(cast, living_aid) -> None:
    percentage(cast, living_aid, "10", conditions={"registration": ["urban"]})
    percentage(cast, living_aid, "30", conditions={"registration": ["rural"], "stage": ["junior"]})
    with pytest.raises(ValidationError) as refused:
        percentage(cast, living_aid, "20", conditions={"boarding": ["boarding"]})
    assert "".join(refused.value.messages) == (
        f"与已登记的 10%（户口性质：城市，2026年秋季学期起，{DOCUMENT}）重叠：例如2026年秋季学期的初中、寄宿、城市学生"
        "会按两条各算一次。请把条件分开，或先为原来的一条登记截止学期。"
    )
    assert living_aid.percentages.count() == 2


@pytest.mark.parametrize(
    ("percent", "changed", "said"),
    [
        ("0", {}, "比例要大于 0，不超过 100。"),
        ("100.01", {}, "比例要大于 0，不超过 100。"),
        ("20", {"document": ""}, ""),
        ("20", {"first_term": "2026"}, "学期代码形如"),
        ("20", {"conditions": {"tier": ["困难"]}}, "只能按名册上有的情况"),
        ("20", {"conditions": {"stage": ["senior"]}}, "不在义务教育家庭经济困难学生生活补助的学段"),
        ("20", {"conditions": {"registration": ["moon"]}}, "不认识"),
        ("20", {"rounding": "sideways"}, ""),
    ],
)
def test_percentages_that_make_no_sense_are_refused(cast, living_aid, percent, changed, said) -> None:
    with pytest.raises(ValidationError) as refused:
        percentage(cast, living_aid, percent, **changed)
    assert said in "".join(refused.value.messages)
    assert not living_aid.percentages.exists()


def test_only_a_clerk_keeps_percentages_and_one_ends_with_a_term(cast, living_aid) -> None:
    row = percentage(cast, living_aid, "20")
    for who in ("head", "officer_a", "inspector", "admin", "teacher_a1"):
        with pytest.raises(PermissionDenied):
            percentages.record(row, county=cast.county, by=cast.people[who])
        with pytest.raises(PermissionDenied):
            percentages.end(row, last_term="2026-2027-1", document="县文件", county=cast.county, by=cast.people[who])
    with pytest.raises(ValidationError, match="截止学期不能早于执行学期"):
        percentages.end(row, last_term="2020-2021-1", document="县文件", county=cast.county, by=cast.clerk)
    percentages.end(row, last_term="2026-2027-1", document="县文件", county=cast.county, by=cast.clerk)
    assert not living_aid.percentages.in_force("2026-2027-2").exists()


def test_the_database_holds_sensible_percentages(cast, living_aid) -> None:
    row = percentage(cast, living_aid, "20")
    wrong = ({"percent": "0"}, {"percent": "101"}, {"rounding": "x"}, {"document": ""}, {"last_term": "2020-2021-1"})
    for changed in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            QuotaPercentage.objects.filter(pk=row.pk).update(**changed)
    with pytest.raises(IntegrityError), transaction.atomic():
        QuotaPercentage.objects.create(
            programme=living_aid, percent=3, rounding="up", document="文", first_term="2026-2027-1"
        )


# --- what they come to -------------------------------------------------------------------------------------


def test_what_a_percentage_comes_to_is_said_in_a_sentence(cast, round_, living_aid) -> None:
    percentage(cast, living_aid, "23")
    enrolled(cast, cast.class_a1, 10)
    enrolled(cast, cast.class_b1, 3)
    found = by_percentage(living_aid, cast.term, [cast.school_a, cast.school_b])
    assert found[cast.school_a.pk] == percentages.Proposal(2, "按在校生 10 人的 23% 计算，向下取整，为 2 人")
    assert found[cast.school_b.pk].places == 0
    assert by_percentage(living_aid, cast.term, [cast.county])[cast.county.pk].words == (
        "按在校生 13 人的 23% 计算，向下取整，为 2 人"
    )
    assert quota_words.percent_words(1234, Decimal("23"), "down", 283) == (
        "按在校生 1,234 人的 23% 计算，向下取整，为 283 人"
    )


def test_parts_of_the_roll_are_counted_by_themselves_and_added_up(cast, round_, living_aid) -> None:
    percentage(cast, living_aid, "50", conditions={"registration": ["urban"]}, rounding="up")
    percentage(cast, living_aid, "20", conditions={"registration": ["rural"]})
    enrolled(cast, cast.class_a1, 3, registration="urban")
    enrolled(cast, cast.class_a2, 9, registration="rural")
    enrolled(cast, cast.class_a2, 4)  # nothing recorded: in neither part
    found = by_percentage(living_aid, cast.term, [cast.school_a])[cast.school_a.pk]
    assert found == percentages.Proposal(
        3,
        "按在校生（户口性质：城市） 3 人的 50% 计算，向上取整，为 2 人；"
        "按在校生（户口性质：农村（含县镇）） 9 人的 20% 计算，向下取整，为 1 人",
    )


def test_nothing_is_proposed_for_an_empty_roll(cast, round_, living_aid) -> None:
    percentage(cast, living_aid, "20")
    enrolled(cast, cast.class_a1, 5)
    assert by_percentage(living_aid, cast.term, [cast.school_a, cast.school_b]).keys() == {cast.school_a.pk}
    receive(cast, round_, 9)
    shown = open_as(cast.clerk).get(table_of(round_, cast.county), {"fill": "rule"}).context["form"]
    assert [shown[f"places_{unit.pk}"].value() for unit in (cast.school_a, cast.school_b)] == [1, None]
    with pytest.raises(ValidationError) as refused:
        allot_percent(cast, round_, "20", "down", cast.school_b)
    assert "云岭县城关小学还没有这个项目面向的在读学生，不能按比例计算" in "".join(refused.value.messages)


@given(
    rolls=st.lists(st.integers(0, 5_000), min_size=1, max_size=20),
    percent=st.decimals("0.01", "100", places=2),
)
def test_rounded_down_schools_never_get_more_than_their_county(rolls: list[int], percent: Decimal) -> None:
    assert sum(places.share_of(roll, percent, "down") for roll in rolls) <= places.share_of(sum(rolls), percent, "down")


# --- taking over what is proposed --------------------------------------------------------------------------


def test_a_proposal_is_looked_at_and_recorded_with_its_sentence(cast, round_, living_aid) -> None:
    percentage(cast, living_aid, "40")
    enrolled(cast, cast.class_a1, 7)
    enrolled(cast, cast.class_b1, 4)
    receive(cast, round_, 10)
    clerk, address = open_as(cast.clerk), table_of(round_, cast.county)
    page = text_of(clerk.get(address))
    assert "按规定的比例填入本页" in page
    assert "按上次的名额填入本页" not in page
    shown = clerk.get(address, {"fill": "rule"})
    assert "按在校生 7 人的 40% 计算，向下取整，为 2 人" in text_of(shown)
    assert seats(round_, cast.school_a).places is None, "looking saves nothing"
    typed = {f"places_{cast.school_a.pk}": "2", f"places_{cast.school_b.pk}": "3", "fill": "rule", "document": DOCUMENT}
    clerk.post(address, typed | {"seen": shown.context["form"]["seen"].value()})
    versions = [held(round_, unit).versions.get() for unit in (cast.school_a, cast.school_b)]
    assert [version.proposed for version in versions] == ["按在校生 7 人的 40% 计算，向下取整，为 2 人", ""]
    told = AuditRow.objects.get(action="quota.allot", subject=f"subsidies.quota:{versions[0].quota_id}")
    assert told.detail["proposed"] == versions[0].proposed
    assert "按在校生 7 人的 40% 计算，向下取整，为 2 人" in text_of(clerk.get(address))


def test_the_county_takes_over_what_the_percentage_comes_to(cast, round_, living_aid) -> None:
    percentage(cast, living_aid, "50")
    enrolled(cast, cast.class_a1, 7)
    clerk, address = open_as(cast.clerk), reverse("quota_receive", args=[round_.pk])
    page = text_of(clerk.get(address))
    assert "按规定的比例：按在校生 7 人的 50% 计算，向下取整，为 3 人" in page
    form = clerk.get(address, {"fill": "rule"}).context["form"]
    assert (form["places"].value(), form["fill"].value()) == (3, "rule")
    clerk.post(address, {"places": "3", "fill": "rule", "document": DOCUMENT})
    assert held(round_, cast.county).versions.get().proposed == "按在校生 7 人的 50% 计算，向下取整，为 3 人"


def test_however_many_parts_the_whole_sentence_is_kept(cast, round_, living_aid) -> None:
    """More than a column of 300 characters would hold, on which PostgreSQL refuses to save."""
    regions = [["530102", "530103", "530111"], ["530112", "530113", "530114"], ["530115", "530124", "530125"]]
    for some in regions:
        for kind in ("urban", "rural"):
            conditions = {"region": some, "registration": [kind], "boarding": ["boarding"]}
            percentage(cast, living_aid, "100", conditions=conditions)
    enrolled(cast, cast.class_a1, 2, region="530103", registration="urban")
    found = by_percentage(living_aid, cast.term, [cast.county])[cast.county.pk]
    assert len(found.words) > 300
    clerk, address = open_as(cast.clerk), reverse("quota_receive", args=[round_.pk])
    clerk.post(address, {"places": str(found.places), "fill": "rule", "document": DOCUMENT})
    version = held(round_, cast.county).versions.get()
    version.clean_fields()
    assert version.proposed == found.words


def test_last_terms_places_are_proposed_and_nothing_is_copied_by_itself(cast, round_, living_aid) -> None:
    spring = Term.objects.get(key="2026-2027-2")
    receive(cast, round_, 10)
    allot(cast, round_, {cast.school_a: 6, cast.school_b: 0})
    of_spring = {"programme": living_aid, "term": spring}
    assert not QuotaVersion.objects.filter(quota__term=spring).exists()
    found = of_last_term(units=[cast.school_a, cast.school_b], **of_spring)
    assert found[cast.school_a.pk] == percentages.Proposal(6, f"沿用{cast.term}的 6 个")
    assert found[cast.school_b.pk].places == 0, "no place at all is a number too"
    assert of_last_term(units=[cast.school_a], programme=living_aid, term=cast.term) == {}
    assert of_last_term(units=[cast.class_a1], **of_spring) == {}
    allot(cast, round_, {cast.school_b: None})
    assert of_last_term(units=[cast.school_a, cast.school_b], **of_spring).keys() == {cast.school_a.pk}


def test_the_page_of_the_next_term_offers_the_last_ones(cast, round_, living_aid) -> None:
    receive(cast, round_, 10)
    allot(cast, round_, {cast.school_a: 6})
    spring = Term.objects.get(key="2026-2027-2")
    next_term(round_, spring)
    clerk = open_as(cast.clerk)
    received = reverse("quota_receive", args=[round_.pk])
    assert f"按上次的名额：沿用{cast.term}的 10 个" in text_of(clerk.get(received))
    clerk.post(received, {"places": "10", "fill": "last", "document": DOCUMENT})
    shown = clerk.get(table_of(round_, cast.county), {"fill": "last"}).context["form"]
    assert shown[f"places_{cast.school_a.pk}"].value() == 6
    typed = {f"places_{cast.school_a.pk}": "6", f"places_{cast.school_b.pk}": "", "fill": "last", "document": DOCUMENT}
    clerk.post(table_of(round_, cast.county), typed)
    assert held(round_, cast.school_a).versions.get().proposed == f"沿用{cast.term}的 6 个"


def test_a_class_that_moved_up_keeps_its_proposal_and_a_new_or_closed_one_has_none(cast, round_, living_aid) -> None:
    """A roll-over renames classes and closes those that leave: places follow the unit, not its name."""
    receive(cast, round_, 10)
    allot(cast, round_, {cast.school_a: 6})
    wishes = [quotas.Wish(cast.class_a1, 2), quotas.Wish(cast.class_a2, 3)]
    quotas.pass_on(cast.school_a, wishes, programme=living_aid, term=cast.term, document=DOCUMENT, by=cast.officer_a)
    SchoolClass.objects.filter(pk=cast.class_a1.pk).update(grade="八年级")
    Unit.objects.filter(pk=cast.class_a1.pk).update(name="八年级1班")
    Unit.objects.filter(pk=cast.class_a2.pk).update(is_active=False)
    fresh = Unit.objects.create(level="class", name="七年级1班", parent=cast.school_a)
    SchoolClass.objects.create(unit=fresh, stage="junior", grade="七年级")
    spring = Term.objects.get(key="2026-2027-2")
    found = of_last_term(living_aid, spring, [cast.class_a1, fresh])
    assert found.keys() == {cast.class_a1.pk}
    autumn = round_.pk
    next_term(round_, spring)
    rows = open_as(cast.officer_a).get(table_of(round_, cast.school_a)).context["rows"]
    assert [row["unit"].pk for row in rows] == [cast.class_a1.pk, fresh.pk]
    # In the term of then the closed class still stands with what it had.
    old = open_as(cast.officer_a).get(reverse("quotas", args=[autumn, cast.school_a.pk]))
    assert {row["unit"].pk for row in old.context["rows"]} == {cast.class_a1.pk, cast.class_a2.pk, fresh.pk}


def test_the_page_asks_the_same_for_two_schools_and_for_four(cast, round_, living_aid) -> None:
    percentage(cast, living_aid, "20")
    receive(cast, round_, 10)
    allot(cast, round_, {cast.school_a: 2, cast.school_b: 1})
    clerk, address = open_as(cast.clerk), table_of(round_, cast.county)

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            clerk.get(address, {"fill": "rule"})
        return len(queries)

    asked()
    before = asked()
    for n in range(2):
        school = Unit.objects.create(level="school", name=f"第{n}中学", parent=cast.county)
        unit = Unit.objects.create(level="class", name="七年级1班", parent=school)
        SchoolClass.objects.create(unit=unit, stage="junior", grade="七年级")
        allot(cast, round_, {school: 1})
    assert asked() == before


# --- pages of the programme, and packs ---------------------------------------------------------------------


def test_a_percentage_is_recorded_put_right_and_ended_in_the_browser(cast, living_aid) -> None:
    clerk, programme = open_as(cast.clerk), reverse("programme", args=["living-aid"])
    address = reverse("percentage_add", args=["living-aid"])
    assert address in text_of(clerk.get(programme))
    assert address not in text_of(open_as(cast.head).get(programme))
    typed = {"percent": "12.5", "rounding": "down", "document": DOCUMENT, "first_term": "2026-2027-1"}
    typed |= {"boarding": ["boarding"], "region": "530102 530103"}
    page = text_of(clerk.post(address, typed, follow=True))
    assert "已登记名额比例" in page
    assert "在校生中就读方式：寄宿；户籍所在地：530102、530103的" in page
    assert "12.5%" in page
    row = living_aid.percentages.get()
    form = clerk.get(address, {"row": row.pk}).context["form"]
    assert (form["percent"].value(), form["region"].value(), form.has_part()) == (row.percent, "530102 530103", True)
    assert "比例要" not in page
    bad = text_of(clerk.post(address, typed | {"percent": "120"}))
    assert "percent" in bad
    end = reverse("percentage_end", args=[row.pk])
    assert end in text_of(clerk.get(programme))
    assert "已登记截止学期" in text_of(clerk.post(end, {"last_term": "2026-2027-1", "document": "县文件"}, follow=True))
    row.refresh_from_db()
    assert row.last_term == "2026-2027-1"


def test_packs_bring_percentages_of_the_roll_and_of_parts_of_it(cast) -> None:
    pack_loading.adopt(pack_loading.shipped("hunan"), county=cast.county, by=cast.clerk)
    rows = QuotaPercentage.objects.filter(recorded_by=cast.clerk)
    found = {(row.programme.code, str(row.percent)): row for row in rows.select_related("programme")}
    boarding = next(row for (_, percent), row in found.items() if percent == "25.00")
    kindergarten = next(row for (_, percent), row in found.items() if percent == "7.50")
    assert boarding.conditions == {"boarding": ["boarding"]}
    assert kindergarten.conditions == {"ownership": ["inclusive", "public"]}
    assert (boarding.rounding, boarding.first_term, boarding.last_term) == ("down", "2016-2017-1", "2020-2021-1")
    origin = PackRow.objects.get(kind=PackRow.Kind.PERCENTAGE, key=boarding.pk)
    assert (origin.pack, origin.confidence) == ("hunan", "S")
    assert not pack_loading.compare(pack_loading.shipped("hunan")).has_new


def test_a_countys_own_percentage_stays(cast, living_aid) -> None:
    senior = Programme.objects.get(code="senior-grant")
    assert senior.percentages.get().percent == 20, "ships with the national pack"
    senior.percentages.all().delete()
    percentage(cast, senior, "10", first_term="2025-2026-1")
    found = pack_loading.compare(pack_loading.shipped("national"))
    (item,) = [
        item
        for each in found.programmes
        if each.programme.code == "senior-grant"
        for item in each.items
        if item.kind == "percentage"
    ]
    assert (item.state, item.why) == (pack_loading.State.OTHER, f"本县已登记10%（{DOCUMENT}），保持不变。")
