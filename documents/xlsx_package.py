"""The gate before an uploaded workbook: what kind of file it is, and whether it is safe to open.

Everything here looks at the directory of the zip file, at the beginning of each part and at two small parts;
no sheet is unpacked.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal
from xml.parsers import expat

from django.core.exceptions import ValidationError

MAX_PARTS = 2000  # a county's workbook with a sheet for each school has a few hundred
# Deflate reaches 1030:1 on nothing but zeros; the emptiest real sheets (formatted, no text) stay under 100:1.
MAX_RATIO = 200
_RATIO_MATTERS_ABOVE = 1024 * 1024
_MB = 1024 * 1024
_HEAD = 2048  # bytes; a document type stands before the first element

# What the zip module raises over a damaged file.
BROKEN = (KeyError, EOFError, OSError, ValueError, NotImplementedError, OverflowError, zipfile.BadZipFile, zlib.error)

Format = Literal["xlsx", "xls"]

_CURE = "请在 Excel 或 WPS 中打开原表，用“另存为”选择“Excel 工作簿（*.xlsx）”，再上传。"
LOCKED = "这个工作簿设有打开密码。请在 Excel 或 WPS 中取消密码（文件—信息—保护工作簿），保存后再上传。"


class WorkbookRefused(ValidationError):
    """The file is not a workbook we read; nothing has been stored. The sentence says why and what to do."""


@dataclass(frozen=True)
class Bounds:
    """How large a workbook may be: rows and columns by position, bytes as sent, bytes unzipped, seconds to read."""

    max_rows: int
    max_columns: int
    max_bytes: int
    seconds: int
    max_unzipped: int = 100 * _MB


ROSTER_BOUNDS = Bounds(max_rows=20_000, max_columns=60, max_bytes=10 * _MB, seconds=30)
COUNTY_BOUNDS = Bounds(max_rows=200_000, max_columns=60, max_bytes=40 * _MB, seconds=90, max_unzipped=300 * _MB)
LIST_BOUNDS = Bounds(max_rows=100_000, max_columns=80, max_bytes=20 * _MB, seconds=60, max_unzipped=200 * _MB)


def check(content: bytes, bounds: Bounds) -> Format:
    """Which of the two formats this is, after all checks that need no unpacking. Raises WorkbookRefused."""
    if len(content) > bounds.max_bytes:
        raise WorkbookRefused(
            f"这个文件有 {len(content) / _MB:.1f} MB，最多读 {bounds.max_bytes // _MB} MB。请分成几个文件，分别上传。"
        )
    if content.startswith(_OLE):
        _refuse_other_compounds(content)
        return "xls"
    with open_package(content, bounds) as package:
        _refuse_doctypes(package)
    return "xlsx"


def open_package(content: bytes, bounds: Bounds = ROSTER_BOUNDS) -> zipfile.ZipFile:
    """The parts of an .xlsx file, after all checks. Raises WorkbookRefused."""
    _refuse_other_formats(content)
    # Counted in the raw bytes first: the zip module would make an object for each of a million entries.
    if content.count(b"PK\x01\x02") > MAX_PARTS:
        raise WorkbookRefused(f"这个文件里的部件超过 {MAX_PARTS} 个，不像正常的名册。{_CURE}")
    try:
        package = zipfile.ZipFile(io.BytesIO(content))
    except BROKEN as error:
        raise damaged() from error
    _refuse_unsafe_parts(package.infolist(), bounds.max_unzipped)
    _refuse_other_packages(package)
    return package


def damaged() -> WorkbookRefused:
    return WorkbookRefused("这个 Excel 文件不完整或已损坏，打不开。" + _CURE)


def _refuse_other_formats(content: bytes) -> None:
    if not content:
        raise WorkbookRefused("这个文件是空的（0 字节）。请检查是否选错了文件，再上传。")
    if content.startswith(b"PK\x03\x04"):
        return
    if content.startswith(_OLE):
        _refuse_other_compounds(content)
        raise WorkbookRefused("这是旧版 Excel（.xls）或 WPS 表格（.et）文件，这里只收 .xlsx。" + _CURE)
    if content.startswith(b"%PDF"):
        raise WorkbookRefused("这是 PDF 文件，不是 Excel 工作簿。请上传原来的 Excel 文件。")
    if content.startswith(b"{\\rtf"):
        raise WorkbookRefused("这是 RTF 文档，不是 Excel 工作簿。请上传原来的 Excel 文件。")
    head = content[:4096].replace(b"\0", b"").lower()  # UTF-16 among them
    if any(mark in head for mark in _WEB_MARKS):
        raise WorkbookRefused(
            "这其实是网页或 XML 格式的表格，只是扩展名写成了 Excel（很多业务系统导出的 .xls 是这样）。" + _CURE
        )
    if _is_text(content[:4096]):
        raise WorkbookRefused("这是文本文件（如 .txt、.csv），不是 Excel 工作簿；改扩展名没有用。" + _CURE)
    raise WorkbookRefused("这个文件不是 Excel 工作簿（.xlsx 或 .xls）。" + _CURE)


# A compound file: an .xls or .et, an encrypted .xlsx, an old Word file. The names of its streams tell which.
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_WEB_MARKS = (b"<html", b"<table", b"<?xml", b"<!doctype", b"mime-version:", b"<style", b"<meta")


def _refuse_other_compounds(content: bytes) -> None:
    def holds(stream: str) -> bool:
        return stream.encode("utf-16-le") in content

    if holds("EncryptedPackage") or _is_encrypted_stream(content):
        raise WorkbookRefused(LOCKED)
    if holds("_VBA_PROJECT_CUR"):
        raise WorkbookRefused("这个工作簿带有宏，为安全起见不接收。" + _CURE)
    if holds("Workbook") or holds("Book"):
        return
    if holds("WordDocument") or holds("PowerPoint Document"):
        raise WorkbookRefused("这是 Word 或演示文稿，不是 Excel 工作簿。请把表格复制到 Excel 中，保存后再上传。")
    raise damaged()


# How the stream of an .xls begins: BOF, of Excel 97 on and of Excel 95.
_BEGINNINGS = (b"\x09\x08\x10\x00\x00\x06\x05\x00", b"\x09\x08\x08\x00\x00\x05\x05\x00")
_FILEPASS = 0x2F


def _is_encrypted_stream(content: bytes) -> bool:
    """Whether one of the first records of the .xls says that the rest needs a password."""
    place = max(content.find(beginning) for beginning in _BEGINNINGS)
    for _ in range(6 if place >= 0 else 0):
        kind, length = int.from_bytes(content[place : place + 2], "little"), content[place + 2 : place + 4]
        if kind == _FILEPASS:
            return True
        place += 4 + int.from_bytes(length, "little")
    return False


def _is_text(head: bytes) -> bool:
    for encoding in ("utf-8", "gb18030", "utf-16"):
        try:
            # Cut a possible half character at the end of the sample.
            text = head.decode(encoding, "strict" if len(head) < 4096 else "ignore")
        except UnicodeDecodeError:
            continue
        if text and sum(c.isprintable() or c in "\r\n\t\ufeff" for c in text) >= 0.95 * len(text):
            return True
    return False


def _refuse_unsafe_parts(parts: list[zipfile.ZipInfo], max_unzipped: int) -> None:
    if any(part.flag_bits & 0x1 for part in parts):
        raise WorkbookRefused("这个文件设有密码。请取消密码后再上传。")
    if len({part.filename for part in parts}) != len(parts) or any(
        part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts
    ):
        raise damaged()
    unzipped = sum(part.file_size for part in parts)
    if unzipped > max_unzipped or any(_is_bomb(part) for part in parts):
        raise WorkbookRefused(
            f"这个文件压缩前有 {unzipped / 1024 / 1024:.0f} MB，远大于正常的名册，系统没有打开它。"
            "请新建一个工作簿，只把有内容的行列复制过去，另存为 .xlsx 再上传。"
        )


def _is_bomb(part: zipfile.ZipInfo) -> bool:
    return part.file_size > _RATIO_MATTERS_ABOVE and part.file_size > MAX_RATIO * max(part.compress_size, 1)


def _refuse_other_packages(package: zipfile.ZipFile) -> None:
    names = {name.lower() for name in package.namelist()}
    if "[content_types].xml" not in names:
        raise WorkbookRefused("这是压缩包，不是 Excel 工作簿。请解压后上传里面的 .xlsx 文件。")
    types = read_part(package, "[Content_Types].xml").lower()
    if b"macroenabled" in types or b"vbaproject" in types or any(n.endswith("vbaproject.bin") for n in names):
        raise WorkbookRefused("这个工作簿带有宏（.xlsm），为安全起见不接收。" + _CURE)
    if b"sheet.binary" in types:
        raise WorkbookRefused("这是二进制工作簿（.xlsb），系统不读。" + _CURE)
    if not any(name.startswith("xl/") for name in names):
        raise WorkbookRefused("这个文件不是 Excel 工作簿（可能是 Word 或演示文稿）。" + _CURE)


def read_part(package: zipfile.ZipFile, name: str, *, at_most: int = 1024 * 1024) -> bytes:
    """One small part, whole; `damaged` when it is absent, broken or larger than a part of its kind can be."""
    try:
        if package.getinfo(name).file_size > at_most:
            raise damaged()
        return package.read(name)
    except BROKEN as error:
        raise damaged() from error


def _refuse_doctypes(package: zipfile.ZipFile) -> None:
    for part in package.infolist():
        if part.filename.lower().endswith((".xml", ".rels")):
            try:
                with package.open(part) as stream:
                    head = stream.read(_HEAD)
            except BROKEN as error:
                raise damaged() from error
            if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
                refuse_doctype()


def refuse_doctype(*declaration: object) -> None:
    raise WorkbookRefused(
        "这个文件内含实体声明，正常的 Excel 文件不会有，系统没有打开它。请用 Excel 或 WPS 重新另存一份。"
    )


@dataclass(frozen=True)
class SheetPart:
    """A worksheet and the part that holds it."""

    name: str
    part: str
    relation: str  # its id in the workbook's relations


@dataclass(frozen=True)
class Relation:
    id: str
    kind: str  # the last word of its type: "worksheet", "styles"
    target: str  # the part's name, from the root of the package


def parse(data: bytes, start: Callable[[str, dict[str, str]], None]) -> None:
    """Call `start` with each element's name without prefix, and its attributes. Refuses any DTD."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = lambda name, attributes: start(name.rpartition(":")[2], attributes)
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise damaged() from error


