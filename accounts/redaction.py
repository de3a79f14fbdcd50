"""Numbers of persons: cut out of every log, refused in free texts, whoever writes them and however grouped."""

import logging
import re
import unicodedata

from django.core.exceptions import ValidationError

# Digits as people group them, letters before or behind: 6228 4804 0256 4890 018, 138-1234-5678, ID5301…; ID numbers
# (18, last may be X), roll numbers (letter + 18), the certificate 残疾人证 (ID + kind + degree, and B1 when reissued),
# cards. Digits between letters, as in a checksum, are nobody's.
_GAP = r"[ \t\u3000\-‐–—－]{0,2}"
_RUN = re.compile(
    rf"(?<![0-9A-Za-z])[A-Za-z]*(\d(?:{_GAP}\d){{10,}}(?:{_GAP}[Xx](?:{_GAP}\d{{2}})?)?(?:[Bb]\d)?)(?![A-Za-z]*\d)"
)
_YEAR = r"(?:19|20)\d{2}"
# Taken out before numbers are looked for: dates, school years and terms (as in the number of a batch), landlines, keys
# of records. Side by side they would read as a card number.
_PLAIN = re.compile(
    rf"(?<![\d\-]){_YEAR}\s?[-/.年]\s?\d{{1,2}}\s?[-/.月]\s?\d{{1,2}}(?!\d)"
    rf"|(?<!\d){_YEAR}[-—]{_YEAR}(?:-\d)?(?!\d)"
    r"|(?<!\d)(?<!\d[ \-])0\d{2,3}[ \-]?[2-9]\d{6,7}(?:[ \-]0\d{2,3}[ \-]?[2-9]\d{6,7})*(?!\d)"
    r"|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
)
_DATES = re.compile(rf"{_YEAR}(?:[01]\d[0-3]\d)?(?:[^\d]+{_YEAR}(?:[01]\d[0-3]\d)?)+")
_MOBILE = re.compile(r"1[3-9]\d{9}")


def redact(text: str) -> str:
    """The text with every run that could be an ID, card or phone number cut to its last four characters."""
    if not _RUN.search(text):
        return text
    # Of the same length, so that places in one are places in the other.
    narrow = "".join(_narrow(c) for c in text)
    plain = _PLAIN.sub(lambda found: "/" * len(found.group()), narrow)
    kept, at = [], 0
    for found in _RUN.finditer(plain):
        if number := _number(found.group(1)):
            kept += [text[at : found.start()], f"…{number[-4:]}"]
            at = found.end()
    return "".join(kept) + text[at:]


def _narrow(character: str) -> str:
    found = unicodedata.normalize("NFKC", character)
    return found if len(found) == 1 else character


def _number(run: str) -> str:
    """The number of a person that the run is, written tight; "" if it is none."""
    tight = re.sub(r"[^\dXxBb]", "", run)
    is_number = len(tight) > 11 or _MOBILE.fullmatch(tight)
    return tight if is_number and not _DATES.fullmatch(run) else ""


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
