"""The page without sign-in: the allowed columns while the notice hangs, nothing afterwards."""

import datetime as dt

from django.test import Client
from django.urls import reverse

from accounts import clock
from accounts.models import AuditRow
from publicity import notices
from students.models import Category
from subsidies.models import ProcessRule
from tests import cast as casting


def read(notice, **query: str):
    return Client().get(reverse("notice_public", args=[notice.code]), query)


def test_a_running_notice_is_open_to_everybody_and_kept_by_nobody(notice):
    page = read(notice)
    assert page.status_code == 200
    assert page["Cache-Control"] == "no-store"
    assert "noindex" in page["X-Robots-Tag"]
    text = page.content.decode()
    for word in (notice.title, "0870-2123456", "2026年10月19日", "张小明", "䶮𬎆", "阿依古丽·买买提", "750.00"):
        assert word in text
    assert '<meta name="robots" content="noindex' in text


def test_only_the_allowed_columns_are_on_it(cast, notice):
    text = read(notice).content.decode()
    pupil = notice.lines.get(name="张小明").application.pupil
    private = [*Category.objects.values_list("name", flat=True), "低保", "民政", "寄宿", "家庭收入低", "公示中"]
    private += [pupil.guardian_name, pupil.id_masked, pupil.roll_masked[-4:], pupil.accounts.get().number_masked]
    private += [str(pupil.pk), str(notice.lines.first().application_id), str(notice.pk)]
    assert [word for word in private if word in text] == []


def test_amounts_only_where_the_rule_shows_them(cast, reviewed):
    ProcessRule.objects.filter(programme=reviewed[0].programme).update(notice_shows_amount=False)
    text = read(casting.publish(cast, reviewed)).content.decode()
    assert "750" not in text
    assert "金额" not in text


def test_a_parent_finds_a_name(notice):
    answer = Client().post(reverse("notice_public", args=[notice.code]), {"q": "䶮"})
    text = answer.content.decode()
    assert "䶮𬎆" in text
    assert "张小明" not in text
    assert "张小明" in read(notice, q="䶮").content.decode()  # a name in an address is not looked at


def test_after_the_last_day_it_is_gone_before_anybody_closes_it(notice):
    clock.set_demo_day(notice.ends_on)
    assert read(notice).status_code == 200
    clock.set_demo_day(notice.ends_on + dt.timedelta(days=1))
    over = read(notice)
    assert over.status_code == 410
    assert over["Cache-Control"] == "no-store"
    text = over.content.decode()
    assert "公示已结束" in text
    assert not [name for name in ("张小明", "䶮𬎆", "买买提", notice.title) if name in text]


def test_after_closing_it_is_gone(cast, reviewed, notice):
    casting.close(cast, reviewed)
    assert read(notice).status_code == 410
    assert Client().post(reverse("notice_public", args=[notice.code]), {"q": "张"}).status_code == 410


def test_an_unknown_code_was_never_there(notice):
    for code in ("AAAAAAAAAAAAAAAA", notice.code[:-1], notice.document.code, str(notice.pk)):
        assert Client().get(reverse("notice_public", args=[code])).status_code == 404


def test_codes_cannot_be_guessed_and_no_page_lists_them(notice):
    assert len(notice.code) >= 16
    assert Client().get("/notice/").status_code in (302, 404)
    assert Client().get(reverse("notices")).status_code == 302  # to the sign-in page


def test_a_visitor_changes_nothing(notice):
    """A name is looked for by POST, so that it stands in no address; nothing is written by it."""
    address, rows = reverse("notice_public", args=[notice.code]), AuditRow.objects.count()
    assert Client().post(address, {"q": "张小明"}).status_code == 200
    assert AuditRow.objects.count() == rows
    for method in ("put", "patch", "delete"):
        assert getattr(Client(), method)(address).status_code == 405


def test_at_midnight_in_beijing_not_of_the_server(notice, settings, monkeypatch):
    settings.DEMO = False
    for moment, hangs in (("2026-10-19T15:59:00", True), ("2026-10-19T16:01:00", False)):  # 23:59 and 00:01 there
        monkeypatch.setattr(
            clock.timezone, "now", lambda at=moment: dt.datetime.fromisoformat(at).replace(tzinfo=dt.UTC)
        )
        assert notices.is_public(notice) is hangs
