"""What the screening ships with: reasons to settle by, ages of the stages, programmes that exclude each other.

Data, not code: the county records its own rows on the pages; what an officer changed stays.
"""

import datetime as dt
from dataclasses import dataclass

from .models import Concern, ConcernReason, Programme, ProgrammeExclusion, StageAges

_K = Concern.Kind
_NATIONAL = "全国学生资助管理信息系统“未资助情况上报”要求录入未资助原因"
_OFFICE = "系统初设，请县资助中心按本地规定核对"
_SINCE = dt.date(2018, 10, 30)  # 教财〔2018〕16号; nothing older is settled here
_FIRST_TERM = "2011-2012-1"


@dataclass(frozen=True)
class _Reason:
    code: str
    label: str
    note: bool = False
    proof: bool = False


REASONS: dict[Concern.Kind, tuple[_Reason, ...]] = {
    _K.MISSED: (
        _Reason("refused", "家长书面放弃", proof=True),
        _Reason("other_programme", "已享受其他资助项目", note=True),
        _Reason("not_in_school", "不在校就读", note=True),
        _Reason("from_elsewhere", "户籍在外县，待核实", note=True),
        _Reason("wrong_record", "困难信息有误", note=True),
        _Reason("unreachable", "多次联系不上家长", note=True),
        _Reason("other", "其他原因", note=True),
    ),
    _K.WITHOUT_EVIDENCE: (
        _Reason("valid_then", "提交时有效，本学期继续执行", note=True),
        _Reason("renewed", "已补充或更新证明", note=True),
        _Reason("stopped", "已停止或收回资助", note=True),
        _Reason("other", "其他情况", note=True),
    ),
    _K.TWO_SCHOOLS: (
        _Reason("two_children", "不是同一名学生（同名）", note=True),
        _Reason("one_cleared", "确为一人，已保留一处学籍", note=True),
        _Reason("number_mended", "证件号或学籍号已更正"),
        _Reason("other", "其他情况", note=True),
    ),
    _K.EXCLUDED_TWICE: (
        _Reason("one_stopped", "已停止或收回其中一项", note=True),
        _Reason("allowed", "按文件可以兼得", note=True),
        _Reason("two_children", "不是同一名学生", note=True),
        _Reason("other", "其他情况", note=True),
    ),
    _K.AGE: (
        _Reason("returned", "休学后复学"),
        _Reason("late_entry", "入学晚或留级", note=True),
        _Reason("special_education", "特殊教育学生"),
        _Reason("vocational", "中职学生"),
        _Reason("early_entry", "提前入学", note=True),
        _Reason("wrong_date", "出生日期有误，已更正"),
        _Reason("other", "其他情况", note=True),
    ),
    _K.EXPIRING: (
        _Reason("renewed", "已取得新的证明", note=True),
        _Reason("ends", "到期后不再列为困难"),
        _Reason("waiting", "等待下一次比对", note=True),
        _Reason("other", "其他情况", note=True),
    ),
    _K.SIBLING: (
        _Reason("not_poor", "核实后不符合条件", note=True),
        _Reason("not_household", "不是同一户", note=True),
        _Reason("refused", "家长不申请", note=True),
        _Reason("recorded", "已登记困难类别，将填报"),
        _Reason("other", "其他情况", note=True),
    ),
}

# 满六周岁入学 (义务教育法第十一条); the rest allows for late entry and one repeated year.
_AGES = (("preschool", 3, 6), ("primary", 6, 13), ("junior", 11, 16), ("senior", 14, 20))
_ENTRY = "义务教育法第十一条（8月31日年满六周岁入学）；上下限为系统初设，请按本地情况核对"

# One child, one stage, one term: nobody is in two of these at once.
_ONE_STAGE = ("preschool-aid", "living-aid", "senior-grant")
_NO_DOUBLE = "同一学生同一学期只在一个学段享受国家资助，严禁重复资助（各地学生资助管理办法）"


def load() -> int:
    """Add the rows that are not there yet; returns how many."""
    return _add_reasons() + _add_ages() + _add_exclusions()


def _add_reasons() -> int:
    known = set(ConcernReason.objects.values_list("kind", "code"))
    fresh = [
        ConcernReason(
            kind=kind,
            code=reason.code,
            label=reason.label,
            rank=rank * 10,
            needs_note=reason.note,
            needs_proof=reason.proof,
            source=_NATIONAL if kind == _K.MISSED else _OFFICE,
            valid_from=_SINCE,
        )
        for kind, reasons in REASONS.items()
        for rank, reason in enumerate(reasons, start=1)
        if (kind, reason.code) not in known
    ]
    return len(ConcernReason.objects.bulk_create(fresh))


def _add_ages() -> int:
    known = set(StageAges.objects.values_list("stage", flat=True))
    fresh = [
        StageAges(stage=stage, min_age=low, max_age=high, first_term=_FIRST_TERM, source=_ENTRY)
        for stage, low, high in _AGES
        if stage not in known
    ]
    return len(StageAges.objects.bulk_create(fresh))


def _add_exclusions() -> int:
    if ProgrammeExclusion.objects.exists():
        return 0
    keys = sorted(Programme.objects.filter(code__in=_ONE_STAGE).values_list("pk", flat=True))
    fresh = [
        ProgrammeExclusion(programme_id=key, other_id=other, first_term=_FIRST_TERM, source=_NO_DOUBLE)
        for place, key in enumerate(keys)
        for other in keys[place + 1 :]
    ]
    return len(ProgrammeExclusion.objects.bulk_create(fresh))
