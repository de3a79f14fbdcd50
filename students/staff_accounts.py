"""教职工账户: accounts of those who work at schools and at the centre. Aid is never paid to one.

Only mask and blind index are kept. Each school enters its own, the county all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts import access, audit, clock, scopes
from accounts.models import Unit, User
from accounts.roles import Permission
from documents.workbooks import DIGITS_KEPT, LIST_BOUNDS, Value, open_workbook, text_of

from . import enrolment, numbers, privacy
from .models import BankAccount, Enrolment, StaffAccount

REFUSAL = (
    "这个账号登记为教职工的账户，资助款不能发到教职工账户。请改用学生本人或监护人的账户；"
    "登记有误的，请登记它的单位先从教职工账户里移出。"
)
MOST_FINDINGS = 50
_HEADERS = {
    "unit": ("单位", "学校", "所在单位", "工作单位", "学校名称"),
    "holder": ("姓名", "教职工姓名", "户名", "教师姓名"),
    "number": ("账号", "银行账号", "银行卡号", "卡号", "工资卡号"),
}


@dataclass
class Outcome:
    """What a file brought: how many were new and known, and what could not be read, row by row."""

    added: int = 0
    known: int = 0
    refused: int = 0
    findings: list[str] = field(default_factory=list)  # the first MOST_FINDINGS

    def refuse(self, row: int, sentence: str) -> None:
        self.refused += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(f"第 {row} 行：{sentence}")


def indexes(county: Unit) -> set[str]:
    """The blind indexes of all accounts of staff in the county; compare with privacy.account_index."""
    return set(StaffAccount.objects.filter(county=county).values_list("number_index", flat=True))


def holds(county: Unit, number_index: str) -> bool:
    """Whether the account is one of the county's staff."""
    return StaffAccount.objects.filter(county=county, number_index=number_index).exists()


def visible_to(user: User) -> QuerySet[StaffAccount]:
    """Those the person keeps: a school's own, for the county all."""
    return scopes.within(StaffAccount.objects.all(), user, Permission.IMPORT_ROSTER, unit="unit")


def clashes(user: User) -> QuerySet[BankAccount]:
    """Pupils' accounts in use, within the person's reach, that belong to staff: entered before that was known."""
    staff = StaffAccount.objects.filter(county=OuterRef("pupil__county"), number_index=OuterRef("number_index"))
    known = StaffAccount.objects.filter(county__in=_counties(user)).values("number_index")
    rows = BankAccount.objects.filter(ends_on__isnull=True, number_index__in=known).filter(Exists(staff))
    now = enrolment.current_only(Enrolment.objects.filter(pupil=OuterRef("pupil")))
    within = scopes.within(now, user, Permission.IMPORT_ROSTER, unit="")
    return rows.filter(Exists(within)).select_related("pupil").order_by("pupil__name", "pk")


def add(unit: Unit, *, holder: str, number: str, by: User) -> StaffAccount:
    """Enter one account of somebody who works at the unit (a school, or the county for the centre).

    Raises ValidationError when a value cannot be used or the account is entered already.
    """
    access.require(by, Permission.IMPORT_ROSTER, unit)
    name, tidy = _read(holder, number)
    county = _county_of(unit)
    with transaction.atomic():
        Unit.objects.select_for_update(no_key=True).get(pk=county.pk)
        if holds(county, privacy.account_index(tidy)):
            raise ValidationError({"number": "这个账号已经登记为教职工账户，不用重复登记。"})
        account = _row(county, unit, name, tidy, by=by)
        account.save(force_insert=True)
        audit.record("staff_account.add", account, by=by, unit=unit)
    return account


def remove(account: StaffAccount, *, by: User) -> None:
    """Take an account off the list: entered by mistake, or the person has left."""
    access.require(by, Permission.IMPORT_ROSTER, account.unit)
    with transaction.atomic():
        audit.record("staff_account.remove", account, by=by, unit=account.unit)
        account.delete()


