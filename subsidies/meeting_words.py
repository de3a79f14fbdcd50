"""What is said of review meetings: how they decide, who may sit. Pure words."""

from collections.abc import Mapping
from typing import Protocol

from .policy_words import VALUES

METHODS = {"talk": "讨论决定", "votes": "无记名投票", "scores": "打分", "ranking": "排序"}
# What is written down of an application (fields of Decision), and which of it each way of deciding asks for.
FIGURES = {"votes_for": "同意票", "votes_against": "反对票", "score": "得分", "rank": "名次"}
COLUMNS = {
    method: tuple((name, FIGURES[name]) for name in names)
    for method, names in {
        "talk": ("votes_for", "votes_against"),
        "votes": ("votes_for", "votes_against"),
        "scores": ("score",),
        "ranking": ("rank",),
    }.items()
}
KINDS = {
    "teacher": "教师",
    "leader": "学校领导",
    "pupil": "学生",
    "parent": "家长",
    "village": "村（居）委会干部",
    "other": "其他",
}
SCHOOL = "school"  # among the seats of a rule: the school's group; the others are stages


class MeetingRule(Protocol):
    """What a rule of procedure says of meetings, in the county's rules or in a pack."""

    @property
    def class_method(self) -> str: ...
    @property
    def class_pass_mark(self) -> int: ...
    @property
    def school_method(self) -> str: ...
    @property
    def school_pass_mark(self) -> int: ...
    @property
    def attendance_percent(self) -> int: ...
    @property
    def seats(self) -> Mapping[str, Mapping[str, int]]: ...


def seat_words(seats: Mapping[str, int]) -> str:
    """学生不参加，家长至少2人; "" where nothing is said."""
    asked = [(name, seats[kind]) for kind, name in KINDS.items() if kind in seats]
    return "，".join(f"{name}至少{fewest}人" if fewest else f"{name}不参加" for name, fewest in asked)


def method_words(method: str, mark: int) -> str:
    """无记名投票，同意票不少于到会人数的67%."""
    needed = {"votes": f"，同意票不少于到会人数的{mark}%", "scores": f"，得分不低于{mark}分"}.get(method, "")
    return METHODS[method] + (needed if mark else "")


def rule_words(rule: MeetingRule) -> list[str]:
    """Sentences without their full stop, of what is not as usual; none where the rule says nothing of meetings."""
    found = []
    for where, method, mark in (
        ("班级评议", rule.class_method, rule.class_pass_mark),
        ("学校评审", rule.school_method, rule.school_pass_mark),
    ):
        if method != "talk":
            found.append(f"{where}{method_words(method, mark)}")
    if rule.attendance_percent:
        found.append(f"到会率不低于{rule.attendance_percent}%")
    for where in (*VALUES["stage"], SCHOOL):
        if seats := rule.seats.get(where):
            group = "学校评审小组" if where == SCHOOL else f"{VALUES['stage'][where]}班级评议小组"
            found.append(f"{group}{seat_words(seats)}")
    return found
