"""Reading workbooks: every kind of cell as it is, the files offices really make, and a child that leaves no trace."""

import contextlib
import datetime as dt
import random
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from documents import workbooks, xlsx
from tests.documents import books
from tests.documents.books import NS, SHEET, rows, save, with_rows

DAY, MOMENT = dt.date(2014, 3, 5), dt.datetime(2026, 3, 5, 8, 30)


def only_row(content: bytes) -> list:
    (row,) = rows(content).values()
    return row


# --- kinds of cells -------------------------------------------------------------------------------


def test_each_kind_of_cell_is_told_apart():
    found = only_row(save(books.book(["王䶮", 312.5, DAY, True, None, MOMENT, "end"])))
    assert found == ["王䶮", 312.5, DAY, True, None, MOMENT, "end"]
    assert [type(value) for value in found[1:4]] == [float, dt.date, bool]
    assert [workbooks.text_of(value) for value in found] == [
        "王䶮", "312.5", "2014-03-05", "TRUE", "", "2026-03-05 08:30:00", "end",
    ]  # fmt: skip


def test_of_a_formula_the_result_is_read_and_without_one_its_text():
    xml = '<c r="A1" t="str"><f>B1&amp;"x"</f><v>王小明</v></c><c r="B1"><f>1+1</f><v>2</v></c>'
    xml += (
        '<c r="C1"><f>IF(A1&lt;2,"a&amp;b")</f></c><c r="D1"><f>1+1</f><v/></c><c r="E1" t="str"><f>""</f><v></v></c>'
    )
    assert only_row(with_rows(f'<row r="1">{xml}<c r="F1"><v>1</v></c></row>')) == [
        "王小明", 2.0, '=IF(A1<2,"a&b")', "=1+1", None, 1.0,
    ]  # fmt: skip


def test_a_formula_shows_the_characters_it_was_written_with():
    # As programs write what is not ASCII, and long enough to be cut within a reference.
    xml = '<c r="A1"><f>"&#36213;"&amp;"&#x5B50;"</f></c><c r="B1"><f>' + "&#36213;" * 300 + "</f></c>"
    first, second, _ = only_row(with_rows(f'<row r="1">{xml}<c r="C1"><v>1</v></c></row>'))
    assert first == '="赵"&"子"'
    assert set(second) == {"=", "赵"}


def test_errors_are_the_text_excel_shows():
    xml = '<c r="A1" t="e"><v>#N/A</v></c><c r="B1" t="e"><f>VLOOKUP(A1,C:D,2,0)</f><v>#REF!</v></c>'
    found = only_row(with_rows(f'<row r="1">{xml}<c r="D1"><v>1</v></c></row>'))
    assert found == ["#N/A", "#REF!", None, 1.0]
    assert [workbooks.is_error(value) for value in found] == [True, True, False, False]


def test_an_id_typed_as_a_number_shows_that_its_end_is_lost():
    (value,) = only_row(save(books.book([530102201501011234])))
    assert isinstance(value, float)
    assert workbooks.text_of(value) == "530102201501011000"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"), (0.30000000000000004, "0.3"), (1250.0, "1250"), (0.001, "0.001"), (1.5e-7, "0.00000015"),
        (-0.0, "0"), (1e15, "1000000000000000"), (1e20, "100000000000000000000"), (-1.25e16, "-12500000000000000"),
        (1e21, "1E+21"), (-3.0, "-3"),
    ],
)  # fmt: skip
def test_numbers_have_no_exponent_that_a_person_would_not_see(value, text):
    assert workbooks.text_of(value) == text


@given(st.integers(-(10**21) + 1, 10**21 - 1))
def test_the_text_of_a_whole_number_has_digits_only(number):
    text = workbooks.text_of(float(number)).removeprefix("-")
    if abs(float(number)) < 1e21:
        assert text.isdigit()
        assert float(text) == pytest.approx(abs(number), rel=1e-14)


