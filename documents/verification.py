"""What the public page says of a paper: genuine, altered, superseded, not issued yet, or unknown."""

import hashlib
import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.core.exceptions import ValidationError

from . import issuing, signing, workbooks
from .models import IssuedDocument
from .vault import VaultError
from .xlsx_package import BROKEN, Bounds, open_package

_CODE = re.compile(r"[2-9A-HJKMNP-Z]{16}")
# In a signature's text the slash may be written as \\057.
_CODE_IN_BYTES = re.compile(rb"verify(?:/|\\057)([2-9A-HJKMNP-Z]{16})(?:/|\\057)")
_MOST_CANDIDATES = 50
# Anybody may ask: no more is read than a paper of ours can be.
_PAPER_BOUNDS = Bounds(max_rows=5_000, max_columns=60, max_bytes=10 * 1024 * 1024, seconds=10)


class Verdict(StrEnum):
    GENUINE = "genuine"
    SUPERSEDED = "superseded"
    ALTERED = "altered"
    NOT_ISSUED = "not_issued"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """The answer. `document` is the paper it is about, if there is one; `sentence` says why."""

    verdict: Verdict
    sentence: str
    document: IssuedDocument | None = None

    @property
    def facts(self) -> list[list[str]]:
        """What may be shown of the paper: nothing before it is issued, never a name."""
        return self.document.facts if self.document and self.verdict != Verdict.NOT_ISSUED else []


def normalise_code(text: str) -> str:
    """A code as typed from paper: any case, with spaces or dashes."""
    return re.sub(r"[\s\-—·]", "", text).upper()


def code_in(text: str) -> str:
    """The code somebody entered, be it the whole address behind the QR code; else what can stand in an address."""
    typed = normalise_code(text)
    found = _CODE.findall(typed)
    return found[-1] if found else re.sub(r"\W", "", typed)[:40]


def look_up(code: str) -> Finding:
    """What is known of the code printed on a paper."""
    document = None
    if _CODE.fullmatch(code):
        document = IssuedDocument.objects.select_related("superseded_by").filter(code=code).first()
    if document is None:
        return Finding(Verdict.UNKNOWN, "没有查到这个查验码。请核对是否抄错；确实没有的，这份文件不是本系统签发的。")
    return _standing(document)


def compare(content: bytes) -> Finding:
    """Whether a file is, byte for byte, one that was issued; if not, whether it was made from one."""
    digest = hashlib.sha256(content).hexdigest()
    is_pdf = b"%PDF-" in content[:1024]
    field = "pdf_sha256" if is_pdf else "xlsx_sha256"
    document = IssuedDocument.objects.select_related("superseded_by").filter(**{field: digest}).first()
    if document is None:
        return _from_ours(content, is_pdf=is_pdf)
    if is_pdf and not (report := signing.check(content)).valid:
        # The bytes are ours, so it is the key that is not: an inspector must hear of it.
        why = f"文件与签发时一致，但数字签名无效：{report.reason}请联系县学生资助中心。"
        return Finding(Verdict.ALTERED, why, document)
    return _standing(document)


def _standing(document: IssuedDocument) -> Finding:
    if document.state == IssuedDocument.State.RESERVED:
        return Finding(Verdict.NOT_ISSUED, "这个编号的文件正在生成，尚未签发。请稍后再查。", document)
    if document.state == IssuedDocument.State.SUPERSEDED:
        new = document.superseded_by.number if document.superseded_by else ""
        return Finding(Verdict.SUPERSEDED, f"这份文件曾经签发，现已由 {new} 替代，不再有效。", document)
    return Finding(Verdict.GENUINE, "这份文件由本系统签发，现行有效。请核对下列内容与手中的文件是否一致。", document)


def _from_ours(content: bytes, *, is_pdf: bool) -> Finding:
    codes = _codes_in_pdf(content) if is_pdf else _codes_in_workbook(content)
    document = IssuedDocument.objects.filter(code__in=codes).exclude(state=IssuedDocument.State.RESERVED).first()
    if document is not None:
        why = _difference(document, content, is_pdf=is_pdf)
        sentence = f"这个文件带有 {document.number} 的查验码，但与签发时不同：{why}请勿使用，并向县学生资助中心反映。"
        return Finding(Verdict.ALTERED, sentence, document)
    if is_pdf and signing.names_our_certificate(content):
        return Finding(Verdict.ALTERED, "这个文件带有本县的数字签名，但已被改动。请勿使用，并向县学生资助中心反映。")
    return Finding(
        Verdict.UNKNOWN,
        "这个文件不是本系统签发的原文件。如果它是扫描件、照片或另存的文件，请用纸上的查验码查询，再与页面内容逐项核对。",
    )


def _difference(document: IssuedDocument, content: bytes, *, is_pdf: bool) -> str:
    """In what way the file differs from the one that was issued, as far as bytes can tell."""
    try:
        issued = issuing.read_pdf(document) if is_pdf else issuing.read_xlsx(document)
    except (OSError, VaultError):
        return "文件的校验值不符。"
    if content.startswith(issued):
        return f"签名之后，文件末尾被添加了 {len(content) - len(issued)} 个字节。"
    if issued.startswith(content):
        return f"文件不完整，缺少末尾 {len(issued) - len(content)} 个字节。"
    if len(content) == len(issued):
        return f"有 {sum(a != b for a, b in zip(content, issued, strict=True))} 个字节被改动。"
    return "文件被编辑或另存过。"


def _codes_in_pdf(content: bytes) -> list[str]:
    """Codes in the addresses a paper carries in its signature, where they stand uncompressed."""
    return _distinct(code.decode() for code in _CODE_IN_BYTES.findall(content))


def _codes_in_workbook(content: bytes) -> list[str]:
    """Codes in the workbook's keywords and cells; none when it cannot be read."""
    found: list[str] = []
    try:
        with open_package(content) as package:
            if "docProps/core.xml" in package.namelist():
                with package.open("docProps/core.xml") as keywords:  # may be far larger than it is packed
                    found += _CODE.findall(keywords.read(100_000).decode("utf-8", "replace"))
        with workbooks.open_workbook(content, _PAPER_BOUNDS) as book:
            for index in range(len(book.sheets)):
                for values in _first_and_last(values for _, values in book.rows(index)):
                    found += _CODE.findall(" ".join(normalise_code(workbooks.text_of(value)) for value in values))
    except (ValidationError, *BROKEN):
        pass
    return _distinct(found)


def _first_and_last(rows: Iterator[list[workbooks.Value]]) -> Iterator[list[workbooks.Value]]:
    """The first ten rows and the last ten."""
    yield from itertools.islice(rows, 10)
    yield from deque(rows, maxlen=10)


def _distinct(codes: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(codes))[:_MOST_CANDIDATES]
