"""The pages of 异动: choose, fill in, look at the effects, record; taking in; the payment desk; the rules."""

from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import clock
from accounts.models import User
from students import confirmations, privacy
from students.models import ChangeReport, Enrolment, StatusChange
from subsidies import changes
from subsidies.models import ChangeRule, FollowUp
from subsidies.states import State
from tests.cast import Cast, batch, change_boarding, enrol, pay, refreshed, submitted
from tests.subsidies.shortcuts import walk_on
from tests.subsidies.test_changes import Kind, case_in, record, second_junior, wanted


@pytest.fixture
def signed_in() -> Callable[[User], Client]:
    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture
def place(cast: Cast) -> Enrolment:
    return enrol(cast, cast.class_a1)


def seen_in(response) -> str:
    return response.context["plan"].digest


# --- one pupil ---------------------------------------------------------------------------------------------


def test_officer_fills_in_looks_and_records(cast, round_, place, signed_in) -> None:
    (row,) = submitted(cast, round_, place)
    client = signed_in(cast.officer_a)
    assert "办理异动" in client.get(reverse("pupil", args=[place.pupil_id])).content.decode()
    chosen = client.get(reverse("change_choose", args=[place.pupil_id]))
    assert "退学" in chosen.content.decode()
    assert "复学" not in chosen.content.decode()

    url = reverse("change_new", args=[place.pupil_id, "withdraw"])
    typed = {"on": clock.today().isoformat(), "reason": "随父母外出"}
    shown = client.post(url, typed)
    text = shown.content.decode()
    assert "申请终止" in text
    assert "750.00" in text
    assert not StatusChange.objects.exists(), "looking saves nothing"
    assert "随父母外出" in client.post(url, typed | {"seen": seen_in(shown), "edit": "1"}).content.decode()
    done = client.post(url, typed | {"seen": seen_in(shown)}, follow=True)
    assert "已登记张小明退学" in done.content.decode()
    assert refreshed([row])[0].get_state_display() == "已终止", "as the preview called it"
    assert client.get(url).status_code == 404, "who has left has no open place"


def test_what_moved_meanwhile_is_shown_again_with_its_new_effects(cast, round_, place, signed_in) -> None:
    (row,) = submitted(cast, round_, place)
    client, url = signed_in(cast.officer_a), reverse("change_new", args=[place.pupil_id, "withdraw"])
    typed = {"on": clock.today().isoformat(), "reason": "随父母外出"}
    shown = client.post(url, typed)
    walk_on(cast, [row], State.APPROVED)
    again = client.post(url, typed | {"seen": seen_in(shown)})
    assert again.status_code == 200
    assert "刚刚有变化，没有登记" in again.content.decode()
    assert not StatusChange.objects.exists()
    assert client.post(url, typed | {"seen": seen_in(again)}).status_code == 302


@pytest.mark.parametrize(
    ("kind", "typed", "sentence"),
    [
        ("withdraw", {"on": "2026-10-13", "reason": "外出"}, "发生日期不能晚于今天"),
        ("withdraw", {"on": "2026-08-01", "reason": "外出"}, "不能早于学生到这里就读的日期"),
        ("withdraw", {"on": "2026-10-12", "reason": ""}, "1 处需要改正"),
        ("transfer_out", {"on": "2026-10-12"}, "两项填一项"),
        ("transfer_out", {"on": "2026-10-12", "to_place": "家住 13812345678"}, "不要写身份证号"),
        ("boarding", {"on": "2026-10-12", "boarding": "boarding"}, "现在已经登记为寄宿"),
    ],
)
def test_refusals_stand_on_the_form(cast, place, signed_in, kind, typed, sentence) -> None:
    text = signed_in(cast.officer_a).post(reverse("change_new", args=[place.pupil_id, kind]), typed).content.decode()
    assert sentence in text
    assert not StatusChange.objects.exists()


def test_a_kind_that_is_not_possible_now_leads_back_to_the_choice(cast, place, signed_in) -> None:
    client = signed_in(cast.officer_a)
    assert client.get(reverse("change_new", args=[place.pupil_id, "return"])).status_code == 302
    early = client.get(reverse("change_new", args=[place.pupil_id, "graduate"]), follow=True).content.decode()
    assert "七年级不是初中的毕业年级，不能办理毕业" in early
    assert client.get(reverse("change_new", args=[place.pupil_id, "nonsense"])).status_code == 404
    assert client.get(reverse("change_new", args=[place.pupil_id, "transfer_in"])).status_code == 404


