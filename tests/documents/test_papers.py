"""PDFs people send in: the same to look at, and nothing in them that acts; what cannot be kept so is refused."""

import contextlib
import errno
import io
import marshal
import os
import random
import subprocess
import sys
import zlib
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from PIL import Image, ImageChops

from documents import paper_child, papers
from documents.models import Upload
from tests import pdfs
from tests.pdfs import paper, raw, stream

# What a reader may act upon, as names stand in a file.
ACTING = (
    "JavaScript JS OpenAction AA A Launch URI SubmitForm ImportData GoToR GoToE EmbeddedFile EmbeddedFiles EF Filespec "
    "AF RichMedia Rendition Movie Sound XFA AcroForm Annots Names Outlines Metadata PieceInfo Collection Ref OPI Info"
).split()


def anew(content: bytes, long_side: int = 100) -> papers.Paper:
    return papers.write_anew(content, long_side=long_side)


def refusal(content: bytes) -> str:
    with pytest.raises(papers.PaperRefused) as caught:
        anew(content)
    return caught.value.messages[0]


def laid_open(content: bytes, folder: Path) -> str:
    """The file with its streams unpacked, to be read; found whole by another program."""
    (folder / "kept.pdf").write_bytes(content)
    subprocess.run(["qpdf", "--check", folder / "kept.pdf"], check=True, capture_output=True)
    command = ["qpdf", "--qdf", "--object-streams=disable", folder / "kept.pdf", folder / "open.pdf"]
    subprocess.run(command, check=True, capture_output=True)
    return (folder / "open.pdf").read_bytes().decode("latin-1")


def drawn(content: bytes, folder: Path, name: str) -> list[Image.Image]:
    (folder / f"{name}.pdf").write_bytes(content)
    command = ["pdftoppm", "-r", "60", "-png", folder / f"{name}.pdf", folder / name]
    subprocess.run(command, check=True, capture_output=True)
    return [Image.open(path).convert("RGB") for path in sorted(folder.glob(f"{name}-*.png"))]


def assert_looks_the_same(content: bytes, folder: Path) -> papers.Paper:
    """By a second reader (poppler), page for page, dot for dot but for rounding; and none of the pages is empty."""
    kept = anew(content)
    before, after = drawn(content, folder, "before"), drawn(kept.content, folder, "after")
    assert len(before) == len(after) == kept.pages
    for old, new in zip(before, after, strict=True):
        assert old.size == new.size
        assert ImageChops.invert(old).getbbox()
        different = ImageChops.difference(old, new).convert("L").point(lambda value: 255 if value > 24 else 0)
        assert different.histogram()[255] <= 4, different.getbbox()
    return kept


# --- what acts --------------------------------------------------------------------------------------

