"""The desk of the standards: what is asked, what would change, and what a rule dated in the past leaves to settle."""

import io
from decimal import Decimal

import openpyxl
import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditRow, User
from students.models import School, Term
from subsidies import what_if
from subsidies.models import Application, Programme, Standard
from subsidies.states import State
from tests import cast as casting
from tests.cast import Cast, enrol, refreshed, submitted

RAISED = {
    "stage": ["junior"],
    "boarding": ["boarding"],
    "amount": "800.00",
    "document": "云财教〔2027〕1号",
    "first_term": "2026-2027-2",
}


def open_as(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(response) -> str:
    return response.content.decode()


@pytest.fixture
def living_aid(cast: Cast) -> Programme:
    return Programme.objects.get(code="living-aid")


def raised(programme: Programme, **changed) -> Standard:
    conditions = {"stage": ["junior"], "boarding": ["boarding"]}
    facts = {"amount": Decimal("800.00"), "document": "云财教〔2027〕1号", "first_term": "2026-2027-2"}
    return Standard(programme=programme, **{"conditions": conditions} | facts | changed)


ADDRESS = ["living-aid"]


def test_what_a_standard_would_change_is_shown_before_it_is_recorded(cast: Cast, living_aid: Programme) -> None:
    enrol(cast, cast.class_a1, name="张一")
    enrol(cast, cast.class_a1, name="李二", kinds=())
    enrol(cast, cast.class_a1, name="王三", boarding="day")
    address, clerk = reverse("standard_add", args=ADDRESS), open_as(cast.clerk)
    assert open_as(cast.head).get(address).status_code == 403
    assert "元/学期" in text_of(clerk.get(address))

    page = text_of(clerk.post(address, RAISED))
    assert "自2027年春季学期起有 1 名学生的金额会变化，合计每学期 +50.00 元" in page
    assert "张一" in page
    assert "李二" not in page
    assert "王三" not in page
    assert "按云财教〔2027〕1号（自2027年春季学期起执行），每学期800.00元" in page
    assert not Standard.objects.filter(amount="800.00").exists()

    seen = page.split('name="seen" value="')[1].split('"')[0]
    answer = clerk.post(address, RAISED | {"seen": seen, "save": "1"}, follow=True)
    assert "已登记新标准：800.00 元/学期，自2027年春季学期起执行。" in text_of(answer)
    assert "800.00" in text_of(open_as(cast.teacher_a1).get(reverse("programme", args=ADDRESS)))


def test_what_was_not_seen_is_not_recorded(cast: Cast, living_aid: Programme) -> None:
    enrol(cast, cast.class_a1, name="张一")
    address, clerk = reverse("standard_add", args=ADDRESS), open_as(cast.clerk)
    seen = text_of(clerk.post(address, RAISED)).split('name="seen" value="')[1].split('"')[0]
    enrol(cast, cast.class_a1, name="李二")
    page = text_of(clerk.post(address, RAISED | {"seen": seen, "save": "1"}))
    assert "刚刚有变化，没有登记" in page
    assert "有 2 名学生的金额会变化" in page
    assert not Standard.objects.filter(amount="800.00").exists()


def test_back_to_the_form_with_what_was_typed(cast: Cast) -> None:
    page = text_of(open_as(cast.clerk).post(reverse("standard_add", args=ADDRESS), RAISED | {"edit": "1"}))
    assert "云财教〔2027〕1号" in page
    assert "看看会影响哪些学生" in page


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"amount": ""}, "金额（元/学期）：请填写"),
        ({"amount": "0"}, "必须大于零"),
        ({"document": ""}, "文件名称和文号：请填写"),
        ({"boarding": []}, "会同时适用于同一名学生，例如2027年春季学期的初中、寄宿、"),
        ({"first_term": "2023-2024-2"}, "同样条件的学生自2024年春季学期起已有标准"),
        ({"region": "昆明"}, "“昆明”不是六位行政区划代码"),
        ({"flag_category": "orphan"}, "名单标识的三项要么都填，要么都不填"),
        ({"all_of": ["orphan"], "none_of": ["orphan"]}, "既要求具备又要求不含"),
    ],
)
def test_what_is_wrong_is_said_on_the_form(cast: Cast, changed: dict, words: str) -> None:
    page = text_of(open_as(cast.clerk).post(reverse("standard_add", args=ADDRESS), RAISED | changed))
    assert words in page
    assert "看看会影响哪些学生" in page


