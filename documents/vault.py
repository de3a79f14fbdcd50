"""Sealing: numbers of persons in the database, files on the disk.

AES-256-GCM under keys that lie in files outside the database and its backups. A sealed value begins with
the id of its key ("a1:…"), so that values of several keys can be read while new ones are written with the
newest; it is bound to its place (`students.pupil.id`) and record, so that a value copied to another row or
column cannot be read. Reading either gives what was sealed or raises: never the sealed text itself.
"""

import base64
import binascii
import contextlib
import functools
import hmac
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.apps import apps
from django.conf import settings
from django.db import connection, models

KEY_BYTES = 32
NONCE_BYTES = 12
# What each letter of a key id stands for. A cipher that has been used is never taken out of this table.
CIPHERS: Mapping[str, Callable[[bytes], AESGCM]] = {"a": AESGCM}
_WRITE_CIPHER = "a"
_KEY_ID = re.compile(r"[a-z][1-9][0-9]{0,3}")


class VaultError(Exception):
    """A sealed value cannot be read, or a key is missing; nothing has been returned or written."""


def seal(text: str, *, place: str, key: str) -> str:
    """The text sealed for one place ("students.pupil.id") and one record (its primary key as text)."""
    ring = _ring("field")
    return f"{ring.newest}:{_to_text(_encrypt(ring, text.encode(), f'{place}:{key}'))}"


def seal_all(texts: Sequence[str], *, place: str, keys: Sequence[str]) -> list[str]:
    """`seal` for a whole column: the text of each record under its key. An empty text stays empty."""
    ring = _ring("field")
    encrypt, head = ring.ciphers[ring.newest].encrypt, f"{ring.newest}:"
    nonces = os.urandom(NONCE_BYTES * len(texts))
    sealed = []
    for start, text, key in zip(range(0, len(nonces), NONCE_BYTES), texts, keys, strict=True):
        nonce = nonces[start : start + NONCE_BYTES]
        sealed.append(head + _to_text(nonce + encrypt(nonce, text.encode(), f"{place}:{key}".encode())) if text else "")
    return sealed


def unseal(sealed: str, *, place: str, key: str) -> str:
    """What was sealed at this place for this record. Raises VaultError for anything else."""
    key_id, colon, body = sealed.partition(":")
    if not colon:
        raise VaultError("这不是加密后的内容。")
    return _decrypt(_ring("field"), key_id, _from_text(body), f"{place}:{key}").decode()


def seal_bytes(content: bytes, *, place: str, key: str) -> bytes:
    """As `seal`, for the content of a file, under the file keys."""
    ring = _ring("files")
    return ring.newest.encode() + b":" + _encrypt(ring, content, f"{place}:{key}")


def unseal_bytes(sealed: bytes, *, place: str, key: str) -> bytes:
    """As `unseal`, for the content of a file."""
    key_id, colon, raw = sealed.partition(b":")
    if not colon or len(key_id) > 5:
        raise VaultError("这不是加密后的文件。")
    return _decrypt(_ring("files"), key_id.decode("ascii", "replace"), raw, f"{place}:{key}")


def blind_index(text: str, *, purpose: str) -> str:
    """A keyed hash (64 hex digits) by which equal texts of one purpose are found without being read.

    The caller normalises first: "53010X" and "53010x" have different indexes.
    """
    if ":" in purpose:
        raise ValueError("A purpose holds no colon; the colon ends it.")
    # In one call: a list of a hundred thousand persons asks for as many.
    return hmac.digest(_ring("index").first, f"{purpose}:v1:{text}".encode(), "sha256").hex()


def blind_indexes(texts: Iterable[str], *, purpose: str) -> list[str]:
    """`blind_index` of a whole column; an empty text has none."""
    if ":" in purpose:
        raise ValueError("A purpose holds no colon; the colon ends it.")
    key, head = _ring("index").first, f"{purpose}:v1:"
    return [hmac.digest(key, (head + text).encode(), "sha256").hex() if text else "" for text in texts]


# --- keys -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyRing:
    """The keys of one use; reading takes any of them, writing the newest. Shared by threads, never changed."""

    use: str
    ciphers: Mapping[str, AESGCM]  # key id → cipher
    newest: str
    first: bytes = b""  # the index has one key only: two would mean two indexes for one number


