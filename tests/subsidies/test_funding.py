"""Who bears the money: dated rows that never overlap, and splits that are kept with the batch they were made for."""

import datetime as dt
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction

from accounts.models import AuditRow
from students.models import School, Term
from subsidies import funding, payments, shares
from subsidies.funding import end_share, record_share, share_of, split_batch
from subsidies.models import FundShare, LineShare, PaymentBatch, PaymentLine, Programme, SheetSplit
from tests.cast import batch, enrol, submitted
from tests.subsidies import shortcuts

OLD, NEW = {"centre": "5/10", "local": "5/10"}, {"centre": "5/10", "province": "3/10", "county": "2/10"}


@pytest.fixture
def living_aid(cast) -> Programme:
    """Without the shares that ship with it."""
    programme = Programme.objects.get(code="living-aid")
    programme.shares.all().delete()
    return programme


def share(programme: Programme, levels: dict[str, str], **changed) -> FundShare:
    facts = {"schools": "", "first_term": "2026-2027-1", "document": "×财教〔2026〕9号"}
    facts |= {"remainder": next(reversed(levels), ""), "document_date": dt.date(2026, 8, 20)}
    return FundShare(programme=programme, levels=levels, **facts | changed)


def recorded(cast, programme: Programme, levels: dict[str, str], **changed) -> FundShare:
    return record_share(share(programme, levels, **changed), county=cast.county, by=cast.clerk)


def spans(programme: Programme, schools: str = "") -> list[tuple[str, str, str]]:
    rows = programme.shares.filter(schools=schools).order_by("first_term")
    return [(row.first_term, row.last_term, row.words) for row in rows]


# --- the dated rows --------------------------------------------------------------------------------


def test_fractions_are_kept_in_lowest_terms_and_told_to_the_trail(cast, living_aid) -> None:
    made = recorded(cast, living_aid, {"centre": "50%", "province": "5/10×6/10", "county": "0.2"})
    made.refresh_from_db()
    assert made.levels == {"centre": "1/2", "province": "3/10", "county": "1/5"}
    assert (made.words, made.ratio, made.recorded_by) == ("中央 50%、省级 30%、县（区）级 20%", "5:3:2", cast.clerk)
    assert AuditRow.objects.get(action="share.record").detail == {
        "programme": "living-aid",
        "schools": "全部学校",
        "first_term": "2026-2027-1",
        "was": "",
        "new": "中央1/2、省级3/10、县（区）级1/5，尾差由县（区）级承担，自2026年秋季学期起（×财教〔2026〕9号）",
        "basis": "×财教〔2026〕9号",
    }


def test_new_shares_end_the_running_ones_with_the_term_before(cast, living_aid) -> None:
    recorded(cast, living_aid, OLD, first_term="2019-2020-1", document="国办发〔2019〕27号")
    recorded(cast, living_aid, NEW)
    assert spans(living_aid) == [
        ("2019-2020-1", "2025-2026-2", "中央 50%、地方 50%"),
        ("2026-2027-1", "", "中央 50%、省级 30%、县（区）级 20%"),
    ]
    was = "中央1/2、地方1/2，尾差由地方承担，自2019年秋季学期起（国办发〔2019〕27号）"
    assert AuditRow.objects.filter(action="share.record").order_by("-number").first().detail["was"] == was


def test_shares_of_an_earlier_time_end_before_the_later_ones(cast, living_aid) -> None:
    recorded(cast, living_aid, NEW)
    recorded(cast, living_aid, OLD, first_term="2019-2020-1")
    assert [row[:2] for row in spans(living_aid)] == [("2019-2020-1", "2025-2026-2"), ("2026-2027-1", "")]


def test_shares_of_the_same_term_are_put_right(cast, living_aid) -> None:
    first = recorded(cast, living_aid, OLD)
    again = recorded(cast, living_aid, NEW, document="×财教〔2026〕10号")
    assert again.pk == first.pk
    assert spans(living_aid) == [("2026-2027-1", "", "中央 50%、省级 30%、县（区）级 20%")]
    told = AuditRow.objects.get(action="share.correct").detail
    assert (told["was"].split("，")[0], told["basis"]) == ("中央1/2、地方1/2", "×财教〔2026〕10号")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2), (0, 2, 1), (2, 0, 1)])
