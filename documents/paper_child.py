"""The process that writes an uploaded PDF anew for `documents.papers`, under limits, and knows nothing else.

Nothing is searched for and struck out: what draws on a page is taken over by a list of what may be taken over, and
everything else stays behind: scripts, actions, links, attached files, forms, films, references to other files. What
was written or stamped upon a page (annotations, filled fields, seals) becomes part of the page as it looked.

Started as `python -I paper_child.py MEMORY CPU_SECONDS PARENT`. On stdin: a marshal'd request, then the file; on
stdout: one marshal'd answer. Once both libraries are loaded this process can open no file and no connection.
"""

import codecs
import contextlib
import importlib
import io
import logging
import marshal
import resource
import sys
import zlib
from collections import deque
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # isolated: our own tree last, so that nothing of it can stand in for a library
    sys.path.append(str(Path(__file__).resolve().parents[1]))

import pypdfium2
from PIL import Image
from pypdf import PdfReader
from pypdf.errors import LimitReachedError, PdfReadError
from pypdf.filters import decode_stream_data
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    EncodedStreamObject,
    FloatObject,
    IndirectObject,
    NameObject,
    NullObject,
    NumberObject,
    PdfObject,
    StreamObject,
)

from documents.previews import small_jpeg
from documents.workbook_child import limit_myself

MAX_PAGES = 200
MAX_OBJECTS = 60_000
MAX_STREAM = 160 * 1024 * 1024  # bytes unpacked: an A4 page in colour at 600 dots an inch has 104
MAX_UNPACKED = 600 * 1024 * 1024  # all streams together
MAX_PIXELS = 80_000_000  # of one image: A3 at 600 dots an inch has 70

# What may be taken over of the things a page draws with, whatever kind of thing it is.
_KEPT = frozenset(
    f"/{key}"
    for key in (
        "Type Subtype Filter DecodeParms "
        # forms, images
        "FormType BBox Matrix Resources Group I K CS S Width Height ColorSpace BitsPerComponent Intent ImageMask Mask "
        "Decode Interpolate SMask SMaskInData Matte OC "
        # parameters of filters
        "Predictor Colors Columns Rows EarlyChange EndOfLine EncodedByteAlign EndOfBlock BlackIs1 "
        "DamagedRowsBeforeError ColorTransform JBIG2Globals "
        # patterns, shadings, functions
        "PatternType PaintType TilingType XStep YStep Shading ShadingType Background AntiAlias Domain Coords Extend "
        "Function Functions Bounds Encode Size BitsPerSample BitsPerCoordinate BitsPerFlag VerticesPerRow Order "
        "FunctionType Range C0 C1 N "
        # colour spaces
        "WhitePoint BlackPoint Gamma Alternate Colorants Process Components "
        # fonts
        "BaseFont Name FirstChar LastChar Widths FontDescriptor Encoding BaseEncoding Differences ToUnicode FontBBox "
        "FontMatrix CharProcs DescendantFonts CIDSystemInfo Registry Ordering Supplement DW W DW2 W2 CIDToGIDMap "
        "CMapName WMode UseCMap FontName FontFamily FontStretch FontWeight Flags ItalicAngle Ascent Descent Leading "
        "CapHeight XHeight StemV StemH AvgWidth MaxWidth MissingWidth FontFile FontFile2 FontFile3 CharSet CIDSet "
        "Length1 Length2 Length3 "
        # graphics states
        "ExtGState LW LC LJ ML D RI OP op OPM Font BG BG2 UCR UCR2 TR TR2 FL SM SA BM CA ca AIS TK G BC "
        # layers
        "OCGs P VE BaseState ON OFF"
    ).split()
)
_RESOURCES = frozenset(
    ["/Font", "/XObject", "/ColorSpace", "/Pattern", "/Shading", "/ExtGState", "/Properties", "/ProcSet"]
)
_NOT_COPIED = ("/Catalog", "/Pages", "/Page", "/Annot", "/Action", "/Filespec", "/EmbeddedFile")
_PICTURE_FILTERS = ("/DCTDecode", "/DCT", "/JPXDecode", "/JBIG2Decode", "/CCITTFaxDecode", "/CCF")
_MEDIA = ("/RichMedia", "/Screen", "/Movie", "/Sound", "/3D")
# Readers draw these themselves when no picture of them is kept, each in its own way.
_DRAWN_BY_READERS = frozenset(
    f"/{kind}"
    for kind in (
        "FreeText Ink Line Square Circle Polygon PolyLine Stamp Highlight Underline StrikeOut Squiggly"
    ).split()
)
_HIDDEN, _NO_VIEW = 1 << 1, 1 << 5
_ACTING = ("/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/GoToR", "/GoToE", "/Rendition", "/Movie", "/Sound")


