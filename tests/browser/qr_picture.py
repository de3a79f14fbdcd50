"""Whether the square printed on a paper says an address: the paper is drawn and its square read dot by dot."""

import subprocess
import tempfile
from pathlib import Path

import segno
from PIL import Image

_DOTS_PER_MM = 12
# Where the signing copy has its code (millimetres from the left and the top), with a little paper around it.
_PLACE = (259.0, 3.0, 283.0, 24.0)


def shows(pdf: Path, address: str) -> bool:
    """Compare the first page's code with the one that says `address`, dot for dot."""
    picture = _drawn(pdf)
    box = picture.point(lambda shade: 255 if shade < 128 else 0).getbbox()
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


def _drawn(pdf: Path) -> Image.Image:
    """The part of the first page that holds the code, in shades of grey."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "page"
        resolution = str(round(_DOTS_PER_MM * 25.4))
        command = ["pdftoppm", "-r", resolution, "-f", "1", "-l", "1", "-gray", "-png", "-singlefile"]
        subprocess.run([*command, str(pdf), str(out)], check=True)
        with Image.open(f"{out}.png") as page:
            return page.crop(tuple(int(edge * _DOTS_PER_MM) for edge in _PLACE)).convert("L")
