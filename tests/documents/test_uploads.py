"""Uploads: what is taken, what is refused and why, what lies on the disk, what is handed out."""

import io
import random
import zipfile

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import Http404
from django.utils.datastructures import MultiValueDict
from PIL import Image

from accounts.models import AuditRow, Unit
from documents import filestore, issuing, papers, uploads
from documents.forms import UploadField
from documents.models import Upload
from documents.vault import VaultError
from tests import pdfs
from tests.documents.books import SHEET, replace

KINDS = Upload.Kind
pytestmark = pytest.mark.django_db


@pytest.fixture
def send(school, officer):
    def send(content, *, name="文件.pdf", kind=KINDS.EVIDENCE):
        return uploads.store(SimpleUploadedFile(name, content), kind=kind, unit=school, by=officer)

    return send


@pytest.fixture
def refusal(send, own_files):
    """The sentence of a refusal, after making sure that nothing was kept."""

    def refusal(content, **more):
        with pytest.raises(ValidationError) as caught:
            send(content, **more)
        assert not Upload.objects.exists()
        assert not [path for path in own_files.rglob("*") if path.is_file()]
        assert not AuditRow.objects.exists()
        return caught.value.messages[0]

    return refusal


def test_a_stored_file_reads_back_and_is_sealed_on_the_disk(send, pdf_file, own_files):
    upload = send(pdf_file)
    kept = uploads.read(upload)
    assert kept.startswith(b"%PDF-1.7")
    assert (upload.size, upload.media_type, upload.pages) == (len(kept), "application/pdf", 1)
    for folder in ("uploads", "previews"):
        (stored,) = (own_files / folder).iterdir()
        assert stored.name == str(upload.pk)
        assert not any(mark in stored.read_bytes() for mark in (b"%PDF", b"\xff\xd8\xff", kept))


def test_storing_leaves_one_audit_row_without_the_name(send, pdf_file):
    send(pdf_file, name="王小明低保证.pdf")
    (row,) = AuditRow.objects.all()
    assert row.action == "upload.store"
    assert "王小明" not in str(row.detail)


def test_a_roster_must_be_a_workbook(send, make_book, refusal):
    assert "文本文件" in refusal("姓名,1".encode(), name="名册.xlsx", kind=KINDS.ROSTER)
    assert "PDF" in refusal(b"%PDF-1.7 %%EOF", name="名册.xlsx", kind=KINDS.ROSTER)
    content = make_book(["姓名"])
    assert uploads.read(send(content, name="名册.xlsx", kind=KINDS.ROSTER)) == content


@pytest.mark.parametrize("kind", [KINDS.ROSTER, KINDS.LIST])
def test_rosters_and_lists_may_be_old_workbooks(send, refusal, kind):
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "Workbook".encode("utf-16-le")
    assert "打开密码" in refusal(old + "EncryptedPackage".encode("utf-16-le"), name="名单.xls", kind=kind)
    upload = send(old, name="名单.et", kind=kind)
    assert (upload.media_type, uploads.read(upload)) == ("application/vnd.ms-excel", old)
    assert uploads.extensions(kind) == [".xlsx", ".xls", ".et"]


def test_a_workbook_that_explodes_is_not_kept(make_book, refusal):
    content = replace(make_book(["x"]), **{SHEET: b"<worksheet>" + b" " * 50_000_000})
    assert "压缩前" in refusal(content, name="名册.xlsx", kind=KINDS.ROSTER)


@pytest.mark.parametrize(("kind", "megabytes"), [(KINDS.ROSTER, 40), (KINDS.LIST, 20), (KINDS.EVIDENCE, 10)])
def test_each_kind_has_its_limit(refusal, kind, megabytes):
    assert f"单个文件 {megabytes} MB" in refusal(b"%PDF-" + bytes(megabytes * 1024 * 1024), kind=kind)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "0 字节"),
        (b"hello", "改扩展名没有用"),
        (b"MZ\x90\x00" + b"\0" * 100, "改扩展名没有用"),
        (b"PK\x03\x04" + b"\0" * 100, "Word、Excel 或压缩文件"),
        (b"\x00\x00\x00\x18ftypheic" + b"\0" * 100, "HEIC"),
        (b"%PDF-1.7 cut off", "不完整"),
        (b"%PDF-1.7\ntrailer<</Root 5 0 R>>\n%%EOF", "损坏"),
        (b"\xff\xd8\xff\xe0 not a picture", "损坏"),
        (b"\x89PNG\r\n\x1a\n not a picture", "损坏"),
        (b"<svg onload=alert(1)>", "改扩展名没有用"),
    ],
)
def test_evidence_that_is_no_paper_is_refused_with_its_cause(refusal, content, cause):
    assert cause in refusal(content)


def test_a_file_over_the_limit_is_refused_by_its_size(refusal, settings):
    settings.UPLOAD_MAX_BYTES = 1024 * 1024
    assert "超过单个文件 1 MB" in refusal(b"%PDF-" + b"\0" * 1024 * 1024)


