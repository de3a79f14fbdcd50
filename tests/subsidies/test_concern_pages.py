"""The pages of the screening: what each reader is shown, what a press does, that a school never reads of another."""

import datetime as dt
import io

import openpyxl
import pytest
from django.test import Client
from django.urls import reverse

from accounts import appointments, clock
from accounts.models import AuditRow, User
from documents.models import Upload
from subsidies import concerns
from subsidies.models import Concern, ConcernReason, ProgrammeExclusion, Round, Screening, Settlement, StageAges
from subsidies.states import State, Step
from subsidies.workflow import advance
from tests import cast as casting
from tests.cast import Cast, enrol, submitted

Kind = Concern.Kind


def open_as(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(response) -> str:
    return response.content.decode()


def screened(cast: Cast) -> None:
    concerns.find(cast.county, cast.term, by=cast.clerk)


def looked_at(*rows: Concern) -> dict[str, str]:
    """What the list's page sends along of the facts it showed."""
    return {f"seen_{row.pk}": row.digest for row in rows}


def test_school_sees_its_own_counts_and_rows(cast: Cast, round_: Round) -> None:
    enrol(cast, cast.class_a1, name="漏报甲")
    enrol(cast, cast.class_b1, name="漏报乙")
    screened(cast)
    page = text_of(open_as(cast.officer_a).get(reverse("concerns")))
    assert "漏报甲" in page
    assert "漏报乙" not in page
    assert "农村低保（系统比对）" in page
    assert "上次清查" in page


def test_class_teacher_reads_the_own_class_and_settles_nothing(cast: Cast, round_: Round) -> None:
    enrol(cast, cast.class_a1, name="一班学生")
    enrol(cast, cast.class_a2, name="二班学生")
    screened(cast)
    teacher = open_as(cast.teacher_a1)
    page = text_of(teacher.get(reverse("concerns")))
    assert "一班学生" in page
    assert "二班学生" not in page
    row = Concern.objects.get(pupil__name="一班学生")
    address = reverse("concern", args=[row.pk])
    assert "办结这件事" not in text_of(teacher.get(address))
    assert teacher.post(address, {}).status_code == 403
    # What the teacher can do is file.
    assert reverse("class_file", args=[round_.pk, cast.class_a1.pk]) in text_of(teacher.get(address))


@pytest.fixture
def doubled(cast: Cast, round_: Round) -> Cast:
    """One child at two schools, filed at both; a sibling of a filed child at another school."""
    submitted(cast, round_, enrol(cast, cast.class_a1, name="赵两校"), enrol(cast, cast.class_b1, name="赵两校"))
    screened(cast)
    return cast


def pages_of(cast: Cast, client: Client, rows) -> list[str]:
    addresses = [reverse("concerns"), reverse("concern_schools"), reverse("home")]
    addresses += [f"{reverse('concerns')}?kind={kind}&state=all" for kind in Kind]
    addresses += [reverse("concern", args=[row.pk]) for row in rows]
    return [text_of(client.get(address)) for address in addresses]


@pytest.mark.parametrize(
    ("readers", "other"),
    [
        (("officer_a", "teacher_a1", "principal_a"), "school_b"),
        (("officer_b", "teacher_b1", "principal_b"), "school_a"),
    ],
)
def test_no_school_reads_of_the_other_school(doubled: Cast, readers: tuple[str, ...], other: str) -> None:
    stranger = getattr(doubled, other)
    own = doubled.school_b if other == "school_a" else doubled.school_a
    rows = list(Concern.objects.filter(owner=own))
    assert {row.kind for row in rows} >= {Kind.TWO_SCHOOLS, Kind.EXCLUDED_TWICE}
    # The county says in its note which school it is: that, too, stays with the county.
    whole = Concern.objects.get(kind=Kind.TWO_SCHOOLS, owner=doubled.county)
    reason = concerns.reasons_for(Kind.TWO_SCHOOLS).get(code="one_cleared")
    concerns.settle(whole, reason=reason, note=f"保留{own}的学籍，{stranger}注销", by=doubled.clerk)
    for reader in readers:
        client = open_as(getattr(doubled, reader))
        for page in pages_of(doubled, client, rows):
            assert stranger.name not in page
        assert client.get(reverse("concern", args=[whole.pk])).status_code == 404
    shown = text_of(open_as(getattr(doubled, readers[0])).get(reverse("concern", args=[rows[0].pk])))
    assert "另一所学校" in shown


def test_county_reads_both_schools_with_masked_numbers(doubled: Cast) -> None:
    whole = Concern.objects.get(kind=Kind.TWO_SCHOOLS, owner=doubled.county)
    page = text_of(open_as(doubled.clerk).get(reverse("concern", args=[whole.pk])))
    assert doubled.school_a.name in page
    assert doubled.school_b.name in page
    assert "**********" in page


def test_county_counts_schools_by_kind_and_drills_down(cast: Cast, round_: Round) -> None:
    for number in range(3):
        enrol(cast, cast.class_a1, name=f"漏报{number}")
    screened(cast)
    clerk = open_as(cast.clerk)
    page = text_of(clerk.get(reverse("concern_schools")))
    wanted = f"school={cast.school_a.pk}&amp;kind=missed"
    assert f'{wanted}">3</a>' in page
    address = f"{reverse('concerns')}?school={cast.school_a.pk}&kind=missed"
    assert "漏报0" in text_of(clerk.get(address))
    assert "漏报0" not in text_of(clerk.get(f"{reverse('concerns')}?school={cast.school_b.pk}"))


def test_settling_asks_for_the_note_and_keeps_the_proof(cast: Cast, round_: Round) -> None:
    enrol(cast, cast.class_a1)
    screened(cast)
    row = Concern.objects.get()
    officer, address = open_as(cast.officer_a), reverse("concern", args=[row.pk])
    refused = ConcernReason.objects.get(kind=Kind.MISSED, code="refused")
    assert "要上传证明的扫描件" in text_of(officer.post(address, {"reason": refused.pk, "note": ""}))
    wrong = ConcernReason.objects.get(kind=Kind.MISSED, code="wrong_record")
    assert "要写明具体情况" in text_of(officer.post(address, {"reason": wrong.pk}))
    assert "证件号" in text_of(officer.post(address, {"reason": wrong.pk, "note": "号码 11010519491231002X 写错"}))
    answer = officer.post(address, {"reason": refused.pk, "proof": casting.scan("放弃书.pdf"), "seen": row.digest})
    assert answer.status_code == 302
    row.refresh_from_db()
    assert (row.state, row.settlement.reason) == (Concern.State.SETTLED, refused)
    proof = officer.get(reverse("concern_proof", args=[row.pk, row.settlement.pk]))
    assert (proof.status_code, proof["Content-Type"]) == (200, "application/pdf")
    assert Upload.objects.get(kind="evidence").unit == cast.school_a
    assert AuditRow.objects.filter(action="concern.read_proof").exists()


def test_stale_page_is_told_that_the_facts_changed(cast: Cast, round_: Round) -> None:
    enrol(cast, cast.class_a1)
    screened(cast)
    row = Concern.objects.get()
    other = ConcernReason.objects.get(kind=Kind.MISSED, code="other")
    said = {"reason": other.pk, "note": "说明", "seen": "0" * 64}
    assert "刚刚有变化" in text_of(open_as(cast.officer_a).post(reverse("concern", args=[row.pk]), said))
    assert not Settlement.objects.exists()


def test_selection_is_settled_row_by_row_and_each_is_told(cast: Cast, round_: Round) -> None:
    for number in range(3):
        enrol(cast, cast.class_a1, name=f"漏报{number}")
    screened(cast)
    officer = open_as(cast.officer_a)
    reason = ConcernReason.objects.get(kind=Kind.MISSED, code="unreachable")
    rows = list(Concern.objects.order_by("pupil__name"))
    concerns.settle(rows[0], reason=reason, note="同事先办", by=cast.officer_a)
    page = text_of(officer.get(f"{reverse('concerns')}?kind=missed"))
    assert 'name="concern"' in page
    said = {"concern": [row.pk for row in rows], "reason": reason.pk, "note": "三次电话未接", **looked_at(*rows)}
    page = text_of(officer.post(reverse("concerns_settle"), said))
    assert "办结 2 件，没有办结 1 件" in page
    assert "可能已有人先办理" in page
    assert Concern.objects.filter(state=Concern.State.SETTLED).count() == 3
    assert "还没有选择" in text_of(officer.post(reverse("concerns_settle"), {"reason": reason.pk}, follow=True))


def test_a_selection_settles_only_what_was_looked_at(cast: Cast, round_: Round) -> None:
    place = enrol(cast, cast.class_a1, name="漏报")
    screened(cast)
    row = Concern.objects.get()
    officer, before = open_as(cast.officer_a), looked_at(row)
    page = text_of(officer.get(f"{reverse('concerns')}?kind=missed"))
    assert f'name="seen_{row.pk}" value="{row.digest}"' in page
    advance(submitted(cast, round_, place)[0], Step.WITHDRAW, by=cast.teacher_a1, note="家长改主意")
    screened(cast)
    reason = ConcernReason.objects.get(kind=Kind.MISSED, code="unreachable")
    said = {"concern": [row.pk], "reason": reason.pk, "note": "三次电话未接", **before}
    assert "刚刚有变化" in text_of(officer.post(reverse("concerns_settle"), said))
    row.refresh_from_db()
    assert row.state == Concern.State.OPEN


def test_a_number_no_database_has_is_no_row(cast: Cast, round_: Round) -> None:
    officer = open_as(cast.officer_a)
    for name, what in (("concerns_settle", "concern"), ("rollover_many", "school")):
        assert "勾选" in text_of(officer.post(reverse(name), {what: ["9" * 40]}, follow=True))
    assert officer.get(reverse("concerns"), {"term": "9" * 40}).status_code == 200


def test_after_the_filing_is_over_the_teacher_is_told_whom_to_ask(cast: Cast, round_: Round) -> None:
    enrol(cast, cast.class_a1)
    clock.set_demo_day(round_.closes_on + dt.timedelta(days=1))
    screened(cast)
    page = text_of(open_as(cast.teacher_a1).get(reverse("concern", args=[Concern.objects.get().pk])))
    assert "去填报" not in page
    assert "请联系云岭县延长填报时间" in page


def test_a_screening_that_failed_is_told(cast: Cast, round_: Round) -> None:
    asked = concerns.ask(cast.county, cast.term, by=cast.clerk)
    Screening.objects.filter(pk=asked.pk).update(state=Screening.State.FAILED)
    clerk = open_as(cast.clerk)
    for page in ("concerns", "concern_schools"):
        assert "没有完成。请点“重新清查”" in text_of(clerk.get(reverse(page)))
    clock.set_demo_day(clock.today() + dt.timedelta(days=1))
    screened(cast)
    assert "没有完成" not in text_of(clerk.get(reverse("concerns")))


def test_an_officer_of_two_schools_has_both_screened(cast: Cast) -> None:
    appointments.appoint(cast.officer_a, "aid_officer", cast.school_b, starts_on=casting.TODAY, by=cast.admin)
    open_as(cast.officer_a).post(reverse("screening_ask"))
    assert {row.unit for row in Screening.objects.all()} == {cast.school_a, cast.school_b}


def test_selection_of_another_school_is_left_alone(cast: Cast, round_: Round) -> None:
    enrol(cast, cast.class_b1, name="别校")
    screened(cast)
    row = Concern.objects.get()
    reason = ConcernReason.objects.get(kind=Kind.MISSED, code="other")
    said = {"concern": [row.pk], "reason": reason.pk, "note": "说明", **looked_at(row)}
    open_as(cast.officer_a).post(reverse("concerns_settle"), said)
    row.refresh_from_db()
    assert row.state == Concern.State.OPEN


def test_county_sends_back_what_a_school_settled(cast: Cast, round_: Round) -> None:
    enrol(cast, cast.class_a1)
    screened(cast)
    row = Concern.objects.get()
    reason = ConcernReason.objects.get(kind=Kind.MISSED, code="other")
    concerns.settle(row, reason=reason, note="暂缓", by=cast.officer_a)
    address = reverse("concern_reopen", args=[row.pk])
    assert open_as(cast.officer_a).post(address, {"note": "再看"}).status_code == 403
    clerk = open_as(cast.clerk)
    assert "请写明" in text_of(clerk.post(address, {"note": " "})) or "必填" in text_of(clerk.post(address, {}))
    assert clerk.post(address, {"note": "理由不充分"}).status_code == 302
    row.refresh_from_db()
    assert row.state == Concern.State.OPEN
    page = text_of(open_as(cast.officer_a).get(reverse("concern", args=[row.pk])))
    assert "暂缓" in page
    assert f"县资助中心{cast.clerk.name}退回重办：理由不充分" in page


def test_pressing_screen_twice_is_one_screening(cast: Cast) -> None:
    officer = open_as(cast.officer_a)
    assert officer.post(reverse("screening_ask")).status_code == 302
    assert officer.post(reverse("screening_ask")).status_code == 302
    row = Screening.objects.get()
    assert (row.unit, row.state) == (cast.school_a, Screening.State.QUEUED)
    assert "清查在排队" in text_of(officer.get(reverse("concerns")))
    progress = reverse("screening_progress", args=[row.pk])
    assert "HX-Refresh" not in officer.get(progress)
    concerns.run(row.pk)
    assert officer.get(progress)["HX-Refresh"] == "true"
    assert open_as(cast.officer_b).get(progress).status_code == 404


def test_register_of_the_unaided_has_every_reason_and_no_full_number(cast: Cast, round_: Round) -> None:
    settled, _open, back, refused = (enrol(cast, cast.class_a1, name=f"学生{word}") for word in "甲乙丙丁")
    cases = submitted(cast, round_, back, refused)
    advance(cases[0], Step.WITHDRAW, by=cast.teacher_a1, note="家长暂不申请")
    verdict = casting.reviews.Verdict(cases[1], casting.Decision.Verdict.REJECT, opinion="条件不符")
    casting.reviews.hold(
        round_=round_, unit=cast.class_a1, level="class", minutes=casting.minutes(), verdicts=[verdict],
        by=cast.officer_a,
    )  # fmt: skip
    screened(cast)
    row = Concern.objects.get(pupil=settled.pupil)
    reason = ConcernReason.objects.get(kind=Kind.MISSED, code="other_programme")
    concerns.settle(row, reason=reason, note="已享受县级补助", by=cast.officer_a)
    answer = open_as(cast.officer_a).get(reverse("unaided_sheet", args=[cast.school_a.pk]))
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
    rows = {r[2]: r for r in sheet.iter_rows(values_only=True) if r[2] and str(r[2]).startswith("学生")}
    assert rows["学生甲"][6:8] == ("已享受其他资助项目", "已享受县级补助")
    assert not rows["学生乙"][6]
    assert not rows["学生丙"][6]
    assert rows["学生丁"][6:8] == ("班级评议不通过", "条件不符")
    assert all("*" in row[3] for row in rows.values())
    assert open_as(cast.officer_b).get(reverse("unaided_sheet", args=[cast.school_a.pk])).status_code == 404


@pytest.mark.parametrize("page", ["concerns", "concern_schools", "concern_reasons", "programmes"])
def test_lists_ask_the_same_for_one_row_and_for_three(
    cast: Cast, round_: Round, page: str, django_assert_max_num_queries, django_assert_num_queries
) -> None:
    client = open_as(cast.clerk)
    enrol(cast, cast.class_a1, name="漏报一")
    screened(cast)
    client.get(reverse(page))
    with django_assert_max_num_queries(40) as asked:
        client.get(reverse(page))
    for name in ("漏报二", "漏报三"):
        enrol(cast, cast.class_a2, name=name)
    screened(cast)
    with django_assert_num_queries(len(asked)):
        client.get(reverse(page))


def test_home_tells_officer_and_clerk_what_is_theirs(doubled: Cast, round_: Round) -> None:
    enrol(doubled, doubled.class_a1, name="漏报")
    screened(doubled)
    officer = text_of(open_as(doubled.officer_a).get(reverse("home")))
    assert "在困难名单上但没有申请" in officer
    assert "疑似双学籍" in officer
    clerk = text_of(open_as(doubled.clerk).get(reverse("home")))
    assert "疑似双学籍" in clerk
    assert "在困难名单上但没有申请" not in clerk


# --- the rules of the screening --------------------------------------------------------------------


def test_clerk_keeps_the_reasons(cast: Cast) -> None:
    clerk = open_as(cast.clerk)
    assert "家长书面放弃" in text_of(open_as(cast.teacher_a1).get(reverse("concern_reasons")))
    said = {"kind": "missed", "label": "送教上门", "source": "县文件", "valid_from": "2026-10-12", "needs_note": "on"}
    assert clerk.post(reverse("concern_reason_add"), said).status_code == 302
    assert "不用重复登记" in text_of(clerk.post(reverse("concern_reason_add"), said))
    added = ConcernReason.objects.get(label="送教上门")
    assert added in concerns.reasons_for("missed")
    assert clerk.post(reverse("concern_reason_end", args=[added.pk]), {"on": "2026-10-12"}).status_code == 302
    assert "已经停用" in text_of(clerk.post(reverse("concern_reason_end", args=[added.pk]), {"on": "2026-10-13"}))


def test_clerk_keeps_ages_and_exclusions(cast: Cast) -> None:
    clerk = open_as(cast.clerk)
    said = {"stage": "junior", "min_age": 11, "max_age": 15, "on_month": 8, "on_day": 31, "source": "县文件"}
    assert "没有 31 日" in text_of(
        clerk.post(reverse("stage_ages_add"), said | {"on_month": 9, "first_term": "2026-2027-2"})
    )
    assert clerk.post(reverse("stage_ages_add"), said | {"first_term": "2026-2027-2"}).status_code == 302
    assert StageAges.objects.get(stage="junior", last_term="").max_age == 15
    # Mistyped: the same term's row is put right, an earlier one is no longer open to it.
    assert 'value="15"' in clerk.get(reverse("stage_ages_add"), {"stage": "junior"}).content.decode()
    assert clerk.post(reverse("stage_ages_add"), said | {"max_age": 17, "first_term": "2026-2027-2"}).status_code == 302
    assert [row.max_age for row in StageAges.objects.filter(stage="junior")] == [17, 16]
    refused = clerk.post(reverse("stage_ages_add"), said | {"first_term": "2026-2027-1"})
    assert "自2027年春季学期起已有年龄范围" in text_of(refused)
    assert AuditRow.objects.get(action="stage_ages.correct").detail["was"] == "初中 11—15 岁"
    pair = ProgrammeExclusion.objects.first()
    pair_said = {
        "programme": pair.other_id, "other": pair.programme_id, "first_term": "2026-2027-1", "source": "县文件"
    }  # fmt: skip
    assert "已经登记为不能兼得" in text_of(clerk.post(reverse("exclusion_add"), pair_said))
    ended = clerk.post(reverse("exclusion_end", args=[pair.pk]), {"last_term": "2025-2026-2", "document": "县文件"})
    assert ended.status_code == 302
    assert clerk.post(reverse("exclusion_add"), pair_said).status_code == 302
    page = text_of(open_as(cast.inspector).get(reverse("programmes")))
    assert "不能兼得的项目" in page
    assert State.DRAFT not in page