def test_class_teacher_records_boarding_and_nothing_else(cast, place, signed_in) -> None:
    client, url = signed_in(cast.teacher_a1), reverse("boarding_change", args=[place.pupil_id])
    typed = {"on": clock.today().isoformat(), "boarding": "day"}
    assert client.post(url, typed | {"seen": seen_in(client.post(url, typed))}).status_code == 302
    assert Enrolment.objects.get().boarding == "day"
    assert client.get(reverse("change_new", args=[place.pupil_id, "withdraw"])).status_code == 403


def test_class_teacher_is_told_to_ask_the_officer_once_the_school_decided(cast, round_, place, signed_in) -> None:
    case_in(cast, round_, State.APPROVED, place)
    client, url = signed_in(cast.teacher_a1), reverse("boarding_change", args=[place.pupil_id])
    text = client.post(url, {"on": clock.today().isoformat(), "boarding": "day"}).content.decode()
    assert "请由资助专干登记" in text


def test_the_pupils_page_keeps_the_history(cast, place, signed_in) -> None:
    record(wanted(place, Kind.SUSPEND), by=cast.officer_a)
    text = signed_in(cast.officer_a).get(reverse("pupil", args=[place.pupil_id])).content.decode()
    assert "休学" in text
    assert "家庭原因" in text


# --- between two schools -------------------------------------------------------------------------------------


def test_a_school_takes_in_who_left_another_and_learns_nothing_of_it(cast, place, signed_in) -> None:
    number = fictitious_number(place)
    school, unit = second_junior(cast)
    client = signed_in(cast.officer_c)
    typed = {"name": "张小明", "number": number}
    refused = client.post(reverse("transfer_in"), typed).content.decode()
    assert "请让原学校先办理转出" in refused
    assert cast.school_a.name not in refused

    assert "转来的学生待接收" not in client.get(reverse("home")).content.decode()
    record(wanted(place, Kind.TRANSFER_OUT, to_school=school), by=cast.officer_a)
    home = client.get(reverse("home")).content.decode()
    assert "转来的学生待接收" in home
    assert cast.school_a.name not in home
    assert "没有这个证件号和姓名" in client.post(reverse("transfer_in"), typed | {"name": "张小红"}).content.decode()
    page = client.post(reverse("transfer_in"), typed, follow=True)
    assert cast.school_a.name not in page.content.decode()
    assert number not in page.content.decode()
    url = reverse("transfer_in_class")
    typed = {"on": clock.today().isoformat(), "school_class": unit.pk, "boarding": "day"}
    shown = client.post(url, typed)
    assert client.post(url, typed | {"seen": seen_in(shown)}).status_code == 302
    assert Enrolment.objects.get(pupil=place.pupil, ends_on=None).school_class == unit
    assert client.get(reverse("pupil", args=[place.pupil_id])).status_code == 200
    old = signed_in(cast.officer_a)
    assert old.get(reverse("pupil", args=[place.pupil_id])).status_code == 404
    out = StatusChange.objects.get(kind="transfer_out")
    assert old.get(reverse("change", args=[out.pk])).status_code == 200
    assert client.get(reverse("change", args=[out.pk])).status_code == 404
    assert unit.name not in old.get(reverse("changes")).content.decode()


def fictitious_number(place: Enrolment) -> str:
    """The pupil's whole number, as it stands on the papers that the family brings."""
    return privacy._unseal(place.pupil, "id")


def test_the_county_moves_a_pupil_in_one_step(cast, round_, place, signed_in) -> None:
    submitted(cast, round_, place)
    school, unit = second_junior(cast)
    client, url = signed_in(cast.clerk), reverse("change_transfer", args=[place.pupil_id])
    offered = client.get(url).content.decode()
    assert school.name in offered
    assert cast.school_b.name not in offered, "a primary school"
    url = f"{url}?school={school.pk}"
    typed = {"on": clock.today().isoformat(), "school_class": unit.pk, "boarding": "boarding"}
    shown = client.post(url, typed)
    assert "由新班级、新学校重新评议" in shown.content.decode()
    assert client.post(url, typed | {"seen": seen_in(shown)}).status_code == 302
    assert signed_in(cast.officer_c).get(reverse("pupil", args=[place.pupil_id])).status_code == 200


def test_the_county_ends_what_no_school_takes_in(cast, round_, place, signed_in) -> None:
    submitted(cast, round_, place)
    (out,) = record(wanted(place, Kind.TRANSFER_OUT, to_school=second_junior(cast)[0]), by=cast.officer_a)
    client = signed_in(cast.clerk)
    assert "没有学校接收" in client.get(reverse("change", args=[out.pk])).content.decode()
    assert "还没有学校接收" in client.get(reverse("changes")).content.decode()
    text = client.post(reverse("change_end_waiting", args=[out.pk]), follow=True).content.decode()
    assert "已终止 1 份" in text


# --- lists ---------------------------------------------------------------------------------------------------


