"""Profiles of comparison lists: how the files of one kind are read, and what standing on them means.

The ten layouts known so far stand in `list_profiles.toml`; a county's own are rows, edited in the browser. A
profile is stored as JSON; `layout_of` and `meaning_of` turn it into what the reader uses and refuse what it
could not use, in words for the person who edits it.
"""

import re
import secrets
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import access, audit
from accounts.models import Unit, User
from accounts.roles import Permission
from documents.xlsx_package import column_number

from . import rechecks
from .models import Category, ListProfile, ListSource

_FILE = Path(__file__).with_name("list_profiles.toml")
_LETTER = re.compile(r"[A-Z]{1,3}")
_LAST_COLUMN = 16384  # XFD: what a worksheet can have
_MOST = 40  # of anything a profile lists

# What a column may hold, by its key in `layout["columns"]`.
COLUMNS: Mapping[str, str] = {
    "id": "证件号",
    "name": "姓名",
    "birth_date": "出生日期",
    "relation": "与户主关系",
    "household": "户编号",
    "valid_from": "从哪天起",
    "valid_to": "到哪天止",
}


# --- what the reader uses --------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a column stands: under one of these headers, else in the column with this letter."""

    headers: tuple[str, ...] = ()
    letter: str = ""

    @property
    def index(self) -> int | None:
        """The column's index from 0, by its letter."""
        return column_number(self.letter) - 1 if self.letter else None


@dataclass(frozen=True)
class Layout:
    sheets: tuple[str, ...]  # positions from 1, or names; () is every visible sheet
    header_rows: int  # used only where no header is recognised
    columns: Mapping[str, Place]
    members: tuple[int, ...]  # indexes of the columns with the ID numbers of a household's other members
    name_offset: int  # where, beside the number, a member's name stands; 0: nowhere
    flags: Mapping[str, Place]


@dataclass(frozen=True)
class Condition:
    flag: str
    words: tuple[str, ...]

    def holds(self, flags: Mapping[str, str]) -> bool:
        """The flag's text is one of the words; a word of two or more characters may be a part of it."""
        text = "".join(flags.get(self.flag, "").split())
        return any(text == word or (len(word) > 1 and word in text) for word in self.words)


@dataclass(frozen=True)
class Rule:
    sheet: str  # position or name; "" is any
    conditions: tuple[Condition, ...]
    category: str  # its code; "" gives none
    denies: bool

    def fits(self, flags: Mapping[str, str], *, position: int, sheet: str) -> bool:
        return self.sheet in ("", str(position), sheet) and all(rule.holds(flags) for rule in self.conditions)


@dataclass(frozen=True)
class Meaning:
    category: str
    denies: bool
    rules: tuple[Rule, ...]
    file_words: tuple[str, ...]  # all of them in a file's name: probably this list

    def says(self, flags: Mapping[str, str], *, position: int, sheet: str) -> tuple[str, bool]:
        """The category's code ("" for none), and whether the row denies it."""
        for rule in self.rules:
            if rule.fits(flags, position=position, sheet=sheet):
                return rule.category, rule.denies
        return self.category, self.denies


# --- from data -------------------------------------------------------------------------------------


def layout_of(data: Mapping[str, Any]) -> Layout:
    """The layout kept as JSON. Raises ValidationError, one sentence per thing that cannot be."""
    refusals: list[str] = []
    given = dict(_items(data.get("columns")))
    places = {key: _place(given.get(key), label, refusals) for key, label in COLUMNS.items()}
    flags = {
        _text(name, 30): _place(place, f"标识“{name}”", refusals)
        for name, place in _items(data.get("flags"))
        if _text(name, 30)
    }
    header_rows = data.get("header_rows", 0)
    if isinstance(header_rows, bool) or not isinstance(header_rows, int) or not 0 <= header_rows <= 20:
        refusals.append("表头行数应为 0 至 20。")
        header_rows = 0
    members = []
    for letter in _texts(data.get("members", [])):
        if _is_letter(letter.upper()):
            members.append(column_number(letter.upper()) - 1)
        else:
            refusals.append(f"家庭成员证件号的列“{letter}”不是 Excel 的列字母，例如 P、AB。")
    offset = data.get("name_offset", 0)
    if not isinstance(offset, int) or offset not in range(-3, 4):
        refusals.append("成员姓名与证件号之间最多隔三列。")
        offset = 0
    if not (places["id"].headers or places["id"].letter) and not (places["name"].headers or places["name"].letter):
        refusals.append("至少要写明证件号或姓名在哪一列。")
    for name, place in flags.items():
        if not (place.headers or place.letter):
            refusals.append(f"标识“{name}”要写明表头或列字母。")
    if refusals:
        raise ValidationError(refusals)
    sheets = tuple(_texts(data.get("sheets", [])))
    return Layout(sheets, header_rows, places, tuple(members), offset, flags)


