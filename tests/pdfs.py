"""PDFs made by hand, good and bad: the tests write down what a file holds, object by object."""

import zlib
from collections.abc import Sequence

FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def raw(objects: Sequence[bytes], *, trailer: bytes = b"", root: int = 1) -> bytes:
    """The file of these objects, numbered from 1, with a table of their places."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(b"%010d 00000 n \n" % len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start, size = len(out), len(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, b"".join(places))
    out += b"trailer\n<< /Size %d /Root %d 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (size, root, trailer, start)
    return bytes(out)


def stream(content: bytes, entries: bytes = b"", *, packed: bool = False) -> bytes:
    if packed:
        content, entries = zlib.compress(content, 9), entries + b" /Filter /FlateDecode"
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(content), content)


def paper(
    *words: str,
    catalog: bytes = b"",
    page: bytes = b"",
    resources: bytes = b"",
    draw: bytes = b"",
    more: Sequence[bytes] = (),
    trailer: bytes = b"",
) -> bytes:
    """A paper of A4 pages with a word on each (one page without any). `more` are objects from `first(…)` on, of
    which the other parts may speak; `draw` is drawn on every page after its word."""
    words = words or ("Proof",)
    kids = b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(len(words)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog,
        b"<< /Type /Pages /Kids [%s] /Count %d /MediaBox [0 0 595 842] >>" % (kids, len(words)),
        FONT,
    ]
    for number, word in enumerate(words):
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> %s >> %s >>"
            % (5 + 2 * number, resources, page)
        )
        objects.append(stream(b"BT /F1 48 Tf 60 700 Td (%s) Tj ET\n%s" % (word.encode(), draw)))
    return raw([*objects, *more], trailer=trailer)


def first(words: int = 1) -> int:
    """The number of the first object of `more` in a paper of so many words."""
    return 4 + 2 * words