def test_a_photograph_loses_place_and_device_and_stands_upright(send, make_picture):
    exif = Image.Exif()
    exif[0x0110] = "HUAWEI P60"  # model
    exif[0x0112] = 6  # turned
    exif.get_ifd(0x8825)[1] = "N"  # latitude
    content = make_picture(size=(40, 20), exif=exif.tobytes())
    kept = uploads.read(send(content + b"appended", name="a.jpg", kind=KINDS.NOTICE_PHOTO))
    picture = Image.open(io.BytesIO(kept))
    assert not picture.getexif()
    assert b"HUAWEI" not in kept
    assert b"appended" not in kept
    assert picture.size == (20, 40)


def test_a_large_photograph_is_made_smaller_and_a_huge_one_refused(send, make_picture, refusal):
    assert "像素" in refusal(make_picture("PNG", (10000, 6000)))
    kept = Image.open(io.BytesIO(uploads.read(send(make_picture("PNG", (4000, 1000))))))
    assert kept.size == (3000, 750)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\扫描\\张三.pdf", "张三.pdf"),
        ("张三\u202efdp.exe.pdf", "张三fdp.exe.pdf"),
        ("530102201501011234.pdf", "…1234.pdf"),
        ("", "未命名"),
        ("长" * 300 + ".pdf", "长" * 146 + ".pdf"),
    ],
)
def test_file_names_are_made_fit_to_be_shown(given, kept):
    assert uploads.clean_name(given) == kept


def test_serving_downloads_unless_it_may_be_shown(upload, send, make_book):
    response = uploads.serve(upload)
    assert response["Content-Disposition"].startswith("attachment")
    assert "filename*=utf-8''" in response["Content-Disposition"]
    assert (response["X-Content-Type-Options"], response["Cache-Control"]) == ("nosniff", "private, no-store")
    assert uploads.serve(upload, inline=True)["Content-Disposition"].startswith("inline")
    roster = send(make_book(["x"]), name="a.xlsx", kind=KINDS.ROSTER)
    assert uploads.serve(roster, inline=True)["Content-Disposition"].startswith("attachment")


def test_a_stored_file_that_was_touched_is_not_handed_out(upload, own_files):
    for stored in [path for path in own_files.rglob("*") if path.is_file()]:
        stored.write_bytes(stored.read_bytes()[:-1] + b"x")
    with pytest.raises(VaultError):
        uploads.serve(upload)
    with pytest.raises(VaultError):
        uploads.serve_preview(upload)


def test_a_file_put_in_the_place_of_another_cannot_be_read(upload, send, pdf_file, own_files):
    other = send(pdfs.paper("Other"))
    folder = own_files / "uploads"
    (folder / str(other.pk)).replace(folder / str(upload.pk))
    with pytest.raises(VaultError):
        uploads.read(upload)


def test_discard_takes_row_and_file(upload, officer, own_files, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        uploads.discard(upload, by=officer)
    assert not Upload.objects.exists()
    assert not [path for path in own_files.rglob("*") if path.is_file()]


def test_when_the_row_cannot_be_written_the_file_goes_too(officer, pdf_file, own_files):
    never_saved = Unit(level="school", name="没有这所学校")
    with pytest.raises(ValueError, match="unsaved"):
        uploads.store(SimpleUploadedFile("a.pdf", pdf_file), kind=KINDS.EVIDENCE, unit=never_saved, by=officer)
    assert not [path for path in own_files.rglob("*") if path.is_file()]


def test_orphans_are_swept_after_a_day_and_nothing_else(upload, own_files):
    import os
    import time

    for folder in ("uploads", "previews"):
        filestore.put(f"{folder}/orphan", b"x")
    assert uploads.sweep_orphans() == 0
    for path in own_files.glob("*/*"):
        os.utime(path, (time.time() - 90000,) * 2)
    assert uploads.sweep_orphans() == 2
    assert uploads.read(upload)
    assert uploads.serve_preview(upload).content


def test_a_full_disk_is_said_in_a_sentence_and_leaves_nothing(send, pdf_file, own_files, monkeypatch):
    import errno
    import os

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValidationError, match="磁盘空间不足"):
        send(pdf_file)
    assert not [path for path in own_files.rglob("*") if path.is_file()]


def test_a_name_cannot_lead_out_of_the_store():
    with pytest.raises(ValueError, match="out of the store"):
        filestore.get("../keys/field-1.key")


# --- papers and photographs of every make -------------------------------------------------------------


def laid_down(picture, form, **options):
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def kept_picture(send, content, name="a.png"):
    return Image.open(io.BytesIO(uploads.read(send(content, name=name))))


def test_grey_of_sixteen_bits_stays_grey(send):
    assert kept_picture(send, laid_down(Image.new("I;16", (40, 30), 0x8000), "PNG")).getpixel((3, 3)) == 0x80


def test_a_photograph_for_printing_becomes_one_for_the_screen(send):
    kept = kept_picture(send, laid_down(Image.new("CMYK", (40, 30), (255, 0, 0, 0)), "JPEG"))
    assert kept.mode == "RGB"
    assert all(abs(is_ - wanted) < 3 for is_, wanted in zip(kept.getpixel((3, 3)), (0, 255, 255), strict=True))


