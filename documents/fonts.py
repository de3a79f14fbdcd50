"""Whether a name can be printed: the characters of the fonts our papers are set in.

A missing glyph prints as a box, while the text behind it stays right, so a printed PDF cannot be checked by
reading its text: the fonts have to be asked before.
"""

import functools
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from fontTools.ttLib import TTFont, TTLibError

# The families of the printed papers, in the order in which a glyph is looked for.
SANS, SERIF = "Noto Sans CJK SC", "Noto Serif CJK SC"
_SUFFIXES = (".ttf", ".otf", ".ttc")
_SYSTEM_DIRS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts")
# Set in no glyph: joiners, marks of direction, variation selectors, white space.
_WITHOUT_GLYPH = frozenset("\t\n\r\f\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\ufeff\xad")


def missing_glyphs(texts: Iterable[str]) -> dict[str, list[str]]:
    """Texts that cannot be printed whole → their characters that no font has, in order, once each."""
    known = printable()
    found = {}
    for text in texts:
        missing = [char for char in dict.fromkeys(text) if char not in known and not _is_silent(char)]
        if missing:
            found[text] = missing
    return found


def is_sign(char: str) -> bool:
    """Whether it is a picture or a sign, and no letter or number: a name is never written with one. The planes of rare
    Chinese characters hold letters, also where this Python's tables are older than the character."""
    return not (0x20000 <= ord(char) < 0x40000) and unicodedata.category(char)[0] not in "LMN"


@functools.cache
def printable() -> frozenset[str]:
    """Every character that the families of our papers, or the office's own fonts, can show."""
    chars = {*advances(SANS), *advances(SERIF)}
    for path in own_fonts():
        with _open_first(path) as face:
            chars.update(map(chr, face.getBestCmap() or {}))
    return frozenset(chars)


def own_fonts() -> list[Path]:
    """Font files the office put into the folder named by the setting FONT_DIR."""
    folder = getattr(settings, "FONT_DIR", None)
    if not folder:
        return []
    return sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in _SUFFIXES)


def family_of(path: Path) -> str:
    """The family name of a font file, as style sheets call it."""
    with _open_first(path) as face:
        return str(face["name"].getBestFamilyName())


def width(text: str) -> float:
    """Width of the text in em, as set in the sans family; an unknown character counts as one em."""
    known = advances()
    return sum(known.get(char, 1.0) for char in text)


@functools.cache
def advances(family: str = SANS) -> dict[str, float]:
    """Every character of the family → its width in em. Read once per process (a third of a second)."""
    # Debian's package keeps each family's languages in one collection file named after the family and weight.
    stem = family.replace(" CJK SC", "CJK").replace(" ", "")
    for folder in _SYSTEM_DIRS:
        for path in sorted(found for found in folder.rglob(f"{stem}*-Regular.*") if found.suffix in _SUFFIXES):
            if widths := _widths(path, family):
                return widths
    raise ImproperlyConfigured(f"打印所需的字体“{family}”没有安装。请运行：apt-get install fonts-noto-cjk")


def _widths(path: Path, family: str) -> dict[str, float]:
    """The widths in the file's face of that family; empty when it has no such face."""
    number = 0
    while True:
        with TTFont(path, fontNumber=number, lazy=True) as face:
            if face["name"].getDebugName(1) == family:
                per_em, metrics = face["head"].unitsPerEm, face["hmtx"].metrics
                return {chr(code): metrics[glyph][0] / per_em for code, glyph in face.getBestCmap().items()}
            faces = getattr(face.reader, "numFonts", 1)
        number += 1
        if number >= faces:
            return {}


def _open_first(path: Path) -> TTFont:
    try:
        return TTFont(path, fontNumber=0, lazy=True)
    except (OSError, TTLibError) as error:
        raise ImproperlyConfigured(f"字体文件 {path} 打不开。请换一个文件，或从字体目录中移走它。") from error


def _is_silent(char: str) -> bool:
    return char in _WITHOUT_GLYPH or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
