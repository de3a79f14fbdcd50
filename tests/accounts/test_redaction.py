"""Numbers of persons never reach a log."""

import logging
import re
import sys

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from accounts.redaction import RedactingFilter, RefusalFilter, redact, refuse_numbers


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ID 11010519491231002X.", "ID …002X."),
        ("学籍号G110105194912310021", "学籍号…0021"),
        ("card 6217000010001234567 ok", "card …4567 ok"),
        ("手机13800138000", "手机…8000"),
        ("batch 20261012, 312 rows, 195312.50", "batch 20261012, 312 rows, 195312.50"),
    ],
)
def test_numbers_of_persons_are_cut(text: str, kept: str) -> None:
    assert redact(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "卡号 6228 4801 2345 6789 012",
        "6228-4801-2345-6789-012",
        "6228—4801—2345—6789—012",
        "身份证 532122 20130506 1234",
        "532122-20130506-123X",
        "138 0013 8000",
        "138-0013-8000",
        "ID532122201305061234",
        "532122201305061234号张三",
        "532122201305061234Zhang",
        "５３２１２２２０１３０５０６１２３４",
        "５３２１２２２０１３０５０６１２３Ｘ",
        "１３８ ００１３ ８０００",
        "0870-2123456 13800138000",
        "6228480402564890018，0870-2123456",
    ],
)
def test_numbers_are_refused_however_grouped(text: str) -> None:
    with pytest.raises(ValidationError):
        refuse_numbers(text)
    assert not re.search(r"\d{4}\D{0,2}\d{4}\D{0,2}\d{4}", redact(text).replace("0870-2123456", ""))


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-12",
        "2026-10-12 2026-10-16",
        "2026年10月12日至2026年10月16日",
        "20260901-20261130",
        "2024 2025 2026",
        "2026-2027-1—2026-2027-2",
        "2026—2027学年",
        "每生每学期 750.00 元，1,250.00 元，合计 195312.50 元",
        "0870-2123456、0870-21234567",
        "0871-65123456 0871-65123457",
        "010-62123456",
        "YLX-2026-10-0012",
        "FF-2026-2027-1-001",
        "FF-2026-2027-1-001-0012 第 2 页",
        "12345678-1234-4234-8123-123456789012",
        "sha256 1a2345678901234567b9",
        "3 月 12 日，45 人，共 6 个班",
    ],
)
def test_dates_amounts_and_landlines_stay(text: str) -> None:
    refuse_numbers(text)


@given(st.from_regex(r"\A[1-9]\d{16}[\dXx]\Z"), st.sampled_from(["", "：", " ", "身份证", "(", "\n"]))
def test_no_id_number_survives_whatever_stands_before(number: str, before: str) -> None:
    assert number not in redact(f"{before}{number}{before}")


def test_filter_cuts_arguments_and_tracebacks() -> None:
    try:
        raise ValueError("11010519491231002X")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "pupil %s", ("11010519491231002X",), info)
    assert RedactingFilter().filter(record)
    assert "11010519491231002X" not in record.getMessage() + record.exc_text


@pytest.mark.parametrize("number", ["11010519491231002143", "11010519491231002X43", "11010519491231002X43B1", "1" * 24])
def test_an_id_number_inside_a_longer_one_is_cut(number: str) -> None:
    assert number[:14] not in redact(f"残疾证{number}。")


def test_refused_request_is_one_line_and_a_fault_keeps_its_trace() -> None:
    for status, traced in ((403, False), (500, True)):
        record = logging.LogRecord("django.request", logging.WARNING, __file__, 1, "Forbidden", (), None)
        record.status_code = status
        try:
            raise PermissionError("这一步由别人办理")
        except PermissionError:
            record.exc_info = sys.exc_info()
        assert RefusalFilter().filter(record)
        assert bool(record.exc_info) == traced
