"""Too large a file: nothing of it is kept, and the form still knows what was typed."""

import io
import random
import tracemalloc

import pytest
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory
from django.urls import ResolverMatch, get_resolver, reverse

from accounts.access import desk
from documents.forms import UploadField, UploadsField
from documents.models import Upload
from documents.uploadlimit import OversizedFile, limit_of, takes
from tests.documents.books import replace

LIMIT = 10 * 1024 * 1024


class Endless(io.RawIOBase):
    """A request body of any size that is never in memory."""

    def __init__(self, head: bytes, filling: int, tail: bytes) -> None:
        self.parts = [head, filling, tail]

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "the body must never be asked for whole"
        while self.parts:
            part = self.parts[0]
            if isinstance(part, int):
                taken = min(size, part)
                self.parts[0] = part - taken
                if taken:
                    return b"x" * taken
            else:
                self.parts[0] = part[size:]
                if part:
                    return part[:size]
            self.parts.pop(0)
        return b""


def post(size: int, name: str = "a.pdf"):
    """A form with a typed note and a file of that size, as a browser sends it."""
    head = (
        '--X\r\nContent-Disposition: form-data; name="note"\r\n\r\n打字的内容\r\n'
        f'--X\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/pdf\r\n\r\n"
    ).encode()
    tail = b"\r\n--X--\r\n"
    environment = {
        "CONTENT_TYPE": "multipart/form-data; boundary=X",
        "CONTENT_LENGTH": len(head) + size + len(tail),
        "wsgi.input": Endless(head, size, tail),
    }
    return RequestFactory().post("/", **environment)


class NoteForm(forms.Form):
    note = forms.CharField()
    file = UploadField(kind=Upload.Kind.EVIDENCE)


class RosterForm(NoteForm):
    file = UploadField(kind=Upload.Kind.ROSTER)


def test_two_hundred_megabytes_are_refused_in_little_memory():
    tracemalloc.start()
    request = post(200 * 1024 * 1024)
    form = NoteForm(request.POST, request.FILES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert form.errors["file"] == [
        "这个文件有 200.0 MB，超过单个文件 10 MB 的上限，没有保存。"
        "请压缩图片、降低扫描分辨率（150–200 dpi 即可）或分成几个文件后再上传。"
    ]
    assert form["note"].value() == "打字的内容"
    assert isinstance(request.FILES["file"], OversizedFile)
    assert peak < 3 * LIMIT


def test_a_file_at_the_limit_is_kept_whole():
    request = post(LIMIT)
    form = NoteForm(request.POST, request.FILES)
    assert "改扩展名没有用" in form.errors["file"][0]  # looked at, so not too large
    assert request.FILES["file"].read() == b""
    request.FILES["file"].seek(0)
    assert request.FILES["file"].read() == b"x" * LIMIT


@takes(Upload.Kind.ROSTER)
def roster_page(request):
    """Where rosters are sent."""


def post_roster(size: int):
    request = post(size, "名册.xlsx")
    request.resolver_match = ResolverMatch(desk()(roster_page), (), {})
    return request


def test_a_page_for_rosters_lets_larger_files_in():
    request = post_roster(4 * LIMIT)
    assert request.FILES["file"].size == 4 * LIMIT
    assert RosterForm(request.POST, request.FILES).is_valid()


def test_beyond_its_own_limit_a_roster_is_refused_with_the_limit_of_rosters():
    request = post_roster(4 * LIMIT + 1)
    form = RosterForm(request.POST, request.FILES)
    assert "超过单个文件 40 MB 的上限" in form.errors["file"][0]
    assert "扫描" not in form.errors["file"][0]


def test_other_pages_keep_their_limit_whatever_is_sent():
    request = post(LIMIT + 1, "名册.xlsx")
    request.resolver_match = ResolverMatch(lambda request: None, (), {})
    assert isinstance(request.FILES["file"], OversizedFile)


@pytest.mark.parametrize("kind", [kind for kind in Upload.Kind.values if limit_of(kind) > LIMIT])
def test_larger_kinds_have_pages_that_let_them_in(kind):
    assert kind in {getattr(view, "upload_kind", "") for view in _views()}


def _views(patterns=None):
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if hasattr(pattern, "url_patterns"):
            yield from _views(pattern.url_patterns)
        else:
            yield pattern.callback


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a.xlsm", "带宏"),
        ("a.docx", "另存为 PDF"),
        ("a.heic", "兼容性最佳"),
        ("a", "没有扩展名"),
        ("a.pdf.exe", ".exe"),
    ],
)
def test_a_wrong_extension_is_refused_with_the_cure(name, sentence):
    form = NoteForm({"note": "x"}, {"file": SimpleUploadedFile(name, b"x")})
    assert sentence in form.errors["file"][0]


def test_an_empty_file_and_no_file_are_told_apart():
    assert "0 字节" in NoteForm({"note": "x"}, {"file": SimpleUploadedFile("a.pdf", b"")}).errors["file"][0]
    assert NoteForm({"note": "x"}, {}).errors["file"] == ["请选择要上传的文件。"]


def test_several_files_together_have_a_bound_too():
    boundary = '--X\r\nContent-Disposition: form-data; name="file"; filename="{}.pdf"\r\n\r\n'
    body = b"".join(boundary.format(n).encode() + b"x" * LIMIT + b"\r\n" for n in range(5)) + b"--X--\r\n"
    request = RequestFactory().generic("POST", "/", body, content_type="multipart/form-data; boundary=X")
    kept = [not isinstance(file, OversizedFile) for file in request.FILES.getlist("file")]
    assert kept == [True, True, True, True, False]


def test_a_field_for_several_files_cleans_to_a_list(make_picture):
    field = UploadsField(kind=Upload.Kind.MINUTES, required=False)
    files = [SimpleUploadedFile(f"{n}.jpg", make_picture()) for n in range(3)]
    assert [file.name for file in field.clean(files)] == ["0.jpg", "1.jpg", "2.jpg"]
    assert field.clean([]) == []
    with pytest.raises(forms.ValidationError, match="最多 12 个"):
        field.clean(files * 5)
    with pytest.raises(forms.ValidationError, match="选择"):
        UploadsField(kind=Upload.Kind.MINUTES).clean([])


def test_the_dialogue_offers_the_right_extensions():
    assert 'accept=".pdf,.jpg,.png,.jpeg"' in str(NoteForm()["file"])


def test_a_large_roster_passes_all_that_stands_before_the_page(cast, as_user, make_book):
    """Whoever reads the form before the address is known would cut the file at the limit of other pages."""
    filling = {"xl/media/image1.png": random.Random(7).randbytes(11 * 1024 * 1024)}
    file = SimpleUploadedFile("名册.xlsx", replace(make_book(["姓名"]), **filling))
    form = {"unit": cast.school_a.pk, "term": cast.term.pk, "file": file}
    answer = as_user(cast.officer_a).post(reverse("roster_import_new"), form)
    assert "单个文件" not in answer.content.decode()
    assert "合计太大" not in answer.content.decode()