SCRIPT = b"<< /S /JavaScript /JS (app.alert\\(1\\)) >>"
LINK = b"/Annots [<< /Subtype /Link /Border [0 0 0] /Rect [0 0 9 9] /A %s >>]"
HOSTILE = {
    "opening": paper(catalog=b"/OpenAction " + SCRIPT),
    "named scripts": paper(catalog=b"/Names << /JavaScript << /Names [(a) %s] >> >>" % SCRIPT),
    "closing": paper(catalog=b"/AA << /WC %s >>" % SCRIPT),
    "page": paper(page=b"/AA << /O %s >>" % SCRIPT),
    "launch": paper(
        page=b"/Annots [<< /Subtype /Link /Border [0 0 0] /Rect [0 0 9 9] /A << /S /Launch /F (cmd.exe) >> >>]"
    ),
    "address": paper(
        page=b"/Annots [<< /Subtype /Link /Border [0 0 0] /Rect [0 0 9 9] /A << /S /URI /URI (http://x.test) >> >>]"
    ),
    "attached": paper(
        catalog=b"/Names << /EmbeddedFiles << /Names [(a.exe) 6 0 R] >> >> /AF [6 0 R]",
        more=[b"<< /Type /Filespec /F (a.exe) /EF << /F 7 0 R >> >>", stream(b"MZ", b"/Type /EmbeddedFile")],
    ),
    "film": paper(page=b"/Annots [<< /Subtype /RichMedia /Rect [0 0 9 9] /AP << /N 6 0 R >> >>]", more=[stream(b"")]),
    "in the resources": paper(
        resources=b"/XObject << /X 6 0 R >> /Properties << /P << /A %s /Metadata 6 0 R >> >>" % SCRIPT,
        draw=b"/X Do",
        more=[
            stream(
                b"",
                b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Ref << /F (other.pdf) >> /OPI << /2.0 << >> >>"
                b" /PieceInfo << /A %s >> /AF [<< /Type /Filespec >>] /Metadata 6 0 R /JS (1) /A %s" % (SCRIPT, SCRIPT),
            )
        ],
    ),
    "outline": paper(catalog=b"/Outlines 6 0 R", more=[b"<< /First << /Title (a) /A %s >> >>" % SCRIPT]),
    "a form that is sent": paper(
        catalog=b"/AcroForm << /Fields [6 0 R] /XFA (x) >>",
        page=b"/Annots [6 0 R]",
        more=[
            b"<< /Subtype /Widget /FT /Btn /Rect [0 0 9 9] /A << /S /SubmitForm /F (http://x.test) >> "
            b"/AA << /K %s >> >>" % SCRIPT
        ],
    ),
    "beside the pages": paper(trailer=b"/Info 6 0 R", more=[b"<< /Author (x) /JS (y) >>", SCRIPT]),
    "content elsewhere": paper(
        resources=b"/XObject << /X 6 0 R >>",
        more=[stream(b"", b"/Subtype /Image /F (http://x.test/a) /Width 1 /Height 1")],
    ),
    "for printers": paper(resources=b"/XObject << /X 6 0 R >>", more=[stream(b"(x) run", b"/Subtype /PS")]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_that_acts_is_kept_and_the_page_looks_the_same(name, tmp_path):
    kept = assert_looks_the_same(HOSTILE[name], tmp_path)
    text = laid_open(kept.content, tmp_path)
    for word in ACTING:
        assert f"/{word} " not in text, word
        assert f"/{word}\n" not in text, word
    for trace in ("app.alert", "cmd.exe", "x.test", "MZ", "other.pdf", "(x)"):
        assert trace not in text


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("opening", ("scripts",)),
        ("launch", ("scripts",)),
        ("attached", ("files",)),
        ("film", ("media",)),
        ("address", ()),
        ("a form that is sent", ("scripts",)),
    ],
)
def test_what_was_left_behind_is_told(name, left):
    assert anew(HOSTILE[name]).left_out == left
    assert set(left) <= set(papers.LEFT_OUT)


def test_a_signature_does_not_survive_and_is_said_to_be_gone(issued, tmp_path):
    from documents import issuing

    kept = assert_looks_the_same(issuing.read_pdf(issued), tmp_path)
    assert "signature" in kept.left_out
    assert "/ByteRange" not in laid_open(kept.content, tmp_path)
    assert "验签请用原件" in Upload(left_out=" ".join(kept.left_out)).left_out_words


# --- what is drawn ----------------------------------------------------------------------------------

BOX = b"/Subtype /Form /BBox [0 0 100 50] /Resources << >>"
FILLED = b"0 0.5 0 rg 0 0 100 50 re f 1 0 0 rg 10 10 20 20 re f"


def note(entries: bytes, *more: bytes, page: bytes = b"", catalog: bytes = b"") -> bytes:
    return paper(
        page=b"/Annots [<< /Type /Annot /F 4 %s >>] %s" % (entries, page),
        catalog=catalog,
        more=more or [stream(FILLED, BOX)],
    )


def picture(mode: str = "RGB", form: str = "JPEG") -> bytes:
    grains = random.Random(7).randbytes(12 * 9 * len(mode))
    out = io.BytesIO()
    Image.frombytes(mode, (12, 9), grains).resize((120, 90), Image.Resampling.BICUBIC).save(out, form, quality=90)
    return out.getvalue()


