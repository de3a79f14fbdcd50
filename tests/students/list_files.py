"""The ten comparison files of domain §4.4 as offices send them, filled with invented people.

Each maker puts people (`Somebody`) where its layout has them, with the traps such files have: titles above, cover
sheets, blanks, tabs and line breaks in numbers, a leading G, members of a household in many columns.
"""

import datetime as dt
import io
import itertools
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import Workbook
from openpyxl.utils import column_index_from_string

from documents import vault
from students import fictitious, list_versions
from students.models import ListProfile, ListVersion, Pupil
from tests.cast import Cast

_saves = itertools.count(1)

BORN = dt.date(2013, 5, 6)


@dataclass(frozen=True)
class Somebody:
    name: str
    number: str = ""
    flags: dict[str, Any] = field(default_factory=dict)
    members: tuple["Somebody", ...] = ()  # of the household
    sheet: int = 0


Maker = Callable[[Sequence[Somebody]], bytes]


def stranger(serial: int, name: str = "", **changes: Any) -> Somebody:
    """Somebody who is no pupil of the county."""
    number = fictitious.id_number(20_000 + serial, born=dt.date(1980, 1, 1), sex="male")
    return Somebody(name or f"路人{'甲乙丙丁戊己庚辛'[serial % 8]}", number, **changes)


def one_per_row(letter: str, *, name: str = "B", flags: Sequence[str] = (), header: str = "身份证号") -> Maker:
    """Header in row 1, the number in the column with this letter, the flags in the last columns."""

    def make(people: Sequence[Somebody]) -> bytes:
        book = Workbook()
        sheet = book.active
        sheet.title = "Sheet1"
        at = column_index_from_string(letter)
        name_at = column_index_from_string(name)
        places = {"姓名": name_at, header: at} | {flag: at + 2 + n for n, flag in enumerate(flags)}
        for text, column in places.items():
            sheet.cell(1, column, text)
        sheet.cell(1, max(places.values()) + 1, "备注")
        for row, person in enumerate(people, start=2):
            sheet.cell(row, name_at, person.name)
            sheet.cell(row, at, disturbed(person.number, row))
            for flag in flags:
                sheet.cell(row, places[flag], person.flags.get(flag))
        return saved(book)

    return make


def household(letter: str, members: str, *, header_rows: int, sheets_before: int = 1, name: str = "E") -> Maker:
    """A cover sheet, then a table with one row per household: titles, header, members' numbers in many columns."""

    def make(people: Sequence[Somebody]) -> bytes:
        book = Workbook()
        book.active.title = "填表说明"
        book.active["A1"] = "填表说明：本表由乡镇填报。"
        sheet = book.create_sheet("备案表")
        columns = [column_index_from_string(each) for each in members.split(",")]
        sheet["A1"] = "备案表"
        sheet.merge_cells(start_row=1, end_row=1, start_column=1, end_column=max(columns))
        sheet.cell(header_rows, column_index_from_string(name), "户主姓名")
        sheet.cell(header_rows, column_index_from_string(letter), "身份证号码")
        for number, column in enumerate(columns, start=1):
            sheet.cell(header_rows, column - 1, f"成员{number}姓名")
            sheet.cell(header_rows, column, "身份证号码")
        for row, person in enumerate(people, start=header_rows + 1):
            sheet.cell(row, column_index_from_string(name), person.name)
            sheet.cell(row, column_index_from_string(letter), disturbed(person.number, row))
            for column, member in zip(columns, person.members, strict=False):
                sheet.cell(row, column - 1, member.name)
                sheet.cell(row, column, disturbed(member.number, row + column))
        return saved(book)

    return make


def orphans(people: Sequence[Somebody]) -> bytes:
    """Three sheets: 孤儿, an empty one, 事实无人抚养 (`sheet=2` of a person)."""
    book = Workbook()
    sheets = [book.active, book.create_sheet("汇总"), book.create_sheet("事实无人抚养儿童")]
    sheets[0].title = "孤儿"
    for index in (0, 2):
        sheets[index].append(["儿童福利发放花名册"])
        sheets[index].append(["填报单位：县民政局"])
        sheets[index].append(["序号", "姓名", "身份证号", "发放标准"])
        for person in people:
            if person.sheet == index:
                row = sheets[index].max_row + 1
                sheets[index].append([row - 3, person.name, disturbed(person.number, row), 1200])
    sheets[1].append(["合计", len(people)])
    return saved(book)