def test_every_condition_typed_is_kept(cast: Cast) -> None:
    typed = RAISED | {
        "grade": ["七年级", "八年级"],
        "ownership": ["public"],
        "registration": ["rural"],
        "schooling": ["special"],
        "region": "530103，530102",
        "any_of": ["orphan", "tekun"],
        "none_of": ["disabled"],
        "flag_category": "at_risk",
        "flag_name": "享受政策",
        "flag_values": "是 Y",
        "document_date": "2027-01-05",
    }
    living = Programme.objects.get(code="living-aid")
    living.highest_wins = True
    living.save()
    address, clerk = reverse("standard_add", args=ADDRESS), open_as(cast.clerk)
    page = text_of(clerk.post(address, typed))
    seen = page.split('name="seen" value="')[1].split('"')[0]
    clerk.post(address, typed | {"seen": seen, "save": "1"})
    row = Standard.objects.get(amount="800.00")
    assert row.conditions == {
        "stage": ["junior"],
        "boarding": ["boarding"],
        "grade": ["七年级", "八年级"],
        "ownership": ["public"],
        "registration": ["rural"],
        "schooling": ["special"],
        "region": ["530103", "530102"],
    }
    assert (row.any_of, row.all_of, row.none_of) == (["orphan", "tekun"], [], ["disabled"])
    assert row.flags == [{"category": "at_risk", "name": "享受政策", "values": ["是", "Y"]}]
    assert f"{row.document_date}" == "2027-01-05"


def test_a_programme_is_asked_only_what_makes_sense_for_it(cast: Cast) -> None:
    clerk = open_as(cast.clerk)
    living = text_of(clerk.get(reverse("standard_add", args=["living-aid"])))
    senior = text_of(clerk.get(reverse("standard_add", args=["senior-grant"])))
    assert 'name="stage"' in living
    assert 'name="stage"' not in senior
    assert 'name="tier"' in senior
    assert 'name="tier"' not in living
    assert 'name="major"' not in living + senior
    assert 'name="periods"' not in living + senior
    Programme.objects.filter(code="senior-grant").update(unit="month", stages=["senior", "vocational"])
    monthly = text_of(clerk.get(reverse("standard_add", args=["senior-grant"])))
    assert "每学期按几个月发放" in monthly
    assert 'name="major"' in monthly


def test_a_standard_ends_on_its_page_once_it_is_seen_whom_that_leaves_out(cast: Cast, living_aid: Programme) -> None:
    enrol(cast, cast.class_a1, name="张一", boarding="day")
    rows = living_aid.standards.filter(last_term="")
    (row,) = [each for each in rows if each.conditions == {"stage": ["junior"], "boarding": ["day"]}]
    address = reverse("standard_end", args=["living-aid", row.pk])
    clerk, typed = open_as(cast.clerk), {"last_term": "2026-2027-1", "document": "云财教〔2027〕2号"}
    assert "看看会影响哪些学生" in text_of(clerk.get(address))
    assert "停止执行的依据：请填写" in text_of(clerk.post(address, {"last_term": "2026-2027-1"}))
    page = text_of(clerk.post(address, typed))
    assert "自2027年春季学期起有 1 名学生的金额会变化，合计每学期 -375.00 元" in page
    assert "没有适用于初中走读学生的标准" in page
    assert clerk.post(address, typed | {"save": "1", "seen": "0"}).status_code == 200
    seen = page.split('name="seen" value="')[1].split('"')[0]
    assert clerk.post(address, typed | {"save": "1", "seen": seen}).status_code == 302
    row.refresh_from_db()
    assert row.last_term == "2026-2027-1"
    assert "已经截止到2026年秋季学期" in text_of(clerk.post(address, typed))
    assert clerk.get(reverse("standard_end", args=["senior-grant", row.pk])).status_code == 404


# --- what it would change --------------------------------------------------------------------------


def test_old_and_new_amounts_and_who_applied(cast: Cast, living_aid: Programme, round_) -> None:
    one, two = enrol(cast, cast.class_a1, name="张一"), enrol(cast, cast.class_a1, name="李二")
    submitted(cast, round_, one)
    found = what_if.of_standard(raised(living_aid), cast.county)
    assert [(each.name, each.before, each.after, each.has_applied) for each in found.changes] == [
        ("张一", Decimal("750.00"), Decimal("800.00"), True),
        ("李二", Decimal("750.00"), Decimal("800.00"), False),
    ]
    assert (found.total, found.applicants_total) == (Decimal("100.00"), Decimal("50.00"))
    assert found.sentence == (
        "自2027年春季学期起有 2 名学生的金额会变化，合计每学期 +100.00 元；其中最近一次申请过的 1 名，+50.00 元。"
    )
    assert not found.kept  # nobody has applied for the spring yet
    assert two.pk in {each.enrolment for each in found.changes}


def test_a_rule_that_changes_nobody_says_so(cast: Cast, living_aid: Programme) -> None:
    enrol(cast, cast.class_a1, kinds=())
    assert what_if.of_standard(raised(living_aid), cast.county).sentence == "自2027年春季学期起没有学生的金额会变化。"


def test_who_comes_in_and_who_falls_out(cast: Cast, living_aid: Programme) -> None:
    enrol(cast, cast.class_a1, name="张一")
    School.objects.filter(unit=cast.school_a).update(ownership="private")
    living_aid.standards.all().delete()
    only = raised(living_aid, conditions={"stage": ["junior"], "ownership": ["private"]}, amount=Decimal("750.00"))
    (change,) = what_if.of_standard(only, cast.county).changes
    assert (change.before, change.after, change.difference) == (None, Decimal("750.00"), Decimal("750.00"))


