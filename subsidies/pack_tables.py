"""One table of a pack file, read key by key. Pure; nothing raises: what is wrong becomes a sentence in `faults`.

Each sentence says where: the table in words (项目“living-aid”第3条标准), the key, what is expected. A value that
cannot be used is replaced by an empty one, so that reading goes on and all faults are found in one go.
"""

import datetime as dt
import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

_TERM = re.compile(r"(20[0-9]{2})-(20[0-9]{2})-[12]")
_AMOUNT = re.compile(r"[0-9]{1,7}\.[0-9]{2}")
_NUMBER = re.compile(r"[0-9]{1,3}(\.[0-9])?")
_CODE = re.compile(r"[a-z][a-z0-9-]{0,29}")
_MOST_ROWS = 500
_KINDS = ((bool, "真假"), (int, "整数"), (float, "小数"), (str, "文字"), (list, "列表"), (dict, "表"))


class Table:
    """A table of the file with its place in words."""

    def __init__(self, data: Mapping[str, Any], where: str, faults: list[str], number_in_file: int = 0) -> None:
        self.where = where
        self.faults = faults
        self.number_in_file = number_in_file  # among its kind, from 1
        self._data = data
        self._asked: set[str] = set()

    def fault(self, key: str, reason: str) -> None:
        """Note what is wrong with a key, or with the whole table where the key is empty."""
        self.faults.append(f"{self.where}：{f'“{key}”' if key else ''}{reason}。")

    def asks(self, key: str) -> bool:
        """Whether the key is written; it may be."""
        self._asked.add(key)
        return key in self._data

    def end(self) -> None:
        """All that may stand here was asked for: any other key is a mistake."""
        for key in self._data:
            if key not in self._asked:
                self.fault(shorten(key), f"不是这里可以写的键，可以写的是：{'、'.join(sorted(self._asked))}")

    # --- values ------------------------------------------------------------------------------------

    def text(self, key: str, *, limit: int = 200, needed: bool = True) -> str:
        """One line of text, at most `limit` characters."""
        value = self._take(key, needed)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.fault(key, f"要写带引号的文字，现在是{kind(value)}")
            return ""
        value = value.strip()
        if not value and needed:
            self.fault(key, "不能为空")
        elif len(value) > limit:
            self.fault(key, f"最多{limit}个字，现在有{len(value)}个")
        elif not value.isprintable():
            self.fault(key, "有换行或看不见的字符")
        return value[:limit]

    def code(self, key: str) -> str:
        """Small letters, digits and hyphens."""
        value = self.text(key)
        if value and not _CODE.fullmatch(value):
            self.fault(key, f"是“{shorten(value)}”，代码只能用小写字母、数字和连字符，以字母开头，最多30个字符")
        return value

    def choice(self, key: str, among: Mapping[str, str] | Collection[str], *, needed: bool = True) -> str:
        """One of the values known; "" where it is missing or unknown."""
        value = self.text(key, needed=needed)
        if value and value not in among:
            self.fault(key, f"不能写“{shorten(value)}”，只能写{choices(among)}")
            return ""
        return value

    def texts(
        self, key: str, among: Mapping[str, str] | Collection[str] | None = None, *, needed: bool = False
    ) -> tuple[str, ...]:
        """A list of texts, none twice; with `among`, each one of those."""
        value = self._take(key, needed)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.fault(key, f'要写成方括号里的文字列表，如 ["…"]，现在是{kind(value)}')
            return ()
        if not value:
            self.fault(key, "是空的列表：没有这项条件就不要写这个键")
        found: list[str] = []
        for each in value:
            if each in found:
                self.fault(key, f"里“{shorten(each)}”写了两次")
            elif among is not None and each not in among:
                self.fault(key, f"里不能写“{shorten(each)}”，只能写{choices(among)}")
            elif not each.strip() or len(each) > 40 or not each.isprintable():
                self.fault(key, f"里“{shorten(each)}”是空的、太长或有看不见的字符")
            else:
                found.append(each)
        return tuple(found)

    def term(self, key: str, *, needed: bool = True) -> str:
        """The key of a term: 2026-2027-1 is the autumn term, 2026-2027-2 the spring term."""
        value = self.text(key, needed=needed)
        if not value:
            return ""
        found = _TERM.fullmatch(value)
        if not found or int(found[2]) != int(found[1]) + 1:
            self.fault(key, f"是“{shorten(value)}”，学期要写成 2026-2027-1（秋季）或 2026-2027-2（春季）")
            return ""
        return value

    def terms(self) -> tuple[str, str]:
        """From `from` to `to`, both inclusive; no `to`: until further notice."""
        first, last = self.term("from"), self.term("to", needed=False)
        if first and last and last < first:
            self.fault("to", f"（{last}）早于“from”（{first}）")
        return first, last

    def amount(self, key: str) -> Decimal:
        """元 with two decimals, in quotes: numbers of TOML are binary fractions and would not keep every fen."""
        value = self._take(key, needed=True)
        if value is None:
            return Decimal("0.00")
        if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
            shown = f"“{shorten(value)}”" if isinstance(value, str) else kind(value)
            self.fault(key, f'是{shown}，金额要写成带引号的两位小数，如 "312.50"')
            return Decimal("0.00")
        if not Decimal(value):
            self.fault(key, "必须大于零")
        return Decimal(value)

    def number(self, key: str) -> Decimal:
        """A small number in quotes with at most one decimal: months, days, per cent."""
        value = self._take(key, needed=True)
        if value is None:
            return Decimal(0)
        if not isinstance(value, str) or not _NUMBER.fullmatch(value) or not Decimal(value):
            shown = f"“{shorten(value)}”" if isinstance(value, str) else kind(value)
            self.fault(key, f'是{shown}，要写成带引号的正数，如 "5" 或 "7.5"')
            return Decimal(0)
        return Decimal(value)

    def whole(self, key: str, default: int, *, most: int, least: int = 1) -> int:
        """A whole number from `least` to `most`; `default` where nothing is written."""
        if not self.asks(key):
            return default
        value = self._take(key, needed=True)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.fault(key, f"要写{least}到{most}的整数，不带引号")
            return default
        return value

    def truth(self, key: str, *, default: bool = False) -> bool:
        if not self.asks(key):
            return default
        value = self._take(key, needed=True)
        if not isinstance(value, bool):
            self.fault(key, f"要写 true 或 false，现在是{kind(value)}")
            return default
        return value

    def day(self, key: str) -> dt.date | None:
        """A day of the calendar, without quotes; None where nothing is written."""
        value = self._take(key, needed=False)
        if value is None:
            return None
        if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
            self.fault(key, "要写成不带引号的日期，如 2024-05-07")
            return None
        return value

    # --- tables within -----------------------------------------------------------------------------

    def table(self, key: str, where: str, *, needed: bool = True) -> "Table | None":
        value = self._take(key, needed)
        if value is None:
            return None
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            self.fault(key, f"要写成表，现在是{kind(value)}")
            return None
        return Table(value, f"{self.where}{where}", self.faults)

    def tables(self, key: str, where: str) -> Iterator["Table"]:
        """Each of [[key]], with its number put into `where`: 第{}条标准."""
        value = self._take(key, needed=False)
        if value is None:
            return
        if not isinstance(value, list):
            self.fault(key, f"要写成 [[…{key}]]，现在是{kind(value)}")
            return
        if len(value) > _MOST_ROWS:
            self.fault(key, f"有{len(value)}条，最多{_MOST_ROWS}条")
            return
        for number, each in enumerate(value, start=1):
            here = f"{self.where}{where.format(number)}"
            if isinstance(each, dict) and all(isinstance(name, str) for name in each):
                yield Table(each, here, self.faults, number)
            else:
                self.faults.append(f"{here}：要写成 [[…{key}]] 下的一组键，现在是{kind(each)}。")

    def names(self) -> tuple[str, ...]:
        """The keys of a table where any may stand (levels, sources)."""
        self._asked |= set(self._data)
        return tuple(self._data)

    def _take(self, key: str, needed: bool) -> Any:
        self._asked.add(key)
        value = self._data.get(key)
        if value is None and needed:
            self.fault(key, "没有写")
        return value


def kind(value: object) -> str:
    """What a value of the file is, in words."""
    return next((name for each, name in _KINDS if isinstance(value, each)), "日期或时间")


def choices(among: Mapping[str, str] | Collection[str]) -> str:
    if isinstance(among, Mapping):
        return "、".join(f"{code}（{name}）" for code, name in among.items())
    return "、".join(sorted(among))


def shorten(text: str, limit: int = 40) -> str:
    """What the file says, fit to be quoted in a sentence."""
    text = "".join(each if each.isprintable() else "□" for each in text)
    return text if len(text) <= limit else f"{text[:limit]}…"
