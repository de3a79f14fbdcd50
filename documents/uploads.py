"""Files people send in: looked at by content, never by name; kept sealed; handed out with care.

Who may read an upload is asked by the app that owns the case; here is only the how.
"""

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import content_disposition_header

from accounts import audit, clock
from accounts.models import Unit, User
from accounts.redaction import redact

from . import filestore, papers, pictures
from .models import Upload
from .uploadlimit import OversizedFile, limit_of, too_large
from .xlsx_package import COUNTY_BOUNDS, LIST_BOUNDS
from .xlsx_package import check as check_workbook

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLS = "application/vnd.ms-excel"
PDF, JPEG, PNG = "application/pdf", "image/jpeg", "image/png"
# Controls, and the marks by which a name could show its extension backwards.
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_ORPHAN_SECONDS = 24 * 3600
_FOLDERS = ("uploads", "previews")
# The long side of a preview, in dots. Proofs are ID cards and household registers: at this size a paper is known again
# and no number on it can be read, so that only opening it is a look at a person's number (and leaves an audit row).
_PREVIEW_SIDE = {Upload.Kind.EVIDENCE: 112, Upload.Kind.SIGNED_FORM: 112}
_USUAL_PREVIEW_SIDE = 200


class UploadRefused(ValidationError):
    """The file was not accepted, and nothing of it has been kept. The sentence says why and what to do."""


@dataclass(frozen=True)
class Kept:
    """What is kept of a file: see the fields of Upload."""

    content: bytes
    pages: int | None = None
    left_out: tuple[str, ...] = ()
    preview: bytes = b""


class ExaminedFile(UploadedFile):
    """A file that has been looked at already: what would be kept of it. See `examine`."""

    def __init__(self, name: str, kind: str, kept: Kept, media_type: str) -> None:
        super().__init__(io.BytesIO(kept.content), name, media_type, len(kept.content))
        self.kind, self.kept, self.media_type = kind, kept, media_type


@dataclass(frozen=True)
class Format:
    media_type: str
    extension: str
    label: str
    accept: Callable[[bytes, int], Kept]  # from the content and the long side of a preview; raises ValidationError


def _workbook(content: bytes, long_side: int) -> Kept:
    return Kept(content)


def _pdf(content: bytes, long_side: int) -> Kept:
    if b"%%EOF" not in content[-2048:]:
        raise UploadRefused("这个 PDF 文件不完整，可能没有传完或没有扫描完。请重新导出或重新扫描后上传。")
    paper = papers.write_anew(content, long_side=long_side)
    return Kept(paper.content, paper.pages, paper.left_out, paper.preview)


def _picture(form: pictures.Form) -> Callable[[bytes, int], Kept]:
    def accept(content: bytes, long_side: int) -> Kept:
        clean = pictures.clean(content, form)
        return Kept(clean, preview=pictures.preview(clean, form, long_side))

    return accept


FORMATS: dict[str, Format] = {
    form.media_type: form
    for form in (
        Format(XLSX, ".xlsx", "Excel 工作簿（.xlsx）", _workbook),
        Format(XLS, ".xls", "Excel 97–2003 工作簿（.xls）", _workbook),
        Format(PDF, ".pdf", "PDF", _pdf),
        Format(JPEG, ".jpg", "JPG 照片", _picture("JPEG")),
        Format(PNG, ".png", "PNG 图片", _picture("PNG")),
    )
}
_PAPER = (PDF, JPEG, PNG)
ALLOWED: dict[str, tuple[str, ...]] = {
    Upload.Kind.ROSTER: (XLSX, XLS),
    Upload.Kind.LIST: (XLSX, XLS),
    Upload.Kind.EVIDENCE: _PAPER,
    Upload.Kind.MINUTES: _PAPER,
    Upload.Kind.NOTICE_PHOTO: _PAPER,
    Upload.Kind.SIGNED_SHEET: _PAPER,
    Upload.Kind.SIGNED_FORM: _PAPER,
    Upload.Kind.HAND_OVER: _PAPER,
}
# Workbooks have a gate of their own, which explains what is wrong more closely.
_BOUNDS = {Upload.Kind.ROSTER: COUNTY_BOUNDS, Upload.Kind.LIST: LIST_BOUNDS}


