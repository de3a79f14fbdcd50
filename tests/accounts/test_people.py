"""Accounts: opened, disabled, reset; first passwords are random, shown once and good for one thing."""

import pytest
from django.core.exceptions import PermissionDenied

from accounts import people
from accounts.models import AuditRow, Unit
from accounts.people import AccountRefused
from tests.cast import PASSWORD, Cast


def test_first_password_opens_only_the_change_of_password(cast: Cast, client) -> None:
    user, password = people.open_account("wang.fang", "王芳", by=cast.admin)
    assert client.post("/login/", {"username": user.username, "password": password}).status_code == 302
    assert client.get("/roles/").headers["Location"] == "/password/"


def test_first_passwords_are_random_and_kept_nowhere(cast: Cast) -> None:
    made = {people.open_account(f"teacher{n}", "王芳", by=cast.admin)[1] for n in range(5)}
    assert len(made) == 5
    kept = str(list(AuditRow.objects.values_list("detail", "subject")))
    assert not any(password in kept for password in made)


def test_taken_username_is_refused_with_a_sentence(cast: Cast) -> None:
    with pytest.raises(AccountRefused, match="已经有人使用"):
        people.open_account("clerk", "王芳", by=cast.admin)


def test_reset_ends_sessions_and_old_password(cast: Cast, client, visit) -> None:
    session = visit(cast.teacher_a1)
    assert session.get("/roles/").status_code == 200
    people.reset_password(cast.teacher_a1, by=cast.admin)
    assert session.get("/roles/").status_code == 302
    assert client.post("/login/", {"username": "teacher_a1", "password": PASSWORD}).status_code == 200


def test_disabled_account_is_out_at_once(cast: Cast, visit) -> None:
    session = visit(cast.teacher_a1)
    people.disable(cast.teacher_a1, by=cast.admin)
    assert session.get("/roles/").headers["Location"].startswith("/login/")


def test_disabling_twice_is_refused(cast: Cast) -> None:
    people.disable(cast.teacher_a1, by=cast.admin)
    with pytest.raises(AccountRefused, match="已经停用"):
        people.disable(cast.teacher_a1, by=cast.admin)


def test_nobody_disables_or_resets_oneself(cast: Cast) -> None:
    for verb in (people.disable, people.reset_password):
        with pytest.raises(AccountRefused):
            verb(cast.admin, by=cast.admin)


@pytest.mark.parametrize("who", ["clerk", "head", "inspector", "officer_a", "teacher_a1"])
def test_others_do_not_manage_accounts(cast: Cast, who: str) -> None:
    for verb in (people.disable, people.enable, people.reset_password):
        with pytest.raises(PermissionDenied):
            verb(cast.teacher_b1, by=getattr(cast, who))


def test_only_the_own_password_is_changed(cast: Cast) -> None:
    with pytest.raises(PermissionDenied):
        people.change_password(cast.clerk, "xin-de-mima-2026", by=cast.admin)


def test_people_of_another_county_are_not_seen(cast: Cast) -> None:
    other = Unit.objects.create(level="county", name="邻县")
    cast.clerk.appointments.update(unit=other)
    seen = set(people.visible_people(cast.admin).values_list("username", flat=True))
    assert "clerk" not in seen
    assert {"head", "teacher_b1"} <= seen


def test_who_manages_nothing_sees_nobody(cast: Cast) -> None:
    assert not people.visible_people(cast.clerk).exists()


def test_every_verb_leaves_one_row(cast: Cast) -> None:
    user, _ = people.open_account("wang.fang", "王芳", by=cast.admin)
    people.reset_password(user, by=cast.admin)
    people.disable(user, by=cast.admin)
    people.enable(user, by=cast.admin)
    people.change_password(user, "xin-de-mima-2026", by=user)
    rows = AuditRow.objects.filter(subject=f"accounts.user:{user.pk}").order_by("number")
    wanted = ["create", "reset_password", "disable", "enable", "change_password"]
    assert [row.action for row in rows] == [f"account.{verb}" for verb in wanted]
    assert not any("王芳" in str(row.detail) for row in rows)
