"""The county's signature on its papers: PAdES inside the PDF, with the county's own key or one from a CA.

The own key proves that a paper came from this installation and was not changed; it is no legal 电子印章
(GB/T 38540), and nothing here draws a seal. Settings: AID_SIGNING_P12 names another key file, with its
passphrase in AID_SIGNING_PASSPHRASE_FILE.
"""

import asyncio
import datetime as dt
import functools
import secrets
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.core.exceptions import ValidationError
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields, signers
from pyhanko.sign.general import SigningError
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.errors import ValidationInfoReadingError
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from accounts import clock

from . import vault

T = TypeVar("T")

FIELD = "aid-signature"
REASON = "学生资助业务文件签发"
DEFAULT_NAME = "县学生资助管理中心"
OWN_KEY_YEARS = 10
_KEY_TO_THE_KEY = "county-passphrase"
# Files come from anybody: whatever the reader stumbles over in one, the answer is the same.
_UNREADABLE = (
    *(PdfError, SigningError, ValidationInfoReadingError, ValueError, LookupError, TypeError, AttributeError),
    *(ArithmeticError, AssertionError, RecursionError, OSError, NotImplementedError, zlib.error),
)


class SigningKeyRefused(ValidationError):
    """The key file cannot be used; what was in use before stays in use."""


@dataclass(frozen=True)
class SignatureReport:
    """What is known of a PDF's signature. `valid` says: by one of this installation's keys, over every byte."""

    valid: bool
    whole_file: bool  # nothing was added after the signature
    signer: str  # common name of the certificate, "" when there is none
    signed_at: dt.datetime | None  # as the signer's own clock said
    reason: str  # a sentence for the person


@dataclass(frozen=True)
class KeyFacts:
    """The certificate in use, for the command that shows it."""

    path: Path
    subject: str
    issuer: str
    serial: str
    not_before: dt.datetime
    not_after: dt.datetime
    algorithm: str
    fingerprint: str  # SHA-256 of the certificate


# --- signing --------------------------------------------------------------------------------------


def sign(pdf: bytes, *, contact: str = "") -> bytes:
    """The PDF with an invisible PAdES-B-B signature added at its end; the bytes before stay as they are.

    `contact` is where the paper can be checked (its public address); viewers show it with the signature.
    """
    key = _key_in_use()
    meta = signers.PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        subfilter=fields.SigSeedSubFilter.PADES,
        reason=REASON,
        name=key.name,
        contact_info=contact or None,
        # Certified without permitted changes: viewers say so when somebody writes on the file afterwards.
        certify=True,
        docmdp_permissions=fields.MDPPerm.NO_CHANGES,
    )
    signer = _AtTheCountysTime(meta, signer=key.signer)
    try:
        out = _apart(lambda: signer.sign_pdf(IncrementalPdfFileWriter(BytesIO(pdf))))
    except (PdfError, SigningError) as error:
        raise ValueError("The PDF cannot be signed; it may be signed already.") from error
    return out.getvalue()


