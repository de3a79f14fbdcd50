"""Photographs people upload: made anew, without what the camera wrote into them."""

import io
from typing import Literal

from django.core.exceptions import ValidationError
from PIL import Image, ImageOps

# A 50-megapixel photograph takes 150 MB while it is decoded; phones offer smaller ones.
MAX_PIXELS = 50_000_000
# The long side of what is kept: an A4 page at 250 dots an inch, enough to read a signature.
MAX_SIDE = 3000


class PictureRefused(ValidationError):
    """The picture cannot be read or is too large; nothing has been kept."""


def clean(content: bytes, form: Literal["JPEG", "PNG"]) -> bytes:
    """The picture decoded and encoded again: upright, at most MAX_SIDE, no EXIF, no place, nothing appended."""
    try:
        # Only the named decoder: Pillow knows dozens, and each is a way in.
        with Image.open(io.BytesIO(content), formats=[form]) as picture:
            _refuse_too_many_pixels(picture)
            if form == "JPEG":
                # Lets the decoder work at half or a quarter of the size where that is enough.
                picture.draft("RGB", (MAX_SIDE, MAX_SIDE))
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
            return _encode(upright, form)
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


def _encode(picture: Image.Image, form: str) -> bytes:
    keep = ("RGB", "L") if form == "JPEG" else ("RGB", "L", "1", "RGBA", "LA")
    fresh = picture if picture.mode in keep else picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    if form == "JPEG" and fresh.mode == "RGBA":
        fresh = fresh.convert("RGB")
    fresh.info.clear()  # what Pillow would otherwise write back: profile, comment, EXIF
    out = io.BytesIO()
    fresh.save(out, form, **({"quality": 85, "optimize": True} if form == "JPEG" else {"optimize": True}))
    return out.getvalue()