def relations(package: zipfile.ZipFile, part: str) -> list[Relation]:
    """The relations of a part ("" is the package itself), those to outside left out."""
    path = PurePosixPath(part)
    name = relations_part(part)
    found: list[Relation] = []

    def relation(element: str, attributes: dict[str, str]) -> None:
        if element == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            whole = PurePosixPath("/", *(() if not part else path.parent.parts), target)
            found.append(
                Relation(attributes.get("Id", ""), attributes.get("Type", "").rpartition("/")[2], _without_dots(whole))
            )

    if name in package.namelist():
        parse(read_part(package, name), relation)
    return found


def relations_part(part: str) -> str:
    """Where the relations of a part are kept."""
    path = PurePosixPath(part)
    return f"{path.parent}/_rels/{path.name}.rels" if part else "_rels/.rels"


def _without_dots(path: PurePosixPath) -> str:
    """ "/xl/../media/a.png" → "media/a.png"."""
    parts: list[str] = []
    for part in path.parts[1:]:
        if part == "..":
            del parts[-1:]
        else:
            parts.append(part)
    return "/".join(parts)


def workbook_part(package: zipfile.ZipFile) -> str:
    return next((r.target for r in relations(package, "") if r.kind == "officeDocument"), "xl/workbook.xml")


def sheet_parts(package: zipfile.ZipFile) -> list[SheetPart]:
    """The worksheets, in the workbook's order; chart and dialogue sheets left out."""
    home = workbook_part(package)
    targets = {relation.id: relation for relation in relations(package, home)}
    found: list[SheetPart] = []

    def sheet(element: str, attributes: dict[str, str]) -> None:
        if element == "sheet":
            id_ = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            relation = targets.get(id_)
            if relation and relation.kind == "worksheet":
                found.append(SheetPart(attributes.get("name", ""), relation.target, id_))

    parse(read_part(package, home, at_most=8 * _MB), sheet)
    return found


def far_cell(content: bytes, bounds: Bounds) -> tuple[str, int, int] | None:
    """Sheet, row and column of the first filled cell outside the bounds; None when none is found."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            for sheet in sheet_parts(package):
                for letters, digits in _references(package, sheet.part):
                    row, column = int(digits), column_number(letters)
                    if row > bounds.max_rows or column > bounds.max_columns:
                        return sheet.name, row, column
    except (*BROKEN, WorkbookRefused):
        pass
    return None


# A cell with something in it: one that is only formatted closes at once.
_FILLED_CELL = re.compile(rb'<(?:\w+:)?c\s(?:[^<>]*?\s)?r="([A-Z]{1,3})([0-9]{1,7})"(?:[^<>]*[^<>/])?>')
_OVERLAP = 512  # more than the longest start of a cell


def _references(package: zipfile.ZipFile, part: str) -> Iterator[tuple[str, str]]:
    with package.open(part) as stream:
        data = b""
        while piece := stream.read(_MB):
            data = data[-_OVERLAP:] + piece
            for found in _FILLED_CELL.finditer(data):
                yield found[1].decode(), found[2].decode()


def column_number(letters: str) -> int:
    """ "A" → 1, "AA" → 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
