"""The programmes, standards and procedures that ship with the system.

National base values with the documents that set them; amounts are per term. A county whose own documents
differ records its own rows on the page “项目与标准”: these are a start, not the law of the place.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from django.db import transaction

from accounts import audit

from . import concern_reference
from .models import AcceptedCategory, ProcessRule, Programme, Standard

_LIVING_AID_2011 = "国家基础标准（2011年秋季学期起）"
_DAY_AID_2019 = "国家基础标准（2019年秋季学期起，按寄宿生标准的50%）"
_LIVING_AID_2024 = "国家基础标准（财政部2024年5月7日下达城乡义务教育补助经费，2024年春季学期起）"
_SENIOR_2015 = "财教〔2021〕310号《学生资助资金管理办法》"
_SENIOR_2025 = "财教〔2024〕181号《关于调整高等教育阶段和高中阶段国家奖助学金政策的通知》"
_PRESCHOOL = "县学前教育资助办法（标准由各地自定，启用前请核对）"
_RECOGNITION = "教财〔2018〕16号《关于做好家庭经济困难学生认定工作的指导意见》"
_NOTICE = "公示期不少于5个工作日；教财厅函〔2017〕28号"

# Every kind of hardship of students.reference, and the narrower list for day pupils (非寄宿生).
_ALL = (
    "tekun orphan unattended unstable_lifted at_risk sudden_hardship lifted registered_poverty dibao_rural "
    "dibao_urban disabled disabled_parent martyr dibao_margin child_in_difficulty hardship_worker other"
).split()
_DAY = "tekun unstable_lifted at_risk sudden_hardship lifted registered_poverty dibao_rural disabled".split()


@dataclass(frozen=True)
class _Programme:
    code: str
    name: str
    stages: tuple[str, ...]
    basis: str
    tiers: tuple[str, ...]
    # stage, boarding, tier, 元 per term, document, first term, last term
    standards: tuple[tuple[str, str, str, str, str, str, str], ...]
    boarding_grounds: tuple[str, ...] = ()
    day_grounds: tuple[str, ...] = ()
    grounds: tuple[str, ...] = ()
    procedure: dict = field(default_factory=dict)


PROGRAMMES: tuple[_Programme, ...] = (
    _Programme(
        code="living-aid",
        name="义务教育家庭经济困难学生生活补助",
        stages=("primary", "junior"),
        basis="城乡义务教育补助经费有关规定和" + _RECOGNITION,
        tiers=(),
        standards=(
            ("primary", "boarding", "", "500.00", _LIVING_AID_2011, "2011-2012-1", "2023-2024-1"),
            ("primary", "boarding", "", "625.00", _LIVING_AID_2024, "2023-2024-2", ""),
            ("junior", "boarding", "", "625.00", _LIVING_AID_2011, "2011-2012-1", "2023-2024-1"),
            ("junior", "boarding", "", "750.00", _LIVING_AID_2024, "2023-2024-2", ""),
            ("primary", "day", "", "250.00", _DAY_AID_2019, "2019-2020-1", "2023-2024-1"),
            ("primary", "day", "", "312.50", _LIVING_AID_2024, "2023-2024-2", ""),
            ("junior", "day", "", "312.50", _DAY_AID_2019, "2019-2020-1", "2023-2024-1"),
            ("junior", "day", "", "375.00", _LIVING_AID_2024, "2023-2024-2", ""),
        ),
        boarding_grounds=tuple(_ALL),
        day_grounds=tuple(_DAY),
        procedure={"class_review_members": 5, "school_review_members": 10, "notice_days": 5},
    ),
    _Programme(
        code="preschool-aid",
        name="学前教育政府资助",
        stages=("preschool",),
        basis=_PRESCHOOL,
        tiers=(),
        standards=(("preschool", "", "", "500.00", _PRESCHOOL, "2011-2012-1", ""),),
        grounds=tuple(_ALL),
        procedure={"class_review_members": 3, "school_review_members": 10, "notice_days": 7},
    ),
    _Programme(
        code="senior-grant",
        name="普通高中国家助学金",
        stages=("senior",),
        basis=_SENIOR_2025,
        tiers=("特别困难", "困难", "一般困难"),
        standards=(
            ("senior", "", "特别困难", "1500.00", _SENIOR_2015, "2014-2015-2", "2024-2025-1"),
            ("senior", "", "困难", "1000.00", _SENIOR_2015, "2014-2015-2", "2024-2025-1"),
            ("senior", "", "一般困难", "500.00", _SENIOR_2015, "2014-2015-2", "2024-2025-1"),
            ("senior", "", "特别困难", "1650.00", _SENIOR_2025, "2024-2025-2", ""),
            ("senior", "", "困难", "1150.00", _SENIOR_2025, "2024-2025-2", ""),
            ("senior", "", "一般困难", "650.00", _SENIOR_2025, "2024-2025-2", ""),
        ),
        grounds=tuple(_ALL),
        procedure={"class_review_members": 5, "school_review_members": 10, "notice_days": 5},
    ),
)

_FIRST_TERM = "2011-2012-1"


@transaction.atomic
def load() -> int:
    """Add the programmes that are not there yet, each with its rules; what an officer changed stays.

    Returns how many were added.
    """
    known = set(Programme.objects.values_list("code", flat=True))
    fresh = [plan for plan in PROGRAMMES if plan.code not in known]
    for plan in fresh:
        _add(plan)
    concern_reference.load()
    if fresh:
        audit.record("reference.load", "subsidies.reference", by=None, programmes=[plan.code for plan in fresh])
    return len(fresh)


def _add(plan: _Programme) -> None:
    programme = Programme.objects.create(
        code=plan.code, name=plan.name, stages=list(plan.stages), tiers=list(plan.tiers), basis=plan.basis
    )
    Standard.objects.bulk_create(
        Standard(
            programme=programme,
            stage=stage,
            boarding=boarding,
            tier=tier,
            amount=Decimal(amount),
            document=document,
            first_term=first,
            last_term=last,
        )
        for stage, boarding, tier, amount, document, first, last in plan.standards
    )
    grounds = [(code, "") for code in plan.grounds]
    grounds += [(code, "boarding") for code in plan.boarding_grounds] + [(code, "day") for code in plan.day_grounds]
    AcceptedCategory.objects.bulk_create(
        AcceptedCategory(
            programme=programme, category_code=code, boarding=boarding, first_term=_FIRST_TERM, source=_RECOGNITION
        )
        for code, boarding in grounds
    )
    ProcessRule.objects.create(programme=programme, first_term=_FIRST_TERM, source=_NOTICE, **plan.procedure)
