"""Form fields for uploads: the cheap checks while the form is still at hand; the gate itself is `uploads`."""

from pathlib import PurePath
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from . import uploads
from .uploadlimit import OversizedFile, limit_of, too_large

# In one field at one time; what a proof of several pages needs.
MAX_PHOTOGRAPHS = 12


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


class PaperInput(forms.ClearableFileInput):
    """Files of a paper: chosen, or photographed at once on a phone (a second field of the same name).

    static/aid.js makes photographs smaller before they are sent; without it they are sent as they are.
    """

    template_name = "documents/_paper_input.html"
    allow_multiple_selected = True

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"]["camera_id"] = f"{context['widget']['attrs'].get('id', name)}_camera"
        return context


class UploadField(BoundedFileField):
    """One file of a kind: offered in the dialogue, refused early by size and extension.

    A paper may be photographed page by page: several photographs become one PDF. It is examined here, before the
    verb takes its locks, and a refusal stands at the field.
    """

    def __init__(self, *, kind: str, **kwargs: Any) -> None:
        self.kind = kind
        self.is_paper = uploads.is_paper(kind)
        if self.is_paper:
            kwargs.setdefault("widget", PaperInput)
        super().__init__(**kwargs)
        told = self.help_text
        self.help_text = f"{told}{_limits(kind)}{self.photographs()}" if self.is_paper else told or _limits(kind)

    def photographs(self) -> str:
        """How many photographs may be given, in words."""
        return f"可以拍几页，最多 {MAX_PHOTOGRAPHS} 张，会合成一份。" if self.is_paper else ""

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        attrs = {**super().widget_attrs(widget), "accept": ",".join(uploads.extensions(self.kind))}
        if self.is_paper:
            attrs |= {"data-photographs": MAX_PHOTOGRAPHS, "data-max-bytes": limit_of(self.kind)}
        return attrs

    def clean(self, data: Any, initial: Any = None) -> UploadedFile | None:
        given = _as_list(data)
        if len(given) < 2:
            file = super().clean(given[0] if given else None, initial)
        else:
            _refuse_too_many(given)
            file = uploads.bind([super(UploadField, self).clean(one, initial) for one in given], kind=self.kind)
        return uploads.examine(file, kind=self.kind) if file and self.is_paper else file

    def has_changed(self, initial: Any, data: Any) -> bool:
        return not self.disabled and bool(data)

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


class UploadsField(UploadField):
    """Several files of one kind in one field (photographs of minutes), each for itself; cleans to a list."""

    def photographs(self) -> str:
        return f"可以选几个，最多 {MAX_PHOTOGRAPHS} 个。"

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:  # type: ignore[override]
        given = _as_list(data)
        if not given and not self.required:
            return []
        _refuse_too_many(given)
        cleaned = [super(UploadsField, self).clean(one, initial) for one in (given or [None])]
        return [file for file in cleaned if file is not None]


class CompareForm(forms.Form):
    """A paper's file, to be compared with what was issued; nothing of it is kept."""

    file = BoundedFileField(
        label="要核对的文件",
        help_text="PDF 或 XLSX，原样上传，不要另存。文件只用来比对，不会保存。",
        widget=forms.ClearableFileInput(attrs={"accept": ".pdf,.xlsx"}),
    )


def _as_list(data: Any) -> list[Any]:
    return list(data) if isinstance(data, list | tuple) else [data] if data else []


def _refuse_too_many(given: list[Any]) -> None:
    if len(given) > MAX_PHOTOGRAPHS:
        raise ValidationError(
            f"一次选了 {len(given)} 个文件，最多 {MAX_PHOTOGRAPHS} 个。请分几次上传，或扫描成一个 PDF。",
            code="too_many",
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