def _apart(work: Callable[[], T]) -> T:
    """Run work that starts an event loop of its own, also where this thread already runs one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


class _AtTheCountysTime(signers.PdfSigner):
    """Signs at the time of `accounts.clock`, which a demo county moves."""

    def init_signing_session(self, *args: Any, **kwargs: Any) -> Any:
        session = super().init_signing_session(*args, **kwargs)
        session.system_time = clock.now()
        return session


class _CachedKeySigner(signers.SimpleSigner):
    """Keeps the opened private key: opening (and checking) an RSA key anew costs nine times the signature."""

    private_key: Any

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        if isinstance(self.private_key, rsa.RSAPrivateKey):
            if dry_run:
                return bytes(self.private_key.key_size // 8)
            return self.private_key.sign(data, padding.PKCS1v15(), _hash(digest_algorithm))
        if dry_run:
            return bytes(2 * self.private_key.curve.key_size // 8 + 16)  # DER adds up to 16 to the two numbers
        return self.private_key.sign(data, ec.ECDSA(_hash(digest_algorithm)))


def _hash(name: str) -> hashes.HashAlgorithm:
    return {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[name]


# --- checking -------------------------------------------------------------------------------------


def check(pdf: bytes) -> SignatureReport:
    """What the signature of a PDF says today. Never raises: a file that cannot be read is not valid."""
    try:
        reader = PdfFileReader(BytesIO(pdf), strict=False)
        signatures = reader.embedded_regular_signatures
        if not signatures:
            return SignatureReport(False, False, "", None, "这个文件没有数字签名。")
        return _judge(signatures[-1])
    except _UNREADABLE:
        return SignatureReport(False, False, "", None, "这个文件的数字签名已损坏，或者文件不是完整的 PDF。")


def _judge(signature: Any) -> SignatureReport:
    certificate = signature.signer_cert
    name = certificate.subject.native.get("common_name", "") if certificate else ""
    # Who signed is decided by our own list of certificates, so no path needs to be built; the clock of the
    # validation stands inside every certificate's life for the same reason.
    context = ValidationContext(trust_roots=[certificate], allow_fetching=False, moment=certificate.not_valid_before)
    status = _apart(lambda: asyncio.run(async_validate_pdf_signature(signature, signer_validation_context=context)))
    whole = status.coverage == SignatureCoverageLevel.ENTIRE_FILE
    at = signature.self_reported_timestamp
    if not (status.intact and status.valid):
        return SignatureReport(False, whole, name, at, "签名之后文件被改动过。")
    if not whole:
        return SignatureReport(False, False, name, at, "签名之后文件末尾被添加过内容。")
    if certificate.sha256.hex() not in known_signers():
        return SignatureReport(False, True, name, at, "签名的证书不是本县学生资助管理中心的。")
    return SignatureReport(True, True, name, at, "签名有效，签名后文件没有任何改动。")


def names_our_certificate(pdf: bytes) -> bool:
    """Whether a signature in the file holds one of our certificates, whatever else became of the file.

    Looked for in the bytes: a stranger's file is never unpacked for the public page.
    """
    lowered = pdf.lower()
    certificates = (x509.load_pem_x509_certificate(path.read_bytes()) for path in _signers_dir().glob("*.pem"))
    return any(one.public_bytes(serialization.Encoding.DER).hex().encode() in lowered for one in certificates)


def known_signers() -> set[str]:
    """SHA-256 fingerprints of every certificate this installation has signed with."""
    return {path.stem for path in _signers_dir().glob("*.pem")}


# --- the key --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Key:
    signer: _CachedKeySigner
    name: str
    certificate: x509.Certificate


def make_county_key(name: str = DEFAULT_NAME, *, replace: bool = False) -> Path:
    """Make the county's own key and certificate when there is none, and return the key file.

    `replace` makes a new one even so (a certificate with the county's real name, or before the old one
    ends); papers signed with the old key stay valid.
    """
    path = _own_path()
    if replace or not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _put_in_use(*_own_key(name))
    return path


def install(p12: bytes, passphrase: bytes) -> KeyFacts:
    """Put a CA's key file in use. Raises SigningKeyRefused, and then nothing has changed."""
    if _p12_path() != _own_path():
        raise SigningKeyRefused(f"设置 AID_SIGNING_P12 指定了 {_p12_path()}，请直接替换那个文件，或先取消这项设置。")
    key, certificate, chain = _open_p12(p12, passphrase)
    _refuse_unfit(key, certificate)
    _put_in_use(key, certificate, chain)
    return facts()


