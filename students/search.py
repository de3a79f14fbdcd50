"""Finding a pupil by what was typed: a name, a full ID or 学籍号, or the last four characters of one.

What was typed is kept in the session between pages, because nothing of a person may stand in an address. A
full number is kept only as its blind index: the session is a row in the database.
"""

import re
from dataclasses import asdict, dataclass
from typing import Literal

from django.db.models import Q, QuerySet

from . import numbers, privacy
from .models import Enrolment


@dataclass(frozen=True)
class Query:
    kind: Literal["id", "roll", "tail", "name"]
    value: str
    label: str  # what the page may show of it

    def as_session(self) -> dict[str, str]:
        return asdict(self)


def read_query(text: str) -> Query | None:
    """What the person is looking for; None for nothing."""
    number = numbers.tidy_number(text)
    if re.fullmatch(r"[GJL][0-9]{17}[0-9X]", number):
        return Query("roll", privacy.roll_index(number), f"学籍号 {privacy.mask_id(number)}")
    if re.fullmatch(r"[0-9]{17}[0-9X]", number):
        return Query("id", privacy.id_index(number), f"证件号 {privacy.mask_id(number)}")
    if re.fullmatch(r"[0-9]{3}[0-9X]", number):
        return Query("tail", number, f"号码末四位 {number}")
    name, _ = numbers.read_name(text)
    # A piece of a name is no name yet (one character, or a slip); it is looked for as typed.
    wanted = name or text.strip()[: numbers.NAME_MAX]
    if len(re.sub("[^0-9]", "", wanted)) > 4:
        # Part of a number: it cannot be found, and it does not go into the session.
        return Query("name", "", "不完整的号码")
    return Query("name", wanted, f"姓名“{wanted}”") if wanted else None


def search(enrolments: QuerySet[Enrolment], query: Query) -> QuerySet[Enrolment]:
    match query.kind:
        case "id":
            return enrolments.filter(pupil__id_index=query.value)
        case "roll":
            return enrolments.filter(pupil__roll_index=query.value)
        case "tail":
            return enrolments.filter(
                Q(pupil__id_masked__endswith=query.value) | Q(pupil__roll_masked__endswith=query.value)
            )
        case "name":
            return enrolments.filter(pupil__name__contains=query.value) if query.value else enrolments.none()
