"""The class teacher's desk in a real browser: a class of fifty by keyboard, over a weak line, on a phone, twice."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Page, expect

from students.models import Category, Circumstance, Enrolment, SchoolClass
from subsidies import applications, receipts
from subsidies.models import Application, Receipt, Round
from subsidies.states import State, Step
from tests import cast as casting
from tests.looks import PHONE, WIDE, faults_of
from tests.waiting import SECONDS, until

from .test_photographs import phone_of, photograph

pytestmark = pytest.mark.slow

CLASS, POOR = 50, 32  # pupils of the class; of these on a list that opens the programme
SAVED = "填的内容都已保存"
BYTES = 150_000
_FAMILY = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦"


@dataclass
class Klass:
    cast: casting.Cast
    round: Round
    places: list[Enrolment]

    @property
    def desk(self) -> str:
        return reverse("class_file", args=[self.round.pk, self.cast.class_a1.pk])

    def drafts(self, state: State = State.DRAFT) -> int:
        return Application.objects.filter(state=state).count()

    def of(self, name: str) -> Application | None:
        return Application.objects.filter(pupil__name=name).first()


@pytest.fixture
def klass(cast_county: casting.Cast) -> Klass:
    """七年级1班 as a class of a senior school, whose programme has tiers."""
    SchoolClass.objects.filter(unit=cast_county.class_a1).update(stage="senior", grade="高一")
    cast_county.class_a1.school_class.refresh_from_db()
    round_ = casting.open_round(cast_county, "senior-grant")
    places = [
        casting.enrol(
            cast_county, cast_county.class_a1, name=f"{_FAMILY[n]}同学", kinds=("dibao_rural",) if n < POOR else ()
        )
        for n in range(CLASS)
    ]
    return Klass(cast_county, round_, places)


@dataclass
class Hands:
    """What a person does to fill the page in."""

    page: Page
    keys: int = 0
    letters: int = 0
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("load", lambda page: self.loads.append(page.url))
        self.page.on("dialog", lambda dialog: dialog.accept())

    def press(self, key: str) -> None:
        self.keys += 1
        self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.letters += len(text)
        self.page.keyboard.type(text)


def sign_in(page: Page, username: str = "teacher_a1") -> Page:
    page.goto("/login/")
    page.get_by_label("账号").fill(username)
    page.get_by_label("密码").fill(casting.PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    return page


def saved(page: Page) -> None:
    expect(page.locator("[data-desk-state]")).to_have_text(f"{SAVED}。")


def send(page: Page) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name="提交班级评议").click()


def in_turn(page: Page) -> list[str]:
    """The pupils one may file for, as the arrow keys go from one to the next."""
    return page.locator("tr[data-row] .cell-name a").all_inner_texts()


# --- by keyboard ------------------------------------------------------------------------------------


def file_by_keys(hands: Hands, klass: Klass, *, applying: int, reasons: dict[int, str]) -> None:
    """From the open desk: a tier for the first `applying` that may, a reason for some, the list handed in."""
    page = hands.page
    hands.press("ArrowDown")
    for place in range(applying):
        hands.press("2" if place % 3 else "1")
        if place in reasons:
            hands.press("ArrowRight")
            hands.press("ArrowRight")
            hands.type(reasons[place])
            hands.press("Enter")
            hands.press("ArrowLeft")
            hands.press("ArrowLeft")
        elif place < applying - 1:
            hands.press("ArrowDown")
    saved(page)
    assert klass.drafts() == applying, "on record before anything is handed in"
    with page.expect_navigation():
        hands.press("Control+Enter")
    expect(page.get_by_role("status").first).to_contain_text(f"已提交 {applying} 名学生的申请")


def test_a_class_of_fifty_is_filed_in_one_sitting_by_keyboard(klass: Klass, page: Page) -> None:
    sign_in(page)
    hands = Hands(page)
    page.goto(klass.desk)
    assert len(in_turn(page)) == POOR
    expect(page.locator("tbody tr")).to_have_count(CLASS)
    file_by_keys(hands, klass, applying=18, reasons={2: "父亲患病，家中四口人", 9: "母亲残疾"})
    assert klass.drafts(State.SUBMITTED) == 18
    tiers = klass.round.programme.tiers
    assert Application.objects.filter(tier=tiers[0]).count() == 6
    assert sorted(Application.objects.exclude(reason="").values_list("reason", flat=True)) == [
        "母亲残疾",
        "父亲患病，家中四口人",
    ]
    print(  # noqa: T201 - the figures are the point
        f"\nclass of {CLASS}, {POOR} may be filed for, 18 are: {hands.keys} key presses, {hands.letters} characters of"
        f" reasons typed, {len(hands.loads)} page loads"
    )
    assert hands.keys <= 60
    assert len(hands.loads) == 2


def test_the_keys_go_where_the_help_says(klass: Klass, page: Page) -> None:
    sign_in(page)
    page.goto(klass.desk)
    first, second = in_turn(page)[:2]
    keys = page.locator("[data-desk-keys]")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label(f"为{first}申请")).to_be_focused()
    page.keyboard.press("?")
    expect(keys).to_have_attribute("open", "")
    page.keyboard.press("?")
    page.keyboard.press("Space")
    expect(page.get_by_label(f"为{first}申请")).to_be_checked()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("2")
    expect(page.get_by_label(f"为{second}申请")).to_be_checked()
    expect(page.get_by_label(f"{second}的困难等级")).to_have_value(klass.round.programme.tiers[1])
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label(f"{second}的困难等级")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label(f"{first}的困难等级")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.type("2 个弟弟上学？")
    expect(page.get_by_label(f"{first}的申请理由")).to_have_value("2 个弟弟上学？")
    page.keyboard.press("Enter")
    expect(page.get_by_label(f"{second}的申请理由")).to_be_focused()
    saved(page)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    saved(page)
    until(lambda: klass.of(second) is None)
    assert klass.of(first).reason == "2 个弟弟上学？"
    assert faults_of(page, [WIDE, PHONE]) == []


# --- over a weak line -------------------------------------------------------------------------------


class Line:
    """1 Mbit/s and 300 ms, and what goes over it, page by page."""

    def __init__(self, page: Page) -> None:
        self.session = page.context.new_cdp_session(page)
        self.bytes = 0
        self.session.send("Network.enable")
        self.session.send(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": 300, "downloadThroughput": 125_000, "uploadThroughput": 125_000},
        )
        self.session.on("Network.loadingFinished", self._arrived)
        self.session.on("Network.requestWillBeSent", self._sent)
        self.pages: dict[str, int] = {}

    def _arrived(self, event: dict) -> None:
        self.bytes += int(event["encodedDataLength"])

    def _sent(self, event: dict) -> None:
        self.bytes += len(event["request"].get("postData", ""))

    def page(self, name: str) -> None:
        """What has gone over the line since the page before belongs to this one."""
        self.pages[name], self.bytes = self.bytes, 0


def test_a_weak_line_carries_the_class_desk(klass: Klass, page: Page) -> None:
    line = Line(page)
    sign_in(page)
    line.page("the first: signing in, home, styles and scripts")
    page.goto(klass.desk, wait_until="networkidle")
    line.page("desk")
    hands = Hands(page)
    hands.press("ArrowDown")
    for _ in range(12):
        hands.press("1")
        hands.press("ArrowDown")
    saved(page)
    line.page("saving 12 rows")
    send(page)
    page.wait_for_load_state("networkidle")
    line.page("handing in, and the desk again")
    page.goto(reverse("class_receipts", args=[klass.round.pk, klass.cast.class_a1.pk]), wait_until="networkidle")
    line.page("receipts")
    page.goto(
        reverse("class_papers", args=[klass.round.pk, klass.cast.class_a1.pk, klass.places[0].pk]),
        wait_until="networkidle",
    )
    line.page("papers of one pupil")
    print("\n" + "\n".join(f"{name}: {size:,} bytes" for name, size in line.pages.items()))  # noqa: T201
    assert klass.drafts(State.SUBMITTED) == 12
    first, *others = line.pages.values()
    assert first > 0
    assert max(others) <= BYTES


def test_what_is_typed_while_the_line_is_down_is_kept_when_it_is_back(klass: Klass, page: Page) -> None:
    sign_in(page)
    page.goto(klass.desk)
    hands = Hands(page)
    page.context.set_offline(True)
    hands.press("ArrowDown")
    hands.press("1")
    name = in_turn(page)[0]
    expect(page.locator("[data-desk-state]")).to_contain_text("网络不通")
    page.get_by_label(f"{name}的申请理由").fill("断线时填的")
    hands.press("Control+Enter")  # not now: the page would be lost
    expect(page.locator("[data-desk-state]")).to_contain_text("请先不要提交")
    assert klass.drafts() == 0
    page.context.set_offline(False)
    saved(page)
    assert (klass.of(name).tier, klass.of(name).reason) == (klass.round.programme.tiers[0], "断线时填的")


def test_handing_in_saves_first_what_was_just_typed(klass: Klass, page: Page) -> None:
    sign_in(page)
    page.goto(klass.desk)
    sent: list[str] = []
    page.on("request", lambda each: sent.append(each.url) if each.method == "POST" else None)
    hands = Hands(page)
    one, two = in_turn(page)[:2]
    page.get_by_label(f"{one}的困难等级").select_option(klass.round.programme.tiers[0])
    page.get_by_label(f"{two}的困难等级").select_option(klass.round.programme.tiers[0])
    page.get_by_label(f"{two}的申请理由").fill("最后一个字刚打完")
    with page.expect_navigation():
        hands.press("Control+Enter")
    expect(page.get_by_role("status").first).to_contain_text("已提交 2 名学生的申请")
    assert klass.of(two).reason == "最后一个字刚打完"
    assert sent[-1].endswith("/file/")
    assert sent[-2].endswith("/file/rows/"), "on record before the page was given up"


def test_a_list_handed_in_without_a_line_stays_where_it_is(klass: Klass, page: Page) -> None:
    sign_in(page)
    page.goto(klass.desk)
    hands = Hands(page)
    name = in_turn(page)[0]
    page.context.set_offline(True)
    page.get_by_label(f"{name}的困难等级").select_option(klass.round.programme.tiers[0])
    page.get_by_label(f"{name}的申请理由").fill("断线时提交")
    hands.press("Control+Enter")
    expect(page.locator("[data-desk-state]")).to_contain_text("网络不通")
    expect(page.get_by_label(f"{name}的申请理由")).to_have_value("断线时提交")
    page.context.set_offline(False)
    saved(page)
    assert (klass.of(name).state, klass.of(name).reason) == (State.DRAFT, "断线时提交")
    with page.expect_navigation():
        hands.press("Control+Enter")
    assert klass.of(name).state == State.SUBMITTED


def test_long_reasons_go_in_several_sendings(klass: Klass, page: Page) -> None:
    sign_in(page)
    page.goto(klass.desk)
    sent: list[int] = []
    page.on("request", lambda each: sent.append(len(each.post_data or "")) if each.url.endswith("/rows/") else None)
    long = "家庭情况说明" * 80
    fields = page.locator("input[name^=reason_]")
    # As a browser does that brings back what stood in the fields: all at once.
    fields.evaluate_all(
        "(fields, text) => fields.slice(0, 25).forEach(each => {"
        " each.value = text; each.dispatchEvent(new Event('input', {bubbles: true})); })",
        long,
    )
    saved(page)
    assert Application.objects.filter(reason=long).count() == 25
    assert max(sent) <= 50_000
    assert len(sent) >= 3


def test_who_signs_in_again_elsewhere_hands_in_what_was_typed(klass: Klass, page: Page) -> None:
    sign_in(page)
    page.goto(klass.desk)
    Hands(page)
    one, two = in_turn(page)[:2]
    tier = klass.round.programme.tiers[0]
    session = [each for each in page.context.cookies() if each["name"] != "sessionid"]
    page.context.clear_cookies(name="sessionid")
    assert session
    page.get_by_label(f"{one}的困难等级").select_option(tier)
    row = page.locator("tr[data-row]", has_text=one)
    expect(row).to_contain_text("登录已过期，没有保存。请在新窗口重新登录")
    page.get_by_role("button", name="提交班级评议").click()  # not now: the page would be lost
    expect(row).to_contain_text("登录已过期")
    assert not Application.objects.exists()
    assert faults_of(page, [WIDE, PHONE]) == []
    other = sign_in(page.context.new_page())
    other.close()
    page.get_by_label(f"{two}的困难等级").select_option(tier)
    saved(page)
    assert klass.drafts() == 2
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("已提交 2 名学生的申请")


def test_what_came_back_stays_ticked_and_leads_to_its_page(klass: Klass, page: Page) -> None:
    wish = applications.Wish(klass.places[0], tier=klass.round.programme.tiers[0], reason="父亲患病")
    applications.file(klass.round, klass.cast.class_a1, [wish], by=klass.cast.teacher_a1)
    Application.objects.update(state=State.RETURNED)
    sign_in(page)
    page.goto(klass.desk)
    name = klass.places[0].pupil.name
    row = page.locator("tr[data-row]", has_text=name)
    page.get_by_label(f"为{name}申请").uncheck()
    expect(row).to_contain_text("取消勾选不会终止它")
    expect(page.get_by_label(f"为{name}申请")).to_be_checked()
    assert faults_of(page, [WIDE, PHONE]) == []
    with page.expect_navigation():
        row.get_by_role("link", name="打开申请页").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)


# --- on a phone -------------------------------------------------------------------------------------


def hush(page: Page) -> None:
    """A page that is left with rows not saved sends them once more: not into tables that are being emptied."""
    for each in page.context.pages:
        each.evaluate("() => { window.fetch = () => new Promise(() => {}); }")


@pytest.fixture
def phone(browser: Browser, live_server: object) -> Iterator[Page]:
    context: BrowserContext = phone_of(browser, live_server.url)  # type: ignore[attr-defined]
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert not complaints, complaints


def test_a_proof_is_photographed_on_the_spot_and_the_pupil_filed(klass: Klass, phone: Page) -> None:
    hands = Hands(phone)
    sign_in(phone)
    phone.goto(klass.desk)
    assert faults_of(phone, [PHONE]) == []
    name = klass.places[-1].pupil.name
    row = phone.locator(f"#row-{klass.places[-1].pk}")
    expect(row).to_contain_text("没有登记有效的困难类别")
    with phone.expect_navigation():
        row.get_by_role("link", name=re.compile("证明和回执")).click()
    assert faults_of(phone, [PHONE]) == []
    section = phone.locator("section", has=phone.get_by_role("heading", name="名单上没有的困难"))
    kind = Category.objects.get(code="disabled_parent")
    section.get_by_label("困难类别").select_option(str(kind.pk))
    shot = {"name": "IMG_0001.jpg", "mimeType": "image/jpeg", "buffer": photograph()}
    section.get_by_label("用手机拍照").set_input_files([shot])
    expect(section.locator("[data-chosen]")).to_contain_text("已选 1 个文件")
    with phone.expect_navigation():
        section.get_by_role("button", name="登记困难类别").click()
    expect(phone.get_by_role("status").first).to_contain_text(f"已为{name}登记“残疾人子女”")
    proof = Circumstance.objects.get(pupil=klass.places[-1].pupil, category=kind)
    assert (proof.source, proof.evidence_file is not None) == ("collected", True)
    phone.get_by_label(f"为{name}申请").check()
    phone.get_by_label(f"{name}的困难等级").select_option(klass.round.programme.tiers[0])
    saved(phone)
    send(phone)
    expect(phone.get_by_role("status").first).to_contain_text("已提交 1 名学生的申请")
    assert klass.of(name).state == State.SUBMITTED
    assert faults_of(phone, [PHONE]) == []
    assert hands.loads


def test_a_signed_refusal_is_photographed(klass: Klass, phone: Page) -> None:
    place = klass.places[0]
    sign_in(phone)
    phone.goto(reverse("class_papers", args=[klass.round.pk, klass.cast.class_a1.pk, place.pk]))
    section = phone.locator("section", has=phone.get_by_role("heading", name="家长回执"))
    section.get_by_text("不申请", exact=True).click()
    shot = {"name": "IMG_0002.jpg", "mimeType": "image/jpeg", "buffer": photograph(2)}
    section.get_by_label("用手机拍照").set_input_files([shot])
    with phone.expect_navigation():
        section.get_by_role("button", name="登记回执").click()
    row = phone.locator(f"#row-{place.pk}")
    expect(row).to_contain_text("家长")
    expect(row.locator("input[name=apply]")).to_have_count(0)
    receipt = Receipt.objects.get()
    assert (receipt.answer, receipt.scan is not None) == ("declines", True)
    with phone.expect_navigation():
        phone.get_by_role("link", name="登记家长回执").click()
    assert faults_of(phone, [PHONE]) == []


# --- twice ------------------------------------------------------------------------------------------


def test_the_back_button_hands_in_nothing_twice_and_loses_nothing(klass: Klass, page: Page) -> None:
    hands = Hands(page)
    sign_in(page)
    page.goto(klass.desk)
    one, two = in_turn(page)[:2]
    tier = klass.round.programme.tiers[0]
    page.get_by_label(f"{one}的困难等级").select_option(tier)
    page.get_by_label(f"{two}的申请理由").fill("写到一半")
    page.get_by_label(f"{two}的申请理由").blur()
    saved(page)
    assert hands.loads
    page.get_by_label(f"为{two}申请").uncheck()
    page.get_by_label(f"{one}的申请理由").fill("父亲患病")
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("已提交 1 名学生的申请")
    page.goto(reverse("home"))
    page.go_back()
    page.go_back()
    page.wait_for_load_state()
    expect(page.locator("tr", has_text=one)).to_contain_text("待班级评议")
    assert klass.of(one).steps.filter(step=Step.SUBMIT).count() == 1
    assert klass.of(one).reason == "父亲患病"
    page.reload()
    expect(page.locator("tr", has_text=one)).to_contain_text("待班级评议")
    assert klass.of(one).steps.count() == 1


def test_two_windows_see_each_other(klass: Klass, page: Page) -> None:
    sign_in(page)
    page.goto(klass.desk)
    one, two = in_turn(page)[:2]
    other = page.context.new_page()
    Hands(other)
    other.goto(klass.desk)
    tier = klass.round.programme.tiers[0]
    for name in (one, two):
        page.get_by_label(f"{name}的困难等级").select_option(tier)
    page.get_by_label(f"{one}的申请理由").fill("第一个窗口写的")
    page.get_by_label(f"{one}的申请理由").blur()
    saved(page)

    row = other.locator("tr[data-row]", has_text=one)
    other.get_by_label(f"{one}的申请理由").fill("第二个窗口写的")
    other.get_by_label(f"{one}的申请理由").blur()
    expect(row).to_contain_text("理由“第一个窗口写的”")
    assert klass.of(one).reason == "第一个窗口写的"
    assert faults_of(other, [WIDE, PHONE]) == []
    row.get_by_role("button", name="用我填的").click()
    saved(other)
    until(lambda: klass.of(one).reason == "第二个窗口写的")

    # The first window hands in what it shows: the row that is another now is not overwritten, the rest goes.
    Hands(page)
    send(page)
    result = page.locator("#result")
    expect(result).to_contain_text("1 名学生没有提交")
    expect(result).to_contain_text("理由“第二个窗口写的”")
    expect(page.get_by_label(f"{one}的申请理由")).to_have_value("第一个窗口写的")
    assert (klass.of(one).state, klass.of(two).state) == (State.DRAFT, State.SUBMITTED)
    assert faults_of(page, [WIDE, PHONE]) == []
    hush(page)


def test_a_session_that_ended_is_said_and_loses_nothing(klass: Klass, page: Page) -> None:
    sign_in(page)
    page.goto(klass.desk)
    page.context.clear_cookies()
    name = in_turn(page)[0]
    page.get_by_label(f"{name}的申请理由").fill("登录过期以后写的")
    page.get_by_label(f"{name}的申请理由").blur()
    expect(page.locator("tr[data-row]", has_text=name)).to_contain_text("没有保存")
    expect(page.get_by_label(f"{name}的申请理由")).to_have_value("登录过期以后写的")
    hush(page)


def test_nothing_is_kept_in_the_name_of_somebody_else(klass: Klass, page: Page) -> None:
    """A shared computer: somebody else signs in at the same browser while the list stands open."""
    sign_in(page)
    page.goto(klass.desk)
    name = in_turn(page)[0]
    page.context.clear_cookies()
    other = sign_in(page.context.new_page(), "grade_head_a")
    page.get_by_label(f"{name}的申请理由").fill("换了人以后写的")
    page.get_by_label(f"{name}的申请理由").blur()
    row = page.locator("tr[data-row]", has_text=name)
    expect(row).to_contain_text("现在登录的是另一个账号，没有保存")
    expect(page.get_by_label(f"{name}的申请理由")).to_have_value("换了人以后写的")
    assert not Application.objects.exists()
    other.get_by_role("button", name="退出").first.click()
    sign_in(other)
    page.get_by_role("button", name="提交班级评议").click()
    saved(page)
    assert klass.of(name).filed_by == klass.cast.teacher_a1
    hush(page)


def test_without_a_script_one_form_does_it(klass: Klass, browser: Browser, live_server: object) -> None:
    context = browser.new_context(
        locale="zh-CN",
        base_url=live_server.url,
        viewport=WIDE,
        java_script_enabled=False,  # type: ignore[attr-defined]
    )
    context.set_default_timeout(SECONDS * 1000)
    page = sign_in(context.new_page())
    page.goto(klass.desk)
    one, two = in_turn(page)[:2]
    tier = klass.round.programme.tiers[0]
    page.get_by_label(f"为{one}申请").check()
    page.get_by_label(f"{one}的困难等级").select_option(tier)
    page.get_by_label(f"为{two}申请").check()
    # Enter in a field saves, it never hands in.
    with page.expect_navigation():
        page.get_by_label(f"{one}的申请理由").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("已保存 2 名学生的草稿")
    with page.expect_navigation():
        page.get_by_role("button", name="提交班级评议").click()
    expect(page.locator("#result")).to_contain_text("还没有选择困难等级")
    assert (klass.of(one).state, klass.of(two).state) == (State.SUBMITTED, State.DRAFT)
    context.close()


def test_receipts_of_a_class_are_ticked_off_on_one_page(klass: Klass, page: Page) -> None:
    receipts.record(
        klass.round, klass.cast.class_a1, klass.places[3], answer="applies", signed_on=casting.TODAY,
        by=klass.cast.teacher_a1,
    )  # fmt: skip
    sign_in(page)
    page.goto(klass.desk)
    with page.expect_navigation():
        page.get_by_role("link", name="登记家长回执").click()
    assert faults_of(page, [WIDE, PHONE]) == []
    for place, answer in ((0, "申请"), (1, "不申请")):
        group = page.get_by_role("group", name=f"{klass.places[place].pupil.name}的家长意见")
        group.get_by_text(answer, exact=True).click()
    with page.expect_navigation():
        page.get_by_role("button", name="登记回执").click()
    expect(page.get_by_role("status").first).to_contain_text("已登记 2 份回执")
    assert Receipt.objects.count() == 3
