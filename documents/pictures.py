"""Photographs people upload: made anew, without what the camera wrote into them; their small previews."""

import io
from typing import Literal

from django.core.exceptions import ValidationError
from PIL import Image, ImageOps

from .previews import on_white, small_jpeg

# A 50-megapixel photograph takes 150 MB while it is decoded; phones offer smaller ones.
MAX_PIXELS = 50_000_000
# The long side of what is kept: an A4 page at 250 dots an inch, enough to read a signature.
MAX_SIDE = 3000
# The same of a page among several: 170 dots an inch.
PAGE_SIDE = 2000


class PictureRefused(ValidationError):
    """The picture cannot be read or is too large; nothing has been kept."""


Form = Literal["JPEG", "PNG"]


def clean(content: bytes, form: Form) -> bytes:
    """The picture decoded and encoded again: upright, at most MAX_SIDE, no EXIF, no place, nothing appended."""
    return _encode(_decode(content, form, MAX_SIDE), form)


def preview(content: bytes, form: Form, long_side: int) -> bytes:
    """A small JPEG of the picture, its long side so many dots."""
    return small_jpeg(_decode(content, form, long_side))


def page_of(content: bytes, form: Form) -> tuple[bytes, tuple[int, int], bool]:
    """The picture as a page of a bound PDF: a JPEG, its width and height, and whether it is grey."""
    picture = _decode(content, form, PAGE_SIDE)
    if picture.mode != "L":
        picture = on_white(picture)
    return _encode(picture, "JPEG", quality=80), picture.size, picture.mode == "L"


def _decode(content: bytes, form: Form, side: int) -> Image.Image:
    try:
        # Only the named decoder: Pillow knows dozens, and each is a way in.
        with Image.open(io.BytesIO(content), formats=[form]) as picture:
            _refuse_too_many_pixels(picture)
            if form == "JPEG":
                # Lets the decoder work at half or a quarter of the size where that is enough.
                picture.draft("RGB", (side, side))
            upright = _eight_bits(ImageOps.exif_transpose(picture))
            if upright.mode == "1" and max(upright.size) > side:
                upright = upright.convert("L")  # black and white alone cannot be made smaller smoothly
            upright.thumbnail((side, side), Image.Resampling.LANCZOS)
            return upright
    except PictureRefused:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, EOFError) as error:
        raise PictureRefused("这张图片已损坏或没有传完，打不开。请重新拍照或重新导出后上传。") from error


def _refuse_too_many_pixels(picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise PictureRefused(
            f"这张图片有 {width}×{height} 像素，太大了（最多 {MAX_PIXELS // 10_000} 万像素）。"
            "请在相机设置里选小一点的尺寸重拍，或截图后上传。"
        )


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Colours of one byte each. Scanners write grey of two bytes, which Pillow would cut off and not divide."""
    if picture.mode.startswith("I"):
        deep = picture.convert("I") if picture.mode != "I" else picture
        return deep.point(lambda value: value * (1 / 256)).convert("L")
    if "transparency" in picture.info or picture.mode == "PA":
        return picture.convert("RGBA")
    return picture if picture.mode in ("RGB", "L", "1", "RGBA", "LA") else picture.convert("RGB")


def _encode(picture: Image.Image, form: Form, quality: int = 85) -> bytes:
    if form == "JPEG" and picture.mode != "L":
        picture = on_white(picture)
    picture.info.clear()  # what Pillow would otherwise write back: profile, comment, EXIF
    out = io.BytesIO()
    picture.save(out, form, **({"quality": quality, "optimize": True} if form == "JPEG" else {"optimize": True}))
    return out.getvalue()