def test_strings_in_runs_with_reading_aids_and_escapes_are_whole():
    strings = f'<sst {NS}><si><r><t>王</t></r><r><t xml:space="preserve">小 明</t></r></si>'
    strings += '<si><t>東京</t><rPh sb="0" eb="2"><t>とうきょう</t></rPh></si><si><t>a_x000D_b_x005F_</t></si>'
    strings += "<si><t>x_x0000_y</t></si></sst>"
    cells = "".join(f'<c r="{letter}1" t="s"><v>{n}</v></c>' for n, letter in enumerate("ABCD"))
    base = with_rows(f'<row r="1">{cells}</row>')
    link = b'<Relationship Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"'
    link += b' Target="sharedStrings.xml" Id="rId99"/></Relationships>'
    relations = books.part(base, "xl/_rels/workbook.xml.rels").replace(b"</Relationships>", link)
    content = books.replace(base, **{"xl/sharedStrings.xml": strings.encode(), "xl/_rels/workbook.xml.rels": relations})
    assert only_row(content) == ["王小 明", "東京", "a\rb_", "x\ufffdy"]


def test_inline_strings_and_what_stands_in_a_cell_of_a_wrong_type():
    xml = '<c t="inlineStr"><is><r><t>王</t></r><r><t>小</t></r><rPh sb="0" eb="1"><t>wang</t></rPh></is></c>'
    xml += '<c><v>abc</v></c><c t="b"><v>1</v></c><c t="d"><v>2014-03-05</v></c><c t="str"><v>  </v></c><c><v>1</v></c>'
    assert only_row(with_rows(f"<row>{xml}</row>")) == ["王小", "abc", True, DAY, None, 1.0]


@pytest.mark.parametrize("number_format", [14, 31, 57])
def test_built_in_dates_of_a_chinese_excel_are_dates(number_format):
    styles = f'<styleSheet {NS}><cellXfs><xf numFmtId="0"/><xf numFmtId="{number_format}"/></cellXfs></styleSheet>'
    content = with_rows('<row r="1"><c r="A1" s="1"><v>41703</v></c></row>')
    assert only_row(books.replace(content, **{"xl/styles.xml": styles.encode()})) == [DAY]


@pytest.mark.parametrize(
    ("number_format", "value", "read"),
    [
        ('yyyy"年"m"月"', 41703, DAY),
        ('[$-804]yyyy"年"m"月"d"日";@', 41703, DAY),
        ("yyyy.mm", 41703, DAY),
        ('0"年"', 2014, 2014.0),
        ("0%", 0.25, 0.25),
        ("@", 41703, 41703.0),
        ("h:mm", 0.354166666666667, "08:30:00"),
        ("[h]:mm:ss", 1.25, "30:00:00"),
        ("yyyy-mm-dd", 3e8, 3e8),  # Excel shows #####
        ("yyyy-mm-dd", 41703.5, dt.datetime(2014, 3, 5, 12)),
    ],
)
def test_a_format_decides_what_a_number_is(number_format, value, read):
    made = books.book([value])
    made.active["A1"].number_format = number_format
    assert only_row(save(made)) == [read]


def test_a_mac_workbook_counts_its_days_from_1904():
    made = Workbook()
    made.epoch = CALENDAR_MAC_1904
    made.active.append([DAY])
    assert only_row(save(made)) == [DAY]


# --- where things stand ---------------------------------------------------------------------------


def test_rows_and_columns_count_as_in_excel_wherever_the_table_begins():
    made = Workbook()
    made.active["C3"], made.active["D5"] = "x", DAY
    assert rows(save(made)) == {3: [None, None, "x"], 5: [None, None, None, DAY]}


def test_rows_without_content_are_left_out_and_numbers_stay():
    assert list(rows(save(books.book(["a"], [], ["  ", "\u3000"], ["b"])))) == [1, 4]


