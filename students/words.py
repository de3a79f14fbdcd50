"""Words of a roster that stand for a value: 男, 住校, 土家族, 爷爷. Pure."""

import datetime as dt
import re

from .numbers import Finding, error, tidy_number, warning

# Codes of the national roll: 性别 1 男 2 女; 就读方式 1 走读 2 住校 (9 其他 decides nothing).
SEXES = {"男": "male", "1": "male", "男性": "male", "女": "female", "2": "female", "女性": "female"}
BOARDING = {
    **dict.fromkeys(
        ("寄宿", "住校", "寄宿生", "住校生", "住宿", "住宿生", "内宿", "住读", "住读生", "全寄宿", "2", "02"),
        "boarding",
    ),
    **dict.fromkeys(("走读", "走读生", "非寄宿", "非寄宿生", "不寄宿", "不住校", "1", "01"), "day"),
    **dict.fromkeys(("半寄宿", "半寄宿生", "半住校", "半住校生", "半托"), "half"),
    **dict.fromkeys(("通学", "通学生", "通校", "通校生", "跑校", "跑校生", "外宿", "外宿生"), "day"),
}
IS_BOARDING = {
    **dict.fromkeys(("是", "1", "Y", "寄宿", "住校", "寄宿生", "住校生"), "boarding"),
    **dict.fromkeys(("否", "0", "N", "走读", "走读生", "不寄宿"), "day"),
}
# 农村（含县镇）against 城市 is what aid asks. 非农业, 城镇 and 居民户口 do not tell which, and are no mistake.
REGISTRATIONS = {
    **dict.fromkeys(("农业", "农业户口", "农业家庭户口", "农业集体户口", "农村", "农村户口", "乡村"), "rural"),
    **dict.fromkeys(("县镇", "县镇户口", "县镇非农", "县镇非农户口", "农村（含县镇）", "农村(含县镇)"), "rural"),
    **dict.fromkeys(("城市", "城市户口"), "urban"),
}
_UNTOLD_REGISTRATION = re.compile(r"(非农业?|城镇|统一?居民|居民)(家庭|集体)?(户口?)?")
SCHOOLINGS = {
    **dict.fromkeys(("普通", "普通教育", "普通班", "否", "不是", "非随班就读", "N", "0"), "ordinary"),
    **dict.fromkeys(("特殊教育", "特教", "特教学校", "特殊教育学校", "特教班", "附设特教班", "送教上门"), "special"),
    **dict.fromkeys(("是", "Y", "随班就读"), "special"),
    **{f"{kind}残疾随班就读": "special" for kind in ("视力", "听力", "智力", "言语", "肢体", "精神", "多重", "其他")},
    "其他随班就读": "special",
}
MAJORS = {
    **dict.fromkeys(("涉农", "涉农专业", "农林", "农林牧渔", "农林牧渔类", "农林牧渔大类"), "agricultural"),
    **dict.fromkeys(("艺术", "艺术类", "艺术类专业", "艺术专业", "文化艺术类", "文化艺术大类"), "arts"),
    **dict.fromkeys(("戏曲", "戏曲表演", "戏曲表演专业"), "opera"),
    **dict.fromkeys(("其他", "其他专业", "非涉农", "非涉农专业", "普通专业"), "other"),
}
# In the national roll 1 is the identity card, B the household register.
ID_KINDS = {
    **dict.fromkeys(("", "1", "01", "B", "居民身份证", "身份证", "居民户口簿", "户口簿", "户口薄"), "resident"),
    **dict.fromkeys(("港澳台居民居住证", "港澳居民居住证", "台湾居民居住证", "居住证"), "permit"),
}
# Papers whose numbers follow no rule we know; the codes are the roll's for officers, foreigners and the rest.
_OTHER_PAPERS = (
    "护照 通行证 永久居留 永久居住 香港 澳门 台湾 台胞 回乡证 军官证 士兵证 文职 离退休证 出生 旅行证 其他 其它"
).split()
_OTHER_CODES = frozenset("23456789AZ")
_OTHER_GUARDIANS = (
    "祖父 祖母 爷爷 奶奶 外祖父 外祖母 外公 外婆 姥爷 姥姥 伯父 伯母 叔叔 叔父 婶婶 姑姑 姑父 姑妈 舅舅 舅父 舅妈 "
    "姨妈 姨父 哥哥 姐姐 兄 姐 继父 继母 养父 养母 监护人 其他监护人 法定监护人 祖父母 外祖父母"
)
RELATIONS = {
    **dict.fromkeys(("本人", "学生本人", "自己"), "self"),
    **dict.fromkeys(("父亲", "父", "爸爸", "父子", "父女"), "father"),
    **dict.fromkeys(("母亲", "母", "妈妈", "母子", "母女"), "mother"),
    **dict.fromkeys(_OTHER_GUARDIANS.split(), "guardian"),
}
_NEVER_PAID = ("班主任", "老师", "教师", "同学", "校长", "村干部")