def store(file: UploadedFile, *, kind: str, unit: Unit, by: User) -> Upload:
    """Check the file and keep it, sealed. Whole or not at all: a refusal (ValidationError) leaves nothing.

    Photographs are made anew, without the place and device the camera wrote into them, and PDFs without anything
    that acts, so size and hash are those of what is kept. A small preview is made and sealed beside it.
    """
    kept, media_type = _examine(file, kind=kind)
    content = kept.content
    upload = Upload(
        kind=kind,
        unit=unit,
        original_name=clean_name(file.name or ""),
        media_type=media_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        pages=kept.pages,
        has_preview=bool(kept.preview),
        left_out=" ".join(kept.left_out),
        uploaded_at=clock.now(),
        uploaded_by=by,
    )
    filestore.put(_file_name(upload), content)
    try:
        if kept.preview:
            filestore.put(_preview_name(upload), kept.preview)
        with transaction.atomic():
            upload.save(force_insert=True)
            audit.record("upload.store", upload, by=by, unit=unit, kind=kind, size=upload.size, sha256=upload.sha256)
    except BaseException:
        _remove_files(upload)
        raise
    return upload


def check(file: UploadedFile, *, kind: str) -> tuple[bytes, str]:
    """What would be kept of the file, and its media type. Raises ValidationError; stores nothing."""
    kept, media_type = _examine(file, kind=kind)
    return kept.content, media_type


def examine(file: UploadedFile, *, kind: str) -> ExaminedFile:
    """Look at the file before `store` does: reading a paper takes a second, and a verb holds locks while it stores.
    Raises ValidationError; stores nothing."""
    kept, media_type = _examine(file, kind=kind)
    return ExaminedFile(file.name or "", kind, kept, media_type)


def bind(photographs: Sequence[UploadedFile], *, kind: str) -> UploadedFile:
    """Several photographs, not yet examined, as one PDF in their order. Raises ValidationError."""
    pages = []
    for number, file in enumerate(photographs, start=1):
        content = _content(file, kind)
        media_type = recognise(content)
        if media_type not in (JPEG, PNG):
            raise UploadRefused(
                f"第 {number} 个文件“{clean_name(file.name or '')}”不是 JPG 或 PNG 照片。"
                "一次选几个文件时只能都是照片（会合成一份），PDF 请单独选一个上传。"
            )
        try:
            pages.append(pictures.page_of(content, "JPEG" if media_type == JPEG else "PNG"))
        except ValidationError as error:
            raise UploadRefused(f"第 {number} 张照片：{''.join(error.messages)}") from error
    content = papers.bind(pages)
    name = f"{PurePath(clean_name(photographs[0].name or '')).stem[:100]}等{len(pages)}张.pdf"
    return UploadedFile(io.BytesIO(content), name, PDF, len(content))


def _examine(file: UploadedFile, *, kind: str) -> tuple[Kept, str]:
    if isinstance(file, ExaminedFile) and file.kind == kind:
        return file.kept, file.media_type
    content = _content(file, kind)
    allowed = ALLOWED[kind]
    if bounds := _BOUNDS.get(Upload.Kind(kind)):
        media_type = XLSX if check_workbook(content, bounds) == "xlsx" else XLS
    else:
        media_type = recognise(content)
    if media_type not in allowed:
        raise UploadRefused(_refusal(content, allowed))
    return FORMATS[media_type].accept(content, _PREVIEW_SIDE.get(Upload.Kind(kind), _USUAL_PREVIEW_SIDE)), media_type


def _content(file: UploadedFile, kind: str) -> bytes:
    limit = limit_of(kind)
    if isinstance(file, OversizedFile) or (file.size or 0) > limit:
        raise UploadRefused(too_large(file.size or 0, kind))
    file.seek(0)
    # One byte more than allowed shows that a declared size was a lie.
    content: bytes = file.read(limit + 1)
    if len(content) > limit:
        raise UploadRefused(too_large(len(content), kind))
    if not content:
        raise UploadRefused("这个文件是空的（0 字节）。请检查是否选错了文件，再上传。")
    return content


