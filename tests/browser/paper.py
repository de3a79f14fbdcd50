"""What stands on a printed paper: its text, its square code, and the shape of its characters.

A missing glyph prints as a box while the text behind it stays right, so shapes are compared as pictures.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import segno
from PIL import Image, ImageChops, ImageDraw, ImageFont

_DOTS_PER_MM = 12
_RESOLUTION = round(_DOTS_PER_MM * 25.4)
# Where the signing copy has its code (millimetres from the left and the top), with a little paper around it.
_CODE_AT = (259.0, 3.0, 283.0, 24.0)
_FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
_SIMPLIFIED = 2  # the face of that collection in which the papers are set
_SQUARE = (96, 96)

Box = tuple[float, float, float, float]


def text(pdf: Path) -> str:
    command = ["pdftotext", "-layout", str(pdf), "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# --- the code -------------------------------------------------------------------------------------


def shows_code(pdf: Path, address: str) -> bool:
    """Compare the first page's code with the one that says `address`, dot for dot."""
    picture = _drawn(pdf, 1, tuple(edge * _DOTS_PER_MM for edge in _CODE_AT))
    box = _ink(picture)
    if box is None:
        return False
    wanted = [list(row) for row in segno.make(address, error="m", micro=False).matrix]
    left, top, right, bottom = box
    size = len(wanted)
    width, height = (right - left) / size, (bottom - top) / size
    read = [
        [int(picture.getpixel((left + (x + 0.5) * width, top + (y + 0.5) * height)) < 128) for x in range(size)]
        for y in range(size)
    ]
    return read == wanted


# --- the characters -------------------------------------------------------------------------------


def likeness(pdf: Path, word: str) -> float:
    """How much the word as printed (where it first stands) looks as its characters should: 0 to 1."""
    page, box = next(_places(pdf, word))
    dots = _RESOLUTION / 72
    printed = _drawn(pdf, page, tuple(edge * dots for edge in box))
    return _overlap(_fitted(printed), _fitted(_written(word)))


def likeness_of_boxes(word: str) -> float:
    """How much boxes in place of the word would look like it: what `likeness` must stay clear of."""
    boxes = Image.new("L", (100 * len(word), 100), 255)
    pen = ImageDraw.Draw(boxes)
    for place in range(len(word)):
        pen.rectangle((place * 100 + 8, 4, place * 100 + 92, 96), outline=0, width=6)
    return _overlap(_fitted(boxes), _fitted(_written(word)))


def _places(pdf: Path, word: str) -> Iterator[tuple[int, Box]]:
    """Page number and box (points) of each place where the word is printed."""
    told = subprocess.run(["pdftotext", "-bbox", str(pdf), "-"], capture_output=True, text=True, check=True).stdout
    space = "{http://www.w3.org/1999/xhtml}"
    pages = ElementTree.fromstring(told).iter(f"{space}page")  # noqa: S314 - written by poppler
    for number, page in enumerate(pages, start=1):
        for each in page.iter(f"{space}word"):
            if each.text == word:
                yield number, tuple(float(each.attrib[edge]) for edge in ("xMin", "yMin", "xMax", "yMax"))  # type: ignore[misc]


def _written(word: str) -> Image.Image:
    """The word in the font itself, as it ought to look."""
    font = ImageFont.truetype(_FONT, 100, index=_SIMPLIFIED)
    picture = Image.new("L", (120 * len(word), 160), 255)
    ImageDraw.Draw(picture).text((5, 5), word, font=font, fill=0)
    return picture


def _fitted(picture: Image.Image) -> Image.Image:
    """Only the ink, stretched to one size, black or white."""
    box = _ink(picture)
    assert box is not None, "nothing is printed there"
    return picture.crop(box).resize(_SQUARE).point(lambda shade: 0 if shade < 140 else 255)


def _overlap(one: Image.Image, other: Image.Image) -> float:
    """Ink that both have, of the ink that either has."""
    one, other = ImageChops.invert(one), ImageChops.invert(other)
    both = sum(ImageChops.darker(one, other).tobytes())
    either = sum(ImageChops.lighter(one, other).tobytes())
    return both / either


def _ink(picture: Image.Image) -> tuple[int, int, int, int] | None:
    return picture.point(lambda shade: 255 if shade < 128 else 0).getbbox()


def _drawn(pdf: Path, page: int, box: Box) -> Image.Image:
    """A part of a page (in dots), in shades of grey."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "page"
        command = ["pdftoppm", "-r", str(_RESOLUTION), "-f", str(page), "-l", str(page), "-gray", "-png", "-singlefile"]
        subprocess.run([*command, str(pdf), str(out)], check=True)
        with Image.open(f"{out}.png") as whole:
            return whole.crop(tuple(round(edge) for edge in box)).convert("L")
