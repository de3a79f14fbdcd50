"""Papers that leave the system: a number and a code first, the files when they are whole, never two of one.

The code is what the public page is asked for; the number follows the year's series, in the form of
GB/T 9704—2012 (发放〔2026〕12号: hexagonal brackets, no zeros in front).
"""

import hashlib
from collections.abc import Sequence
from typing import Literal

import segno
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString, mark_safe

from accounts import audit, clock
from accounts.models import Unit, User
from accounts.redaction import redact

from . import filestore, pdf, signing
from .models import DocumentSeries, IssuedDocument
from .uploads import PDF, XLSX, guard_download
from .vault import VaultError

Facts = Sequence[Sequence[str]]
_WORDS = {
    IssuedDocument.Kind.PAYOUT_SHEET: "发放",
    IssuedDocument.Kind.NOTICE: "公示",
    IssuedDocument.Kind.DOSSIER: "档案",
    IssuedDocument.Kind.MINUTES: "评议",
    IssuedDocument.Kind.HAND_OVER: "交接",
}


class AlreadyIssued(ValidationError):
    """Another content was issued under this number; a change needs a new paper that supersedes the old."""


def reserve(kind: str, *, unit: Unit, facts: Facts = ()) -> IssuedDocument:
    """The next number of the year and a code, for a paper that will be printed with both."""
    year = clock.today().year
    with transaction.atomic():
        series, _ = DocumentSeries.objects.select_for_update().get_or_create(kind=kind, year=year)
        series.last += 1
        series.save(update_fields=["last"])
        return IssuedDocument.objects.create(
            kind=kind,
            unit=unit,
            facts=_checked(facts),
            number=f"{_WORDS[IssuedDocument.Kind(kind)]}〔{year}〕{series.last}号",
        )


def fulfil(document: IssuedDocument, *, pdf: bytes, xlsx: bytes | None, facts: Facts, by: User) -> None:
    """Sign the PDF, store both files, and issue the paper. `pdf` is unsigned; `facts` is label and text.

    Safe to repeat: with the content already issued nothing happens; with any other AlreadyIssued is raised.
    """
    shown = _checked(facts)
    with transaction.atomic():
        held = IssuedDocument.objects.select_for_update(of=("self",)).select_related("unit").get(pk=document.pk)
        if held.state == IssuedDocument.State.RESERVED:
            _issue(held, pdf, xlsx, shown, by=by)
        elif not _same(held, pdf, xlsx, shown):
            raise AlreadyIssued(f"{held.number} 已经签发，内容与这次不同，没有改动。要更改请另出新文件并替代旧文件。")
    document.refresh_from_db()


def supersede(old: IssuedDocument, new: IssuedDocument, *, by: User) -> None:
    """Say on the public page that `new` stands in the place of `old`. Both must have been issued."""
    with transaction.atomic():
        fresh = IssuedDocument.objects.filter(pk=new.pk, state=IssuedDocument.State.ISSUED).exists()
        changed = fresh and IssuedDocument.objects.filter(pk=old.pk, state=IssuedDocument.State.ISSUED).exclude(
            pk=new.pk
        ).update(state=IssuedDocument.State.SUPERSEDED, superseded_by=new)
        if not changed:
            raise ValidationError(f"{old.number} 不能由 {new.number} 替代：两份文件都须是“已签发”。请刷新页面核对。")
        audit.record("document.supersede", old, by=by, unit=old.unit, number=old.number, new=new.number)
    old.refresh_from_db()


def verify_url(document: IssuedDocument) -> str:
    """The address in the QR code."""
    return settings.PUBLIC_URL + reverse("verify_code", args=[document.code])


def qr_svg(document: IssuedDocument) -> SafeString:
    """The QR code as inline SVG, to be sized by the style sheet."""
    code = segno.make(verify_url(document), error="m", micro=False)
    # Drawn by segno from a text of ours: nothing of a user is in it.
    return mark_safe(code.svg_inline(border=0, omitsize=True))  # noqa: S308


def spaced_code(document: IssuedDocument) -> str:
    """The code as it is printed and read aloud: in fours."""
    return " ".join(document.code[start : start + 4] for start in range(0, len(document.code), 4))


def read_pdf(document: IssuedDocument) -> bytes:
    """The signed PDF, the very bytes that were issued; VaultError when the stored file is another."""
    return _read(document.pdf_name, document.pdf_sha256)


def read_xlsx(document: IssuedDocument) -> bytes:
    """As `read_pdf`, for the workbook."""
    return _read(document.xlsx_name, document.xlsx_sha256)


def serve(document: IssuedDocument, form: Literal["pdf", "xlsx"] = "pdf", *, inline: bool = False) -> HttpResponse:
    """One of the files for a browser, under its number. Who may have it is asked by the caller."""
    if form == "pdf":
        response = HttpResponse(read_pdf(document), content_type=PDF)
    else:
        response = HttpResponse(read_xlsx(document), content_type=XLSX)
    shown = inline and form == "pdf"
    response["Content-Disposition"] = str(content_disposition_header(not shown, f"{document.number}.{form}"))
    return guard_download(response)


def _issue(held: IssuedDocument, paper: bytes, xlsx: bytes | None, facts: list[list[str]], *, by: User) -> None:
    """Files first, each whole, then the row that points to them; the row's lock keeps others out meanwhile."""
    signed = signing.sign(paper, contact=verify_url(held))
    name = f"issued/{held.kind}/{held.pk}"
    filestore.put(f"{name}.pdf", signed)
    if xlsx is not None:
        filestore.put(f"{name}.xlsx", xlsx)
    held.pdf_name, held.pdf_sha256, held.pdf_pages = f"{name}.pdf", _sha256(signed), pdf.page_count(signed)
    held.xlsx_name, held.xlsx_sha256 = (f"{name}.xlsx", _sha256(xlsx)) if xlsx is not None else ("", "")
    held.facts, held.state = facts, IssuedDocument.State.ISSUED
    held.issued_at, held.issued_by = clock.now(), by
    held.save(force_update=True)
    audit.record(
        "document.issue", held, by=by, unit=held.unit, number=held.number, sha256=held.pdf_sha256, pages=held.pdf_pages
    )


def _same(held: IssuedDocument, paper: bytes, xlsx: bytes | None, facts: list[list[str]]) -> bool:
    """Whether this content was issued: signing only adds at the end of a PDF, so the paper is its beginning."""
    return (
        held.facts == facts
        and held.xlsx_sha256 == (_sha256(xlsx) if xlsx is not None else "")
        and read_pdf(held).startswith(paper)
    )


def _checked(facts: Facts) -> list[list[str]]:
    """Facts go onto a public page: a number of a person among them is a programming error, found here."""
    shown = [[label, text] for label, text in facts]
    if any(redact(text) != text for _, text in shown):
        raise ValueError("A fact for the public page holds a number of a person.")
    return shown


def _read(name: str, sha256: str) -> bytes:
    if not name:
        raise FileNotFoundError("This paper has no such file.")
    content = filestore.get(name)
    if _sha256(content) != sha256:
        raise VaultError("存放的文件与签发时登记的校验值不符。请从备份中恢复这个文件。")
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