def meaning_of(data: Mapping[str, Any], flags: Iterable[str] | None = None) -> Meaning:
    """What standing on the list means, kept as JSON. Raises ValidationError; categories must exist.

    `flags` are the names of the layout's flags, for a check that rules speak of these.
    """
    refusals: list[str] = []
    known = set(Category.objects.values_list("code", flat=True))
    rules = []
    given = data.get("rules")
    for number, each in enumerate(given[:_MOST] if isinstance(given, list) else [], start=1):
        rule = _rule(each if isinstance(each, Mapping) else {})
        rules.append(rule)
        refusals += [f"第 {number} 条规则：{reason}" for reason in _rule_refusals(rule, known, flags)]
    category = _text(data.get("category", ""), 30)
    if category and category not in known:
        refusals.append(f"没有代码为“{category}”的困难类别。")
    words = tuple(_texts(data.get("file_words", [])))
    if refusals:
        raise ValidationError(refusals)
    return Meaning(category, bool(data.get("denies", False)), tuple(rules), words)


def _rule(data: Mapping[str, Any]) -> Rule:
    pairs = (("flag", "words"), ("and_flag", "and_words"))
    conditions = tuple(
        Condition(_text(data.get(flag, ""), 30), tuple(_texts(data.get(words, []))))
        for flag, words in pairs
        if _text(data.get(flag, ""), 30)
    )
    sheet, category = _text(data.get("sheet", ""), 60), _text(data.get("category", ""), 30)
    return Rule(sheet, conditions, category, bool(data.get("denies", False)))


def _rule_refusals(rule: Rule, known: set[str], flags: Iterable[str] | None) -> list[str]:
    found = []
    if not rule.sheet and not rule.conditions:
        found.append("要写明工作表，或写明标识和它的内容。")
    for condition in rule.conditions:
        if flags is not None and condition.flag not in set(flags):
            found.append(f"标识“{condition.flag}”没有在上面写明在哪一列。")
        if not condition.words:
            found.append(f"要写明标识“{condition.flag}”是什么内容时适用。")
    if rule.category and rule.category not in known:
        found.append(f"没有代码为“{rule.category}”的困难类别。")
    if rule.denies and not rule.category:
        found.append("“不再属于”要选明是哪个困难类别。")
    return found


def _place(data: Any, label: str, refusals: list[str]) -> Place:
    data = data if isinstance(data, Mapping) else {}
    letter = _text(data.get("letter", ""), 3).upper()
    if letter and not _is_letter(letter):
        refusals.append(f"{label}的列“{letter}”不是 Excel 的列字母，例如 H、AB。")
        letter = ""
    return Place(tuple(_texts(data.get("headers", []))), letter)


def _is_letter(text: str) -> bool:
    return bool(_LETTER.fullmatch(text)) and column_number(text) <= _LAST_COLUMN


def _items(data: Any) -> list[tuple[str, Any]]:
    return list(data.items())[:_MOST] if isinstance(data, Mapping) else []


def _texts(data: Any) -> list[str]:
    return [text for each in (data if isinstance(data, list | tuple) else [])[:_MOST] if (text := _text(each, 60))]


def _text(value: Any, most: int) -> str:
    return "".join(c for c in str(value).strip() if c.isprintable())[:most]


# --- verbs -----------------------------------------------------------------------------------------


