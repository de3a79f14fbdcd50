"""The desks of notices, objections and the calendar: who gets in, what they may do, what a refusal keeps."""

import datetime as dt
import io
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from accounts import clock
from publicity import objections
from publicity.models import Notice, Objection
from students.models import CalendarYear, SpecialDay
from subsidies.models import Application
from subsidies.states import State
from tests import cast as casting
from tests.cast import enrol, refreshed, submitted, walk

EVERYBODY = "clerk head inspector admin officer_a principal_a teacher_a1 teacher_a2 officer_b teacher_b1".split()


def statuses(as_user, cast, url: str, method: str = "get") -> dict[str, int]:
    return {who: getattr(as_user(cast.people[who]), method)(url).status_code for who in EVERYBODY}


def codes(**groups: str) -> dict[str, int]:
    """codes(s200="clerk head", s404="officer_b") → {"clerk": 200, …}."""
    return {who: int(code[1:]) for code, people in groups.items() for who in people.split()}


@pytest.fixture
def objection(cast, notice) -> Objection:
    line = notice.lines.get(name="张小明")
    return objections.receive(line, received_on=clock.today(), channel="来电", content="家有车", by=cast.officer_a)


# --- who gets in ----------------------------------------------------------------------------------


def test_who_looks_at_a_notice_and_its_paper(as_user, cast, notice):
    seen = codes(
        s200="clerk head inspector officer_a principal_a teacher_a1",
        s404="teacher_a2 officer_b teacher_b1",
        s403="admin",
    )
    assert statuses(as_user, cast, reverse("notice", args=[notice.pk])) == seen
    assert statuses(as_user, cast, reverse("notice_pdf", args=[notice.pk])) == seen


def test_who_acts_on_a_notice(as_user, cast, notice):
    """The door is closed for those who never publish; another school's officer finds nothing."""
    refused = "clerk head inspector admin principal_a teacher_a1 teacher_a2 teacher_b1"
    assert statuses(as_user, cast, reverse("notice_close", args=[notice.pk]), "post") == codes(
        # A class teacher publishes in their own classroom: others' notices are not there for them.
        s302="officer_a",
        s403="clerk head inspector admin principal_a teacher_a1",
        s404="officer_b teacher_a2 teacher_b1",
    )
    line = reverse("objection_new", args=[notice.lines.first().pk])
    assert statuses(as_user, cast, line) == codes(s200="officer_a", s403=refused, s404="officer_b")


def test_who_settles_an_objection(as_user, cast, objection):
    refused = "clerk head inspector admin principal_a teacher_a1 teacher_a2 teacher_b1"
    url = reverse("objection_settle", args=[objection.pk])
    assert statuses(as_user, cast, url) == codes(s200="officer_a", s403=refused, s404="officer_b")


def test_a_photo_is_sent_by_the_officer_and_seen_like_the_notice(as_user, cast, notice):
    url = reverse("notice_photo", args=[notice.pk])
    assert statuses(as_user, cast, url, "post") == codes(
        s200="officer_a",  # the page again: no file was chosen
        s403="clerk head inspector admin principal_a teacher_a1",
        s404="teacher_a2 officer_b teacher_b1",
    )
    assert as_user(cast.clerk).get(url).status_code == 404  # there is none yet


def test_who_reads_and_who_records_the_calendar(as_user, cast):
    everybody_else = "clerk head inspector officer_a principal_a teacher_a1 teacher_a2 officer_b teacher_b1"
    assert statuses(as_user, cast, reverse("calendar")) == codes(s200=everybody_else, s403="admin")
    refused = "head inspector admin officer_a principal_a teacher_a1 teacher_a2 officer_b teacher_b1"
    assert statuses(as_user, cast, reverse("calendar_record")) == codes(s200="clerk", s403=refused)


def test_closing_by_following_a_link_is_not_possible(as_user, cast, notice):
    assert as_user(cast.officer_a).get(reverse("notice_close", args=[notice.pk])).status_code == 405


# --- publishing -----------------------------------------------------------------------------------


def new_url(rows: list[Application]) -> str:
    return f"{reverse('notice_new')}?round={rows[0].round_id}&school={rows[0].school_id}"


def typed(page, **changes: str) -> dict[str, str]:
    form = page.context["form"]
    return {name: form[name].value() for name in form.fields} | changes


def test_the_page_shows_list_and_days_before_publishing(as_user, cast, reviewed):
    text = as_user(cast.officer_a).get(new_url(reviewed)).content.decode()
    for word in ("张小明", "䶮𬎆", "3 人，合计 2,250.00 元", "2026年10月19日", "10月13日 周二", "10月19日 周一"):
        assert word in text
    assert not Notice.objects.exists()