def test_the_list_takes_as_many_queries_for_three_changes_as_for_one(cast, signed_in) -> None:
    client, counts = signed_in(cast.officer_a), []
    for number in range(3):
        change_boarding(enrol(cast, cast.class_a1, name=f"学生{number}"), "day", by=cast.officer_a)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(reverse("changes")).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[2]


def test_the_list_is_filtered_by_kind_and_class(cast, signed_in) -> None:
    change_boarding(enrol(cast, cast.class_a1, name="张一"), "day", by=cast.officer_a)
    record(wanted(enrol(cast, cast.class_a2, name="张二"), Kind.SUSPEND), by=cast.officer_a)
    client = signed_in(cast.officer_a)
    text = client.get(reverse("changes"), {"kind": "suspend"}).content.decode()
    assert "张二" in text
    assert "张一" not in text
    text = client.get(reverse("changes"), {"school_class": cast.class_a1.pk}).content.decode()
    assert "张一" in text
    assert "张二" not in text


def test_the_payment_desk_sees_and_settles_what_is_left(cast, round_, place, signed_in) -> None:
    case_in(cast, round_, State.IN_BATCH, place)
    record(wanted(place, Kind.WITHDRAW), by=cast.officer_a)
    client = signed_in(cast.clerk)
    assert "-750.00" in client.get(reverse("follow_ups")).content.decode()
    assert "异动的发放影响待处理" in client.get(reverse("home")).content.decode()
    (found,) = FollowUp.objects.all()
    url = reverse("follow_up_settle", args=[found.pk])
    assert "写明怎样处理" in client.post(url, {"result": "other"}).content.decode()
    assert client.post(url, {"result": "not_paid"}).status_code == 302
    assert "没有待处理的发放影响" in client.get(reverse("follow_ups")).content.decode()
    assert "没有发放，款项留存" in client.get(reverse("follow_ups"), {"state": "settled"}).content.decode()


def test_the_case_says_what_became_of_an_amount_that_is_listed(cast, round_, place, signed_in) -> None:
    """The list is never edited: 已发放 alone would say that the money went to somebody who had left."""
    row = case_in(cast, round_, State.IN_BATCH, place)
    record(wanted(place, Kind.WITHDRAW), by=cast.officer_a)
    address = reverse("application", args=[row.pk])
    assert "待发放环节处理" in signed_in(cast.officer_a).get(address).content.decode()
    changes.settle(FollowUp.objects.get(), result=FollowUp.Result.NOT_PAID, note="", by=cast.clerk2)
    pay(cast, refreshed([row]))
    page = signed_in(cast.officer_a).get(address).content.decode()
    assert "-750.00 元" in page
    assert "发放环节已处理：没有发放，款项留存，罗经办" in page
    assert "款项留存" not in signed_in(cast.teacher_a1).get(address).content.decode()


def test_the_follow_up_list_takes_constant_queries(cast, round_, signed_in) -> None:
    places = [enrol(cast, cast.class_a1, name=f"学生{n}") for n in range(3)]
    rows = walk_on(cast, submitted(cast, round_, *places), State.APPROVED)
    batch(cast, rows[0].round)
    client, counts = signed_in(cast.clerk), []
    for place in places:
        record(wanted(place, Kind.WITHDRAW), by=cast.officer_a)
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("follow_ups"))
        counts.append(len(queries))
    assert counts[0] == counts[2]


def test_the_county_records_its_rules(cast, round_, signed_in) -> None:
    client, url = signed_in(cast.clerk), reverse("change_rules")
    assert "没有登记规定，按系统默认" in client.get(url).content.decode()
    typed = {
        "rule-programme": round_.programme_id, "rule-first_term": cast.term.pk,
        "rule-on_leaving": "pay_in_full", "rule-on_suspension": "wait", "rule-source": "县办法", "save_rule": "1",
    }  # fmt: skip
    assert client.post(url, typed).status_code == 302
    assert client.post(url, typed | {"rule-on_leaving": "end"}).status_code == 302, "a slip is corrected"
    assert ChangeRule.objects.get().on_leaving == "end"
    typed = {"days-term": cast.term.pk, "days-days": "20", "days-source": "县通知", "save_days": "1"}
    assert client.post(url, typed).status_code == 302
    assert confirmations.deadline(cast.county, cast.term).isoformat() == "2026-09-21"
    assert client.post(url, typed | {"days-days": "0"}).status_code == 200


# --- the first month ----------------------------------------------------------------------------------------