def test_of_a_moving_picture_the_first_is_kept(send):
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    kept = kept_picture(send, laid_down(frames[0], "PNG", save_all=True, append_images=frames[1:]))
    assert (getattr(kept, "n_frames", 1), kept.getpixel((3, 3))) == (1, (255, 0, 0))


def test_a_progressive_photograph_is_read(send, make_picture):
    assert kept_picture(send, make_picture(progressive=True), "a.jpg").size == (40, 20)


def test_see_through_stays_so_and_is_white_in_the_preview(send):
    upload = send(laid_down(Image.new("RGBA", (40, 30), (0, 0, 0, 0)), "PNG"), name="a.png")
    assert Image.open(io.BytesIO(uploads.read(upload))).getpixel((3, 3))[3] == 0
    small = Image.open(io.BytesIO(uploads.serve_preview(upload).content))
    assert (small.format, small.getpixel((3, 3))) == ("JPEG", (255, 255, 255))


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_nothing_rides_along_behind_a_picture(send, make_picture, form):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("run.exe", b"MZ")
    kept = uploads.read(send(make_picture(form) + archive.getvalue() + b"<script>alert(1)</script>", name="a.jpg"))
    assert not zipfile.is_zipfile(io.BytesIO(kept))
    assert b"script" not in kept


def test_a_signed_paper_says_what_it_lost(send, issued):
    upload = send(issuing.read_pdf(issued))
    assert "电子签名" in upload.left_out_words
    assert "验签请用原件" in Upload.objects.get().left_out_words


@pytest.mark.parametrize(("kind", "side"), [(KINDS.EVIDENCE, 112), (KINDS.NOTICE_PHOTO, 200)])
def test_previews_are_small_and_of_proofs_too_small_to_read(send, kind, side):
    noise = Image.frombytes("RGB", (800, 600), random.Random(7).randbytes(800 * 600 * 3))
    upload = send(laid_down(noise, "JPEG"), name="a.jpg", kind=kind)
    small = uploads.serve_preview(upload)
    assert len(small.content) <= 20 * 1024
    assert Image.open(io.BytesIO(small.content)).size == (side, side * 3 // 4)
    assert (small["Content-Type"], small["Cache-Control"]) == ("image/jpeg", "private, no-store")


def test_a_workbook_has_no_preview(send, make_book, rf):
    upload = send(make_book(["x"]), name="a.xlsx", kind=KINDS.ROSTER)
    assert (upload.has_preview, upload.pages) == (False, None)
    with pytest.raises(Http404):
        uploads.serve_preview(upload)
    assert uploads.wants_preview(rf.get("/x/?preview"))
    assert not uploads.wants_preview(rf.get("/x/"))


# --- several pages in one go --------------------------------------------------------------------------


class ProofForm(forms.Form):
    proof = UploadField(kind=KINDS.EVIDENCE, label="证明")


def given(*files):
    named = [SimpleUploadedFile(name, content) for name, content in files]
    return ProofForm({}, MultiValueDict({"proof": named}))


def test_several_photographs_become_one_paper(make_picture, school, officer):
    form = given(("一.jpg", make_picture(size=(400, 300))), ("二.png", make_picture("PNG")), ("三.jpg", make_picture()))
    assert form.is_valid(), form.errors
    upload = uploads.store(form.cleaned_data["proof"], kind=KINDS.EVIDENCE, unit=school, by=officer)
    assert (upload.pages, upload.media_type, upload.original_name) == (3, "application/pdf", "一等3张.pdf")


def test_what_cannot_be_bound_is_named(make_picture, pdf_file):
    mixed = given(("一.jpg", make_picture()), ("二.pdf", pdf_file)).errors["proof"]
    assert mixed == [
        "第 2 个文件“二.pdf”不是 JPG 或 PNG 照片。一次选几个文件时只能都是照片（会合成一份），PDF 请单独选一个上传。"
    ]
    assert "第 1 张照片" in given(("一.jpg", b"\xff\xd8\xff broken"), ("二.jpg", make_picture())).errors["proof"][0]
    assert "最多 12 个" in given(*[("一.jpg", make_picture())] * 13).errors["proof"][0]
    assert given().errors["proof"] == ["请选择要上传的文件。"]


def test_a_paper_is_examined_once_and_before_any_lock(pdf_file, school, officer, monkeypatch):
    form = given(("证明.pdf", pdf_file))
    assert form.is_valid()
    monkeypatch.setattr(papers, "write_anew", None)  # would be called a second time
    assert uploads.store(form.cleaned_data["proof"], kind=KINDS.EVIDENCE, unit=school, by=officer).pages == 1


def test_a_refusal_stands_at_the_field():
    assert "文件包" in given(("a.pdf", pdfs.paper(catalog=b"/Collection << >>"))).errors["proof"][0]


def test_the_field_offers_the_camera_beside_the_dialogue():
    drawn = str(ProofForm()["proof"])
    assert 'accept="image/*" capture="environment"' in drawn
    assert drawn.count('name="proof"') == 2
    assert "multiple" in drawn
    assert "最多 12 张" in ProofForm().fields["proof"].help_text
