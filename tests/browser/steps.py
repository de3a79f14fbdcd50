"""The steps of one term as people take them at the browser: each function is one person at one desk."""

import re
from pathlib import Path

from playwright.sync_api import Page
from weasyprint import HTML

from tests.cast import PASSWORD

from .person import Person

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PROGRAMME = "义务教育家庭经济困难学生生活补助"
TERM = "2026—2027学年秋季学期"

# Exceptions of a decision page: pupil's name → (label of the verdict, opinion).
Exceptions = dict[str, tuple[str, str]]


def sign_in(page: Page, username: str) -> None:
    """Somebody of tests.cast, at the browser the test was given."""
    page.goto("/login/")
    page.get_by_label("账号").fill(username)
    page.get_by_label("密码").fill(PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def send_roster(officer: Person, content: bytes, *, name: str = "名册.xlsx", kind: str = XLSX) -> None:
    """Upload a roster; the page shown afterwards is the dry run, or the form again with what is wrong."""
    officer.open("/rosters/new/")
    officer.page.get_by_label("名册文件").set_input_files({"name": name, "mimeType": kind, "buffer": content})
    officer.press("上传并预检")


def shown_counts(officer: Person) -> dict[str, int]:
    """The numbers of the dry-run page, by their label."""
    tiles = officer.page.locator(".stat").all()
    shown = {tile.locator("span").inner_text(): tile.locator("strong").inner_text() for tile in tiles}
    return {label: int(number.replace(",", "")) for label, number in shown.items()}


def import_roster(officer: Person, content: bytes) -> None:
    """A roster without faults: dry run, then for good."""
    send_roster(officer, content)
    officer.says("预检完成，学生名册还没有改动")
    officer.press(re.compile(r"^导入 [\d,]+ 人"))
    officer.says("已导入")


def open_round(clerk: Person, county: str, *, closes_on: str) -> None:
    clerk.open("/rounds/")
    clerk.follow("开启批次")
    clerk.page.get_by_label("资助项目").select_option(label=PROGRAMME)
    clerk.page.get_by_label("学期").select_option(label=TERM)
    clerk.page.get_by_label("范围").select_option(label=county)
    clerk.fill("填报截止", closes_on)
    clerk.press("下一步：核对办理期限")
    clerk.says("班级评议期限")
    clerk.press("开启批次")
    clerk.says("已开启")


def file_class(teacher: Person) -> int:
    """From the home page: tick everybody who may apply, submit. How many that were."""
    teacher.open("/")
    teacher.follow(re.compile("本班还没有填报|申请被退回"))
    teacher.page.get_by_label("全选可以申请的学生").check()
    ticked = teacher.page.locator("input[name=apply]:checked").count()
    teacher.press("提交班级评议")
    teacher.says(f"已提交 {ticked} 名学生的申请")
    return ticked


def refile(teacher: Person, pupil: str, reason: str) -> None:
    """A returned application, put right and handed in again."""
    teacher.open("/")
    teacher.follow(re.compile("申请被退回"))
    teacher.page.get_by_label("全选可以申请的学生").uncheck()
    teacher.page.get_by_label(f"为{pupil}申请").check()
    teacher.fill(f"{pupil}的申请理由", reason)
    teacher.press("提交班级评议")
    teacher.says("已提交 1 名学生的申请")


def hold_meeting(person: Person, waiting: str, *, members: int, exceptions: Exceptions | None = None) -> None:
    """Record the meeting that waits on the home page under words like 待班级评议.*七年级1班."""
    send_minutes(person, waiting, members=members, exceptions=exceptions)
    person.says("会议已记录")


def send_minutes(person: Person, waiting: str, *, members: int, exceptions: Exceptions | None = None) -> None:
    """The same, whatever the answer."""
    person.open("/")
    person.follow(re.compile(waiting, re.DOTALL))
    person.fill("地点", "会议室")
    person.fill("主持人", "主持人甲")
    for number in range(1, members + 1):
        sit(person, number)
    person.fill("会议记录", "学习资助政策，逐一评议，举手表决。")
    make_exceptions(person, exceptions or {})
    person.press("保存会议记录和结论")


def sit(person: Person, number: int) -> None:
    """Write one of the members down."""
    kind, capacity = (("教师", "教师代表"), ("学校领导", "分管校长"), ("村（居）委会干部", "村委会代表"))[number % 3]
    person.fill(f"第 {number} 位成员的姓名", f"成员{number}")
    person.page.get_by_label(f"第 {number} 位成员的类别").select_option(label=kind)
    person.fill(f"第 {number} 位成员的身份", capacity)


def make_exceptions(person: Person, exceptions: Exceptions) -> None:
    for name, (verdict, opinion) in exceptions.items():
        person.page.get_by_label(f"对{name}的结论").select_option(label=verdict)
        person.page.get_by_label(f"对{name}的意见").fill(opinion)


def publish_notice(officer: Person) -> str:
    """Publish what waits on the home page; the address of the notice."""
    officer.open("/")
    officer.follow(re.compile("待发布公示"))
    officer.press("发布公示")
    officer.says("公示已发布")
    return officer.page.url


def object_to(officer: Person, notice: str, pupil: str) -> None:
    """Somebody telephones about one pupil on the notice."""
    officer.open(notice)
    named = officer.page.get_by_role("searchbox", name="姓名", exact=True)
    named.fill(pupil)
    with officer.page.expect_navigation():
        named.press("Enter")
    officer.follow(re.compile(rf"记录异议\s*：\s*{pupil}"))
    officer.page.get_by_role("radio", name="来电").check()
    officer.fill("反映的问题", "家庭情况与所报不符。")
    officer.press("受理异议")
    officer.says(f"{pupil}暂停办理，名单中其他人不受影响")


def settle(officer: Person, pupil: str, *, upheld: bool) -> None:
    officer.open("/")
    officer.follow(re.compile("异议待核查"))
    officer.says(pupil)
    officer.page.get_by_role("radio", name="异议成立" if upheld else "异议不成立").check()
    officer.fill("核查情况", "两名教师入户核查，与村委会核对。")
    officer.press("办结异议")
    officer.says("异议已办结")


def let_a_working_day_pass(person: Person) -> None:
    """The demo's button, as a visitor of the demo uses it."""
    person.press("前进一个工作日")


def report(officer: Person) -> None:
    officer.open("/")
    officer.follow(re.compile("公示无异议，待上报"))
    officer.press(re.compile("上报这"))
    officer.says("已向县资助中心上报")


def decide(person: Person, waiting: str, button: str) -> None:
    """The county's decision on a school's list: everybody as the page proposes."""
    person.open("/")
    person.follow(re.compile(waiting, re.DOTALL))
    person.press(button)
    person.says("作出")


def make_batch(clerk: Person) -> str:
    """Make the batch that waits, and wait at its page for the sheets; the address of the batch."""
    clerk.open("/")
    clerk.follow(re.compile("待编制发放批次"))
    clerk.press("编制批次并生成花名册")
    clerk.says("已编制发放批次")
    clerk.page.get_by_text(re.compile(r"^发放花名册\s*共 \d+ 张$")).wait_for()
    clerk.look()
    return clerk.page.url


def fetch_sheet(officer: Person, school: str, to: Path) -> tuple[Path, Path]:
    """The PDF and the workbook of a school, from the list of batches."""
    officer.open("/batches/")
    officer.follow(re.compile("^FF-"))
    line = officer.row(school)
    pdf = officer.download("PDF", to / f"{school}.pdf", within=line)
    return pdf, officer.download("Excel", to / f"{school}.xlsx", within=line)


def send_signed_copy(officer: Person) -> None:
    officer.open("/")
    officer.follow(re.compile("花名册待签字上传"))
    scan = HTML(string="<p>signed, with prints</p>").write_pdf()
    scanned = {"name": "签字表.pdf", "mimeType": "application/pdf", "buffer": scan}
    officer.page.get_by_label("签字表扫描件").set_input_files(scanned)
    officer.press("上传签字表")
    officer.says("签字表已上传")


def record_payment(clerk: Person, school: str, *, voucher: str) -> None:
    clerk.open("/")
    clerk.follow(re.compile(f"待登记发放.*{school}", re.DOTALL))
    clerk.fill("支付凭证号", voucher)
    clerk.press("登记发放")
    clerk.says(f"已登记{school}的发放")
