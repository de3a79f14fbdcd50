"""The gate before an uploaded workbook: what kind of file it is, and whether it is safe to open.

Everything here looks only at the first bytes and the directory of the zip file; nothing is unpacked.
"""

import io
import zipfile
import zlib

from django.core.exceptions import ValidationError

MAX_PARTS = 200
MAX_UNZIPPED = 100 * 1024 * 1024
# Deflate reaches 1030:1 on nothing but zeros; the emptiest real sheets (formatted, no text) stay under 100:1.
MAX_RATIO = 200
_RATIO_MATTERS_ABOVE = 1024 * 1024

# What the zip module raises over a damaged file.
BROKEN = (KeyError, EOFError, OSError, ValueError, NotImplementedError, OverflowError, zipfile.BadZipFile, zlib.error)

_CURE = "请在 Excel 或 WPS 中打开原表，用“另存为”选择“Excel 工作簿（*.xlsx）”，再上传。"


class WorkbookRefused(ValidationError):
    """The file is not a workbook we read; nothing has been stored. The sentence says why and what to do."""


def open_package(content: bytes) -> zipfile.ZipFile:
    """The workbook's parts, after all checks. Raises WorkbookRefused."""
    _refuse_other_formats(content)
    # Counted in the raw bytes first: the zip module would make an object for each of a million entries.
    if content.count(b"PK\x01\x02") > MAX_PARTS:
        raise WorkbookRefused(f"这个文件里的部件超过 {MAX_PARTS} 个，不像正常的名册。{_CURE}")
    try:
        package = zipfile.ZipFile(io.BytesIO(content))
    except BROKEN as error:
        raise damaged() from error
    _refuse_unsafe_parts(package.infolist())
    _refuse_other_packages(package)
    return package


def damaged() -> WorkbookRefused:
    return WorkbookRefused("这个 Excel 文件不完整或已损坏，打不开。" + _CURE)


def _refuse_other_formats(content: bytes) -> None:
    if not content:
        raise WorkbookRefused("这个文件是空的（0 字节）。请检查是否选错了文件，再上传。")
    if content.startswith(b"PK\x03\x04"):
        return
    if content.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        raise WorkbookRefused(_name_old_format(content))
    if content.startswith(b"%PDF"):
        raise WorkbookRefused("这是 PDF 文件，不是 Excel 工作簿。请上传原来的 Excel 文件。")
    head = content[:4096].lower()
    if b"<html" in head or b"<table" in head or b"<?xml" in head:
        raise WorkbookRefused("这是网页或 XML 格式的表格，只是改了扩展名，不是 Excel 工作簿。" + _CURE)
    if _is_text(content[:4096]):
        raise WorkbookRefused("这是文本文件（如 .txt、.csv），不是 Excel 工作簿；改扩展名没有用。" + _CURE)
    raise WorkbookRefused("这个文件不是 Excel 工作簿（.xlsx）。" + _CURE)


def _name_old_format(content: bytes) -> str:
    # A password-protected .xlsx and an old .xls share their first bytes (a compound file); stream names differ.
    if "EncryptedPackage".encode("utf-16-le") in content:
        return "这个工作簿设有打开密码。请在 Excel 或 WPS 中取消密码（文件—信息—保护工作簿），保存后再上传。"
    return "这是旧版 Excel（.xls）或 WPS 表格（.et）文件，系统只读 .xlsx。" + _CURE


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


def _refuse_unsafe_parts(parts: list[zipfile.ZipInfo]) -> None:
    if any(part.flag_bits & 0x1 for part in parts):
        raise WorkbookRefused("这个文件设有密码。请取消密码后再上传。")
    if len({part.filename for part in parts}) != len(parts) or any(
        part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts
    ):
        raise damaged()
    unzipped = sum(part.file_size for part in parts)
    if unzipped > MAX_UNZIPPED or any(_is_bomb(part) for part in parts):
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
        raise WorkbookRefused("这是二进制工作簿（.xlsb），系统只读 .xlsx。" + _CURE)
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