def recognise(content: bytes) -> str:
    """The media type by the first bytes; "" for what we do not take."""
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    # The standard lets a few bytes stand before the header; scanners' software uses that.
    if b"%PDF-" in content[:1024]:
        return PDF
    return XLSX if content.startswith(b"PK\x03\x04") and b"[Content_Types].xml" in content else ""


def read(upload: Upload) -> bytes:
    """The content, unsealed. VaultError when the stored file was touched, FileNotFoundError when it is gone."""
    return filestore.get(_file_name(upload))


def serve(upload: Upload, *, inline: bool = False) -> HttpResponse:
    """The content for a browser. `inline` shows PDFs and pictures in the page; all else is a download."""
    response = HttpResponse(read(upload), content_type=upload.media_type)
    shown = inline and upload.media_type in _PAPER
    response["Content-Disposition"] = str(content_disposition_header(not shown, upload.original_name))
    return guard_download(response)


def wants_preview(request: HttpRequest) -> bool:
    """Whether the owner's page is asked for the small picture of an upload (`?preview`) and not for the file."""
    return "preview" in request.GET


def serve_preview(upload: Upload) -> HttpResponse:
    """The small picture. Http404 when there is none. Who may read the file was asked, as for the file itself."""
    if not upload.has_preview:
        raise Http404("这个文件没有缩略图。")
    return guard_download(HttpResponse(filestore.get(_preview_name(upload)), content_type=JPEG))


def guard_download(response: HttpResponse) -> HttpResponse:
    """Headers for a file with pupils' data: not kept by any cache, not guessed at by the browser."""
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def discard(upload: Upload, *, by: User | None = None) -> None:
    """Take an upload back: the row in this transaction, the files once it is committed."""
    gone = Upload(pk=upload.pk)  # deleting takes the key from the row at hand
    with transaction.atomic():
        audit.record("upload.discard", upload, by=by, unit=upload.unit, kind=upload.kind, sha256=upload.sha256)
        upload.delete()
        transaction.on_commit(lambda: _remove_files(gone))


def sweep_orphans() -> int:
    """Remove stored files whose row was rolled back; a day's grace for those still being written. How many."""
    known = {str(pk) for pk in Upload.objects.values_list("pk", flat=True)}
    stored = [name for folder in _FOLDERS for name in filestore.names(folder, untouched_for=_ORPHAN_SECONDS)]
    orphans = [name for name in stored if name.partition("/")[2] not in known]
    for name in orphans:
        filestore.remove(name)
    return len(orphans)


def clean_name(name: str) -> str:
    """A file name fit to be shown: without path, invisible characters and numbers of persons."""
    base = _INVISIBLE.sub("", re.split(r"[\\/]", name)[-1]).strip()
    return redact(base)[-150:] or "未命名"


def is_paper(kind: str) -> bool:
    """Whether the kind is a paper that may be photographed, and not a workbook."""
    return ALLOWED[kind] == _PAPER


def extensions(kind: str) -> list[str]:
    """Extensions a file dialogue should offer for this kind."""
    found = [FORMATS[media_type].extension for media_type in ALLOWED[kind]]
    # The same formats under other names; .et is what WPS calls an .xls.
    return found + [other for own, other in ((".jpg", ".jpeg"), (".xls", ".et")) if own in found]


def _refusal(content: bytes, allowed: tuple[str, ...]) -> str:
    labels = "、".join(FORMATS[media_type].label for media_type in allowed)
    if content[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"):
        return (
            "这是苹果手机的 HEIC 照片，多数电脑打不开。请在手机“设置—相机—格式”里选“兼容性最佳”后重拍，"
            "或把照片截图后上传。"
        )
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return f"这里不收 Word、Excel 或压缩文件，只收 {labels}。请另存为 PDF，或打印签字后拍照上传。"
    return f"这个文件的内容不是 {labels}（改扩展名没有用）。请重新导出、扫描或拍照后上传。"


def _file_name(upload: Upload) -> str:
    return f"{_FOLDERS[0]}/{upload.pk}"


def _preview_name(upload: Upload) -> str:
    return f"{_FOLDERS[1]}/{upload.pk}"


def _remove_files(upload: Upload) -> None:
    filestore.remove(_file_name(upload))
    filestore.remove(_preview_name(upload))