def test_the_teacher_confirms_the_class_and_the_officer_records_what_was_seen(cast, signed_in) -> None:
    places = [enrol(cast, cast.class_a1, name=f"学生{n}") for n in range(3)]
    enrol(cast, cast.class_a2, name="邻班")
    change_boarding(places[0], "day", by=cast.teacher_a1)
    teacher, url = signed_in(cast.teacher_a1), reverse("class_changes", args=[cast.class_a1.pk])
    assert "本班异动待确认" in teacher.get(reverse("home")).content.decode()
    page = teacher.get(url)
    text = page.content.decode()
    assert "就读方式变化" in text
    assert "邻班" not in text
    seen = page.context["form"].initial["seen"]
    typed = {"seen": seen, f"kind_{places[1].pk}": "suspend", f"note_{places[1].pk}": "上周起住院"}

    change_boarding(places[2], "day", by=cast.officer_a)
    refused = teacher.post(url, typed)
    assert "名单刚刚有变化，没有确认" in refused.content.decode()
    typed["seen"] = refused.context["form"].data["seen"]
    assert teacher.post(url, typed).status_code == 302
    assert "本班异动待确认" not in teacher.get(reverse("home")).content.decode()

    officer = signed_in(cast.officer_a)
    home = officer.get(reverse("home")).content.decode()
    assert "班主任反映有异动，待登记" in home
    text = officer.get(reverse("change_confirmations")).content.decode()
    assert "上周起住院" in text
    assert "还没有确认" in text, "the other class"
    record(wanted(Enrolment.objects.get(pk=places[1].pk), Kind.SUSPEND), by=cast.officer_a)
    assert ChangeReport.objects.get().state == "recorded"
    assert "上周起住院" not in officer.get(reverse("change_confirmations")).content.decode()


def test_a_report_that_was_none_is_dismissed_once(cast, signed_in) -> None:
    place = enrol(cast, cast.class_a1)
    rows = confirmations.checklist(cast.class_a1, cast.term)
    held = confirmations.confirm(
        cast.class_a1, cast.term, seen=confirmations.digest(rows),
        reports=[confirmations.Seen(place, "withdraw", "")], by=cast.teacher_a1,
    )  # fmt: skip
    url = reverse("change_report_dismiss", args=[held.reports.get().pk])
    client = signed_in(cast.officer_a)
    assert "没有变化" in client.post(url, follow=True).content.decode()
    assert "已由他人办理" in client.post(url, follow=True).content.decode()


def test_a_class_is_confirmed_once_and_not_when_empty(cast) -> None:
    empty = confirmations.digest([])
    with pytest.raises(ValidationError, match="还没有学生"):
        confirmations.confirm(cast.class_a1, cast.term, seen=empty, by=cast.teacher_a1)
    enrol(cast, cast.class_a1)
    seen = confirmations.digest(confirmations.checklist(cast.class_a1, cast.term))
    for who in (cast.teacher_a2, cast.clerk, cast.principal_a):
        with pytest.raises(PermissionDenied):
            confirmations.confirm(cast.class_a1, cast.term, seen=seen, by=who)
    confirmations.confirm(cast.class_a1, cast.term, seen=seen, by=cast.teacher_a1)
    with pytest.raises(ValidationError, match="已由他人确认"):
        confirmations.confirm(cast.class_a1, cast.term, seen=seen, by=cast.officer_a)


def test_the_county_sees_schools_and_one_schools_classes(cast, signed_in) -> None:
    enrol(cast, cast.class_a1)
    enrol(cast, cast.class_b1)
    client, url = signed_in(cast.clerk), reverse("change_confirmations")
    text = client.get(url).content.decode()
    assert cast.school_a.name in text
    assert cast.school_b.name in text
    assert "七年级1班" in client.get(url, {"school": cast.school_a.pk}).content.decode()
    assert client.get(url, {"school": "9" * 30}).status_code == 200


def test_the_checklist_takes_constant_queries(cast, signed_in) -> None:
    client, counts = signed_in(cast.teacher_a1), []
    for number in range(3):
        change_boarding(enrol(cast, cast.class_a1, name=f"学生{number}"), "day", by=cast.officer_a)
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("class_changes", args=[cast.class_a1.pk]))
        counts.append(len(queries))
    assert counts[0] == counts[2]


def test_the_list_of_pupils_leaves_out_who_left_and_marks_who_is_away(cast, signed_in) -> None:
    gone, away, here = (enrol(cast, cast.class_a1, name=name) for name in ("张离", "张休", "张在"))
    record(wanted(gone, Kind.WITHDRAW), by=cast.officer_a)
    record(wanted(away, Kind.SUSPEND), by=cast.officer_a)
    client = signed_in(cast.officer_a)

    def names(**which: str) -> list[str]:
        rows = client.get(reverse("pupils"), which).context["table"].page.object_list.data
        return [row.pupil.name for row in rows]

    assert set(names()) == {"张休", "张在"}
    assert names(standing="left") == ["张离"]
    assert names(standing="suspended") == ["张休"]
    assert len(names(standing="all")) == 3
    assert here.pupil.name in names(standing="present")
