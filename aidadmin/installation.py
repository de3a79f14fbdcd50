"""Preparing one installation: its directory, keys, tables, static files and, in the demo, its county.

Every step may be repeated; what is there already stays.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import connection

from accounts.models import User
from documents import signing, vault

from . import assets, demo

# These two files tell a demo from an installation, and a finished demo from one that broke off while being filled.
DEMO_BEGUN = "demo-begun"
DEMO_COMPLETE = "demo-complete"


def prepare(*, out: OutputWrapper) -> None:
    """Everything that must be there before web and worker start."""
    os.umask(0o077)  # pupils' data: nobody else on this machine reads it
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    _refuse_to_mix()
    if settings.DEMO:
        _begin_demo(out)
    fresh = not _has_tables()
    if vault.make_keys(new_installation=fresh):
        out.write(f"已生成密钥：{settings.KEY_DIR}（请另行备份，丢失后加密数据无法恢复）\n")
    settings.SECRET_KEY = (settings.KEY_DIR / "django-secret").read_text().strip()
    call_command("migrate", interactive=False, verbosity=0, stdout=out)
    signing.make_county_key()
    _collect_static(out)
    if settings.DEMO:
        _fill_demo(out)


# --- demo and not demo ----------------------------------------------------------------------------


def _refuse_to_mix() -> None:
    """Invented pupils never get into a real county's data, and a demo is never served as a real county."""
    begun = (settings.DATA_DIR / DEMO_BEGUN).exists()
    if begun and not settings.DEMO:
        raise CommandError(f"{settings.DATA_DIR} 里是演示数据，不能作为正式系统使用。请换一个数据目录（AID_DATA）。")
    if settings.DEMO and not begun and _has_tables():
        where = settings.DATA_DIR if connection.vendor == "sqlite" else "DATABASE_URL 所指的数据库"
        raise CommandError(f"{where} 里已有正式数据，演示县没有启动。请用 --data 换一个目录。")


def _begin_demo(out: OutputWrapper) -> None:
    """Mark the directory as a demo's; if an earlier filling broke off, start from nothing again."""
    begun, complete = settings.DATA_DIR / DEMO_BEGUN, settings.DATA_DIR / DEMO_COMPLETE
    if begun.exists() and not complete.exists() and _has_tables():
        out.write("上一次准备演示数据没有完成，现在从头再来。\n")
        _empty_demo()
    begun.touch()


def _empty_demo() -> None:
    if connection.vendor != "sqlite":
        raise CommandError("演示数据只准备了一半。请清空这个数据库（dropdb、createdb）后再启动。")
    connection.close()
    database = Path(connection.settings_dict["NAME"])
    for path in (database, Path(f"{database}-wal"), Path(f"{database}-shm")):
        path.unlink(missing_ok=True)
    # Keys too: they belong to the data that has just gone. Never outside the demo's own directory.
    for directory in (settings.FILE_DIR, settings.KEY_DIR):
        if directory.is_relative_to(settings.DATA_DIR):
            shutil.rmtree(directory, ignore_errors=True)


def _fill_demo(out: OutputWrapper) -> None:
    complete = settings.DATA_DIR / DEMO_COMPLETE
    if complete.exists():
        return
    if User.objects.exists():
        raise CommandError("数据库里已有账号，演示县只能建在空的数据库里。")
    out.write("正在准备演示县的数据（只在第一次启动时）……\n")
    demo.build(out=out)
    _write_whole(complete, "ok\n")


def _has_tables() -> bool:
    database = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite" and not Path(database).exists():
        return False
    return User._meta.db_table in connection.introspection.table_names()


# --- static files ---------------------------------------------------------------------------------


def _collect_static(out: OutputWrapper) -> None:
    """Collect when a file was added, changed or removed since the last time."""
    stamp = settings.DATA_DIR / "static.stamp"
    present = _static_fingerprint()
    if stamp.exists() and stamp.read_text() == present and settings.STATIC_ROOT.exists():
        return
    out.write("正在整理静态文件……\n")
    stamp.unlink(missing_ok=True)
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    call_command(
        "collectstatic", interactive=False, clear=True, verbosity=0, ignore_patterns=assets.NOT_SERVED, stdout=out
    )
    _write_whole(stamp, present)


def _static_fingerprint() -> str:
    digest = hashlib.sha256(json.dumps(assets.NOT_SERVED).encode())
    for line in sorted(_static_files()):
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def _static_files() -> Iterator[str]:
    for finder in get_finders():
        for name, storage in finder.list(assets.NOT_SERVED):
            facts = os.stat(storage.path(name))
            yield f"{name} {facts.st_size} {facts.st_mtime_ns}"


def _write_whole(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