class Refused(Exception):
    """args: the word by which the parent knows the sentence, and its particulars."""


class Copy:
    """A file in the making. Objects get their number when they are first spoken of and are filled in one by one,
    so that neither circles nor long chains matter."""

    def __init__(self) -> None:
        self.objects: list[PdfObject] = []
        self.known: dict[tuple[int, int, str], IndirectObject] = {}
        self.waiting: deque[tuple[int, PdfObject, str]] = deque()
        self.unpacked = 0

    def add(self, value: PdfObject) -> IndirectObject:
        if len(self.objects) >= MAX_OBJECTS:
            raise Refused("objects", MAX_OBJECTS)
        self.objects.append(value)
        return IndirectObject(len(self.objects), 0, None)

    def take(self, value: Any, role: str = "") -> PdfObject:
        """What of the value may be taken over. `role`: "resources", or "names" for tables whose keys are free."""
        if isinstance(value, IndirectObject):
            return self._refer(value, role)
        if isinstance(value, StreamObject):
            return self.add(self._stream(value))
        if isinstance(value, DictionaryObject):
            return self._dictionary(value, role)
        if isinstance(value, ArrayObject):
            return ArrayObject(self.take(one) for one in list.__iter__(value))
        return value if isinstance(value, PdfObject) else NullObject()

    def _refer(self, reference: IndirectObject, role: str) -> PdfObject:
        key = (reference.idnum, reference.generation, role)
        if key not in self.known:
            target = reference.get_object()
            if isinstance(target, DictionaryObject) and _name(target, "/Type") in _NOT_COPIED:
                return NullObject()
            if target is None or isinstance(target, IndirectObject):
                return NullObject()
            self.known[key] = self.add(NullObject())
            self.waiting.append((self.known[key].idnum, target, role))
        return self.known[key]

    def finish(self) -> None:
        """Fill in everything that was spoken of."""
        while self.waiting:
            number, target, role = self.waiting.popleft()
            filled = self._stream(target) if isinstance(target, StreamObject) else self.take(target, role)
            self.objects[number - 1] = filled

    def _dictionary(self, given: DictionaryObject, role: str) -> DictionaryObject:
        if _name(given, "/Type") in _NOT_COPIED:
            return DictionaryObject()
        taken = DictionaryObject()
        for key, value in raw_items(given):
            if role == "names":
                taken[key] = self.take(value)
            elif role == "resources":
                if key in _RESOURCES:
                    taken[key] = self.take(value, "" if key == "/ProcSet" else "names")
            elif key in _KEPT:
                inner = {"/Resources": "resources", "/CharProcs": "names", "/Colorants": "names"}.get(key, "")
                taken[key] = self.take(value, inner)
        return taken

    def _stream(self, given: StreamObject) -> PdfObject:
        if "/PS" in (_name(given, "/Subtype"), _name(given, "/Subtype2")):
            return NullObject()  # a program for printers
        if "/F" in given:
            return NullObject()  # its content lies in another file
        self._bound(given)
        taken = stream(given._data, self._dictionary(given, ""))
        if "/Filter" not in taken and len(taken._data) > 200:
            taken._data = zlib.compress(taken._data)
            taken[NameObject("/Filter")] = NameObject("/FlateDecode")
            taken.pop("/DecodeParms", None)
        return taken

    def _bound(self, given: StreamObject) -> None:
        filters = _filters(given)
        width, height = entry(given, "/Width"), entry(given, "/Height")
        if isinstance(width, int | float) and isinstance(height, int | float):
            _refuse_pixels(width, height)
        if filters[:1] in (["/DCTDecode"], ["/DCT"]):
            _refuse_pixels(*_jpeg_size(given._data))
        self.unpacked += unpacked_size(given._data, filters)
        if self.unpacked > MAX_UNPACKED:
            raise Refused("bomb")