def test_elements_with_a_prefix_are_read():
    xml = '<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:sheetData><x:row r="2">'
    xml += '<x:c r="B2" t="inlineStr"><x:is><x:t>王</x:t></x:is></x:c></x:row></x:sheetData></x:worksheet>'
    assert rows(books.replace(save(books.book(["x"])), **{SHEET: xml.encode()})) == {2: [None, "王"]}


def test_cells_without_references_follow_one_another():
    content = with_rows("<row><c><v>1</v></c><c/><c><v>3</v></c></row><row><c><v>4</v></c></row>")
    assert rows(content) == {1: [1.0, None, 3.0], 2: [4.0]}


def test_a_lying_dimension_changes_nothing():
    xml = f'<worksheet {NS}><dimension ref="A1:XFD1048576"/><sheetData><row><c><v>1</v></c></row></sheetData>'
    content = books.replace(save(books.book(["x"])), **{SHEET: (xml + "</worksheet>").encode()})
    assert rows(content) == {1: [1.0]}


def test_sheets_are_told_with_their_state_and_charts_left_out():
    made = books.book(["x"])
    made.create_sheet("选项").sheet_state = "hidden"
    made.create_sheet("深藏").sheet_state = "veryHidden"
    made.create_chartsheet("图")
    made.create_sheet("后面").append(["y"])
    content = save(made)
    with workbooks.open_workbook(content, workbooks.ROSTER_BOUNDS) as opened:
        told = [(sheet.name, sheet.hidden) for sheet in opened.sheets]
    assert told == [("名册", False), ("选项", True), ("深藏", True), ("后面", False)]
    assert rows(content, sheet=3) == {1: ["y"]}


def merged_book() -> bytes:
    """A title over the table, a header in two rows, and a household that spans three rows."""
    made = books.book(
        ["2026年春季名册"], ["户主", "家庭成员", None], [None, "姓名", "年龄"],
        ["王大", "王一", 8], [None, "王二", 9], [None, "王三", 10], ["李大", "李一", 7],
    )  # fmt: skip
    for area in ("A1:C1", "A2:A3", "B2:C2", "A4:A6", "A8:A9"):
        made.active.merge_cells(area)
    return save(made)


def test_a_merged_value_stands_in_each_row_but_not_across():
    assert rows(merged_book()) == {
        1: ["2026年春季名册"],
        2: ["户主", "家庭成员"],
        3: ["户主", "姓名", "年龄"],
        4: ["王大", "王一", 8.0],
        5: ["王大", "王二", 9.0],
        6: ["王大", "王三", 10.0],
        7: ["李大", "李一", 7.0],
    }


def test_a_header_is_spread_across_its_columns():
    with workbooks.open_workbook(merged_book(), workbooks.ROSTER_BOUNDS) as opened:
        header = next(values for number, values in opened.rows(0) if number == 2)
        assert opened.sheets[0].merged[0] == (1, 1, 1, 3)
        assert workbooks.spread(2, header, opened.sheets[0]) == ["户主", "家庭成员", "家庭成员"]


def test_sheets_can_be_read_again_in_turns_and_left_in_the_middle():
    made = books.book(*[[f"甲{n}"] for n in range(3000)])
    other = made.create_sheet("乙")
    for n in range(3000):
        other.append([f"乙{n}"])
    with workbooks.open_workbook(save(made), workbooks.ROSTER_BOUNDS) as opened:
        left = opened.rows(0)
        assert next(left) == (1, ["甲0"])
        both = list(zip(opened.rows(0), opened.rows(1), strict=True))
        assert both[2999] == ((3000, ["甲2999"]), (3000, ["乙2999"]))
        left.close()
        assert sum(1 for _ in opened.rows(1)) == 3000


# --- files of other programs ----------------------------------------------------------------------

OFFICE_ROWS = {
    1: ["云岭县城关中学学生名册"],
    2: ["姓名", "身份证件号", "出生日期", "金额", "住校", "数字证号"],
    3: ["王䶮", "530102201403051239", DAY, 312.5, True, 530102201403051008.0],
    4: ["王小\n明", "53010220140305123X", MOMENT, -1.0, False, 1.0],
}


