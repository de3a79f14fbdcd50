"""Form fields for uploads: the cheap checks while the form is still at hand; the gate itself is `uploads`."""

from pathlib import PurePath
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from . import uploads
from .uploadlimit import OversizedFile, limit_of, too_large


class BoundedFileField(forms.FileField):
    """A file that the upload handler may have cut off at the limit."""

    kind = ""
    default_error_messages = {
        "required": "请选择要上传的文件。",
        "empty": "这个文件是空的（0 字节）。请检查是否选错了文件，再上传。",
        "missing": "请选择要上传的文件。",
        "invalid": "没有收到文件，请重新选择后提交。",
        "max_length": "文件名太长，请改短后再上传。",
    }

    def to_python(self, data: Any) -> UploadedFile | None:
        if isinstance(data, OversizedFile):
            raise ValidationError(too_large(data.size or 0, self.kind), code="too_large")
        return super().to_python(data)


class UploadField(BoundedFileField):
    """One file of a kind: offered in the dialogue, refused early by size and extension."""

    def __init__(self, *, kind: str, **kwargs: Any) -> None:
        self.kind = kind
        super().__init__(**kwargs)
        self.help_text = self.help_text or _limits(kind)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "accept": ",".join(uploads.extensions(self.kind))}

    def to_python(self, data: Any) -> UploadedFile | None:
        file = super().to_python(data)
        if file is not None:
            self._check_extension(file)
        return file

    def _check_extension(self, file: UploadedFile) -> None:
        allowed = uploads.extensions(self.kind)
        extension = PurePath(file.name or "").suffix.lower()
        if extension not in allowed:
            raise ValidationError(
                f"这里收 {'、'.join(allowed)} 文件，您选的是“{extension or '没有扩展名'}”。{_cure(extension)}",
                code="extension",
            )


class SeveralFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class UploadsField(UploadField):
    """Several files of one kind in one field (photographs of minutes); cleans to a list."""

    widget = SeveralFiles

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        given = data if isinstance(data, list | tuple) else [data] if data else []
        if not given and not self.required:
            return []
        return [super(UploadsField, self).clean(one, initial) for one in (given or [None])]


class CompareForm(forms.Form):
    """A paper's file, to be compared with what was issued; nothing of it is kept."""

    file = BoundedFileField(
        label="要核对的文件",
        help_text="PDF 或 XLSX，原样上传，不要另存。文件只用来比对，不会保存。",
        widget=forms.ClearableFileInput(attrs={"accept": ".pdf,.xlsx"}),
    )


def _limits(kind: str) -> str:
    return f"可上传 {'、'.join(uploads.extensions(kind))}，不超过 {limit_of(kind) // 1024 // 1024} MB。"


_CURES = {
    ".xlsm": "带宏的工作簿不接收，请另存为“Excel 工作簿（*.xlsx）”。",
    ".csv": "请用 Excel 或 WPS 打开后另存为“Excel 工作簿（*.xlsx）”。",
    ".heic": "请在手机“设置—相机—格式”里选“兼容性最佳”后重拍，或截图后上传。",
    ".doc": "请另存为 PDF 后上传。",
    ".docx": "请另存为 PDF 后上传。",
}


def _cure(extension: str) -> str:
    return _CURES.get(extension, "请重新选择文件。")
