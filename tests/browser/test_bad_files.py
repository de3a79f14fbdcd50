"""Files that are no rosters, sent as people send them: a clear sentence on the form, and nothing is kept."""

import contextlib
import io
import re
import struct
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from openpyxl import Workbook

from . import steps
from .installation import Installation
from .person import Person

pytestmark = pytest.mark.slow

BIG = 200 * 1024 * 1024
# What a file sent by somebody could leave. Jobs of the terms walked through in this installation go on meanwhile:
# what they write, and what they clear away, is no matter of this file.
_LEFT = {
    "upload": "SELECT id FROM documents_upload WHERE uploaded_by_id = ?",
    "roster": "SELECT id FROM students_rosterimport WHERE checked_by_id = ?",
    "pupil": "SELECT p.id FROM students_pupil p JOIN accounts_appointment a ON a.user_id = ?"
    " JOIN accounts_unit s ON s.id = a.unit_id WHERE p.county_id = s.parent_id",
    "act": "SELECT number FROM accounts_auditrow JOIN accounts_user u USING (username) WHERE u.id = ?",
}


@pytest.fixture
def officer(people: Callable[..., Person]) -> Person:
    return people("officer_p")


@pytest.fixture
def kept(county: Installation) -> Callable[[], set]:
    """Everything an upload of the officer's could have left: rows, what they did, files."""
    [(who,)] = county.ask("SELECT id FROM accounts_user WHERE username = 'officer_p'")

    def look() -> set:
        rows = {(what, key) for what, question in _LEFT.items() for (key,) in county.ask(question, who)}
        return rows | {("file", name) for name in county.stored_files() if name.startswith("uploads/")}

    return look


# --- the files ------------------------------------------------------------------------------------


def workbook(*rows: list[object]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def repacked(content: bytes, **replaced: bytes) -> bytes:
    """The workbook with members added or put in the place of others (names with _ for /)."""
    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, replaced.pop(name, None) or old.read(name))
        for name, added in replaced.items():
            new.writestr(name, added)
    return kept.getvalue()


HEAD = ["姓名", "身份证件号", "班级", "就读方式", "年级"]
PLAIN = workbook(HEAD, ["张三", "539900201305060010", "1班", "寄宿", "七年级"])
SHEET = "xl/worksheets/sheet1.xml"


def text_file() -> bytes:
    return "姓名,身份证件号,班级\n张三,539900201305060010,1班\n".encode()


