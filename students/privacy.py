"""Numbers of persons: sealing them, masking them, finding by them, and showing one to somebody who may.

A number is stored three ways: sealed (can be read back), masked (what screens show) and as a blind index
(equality only). The `set_` functions fill all three on the record and do not save it.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import access, audit
from accounts.models import Unit, User
from accounts.redaction import redact
from accounts.roles import Permission
from documents import vault

from . import enrolment, numbers
from .models import BankAccount, Enrolment, Pupil
from .table_writing import pieces

# --- writing ---------------------------------------------------------------------------------------


def set_id(pupil: Pupil, number: str) -> None:
    """The pupil's ID number, already normalised by students.numbers."""
    pupil.id_sealed = _seal(number, "pupil.id", pupil)
    pupil.id_index = id_index(number)
    pupil.id_masked = mask_id(number)


def set_roll(pupil: Pupil, number: str) -> None:
    """The pupil's 学籍号; "" when there is none yet."""
    pupil.roll_sealed = _seal(number, "pupil.roll", pupil) if number else ""
    pupil.roll_index = roll_index(number) if number else ""
    pupil.roll_masked = mask_id(number)


def set_phone(pupil: Pupil, number: str) -> None:
    pupil.phone_sealed = _seal(number, "pupil.phone", pupil) if number else ""
    pupil.phone_masked = mask_phone(number)


def set_account(account: BankAccount, number: str) -> None:
    account.number_sealed = _seal(number, "account.number", account)
    account.number_index = account_index(number)
    account.number_masked = mask_card(number)


def _seal(number: str, field: str, record: Pupil | BankAccount) -> str:
    return vault.seal(number, place=f"students.{field}", key=str(record.pk))


def id_index_in_roll(pupil: Pupil) -> str:
    """The blind index of the ID number inside a formal roll number (G…); "" when there is none.

    For finding a child who is in the register under an old number too; nothing is shown.
    """
    number = _unseal(pupil, "roll") if pupil.roll_sealed else ""
    return id_index(number[1:]) if number.startswith("G") else ""


def seal_column(field: str, numbers_: Sequence[str], keys: Sequence[str]) -> list[str]:
    """A field (as in `reveal`) of many records, sealed for their keys; "" stays "". Not saved."""
    return vault.seal_all(numbers_, place=_READABLE[field][2], keys=keys)


def is_phone(sealed: str, number: str, *, key: str) -> bool:
    """Whether this is the telephone on record, by the pupil's sealed column and key; never shown."""
    return bool(sealed) and vault.unseal(sealed, place=_READABLE["phone"][2], key=key) == number


# --- masks -----------------------------------------------------------------------------------------


def mask_id(number: str) -> str:
    """5301**********1234: the first four and the last four; of a short number only the last two."""
    if len(number) >= 12:
        return f"{number[:4]}{'*' * (len(number) - 8)}{number[-4:]}"
    return _mask(number, head=0, tail=2)


def mask_card(number: str) -> str:
    return f"**** {number[-4:]}" if number else ""


def mask_phone(number: str) -> str:
    """138****5678; of a landline the area code and the last four."""
    area, hyphen, local = number.partition("-")
    return f"{area}-{_mask(local, head=0, tail=4)}" if hyphen else _mask(number, head=3, tail=4)


def mask_name(name: str) -> str:
    """张*: for where a name may be recognised by those who know it, and read by nobody else."""
    return f"{name[:1]}{'*' * min(len(name) - 1, 2)}" if name else ""


def _mask(text: str, *, head: int, tail: int) -> str:
    return (
        f"{text[:head]}{'*' * (len(text) - head - tail)}{text[-tail:]}" if len(text) > head + tail else "*" * len(text)
    )


# --- finding ---------------------------------------------------------------------------------------


def id_index(number: str) -> str:
    return vault.blind_index(number, purpose="students.pupil.id")


def roll_index(number: str) -> str:
    return vault.blind_index(number, purpose="students.pupil.roll")


def account_index(number: str) -> str:
    return vault.blind_index(number, purpose="students.account.number")


