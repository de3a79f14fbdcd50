"""The county's signature: others accept it, every changed byte is reported, and a CA's key can take its place."""

import asyncio
import datetime as dt
import io
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from django.core.management import CommandError, call_command
from django.utils import timezone

from documents import pdf, signing
from documents.vault import VaultError

PAGE = """<html lang=zh-Hans><head><title>测试</title></head>
<body style="font-family: 'Noto Sans CJK SC'">王小明</body></html>"""


@pytest.fixture(scope="module")
def paper():
    return pdf.render_html(PAGE)


@pytest.fixture(scope="module")
def signed(paper):
    return signing.sign(paper)


@pytest.fixture
def own_keys(settings, tmp_path):
    settings.KEY_DIR = tmp_path / "keys"
    signing.make_county_key("云岭县学生资助管理中心")
    return settings.KEY_DIR


def ca_p12(
    name="云岭县学生资助中心（CA）", *, key=None, certificate_key=None, days=(-1, 365), usage=True, passphrase=b"koulin"
):
    key = key or rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).serial_number(7)
    builder = builder.public_key((certificate_key or key).public_key())
    builder = builder.not_valid_before(now + dt.timedelta(days[0])).not_valid_after(now + dt.timedelta(days[1]))
    if usage is not None:
        flags = [usage, False, not usage, False, False, False, False, False, False]
        builder = builder.add_extension(x509.KeyUsage(*flags), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    protection = serialization.BestAvailableEncryption(passphrase)
    return pkcs12.serialize_key_and_certificates(b"x", key, certificate, None, protection)


def test_a_signed_paper_is_valid_and_says_who_and_when(signed):
    report = signing.check(signed)
    assert (report.valid, report.whole_file) == (True, True)
    assert report.signer
    assert abs(report.signed_at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=5)


def test_signing_only_adds_at_the_end(paper, signed):
    assert signed.startswith(paper)


def test_poppler_accepts_the_signature_over_the_whole_document(signed, tmp_path):
    path = tmp_path / "signed.pdf"
    path.write_bytes(signed)
    said = subprocess.run(["pdfsig", str(path)], capture_output=True, text=True).stdout
    assert "Signature is Valid" in said
    assert "Total document signed" in said
    assert "ETSI.CAdES.detached" in said


def test_the_signature_names_the_demo_countys_day(paper, settings, tmp_path):
    from accounts import clock

    settings.DEMO, settings.DATA_DIR = True, tmp_path
    clock.set_demo_day(dt.date(2027, 9, 1))
    assert timezone.localdate(signing.check(signing.sign(paper)).signed_at) == dt.date(2027, 9, 1)


def test_one_changed_byte_is_reported_wherever_it_is(signed):
    places = random.Random(20260305)
    begin = signed.rindex(b"/Contents <")
    end = signed.index(b">", begin)
    for _ in range(200):
        place = places.randrange(len(signed))
        changed = bytearray(signed)
        changed[place] ^= places.randrange(1, 256)
        # The padding of the signature itself may change without harm to it; the hash of the file catches that.
        report = signing.check(bytes(changed))
        assert not report.valid or begin < place < end, place


def test_bytes_added_at_the_end_are_reported(signed):
    report = signing.check(signed + b"\n% more\n")
    assert (report.valid, report.whole_file) == (False, False)
    assert "末尾" in report.reason


def test_a_truncated_file_is_not_valid(signed):
    assert not signing.check(signed[:-200]).valid


def test_a_page_painted_over_after_signing_is_reported(signed):
    from pyhanko.pdf_utils import generic
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    writer = IncrementalPdfFileWriter(io.BytesIO(signed))
    stream = generic.StreamObject(stream_data=b"0 0 500 500 re f")
    writer.add_stream_to_page(0, writer.add_object(stream))
    out = io.BytesIO()
    writer.write(out)
    assert not signing.check(out.getvalue()).valid


@pytest.mark.parametrize("content", [b"", b"hello", b"%PDF-1.7\n%%EOF", b"%PDF-1.7\nstartxref\n999999\n%%EOF"])
def test_what_is_no_signed_pdf_is_not_valid(content):
    assert not signing.check(content).valid


def test_an_unsigned_paper_says_so(paper):
    assert signing.check(paper).reason == "这个文件没有数字签名。"


def test_a_signed_paper_is_not_signed_twice(signed):
    with pytest.raises(ValueError, match="signed already"):
        signing.sign(signed)


def test_a_paper_signed_elsewhere_is_not_ours(paper, signed, own_keys):
    assert "不是本县" in signing.check(signed).reason
    assert signing.check(signing.sign(paper)).valid


def test_signing_works_where_an_event_loop_is_running(paper):
    async def inside():
        return signing.check(signing.sign(paper)).valid

    # In a thread of its own: a browser test of the same process leaves a running loop in this one.
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(lambda: asyncio.run(inside())).result()


def test_making_the_key_again_changes_nothing_unless_asked(own_keys):
    first = signing.facts()
    signing.make_county_key()
    assert signing.facts() == first
    signing.make_county_key("新名称", replace=True)
    assert signing.facts().fingerprint != first.fingerprint


def test_the_key_files_are_for_their_owner_only(own_keys):
    assert {oct(path.stat().st_mode & 0o777) for path in own_keys.glob("county*")} == {"0o400"}
    assert b"PRIVATE" not in (own_keys / "county.p12").read_bytes()


def test_a_ca_key_takes_over_and_old_papers_stay_valid(own_keys, paper):
    old = signing.sign(paper)
    facts = signing.install(ca_p12(), b"koulin")
    assert (facts.algorithm, "CA" in facts.subject) == ("RSA-2048", True)
    new = signing.sign(paper)
    assert signing.check(new).signer == "云岭县学生资助中心（CA）"
    assert [signing.check(content).valid for content in (old, new)] == [True, True]


def test_rsa_signatures_are_accepted_by_poppler(own_keys, paper, tmp_path):
    signing.install(ca_p12(), b"koulin")
    path = tmp_path / "rsa.pdf"
    path.write_bytes(signing.sign(paper))
    assert "Signature is Valid" in subprocess.run(["pdfsig", str(path)], capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("p12", "passphrase", "cause"),
    [
        (lambda: b"nonsense", b"", "打不开"),
        (ca_p12, b"wrong", "口令"),
        (lambda: ca_p12(days=(-10, -1)), b"koulin", "有效期"),
        (lambda: ca_p12(days=(5, 10)), b"koulin", "有效期"),
        (lambda: ca_p12(usage=False), b"koulin", "用途"),
        (lambda: ca_p12(usage=None), b"koulin", "用途"),
        (lambda: ca_p12(key=rsa.generate_private_key(65537, 1024)), b"koulin", "2048"),  # noqa: S505
    ],
)
def test_an_unfit_key_is_refused_and_the_old_one_stays(own_keys, p12, passphrase, cause):
    before = signing.facts()
    with pytest.raises(signing.SigningKeyRefused, match=cause):
        signing.install(p12(), passphrase)
    assert signing.facts() == before


def test_a_p256_key_from_a_ca_is_taken(own_keys, paper):
    signing.install(ca_p12(key=ec.generate_private_key(ec.SECP384R1())), b"koulin")
    assert signing.check(signing.sign(paper)).valid


def test_a_key_file_named_in_the_settings_is_used(own_keys, paper, settings, tmp_path):
    p12, passphrase = tmp_path / "ca.p12", tmp_path / "ca.txt"
    p12.write_bytes(ca_p12())
    passphrase.write_bytes(b"koulin\n")
    settings.SIGNING_P12, settings.SIGNING_PASSPHRASE_FILE = str(p12), str(passphrase)
    assert signing.check(signing.sign(paper)).signer.endswith("（CA）")
    with pytest.raises(signing.SigningKeyRefused, match="AID_SIGNING_P12"):
        signing.install(ca_p12(), b"koulin")


def test_without_the_key_the_error_names_the_file(settings, tmp_path, paper):
    settings.KEY_DIR = tmp_path / "none"
    with pytest.raises(VaultError, match=r"county\.p12"):
        signing.sign(paper)


@pytest.mark.django_db
def test_the_command_shows_installs_and_refuses(own_keys, tmp_path, capsys):
    call_command("signing_key")
    assert "云岭县学生资助管理中心" in capsys.readouterr().out
    (tmp_path / "ca.p12").write_bytes(ca_p12())
    (tmp_path / "pass").write_bytes(b"koulin\n")
    call_command("signing_key", install=tmp_path / "ca.p12", passphrase_file=tmp_path / "pass")
    assert "RSA-2048" in capsys.readouterr().out
    (tmp_path / "pass").write_bytes(b"wrong")
    with pytest.raises(CommandError, match="口令"):
        call_command("signing_key", install=tmp_path / "ca.p12", passphrase_file=tmp_path / "pass")


@pytest.mark.django_db
def test_the_command_makes_a_key_with_the_countys_name(own_keys, capsys):
    call_command("signing_key", new="青山县学生资助管理中心")
    assert "青山县学生资助管理中心" in capsys.readouterr().out