def facts() -> KeyFacts:
    """The certificate that signs today."""
    certificate = _key_in_use().certificate
    public = certificate.public_key()
    algorithm = f"RSA-{public.key_size}" if isinstance(public, rsa.RSAPublicKey) else f"EC {public.curve.name}"  # type: ignore[union-attr]
    return KeyFacts(
        path=_p12_path(),
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        algorithm=algorithm,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def _key_in_use() -> _Key:
    path = _p12_path()
    try:
        return _load_key(path, _passphrase_path(), path.stat().st_mtime_ns)
    except FileNotFoundError as error:
        raise vault.VaultError(
            f"找不到签名密钥文件 {error.filename}。请从密钥备份中恢复，或重新运行 ./aid setup。"
        ) from error


@functools.lru_cache(maxsize=4)
def _load_key(path: Path, passphrase_path: Path, changed: int) -> _Key:
    """Opened once per process and file; `changed` makes a replaced file be opened again."""
    private, certificate, chain = _open_p12(path.read_bytes(), passphrase_path.read_bytes().strip())
    _remember_signer(certificate)
    signer = _CachedKeySigner(
        signing_cert=_to_asn1(certificate),
        signing_key=None,
        cert_registry=SimpleCertificateStore.from_certs([_to_asn1(one) for one in chain]),
        embed_roots=True,
    )
    signer.private_key = private
    return _Key(signer, _common_name(certificate), certificate)


def _open_p12(p12: bytes, passphrase: bytes) -> tuple[Any, x509.Certificate, list[x509.Certificate]]:
    try:
        private, certificate, chain = pkcs12.load_key_and_certificates(p12, passphrase)
    except ValueError as error:
        raise SigningKeyRefused("这个 .p12 文件打不开：口令不对，或文件已损坏。请核对口令后重试。") from error
    if private is None or certificate is None:
        raise SigningKeyRefused("这个 .p12 文件里缺少私钥或证书。请向签发机构索取含私钥的完整文件。")
    return private, certificate, list(chain)


def _refuse_unfit(private: Any, certificate: x509.Certificate) -> None:
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise SigningKeyRefused("只支持 RSA 或椭圆曲线（P-256、P-384、P-521）密钥。请换一个证书。")
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size < 2048:
        raise SigningKeyRefused(f"RSA 密钥只有 {private.key_size} 位，至少要 2048 位。请换一个证书。")
    if _public_bytes(private.public_key()) != _public_bytes(certificate.public_key()):
        raise SigningKeyRefused("证书和私钥不是一对。请向签发机构索取正确的文件。")
    now = clock.now()
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        raise SigningKeyRefused(
            f"证书的有效期是 {first:%Y-%m-%d} 至 {last:%Y-%m-%d}，现在不能用。请换一个在有效期内的证书。"
        )
    if not _may_sign(certificate):
        raise SigningKeyRefused("证书的用途不含“数字签名”（digitalSignature）。请申请签名用途的证书。")


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except x509.ExtensionNotFound:
        return False


def _put_in_use(private: Any, certificate: x509.Certificate, chain: list[x509.Certificate]) -> None:
    """Write the key file under the installation's own passphrase: one rename changes over, never half."""
    passphrase_path, path = settings.KEY_DIR / _KEY_TO_THE_KEY, _own_path()
    if not passphrase_path.exists():
        vault.write_once(passphrase_path, secrets.token_urlsafe(32).encode())
    _remember_signer(certificate)
    protection = serialization.BestAvailableEncryption(passphrase_path.read_bytes())
    p12 = pkcs12.serialize_key_and_certificates(None, private, certificate, chain, protection)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    vault.write_once(fresh, p12)
    if path.exists():  # kept beside: a key is never destroyed by a command
        path.with_name(f"{path.name}.before-{secrets.token_hex(3)}").hardlink_to(path)
    fresh.replace(path)
    vault.sync_directory(path.parent)
    _load_key.cache_clear()


def _remember_signer(certificate: x509.Certificate) -> None:
    """Keep every certificate ever signed with: papers stay verifiable after the key was replaced."""
    directory = _signers_dir()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / f"{certificate.fingerprint(hashes.SHA256()).hex()}.pem"
    if not path.exists():
        vault.write_once(path, certificate.public_bytes(serialization.Encoding.PEM))


def _own_path() -> Path:
    return settings.KEY_DIR / "county.p12"


def _p12_path() -> Path:
    return Path(settings.SIGNING_P12 or _own_path())


def _passphrase_path() -> Path:
    return Path(settings.SIGNING_PASSPHRASE_FILE or settings.KEY_DIR / _KEY_TO_THE_KEY)


def _signers_dir() -> Path:
    return settings.KEY_DIR / "signers"


def _own_key(name: str) -> tuple[Any, x509.Certificate, list[x509.Certificate]]:
    """A root that signs one certificate and is then forgotten, so that nothing more can be issued under it."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate(name, root_key, issuer=None, is_root=True)
    return key, _certificate(name, key, issuer=(root, root_key), is_root=False), [root]


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
    is_root: bool,
) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{name}签名根证书" if is_root else name),
        ]
    )
    # Always the machine's clock: a demo county's own day must not make a certificate of the future.
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    signing_key = issuer[1] if issuer else key
    usage = x509.KeyUsage(not is_root, not is_root, False, False, False, is_root, is_root, False, False)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today.replace(year=today.year + OWN_KEY_YEARS, day=min(today.day, 28)))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=0 if is_root else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
        .sign(signing_key, hashes.SHA256())
    )


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _to_asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def _public_bytes(key: Any) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