def id_indexes(numbers_: Iterable[str]) -> list[str]:
    """`id_index` of a whole column; "" for an empty number. The same for the two below."""
    return vault.blind_indexes(numbers_, purpose="students.pupil.id")


def roll_indexes(numbers_: Iterable[str]) -> list[str]:
    return vault.blind_indexes(numbers_, purpose="students.pupil.roll")


def account_indexes(numbers_: Iterable[str]) -> list[str]:
    return vault.blind_indexes(numbers_, purpose="students.account.number")


def find_by_id(county: Unit, number: str) -> Pupil | None:
    """The pupil of the county with this ID number, written in any of the usual ways."""
    return Pupil.objects.filter(county=county, id_index=id_index(numbers.tidy_id_number(number))).first()


# --- reading ---------------------------------------------------------------------------------------

# What somebody may need a full number for. The trail keeps the code and the words written beside it.
PURPOSES: Mapping[str, str] = {
    "check_papers": "核对证件、户口簿或银行卡原件",
    "failed_payment": "处理发放失败或退回",
    "answer_family": "答复学生或家长的查询",
    "other_system": "在上级资助系统或学籍系统中填报",
    "inspection": "配合审计或督查核实",
}
# field → (what it is called, attribute that holds it, place it is sealed for)
_READABLE: Mapping[str, tuple[str, str, str]] = {
    "id": ("证件号", "id_sealed", "students.pupil.id"),
    "roll": ("学籍号", "roll_sealed", "students.pupil.roll"),
    "phone": ("联系电话", "phone_sealed", "students.pupil.phone"),
    "account": ("银行账号", "number_sealed", "students.account.number"),
}
FIELD_LABELS: Mapping[str, str] = {field: label for field, (label, _, _) in _READABLE.items()}


def reveal(record: Pupil | BankAccount, field: str, *, by: User, purpose: str, note: str) -> str:
    """One full number, for one purpose; leaves an audit row. `field` is id, roll or phone (of a pupil) or account.

    PermissionDenied without REVEAL_IDENTITY over the school where the pupil is now; ValidationError when
    the purpose is not on the list, nothing is written beside it, or there is no such number.
    """
    pupil = record.pupil if isinstance(record, BankAccount) else record
    if (field == "account") != isinstance(record, BankAccount):
        raise ValueError(f"{field} is not a number of {record._meta.label}")
    school = enrolment.current(pupil).school
    access.require(by, Permission.REVEAL_IDENTITY, school)
    if purpose not in PURPOSES or not note.strip():
        raise ValidationError("查看完整号码要选择用途，并写明为什么事查看；用途会记入操作记录。")
    with transaction.atomic():
        number = _unseal(record, field)
        # The words are typed by a person: no name or number of the pupil may slip into the trail with them.
        words = redact(note.strip().replace(pupil.name, "（学生）"))[:200]
        audit.record("identity.reveal", record, by=by, unit=school, field=field, purpose=purpose, note=words)
    return number


def id_numbers(pupils: Iterable[Pupil], *, school: Unit) -> dict[UUID, str]:
    """The whole ID numbers of those of the pupils who are at the school now, by key.

    For lists that somebody may hold; the verb that makes one asks REVEAL_IDENTITY and leaves the audit row.
    """
    known = {pupil.pk: pupil for pupil in pupils}
    found: dict[UUID, str] = {}
    for chunk in pieces(known, 500):
        here = enrolment.current_only(Enrolment.objects.filter(pupil__in=chunk)).filter(school=school)
        for key in here.values_list("pupil_id", flat=True):
            if known[key].id_sealed:
                found[key] = _unseal(known[key], "id")
    return found


def account_number(account: BankAccount) -> str:
    """The full account number, for jobs that leave an audit row of their own (bank files, sheets)."""
    return _unseal(account, "account")


def _unseal(record: Pupil | BankAccount, field: str) -> str:
    label, attribute, place = _READABLE[field]
    sealed = getattr(record, attribute)
    if not sealed:
        raise ValidationError(f"这名学生还没有登记{label}。")
    return vault.unseal(sealed, place=place, key=str(record.pk))
