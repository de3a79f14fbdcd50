"""Outside one's scope: 404. Inside, but not allowed: 403. The door of a room: 403 with who may."""

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404

from accounts import access, scopes
from accounts.middleware import visitors_address
from accounts.models import Unit, User
from accounts.roles import ROLES, Permission
from tests.cast import Cast


def test_record_outside_the_scope_does_not_exist(cast: Cast) -> None:
    with pytest.raises(Http404):
        access.fetch(Unit.objects.all(), cast.officer_a, Permission.VIEW_CASES, unit="", pk=cast.school_b.pk)


def test_record_inside_may_be_seen_and_not_acted_on(cast: Cast) -> None:
    asked = {"unit": "", "pk": cast.school_a.pk}
    assert access.fetch(Unit.objects.all(), cast.principal_a, Permission.VIEW_CASES, **asked) == cast.school_a
    with pytest.raises(PermissionDenied, match="资助专干"):
        access.fetch(
            Unit.objects.all(), cast.principal_a, Permission.VIEW_CASES, may=Permission.REPORT_TO_COUNTY, **asked
        )


def test_scope_reaches_everything_below_and_nothing_beside(cast: Cast) -> None:
    assert scopes.allows(cast.clerk, Permission.VERIFY, cast.class_b1)
    assert scopes.allows(cast.officer_a, Permission.REPORT_TO_COUNTY, cast.class_a2)
    assert not scopes.allows(cast.teacher_a1, Permission.FILE_APPLICATION, cast.class_a2)
    assert not scopes.allows(cast.teacher_a1, Permission.FILE_APPLICATION, cast.school_a)


def test_lists_and_single_questions_agree(cast: Cast) -> None:
    units = list(Unit.objects.all())
    for user in cast.people.values():
        for permission in Permission:
            listed = set(scopes.within(Unit.objects.all(), user, permission, unit=""))
            assert listed == {unit for unit in units if scopes.allows(user, permission, unit)}


def test_without_appointment_nothing_is_reached(cast: Cast) -> None:
    idle = User.objects.create_user("idle", name="闲人")
    assert scopes.reach(idle) == []
    assert not scopes.within(Unit.objects.all(), idle, unit="").exists()


def test_administrator_sees_no_pupil() -> None:
    assert ROLES["system_admin"].permissions == {Permission.MANAGE_ACCOUNTS}


def test_inspector_only_reads() -> None:
    assert all(permission.startswith("view_") for permission in ROLES["inspector"].permissions)


@pytest.mark.parametrize("address", ["/people/", "/people/new/"])
def test_desk_of_accounts_says_who_may(cast: Cast, visit, address: str) -> None:
    response = visit(cast.clerk).get(address)
    assert response.status_code == 403
    assert "这一步由系统管理员办理" in response.content.decode()


def test_person_of_another_county_is_404(cast: Cast, visit) -> None:
    cast.clerk.appointments.update(unit=Unit.objects.create(level="county", name="邻县"))
    assert visit(cast.admin).get(f"/people/{cast.clerk.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("peer", "said", "address"),
    [
        ("127.0.0.1", "10.20.1.7", "10.20.1.7"),  # the proxy of this machine
        ("127.0.0.1", "6.6.6.6, 10.20.1.7", "10.20.1.7"),  # what the visitor put in front does not count
        ("10.20.1.7", "6.6.6.6", "10.20.1.7"),  # no proxy of ours: its word is worth nothing
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
    ],
)
def test_visitors_address_is_the_proxys_word_only_from_this_machine(rf, peer: str, said: str, address: str) -> None:
    request = rf.get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=said)
    assert visitors_address(request) == address
