"""Numbers of persons never reach a log, whoever writes it."""

import logging
import re

from django.core.exceptions import ValidationError

# ID numbers (18, last may be X), roll numbers (letter + 18), the certificate 残疾人证 (ID + kind + degree, and B1
# when reissued), cards and other long numbers, mobile phones.
_NUMBERS = re.compile(
    r"(?<![0-9A-Za-z])(?:[GJLgjl]?\d{17}[\dXx](?:\d{2}(?:[Bb]\d)?)?|\d{12,}|1[3-9]\d{9})(?![0-9A-Za-z])"
)


def redact(text: str) -> str:
    """The text with every run that could be an ID, card or phone number cut to its last four characters."""
    return _NUMBERS.sub(lambda found: f"…{found.group()[-4:]}", text)


def refuse_numbers(text: str) -> None:
    """Validator of free texts: they are shown, printed and archived, so no number of a person may stand in them."""
    if redact(text) != text:
        raise ValidationError("这里不要写身份证号、学籍号、银行卡号或手机号；系统里已有登记，需要时在学生页查看。")


class RedactingFilter(logging.Filter):
    """Sits on the handler, so that libraries' messages and tracebacks pass it too."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True


class RefusalFilter(logging.Filter):
    """A request that was refused (403) is one line in the log: nothing broke, so there is nothing to trace."""

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "status_code", 0) == 403:
            record.exc_info = record.exc_text = None
        return True
