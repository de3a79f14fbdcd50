"""Templates to PDF/A-3b.

The same template and context give the same bytes, so that making a paper again after a crash changes
nothing. Only packaged static files and the office's own fonts can be fetched, whatever a name contains.
"""

import html
import logging
import re
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.template.loader import render_to_string
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

from . import fonts
from .fonts import missing_glyphs

__all__ = ["CannotPrint", "missing_glyphs", "page_count", "refuse_signs", "render", "render_html"]

# What templates write before the name of a packaged file: aid-static:print/letterhead.css
SCHEME = "aid-static"
_MOST_NAMED = 5
_MARK = "〓"  # what printers of old set in the place of a type they did not have
logging.getLogger("weasyprint").setLevel(logging.ERROR)  # its warnings are about our own style sheets' dialect


class CannotPrint(ValidationError):
    """A character has no glyph in any font: nothing was made, the sentence names text and character."""


def render(template_name: str, context: Mapping[str, Any], *, marks_signs: bool = False) -> bytes:
    """The template as PDF/A-3b. Raises CannotPrint when a character of its text has no glyph.

    With `marks_signs` a sign that no font has (a face somebody typed long ago) is printed as 〓, and the paper says so:
    for papers that tell what was recorded, and could else never be printed again. A letter is never replaced.
    """
    page = render_to_string(template_name, dict(context))
    return render_html(_with_marks(page) if marks_signs else page)


def refuse_signs(text: str) -> None:
    """Validator of words that go on paper later: no sign that no font of ours has. (A rare letter of a name may stand;
    the office can add its font.) Where no fonts are installed nothing is refused: typing must not wait for printing."""
    try:
        signs = _signs_in([text])
    except ImproperlyConfigured:
        return
    if signs:
        raise ValidationError(f"这里有打印不出来的符号：{'、'.join(signs[:_MOST_NAMED])}。请删去，或改用文字。")


def _signs_in(texts: Iterable[str]) -> list[str]:
    missing = (char for chars in missing_glyphs(texts).values() for char in chars)
    return [char for char in dict.fromkeys(missing) if fonts.is_sign(char)]


def _with_marks(page: str) -> str:
    signs = _signs_in(_visible_texts(page))
    if not signs:
        return page
    marked = page.translate({ord(char): _MARK for char in signs})
    return marked.replace("</body>", f"<p>{_MARK} 处是现有字体没有的符号，原文见系统中的记录。</p></body>")


def render_html(page: str) -> bytes:
    """A whole HTML document, already escaped, as PDF/A-3b."""
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration

    refuse_missing_glyphs(_visible_texts(page))
    fetch, configuration = _fetcher(), FontConfiguration()
    own = [CSS(string=_font_faces(), url_fetcher=fetch, font_config=configuration)] if fonts.own_fonts() else []
    document = HTML(string=page, base_url=f"{SCHEME}:", url_fetcher=fetch)
    return document.write_pdf(stylesheets=own, font_config=configuration, pdf_variant="pdf/a-3b")


def page_count(pdf: bytes) -> int:
    """Pages of a PDF. ValueError when it is none."""
    try:
        return int(PdfFileReader(BytesIO(pdf), strict=False).root["/Pages"]["/Count"])
    except (PdfError, KeyError, ValueError, TypeError, OSError) as error:
        raise ValueError("Not a PDF that can be read.") from error


def refuse_missing_glyphs(texts: Iterable[str]) -> None:
    """Raise CannotPrint naming each text and the characters the fonts do not have."""
    missing = missing_glyphs(texts)
    if not missing:
        return
    named = "；".join(
        f"“{text[:30]}”中的“{'、'.join(f'{c}（U+{ord(c):04X}）' for c in chars)}”"
        for text, chars in list(missing.items())[:_MOST_NAMED]
    )
    more = f"，等共 {len(missing)} 处" if len(missing) > _MOST_NAMED else ""
    raise CannotPrint(
        f"有的字现有字体打印不出来：{named}{more}。没有生成文件。"
        "请先核对是不是录入错误；如果字没有错，请系统管理员把含有这个字的字体放进字体目录（AID_FONTS）后重新生成。"
    )


def _visible_texts(page: str) -> Iterable[str]:
    """Words of the page as they will be set, without markup, styles and drawings."""
    text = re.sub(r"(?s)<(style|svg|head)\b.*?</\1>|<!--.*?-->", " ", page)
    return dict.fromkeys(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def _fetcher():
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    class PackagedFiles(URLFetcher):
        """Answers for our scheme only; a name with an address inside makes no request."""

        def fetch(self, url: str, headers: Any = None) -> URLFetcherResponse:
            path = _packaged_file(url)
            if path is None:
                raise ValueError("Only packaged files are fetched.")
            return URLFetcherResponse(url, path.read_bytes())

    return PackagedFiles(allowed_protocols=(SCHEME,))


def _packaged_file(url: str) -> Path | None:
    parts = urlsplit(url)
    if parts.scheme != SCHEME or parts.netloc:
        return None
    name = unquote(parts.path).lstrip("/")
    if name.startswith("own-fonts/"):
        return next((path for path in fonts.own_fonts() if path.name == name.removeprefix("own-fonts/")), None)
    found = finders.find(name)
    return Path(found) if found else None


def _font_faces() -> str:
    return "".join(
        f'@font-face {{ font-family: "{fonts.family_of(path)}"; src: url("{SCHEME}:own-fonts/{path.name}"); }}\n'
        for path in fonts.own_fonts()
    )


def page_address() -> str:
    """Where papers send people to check them, as printed: without scheme, with what has to be typed."""
    return f"{settings.PUBLIC_URL.removeprefix('https://').removeprefix('http://')}/verify/"
