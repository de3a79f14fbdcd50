"""What people are told about the places of their class or school, in sentences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from accounts.models import Unit
from accounts.templatetags.aid import cn_date
from students import enrolment
from students.models import Term

from . import places
from .models import Programme, Quota, QuotaVersion
from .places import Over, Seats
from .states import Place

_LEVEL = Unit.Level
_FULL_FOR_CLASS = (
    "名额已用完：仍可以提交申请，能否列入由学校评审决定。确有困难而没有名额的，请告诉学校资助专干，不要劝学生放弃申请。"
)


@dataclass(frozen=True)
class Told:
    """Sentences about places; `tone` is that of the box they stand in (info, warn, error), note for none."""

    sentences: tuple[str, ...]
    tone: str = "info"


def for_class(programme: Programme, term: Term, school_class: Unit, facts: Iterable[dict] = ()) -> Told:
    """What the class teacher and the class's meeting are told: own places, shared ones, or that there is no limit.

    `facts` are those of the pupils who may still apply: how many of them need no place.
    """
    chain = _chain(programme, term, school_class)
    if not chain:
        return Told((_NO_LIMIT,), "note")
    seats = places.seats_of(programme, term, [school_class])[school_class.pk]
    told = _of_class(chain, seats, _beside(seats))
    codes = places.outside_codes(programme, term)
    need_none = sum(places.place_for(each, codes) == Place.OUTSIDE for each in facts)
    if need_none:
        return replace(told, sentences=(*told.sentences, f"可以申请的学生中有 {need_none} 人属于应助尽助，不占名额。"))
    return told


def _of_class(chain: dict[str, Quota], seats: Seats, outside: str) -> Told:
    if own := chain.get(_LEVEL.CLASS):
        return _own("本班", own, seats, outside)
    above = chain.get(_LEVEL.SCHOOL) or chain[_LEVEL.COUNTY]
    shared = places.shared_of(above)
    whose, below = ("本校", "班级") if above.unit.level == _LEVEL.SCHOOL else ("县里", "学校")
    first = (
        f"本班没有单列名额，与{whose}没有单列名额的{below}共用{whose}未分配的 {max(0, shared.places)} 个，"
        f"已用 {shared.taken} 个{outside}。"
    )
    return Told((first,)) if shared.free else Told((first, _FULL_FOR_CLASS), "warn")


_NO_LIMIT = "这个项目本学期没有登记名额，不限人数。"


def _beside(seats: Seats) -> str:
    return f"；应助尽助 {seats.outside} 人不占名额" if seats.outside else ""


def _own(name: str, quota: Quota, seats: Seats, outside: str) -> Told:
    used = f"{name}名额 {quota.places}，已用 {seats.taken}"
    if seats.over:
        return Told((f"{used}，超出 {seats.over} 人{outside}。", *_last_cut(quota), _OVER), "error")
    if not seats.free:
        return Told((f"{used}，没有空余{outside}。", *_last_cut(quota), _FULL_FOR_CLASS), "warn")
    return Told((f"{used}，还剩 {seats.free}{outside}。", *_last_cut(quota)))


_OVER = "系统没有取消任何学生；请与学校资助专干商量，按程序调整，并向有关学生和家长说明。"


def _last_cut(quota: Quota) -> Sequence[str]:
    version = quota.versions.get(number=quota.version)
    if version.before is None or version.places is None or version.places >= version.before:
        return ()
    return (f"{cn_date(version.at)}由 {version.before} 个调减为 {version.places} 个，依据：{version.document}。",)


def for_meeting(programme: Programme, term: Term, school: Unit, classes: dict[Unit, str]) -> Told:
    """What the school's meeting is told: the school's places, and those of each class on its list that has own ones."""
    chain = _chain(programme, term, school)
    quota = chain.get(_LEVEL.SCHOOL)
    seats = places.seats_of(programme, term, [school])[school.pk]
    outside = _beside(seats)
    if quota is None:
        county = chain.get(_LEVEL.COUNTY)
        if county is None:
            return Told((_NO_LIMIT,), "note")
        shared = places.shared_of(county)
        first = (
            f"本校没有单列名额，与没有单列名额的学校共用县里未分配的 {max(0, shared.places)} 个，已用 {shared.taken} 个"
        )
        return Told((f"{first}{outside}。",), "info" if shared.free else "warn")
    told = _own("本校", quota, seats, outside)
    own = places.seats_of(programme, term, list(classes))
    lines = [
        f"{name} {each.places} 个，已用 {each.taken} 个{f'，超出 {each.over} 人' if each.over else ''}"
        for unit, name in classes.items()
        if (each := own[unit.pk]).places is not None
    ]
    sentences = [sentence for sentence in told.sentences if sentence != _FULL_FOR_CLASS]
    if lines:
        sentences.append(f"其中：{'；'.join(lines)}。")
    if told.tone == "warn":
        sentences.append("名额已用完：同意的学生只能是应助尽助的；其余请先“暂不处理”，或请县资助中心增加名额。")
    return Told(tuple(sentences), told.tone)


def over_words(school: Unit, overs: Sequence[Over]) -> str:
    """By how many a school is over its places, where, and that it reports nobody more who uses one."""
    return (
        f"{school}的名额超出 {over_count(overs)} 人（{over_where(overs)}），处理以前不能再上报占用名额的申请。"
        "请到“名额”把超出的申请退回学校评审，或请县资助中心增加名额；应助尽助的学生不占名额，可以先上报。"
    )


def over_count(overs: Iterable[Over]) -> int:
    """How many pupils too many."""
    return sum(over.count for over in overs)


def over_where(overs: Sequence[Over]) -> str:
    """七年级1班名额 3 个，已用 5 个；没有分到班级的名额 2 个，已用 3 个."""
    classes = [over.quota.unit_id for over in overs if over.quota.unit.level == _LEVEL.CLASS]
    names = enrolment.class_names(overs[0].quota.term, classes) if classes else {}
    return "；".join(_over_one(over, names) for over in overs)


def _over_one(over: Over, names: dict[int, str]) -> str:
    unit = over.quota.unit
    if over.shared:
        name = "县里没有分到学校的" if unit.level == _LEVEL.COUNTY else "没有分到班级的"
    else:
        name = names.get(unit.pk, unit.name) if unit.level == _LEVEL.CLASS else "本校"
    return f"{name}名额 {over.places} 个，已用 {over.taken} 个"


def _chain(programme: Programme, term: Term, unit: Unit) -> dict[str, Quota]:
    """The quotas with places of a unit and all above it, by level."""
    keys = [int(key) for key in unit.path.rstrip("/").split("/")]
    rows = Quota.objects.filter(programme=programme, term=term, unit__in=keys).exclude(places=None)
    return {row.unit.level: row for row in rows.select_related("unit", "programme", "term")}


# How fractions are rounded, in a sentence.
ROUNDING_WORDS = {
    QuotaVersion.Rounding.DOWN: "向下取整",
    QuotaVersion.Rounding.HALF_UP: "四舍五入",
    QuotaVersion.Rounding.UP: "向上取整",
}


def percent_words(roll: int, percent: Decimal, rounding: str, number: int, whom: str = "") -> str:
    """按在校生 1,234 人的 23% 计算，向下取整，为 283 人; `whom` is the part of the roll: 户口性质：城市."""
    part = f"（{whom}）" if whom else ""
    how = ROUNDING_WORDS[QuotaVersion.Rounding(rounding)]
    return f"按在校生{part} {roll:,} 人的 {percent.normalize():f}% 计算，{how}，为 {number:,} 人"


def version_words(version: QuotaVersion) -> str:
    """How a number came about, or nothing where it was typed."""
    if version.percent is None or version.roll is None or version.places is None:
        return version.proposed
    return percent_words(version.roll, version.percent, version.rounding, version.places)
