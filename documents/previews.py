"""Small pictures by which a person knows an upload again. Used by the process that reads PDFs too: Pillow only."""

import io

from PIL import Image

MAX_BYTES = 20 * 1024


def small_jpeg(picture: Image.Image) -> bytes:
    """The picture as JPEG of at most MAX_BYTES."""
    picture = on_white(picture)
    picture.info.clear()
    while True:
        for quality in (75, 55, 35):
            out = io.BytesIO()
            picture.save(out, "JPEG", quality=quality, optimize=True)
            if out.tell() <= MAX_BYTES:
                return out.getvalue()
        picture = picture.resize((max(1, picture.width * 3 // 4), max(1, picture.height * 3 // 4)))


def on_white(picture: Image.Image) -> Image.Image:
    """The picture in colour, nothing of it transparent."""
    if picture.mode in ("RGBA", "LA"):
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
    return picture.convert("RGB")
