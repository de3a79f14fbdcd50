"""Shares by where a pupil comes from: which row counts, what may stand beside what, splits that stay as they are."""

import io
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from accounts.models import AuditRow
from students.models import Pupil
from subsidies import centre_shares, funding, funding_sheets, pack_loading, shares
from subsidies.models import FundShare, LineShare, PaymentLine, Programme, SheetSplit
from tests.cast import Cast, batch, enrol, submitted
from tests.subsidies import shortcuts
from tests.subsidies.test_pages import open_as, text_of

WEST, OTHERS = {"centre": "8/10", "county": "2/10"}, {"centre": "6/10", "county": "4/10"}
WESTERN = "15 45 50 51 52 53 54 61 62 63 64 65"
REST = "；除不尽的尾差由县（区）级承担。依据：×财教〔2026〕9号"
THIRDS = {"centre": "1/3", "province": "1/3", "county": "1/3"}


@pytest.fixture
def living_aid(cast) -> Programme:
    """Without the shares that ship with it."""
    programme = Programme.objects.get(code="living-aid")
    programme.shares.all().delete()
    return programme


def record(cast: Cast, programme: Programme, levels: dict[str, str], origin: str = "", codes: str = "", **changed):
    facts = {"schools": "", "first_term": "2026-2027-1", "document": "×财教〔2026〕9号", "remainder": "county"}
    share = FundShare(programme=programme, levels=levels, origin_name=origin, origins=codes, **facts | changed)
    return funding.record_share(share, county=cast.county, by=cast.clerk)


# --- reading regions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("", ()),
        ("52", ("52",)),
        ("65、52，530100 5201", None),
        ("530100, 520000;61", ("52", "5301", "61")),
        ("５２　２１０２", ("2102", "52")),
        ("530102", ("530102",)),
    ],
)
def test_regions_are_kept_as_prefixes(typed: str, read: tuple | None) -> None:
    if read is None:
        with pytest.raises(ValueError, match="“5201”和“52”重复，请只留一个。"):
            shares.read_origins(typed)
    else:
        assert shares.read_origins(typed) == read


@pytest.mark.parametrize("typed", ["贵州", "5", "523", "0100", "5201021", "52 x"])
def test_what_is_no_region_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="不是行政区划代码：省写前两位（52），市写四位（5201），县写六位。"):
        shares.read_origins(typed)


# --- which row counts ------------------------------------------------------------------------------


class Row:
    def __init__(self, schools: str, *codes: str) -> None:
        self.schools, self.origin_codes = schools, codes


KINDS = ("county", "public", "")
code = st.builds(lambda n, length: f"{n:06d}"[:length], st.integers(100000, 699999), st.sampled_from([2, 4, 6]))


@given(st.lists(st.builds(Row, st.sampled_from(KINDS), code), max_size=8), st.booleans(), code)
def test_the_narrowest_row_of_the_narrowest_kind_counts(rows: list[Row], is_open: bool, region: str) -> None:
    if is_open:
        rows = [*rows, Row("")]
    found = shares.choose(rows, KINDS, region)
    fitting = [row for row in rows if not row.origin_codes or region.startswith(row.origin_codes[0])]
    if not fitting:
        assert found is None
        return
    assert found in fitting
    assert KINDS.index(found.schools) == min(KINDS.index(row.schools) for row in fitting)
    same = [row for row in fitting if row.schools == found.schools]
    assert len((*found.origin_codes, "")[0]) == max(len((*row.origin_codes, "")[0]) for row in same)


def test_who_has_no_region_goes_by_the_row_for_all() -> None:
    western, everybody = Row("", *WESTERN.split()), Row("")
    assert shares.choose([western, everybody], KINDS, "") is everybody
    assert shares.choose([western], KINDS, "") is None
    assert shares.choose([western, everybody], KINDS, "530102") is western


# --- the dated rows --------------------------------------------------------------------------------


def test_rows_of_different_regions_stand_beside_each_other(cast, living_aid) -> None:
    west = record(cast, living_aid, WEST, "西部地区", "520000 530000")
    record(cast, living_aid, OTHERS)
    west.refresh_from_db()
    assert (west.origins, west.last_term, west.whom) == ("52 53", "", "全部学校，生源地为西部地区")
    assert funding.share_of(living_aid, cast.school_a, cast.term, "520102") == west
    assert funding.share_of(living_aid, cast.school_a, cast.term, "110101").levels == {"centre": "3/5", "county": "2/5"}
    assert AuditRow.objects.filter(action="share.record").order_by("number")[0].detail["schools"] == west.whom
    later = record(cast, living_aid, OTHERS, "西部地区", "53 52", first_term="2026-2027-2")
    west.refresh_from_db()
    assert (west.last_term, later.last_term) == ("2026-2027-1", "")