def test_publishing_what_the_page_proposed(as_user, cast, reviewed):
    client = as_user(cast.officer_a)
    answer = client.post(new_url(reviewed), typed(client.get(new_url(reviewed))))
    notice = Notice.objects.get()
    assert answer.url == reverse("notice", args=[notice.pk])
    assert "公示已发布，共 3 人" in client.get(answer.url).content.decode()


def test_a_refusal_keeps_everything_typed_and_names_the_field(as_user, cast, reviewed):
    client = as_user(cast.officer_a)
    given = typed(client.get(new_url(reviewed)), body="含低保学生名单", place="食堂门口", phone="无")
    page = client.post(new_url(reviewed), given)
    assert set(page.context["form"].errors) == {"body", "phone"}
    text = page.content.decode()
    assert "含低保学生名单" in text
    assert "食堂门口" in text
    assert not Notice.objects.exists()


def test_a_list_that_moved_is_shown_again_before_it_is_published(as_user, cast, round_, reviewed):
    client = as_user(cast.officer_a)
    given = typed(client.get(new_url(reviewed)), place="食堂门口")
    walk(cast, submitted(cast, round_, enrol(cast, cast.class_a2, name="后来者")), State.CONFIRMED)
    page = client.post(new_url(reviewed), given)
    text = page.content.decode()
    assert "名单刚刚有变化，现在是 4 人" in text
    assert "后来者" in text
    assert "食堂门口" in text
    assert client.post(new_url(reviewed), typed(page)).status_code == 302
    assert Notice.objects.get().lines.count() == 4


def test_without_the_calendar_the_page_says_so_and_offers_no_button(as_user, cast, reviewed):
    clock.set_demo_day(dt.date(2026, 12, 28))
    text = as_user(cast.officer_a).get(new_url(reviewed)).content.decode()
    assert "2027 年的放假调休安排还没有录入" in text
    assert "发布公示</button>" not in text


def test_with_one_list_waiting_the_page_opens_it(as_user, cast, reviewed):
    assert "将要公示的名单" in as_user(cast.officer_a).get(reverse("notice_new")).content.decode()


def test_with_nothing_waiting_the_page_says_what_to_do_first(as_user, cast, round_):
    text = as_user(cast.officer_a).get(reverse("notice_new")).content.decode()
    assert "现在没有待公示的名单" in text
    assert reverse("rounds") in text


def test_with_several_lists_waiting_one_is_chosen(as_user, cast, reviewed):
    casting.Appointment.objects.create(
        user=cast.officer_a, role="aid_officer", unit=cast.school_b, starts_on="2026-09-01"
    )
    rows = submitted(cast, reviewed[0].round, enrol(cast, cast.class_b1, name="小学生"))
    walk(cast, rows, State.CONFIRMED)
    text = as_user(cast.officer_a).get(reverse("notice_new")).content.decode()
    assert "待公示 3 人" in text
    assert "待公示 1 人" in text
    assert "小学生" in as_user(cast.officer_a).get(new_url(rows)).content.decode()


@pytest.mark.parametrize(
    "query", ["round=nonsense", "round={other}", "round={round}&school=9999999", "round={round}&school=x"]
)
def test_what_is_not_theirs_does_not_exist(as_user, cast, reviewed, query):
    query = query.format(round=reviewed[0].round_id, other=reviewed[0].pk)
    assert as_user(cast.officer_a).get(f"{reverse('notice_new')}?{query}").status_code == 404


def test_another_schools_list_is_not_offered(as_user, cast, reviewed):
    assert as_user(cast.officer_b).get(new_url(reviewed)).status_code == 404


# --- one notice -----------------------------------------------------------------------------------


def test_the_page_says_how_long_and_whose_turn(as_user, cast, notice):
    client, url = as_user(cast.officer_a), reverse("notice", args=[notice.pk])
    clock.set_demo_day(dt.date(2026, 10, 16))
    text = client.get(url).content.decode()
    assert "还需 2 个工作日，2026年10月20日起可以结束" in text
    assert "结束公示</button>" not in text
    clock.set_demo_day(dt.date(2026, 10, 20))
    text = client.get(url).content.decode()
    assert "结束公示</button>" in text
    assert "学校资助专干结束公示并撤下" in text
    assert notice.code not in text


def test_closing_from_the_page(as_user, cast, reviewed, notice):
    clock.set_demo_day(dt.date(2026, 10, 20))
    page = as_user(cast.officer_a).post(reverse("notice_close", args=[notice.pk]), follow=True)
    assert "公示已结束，3 人无异议，可以上报县中心" in page.content.decode()
    assert {a.state for a in refreshed(reviewed)} == {State.CLEARED}


def test_closing_early_from_the_page_gives_the_sentence(as_user, cast, notice):
    page = as_user(cast.officer_a).post(reverse("notice_close", args=[notice.pk]), follow=True)
    assert "公示期到2026年10月19日为止" in page.content.decode()


