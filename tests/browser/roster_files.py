"""Rosters as schools send them, and what the standards give for each row, worked out here a second time.

The rules below are typed from the documents (财政部 2024年5月7日; 非寄宿生四类), not read from the system.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from openpyxl import Workbook

from aidadmin.demo_roster import ClassPlan, rows

# 元 per term since spring 2024: (stage, boarding).
STANDARDS = {
    ("junior", "住校"): Decimal("750.00"),
    ("junior", "走读"): Decimal("375.00"),
    ("primary", "住校"): Decimal("625.00"),
    ("primary", "走读"): Decimal("312.50"),
}
# Boarders: every recognised kind. Day pupils: the four groups (脱贫和三类监测对象、残疾学生、农村低保、农村特困).
DAY_KINDS = {
    "脱贫户（继续享受政策）",
    "脱贫不稳定户",
    "边缘易致贫户",
    "突发严重困难户",
    "残疾学生",
    "农村低保",
    "特困供养学生",
}

# The national roll's names for the columns, in none of the orders the system knows.
HEADERS = {
    "开户银行": "开户银行",
    "银行账号": "银行卡号",
    "户名": "户名",
    "户主与学生关系": "户主与学生关系",
    "是否住校": "就读方式",
    "班级": "班级名称",
    "年级": "年级",
    "困难类别": "困难类别",
    "证明名称和编号": "证明名称和编号",
    "身份证件号": "身份证件号",
    "学生姓名": "姓名",
    "民族": "民族",
    "性别": "性别",
    "联系电话": "联系电话",
    "监护人姓名": "监护人姓名",
    "与学生关系": "与学生关系",
    "全国学籍号": "学籍号",
    "备注": "备注",
}

Pupil = dict[str, str]


@dataclass(frozen=True)
class SchoolRoster:
    """The pupils of one school as invented, and what each should get."""

    stage: str
    pupils: list[Pupil]

    def due(self, pupil: Pupil) -> Decimal | None:
        """元 for the term, or None for no aid."""
        kind, boarding = pupil["困难类别"], pupil["就读方式"]
        if not kind or (boarding == "走读" and kind not in DAY_KINDS):
            return None
        return STANDARDS[self.stage, boarding]

    @property
    def entitled(self) -> list[Pupil]:
        return [pupil for pupil in self.pupils if self.due(pupil) is not None]

    def of_class(self, name: str) -> "SchoolRoster":
        return SchoolRoster(self.stage, [pupil for pupil in self.pupils if pupil["班级"] == name])

    def workbook(self) -> bytes:
        return workbook(self.pupils)


def junior_school() -> SchoolRoster:
    plans = [ClassPlan("七年级", "七年级1班", 150, 2013), ClassPlan("七年级", "七年级2班", 150, 2013)]
    return SchoolRoster("junior", rows(plans, first_serial=1000, seed=11))


def primary_school() -> SchoolRoster:
    return SchoolRoster("primary", rows([ClassPlan("三年级", "三年级1班", 300, 2017)], first_serial=2000, seed=12))


def workbook(pupils: Iterable[Pupil]) -> bytes:
    """An .xlsx as a school's office makes it: a title, an empty row, the header in the third row."""
    book = Workbook()
    sheet = book.active
    sheet.title = "学生信息"
    sheet.append(["2026年秋季学期学生名册"])
    sheet.append([])
    sheet.append([HEADERS[column] for column in HEADERS])
    for pupil in pupils:
        sheet.append([pupil.get("就读方式" if column == "是否住校" else column, "") for column in HEADERS])
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def roll_last4(pupil: Pupil) -> str:
    return pupil["全国学籍号"][-4:]
