"""Uploads: what is taken, what is refused and why, what lies on the disk, what is handed out."""

import io

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from accounts.models import AuditRow, Unit
from documents import filestore, uploads
from documents.models import Upload
from documents.vault import VaultError
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
    assert uploads.read(upload) == pdf_file
    assert (upload.size, upload.media_type) == (len(pdf_file), "application/pdf")
    (stored,) = [path for path in own_files.rglob("*") if path.is_file()]
    assert pdf_file not in stored.read_bytes()
    assert stored.name == str(upload.pk)


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
        (b"%PDF-1.7\ntrailer<</Encrypt 5 0 R>>\n%%EOF", "密码"),
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
    (stored,) = [path for path in own_files.rglob("*") if path.is_file()]
    stored.write_bytes(stored.read_bytes()[:-1] + b"x")
    with pytest.raises(VaultError):
        uploads.serve(upload)


def test_a_file_put_in_the_place_of_another_cannot_be_read(upload, send, pdf_file, own_files):
    other = send(pdf_file + b"%%EOF")
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

    filestore.put("uploads/orphan", b"x")
    assert uploads.sweep_orphans() == 0
    for path in (own_files / "uploads").iterdir():
        os.utime(path, (time.time() - 90000,) * 2)
    assert uploads.sweep_orphans() == 1
    assert uploads.read(upload)


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