def test_the_questions_asked_do_not_grow_with_the_pupils(cast: Cast, living_aid: Programme) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    taken = []
    for _ in range(2):
        enrol(cast, cast.class_a1)
        enrol(cast, cast.class_a1)
        with CaptureQueriesContext(connection) as queries:
            what_if.of_standard(raised(living_aid), cast.county)
        taken.append(len(queries))
    assert taken[0] == taken[1]


# --- a rule dated in the past ----------------------------------------------------------------------


def test_submitted_applications_stay_and_the_difference_is_listed(cast: Cast, living_aid: Programme, round_) -> None:
    (one,) = submitted(cast, round_, enrol(cast, cast.class_a1, name="张一"))
    (two,) = submitted(cast, round_, enrol(cast, cast.class_a1, name="李二"))
    Application.objects.filter(pk=two.pk).update(state=State.PAID)
    past = raised(living_aid, first_term="2026-2027-1")
    (kept,) = what_if.of_standard(past, cast.county).kept
    assert (kept.term, kept.count, kept.total) == (cast.term, 2, Decimal("100.00"))

    clerk, address = open_as(cast.clerk), reverse("standard_add", args=ADDRESS)
    page = text_of(clerk.post(address, RAISED | {"first_term": "2026-2027-1"}))
    assert "已提交的 2 份申请与这样的标准不同，差额合计 +100.00 元：这些申请不会改动" in page
    seen = page.split('name="seen" value="')[1].split('"')[0]
    clerk.post(address, RAISED | {"first_term": "2026-2027-1", "seen": seen, "save": "1"})
    assert [row.amount for row in refreshed([one, two])] == [Decimal("750.00")] * 2

    found = {row.name: row for row in what_if.differences(living_aid, cast.term, cast.county)}
    assert {name: (row.difference, row.deed) for name, row in found.items()} == {
        "张一": (Decimal("50.00"), "尚未上报，退回重新提交即按新标准"),
        "李二": (Decimal("50.00"), "补发"),
    }
    page = text_of(clerk.get(reverse("differences", args=ADDRESS)))
    assert "已上报的 1 份：补发合计 50.00 元，追回合计 0.00 元" in page
    assert "另有 1 份还在学校" in page


def test_what_was_paid_too_much_is_to_be_taken_back(cast: Cast, living_aid: Programme, round_) -> None:
    (case,) = submitted(cast, round_, enrol(cast, cast.class_a1, name="张一"))
    Application.objects.filter(pk=case.pk).update(state=State.PAID)
    living_aid.standards.filter(last_term="").update(last_term="2025-2026-2")
    (row,) = what_if.differences(living_aid, cast.term, cast.county)
    assert (row.after, row.difference, row.deed) == (None, Decimal("-750.00"), "追回")


def test_the_list_as_a_workbook_leaves_a_row_in_the_trail(cast: Cast, living_aid: Programme, round_) -> None:
    (case,) = submitted(cast, round_, enrol(cast, cast.class_a1, name="张一"))
    Application.objects.filter(pk=case.pk).update(state=State.PAID)
    living_aid.standards.filter(last_term="").update(amount=Decimal("700.00"))
    answer = open_as(cast.clerk).get(reverse("difference_sheet", args=["living-aid", cast.term.key]))
    book = openpyxl.load_workbook(io.BytesIO(b"".join(answer) if answer.streaming else answer.content))
    cells = [[cell.value for cell in row] for row in book.active.iter_rows()]
    assert any("追回合计 50.00 元" in str(row[0]) for row in cells)
    (told,) = [row for row in cells if "张一" in row]
    assert told[3:] == ["张一", "已发放", 750, 700, -50, "追回"]
    assert AuditRow.objects.get(action="difference.export").detail == {
        "programme": "living-aid", "term": cast.term.key, "lines": 1,
    }  # fmt: skip


def test_nothing_to_settle_says_so(cast: Cast, living_aid: Programme, round_) -> None:
    clerk = open_as(cast.clerk)
    assert "这个项目还没有提交过的申请" in text_of(clerk.get(reverse("differences", args=ADDRESS)))
    submitted(cast, round_, enrol(cast, cast.class_a1))
    assert "已提交的申请都与现行标准一致" in text_of(clerk.get(reverse("differences", args=ADDRESS)))
    assert open_as(cast.officer_a).get(reverse("differences", args=ADDRESS)).status_code == 403


def test_one_time_aid_is_not_given_twice(cast: Cast, living_aid: Programme, round_) -> None:
    Programme.objects.filter(pk=living_aid.pk).update(unit="once")
    place = enrol(cast, cast.class_a1, name="张一")
    (case,) = submitted(cast, round_, place)
    spring = Term.objects.get(key="2026-2027-2")
    round_.refresh_from_db()
    had = casting.applications.had_before(Programme.objects.get(pk=living_aid.pk), [case.pupil_id], spring)
    assert had == {case.pupil_id}
    assert not casting.applications.had_before(Programme.objects.get(pk=living_aid.pk), [case.pupil_id], cast.term)


def test_only_the_desks_of_the_county_make_the_sheet(cast: Cast) -> None:
    address = reverse("difference_sheet", args=["living-aid", cast.term.key])
    assert [open_as(who).get(address).status_code for who in (cast.officer_a, cast.head, cast.clerk)] == [403, 403, 200]
