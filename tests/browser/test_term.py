"""One term of one programme in a real browser: eleven people carry 600 pupils from two rosters to two signed sheets.

The walk itself is the fixture `walked`; the tests look at what it left, in any order. What every pupil should
get is worked out from the roster in `roster_files`, by rules typed from the documents.
"""

import contextlib
import re
import sqlite3
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import PdfSignatureStatus
from pyhanko_certvalidator import ValidationContext

from tests.looks import long_number

from . import paper, steps
from .installation import Installation
from .person import Person
from .roster_files import Pupil, SchoolRoster, junior_school, primary_school, roll_last4
from .two_counties import FIRST_DAY

pytestmark = pytest.mark.slow

JUNIOR, PRIMARY = "云岭县第一初级中学", "云岭县城关小学"
# Published on Wednesday 23 September 2026: 25–27 are the mid-autumn days, 1–7 October the national holiday.
COUNTED_DAYS = ["9月24日", "9月28日", "9月29日", "9月30日", "10月8日"]


@dataclass
class Walked:
    """What the walk left behind."""

    junior: list[Pupil]  # paid, in the junior school
    primary: list[Pupil]
    files: dict[str, tuple[Path, Path]]  # by school: PDF, XLSX
    rosters: dict[str, SchoolRoster]
    notice: str  # address of the junior school's notice, without sign-in
    pupil_page: str  # address of one paid application

    def paid(self, school: str) -> list[Pupil]:
        return self.junior if school == JUNIOR else self.primary

    def due(self, school: str, pupil: Pupil) -> Decimal:
        amount = self.rosters[school].due(pupil)
        assert amount is not None
        return amount


def alone(pupils: list[Pupil], among: list[Pupil]) -> list[Pupil]:
    """Those whose name nobody else bears: by it they are found on a page."""
    names = [pupil["学生姓名"] for pupil in among]
    return [pupil for pupil in pupils if names.count(pupil["学生姓名"]) == 1]


