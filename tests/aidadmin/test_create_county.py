"""A real county is begun by one command."""

import io

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Appointment, Unit, User
from documents import signing
from students.models import CalendarYear, Category, Term
from subsidies.models import Programme


def create(county: str = "云岭县", **options: str) -> str:
    out = io.StringIO()
    call_command("create_county", county, stdout=out, **options)
    return out.getvalue()


@pytest.fixture(autouse=True)
def _own_keys(settings, tmp_path) -> None:
    """The command makes a signing key of its own: not over the one of the whole run."""
    settings.KEY_DIR = tmp_path
    signing.make_county_key("测试县")


@pytest.mark.django_db
def test_county_is_created_with_reference_rows_and_an_administrator() -> None:
    said = create(admin="guanli", name="唐晓")
    county = Unit.objects.get()
    assert (county.level, county.name) == ("county", "云岭县")
    assert Appointment.objects.get().role == "system_admin"
    assert all(model.objects.exists() for model in (Programme, Term, Category, CalendarYear))
    user = User.objects.get(username="guanli")
    password = said.split("首次密码 ")[1].split("（")[0]
    assert user.check_password(password)
    assert user.must_change_password


@pytest.mark.django_db
def test_second_county_is_refused_and_nothing_is_added() -> None:
    create()
    with pytest.raises(CommandError, match="一个系统只管一个县"):
        create("另一县")
    assert Unit.objects.count() == User.objects.count() == 1
