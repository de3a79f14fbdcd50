"""What the conditions of policy are called, and their values. Pure words."""

STANDING_NAMES = {
    "suspended": "正在休学",
    "transferred": "已转出",
    "withdrawn": "已退学",
    "graduated": "已毕业",
    "deceased": "已去世",
}
# Facts a standard may ask for, in the order pages show them.
CONDITIONS = {
    "stage": "学段",
    "grade": "年级",
    "boarding": "就读方式",
    "tier": "困难等级",
    "ownership": "办学性质",
    "registration": "户口性质",
    "region": "户籍所在地",
    "major": "专业类别",
    "schooling": "就学方式",
}
# The values of the facts that have a closed list; grades, tiers and regions have lists elsewhere.
VALUES = {
    "stage": {"preschool": "学前", "primary": "小学", "junior": "初中", "senior": "普通高中", "vocational": "中职"},
    "boarding": {"boarding": "寄宿", "day": "走读", "half": "半寄宿"},
    "ownership": {"public": "公办", "inclusive": "普惠性民办", "private": "民办"},
    "registration": {"rural": "农村（含县镇）", "urban": "城市"},
    "major": {"agricultural": "涉农专业", "arts": "艺术类专业", "opera": "戏曲表演专业", "other": "其他专业"},
    "schooling": {"ordinary": "普通教育", "special": "特殊教育"},
}
UNITS = {"term": "学期", "year": "学年", "month": "月", "day": "天", "once": "人（一次性）"}
PERIODS = {"month": "个月", "day": "天"}
APPLIED = {"term": "每学期申请", "year": "每学年申请，春季复核"}
PAID = {"term": "按学期发放", "month": "按月发放"}
FORMS = {"cash": "发放资金", "waiver": "减免费用", "meals": "供餐"}
CHANNELS = {
    "card": "银行卡或社会保障卡",
    "school": "学校减免",
    "canteen": "食堂供餐",
    "cash": "现金",
    "meal_card": "饭卡",
}
FUNDING = {"state": "财政资金", "school": "校内资助", "social": "社会资助"}
RECIPIENTS = {
    "all": "全体学生",
    "listed": "属于所列困难类别的学生",
    "percentage": "属于所列困难类别的学生，按比例确定名额",
}
DAY_KINDS = {"working": "工作日", "calendar": "自然日"}
ROUNDINGS = {"down": "舍去小数", "half_up": "四舍五入", "up": "有小数进一"}
# Facts a percentage of the roll may ask for: all but what is decided for each case.
ROLL_FACTS = tuple(fact for fact in CONDITIONS if fact != "tier")


def condition_name(fact: str) -> str:
    """The Chinese name of a fact; the fact itself if it has none."""
    return CONDITIONS.get(fact, fact)


def condition_value(fact: str, value: object) -> str:
    """A value of the fact in words; what has no words stands for itself."""
    return VALUES.get(fact, {}).get(str(value), str(value))


def unit_of_amount(unit: str) -> str:
    """元/学期."""
    return f"元/{UNITS[unit]}"
