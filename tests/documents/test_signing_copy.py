"""The payout sheet on paper: every page complete in itself, nothing cut off, the same bytes each time."""

import io
from decimal import Decimal

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from documents import pdf, sheets, workbooks
from tests.documents import books


def pages(content):
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


@pytest.mark.parametrize(("rows", "count"), [(1, 1), (15, 1), (16, 2), (31, 3)])
def test_pages_are_cut_by_rows(make_plan, rows, count):
    assert pdf.page_count(sheets.signing_copy_pdf(make_plan(rows))) == count


def test_each_page_carries_its_subtotal_running_total_and_the_whole(make_plan):
    first, second = pages(sheets.signing_copy_pdf(make_plan(17)))
    for text in ("本页小计（15 人）", "4,687.50", "累计至本页：15 人，4,687.50 元"):
        assert text in first
    for text in ("本页小计（2 人）", "625.00", "累计至本页：17 人，5,312.50 元"):
        assert text in second
    for page in (first, second):
        assert "全表合计（17 人）" in page
        assert "合计（大写）：人民币伍仟叁佰壹拾贰元伍角整" in page


def test_each_page_carries_number_code_heads_and_places_to_sign(make_plan):
    for number, page in enumerate(pages(sheets.signing_copy_pdf(make_plan(17))), start=1):
        for text in (
            "发放〔2026〕12号", "2345 6789 ABCD EFGH", f"第 {number} 页　共 2 页", "单位：元", "财教〔2024〕181号",
            "2026春-03", "制表人：陈经办", "审核人：", "校长（签字）：", "学校（公章）：", "领取人签字", "手印",
            "2026年3月5日",
        ):  # fmt: skip
            assert text.replace("　", "") in page.replace("　", ""), text


def test_every_line_is_printed_in_order(make_plan):
    text = "".join(pages(sheets.signing_copy_pdf(make_plan(40))))
    assert all(f"6217****{number:04}" in text for number in range(1, 41))


def test_rare_and_long_names_are_printed_whole(make_plan):
    names = ["张䶮", "李𬎆", "阿卜杜拉·买买提明", "迪丽热巴·迪力木拉提·艾合买提江·阿卜杜热合曼"]
    text = "".join(pages(sheets.signing_copy_pdf(make_plan(4, names=names)))).replace("\n", "")
    assert all(name in text for name in names)


def test_no_line_is_wider_than_its_column():
    for length in (1, 7, 9, 15, 40, 90):
        piece = sheets._squeeze("长" * length, 2, 38.5)
        size = float(piece.box.split("font-size:")[1].split("pt")[0])
        assert piece.text.replace("\n", "") == "长" * length
        assert max(len(line) for line in piece.text.split("\n")) * size * 25.4 / 72 <= sheets.COLUMNS[2].width


def test_a_name_without_glyph_stops_the_sheet_and_is_named(make_plan):
    with pytest.raises(pdf.CannotPrint, match="U\\+31350"):
        sheets.signing_copy_pdf(make_plan(3, names=["王\U00031350"]))


def test_a_total_that_is_not_the_sum_of_the_lines_stops_the_sheet(make_plan):
    plan = make_plan(3, total=Decimal("937.51"))
    for copy in (sheets.signing_copy_pdf, sheets.signing_copy_xlsx):
        with pytest.raises(ValueError, match="sum of its lines"):
            copy(plan)


def test_the_same_plan_gives_the_same_bytes(make_plan, time_machine):
    plan = make_plan(17)
    time_machine.move_to("2026-03-05")
    first = sheets.signing_copy_pdf(plan), sheets.signing_copy_xlsx(plan)
    time_machine.move_to("2027-09-01")
    assert (sheets.signing_copy_pdf(plan), sheets.signing_copy_xlsx(plan)) == first


def test_the_paper_is_a4_across(make_plan):
    box = PdfReader(io.BytesIO(sheets.signing_copy_pdf(make_plan(1)))).pages[0].mediabox
    assert (round(float(box.width) / 72 * 25.4), round(float(box.height) / 72 * 25.4)) == (297, 210)


def test_the_workbook_holds_the_same_lines(make_plan):
    names = ["=1+1", "张䶮", "李𬎆"]
    values = books.rows(sheets.signing_copy_xlsx(make_plan(3, names=names))).values()
    rows = [[workbooks.text_of(value) for value in row] for row in values]
    assert rows[0][0] == "义务教育家庭经济困难学生生活补助发放花名册"
    lines = [row for row in rows if row[0] in ("1", "2", "3")]
    assert [row[2] for row in lines] == names
    assert [row[6] for row in lines] == ["312.5"] * 3
    assert next(row for row in rows if row[0] == "合计")[6] == "937.5"
    assert any("人民币玖佰叁拾柒元伍角整" in row[0] for row in rows)
    assert {type(value) for row in values for value in row} <= {str, float, type(None)}


def test_the_workbook_repeats_its_head_and_keeps_names_in_sight(make_plan):
    sheet = load_workbook(io.BytesIO(sheets.signing_copy_xlsx(make_plan(3)))).active
    assert (sheet.freeze_panes, sheet.print_title_rows) == ("D6", "$5:$5")
