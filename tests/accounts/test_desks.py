"""The pages: accounts and appointments, the audit trail, the roles; what they show and what they cost."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import audit, people, words
from accounts.models import Appointment, AuditRow, User
from accounts.roles import ROLES, Permission
from tests.cast import TODAY, Cast


def test_new_account_shows_its_password_once(cast: Cast, visit) -> None:
    session = visit(cast.admin)
    response = session.post("/people/new/", {"name": "王芳", "username": "wang.fang"})
    password = response.context["password"]
    assert password in response.content.decode()
    assert response.headers["Cache-Control"] == "no-store"
    user = User.objects.get(username="wang.fang")
    assert user.check_password(password)
    assert password not in session.get(f"/people/{user.pk}/").content.decode()


@pytest.mark.parametrize("username", ["王芳", "AB", "11010519491231002x", "13800138000", "clerk"])
def test_unfit_username_is_refused_and_input_kept(cast: Cast, visit, username: str) -> None:
    response = visit(cast.admin).post("/people/new/", {"name": "王芳", "username": username})
    assert response.status_code == 200
    assert "已填的内容都还在" in response.content.decode()
    assert 'value="王芳"' in response.content.decode()


def test_appointment_is_given_and_taken_on_the_page(cast: Cast, visit) -> None:
    session, user = visit(cast.admin), people.open_account("wang.fang", "王芳", by=None)[0]
    typed = {"unit": cast.school_a.pk, "starts_on": TODAY.isoformat()}
    assert session.post(f"/people/{user.pk}/appoint/aid_officer/", typed).status_code == 302
    post = Appointment.objects.get(user=user)
    assert "现任" in session.get(f"/people/{user.pk}/").content.decode()
    assert session.post(f"/appointments/{post.pk}/end/", {"on": TODAY.isoformat()}).status_code == 302
    post.refresh_from_db()
    assert post.ends_on == TODAY


def test_refused_appointment_shows_the_sentence_and_keeps_the_input(cast: Cast, visit) -> None:
    typed = {"unit": cast.school_a.pk, "starts_on": "2026-10-01"}
    response = visit(cast.admin).post(f"/people/{cast.clerk.pk}/appoint/aid_officer/", typed)
    assert "开始日期不能早于今天" in response.content.decode()
    assert 'value="2026-10-01"' in response.content.decode()


def test_unit_of_the_wrong_level_is_not_offered(cast: Cast, visit) -> None:
    form = visit(cast.admin).get(f"/people/{cast.clerk.pk}/appoint/class_teacher/").context["form"]
    assert set(form.fields["unit"].queryset) == {cast.class_a1, cast.class_a2, cast.class_b1}


def queries(session, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert session.get(address).status_code == 200
    return len(captured)


def test_list_of_people_costs_the_same_for_one_and_three(cast: Cast, visit) -> None:
    session = visit(cast.admin)
    one = queries(session, "/people/?q=teacher_a1")
    assert queries(session, "/people/?q=teacher") == one


def test_audit_trail_costs_the_same_for_one_and_three(cast: Cast, visit) -> None:
    session = visit(cast.head)
    for action, count in (("round.withdraw", 1), ("calendar.record_year", 3)):
        for _ in range(count):
            audit.record(action, "thing:1", by=cast.clerk, unit=cast.school_a)
    assert queries(session, "/audit/?action=round.withdraw") == queries(session, "/audit/?action=calendar.record_year")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("person=沈经办", 1),
        ("person=teacher_a1", 1),
        ("person=nobody", 0),
        ("action=round.withdraw", 2),
        ("action=round.withdraw&since=2026-10-12&until=2026-10-12", 2),
        ("action=round.withdraw&until=2026-10-11", 0),
    ],
)
def test_audit_trail_is_filtered(cast: Cast, visit, asked: str, found: int) -> None:
    session = visit(cast.inspector)
    audit.record("round.withdraw", "thing:1", by=cast.clerk, unit=cast.county)
    audit.record("round.withdraw", "thing:1", by=cast.teacher_a1, unit=cast.class_a1)
    assert len(session.get(f"/audit/?{asked}").context["table"].rows) == found


def test_audit_trail_shows_fifty_a_page(cast: Cast, visit) -> None:
    audit.record_all([audit.Entry("calendar.record_year", f"thing:{n}") for n in range(60)], by=None)
    table = visit(cast.head).get("/audit/?action=calendar.record_year").context["table"]
    assert len(table.page.object_list) == 50


def test_verification_is_itself_recorded_and_shown(cast: Cast, visit) -> None:
    session = visit(cast.inspector)
    rows = AuditRow.objects.count()
    page = session.post("/audit/verify/", follow=True).content.decode()
    assert f"核验通过：{rows} 行" in page
    assert AuditRow.objects.get(action="audit.verify").detail == {"rows": rows, "broken_at": None}


@pytest.mark.parametrize("who", ["clerk", "officer_a", "teacher_a1", "admin"])
def test_audit_trail_is_not_for_everybody(cast: Cast, visit, who: str) -> None:
    assert visit(getattr(cast, who)).get("/audit/").status_code == 403


def test_page_of_roles_names_every_role_and_permission(cast: Cast, visit) -> None:
    page = visit(cast.teacher_a1).get("/roles/").content.decode()
    for role in ROLES.values():
        assert role.label in page
        assert role.description in page
    assert all(words.PERMISSIONS[permission] in page for permission in Permission)


def test_every_audit_action_written_in_the_code_has_a_word() -> None:
    written = set()
    for app in settings.HOUSE:
        for file in Path(settings.BASE_DIR, app).rglob("*.py"):
            written |= set(re.findall(r'(?:\brecord|\bEntry)\(\s*"([a-z_]+\.[a-z_]+)"', file.read_text()))
    assert len(written) > 20
    assert written - words.ACTIONS.keys() == set()


def test_detail_of_an_audit_row_is_told_in_words() -> None:
    assert words.detail({"role": "aid_officer", "user": 3, "note": None}) == "角色：资助专干；人员编号：3"
    assert words.subject("accounts.user:3") == "人员 3"
