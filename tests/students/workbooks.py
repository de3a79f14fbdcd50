"""Roster workbooks as schools send them, made with openpyxl, and pupils to put into them."""

import datetime as dt
import io
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import Workbook

from students import fictitious

HEADERS = (
    "姓名", "身份证件号", "全国学籍号", "性别", "民族", "年级", "班级", "就读方式",
    "监护人姓名", "与学生关系", "联系电话", "开户银行", "银行账号", "户名", "户主与学生关系",
)  # fmt: skip


def pupil(serial: int = 1, **changes: Any) -> dict[str, Any]:
    """A row that nothing is wrong with; `changes` by header (身份证件号="…"), None leaves the cell empty."""
    sex = "男" if serial % 2 else "女"
    number = fictitious.id_number(serial, born=dt.date(2014, 3, 5), sex="male" if serial % 2 else "female")
    row = {
        "姓名": f"陈{'甲乙丙丁戊己庚辛壬癸'[serial % 10]}{'一二三四五六七八九十'[serial // 10 % 10]}",
        "身份证件号": number,
        "全国学籍号": f"G{number}",
        "性别": sex,
        "民族": "汉族",
        "年级": "七年级",
        "班级": "1班",
        "就读方式": "寄宿",
        "监护人姓名": f"陈大{'甲乙丙丁戊己庚辛壬癸'[serial % 10]}",
        "与学生关系": "父亲",
        "联系电话": fictitious.phone_number(serial),
        "开户银行": "云岭县农村信用合作联社",
        "银行账号": fictitious.card_number(serial),
        "户名": f"陈大{'甲乙丙丁戊己庚辛壬癸'[serial % 10]}",
        "户主与学生关系": "父亲",
    }
    return {**row, **changes}


def workbook(*rows: dict[str, Any], headers: tuple[str, ...] = HEADERS, above: tuple[str, ...] = ()) -> bytes:
    """One sheet “名册”: titles above, the headers, the rows. Numbers become number cells, "=…" formulas."""
    book = Workbook()
    sheet = book.active
    sheet.title = "名册"
    for title in above:
        sheet.append([title])
    sheet.append(list(headers))
    for row in rows:
        sheet.append([row.get(header) for header in headers])
    return saved(book)


def saved(book: Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def upload(content: bytes, name: str = "名册.xlsx") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)
