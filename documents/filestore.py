"""Files on the disk: sealed, whole or not there at all, under names that say nothing."""

import errno
import os
import secrets
import time
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError

from . import vault


class DiskFull(ValidationError):
    """There is no room; nothing has been stored."""


def put(name: str, content: bytes) -> None:
    """Store the content under the name, in place of what may be there. Sealed to its name.

    Written beside and renamed, so that a reader sees the old file or the new one, never a part.
    """
    path = _path(name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(vault.seal_bytes(content, place="documents.file", key=name))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull("服务器的磁盘空间不足，文件没有保存。请联系系统管理员清理空间，然后重新提交。") from error
    finally:
        fresh.unlink(missing_ok=True)
    vault.sync_directory(path.parent)


def get(name: str) -> bytes:
    """The content as it was put. FileNotFoundError when there is none; VaultError when it was touched."""
    return vault.unseal_bytes(_path(name).read_bytes(), place="documents.file", key=name)


def remove(name: str) -> None:
    """Take the file away; nothing happens when it is gone already."""
    _path(name).unlink(missing_ok=True)


def names(folder: str, *, untouched_for: float = 0) -> list[str]:
    """Names of the files in a folder ("uploads") that nobody has written in the last seconds."""
    limit = time.time() - untouched_for
    root = settings.FILE_DIR / folder
    files = (path for path in root.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(str(path.relative_to(settings.FILE_DIR)) for path in files if path.stat().st_mtime <= limit)


def _path(name: str) -> Path:
    path = (settings.FILE_DIR / name).resolve()
    if not path.is_relative_to(Path(settings.FILE_DIR).resolve()):
        raise ValueError(f"A file name leads out of the store: {name!r}")
    return path
