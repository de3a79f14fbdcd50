"""Where a programme's rows come from: a policy pack with its source and how sure it is, or an officer; and who changed
them since, by the audit trail."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts import audit, words
from accounts.models import AuditRow
from accounts.templatetags.aid import cn_date
from students.term_keys import term_label

from .models import PackRow, Programme
from .packs import CONFIDENCE

# What is no change of a row: the row began with it.
_BEGINNINGS = (".add", ".create", ".record")
# What is told of a change, of all the trail holds.
_TOLD = ("was", "new", "before", "last_term", "note", "basis")


@dataclass(frozen=True)
class Touch:
    """What an officer did with a row after it was there."""

    at: dt.datetime
    person: str
    deed: str  # 登记标准截止
    detail: str


@dataclass
class Origin:
    """Where one row comes from. `pack` is "" for a row an officer typed."""

    pack: str = ""
    grade: str = ""
    source: str = ""
    recorded: str = ""  # 2026年10月12日 沈经办登记
    touches: list[Touch] = field(default_factory=list)

    @property
    def sure(self) -> str:
        """The words for the grade: 有公开文件或多个公开来源."""
        return CONFIDENCE.get(self.grade, "")


def attach(programme: Programme, groups: Mapping[PackRow.Kind, Iterable[Any]]) -> list[tuple[str, str]]:
    """Give each row its `origin`; the rows come with `recorded_by`. Asks the database twice, however many rows.

    Returns the grades that occur, with their words, surest first.
    """
    rows = [(kind, row) for kind, group in groups.items() for row in group]
    from_pack = {(each.kind, each.key): each for each in programme.pack_rows.select_related("adopted_by")}
    touched: dict[str, list[AuditRow]] = defaultdict(list)
    for told in AuditRow.objects.filter(subject__in=[audit.subject_key(row) for _, row in rows]).order_by("number"):
        if not told.action.endswith(_BEGINNINGS):
            touched[told.subject].append(told)
    used = set()
    for kind, row in rows:
        row.origin = _origin(row, from_pack.get((kind, row.pk)))
        row.origin.touches = [
            Touch(told.at, told.person, words.action(told.action), _detail(told.detail))
            for told in touched[audit.subject_key(row)]
        ]
        used.add(row.origin.grade)
    return [(grade, said) for grade, said in CONFIDENCE.items() if grade in used]


def _detail(facts: Mapping[str, object]) -> str:
    """Old, new and document of a change; what row it was stands beside it."""
    said = {key: facts[key] for key in _TOLD if facts.get(key)}
    return words.detail({k: term_label(str(v)) if k in ("before", "last_term") else v for k, v in said.items()})


def _origin(row: Any, packed: PackRow | None) -> Origin:
    if packed is None:
        who = f"{row.recorded_by.name}登记" if row.recorded_by else "随系统安装"
        return Origin(recorded=f"{cn_date(row.recorded_at)} {who}")
    who = f"由{packed.adopted_by.name}采用" if packed.adopted_by else "随系统安装"
    return Origin(packed.pack_name, packed.confidence, packed.source, f"{cn_date(packed.adopted_at)} {who}")
