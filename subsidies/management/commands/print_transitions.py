"""`manage.py print_transitions`: the transition table as Markdown, for docs/workflow.md."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.roles import ROLES, Permission
from subsidies.states import TRANSITIONS, TURN, State, Transition

BEGIN, END = "<!-- print_transitions: begin -->", "<!-- print_transitions: end -->"
PAGE = Path("docs") / "workflow.md"


class Command(BaseCommand):
    help = "打印申请状态流转表；--write 写入 docs/workflow.md 的标记之间"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help="写入 docs/workflow.md")

    def handle(self, *args: object, write: bool, **options: object) -> None:
        if not write:
            self.stdout.write(tables())
            return
        page = settings.BASE_DIR / PAGE
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
        self.stdout.write(f"{PAGE} 已更新。")


def tables() -> str:
    """Both tables: how an application moves, and whose turn it is in each state."""
    return f"{transition_table()}\n\n{turn_table()}"


def transition_table() -> str:
    head = "| 步骤 | 从 | 到 | 谁办理 | 环节 | 条件 |\n|---|---|---|---|---|---|"
    return "\n".join([head, *map(_transition, TRANSITIONS)])


def turn_table() -> str:
    head = "| 状态 | 等谁办理 |\n|---|---|"
    return "\n".join([head, *(f"| {state.label} | {_holders(TURN[state])} |" for state in State)])


def renewed(page: str) -> str:
    """The page with what stands between the markers replaced. Raises CommandError where they are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise CommandError(f"{PAGE} 中没有找到标记 {BEGIN} 和 {END}。")
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def _transition(row: Transition) -> str:
    cells = (
        row.step.label,
        row.source.label,
        row.target.label,
        _holders(row.permission),
        row.duty.label if row.duty else "—",
        "；".join(row.guards) or "—",
    )
    return f"| {' | '.join(cells)} |"


def _holders(permission: Permission | None) -> str:
    if permission is None:
        return "—（已办结）"
    return "、".join(role.label for role in ROLES.values() if permission in role.permissions)
