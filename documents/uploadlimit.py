"""The bound on what a browser may send: read on, keep nothing, and say so in the form.

Django's own handlers spool a file of any size to the disk before a form sees it. This one stops keeping at
the limit and goes on reading, so that the person gets the form back with a sentence and everything typed
still in it (a server that hangs up shows "connection reset" instead). Set as the only upload handler.
"""

import io

from django.conf import settings
from django.core.files.uploadedfile import InMemoryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

# Several photographs may come in one form; together they may take this many times the limit of one file.
FILES_AT_ONCE = 4


class OversizedFile(UploadedFile):
    """Stands where the file would be: its name and how large it was, and no content."""

    def __init__(self, name: str, size: int) -> None:
        super().__init__(file=io.BytesIO(), name=name, size=size)


class BoundedUploadHandler(FileUploadHandler):
    """Keeps a file in memory up to the limit; beyond it, counts."""

    def __init__(self, request=None) -> None:
        super().__init__(request)
        self.kept_of_all = 0

    def new_file(self, *args, **kwargs) -> None:
        super().new_file(*args, **kwargs)
        self.kept: list[bytes] | None = []
        self.kept_of_this = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self.kept is None:
            return
        self.kept_of_this += len(raw_data)
        self.kept_of_all += len(raw_data)
        limit = settings.UPLOAD_MAX_BYTES
        if self.kept_of_this > limit or self.kept_of_all > FILES_AT_ONCE * limit:
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


def too_large(size: int) -> str:
    """The sentence for a file beyond the limit."""
    limit = settings.UPLOAD_MAX_BYTES // 1024 // 1024
    if size <= settings.UPLOAD_MAX_BYTES:
        return f"一次上传的文件合计太大（最多 {FILES_AT_ONCE * limit} MB），没有保存。请分几次上传。"
    return (
        f"这个文件有 {size / 1024 / 1024:.1f} MB，超过单个文件 {limit} MB 的上限，没有保存。"
        "请压缩图片、降低扫描分辨率（150–200 dpi 即可）或分成几个文件后再上传。"
    )
