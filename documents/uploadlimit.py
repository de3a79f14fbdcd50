"""The bound on what a browser may send: read on, keep nothing, and say so in the form.

Django's own handlers spool a file of any size to the disk before a form sees it. This one stops keeping at
the limit and goes on reading, so that the person gets the form back with a sentence and everything typed
still in it (a server that hangs up shows "connection reset" instead). Set as the only upload handler.
"""

import io
from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.core.files.uploadedfile import InMemoryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest

from .models import Upload
from .xlsx_package import COUNTY_BOUNDS, LIST_BOUNDS

View = TypeVar("View", bound=Callable)

# Several photographs may come in one form; together they may take this many times the limit of one file.
FILES_AT_ONCE = 4

# Bytes; every other kind has settings.UPLOAD_MAX_BYTES. Only pages marked with `takes` let as much in.
_LARGER = {Upload.Kind.ROSTER: COUNTY_BOUNDS.max_bytes, Upload.Kind.LIST: LIST_BOUNDS.max_bytes}


def limit_of(kind: str) -> int:
    """The most bytes a file of this kind may have."""
    return _LARGER.get(Upload.Kind(kind), settings.UPLOAD_MAX_BYTES) if kind else settings.UPLOAD_MAX_BYTES


def takes(kind: str) -> Callable[[View], View]:
    """Mark a view that receives files of a kind with a larger limit; stands below the other decorators."""

    def mark(view: View) -> View:
        view.upload_kind = kind  # type: ignore[attr-defined]
        return view

    return mark


class OversizedFile(UploadedFile):
    """Stands where the file would be: its name and how large it was, and no content."""

    def __init__(self, name: str, size: int) -> None:
        super().__init__(file=io.BytesIO(), name=name, size=size)


class BoundedUploadHandler(FileUploadHandler):
    """Keeps a file in memory up to the limit; beyond it, counts."""

    def __init__(self, request: HttpRequest | None = None) -> None:
        super().__init__(request)
        self.kept_of_all = 0
        # The address has been resolved before anything asks for the body.
        match = getattr(request, "resolver_match", None)
        self.limit = limit_of(getattr(match.func, "upload_kind", "") if match else "")
        self.limit_of_all = max(FILES_AT_ONCE * settings.UPLOAD_MAX_BYTES, self.limit)

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.kept: list[bytes] | None = []
        self.kept_of_this = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self.kept is None:
            return
        self.kept_of_this += len(raw_data)
        self.kept_of_all += len(raw_data)
        if self.kept_of_this > self.limit or self.kept_of_all > self.limit_of_all:
            self.kept_of_all -= self.kept_of_this
            self.kept = None
        else:
            self.kept.append(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile:
        if self.kept is None:
            return OversizedFile(self.file_name or "", file_size)
        return InMemoryUploadedFile(
            io.BytesIO(b"".join(self.kept)),
            self.field_name,
            self.file_name,
            self.content_type,
            file_size,
            self.charset,
            self.content_type_extra,
        )


def too_large(size: int, kind: str = "") -> str:
    """The sentence for a file beyond the limit of its kind."""
    limit = limit_of(kind)
    if size <= limit:
        together = max(FILES_AT_ONCE * settings.UPLOAD_MAX_BYTES, limit) // 1024 // 1024
        return f"一次上传的文件合计太大（最多 {together} MB），没有保存。请分几次上传。"
    return f"这个文件有 {size / 1024 / 1024:.1f} MB，超过单个文件 {limit // 1024 // 1024} MB 的上限，没有保存。" + (
        "请分成几个文件，或只把有内容的行列复制到新的工作簿里，再上传。"
        if kind in _LARGER
        else "请压缩图片、降低扫描分辨率（150–200 dpi 即可）或分成几个文件后再上传。"
    )