def import_file(content: bytes, *, unit: Unit, by: User) -> Outcome:
    """Enter the accounts of a workbook with the columns 单位, 姓名, 账号; good rows count, others are named.

    Without a column 单位 every row is of `unit`; for a school the column must name that school. Nothing of the
    file is kept. Raises ValidationError (WorkbookRefused) for a file that cannot be read at all.
    """
    access.require(by, Permission.IMPORT_ROSTER, unit)
    outcome = Outcome()
    wanted: dict[str, tuple[Unit, str, str]] = {}
    for row, cells in _rows(content):
        try:
            at = _unit_named(_text(cells.get("unit")), unit)
            _refuse_cut(cells.get("number"))
            holder, number = _read(_text(cells.get("holder")), _text(cells.get("number")))
        except ValidationError as refusal:
            outcome.refuse(row, "".join(refusal.messages))
        else:
            wanted.setdefault(privacy.account_index(number), (at, holder, number))
    county = _county_of(unit)
    with transaction.atomic():
        Unit.objects.select_for_update(no_key=True).get(pk=county.pk)
        known = indexes(county)
        fresh = [_row(county, *values, by=by) for index, values in wanted.items() if index not in known]
        StaffAccount.objects.bulk_create(fresh, batch_size=500)
        outcome.added, outcome.known = len(fresh), len(wanted) - len(fresh)
        audit.record("staff_account.import", unit, by=by, unit=unit, added=outcome.added, refused=outcome.refused)
    return outcome


# --- small parts -----------------------------------------------------------------------------------


def _rows(content: bytes) -> Iterable[tuple[int, dict[str, Value]]]:
    """The rows under the header, by what their columns are; the first sheet with such a header counts."""
    with open_workbook(content, LIST_BOUNDS) as book:
        for index in range(len(book.sheets)):
            columns: Mapping[int, str] = {}
            for number, values in book.rows(index):
                if not columns:
                    columns = _header(values)
                    continue
                cells = {key: values[at] for at, key in columns.items() if at < len(values)}
                if any(map(_text, cells.values())):
                    yield number, cells
            if columns:
                return
    raise ValidationError("没有找到表头。请用有“单位”“姓名”“账号”三列的工作簿，表头写在第一行。")


def _header(values: list[Value]) -> Mapping[int, str]:
    """Position → column, when holder and number are both there."""
    said = {text_of(value).strip(): at for at, value in reversed(list(enumerate(values)))}
    found = {said[name]: key for key, names in _HEADERS.items() for name in reversed(names) if name in said}
    return found if {"holder", "number"} <= set(found.values()) else {}


def _text(value: Value) -> str:
    return text_of(value).strip()


def _refuse_cut(number: Value) -> None:
    if isinstance(number, float) and abs(number) >= DIGITS_KEPT:
        raise ValidationError(
            "账号在表里存成了数字，末几位已经丢失。请先把整列设成文本格式，再从原始资料重新填写这个账号。"
        )


def _read(holder: str, number: str) -> tuple[str, str]:
    name, findings = numbers.read_name(holder)
    if not name:
        raise ValidationError({"holder": [f"{each.message}{each.remedy}" for each in findings]})
    tidy, findings = numbers.read_account_number(number)
    if not tidy:
        raise ValidationError({"number": [f"{each.message}{each.remedy}" for each in findings]})
    return name, tidy


def _unit_named(name: str, unit: Unit) -> Unit:
    if not name or name == unit.name:
        return unit
    if unit.level != Unit.Level.COUNTY:
        raise ValidationError("单位不是您的学校。请只填本校的教职工，其他学校的由该校或县资助中心登记。")
    schools = Unit.objects.filter(parent=unit, level=Unit.Level.SCHOOL, name=name)
    found = schools.first()
    if found is None:
        raise ValidationError("没有这所学校。请写学校登记的全称；县资助中心的人员把单位留空。")
    return found


def _county_of(unit: Unit) -> Unit:
    return Unit.objects.get(pk=int(unit.path.split("/", 1)[0]))


def _counties(user: User) -> set[int]:
    return {int(path.split("/", 1)[0]) for path in scopes.reach(user, Permission.IMPORT_ROSTER)}


def _row(county: Unit, unit: Unit, holder: str, number: str, *, by: User) -> StaffAccount:
    return StaffAccount(
        unit=unit,
        county=county,
        holder=holder,
        number_index=privacy.account_index(number),
        number_masked=privacy.mask_card(number),
        recorded_at=clock.now(),
        recorded_by=by,
    )