def stream(data: bytes, entries: DictionaryObject | None = None) -> EncodedStreamObject:
    made = EncodedStreamObject()
    made._data = data
    for key, value in raw_items(entries or DictionaryObject()):
        made[key] = value
    return made


def raw_items(given: DictionaryObject) -> list[tuple[NameObject, PdfObject]]:
    """The entries as they stand, references not followed."""
    return [(key, given.raw_get(key)) for key in given]


def entry(given: DictionaryObject, key: str) -> Any:
    """What the entry stands for, the reference followed; None without one."""
    value = given.raw_get(key) if key in given else None
    return value.get_object() if isinstance(value, IndirectObject) else value


def _name(given: DictionaryObject, key: str) -> str:
    value = entry(given, key)
    return str(value) if isinstance(value, NameObject) else ""


def _filters(given: StreamObject) -> list[str]:
    value = entry(given, "/Filter")
    if isinstance(value, ArrayObject):
        return [str(one.get_object()) for one in value]
    return [str(value)] if isinstance(value, NameObject) else []


def _refuse_pixels(width: float, height: float) -> None:
    if width * height > MAX_PIXELS:
        raise Refused("pixels", int(width), int(height))


def _jpeg_size(content: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as picture:
            return picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0, 0


def unpacked_size(data: bytes, filters: list[str]) -> int:
    """How large the stream is behind its filters, up to the picture's own coding. Refused("bomb") beyond MAX_STREAM."""
    for name in filters:
        if name in _PICTURE_FILTERS:
            break
        data = _inflate(data) if name in ("/FlateDecode", "/Fl") else _decode(data, name)
    return len(data)


def _inflate(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    out = bytearray()
    try:
        out += unpacker.decompress(data, MAX_STREAM + 1)
    except zlib.error:  # damaged: readers show what there is
        unpacker = zlib.decompressobj()
        view = memoryview(data)
        try:
            for start in range(0, len(view), 512):
                out += unpacker.decompress(view[start : start + 512], MAX_STREAM + 1 - len(out))
                if len(out) > MAX_STREAM:
                    break
        except zlib.error:
            pass
    if len(out) > MAX_STREAM:
        raise Refused("bomb")
    return bytes(out)


def _decode(data: bytes, name: str) -> bytes:
    probe = stream(data)
    probe[NameObject("/Filter")] = NameObject(name)
    try:
        return decode_stream_data(probe)
    except LimitReachedError:
        raise Refused("bomb") from None
    except (PdfReadError, NotImplementedError, ValueError, IndexError, KeyError):
        return data  # unknown or damaged: readers cannot unpack it either


# --- pages ----------------------------------------------------------------------------------------


def write_anew(content: bytes) -> tuple[bytes, int, list[str]]:
    """(the new file, its pages, words for what was left behind). Raises Refused."""
    reader = _open(content)
    catalog = entry(reader.trailer, "/Root")
    if not isinstance(catalog, DictionaryObject):
        raise Refused("damaged")
    left = _left_behind(catalog)
    count = len(reader.pages)
    if not count:
        raise Refused("damaged")
    if count > MAX_PAGES:
        raise Refused("pages", count, MAX_PAGES)
    copy = Copy()
    root, tree = copy.add(NullObject()), copy.add(NullObject())
    form = _dictionary_at(catalog, "/AcroForm")
    kids = ArrayObject(copy.add(_page(copy, page, tree, form, left)) for page in reader.pages)
    copy.finish()
    copy.objects[tree.idnum - 1] = _dictionary(Type=NameObject("/Pages"), Kids=kids, Count=NumberObject(count))
    top = _dictionary(Type=NameObject("/Catalog"), Pages=tree)
    layers = entry(catalog, "/OCProperties")
    if isinstance(layers, DictionaryObject):
        top[NameObject("/OCProperties")] = copy.take(layers)
        copy.finish()
    copy.objects[root.idnum - 1] = top
    return _written(copy.objects), count, sorted(left)


def _open(content: bytes) -> PdfReader:
    start = content.find(b"%PDF-")
    reader = PdfReader(io.BytesIO(content[max(start, 0) :]), strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise Refused("password")
    return reader


def _left_behind(catalog: DictionaryObject) -> set[str]:
    """Words for what the file has beside its pages. Raises Refused where the pages alone would not tell the content."""
    left = set()
    if "/Collection" in catalog:
        raise Refused("portfolio")
    names = _dictionary_at(catalog, "/Names")
    if "/EmbeddedFiles" in names or "/AF" in catalog:
        left.add("files")
    if "/JavaScript" in names or "/AA" in catalog or _acts(entry(catalog, "/OpenAction")):
        left.add("scripts")
    form = _dictionary_at(catalog, "/AcroForm")
    if "/XFA" in form:
        if entry(catalog, "/NeedsRendering") or not entry(form, "/Fields"):
            raise Refused("xfa")
        left.add("scripts")
    if "/Perms" in catalog:
        left.add("signature")
    return left


def _page(
    copy: Copy, page: DictionaryObject, tree: IndirectObject, form: DictionaryObject, left: set[str]
) -> DictionaryObject:
    made = _dictionary(Type=NameObject("/Page"), Parent=tree)
    for key in ("/MediaBox", "/CropBox", "/Rotate", "/UserUnit", "/Group"):
        value = _inherited(page, key) if key in ("/MediaBox", "/CropBox", "/Rotate") else entry(page, key)
        if value is not None:
            made[NameObject(key)] = copy.take(value)
    if "/AA" in page:
        left.add("scripts")
    given = _inherited(page, "/Resources")
    resources = copy.take(given, "resources") if given is not None else DictionaryObject()
    if not isinstance(resources, DictionaryObject):
        resources = DictionaryObject()
    made[NameObject("/Resources")] = resources
    contents = entry(page, "/Contents")
    if isinstance(contents, StreamObject):
        contents = ArrayObject([page.raw_get("/Contents")])
    drawn = [copy.take(one) for one in list.__iter__(contents)] if isinstance(contents, ArrayObject) else []
    stamped = _annotations(copy, page, resources, form, left)
    if stamped:
        drawn = [copy.add(stream(b"q\n")), *drawn, copy.add(stream(b"\nQ\n" + stamped))]
    made[NameObject("/Contents")] = ArrayObject(one for one in drawn if not isinstance(one, NullObject))
    return made


def _annotations(
    copy: Copy, page: DictionaryObject, resources: DictionaryObject, form: DictionaryObject, left: set[str]
) -> bytes:
    """What draws the page's annotations as they look; their pictures go into the page's resources."""
    annotations = entry(page, "/Annots")
    commands: list[bytes] = []
    for one in annotations if isinstance(annotations, ArrayObject) else ():
        note = one.get_object()
        if not isinstance(note, DictionaryObject):
            continue
        kind = _name(note, "/Subtype")
        _name_what_it_does(note, kind, left)
        flags = entry(note, "/F")
        if kind in ("/Popup", "/Link") or (isinstance(flags, int) and flags & (_HIDDEN | _NO_VIEW)):
            continue
        picture = _appearance(note)
        if picture is None:
            _refuse_unseen(note, kind)
            continue
        place = _placing(note, picture)
        if place is None:
            continue
        looks = copy._stream(picture)
        if not isinstance(looks, EncodedStreamObject):
            continue
        looks[NameObject("/Type")], looks[NameObject("/Subtype")] = NameObject("/XObject"), NameObject("/Form")
        if "/Resources" not in looks and "/DR" in form:
            looks[NameObject("/Resources")] = copy.take(form["/DR"], "resources")
        if "/OC" in note:
            looks[NameObject("/OC")] = copy.take(note.raw_get("/OC"))
        table = resources.raw_get("/XObject") if "/XObject" in resources else None
        if isinstance(table, IndirectObject):  # shared between pages, and not filled in yet: one of our own
            copy.finish()
            table = copy.objects[table.idnum - 1]
            table = DictionaryObject(raw_items(table)) if isinstance(table, DictionaryObject) else None
        if not isinstance(table, DictionaryObject):
            table = DictionaryObject()
        resources[NameObject("/XObject")] = table
        name = NameObject(f"/Stamped{len(commands)}")
        table[name] = copy.add(looks)
        commands.append(f"q {' '.join(f'{number:.5f}' for number in place)} cm {name} Do Q\n".encode())
    return b"".join(commands)


def _name_what_it_does(note: DictionaryObject, kind: str, left: set[str]) -> None:
    if kind == "/FileAttachment" or "/AF" in note:
        left.add("files")
    if kind in _MEDIA:
        left.add("media")
    if "/AA" in note or _acts(entry(note, "/A")):
        left.add("scripts")
    if kind == "/Widget" and _of_field(note, "/FT") == "/Sig" and _of_field(note, "/V") is not None:
        left.add("signature")


def _refuse_unseen(note: DictionaryObject, kind: str) -> None:
    """What readers show of themselves would be lost without a word."""
    if kind == "/Widget" and _of_field(note, "/FT") in ("/Tx", "/Ch") and str(_of_field(note, "/V") or "").strip():
        raise Refused("fields")
    if kind in _DRAWN_BY_READERS:
        raise Refused("notes")


def _of_field(note: DictionaryObject, key: str) -> Any:
    """A field's entry, which its parents may hold."""
    for _ in range(10):
        if key in note:
            return entry(note, key)
        note = _dictionary_at(note, "/Parent")
    return None


def _acts(action: Any) -> bool:
    return isinstance(action, DictionaryObject) and _name(action, "/S") in _ACTING


def _appearance(note: DictionaryObject) -> StreamObject | None:
    looks = entry(_dictionary_at(note, "/AP"), "/N")
    if isinstance(looks, StreamObject):
        return looks
    state = _name(note, "/AS")
    chosen = entry(looks, state) if isinstance(looks, DictionaryObject) and state else None
    if isinstance(looks, DictionaryObject) and chosen is None:
        return EncodedStreamObject()  # a box that is not ticked: nothing to see
    return chosen if isinstance(chosen, StreamObject) else None


def _placing(note: DictionaryObject, picture: StreamObject) -> tuple[float, ...] | None:
    """The matrix by which the picture fills the annotation's rectangle (ISO 32000-1, 12.5.5); None for no place."""
    box, rectangle = _numbers(entry(picture, "/BBox"), 4), _numbers(entry(note, "/Rect"), 4)
    if box is None or rectangle is None:
        return None
    a, b, c, d, e, f = _numbers(entry(picture, "/Matrix"), 6) or (1, 0, 0, 1, 0, 0)
    corners = [(a * x + c * y + e, b * x + d * y + f) for x in (box[0], box[2]) for y in (box[1], box[3])]
    left, right = min(x for x, _ in corners), max(x for x, _ in corners)
    low, high = min(y for _, y in corners), max(y for _, y in corners)
    x0, x1 = sorted((rectangle[0], rectangle[2]))
    y0, y1 = sorted((rectangle[1], rectangle[3]))
    if right - left <= 0 or high - low <= 0 or x1 <= x0 or y1 <= y0:
        return None
    wide, tall = (x1 - x0) / (right - left), (y1 - y0) / (high - low)
    return wide, 0, 0, tall, x0 - left * wide, y0 - low * tall


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    if not isinstance(value, ArrayObject) or len(value) != count:
        return None
    numbers = [one.get_object() for one in value]
    if not all(isinstance(number, NumberObject | FloatObject) for number in numbers):
        return None
    return tuple(float(number) for number in numbers)


def _inherited(page: DictionaryObject, key: str) -> Any:
    for _ in range(60):
        if key in page:
            return entry(page, key)
        page = _dictionary_at(page, "/Parent")
    return None


def _dictionary_at(given: DictionaryObject, key: str) -> DictionaryObject:
    value = entry(given, key)
    return value if isinstance(value, DictionaryObject) else DictionaryObject()


def _dictionary(**entries: PdfObject) -> DictionaryObject:
    return DictionaryObject((NameObject(f"/{key}"), value) for key, value in entries.items())


def _written(objects: list[PdfObject]) -> bytes:
    """The file: header, objects (the first is the root), their places. No date, no author, no identifier."""
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, value in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n" % number)
        value.write_to_stream(out)
        out.write(b"\nendobj\n")
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return out.getvalue()


# --- the first page, small ------------------------------------------------------------------------


def preview(content: bytes, pages: int, long_side: int) -> bytes:
    """The first page as a small JPEG. Refused("damaged") when Chromium's reader finds no such file, or other pages."""
    try:
        document = pypdfium2.PdfDocument(content)
        if len(document) != pages:
            raise Refused("damaged")
        page = document[0]
        scale = long_side / max(*page.get_size(), 1)
        picture = page.render(scale=scale, may_draw_forms=False, draw_annots=False).to_pil()
    except pypdfium2.PdfiumError as error:
        raise Refused("damaged") from error
    return small_jpeg(picture)


class NothingMore:
    """Stands before all other finders of modules once none can be opened: a library that goes without one may read
    a file wrongly and say nothing (a text it cannot decode, an entry it then leaves out)."""

    def __init__(self) -> None:
        self.asked_for: list[str] = []

    def find_spec(self, name: str, *_: object) -> None:
        self.asked_for.append(name)


def _load_libraries() -> None:
    """Everything that is loaded when first needed, before nothing more can be opened."""
    Image.preinit()
    for name in ("ascii", "latin-1", "utf-8", "utf-16", "utf-16-be", "utf-16-le", "gbk", "charmap"):
        codecs.lookup(name)
    with contextlib.suppress(ImportError):
        importlib.import_module("brotli")
    tiny = _written([_dictionary(Type=NameObject("/Catalog"), Pages=IndirectObject(2, 0, None)), *_TINY])
    preview(write_anew(tiny)[0], 1, 8)


_TINY = [
    _dictionary(Type=NameObject("/Pages"), Kids=ArrayObject([IndirectObject(3, 0, None)]), Count=NumberObject(1)),
    _dictionary(
        Type=NameObject("/Page"),
        Parent=IndirectObject(2, 0, None),
        MediaBox=ArrayObject(NumberObject(side) for side in (0, 0, 8, 8)),
    ),
]


def main() -> None:
    limit_myself(*map(int, sys.argv[1:4]))
    logging.disable(logging.CRITICAL)
    _load_libraries()
    request = marshal.load(sys.stdin.buffer)  # noqa: S302 - from our own parent
    content = sys.stdin.buffer.read()
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    nothing_more = NothingMore()
    sys.meta_path.insert(0, nothing_more)
    answer: tuple[Any, ...]
    try:
        made, pages, left = write_anew(content)
        answer = ("made", made, pages, left, preview(made, pages, request["long_side"]))
    except Refused as refused:
        answer = ("refused", *refused.args)
    except LimitReachedError:
        answer = ("refused", "bomb")
    except (MemoryError, RecursionError):
        answer = ("refused", "heavy")
    except Exception:  # whatever a library stumbles over in a file that is not one
        answer = ("refused", "damaged")
    if nothing_more.asked_for:
        answer = ("refused", "damaged")
    marshal.dump(answer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
