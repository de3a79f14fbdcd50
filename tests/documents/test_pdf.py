"""Templates to PDF: what can be fetched, what cannot be printed, and the same bytes for the same content."""

import copy
import io
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from oxidize_pdf import PdfALevel, PdfAValidator
from pypdf import PdfReader
from weasyprint import HTML

from documents import fonts, pdf, signing

PAGE = (
    "<html lang=zh-Hans><head><title>测试</title></head><body style=\"font-family:'Noto Sans CJK SC'\">{}</body></html>"
)
# No Noto font has it (CJK Extension H).
UNPRINTABLE = "\U00031350"


def text_of(content: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def test_rare_characters_and_name_dots_are_printed():
    content = pdf.render_html(PAGE.format("张䶮 李𬎆 阿卜杜拉·买买提"))
    assert "张䶮" in text_of(content)
    assert "李𬎆" in text_of(content)


def test_the_same_content_gives_the_same_bytes(time_machine):
    time_machine.move_to("2026-03-05")
    first = pdf.render_html(PAGE.format("王小明"))
    time_machine.move_to("2027-09-01")
    assert pdf.render_html(PAGE.format("王小明")) == first


def test_the_file_says_it_is_pdf_a_3b_and_a_second_opinion_agrees():
    content = pdf.render_html(PAGE.format("王小明"))
    # Looks at version, identifiers, colour and fonts only; still it tells our papers from an ordinary PDF.
    validator = PdfAValidator(PdfALevel.A3B)
    assert validator.validate_bytes(content).is_valid
    assert validator.validate_bytes(signing.sign(content)).is_valid
    assert not validator.validate_bytes(HTML(string="<p>plain</p>").write_pdf()).is_valid


def test_all_fonts_are_embedded():
    fonts_of_page = PdfReader(io.BytesIO(pdf.render_html(PAGE.format("王䶮 A1")))).pages[0]["/Resources"]["/Font"]
    for font in fonts_of_page.values():
        descriptor = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"]
        assert "/FontFile3" in descriptor or "/FontFile2" in descriptor


def test_a_character_without_glyph_is_refused_with_the_name_it_stands_in():
    with pytest.raises(pdf.CannotPrint) as caught:
        pdf.render_html(PAGE.format(f"<p>李小明</p><p>王{UNPRINTABLE}</p>"))
    assert f"“王{UNPRINTABLE}”中的“{UNPRINTABLE}（U+31350）”。没有生成文件" in caught.value.messages[0]


def test_missing_glyphs_are_listed_by_text():
    assert pdf.missing_glyphs(["张䶮", f"王{UNPRINTABLE}", "a\u200bb", "𬎆·•"]) == {f"王{UNPRINTABLE}": [UNPRINTABLE]}


def test_many_missing_characters_are_counted_and_the_first_named():
    with pytest.raises(pdf.CannotPrint, match="等共 7 处"):
        pdf.refuse_missing_glyphs([f"{n}{UNPRINTABLE}" for n in range(7)])


SIGN = "\U0001fae0"  # a face


def test_a_sign_without_glyph_is_marked_on_papers_that_tell_what_was_recorded(settings, tmp_path):
    page = PAGE.format("<p>{{ words }}</p>")
    (tmp_path / "paper.html").write_text(page, encoding="utf-8")
    (engine,) = copy.deepcopy(settings.TEMPLATES)
    engine["DIRS"] = [tmp_path]
    settings.TEMPLATES = [engine]
    told = text_of(pdf.render("paper.html", {"words": f"家里困难{SIGN}，父亲患病"}, marks_signs=True))
    assert "家里困难〓，父亲患病" in told
    assert "〓 处是现有字体没有的符号" in told
    assert "〓" not in text_of(pdf.render("paper.html", {"words": "家里困难"}, marks_signs=True))
    with pytest.raises(pdf.CannotPrint):
        pdf.render("paper.html", {"words": SIGN})
    with pytest.raises(pdf.CannotPrint):  # a letter of a name is never replaced
        pdf.render("paper.html", {"words": f"王{UNPRINTABLE}"}, marks_signs=True)


def test_words_that_will_be_printed_hold_no_sign_without_glyph():
    with pytest.raises(ValidationError) as refused:
        pdf.refuse_signs(f"父亲患病{SIGN}，请帮助{SIGN}")
    assert refused.value.messages == [f"这里有打印不出来的符号：{SIGN}。请删去，或改用文字。"]
    pdf.refuse_signs(f"父亲王{UNPRINTABLE}患病：①住院，②欠费（2 万元）……√")


def test_words_are_typed_where_no_fonts_are_installed(monkeypatch):
    def none() -> frozenset[str]:
        raise ImproperlyConfigured("no fonts")

    monkeypatch.setattr(fonts, "printable", none)
    pdf.refuse_signs(f"父亲患病{SIGN}")


def test_nothing_outside_the_package_is_fetched(tmp_path):
    asked = []

    class Ear(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Ear)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    secret = tmp_path / "secret.css"
    secret.write_text("p::after{content:'LEAKED'}")
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        content = pdf.render_html(
            PAGE.format(
                f'<img src="{address}/img"><link rel=stylesheet href="{address}/css">'
                f'<link rel=stylesheet href="{secret.as_uri()}">'
                f'<link rel=stylesheet href="aid-static:../{secret}"><object data="file:///etc/passwd"></object><p>王小明</p>'
            )
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert asked == []
    assert "LEAKED" not in text_of(content)


def test_packaged_files_are_found_and_nothing_above_them():
    assert pdf._packaged_file("aid-static:aid.css").name == "aid.css"
    assert pdf._packaged_file("aid-static://host/aid.css") is None
    assert pdf._packaged_file("file:///etc/passwd") is None
    assert pdf._packaged_file("aid-static:nothing.css") is None


def test_the_offices_own_fonts_are_read_and_used(settings, tmp_path, request):
    import shutil

    from fontTools.ttLib import TTFont

    shutil.copy("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", tmp_path / "own.ttf")
    with TTFont(tmp_path / "own.ttf") as face:
        assert 0x2611 in face.getBestCmap()
    assert pdf.missing_glyphs(["☑"]) == {"☑": ["☑"]}
    settings.FONT_DIR = str(tmp_path)
    fonts.printable.cache_clear()
    request.addfinalizer(fonts.printable.cache_clear)
    assert pdf.missing_glyphs(["☑"]) == {}
    content = pdf.render_html(PAGE.format('<p style="font-family:DejaVu Sans">☑</p>'))
    assert "☑" in text_of(content)


def test_pages_are_counted_and_what_is_no_pdf_is_an_error():
    assert pdf.page_count(pdf.render_html(PAGE.format('<p>1</p><p style="break-before:page">2</p>'))) == 2
    with pytest.raises(ValueError, match="Not a PDF"):
        pdf.page_count(b"hello")


def test_names_are_escaped_by_the_template(make_plan):
    from documents import sheets

    content = sheets.signing_copy_pdf(make_plan(1, names=['<img src="http://127.0.0.1/">王']))
    assert '<img src="http' in text_of(content).replace("\n", "")
