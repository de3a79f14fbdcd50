"""The words of the application forms (教财〔2018〕16号 and its local copies), apart from what a county words itself."""

from collections.abc import Mapping, Sequence

LAYOUTS: Mapping[str, str] = {
    "recognition": "认定申请表",
    "living_aid": "生活补助申请表",
    "grant": "国家助学金申请表",
    "none": "不用填表",
}
TITLES: Mapping[str, str] = {
    "recognition": "家庭经济困难学生认定申请表",
    "living_aid": "义务教育家庭经济困难学生生活补助申请表",
    "grant": "国家助学金申请表",
}
# To be written by hand: the family's word stands in place of a stamp since 2018.
PROMISE = "本人承诺以上所填写资料真实，如有虚假，愿承担相应责任。"

RELATIONS: Sequence[str] = (
    *("父亲", "母亲", "祖父", "祖母", "外祖父", "外祖母", "哥哥", "弟弟", "姐姐", "妹妹"),
    *("继父", "继母", "监护", "其他亲属"),
)
HEALTH: Mapping[str, str] = {"well": "健康", "minor": "小病或轻残", "major": "大病或重残"}
# The dead, the missing and the divorced are listed too, with the word; they earn nothing here and do not count.
PRESENCE: Mapping[str, str] = {
    "here": "共同生活",
    "away": "常年在外",
    "apart": "离异",
    "dead": "已故",
    "lost": "失联",
}
IN_HOUSEHOLD = ("here", "away")
POLITICS: Sequence[str] = ("群众", "少先队员", "共青团员", "中共党员")

# 特殊群体类型: what the form asks with yes or no → the kinds of hardship by which the register answers it. A kind of
# the county's own that is none of these stands under 其他.
GROUPS: Sequence[tuple[str, frozenset[str]]] = (
    (
        "脱贫家庭（含监测对象）",
        frozenset({"lifted", "registered_poverty", "unstable_lifted", "at_risk", "sudden_hardship"}),
    ),
    ("最低生活保障家庭", frozenset({"dibao_rural", "dibao_urban"})),
    ("特困供养", frozenset({"tekun"})),
    ("孤儿、事实无人抚养", frozenset({"orphan", "unattended"})),
    ("烈士子女", frozenset({"martyr"})),
    ("家庭经济困难残疾学生", frozenset({"disabled"})),
    ("残疾人子女", frozenset({"disabled_parent"})),
)