PALETTE = b"<%s>" % random.Random(3).randbytes(48).hex().encode()
# A palette may begin with what marks a text of sixteen bits; it is no text.
BINARY = [
    b"(%s)" % (mark + bytes(byte for byte in random.Random(5).randbytes(200) if byte not in b"()\\\r\n"))[:48]
    for mark in (b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf")
]
LOOKS = {
    "several pages": paper("One", "Two", "Three"),
    "turned": paper(page=b"/Rotate 90 /CropBox [20 400 500 800] /UserUnit 1.5"),
    "stamp": note(b"/Subtype /Stamp /Rect [100 300 300 400] /AP << /N 6 0 R >>"),
    "turned stamp": note(
        b"/Subtype /Stamp /Rect [100 300 200 500] /AP << /N 6 0 R >>", stream(FILLED, BOX + b" /Matrix [0 1 -1 0 0 0]")
    ),
    "stamp on a turned page": note(b"/Subtype /Stamp /Rect [100 300 300 400] /AP << /N 6 0 R >>", page=b"/Rotate 270"),
    "filled field": note(
        b"/Subtype /Widget /FT /Tx /V (Li) /Rect [50 50 250 90] /AP << /N 6 0 R >>",
        stream(b"/Tx BMC BT /F1 20 Tf 4 10 Td (Li) Tj ET EMC", b"/Subtype /Form /BBox [0 0 200 40]"),
        catalog=b"/AcroForm << /Fields [] /DR << /Font << /F1 3 0 R >> >> >>",
    ),
    "ticked box": note(
        b"/Subtype /Widget /FT /Btn /AS /Yes /Rect [50 50 80 80] /AP << /N << /Yes 6 0 R /Off 7 0 R >> >>",
        stream(FILLED, BOX),
        stream(b"", BOX),
    ),
    "hidden note": note(b"/Subtype /Stamp /Rect [100 300 300 400] /AP << /N 6 0 R >>".replace(b"/Type", b"/F 2 /Type")),
    "layers": paper(
        catalog=b"/OCProperties << /OCGs [6 0 R 7 0 R] /D << /OFF [7 0 R] /Order [] >> >>",
        resources=b"/Properties << /On 6 0 R /Off 7 0 R >>",
        draw=b"/OC /On BDC 0 0 1 rg 50 50 90 90 re f EMC /OC /Off BDC 1 0 0 rg 300 50 90 90 re f EMC",
        more=[b"<< /Type /OCG /Name (a) >>", b"<< /Type /OCG /Name (b) >>"],
    ),
    "grey photograph": paper(
        resources=b"/XObject << /X 6 0 R >>",
        draw=b"q 300 0 0 225 50 50 cm /X Do Q",
        more=[
            stream(
                picture("L"),
                b"/Subtype /Image /Width 120 /Height 90 /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /DCTDecode",
            )
        ],
    ),
    "photograph for printing": paper(
        resources=b"/XObject << /X 6 0 R >>",
        draw=b"q 300 0 0 225 50 50 cm /X Do Q",
        more=[
            stream(
                picture("CMYK"),
                b"/Subtype /Image /Width 120 /Height 90 /ColorSpace /DeviceCMYK /BitsPerComponent 8 "
                b"/Decode [1 0 1 0 1 0 1 0] /Filter [/DCTDecode]",
            )
        ],
    ),
    "palettes": paper(
        resources=b"/XObject << /X 6 0 R /Y 7 0 R /Z 8 0 R /W 9 0 R >>",
        draw=b"q 300 0 0 225 50 50 cm /X Do Q q 200 0 0 100 50 400 cm /Y Do Q q 90 0 0 90 300 400 cm /Z Do Q "
        b"q 90 0 0 90 400 400 cm /W Do Q",
        more=[
            stream(
                random.Random(1).randbytes(64),
                b"/Subtype /Image /Width 8 /Height 8 /ColorSpace [/Indexed /DeviceRGB 15 %s] /BitsPerComponent 8"
                % text,
            )
            for text in (PALETTE, *BINARY)
        ],
    ),
    "mask, gradient, pattern": paper(
        resources=b"/XObject << /X 6 0 R >> /Shading << /S 8 0 R >> /Pattern << /P 9 0 R /Q 10 0 R >> "
        b"/ExtGState << /G << /ca 0.5 /BM /Multiply >> >> /ColorSpace << /C [/Separation /Gold /DeviceRGB 11 0 R] >>",
        draw=b"q 300 0 0 225 50 50 cm /X Do Q q 50 300 200 100 re W n /S sh Q /Pattern cs /P scn 300 300 200 100 re f "
        b"/Q scn 300 450 200 100 re f /G gs /C cs 0.7 scn 60 60 400 400 re f",
        more=[
            stream(
                bytes(range(256)) * 3,
                b"/Subtype /Image /Width 16 /Height 16 /ColorSpace /DeviceRGB /BitsPerComponent 8 /SMask 7 0 R",
                packed=True,
            ),
            stream(
                bytes(range(256)), b"/Subtype /Image /Width 16 /Height 16 /ColorSpace /DeviceGray /BitsPerComponent 8"
            ),
            b"<< /ShadingType 2 /ColorSpace /DeviceRGB /Coords [50 0 250 0] /Function "
            b"<< /FunctionType 2 /Domain [0 1] /C0 [1 0 0] /C1 [0 0 1] /N 1 >> >>",
            stream(
                b"0 0.6 0.6 rg 0 0 5 5 re f",
                b"/PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 10 10] /XStep 10 /YStep 10 /Resources << >>",
            ),
            b"<< /PatternType 2 /Shading 8 0 R /Matrix [1 0 0 1 250 0] >>",
            b"<< /FunctionType 2 /Domain [0 1] /C0 [1 1 1] /C1 [0.8 0.6 0] /N 1 >>",
        ],
    ),
    "letters drawn by hand": paper(
        resources=b"/XObject << /A 7 0 R >>",
        draw=b"/A Do",
        more=[
            b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /FontMatrix [0.1 0 0 0.1 0 0] /FirstChar 65 "
            b"/LastChar 70 /Widths [10 10 10 10 10 10] /Encoding << /Differences [65 /A /AA /JS /F /URI /EF] >> "
            b"/CharProcs << /A 8 0 R /AA 8 0 R /JS 8 0 R /F 9 0 R /URI 8 0 R /EF 9 0 R >> /Resources << >> >>",
            stream(
                b"BT /F 40 Tf 60 300 Td (ABCDEF) Tj ET",
                b"/Subtype /Form /BBox [0 0 595 842] /Resources << /Font << /F 6 0 R >> >>",
            ),
            stream(b"10 0 0 0 9 9 d1 0 0 8 8 re f"),
            stream(b"10 0 0 0 9 9 d1 0 0 4 8 re f"),
        ],
    ),
    "behind rubbish": b"rubbish of a scanner\n" + paper(),
    "a page behind it": paper() + b"\n<html><script>alert(1)</script></html>",
}


@pytest.mark.parametrize("name", LOOKS)
def test_pages_look_as_they_did(name, tmp_path):
    kept = assert_looks_the_same(LOOKS[name], tmp_path)
    assert "<script>" not in laid_open(kept.content, tmp_path)
    assert kept.content.startswith(b"%PDF-1.7")
    assert kept.content.endswith(b"%%EOF\n")


def test_a_paper_of_the_house_looks_as_it_did(make_plan, tmp_path):
    """Chinese text in an embedded part of a font, a seal's place, a square code, forty rows over several pages."""
    from documents import sheets

    assert_looks_the_same(sheets.signing_copy_pdf(make_plan(60)), tmp_path)


@pytest.mark.parametrize("name", ["several pages", "mask, gradient, pattern", "layers"])
def test_what_was_written_anew_is_kept_as_it_is_the_next_time(name):
    once = anew(LOOKS[name])
    assert anew(once.content).content == once.content


def test_the_preview_is_the_first_page_small(tmp_path):
    kept = anew(paper("First", "Second"), long_side=112)
    small = Image.open(io.BytesIO(kept.preview))
    assert (small.format, small.size) == ("JPEG", (80, 112))
    assert len(kept.preview) <= 20 * 1024
    page = drawn(kept.content, tmp_path, "page")[0].resize(small.size)
    assert sum(ImageChops.difference(small.convert("L"), page.convert("L")).histogram()[120:]) < 20


# --- what is refused --------------------------------------------------------------------------------


def locked(folder: Path, *passwords: str) -> bytes:
    (folder / "plain.pdf").write_bytes(paper("Locked"))
    command = [
        "qpdf",
        "--encrypt",
        *passwords,
        "256",
        "--print=none",
        "--",
        folder / "plain.pdf",
        folder / "locked.pdf",
    ]
    subprocess.run(command, check=True)
    return (folder / "locked.pdf").read_bytes()


def test_a_file_with_a_password_is_refused_and_one_that_only_forbids_printing_is_read(tmp_path):
    assert "打开密码" in refusal(locked(tmp_path, "secret", "owner"))
    kept = anew(locked(tmp_path, "", "owner"))
    assert "(Locked)" in laid_open(kept.content, tmp_path)
    assert "/Encrypt" not in laid_open(kept.content, tmp_path)


def bomb(times: int, layers: int = 1) -> bytes:
    content = bytes(1024 * 1024)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(content) for _ in range(times)) + packer.flush()
    for _ in range(layers - 1):
        packed = zlib.compress(packed, 9)
    filters = b"/FlateDecode " * layers
    return b"<< /Length %d /Filter [%s] >>\nstream\n%s\nendstream" % (len(packed), filters, packed)


