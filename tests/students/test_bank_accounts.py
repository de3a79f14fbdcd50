"""A changed account is a new row, the old one ends; only the school's officer changes accounts."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from accounts.models import AuditRow
from students import bank_accounts, fictitious, privacy, rosters
from students.models import BankAccount, Pupil
from tests.cast import TODAY, Cast
from tests.students.workbooks import pupil, workbook


@pytest.fixture
def children(cast: Cast) -> list[Pupil]:
    content = workbook(pupil(1), pupil(2))
    rosters.import_roster(content, school=cast.school_a, term=cast.term, by=cast.officer_a, dry_run=False)
    return list(Pupil.objects.order_by("id_masked"))


def change(child: Pupil, by: object, **changes: object) -> BankAccount:
    values = {
        "bank": "云岭县农村商业银行",
        "number": fictitious.card_number(500),
        "holder": "王五",
        "relation": "mother",
    }
    return bank_accounts.change(child, by=by, **{**values, **changes})


def test_change_ends_the_old_account_and_opens_the_new(cast: Cast, children: list[Pupil]) -> None:
    child = children[0]
    old = bank_accounts.current(child)
    new = change(child, cast.officer_a, number=f"{fictitious.card_number(500)[:4]} {fictitious.card_number(500)[4:]}")
    old.refresh_from_db()
    assert (old.ends_on, new.starts_on, new.ends_on) == (TODAY, TODAY, None)
    assert bank_accounts.current(child) == new
    assert privacy.account_number(new) == fictitious.card_number(500)
    assert AuditRow.objects.get(action="account.change").detail == {"replaces": str(old.pk)}


def test_first_account_replaces_nothing(cast: Cast, children: list[Pupil]) -> None:
    BankAccount.objects.all().delete()
    change(children[0], cast.officer_a)
    assert AuditRow.objects.get(action="account.change").detail == {"replaces": None}


def test_same_account_again_is_refused(cast: Cast, children: list[Pupil]) -> None:
    change(children[0], cast.officer_a)
    with pytest.raises(ValidationError, match="完全一样"):
        change(children[0], cast.officer_a)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"number": "123"}, "12 至 19 位"),
        ({"holder": "王5"}, "数字"),
        ({"relation": "self"}, "户名应与学生姓名一致"),
        ({"relation": "teacher"}, "请选择户主"),
        ({"bank": "  "}, "开户行"),
    ],
)
def test_unusable_values_are_refused(cast: Cast, children: list[Pupil], changes: dict, sentence: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        change(children[0], cast.officer_a, **changes)
    assert sentence in " ".join(refusal.value.messages)


@pytest.mark.parametrize("who", ["teacher_a1", "principal_a", "officer_b", "clerk", "inspector"])
def test_change_is_for_the_schools_officer_only(cast: Cast, children: list[Pupil], who: str) -> None:
    with pytest.raises(PermissionDenied):
        change(children[0], getattr(cast, who))


def test_account_shared_with_a_child_of_another_guardian_is_seen(cast: Cast, children: list[Pupil]) -> None:
    one, two = children
    account = change(one, cast.officer_a)
    assert not bank_accounts.shared_with_others(account)
    change(two, cast.officer_a)
    assert bank_accounts.shared_with_others(account)
    Pupil.objects.update(guardian_name="王五")
    assert not bank_accounts.shared_with_others(BankAccount.objects.get(pk=account.pk))
