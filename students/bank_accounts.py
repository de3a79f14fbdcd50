"""The account money goes to. A changed account is a new row, not yet verified; the old one gets its end."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import access, appointments, audit, clock
from accounts.models import Appointment, User
from accounts.roles import Permission

from . import enrolment, numbers, privacy, staff_accounts
from .models import BankAccount, Pupil

_PARENTS = (BankAccount.Relation.SELF, BankAccount.Relation.FATHER, BankAccount.Relation.MOTHER)


def change(pupil: Pupil, *, bank: str, number: str, holder: str, relation: str, by: User) -> BankAccount:
    """End the pupil's present account, if there is one, and open this one from today.

    Wants EDIT_PUPILS over the whole school, not the class: an account is not the class teacher's to change.
    Raises ValidationError when nothing changed, a value cannot be used, or the account belongs to staff.
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
        if staff_accounts.holds(pupil.county, privacy.account_index(tidy)):
            raise ValidationError({"number": staff_accounts.REFUSAL})
        old = current(pupil)
        if old and is_same(old, values, tidy):
            raise ValidationError("新账户与现在登记的完全一样，没有改动。")
        account = replace(pupil, old, values, tidy, by=by)
        if old:
            old.save(update_fields=["ends_on"])
        account.save(force_insert=True)
        audit.record("account.change", account, by=by, unit=school, replaces=str(old.pk) if old else None)
    return account


def verify(account: BankAccount, *, on: dt.date, by: User) -> BankAccount:
    """Holder and number were seen to agree on that day: on the card, the passbook, or in the bank's answer.

    Raises ValidationError for an account no longer in use, or a day before it was on record or to come.
    """
    school = enrolment.current(account.pupil).school
    access.require(by, Permission.EDIT_PUPILS, school)
    with transaction.atomic():
        account = BankAccount.objects.select_for_update(of=("self",)).select_related("pupil").get(pk=account.pk)
        if account.ends_on is not None:
            raise ValidationError("这个账户已经停用，不用再核验。请刷新页面，核验现在的账户。")
        if on > clock.today():
            raise ValidationError("核验日期不能晚于今天。请填实际核对存折、银行卡或银行回执的那一天。")
        if on < account.starts_on:
            raise ValidationError("核验日期不能早于账户登记的那一天。请填实际核对的日期。")
        account.verified_on, account.verified_by = on, by
        account.save(update_fields=["verified_on", "verified_by"])
        audit.record("account.verify", account, by=by, unit=school, on=on.isoformat())
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


def doubts(account: BankAccount, number: str = "") -> list[str]:
    """What is worth another look in an account that is accepted; `number` while it is at hand."""
    found = [
        f"{each.message}{each.remedy}"
        for each in (numbers.read_account_number(number)[1] if number else [])
        if each.level == "warning"
    ]
    if shared_with_others(account):
        found.append(
            "这个账号也登记给了另一名学生，监护人不同。同一账号只能由同一监护人的孩子共用，请核对存折或银行卡。"
        )
    if _is_held_by_staff(account):
        found.append("户名与本校一名工作人员同名，又不是学生的父母。请核对是否用了教职工的账户。")
    return found


def shared_with_others(account: BankAccount) -> bool:
    """Whether another child of the county, not known to have the same guardian, has the same account in use."""
    return (
        _of_other_guardians(account.number_index, account.pupil_id, account.pupil.guardian_name)
        .filter(pupil__county=account.pupil.county_id)
        .exists()
    )


def _of_other_guardians(number_index: Any, pupil: Any, guardian: Any) -> QuerySet[BankAccount]:
    # Without a name nobody knows whether it is the same guardian.
    same = Q(pupil__guardian_name=guardian) & ~Q(pupil__guardian_name="")
    return _open().filter(number_index=number_index).exclude(pupil=pupil).exclude(same)


def _is_held_by_staff(account: BankAccount) -> bool:
    if account.relation in _PARENTS:
        return False
    school = enrolment.current(account.pupil).school
    here = Appointment.objects.filter(appointments.in_force(clock.today()), unit__path__below=school.path)
    return here.filter(user__name=account.holder).exists()


def _open() -> QuerySet[BankAccount]:
    return BankAccount.objects.filter(ends_on__isnull=True)


# What may be wrong with the account of an enrolled pupil → the condition on the enrolment.
LACKS: Mapping[str, Callable[[], Any]] = {
    "none": lambda: ~Exists(_open().filter(pupil=OuterRef("pupil"))),
    "unverified": lambda: Exists(_open().filter(pupil=OuterRef("pupil"), verified_on__isnull=True)),
    "shared": lambda: Exists(_shared().filter(pupil=OuterRef("pupil"))),
}


def _shared() -> QuerySet[BankAccount]:
    """Accounts in use by children of several guardians."""
    others = _of_other_guardians(OuterRef("number_index"), OuterRef("pupil"), OuterRef("pupil__guardian_name"))
    # The county in a question of its own: beside the number SQLite would walk the county for each account.
    here = Pupil.objects.filter(pk=OuterRef("pupil"), county=OuterRef(OuterRef("pupil__county")))
    return _open().filter(Exists(others.filter(Exists(here))))


def replace(pupil: Pupil, old: BankAccount | None, values: dict[str, str], number: str, *, by: User) -> BankAccount:
    """The new row, and the end set on the old one; neither is saved."""
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
