"""A proof photographed with a phone: made smaller before it is sent, still legible, several pages in one go."""

import io
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from documents import uploads
from documents.models import Upload
from students.models import Category, Circumstance, Pupil
from tests import cast as casting
from tests.looks import PHONE, faults_of
from tests.waiting import SECONDS

pytestmark = pytest.mark.slow

FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
CONFIRMED = "已选 {} 个文件"


@pytest.fixture
def county(transactional_db: None, moving_clock: None) -> casting.Cast:
    cast = casting.gather()
    casting.enrol(cast, cast.class_a1, kinds=())
    return cast


def phone_of(browser: Browser, address: str, **more: bool) -> BrowserContext:
    context = browser.new_context(
        locale="zh-CN", base_url=address, viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2, **more
    )
    context.set_default_timeout(SECONDS * 1000)
    return context


@pytest.fixture
def phone(browser: Browser, live_server: object) -> Iterator[Page]:
    context = phone_of(browser, live_server.url)  # type: ignore[attr-defined]
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert not complaints, complaints


def photograph(seed: int = 1, *, turned: bool = False) -> bytes:
    """Twelve million dots and some megabytes: a certificate of an invented family on a table, with a sensor's noise."""
    picture = Image.new("RGB", (3000, 4000), (150, 120, 90))
    ink = ImageDraw.Draw(picture)
    ink.rectangle((150, 150, 2850, 3850), fill=(246, 244, 238))
    letters = ImageFont.truetype(FONT, 64)
    for line in range(40):
        ink.text((260, 260 + line * 86), f"第{line + 1}行  居民最低生活保障证  家庭成员情况如下", (40, 40, 60), letters)
    grain = Image.frombytes("RGB", (1000, 1333), random.Random(seed).randbytes(1000 * 1333 * 3)).resize((3000, 4000))
    picture = Image.blend(picture, grain, 0.10)
    exif = Image.Exif()
    if turned:  # as a phone held upright writes it: the dots lie on their side, a note says so
        picture, exif[0x0112] = picture.rotate(90, expand=True), 6
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=96, exif=exif.tobytes())
    return out.getvalue()


def photo(name: str, content: bytes) -> dict[str, object]:
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def open_proof(page: Page) -> Page:
    """The class teacher, at the page where a hardship is entered with its proof."""
    page.goto("/login/")
    page.get_by_label("账号").fill("teacher_a1")
    page.get_by_label("密码").fill(casting.PASSWORD)
    with page.expect_navigation():
        page.get_by_role("button", name="登录").click()
    pupil = Pupil.objects.get()
    page.goto(f"/pupils/{pupil.pk}/circumstances/add/")
    page.get_by_label("困难类别").select_option(str(Category.objects.get(code="dibao_rural").pk))
    page.locator("input[name=source][value=collected]").check(force=True)
    page.get_by_label("生效日期").fill("2026-09-01")
    return page


class Sent:
    """Counts the bytes of what is posted."""

    def __init__(self, page: Page) -> None:
        self.posted: list[Request] = []
        page.on("request", lambda request: self.posted.append(request) if request.method == "POST" else None)

    @property
    def bytes(self) -> int:
        return int(self.posted[-1].all_headers()["content-length"])


def kept() -> tuple[Upload, bytes]:
    upload = Circumstance.objects.get().evidence_file
    assert upload is not None
    return upload, uploads.read(upload)