def test_a_region_in_two_rows_is_refused_with_an_example(cast, living_aid) -> None:
    record(cast, living_aid, WEST, "西部地区", WESTERN)
    with pytest.raises(ValidationError) as refused:
        record(cast, living_aid, OTHERS, "西南", "52 53 42")
    assert "".join(refused.value.messages) == (
        "生源地与已登记的“西部地区”（2026年秋季学期起，×财教〔2026〕9号）重叠：例如户籍在贵州（52）的学生，两条都适用。"
        "请去掉重叠的地区，或先为原来的一条登记截止学期。"
    )
    record(cast, living_aid, OTHERS, "西南", "52 53 42", schools="private")  # of another kind of school
    narrower = record(cast, living_aid, OTHERS, "贵阳", "5201")  # within: the narrower counts
    assert funding.share_of(living_aid, cast.school_a, cast.term, "520102") == narrower
    assert funding.share_of(living_aid, cast.school_a, cast.term, "520302").origin_name == "西部地区"


@pytest.mark.parametrize(
    ("origin", "codes", "said"),
    [
        ("西部地区", "", "要一起填写"),
        ("", "52", "要一起填写"),
        ("西部地区", "贵州", "不是行政区划代码"),
        ("西部地区", "52 5201", "重复"),
    ],
)
def test_regions_that_make_no_sense_are_refused(cast, living_aid, origin, codes, said) -> None:
    with pytest.raises(ValidationError) as refused:
        record(cast, living_aid, WEST, origin, codes)
    assert said in "".join(refused.value.messages)
    assert not FundShare.objects.filter(programme=living_aid).exists()


