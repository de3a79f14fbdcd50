"""Finding a pupil by what was typed: a name, its initials, a number or the last four of one, or a class.

What was typed is kept in the session between pages, because nothing of a person may stand in an address. A
full number is kept only as its blind index: the session is a row in the database.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Literal
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import scopes
from accounts.models import Unit, User
from accounts.roles import Permission

from . import enrolment, grades, numbers, privacy, terms
from .models import OPEN_STANDINGS, Enrolment, Pupil

MOST_SHOWN = 60  # more than anybody reads through; a longer name finds fewer


@dataclass(frozen=True)
class Query:
    kind: Literal["id", "roll", "tail", "class", "initials", "name"]
    value: str
    label: str  # what the page may show of it

    def as_session(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Hit:
    """A pupil and where: the present place, or (`is_here` false) the last one within the reader's scope."""

    place: Enrolment
    is_here: bool
    is_exact: bool  # the whole number or the whole name was typed


@dataclass
class Found:
    hits: list[Hit] = field(default_factory=list)
    classes: list[Unit] = field(default_factory=list)
    has_more: bool = False

    @property
    def only(self) -> Enrolment | None:
        """The pupil that was surely meant, if there is exactly one."""
        sure = [hit for hit in self.hits if hit.is_here and hit.is_exact]
        return sure[0].place if len(sure) == 1 and not self.has_more and len(self.hits) == 1 else None


def read_query(text: str) -> Query | None:
    """What the person is looking for; None for nothing. Any text is something to look for."""
    number = numbers.tidy_number(text)
    if re.fullmatch(r"[GJL][0-9]{17}[0-9X]", number):
        return Query("roll", privacy.roll_index(number), f"学籍号 {privacy.mask_id(number)}")
    if re.fullmatch(r"[0-9]{17}[0-9X]", number):
        return Query("id", privacy.id_index(number), f"证件号 {privacy.mask_id(number)}")
    if re.fullmatch(r"[0-9]{3}[0-9X]", number):
        return Query("tail", number, f"号码末四位 {number}")
    if class_name := _class_name(text):
        return Query("class", class_name, f"班级“{class_name}”")
    if re.fullmatch(r"[A-Z0-9()/-]{5,24}", number) and _may_be_whole(number):
        return Query("id", privacy.id_index(number), f"证件号 {privacy.mask_id(number)}")
    if re.fullmatch(r"[A-Z]{1,60}", number):
        return Query("initials", number, f"姓名首字母 {number}")
    name, _ = numbers.read_name(text)
    # A piece of a name is no name yet (one character, or a slip); it is looked for as typed.
    wanted = name or text.replace("\x00", "").strip()[: numbers.NAME_MAX]
    if len(re.sub("[^0-9]", "", wanted)) > 4:
        # Part of a number: it cannot be found, and it does not go into the session.
        return Query("name", "", "不完整的号码")
    return Query("name", wanted, f"姓名“{wanted}”") if wanted else None


def _may_be_whole(number: str) -> bool:
    """Whether it may be the number of a passport or another paper; longer without a letter is part of an ID number."""
    digits = sum(character.isdigit() for character in number)
    return digits > 4 and (digits < 11 or not number.isdigit())


def _class_name(text: str) -> str:
    """七1, 七(1)班, 7年级1班, 7.1, 初一1班 → 七年级1班; "" for what is no class."""
    label = re.sub(r"^([1-9])[.\-(](?=[0-9])", r"\1年级", grades.tidy(text)).rstrip(")")
    for spelling in sorted(grades.GRADES, key=len, reverse=True):
        rest = label.removeprefix(spelling)
        # 高一鸣 is a name; 七年级育才班 is not.
        is_named = len(spelling) > 1 and re.fullmatch(r".{1,8}班", rest)
        if rest != label and (is_named or re.fullmatch(r"[(\[]?[0-9]{1,2}[)\]]?班?", rest)):
            grade = grades.GRADES[spelling]
            return grades.class_name(grade, grades.class_label(rest, grade))
    return ""


def find(user: User, query: Query) -> Found:
    """Pupils of the user's scope who fit, those in class now first; at most MOST_SHOWN, with `has_more` beyond."""
    if query.kind == "class":
        classes = Unit.objects.filter(level=Unit.Level.CLASS, is_active=True, name=query.value)
        classes = scopes.within(classes, user, Permission.VIEW_PUPILS, unit="").select_related("parent")
        return Found(classes=list(classes.order_by("path")[:MOST_SHOWN]))
    keys = _matching(user, query)
    has_more = len(keys) > MOST_SHOWN
    exact = dict(list(keys.items())[:MOST_SHOWN])
    places = Enrolment.objects.select_related("pupil", "school", "term")
    here = _in_scope(enrolment.current_only(places.filter(pupil__in=exact)), user)
    hits = [Hit(place, True, exact[place.pupil_id]) for place in here]
    gone = set(exact) - {hit.place.pupil_id for hit in hits}
    last: dict[UUID, Enrolment] = {}
    for place in _in_scope(places.filter(pupil__in=gone), user).order_by("term__key", "starts_on"):
        last[place.pupil_id] = place
    hits += [Hit(place, False, exact[place.pupil_id]) for place in last.values()]
    return Found(sorted(hits, key=_order), has_more=has_more)


def _order(hit: Hit) -> tuple[bool, bool, bool, str, str]:
    place = hit.place
    return not hit.is_here, place.standing not in OPEN_STANDINGS, not hit.is_exact, place.path, place.pupil.name


def _matching(user: User, query: Query) -> dict[UUID, bool]:
    """Keys of pupils who were ever in the user's scope and fit → whether exactly; one more than are shown."""
    counties = {int(path.split("/", 1)[0]) for path in scopes.reach(user, Permission.VIEW_PUPILS)}
    ever = _in_scope(Enrolment.objects.filter(pupil=OuterRef("pk")), user)
    now = enrolment.open_only(ever).filter(term=terms.current())
    keys: dict[UUID, bool] = {}
    # Those who are here now first: of the many who left over the years none may crowd them out.
    for places in (now, ever):
        for condition, is_exact in _conditions(query, counties):
            wanted = MOST_SHOWN + 1 - len(keys)
            if wanted > 0:
                rows = Pupil.objects.filter(condition, Exists(places)).order_by()
                for key in rows.exclude(pk__in=list(keys)).values_list("pk", flat=True)[:wanted]:
                    keys[key] = is_exact
    return keys


def _conditions(query: Query, counties: set[int]) -> Iterator[tuple[Q, bool]]:
    """What fits exactly, then what fits in part; each is answered from an index.

    The county is named only where the index begins with it: elsewhere SQLite would walk the county instead.
    """
    value, here = query.value, Q(county__in=counties)
    match query.kind:
        case "id":
            yield here & Q(id_index=value), True
        case "roll":
            yield here & Q(roll_index=value), True
        case "tail":
            yield Q(id_tail=value) | Q(roll_tail=value), False
        case "initials":
            yield here & Q(initials=value), False
            # Capitals only, so every collation agrees on what lies between ZX and ZY.
            after = f"{value[:-1]}{chr(ord(value[-1]) + 1)}"
            until = Q(initials__gte=value, initials__lt=after) if value[-1] < "Z" else Q(initials__startswith=value)
            yield here & until, False
        case "name" if value:
            yield Q(name=value), True
            yield Q(name__contains=value), False


def _in_scope(places: QuerySet[Enrolment], user: User) -> QuerySet[Enrolment]:
    return scopes.within(places, user, Permission.VIEW_PUPILS, unit="")