def disturbed(number: str, row: int) -> str:
    """The number as somebody might have typed or pasted it."""
    ways = (number, f" {number}", f"{number}\t", f"{number[:6]} {number[6:]}", f"G{number}", f"{number}\n")
    return ways[row % len(ways)] if number else number


def saved(book: Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def as_xls(content: bytes) -> bytes:
    """The workbook as LibreOffice saves it in the old format."""
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory, "list.xlsx")
        source.write_bytes(content)
        command = ["soffice", "--headless", f"-env:UserInstallation=file://{directory}/profile", "--convert-to", "xls"]
        subprocess.run([*command, "--outdir", directory, str(source)], check=True, capture_output=True, timeout=600)
        return Path(directory, "list.xls").read_bytes()


POLICY = "享受政策"
RISK, KIND = "风险是否消除", "监测类别"
# code of the profile → the file's name, and who makes it
LAYOUTS: dict[str, tuple[str, Maker]] = {
    "lifted-with-policy": ("脱贫户信息_20260903-继续享受政策.xlsx", one_per_row("H", flags=[POLICY])),
    "disabled": ("持证残疾人名单.xlsx", one_per_row("B", name="A", flags=["残疾类别", "残疾等级"])),
    "dibao-rural": ("农村低保备案表.xls", household("G", "P,R,T,V,X,Z,AB,AD", header_rows=2)),
    "tekun": ("城乡特困人员备案表.xlsx", household("F", "AA,AF,AH,AJ,AL,AN,AP", header_rows=3)),
    "dibao-urban": ("城镇低保全部备案表.xls", household("G", "Q,S,U,W,Y", header_rows=2)),
    "monitored-at-risk": (
        "防止返贫致贫监测对象信息-风险未消除5人.xlsx",
        one_per_row("L", flags=[KIND, RISK, "风险消除时间"], header="证件号码"),
    ),
    "orphans": ("孤儿及事实无人抚养儿童发放花名册.xls", orphans),
    "low-income": ("低收入人口花名册.xlsx", one_per_row("D", flags=["对象类别"])),
    "lifted-without-policy": ("脱贫户信息-脱贫不享受政策.xlsx", one_per_row("H", flags=[POLICY])),
    "monitored-cleared": (
        "监测对象信息-风险已消除3人.xlsx",
        one_per_row("L", flags=[KIND, RISK, "风险消除时间"], header="证件号码"),
    ),
}


def upload(code: str, people: Sequence[Somebody], name: str = "") -> SimpleUploadedFile:
    """The list as an .xlsx upload, whatever its usual name."""
    usual, make = LAYOUTS[code]
    return SimpleUploadedFile(name or usual.replace(".xls", ".xlsx").replace(".xlsxx", ".xlsx"), _saved(make(people)))


def _saved(workbook: bytes) -> bytes:
    """As an office saves it: never the same bytes twice."""
    whole = io.BytesIO(workbook)
    with zipfile.ZipFile(whole, "a") as package:
        package.comment = f"{next(_saves)}".encode()
    return whole.getvalue()


def number_of(pupil: Pupil) -> str:
    """The pupil's ID number, for a file that a real office would have it in."""
    return vault.unseal(pupil.id_sealed, place="students.pupil.id", key=str(pupil.pk))


def miswritten(number: str) -> str:
    """The number with another check character: the birth date can still be read, the person cannot be known by it."""
    return number[:-1] + ("0" if number[-1] != "0" else "1")


def taken(cast: Cast, code: str, people: Sequence[Somebody], as_of: dt.date) -> ListVersion:
    """A version of the list, uploaded and taken by the county's clerk."""
    profile = ListProfile.objects.get(code=code)
    version = list_versions.upload(upload(code, people), profile=profile, as_of=as_of, by=cast.clerk)
    return list_versions.take(version, by=cast.clerk)
