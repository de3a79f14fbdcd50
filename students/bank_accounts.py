"""The account money goes to. A changed account is a new row; the old one gets its end."""

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import access, audit, clock
from accounts.models import User
from accounts.roles import Permission

from . import enrolment, numbers, privacy
from .models import BankAccount, Pupil


def change(pupil: Pupil, *, bank: str, number: str, holder: str, relation: str, by: User) -> BankAccount:
    """End the pupil's present account, if there is one, and open this one from today.

    Wants EDIT_PUPILS over the whole school, not the class: an account is not the class teacher's to change.
    Raises ValidationError when nothing changed or a value cannot be used.
    """
    school = enrolment.current(pupil).school
    access.require(by, Permission.EDIT_PUPILS, school)
    if relation not in BankAccount.Relation.values:
        raise ValidationError({"relation": "请选择户主与学生关系。"})
    if not bank.strip():
        raise ValidationError({"bank": "请填写开户行。"})
    values = {"bank": bank.strip(), "holder": _name(holder), "relation": relation}
    tidy, findings = numbers.read_account_number(number)
    refusals = [f"{finding.message}{finding.remedy}" for finding in findings if finding.level == "error"]
    if refusals:
        raise ValidationError({"number": refusals})
    if relation == BankAccount.Relation.SELF and values["holder"] != pupil.name:
        raise ValidationError({"holder": "户主是学生本人时，户名应与学生姓名一致；户名不同请选实际的户主关系。"})
    with transaction.atomic():
        # The lock on the pupil makes two changes of one account follow each other.
        Pupil.objects.select_for_update().get(pk=pupil.pk)
        old = current(pupil)
        if old and is_same(old, values, tidy):
            raise ValidationError("新账户与现在登记的完全一样，没有改动。")
        account = replace(pupil, old, values, tidy, by=by)
        if old:
            old.save(update_fields=["ends_on"])
        account.save(force_insert=True)
        audit.record("account.change", account, by=by, unit=school, replaces=str(old.pk) if old else None)
    return account


def current(pupil: Pupil) -> BankAccount | None:
    """The account in use."""
    return BankAccount.objects.filter(pupil=pupil, ends_on__isnull=True).first()


def in_use(pupil: Pupil) -> BankAccount:
    """The account in use; ValidationError when there is none."""
    account = current(pupil)
    if account is None:
        raise ValidationError("这名学生还没有登记银行账号。")
    return account


def doubts(number: str) -> list[str]:
    """What is worth another look in an account number that is accepted."""
    return [
        f"{each.message}{each.remedy}" for each in numbers.read_account_number(number)[1] if each.level == "warning"
    ]


def shared_with_others(account: BankAccount) -> bool:
    """Whether another child, of another guardian, has the same account in use."""
    others = BankAccount.objects.filter(number_index=account.number_index, ends_on__isnull=True)
    return others.exclude(pupil=account.pupil).exclude(pupil__guardian_name=account.pupil.guardian_name).exists()


def replace(pupil: Pupil, old: BankAccount | None, values: dict[str, str], number: str, *, by: User) -> BankAccount:
    """The new row, and the end set on the old one; neither is saved (a roster saves them by the hundred)."""
    today = clock.today()
    if old:
        old.ends_on = today
    account = BankAccount(pupil=pupil, starts_on=today, recorded_by=by, **values)
    privacy.set_account(account, number)
    return account


def is_same(old: BankAccount, values: dict[str, str], number: str) -> bool:
    """Whether the account on record is this one in every respect."""
    return old.number_index == privacy.account_index(number) and all(
        getattr(old, field) == value for field, value in values.items()
    )


def _name(holder: str) -> str:
    name, findings = numbers.read_name(holder, what="户名")
    if not name:
        raise ValidationError({"holder": [f"{finding.message}{finding.remedy}" for finding in findings]})
    return name
