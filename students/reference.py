"""The first rows of the register: terms, the working calendar and kinds of hardship.

Data, not code: an officer may change them later.

Kinds come from the documents named in `source`; the order (`rank`) is the one used for reports that count a
child once. Kinds named here begin no earlier than the document that names them.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from accounts import audit

from . import working_calendar
from .models import Category, Term

_FIRST_YEAR, _LAST_YEAR = 2023, 2026  # school years, by their autumn


@dataclass(frozen=True)
class _Kind:
    code: str
    name: str
    valid_from: dt.date
    source: str
    valid_to: dt.date | None = None
    maps_to: str = ""


# What a family is asked for when no list names it (自采集); the county words it anew with a new row of the kind.
_REGISTERED = "帮扶手册的信息页，或乡镇（街道）盖章的系统截图"
PROOFS = {
    "tekun": "特困人员救助供养证",
    "orphan": "孤儿证或儿童福利证",
    "unattended": "事实无人抚养儿童认定表",
    "unstable_lifted": _REGISTERED,
    "at_risk": _REGISTERED,
    "sudden_hardship": _REGISTERED,
    "lifted": _REGISTERED,
    "registered_poverty": "扶贫手册的信息页，或乡镇（街道）盖章的系统截图",
    "dibao_rural": "农村低保证的户主页和家庭成员页",
    "dibao_urban": "城镇低保证的户主页和家庭成员页",
    "disabled": "学生本人的残疾人证",
    "disabled_parent": "父亲或母亲的残疾人证，户口簿亲属关系页",
    "martyr": "烈士证明书，户口簿亲属关系页",
    "dibao_margin": "低保边缘家庭认定书",
    "child_in_difficulty": "乡镇（街道）的困境儿童认定材料",
    "hardship_worker": "工会的困难职工证明",
    "other": "能说明家庭困难的材料，例如村（居）委会证明、诊断证明",
}

_RECOGNITION = "教财〔2018〕16号《关于做好家庭经济困难学生认定工作的指导意见》"
_RECOGNISED = dt.date(2018, 10, 30)
_TRANSITION = "脱贫攻坚五年过渡期政策（2021年起）"
_MONITORING = "国开发〔2020〕6号《关于建立防止返贫监测和帮扶机制的指导意见》"
_MONITORED = dt.date(2020, 3, 20)

# In order of rank; a kind that maps to another stands after it.
KINDS: tuple[_Kind, ...] = (
    _Kind("tekun", "特困供养学生", _RECOGNISED, _RECOGNITION),
    _Kind("orphan", "孤儿", _RECOGNISED, _RECOGNITION),
    _Kind(
        "unattended",
        "事实无人抚养儿童",
        dt.date(2020, 1, 1),
        "民发〔2019〕62号《关于进一步加强事实无人抚养儿童保障工作的意见》",
    ),
    _Kind("unstable_lifted", "脱贫不稳定户", _MONITORED, _MONITORING),
    _Kind("at_risk", "边缘易致贫户", _MONITORED, _MONITORING),
    _Kind("sudden_hardship", "突发严重困难户", dt.date(2021, 1, 1), _TRANSITION),
    _Kind("lifted", "脱贫户（继续享受政策）", dt.date(2021, 1, 1), _TRANSITION),
    _Kind(
        "registered_poverty",
        "建档立卡贫困户",
        dt.date(2014, 1, 1),
        _RECOGNITION,
        dt.date(2020, 12, 31),
        maps_to="lifted",
    ),
    _Kind("dibao_rural", "农村低保", _RECOGNISED, _RECOGNITION),
    _Kind("dibao_urban", "城镇低保", _RECOGNISED, _RECOGNITION),
    _Kind("disabled", "残疾学生", _RECOGNISED, _RECOGNITION),
    _Kind("disabled_parent", "残疾人子女", _RECOGNISED, _RECOGNITION),
    _Kind("martyr", "烈士子女", _RECOGNISED, _RECOGNITION),
    _Kind(
        "dibao_margin",
        "低保边缘家庭",
        dt.date(2023, 10, 19),
        "国办发〔2023〕39号《关于加强低收入人口动态监测做好分层分类社会救助工作的意见》",
    ),
    _Kind(
        "child_in_difficulty",
        "重点困境儿童",
        dt.date(2016, 6, 13),
        "国发〔2016〕36号《关于加强困境儿童保障工作的意见》",
    ),
    _Kind("hardship_worker", "建档困难职工子女", _RECOGNISED, "工会困难职工档案；各省生活补助办法"),
    _Kind("other", "其他经学校认定的困难", _RECOGNISED, _RECOGNITION),
)


@transaction.atomic
def load() -> dict[str, int]:
    """Add the terms, calendars and kinds that are not there yet; those that are stay as an officer left them.

    Returns how many of each were added.
    """
    added = {"terms": _add_terms(), "categories": _add_kinds(), "years": len(working_calendar.load(_FIRST_YEAR))}
    if any(added.values()):
        audit.record(
            "reference.load", "students.reference", by=None, terms=added["terms"], categories=added["categories"]
        )
    return added


def _add_terms() -> int:
    known = set(Term.objects.values_list("key", flat=True))
    terms = [_term(year, half) for year in range(_FIRST_YEAR, _LAST_YEAR + 1) for half in (1, 2)]
    return len(Term.objects.bulk_create(term for term in terms if term.key not in known))


def _term(year: int, half: int) -> Term:
    """Autumn runs from 1 September to 20 January, spring from 20 February to 10 July; each year's notice may differ."""
    first, last, season = (
        (dt.date(year, 9, 1), dt.date(year + 1, 1, 20), "秋季")
        if half == 1
        else (dt.date(year + 1, 2, 20), dt.date(year + 1, 7, 10), "春季")
    )
    name = f"{year}—{year + 1}学年{season}学期"
    return Term(key=f"{year}-{year + 1}-{half}", name=name, starts_on=first, ends_on=last)


def _add_kinds() -> int:
    """Those that gave way to another kind come last: their row names the other's."""
    known = set(Category.objects.values_list("code", "valid_from"))
    fresh = [(rank * 10, kind) for rank, kind in enumerate(KINDS, start=1) if (kind.code, kind.valid_from) not in known]
    Category.objects.bulk_create(_category(rank, kind) for rank, kind in fresh if not kind.maps_to)
    Category.objects.bulk_create(_category(rank, kind) for rank, kind in fresh if kind.maps_to)
    return len(fresh)


def _category(rank: int, kind: _Kind) -> Category:
    successor = Category.objects.filter(code=kind.maps_to).order_by("-valid_from").first() if kind.maps_to else None
    return Category(
        code=kind.code,
        name=kind.name,
        rank=rank,
        source=kind.source,
        proof=PROOFS.get(kind.code, ""),
        maps_to=successor,
        valid_from=kind.valid_from,
        valid_to=kind.valid_to,
    )
