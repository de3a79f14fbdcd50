"""Numbers of persons never reach a log."""

import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.redaction import RedactingFilter, RefusalFilter, redact


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