@pytest.fixture(scope="module")
def office_book():
    made = books.book(*OFFICE_ROWS.values())
    made.active.merge_cells("A1:F1")
    made.create_sheet("选项").append(["寄宿"])
    made["选项"].sheet_state = "hidden"
    return save(made)


@pytest.fixture(scope="module")
def saved_by_libreoffice(office_book):
    """The office's book as .xlsx and .xls, and a table in the middle of an .xls."""
    middle = Workbook()
    for row in ([], [], [None, None, "王䶮", 5], [None, None, "户", 1], [None, None, None, 2]):
        middle.active.append(row)
    middle.active.merge_cells("C4:C5")
    middle.active["E3"], middle.active["E4"] = "=1/0", "=D4+1"
    new = books.through_libreoffice("xlsx", office_xlsx=office_book)
    return new | books.through_libreoffice("xls", office_xlsx=office_book, middle_xlsx=save(middle))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["office.xlsx", "office.xls"])
def test_what_libreoffice_saves_reads_the_same(saved_by_libreoffice, name):
    content = saved_by_libreoffice[name]
    assert rows(content) == OFFICE_ROWS
    with workbooks.open_workbook(content, workbooks.ROSTER_BOUNDS) as opened:
        assert [(sheet.name, sheet.hidden) for sheet in opened.sheets] == [("名册", False), ("选项", True)]
        assert opened.sheets[0].merged == [(1, 1, 1, 6)]


@pytest.mark.slow
def test_in_an_old_workbook_too_things_stand_where_excel_says(saved_by_libreoffice):
    """The error in E3 reads as empty: the library does not tell errors of an .xls."""
    assert rows(saved_by_libreoffice["middle.xls"]) == {
        3: [None, None, "王䶮", 5.0],
        4: [None, None, "户", 1.0, 2.0],
        5: [None, None, "户", 2.0],
    }


@pytest.mark.slow
def test_an_old_workbook_with_a_password_says_so(saved_by_libreoffice):
    # The second record of the stream becomes FILEPASS, which says that all that follows is encrypted.
    content = bytearray(saved_by_libreoffice["office.xls"])
    start = content.index(b"\x09\x08\x10\x00\x00\x06\x05\x00")
    second = start + 4 + 16
    content[second : second + 2] = b"\x2f\x00"
    with pytest.raises(workbooks.WorkbookRefused, match="打开密码"):
        rows(bytes(content))


@pytest.mark.slow
@how(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_damage_to_an_old_workbook_is_read_or_refused(saved_by_libreoffice, data):
    content = bytearray(saved_by_libreoffice["middle.xls"])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(workbooks.WorkbookRefused):
        rows(bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))]))


# --- properties -----------------------------------------------------------------------------------

TEXTS = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn", "Co"]), max_size=12)
DATES = st.dates(dt.date(1900, 3, 1), dt.date(2100, 1, 1))
VALUES = st.none() | TEXTS | st.floats(-1e15, 1e15, allow_subnormal=False) | st.booleans() | DATES


def expected(value):
    if isinstance(value, str) and not value.strip():
        return None
    return pytest.approx(value, rel=1e-14) if isinstance(value, float) else value


@how(max_examples=40)
@given(st.lists(st.lists(VALUES, min_size=1, max_size=6), min_size=1, max_size=6), st.integers(0, 3), st.integers(0, 3))
def test_any_small_workbook_reads_back_as_it_was_written(table, down, right):
    made = Workbook()
    for number, row in enumerate(table, start=1 + down):
        for column, value in enumerate(row, start=1 + right):
            cell = made.active.cell(number, column, None)
            if value is not None:
                cell.value = value
                if isinstance(value, str):
                    cell.data_type = "s"  # "=1" is two characters
    wanted = {
        number: books._trimmed([None] * right + [expected(value) for value in row])
        for number, row in enumerate(table, start=1 + down)
    }
    wanted = {number: row for number, row in wanted.items() if any(value is not None for value in row)}
    if wanted:
        assert rows(save(made)) == wanted
    else:
        with pytest.raises(workbooks.WorkbookRefused, match="没有任何内容"):
            rows(save(made))