def test_the_database_holds_a_name_with_every_region(cast, living_aid) -> None:
    held = record(cast, living_aid, WEST, "西部地区", "52")
    for changed in ({"origin_name": ""}, {"origins": ""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            FundShare.objects.filter(pk=held.pk).update(**changed)


# --- splitting -------------------------------------------------------------------------------------


def approved(cast: Cast, round_, *regions: str) -> None:
    """A pupil of the first school from each region, 750 元 each."""
    rows = [enrol(cast, cast.class_a1, name=f"张{n}") for n in range(len(regions))]
    for row, region in zip(rows, regions, strict=True):
        Pupil.objects.filter(pk=row.pupil_id).update(region=region)
    shortcuts.approved(cast, submitted(cast, round_, *rows))


def parts_of(lines) -> dict[str, Decimal]:
    return shares.sums([dict(line.shares.values_list("level", "amount")) for line in lines])


def test_each_line_goes_by_its_own_shares_and_all_adds_up(cast, round_, living_aid) -> None:
    record(cast, living_aid, WEST, "西部地区", WESTERN)
    thirds = record(cast, living_aid, THIRDS)
    approved(cast, round_, "520102", "110101", "", "530102", "321102")
    sheet = batch(cast, round_).sheets.get()
    by_split = {split.whom: split for split in sheet.splits.all()}
    assert set(by_split) == {"全部学校，生源地为西部地区", "全部学校"}
    for split in by_split.values():
        lines = PaymentLine.objects.filter(shares__split=split).distinct()
        assert parts_of(lines) == shares.split(sum(line.amount for line in lines), split.plan)
    assert by_split["全部学校"].share == thirds
    assert {line.snapshot["region"] for line in PaymentLine.objects.filter(shares__split=by_split["全部学校"])} == {
        "110101", "", "321102",
    }  # fmt: skip
    for line in sheet.lines.all():
        assert sum(parts_of([line]).values()) == line.amount
    assert sum(parts_of(sheet.lines.all()).values()) == sum(line.amount for line in sheet.lines.all())


def test_a_printed_split_names_the_shares_of_each_line_and_never_changes(cast, round_, living_aid) -> None:
    record(cast, living_aid, WEST, "西部地区", WESTERN)
    record(cast, living_aid, OTHERS)
    approved(cast, round_, "520102", "110101")
    sheet = batch(cast, round_).sheets.get()
    before = funding_sheets.sheet_workbook(sheet, list(sheet.splits.all()))
    rows = [[cell for cell in row if cell is not None] for row in load_workbook(io.BytesIO(before)).active.values]
    assert [row[0] for row in rows if row and str(row[0]).startswith("比例")] == [
        f"比例1（全部学校，生源地为西部地区）：中央 80%、县（区）级 20%{REST}",
        f"比例2（全部学校）：中央 60%、县（区）级 40%{REST}",
    ]
    lines = [row for row in rows if row and isinstance(row[0], int)]
    assert [(row[2], row[4], row[5], row[6]) for row in lines] == [
        ("张0", "比例1", 600, 150),
        ("张1", "比例2", 450, 300),
    ]
    # The household moves, the shares are put right: what was printed stays what it was.
    Pupil.objects.update(region="110101")
    record(cast, living_aid, THIRDS, "西部", WESTERN)
    assert funding_sheets.sheet_workbook(sheet, list(SheetSplit.objects.filter(sheet=sheet))) == before
    page = text_of(open_as(cast.clerk).get(reverse("batch", args=[sheet.batch_id])))
    assert "全部学校，生源地为西部地区：中央 80%、县（区）级 20%" in page


def test_a_sheet_waits_until_all_its_pupils_have_shares(cast, round_, living_aid) -> None:
    record(cast, living_aid, WEST, "西部地区", WESTERN)
    approved(cast, round_, "520102", "110101", "")
    clerk = open_as(cast.clerk)
    page = text_of(clerk.get(reverse("batch_make", args=[round_.pk])))
    assert f"没有登记分担比例：{cast.school_a.name}（2 名学生的生源地没有适用的比例）" in page
    made = batch(cast, round_)
    assert not SheetSplit.objects.exists()
    assert not funding.can_split(made)
    with pytest.raises(ValidationError) as refused:
        funding.split_batch(made, by=cast.clerk)
    assert "不适用于云岭县第一初级中学的 2 名学生，例如没有登记户籍所在地的学生" in "".join(refused.value.messages)
    record(cast, living_aid, OTHERS)
    assert funding.can_split(made)
    assert funding.split_batch(made, by=cast.clerk) == 1
    assert LineShare.objects.values("line").distinct().count() == 3
    assert SheetSplit.objects.count() == 2


# --- pages and packs -------------------------------------------------------------------------------


def test_a_tier_of_provinces_is_filled_in_and_recorded(cast, living_aid) -> None:
    clerk, address = open_as(cast.clerk), reverse("share_add", args=["living-aid"])
    form = clerk.get(address, {"origin": "five-tiers:15"}).context["form"]
    assert (form["origins"].value(), form["origin_name"].value()) == (WESTERN, "第一档省份")
    assert form["centre"].value() == "8/10"
    typed = {"origin_name": "西部地区", "origins": WESTERN, "first_term": "2026-2027-1", "remainder": "county"}
    typed |= {"centre": "8/10", "county": "2/10", "document": "×财教〔2026〕9号"}
    page = text_of(clerk.post(address, typed, follow=True))
    assert "生源地为西部地区" in page
    assert "全部学校，生源地为西部地区 中央 80%、县（区）级 20%" in page
    bad = text_of(clerk.post(address, typed | {"origins": "贵州"}))
    assert "“贵州”不是行政区划代码" in bad
    row = FundShare.objects.get(programme=living_aid)
    shown = clerk.get(address, {"row": row.pk}).context["form"]
    assert shown["origins"].value() == WESTERN


def test_provinces_have_their_names() -> None:
    assert centre_shares.place_name("520102") == "贵州（520102）"
    assert centre_shares.place_name("210202") == "大连（210202）"
    assert centre_shares.place_name("990000") == "990000"


def test_the_anhui_pack_shares_by_origin(cast) -> None:
    pack_loading.adopt(pack_loading.shipped("anhui"), county=cast.county, by=cast.clerk)
    for code in ("vocational-grant", "vocational-fee"):
        rows = FundShare.objects.filter(programme__code=code, schools="county").order_by("origins")
        assert [(row.origin_name, row.ratio) for row in rows] == [("", "15:8:2"), ("西部地区", "20:4:1")]
    again = pack_loading.compare(pack_loading.shipped("anhui"))
    assert not again.has_new
