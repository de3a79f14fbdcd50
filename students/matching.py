"""Roster rows against each other and against the register: who is it, what is new, what contradicts.

Identity is the ID number. A row that would give one child two ID numbers, or one number two children, is
refused: nobody is merged or renamed silently.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Q

from accounts.models import Unit
from accounts.redaction import redact

from . import enrolment, grades, privacy
from .models import BankAccount, Category, Circumstance, Enrolment, Pupil, School, SchoolClass, Stage, Term
from .numbers import error, warning
from .roster_rows import RosterRow

_CHECK_BOTH = "请对照户口簿核对两行，保留正确的一行。"


@dataclass
class Register:
    """What the register knows about the pupils of a roster, read in a fixed number of queries."""

    school: Unit
    term: Term
    county: Unit
    stages: list[str]
    classes: dict[tuple[str, str], SchoolClass] = field(default_factory=dict)  # (grade, label) → class
    by_id: dict[str, Pupil] = field(default_factory=dict)
    by_roll: dict[str, Pupil] = field(default_factory=dict)
    enrolments: dict[UUID, Enrolment] = field(default_factory=dict)  # this term's, by pupil
    schools_now: dict[UUID, int] = field(default_factory=dict)  # pupil → where the pupil is now
    accounts: dict[UUID, BankAccount] = field(default_factory=dict)  # in use, by pupil
    account_owners: dict[str, list[Pupil]] = field(default_factory=dict)  # account index → pupils who use it
    categories: dict[str, Category] = field(default_factory=dict)  # by name, those in force in the term
    circumstances: dict[UUID, set[int]] = field(default_factory=dict)  # pupil → kinds on record and open
    ended: dict[UUID, set[int]] = field(default_factory=dict)  # pupil → kinds whose end lies in the term or after it


def read_register(rows: Iterable[RosterRow], *, school: Unit, term: Term) -> Register:
    county = Unit.objects.get(pk=school.path.split("/", 1)[0])
    register = Register(school, term, county, School.objects.get(unit=school).stages)
    for known in SchoolClass.objects.filter(unit__parent=school).select_related("unit"):
        grade = grades.Grade(known.grade, known.stage)
        register.classes[known.grade, grades.class_label(known.unit.name, grade)] = known
    _read_pupils(register, list(rows))
    owners = list({pupil.pk for pupil in register.by_id.values()})
    register.enrolments = {
        row.pupil_id: row for row in Enrolment.objects.filter(pupil__in=owners, term=term).select_related("school")
    }
    now = enrolment.current_only(Enrolment.objects.filter(pupil__in=owners))
    register.schools_now = dict(now.values_list("pupil_id", "school_id"))
    register.accounts = {row.pupil_id: row for row in BankAccount.objects.filter(pupil__in=owners, ends_on=None)}
    for category in Category.objects.filter(valid_from__lte=term.ends_on):
        if category.valid_to is None or category.valid_to >= term.starts_on:
            register.categories[category.name] = category
    held = Circumstance.objects.filter(Q(valid_to=None) | Q(valid_to__gte=term.starts_on), pupil__in=owners)
    for pupil_id, category_id, end in held.values_list("pupil_id", "category_id", "valid_to"):
        kinds = register.circumstances if end is None else register.ended
        kinds.setdefault(pupil_id, set()).add(category_id)
    return register


def _read_pupils(register: Register, rows: list[RosterRow]) -> None:
    ids = {privacy.id_index(row.id_number) for row in rows if row.id_number}
    rolls = {privacy.roll_index(row.roll_number) for row in rows if row.roll_number}
    accounts = {privacy.account_index(row.account.number) for row in rows if row.account}
    known = Pupil.objects.filter(county=register.county)
    register.by_id = {pupil.id_index: pupil for pupil in known.filter(id_index__in=ids)}
    register.by_roll = {pupil.roll_index: pupil for pupil in known.filter(roll_index__in=rolls)}
    in_use = BankAccount.objects.filter(number_index__in=accounts, ends_on=None, pupil__county=register.county)
    for account in in_use.select_related("pupil"):
        register.account_owners.setdefault(account.number_index, []).append(account.pupil)


# --- the file against itself -------------------------------------------------------------------------


def compare_rows(rows: list[RosterRow]) -> None:
    """One child twice, one roll number for two children, one account for children of two guardians."""
    _same_pupil_twice(rows)
    for group in _groups(rows, lambda row: row.roll_number):
        if len({row.id_number for row in group}) > 1:
            for row in group:
                others = _places(group, row)
                row.say("roll_number", [error(f"{others}也用了这个学籍号，证件号却不同。", _CHECK_BOTH)])
    for group in _groups(rows, lambda row: row.account.number if row.account else ""):
        if len({(row.guardian_name, row.phone) for row in group}) > 1:
            for row in group:
                others = _places(group, row)
                row.say(
                    "account",
                    [
                        warning(
                            f"{others}也用了这个银行账号，监护人却不同。", "只有同一监护人的孩子可以共用账户，请核对。"
                        )
                    ],
                )


def _same_pupil_twice(rows: list[RosterRow]) -> None:
    for group in _groups(rows, lambda row: row.id_number):
        first, *later = group
        if all(row.content == first.content for row in later):
            first.say(
                "id_number", [warning(f"{_places(group, first)}与这一行是同一名学生，内容相同。", "只读取这一行。")]
            )
            for row in later:
                row.say("id_number", [error(f"与第 {first.number} 行重复，内容相同。", "请删去这一行。")])
        else:
            for row in group:
                row.say("id_number", [error(f"{_places(group, row)}是同一个证件号，内容却不同。", _CHECK_BOTH)])


def _groups(rows: list[RosterRow], key: Any) -> list[list[RosterRow]]:
    """Rows that share a non-empty key, where there are at least two."""
    groups: dict[str, list[RosterRow]] = defaultdict(list)
    for row in rows:
        if key(row):
            groups[key(row)].append(row)
    return [group for group in groups.values() if len(group) > 1]


def _places(group: list[RosterRow], but: RosterRow) -> str:
    """ "第 5、9 行", with the sheet's name where it is another sheet."""
    here = [str(row.number) for row in group if row is not but and row.sheet == but.sheet]
    there = [f"“{row.sheet}”第 {row.number} 行" for row in group if row.sheet != but.sheet]
    return "、".join(([f"第 {'、'.join(here)} 行"] if here else []) + there)


