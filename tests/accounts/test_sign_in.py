"""Signing in: one sentence for every refusal, a pause after five, and each of it in the trail."""

import pytest
from django.test import Client

from accounts.models import AuditRow, User
from tests.cast import PASSWORD, Cast


def attempt(client: Client, username: str, password: str, **query: str):
    address = "/login/" + ("?next=" + query["next"] if query else "")
    return client.post(address, {"username": username, "password": password})


def sentence(response) -> list[str]:
    return response.context["form"].non_field_errors()


def test_right_password_opens_the_home_page(cast: Cast, client: Client) -> None:
    assert attempt(client, "clerk", PASSWORD).headers["Location"] == "/"
    assert AuditRow.objects.get(action="session.sign_in").username == "clerk"


def test_refusals_do_not_tell_why(cast: Cast, client: Client) -> None:
    User.objects.filter(pk=cast.teacher_a1.pk).update(is_active=False)
    told = [
        sentence(attempt(client, name, password))
        for name, password in (("nobody", PASSWORD), ("clerk", "wrong"), ("teacher_a1", PASSWORD))
    ]
    assert told[0] == told[1] == told[2]
    assert "账号或密码不对" in told[0][0]


def test_refused_sign_in_keeps_the_username_not_the_password(cast: Cast, client: Client) -> None:
    attempt(client, "clerk", "wrong-password")
    row = AuditRow.objects.get(action="session.refuse")
    assert row.detail == {"username": "clerk"}
    assert row.username == ""


@pytest.mark.parametrize("typed", ["11010519491231002X", "wo-de-mima-2026"])
def test_what_is_no_account_is_not_kept(cast: Cast, client: Client, typed: str) -> None:
    attempt(client, typed, "wrong")
    assert AuditRow.objects.get(action="session.refuse").detail == {"username": "（没有这个账号）"}


def test_sixth_attempt_is_paused_even_with_the_right_password(cast: Cast, client: Client) -> None:
    for _ in range(5):
        response = attempt(client, "clerk", "wrong")
    assert response.status_code == 429
    assert "暂停登录 15 分钟" in response.content.decode()
    assert attempt(client, "clerk", PASSWORD).status_code == 429
    # One school is one address: a colleague at the same address is not paused.
    assert attempt(client, "head", PASSWORD).status_code == 302


def test_next_leads_on_within_the_system_only(cast: Cast, client: Client) -> None:
    assert attempt(client, "clerk", PASSWORD, next="/roles/").headers["Location"] == "/roles/"
    client.post("/logout/")
    assert attempt(client, "clerk", PASSWORD, next="https://evil.example/").headers["Location"] == "/"


def test_page_asked_for_is_remembered(cast: Cast, client: Client) -> None:
    assert client.get("/people/").headers["Location"] == "/login/?next=/people/"


def test_sign_out_is_a_post_and_leaves_a_row(cast: Cast, visit) -> None:
    session = visit(cast.clerk)
    assert session.get("/logout/").status_code == 405
    assert session.post("/logout/").headers["Location"] == "/login/"
    assert AuditRow.objects.filter(action="session.sign_out", username="clerk").count() == 1
    assert session.get("/roles/").status_code == 302


@pytest.mark.parametrize(
    ("new", "told"),
    [("short", "10"), ("1234567890123", "数字"), ("teacher_a1x", "相似"), (PASSWORD, "相同")],
)
def test_weak_new_password_is_refused(cast: Cast, visit, new: str, told: str) -> None:
    typed = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    response = visit(cast.teacher_a1).post("/password/", typed)
    assert response.status_code == 200
    assert told in str(response.context["form"].errors)


def test_own_password_is_changed_and_the_session_stays(cast: Cast, visit) -> None:
    session, new = visit(cast.clerk), "qing-xi-he-shui-9"
    typed = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert session.post("/password/", typed).headers["Location"] == "/"
    assert session.get("/roles/").status_code == 200
    assert User.objects.get(pk=cast.clerk.pk).check_password(new)