# GB/T 3304 in order of its codes, from 01.
_GB_3304 = (
    "汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳 佤 畲 高山 拉祜 水 东乡 纳西 景颇 "
    "柯尔克孜 土 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 阿昌 普米 塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂 保安 裕固 京 "
    "塔塔尔 独龙 鄂伦春 赫哲 门巴 珞巴 基诺"
)
ETHNICITIES = _GB_3304.split()
_MIDNIGHT = re.compile(r"[ T]0{1,2}:00(:00(\.0+)?)?$")
# The same separator twice, or eight digits: 2026.12 and 2026年12月 are months.
_DAY = re.compile(
    r"([0-9]{4})(?:([-/.])([0-9]{1,2})\2([0-9]{1,2})|年([0-9]{1,2})月([0-9]{1,2})日?|([0-9]{2})([0-9]{2}))"
)
_EXCEL_DAY_ZERO = dt.date(1899, 12, 30)
_EXCEL_DAYS = range(20_000, 60_000)  # 1954 to 2064, as Excel counts days
_OLD_NAMES = {"毛难": "毛南", "崩龙": "德昂"}


def read_word(text: str, words: dict[str, str], *, what: str, choices: str) -> tuple[str, list[Finding]]:
    """The value the word stands for; "" for an empty cell. An unknown word is an error, not a guess."""
    word = re.sub(r"\s+", "", tidy_number(text))
    if not word or word in words:
        return words.get(word, ""), []
    return "", [error(f"看不懂这个{what}。", f"请填写{choices}。")]


def read_sex(text: str) -> tuple[str, list[Finding]]:
    return read_word(text, SEXES, what="性别", choices="“男”或“女”")


def read_boarding(text: str) -> tuple[str, list[Finding]]:
    return read_word(text, BOARDING, what="就读方式", choices="“寄宿”“半寄宿”或“走读”")


def read_is_boarding(text: str) -> tuple[str, list[Finding]]:
    return read_word(text, IS_BOARDING, what="填法", choices="“是”或“否”")


def read_registration(text: str) -> tuple[str, list[Finding]]:
    """户口性质: rural or urban; "" where the word does not say which."""
    word = re.sub(r"\s+", "", text)
    if word in REGISTRATIONS or _UNTOLD_REGISTRATION.fullmatch(word):
        return REGISTRATIONS.get(word, ""), []
    return "", [warning("看不懂这个户口性质，没有登记。", "请填写“农村（含县镇）”或“城市”；不清楚的可以留空。")]


def read_region(text: str) -> tuple[str, list[Finding]]:
    """Six digits of GB/T 2260; of a longer code (a town's, a village's) the county's six."""
    word = tidy_number(text)
    if re.fullmatch(r"[1-9][0-9]{5}([0-9]{3}|[0-9]{6})?", word):
        return word[:6], []
    return "", [warning("这不是行政区划代码，没有登记。", "请填写户籍所在县（市、区）的六位行政区划代码。")]