@pytest.fixture(scope="module")
def walked(people: Callable[..., Person], county: Installation, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    county.set_day(FIRST_DAY)
    junior, primary = junior_school(), primary_school()
    everybody = junior.pupils + primary.pupils
    first = junior.of_class("七年级1班")
    rejected, returned, objected = alone(first.entitled, everybody)[:3]
    upheld = alone(primary.entitled, everybody)[0]

    rosters_come_in(people, junior, primary)
    steps.open_round(people("clerk"), "云岭县", closes_on="2026-10-16")
    classes_file(people, junior, primary)
    classes_review(people, rejected, returned)
    schools_review(people)
    steps.hold_meeting(people("officer_b"), "待学校评审", members=10)
    for principal in ("principal_a", "principal_b"):
        steps.decide(people(principal), "待校长确认", "提交校长确认结论")
    notice, public = notice_of_the_junior_school(people, junior, [rejected])
    notice_b = steps.publish_notice(people("officer_b"))
    steps.object_to(people("officer_a"), notice, objected["学生姓名"])
    steps.object_to(people("officer_b"), notice_b, upheld["学生姓名"])
    steps.settle(people("officer_b"), upheld["学生姓名"], upheld=True)
    days_pass(people, notice)
    notices_end(people, notice, notice_b, objected)
    the_county_decides(people)
    batch = steps.make_batch(people("clerk"))

    papers = tmp_path_factory.mktemp("papers")
    files = {
        JUNIOR: steps.fetch_sheet(people("officer_a"), JUNIOR, papers),
        PRIMARY: steps.fetch_sheet(people("officer_b"), PRIMARY, papers),
    }
    a_school_sees_only_its_own_sheet(people("officer_b"))
    payment_is_recorded(people, batch)
    return Walked(
        [pupil for pupil in junior.entitled if pupil is not rejected],
        [pupil for pupil in primary.entitled if pupil is not upheld],
        files,
        {JUNIOR: junior, PRIMARY: primary},
        public,
        page_of(people("officer_a"), objected["学生姓名"]),
    )


# --- the walk, desk by desk -----------------------------------------------------------------------


def rosters_come_in(people: Callable[..., Person], junior: SchoolRoster, primary: SchoolRoster) -> None:
    for username, roster in (("officer_a", junior), ("officer_b", primary)):
        officer = people(username)
        steps.send_roster(officer, roster.workbook())
        counts = steps.shown_counts(officer)
        assert counts["总行数"] == counts["新增"] == 300
        assert counts["有误"] == 0
        officer.says("没有读取这些列：备注")
        officer.press("导入 300 人")
        officer.says("已导入：新增 300 人")
    people("officer_b").open("/pupils/")
    people("officer_b").says("共 300 条")


def classes_file(people: Callable[..., Person], junior: SchoolRoster, primary: SchoolRoster) -> None:
    for username, roster in (
        ("teacher_a1", junior.of_class("七年级1班")),
        ("teacher_a2", junior.of_class("七年级2班")),
        ("teacher_b1", primary),
    ):
        assert steps.file_class(people(username)) == len(roster.entitled)


def classes_review(people: Callable[..., Person], rejected: Pupil, returned: Pupil) -> None:
    """One is refused with an opinion, one sent back; that one is put right and reviewed in a second meeting."""
    exceptions = {
        rejected["学生姓名"]: ("不同意", "家庭经济状况已好转，评议小组一致认为不再符合条件。"),
        returned["学生姓名"]: ("退回补正", "请写明家庭情况。"),
    }
    grade_head, teacher = people("grade_head_a"), people("teacher_a1")
    steps.hold_meeting(grade_head, "待班级评议.*七年级1班", members=7, exceptions=exceptions)
    grade_head.says("不同意 1 人")
    grade_head.says("退回补正 1 人")
    steps.refile(teacher, returned["学生姓名"], "父亲因病不能劳动，家庭收入低。")
    steps.hold_meeting(grade_head, "待班级评议.*七年级1班", members=7)
    grade_head.says("同意 1 人")
    steps.hold_meeting(grade_head, "待班级评议.*七年级2班", members=7)
    steps.hold_meeting(people("grade_head_b"), "待班级评议.*三年级1班", members=5)


def schools_review(people: Callable[..., Person]) -> None:
    """Nine members are refused with everything typed kept; ten are enough."""
    officer = people("officer_a")
    steps.send_minutes(officer, "待学校评审", members=9)
    officer.says("规定评审小组不少于 10 人，现在填写了 9 人")
    assert officer.page.get_by_label("第 9 位成员的姓名").input_value() == "成员9"
    steps.sit(officer, 10)
    officer.press("保存会议记录和结论")
    officer.says("会议已记录")


def notice_of_the_junior_school(
    people: Callable[..., Person], junior: SchoolRoster, gone: list[Pupil]
) -> tuple[str, str]:
    """The days are counted round two holidays; the public page shows the allowed columns and nothing else."""
    officer = people("officer_a")
    officer.open("/")
    officer.follow(re.compile("待发布公示"))
    days = officer.page.get_by_label("计入的日子").get_by_role("listitem").all_inner_texts()
    assert [day.split()[0] for day in days] == COUNTED_DAYS
    officer.says("2026年10月8日")
    officer.says(f"{len(junior.entitled) - len(gone)} 人")
    officer.fill("正文", "名单如下。王小明系低保户。")
    officer.press("发布公示")
    officer.says("公示中不能出现“低保”")  # and nothing was published
    officer.fill("正文", "现将拟受助学生名单予以公示。")
    officer.press("发布公示")
    officer.says("公示已发布")
    address = officer.page.get_by_role("link", name="/notice/").inner_text()
    return officer.page.url, address


def days_pass(people: Callable[..., Person], notice: str) -> None:
    officer = people("officer_a")
    for _ in COUNTED_DAYS:
        officer.open(notice)
        assert officer.page.get_by_role("button", name="结束公示").count() == 0
        steps.let_a_working_day_pass(officer)
    officer.says("2026年10月8日")
    assert officer.page.get_by_role("button", name="结束公示").count() == 0  # the last day is a whole day
    steps.let_a_working_day_pass(officer)
    officer.says("2026年10月9日")


def notices_end(people: Callable[..., Person], notice: str, notice_b: str, objected: Pupil) -> None:
    """The line with an open objection stays behind, all others are cleared; after the check it follows."""
    for username, address in (("officer_a", notice), ("officer_b", notice_b)):
        people(username).open(address)
        people(username).press("结束公示")
        people(username).says("公示已结束")
    officer = people("officer_a")
    officer.says("另有 1 人的异议还在核查")
    steps.report(officer)
    officer.open("/applications/")
    officer.page.get_by_label("状态").select_option(label="异议核查中")
    officer.press("筛选")
    officer.says(objected["学生姓名"])
    officer.says("共 1 条")
    steps.settle(officer, objected["学生姓名"], upheld=False)
    steps.report(officer)
    officer.says("已向县资助中心上报 1 名学生")
    steps.report(people("officer_b"))


def the_county_decides(people: Callable[..., Person]) -> None:
    for school in (JUNIOR, PRIMARY):
        steps.decide(people("clerk"), f"待县级审核.*{school}", "提交县级审核结论")
    for school in (JUNIOR, PRIMARY):
        steps.decide(people("head"), f"待县级审批.*{school}", "提交县级审批结论")


def a_school_sees_only_its_own_sheet(officer: Person) -> None:
    officer.open("/batches/")
    officer.follow(re.compile("^FF-"))
    assert JUNIOR not in officer.text
    officer.says("共 1 张")


def payment_is_recorded(people: Callable[..., Person], batch: str) -> None:
    for username in ("officer_a", "officer_b"):
        steps.send_signed_copy(people(username))
    clerk = people("clerk")
    clerk.open(batch)
    clerk.follow(JUNIOR)
    clerk.says("这个批次由您编制，发放结果要由另一位县资助中心人员登记")
    sheet = clerk.page.url
    clerk.open(f"{sheet}payment/")
    # The page says why instead of asking; that the deed is refused too is tested where the verb is.
    assert clerk.page.get_by_label("支付凭证号").count() == 0
    clerk.says("这个批次由您编制，发放结果要由另一位县资助中心人员登记")
    for number, school in enumerate((JUNIOR, PRIMARY), start=1):
        steps.record_payment(people("clerk2"), school, voucher=f"支付2026-00{number}")


def page_of(person: Person, pupil: str) -> str:
    person.open("/dossiers/")
    named = person.page.get_by_role("searchbox", name="姓名", exact=True)
    named.fill(pupil)
    with person.page.expect_navigation():
        named.press("Enter")
    person.follow(pupil)
    return person.page.url


# --- what it left ---------------------------------------------------------------------------------


@pytest.mark.parametrize("school", [JUNIOR, PRIMARY])
def test_every_line_of_the_workbook_is_due_to_the_fen(walked: Walked, school: str) -> None:
    sheet = openpyxl.load_workbook(walked.files[school][1]).active
    rows = list(sheet.iter_rows(values_only=True))
    head = next(number for number, row in enumerate(rows) if row[0] == "序号")
    columns = {" ".join(str(title).split()).replace(" ", ""): place for place, title in enumerate(rows[head])}
    lines = [row for row in rows[head + 1 :] if isinstance(row[0], int)]
    assert [line[0] for line in lines] == list(range(1, len(walked.paid(school)) + 1))
    name, roll, place, amount = (columns[title] for title in ("姓名", "学籍号后四位", "班级", "实发金额"))
    printed = sorted((line[name], line[roll], line[place], f"{line[amount]:.2f}") for line in lines)
    due = sorted(
        (pupil["学生姓名"], roll_last4(pupil), pupil["班级"], f"{walked.due(school, pupil):.2f}")
        for pupil in walked.paid(school)
    )
    assert printed == due
    total = sum(walked.due(school, pupil) for pupil in walked.paid(school))
    totals = next(row for row in rows if row[0] == "合计")
    assert Decimal(str(totals[amount])) == total
    words = next(str(row[0]) for row in rows if str(row[0]).startswith("合计（大写）"))
    assert in_capitals(total) in words
    assert f"共 {len(lines)} 人" in words
    accounts = [str(line[columns["账号"]]) for line in lines]
    assert all("*" in account and not long_number(account) for account in accounts)


@pytest.mark.parametrize("school", [JUNIOR, PRIMARY])
def test_the_paper_says_the_same(walked: Walked, school: str) -> None:
    text = paper.text(walked.files[school][0])
    flat = re.sub(r"\s", "", text)
    paid = walked.paid(school)
    total = sum(walked.due(school, pupil) for pupil in paid)
    assert f"{total:,.2f}" in text
    assert f"合计（大写）：{in_capitals(total)}" in flat
    assert f"全表合计（{len(paid)}人）" in flat
    for word in (school, "制表人：沈经办", "审核人：", "校长（签字）：", "学校（公章）：", "手印", "查验码"):
        assert word in flat, word
    assert "国家基础标准（财政部2024年5月7日" in flat
    pages = text.strip("\f").split("\f")
    assert [bool(re.search(rf"第\s*{n}\s*页\s*共\s*{len(pages)}\s*页", page)) for n, page in enumerate(pages, 1)] == [
        True
    ] * len(pages)
    subtotals = [Decimal(found.replace(",", "")) for found in re.findall(r"本页小计（\d+ ?人）\s+([\d,]+\.\d\d)", text)]
    assert sum(subtotals) == total
    assert len(subtotals) == len(pages)
    names = re.sub(r"\s", "", "".join(pupil["学生姓名"] for pupil in paid))
    assert set(names) <= set(flat)
    assert not long_number(text)


@pytest.mark.parametrize("school", [JUNIOR, PRIMARY])
def test_two_programs_of_others_accept_the_signature(walked: Walked, county: Installation, school: str) -> None:
    pdf = walked.files[school][0]
    said = subprocess.run(["pdfsig", "-nocert", str(pdf)], capture_output=True, text=True).stdout
    assert "Signature is Valid" in said, said
    assert "Total document signed" in said, said
    certificates = [path for path in (county.data / "keys").rglob("*.pem") if b"CERTIFICATE" in path.read_bytes()]
    status = judged_by_pyhanko(pdf, [load_cert_from_pemder(path) for path in certificates])
    assert status.intact
    assert status.valid
    assert status.trusted


def judged_by_pyhanko(pdf: Path, roots: list) -> PdfSignatureStatus:
    """In a thread of its own: pyHanko starts an event loop, and the browser's runs in this one already."""

    def judge() -> PdfSignatureStatus:
        with pdf.open("rb") as file:
            signature = PdfFileReader(file).embedded_regular_signatures[0]
            moment = signature.signer_cert.not_valid_before
            context = ValidationContext(trust_roots=roots, allow_fetching=False, moment=moment)
            return validate_pdf_signature(signature, signer_validation_context=context)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(judge).result()


def test_a_stranger_follows_the_code_on_the_paper(walked: Walked, county: Installation, stranger: Person) -> None:
    pdf = walked.files[JUNIOR][0]
    code = re.sub(r"\s", "", re.search(r"查验码 ((?:[2-9A-Z]{4} ?){4})", paper.text(pdf))[1])
    address = f"{county.address}/verify/{code}/"
    assert paper.shows_code(pdf, address)
    stranger.open(address)
    stranger.says("真实有效")
    for fact in (JUNIOR, f"{len(walked.junior)} 人", steps.TERM):
        stranger.says(fact)
    stranger.says(f"{sum(walked.due(JUNIOR, pupil) for pupil in walked.junior):,.2f} 元")
    shown = stranger.page.content()
    assert not [pupil["学生姓名"] for pupil in walked.junior if pupil["学生姓名"] in shown]


def test_an_altered_file_is_reported(walked: Walked, stranger: Person, papers: Path) -> None:
    genuine = walked.files[PRIMARY][0].read_bytes()
    compare(stranger, genuine)
    stranger.says("真实有效")
    middle = len(genuine) // 2
    compare(stranger, genuine[:middle] + bytes([genuine[middle] ^ 1]) + genuine[middle + 1 :])
    stranger.says("已被改动")
    stranger.says("有 1 个字节被改动")
    altered = papers / "altered.xlsx"
    book = openpyxl.load_workbook(walked.files[PRIMARY][1])
    amounts = [cell for row in book.active.iter_rows() for cell in row if cell.value == 625]
    amounts[0].value = 6250
    book.save(altered)
    compare(stranger, altered.read_bytes(), name="发放花名册.xlsx")
    stranger.says("已被改动")
    with stranger.being_refused():
        stranger.open("/verify/ABCDEFGHJKMNPQRS/")
    stranger.says("没有查到")


def compare(stranger: Person, content: bytes, name: str = "花名册.pdf") -> None:
    stranger.open("/verify/")
    stranger.page.get_by_label("要核对的文件").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )
    stranger.press("核对文件")