def load(county: Unit, *, by: User) -> int:
    """Give the county the ten known layouts, those it does not have yet; how many were added."""
    access.require(by, Permission.COMPARE_LISTS, county)
    data = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    added = 0
    with transaction.atomic():
        sources = {}
        for rank, name in enumerate(data["sources"], start=1):
            sources[name], _ = ListSource.objects.get_or_create(county=county, name=name, defaults={"rank": rank * 10})
        for each in data["profile"]:
            layout, meaning = _from_file(each, data["headers"])
            meaning_of(meaning, layout_of(layout).flags)
            _, is_new = ListProfile.objects.get_or_create(
                county=county,
                code=each["code"],
                defaults={
                    "name": each["name"],
                    "source": sources[each["source"]],
                    "layout": layout,
                    "meaning": meaning,
                },
            )
            added += is_new
        if added:
            audit.record("list_profile.load", county, by=by, unit=county, new=added)
    return added


def _from_file(each: dict[str, Any], headers: dict[str, list[str]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A profile of the file in the form in which profiles are stored."""
    columns = {key: {"headers": list(headers.get(key, [])), "letter": ""} for key in COLUMNS}
    for key, letter in each["columns"].items():
        columns[key]["letter"] = letter
    layout = {
        "sheets": each["sheets"],
        "header_rows": each["header_rows"],
        "columns": columns,
        "members": each.get("members", []),
        "name_offset": each.get("name_offset", 0),
        "flags": {name: {"headers": texts, "letter": ""} for name, texts in each.get("flags", {}).items()},
    }
    meaning = {
        "category": each["category"],
        "denies": each.get("denies", False),
        "rules": each.get("rules", []),
        "file_words": each["file_words"],
    }
    return layout, meaning


def save_profile(
    profile: ListProfile | None,
    *,
    county: Unit,
    name: str,
    source: ListSource,
    layout: dict[str, Any],
    meaning: dict[str, Any],
    is_active: bool = True,
    by: User,
) -> ListProfile:
    """Make a profile (None) or change one. Versions already read stay as they were read."""
    access.require(by, Permission.COMPARE_LISTS, county)
    meaning_of(meaning, layout_of(layout).flags)
    if source.county_id != county.pk:
        raise ValidationError({"source": "请选择本县的来源单位。"})
    with transaction.atomic():
        if profile is None:
            profile = ListProfile(county=county, code=f"list-{secrets.token_hex(4)}")
        else:
            profile = ListProfile.objects.select_for_update(of=("self",)).get(pk=profile.pk, county=county)
        changed = profile.layout != layout or profile.meaning != meaning
        profile.name, profile.source, profile.is_active = name, source, is_active
        profile.layout, profile.meaning = layout, meaning
        profile.save()
        audit.record(
            "list_profile.save", profile, by=by, unit=county, code=profile.code, changed=changed, active=is_active
        )
    return profile


def rank_sources(county: Unit, names: list[str], *, by: User) -> list[ListSource]:
    """The county's sources in this order of precedence; where lists contradict each other it is judged anew.

    Names not there yet are added.
    All that exist must be named: an order with gaps would leave open who wins.
    """
    access.require(by, Permission.COMPARE_LISTS, county)
    tidy = [_text(name, 60) for name in names]
    if len(set(tidy)) != len(tidy) or not all(tidy):
        raise ValidationError("每个来源单位的名称只能出现一次，不能是空的。")
    with transaction.atomic():
        Unit.objects.select_for_update(no_key=True).get(pk=county.pk)
        known = {source.name: source for source in ListSource.objects.filter(county=county)}
        if missing := [name for name in known if name not in tidy]:
            raise ValidationError(f"顺序里少了“{missing[0]}”。请刷新页面后重新排序。")
        before = [source.name for source in sorted(known.values(), key=lambda source: (source.rank, source.name))]
        for rank, name in enumerate(tidy, start=1):
            source = known.get(name) or ListSource(county=county, name=name)
            source.rank = rank * 10
            source.save()
        if before != tidy:
            audit.record("list_source.rank", county, by=by, unit=county, before=before, after=tidy)
        rechecks.open_contradictions(county.pk, by=by)
    return list(ListSource.objects.filter(county=county))


def propose(profiles: Iterable[ListProfile], file_name: str) -> ListProfile | None:
    """The profile a file of this name probably belongs to: all its words occur in the name; the most words win."""
    bare = _bare(file_name)
    fitting = [
        (len("".join(words)), profile)
        for profile in profiles
        if (words := profile.meaning.get("file_words", [])) and all(_bare(word) in bare for word in words)
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def _bare(text: str) -> str:
    """Without blanks. Who is beside 低保 (低保边缘) does not receive it."""
    return "".join(text.split()).replace("低保边缘", "边缘")