def read_schooling(text: str) -> tuple[str, list[Finding]]:
    """就学方式: ordinary or special."""
    word = re.sub(r"\s+", "", text)
    if word in SCHOOLINGS:
        return SCHOOLINGS[word], []
    return "", [
        warning("看不懂这个就学方式，没有登记。", "请填写“普通教育”或“特殊教育”；随班就读、送教上门的写特殊教育。")
    ]


def read_major(text: str) -> tuple[str, list[Finding]]:
    """专业类别 of a class of a vocational school."""
    word = re.sub(r"\s+", "", text)
    if word in MAJORS:
        return MAJORS[word], []
    remedy = "请填写“涉农专业”“艺术类专业”“戏曲表演专业”或“其他专业”。"
    return "", [warning("看不懂这个专业类别，没有登记。", remedy)]


def read_id_kind(text: str) -> tuple[str, list[Finding]]:
    """Which rule the number follows: resident, permit or other (no rule). Nothing said is a resident's.

    An unknown word is an error: as "other" it would let a wrong number pass.
    """
    word = tidy_number(text)
    if word in ID_KINDS:
        return ID_KINDS[word], []
    if word.lstrip("0") in _OTHER_CODES or any(paper in word for paper in _OTHER_PAPERS):
        return "other", []
    if "居住证" in word:
        return "permit", []
    if "身份证" in word or "户口" in word:
        return "resident", []
    return "", [error("看不懂这个证件类型。", "请填写“居民身份证”，或者“护照”“港澳居民来往内地通行证”等证件的名称。")]


def read_ethnicity(text: str) -> tuple[str, list[Finding]]:
    """民族 as "土家族"; a code or a name without 族 will do."""
    word = re.sub(r"\s+", "", text)
    if not word:
        return "", []
    if re.fullmatch("[0-9]{1,2}", word) and 1 <= int(word) <= len(ETHNICITIES):
        return f"{ETHNICITIES[int(word) - 1]}族", []
    bare = word.removesuffix("族")
    bare = _OLD_NAMES.get(bare, bare)
    if bare in ETHNICITIES:
        return f"{bare}族", []
    if re.fullmatch(r"[^\W\d_]{1,15}", word):
        return word, [warning("民族不在国家标准的名称里。", "请核对；确实如此可以不改。")]
    return "", [error("看不懂这个民族。", "请填写民族名称，例如“汉族”“土家族”。")]


def read_relation(text: str) -> tuple[str, list[Finding]]:
    """The account holder's relation to the pupil. Teachers and class-mates are never paid for a pupil."""
    word = re.sub(r"\s+", "", text)
    if any(barred in word for barred in _NEVER_PAID):
        return "", [error("资助款不能发到教师、同学或其他无关人员的账户。", "请换成学生本人或监护人的账户。")]
    return read_word(word, RELATIONS, what="关系", choices="“本人”“父亲”“母亲”或其他监护人的称呼（如“祖母”）")


def read_date(text: str) -> tuple[dt.date | None, list[Finding]]:
    """A day written 2014-05-06, 2014/5/6, 2014.5.6, 2014年5月6日 or 20140506; None for an empty cell.

    A time of midnight behind it, as some systems export it, is no matter.
    """
    word = tidy_number(_MIDNIGHT.sub("", text.strip()))
    if not word:
        return None, []
    if found := _DAY.fullmatch(word):
        try:
            return dt.date(*(int(part) for part in found.groups() if part and part.isdigit())), []
        except ValueError:
            return None, [error("没有这一天。", "请核对年、月、日。")]
    return None, [error("看不懂这个日期。", "请写成“2014-05-06”的样子。")]


def excel_day(value: float) -> dt.date | None:
    """The day meant by a cell that holds Excel's number of it without the format; None for any other number."""
    return _EXCEL_DAY_ZERO + dt.timedelta(days=int(value)) if value in _EXCEL_DAYS else None