def test_the_notice_is_gone_when_its_days_are_over(walked: Walked, stranger: Person) -> None:
    with stranger.being_refused():
        stranger.open(walked.notice)
    stranger.says("公示已结束")
    assert not [pupil["学生姓名"] for pupil in walked.junior if pupil["学生姓名"] in stranger.page.content()]


def test_the_file_of_one_pupil_tells_the_whole_story(
    walked: Walked, people: Callable[..., Person], papers: Path
) -> None:
    officer = people("officer_a")
    officer.open(walked.pupil_page)
    dossier = officer.download(re.compile("生成档案|下载档案"), papers / "dossier.pdf")
    text = re.sub(r"\s", "", paper.text(dossier))
    for word in (
        *("提交", "班级评议通过", "学校评审通过", "发布公示", "收到异议", "公示", "上报县中心"),
        *("县级审核通过", "县级审批通过", "编入发放批次", "登记发放"),
        *("李老师", "陈专干", "周校长", "沈经办", "高主任", "罗经办", "支付2026-001", "两名教师入户核查"),
    ):
        assert word in text, word
    assert not long_number(text)


def test_the_audit_trail_of_the_term_is_whole(walked: Walked, county: Installation) -> None:
    answer = county.manage("verify_audit")
    assert answer.returncode == 0, answer.stderr
    assert "操作记录完整" in answer.stdout