def test_in_any_order_the_rows_follow_each_other(cast, living_aid, order) -> None:
    firsts = ["2019-2020-1", "2023-2024-2", "2026-2027-1"]
    for index in order:
        recorded(cast, living_aid, NEW if index else OLD, first_term=firsts[index])
    assert [row[:2] for row in spans(living_aid)] == [
        ("2019-2020-1", "2023-2024-1"), ("2023-2024-2", "2025-2026-2"), ("2026-2027-1", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("levels", "changed", "said"),
    [
        ({"centre": "1/2", "county": "1/3"}, {}, "各级份额合计 5/6，必须正好是 1，还差 1/6。"),
        ({"centre": "1/2", "township": "1/2"}, {"remainder": "centre"}, "没有“township”这一级"),
        ({"centre": "1/2", "county": "1/2"}, {"remainder": "city"}, "承担尾差的“市级”不在分担的各级里。"),
        ({"centre": "1/1", "county": "0"}, {}, "份额必须大于零"),
        ({}, {"remainder": "county"}, "还没有填写分担份额。"),
        (NEW, {"first_term": "2026"}, "学期代码形如"),
        (NEW, {"schools": "moon"}, "moon"),
        (NEW, {"document": ""}, ""),
        (NEW, {"document_date": dt.date(2027, 1, 1)}, "文件日期不能晚于今天。"),
    ],
)
def test_shares_that_make_no_sense_are_refused(cast, living_aid, levels, changed, said) -> None:
    with pytest.raises(ValidationError) as refused:
        recorded(cast, living_aid, levels, **changed)
    assert said in "".join(refused.value.messages)
    assert not FundShare.objects.exists()
    assert not AuditRow.objects.filter(action__startswith="share.").exists()


def test_only_a_clerk_keeps_the_shares(cast, living_aid) -> None:
    held = recorded(cast, living_aid, NEW)
    for who in ("head", "officer_a", "inspector", "admin", "teacher_a1"):
        with pytest.raises(PermissionDenied):
            record_share(share(living_aid, OLD), county=cast.county, by=cast.people[who])
        with pytest.raises(PermissionDenied):
            end_share(held, last_term="2026-2027-1", document="县文件", county=cast.county, by=cast.people[who])


def test_the_database_holds_one_row_of_a_kind_and_term(cast, living_aid) -> None:
    held = recorded(cast, living_aid, NEW)
    for changed in ({}, {"first_term": "2027-2028-1", "last_term": "2026-2027-2"}, {"schools": "moon"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            FundShare.objects.create(
                programme=living_aid, levels=held.levels, remainder="county", document="文", **{
                    "schools": "", "first_term": "2026-2027-1", **changed,
                },
            )  # fmt: skip


def test_the_narrowest_kind_of_school_counts(cast, living_aid) -> None:
    own = School.objects.get(pk=cast.school_a.pk)
    everybody = recorded(cast, living_aid, OLD)
    private = recorded(cast, living_aid, NEW, schools="private")
    city = recorded(cast, living_aid, {"centre": "1/2", "city": "1/2"}, schools="city")
    public = recorded(cast, living_aid, {"centre": "3/5", "county": "2/5"}, schools="public")
    for ownership, finance, meant in (
        ("public", "county", public),
        ("public", "city", city),
        ("private", "county", private),
        ("inclusive", "county", everybody),
    ):
        own.ownership, own.finance = ownership, finance
        own.save()
        assert share_of(living_aid, cast.school_a, cast.term) == meant
    assert share_of(living_aid, cast.school_a, Term.objects.get(key="2023-2024-1")) is None
    assert share_of(Programme.objects.get(code="senior-grant"), cast.school_a, cast.term) is None


def test_shares_that_end_leave_the_wider_ones(cast, living_aid) -> None:
    everybody = recorded(cast, living_aid, OLD)
    public = recorded(cast, living_aid, NEW, schools="public")
    spring = Term.objects.get(key="2026-2027-2")
    with pytest.raises(ValidationError, match="截止学期不能早于执行学期。"):
        end_share(public, last_term="2025-2026-2", document="县文件", county=cast.county, by=cast.clerk)
    end_share(public, last_term=cast.term.key, document="县文件", county=cast.county, by=cast.clerk)
    assert share_of(living_aid, cast.school_a, cast.term) == public
    assert share_of(living_aid, cast.school_a, spring) == everybody
    with pytest.raises(ValidationError, match="已经登记了截止学期。"):
        end_share(public, last_term=spring.key, document="县文件", county=cast.county, by=cast.clerk)
    assert AuditRow.objects.get(action="share.end").detail["last_term"] == cast.term.key


# --- splitting -------------------------------------------------------------------------------------


def approved(cast, round_) -> None:
    """Three pupils of one school and one of the other: 750, 375, 750 and 312.50 元."""
    rows = [enrol(cast, cast.class_a1, name=name, boarding=how) for name, how in
            (("张一", "boarding"), ("张二", "day"), ("张三", "boarding"))]  # fmt: skip
    shortcuts.approved(cast, submitted(cast, round_, *rows))
    shortcuts.approved(cast, submitted(cast, round_, enrol(cast, cast.class_b1, name="李一", boarding="day")))


def parts_of(line: PaymentLine) -> dict[str, Decimal]:
    return shares.sums([dict(line.shares.values_list("level", "amount"))])


def test_a_batch_is_split_to_the_fen_when_it_is_made(cast, round_, living_aid) -> None:
    held = recorded(cast, living_aid, {"centre": "1/3", "province": "1/3", "county": "1/3"})
    approved(cast, round_)
    made = batch(cast, round_)
    for sheet in made.sheets.all():
        lines = list(sheet.lines.order_by("position"))
        assert all(sum(parts_of(line).values()) == line.amount for line in lines)
        total = sum(line.amount for line in lines)
        assert shares.sums(parts_of(line) for line in lines) == shares.split(total, held.plan)
        split = sheet.splits.get()
        assert (split.share, split.levels, split.remainder, split.document, split.made_by) == (
            held, held.levels, "county", "×财教〔2026〕9号", cast.clerk,
        )  # fmt: skip
    b = made.sheets.get(school=cast.school_b)
    assert parts_of(b.lines.get()) == {
        "centre": Decimal("104.16"), "province": Decimal("104.16"), "county": Decimal("104.18"),
    }  # fmt: skip


def test_a_school_of_another_kind_is_split_by_its_own_shares(cast, round_, living_aid) -> None:
    School.objects.filter(pk=cast.school_b.pk).update(ownership="private")
    recorded(cast, living_aid, NEW)
    recorded(cast, living_aid, {"centre": "5/10", "province": "35%", "county": "15%"}, schools="private")
    approved(cast, round_)
    made = batch(cast, round_)
    found = funding.bearing_of(made.sheets.select_related("school").order_by("school__path"))
    assert {sheet.title: dict(sheet.parts) for sheet in found.sheets} == {
        cast.school_a.name: {
            "centre": Decimal("937.50"), "province": Decimal("562.50"), "county": Decimal("375.00"),
        },
        cast.school_b.name: {
            "centre": Decimal("156.25"), "province": Decimal("109.37"), "county": Decimal("46.88"),
        },
    }  # fmt: skip
    assert found.whole.total == payments.batch_totals(PaymentBatch.objects.all()).get().total == Decimal("2187.50")
    assert found.missing == ()


def test_later_shares_change_no_batch_that_is_split(cast, round_, living_aid) -> None:
    held = recorded(cast, living_aid, NEW)
    approved(cast, round_)
    made = batch(cast, round_)
    before = list(LineShare.objects.order_by("pk").values())
    recorded(cast, living_aid, {"centre": "1"}, document="×财教〔2026〕11号")
    assert FundShare.objects.get(pk=held.pk).levels == {"centre": "1"}
    with pytest.raises(ValidationError, match="都已分担，不用重复登记。"):
        split_batch(made, by=cast.clerk)
    assert list(LineShare.objects.order_by("pk").values()) == before
    assert {split.document for split in SheetSplit.objects.all()} == {"×财教〔2026〕9号"}


def test_a_batch_made_before_its_shares_is_split_once_they_are_there(cast, round_, living_aid) -> None:
    approved(cast, round_)
    made = batch(cast, round_)
    assert not SheetSplit.objects.exists()
    with pytest.raises(ValidationError, match="没有登记分担比例，请先在“项目与标准”的项目页登记。"):
        split_batch(made, by=cast.clerk)
    # First for one kind of school only, then for the rest.
    School.objects.filter(pk=cast.school_b.pk).update(ownership="private")
    recorded(cast, living_aid, OLD, schools="private")
    assert split_batch(made, by=cast.clerk) == 1
    recorded(cast, living_aid, NEW)
    assert funding.can_split(made)
    assert split_batch(made, by=cast.clerk) == 1
    assert [split.sheet.school for split in SheetSplit.objects.order_by("made_at")] == [cast.school_b, cast.school_a]
    told = AuditRow.objects.filter(action="batch.split").order_by("number")
    assert [row.detail["new"] for row in told] == [
        "中央 50%、地方 50%（×财教〔2026〕9号）",
        "中央 50%、省级 30%、县（区）级 20%（×财教〔2026〕9号）",
    ]
    assert PaymentLine.objects.filter(shares__isnull=True).count() == 0


def test_only_who_makes_batches_splits_them(cast, round_, living_aid) -> None:
    approved(cast, round_)
    made = batch(cast, round_)
    recorded(cast, living_aid, NEW)
    for who in ("head", "inspector", "officer_a", "principal_a", "teacher_a1", "admin"):
        with pytest.raises(PermissionDenied):
            split_batch(made, by=cast.people[who])
    assert not SheetSplit.objects.exists()


def test_a_line_that_reverses_takes_back_the_same_parts(cast, round_, living_aid) -> None:
    approved(cast, round_)
    made = batch(cast, round_)
    sheet = made.sheets.get(school=cast.school_a)
    line = sheet.lines.order_by("position").last()
    facts = {"sheet": sheet, "application": line.application, "account": line.account, "snapshot": line.snapshot}
    back = PaymentLine.objects.create(**facts, position=line.position + 1, amount=-line.amount, reverses=line)
    held = recorded(cast, living_aid, {"centre": "1/3", "province": "1/3", "county": "1/3"})
    split_batch(made, by=cast.clerk)
    assert parts_of(back) == shares.mirror(parts_of(line))
    whole = shares.sums(parts_of(each) for each in sheet.lines.all())
    paid = shares.split(Decimal("1875.00"), held.plan)
    assert whole == {level: paid[level] - parts_of(line)[level] for level in paid}
    assert sum(whole.values()) == Decimal("1875.00") - line.amount


def test_a_line_that_reverses_one_of_another_sheet_takes_back_what_that_one_was(cast, round_, living_aid) -> None:
    School.objects.filter(pk=cast.school_b.pk).update(ownership="private")
    recorded(cast, living_aid, {"centre": "1/3", "province": "1/3", "county": "1/3"}, schools="public")
    approved(cast, round_)
    made = batch(cast, round_)
    line = made.sheets.get(school=cast.school_a).lines.order_by("position").first()
    other = made.sheets.get(school=cast.school_b)  # has no split yet
    facts = {"application": line.application, "account": line.account, "snapshot": line.snapshot}
    back = PaymentLine.objects.create(**facts, sheet=other, position=2, amount=-line.amount, reverses=line)
    recorded(cast, living_aid, OLD, schools="private")
    split_batch(made, by=cast.clerk)
    assert parts_of(back) == shares.mirror(parts_of(line))
    assert set(parts_of(other.lines.get(position=1))) == {"centre", "local"}


def test_what_was_split_is_written_once(cast, round_, living_aid) -> None:
    recorded(cast, living_aid, NEW)
    approved(cast, round_)
    batch(cast, round_)
    for model in (LineShare, SheetSplit):
        with pytest.raises(TypeError, match="written once"):
            model.objects.all().delete()
        with pytest.raises(Exception, match="written once"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {model._meta.db_table}")  # noqa: S608 - a name of our own


def test_parts_that_do_not_add_up_stop_the_batch(cast, round_, living_aid, monkeypatch) -> None:
    """What was written is read back: a wrong sum never stays."""
    recorded(cast, living_aid, NEW)
    approved(cast, round_)
    right = shares.split_lines

    def one_fen_too_much(amounts, plan):
        rows = right(amounts, plan)
        rows[0]["centre"] += Decimal("0.01")
        return rows

    monkeypatch.setattr(shares, "split_lines", one_fen_too_much)
    with pytest.raises(IntegrityError, match="do not add up"):
        batch(cast, round_)

    def one_fen_astray(amounts, plan):
        rows = one_fen_too_much(amounts, plan)
        rows[0]["county"] -= Decimal("0.01")
        return rows

    monkeypatch.setattr(shares, "split_lines", one_fen_astray)
    with pytest.raises(IntegrityError, match="levels do not add up"):
        batch(cast, round_)
    assert not PaymentBatch.objects.exists()
    assert not LineShare.objects.exists()