def zip_bomb() -> bytes:
    """A sheet of a gigabyte of spaces, half a megabyte packed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(PLAIN)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name != SHEET:
                new.writestr(name, old.read(name))
        with new.open(SHEET, "w", force_zip64=True) as member:
            for _ in range(256):
                member.write(b" " * (4 * 1024 * 1024))
    return packed.getvalue()


def macro_file() -> bytes:
    types = zipfile.ZipFile(io.BytesIO(PLAIN)).read("[Content_Types].xml")
    plain = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    macro = b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"
    return repacked(PLAIN, **{"[Content_Types].xml": types.replace(plain, macro), "xl/vbaProject.bin": b"\xd0\xcf"})


def ole_file(stream: str) -> bytes:
    """The head and directory of an OLE file with one stream: what a password-protected workbook or an .xls is."""
    head = bytearray(512)
    head[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<HHHHH", head, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into("<IIIII", head, 40, 0, 1, 1, 0, 4096)
    struct.pack_into("<II", head, 60, 0xFFFFFFFE, 0)
    directory = bytearray(512)
    for place, name in enumerate(("Root Entry", stream)):
        encoded = name.encode("utf-16-le") + b"\0\0"
        directory[place * 128 : place * 128 + len(encoded)] = encoded
        struct.pack_into("<H", directory, place * 128 + 64, len(encoded))
        directory[place * 128 + 66] = 5 if place == 0 else 2
    return bytes(head) + b"\xfd\xff\xff\xff" * 128 + bytes(directory) + bytes(4096)


def far_cell() -> bytes:
    far = b'<sheetData><row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row></sheetData>'
    sheet = zipfile.ZipFile(io.BytesIO(PLAIN)).read(SHEET)
    return repacked(PLAIN, **{SHEET: re.sub(rb"<sheetData>.*</sheetData>", far, sheet, flags=re.DOTALL)})


def billion_laughs() -> bytes:
    nested = b"".join(b'<!ENTITY l%d "%s">' % (n, (b"&l%d;" % (n - 1)) * 10) for n in range(1, 10))
    doctype = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">' + nested + b"]>"
    sheet = zipfile.ZipFile(io.BytesIO(PLAIN)).read(SHEET)
    return repacked(PLAIN, **{SHEET: doctype + re.sub(rb"<\?xml[^>]*\?>", b"", sheet)})


def cut_off() -> bytes:
    return PLAIN[: len(PLAIN) // 2]


# What is sent → words of the sentence that must say what it is and what to do.
REFUSED: dict[str, tuple[Callable[[], bytes], str, tuple[str, ...]]] = {
    "a text called .xlsx": (text_file, "名册.xlsx", ("不是", "xlsx", "另存为")),
    "a text": (text_file, "名册.txt", (".xlsx", ".txt")),
    "a zip bomb": (zip_bomb, "名册.xlsx", ("1024 MB", "没有打开", "另存为")),
    "macros": (macro_file, "名册.xlsx", ("宏", "另存为")),
    "macros by name": (macro_file, "名册.xlsm", ("宏", "另存为")),
    "a password": (lambda: ole_file("EncryptedPackage"), "名册.xlsx", ("密码",)),
    "an old .xls": (lambda: ole_file("Workbook"), "名册.xlsx", ("另存为",)),
    "an empty sheet": (lambda: workbook(), "名册.xlsx", ("没有任何内容",)),
    "no header": (lambda: workbook(["你好"], ["世界"]), "名册.xlsx", ("表头", "姓名")),
    "a cell in the last corner": (far_cell, "名册.xlsx", ("行",)),
    "a billion laughs": (billion_laughs, "名册.xlsx", ("实体声明", "另存")),
    "a file cut off": (cut_off, "名册.xlsx", ("损坏",)),
    "nothing at all": (lambda: b"", "名册.xlsx", ("空",)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_roster_gets_a_sentence_and_is_not_kept(officer: Person, kept: Callable[[], set], case: str) -> None:
    content, name, words = REFUSED[case]
    before = kept()
    steps.send_roster(officer, content(), name=name)
    assert officer.page.url.endswith("/rosters/new/")  # the form again, not an error page
    sentence = officer.page.get_by_role("alert").inner_text()
    assert all(word in sentence for word in words), sentence
    assert re.search(r"[。！]", sentence)
    assert not re.search(r"[A-Za-z]{12,}|Error|Traceback", sentence), sentence  # no word of a program
    assert officer.page.get_by_label("学校").input_value() != ""  # what was chosen is still chosen
    assert kept() - before == set()


def test_a_formula_as_a_name_is_named_and_nobody_is_called_by_it(officer: Person, kept: Callable[[], set]) -> None:
    """It is a roster, so it is checked; its row is refused with place and cure, and cannot be imported."""
    before = kept()
    content = workbook(
        HEAD,
        ['=HYPERLINK("http://evil.example/","张三")', "539900201305060010", "1班", "寄宿", "七年级"],
        ["＝1+1", "539900201305060029", "1班", "寄宿", "七年级"],
    )
    steps.send_roster(officer, content)
    assert steps.shown_counts(officer)["有误"] == 2
    assert "公式" in officer.row("第 2 行").inner_text()
    assert "公式" in officer.row("第 3 行").inner_text()
    officer.says("没有一行可以导入")
    assert officer.page.get_by_role("button", name=re.compile("^导入")).count() == 0
    officer.press("放弃")
    officer.says("文件已删除")
    assert {what for what, _ in kept() - before} == {"roster", "act"}  # that it was sent, checked and given up


def test_two_hundred_megabytes_are_refused_and_the_server_goes_on(
    officer: Person, stranger: Person, kept: Callable[[], set], tmp_path: Path, county: Installation
) -> None:
    """Through the browser, as a person would: the form comes back with a sentence; others are served meanwhile."""
    big = tmp_path / "名册.xlsx"
    with big.open("wb") as file:
        file.truncate(BIG)
    before = kept()
    officer.open("/rosters/new/")
    officer.page.evaluate(
        "document.querySelectorAll('[data-max-bytes]').forEach(e => e.removeAttribute('data-max-bytes'))"
    )
    officer.page.get_by_label("名册文件").set_input_files(big)
    with GrowthOf(county) as growth:
        officer.press("上传并预检")
    officer.says("200.0 MB")
    officer.says("40 MB")
    assert kept() - before == set()
    assert growth() < BIG * 3 / 4  # never the whole of it in memory; a process at its first request takes some itself
    stranger.open("/login/")


class GrowthOf:
    """The most memory one web process of the installation took on while the block ran, beyond what it had (bytes).

    What it had before is what earlier rosters and papers of the same day left behind, and is no matter of the block.
    """

    def __init__(self, county: Installation) -> None:
        self.had = {process: process.memory_info().rss for process in county.processes("gunicorn")}
        assert self.had  # there is something to look at
        self.most, self.over = 0, threading.Event()

    def __enter__(self) -> Callable[[], int]:
        self.watcher = threading.Thread(target=self._watch)
        self.watcher.start()
        return lambda: self.most

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.watcher.join()

    def _watch(self) -> None:
        while not self.over.wait(0.05):
            for process, before in self.had.items():
                with contextlib.suppress(psutil.NoSuchProcess):
                    self.most = max(self.most, process.memory_info().rss - before)