def test_one_changed_byte_in_the_trail_is_found_and_named(walked: Walked, county: Installation, tmp_path: Path) -> None:
    if not county.is_sqlite:
        pytest.skip("the copy of a database is made of SQLite's file")
    copy = tmp_path / "copy.sqlite3"
    with contextlib.closing(sqlite3.connect(copy)) as link:
        with contextlib.closing(sqlite3.connect(county.database)) as live:
            live.backup(link)
        triggers = link.execute("SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name='accounts_auditrow'")
        for (name,) in triggers.fetchall():
            link.execute(f'DROP TRIGGER "{name}"')
        (number,) = link.execute("SELECT number FROM accounts_auditrow WHERE action='sheet.record_payment'").fetchone()
        link.execute("UPDATE accounts_auditrow SET person = replace(person, '罗', '沈') WHERE number = ?", [number])
        link.commit()
    answer = county.manage("verify_audit", DATABASE_URL=f"sqlite:///{copy}")
    assert answer.returncode == 1
    assert f"第 {number} 行" in answer.stderr


def test_no_number_of_a_person_lies_open_on_the_disk(walked: Walked, county: Installation) -> None:
    """Database, its journal, the stored files, the queue's log and what the processes said."""
    numbers = [
        number.encode()
        for pupil in (*walked.junior[:40], *walked.primary[:40])
        for number in (pupil["身份证件号"], pupil["银行账号"], pupil["联系电话"])
    ]
    for path, content in county.contents():
        assert not [number for number in numbers if number in content], path
    assert not [number for number in numbers if number.decode() in county.log]


# --- reading papers -------------------------------------------------------------------------------


_DIGITS, _UNITS = "零壹贰叁肆伍陆柒捌玖", ("", "拾", "佰", "仟")


def in_capitals(amount: Decimal) -> str:
    """大写 of an amount below 100 000 元, worked out here a second time (支付结算办法, annex 1)."""
    yuan, fen = divmod(int(amount * 100), 100)
    wan, rest = divmod(yuan, 10_000)
    words = (_four(wan) + "万" if wan else "") + ("零" if wan and 0 < rest < 1000 else "") + _four(rest) + "元"
    jiao, fen = divmod(fen, 10)
    if not jiao and not fen:
        return f"人民币{words}整"
    return f"人民币{words}" + (f"{_DIGITS[jiao]}角" if jiao else "零") + (f"{_DIGITS[fen]}分" if fen else "整")


def _four(number: int) -> str:
    words = ""
    for place, digit in zip((3, 2, 1, 0), f"{number:04d}", strict=True):
        words += _DIGITS[int(digit)] + _UNITS[place] if digit != "0" else ("零" if words else "")
    return re.sub("零+", "零", words).rstrip("零")
