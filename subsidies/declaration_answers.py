"""What a family says of itself on the form, and what of it cannot be or is odd. Pure: no model is imported."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from .declaration_words import HEALTH, IN_HOUSEHOLD, PRESENCE, RELATIONS

MOST_MEMBERS = 12
_OLDEST = 120
_MOST_INCOME = 10_000_000  # 元 a year; beyond that somebody typed a digit too many
_ADULT = 18


@dataclasses.dataclass(frozen=True)
class Member:
    """One person of the family beside the pupil. `income` is 元 a year; None of somebody who does not count."""

    name: str
    relation: str
    presence: str = "here"
    age: int | None = None
    workplace: str = ""
    occupation: str = ""
    income: int | None = None
    health: str = "well"

    @property
    def counts(self) -> bool:
        """Whether the person belongs to the household: not the dead, the missing and the divorced."""
        return self.presence in IN_HOUSEHOLD

    @property
    def presence_label(self) -> str:
        return PRESENCE.get(self.presence, self.presence)

    @property
    def health_label(self) -> str:
        return HEALTH.get(self.health, self.health) if self.counts else ""


@dataclasses.dataclass(frozen=True)
class Answers:
    """The form as the family filled it in. Sums are 元 a year; texts are "" where there is nothing to say."""

    household: int = 0  # 家庭人口, the pupil included
    members: tuple[Member, ...] = ()
    native_place: str = ""
    politics: str = ""
    address: str = ""
    postcode: str = ""
    studying: int = 0  # how many of the family go to school, the pupil included
    supported: int = 0  # 赡养人数
    unemployed: int = 0
    income_source: str = ""
    disaster: str = ""
    accident: str = ""
    weakness: str = ""  # who can work little: disabled, old, ill
    joblessness: str = ""
    debt: str = ""
    other: str = ""
    other_group: str = ""  # 特殊群体: one the register does not know of
    aided: str = ""  # aid of this school year that is not in the system
    reason: str = ""

    @property
    def income(self) -> int:
        """元 a year of all who belong to the household."""
        return sum(member.income or 0 for member in self.members if member.counts)

    @property
    def income_per_head(self) -> int | None:
        """家庭人均年收入, whole 元 (the fraction is left off); None while the household is not known."""
        return self.income // self.household if self.household else None

    @property
    def income_per_month(self) -> int:
        return self.income // 12

    @property
    def income_per_head_and_month(self) -> int | None:
        return self.income // (12 * self.household) if self.household else None

    @property
    def troubles(self) -> list[tuple[str, str]]:
        """影响家庭经济状况的有关信息: what each is called, and what was said; also of what nothing was said."""
        return [(label, getattr(self, name)) for name, label in TROUBLES.items()]

    @property
    def told_troubles(self) -> list[tuple[str, str]]:
        """Those of which something was said."""
        return [(label, words) for label, words in self.troubles if words]


TROUBLES: Mapping[str, str] = {
    "disaster": "遭受自然灾害情况",
    "accident": "遭受突发意外事件",
    "weakness": "家庭成员因残疾、年迈而劳动能力弱情况",
    "joblessness": "家庭成员失业情况",
    "debt": "家庭欠债情况",
    "other": "其他情况",
}


def as_json(answers: Answers) -> dict[str, Any]:
    return dataclasses.asdict(answers)


def from_json(held: Mapping[str, Any]) -> Answers:
    """What `as_json` gave, of this form or an older one: what is not known any more is left out."""
    known = {field.name for field in dataclasses.fields(Answers)}
    of_member = {field.name for field in dataclasses.fields(Member)}
    members = tuple(
        Member(**{name: value for name, value in row.items() if name in of_member}) for row in held.get("members", [])
    )
    return Answers(**{name: value for name, value in held.items() if name in known} | {"members": members})


def faults(answers: Answers) -> dict[str, str]:
    """By field (members: `member-0-income`): what cannot be, in a sentence. Empty: the form may be kept."""
    found = _faults_of_household(answers)
    for number, member in enumerate(answers.members):
        found |= {f"member-{number}-{name}": words for name, words in _faults_of(member).items()}
    return found


def _faults_of_household(answers: Answers) -> dict[str, str]:
    found: dict[str, str] = {}
    counted = 1 + sum(member.counts for member in answers.members)
    if not answers.members:
        found["members"] = "请至少填写一名家庭成员；孤儿填写监护人，关系写“监护”。"
    elif len(answers.members) > MOST_MEMBERS:
        found["members"] = f"家庭成员最多填 {MOST_MEMBERS} 人，其余写在“其他情况”里。"
    if answers.household < counted:
        found["household"] = (
            f"表里列出了 {counted} 口人（含学生本人，不含离异、已故、失联的），家庭人口不能少于这个数。"
        )
    for name, label in (("studying", "在学人数"), ("supported", "赡养人数"), ("unemployed", "失业人数")):
        if getattr(answers, name) > answers.household:
            found[name] = f"{label}不能多于家庭人口 {answers.household} 人。"
    if answers.studying < 1:
        found["studying"] = "学生本人在学，家庭成员在学人数至少是 1。"
    if not answers.address:
        found["address"] = "请填写详细通讯地址，写到村（社区）或门牌。"
    return found


def _faults_of(member: Member) -> dict[str, str]:
    found: dict[str, str] = {}
    if not member.name:
        found["name"] = "请填写姓名。"
    if member.relation not in RELATIONS:
        found["relation"] = "请选择与学生的关系。"
    if member.presence not in PRESENCE:
        found["presence"] = "请选择现在的情况。"
    if member.counts and member.age is None:
        found["age"] = "请填写年龄。"
    if member.age is not None and not 0 <= member.age <= _OLDEST:
        found["age"] = f"年龄应在 0 到 {_OLDEST} 之间，请核对。"
    if member.counts and member.income is None:
        found["income"] = "收入不能空着：没有收入填 0，赡养费、抚养费也算收入。"
    if member.income is not None and not 0 <= member.income <= _MOST_INCOME:
        found["income"] = "年收入的单位是元，请核对是不是多写了几位。"
    if member.health not in HEALTH:
        found["health"] = "请选择健康状况。"
    return found


def doubts(answers: Answers, *, guardian: str = "", groups: int = 0) -> list[str]:
    """What is odd and may still be so: to be asked before the form is printed.

    `guardian` is the name on record ("" for none), `groups` how many special groups the register knows of.
    """
    said = []
    counted = 1 + sum(member.counts for member in answers.members)
    if answers.household > counted:
        said.append(f"家庭人口填了 {answers.household} 人，表里只列出 {counted} 人（含学生本人）。请核对是不是漏填了。")
    if guardian and all(member.name != guardian for member in answers.members):
        said.append(f"登记的监护人{guardian}不在家庭成员中。请补上，或请学校更正登记的监护人。")
    lone = [member for member in answers.members if member.relation in ("父亲", "母亲")]
    if len(lone) == 1 and lone[0].counts:
        other = "母亲" if lone[0].relation == "父亲" else "父亲"
        said.append(f"没有填{other}。已故、失联、离异的也要列出并注明。")
    earners = [member for member in answers.members if member.counts and (member.age or 0) >= _ADULT]
    if earners and answers.income == 0:
        said.append("全家年收入合计为 0 元。低保金、赡养费、务农和务工收入都要算在内，请再问一次。")
    if any(member.health == "major" for member in answers.members if member.counts) and not answers.weakness:
        said.append("有家庭成员大病或重残，“劳动能力弱情况”没有写。")
    if not groups and not answers.other_group and not answers.told_troubles:
        said.append("没有特殊群体类型，影响家庭经济状况的信息也都空着。请至少写明困难在哪里。")
    return said
