"""Rosters of invented pupils, as a school would export and fill them: for the demo county, tests and benchmarks."""

import datetime as dt
import random
from collections.abc import Iterable
from dataclasses import dataclass

from documents import xlsx
from students import fictitious

HEADERS = (
    "学生姓名", "性别", "出生日期", "民族", "身份证件号", "全国学籍号", "年级", "班级", "就读方式",
    "监护人姓名", "与学生关系", "联系电话", "开户银行", "银行账号", "户名", "户主与学生关系",
    "困难类别", "证明名称和编号",
)  # fmt: skip

_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蒋蔡余杜叶程苏魏吕丁任沈姚卢"
_GIVEN = (
    "子涵 雨桐 梓萱 一诺 浩然 欣怡 宇轩 诗涵 思远 佳怡 明轩 若曦 俊杰 雪梅 建华 秀兰 志强 小龙 春燕 "
    "国庆 海燕 文博 晓彤 天佑 家豪 美玲 丽娟 永强 冬梅 玉兰"
).split()
# Names that break what was not tried: rare characters, a minority name with its dot, a single character.
_SPECIAL = ("䶮𬎆", "买买提·阿不都", "欧阳娜娜", "龚䶮", "赵一")
_KINDS = (
    "农村低保",
    "特困供养学生",
    "脱贫户（继续享受政策）",
    "残疾学生",
    "边缘易致贫户",
    "孤儿",
    "脱贫不稳定户",
    "突发严重困难户",
)
_BANK = "云岭县农村信用合作联社"


@dataclass(frozen=True)
class ClassPlan:
    """A class of invented pupils: how many, and which of every `poor_every` is in hardship."""

    grade: str
    name: str
    size: int
    born: int  # year
    poor_every: int = 3


def rows(plans: Iterable[ClassPlan], *, first_serial: int, seed: int = 7) -> list[dict[str, str]]:
    """One row of texts per pupil, by header. The same arguments give the same pupils."""
    chance = random.Random(seed)  # noqa: S311  invented people, no secret
    found: list[dict[str, str]] = []
    serial = first_serial
    for plan in plans:
        for place in range(plan.size):
            found.append(_row(plan, place, serial, chance))
            serial += 1
    return found


def _row(plan: ClassPlan, place: int, serial: int, chance: random.Random) -> dict[str, str]:
    sex = chance.choice(("male", "female"))
    born = dt.date(plan.born, 1, 1) + dt.timedelta(days=chance.randrange(365))
    number = fictitious.id_number(serial % 50_000, born=born, sex=sex)
    surname = chance.choice(_SURNAMES)
    name = surname + chance.choice(_GIVEN)
    if serial % 41 == 0:
        name = _SPECIAL[serial // 41 % len(_SPECIAL)]
    guardian = surname + chance.choice([given for given in _GIVEN if given != name[len(surname) :]])
    is_poor = place % plan.poor_every == 0
    kind = _KINDS[chance.randrange(len(_KINDS))] if is_poor else ""
    values = (
        name, "男" if sex == "male" else "女", f"{born:%Y-%m-%d}", "汉族", number, fictitious.roll_number(number),
        plan.grade, plan.name, chance.choice(("住校", "走读")), guardian, "父亲", fictitious.phone_number(serial),
        _BANK, fictitious.card_number(serial), guardian, "父亲", kind, f"{kind}证明〔2026〕{serial}号" if kind else "",
    )  # fmt: skip
    return dict(zip(HEADERS, values, strict=True))


def workbook(found: Iterable[dict[str, str]], *, headers: tuple[str, ...] = HEADERS) -> bytes:
    """The rows as an .xlsx file with these columns, every cell a text."""
    columns = [xlsx.Column(header, width=18) for header in headers]
    return xlsx.write([xlsx.WorksheetPlan("学生名册", columns, [[row[h] for h in headers] for row in found])])


def office_workbook(found: Iterable[dict[str, xlsx.Content]], *, school: str) -> bytes:
    """The rows as a school's office sends them: instructions first, a title over the table, the roll's own headers,
    dates that are dates, and a line with the total under it."""
    names = {"身份证件号": "身份证号", "全国学籍号": "学籍号", "班级": "班级名称", "银行账号": "银行卡号"}
    kinds: dict[str, xlsx.ColumnKind] = {"出生日期": "date"}
    columns = [xlsx.Column(names.get(header, header), 18, kinds.get(header, "text")) for header in HEADERS]
    rows = [[row[header] for header in HEADERS] for row in found]
    total: list[xlsx.Content] = ["合计", f"{len(rows)} 人", *[""] * (len(HEADERS) - 2)]
    told = xlsx.WorksheetPlan("填表说明", [xlsx.Column("填表说明", 80)], [["各班核对后于9月20日前报资助专干。"]])
    table = xlsx.WorksheetPlan(
        "学生花名册",
        columns,
        rows,
        title=f"{school}2026年秋季学期学生花名册",
        above=["填报单位（盖章）：　　　　　　填报人：　　　　　　填报日期："],
        totals=total,
        frozen_columns=1,
    )
    return xlsx.write([told, table])