# --- the file against the register -------------------------------------------------------------------


def compare_with_register(row: RosterRow, register: Register) -> None:
    """Add what contradicts the register. Says nothing of other schools' pupils but that they are there."""
    pupil = register.by_id.get(privacy.id_index(row.id_number)) if row.id_number else None
    _place_exists(row, register)
    _known_categories(row, register)
    _ended_categories(row, pupil, register)
    _roll_belongs_to(row, pupil, register)
    if pupil:
        _elsewhere(row, pupil, register)
        _same_name(row, pupil, register)
    if row.account:
        _shared_account(row, pupil, register)


def _place_exists(row: RosterRow, register: Register) -> None:
    named, coded = row.values.get("school_name", ""), row.values.get("school_code", "")
    school = register.school.school
    if (named and "".join(named.split()) != "".join(register.school.name.split())) or (
        coded and coded.strip() != school.code
    ):
        key = "school_name" if named else "school_code"
        row.say(
            key,
            [
                error(
                    "这一行写的是别的学校。",
                    f"这里只导入“{register.school.name}”的学生；请核对，或从文件中删去这一行。",
                )
            ],
        )
    if row.grade is None:
        return
    if row.grade.stage not in register.stages:
        stages = "、".join(Stage(stage).label for stage in register.stages)
        row.say(
            "grade", [error(f"本校登记的学段是{stages}，没有这个年级。", "请核对年级；学段登记有误请联系县资助中心。")]
        )
    known = register.classes.get((row.grade.name, row.class_label))
    if known and not known.unit.is_active:
        row.say("class", [error("这个班级已经停用。", "请核对班级名称。")])


def _known_categories(row: RosterRow, register: Register) -> None:
    for name in row.categories:
        category = register.categories.get(name)
        if category is None:
            names = "、".join(register.categories)
            row.say(
                "categories", [error(f"“{redact(name)[:20]}”不是本学期有效的困难类别。", f"请改成下列之一：{names}。")]
            )
        elif category.needs_evidence and not row.evidence:
            row.say("evidence", [error(f"“{category}”没有写证明。", "请填写证明名称和编号。")])


def _ended_categories(row: RosterRow, pupil: Pupil | None, register: Register) -> None:
    """A kind that was given an end is not begun again by a list: that takes new evidence, entered by itself."""
    ended = register.ended.get(pupil.pk, set()) - register.circumstances.get(pupil.pk, set()) if pupil else set()
    for name in row.categories:
        category = register.categories.get(name)
        if category and category.pk in ended:
            sentence = f"“{category}”已登记了结束日期，没有按名册重新登记。"
            row.say("categories", [warning(sentence, "如果有新的证明，请在学生页另行登记。")])


def _roll_belongs_to(row: RosterRow, pupil: Pupil | None, register: Register) -> None:
    if not row.roll_number:
        return
    owner = register.by_roll.get(privacy.roll_index(row.roll_number))
    if owner and (pupil is None or owner.pk != pupil.pk):
        row.say(
            "roll_number",
            [
                error(
                    "这个学籍号已经登记在另一个证件号名下。",
                    "请核对两个号码；如果学生确实换过证件号，请联系县资助中心。",
                )
            ],
        )
    elif pupil and pupil.roll_index and owner is None:
        row.say("roll_number", [warning("学籍号与原来登记的不同，将更新。", "请确认是转为正式学籍号或学籍已变更。")])


def _elsewhere(row: RosterRow, pupil: Pupil, register: Register) -> None:
    there = register.enrolments.get(pupil.pk)
    if there and there.school_id != register.school.pk:
        finding = error(
            "这名学生本学期已在本县另一所学校的名册上。", "请与县资助中心核对学籍；对方学校办理转出后再导入。"
        )
        # Only the county is told which: the page looks the name up for those who may know it.
        row.say("id_number", [finding], elsewhere=there.school_id)


def _same_name(row: RosterRow, pupil: Pupil, register: Register) -> None:
    if not row.name or row.name == pupil.name:
        return
    ours = register.schools_now.get(pupil.pk) == register.school.pk
    if ours and (not row.roll_number or privacy.roll_index(row.roll_number) == pupil.roll_index):
        row.say("name", [warning("姓名与原来登记的不同，将更新。", "请确认学生改过名，而不是证件号填错了人。")])
    else:
        row.say(
            "name", [error("这个证件号登记的是另一个姓名。", "请核对证件号是否填错；学生确实改过名请联系县资助中心。")]
        )


def _shared_account(row: RosterRow, pupil: Pupil | None, register: Register) -> None:
    assert row.account
    owners = register.account_owners.get(privacy.account_index(row.account.number), [])
    others = [owner for owner in owners if pupil is None or owner.pk != pupil.pk]
    if any(not row.guardian_name or owner.guardian_name != row.guardian_name for owner in others):
        row.say(
            "account",
            [warning("这个银行账号已经登记给另一名学生，监护人不同。", "只有同一监护人的孩子可以共用账户，请核对。")],
        )