@how(max_examples=30)
@given(st.lists(st.lists(TEXTS, max_size=5), max_size=5))
def test_text_we_write_reads_back(table):
    width = max([len(row) for row in table], default=0) + 1
    filled = [["x", *row, *[""] * (width - 1 - len(row))] for row in table]
    plan = xlsx.WorksheetPlan("名册", [xlsx.Column(str(number)) for number in range(width)], filled)
    read = list(rows(xlsx.write([plan])).values())
    assert read[1:] == [books._trimmed([text if text.strip() else None for text in row]) for row in filled]


# --- the child ------------------------------------------------------------------------------------


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if _reads_a_workbook(child)]


def _reads_a_workbook(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):  # others of this process come and go
        return any("workbook_child" in word for word in process.cmdline())
    return False


def test_no_process_stays_behind_when_the_reading_is_abandoned():
    content = save(books.book(*[["x"] * 10] * 3000))
    with contextlib.suppress(ZeroDivisionError), workbooks.open_workbook(content, workbooks.ROSTER_BOUNDS) as opened:
        next(opened.rows(0))
        assert len(children()) == 1
        raise ZeroDivisionError
    assert children() == []


def test_the_child_knows_no_secrets_and_cannot_outgrow_its_limits():
    with workbooks.open_workbook(save(books.book(["x"])), workbooks.ROSTER_BOUNDS):
        (child,) = children()
        assert not {name for name in child.environ() if name.startswith(("AID", "DJANGO"))}
        assert child.rlimit(psutil.RLIMIT_AS) == (workbooks.MEMORY, workbooks.MEMORY)
        assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
        assert child.rlimit(psutil.RLIMIT_CPU)[0] == workbooks.ROSTER_BOUNDS.seconds


def test_the_child_dies_with_us(tmp_path):
    (tmp_path / "book.xlsx").write_bytes(save(books.book(["x"])))
    program = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from documents import workbooks\n"
        "with workbooks.open_workbook(open(sys.argv[1], 'rb').read(), workbooks.ROSTER_BOUNDS) as book:\n"
        "    print(book._child.process.pid, flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "book.xlsx"), str(settings.BASE_DIR)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        assert psutil.wait_procs([child], timeout=300)[1] == []


def test_a_child_that_dies_is_a_refusal():
    content = save(books.book(*[["x"] * 10] * 3000))
    with workbooks.open_workbook(content, workbooks.ROSTER_BOUNDS) as opened:
        reading = opened.rows(0)
        next(reading)
        children()[0].kill()
        with pytest.raises(workbooks.WorkbookRefused, match="很远的地方"):
            list(reading)


@pytest.mark.parametrize("size", [10, 500_000])  # the pipe takes the file, or it does not
def test_a_child_that_does_not_answer_is_given_up(monkeypatch, size):
    monkeypatch.setattr(workbooks, "_CHILD", str(Path(__file__).with_name("sleeper.py")))
    monkeypatch.setattr(workbooks, "_PATIENCE", 0.5)
    bounds = workbooks.Bounds(max_rows=10, max_columns=10, max_bytes=1_000_000, seconds=1)
    content = books.replace(save(books.book(["x"])), **{"xl/media/image1.png": random.Random(7).randbytes(size)})
    with (
        pytest.raises(workbooks.WorkbookRefused, match="时间太长"),
        workbooks.open_workbook(content, bounds),
    ):
        pass
    assert children() == []


def test_many_threads_read_at_once():
    content = save(books.book(*[[f"甲{n}", n] for n in range(1200)]))
    read: list[int] = []
    threads = [threading.Thread(target=lambda: read.append(len(rows(content)))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [1200] * 6