def test_a_photographed_proof_goes_over_a_weak_line(county: casting.Cast, phone: Page) -> None:
    big = photograph(turned=True)
    assert len(big) > 4_000_000
    open_proof(phone)
    camera = phone.get_by_label("用手机拍照")
    expect(camera).to_be_visible()
    assert (camera.get_attribute("capture"), camera.get_attribute("accept")) == ("environment", "image/*")
    sent = Sent(phone)
    camera.set_input_files([photo("IMG_0001.jpg", big)])
    # Sent at once, while the photograph is still being made smaller: it waits.
    with phone.expect_navigation():
        phone.get_by_role("button", name="登记").click()
    expect(phone.locator(".upload")).to_contain_text("看扫描件")
    assert 50_000 < sent.bytes < 600_000, f"a photograph of {len(big):,} bytes was sent as {sent.bytes:,}"

    upload, content = kept()
    picture = Image.open(io.BytesIO(content))
    assert picture.height > picture.width  # upright
    assert 1600 <= picture.height <= 2000
    # The letters are still there: blurred alike, what came is what was taken.
    taken = ImageOps.exif_transpose(Image.open(io.BytesIO(big))).convert("L").resize(picture.size)
    difference = ImageChops.difference(taken, picture.convert("L")).histogram()
    assert sum(difference[48:]) < 0.01 * picture.width * picture.height
    letters = picture.convert("L").crop((170, 150, 900, 1200)).histogram()
    assert sum(letters[:110]) > 0.02 * sum(letters)  # dark strokes, not grey mist

    small = phone.locator(".upload-preview img")
    small.scroll_into_view_if_needed()
    phone.wait_for_function("document.querySelector('.upload-preview img').naturalWidth > 0")
    assert "照片" in phone.locator(".upload").inner_text()
    assert faults_of(phone, [PHONE]) == []
    assert upload.has_preview


def test_several_pages_are_taken_one_after_the_other(county: casting.Cast, phone: Page) -> None:
    open_proof(phone)
    chosen = phone.locator("[data-chosen]")
    camera = phone.get_by_label("用手机拍照")
    sent = Sent(phone)
    pages = [photograph(seed) for seed in (1, 2, 3)]
    for count, content in enumerate(pages, start=1):
        camera.set_input_files([photo(f"IMG_{count}.jpg", content)])
        expect(chosen).to_contain_text(CONFIRMED.format(count))
    expect(chosen).to_contain_text("已缩小")
    assert faults_of(phone, [PHONE]) == []
    phone.get_by_role("button", name="全部去掉重选").click()
    expect(chosen).to_be_empty()
    phone.get_by_label("证明扫描件").set_input_files([photo(f"{n}.jpg", page) for n, page in enumerate(pages)])
    expect(chosen).to_contain_text(CONFIRMED.format(3))
    with phone.expect_navigation():
        phone.get_by_role("button", name="登记").click()
    assert 150_000 < sent.bytes < 3 * 600_000
    upload, content = kept()
    assert (upload.pages, upload.media_type) == (3, "application/pdf")
    expect(phone.locator(".upload")).to_contain_text("PDF 3 页")
    assert content.startswith(b"%PDF-")


def test_without_script_the_photograph_goes_as_it_is(
    county: casting.Cast, browser: Browser, live_server: object
) -> None:
    context = phone_of(browser, live_server.url, java_script_enabled=False)  # type: ignore[attr-defined]
    page = open_proof(context.new_page())
    page.get_by_label("用手机拍照").set_input_files([photo("IMG_0001.jpg", photograph())])
    with page.expect_navigation():
        page.get_by_role("button", name="登记").click()
    assert Image.open(io.BytesIO(kept()[1])).height == 3000
    context.close()


def test_at_a_desk_there_is_no_camera_and_a_small_file_goes_as_it_is(
    county: casting.Cast, page: Page, tmp_path: Path
) -> None:
    open_proof(page)
    expect(page.get_by_label("用手机拍照")).to_be_hidden()
    small = io.BytesIO()
    Image.new("RGB", (300, 200), "white").save(small, "PNG")
    page.get_by_label("证明扫描件").set_input_files(
        [{"name": "章.png", "mimeType": "image/png", "buffer": small.getvalue()}]
    )
    expect(page.locator("[data-chosen]")).to_contain_text("已选 1 个文件，共 1 KB")
    with page.expect_navigation():
        page.get_by_role("button", name="登记").click()
    assert kept()[0].media_type == "image/png"