def in_resources(body: bytes, draw: bytes = b"") -> bytes:
    return paper(resources=b"/XObject << /X 6 0 R >>", draw=draw, more=[body])


IMAGE = b"/Subtype /Image /ColorSpace /DeviceGray /BitsPerComponent 1"
REFUSED = {
    "nothing in it": (raw([b"<< /Type /Catalog >>"]), "损坏"),
    "no pages": (raw([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"]), "损坏"),
    "a page that is its own parent": (
        raw([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"]),
        "损坏",
    ),
    "no file at all": (b"%PDF-1.7\nhello\n%%EOF", "损坏"),
    "a table that leads to itself": (
        b"%PDF-1.7\nxref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 1 /Prev 9 /Root 1 0 R >>\nstartxref\n9\n%%EOF",
        "损坏",
    ),
    "too many pages": (
        raw(
            [
                b"<< /Type /Catalog /Pages 2 0 R >>",
                b"<< /Type /Pages /Count 201 /MediaBox [0 0 9 9] /Kids [%s] >>"
                % b" ".join(b"%d 0 R" % n for n in range(3, 204)),
                *[b"<< /Type /Page /Parent 2 0 R >>"] * 201,
            ]
        ),
        "有 201 页，最多收 200 页",
    ),
    "bomb": (in_resources(bomb(200)), "大得异常"),
    "bomb in a bomb": (in_resources(bomb(3000, layers=2)), "大得异常"),
    "many small bombs": (
        paper(
            resources=b"/XObject << %s >>" % b" ".join(b"/X%d %d 0 R" % (n, n) for n in range(6, 11)),
            more=[bomb(150)] * 5,
        ),
        "大得异常",
    ),
    "content that is a bomb": (
        raw(
            [
                b"<< /Type /Catalog /Pages 2 0 R >>",
                b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>",
                bomb(200),
            ]
        ),
        "大得异常",
    ),
    "too many dots": (in_resources(stream(b"", IMAGE + b" /Width 20000 /Height 20000")), "20000×20000 像素"),
    "too many dots, said by reference": (
        paper(
            resources=b"/XObject << /X 6 0 R >>", more=[stream(b"", IMAGE + b" /Width 7 0 R /Height 7 0 R"), b"30000"]
        ),
        "30000×30000 像素",
    ),
    "files in a file": (paper(catalog=b"/Collection << /View /D >>"), "文件包"),
    "a form only Adobe shows": (paper(catalog=b"/AcroForm << /XFA (x) >> /NeedsRendering true"), "动态表单"),
    "words only the reader shows": (note(b"/Subtype /Widget /FT /Tx /V (Li) /Rect [9 9 99 99]"), "另存为 PDF"),
    "ink only the reader shows": (note(b"/Subtype /Ink /InkList [[1 1 2 2]] /Rect [9 9 99 99]"), "批注或图章"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_kept_is_refused_with_what_to_do(name):
    content, cause = REFUSED[name]
    sentence = refusal(content)
    assert cause in sentence
    assert "请" in sentence


def test_too_many_objects_are_refused(monkeypatch):
    many = [b"<< /Type /ExtGState /LW %d >>" % n for n in range(paper_child.MAX_OBJECTS)]
    names = b" ".join(b"/G%d %d 0 R" % (n, n) for n in range(6, 6 + len(many)))
    assert "异常复杂" in refusal(paper(resources=b"/ExtGState << %s >>" % names, more=many))


def laughing(depth: int) -> bytes:
    """Forms each of which draws the next one twenty times."""
    forms = [
        stream(b"/N Do " * 20, BOX + b" /Resources << /XObject << /N %d 0 R >> >>" % (7 + n)) for n in range(depth)
    ]
    return paper(
        resources=b"/XObject << /N 6 0 R >>", draw=b"/N Do", more=[*forms, stream(b"0 0 9 9 re f", BOX)]
    ).replace(b"/Resources << >> /Resources", b"/Resources")


def test_drawing_without_end_is_stopped():
    assert "已经停下" in refusal(laughing(12))


def test_reading_without_memory_is_stopped(monkeypatch):
    monkeypatch.setattr(papers, "MEMORY", 350 * 1024 * 1024)
    assert "内存太多" in refusal(in_resources(bomb(150)))


@pytest.mark.parametrize("deed", ["time.sleep(600)", "os.kill(os.getpid(), signal.SIGXCPU)"])
def test_reading_without_end_is_stopped_and_leaves_no_process(monkeypatch, tmp_path, deed):
    child = tmp_path / "child.py"
    child.write_text(f"import os, signal, sys, time\nsys.stdin.buffer.read()\n{deed}\n")
    monkeypatch.setattr(papers, "_CHILD", str(child))
    monkeypatch.setattr(papers, "SECONDS", 1)
    assert "时间太长" in refusal(paper())
    assert not [each for each in psutil.Process().children() if str(child) in each.cmdline()]


def test_the_reading_process_can_open_nothing_once_it_has_the_file(tmp_path):
    """Whoever breaks into it through a hostile file finds no key, no database and no line out."""
    program = (
        "import socket, sys; sys.path.insert(0, sys.argv[4])\n"
        "from documents import paper_child\n"
        "def broken_in(content):\n"
        "    for deed in (lambda: open('/etc/hostname'), socket.socket, lambda: open(sys.argv[5], 'w')):\n"
        "        try: deed()\n"
        "        except OSError as error: print(error.errno, file=sys.stderr)\n"
        "    raise paper_child.Refused('damaged')\n"
        "paper_child._load_libraries()\n"
        "paper_child._load_libraries = lambda: None\n"
        "paper_child.write_anew = broken_in\n"
        "paper_child.main()\n"
    )
    arguments = [str(papers.MEMORY), "20", str(os.getpid()), str(settings.BASE_DIR), str(tmp_path / "written")]
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, *arguments],
        input=marshal.dumps({"long_side": 9}) + paper(),
        capture_output=True,
        check=True,
    )
    assert done.stderr.split() == [str(errno.EMFILE).encode()] * 3
    assert done.stdout == marshal.dumps(("refused", "damaged"))
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize("depth", [200, 5000, 200_000])
def test_deep_nesting_is_read_or_refused(depth):
    nested = b"[" * depth + b"]" * depth
    with contextlib.suppress(papers.PaperRefused):
        anew(paper(resources=b"/ExtGState << /G << /D %s >> >>" % nested))


@how(max_examples=25)
@given(data=st.data())
def test_any_damage_is_read_or_refused_and_nothing_else(data):
    content = bytearray(data.draw(st.sampled_from([*HOSTILE.values(), *LOOKS.values()])))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 6))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"<<", b">>", b"[", b"]", b"/", b"(", b"-1", b"6 0 R", b"stream"])
        )
    with contextlib.suppress(papers.PaperRefused):
        kept = anew(bytes(content))
        assert not any(f"/{word} ".encode() in kept.content for word in ("JavaScript", "OpenAction", "Annots", "EF"))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.97])
def test_a_file_cut_off_is_mended_or_refused(share):
    content = pdfs.paper("One", "Two")
    cut = content[: int(len(content) * share)]
    with contextlib.suppress(papers.PaperRefused):
        assert anew(cut).pages in (1, 2)


# --- photographs bound together -----------------------------------------------------------------------


def test_photographs_are_bound_one_a_page(tmp_path):
    pages = [(picture("RGB"), (120, 90), False), (picture("L"), (120, 90), True)]
    content = papers.bind(pages)
    laid_open(content, tmp_path)
    kept = assert_looks_the_same(content, tmp_path)
    assert kept.pages == 2
    for page in pages:
        assert page[0] in kept.content  # not coded a second time
