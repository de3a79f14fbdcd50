"""A changed account is a new row, the old one ends; only the school's officer changes accounts."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from accounts.models import AuditRow
from students import bank_accounts, fictitious, privacy, rosters
from students.models import BankAccount, Enrolment, Pupil
from tests import cast as casting
from tests.cast import TODAY, Cast
from tests.students.workbooks import pupil, workbook


@pytest.fixture
def children(cast: Cast) -> list[Pupil]:
    content = workbook(pupil(1), pupil(2))
    rosters.import_roster(content, unit=cast.school_a, term=cast.term, by=cast.officer_a, dry_run=False)
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


# --- verifying ---------------------------------------------------------------------------------------


def test_verified_account_says_when_and_by_whom(cast: Cast, children: list[Pupil]) -> None:
    account = change(children[0], cast.officer_a)
    assert account.verified_on is None
    verified = bank_accounts.verify(account, on=TODAY, by=cast.officer_a)
    assert (verified.verified_on, verified.verified_by) == (TODAY, cast.officer_a)
    assert AuditRow.objects.get(action="account.verify").detail == {"on": TODAY.isoformat()}


def test_changed_account_is_not_verified(cast: Cast, children: list[Pupil]) -> None:
    bank_accounts.verify(change(children[0], cast.officer_a), on=TODAY, by=cast.officer_a)
    assert change(children[0], cast.officer_a, holder="王大五").verified_on is None


def test_days_that_cannot_be_are_refused(cast: Cast, children: list[Pupil]) -> None:
    account = change(children[0], cast.officer_a)
    for day in (TODAY + dt.timedelta(days=1), TODAY - dt.timedelta(days=1)):
        with pytest.raises(ValidationError, match="核验日期"):
            bank_accounts.verify(account, on=day, by=cast.officer_a)
    change(children[0], cast.officer_a, holder="王大五")
    with pytest.raises(ValidationError, match="停用"):
        bank_accounts.verify(account, on=TODAY, by=cast.officer_a)


@pytest.mark.parametrize("who", ["teacher_a1", "principal_a", "officer_b", "clerk", "inspector"])
def test_only_the_schools_officer_verifies(cast: Cast, children: list[Pupil], who: str) -> None:
    account = change(children[0], cast.officer_a)
    with pytest.raises(PermissionDenied):
        bank_accounts.verify(account, on=TODAY, by=getattr(cast, who))


# --- doubts ------------------------------------------------------------------------------------------


def test_account_without_a_known_guardian_is_shared_with_a_stranger(cast: Cast, children: list[Pupil]) -> None:
    Pupil.objects.update(guardian_name="")
    one, two = (change(Pupil.objects.get(pk=child.pk), cast.officer_a) for child in children)
    assert bank_accounts.shared_with_others(one)
    assert bank_accounts.shared_with_others(two)


def test_holder_who_works_at_the_school_is_doubtful_unless_a_parent(cast: Cast, children: list[Pupil]) -> None:
    own, other = "陈专干", "杨专干"  # the officers of this school and of another
    for holder, relation, doubtful in ((own, "guardian", True), (own, "mother", False), (other, "guardian", False)):
        account = change(children[0], cast.officer_a, holder=holder, relation=relation)
        assert any("工作人员" in doubt for doubt in bank_accounts.doubts(account)) == doubtful


def test_lists_of_what_accounts_lack(cast: Cast) -> None:
    none = casting.enrol(cast, cast.class_a1, account=False)
    fresh = casting.enrol(cast, cast.class_a1)
    done, one, two, sibling = (casting.enrol(cast, cast.class_a1) for _ in range(4))
    for place in (done, one, two, sibling):
        bank_accounts.verify(bank_accounts.in_use(place.pupil), on=TODAY, by=cast.officer_a)
    Pupil.objects.filter(pk=two.pupil_id).update(guardian_name="李四")
    shared = bank_accounts.in_use(one.pupil).number_index
    BankAccount.objects.filter(pupil__in=[two.pupil, sibling.pupil]).update(number_index=shared)

    def listed(name: str) -> set[Enrolment]:
        return set(Enrolment.objects.filter(bank_accounts.LACKS[name]()))

    assert listed("none") == {none}
    assert listed("unverified") == {fresh}
    assert listed("shared") == {one, two, sibling}
    for place in (one, two, sibling, done):
        account = bank_accounts.in_use(Pupil.objects.get(pk=place.pupil_id))
        assert bank_accounts.shared_with_others(account) == (place in listed("shared"))