def make_keys(*, new_installation: bool = False) -> list[Path]:
    """Create the key files that are missing, and return them; those that are there stay as they are.

    A new key beside data sealed with a lost one would hide the loss, so a key is not created when the
    database already holds sealed values (VaultError); `new_installation` says that there is no database yet.
    """
    settings.KEY_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    wanted = [(use, _key_path(use, 1)) for use in ("field", "index", "files") if not _key_numbers(use)]
    for use, path in wanted:
        if not new_installation and _sealed_data_exists(use):
            raise VaultError(
                f"数据库里已有加密数据，但密钥文件 {path} 不见了。没有重新生成密钥：新密钥读不了旧数据。"
                "请从密钥备份中恢复这个文件，再重新运行。"
            )
    made = [path for _, path in wanted if write_once(path, secrets.token_bytes(KEY_BYTES))]
    secret = settings.KEY_DIR / "django-secret"
    if not secret.exists() and write_once(secret, secrets.token_urlsafe(48).encode()):
        made.append(secret)
    _load_ring.cache_clear()
    return made


def missing_keys() -> list[Path]:
    """Key files an installation needs and does not have; for the start-up check."""
    return [_key_path(use, 1) for use in ("field", "index", "files") if not _key_numbers(use)]


def _ring(use: str) -> KeyRing:
    return _load_ring(settings.KEY_DIR, use)


@functools.lru_cache(maxsize=16)
def _load_ring(directory: Path, use: str) -> KeyRing:
    keys = {number: _read_key(directory / f"{use}-{number}.key") for number in _key_numbers(use, directory)}
    if not keys:
        raise VaultError(
            f"找不到密钥文件 {directory / f'{use}-1.key'}。请从密钥备份中恢复；新装的系统请先运行 ./aid setup。"
        )
    ciphers = {f"{_WRITE_CIPHER}{number}": CIPHERS[_WRITE_CIPHER](key) for number, key in keys.items()}
    return KeyRing(use, ciphers, f"{_WRITE_CIPHER}{max(keys)}", keys[min(keys)])


def _key_numbers(use: str, directory: Path | None = None) -> list[int]:
    found = (directory or settings.KEY_DIR).glob(f"{use}-*.key")
    numbers = (path.stem.removeprefix(f"{use}-") for path in found)
    return sorted(int(number) for number in numbers if re.fullmatch(r"[1-9][0-9]{0,3}", number))


def _key_path(use: str, number: int) -> Path:
    return settings.KEY_DIR / f"{use}-{number}.key"


def _read_key(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise VaultError(f"密钥文件 {path} 应为 {KEY_BYTES} 字节，实际 {len(key)} 字节。请从密钥备份中恢复。")
    return key


def write_once(path: Path, content: bytes) -> bool:
    """Create the file whole and readable by its owner only; False when somebody else was first."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)  # unlike a rename, refuses to replace a key that is there
        sync_directory(path.parent)
    except FileExistsError:
        return False
    finally:
        fresh.unlink(missing_ok=True)
    return True


def sync_directory(directory: Path) -> None:
    """Make a rename in the directory survive a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sealed_data_exists(use: str) -> bool:
    """Whether the database holds rows of a model that needs this kind of key."""
    tables = set(connection.introspection.table_names())
    return any(
        model._meta.db_table in tables and model._default_manager.exists()
        for model in apps.get_models()
        if _needs_key(model, use)
    )


def _needs_key(model: type[models.Model], use: str) -> bool:
    if use == "files":
        return model._meta.label in {"documents.Upload", "documents.IssuedDocument"}
    # By the house's naming: sealed columns end in _sealed, their indexes in _index.
    suffix = "_sealed" if use == "field" else "_index"
    return any(field.name.endswith(suffix) for field in model._meta.concrete_fields)


def _to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _from_text(body: str) -> bytes:
    with contextlib.suppress(binascii.Error, ValueError):
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        # One value, one text: base64 would let the unused bits of the last character vary.
        if _to_text(raw) == body:
            return raw
    raise VaultError("加密内容已损坏，无法读取。")


def _encrypt(ring: KeyRing, content: bytes, bound_to: str) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + ring.ciphers[ring.newest].encrypt(nonce, content, bound_to.encode())


def _decrypt(ring: KeyRing, key_id: str, raw: bytes, bound_to: str) -> bytes:
    if not _KEY_ID.fullmatch(key_id) or key_id[0] not in CIPHERS:
        raise VaultError("加密内容的开头不是本系统的密钥编号。")
    if key_id not in ring.ciphers:
        raise VaultError(f"加密内容需要的密钥 {ring.use}-{key_id[1:]}.key 不在密钥目录里。请从密钥备份中恢复。")
    with contextlib.suppress(InvalidTag, ValueError):
        return ring.ciphers[key_id].decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound_to.encode())
    raise VaultError("加密内容无法读取：内容被改动、放错了位置，或者密钥不是当初那一把。")