def test_a_class_teacher_reads_the_wall_and_nothing_behind_it(as_user, cast, notice, objection):
    text = as_user(cast.teacher_a1).get(reverse("notice", args=[notice.pk])).content.decode()
    assert "张小明" in text
    for hidden in ("家有车", "异议核查中", "记录异议", "上传照片"):
        assert hidden not in text


def test_lines_are_found_by_name_and_paged(as_user, cast, notice):
    client, url = as_user(cast.officer_a), reverse("notice", args=[notice.pk])
    answer = client.post(url, {"q": "买买提"})
    assert answer.url == url  # no name in an address
    page = client.get(url)
    assert [row.record.name for row in page.context["table"].paginated_rows] == ["阿依古丽·买买提"]
    client.post(url, {"q": ""})
    assert len(client.get(url).context["table"].paginated_rows) == 3


def test_a_touched_notice_raises_an_alarm(as_user, cast, notice):
    url = reverse("notice", args=[notice.pk])
    assert "校验值不符" not in as_user(cast.clerk).get(url).content.decode()
    Notice.objects.filter(pk=notice.pk).update(body="别的话")
    assert "校验值不符" in as_user(cast.clerk).get(url).content.decode()


def test_the_paper_is_a_download_under_its_number(as_user, cast, notice):
    answer = as_user(cast.inspector).get(reverse("notice_pdf", args=[notice.pk]))
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer.content.startswith(b"%PDF-")


def test_a_photo_is_kept_and_shown(as_user, cast, notice):
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(out, "PNG")
    url, client = reverse("notice_photo", args=[notice.pk]), as_user(cast.officer_a)
    sent = client.post(url, {"file": SimpleUploadedFile("公示栏.png", out.getvalue(), "image/png")})
    assert sent.url == reverse("notice", args=[notice.pk])
    assert client.get(url)["Content-Type"] == "image/png"


def test_a_photo_that_is_none_is_refused_on_the_page(as_user, cast, notice):
    sent = {"file": SimpleUploadedFile("照片.jpg", b"hello", "image/jpeg")}
    page = as_user(cast.officer_a).post(reverse("notice_photo", args=[notice.pk]), sent)
    assert page.status_code == 200
    assert page.context["photo_form"].errors
    assert "张小明" in page.content.decode()


# --- objections -----------------------------------------------------------------------------------


def test_recording_an_objection(as_user, cast, notice):
    line = notice.lines.get(name="张小明")
    given = {"received_on": "2026-10-12", "channel": "来电", "content": "家有车"}
    page = as_user(cast.officer_a).post(reverse("objection_new", args=[line.pk]), given, follow=True)
    assert "异议已受理。张小明暂停办理，名单中其他人不受影响" in page.content.decode()
    assert Objection.objects.get().channel == "来电"


def test_a_refused_objection_keeps_what_was_typed(as_user, cast, notice):
    line = notice.lines.get(name="张小明")
    given = {"received_on": "2026-10-01", "channel": "来信", "content": "家有车两辆"}
    page = as_user(cast.officer_a).post(reverse("objection_new", args=[line.pk]), given)
    assert set(page.context["form"].errors) == {"received_on"}
    assert "家有车两辆" in page.content.decode()


@pytest.mark.parametrize(("result", "state"), [("dismissed", State.ON_NOTICE), ("upheld", State.REJECTED)])
def test_settling_an_objection(as_user, cast, objection, result, state):
    url = reverse("objection_settle", args=[objection.pk])
    page = as_user(cast.officer_a).post(url, {"result": result, "finding": "入户核查。"}, follow=True)
    assert f"张小明现在是“{state.label}”" in page.content.decode()


def test_settling_needs_result_and_finding(as_user, cast, objection):
    page = as_user(cast.officer_a).post(reverse("objection_settle", args=[objection.pk]), {"finding": ""})
    assert set(page.context["form"].errors) == {"result", "finding"}


# --- the calendar ---------------------------------------------------------------------------------

YEAR = {
    "year": "2027",
    "document": "国务院办公厅关于2027年部分节假日安排的通知",
    "rest": "1月1日至3日 元旦",
    "work": "",
}


def test_the_calendar_shows_a_year_and_warns_of_the_next(as_user, cast):
    text = as_user(cast.officer_a).get(reverse("calendar")).content.decode()
    assert "1–7日 国庆节" in text
    assert "10日 周六" in text
    assert "2027 年的放假调休安排还没有录入" in text
    assert reverse("calendar_record") not in text
    assert as_user(cast.officer_a).get(reverse("calendar"), {"year": "1999"}).status_code == 404


