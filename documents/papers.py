"""Uploaded PDFs, written anew without anything that acts: only what draws on their pages is taken over.

The reading is done by a process of its own (`paper_child`) with bounds on memory and time: what is hostile or merely
odd takes down that process only. An electronic signature holds for the bytes that were signed and does not survive;
`left_out` says so, and what else stayed behind.
"""

import marshal
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError

MEMORY = 1000 * 1024 * 1024  # of the child, bytes of address space
SECONDS = 20  # of work, by the processor's clock
_PATIENCE = 3  # how many times as long by the clock on the wall: on a busy machine the child waits like everybody
_CHILD = str(Path(__file__).with_name("paper_child.py"))
# No secrets of ours in the child's environment; only what the interpreter may need to start.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "SYSTEMROOT")
_PRINT = "请打开后选“打印”，打印机选“另存为 PDF”（Microsoft Print to PDF），再上传打印出来的文件；也可以拍照上传。"
# How it may be ended: by the bound on time; by itself when the page reader finds no more memory.
_DEATHS: dict[int, str] = {signal.SIGXCPU: "slow", signal.SIGKILL: "slow", signal.SIGABRT: "heavy"}
_POINTS = 842  # the long side of A4 in points

# What stayed behind: word of the child → what the page says.
LEFT_OUT = {
    "signature": "电子签名（本系统保存的是清理后的副本，验签请用原件）",
    "scripts": "脚本和自动动作",
    "files": "附带的其他文件",
    "media": "音频、视频或三维内容",
}


class PaperRefused(ValidationError):
    """The PDF cannot be kept; nothing of it has been. The sentence says why and what to do."""


@dataclass(frozen=True)
class Paper:
    """A PDF that may be kept: `left_out` holds keys of LEFT_OUT, `preview` is a JPEG of its first page."""

    content: bytes
    pages: int
    left_out: tuple[str, ...]
    preview: bytes


def write_anew(content: bytes, *, long_side: int) -> Paper:
    """The PDF with the same pages and nothing that acts; its preview `long_side` dots long. Raises PaperRefused."""
    word, *told = _ask_child({"long_side": long_side}, content)
    if word != "made":
        raise _refusal(word if word != "refused" else told[0], *told[1:])
    made, pages, left_out, preview = told
    return Paper(made, pages, tuple(left_out), preview)


def bind(photographs: Sequence[tuple[bytes, tuple[int, int], bool]]) -> bytes:
    """A PDF with one photograph a page: each a JPEG, its width and height in dots, and whether it is grey."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    for content, (width, height), grey in photographs:
        scale = _POINTS / max(width, height)
        wide, tall = width * scale, height * scale
        draw = b"q %.2f 0 0 %.2f 0 0 cm /P Do Q" % (wide, tall)
        page = len(objects) + 1
        kids.append(b"%d 0 R" % page)
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %.2f %.2f] /Resources << /XObject << /P %d 0 R >> >> "
            b"/Contents %d 0 R >>" % (wide, tall, page + 2, page + 1),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(draw), draw),
            b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /%s /BitsPerComponent 8 "
            b"/Filter /DCTDecode /Length %d >>\nstream\n%s\nendstream"
            % (width, height, b"DeviceGray" if grey else b"DeviceRGB", len(content), content),
        ]
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(b"%010d 00000 n \n" % len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    size, start = len(objects) + 1, len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, b"".join(places))
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return bytes(out)


def _ask_child(request: dict[str, Any], content: bytes) -> tuple[Any, ...]:
    command = [sys.executable, "-I", _CHILD, str(MEMORY), str(SECONDS), str(os.getpid())]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command,
            input=marshal.dumps(request) + content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            start_new_session=True,  # Ctrl-C is for us; the child ends when we do
            timeout=_PATIENCE * SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ("slow",)
    if done.returncode:
        return (_DEATHS.get(-done.returncode, "damaged"),)
    return marshal.loads(done.stdout)  # noqa: S302 - from our own child


def _refusal(word: str, *particulars: Any) -> PaperRefused:
    """The sentence for a refusal of the child."""
    if word == "pages":
        return PaperRefused(
            "这个 PDF 有 {} 页，最多收 {} 页。请只留需要的页，或分成几个文件上传。".format(*particulars)
        )
    if word == "pixels":
        return PaperRefused(
            "这个 PDF 里有一张 {}×{} 像素的图片，太大了。请降低扫描分辨率（150–200 dpi 即可）后重新扫描上传。".format(
                *particulars
            )
        )
    return PaperRefused(_SENTENCES[word])


_SENTENCES = {
    "damaged": "这个 PDF 文件已损坏或没有传完，打不开。请重新导出或重新扫描后上传，也可以拍照上传。",
    "password": "这个 PDF 设有打开密码，审核人员打不开。请去掉密码后上传。",
    "portfolio": "这是装着其他文件的 PDF 文件包，里面的文件这里看不到。请打开后把需要的那一份单独存成 PDF 上传。",
    "xfa": "这个 PDF 是要用专门软件填写的动态表单，一般软件里看不到内容。" + _PRINT,
    "fields": "这个 PDF 的表单里填了字，但没有存成能直接显示的样子，收下来会看不到所填内容。" + _PRINT,
    "notes": "这个 PDF 上有批注或图章没有存成能直接显示的样子，收下来会看不到。" + _PRINT,
    "objects": "这个 PDF 的内容异常复杂，不像扫描件或打印件。" + _PRINT,
    "bomb": "这个 PDF 解开后的内容大得异常，不能接收。请重新扫描（150–200 dpi 即可）或拍照后上传。",
    "heavy": "读这个 PDF 要用的内存太多，已经停下。请降低扫描分辨率（150–200 dpi 即可）或拍照后上传。",
    "slow": "读这个 PDF 用的时间太长，已经停下。" + _PRINT,
}