def test_a_year_is_shown_as_understood_before_it_is_recorded(as_user, cast):
    client = as_user(cast.clerk)
    page = client.post(reverse("calendar_record"), YEAR | {"step": "preview"})
    assert "1–3日 元旦" in page.content.decode()
    assert not CalendarYear.objects.filter(year=2027).exists()
    done = client.post(
        reverse("calendar_record"), YEAR | {"step": "record", "seen": page.context["form"]["seen"].value()}
    )
    assert done.url == f"{reverse('calendar')}?year=2027"
    assert SpecialDay.objects.filter(day__year=2027).count() == 3


def test_what_was_changed_after_the_preview_is_shown_again(as_user, cast):
    client = as_user(cast.clerk)
    seen = client.post(reverse("calendar_record"), YEAR | {"step": "preview"}).context["form"]["seen"].value()
    changed = YEAR | {"rest": "1月1日 元旦", "step": "record", "seen": seen}
    page = client.post(reverse("calendar_record"), changed)
    assert page.status_code == 200
    assert not CalendarYear.objects.filter(year=2027).exists()
    assert page.context["form"]["seen"].value() != seen


def test_recording_without_looking_is_not_possible(as_user, cast):
    as_user(cast.clerk).post(reverse("calendar_record"), YEAR | {"step": "record"})
    assert not CalendarYear.objects.filter(year=2027).exists()


def test_a_line_that_cannot_be_read_is_named_and_kept(as_user, cast):
    given = YEAR | {"rest": "1月1日 元旦\n国庆放七天", "step": "preview"}
    page = as_user(cast.clerk).post(reverse("calendar_record"), given)
    assert "第 2 行“国庆放七天”看不懂" in page.content.decode()
    assert "国庆放七天" in page.context["form"]["rest"].value()


def test_a_day_that_is_both_is_refused_on_the_page(as_user, cast):
    client, given = as_user(cast.clerk), YEAR | {"work": "1月2日", "step": "preview"}
    seen = client.post(reverse("calendar_record"), given).context["form"]["seen"].value()
    page = client.post(reverse("calendar_record"), given | {"step": "record", "seen": seen})
    assert "既是放假又是上班" in page.content.decode()


@pytest.mark.parametrize("year", ["1999", "2028", "abc", ""])
def test_only_years_that_can_be_known_are_taken(as_user, cast, year):
    page = as_user(cast.clerk).post(reverse("calendar_record"), YEAR | {"year": year, "step": "preview"})
    assert "year" in page.context["form"].errors


def test_a_recorded_year_is_corrected_from_what_is_there(as_user, cast):
    form = as_user(cast.clerk).get(reverse("calendar_record"), {"year": "2026"}).context["form"]
    assert "10月1日至10月7日 国庆节" in form["rest"].value()
    assert "10月10日" in form["work"].value()


# --- cost -----------------------------------------------------------------------------------------


def queries(client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as caught:
        assert client.get(url).status_code == 200
    return len(caught)


def test_lists_ask_the_same_for_one_row_and_for_three(as_user, cast, round_):
    def one_more(name: str) -> Notice:
        rows = submitted(cast, round_, enrol(cast, cast.class_a1, name=name))
        return casting.publish(cast, walk(cast, rows, State.CONFIRMED))

    client = as_user(cast.officer_a)
    one_more("甲")
    first = queries(client, reverse("notices"))
    one_more("乙")
    one_more("丙")
    assert queries(client, reverse("notices")) == first


def test_a_notice_asks_the_same_for_one_line_and_for_three(as_user, cast, round_, notice):
    rows = submitted(cast, round_, enrol(cast, cast.class_a2, name="独一人"))
    single = casting.publish(cast, walk(cast, rows, State.CONFIRMED))
    client = as_user(cast.officer_a)
    asked = [queries(client, reverse("notice", args=[each.pk])) for each in (single, notice)]
    assert asked[0] == asked[1]


def test_the_page_of_publishing_asks_the_same_for_one_pupil_and_for_three(as_user, cast, round_):
    client = as_user(cast.officer_a)
    rows = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a1, name="甲")), State.CONFIRMED)
    first = queries(client, new_url(rows))
    more = [enrol(cast, cast.class_a1, name=name) for name in "乙丙"]
    walk(cast, submitted(cast, round_, *more), State.CONFIRMED)
    assert queries(client, new_url(rows)) == first


def test_running_notices_stand_first(as_user, cast, round_, reviewed, notice):
    casting.close(cast, reviewed)
    rows = walk(cast, submitted(cast, round_, enrol(cast, cast.class_a2, name="后来者")), State.CONFIRMED)
    later = casting.publish(cast, rows)
    page = as_user(cast.clerk).get(reverse("notices"))
    assert [row.record for row in page.context["table"].paginated_rows] == [later, notice]
    assert re.search(r"badge-go.*badge-done", page.content.decode(), re.S)
